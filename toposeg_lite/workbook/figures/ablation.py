"""What each part of a loss is worth, as one picture: parts down, data sets to the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .base import COMPONENT, RAISED
from .comparison import _few_ticks, _legend_below, _table, higher_is_better

if TYPE_CHECKING:  # a page of explorers should not wait for it
    import pandas as pd

__all__ = ["ablation_forest"]


def ablation_forest(
    tables: Mapping[str, pd.DataFrame],
    blocks: Mapping[str, Mapping[str, str]],
    *,
    metric: str,
    title: str,
) -> Figure:
    """Draw by how many percent of the control each network differs from it, in blocks of rows.

    `tables` has for each data set what `compare_networks` of the studies' statistics returned.
    `blocks` has for each title of a block the rows below it: what a row is called, and the network
    that it shows. The first row of a block is that from which the others differ in one thing, and a
    dotted line carries it down. A square is filled where the interval leaves out zero. A network
    that a table lacks leaves its row empty there; one that all tables lack raises a ValueError.

    `metric` is the score as `toposeg_lite.metrics.report` calls it, and `title` its name in words.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"control": 20.0, "difference": -5.0, "low": -8.0, "high": -1.0}
    >>> table = pd.DataFrame.from_dict({"topological": row}, orient="index")
    >>> blocks = {"Topological loss": {"as it is": "topological"}}
    >>> figure = ablation_forest({"roads": table}, blocks, metric="betti_error", title="errors")
    >>> figure.axes[0].get_xlabel()
    'change in errors, % of the control'
    """
    for name, given in (("tables", tables), ("blocks", blocks)):
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a mapping; got {type(given).__name__}")
        if not given:
            raise ValueError(f"{name} must hold something; it is empty")
    for name, rows in blocks.items():
        if not isinstance(rows, Mapping) or not rows:
            raise ValueError(f"blocks[{name!r}] must name the network of each row; got {rows!r}")
    upwards = higher_is_better(metric)
    for name, table in tables.items():
        _table(table, ("control", "difference", "low", "high"), f"tables[{name!r}]")
    known = {network for table in tables.values() for network in table.index}
    for network in (network for rows in blocks.values() for network in rows.values()):
        if network not in known:
            raise ValueError(
                f"blocks show {network!r}, which no table has; they have {sorted(known)}"
            )
    lines = sum(len(rows) + 1 for rows in blocks.values())
    height = 1.3 + 0.235 * lines  # inches: the rows, and what is above and below
    width = max(2.2 + 3.4 * len(tables), 7.2)
    figure = Figure(figsize=(width, height))
    wide = (1 - 2.2 / width) / len(tables)
    shared: Any = None
    for number, (name, table) in enumerate(tables.items()):
        left = 2.1 / width + number * wide
        box = (left, 0.95 / height, wide - 0.28 / width, 0.235 * lines / height)
        ax = figure.add_axes(box, sharey=shared)
        shared = shared or ax
        _panel(ax, table, blocks)
        low, high = ax.get_xlim()
        ax.axvspan(0 if upwards else low, high if upwards else 0, color=RAISED, alpha=0.1, lw=0)
        ax.set_xlim(low, high)
        ax.set_title(name, fontsize="medium", loc="left")
        side = "better →" if upwards else "← better"
        ax.set_title(side, fontsize="small", loc="right", color=RAISED)
        ax.set_xlabel(f"change in {title}, % of the control", fontsize="small")
        ax.tick_params(axis="y", length=0, labelleft=number == 0)
    _name_rows(figure.axes[0], blocks)
    line: dict[str, Any] = {"marker": "s", "ms": 5, "lw": 2, "color": "black"}
    signs = [
        Line2D([], [], label="interval without 0", **line),
        Line2D([], [], label="with 0", mfc="white", **line),
        Line2D([], [], label="the block's first row", color=COMPONENT, ls=":", lw=1.5),
    ]
    _legend_below(figure.axes[0], -0.5 / (0.235 * lines), x=0.5 * len(tables), handles=signs,
                  ncols=3, handletextpad=0.4)  # fmt: skip
    return figure


def _panel(ax: Axes, table: pd.DataFrame, blocks: Mapping[str, Mapping[str, str]]) -> None:
    """Draw the rows of one data set."""
    ax.axvline(0, color="black", ls="--", lw=1)
    place = 0
    for rows in blocks.values():
        first = None
        for row, network in enumerate(rows.values(), place + 1):
            if network not in table.index:
                continue
            values = table.loc[network]
            middle, low, high = (
                100 * values[key] / values["control"] for key in ("difference", "low", "high")
            )
            first = middle if row == place + 1 else first
            face = "black" if low > 0 or high < 0 else "white"
            ax.plot([low, high], [row, row], color="black", lw=2, solid_capstyle="butt")
            ax.plot(middle, row, "s", ms=5, mew=1.2, mfc=face, mec="black", zorder=3)
        if first is not None and len(rows) > 1:
            ends = [place + 1, place + len(rows)]
            ax.plot([first, first], ends, color=COMPONENT, ls=":", lw=1.5, zorder=0)
        place += len(rows) + 1
    ax.set_ylim(place - 0.4, -0.6)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    _few_ticks(ax.xaxis)


def _name_rows(ax: Axes, blocks: Mapping[str, Mapping[str, str]]) -> None:
    """Write what each row is to its left, and the titles of the blocks."""
    names = [name for title, rows in blocks.items() for name in (title, *rows)]
    titles = np.cumsum([0, *(len(rows) + 1 for rows in blocks.values())])
    ax.set_yticks(range(len(names)), names, fontsize="small")
    for place, label in enumerate(ax.get_yticklabels()):
        if place in titles:
            label.set_fontweight("bold")
