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
by the flat index of the cell's first corner and then by its axis. For connectivity 1 cells are made
of pixels: edges between two, squares between four. For the full connectivity they are made of the
centres, sides and corners of the pixels, each with the value of the highest pixel that it touches.
This is the order of the authors' C++ program as well, so that both agree to the last bar on images
without ties, put for the full connectivity on a grid of these points.

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

from .loops import _cancel, _pop, _push
from .persistence import (
    LINKS,
    NEIGHBOURS,
    PersistencePairs,
    _argsort_falling,
    _find,
    persistence_pairs,
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

    Parameters
    ----------
    first, second : (H, W) or (D, H, W) array
        C-contiguous and of one shape, with values in [0, 1]: both of float32, both of float64, or
        one of them of bool.
    connectivity : int
        1 or the number of axes.
    closed : bool
        Whether a frame of foreground surrounds the images.
    wanted : list of bool
        Of each dimension, whether it is.

    Returns
    -------
    list of (array of int64, array of int64)
        For each dimension the names of the matched features, in `first` and in `second`: see
        `names`. Some of the components may have no length in their image, and be no features of it.
    """
    comparison = np.maximum(first, second)
    one, two, both = (_ordered(image, closed) for image in (first, second, comparison))
    none = np.empty(0, np.int64)
    found = [(none, none)] * first.ndim
    if wanted[0]:
        found[0] = _components(one, two, both, connectivity > 1)
    if wanted[-1]:
        pairs = persistence_pairs(
            comparison,
            connectivity=connectivity,
            dimensions=[first.ndim - 1],
            border="closed" if closed else "open",
        )
        found[-1] = _holes(one, two, both, connectivity > 1, pairs.death_index)
    if first.ndim == 3 and wanted[1]:
        found[1] = _tunnels(one, two, both, connectivity > 1, closed)
    return found


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
    shape = tuple(n + 2 for n in image.shape)
    inside = _inside(image.shape)
    values = np.full(np.prod(shape), closed, image.dtype)
    values[inside] = image.ravel()
    mask = image.astype(np.bool_)
    if np.array_equal(image, mask):  # no need to sort zeros and ones
        order = np.concatenate((np.flatnonzero(mask), np.flatnonzero(~mask)))
    else:
        order = _argsort_falling(image.ravel(), np.empty(0, f"u{image.itemsize}"))
    order = inside[order]
    rank = np.full(values.size, -1 if closed else order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return _Ordered(shape, values, order, rank)


def _inside(shape: tuple[int, ...]) -> np.ndarray:
    """Return where the pixels of an image lie, as flat indices, once it has a frame around it."""
    framed = tuple(n + 2 for n in shape)
    indices = np.arange(np.prod(framed), dtype=np.int32).reshape(framed)
    return indices[(slice(1, -1),) * len(shape)].ravel()


def _unframe(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn flat indices into a framed image into those into the image; -1 for the frame."""
    place = np.stack(np.unravel_index(indices, shape)) - 1
    size = np.array(shape)[:, None] - 2
    inner = np.ravel_multi_index(tuple(np.clip(place, 0, size - 1)), tuple(size.ravel()))
    return np.where(np.all((place >= 0) & (place < size), axis=0), inner, -1)


def _components(
    one: _Ordered, two: _Ordered, both: _Ordered, full: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Match components: those that end with the same one of the comparison image."""
    ends = [
        _image_bars(both, image, _oldest_cells(image, full, True), full, True)
        for image in (one, two)
    ]
    shared = np.flatnonzero((ends[0] >= 0) & (ends[1] >= 0))
    first, second = (_unframe(end[shared], both.shape) for end in ends)
    return first, second


def _holes(
    one: _Ordered, two: _Ordered, both: _Ordered, full: bool, deaths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match holes or cavities: those that hold the same one of the comparison image.

    `deaths` are the pixels where those of the comparison image die.
    """
    comparison = both.reverse()
    oldest = _oldest_cells(comparison, full, False)
    owners = []
    for image in (one, two):
        back = image.reverse()
        end = _image_bars(back, comparison, oldest, full, False)
        owner = np.full(end.size, -1)
        at = np.flatnonzero(end >= 0)
        owner[end[at]] = at
        owners.append(owner)
    inside = _inside(tuple(n - 2 for n in both.shape))[np.sort(deaths)]
    shared = inside[(owners[0][inside] >= 0) & (owners[1][inside] >= 0)]
    first, second = (_unframe(owner[shared], both.shape) for owner in owners)
    return first, second


def _oldest_cells(traced: _Ordered, full: bool, foreground: bool) -> np.ndarray:
    """Return for each pixel the oldest of the cells that enter with it: see `_follow`."""
    ndim = len(traced.shape)
    cells, codes = _cells(ndim, full, foreground), 3**ndim
    room = traced.rank.size * codes
    rank = traced.rank.astype(np.int32 if room < 2**31 else np.int64) * codes
    oldest = np.full_like(rank, room)
    steps = _ways(cells, traced.shape)
    reach = steps.max()
    for pixel, code in cells.oldest:
        there = rank[reach + steps[pixel] : rank.size - reach + steps[pixel]] + code
        np.minimum(oldest[reach:-reach], there, out=oldest[reach:-reach])
    return oldest


def _ways(cells: Cells, shape: tuple[int, ...]) -> np.ndarray:
    """Return the steps in flat index to the pixels of `cells.near`."""
    return cells.near @ np.cumprod((1, *shape[:0:-1]))[::-1]


def _image_bars(
    base: _Ordered, traced: _Ordered, oldest: np.ndarray, full: bool, foreground: bool
) -> np.ndarray:
    """Say which pixels of two images end together: see `_follow`."""
    shape = base.shape
    cells, codes = _cells(len(shape), full, foreground), 3 ** len(shape)
    steps = _ways(cells, shape)
    order, parent = base.order, np.arange(base.rank.size, dtype=np.int32)
    if len(shape) == 2:
        links = LINKS[len(shape) if full == foreground else 1]
        keep = _leave_out(base.rank, oldest, shape[1], links, parent)
        order = order[keep[order]]
    return _follow(
        base.order,
        order,
        base.rank,
        base.values,
        traced.rank,
        traced.order,
        oldest,
        parent,
        steps,
        cells,
        codes,
    )


def _tunnels(
    one: _Ordered, two: _Ordered, both: _Ordered, full: bool, closed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Match tunnels: those that are filled by the same square of the comparison image."""
    images = [one, two, both]
    ranks = [_cell_ranks(image, full, closed) for image in images]
    squares = [_square_order(rank) for rank in ranks]
    own = []
    for image, rank, columns in zip(images, ranks, squares, strict=True):
        edges = _fill_loops(columns, rank)
        # Where the frame's ranks, -1, are looked up, the last entry stands.
        pixels = np.append(image.order, 0)
        born, died = (pixels[of] for of in _last_ranks(rank, edges, columns))
        long = image.values[born] != image.values[died]
        own.append((edges, born, died, long))
    names = []
    for image, rank, (edges, born, died, long) in zip(images[:2], ranks[:2], own[:2], strict=True):
        ends = _fill_loops(squares[2], rank)
        at = np.full(3 * rank.size, -1)
        at[edges[long]] = np.flatnonzero(long)
        at = at[ends]
        size = np.prod(np.array(image.shape) - 2)
        name = _unframe(born[at], image.shape) * size + _unframe(died[at], image.shape)
        names.append(np.where((at >= 0) & own[2][3], name, -1))
    shared = (names[0] >= 0) & (names[1] >= 0)
    return names[0][shared], names[1][shared]


def _cell_ranks(image: _Ordered, full: bool, closed: bool) -> np.ndarray:
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
    flat = rank.ravel()
    steps = np.array([rank.shape[1] * rank.shape[2], rank.shape[2], 1])
    v, axis = np.divmod(edges, 3)
    of_edges = np.maximum(flat[v], flat[v + steps[axis]])
    v, axis = np.divmod(squares, 3)
    a, b = steps[(axis + 1) % 3], steps[(axis + 2) % 3]
    return of_edges, np.max([flat[v], flat[v + a], flat[v + b], flat[v + a + b]], axis=0)


# --- The neighbourhood of a pixel, cell by cell ---------------------------------------------------


class Cells(NamedTuple):
    """What enters with a pixel, and how it hangs together: see `_cells`.

    Attributes
    ----------
    near : (m, ndim) array of int64
        The ways to the pixels of the neighbourhood, itself included; other arrays count these.
    adjacent : array of int64
        Those whose components the pixel may join.
    touched : (c, t) array of int64
        For each cell the pixels that it touches, -1 where there are fewer.
    codes : (c, t) array of int64
        The place of the cell, seen from each of these pixels: a smaller code is older.
    given : (c,) array of bool
        Cells of another pixel, which are not there before this one is. The first cell is no such.
    gates : (g, 2) array of int64
        Pairs of cells that meet, in order.
    oldest : (k, 2) array of int64
        The pixels that new cells touch, each with the smallest code of these.
    """

    near: np.ndarray
    adjacent: np.ndarray
    touched: np.ndarray
    codes: np.ndarray
    given: np.ndarray
    gates: np.ndarray
    oldest: np.ndarray


@cache
def _cells(ndim: int, full: bool, foreground: bool) -> Cells:
    """List the cells that enter with a pixel, and in which order they meet.

    With connectivity 1 pixels are points, and a piece of background lies at each corner, among
    2^ndim of them. With the full connectivity it is the other way round: background is made of the
    quarters (eighths) of the pixels, and the foreground's points are the centres, sides and corners
    of the pixels, the last two shared. Places are counted in half steps from the pixel's centre.
    """
    near = list(product((-1, 0, 1), repeat=ndim))
    centre, shared = (0,) * ndim, full == foreground
    gates = []  # pairs of cells, each with its place and whether it is given
    if foreground:
        for p, axis in product(near, range(ndim)):
            q = tuple(x + (i == axis) for i, x in enumerate(p))
            if q in near and (full or centre in (p, q)):
                gates.append([(cell, not full and cell != centre) for cell in (p, q)])
    else:
        for p, name in reversed(list(product(near, range(ndim)))):
            across = 1 - name if ndim == 2 else name  # edges are named by the axis along them
            if any(x == 1 for i, x in enumerate(p) if i != across) or (p[across] and not full):
                continue
            pair = []
            for x in (p[across] - 1, p[across]):  # the pieces behind and before the gate
                outside = x not in (-1, 0)
                piece = [0] * ndim if outside else [2 * y + 1 for y in p]
                piece[across] = (1 if x > 0 else -1) if outside else 2 * x + 1
                pair.append((tuple(piece), outside))
            gates.append(pair)
    cells = sorted(dict.fromkeys(cell for pair in gates for cell in pair), key=lambda c: c[1])

    touched, codes = (np.full((len(cells), 2**ndim), -1) for _ in range(2))
    given = np.array([foreign for _, foreign in cells])
    last = 3**ndim - 1
    for i, (place, foreign) in enumerate(cells):
        around = {place} if foreign else {centre}
        if shared:
            around = set(product(*({0, x} for x in place)))
        for j, pixel in enumerate(sorted(around)):
            seen = near.index(tuple(x - 2 * y for x, y in zip(place, pixel, strict=True)))
            touched[i, j] = near.index(pixel)
            codes[i, j] = seen if foreground else last - seen
    new = touched[~given], codes[~given]
    oldest = [(b, new[1][new[0] == b].min()) for b in np.unique(new[0]) if b >= 0]
    adjacent = np.setdiff1d(touched, [-1, near.index(centre)])
    numbers = {cell: i for i, cell in enumerate(cells)}
    return Cells(
        np.array(near),
        adjacent,
        touched,
        codes,
        given,
        np.array([[numbers[cell] for cell in pair] for pair in gates]),
        np.array(oldest),
    )


# --- Kernels: components, and holes or cavities ---------------------------------------------------


@njit(cache=True, nogil=True)
def _leave_out(age, oldest, width, links, parent):
    """Let pixels that change nothing point to a neighbour in `parent`; say which others are left.

    A pixel of a plane changes nothing if all its neighbours that are there before it belong to one
    component, by `links`, and one of them knows an older cell of the other image.
    """
    keep = np.ones(age.size, np.bool_)
    ways = np.zeros(256, np.int32)  # 0 where no component is near, or several
    for mask in range(256):
        if links[mask, 0] >= 0 and links[mask, 1] < 0:
            ways[mask] = NEIGHBOURS[links[mask, 0], 0] * width + NEIGHBOURS[links[mask, 0], 1]
    corners = links[1, 0] >= 0  # whether neighbours by a corner are connected
    inner = width - 2
    masks, older = np.empty(inner, np.uint8), np.empty(inner, np.bool_)
    for start in range(width + 1, age.size - width, width):
        masks[:], older[:] = 0, False
        for bit in range(8):
            step = NEIGHBOURS[bit, 0] * width + NEIGHBOURS[bit, 1]
            near = corners or bit == 1 or bit == 3 or bit == 4 or bit == 6
            here, there = age[start:], age[start + step :]
            mine, theirs = oldest[start:], oldest[start + step :]
            for i in range(inner):  # no branch in here, so the compiler vectorises it
                before = there[i] < here[i]
                masks[i] |= np.uint8(before) << bit
                older[i] |= before & near & (theirs[i] <= mine[i])
        for i in range(inner):
            way = ways[masks[i]]
            if older[i] and way != 0:
                keep[start + i] = False
                parent[start + i] = start + i + way
    return keep


@njit(cache=True, nogil=True)
def _follow(
    all_pixels, order, age, values, traced, traced_order, oldest, parent, steps, cells, codes
):
    """Follow the components of an image, and in each the oldest cell of another image.

    A cell is a number: `codes` times the age of its oldest pixel in the other image, plus its place
    seen from there. The smaller, the older.

    Parameters
    ----------
    all_pixels : (n,) array of int32
        The pixels in the order in which they enter, as flat indices into the framed image.
    order : array of int32
        Those that are not yet left out.
    age : array of int32
        The place of each pixel in `all_pixels`. The frame has -1 if it is there from the beginning,
        n if it never enters.
    values : array
        Of the image.
    traced, traced_order : arrays of int32
        The ages of the other image, and its pixels in order.
    oldest : array of int32 or int64
        For each pixel the oldest of the cells that enter with it.
    parent : array of int32
        Pixels that were left out point to a neighbour, all others to themselves. It is used up.
    steps : (m,) array of int64
        The steps in flat index to the pixels of `cells.near`.
    cells : Cells
        For the foreground, or for the background if the order is reversed.
    codes : int
        The number of places.

    Returns
    -------
    partner : array of int32
        At the oldest pixel of each component that ends, and of the one that stays, the pixel of the
        other image that ends with it; -1 where a bar has no length and at all other pixels.
    """
    _, adjacent, touched, code, given, gates, of_new = cells
    if age[0] < 0:
        for p in range(age.size):
            if age[p] < 0:
                parent[p] = 0
    known = of_new[:, 1].min()  # the place of the cell by which a bar is known
    best = np.empty_like(oldest)  # of each root
    best[0] = known - codes  # the frame, if it is there
    partner = np.full(age.size, -1, np.int32)
    root = np.empty(len(given), np.int32)  # of each cell's group: a pixel that is there, or -1
    group = np.empty(len(given), np.int64)
    group_best = np.empty(len(given), np.int64)
    ways = steps[adjacent]
    for s in order:
        now = age[s]
        only, before, several = np.int32(-1), np.int32(-1), False
        for way in ways:
            q = s + way
            if age[q] > now or parent[q] == before:
                continue
            before = parent[q]
            r = _find(parent, q)
            if only < 0:
                only = r
            elif r != only:
                several = True
                break
        if not several:
            if only < 0:
                only = s
                best[s] = oldest[s]
            parent[s] = only
            best[only] = min(best[only], oldest[s])
            continue

        for c in range(len(given)):
            group[c], root[c], group_best[c] = c, -1, codes * np.int64(age.size)
            for j in range(touched.shape[1]):
                if touched[c, j] < 0:
                    break
                q = s + steps[touched[c, j]]
                if age[q] < now:
                    root[c] = q
                    break
                group_best[c] = min(group_best[c], codes * np.int64(traced[q]) + code[c, j])
        for g in range(len(gates)):
            a, b = gates[g]
            if (given[a] and root[a] < 0) or (given[b] and root[b] < 0):
                continue
            while group[a] != a:
                a = group[a]
            while group[b] != b:
                b = group[b]
            if a == b:
                continue
            if root[a] < 0:
                a, b = b, a
            group[b] = a
            if root[a] < 0:  # both are new
                group_best[a] = min(group_best[a], group_best[b])
                continue
            old = _find(parent, root[a])
            if root[b] < 0:
                best[old] = min(best[old], group_best[b])
                continue
            young = _find(parent, root[b])
            if old == young:
                continue
            if age[young] < age[old]:
                old, young = young, old
            parent[young] = old
            ends = max(best[old], best[young])
            best[old] = min(best[old], best[young])
            if values[young] != values[s] and ends % codes == known:
                partner[young] = traced_order[ends // codes]
        own = group[0]  # in the end all new cells are in one group
        while group[own] != own:
            own = group[own]
        parent[s] = _find(parent, root[own])
    stays = _find(parent, all_pixels[0])
    partner[stays] = traced_order[best[stays] // codes] if best[stays] >= 0 else 0
    return partner


# --- Kernels: tunnels -----------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _square_order(rank):
    """Sort the squares of a volume by the voxel with which they enter, and leave some out.

    A square is numbered by three times its smallest voxel, plus the axis across it, and an edge
    likewise, plus the axis along it. Both enter with the last of their voxels; those that enter
    together stand in the order of their numbers. Left out are the squares that close a cavity:
    taken away again, the last first, each lets two cubes meet, or a cube and the outside.

    Parameters
    ----------
    rank : (D, H, W) array of int32
        When each voxel enters, from -1; several may enter at once.

    Returns
    -------
    squares : array of int64
        The numbers of the others, in order.
    """
    depth, height, width = rank.shape
    flat = rank.ravel()
    steps = np.array([height * width, width, 1])
    last = np.full(3 * flat.size, -2, np.int32)  # the rank of each square's last voxel
    start = np.zeros(flat.max() + 3, np.int64)
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
                        start[late + 2] += 1
    start = np.cumsum(start)
    squares = np.empty(start[-1], np.int64)
    for q in range(last.size):
        if last[q] > -2:
            squares[start[last[q] + 1]] = q
            start[last[q] + 1] += 1

    outside = np.int32(flat.size)
    cube = np.arange(flat.size + 1).astype(np.int32)  # named by their smallest voxels
    kept = squares.size
    for k in range(squares.size - 1, -1, -1):
        v, axis = divmod(squares[k], 3)
        place = (v // steps[0], v // steps[1] % height, v % width)[axis]
        one = _find(cube, v if place < rank.shape[axis] - 1 else outside)
        two = _find(cube, v - steps[axis] if place > 0 else outside)
        if one == two:
            kept -= 1
            squares[kept] = squares[k]
        else:
            cube[min(one, two)] = max(one, two)
    return squares[kept:].copy()


@njit(cache=True, nogil=True)
def _boundary(square, flat, steps, edges):
    """Write the four edges of a square as keys that grow in the order of entry."""
    v, axis = divmod(square, 3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    edges[0] = _key(v, i, flat, steps)
    edges[1] = _key(v, j, flat, steps)
    edges[2] = _key(v + steps[j], i, flat, steps)
    edges[3] = _key(v + steps[i], j, flat, steps)


@njit(cache=True, nogil=True)
def _key(v, axis, flat, steps):
    """Return the key of an edge: the rank of its later voxel, and its number."""
    late = np.int64(max(flat[v], flat[v + steps[axis]]) + 1)
    return late << 32 | (3 * v + axis)


@njit(cache=True, nogil=True)
def _joining_edges(rank):
    """Say of each edge whether it joins two components when it enters: such closes no loop."""
    flat = rank.ravel()
    steps = np.array([rank.shape[1] * rank.shape[2], rank.shape[2], 1])
    start = np.zeros(flat.max() + 3, np.int64)
    for axis in range(3):
        for v in range(flat.size - steps[axis]):
            start[max(flat[v], flat[v + steps[axis]]) + 2] += 1
    start = np.cumsum(start)
    edges = np.empty(start[-1], np.int64)
    for v in range(flat.size):
        for axis in range(3):
            if v + steps[axis] < flat.size:
                late = max(flat[v], flat[v + steps[axis]]) + 1
                edges[start[late]] = 3 * v + axis
                start[late] += 1
    parent = np.arange(flat.size).astype(np.int32)
    joins = np.zeros(3 * flat.size, np.bool_)
    for edge in edges:
        v, axis = divmod(edge, 3)
        place = (v // steps[0], v // steps[1] % rank.shape[1], v % rank.shape[2])[axis]
        if place == rank.shape[axis] - 1:  # it would lead around to the other side
            continue
        one, two = _find(parent, v), _find(parent, v + steps[axis])
        if one != two:
            parent[max(one, two)] = min(one, two)
            joins[edge] = True
    return joins


@njit(cache=True, nogil=True)
def _fill_loops(squares, rank):
    """Reduce the matrix of squares and edges; return for each square the edge whose loop it fills.

    `squares` are the columns in their order, from `_square_order`, perhaps of another volume; the
    rows stand in the order of `rank`. No column is empty in the end: those that could be are left
    out. So are, from the columns that are worked out, the edges that join components in this order:
    they are never the last edge of a loop. Most columns have a pivot of their own from the start
    and are not worked out at all.
    """
    flat = rank.ravel()
    steps = np.array([rank.shape[1] * rank.shape[2], rank.shape[2], 1])
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
        left = 0
        for edge in edges:
            if not joins[edge & 0xFFFFFFFF]:
                left, heap = _push(heap, left, edge)
        while True:
            left = _cancel(heap, left)
            pivot = heap[0] & 0xFFFFFFFF
            other = owner[pivot]
            if other < 0:
                break
            if start[other] < 0:
                _boundary(squares[other], flat, steps, edges)
                for edge in edges:
                    if not joins[edge & 0xFFFFFFFF]:
                        left, heap = _push(heap, left, edge)
            else:
                for k in range(start[other], stop[other]):
                    left, heap = _push(heap, left, store[k])
        owner[pivot] = c
        filled[c] = pivot
        start[c] = used
        while left > 0:
            if used == store.size:
                store = np.concatenate((store, store))
            store[used] = heap[0]
            used += 1
            left = _cancel(heap, _pop(heap, left))
        stop[c] = used
    return filled
