r"""Persistence pairs above a floor: only the voxels that matter are looked at.

The likelihood of a trained network is next to nothing nearly everywhere. Cut off at a *floor*, the
superlevel sets are those of few voxels, and so are the features that are worth a look.

**What is kept.** The pairs that are born above the floor, with the same births, and with the same
deaths if they die above it. A component or a tunnel that lives on at the floor is *censored*: when
it ends depends on voxels nobody has looked at, so it is said to die at 0, by no voxel
(``death_index`` is -2). That is wrong by no more than the floor. A hole or a cavity dies at the
lowest voxel inside, wherever it lies, and keeps it. What is born at the floor or below is left out.

**How.** Voxels above the floor enter one by one, as in the module `volumes`, and all others never.
Components are found by union-find. Cavities are the components of the background, walking back from
the floor, where its pieces are labelled; the lowest voxel of each is known. Tunnels need the matrix
of the module `tunnels`; an edge that closes a loop which no square fills is one that lives on.
"""

from __future__ import annotations

import numpy as np

from .components import label_components
from .frame import OFFSETS, flat_steps, frame_voxels, unframe
from .grid import dual_connectivity
from .kernels import kernel
from .order import argsort_falling, empty_keys, find_root
from .tunnels import (
    entering_voxels,
    fill_loops,
    filter_cells,
    leave_out_cavities,
    make_grid,
    open_loops,
)

__all__: list[str] = []

CENSORED = -2  # the death_index of what lives on at the floor


