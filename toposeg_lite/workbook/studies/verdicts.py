"""Two tables of one page each: how sure every change is, and which loss mends which fault.

``python -m toposeg_lite.training compare notebooks/reference_runs/*-study.csv`` takes the scores of
studies, image by image, as ``study`` and ``sweep`` leave them, and prints what each loss changes
against the control on each data set, in percent, with an interval and three marks.

``python -m toposeg_lite.training which-loss notebooks/reference_runs`` takes the folder where
``faults`` has left ``DATASET-faults.csv`` beside ``DATASET-study.csv``, and prints for each kind of
fault and each data set the loss that mends most of it, with an interval, and what it costs in Dice.

Nothing is trained or scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...checks import check_path
from ..figures.comparison import students_interval
from .faults import read_faults, which_loss
from .options import option
from .scores import markdown, read_scores
from .statistics import change_interval, compare_networks, paired_differences

__all__ = [
    "CompareCommand",
    "WhichLossCommand",
    "best_losses",
    "certainty_table",
    "compare_studies",
    "fault_table",
]

LEVEL = 0.05
#: What a table of scores must say of each row.
_KEYS = ("network", "seed", "image")
#: What the marks of a change mean.
MARKS = {
    "s": "all seeds have this sign",
    "h": "sign-flip test over images, Holm-corrected for the losses of the data set: p below .05",
    "t": "the 95 % interval of Student's t over the seeds leaves out 0",
}


def compare_studies(
    studies: Mapping[str, pd.DataFrame], metric: str = "betti_matching_error", *, seed: int = 0
) -> pd.DataFrame:
    """Return how sure the change of one score is, by each loss on each data set.

    `studies` map data sets to the scores of studies, as `compare_networks` takes them. There is a
    row for each "dataset" and "loss":

    - "control", "change": the control's mean, and the loss's change as a part of it;
    - "low", "high": the 95 % bootstrap interval of the change, over images and seeds;
    - "p_holm": of the sign-flip test over images, corrected for the losses of the data set;
    - "t_low", "t_high": the 95 % interval of Student's t of the change over the seeds, without the
      luck of the images; NaN for one seed;
    - "images", "groups", "seeds", "seeds_lower": how many there are, and with how many seeds the
      score is lower. Where the groups are fewer than the images (the persons of chase_db1), the
      interval and the test are over groups.

    Examples
    --------
    >>> arms = {"control": [[4.0, 6.0], [5.0, 5.0]], "arm": [[2.0, 3.0], [2.0, 3.0]]}
    >>> rows = [(n, s, "ab"[k], line[k]) for n, lines in arms.items()
    ...         for s, line in enumerate(lines) for k in (0, 1)]
    >>> scores = pd.DataFrame(rows, columns=["network", "seed", "image", "betti_error"])
    >>> row = compare_studies({"walls": scores}, "betti_error").loc[0]
    >>> float(row["change"]), int(row["seeds_lower"])
    (-0.5, 2)
    """
    if not isinstance(studies, Mapping) or not studies:
        raise ValueError(f"studies must map data sets to tables of scores; got {studies!r}")
    rows = []
    for dataset, scores in studies.items():
        compared = compare_networks(scores, metric, seed=seed)
        for loss, row in compared.iterrows():
            control = row["control"] or np.nan  # of none there is no part
            changes = paired_differences(scores, metric, str(loss)).mean(axis=1).to_numpy()
            one = len(changes) < 2
            t_low, t_high = (np.nan, np.nan) if one else students_interval(changes)
            low, high = change_interval(scores, metric, str(loss), seed=seed)
            rows.append(
                {
                    "dataset": dataset,
                    "loss": loss,
                    "control": row["control"],
                    "change": row["difference"] / control,
                    "low": low,
                    "high": high,
                    "p_holm": row["p_holm"],
                    "t_low": t_low / control,
                    "t_high": t_high / control,
                    **{key: int(row[key]) for key in ("images", "groups", "seeds", "seeds_lower")},
                }
            )
    return pd.DataFrame(rows)


def certainty_table(compared: pd.DataFrame) -> str:
    """Return what `compare_studies` found as Markdown: losses down, data sets across.

    A cell has the change in percent, its interval, and the marks that it deserves; what they mean,
    and of how many images and seeds all this is, stands below the table.
    """
    cells: dict[str, dict[str, str]] = {}
    for row in compared.to_dict("records"):
        earned = {
            "s": row["seeds"] > 1
            and row["seeds_lower"] in (0, row["seeds"])
            and row["change"] != 0,
            "h": row["p_holm"] < LEVEL,
            "t": row["t_low"] > 0 or row["t_high"] < 0,
        }
        words = [_change(row), *(mark for mark, has in earned.items() if has)]
        cells.setdefault(row["loss"], {})[row["dataset"]] = " ".join(words)
    datasets = [*compared["dataset"].unique()]
    lines = [[loss, *(found.get(name, "") for name in datasets)] for loss, found in cells.items()]
    counts = []
    for row in compared.drop_duplicates("dataset").to_dict("records"):
        grouped = f" of {row['groups']} persons" if row["groups"] < row["images"] else ""
        seeds = f"{row['seeds']} seed{'s' * (row['seeds'] > 1)}"
        counts.append(f"{row['dataset']} {row['images']} images{grouped}, {seeds}")
    marks = "; ".join(f"{mark}: {meaning}" for mark, meaning in MARKS.items())
    return f"{markdown(['loss', *datasets], lines)}\n\n{marks}. {'; '.join(counts)}."


def best_losses(cells: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return for each data set and kind of fault the loss that mends most, and its price.

    `cells` are what `which_loss` returned, and `scores` those of the same networks, by data set. Of
    each "dataset" and "kind" the row of the loss with the smallest "change" is kept; "dice" is what
    it changes in the Dice coefficient, in points. The best of many is chosen on the images on which
    it is scored, so it looks a little better than it is.
    """
    rows = []
    for _, some in cells.groupby(["dataset", "kind"], sort=False):
        # Of what the control never makes there is no part that changes: NaN, which comes last.
        best = some.sort_values("change", kind="stable").to_dict("records")[0]
        dice = paired_differences(scores[best["dataset"]], "dice", best["loss"])
        rows.append(best | {"dice": 100 * dice.to_numpy().mean()})
    return pd.DataFrame(rows)


