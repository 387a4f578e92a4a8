"""No damaged file ends the interpreter, hangs, fills the memory or raises an odd error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutations import read_mutated

PROGRAM = Path(__file__).with_name("mutated_files.py")
KINDS = ["npy", "mat", "nii", "nii.gz", "png", "jpg", "tif"]


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(PROGRAM, kind, 0, 40, tmp_path)
    assert counts.get("read", 0) + counts["refused"] == 40


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(PROGRAM, kind, 1, 5000, tmp_path)
    print(kind, counts)
    assert counts["read"] + counts["refused"] == 5000
    assert counts["read"] > 100  # else the mutations say little about what lies behind the header
    assert counts["refused"] > 1000
