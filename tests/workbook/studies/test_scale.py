"""Costs of many images: what is drawn, stored, done and fitted."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import dask
import distributed
import numpy as np
import pandas as pd
import pytest
import zarr

from toposeg_lite import metrics
from toposeg_lite.losses import LOSSES
from toposeg_lite.workbook.studies import scale
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.costs import CostLine, fit_cost
from toposeg_lite.workbook.studies.scale import (
    JOBS,
    ScaleCommand,
    draw_patches,
    make_store,
    measure_scale,
    work,
)


def test_patches_are_alike_in_kind_and_differ_from_each_other():
    likelihoods, truths = draw_patches(20, 64, seed=3)
    assert len({likelihood.tobytes() for likelihood in likelihoods}) == 20
    # Ranks: every patch has the same values.
    assert len({np.sort(likelihood.ravel()).tobytes() for likelihood in likelihoods}) == 1
    assert (likelihoods.min(), likelihoods.max()) == (0, 255)
    dice = [metrics.dice(p > scale.LEVEL, t) for p, t in zip(likelihoods, truths, strict=True)]
    assert 0.6 < np.mean(dice) < 0.98  # they share most, and not all
    assert 0.3 < (likelihoods > scale.LEVEL).mean() < 0.36
    errors = [
        metrics.betti_matching_error(p > scale.LEVEL, t)
        for p, t in zip(likelihoods, truths, strict=True)
    ]
    assert np.mean(errors) > 0.5
    again = draw_patches(20, 64, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(again, (likelihoods, truths), strict=True))


@pytest.fixture
def small(monkeypatch):
    """Chunks of 4 patches of 64 x 64, of which a store holds 12."""
    monkeypatch.setattr(scale, "CHUNK", 4)
    monkeypatch.setattr(scale, "STORED", 12)


def stored(path):
    group = zarr.open_group(path, mode="r")
    return [group[name][:] for name in ("likelihoods", "truths")]


def test_a_store_grows_by_chunks_that_are_the_same_in_every_store(tmp_path, small, monkeypatch):
    path = tmp_path / "new" / "64.zarr"
    assert make_store(path, 3, 64) == 4
    for found, drawn in zip(stored(path), draw_patches(4, 64, 0), strict=True):
        np.testing.assert_array_equal(found, drawn)
    asked = []
    monkeypatch.setattr(scale, "draw_patches", lambda *a: asked.append(a) or draw_patches(*a))
    assert make_store(path, 4, 64) == 4
    assert asked == []
    assert make_store(path, 9, 64) == 12
    assert asked == [(4, 64, 4), (4, 64, 8)]
    assert make_store(path, 2, 64) == make_store(path, 1000, 64) == 12  # no more are kept
    assert asked == [(4, 64, 4), (4, 64, 8)]
    assert make_store(tmp_path / "64.zarr", 12, 64) == 12
    for one, other in zip(stored(path), stored(tmp_path / "64.zarr"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_store_whose_making_was_stopped_is_made_to_its_end(tmp_path, small, monkeypatch):
    def stopped(count, side, seed):
        if seed == 8:
            raise KeyboardInterrupt
        return draw_patches(count, side, seed)

    monkeypatch.setattr(scale, "draw_patches", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_store(tmp_path / "64.zarr", 12, 64)
    asked = []
    monkeypatch.setattr(scale, "draw_patches", lambda *a: asked.append(a) or draw_patches(*a))
    assert make_store(tmp_path / "64.zarr", 12, 64) == 12
    assert asked == [(4, 64, 8)]
    expected = [draw_patches(4, 64, low) for low in (0, 4, 8)]
    for k, found in enumerate(stored(tmp_path / "64.zarr")):
        np.testing.assert_array_equal(found, np.concatenate([each[k] for each in expected]))


def test_a_store_of_other_chunks_is_made_anew(tmp_path, small, monkeypatch):
    make_store(tmp_path / "64.zarr", 8, 64)
    monkeypatch.setattr(scale, "CHUNK", 3)
    assert make_store(tmp_path / "64.zarr", 3, 64) == 3
    for found, drawn in zip(stored(tmp_path / "64.zarr"), draw_patches(3, 64, 0), strict=True):
        np.testing.assert_array_equal(found, drawn)


def test_chunks_of_larger_images_have_as_many_pixels(tmp_path, small):
    assert make_store(tmp_path / "128.zarr", 100, 128) == 3
    assert make_store(tmp_path / "1000.zarr", 1, 1000) == 1


def test_jobs_are_the_metrics_and_every_loss():
    assert set(JOBS) == {"report", *LOSSES}


@pytest.mark.parametrize("job", JOBS)
def test_every_job_is_done_to_the_patches_of_its_part(tmp_path, small, monkeypatch, job):
    monkeypatch.setattr(scale, "BATCH", 2)
    make_store(tmp_path / "64.zarr", 8, 64)
    seen = []
    name, place = ("report", metrics) if job == "report" else ("_lose", scale)
    real = getattr(place, name)

    def spy(*arguments, **options):
        seen.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(place, name, spy)
    done = work(str(tmp_path / "64.zarr"), job, 4, 3)
    assert 50 < done.peak_mb < 10**5
    assert done.cpu_seconds >= 0
    likelihoods, truths = draw_patches(4, 64, 4)
    if job == "report":
        assert len(seen) == 3
        for (prediction, truth), k in zip(seen, range(3), strict=True):
            np.testing.assert_array_equal(prediction, likelihoods[k] > scale.LEVEL)
            np.testing.assert_array_equal(truth, truths[k])
    else:
        assert [len(some) for _, some, _ in seen] == [2, 1]  # batches bound the memory
        assert {kind for kind, _, _ in seen} == {job}
        np.testing.assert_array_equal(
            np.concatenate([some for _, some, _ in seen]), likelihoods[:3]
        )
        np.testing.assert_array_equal(np.concatenate([some for _, _, some in seen]), truths[:3])


def test_parts_hold_every_image_once_and_begin_anew_where_the_store_ends():
    for count, size, held in ((1, 4, 4), (8, 4, 8), (9, 4, 12), (30, 4, 12), (7, 1, 3)):
        lows, sizes = scale._parts(count, size, held)
        places = [low + k for low, some in zip(lows, sizes, strict=True) for k in range(some)]
        assert places == [k % held for k in range(count)]
        assert all(low % size == 0 and some <= size for low, some in zip(lows, sizes, strict=True))


def test_workers_do_all_chunks(tmp_path, small):
    table = measure_scale(tmp_path, "report", [30, 2], workers=2, side=64)
    assert table.columns.tolist() == list(scale.COLUMNS)
    assert table["count"].tolist() == [2, 30]
    assert (table["workers"] == 2).all()
    assert (table[["seconds", "cpu_seconds"]] > 0).all(axis=None)
    np.testing.assert_allclose(table["images_per_second"], table["count"] / table["seconds"])
    assert (table["peak_mb"] > 50).all()
    assert 1000 < table["bytes_per_image"][0] < 2 * 64 * 64


# A process that has held so many megabytes starts one that does a task; both say their peaks.
FAT = """
import subprocess, sys
from toposeg_lite.memory import peak_memory

