"""The checkers of chapter 05."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from ...topology.morse import MorseComplex, morse_complex
from ...topology.persistence import persistence_pairs
from .checking import (
    UNREADABLE,
    NotYetError,
    array_of,
    call,
    exercise,
    first_difference,
    places_of,
    refuse,
    rows_of,
)
from .running import Shortcuts, always

__all__ = ["PENCIL_RIDGE", "PENCIL_ROW"]

PENCIL_RIDGE = (
    np.array(
        [
            [9, 7, 1, 0, 0, 0],
            [3, 2, 5, 1, 0, 0],
            [4, 0, 1, 6, 1, 0],
            [0, 0, 0, 1, 3, 2],
            [0, 0, 0, 1, 4, 8],
        ]
    )
    / 10
)
"""The image of exercise 05.1: a ridge with a bump and a twig. Each misconception gives another
skeleton."""

PENCIL_ROW = np.array([[0.9, 0.85, 0.95, 0.25, 0.6, 0.55, 0.65, 0.05, 0.2]])
"""The image of exercise 05.2: two structures, a bridge between them, and a speck."""


@exercise("05.1")
def _skeleton_by_hand(answer: Any) -> str:
    """Check the skeleton of `PENCIL_RIDGE` at persistence .15, a list of (row, column)."""
    rows = rows_of(answer, 2, "a list of tuples (row, column)")
    complex_ = morse_complex(PENCIL_RIDGE)
    right = places_of(complex_.skeleton(0.15).mask)
    misread = partial(refuse, rows)
    misread(
        places_of(complex_.skeleton().mask),
        "This is the skeleton before it is simplified. Which passes have a persistence of at most "
        ".15, and what becomes of the peaks that die there?",
    )
    misread(
        [(2.0, 3.0), (3.0, 4.0), (4.0, 5.0)],
        "You dropped the pass between .9 and .6, and with it the way. The peak .6 is cancelled: "
        "its arrows turn round, and the V-path leads on across the pass to .9.",
    )
    misread(
        places_of(morse_complex(PENCIL_RIDGE, connectivity=1).skeleton(0.15).mask),
        "This is the skeleton with 4 neighbours. Here pixels that touch by a corner are "
        "neighbours, too.",
    )
    misread(
        places_of(PENCIL_RIDGE >= 0.3),
        "These are all pixels at or above .3, a superlevel set. A skeleton follows the arrows from "
        "the passes.",
    )
    misread(
        places_of(morse_complex(1 - PENCIL_RIDGE).skeleton(0.15).mask),
        "You followed the valleys: arrows lead to the highest neighbour.",
    )
    if rows != right:
        good = len(set(rows) & set(right))
        raise NotYetError(
            f"{good} of your {len(rows)} pixels belong to the skeleton, which has {len(right)}. "
            "Find the one pass that survives, and follow the arrows from both of its sides."
        )
    return "The bump only lengthens the way; the twig, no more persistent, is gone."


@exercise("05.2")
def _two_thresholds(answer: Any) -> str:
    """Check (persistence, saddle level) that leave the peaks .95 and .65 of `PENCIL_ROW` alone."""
    form = "a pair of numbers in [0, 1]: (persistence, saddle_level)"
    try:
        low, high = (float(getattr(number, "detach", lambda n=number: n)()) for number in answer)
    except UNREADABLE:
        raise NotYetError(f"Give {form}.") from None
    if not (0 <= low <= 1 and 0 <= high <= 1):
        raise NotYetError(f"Give {form}.")
    # In floats .9 - .85 is a little more than .05. On paper it is .05, and "at most" includes it.
    room = 1e-9
    mask = morse_complex(PENCIL_ROW).skeleton(min(low + room, 1), max(high - room, 0)).mask[0]
    if not mask[2] or not mask[6]:
        lost = ".95" if not mask[2] else ".65"
        raise NotYetError(
            f"The peak {lost} is gone. "
            + (
                "The saddle level lies above it."
                if high > float(lost)
                else "The bridge is as persistent as this peak: .65 - .25 = .4. A threshold that "
                "takes the one takes the other."
            )
        )
    if mask[3]:
        raise NotYetError(
            "The bridge is still there: no persistence cuts it and keeps both sides. Which of the "
            "two thresholds cuts?"
        )
    if mask.sum() > 2:
        raise NotYetError(
            "Bridge and speck are gone, but not the bumps: their passes have a persistence of .05."
        )
    return "Persistence smooths each structure, the saddle level parts the two."


@exercise("05.3")
def _cut_while_simplifying(answer: Any) -> str:
    """Check a function (image, persistence, saddle_level) -> mask of the cut skeleton."""
    smooth = gaussian_filter(np.random.default_rng(5).random((9, 12)), 1.0)
    smooth = np.round((smooth - smooth.min()) / np.ptp(smooth), 4)
    rows = [[0, 0, 55, 54, 53], [90, 45, 57, 10, 51], [0, 0, 56, 52, 50]]
    ring = np.array(rows) / 100  # its peak, 57, is cancelled with a pass that is cut
    cases = [(PENCIL_ROW, 0.1, 0.25), (PENCIL_ROW, 0.1, 0.3), (PENCIL_RIDGE, 0.15, 0.4)]
    cases.append((ring, 0.15, 0.48))
    cases += [(smooth, p, level) for p in (0.0, 0.1, 0.2) for level in (0.3, 0.5, 0.7)]
    shortcuts = Shortcuts({"MorseComplex.skeleton": (MorseComplex.skeleton, always)})
    form = "Return an array of booleans that has the shape of the image."
    answers = []
    for image, low, high in cases:
        result = call(answer, image.copy(), low, high, shortcuts=shortcuts)
        mask = array_of(result, form)
        if mask.shape != image.shape or mask.dtype != bool:
            raise NotYetError(form)
        answers.append(mask.ravel().tolist())

    def masks(rule: Any) -> list[list[bool]]:
        return [rule(i, morse_complex(i), low, high).ravel().tolist() for i, low, high in cases]

    def across(image: np.ndarray, complex_: MorseComplex, low: float, high: float) -> np.ndarray:
        """Drop the low passes, but let cancelled peaks lead across low ones."""
        mask, branches = np.zeros(image.size, bool), complex_.branches(low)
        pairs = persistence_pairs(image, dimensions=[0], min_persistence=low)
        mask[pairs.birth_index[pairs.birth >= high]] = True
        for path, value in zip(branches.paths, branches.saddle_value, strict=True):
            mask[path] |= value >= high
        return mask

    right = masks(lambda i, c, low, high: c.skeleton(low, high).mask)
    misread = partial(refuse, answers)
    misread(
        masks(lambda i, c, low, high: c.skeleton(low).mask),
        "Nothing is cut yet: this is the skeleton that persistence alone leaves.",
    )
    misread(
        masks(lambda i, c, low, high: c.skeleton(low).mask & (i >= high)),
        "You cut pixels instead of branches: stubs are left that lead down into the valley. Leave "
        "out the whole branch whose pass is low.",
    )
    misread(
        masks(across),
        "Nearly: low passes are not drawn, but some ways still cross them. A peak whose pass is "
        "too low must not be cancelled, or its arrows lead across the valley.",
    )
    misread(
        masks(lambda i, c, low, high: c.skeleton(low, float(np.nextafter(high, 1))).mask),
        "Nearly: a pass exactly at the saddle level stays. The superlevel set holds the pixels at "
        "or above it.",
    )
    if answers != right:
        k = first_difference(answers, right)
        wrong = int(np.not_equal(answers[k], right[k]).sum())
        raise NotYetError(
            f"With persistence {cases[k][1]} and saddle level {cases[k][2]}, {wrong} of "
            f"{len(right[k])} pixels of a test image differ. Peaks below the level go, too; and "
            "surviving peaks at or above it stay, even where all their branches are cut."
        )
    return shortcuts.remark(
        "What is left lies in the superlevel set at the level, and is connected as it is."
    )
