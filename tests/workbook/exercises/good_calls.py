"""A good call of each door of `workbook/exercises`, for the table of bad arguments."""

from __future__ import annotations

from bad_values import BAD_CHOICE, BAD_TEXT
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
    call(
        exercises.variant,
        {"exercise": "01.3", "student": "Ada"},
        {"exercise": BAD_CHOICE, "student": BAD_TEXT},
    ),
    call(
        exercises.check_variant,
        {"exercise": "01.3", "student": "Ada", "answer": None, "secret": ""},
        {"exercise": BAD_CHOICE, "student": BAD_TEXT, "secret": BAD_TEXT},
        free={"answer": "whatever somebody answers is looked at"},
    ),
]
