r"""Matchings: which feature of a prediction stands for which feature of the truth.

A persistence diagram says which components and holes an image has, not which of them are wanted.
A *matching* compares it with the diagram of the truth: matched features should become as clear as
their partners, all others should vanish, that is, reach the *diagonal* ``birth == death``.

Two points :math:`(b, d)` and :math:`(b^*, d^*)` are :math:`(b - b^*)^2 + (d - d^*)^2` apart; from
a point to the diagonal it is :math:`(b - d)^2 / 2`. Only features of one dimension are compared,
and the *essential* component, the one that never dies, is always matched to the other image's.

"rank"
    The most persistent feature of the prediction is matched to the most persistent one of the
    truth, the second to the second, and so on until either has none left [1]_.
"wasserstein"
    The matching of least total cost, where features may also stay with the diagonal: an exact
    optimal transport, the 2-Wasserstein distance with Euclidean ground metric [2]_.
"betti"
    Two features are matched if they are the same one in the union of both images: the *Betti
    matching*, induced by the comparison image max(prediction, truth) [3]_ [4]_. The module
    `betti_matching` tells how.
"spatial"
    Ours. A feature of the truth, which must be a mask, has a place: a component its pixels, a hole
    or cavity the background that it encloses. A component of the prediction may stand for it if it
    is born inside, a hole or cavity if it dies inside, and of these the most persistent one does,
    the essential component among them. Where there is none, the *highest* pixel of the component,
    the *lowest* of the hole, is where one would have to appear. Tunnels have no pixels of their
    own; they are matched as by "betti".

**What each can and cannot do.** "rank" and "wasserstein" see births and deaths, never places.
Beside a true blob of likelihood 0.55, a false one of 0.8 is the more persistent: both keep the
false blob and remove the true one. So does "betti", if the truth's blob is the only one: then it is
its *essential* component, and always matched to the prediction's. "spatial" keeps the true blob::

    prediction   .1 .8 .1 .1 .55 .1          truth   .  .  .  .  #  .

    matched to the truth's blob: .8 by rank, wasserstein and betti; .55 by spatial

A mostly filled hole (0.8 inside a ring of 0.9) is a feature of persistence 0.1 far from the corner
(1, 0): "rank" opens it, for it is the best hole there is, and "betti" and "spatial" open it, for it
lies where the true one does; "wasserstein" fills it, for going to the diagonal and leaving the true
hole unmatched costs 0.505, matching them 0.65.

**Ties.** Of features of equal merit the one of the higher birth comes first, so that no cost by
rank depends on how an image is turned; equal ones go by the flat index of their birth pixel, then
of their death pixel. The frame of a closed border comes first.

References
----------
.. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019. arXiv:1906.05404
.. [2] D. Cohen-Steiner, H. Edelsbrunner, J. Harer, Y. Mileyko, "Lipschitz functions have
       Lp-stable persistence", Found. Comput. Math. 10 (2010). doi:10.1007/s10208-010-9060-6
.. [3] N. Stucki, J. C. Paetzold, S. Shit, B. Menze, U. Bauer, "Topologically faithful image
       segmentation via induced matching of persistence barcodes", ICML 2023. arXiv:2211.15272
.. [4] N. Stucki, V. Bürgin, J. C. Paetzold, U. Bauer, "Efficient Betti matching enables
       topology-aware 3D segmentation via persistent homology", 2024. arXiv:2407.04683
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from ..checks import check_choice, check_same_shape
from .betti_matching import betti_matching, closing_edges, components_above, names
from .components import betti_numbers, label_components
from .grid import (
    Border,
    check_connectivity,
    check_dimensions,
    check_image,
    check_mask,
    dual_connectivity,
)
from .kernels import kernel
from .persistence import PersistencePairs, persistence_pairs

MatchingName = Literal["spatial", "betti", "wasserstein", "rank"]
MATCHINGS = ("spatial", "betti", "wasserstein", "rank")

__all__ = ["MATCHINGS", "MaskMatching", "Matching", "MatchingName", "match_pairs", "match_to_mask"]


@dataclass(frozen=True, eq=False, repr=False)
class Matching:
    """A matching of a prediction's persistence pairs to those of a truth.

    Attributes
    ----------
    prediction, truth : PersistencePairs
        The pairs of both images. The arrays below hold positions in them.
    matched : (n, 2) array of int64
        A row for each match: position in `prediction`, position in `truth`. Rising in the first.
    unmatched_prediction, unmatched_truth : array of int64
        The positions of the others, rising: they are matched to the diagonal.
    """

    prediction: PersistencePairs
    truth: PersistencePairs
    matched: np.ndarray
    unmatched_prediction: np.ndarray
    unmatched_truth: np.ndarray

    def __repr__(self) -> str:
        return (
            f"Matching({len(self.matched)} matched, {len(self.unmatched_prediction)} unmatched in "
            f"the prediction, {len(self.unmatched_truth)} in the truth)"
        )

    @property
    def cost(self) -> float:
        """The sum of all squared distances: of the matches, and of the others to the diagonal.

        Under "wasserstein" it is the least possible, the square of the Wasserstein distance.

        Examples
        --------
        >>> match_pairs([[0.9, 0.1, 0.6]], [[True, False, False]]).cost  # 0.1**2 + 0.5**2 / 2
        0.135
        """
        ends = [np.stack([p.birth, p.death]).astype(float) for p in (self.prediction, self.truth)]
        apart = ends[0][:, self.matched[:, 0]] - ends[1][:, self.matched[:, 1]]
        alone = [
            self.prediction.persistence[self.unmatched_prediction],
            self.truth.persistence[self.unmatched_truth],
        ]
        return float((apart**2).sum() + (np.concatenate(alone).astype(float) ** 2).sum() / 2)


def match_pairs(
    prediction: Any,
    truth: Any,
    *,
    matching: MatchingName = "spatial",
    connectivity: int | None = None,
    dimensions: Iterable[int] | None = None,
    border: Border = "open",
    min_persistence: float = 0.0,
) -> Matching:
    """Match the components, holes, tunnels and cavities of a prediction to those of a truth.

    It knows the partners and their distances. The twin `match_to_mask` says no more than what a
    loss needs, and needs no pairs of the mask.

    Parameters
    ----------
    prediction, truth
        Two images of one shape. The truth is usually a boolean mask, whose features are all born at
        1 and die at 0; under "spatial" it must be one.
    matching : {"spatial", "betti", "wasserstein", "rank"}
        By place, through the union of both images, by least total cost, or by persistence: see the
        module's docstring for what each can and cannot do.
    connectivity, dimensions, border, min_persistence
        Which features both images have: see `persistence_pairs`.

    Notes
    -----
    The essential components are matched to each other, even where the truth is empty: a zero image
    has one pair (0, 0), so the prediction's highest pixel is then drawn down to 0. Not so under
    "spatial", where the essential component is one like the others: it may stand for any true one,
    or for none, and that of an empty truth stays unmatched. With a closed border the frame, and
    what touches it, is one component of the truth, and the prediction's frame stands for it.

    If the truth's features are all alike, as a mask's are, "wasserstein" needs no more than to sort
    what each match gains over leaving both to the diagonal. A grey truth needs an assignment
    problem on the n x n* matrix of these gains, which is heavy beyond a few thousand features:
    choose a larger `min_persistence` then. Of several optima it returns always the same one.

    "betti" knows all features, whatever `min_persistence` is; of its matches those are returned
    whose partners are both above it.

    Examples
    --------
    Two blobs are predicted where the truth has one, the fainter.

    >>> prediction, truth = np.array([[0.8, 0.1, 0.55]]), np.array([[False, False, True]])
    >>> matching = match_pairs(prediction, truth)
    >>> matching
    Matching(1 matched, 1 unmatched in the prediction, 0 in the truth)
    >>> matched, others = matching.matched[:, 0], matching.unmatched_prediction
    >>> matching.prediction.birth[matched], matching.prediction.birth[others]
    (array([0.55]), array([0.8]))

    By rank nobody looks at the place, so the brighter blob is taken for the truth's.

    >>> matching = match_pairs(prediction, truth, matching="rank")
    >>> matching.prediction.birth[matching.matched[:, 0]]
    array([0.8])
    """
    check_choice(matching, MATCHINGS, "matching")
    images = [check_image(prediction, "prediction"), check_image(truth, "truth")]
    check_same_shape(images[0], images[1], ("prediction", "truth"))
    if matching == "spatial":
        check_mask(images[1], "truth")
    ndim = images[0].ndim
    wanted = check_dimensions(dimensions, ndim)
    first, second = (
        persistence_pairs(
            image,
            connectivity=connectivity,
            dimensions=[k for k in range(ndim) if wanted[k]],
            border=border,
            min_persistence=min_persistence,
        )
        for image in images
    )
    connectivity, closed = check_connectivity(connectivity, ndim), border == "closed"
    if matching == "spatial":
        matches = _by_place(first, second, images, connectivity, closed, wanted)
    elif matching == "betti":
        matches = _by_betti(first, second, images, connectivity, closed, wanted)
    else:
        match = _by_rank if matching == "rank" else _by_wasserstein
        essential = [np.flatnonzero(_essential(pairs)) for pairs in (first, second)]
        matches = [np.stack(essential)]
        for dimension in range(ndim):
            rows, columns = (
                np.flatnonzero((pairs.dimension == dimension) & ~_essential(pairs))
                for pairs in (first, second)
            )
            chosen = match(first[rows], second[columns])
            matches.append(np.stack([rows[chosen[0]], columns[chosen[1]]]))
    matched = np.concatenate(matches, axis=1).T
    matched = matched[np.argsort(matched[:, 0])]
    others = []
    for pairs, rows in zip((first, second), matched.T, strict=True):
        unmatched = np.ones(len(pairs), np.bool_)
        unmatched[rows] = False
        others.append(np.flatnonzero(unmatched))
    return Matching(first, second, matched, *others)


class MaskMatching(NamedTuple):
    """A matching of persistence pairs to the features of a mask.

    The features of the mask that found no partner stand in the order of their dimensions, and then
    of their first pixels.
    """

    matched: np.ndarray  # for each pair whether it is
    missing_dimension: np.ndarray  # of each feature of the mask without a partner
    # The flat index of the pixel where one should appear: the highest in a component, the lowest in
    # a hole or cavity; -1 where a matching knows none.
    missing_pixel: np.ndarray


def match_to_mask(
    pairs: PersistencePairs,
    image: np.ndarray,
    mask: np.ndarray,
    matching: MatchingName,
    *,
    connectivity: int | None,
    border: Border,
    dimensions: Iterable[int] | None = None,
) -> MaskMatching:
    """Match some of an image's persistence pairs to the features of a mask: see `MaskMatching`.

    The same matches as those of `match_pairs`, for the losses, which want to know which pairs have
    a partner and where one is missing. All features of the mask are (1, 0): "rank" and
    "wasserstein" need no more than their number, "spatial" their place. Under all but "spatial" the
    essential pair is matched, even if the mask is empty.

    Image and mask must be checked; `pairs` are of the same connectivity and border. `dimensions`
    are those in which missing features are looked for. What lies at the floor of the pairs or below
    is not looked at to match tunnels, nor the components of volumes by "betti": `closing_edges` and
    `components_above` say what becomes of those that live on there. All others, and holes and
    cavities, are matched as without a floor.
    """
    connectivity, closed = check_connectivity(connectivity, mask.ndim), border == "closed"
    wanted = check_dimensions(dimensions, mask.ndim)
    missing: list[np.ndarray] = []  # pixels, for each dimension
    betti: Sequence[int] = ()
    if matching != "spatial" or any(wanted[1:-1]):
        betti = betti_numbers(mask, connectivity=connectivity, border=border)
    if matching == "spatial":
        matched = np.zeros(len(pairs), np.bool_)
        for k in range(mask.ndim):
            if not wanted[k] or (betti and k > 0 and betti[k] == 0):
                missing.append(np.empty(0, np.int64))
                continue
            if 0 < k < mask.ndim - 1:
                tunnels = [k == j for j in range(mask.ndim)]
                rows = _betti_rows(pairs, image, mask, connectivity, closed, tunnels, betti)
                matched[rows] = True
                missing.append(np.full(betti[k] - len(rows), -1))
                continue
            regions, count = _regions(mask, k, connectivity, closed)
            rows, at = _best_inside(pairs, k, regions, count)
            matched[rows] = True
            pixels = _extremes(image.ravel(), regions, count, k > 0)
            pixels[at] = -1
            missing.append(pixels[pixels >= 0])
    else:
        there, betti = betti, [count if wanted[k] else 0 for k, count in enumerate(betti)]
        if matching == "betti":
            matched = np.zeros(len(pairs), np.bool_)
            matched[_betti_rows(pairs, image, mask, connectivity, closed, wanted, there)] = True
        else:
            matched = matched_to_mask(pairs, betti, matching)
        partners = np.bincount(pairs.dimension[matched], minlength=mask.ndim)
        missing = [np.full(max(n - m, 0), -1) for n, m in zip(betti, partners, strict=True)]
    dimension = np.repeat(np.arange(mask.ndim, dtype=np.int8), [len(m) for m in missing])
    return MaskMatching(matched, dimension, np.concatenate(missing).astype(np.int64))


def matched_to_mask(
    pairs: PersistencePairs, betti: Sequence[int], matching: MatchingName
) -> np.ndarray:
    """Say which pairs are matched by rank or cost to those of a mask with Betti numbers `betti`.

    Its features are all (1, 0), so their number is all that counts. An essential pair is matched
    always.
    """
    matched = _essential(pairs)
    finite = ~matched
    for dimension, count in enumerate(betti):
        at = np.flatnonzero((pairs.dimension == dimension) & finite)
        some = pairs[at]
        merit = some.persistence if matching == "rank" else _gain(some.birth, some.death, 1.0, 0.0)
        best = _largest(merit, some, count - 1 if dimension == 0 else count)
        matched[at[best[merit[best] > 0]]] = True
    return matched


# --- By place -------------------------------------------------------------------------------------


def _by_place(
    first: PersistencePairs,
    second: PersistencePairs,
    images: list[np.ndarray],
    connectivity: int,
    closed: bool,
    wanted: list[bool],
) -> list[np.ndarray]:
    """Match spatially: return a (2, n) array of positions for each dimension that is wanted."""
    mask = images[1] > 0
    matches = []
    for k in range(mask.ndim):
        if not wanted[k]:
            continue
        if 0 < k < mask.ndim - 1:
            tunnels = [k == j for j in range(mask.ndim)]
            matches += _by_betti(first, second, images, connectivity, closed, tunnels)
            continue
        regions, count = _regions(mask, k, connectivity, closed)
        rows, at = _best_inside(first, k, regions, count)
        # A component of a mask is born in itself, and a hole dies in itself.
        row_of = np.full(count + 1, -1)
        columns, own = _best_inside(second, k, regions, count)
        row_of[own] = columns
        there = row_of[at] >= 0
        matches.append(np.stack([rows[there], row_of[at][there]]))
    return matches


def _regions(
    mask: np.ndarray, dimension: int, connectivity: int, closed: bool
) -> tuple[np.ndarray, int]:
    """Give each component of a mask a number, or each hole or cavity if `dimension` is not 0.

    Returns the number of each pixel's region, 0 for none, and the largest; some may stand for no
    region. The frame of a closed border is a component, the largest, and so are all that touch it.
    """
    if dimension > 0:
        mask, connectivity = ~mask, dual_connectivity(connectivity, mask.ndim)
    labels, count = label_components(mask, connectivity=connectivity)
    if closed == (dimension == 0):  # what touches the border is the frame's, or the outside
        number = np.arange(count + 1, dtype=np.int32)
        count += closed
        for axis in range(mask.ndim):
            number[np.take(labels, (0, -1), axis)] = count if closed else 0
        number[0] = 0
        labels = number[labels]
    return labels.ravel(), count


def _best_inside(
    pairs: PersistencePairs, dimension: int, regions: np.ndarray, frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most persistent pair of each region that has any, and these regions."""
    pixel = pairs.birth_index if dimension == 0 else pairs.death_index
    region = np.where(pixel < 0, frame, regions[pixel])
    at = np.flatnonzero((pairs.dimension == dimension) & (region > 0))
    some = pairs[at]
    at = at[_falling(some.persistence, some)]
    numbers, best = np.unique(region[at], return_index=True)
    return at[best], numbers


