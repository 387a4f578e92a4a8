"""Centreline Dice (Shit 2021): overlap measured along soft skeletons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_integer, check_number
from .base import Loss
from .common import check_logits_and_target, foreground, reduce, uncompiled
from .options import Options, Reduction, check_reduction, takes

__all__ = ["ClDiceLoss", "cldice_loss"]


@dataclass(frozen=True, kw_only=True)
class ClDiceOptions(Options):
    """The checked options of `ClDiceLoss`, which explains them."""

    iterations: int = 10
    smooth: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        self._check(check_integer, "iterations")
        self._check(partial(check_number, positive=True), "smooth")
        check_reduction(self.reduction)


class ClDiceLoss(Loss):
    r"""Centreline Dice: how much of each skeleton lies in the other's foreground [1]_.

    With the soft skeletons :math:`S_p, S_g` of likelihood p and mask g,

    .. math:: 1 - \frac{2 \, T_p T_s}{T_p + T_s}, \quad
              T_p = \frac{\sum S_p g + s}{\sum S_p + s}, \quad
              T_s = \frac{\sum S_g p + s}{\sum S_g + s}.

    The skeleton of a grey image is what remains of its ridges under repeated erosion: the minimum
    along the axes; what an opening then removes is skeleton. It is a relaxation, made of minima
    and maxima, and knows nothing of Betti numbers: cheap connections count as much as true ones.

    Parameters
    ----------
    iterations : int
        How often to erode: at least half the width, in pixels, of the widest structure. Time grows
        in proportion. Default 10.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fractions. Default 1.

    References
    ----------
    .. [1] S. Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
           segmentation", CVPR 2021. arXiv:2003.07311

    Examples
    --------
    >>> target = torch.tensor([[[0, 0, 0], [1, 1, 1], [0, 0, 0]]])
    >>> whole = (target * 2.0 - 1)[:, None] * 50
    >>> broken = whole.clone()
    >>> broken[..., 1, 1] = -50
    >>> loss = ClDiceLoss(iterations=2)
    >>> loss(whole, target), loss(broken, target)  # 1 - 2 (3/4) / (1 + 3/4)
    (tensor(0.), tensor(0.1429))
    """

    options: ClDiceOptions

    @takes(ClDiceOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(ClDiceOptions(**options))

    @uncompiled
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the package's docstring)."""
        smooth, iterations = self.options.smooth, self.options.iterations
        likelihood, mask = foreground(*check_logits_and_target(logits, target))
        truth = mask.to(likelihood.dtype)
        lines, true_lines = (_soft_skeleton(image, iterations) for image in (likelihood, truth))

        def share(line: Tensor, area: Tensor) -> Tensor:
            """Return how much of a skeleton lies in the foreground, for each image and class."""
            return ((line * area).flatten(2).sum(2) + smooth) / (line.flatten(2).sum(2) + smooth)

        precision, sensitivity = share(lines, truth), share(true_lines, likelihood)
        cldice = 2 * precision * sensitivity / (precision + sensitivity)
        return reduce(1 - cldice.mean(1), self.options.reduction)


@takes(ClDiceOptions)
def cldice_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return one minus the soft centreline Dice: see `ClDiceLoss`.

    Examples
    --------
    >>> logits = torch.tensor([[[[50.0, 50.0, -50.0], [-50.0, -50.0, -50.0]]]])
    >>> cldice_loss(logits, torch.tensor([[[1, 1, 1], [0, 0, 0]]]))  # precision 1, sensitivity 3/4
    tensor(0.1429)
    """
    return ClDiceLoss(**options)(logits, target)


def _soft_skeleton(image: Tensor, iterations: int) -> Tensor:
    """Collect what an opening removes from `image` and from its first `iterations` erosions.

    Where that is anything, the image is a ridge no wider than the opening at that erosion.
    """
    axes = tuple(range(2, image.ndim))
    eroded = _Extreme.apply(image, axes, torch.minimum)
    skeleton = torch.zeros_like(image)
    for last in reversed(range(iterations + 1)):
        opened = eroded
        for axis in axes:  # one axis after the other: diagonal neighbours too
            opened = _Extreme.apply(opened, (axis,), torch.maximum)
        skeleton = skeleton + (1 - skeleton) * F.relu(image - opened)
        if last:
            image, eroded = eroded, _Extreme.apply(eroded, axes, torch.minimum)
    return skeleton


class _Extreme(torch.autograd.Function):
    """The smallest or largest value among each pixel and its neighbours along `axes`.

    It is max pooling, but by comparing shifted copies of the whole image, many times as fast on a
    CPU. The gradient goes to one pixel that holds the value: the pixel itself, else the first.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, axes: Sequence[int], extreme: Callable) -> Tensor:
        """Return the image of extremes; `extreme` is torch.minimum or torch.maximum."""
        result = image.clone()
        for here, there in _neighbours(image.ndim, axes):
            extreme(result[here], image[there], out=result[here])
        ctx.save_for_backward(image, result)
        ctx.axes = axes
        return result

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        """Send each pixel's gradient to the pixel that its value came from."""
        image, result = ctx.saved_tensors
        gradient = outer * (result == image)
        unsent = outer - gradient
        for here, there in _neighbours(image.ndim, ctx.axes):
            part = unsent[here] * (result[here] == image[there])
            gradient[there] += part
            unsent[here] -= part
        return gradient, None, None


def _neighbours(ndim: int, axes: Sequence[int]) -> Iterator[tuple[tuple[slice, ...], ...]]:
    """Yield for each neighbour along `axes` the slices of all pixels that have it, and of it."""
    for axis in axes:
        before, after = ([slice(None)] * ndim for _ in range(2))
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        yield tuple(after), tuple(before)
        yield tuple(before), tuple(after)
