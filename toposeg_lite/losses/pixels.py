"""Dice and cross-entropy: the losses that look at pixels one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ..checks import check_number
from .base import Loss
from .common import foreground
from .options import Options, takes

__all__ = ["DiceBCELoss", "dice_bce_loss", "dice_bce_values", "kept_share", "pixel_entropy"]


@dataclass(frozen=True, kw_only=True)
class DiceBCEOptions(Options):
    """The checked options of `DiceBCELoss`, which explains them."""

    dice_weight: float = 1.0
    bce_weight: float = 1.0
    smooth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(check_number, "dice_weight", "bce_weight")
        self._check(partial(check_number, positive=True), "smooth")


class DiceBCELoss(Loss):
    r"""The Dice loss plus the cross-entropy: the usual start, and the control of every comparison.

    For an image with likelihood p and mask g, both summed over the pixels,

    .. math:: w_d \Big(1 - \frac{2 \sum p g + s}{\sum p + \sum g + s}\Big) + w_c \, CE(p, g).

    Dice is averaged over the foreground classes; the cross-entropy is binary for one class, that of
    the softmax for several, and averaged over the pixels.

    Parameters
    ----------
    dice_weight, bce_weight : float
        The weights of both parts, :math:`w_d` and :math:`w_c`. Default 1 and 1.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fraction, so that an empty
        prediction of an empty truth is perfect. Default 1.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016. arXiv:1606.04797

    Examples
    --------
    >>> import torch
    >>> loss = DiceBCELoss(dice_weight=0.5)
    >>> loss(torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]]))  # 0.2 + ln 2
    tensor(0.8931)
    """

    options: DiceBCEOptions

    @takes(DiceBCEOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(DiceBCEOptions(**options))

    def _values(self, logits: Tensor, target: Tensor, ignored: Tensor | None) -> Tensor:
        """Return the (B,) values of checked input."""
        return dice_bce_values(logits, target, ignored, self.options)


def dice_bce_values(logits: Tensor, target: Tensor, ignored: Tensor | None, options: Any) -> Tensor:
    """Return the (B,) values of checked input; `options` has what `DiceBCELoss` has."""
    truth = target.to(logits.dtype)
    entropy = pixel_entropy(logits, truth)
    likelihood, mask = foreground(logits, truth)  # the mask is 0 at ignored pixels
    if ignored is not None:
        likelihood = likelihood.masked_fill(ignored, 0)
        entropy = entropy.masked_fill(ignored[:, 0], 0)
    both = (likelihood * mask).flatten(2).sum(2)
    each = likelihood.flatten(2).sum(2) + mask.flatten(2).sum(2)
    dice = (2 * both + options.smooth) / (each + options.smooth)
    values = options.dice_weight * (1 - dice.mean(1))
    return values + options.bce_weight * entropy.flatten(1).mean(1) / kept_share(ignored, values)


def pixel_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the (B, *spatial) cross-entropy of each pixel; the truth has the logits' shape."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, truth, reduction="none")[:, 0]
    return -(truth * logits.log_softmax(1)).sum(1)


def kept_share(ignored: Tensor | None, like: Tensor) -> Tensor | float:
    """Return the (B,) share of pixels that are not ignored, but never 0."""
    kept = None if ignored is None else (~ignored).flatten(1)
    return 1.0 if kept is None else kept.sum(1).clamp(min=1).to(like) / kept.shape[1]


@takes(DiceBCEOptions)
def dice_bce_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return the Dice loss plus the cross-entropy: see `DiceBCELoss`.

    Examples
    --------
    >>> import torch
    >>> target = torch.tensor([[[0, 1], [1, 0]]])
    >>> dice_bce_loss(torch.zeros(1, 1, 2, 2), target)  # 1 - 3/5 + ln 2
    tensor(1.0931)
    """
    return DiceBCELoss(**options)(logits, target)
