"""Bad input that `workbook/exercises` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from toposeg_lite.workbook import exercises
from toposeg_lite.workbook.exercises import marking

CASES = [
    # --- exercises ---
    ("exercise", lambda: exercises.check("99.1", 1), ValueError, "exercise must be one of '01.1'"),
    ("chapter", lambda: exercises.quiz("99"), ValueError, "chapter must be one of '00'"),
    ("chapter number", lambda: exercises.quiz(2), TypeError, "got 2"),
    (
        "variant",
        lambda: exercises.variant("02.1", "Ada"),
        ValueError,
        "exercise must be one of '01.3'",
    ),
    ("variant student", lambda: exercises.variant("01.3", 7), TypeError, "student .* got 7"),
    ("variant nobody", lambda: exercises.variant("01.3", " "), ValueError, "an empty one"),
    (
        "check_variant secret",
        lambda: exercises.check_variant("01.3", "Ada", None, secret=5),
        TypeError,
        "secret must be a text; got 5",
    ),
    ("mark seconds", lambda: marking.mark(".", seconds=0), ValueError, "seconds"),
    ("mark memory", lambda: marking.mark(".", gigabytes=-1), ValueError, "gigabytes"),
    ("mark secret", lambda: marking.mark(".", secret=None), TypeError, "secret must be a text"),
    ("exercise number", lambda: exercises.check(2.1, 1), TypeError, "got 2.1"),
]
