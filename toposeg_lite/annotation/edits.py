"""What decisions and strokes make of the mask.

The decisions come first, by the rules in `toposeg_lite.topology.branches`. What was drawn and
erased by hand comes last, in the order in which it was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..topology.branches import ACCEPTED, REJECTED, BranchSet
from ..topology.discs import draw_discs
from .ridges import ridge_path

__all__ = ["Effect", "Stroke", "check_points", "edited_mask", "effect_of", "stroke_path"]


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
    """What the two decisions about a branch would change in the mask: flat indices in order.

    Attributes
    ----------
    added, removed : (k,) and (m,) array of int64
        Pixels that accepting it would add, and that rejecting it would take away.
    """

    added: np.ndarray
    removed: np.ndarray


def edited_mask(
    branches: BranchSet, decisions: np.ndarray, strokes: Iterable[Stroke], radius: float
) -> np.ndarray:
    """Return the mask that decisions and then strokes make: a new bool array."""
    mask = branches.mask(decisions, radius=radius)
    for stroke in strokes:
        draw_discs(mask, stroke.path, stroke.radius, stroke.drawn)
    return mask


def effect_of(
    branch: int,
    branches: BranchSet,
    decisions: np.ndarray,
    strokes: Iterable[Stroke],
    radius: float,
) -> Effect:
    """Say what each decision about a branch would change in the mask as it is."""
    now = edited_mask(branches, decisions, strokes, radius)
    decisions = decisions.copy()
    decisions[branch] = ACCEPTED
    added = edited_mask(branches, decisions, strokes, radius) & ~now
    decisions[branch] = REJECTED
    removed = now & ~edited_mask(branches, decisions, strokes, radius)
    return Effect(np.flatnonzero(added), np.flatnonzero(removed))


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
    steps = np.abs(np.diff(points, axis=0)).max(axis=1, initial=0)
    if (steps <= 1).all():  # a path already, as those that come back from files
        kept = np.append(True, steps > 0)
        return np.ravel_multi_index(tuple(points[kept].T), likelihood.shape).astype(np.int64)
    flat = np.zeros(likelihood.shape, np.float32)
    return ridge_path(flat, points, connectivity=likelihood.ndim)


def check_points(points: Any, shape: tuple[int, ...], name: str = "points") -> np.ndarray:
    """Return points as pixels inside an image, (k, ndim) int64; floats are rounded."""
    try:
        given = np.asarray(points)
        places = given.astype(np.float64, casting="same_kind" if given.size else "unsafe")
        if given.dtype == np.bool_:
            raise TypeError("flags are no coordinates")
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers; got {points!r}") from None
    ndim = len(shape)
    if places.ndim != 2 or places.shape[1] != ndim or len(places) == 0:
        raise ValueError(
            f"{name} must be one pixel or more, an array of shape (k, {ndim}); "
            f"got shape {places.shape}"
        )
    inside = (places > -0.5) & (places < np.array(shape) - 0.5)
    if not inside.all():  # also true of NaN
        wrong = places[~inside.all(axis=1)][0].tolist()
        raise ValueError(f"{name} must lie inside the image of shape {shape}; got {wrong}")
    return np.floor(places + 0.5).astype(np.int64)
