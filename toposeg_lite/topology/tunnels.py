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

Points are numbered as voxels are: point number i of the second kind is the corner of voxel i that
comes first. Edges are numbered by three times the first of their points, plus the axis along them;
squares by the same, plus the axis across them. So both complexes have one combinatorics: the cubes
on both sides of the square (i, axis) have the numbers i and i minus a step along the axis.

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

from .frame import flat_steps
from .kernels import kernel
from .loops import cancel_pairs, pop_largest, push
from .order import find_root

__all__: list[str] = []


class Grid(NamedTuple):
    """The cells near some voxels of a framed volume."""

    shape: tuple[int, ...]
    full: bool  # whether the connectivity is
    steps: np.ndarray  # in flat index, along the three axes
    points: np.ndarray  # those of which cells may enter, rising
    # What to add to the number of a square for its edges, and to that of an edge for the squares
    # around it: four for each axis.
    around: np.ndarray
    beside: np.ndarray


class Filtration(NamedTuple):
    """When the cells of a grid enter."""

    order: np.ndarray  # the voxels that do
    age: np.ndarray
    edges: np.ndarray  # their ages
    squares: np.ndarray  # their ages, negative for those that close a cavity
    first: int  # an age from which on a cell is part of the frame, which is no part of a column


def _tabulate(full: bool, squares: bool) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the voxels of the cells at a point, and how each of them tells apart its cells.

    Returns for each axis the offsets of the voxels, and as many numbers from 4 to 15: the larger,
    the earlier the cell comes among those that enter with this voxel.
    """
    axes = np.eye(3, dtype=int)
    offsets, ties = [], []
    for axis in range(3):
        sides = [k for k in range(3) if (k == axis) == (squares == full)]
        sign = -1 if full else 1
        around = [sign * axes[sides].T @ np.array(n) for n in product((0, 1), repeat=len(sides))]
        middle = (squares - axes[axis] if squares else axes[axis]) - (1 if full else 0)
        offsets.append(around)
        ties.append([(*(middle - 2 * o), 0) if full else (*-o, axis) for o in around])
    places = sorted({tie for row in ties for tie in row})
    return np.array(offsets), np.array([[15 - places.index(t) for t in row] for row in ties])


# Of each connectivity: its edges, its squares.
CELLS = {full: (_tabulate(full, False), _tabulate(full, True)) for full in (False, True)}


def make_grid(shape: tuple[int, ...], voxels: np.ndarray, full: bool) -> Grid:
    """Return the grid near some voxels, given by their flat indices into a framed volume."""
    steps = flat_steps(np.eye(3, dtype=int), shape)
    near = np.zeros(int(np.prod(shape)), np.bool_)
    near[voxels] = True
    # The corners of a voxel; or the first points of all cells at it, and of the faces of its cubes.
    for step in steps:
        near[step:] |= near[:-step]
        if not full:
            near[:-step] |= near[step:]
    around, beside = np.empty((3, 4), np.int64), np.empty((3, 4), np.int64)
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        around[a] = b - a, b - a + 3 * steps[c], c - a, c - a + 3 * steps[b]
        beside[a] = b - a, b - a - 3 * steps[c], c - a, c - a - 3 * steps[b]
    return Grid(shape, full, steps, np.flatnonzero(near).astype(np.int32), around, beside)


def filter_cells(
    grid: Grid, order: np.ndarray, frame: np.ndarray | None, kinds: int = 2
) -> Filtration:
    """Return when the cells enter if the voxels do in a certain order: edges, and if 2 squares.

    `frame` are the voxels that are there from the beginning, if any.
    """
    n = order.size
    dtype = np.int32 if 16 * (n + 2) < 2**31 else np.int64
    # Arrays of zeros take no memory where nobody looks. No step from a point leads out of them.
    age = np.zeros(int(np.prod(grid.shape) + grid.steps.sum()), dtype)
    age[order] = np.arange(n, 0, -1, dtype=dtype)
    if frame is not None:
        age[frame] = n + 1
    cells = []
    for offsets, ties in CELLS[grid.full][:kinds]:
        ages = np.zeros(3 * age.size, dtype)
        steps = flat_steps(offsets, grid.shape)
        _set_ages(grid.points, age, steps, ties.astype(dtype), grid.full, ages)
        cells.append(ages)
    return Filtration(order, age, cells[0], cells[-1], 16 * (n + 1))


def leave_out_cavities(grid: Grid, filtration: Filtration) -> None:
    """Make the ages of squares that close a cavity negative."""
    _, age, _, squares, first = filtration
    # Large arrays are NumPy's where they can be: those of the kernels come in smaller pages.
    node = np.empty(age.size + 1, np.int32)
    left = _join_at_last(grid, age, squares, first, node)
    _join_cubes(left[np.argsort(squares[left].astype(np.int64))], grid.steps, squares, node)


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
    filled, found = np.zeros(rows.edges.size, np.int32), np.empty(3 * grid.points.size, np.int32)
    rest, n = _pair_apparent(grid, rows.edges, columns, filled, found)
    rest = rest[np.argsort(-columns.squares[rest].astype(np.int64))]
    n = _fill_loops(grid, rows, columns, (filled, found, n), (rest, chains, start), enough)
    return found[:n], filled


def open_loops(grid: Grid, cells: Filtration, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges that close a loop which no square fills, the first first, and a forest.

    `filled` is what `fill_loops` says for these cells as rows and columns; the forest are the edges
    with which components meet.
    """
    edges = _list_others(grid.points, cells.edges, cells.first, filled)
    edges = edges[np.argsort(-cells.edges[edges].astype(np.int64))]
    return _join_points(edges, grid.points, grid.steps, _on_frame(grid, cells))


