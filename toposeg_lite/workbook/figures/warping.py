"""Figures of homotopy warping: two masks and what differs, and the neighbourhood of a pixel."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from skimage.measure import label

from ...checks import check_integer, check_reals, check_same_shape
from ...topology.grid import check_connectivity, check_mask
from .base import (
    COMPONENT,
    HOLE,
    LEGEND,
    LOWERED,
    RAISED,
    SUPERLEVEL,
    TRUTH,
    _axes,
    _legend_below,
    _pixel_grid,
    _rgb,
    _sign,
    outline,
)

__all__ = [
    "CRITICAL",
    "cells_around",
    "components_around",
    "links_around",
    "mask_colours",
    "mask_legend",
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
    if not all(k < n for k, n in zip(place, shape, strict=True)):
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

    >>> cells_around([[1, 0]], (0, 0))[1].tolist()
    [[187, 187, 187], [240, 228, 66], [255, 255, 255]]
    """
    cells, inside = _cells(mask, pixel)
    colours = mask_colours(cells, cells)
    colours[~inside] = _rgb(OUTSIDE)
    return colours


def components_around(mask: Any, pixel: Any, *, connectivity: int | None = None) -> np.ndarray:
    """Give numbers to the components around a pixel that touch it and decide if it is simple.

    The pixel's own value does not matter, and outside of the mask lies background. Returned is a
    (3, 3) array of int: 1, 2, ... for the foreground components of the eight cells around the
    pixel, -1, -2, ... for the background components, in reading order; 0 for cells of a component
    that does not touch the pixel, and for the pixel itself. The pixel is simple if the largest
    number is 1 and the smallest is -1.

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
    """Return the steps within the components around a pixel, which `components_around` numbered.

    Each is a pair of cells (row, column) of one component with a common side or, where its
    connectivity is 2, a corner.

    >>> links_around(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]]), 2)
    [[(0, 0), (0, 1)]]
    """
    numbers = check_reals(numbers, "numbers")
    if numbers.shape != (3, 3) or numbers.dtype.kind not in "iu":
        raise ValueError(f"numbers must be a (3, 3) array of int; got shape {numbers.shape}")
    connectivity = check_connectivity(check_integer(connectivity, "connectivity"), 2)
    links = []
    cells = [(row, column) for row, column in np.argwhere(numbers).tolist()]
    for cell, other in combinations(cells, 2):
        steps = np.abs(np.subtract(cell, other))
        most = connectivity if numbers[cell] > 0 else 3 - connectivity
        if numbers[cell] == numbers[other] and steps.max() == 1 and steps.sum() <= most:
            links.append([cell, other])
    return links


def verdict(mask: Any, pixel: Any, *, connectivity: int | None = None) -> str:
    """Say in a sentence whether a pixel is simple, and if not, what flipping it would do.

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

    Returned is an (H, W, 3) array of uint8: yellow in both, white in none, purple in the mask alone
    (to be removed), green in the target alone (to be added).

    >>> mask_colours([[1, 0]], [[1, 0]]).tolist()
    [[[240, 228, 66], [255, 255, 255]]]
    """
    mask, target = check_mask(mask, ndim=2), check_mask(target, "target", ndim=2)
    check_same_shape(mask, target, ("mask", "target"))
    palette = ("#FFFFFF", RAISED, LOWERED, SUPERLEVEL)
    return np.array([_rgb(colour) for colour in palette], np.uint8)[2 * mask + target]


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

    The target is outlined in sky blue, so that what is to be removed lies outside and what is to be
    added inside. The pixels of `critical`, a mask, carry a vermilion cross; in a mask of more than
    16 pixels a side they are vermilion, with one cross for each group. `pixel` has a square around
    it.

    >>> ax = warp_masks([[1, 1, 0]], [[0, 1, 1]], title="a bar moves")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['in both', 'to remove', 'to add', 'outline of the goal']
    """
    colours = mask_colours(mask, target)
    height, width = colours.shape[:2]
    if critical is not None:
        critical = check_mask(critical, "critical", ndim=2)
        check_same_shape(critical, colours[..., 0], ("critical", "mask"))
    if pixel is not None:
        pixel = _check_pixel(pixel, (height, width))
    ax = _axes(ax, (4.2, 4.4))
    ax.imshow(colours, interpolation="nearest")
    ax.plot(*outline(target), color=TRUTH, lw=1.4)
    small = max(height, width) <= 16
    signs = [
        _sign(name, marker="s", color=colour, ms=9, mec="0.5", mew=0.5)
        for name, colour in (("in both", SUPERLEVEL), ("to remove", LOWERED), ("to add", RAISED))
    ]
    signs.append(_sign("outline of the goal", ls="-", color=TRUTH))
    if critical is not None:
        # In a large mask crosses in a row would melt into a bar: one for each group is enough.
        rows, columns = np.nonzero(critical) if small else _middles(critical)
        if not small:
            layer = np.ma.masked_where(~critical, critical)
            ax.imshow(layer, cmap=ListedColormap([CRITICAL]), interpolation="nearest")
        style: dict[str, Any] = {"marker": "X", "color": CRITICAL, "mec": "black"}
        ax.plot(columns, rows, ls="", ms=13 if small else 10, mew=0.8, **style)
        signs.append(_sign("critical", ms=8, **style))
    if pixel is not None:
        row, column = pixel
        style = {"marker": "s", "mfc": "none", "mec": "black"}
        ax.plot(column, row, ls="", ms=30 if small else 13, mew=2, **style)
        signs.append(_sign("chosen pixel", ms=9, mew=1.5, **style))
    if small:
        ax.set(xticks=range(width), yticks=range(height))
        _pixel_grid(ax, (height, width), "0.75", 0.6)
    ax.set(xlabel="column", ylabel="row", title=title)
    ax.set(xlim=(-0.55, width - 0.45), ylim=(height - 0.45, -0.55))
    # A wide mask is too low for a share of its height, so the legend keeps a distance in letters.
    _legend_below(ax, signs, below=0, borderaxespad=3.4, columns=2, labelspacing=0.25)
    return ax


