"""Answers to the exercises of chapter 04: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np
from screens import betti
from skimage.measure import label

from toposeg_lite.topology import simple_points
from toposeg_lite.workbook.exercises import PENCIL_MASK

BAR = [[1] * 5] * 2


def places(mask):
    return np.argwhere(mask).tolist()


def keeps(patch):
    """Whether removing the middle keeps the Betti numbers: by labels, not by counting."""
    without = patch.copy()
    without[1, 1] = False
    return betti(patch, 2) == betti(without, 2)


def wrong_corners():
    """Simple pixels where the background steps over corners, too, as `rule` in the chapter."""
    found = []
    for row, column in places(PENCIL_MASK):
        cells = np.pad(PENCIL_MASK, 1)[row : row + 3, column : column + 3].copy()
        cells[1, 1] = False
        outside = ~cells
        outside[1, 1] = False
        if label(cells, connectivity=2).max() == 1 == label(outside, connectivity=2).max():
            found.append([row, column])
    return found


SIMPLE = simple_points(PENCIL_MASK)
RIGHT = {
    "04.1": [(0, 0), (0, 3), (2, 0), (3, 3), (3, 5), (4, 1), (4, 5)],
    "04.2": (BAR, (0, 2), (1, 2)),
    "04.3": lambda patch, connectivity: keeps(patch) and patch.sum() > 2,
}
WRONG = {
    "04.1": [
        (places(simple_points(PENCIL_MASK, connectivity=1) & PENCIL_MASK), "4 neighbours"),
        (wrong_corners(), "background step over corners"),
        ([(3, 3)], "left the border out"),
        (places(SIMPLE), "background pixels that are simple"),
        (places(PENCIL_MASK & ~SIMPLE), "other way round"),
        (RIGHT["04.1"][:5], "5 of your 5 pixels are simple; there are 7"),
        ([*RIGHT["04.1"], (4, 5)], "twice"),
        ([1, 2], "list of tuples"),
        (3, "list of tuples"),
    ],
    "04.2": [
        ((BAR, (0, 1), (1, 4)), "do not touch"),
        ((BAR, (0, 2), (0, 3)), "two pixels' width"),
        (([[1] * 5] * 3, (0, 2), (1, 2)), "Pixel (1, 2) is not simple"),
        ((BAR, (0, 2), (0, 2)), "same pixel twice"),
        ((BAR, (0, 2), (2, 2)), "outside your mask"),
        ((BAR, (0, -1), (1, 2)), "outside your mask"),
        ((BAR, (0, 2)), "three things"),
        ((BAR, (0, 2), (1, 2.5)), "no whole row"),
        (([[1, 2]], (0, 0), (0, 1)), "only 0 and 1"),
        (7, "three things"),
    ],
    "04.3": [
        (lambda patch, connectivity: keeps(patch), "plain rule"),
        (lambda patch, connectivity: patch.sum() != 2, "lines would be torn"),
        (
            lambda patch, connectivity: (
                keeps(patch) and patch[[0, 1, 1, 2], [1, 0, 2, 1]].sum() != 1
            ),
            "end at a corner",
        ),
        (lambda patch, connectivity: not (keeps(patch) and patch.sum() > 2), "other way round"),
        (lambda patch, connectivity: keeps(patch) and patch.sum() == 2, "nothing but ends"),
        (lambda patch, connectivity: keeps(patch) and patch.sum() > 3, "of the 256"),
        (lambda patch, connectivity: 0.5, "True or False"),
        (lambda patch: True, "raised TypeError"),
        (True, "function itself"),
    ],
}
