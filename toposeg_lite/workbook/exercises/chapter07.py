"""The checkers of chapter 07."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from .checking import NotYetError, call, exercise, number_of, numbers_of

__all__ = ["PENCIL_BRANCHES"]

PENCIL_BRANCHES = np.array([0.9, 0.5, 0.4, 0.2])
"""The persistences of exercise 07.1; the threshold is .4, the temperature .1."""


@exercise("07.1")
def _keep_by_hand(answer: Any) -> str:
    """Check the probabilities, to two digits, with which `PENCIL_BRANCHES` are kept."""
    numbers = numbers_of(answer, 4, "a list of 4 numbers")
    away = PENCIL_BRANCHES - 0.4

    def close(wrong: np.ndarray) -> bool:
        return bool((np.abs(numbers - wrong) < 0.011).all())

    if close(expit(away / 0.1)):
        return "At the threshold a coin is tossed; one temperature above it odds are e to 1."
    if close(expit(-away / 0.1)):
        raise NotYetError(
            "These are the probabilities of being dropped: strong branches are the ones to keep. "
            "The threshold is subtracted from the persistence, not the other way round."
        )
    if close(expit(away)):
        raise NotYetError("You forgot to divide by the temperature before the sigmoid.")
    if close(expit(away * 0.1)):
        raise NotYetError("You multiplied by the temperature; the colder, the sharper: divide.")
    if close(away > 0) or close(away >= 0):
        raise NotYetError(
            "That is a hard threshold, which has no gradient. The sigmoid softens it: near the "
            "threshold the answer is neither 0 nor 1."
        )
    if close(expit(PENCIL_BRANCHES / 0.1)):
        raise NotYetError("You forgot to subtract the threshold.")
    right = int((np.abs(numbers - expit(away / 0.1)) < 0.011).sum())
    raise NotYetError(
        f"{right} of the 4 numbers are right. 1 / (1 + exp(-(persistence - .4) / .1)), to two "
        "digits."
    )


@exercise("07.2")
def _temperature_by_hand(answer: Any) -> str:
    """Check the temperature that makes nine in ten into three in four: 2."""
    number = number_of(answer, "Give one number, the temperature.")
    if abs(number - 2) < 0.011:
        return "log 9 / log 3 = 2: half the log-odds are what was earned."
    if abs(number - 0.5) < 0.011:
        raise NotYetError(
            "Upside down: log-odds are divided by the temperature, and what is too bold needs one "
            "above 1."
        )
    if abs(number - 1.2) < 0.011 or abs(number - 0.75 / 0.9) < 0.011:
        raise NotYetError(
            "You divided probabilities. It is the log-odds that are divided: log(.9 / .1) and "
            "log(.75 / .25)."
        )
    if abs(number - 3) < 0.011 or abs(number - 1 / 3) < 0.011:
        raise NotYetError("You divided the odds, 9 and 3. Take their logarithms first.")
    if abs(number - np.log(9)) < 0.011 or abs(number - np.log(3)) < 0.011:
        raise NotYetError(
            "That is one of the two log-odds. By what must those of 9 to 1 be divided to become "
            "those of 3 to 1?"
        )
    raise NotYetError("Which number divides log(.9 / .1) so that log(.75 / .25) is left?")


@exercise("07.3")
def _keep_with_a_level(answer: Any) -> str:
    """Check a function (persistence, saddle, threshold, level, temperature) -> probability."""
    rng = np.random.default_rng(7)
    cases = [(0.7, 0.1, 0.3, 0.4, 0.1), (0.2, 0.8, 0.3, 0.4, 0.1), (0.6, 0.9, 0.3, 0.4, 0.1)]
    cases += [tuple(rng.uniform(0.05, 0.95, 5).round(2).tolist()) for _ in range(12)]
    numbers = np.array(
        [number_of(call(answer, *case), "Return one probability.") for case in cases]
    )
    p, s, t, v, temperature = np.transpose(cases)
    above, held = expit((p - t) / temperature), expit((s - v) / temperature)
    wrong = [
        (above, "This is the old rule: the pass is not used, so the false bridge stays."),
        (held, "This asks the pass alone: now every wrinkle on a strong vessel stays."),
        (
            above * expit((v - s) / temperature),
            "The sign of the second factor is wrong: a pass above the level speaks for a branch.",
        ),
        (
            (above + held) / 2,
            "A mean lets a high persistence make up for a deep valley. Both must hold.",
        ),
        (
            1 - (1 - above) * (1 - held),
            "This keeps a branch that passes one of the two. Both must hold.",
        ),
        (
            expit((p - t) / temperature + (s - v) / temperature),
            "You added the log-odds: a high persistence still makes up for a deep valley.",
        ),
        (
            above * (s >= v),
            "Nearly: the level cuts hard, so it has no gradient and could not be learned.",
        ),
        (
            np.minimum(above, held),
            (
                "The smaller of the two is a good rule, but not for independent events: that both "
                "happen is rarer than either."
            ),
        ),
    ]
    for rule, hint in wrong:
        if np.allclose(numbers, rule, atol=1e-6):
            raise NotYetError(hint)
    if not np.allclose(numbers, above * held, atol=1e-6):
        k = int(np.argmax(np.abs(numbers - above * held)))
        raise NotYetError(
            f"For persistence {cases[k][0]}, saddle {cases[k][1]}, threshold {cases[k][2]}, "
            f"level {cases[k][3]} and temperature {cases[k][4]} it returns {numbers[k]:.3f}. "
            "Two independent events with these probabilities: how likely are both?"
        )
    return "Two numbers instead of one: a bridge over a deep valley can go, its far side can stay."
