"""How far two people are apart: the second observer of CHASE_DB1, scored against the first.

``python -m toposeg_lite.training observers`` scores the masks of one person as it scores those of a
network, and prints both beside each other. No network can be expected to come nearer to one person
than another person does, and where it does, it has learned that person's habits.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ...data.benchmarks import chase_db1
from ...files import make_folder, reading, write_atomically
from ...further_metrics import further_report
from ...metrics import report
from .options import option
from .results import check_table
from .scores import COLUMNS, markdown
from .statistics import FURTHER_COLUMNS

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
    results: str | None = option(None, "a file for the scores of each image, ending in .csv")

    def run(self) -> pd.DataFrame:
        """Score, print the means, and return the scores of each image."""
        if self.results is not None and Path(self.results).suffix != ".csv":
            raise ValueError(f"results must be a file whose name ends in .csv; got {self.results}")
        networks = None if self.study is None else _read_networks(Path(self.study))
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


def _read_networks(path: Path) -> pd.DataFrame:
    """Return the scores of each test image in a ``study.csv``."""
    with reading(path, "table of a study"):
        networks = pd.read_csv(path, dtype={"network": str, "image": str})
        if not {"network", "image", "dice"} <= set(networks):
            raise ValueError("it has no columns network, image and dice")
    return networks


def _tables(table: pd.DataFrame, networks: pd.DataFrame | None) -> str:
    """Return the means over all images and over the test images, and those of the networks."""
    titles = {key: title for key, title in (COLUMNS | FURTHER_COLUMNS).items() if key in table}
    means: dict[str, Any] = {"observer 2, all images": table.mean(numeric_only=True)}
    means["observer 2, test images"] = table.loc["test"].mean(numeric_only=True)
    if networks is not None:
        names = set(networks["image"])
        if names != set(table.loc["test"].index):
            raise ValueError(f"the study must be one of the test images of chase_db1; got {names}")
        for name, rows in networks.groupby("network", sort=False):
            means[f"{name}, test images"] = rows.mean(numeric_only=True)
    lines = []
    for name, scores in means.items():
        known = {key: scores[key] for key in titles if key in scores}
        cells = [f"{known[key]:.3f}" if key in known else "" for key in titles]
        lines.append([name, *cells])
    return markdown(["mask", *titles.values()], lines)
