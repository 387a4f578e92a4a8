"""Other labels, fewer images, other colours: a panel of errors for each kind of test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .base import RAISED
from .comparison import NETWORKS, _short, _table

if TYPE_CHECKING:  # a page of explorers should not wait for it
    import pandas as pd

__all__ = ["setting_dots"]


def setting_dots(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw the errors of networks: a panel for each group of test images, a row for each setting.

    Settings are ways to train: which labels, how many images, what is changed at random. Errors are
    on a logarithmic scale, so that equal ways to the left are equal shares of the error; a zero has
    no place there and raises a ValueError. What somebody else has published is drawn hollow, below
    what was measured here.

    Parameters
    ----------
    table : DataFrame
        A row for each dot: "setting", "group", "network", "error" (above 0) and "published" (bool).
        Panels, rows and legend come in the order in which the names appear.
    title : str
        What the errors are, in words.

    Examples
    --------
    >>> import pandas as pd
    >>> dot = {"setting": "10 images", "group": "angles", "network": "cldice", "error": 2.0}
    >>> figure = setting_dots(pd.DataFrame([dot | {"published": False}]), title="errors an image")
    >>> figure.axes[0].get_title(loc="left"), figure.axes[0].get_xlabel()
    ('angles', 'errors an image')
    """
    columns = ("setting", "group", "network", "error", "published")
    table = _table(table, columns, "table")
    for name, kinds, words in (("error", "iuf", "numbers"), ("published", "b", "True or False")):
        if table[name].dtype.kind not in kinds:
            raise TypeError(f"table[{name!r}] must hold {words}; it is {table[name].dtype}")
    if not (table["error"] > 0).all() or not np.isfinite(table["error"]).all():
        raise ValueError("table['error'] must be finite and above 0: the scale is logarithmic")
    settings, groups, networks = (list(table[name].unique()) for name in columns[:3])
    down = -(-len(groups) // 2)
    across = min(len(groups), 2)
    legend = 0.45 + 0.22 * -(-(len(networks) + 1) // 3)  # inches: the label above it, and its rows
    rows = 0.42 * len(settings)
    width, height = 1.85 + 3.9 * across, 0.35 + down * (rows + 0.85) - 0.55 + legend
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    figure.subplots_adjust(left=1.75 / width, right=1 - 0.15 / width, top=1 - 0.3 / height,
                           bottom=legend / height, wspace=0.08, hspace=0.85 / rows)  # fmt: skip
    losses = [name for name in networks if name != "control"]
    styles = {name: NETWORKS[k % (len(NETWORKS) - 1)] for k, name in enumerate(losses)}
    styles["control"] = "black", "s"
    for ax, group in zip(panels, groups, strict=False):
        for row in table[table["group"] == group].itertuples():
            colour, marker = styles[row.network]
            place = settings.index(row.setting) + (0.16 if row.published else -0.16)
            face = "none" if row.published else colour
            ax.plot(row.error, place, marker, ms=6.5, mec=colour, mfc=face, mew=1.3)
        ax.set_xscale("log")
        low, high = ax.get_xlim()  # of little more than a decade a single power of ten says nothing
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        ax.xaxis.set_major_formatter(FuncFormatter(_short))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(len(settings) - 0.5, -0.5)
        ax.set_yticks(range(len(settings)), settings, fontsize="small")
        ax.tick_params(axis="y", length=0)
        ax.hlines(np.arange(len(settings) - 1) + 0.5, 0, 1, color="0.85", lw=0.8,
                  transform=ax.get_yaxis_transform())  # fmt: skip
        ax.grid(axis="x", color="0.92")
        ax.set_axisbelow(True)
        ax.set_title(group, loc="left", fontsize="medium")
        ax.set_title("← better", loc="right", fontsize="small", color=RAISED)
        ax.set_xlabel(title, fontsize="small", labelpad=2)
        ax.tick_params(axis="x", labelsize="small")
    for ax in panels[len(groups) :]:
        ax.remove()
    signs = [Line2D([], [], ls="", marker=styles[name][1], color=styles[name][0], label=name)
             for name in networks]  # fmt: skip
    if table["published"].any():
        hollow: dict[str, Any] = {"ls": "", "marker": "o", "mec": "black", "mfc": "none"}
        signs.append(Line2D([], [], label="hollow: published", **hollow))
    figure.legend(handles=signs, loc="lower center", ncols=3, fontsize="small", frameon=False,
                  columnspacing=1, handletextpad=0.2)  # fmt: skip
    return figure
