"""What an annotator is asked about: the branches of a likelihood, cut so that no pixel comes twice.

**Proposals** are the edges of the skeleton of the likelihood's Morse complex: ridges from node to
node, where nodes are peaks and forks. Several Morse branches that run together for a while share
one edge there, so that a click decides about what one sees, and no pixel is decided twice but the
nodes themselves. A peak without any edge is a proposal of one pixel: it stands for its speck.

Each proposal has the *persistence* of the most persistent Morse branch that runs along it. A lone
peak has the height by which it rises above `saddle_level`.

**The territory of a proposal** is the part of the likelihood's mask (likelihood at or above the
mask threshold) that it stands for, and that goes when it is rejected. By these rules:

1. At each path pixel inside the mask lies the largest disc (ball) that fits into the mask there. A
   pixel in one disc or more belongs to the one that it lies deepest in: the one with the lowest
   squared distance from the centre minus squared radius. So a side branch that leaves a thick trunk
   takes nothing of the trunk away, although its path begins on the trunk's middle line.
2. A mask pixel in no disc goes with the nearest one that is in one, counted in steps to any of the
   8 (26) neighbours inside the mask.
3. Mask pixels from which no such way leads to a disc belong to no proposal and stay.
4. Pixels that belong to a node go only when all proposals that end there are rejected.

References
----------
.. [1] P. F. Felzenszwalb, D. P. Huttenlocher, "Distance transforms of sampled functions", Theory of
       Computing 8 (2012). doi:10.4086/toc.2012.v008a019
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage
from skimage.segmentation import watershed

from ..topology.morse import morse_complex

__all__ = ["Proposals", "Territories", "propose"]


@dataclass(frozen=True, eq=False)
class Proposals:
    """The branches that an annotator decides about: one entry of each for each.

    A model may propose its own; then no two paths may share a pixel that is not an end of both.

    Attributes
    ----------
    paths : list of (k,) array of int64
        Flat indices (C order) of the pixels, one or more, from node to node.
    persistence : (n,) array of float64
        How deep one must scratch the likelihood to be rid of it.
    ends : (n, 2) array of int64
        The nodes at both ends, flat indices; equal for a ring and for a lone peak.
    """

    paths: list[np.ndarray]
    persistence: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def propose(
    likelihood: np.ndarray, *, min_persistence: float, saddle_level: float, connectivity: int
) -> Proposals:
    """Return the proposals of a likelihood at two thresholds (see the module's docstring).

    Parameters
    ----------
    likelihood : (H, W) or (D, H, W) array of float
        In [0, 1], foreground high.
    min_persistence, saddle_level : float
        As in `MorseComplex.skeleton`.
    connectivity : int
        As in `morse_complex`.

    Returns
    -------
    Proposals
        The edges in the skeleton's order, then the lone peaks by flat index.

    Examples
    --------
    A line of two peaks, and a speck that no ridge above 0.1 joins to them.

    >>> likelihood = np.array([[0.9, 0.6, 0.8, 0.0, 0.5]])
    >>> found = propose(likelihood, min_persistence=0.1, saddle_level=0.1, connectivity=2)
    >>> [path.tolist() for path in found.paths], found.persistence.round(2)
    ([[0, 1, 2], [4]], array([0.2, 0.4]))
    """
    complex_ = morse_complex(likelihood, connectivity=connectivity)
    skeleton = complex_.skeleton(min_persistence, saddle_level)
    is_lone = np.ones(len(skeleton.nodes), bool)
    is_lone[skeleton.edges] = False
    lone = np.sort(skeleton.nodes[is_lone])
    # All steps of an edge belong to the same branches, so its first step tells its persistence.
    branches = complex_.branches(min_persistence, saddle_level)
    steps, first = np.unique(_steps(branches.paths, likelihood.size), return_index=True)
    sizes = [len(path) - 1 for path in branches.paths]
    falling = np.repeat(branches.persistence.astype(np.float64), sizes)[first]
    asked = _steps([path[:2] for path in skeleton.paths], likelihood.size)
    heights = np.maximum(likelihood.ravel()[lone].astype(np.float64) - saddle_level, 0)
    return Proposals(
        skeleton.paths + list(lone[:, None]),
        np.concatenate([falling[np.searchsorted(steps, asked)], heights]),
        np.concatenate([skeleton.nodes[skeleton.edges], np.stack([lone, lone], axis=1)]),
    )


def _steps(paths: list[np.ndarray], size: int) -> np.ndarray:
    """Return a number for each step of each path; steps between the same two pixels share it."""
    steps = [np.stack([path[:-1], path[1:]]) for path in paths]
    pairs = np.sort(np.concatenate([np.empty((2, 0), np.int64), *steps], axis=1), axis=0)
    return pairs[0] * size + pairs[1]


class Territories:
    """Which mask pixels each proposal stands for (see the module's docstring).

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array of bool
        The likelihood's mask.
    proposals : Proposals
        Of the same likelihood.

    Attributes
    ----------
    mask : array of bool
        As given.

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.6, 0.8, 0.0, 0.7, 0.7]])
    >>> found = propose(likelihood, min_persistence=0.1, saddle_level=0.1, connectivity=2)
    >>> lands = Territories(likelihood >= 0.5, found)
    >>> lands.without(np.array([False, True])).astype(int)
    array([[1, 1, 1, 0, 0, 0]])
    """

    def __init__(self, mask: np.ndarray, proposals: Proposals) -> None:
        self.mask = mask
        self._nodes, self._ends = np.unique(proposals.ends, return_inverse=True)
        self._ends = self._ends.reshape(proposals.ends.shape)
        self._count = len(proposals)
        # Owners: the proposals, then the nodes, then nobody.
        owner = np.full(mask.size, -1, np.int32)
        for k, path in enumerate(proposals.paths):
            owner[path] = k
        owner[self._nodes] = self._count + np.arange(len(self._nodes))
        seeds = np.flatnonzero((owner >= 0) & mask.ravel())
        own = np.zeros(mask.shape, np.int32)
        if len(seeds):
            centre, depth = _deepest_discs(mask, seeds)
            own = np.where(mask & (depth < 0), owner[centre] + 1, 0)
            if ((own == 0) & mask).any():
                flat = np.zeros(mask.shape, np.uint8)
                own = watershed(flat, own, mask=mask, connectivity=mask.ndim)
        # The pixels of one owner after the other, and where those of each begin.
        held = np.flatnonzero(own)
        owners = own.ravel()[held]
        self._pixels = held[np.argsort(owners, kind="stable")]
        count = self._count + len(self._nodes)
        self._starts = np.searchsorted(np.sort(owners), np.arange(1, count + 2))

    def without(self, rejected: np.ndarray) -> np.ndarray:
        """Return the mask without the territories of some proposals.

        Parameters
        ----------
        rejected : (n,) array of bool
            True for each proposal that is rejected.

        Returns
        -------
        array of bool
            A new one.
        """
        is_gone = np.ones(len(self._starts) - 1, bool)
        is_gone[: self._count] = rejected
        is_gone[self._count + self._ends[~rejected]] = False
        mask = self.mask.copy()
        flat = mask.ravel()
        for k in np.flatnonzero(is_gone):
            flat[self._pixels[self._starts[k] : self._starts[k + 1]]] = False
        return mask


def _deepest_discs(mask: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel the centre whose disc it lies deepest in, and how deep.

    The radius of a disc is the distance from its centre to the nearest pixel outside the mask; what
    lies outside the image counts as mask. Depth is squared distance minus squared radius: negative
    inside, as then and only then the pixel is nearer than the nearest outside.
    """
    if mask.all():
        reach = np.full(mask.shape, float(sum(n * n for n in mask.shape)))
    else:  # squared and rounded: distances on a grid are roots of whole numbers
        reach = np.round(ndimage.distance_transform_edt(mask) ** 2)
    depth = np.full(mask.shape, np.inf)
    depth.ravel()[centres] = -reach.ravel()[centres]
    centre = np.arange(mask.size, dtype=np.int64).reshape(mask.shape)
    for axis in range(mask.ndim):
        moved = np.ascontiguousarray(np.moveaxis(depth, axis, -1))
        found = np.ascontiguousarray(np.moveaxis(centre, axis, -1))
        _envelopes(moved.reshape(-1, moved.shape[-1]), found.reshape(-1, moved.shape[-1]))
        depth, centre = np.moveaxis(moved, -1, axis), np.moveaxis(found, -1, axis)
    return np.ascontiguousarray(centre), np.ascontiguousarray(depth)


