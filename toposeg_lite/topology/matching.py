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

**Where both are blind.** They see births and deaths, never places. Beside a true blob of
likelihood 0.55, a false one of 0.8 is the more persistent: both matchings keep the false blob and
remove the true one. A mostly filled hole (0.8 inside a ring of 0.9) is a feature of persistence
0.1 far from the corner (1, 0): "rank" opens it, for it is the best hole there is; "wasserstein"
fills it, for going to the diagonal and leaving the true hole unmatched costs less.

**Ties.** Features of equal merit go by the flat index of their birth pixel, then of their death
pixel; the frame of a closed border comes first.

References
----------
.. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019. arXiv:1906.05404
.. [2] D. Cohen-Steiner, H. Edelsbrunner, J. Harer, Y. Mileyko, "Lipschitz functions have
       Lp-stable persistence", Found. Comput. Math. 10 (2010). doi:10.1007/s10208-010-9060-6
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from .grid import Border, check_choice, check_dimensions, check_image, check_same_shape
from .persistence import PersistencePairs, persistence_pairs

MatchingName = Literal["rank", "wasserstein"]
MATCHINGS = ("rank", "wasserstein")

__all__ = ["MATCHINGS", "Matching", "MatchingName", "match_pairs"]


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
    matching: MatchingName = "rank",
    connectivity: int | None = None,
    dimensions: Iterable[int] | None = None,
    border: Border = "open",
    min_persistence: float = 0.0,
) -> Matching:
    """Match the components and holes of a prediction to those of a truth.

    Parameters
    ----------
    prediction : (H, W) array of float or bool
        A likelihood in [0, 1], foreground high.
    truth : (H, W) array of float or bool
        The same, usually a boolean mask, whose features are all born at 1 and die at 0.
    matching : {"rank", "wasserstein"}
        By persistence, or by least total cost: see the module's docstring for what each can and
        cannot do.
    connectivity, dimensions, border, min_persistence
        Which features both images have: see `persistence_pairs`.

    Returns
    -------
    Matching
        Both images' pairs, the matches, and what stays unmatched.

    Raises
    ------
    TypeError, ValueError
        For a bad image (see `persistence_pairs`), images of different shapes, or an unknown option.

    Notes
    -----
    The essential components are matched to each other, even where the truth is empty: a zero image
    has one pair (0, 0), so the prediction's highest pixel is then drawn down to 0.

    Between n features and truth features that are all alike, as a mask's are, "wasserstein" needs
    no more than sorting: matching one gains :math:`g = p p^* - (m - m^*)^2 / 2` over leaving both
    to the diagonal, with the persistences p and :math:`m = b + d`, and the largest positive gains
    win. A grey truth needs an assignment problem on the n x n* matrix of these gains, which is
    heavy beyond a few thousand features: choose a larger `min_persistence` then. Of several
    optima it returns always the same one.

    References
    ----------
    .. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019.
           arXiv:1906.05404

    Examples
    --------
    Two blobs are predicted where the truth has one, the fainter. Neither matching looks at the
    place, so the brighter blob is taken for the truth's.

    >>> prediction = np.array([[0.8, 0.1, 0.55]])
    >>> matching = match_pairs(prediction, np.array([[False, False, True]]))
    >>> matching
    Matching(1 matched, 1 unmatched in the prediction, 0 in the truth)
    >>> matched, others = matching.matched[:, 0], matching.unmatched_prediction
    >>> matching.prediction.birth[matched], matching.prediction.birth[others]
    (array([0.8]), array([0.55]))
    """
    check_choice(matching, MATCHINGS, "matching")
    images = [check_image(prediction, "prediction"), check_image(truth, "truth")]
    check_same_shape(images[0], images[1], ("prediction", "truth"))
    flags = check_dimensions(dimensions, images[0].ndim)
    wanted = [k for k, flag in enumerate(flags) if flag]
    first, second = (
        persistence_pairs(
            image,
            connectivity=connectivity,
            dimensions=wanted,
            border=border,
            min_persistence=min_persistence,
        )
        for image in images
    )
    match = _by_rank if matching == "rank" else _by_wasserstein
    found = [np.stack([np.flatnonzero(_essential(first)), np.flatnonzero(_essential(second))])]
    for dimension in range(images[0].ndim):
        rows, columns = (
            np.flatnonzero((pairs.dimension == dimension) & ~_essential(pairs))
            for pairs in (first, second)
        )
        chosen = match(first[rows], second[columns])
        found.append(np.stack([rows[chosen[0]], columns[chosen[1]]]))
    matched = np.concatenate(found, axis=1).T
    matched = matched[np.argsort(matched[:, 0])]
    return Matching(
        first,
        second,
        matched,
        np.setdiff1d(np.arange(len(first)), matched[:, 0]),
        np.setdiff1d(np.arange(len(second)), matched[:, 1]),
    )


