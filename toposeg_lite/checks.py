"""Checks of single values, shared by every public door of the library.

A bad argument is refused before anything is computed or made, by an error that names the argument,
what is accepted and what arrived: TypeError for a wrong type, ValueError for a wrong value. What
an image, a mask or a connectivity may be is checked in `toposeg_lite.topology.grid`. A boolean is
no number here, and `name` is the argument's, for the message.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "check_choice",
    "check_flag",
    "check_fraction",
    "check_integer",
    "check_number",
    "check_path",
    "check_real",
    "check_reals",
    "check_same_shape",
    "check_seed",
    "check_text",
]


def check_choice(value: Any, choices: Sequence[str], name: str) -> str:
    """Return `value` if it is one of `choices`, else raise an error that lists them.

    Examples
    --------
    >>> check_choice("open", ("open", "closed"), "border")
    'open'
    """
    wanted = ", ".join(repr(choice) for choice in choices)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {wanted}; got {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {wanted}; got {value!r}")
    return value


def check_flag(value: Any, name: str) -> bool:
    """Return `value` if it is True or False, else raise a TypeError.

    Examples
    --------
    >>> check_flag(True, "walk")
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def check_integer(value: Any, name: str, low: int = 0, high: int | None = None) -> int:
    """Return an integer from `low` to `high` (default: without end) as an int, else raise.

    Examples
    --------
    >>> check_integer(3, "steps", 1), check_integer(np.int8(2), "row", 0, 4)
    (3, 2)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if high is not None and not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}; got {value}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value}")
    return int(value)


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """Return a finite number that is zero or above (above zero, if `positive`) as a float.

    Examples
    --------
    >>> check_number(1, "min_persistence")
    1.0
    """
    number = check_real(value, name)
    if not 0 <= number <= sys.float_info.max or (positive and number == 0):
        wanted = "above zero" if positive else "zero or above"
        raise ValueError(f"{name} must be finite and {wanted}; got {value}")
    return number


def check_fraction(value: Any, name: str) -> float:
    """Return a number in [0, 1], such as a threshold of a likelihood, as a float.

    Examples
    --------
    >>> check_fraction(1, "threshold")
    1.0
    """
    number = check_real(value, name, "a number in [0, 1]")
    if not 0 <= number <= 1:  # also true of NaN
        hint = (
            ". If it is a threshold of 8-bit values, divide it by 255" if 1 < number <= 255 else ""
        )
        raise ValueError(f"{name} must lie in [0, 1]; got {value}{hint}")
    return number


def check_text(value: Any, name: str) -> str:
    """Return a text, else raise a TypeError.

    Examples
    --------
    >>> check_text("retina", "name")
    'retina'
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text; got {value!r}")
    return value


def check_path(value: Any, name: str) -> Path:
    """Return the path of a file or folder, which may be a text, as a Path, else raise a TypeError.

    Examples
    --------
    >>> check_path("runs/a.json", "path").name
    'a.json'
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path; got {value!r}")
    return Path(value)


def check_real(value: Any, name: str, wanted: str = "a number") -> float:
    """Return a real number, which may be infinite or NaN, as a float; `wanted` is for the message.

    Examples
    --------
    >>> check_real(-1, "fill")
    -1.0
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {wanted}; got {value!r}")
    try:
        return float(value)
    except OverflowError:  # an integer may lie beyond every float
        raise ValueError(f"{name} must be {wanted} that is finite; got {value}") from None


def check_reals(values: Any, name: str) -> np.ndarray:
    """Return an array of real numbers or booleans as it is, lists and numbers as an array.

    A torch tensor is refused, as it may lie elsewhere, and so is a masked array, whose mask would
    be ignored.

    Examples
    --------
    >>> check_reals([0, 0.5], "values")
    array([0. , 0.5])
    """
    if type(values).__module__.split(".")[0] == "torch":
        raise TypeError(
            f"{name} must be a NumPy array; got a torch tensor. Pass `.detach().cpu().numpy()`"
        )
    if np.ma.isMaskedArray(values):
        raise TypeError(
            f"{name} must be an array without a mask, which would be ignored; got a masked array. "
            f"Pass `.filled(value)`"
        )
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of unequal lengths
        raise ValueError(f"{name} is no array: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers or booleans; got dtype {array.dtype}")
    return array


def check_seed(seed: Any) -> np.random.Generator:
    """Return the generator that a seed stands for; None is refused: draws should be repeatable.

    An integer, zero or above, begins a new stream; a generator is returned as it is.

    Examples
    --------
    >>> check_seed(0).integers(100, size=3)
    array([85, 63, 51])
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or a numpy.random.Generator; got {seed!r}")
    return np.random.default_rng(check_integer(seed, "seed"))


def check_same_shape(first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> None:
    """Raise a ValueError that names both arrays unless their shapes are equal.

    Examples
    --------
    >>> check_same_shape(np.zeros((2, 3)), np.ones((2, 3)), ("prediction", "truth"))
    """
    if first.shape != second.shape:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same shape; "
            f"got {first.shape} and {second.shape}"
        )