def fault_table(best: pd.DataFrame) -> pd.DataFrame:
    """Return what `best_losses` found in words: kinds of faults down, data sets across.

    A cell holds how many such faults the control makes in an image, the loss that mends most of
    them, its change with the bootstrap interval, both in percent, and its price in points of Dice.
    A * says that the sign-flip test, Holm-corrected for the losses, is below .05. Where the control
    makes hardly any, the cell says "rare".

    Examples
    --------
    >>> row = {"dataset": "roads", "kind": "break", "loss": "cldice", "control": 12.34,
    ...        "change": -0.5, "low": -0.61, "high": -0.4, "verdict": "fewer", "dice": -0.31}
    >>> fault_table(pd.DataFrame([row])).loc["break", "roads"]
    '12.3: cldice -50 (-61 to -40)*, Dice -0.3'
    """
    table = pd.DataFrame(index=[*best["kind"].unique()], columns=[*best["dataset"].unique()])
    for row in best.to_dict("records"):
        words = f"rare ({row['control']:.2f})"
        if row["verdict"] != "rare":
            sure = "*" if row["verdict"] in ("fewer", "more") else ""
            words = f"{row['control']:.1f}: {row['loss']} {_change(row)}{sure}, "
            words += f"Dice {row['dice']:+.1f}"
        table.loc[row["kind"], row["dataset"]] = words
    return table.rename_axis("fault")


def _change(row: Mapping[Any, Any]) -> str:
    """Return a change and its interval in percent."""
    texts = [f"{100 * row[key]:+.0f}" for key in ("change", "low", "high")]
    change, low, high = ("0" if text in ("+0", "-0") else text for text in texts)
    return f"{change} ({low} to {high})"


# --- Commands -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompareCommand:
    """Print how sure the change of a score is, by each loss of studies on each data set."""

    studies: Sequence[str] = option((), "files of scores, DATASET-study.csv", positional=True)
    metric: str = option("betti_matching_error", "the score that is compared")

    def run(self) -> pd.DataFrame:
        """Print the table, and return what `compare_studies` found."""
        if isinstance(self.studies, str) or not self.studies:
            raise ValueError(f"studies must name one file at least; got {self.studies!r}")
        places = [check_path(file, "each of studies") for file in self.studies]
        names = [place.stem.removesuffix("-study") for place in places]
        if len(set(names)) < len(names):
            raise ValueError(f"studies must be of different data sets; got {', '.join(names)}")
        tables = [read_scores(place, _KEYS) for place in places]
        scores = dict(zip(names, tables, strict=True))
        compared = compare_studies(scores, self.metric)
        print(certainty_table(compared))
        return compared


@dataclass(frozen=True)
class WhichLossCommand:
    """Print which loss mends which kind of fault best, data set by data set, and its price."""

    folder: str = option("", "where DATASET-faults.csv and DATASET-study.csv are", positional=True)

    def run(self) -> pd.DataFrame:
        """Print the table, and return what `best_losses` found."""
        place = check_path(self.folder, "folder")
        faults = read_faults(place)
        if not faults:
            raise ValueError(f"folder must hold a DATASET-faults.csv at least; got {place}")
        scores = {name: read_scores(place / f"{name}-study.csv", _KEYS) for name in faults}
        best = best_losses(which_loss(faults), scores)
        table = fault_table(best)
        lines = [[str(kind), *row] for kind, row in zip(table.index, table.to_numpy(), strict=True)]
        print(markdown(["fault", *map(str, table.columns)], lines))
        return best
