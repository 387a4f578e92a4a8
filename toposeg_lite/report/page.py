"""The page of a report: what the scores say, and the worst images with each error marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..differences import KINDS, Difference, topology_differences
from ..workbook.figures import png
from ..workbook.figures.differences import SIGNS, mask_differences_figure
from ..workbook.figures.words import count
from ..workbook.studies.page import folded, html_page, html_picture, html_table, named_values
from ..workbook.studies.statistics import COLUMNS, FURTHER_COLUMNS, compare_networks, holm
from .options import ReportOptions
from .pairs import Pair, read_pair
from .scoring import KIND_COLUMNS

__all__ = ["report_page"]

#: Scores of which more is better; of all others less is.
MORE = (
    "dice", "cldice", "adjusted_rand_index",
    "surface_dice", "topology_precision", "topology_sensitivity",
)  # fmt: skip
COLOURS = ("#0072B2", "#D55E00")


def report_page(
    table: pd.DataFrame,
    pairs: Sequence[Pair],
    options: ReportOptions,
    settings: Mapping[str, Any],
    worst: int,
) -> str:
    """Return the page; the pairs are those of the rows of the table."""
    methods = table["method"].unique().tolist()
    # Of volumes the Betti matching error is not measured.
    errors = table["betti_error"].astype(float)
    if "betti_matching_error" in table:
        errors = table["betti_matching_error"].astype(float).fillna(errors)
    table = table.assign(error=errors)
    scores = [key for key in COLUMNS if key in table]
    title = " and ".join(methods) + ": topology and overlap"
    body = [f"<h1>{escape(title)}</h1>", _verdict(table, methods)]
    if len(methods) == 2:
        body.append(_better(table, methods))
    pictures = _worst(table, pairs, options, worst)
    body += pictures[:1]
    if len(methods) == 2:
        body.append(_comparison(table, methods, scores))
    body += [
        _summary(table, methods, COLUMNS, "Scores of an image"),
        _kinds(table, methods),
        folded(
            "Further scores: distances, skeletons, and stricter comparisons of features",
            _summary(table, methods, FURTHER_COLUMNS, "Further scores of an image"),
        ),
        html_picture(
            png(_histograms(table, methods, scores), dpi=160, trim=True),
            _spread_text(table, scores),
            "How the scores of the images are distributed.",
        ),
    ]  # fmt: skip
    if pictures[1:]:
        body += ["<h2>The next worst images</h2>", *pictures[1:]]
    body += ["<h2>In detail</h2>", _settings(settings, table)]
    return html_page(title, body)


def _verdict(table: pd.DataFrame, methods: Sequence[str]) -> str:
    """Say in one sentence how many images are right in their topology, and what is wrong most.

    Right is an image without an error and without a difference: of a volume, where only Betti
    numbers are compared, a gap and a bridge may make up for each other.
    """
    parts = []
    for method in methods:
        rows = table[table["method"] == method]
        counts = rows[list(KIND_COLUMNS.values())]
        right = int(((rows["error"] == 0) & (counts.sum(axis=1) == 0)).sum())
        text = f"{right} of {count(len(rows), 'image')} without a topological error"
        sums = counts.sum().tolist()
        if sum(sums):
            most = max(sums)
            kinds = " and ".join(f"{k}s" for k, n in zip(KINDS, sums, strict=True) if n == most)
            text += f"; of {count(sum(sums), 'difference')} the most are {kinds} ({most}"
            text += " each)" if sums.count(most) > 1 else ")"
        parts.append(f"{method}: {text}" if len(methods) > 1 else text)
    return f'<p class="verdict same">{".<br>".join(map(escape, parts))}.</p>'


def _better(table: pd.DataFrame, methods: Sequence[str]) -> str:
    """Say in one sentence which of two methods makes fewer topological errors, if that is sure.

    Of few images an interval leaves out 0 by chance: the test over images must agree.
    """
    first, second = methods
    named = table.rename(columns={"method": "network"}).assign(seed=0)
    found = compare_networks(named, "error", control=first, leave_out=(), groups="images")
    row: dict[Any, Any] = found.loc[second].to_dict()
    apart = row["low"] > 0 or row["high"] < 0
    sure = apart and row["p_sign_flip"] < 0.05
    manner = "same" if not sure else "better" if row["difference"] < 0 else "worse"
    says = {
        "better": f"{second} makes fewer topological errors than {first}",
        "worse": f"{second} makes more topological errors than {first}",
        "same": f"Which of the two makes fewer topological errors is open on {_images(row)}",
    }
    text = (
        f"{says[manner]}: {row['control']:.2f} an image by {first}, {row['score']:.2f} by "
        f"{second}, a difference of {row['difference']:+.2f}, 95 % interval {row['low']:+.2f} "
        f"to {row['high']:+.2f}, which {'leaves out' if apart else 'holds'} 0; fewer on "
        f"{row['lower']:.0f}, more on {row['higher']:.0f} of {_images(row)}; sign-flip test: "
        f"p {row['p_sign_flip']:.4f}."
    )
    return f'<p class="verdict {manner}">{escape(text)}</p>'


def _images(row: Mapping[Any, Any]) -> str:
    return count(int(row["images"]), "image")


def _summary(
    table: pd.DataFrame, methods: Sequence[str], titles: Mapping[str, str], what: str
) -> str:
    """Return mean, median, spread and the worst of each score that the table has."""
    lines = {}
    for key in (key for key in titles if key in table):
        for method in methods:
            values = table.loc[table["method"] == method, key].astype(float).dropna()
            digits = 4 if table[key].abs().max() <= 1 else 2
            name = titles[key] if len(methods) == 1 else f"{titles[key]}, {method}"
            worst = values.min() if key in MORE else values.max()
            # Between a number and infinity (HD95 of an empty mask) nothing can be interpolated.
            finite = np.isfinite(values).all()
            between: Literal["linear", "higher"] = "linear" if finite else "higher"
            low, middle, high = (values.quantile(q, between) for q in (0.05, 0.5, 0.95))
            numbers = {
                "mean": values.mean(),
                "median": middle,
                "5 %": low,
                "95 %": high,
                "worst": worst,
            }
            lines[name] = {k: f"{v:.{digits}f}" for k, v in numbers.items()}
            lines[name]["images"] = str(len(values))
    return html_table(
        pd.DataFrame.from_dict(lines, orient="index"),
        f"{what}: mean, median, where the lowest and highest 5 % begin, and the worst",
    )


def _kinds(table: pd.DataFrame, methods: Sequence[str]) -> str:
    """Return how often each kind of error is found, and in how many images."""
    lines: dict[str, dict[str, str]] = {}
    for kind, column in KIND_COLUMNS.items():
        for method in methods:
            counts = table.loc[table["method"] == method, column]
            ending = "" if len(methods) == 1 else f", {method}"
            lines.setdefault(kind, {})[f"errors{ending}"] = str(int(counts.sum()))
            lines[kind][f"images{ending}"] = f"{int((counts > 0).sum())} of {len(counts)}"
    return html_table(
        pd.DataFrame.from_dict(lines, orient="index"),
        "What went wrong: errors of each kind, and the images that have any",
    )


def _comparison(table: pd.DataFrame, methods: Sequence[str], scores: Sequence[str]) -> str:
    """Return how the second method differs from the first, paired by image."""
    first, second = methods
    named = table.rename(columns={"method": "network"}).assign(seed=0)
    found = {
        # Names of anybody's files say nothing of persons, and the caption says "over images".
        key: compare_networks(named, key, control=first, leave_out=(), groups="images").loc[second]
        for key in scores
        if named.dropna(subset=key)["image"].duplicated().any()
    }
    lines = {}
    for key, row in found.items():
        digits = 4 if table[key].abs().max() <= 1 else 2
        better = row["higher" if key in MORE else "lower"]
        worse = row["lower" if key in MORE else "higher"]
        lines[COLUMNS[key]] = {
            first: f"{row['control']:.{digits}f}",
            second: f"{row['score']:.{digits}f}",
            "difference": f"{row['difference']:+.{digits}f}",
            "95 % interval": f"{row['low']:+.{digits}f} to {row['high']:+.{digits}f}",
            "images better / worse": f"{better:.0f} / {worse:.0f}",
            "p": f"{row['p_sign_flip']:.4f}",
        }
    corrected = holm([row["p_sign_flip"] for row in found.values()])
    for line, p in zip(lines.values(), corrected, strict=True):
        line["p (Holm)"] = f"{p:.4f}"
    return html_table(
        pd.DataFrame.from_dict(lines, orient="index"),
        f"{second} minus {first}, paired by image: bootstrap over images, sign-flip test, "
        f"corrected by Holm for the number of scores",
    )


def _histograms(table: pd.DataFrame, methods: Sequence[str], scores: Sequence[str]) -> Figure:
    """Draw the distribution of each score."""
    columns = min(len(scores), 4)
    rows = -(-len(scores) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.3 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, key in zip(grid, scores, strict=False):
        values = table[key].astype(float)
        bins = np.histogram_bin_edges(values.dropna(), bins=20)
        for method, colour in zip(methods, COLOURS, strict=False):
            some = values[table["method"] == method].dropna()
            filled = len(methods) == 1
            ax.hist(some, bins, histtype="stepfilled" if filled else "step", color=colour,
                    lw=1.8, label=method, alpha=0.75 if filled else 1)  # fmt: skip
        ax.set_title(COLUMNS[key], fontsize="medium")
        ax.spines[["top", "right"]].set_visible(False)
        ax.yaxis.get_major_locator().set_params(integer=True)
    for ax in grid[len(scores) :]:
        ax.axis("off")
    for ax in grid[::columns]:
        ax.set_ylabel("images")
    if len(methods) > 1:
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _spread_text(table: pd.DataFrame, scores: Sequence[str]) -> str:
    """Describe the histograms in words."""
    parts = [f"{COLUMNS[k]} from {table[k].min():.3g} to {table[k].max():.3g}" for k in scores]
    return f"Histograms of the scores of all images: {'; '.join(parts)}."


def _worst(
    table: pd.DataFrame, pairs: Sequence[Pair], options: ReportOptions, worst: int
) -> list[str]:
    """Return a picture of each of the images with the largest errors, the largest first."""
    named = {(pair.method, pair.name): pair for pair in pairs}
    methods = table["method"].unique().tolist()
    largest = table.groupby("image")[["error", "dice"]].agg({"error": "max", "dice": "min"})
    order = largest.sort_values(["error", "dice"], ascending=[False, True], kind="stable")
    parts = []
    for image in order.index[:worst]:
        masks, differences = {}, {}
        for method in methods:
            if (method, image) not in named:
                continue
            prediction, truth, ignored = read_pair(named[method, image], options)
            masks[method] = prediction
            differences[method] = topology_differences(
                prediction, truth, connectivity=options.connectivity, border=options.border,
                ignored=ignored,
            )  # fmt: skip
        figure = mask_differences_figure(truth, masks, differences, ignored=ignored)
        words = "; ".join(f"{method}: {_count(differences[method])}" for method in masks)
        rows = table[table["image"] == image].set_index("method")
        numbers = ", ".join(
            f"{method} Betti {'matching ' * (truth.ndim == 2)}error {rows.loc[method, 'error']:g}, "
            f"Dice {rows.loc[method, 'dice']:.4f}"
            for method in masks
        )
        caption = f"<b>{escape(str(image))}</b>: {escape(numbers)}"
        parts.append(html_picture(png(figure, dpi=110, trim=True), f"{image}. {words}.", caption))
    return parts


def _count(differences: Sequence[Difference]) -> str:
    """Return how many differences of each kind there are, in words."""
    counts = {kind: sum(d.kind == kind for d in differences) for kind in SIGNS}
    found = [f"{kind} {count}" for kind, count in counts.items() if count]
    return ", ".join(found) or "no difference"


def _settings(settings: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Return what the numbers depend on.

    A page is sent to others, and the way to a folder may name people: whole paths stand in
    scores.jsonl alone.
    """
    used = dict(settings["options"])
    used["connectivity"] = ", ".join(map(str, sorted(table["connectivity"].unique())))
    places = {f"predictions of {name}": place for name, place in settings["folders"].items()}
    places["truths"] = settings["truths"]
    folders = {title: Path(place).name for title, place in places.items()}
    return folded(
        "Folders and settings",
        html_table(named_values(folders, name="folder"), "What was scored"),
        html_table(named_values(used), "How it was read and scored"),
    )