held = bytearray(b"x") * (int(sys.argv[2]) * 2**20)
del held
slim = (
    "import sys; from toposeg_lite.workbook.studies.scale import work;"
    "print(work(sys.argv[1], 'dice_bce', 0, 2).peak_mb)"
)
run = subprocess.run([sys.executable, "-c", slim, sys.argv[1]], stdout=subprocess.PIPE, check=True)
print(peak_memory() / 2**20, float(run.stdout))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere peaks are not inherited")
def test_the_peak_of_a_worker_is_not_that_of_the_process_that_started_it(tmp_path, small):
    make_store(tmp_path / "64.zarr", 2, 64)
    peaks = {}
    for held in (10, 1200):
        run = subprocess.run(
            [sys.executable, "-c", FAT, str(tmp_path / "64.zarr"), str(held)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        peaks[held] = [float(word) for word in run.stdout.split()]
    (slim, worker), (fat, other) = peaks.values()
    assert slim < 300
    assert fat > 1200
    assert 50 < worker < 1000  # it imports torch, and holds nothing
    assert other == pytest.approx(worker, rel=0.1)


def test_a_row_without_a_peak_is_read_kept_and_printed(tmp_path, asked, capsys):
    """Where a system does not tell the peak, or nobody has measured it anew."""
    results = tmp_path / "scale.csv"
    pd.DataFrame([row("morse", 1, 10, peak_mb=np.nan), row("morse", 1, 20)]).to_csv(
        results, index=False
    )
    ScaleCommand(jobs=("morse",), counts=(10, 30), workers=(1,), results=str(results)).run()
    assert asked == [("morse", 1, 30)]
    assert pd.read_csv(results)["peak_mb"].tolist() == pytest.approx(
        [np.nan, 300, 300], nan_ok=True
    )
    text = capsys.readouterr().out
    assert "| unknown |" in text
    assert "| 300 MB |" in text


def test_the_workers_keep_no_profile_which_would_grow_with_the_time(tmp_path, small, monkeypatch):
    asked = []
    real = scale.open_client

    @contextmanager
    def opened(*arguments):
        with real(*arguments) as client:
            found = client.run(dask.config.get, "distributed.worker.profile.enabled")
            asked.extend(found.values())
            yield client

    monkeypatch.setattr(scale, "open_client", opened)
    measure_scale(tmp_path, "dice_bce", [2], 1, side=16)
    assert asked == [False]
    assert dask.config.get("distributed.worker.profile.enabled")  # for others it is as it was


def test_one_measurement_follows_the_other(tmp_path):
    """Of a process that has not imported Dask before, whose settings must outlive the first."""
    code = (
        "import sys; from toposeg_lite.workbook.studies.scale import measure_scale\n"
        "for count in (2, 3): measure_scale(sys.argv[1], 'dice_bce', [count], 1, side=16)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr


def test_a_cluster_that_is_there_has_its_own_workers(tmp_path, small, capsys):
    """A row must not say of how many workers it is if the cluster has others."""
    words = ["scale", "--scheduler", "tcp://127.0.0.1:1", "--store", str(tmp_path)]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "workers must be one number, that of the threads of tcp://127.0.0.1:1" in told
    assert "got 1, 2" in told
    assert list(tmp_path.iterdir()) == []
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
        host="127.0.0.1", protocol="tcp",
    ) as cluster:  # fmt: skip
        options = {"scheduler": cluster.scheduler_address, "side": 16}
        with pytest.raises(ValueError, match=r"the cluster of tcp://.* has, 2; got 3"):
            measure_scale(tmp_path, "dice_bce", [2], 3, **options)
        table = measure_scale(tmp_path, "dice_bce", [2], 2, **options)
    assert table["workers"].tolist() == [2]


def costs(counts, seconds, workers=1):
    seconds = np.asarray(seconds, float)
    return pd.DataFrame({"workers": workers, "count": counts, "cpu_seconds": seconds,
                         "seconds": 2 * seconds / workers})  # fmt: skip


def test_a_line_is_fitted_through_relative_errors():
    rows = costs([100, 1000, 10000], [2.0, 11.0, 101.0], workers=2)
    line = fit_cost(rows)
    assert line == pytest.approx((1, 0.01, 0.01, 0.01))
    assert fit_cost(rows, "seconds") == pytest.approx((2, 0.02, 0.02, 0.02))  # the workers' sum
    # Twice as slow at one count pulls the line no further than half of the way.
    rows.loc[0, "cpu_seconds"] = 4.0
    line = fit_cost(rows)
    assert 1 < line.start < 3
    assert line.cost == pytest.approx(0.01, rel=0.1)
    with pytest.raises(ValueError, match=r"two or more counts; got \[100"):
        fit_cost(rows.iloc[:1])
    two = fit_cost(rows.iloc[1:])
    assert two == pytest.approx((1, 0.01, 0, np.inf))  # a line fits any two points


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator, counts = np.random.default_rng(0), np.array([1e3, 1e4, 1e5, 1e3, 1e4, 1e5])
    hits, narrow = 0, 0
    for _ in range(2000):
        noise = 1 + 0.05 * generator.standard_normal(6)
        line = fit_cost(costs(counts, (2 + 0.004 * counts) * noise))
        assert line.low < line.cost < line.high
        hits += line.low < 0.004 < line.high
        narrow += line.low > 0.0035
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)
    assert narrow > 1000


def test_a_prediction_by_hand():
    line = CostLine(start=4.0, cost=0.001, low=0.0005, high=0.002)
    assert line.predict(10**6, cores=4) == pytest.approx((251, 126, 501))
    assert line.predict(10**6) == pytest.approx((1004, 504, 2004))


def row(job, workers, count, side=64, **other):
    return {"job": job, "side": side, "workers": workers, "count": count,
            "seconds": (1 + 0.0072 * count) / workers, "cpu_seconds": 0.0036 * count,
            "images_per_second": 1.0, "peak_mb": 300.0, "bytes_per_image": 4000.0,
            "load": 0.5} | other  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What the command measures, without doing it; "stop" in it is where it is interrupted."""
    asked = []

    def measured(store, job, counts, workers, side, scheduler):
        for count in counts:
            asked.append((job, workers, count))
            if "stop" in asked:
                raise KeyboardInterrupt
            yield row(job, workers, count, side)

    monkeypatch.setattr(scale, "_measured", measured)
    return asked


def test_the_command_prints_what_a_million_would_take(tmp_path, asked, capsys):
    results = tmp_path / "new" / "scale.csv"
    table = ScaleCommand(jobs=("report",), counts=(1000, 10000), results=str(results)).run()
    text = capsys.readouterr().out
    assert "report, 10,000 of 64 x 64, workers 2: 36.5 s, 49% of the cores\n" in text
    assert "| report | 10,000 of 64 x 64 | 2 | 36.5 s | 1 | 3.6 ms | 49% | 300 MB |" in text
    assert "less than 80% of their cores" in text
    line = "| report | 64 x 64 | 3.6 ms | 3.6 to 3.6 | 30.0 min | 56.2 s | 3.6 s | 1.0 h |"
    assert line in text
    assert len(pd.read_csv(results)) == len(table) == 4
    assert main(["scale", "--jobs", "none"]) == 1
    assert main(["scale", "--results", "x.json"]) == 1
    assert main(["scale", "--counts", "0"]) == 1


def test_what_is_measured_is_kept_and_not_measured_again(tmp_path, asked):
    results = str(tmp_path / "scale.csv")
    command = ScaleCommand(jobs=("report", "morse"), counts=(10, 20), workers=(2,), results=results)
    first = scale._measured

    def stops(*arguments):
        for one in first(*arguments):
            if (one["job"], one["count"]) == ("morse", 20):
                raise KeyboardInterrupt
            yield one

    scale._measured = stops
    with pytest.raises(KeyboardInterrupt):
        command.run()
    scale._measured = first
    assert len(pd.read_csv(results)) == 3
    asked.clear()
    table = command.run()
    assert asked == [("morse", 2, 20)]
    assert len(table) == 4
    asked.clear()
    ScaleCommand(jobs=("report",), counts=(20, 5), workers=(1, 2), results=results).run()
    assert asked == [("report", 1, 5), ("report", 1, 20), ("report", 2, 5)]
    other = ScaleCommand(jobs=("report",), counts=(20,), workers=(1,), side=16, results=results)
    table = other.run()
    assert table["side"].tolist() == [16] + 7 * [64]
    assert table["job"].tolist() == ["report"] * 6 + ["morse"] * 2
    pd.testing.assert_frame_equal(pd.read_csv(results).sort_values(["side", "count"])[["count"]]
                                  .reset_index(drop=True),
                                  table.sort_values(["side", "count"])[["count"]]
                                  .reset_index(drop=True))  # fmt: skip


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("job,side\nreport,64\n", "it lacks workers, count, seconds"),
        ("", "no table of measurements that can be read"),
        (pd.DataFrame([row("none", 1, 2)]).to_csv(index=False), "each job must be one of"),
        (
            pd.DataFrame([row("morse", 1, 2, side="x")]).to_csv(index=False),
            "no table of measurements",
        ),
    ],
)
def test_a_damaged_file_of_results_is_named_and_left_alone(tmp_path, asked, content, text, capsys):
    results = tmp_path / "scale.csv"
    results.write_text(content)
    assert main(["scale", "--results", str(results), "--counts", "10"]) == 1
    assert text in capsys.readouterr().err
    assert results.read_text() == content
    assert asked == []


def test_times_are_told_in_the_unit_that_suits():
    told = [scale._time(seconds) for seconds in (0.5, 59, 90, 7200, 200_000)]
    assert told == ["0.5 s", "59.0 s", "1.5 min", "2.0 h", "2.3 days"]
