"""The losses with MONAI's signature: what they are given becomes what the library's losses take.

A softmax over C channels is the library's softmax, whose first class is never judged. So where the
background is to be judged, a class that nothing belongs to is put before it. Without a softmax,
each channel is an image of its own: the channels are folded into the batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .. import losses
from ..checks import check_flag
from ..losses.base import Loss
from ..losses.common import at_least_float32, reduce, uncompiled
from ..losses.options import Options, Reduction

__all__ = [
    "ClDiceLoss",
    "DiceBCELoss",
    "HomotopyWarpingLoss",
    "MorseLoss",
    "SCNPLoss",
    "SkeletonRecallLoss",
    "TopographLoss",
    "TopologicalLoss",
]

#: What ignored pixels hold in the channels that the library's loss is given.
_IGNORED = -1


class MonaiLoss(nn.Module):
    """The base of the losses with MONAI's signature; `of` is the loss of the library."""

    of: ClassVar[type[Loss]]

    def __init_subclass__(cls, of: type[Loss]) -> None:
        cls.of = of
        ours = inspect.signature(MonaiLoss).parameters.values()
        known = [p for p in ours if p.kind is not p.VAR_KEYWORD]
        # MONAI says sigmoid and softmax where the library has one option, activation.
        names = {parameter.name for parameter in known} | {"activation"}
        theirs = inspect.signature(of).parameters.values()
        options = [parameter for parameter in theirs if parameter.name not in names]
        # For help and completion: the options of the loss in place of ``**options``.
        cls.__signature__ = inspect.Signature([*known, *options])  # type: ignore[attr-defined]

    def __init__(
        self,
        include_background: bool = True,
        to_onehot_y: bool = False,
        sigmoid: bool = False,
        softmax: bool = False,
        reduction: Reduction = "mean",
        ignore_index: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.include_background = check_flag(include_background, "include_background")
        self.to_onehot_y = check_flag(to_onehot_y, "to_onehot_y")
        self.sigmoid, self.softmax = check_flag(sigmoid, "sigmoid"), check_flag(softmax, "softmax")
        if sigmoid and softmax:
            raise ValueError("sigmoid and softmax exclude each other; got True for both")
        if softmax and include_background and self.of is losses.SkeletonRecallLoss:
            raise ValueError(
                "include_background must be False for SkeletonRecallLoss with softmax=True: its "
                "skeleton is that of all judged classes together, which would be the whole image"
            )
        checked = Options(reduction=reduction, ignore_index=ignore_index)
        self.reduction, self.ignore_index = checked.reduction, checked.ignore_index
        ignored = None if ignore_index is None else _IGNORED
        make: Callable[..., Loss] = self.of
        self.loss = make(reduction="none", ignore_index=ignored, **options)

    @uncompiled
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input`, (B, C, *spatial), against `target`: see the package."""
        scores, truth = _plain(input, "input"), _plain(target, "target")
        self._check(scores, truth)
        ignored = None
        if self.ignore_index is not None:
            ignored = (truth == self.ignore_index).all(1, keepdim=True)
        if self.to_onehot_y:
            truth = _one_hot(truth, scores.shape[1], ignored)
        if ignored is not None:
            wide = truth if truth.is_floating_point() else truth.long()
            truth = wide.masked_fill(ignored, _IGNORED)
        values = self._by_softmax if self.softmax else self._by_channel
        return reduce(values(at_least_float32(scores), truth), len(scores), self.reduction)

    def _by_softmax(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return the (B,) values of the library's loss for several classes."""
        if self.include_background:
            lowest = logits.detach().amin().clamp(max=0)
            absent = (2 * lowest - 1000).expand_as(logits[:, :1])  # a likelihood of exactly 0
            logits = torch.cat([absent, logits], 1)
            nowhere = truth[:, :1].clamp(max=0)  # ignored pixels stay so
            truth = torch.cat([nowhere, truth], 1)
        return self._values(logits, truth)

    def _by_channel(self, scores: Tensor, truth: Tensor) -> Tensor:
        """Return the (B,) means over the channels, each of which is judged as a single class."""
        logits = scores if self.sigmoid else _log_odds(scores)
        if not self.include_background:
            logits, truth = logits[:, 1:], truth[:, 1:]
        batch = logits.shape[:2]
        folded = (-1, 1, *logits.shape[2:])
        return self._values(logits.reshape(folded), truth.reshape(folded)).view(batch).mean(1)

    def _values(self, logits: Tensor, truth: Tensor) -> Tensor:
        try:
            return self.loss(logits, truth)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"input or target as they come to the loss: {error}") from error

    def _check(self, scores: Tensor, truth: Tensor) -> None:
        """Raise an error unless input and target fit each other and the options."""
        if not scores.is_floating_point():
            raise TypeError(f"input must be floating point; got {scores.dtype}")
        if scores.ndim not in (4, 5) or scores.numel() == 0:
            raise ValueError(
                f"input must have the shape (B, C, H, W) or (B, C, D, H, W), and values; "
                f"got {tuple(scores.shape)}"
            )
        if scores.shape[1] == 1:
            for name, wanted in (
                ("softmax", False), ("to_onehot_y", False), ("include_background", True)
            ):  # fmt: skip
                if getattr(self, name) is not wanted:
                    raise ValueError(
                        f"input has one channel, with which {name} must be {wanted}: the channel "
                        f"is the foreground, and the target holds 0 and 1"
                    )
        wanted_shape = (len(scores), 1, *scores.shape[2:]) if self.to_onehot_y else scores.shape
        if truth.shape != wanted_shape:
            is_labels = truth.shape == (len(scores), 1, *scores.shape[2:])
            hint = ". For labels pass to_onehot_y=True" if is_labels else ""
            raise ValueError(
                f"target must have the shape {tuple(wanted_shape)} to go with input and "
                f"to_onehot_y={self.to_onehot_y}; got {tuple(truth.shape)}{hint}"
            )
        if scores.device != truth.device:
            raise ValueError(
                f"input and target must be on one device; got {scores.device} and {truth.device}"
            )

    def extra_repr(self) -> str:
        """Show the options that are MONAI's; those of the loss stand with it."""
        names = [*inspect.signature(MonaiLoss).parameters][:-1]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


def _plain(tensor: Any, name: str) -> Tensor:
    """Return a tensor without the metadata that MONAI's MetaTensor carries."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch tensor; got {type(tensor).__name__}")
    if tensor.layout != torch.strided or tensor.is_meta:
        raise TypeError(f"{name} must be dense and hold values; got {tensor.layout} on "
                        f"{tensor.device}")  # fmt: skip
    return tensor.as_subclass(Tensor)


def _one_hot(labels: Tensor, classes: int, ignored: Tensor | None) -> Tensor:
    """Return labels, (B, 1, *spatial), as a channel of booleans for each class.

    Examples
    --------
    >>> _one_hot(torch.tensor([[[[0.0, 2.0, 1.0]]]]), 3, None)[0, :, 0].int()
    tensor([[1, 0, 0],
            [0, 0, 1],
            [0, 1, 0]], dtype=torch.int32)
    """
    names = torch.arange(classes, device=labels.device).view(-1, *[1] * (labels.ndim - 2))
    channels = labels == names
    known = channels.any(1, keepdim=True)
    if ignored is not None:
        if (known & ignored).any():
            raise ValueError(
                f"ignore_index must be none of the labels of {classes} classes, 0 to "
                f"{classes - 1}, with to_onehot_y; got {labels[ignored][0].item():g}"
            )
        known = known | ignored
    if not known.all():
        other = labels[~known][0].item()
        raise ValueError(
            f"target must hold the labels 0 to {classes - 1} with to_onehot_y, for input has "
            f"{classes} channels; it also holds {other:g}"
        )
    return channels


def _log_odds(probabilities: Tensor) -> Tensor:
    """Return the logits whose sigmoid the probabilities are; 0 and 1 are moved by one rounding."""
    low, high = probabilities.detach().aminmax()
    if not (low >= 0 and high <= 1):  # also of NaN
        raise ValueError(
            f"input must hold probabilities in [0, 1] unless sigmoid or softmax is True; its "
            f"values reach from {low.item():g} to {high.item():g}"
        )
    return torch.logit(probabilities, eps=torch.finfo(probabilities.dtype).eps)


class DiceBCELoss(MonaiLoss, of=losses.DiceBCELoss):
    """Dice and cross-entropy: `toposeg_lite.losses.DiceBCELoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> labels = torch.tensor([[[[0, 1], [1, 0]]]])
    >>> loss = DiceBCELoss(include_background=False, to_onehot_y=True, softmax=True)
    >>> loss(torch.zeros(1, 2, 2, 2), labels)  # 1 - 3/5 + ln 2
    tensor(1.0931)
    """


class TopologicalLoss(MonaiLoss, of=losses.TopologicalLoss):
    """Births and deaths: `toposeg_lite.losses.TopologicalLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    A line with a gap, as logits, as probabilities, and as two classes of a softmax:

    >>> line = torch.tensor([[[[4.0, -2.0, 4.0]]]], requires_grad=True)
    >>> target = torch.ones(1, 1, 1, 3)
    >>> value = TopologicalLoss(sigmoid=True)(line, target)
    >>> value.backward()
    >>> bool(line.grad[0, 0, 0, 1] < 0)  # the gap is to be filled
    True
    >>> same = TopologicalLoss()(line.sigmoid(), target)
    >>> both = torch.cat([torch.zeros_like(line), line], 1)
    >>> softmax = TopologicalLoss(include_background=False, to_onehot_y=True, softmax=True)
    >>> torch.allclose(value, same), torch.allclose(value, softmax(both, target))
    (True, True)
    """


class HomotopyWarpingLoss(MonaiLoss, of=losses.HomotopyWarpingLoss):
    """Critical pixels: `toposeg_lite.losses.HomotopyWarpingLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> target = torch.ones(1, 1, 1, 3)
    >>> loss = HomotopyWarpingLoss(sigmoid=True)
    >>> loss(torch.tensor([[[[4.0, 4.0, 4.0]]]]), target)  # nothing is broken
    tensor(0.)
    """


class MorseLoss(MonaiLoss, of=losses.MorseLoss):
    """Ridges or walls: `toposeg_lite.losses.MorseLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> MorseLoss(sigmoid=True, dilation=1).loss.options.dilation
    1
    """


class ClDiceLoss(MonaiLoss, of=losses.ClDiceLoss):
    """Soft skeletons: `toposeg_lite.losses.ClDiceLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> target = torch.ones(2, 1, 1, 3)
    >>> ClDiceLoss(sigmoid=True, reduction="none")(20 * target, target).round()
    tensor([0., 0.])
    """


class SkeletonRecallLoss(MonaiLoss, of=losses.SkeletonRecallLoss):
    """Missed centrelines: `toposeg_lite.losses.SkeletonRecallLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> target = torch.ones(1, 1, 1, 3)
    >>> SkeletonRecallLoss(sigmoid=True)(20 * target, target).round()
    tensor(0.)
    """


class SCNPLoss(MonaiLoss, of=losses.SCNPLoss):
    """Worst neighbours: `toposeg_lite.losses.SCNPLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> logits, target = torch.tensor([[[[9.0, -9.0, 0.0]]]]), torch.tensor([[[[1, 0, 0]]]])
    >>> SCNPLoss(sigmoid=True, dice_weight=0)(logits, target)  # ln 2 * 2 / 3
    tensor(0.4621)
    """


class TopographLoss(MonaiLoss, of=losses.TopographLoss):
    """Critical regions of images: `toposeg_lite.losses.TopographLoss` with MONAI's signature.

    The parameters of MONAI are explained in `toposeg_lite.monai`, the others with the loss.

    Examples
    --------
    >>> logits, target = torch.tensor([[[[9.0, -9.0, 0.5]]]]), torch.tensor([[[[1, 0, 0]]]])
    >>> TopographLoss(sigmoid=True)(logits, target)  # an island
    tensor(0.6225)
    """
