"""Figures of homotopy warping: two masks and what differs, and the neighbourhood of a pixel."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from skimage.measure import label

from ..checks import check_integer, check_same_shape
from ..topology.grid import check_connectivity, check_mask
from .base import (
    COMPONENT,
    HOLE,
    LOWERED,
    RAISED,
    SUPERLEVEL,
    TRUTH,
    _axes,
    _legend_below,
)
from .gradient import outline

__all__ = [
    "CRITICAL",
    "cells_around",
    "components_around",
    "links_around",
    "mask_colours",
    "neighbourhood",
    "verdict",
    "warp_masks",
    "warp_step",
]

CRITICAL = "#D55E00"  # vermilion

OUTSIDE = "#BBBBBB"  # grey: cells beyond the border


def _check_pixel(pixel: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """Refuse what is not a (row, column) inside an image of this shape."""
    try:
        row, column = pixel
    except (TypeError, ValueError):
        raise TypeError(f"pixel must be a pair (row, column); got {pixel!r}") from None
    place = (check_integer(row, "pixel row"), check_integer(column, "pixel column"))
    if not all(0 <= k < n for k, n in zip(place, shape, strict=True)):
        raise ValueError(f"pixel must lie in an image of shape {shape}; got {place}")
    return place


def _cells(mask: Any, pixel: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the 3x3 cells around a pixel, and which of them lie inside the image."""
    mask = check_mask(mask, ndim=2)
    row, column = _check_pixel(pixel, mask.shape)
    around = np.s_[row : row + 3, column : column + 3]
    return np.pad(mask, 1)[around], np.pad(np.ones(mask.shape, bool), 1)[around]


def cells_around(mask: Any, pixel: Any) -> np.ndarray:
    """Colour the nine cells around a pixel: yellow foreground, white background, grey outside.

    Parameters
    ----------
    mask, pixel
        As for `components_around`.

    Returns
    -------
    (3, 3, 3) array of uint8

    Raises
    ------
    TypeError, ValueError
        As for `components_around`.

    Examples
    --------
    >>> cells_around([[1, 0]], (0, 0))[1].tolist()
    [[187, 187, 187], [240, 228, 66], [255, 255, 255]]
    """
    cells, inside = _cells(mask, pixel)
    colours = mask_colours(cells, cells)
    colours[~inside] = [int(OUTSIDE[k : k + 2], 16) for k in (1, 3, 5)]
    return colours


def components_around(mask: Any, pixel: Any, *, connectivity: int | None = None) -> np.ndarray:
    """Give numbers to the components around a pixel that touch it and decide if it is simple.

    Parameters
    ----------
    mask : (H, W) array of bool, or of 0 and 1
        True is foreground. Outside lies background.
    pixel : (int, int)
        Row and column. Its own value does not matter.
    connectivity : int, optional
        Of the foreground: 1 for 4 neighbours, 2 for 8 (default). The background has the dual.

    Returns
    -------
    (3, 3) array of int
        1, 2, ... for the foreground components of the eight cells around the pixel, -1, -2, ... for
        the background components, in reading order; 0 for cells of a component that does not touch
        the pixel, and for the pixel itself. The pixel is simple if the largest number is 1 and the
        smallest is -1.

    Raises
    ------
    TypeError, ValueError
        If `mask` is no mask, `pixel` lies outside it, or `connectivity` is neither 1 nor 2.

    Examples
    --------
    The pixel in the gap of a line touches two foreground and two background components:

    >>> components_around([[0, 0, 0], [1, 0, 1], [0, 0, 0]], (1, 1))
    array([[-1, -1, -1],
           [ 1,  0,  2],
           [-2, -2, -2]])
    """
    full = check_connectivity(connectivity, 2)
    cells, _ = _cells(mask, pixel)
    numbers = np.zeros((3, 3), int)
    for sign, some, steps in ((1, cells, full), (-1, ~cells, 3 - full)):
        ring = some.copy()
        ring[1, 1] = False
        labels = label(ring, connectivity=steps)
        near = labels if steps == 2 else labels[[0, 1, 1, 2], [1, 0, 2, 1]]
        for number, touching in enumerate(np.unique(near[near > 0]), 1):
            numbers[labels == touching] = sign * number
    return numbers


def links_around(numbers: np.ndarray, connectivity: int) -> list[list[tuple[int, int]]]:
    """Return the steps within the components around a pixel: pairs of cells that are neighbours.

    Parameters
    ----------
    numbers : (3, 3) array of int
        What `components_around` returned.
    connectivity : int
        Of the foreground, as given there.

    Returns
    -------
    list of [(row, column), (row, column)]
        Cells of one component with a common side or, where its connectivity is 2, a corner.

    Examples
    --------
    >>> links_around(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]]), 2)
    [[(0, 0), (0, 1)]]
    """
    found = []
    for one, two in combinations(map(tuple, np.argwhere(numbers)), 2):
        steps = np.abs(np.subtract(one, two))
        most = connectivity if numbers[one] > 0 else 3 - connectivity
        if numbers[one] == numbers[two] and steps.max() == 1 and steps.sum() <= most:
            found.append([(int(r), int(c)) for r, c in (one, two)])
    return found


