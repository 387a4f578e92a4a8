"""The topological loss of Hu 2019: squared distance between persistence diagrams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from torch import Tensor

from ..checks import check_choice, check_integer, check_number
from ..topology.grid import Border, check_border, check_dimensions
from ..topology.ignored import fill_ignored
from ..topology.matching import MATCHINGS, MatchingName, match_to_mask
from ..topology.persistence import persistence_pairs
from .base import LossOnHost
from .common import OnHost, in_threads, likelihoods
from .options import (
    Options,
    check_any_connectivity,
    takes,
)

__all__ = ["TopologicalLoss", "topological_loss"]

# The default floor of volumes: `tools/measure_floor.py` shows what it changes.
FLOOR = 0.001


@dataclass(frozen=True, kw_only=True)
class TopologicalOptions(Options):
    """The checked options of `TopologicalLoss`, which explains them."""

    matching: MatchingName = "spatial"
    connectivity: int | None = None
    dimensions: Iterable[int] | None = None
    dimension_weights: Sequence[float] | None = None
    matched_weight: float = 1.0
    unmatched_weight: float = 1.0
    min_persistence: float = 0.0
    floor: float | None = None
    border: Border | None = None
    window: int | Sequence[int] | None = None
    overlap: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.matching, MATCHINGS, "matching")
        check_any_connectivity(self.connectivity)
        self._check(_in_order, "dimensions")
        self._check(_each_a_number, "dimension_weights")
        self._check(check_number, "matched_weight", "unmatched_weight", "min_persistence", "floor")
        if self.border is not None:
            check_border(self.border)
        _check_window(self.window, self.overlap)


def _in_order(dimensions: Any, name: str) -> tuple[int, ...]:
    """Return checked dimensions, lowest first: what is iterated over once would be used up."""
    return tuple(k for k, wanted in enumerate(check_dimensions(dimensions, 3)) if wanted)


def _each_a_number(weights: Any, name: str) -> tuple[float, ...]:
    """Return a checked sequence of numbers, each zero or above."""
    if isinstance(weights, str) or not isinstance(weights, Sequence):
        raise TypeError(f"{name} must be a sequence of numbers; got {weights!r}")
    if len(weights) not in (2, 3):
        raise ValueError(f"{name} must have 2 entries (images) or 3 (volumes); got {weights!r}")
    return tuple(check_number(weight, f"each of {name}") for weight in weights)


def _check_window(window: Any, overlap: Any) -> None:
    """Check a window and its overlap as far as is possible without an image."""
    common = _of_axes(overlap, "overlap", 0)
    if window is None:
        if any(common):
            raise ValueError(f"overlap needs a window; got overlap={overlap!r} and window=None")
        return
    sizes = _of_axes(window, "window", 1)
    if 1 not in (len(sizes), len(common)) and len(sizes) != len(common):
        raise ValueError(
            f"window and overlap must have as many entries; got {window!r} and {overlap!r}"
        )
    if (np.array(common) >= np.array(sizes)).any():
        raise ValueError(
            f"overlap must be from 0 to window - 1 pixels; got {window!r} and {overlap!r}"
        )


def _of_axes(value: Any, name: str, low: int) -> list[int]:
    """Return a checked size in pixels: one for all axes, or one for each."""
    axes = value if isinstance(value, tuple | list) else (value,)
    if len(axes) not in (1, 2, 3):
        raise ValueError(f"{name} must be an integer or one for each axis; got {value!r}")
    return [check_integer(size, name, low) for size in axes]


class TopologicalLoss(LossOnHost):
    r"""The topological loss: squared distance between persistence diagrams [1]_.

    Each persistence pair :math:`(b, d)` of the likelihood is given a target: (1, 0) if it is
    matched to a feature of the truth, else its nearest point of the diagonal, where it vanishes.
    The loss of an image is

    .. math:: \frac{1}{n^* + 1} \Big( \sum_{matched} (b - 1)^2 + d^2
              + \sum_{unmatched} \frac{(b - d)^2}{2}
              + \sum_{missing} \frac{1}{2} + (v - t)^2 \Big)

    where :math:`n^*` is the number of the truth's features (the sum of its Betti numbers), and a
    feature of the truth is *missing* if no pair is matched to it: see Notes. It is 0 only where
    the likelihood has as many features of each dimension as the truth, all from 1 to 0. As b and d
    are the values of single pixels, the gradient lives on these *critical pixels*: it raises the
    saddle where a line is broken and lowers the one where two objects touch. All other pixels are
    left to the loss it is added to, so use it beside a pixel loss.

    Parameters
    ----------
    matching : {"spatial", "betti", "wasserstein", "rank"}
        Which pairs stand for the truth's features: those that lie in them (default), those that
        are the same feature in the union of both, those of the exact optimal transport with the
        diagonal, or the most persistent ones, as in the paper.
    connectivity : int, optional
        Of the foreground: 1 (4 or 6 neighbours) or the number of axes (8 or 26; default).
    dimensions : iterable of int, optional
        The features that count: 0 for components, 1 for holes. Default: all.
    dimension_weights : sequence of float, optional
        A weight for the features of dimension 0, of dimension 1 and so on. Default: 1 each.
    matched_weight, unmatched_weight : float
        Weights of the first two sums. In the third, 1/2 goes with the unmatched and the rest, by
        which a pixel is drawn to its target, with the matched. Default 1 and 1.
    min_persistence : float
        Pairs whose persistence is not above it are left alone. Default 0.
    floor : float, optional
        Likelihoods at it or below are taken for nothing: features that are born there are left
        alone, and components and tunnels that would die there die at 0 instead, so that nothing
        draws at the pixel of their death. 0 is exact. Default: 0 for images and 0.001 for volumes,
        where the time grows with the number of voxels above it, or in the truth; value and gradient
        change by less than a thousandth (`tools/measure_floor.py`).
    border : {"open", "closed"}, optional
        Whether the outside is background, or a frame of foreground of value 1 that closes what the
        border cuts off. The frame itself has no gradient, but its features count among the truth's.
        None means "open" for a whole image and "closed" for windows, as in the paper's first code.
    window : int or sequence of int, optional
        Compare windows of this size (one integer for each axis, or one for all) instead of the
        whole image; the loss is the mean over them. Smaller windows tie features to places. Axes
        that are shorter are taken whole.
    overlap : int or sequence of int
        By how many pixels neighbouring windows overlap at least; below `window`. Default 0.

    Notes
    -----
    *The essential component*, the one that never dies, belongs to the image's highest pixel. If
    the truth is empty its birth is drawn to 0, so that false positives there are punished. Else
    "rank", "wasserstein" and "betti" always match it; under "spatial" it may lie outside the truth
    and go to the diagonal like any other, its death being the constant 0.

    *A missing feature* of the truth costs 1/2, its own squared distance to the diagonal. Under
    "spatial" it also acts, on the highest pixel inside it for a component, and on the lowest one
    for a hole or a cavity: :math:`(v - t)^2` draws the value v of that pixel to t, 1 or 0. For
    tunnels, and under the other matchings, there is no such pixel, nor this term and its gradient.

    *What the matchings can and cannot do* is said, with examples, in the docstring of the module
    `toposeg_lite.topology.matching`. Under all but "spatial", train the network with a pixel loss
    first, or use windows.

    Time is about linear in the number of pixels, or of voxels above the floor.

    References
    ----------
    .. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019.
           arXiv:1906.05404

    Examples
    --------
    A line of likelihood 0.9 with a gap of 0.3. The truth is one component, so the pair that dies in
    the gap is drawn to the diagonal: its birth is lowered and the gap raised.

    >>> import torch
    >>> likelihood = torch.tensor([[[[0.9, 0.9, 0.3, 0.8]]]])
    >>> logits = likelihood.logit().requires_grad_()
    >>> loss = TopologicalLoss()(logits, torch.ones(1, 1, 4, dtype=torch.int64))
    >>> loss.backward()
    >>> logits.grad.sign()  # a step goes against it
    tensor([[[[-1.,  0., -1.,  1.]]]])
    """

    options: TopologicalOptions

    @takes(TopologicalOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(TopologicalOptions(**options))

    def _find(self, host: OnHost) -> tuple[np.ndarray, np.ndarray]:
        """Return the (B,) values of the images and their gradients by the logits."""
        return _costs(host, self.options)


@takes(TopologicalOptions)
def topological_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return the squared distance between the persistence diagrams: see `TopologicalLoss`.

    Examples
    --------
    A blob of likelihood 0.8 and another of 0.6, where the truth has one: the first is drawn to
    (1, 0), the second, which dies at 0.5, to the diagonal.

    >>> import torch
    >>> logits = torch.tensor([[[[0.8, 0.5, 0.6]]]]).logit()
    >>> target = torch.tensor([[[1, 0, 0]]])
    >>> topological_loss(logits, target)  # (0.2**2 + 0.1**2 / 2) / (1 + 1)
    tensor(0.0225)
    """
    return TopologicalLoss(**options)(logits, target)


