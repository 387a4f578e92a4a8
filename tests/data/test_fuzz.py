"""No damaged file ends the interpreter, hangs, fills the memory or raises an odd error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("mutated_files.py")
KINDS = ["npy", "mat", "nii", "nii.gz", "png", "jpg", "tif"]


def read_mutated(kind, seed, count, keep):
    """Read mutated files in a process of its own; return its table of what happened."""
    last = keep / f"last.{kind}"
    shared = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), kind, str(seed), str(count), str(last)],
        capture_output=True,
        text=True,
        timeout=60 + count,
        env={**os.environ, "TOPOSEG_MAX_PIXELS": "1000000", "PYTHONPATH": shared},
    )
    assert done.returncode == 0, f"{last}: exit {done.returncode}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(kind, 0, 40, tmp_path)
    assert counts.get("read", 0) + counts["refused"] == 40


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(kind, 1, 5000, tmp_path)
    print(kind, counts)
    assert counts["read"] + counts["refused"] == 5000
    assert counts["read"] > 100  # else the mutations say little about what lies behind the header
    assert counts["refused"] > 1000