def draw_loops(
    grid: Grid, cells: Filtration, forest: np.ndarray, some: np.ndarray
) -> list[np.ndarray]:
    """Return loops, each as its edges, of which the last is one of `some`, from `open_loops`."""
    up = _grow_trees(forest, grid.points, grid.steps, _on_frame(grid, cells))
    return [_climb(edge, up, grid.steps) for edge in some]


def _on_frame(grid: Grid, cells: Filtration) -> np.ndarray:
    """Say which points are a part of the frame: all these are one."""
    there = np.zeros(cells.age.size, np.bool_)
    if cells.age[0] > cells.order.size:
        corners = np.array(list(product((0, 1), repeat=3))) if grid.full else np.zeros((1, 3), int)
        around = grid.points[:, None] - corners @ grid.steps
        there[grid.points] = (cells.age[around] > cells.order.size).any(1)
    return there


def entering_voxels(filtration: Filtration, ages: np.ndarray) -> np.ndarray:
    """Return the voxels with which cells of these ages enter."""
    return filtration.order[filtration.order.size - (np.abs(ages) >> 4)]


@kernel
def _set_ages(points, age, steps, ties, full, ages):
    """Write the ages of the cells at some points, 0 for those that never enter."""
    for p in points:
        for axis in range(3):
            late = early = 16 * age[p + steps[axis, 0]] + ties[axis, 0]
            for k in range(1, steps.shape[1]):
                one = 16 * age[p + steps[axis, k]] + ties[axis, k]
                late, early = min(late, one), max(early, one)
            found = early if full else late
            ages[3 * p + axis] = found if found >= 16 else 0


@kernel
def _join_at_last(grid, age, squares, first, node):
    """Let each cube meet the one, or the outside, behind the last square around it.

    That square is one of those sought, whatever the others do, so its age is made negative. The
    components are trees in `node`, which is given empty; its last entry is the outside. Returns the
    squares that are left between two of them.
    """
    points, steps, full, outside = grid.points, grid.steps, grid.full, age.size
    node[outside] = outside
    for p in points:
        node[p] = outside
        for step in steps:
            node[p - step] = outside
    for p in points:
        there = age[p] > 0
        for axis in range(0 if full else 3):  # else all around it must be there
            around = squares[3 * p + axis] * squares[3 * (p + steps[axis]) + axis]
            there = around != 0 if axis == 0 else there & (around != 0)
        node[p] = p if there else outside
    for p in points:
        if node[p] == outside:
            continue
        last, beyond = np.int64(-1), np.int64(0)
        least = np.int64(first)
        for axis in range(3):
            for way in range(2):
                q = p + way * steps[axis]
                one = abs(np.int64(squares[3 * q + axis]))
                if 0 < one < least:
                    least, last, beyond = one, 3 * q + axis, q - (1 - way) * steps[axis]
        if last >= 0 and squares[last] > 0:  # else the cube beyond has led here, or all is frame
            squares[last] = -squares[last]
            node[p] = beyond
    for p in points:
        node[p] = find_root(node, p)
    left, n = np.empty(3 * points.size, np.int64), 0
    for p in points:
        for axis in range(3):
            s = 3 * np.int64(p) + axis
            left[n] = s  # written always and kept at times: no branch to mispredict
            n += (0 < squares[s] < first) & (node[p] != node[p - steps[axis]])
    return left[:n]


