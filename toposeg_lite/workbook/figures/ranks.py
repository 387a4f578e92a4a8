"""A figure of two orders of the same networks: who is ahead here, and who is ahead there."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .base import _check_axes
from .comparison import NETWORKS, _table

__all__ = ["rank_lines"]


def rank_lines(
    ranks: pd.DataFrame,
    *,
    title: str = "",
    titles: tuple[str, str] = ("home", "away"),
    ax: Axes | None = None,
) -> Axes:
    """Draw a line for each network from its rank at home to its rank away; the best is on top.

    Where no line crosses another the order is the same. The control is drawn wide, black and
    dashed. Networks of the same rank are put below one another, and their labels say what they
    share.

    Parameters
    ----------
    ranks : DataFrame
        A row for each network, by its name, and the columns "home" and "away"; 1 is the best.
    titles : (str, str)
        What is written above the two columns.

    Examples
    --------
    >>> ranks = pd.DataFrame({"home": [2, 1], "away": [1, 2]}, index=["control", "cldice"])
    >>> ax = rank_lines(ranks)
    >>> [text.get_text() for text in ax.texts]
    ['control 2', '1 control', 'cldice 1', '2 cldice']
    """
    ranks = _table(ranks, ("home", "away"), "ranks")[["home", "away"]]
    if ranks.isna().to_numpy().any() or any(kind.kind not in "iuf" for kind in ranks.dtypes):
        raise ValueError("ranks must hold a number for each network at both places")
    if ranks.index.duplicated().any():
        raise ValueError("ranks must have one row for each network")
    if not isinstance(titles, list | tuple) or [type(text) for text in titles] != [str, str]:
        raise TypeError(f"titles must be two texts; got {titles!r}")
    _check_axes(ax)
    if ax is None:
        height = 0.8 + 0.27 * len(ranks)
        ax = Figure(figsize=(6.4, height)).add_axes((0.02, 0.02, 0.96, 0.98 - 0.7 / height))
    places = ranks.rank(method="first")
    styles = iter(range(len(ranks)))
    for name in ranks.index:
        style: dict[str, Any] = {"color": "black", "lw": 3, "ls": "--", "marker": "s"}
        if name != "control":
            colour, marker = NETWORKS[:-1][next(styles) % (len(NETWORKS) - 1)]
            style = {"color": colour, "lw": 1.8, "ls": "-", "marker": marker}
        home, away = places.loc[name]
        ax.plot([0, 1], [home, away], ms=6, **style)
        text: dict[str, Any] = {"va": "center", "color": style["color"], "fontsize": "small"}
        text["weight"] = "bold" if name == "control" else "normal"
        ax.text(-0.05, home, f"{name} {ranks.loc[name, 'home']:g}", ha="right", **text)
        ax.text(1.05, away, f"{ranks.loc[name, 'away']:g} {name}", ha="left", **text)
    ax.set(xlim=(-0.9, 1.9), ylim=(len(ranks) + 0.5, 0.5), yticks=[], title=title)
    ax.set_xticks([0, 1], list(titles))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
