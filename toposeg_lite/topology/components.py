"""Connected components and Betti numbers of a mask, by one scan over its runs.

**Runs.** A *run* is a maximal stretch of equal pixels in one row. A mask has far fewer runs than
pixels, and two runs of neighbouring rows touch exactly when their column ranges overlap (for
diagonal connectivity: when they overlap after one of them is widened by a pixel). So one scan
that lists the runs, and one walk along each pair of neighbouring rows that unites the runs which
touch, labels the mask; the union-find structure always keeps the earliest run as the root, so
that components are numbered in the order in which the scan meets their first pixel [1]_.

**Euler number.** The Euler number is the alternating sum b0 - b1 (+ b2) of the Betti numbers, and
also the alternating sum of the numbers of vertices, edges, squares (and cubes) of a cell complex.
The second sum is local: every cell can be shared out equally among the windows of 2x2 (2x2x2)
pixels that see it, so the Euler number is a sum over all windows of a number that depends only on
which of the window's pixels are set, and is read from a table with 16 (256) entries [2]_. With
full connectivity the pixels are closed squares, whose corners touch. With connectivity 1 they are
vertices, joined by an edge where two neighbours are set and by a square where four are.

**Betti numbers.** b0 counts the components. In 2D b1 = b0 - Euler number. In 3D b2 counts the
cavities, the components of the background (with the dual connectivity) that the outside does not
reach, and b1 = b0 + b2 - Euler number.

References
----------
.. [1] L. He, Y. Chao, K. Suzuki, "A run-based two-scan labeling algorithm", IEEE Transactions on
       Image Processing 17 (2008). doi:10.1109/TIP.2008.919369
.. [2] S. B. Gray, "Local properties of binary images in two dimensions", IEEE Transactions on
       Computers C-20 (1971). doi:10.1109/T-C.1971.223289
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..checks import check_same_shape
from .grid import Border, check_border, check_connectivity, check_mask, dual_connectivity
from .kernels import kernel
from .order import find_root

__all__ = ["betti_numbers", "label_components", "overlap_sizes"]


def label_components(mask: Any, *, connectivity: int | None = None) -> tuple[np.ndarray, int]:
    """Label the connected components of a mask (parameters: see the package's docstring).

    Returns
    -------
    labels : array of int32, of the mask's shape
        0 is background; components are 1, 2, ... in the order of their first pixels (C order).
    count : int
        The number of components.

    Examples
    --------
    >>> labels, count = label_components([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]])
    >>> labels
    array([[1, 0, 1],
           [0, 1, 0],
           [0, 0, 0],
           [2, 2, 0]], dtype=int32)
    >>> label_components([[1, 0, 1], [0, 1, 0]], connectivity=1)[1]
    3
    """
    mask = check_mask(mask)
    runs = label_runs(mask, check_connectivity(connectivity, mask.ndim))
    return runs.paint(), runs.count


class Runs(NamedTuple):
    """The labelled runs of a mask: see `_find_runs` for `first` and `edge`."""

    shape: tuple[int, ...]
    first: np.ndarray
    edge: np.ndarray
    label: np.ndarray  # of each run
    count: int  # of the labels

    def paint(self) -> np.ndarray:
        """Return the labels of all pixels."""
        labels = np.zeros(self.shape, dtype=np.int32)
        _paint(self, labels.reshape(-1, self.shape[-1]))
        return labels


def label_runs(mask: np.ndarray, connectivity: int) -> Runs:
    """Label the components of a checked mask, run by run, and leave its pixels alone."""
    return Runs(mask.shape, *_label_runs(_as_volume(mask), connectivity > 1))


def betti_numbers(
    mask: Any, *, connectivity: int | None = None, border: Border = "open"
) -> tuple[int, ...]:
    """Count the components, loops and (in 3D) cavities of a mask.

    The parameters are those of the package's docstring. With a closed border the frame is counted,
    too, so that an empty mask has (1, 1) or (1, 0, 1); it is never built, and time grows in
    proportion to the number of pixels.

    Returns
    -------
    tuple of int
        (b0, b1) in 2D: components and holes. (b0, b1, b2) in 3D: components, tunnels, cavities.

    Examples
    --------
    >>> ring = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    >>> betti_numbers(ring), betti_numbers(ring, connectivity=1)
    ((1, 1), (4, 0))
    >>> betti_numbers(ring, border="closed"), betti_numbers([[0, 0]], border="closed")
    ((1, 5), (1, 1))
    """
    mask = check_mask(mask)
    connectivity = check_connectivity(connectivity, mask.ndim)
    closed = check_border(border) == "closed"
    volume = _as_volume(mask)
    planar = mask.ndim == 2

    # The frame touches every component that reaches the border and makes them one.
    count, inside = _count_components(volume, connectivity > 1, planar)
    b0 = inside + 1 if closed else count

    table = _euler_table(mask.ndim, connectivity)
    windows = _sum_windows_2d if planar else _sum_windows_3d
    euler = windows(mask.view(np.uint8), table, closed) // 2**mask.ndim
    # Seen from outside the frame is a box: its corners add 1, its sides and edges nothing.
    euler += closed
    if planar:
        return b0, b0 - euler

    dual = dual_connectivity(connectivity, 3)
    count, inside = _count_components(1 - volume, dual > 1, planar)
    b2 = count if closed else inside
    return b0, b0 + b2 - euler, b2


def overlap_sizes(
    first: Any, second: Any, *, connectivity: int | None = None, counted: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure how the components of two masks overlap: the entries of their contingency table.

    Each component is a segment, and the whole background is one more, number 0. Returned are the
    pixels of each segment of either mask, the background first (0 if there is none), and of each
    non-empty intersection of a segment of `first` with one of `second`. With a mask `counted` only
    its pixels count, in segments that still are those of the whole masks.

    Examples
    --------
    >>> first, second, joint = overlap_sizes([[1, 1, 0, 1]], [[1, 1, 1, 0]])
    >>> first.tolist(), second.tolist(), joint.tolist()
    ([1, 2, 1], [1, 3], [1, 2, 1])
    """
    first, second = check_mask(first, "first"), check_mask(second, "second")
    check_same_shape(first, second, ("first", "second"))
    full = check_connectivity(connectivity, first.ndim) > 1
    if counted is None:
        return _overlap(_as_volume(first), _as_volume(second), full)
    counted = check_mask(counted, "counted")
    check_same_shape(first, counted, ("first", "counted"))
    (a, count_a), (b, count_b) = (
        label_components(mask, connectivity=connectivity) for mask in (first, second)
    )
    a, b = a[counted].astype(np.int64), b[counted].astype(np.int64)
    _, joint = np.unique(a * (count_b + 1) + b, return_counts=True)
    return np.bincount(a, minlength=count_a + 1), np.bincount(b, minlength=count_b + 1), joint


