"""Bad input that `workbook/exercises` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from toposeg_lite.workbook import exercises

CASES = [
    # --- exercises ---
    ("exercise", lambda: exercises.check("99.1", 1), ValueError, "exercise must be one of '01.1'"),
    ("chapter", lambda: exercises.quiz("99"), ValueError, "chapter must be one of '00'"),
    ("chapter number", lambda: exercises.quiz(2), TypeError, "got 2"),
    ("exercise number", lambda: exercises.check(2.1, 1), TypeError, "got 2.1"),
]
