"""The training loop: same seed, same numbers, also after an interruption.

What a step sees depends on nothing but the seed and the number of the step: `draw_batch` makes a
new random generator out of these two. So a run that was interrupted sees what an unbroken one would
have seen, and two runs that start from one checkpoint see the same images in the same order,
whatever their losses.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.utils.deterministic as torch_deterministic
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..checks import check_flag, check_integer, check_number, check_path
from ..data import Dataset, Sample
from ..data.samples import IGNORED_HOW, check_labelled
from ..files import check_room, make_folder, one_writer
from ..losses import DiceBCELoss, SumLoss, make_loss
from ..losses.base import start as start_loss
from ..models import UNet
from ..topology.grid import check_spacing
from ..topology.threads import Background
from .augment import check_augment, make_augmentation
from .balance import Balance, wanted_ratio
from .checkpoint import (
    HISTORY,
    VALIDATION,
    Checkpoint,
    checkpoint_size,
    digest,
    load_checkpoint,
)
from .config import TrainConfig, check_network, check_sides, resolve_sides
from .evaluation import validate
from .spacing import losses_with_spacing, spacing_of_training

__all__ = ["draw_batch", "train"]

IGNORED = -1  # no label of a class, whatever their number


# --- What a step sees -------------------------------------------------------------------------


def draw_batch(
    samples: Sequence[Sample],
    *,
    step: int,
    seed: int,
    patch: int | tuple[int, ...],
    batch: int,
    light: float = 0.0,
    augment: Mapping[str, Mapping[str, Any]] | None = None,
    spacing: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the random crops of one step, turned, flipped and lit at random.

    Parameters
    ----------
    samples : sequence of Sample
        Images with their masks; each is drawn with the same probability.
    step, seed : int
        They alone decide what is drawn.
    patch : int or tuple of int
        Sides of a crop. Axes of equal side and spacing may change places, so that with flips every
        rotation by a right angle occurs; pixels are only moved, so masks stay exact.
    batch, augment
        See `TrainConfig`.
    light : float
        Uneven light, as where a photograph darkens towards its rim: each crop is multiplied by a
        smooth random field, and each channel by a number, both between 1 - `light` and 1 + `light`.
    spacing : sequence of float, optional
        The lengths of voxels along the axes; only ratios count. None means each sample's own.

    Returns
    -------
    images : (batch, channels, *patch) array of float32
        An image smaller than the crop is continued by its mirror image.
    masks : (batch, 1, *patch) array of float32, or (batch, *patch) array of int64
        0 and 1; or the labels, if the masks of the samples are integers. Ignored pixels hold -1,
        the `ignore_index` of the losses of a training.

    Examples
    --------
    >>> image = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 6, 8)
    >>> crops, masks = draw_batch(
    ...     [Sample("ramp", image, image[0] > 0.5)], step=7, seed=0, patch=4, batch=2
    ... )
    >>> crops.shape, masks.shape, bool(((crops > 0.5) == masks).all())
    ((2, 1, 4, 4), (2, 1, 4, 4), True)
    """
    if not isinstance(samples, Sequence) or not all(isinstance(each, Sample) for each in samples):
        raise TypeError(f"samples must be a sequence of Sample; got {type(samples).__name__}")
    if not samples:
        raise ValueError("samples are empty: there is nothing to train on")
    step, seed = check_integer(step, "step"), check_integer(seed, "seed")
    batch = check_integer(batch, "batch", 1)
    if check_number(light, "light") >= 1:
        raise ValueError(f"light must be below 1; got {light}")
    check_augment({} if augment is None else augment)
    sides = resolve_sides(check_sides(patch, "patch"), samples[0].mask.ndim, "patch")
    spacing = None if spacing is None else check_spacing(spacing, len(sides)) or (1,) * len(sides)
    rng = np.random.default_rng([seed, step])
    chosen = (samples[int(rng.integers(len(samples)))] for _ in range(batch))
    crops = [_draw_crop(sample, sides, spacing or sample.spacing, rng) for sample in chosen]
    images, masks, ignored = (np.stack(parts) for parts in zip(*crops, strict=True))
    if light:
        images = _change_light(images, light, rng)
    if augment:
        change = make_augmentation(augment)
        images = np.stack([change(image, rng) for image in images])
    if masks.dtype != np.bool_:
        masks = np.where(ignored, 0, masks).astype(np.int64)
    else:
        masks, ignored = masks[:, None].astype(np.float32), ignored[:, None]
    masks[ignored] = IGNORED
    return images, masks


