"""Studies: many losses, several seeds, and nothing done twice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from training_data import DATA, assert_same

from toposeg_lite import metrics
from toposeg_lite.training import TrainConfig, draw_batch, load_checkpoint, loop, predict
from toposeg_lite.workbook.studies import (
    Arm,
    Comparison,
    Study,
    StudyConfig,
    study,
    study_tables,
)
from toposeg_lite.workbook.studies.__main__ import main

SHARED = TrainConfig("brick", patch=16, batch=2, width=2, depth=2)
RANK = Arm("rank", "topological", {"matching": "rank"}, (0.1, 1.0))
CLDICE = Arm("cldice", "cldice", weights=(0.5, 5.0))
SMALL = StudyConfig(SHARED, (RANK, CLDICE), seeds=(0, 3), pretrain_steps=4, finetune_steps=3)


def run(folder, config=SMALL):
    said: list[str] = []
    study = Study(config, folder, data=DATA, say=said.append)
    return study, study.run(), said


def without_times(results: dict) -> dict:
    for entries in results["networks"].values():
        for entry in entries.values():
            del entry["seconds_per_step"], entry["share_of_loss"]
    return results


def test_an_arm_of_a_study_is_the_comparison_of_its_loss(tmp_path):
    study, results, _ = run(tmp_path / "study")
    for arm in (RANK, CLDICE):
        (tmp_path / arm.name).mkdir()
        config = replace(SMALL, arms=(arm,), seeds=(0,), in_patches=True)
        alone = Comparison(config, tmp_path / arm.name, data=DATA, progress=False)
        alone.train_parent()
        alone.train_arms()
        alone.choose()
        assert study.chosen[0, arm.name] == alone.weight
        for weight in arm.weights:
            assert_same(
                load_checkpoint(
                    tmp_path / "study" / "seed0" / f"{arm.name}-{weight:g}.safetensors"
                ),
                alone.networks[f"{arm.name}-{weight:g}"],
            )
        entry = results["networks"][arm.name]["0"]
        assert entry["weight"] == alone.weight
        assert list(entry["validation"]) == [f"{weight:g}" for weight in arm.weights]


def test_scores_are_means_over_the_images_of_their_split(tmp_path):
    _, results, _ = run(tmp_path)
    assert list(results["networks"]) == ["parent", "control", "rank", "cldice"]
    assert results["images"] == {"train": 3, "validation": 2, "test": 3}
    assert results["settings"] == {
        "connectivity": 2, "patch": None, "border": "open", "labels": "foreground",
        "reference": "exact",
    }  # fmt: skip
    for name, entries in results["networks"].items():
        assert list(entries) == ["0", "3"]
        for seed, entry in entries.items():
            file = f"{name}-{entry['weight']:g}" if entry["weight"] else name
            path = tmp_path / f"seed{seed}" / f"{file}.safetensors"
            model = load_checkpoint(path).model()
            for split, found in (
                ("validation", entry["validation"][f"{entry['weight']:g}"]),
                ("test", entry["test"]),
            ):
                pairs = [(predict(model, s.image) >= 0.5, s.mask) for s in getattr(DATA, split)]
                for key, metric in (("dice", metrics.dice), ("cldice", metrics.cldice)):
                    assert found[key] == pytest.approx(np.mean([metric(*pair) for pair in pairs]))
                for k in (0, 1):
                    errors = [metrics.betti_error(*pair, dimension=k) for pair in pairs]
                    assert found[f"betti_{k}_error"] == pytest.approx(np.mean(errors))


def test_the_scores_of_each_test_image_are_kept_in_a_table(tmp_path):
    _, results, _ = run(tmp_path)
    assert "<title>What losses change on" in (tmp_path / "study.html").read_text()
    table = pd.read_csv(tmp_path / "study.csv")
    assert list(table.columns) == [
        "network", "weight", "seed", "image", "dice", "cldice", "betti_0_error", "betti_1_error",
        "betti_matching_error", "adjusted_rand_index", "variation_of_information",
    ]  # fmt: skip
    networks = ("parent", "control", "rank", "cldice")
    names = [sample.name for sample in DATA.test]
    rows = list(zip(table["seed"], table["network"], table["image"], strict=True))
    assert rows == [(s, n, image) for s in SMALL.seeds for n in networks for image in names]
    for row in table.itertuples(index=False):
        entry = results["networks"][row.network][str(row.seed)]
        assert row.weight == entry["weight"]
        file = f"{row.network}-{row.weight:g}" if row.weight else row.network
        scored = json.loads((tmp_path / f"seed{row.seed}" / f"{file}.test.json").read_text())
        for key in table.columns[4:]:
            value = scored["images"][row.image][key]
            assert getattr(row, key) == float(f"{value:.6g}")
    for (name, seed), group in table.groupby(["network", "seed"]):
        for key, mean in results["networks"][name][str(seed)]["test"].items():
            assert group[key].mean() == pytest.approx(mean, rel=1e-5)


def test_the_first_seed_chooses_for_all_or_each_for_itself(tmp_path, monkeypatch):
    def first_then_last(scores):  # the smallest weight of the first seed, the largest of others
        chosen = scores.index[1] if len(calls) < len(SMALL.arms) else scores.index[-1]
        calls.append(scores.index.tolist())
        controls.append(scores["dice"][0])
        return float(chosen)

    monkeypatch.setattr(study, "choose_weight", first_then_last)
    calls: list[list[float]] = []
    controls: list[float] = []
    _, results, _ = run(tmp_path / "first")
    control = results["networks"]["control"]
    assert controls == [control[seed]["validation"]["0"]["dice"] for seed in "0033"]
    assert calls == [[0, 0.1, 1], [0, 0.5, 5], [0, 0.1], [0, 0.5]]
    files = {path.stem for path in (tmp_path / "first" / "seed3").glob("*.safetensors")}
    assert files == {"parent", "control", "rank-0.1", "cldice-0.5"}
    calls = []
    made, results, _ = run(tmp_path / "each", replace(SMALL, choose_on="each"))
    assert calls == [[0, 0.1, 1], [0, 0.5, 5], [0, 0.1, 1], [0, 0.5, 5]]
    assert made.chosen == {
        (0, "rank"): 0.1, (0, "cldice"): 0.5, (3, "rank"): 1, (3, "cldice"): 5
    }  # fmt: skip
    assert [results["networks"]["rank"][seed]["weight"] for seed in "03"] == [0.1, 1]


def test_test_images_are_seen_when_all_weights_are_chosen_and_by_these_alone(tmp_path):
    made, _, said = run(tmp_path)
    splits = [line.split(", ")[1].split(":")[0] for line in said if "takes" not in line]
    assert splits == ["validation"] * splits.count("validation") + ["test"] * 8
    for (seed, arm), weight in made.chosen.items():
        tested = {path.name for path in (tmp_path / f"seed{seed}").glob(f"{arm}*.test.json")}
        assert tested == {f"{arm}-{weight:g}.test.json"}


def test_a_study_that_was_stopped_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    _, whole, _ = run(tmp_path / "whole")
    count = 0

    def fail(*arguments, **options):
        nonlocal count
        count += 1
        if count == 15:  # within the second weight of the first loss
            raise KeyboardInterrupt
        return draw_batch(*arguments, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "study.json").exists()
    _, resumed, _ = run(tmp_path / "stopped")
    assert without_times(resumed) == without_times(whole)


def test_a_further_arm_trains_and_scores_nothing_but_itself(tmp_path, monkeypatch):
    _, first, _ = run(tmp_path, replace(SMALL, arms=(RANK,)))
    steps, scored = [], []

    def count(*arguments, **options):
        steps.append(1)
        return draw_batch(*arguments, **options)

    def see(model, samples, **options):
        scored.append(len(samples))
        return evaluate(model, samples, **options)

    evaluate = study.evaluate
    monkeypatch.setattr(loop, "draw_batch", count)
    monkeypatch.setattr(study, "evaluate", see)
    _, second, _ = run(tmp_path)
    assert len(steps) == (2 + 1) * 3  # both weights with the first seed, one with the second
    assert scored == [2, 2, 2, 3, 3]
    for name, entries in first["networks"].items():
        assert second["networks"][name] == entries
    steps.clear()
    scored.clear()
    _, third, _ = run(tmp_path)
    assert (steps, scored, third) == ([], [], second)
    assert json.loads((tmp_path / "study.json").read_text()) == second
    # Other windows would give other likelihoods: then all is scored anew.
    run(tmp_path, replace(SMALL, window=12))
    assert len(scored) == 2 + 2 + 2 * 2 + 2 + 2 * 4


def test_a_study_of_other_networks_is_refused(tmp_path):
    run(tmp_path, replace(SMALL, arms=(RANK,)))
    other = replace(SMALL, shared=replace(SHARED, learning_rate=0.1))
    with pytest.raises(ValueError, match=r"belongs to another run: learning_rate was 0\.001"):
        run(tmp_path, other)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda images: images.update(a=images["ring-0"]), "other images"),
        (lambda images: images.pop("ring-0"), "other images"),
        (lambda images: images["ring-0"].pop("dice"), "no scores"),
        (lambda images: images["ring-1"].pop("border"), "no scores"),
        (lambda images: images.update({"ring-0": [[images["ring-0"]]]}), "no attribute 'keys'"),
        (lambda images: images.update({"ring-0": None}), "no attribute 'keys'"),
        (lambda images: images["ring-0"].update(dice="x"), "could not convert"),
    ],
)
def test_a_damaged_table_of_scores_is_refused_by_name(tmp_path, damage, reason):
    config = replace(SMALL, arms=(replace(RANK, weights=(0.1,)),), seeds=(0,))
    run(tmp_path, config)
    path = tmp_path / "seed0" / "control.test.json"
    kept = json.loads(path.read_bytes())
    damage(kept["images"])
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=f"{path.name} is no table of scores .*{reason}"):
        run(tmp_path, config)


def entry(weight: float, dice: float, error: float, share: float = 0.0) -> dict:
    return {
        "weight": weight, "share_of_loss": share,
        "test": {"dice": dice, "betti_0_error": error},
    }  # fmt: skip


def test_tables_hold_means_deviations_and_paired_differences():
    networks = {
        "parent": {"0": entry(0, 0.7, 12), "1": entry(0, 0.7, 12), "2": entry(0, 0.7, 12)},
        "control": {"0": entry(0, 0.8, 5), "1": entry(0, 0.9, 9), "2": entry(0, 0.85, 7)},
        # Always two errors fewer than the control: the differences do not spread, the errors do.
        "arm": {"0": entry(0.5, 0.8, 3, 0.1), "1": entry(2, 0.9, 7, 0.2),
                "2": entry(0.5, 0.85, 5, 0.3)},
    }  # fmt: skip
    assert study_tables({"networks": networks}).splitlines() == [
        "| network | weight | Dice | Betti-0 error | share of loss |",
        "| --- | --- | --- | --- | --- |",
        "| parent | | .700 ± .000 | 12.00 ± .00 | 0 % |",
        "| control | | .850 ± .050 | 7.00 ± 2.00 | 0 % |",
        "| arm | 0.5, 2 | .850 ± .050 | 5.00 ± 2.00 | 20 % |",
        "",
        "| arm - control | Dice | Betti-0 error |",
        "| --- | --- | --- |",
        "| arm | +.000 ± .000 | -2.00 ± .00 |",
    ]


def test_the_command_makes_a_study_goes_on_with_it_and_prints_its_tables(tmp_path, capfd):
    values = {
        "out": str(tmp_path), "results": str(tmp_path / "kept.json"), "arms": "cldice",
        "seeds": [0], "dataset": "brick", "pretrain_steps": 2, "finetune_steps": 1, "patch": 16,
        "width": 2, "depth": 1,
    }  # fmt: skip
    command = ["study", *(p for name, value in values.items() for p in ("-p", name, repr(value)))]
    assert main(command) == 0
    first = capfd.readouterr().out
    assert "seed 0: cldice takes the weight" in first
    results = json.loads((tmp_path / "kept.json").read_text())
    assert results == json.loads((tmp_path / "brick-study" / "study.json").read_text())
    assert results["parameters"]["shared"]["window"] == 512
    scores = (tmp_path / "kept.csv").read_bytes()
    assert scores == (tmp_path / "brick-study" / "study.csv").read_bytes()
    assert first.endswith(study_tables(results) + "\n")
    assert main(command) == 0
    assert main(["table", str(tmp_path / "kept.json")]) == 0
    assert capfd.readouterr().out == first + study_tables(results) + "\n"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"arms": "['rank']"}, "unknown arm 'rank'; there are cldice, topological-rank"),
        ({"weight": "0.1"}, "a study takes no 'weight': name arms and seeds"),
        ({"dataset": "cat"}, "dataset must be one of 'retina', 'brick'"),
        ({"seeds": "[]"}, "seeds must be one or more different numbers"),
        ({"seeds": "0"}, "seeds must be a sequence; got 0"),
        (
            {"results": "kept.csv"},
            "results must be a file whose name ends in .json; got 'kept.csv'",
        ),
        ({"speed": "1"}, "unknown parameter 'speed'"),
        ({"patch": "[8, 8, 8]"}, "patch must name one side for each of the 2 axes"),
    ],
)
def test_a_bad_parameter_ends_a_study_before_anything_is_made(tmp_path, capsys, values, text):
    values = {"out": str(tmp_path / "runs"), "dataset": "brick"} | values
    assert main(["study", *(p for pair in values.items() for p in ("-p", *pair))]) == 1
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
