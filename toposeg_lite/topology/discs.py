"""Which of some pixels does each pixel of a mask go with? The rule of the deepest disc.

Around each given pixel lies the largest disc (ball) that fits into the mask. Where several overlap,
a pixel goes with the disc that it lies deepest in: the one with the lowest squared distance from
the centre minus squared radius. So the first steps of a thin side line, which lie inside a thick
trunk, win nothing of the trunk: the trunk's own discs are larger there.

What lies in no disc goes with the nearest pixel that lies in one, counted in steps to any of the 8
(26) neighbours inside the mask. What no such way leads to goes with none.

References
----------
.. [1] P. F. Felzenszwalb, D. P. Huttenlocher, "Distance transforms of sampled functions", Theory of
       Computing 8 (2012). doi:10.4086/toc.2012.v008a019
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import watershed

from ..checks import check_number
from .kernels import kernel

__all__ = ["divide_mask", "draw_discs", "fit_radius"]


def divide_mask(mask: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return for each pixel of a mask the number of what it goes with, int32.

    `owner` holds, at the centres of discs wherever in the mask, a number from 0 on; -1 elsewhere.
    The result is -1 outside the mask, and where a pixel goes with none.

    Examples
    --------
    >>> mask = np.array([[0, 1, 1, 1, 0, 1, 1, 0, 1]], bool)
    >>> divide_mask(mask, np.array([[-1, -1, 5, -1, -1, 7, -1, -1, -1]]))
    array([[-1,  5,  5,  5, -1,  7,  7, -1, -1]], dtype=int32)
    """
    centres = np.flatnonzero((owner >= 0) & mask)
    if not len(centres):
        return np.full(mask.shape, -1, np.int32)
    centre, depth = _deepest_discs(mask, centres)
    goes = np.where(mask & (depth < 0), owner.ravel()[centre], -1).astype(np.int32)
    if (mask & (goes < 0)).any():
        flat = np.zeros(mask.shape, np.uint8)
        goes = watershed(flat, goes + 1, mask=mask, connectivity=mask.ndim) - 1
    return goes


def fit_radius(radius: Any, shape: tuple[int, ...]) -> float:
    """Return a radius in pixels as a float, at most the diagonal of an image.

    A disc of that radius covers the image from everywhere; a larger one would do nothing more.

    Examples
    --------
    >>> fit_radius(2, (3, 4)), fit_radius(30_000, (3, 4))
    (2.0, 5.0)
    """
    return min(check_number(radius, "radius"), math.hypot(*shape))


def draw_discs(mask: np.ndarray, pixels: np.ndarray, radius: float, value: bool = True) -> None:
    """Write a value into a contiguous mask, wherever it is within `radius` of some flat indices.

    Whatever the radius, it takes no more memory than a few copies of the mask in float64. Beyond
    the diagonal no pixel is left to be written.
    """
    radius = fit_radius(radius, mask.shape)
    width = 2 * int(radius) + 1
    size = width**mask.ndim
    # Small discs are drawn one by one; where that would be more work, distances are measured.
    if size * mask.ndim > mask.size or size * len(pixels) > 20 * mask.size:
        away = np.ones(mask.shape, np.bool_)
        away.reshape(-1)[pixels] = False
        if len(pixels):  # squared and rounded, as in `_deepest_discs`
            mask[np.round(distance_transform_edt(away) ** 2) <= radius**2] = value
        return
    steps = np.indices((width,) * mask.ndim) - width // 2
    steps = steps[:, (steps**2).sum(0) <= radius**2].T
    _draw(mask.reshape(-1), pixels, np.array(mask.shape), np.ascontiguousarray(steps), value)


def _deepest_discs(mask: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel the centre whose disc it lies deepest in, and how deep.

    The radius of a disc is the distance from its centre to the nearest pixel outside the mask; what
    lies outside the image counts as mask. Depth is squared distance minus squared radius: negative
    inside, as then and only then the pixel is nearer than the nearest outside.
    """
    if mask.all():
        reach = np.full(mask.shape, float(sum(n * n for n in mask.shape)))
    else:  # squared and rounded: distances on a grid are roots of whole numbers
        reach = np.round(distance_transform_edt(mask) ** 2)
    depth = np.full(mask.shape, np.inf)
    depth.ravel()[centres] = -reach.ravel()[centres]
    centre = np.arange(mask.size, dtype=np.int64).reshape(mask.shape)
    for axis in range(mask.ndim):
        depths = np.ascontiguousarray(np.moveaxis(depth, axis, -1))
        sources = np.ascontiguousarray(np.moveaxis(centre, axis, -1))
        rows = (-1, depths.shape[-1])
        _envelopes(depths.reshape(rows), sources.reshape(rows))
        depth, centre = np.moveaxis(depths, -1, axis), np.moveaxis(sources, -1, axis)
    return np.ascontiguousarray(centre), np.ascontiguousarray(depth)


@kernel
def _envelopes(cost, source):
    """Replace each row of `cost` by the lower envelope of parabolas that stand on its values.

    Afterwards ``cost[i, q]`` is the minimum over p of ``cost[i, p] + (q - p)**2`` as it was before,
    and ``source[i, q]`` is what ``source[i, p]`` was there. Infinite values carry no parabola. The
    algorithm is Felzenszwalb and Huttenlocher's, linear in the length of a row.
    """
    n, m = cost.shape
    feet = np.empty(m, np.int64)  # of the parabolas that are part of the envelope
    begins = np.empty(m + 1)  # from where on each is the lowest
    height, name = np.empty(m), np.empty(m, source.dtype)
    for i in range(n):
        height[:] = cost[i]
        name[:] = source[i]
        k = -1
        for p in range(m):
            if height[p] == np.inf:
                continue
            meet = -np.inf
            while k >= 0:
                q = feet[k]
                meet = (height[p] - height[q] + p * p - q * q) / (2.0 * (p - q))
                if meet > begins[k]:
                    break
                k -= 1
            if k < 0:
                meet = -np.inf
            k += 1
            feet[k], begins[k] = p, meet
        if k < 0:
            continue
        last, j = k, 0
        for q in range(m):
            while j < last and begins[j + 1] < q:
                j += 1
            cost[i, q] = height[feet[j]] + (q - feet[j]) ** 2
            source[i, q] = name[feet[j]]


@kernel
def _draw(flat, pixels, shape, steps, value):
    """Write `value` at each step from each pixel that stays inside the shape."""
    for pixel in pixels:
        for k in range(len(steps)):
            rest, target, stride = pixel, 0, 1
            is_inside = True
            for axis in range(shape.size - 1, -1, -1):
                place = rest % shape[axis] + steps[k, axis]
                is_inside = is_inside and 0 <= place < shape[axis]
                target += place * stride
                stride *= shape[axis]
                rest //= shape[axis]
            if is_inside:
                flat[target] = value
