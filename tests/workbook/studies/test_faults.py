"""Faults by their kind: drawings, a study of a few steps, and the table over data sets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from toposeg_lite.data import Sample
from toposeg_lite.differences import KINDS, topology_differences
from toposeg_lite.training import TrainConfig, load_checkpoint, predict
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.faults import (
    FaultsCommand,
    count_faults,
    read_faults,
    which_loss,
)
from toposeg_lite.workbook.studies.finished import read_finished
from toposeg_lite.workbook.studies.statistics import FURTHER_COLUMNS
from toposeg_lite.workbook.studies.study import Arm, Study, StudyConfig


def drawn(text):
    """Truth and likelihood: # both, - missing, + false, . neither."""
    kinds = np.array([line.split() for line in text.strip().splitlines()])
    truth = np.isin(kinds, ["#", "-"])
    likelihood = np.vectorize({"#": 0.9, "+": 0.5, "-": 0.499, ".": 0.1}.get)(kinds)
    return likelihood, Sample("drawn", np.zeros((1, *truth.shape), np.float32), truth)


SCENE = drawn("""
    . . . . . . . . . . . . . . . . . . . .
    # # # - # # # - # # . . # # # . # # # .
    . . . . . . . . . . . . # - # . # . # .
    # # # # # # . - - . . . # - # . # . # .
    . . + . . . . - - . + . # - # . # . # .
    # # # # # # . . . . . . # # # . # - # .
    . . . . . . . . . . . . . . . . . . . .
    """)


def test_each_kind_is_counted():
    faults = count_faults(*SCENE, connectivity=1)
    assert {kind: faults[kind] for kind in KINDS} == {
        "break": 2,
        "spurious component": 1,
        "false merge": 1,
        "missing component": 1,
        "false hole": 1,
        "missing hole": 1,
    }
    assert 0 < faults["topology_sensitivity"] < 1
    assert set(FURTHER_COLUMNS) <= set(faults)