@kernel
def _extremes(values, regions, count, lowest):
    """Return the first of the highest (lowest) pixels of each region, -1 where it has none."""
    pixels = np.full(count + 1, -1, np.int64)
    for p in range(values.size):
        region = regions[p]
        if region == 0:
            continue
        best = pixels[region]
        if best < 0 or (values[p] < values[best] if lowest else values[p] > values[best]):
            pixels[region] = p
    return pixels


# --- Through the union ----------------------------------------------------------------------------


def _by_betti(
    first: PersistencePairs,
    second: PersistencePairs,
    images: list[np.ndarray],
    connectivity: int,
    closed: bool,
    wanted: list[bool],
) -> list[np.ndarray]:
    """Match by the Betti matching: return a (2, n) array of positions for each dimension."""
    shape, dtype = images[0].shape, np.result_type(*images)
    prediction, truth = (image.astype(dtype) for image in images)
    named = betti_matching(prediction, truth, connectivity, closed, wanted)
    matches = []
    for k, sides in enumerate(named):
        rows, columns = (
            _positions(pairs, k, shape, sought)
            for pairs, sought in zip((first, second), sides, strict=True)
        )
        there = (rows >= 0) & (columns >= 0)
        matches.append(np.stack([rows[there], columns[there]]))
    return matches


