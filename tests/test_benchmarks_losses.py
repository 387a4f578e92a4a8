"""The rows of the benchmark of training steps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from benchmarks import losses
from benchmarks.harness import table


def scripted_clock():
    """Yield what a clock says before and after each run, as if these took what is written here."""
    now = 0.0
    while True:
        runs = [0.05]  # the forward pass
        for k in range(len(losses.ADDED)):
            runs += [0.1, 0.002 * (k + 1)]  # a step, then a loss alone
        for seconds in runs:
            yield now
            now += seconds
            yield now


@pytest.fixture(scope="module")
def rows():
    clock = scripted_clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        return list(losses.step_rows(1, size=32))


def test_each_loss_has_a_row_and_the_first_of_them_a_limit(rows):
    here = [row for row in rows if row.job.endswith("float32, cpu")]
    step, added = here[0], here[1:]
    assert "U-Net of width 16 (482449 weights)" in step.job
    assert (step.ours, step.theirs) == pytest.approx((100, 50))
    assert [row.job.split(":")[0] for row in added] == list(losses.ADDED)
    for k, row in enumerate(added):
        assert (float(row.job.split()[-8]), row.ours) == pytest.approx((2 * (k + 1),) * 2)
        ours = row.job.startswith(("topological", "warping", "Morse"))  # the others are compared
        assert row.required == (1.0 if ours else None)
        assert row.met == (None if row.required is None else row.ours <= 10)
    assert "% of it" not in table(rows)


def test_without_units_for_bfloat16_no_step_is_timed_in_it(rows, monkeypatch):
    assert any(row.job.endswith("bfloat16, cpu") for row in rows)
    monkeypatch.setattr(losses, "has_bfloat16_units", lambda: False)
    (row,) = losses._rows_on("cpu", torch.bfloat16, 1, 32)
    assert row.ours is None
    assert "no units for bfloat16" in row.note
    assert "not run" in table([row])
