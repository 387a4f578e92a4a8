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
from numba import njit

from ..checks import check_number
from .grid import Border, check_border, check_connectivity, check_dimensions, check_image

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
        return self[self.dimension == dimension]

    def __getitem__(self, which: Any) -> PersistencePairs:
        """Select pairs by a boolean mask, a slice or an array of positions."""
        return PersistencePairs(
            self.dimension[which],
            self.birth[which],
            self.death[which],
            self.birth_index[which],
            self.death_index[which],
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
    image : (H, W) or (D, H, W) array of float or bool
        A likelihood in [0, 1], foreground high. float64 is computed in float64, everything else in
        float32, which holds float16 and booleans exactly.
    connectivity : int, optional
        Of the foreground: 1 for 4 neighbours (in 3D: 6), or the number of axes for 8 (26), which
        is the default. The background has the dual.
    dimensions : iterable of int, optional
        Which features to return: 0 for components, 1 for holes (in 3D: tunnels), 2 for cavities.
        Default: all.
    border : {"open", "closed"}
        Whether the outside is background (default) or a frame of foreground of value 1.
    min_persistence : float
        Keep pairs whose persistence is strictly above it. Essential components are always kept.

    Returns
    -------
    PersistencePairs
        Arrays ``dimension, birth, death, birth_index, death_index``.

    Raises
    ------
    TypeError
        For torch tensors, integer images, and options of a wrong type.
    ValueError
        For images that are empty, have another number of axes or hold values outside [0, 1] or
        NaN, and for unknown options.

    Notes
    -----
    Ties are broken by flat index, the frame of a closed border before every pixel, so the result is
    deterministic. The kernel releases the GIL. As multisets of (dimension, birth, death) the pairs
    equal those of a cubical complex of the negated image: the one whose top-dimensional cells are
    the pixels for the full connectivity, the one whose vertices are the pixels for connectivity 1.

    Time is linear in the number of pixels. Tunnels can cost more, in theory its cube; in practice
    they take about two thirds of a volume's time.

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
    if image.ndim == 3:
        from .volumes import pairs_3d  # which builds on the kernels of this module

        return PersistencePairs(*pairs_3d(image, connectivity, closed, wanted, min_persistence))
    return PersistencePairs(*pairs_2d(image, connectivity, closed, wanted, min_persistence))


# --- The table: what the eight neighbours say about a pixel ----------------------------------

# The neighbours in raster order: bit i of a mask stands for the pixel at NEIGHBOURS[i] from p.
#     0 1 2
#     3 p 4
#     5 6 7
NEIGHBOURS = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])


def _link_table(connectivity: int) -> np.ndarray:
    """Tabulate the components of each of the 256 neighbourhoods.

    Counted are the components (of the set bits, under `connectivity`, within the ring of eight)
    that touch the centre, that is, hold one of its neighbours under `connectivity`.

    Returns
    -------
    (256, 4) array of int8
        For each component the first neighbour (bit number) that touches the centre, then -1.
    """
    steps = np.abs(NEIGHBOURS[:, None] - NEIGHBOURS[None])
    adjacent = steps.sum(2) == 1 if connectivity == 1 else steps.max(2) == 1
    touches = np.abs(NEIGHBOURS).sum(1) <= connectivity
    table = np.full((256, 4), -1, np.int8)
    for mask in range(256):
        left = {bit for bit in range(8) if mask >> bit & 1}
        count = 0
        while left:
            component = [min(left)]
            for member in component:  # grows while we walk it: a flood fill
                left.discard(member)
                component += [bit for bit in left if adjacent[member, bit] and bit not in component]
            near = [bit for bit in component if touches[bit]]
            if near:
                table[mask, count] = min(near)
                count += 1
    return table


LINKS = {connectivity: _link_table(connectivity) for connectivity in (1, 2)}


