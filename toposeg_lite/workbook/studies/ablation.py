"""What each part of a loss is worth: the networks of an ablation in blocks, and what each changes.

`notebooks/studies/ablation.yml` names its networks so that they can be sorted: a loss alone, such
as "warping"; sums of losses, such as "warping+morse" and "all three"; and a loss with one thing
changed, such as "warping weight 1".
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ...checks import check_choice
from .runs import Run

__all__ = ["SEARCHED", "option_blocks", "option_changes"]

#: The blocks of options: the loss, the title, and what its network is before anything is changed.
_BLOCKS = (
    ("topological", "Topological loss", "all features, by place, 1.5"),
    ("warping", "Warping loss", "Dice, connectivity 2, .3"),
    ("morse", "Morse loss", "skeletons of both, Dice, 1"),
    ("cldice", "clDice", None),
)
#: By the title of a block, the network of a study whose weight was searched.
SEARCHED = {
    "Topological loss": "topological-spatial",
    "Warping loss": "warping-dice",
    "Morse loss": "morse-both-dice",
    "clDice": "cldice",
}


def option_blocks(runs: Mapping[str, Run]) -> dict[str, dict[str, str]]:
    """Sort the networks of an ablation: the losses and their sums, then the options of each loss.

    Parameters
    ----------
    runs : dict of Run
        The results, by data set.

    Returns
    -------
    dict of dict
        By the title of a block, what a row is called and the network that it shows. The first row
        of the block of a loss is the one from which the others differ in one thing.

    Examples
    --------
    >>> from toposeg_lite.workbook.studies import read_runs
    >>> from toposeg_lite.workbook.studies.study import REFERENCE_RUNS
    >>> blocks = option_blocks(read_runs(REFERENCE_RUNS / "ablation"))
    >>> list(blocks["Warping loss"].values())[:2]
    ['warping', 'warping cross-entropy']
    """
    networks = dict.fromkeys(name for run in _runs(runs, "runs").values() for name in run.arms)
    changed = {
        loss: [name for name in networks if name.startswith(f"{loss} ")] for loss, _, _ in _BLOCKS
    }
    options = {name for names in changed.values() for name in names}
    blocks = {"The losses and their sums": {name: name for name in networks if name not in options}}
    for loss, title, as_it_is in _BLOCKS:
        blocks[title] = {as_it_is: loss} if as_it_is is not None and loss in networks else {}
        for name in changed[loss]:
            # A balance without a number is the first that was tried.
            number = " .5" if name.endswith(" balance") else ""
            blocks[title][name.removeprefix(f"{loss} ") + number] = name
    return {title: rows for title, rows in blocks.items() if rows}


def option_changes(
    runs: Mapping[str, Run],
    blocks: Mapping[str, Mapping[str, str]],
    metric: str,
    studies: Mapping[str, Run] | None = None,
) -> pd.DataFrame:
    """Tabulate what each network of an ablation changes against the control.

    Parameters
    ----------
    runs : dict of Run
        The results, by data set.
    blocks : dict of dict
        What `option_blocks` returns.
    metric : str
        A score of all runs.
    studies : dict of Run, optional
        By the same data sets, studies whose weights were searched on validation images. The block
        of each loss of `SEARCHED` ends with a row "searched", and the weight that was found.

    Returns
    -------
    DataFrame
        A row for each network, by its block and what it is called there; for each data set
        "weight", "%" (change of the metric in percent of the control's mean over seeds and images)
        and "Dice" (change in points).

    Raises
    ------
    ValueError
        If a run lacks the metric, or a network of a block.

    Examples
    --------
    >>> from toposeg_lite.workbook.studies import read_runs
    >>> from toposeg_lite.workbook.studies.study import REFERENCE_RUNS
    >>> runs = read_runs(REFERENCE_RUNS / "ablation")
    >>> table = option_changes(runs, option_blocks(runs), "betti_matching_error")
    >>> round(table.loc[("Warping loss", "weight 1"), ("chase_db1", "%")])
    52
    """
    rows: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    sources = [(_runs(runs, "runs"), blocks)]
    if studies is not None:
        ends = {title: {"searched": name} for title, name in SEARCHED.items() if title in blocks}
        sources.append((_runs(studies, "studies"), ends))
    for found, some in sources:
        for dataset, run in found.items():
            check_choice(metric, tuple(run.metrics), f"metric, of {run.name},")
            keys = list(dict.fromkeys((metric, "dice", "weight")))
            means = run.scores.groupby("network")[keys].mean().to_dict("index")
            control = means["control"]
            for title, networks in some.items():
                for words, network in networks.items():
                    check_choice(network, tuple(map(str, means)), f"each of blocks, of {run.name},")
                    row, mean = rows.setdefault((title, words), {}), means[network]
                    row[dataset, "weight"] = mean["weight"]
                    row[dataset, "%"] = 100 * (mean[metric] - control[metric]) / control[metric]
                    row[dataset, "Dice"] = 100 * (mean["dice"] - control["dice"])
    order = [key for title in blocks for key in rows if key[0] == title]
    table = pd.DataFrame.from_dict(rows, orient="index").loc[order]
    table.index = pd.MultiIndex.from_tuples(order, names=["part of", "network"])
    return table


def _runs(value: Mapping[str, Run], name: str) -> Mapping[str, Run]:
    """Return a mapping of data sets to results, else raise."""
    if not isinstance(value, Mapping) or not all(isinstance(run, Run) for run in value.values()):
        raise TypeError(f"{name} must map data sets to instances of Run; got {value!r}")
    if not value:
        raise ValueError(f"{name} must hold something; it is empty")
    return value
