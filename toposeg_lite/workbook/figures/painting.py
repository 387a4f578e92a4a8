"""Figures of masks as spaces: components and holes by name, and what metrics say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...checks import check_flag, check_integer, check_same_shape
from ...metrics import report
from ...topology.components import betti_numbers, label_components
from ...topology.grid import check_connectivity, check_mask, dual_connectivity
from .base import (
    COMPONENT,
    HOLE,
    LOWERED,
    RAISED,
    SUPERLEVEL,
    TRUTH,
    _axes,
    _check_axes,
    _check_few,
    _legend_below,
    _pixel_grid,
    _sign,
    outline,
)
from .warping import _check_pixel, mask_colours
from .words import count

__all__ = ["mask_parts", "metric_rows", "numbered_parts", "painting_summary", "part_name"]

LARGEST = 32  # pixels a side: letters in smaller pixels could not be read

METRICS = (
    ("Dice", "dice", 1),
    ("clDice", "cldice", 1),
    ("Betti error", "betti_error", 0),
    ("Betti matching error", "betti_matching_error", 0),
    ("adjusted Rand index", "adjusted_rand_index", 1),
    ("variation of information", "variation_of_information", 0),
    ("warping error", "warping_error", 0),
)


def check_small(mask: Any, name: str = "mask") -> np.ndarray:
    """Return a mask of two axes that is small enough for its pixels to be drawn with letters.

    >>> check_small([[0, 1]])
    array([[False,  True]])
    """
    return _check_few(check_mask(mask, name, ndim=2), LARGEST, name)


def numbered_parts(mask: Any, *, connectivity: int | None = None) -> np.ndarray:
    """Give numbers to the components and to the holes of a mask.

    Returned is an (H, W) array of int: 1, 2, ... for the pixels of the components, -1, -2, ... for
    those of the holes, each in reading order; 0 for background that reaches the border.

    >>> ring = [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0], [0, 1, 0, 0, 0]]
    >>> numbered_parts(ring)
    array([[ 0,  1,  0,  0,  2],
           [ 1, -1,  1,  0,  0],
           [ 0,  1,  0,  0,  0]])
    """
    mask = check_mask(mask, ndim=2)
    full = check_connectivity(connectivity, 2)
    numbers = label_components(mask, connectivity=full)[0].astype(int)
    outside, _ = label_components(~np.pad(mask, 1), connectivity=dual_connectivity(full, 2))
    holes = outside[1:-1, 1:-1] - 1  # the outside has the first pixel, so it is component 1
    return np.where(mask, numbers, -holes.clip(0))


def part_name(number: int) -> str:
    """Name a part of a mask by its number: letters for components, numbers for holes.

    A, B, ..., Z, AA, BB, ... stand for 1, 2, ...; 1, 2, ... for -1, -2, ...; nothing for 0.

    >>> [part_name(number) for number in (2, 27, -2, 0)]
    ['B', 'AA', '2', '']
    """
    check_integer(number, "number", -(2**63))
    if number <= 0:
        return str(-number) if number else ""
    return chr(ord("A") + (number - 1) % 26) * (1 + (number - 1) // 26)


def mask_parts(
    mask: Any,
    truth: Any = None,
    *,
    connectivity: int | None = None,
    pixel: Any = None,
    title: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a small mask with a letter in each pixel of a component, and a number in each of a hole.

    A mask has at most 32 pixels a side. Beside a truth, pixels of the mask alone are purple
    (false), those of the truth alone green (missing), and the truth has a sky-blue outline. `pixel`
    gets a square around it. The default title are the numbers of components and holes.

    >>> ax = mask_parts([[1, 0, 1]])
    >>> ax.get_title(), [text.get_text() for text in ax.texts]
    ('2 components, 0 holes', ['A', 'B'])
    """
    mask = check_small(mask)
    goal = mask if truth is None else check_small(truth, "truth")
    check_same_shape(mask, goal, ("mask", "truth"))
    check_flag(legend, "legend")
    if pixel is not None:
        pixel = _check_pixel(pixel, mask.shape)
    _check_axes(ax)
    numbers = numbered_parts(mask, connectivity=connectivity)
    height, width = mask.shape
    colours = mask_colours(mask, goal)
    ax = _axes(ax, (4.2, 4.4))
    ax.imshow(colours, interpolation="nearest")
    signs: list[Any] = []
    if truth is not None:
        ax.plot(*outline(goal), color=TRUTH, lw=1.6)
        for name, colour in (("right", SUPERLEVEL), ("false", LOWERED), ("missing", RAISED)):
            signs.append(_sign(name, marker="s", color=colour, ms=9, mec="0.5", mew=0.5))
        signs.append(_sign("outline of the truth", ls="-", color=TRUTH))
    size = min(11.0, max(5.0, 120 / max(height, width)))
    for (row, column), number in np.ndenumerate(numbers):
        if number:
            colour = COMPONENT if number > 0 else HOLE
            text = {"ha": "center", "va": "center", "size": size, "weight": "bold"}
            halo = [withStroke(linewidth=size / 6, foreground="white")]  # readable on every colour
            name = part_name(number)
            ax.text(column, row, name, color=colour, path_effects=halo, **text)
    for letter, name, colour in (("A", "component", COMPONENT), ("1", "hole", HOLE)):
        signs.append(_sign(name, marker=f"${letter}$", color=colour, ms=8))
    if pixel is not None:
        row, column = pixel
        box = np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
        ax.plot(column + box, row + box[[0, 0, 1, 1, 0]], color="black", lw=2.5)
        style: dict[str, Any] = {"mfc": "none", "mec": "black", "ms": 9, "mew": 1.5}
        signs.append(_sign("chosen pixel", marker="s", **style))
    step = 1 if max(height, width) <= 12 else 2 if max(height, width) <= 20 else 4
    ax.set(xticks=range(0, width, step), yticks=range(0, height, step))
    _pixel_grid(ax, mask.shape, "0.75", 0.6)
    if title is None:
        components, holes = betti_numbers(mask, connectivity=connectivity)
        title = f"{count(components, 'component')}, {count(holes, 'hole')}"
    ax.set(xlabel="column", ylabel="row", title=title)
    ax.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55))
    if legend:
        _legend_below(ax, signs, columns=4, handletextpad=0.3)
    return ax