def _windows(
    shape: tuple[int, ...], window: int | Sequence[int] | None, overlap: int | Sequence[int]
) -> list[tuple[slice, ...]]:
    """Cover an image with windows.

    The last window of an axis is moved back to end with the image; an axis that is shorter than the
    window is taken whole.

    Examples
    --------
    >>> [(rows.start, rows.stop) for rows, _ in _windows((10, 3), 4, 1)]
    [(0, 4), (3, 7), (6, 10)]
    """
    if window is None:
        return [tuple(slice(0, n) for n in shape)]
    for name, value in (("window", window), ("overlap", overlap)):
        if np.ndim(value) and len(value) != len(shape):  # type: ignore[arg-type]
            raise ValueError(
                f"{name} must have an entry for each of {len(shape)} axes; got {value}"
            )
    sizes, common = (np.broadcast_to(value, len(shape)).tolist() for value in (window, overlap))
    axes = []
    for n, size, shared in zip(shape, sizes, common, strict=True):
        size = min(size, n)
        step = max(size - shared, 1)
        starts = [*range(0, n - size, step), n - size]
        axes.append([slice(start, start + size) for start in starts])
    return list(product(*axes))


def _costs(host: OnHost, options: TopologicalOptions) -> tuple[np.ndarray, np.ndarray]:
    """Return the (B,) values of the images and their gradients by the logits.

    Images and windows are spread over as many threads as torch uses; each result depends on its own
    window alone and they are added in one order, so the bits do not depend on the number of
    threads. Those of torch's own sigmoid and softmax do, so `likelihoods` are NumPy's.
    """
    images = likelihoods(host.scores)
    batch, channels = images.shape[:2]
    windows = _windows(images.shape[2:], options.window, options.overlap)
    places = [(b, k, *window) for b, k, window in product(range(batch), host.classes, windows)]

    def cost(at: tuple[Any, ...]) -> tuple[float, np.ndarray] | None:
        if host.ignored is None:
            return _window_cost(images[at], host.masks[at], options)
        ignored = host.ignored[(at[0], *at[2:])]
        if ignored.all():
            return None
        image, sources = fill_ignored(images[at], ignored)
        value, slopes = _window_cost(image, fill_ignored(host.masks[at], ignored)[0], options)
        slopes = np.bincount(sources.ravel(), slopes.ravel(), slopes.size).reshape(slopes.shape)
        return value, slopes

    results = in_threads(cost, places)
    values, gradient = np.zeros(batch), np.zeros_like(images)
    counted = np.zeros(batch, images.dtype)  # windows that are not ignored altogether
    for at, result in zip(places, results, strict=True):
        if result is not None:
            counted[at[0]] += 1
            values[at[0]] += result[0]
            gradient[at] += result[1]
    counted = np.maximum(counted, 1)
    shared = counted.reshape(-1, *[1] * (images.ndim - 1))
    # From the likelihood to the logits: the derivative of the sigmoid or softmax.
    if channels == 1:
        gradient *= images * (1 - images) / shared
    else:
        gradient -= (gradient * images).sum(1, keepdims=True)
        gradient *= images / shared
    return values / counted, gradient


