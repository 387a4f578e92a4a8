"""Which voxel of a volume fills which loop, and which cavity: its pairs of dimensions 1 and 2.

In two dimensions a hole is a component of the background, so union-find pairs loops with the pixels
that fill them. In a volume a loop is dual to a loop, and nothing as simple exists: we reduce the
boundary matrix [1]_. Its columns are the squares of four voxels, its rows the edges between two,
both in the order in which they enter. A column's *pivot* is the last edge of the square's boundary.
Where two columns have the same pivot, the earlier one is added (modulo 2) to the later; the pivot
that is left at the end is the edge whose loop the square fills.

Four observations make that cheap.

- An edge that joins two components closes no loop and is never a pivot. Steepest paths and joining
  edges are such, and they are dropped from all columns.
- A square that encloses a cavity, together with others, fills no loop. Cavities are components of
  the background, so union-find on the cubes, walking backwards, names these squares beforehand
  (and pairs the cavities), and they are left out [2]_.
- Most loops are closed and filled by one and the same voxel, within its neighbourhood. There a
  column is a set of six bits, and the sums of squares that fill such loops are found with bits.
- These columns are not stored: a few bits tell which squares to add, and their edges are quickly
  written down. Only the columns of *critical* squares, for which no bit is left, are worked out.

**Why our own.** Which loop a voxel fills must be known of each critical *edge*, and several of them
may enter with one voxel. cripser [3]_ and GUDHI are exact, but name the voxels of a pair alone.
oineus [4]_ reduces the same matrix and names the cells; it serves as a peer: `make bench` counts
its pairs and ours, which are as many, and it takes several times as long as the whole Morse
complex here.

References
----------
.. [1] H. Edelsbrunner, D. Letscher, A. Zomorodian, "Topological persistence and simplification",
       Discrete Comput Geom 28 (2002). doi:10.1007/s00454-002-2885-2
.. [2] C. Chen and M. Kerber, "Persistent homology computation with a twist", EuroCG 2011.
.. [3] S. Kaji, T. Sudo, K. Ahara, "Cubical Ripser: software for computing persistent homology of
       image and volume data", 2020. arXiv:2005.12692
.. [4] D. Morozov and A. Nigmetov, "Towards lockfree persistent homology", SPAA 2020.
       https://mrzv.org/publications/lockfree-persistence/
"""

from __future__ import annotations

import numpy as np

from .kernels import kernel
from .order import find_root

__all__: list[str] = []

# The six ways from a voxel to its neighbours are numbered so that i and 5 - i are opposite; those
# from 3 on lead to larger indices. The twelve squares at a voxel each take two ways, not opposite;
# they come by the place of their middles, the last first. Seen from the other side, where a square
# of background is an edge of the foreground, that is the order of ties of the module `tunnels`.
PAIRS = np.array(
    sorted(
        [(a, b) for a in range(6) for b in range(a + 1, 6) if a + b != 5],
        key=lambda ways: [sum((w == 5 - k) - (w == k) for w in ways) for k in range(3)],
        reverse=True,
    )
)

# What the kernels are given. All indices are flat ones into the framed volume:
#   order, (n,) array of int32    the voxels inside the frame in the order in which they enter
#   rank, array of int32          the position of each voxel in `order`, n on the frame
#   steps, (6,) array of int64    to the neighbours of a voxel, rising
#   joins, array of bool          three for each voxel: the edges at which two components meet
#   squares, array of uint16      for each voxel, as bits, squares that enter with it


@kernel
def loop_deaths_3d(steps, order, uphill, lower, upper, died):
    """Return for each critical edge that closes a loop the voxel that fills it, for others 0.

    `uphill` is the neighbour to which each voxel's steepest path goes, itself for a peak; `lower`
    and `upper` are the voxels of the critical edges, in the order in which these enter, and `died`
    is negative for those that close a loop.
    """
    rank = np.full(uphill.size, order.size, np.int32)  # the frame comes last
    for i in range(order.size):
        rank[order[i]] = i
    joins = np.zeros(3 * rank.size, np.bool_)
    for p in order:
        if uphill[p] != p:
            joins[edge_number(p, uphill[p], steps)] = True
    for e in range(lower.size):
        if died[e] >= 0:
            joins[edge_number(lower[e], upper[e], steps)] = True
    squares = entering_squares(rank, steps)
    encloses, _, _ = close_cavities(order, rank, steps, squares)
    number, _, filled, _ = pair_loops(order, rank, steps, joins, squares & ~encloses)
    death = np.zeros(lower.size, np.int32)
    for e in range(lower.size):
        if died[e] < 0:
            death[e] = filled[number[edge_number(lower[e], upper[e], steps)]]
    return death


