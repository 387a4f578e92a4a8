"""Bad input that `report` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from report_masks import PLACE

from toposeg_lite.report import make_report

CASES = [
    (
        "report, no such folder",
        lambda: make_report(PLACE / "no such", PLACE / "truth"),
        FileNotFoundError,
        "predictions must be an existing folder; got",
    ),
    (
        "report, a method compared with itself",
        lambda: make_report(PLACE / "mine", PLACE / "truth", compare=PLACE / "mine"),
        ValueError,
        "compare must be another folder than predictions",
    ),
]
