"""The study of the orders of questions, in small, and its tables by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from curve_images import bright_curves, curve_data

from toposeg_lite import metrics
from toposeg_lite.annotation import AnnotationSession, StructureRanking, simulate_annotator
from toposeg_lite.data import Sample
from toposeg_lite.training import TrainConfig
from toposeg_lite.workbook.studies import orders
from toposeg_lite.workbook.studies.__main__ import main

DATA = curve_data(test=(3, 4))
NAMES = [name for name, _, _ in orders.ORDERS]


def middle(one):
    """Return the middle 48 of the 56 columns."""
    return Sample(one.name, one.image[:, :, 4:52].copy(), one.mask[:, 4:52].copy())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Run the study once on two small test images."""
    config = TrainConfig(weight=0.0, steps=12, patch=32, width=4, depth=2, light=0.0)
    folder = tmp_path_factory.mktemp("orders")
    options = orders.OrderOptions(draws=2, measurements=8, min_persistence=0.01, window=48)

    def run(data=None, **more):
        chosen = replace(options, **more)
        return orders.order_study(data or DATA, config, folder, chosen, progress=False)

    return run, run(), folder, config


def test_every_image_has_an_area_for_each_order_and_metric(study):
    _, results, _, _ = study
    assert list(results["images"]) == ["s3", "s4"]
    for entry in results["images"].values():
        assert list(entry["area"]) == NAMES
        assert all(list(areas) == list(orders.METRICS) for areas in entry["area"].values())
        assert 0 < entry["real"] < entry["branches"]
    assert json.loads(json.dumps(results)) == results
    assert list(results["curves"]) == NAMES


