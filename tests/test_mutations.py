"""No damaged journal, checkpoint or table ends the interpreter, hangs or raises an odd error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutations import read_mutated

PROGRAM = Path(__file__).with_name("mutated_records.py")
KINDS = [
    "journal", "likelihood", "checkpoint", "pretrained", "registry", "calibration", "orders",
    "runs", "table", "tables", "scores",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(kind, tmp_path):
    count = 40 if kind == "scores" else 200
    counts = read_mutated(PROGRAM, kind, 0, count, tmp_path)
    assert counts.get("read", 0) + counts["refused"] == count


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(PROGRAM, kind, 1, 5000, tmp_path)
    print(kind, counts)
    assert counts["read"] + counts["refused"] == 5000
    # Else the mutations say little about what lies behind the door; a digest guards likelihoods.
    assert counts["read"] > (20 if kind == "likelihood" else 50)
    assert counts["refused"] > 500