def _as_volume(mask: np.ndarray) -> np.ndarray:
    """View a checked mask as bytes 0 and 1 with three axes; a plane becomes one slice."""
    return mask.view(np.uint8).reshape((-1, *mask.shape[-2:]))


@cache
def _euler_table(ndim: int, connectivity: int) -> np.ndarray:
    """Return what a window of 2^ndim pixels adds to 2^ndim times the Euler number.

    The bit of the pixel at position (..., y, x) in the window is 1 << (... + y + 2^(ndim-1) x):
    the column of the last axis stands in the high half.

    A cell of either complex belongs to a block of pixels of the window, one or two along each
    axis. A block that is two wide along k axes is seen by 2^(ndim-k) windows. With connectivity 1
    the cell has dimension k and exists if all its pixels are set; with full connectivity it is
    the common face of the block's closed pixels, has dimension ndim - k, and exists if any is.
    """
    pixels = list(product((0, 1), repeat=ndim))
    # product() counts the last axis fastest; the bit order wants it slowest.
    bit = {p: sum(x << i for i, x in enumerate(p)) for p in pixels}
    table = np.zeros(2**2**ndim, dtype=np.int64)
    for block in product(((0,), (1,), (0, 1)), repeat=ndim):
        members = sum(1 << bit[p] for p in product(*block))
        k = sum(len(side) == 2 for side in block)
        for window in range(len(table)):
            seen = window & members
            if connectivity == 1 and seen == members:
                table[window] += (-1) ** k * 2**k
            elif connectivity == ndim and seen:
                table[window] += (-1) ** (ndim - k) * 2**k
    return table


