"""Same-class neighbour penalisation (Valverde 2026): each pixel answers for its worst neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...checks import check_integer, check_number
from ..base import Loss
from ..options import Options, takes
from ..pixels import dice_bce_values
from .cldice import Extreme

__all__ = ["SCNPLoss", "scnp_loss"]


@dataclass(frozen=True, kw_only=True)
class SCNPOptions(Options):
    """The checked options of `SCNPLoss`, which explains them."""

    neighbourhood: int = 3
    dice_weight: float = 1.0
    bce_weight: float = 1.0
    smooth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(partial(check_integer, low=1), "neighbourhood")
        if self.neighbourhood % 2 == 0:
            raise ValueError(f"neighbourhood must be odd; got {self.neighbourhood}")
        self._check(check_number, "dice_weight", "bce_weight")
        self._check(partial(check_number, positive=True), "smooth")


class SCNPLoss(Loss):
    r"""Dice plus cross-entropy of logits that are each the worst of their neighbourhood [1]_.

    Before the pixel loss, a logit of the foreground becomes the smallest among the foreground's
    logits in the box around it, and one of the background the largest among the background's:

    .. math:: \tilde z_i = \min_{j \in N(i),\, g_j = 1} z_j \text{ where } g_i = 1, \qquad
              \tilde z_i = \max_{j \in N(i),\, g_j = 0} z_j \text{ where } g_i = 0.

    So a pixel gains nothing as long as a neighbour of its own class is worse, and the gradient of a
    whole neighbourhood goes to its worst pixel: gaps and false islands weigh more. With several
    classes each channel is treated so by itself, before the softmax.

    In the paper it stands in the place of the pixel loss; added to it, a large weight comes near
    that. The pixel loss is that of `DiceBCELoss`; the published code [2]_ has another one for every
    framework, and in that for nnU-Net counts the background in the Dice. Its masking by adding 9999
    is done by infinity here, so logits of any size are pooled right.

    Parameters
    ----------
    neighbourhood : int
        The side of the box in pixels, odd; 1 is the pixel loss itself. Default 3.
    dice_weight, bce_weight, smooth : float
        See `DiceBCELoss`.

    References
    ----------
    .. [1] J. M. Valverde, D. P. Papadopoulos, R. Larsen, A. B. Dahl, "Towards high-quality image
           segmentation: improving topology accuracy by penalizing neighbor pixels", CVPR 2026.
           arXiv:2603.18671
    .. [2] https://github.com/jmlipman/SCNP-SameClassNeighborPenalization at 552bc321

    Examples
    --------
    The gap in a line is the worst pixel of three, all of which the loss now takes for gaps:

    >>> target = torch.tensor([[[1, 1, 1, 1]]])
    >>> line = torch.tensor([[[[4.0, -2.0, 4.0, 4.0]]]], requires_grad=True)
    >>> loss = SCNPLoss(dice_weight=0)
    >>> loss(line, target).backward()
    >>> line.grad  # (sigmoid(-2) - 1) 3 / 4; the last one is its own worst
    tensor([[[[ 0.0000, -0.6606,  0.0000, -0.0045]]]])
    """

    options: SCNPOptions

    @takes(SCNPOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(SCNPOptions(**options))

    def _values(self, logits: Tensor, target: Tensor, ignored: Tensor | None) -> Tensor:
        """Return the (B,) values of checked input."""
        worst = _worst(logits, target, ignored, self.options.neighbourhood // 2)
        return dice_bce_values(worst, target, ignored, self.options)


@takes(SCNPOptions)
def scnp_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return Dice plus cross-entropy of the worst logits around each pixel: see `SCNPLoss`.

    Examples
    --------
    >>> logits, target = torch.tensor([[[[9.0, -9.0, 0.0]]]]), torch.tensor([[[1, 0, 0]]])
    >>> scnp_loss(logits, target, dice_weight=0)  # the background is at 0 twice: ln 2 * 2 / 3
    tensor(0.4621)
    """
    return SCNPLoss(**options)(logits, target)


def _worst(logits: Tensor, target: Tensor, ignored: Tensor | None, radius: int) -> Tensor:
    """Return the worst logit of each pixel's own kind in the box around it; 0 where ignored."""
    inside, outside = target, ~target
    if ignored is not None:  # of neither kind
        inside, outside = inside & ~ignored, outside & ~ignored
    low = logits.masked_fill(~inside, torch.inf)
    high = logits.masked_fill(~outside, -torch.inf)
    for axis in [*range(2, logits.ndim)] * radius:  # a box is a line along each axis in turn
        low = Extreme.apply(low, (axis,), torch.minimum)
        high = Extreme.apply(high, (axis,), torch.maximum)
    worst = torch.where(inside, low, high)
    return worst if ignored is None else worst.masked_fill(ignored, 0)
