"""Topograph (Lux 2025): every wrong region that changes the topology costs its mean likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ...checks import check_choice
from ...topology.components import label_components
from ...topology.grid import check_connectivity, dual_connectivity
from ...topology.ignored import fill_batch
from ..base import LossOnHost
from ..common import OnHost, in_threads
from ..options import Options, check_any_connectivity, takes

__all__ = ["TopographLoss", "topograph_loss"]


@dataclass(frozen=True, kw_only=True)
class TopographOptions(Options):
    """The checked options of `TopographLoss`, which explains them."""

    aggregation: Literal["mean", "sum"] = "mean"
    connectivity: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.aggregation, ("mean", "sum"), "aggregation")
        check_any_connectivity(self.connectivity)


class TopographLoss(LossOnHost):
    r"""The likelihood of what the prediction says in the regions that make its topology wrong [1]_.

    Where prediction P and truth G differ, the wrong pixels fall into regions. A region is *regular*
    if it touches exactly one component of what both call foreground, :math:`P \cap G`, and exactly
    one of what both call background: then it is a bump or a dent, and the topology is the same with
    and without it. Any other region is *critical*: a bridge or a gap (two components of one kind),
    an island or a hole (none). With :math:`q_i` the likelihood of what the prediction says at pixel
    i (p of foreground, 1 - p of background),

    .. math:: \sum_{R\ \text{critical}} \frac{1}{|R|} \sum_{i \in R} q_i,

    for images alone, of which the outside is background.

    *A guarantee.* There is no critical region if and only if `intersection_union_discrepancy` is 0:
    intersection and union have the same components and holes, in the same places. That is stricter
    than equal Betti numbers and than a Betti matching error of 0. It holds because regions here are
    open sets of cells: wrong pixels that meet at a corner alone belong together only if that corner
    belongs to no right foreground (with ``connectivity=1``: background).

    The published code [2]_ instead joins false positives and false negatives among themselves,
    and counts as a neighbour of a false positive what is truth, wrong or right; so a prediction
    ``[[0, 0], [1, 0]]`` of the truth ``[[0, 1], [0, 1]]``, which share no pixel, has no critical
    region there. It counts the background as a class as well, and can move the threshold at random.

    Parameters
    ----------
    aggregation : {"mean", "sum"}
        What a region costs: the mean over its pixels, or their sum. Default "mean".
    connectivity : int, optional
        Of the foreground, 1 or 2. Default 2.

    References
    ----------
    .. [1] L. Lux et al., "Topograph: an efficient graph-based framework for strictly topology
           preserving image segmentation", ICLR 2025. arXiv:2411.03228
    .. [2] https://github.com/AlexanderHBerger/Topograph at d5cc084a

    Examples
    --------
    A gap of one pixel, and a bump that does no harm:

    >>> target = torch.tensor([[[0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]])
    >>> logits = torch.tensor([[[[-9.0, 4, -9, -9, -9], [9, 9, 9, -2, 9]]]], requires_grad=True)
    >>> loss = TopographLoss()(logits, target)
    >>> loss  # sigmoid(2)
    tensor(0.8808, grad_fn=<MeanBackward0>)
    >>> loss.backward()
    >>> logits.grad[0, 0, 1]
    tensor([ 0.0000,  0.0000,  0.0000, -0.1050,  0.0000])
    """

    options: TopographOptions

    @takes(TopographOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(TopographOptions(**options))

    def _find(self, host: OnHost) -> tuple[np.ndarray, np.ndarray]:
        """Return by what the likelihood of each pixel counts, and the predicted masks."""
        if host.scores.ndim != 4:
            axes = host.scores.ndim
            raise ValueError(f"logits must be those of images (B, C, H, W); got {axes} axes")
        return _factors(host, self.options)

    def _values(self, logits: Tensor, factors: np.ndarray, predicted: np.ndarray) -> Tensor:
        """Return the (B,) values as a function of the logits."""
        said = _likelihood_of_said(logits, torch.from_numpy(predicted).to(logits.device))
        return (said * torch.from_numpy(factors).to(said)).flatten(2).sum(2).mean(1)


@takes(TopographOptions)
def topograph_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return what the critical regions of the prediction cost: see `TopographLoss`.

    Examples
    --------
    >>> logits = torch.tensor([[[[9.0, -9.0, 0.5]]]])  # an island, where the truth has none
    >>> topograph_loss(logits, torch.tensor([[[1, 0, 0]]]))
    tensor(0.6225)
    """
    return TopographLoss(**options)(logits, target)


def _likelihood_of_said(scores: Tensor, predicted: Tensor) -> Tensor:
    """Return the likelihood of the class that is predicted at each pixel, (B, 1, H, W)."""
    if scores.shape[1] == 1:
        return torch.where(predicted, scores, -scores).sigmoid()
    return scores.softmax(1).gather(1, scores.argmax(1, keepdim=True))


def _factors(host: OnHost, options: TopographOptions) -> tuple[np.ndarray, np.ndarray]:
    """Return by what the likelihood of each pixel counts, and the predicted masks.

    Both have a channel for each foreground class: (B, K, H, W).
    """
    predicted, truth = host.predicted(), host.masks[:, host.classes]
    counted = np.ones(truth.shape, bool)
    said, true = predicted, truth
    if host.ignored is not None:
        counted &= ~host.ignored[:, None]
        said, true = (fill_batch(each, host.ignored)[0] for each in (said, true))
    connectivity = check_connectivity(options.connectivity, 2)

    def factors(place: tuple[int, ...]) -> np.ndarray:
        regions = critical_regions(said[place], true[place], connectivity)
        regions *= counted[place]
        if options.aggregation == "sum":
            return (regions > 0).astype(float)
        sizes = np.bincount(regions.ravel(), minlength=1)
        return np.where(regions > 0, 1 / np.maximum(sizes, 1)[regions], 0)

    places = list(np.ndindex(truth.shape[:2]))
    return np.stack(in_threads(factors, places)).reshape(truth.shape), predicted


def critical_regions(prediction: np.ndarray, truth: np.ndarray, connectivity: int) -> np.ndarray:
    """Label the regions of wrong pixels that make the topology wrong: see `TopographLoss`.

    Examples
    --------
    >>> line = np.array([[1, 1, 1, 1, 1]], bool)
    >>> broken = np.array([[1, 1, 0, 1, 0]], bool)
    >>> critical_regions(broken, line, 2)  # a gap, and an end that is only shorter
    array([[0, 0, 1, 0, 0]])
    """
    # The outside is background; the frame also keeps every neighbour inside of the array.
    prediction, truth = (np.pad(mask, 1) for mask in (prediction, truth))
    both, neither = prediction & truth, ~(prediction | truth)
    regions = _label_wrong(prediction ^ truth, neither if connectivity == 2 else both)
    count = int(regions.max())
    dual = dual_connectivity(connectivity, 2)
    regular = np.ones(count + 1, bool)
    for right, kind in ((both, connectivity), (neither, dual)):
        components, _ = label_components(right, connectivity=kind)
        regular &= _count_touched(regions, components, kind) == 1
    names = np.zeros(count + 1, int)
    critical = np.flatnonzero(~regular[1:]) + 1
    names[critical] = np.arange(1, len(critical) + 1)
    return names[regions][1:-1, 1:-1]


def _label_wrong(wrong: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Label wrong pixels, joined along axes, and over corners whose other two pixels are `free`."""
    pieces, count = label_components(wrong, connectivity=1)
    joints = []
    for one, two, *others in _CORNERS:
        corner = wrong[one] & wrong[two] & free[others[0]] & free[others[1]]
        joints.append(np.stack([pieces[one][corner], pieces[two][corner]]))
    first, second = np.concatenate(joints, axis=1)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count + 1, count + 1))
    _, names = connected_components(graph, directed=False)
    return names[pieces]  # right pixels are piece 0, which nothing joins, and stay 0


def _count_touched(regions: np.ndarray, components: np.ndarray, connectivity: int) -> np.ndarray:
    """Count the components that each region touches; entry 0 is that of no region."""
    width = int(components.max()) + 1
    meetings = []
    for one, two in _SIDES if connectivity == 1 else (*_SIDES, *(c[:2] for c in _CORNERS)):
        for here, there in ((one, two), (two, one)):
            region, component = regions[here], components[there]
            met = (region > 0) & (component > 0)
            meetings.append(region[met].astype(np.int64) * width + component[met])
    pairs = np.unique(np.concatenate(meetings))
    return np.bincount(pairs // width, minlength=int(regions.max()) + 1)


_LOW, _HIGH, _ALL = slice(None, -1), slice(1, None), slice(None)
#: Pixels and their neighbours along each axis.
_SIDES = (((_LOW, _ALL), (_HIGH, _ALL)), ((_ALL, _LOW), (_ALL, _HIGH)))
#: Pixels, their neighbours over a corner, and the other two pixels of that corner.
_CORNERS = (
    ((_LOW, _LOW), (_HIGH, _HIGH), (_LOW, _HIGH), (_HIGH, _LOW)),
    ((_LOW, _HIGH), (_HIGH, _LOW), (_LOW, _LOW), (_HIGH, _HIGH)),
)
