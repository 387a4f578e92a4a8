"""Chapter 09 on every data set and with every loss, by papermill, with a budget of seconds."""

from __future__ import annotations

import json
import os
from itertools import cycle, product

import numpy as np
import pytest

from toposeg_lite.data import list_datasets
from toposeg_lite.losses import LOSSES
from toposeg_lite.workbook.studies.notebook import run_notebook

DATA = os.environ.get("TOPOSEG_DATA")
OFFLINE = ("retina", "brick", "vessels", "membranes", "cracks", "roads", "lanes", "tubes")
UNTRAINABLE = ("betti_matching_examples",)  # it has no images to train on
FETCHED = [name for name in list_datasets() if name not in OFFLINE + UNTRAINABLE]
# So large a step that the little network soon says the same of nearly every pixel: noise would take
# minutes to score.
SMALL = {
    "weight": 0.1, "learning_rate": 0.2, "pretrain_steps": 4, "finetune_steps": 2, "batch": 2,
    "width": 2, "options": {"depth": 2},
}  # fmt: skip

pytestmark = pytest.mark.notebook


def covering():
    """Pair every data set that comes with the library with a loss, and every loss with one."""
    flat = [name for name in LOSSES if name != "topograph"]  # which is a loss of images alone
    pairs = [*zip(OFFLINE, cycle(flat), strict=False), ("brick", "topograph")]
    assert {loss for _, loss in pairs} == set(LOSSES)
    return pairs


def check_run(dataset, loss, out):
    three = dataset in ("tubes", "vesselnn_3d")
    values = SMALL | {"dataset": dataset, "loss": loss, "patch": 8 if three else 16}
    folder = run_notebook(values | {"out": str(out)})
    results = json.loads((folder / "metrics.json").read_text())
    assert results["parameters"]["dataset"] == dataset
    assert results["parameters"]["loss"] == loss
    assert results["chosen_weight"] == 0.1
    assert list(results["test"]) == ["parent", "control", loss]
    errors = [f"betti_{k}_error" for k in range(3 if three else 2)]
    images = {tuple(rows) for rows in results["test"].values()}
    assert len(images) == 1  # every network is scored on the same images
    for rows in results["test"].values():
        for row in rows.values():
            for metric in ("dice", "cldice", *errors):
                assert np.isfinite(row[metric])
            assert 0 <= row["dice"] <= 1
            assert row["betti_error"] == pytest.approx(sum(row[error] for error in errors))
    assert results["verdict"]["sentence"]
    assert {"report.html", "comparison.png"} <= {file.name for file in folder.iterdir()}


def test_the_list_covers_what_there_is():
    assert set(OFFLINE) | set(FETCHED) | set(UNTRAINABLE) == set(list_datasets())
    assert {dataset for dataset, _ in covering()} == set(OFFLINE)
    assert {loss for _, loss in covering()} == set(LOSSES)


@pytest.mark.parametrize(("dataset", "loss"), covering())
def test_every_data_set_and_every_loss_once(dataset, loss, tmp_path):
    check_run(dataset, loss, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("dataset", "loss"), [pair for pair in product(OFFLINE, LOSSES) if pair not in covering()]
)
def test_every_data_set_with_every_loss(dataset, loss, tmp_path):
    check_run(dataset, loss, tmp_path)


@pytest.mark.nightly
@pytest.mark.skipif(not DATA, reason="TOPOSEG_DATA names no folder with the benchmarks")
@pytest.mark.parametrize(("dataset", "loss"), list(product(FETCHED, LOSSES)))
def test_every_benchmark_with_every_loss(dataset, loss, tmp_path):
    check_run(dataset, loss, tmp_path)