def _count_classes(samples: Sequence[Sample]) -> int:
    """Return how many channels the logits need: one for masks, else one for each label."""
    if all(sample.mask.dtype == np.bool_ for sample in samples):
        return 1
    known = [s.mask if s.ignored is None else s.mask[~s.ignored] for s in samples]
    labels = set().union(*(np.unique(mask).astype(int).tolist() for mask in known))
    missing = sorted(set(range(max(labels))) - labels)
    if missing:
        raise ValueError(
            f"masks must hold the labels 0, 1, 2 and so on; the largest is {max(labels)}, and "
            f"{len(missing)} below it are in no mask, such as {missing[0]}. Number the classes "
            f"without gaps. {IGNORED_HOW}"
        )
    return max(2, 1 + max(labels))


def _draw_crop(
    sample: Sample, sides: tuple[int, ...], spacing: Any, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut one crop at a random place, then permute axes that are alike and flip at random."""
    image, mask = sample.image, sample.mask
    # Without ignored pixels a view of one False is enough.
    none = np.broadcast_to(False, mask.shape)
    ignored = none if sample.ignored is None else sample.ignored
    missing = [max(side - size, 0) for side, size in zip(sides, mask.shape, strict=True)]
    if any(missing):
        widths = [(0, more) for more in missing]
        image = np.pad(image, [(0, 0), *widths], mode="symmetric")
        mask, ignored = (np.pad(each, widths, mode="symmetric") for each in (mask, ignored))
    corner = [rng.integers(size - side + 1) for side, size in zip(sides, mask.shape, strict=True)]
    place = tuple(slice(low, low + side) for low, side in zip(corner, sides, strict=True))
    order = np.arange(len(sides))
    lengths = np.round(check_spacing(spacing, len(sides)) or (1,) * len(sides), 3)
    kinds = list(zip(sides, lengths, strict=True))
    for kind in sorted(set(kinds)):
        same = np.flatnonzero([other == kind for other in kinds])
        order[same] = rng.permutation(same)
    flips = np.flatnonzero(rng.integers(2, size=len(sides)))
    image = image[(slice(None), *place)].transpose([0, *(order + 1)])
    mask, ignored = (np.flip(e[place].transpose(order), tuple(flips)) for e in (mask, ignored))
    return np.flip(image, tuple(flips + 1)), mask, ignored


def _change_light(images: np.ndarray, light: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply (B, C, *spatial) images by smooth fields and by one number for each channel."""
    batch, channels, *sides = images.shape
    coarse = torch.from_numpy(rng.uniform(1 - light, 1 + light, (batch, 1, *(3,) * len(sides))))
    mode = "bilinear" if len(sides) == 2 else "trilinear"
    field = F.interpolate(coarse, size=sides, mode=mode, align_corners=True).numpy()
    tint = rng.uniform(1 - light, 1 + light, (batch, channels, *(1,) * len(sides)))
    return np.clip(images * (field * tint).astype(np.float32), 0, 1)


# --- Steps ------------------------------------------------------------------------------------


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


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they are now, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors under flat names."""
    state = optimizer.state_dict()["state"].items()
    return _copy({f"{k}.{name}": tensor for k, values in state for name, tensor in values.items()})


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of `_optimizer_state` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor.clone()
    groups = optimizer.state_dict()["param_groups"]
    shapes = [weight.shape for group in optimizer.param_groups for weight in group["params"]]
    for place, values in state.items():
        wanted = shapes[place] if place < len(shapes) else None
        if any(values[name].shape != wanted for name in values if name != "step"):
            raise ValueError("the checkpoint holds the optimizer of another network")
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _check_resumable(kept: Checkpoint, config: TrainConfig, parent: str, path: Path) -> None:
    """Refuse to go on with a checkpoint that another run has written."""
    # Both as JSON has them: a tuple among the options of the loss came back as a list.
    old, new = (json.loads(json.dumps(each.as_dict())) for each in (kept.config, config))
    # Neither decides a number.
    free = ("root", "checkpoint_every")
    other = [
        f"{name} was {old.get(name)!r} and is now {new.get(name)!r}"
        for name in dict.fromkeys([*new, *old])
        if name not in free and old.get(name) != new.get(name)
    ]
    if kept.parent != parent:
        other.append("it started from other weights")
    if other:
        raise ValueError(
            f"{path} belongs to another run: {'; '.join(other)}. "
            f"Resume with the same settings, or choose another place"
        )


def _tell_of_threads(kept: Checkpoint, path: Path) -> None:
    """Warn if a run goes on with another number of threads: sums are then added up otherwise."""
    now = torch.get_num_threads()
    if kept.threads not in (None, now):
        warnings.warn(
            f"{path} was trained with {kept.threads} threads of torch and goes on with {now}: its "
            f"numbers will differ in their last digits from those of an unbroken run. "
            f"torch.set_num_threads({kept.threads}) gives the same bits",
            stacklevel=3,
        )


def default_network(data: Dataset, config: TrainConfig) -> tuple[dict[str, Any], UNet]:
    """Return the arguments of the network that `train` makes where none is given, and itself."""
    network = {"in_channels": data.channels, "ndim": data.ndim, "seed": config.seed}
    network |= {"width": config.width, "depth": config.depth}
    network |= {"out_channels": _count_classes(data.train)}
    return network, UNet(**network)


def _check_room_for(run: Checkpoint, model: nn.Module, path: Path) -> None:
    """Refuse a run whose checkpoints will not fit on the disk, before its first step."""
    several = run.config.steps > run.config.checkpoint_every
    copies = 2 if several and not path.exists() else 1  # a new one is whole before the old one goes
    size = copies * checkpoint_size(model, run.config)
    check_room(path.parent, size, f"the checkpoints of {path.name}")


def _save(run: Checkpoint, path: Path) -> None:
    """Write a checkpoint; if that fails, say how the run can go on."""
    try:
        run.save(path)
    except OSError as error:
        text = f"{error.strerror}. The run ended at step {run.step}"
        if path.exists():
            text += f"; once that is mended, resume=True goes on from {path}"
        raise OSError(error.errno, text) from error


def train(
    config: TrainConfig,
    *,
    data: Dataset | None = None,
    model: nn.Module | None = None,
    start: Checkpoint | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    events: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Checkpoint:
    """Train a network and return it as a checkpoint: the one in `out` after the last step.

    The loss of a step is Dice + cross-entropy, plus the added loss times its weight. Devices
    and processes are accelerate's: the same call runs on a CPU, a GPU, or several, which then share
    each batch: a script under ``accelerate launch``, or in a notebook
    ``accelerate.notebook_launcher(train, (config,), num_processes=2)``.

    Parameters
    ----------
    config : TrainConfig
        What to do; its `patience` can end the run early.
    data : Dataset, optional
        Use it instead of loading what `config` names. Masks of integers are labels of several
        classes, of which 0 is the background. Pixels that a sample ignores teach nothing.
    model : torch.nn.Module, optional
        The network, any that turns (B, channels, *spatial) into logits (B, 1, *spatial), or a
        channel for each class. It is trained in place. Default: a new `UNet` from ``config.seed``.
    start : Checkpoint, optional
        Go on from its last weights, optimizer and step instead of starting anew.
    out : path, optional
        The file for checkpoints. Its folder is made if there is none. While another process trains
        the same file, the call waits.
    resume : bool
        If `out` exists, go on from there; the run then ends with the bits of an unbroken one, if
        ``torch.get_num_threads()`` is the same: the checkpoint keeps it, and another one warns.
    events : path, optional
        A folder for event files, which TensorBoard shows: the parts of the loss and the seconds of
        each step, and the scores of each look at the validation images.
    progress : bool
        Show a bar with the parts of the loss, and the last look at the validation images.

    Raises
    ------
    ValueError
        If `out` is the checkpoint of another run.
    FileExistsError
        If `out` exists and `resume` is False.
    OSError
        If nothing can be written where `out` or `events` shall be, or the checkpoints would not
        fit on the disk, before the first step; or if one cannot be written: the one before it
        stays.
    FloatingPointError
        If the loss is no longer a number; the last checkpoint stays.

    Examples
    --------
    >>> end = train(TrainConfig(dataset="brick", steps=2, patch=32, width=2), progress=False)
    >>> end.step, list(end.history)
    (2, ['loss', 'dice_bce', 'added', 'seconds', 'seconds_added', 'gradient_ratio', 'weight'])
    """
    if not isinstance(config, TrainConfig):
        raise TypeError(f"config must be a TrainConfig; got {type(config).__name__}")
    if not (start is None or isinstance(start, Checkpoint)):
        raise TypeError(f"start must be a Checkpoint or None; got {type(start).__name__}")
    if not (data is None or isinstance(data, Dataset)):
        raise TypeError(f"data must be a Dataset or None; got {type(data).__name__}")
    if model is not None:
        check_network(model)
    check_flag(resume, "resume")
    check_flag(progress, "progress")
    if events is not None:
        check_path(events, "events")
    path = None if out is None else check_path(out, "out")
    if path is not None and path.exists() and not resume:
        raise FileExistsError(f"{path} exists: pass resume=True to go on from it, or move it away")
    if resume and path is None:
        raise ValueError("resume=True needs `out`, the checkpoint to go on from")
    for folder in (path and path.parent, events):
        if folder is not None:
            make_folder(folder)
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
        data = config.load()
    if not data.train:
        raise ValueError(f"the data set {data.name!r} has no images to train on")
    check_labelled([*data.train, *data.validation])
    if all(s.ignored is not None and s.ignored.all() for s in data.train):
        raise ValueError(f"all pixels of the training images of {data.name!r} are ignored")
    config.check(data.ndim, data.channels)
    if config.validate_every and not data.validation:
        raise ValueError(f"validate_every needs validation images; {data.name} has none")
    network: dict[str, Any] = {}
    if model is None:
        network, model = default_network(data, config)
    if start is not None:
        start.model(model, last=True)
    first = 0 if start is None else start.step
    run = Checkpoint(
        config=config,
        network=network,
        step=first,
        start=first,
        parent=digest(model.state_dict()),
        weights={},
        optimizer={} if start is None else start.optimizer,
        history=pd.DataFrame(columns=list(HISTORY), dtype=float),
        threads=torch.get_num_threads(),
    )
    # Two studies in one folder: the second waits, and then reads what the first has made.
    with nullcontext() if path is None or processes > 1 else one_writer(path):
        if path is not None and path.exists():
            if not resume:
                raise FileExistsError(f"{path} was made meanwhile: pass resume=True to go on")
            kept = load_checkpoint(path)
            _check_resumable(kept, config, run.parent, path)
            kept.model(model, last=True)
            run = kept
        accelerator.wait_for_everyone()  # nobody may write before everybody has read
        if run.finished:
            return run
        if path is not None:
            _tell_of_threads(run, path)
            _check_room_for(run, model, path)
        silent = events is None or not accelerator.is_main_process
        with nullcontext() if silent else _event_writer(events, run.step) as writer:
            return _run(run, _Steps(run, data, model, accelerator), path, writer, progress)


def _event_writer(folder: Any, step: int) -> Any:
    """Open an event file in a folder; what older files there say of later steps is void."""
    # Here, for it takes seconds to import and few ask for it.
    from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

    # Files are named by the second: without an ending of its own, one would replace another.
    return SummaryWriter(str(folder), purge_step=step + 1, filename_suffix=f".from-{step}")


class _Steps:
    """How the steps of one run are made: its network, optimizer and losses.

    The network, which already has the weights of the run, is trained in place.
    """

    def __init__(
        self, run: Checkpoint, data: Dataset, model: nn.Module, accelerator: Accelerator
    ) -> None:
        config = run.config
        self.config, self.start, self.data = config, run.start, data
        self.accelerator, self.device = accelerator, accelerator.device
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
        self.net, self.prepared_optimizer = accelerator.prepare(model, self.optimizer)
        if run.optimizer:
            _restore_optimizer(self.optimizer, run.optimizer)
        self.net.train()
        asked = (config.loss, config.loss_options) if config.weight else ("dice_bce", {})
        self.spacing = spacing_of_training(data.train, *asked)
        options = losses_with_spacing(config.loss, config.loss_options, self.spacing)
        options["ignore_index"] = IGNORED
        self.pixels = DiceBCELoss(ignore_index=IGNORED)
        self.added = make_loss(config.loss, **options) if config.weight else None
        ratio = wanted_ratio(config.weight)
        seen = run.history["gradient_ratio"]
        self.balance = None if ratio is None else Balance(ratio, seen)
        self.ahead: tuple[int, Background[list[Tensor]]] | None = None  # a step, what it sees

    def make(self, step: int) -> list[float]:
        """Make one step and return its row of the history."""
        clock = _clock(self.device)
        # For layers with chance in them: the step alone decides, as it does about the crops.
        place = (self.config.seed, step, self.accelerator.process_index)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        if self.config.anneal:  # half a cosine over the run
            done = (step - self.start) / self.config.steps
            rate = self.config.learning_rate * (1 + math.cos(math.pi * done)) / 2
            self.optimizer.param_groups[0]["lr"] = rate
        image, mask = (tensor.to(self.device) for tensor in self._take(step))
        use_bfloat16 = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, use_bfloat16):
            logits = self.net(image)
        gradient, pixels, added, seconds_added, ratio, weight = self._lose(step, logits, mask)
        total = pixels + weight * added
        if not math.isfinite(total):
            raise FloatingPointError(
                f"the loss became {total} at step {step}: lower the learning rate or the weight"
            )
        self.prepared_optimizer.zero_grad()
        self.accelerator.backward((logits.float() * gradient).sum())
        self.accelerator.clip_grad_norm_(self.net.parameters(), self.config.clip)
        self.prepared_optimizer.step()
        return [total, pixels, added, _clock(self.device) - clock, seconds_added, ratio, weight]

    def _take(self, step: int) -> list[Tensor]:
        """Return what a step sees; the step before may have had it drawn."""
        ahead, self.ahead = self.ahead, None
        return ahead[1].wait() if ahead is not None and ahead[0] == step else self._draw(step)

    def _draw(self, step: int) -> list[Tensor]:
        """Return this process's share of the crops of a step and of their masks."""
        names = ("seed", "patch", "batch", "light", "augment")
        options = {name: getattr(self.config, name) for name in names} | {"spacing": self.spacing}
        images, masks = draw_batch(self.data.train, step=step, **options)
        share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        return [torch.from_numpy(array[share].copy()) for array in (images, masks)]

    def _lose(
        self, step: int, logits: Tensor, mask: Tensor
    ) -> tuple[Tensor, float, float, float, float, float]:
        """Return the gradient of all losses at the logits, their values, seconds, ratio and weight.

        Each loss sends its gradient to a copy of the logits; the sum then goes through the network
        once. While the kernels of the added loss run, the next batch is drawn and the pixel loss
        computed. The seconds are those that the added loss costs the step: its start, and the
        waiting for its end.
        """
        leaf = logits.detach().float().requires_grad_()
        before = _clock(self.device)
        if isinstance(self.added, SumLoss):
            self.added.step = step - self.start  # of this run, also where it was resumed
        pending = None if self.added is None else start_loss(self.added, leaf, mask)
        seconds = time.perf_counter() - before
        if pending is not None and step + 1 < self.start + self.config.steps:
            # What fails there, or interrupts it, is raised by the step that wants it.
            self.ahead = step + 1, Background(lambda: self._draw(step + 1))
        value = self.pixels(leaf, mask)
        (slope,) = torch.autograd.grad(value, leaf)
        pixels = float(self.accelerator.reduce(value.detach(), "mean"))
        if pending is None:
            return slope, pixels, 0.0, 0.0, 0.0, 0.0
        before = _clock(self.device)
        value = pending.result()
        (added_slope,) = torch.autograd.grad(value, leaf)
        added = float(self.accelerator.reduce(value.detach(), "mean"))
        seconds += _clock(self.device) - before
        ratio = self._ratio(added_slope, slope)
        weight = self.balance.weight(ratio) if self.balance else float(self.config.weight)
        return slope.add_(added_slope, alpha=weight), pixels, added, seconds, ratio, weight

    def _ratio(self, first: Tensor, second: Tensor) -> float:
        """Return the norm of one gradient over that of another, of all processes together."""
        squares = torch.stack([each.double().square().sum() for each in (first, second)])
        first_square, second_square = self.accelerator.reduce(squares, "sum").tolist()
        return math.sqrt(first_square / second_square) if second_square else 0.0

    def look(self, run: Checkpoint, made: int) -> Checkpoint:
        """Add the scores of the validation images to a run, and its network if it is best."""
        network = self.accelerator.unwrap_model(self.net)
        # The tunnels of a whole volume take minutes to match, those of its cubes seconds.
        patch = self.data.patch if self.data.ndim == 3 else None
        window = run.config.validation_window
        scores = validate(network, self.data.validation, window=window, patch=patch)
        # One number for all processes: no rounding may let one of them stop and another wait.
        shared = torch.tensor(scores, dtype=torch.float64, device=self.device)
        scores = self.accelerator.reduce(shared, "mean").tolist()
        row = pd.DataFrame([[made, *scores]], columns=list(VALIDATION), dtype=float)
        seen = row if run.validation.empty else pd.concat([run.validation, row], ignore_index=True)
        run = dataclasses.replace(run, validation=seen)
        if run.best_look == len(seen) - 1:
            run = dataclasses.replace(run, best=_copy(network.state_dict()))
        return run

    def keep(self, run: Checkpoint, made: int, rows: list[list[float]]) -> Checkpoint:
        """Return the run as it is after a step."""
        return dataclasses.replace(
            run,
            step=made,
            weights=_copy(self.accelerator.unwrap_model(self.net).state_dict()),
            optimizer=_optimizer_state(self.optimizer),
            history=pd.DataFrame(rows, columns=list(HISTORY)),
            threads=torch.get_num_threads(),
        )


def _run(
    run: Checkpoint, steps: _Steps, path: Path | None, writer: Any, progress: bool
) -> Checkpoint:
    """Make the steps that remain of a run: look, show, write and save where it is wanted."""
    config, main = run.config, steps.accelerator.is_main_process
    rows = run.history.to_numpy().tolist()
    shown: dict[str, str] = {}
    end = run.start + config.steps
    bar = tqdm(total=config.steps, initial=run.step - run.start, unit="step", mininterval=0.5,
               desc=path.stem if path else "training", disable=not (progress and main))  # fmt: skip
    # What steps draw from torch's global state is forked: the caller's comes back afterwards.
    with bar, _deterministic(), torch.random.fork_rng():
        for made in range(run.step + 1, end + 1):
            rows.append(steps.make(made - 1))
            bar.update()
            shown |= {"dice_bce": f"{rows[-1][1]:.3f}", "added": f"{rows[-1][2]:.3f}"}
            _write_events(writer, "training", HISTORY, rows[-1], made)
            if config.validate_every and (made - run.start) % config.validate_every == 0:
                run = steps.look(run, made)
                scores = run.validation.iloc[-1]
                _write_events(writer, "validation", VALIDATION[1:], scores[1:], made)
                shown["Betti matching"] = f"{scores['betti_matching_error']:.3g}"
            bar.set_postfix(shown, refresh=False)
            wanted = path is not None and (made - run.start) % config.checkpoint_every == 0
            if made == end or run.stopped or wanted:
                run = steps.keep(run, made, rows)
                if path is not None and main:
                    _save(run, path)
                    if writer is not None:
                        writer.flush()
            if run.stopped:
                break
    steps.accelerator.wait_for_everyone()
    return run


def _write_events(
    writer: Any, part: str, names: Sequence[str], values: Iterable[float], step: int
) -> None:
    """Write numbers of a step to the event file, if there is one."""
    if writer is not None:
        for name, value in zip(names, values, strict=True):
            writer.add_scalar(f"{part}/{name}", value, step)
