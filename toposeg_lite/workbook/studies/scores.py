"""The scores of studies: their means, what is decided from them, and the tables that are printed.

Decided is by rules that are fixed beforehand: which weight is taken, and a verdict. What stays
infinite in a mean (HD95 of a network that predicts nothing) is shown as a median, with the number
of infinite ones, for all networks that it is beside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...checks import check_path, check_reals
from ...files import reading
from ...training.checkpoint import DICE_MARGIN
from ...training.records import read_json
from .statistics import COLUMNS, FURTHER_COLUMNS, KEYS

__all__ = [
    "COLUMNS",
    "choose_weight",
    "file_tables",
    "further_table",
    "judge",
    "mean_scores",
    "read_further",
    "read_scores",
    "study_tables",
]

#: The columns of tables of scores that are names: an image may be called 01, or NA.
_NAMES = ("home", "away", "place", "network", "image")
#: What a heading says where the mean would be infinite.
MEDIAN = "median (infinite ones)"


def mean_scores(table: pd.DataFrame, keys: Sequence[str] = tuple(COLUMNS)) -> dict[str, float]:
    """Return the mean over the images of each score that a table has."""
    return {key: float(table[key].mean()) for key in keys if key in table}


def choose_weight(scores: pd.DataFrame) -> float:
    """Choose the weight with the smallest topological error among those that keep the overlap.

    `scores` are means over the validation images: a row for each weight (the index) and one for the
    control, weight 0, and the columns "dice" and "betti_matching_error", or in its place (of
    volumes it is not measured) "betti_error". Chosen is, of the weights whose Dice is at most 0.01
    below the control's, that with the smallest error; among equals the smallest weight. Where all
    cost more Dice than that, it is the one that costs least.

    Examples
    --------
    A weight of 10 has the best topology but spoils the overlap:

    >>> choose_weight(
    ...     pd.DataFrame(
    ...         {"dice": [0.80, 0.80, 0.795, 0.70], "betti_matching_error": [5.0, 3.0, 2.0, 1.0]},
    ...         index=[0, 0.1, 1, 10],
    ...     )
    ... )
    1.0
    """
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(f"scores must be a DataFrame; got {type(scores).__name__}")
    if not len(scores):
        raise ValueError("scores are empty: there is no weight to choose from")
    if 0 not in scores.index or len(scores) == 1:
        raise ValueError(
            f"scores must have a row for the control, weight 0, and one for each weight to choose "
            f"from; got the rows {scores.index.tolist()}"
        )
    measured = "betti_matching_error" in scores
    if "dice" not in scores or not (measured or "betti_error" in scores):
        raise ValueError(
            f"scores must have the columns dice, and betti_matching_error or betti_error; "
            f"got {', '.join(map(str, scores.columns))}"
        )
    arms = scores.drop(index=0)
    least = float(scores["dice"][0]) - DICE_MARGIN
    kept = arms[arms["dice"] >= least]
    if kept.empty:
        kept = arms[arms["dice"] == arms["dice"].max()]
    error = kept["betti_matching_error" if measured else "betti_error"]
    return float(kept[error == error.min()].index.min())


def judge(arm: Sequence[float], control: Sequence[float]) -> str:
    """Say whether an error is better or worse than the control's, image by image and on average.

    Both are errors (smaller is better) on the same images. The arm is "better" if its mean is
    smaller by more than 1 % of the control's and more images have a smaller error than a larger
    one, "worse" if both hold the other way round; else there is "no clear difference".

    Examples
    --------
    >>> judge([1.0, 2.0, 3.0], [2.0, 2.0, 5.0])
    'better'
    >>> judge([1.0, 3.0], [2.0, 2.5])
    'no clear difference'
    """
    for name, errors in (("arm", arm), ("control", control)):
        numbers = check_reals(errors, name)
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            raise ValueError(f"{name} must be finite numbers in a row; got {errors!r}")
    if not len(arm) or len(arm) != len(control):
        raise ValueError(
            f"arm and control must name the errors of the same images; "
            f"got {len(arm)} and {len(control)}"
        )
    difference = np.subtract(arm, control)
    margin = 0.01 * float(np.mean(control))
    images = int((difference < 0).sum() - (difference > 0).sum())
    if difference.mean() < -margin and images > 0:
        return "better"
    if difference.mean() > margin and images < 0:
        return "worse"
    return "no clear difference"


def study_tables(results: Mapping[str, Any]) -> str:
    """Return the tables of a study as Markdown: the scores, and the differences to the control.

    `results` are what `Study.run` returns, or ``study.json`` holds. Each network has a row. Scores
    are the mean over the test images, then mean ± standard deviation over the seeds. Differences
    are taken seed by seed, arm minus control. Further groups of test images follow, by their names.

    Examples
    --------
    >>> networks = {
    ...     name: {
    ...         seed: {"weight": weight, "share_of_loss": 0.0, "test": {"dice": dice}}
    ...         for seed, dice in (("0", first), ("1", second))
    ...     }
    ...     for name, weight, first, second in (("control", 0, 0.9, 0.8), ("arm", 0.5, 0.92, 0.84))
    ... }
    >>> print(study_tables({"networks": networks}))
    | network | weight | Dice | share of loss |
    | --- | --- | --- | --- |
    | control | | .850 ± .071 | 0 % |
    | arm | 0.5 | .880 ± .057 | 0 % |
    <BLANKLINE>
    | arm - control | Dice |
    | --- | --- |
    | arm | +.030 ± .014 |
    """
    networks = results.get("networks") if isinstance(results, Mapping) else None
    if not isinstance(networks, Mapping) or "control" not in networks:
        raise ValueError(
            f"results must be those of a study, with its control; got {str(results)[:80]}"
        )
    tables = [_tables(networks)]
    for group, entry in results.get("groups", {}).items():
        tests = entry["networks"]
        there = {
            name: {seed: kept | {"test": tests[name][seed]} for seed, kept in seeds.items()}
            for name, seeds in networks.items()
        }
        tables.append(f"Test images: {group}\n\n{_tables(there)}")
    return "\n\n".join(tables)


def _tables(networks: Mapping[str, Any]) -> str:
    """Return the two tables of one group of test images."""
    tests = {
        name: pd.DataFrame({seed: entry["test"] for seed, entry in entries.items()}).T
        for name, entries in networks.items()
    }
    shown = [key for key in COLUMNS if key in tests["control"]]
    titles = [COLUMNS[key] for key in shown]
    digits = {key: 3 if tests["control"][key].abs().max() < 1.5 else 2 for key in shown}
    scores = []
    for name, entries in networks.items():
        weights = sorted({entry["weight"] for entry in entries.values()})
        share = sum(entry["share_of_loss"] for entry in entries.values()) / len(entries)
        scores.append(
            [
                name,
                ", ".join(f"{weight:g}" for weight in weights if weight),
                *(spread(tests[name][key], digits[key]) for key in shown),
                f"{share:.0%}".replace("%", " %"),
            ]
        )
    differences = [
        [name]
        + [spread(table[key] - tests["control"][key], digits[key], sign="+") for key in shown]
        for name, table in tests.items()
        if name not in ("parent", "control")
    ]
    first = markdown(["network", "weight", *titles, "share of loss"], scores)
    return f"{first}\n\n{markdown(['arm - control', *titles], differences)}"


def file_tables(files: Sequence[str | os.PathLike[str]]) -> str:
    """Return the tables of a ``study.json``, or that of one or several ``DATASET-faults.csv``.

    Of a study they are its `study_tables`, of tables of faults it is their `further_table`, in the
    order of the files.
    """
    if isinstance(files, str | os.PathLike) or not files:
        raise ValueError(f"files must name one at least; got {files!r}")
    places = [check_path(file, "each of files") for file in files]
    if all(place.suffix == ".csv" for place in places):
        names = [place.stem.removesuffix("-faults") for place in places]
        if len(set(names)) < len(names):
            raise ValueError(f"files must be of different data sets; got {', '.join(names)}")
        return further_table(dict(zip(names, map(read_further, places), strict=True)))
    if len(places) > 1:
        raise ValueError(
            "files must be one study.json, or tables of faults, DATASET-faults.csv; got "
            f"{', '.join(map(str, places))}"
        )
    results = read_json(places[0])
    with reading(places[0], "study"):
        return study_tables(results)


def read_scores(
    path: str | os.PathLike[str],
    needs: Iterable[str] = KEYS,
    *,
    what: str = "table of scores",
) -> pd.DataFrame:
    r"""Read a table of the scores of networks, image by image, as the commands write it.

    The columns of `needs` must be there. Names are read as texts, whatever they look like; a metric
    that is empty was not measured. A table that is none raises a ValueError which calls it `what`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     written = path.write_text("network,seed,image,dice\nNA,0,01,0.5\ncontrol,0,01,\n")
    ...     table = read_scores(path, ["network", "image"])
    >>> table["network"].tolist(), table["image"].tolist(), table["dice"].tolist()
    (['NA', 'control'], ['01', '01'], [0.5, nan])
    """
    place = check_path(path, "path")
    with reading(place, what):
        table = pd.read_csv(
            place,
            dtype=dict.fromkeys(_NAMES, str),
            keep_default_na=False,
            na_values={metric: [""] for metric in (*COLUMNS, *FURTHER_COLUMNS)},
        )
        if missing := [key for key in needs if key not in table]:
            raise ValueError(f"it has no columns {', '.join(missing)}")
    return table


def read_further(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the further metrics of networks, image by image, as ``faults`` keeps them.

    The file is a ``DATASET-faults.csv``. What is returned has the columns "network", "seed",
    "image", "weight" if it is there, and those of `FURTHER_COLUMNS` that are.
    """
    place, what = check_path(path, "path"), "table of further metrics"
    keys = ("network", "seed", "image")
    table = read_scores(place, keys, what=what)
    with reading(place, what):
        metrics = [key for key in FURTHER_COLUMNS if key in table]
        if not metrics:
            raise ValueError(
                f"it has none of the columns {', '.join(FURTHER_COLUMNS)}: `faults --results "
                "FOLDER` makes such tables"
            )
        if table.duplicated([*keys]).any():
            raise ValueError("it has more than one row for a network, seed and image")
        if table.empty:
            raise ValueError("it has no rows")
        table[metrics] = table[metrics].astype(float)
    return table[[key for key in (*keys, "weight", *metrics) if key in table]]


