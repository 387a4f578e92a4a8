"""Draw by a few clicks: lead a line through given pixels along the ridges between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from skimage.graph import MCP_Geometric

__all__ = ["ridge_path"]

#: Added to the likelihood: a way along a ridge of 1 may be this many times longer than one at 0.
_FLOOR = 0.05


def ridge_path(likelihood: np.ndarray, points: np.ndarray, *, connectivity: int) -> np.ndarray:
    """Join pixels by the cheapest ways between them, where a step costs 1 / (0.05 + likelihood).

    So a way along a ridge of likelihood 1 may be 21 times longer than one where it is 0; where the
    likelihood is even, the way is straight. The ways pass through each of the (k, ndim) pixels in
    turn. Between two of them they keep within a distance, from the straight line, of a quarter of
    its length, but at least 20 and at most 60 pixels. Returned are flat indices as they are passed.

    With `connectivity` 1, steps lead to the 4 (6) neighbours; with the number of axes to the 8
    (26), and a diagonal step costs its length.

    Examples
    --------
    Two clicks on a bent ridge:

    >>> likelihood = np.array([[0.0, 0.9, 0.0], [0.9, 0.0, 0.9], [0.0, 0.0, 0.0]])
    >>> ridge_path(likelihood, np.array([[1, 0], [1, 2]]), connectivity=2)
    array([3, 1, 5])
    """
    shape = likelihood.shape
    parts = [np.ravel_multi_index(tuple(points[0]), shape).reshape(1)]
    for first, last in pairwise(points):
        if (first != last).any():
            parts.append(_way(likelihood, first, last, connectivity)[1:])
    return np.concatenate(parts).astype(np.int64)


def _way(
    likelihood: np.ndarray, first: np.ndarray, last: np.ndarray, connectivity: int
) -> np.ndarray:
    """Return the cheapest way between two different pixels as flat indices, both included."""
    length = float(np.linalg.norm(last - first))
    reach = min(max(length / 4, 20.0), 60.0)
    margin = int(np.ceil(reach))
    low = np.maximum(np.minimum(first, last) - margin, 0)
    high = np.minimum(np.maximum(first, last) + margin + 1, likelihood.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    cost = 1 / (_FLOOR + likelihood[window].astype(np.float64))
    if length > 40:  # a window around a slanted line has wide corners where no way should lead
        cost[_distance_to_line(cost.shape, first - low, last - low) > reach] = np.inf
    search = MCP_Geometric(cost, fully_connected=connectivity > 1)
    search.find_costs([tuple(first - low)], [tuple(last - low)])
    way = np.array(search.traceback(tuple(last - low))) + low
    return np.ravel_multi_index(tuple(way.T), likelihood.shape)


def _distance_to_line(shape: tuple[int, ...], first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel of a window from the line between two of them."""
    along = (last - first) / np.linalg.norm(last - first)
    offsets = [
        np.arange(n).reshape([-1 if k == axis else 1 for k in range(len(shape))]) - first[axis]
        for axis, n in enumerate(shape)
    ]
    position = sum((offset * a for offset, a in zip(offsets, along, strict=True)), np.zeros(shape))
    position = np.clip(position, 0, np.linalg.norm(last - first))
    apart = [offset - position * a for offset, a in zip(offsets, along, strict=True)]
    return np.sqrt(sum((a * a for a in apart), np.zeros(shape)))