def test_areas_are_those_of_the_simulated_annotator(study):
    _, results, folder, config = study
    cut = {
        "train": [middle(bright_curves(k)) for k in (0, 1)],
        "validation": [middle(bright_curves(2))],
    }
    model = orders._fit(DATA, cut, config, folder, 0.01, False)
    test = middle(bright_curves(4))
    session = AnnotationSession(test.image, StructureRanking(model))
    entry = results["images"]["s4"]
    assert entry["branches"] == len(session.branches)
    options = {"every": max(1, len(session.branches) // 8), "tolerance": 1.0, "mixed": "leave"}
    for name in ("uncertainty", "doubt", "gain", "persistence", "pixel-entropy"):
        curve = simulate_annotator(session, test.mask, order=name, **options)
        for metric, area in entry["area"][name].items():
            assert area == pytest.approx(curve.area(metric), abs=1e-5)
    draws = [
        simulate_annotator(session, test.mask, order="random", seed=s, **options) for s in (0, 1)
    ]
    found = np.mean([curve.area("cldice") for curve in draws])
    assert entry["area"]["random"]["cldice"] == pytest.approx(found, abs=1e-5)
    learning = AnnotationSession(test.image, StructureRanking(model), learn="always")
    curve = simulate_annotator(learning, test.mask, order="doubt", **options)
    assert entry["area"]["doubt, learning"]["cldice"] == pytest.approx(
        curve.area("cldice"), abs=1e-5
    )
    first = metrics.betti_matching_error(session.mask(), test.mask)
    assert entry["start"]["betti_matching_error"] == first
    assert entry["end"]["cldice"] == pytest.approx(curve.scores["cldice"][-1], abs=1e-5)


def test_curves_are_means_from_the_first_mask_to_the_last(study):
    _, results, _, _ = study
    for metric in orders.METRICS:
        ends = [[e[key][metric] for e in results["images"].values()] for key in ("start", "end")]
        for name in NAMES:
            curve = results["curves"][name][metric]
            assert len(curve) == 21
            assert [curve[0], curve[-1]] == pytest.approx(np.mean(ends, axis=1), abs=1e-4)


def test_a_study_goes_on_where_it_stopped_and_gives_the_same_numbers(study):
    run, results, folder, _ = study
    kept = folder / "s3.json"
    before = kept.stat().st_mtime_ns
    (folder / "s4.json").unlink()
    assert run() == results
    assert kept.stat().st_mtime_ns == before
    (folder / "unet-0.safetensors").unlink()  # everything is simulated: nothing is trained again
    assert run() == results
    assert not (folder / "unet-0.safetensors").exists()
    with pytest.raises(ValueError, match="holds another study"):
        run(draws=3)
    with pytest.raises(ValueError, match="the data set 'small' has no test images"):
        run(curve_data(test=()))


def by_hand():
    """Return results of four images in which everything is known."""
    areas = {
        "doubt": ([1, 2, 3, 4], [0.9, 0.8, 0.9, 0.8]),
        "persistence": ([2, 4, 3, 6], [0.8, 0.9, 0.8, 0.7]),
        "random": ([3, 5, 7, 9], [0.5, 0.5, 0.5, 0.5]),
    }
    images = {
        f"i{k}": {
            "area": {
                name: {"betti_matching_error": b[k], "cldice": c[k], "variation_of_information": 0}
                for name, (b, c) in areas.items()
            }
        }
        for k in range(4)
    }
    return {"about": {"config": {"seed": 0}}, "images": images}


def test_the_table_compares_with_random_and_persistence():
    table = orders.order_tables(by_hand(), "betti_matching_error")
    assert table["area"].to_dict() == {"doubt": 2.5, "persistence": 3.75, "random": 6.0}
    row = table.loc["doubt"]
    assert row["minus random"] == -3.5
    assert (row["better than random"], row["p (random)"]) == (4, 0.125)  # 2 of 16 flips
    assert row["minus persistence"] == -1.25
    # The third difference is 0, so its flips change nothing: 2 of 8 are as extreme.
    assert (row["better than persistence"], row["p (persistence)"]) == (3, 0.25)
    assert np.isnan(table.loc["random", "minus random"])
    assert np.isnan(table.loc["persistence", "p (persistence)"])


def test_more_cldice_is_better():
    row = orders.order_tables(by_hand(), "cldice").loc["doubt"]
    assert row["minus persistence"] == pytest.approx(0.05)
    assert (row["better than random"], row["better than persistence"]) == (4, 3)
    with pytest.raises(ValueError, match="metric must be one of"):
        orders.order_tables(by_hand(), "dice")


def test_the_command_writes_and_prints_the_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(orders, "load_dataset", lambda name, root: DATA)
    monkeypatch.setattr(orders, "ORDERS", orders.ORDERS[-3:])
    results = tmp_path / "orders.json"
    words = ["--datasets", "brick", "--out", str(tmp_path / "runs"), "--results", str(results)]
    assert main(["orders", *words, "--steps", "2", "--patch", "32"]) == 0
    found = orders.read_orders(results)
    assert found == json.loads(results.read_text())
    assert list(found["brick"]["images"]) == ["s3", "s4"]
    assert found["brick"]["about"]["config"]["steps"] == 2
    said = capsys.readouterr().out
    assert "brick, 2 images: area under the curve of cldice" in said
    table = orders.order_tables(found["brick"], "cldice").round(4)
    assert f"{table.loc['persistence', 'area']:.4f}" in said
    assert main(["orders", *words, "--steps", "3", "--patch", "32"]) == 1
    assert "orders.json holds other results: steps is 2" in capsys.readouterr().err
    assert main(["orders", *words[:-2], "--steps", "3", "--patch", "32"]) == 1
    assert "holds another study" in capsys.readouterr().err
    # Another data set comes to those that the file holds.
    words[1] = "roads"
    assert main(["orders", *words, "--steps", "2", "--patch", "32"]) == 0
    both = orders.read_orders(results)
    assert list(both) == ["brick", "roads"]
    assert both["brick"] == found["brick"]


def test_the_results_of_the_workbook_are_those_of_the_command():
    found = orders.read_orders()
    assert {name: len(one["images"]) for name, one in found.items()} == {
        "chase_db1": 8,
        "isbi2012_membranes": 5,
        "crackforest": 34,
    }
    for results in found.values():
        assert list(results["curves"]) == NAMES
        for metric in orders.METRICS:
            table = orders.order_tables(results, metric)
            means = [
                np.mean([i["area"][n][metric] for i in results["images"].values()]) for n in NAMES
            ]
            np.testing.assert_allclose(table["area"], means)