@kernel
def pair_loops(order, rank, steps, joins, squares):
    """Pair each loop with the voxel that fills it, but for those that are found with bits.

    `squares` are those that enter with each voxel and do not enclose a cavity. Returns for each
    edge that closes one of these loops the loop's number, for all others -1; and for each loop the
    voxel with which its last edge enters, the one that fills it, and which of its squares does.
    Those left out are closed and filled by the same voxel.
    """
    local, critical = _fill_locally(order, rank, steps, joins, squares)
    return _reduce(order, rank, steps, joins, local, critical)


@kernel
def edge_number(p, q, steps):
    """Return the number of the edge between two neighbours: three times the smaller, plus axis."""
    step = abs(p - q)
    axis = 0 if step == steps[5] else 1 if step == steps[4] else 2
    return 3 * np.int64(min(p, q)) + axis


@kernel
def entering_squares(rank, steps):
    """Return for each voxel, as bits, the squares that enter with it: it is their last voxel.

    Squares are numbered as in `PAIRS`. What is returned for the frame is without meaning.
    """
    squares = np.zeros(rank.size, np.uint16)
    reach = steps[5] + steps[4]
    for k in range(12):
        a, b = steps[PAIRS[k, 0]], steps[PAIRS[k, 1]]
        bit = np.uint16(1 << k)
        n = rank.size - 2 * reach
        here, out = rank[reach : reach + n], squares[reach : reach + n]
        beside_a, beside_b = rank[reach + a :][:n], rank[reach + b :][:n]
        across = rank[reach + a + b :][:n]
        for i in range(n):  # no branch in here, so the compiler vectorises it
            last = (beside_a[i] < here[i]) & (beside_b[i] < here[i]) & (across[i] < here[i])
            out[i] |= bit if last else np.uint16(0)
    return squares


@kernel
def _last_of_cubes(rank, steps):
    """Return for each voxel the highest rank in the cube of eight voxels that it is the first of.

    The last entries, from which a cube would stick out of the array, are without meaning.
    """
    highest = rank.copy()
    for axis in range(3, 6):
        ahead = highest[steps[axis] :]
        for i in range(ahead.size):  # what lies ahead has not been changed yet
            highest[i] = max(highest[i], ahead[i])
    return highest


@kernel
def close_cavities(order, rank, steps, squares):
    """Find the squares that enclose a cavity, and pair each cavity's last voxels.

    We walk backwards. Taken away again, such a square lets two components of the background meet,
    and the one whose minimum is the higher is the cavity. The background's pieces are cubes, named
    by their smallest voxel; number 0 is the outside. `squares` are all that enter.

    Returns these squares, as bits of the voxel with which they enter, and for each cavity the voxel
    that closes its wall and the one that fills it at last, unless they are the same.
    """
    lowest = _last_of_cubes(rank, steps)  # for each component the rank of its minimum
    node = np.arange(rank.size).astype(np.int32)
    for p in range(rank.size):  # a cube that sticks out of the volume is no piece
        node[p] = p if lowest[p] < order.size else 0
    encloses = np.zeros(rank.size, np.uint16)
    closed, filled = np.empty(1024, np.int32), np.empty(1024, np.int32)
    pairs = 0
    for p in order[::-1]:
        for k in range(11, -1, -1):
            if not squares[p] >> k & 1:
                continue
            a, b = PAIRS[k, 0], PAIRS[k, 1]
            base = p + min(steps[a], 0) + min(steps[b], 0)  # the square's smallest voxel
            across = 3 - min(a, 5 - a) - min(b, 5 - b)  # the axis with a cube on both sides
            old, young = find_root(node, base), find_root(node, base + steps[across])
            if old == young:
                continue
            encloses[p] |= 1 << k
            if lowest[young] > lowest[old]:
                old, young = young, old
            node[young] = old
            if lowest[young] == rank[p]:
                continue
            if pairs == closed.size:
                closed, filled = np.concatenate((closed, closed)), np.concatenate((filled, filled))
            closed[pairs], filled[pairs] = p, order[lowest[young]]
            pairs += 1
    return encloses, closed[:pairs], filled[:pairs]


