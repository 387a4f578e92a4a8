"""Steepest paths and critical edges: what the discrete Morse complex is made of.

The theory stands in the docstring of the module `morse`. Here are the passes over the pixels: where
each pixel's steepest path goes, which edges are critical, which of them join components and which
close loops, and in 2D by which pixel a loop is filled (in 3D: see the module `loops`).

All arrays are framed and flat (see the module `frame`); the frame lies below all values. Pixels
are named by their flat index, and two of the same value are ordered by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .frame import NEIGHBOURS, later_steps
from .kernels import kernel
from .order import find_root

__all__: list[str] = []


class Landscape(NamedTuple):
    """A framed image with its steepest paths and the basins of its peaks."""

    values: np.ndarray
    uphill: np.ndarray  # for each pixel the next on its steepest path, itself for a peak
    basin: np.ndarray  # the number of the peak where this path ends, -1 on the frame
    peaks: np.ndarray  # the pixel of each peak


def climb(image: np.ndarray, frame: float, connectivity: int) -> Landscape:
    """Put a frame of a value that lies below all others round an image, and follow the paths up."""
    framed = np.pad(image, 1, constant_values=frame)
    values, rows, width = framed.ravel(), rows_inside(framed.shape), image.shape[-1]
    uphill = _steepest(values, later_steps(framed.shape, connectivity), rows, width)
    return Landscape(values, uphill, *_basins(uphill, rows, width))


def rows_inside(shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat index of the first pixel inside the frame of each row inside the frame."""
    starts = np.arange(1, shape[-2] - 1) * shape[-1] + 1
    if len(shape) == 3:
        starts = (np.arange(1, shape[0] - 1)[:, None] * (shape[1] * shape[2]) + starts).ravel()
    return starts


# --- The table of 2D neighbourhoods --------------------------------------------------------------

# The eight neighbours clockwise from the upper left, as bit numbers: positions in NEIGHBOURS. At
# even places stand the corners.
RING = (0, 1, 2, 4, 7, 6, 5, 3)