def test_what_is_ignored_is_no_fault():
    likelihood, sample = SCENE
    ignored = np.zeros(sample.mask.shape, bool)
    ignored[1, 3] = True
    masked = Sample("drawn", sample.image, sample.mask, ignored)
    assert count_faults(likelihood, masked, connectivity=1)["break"] == 1


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study of a few steps, and its folder."""
    folder = tmp_path_factory.mktemp("study")
    arms = [Arm("cldice", "cldice", weights=(0.2, 1.0)), Arm("scnp", "scnp", weights=(0.5,))]
    config = StudyConfig(
        TrainConfig("brick", patch=16, width=2, batch=1),
        arms,
        seeds=(0, 3),
        pretrain_steps=3,
        finetune_steps=2,
    )
    return folder, Study(config, folder, say=lambda line: None).run()


def test_the_networks_of_a_study_are_those_that_were_compared(study):
    folder, results = study
    finished = read_finished(folder)
    assert finished.dataset == "brick"
    assert finished.parameters["window"] == 256
    assert set(finished.files) == {(n, s) for n in ("control", "cldice", "scnp") for s in (0, 3)}
    path, weight = finished.files["cldice", 3]
    assert weight == results["networks"]["cldice"]["3"]["weight"]
    assert path == folder / "seed3" / f"cldice-{weight:g}.safetensors"


def test_the_command_counts_what_the_networks_predict(study, tmp_path, capsys, monkeypatch):
    folder, _ = study
    tables = FaultsCommand(studies=(str(folder),), results=str(tmp_path)).run()
    table = tables["brick"]
    assert len(table) == 6
    path, _ = read_finished(folder).files["cldice", 3]
    end = load_checkpoint(path)
    (sample,) = end.config.load().test
    mask = predict(end.model(), sample.image, window=256) >= 0.5
    kinds = [d.kind for d in topology_differences(mask, sample.mask)]
    (row,) = table[(table["network"] == "cldice") & (table["seed"] == 3)].to_dict("records")
    assert [row[kind] for kind in KINDS] == [kinds.count(kind) for kind in KINDS]
    assert row["image"] == sample.name
    assert "| brick | control |" in capsys.readouterr().out
    (kept,) = read_faults(tmp_path).values()
    numbers = [*KINDS, "hausdorff_distance", "weight", "seed"]
    np.testing.assert_allclose(kept[numbers], table[numbers].astype(float), rtol=1e-5)
    # A second call predicts nothing: all is kept beside the networks.
    monkeypatch.setattr("toposeg_lite.workbook.studies.faults.predict", None)
    again = FaultsCommand(studies=(str(folder),)).run()["brick"]
    pd.testing.assert_frame_equal(again, table)


def test_what_is_kept_of_other_weights_is_counted_anew(study):
    folder, _ = study
    table = FaultsCommand(studies=(str(folder),)).run()["brick"]
    path, _ = read_finished(folder).files["scnp", 0]
    beside = path.with_suffix(".faults.json")
    kept = json.loads(beside.read_text())
    (image,) = kept["images"]
    kept["images"][image]["break"] += 1000
    kept["weights"] = "others"
    beside.write_text(json.dumps(kept))
    pd.testing.assert_frame_equal(FaultsCommand(studies=(str(folder),)).run()["brick"], table)


def test_bad_input(study, tmp_path):
    folder, _ = study
    with pytest.raises(ValueError, match="studies must name one folder"):
        FaultsCommand().run()
    with pytest.raises(ValueError, match="different data sets; got brick, brick"):
        FaultsCommand(studies=(str(folder), str(folder))).run()
    with pytest.raises(FileNotFoundError, match="finished study"):
        read_finished(tmp_path)
    assert main(["faults", str(tmp_path)]) == 1
    lost = tmp_path / "lost"
    lost.mkdir()
    (lost / "study.json").write_bytes((folder / "study.json").read_bytes())
    with pytest.raises(FileNotFoundError, match=r"lacks its network .*control\.safetensors"):
        read_finished(lost)
    (lost / "study.json").write_text('{"networks": {}}')
    with pytest.raises(ValueError, match=r"study\.json"):
        read_finished(lost)
    (lost / "x-faults.csv").write_text("network,seed\n")
    with pytest.raises(ValueError, match="x-faults"):
        read_faults(lost)
    with pytest.raises(ValueError, match="tables must map"):
        which_loss({})


def made(**losses):
    """A table of faults: of 8 images and 2 seeds, the number of breaks by loss."""
    rows = []
    for network, breaks in losses.items():
        for seed in (0, 1):
            for k in range(8):
                faults = dict.fromkeys(KINDS, 0) | {"break": breaks + k % 2, "false hole": 4}
                row = {"network": network, "weight": 0.0, "seed": seed, "image": f"image {k}"}
                rows.append(row | faults)
    return pd.DataFrame(rows)


def test_which_loss_mends_which_fault():
    table = which_loss({"a": made(control=4, good=2, bad=7, same=4), "b": made(control=0, good=0)})
    assert len(table) == 6 * 3 + 6 * 1
    rows = dict(list(table.groupby(["dataset", "kind"])))
    breaks = rows["a", "break"]
    assert list(breaks["loss"]) == ["good", "bad", "same"]
    assert list(breaks["verdict"]) == ["fewer", "more", "unclear"]
    np.testing.assert_allclose(breaks["change"], [-2 / 4.5, 3 / 4.5, 0])
    # Of 4 or 5 breaks an image, as the draw has it, 2 are mended and 3 are added.
    good, bad, same = breaks[["low", "high"]].to_numpy()
    assert -2 / 4 < good[0] < -2 / 4.5 < good[1] < -2 / 5
    assert 3 / 5 < bad[0] < 3 / 4.5 < bad[1] < 3 / 4
    assert same.tolist() == [0, 0]
    # 2 of 2^8 flips, times three losses.
    np.testing.assert_allclose(breaks["p_holm"], [3 * 2 / 2**8, 3 * 2 / 2**8, 1])
    assert list(rows["a", "false hole"]["verdict"]) == ["unclear"] * 3
    # Where the control has half a fault an image there is nothing to mend, and of none no part.
    assert list(rows["b", "break"]["verdict"]) == ["rare"]
    assert list(rows["b", "missing hole"]["verdict"]) == ["rare"]
    assert rows["b", "missing hole"]["change"].isna().all()
    lenient = which_loss({"b": made(control=0, good=0)}, at_least=0.5)
    assert lenient.loc[lenient["kind"] == "break", "verdict"].tolist() == ["unclear"]


def test_the_interval_of_a_change_never_mends_more_than_there_is():
    """One image holds nearly all faults of the control, and the loss mends all of these."""
    table = made(control=0, good=0)
    first = table["image"] == "image 0"
    table.loc[first & (table["network"] == "control"), "break"] = 40
    rows = which_loss({"a": table})
    (row,) = rows[rows["kind"] == "break"].to_dict("records")
    assert row["change"] == -40 / 44  # the images 1, 3, 5 and 7 have one break each, as before
    assert -1 <= row["low"] < row["change"] < row["high"] == 0


def test_the_eyes_of_a_person_are_one_group():
    table = made(control=4, good=2)
    eyes = [f"{person}{side}" for person in range(11, 15) for side in "LR"]
    named = table.assign(image=[eyes[int(image.split()[1])] for image in table["image"]])
    plain, persons = (
        which_loss({"a": some}).set_index("kind").loc["break"] for some in (table, named)
    )
    assert (plain["p_holm"], persons["p_holm"]) == (2 / 2**8, 2 / 2**4)
    assert (plain["verdict"], persons["verdict"]) == ("fewer", "unclear")
    # One eye of each person has 4 breaks and one 5, so however persons are drawn the part is one.
    assert persons["low"] == pytest.approx(-4 / 9)
    assert persons["high"] == pytest.approx(-4 / 9)
    assert plain["low"] < plain["change"] == persons["change"] < plain["high"]
    again = which_loss({"a": named}, groups="images").set_index("kind").loc["break"]
    assert again["p_holm"] == plain["p_holm"]
