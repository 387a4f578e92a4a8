"""What all checkers share: the verdict, the register of exercises, reading answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...checks import check_choice
from ...topology.persistence import PersistencePairs

__all__ = ["Verdict", "check"]

Status = Literal["not attempted", "not yet", "correct"]


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


class NotYetError(Exception):
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
    except NotYetError as hint:
        return Verdict(exercise, "not yet", str(hint))


def exercise(number: str) -> Callable[[Checker], Checker]:
    """Enter a checker under its exercise's number."""

    def enter(checker: Checker) -> Checker:
        _CHECKERS[number] = checker
        return checker

    return enter


def call(function: Any, *arguments: Any) -> Any:
    """Call the learner's function; what it raises becomes the hint."""
    if not callable(function):
        raise NotYetError("Give the function itself, without calling it.")
    try:
        result = function(*arguments)
    except Exception as error:
        raise NotYetError(f"Your function raised {type(error).__name__}: {error}.") from error
    if result is None:
        raise _NotAttemptedError
    return result


def decide(function: Any, *arguments: Any, when: str = "once") -> bool:
    """Call the learner's function for True or False; `when` says of which call a hint speaks."""
    result = call(function, *arguments)
    if not isinstance(result, bool | np.bool_):
        raise NotYetError(f"Return True or False; {when} you returned {result!r}.")
    return bool(result)


def number_of(answer: Any, complaint: str) -> float:
    """Return an answer that is one number, or complain."""
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise NotYetError(complaint) from None


def numbers_of(answer: Any, count: int, form: str) -> np.ndarray:
    """Return an answer that is a list of so many numbers."""
    try:
        return np.array(answer, dtype=float).reshape(count)
    except (TypeError, ValueError):
        raise NotYetError(f"Give {form}.") from None


Rows = list[tuple[float, ...]]


def places_of(mask: np.ndarray) -> Rows:
    """Return the places of a mask's foreground, as `rows_of` returns rows of numbers."""
    return [tuple(map(float, place)) for place in np.argwhere(mask)]


def rows_of(answer: Any, width: int, form: str) -> Rows:
    """Return an answer that is a list of tuples of `width` numbers, rounded and sorted."""
    if not isinstance(answer, Iterable):
        raise NotYetError(f"Give {form}.")
    rows = list(answer)
    try:
        table = np.array(rows, dtype=float).reshape(-1, width) if rows else np.zeros((0, width))
    except (TypeError, ValueError):
        raise NotYetError(f"Give {form}.") from None
    if len(table) != len(rows):
        raise NotYetError(f"Give {form}.")
    return sorted(map(tuple, np.round(table, 6).tolist()))


def dots_of(pairs: PersistencePairs, with_dimension: bool = True) -> Rows:
    """Return pairs as sorted rows (dimension, birth, death), or (birth, death)."""
    columns = [pairs.birth, pairs.death]
    if with_dimension:
        columns.insert(0, pairs.dimension)
    table = np.stack([column.astype(float) for column in columns], axis=1)
    return sorted(map(tuple, np.round(table, 6).tolist()))


def refuse(answer: Any, wrong: Any, hint: str) -> None:
    """Raise the hint if the answer is the one that a certain misconception gives."""
    if answer == wrong:
        raise NotYetError(hint)


def first_difference(answers: Sequence[Any], right: Sequence[Any]) -> int:
    """Return the first place where answers differ from the right ones."""
    return next(k for k, (a, b) in enumerate(zip(answers, right, strict=True)) if a != b)


def count_right(answers: Iterable[Any], right: Iterable[Any]) -> int:
    """Count the places where answers are the right ones."""
    return sum(a == b for a, b in zip(answers, right, strict=True))