def _betti_rows(
    pairs: PersistencePairs,
    image: np.ndarray,
    mask: np.ndarray,
    connectivity: int,
    closed: bool,
    wanted: list[bool],
    there: Sequence[int],
) -> np.ndarray:
    """Return the positions of the pairs that the Betti matching matches to features of a mask.

    `there` are the mask's Betti numbers.
    """
    # What neither has need not be looked for. An empty mask has an essential component, too.
    wanted = [
        flag and (k == 0 or there[k] > 0) and bool((pairs.dimension == k).any())
        for k, flag in enumerate(wanted)
    ]
    matched = []
    if mask.ndim == 3 and wanted[1] and pairs._closing is not None:
        tunnels = pairs.dimension == 1
        if (pairs._closing[tunnels] >= 0).all():
            edges = closing_edges(image, mask, connectivity, closed, pairs._floor, there[1])
            matched.append(np.flatnonzero(tunnels & np.isin(pairs._closing, edges)))
            wanted[1] = False
    # Where nothing is above a floor there is the essential pair at most, and it may lie anywhere.
    above = mask.ndim == 3 and wanted[0] and 0 < pairs._floor < pairs.birth.max()
    wanted[0] &= not above
    named: list[tuple[int, tuple[np.ndarray, np.ndarray]]] = []
    if any(wanted):
        named += enumerate(betti_matching(image, mask, connectivity, closed, wanted))
    if above:
        named.append((0, components_above(image, mask, connectivity, closed, pairs._floor)))
    for k, (sought, partner) in named:
        rows = _positions(pairs, k, mask.shape, sought)
        keep = rows >= 0
        if k == 0:  # a component of no length is none of the mask's, but for the essential one
            keep &= (partner < 0) | mask.ravel()[partner] | _essential(pairs)[rows]
        matched.append(rows[keep])
    return np.concatenate([np.empty(0, np.int64), *matched])


