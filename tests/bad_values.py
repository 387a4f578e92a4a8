"""Small arrays, good and bad, that the tables of bad input share."""

from __future__ import annotations

import numpy as np

IMAGE = np.linspace(0, 1, 12).reshape(3, 4)
NAN = np.where(IMAGE > 0.9, np.nan, IMAGE)
INF = np.where(IMAGE > 0.9, np.inf, IMAGE)
MASK = IMAGE > 0.5
EMPTY = np.zeros((0, 4))
CUBE = np.linspace(0, 1, 24).reshape(2, 3, 4)
