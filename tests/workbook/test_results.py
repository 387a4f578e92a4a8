"""The tables of RESULTS.md hold what the stored runs hold, digit by digit."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats
from skimage.measure import label

from toposeg_lite import losses
from toposeg_lite.losses import make_loss
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.calibration import read_calibration
from toposeg_lite.workbook.studies.costs import fit_cost
from toposeg_lite.workbook.studies.orders import order_tables, read_orders
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import ARMS, FURTHER_ARMS, REFERENCE_RUNS
from toposeg_lite.workbook.studies.transfer import compare_orders, read_transfers

TEXT = (Path(__file__).resolve().parents[2] / "RESULTS.md").read_text()
LABELS = Path(os.environ.get("TOPOSEG_DATA") or "nowhere") / "topomortar" / "dataset" / "train"
WORDS = " ".join(TEXT.split())
STUDIES = sorted(path.stem for path in REFERENCE_RUNS.glob("*-study.json"))


def table_after(words, text=TEXT):
    """Return the rows of the first table after these words, each as a dict by its heading."""
    place = next(re.finditer(r"\s+".join(map(re.escape, words.split())), text))
    lines = text[place.start() :].splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *rows = cells
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", [*STUDIES, "volumes/vesselnn_3d"])
def test_the_table_of_a_study_is_what_the_command_prints(name):
    printed = study_tables(json.loads((REFERENCE_RUNS / f"{name}.json").read_text()))
    last = "Betti matching error" if name in STUDIES else "Betti-2 error"
    wanted = [
        {"loss": row["network"], "share of time": row["share of loss"]}
        | {key: row[key] for key in ("weight", "Dice", "clDice", "Betti-0 error", "Betti-1 error",
                                     last)}
        for row in table_after("| network |", printed)
    ]  # fmt: skip
    assert table_after(f"table notebooks/reference_runs/{name}.json`") == wanted


SETS = {
    "mortar": "topomortar",
    "vessels": "chase_db1",
    "cracks": "crackforest",
    "roads": "epfl_roads",
    "membranes": "isbi2012_membranes",
}


def gains(dataset, network, metric="betti_matching_error"):
    """How far a network is from the control: a mean over the test images for each seed."""
    means = read_runs()[f"{dataset}-study"].scores.groupby(["network", "seed"])[metric].mean()
    return means[network] - means["control"]


def test_the_losses_at_a_glance_are_the_stored_changes():
    metric, wanted = "betti_matching_error", {}
    for word, dataset in SETS.items():
        means = read_runs()[f"{dataset}-study"].scores.groupby("network")[[metric, "dice"]].mean()
        share = 100 * (means[metric] / means.loc["control", metric] - 1)
        points = 100 * (means["dice"] - means.loc["control", "dice"])
        for network in means.index.difference(["control", "parent"]):
            part = f"{share[network]:+.0f} %"
            clear = stats.ttest_1samp(gains(dataset, network), 0).pvalue < 0.05
            part = f"**{part}**" if clear else part
            wanted.setdefault(network, {})[word] = f"{part}, {points[network]:+.1f}"
    told = {row.pop("loss"): row for row in table_after("| loss | mortar | vessels |")}
    assert told == wanted
    assert len(told) == 15


def test_what_the_short_reading_says_of_the_losses():
    ours = {dataset: gains(dataset, "topological-spatial") for dataset in SETS.values()}
    assert all((gain < 0).all() for gain in ours.values())
    shown = {name for name, gain in ours.items() if stats.ttest_1samp(gain, 0).pvalue < 0.05}
    assert shown == set(SETS.values()) - {"epfl_roads"}
    every = list(read_runs()["epfl_roads-study"].arms)
    assert all(stats.ttest_1samp(gains("epfl_roads", one), 0).pvalue > 0.05 for one in every)
    worse = [one for one in every if (gains("chase_db1", one) > 0).all()]
    assert worse == ["skeleton-recall", "warping-dice", "morse-patches"]
    assert "on vessels skeleton recall, warping on Dice and Morse on patches are worse" in WORDS
    plain = ("warping", "warping-dice", "morse-skeleton", "morse-patches", "morse-both-dice",
             "skeleton-recall")  # fmt: skip
    for one in plain:
        assert stats.ttest_1samp(gains("crackforest", one), 0).pvalue > 0.05
        assert gains("topomortar", one).mean() < 0
    runs = read_runs(REFERENCE_RUNS / "topomortar") | {"": read_runs()["topomortar-study"]}

    def away(setting, columns, network="topological-spatial"):
        means = runs[setting].scores.groupby("network")[columns].mean().sum(axis=1)
        return f"{100 * (1 - means[network] / means['control']):.0f}"

    counts, matched = ["betti_0_error", "betti_1_error"], ["betti_matching_error"]
    assert (
        f"it takes away {away('ten', counts)} % with ten images, which then make fewer than fifty "
        f"without it, and {away('pseudo', counts)} % with pseudo labels ({away('', counts)} % "
        f"with fifty accurate ones), but {away('noisy', counts)} % with noisy ones; by the Betti "
        f"matching error {away('ten', matched)}, {away('pseudo', matched)}, {away('', matched)} "
        f"and {away('noisy', matched)} %"
    ) in WORDS
    assert (
        f"matched it is only {away('noisy', matched)} % in distribution, where skeleton recall, "
        f"{away('noisy', matched, 'skeleton-recall')} %, and the sum with clDice, "
        f"{away('noisy', matched, 'topological+cldice')} %, are ahead of it"
    ) in WORDS
    assert f"matched it takes away {away('hue', matched)} %, not {away('', matched)}" in WORDS
    groups = runs["noisy"].groups.groupby(["group", "network"])["betti_matching_error"].mean()
    shares = {
        name: [round(100 * (1 - groups[g, name] / groups[g, "control"]))
               for g in ("angles", "colors", "shadows")]
        for name in ("topological-spatial", "skeleton-recall")
    }  # fmt: skip
    assert (
        "it stays at {}, {} and {} %".format(*shares["topological-spatial"])
        + " and skeleton recall at {}, {} and {} %".format(*shares["skeleton-recall"])
    ) in WORDS


def test_the_calls_beside_the_names_are_those_of_the_arms():
    arms = {arm.name: arm for arm in (*ARMS, *FURTHER_ARMS)}
    calls = 0
    for row in table_after("| name | what it adds"):
        names = row["name"].partition(", weight")[0].split(", ")
        last = names[0].rsplit("-", 1)[0] + names[-1] if names[-1].startswith("-") else names[-1]
        assert {names[0], last} <= set(arms)
        shown = names[0] if names[0] == "topological-spatial" else last
        loss = row["call"].strip("`")
        if loss != "SumLoss":
            built = eval(loss, vars(losses))
            assert built.options == make_loss(arms[shown].loss, **arms[shown].loss_options).options
            calls += 1
    assert calls == 8


def test_what_is_said_of_weights_at_the_end_of_the_three():
    ends, largest, curves = {"upper": 0, "lower": 0}, {}, {}
    for dataset in SETS.values():
        study = json.loads((REFERENCE_RUNS / f"{dataset}-study.json").read_text())
        for arm in study["parameters"]["arms"]:
            first = study["networks"][arm["name"]]["0"]
            ends["upper"] += first["weight"] == max(arm["weights"])
            ends["lower"] += first["weight"] == min(arm["weights"])
            if first["weight"] == max(arm["weights"]):
                largest.setdefault(arm["name"], []).append(dataset)
            if arm["name"] == "cldice":
                (control,) = study["networks"]["control"]["0"]["validation"].values()
                errors = [one["betti_matching_error"] for one in first["validation"].values()]
                spent = [control["dice"] - one["dice"] for one in first["validation"].values()]
                curves[dataset] = errors, 100 * spent[-1]
    assert (
        f"{sum(ends.values())} of the 75 choices are at an end of the three, {ends['upper']} of "
        "them at the upper one"
    ) in WORDS
    assert len(largest["cldice"]) == len(largest["scnp"]) == 4
    for word, dataset in (("vessels", "chase_db1"), ("roads", "epfl_roads")):
        errors, spent = curves[dataset]
        digits = 0 if errors[0] > 100 else 1
        said = ", ".join(f"{error:.{digits}f}" for error in errors)
        assert f"{word} {said}" in WORDS
        assert errors == sorted(errors, reverse=True)
        assert spent < 0.55
    errors, spent = curves["crackforest"]
    assert "cracks " + ", ".join(f"{error:.1f}" for error in errors) in WORDS
    assert spent < 0.55


def test_the_orders_of_all_pairs_are_those_of_the_chapter():
    transfers = read_transfers()
    orders = compare_orders(transfers, seed=0)

    def cell(name, metric):
        tau, p = (orders.loc[(name, metric), key] for key in ("tau", "p_holm"))
        p = "below .001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
        return f"{tau:+.2f} ({p})".replace("0.", ".")

    wanted = {
        name: {
            "networks": f"{len(one.networks)}",
            "by Betti matching error": cell(name, "betti_matching_error"),
            "by Dice": cell(name, "dice"),
            "best Dice away": f"{one.means('dice')['away'].max():.2f}".removeprefix("0"),
        }
        for name, one in transfers.items()
    }
    rows = table_after("| pair | networks |")
    assert {row.pop("pair"): row for row in rows} == wanted
    away = transfers["isbi2012_membranes -> topomortar"]
    means = away.means("betti_matching_error")
    topological = [
        name for name in means.index if re.fullmatch("topological-(spatial|betti|rank)", name)
    ]
    for words, place in (
        ("take away {} to {} % where", "away"),
        ("took {} to {} % at home", "home"),
    ):
        shares = 100 * (1 - means.loc[topological, place] / means.loc["control", place])
        assert words.format(round(shares.min()), round(shares.max())) in WORDS


def test_the_table_of_others_is_what_they_published():
    published = pd.read_csv(REFERENCE_RUNS / "published-sparse.csv")
    errors = published.pivot(index="loss", columns="data", values="betti_matching_error")
    shares = 100 * (1 - errors / errors.loc["Dice + cross-entropy"])
    columns = [
        next(name for name in shares if name.startswith(word)) for word in ("ATM", "FIVES", "ACDC")
    ]
    rows = table_after("### Beside another table")
    assert {row.pop("loss"): [*row.values()] for row in rows} == {
        name: [
            "" if np.isnan(x) else f"{x:.0f} %".replace("-0 ", "0 ")
            for x in shares.loc[name, columns]
        ]
        for name in shares.index.drop("Dice + cross-entropy")
    }


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
    published = pd.read_csv(REFERENCE_RUNS / "topomortar" / "published.csv")
    published = published.set_index(["setting", "network", "group"])[errors]
    names = {"cross-entropy + Dice": "control", "clDice": "cldice", "TopoLoss": "topoloss",
             "skeleton recall": "skeleton-recall"}  # fmt: skip
    for row, cells in ours.items():
        name, _, hue = row.removeprefix("published: ").partition(", ")
        setting = "accurate, 50 images" + (", hue" if hue else "")
        for group, cell in cells.items():
            theirs = published.loc[(setting, names.get(name, name), group)]
            told = [float(number) for number in cell.replace("*", "").split(" / ")]
            assert told == pytest.approx([*theirs])
    assert len(ours) == 6


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
        keys = [*errors, "betti_matching_error", "dice"]
        means = scores.groupby(["network", "group"])[keys].mean()
        for network in ("control", *run.arms):
            cells = {group: written(means.loc[(network, group), errors]) for group in groups}
            cells["matched"] = written([means.loc[(network, groups[0]), "betti_matching_error"]])
            cells["Dice"] = f"{means.loc[(network, groups[0]), 'dice']:.3f}".removeprefix("0")
            assert told.pop((setting, network)) == cells
    for (setting, network), cells in told.items():
        name = network.removeprefix("published: ")
        assert name != network
        theirs = {group: written(published.loc[(setting, name, group)]) for group in groups}
        assert cells == theirs | {"matched": "", "Dice": ""}


def test_the_calibration_of_three_sets_is_what_their_studies_hold():
    rows = table_after("## How honest the probabilities of branches are")
    told = {(row.pop("data set"), row.pop("probability")): row for row in rows}
    names = {"mean likelihood": "pixels", "Monte-Carlo dropout": "dropout",
             "one threshold": "threshold", "branch head": "branch"}  # fmt: skip
    files = sorted(REFERENCE_RUNS.glob("*-calibration.json"))
    assert len(files) == 3
    wanted = {}
    for path in files:
        table, _ = read_calibration(path)
        assert table["seed"].nunique() == 3
        for words, method in names.items():
            row = {}
            for heading, column in (("count", "error"), ("length", "error_by_length")):
                for scaled in (False, True):
                    one = 100 * table[(table["method"] == method) & (table["scaled"] == scaled)]
                    numbers = f"{one[column].mean():.1f} ± {one[column].std():.1f}"
                    row[f"by {heading}, scaled" if scaled else f"by {heading}"] = numbers
            right = 100 * table.loc[table["method"] == method, "accuracy"].mean()
            wanted[path.stem.removesuffix("-calibration"), words] = row | {"right": f"{right:.0f}"}
    assert told == wanted


def test_how_parents_converge_is_what_the_looks_saw():
    told = {row.pop("Dice after"): row for row in table_after("## When a parent has learned")}
    files = sorted(REFERENCE_RUNS.glob("*-convergence.csv"))
    wanted = {}
    for path in files:
        dice = pd.read_csv(path, index_col="step")["dice"]
        rows = {f"{step}": f"{dice[step]:.3f}".removeprefix("0") for step in (1000, 2000, 3000)}
        rows["4000 steps"] = f"{dice[4000]:.3f}".removeprefix("0")
        wanted[path.stem.removesuffix("-convergence")] = rows
    assert told == wanted
    assert len(files) == 5
    errors = {
        name: pd.read_csv(REFERENCE_RUNS / f"{name}-convergence.csv", index_col="step")[
            "betti_matching_error"
        ]
        for name in wanted
    }
    moves = [one.pct_change()[one.index > 2000].abs().max() for one in errors.values()]
    assert f"moves by up to {100 * max(moves):.0f} % from one look to the next" in WORDS
    fell = {name: f"from {one[2000]:.1f} to {one[4000]:.1f}" for name, one in errors.items()}
    said = f"fell {fell['topomortar']} on topomortar, {fell['crackforest']} on crackforest, rose"
    assert said in WORDS
    others = set(errors) - {"topomortar", "crackforest"}
    assert all(errors[name][4000] > errors[name][2000] for name in others)


def test_the_orders_of_questions_are_those_of_both_runs():
    told = {row.pop("data set, steps"): row for row in table_after("## Which branch to ask about")}
    metric, wanted = "betti_matching_error", {}
    for end in ("-400", ""):
        for name, study in read_orders(REFERENCE_RUNS / f"annotation-orders{end}.json").items():
            table, images = order_tables(study, metric), study["images"].values()
            before, after = (
                sum(image[key][metric] for image in images) / len(images)
                for key in ("start", "end")
            )
            row = {"images": f"{len(images)}", "before, after": f"{before:.1f}, {after:.1f}"}
            row |= {order: f"{table['area'][order]:.1f}" for order in ("random", "persistence")}
            for order in ("uncertainty", "doubt"):
                better, p = (table[c][order] for c in ("better than persistence",
                                                            "p (persistence)"))  # fmt: skip
                row[order] = f"{table['area'][order]:.1f} ({better:.0f}, {p:.2g})"
            wanted[f"{name}, {study['about']['config']['steps']}"] = row
    assert told == wanted
    assert len(told) == 6


@pytest.mark.skipif(not LABELS.is_dir(), reason="TOPOSEG_DATA names no folder with topomortar")
def test_what_is_worse_in_the_worse_labels():
    found = {}
    for kind in ("noisy", "pseudo"):
        rows = []
        for path in sorted((LABELS / "accurate").iterdir()):
            truth, mask = (
                np.asarray(Image.open(LABELS / name / path.name).convert("L")) > 0
                for name in ("accurate", kind)
            )
            overlap = 2 * (truth & mask).sum() / (truth.sum() + mask.sum())
            (pieces, holes), (pieces_too, holes_too) = map(betti_by_labelling, (truth, mask))
            rows.append([overlap, abs(pieces - pieces_too), abs(holes - holes_too)])
        assert len(rows) == 50
        found[kind] = np.mean(rows, axis=0)
    noisy, pseudo = found["noisy"], found["pseudo"]
    said = (
        f"with a Dice of {noisy[0]:.3f} with the experts' and Betti numbers that are wrong by "
        f"{noisy[1:].sum():.1f} an image; the pseudo labels have the outline, {pseudo[0]:.3f}, and "
        f"wrong Betti numbers, by {pseudo[1:].sum():.1f}, nearly all of them holes"
    )
    assert re.sub(r"\b0\.", ".", said) in WORDS
    assert pseudo[2] > 0.9 * pseudo[1:].sum()


def betti_by_labelling(mask):
    """Return the components of a mask and its holes: the background's that touch no border."""
    outside = label(np.pad(~mask, 1, constant_values=True), connectivity=1)
    return label(mask, connectivity=2).max(), outside.max() - 1


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


