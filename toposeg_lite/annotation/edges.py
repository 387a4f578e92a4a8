"""The branches of journals of version 1, which number edges of the skeleton and lone peaks.

Edges lead from node to node, where nodes are peaks and forks. A session that opens such a journal
has these for branches, and all else is as in every session. Nothing else uses them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..topology.branches import SPECK, BranchSet, path_lengths
from ..topology.morse import morse_complex

__all__ = ["find_edges"]


class _EdgeSet(BranchSet):
    """Pieces that own their path whole, both nodes too; `upper` and `lower` are not known (-1)."""

    @cached_property
    def owner(self) -> np.ndarray:
        """As of every `BranchSet`; a node belongs to the edge whose lowest pixel is the highest."""
        owner = np.full(self.likelihood.size, -1, np.int32)
        for k in np.argsort(self.likelihood.ravel()[self.saddle], kind="stable"):
            owner[self.paths[k]] = k
        return owner.reshape(self.shape)


def find_edges(
    likelihood: np.ndarray, *, min_persistence: float, saddle_level: float, connectivity: int
) -> BranchSet:
    """Return the edges in the skeleton's order, then the lone peaks by flat index.

    Each edge has the persistence of the most persistent Morse branch that runs along it. A lone
    peak has the height by which it rises above `saddle_level`.

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.6, 0.8, 0.0, 0.5]])
    >>> edges = find_edges(likelihood, min_persistence=0.1, saddle_level=0.1, connectivity=2)
    >>> [path.tolist() for path in edges.paths], edges.persistence.round(2)
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
    branch_of_step = np.repeat(np.arange(len(branches)), [len(p) - 1 for p in branches.paths])
    asked = _steps([path[:2] for path in skeleton.paths], likelihood.size)
    strongest = branch_of_step[first][np.searchsorted(steps, asked)]
    heights = np.maximum(likelihood.ravel()[lone].astype(np.float64) - saddle_level, 0)

    paths = [*skeleton.paths, *lone[:, None]]
    pixels = np.concatenate([np.empty(0, np.int64), *paths])
    offsets = np.append(0, np.cumsum([len(path) for path in paths], dtype=np.int64))
    lowest = [np.argmin(likelihood.ravel()[path]) for path in paths]
    start = offsets[:-1] + np.array(lowest, np.int64)
    unknown = np.full(len(paths), -1, np.int64)
    return _EdgeSet(
        likelihood=likelihood,
        kind=np.append(branches.dimension[strongest], np.full(len(lone), SPECK)).astype(np.int8),
        persistence=np.append(branches.persistence[strongest].astype(np.float64), heights),
        upper=unknown,
        lower=unknown,
        saddle=pixels[start],
        pixels=pixels,
        offsets=offsets,
        owned=np.stack([offsets[:-1], offsets[1:]], axis=1),
        start=start,
        length=path_lengths(pixels, offsets, np.array(likelihood.shape)),
    )


def _steps(paths: list[np.ndarray], size: int) -> np.ndarray:
    """Return a number for each step of each path; steps between the same two pixels share it."""
    steps = [np.stack([path[:-1], path[1:]]) for path in paths]
    pairs = np.sort(np.concatenate([np.empty((2, 0), np.int64), *steps], axis=1), axis=0)
    return pairs[0] * size + pairs[1]
