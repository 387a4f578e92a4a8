"""What a generator returns, what it refuses, and the check that pixels keep its promise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

import numpy as np
from scipy import ndimage
from skimage import measure

from ...checks import check_fraction, check_integer, check_seed

__all__ = ["Array", "Drawing", "Seed", "agrees", "generator", "until_it_agrees"]

Seed = int | np.random.Generator
Array = np.ndarray
Given = ParamSpec("Given")
Numbers = ParamSpec("Numbers")

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


def generator(
    *, smallest: int, ndim: int = 2, **limits: tuple[int, int]
) -> Callable[[Callable[Given, Drawing]], Callable[Given, Drawing]]:
    """Let a function check its arguments before it draws.

    `smallest` is the least side of its `shape`, of `ndim` sides; `limits` are the lowest and the
    highest value of each of its integers. Those of `gaps` and `noise` are the same everywhere.
    """

    def decorate(function: Callable[Given, Drawing]) -> Callable[Given, Drawing]:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: Given.args, **options: Given.kwargs) -> Drawing:
            given = signature.bind(*args, **options)
            given.apply_defaults()
            values = given.arguments
            values["shape"] = _check_shape(values["shape"], ndim, smallest)
            for name, (low, high) in {**limits, "gaps": (0, 1000)}.items():
                values[name] = check_integer(values[name], name, low, high)
            values["noise"] = check_fraction(values["noise"], "noise")
            return function(*given.args, **given.kwargs)

        return checked

    return decorate


def _check_shape(shape: tuple[int, ...], ndim: int, smallest: int) -> tuple[int, ...]:
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
            counted: tuple[int, ...] = (parts, cavities)
        else:
            euler = measure.euler_number(around, connectivity)
            counted = (parts, parts + cavities - euler, cavities)
        if counted != betti:
            return False
    return True


def until_it_agrees(
    design: Callable[Concatenate[np.random.Generator, tuple[int, ...], Numbers], Drawing | None],
    shape: tuple[int, ...],
    seed: Seed,
    *numbers: Numbers.args,
    **others: Numbers.kwargs,
) -> Drawing:
    """Draw from one stream until the pixels keep what the design promises; else it returns None."""
    rng = check_seed(seed)
    for _ in range(_ATTEMPTS):
        drawing = design(rng, shape, *numbers, **others)
        if drawing is not None:
            return drawing
    raise ValueError(
        f"no drawing with these numbers fits into shape {shape}: "
        f"change the number or the size of the parts, or enlarge the shape"
    )