@kernel
def _join_cubes(order, steps, squares, node):
    """Let cubes meet at some squares, one after the other; negate the ages of those that do it."""
    for s in order:
        one, other = find_root(node, s // 3), find_root(node, s // 3 - steps[s % 3])
        if one != other:
            node[min(one, other)] = max(one, other)
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
    around, edges, frame, squares = grid.around, rows.edges, rows.first, columns.squares
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
            e = _last_edge(rest[k], around, edges)
            if filled[e] == 0:
                filled[e], found[n] = rest[k] + 1, e
                n += 1
                count -= age <= edges[e] and squares[rest[k]] < age
                continue
            size, heap = _add(heap, 0, rest[k], around, edges, frame)
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
                size, heap = _add(heap, size, np.int64(filled[e]) - 1, around, edges, frame)
            else:
                for i in range(start[-1 - filled[e]], start[-filled[e]]):
                    size, heap = push(heap, size, store[i])
        if size > 0:
            pivots[k] = found[n] = heap[0] & _NUMBER
            n += 1
            filled[pivots[k]] = -1 - k
            count -= is_square and age <= edges[pivots[k]] and squares[rest[k]] < age
        start[k + 1], store = _store(heap, size, store, start[k])
    for k in range(total):
        if pivots[k] >= 0:
            filled[pivots[k]] = rest[k] + 1 if k < rest.size else rest.size - 1 - k
    return n


@kernel
def _store(heap, size, store, used):
    """Move a column from the heap to the end of the store; return the new end, and the store."""
    while size > 0:
        if used == store.size:
            store = np.concatenate((store, store))
        store[used] = heap[0]
        used += 1
        size = cancel_pairs(heap, pop_largest(heap, size))
    return used, store


@kernel
def _pair_apparent(grid, edges, columns, filled, found):
    """Write in `filled`, of zeros, one more than the number of the apparent square of each edge.

    These edges are listed in `found`. Returns the other squares, and the length of the list.
    """
    around, beside, squares = grid.around, grid.beside, columns.squares
    rest, m, n = np.empty(1024, np.int64), 0, 0
    for p in grid.points:
        for axis in range(3):
            s = 3 * np.int64(p) + axis
            age = squares[s]
            if not 0 < age < columns.first:
                continue
            last = _last_edge(s, around, edges)
            along = last % 3
            if (
                squares[last + beside[along, 0]] <= age
                and squares[last + beside[along, 1]] <= age
                and squares[last + beside[along, 2]] <= age
                and squares[last + beside[along, 3]] <= age
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
def _last_edge(s, around, edges):
    """Return the last of the four edges around a square."""
    last, late = s, np.int64(0)
    for k in range(4):
        e = s + around[s % 3, k]
        if edges[e] > 0 and (late == 0 or edges[e] < late):  # on the frame some are 0
            last, late = e, np.int64(edges[e])
    return last


@kernel
def _add(heap, size, s, around, edges, frame):
    """Push the edges around a square on a heap, as keys that grow in the order of entry."""
    for k in range(4):
        e = s + around[s % 3, k]
        if 0 < edges[e] < frame:
            size, heap = push(heap, size, (frame - np.int64(edges[e])) << 31 | e)
    return size, heap


@kernel
def _list_others(points, edges, first, filled):
    """List all edges that enter after the frame, but for those that are filled."""
    others, n = np.empty(3 * points.size, np.int64), 0
    for p in points:
        for e in range(3 * np.int64(p), 3 * np.int64(p) + 3):
            others[n] = e  # written always and kept at times: no branch to mispredict
            n += (0 < edges[e] < first) & (filled[e] == 0)
    return others[:n]


@kernel
def _join_points(edges, points, steps, there):
    """Join points by edges in their order; return those that close a loop, and those that join.

    All points that are `there` are one.
    """
    parent = np.empty(there.size + 1, np.int32)
    parent[there.size] = there.size
    for p in points:
        parent[p] = there.size if there[p] else p
    closing, joins = np.empty(edges.size, np.int64), np.empty(edges.size, np.int64)
    n = m = 0
    for e in edges:
        one, other = find_root(parent, e // 3), find_root(parent, e // 3 + steps[e % 3])
        if one == other:
            closing[n] = e
            n += 1
        else:
            parent[min(one, other)] = max(one, other)
            joins[m] = e
            m += 1
    return closing[:n], joins[:m]


@kernel
def _grow_trees(forest, points, steps, there):
    """Return for each point the edge on its way to a root, -1 at a root; what is `there` is one."""
    joined = np.zeros(3 * there.size, np.bool_)
    for e in forest:
        joined[e] = True
    up = np.full(there.size, -1, np.int32)
    seen = there.copy()
    queue = np.empty(points.size + 1, np.int64)
    for is_root in (True, False):  # first what hangs on the frame
        for p in points:
            if (is_root and not there[p]) or (not is_root and seen[p]):
                continue
            seen[p] = True
            queue[0], size, at = p, 1, 0
            while at < size:
                q = queue[at]
                at += 1
                for axis in range(3):
                    for way in range(2):
                        e = 3 * (q - way * steps[axis]) + axis
                        other = q + (1 - 2 * way) * steps[axis]
                        if joined[e] and not seen[other]:
                            seen[other], up[other] = True, e
                            queue[size] = other
                            size += 1
    return up


@kernel
def _climb(edge, up, steps):
    """Return an edge and the ways from both its ends to the root; what is there twice is none."""
    chain, n = np.empty(1024, np.int64), 1
    chain[0] = edge
    for p in (edge // 3, edge // 3 + steps[edge % 3]):
        while up[p] >= 0:
            if n == chain.size:
                chain = np.concatenate((chain, chain))
            e = np.int64(up[p])
            chain[n] = e
            n += 1
            p = e // 3 if p != e // 3 else e // 3 + steps[e % 3]
    return chain[:n].copy()
