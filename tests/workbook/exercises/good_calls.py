"""A good call of each door of `workbook/exercises`, for the table of bad arguments."""

from __future__ import annotations

from bad_values import BAD_CHOICE
from doors import Call, call

from toposeg_lite.workbook import exercises

CALLS: list[Call] = [
    call(
        exercises.check,
        {"exercise": "01.1", "answer": None},
        {"exercise": BAD_CHOICE},
        free={"answer": "whatever somebody answers is looked at"},
    ),
    call(exercises.quiz, {"chapter": "02"}, {"chapter": BAD_CHOICE}),
    call(exercises.quizzes, {}, {}),
]
