r"""The Betti matching: which features of two images are the same one in the union of both.

**The idea** [1]_. Two images P and G need not agree on any pixel to show the same structure. Let C
be their *comparison image*, ``max(P, G)``: each of its superlevel sets holds those of P and of G,
so every component, hole or tunnel of P, and of G, is also somewhere in C. A feature of P and one
of G are matched when they become the same feature of C.

**In terms of barcodes.** A feature's *bar* reaches from its birth to its death. The inclusions of
the superlevel sets map the persistent homology of P to that of C, and the *image* of this map has
bars of its own: that of a feature of P for as long as it lives in C. An image bar is born with a
feature of P and dies with one of C, so it belongs to one bar of P, that with the same birth, and to
one of C, that with the same death: this is the *induced matching* of P and C. A bar of P and one of
G are matched when both belong to the same bar of C::

    P    .9 .1 .1 .1 .7 .3     In C the blob of .7 dies at .2, where it meets that of .9. Up to
    G    .8 .2 .2 .2 .1 .6     there it holds the blob of .7 of P, and that of .6 of G: these two
    C    .9 .2 .2 .2 .7 .6     are matched. That both die at .1 in their own images is no matter.

**Components.** One pass over C with union-find, the highest pixels first. For each component of C
we know the oldest, that is, highest pixel in P, in G and in C. At a merge the younger of each kind
ends: an image bar of P, one of G and a bar of C, with one death.

**Holes in 2D and cavities in 3D** are components of the background. That of C lies inside that of
P, so birth and death change places: an image bar now belongs to the bar of C with the same death,
the lowest pixel inside, and to the bar of P with the same birth. One pass over the background of P,
the lowest pixels first, keeps the lowest pixel of each component in P and in C. Where two
components meet, the younger of each kind ends. So a hole of P leads to a pixel of C, and a hole of
G to another; if it is the same one, the holes are matched.

**Tunnels in 3D** need the matrix that the module `loops` reduces, with one change: its columns, the
squares, stand in the order of C, and its rows, the edges, in that of P (or of G) [2]_. The pivot
that is left to a square is the edge of P that closes the loop which the square fills in C. Two
tunnels are matched when their edges are left to the same square.

**What counts.** The bars of P, of G and of C must have a length. An image bar need not: where P is
faint, a feature may be born in P at a lower value than that at which its component of C is joined
to another. Its pair of pixels is found all the same and counts, as in the authors' two programs:
thus whatever P has in the place of a clear feature of G is matched to it, be it ever so weak.

**The order of everything.** Pixels of one value come by flat index in P, in G and in C, as if pixel
number i were lower by i times next to nothing; so the three orders fit together. Ties remain where
one pixel joins several components, or closes or fills several loops. They are broken cell by cell,
by the flat index of the cell's first corner and then by its axis: `_list_cells` draws them. For
connectivity 1 cells are made of pixels: edges between two, squares between four. For the full
connectivity they are made of the centres, sides and corners of the pixels, each with the value of
the highest pixel that it touches. This is the order of the authors' C++ program as well, so that
both agree to the last bar on images without ties, put for the full connectivity on a grid of these
points.

References
----------
.. [1] N. Stucki, J. C. Paetzold, S. Shit, B. Menze, U. Bauer, "Topologically faithful image
       segmentation via induced matching of persistence barcodes", ICML 2023. arXiv:2211.15272
.. [2] N. Stucki, V. Bürgin, J. C. Paetzold, U. Bauer, "Efficient Betti matching enables
       topology-aware 3D segmentation via persistent homology", 2024. arXiv:2407.04683
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numba import njit

from .frame import flat_steps, frame_voxels, inside, plane_steps, unframe
from .kernels import kernel
from .order import argsort_falling, empty_keys, find_root
from .persistence import COMPONENTS_AROUND, PersistencePairs, persistence_pairs
from .sparse import framed_indices, rank_some
from .tunnels import (
    Filtration,
    Grid,
    draw_loops,
    entering_voxels,
    fill_loops,
    filter_cells,
    leave_out_cavities,
    make_grid,
    open_loops,
)

__all__ = ["betti_matching", "names"]


class _Ordered(NamedTuple):
    """An image in a frame, as flat arrays.

    The frame stands before all pixels (rank -1) or after them (rank n).
    """

    shape: tuple[int, ...]
    values: np.ndarray
    order: np.ndarray
    rank: np.ndarray

    def reverse(self) -> _Ordered:
        """Return what the background sees: the last pixel comes first."""
        return self._replace(order=self.order[::-1], rank=self.order.size - 1 - self.rank)


def betti_matching(
    first: np.ndarray, second: np.ndarray, connectivity: int, closed: bool, wanted: list[bool]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Match the features of two images through their comparison image.

    The images are C-contiguous and of one shape, with values in [0, 1]: both of float32, both of
    float64, or one of them of bool. `closed` says whether a frame of foreground surrounds them,
    `wanted` of each dimension whether it is.

    Returns for each dimension the `names` of the matched features, in `first` and in `second`. Some
    of the components may have no length in their image, and be no features of it.
    """
    comparison = np.maximum(first, second)
    sides, both = [_ordered(first, closed), _ordered(second, closed)], _ordered(comparison, closed)
    full = connectivity > 1
    none = np.empty(0, np.int64)
    matched = [(none, none)] * first.ndim
    if wanted[0]:
        matched[0] = _components(sides, both, full)
    if wanted[-1]:
        pairs = persistence_pairs(
            comparison,
            connectivity=connectivity,
            dimensions=[first.ndim - 1],
            border="closed" if closed else "open",
        )
        matched[-1] = _holes(sides, both, full, pairs.death_index)
    if first.ndim == 3 and wanted[1]:
        matched[1] = _tunnels(sides, both, full, closed)
    return matched


