"""The rows of the benchmark of volumes whose tunnels are matched, and of the bounds of a peer."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import inputs, matchings, memory, volumes
from benchmarks.harness import Unavailable, table


def test_a_truth_with_tunnels_and_one_without_are_measured():
    rows = list(volumes.matching_rows(1, size=24))
    assert [row.job.split(", ")[1] for row in rows] == ["spatial", "betti"] * 2
    assert [row.required for row in rows] == [1 / 2, 1 / 4] * 2
    assert all(row.peer == "the same, rank" and row.ratio > 0 for row in rows)
    tunnels = [volumes.true_tunnels(inputs.volume_pair(64, seed)) for seed in volumes.SEEDS]
    assert tunnels[0] > 0 == tunnels[1]


@pytest.mark.parametrize("reason", [None, "it left"])
def test_a_peer_that_cannot_run_is_named_and_nothing_is_required_of_it(reason, monkeypatch):
    def run_once(size):
        if reason is not None:
            raise Unavailable(reason)
        return matchings.Once(3600.0)

    monkeypatch.setattr(matchings, "run_once", run_once)
    rows = list(volumes.floor_rows(1, size=24))
    assert [row.peer for row in rows] == ["np.argsort", "np.argsort", matchings.PEER]
    assert all(row.required is not None and row.ratio > 0 for row in rows[:2])
    assert rows[2].required == (None if reason else 10)
    assert rows[2].theirs == (None if reason else pytest.approx(3.6e6))
    assert ("it left" in table(rows)) == (reason is not None)


def test_the_tubes_have_their_share_above_the_floor():
    logits, truth = inputs.tubes(64)
    assert np.mean(1 / (1 + np.exp(-logits)) > 0.001) == pytest.approx(0.013, rel=0.01)
    assert 0.5 < np.mean(truth) / 0.013 < 1


@pytest.mark.parametrize(
    ("stderr", "note"),
    [
        ("...\nMemoryError: std::bad_alloc", "more than 8 GiB"),
        ("...\nbenchmarks.harness.Unavailable: it is not in .bench", "it is not in .bench"),
        ("", "status 9"),
    ],
)
def test_what_ends_a_peer_in_its_own_process_is_told(stderr, note, monkeypatch):
    answer = SimpleNamespace(returncode=9, stderr=stderr, stdout="")
    monkeypatch.setattr(matchings.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(Unavailable, match=note):
        matchings.run_once(8)


def test_a_peer_that_takes_too_long_is_ended(monkeypatch):
    def run(arguments, timeout, **_):
        raise subprocess.TimeoutExpired(arguments, timeout)

    monkeypatch.setattr(matchings.subprocess, "run", run)
    with pytest.raises(Unavailable, match="more than 180 s for 8x8x8"):
        matchings.run_once(8)


def test_the_memory_of_each_matching_has_a_row(monkeypatch):
    amounts = {"rank": 30.0, "spatial": 60.0, "betti": 90.0}
    monkeypatch.setattr(memory, "bytes_per_pixel", lambda name, *_: amounts[name])
    rows = list(volumes.loss_memory_rows(1))
    assert [(row.ours, row.theirs) for row in rows] == [(60, 30), (90, 30)] * 2
    assert [row.size for row in rows] == ["96x96x96"] * 2 + ["128x128x128"] * 2
    assert all(row.unit == "B/voxel" and row.required is None for row in rows)
