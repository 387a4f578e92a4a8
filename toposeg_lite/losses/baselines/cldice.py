"""Centreline Dice (Shit 2021): overlap measured along skeletons, soft or thin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_choice, check_integer, check_number
from ...topology.grid import check_spacing
from ...topology.ignored import fill_batch
from ...topology.skeleton import thin_mask
from ..base import Loss, LossOnHost, PendingLoss
from ..common import OnHost, foreground, in_threads, uncompiled
from ..options import (
    Options,
    check_any_spacing,
    takes,
)
from ..pixels import kept_share, pixel_entropy

__all__ = ["ClDiceLoss", "Extreme", "cldice_loss"]


@dataclass(frozen=True, kw_only=True)
class ClDiceOptions(Options):
    """The checked options of `ClDiceLoss`, which explains them."""

    skeleton: Literal["soft", "thin"] = "soft"
    measure: Literal["dice", "cross_entropy"] = "dice"
    iterations: int = 10
    smooth: float = 1.0
    spacing: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.skeleton, ("soft", "thin"), "skeleton")
        check_choice(self.measure, ("dice", "cross_entropy"), "measure")
        self._check(check_integer, "iterations")
        self._check(check_any_spacing, "spacing")
        self._check(partial(check_number, positive=True), "smooth")
        for name, owner, wanted in (
            ("iterations", "skeleton", "soft"),
            ("smooth", "measure", "dice"),
        ):
            given, chosen = getattr(self, name), getattr(self, owner)
            if chosen != wanted and given != getattr(ClDiceOptions, name):
                raise ValueError(
                    f"{name} belongs to {owner}={wanted!r}; got {given} and {owner}={chosen!r}"
                )


class ClDiceLoss(LossOnHost):
    r"""Centreline Dice: how much of each skeleton lies in the other's foreground [1]_.

    With skeletons :math:`S_p, S_g` of likelihood p and mask g,

    .. math:: 1 - \frac{2 \, T_p T_s}{T_p + T_s}, \quad
              T_p = \frac{\sum S_p g + s}{\sum S_p + s}, \quad
              T_s = \frac{\sum S_g p + s}{\sum S_g + s}.

    The *soft* skeleton of a grey image is what remains of its ridges under repeated erosion: the
    minimum along the axes; what an opening then removes is skeleton. It is a relaxation, made of
    minima and maxima, and knows nothing of Betti numbers: cheap connections count as much as true
    ones. All these images are kept for the gradient, some 60 of them: too many for large ones.

    The *thin* one is exact, and needs a fraction of the memory. The masks of truth and prediction
    (what is likelier than not; of several classes the likeliest) are thinned to lines one pixel
    wide, :math:`K_g` and :math:`K_p`, which keep components, loops and cavities, and then held
    fixed; :math:`S_g = K_g` and :math:`S_p = K_p \, p`. So the gradient goes through the overlap
    alone: p rises along the truth's skeleton, and falls along the prediction's where that lies
    outside the truth. Away from both it is 0, so use it beside a pixel loss. The thinning runs on
    the CPU.

    *Centreline cross-entropy* [2]_ is the mean over the pixels of :math:`c \, (S_p + S_g)`, where
    c is their cross-entropy. Its published code has skeletons of the first class alone.

    Parameters
    ----------
    skeleton : {"soft", "thin"}
        Which skeletons. Default "soft", the paper's.
    measure : {"dice", "cross_entropy"}
        What is measured along them. Default "dice".
    iterations : int
        How often to erode for soft ones: at least half the width, in pixels, of the widest
        structure. Time and memory grow in proportion. Default 10.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fractions. Default 1.
    spacing : sequence of float, optional
        Of the pixels along each axis (z, y, x), in any unit: see `toposeg_lite.topology`. Soft
        skeletons are eroded by the smallest of them each time, along a coarser axis only when that
        amounts to one more of its pixels. Thin ones are those of solids in space; in 2D, where
        the thinning measures nothing, it is refused. Default: all axes are alike.

    References
    ----------
    .. [1] S. Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
           segmentation", CVPR 2021. arXiv:2003.07311
    .. [2] C. Acebes et al., "The centerline-cross entropy loss for vessel-like structure
           segmentation", MICCAI 2024. https://github.com/cesaracebes/centerline_CE (88338855)

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
        self.uses_threads = self.options.skeleton == "thin"

    @uncompiled
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the package's docstring)."""
        compute = LossOnHost if self.options.skeleton == "thin" else Loss
        return compute.forward(self, logits, target)

    @uncompiled
    def start(self, logits: Tensor, target: Tensor) -> PendingLoss:
        """Let the thinning begin in threads of its own, and return: see the package."""
        compute = LossOnHost if self.options.skeleton == "thin" else Loss
        return compute.start(self, logits, target)

    def _find(self, host: OnHost) -> Sequence[Any]:
        """Return the foreground's masks, what is ignored, and the thin skeletons."""
        return _thin_skeletons(host, check_spacing(self.options.spacing, host.scores.ndim - 2))

    def _values(self, logits: Tensor, target: Any, ignored: Any, *thin: np.ndarray) -> Tensor:
        """Return the (B,) values of checked input, or of logits and what `_find` returns."""
        if not thin:
            return self._measure(logits, *self._soften(logits, target, ignored))
        likelihood, _ = foreground(logits, logits)
        truth, lines, true_lines = (
            torch.from_numpy(mask).to(likelihood) for mask in (target, *thin)
        )
        known = None if ignored is None else torch.from_numpy(ignored).to(logits.device)
        return self._measure(logits, truth, known, lines * likelihood, true_lines)

    def _soften(
        self, logits: Tensor, target: Tensor, ignored: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Return the foreground's masks, what is ignored, and the soft skeletons."""
        spacing = check_spacing(self.options.spacing, logits.ndim - 2)
        likelihood, mask = foreground(logits, target)
        areas = [likelihood, mask.to(likelihood.dtype)]
        if ignored is not None:
            areas = [_fill(area, ignored) for area in areas]
        lines, true_lines = (
            _soft_skeleton(area, self.options.iterations, spacing) for area in areas
        )
        if ignored is not None:
            lines, true_lines = (line.masked_fill(ignored, 0) for line in (lines, true_lines))
        return areas[1], ignored, lines, true_lines

    def _measure(
        self, logits: Tensor, truth: Tensor, ignored: Any, lines: Tensor, true_lines: Tensor
    ) -> Tensor:
        """Return the (B,) values of images with these skeletons; nothing ignored is in them."""
        if self.options.measure == "cross_entropy":
            rest = [1 - truth.sum(1, keepdim=True)] if logits.shape[1] > 1 else []
            entropy = pixel_entropy(logits, torch.cat([*rest, truth], 1))[:, None]
            values = (entropy * (lines + true_lines)).flatten(2).mean(2).mean(1)
            return values / kept_share(ignored, values)
        smooth = self.options.smooth

        def share(line: Tensor, area: Tensor) -> Tensor:
            """Return how much of a skeleton lies in the foreground, for each image and class."""
            return ((line * area).flatten(2).sum(2) + smooth) / (line.flatten(2).sum(2) + smooth)

        likelihood, _ = foreground(logits, logits)
        precision, sensitivity = share(lines, truth), share(true_lines, likelihood)
        cldice = 2 * precision * sensitivity / (precision + sensitivity)
        return 1 - cldice.mean(1)


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


def _fill(images: Tensor, ignored: Tensor) -> Tensor:
    """Give the ignored pixels of (B, K, *spatial) images the values that they count as."""
    places = ignored[:, 0].cpu().numpy()
    _, sources = fill_batch(images.detach().cpu().numpy(), places)
    index = torch.from_numpy(sources).to(images.device).flatten(2)
    return images.flatten(2).gather(2, index).reshape(images.shape)


def _soft_skeleton(
    image: Tensor, iterations: int, spacing: tuple[float, ...] | None = None
) -> Tensor:
    """Collect what an opening removes from `image` and from its first `iterations` erosions.

    Where that is anything, the image is a ridge no wider than the opening at that erosion.
    """
    sizes = spacing or (1.0,) * (image.ndim - 2)
    skeleton = torch.zeros_like(image)
    axes = _due_axes(1, sizes)
    eroded = Extreme.apply(image, axes, torch.minimum)
    for step in range(1, iterations + 2):
        opened = eroded
        for axis in axes:  # one axis after the other: diagonal neighbours too
            opened = Extreme.apply(opened, (axis,), torch.maximum)
        skeleton = skeleton + (1 - skeleton) * F.relu(image - opened)
        if step <= iterations:
            axes = _due_axes(step + 1, sizes)
            image, eroded = eroded, Extreme.apply(eroded, axes, torch.minimum)
    return skeleton


def _due_axes(step: int, sizes: Sequence[float]) -> tuple[int, ...]:
    """Return along which axes of a batch an erosion reaches one more pixel at this step, from 1 on.

    Examples
    --------
    >>> [_due_axes(step, (2.5, 1.0, 1.0)) for step in range(1, 6)]
    [(3, 4), (3, 4), (2, 3, 4), (3, 4), (2, 3, 4)]
    """
    nearly = 1e-6  # what rounding took from a whole number
    return tuple(
        axis
        for axis, size in enumerate(sizes, start=2)
        if (step + nearly) // size > (step - 1 + nearly) // size
    )


def _thin_skeletons(
    host: OnHost, spacing: tuple[float, ...] | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray]:
    """Return the foreground's masks, what is ignored, the skeletons of the prediction and of them.

    All are (B, K, *spatial), of bool; no skeleton has an ignored pixel.
    """
    truths = host.masks[:, host.classes]
    masks = np.stack([host.predicted(), truths])
    if host.ignored is not None:
        masks = np.stack([fill_batch(each, host.ignored)[0] for each in masks])
    flat = masks.reshape(-1, *masks.shape[3:])
    thinned = np.stack(in_threads(lambda mask: thin_mask(mask, spacing), list(flat)))
    thinned = thinned.reshape(masks.shape)
    if host.ignored is not None:
        thinned &= ~host.ignored[:, None]
    return truths, host.ignored, *thinned


class Extreme(torch.autograd.Function):
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
