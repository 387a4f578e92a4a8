"""The matching of tunnels as it was done first, on a grid that is twice as fine: an oracle.

The full connectivity is put on a grid of the centres, sides, edges and corners of the voxels, and
five matrices of its squares and edges are reduced, all of them whole, with no thought of time: for
each image its own, that of their union, and those of the union's squares and each image's edges. So
does the authors' program, whose order of ties this is. `toposeg_lite.topology.tunnels` works on
another complex, with an eighth of the cells.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from toposeg_lite.topology.betti_matching import _ordered
from toposeg_lite.topology.frame import unframe
from toposeg_lite.topology.kernels import kernel
from toposeg_lite.topology.loops import cancel_pairs, pop_largest, push
from toposeg_lite.topology.order import find_root


def matched_tunnels(
    first: np.ndarray, second: np.ndarray, connectivity: int, closed: bool
) -> list[tuple[int, int]]:
    """Return the names of the matched tunnels of two volumes, in both, sorted."""
    sides = [_ordered(first, closed), _ordered(second, closed)]
    both = _ordered(np.maximum(first, second), closed)
    found = _tunnels(sides, both, connectivity > 1, closed)
    return sorted(zip(*(names.tolist() for names in found), strict=True))


def _tunnels(
    sides: list[Any], both: Any, full: bool, closed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Match tunnels: those that are filled by the same square of the comparison image."""
    rank = _cell_ranks(both, full, closed)
    squares = _square_order(rank)
    _, _, _, filled_later = _own_tunnels(both, rank, squares)
    named = []  # for each of these squares the tunnel that it fills in the comparison image
    for side in sides:
        rank = _cell_ranks(side, full, closed)
        edges, born, died, lasts = _own_tunnels(side, rank, _square_order(rank))
        number = np.full(3 * rank.size, -1)  # of each edge: the tunnel that it closes
        number[edges[lasts]] = np.flatnonzero(lasts)
        number = number[_fill_loops(squares, rank)]
        size = np.prod(np.array(side.shape) - 2)
        name = unframe(born[number], side.shape) * size + unframe(died[number], side.shape)
        named.append(np.where((number >= 0) & filled_later, name, -1))
    shared = (named[0] >= 0) & (named[1] >= 0)
    return named[0][shared], named[1][shared]


