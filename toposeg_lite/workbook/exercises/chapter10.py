"""The checkers of chapter 10."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..studies.statistics import holm
from .checking import (
    NotYetError,
    alike,
    array_of,
    call,
    exercise,
    first_difference,
    number_of,
    refuse,
)
from .running import Shortcuts, always

__all__ = ["PENCIL_DIFFERENCES"]

PENCIL_DIFFERENCES = (-5, -4, 2, -3, -1)
"""The differences of exercise 10.1: one image among five is worse. Each misconception gives another
p-value."""


_TWO_DIGITS = 0.006


@exercise("10.1")
def _flips_by_hand(answer: Any) -> str:
    """Check the two-sided p-value of the sign flips of `PENCIL_DIFFERENCES`."""
    value = number_of(answer, "Give one number, for instance 0.25 or 3 / 8.")
    if not 0 <= value <= 1:
        right = " Six flips is the right number; of how many?" if value == 6 else ""
        raise NotYetError(
            f"A p-value lies between 0 and 1, and {value:g} does not: it is the share of the flips "
            f"that are as extreme as what was observed.{right}"
        )
    # Shares of 32 lie .031 apart, so two digits say which one is meant: .19 is 6 of 32.
    misread = partial(refuse, value, within=_TWO_DIGITS)
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
    if not alike(value, 0.1875, _TWO_DIGITS):
        raise NotYetError(
            f"{value:.3g} is {value * 32:.3g} of 32 flips. The observed sum is -11; with all signs "
            "negative it would be -15. Which flips have a sum of -11 or below, or +11 or above?"
        )
    return "Six of 32: none of the smallest two flipped, or one of them, on either side."


@exercise("10.2")
def _holm_by_hand(answer: Any) -> str:
    """Check a function from a list of p-values to the list of Holm's corrected ones."""
    generator = np.random.default_rng(2)
    cases = [[0.01, 0.04, 0.03], [0.04, 0.01, 0.03], [0.3], [0.7, 0.6], [0.02, 0.02, 0.9]]
    cases += [np.round(generator.random(5) ** 3, 3).tolist() for _ in range(3)]
    shortcuts, answers = Shortcuts({"holm": (holm, always)}), []
    for case in cases:
        result = call(answer, list(case), shortcuts=shortcuts)
        values = np.round(array_of(result, "Return a list of numbers.", float), 6).tolist()
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
    return shortcuts.remark(
        "The more networks are compared, the stronger the evidence that each one needs."
    )


_GROUPS = ("ann", "bob", "ann", "bob", "cem", "dia", "eve", "cem", "eve", "eve")
_TIMES = 400  # so often 10.3 is called: 2000 persons


def _sample(answer: Any, seed: int) -> dict[str, int]:
    """Let the learner's function choose places; return how often each person is among them."""
    result = call(answer, list(_GROUPS), np.random.default_rng(seed))
    form = "Return the places of the chosen images: a list of integers."
    places = array_of(result, form)
    if places.ndim != 1 or places.dtype.kind not in "iu":
        raise NotYetError(form)
    if places.size and not 0 <= places.min() <= places.max() < len(_GROUPS):
        raise NotYetError(f"The {len(_GROUPS)} images have the places 0 to {len(_GROUPS) - 1}.")
    often = np.bincount(places, minlength=len(_GROUPS))
    counts: dict[str, set[int]] = {}
    for group, count in zip(_GROUPS, often.tolist(), strict=True):
        counts.setdefault(group, set()).add(count)
    if any(len(each) > 1 for each in counts.values()):
        raise NotYetError(
            "You sampled images: of one person some are in and others are not. Sample persons, and "
            "take all images of each, as often as the person came."
        )
    return {group: each.pop() for group, each in counts.items()}


@exercise("10.3")
def _draw_persons(answer: Any) -> str:
    """Check a function (groups, generator) -> places that draws whole groups with replacement."""
    found = [_sample(answer, seed) for seed in range(_TIMES)]
    persons = len(found[0])
    if all(max(drawn.values()) <= 1 for drawn in found):
        raise NotYetError(
            "Nobody ever comes twice. The bootstrap samples with replacement; without, the sample "
            "is always the same."
        )
    sizes = [sum(drawn.values()) for drawn in found]
    if set(sizes) != {persons}:
        raise NotYetError(
            f"There are {persons} persons, so sample {persons}; you sampled {min(sizes)} to "
            f"{max(sizes)}."
        )
    if len({tuple(drawn.values()) for drawn in found[:40]}) < 20:
        raise NotYetError(
            "With 40 generators of different seeds the sample was nearly always the same: use the "
            "generator that is passed."
        )
    if any(_sample(answer, seed) != found[seed] for seed in range(8)):
        raise NotYetError(
            "Two generators of the same seed gave different persons, so nobody can repeat your "
            "numbers: sample with the generator that is passed, and with nothing else."
        )
    often = {person: sum(drawn[person] for drawn in found) for person in found[0]}
    fair = sum(sizes) / persons
    # By chance, a count differs from the fair one by about 18; 100 is more than five times that.
    if max(abs(count - fair) for count in often.values()) > 100:
        images = {person: _GROUPS.count(person) for person in often}
        shares = [sum(sizes) * images[person] / len(_GROUPS) for person in often]
        told = ", ".join(f"{person} {count}" for person, count in often.items())
        if np.allclose(list(often.values()), shares, atol=100):
            raise NotYetError(
                "You chose from the list of images, so who has three of them comes three times as "
                f"often as who has one ({told} times). All persons should come alike: "
                "choose from the different ones."
            )
        raise NotYetError(
            f"All persons should come alike, {fair:g} times in {_TIMES} samples; you sampled "
            f"{told} times."
        )
    return "What belongs together is drawn together, or the interval is too narrow."
