"""The rows of the benchmark of training steps."""

from __future__ import annotations

import pytest
import torch
from benchmarks import losses
from benchmarks.harness import table


@pytest.fixture(scope="module")
def rows():
    return list(losses.step_rows(1, size=32))


def test_each_loss_has_a_row_and_the_first_of_them_a_limit(rows):
    here = [row for row in rows if row.job.endswith("float32, cpu")]
    step, added = here[0], here[1:]
    assert "U-Net of width 16 (482449 weights)" in step.job
    assert step.theirs < step.ours
    assert [row.job.split(":")[0] for row in added] == list(losses.ADDED)
    for row in added:
        milliseconds = float(row.job.split()[-8])
        assert milliseconds > 0
        assert row.ours == pytest.approx(100 * milliseconds / step.ours, rel=0.9)
        assert row.required == (None if row.job.startswith("clDice") else 1.0)
        assert row.met == (None if row.required is None else row.ours <= 10)
    assert "% of it" not in table(rows)


def test_without_units_for_bfloat16_no_step_is_timed_in_it(rows, monkeypatch):
    assert any(row.job.endswith("bfloat16, cpu") for row in rows)
    monkeypatch.setattr(losses, "has_bfloat16_units", lambda: False)
    (row,) = losses._rows_on("cpu", torch.bfloat16, 1, 32)
    assert row.ours is None
    assert "no units for bfloat16" in row.note
    assert "not run" in table([row])
