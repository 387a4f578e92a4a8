"""Checkers for the exercises of the workbook.

`check` says "not attempted", "correct", or "not yet" with a hint that names the misconception: the
wrong connectivity, sub- instead of superlevel sets, a forgotten essential class, the hole at the
border. It compares an answer with the right one and with what each misconception would give.

>>> check("02.4", None)
02.4 not attempted. Fill in the stub above and run the cell again.
>>> check("02.4", 3)
02.4 not yet. 3 is more than is needed. Start from a dot on the diagonal; let noise lift its birth
as far as it can, and lower its death as far as it can.
>>> check("02.4", 0.1)
02.4 correct. Noise alone makes no dot with a persistence above twice its amplitude.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .figures import alive
from .topology.grid import check_choice
from .topology.persistence import PersistencePairs, persistence_pairs

__all__ = ["PENCIL_IMAGE", "PENCIL_STRIP", "PENCIL_STRIP_TRUTH", "Verdict", "check"]

Status = Literal["not attempted", "not yet", "correct"]

PENCIL_IMAGE = (
    np.array(
        [
            [0, 0, 7, 1, 8],
            [0, 0, 7, 2, 6],
            [0, 4, 5, 9, 0],
            [6, 1, 3, 0, 0],
            [0, 8, 0, 0, 0],
        ]
    )
    / 10
)
"""The image of exercise 02.1. It has a different diagram under each misconception."""

PENCIL_STRIP = np.array([[0.9, 0.3, 0.8, 0.1]])
"""The likelihood of exercise 03.1: one object with a gap."""

PENCIL_STRIP_TRUTH = np.array([[True, True, True, False]])
"""The truth of exercise 03.1: one component, no hole."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a checker says.

    Attributes
    ----------
    exercise : str
        For instance "02.1": the first exercise of chapter 02.
    status : {"not attempted", "not yet", "correct"}
        "not attempted" for a stub that was left as it is.
    text : str
        What was learned, or a hint.
    """

    exercise: str
    status: Status
    text: str

    def __repr__(self) -> str:
        return f"{self.exercise} {self.status}. {self.text}"


class _NotAttemptedError(Exception):
    """The stub returned None."""


class _NotYetError(Exception):
    """The answer is wrong; the message is the hint."""


Checker = Callable[[Any], str]
_CHECKERS: dict[str, Checker] = {}


def check(exercise: str, answer: Any) -> Verdict:
    """Compare an answer with the right one, and say what may have gone wrong.

    Parameters
    ----------
    exercise : str
        The exercise's number, as it stands in the notebook.
    answer : object
        What the exercise asks for: a number, a list, or the function itself. None, or a function
        that returns None, counts as not attempted.

    Returns
    -------
    Verdict
        Shown by Jupyter as a sentence.

    Raises
    ------
    TypeError, ValueError
        If there is no such exercise.

    Examples
    --------
    >>> check("02.1", [(0, 0.9, 0.0)]).status
    'not yet'
    """
    check_choice(exercise, list(_CHECKERS), "exercise")
    try:
        if answer is None:
            raise _NotAttemptedError
        return Verdict(exercise, "correct", _CHECKERS[exercise](answer))
    except _NotAttemptedError:
        text = "Fill in the stub above and run the cell again."
        return Verdict(exercise, "not attempted", text)
    except _NotYetError as hint:
        return Verdict(exercise, "not yet", str(hint))


def _exercise(number: str) -> Callable[[Checker], Checker]:
    """Enter a checker under its exercise's number."""

    def enter(checker: Checker) -> Checker:
        _CHECKERS[number] = checker
        return checker

    return enter


def _call(function: Any, *arguments: Any) -> Any:
    """Call the learner's function; what it raises becomes the hint."""
    if not callable(function):
        raise _NotYetError("Give the function itself, without calling it.")
    try:
        result = function(*arguments)
    except Exception as error:
        raise _NotYetError(f"Your function raised {type(error).__name__}: {error}.") from error
    if result is None:
        raise _NotAttemptedError
    return result


Rows = list[tuple[float, ...]]


def _rows(answer: Any, width: int, form: str) -> Rows:
    """Return an answer that is a list of tuples of `width` numbers, rounded and sorted."""
    if not isinstance(answer, Iterable):
        raise _NotYetError(f"Give {form}.")
    rows = list(answer)
    try:
        table = np.array(rows, dtype=float).reshape(-1, width) if rows else np.zeros((0, width))
    except (TypeError, ValueError):
        raise _NotYetError(f"Give {form}.") from None
    if len(table) != len(rows):
        raise _NotYetError(f"Give {form}.")
    return sorted(map(tuple, np.round(table, 6).tolist()))


