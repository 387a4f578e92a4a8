"""The tables of RESULTS.md hold what the stored runs hold, digit by digit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

TEXT = (Path(__file__).resolve().parents[2] / "RESULTS.md").read_text()
STUDIES = sorted(path.stem for path in REFERENCE_RUNS.glob("*-study.json"))


def table_after(words, text=TEXT):
    """Return the rows of the first table after these words, each as a dict by its heading."""
    lines = text[text.index(words) :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *rows = cells
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", STUDIES)
def test_the_table_of_a_study_is_what_the_command_prints(name):
    printed = study_tables(json.loads((REFERENCE_RUNS / f"{name}.json").read_text()))
    wanted = [
        {"loss": row["network"], "share of time": row["share of loss"]}
        | {key: row[key] for key in ("weight", "Dice", "clDice", "Betti-0 error", "Betti-1 error",
                                     "Betti matching error")}
        for row in table_after("| network |", printed)
    ]  # fmt: skip
    assert table_after(f"table notebooks/reference_runs/{name}.json`") == wanted


def test_the_errors_out_of_distribution_are_the_stored_means():
    run = read_runs()["topomortar-study"]
    errors = ["betti_0_error", "betti_1_error"]
    rows = table_after("| loss | in distribution |")
    ours = {row.pop("loss"): row for row in rows}
    means = {"in distribution": run.scores.groupby("network")[errors].mean()}
    for group, found in run.groups.groupby("group"):
        means[group] = found.groupby("network")[errors].mean()
    for network in ("control", *run.arms):
        cells = {
            group: " / ".join(re.sub(r"^0\.", ".", f"{x:.2f}") for x in found.loc[network])
            for group, found in means.items()
        }
        assert ours.pop(network) == cells
    assert all(name.startswith("published: ") for name in ours)


def test_the_errors_of_other_trainings_are_the_stored_means():
    errors = ["betti_0_error", "betti_1_error"]
    published = pd.read_csv(REFERENCE_RUNS / "topomortar" / "published.csv")
    published = published.set_index(["setting", "network", "group"])[errors]
    rows = table_after("| setting | loss |")
    told = {(row.pop("setting"), row.pop("loss")): row for row in rows}
    groups = ("in distribution", "angles", "colors", "shadows")

    def written(numbers):
        return " / ".join(re.sub(r"^0\.", ".", f"{x:.2f}") for x in numbers)

    for run in read_runs(REFERENCE_RUNS / "topomortar").values():
        data = run.parameters.get("data_options", {})
        setting = f"{data.get('labels', 'accurate')}, {data.get('training', 50)} images"
        setting += ", hue" if run.parameters["augment"] else ""
        scores = pd.concat([run.scores.assign(group=groups[0]), run.groups])
        means = scores.groupby(["network", "group"])[[*errors, "dice"]].mean()
        for network in ("control", *run.arms):
            cells = {group: written(means.loc[(network, group), errors]) for group in groups}
            cells["Dice"] = f"{means.loc[(network, groups[0]), 'dice']:.3f}".removeprefix("0")
            assert told.pop((setting, network)) == cells
    for (setting, network), cells in told.items():
        name = network.removeprefix("published: ")
        assert name != network
        theirs = {group: written(published.loc[(setting, name, group)]) for group in groups}
        assert cells == theirs | {"Dice": ""}


def test_balance_and_search_are_the_stored_changes():
    metric, told = "betti_matching_error", table_after("| data, loss | searched weight |")
    assert len(told) == 8
    for row in told:
        dataset, network = row["data, loss"].split(", ")
        loss = network.partition("-")[0]
        run, study = (
            read_runs(REFERENCE_RUNS / "ablation")[dataset],
            read_runs()[f"{dataset}-study"],
        )
        for heading, of, name in (
            ("searched weight", study, network),
            ("balance .5", run, f"{loss} balance"),
            ("balance 2", run, f"{loss} balance 2"),
        ):
            means = of.scores.groupby("network")[[metric, "dice"]].mean()
            cell = ""
            if name in means.index:
                share = means.loc[name, metric] / means.loc["control", metric] - 1
                points = means.loc[name, "dice"] - means.loc["control", "dice"]
                cell = f"{100 * share:+.0f} %, {100 * points:+.1f}"
            assert row[heading] == cell
