r"""Which square fills which tunnel: the boundary matrix of a volume, with its rows in any order.

The pairs of one volume need a matrix whose rows and columns stand in one order. A matching needs
more: the columns, squares, in the order of the union of two volumes, and the rows, edges, in that
of one of the two (see the module `betti_matching`). Here is the reduction for both.

**Cells.** Tunnels live between edges and squares, and these hang on a grid of points. With
connectivity 1 the points are the voxels, and a cell enters with the last of its voxels. With the
full connectivity the voxels are solid cubes, the points are their corners, and a cell enters with
the first voxel that it touches::

        connectivity 1                         full connectivity

        o---o---o   points: voxels             o---o---o   points: corners
        | s |   |   s: a square, there         | v | v |   v: voxels, the cubes of this complex
        o---o---o      when all four are       o---o---o

Points have the places of voxels: a point of the second kind is the corner of a voxel that comes
first. Only those near some voxels are looked at: they are numbered from 1 on, and 0 stands for all
others. Edges are numbered by three times the first of their points, plus the axis along them;
squares by the same, plus the axis across them. So both complexes have one combinatorics: the cubes
on both sides of the square (i, axis) have the numbers i and that of the point before i.

**Ages.** The *age* of a voxel is how many voxels do not enter before it; it is 0 where a voxel
never enters, and the largest of all in a frame that is there from the beginning. A cell's age is
sixteen times that of the voxel with which it enters, plus a number below 16, which tells apart the
cells of one voxel: the order of ties. The smaller, the later.

**Ties.** Cells that enter with one voxel come by the flat index of their first point and then by
their axis, for connectivity 1; for the full one by the flat index of their middle, on a grid that
is twice as fine. That is the order of the authors' program (see `betti_matching`): it puts the full
connectivity on such a grid, which has eight times as many cells. Those inside an edge or a square
of ours enter together with it, and fill nothing but each other.

**What is cheap.** Nearly all squares have an *apparent* partner: an edge that is the last around
the square, while the square is the first around the edge. It is its pivot, whatever else the matrix
holds, for any two orders of rows and columns; so it is found in one walk through the cells as they
lie in memory. Squares that close a cavity fill no tunnel and are left out: taken away again, the
last first, each lets two cubes meet, or a cube and the outside, so they are a spanning tree of the
cubes, of which the last square around each cube is a part. What is left are one or two columns for
each hundred squares, and they are short.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from .frame import flat_steps, frame_voxels
from .kernels import kernel
from .loops import cancel_pairs, pop_largest, push
from .order import find_root

__all__: list[str] = []


class Grid(NamedTuple):
    """The points near some voxels of a framed volume."""

    full: bool  # whether the connectivity is
    frame: np.ndarray | None  # the points in the frame, if it is there from the beginning
    number: np.ndarray  # of the point at each place
    up: np.ndarray  # for each axis and point the number of the next one
    down: np.ndarray  # and of the one before


class Filtration(NamedTuple):
    """When the cells of a grid enter."""

    order: np.ndarray  # the places of the voxels that do
    age: np.ndarray  # of the voxels at all points
    edges: np.ndarray  # their ages
    squares: np.ndarray  # their ages, negative for those that close a cavity
    first: int  # an age from which on a cell is part of the frame, which is no part of a column


def _tabulate(full: bool, squares: bool) -> np.ndarray:
    """Tabulate how each voxel of a cell tells it apart from others that enter with this voxel.

    Returns for each axis as many numbers from 4 to 15 as `_set_ages` looks at voxels: the larger,
    the earlier the cell comes.
    """
    axes = np.eye(3, dtype=int)
    ties = []
    for axis in range(3):
        sides = [k for k in range(3) if (k == axis) == (squares == full)]
        sign = -1 if full else 1
        around = [sign * axes[sides].T @ np.array(n) for n in product((0, 1), repeat=len(sides))]
        middle = (squares - axes[axis] if squares else axes[axis]) - (1 if full else 0)
        ties.append([(*(middle - 2 * o), 0) if full else (*-o, axis) for o in around])
    places = sorted({tie for row in ties for tie in row})
    return np.array([[15 - places.index(tie) for tie in row] for row in ties])


# Of each connectivity: its edges, its squares.
TIES = {full: (_tabulate(full, False), _tabulate(full, True)) for full in (False, True)}


def make_grid(shape: tuple[int, ...], voxels: np.ndarray, full: bool, closed: bool) -> Grid:
    """Return the grid near some voxels, given by their flat indices into a framed volume.

    `closed` says whether the frame is there from the beginning.
    """
    steps = flat_steps(np.eye(3, dtype=int), shape)
    near = np.zeros(int(np.prod(shape)), np.bool_)
    near[voxels] = True
    # The corners of a voxel; or the first points of all cells at it, and of the faces of its cubes.
    for step in steps:
        near[step:] |= near[:-step]
        if closed or not full:
            near[:-step] |= near[step:]
    points = np.flatnonzero(near)
    count = np.arange(1, points.size + 1, dtype=np.int32)
    number = np.zeros(near.size + int(steps.sum()), np.int32)
    number[points] = count
    up, down = np.zeros((2, 3, points.size + 1), np.int32)
    for axis in range(3):
        up[axis, 1:] = number[points + steps[axis]]
        down[axis, up[axis, 1:]] = count
        down[axis, 0] = 0
    frame = number[frame_voxels(shape)] if closed else None
    return Grid(full, frame, number, up, down)


def filter_cells(grid: Grid, order: np.ndarray, kinds: int = 2) -> Filtration:
    """Return when the cells enter if the voxels do in a certain order: edges, and if 2 squares."""
    n, size = order.size, grid.up.shape[1]
    dtype = np.int32 if 16 * (n + 2) < 2**31 else np.int64
    age = np.zeros(size, dtype)
    age[grid.number[order]] = np.arange(n, 0, -1, dtype=dtype)
    if grid.frame is not None:
        age[grid.frame] = n + 1
        age[0] = 0
    cells = []
    for ties in TIES[grid.full][:kinds]:
        ages = np.zeros(3 * size, dtype)
        _set_ages(grid.down if grid.full else grid.up, age, ties.astype(dtype), grid.full, ages)
        cells.append(ages)
    return Filtration(order, age, cells[0], cells[-1], 16 * (n + 1))


def leave_out_cavities(grid: Grid, filtration: Filtration) -> None:
    """Make the ages of squares that close a cavity negative."""
    squares, node = filtration.squares, np.arange(grid.up.shape[1], dtype=np.int32)
    left = _join_at_last(grid, filtration.age, squares, filtration.first, node)
    _join_cubes(left[np.argsort(squares[left].astype(np.int64))], grid.down, squares, node)


def fill_loops(
    grid: Grid,
    rows: Filtration,
    columns: Filtration,
    enough: tuple[int, int] = (0, -1),
    loops: tuple[np.ndarray, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges whose loops are filled, in no special order, and what fills each edge.

    That is one more than the number of a square, 0 where nothing does. `columns` went through
    `leave_out_cavities`. With `enough`, an age and a number, we may end when so many edges of at
    least this age are filled by squares of a lesser age. `loops`, of edges, are further columns,
    after all squares: what is left of number k fills one as -1 - k.
    """
    start = np.cumsum([0, *map(len, loops)])
    chains = np.concatenate([np.empty(0, np.int64), *loops])
    filled, found = np.zeros(rows.edges.size, np.int32), np.empty(rows.edges.size, np.int32)
    rest, n = _pair_apparent(grid, rows.edges, columns, filled, found)
    rest = rest[np.argsort(-columns.squares[rest].astype(np.int64))]
    n = _fill_loops(grid, rows, columns, (filled, found, n), (rest, chains, start), enough)
    return found[:n], filled


