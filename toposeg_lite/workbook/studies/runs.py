"""Read the results of studies and comparisons back, for whoever wants to judge them.

Two kinds of files are read: those of a `Study` (``NAME.json`` with the means and ``NAME.csv`` with
the scores of each test image), and the ``metrics.json`` of a `Comparison`, under any name.
Comparisons that differ in nothing but the seed are one run of several seeds.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ...checks import check_path
from ...files import reading
from ...training.records import read_json
from .scores import COLUMNS, read_scores
from .statistics import KEYS
from .study import REFERENCE_RUNS, StudyConfig

__all__ = ["Run", "read_runs"]


@dataclass(frozen=True, eq=False)
class Run:
    """What is known about one comparison of networks.

    Attributes
    ----------
    name, dataset : str
        Of its file, without the seed; and on which its networks were trained.
    scores, validation : DataFrame
        "network", "seed", "weight" and a column for each metric. Of the test images there is a row
        for each "image", of the validation images their mean for each weight that was tried.
    cost : DataFrame
        "network", "seed", "seconds_per_step" and "share_of_loss", the part of the training time
        that the added loss took.
    settings : dict
        On which the scores depend: connectivity, patch, border, labels, reference.
    parameters : dict
        How the networks were trained.
    groups : DataFrame
        "group", "network", "seed" and a column for each metric: means over further groups of test
        images, for which nothing was trained or chosen. Without any it has no rows.
    """

    name: str
    dataset: str
    scores: pd.DataFrame
    validation: pd.DataFrame
    cost: pd.DataFrame
    settings: dict[str, Any]
    parameters: dict[str, Any]
    groups: pd.DataFrame = field(default_factory=lambda: _of_groups([]))

    @property
    def arms(self) -> list[str]:
        """The networks that are compared with the control."""
        names = self.scores["network"].unique()
        return [str(name) for name in names if name not in ("parent", "control")]

    @property
    def metrics(self) -> dict[str, str]:
        """The scores that there are, and how tables call them."""
        return {key: title for key, title in COLUMNS.items() if key in self.scores}

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return sorted(self.scores["seed"].unique().tolist())

    @property
    def chosen(self) -> dict[tuple[str, int], float]:
        """The weight of each arm and seed."""
        rows = self.scores.drop_duplicates(["network", "seed"])
        picked = zip(rows["network"], rows["seed"], rows["weight"], strict=True)
        return {(name, int(seed)): float(weight) for name, seed, weight in picked if weight}

    @property
    def images(self) -> int:
        """How many test images there are."""
        return int(self.scores["image"].nunique())


def read_runs(folder: str | os.PathLike[str] | None = None) -> dict[str, Run]:
    """Read all studies and comparisons of a folder, by name; that with the most scores is first.

    The default are the reference runs of the workbook, which are not part of an installed package.
    Other files are left alone. If there is no such folder, or the scores of a study are missing, it
    raises a FileNotFoundError; if one of them is damaged, a ValueError.

    Examples
    --------
    >>> runs = read_runs()
    >>> runs["retina-topological"].seeds, runs["retina-topological"].arms
    ([0, 1], ['topological'])
    """
    place = REFERENCE_RUNS if folder is None else check_path(folder, "folder")
    if not place.is_dir():
        raise FileNotFoundError(f"there is no folder {place}: name one that holds results")
    read: list[Run] = []
    comparisons: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for path in sorted(place.glob("*.json")):
        results = read_json(path)
        if not isinstance(results, dict):
            continue
        with reading(path, "study or comparison"):
            if {"networks", "parameters", "settings"} <= set(results):
                read.append(_read_study(path, results))
            elif {"test", "validation", "times", "chosen_weight"} <= set(results):
                same = json.dumps(_all_but_seed(results), sort_keys=True)
                comparisons.setdefault(same, []).append((path, results))
    for files in comparisons.values():
        with reading(files[0][0], "comparison"):
            read.append(_read_comparisons(files))
    if not read:
        raise ValueError(f"{place} holds no results of a study or a comparison")
    read.sort(key=lambda run: (-len(run.scores), run.name))
    runs = {run.name: run for run in read}
    if len(runs) < len(read):
        raise ValueError(f"{place} holds different comparisons of one name: rename their files")
    return runs


def _all_but_seed(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a comparison without the seed; what older files lack was default."""
    parameters = StudyConfig.from_parameters().parameters() | results["parameters"]
    del parameters["seed"]
    return parameters


def _read_study(path: Path, results: Mapping[str, Any]) -> Run:
    """Read a study: its means, and the scores beside them."""
    beside = path.with_suffix(".csv")
    if not beside.is_file():
        raise FileNotFoundError(f"{beside} is missing: it holds the scores that go with {path}")
    scores = read_scores(beside)
    validation, cost = [], []
    for network, entries in results["networks"].items():
        for seed, entry in entries.items():
            key = {"network": network, "seed": int(seed)}
            cost.append(key | {name: entry[name] for name in ("seconds_per_step", "share_of_loss")})
            for weight, means in entry["validation"].items():
                validation.append(key | {"weight": float(weight)} | means)
    groups = [
        {"group": group, "network": network, "seed": int(seed)} | means
        for group, found in results.get("groups", {}).items()
        for network, seeds in found["networks"].items()
        for seed, means in seeds.items()
    ]
    shared = results["parameters"]["shared"]
    tables = scores, pd.DataFrame(validation), pd.DataFrame(cost)
    settings = results["settings"]
    return Run(path.stem, shared["dataset"], *tables, settings, shared, _of_groups(groups))


def _of_groups(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a table that names its keys, also without any row."""
    return pd.DataFrame(rows, columns=None if rows else ["group", "network", "seed"])


def _read_comparisons(files: list[tuple[Path, dict[str, Any]]]) -> Run:
    """Put comparisons together that differ in their seeds alone."""
    scores, validation, cost = [], [], []
    for _, results in files:
        seed, chosen = results["seed"], results["chosen_weight"]
        loss = results["parameters"]["loss"]
        for network, images in results["test"].items():
            weight = 0.0 if network in ("parent", "control") else chosen
            key = {"network": network, "weight": weight, "seed": seed}
            scores += [key | {"image": name} | row for name, row in images.items()]
            times = results["times"][f"{loss}-{weight:g}" if weight else network]
            named = {name.replace(" ", "_"): value for name, value in times.items()}
            cost.append({"network": network, "seed": seed} | named)
        for name, images in results["validation"].items():
            weight = 0.0 if name == "control" else float(name.removeprefix(f"{loss}-"))
            key = {"network": loss if weight else name, "seed": seed, "weight": weight}
            means = pd.DataFrame.from_dict(images, orient="index").filter(list(COLUMNS)).mean()
            validation.append(key | means.to_dict())
    path, results = files[0]
    name = re.sub(r"-seed\d+$", "", path.stem)
    table = pd.DataFrame(scores)
    table = table[[*KEYS, *(key for key in COLUMNS if key in table)]]
    tables = table, pd.DataFrame(validation), pd.DataFrame(cost)
    parameters = {key: value for key, value in results["parameters"].items() if key != "seed"}
    return Run(name, parameters["dataset"], *tables, results["settings"], parameters)