def _dots(pairs: PersistencePairs, with_dimension: bool = True) -> Rows:
    """Return pairs as sorted rows (dimension, birth, death), or (birth, death)."""
    columns = [pairs.birth, pairs.death]
    if with_dimension:
        columns.insert(0, pairs.dimension)
    table = np.stack([column.astype(float) for column in columns], axis=1)
    return sorted(map(tuple, np.round(table, 6).tolist()))


def _refuse(answer: Any, wrong: Any, hint: str) -> None:
    """Raise the hint if the answer is the one that a certain misconception gives."""
    if answer == wrong:
        raise _NotYetError(hint)


# --- Chapter 02 -------------------------------------------------------------------------------


@_exercise("02.1")
def _diagram_by_hand(answer: Any) -> str:
    """Check a diagram of `PENCIL_IMAGE`, given as a list of (dimension, birth, death)."""
    rows = _rows(answer, 3, "a list of tuples (dimension, birth, death)")
    pairs = persistence_pairs(PENCIL_IMAGE)
    right = _dots(pairs)
    below = persistence_pairs(1 - PENCIL_IMAGE)
    sublevel = [(k, round(1 - b, 6), round(1 - d, 6)) for k, b, d in _dots(below)]
    border = persistence_pairs(PENCIL_IMAGE, border="closed")
    _refuse(
        rows,
        _dots(persistence_pairs(PENCIL_IMAGE, connectivity=1)),
        "This is the diagram with 4 neighbours. Here pixels that touch by a corner are "
        "connected, too.",
    )
    _refuse(
        rows,
        sorted(sublevel),
        "These are sublevel sets: you let the threshold rise. Here it falls from 1 to 0, "
        "and bright pixels come first.",
    )
    _refuse(
        rows,
        sorted((k, d, b) for k, b, d in right),
        "Birth and death are exchanged. The threshold falls, so a birth is the larger number.",
    )
    _refuse(
        rows,
        _dots(pairs[pairs.death_index >= 0]),
        "The essential class is missing: the oldest component never merges into another "
        "one. Its death is set to 0.",
    )
    _refuse(
        rows,
        _dots(border),
        "This is the diagram with a closed border. Here the outside is background, so a "
        "valley that reaches the border is no hole.",
    )
    if rows != right:
        found = sum(min(rows.count(row), right.count(row)) for row in set(right))
        raise _NotYetError(
            f"{found} of your {len(rows)} dots belong to the diagram, which has {len(right)}. "
            "List the peaks first; then ask for each, at which threshold it meets a higher one."
        )
    return "Three components, one of them essential, and one hole that closes over corners."


@_exercise("02.2")
def _count_alive(answer: Any) -> str:
    """Check a function (pairs, threshold) -> (b0, b1)."""
    form = "a pair (number of components, number of holes)"
    generator = np.random.default_rng(2)
    images = [PENCIL_IMAGE, generator.integers(0, 6, (7, 9)) / 5]
    cases = [(persistence_pairs(image), t) for image in images for t in np.unique(image)[::-1]]

    def counts(rule: Callable[[PersistencePairs, float], np.ndarray]) -> list[tuple[int, ...]]:
        kinds = [pairs.dimension[rule(pairs, t)] for pairs, t in cases]
        return [tuple(np.bincount(kind, minlength=2).tolist()) for kind in kinds]

    answers = []
    for pairs, t in cases:
        answers.append(_rows([_call(answer, pairs, float(t))], 2, form)[0])
    right = counts(alive)
    _refuse(
        answers,
        counts(lambda p, t: (p.birth > t) & ((p.death < t) | (p.death_index < 0))),
        "At the threshold that equals its birth a feature is there already: the superlevel "
        "set holds the pixels at or above the threshold.",
    )
    _refuse(
        answers,
        counts(lambda p, t: (p.birth >= t) & ((p.death <= t) | (p.death_index < 0))),
        "At the threshold that equals its death a feature is gone: the pixel that ends it "
        "has entered the superlevel set.",
    )
    _refuse(
        answers,
        counts(lambda p, t: (p.birth >= t) & (p.death < t)),
        "Nearly: at threshold 0 the whole image is foreground, and its one component is "
        "essential. Essential classes have death_index -1 and never die.",
    )
    _refuse(
        answers,
        counts(lambda p, t: alive(p, t) & (p.death_index >= 0)),
        "You left the essential class out; its death_index is -1, but it is as alive as "
        "the others.",
    )
    _refuse(
        answers,
        [row[::-1] for row in right],
        "Components come first, holes second.",
    )
    if answers != right:
        k = next(k for k, (a, b) in enumerate(zip(answers, right, strict=True)) if a != b)
        pairs, t = cases[k]
        raise _NotYetError(
            f"At threshold {t:.1f} of a test image there are {right[k]} alive among "
            f"{len(pairs)} pairs; you found {answers[k]}. A pair is alive from its birth, down to "
            "but not including its death."
        )
    return "Counting dots gives the Betti numbers of every superlevel set at once."


