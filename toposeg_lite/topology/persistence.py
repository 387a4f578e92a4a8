r"""Persistence pairs of a likelihood image, each with the two pixels that make it.

**The idea.** Let a threshold fall from 1 to 0 over a likelihood image and watch the *superlevel
set*, the pixels at or above it. A connected component is *born* at a local maximum and *dies* at
the saddle where it meets an older one. A hole is born at the saddle where a ring of foreground
closes and dies at the local minimum inside it, when the last background pixel is filled. The list
of all births and deaths is the *persistence diagram*; ``birth - death`` is a feature's
*persistence* [1]_.

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
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_integer, check_number
from .basins import basins_around, find_basins, sorted_saddles, spaces
from .frame import NEIGHBOURS, fill_upper_masks
from .grid import Border, check_border, check_connectivity, check_dimensions, check_image
from .kernels import kernel
from .order import empty_keys, find_root
from .volumes import pairs_3d

__all__ = ["PersistencePairs", "persistence_pairs"]


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
        closed frame.

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
    # and 16 times the voxel; -1 where it is not known.
    _closing: np.ndarray | None = None

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
        )


def persistence_pairs(
    image: Any,
    *,
    connectivity: int | None = None,
    dimensions: Iterable[int] | None = None,
    border: Border = "open",
    min_persistence: float = 0.0,
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
    if image.ndim == 3:
        return PersistencePairs(*pairs_3d(image, connectivity, closed, wanted, least))
    return PersistencePairs(*_pairs_2d(image, connectivity, closed, wanted, least))


def _pairs_2d(
    image: np.ndarray, connectivity: int, closed: bool, wanted: list[bool], least: Any
) -> tuple[np.ndarray, ...]:
    """Return the five arrays of `PersistencePairs` of a plane that was checked.

    The arrays of one byte or more a pixel are gone before the result is written, which can be as
    large: it is what needs the most memory on noise.
    """
    components, holes = wanted
    no_keys = empty_keys(image.dtype)
    ends = _pair_extrema(
        image, spaces(image.shape), no_keys, connectivity, closed, (components, holes), least
    )
    return _write_pairs(image, ends, closed, (components, holes), least)


# --- The table: what the eight neighbours say about a pixel ----------------------------------


def _tabulate_components(connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the components of each of the 256 neighbourhoods: (256, 4) and (256, 8) of int8.

    Counted are the components (of the set bits, under `connectivity`, within the ring of eight)
    that touch the centre, that is, hold one of its neighbours under `connectivity`. An entry is
    the first such neighbour (bit number) of each component, then -1. The second table says of each
    neighbour which of these components is its own, -1 where none is.
    """
    steps = np.abs(NEIGHBOURS[:, None] - NEIGHBOURS[None])
    adjacent = steps.sum(2) == 1 if connectivity == 1 else steps.max(2) == 1
    touches = np.abs(NEIGHBOURS).sum(1) <= connectivity
    table, own = np.full((256, 4), -1, np.int8), np.full((256, 8), -1, np.int8)
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
                own[mask, component] = count
                count += 1
    return table, own


# The entry of connectivity c is number c - 1.
COMPONENTS_AROUND, MEMBERS_AROUND = (
    np.stack(tables) for tables in zip(*map(_tabulate_components, (1, 2)), strict=True)
)


# --- Kernels ----------------------------------------------------------------------------------