def _own_tunnels(
    image: Any, rank: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return for each square the edge whose loop it fills, the voxels of both, and if they differ.

    They are the voxels with which edge and square enter; what differs is their value.
    """
    edges = _fill_loops(squares, rank)
    # Where the frame's ranks, -1, are looked up, the last entry stands.
    voxels = np.append(image.order, 0)
    born, died = (voxels[last] for last in _last_ranks(rank, edges, squares))
    return edges, born, died, image.values[born] != image.values[died]


def _cell_ranks(image: Any, full: bool, closed: bool) -> np.ndarray:
    """Return when each point of a complex of points, edges, squares and cubes enters.

    With connectivity 1 the points are the voxels; with the full connectivity the centres, sides,
    edges and corners of the voxels, each of which enters with the first voxel that it touches.
    """
    rank = image.rank.reshape(image.shape)
    if not closed:
        rank = rank[1:-1, 1:-1, 1:-1]
    if not full:
        return np.ascontiguousarray(rank)
    points = np.full([2 * n + 1 for n in rank.shape], rank.max() + 1, np.int32)
    for corner in product((0, 1, 2), repeat=3):
        view = points[
            tuple(slice(a, a + 2 * n, 2) for a, n in zip(corner, rank.shape, strict=True))
        ]
        np.minimum(view, rank, out=view)
    return points


def _last_ranks(
    rank: np.ndarray, edges: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return with which voxels edges and squares enter: see `_square_order` for their numbers."""
    flat, steps = rank.ravel(), _axis_steps(rank)
    v, axis = np.divmod(edges, 3)
    of_edges = np.maximum(flat[v], flat[v + steps[axis]])
    v, axis = np.divmod(squares, 3)
    a, b = steps[(axis + 1) % 3], steps[(axis + 2) % 3]
    return of_edges, np.max([flat[v], flat[v + a], flat[v + b], flat[v + a + b]], axis=0)


@kernel
def _axis_steps(volume):
    """Return the steps in flat index along the three axes of a volume."""
    return np.array([volume.shape[1] * volume.shape[2], volume.shape[2], 1])


@kernel
def _sort_cells(last):
    """Sort cells by the rank with which they enter, equal ones by number; -2 stands for no cell."""
    start = np.zeros(last.max() + 3, np.int64)
    for rank in last:
        if rank > -2:
            start[rank + 2] += 1
    start = np.cumsum(start)
    cells = np.empty(start[-1], np.int64)
    for cell in range(last.size):
        if last[cell] > -2:
            cells[start[last[cell] + 1]] = cell
            start[last[cell] + 1] += 1
    return cells


@kernel
def _square_order(rank):
    """Sort the squares of a volume by the voxel with which they enter, and leave some out.

    A square is numbered by three times its smallest voxel, plus the axis across it, and an edge
    likewise, plus the axis along it. Both enter with the last of their voxels, at its `rank`; those
    that enter together stand in the order of their numbers. Left out are the squares that close a
    cavity: taken away again, the last first, each lets two cubes meet, or a cube and the outside.
    """
    depth, height, width = rank.shape
    flat, steps = rank.ravel(), _axis_steps(rank)
    last = np.full(3 * flat.size, -2, np.int32)  # the rank of each square's last voxel
    for d in range(depth):
        for r in range(height):
            for c in range(width):
                v = (d * height + r) * width + c
                inner = (d < depth - 1, r < height - 1, c < width - 1)
                for axis in range(3):
                    i, j = (axis + 1) % 3, (axis + 2) % 3
                    if inner[i] and inner[j]:
                        a, b = v + steps[i], v + steps[j]
                        late = max(max(flat[v], flat[a]), max(flat[b], flat[a + steps[j]]))
                        last[3 * v + axis] = late
    squares = _sort_cells(last)

    outside = np.int32(flat.size)
    cube = np.arange(flat.size + 1).astype(np.int32)  # named by their smallest voxels
    kept = squares.size
    for k in range(squares.size - 1, -1, -1):
        v, axis = divmod(squares[k], 3)
        place = (v // steps[0], v // steps[1] % height, v % width)[axis]
        before = find_root(cube, v if place < rank.shape[axis] - 1 else outside)
        behind = find_root(cube, v - steps[axis] if place > 0 else outside)
        if before == behind:
            kept -= 1
            squares[kept] = squares[k]
        else:
            cube[min(before, behind)] = max(before, behind)
    return squares[kept:].copy()


@kernel
def _boundary(square, flat, steps, edges):
    """Write the four edges of a square as keys that grow in the order of entry."""
    v, axis = divmod(square, 3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    edges[0] = _key(v, i, flat, steps)
    edges[1] = _key(v, j, flat, steps)
    edges[2] = _key(v + steps[j], i, flat, steps)
    edges[3] = _key(v + steps[i], j, flat, steps)


@kernel
def _key(v, axis, flat, steps):
    """Return the key of an edge: the rank of its later voxel, and its number."""
    late = np.int64(max(flat[v], flat[v + steps[axis]]) + 1)
    return late << 32 | (3 * v + axis)


@kernel
def _joining_edges(rank):
    """Say of each edge whether it joins two components when it enters: such closes no loop."""
    flat, steps = rank.ravel(), _axis_steps(rank)
    last = np.full(3 * flat.size, -2, np.int32)
    for v in range(flat.size):
        place = (v // steps[0], v // steps[1] % rank.shape[1], v % rank.shape[2])
        for axis in range(3):
            if place[axis] < rank.shape[axis] - 1:  # it does not lead around to the other side
                last[3 * v + axis] = max(flat[v], flat[v + steps[axis]])
    parent = np.arange(flat.size).astype(np.int32)
    joins = np.zeros(3 * flat.size, np.bool_)
    for edge in _sort_cells(last):
        v, axis = divmod(edge, 3)
        a, b = find_root(parent, v), find_root(parent, v + steps[axis])
        if a != b:
            parent[max(a, b)] = min(a, b)
            joins[edge] = True
    return joins


@kernel
def _fill_loops(squares, rank):
    """Reduce the matrix of squares and edges; return for each square the edge whose loop it fills.

    `squares` are the columns in their order, from `_square_order`, perhaps of another volume; the
    rows stand in the order of `rank`. No column is empty in the end: those that could be are left
    out. So are, from the columns that are worked out, the edges that join components in this order:
    they are never the last edge of a loop. Most columns have a pivot of their own from the start
    and are not worked out at all.
    """
    flat, steps = rank.ravel(), _axis_steps(rank)
    owner = np.full(3 * flat.size, -1, np.int32)  # of each edge: the column whose pivot it is
    start = np.full(squares.size, -1, np.int64)  # where a column is stored, unless it is as it was
    stop = np.empty(squares.size, np.int64)
    store, heap = np.empty(1024, np.int64), np.empty(1024, np.int64)
    used = 0
    joins = _joining_edges(rank)
    edges = np.empty(4, np.int64)
    filled = np.empty(squares.size, np.int64)
    for c in range(squares.size):
        _boundary(squares[c], flat, steps, edges)
        pivot = edges.max() & 0xFFFFFFFF
        if owner[pivot] < 0:
            owner[pivot] = c
            filled[c] = pivot
            continue
        size = 0
        for edge in edges:
            if not joins[edge & 0xFFFFFFFF]:
                size, heap = push(heap, size, edge)
        while True:
            size = cancel_pairs(heap, size)
            pivot = heap[0] & 0xFFFFFFFF
            other = owner[pivot]
            if other < 0:
                break
            if start[other] < 0:
                _boundary(squares[other], flat, steps, edges)
                for edge in edges:
                    if not joins[edge & 0xFFFFFFFF]:
                        size, heap = push(heap, size, edge)
            else:
                for k in range(start[other], stop[other]):
                    size, heap = push(heap, size, store[k])
        owner[pivot] = c
        filled[c] = pivot
        start[c] = used
        while size > 0:
            if used == store.size:
                store = np.concatenate((store, store))
            store[used] = heap[0]
            used += 1
            size = cancel_pairs(heap, pop_largest(heap, size))
        stop[c] = used
    return filled
