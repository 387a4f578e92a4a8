"""The checkers of chapter 10."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..studies.statistics import holm
from .checking import NotYetError, call, exercise, first_difference, number_of, refuse

__all__ = ["PENCIL_DIFFERENCES"]

PENCIL_DIFFERENCES = (-5, -4, 2, -3, -1)
"""The differences of exercise 10.1: one image among five is worse. Each misconception gives another
p-value."""


@exercise("10.1")
def _flips_by_hand(answer: Any) -> str:
    """Check the two-sided p-value of the sign flips of `PENCIL_DIFFERENCES`."""
    value = round(number_of(answer, "Give one number, for instance 0.25 or 3 / 8."), 6)
    misread = partial(refuse, value)
    misread(
        0.0625,
        "You counted only the flips that are exactly as extreme as what was observed. Those that "
        "are more extreme count, too: what if the third image had been better as well?",
    )
    misread(
        0.09375,
        "You counted one side. A loss that makes everything worse would be as surprising: count "
        "the flips with a sum of +11 or above, too.",
    )
    misread(
        0.375,
        "This is the sign test: it counts how many images are better, and forgets by how much.",
    )
    misread(0.0, "A p-value is never 0: the observed signs are one of the flips.")
    if value != 0.1875:
        raise NotYetError(
            f"{value:g} is {value * 32:g} of 32 flips. The observed sum is -11; with all signs "
            "negative it would be -15. Which flips have a sum of -11 or below, or +11 or above?"
        )
    return "Six of 32: none of the smallest two flipped, or one of them, on either side."


@exercise("10.2")
def _holm_by_hand(answer: Any) -> str:
    """Check a function from a list of p-values to the list of Holm's corrected ones."""
    generator = np.random.default_rng(2)
    cases = [[0.01, 0.04, 0.03], [0.04, 0.01, 0.03], [0.3], [0.7, 0.6], [0.02, 0.02, 0.9]]
    cases += [np.round(generator.random(5) ** 3, 3).tolist() for _ in range(3)]
    answers = []
    for case in cases:
        try:
            values = np.round(np.asarray(call(answer, list(case)), float), 6).tolist()
        except (TypeError, ValueError):
            raise NotYetError("Return a list of numbers.") from None
        if np.shape(values) != np.shape(case):
            raise NotYetError(
                f"Return as many numbers as there are: for {case} {len(case)}, not "
                f"{np.size(values)}."
            )
        answers.append(values)

    def each(rule: Any) -> list[list[float]]:
        return [np.round(rule(np.array(case)), 6).tolist() for case in cases]

    def factors(p: np.ndarray) -> np.ndarray:
        return np.sort(p) * np.arange(len(p), 0, -1)

    def place(p: np.ndarray, ordered: np.ndarray) -> np.ndarray:
        placed = np.empty(len(p))
        placed[np.argsort(p, kind="stable")] = ordered
        return placed

    misread = partial(refuse, answers)
    misread(
        each(lambda p: np.minimum(p * len(p), 1)),
        "This is Bonferroni's correction: every p-value times their number. Holm's multiplies only "
        "the smallest by m, the next by m - 1, and so on, and so loses less.",
    )
    misread(
        each(lambda p: place(p, np.minimum(factors(p), 1))),
        "A larger p-value must not become smaller than one before it: .01, .03 and .04 times 3, 2 "
        "and 1 give .03, .06 and .04. The last becomes .06, too.",
    )
    misread(
        each(lambda p: np.minimum(np.maximum.accumulate(factors(p)), 1)),
        "The values are right but sorted: return them in the order in which they came.",
    )
    misread(
        each(lambda p: place(p, np.maximum.accumulate(factors(p)))),
        "Nearly: a p-value is a probability, so nothing above 1.",
    )
    right = each(holm)
    if answers != right:
        k = first_difference(answers, right)
        raise NotYetError(f"For {cases[k]} you return {answers[k]}; Holm's are {right[k]}.")
    return "The more networks are compared, the stronger the evidence that each one needs."


@exercise("10.3")
def _draw_persons(answer: Any) -> str:
    """Check a function (groups, generator) -> places that draws whole groups with replacement."""
    groups = ["ann", "bob", "ann", "bob", "cem", "dia", "eve", "cem", "eve", "eve"]
    kinds = sorted(set(groups))
    seen: set[tuple[int, ...]] = set()
    orders: list[int] = []
    for seed in range(40):
        places = np.asarray(call(answer, list(groups), np.random.default_rng(seed)))
        if places.ndim != 1 or places.dtype.kind not in "iu":
            raise NotYetError("Return the places of the drawn images: a list of integers.")
        if places.size and not 0 <= places.min() <= places.max() < len(groups):
            raise NotYetError(f"The {len(groups)} images have the places 0 to {len(groups) - 1}.")
        often = np.bincount(places, minlength=len(groups))
        whole = {kind: {int(often[k]) for k, g in enumerate(groups) if g == kind} for kind in kinds}
        if any(len(counts) > 1 for counts in whole.values()):
            raise NotYetError(
                "You drew images: of one person some are in and others are not. Draw persons, and "
                "take all images of each, as often as the person was drawn."
            )
        drawn = tuple(counts.pop() for counts in whole.values())
        orders.append(sum(drawn))
        seen.add(drawn)
    if all(max(drawn) <= 1 for drawn in seen):
        raise NotYetError(
            "Nobody is ever drawn twice. The bootstrap draws with replacement; without it the "
            "drawn sample is always the same."
        )
    if set(orders) != {len(kinds)}:
        raise NotYetError(
            f"There are {len(kinds)} persons, so draw {len(kinds)}; you drew {min(orders)} to "
            f"{max(orders)}."
        )
    if len(seen) < 20:
        raise NotYetError(
            "With 40 generators of different seeds you drew nearly always the same: use the "
            "generator that is passed."
        )
    return "What belongs together is drawn together, or the interval is too narrow."
