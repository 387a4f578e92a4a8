"""What all checkers share: the verdict, the register of exercises, reading answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...checks import check_choice
from ...topology.persistence import PersistencePairs
from .running import Shortcuts, UnfinishedError, does_nothing, run

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
    """The stub is as it was."""


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
        that does nothing, counts as not attempted. A function that does not end is stopped after
        a few seconds.

    Returns
    -------
    Verdict
        Shown by Jupyter as a sentence.

    Examples
    --------
    >>> check("02.1", [(0, 0.9, 0.0)]).status
    'not yet'
    """
    check_choice(exercise, sorted(_CHECKERS), "exercise")
    return judge(exercise, answer, _CHECKERS[exercise])


def judge(exercise: str, answer: Any, checker: Checker) -> Verdict:
    """Return what a checker says of an answer."""
    try:
        if answer is None:
            raise _NotAttemptedError
        return Verdict(exercise, "correct", checker(answer))
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


def call(function: Any, *arguments: Any, shortcuts: Shortcuts | None = None) -> Any:
    """Call the learner's function; what goes wrong in it becomes the hint."""
    if not callable(function):
        raise NotYetError("Give the function itself, without calling it.")
    given = ", ".join(map(repr, arguments))
    case = f"for ({given}) it" if len(given) < 60 and "\n" not in given else "it"
    try:
        result = run(function, *arguments, shortcuts=shortcuts)
    except UnfinishedError as error:
        raise NotYetError(f"Your function was stopped: {case} {error}") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = f": {error}" if str(error) else ""
        raise NotYetError(f"Your function raised {type(error).__name__}{what}.") from error
    if result is None:
        if does_nothing(function):
            raise _NotAttemptedError
        raise NotYetError(
            f"Your function runs, but {case} returned None. Is a `return` missing, at its end or "
            "in one of its branches, or does the `return None` of the stub still stand?"
        )
    return result


def decide(function: Any, *arguments: Any, when: str = "once") -> bool:
    """Call the learner's function for True or False; `when` says of which call a hint speaks.

    A whole number is as good, for Python takes it so: 0 is False, all others are True.
    """
    result = call(function, *arguments)
    try:
        value = np.asarray(result).item()
        if isinstance(value, bool | int | float) and value == int(value):
            return bool(value)
    except UNREADABLE:
        pass
    raise NotYetError(f"Return True or False; {when} you returned {result!r}.")


#: What NumPy and Python raise for what is no number, or no table of numbers.
UNREADABLE = (TypeError, ValueError, OverflowError, RuntimeError)


def number_of(answer: Any, complaint: str) -> float:
    """Return an answer that is one number, or complain."""
    try:
        if np.ndim(answer):  # of which NumPy once made a number, with a warning
            raise TypeError("an array is no number")
        return float(answer)
    except UNREADABLE:
        raise NotYetError(complaint) from None


def numbers_of(answer: Any, count: int, form: str) -> np.ndarray:
    """Return an answer that is a list of so many numbers."""
    try:
        return np.asarray(answer, float).reshape(count)
    except UNREADABLE:
        raise NotYetError(f"Give {form}.") from None


def array_of(answer: Any, complaint: str, dtype: type | None = None) -> np.ndarray:
    """Return an answer as an array, or complain."""
    try:
        return np.asarray(answer, dtype)
    except UNREADABLE:
        raise NotYetError(complaint) from None


def pixel_of(answer: Any) -> tuple[int, int]:
    """Return an answer that is a pixel (row, column) of whole numbers, else raise ValueError."""
    row, column = (int(number) for number in answer)
    if [row, column] != list(map(float, answer)):
        raise ValueError(f"the pixel {answer!r} has no whole row and column")
    return row, column


Rows = list[tuple[float, ...]]


def places_of(mask: np.ndarray) -> Rows:
    """Return the places of a mask's foreground, as `rows_of` returns rows of numbers."""
    return [tuple(map(float, place)) for place in np.argwhere(mask)]


def rows_of(answer: Any, width: int, form: str) -> Rows:
    """Return an answer that is a list of tuples of `width` numbers, rounded and sorted."""
    if not isinstance(answer, Iterable):
        raise NotYetError(f"Give {form}.")
    try:
        rows = list(answer)
        table = np.array(rows, dtype=float).reshape(-1, width) if rows else np.zeros((0, width))
    except UNREADABLE:
        raise NotYetError(f"Give {form}.") from None
    if len(table) != len(rows):
        raise NotYetError(f"Give {form}.")
    return sorted(map(tuple, np.round(table, 6).tolist()))


def diagram_of(answer: Any, width: int, form: str) -> Rows:
    """Return rows of dots of a diagram, whose essential deaths are 0 here: see `rows_of`."""
    rows = rows_of(answer, width, form)
    if not np.isfinite(rows).all():
        raise NotYetError(
            "A death is None or infinite. The essential class never dies, but a diagram needs a "
            "number: here its death is set to 0, the lowest threshold, by convention."
        )
    return rows


def dots_of(pairs: PersistencePairs, with_dimension: bool = True) -> Rows:
    """Return pairs as sorted rows (dimension, birth, death), or (birth, death)."""
    columns = [pairs.birth, pairs.death]
    if with_dimension:
        columns.insert(0, pairs.dimension)
    table = np.stack([column.astype(float) for column in columns], axis=1)
    return sorted(map(tuple, np.round(table, 6).tolist()))


def alike(answer: Any, other: Any, within: float = 0.0) -> bool:
    """Tell whether two answers of one form are equal, their numbers up to `within`."""
    if isinstance(answer, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(answer, other, strict=False)
        return len(answer) == len(other) and all(alike(a, b, within) for a, b in pairs)
    if within and isinstance(answer, int | float) and isinstance(other, int | float):
        return abs(answer - other) <= within
    return bool(answer == other)


def digits_of(answer: Any, count: int) -> str:
    """Return the digits 1 to `count`, each once, in the order in which the learner gave them.

    A string, a number or a list will do: "21", 21, [2, 1] and ("2", "1") say the same.
    """
    parts = answer if isinstance(answer, list | tuple) else [answer]
    given = "".join(map(str, parts)).replace(" ", "").replace(",", "")
    wanted = "".join(map(str, range(1, count + 1)))
    if sorted(given) != sorted(wanted):
        raise NotYetError(
            f"Give a string of the digits 1 to {count}, each of them once, such as {wanted!r}."
        )
    return given


def refuse(answer: Any, wrong: Any, hint: str, within: float = 0.0) -> None:
    """Raise the hint if the answer is the one that a certain misconception gives."""
    if alike(answer, wrong, within):
        raise NotYetError(hint)


def first_difference(answers: Sequence[Any], right: Sequence[Any], within: float = 0.0) -> int:
    """Return the first place where answers differ from the right ones."""
    pairs = enumerate(zip(answers, right, strict=True))
    return next(k for k, (a, b) in pairs if not alike(a, b, within))


def count_right(answers: Iterable[Any], right: Iterable[Any], within: float = 0.0) -> int:
    """Count the places where answers are the right ones."""
    return sum(alike(a, b, within) for a, b in zip(answers, right, strict=True))
