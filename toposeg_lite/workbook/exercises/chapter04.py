"""The checkers of chapter 04."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from skimage.measure import label

from ...topology.components import betti_numbers
from ...topology.grid import check_mask
from ...topology.warping import simple_points
from .checking import (
    UNREADABLE,
    NotYetError,
    Rows,
    count_right,
    decide,
    exercise,
    pixel_of,
    places_of,
    refuse,
    rows_of,
)

__all__ = ["PENCIL_MASK"]

PENCIL_MASK = np.array(
    [
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [0, 0, 1, 1, 0, 1],
        [0, 1, 0, 0, 0, 1],
    ],
    dtype=bool,
)
"""The mask of exercise 04.1. Each misconception finds other simple pixels in it."""


def _count(cells: np.ndarray, connectivity: int) -> int:
    """Count the components of the cells around the middle that hold one of its neighbours."""
    ring = cells.copy()
    ring[1, 1] = False
    labels = label(ring, connectivity=connectivity)
    near = labels if connectivity == 2 else labels[[0, 1, 1, 2], [1, 0, 2, 1]]
    return len(np.unique(near[near > 0]))


def _pixels(rule: Callable[[np.ndarray], bool]) -> Rows:
    """Return the foreground pixels of `PENCIL_MASK` whose 3x3 cells obey a rule."""
    padded = np.pad(PENCIL_MASK, 1)
    places = np.argwhere(PENCIL_MASK).tolist()
    return [(float(r), float(c)) for r, c in places if rule(padded[r : r + 3, c : c + 3])]


@exercise("04.1")
def _simple_by_hand(answer: Any) -> str:
    """Check the simple foreground pixels of `PENCIL_MASK`, a list of (row, column)."""
    rows = rows_of(answer, 2, "a list of tuples (row, column)")
    if len(set(rows)) < len(rows):
        raise NotYetError("One of your pixels is listed twice.")
    simple = simple_points(PENCIL_MASK)
    right = places_of(simple & PENCIL_MASK)
    misread = partial(refuse, rows)
    misread(
        places_of(simple_points(PENCIL_MASK, connectivity=1) & PENCIL_MASK),
        "These are simple with 4 neighbours for the foreground. Here foreground pixels that touch "
        "by a corner are connected, too, and background pixels are not.",
    )
    misread(
        _pixels(lambda cells: _count(cells, 2) == 1 == _count(~cells, 2)),
        "You let the background step over corners, too. A corner is open to one of the two only: "
        "8 neighbours for the foreground, 4 for the background. So a background component that "
        "the pixel meets at a corner only does not touch it.",
    )
    misread(
        places_of(simple & np.pad(np.ones((3, 4), bool), 1) & PENCIL_MASK),
        "You left the border out. Beyond it lies background, so a pixel on the border has eight "
        "neighbours as well.",
    )
    misread(
        places_of(simple),
        "You listed the background pixels that are simple, too: here only those of the foreground "
        "are asked for.",
    )
    misread(
        [place for place in places_of(PENCIL_MASK) if place not in right],
        "The other way round: these are the pixels that are not simple.",
    )
    if rows != right:
        good = len(set(rows) & set(right))
        raise NotYetError(
            f"{good} of your {len(rows)} pixels are simple; there are {len(right)} in all. Look "
            "at the eight cells around a pixel and count: foreground components (sides and "
            "corners), and background components (sides only) with a cell at one of its sides."
        )
    return "Corners of the ring and ends may go; a pixel that carries the ring or a link may not."


@exercise("04.2")
def _two_at_once(answer: Any) -> str:
    """Check (mask, pixel, pixel): both simple alone, but not flipped together."""
    form = "three things: a mask (a list of rows of 0 and 1), and two pixels (row, column)"
    try:
        given, *pixels = answer
        mask = check_mask(given, ndim=2)
        first, second = map(pixel_of, pixels)
    except UNREADABLE as error:
        raise NotYetError(f"Give {form}: {error}.") from None
    for r, c in (first, second):
        if not (0 <= r < mask.shape[0] and 0 <= c < mask.shape[1]):
            raise NotYetError(f"Pixel ({r}, {c}) lies outside your mask of shape {mask.shape}.")
    if first == second:
        raise NotYetError("You named the same pixel twice.")
    simple = simple_points(mask)
    for place in (first, second):
        if not simple[place]:
            raise NotYetError(
                f"Pixel {place} is not simple, so flipping it alone changes the topology already."
            )
    before, after = betti_numbers(mask), mask.copy()
    for place in (first, second):
        after[place] ^= True
    if betti_numbers(after) == before:
        apart = max(abs(first[0] - second[0]), abs(first[1] - second[1])) > 1
        hint = (
            "The two do not touch, so each still has the neighbourhood in which it was simple."
            if apart
            else "Think of a line of two pixels' width, and of what holds it together."
        )
        raise NotYetError(f"Flipping both keeps the Betti numbers {before}. {hint}")
    return (
        f"Flipping both turns the Betti numbers {before} into {betti_numbers(after)}. That is why "
        "a warp flips one pixel, looks again, and only then flips the next."
    )


@exercise("04.3")
def _thinning(answer: Any) -> str:
    """Check a rule (3x3 cells, connectivity) -> bool that thins but keeps the ends of lines."""
    patches = []
    for ring in product((False, True), repeat=8):
        patches.append(np.array([*ring[:4], True, *ring[4:]]).reshape(3, 3))

    def choices(rule: Callable[[np.ndarray], Any]) -> list[bool]:
        return [bool(rule(patch)) for patch in patches]

    def ask(patch: np.ndarray) -> bool:
        return decide(answer, patch.copy(), 2)

    def simple(patch: np.ndarray) -> bool:
        return _count(patch, 2) == 1 == _count(~patch, 1)

    def end(patch: np.ndarray) -> bool:
        return patch.sum() == 2  # the middle and one neighbour

    answers, right = choices(ask), choices(lambda patch: simple(patch) and not end(patch))
    sides = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    misread = partial(refuse, answers)
    misread(
        choices(simple),
        "That is the plain rule: an end is simple, too, and goes, until one pixel is left of each "
        "line. Note that `patch.sum()` counts the pixel in the middle as well.",
    )
    misread(
        choices(lambda patch: not end(patch)),
        "You keep the ends, but let pixels go that are not simple: lines would be torn.",
    )
    misread(
        choices(lambda patch: simple(patch) and patch[sides].sum() != 1),
        "A line can also end at a corner: count all eight neighbours, not only those at the sides.",
    )
    misread([not choice for choice in right], "The other way round: True where the pixel may go.")
    misread(
        choices(lambda patch: simple(patch) and end(patch)),
        "This lets nothing but ends go; the sides of a thick line must go, and its ends stay.",
    )
    if answers != right:
        wrong = len(right) - count_right(answers, right)
        raise NotYetError(
            f"{wrong} of the 256 neighbourhoods get another answer. A pixel may go if it is simple "
            "and has more than one foreground pixel among its eight neighbours."
        )
    return "Warped towards nothing, a mask now shrinks to its skeleton, with the same topology."
