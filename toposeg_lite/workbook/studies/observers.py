"""How far two people are apart: the second observer of CHASE_DB1, scored against the first.

``python -m toposeg_lite.training observers`` scores the masks of one person as it scores those of a
network, and prints both beside each other: ``--study`` takes the scores that a study keeps,
``--faults`` the further metrics that ``faults`` takes of the same networks. No network can be
expected to come nearer to one person than another person does, and where it does, it has learned
that person's habits.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...data.benchmarks import chase_db1
from ...files import make_folder, reading, write_atomically
from ...further_metrics import further_report
from ...metrics import report
from .options import option
from .results import check_table
from .scores import COLUMNS, MEDIAN, markdown, median, read_further, read_scores
from .statistics import FURTHER_COLUMNS, KEYS

__all__ = ["ObserversCommand", "compare_observers"]

SPLITS = ("train", "validation", "test")


def compare_observers(root: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Score the masks of the second observer as predictions of the first one's.

    Returns
    -------
    DataFrame
        A row for each of the 28 images, by its split and name, with all that `metrics.report` and
        `further_metrics.further_report` return.

    Examples
    --------
    >>> table = compare_observers()  # doctest: +SKIP
    >>> table.loc["test", "dice"].mean()  # doctest: +SKIP
    """
    first, second = (chase_db1(root, observer=observer) for observer in (1, 2))
    rows = {}
    for split in SPLITS:
        for truth, other in zip(getattr(first, split), getattr(second, split), strict=True):
            scores = report(other.mask, truth.mask, labels=first.labels)
            rows[split, truth.name] = {**scores, **further_report(other.mask, truth.mask)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["split", "image"])
    return table


@dataclass(frozen=True)
class ObserversCommand:
    """Score the second observer of CHASE_DB1 against the first, beside the networks of a study."""

    root: str | None = option(None, "the folder of downloaded data sets")
    study: str | None = option(None, "the study.csv of networks on the same test images")
    faults: str | None = option(None, "the chase_db1-faults.csv, further metrics of these networks")
    results: str | None = option(None, "a file for the scores of each image, ending in .csv")

    def run(self) -> pd.DataFrame:
        """Score, print the means, and return the scores of each image."""
        if self.results is not None and Path(self.results).suffix != ".csv":
            raise ValueError(f"results must be a file whose name ends in .csv; got {self.results}")
        networks = _read_networks(self.study, self.faults)
        if self.results is not None:
            check_table(Path(self.results), split=SPLITS, image=_names(self.root))
            make_folder(Path(self.results).parent)
        table = compare_observers(self.root)
        if self.results is not None:
            write_atomically(Path(self.results), table.to_csv(float_format="%.6g").encode())
        print(_tables(table, networks))
        return table


def _names(root: str | None) -> list[str]:
    """Return the names of all images."""
    data = chase_db1(root, observer=1)
    return [sample.name for split in SPLITS for sample in getattr(data, split)]


def _read_networks(study: str | None, faults: str | None) -> pd.DataFrame | None:
    """Return what is known of networks on each test image: of a study, of its faults, or both."""
    further = None if faults is None else read_further(faults)
    if study is None:
        return further
    networks = read_scores(study, ("network", "image"), what="table of a study")
    with reading(study, "table of a study"):
        if "dice" not in networks:
            more = "; a table of faults is given by --faults" if "break" in networks else ""
            raise ValueError(f"it has no columns dice{more}")
    if further is None:
        return networks
    keys = [key for key in KEYS if key in further]
    with reading(study, "table of the networks whose faults are given"):
        same = networks[networks["network"].isin(further["network"])]
        given, wanted = (table[keys].sort_values(keys).to_numpy() for table in (same, further))
        if not np.array_equal(given, wanted):
            raise ValueError(f"{study} and {faults} hold other weights, seeds or images")
    return networks.merge(further, on=keys, how="left")


def _tables(table: pd.DataFrame, networks: pd.DataFrame | None) -> str:
    """Return the means over all images and over the test images, and those of the networks."""
    titles = {key: title for key, title in (COLUMNS | FURTHER_COLUMNS).items() if key in table}
    groups = {"observer 2, all images": table, "observer 2, test images": table.loc["test"]}
    if networks is not None:
        names = set(networks["image"])
        if names != set(table.loc["test"].index):
            raise ValueError(f"the study must be one of the test images of chase_db1; got {names}")
        for name, rows in networks.groupby("network", sort=False):
            groups[f"{name}, test images"] = rows
    columns = []
    for key in titles:
        there = {name: rows[key].dropna() for name, rows in groups.items() if key in rows}
        infinite = np.isinf(pd.concat(list(there.values()), ignore_index=True)).any()
        if infinite:
            titles[key] += f"; {MEDIAN}"
        columns.append(
            {
                name: median(values, 3) if infinite else f"{values.mean():.3f}"
                for name, values in there.items()
                if len(values)
            }
        )
    lines = [[name, *(cells.get(name, "") for cells in columns)] for name in groups]
    return markdown(["mask", *titles.values()], lines)
