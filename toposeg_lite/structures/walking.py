"""Perturb and walk: redraw the path of a branch, a little differently each time.

From its pass a walker goes to each end of a branch. Of the neighbours of where it stands, it steps
to the one with the highest

    gamma / (distance to the end) + (1 - gamma) * (likelihood + noise),

where the noise is normal with the standard deviation sigma and drawn anew for each structure [1]_.
It never steps on a pixel twice, so it cannot walk in circles, and it makes at most four times as
many steps as the path has, and eight. If it is stuck or late, this side of the branch keeps its own
path: there is always a way from end to end.

References
----------
.. [1] S. Gupta, Y. Zhang, X. Hu, P. Prasanna, C. Chen, "Topology-aware uncertainty for image
       segmentation", NeurIPS 2023. arXiv:2306.05671
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ..checks import check_fraction, check_number, check_seed
from ..topology.branches import BranchSet, check_chosen
from ..topology.grid import check_connectivity
from ..topology.kernels import kernel
from ..topology.morse import split_paths
from .common import check_branches

__all__ = ["perturb_and_walk"]

OUTSIDE = -1.0  # below every likelihood: what lies beyond the border


def perturb_and_walk(
    branches: BranchSet,
    seed: int | np.random.Generator,
    *,
    chosen: np.ndarray | None = None,
    gamma: float = 0.2,
    sigma: float = 0.01,
    connectivity: int | None = None,
) -> list[np.ndarray]:
    """Redraw the paths of some branches, by default all: flat indices, with the ends they had.

    Parameters
    ----------
    branches, seed
        What `find_branches` found, and what decides the noise.
    chosen : (n,) bool array, optional
        Which to redraw.
    gamma : float
        In [0, 1], how much the walker is drawn to the end rather than to high likelihoods.
    sigma : float
        Standard deviation of the noise.
    connectivity : int, optional
        Of the steps: what `find_branches` was given. In 2D 1 or 2 (default), in 3D 1 (default).

    Examples
    --------
    >>> from toposeg_lite.structures import find_branches
    >>> branches = find_branches(np.array([[0.8, 0.3, 0.1], [0.1, 0.4, 0.1], [0.1, 0.1, 0.7]]))
    >>> branches.paths[0], perturb_and_walk(branches, seed=0, sigma=0)[0]
    (array([0, 4, 8]), array([0, 4, 8]))
    """
    check_branches(branches)
    chosen = check_chosen(
        np.ones(len(branches), np.bool_) if chosen is None else chosen, len(branches)
    )
    key = check_seed(seed).integers(2**63, dtype=np.uint64)
    gamma, sigma = check_fraction(gamma, "gamma"), check_number(sigma, "sigma")
    return split_paths(*redraw(branches, chosen, key, gamma, sigma, connectivity))


def redraw(
    branches: BranchSet,
    chosen: np.ndarray,
    key: Any,
    gamma: float,
    sigma: float,
    connectivity: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Redraw the chosen branches; return all paths in one array, and where they begin and stop."""
    ndim = branches.likelihood.ndim
    connectivity = check_connectivity(1 if ndim == 3 else connectivity, ndim)
    shape = (1, *branches.shape)[-3:]
    cube = np.array(list(product((-1, 0, 1), repeat=3)))
    reach = np.abs(cube).sum(1)
    near = (reach > 0) & (reach <= connectivity) & ((ndim == 3) | (cube[:, 0] == 0))
    return _redraw(
        np.pad(branches.likelihood.reshape(shape), 1, constant_values=OUTSIDE).ravel(),
        shape,
        cube[near],
        branches.pixels,
        branches.offsets,
        branches.start,
        np.flatnonzero(chosen),
        np.uint64(key),
        gamma,
        sigma,
    )