def _positions(
    pairs: PersistencePairs, dimension: int, shape: tuple[int, ...], sought: np.ndarray
) -> np.ndarray:
    """Find the pairs of given names, -1 where there is none.

    Of several pairs of one name the first is found first, then the second, and so on.
    """
    at = np.flatnonzero(pairs.dimension == dimension)
    present = names(pairs[at], dimension, shape)
    size = int(np.prod(shape))
    many = 16 * len(at) > size
    if many and dimension in (0, len(shape) - 1):  # names are pixels, and none stands twice
        row_of = np.full(size + 1, -1)  # the last entry is for the frame, -1
        row_of[present] = at
        return row_of[sought]
    at = at[np.argsort(present, kind="stable")]
    present = np.sort(present)
    order = np.argsort(sought, kind="stable")
    sought = sought[order]
    place = np.searchsorted(present, sought)
    place += np.arange(len(sought)) - np.searchsorted(sought, sought)
    inside = place < len(present)
    inside[inside] = present[place[inside]] == sought[inside]
    rows = np.full(len(sought), -1)
    rows[order[inside]] = at[place[inside]]
    return rows


# --- By births and deaths -------------------------------------------------------------------------


def _essential(pairs: PersistencePairs) -> np.ndarray:
    """Say which pairs never die."""
    return pairs.death_index == -1


