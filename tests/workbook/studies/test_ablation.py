"""The networks of an ablation are sorted by their names, and tabulated against their controls."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from made_runs import ERRORS, WEIGHTS, make_run

from toposeg_lite.workbook.studies.ablation import SEARCHED, option_blocks, option_changes
from toposeg_lite.workbook.studies.runs import read_runs
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS


def run_of(good, bad, name="walls"):
    """Return the run made by hand, in which two networks have other names."""
    run = make_run(name)
    scores = run.scores.replace({"network": {"good": good, "bad": bad}})
    return dataclasses.replace(run, scores=scores)


def mean(network):
    return sum(map(sum, ERRORS[network])) / 12


BAD = pytest.approx(100 * (mean("bad") / mean("control") - 1))
GOOD = pytest.approx(100 * (mean("good") / mean("control") - 1))


def test_networks_are_sorted_by_the_loss_in_their_names():
    runs = {
        "walls": run_of("morse", "morse of truth"),
        "roads": run_of("warping+morse", "warping balance"),
        "eyes": run_of("all three", "warping balance 2"),
    }
    assert option_blocks(runs) == {
        "The losses and their sums": {
            name: name for name in ("morse", "warping+morse", "all three")
        },
        "Warping loss": {"balance .5": "warping balance", "balance 2": "warping balance 2"},
        "Morse loss": {"skeletons of both, Dice, 1": "morse", "of truth": "morse of truth"},
    }
    alone = {"walls": run_of("cldice balance", "cldice weight 2")}
    rows = {"balance .5": "cldice balance", "weight 2": "cldice weight 2"}
    assert option_blocks(alone) == {"clDice": rows}


def test_every_network_of_the_stored_ablation_has_one_row_of_its_own():
    runs = read_runs(REFERENCE_RUNS / "ablation")
    blocks = option_blocks(runs)
    shown = [name for rows in blocks.values() for name in rows.values()]
    twice = [name for name in shown if shown.count(name) > 1]
    assert sorted(set(twice)) == ["morse", "topological", "warping"]  # alone, and in their blocks
    assert len(twice) == 6
    assert set(shown) == {name for run in runs.values() for name in run.arms}
    assert set(blocks) == {"The losses and their sums", *SEARCHED}


def test_changes_are_in_percent_of_the_control_and_in_points_of_dice():
    runs = {"walls": run_of("warping", "warping weight 3")}
    studies = {"walls": run_of("warping-dice", "cldice", "walls-study")}
    table = option_changes(runs, option_blocks(runs), "betti_matching_error", studies)
    assert table.index.names == ["part of", "network"]
    assert table.columns.tolist() == [("walls", name) for name in ("weight", "%", "Dice")]
    good, bad = ((mean("control") - mean(name)) for name in ("good", "bad"))
    block = "Warping loss"
    assert {key: row.tolist() for key, row in table.iterrows()} == {
        ("The losses and their sums", "warping"): [0.5, GOOD, pytest.approx(good)],
        (block, "Dice, connectivity 2, .3"): [WEIGHTS["good"], GOOD, pytest.approx(good)],
        (block, "weight 3"): [WEIGHTS["bad"], BAD, pytest.approx(bad)],
        (block, "searched"): [0.5, GOOD, pytest.approx(good)],
    }
    assert table.index[-1] == (block, "searched")


def test_without_searched_studies_and_with_several_sets_each_has_its_columns():
    runs = {"walls": run_of("morse", "morse patches"), "roads": run_of("morse patches", "morse")}
    table = option_changes(runs, option_blocks(runs), "dice")
    assert ("Morse loss", "searched") not in table.index
    walls, roads = table["walls"]["Dice"], table["roads"]["Dice"]
    assert walls["Morse loss"].tolist() == pytest.approx(roads["Morse loss"].tolist()[::-1])
    assert walls["Morse loss", "patches"] < 0 < roads["Morse loss", "patches"]
    control = 1 - mean("control") / 100
    change = walls["Morse loss", "patches"]
    assert table["walls"]["%"]["Morse loss", "patches"] == pytest.approx(change / control)


RUNS = {"walls": run_of("morse", "morse patches")}
BLOCKS = option_blocks(RUNS)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"runs": [make_run()]}, TypeError, "runs must map data sets to instances of Run"),
        ({"runs": {"walls": "run"}}, TypeError, "runs must map data sets to instances of Run"),
        ({"runs": {}}, ValueError, "runs must hold something"),
        ({"metric": "clDice"}, ValueError, "metric, of walls, must be"),
        ({"runs": {"walls": run_of("a", "b")}}, ValueError, "each of blocks, of walls, must be"),
        ({"studies": 3}, TypeError, "studies must map data sets to instances of Run"),
        ({"studies": {"walls": make_run()}}, ValueError, "each of blocks, of walls-study, must"),
    ],
)
def test_what_cannot_be_tabulated_is_said(given, error, says):
    good = {"runs": RUNS, "blocks": BLOCKS, "metric": "dice", "studies": None}
    assert isinstance(option_changes(**good), pd.DataFrame)
    with pytest.raises(error, match=says):
        option_changes(**good | given)


@pytest.mark.parametrize("runs", [None, {}, {"walls": None}])
def test_what_is_no_ablation_is_not_sorted(runs):
    with pytest.raises((TypeError, ValueError), match="runs must"):
        option_blocks(runs)
