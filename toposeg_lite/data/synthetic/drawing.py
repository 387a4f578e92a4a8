"""What a generator returns, what it refuses, and the check that pixels keep its promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import measure

__all__ = [
    "Array",
    "Drawing",
    "Seed",
    "agrees",
    "check_shape",
    "until_it_agrees",
]

Seed = int | np.random.Generator
Array = np.ndarray

_ATTEMPTS = 200


@dataclass(frozen=True)
class Drawing:
    """An image, its exact mask and the Betti numbers that the mask was built to have.

    Attributes
    ----------
    image : (channels, H, W) or (channels, D, H, W) array of float32
        Values in [0, 1].
    mask : (H, W) or (D, H, W) array of bool
        True on the structure.
    betti : tuple of int
        (b0, b1) in 2D, (b0, b1, b2) in 3D, with an open border. They hold for connectivity 1 and
        for connectivity `ndim`: no two parts of the mask touch by a corner only.
    """

    image: Array
    mask: Array
    betti: tuple[int, ...]


def check_shape(shape: tuple[int, ...], ndim: int, smallest: int) -> tuple[int, ...]:
    """Refuse a shape that is no tuple of `ndim` integers of at least `smallest`."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"shape must be a tuple of {ndim} integers; got {shape!r}")
    for side in shape:
        if isinstance(side, bool) or not isinstance(side, int | np.integer):
            raise TypeError(f"shape must hold integers; got {shape!r}")
    if len(shape) != ndim:
        raise ValueError(f"shape must have {ndim} sides; got {tuple(shape)}")
    if min(shape) < smallest:
        raise ValueError(
            f"every side of shape must be at least {smallest} pixels, or the structure does not "
            f"fit; got {tuple(shape)}"
        )
    return tuple(int(side) for side in shape)


def agrees(mask: Array, betti: tuple[int, ...]) -> bool:
    """Say whether the drawn mask has the designed numbers, with both connectivities."""
    around = np.pad(mask, 1)
    full = np.ones((3,) * mask.ndim)
    cross = ndimage.generate_binary_structure(mask.ndim, 1)
    for connectivity, near, far in ((1, cross, full), (mask.ndim, full, cross)):
        parts = ndimage.label(around, near)[1]
        cavities = ndimage.label(~around, far)[1] - 1
        if mask.ndim == 2:
            found: tuple[int, ...] = (parts, cavities)
        else:
            euler = measure.euler_number(around, connectivity)
            found = (parts, parts + cavities - euler, cavities)
        if found != betti:
            return False
    return True


def until_it_agrees(
    rng: np.random.Generator, design: Callable[[np.random.Generator], Drawing | None], shape: object
) -> Drawing:
    """Draw until the pixels keep what the design promises."""
    for _ in range(_ATTEMPTS):
        drawing = design(rng)
        if drawing is not None:
            return drawing
    raise ValueError(
        f"no drawing with these numbers fits into shape {shape}: "
        f"change the number or the size of the parts, or enlarge the shape"
    )