@njit(cache=True, nogil=True)
def _envelopes(cost, source):
    """Replace each row of `cost` by the lower envelope of parabolas that stand on its values.

    Afterwards ``cost[i, q]`` is the minimum over p of ``cost[i, p] + (q - p)**2`` as it was before,
    and ``source[i, q]`` is what ``source[i, p]`` was there. Infinite values carry no parabola. The
    algorithm is Felzenszwalb and Huttenlocher's, linear in the length of a row.
    """
    n, m = cost.shape
    feet = np.empty(m, np.int64)  # of the parabolas that are part of the envelope
    begins = np.empty(m + 1)  # from where on each is the lowest
    height, name = np.empty(m), np.empty(m, source.dtype)
    for i in range(n):
        height[:] = cost[i]
        name[:] = source[i]
        k = -1
        for p in range(m):
            if height[p] == np.inf:
                continue
            meet = -np.inf
            while k >= 0:
                q = feet[k]
                meet = (height[p] - height[q] + p * p - q * q) / (2.0 * (p - q))
                if meet > begins[k]:
                    break
                k -= 1
            if k < 0:
                meet = -np.inf
            k += 1
            feet[k], begins[k] = p, meet
        if k < 0:
            continue
        last, j = k, 0
        for q in range(m):
            while j < last and begins[j + 1] < q:
                j += 1
            cost[i, q] = height[feet[j]] + (q - feet[j]) ** 2
            source[i, q] = name[feet[j]]