@kernel
def _sum_windows_2d(mask: np.ndarray, table: np.ndarray, outside: int) -> int:
    """Sum `table` over all 2x2 windows that meet the (H, W) mask of bytes 0 and 1.

    Pixels beyond the mask have the value `outside` (0 or 1).
    """
    height, width = mask.shape
    beyond = np.full(width, outside, dtype=np.uint8)
    total = 0
    for r in range(height + 1):
        upper = mask[r - 1] if r > 0 else beyond
        lower = mask[r] if r < height else beyond
        window = outside * 15
        for c in range(width):
            window = window >> 2 | upper[c] << 2 | lower[c] << 3
            total += table[window]
        total += table[window >> 2 | outside * 12]
    return total


@kernel
def _sum_windows_3d(mask: np.ndarray, table: np.ndarray, outside: int) -> int:
    """Sum `table` over all 2x2x2 windows that meet the (D, H, W) mask of bytes 0 and 1.

    Pixels beyond the mask have the value `outside` (0 or 1).
    """
    depth, height, width = mask.shape
    beyond = np.full(width, outside, dtype=np.uint8)
    total = 0
    for d in range(depth + 1):
        for r in range(height + 1):
            row0 = mask[d - 1, r - 1] if d > 0 and r > 0 else beyond
            row1 = mask[d, r - 1] if d < depth and r > 0 else beyond
            row2 = mask[d - 1, r] if d > 0 and r < height else beyond
            row3 = mask[d, r] if d < depth and r < height else beyond
            window = outside * 255
            for c in range(width):
                column = row0[c] | row1[c] << 1 | row2[c] << 2 | row3[c] << 3
                window = window >> 4 | column << 4
                total += table[window]
            total += table[window >> 4 | outside * 240]
    return total


@kernel
def _find_runs(rows: np.ndarray, first: np.ndarray, edge: np.ndarray) -> int:
    """List the runs of ones in an (R, W) array of bytes 0 and 1; return their number.

    Run i covers the columns edge[2 i] <= c < edge[2 i + 1]; row r has the runs first[r] up to
    first[r + 1]. `first` has room for R + 1 numbers, `edge` for R (W + 1) + 1: a row of width W
    has at most (W + 1) / 2 runs, and the scan writes one number ahead.
    """
    width = rows.shape[1]
    n = 0
    for r in range(rows.shape[0]):
        first[r] = n >> 1
        previous = 0
        for c in range(width):
            # Written always and kept only at a change: no branch to mispredict.
            edge[n] = c
            n += int(rows[r, c]) ^ previous
            previous = int(rows[r, c])
        edge[n] = width
        n += previous
    first[rows.shape[0]] = n >> 1
    return n >> 1


@kernel
def _unite_rows(
    first: np.ndarray, edge: np.ndarray, parent: np.ndarray, upper: int, lower: int, reach: int
) -> None:
    """Unite the runs of two rows that overlap, or with `reach` 1 also touch by a corner.

    The smaller root stays, so a root is always the first run of its component.
    """
    i, i_end = first[upper], first[upper + 1]
    j, j_end = first[lower], first[lower + 1]
    while i < i_end and j < j_end:
        i_stop, j_stop = edge[2 * i + 1], edge[2 * j + 1]
        if edge[2 * i] < j_stop + reach and edge[2 * j] < i_stop + reach:
            a, b = find_root(parent, i), find_root(parent, j)
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
        if i_stop < j_stop:
            i += 1
        else:
            j += 1


