"""What is added to nnU-Net's loss, when, and how both are computed side by side."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_choice, check_flag, check_fraction, check_integer, check_number
from ..losses import LOSSES, SumLoss, make_loss
from ..losses.base import Loss, start
from ..topology.grid import check_spacing

__all__ = ["TRAINERS", "Addition", "LossBeside"]

#: The folder that `nnUNet_extTrainer` must name.
TRAINERS = Path(__file__).with_name("trainers")
#: What the pixels of nnU-Net's ignore label are called among the 0 and 1 of regions.
IGNORED = 255
#: Options that follow from the data set.
GIVEN = ("activation", "ignore_index", "reduction")


@dataclass(frozen=True)
class Addition:
    """A loss that is added to nnU-Net's own, its weight, and the epochs in which it counts.

    Parameters
    ----------
    loss : str
        A name in `toposeg_lite.losses.LOSSES`, or "sum".
    options : mapping of str to object, optional
        Its options, as `toposeg_lite.losses.make_loss` takes them, but for `activation`,
        `ignore_index` and `reduction`, which follow from the data set. Default: none.
    weight : float
        What it is multiplied by. Default 1.
    start : float
        The share of all epochs before it begins, from 0 to 1, 1 excluded. Default 0.75.
    warm_up : float
        The share of all epochs in which its factor grows linearly to the weight, from 0 to 1.
        Default 0.05.

    Examples
    --------
    >>> addition = Addition("topological", {"window": 64}, weight=0.5, start=0.6, warm_up=0.2)
    >>> [addition.factor(epoch, epochs=10) for epoch in (5, 6, 7, 9)]
    [0.0, 0.25, 0.5, 0.5]
    """

    loss: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    start: float = 0.75
    warm_up: float = 0.05

    def __post_init__(self) -> None:
        check_choice(self.loss, (*LOSSES, "sum"), "loss")
        if not isinstance(self.options, Mapping):
            raise TypeError(f"options must map names to values; got {self.options!r}")
        for options in (self.options, *self._parts().values()):
            for name in GIVEN:
                if isinstance(options, Mapping) and name in options:
                    raise ValueError(f"options must not name {name}: it follows from the data set")
        make_loss(self.loss, **self.options)
        check_number(self.weight, "weight")
        check_fraction(self.warm_up, "warm_up")
        if check_fraction(self.start, "start") == 1:
            raise ValueError("start must be below 1, or the loss would never begin; got 1")

    def _parts(self) -> Mapping[str, Any]:
        """Return the parts of a sum; `make_loss` says what is wrong with them."""
        parts = self.options.get("parts") if self.loss == "sum" else None
        return parts if isinstance(parts, Mapping) else {}

    def changed(self, environment: Mapping[str, str]) -> Addition:
        """Return the addition with what the environment variables say otherwise.

        These are ``TOPOSEG_WEIGHT``, ``TOPOSEG_START`` and ``TOPOSEG_WARM_UP``, numbers, and
        ``TOPOSEG_OPTIONS``, a JSON object whose entries replace options of the same names.

        Examples
        --------
        >>> Addition("morse").changed({"TOPOSEG_WEIGHT": "2", "TOPOSEG_OPTIONS": '{"of": "both"}'})
        Addition(loss='morse', options={'of': 'both'}, weight=2, start=0.75, warm_up=0.05)
        """
        if not isinstance(environment, Mapping):
            raise TypeError(f"environment must map names to texts; got {environment!r}")
        found: dict[str, Any] = {}
        for name in ("weight", "start", "warm_up", "options"):
            variable = f"TOPOSEG_{name.upper()}"
            if variable not in environment:
                continue
            text = environment[variable]
            try:
                value = json.loads(text)
                if name == "options":
                    value = {**self.options, **value}
                dataclasses.replace(self, **{name: value})
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"the environment variable {variable} is no good {name}: {text!r} ({error})"
                ) from error
            found[name] = value
        return dataclasses.replace(self, **found)

    def factor(self, epoch: int, epochs: int) -> float:
        """Return what the loss is multiplied by in an epoch (from 0 on) of so many."""
        check_integer(epoch, "epoch")
        check_integer(epochs, "epochs", 1)
        done = epoch - int(self.start * epochs) + 1
        return self.weight * max(0.0, min(1.0, done / max(1, int(self.warm_up * epochs))))

    def make(
        self,
        *,
        regions: bool,
        ignore_label: int | None = None,
        spacing: Sequence[float] | None = None,
    ) -> Loss | SumLoss:
        """Build the loss for a data set.

        Parameters
        ----------
        regions : bool
            Whether the network's channels are regions that may overlap, each with a sigmoid, and
            not classes of a softmax.
        ignore_label : int, optional
            The label of pixels that nobody labelled.
        spacing : sequence of float, optional
            Of the voxels along each axis, for losses that measure and are not told otherwise.
            With three, a loss of images alone (Topograph) is refused.

        Examples
        --------
        >>> Addition("skeleton_recall", {"tube": 1}).make(regions=True)
        SkeletonRecallLoss(tube=1, smooth=1.0, reduction='mean', ignore_index=None,
                           activation='sigmoid')
        """
        check_flag(regions, "regions")
        check_spacing(spacing)
        used = {o.get("loss", name) for name, o in self._parts().items()} | {self.loss}
        if spacing is not None and len(spacing) == 3 and "topograph" in used:
            raise ValueError(
                "topograph is a loss of images alone, and these are volumes; take nnU-Net's "
                "configuration 2d, or another trainer"
            )
        shared: dict[str, Any] = {"activation": "sigmoid" if regions else "softmax"}
        if ignore_label is not None:
            label = check_integer(ignore_label, "ignore_label", 2, 2**63 - 1)
            shared["ignore_index"] = IGNORED if regions else label

        def fitted(loss: str, options: Mapping[str, Any]) -> dict[str, Any]:
            measures = "spacing" in inspect.signature(LOSSES[loss]).parameters
            of_voxels = {"spacing": spacing} if measures and spacing is not None else {}
            return {**of_voxels, **options, **shared}

        if self.loss != "sum":
            return make_loss(self.loss, **fitted(self.loss, self.options))
        parts = {
            name: fitted(options.get("loss", name), options)
            for name, options in self._parts().items()
        }
        return make_loss("sum", **{**self.options, "parts": parts})


class LossBeside(nn.Module):
    """nnU-Net's own loss at all resolutions, and an added one at the full resolution.

    Parameters
    ----------
    own : torch.nn.Module
        nnU-Net's loss; it is given what this module is given.
    added : torch.nn.Module
        The added loss of (logits, target).
    ignored_channel : bool
        Whether the last channel of the target marks the pixels without a label, as in nnU-Net's
        targets of regions. Default False.

    Attributes
    ----------
    factor : float
        What the added loss is multiplied by; 0 until it is set. At 0 it is not computed.

    Notes
    -----
    Where logits of float16 overflow, the added loss is left out: nnU-Net's loss is not finite
    there either, and its gradient scaler leaves out the step. In any other type that raises.

    Examples
    --------
    >>> from toposeg_lite.losses import TopologicalLoss
    >>> class Own(nn.Module):  # stands for nnU-Net's
    ...     def forward(self, output, target):
    ...         return output[0].square().mean() + output[1].square().mean()
    >>> loss = LossBeside(Own(), TopologicalLoss())
    >>> output = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)]
    >>> target = [torch.zeros(1, 1, 4, 4, dtype=torch.int16), torch.zeros(1, 1, 2, 2)]
    >>> loss(output, target)
    tensor(0.)
    >>> loss.factor = 2.0
    >>> loss(output, target)  # a likelihood of 1/2 where the truth is empty: 2 (1/2)**2
    tensor(0.5000)
    """

    def __init__(self, own: nn.Module, added: nn.Module, *, ignored_channel: bool = False) -> None:
        super().__init__()
        for name, loss in (("own", own), ("added", added)):
            if not isinstance(loss, nn.Module):
                raise TypeError(f"{name} must be a torch.nn.Module; got {loss!r}")
        self.own, self.added = own, added
        self.ignored_channel = check_flag(ignored_channel, "ignored_channel")
        self.factor = 0.0

    def forward(self, output: Any, target: Any) -> Tensor:
        """Return the sum; both are tensors, or lists of them with the full resolution first."""
        if not self.factor:
            return self.own(output, target)
        several = isinstance(output, tuple | list)
        logits, truth = (output[0], target[0]) if several else (output, target)
        # On a GPU the kernels' copies go first, and the pixel loss is computed while they work.
        pending = start(self.added, logits, self._labels(truth))
        fits = logits.detach().isfinite().all() if logits.dtype == torch.float16 else True
        own = self.own(output, target)
        return own + self.factor * pending.result() if fits else own

    def _labels(self, target: Tensor) -> Tensor:
        """Return the target as the losses of this library take it."""
        if not self.ignored_channel:
            return target
        regions, ignored = target[:, :-1], target[:, -1:].bool()
        return regions.to(torch.int16).masked_fill(ignored, IGNORED)