def test_what_a_million_images_cost_is_what_the_measurements_say():
    run = pd.read_csv(REFERENCE_RUNS / "scale.csv")
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}

    def near(cell, seconds):
        """Whether a cell is this time, in one of the units, to its last digit."""
        number, unit = cell.split()
        digits = len(number.partition(".")[2])
        return abs(float(number) - seconds / units[unit]) <= 0.5001 * 10**-digits

    rows = table_after("## What a million images cost")
    assert len(rows) == len(run.groupby(["job", "side"])) == 18
    for row in rows:
        side = int(row["images"].split()[0])
        some = run[(run["job"] == row["job"]) & (run["side"] == side)]
        line = fit_cost(some)
        assert near(row["one of them, one core"], line.cost)
        low, high = row["95 % interval"].split(" to ")
        assert near(f"{low} ms", line.low)
        assert near(f"{high} ms", line.high)
        for heading, cores in (("a million on 2 cores", 2), ("on 64", 64), ("on 1000", 1000)):
            assert near(row[heading], line.predict(10**6, cores)[0])
    million = run[run["count"] == 10**6].set_index("job")
    assert f"loss in {million.loc['topological', 'seconds']:.0f} s on two cores" in WORDS
    assert f"the report in {million.loc['report', 'seconds'] / 60:.1f} minutes" in WORDS
    ours = run["job"] != "cldice"
    ends = [
        round(end, -1) for some in (ours, ~ours) for end in run[some]["peak_mb"].agg(["min", "max"])
    ]
    assert ends == [510, 600, 690, 740]
    assert "510 to 600 MB, with clDice (in torch) 690 to 740 MB" in WORDS
    peaks = run[(run["job"] == "topological") & (run["workers"] == 1)].set_index("count")["peak_mb"]
    few, many = peaks[1000], million.loc["topological", "peak_mb"]
    assert f"from {few:.0f} MB for a thousand images to {many:.0f} MB for a million" in WORDS
    assert run["peak_mb"].isna().sum() == 5
    assert "not of five long runs, whose cells are empty" in WORDS


