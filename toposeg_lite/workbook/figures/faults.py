"""Which loss mends which fault, on one page: losses down, kinds of faults to the right."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .base import COMPONENT, HOLE
from .comparison import _table

if TYPE_CHECKING:  # a page of explorers should not wait for it
    import pandas as pd

__all__ = ["fault_map"]

#: From half as many faults, over as many as the control, to twice as many.
CHANGES = LinearSegmentedColormap.from_list("changes", [COMPONENT, "white", HOLE])
KEY = (
    "at the foot: the control's faults in an image; blue: fewer with the loss; orange: more; "
    "framed: sure; empty: hardly any to mend"
)
COLUMNS = ("dataset", "kind", "loss", "control", "change", "verdict")


def fault_map(table: pd.DataFrame) -> Figure:
    """Draw what each loss changes in the number of faults of each kind, a panel for each data set.

    Two panels lie beside each other, the first data sets at the top.

    `table` is what `which_loss` of the studies returned. A cell says by how many percent there are
    fewer or more faults than with the control, and has its colour: blue is fewer, orange more, in
    full at -60 % and +60 %. It is framed where the verdict is sure, and empty where the control
    makes so few faults of the kind that there is nothing to mend; their number in an image stands
    at the foot of each column. The line below all panels says so.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"dataset": "roads", "kind": "break", "loss": "cldice", "control": 12.0,
    ...        "change": -0.5, "verdict": "fewer"}
    >>> figure = fault_map(pd.DataFrame([row]))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['-50 %']
    """
    table = _table(table, COLUMNS, "table")
    datasets, kinds, losses = (list(table[key].unique()) for key in ("dataset", "kind", "loss"))
    sides = len(losses) * 0.21, 1.1  # inches: the cells of a panel, and what is above and below
    columns = min(len(datasets), 2)
    height = -(-len(datasets) // columns) * sum(sides) + 0.25
    figure = Figure(figsize=(9.2, height))
    left, gap = 0.16, 0.02  # parts of the width: the names of the losses, between two panels
    width = (1 - left) / columns - gap
    for number, dataset in enumerate(datasets):
        row, column = divmod(number, columns)
        low = 1 - ((row + 1) * sum(sides) - 0.75) / height
        place = left + column * (width + gap), low, width, sides[0] / height
        ax = figure.add_axes(place)
        _panel(ax, table[table["dataset"] == dataset], kinds, losses)
        ax.tick_params(labelleft=not column)
        ax.set_title(dataset, fontsize="medium", loc="left")
    figure.text(0.98, 0.08 / height, KEY, ha="right", fontsize="x-small")
    return figure


def _panel(ax: Axes, table: pd.DataFrame, kinds: list[str], losses: list[str]) -> None:
    """Draw the cells of one data set."""
    rows = {(row["loss"], row["kind"]): row for row in table.to_dict("records")}
    shades = np.full((len(losses), len(kinds)), np.nan)
    feet = dict.fromkeys(kinds, "")
    for (loss, kind), row in rows.items():
        place = losses.index(loss), kinds.index(kind)
        feet[kind] = f"\n{row['control']:.3g}"
        if row["verdict"] != "rare" and np.isfinite(row["change"]):
            shades[place] = row["change"]
            _cell(ax, place, row)
    ax.imshow(shades, cmap=CHANGES, vmin=-0.6, vmax=0.6, aspect="auto")
    labels: list[Any] = [kind.replace(" ", "\n") + foot for kind, foot in feet.items()]
    ax.set_xticks(range(len(kinds)), labels, fontsize="small")
    ax.set_yticks(range(len(losses)), losses, fontsize="small")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cell(ax: Axes, place: tuple[int, int], row: Mapping[Hashable, Any]) -> None:
    """Write the change into its cell, and frame it where it is sure."""
    y, x = place
    sure = row["verdict"] in ("fewer", "more")
    text = f"{100 * row['change']:+.0f} %".replace("+0 %", "0 %").replace("-0 %", "0 %")
    dark = row["change"] < -0.55  # there white has more contrast than black
    ax.text(x, y, text, ha="center", va="center", fontsize="small",
            color="white" if dark else "black", weight="bold" if sure else "normal")  # fmt: skip
    if sure:
        ax.add_patch(Rectangle((x - 0.47, y - 0.44), 0.94, 0.88, fill=False, lw=1))