@_exercise("02.3")
def _holes_in_a_frame(answer: Any) -> str:
    """Check a function image -> [(birth, death), ...] of holes under a closed border."""
    form = "a list of tuples (birth, death)"
    generator = np.random.default_rng(3)
    images = [PENCIL_IMAGE, generator.integers(1, 10, (4, 6)) / 10, np.full((2, 3), 0.4)]
    answers = [_rows(_call(answer, image.copy()), 2, form) for image in images]

    def holes(**options: Any) -> list[Rows]:
        return [_dots(persistence_pairs(i, dimensions=[1], **options), False) for i in images]

    right = holes(border="closed")
    _refuse(
        answers,
        [sorted((d, b) for b, d in rows) for rows in right],
        "Birth and death are exchanged: the threshold falls, so a birth is the larger number.",
    )
    _refuse(
        answers,
        holes(border="open"),
        "These are the holes of an open border. The frame has to be foreground from the "
        "beginning: which value is that?",
    )
    _refuse(
        answers,
        holes(border="closed", connectivity=1),
        "This is right for 4 neighbours of the foreground. With 8, a hole has to be a "
        "component of the background with 4.",
    )
    _refuse(
        answers,
        [rows[: rows.index(max(rows))] + rows[rows.index(max(rows)) + 1 :] for rows in right],
        "One is missing: the frame itself is a ring, born at 1, around the whole image.",
    )
    if answers != right:
        k = next(k for k, (a, b) in enumerate(zip(answers, right, strict=True)) if a != b)
        raise _NotYetError(
            f"For the image {images[k].tolist()} the holes are {right[k]}; you found {answers[k]}. "
            "Put a frame of value 1 around the image first, and only then the outside."
        )
    return "A frame of foreground closes what the border cuts off into loops."


@_exercise("02.4")
def _safe_persistence(answer: Any) -> str:
    """Check the persistence above which no dot is made by noise of amplitude 0.05 alone."""
    try:
        value = round(float(answer), 6)
    except (TypeError, ValueError):
        raise _NotYetError("Give one number.") from None
    _refuse(
        value,
        0.05,
        "That is how far one value can move. A dot has two coordinates: how far can they "
        "move apart?",
    )
    _refuse(
        value,
        0.025,
        "A birth can rise by the whole amplitude, and a death can fall by it: nothing is halved.",
    )
    if value != 0.1:
        larger = "more than is needed" if value > 0.1 else "too little"
        raise _NotYetError(
            f"{value:g} is {larger}. Start from a dot on the diagonal; let noise lift its birth "
            "as far as it can, and lower its death as far as it can."
        )
    return "Noise alone makes no dot with a persistence above twice its amplitude."


# --- Chapter 03 -------------------------------------------------------------------------------


@_exercise("03.1")
def _gradient_by_hand(answer: Any) -> str:
    """Check the gradient of the loss by each pixel of `PENCIL_STRIP`, a list of four numbers."""
    form = "a list of four numbers, one for each pixel"
    try:
        slopes = np.array(answer, dtype=float).reshape(4).round(6).tolist()
    except (TypeError, ValueError):
        raise _NotYetError(f"Give {form}.") from None
    right = np.array([-0.1, -0.25, 0.25, 0.0])

    def misread(wrong: Any, hint: str) -> None:
        _refuse(slopes, np.round(wrong, 6).tolist(), hint)

    misread(-right, "That is the step, which goes against the gradient: the signs are exchanged.")
    misread(2 * right, "Nearly: the sum is divided by the number of true features plus one.")
    misread(
        right * (PENCIL_STRIP * (1 - PENCIL_STRIP))[0],
        "That is the gradient by logit. Leave the factor p (1 - p) away: here we ask for the "
        "gradient by likelihood.",
    )
    misread(
        [0.0, -0.25, 0.25, 0.0],
        "The essential class is missing. Its birth, the highest pixel, is drawn to 1.",
    )
    misread(
        [-0.1, 0.3, -0.2, 0.0],
        "You matched both components, but the truth has one, and the essential class takes it. "
        "The other one goes to the diagonal.",
    )
    if slopes != right.tolist():
        raise _NotYetError(
            f"{sum(a == b for a, b in zip(slopes, right, strict=True))} of your 4 numbers are "
            "right. The pairs are (.9, 0) and (.8, .3). The first is matched to (1, 0); the second "
            "costs half its squared persistence."
        )
    return "The gap rises as fast as the piece behind it sinks: they meet half way."


