"""Where losses push: the table and the words of RESULTS.md are those of the stored files."""

from __future__ import annotations

import pandas as pd
import pytest
from workbook.test_results import WORDS, table_after

from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

#: Networks whose errors were looked at: the control, and those with a loss.
AFTER = ("", "-topological", "-warping", "-morse")
LOSSES = {
    "Dice + cross-entropy": "dice_bce",
    "topological, by place": "topological-spatial",
    "topological, by Betti matching": "topological-betti",
    "topological, by rank": "topological-rank",
    "warping, cross-entropy": "warping",
    "warping, Dice": "warping-dice",
    "Morse, skeleton": "morse-skeleton",
    "Morse, patches": "morse-patches",
    "Morse, both masks, Dice": "morse-both-dice",
    "clDice": "cldice",
    "skeleton recall": "skeleton-recall",
    "SCNP": "scnp",
    "Topograph": "topograph",
}


@pytest.fixture(scope="module", params=["chase_db1", "crackforest"])
def dataset(request):
    return request.param


@pytest.fixture(scope="module")
def tables(dataset):
    files = [REFERENCE_RUNS / f"{dataset}-reach{after}.csv" for after in AFTER]
    return [pd.read_csv(file, index_col="loss") for file in files]


def test_the_table_is_that_of_the_files(dataset, tables):
    counts = [table["all errors, count"].unique() for table in tables]
    assert all(len(count) == 1 for count in counts)
    told = {row["loss"]: row for row in table_after("| loss | chase_db1: reach |")}
    assert told.pop("errors")[f"{dataset}: reach"] == " / ".join(f"{n[0]}" for n in counts)
    wanted = {
        name: tuple(
            " / ".join(f"{100 * table.loc[loss, column]:.0f}" for table in tables) + " %"
            for column in ("all errors", "focus")
        )
        for name, loss in LOSSES.items()
    }
    shown = {
        name: (row[f"{dataset}: reach"], row[f"{dataset}: focus"]) for name, row in told.items()
    }
    assert shown == wanted


def count(dataset, kind, after=""):
    """Return how many errors of a kind a network makes."""
    table = pd.read_csv(REFERENCE_RUNS / f"{dataset}-reach{after}.csv", index_col="loss")
    return int(table[f"{kind}, count"].iloc[0])


def test_the_words_are_those_of_the_files():
    at_eyes, at_cracks = (
        pd.read_csv(REFERENCE_RUNS / f"{name}-reach.csv", index_col="loss")
        for name in ("chase_db1", "crackforest")
    )

    def both(loss, column):
        return tuple(round(100 * table.loc[loss, column]) for table in (at_eyes, at_cracks))

    assert both("morse-patches", "all errors") == (9, 13)
    assert both("skeleton-recall", "break") == (99, 100)
    assert both("skeleton-recall", "spurious component") == (4, 0)
    specks = [count(n, "spurious component") / count(n, "all errors")
              for n in ("chase_db1", "crackforest")]  # fmt: skip
    assert specks == pytest.approx([0.5, 0.4], abs=0.03)
    ratios = [table.loc["warping", "focus"] / table.loc["dice_bce", "focus"]
              for table in (at_eyes, at_cracks)]  # fmt: skip
    assert [round(ratio) for ratio in ratios] == [5, 8]
    eyes, cracks, breaks, specks = "chase_db1", "crackforest", "break", "spurious component"
    for words, numbers in [
        ("which breaks and specks hardly touch: 9 and 13 %", []),
        ("sees nearly every break (99 and 100 %) and hardly a false speck (4 and 0 %)", []),
        ("{} breaks on these eyes where the control has {}",
         [(eyes, breaks, "-morse"), (eyes, breaks)]),
        ("{} on the cracks where it has {}", [(cracks, breaks, "-morse"), (cracks, breaks)]),
        ("Warping leaves {} of {} errors on vessels",
         [(eyes, "all errors", "-warping"), (eyes, "all errors")]),
        ("fewer specks ({}, {}) and more breaks ({}, {})",
         [(eyes, kind, after) for kind in (specks, breaks) for after in ("-warping", "")]),
        ("{} of {}, at the weight", [(cracks, "all errors", after) for after in ("-warping", "")]),
        ("{} and {} specks, {} and {} breaks",
         [(name, kind, "-topological") for kind in (specks, breaks) for name in (eyes, cracks)]),
    ]:  # fmt: skip
        assert words.format(*(count(*number) for number in numbers)) in WORDS
    after = [
        pd.read_csv(REFERENCE_RUNS / f"{name}-reach-topological.csv", index_col="loss")
        for name in (eyes, cracks)
    ]
    left = [round(100 * t.loc["topological-spatial", "all errors"]) for t in after]
    assert "is reached less on vessels ({} %), not on cracks ({} %)".format(*left) in WORDS
    assert left[0] < both("topological-spatial", "all errors")[0]
    assert left[1] >= both("topological-spatial", "all errors")[1]


def test_what_warping_does_to_specks_hangs_on_the_seed():
    faults = pd.read_csv(REFERENCE_RUNS / "chase_db1-faults.csv")
    by_seed = faults.pivot_table("spurious component", "network", "seed")
    ratio = (by_seed.loc["warping"] / by_seed.loc["control"]).tolist()
    assert sorted(value < 1 for value in ratio) == [False, True, True]
    assert max(ratio) > 2
    assert "the specks fall with two seeds and more than double with the third" in WORDS
    assert "19 and 26 % more breaks with every seed, and 12 and 10 % fewer specks" in WORDS