@kernel
def _fill_locally(order, rank, steps, joins, squares):
    """Fill the loops that need no more than the squares which enter with the same voxel.

    At one voxel a square has two edges that can be pivots. They are bits, by the way they go.

    Returns for each edge that closes such a loop the squares at its later voxel whose sum fills it,
    as bits, 0 for all other edges; and for each voxel the *critical* squares, those of which none
    of these edges is left: they fill something larger.
    """
    local = np.zeros(joins.size, np.uint16)
    critical = np.zeros(rank.size, np.uint16)
    edge_bits, square_bits = np.zeros(6, np.int64), np.zeros(6, np.int64)
    for p in order:
        edge_bits[:] = 0
        for k in range(12):
            if not squares[p] >> k & 1:
                continue
            edges, sums = 0, 1 << k
            for way in PAIRS[k]:
                if not joins[edge_number(p, p + steps[way], steps)]:
                    edges ^= 1 << way
            while edges:
                last = -1  # the way to the neighbour that entered last
                for way in range(6):
                    if edges >> way & 1 and (
                        last < 0 or rank[p + steps[way]] > rank[p + steps[last]]
                    ):
                        last = way
                if edge_bits[last] == 0:
                    edge_bits[last], square_bits[last] = edges, sums
                    local[edge_number(p, p + steps[last], steps)] = sums
                    break
                edges ^= edge_bits[last]
                sums ^= square_bits[last]
            if edges == 0:
                critical[p] |= 1 << k
    return local, critical


@kernel
def _reduce(order, rank, steps, joins, local, critical):
    """Work out the columns of the critical squares and pair them; returns are `pair_loops`'s.

    The module `tunnels` has the same reduction with rows and columns in the orders of two images.
    Nothing enters together there, so what is done here within one voxel has no place.
    """
    most = 0
    for p in order:
        for k in range(12):
            most += critical[p] >> k & 1
    column_of = np.full(joins.size, -1, np.int32)  # by pivot
    closed_by = np.empty(most, np.int32)  # the voxel with which a column's pivot enters
    filled_by = np.empty(most, np.int32)  # and the one with which its square does
    square = np.empty(most, np.int8)  # the number of this among those of the voxel
    start = np.zeros(most + 1, np.int64)  # column c, reduced: store[start[c]:start[c + 1]]
    store = np.empty(1024, np.int64)
    heap = np.empty(1024, np.int64)
    c = 0
    for p in order:
        for k in range(12):
            if not critical[p] >> k & 1:
                continue
            size, heap = _add(heap, 0, p, 1 << k, rank, steps, joins)
            while True:
                size = cancel_pairs(heap, size)
                later, earlier = order[heap[0] >> 32], order[heap[0] & 0xFFFFFFFF]
                pivot = edge_number(later, earlier, steps)
                if local[pivot]:
                    size, heap = _add(heap, size, later, local[pivot], rank, steps, joins)
                elif column_of[pivot] >= 0:
                    other = column_of[pivot]
                    for i in range(start[other], start[other + 1]):
                        size, heap = push(heap, size, store[i])
                else:
                    break
            column_of[pivot] = c
            closed_by[c], filled_by[c], square[c] = later, p, k
            # Here, not in a function: a call for each of so many columns takes half as long again.
            used = start[c]
            while size > 0:
                if used == store.size:
                    store = np.concatenate((store, store))
                store[used] = heap[0]
                used += 1
                size = cancel_pairs(heap, pop_largest(heap, size))
            c += 1
            start[c] = used
    return column_of, closed_by, filled_by, square


@kernel
def _add(heap, size, p, squares, rank, steps, joins):
    """Push the edges around some squares at voxel `p`, as keys that grow in the order of entry."""
    first = np.int64(p)
    for k in range(12):
        if not squares >> k & 1:
            continue
        a, b = first + steps[PAIRS[k, 0]], first + steps[PAIRS[k, 1]]
        for q, r in ((first, a), (first, b), (a, a + b - first), (b, a + b - first)):
            if not joins[edge_number(q, r, steps)]:
                later, earlier = max(rank[q], rank[r]), min(rank[q], rank[r])
                size, heap = push(heap, size, np.int64(later) << 32 | earlier)
    return size, heap


@kernel
def push(heap, size, key):
    """Push `key` on a heap, largest first, of `size` keys; return both, the heap may have grown."""
    if size == heap.size:
        heap = np.concatenate((heap, heap))
    i = size
    while i > 0 and heap[(i - 1) // 2] < key:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = key
    return size + 1, heap


@kernel
def pop_largest(heap, size):
    """Remove the largest key and return the number of those left."""
    size -= 1
    key = heap[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = key
    return size


@kernel
def cancel_pairs(heap, size):
    """Remove equal keys in pairs until the largest stands alone; return the number left."""
    while size > 1:
        second = heap[1]
        if size > 2 and heap[2] > second:
            second = heap[2]
        if heap[0] != second:
            break
        size = pop_largest(heap, pop_largest(heap, size))
    return size