def _middles(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of one pixel of each group, the nearest to the group's middle."""
    groups = label(mask, connectivity=2)
    places = []
    for number in range(1, groups.max() + 1):
        pixels = np.argwhere(groups == number)
        away = ((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1)
        places.append(pixels[away.argmin()])
    rows, columns = np.array(places, int).reshape(-1, 2).T
    return rows, columns


def mask_legend(figure: Figure) -> None:
    """Explain the colours of `mask_colours` below a figure: in both, in one of the two.

    >>> figure = Figure()
    >>> mask_legend(figure)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['in both', 'missing: in the truth only', 'false: in the prediction only']
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure; got {type(figure).__name__}")
    names = ("in both", "missing: in the truth only", "false: in the prediction only")
    colours = (SUPERLEVEL, RAISED, LOWERED)
    signs = [
        _sign(name, marker="s", color=colour, ms=9, mec="0.5", mew=0.5)
        for name, colour in zip(names, colours, strict=True)
    ]
    constrained = figure.get_layout_engine() is not None
    place: Any = "outside lower center" if constrained else "lower center"
    figure.legend(handles=signs, loc=place, ncols=3, frameon=False, fontsize=LEGEND)


def neighbourhood(
    mask: Any,
    pixel: Any,
    *,
    connectivity: int | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the 3x3 neighbourhood of a pixel with the components that decide if it is simple.

    Yellow cells are foreground, white ones background, grey ones lie outside the image. Of the
    components that touch the pixel p in the middle, blue circles A, B, ... are foreground and
    vermilion triangles 1, 2, ... background; lines are the steps within them. The default title is
    the place of the pixel and the verdict.

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
    _pixel_grid(ax, (3, 3), "0.6")
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

    The parameters are those of `warp_masks`, over which `title` is written, and `neighbourhood`.

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
    signs = [
        _sign("foreground", marker="s", ms=9, mec="0.5", color=SUPERLEVEL),
        _sign("A, B: its components", ls="-", marker="o", ms=9, color=COMPONENT),
        _sign("background", marker="s", ms=9, mec="0.5", color="white"),
        _sign("1, 2: its components", ls="-", marker="^", ms=9, color=HOLE),
    ]
    _legend_below(right, signs, below=0.02, columns=2, handletextpad=0.8)
    return figure
