"""What reading a file gives, and how large a file may be."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["FileContent", "UnreadableFile", "check_pixels", "max_pixels", "number_in_environment"]

_MAX_PIXELS = 2**27


class UnreadableFile(ValueError):
    """A file that is damaged, too large, or whose values are not certain; the message says why."""


@dataclass(frozen=True)
class FileContent:
    """What a file holds, and what it says about it.

    Attributes
    ----------
    array : array
        The values in the order in which the file stores them. Numbers have the machine's own byte
        order.
    notes : tuple of str
        What was decided about the values, for example that a palette was read as grey.
    orientation : int
        1 to 8, as EXIF and TIFF count: how the stored rows and columns must be turned to be shown
        upright; 1 if the file says nothing.
    colour : bool
        Whether the last axis of a picture holds its channels.
    nifti : bool
        Whether the file is a NIfTI volume.
    affine : (4, 4) array, optional
        Of a NIfTI volume, from stored voxels (x, y, z) to millimetres. None if it says nothing of
        its place.
    """

    array: np.ndarray
    notes: tuple[str, ...] = ()
    orientation: int = 1
    colour: bool = False
    nifti: bool = False
    affine: np.ndarray | None = None

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """The sides of a voxel in millimetres, along the axes of the array, if they are known."""
        if self.affine is None or self.array.ndim != 3:
            return None
        sides = np.sqrt((self.affine[:3, :3] ** 2).sum(0))[::-1]
        return tuple(sides.tolist())


def max_pixels() -> int:
    """Return how many values a file may hold: the environment variable ``TOPOSEG_MAX_PIXELS``.

    A value is a pixel or voxel of one channel. The bound is checked from a file's header, before
    anything is decoded, so that a small file cannot fill the memory. Without the variable it is
    134,217,728: a volume of 512 x 512 x 512.

    Raises
    ------
    ValueError
        If the variable is no positive integer.

    Examples
    --------
    >>> max_pixels()
    134217728
    """
    return number_in_environment("TOPOSEG_MAX_PIXELS", _MAX_PIXELS)


def number_in_environment(name: str, otherwise: int) -> int:
    """Return the positive integer that an environment variable holds, or another without it.

    Examples
    --------
    >>> number_in_environment("TOPOSEG_MAX_OF_NOTHING", 7)
    7
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(
            f"the environment variable {name} must be a positive integer; got {text!r}"
        )
    return int(text)


def check_pixels(shape: Iterable[int]) -> int:
    """Return how many values an array of this shape has; refuse more than `max_pixels()`.

    Examples
    --------
    >>> check_pixels((512, 512, 3))
    786432
    """
    sides = [int(side) for side in shape]
    count = math.prod(sides)
    if min(sides, default=1) < 0:
        raise UnreadableFile(f"is damaged: its header says shape {tuple(sides)}")
    if count > max_pixels():
        raise UnreadableFile(
            f"holds {count:,} values (shape {tuple(sides)}), more than the {max_pixels():,} that "
            f"are read; if it is meant to be that large, set the environment variable "
            f"TOPOSEG_MAX_PIXELS to {count} or more"
        )
    return count
