"""Two tables of one page: each cell against numbers that are made elsewhere, and the commands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from toposeg_lite.differences import KINDS
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.faults import which_loss
from toposeg_lite.workbook.studies.verdicts import (
    best_losses,
    certainty_table,
    compare_studies,
    fault_table,
)


def scores_of(metric="betti_matching_error", images=None, **networks):
    """Scores as a study keeps them, from arrays (seeds, images)."""
    rows = []
    for name, array in networks.items():
        for seed, line in enumerate(array):
            for k, value in enumerate(line):
                image = images[k] if images else f"{k:03}"
                row = {"network": name, "weight": 0.0, "seed": seed, "image": image, "dice": 0.5}
                rows.append(row | {metric: value})
    return pd.DataFrame(rows)


CONTROL = np.array([[9.0, 5, 7, 8, 6, 9, 4, 8], [7, 6, 7, 9, 5, 8, 5, 9], [8, 6, 6, 7, 7, 8, 4, 7]])
BETTER = CONTROL - [[4], [3], [3.5]]
MIXED = CONTROL - [[-2], [1], [-1]]


def test_each_column_is_what_other_tools_say():
    compared = compare_studies({"walls": scores_of(control=CONTROL, better=BETTER, mixed=MIXED)})
    table = compared.set_index(["dataset", "loss"])
    for loss, array in (("better", BETTER), ("mixed", MIXED)):
        row = table.loc["walls", loss]
        assert row["change"] == pytest.approx((array.mean() - CONTROL.mean()) / CONTROL.mean())
        by_seed = (array - CONTROL).mean(axis=1)
        student = stats.ttest_1samp(by_seed, 0).confidence_interval()
        assert row[["t_low", "t_high"]].tolist() == pytest.approx(
            [student.low / CONTROL.mean(), student.high / CONTROL.mean()]
        )
        assert row["low"] < row["change"] < row["high"]
        assert (row["images"], row["groups"], row["seeds"]) == (8, 8, 3)
    # 2 of 2^8 flips, times two losses; the other has not the smallest p, so times one.
    assert table.loc[("walls", "better"), "p_holm"] == pytest.approx(2 * 2 / 2**8)
    assert table["seeds_lower"].tolist() == [3, 1]


def test_marks_and_counts_stand_in_the_table():
    eyes = [f"{person}{side}" for person in range(11, 15) for side in "LR"]
    studies = {
        "walls": scores_of(control=CONTROL, better=BETTER, mixed=MIXED),
        "eyes": scores_of(images=eyes, control=CONTROL, better=BETTER),
        "once": scores_of(control=CONTROL[:1], better=BETTER[:1]),
    }
    compared = compare_studies(studies)
    assert compared.groupby("dataset")["groups"].first().to_dict() == {
        "walls": 8, "eyes": 4, "once": 8
    }  # fmt: skip
    table, legend = certainty_table(compared).split("\n\n")
    head, _, better, mixed = table.splitlines()
    assert head == "| loss | walls | eyes | once |"
    cells = [cell.strip() for cell in better.strip("|").split("|")]
    change = round(100 * (BETTER.mean() / CONTROL.mean() - 1))
    assert cells[0] == "better"
    assert cells[1].startswith(f"{change} (")
    # All seeds; 2 * 2 / 256; and -3 to -4 by three seeds is far from 0 by Student's t.
    assert cells[1].endswith(") s h t")
    assert cells[2].endswith(") s t")  # 2 / 16 of four persons
    assert cells[3].endswith(") h")  # one seed has no other to agree with
    assert mixed.endswith(") h | | |")  # each image has more errors, but not with each seed
    counts = "walls 8 images, 3 seeds; eyes 8 images of 4 persons, 3 seeds; once 8 images, 1 seed."
    for words in (counts, "s: all seeds", "h: sign-flip", "t: the 95 %"):
        assert words in legend


def test_no_change_has_no_mark_and_no_error_no_part():
    same = certainty_table(compare_studies({"a": scores_of(control=CONTROL, same=CONTROL)}))
    assert "| same | 0 (0 to 0) |" in same
    none = compare_studies({"a": scores_of(control=0 * CONTROL, more=CONTROL)})
    assert none["change"].isna().all()


CELLS = pd.DataFrame(
    [
        ("roads", "break", "one", 12.34, -0.3, -0.5, -0.1, "fewer"),
        ("roads", "break", "two", 12.34, -0.4, -0.6, 0.1, "unclear"),
        ("roads", "false hole", "one", 0.25, -1.0, -1.0, -1.0, "rare"),
        ("roads", "false hole", "two", 0.25, np.nan, np.nan, np.nan, "rare"),
        ("walls", "break", "one", 3.0, -0.956, -1.0, -0.004, "fewer"),
        ("walls", "break", "two", 3.0, 0.5, 0.2, 0.9, "more"),
        ("walls", "false hole", "one", 0.0, np.nan, np.nan, np.nan, "rare"),
        ("walls", "false hole", "two", 0.0, np.nan, np.nan, np.nan, "rare"),
    ],
    columns=["dataset", "kind", "loss", "control", "change", "low", "high", "verdict"],
)


def test_the_best_loss_has_its_evidence_and_its_price():
    dice = {"control": [[0.8, 0.7]], "one": [[0.79, 0.7]], "two": [[0.8, 0.72]]}
    scores = scores_of("dice", **dice)
    best = best_losses(CELLS, {"roads": scores, "walls": scores})
    assert best[["dataset", "kind"]].to_numpy().tolist() == [
        ["roads", "break"], ["roads", "false hole"], ["walls", "break"], ["walls", "false hole"]
    ]  # fmt: skip
    assert best["loss"].tolist() == ["two", "one", "one", "one"]
    np.testing.assert_allclose(best["dice"], [1.0, -0.5, -0.5, -0.5])
    table = fault_table(best)
    assert table.loc["break"].to_dict() == {
        "roads": "12.3: two -40 (-60 to +10), Dice +1.0",
        "walls": "3.0: one -96 (-100 to 0)*, Dice -0.5",
    }
    assert table.loc["false hole"].tolist() == ["rare (0.25)", "rare (0.00)"]


@pytest.fixture
def folder(tmp_path):
    """Scores and faults of two small studies."""
    for name, better in (("a", BETTER), ("b", MIXED)):
        scores_of(control=CONTROL, loss=better).to_csv(tmp_path / f"{name}-study.csv", index=False)
        faults = scores_of("break", control=CONTROL, loss=better).drop(columns="dice")
        faults = faults.assign(**{kind: 0 for kind in KINDS if kind != "break"})
        faults.to_csv(tmp_path / f"{name}-faults.csv", index=False)
    return tmp_path


def test_the_commands_print_what_the_functions_find(folder, capsys):
    files = [folder / f"{name}-study.csv" for name in "ab"]
    assert main(["compare", *map(str, files)]) == 0
    read = {n: pd.read_csv(folder / f"{n}-study.csv", dtype={"image": str}) for n in "ab"}
    assert capsys.readouterr().out == certainty_table(compare_studies(read)) + "\n"
    assert main(["which-loss", str(folder)]) == 0
    out = capsys.readouterr().out
    faults = {n: pd.read_csv(folder / f"{n}-faults.csv", dtype={"image": str}) for n in "ab"}
    words = fault_table(best_losses(which_loss(faults), read))
    assert f"| break | {words.loc['break', 'a']} | {words.loc['break', 'b']} |" in out
    assert "| false merge | rare (0.00) | rare (0.00) |" in out


def test_bad_input(folder, capsys):
    file = str(folder / "a-study.csv")
    for words, text in (
        (["compare", file, file], "studies must be of different data sets; got a, a"),
        (["compare", str(folder / "c-study.csv")], "No such file"),
        (["compare", file, "--metric", "cldice"], "metric must be one of"),
        (["which-loss", str(folder / "none")], "folder must hold a DATASET-faults.csv at least"),
    ):
        assert main(words) == 1
        assert text in capsys.readouterr().err
    (folder / "a-study.csv").write_text("network,seed\n")
    assert main(["compare", file]) == 1
    assert "a-study.csv" in capsys.readouterr().err
    with pytest.raises(ValueError, match="studies must map data sets"):
        compare_studies({})
