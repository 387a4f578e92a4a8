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


KEYS = ["network", "weight", "seed", "image"]


def networks_of(tmp_path, distances):
    """Write the study and the faults of one network with two seeds on both test images."""
    rows = [("parent", 0, 0, image, 0.3) for image in "de"]
    rows += [("arm", 0.5, seed, image, 0.5 + seed / 10) for seed in (0, 1) for image in "de"]
    study, faults = tmp_path / "study.csv", tmp_path / "chase_db1-faults.csv"
    pd.DataFrame(rows, columns=[*KEYS, "dice"]).to_csv(study, index=False)
    found = [(*row[:4], 0, far) for row, far in zip(rows[2:], distances, strict=True)]
    table = pd.DataFrame(found, columns=[*KEYS, "break", "hausdorff_distance"])
    table.to_csv(faults, index=False)
    return str(study), str(faults)


def cells_of(text):
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in
                      text.strip().splitlines()]  # fmt: skip
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_further_metrics_stand_beside_the_scores_of_a_study(drawn, tmp_path, capsys):
    study, faults = networks_of(tmp_path, [1.0, 2.0, 4.0, 8.0])
    people = compare_observers().loc["test"]
    for given, dice, far in [
        (["--study", study, "--faults", faults], "0.550", "3.750"),
        (["--study", study], "0.550", ""),
        (["--faults", faults], "", "3.750"),
    ]:
        assert main(["observers", *given]) == 0
        table = cells_of(capsys.readouterr().out)
        assert (table["arm, test images"]["Dice"], table["arm, test images"]["HD95 (pixels)"]) == (
            dice, far,
        )  # fmt: skip
        person = table["observer 2, test images"]
        assert person["DIU"] == f"{people['intersection_union_discrepancy'].mean():.3f}"
        if "--study" in given:  # the faults of parents are not counted
            assert table["parent, test images"]["Dice"] == "0.300"
            assert table["parent, test images"]["HD95 (pixels)"] == ""


def test_what_is_infinite_is_a_median_for_all(drawn, tmp_path, capsys):
    study, faults = networks_of(tmp_path, [1.0, 2.0, 4.0, np.inf])
    assert main(["observers", "--study", study, "--faults", faults]) == 0
    table = cells_of(capsys.readouterr().out)
    title = "HD95 (pixels); median (infinite ones)"
    assert table["arm, test images"][title] == "3.000 (1)"
    far = compare_observers().loc["test", "hausdorff_distance"]
    assert table["observer 2, test images"][title] == f"{far.median():.3f} (0)"
    assert table["parent, test images"][title] == ""
    assert table["arm, test images"]["Dice"] == "0.550"


def test_faults_of_other_networks_are_refused(drawn, tmp_path, capsys):
    study, faults = networks_of(tmp_path, [1.0, 2.0, 4.0, 8.0])
    table = pd.read_csv(faults)
    others = {
        "another weight": table.assign(weight=1.0),
        "another seed": table.assign(seed=table["seed"] + 1),
        "an image less": table.iloc[1:],
        "another network": table.assign(network="other"),
    }
    for name, other in others.items():
        place = tmp_path / f"{name}.csv"
        other.to_csv(place, index=False)
        assert main(["observers", "--study", study, "--faults", str(place)]) == 1
        assert "hold other weights, seeds or images" in capsys.readouterr().err
    assert main(["observers", "--study", faults]) == 1
    assert "dice; a table of faults is given by --faults" in capsys.readouterr().err
    assert main(["observers", "--faults", study]) == 1
    assert "none of the columns hausdorff_distance, surface_dice" in capsys.readouterr().err


def test_bad_input_is_refused_before_anything_is_scored(drawn, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("network,image,dice\ncontrol,x,0.5\n")
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n1,2\n")
    for arguments, text in [
        (["--results", str(tmp_path / "x.json")], "results must be a file whose name ends in .csv"),
        (["--study", str(tmp_path / "none.csv")], "none.csv"),
        (["--study", str(empty)], "it has no columns network, image"),
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