def verdict(mask: Any, pixel: Any, *, connectivity: int | None = None) -> str:
    """Say in words whether a pixel is simple, and if not, what flipping it would do.

    Parameters
    ----------
    mask, pixel, connectivity
        As for `components_around`.

    Returns
    -------
    str
        A sentence.

    Raises
    ------
    TypeError, ValueError
        As for `components_around`.

    Examples
    --------
    >>> verdict([[0, 0, 0], [1, 0, 1], [0, 0, 0]], (1, 1))
    'Not simple: 2 foreground and 2 background components touch it; adding it joins parts.'
    """
    numbers = components_around(mask, pixel, connectivity=connectivity)
    inside, outside = int(numbers.max()), -int(numbers.min())
    if inside == outside == 1:
        return "Simple: 1 foreground and 1 background component touch it."
    flips = "removing" if _cells(mask, pixel)[0][1, 1] else "adding"
    if inside == 0:
        why = {"adding": "makes a component", "removing": "deletes a component"}
    elif outside == 0:
        why = {"adding": "fills a hole", "removing": "opens a hole"}
    else:
        why = {"adding": "joins parts", "removing": "parts what it joins"}
    counts = f"{inside} foreground and {outside} background components touch it"
    return f"Not simple: {counts}; {flips} it {why[flips]}."