def names(pairs: PersistencePairs, dimension: int, shape: tuple[int, ...]) -> np.ndarray:
    """Name pairs of one dimension by their pixels, as `betti_matching` does.

    A component is named by the pixel of its birth, a hole or cavity by that of its death. No two
    share it. Tunnels are named by both; those of one name have the same values.
    """
    if dimension == 0:
        return pairs.birth_index
    if dimension == len(shape) - 1:
        return pairs.death_index
    return pairs.birth_index * int(np.prod(shape)) + pairs.death_index


def _ordered(image: np.ndarray, closed: bool) -> _Ordered:
    """Frame an image and sort its pixels: by falling value, equal ones by flat index."""
    values = np.pad(image, 1, constant_values=closed)
    mask = image.astype(np.bool_)
    if np.array_equal(image, mask):  # no need to sort zeros and ones
        order = np.concatenate((np.flatnonzero(mask), np.flatnonzero(~mask)))
    else:
        order = argsort_falling(image.ravel(), empty_keys(image.dtype))
    order = inside(image.shape)[order]
    rank = np.full(values.size, -1 if closed else order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return _Ordered(values.shape, values.ravel(), order, rank)


def _components(sides: list[_Ordered], both: _Ordered, full: bool) -> tuple[np.ndarray, np.ndarray]:
    """Match components: those that end with the same one of the comparison image."""
    cells = _list_cells(len(both.shape), full, True)
    ends = [_image_bars(both, _trace_cells(side, cells), cells) for side in sides]
    shared = np.flatnonzero((ends[0] >= 0) & (ends[1] >= 0))
    first, second = (unframe(end[shared], both.shape) for end in ends)
    return first, second


def _holes(
    sides: list[_Ordered], both: _Ordered, full: bool, deaths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match holes or cavities: those that hold the same one of the comparison image.

    `deaths` are the pixels where those of the comparison image die.
    """
    cells = _list_cells(len(both.shape), full, False)
    comparison = _trace_cells(both.reverse(), cells)
    owners = []
    for side in sides:
        end = _image_bars(side.reverse(), comparison, cells)
        owner = np.full(end.size, -1)
        at = np.flatnonzero(end >= 0)
        owner[end[at]] = at
        owners.append(owner)
    pits = inside(tuple(n - 2 for n in both.shape))[np.sort(deaths)]
    shared = pits[(owners[0][pits] >= 0) & (owners[1][pits] >= 0)]
    first, second = (unframe(owner[shared], both.shape) for owner in owners)
    return first, second


def _trace_cells(image: _Ordered, cells: Cells) -> _Traced:
    """Give the cells of an image their numbers, smaller for older ones: see `_Traced`."""
    codes = len(cells.near)
    room = image.rank.size * codes
    rank = image.rank.astype(np.int32 if room < 2**31 else np.int64) * codes
    oldest = np.full_like(rank, room)
    steps = flat_steps(cells.near, image.shape)
    reach = steps.max()
    for pixel, code in cells.first_codes:
        there = rank[reach + steps[pixel] : rank.size - reach + steps[pixel]] + code
        np.minimum(oldest[reach:-reach], there, out=oldest[reach:-reach])
    return _Traced(image.rank, image.order, oldest, codes, int(cells.first_codes[:, 1].min()))


def _trace_some(image: _Ordered, voxels: np.ndarray, cells: Cells) -> _Traced:
    """Give the cells of some voxels their numbers, as `_trace_cells` does those of all."""
    codes = len(cells.near)
    room = image.rank.size * codes
    dtype = np.int32 if room < 2**31 else np.int64
    steps, least = flat_steps(cells.near, image.shape), np.full(voxels.size, room, dtype)
    for pixel, code in cells.first_codes:
        near = image.rank[voxels + steps[pixel]].astype(dtype, copy=False)
        np.minimum(least, near * dtype(codes) + dtype(code), out=least)
    oldest = np.empty(image.rank.size, dtype)
    oldest[voxels] = least
    return _Traced(image.rank, image.order, oldest, codes, int(cells.first_codes[:, 1].min()))


def _image_bars(base: _Ordered, traced: _Traced, cells: Cells) -> np.ndarray:
    """Say which pixels of two images end together: see `_follow`."""
    order, parent = base.order, np.arange(base.rank.size, dtype=np.int32)
    if len(base.shape) == 2:
        links = COMPONENTS_AROUND[1 if len(cells.adjacent) == 8 else 0]
        keep = np.ones(base.rank.size, np.bool_)
        _leave_out(base.rank, traced.oldest, base.shape[1], links, parent, keep)
        order = order[keep[order]]
    steps = flat_steps(cells.near, base.shape)
    # Made here, for a kernel's own arrays come in smaller pages.
    best, partner = np.empty_like(traced.oldest), np.full(base.rank.size, -1, np.int32)
    _follow(order, _Components(base.rank, base.values, parent, best, partner), traced, cells, steps)
    return partner


def _tunnels(
    sides: list[_Ordered], both: _Ordered, full: bool, closed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Match tunnels: those that are filled by the same square of the comparison image."""
    grid = make_grid(both.shape, both.order, full, closed)
    columns = filter_cells(grid, both.order)
    _, shared, _, _ = _own_tunnels(both, grid, columns)
    size = int(np.prod(np.array(both.shape) - 2))
    named = {}
    for k, side in enumerate(sides):
        rows = filter_cells(grid, side.order)
        edges, _, born, died = _own_tunnels(side, grid, rows)
        names = unframe(born, side.shape) * size + unframe(died, side.shape)
        if ((side.values == 0) | (side.values == 1)).all():  # a mask
            # All its tunnels are born first, in any order of what comes after the mask: take one
            # that makes short columns.
            later = both.order[side.values[both.order] == 0]
            first = side.order[: side.order.size - later.size]
            rows = filter_cells(grid, np.concatenate((first, later)))
        _, filled = fill_loops(grid, rows, columns)
        squares = filled[edges] - 1  # in the end every loop is filled
        shared = np.intersect1d(shared, squares)
        named[k] = dict(zip(squares.tolist(), names.tolist(), strict=True))
    first, second = (
        np.array([named[k][square] for square in shared.tolist()], np.int64) for k in (0, 1)
    )
    return first, second


def closing_edges(
    image: np.ndarray, mask: np.ndarray, connectivity: int, closed: bool, floor: float, count: int
) -> np.ndarray:
    """Return the edges that close those tunnels of an image which are matched to some of a mask.

    They are named as in `PersistencePairs`; some may close nothing of a length. The mask has
    `count` tunnels.

    All tunnels of the mask are born before everything else, so the order of the rest is free, as
    far as they are concerned: it is that of the comparison image, and one matrix says both which
    squares fill them there, and that these squares fill something.

    With a `floor` only the voxels above it and the mask's are looked at. A tunnel of the mask that
    lives on in the comparison image is a loop there, and is matched to the tunnel of the image that
    is born with the first loop like it, up to what was filled or matched before; older ones of the
    mask come first.
    """
    side = _ordered(image, closed) if floor == 0 else _ordered_above(image, mask, closed, floor)
    grid = make_grid(side.shape, side.order, connectivity > 1, closed)
    solid = np.pad(mask, 1).ravel()
    later = side.order[~solid[side.order]]
    # In that of the image the mask's own voxels make the shortest columns.
    both = np.concatenate((side.order[solid[side.order]], later))
    columns = filter_cells(grid, both)
    leave_out_cavities(grid, columns)
    age = 16 * (later.size + 1)  # that of the mask's last voxel, at least
    edges, filled = fill_loops(grid, columns, columns, (age, count))
    squares = filled[edges[columns.edges[edges] >= age]] - 1
    squares = squares[columns.squares[squares] < age]
    loops: list[np.ndarray] = []
    if len(squares) < count:  # only above a floor
        living, forest = open_loops(grid, columns, filled)
        loops = draw_loops(grid, columns, forest, living[columns.edges[living] >= age])
    else:  # all are filled, and what comes later than that fills none of them
        columns.squares[columns.squares < columns.squares[squares].min(initial=age)] = 0
    values = side.values[entering_voxels(columns, columns.squares[squares])]
    squares = squares[values < 1]  # else they fill it at once, for the comparison image is 1, too
    if not len(squares) and not loops:
        return np.empty(0, np.int64)
    rows = filter_cells(grid, side.order, 1)
    edges, filled = fill_loops(grid, rows, columns, loops=tuple(loops))
    by = filled[edges]
    ages = rows.edges[edges[np.isin(by, squares + 1) | (by < 0)]]
    return 16 * unframe(entering_voxels(rows, ages), side.shape) + (ages & 15)


def _ordered_above(image: np.ndarray, mask: np.ndarray, closed: bool, floor: float) -> _Ordered:
    """Order what is above a floor, then the rest of a mask, as `_ordered` does all of an image."""
    flat = image.ravel()
    voxels = np.flatnonzero((flat > floor) | mask.ravel()).astype(np.int32)
    values = flat[voxels]
    values[values <= floor] = 0
    shape = tuple(n + 2 for n in image.shape)
    return _order_some(framed_indices(voxels, image.shape), values, shape, closed)


def _order_some(
    voxels: np.ndarray, values: np.ndarray, shape: tuple[int, ...], closed: bool
) -> _Ordered:
    """Order some voxels of a framed volume, given by rising index, and let no others enter."""
    order = voxels[argsort_falling(values, empty_keys(values.dtype))]
    room = np.zeros(int(np.prod(shape)), values.dtype)
    room[voxels] = values
    if closed:
        room[frame_voxels(shape)] = 1
    return _Ordered(shape, room, order, rank_some(order, shape, closed))


def components_above(
    image: np.ndarray, mask: np.ndarray, connectivity: int, closed: bool, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match the components of a volume above a floor to those of a mask, as `betti_matching` does.

    Only the voxels above the floor and the mask's are looked at, so some components live on in the
    comparison image. The oldest of the volume and the oldest of the mask in one of these are
    matched; but those of the two that hold the essential ones meet before.
    """
    sides = [_ordered_above(image, mask, closed, floor)]
    order = np.sort(sides[0].order)
    solid = np.pad(mask, 1).ravel()[order]
    highest = np.maximum(sides[0].values[order], solid)
    dtype = image.dtype
    sides.append(_order_some(order, solid.astype(dtype), sides[0].shape, closed))
    both = _order_some(order, highest, sides[0].shape, closed)
    cells = _list_cells(3, connectivity > 1, True)
    ends = [_image_bars(both, _trace_some(side, both.order, cells), cells) for side in sides]
    at = np.flatnonzero((ends[0] >= 0) & (ends[1] >= 0))
    first, second = (end[at] for end in ends)
    essential = (0, 0) if closed else [side.order[0] for side in sides]
    here, there = np.flatnonzero(first == essential[0]), np.flatnonzero(second == essential[1])
    first[[*here, *there]] = first[[*there, *here]]
    return unframe(first, both.shape), unframe(second, both.shape)


def _own_tunnels(
    image: _Ordered, grid: Grid, cells: Filtration
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges that close an image's tunnels, the squares that fill them, and both voxels.

    The tunnels are those of a length: the two voxels have different values.
    """
    leave_out_cavities(grid, cells)
    edges, filled = fill_loops(grid, cells, cells)
    squares = filled[edges] - 1
    born = entering_voxels(cells, cells.edges[edges])
    died = entering_voxels(cells, cells.squares[squares])
    lasts = image.values[born] != image.values[died]
    return edges[lasts], squares[lasts], born[lasts], died[lasts]


# --- The neighbourhood of a pixel, cell by cell ---------------------------------------------------


class Cells(NamedTuple):
    """What enters with a pixel, and how it hangs together: see `_list_cells` for drawings."""

    near: np.ndarray  # offsets of the neighbourhood, itself included; others name pixels by these
    adjacent: np.ndarray  # the pixels whose components the pixel may join
    touched: np.ndarray  # for each cell the pixels that it touches, -1 where there are fewer
    codes: np.ndarray  # the place of the cell, seen from each of these: a smaller code is older
    foreign: np.ndarray  # of a neighbour: it is there if that came before; the first cell is none
    gates: np.ndarray  # pairs of cells that meet, in the order in which they do
    first_codes: np.ndarray  # pixels that own cells touch, each with their smallest code


@cache
def _list_cells(ndim: int, full: bool, foreground: bool) -> Cells:
    """List the cells that enter with a pixel, and the gates between them in the order of ties.

    A *cell* is a point of the foreground or a piece of the background; a *gate* is an edge between
    two points, or the edge (in 3D: the square) that keeps two pieces apart until it goes. These are
    the cells and the numbered gates of a pixel ``p`` of a plane: ``o`` are its own cells, ``x`` are
    foreign ones, those of its neighbours::

        foreground, connectivity 1:               background to it: pieces lie among
        pixels are points, p is one itself        four pixels

                  x
                  1                                         o  4  o
              x 2 p 4 x                                     3  p  1
                  3                                         o  2  o
                  x

        foreground, full connectivity:            background to it: pieces are the
        centres, sides and corners are points     quarters of the pixels

                                                              x
              o-2-o-4-o                                    11   9
              1   3   5                                 12 o 10 o 8
              o-7-o-9-o                               x    6    4    x
              6   8  10                                  7 o  5 o 3
              o-11o-12o                                    2    1
                                                              x

    Points and gates of the foreground come in C order, a gate by its first point and then its axis;
    the background is walked backwards. A point that p shares with a neighbour, a side or a corner,
    and a piece among four pixels, is there already if one of these came before p.

    The age of a cell is that of the oldest pixel that it touches. Cells of one such pixel are told
    apart by their *code*, the place where the cell lies, seen from there: 0 to 8 in C order in the
    plane, 4 being the centre. (Again the background has it backwards.) Places are counted in half
    steps from the centre of p.
    """
    near = list(product((-1, 0, 1), repeat=ndim))
    centre, shared = (0,) * ndim, full == foreground
    gates = _foreground_gates(near, full) if foreground else _background_gates(near, full)
    cells = sorted(dict.fromkeys(cell for pair in gates for cell in pair), key=lambda c: c[1])

    touched, codes = (np.full((len(cells), 2**ndim), -1) for _ in range(2))
    foreign = np.array([is_foreign for _, is_foreign in cells])
    for i, (place, is_foreign) in enumerate(cells):
        around = {place} if is_foreign else {centre}
        if shared:
            around = set(product(*({0, x} for x in place)))
        for j, pixel in enumerate(sorted(around)):
            seen = near.index(tuple(x - 2 * y for x, y in zip(place, pixel, strict=True)))
            touched[i, j] = near.index(pixel)
            codes[i, j] = seen if foreground else len(near) - 1 - seen
    own_touched, own_codes = touched[~foreign], codes[~foreign]
    number = {cell: i for i, cell in enumerate(cells)}
    return Cells(
        np.array(near),
        np.setdiff1d(touched, [-1, near.index(centre)]),
        touched,
        codes,
        foreign,
        np.array([[number[cell] for cell in pair] for pair in gates]),
        np.array(
            [(k, own_codes[own_touched == k].min()) for k in np.unique(own_touched) if k >= 0]
        ),
    )


# A cell while it is listed: its place, and whether it is foreign.
_Cell = tuple[tuple[int, ...], bool]


def _foreground_gates(near: list[tuple[int, ...]], full: bool) -> list[list[_Cell]]:
    """List the edges at a pixel, each as its two points."""
    ndim = len(near[0])
    centre = (0,) * ndim
    gates = []
    for p, axis in product(near, range(ndim)):
        q = tuple(x + (i == axis) for i, x in enumerate(p))
        if q in near and (full or centre in (p, q)):
            gates.append([(point, not full and point != centre) for point in (p, q)])
    return gates


def _background_gates(near: list[tuple[int, ...]], full: bool) -> list[list[_Cell]]:
    """List the edges or squares at a pixel, each as the two pieces that it keeps apart.

    Gate 1 in the last drawing of `_list_cells` is the edge at ``p = (1, 0)`` along axis 1. Behind
    it lies the pixel's own quarter (1, 1), in half steps, before it the pixel below: (1, 0).
    """
    ndim = len(near[0])
    gates = []
    for p, name in reversed(list(product(near, range(ndim)))):
        across = 1 - name if ndim == 2 else name  # edges are named by the axis along them
        if any(x == 1 for i, x in enumerate(p) if i != across) or (p[across] and not full):
            continue
        pair: list[_Cell] = []
        for x in (p[across] - 1, p[across]):  # the pieces behind and before the gate
            foreign = x not in (-1, 0)
            piece = [0] * ndim if foreign else [2 * y + 1 for y in p]
            piece[across] = (1 if x > 0 else -1) if foreign else 2 * x + 1
            pair.append((tuple(piece), foreign))
        gates.append(pair)
    return gates


# --- Kernels: components, and holes or cavities ---------------------------------------------------


class _Traced(NamedTuple):
    """The image whose oldest cells are followed.

    A cell is one number: `codes` times the rank of the oldest pixel that it touches, plus its place
    seen from there. The smaller, the older.
    """

    rank: np.ndarray
    order: np.ndarray
    oldest: np.ndarray  # for each pixel the oldest of the cells that enter with it
    codes: int  # how many places there are
    known: int  # the code of the cell by which a bar is known: the first to enter with its pixel


class _Components(NamedTuple):
    """The image whose components are followed, and what is known of them so far."""

    rank: np.ndarray  # the frame has -1 if it is there from the beginning, else it never enters
    values: np.ndarray
    parent: np.ndarray  # leads to the root of each component, its first pixel
    best: np.ndarray  # for each root the oldest cell of the other image in its component
    partner: np.ndarray  # what `_follow` finds


class _Groups(NamedTuple):
    """How the cells around one pixel hang together, as far as gates have opened."""

    parent: np.ndarray  # leads to the first cell of each group
    pixel: np.ndarray  # a pixel that is there already and that the group touches, -1: none
    best: np.ndarray  # the oldest of the cells that enter now


@kernel
def _leave_out(rank, oldest, width, links, parent, keep):
    """Let pixels that change nothing point to a neighbour in `parent`, and no more `keep` them.

    A pixel of a plane changes nothing if all its neighbours that are there before it belong to one
    component, by `links`, and one of them knows an older cell of the other image.
    """
    steps = plane_steps(width)
    way = np.zeros(256, np.int32)  # 0 where no component is near, or several
    for mask in range(256):
        if links[mask, 0] >= 0 and links[mask, 1] < 0:
            way[mask] = steps[links[mask, 0]]
    corners = links[1, 0] >= 0  # whether neighbours by a corner are connected
    inner = width - 2
    masks, older = np.empty(inner, np.uint8), np.empty(inner, np.bool_)
    for start in range(width + 1, rank.size - width, width):
        masks[:], older[:] = 0, False
        for bit in range(8):
            near = corners or bit == 1 or bit == 3 or bit == 4 or bit == 6
            here, there = rank[start:], rank[start + steps[bit] :]
            mine, theirs = oldest[start:], oldest[start + steps[bit] :]
            for i in range(inner):  # no branch in here, so the compiler vectorises it
                before = there[i] < here[i]
                masks[i] |= np.uint8(before) << bit
                older[i] |= before & near & (theirs[i] <= mine[i])
        for i in range(inner):
            step = way[masks[i]]
            if older[i] and step != 0:
                keep[start + i] = False
                parent[start + i] = start + i + step


_NONE, _SEVERAL = -1, -2  # what `_root_nearby` says in place of a root


@kernel
def _follow(order, components, traced, cells, steps):
    """Follow the components of an image, and in each the oldest cell of another image.

    Most pixels have one component beside them, or none, and join it. Where several meet, all cells
    of the pixel are looked at, gate by gate: at first each is a group of its own, and a group that
    touches a pixel which is there already belongs to this pixel's component.

    `order` are the pixels in the order in which they enter; some may be left out, if they point to
    a neighbour in `parent`, where all others are their own parents. `traced` is the other image.
    `cells` are those of the foreground, or of the background if the order is reversed, and `steps`
    lead to the pixels of `cells.near`.

    Writes in `partner`, full of -1, at the oldest pixel of each component that ends, or stays, the
    pixel of the other image that ends, or stays, with it, if the bar has a length.
    """
    rank, values, parent, best, partner = components
    if rank[0] < 0:  # the frame is there: it is its first pixel
        for p in range(rank.size):
            if rank[p] < 0:
                parent[p] = 0
    oldest, foreign, gates = traced.oldest, cells.foreign, cells.gates
    best[0] = traced.known - traced.codes  # of the frame
    count, living = len(foreign), int(rank[0] < 0)
    group, pixel = np.empty(count, np.int64), np.empty(count, np.int32)
    new = np.empty(count, np.int64)
    groups = _Groups(group, pixel, new)
    adjacent = steps[cells.adjacent]
    for p in order:
        root = _root_nearby(p, rank, parent, adjacent)
        if root != _SEVERAL:
            if root == _NONE:
                root = p
                best[p] = oldest[p]
                living += 1
            parent[p] = root
            best[root] = min(best[root], oldest[p])
            continue
        _place_cells(p, rank, traced, cells, steps, groups)
        for g in range(len(gates)):
            a, b = gates[g]
            if (foreign[a] and pixel[a] < 0) or (foreign[b] and pixel[b] < 0):
                continue
            a, b = _first_of_group(group, a), _first_of_group(group, b)
            if a == b:
                continue
            if pixel[a] < 0:
                a, b = b, a
            group[b] = a
            if pixel[a] < 0:  # both groups are new
                new[a] = min(new[a], new[b])
                continue
            old = find_root(parent, pixel[a])
            if pixel[b] < 0:
                best[old] = min(best[old], new[b])
                continue
            young = find_root(parent, pixel[b])
            if old != young:
                _meet(old, young, values[p], components, traced)
                living -= 1
        # All own cells are in one group now, and the first cell is one of them.
        parent[p] = find_root(parent, pixel[_first_of_group(group, 0)])
    if rank[0] < 0:
        partner[0] = 0 if best[0] < 0 else traced.order[best[0] // traced.codes]
        living -= 1
    for p in order:  # where all pixels enter one component stays, and it has come first
        if living == 0:
            break
        if parent[p] == p:
            partner[p] = 0 if best[p] < 0 else traced.order[best[p] // traced.codes]
            living -= 1


@kernel
def _root_nearby(p, rank, parent, adjacent):
    """Return the root of the only component beside a pixel, or _NONE, or _SEVERAL."""
    now = rank[p]
    only, before = np.int64(_NONE), np.int32(-1)
    for step in adjacent:
        q = p + step
        if rank[q] > now or parent[q] == before:
            continue
        before = parent[q]
        root = find_root(parent, q)
        if only == _NONE:
            only = root
        elif root != only:
            return np.int64(_SEVERAL)
    return only


# Compiled on its own it would cost a tenth of the time of `_follow`.
@njit(inline="always")  # so it is part of `_follow` and never kept on its own
def _place_cells(p, rank, traced, cells, steps, groups):
    """Make each cell of a pixel a group of its own, and say which are there already."""
    for c in range(cells.foreign.size):
        groups.parent[c], groups.pixel[c] = c, -1
        groups.best[c] = traced.codes * np.int64(rank.size)
        for j in range(cells.touched.shape[1]):
            if cells.touched[c, j] < 0:
                break
            q = p + steps[cells.touched[c, j]]
            if rank[q] < rank[p]:
                groups.pixel[c] = q
                break
            cell = traced.codes * np.int64(traced.rank[q]) + cells.codes[c, j]
            groups.best[c] = min(groups.best[c], cell)


@kernel
def _first_of_group(group, cell):
    """Return the cell to which all cells of a group lead."""
    while group[cell] != cell:
        cell = group[cell]
    return cell


@kernel
def _meet(old, young, value, components, traced):
    """Let two components meet: the younger ends, and so does the younger of the cells they know."""
    rank, values, parent, best, partner = components
    if rank[young] < rank[old]:
        old, young = young, old
    parent[young] = old
    ends = max(best[old], best[young])
    best[old] = min(best[old], best[young])
    # Only a bar of a length, whose cell is the one by which its pixel is known, is a feature's.
    if values[young] != value and ends % traced.codes == traced.known:
        partner[young] = traced.order[ends // traced.codes]