def _window_cost(
    image: np.ndarray, mask: np.ndarray, options: TopologicalOptions
) -> tuple[float, np.ndarray]:
    """Return the loss of one window of one class, and its gradient in the window's shape."""
    border: Border = options.border or ("open" if options.window is None else "closed")
    weights = options.dimension_weights or (1.0,) * image.ndim
    if len(weights) != image.ndim:
        raise ValueError(
            f"dimension_weights must have {image.ndim} entries, one for each dimension of "
            f"features in an image with {image.ndim} axes; got {weights}"
        )
    floor = options.floor if options.floor is not None else (0.0, FLOOR)[image.ndim - 2]
    pairs = persistence_pairs(
        image,
        connectivity=options.connectivity,
        dimensions=options.dimensions,
        border=border,
        min_persistence=options.min_persistence,
        floor=floor,
    )
    matched, missing, places = match_to_mask(
        pairs,
        image,
        mask,
        options.matching,
        connectivity=options.connectivity,
        border=border,
        dimensions=options.dimensions,
    )
    essential = pairs.death_index == -1
    features = int(np.count_nonzero(matched)) + len(missing)
    empty = border == "open" and not mask.any()
    if empty:  # one pair is drawn to (0, 0), though no feature stands behind that
        matched, features = matched | essential, 0

    # Every pair has a target: (1, 0), or (0, 0) for the essential one of an empty truth, or the
    # nearest point of the diagonal.
    birth, death = pairs.birth.astype(np.float64), pairs.death.astype(np.float64)
    middle = (birth + death) / 2
    corner = np.where(essential & empty, 0.0, 1.0)
    off_birth = birth - np.where(matched, corner, middle)
    off_death = death - np.where(matched, 0.0, middle)
    scale = np.where(matched, options.matched_weight, options.unmatched_weight)
    scale *= np.asarray(weights)[pairs.dimension]
    value = (scale * (off_birth**2 + off_death**2)).sum()
    # A feature of the truth without a partner is as far from the diagonal as (1, 0) is. Where there
    # is a pixel for it, this is drawn to 1, or for a hole or a cavity to 0.
    missing_scale = np.asarray(weights)[missing]
    value += options.unmatched_weight * missing_scale.sum() / 2
    missing_scale, missing, places = (
        array[places >= 0] for array in (missing_scale, missing, places)
    )
    missing_scale = options.matched_weight * missing_scale
    off_place = image.ravel()[places].astype(np.float64) - (missing == 0)
    value += (missing_scale * off_place**2).sum()

    pixels = np.concatenate([pairs.birth_index, pairs.death_index, places])
    slopes = np.concatenate([scale * off_birth, scale * off_death, missing_scale * off_place])
    real = pixels >= 0  # the frame and an essential death are constants
    gradient = np.bincount(pixels[real], 2 * slopes[real], image.size).reshape(image.shape)
    return value / (features + 1), gradient / (features + 1)
