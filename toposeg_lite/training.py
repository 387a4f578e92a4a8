"""Train a network, stop and go on at any step, and score what it predicts.

`train` makes steps with Dice + cross-entropy, plus a weighted loss of `losses.LOSSES` if one is
wanted, and leaves a checkpoint; `evaluate` predicts whole images window by window and scores them.
`comparison` builds the fair experiment out of the two.

Three promises shape the code:

**Same seed, same numbers.** What a step sees depends on nothing but the seed and the number of the
step: `draw_batch` makes a new random generator out of these two. So a run that was interrupted
sees what an unbroken one would have seen, and two runs that start from one checkpoint see the same
images in the same order, whatever their losses.

**A checkpoint is whole or absent.** It is written beside its place, flushed to the disk and then
renamed, which happens at once or not at all: a full disk or a kill leaves the previous file.

**No pickle.** Checkpoints are safetensors files [1]_: numbers, and a JSON text that says what they
are. Opening one from a stranger runs no code.

References
----------
.. [1] https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.utils.deterministic as torch_deterministic
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from tqdm import tqdm

from . import metrics
from .data import Dataset, Sample, list_datasets, load_dataset
from .losses import LOSSES, DiceBCELoss, make_loss
from .models import UNet
from .topology.grid import check_choice

__all__ = [
    "Checkpoint",
    "Evaluation",
    "TrainConfig",
    "draw_batch",
    "evaluate",
    "load_checkpoint",
    "predict",
    "train",
    "write_atomically",
]

PRECISIONS = ("float32", "bfloat16")
#: What is recorded of every step: losses, then seconds of the whole step and of the added loss.
HISTORY = ("loss", "dice_bce", "added", "seconds", "seconds_added")
_FORMAT = "toposeg_lite checkpoint 1"


# --- What a run is asked to do ----------------------------------------------------------------


def _check_int(value: Any, name: str, low: int) -> None:
    """Refuse what is no integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value}")


