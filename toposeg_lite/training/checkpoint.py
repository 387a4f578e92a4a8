"""Checkpoints: a network at one step, in a file that is whole or absent and holds no pickle.

A file is written beside its place, flushed to the disk and then renamed, which happens at once or
not at all: a full disk or a kill leaves the previous file. Its format is safetensors [1]_: numbers,
and a JSON text that says what they are. Opening one from a stranger runs no code.

References
----------
.. [1] https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ..checks import check_flag, check_integer, check_path
from ..files import reading, write_atomically
from ..models import UNet
from .config import TrainConfig, check_network

__all__ = [
    "DICE_MARGIN",
    "HISTORY",
    "VALIDATION",
    "Checkpoint",
    "checkpoint_size",
    "digest",
    "load_checkpoint",
]

#: What is recorded of every step: losses, then seconds of the whole step and of the added loss, the
#: norm of the added loss's gradient at the logits over the pixel loss's, and the weight it had.
HISTORY = (
    "loss", "dice_bce", "added", "seconds", "seconds_added", "gradient_ratio", "weight",
)  # fmt: skip
#: What is recorded of every look at the validation images: the step, then means over the images.
VALIDATION = ("step", "dice", "betti_matching_error")
#: A network whose Dice on the validation images is further below another one's is not chosen.
DICE_MARGIN = 0.01
_FORMAT = "toposeg_lite checkpoint 1"


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
    validation : DataFrame
        One row for each look at the validation images, with the columns `VALIDATION`.
    best : dict of str to tensor
        The network's state at the look `best_look`; empty if there was none.
    threads : int or None
        How many threads torch used, ``torch.get_num_threads()``: with another number the last
        digits of a sum differ. None in older files.
    """

    config: TrainConfig
    network: dict[str, Any]
    step: int
    start: int
    parent: str
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: pd.DataFrame
    validation: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(VALIDATION), dtype=float)
    )
    best: dict[str, Tensor] = field(default_factory=dict)
    threads: int | None = None

    @property
    def best_look(self) -> int | None:
        """The row of `validation` that saw the best network so far; None if nobody looked.

        A look is better than the best one before if it has a smaller Betti-matching error and a
        Dice at most 0.01 below the largest so far, or if the best one before no longer has that.
        """
        if self.validation.empty:
            return None
        dice = self.validation["dice"].to_numpy()
        error = self.validation["betti_matching_error"].to_numpy()
        best = 0
        for look in range(1, len(dice)):
            least = dice[: look + 1].max() - DICE_MARGIN
            if dice[best] < least or (dice[look] >= least and error[look] < error[best]):
                best = look
        return best

    @property
    def stopped(self) -> bool:
        """Whether so many looks in a row found no better network that its run has ended."""
        best = self.best_look
        if best is None or not self.config.patience:
            return False
        return len(self.validation) - 1 - best >= self.config.patience

    @property
    def finished(self) -> bool:
        """Whether its run has made all its steps, or was stopped early."""
        return self.step == self.start + self.config.steps or self.stopped

    def model(self, model: nn.Module | None = None, *, last: bool = False) -> nn.Module:
        """Return the network: the best one on the validation images, if anybody looked.

        With `last` it has the weights of the last step in any case. They are loaded into `model`,
        where it is; without it into a new `UNet` on the CPU, if they are a UNet's. Weights of
        another network raise a ValueError.
        """
        check_flag(last, "last")
        weights = self.weights if last or not self.best else self.best
        if model is None:
            if not self.network:
                raise ValueError("these weights are not a UNet's: pass the network as `model`")
            return UNet.from_weights(self.network, weights)
        try:
            check_network(model).load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the checkpoint holds another network's weights: {error}") from None
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file, whole or not at all (see `write_atomically`)."""
        parts = {"weights": self.weights, "optimizer": self.optimizer, "best": self.best}
        tensors = {f"{part}.{k}": tensor for part in parts for k, tensor in parts[part].items()}
        tensors["validation"] = torch.from_numpy(self.validation.to_numpy(np.float64, copy=True))
        tensors["history"] = torch.from_numpy(self.history.to_numpy(np.float64, copy=True))
        facts = {name: getattr(self, name) for name in ("network", "step", "start", "parent")}
        facts |= {"format": _FORMAT, "config": self.config.as_dict(), "threads": self.threads}
        # One key alone: safetensors writes several in an order that differs from run to run.
        content = save_tensors(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            metadata={"toposeg_lite": json.dumps(facts, sort_keys=True)},
        )
        write_atomically(path, content)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `train` or `Checkpoint.save` wrote; its tensors then lie on the CPU.

    A file that is missing raises a FileNotFoundError; one that is damaged, no safetensors file, or
    none of this library, a ValueError.
    """
    path = check_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    with reading(path, "checkpoint"):
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                text = (file.metadata() or {}).get("toposeg_lite", "{}")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(str(error)) from None
        return _unpack(json.loads(text), tensors)


def _unpack(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    """Return the checkpoint of a file's facts and tensors; both may hold anything."""
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise ValueError("it was not written by this version of toposeg_lite")
    config = TrainConfig(**facts["config"])
    step, start = (check_integer(facts[name], name) for name in ("step", "start"))
    check_integer(step, "step", start, start + config.steps)
    threads = facts.get("threads")  # older files have none, nor a validation
    if threads is not None:
        check_integer(threads, "threads", 1)
    for name, kind in (("network", dict), ("parent", str)):
        if not isinstance(facts[name], kind):
            raise TypeError(f"{name} must be a {kind.__name__}; got {facts[name]!r}")
    history = tensors.pop("history").double().numpy()
    if history.ndim == 2 and history.shape[1] == 5:  # older files know no gradient and no weight
        history = np.pad(history, [(0, 0), (0, 2)], constant_values=np.nan)
    validation = tensors.pop("validation", torch.empty(0, len(VALIDATION))).double().numpy()
    for name, table, shape in (
        ("history", history, (step - start, len(HISTORY))),
        ("validation", validation, (len(validation), len(VALIDATION))),
    ):
        if table.shape != shape:
            raise ValueError(f"{name} has shape {table.shape}; {shape} is wanted")
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "best": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return Checkpoint(
        config,
        network=facts["network"],
        step=step,
        start=start,
        parent=facts["parent"],
        **parts,
        history=pd.DataFrame(history, columns=list(HISTORY)),
        validation=pd.DataFrame(validation, columns=list(VALIDATION), dtype=float),
        threads=threads,
    )


def checkpoint_size(model: nn.Module, config: TrainConfig) -> int:
    """Return how many bytes the last checkpoint of a run will take, or a little more.

    Examples
    --------
    >>> checkpoint_size(UNet(1, width=2, depth=2), TrainConfig(steps=10))
    15110
    """
    state = model.state_dict()
    weights = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    moments = sum(2 * weight.numel() * weight.element_size() + 4 for weight in trained)
    networks = 2 if config.validate_every else 1
    names = sum(map(len, state)) + 100 * len(state)  # in the header, beside type and place
    tables = 8 * len(HISTORY) * config.steps
    return networks * (weights + names) + moments + 3 * 100 * len(trained) + tables


def digest(weights: Mapping[str, Tensor]) -> str:
    """Return a fingerprint of the weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        # As bytes, for NumPy does not know every type that torch has.
        content = weights[name].detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(content.numpy().tobytes())
    return digest.hexdigest()[:16]
