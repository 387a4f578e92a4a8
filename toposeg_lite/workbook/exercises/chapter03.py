"""The checkers of chapter 03."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .checking import (
    NotYetError,
    Rows,
    alike,
    call,
    count_right,
    decide,
    exercise,
    numbers_of,
    refuse,
    rows_of,
)

__all__ = ["PENCIL_STRIP", "PENCIL_STRIP_TRUTH"]

PENCIL_STRIP = np.array([[0.9, 0.3, 0.8, 0.1]])
"""The likelihood of exercise 03.1: one object with a gap."""

_THREE_DIGITS = 0.001  # who writes a third as .333, or as .3333, is right

PENCIL_STRIP_TRUTH = np.array([[True, True, True, False]])
"""The truth of exercise 03.1: one component, no hole."""


@exercise("03.1")
def _gradient_by_hand(answer: Any) -> str:
    """Check the gradient of the loss by each pixel of `PENCIL_STRIP`, a list of four numbers."""
    slopes = numbers_of(answer, 4, "a list of four numbers, one for each pixel").tolist()
    right = np.array([-0.1, -0.25, 0.25, 0.0])

    def misread(wrong: Any, hint: str) -> None:
        refuse(slopes, np.asarray(wrong).tolist(), hint, _THREE_DIGITS)

    misread(-right, "That is the step, which goes against the gradient: the signs are exchanged.")
    misread(2 * right, "Nearly: the sum is divided by the number of true features plus one.")
    misread(
        right * (PENCIL_STRIP * (1 - PENCIL_STRIP))[0],
        "That is the gradient by logit. Leave the factor p (1 - p) away: here we ask for the "
        "gradient by likelihood.",
    )
    misread(
        [0.0, -0.25, 0.25, 0.0],
        "The essential class is missing. Its birth, the highest pixel, is pulled to 1.",
    )
    misread(
        [-0.1, 0.3, -0.2, 0.0],
        "You matched both components, but the truth has one, and the essential class takes it. "
        "The other one goes to the diagonal.",
    )
    if not alike(slopes, right.tolist(), _THREE_DIGITS):
        raise NotYetError(
            f"{count_right(slopes, right, _THREE_DIGITS)} of your 4 numbers are right. "
            "The pairs are (.9, 0) and (.8, .3). The first is matched to (1, 0); the second "
            "costs half its squared persistence."
        )
    return "The gap rises as fast as the piece behind it sinks: they meet half way."


@exercise("03.2")
def _worth_matching(answer: Any) -> str:
    """Check a function (birth, death) -> bool: whether a match to (1, 0) costs less than none."""
    ends = [(b / 20, d / 20) for b in range(1, 21) for d in range(b)]

    def choices(rule: Callable[[float, float], Any]) -> list[bool]:
        return [bool(rule(b, d)) for b, d in ends if abs(gain(b, d)) > 1e-9]

    def gain(b: float, d: float) -> float:
        return (b - d) ** 2 / 2 + 0.5 - (1 - b) ** 2 - d**2

    def ask(b: float, d: float) -> bool:
        return decide(answer, b, d, when=f"for ({b}, {d})")

    answers, right = choices(ask), choices(lambda b, d: gain(b, d) > 0)
    misread = partial(refuse, answers)
    misread(
        [not choice for choice in right],
        "The other way round: True where the match is the cheaper choice.",
    )
    misread(
        [True] * len(right),
        'That is "rank": it takes the most persistent hole, however faint it is.',
    )
    misread(
        choices(lambda b, d: gain(b, d) > 0.5),
        "If the hole stays with the diagonal, the true hole stays alone, too, and from (1, 0) to "
        "the diagonal it costs 1/2.",
    )
    misread(
        choices(lambda b, d: np.hypot(1 - b, d) < (b - d + 1) / np.sqrt(2)),
        "Compare the sums of squared distances: you took the distances.",
    )
    if answers != right:
        raise NotYetError(
            f"{len(right) - count_right(answers, right)} of {len(right)} choices differ. "
            "A match costs the squared distance from (birth, death) to (1, 0). Without it "
            "both points go to the diagonal, (b - d)**2 / 2 from a point."
        )
    return (
        "A hole that is nearly filled is cheaper to fill than to open: that is why (.9, .8) goes."
    )


@exercise("03.3")
def _mend_only(answer: Any) -> str:
    """Check a function (birth, death, matched) -> targets that joins pieces and removes none."""
    form = "two numbers: the targets of birth and death"
    ends = [(0.9, 0.0), (0.8, 0.3), (0.35, 0.1), (0.6, 0.55)]
    cases = [(b, d, matched) for matched in (True, False) for b, d in ends]
    answers = [rows_of([call(answer, *case)], 2, form)[0] for case in cases]

    def goals(unmatched: Callable[[float, float], tuple], *, matched: Any = (1.0, 0.0)) -> Rows:
        rows = [matched if m else unmatched(b, d) for b, d, m in cases]
        return [tuple(map(float, np.round(row, 6))) for row in rows]

    right = goals(lambda b, d: (b, b))
    misread = partial(refuse, answers)
    misread(
        goals(lambda b, d: ((b + d) / 2, (b + d) / 2)),
        "That is the paper's target, the nearest point of the diagonal: it lowers the birth as "
        "much as it raises the death, so a faint piece is removed.",
    )
    misread(
        goals(lambda b, d: (d, d)),
        "This only removes: it lowers every unmatched peak and never raises a gap.",
    )
    misread(
        goals(lambda b, d: (1.0, 1.0)),
        "This raises the gap, but the peak as well. Leave the birth where it is.",
    )
    misread(
        goals(lambda b, d: (b, b), matched=(0.0, 1.0)),
        "Birth and death of the matched ones are exchanged: their target is (1, 0).",
    )
    if answers[:4] != right[:4]:
        raise NotYetError("Matched features keep their target (1, 0): change only the others.")
    if answers != right:
        raise NotYetError(
            "An unmatched piece is joined by raising its death, the gap, to the level of its "
            "birth; the birth itself must feel no pull, so its target is where it is."
        )
    return "Pieces are joined and none is removed; false positives are now joined, too."