def framed_indices(voxels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn flat indices into a volume into those into the volume with a frame."""
    line, column = np.divmod(voxels, shape[2])
    layer, row = np.divmod(line, shape[1])
    return (((layer + 1) * (shape[1] + 2) + row + 1) * (shape[2] + 2) + column + 1).astype(np.int32)


def rank_some(order: np.ndarray, shape: tuple[int, ...], closed: bool) -> np.ndarray:
    """Return the places of voxels in their order, the largest where one never enters; frame: -1."""
    rank = np.full(int(np.prod(shape)), order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    if closed:
        rank[frame_voxels(shape)] = -1
    return rank


def pairs_above(
    image: np.ndarray, connectivity: int, closed: bool, wanted: list[bool], floor: float
) -> list[tuple[np.ndarray, ...]]:
    """Return for each dimension the pixels of births and of deaths, and the closing edges.

    These are those of `PersistencePairs`; for a dimension that is not wanted they are empty. Some
    pairs have no length. At least one voxel must be above the floor.
    """
    values = image.ravel()
    above = np.flatnonzero(values > floor).astype(np.int32)
    voxels = above[argsort_falling(values[above], empty_keys(image.dtype))]
    framed = tuple(n + 2 for n in image.shape)
    order = framed_indices(voxels, image.shape)
    rank = rank_some(order, framed, closed)
    none = np.empty(0, np.int64)
    pairs: list[tuple[np.ndarray, ...]] = [(none, none, none)] * 3
    if wanted[0]:
        steps = flat_steps(OFFSETS[3, connectivity], framed)
        born, died, roots = _join_above(order, rank, steps)
        oldest, roots = ([-1], roots) if closed else (voxels[roots[:1]], roots[1:])
        born = np.concatenate((oldest, voxels[born], voxels[roots]))
        died = np.concatenate(([-1], voxels[died], np.full(len(roots), CENSORED)))
        pairs[0] = born, died, np.full(len(born), -1)
    if wanted[1]:
        pairs[1] = _tunnels_above(framed, order, closed, connectivity > 1)
    if wanted[2]:
        pairs[2] = _cavities_above(image, voxels, order, rank, connectivity, closed)
    return pairs


def _tunnels_above(
    framed: tuple[int, ...], order: np.ndarray, closed: bool, full: bool
) -> tuple[np.ndarray, ...]:
    """Return the voxels that close tunnels, those that fill them, and the closing edges."""
    grid = make_grid(framed, order, full, closed)
    cells = filter_cells(grid, order)
    leave_out_cavities(grid, cells)
    edges, filled = fill_loops(grid, cells, cells)
    living, _ = open_loops(grid, cells, filled)
    ages = cells.edges[np.concatenate((edges, living))]
    fills = np.concatenate((cells.squares[filled[edges] - 1], np.zeros_like(living)))
    # Most tunnels are closed and filled by one voxel: they have no length.
    lasting = ages >> 4 != fills >> 4
    ages, fills = ages[lasting], fills[lasting]
    rising = np.lexsort((ages & 15, -(fills >> 4), ages >> 4))
    ages, fills = ages[rising], fills[rising]
    born = unframe(entering_voxels(cells, ages), framed)
    died = np.full(len(born), CENSORED)
    died[fills > 0] = unframe(entering_voxels(cells, fills[fills > 0]), framed)
    return born, died, 16 * born + (ages & 15)


def _cavities_above(
    image: np.ndarray,
    voxels: np.ndarray,
    order: np.ndarray,
    rank: np.ndarray,
    connectivity: int,
    closed: bool,
) -> tuple[np.ndarray, ...]:
    """Return the voxels that close a cavity's wall, and its lowest voxels."""
    n, framed = voxels.size, tuple(k + 2 for k in image.shape)
    low = np.ones(image.shape, np.bool_)
    low.ravel()[voxels] = False
    dual = dual_connectivity(connectivity, 3)
    labels, count = label_components(low, connectivity=dual)
    outer = np.arange(count + 1) == 0
    if not closed:
        for axis in range(3):
            outer[np.take(labels, (0, -1), axis)] = True
    pits = _lowest_voxels(image.ravel(), labels.ravel(), outer)
    # The pieces inside, the last to be filled first; of equal ones that with the largest index.
    pieces = np.flatnonzero(pits >= 0)
    pieces = pieces[np.lexsort((-pits[pieces], image.ravel()[pits[pieces]]))]
    place = np.full(count + 1, -1, np.int64)
    place[pieces] = np.arange(len(pieces))  # 0 for the lowest
    around = np.zeros(framed, np.int32)
    if len(pieces):
        around[1:-1, 1:-1, 1:-1] = labels
    steps = flat_steps(OFFSETS[3, dual], framed)
    born, died = _close_above(order, rank, around.ravel(), place, steps, len(pieces), closed)
    last = np.concatenate((voxels, pits[pieces][::-1]))  # the later, the lower
    birth, death = np.where(born < 0, -1, voxels[born] if n else -1), last[died]
    return birth, death, np.full(len(birth), -1)


@kernel
def _lowest_voxels(values, labels, outer):
    """Return the last of the lowest voxels of each label, -1 for those outside."""
    pits = np.full(outer.size, -1, np.int64)
    for p in range(values.size):
        label = labels[p]
        if not outer[label] and (pits[label] < 0 or values[p] <= values[pits[label]]):
            pits[label] = p
    return pits


@kernel
def _join_above(order, rank, steps):
    """Join the components that meet; return the places in `order` of births, deaths and survivors.

    The first survivor is the oldest, but for the frame, whose rank is -1.
    """
    parent = np.arange(order.size + 1).astype(np.int32)  # the last entry is the frame
    born, died = np.empty(order.size, np.int32), np.empty(order.size, np.int32)
    n = 0
    for i in range(order.size):
        for step in steps:
            j = rank[order[i] + step]
            if j >= i:
                continue
            old, young = find_root(parent, j if j >= 0 else order.size), find_root(parent, i)
            if old == young:
                continue
            if old != order.size and (young == order.size or young < old):
                old, young = young, old
            parent[young] = old
            if young != i:
                born[n], died[n] = young, i
                n += 1
    roots = np.empty(order.size, np.int32)
    m = 0
    for i in range(order.size):
        if parent[i] == i:
            roots[m] = i
            m += 1
    return born[:n], died[:n], roots[:m]


@kernel
def _close_above(order, rank, labels, place, steps, pieces, closed):
    """Walk back, join components of the background, and pair the younger; returns are places.

    Places count the voxels in `order`, then the `pieces` that are there at the floor, the lowest
    last. The outside is older than all. With `closed` there is none, and what stays is paired with
    the frame, -1.
    """
    n = order.size
    outside = n + pieces
    parent = np.arange(outside + 1).astype(np.int32)  # the larger, the older
    born, died = np.empty(outside + 1, np.int32), np.empty(outside + 1, np.int32)
    count = 0
    for i in range(n - 1, -1, -1):
        for step in steps:
            q = order[i] + step
            j = np.int64(rank[q])
            if j < i:
                continue
            if j == n:
                piece = place[labels[q]]
                j = outside - 1 - piece if piece >= 0 else np.int64(outside)
            one, other = find_root(parent, j), find_root(parent, i)
            if one == other:
                continue
            young, old = min(one, other), max(one, other)
            parent[young] = old
            if young != i:
                born[count], died[count] = i, young
                count += 1
    if closed and outside > 0:
        born[count], died[count] = -1, find_root(parent, 0)
        count += 1
    return born[:count], died[:count]
