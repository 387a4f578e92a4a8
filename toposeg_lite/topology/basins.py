"""The basins of a plane: which extremum does a pixel lead to, found where memory lies together.

Every pixel but the extrema points to one neighbour that enters before it (see `persistence`); the
way along these pointers ends at an extremum. The pixels of one end are its *basin*. Components
meet only at saddles, so all that union-find must know of an image is which basins meet at each of
them: a short list, made row by row, where what one pixel asks for is still at hand from the last.
Only this list, and not the image, is walked in the order of the values, which jumps from anywhere
to anywhere. That is what keeps large images, which no cache holds, nearly as cheap as small ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .frame import plane_steps
from .kernels import kernel
from .order import sort_falling

__all__: list[str] = []


def spaces(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return two empty arrays for the masks and the `leads` of an image of this shape, framed.

    They are NumPy's, and not made where they are filled, because NumPy asks Linux for large pages:
    what is as large as this comes as new memory each time, and page by page that costs more than
    all the work in it.
    """
    height, width = (n + 2 for n in shape)
    return np.empty((height, width), np.uint8), np.empty(height * width, np.int32)


class Basins(NamedTuple):
    """The basins of an image, numbered by the flat index of their extrema; the frame is number 0.

    Indices are those into the framed image.
    """

    tops: np.ndarray  # the extremum of each basin
    heights: np.ndarray  # its value
    leads: np.ndarray  # of each pixel what it points to; ``~number`` at the extrema and the frame


@kernel
def find_basins(image, frame, masks, links, flip, leads):
    """Let every pixel point to a neighbour that enters before it, and number the extrema.

    `masks` are the `fill_upper_masks` of an image framed by a value, `links` a table of what each
    mask tells (see `persistence`). With `flip` 255 the order is the reverse, that of the
    background; else `flip` is 0. `leads`, with an entry for each pixel of the framed image, is
    what is written.
    """
    height, width = masks.shape
    steps = plane_steps(width)
    step = np.zeros(256, np.int32)
    for mask in range(256):
        if links[mask ^ flip, 0] >= 0:
            step[mask] = steps[links[mask ^ flip, 0]]
    count = 1
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            count += step[masks[r, c]] == 0
    tops, heights = np.zeros(count, np.int32), np.full(count, frame, image.dtype)
    leads[:width], leads[leads.size - width :] = ~0, ~0
    number = 1
    for r in range(1, height - 1):
        start = r * width
        leads[start], leads[start + width - 1] = ~0, ~0
        for c in range(1, width - 1):
            p = start + c
            up = step[masks[r, c]]
            leads[p] = p + up
            if up == 0:
                leads[p], tops[number], heights[number] = ~number, p, image[r - 1, c - 1]
                number += 1
    return Basins(tops, heights, leads)


@kernel
def basin_of(leads, p):
    """Return the number of a pixel's basin, and shorten the way for the next one."""
    up = leads[p]
    while up >= 0:
        further = leads[up]
        leads[p] = further
        p, up = up, further
    return ~up


class Saddles(NamedTuple):
    """The saddles of an image, by flat index."""

    pixels: np.ndarray  # flat indices into the framed image
    order: np.ndarray  # positions in `pixels` by falling value, equal values by flat index


@kernel
def sorted_saddles(image, masks, links, no_keys):
    """Find and sort all saddles of an image: pixels at which `links` tells of two components."""
    is_saddle = links[:, 1] >= 0
    n = 0
    for mask in masks.ravel():
        n += is_saddle[mask]
    # One more, so that the loop below needs no branch.
    pixels, values = np.empty(n + 1, np.int32), np.empty(n + 1, image.dtype)
    n, width = 0, masks.shape[1]
    for r in range(1, masks.shape[0] - 1):
        for c in range(1, width - 1):
            pixels[n], values[n] = r * width + c, image[r - 1, c - 1]
            n += is_saddle[masks[r, c]]
    order = sort_falling(values[:n], np.arange(n).astype(np.int32), no_keys)
    return Saddles(pixels[:n], order)


@kernel
def basins_around(masks, pixels, wanted, links, flip, leads):
    """Return the basins that meet at each wanted pixel, (n, 4), -1 where there are fewer.

    `pixels` rise; no basin is near one that is not wanted. The other parameters are those of
    `find_basins`, which has written `leads`.
    """
    steps, flat = plane_steps(masks.shape[1]), masks.ravel()
    around = np.full((pixels.size, 4), -1, np.int32)
    for j in range(pixels.size):
        if not wanted[j]:
            continue
        p = pixels[j]
        mask = flat[p] ^ flip
        for i in range(4):
            if links[mask, i] < 0:
                break
            around[j, i] = basin_of(leads, p + steps[links[mask, i]])
    return around
