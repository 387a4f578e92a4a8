"""Answers to the exercises of chapter 05: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np

from toposeg_lite.topology import morse_complex
from toposeg_lite.workbook.exercises import PENCIL_RIDGE

DRAWN = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def cut(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence, level).mask


def whole(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence).mask


def clipped(image, min_persistence, level):
    return whole(image, min_persistence, level) & (image >= level)


def across(image, min_persistence, level):
    """Draw good branches along the paths that they have before anything is cut."""
    mask = cut(image, min_persistence, level).ravel()
    branches = morse_complex(image).branches(min_persistence)
    for path, value in zip(branches.paths, branches.saddle_value, strict=True):
        if value >= level:
            mask[path] = True
    return mask.reshape(image.shape)


def above(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence, level + 1e-9).mask


RIGHT = {"05.1": DRAWN, "05.2": (0.1, 0.3), "05.3": cut}
WRONG = {
    "05.1": [
        ([*DRAWN, (1, 0), (2, 0)], "before it is simplified"),
        (DRAWN[3:], "dropped the pass"),
        (np.argwhere(morse_complex(PENCIL_RIDGE, connectivity=1).skeleton(0.15).mask), "4 nei"),
        (np.argwhere(PENCIL_RIDGE > 0.25), "superlevel set"),
        (np.argwhere(morse_complex(1 - PENCIL_RIDGE).skeleton(0.15).mask), "valleys"),
        (DRAWN[1:], "5 of your 5 pixels"),
        ([0, 1], "list of tuples"),
        (7, "list of tuples"),
    ],
    "05.2": [
        ((0.4, 0.3), "takes the other"),
        ((0.1, 0.7), "The peak .65 is gone. The saddle level"),
        ((0.1, 0.96), "The peak .95 is gone"),
        ((0.2, 0.2), "bridge is still there"),
        ((0.0, 0.3), "bumps"),
        ((2, 0.3), "a pair of numbers"),
        (0.3, "a pair of numbers"),
    ],
    "05.3": [
        (whole, "Nothing is cut"),
        (clipped, "stubs"),
        (across, "lead across"),
        (above, "exactly at"),
        (lambda i, p, level: np.zeros(i.shape, bool), "of a test image differ"),
        (lambda i, p, level: i, "array of booleans"),
        (lambda i, p, level: cut(i, p, level).T, "array of booleans"),
        (lambda i, p, level: [][1], "raised IndexError"),
        (True, "function itself"),
    ],
}
