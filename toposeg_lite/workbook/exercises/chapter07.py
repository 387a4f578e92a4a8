"""The checkers of chapters 07 and 07b."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from .checking import NotYetError, call, exercise, number_of, numbers_of

__all__ = ["PENCIL_BRANCHES"]

PENCIL_BRANCHES = np.array([0.9, 0.5, 0.4, 0.2])
"""The persistences of exercise 07.1; the threshold is .4, the softness .1."""


@exercise("07.1")
def _keep_by_hand(answer: Any) -> str:
    """Check the probabilities, to two digits, with which `PENCIL_BRANCHES` are kept."""
    numbers = numbers_of(answer, 4, "a list of 4 numbers")
    away = PENCIL_BRANCHES - 0.4

    def close(wrong: np.ndarray) -> bool:
        return bool((np.abs(numbers - wrong) < 0.011).all())

    if close(expit(away / 0.1)):
        return "At the threshold a coin is tossed; one softness above it odds are e to 1."
    if close(expit(-away / 0.1)):
        raise NotYetError(
            "These are the probabilities of being dropped: strong branches are the ones to keep. "
            "The threshold is subtracted from the persistence, not the other way round."
        )
    if close(expit(away)):
        raise NotYetError("You forgot to divide by the softness before the sigmoid.")
    if close(expit(away * 0.1)):
        raise NotYetError("You multiplied by the softness; the smaller it is, the sharper: divide.")
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
def _bound_by_hand(answer: Any) -> str:
    """Check p(y), the lower bound and the posterior of two thresholds with one real branch."""
    numbers = numbers_of(answer, 3, "a list of 3 numbers")
    low, high = 0.9, 0.3
    evidence = (low + high) / 2
    bound, posterior = (np.log(low) + np.log(high)) / 2, low / 2 / evidence
    hints = [
        [
            (np.log(evidence), "The first number is the logarithm of p(y); p(y) itself is asked."),
            (
                low * high,
                (
                    "You multiplied: that would be two branches. Either threshold may have "
                    "led to this one, so add, each with its prior."
                ),
            ),
            (low + high, "The first number is above 1: each threshold counts with its prior."),
        ],
        [
            (
                np.log(evidence),
                (
                    "The second number is log p(y), the logarithm of the mean. The "
                    "bound is the mean of the logarithms, and lies below it."
                ),
            ),
            (2 * bound, "The second number is a sum: take the mean over the posterior."),
            (
                -bound,
                ("The second number has the wrong sign: logarithms of probabilities are below 0."),
            ),
            (
                bound / np.log(10),
                ("The second number is made of common logarithms; take natural ones."),
            ),
            (
                bound - np.log(2),
                ("You took a KL away, but this posterior is the prior: the divergence is 0."),
            ),
        ],
        [
            (
                0.5,
                (
                    "The third number is the prior; seeing that the branch is real speaks for the "
                    "low threshold."
                ),
            ),
            (1 - posterior, "The third number is that of the high threshold."),
            (
                low,
                (
                    "The third number is how likely the low threshold keeps the branch; Bayes' "
                    "rule asks for the reverse."
                ),
            ),
            (low / 2, "The third number is prior times probability; divide it by p(y)."),
        ],
    ]
    wanted = (evidence, bound, posterior)
    for number, right, wrong in zip(numbers, wanted, hints, strict=True):
        if abs(number - right) < 0.0055:
            continue
        for value, hint in wrong:
            if abs(number - value) < 0.0055:
                raise NotYetError(hint)
    right = int((np.abs(numbers - wanted) < 0.0055).sum())
    if right < 3:
        raise NotYetError(f"{right} of the 3 numbers are right, to two digits.")
    return "ln .6 = -.511 lies .144 above the bound: the KL of your posterior from the true one."


@exercise("07.3")
def _keep_with_a_level(answer: Any) -> str:
    """Check a function (persistence, saddle, threshold, level, softness) -> probability."""
    rng = np.random.default_rng(7)
    cases = [(0.7, 0.1, 0.3, 0.4, 0.1), (0.2, 0.8, 0.3, 0.4, 0.1), (0.6, 0.9, 0.3, 0.4, 0.1)]
    cases += [tuple(rng.uniform(0.05, 0.95, 5).round(2).tolist()) for _ in range(12)]
    numbers = np.array(
        [number_of(call(answer, *case), "Return one probability.") for case in cases]
    )
    p, s, t, v, softness = np.transpose(cases)
    above, held = expit((p - t) / softness), expit((s - v) / softness)
    wrong = [
        (above, "This is the old rule: the pass is not used, so the false bridge stays."),
        (held, "This asks the pass alone: now every wrinkle on a strong vessel stays."),
        (
            above * expit((v - s) / softness),
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
            expit((p - t) / softness + (s - v) / softness),
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
            f"level {cases[k][3]} and softness {cases[k][4]} it returns {numbers[k]:.3f}. "
            "Two independent events with these probabilities: how likely are both?"
        )
    return "Two numbers instead of one: a bridge over a deep valley can go, its far side can stay."


@exercise("07.4")
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


@exercise("07.5")
def _chance_from_samples(answer: Any) -> str:
    """Check a function (log_odds, weight, temperature) -> mean of the sigmoid."""
    rng = np.random.default_rng(5)
    cases = [(np.array([3.0, 1.0]), np.array([1.0, 1.0]), 1.0)]
    cases += [(rng.normal(1, 2, 6), rng.random(6), float(rng.uniform(0.5, 3))) for _ in range(8)]
    given = [(z.copy(), w.copy(), t) for z, w, t in cases]
    numbers = np.array(
        [number_of(call(answer, *case), "Return one probability.") for case in given]
    )

    def by(rule: Any) -> np.ndarray:
        return np.array([rule(z, w, t) for z, w, t in cases])

    wrong = [
        (
            by(lambda z, w, t: expit((w * z).sum() / w.sum() / t)),
            "This is the sigmoid of the mean. The sigmoid is bent, so the mean comes after it.",
        ),
        (
            by(lambda z, w, t: (w * expit(z / t)).sum()),
            "The weights need not sum to 1: divide by their sum.",
        ),
        (by(lambda z, w, t: expit(z / t).mean()), "All samples count alike here: weigh them."),
        (
            by(lambda z, w, t: (w * expit(z)).sum() / w.sum()),
            "The temperature is not used: divide the log-odds by it, before the sigmoid.",
        ),
        (
            by(lambda z, w, t: (w * expit(z)).sum() / w.sum() / t),
            "You divided the probability by the temperature; it belongs to the log-odds.",
        ),
        (
            by(lambda z, w, t: (w * expit(z * t)).sum() / w.sum()),
            "You multiplied by the temperature: a high one makes less sure, so divide.",
        ),
        (
            by(lambda z, w, t: (w * (z > 0)).sum() / w.sum()),
            (
                "This counts how often the log-odds are above 0. A sample of 0.1 says a little "
                "more than one half, not 1."
            ),
        ),
    ]
    for rule, hint in wrong:
        if np.allclose(numbers, rule, atol=1e-6):
            raise NotYetError(hint)
    right = by(lambda z, w, t: (w * expit(z / t)).sum() / w.sum())
    if not np.allclose(numbers, right, atol=1e-6):
        k = int(np.argmax(np.abs(numbers - right)))
        z, w, t = cases[k]
        raise NotYetError(
            f"For the log-odds {z.round(2).tolist()}, the weights {w.round(2).tolist()} and the "
            f"temperature {t:.2f} it returns {numbers[k]:.3f}. Divide, sigmoid, weighted mean."
        )
    return "So any distribution of log-odds will do: one bell, two bells, the votes of an ensemble."
