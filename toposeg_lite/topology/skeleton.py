"""The skeleton of a mask, by thinning; that of a likelihood is in the module `morse`.

A skeleton is what is left of a mask when it is peeled, layer by layer, for as long as its topology
allows: lines one pixel wide, with the components, loops and arms of the mask. In a volume the walls
around cavities stay too, one voxel thick. Only *simple* pixels go (see the module `warping`), one
at a time, so no Betti number changes. Drawn in 2D, ``#`` is the skeleton, ``o`` what was peeled::

    o o o o o o o o o o o o o o      o o o o o o o o o o o o o o
    o o o o o o o o o o o o o o      o o o o o o o o o o o o o o
    o o # # # # o # # # # # o o      o o # # # # o # # # # # o o
    o o o o o o # o o o o o o o      o o o o o o # o o o o o o o
    o o o o o o o o o o o o o o      o o o o o o # o o o o o o o
    . . . . . . o . . . . . . .      . . . . . o # o . . . . . .
    . . . . . . o . . . . . . .      . . . . . o # o . . . . . .
                                     . . . . . o # o . . . . . .
    a spur is cut                    . . . . . o o o . . . . . .     an arm stays

The definition has three parts.

**Order** [1]_. The *depth* of a pixel is its distance to the background, which also lies around the
image. The shallowest pixels go first. Those of one depth go in rounds: a round offers every pixel
of this depth, or a smaller one, that was not offered yet or has lost a neighbour since. So a
plateau of equal depth is peeled from all sides alike, and a tube of even width not from one end to
the other. Within a round the pixels go by *fields*, the parities of their coordinates (4 in 2D, 8
in 3D): even rows and even columns first. No two pixels of a field touch, so their own order means
nothing.

**Ends.** A line would be peeled from its tip, because the last pixel is simple. It stays if it is
the *tip of a ridge*: it has a single neighbour left, and in no direction does the depth rise from
it by more than half of the step. At the corner of a box it rises faster; along an arm, even one
that tapers, it does not.

**Spurs.** A bump on a rough surface is a very short arm. Follow the line from an end to its
*junction*, the first pixel with three neighbours or more. Let R be the depth of the junction and r
that of the end, in whole pixels, but at most R. The line is a *spur*, a mere bump, if end and
junction are less than 2 R - r + 1 apart: the ball around the end hardly leaves the ball of twice
the radius around the junction. The shortest spurs, in whole pixels, are cut at once, and what is
left is peeled again from their junctions on, until there is no spur.

**Spacing.** Where the pixels of one axis lie further apart than those of another, depths, steps and
spurs are measured in multiples of the smallest spacing, which then stands for the pixel above. The
neighbourhoods, and with them the topology, do not change.

A mask of which nothing may be peeled or cut is its own skeleton, and every skeleton is.

References
----------
.. [1] C. Pudney, "Distance-ordered homotopic thinning: a skeletonization algorithm for 3D digital
       images", Computer Vision and Image Understanding 72 (1998). doi:10.1006/cviu.1998.0680
.. [2] T. Y. Zhang, C. Y. Suen, "A fast parallel algorithm for thinning digital patterns",
       Communications of the ACM 27 (1984). doi:10.1145/357994.358023
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .frame import NEIGHBOURS, OFFSETS, flat_steps
from .kernels import kernel
from .warping import (
    nearest_along,
    pad_mask,
    simple_code,
    simple_table,
    squared_distances,
    unpad_mask,
)

__all__ = ["thin_mask"]


def thin_mask(
    mask: NDArray[np.bool_], spacing: tuple[float, ...] | None = None
) -> NDArray[np.bool_]:
    """Thin a checked mask to its skeleton, under full connectivity (8 or 26 neighbours).

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array of bool
        The foreground. Outside lies background.
    spacing : tuple of float, optional
        Of a volume's voxels, as `check_spacing` returns it. In 2D it is refused, for Zhang's
        thinning measures nothing.

    Returns
    -------
    array of bool, of the mask's shape
        A subset of the mask with the same Betti numbers. In 3D it is `thin_by_depth`, in 2D what
        scikit-image's `skeletonize` returns (Zhang's thinning [2]_), which leaves some diagonals
        two pixels wide and eats some others, of even width, from one end to the middle. It is kept
        since published numbers of clDice are made with it, and ours should be comparable.

    Examples
    --------
    A tube of 2x2x7 voxels becomes a line:

    >>> tube = np.zeros((4, 4, 9), bool)
    >>> tube[1:3, 1:3, 1:8] = True
    >>> thin_mask(tube).sum(axis=(0, 1))
    array([0, 1, 1, 1, 1, 1, 1, 1, 0])
    """
    if mask.ndim == 3:
        return thin_by_depth(mask, spacing)
    if spacing is not None:
        raise ValueError(
            "spacing must be None, or all its entries equal, for the skeleton of an image with 2 "
            "axes: Zhang's thinning measures no distances"
        )
    padded = np.ascontiguousarray(pad_mask(mask))  # so that its `ravel` is a view
    flat, steps = padded.ravel(), flat_steps(NEIGHBOURS, padded.shape)
    _thin_from_sides(flat, np.flatnonzero(flat).astype(np.int32), steps, ZHANG)
    return unpad_mask(padded)


def _tabulate_zhang() -> NDArray[np.uint8]:
    """Tabulate in which passes a pixel goes, for each of 256 neighbourhoods: bits 1 and 2.

    Bit i of a neighbourhood says that the pixel at NEIGHBOURS[i] is set. By the paper a pixel goes
    if it has two to six neighbours, in one run around it, and in the first pass if one of E and S,
    or both N and W, are not set, in the second if one of N and W, or both E and S, are not.
    scikit-image departs from that where a pixel is the end of a line two pixels wide, or a corner
    of a line that needs none: by comparing skeletons, in the 25 neighbourhoods that are listed.
    """
    ring = (0, 1, 2, 4, 7, 6, 5, 3)  # the bits from the upper left, clockwise
    table = np.zeros(256, np.uint8)
    for mask in range(256):
        there = [bool(mask >> bit & 1) for bit in ring]
        runs = sum(b and not a for a, b in zip(there, there[1:] + there[:1], strict=True))
        north, east, south, west = there[1::2]
        if 2 <= sum(there) <= 6 and runs == 1:
            table[mask] = not (east and south and (north or west))
            table[mask] |= 2 * (not (north and west and (east or south)))
    for passes, masks in enumerate(DEPARTURES):
        table[list(masks)] = passes
    return table


# By the passes in which a pixel with such neighbours goes: none, the first, the second, both.
DEPARTURES: tuple[tuple[int, ...], ...] = (
    (9, 192),
    (3, 6, 11, 14, 19, 20, 22, 42, 46, 73),
    (18, 40, 96, 104, 112, 116, 144, 146, 200, 208),
    (10, 72, 80),
)
ZHANG = _tabulate_zhang()


def thin_by_depth(
    mask: NDArray[np.bool_], spacing: tuple[float, ...] | None = None
) -> NDArray[np.bool_]:
    """Thin a checked mask by the rules in the module's docstring.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array of bool
        The foreground. Outside lies background.
    spacing : tuple of float, optional
        Of the pixels along each axis, as `check_spacing` returns it.

    Returns
    -------
    array of bool, of the mask's shape
        The skeleton. The fields have a beginning: it follows the mask when that is moved by an even
        number of pixels or mirrored along an axis of odd length. Otherwise it is another one of the
        same kind, which may lie beside the first.

    Notes
    -----
    O(n d) for n pixels of foreground, d being their mean depth.

    Examples
    --------
    >>> thin_by_depth(np.ones((4, 9), bool)).astype(int)
    array([[0, 0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0, 0],
           [0, 1, 1, 1, 1, 1, 1, 1, 0],
           [0, 0, 0, 0, 0, 0, 0, 0, 0]])
    """
    padded = np.ascontiguousarray(pad_mask(mask))  # so that `flat` is a view
    flat = padded.ravel()
    pixels = np.flatnonzero(flat)
    depth, height, width = (1, *padded.shape)[-3:]
    offsets = OFFSETS[mask.ndim, mask.ndim]
    if spacing is None:
        squared = _squared_depths(flat, pixels, depth, height, width)
        order, sizes = _shallow_first(pixels, squared), np.ones(mask.ndim)
    else:
        sizes = np.array(spacing)
        squared = squared_distances(padded, sizes).ravel()
        order = pixels[np.argsort(squared[pixels], kind="stable")]
    grid = _Grid(
        squared=squared,
        fields=_fields(padded.shape),
        steps=flat_steps(offsets, padded.shape),
        lengths=np.sqrt(((offsets * sizes) ** 2).sum(axis=1)),
        sizes=np.append(np.ones(3 - mask.ndim), sizes),
        table=simple_table(True),
        height=height,
        width=width,
    )
    _thin(flat, order, grid)
    return unpad_mask(padded)


class _Grid(NamedTuple):
    """What the kernels know of a padded, flat mask; the depths are those before the thinning."""

    squared: NDArray  # depth of each pixel, squared: int32, or float64 where spacings differ
    fields: NDArray[np.uint8]  # field of each pixel
    steps: NDArray[np.int64]  # to the 8 or 26 neighbours,
    lengths: NDArray[np.float64]  # and how long these steps are
    sizes: NDArray[np.float64]  # of a pixel, along z, y and x
    table: NDArray[np.bool_]  # which neighbourhoods make a pixel simple, in 2D
    height: int
    width: int


def _fields(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the parities of each pixel's coordinates, read as a binary number; flat."""
    fields = np.zeros((), np.uint8)
    for size in shape:
        fields = 2 * fields[..., np.newaxis] + np.arange(size, dtype=np.uint8) % 2
    return fields.ravel()


