"""The checkers of chapter 11."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from ..studies.statistics import kendall_tau, rank_correlation
from .checking import NotYetError, call, exercise, first_difference, number_of, refuse
from .running import Shortcuts, always

__all__: list[str] = []


@exercise("11.1")
def _tau_by_hand(answer: Any) -> str:
    """Check Kendall's tau of the orders PQRST and QPSTR: .4."""
    value = number_of(answer, "Give one number, for instance 0.8 or 8 / 10.")
    misread = partial(refuse, value, within=0.005)
    misread(
        0.7,
        "That is the part of the pairs that agree. Tau takes those away that contradict, so that "
        "no agreement at all is -1 and not 0.",
    )
    misread(0.3, "That is the part of the pairs that contradict each other.")
    misread(-0.4, "Turned round: tau counts agreements as positive.")
    misread(4, "Seven minus three is right; now divide by the number of pairs.")
    misread(0.2, "There are ten pairs, not twenty: PQ and QP are one pair.")
    misread(
        0.6,
        "This is Spearman's correlation, which squares how far each loss has moved, or one pair "
        "was missed: R has lost its place to S and to T.",
    )
    misread(0.0, "That none has kept its place does not matter: tau asks about pairs.")
    if not abs(value) <= 1:
        raise NotYetError(f"Tau lies between -1 and 1, and {value:g} does not.")
    if abs(value - 0.4) > 0.005:
        raise NotYetError(
            f"{value:.3g} is {value * 10:.3g} of ten. Which pairs are turned round: PQ, and which "
            f"two others?"
        )
    return "Seven pairs agree and three do not. Chance does as well in 58 of 120 orders."


@exercise("11.2")
def _order_predicted(answer: Any) -> str:
    """Check the two orders: ("ADCB", "BCAD")."""
    form = 'Give two strings of the four letters, for instance ("ABCD", "DCBA").'
    if isinstance(answer, str) or not isinstance(answer, list | tuple) or len(answer) != 2:
        raise NotYetError(form)
    given = ["".join(char for char in str(one).upper() if char.isalpha()) for one in answer]
    if any(sorted(one) != list("ABCD") for one in given):
        raise NotYetError(form)
    home, away = given
    right = ("ADCB", "BCAD")
    if (away, home) == right:
        raise NotYetError("Both are right, but exchanged: home comes first.")
    if (home[::-1], away[::-1]) == right:
        raise NotYetError("Both begin with the worst loss. Put the best one first.")
    if home != right[0]:
        raise NotYetError(
            "The order at home is another one. A removes 20 of 60 errors; what do B, C and D "
            "remove, all three kinds added up?"
        )
    if away == home:
        raise NotYetError(
            "Away is not home: there, breaks are rare and specks are many. Multiply the same parts "
            "by the other numbers."
        )
    if away in ("BCDA", "BDCA"):
        raise NotYetError(
            "Away you give D too much: it makes a fifth more specks, and there are 60 of them."
        )
    if away != right[1]:
        raise NotYetError("The order away is another one. A removes 5 errors there; B removes 30.")
    return (
        "No loss has changed at all, and tau between the two orders is -.67. D, second at home, "
        "is worse than the control away."
    )


Orders = tuple[list[float], list[float], float, float]


def _cases() -> list[Orders]:
    """Return scores at two places and the margins."""
    generator = np.random.default_rng(11)
    cases: list[Orders] = [([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], 5.0, 5.0)]  # no pair is clear
    cases.append(([5.0, 3.0, 1.0, 0.0], [9.0, 7.0, 8.0, 1.0], 1.0, 1.0))
    for count in (4, 6, 9):
        home, away = generator.integers(0, 12, (2, count)).astype(float).tolist()
        cases.append((home, away, 2.0, 3.0))
    return cases


def _rule(clear: Callable[[float, float, float, float], bool], by_all: bool = False) -> Any:
    """Return tau over the pairs that are clear by a rule of two differences and two margins."""

    def tau(home: list[float], away: list[float], here: float, there: float) -> float:
        pairs = [(home[a] - home[b], away[a] - away[b])
                 for a, b in combinations(range(len(home)), 2)]  # fmt: skip
        kept = [one * two for one, two in pairs if clear(abs(one), abs(two), here, there)]
        return float(np.sign(kept).sum() / (len(pairs) if by_all else len(kept) or 1))

    return tau


def _agreements(home: list[float], away: list[float], here: float, there: float) -> float:
    """Return which part of the clear pairs agrees: half of one plus tau, where any pair counts."""
    signs = [
        (home[a] - home[b]) * (away[a] - away[b])
        for a, b in combinations(range(len(home)), 2)
        if abs(home[a] - home[b]) > here and abs(away[a] - away[b]) > there
    ]
    return sum(sign > 0 for sign in signs) / (len(signs) or 1)


@exercise("11.3")
def _clear_pairs(answer: Any) -> str:
    """Check a function (home, away, home_margin, away_margin) -> tau of the clear pairs."""
    cases = _cases()
    shortcuts = Shortcuts(
        {"kendall_tau": (kendall_tau, always), "rank_correlation": (rank_correlation, always)}
    )
    form = "Return one number from -1 to 1."
    answers = [
        round(number_of(call(answer, *(list(x) if isinstance(x, list) else x for x in case),
                             shortcuts=shortcuts), form), 6)
        for case in cases
    ]  # fmt: skip

    def each(rule: Any) -> list[float]:
        return [round(rule(*case), 6) for case in cases]

    misread = partial(refuse, answers)
    misread(
        each(_rule(lambda one, two, here, there: True)),
        "This is tau over all pairs; the margins leave out those that are not clear.",
    )
    misread(
        each(_rule(lambda one, two, here, there: one > here)),
        "You looked at the margin at home alone: a pair has to be clear away, too.",
    )
    misread(
        each(_rule(lambda one, two, here, there: two > there)),
        "You looked at the margin away alone: a pair has to be clear at home, too.",
    )
    misread(
        each(_rule(lambda one, two, here, there: one > here or two > there)),
        "A pair counts if it is clear at both places; you let one of them do.",
    )
    misread(
        each(_rule(lambda one, two, here, there: one >= here and two >= there)),
        "A difference that is just the margin is not above it.",
    )
    misread(
        each(_rule(lambda one, two, here, there: one > there and two > here)),
        "The two margins are exchanged.",
    )
    misread(
        each(_rule(lambda one, two, here, there: one > here and two > there, by_all=True)),
        "Divide by the number of the pairs that count, not of all pairs.",
    )
    right = each(_rule(lambda one, two, here, there: one > here and two > there))
    misread(
        each(_agreements),
        "That is the part of the clear pairs that agree. Take those away that contradict.",
    )
    misread([-tau for tau in right], "Turned round: agreements are positive.")
    if answers != right:
        k = first_difference(answers, right)
        home, away, here, there = cases[k]
        raise NotYetError(
            f"For home {home}, away {away} and the margins {here:g} and {there:g} you return "
            f"{answers[k]:g}; it should be {right[k]:g}."
        )
    return shortcuts.remark("What is a tie in all but name no longer decides anything.")
