"""``tools/compare_head_weights.py``, on a study of calibration in small."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from curve_images import curve_data
from scipy.special import expit, logit

from toposeg_lite.models import UNet
from toposeg_lite.structures import StructureModel
from toposeg_lite.training import TrainConfig, load_checkpoint
from toposeg_lite.workbook.studies import calibration

ROOT = Path(__file__).resolve().parents[3]
_spec = importlib.util.spec_from_file_location("heads", ROOT / "tools" / "compare_head_weights.py")
heads = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(heads)


DATA = curve_data()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a study of one seed on four small images."""
    place = tmp_path_factory.mktemp("study")
    config = TrainConfig(weight=0.0, steps=12, patch=32, width=4, depth=2, light=0.0)
    options = calibration.CalibrationOptions(
        seeds=(1,), passes=1, threshold_steps=1, min_persistence=1e-3
    )
    calibration.calibration_study(DATA, config, place, options, progress=False)
    return place


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(heads, "load_dataset", lambda name, root: DATA)


def test_the_rows_by_length_are_those_of_the_study(folder, small, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    results = tmp_path / "heads.csv"
    assert heads.main([str(folder), "--results", str(results)]) == 0
    assert "by length: 0.0e+00 from the study" in capsys.readouterr().out
    table = pd.read_csv(results)
    assert table["weights"].tolist() == ["length", "length", "count", "count"]
    assert table["scaled"].tolist() == [False, True] * 2
    assert set(table["seed"]) == {1}
    stored, _ = calibration.read_calibration(folder / "study.json")
    stored = stored[stored["method"] == "branch"]
    for name in ("error", "error_by_length", "accuracy", "branches"):
        np.testing.assert_allclose(table[name][:2], stored[name], rtol=1e-5)
    assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == before


def probabilities(head, one):
    """Return what a head says of the branches of an image, which are real, and their lengths."""
    (found,) = head.distribution(torch.from_numpy(one.image)[None])
    real = [one.mask[found.branches.owner == k].mean() >= 0.5 for k in range(len(found.branches))]
    return found.uncertainty().probability, np.array(real), found.branches.length


def test_the_rows_by_count_are_of_a_head_that_counts_each_branch_once(folder, small):
    def around(name):
        # As in the study: sums of another layout differ, and 300 steps make more of it.
        unet = UNet(1, width=4, depth=2, seed=1).to(memory_format=torch.channels_last)
        unet = load_checkpoint(folder / f"{name}.safetensors").model(unet)
        return StructureModel(unet, mode="branch", weigh_by="count", min_persistence=1e-3, seed=1)

    head, found, outcomes = around("unet-1"), [], []
    for k, one in enumerate(DATA.train):
        (distribution,) = around(f"unet-1-without-{k}").distribution(torch.tensor(one.image[None]))
        found.append(distribution)
        outcomes.append(distribution.branches.fraction_on(one.mask))
    head.learn(found, outcomes, seed=1)
    rows = pd.DataFrame(heads.compare(folder, 1)).set_index(["weights", "scaled"])
    chance, real, length = probabilities(head, DATA.test[0])
    temperature = rows.loc[("count", True), "temperature"]
    for scaled, p in ((False, chance), (True, expit(logit(chance) / temperature))):
        row = rows.loc[("count", scaled)]
        cost = -np.log(np.where(real, p, 1 - p))
        assert row["nll"] == pytest.approx(cost.mean())
        assert row["nll_by_length"] == pytest.approx((length * cost).sum() / length.sum())
        assert row["accuracy"] == ((p >= 0.5) == real).mean()
    # The temperature is that of the validation image: any other makes it likelier nowhere.
    chance, real, _ = probabilities(head, DATA.validation[0])
    costs = [
        np.logaddexp(0, np.where(real, -1, 1) * logit(chance) / t).sum()
        for t in temperature * np.array([0.99, 1, 1.01])
    ]
    assert costs[1] == min(costs)
    lengths = rows.loc[("length", False)]
    assert lengths["nll"] != rows.loc[("count", False), "nll"]
    assert lengths["branches"] == len(length)


def test_scores_of_branches_counted_by_hand():
    # Three at 80 %, two of them real; one at 20 % that is not. Lengths 4, 2, 1 and 3.
    found = heads.scores(
        np.array([0.8, 0.8, 0.8, 0.2]), np.array([1, 1, 0, 0], bool), np.array([4.0, 2.0, 1.0, 3.0])
    )
    far, near = np.log(5), np.log(1.25)  # what 20 % costs, what 80 % does
    assert found == pytest.approx({
        "error": 0.75 * (0.8 - 2 / 3) + 0.25 * 0.2,
        "error_by_length": 0.7 * (6 / 7 - 0.8) + 0.3 * 0.2,
        "nll": (3 * near + far) / 4,
        "nll_by_length": (9 * near + far) / 10,
        "accuracy": 0.75,
        "accuracy_by_length": 0.9,
        "branches": 4,
    })  # fmt: skip


def test_a_folder_without_a_network_is_refused_and_nothing_is_trained(folder, small, tmp_path):
    place = shutil.copytree(folder, tmp_path / "part")
    (place / "unet-1-without-1.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no finished study: it has no unet-1-without-1"):
        heads.compare(place, 1)
    assert not (place / "unet-1-without-1.safetensors").exists()
