"""What the explorers show when nothing else is given: vessels of a retina, and pieces of them."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import expit
from skimage.filters import gaussian

from ...data import photos

__all__ = ["gap", "vessels"]

CROP = np.s_[800:1312, 240:752]  # of the photograph: the optic disc's lower left
MARGIN = 96  # pixels around the crop that the widest filter sees
PIECE = np.s_[144:240, 86:182]  # of the vessels: where one of them is dimmed


@cache
def vessels() -> tuple[np.ndarray, np.ndarray]:
    """Return how likely each pixel of a fundus photograph is to be a vessel, and a reference mask.

    The likelihood is the contrast of the green channel to its surroundings, every second pixel; the
    mask is the silver reference of `toposeg_lite.data.photos`. Both have the shape (256, 256) and
    are kept, so change copies only.

    >>> likelihood, mask = vessels()
    >>> bool(likelihood[mask].mean() > 3 * likelihood[~mask].mean())
    True
    """
    photo = photos.retina()
    rows, columns = (slice(s.start - MARGIN, s.stop + MARGIN) for s in CROP)
    green = photo.image[1, rows, columns].astype(float)
    eye = (gaussian(green, 20) > 0.22).astype(float)
    surroundings = gaussian(green * eye, 24) / np.maximum(gaussian(eye, 24), 1e-6)
    contrast = (surroundings - gaussian(green, 3)) * eye
    likelihood = eye * expit(1.5 * contrast / contrast[eye > 0].std() - 2)
    inner = slice(MARGIN, -MARGIN, 2)
    return likelihood[inner, inner], photo.mask[CROP][::2, ::2]


def gap() -> tuple[np.ndarray, np.ndarray]:
    """Return a piece of `vessels` in which one vessel is dimmed until it breaks, and its mask.

    Both have the shape (96, 96).

    >>> from toposeg_lite.topology import betti_numbers
    >>> likelihood, mask = gap()
    >>> betti_numbers(likelihood >= 0.5)[0] > betti_numbers(mask)[0]
    True
    """
    likelihood, mask = vessels()
    row, column = np.indices(likelihood.shape)
    dim = np.exp(-((row - 183) ** 2 + (column - 128) ** 2) / 18)
    return (likelihood * (1 - 0.75 * dim))[PIECE], mask[PIECE]