def open_loops(grid: Grid, cells: Filtration, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges that close a loop which no square fills, the first first, and a forest.

    `filled` is what `fill_loops` says for these cells as rows and columns; the forest are the edges
    with which components meet.
    """
    edges = np.flatnonzero((cells.edges > 0) & (cells.edges < cells.first) & (filled == 0))
    edges = edges[np.argsort(-cells.edges[edges].astype(np.int64))]
    return _join_points(edges, grid.up, _on_frame(grid, cells))


def draw_loops(
    grid: Grid, cells: Filtration, forest: np.ndarray, some: np.ndarray
) -> list[np.ndarray]:
    """Return loops, each as its edges, of which the last is one of `some`, from `open_loops`."""
    up = _grow_trees(forest, grid, _on_frame(grid, cells))
    return [_climb(edge, up, grid.up) for edge in some]


def _on_frame(grid: Grid, cells: Filtration) -> np.ndarray:
    """Say which points are a part of the frame: all these are one."""
    there = cells.age > cells.order.size
    for down in grid.down if grid.full else ():
        there |= there[down]
    return there


def entering_voxels(filtration: Filtration, ages: np.ndarray) -> np.ndarray:
    """Return the voxels with which cells of these ages enter."""
    return filtration.order[filtration.order.size - (np.abs(ages) >> 4)]


_OTHERS = ((1, 2), (0, 2), (0, 1))  # the axes across each


@kernel
def _set_ages(way, age, ties, full, ages):
    """Write the ages of all cells, 0 for those that never enter.

    The voxels of a cell are found by `way`: two along its axis, or four along the two others.
    """
    for p in range(1, age.size):
        for axis in range(3):
            (a, b), tie = _OTHERS[axis], ties[axis]
            if tie.size == 2:
                q = way[axis, p]
                one, other = 16 * age[p] + tie[0], 16 * age[q] + tie[1]
                early, late = max(one, other), min(one, other)
            else:
                q, r = way[b, p], way[a, p]
                one, other = 16 * age[p] + tie[0], 16 * age[q] + tie[1]
                third, last = 16 * age[r] + tie[2], 16 * age[way[b, r]] + tie[3]
                early = max(max(one, other), max(third, last))
                late = min(min(one, other), min(third, last))
            found = early if full else late
            ages[3 * p + axis] = found if found >= 16 else 0


@kernel
def _join_at_last(grid, age, squares, first, node):
    """Let each cube meet the one, or the outside, behind the last square around it.

    That square is one of those sought, whatever the others do, so its age is made negative. The
    components are trees in `node`, where each point leads to itself at first; 0 is the outside.
    Returns the squares that are left between two of them.
    """
    for p in range(1, age.size):
        there = age[p] > 0
        for axis in range(0 if grid.full else 3):  # else all around it must be there
            around = squares[3 * p + axis] * squares[3 * grid.up[axis, p] + axis]
            there = around != 0 if axis == 0 else there & (around != 0)
        node[p] = p if there else 0
    for p in range(1, age.size):
        if node[p] == 0:
            continue
        last, beyond, least = np.int64(-1), node[0], np.int64(first)
        for axis in range(3):
            for way in range(2):
                q = grid.up[axis, p]
                square = 3 * np.int64(q if way else p) + axis
                one = np.int64(abs(squares[square]))
                if 0 < one < least:
                    least, last = one, square
                    beyond = q if way else grid.down[axis, p]
        if last >= 0 and squares[last] > 0:  # else the cube beyond has led here, or all is frame
            squares[last] = -squares[last]
            node[p] = beyond
    for p in range(1, age.size):
        node[p] = find_root(node, p)
    left, n = np.empty(squares.size, np.int32), 0
    for s in range(3, squares.size):
        left[n] = s  # written always and kept at times: no branch to mispredict
        n += (0 < squares[s] < first) & (node[s // 3] != node[grid.down[s % 3, s // 3]])
    return left[:n]


@kernel
def _join_cubes(order, down, squares, node):
    """Let cubes meet at some squares, one after the other; negate the ages of those that do it."""
    for s in order:
        one, other = find_root(node, s // 3), find_root(node, down[s % 3, s // 3])
        if one != other:
            node[max(one, other)] = min(one, other)
            squares[s] = -squares[s]


@kernel
def _fill_loops(grid, rows, columns, apparent, others, enough):
    """Fill all other loops, after the apparent ones; return how many are filled.

    `apparent` is what `_pair_apparent` wrote, and now writes on, and how many it found; `others`
    are the squares that are left, in order, the edges of all `loops`, and where each begins. A
    negative number is that of a column that is stored, while we work; all other columns are as they
    were. Keys grow in the order of entry.
    """
    filled, found, n = apparent
    rest, chains, begin = others
    age, count = enough
    up, edges, frame, squares = grid.up, rows.edges, rows.first, columns.squares
    for e in found[:n] if count > 0 else found[:0]:
        count -= age <= edges[e] < frame and squares[filled[e] - 1] < age
    total = rest.size + begin.size - 1
    pivots, start = np.full(total, -1), np.zeros(total + 1, np.int64)
    store, heap = np.empty(1024, np.int64), np.empty(1024, np.int64)
    for k in range(total):
        if count == 0:
            break
        start[k + 1] = start[k]
        size, is_square = 0, k < rest.size
        if is_square:
            e = _last_edge(rest[k], up, edges)
            if filled[e] == 0:
                filled[e], found[n] = rest[k] + 1, e
                n += 1
                count -= age <= edges[e] and squares[rest[k]] < age
                continue
            size, heap = _add(heap, 0, rest[k], up, edges, frame)
        else:
            for e in chains[begin[k - rest.size] : begin[k - rest.size + 1]]:
                size, heap = push(heap, size, (frame - np.int64(edges[e])) << 31 | e)
        while True:
            size = cancel_pairs(heap, size)
            if size == 0:
                break
            e = heap[0] & _NUMBER
            if filled[e] == 0:
                break
            if filled[e] > 0:
                size, heap = _add(heap, size, np.int64(filled[e]) - 1, up, edges, frame)
            else:
                for i in range(start[-1 - filled[e]], start[-filled[e]]):
                    size, heap = push(heap, size, store[i])
        if size > 0:
            pivots[k] = found[n] = heap[0] & _NUMBER
            n += 1
            filled[pivots[k]] = -1 - k
            count -= is_square and age <= edges[pivots[k]] and squares[rest[k]] < age
        used = start[k]
        while size > 0:
            if used == store.size:
                store = np.concatenate((store, store))
            store[used] = heap[0]
            used += 1
            size = cancel_pairs(heap, pop_largest(heap, size))
        start[k + 1] = used
    for k in range(total):
        if pivots[k] >= 0:
            filled[pivots[k]] = rest[k] + 1 if k < rest.size else rest.size - 1 - k
    return n


@kernel
def _pair_apparent(grid, edges, columns, filled, found):
    """Write in `filled`, of zeros, one more than the number of the apparent square of each edge.

    These edges are listed in `found`. Returns the other squares, and the length of the list.
    """
    squares, down = columns.squares, grid.down
    rest, m, n = np.empty(1024, np.int64), 0, 0
    for s in range(3, squares.size):
        age = squares[s]
        if not 0 < age < columns.first:
            continue
        last = _last_edge(s, grid.up, edges)
        p, b, c = last // 3, (last + 1) % 3, (last + 2) % 3
        if (
            squares[3 * p + b] <= age
            and squares[3 * np.int64(down[c, p]) + b] <= age
            and squares[3 * p + c] <= age
            and squares[3 * np.int64(down[b, p]) + c] <= age
        ):
            filled[last], found[n] = s + 1, last
            n += 1
            continue
        if m == rest.size:
            rest = np.concatenate((rest, rest))
        rest[m] = s
        m += 1
    return rest[:m], n


_NUMBER = (1 << 31) - 1  # the part of a key that is the edge's number


@kernel
def _edges_around(s, up):
    """Return the four edges around a square."""
    p, b, c = s // 3, (s + 1) % 3, (s + 2) % 3
    return 3 * p + b, 3 * np.int64(up[c, p]) + b, 3 * p + c, 3 * np.int64(up[b, p]) + c


@kernel
def _last_edge(s, up, edges):
    """Return the last of the four edges around a square."""
    last, late = np.int64(s), np.int64(0)
    for e in _edges_around(s, up):
        if edges[e] > 0 and (late == 0 or edges[e] < late):  # on the frame some are 0
            last, late = e, np.int64(edges[e])
    return last


@kernel
def _add(heap, size, s, up, edges, frame):
    """Push the edges around a square on a heap, as keys that grow in the order of entry."""
    for e in _edges_around(s, up):
        if 0 < edges[e] < frame:
            size, heap = push(heap, size, (frame - np.int64(edges[e])) << 31 | e)
    return size, heap


@kernel
def _join_points(edges, up, there):
    """Join points by edges in their order; return those that close a loop, and those that join.

    All points that are `there` are one, number 0.
    """
    parent = np.arange(there.size)
    parent[there] = 0
    closing, joins = np.empty(edges.size, np.int64), np.empty(edges.size, np.int64)
    n = m = 0
    for e in edges:
        one, other = find_root(parent, e // 3), find_root(parent, np.int64(up[e % 3, e // 3]))
        if one == other:
            closing[n] = e
            n += 1
        else:
            parent[max(one, other)] = min(one, other)
            joins[m] = e
            m += 1
    return closing[:n], joins[:m]


@kernel
def _grow_trees(forest, grid, there):
    """Return for each point the edge on its way to a root, -1 at a root; what is `there` is one."""
    joined = np.zeros(3 * there.size, np.bool_)
    for e in forest:
        joined[e] = True
    edge = np.full(there.size, -1, np.int32)
    seen = there.copy()
    queue = np.empty(there.size, np.int64)
    for is_root in (True, False):  # first what hangs on the frame
        for p in range(1, there.size):
            if (is_root and not there[p]) or (not is_root and seen[p]):
                continue
            seen[p] = True
            queue[0], size, at = p, 1, 0
            while at < size:
                q = queue[at]
                at += 1
                for axis in range(3):
                    for other in (grid.down[axis, q], grid.up[axis, q]):
                        e = 3 * min(q, other) + axis
                        if joined[e] and not seen[other]:
                            seen[other], edge[other] = True, e
                            queue[size] = other
                            size += 1
    return edge


@kernel
def _climb(edge, to_root, up):
    """Return an edge and the ways from both its ends to the root; what is there twice is none."""
    chain, n = np.empty(1024, np.int64), 1
    chain[0] = edge
    for p in (edge // 3, np.int64(up[edge % 3, edge // 3])):
        while to_root[p] >= 0:
            if n == chain.size:
                chain = np.concatenate((chain, chain))
            e = np.int64(to_root[p])
            chain[n] = e
            n += 1
            p = e // 3 if p != e // 3 else np.int64(up[e % 3, e // 3])
    return chain[:n].copy()