@kernel
def _squared_depths(flat, pixels, depth, height, width):
    """Return the squared distances to the background, axis by axis; see `nearest_along`.

    `flat` is a padded mask of the given shape (`depth` is 1 in 2D), raveled; `pixels` are the
    indices of its foreground, rising.
    """
    row = width if depth == 1 else height * width  # from one slice of the first axis to the next
    squared = np.zeros(flat.size, np.int32)
    for p in pixels:
        squared[p] = squared[p - row] + 1
    for p in pixels[::-1]:
        squared[p] = min(squared[p], squared[p + row] + 1)
    for p in pixels:
        squared[p] *= squared[p]
    if depth > 1:
        plane = np.zeros(flat.size, np.int32)
        for p in pixels:
            y = p // width % height
            plane[p] = nearest_along(flat, squared, p, width, y, height - 1 - y)
        squared = plane
    result = np.zeros(flat.size, np.int32)
    for p in pixels:
        x = p % width
        result[p] = nearest_along(flat, squared, p, 1, x, width - 1 - x)
    return result


@kernel
def _shallow_first(pixels, squared):
    """Sort pixels by depth, by counting how many there are of each."""
    starts = np.zeros(squared.max() + 2, np.int64)
    for p in pixels:
        starts[squared[p] + 1] += 1
    starts = np.cumsum(starts)
    order = np.empty_like(pixels)
    for p in pixels:
        order[starts[squared[p]]] = p
        starts[squared[p]] += 1
    return order