def mask_colours(mask: Any, target: Any) -> np.ndarray:
    """Colour every pixel by its value in a mask and in the target that the mask is to approach.

    Parameters
    ----------
    mask, target : (H, W) arrays of bool, or of 0 and 1
        Two masks of the same shape.

    Returns
    -------
    (H, W, 3) array of uint8
        Yellow in both, white in none, purple in the mask alone (to be removed), green in the target
        alone (to be added).

    Raises
    ------
    TypeError, ValueError
        If one of them is no mask, or their shapes differ.

    Examples
    --------
    >>> mask_colours([[1, 0]], [[1, 0]]).tolist()
    [[[240, 228, 66], [255, 255, 255]]]
    """
    mask, target = check_mask(mask, ndim=2), check_mask(target, "target", ndim=2)
    check_same_shape(mask, target, ("mask", "target"))
    palette = ("#FFFFFF", RAISED, LOWERED, SUPERLEVEL)
    values = [[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in palette]
    return np.array(values, np.uint8)[2 * mask + target]


def warp_masks(
    mask: Any,
    target: Any,
    *,
    critical: Any = None,
    pixel: Any = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show a mask on its way to a target: what is common, what is to be added and removed.

    Parameters
    ----------
    mask : (H, W) array of bool, or of 0 and 1
        The mask at present.
    target : array like `mask`
        Where it goes; its outline is drawn in sky blue, so that what is to be removed lies outside
        and what is to be added inside.
    critical : array like `mask`, optional
        Pixels to mark with a vermilion cross.
    pixel : (int, int), optional
        Row and column of a pixel to put a square around.
    title : str
        Written above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If one of the three is no mask, their shapes differ, or `pixel` lies outside.

    Examples
    --------
    >>> ax = warp_masks([[1, 1, 0]], [[0, 1, 1]], title="a bar moves")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['in both', 'to remove', 'to add', 'outline of the goal']
    """
    colours = mask_colours(mask, target)
    height, width = colours.shape[:2]
    ax = _axes(ax, (4.2, 4.4))
    ax.imshow(colours, interpolation="nearest")
    ax.plot(*outline(target), color=TRUTH, lw=1.4)
    small = max(height, width) <= 16
    signs: list[Any] = [
        Line2D([], [], ls="", marker="s", ms=9, mec="0.5", mew=0.5, color=colour, label=name)
        for name, colour in (("in both", SUPERLEVEL), ("to remove", LOWERED), ("to add", RAISED))
    ]
    signs.append(Line2D([], [], color=TRUTH, label="outline of the goal"))
    if critical is not None:
        marked = check_mask(critical, "critical", ndim=2)
        check_same_shape(marked, colours[..., 0], ("critical", "mask"))
        rows, columns = np.nonzero(marked)
        size = min(13.0, max(3.5, 300 / max(height, width)))
        style: dict[str, Any] = {"marker": "X", "color": CRITICAL, "mec": "black"}
        ax.plot(columns, rows, ls="", ms=size, mew=0.5, **style)
        signs.append(Line2D([], [], ls="", ms=8, label="critical", **style))
    if pixel is not None:
        row, column = _check_pixel(pixel, (height, width))
        style = {"marker": "s", "mfc": "none", "mec": "black", "ls": ""}
        ax.plot(column, row, ms=30 if small else 13, mew=2, **style)
        signs.append(Line2D([], [], ms=9, mew=1.5, label="chosen pixel", **style))
    if small:
        ax.set(xticks=range(width), yticks=range(height))
        ax.set_xticks(np.arange(width + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(height + 1) - 0.5, minor=True)
        ax.grid(which="minor", color="0.75", lw=0.6)
        ax.tick_params(which="both", length=0)
    ax.set(xlabel="column", ylabel="row", title=title)
    ax.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55))
    _legend_below(ax, signs)
    below = ax.get_legend()
    assert below is not None  # it was made in the line before
    below.set_bbox_to_anchor((0.5, 0.0))
    below.borderaxespad = 3.7  # in letters: a wide mask is too low for a share of its height
    return ax


def neighbourhood(
    mask: Any,
    pixel: Any,
    *,
    connectivity: int | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the 3x3 neighbourhood of a pixel with the components that decide if it is simple.

    Parameters
    ----------
    mask, pixel, connectivity
        As for `components_around`.
    title : str, optional
        Written above. Default: the place of the pixel and the verdict.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Yellow cells are foreground, white ones background, grey ones lie outside the image. Blue
        circles A, B, ... are foreground components that touch the pixel p in the middle, vermilion
        triangles 1, 2, ... background components that touch it; lines are the steps within them.

    Raises
    ------
    TypeError, ValueError
        As for `components_around`.

    Examples
    --------
    >>> ax = neighbourhood([[0, 0, 0], [1, 0, 1], [0, 0, 0]], (1, 1))
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '1', 'A', 'p', 'B', '2', '2', '2']
    """
    full = check_connectivity(connectivity, 2)
    numbers = components_around(mask, pixel, connectivity=full)
    ax = _axes(ax, (2.8, 3.0))
    ax.imshow(cells_around(mask, pixel))
    for (r1, c1), (r2, c2) in links_around(numbers, full):
        colour = COMPONENT if numbers[r1, c1] > 0 else HOLE
        ax.plot([c1, c2], [r1, r2], color=colour, lw=3)
    for (r, c), number in np.ndenumerate(numbers):
        if (r, c) == (1, 1):
            ax.text(c, r, "p", ha="center", va="center", fontsize=15, style="italic")
        elif number:
            marker, colour = ("o", COMPONENT) if number > 0 else ("^", HOLE)
            ax.plot(c, r, marker=marker, ms=19, color=colour, mec="white")
            name = "ABCD"[number - 1] if number > 0 else str(-number)
            lower = 0 if number > 0 else 0.05  # a triangle is widest below its middle
            style: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold"}
            ax.text(c, r + lower, name, color="white", **style)
    if title is None:
        answer = verdict(mask, pixel, connectivity=full).split(":")[0].lower()
        title = f"row {pixel[0]}, column {pixel[1]}: {answer}"
    ax.set(xticks=[], yticks=[], title=title)
    ax.set_xticks(np.arange(4) - 0.5, minor=True)
    ax.set_yticks(np.arange(4) - 0.5, minor=True)
    ax.grid(which="minor", color="0.6")
    ax.tick_params(which="both", length=0)
    ax.plot([0.5, 1.5, 1.5, 0.5, 0.5], [0.5, 0.5, 1.5, 1.5, 0.5], color="black", lw=2)
    return ax


def warp_step(
    mask: Any,
    target: Any,
    pixel: Any,
    *,
    critical: Any = None,
    connectivity: int | None = None,
    title: str = "",
) -> Figure:
    """Show one step of a warp: the mask beside its target, and the neighbourhood of a pixel.

    Parameters
    ----------
    mask, target, critical, pixel
        As for `warp_masks`.
    connectivity : int, optional
        Of the foreground: 1 for 4 neighbours, 2 for 8 (default).
    title : str
        Written above the masks.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        As for `warp_masks` and `components_around`.

    Examples
    --------
    >>> figure = warp_step([[1, 1, 0]], [[0, 1, 1]], (0, 2), title="before")
    >>> [ax.get_title() for ax in figure.axes]
    ['before', 'row 0, column 2: simple']
    """
    mask = check_mask(mask, ndim=2)
    figure = Figure(figsize=(9.4, 5.2))
    left = figure.add_axes((0.07, 0.21, 0.47, 0.72))
    right = figure.add_axes((0.62, 0.27, 0.36, 0.62))
    warp_masks(mask, target, critical=critical, pixel=pixel, title=title, ax=left)
    neighbourhood(mask, pixel, connectivity=connectivity, ax=right)
    signs: list[Any] = [
        Line2D([], [], ls="", marker="s", ms=9, mec="0.5", color=SUPERLEVEL, label="foreground"),
        Line2D([], [], marker="o", ms=9, color=COMPONENT, label="A, B: its components"),
        Line2D([], [], ls="", marker="s", ms=9, mec="0.5", color="white", label="background"),
        Line2D([], [], marker="^", ms=9, color=HOLE, label="1, 2: its components"),
    ]
    right.legend(
        handles=signs, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2,
        fontsize="small", frameon=False, columnspacing=1,
    )  # fmt: skip
    return figure