def _check_number(value: Any, name: str, *, zero: bool) -> None:
    """Refuse what is no finite number above zero (or, with `zero`, no number from zero on)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise ValueError(f"{name} must be {'zero or above' if zero else 'above zero'}; got {value}")


def _check_sides(value: Any, name: str) -> None:
    """Refuse what is neither one side length nor a tuple of two or three."""
    if isinstance(value, tuple):
        if len(value) not in (2, 3):
            raise ValueError(f"{name} must name 2 or 3 sides; got {value!r}")
        for side in value:
            _check_int(side, f"each side of {name}", 1)
    else:
        _check_int(value, name, 1)


def _sides(value: int | tuple[int, ...], ndim: int, name: str) -> tuple[int, ...]:
    """Return one side length for each axis."""
    sides = value if isinstance(value, tuple) else (value,) * ndim
    if len(sides) != ndim:
        raise ValueError(f"{name} must name one side for each of the {ndim} axes; got {value!r}")
    return sides


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the numbers of a training run; checked when it is made.

    Parameters
    ----------
    dataset : str
        One of `toposeg_lite.data.list_datasets()`.
    root : str, optional
        The folder of downloaded data sets. It decides no number, so a resumed run may change it.
    loss : str
        The loss that is added to Dice + cross-entropy: a key of `toposeg_lite.losses.LOSSES`.
    loss_options : dict
        Options of that loss, by name.
    weight : float
        The factor of the added loss; 0 leaves it out, and then not even computes it.
    steps : int
        Number of steps of this run, not counting those of a checkpoint that it starts from.
    patch : int or tuple of int
        Sides of the random crops.
    batch : int
        Crops a step, over all processes.
    seed : int
        Decides the first weights and the crops.
    width, depth : int
        Of the `UNet`; see there.
    learning_rate : float
        Of the optimizer AdamW.
    anneal : bool
        Let the learning rate fall to zero over the run along half a cosine.
    clip : float
        The largest norm of the gradient over all weights; longer ones are shortened to it.
    precision : {"float32", "bfloat16"}
        Of the network's forward and backward pass; losses and weights are always float32.
        bfloat16 is refused on hardware that would be slower with it.
    checkpoint_every : int
        Steps between two checkpoints; one more is written at the end.

    Raises
    ------
    TypeError, ValueError
        For an unknown data set, loss or option of the loss (the message names the choices), and for
        numbers of the wrong type or out of range.

    Examples
    --------
    >>> TrainConfig(loss="topological", loss_options={"matching": "rank"}, weight=0.1).batch
    4
    """

    dataset: str = "retina"
    root: str | None = None
    loss: str = "topological"
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 0.1
    steps: int = 800
    patch: int | tuple[int, ...] = 128
    batch: int = 4
    seed: int = 0
    width: int = 16
    depth: int = 4
    learning_rate: float = 1e-3
    anneal: bool = False
    clip: float = 1.0
    precision: str = "float32"
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        check_choice(self.dataset, list_datasets(), "dataset")
        if not (self.root is None or isinstance(self.root, str)):
            raise TypeError(f"root must be a text or None; got {self.root!r}")
        check_choice(self.loss, tuple(LOSSES), "loss")
        if not isinstance(self.loss_options, Mapping):
            raise TypeError(f"loss_options must map names to values; got {self.loss_options!r}")
        if isinstance(self.patch, list):  # as JSON and notebook parameters have it
            object.__setattr__(self, "patch", tuple(self.patch))
        make_loss(self.loss, **self.loss_options)
        for name in ("steps", "batch", "width", "depth", "checkpoint_every"):
            _check_int(getattr(self, name), name, 1)
        _check_int(self.seed, "seed", 0)
        _check_sides(self.patch, "patch")
        _check_number(self.weight, "weight", zero=True)
        _check_number(self.learning_rate, "learning_rate", zero=False)
        _check_number(self.clip, "clip", zero=False)
        if not isinstance(self.anneal, bool):
            raise TypeError(f"anneal must be True or False; got {self.anneal!r}")
        check_choice(self.precision, PRECISIONS, "precision")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that survives a round trip through JSON.

        Examples
        --------
        >>> TrainConfig(**TrainConfig(seed=3).as_dict()) == TrainConfig(seed=3)
        True
        """
        values = {name.name: getattr(self, name.name) for name in dataclasses.fields(self)}
        if isinstance(self.patch, tuple):
            values["patch"] = list(self.patch)
        return values | {"loss_options": dict(self.loss_options)}


# --- Checkpoints ------------------------------------------------------------------------------


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all.

    The bytes go into ``<name>.partial`` in the same folder, are flushed to the disk, and take the
    place of `path` by one renaming. Whatever happens before that, a full disk or a kill, leaves
    the previous file as it was.

    Parameters
    ----------
    path : path
        The file. Its folder must exist.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        If the disk is full or not writable. `path` is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "note.txt", b"whole")
    ...     print([(file.name, file.read_text()) for file in Path(folder).iterdir()])
    [('note.txt', 'whole')]
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network at one step of its training, with all that is needed to go on.

    Attributes
    ----------
    config : TrainConfig
        Of the run that made it.
    network : dict
        Arguments of the `UNet`; empty if the run was given another network.
    step : int
        Steps made since the first weights, those of the run it started from included.
    start : int
        The step at which its own run started.
    parent : str
        Digest of the weights its own run started with.
    weights, optimizer : dict of str to tensor
        State of the network, and of AdamW as ``"<number of the weight>.<name>"``.
    history : DataFrame
        One row for each step of its own run, with the columns `HISTORY`.
    """

    config: TrainConfig
    network: dict[str, Any]
    step: int
    start: int
    parent: str
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: pd.DataFrame

    @property
    def finished(self) -> bool:
        """Whether its run has made all its steps."""
        return self.step == self.start + self.config.steps

    def model(self, model: nn.Module | None = None) -> nn.Module:
        """Return the network with these weights.

        Parameters
        ----------
        model : torch.nn.Module, optional
            The network to load them into; needed if they are not a `UNet`'s.

        Returns
        -------
        torch.nn.Module
            On the CPU if it is new, else where it was.

        Raises
        ------
        ValueError
            If the weights are another network's.
        """
        if model is None:
            if not self.network:
                raise ValueError("these weights are not a UNet's: pass the network as `model`")
            model = UNet(**self.network)
        try:
            model.load_state_dict(self.weights)
        except RuntimeError as error:
            raise ValueError(f"the checkpoint holds another network's weights: {error}") from None
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file, whole or not at all (see `write_atomically`)."""
        tensors = {f"weights.{name}": tensor for name, tensor in self.weights.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.items()}
        tensors["history"] = torch.from_numpy(self.history.to_numpy(np.float64, copy=True))
        about = {
            "format": _FORMAT,
            "config": self.config.as_dict(),
            "network": self.network,
            "step": self.step,
            "start": self.start,
            "parent": self.parent,
        }
        # One key alone: safetensors writes several in an order that differs from run to run.
        content = save_tensors(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            metadata={"toposeg_lite": json.dumps(about, sort_keys=True)},
        )
        write_atomically(path, content)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint from a safetensors file. No pickle is ever loaded.

    Parameters
    ----------
    path : path
        A file that `train` or `Checkpoint.save` wrote.

    Returns
    -------
    Checkpoint
        Its tensors lie on the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no safetensors file, a damaged one, or none of this library.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            text = (file.metadata() or {}).get("toposeg_lite", "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(text)
        if about.get("format") != _FORMAT:
            raise ValueError("it was not written by this version of toposeg_lite")
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint that can be read: {error}") from None
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}}
    history = tensors.pop("history")
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return Checkpoint(
        config=TrainConfig(**about["config"]),
        network=about["network"],
        step=about["step"],
        start=about["start"],
        parent=about["parent"],
        weights=parts["weights"],
        optimizer=parts["optimizer"],
        history=pd.DataFrame(history.numpy(), columns=list(HISTORY)),
    )


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Return a fingerprint of the weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


# --- What a step sees -------------------------------------------------------------------------


def draw_batch(
    samples: Sequence[Sample], *, step: int, seed: int, patch: int | tuple[int, ...], batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the random crops of one step, turned and flipped.

    Parameters
    ----------
    samples : sequence of Sample
        Images with their masks; each is drawn with the same probability.
    step, seed : int
        They alone decide what is drawn.
    patch : int or tuple of int
        Sides of a crop. Axes of equal side may change places, so that with flips every rotation by
        a right angle occurs; pixels are only moved, so masks stay exact.
    batch : int
        Number of crops.

    Returns
    -------
    images : (batch, channels, *patch) array of float32
    masks : (batch, 1, *patch) array of float32
        0 and 1. An image smaller than the crop is continued by its mirror image.

    Raises
    ------
    ValueError
        If there is no sample, or `patch` does not fit their axes.

    Examples
    --------
    >>> image = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 6, 8)
    >>> crops, masks = draw_batch(
    ...     [Sample("ramp", image, image[0] > 0.5)], step=7, seed=0, patch=4, batch=2
    ... )
    >>> crops.shape, masks.shape, bool(((crops > 0.5) == masks).all())
    ((2, 1, 4, 4), (2, 1, 4, 4), True)
    """
    if not samples:
        raise ValueError("samples are empty: there is nothing to train on")
    sides = _sides(patch, samples[0].mask.ndim, "patch")
    rng = np.random.default_rng([seed, step])
    crops = [_draw_crop(samples[int(rng.integers(len(samples)))], sides, rng) for _ in range(batch)]
    images, masks = zip(*crops, strict=True)
    return np.stack(images), np.stack(masks)[:, None].astype(np.float32)