def _falling(merit: np.ndarray, pairs: PersistencePairs) -> np.ndarray:
    """Return the order of pairs by falling merit, then birth, and by rising pixels."""
    birth = pairs.birth.astype(np.float64)
    return np.lexsort((pairs.death_index, pairs.birth_index, -birth, -merit))


def _largest(merit: np.ndarray, pairs: PersistencePairs, count: int) -> np.ndarray:
    """Return the positions of the `count` pairs of largest merit, in the order of `_falling`.

    Linear in the number of pairs, for `count` is small and they are many.
    """
    if count <= 0:
        return np.empty(0, np.intp)
    if count >= len(merit):
        return _falling(merit, pairs)[:count]
    near = np.flatnonzero(merit >= np.partition(merit, -count)[-count])
    return near[_falling(merit[near], pairs[near])[:count]]


def _gain(birth: Any, death: Any, true_birth: Any, true_death: Any) -> Any:
    """Return what a match saves: both distances to the diagonal less the distance apart.

    Written with persistences and sums, the squares that would cancel are gone:
    p²/2 + p*²/2 - ((p - p*)² + (m - m*)²) / 2 = p p* - (m - m*)²/2.
    """
    birth, death = np.asarray(birth, np.float64), np.asarray(death, np.float64)
    across = (birth + death) - (true_birth + true_death)
    return (birth - death) * (true_birth - true_death) - across**2 / 2