def _tabulate_links(connectivity: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tabulate the components of the upper link for each of the 256 neighbourhoods.

    Returns how many there are, (256,), and of each (256, 4) the pixels to which an edge may go, as
    bits, and (256, 4, 2) the pixels next to it on both sides, as bit numbers. Where there are
    several components these are lower, and an edge into the component separates them.
    """
    hops = np.abs(NEIGHBOURS).sum(1)
    count = np.zeros(256, np.int64)
    near = np.zeros((256, 4), np.uint8)
    sides = np.zeros((256, 4, 2), np.uint8)
    for mask in range(256):
        upper = [mask >> bit & 1 for bit in RING]

        def next_in_link(i: int, way: int, upper: list[int] = upper) -> int | None:
            """Step along the ring; with 8 neighbours, two sides touch across a lower corner."""
            if upper[(i + way) % 8]:
                return i + way
            if connectivity == 2 and i % 2 and upper[(i + 2 * way) % 8]:
                return i + 2 * way
            return None

        for start in range(8):
            if not upper[start] or next_in_link(start, -1) is not None:
                continue  # components are found at their first pixel; a full ring has none
            part = [start]
            while (i := next_in_link(part[-1], 1)) is not None:
                part.append(i)
            bits = [RING[i % 8] for i in part if hops[RING[i % 8]] <= connectivity]
            if not bits:
                continue  # a lone corner has no edge to p when only 4 neighbours have
            k = count[mask]
            near[mask, k] = sum(1 << bit for bit in bits)
            sides[mask, k] = RING[(part[0] - 1) % 8], RING[(part[-1] + 1) % 8]
            count[mask] += 1
    return count, near, sides


UPPER_LINKS = {connectivity: _tabulate_links(connectivity) for connectivity in (1, 2)}


# --- Kernels: the landscape ----------------------------------------------------------------------


@kernel
def _steepest(values, steps, rows, width):
    """Let every pixel point to the highest neighbour that comes before it, peaks to themselves.

    The frame of `values` must lie below all pixels; its own pointers are without meaning.
    """
    uphill = np.zeros(values.size, np.int32)
    best = np.empty(width, values.dtype)
    step = np.empty(width, np.int32)
    for start in rows:  # the loops over a row have no branch, so the compiler vectorises them
        for i in range(width):
            best[i] = values[start + i]
            step[i] = 0
        for s in steps:  # nearest first: of equal ones the last stays, which has the smallest index
            for i in range(width):
                value = values[start - s + i]
                better = value >= best[i]
                best[i] = value if better else best[i]
                step[i] = -s if better else step[i]
        for s in steps:
            for i in range(width):
                value = values[start + s + i]
                better = value > best[i]
                best[i] = value if better else best[i]
                step[i] = s if better else step[i]
        for i in range(width):
            uphill[start + i] = start + i + step[i]
    return uphill


@kernel
def _basins(uphill, rows, width):
    """Give peaks their number in raster order, every pixel that of its peak, and the frame -1."""
    basin = np.full(uphill.size, -1, np.int32)
    n = 0
    for start in rows:
        for p in range(start, start + width):
            if uphill[p] == p:
                basin[p] = n
                n += 1
    peaks = np.empty(n, np.int32)
    for start in rows:
        for p in range(start, start + width):
            if uphill[p] == p:
                peaks[basin[p]] = p
            q = p
            while basin[q] < 0:
                q = uphill[q]
            number = basin[q]
            q = p
            while basin[q] < 0:
                basin[q] = number
                q = uphill[q]
    return basin, peaks


@kernel
def is_older(land, a, b):
    """Whether peak number a comes before peak number b: higher, or as high with a smaller index."""
    height_a, height_b = land.values[land.peaks[a]], land.values[land.peaks[b]]
    return height_a > height_b or (height_a == height_b and a < b)


# --- Kernels: the critical edges -----------------------------------------------------------------


@kernel
def _insert(tops, parts, n, values, top, part):
    """Insert a pixel into `tops[:n]`, which is sorted, highest first; `parts` moves along."""
    while n > 0 and (
        values[top] > values[tops[n - 1]]
        or (values[top] == values[tops[n - 1]] and top < tops[n - 1])
    ):
        tops[n], parts[n] = tops[n - 1], parts[n - 1]
        n -= 1
    tops[n], parts[n] = top, part


@kernel
def critical_edges_2d(values, masks, count, near, sides, ring):
    """List the critical edges: pixels in raster order, the edges of each by falling upper end.

    Returns the lower and the upper end of each edge, and two lower neighbours of the lower end, one
    on each side of the edge; these may lie on the frame.
    """
    n = 0
    for p in range(masks.size):
        n += max(count[masks[p]] - 1, 0)
    lower, upper = np.empty(n, np.int32), np.empty(n, np.int32)
    left, right = np.empty(n, np.int32), np.empty(n, np.int32)
    tops, parts = np.empty(4, np.int64), np.empty(4, np.int64)
    n = 0
    for p in range(masks.size):
        mask = masks[p]
        if count[mask] < 2:
            continue
        for k in range(count[mask]):
            top = -1
            for bit in range(8):
                q = p + ring[bit]
                if near[mask, k] >> bit & 1 and (top < 0 or values[q] > values[top]):
                    top = q
            _insert(tops, parts, k, values, top, k)
        for k in range(1, count[mask]):
            lower[n], upper[n] = p, tops[k]
            left[n] = p + ring[sides[mask, parts[k], 0]]
            right[n] = p + ring[sides[mask, parts[k], 1]]
            n += 1
    return lower, upper, left, right


@kernel
def critical_edges_3d(values, rows, width, steps):
    """List the critical edges: voxels in raster order, the edges of each by falling upper end.

    `steps` are the six to the neighbours, rising: number i and number 5 - i are opposite.
    """
    lower, upper = np.empty(1024, np.int32), np.empty(1024, np.int32)
    part = np.empty(6, np.int64)
    tops, parts = np.empty(6, np.int64), np.empty(6, np.int64)
    n = 0
    for start in rows:
        for p in range(start, start + width):
            value = values[p]
            count = 0
            for a in range(6):
                q = p + steps[a]
                part[a] = -1
                if values[q] > value or (a < 3 and values[q] == value):
                    part[a] = a
                    count += 1
            # Two upper neighbours touch when the voxel across both is upper, too: a square enters.
            for a in range(6):
                for b in range(a + 1, 6):
                    if part[a] < 0 or part[b] < 0 or part[a] == part[b] or a + b == 5:
                        continue
                    step = steps[a] + steps[b]
                    across = values[p + step]
                    if across > value or (step < 0 and across == value):
                        gone = part[b]
                        for i in range(6):
                            if part[i] == gone:
                                part[i] = part[a]
                        count -= 1
            if count < 2:
                continue
            k = 0
            for name in range(6):
                top = -1
                for a in range(6):
                    q = p + steps[a]
                    if part[a] == name and (top < 0 or values[q] > values[top]):
                        top = q
                if top >= 0:
                    _insert(tops, parts, k, values, top, name)
                    k += 1
            if n + k > lower.size:
                lower = np.concatenate((lower, lower))
                upper = np.concatenate((upper, upper))
            for i in range(1, k):
                lower[n], upper[n] = p, tops[i]
                n += 1
    return lower[:n], upper[:n]


@kernel
def join_components(land, lower, upper):
    """Return for each edge the number of the peak that dies there, or -1 where a loop closes."""
    parent = np.arange(land.peaks.size).astype(np.int32)
    died = np.full(lower.size, -1, np.int32)
    for e in range(lower.size):
        old = find_root(parent, land.basin[lower[e]])
        young = find_root(parent, land.basin[upper[e]])
        if old == young:
            continue
        if is_older(land, young, old):
            old, young = young, old
        parent[young] = old
        died[e] = young
    return died


@kernel
def loop_deaths_2d(depths, left, right, died, shape):
    """Return for each edge that closes a loop the pixel that fills it, for the others 0.

    Taking the edges away again, the last first, each that closes a loop lets two components of the
    background meet, those on its two sides. The one with the higher pit is the loop's inside.

    `depths` is the landscape of the negated image, read backwards; `shape` is that of its frame.
    """
    last = depths.values.size - 1  # pixel p of the image is number last - p in the reversed one
    outside = np.int32(depths.peaks.size)  # the oldest component of all
    parent = np.arange(depths.peaks.size + 1).astype(np.int32)
    for k in range(depths.peaks.size):
        row, column = divmod(depths.peaks[k], shape[1])
        if row == 1 or column == 1 or row == shape[0] - 2 or column == shape[1] - 2:
            parent[k] = outside
    death = np.zeros(died.size, np.int32)
    for e in range(died.size - 1, -1, -1):
        if died[e] >= 0:
            continue
        a, b = depths.basin[last - left[e]], depths.basin[last - right[e]]
        old = find_root(parent, a if a >= 0 else outside)
        young = find_root(parent, b if b >= 0 else outside)
        if young == outside or (old != outside and is_older(depths, young, old)):
            old, young = young, old
        parent[young] = old
        death[e] = last - depths.peaks[young]
    return death
