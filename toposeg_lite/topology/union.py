"""The Betti matching of two masks: which of their components and holes are the same one.

All features of a mask are born at 1 and die at 0, so this is what remains of the matching that the
module `betti_matching` explains:

- Two components, one of each mask, are the same if they lie in one component of the union. Of
  several that do only one pair is matched; the others are left over.
- A hole, or the cavity of a volume, is a component of the background. It holds some components of
  the union's background, and stands for the one with the last pixel (C order). Two holes are the
  same if they stand for the same one.

Both masks should have a frame of one pixel, foreground or background, which is the same in both:
what touches it is then one component or, of the background, the outside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .components import Runs, label_runs, labels_around
from .grid import dual_connectivity

__all__ = ["Parts", "components_in_union", "holes_in_union", "shared_homes"]


class Parts(NamedTuple):
    """The components of a mask, or those of its background."""

    runs: Runs
    # Of each label the component of the union (of its background) for which it stands, by a number
    # that both masks share; -1 where there is none, and for the label 0.
    home: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """1, 2, ... in the components and 0 elsewhere; made anew each time."""
        return self.runs.paint()


def components_in_union(
    first: np.ndarray, second: np.ndarray, connectivity: int
) -> tuple[Parts, Parts, Runs]:
    """Label the components of two masks; the homes are those of the union in which they lie.

    The masks must be checked and framed. The last result is the union.

    Examples
    --------
    >>> ours, theirs, union = components_in_union(
    ...     np.array([[True, False, True]]), np.array([[True, True, True]]), 2)
    >>> ours.home, theirs.home
    (array([-1,  1,  1]), array([-1,  1]))
    """
    union = label_runs(first | second, connectivity)
    sides = []
    for mask in (first, second):
        runs = label_runs(mask, connectivity)
        home = np.full(runs.count + 1, -1)
        home[runs.label] = labels_around(runs, union)
        sides.append(Parts(runs, home))
    return sides[0], sides[1], union


def holes_in_union(first: np.ndarray, second: np.ndarray, connectivity: int) -> tuple[Parts, Parts]:
    """Label the background of two masks; the homes are the last runs of the union's background.

    `connectivity` is that of the foreground. The last run of all lies in the frame: where that is
    background, the outsides stand for it and are partners.
    """
    dual = dual_connectivity(connectivity, first.ndim)
    common = label_runs(~(first | second), dual)
    last = np.zeros(common.count + 1, np.int64)
    last[common.label] = np.arange(len(common.label))  # of several values the last one stays
    last = np.sort(last[1:])
    sides = []
    for mask in (first, second):
        runs = label_runs(~mask, dual)
        home = np.full(runs.count + 1, -1)
        home[labels_around(common, runs)[last]] = last
        sides.append(Parts(runs, home))
    return sides[0], sides[1]


def shared_homes(first: Parts, second: Parts) -> np.ndarray:
    """Return the homes of both, rising: in each of them one part of either is matched."""
    shared = np.intersect1d(first.home, second.home)
    return shared[shared >= 0]
