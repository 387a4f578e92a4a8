"""Which cube of a volume fills which loop: the pairs of dimension 1 in three dimensions.

In two dimensions a hole is a component of the background, so union-find pairs loops with the pixels
that fill them. In a volume a loop is dual to a loop, and nothing as simple exists: we reduce the
boundary matrix [1]_. Its columns are the squares of four voxels, its rows the edges between two,
both in the order in which they enter. A column's *pivot* is the last edge of the square's boundary.
Where two columns have the same pivot, the earlier one is added (modulo 2) to the later; the pivot
that is left at the end is the edge whose loop the square fills.

Three observations make that cheap. A square that encloses a void with others has no loop to fill;
voids are components of the background, so union-find names these squares beforehand and they are
left out [2]_. An edge that joins two components closes no loop and is never a pivot; steepest paths
and merging edges are such, and they are dropped from all columns. And nearly all columns have a
pivot of their own at first sight: these are not stored, since four edges are quickly written down.

References
----------
.. [1] H. Edelsbrunner, D. Letscher, A. Zomorodian, "Topological persistence and simplification",
       Discrete Comput Geom 28 (2002). doi:10.1007/s00454-002-2885-2
.. [2] C. Chen and M. Kerber, "Persistent homology computation with a twist", EuroCG 2011.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .persistence import _find

__all__: list[str] = []


@njit(cache=True, nogil=True)
def loop_deaths_3d(shape, order, uphill, lower, upper, died):
    """Return for each critical edge that closes a loop the voxel that fills it, for others 0.

    Parameters
    ----------
    shape : (3,) array
        Of the volume with its frame. All indices are flat ones into this volume.
    order : (n,) array of int32
        The voxels inside the frame in the order in which they enter.
    uphill : array of int32
        For each voxel the neighbour to which its steepest path goes, itself for a maximum.
    lower, upper : (m,) arrays of int32
        The voxels of the critical edges, by the order of the lower ones.
    died : (m,) array of int32
        Negative for the edges that close a loop.
    """
    plane, row = shape[1] * shape[2], shape[2]
    steps = np.array([-plane, -row, -1, 1, row, plane])  # i and 5 - i are opposite
    axis_step = np.array([plane, row, 1])
    size = shape[0] * plane
    rank = np.full(size, size, np.int64)
    for i in range(order.size):
        rank[order[i]] = i

    # Cells are named by the smallest of their voxels and an axis: an edge by the axis along which
    # it runs, a square by the one across it.
    joins = np.zeros(3 * size, np.bool_)
    for p in order:
        if uphill[p] != p:
            joins[_edge(p, uphill[p], plane, row)] = True
    for e in range(lower.size):
        if died[e] >= 0:
            joins[_edge(lower[e], upper[e], plane, row)] = True

    # Walk backwards: a square between two components of the background (nodes: cubes; number 0:
    # the outside) encloses a void when it comes.
    encloses = np.zeros(3 * size, np.bool_)
    node = np.arange(size).astype(np.int32)
    for i in range(order.size):  # cubes that stick out of the volume belong to the outside
        p = order[i]
        far = p + plane + row + 1
        if rank[far] == size or rank[p + plane + row] == size or rank[p + 1] == size:
            node[p] = 0
    found = np.empty(12, np.int64)
    for i in range(order.size - 1, -1, -1):
        p = order[i]
        n = _squares_at(p, rank, steps, found)
        for k in range(n - 1, -1, -1):
            square = found[k]
            base, axis = square // 3, square % 3
            a = _find(node, base)
            back = base - axis_step[axis]
            b = _find(node, back) if rank[back] < size else np.int32(0)
            if a != b:
                encloses[square] = True
                if a == 0:
                    a, b = b, a
                node[a] = b

    # The columns of the other squares. Most have a pivot that enters with the square, at the same
    # voxel, and that no other square wants; so far they can be taken in any order.
    column_of = np.full(3 * size, -1, np.int32)  # by pivot edge
    square_of = np.empty(2 * order.size, np.int64)  # by column: its square,
    filled_by = np.empty(2 * order.size, np.int32)  # the voxel with which it entered,
    first = np.full(2 * order.size, -1, np.int64)  # and, if it was reduced,
    end = np.full(2 * order.size, -1, np.int64)  # its edges: store[first:end]
    columns = 0
    hard = np.zeros(3 * size, np.bool_)
    is_hard = np.zeros(size, np.bool_)
    for p in range(size):
        if rank[p] == size:
            continue
        n = _squares_at(p, rank, steps, found)
        for k in range(n):
            square = found[k]
            if encloses[square]:
                continue
            key = _last_edge(square, axis_step, rank, joins)
            if key >> 32 == rank[p]:
                pivot = _edge(p, order[key & 0xFFFFFFFF], plane, row)
                if column_of[pivot] < 0:
                    column_of[pivot] = columns
                    square_of[columns], filled_by[columns] = square, p
                    columns += 1
                    continue
            hard[square] = is_hard[p] = True

    # The rest is reduced in order.
    store = np.empty(1024, np.int64)
    used = 0
    heap = np.empty(1024, np.int64)
    for p in order:
        if not is_hard[p]:
            continue
        n = _squares_at(p, rank, steps, found)
        for k in range(n):
            square = found[k]
            if not hard[square]:
                continue
            left, heap = _add_square(heap, 0, square, axis_step, rank, joins)
            plain = True
            while True:
                left = _cancel(heap, left)
                key = heap[0]
                pivot = _edge(order[key >> 32], order[key & 0xFFFFFFFF], plane, row)
                other = column_of[pivot]
                if other < 0:
                    break
                plain = False
                if first[other] < 0:
                    left, heap = _add_square(heap, left, square_of[other], axis_step, rank, joins)
                else:
                    for j in range(first[other], end[other]):
                        left, heap = _push(heap, left, store[j])
            column_of[pivot] = columns
            square_of[columns], filled_by[columns] = square, p
            if not plain:
                first[columns] = used
                while left > 0:
                    if used == store.size:
                        bigger = np.empty(2 * used, np.int64)
                        bigger[:used] = store
                        store = bigger
                    store[used] = heap[0]
                    used += 1
                    left = _pop(heap, left)
                    left = _cancel(heap, left)
                end[columns] = used
            columns += 1

    death = np.zeros(lower.size, np.int32)
    for e in range(lower.size):
        if died[e] < 0:
            death[e] = filled_by[column_of[_edge(lower[e], upper[e], plane, row)]]
    return death


@njit(cache=True, nogil=True)
def _edge(p, q, plane, row):
    """Name the edge between two neighbours."""
    step = abs(p - q)
    axis = 0 if step == plane else 1 if step == row else 2
    return 3 * np.int64(min(p, q)) + axis


@njit(cache=True, nogil=True)
def _squares_at(p, rank, steps, found):
    """Write the squares that enter with voxel `p`, their last one; return their number."""
    n = 0
    own = rank[p]
    for a in range(6):
        if rank[p + steps[a]] > own:
            continue
        for b in range(a + 1, 6):
            if a + b == 5 or rank[p + steps[b]] > own or rank[p + steps[a] + steps[b]] > own:
                continue
            base = p + (steps[a] if a < 3 else 0) + (steps[b] if b < 3 else 0)
            found[n] = 3 * base + 3 - min(a, 5 - a) - min(b, 5 - b)
            n += 1
    return n


@njit(cache=True, nogil=True)
def _last_edge(square, axis_step, rank, joins):
    """Return the key of the last of the edges around a square that close loops, -1 if none does."""
    base, across = square // 3, square % 3
    last = np.int64(-1)
    for axis in range(3):
        if axis == across:
            continue
        for p in (base, base + axis_step[3 - across - axis]):
            if joins[3 * p + axis]:
                continue
            a, b = rank[p], rank[p + axis_step[axis]]
            key = a << 32 | b if a > b else b << 32 | a
            last = max(last, key)
    return last


@njit(cache=True, nogil=True)
def _add_square(heap, left, square, axis_step, rank, joins):
    """Push the edges around a square, as keys that grow with the order in which edges enter."""
    base, across = square // 3, square % 3
    for axis in range(3):
        if axis == across:
            continue
        for p in (base, base + axis_step[3 - across - axis]):
            if joins[3 * p + axis]:
                continue
            a, b = rank[p], rank[p + axis_step[axis]]
            key = a << 32 | b if a > b else b << 32 | a
            left, heap = _push(heap, left, key)
    return left, heap


@njit(cache=True, nogil=True)
def _push(heap, left, key):
    """Push `key` on a heap, largest first, of `left` keys; return both, the heap may have grown."""
    if left == heap.size:
        bigger = np.empty(2 * left, np.int64)
        bigger[:left] = heap
        heap = bigger
    i = left
    while i > 0 and heap[(i - 1) // 2] < key:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = key
    return left + 1, heap


@njit(cache=True, nogil=True)
def _pop(heap, left):
    """Remove the largest key and return the number of those left."""
    left -= 1
    key = heap[left]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= left:
            break
        if child + 1 < left and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = key
    return left


@njit(cache=True, nogil=True)
def _cancel(heap, left):
    """Remove equal keys in pairs until the largest stands alone; return the number left."""
    while left > 1:
        second = heap[1]
        if left > 2 and heap[2] > second:
            second = heap[2]
        if heap[0] != second:
            break
        left = _pop(heap, left)
        left = _pop(heap, left)
    return left
