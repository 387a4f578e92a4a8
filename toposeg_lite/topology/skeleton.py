"""The skeleton of a mask, by thinning; that of a likelihood is in the module `morse`."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from .components import label_components

__all__ = ["thin_mask"]


def thin_mask(mask: np.ndarray) -> np.ndarray:
    """Thin a checked mask; a component that the thinning erases keeps its deepest pixel.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array of bool
        The foreground.

    Returns
    -------
    array of bool, of the mask's shape
        scikit-image's `skeletonize`: Zhang's thinning in 2D, Lee's in 3D, which erases some
        components altogether, such as a cube of 2x2x2.

    Examples
    --------
    >>> int(thin_mask(np.ones((2, 2, 2), bool)).sum())
    1
    """
    skeleton = skeletonize(mask.copy())  # it asks for an array that may be written to
    labels, count = label_components(mask)
    erased = np.setdiff1d(np.arange(1, count + 1), labels[skeleton])
    if len(erased):
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[(slice(1, -1),) * mask.ndim]
        for position in ndimage.maximum_position(depth, labels, erased):
            skeleton[position] = True
    return skeleton
