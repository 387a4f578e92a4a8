"""The further metrics: the table of their command, and what RESULTS.md says of them and of labels.

What is said is held to the stored runs, digit by digit; `test_results` has the other sections.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.measure import label
from workbook.test_results import TEXT, WORDS, table_after

from toposeg_lite.data import load_dataset
from toposeg_lite.data.benchmarks import chase_db1
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.audit import AuditCommand, audit_labels
from toposeg_lite.workbook.studies.observers import ObserversCommand
from toposeg_lite.workbook.studies.scores import file_tables, further_table, read_further
from toposeg_lite.workbook.studies.statistics import FURTHER_COLUMNS, kendall_tau
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

FILES = sorted(REFERENCE_RUNS.glob("*-faults.csv"))
KEYS = ["network", "seed", "image"]
DATA = Path(os.environ.get("TOPOSEG_DATA") or "nowhere")
BETTI = "betti_matching_error"
HD95, SURFACE, DIU = "hausdorff_distance", "surface_dice", "intersection_union_discrepancy"
PRECISION, SENSITIVITY = "topology_precision", "topology_sensitivity"
#: Of a set, how RESULTS.md calls it.
SETS = {
    "topomortar": "mortar",
    "epfl_roads": "roads",
    "chase_db1": "vessels",
    "crackforest": "cracks",
    "isbi2012_membranes": "membranes",
}


def scores_of(dataset):
    """Return study and further metrics of all networks whose faults are counted, joined by hand."""
    study, faults = (
        pd.read_csv(REFERENCE_RUNS / f"{dataset}-{end}.csv", dtype={"network": str, "image": str})
        for end in ("study", "faults")
    )
    joined = faults.merge(study.drop(columns="weight"), on=KEYS, validate="one_to_one")
    assert len(joined) == len(faults)
    return joined


@pytest.fixture(scope="module")
def scores():
    return {dataset: scores_of(dataset) for dataset in SETS}


@pytest.fixture(scope="module")
def means(scores):
    return {
        dataset: table.groupby("network", sort=False).mean(numeric_only=True)
        for dataset, table in scores.items()
    }


@pytest.fixture(scope="module")
def person():
    people = pd.read_csv(REFERENCE_RUNS / "chase_db1-observers.csv")
    return people[people["split"] == "test"].mean(numeric_only=True)


def short(number, digits):
    return re.sub(r"^(-?)0\.", r"\1.", f"{number:.{digits}f}")


# --- The command ---------------------------------------------------------------------------------


def test_every_cell_of_the_table_is_counted_again():
    rows = table_after("| data set |", file_tables(FILES))
    told = {(row.pop("data set"), row.pop("network")): row for row in rows}
    assert len(told) == 5 * 16
    for path in FILES:
        dataset = path.name.removesuffix("-faults.csv")
        table = pd.read_csv(path)
        for network, some in table.groupby("network"):
            row = told[dataset, network]
            for key, title in FURTHER_COLUMNS.items():
                digits = 3 if key in (SURFACE, PRECISION, SENSITIVITY) else 2
                if key == HD95:
                    title += "; of epfl_roads median (infinite ones)"
                if key == HD95 and dataset == "epfl_roads":
                    values = np.sort(some[key])
                    middle = (values[29] + values[30]) / 2
                    assert row[title] == f"{middle:.2f} ({np.sum(values == np.inf)})"
                    continue
                by_seed = [some.loc[some["seed"] == seed, key].mean() for seed in (0, 1, 2)]
                spread = np.std(by_seed, ddof=1)
                assert row[title] == f"{short(np.mean(by_seed), digits)} ± {short(spread, digits)}"


def test_the_command_prints_one_table_of_many_files(capsys):
    assert main(["table", *map(str, FILES)]) == 0
    assert capsys.readouterr().out == file_tables(FILES) + "\n"
    assert main(["table", str(FILES[0])]) == 0
    assert capsys.readouterr().out == file_tables(FILES[:1]) + "\n"
    study = REFERENCE_RUNS / "chase_db1-study.json"
    for files, text in [
        ([study, FILES[0]], "files must be one study.json, or tables of faults"),
        ([study, study], "files must be one study.json, or tables of faults"),
        ([FILES[0], FILES[0]], "different data sets; got chase_db1, chase_db1"),
        ([REFERENCE_RUNS / "chase_db1-study.csv"], "none of the columns hausdorff_distance"),
        ([REFERENCE_RUNS / "none-faults.csv"], "No such file"),
    ]:
        assert main(["table", *map(str, files)]) == 1
        assert text in capsys.readouterr().err


def test_files_are_named_and_read_whole(tmp_path):
    for nothing in ([], str(FILES[0]), FILES[0]):
        with pytest.raises(ValueError, match="files must name one at least"):
            file_tables(nothing)
    table = pd.read_csv(FILES[0])
    place = tmp_path / "own-faults.csv"
    for wrong, text in [
        (table.drop(columns="seed"), "it has no columns seed"),
        (pd.concat([table, table[:1]]), "more than one row for a network, seed and image"),
        (table[:0], "it has no rows"),
        (table.assign(surface_dice="good"), "could not convert string to float"),
    ]:
        wrong.to_csv(place, index=False)
        with pytest.raises(ValueError, match=f"own-faults.csv is no table .*{text}"):
            read_further(place)
    some = table.assign(network="None", image="007")[:1]
    some.to_csv(place, index=False)
    read = read_further(place)
    assert read[["network", "image"]].to_numpy().tolist() == [["None", "007"]]
    with pytest.raises(ValueError, match="tables must map data sets to tables"):
        further_table({})


def test_metrics_that_a_set_lacks_are_empty_and_one_seed_has_no_spread():
    image = pd.DataFrame({"network": ["a"], "seed": 0, "image": "x", SURFACE: 0.5, DIU: 3.0})
    volume = image.drop(columns=DIU)
    assert further_table({"flat": image, "deep": volume}).splitlines() == [
        "| data set | network | surface Dice at 1 pixel | DIU |",
        "| --- | --- | --- | --- |",
        "| flat | a | .500 | 3.00 |",
        "| deep | a | .500 | |",
    ]


# --- How far two people are apart ----------------------------------------------------------------


PEOPLE = ("topological-spatial", "topological+cldice", "scnp")
HEADS = {
    "Dice": ("dice", 3),
    "clDice": ("cldice", 3),
    "Betti-0 error": ("betti_0_error", 1),
    "Betti matching error": (BETTI, 1),
    "HD95 (pixels)": (HD95, 1),
    "surface Dice at 1 pixel": (SURFACE, 3),
    "DIU": (DIU, 1),
    "topology precision": (PRECISION, 3),
    "topology sensitivity": (SENSITIVITY, 3),
    "VOI (bits)": ("variation_of_information", 3),
}


def test_people_and_networks_are_the_stored_means(means, person):
    rows = {row.pop("the 8 test images"): row for row in table_after("| the 8 test images |")}
    assert list(rows) == ["second observer", "control", *PEOPLE]
    for name, row in rows.items():
        of = person if name == "second observer" else means["chase_db1"].loc[name]
        assert row == {head: short(of[key], digits) for head, (key, digits) in HEADS.items()}


def test_how_far_losses_go_is_what_is_said(scores, means, person):
    vessels, control = means["chase_db1"], means["chase_db1"].loc["control"]
    gone = 100 * (control[BETTI] - vessels[BETTI]) / (control[BETTI] - person[BETTI])
    said = (
        f"the topological loss goes {gone[PEOPLE[0]]:.0f} %, its sum with clDice "
        f"{gone[PEOPLE[1]]:.0f} % and SCNP {gone[PEOPLE[2]]:.0f} %. By DIU the last two arrive"
    )
    assert said in WORDS
    assert (vessels.loc[list(PEOPLE[1:]), DIU] < person[DIU]).all()
    assert vessels.loc[PEOPLE[0], DIU] > person[DIU]
    images = scores["chase_db1"].groupby(["network", "image"])[[HD95, SURFACE, SENSITIVITY]].mean()
    for network in PEOPLE:
        change = images.loc[network] - images.loc["control"]
        assert len(change) == 8
        assert (change[HD95] > 0).all()
        assert (change[[SURFACE, SENSITIVITY]] < 0).all(axis=None)
    assert (
        "move away from the person, in each of the 8 images (4 persons; mean over seeds)" in WORDS
    )
    longer = (vessels.loc[list(PEOPLE), HD95] - control[HD95]).round()
    assert f"HD95 grows by {longer.min():.0f} to {longer.max():.0f} pixels" in WORDS
    found = 100 * vessels[SENSITIVITY]
    assert {f"{found[network]:.0f}" for network in PEOPLE} == {"70"}
    said = f"they find 70 %, the control {found['control']:.0f} and the second person"
    assert f"{said} {100 * person[SENSITIVITY]:.0f} %" in WORDS
    assert (vessels.loc[list(PEOPLE), PRECISION] > person[PRECISION]).all()
    said = f"clDice alone does find more, {found['cldice']:.0f} %, and goes {gone['cldice']:.0f} %"
    assert said in WORDS


def test_how_the_people_differ_is_the_mean_of_all_images():
    people = pd.read_csv(REFERENCE_RUNS / "chase_db1-observers.csv").mean(numeric_only=True)
    said = (
        f"their mean Betti matching error is {people[BETTI]:.1f}, their HD95 {people[HD95]:.0f} "
        f"pixels, and the strict discrepancy of intersection and union, DIU, {people[DIU]:.0f}"
    )
    assert said in WORDS


@pytest.mark.skipif(
    not (DATA / "chase_db1").is_dir(), reason="CHASE_DB1 is not in the folder of TOPOSEG_DATA"
)
def test_what_people_have_in_common_falls_apart(capsys):
    first, second = (chase_db1(DATA, observer=observer).test for observer in (1, 2))
    counts = []
    for one, two in zip(first, second, strict=True):
        masks = (one.mask, two.mask, one.mask & two.mask)
        counts.append([label(mask, connectivity=2).max() for mask in masks])
    of_first, of_second, common = np.mean(counts, axis=0)
    assert f"falls into {common:.0f} components an image" in WORDS
    numbers = sorted({round(of_first), round(of_second)})
    assert f"each mask has {' or '.join(map(str, numbers))}" in WORDS
    study, faults = (REFERENCE_RUNS / f"chase_db1-{end}.csv" for end in ("study", "faults"))
    ObserversCommand(str(DATA), str(study), str(faults)).run()  # as RESULTS.md names it
    printed = {row["mask"]: row for row in table_after("| mask |", capsys.readouterr().out)}
    for row in table_after("| the 8 test images |"):
        name = row.pop("the 8 test images")
        name = "observer 2" if name == "second observer" else name
        for head, cell in row.items():
            digits = len(cell.partition(".")[2])
            exact = float(printed[f"{name}, test images"][head])
            assert abs(exact - float(cell)) <= 0.5 * 10**-digits + 0.0006


# --- What other metrics say ----------------------------------------------------------------------


def test_the_table_of_further_metrics_is_what_the_command_prints():
    printed = table_after("| data set |", file_tables(FILES))
    rows = table_after("| data set | loss | HD95")
    assert len(rows) == 5 * 5
    networks = ("control", "topological-spatial", "cldice", "scnp", "topological+cldice")
    kept = iter(row for row in printed if row["network"] in networks)
    for row, whole in zip(rows, sorted(kept, key=lambda row: row["data set"]), strict=True):
        assert row.pop("loss") == whole["network"]
        assert row == {head: whole[head] for head in row}


def test_which_metrics_agree_with_the_matching_error(means, scores):
    tau = {}
    for key in (DIU, HD95):
        for dataset, table in means.items():
            metric = table[key]
            if np.isinf(metric).any():
                metric = scores[dataset].groupby("network")[key].median().loc[table.index]
            assert len(metric) == 16
            tau[key, dataset] = float(kendall_tau(table[BETTI].to_numpy(), metric.to_numpy()))
    same = [tau[DIU, dataset] for dataset in SETS]
    assert f"(Kendall's tau +{short(min(same), 2)} to +{short(max(same), 2)})" in WORDS
    assert f"reverse on vessels (tau {short(tau[HD95, 'chase_db1'], 2)})" in WORDS
    assert f"alike on cracks (+{short(tau[HD95, 'crackforest'], 2)})" in WORDS
    rest = [tau[HD95, name] for name in SETS if name not in ("chase_db1", "crackforest")]
    assert f"other three ({short(max(rest), 2)} to {short(min(rest), 2)})" in WORDS
    told = []
    for dataset, word in SETS.items():
        of = means[dataset][DIU]
        told.append(f"{100 * (1 - of['topological-spatial'] / of['control']):.0f} % on {word}")
    assert f"lowers it by {', '.join(told[:-1])} and {told[-1]}." in WORDS
    cracks = means["crackforest"][HD95]
    shorter = (cracks["control"] - cracks[["topological-spatial", "cldice", "scnp",
                                           "topological+cldice"]]).round()  # fmt: skip
    assert f"all four losses take {shorter.min():.0f} to {shorter.max():.0f} pixels away" in WORDS


def test_what_the_losses_cost(means, scores):
    def change(dataset, key, network="topological-spatial"):
        return means[dataset][key][network] - means[dataset][key]["control"]

    three = ("chase_db1", "crackforest", "epfl_roads")
    fall = [f"{-100 * change(dataset, SENSITIVITY):.1f}" for dataset in three]
    rise = [f"{100 * change(dataset, PRECISION):.1f}" for dataset in three]
    said = f"falls by {fall[0]} points on vessels (two seeds of three), {fall[1]} on cracks and"
    said += f" {fall[2]} on roads while precision rises by"
    assert f"{said} {rise[0]}, {rise[1]} and {rise[2]}" in WORDS
    lower = []
    for dataset in three:
        by_seed = scores[dataset].groupby(["network", "seed"])[SENSITIVITY].mean()
        lower.append((by_seed["topological-spatial"] < by_seed["control"]).sum())
    assert lower == [2, 3, 3]
    assert {short(-change(name, SURFACE), 2) for name in ("chase_db1", "epfl_roads")} == {".03"}
    assert "surface Dice falls by .03 on vessels and on roads" in WORDS
    moved = [
        abs(change(dataset, key))
        for dataset in ("topomortar", "isbi2012_membranes")
        for key in (SENSITIVITY, PRECISION, SURFACE)
    ]
    assert f"none of the three moves by more than {short(max(moved), 3)}" in WORDS
    for dataset in SETS:
        assert change(dataset, SENSITIVITY, "cldice") >= 0
    assert f"vessels gain {100 * change('chase_db1', SENSITIVITY, 'cldice'):.1f} points" in WORDS
    far = {dataset: change(dataset, HD95, "cldice") for dataset in SETS}
    assert f"grows by {short(far['isbi2012_membranes'], 1)} pixels on membranes" in WORDS
    grown = {dataset for dataset, difference in far.items() if difference > 0}
    assert grown == {"isbi2012_membranes", "epfl_roads"}
    roads = means["epfl_roads"][HD95]
    said = f"on roads by its mean ({roads['control']:.0f} to {roads['cldice']:.0f} pixels)"
    assert f"{said}, not by its median" in WORDS
    middle = scores["epfl_roads"].groupby("network")[HD95].median()
    assert middle["cldice"] < middle["control"]
    lowest = {word for name, word in SETS.items() if means[name][SURFACE].idxmin() == "scnp"}
    assert lowest == {"vessels", "cracks", "membranes"}
    assert "the lowest of all networks on vessels, cracks and membranes" in WORDS


def test_networks_that_predict_nothing_are_told(scores):
    roads = scores["epfl_roads"]
    for dataset, table in scores.items():
        assert np.isinf(table[HD95]).any() == (dataset == "epfl_roads")
    empty = roads[np.isinf(roads[HD95])]
    assert set(empty["image"]) == {"091"}
    assert (empty["dice"] == 0).all()
    assert (empty[[SURFACE, PRECISION, SENSITIVITY]] == 0).all(axis=None)
    with_topology = empty["network"].str.startswith("topological")
    assert (len(empty), with_topology.sum()) == (9, 8)
    assert empty.loc[~with_topology, "network"].tolist() == ["morse-skeleton"]
    words = "nine networks, eight of them with a topological loss and one with a Morse loss"
    assert words in WORDS
    control = roads[(roads["network"] == "control") & (roads["image"] == "091")]
    assert f"(Dice {short(control['dice'].max(), 2)} at most)" in WORDS
    told = []
    for key in (BETTI, DIU):
        (alone,) = empty[key].unique()
        others = sorted(control[key].unique())
        assert alone < min(others)
        told.append(f"{alone:.0f}, control {others[0]:.0f} or {others[-1]:.0f}")
        assert len(others) == 2
    assert f"(Betti matching error {told[0]}; DIU {told[1]})" in WORDS


# --- What the labels hang on ---------------------------------------------------------------------


def cells_after(words):
    """Return the rows of the first table after these words as lists: headings may repeat."""
    lines = TEXT[TEXT.index(words) :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.split("|")[1:-1]])
    return rows


@pytest.mark.skipif(not DATA.is_dir(), reason="TOPOSEG_DATA names no folder of data sets")
def test_the_audit_of_labels_is_what_the_command_counts(capsys):
    table = AuditCommand(root=str(DATA)).run()
    capsys.readouterr()
    head, _, *rows = cells_after("## What the labels hang on")
    assert [row[0] for row in rows] == table.index.tolist()
    assert len(head) == 10

    def cells(row):
        told = [str(row["masks"])]
        for kind in ("components", "holes", "tunnels"):
            if pd.isna(row[f"{kind}_1"]):
                told += [""] * 2
                continue
            told += [f"{row[f'{kind}_1']} / {row[f'{kind}_full']}", str(row[f"{kind}_changed"])]
            told += [str(row[f"{kind}_small"])] if kind != "tunnels" else []
        return told

    for name, *told in rows:
        assert told == cells(table.loc[name])
    assert table.loc["vesselnn_3d", "holes_small"] == table.loc["vesselnn_3d", "holes_full"]
    test = audit_labels(load_dataset("vesselnn_3d", root=DATA)).loc["test"].sum()
    said = f"all {table.loc['vesselnn_3d', 'holes_full']} cavities of vesselnn_3d, and"
    said += f" {test['components_small']} of the {test['components_full']} components of its two"
    assert said in WORDS
    for name in ("crackforest", "epfl_roads", "betti_matching_examples:kind=cremi"):
        share = table.loc[name, "holes_small"] / table.loc[name, "holes_full"]
        assert 0.2 < share < 0.3