def pairs_2d(
    image: np.ndarray,
    connectivity: int,
    closed: bool,
    wanted: list[bool],
    min_persistence: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Do the work of `persistence_pairs` for an image that was checked, in its order of results.

    `image` must be C-contiguous float32 or float64 with finite values in [0, 1].
    """
    no_keys = np.empty(0, np.uint32 if image.dtype == np.float32 else np.uint64)
    upper, lower = LINKS[connectivity], LINKS[3 - connectivity]  # 3 - 1 = 2, 3 - 2 = 1: the dual
    # Compare as NumPy would compare the result: in the image's own precision.
    least = image.dtype.type(min_persistence)
    return _pairs_2d(image, no_keys, closed, wanted[0], wanted[1], least, upper, lower)


# --- Kernels ----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _pad(image, value):
    """Return a copy of `image` with one pixel of `value` around it."""
    height, width = image.shape
    padded = np.empty((height + 2, width + 2), image.dtype)
    padded[0] = value
    padded[height + 1] = value
    for r in range(height):
        padded[r + 1, 0] = value
        padded[r + 1, width + 1] = value
        for c in range(width):
            padded[r + 1, c + 1] = image[r, c]
    return padded


@njit(cache=True, nogil=True)
def _upper_masks(padded):
    """Return for each pixel the byte whose bit i says that NEIGHBOURS[i] is upper.

    A neighbour with a smaller flat index is upper when its value is equal, hence >= and >. The
    frame's own bytes stay 0.
    """
    height, width = padded.shape
    masks = np.zeros((height, width), np.uint8)
    for r in range(1, height - 1):
        above, here, below, out = padded[r - 1], padded[r], padded[r + 1], masks[r]
        for c in range(1, width - 1):  # no branch in here, so the compiler vectorises it
            value = here[c]
            out[c] = (
                np.uint8(above[c - 1] >= value)
                | np.uint8(above[c] >= value) << 1
                | np.uint8(above[c + 1] >= value) << 2
                | np.uint8(here[c - 1] >= value) << 3
                | np.uint8(here[c + 1] > value) << 4
                | np.uint8(below[c - 1] > value) << 5
                | np.uint8(below[c] > value) << 6
                | np.uint8(below[c + 1] > value) << 7
            )
    return masks


@njit(cache=True, nogil=True)
def _sort_falling(values, items, no_keys):
    """Sort `items` by their values, falling, equal ones as they stand, and return them.

    The bits of a float that is not negative, read as an unsigned integer, grow with the value: a
    stable radix sort of these integers, lowest digit first, sorts the values. `no_keys` is an empty
    array of the unsigned integers that are as wide as the floats. `values` (at most 2) and `items`
    are used up.
    """
    for i in range(values.size):
        values[i] += 0  # turns a negative zero into zero
    keys = values.view(no_keys.dtype)
    digit = 11
    key_buffer, item_buffer = np.empty_like(keys), np.empty_like(items)
    start = np.empty(1 << digit, np.int64)
    # The bits of 2.0 lie below bit 31 (float32) or 63 (float64): three or six digits.
    for shift in range(0, 8 * keys.itemsize - 2, digit):
        start[:] = 0
        for i in range(keys.size):
            start[(keys[i] >> shift) & ((1 << digit) - 1)] += 1
        total = 0
        for d in range(start.size - 1, -1, -1):  # the highest digit first: falling
            total, start[d] = total + start[d], total
        for i in range(keys.size):
            d = (keys[i] >> shift) & ((1 << digit) - 1)
            key_buffer[start[d]], item_buffer[start[d]] = keys[i], items[i]
            start[d] += 1
        keys, key_buffer = key_buffer, keys
        items, item_buffer = item_buffer, items
    return items


@njit(cache=True, nogil=True)
def _argsort_falling(values, no_keys):
    """Return the order that sorts numbers from 0 to 2 falling, equal ones as they stand."""
    return _sort_falling(values.copy(), np.arange(values.size).astype(np.int32), no_keys)


@njit(cache=True, nogil=True)
def _sorted_saddles(padded, masks, links, no_keys):
    """Return the flat indices of all saddles by falling value, equal values by index."""
    flat = masks.ravel()
    n = 0
    for p in range(flat.size):
        n += links[flat[p], 1] >= 0
    saddles = np.empty(n + 1, np.int32)  # one more, so that the loop below needs no branch
    n = 0
    for p in range(flat.size):
        saddles[n] = p
        n += links[flat[p], 1] >= 0
    saddles = saddles[:n]
    return _sort_falling(padded.ravel()[saddles], saddles, no_keys)


@njit(cache=True, nogil=True)
def _masks_and_saddles(image, frame, links, no_keys):
    """Return what `_upper_masks` and `_sorted_saddles` do for an image framed by a value.

    The padded copy of the image, which is the largest array of all, lives no longer than this.
    """
    padded = _pad(image, frame)
    masks = _upper_masks(padded)
    return masks, _sorted_saddles(padded, masks, links, no_keys)


@njit(cache=True, nogil=True)
def _point(masks, flip, links, steps, parent):
    """Let every pixel point to a neighbour that enters before it, extrema to themselves.

    `flip` is 0 for the order of the foreground, 255 for the reverse, that of the background. The
    frame points to its first pixel, number 0, which stands for the whole outside.
    """
    height, width = masks.shape
    step = np.zeros(256, np.int32)
    for mask in range(256):
        if links[mask ^ flip, 0] >= 0:
            step[mask] = steps[links[mask ^ flip, 0]]
    parent[:] = 0
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            p = r * width + c
            parent[p] = p + step[masks[r, c]]


@njit(cache=True, nogil=True)
def _find(parent, p):
    """Follow the pointers from `p` to their end, and shorten the way for the next one."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@njit(cache=True, nogil=True)
def _value(values, width, frame, p):
    """Return the value at a flat index into the padded image; number 0 stands for the frame."""
    return values[_unpad(p, width)] if p else frame


@njit(cache=True, nogil=True)
def _merge(image, frame, masks, saddles, foreground, links, steps, parent, min_persistence):
    """Merge components at the saddles and pair the younger ones.

    With `foreground` the saddles are walked as they stand, falling, and maxima are paired. Without
    it they are walked backwards, the components are those of the background, and minima are paired.

    Returns
    -------
    extremum, saddle : arrays of int32
        The pairs, as flat indices into the padded image.
    closing : array of int32
        The saddles that close loops, falling: those where two background components meet.
    """
    values, width = image.ravel(), image.shape[1]
    flat = masks.ravel()
    flip = 0 if foreground else 255
    most = 0
    for s in saddles:
        for i in range(1, 4):
            most += links[flat[s] ^ flip, i] >= 0
    extremum, saddle = np.empty(most, np.int32), np.empty(most, np.int32)
    closing = np.empty(saddles.size if foreground else 0, np.int32)
    pairs = left = 0
    for j in range(saddles.size):
        s = saddles[j] if foreground else saddles[saddles.size - 1 - j]
        mask = flat[s] ^ flip
        closes = False
        old = _find(parent, s + steps[links[mask, 0]])
        for i in range(1, 4):
            if links[mask, i] < 0:
                break
            young = _find(parent, s + steps[links[mask, i]])
            if young == old:
                closes = True
                continue
            height = _value(values, width, frame, young)
            other = _value(values, width, frame, old)
            if foreground:
                swap = height > other or (height == other and young < old)
            else:
                swap = height < other or (height == other and young > old)
            if swap:
                old, young, height = young, old, other
            parent[young] = old
            if abs(height - _value(values, width, frame, s)) > min_persistence:
                extremum[pairs], saddle[pairs] = young, s
                pairs += 1
        if foreground and closes:
            closing[left] = s
            left += 1
    return extremum[:pairs], saddle[:pairs], closing[:left]


@njit(cache=True, nogil=True)
def _pairs_2d(image, no_keys, closed, components, holes, min_persistence, upper, lower):
    """Compute the five arrays of `PersistencePairs`; see `pairs_2d` for what must hold.

    The arrays of one byte or more a pixel are gone before the result is written, which can be as
    large: it is what needs the most memory on noise.
    """
    width = image.shape[1]
    # The frame lies above all values (closed) or below them (open): it comes before every tie.
    frame = image.dtype.type(2.0 if closed else -1.0)
    peaks, cols, pits, rims, root, pit = _pair_extrema(
        image, no_keys, frame, components, holes, min_persistence, upper, lower
    )
    values = image.ravel()
    pit = _unpad(pit, width)
    frame_hole = holes and closed and 1 - values[pit] > min_persistence
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


@njit(cache=True, nogil=True)
def _pair_extrema(image, no_keys, frame, components, holes, min_persistence, upper, lower):
    """Pair maxima and minima with saddles, as flat indices into the padded image.

    Returns
    -------
    peaks, cols, pits, rims : arrays of int32
        Each maximum with its saddle, each minimum with its own; empty for what is not wanted.
    root, pit : int
        The maximum and the minimum that have no saddle; the latter with a closed frame only.
    """
    masks, saddles = _masks_and_saddles(image, frame, upper, no_keys)
    height, width = masks.shape
    steps = np.empty(8, np.int32)
    for i in range(8):
        steps[i] = NEIGHBOURS[i, 0] * width + NEIGHBOURS[i, 1]
    parent = np.empty(height * width, np.int32)
    somewhere = width + 1  # the image's first pixel; at the end all is one component
    root = pit = np.int64(somewhere)
    peaks = cols = pits = rims = saddles[:0]
    if components:
        _point(masks, 0, upper, steps, parent)
        peaks, cols, saddles = _merge(
            image, frame, masks, saddles, True, upper, steps, parent, min_persistence
        )
        root = np.int64(_find(parent, somewhere))
    if holes:
        _point(masks, 255, lower, steps, parent)
        pits, rims, _ = _merge(
            image, frame, masks, saddles, False, lower, steps, parent, min_persistence
        )
        if frame > 1:
            pit = np.int64(_find(parent, somewhere))
    return peaks, cols, pits, rims, root, pit


@njit(cache=True, nogil=True)
def _unpad(p, width):
    """Turn a flat index into the padded image into one into the image, `width` columns wide."""
    row = np.uint32(p) // np.uint32(width + 2)  # 32 bits: the division is twice as fast
    return np.int64(p) - 2 * np.int64(row) - width - 1
