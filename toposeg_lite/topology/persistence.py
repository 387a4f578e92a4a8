r"""Persistence pairs of a likelihood image, each with the two pixels that make it.

**The idea.** Let a threshold fall from 1 to 0 over a likelihood image and watch the *superlevel
set*, the pixels at or above it. A connected component is *born* at a local maximum and *dies* at
the saddle where it meets an older one. A hole is born at the saddle where a ring of foreground
closes and dies at the local minimum inside it, when the last background pixel is filled. Where a
hole is divided, the half with the higher minimum is new. The list of all births and deaths is the
*persistence diagram*; ``birth - death`` is a feature's *persistence* [1]_.

**How it is computed.** Order the pixels by falling value, equal values by flat index: every pixel
then has *upper* neighbours, which are foreground before it. One byte a pixel says which of its
eight neighbours are upper, and a table with 256 entries says what entering the foreground does::

    upper components around p     p is a      what happens
    none                          maximum     a component is born
    one, and background too       regular     nothing
    two or more                   saddle      components merge, or rings close
    all neighbours, no background minimum     a hole is filled

Only saddles can pair anything, so only they are sorted. To know which components meet at a
saddle, every other pixel points to one of its upper neighbours; following the pointers leads
uphill to a maximum, whose component is then looked up with union-find. Where two components meet,
the younger dies (*elder rule*).

Holes need no second theory. Walking through the same order backwards, the background grows, and a
hole is a component of it: the same pass, with pointers to lower neighbours and the dual
connectivity, pairs saddles with minima [2]_. The outside of the image is the background's oldest
component (``border="open"``), or the foreground's (``border="closed"``).

The cost is that of one pass over the pixels plus sorting the saddles by radix: it grows linearly.

In a *volume* there are tunnels, too, and the module `volumes` says how all three are paired.

References
----------
.. [1] H. Edelsbrunner and J. Harer, *Computational Topology: An Introduction*, AMS 2010.
.. [2] A. Garin, T. Heiss, K. Maggs, B. Bleile, V. Robins, "Duality in persistent homology of
       images", SoCG Young Researchers Forum 2020. arXiv:2005.04597
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..checks import check_integer, check_number
from .frame import NEIGHBOURS, plane_steps, write_upper_masks
from .grid import Border, check_border, check_connectivity, check_dimensions, check_image
from .kernels import kernel
from .order import empty_keys, find_root, sort_falling
from .sparse import CENSORED, pairs_above
from .volumes import assemble, pairs_3d

__all__ = ["PersistencePairs", "persistence_pairs"]

# The share of a volume above the floor from which on it is not worth while to pick voxels.
MOST_ABOVE = 0.4


@dataclass(frozen=True, eq=False, repr=False)
class PersistencePairs:
    """The persistence pairs of an image: one entry per feature in each of five arrays.

    Attributes
    ----------
    dimension : (n,) array of int8
        0 for a component, 1 for a hole (in a volume: a tunnel), 2 for a cavity.
    birth, death : (n,) array of float32 or float64
        The thresholds at which the feature appears and disappears; birth >= death. They are
        values of the image, exactly; an essential component dies at 0.
    birth_index, death_index : (n,) array of int64
        Flat indices (C order) of the pixels that carry these values: a maximum and a saddle for a
        component, a saddle and a minimum for a hole or a cavity, two saddles for a tunnel. -1
        where there is none: the death of an essential component, the birth of a feature of the
        closed frame. -2: it lives on at the floor (see `persistence_pairs`), and is said to die
        at 0.

    Notes
    -----
    Components stand before holes. Among the components the essential one is first and the others
    follow by falling death; the rest follow by rising birth, dimension by dimension. Equal ones go
    by the flat index of their saddle, rising among the components, falling among the rest; tunnels
    of one saddle, by falling death.
    """

    dimension: np.ndarray
    birth: np.ndarray
    death: np.ndarray
    birth_index: np.ndarray
    death_index: np.ndarray
    # For the matchings: the edge that closes a tunnel, as its number at its voxel (see `tunnels`)
    # and 16 times the voxel; -1 where it is not known. And the floor below which nobody looked.
    _closing: np.ndarray | None = None
    _floor: float = 0.0

    def __len__(self) -> int:
        return len(self.dimension)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{int(n)} of dimension {k}" for k, n in enumerate(np.bincount(self.dimension))
        )
        return f"PersistencePairs({counts or 'none'})"

    @property
    def persistence(self) -> np.ndarray:
        """``birth - death`` of each pair, never negative."""
        return self.birth - self.death

    def of_dimension(self, dimension: int) -> PersistencePairs:
        """Return the pairs of one dimension.

        Examples
        --------
        >>> pairs = persistence_pairs([[0.9, 0.1, 0.6]])
        >>> len(pairs.of_dimension(0)), len(pairs.of_dimension(1))
        (2, 0)
        """
        return self[self.dimension == check_integer(dimension, "dimension", 0, 2)]

    def __getitem__(self, which: Any) -> PersistencePairs:
        """Select pairs by a boolean mask, a slice or an array of positions."""
        return PersistencePairs(
            self.dimension[which],
            self.birth[which],
            self.death[which],
            self.birth_index[which],
            self.death_index[which],
            None if self._closing is None else self._closing[which],
            self._floor,
        )


def persistence_pairs(
    image: Any,
    *,
    connectivity: int | None = None,
    dimensions: Iterable[int] | None = None,
    border: Border = "open",
    min_persistence: float = 0.0,
    floor: float = 0.0,
) -> PersistencePairs:
    """Pair the births and deaths of all components and holes of an image's superlevel sets.

    Parameters
    ----------
    image, connectivity, border
        See the package's docstring.
    dimensions : iterable of int, optional
        Which features to return: 0 for components, 1 for holes (in 3D: tunnels), 2 for cavities.
        Default: all.
    min_persistence : float
        Keep pairs whose persistence is strictly above it. Essential components are always kept.
    floor : float
        Keep pairs that are born above it, and leave out what happens at it or below: a component,
        and a tunnel of a volume, that lives on there dies at 0 and by no pixel (``death_index``
        is -2). All else is as it would be without: births, deaths above the floor, and the deaths
        of holes and cavities, wherever they lie. In a volume of which little is above the floor,
        time grows with what is. The essential component is always kept. Default 0: nothing is
        left out.

    Notes
    -----
    The frame of a closed border comes before every tie. As multisets of (dimension, birth, death)
    the pairs equal those of a cubical complex of the negated image: the one whose top-dimensional
    cells are the pixels for the full connectivity, the one whose vertices are the pixels for
    connectivity 1.

    Tunnels can take more than linear time, in theory its cube; in practice they take about two
    thirds of a volume's.

    Examples
    --------
    A ring around a dark pixel, and a fainter spot. The ring closes at 0.7 around a hole that is
    filled at 0.2; the spot of 0.5 dies at 0.1, where it meets the ring.

    >>> image = np.array([[0.9, 0.8, 0.9, 0.1, 0.1],
    ...                   [0.8, 0.2, 0.7, 0.1, 0.5],
    ...                   [0.9, 0.8, 0.9, 0.1, 0.1]])
    >>> pairs = persistence_pairs(image, connectivity=1)
    >>> for row in zip(pairs.dimension, pairs.birth, pairs.death, pairs.birth_index):
    ...     print(*row)
    0 0.9 0.0 0
    0 0.9 0.8 2
    0 0.9 0.8 10
    0 0.9 0.8 12
    0 0.5 0.1 9
    1 0.7 0.2 7

    In a volume: a shell around a dark voxel encloses a cavity.

    >>> shell = np.full((3, 3, 3), 0.9)
    >>> shell[1, 1, 1] = 0.3
    >>> pairs = persistence_pairs(shell)
    >>> pairs.dimension, pairs.birth, pairs.death, pairs.death_index
    (array([0, 2], dtype=int8), array([0.9, 0.9]), array([0. , 0.3]), array([-1, 13]))
    """
    image = check_image(image)
    connectivity = check_connectivity(connectivity, image.ndim)
    closed = check_border(border) == "closed"
    wanted = check_dimensions(dimensions, image.ndim)
    min_persistence = check_number(min_persistence, "min_persistence")
    floor = check_number(floor, "floor")
    # Counted in int32 are the pixels of the framed image, and the edges of a volume framed twice.
    # It is the frame that makes a thin image large.
    if image.ndim == 2:
        count = math.prod(n + 2 for n in image.shape)
    else:
        count = 3 * math.prod(n + 4 for n in image.shape)
    if count >= 2**31:
        raise ValueError(
            f"image is too large: its shape is {image.shape}; with the frame around it, an image "
            f"may have 2**31 pixels, a volume 2**31 edges. Cut it into tiles"
        )
    least = image.dtype.type(min_persistence)  # compare as NumPy would compare the result
    kept = least if floor == 0 else least * 0  # what the floor makes longer is judged after it
    if image.ndim == 3:
        above = np.count_nonzero(image > floor) / image.size
        # With connectivity 1 the pairs of all voxels do not know which edges close their tunnels.
        if floor > 0 and 0 < above < (MOST_ABOVE if connectivity > 1 else 2):
            sparse = pairs_above(image, connectivity, closed, wanted, floor)
            return replace(_as_pairs(assemble(image, sparse, least)), _floor=floor)
        pairs = _as_pairs(pairs_3d(image, connectivity, closed, wanted, kept))
    else:
        columns = _pairs_2d(image, connectivity, closed, tuple(wanted), kept)
        dimension, birth, death, birth_index, death_index = columns
        pairs = PersistencePairs(dimension, birth, death, birth_index, death_index)
    return _censored(pairs, floor, image.ndim, least) if floor > 0 else pairs


def _as_pairs(columns: tuple[np.ndarray, ...]) -> PersistencePairs:
    """Make pairs of the arrays that `volumes.assemble` returns."""
    dimension, birth, death, birth_index, death_index, closing = columns
    return PersistencePairs(dimension, birth, death, birth_index, death_index, closing)


def _censored(
    pairs: PersistencePairs, floor: float, ndim: int, least: np.floating
) -> PersistencePairs:
    """Leave out what is born at a floor or below, and what is known of deaths there."""
    essential = pairs.death_index == -1
    pairs = pairs[(pairs.birth > floor) | essential]
    lives = (pairs.death <= floor) & (pairs.dimension < ndim - 1) & (pairs.death_index >= 0)
    death, death_index = pairs.death.copy(), pairs.death_index.copy()
    death[lives], death_index[lives] = 0, CENSORED
    pairs = replace(pairs, death=death, death_index=death_index, _floor=floor)
    return pairs[(pairs.persistence > least) | (pairs.death_index == -1)]


# --- The table: what the eight neighbours say about a pixel ----------------------------------


def _tabulate_components(connectivity: int) -> np.ndarray:
    """Tabulate the components of each of the 256 neighbourhoods: (256, 4) of int8.

    Counted are the components (of the set bits, under `connectivity`, within the ring of eight)
    that touch the centre, that is, hold one of its neighbours under `connectivity`. An entry is
    the first such neighbour (bit number) of each component, then -1.
    """
    steps = np.abs(NEIGHBOURS[:, None] - NEIGHBOURS[None])
    adjacent = steps.sum(2) == 1 if connectivity == 1 else steps.max(2) == 1
    touches = np.abs(NEIGHBOURS).sum(1) <= connectivity
    table = np.full((256, 4), -1, np.int8)
    for mask in range(256):
        rest = {bit for bit in range(8) if mask >> bit & 1}
        count = 0
        while rest:
            component = [min(rest)]
            for member in component:  # grows while we walk it: a flood fill
                rest.discard(member)
                component += [bit for bit in rest if adjacent[member, bit] and bit not in component]
            near = [bit for bit in component if touches[bit]]
            if near:
                table[mask, count] = min(near)
                count += 1
    return table


# The entry of connectivity c is number c - 1.
COMPONENTS_AROUND = np.stack([_tabulate_components(connectivity) for connectivity in (1, 2)])


# --- Planes -----------------------------------------------------------------------------------


def _pairs_2d(
    image: np.ndarray, connectivity: int, closed: bool, wanted: tuple[bool, ...], least: Any
) -> tuple[np.ndarray, ...]:
    """Compute the five arrays of `PersistencePairs` for an image that was checked.

    What the first kernel needs is gone before the second writes the result, which can be as large:
    it is what needs the most memory on noise.
    """
    # The frame lies above all values (closed) or below them (open): it comes before every tie.
    frame = image.dtype.type(2.0 if closed else -1.0)
    found = _pair_extrema(image, frame, _make_room(image), connectivity, wanted, least)
    return _list_pairs(image, closed, found, wanted, least)


class _Room(NamedTuple):
    """Memory for what is as large as the framed image: numba's own arrays would come page by page.

    All indices are framed ones.
    """

    masks: np.ndarray  # the upper neighbours of each pixel, as bits
    leads: np.ndarray  # of each pixel what it points to, or ``~number`` of its basin
    no_keys: np.ndarray  # see `sort_falling`


def _make_room(image: np.ndarray) -> _Room:
    """Return room for the framed image."""
    height, width = (n + 2 for n in image.shape)
    masks, leads = np.empty((height, width), np.uint8), np.empty(height * width, np.int32)
    return _Room(masks, leads, empty_keys(image.dtype))


@kernel
def _find_critical(room, upper, lower):
    """Return the flat indices of all saddles, maxima and minima, rising.

    Before the maxima, and before the minima, stands the frame, as its first pixel. `upper` and
    `lower` are the tables of the foreground and of the background.
    """
    masks, flat, places = room.masks, room.masks.ravel(), room.leads  # not needed for leads yet
    height, width = masks.shape
    is_saddle, is_maximum, is_minimum = upper[:, 1] >= 0, upper[:, 0] < 0, lower[::-1, 0] < 0
    is_extremum = is_maximum | is_minimum
    # Saddles from the front, extrema from the back; written always, so that there is no branch.
    front, back = 0, places.size - 1
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            mask, p = masks[r, c], r * width + c
            places[front] = places[back] = p
            front += is_saddle[mask]
            back -= is_extremum[mask]
    extrema = places[:back:-1]
    maxima, minima = np.empty(extrema.size + 2, np.int32), np.empty(extrema.size + 2, np.int32)
    maxima[0] = minima[0] = 0
    above = below = 1
    for p in extrema:
        maxima[above] = minima[below] = p
        above += is_maximum[flat[p]]
        below += is_minimum[flat[p]]
    return places[:front].copy(), maxima[:above], minima[:below]


class _Saddles(NamedTuple):
    """The saddles of an image."""

    pixels: np.ndarray  # their flat indices, rising
    # Positions in `pixels` of those that may pair anything: by falling value, then by index.
    order: np.ndarray
    wanted: np.ndarray  # whether they may


@kernel
def _gather(image, frame, pixels):
    """Return the values at flat indices into the framed image; number 0 stands for the frame."""
    flat, width = image.ravel(), image.shape[1]
    values = np.empty(pixels.size, image.dtype)
    for i in range(pixels.size):
        values[i] = flat[_unpad(pixels[i], width)] if pixels[i] else frame
    return values


class _Basins(NamedTuple):
    """The maxima (or minima) of an image, numbered by flat index; the frame is number 0.

    A basin are the pixels from which the pointers lead to one of them.
    """

    pixels: np.ndarray
    heights: np.ndarray


@kernel
def _point(room, foreground, links, pixels):
    """Let every pixel point to a neighbour that enters before it, the extrema `pixels` to ~number.

    Without `foreground` the order is the reverse, that of the background. `room.leads` is written.
    """
    masks, leads = room.masks, room.leads
    height, width = masks.shape
    flip = 0 if foreground else 255
    steps, step = plane_steps(width), np.zeros(256, np.int32)
    for mask in range(256):
        if links[mask ^ flip, 0] >= 0:
            step[mask] = steps[links[mask ^ flip, 0]]
    leads[:width], leads[leads.size - width :] = ~0, ~0
    for r in range(1, height - 1):
        leads[r * width], leads[(r + 1) * width - 1] = ~0, ~0
        for c in range(1, width - 1):
            p = r * width + c
            leads[p] = p + step[masks[r, c]]
    for number in range(1, pixels.size):
        leads[pixels[number]] = ~number


@kernel
def _basin_of(leads, p):
    """Follow the pointers from `p` to the number of its basin, and shorten the way for others."""
    up = leads[p]
    while up >= 0:
        leads[p] = further = leads[up]
        p, up = up, further
    return ~up


@kernel
def _basins_around(saddles, room, foreground, links):
    """Return the first two basins beside each wanted saddle, the second as ~ if there are more.

    The saddles are walked row by row, where what one asks for is at hand from the last; only this
    table, and not the image, is walked in the order of the values, which jumps.
    """
    flat, leads, steps = room.masks.ravel(), room.leads, plane_steps(room.masks.shape[1])
    flip = 0 if foreground else 255
    around = np.empty((saddles.pixels.size, 2), np.int32)
    for j in range(saddles.pixels.size):
        if saddles.wanted[j]:
            p = saddles.pixels[j]
            mask = flat[p] ^ flip
            around[j, 0] = _basin_of(leads, p + steps[links[mask, 0]])
            second = _basin_of(leads, p + steps[links[mask, 1]])
            around[j, 1] = second if links[mask, 2] < 0 else ~second
    return around


@kernel
def _merge(image, saddles, basins, room, foreground, links, min_persistence):
    """Merge components at the saddles and pair the younger ones.

    With `foreground` the saddles are walked as they stand, falling, and maxima are paired. Without
    it they are walked backwards, the components are those of the background, and minima are paired.

    Returns each extremum that is paired, its saddle, and the one to which all pixels belong at the
    end, all as flat indices into the padded image; then the saddles that close loops: those where
    two background components meet.
    """
    values, width, heights = image.ravel(), image.shape[1], basins.heights
    flat, leads, steps = room.masks.ravel(), room.leads, plane_steps(width + 2)
    flip = 0 if foreground else 255
    around = _basins_around(saddles, room, foreground, links)
    parent = np.arange(heights.size).astype(np.int32)
    extremum, saddle = np.empty(heights.size, np.int32), np.empty(heights.size, np.int32)
    order = saddles.order
    pairs = loops = 0
    for i in range(order.size):
        j = order[i if foreground else order.size - 1 - i]
        s, closes = saddles.pixels[j], False
        old, near = find_root(parent, around[j, 0]), around[j, 1]
        for k in range(1, 4):
            if k > 1:
                way = links[flat[s] ^ flip, k] if around[j, 1] < 0 else -1
                if way < 0:
                    break
                near = _basin_of(leads, s + steps[way])
            young = find_root(parent, max(near, ~near))
            if young == old:
                closes = True
                continue
            height, other = heights[young], heights[old]
            if (height > other or (height == other and young < old)) == foreground:
                old, young = young, old
            parent[young] = old
            if abs(heights[young] - values[_unpad(s, width)]) > min_persistence:
                extremum[pairs], saddle[pairs] = basins.pixels[young], s
                pairs += 1
        if foreground:
            saddles.wanted[j], order[loops] = closes, j
            loops += closes
    stays = find_root(parent, _basin_of(leads, width + 3))  # that of the image's first pixel
    saddles = _Saddles(saddles.pixels, order[:loops], saddles.wanted)
    return extremum[:pairs], saddle[:pairs], np.int64(basins.pixels[stays]), saddles


@kernel
def _pair_extrema(image, frame, room, connectivity, wanted, min_persistence):
    """Pair maxima and minima with saddles, as flat indices into the padded image.

    Returns each maximum with its saddle, each minimum with its own (empty for what is not wanted),
    and the maximum and the minimum that have no saddle; the latter with a closed frame only.
    """
    # The background has the dual connectivity, 2 with 1 and 1 with 2.
    upper, lower = COMPONENTS_AROUND[connectivity - 1], COMPONENTS_AROUND[2 - connectivity]
    write_upper_masks(image, frame, room.masks)
    pixels, maxima, minima = _find_critical(room, upper, lower)
    values, positions = _gather(image, frame, pixels), np.arange(pixels.size).astype(np.int32)
    order = sort_falling(values, positions, room.no_keys)
    saddles = _Saddles(pixels, order, np.ones(pixels.size, np.bool_))
    root = pit = np.int64(image.shape[1] + 3)
    peaks = cols = pits = rims = pixels[:0]
    if wanted[0]:
        _point(room, True, upper, maxima)
        basins = _Basins(maxima, _gather(image, frame, maxima))
        peaks, cols, root, saddles = _merge(
            image, saddles, basins, room, True, upper, min_persistence
        )
    if wanted[1]:
        _point(room, False, lower, minima)
        basins = _Basins(minima, _gather(image, frame, minima))
        pits, rims, pit, _ = _merge(image, saddles, basins, room, False, lower, min_persistence)
    return peaks, cols, pits, rims, root, pit


@kernel
def _list_pairs(image, closed, found, wanted, min_persistence):
    """Write the arrays of `PersistencePairs` for what `_pair_extrema` has found."""
    peaks, cols, pits, rims, root, pit = found
    values, width = image.ravel(), image.shape[1]
    frame_hole = False
    if wanted[1] and closed:
        pit = _unpad(pit, width)
        frame_hole = 1 - values[pit] > min_persistence
    n = int(wanted[0])
    n0, n1 = n + peaks.size, rims.size
    total = n0 + n1 + frame_hole
    dimension = np.zeros(total, np.int8)
    dimension[n0:] = 1
    birth, death = np.empty(total, image.dtype), np.empty(total, image.dtype)
    birth_index, death_index = np.empty(total, np.int64), np.empty(total, np.int64)
    if wanted[0]:
        birth_index[0] = -1 if closed else _unpad(root, width)
        birth[0] = 1 if closed else values[birth_index[0]]
        death[0], death_index[0] = 0, -1
    for i in range(peaks.size):
        birth_index[n + i], death_index[n + i] = _unpad(peaks[i], width), _unpad(cols[i], width)
    for i in range(rims.size):
        birth_index[n0 + i], death_index[n0 + i] = _unpad(rims[i], width), _unpad(pits[i], width)
    for i in range(n, n0 + n1):
        birth[i], death[i] = values[birth_index[i]], values[death_index[i]]
    if frame_hole:
        birth[total - 1], death[total - 1] = 1, values[pit]
        birth_index[total - 1], death_index[total - 1] = -1, pit
    return dimension, birth, death, birth_index, death_index


@kernel
def _unpad(p, width):
    """Turn a flat index into the padded image into one into the image, `width` columns wide."""
    row = np.uint32(p) // np.uint32(width + 2)  # 32 bits: the division is twice as fast
    return np.int64(p) - 2 * np.int64(row) - width - 1
