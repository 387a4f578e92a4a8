"""Costs of many images: what is drawn, stored, done and fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import zarr

from toposeg_lite import metrics
from toposeg_lite.workbook.studies import scale
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.scale import (
    JOBS,
    ScaleCommand,
    draw_patches,
    fit_cost,
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


def test_a_store_is_made_once_and_anew_where_it_is_not_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "CHUNK", 4)
    path = tmp_path / "new" / "64.zarr"
    make_store(path, 6, 64)
    group = zarr.open_group(path, mode="r")
    expected = [draw_patches(4, 64, 0), draw_patches(2, 64, 4)]
    for k, name in enumerate(("likelihoods", "truths")):
        np.testing.assert_array_equal(group[name][:], np.concatenate([e[k] for e in expected]))
    drawn = []
    real = draw_patches
    monkeypatch.setattr(scale, "draw_patches", lambda *a: drawn.append(a) or real(*a))
    make_store(path, 6, 64)
    assert not drawn
    zarr.open_group(path, mode="a").attrs["count"] = 0  # as one that was killed leaves it
    make_store(path, 6, 64)
    assert drawn == [(4, 64, 0), (2, 64, 4)]
    make_store(path, 9, 64)
    assert zarr.open_group(path, mode="r")["truths"].shape == (9, 64, 64)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_is_done_to_the_patches_of_its_chunk(tmp_path, monkeypatch, job):
    make_store(tmp_path / "16.zarr", 5, 16)
    seen = []
    name, place = ("report", metrics) if job == "report" else ("_lose", scale)
    real = getattr(place, name)

    def spy(*arguments, **options):
        seen.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(place, name, spy)
    peak = work(str(tmp_path / "16.zarr"), job, 1, 3)
    assert 50 < peak < 10**5
    likelihoods, truths = draw_patches(5, 16, 0)
    if job == "report":
        assert len(seen) == 3
        for (prediction, truth), k in zip(seen, (1, 2, 3), strict=True):
            np.testing.assert_array_equal(prediction, likelihoods[k] > scale.LEVEL)
            np.testing.assert_array_equal(truth, truths[k])
    else:
        ((name, some, others),) = seen
        assert name == job
        np.testing.assert_array_equal(some, likelihoods[1:4])
        np.testing.assert_array_equal(others, truths[1:4])


def test_workers_do_all_chunks(tmp_path, monkeypatch):
    table = measure_scale(tmp_path, "report", [5, 2], workers=2, side=16)
    assert table["count"].tolist() == [2, 5]
    assert (table["workers"] == 2).all()
    assert (table["seconds"] > 0).all()
    np.testing.assert_allclose(table["images_per_second"], table["count"] / table["seconds"])
    assert (table["peak_mb"] > 50).all()


def test_a_line_is_fitted_through_relative_errors():
    rows = pd.DataFrame({"workers": 1, "count": [100, 1000, 10000], "seconds": [2.0, 11.0, 101.0]})
    start, cost = fit_cost(rows)
    assert (start, cost) == pytest.approx((1, 0.01))
    # Twice as slow at one count pulls the line no further than half of the way.
    rows.loc[0, "seconds"] = 4.0
    start, cost = fit_cost(rows)
    assert 1 < start < 3
    assert cost == pytest.approx(0.01, rel=0.1)
    with pytest.raises(ValueError, match=r"two or more counts; got \[100"):
        fit_cost(rows.iloc[:1])


def test_the_command_prints_what_a_million_would_take(tmp_path, monkeypatch, capsys):
    def measured(store, job, counts, workers, side):
        return pd.DataFrame(
            [{"job": job, "side": side, "workers": workers, "count": count,
              "seconds": (1 + 0.0072 * count) / workers, "images_per_second": 1.0,
              "peak_mb": 300.0} for count in counts]
        )  # fmt: skip

    monkeypatch.setattr(scale, "measure_scale", measured)
    results = tmp_path / "new" / "scale.csv"
    table = ScaleCommand(jobs=("report",), results=str(results)).run()
    text = capsys.readouterr().out
    assert "| report | 10,000 | 2 | 36.5 s | 1 | 300 MB |" in text
    assert "| report | 7.2 ms | 1.0 h | 1.9 min | 7.2 s |" in text
    assert len(pd.read_csv(results)) == len(table) == 4
    assert main(["scale", "--jobs", "none"]) == 1
    assert main(["scale", "--results", "x.json"]) == 1