def metric_rows(numbers: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Write the metrics of a report of `toposeg_lite.metrics` as the rows of a table.

    A row is the name of a metric, its value, the value of a perfect prediction, and whether the two
    differ: whether the metric sees a fault.

    >>> metric_rows(report([[1, 0, 1]], [[1, 1, 1]]))[2]
    ('Betti error', '1', '0', True)
    """
    if not isinstance(numbers, Mapping) or not {key for _, key, _ in METRICS} <= set(numbers):
        raise TypeError(f"numbers must be a report of toposeg_lite.metrics; got {numbers!r}")
    rows = []
    for name, key, perfect in METRICS:
        value = numbers[key]
        short = f"{value:g}" if key.startswith("betti") else f"{value:.3f}"
        rows.append((name, short, f"{perfect}", value != perfect))
    return rows


def painting_summary(
    mask: Any, truth: Any, *, connectivity: int | None = None, pixel: Any = None
) -> Figure:
    """Show a small mask with its truth, as `mask_parts` does, beside what each metric says.

    >>> figure = painting_summary([[1, 0, 1]], [[1, 1, 1]])
    >>> [ax.get_title() for ax in figure.axes]
    ['2 components, 0 holes', 'what the metrics say']
    """
    mask, truth = check_small(mask), check_small(truth, "truth")
    check_same_shape(mask, truth, ("mask", "truth"))
    figure = Figure(figsize=(9.6, 4.9))
    left = figure.add_axes((0.06, 0.23, 0.5, 0.7))
    right = figure.add_axes((0.6, 0.12, 0.39, 0.81))
    mask_parts(mask, truth, connectivity=connectivity, pixel=pixel, ax=left)
    ours, theirs = (betti_numbers(m, connectivity=connectivity) for m in (mask, truth))
    table: list[tuple[str, str, str, bool]] = [("", "painted", "truth", False)]
    for name, number, wanted in zip(("components", "holes"), ours, theirs, strict=True):
        table.append((name, str(number), str(wanted), number != wanted))
    table.append(("metric", "value", "perfect", False))
    table += metric_rows(report(mask, truth, connectivity=connectivity))
    for place, (name, value, perfect, differs) in enumerate(table):
        height, head = 0.93 - place / 11.5, place in (0, 3)
        weight = "bold" if differs else "normal"
        colour = "0.35" if head else "black"
        right.text(0.0, height, name, weight=weight, color=colour)
        right.text(0.68, height, value, ha="right", weight=weight, color=colour)
        right.text(0.71, height, "≠" if differs else "", weight="bold", color=HOLE)
        right.text(0.97, height, perfect, ha="right", color=colour)
        if head:
            right.plot([0, 0.97], [height - 0.02] * 2, color="0.5", lw=0.8)
    right.set(xlim=(0, 1), ylim=(0, 1), title="what the metrics say")
    right.axis("off")
    return figure