def further_table(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the further metrics of the networks of studies, by data set, as Markdown.

    `tables` map the names of data sets to what `read_further` returns. Each network has a row, and
    each metric its mean over the images, then mean ± standard deviation over the seeds. Where a
    metric of any network of a data set is infinite, all networks of the set have its median over
    images and seeds, and in brackets how many are infinite; the heading says of which sets.

    Examples
    --------
    >>> networks = pd.DataFrame(
    ...     {
    ...         "network": ["control", "control", "arm", "arm"],
    ...         "seed": 0,
    ...         "image": ["a", "b", "a", "b"],
    ...         "hausdorff_distance": [2.0, 4.0, 1.0, float("inf")],
    ...         "surface_dice": [0.5, 0.6, 0.7, 0.0],
    ...     }
    ... )
    >>> print(further_table({"one": networks[:2]}))
    | data set | network | HD95 (pixels) | surface Dice at 1 pixel |
    | --- | --- | --- | --- |
    | one | control | 3.00 | .550 |
    >>> print(further_table({"one": networks}))
    | data set | network | HD95 (pixels); of one median (infinite ones) | surface Dice at 1 pixel |
    | --- | --- | --- | --- |
    | one | control | 3.00 (0) | .550 |
    | one | arm | inf (1) | .350 |
    """
    if not isinstance(tables, Mapping) or not tables:
        raise ValueError(f"tables must map data sets to tables of metrics; got {str(tables)[:80]}")
    shown = [key for key in FURTHER_COLUMNS if any(key in table for table in tables.values())]
    titles, columns = [], []
    for key in shown:
        there = {name: table[key] for name, table in tables.items() if key in table}
        finite = pd.concat(there)[lambda values: np.isfinite(values)].abs()
        digits = 3 if finite.max() < 1.5 else 2
        medians = [name for name, values in there.items() if np.isinf(values).any()]
        titles.append(FURTHER_COLUMNS[key])
        if medians:
            titles[-1] += f"; of {', '.join(medians)} {MEDIAN}"
        cells = {}
        for name, values in there.items():
            by_network = values.groupby(tables[name]["network"], sort=False)
            for network, some in by_network:
                by_seed = some.groupby(tables[name]["seed"]).mean()
                one = median(some, digits) if name in medians else spread(by_seed, digits)
                cells[name, network] = one
        columns.append(cells)
    lines = [
        [name, network, *(cells.get((name, network), "") for cells in columns)]
        for name, table in tables.items()
        for network in table["network"].unique()
    ]
    return markdown(["data set", "network", *titles], lines)


def median(values: pd.Series, digits: int) -> str:
    """Return a median as a table shows it, with the number of infinite values in brackets."""
    middle = re.sub(r"^0\.", ".", f"{values.median():.{digits}f}")
    return f"{middle} ({np.isinf(values).sum()})"


def spread(values: pd.Series, digits: int, sign: str = "") -> str:
    """Return mean ± standard deviation as a table shows them, without the zero before the point."""
    numbers = [f"{values.mean():{sign}.{digits}f}"]
    if len(values) > 1:
        numbers.append(f"{values.std():.{digits}f}")
    return " ± ".join(re.sub(r"^([+-]?)0\.", r"\1.", number) for number in numbers)


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown has it."""
    table = [header, ["---"] * len(header), *lines]
    return "\n".join(re.sub(" +", " ", f"| {' | '.join(cells)} |") for cells in table)
