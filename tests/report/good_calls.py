"""A good call of each door of `report`, from which the table of bad arguments is made."""

from __future__ import annotations

from bad_values import (
    BAD_CHOICE,
    BAD_CONNECTIVITY,
    BAD_COUNT,
    BAD_FRACTION,
    BAD_PATH,
    BAD_SIZE,
    BAD_TEXT,
    NO_INTEGER,
)
from doors import call
from report_masks import PLACE

from toposeg_lite.report import ReportOptions, make_report

#: Names of files with no place for that of the pair, or two.
STARS = {"no star": "_p", "two stars": "*_*", "empty": ""}


def given(kind):
    """Return bad forms of what may also be None."""
    return {word: value for word, value in kind.items() if word != "None"}


CALLS = [
    call(
        make_report,
        {"predictions": PLACE / "mine", "truths": PLACE / "truth", "out": "made",
         "compare": PLACE / "others", "options": ReportOptions(), "workers": 1,
         "scheduler": None, "worst": 1, "say": print},
        {"predictions": BAD_PATH | {"None": None}, "truths": BAD_PATH | {"None": None},
         "out": BAD_PATH | {"None": None}, "compare": BAD_PATH,
         "options": {"a dict": {}, "a text": "closed"}, "workers": given(BAD_SIZE),
         "scheduler": given(BAD_TEXT), "worst": BAD_COUNT, "say": {"a text": "on", "1": 1}},
    ),
    call(
        ReportOptions,
        {"labels": "background", "connectivity": 1, "border": "closed", "patch": 8,
         "foreground": "zero", "ignore": 255, "threshold": 0.5, "prediction_names": "*_p",
         "truth_names": "t_*"},
        {"foreground": BAD_CHOICE, "patch": given(BAD_SIZE), "ignore": given(NO_INTEGER) | {"0": 0},
         "connectivity": given(BAD_CONNECTIVITY), "threshold": given(BAD_FRACTION) | {"0": 0.0},
         "prediction_names": BAD_TEXT | STARS, "truth_names": BAD_TEXT | STARS},
    ),
]  # fmt: skip
