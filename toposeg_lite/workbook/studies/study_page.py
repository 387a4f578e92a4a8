"""The page of a study, ``study.html``: how each loss differs from the control."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..figures import difference_forest, png
from .page import (
    digits_of,
    folded,
    html_page,
    html_picture,
    html_table,
    named_values,
    number_card,
    origin_of,
)
from .scores import COLUMNS, spread
from .statistics import compare_networks, paired_differences

__all__ = ["study_page"]

#: Scores of which 1 is perfect.
SMALL = ("dice", "cldice", "adjusted_rand_index")


def study_page(results: Mapping[str, Any], scores: pd.DataFrame) -> str:
    """Return the page of a study.

    `results` are what `Study.run` returned, or ``study.json`` holds; `scores` has the columns
    "network", "weight", "seed" and "image" and one for each score, as ``study.csv``.
    """
    parameters = results["parameters"]
    dataset, seeds = parameters["shared"]["dataset"], parameters["seeds"]
    metric = "betti_matching_error" if "betti_matching_error" in scores else "betti_0_error"
    title = f"What losses change on {dataset}"
    table = compare_networks(scores, metric)
    named = COLUMNS[metric]
    body = [f"<h1>{escape(title)}</h1>", *_findings(table, results, scores, metric)]
    by_seed = {name: paired_differences(scores, metric, name).mean(axis=1) for name in table.index}
    figure = Figure(figsize=(7.2, 1.6 + 0.42 * len(table)))
    height = figure.get_figheight()
    ax = figure.add_axes((0.26, 0.95 / height, 0.71, 1 - 1.3 / height))
    difference_forest(table, metric=metric, title=named, seeds=pd.DataFrame(by_seed).T, ax=ax)
    alt = f"For each loss, the difference of its {named} to the control, with its interval: " + (
        "; ".join(f"{n} {r['difference']:+.2f}" for n, r in table.iterrows()) + "."
    )
    caption = (
        f"Difference of each loss to the control in the {escape(named)}, with 95 % intervals over "
        f"images and seeds."
    )
    body.append(html_picture(png(figure, dpi=160, trim=True), alt, caption))
    body += [
        _study_scores(results, scores),
        _tests(table, named),
        *_groups(results),
        "<h2>How far this can be trusted</h2>",
        *origin_of(results),
        "<h2>In detail</h2>",
        folded("How the weights were chosen", _weights(results)),
        folded(
            "Parameters",
            html_table(named_values(parameters["shared"]), "What all networks share"),
            f"<p>Seeds {escape(', '.join(map(str, seeds)))}.</p>",
        ),
    ]
    return html_page(title, body)


def _findings(
    table: pd.DataFrame, results: Mapping[str, Any], scores: pd.DataFrame, metric: str
) -> list[str]:
    """Return what the study found: the lowest error, and which losses differ from the control."""
    best = str(table["difference"].idxmin())
    surely = [str(name) for name, row in table.iterrows() if row["high"] < 0]
    worse = [str(name) for name, row in table.iterrows() if row["low"] > 0]
    rest = [str(name) for name in table.index if str(name) not in surely + worse]
    named = COLUMNS[metric]
    kind, words = "same", "No loss is clearly better than the control"
    if best in surely:
        kind, words = "better", f"Lowest {named}: {best}"
    means = scores.groupby("network")[[metric, "dice"]].mean()
    cards = [
        number_card(
            COLUMNS[key],
            f"{float(means[key]['control']):.{digits}f}",
            f"{float(means[key][best]):.{digits}f}",
            f"mean of a test image, control → {best}; {perfect} is perfect",
        )
        for key, digits, perfect in ((metric, 2, 0), ("dice", 4, 1))
    ]
    parts = []
    if surely:
        parts.append(f"Lower than the control, with an interval that leaves out 0: {_list(surely)}")
    if worse:
        parts.append(f"Higher than the control: {_list(worse)}")
    if rest:
        parts.append(f"Not to be told from the control: {_list(rest)}")
    parts.append(
        f"{results['images']['test']} test images, {len(results['parameters']['seeds'])} seeds; "
        f"control and arms went on from one parent with the same images in the same order"
    )
    return [
        f'<p class="verdict {kind}">{escape(words)}</p>',
        f'<div class="cards">{"".join(cards)}</div>',
        f"<p>{escape('. '.join(parts))}.</p>",
    ]


def _list(names: list[str]) -> str:
    return ", ".join(names)


def _study_scores(results: Mapping[str, Any], scores: pd.DataFrame) -> str:
    """Return means and deviations over the seeds of every score and network."""
    keys = [key for key in COLUMNS if key in scores]
    lines = {}
    for name in results["networks"]:
        means = scores[scores["network"] == name].groupby("seed")[keys].mean()
        line = {}
        for key in keys:
            line[COLUMNS[key]] = spread(means[key], 3 if scores[key].abs().max() <= 1 else 2)
        entries = results["networks"][name].values()
        share = sum(entry["share_of_loss"] for entry in entries) / len(entries)
        lines[name] = line | {"share of time": f"{share:.0%}"}
    caption = (
        f"Means over the test images, ± the standard deviation over the seeds. Connectivity "
        f"{results['settings']['connectivity']}, border {results['settings']['border']}"
    )
    return html_table(pd.DataFrame.from_dict(lines, orient="index"), caption)


def _groups(results: Mapping[str, Any]) -> list[str]:
    """Return the means of further groups of test images, a folded table for each."""
    tables = []
    for group, entry in results.get("groups", {}).items():
        lines = {}
        for name, seeds in entry["networks"].items():
            means = pd.DataFrame(seeds).T
            shown = [key for key in COLUMNS if key in means]
            lines[name] = {
                COLUMNS[key]: spread(means[key], 3 if key in SMALL else 2) for key in shown
            }
        caption = (
            f"Means over the {entry['images']} test images, ± the standard deviation over the "
            f"seeds; the networks are those above"
        )
        table = html_table(pd.DataFrame.from_dict(lines, orient="index"), caption)
        tables.append(folded(f"Test images of {entry['dataset']}: {group}", table))
    return tables


def _tests(table: pd.DataFrame, named: str) -> str:
    """Return the differences to the control with interval and test."""
    lines = {
        name: {
            "difference": f"{row['difference']:+.2f}",
            "95 % interval": f"{row['low']:+.2f} to {row['high']:+.2f}",
            "images lower / higher": f"{row['lower']:.0f} / {row['higher']:.0f}",
            "p (Holm)": f"{row['p_holm']:.4f}",
        }
        for name, row in table.iterrows()
    }
    groups, images = int(table["groups"].iloc[0]), int(table["images"].iloc[0])
    over = "" if groups == images else f" over {groups} groups of images"
    caption = (
        f"{named}, loss minus control, paired by image; sign-flip test{over}, corrected by Holm"
    )
    return html_table(pd.DataFrame.from_dict(lines, orient="index"), caption)


def _weights(results: Mapping[str, Any]) -> str:
    """Return the validation scores of every network, seed and weight."""
    lines = {}
    for name, entries in results["networks"].items():
        for seed, entry in entries.items():
            for weight, means in entry["validation"].items():
                chosen = ", chosen" if float(weight) == entry["weight"] != 0 else ""
                lines[f"{name}, seed {seed}, weight {weight}{chosen}"] = {
                    COLUMNS[key]: f"{value:.{digits_of([value])}f}"
                    for key, value in means.items()
                    if key in COLUMNS
                }
    return html_table(
        pd.DataFrame.from_dict(lines, orient="index"), "Means over the validation images"
    )
