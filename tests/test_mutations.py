"""No damaged journal, checkpoint or table ends the interpreter, hangs or raises an odd error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = HERE / "mutated_records.py"
KINDS = [
    "journal", "likelihood", "checkpoint", "pretrained", "registry", "calibration", "orders",
    "runs", "table", "tables", "scores",
]  # fmt: skip


def read_mutated(kind, seed, count, keep):
    """Read mutated files in a process of its own; return its table of what happened."""
    last = keep / f"last.{kind}"
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), kind, str(seed), str(count), str(last)],
        capture_output=True,
        text=True,
        timeout=300 + count,
        env={**os.environ, "TOPOSEG_MAX_PIXELS": "1000000", "PYTHONPATH": path},
    )
    assert done.returncode == 0, f"{last}: exit {done.returncode}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(kind, tmp_path):
    count = 40 if kind == "scores" else 200
    counts = read_mutated(kind, 0, count, tmp_path)
    assert counts.get("read", 0) + counts["refused"] == count


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_mutated_files_are_read_or_refused(kind, tmp_path):
    counts = read_mutated(kind, 1, 5000, tmp_path)
    print(kind, counts)
    assert counts["read"] + counts["refused"] == 5000
    # Else the mutations say little about what lies behind the door; a digest guards likelihoods.
    assert counts["read"] > (20 if kind == "likelihood" else 50)
    assert counts["refused"] > 500
