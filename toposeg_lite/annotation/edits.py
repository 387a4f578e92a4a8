"""What decisions and strokes make of the mask.

**The mask** is made by these rules, in this order:

1. It begins as the likelihood's mask: likelihood at or above `mask_threshold`.
2. The territory of each rejected branch goes (see the module `proposals`).
3. The path of each accepted branch is added. Where it lies outside the likelihood's mask, it is
   drawn as wide as `radius` says; inside, the mask already has its width.
4. What was drawn and erased by hand comes last, in the order in which it was done.

Undecided branches change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .proposals import Proposals, Territories
from .ridges import ridge_path

__all__ = [
    "ACCEPTED",
    "REJECTED",
    "UNDECIDED",
    "Effect",
    "MaskRule",
    "Stroke",
    "check_points",
    "stroke_path",
]

UNDECIDED, ACCEPTED, REJECTED = 0, 1, -1


class Stroke(NamedTuple):
    """A line drawn or erased by hand.

    Attributes
    ----------
    drawn : bool
        False if it erases.
    path : (k,) array of int64
        Its middle line, flat indices.
    radius : float
        Pixels within this distance from the middle line belong to it.
    """

    drawn: bool
    path: np.ndarray
    radius: float


class Effect(NamedTuple):
    """What the two decisions about a branch would change in the mask.

    Attributes
    ----------
    added : (k,) array of int64
        Pixels that accepting it would add, flat indices in order.
    removed : (m,) array of int64
        Pixels that rejecting it would take away, flat indices in order.
    """

    added: np.ndarray
    removed: np.ndarray


class MaskRule:
    """The rules of the module's docstring, for the branches of one likelihood.

    No action changes it, so a session and its copies share one.

    Parameters
    ----------
    mask : (*spatial) array of bool
        The likelihood's mask.
    proposals : Proposals
        Of the same likelihood.
    radius : float
        Half the width of accepted branches outside the mask, in pixels.

    Attributes
    ----------
    lengths, inside, outside : (n,) array of int64
        How many pixels each path has, and how many of them lie inside the mask and outside.
    """

    def __init__(self, mask: np.ndarray, proposals: Proposals, radius: float) -> None:
        self._mask, self._paths, self._radius = mask, proposals.paths, radius
        self._territories = Territories(mask, proposals)
        self._accepted: dict[int, np.ndarray] = {}  # pixels of accepted branches, found once
        flat = mask.ravel()
        self.lengths = np.array([len(path) for path in self._paths], np.int64)
        self.inside = np.array([np.count_nonzero(flat[path]) for path in self._paths], np.int64)
        self.outside = self.lengths - self.inside

    def mask(self, decisions: np.ndarray, strokes: Iterable[Stroke]) -> np.ndarray:
        """Return the mask that decisions and then strokes make: a new bool array."""
        mask = self._territories.without(decisions == REJECTED)
        flat = mask.ravel()
        for branch in np.flatnonzero(decisions == ACCEPTED):
            flat[self._pixels(int(branch))] = True
        for stroke in strokes:
            flat[_thicken(stroke.path, stroke.radius, mask.shape)] = stroke.drawn
        return mask

    def effect(
        self, branch: int, now: np.ndarray, decisions: np.ndarray, strokes: Iterable[Stroke]
    ) -> Effect:
        """Say what each decision about a branch would change in `now`, the mask as it is."""
        decisions = decisions.copy()
        decisions[branch] = ACCEPTED
        added = self.mask(decisions, strokes) & ~now
        decisions[branch] = REJECTED
        removed = now & ~self.mask(decisions, strokes)
        return Effect(np.flatnonzero(added), np.flatnonzero(removed))

    def _pixels(self, branch: int) -> np.ndarray:
        """Return the pixels that belong to a branch once it is accepted."""
        if branch not in self._accepted:
            path = self._paths[branch]
            outside = path[~self._mask.ravel()[path]]
            wide = _thicken(outside, self._radius, self._mask.shape)
            self._accepted[branch] = np.union1d(path, wide)
        return self._accepted[branch]


def stroke_path(
    likelihood: np.ndarray, points: np.ndarray, *, snap: bool, connectivity: int
) -> np.ndarray:
    """Return the middle line of a stroke through pixels, as `ridge_path` does.

    It follows the ridges (`snap`), or else goes straight: then it may step to every neighbour,
    whatever the connectivity.

    Examples
    --------
    >>> ridge = np.array([[0.0, 0.9, 0.0], [0.9, 0.0, 0.9], [0.0, 0.0, 0.0]])
    >>> stroke_path(ridge, np.array([[1, 0], [1, 2]]), snap=True, connectivity=2)
    array([3, 1, 5])
    >>> stroke_path(ridge, np.array([[1, 0], [1, 2]]), snap=False, connectivity=2)
    array([3, 4, 5])
    """
    if snap:
        return ridge_path(likelihood, points, connectivity=connectivity)
    flat = np.zeros(likelihood.shape, np.float32)
    return ridge_path(flat, points, connectivity=likelihood.ndim)


def check_points(points: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return points as pixels inside an image, (k, ndim) int64; floats are rounded."""
    try:
        places = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"points must be an array of numbers; got {points!r}") from None
    ndim = len(shape)
    if places.ndim != 2 or places.shape[1] != ndim or len(places) == 0:
        raise ValueError(
            f"points must be one pixel or more, an array of shape (k, {ndim}); "
            f"got shape {places.shape}"
        )
    inside = (places > -0.5) & (places < np.array(shape) - 0.5)
    if not inside.all():  # also true of NaN
        wrong = places[~inside.all(axis=1)][0].tolist()
        raise ValueError(f"points must lie inside the image of shape {shape}; got {wrong}")
    return np.floor(places + 0.5).astype(np.int64)


def _thicken(path: np.ndarray, radius: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat indices of the pixels within `radius` of a path, some of them twice."""
    if radius < 1:
        return path
    places = np.stack(np.unravel_index(path, shape), axis=1)
    around = (places[:, None] + _ball(radius, len(shape))).reshape(-1, len(shape))
    around = around[((around >= 0) & (around < shape)).all(axis=1)]
    return np.ravel_multi_index(tuple(around.T), shape)


@lru_cache(maxsize=16)
def _ball(radius: float, ndim: int) -> np.ndarray:
    """Return the steps from a pixel to those within `radius` of it, (k, ndim)."""
    reach = int(radius)
    steps = np.indices((2 * reach + 1,) * ndim) - reach
    return steps[:, (steps**2).sum(0) <= radius**2].T
