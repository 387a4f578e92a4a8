"""Images in a frame, seen as flat arrays: neighbours are steps, and nobody falls off the edge.

A *framed* image is one pixel wider on each side. In the flat array a step to a neighbour is then
the same number everywhere, and every pixel has all its neighbours. The frame's value, below or
above all others, says what lies outside.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from .kernels import kernel

__all__: list[str] = []

# Where the neighbours of a pixel lie, for each number of axes and connectivity, in C order: in a
# framed image their steps rise, and the first and the last, the second and the last but one, and so
# on, are opposite.
OFFSETS = {
    (ndim, connectivity): np.array(
        [
            offset
            for offset in product((-1, 0, 1), repeat=ndim)
            if 0 < np.abs(offset).sum() <= connectivity
        ]
    )
    for ndim, connectivity in ((2, 1), (2, 2), (3, 1), (3, 3))
}

# The eight of the plane: bit i of a mask of neighbours says something of the one at NEIGHBOURS[i].
#     0 1 2
#     3 p 4
#     5 6 7
NEIGHBOURS = OFFSETS[2, 2]


def flat_steps(offsets: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn offsets, (n, ndim), into steps in the flat index of an array."""
    return offsets @ np.cumprod((1, *shape[:0:-1]))[::-1]


def later_steps(shape: tuple[int, ...], connectivity: int) -> np.ndarray:
    """Return the steps to those neighbours in a framed image that come later, smallest first."""
    steps = flat_steps(OFFSETS[len(shape), connectivity], shape)
    return steps[steps.size // 2 :]


def inside(shape: tuple[int, ...]) -> np.ndarray:
    """Return where the pixels of an image lie, as flat indices, once it has a frame around it."""
    framed = tuple(n + 2 for n in shape)
    indices = np.arange(np.prod(framed), dtype=np.int32).reshape(framed)
    return indices[(slice(1, -1),) * len(shape)].ravel()


def frame_voxels(shape: tuple[int, ...]) -> np.ndarray:
    """Return the flat indices of the frame of a framed volume."""
    around = np.ones(shape, np.bool_)
    around[1:-1, 1:-1, 1:-1] = False
    return np.flatnonzero(around).astype(np.int32)


def unframe(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn flat indices into a framed image of this shape into those into the image.

    An index on the frame becomes -1.
    """
    return _unframe(indices, np.array((1, *shape)[-3:]))


@kernel
def _unframe(indices, shape):
    """Do the work of `unframe`; a plane has one layer, which is no frame."""
    depth, height, width = shape
    rows, columns = np.uint32(height), np.uint32(width)  # 32 bits: quicker to divide by
    layers = max(depth - 2, 1)
    out = np.empty(indices.size, np.int64)
    for i in range(indices.size):
        line, column = divmod(np.uint32(indices[i]), columns)
        layer, row = divmod(line, rows)
        z, y, x = np.int64(layer) - (depth > 1), np.int64(row) - 1, np.int64(column) - 1
        is_inside = (0 <= z < layers) & (0 <= y < height - 2) & (0 <= x < width - 2)
        out[i] = (z * (height - 2) + y) * (width - 2) + x if is_inside else -1
    return out


@kernel
def plane_steps(width):
    """Return the `flat_steps` of NEIGHBOURS in a plane with rows of this width."""
    steps = np.empty(8, np.int32)
    for bit in range(8):
        steps[bit] = NEIGHBOURS[bit, 0] * width + NEIGHBOURS[bit, 1]
    return steps


@kernel
def upper_masks(framed):
    """Return for each pixel the byte whose bit i says that NEIGHBOURS[i] is upper.

    A neighbour with a smaller flat index is upper when its value is equal. The frame's own bytes
    stay 0.
    """
    masks = np.zeros(framed.shape, np.uint8)
    for r in range(1, framed.shape[0] - 1):
        _upper_masks_of_row(framed[r - 1], framed[r], framed[r + 1], masks[r])
    return masks


@kernel
def write_upper_masks(image, frame, masks):
    """Write the `upper_masks` of an image framed by a value, which are larger than the image.

    No framed copy of the image is made but for three rows at a time.
    """
    height, width = image.shape
    masks[0], masks[height + 1] = 0, 0
    rows = np.full((3, width + 2), frame, image.dtype)
    for r in range(height + 1):
        below = rows[(r + 1) % 3]
        for c in range(width):
            below[c + 1] = image[r, c] if r < height else frame
        if r > 0:
            masks[r, 0], masks[r, width + 1] = 0, 0
            _upper_masks_of_row(rows[(r - 1) % 3], rows[r % 3], below, masks[r])


@kernel
def _upper_masks_of_row(above, here, below, masks):
    """Write the masks of a row between two others, but for its ends; hence >= and >."""
    for c in range(1, here.size - 1):  # no branch in here, so the compiler vectorises it
        value = here[c]
        masks[c] = (
            np.uint8(above[c - 1] >= value)
            | np.uint8(above[c] >= value) << 1
            | np.uint8(above[c + 1] >= value) << 2
            | np.uint8(here[c - 1] >= value) << 3
            | np.uint8(here[c + 1] > value) << 4
            | np.uint8(below[c - 1] > value) << 5
            | np.uint8(below[c] > value) << 6
            | np.uint8(below[c + 1] > value) << 7
        )