@kernel
def _redraw(framed, shape, moves, pixels, offsets, start, chosen, key, gamma, sigma):
    """Walk the chosen branches; return their paths in one array, and where these begin and stop.

    `framed` are the likelihoods in a frame of `OUTSIDE`; an image is a volume of one layer, and
    `shape` is that of the volume without the frame. `moves` lead to the neighbours, (k, 3), in
    raster order, so ties go to the lowest flat index. The pass is written once, between what was
    walked to either side.
    """
    _, height, width = shape
    bounds = np.zeros(chosen.size + 1, np.int64)
    room = 0
    for k in chosen:
        room += 4 * (offsets[k + 1] - offsets[k]) + 20  # both arms, and the pass
    out = np.empty(room, np.int64)
    seen = np.full(framed.size, -1, np.int32)
    steps, framed_steps = np.empty(len(moves), np.int64), np.empty(len(moves), np.int64)
    for s in range(len(moves)):
        dz, dy, dx = moves[s]
        steps[s] = (dz * height + dy) * width + dx
        framed_steps[s] = (dz * (height + 2) + dy) * (width + 2) + dx
    ways = (moves, steps, framed_steps)
    used = 0
    for i in range(chosen.size):
        k = chosen[i]
        middle, last = start[k], offsets[k + 1] - 1
        seen[_place(pixels[middle], shape)[3]] = k
        n = _walk(framed, shape, ways, pixels, middle, offsets[k], key, gamma, sigma, seen, k,
                  out[used:])  # fmt: skip
        out[used : used + n] = out[used : used + n][::-1].copy()
        used += n
        out[used] = pixels[middle]
        used += 1
        used += _walk(framed, shape, ways, pixels, middle, last, key, gamma, sigma, seen, k,
                      out[used:])  # fmt: skip
        bounds[i + 1] = used
    return out[:used].copy(), bounds


@kernel
def _place(pixel, shape):
    """Return a pixel's coordinates, and its flat index in the framed volume."""
    _, height, width = shape
    row = pixel // width
    z, y, x = row // height, row % height, pixel - row * width
    return z, y, x, ((z + 1) * (height + 2) + y + 1) * (width + 2) + x + 1


@kernel
def _walk(framed, shape, ways, pixels, first, last, key, gamma, sigma, seen, mark, out):
    """Walk from ``pixels[first]`` to ``pixels[last]``; write all but the first into `out`.

    The path of the branch leads from the one to the other, up or down. Pixels that are walked are
    marked in `seen`, and not walked again. Returned is how many there are; if the walk fails, those
    of the path itself are written.
    """
    length = abs(last - first)
    moves, steps, framed_steps = ways
    target = pixels[last]
    end_z, end_y, end_x, _ = _place(target, shape)
    p = pixels[first]
    z, y, x, here = _place(p, shape)
    n = 0
    most = (1 - gamma) * sigma * 3.47  # of the noise: four quarters of at most a half, sqrt(3)
    while p != target and n < 4 * length + 8:
        best, step = -np.inf, -1
        for s in range(steps.size):
            value = framed[here + framed_steps[s]]
            if value == OUTSIDE:
                continue
            a, b, c = z + moves[s, 0] - end_z, y + moves[s, 1] - end_y, x + moves[s, 2] - end_x
            square = a * a + b * b + c * c
            if square == 0:
                step = s
                break
            if seen[here + framed_steps[s]] == mark:
                continue
            score = gamma / np.sqrt(np.float64(square)) + (1 - gamma) * value
            if score + most <= best:
                continue  # no noise could make it the best
            score += (1 - gamma) * sigma * _noise(key, p + steps[s])
            if score > best:
                best, step = score, s
        if step < 0:
            break
        p += steps[step]
        here += framed_steps[step]
        z, y, x = z + moves[step, 0], y + moves[step, 1], x + moves[step, 2]
        seen[here] = mark
        out[n] = p
        n += 1
    if p == target:
        return n
    way = 1 if last > first else -1
    for i in range(1, length + 1):
        out[i - 1] = pixels[first + way * i]
    return length


@kernel
def _noise(key, pixel):
    """Return a number that is nearly standard normal and depends on the key and the pixel alone.

    The key and the pixel are mixed into 64 bits as in the generator SplitMix64, and the sum of
    their four quarters, each uniform, is taken: the noise field of a whole image need not be drawn.
    """
    z = key + (np.uint64(pixel) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    total = 0.0
    for _ in range(4):
        total += (np.float64(z & np.uint64(0xFFFF)) + 0.5) / 65536
        z >>= np.uint64(16)
    return (total - 2) * np.sqrt(3.0)
