"""The scores of studies: how they are called, their means, and the tables that are printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

__all__ = ["COLUMNS", "mean_scores", "study_tables"]

#: What tables show of `metrics.report`, and how they call it.
COLUMNS = {
    "dice": "Dice",
    "cldice": "clDice",
    "betti_0_error": "Betti-0 error",
    "betti_1_error": "Betti-1 error",
    "betti_2_error": "Betti-2 error",
    "betti_matching_error": "Betti matching error",
    "adjusted_rand_index": "ARI",
    "variation_of_information": "VOI (bits)",
}


def mean_scores(table: pd.DataFrame, keys: Sequence[str] = tuple(COLUMNS)) -> dict[str, float]:
    """Return the mean over the images of each score that a table has.

    Examples
    --------
    >>> mean_scores(pd.DataFrame({"dice": [0.5, 1.0], "patch": [64, 64]}))
    {'dice': 0.75}
    """
    return {key: float(table[key].mean()) for key in keys if key in table}


def study_tables(results: Mapping[str, Any]) -> str:
    """Return the tables of a study as Markdown: the scores, and the differences to the control.

    `results` are what `Study.run` returns, or ``study.json`` holds. Each network has a row. Scores
    are the mean over the test images, then mean ± standard deviation over the seeds. Differences
    are taken seed by seed, arm minus control.

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
    networks = results["networks"]
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
                *(_spread(tests[name][key], digits[key]) for key in shown),
                f"{share:.0%}".replace("%", " %"),
            ]
        )
    differences = [
        [name]
        + [_spread(table[key] - tests["control"][key], digits[key], sign="+") for key in shown]
        for name, table in tests.items()
        if name not in ("parent", "control")
    ]
    first = _markdown(["network", "weight", *titles, "share of loss"], scores)
    return f"{first}\n\n{_markdown(['arm - control', *titles], differences)}"


def _spread(values: pd.Series, digits: int, sign: str = "") -> str:
    """Return mean ± standard deviation as a table shows them, without the zero before the point."""
    numbers = [f"{values.mean():{sign}.{digits}f}"]
    if len(values) > 1:
        numbers.append(f"{values.std():.{digits}f}")
    return " ± ".join(re.sub(r"^([+-]?)0\.", r"\1.", number) for number in numbers)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown has it."""
    table = [header, ["---"] * len(header), *lines]
    return "\n".join(re.sub(" +", " ", f"| {' | '.join(cells)} |") for cells in table)