def _by_rank(first: PersistencePairs, second: PersistencePairs) -> tuple[np.ndarray, np.ndarray]:
    """Match the most persistent of `first` and of `second`, then the next, and so on."""
    count = min(len(first), len(second))
    rows, columns = (_largest(p.persistence, p, count) for p in (first, second))
    return rows, columns


def _by_wasserstein(
    first: PersistencePairs, second: PersistencePairs
) -> tuple[np.ndarray, np.ndarray]:
    """Match so that the sum of the gains is the largest possible."""
    # In the order of the ranks first, so that the result knows only pixels, not places in arrays.
    at, true_at = (_largest(p.persistence, p, len(p)) for p in (first, second))
    first, second = first[at], second[true_at]
    true = second.birth.astype(np.float64), second.death.astype(np.float64)
    if len(second) and all(np.all(end == end[0]) for end in true):
        gain = _gain(first.birth, first.death, true[0][0], true[1][0])
        rows = _largest(gain, first, len(second))
        keep = gain[rows] > 0
        return at[rows[keep]], true_at[: len(rows)][keep]
    # A match without gain is as good as none: with gains cut off at zero, an assignment of the
    # largest sum is found among the finite features alone, without copies of the diagonal.
    gain = np.maximum(_gain(first.birth[:, None], first.death[:, None], *true), 0.0)
    from scipy.optimize import linear_sum_assignment  # here: it is a third of the import's time

    rows, columns = linear_sum_assignment(gain, maximize=True)
    keep = gain[rows, columns] > 0
    return at[rows[keep]], true_at[columns[keep]]
