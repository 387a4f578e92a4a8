"""Comparisons: nothing differs but the loss, and the test images decide nothing."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from training_data import DATA, assert_same

from toposeg_lite.training import draw_batch, load_checkpoint, loop
from toposeg_lite.workbook.studies import (
    Comparison,
    StudyConfig,
    choose_weight,
    judge,
    prepare_folder,
)

SMALL = StudyConfig.from_parameters(
    dataset="brick", weight=(0.1, 1.0), pretrain_steps=4, finetune_steps=3, patch=16, batch=2,
    width=2, depth=2,
)  # fmt: skip


def compare(folder: Path, config: StudyConfig = SMALL) -> tuple[Comparison, dict]:
    folder.mkdir(exist_ok=True)
    comparison = Comparison(config, folder, data=DATA, progress=False)
    comparison.train_parent()
    comparison.train_arms()
    comparison.choose()
    comparison.score()
    return comparison, comparison.save()


def without_times(results: dict) -> dict:
    return {key: value for key, value in results.items() if key != "times"}


def test_a_comparison_differs_in_nothing_but_the_loss(tmp_path):
    comparison, results = compare(tmp_path / "run")
    networks = comparison.networks
    assert list(networks) == ["parent", "control", "topological-0.1", "topological-1"]
    parent = networks["parent"]
    assert parent.config.weight == 0
    arms = [networks[name] for name in list(networks)[1:]]
    assert {arm.parent for arm in arms} == {loop.digest(parent.weights)}
    assert {(arm.start, arm.step) for arm in arms} == {(4, 7)}
    assert {arm.config.anneal for arm in arms} == {True}
    assert [arm.config.weight for arm in arms] == [0, 0.1, 1]
    assert all(replace(arm.config, weight=0.0) == arms[0].config for arm in arms)
    # The first step sees the same crops with the same weights: only then do they part.
    assert len({arm.history["dice_bce"][0] for arm in arms}) == 1
    assert len({arm.history["dice_bce"][2] for arm in arms}) == 3
    assert results["chosen_weight"] in (0.1, 1.0)
    assert list(results["test"]) == ["parent", "control", "topological"]
    assert list(results["validation"]) == ["control", "topological-0.1", "topological-1"]
    assert list(results["test"]["control"]) == ["ring-0", "ring-1", "ring-2"]
    assert results["settings"] == {
        "connectivity": 2, "patch": 12, "border": "open", "labels": "foreground",
        "reference": "exact",
    }  # fmt: skip
    assert results["parameters"] == SMALL.parameters()
    assert StudyConfig.from_parameters(**results["parameters"]) == SMALL
    assert results["versions"]["torch"] == version("torch")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == results


def test_the_weight_is_chosen_on_validation_images_and_test_images_are_left_alone(tmp_path):
    comparison, results = compare(tmp_path / "run")
    for images in results["validation"].values():
        assert list(images) == ["other-ring-0", "other-ring-1"]
    means = comparison.choose()
    for weight, name in ((0.0, "control"), (0.1, "topological-0.1"), (1.0, "topological-1")):
        scores = [row["betti_error"] for row in results["validation"][name].values()]
        assert means.loc[weight, "betti_error"] == pytest.approx(np.mean(scores))
    assert results["chosen_weight"] == choose_weight(means)


def test_the_table_holds_the_means_over_the_test_images(tmp_path):
    comparison, results = compare(tmp_path / "run")
    table = comparison.score()
    for label, images in results["test"].items():
        for key, title in (("dice", "Dice"), ("betti_0_error", "Betti-0 error"),
                           ("variation_of_information", "VOI (bits)")):  # fmt: skip
            mean = np.mean([row[key] for row in images.values()])
            assert table.loc[label, title] == pytest.approx(mean)
    assert (table["seconds per step"] > 0).all()
    assert table["share of loss"].gt(0).tolist() == [False, False, True]
    assert table["share of loss"].max() < 1
    said = comparison.caption()
    for text in ("3 test images", "exact references", "12 x 12", "8 neighbours", "connectivity 2"):
        assert text in said


def test_a_comparison_that_was_interrupted_ends_with_the_same_numbers(tmp_path, monkeypatch):
    _, whole = compare(tmp_path / "whole")
    for stop in (2, 5):  # within the parent, and within the control

        def fail(*arguments, step, stop=stop, **options):
            if step == stop:
                raise KeyboardInterrupt
            return draw_batch(*arguments, step=step, **options)

        monkeypatch.setattr(loop, "draw_batch", fail)
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path / f"broken-{stop}")
        monkeypatch.undo()
        _, resumed = compare(tmp_path / f"broken-{stop}")
        assert without_times(resumed) == without_times(whole)
        for name in ("parent", "control", "topological-0.1", "topological-1"):
            file = f"{name}.safetensors"
            assert_same(load_checkpoint(tmp_path / f"broken-{stop}" / file),
                        load_checkpoint(tmp_path / "whole" / file))  # fmt: skip


def test_steps_out_of_order_say_what_comes_first(tmp_path):
    comparison = Comparison(SMALL, tmp_path, data=DATA, progress=False)
    with pytest.raises(RuntimeError, match="there is no parent yet: call train_parent"):
        comparison.train_arms()
    with pytest.raises(RuntimeError, match=r"call train_parent\(\), then train_arms"):
        comparison.choose()
    with pytest.raises(RuntimeError, match=r"no weight is chosen yet: call choose\(\)"):
        comparison.score()
    for method in (comparison.verdict, comparison.picture, comparison.count_differences):
        with pytest.raises(RuntimeError, match=r"nothing is scored yet: call score\(\)"):
            method()


@pytest.mark.parametrize(
    ("dice", "error", "chosen"),  # of the control, then of the weights .01, .1 and 1
    [
        ([0.80, 0.80, 0.80, 0.80], [9.0, 3.0, 1.0, 2.0], 0.1),
        ([0.80, 0.80, 0.78, 0.80], [9.0, 3.0, 1.0, 2.0], 1.0),  # the best costs too much overlap
        ([0.80, 0.80, 0.795, 0.70], [9.0, 3.0, 3.0, 0.0], 0.01),  # among equals the smallest
        # The control is the measure, not the best of the weights.
        ([0.70, 0.705, 0.70, 0.80], [9.0, 3.0, 1.0, 2.0], 0.1),
        ([0.80, 0.50, 0.60, 0.70], [9.0, 0.0, 0.0, 8.0], 1.0),  # all cost too much: the least
        ([0.80, 0.80, 0.80, 0.80], [0.0, 3.0, 2.0, 4.0], 0.1),  # the control itself is none
    ],
)
def test_the_weight_is_chosen_by_betti_matching_error_within_one_point_of_dice(dice, error, chosen):
    scores = pd.DataFrame(
        {"dice": dice, "betti_matching_error": error, "betti_error": error[::-1]},
        index=[0.0, 0.01, 0.1, 1.0],
    )
    assert choose_weight(scores) == chosen
    assert choose_weight(scores[::-1]) == chosen


def test_volumes_are_chosen_by_their_betti_error():
    scores = pd.DataFrame({"dice": [0.8] * 3, "betti_error": [1.0, 3.0, 2.0]}, index=[0, 0.1, 1])
    assert choose_weight(scores) == 1


def test_weights_are_not_chosen_without_a_control():
    scores = pd.DataFrame({"dice": [0.8], "betti_matching_error": [1.0]}, index=[0.1])
    with pytest.raises(ValueError, match=r"row for the control, weight 0.*got the rows \[0\.1\]"):
        choose_weight(scores)


@pytest.mark.parametrize(
    ("arm", "control", "verdict"),
    [
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], "better"),
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], "worse"),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "no clear difference"),
        ([0.0, 2.1, 2.1], [9.0, 2.0, 2.0], "no clear difference"),  # one image alone is better
        ([9.0, 1.9, 1.9], [0.0, 2.0, 2.0], "no clear difference"),
        ([1.999, 1.999], [2.0, 2.0], "no clear difference"),  # less than one per cent
        ([0.0], [0.0], "no clear difference"),
        ([0.0], [1.0], "better"),
    ],
)
def test_the_verdict_is_made_from_the_numbers(arm, control, verdict):
    assert judge(arm, control) == verdict


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_sentence_says_what_the_numbers_say(tmp_path, factor):
    comparison, _ = compare(tmp_path / "run")
    control = comparison.test["control"].table
    control["betti_error"] = [1.0, 2.0, 3.0]
    arm = copy.deepcopy(control)
    arm["betti_error"] = control["betti_error"] * factor
    arm["dice"] = control["dice"] - 0.25
    comparison.test["topological"] = replace(comparison.test["topological"], table=arm)
    found = comparison.verdict()
    outcome = {0.5: "better", 1.0: "no clear difference", 2.0: "worse"}[factor]
    lower, higher = 3 * (factor < 1), 3 * (factor > 1)
    assert found["outcome"] == outcome
    assert found["sentence"].startswith(f"Topology: {outcome}. ")
    size = f"summed over dimensions, of {2 * factor:.3f} per patch of 12 x 12"
    assert size in found["sentence"]
    assert "has 2.000" in found["sentence"]
    counts = f"lower in {lower}, higher in {higher} and equal in {3 - lower - higher} of 3"
    assert counts in found["sentence"]
    assert "Dice changes by -0.2500" in found["sentence"]


def test_pictures_mark_what_the_table_counts(tmp_path):
    comparison, _ = compare(tmp_path / "run")
    counts = comparison.count_differences()
    figure = comparison.picture(limit=2)
    assert (tmp_path / "run" / "comparison.png").read_bytes()[1:4] == b"PNG"
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["image: ring-0", "reference"]
    assert len(titles) == 8
    found = comparison.differences()
    for label in ("control", "topological"):
        assert counts.loc["all", label] == sum(map(len, found[label]))
        for row in range(2):
            axes = figure.axes[4 * row + 2 + list(found).index(label)]
            marks = sum(len(line.get_xdata()) for line in axes.lines)
            assert marks == len(found[label][row])
            assert axes.get_title().startswith(f"{label}: {marks} difference")
    left, right = comparison.curves().axes
    assert [line.get_label() for line in left.lines] == ["parent", "control"]
    weights = [name for name in comparison.networks if name not in ("parent", "control")]
    named = [line.get_label().removesuffix(", chosen") for line in right.lines[1:]]
    assert named == weights
    chosen = [line.get_label() for line in right.lines if line.get_label().endswith(", chosen")]
    assert chosen == [f"{comparison.compared['topological']}, chosen"] * bool(comparison.weight)


def test_a_folder_never_overwrites_a_run(tmp_path):
    first = prepare_folder(SMALL, out=tmp_path)
    assert first == tmp_path / "brick-topological-seed0"
    assert prepare_folder(SMALL, out=tmp_path) == first  # empty: nothing to lose
    (first / "parent.safetensors").touch()
    second = prepare_folder(SMALL, out=tmp_path)
    assert second.name == "brick-topological-seed0-2"
    assert prepare_folder(SMALL, out=tmp_path, resume=True) == first
    (second / "metrics.json").touch()
    assert prepare_folder(SMALL, out=tmp_path, resume=True) == second
    assert prepare_folder(SMALL, out=tmp_path).name == "brick-topological-seed0-3"
    with pytest.raises(FileExistsError, match="holds a run: pass resume=True"):
        prepare_folder(SMALL, out=tmp_path, name=first.name)
    assert prepare_folder(SMALL, out=tmp_path, name=first.name, resume=True) == first
