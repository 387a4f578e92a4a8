"""Figures of the order in which an annotator is asked: branches by a number, curves of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...checks import check_integer, check_real, check_reals
from .annotation import picture_colours
from .base import LEGEND, _axes, _check_paths, _check_values

__all__ = ["ORDER_STYLES", "branches_by_value", "order_areas", "order_curves"]

#: Colour and marker of each order; orders of other names are drawn in black.
ORDER_STYLES: dict[str, tuple[str, str]] = {
    "doubt": ("#D55E00", "o"),
    "uncertainty": ("#0072B2", "s"),
    "gain": ("#009E73", "^"),
    "persistence": ("#CC79A7", "D"),
    "pixel-entropy": ("#E69F00", "v"),
    "random": ("#7F7F7F", "x"),
    "doubt, learning": ("#56B4E9", "P"),
}

#: From what recedes on a pale picture to what stands out.
PALE_TO_DARK = LinearSegmentedColormap.from_list(
    "pale to dark", ["#7fa8c6", "#4c88b8", "#1c5a94", "#0a1f3c"]
)


def branches_by_value(
    image: Any,
    paths: Sequence[np.ndarray],
    values: Any,
    *,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
    chosen: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw an image in grey with its branches, each in the colour and width of its value.

    The image is one of `picture_colours`, shown pale. High values are drawn wide, dark and last,
    low ones thin and pale, so that they recede.

    Parameters
    ----------
    values : (n,) array of float
        One for each path.
    label : str
        What the values are: written at the bar of colours.
    limits : (float, float)
        The values at the ends of that bar.
    chosen : int, optional
        The number of a branch, from 0, to point at with an arrow.

    Examples
    --------
    >>> paths = [np.array([0, 4, 8]), np.array([2])]
    >>> ax = branches_by_value(np.eye(3), paths, [0.9, 0.1], label="doubt")
    >>> [len(lines.get_segments()) for lines in ax.collections]
    [2]
    """
    colours = picture_colours(image)
    paths = _check_paths(paths, colours.shape[:2])
    numbers = _check_values(values, len(paths), "paths")
    if not isinstance(limits, Sequence) or len(limits) != 2:
        raise TypeError(f"limits must be two numbers; got {limits!r}")
    low, high = (check_real(limit, "each of limits") for limit in limits)
    if not low < high:
        raise ValueError(f"limits must rise; got {limits}")
    if chosen is not None:
        check_integer(chosen, "chosen", 0, len(paths) - 1)
    ax = _axes(ax, (5.6, 5.0))
    ax.imshow(128 + colours.mean(axis=2) / 2, cmap="gray", vmin=0, vmax=255)
    order = np.argsort(numbers, kind="stable")
    segments = []
    for k in order:
        rows, columns = np.unravel_index(paths[k], colours.shape[:2])
        if len(rows) == 1:  # a speck, as a short line
            rows, columns = rows[[0, 0]], columns[0] + np.array([-0.5, 0.5])
        segments.append(np.stack([columns, rows], axis=1))
    part = np.clip((numbers[order] - low) / (high - low), 0, 1)
    lines = LineCollection(
        segments,
        array=numbers[order],
        cmap=PALE_TO_DARK,
        norm=Normalize(low, high),
        linewidths=1 + 2 * part,
        capstyle="round",
    )
    ax.add_collection(lines)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.colorbar(lines, ax=ax, label=label, fraction=0.046, pad=0.03)
    if chosen is not None:
        row, column = np.unravel_index(paths[chosen][len(paths[chosen]) // 2], colours.shape[:2])
        halo = [withStroke(linewidth=4, foreground="white")]
        # Towards the middle, and not far: it stays in the picture.
        side = -1 if column > colours.shape[1] / 2 else 1
        down = 1 if row < colours.shape[0] / 2 else -1
        ax.annotate(
            "asked first", (column, row), (26 * side, -22 * down), textcoords="offset points",
            ha="left" if side > 0 else "right", va="top" if down > 0 else "bottom", weight="bold",
            arrowprops={"arrowstyle": "->", "lw": 1.6, "path_effects": halo}, path_effects=halo,
        )  # fmt: skip
    ax.set(xlabel="column", ylabel="row", title=title)
    return ax


def order_curves(
    curves: Mapping[str, tuple[Any, Any]],
    *,
    ylabel: str,
    xlabel: str = "decisions",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what is left of an error after each decision, for several orders of questions.

    `curves` maps the name of each order to (clicks, values): how many decisions there were, rising,
    and the error after them, two or more of each. The legend names each order with the mean height
    of its curve.

    >>> ax = order_curves({"doubt": ([0, 2, 4], [8, 2, 0])}, ylabel="errors")
    >>> ax.get_legend().get_texts()[0].get_text()
    'doubt: 3'
    """
    if not isinstance(curves, Mapping):
        raise TypeError(f"curves must map names to curves; got {type(curves).__name__}")
    if not curves:
        raise ValueError("curves must hold one at least; got none")
    ax = _axes(ax, (5.6, 4.4))
    for k, (name, curve) in enumerate(curves.items()):
        if not isinstance(curve, Sequence) or len(curve) != 2:
            raise TypeError(f"curves must hold pairs (clicks, values); got {curve!r}")
        x, y = (np.asarray(check_reals(side, "curves"), np.float64) for side in curve)
        if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
            raise ValueError(
                f"the curve {name!r} of curves must have as many values as clicks, two or more; "
                f"got shapes {x.shape} and {y.shape}"
            )
        colour, marker = ORDER_STYLES.get(name, ("black", "."))
        mean = np.trapezoid(y, x) / (x[-1] - x[0])
        every = max(1, len(x) // 6)  # markers apart from each other, and from those of other curves
        ax.plot(
            x, y, color=colour, marker=marker, ms=6, lw=1.8, mfc="white" if marker != "x" else None,
            markevery=(k % every, every), label=f"{name}: {mean:.3g}",
        )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(color="0.9")
    ax.legend(title="order: mean height", fontsize="small", title_fontsize="small")
    return ax


def order_areas(
    tables: Mapping[str, pd.DataFrame], *, xlabel: str, against: str = "persistence"
) -> Figure:
    """Draw how good some orders are on some data sets: a panel for each, a line for each order.

    A table has a row for each order: its "area" under the curve, and ``"better than <against>"``,
    in how many images it is better than the order `against`, as `studies.orders.order_tables`
    returns it. A line leads from the area of that order, which is dashed, to the order's own sign;
    beside the sign stands in how many images it is better.

    >>> table = pd.DataFrame({"area": [2.0, 3.0], "better than persistence": [4, np.nan]},
    ...                      index=["doubt", "persistence"])
    >>> figure = order_areas({"eyes": table}, xlabel="errors")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['4']
    """
    if not isinstance(against, str):
        raise TypeError(f"against must be the name of an order; got {against!r}")
    column = f"better than {against}"
    if not isinstance(tables, Mapping):
        raise TypeError(f"tables must map names to tables; got {type(tables).__name__}")
    if not tables:
        raise ValueError("tables must hold one at least; got none")
    for name, table in tables.items():
        if not isinstance(table, pd.DataFrame):
            raise TypeError(f"tables must hold data frames; {name!r} is {type(table).__name__}")
        if against not in table.index:
            raise ValueError(
                f"against must be an order of each of tables; {name!r} has no {against!r}"
            )
        if not {"area", column} <= {*table.columns}:
            raise ValueError(
                f"each of tables must have the columns 'area' and {column!r}; {name!r} has not"
            )
    longest = max(map(len, tables.values()))
    figure = Figure(figsize=(1.6 + 3.2 * len(tables), 1.3 + 0.42 * longest), layout="constrained")
    axes = figure.subplots(1, len(tables), squeeze=False)[0]
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        middle = float(table["area"][against])
        ax.axvline(middle, color="black", lw=1, ls="--")
        for place, (order, row) in enumerate(table.iterrows()):
            colour, marker = ORDER_STYLES.get(str(order), ("black", "o"))
            ax.plot([middle, row["area"]], [place, place], color=colour, lw=2, zorder=1)
            ax.plot(row["area"], place, marker=marker, color=colour, ms=9, mec="black", mew=0.6)
            if order != against:
                ax.annotate(f"{row[column]:.0f}", (row["area"], place), (0, 7), fontsize=LEGEND,
                            textcoords="offset points", ha="center")  # fmt: skip
        labels = [str(order) for order in table.index] if ax is axes[0] else []
        ax.set_yticks(range(len(table)), labels or [""] * len(table))
        ax.set(ylim=(len(table) - 0.5, -0.8), title=name, xlabel=xlabel)
        ax.margins(x=0.12)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", color="0.88")
        ax.set_axisbelow(True)
    return figure