@kernel
def _pair_extrema(image, spaces, no_keys, connectivity, closed, wanted, least):
    """Pair maxima and minima with saddles, as flat indices into the framed image.

    `spaces` are two arrays with an entry for each pixel of the framed image, of uint8 and of int32.

    Returns each maximum with its saddle, each minimum with its own (empty for what is not wanted),
    and the maximum and the minimum that have no saddle; the latter with a closed frame only.
    """
    # The frame lies above all values (closed) or below them (open): it comes before every tie.
    frame = image.dtype.type(2.0 if closed else -1.0)
    # The background has the dual connectivity, 2 with 1 and 1 with 2.
    upper, lower = COMPONENTS_AROUND[connectivity - 1], COMPONENTS_AROUND[2 - connectivity]
    masks, leads = spaces
    fill_upper_masks(image, frame, masks)
    saddles = sorted_saddles(image, masks, upper, no_keys)
    closing = np.ones(saddles.pixels.size, np.bool_)
    root = pit = np.int32(0)
    peaks = cols = pits = rims = saddles.pixels[:0]
    components, holes = wanted
    if components:
        basins = find_basins(image, frame, masks, upper, 0, leads)
        around = basins_around(masks, saddles.pixels, closing, upper, 0, leads)
        peaks, cols, root = _merge(basins, around, saddles.order, True, closing)
        peaks, cols = _lasting(image, basins, saddles.pixels, peaks, cols, least)
        root = basins.tops[root]
    if holes:
        basins = find_basins(image, frame, masks, lower, 255, leads)
        around = basins_around(masks, saddles.pixels, closing, lower, 255, leads)
        pits, rims, pit = _merge(basins, around, saddles.order[::-1], False, closing)
        pits, rims = _lasting(image, basins, saddles.pixels, pits, rims, least)
        pit = basins.tops[pit]
    return peaks, cols, pits, rims, root, pit


@kernel
def _merge(basins, around, order, foreground, closing):
    """Merge the basins at the saddles, in the order given, and pair the younger ones.

    With `foreground` the saddles come by falling value, and maxima are paired. Without it they come
    by rising value, the basins are those of the background, and minima are paired. `around` says
    which basins meet at a saddle.

    Returns the basins whose extrema are paired, their saddles, and the basin that is left. With
    `foreground`, `closing` becomes for each saddle whether basins meet there that are one already:
    only there two components of the background can meet.
    """
    parent = np.arange(basins.tops.size).astype(np.int32)
    heights = basins.heights
    young_ones, saddle_of = np.empty(parent.size, np.int32), np.empty(parent.size, np.int32)
    pairs = 0
    # Read ahead, in a loop of its own that waits for nothing: the saddles lie anywhere.
    ahead = np.empty((256, 4), np.int32)
    for begin in range(0, order.size, len(ahead)):
        part = order[begin : begin + len(ahead)]
        for k in range(part.size):
            for i in range(4):
                ahead[k, i] = around[part[k], i]
        for k in range(part.size):
            if ahead[k, 0] < 0:
                continue
            old = find_root(parent, ahead[k, 0])
            closes = False
            for i in range(1, 4):
                if ahead[k, i] < 0:
                    break
                young = find_root(parent, ahead[k, i])
                if young == old:
                    closes = True
                    continue
                height, other = heights[young], heights[old]
                if foreground:
                    swap = height > other or (height == other and young < old)
                else:
                    swap = height < other or (height == other and young > old)
                if swap:
                    old, young = young, old
                parent[young] = old
                young_ones[pairs], saddle_of[pairs] = young, part[k]
                pairs += 1
            if foreground:
                closing[part[k]] = closes
    # At the end all is one component, whichever basin is asked.
    return young_ones[:pairs], saddle_of[:pairs], find_root(parent, parent.size - 1)


@kernel
def _lasting(image, basins, pixels, young, saddle, least):
    """Return extrema and saddles, as pixels, of those pairs whose persistence is above `least`."""
    values, width = image.ravel(), image.shape[1]
    n = 0
    for i in range(young.size):
        extremum, pixel = basins.tops[young[i]], pixels[saddle[i]]
        lasts = abs(basins.heights[young[i]] - values[_unpad(pixel, width)]) > least
        young[n], saddle[n] = extremum, pixel  # never ahead of what is read
        n += lasts
    return young[:n].copy(), saddle[:n].copy()


@kernel
def _write_pairs(image, ends, closed, wanted, least):
    """Write the five arrays of `PersistencePairs`; `ends` is what `_pair_extrema` returns."""
    peaks, cols, pits, rims, root, pit = ends
    components, holes = wanted
    values, width = image.ravel(), image.shape[1]
    pit = _unpad(pit, width)
    frame_hole = holes and closed and 1 - values[pit] > least
    n = int(components)
    n0, n1 = n + peaks.size, rims.size
    total = n0 + n1 + frame_hole
    dimension = np.zeros(total, np.int8)
    dimension[n0:] = 1
    birth, death = np.empty(total, image.dtype), np.empty(total, image.dtype)
    birth_index, death_index = np.empty(total, np.int64), np.empty(total, np.int64)
    if components:
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
