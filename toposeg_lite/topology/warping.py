"""Simple points and homotopy warping: changing the shape of a mask but never its topology.

Simple points
-------------
A pixel is *simple* when flipping it, from foreground to background or back, changes no component,
no tunnel and no cavity. Remarkably, its 3 x 3 neighbourhood alone decides this, whatever the rest
of the image looks like, and the pixel's own value does not matter [1]_. Look at the pixel ``p``
(``#`` foreground, ``.`` background, foreground connectivity 8)::

    # # .        # . .        # # #        . . .
    # p .        . p .        # p #        . p .
    . . .        . . #        # # #        . . .

    simple       joins two    fills a      makes a
                 components   hole         component

It is simple exactly when two numbers are one: the *foreground components* of the neighbourhood
without ``p`` that touch ``p``, and the *background components* that touch it. If there were two
foreground components, ``p`` would join or part them; if there were none, it would be a component
of its own; likewise for the background.

**Why the dual connectivity.** Take one corner away from the third picture. If the background could
step diagonally like the foreground, the hole ``p`` would leak out through that corner, and ``p``
would count as simple. But the foreground steps diagonally past the same corner and closes the
ring: ``p`` is still a hole. A diagonal is open to one of the two only, so foreground 8 goes with
background 4, and 4 with 8 (26 with 6, and 6 with 26). In 2D the verdicts for all 256
neighbourhoods fit into a table.

**In three dimensions** the same two counts are the *topological numbers* of [2]_. The 26-components
are counted among all 26 neighbours. The 6-components are counted only among the 18 neighbours that
share a face or an edge with ``p``: a detour over a corner of the cube would lead around a ring of
foreground instead of through it and hide that ``p`` closes the ring's tunnel. Only components
that hold one of the six face neighbours touch ``p``.

Beyond the border of the image lies background, so a pixel on the border has a full neighbourhood.

Homotopy warping
----------------
Take a mask and a target, and flip pixels where they differ, as long as they are simple: the mask
creeps towards the target, shrinking here and growing there, and keeps its topology. Where only
the width or the place of a structure differs, the difference disappears. What stays when no pixel
can flip any more are the *critical pixels*: there a connection is missing or false, a hole is open
or filled [3]_::

    mask         target       warped       critical
    # # # # #    # # # # #    # # # # #    . . . . .
    # # . # #    . . . . .    . # . . #    . # . . #
    # # # # #    # # # # #    # # # # #    . . . . .

The two bars of the target have no loop. That of the mask has to survive, and two pixels stay.

**The order** decides which pixels are left over, so it is part of the definition. All pixels that
differ wait in one heap, whose key is the squared distance to the boundary of the *original* mask
(from a foreground pixel to the nearest background, outside included; from a background pixel to
the nearest foreground), and then the flat index. The nearest goes first, so the mask is peeled and
grown in layers and fronts meet halfway [3]_. A pixel that is refused is offered again when its
neighbourhood has changed. In other words: the first simple pixel in the order flips, until none is
left. Every flip removes one difference, so there is an end. With a *spacing*, the distances are
lengths in space: in a volume of thick slices the fronts go on within the slices first. Whether a
pixel is simple does not depend on it.

References
----------
.. [1] T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey", CVGIP 48 (1989).
       doi:10.1016/0734-189X(89)90147-3
.. [2] G. Bertrand and G. Malandain, "A new characterization of three-dimensional simple points",
       Pattern Recognition Letters 15 (1994). doi:10.1016/0167-8655(94)90046-9
.. [3] X. Hu, "Structure-aware image segmentation with homotopy warping", NeurIPS 2022.
       arXiv:2112.07812
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..checks import check_same_shape
from .frame import OFFSETS, flat_steps, unframe
from .grid import check_connectivity, check_mask, check_spacing
from .kernels import kernel
from .threads import map_in_threads

__all__ = ["WarpResult", "flip_order", "homotopy_warp", "simple_points"]


class WarpResult(NamedTuple):
    """What `homotopy_warp` returns.

    Attributes
    ----------
    warped : array of bool
        The mask after all flips: its topology is that of the mask.
    critical : array of bool
        Where `warped` still differs from the target.
    """

    warped: NDArray[np.bool_]
    critical: NDArray[np.bool_]


def simple_points(mask: Any, *, connectivity: int | None = None) -> NDArray[np.bool_]:
    """Find the pixels that can flip, one at a time, without changing the topology of a mask.

    See the module's docstring for the definition, the package's for the parameters. Flipping a
    simple pixel keeps every Betti number; flipping two of them at once may not.

    Returns
    -------
    array of bool, of the mask's shape
        True where the pixel, foreground or background, is simple.

    Examples
    --------
    The ends of a bar are simple, its middle is not. Beside the bar all pixels are simple.

    >>> bar = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]])
    >>> simple_points(bar).astype(int)
    array([[1, 1, 1, 1, 1],
           [1, 1, 0, 1, 1],
           [1, 1, 1, 1, 1]])

    With 4 neighbours a pixel at a corner of the bar would be a component of its own.

    >>> simple_points(bar, connectivity=1).astype(int)
    array([[0, 1, 1, 1, 0],
           [1, 1, 0, 1, 1],
           [0, 1, 1, 1, 0]])
    """
    mask = check_mask(mask)
    full = check_connectivity(connectivity, mask.ndim) == mask.ndim
    padded, simple = pad_mask(mask), pad_mask(np.ones_like(mask))
    _keep_simple(padded.ravel(), simple.ravel(), _steps(padded), full, simple_table(full))
    return unpad_mask(simple)


def homotopy_warp(
    mask: Any,
    target: Any,
    *,
    connectivity: int | None = None,
    spacing: Sequence[float] | None = None,
) -> WarpResult:
    """Deform a mask towards a target as far as its topology allows.

    Simple pixels where the two differ are flipped in the order that the module's docstring defines,
    until none is left. Both masks have one shape; see the package's docstring for the connectivity
    and the spacing.

    Returns
    -------
    WarpResult
        A mask without foreground, or without background inside the image, has no boundary to move:
        nothing flips, and every difference is critical.

    Notes
    -----
    For n pixels, m of which differ: O(n + m (log m + d)), d being the mean distance to the
    boundary. In 3D the first term is O(n d).

    Examples
    --------
    The prediction of a line is too short, too thick and broken. Length and width can be mended by
    warping, the break cannot:

    >>> prediction = np.array([[0, 1, 1, 0, 0, 1, 0], [0, 1, 1, 0, 0, 1, 0]])
    >>> truth = np.array([[0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]])
    >>> warped, critical = homotopy_warp(prediction, truth)
    >>> warped.astype(int)
    array([[0, 0, 0, 0, 0, 0, 0],
           [1, 1, 1, 1, 0, 1, 1]])
    >>> np.argwhere(critical).tolist()
    [[1, 4]]
    """
    mask, target, full = _check_pair(mask, target, connectivity)
    warped = _warp(mask, target, full, check_spacing(spacing, mask.ndim))
    return WarpResult(warped, warped != target)


def flip_order(
    mask: Any,
    target: Any,
    *,
    connectivity: int | None = None,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.int64]:
    """List the pixels that `homotopy_warp` flips, in the order in which it flips them.

    Flipping the first k of them in the mask shows the warp after k steps; after each step the
    topology is that of the mask. The parameters are those of `homotopy_warp`.

    Returns
    -------
    (n,) array of int64
        Flat indices (C order); no pixel occurs twice.

    Examples
    --------
    A bar grows to the right, pixel by pixel:

    >>> flip_order([[1, 0, 0, 0]], [[1, 1, 1, 1]])
    array([1, 2, 3])
    """
    mask, target, full = _check_pair(mask, target, connectivity)
    padded = pad_mask(mask)
    order = _flip(padded, mask, target, full, check_spacing(spacing, mask.ndim))
    return unframe(order, padded.shape)


def _check_pair(
    mask: Any, target: Any, connectivity: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool]:
    """Check what the two warping functions are given; the last value is "diagonal foreground"."""
    mask = check_mask(mask)
    target = check_mask(target, "target")
    check_same_shape(mask, target, ("mask", "target"))
    return mask, target, check_connectivity(connectivity, mask.ndim) == mask.ndim


def warp_batch(
    masks: NDArray[np.bool_],
    targets: NDArray[np.bool_],
    connectivity: int,
    workers: int = 1,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.bool_]:
    """Warp each mask of a batch (B, *spatial) towards its target; nothing is checked.

    Both are boolean arrays; the spacing is as `check_spacing` returns it. The kernels release the
    GIL, so `workers` threads share the batch; the result does not depend on their number.
    """
    full = connectivity == masks.ndim - 1
    pairs = list(zip(masks, targets, strict=True))
    return np.stack(map_in_threads(lambda pair: _warp(*pair, full, spacing), pairs, workers))


def _warp(
    mask: NDArray[np.bool_],
    target: NDArray[np.bool_],
    full: bool,
    spacing: tuple[float, ...] | None,
) -> NDArray[np.bool_]:
    """Return the warped mask as a new array; nothing is checked."""
    padded = pad_mask(mask)
    _flip(padded, mask, target, full, spacing)
    return unpad_mask(padded)


def _flip(
    padded: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    target: NDArray[np.bool_],
    full: bool,
    spacing: tuple[float, ...] | None,
) -> NDArray[np.int64]:
    """Warp `padded`, the padded mask, in place and return its flipped flat indices in order."""
    differs = mask != target
    if not differs.any() or mask.all() or not mask.any():
        return np.empty(0, np.int64)
    todo = pad_mask(differs)
    depth, height, width = (1, *padded.shape)[-3:]
    if spacing is None:
        keys = _order_keys(padded.ravel(), todo.ravel(), depth, height, width)
    else:
        keys = np.zeros(padded.size, np.int64)
        pixels = np.flatnonzero(todo)
        inner, outer = (squared_distances(m, spacing).ravel() for m in (padded, 1 - padded))
        # The distances' places among all that occur are whole numbers, as the keys want them.
        _, place = np.unique((inner + outer)[pixels], return_inverse=True)  # one of the two is 0
        keys[pixels] = place * padded.size + pixels
    return _flip_simple(
        padded.ravel(), todo.ravel(), keys, _steps(padded), full, simple_table(full)
    )


def pad_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Put one pixel of background around a mask, so that every pixel has all its neighbours."""
    return np.pad(mask.view(np.uint8), 1)