def matched_to_mask(
    pairs: PersistencePairs, betti: Sequence[int], matching: MatchingName
) -> np.ndarray:
    """Say which pairs are matched when the truth is a mask with Betti numbers `betti`.

    The same answer as `match_pairs`, without the pairs of the mask: all its features are (1, 0), so
    their number is all that counts. An essential pair is matched always.

    Returns
    -------
    (n,) array of bool
    """
    matched = _essential(pairs)
    finite = ~matched
    for dimension, count in enumerate(betti):
        at = np.flatnonzero((pairs.dimension == dimension) & finite)
        some = pairs[at]
        merit = some.persistence if matching == "rank" else _gain(some.birth, some.death, 1.0, 0.0)
        best = _largest(merit, _pixels(some), count - 1 if dimension == 0 else count)
        matched[at[best[merit[best] > 0]]] = True
    return matched


def _essential(pairs: PersistencePairs) -> np.ndarray:
    """Say which pairs never die."""
    return pairs.death_index < 0


def _pixels(pairs: PersistencePairs) -> np.ndarray:
    """Return one number a pair that sorts by birth pixel, then by death pixel."""
    last = max(pairs.death_index.max(initial=0), pairs.birth_index.max(initial=0))
    return (pairs.birth_index + 1) * (last + 2) + pairs.death_index + 1


def _largest(merit: np.ndarray, tie: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the `count` largest merits, falling; equal ones by rising `tie`.

    Linear in the number of merits, for `count` is small and they are many.
    """
    if count <= 0:
        return np.empty(0, np.intp)
    if count >= len(merit):
        near = np.arange(len(merit))
    else:
        near = np.flatnonzero(merit >= np.partition(merit, -count)[-count])
    return near[np.lexsort((tie[near], -merit[near]))[:count]]


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
    one, two = (_largest(p.persistence, _pixels(p), count) for p in (first, second))
    return one, two


def _by_wasserstein(
    first: PersistencePairs, second: PersistencePairs
) -> tuple[np.ndarray, np.ndarray]:
    """Match so that the sum of the gains is the largest possible."""
    # In the order of the ranks first, so that the result knows only pixels, not places in arrays.
    one, two = (_largest(p.persistence, _pixels(p), len(p)) for p in (first, second))
    first, second = first[one], second[two]
    true = second.birth.astype(np.float64), second.death.astype(np.float64)
    if len(second) and all(np.all(end == end[0]) for end in true):
        gain = _gain(first.birth, first.death, true[0][0], true[1][0])
        rows = _largest(gain, _pixels(first), len(second))
        keep = gain[rows] > 0
        return one[rows[keep]], two[: len(rows)][keep]
    # A match without gain is as good as none: with gains cut off at zero, an assignment of the
    # largest sum is found among the finite features alone, without copies of the diagonal.
    gain = np.maximum(_gain(first.birth[:, None], first.death[:, None], *true), 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    keep = gain[rows, columns] > 0
    return one[rows[keep]], two[columns[keep]]
