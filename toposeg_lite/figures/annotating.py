"""Figures of annotating in a good order: branches by a number, curves of errors, areas compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke

from .annotation import picture_colours
from .base import _axes

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

    Parameters
    ----------
    image : (H, W) or (channels, H, W) array
        As for `picture_colours`; shown pale.
    paths : sequence of int arrays
        Flat indices of the pixels of each branch, as in `BranchSet.paths`.
    values : (n,) array of float
        One for each branch. High values are drawn wide, dark and last, low ones thin and bright.
    label : str
        What the values are: written at the bar of colours.
    limits : (float, float)
        The values at the ends of that bar.
    chosen : int, optional
        A branch to point at with an arrow.
    title : str
        Written above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is not one finite value for each path, the limits do not rise, or there is no
        branch `chosen`.

    Examples
    --------
    >>> paths = [np.array([0, 4, 8]), np.array([2])]
    >>> ax = branches_by_value(np.eye(3), paths, [0.9, 0.1], label="doubt")
    >>> [len(lines.get_segments()) for lines in ax.collections]
    [2]
    """
    colours = picture_colours(image)
    numbers = np.asarray(values, np.float64)
    if numbers.shape != (len(paths),) or not np.isfinite(numbers).all():
        raise ValueError(
            f"values must hold a finite number for each of the {len(paths)} paths; "
            f"got shape {numbers.shape}"
        )
    low, high = limits
    if not low < high:
        raise ValueError(f"limits must rise; got {limits}")
    if chosen is not None and not 0 <= chosen < len(paths):
        raise ValueError(f"chosen must be a branch from 0 to {len(paths) - 1}; got {chosen}")
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
        cmap="viridis_r",
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
        ax.annotate(
            "asked first", (column, row), (0.5, 0.04), textcoords="axes fraction", ha="center",
            arrowprops={"arrowstyle": "->", "lw": 1.6}, path_effects=halo,
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

    Parameters
    ----------
    curves : mapping of str to (clicks, values)
        For the name of each order how many decisions there were, rising, and the error after them.
    ylabel, xlabel, title : str
        Written at the axes and above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        The legend names each order with the mean height of its curve.

    Raises
    ------
    ValueError
        If there is no curve, or one has not as many values as clicks, two or more.

    Examples
    --------
    >>> ax = order_curves({"doubt": ([0, 2, 4], [8, 2, 0])}, ylabel="errors")
    >>> ax.get_legend().get_texts()[0].get_text()
    'doubt: 3'
    """
    if not curves:
        raise ValueError("curves must hold one at least; got none")
    ax = _axes(ax, (5.6, 4.4))
    for k, (name, (clicks, values)) in enumerate(curves.items()):
        x, y = np.asarray(clicks, np.float64), np.asarray(values, np.float64)
        if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
            raise ValueError(
                f"the curve {name!r} must have as many values as clicks, two or more; "
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
    areas: Mapping[str, Sequence[float]],
    *,
    control: str = "random",
    xlabel: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the areas of several orders, image by image, in parts of those of one of them.

    Parameters
    ----------
    areas : mapping of str to sequence of float
        For the name of each order the area of each image, in the same sequence of images.
    control : str
        The order by whose areas, above zero, the others are divided.
    xlabel, title : str
        Written below and above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        A row for each order but the control: a sign for each image, and a bar at their mean.

    Raises
    ------
    ValueError
        If `control` is not among the orders, they have not the same number of images, or an area of
        the control is not above zero.

    Examples
    --------
    >>> ax = order_areas({"doubt": [1.0, 3.0], "random": [2.0, 4.0]})
    >>> ax.lines[1].get_xdata().tolist()
    [0.5, 0.75]
    """
    if control not in areas:
        raise ValueError(f"control must be one of {', '.join(areas)}; got {control!r}")
    base = np.asarray(areas[control], np.float64)
    if base.ndim != 1 or not (base > 0).all():
        raise ValueError(f"the areas of {control!r} must be numbers above zero; got {base}")
    names = [name for name in areas if name != control]
    ax = _axes(ax, (5.6, 0.5 * len(names) + 1.4))
    ax.axvline(1, color="0.4", ls="--", lw=1.2)
    for row, name in enumerate(names):
        values = np.asarray(areas[name], np.float64)
        if values.shape != base.shape:
            raise ValueError(
                f"each order must have an area for each image: {control!r} has {base.shape}, "
                f"{name!r} has {values.shape}"
            )
        colour, marker = ORDER_STYLES.get(name, ("black", "."))
        rows = row + np.linspace(-0.16, 0.16, len(values))
        ax.plot(values / base, rows, color=colour, marker=marker, ms=6, ls="", mfc="none", mew=1.4)
        ax.plot([np.mean(values / base)] * 2, [row - 0.36, row + 0.36], color="black", lw=2.5)
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel=xlabel, title=title)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="x", color="0.9")
    return ax