@kernel
def _thin(flat, order, grid):
    """Peel a mask in place and cut its spurs until it has none; `order` is `_shallow_first`."""
    state = np.zeros(flat.size, np.uint8)
    _peel(flat, state, order, grid)
    order = order[flat[order] != 0]
    while True:
        junctions = _cut_spurs(flat, order, grid)
        if junctions.size == 0:
            return
        junctions = np.unique(junctions)
        depths = grid.squared[junctions]
        # Nothing has lost a neighbour but the junctions.
        _peel(flat, state, junctions[np.argsort(depths, kind="mergesort")], grid)
        order = order[flat[order] != 0]


_REFUSED, _QUEUED = 1, 2  # what `state` says of a pixel that was offered


@kernel
def _peel(flat, state, order, grid):
    """Offer pixels depth by depth, in rounds, field by field; remove those that may go.

    `state` holds what earlier calls left there.
    """
    squared, fields, steps = grid.squared, grid.fields, grid.steps
    lengths, table = grid.lengths, grid.table
    start = 0
    while start < order.size:
        stop = start
        while stop < order.size and squared[order[stop]] == squared[order[start]]:
            stop += 1
        offered = list(order[start:stop])
        while len(offered) > 0:
            again = [np.int64(0) for _ in range(0)]
            for field in range(4 if steps.size == 8 else 8):
                for p in offered:
                    if fields[p] != field:
                        continue
                    if not _may_go(flat, p, squared, steps, lengths, table):
                        state[p] = _REFUSED
                        continue
                    flat[p] = state[p] = 0
                    for step in steps:
                        if state[p + step] == _REFUSED:
                            state[p + step] = _QUEUED
                            again.append(p + step)
            offered = again
        start = stop