def _draw_crop(
    sample: Sample, sides: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut one crop at a random place, then permute axes of equal side and flip at random."""
    image, mask = sample.image, sample.mask
    missing = [max(side - size, 0) for side, size in zip(sides, mask.shape, strict=True)]
    if any(missing):
        widths = [(0, more) for more in missing]
        image = np.pad(image, [(0, 0), *widths], mode="symmetric")
        mask = np.pad(mask, widths, mode="symmetric")
    corner = [rng.integers(size - side + 1) for side, size in zip(sides, mask.shape, strict=True)]
    place = tuple(slice(low, low + side) for low, side in zip(corner, sides, strict=True))
    order = np.arange(len(sides))
    for side in set(sides):
        same = np.flatnonzero(np.array(sides) == side)
        order[same] = rng.permutation(same)
    flips = np.flatnonzero(rng.integers(2, size=len(sides)))
    image = image[(slice(None), *place)].transpose([0, *(order + 1)])
    mask = mask[place].transpose(order)
    return np.flip(image, tuple(flips + 1)), np.flip(mask, tuple(flips))


# --- Training ---------------------------------------------------------------------------------


def _has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 saves time: on a GPU that has it, or a processor with matrix tiles (AMX).

    Without them a processor emulates it and is 8 times slower than in float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let torch use only algorithms that give the same bits every time, for a while."""
    # cuBLAS reads this when it starts; without it torch refuses to be deterministic on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch_deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    torch_deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch_deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def _clock(device: torch.device) -> float:
    """Return the seconds of a clock, after the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors under flat names."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": tensor.detach().cpu().clone()
        for number, values in state.items()
        for name, tensor in values.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of `_optimizer_state` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _check_resumable(found: Checkpoint, config: TrainConfig, parent: str, path: Path) -> None:
    """Refuse to go on with a checkpoint that another run has written."""
    old, new = found.config.as_dict(), config.as_dict()
    # Neither decides a number.
    free = ("root", "checkpoint_every")
    other = [
        f"{name} was {old[name]!r} and is now {new[name]!r}"
        for name in new
        if name not in free and old[name] != new[name]
    ]
    if found.parent != parent:
        other.append("it started from other weights")
    if other:
        raise ValueError(
            f"{path} belongs to another run: {'; '.join(other)}. "
            f"Resume with the same settings, or choose another place"
        )


def train(
    config: TrainConfig,
    *,
    data: Dataset | None = None,
    model: nn.Module | None = None,
    start: Checkpoint | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Checkpoint:
    """Train a network and return it as a checkpoint.

    The loss of a step is Dice + cross-entropy, plus ``config.weight`` times the added loss. Devices
    and processes are accelerate's: the same call runs on a CPU, a GPU, or several under
    ``accelerate launch``, which then share each batch.

    Parameters
    ----------
    config : TrainConfig
        What to do.
    data : Dataset, optional
        Use its training split instead of loading ``config.dataset``.
    model : torch.nn.Module, optional
        The network, any that turns (B, channels, *spatial) into logits (B, 1, *spatial). It is
        trained in place. Default: a new `UNet` from ``config.seed``.
    start : Checkpoint, optional
        Go on from its weights, optimizer and step instead of starting anew.
    out : path, optional
        The file for checkpoints. Its folder must exist.
    resume : bool
        If `out` exists, go on from there; the run then ends with the bits of an unbroken one.
    progress : bool
        Show a bar with the parts of the loss.

    Returns
    -------
    Checkpoint
        After the last step; the same as in `out`.

    Raises
    ------
    TypeError, ValueError
        If arguments do not fit each other, or `out` is the checkpoint of another run.
    FileExistsError
        If `out` exists and `resume` is False.
    FloatingPointError
        If the loss is no longer a number; the last checkpoint stays.

    Examples
    --------
    >>> end = train(TrainConfig(dataset="brick", steps=2, patch=32, width=2), progress=False)
    >>> end.step, list(end.history)
    (2, ['loss', 'dice_bce', 'added', 'seconds', 'seconds_added'])
    """
    if not isinstance(config, TrainConfig):
        raise TypeError(f"config must be a TrainConfig; got {type(config).__name__}")
    if not (start is None or isinstance(start, Checkpoint)):
        raise TypeError(f"start must be a Checkpoint or None; got {type(start).__name__}")
    path = None if out is None else Path(out)
    if path is not None and path.exists() and not resume:
        raise FileExistsError(f"{path} exists: pass resume=True to go on from it, or move it away")
    if resume and path is None:
        raise ValueError("resume=True needs `out`, the checkpoint to go on from")
    accelerator = Accelerator()
    processes = accelerator.num_processes
    if config.batch % processes:
        raise ValueError(f"batch must be a multiple of the {processes} processes; {config.batch=}")
    if config.precision == "bfloat16" and not _has_fast_bfloat16(accelerator.device):
        raise ValueError(
            f"precision='bfloat16' would slow this {accelerator.device.type} down: it has no fast "
            f"bfloat16. Use precision='float32'"
        )
    if data is None:
        data = load_dataset(config.dataset, root=config.root)
    patch = _sides(config.patch, data.ndim, "patch")
    network: dict[str, Any] = {}
    if model is None:
        network = {"in_channels": data.channels, "ndim": data.ndim, "seed": config.seed}
        network |= {"width": config.width, "depth": config.depth}
        model = UNet(**network)
    if start is not None:
        start.model(model)
    run = Checkpoint(
        config=config,
        network=network,
        step=0 if start is None else start.step,
        start=0 if start is None else start.step,
        parent=_digest(model.state_dict()),
        weights={},
        optimizer={} if start is None else start.optimizer,
        history=pd.DataFrame(columns=list(HISTORY), dtype=float),
    )
    if path is not None and path.exists():
        found = load_checkpoint(path)
        _check_resumable(found, config, run.parent, path)
        found.model(model)
        run = found
    accelerator.wait_for_everyone()  # nobody may write before everybody has read
    if run.finished:
        return run
    return _run(run, data.train, patch, model, accelerator, path, progress)


def _run(
    run: Checkpoint,
    samples: Sequence[Sample],
    patch: tuple[int, ...],
    model: nn.Module,
    accelerator: Accelerator,
    path: Path | None,
    progress: bool,
) -> Checkpoint:
    """Make the steps that are left of a run whose `model` already has its weights."""
    config = run.config
    device = accelerator.device
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    net, optim = accelerator.prepare(model, optimizer)
    if run.optimizer:
        _restore_optimizer(optimizer, run.optimizer)
    net.train()
    losses: list[nn.Module] = [DiceBCELoss()]
    if config.weight:
        losses.append(make_loss(config.loss, **config.loss_options))
    factors = (1.0, config.weight)
    rows = run.history.to_numpy().tolist()
    end = run.start + config.steps
    bar = tqdm(
        total=config.steps,
        initial=run.step - run.start,
        desc=path.stem if path else "training",
        unit="step",
        mininterval=0.5,
        disable=not (progress and accelerator.is_main_process),
    )
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    # Layers with chance in them (dropout) draw from torch's global state: seeded at every step,
    # they depend on the step alone, as the crops do. The caller's state comes back afterwards.
    with bar, _deterministic(), torch.random.fork_rng():
        for step in range(run.step, end):
            clock = _clock(device)
            torch.manual_seed(hash((config.seed, step, accelerator.process_index)))
            if config.anneal:
                done = (step - run.start) / config.steps
                optimizer.param_groups[0]["lr"] = (
                    config.learning_rate * (1 + math.cos(math.pi * done)) / 2
                )
            images, masks = draw_batch(
                samples, step=step, seed=config.seed, patch=patch, batch=config.batch
            )
            image = torch.from_numpy(images[share].copy()).to(device)
            mask = torch.from_numpy(masks[share].copy()).to(device)
            with torch.autocast(device.type, torch.bfloat16, config.precision == "bfloat16"):
                logits = net(image)
            # Each loss sends its gradient to a copy of the logits, where it can be timed alone;
            # the sum then goes through the network once.
            leaf = logits.detach().float().requires_grad_()
            values, seconds = [], []
            for loss, factor in zip(losses, factors, strict=False):
                before = _clock(device)
                value = loss(leaf, mask)
                (factor * value).backward()
                values.append(float(accelerator.reduce(value.detach(), "mean")))
                seconds.append(_clock(device) - before)
            total = sum(factor * value for factor, value in zip(factors, values, strict=False))
            if not math.isfinite(total):
                raise FloatingPointError(
                    f"the loss became {total} at step {step}: lower the learning rate or the weight"
                )
            optim.zero_grad()
            accelerator.backward((logits.float() * leaf.grad).sum())
            accelerator.clip_grad_norm_(net.parameters(), config.clip)
            optim.step()
            added = (values[1], seconds[1]) if len(values) > 1 else (0.0, 0.0)
            rows.append([total, values[0], added[0], _clock(device) - clock, added[1]])
            bar.update()
            bar.set_postfix(dice_bce=f"{values[0]:.3f}", added=f"{added[0]:.3f}", refresh=False)
            made = step + 1
            wanted = path is not None and (made - run.start) % config.checkpoint_every == 0
            if made == end or wanted:
                run = dataclasses.replace(
                    run,
                    step=made,
                    weights={
                        name: tensor.detach().cpu().clone()
                        for name, tensor in accelerator.unwrap_model(net).state_dict().items()
                    },
                    optimizer=_optimizer_state(optimizer),
                    history=pd.DataFrame(rows, columns=list(HISTORY)),
                )
                if path is not None and accelerator.is_main_process:
                    run.save(path)
    accelerator.wait_for_everyone()
    return run


# --- Prediction and scores --------------------------------------------------------------------


def predict(
    model: nn.Module,
    image: np.ndarray,
    *,
    window: int | tuple[int, ...] = 256,
    overlap: float = 0.25,
) -> np.ndarray:
    """Return the likelihood of the foreground at every pixel of an image of any size.

    Parameters
    ----------
    model : torch.nn.Module
        Turns (1, channels, *spatial) into logits (1, 1, *spatial).
    image : (channels, *spatial) array of float
        Values in [0, 1].
    window : int or tuple of int
        Sides of the windows that the network sees at once. Axes that are shorter are seen whole.
    overlap : float
        By what part of its side a window overlaps the next one at least, from 0 to below 1. Where
        windows overlap, the likelihood is their mean, weighted by the distance to their borders.

    Returns
    -------
    (*spatial) array of float32
        Values in [0, 1].

    Raises
    ------
    TypeError, ValueError
        For an image of the wrong kind, or a window or overlap out of range.

    Examples
    --------
    >>> image = np.zeros((1, 40, 50), np.float32)
    >>> predict(UNet(1, width=2), image, window=16).shape
    (40, 50)
    """
    image = np.asarray(image)
    if image.dtype.kind != "f":
        raise TypeError(f"image must be floating point in [0, 1]; got {image.dtype}")
    if image.ndim not in (3, 4) or image.size == 0:
        raise ValueError(
            f"image must have the axes (channels, H, W) or (channels, D, H, W) and not be empty; "
            f"got shape {image.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError("image holds values that are NaN or infinite")
    _check_sides(window, "window")
    _check_number(overlap, "overlap", zero=True)
    if overlap >= 1:
        raise ValueError(f"overlap must be below 1; got {overlap}")
    spatial = image.shape[1:]
    sides = tuple(map(min, _sides(window, len(spatial), "window"), spatial))
    ramps = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) for side in sides]
    weight = np.ones((), np.float32)
    for ramp in ramps:
        weight = np.multiply.outer(weight, ramp.astype(np.float32) / ramp.max())
    total, weights = np.zeros(spatial, np.float32), np.zeros(spatial, np.float32)
    parameter = next(model.parameters(), torch.empty(0))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for corner in product(*map(_window_starts, spatial, sides, [overlap] * len(sides))):
                place = tuple(slice(a, a + side) for a, side in zip(corner, sides, strict=True))
                tensor = torch.from_numpy(np.ascontiguousarray(image[(slice(None), *place)]))
                logits = model(tensor[None].to(parameter.device, parameter.dtype))
                if logits.shape != (1, 1, *sides):
                    raise ValueError(
                        f"model must return logits of the shape {(1, 1, *sides)}; "
                        f"got {tuple(logits.shape)}"
                    )
                total[place] += weight * logits[0, 0].float().sigmoid().cpu().numpy()
                weights[place] += weight
    finally:
        model.train(training)
    return np.clip(total / weights, 0, 1)


def _window_starts(size: int, side: int, overlap: float) -> list[int]:
    """Return evenly spread first pixels of windows that cover an axis and overlap enough."""
    if size <= side:
        return [0]
    stride = max(1, int(side * (1 - overlap)))
    count = math.ceil((size - side) / stride) + 1
    return [round(k * (size - side) / (count - 1)) for k in range(count)]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores and likelihoods of some images.

    Attributes
    ----------
    table : DataFrame
        One row for each image, by its name; the columns are those of `metrics.report`.
    likelihoods : dict of str to array
        What the network predicts for each image, float32 in [0, 1].
    """

    table: pd.DataFrame
    likelihoods: dict[str, np.ndarray]


def evaluate(
    model: nn.Module,
    samples: Sequence[Sample],
    *,
    labels: metrics.Labels,
    connectivity: int | None = None,
    patch: int | None = None,
    window: int | tuple[int, ...] = 256,
    overlap: float = 0.25,
) -> Evaluation:
    """Predict images and score the masks of likelihood 0.5 and above.

    Parameters
    ----------
    model : torch.nn.Module
        See `predict`.
    samples : sequence of Sample
        Images with their reference masks.
    labels, connectivity, patch
        Passed to `toposeg_lite.metrics.report`; see there.
    window, overlap
        Passed to `predict`; see there.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        For samples or options that `predict` or `metrics.report` refuse.

    Examples
    --------
    >>> wall = load_dataset("brick")
    >>> scores = evaluate(UNet(1, width=2), wall.test, labels=wall.labels, patch=wall.patch)
    >>> list(scores.table.index)
    ['test-0']
    """
    if not samples:
        raise ValueError("samples are empty: there is nothing to evaluate")
    likelihoods, rows = {}, {}
    for sample in samples:
        likelihood = predict(model, sample.image, window=window, overlap=overlap)
        likelihoods[sample.name] = likelihood
        rows[sample.name] = metrics.report(
            likelihood >= 0.5,
            sample.mask,
            connectivity=connectivity,
            patch=patch,
            labels=labels,
        )
    return Evaluation(pd.DataFrame.from_dict(rows, orient="index"), likelihoods)