def unpad_mask(padded: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask without the pixels around it, as an array of its own."""
    return padded[(slice(1, -1),) * padded.ndim].astype(np.bool_)


def squared_distances(
    padded: NDArray[np.uint8], spacing: Sequence[float] | np.ndarray
) -> NDArray[np.float64]:
    """Return the squared distance of each pixel to the nearest 0, where pixels have this spacing.

    It is rounded, so that what is equally far is equal.
    """
    return np.round(distance_transform_edt(padded, sampling=spacing) ** 2, 6)


def _steps(padded: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the steps from a pixel to its 8 or 26 neighbours in a flat array, in C order."""
    return flat_steps(OFFSETS[padded.ndim, padded.ndim], padded.shape)


# --- is a pixel simple? The neighbourhood as the bits of a number ---------------------------------
# The 3 x 3 x 3 cells around a pixel are 27 bits, cell (z, y, x) in -1..1 being bit
# 13 + 9 z + 3 y + x. A 2D neighbourhood is the plane z = 0.


def _cells(rule: Callable[[int, int, int], bool]) -> int:
    """Return the number whose bits are the cells that obey a rule."""
    moves = product((-1, 0, 1), repeat=3)
    return sum(1 << (13 + 9 * z + 3 * y + x) for z, y, x in moves if rule(z, y, x))


_NEIGHBOURS = _cells(lambda z, y, x: (z, y, x) != (0, 0, 0))
_PLANE = _cells(lambda z, y, x: z == 0 and (y, x) != (0, 0))
_FACES = _cells(lambda z, y, x: abs(z) + abs(y) + abs(x) == 1)
_CORNERS = _cells(lambda z, y, x: abs(z) + abs(y) + abs(x) == 3)
# A step along x by a shift must not run into the next row: these cells can be entered.
_AFTER_X, _BEFORE_X = _cells(lambda z, y, x: x > -1), _cells(lambda z, y, x: x < 1)
_AFTER_Y, _BEFORE_Y = _cells(lambda z, y, x: y > -1), _cells(lambda z, y, x: y < 1)


@kernel
def _grow(region, diagonally):
    """Add to a set of cells their 26 (`diagonally`) or 6 neighbours.

    The shift by 9 needs no guard: it leaves the cube, where no set of cells has members.
    """
    x = ((region << 1) & _AFTER_X) | ((region >> 1) & _BEFORE_X)
    base = region | x if diagonally else region
    y = ((base << 3) & _AFTER_Y) | ((base >> 3) & _BEFORE_Y)
    base = base | y if diagonally else region
    z = (base << 9) | (base >> 9)
    return region | x | y | z


@kernel
def _one_component(cells, near, diagonally):
    """Return whether exactly one component of a set of cells has members in `near`."""
    seeds = cells & near
    if seeds == 0:
        return False
    region = seeds & -seeds  # the lowest bit: one cell
    while True:
        grown = _grow(region, diagonally) & cells
        if grown == region:
            return (seeds & ~region) == 0
        region = grown


@kernel
def simple_code(code, half, full):
    """Decide by the definition whether the pixel in a neighbourhood is simple.

    Bit i of `code` is the i-th neighbour in C order; `half` is half their number: 4 or 13.
    """
    # The pixel itself has a bit among the cells, between the two halves.
    cells = (code & ((1 << half) - 1)) | (code >> half << (half + 1))
    if half == 4:
        cells = cells << 9
        others = _PLANE & ~cells
    else:
        others = _NEIGHBOURS & ~cells
    if not full:
        cells, others = others, cells
    # Now `cells` step diagonally and `others` do not. Without the corners of the cube they are the
    # 18 neighbours of the definition; in a plane there are no such corners.
    return _one_component(others & ~_CORNERS, _FACES, False) and _one_component(
        cells, _NEIGHBOURS, True
    )


@cache
def simple_table(full: bool) -> NDArray[np.bool_]:
    """Tabulate the verdicts for the 256 neighbourhoods of a pixel in 2D."""
    return np.array([simple_code(code, 4, full) for code in range(256)])


@kernel
def _is_simple(flat, pixel, steps, full, table):
    """Return whether a pixel of a padded, flat mask is simple; it must not lie on the padding."""
    code = 0
    for bit in range(steps.size):
        code |= flat[pixel + steps[bit]] << bit
    if steps.size == 8:
        return table[code]
    return simple_code(code, 13, full)


@kernel
def _keep_simple(flat, marked, steps, full, table):
    """Of the `marked` pixels of a padded, flat mask keep those that are simple."""
    for pixel in range(flat.size):
        if marked[pixel]:
            marked[pixel] = _is_simple(flat, pixel, steps, full, table)


# --- warping ------------------------------------------------------------------------------------


@kernel
def nearest_along(flat, squared, pixel, step, before, after):
    """Search a line for the nearest pixel of the other class.

    `squared` holds the squared distance of every pixel to the other class within the axes that
    were searched already. The line through `pixel` has `before` and `after` pixels on its sides,
    `step` apart. The search ends where it can only get farther, which keeps it short: few pixels
    that differ lie deep inside.
    """
    best = squared[pixel]
    for direction, room in ((-step, before), (step, after)):
        other = pixel
        for k in range(1, room + 1):
            if k * k >= best:
                break
            other += direction
            if flat[other] != flat[pixel]:
                best = k * k
                break
            best = min(best, k * k + squared[other])
    return best


@kernel
def _order_keys(flat, todo, depth, height, width):
    """Return the heap keys of the pixels marked in `todo`: squared distance, then flat index.

    `flat` is a padded mask with foreground and background of the given shape (`depth` is 1 in
    2D), raveled. The distance is that to the nearest pixel of the other class, found axis by axis.
    Both classes share one array, for a pixel of the other class is at distance 0 by definition.
    """
    size = flat.size
    far = depth + height + width  # beyond every distance
    row = width if depth == 1 else height * width  # from one slice of the first axis to the next
    squared = np.empty(size, np.int64)
    for p in range(size):
        squared[p] = far
        if p >= row:
            squared[p] = min(far, squared[p - row] + 1) if flat[p] == flat[p - row] else 1
    for p in range(size - row - 1, -1, -1):
        reach = squared[p + row] + 1 if flat[p] == flat[p + row] else 1
        squared[p] = min(squared[p], reach)
    for p in range(size):
        squared[p] *= squared[p]
    if depth > 1:
        plane = np.empty(size, np.int64)
        for p in range(size):
            y = p // width % height
            plane[p] = nearest_along(flat, squared, p, width, y, height - 1 - y)
        squared = plane
    keys = np.empty(size, np.int64)
    for p in range(size):
        if todo[p]:
            x = p % width
            keys[p] = nearest_along(flat, squared, p, 1, x, width - 1 - x) * size + p
    return keys


_WAITING, _QUEUED = 1, 2  # what `todo` says of a pixel that differs from the target


@kernel
def _flip_simple(flat, todo, keys, steps, full, table):
    """Flip simple pixels of a padded mask in the order of their keys until none is left.

    `todo` is _WAITING where a pixel may flip, and 0 elsewhere, also on the padding; `flat` and
    `todo` are changed in place. A key modulo the size is the pixel. Only simple pixels are queued,
    and one that stopped being simple in the queue goes back to waiting, so at every step the first
    simple pixel of all flips. Returns the flipped pixels in order.
    """
    size = flat.size
    heap = [np.int64(0) for _ in range(0)]
    differing = 0
    for p in range(size):
        if todo[p]:
            differing += 1
            if _is_simple(flat, p, steps, full, table):
                todo[p] = _QUEUED
                heap.append(keys[p])
    heapq.heapify(heap)
    order = np.empty(differing, np.int64)
    flipped = 0
    while heap:
        p = heapq.heappop(heap) % size
        if not _is_simple(flat, p, steps, full, table):
            todo[p] = _WAITING
            continue
        flat[p] ^= 1
        todo[p] = 0
        order[flipped] = p
        flipped += 1
        for step in steps:
            q = p + step
            if todo[q] == _WAITING and _is_simple(flat, q, steps, full, table):
                todo[q] = _QUEUED
                heapq.heappush(heap, keys[q])
    return order[:flipped]
