"""Arms of any losses, weights by balance, and further groups of test images."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from training_data import DATA, rings

from toposeg_lite import metrics
from toposeg_lite.data import load_dataset
from toposeg_lite.training import TrainConfig, load_checkpoint, predict
from toposeg_lite.workbook.studies import Arm, Comparison, Study, StudyConfig, study
from toposeg_lite.workbook.studies.__main__ import main, run_study
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import ARMS, FURTHER_ARMS, read_arms

SHARED = TrainConfig("brick", patch=16, batch=2, width=2, depth=2)
PARTS = {"topological": {"matching": "rank"}, "cldice": {"iterations": 3}}
BOTH = Arm("both", "sum", {"parts": PARTS, "warm_up": {"cldice": 2}}, (0.5, 1.0))
BALANCED = Arm("balanced", "cldice", weights=(0.25, 1.0), balance=True)
SMALL = StudyConfig(SHARED, (BOTH, BALANCED), seeds=(0,), pretrain_steps=4, finetune_steps=3)


def run(folder, config=SMALL, data=DATA):
    return Study(config, folder, data=data, say=lambda line: None).run()


def test_a_sum_and_a_balanced_loss_are_arms_like_any_other(tmp_path):
    results = run(tmp_path)
    assert list(results["networks"]) == ["parent", "control", "both", "balanced"]
    both = load_checkpoint(tmp_path / "seed0" / "both-0.5.safetensors")
    assert (both.config.loss, both.config.weight) == ("sum", 0.5)
    assert both.config.loss_options == BOTH.loss_options
    balanced = load_checkpoint(tmp_path / "seed0" / "balanced-0.25.safetensors")
    assert balanced.config.weight == "balance:0.25"
    # The first step of a run has seen one ratio alone.
    first = balanced.history.iloc[0]
    assert first["weight"] * first["gradient_ratio"] == pytest.approx(0.25)
    arms = {arm["name"]: arm for arm in results["parameters"]["arms"]}
    assert arms["both"]["loss_options"] == BOTH.loss_options
    assert arms["balanced"]["balance"] is True
    assert list(results["networks"]["balanced"]["0"]["validation"]) == ["0.25", "1"]


def test_arms_are_named_or_described():
    arms = read_arms(["warping", {"name": "thin", "loss": "cldice", "weights": [0.5]}])
    assert arms == (
        next(arm for arm in ARMS if arm.name == "warping"),
        Arm("thin", "cldice", weights=(0.5,)),
    )
    assert read_arms("topological+cldice")[0] in FURTHER_ARMS
    names = [arm.name for arm in (*ARMS, *FURTHER_ARMS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("arms", "text"),
    [
        ([3], "arms must be names, or map the fields of Arm"),
        (["topologic"], "unknown arm 'topologic'; there are cldice, "),
        ([{"name": "a", "loss": "cldice", "weight": 3}], "each name in .* got 'weight'"),
        ([{"name": "a"}], "arms must have a name and a loss"),
        ([{"name": "a", "loss": "sum"}], "must name its parts"),
        ([{"name": "a", "loss": "cldice", "balance": 1}], "balance must be True or False"),
    ],
)
def test_arms_that_are_none_are_refused_before_anything_is_made(
    tmp_path, monkeypatch, capsys, arms, text
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError), match=text):
        read_arms(arms)
    assert main(["study", "-p", "dataset", "brick", "-p", "arms", repr(arms)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_the_weight_of_one_loss_may_be_balanced():
    config = StudyConfig.from_parameters(loss="cldice", weight="balance:0.5")
    assert config.arms == (Arm("cldice", "cldice", weights=(0.5,), balance=True),)
    assert config.parameters()["weight"] == ["balance:0.5"]
    several = StudyConfig.from_parameters(loss="cldice", weight=["balance:0.5", "balance:2"])
    assert several.arms[0].weights == (0.5, 2)
    assert StudyConfig.from_parameters(**several.parameters()).arms == several.arms
    with pytest.raises(TypeError, match="each of weights"):
        StudyConfig.from_parameters(loss="cldice", weight=["balance:0.5", 2])


# --- Further groups of test images --------------------------------------------------------------

GROUPS = {"others": {"seed": 3}, "roads": {"dataset": "roads", "seed": 1}}
DRAWN = replace(SMALL, shared=replace(SHARED, dataset="vessels"), arms=(BOTH,), groups=GROUPS)


@pytest.fixture
def few(monkeypatch):
    """Few and small images of a data set that is drawn: of its test images the first two."""

    def load(name, *, root=None, **options):
        data = load_dataset(name, root=root, **options)
        names = ("train", "validation", "test")
        small = {split: tuple(map(cut, getattr(data, split)[:2])) for split in names}
        return replace(data, **small)

    def cut(sample):
        return replace(sample, image=sample.image[:, :40, :48], mask=sample.mask[:40, :48])

    monkeypatch.setattr(study, "load_dataset", load)
    return load


def test_every_group_is_scored_by_its_own_images_and_kept_by_its_name(tmp_path, few):
    results = run(tmp_path, DRAWN, few("vessels"))
    assert results["parameters"]["groups"] == GROUPS
    assert set(results["groups"]) == set(GROUPS)
    for group, options in GROUPS.items():
        data = few(options.get("dataset", "vessels"), seed=options["seed"])
        table = pd.read_csv(tmp_path / f"study-{group}.csv")
        entry = results["groups"][group]
        assert (entry["dataset"], entry["images"]) == (data.name, 2)
        for name in ("parent", "control", "both"):
            chosen = results["networks"][name]["0"]["weight"]
            file = f"{name}-{chosen:g}" if chosen else name
            model = load_checkpoint(tmp_path / "seed0" / f"{file}.safetensors").model()
            ours = [metrics.dice(predict(model, s.image) >= 0.5, s.mask) for s in data.test]
            rows = table[table["network"] == name]
            np.testing.assert_allclose(rows["dice"], ours, rtol=1e-5)
            assert rows["image"].tolist() == [sample.name for sample in data.test]
            assert entry["networks"][name]["0"]["dice"] == pytest.approx(np.mean(ours))
    text = study_tables(json.loads((tmp_path / "study.json").read_text()))
    assert "\n\nTest images: others\n\n| network |" in text
    assert text.count("| both |") == 6  # scores and differences, three times
    # What is scored is not scored again, and a group may come later.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("seed0/*")}
    more = replace(DRAWN, groups={**GROUPS, "third": {"seed": 4}})
    assert set(run(tmp_path, more, few("vessels"))["groups"]) == {*GROUPS, "third"}
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("seed0/*")}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 3


def test_options_of_a_group_add_to_those_of_the_data_set():
    shared = TrainConfig("topomortar", data_options={"labels": "noisy", "training": 10})
    config = replace(SMALL, shared=shared, groups={"angles": {"group": "angles"}})
    assert config._group("angles") == (
        "topomortar",
        {"labels": "noisy", "training": 10, "group": "angles"},
    )
    other = replace(config, groups={"roads": {"dataset": "epfl_roads"}})
    assert other._group("roads") == ("epfl_roads", {})


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        ([1], TypeError, "groups must map names to options of a data set"),
        ({"a/b": {}}, ValueError, "each name in groups must be a plain file name; got 'a/b'"),
        ({3: {}}, ValueError, "each name in groups must be a plain file name; got 3"),
        ({"a": 1}, TypeError, r"groups\['a'\] must map options to values; got 1"),
        ({"a": {"group": "angles"}}, ValueError, r"groups\['a'\] must name options .* 'group'"),
        ({"a": {"dataset": "none"}}, ValueError, r"the dataset of groups\['a'\] must be one of"),
    ],
)
def test_groups_that_are_none_are_refused(groups, error, text):
    with pytest.raises(error, match=text):
        replace(SMALL, groups=groups)


def test_groups_of_other_channels_are_refused_before_anything_is_trained(tmp_path):
    config = replace(SMALL, groups={"tubes": {"dataset": "tubes"}})
    with pytest.raises(ValueError, match=r"groups\['tubes'\] must have .* 1 channels and 2 axes"):
        Study(config, tmp_path / "a", data=DATA)
    assert list(tmp_path.rglob("*.*")) == []


def test_a_comparison_has_no_groups(tmp_path):
    config = replace(SMALL, arms=(BOTH,), groups=GROUPS)
    with pytest.raises(ValueError, match="a comparison scores the test images alone"):
        Comparison(config, tmp_path, data=DATA, progress=False)
    with pytest.raises(ValueError, match="groups are scored by a study of named arms"):
        StudyConfig.from_parameters(dataset="brick", groups={"a": {}})


def test_the_command_takes_sums_options_of_the_data_and_groups(tmp_path, few, monkeypatch):
    monkeypatch.setattr("toposeg_lite.training.config.load_dataset", few)
    monkeypatch.chdir(tmp_path)
    given = {
        "dataset": "vessels", "data_options": {"seed": 5}, "arms": [{
            "name": "both", "loss": "sum", "loss_options": BOTH.loss_options, "weights": [0.5],
        }],
        "groups": {"others": {"seed": 3}}, "seeds": [0], "pretrain_steps": 2, "finetune_steps": 2,
        "patch": 16, "width": 2, "depth": 2, "batch": 2, "results": "kept/vessels.json",
    }  # fmt: skip
    words = [word for name, value in given.items() for word in ("-p", name, str(value))]
    assert main(["study", *words]) == 0
    files = {path.name for path in (tmp_path / "kept").iterdir()}
    assert files == {"vessels.json", "vessels.csv", "vessels-others.csv"}
    for name in ("", "-others"):
        kept = (tmp_path / "kept" / f"vessels{name}.csv").read_bytes()
        assert kept == (tmp_path / f"runs/vessels-study/study{name}.csv").read_bytes()
    parent = load_checkpoint(tmp_path / "runs/vessels-study/seed0/parent.safetensors")
    assert parent.config.data_options == {"seed": 5}
    table = pd.read_csv(tmp_path / "kept" / "vessels.csv")
    assert set(table["network"]) == {"parent", "control", "both"}
    assert run_study(given) == tmp_path.relative_to(tmp_path) / "runs/vessels-study"


def test_a_group_of_the_same_images_has_the_same_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "load_dataset", lambda *_, **__: DATA)
    run(tmp_path, replace(SMALL, arms=(BOTH,), groups={"again": {}}))
    one, two = (pd.read_csv(tmp_path / f"study{end}.csv") for end in ("", "-again"))
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 3 * len(rings(3, 2))
