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
    "check_count",
    "check_noise",
    "check_shape",
    "random_stream",
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


def check_count(value: int, name: str, low: int, high: int) -> int:
    """Refuse what is no integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low} and {high}; got {value}")
    return int(value)


def check_noise(noise: float) -> float:
    """Refuse a noise level that is no number in [0, 1]."""
    if isinstance(noise, bool) or not isinstance(noise, int | float | np.number):
        raise TypeError(f"noise must be a number; got {noise!r}")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must lie in [0, 1]; got {noise}")
    return float(noise)


def random_stream(seed: Seed) -> np.random.Generator:
    """Return the stream of random numbers that a seed stands for."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or a numpy Generator; got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must not be negative; got {seed}")
    return np.random.default_rng(int(seed))


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
