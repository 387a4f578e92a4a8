"""Results read back: what a study and a comparison have left, and files made by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from training_data import DATA

from toposeg_lite.workbook.studies import Arm, Comparison, Study, StudyConfig, read_runs

SMALL = {
    "dataset": "brick", "pretrain_steps": 3, "finetune_steps": 2, "patch": 16, "batch": 2,
    "width": 2, "depth": 2,
}  # fmt: skip


def comparison(seed, weight=0.5, dataset="brick", metric="dice", **parameters):
    """Return a `metrics.json` made by hand: two images, and a score that tells where it is from."""
    names = ("control", "rank-0.5", "rank-2")
    return {
        "parameters": {"dataset": dataset, "loss": "rank", "seed": seed} | parameters,
        "seed": seed,
        "chosen_weight": weight,
        "settings": {"connectivity": 2},
        "test": {
            network: {
                image: {metric: seed + k / 10 + n, "patch": 64} for n, image in enumerate("ab")
            }
            for k, network in enumerate(("parent", "control", "rank"))
        },
        "validation": {
            name: {image: {metric: k + n, "border": "open"} for n, image in enumerate("vw")}
            for k, name in enumerate(names)
        },
        "times": {
            name: {"seconds per step": k + 1.0, "share of loss": k / 10}
            for k, name in enumerate(("parent", *names))
        }
        | {"training_seconds": 9.0},
    }  # fmt: skip


def keep(folder, **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    arms = (Arm("a", "cldice", weights=(0.5, 1.0)), Arm("b", "topological", weights=(0.1,)))
    config = StudyConfig.from_parameters(**SMALL, arms=arms, seeds=(0, 3))
    folder = tmp_path_factory.mktemp("study")
    return folder, Study(config, folder, data=DATA, say=lambda line: None).run()


def test_a_study_is_read_as_it_was_left(study):
    folder, results = study
    runs = read_runs(folder)
    assert list(runs) == ["study"]  # the checkpoints' folders are not looked into
    run = runs["study"]
    assert (run.name, run.dataset) == ("study", "brick")
    assert (run.arms, run.seeds, run.images) == (["a", "b"], [0, 3], 3)
    assert list(run.metrics.items())[:2] == [("dice", "Dice"), ("cldice", "clDice")]
    assert "betti_2_error" not in run.metrics
    assert run.settings == results["settings"]
    assert run.parameters["pretrain_steps"] == 3
    for (network, seed), rows in run.scores.groupby(["network", "seed"]):
        entry = results["networks"][network][str(seed)]
        assert rows["weight"].tolist() == [entry["weight"]] * 3
        assert rows["image"].tolist() == [sample.name for sample in DATA.test]
        for key, mean in entry["test"].items():
            assert rows[key].mean() == pytest.approx(mean, rel=1e-5)
    tried = run.validation[run.validation["network"] == "a"]
    chosen = results["networks"]["a"]["0"]["weight"]
    assert list(zip(tried["seed"], tried["weight"], strict=True)) == [
        (0, 0.5), (0, 1.0), (3, chosen)
    ]  # fmt: skip
    for row in run.validation.to_dict(orient="records"):
        entry = results["networks"][row["network"]][str(row["seed"])]
        assert {key: row[key] for key in run.metrics} == entry["validation"][f"{row['weight']:g}"]
    for row in run.cost.to_dict(orient="records"):
        entry = results["networks"][row["network"]][str(row["seed"])]
        assert row["share_of_loss"] == entry["share_of_loss"]
        assert row["seconds_per_step"] == entry["seconds_per_step"]
    assert len(run.cost) == 8
    assert (len(run.groups), list(run.groups)) == (0, ["group", "network", "seed"])


def test_the_means_over_further_groups_of_test_images_are_read(study, tmp_path):
    folder, results = study
    networks = {"a": {"0": {"dice": 0.5}, "3": {"dice": 0.75}}, "b": {"0": {"dice": 0.25}}}
    further = {"dark": {"images": 2, "networks": networks}, "wet": {"networks": {}}}
    keep(tmp_path, study=results | {"groups": further})
    (tmp_path / "study.csv").write_bytes((folder / "study.csv").read_bytes())
    groups = read_runs(tmp_path)["study"].groups
    assert groups.to_dict(orient="split", index=False) == {
        "columns": ["group", "network", "seed", "dice"],
        "data": [["dark", "a", 0, 0.5], ["dark", "a", 3, 0.75], ["dark", "b", 0, 0.25]],
    }


def test_a_comparison_is_read_as_it_was_left(tmp_path):
    config = StudyConfig.from_parameters(**SMALL, weight=(0.5, 1.0), loss="cldice")
    made = Comparison(config, tmp_path, data=DATA, progress=False)
    made.train_parent()
    made.train_arms()
    made.choose()
    made.score()
    made.save()
    run = read_runs(tmp_path)["metrics"]
    assert (run.arms, run.seeds, run.images) == (["cldice"], [0], 3)
    for network in ("parent", "control", "cldice"):
        rows = run.scores[run.scores["network"] == network].set_index("image")
        for key in run.metrics:
            pd.testing.assert_series_equal(
                rows[key], made.test[network].table[key], check_names=False
            )
        assert set(rows["weight"]) == {made.weight if network == "cldice" else 0}
        times = made.score().loc[network]
        cost = run.cost.set_index("network").loc[network]
        assert cost["share_of_loss"] == times["share of loss"]
        assert cost["seconds_per_step"] == times["seconds per step"]
    for _, row in run.validation.iterrows():
        name = f"cldice-{row['weight']:g}" if row["weight"] else "control"
        assert row["dice"] == pytest.approx(made.validation[name].table["dice"].mean())
    assert run.validation["weight"].tolist() == [0, 0.5, 1]


def test_comparisons_that_differ_in_the_seed_alone_are_one_run(tmp_path):
    keep(
        tmp_path,
        **{
            f"wall-rank-seed{seed}": comparison(seed, weight) for seed, weight in ((0, 0.5), (1, 2))
        },
        other=comparison(2, dataset="retina"),
    )
    runs = read_runs(tmp_path)
    assert list(runs) == ["wall-rank", "other"]  # more scores first
    run = runs["wall-rank"]
    assert (run.dataset, run.arms, run.seeds, run.images) == ("brick", ["rank"], [0, 1], 2)
    assert list(run.scores.columns) == ["network", "weight", "seed", "image", "dice"]
    rows = run.scores[run.scores["network"] == "rank"]
    assert rows.to_numpy().tolist() == [
        ["rank", 0.5, 0, "a", 0.2], ["rank", 0.5, 0, "b", 1.2],
        ["rank", 2.0, 1, "a", 1.2], ["rank", 2.0, 1, "b", 2.2],
    ]  # fmt: skip
    assert run.validation.to_numpy().tolist()[:3] == [
        ["control", 0, 0.0, 0.5], ["rank", 0, 0.5, 1.5], ["rank", 0, 2.0, 2.5]
    ]  # fmt: skip
    assert run.cost.to_numpy().tolist()[2::3] == [["rank", 0, 3.0, 0.2], ["rank", 1, 4.0, 0.3]]
    assert runs["other"].seeds == [2]


def test_different_comparisons_of_one_name_are_not_mixed_and_not_dropped(tmp_path):
    keep(tmp_path, **{"a-seed0": comparison(0), "a-seed1": comparison(1, patch=32)})
    with pytest.raises(ValueError, match="different comparisons of one name"):
        read_runs(tmp_path)
    (tmp_path / "a-seed1.json").rename(tmp_path / "b-seed1.json")
    assert {name: run.seeds for name, run in read_runs(tmp_path).items()} == {"a": [0], "b": [1]}


def test_names_of_images_stay_names_and_missing_scores_are_missing(tmp_path):
    entry = {"weight": 0.5, "validation": {"0.5": {"dice": 0.9}}}
    entry |= {"seconds_per_step": 0.1, "share_of_loss": 0.0}
    results = {
        "parameters": {"shared": {"dataset": "d"}},
        "settings": {},
        "networks": {"control": {"7": entry}},
    }
    keep(tmp_path, x=results)
    (tmp_path / "x.csv").write_text(
        "network,weight,seed,image,dice\ncontrol,0,7,007,0.5\ncontrol,0,7,NA,\n"
    )
    run = read_runs(tmp_path)["x"]
    assert run.scores["image"].tolist() == ["007", "NA"]
    assert run.scores["dice"].isna().tolist() == [False, True]
    assert run.seeds == [7]
    (tmp_path / "x.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.csv is missing"):
        read_runs(tmp_path)


def test_other_files_are_left_alone_and_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_runs(tmp_path / "nowhere")
    keep(tmp_path, calibration={"methods": []}, numbers=[1, 2])
    (tmp_path / "notes.txt").write_text("{")
    with pytest.raises(ValueError, match="no results of a study or a comparison"):
        read_runs(tmp_path)
    keep(tmp_path, run=comparison(0))
    assert list(read_runs(tmp_path)) == ["run"]


def test_the_reference_runs_of_the_workbook_can_be_read():
    runs = read_runs()
    assert "retina-topological" in runs
    for run in runs.values():
        assert run.arms
        assert {"dice", "betti_0_error", "betti_1_error"} <= set(run.metrics)
        assert {"control", "parent", *run.arms} == set(run.scores["network"])
        for arm in run.arms:
            chosen = run.scores[run.scores["network"] == arm]
            tried = run.validation[run.validation["network"] == arm]
            pairs = set(zip(tried["seed"], tried["weight"], strict=True))
            assert set(zip(chosen["seed"], chosen["weight"], strict=True)) <= pairs
    assert set(runs["topomortar-study"].groups["group"]) == {"angles", "colors", "shadows"}