def test_what_a_report_on_ten_thousand_pairs_costs_is_what_was_measured():
    kept = json.loads((REFERENCE_RUNS / "report-10000.json").read_text())
    assert (kept["side"], kept["workers"], kept["compare"]) == (64, 2, False)
    few, many = ({run["count"]: run["parts"] for run in kept["runs"]}[n] for n in (1000, 10_000))
    first, then, again = (many[name] for name in ("interrupted", "gone on", "nothing to do"))
    assert [part["exit"] for part in (first, then, again)] == [130, 0, 0]
    assert (first["scored"] + then["scored"], again["scored"]) == (10_000, 0)
    worker, command = (
        [max(part[name] for part in parts.values()) for parts in (few, many)]
        for name in ("worker_peak_mb", "peak_mb")
    )
    assert worker[1] < 1.01 * worker[0]  # it does not grow
    assert (
        "The report of 10,000 pairs of 64 x 64 in files (`tools/measure_report.py`, kept in "
        f"`notebooks/reference_runs/report-10000.json`), stopped after {first['scored']:,} of them "
        f"and gone on, took {first['cpu_seconds'] + then['cpu_seconds']:.0f} s of the processors, "
        "its two workers and the command together; once more, with nothing left to do, "
        f"{again['cpu_seconds']:.0f} s. A worker took {worker[0]:.0f} MB for 1,000 pairs and "
        f"{worker[1]:.0f} MB for 10,000: it does not grow. The command, which holds the table, "
        f"took {command[0]:.0f} and {command[1]:.0f} MB."
    ) in WORDS