@_exercise("03.2")
def _worth_matching(answer: Any) -> str:
    """Check a function (birth, death) -> bool: whether a match to (1, 0) costs less than none."""
    ends = [(b / 20, d / 20) for b in range(1, 21) for d in range(b)]

    def choices(rule: Callable[[float, float], Any]) -> list[bool]:
        return [bool(rule(b, d)) for b, d in ends if abs(gain(b, d)) > 1e-9]

    def gain(b: float, d: float) -> float:
        return (b - d) ** 2 / 2 + 0.5 - (1 - b) ** 2 - d**2

    def ask(b: float, d: float) -> bool:
        result = _call(answer, b, d)
        if not isinstance(result, bool | np.bool_):
            raise _NotYetError(f"Return True or False; for ({b}, {d}) you returned {result!r}.")
        return bool(result)

    answers, right = choices(ask), choices(lambda b, d: gain(b, d) > 0)
    _refuse(
        answers,
        [not choice for choice in right],
        "The other way round: True where the match is the cheaper choice.",
    )
    _refuse(
        answers,
        [True] * len(right),
        'That is "rank": it takes the most persistent hole, however faint it is.',
    )
    _refuse(
        answers,
        choices(lambda b, d: gain(b, d) > 0.5),
        "If the hole stays with the diagonal, the true hole stays alone, too, and from (1, 0) to "
        "the diagonal it costs 1/2.",
    )
    _refuse(
        answers,
        choices(lambda b, d: np.hypot(1 - b, d) < (b - d + 1) / np.sqrt(2)),
        "Compare the sums of squared distances: you took the distances.",
    )
    if answers != right:
        raise _NotYetError(
            f"{sum(a != b for a, b in zip(answers, right, strict=True))} of {len(right)} choices "
            "differ. A match costs the squared distance from (birth, death) to (1, 0). Without it "
            "both points go to the diagonal, (b - d)**2 / 2 from a point."
        )
    return (
        "A hole that is nearly filled is cheaper to fill than to open: that is why (.9, .8) goes."
    )


@_exercise("03.3")
def _mend_only(answer: Any) -> str:
    """Check a function (birth, death, matched) -> targets that joins pieces and removes none."""
    form = "two numbers: the targets of birth and death"
    ends = [(0.9, 0.0), (0.8, 0.3), (0.35, 0.1), (0.6, 0.55)]
    cases = [(b, d, matched) for matched in (True, False) for b, d in ends]
    answers = [_rows([_call(answer, *case)], 2, form)[0] for case in cases]

    def goals(unmatched: Callable[[float, float], tuple], *, matched: Any = (1.0, 0.0)) -> Rows:
        rows = [matched if m else unmatched(b, d) for b, d, m in cases]
        return [tuple(map(float, np.round(row, 6))) for row in rows]

    right = goals(lambda b, d: (b, b))
    _refuse(
        answers,
        goals(lambda b, d: ((b + d) / 2, (b + d) / 2)),
        "That is the paper's target, the nearest point of the diagonal: it lowers the birth as "
        "much as it raises the death, so a faint piece is removed.",
    )
    _refuse(
        answers,
        goals(lambda b, d: (d, d)),
        "This only removes: it lowers every unmatched peak and never raises a gap.",
    )
    _refuse(
        answers,
        goals(lambda b, d: (1.0, 1.0)),
        "This raises the gap, but the peak as well. Leave the birth where it is.",
    )
    _refuse(
        answers,
        goals(lambda b, d: (b, b), matched=(0.0, 1.0)),
        "Birth and death of the matched ones are exchanged: their target is (1, 0).",
    )
    if answers[:4] != right[:4]:
        raise _NotYetError("Matched features keep their target (1, 0): change only the others.")
    if answers != right:
        raise _NotYetError(
            "An unmatched piece is joined by raising its death, the gap, to the level of its "
            "birth; the birth itself must feel no pull, so its target is where it is."
        )
    return "Pieces are joined and none is removed; false positives are now joined, too."
