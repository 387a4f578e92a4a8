"""The homotopy warping loss of Hu 2022: a pixel loss where warping cannot mend a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_choice
from ..topology.grid import check_connectivity, check_spacing
from ..topology.ignored import fill_batch, to_labelled
from ..topology.warping import warp_batch
from .base import LossOnHost
from .chosen import PIXEL_LOSSES, PixelLoss, loss_on_chosen
from .common import OnHost
from .options import (
    Options,
    check_any_connectivity,
    check_any_spacing,
    takes,
)

__all__ = ["HomotopyWarpingLoss", "homotopy_warping_loss"]


@dataclass(frozen=True, kw_only=True)
class WarpingOptions(Options):
    """The checked options of `HomotopyWarpingLoss`, which explains them."""

    pixel_loss: PixelLoss = "cross_entropy"
    connectivity: int | None = None
    spacing: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.pixel_loss, PIXEL_LOSSES, "pixel_loss")
        check_any_connectivity(self.connectivity)
        self._check(check_any_spacing, "spacing")


class HomotopyWarpingLoss(LossOnHost):
    r"""The homotopy warping loss: a pixel loss where the topology is wrong, and nowhere else [1]_.

    The prediction's mask and the truth differ in many pixels, most of which do no harm: a line is
    a pixel wider, a border a pixel further. `toposeg_lite.topology.homotopy_warp` takes all these
    differences away and leaves the *critical* ones. Truth and prediction T and P are warped towards
    each other, both ways, and with the critical pixels

    .. math:: M = \big(warp(T \to P) \ne P\big) \cup \big(warp(P \to T) \ne T\big)

    the loss of an image with likelihood p and mask g is the mean cross-entropy on them,

    .. math:: -\frac{1}{|M|} \sum_{M} g \log p + (1 - g) \log (1 - p),

    or their Dice loss, :math:`1 - (2 \sum_M p g + 1) / (\sum_M p + \sum_M g + 1)`. It is 0, with
    a gradient of 0, where no pixel is critical. All other pixels are left to the loss it is added
    to, so use it beside a pixel loss, with a small weight.

    Parameters
    ----------
    pixel_loss : {"cross_entropy", "dice"}
        What to add up on the critical pixels. Default: the cross-entropy.
    connectivity : int, optional
        Of the foreground: 1 (4 or 6 neighbours) or the number of axes (8 or 26; default).
    spacing : sequence of float, optional
        Of the pixels along each axis (z, y, x), in any unit: see `toposeg_lite.topology`. The
        nearest to a boundary are warped first. Default: all axes are alike.

    Notes
    -----
    The prediction's mask is what one would report: where the likelihood is above one half (the
    logit above 0), and for several classes where the class is the likeliest (the first of equal
    ones). Each foreground class is warped alone, and p is its likelihood against the rest. All
    critical pixels are pixels where mask and truth differ; one that both warps leave counts once.

    The value of the paper's code grows with the square of the number of critical pixels. Here it is
    their mean, so that one false bridge weighs as much in a large image as in a small one.

    The mask is a step function of the logits: the gradient is that of the pixel loss with M held
    fixed. Where the truth or the prediction of a class is empty or full, nothing can be warped and
    every difference is critical, so false positives in an empty truth are punished.

    References
    ----------
    .. [1] X. Hu, "Structure-aware image segmentation with homotopy warping", NeurIPS 2022.
           arXiv:2112.07812

    Examples
    --------
    A line of three pixels' width with a gap. The truth is one pixel wide; the sides do not matter,
    the gap does: a step against the gradient closes it.

    >>> logits = torch.full((1, 1, 3, 5), 2.0)
    >>> logits[..., 2] = -2.0
    >>> target = torch.tensor([[[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]])
    >>> loss = HomotopyWarpingLoss()(logits.requires_grad_(), target)
    >>> loss.backward()
    >>> logits.grad.sign().int()
    tensor([[[[ 0,  0,  0,  0,  0],
              [ 0,  0, -1,  0,  0],
              [ 0,  0,  0,  0,  0]]]], dtype=torch.int32)
    """

    options: WarpingOptions

    @takes(WarpingOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(WarpingOptions(**options))

    def _find(self, host: OnHost) -> tuple[np.ndarray, np.ndarray]:
        """Return the (B,) values of the images and their gradients by the logits."""
        critical = _critical(host, self.options)
        return loss_on_chosen(host, critical, self.options.pixel_loss)


@takes(WarpingOptions)
def homotopy_warping_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return the pixel loss on the critical pixels of two warps: see `HomotopyWarpingLoss`.

    Examples
    --------
    The prediction of a bar is partly too thick, which warping mends, and has a gap, which it does
    not: the pixel that is left there is critical.

    >>> logits = torch.tensor([[[[2.0, 2.0, -1.0, 2.0, 2.0], [2.0, 2.0, -1.0, -2.0, -2.0]]]])
    >>> target = torch.tensor([[[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]])
    >>> homotopy_warping_loss(logits, target)  # -ln(sigmoid(-1))
    tensor(1.3133)
    """
    return HomotopyWarpingLoss(**options)(logits, target)


def _critical(host: OnHost, options: WarpingOptions) -> np.ndarray:
    """Return the critical pixels of both warps of each foreground class, (B, K, *spatial)."""
    spatial = host.scores.shape[2:]
    connectivity = check_connectivity(options.connectivity, len(spatial))
    spacing = check_spacing(options.spacing, len(spatial))
    predictions, truths = host.predicted(), host.masks[:, host.classes]
    if host.ignored is not None:
        (predictions, of_prediction), (truths, of_truth) = (
            fill_batch(masks, host.ignored) for masks in (predictions, truths)
        )
    starts = np.stack([truths, predictions]).reshape(-1, *spatial)
    targets = np.stack([predictions, truths]).reshape(-1, *spatial)
    warped = warp_batch(starts, targets, connectivity, torch.get_num_threads(), spacing)
    critical = (warped != targets).reshape(2, *predictions.shape).any(0)
    if host.ignored is not None:
        for at in np.ndindex(critical.shape[:2]):
            critical[at] = to_labelled(critical[at], truths[at], of_prediction[at], of_truth[at])
    return critical