@kernel
def _label_runs(volume: np.ndarray, full: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Label the components of a (D, H, W) volume of bytes 0 and 1, run by run.

    Return `first` and `edge` (see `_find_runs`), the label of each run and the number of labels.
    """
    depth, height, width = volume.shape
    rows = volume.reshape(depth * height, width)
    first = np.empty(depth * height + 1, dtype=np.int64)
    edge = np.empty(depth * height * (width + 1) + 1, dtype=np.int32)
    n = _find_runs(rows, first, edge)

    label = np.arange(n, dtype=np.int32)  # the union-find parents, until the last loop
    reach = 1 if full else 0
    for d in range(depth):
        for r in range(height):
            row = d * height + r
            if r > 0:
                _unite_rows(first, edge, label, row - 1, row, reach)
            if d > 0:
                _unite_rows(first, edge, label, row - height, row, reach)
                if full and r > 0:
                    _unite_rows(first, edge, label, row - height - 1, row, reach)
                if full and r < height - 1:
                    _unite_rows(first, edge, label, row - height + 1, row, reach)

    count = 0
    for i in range(n):  # a parent stands before its children, so it has its label already
        if label[i] == i:
            count += 1
            label[i] = count
        else:
            label[i] = label[label[i]]
    return first, edge, label, count


@kernel
def _paint(runs: Runs, rows: np.ndarray) -> None:
    """Write each run's label over its pixels in the (R, W) array `rows`."""
    first, edge = runs.first, runs.edge
    for r in range(rows.shape[0]):
        for i in range(first[r], first[r + 1]):
            for c in range(edge[2 * i], edge[2 * i + 1]):
                rows[r, c] = runs.label[i]


@kernel
def labels_around(runs: Runs, others: Runs) -> np.ndarray:
    """Return for each run the label of that of the others in which it lies whole."""
    found = np.empty(runs.label.size, dtype=np.int32)
    for r in range(runs.first.size - 1):
        j = others.first[r]
        for i in range(runs.first[r], runs.first[r + 1]):
            while others.edge[2 * j + 1] <= runs.edge[2 * i]:
                j += 1
            found[i] = others.label[j]
    return found


@kernel
def _count_components(volume: np.ndarray, full: bool, planar: bool) -> tuple[int, int]:
    """Count the components of a volume, and those of them that do not reach its border.

    A planar volume has one slice, and only the four sides of that slice are its border.
    """
    depth, height, width = volume.shape
    first, edge, label, count = _label_runs(volume, full)
    reaches = np.zeros(count + 1, dtype=np.bool_)
    for d in range(depth):
        for r in range(height):
            outermost = r in (0, height - 1) or (not planar and d in (0, depth - 1))
            row = d * height + r
            for i in range(first[row], first[row + 1]):
                if outermost or edge[2 * i] == 0 or edge[2 * i + 1] == width:
                    reaches[label[i]] = True
    return count, count - int(np.count_nonzero(reaches))


@kernel
def _overlap(
    volume_a: np.ndarray, volume_b: np.ndarray, full: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels of each segment of a, of each of b, and of each non-empty intersection."""
    first_a, edge_a, label_a, count_a = _label_runs(volume_a, full)
    first_b, edge_b, label_b, count_b = _label_runs(volume_b, full)
    width = volume_a.shape[2]
    n_rows = len(first_a) - 1

    # Cut each row wherever either mask changes: a stretch has one segment of a and one of b.
    # A row is cut at most at the two edges of each run, into at most one stretch more than cuts.
    room = 2 * (len(label_a) + len(label_b)) + n_rows
    of_a = np.empty(room, dtype=np.int32)
    of_b = np.empty(room, dtype=np.int32)
    length = np.empty(room, dtype=np.int32)
    stretches = np.zeros(count_a + 2, dtype=np.int64)
    size_a = np.zeros(count_a + 1, dtype=np.int64)
    size_b = np.zeros(count_b + 1, dtype=np.int64)
    n = 0
    for r in range(n_rows):
        i, i_end = 2 * first_a[r], 2 * first_a[r + 1]
        j, j_end = 2 * first_b[r], 2 * first_b[r + 1]
        c = 0
        while c < width:
            # Before an even edge lies background, before an odd one the run i // 2.
            i_next = edge_a[i] if i < i_end else width
            j_next = edge_b[j] if j < j_end else width
            stop = min(i_next, j_next)
            if stop > c:
                a = label_a[i >> 1] if i & 1 else 0
                b = label_b[j >> 1] if j & 1 else 0
                of_a[n], of_b[n], length[n] = a, b, stop - c
                n += 1
                stretches[a + 1] += 1
                size_a[a] += stop - c
                size_b[b] += stop - c
                c = stop
            i += i_next == stop
            j += j_next == stop

    # Sort the stretches by their segment of a (counting sort), then add up each segment's
    # stretches by their segment of b.
    place = np.cumsum(stretches)
    order = np.empty(n, dtype=np.int64)
    for k in range(n):
        order[place[of_a[k]]] = k
        place[of_a[k]] += 1
    joint = np.empty(n, dtype=np.int64)
    slot = np.full(count_b + 1, -1, dtype=np.int64)  # where the current segment's sum with b is
    m, start = 0, 0
    for a in range(count_a + 1):
        begin = m
        for k in order[start : place[a]]:
            b = of_b[k]
            if slot[b] < begin:
                slot[b] = m
                joint[m] = 0
                m += 1
            joint[slot[b]] += length[k]
        start = place[a]
    return size_a, size_b, joint[:m].copy()