@kernel
def _may_go(flat, p, squared, steps, lengths, table):
    """Return whether a pixel is simple and no tip of a ridge."""
    code = 0
    for bit in range(steps.size):
        code |= flat[p + steps[bit]] << bit
    if code == 0 or code & (code - 1):  # not one neighbour
        return table[code] if steps.size == 8 else simple_code(code, 13, True)
    depth = np.sqrt(squared[p])
    for i in range(steps.size):  # noqa: SIM110 (numba has no `any` of a generator)
        if np.sqrt(squared[p + steps[i]]) - depth > lengths[i] / 2:
            return True  # no tip; and a pixel with a single neighbour is simple
    return False


@kernel
def _count_neighbours(flat, p, steps):
    count = 0
    for step in steps:
        count += flat[p + step]
    return count


@kernel
def _cut_spurs(flat, order, grid):
    """Cut the shortest spurs of a peeled mask, all at once; return their junctions.

    `order` holds the pixels of the mask. Spurs share nothing but junctions, so none of them is
    changed by the cut of another.
    """
    steps = grid.steps
    ends, junctions = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    shortest = np.inf
    for end in order:
        if _count_neighbours(flat, end, steps) != 1:
            continue
        junction = _follow(flat, end, steps)
        if junction < 0:
            continue
        length = _spur_length(end, junction, grid)
        if length < shortest:
            shortest = length
            ends.clear()
            junctions.clear()
        if length == shortest < np.inf:
            ends.append(end)
            junctions.append(junction)
    for end, junction in zip(ends, junctions):  # noqa: B905 (numba has no `strict`)
        while end != junction:
            flat[end] = 0
            for step in steps:
                if flat[end + step]:
                    end += step
                    break
    return np.array(junctions)


@kernel
def _follow(flat, end, steps):
    """Follow the line from an end to its junction; -1 where it leads to another end."""
    before = here = end
    count = 1
    while here == end or count == 2:
        for step in steps:
            if flat[here + step] and here + step != before:
                before, here = here, here + step
                break
        count = _count_neighbours(flat, here, steps)
    return here if count > 2 else -1


@kernel
def _spur_length(end, junction, grid):
    """Return the length of a line in whole pixels if it is a spur, else infinity."""
    squared, width, height = grid.squared, grid.width, grid.height
    layer = height * width
    dz = (end // layer - junction // layer) * grid.sizes[0]
    dy = (end // width % height - junction // width % height) * grid.sizes[1]
    dx = (end % width - junction % width) * grid.sizes[2]
    length = np.sqrt(dz * dz + dy * dy + dx * dx)
    outer = np.rint(np.sqrt(squared[junction]))
    inner = min(np.rint(np.sqrt(squared[end])), outer)
    return np.floor(length) if length < 2 * outer - inner + 1 else np.inf


# --- Zhang's thinning ----------------------------------------------------------------------------


@kernel
def _thin_from_sides(flat, pixels, steps, table):
    """Remove `pixels`, those of a padded plane, raveled, in passes of two kinds, until none goes.

    All that go in one pass go at once. What has lost no neighbour since it stayed in a pass of one
    kind stays in the next of it: so after two passes only neighbours of what went in the two before
    are looked at. What is noted for the next pass has a second bit in `flat`, for a while.
    """
    near, before, kind = pixels, pixels[:0], 1
    while near.size + before.size > 0:
        gone, m = np.empty(near.size + before.size, np.int32), 0
        for some in (near, before):
            for p in some:
                code = 0
                for bit in range(8):
                    code |= flat[p + steps[bit]] << bit
                gone[m] = p  # written always and kept at times: no branch to mispredict
                m += (table[code] & kind > 0) & (flat[p] > 0)
        for p in gone[:m]:
            flat[p] = 0
        noted, n = np.empty(8 * m, np.int32), 0
        for p in gone[:m]:
            for step in steps:
                if flat[p + step] == 1:
                    flat[p + step] = 3
                    noted[n] = p + step
                    n += 1
        for p in noted[:n]:
            flat[p] = 1
        near, before, kind = noted[:n], near, 3 - kind
