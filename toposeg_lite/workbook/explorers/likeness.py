"""Whether an image looks like those that the library's own model has learned from.

A network answers whatever it is shown. Five numbers of an image are compared with those of 542
pieces of 256 x 256 pixels of the 16 training images of CHASE_DB1: the share of red and of green in
its colour, and the logarithm of the contrast (relative to the brightness) of details of three
sizes. Their Mahalanobis distance takes into account how the numbers vary, and vary together, among
these pieces. An image is strange if it lies farther away than any of the pieces does, and a
twentieth more. That finds drawings, grey pictures and most photographs; that an image is not
strange does not say that the model is right about it. ``tools/make_likeness.py`` makes the numbers.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["numbers_of", "strangeness"]

SCALES = (1, 4, 16)  # pixels
# fmt: off
MEAN = np.array([0.70433, 0.25373, -3.94978, -3.26564, -2.90336])
INVERSE = np.array([
    [5451.0851, 7727.1429, -323.7653, 301.0738, -60.8483],
    [7727.1429, 11920.0498, -428.4592, 374.7851, -62.7475],
    [-323.7653, -428.4592, 174.9277, -228.223, 70.8316],
    [301.0738, 374.7851, -228.223, 368.7322, -136.2356],
    [-60.8483, -62.7475, 70.8316, -136.2356, 60.145],
])
# fmt: on
FARTHEST = 10.748  # of the pieces
SLACK = 1.05


def numbers_of(image: np.ndarray) -> np.ndarray:
    """Return the five numbers of a (3, H, W) image in [0, 1].

    Examples
    --------
    >>> numbers_of(np.ones((3, 8, 8)))[:2].round(2)
    array([0.33, 0.33])
    """
    means = image.reshape(3, -1).mean(axis=1, dtype=float)
    grey = image.mean(axis=0, dtype=float)
    level = grey.mean() + 1e-9
    smooth = [grey, *(gaussian_filter(grey, scale) for scale in SCALES)]
    contrast = [np.log((fine - coarse).std() / level + 1e-6) for fine, coarse in pairwise(smooth)]
    return np.array([*(means[:2] / (means.sum() + 1e-9)), *contrast])


def strangeness(image: np.ndarray) -> float:
    """Return how far a (3, H, W) image is from the training images; above 1 it is strange.

    Examples
    --------
    >>> from toposeg_lite.data.photos import brick, retina
    >>> strangeness(retina().image[:, 800:1056, 240:496]) < 1
    True
    >>> strangeness(np.repeat(brick().image[:, :256, :256], 3, axis=0)) > 1
    True
    """
    away = numbers_of(image) - MEAN
    return float(np.sqrt(away @ INVERSE @ away)) / (SLACK * FARTHEST)
