"""The pixel grid: which pixels touch, what lies outside, and what may enter.

**Connectivity** is scikit-image's word: the number of orthogonal steps that may be taken at once
to reach a neighbour. It always speaks of the *foreground*::

    connectivity=1 (4 neighbours)      connectivity=2 (8 neighbours)
          .  #  .                            #  #  #
          #  p  #                            #  p  #
          .  #  .                            #  #  #

In three dimensions 1 means 6 and 3 means 26 neighbours. The *background* always has the dual,
because the same diagonal step cannot be open to both: where two foreground pixels touch by a
corner, either they are connected or the two background pixels beside them are [1]_.

**Border.** Every image lies in a larger world. With ``border="open"`` the outside is background;
with ``border="closed"`` a frame of foreground, one pixel wide and of value 1, surrounds the image,
so that structures cut off by the border close into loops [2]_.

Every public function passes its input through these checks, so a bad array meets a clear error at
the door and never a kernel. A checked array may be the caller's own: do not write to it.

References
----------
.. [1] T. Y. Kong and A. Rosenfeld, "Digital topology: introduction and survey", CVGIP 48 (1989).
       doi:10.1016/0734-189X(89)90147-3
.. [2] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019. arXiv:1906.05404
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..checks import check_choice, check_number, check_reals

Border = Literal["open", "closed"]

__all__ = [
    "Border",
    "check_border",
    "check_connectivity",
    "check_dimensions",
    "check_image",
    "check_mask",
    "check_spacing",
    "dual_connectivity",
]


def check_border(border: Any) -> str:
    """Return `border` if it is "open" or "closed", else raise."""
    return check_choice(border, ("open", "closed"), "border")


def check_connectivity(connectivity: Any, ndim: int) -> int:
    """Return the connectivity of a foreground with `ndim` axes, 1 or `ndim`; None means `ndim`.

    2 in 3D is refused: it has no dual, so holes would be ill-defined.

    Examples
    --------
    >>> check_connectivity(None, 2), check_connectivity(1, 3)
    (2, 1)
    """
    if connectivity is None:
        return ndim
    if isinstance(connectivity, bool | np.bool_) or not isinstance(connectivity, int | np.integer):
        raise TypeError(f"connectivity must be an integer or None; got {connectivity!r}")
    if connectivity not in (1, ndim):
        few, many = 2 * ndim, 3**ndim - 1
        raise ValueError(
            f"connectivity must be 1 ({few} neighbours) or {ndim} ({many} neighbours) "
            f"for an image with {ndim} axes; got {connectivity}"
        )
    return int(connectivity)


def check_dimensions(dimensions: Any, ndim: int) -> list[bool]:
    """Return for each dimension below `ndim` whether features of it are wanted; None means all.

    Examples
    --------
    >>> check_dimensions([1], 3)
    [False, True, False]
    """
    if dimensions is None:
        return [True] * ndim
    if isinstance(dimensions, int | np.integer):
        raise TypeError(f"dimensions must be a collection such as ({dimensions},), not one integer")
    try:
        wanted = [operator.index(k) for k in dimensions]
        if any(isinstance(k, bool) for k in dimensions):
            raise TypeError("flags, one for each dimension, mean something else")
    except TypeError:
        raise TypeError(
            f"dimensions must be a collection of integers; got {dimensions!r}"
        ) from None
    if not wanted or not all(0 <= k < ndim for k in wanted):
        raise ValueError(
            f"dimensions must name some of {tuple(range(ndim))} for {ndim} axes; got {wanted}"
        )
    return [k in wanted for k in range(ndim)]


def dual_connectivity(connectivity: int, ndim: int) -> int:
    """Return the connectivity of the background that goes with that of the foreground.

    Examples
    --------
    >>> dual_connectivity(2, 2), dual_connectivity(1, 3)
    (1, 3)
    """
    return ndim if check_connectivity(connectivity, ndim) == 1 else 1


def check_spacing(spacing: Any, ndim: int | None = None) -> tuple[float, ...] | None:
    """Return the spacing of pixels along each axis in multiples of the smallest, None if all are 1.

    `spacing` holds a length for each of the `ndim` axes (None: for 2 or 3), in the order of the
    axes and in any unit: only ratios count. None means that all are equal. One axis may be at most
    1000 times as coarse as another.

    Examples
    --------
    >>> check_spacing((3.0, 0.5, 0.5), 3), check_spacing((0.7, 0.7), 2)
    ((6.0, 1.0, 1.0), None)
    """
    if spacing is None:
        return None
    axes = "2 or 3" if ndim is None else str(ndim)
    wanted = f"spacing must hold a length for each of {axes} axes, in their order (z, y, x)"
    if isinstance(spacing, str) or not isinstance(spacing, Sequence | np.ndarray):
        raise TypeError(f"{wanted}; got {spacing!r}")
    if len(spacing) not in ((2, 3) if ndim is None else (ndim,)):
        raise ValueError(f"{wanted}; got {spacing!r}")
    lengths = [check_number(length, "each of spacing", positive=True) for length in spacing]
    finest = min(lengths)
    if max(lengths) > 1000 * finest:
        raise ValueError(f"spacing must not differ by more than 1000 times; got {spacing!r}")
    ratios = tuple(length / finest for length in lengths)
    return ratios if any(ratio > 1 for ratio in ratios) else None


def _check_array(array: Any, name: str, ndim: int | tuple[int, ...]) -> np.ndarray:
    """Refuse what is no non-empty real or boolean array with the wanted number of axes."""
    wanted = (ndim,) if isinstance(ndim, int) else ndim
    array = check_reals(array, name)
    if array.ndim not in wanted:
        axes = " or ".join(str(n) for n in wanted)
        raise ValueError(f"{name} must have {axes} axes; got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    return array


def check_image(
    image: Any, name: str = "image", *, ndim: int | tuple[int, ...] = (2, 3)
) -> np.ndarray:
    """Return a likelihood image with one of these numbers of axes as a C-contiguous float array.

    float64 stays float64; everything else, also a boolean mask, becomes float32, which holds it
    exactly. Values outside [0, 1] and integers are refused. `name` is for the messages.
    """
    array = _check_array(image, name, ndim)
    if array.dtype.kind in "iu":
        raise TypeError(
            f"{name} must be a likelihood: float values in [0, 1]; got {array.dtype}. "
            f"Divide by its largest possible value, or pass a boolean mask"
        )
    if array.dtype.itemsize > 8:
        raise TypeError(f"{name} must be float16, float32 or float64; got {array.dtype}")
    dtype = np.float64 if array.dtype.itemsize == 8 else np.float32
    array = np.ascontiguousarray(array, dtype=dtype)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # also true of NaN
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
        raise ValueError(
            # All digits: the sum of a softmax may be 1.0000001, which must not read "1".
            f"{name} must lie in [0, 1]; its values reach from {low!s} to {high!s}. "
            f"If these are logits, apply a sigmoid first; if it is rounding, clip them"
        )
    return array


def check_mask(
    mask: Any, name: str = "mask", *, ndim: int | tuple[int, ...] = (2, 3)
) -> np.ndarray:
    """Return a mask with one of these numbers of axes as a C-contiguous boolean array.

    It may be of any type, but hold no other values than 0 and 1. `name` is for the messages.

    Examples
    --------
    >>> check_mask([[0, 1]])
    array([[False,  True]])
    """
    array = _check_array(mask, name, ndim)
    if array.dtype != np.bool_:
        binary = array.astype(np.bool_)
        other = array != binary
        if other.any():
            raise ValueError(
                f"{name} must hold only 0 and 1 (or False and True); "
                f"it also holds {array[other].flat[0]!s}. Threshold it first, e.g. `{name} > 0.5`"
            )
        array = binary
    array = np.ascontiguousarray(array)
    # A byte other than 0 and 1 also counts as True (Pillow reads 1-bit images as 0 and 255), but
    # kernels count with the bytes themselves and would run past the end of their arrays.
    return array if array.view(np.uint8).max() < 2 else array != np.False_
