"""Two people beside each other, and parents that are trained until nothing changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toposeg_lite import further_metrics, metrics
from toposeg_lite.data import Sample
from toposeg_lite.data.benchmarks import chase_db1
from toposeg_lite.training import TrainConfig, load_checkpoint
from toposeg_lite.workbook.studies import observers
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.observers import compare_observers


@pytest.fixture
def drawn(monkeypatch):
    """Small masks of two people in place of the real ones: the second draws half of each line."""
    real = observers.chase_db1

    class Drawn:
        labels = "foreground"

        def __init__(self, root=None, *, observer):
            del root
            for split, names in {"train": "ab", "validation": "c", "test": "de"}.items():
                setattr(self, split, [self.sample(name, observer) for name in names])

        def sample(self, name, observer):
            mask = np.zeros((9, 12), bool)
            mask[3:6, 1 : 11 if observer == 1 else 6] = True
            if name == "e" and observer == 2:
                mask[3:6, 3] = False  # a break
            return Sample(name, np.zeros((1, 9, 12), np.float32), mask)

    monkeypatch.setattr(observers, "chase_db1", Drawn)
    return real


def test_the_second_is_scored_as_a_prediction_of_the_first(drawn):
    table = compare_observers()
    assert table.index.tolist() == [
        ("train", "a"), ("train", "b"), ("validation", "c"), ("test", "d"), ("test", "e"),
    ]  # fmt: skip
    # 15 of 30 pixels: 2 * 15 / 45; with the break 12: 24 / 42.
    assert table["dice"].tolist() == pytest.approx([2 / 3] * 4 + [4 / 7])
    assert table["topology_precision"].tolist() == [1] * 5
    assert table["betti_0_error"].tolist() == [0, 0, 0, 0, 1]
    assert (table["topology_sensitivity"] < 0.7).all()


def test_the_command_puts_networks_beside_people(drawn, tmp_path, capsys):
    study = tmp_path / "study.csv"
    rows = [("control", "d", 0.5), ("control", "e", 0.7), ("arm", "d", 0.9), ("arm", "e", 0.7)]
    pd.DataFrame(rows, columns=["network", "image", "dice"]).to_csv(study, index=False)
    results = tmp_path / "new" / "observers.csv"
    assert main(["observers", "--study", str(study), "--results", str(results)]) == 0
    lines = [line.split("|") for line in capsys.readouterr().out.strip().splitlines()]
    dice = {line[1].strip(): line[2].strip() for line in lines[2:]}
    assert dice == {
        "observer 2, all images": "0.648",
        "observer 2, test images": "0.619",
        "control, test images": "0.600",
        "arm, test images": "0.800",
    }
    kept = pd.read_csv(results).set_index(["split", "image"])
    np.testing.assert_allclose(kept["dice"], compare_observers()["dice"], rtol=1e-5)


def test_bad_input_is_refused_before_anything_is_scored(drawn, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("network,image,dice\ncontrol,x,0.5\n")
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n1,2\n")
    for arguments, text in [
        (["--results", str(tmp_path / "x.json")], "results must be a file whose name ends in .csv"),
        (["--study", str(tmp_path / "none.csv")], "none.csv"),
        (["--study", str(empty)], "it has no columns network, image and dice"),
        (["--study", str(other)], "the study must be one of the test images of chase_db1"),
    ]:
        assert main(["observers", *arguments]) == 1
        assert text in capsys.readouterr().err


DATA = Path(os.environ.get("TOPOSEG_DATA") or "nowhere")


@pytest.mark.skipif(
    not (DATA / "chase_db1").is_dir(), reason="CHASE_DB1 is not in the folder of TOPOSEG_DATA"
)
def test_the_real_observers():
    table = compare_observers(DATA)
    assert len(table) == 28
    assert table.loc["test"].index.tolist() == [f"{n}{s}" for n in (11, 12, 13, 14) for s in "LR"]
    first, second = (chase_db1(DATA, observer=o).test[0].mask for o in (1, 2))
    row = table.loc["test", "11L"]
    assert row["dice"] == 2 * (first & second).sum() / (first.sum() + second.sum())
    assert row["betti_matching_error"] == metrics.betti_matching_error(second, first)
    assert row["surface_dice"] == further_metrics.surface_dice(second, first)


def test_a_parent_is_looked_at_on_the_way(tmp_path, capsys):
    arguments = ["convergence", "--datasets", "brick", "--out", str(tmp_path / "runs"), "--steps",
                 "4", "--every", "2", "--patch", "16", "--batch", "1", "--window", "256",
                 "--results", str(tmp_path / "tables")]  # fmt: skip
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "| brick | 2 steps | 4 steps |" in text
    end = load_checkpoint(tmp_path / "runs" / "brick.safetensors")
    assert end.config == TrainConfig(
        "brick", weight=0.0, steps=4, patch=16, batch=1, light=0.3, validate_every=2,
        validation_window=256, checkpoint_every=2,
    )  # fmt: skip
    kept = pd.read_csv(tmp_path / "tables" / "brick-convergence.csv")
    assert kept["step"].tolist() == [2, 4]
    np.testing.assert_allclose(kept["dice"], end.validation["dice"], rtol=1e-5)
    assert main(arguments) == 0  # nothing is trained again
    assert capsys.readouterr().out == text
    assert main(["convergence", "--datasets", "none"]) == 1
