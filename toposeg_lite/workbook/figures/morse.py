"""Figures of the discrete Morse complex: gradient field, skeleton, branches, profiles, patches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...checks import check_fraction, check_integer, check_reals, check_same_shape
from ...topology.grid import check_image
from ...topology.morse import MorseComplex, Skeleton
from .base import (
    COMPONENT,
    HOLE,
    _axes,
    _borders,
    _check_paths,
    _check_shape,
    _dots,
    _grey,
    _legend_below,
    _ring,
    _sign,
    pixel_values,
)

__all__ = [
    "CUT",
    "SKELETON",
    "MorseView",
    "count_parts",
    "gradient_field",
    "image_with_patches",
    "lonely_peaks",
    "morse_summary",
    "morse_view",
    "path_lines",
]

SKELETON = "#E69F00"  # orange
CUT = "#CC79A7"  # reddish purple
PEAK: dict[str, Any] = {"marker": "o", "color": COMPONENT, "mec": "black", "ms": 8}
PASS: dict[str, Any] = {"marker": "s", "color": "white", "mec": "black", "ms": 7, "mew": 1.5}

Pixel = tuple[int, int]


# --- Small images ----------------------------------------------------------------------------


def gradient_field(
    image: Any,
    arrows: Iterable[tuple[Pixel, Pixel]],
    critical: Iterable[tuple[Pixel, Pixel]] = (),
    *,
    pits: Iterable[Pixel] = (),
    title: str = "",
    mask: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a discrete gradient field over the numbers of a small image.

    The image has at most 12 pixels a side; the pixels of `mask`, for instance a skeleton, are
    yellow. `arrows` and `critical` are pairs of neighbouring pixels. Arrows are black, or pale from
    pixels of value 0, and lead from the first to the second; pixels from which none starts are
    peaks and get a blue circle. Critical edges are thick, vermilion and dashed. `pits`, where holes
    are filled, get a vermilion square.

    >>> ax = gradient_field([[0.9, 0.1, 0.6]], [((0, 1), (0, 0))], [((0, 1), (0, 2))])
    >>> len(ax.patches), len(ax.lines)  # two peaks, one critical edge
    (2, 1)
    """
    array = check_image(image, ndim=2)
    black, thick = _edges(arrows, array.shape, "arrows"), _edges(critical, array.shape, "critical")
    holes = _pixels(pits, array.shape, "pits")
    ax = pixel_values(array, title=title, mask=mask, ax=ax)
    for start, stop in thick:
        rows, columns = np.transpose([start + 0.27 * (stop - start), stop - 0.27 * (stop - start)])
        ax.plot(columns, rows, color=HOLE, lw=3.5, ls=(0, (1.2, 0.7)))
    style = {"arrowstyle": "-|>", "color": "black", "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    for start, stop in black:
        # Where nothing is, arrows lead somewhere, too; they are there to be complete.
        style |= {"color": "black" if array[tuple(start)] > 0 else "0.78"}
        tail, head = start + 0.27 * (stop - start), stop - 0.27 * (stop - start)
        ax.annotate("", xy=tuple(head[::-1]), xytext=tuple(tail[::-1]), arrowprops=style)
    for p in set(np.ndindex(array.shape)) - {tuple(start.tolist()) for start, _ in black}:
        ax.add_patch(Circle((p[1], p[0]), 0.36, fill=False, ec=COMPONENT, lw=2.2))
    for row, column in holes:
        corner = (column - 0.26, row - 0.26)
        ax.add_patch(Rectangle(corner, 0.52, 0.52, fill=False, ec=HOLE, lw=2.2))
    return ax


def _pixels(pixels: Any, shape: tuple[int, ...], name: str) -> list[tuple[int, int]]:
    """Return pixels of an image, or refuse them."""
    if not isinstance(pixels, Iterable):
        raise TypeError(f"{name} must hold pixels (row, column); got {pixels!r}")
    found = []
    for pixel in pixels:
        place = np.asarray(pixel)
        if place.shape != (2,) or place.dtype.kind not in "iu":
            raise TypeError(f"{name} must hold pixels (row, column); got {pixel!r}")
        if (place < 0).any() or (place >= shape).any():
            raise ValueError(f"{name} must lie in the image of shape {shape}; got {pixel}")
        found.append((int(place[0]), int(place[1])))
    return found


def _edges(pairs: Any, shape: tuple[int, ...], name: str) -> list[np.ndarray]:
    """Return pairs of neighbouring pixels as edges, or refuse them."""
    if not isinstance(pairs, Iterable):
        raise TypeError(f"{name} must hold pairs of pixels; got {pairs!r}")
    return [_edge(pair, shape, name) for pair in pairs]


def _edge(pair: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return an edge as an array of two pixels, or refuse it."""
    edge = np.asarray(pair)
    if edge.shape != (2, 2) or edge.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold pairs of pixels ((row, column), (row, column)); {pair}")
    inside = (edge >= 0).all() and (edge < shape).all()
    if not inside or np.abs(edge[0] - edge[1]).max() != 1:
        raise ValueError(f"{name} must join neighbouring pixels of the image; got {pair}")
    return edge


# --- Branches at two thresholds ---------------------------------------------------------------


class MorseView(NamedTuple):
    """The branches of an image at two thresholds, and one of them in detail; see `morse_view`.

    Attributes
    ----------
    persistence, saddle_value : (n,) arrays of float
        Of the branches above the threshold of persistence, the most persistent first.
    dimension : (n,) array of int8
        0 where a branch joins, 1 where it closes a loop.
    kept : (n,) array of bool
        Which of them the saddle level leaves.
    path : (m,) array of int64
        The pixels of the marked branch as flat indices; empty if none is marked. Of a branch that
        is cut, the path it had before.
    along : (m,) array of float64
        How far each pixel lies along the path; a diagonal step counts as the root of two.
    height : (m,) array of float64
        The image along the path.
    low : int
        The position of the pass in the path, -1 if none is marked.
    """

    persistence: np.ndarray
    saddle_value: np.ndarray
    dimension: np.ndarray
    kept: np.ndarray
    path: np.ndarray
    along: np.ndarray
    height: np.ndarray
    low: int


def morse_view(
    image: Any,
    complex_: MorseComplex,
    *,
    min_persistence: float = 0.0,
    saddle_level: float = 0.0,
    selected: int | None = None,
) -> MorseView:
    """Look at the branches of an image at two thresholds.

    `selected` is the position of a branch among those above `min_persistence`, the most persistent
    first.

    >>> from toposeg_lite.topology import morse_complex
    >>> image = [[0.9, 0.2, 0.7, 0.6, 0.7]]
    >>> view = morse_view(image, morse_complex(image), saddle_level=0.4, selected=0)
    >>> view.kept, view.path, view.low
    (array([False,  True]), array([0, 1, 2]), 1)
    """
    array = check_image(image, ndim=2)
    _check_complex(complex_, array)
    check_fraction(min_persistence, "min_persistence")
    check_fraction(saddle_level, "saddle_level")
    shown = complex_.branches(min_persistence)
    kept = shown.saddle_value >= saddle_level
    path, low = np.zeros(0, np.int64), -1
    if selected is not None:
        branches, k = shown, check_integer(selected, "selected", 0, len(shown) - 1)
        if kept[k]:
            branches, k = complex_.branches(min_persistence, saddle_level), int(kept[:k].sum())
        path = branches.paths[k]
        low = int(np.flatnonzero(path == branches.saddle[k])[0])
    rows, columns = np.unravel_index(path, array.shape)
    steps = np.hypot(np.diff(rows), np.diff(columns))
    along = np.concatenate([[0.0], np.cumsum(steps)])[: len(path)]
    height = array.ravel()[path].astype(np.float64)
    return MorseView(
        shown.persistence, shown.saddle_value, shown.dimension, kept, path, along, height, low
    )


def _check_complex(complex_: Any, image: np.ndarray) -> None:
    """Refuse what `morse_complex` did not make of an image or volume of this shape."""
    if not isinstance(complex_, MorseComplex):
        raise TypeError(f"complex_ must be made by morse_complex; got {type(complex_).__name__}")
    if complex_.shape != image.shape:
        raise ValueError(f"complex_ must be of the image {image.shape}; got one {complex_.shape}")


def _check_skeleton(skeleton: Any) -> None:
    if not isinstance(skeleton, Skeleton):
        raise TypeError(f"skeleton must be a Skeleton; got {type(skeleton).__name__}")


def count_parts(skeleton: Skeleton) -> int:
    """Count the connected parts of a skeleton's graph.

    Paths that run side by side without being joined are parts of their own, although their pixels
    touch.

    >>> from toposeg_lite.topology import morse_complex
    >>> complex_ = morse_complex([[0.9, 0.2, 0.7]])
    >>> count_parts(complex_.skeleton()), count_parts(complex_.skeleton(saddle_level=0.5))
    (1, 2)
    """
    _check_skeleton(skeleton)
    count = len(skeleton.nodes)
    links = (np.ones(len(skeleton.edges)), tuple(skeleton.edges.T))
    return int(connected_components(coo_array(links, (count, count)), directed=False)[0])


def path_lines(paths: Sequence[np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Return paths of flat indices in an image or volume of that shape as lines to plot.

    Returned are x and y as float32, columns and rows with NaN after each path; of a volume x, y and
    z, its slices.

    >>> x, y = path_lines([np.array([0, 4]), np.array([2])], (2, 3))
    >>> x.tolist(), y.tolist()
    ([0.0, 1.0, nan, 2.0, nan], [0.0, 1.0, nan, 0.0, nan])
    """
    shape = _check_shape(shape)
    paths = _check_paths(paths, shape)
    if not len(paths):
        return (np.zeros(0, np.float32),) * len(shape)
    ends = np.cumsum([len(path) for path in paths])
    places = np.unravel_index(np.concatenate(paths), shape)
    return tuple(np.insert(axis.astype(np.float32), ends, np.nan) for axis in reversed(places))


def lonely_peaks(skeleton: Skeleton) -> tuple[np.ndarray, ...]:
    """Return the peaks of a skeleton that no path leads to, as `path_lines` returns paths.

    >>> from toposeg_lite.topology import morse_complex
    >>> skeleton = morse_complex([[[0.9, 0.2, 0.7]]]).skeleton(saddle_level=0.5)
    >>> [axis.tolist() for axis in lonely_peaks(skeleton)]
    [[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    """
    _check_skeleton(skeleton)
    lonely = np.setdiff1d(np.arange(len(skeleton.nodes)), skeleton.edges)
    places = np.unravel_index(skeleton.nodes[lonely], skeleton.mask.shape)
    return tuple(axis.astype(np.float32) for axis in reversed(places))


# --- Panels ----------------------------------------------------------------------------------


def morse_summary(
    image: Any,
    complex_: MorseComplex,
    *,
    min_persistence: float = 0.0,
    saddle_level: float = 0.0,
    selected: int | None = None,
) -> Figure:
    """Show skeleton, branches and one branch's profile at two thresholds.

    The selected branch is marked in all three parts.

    >>> from toposeg_lite.topology import morse_complex
    >>> image = [[0.9, 0.2, 0.7]]
    >>> len(morse_summary(image, morse_complex(image), selected=0).axes)
    3
    """
    array = check_image(image, ndim=2)
    levels: dict[str, Any] = {"min_persistence": min_persistence, "saddle_level": saddle_level}
    view = morse_view(array, complex_, **levels, selected=selected)
    figure = Figure(figsize=(11, 5.9))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1], left=0.05, right=0.985, bottom=0.13,
                               top=0.94, wspace=0.17, hspace=0.45)  # fmt: skip
    left = figure.add_subplot(grid[:, 0])
    upper, lower = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    _grey(left, array, "likelihood and skeleton")
    left.set_xlabel("column", labelpad=1)
    _draw_skeleton(left, complex_, view, **levels, selected=selected)
    _draw_branches(upper, view, **levels, selected=selected)
    _draw_profile(lower, view, saddle_level)
    return figure


def _draw_skeleton(
    ax: Axes,
    complex_: MorseComplex,
    view: MorseView,
    *,
    min_persistence: float,
    saddle_level: float,
    selected: int | None,
) -> None:
    """Draw the skeleton in orange, and dashed in purple what the saddle level takes from it.

    A selected branch is thick, with its pass as a white square and its ends as blue circles.
    """
    signs: list[Any] = [_sign("skeleton", ls="-", color=SKELETON, lw=2)]
    if saddle_level > 0:
        x, y = path_lines(complex_.skeleton(min_persistence).paths, complex_.shape)
        ax.plot(x, y, color=CUT, lw=1.8, ls=(0, (2, 1)))
        signs.append(_sign("cut by the saddle level", ls=(0, (2, 1)), color=CUT, lw=1.8))
    skeleton = complex_.skeleton(min_persistence, saddle_level)
    ax.plot(*path_lines(skeleton.paths, complex_.shape), color=SKELETON, lw=1.4)
    ax.plot(*lonely_peaks(skeleton), ".", color=SKELETON, ms=4)
    if selected is not None:
        rows, columns = np.unravel_index(view.path, complex_.shape)
        ax.plot(columns, rows, color="black", lw=4)
        ax.plot(columns, rows, color="white", lw=2, ls="-" if view.kept[selected] else (0, (1, 1)))
        for place, name, style in (([0, -1], "peaks", PEAK), ([view.low], "pass", PASS)):
            signs += ax.plot(columns[place], rows[place], ls="", zorder=3, label=name, **style)
    _legend_below(ax, signs, below=0.085, columns=4, handletextpad=0.4)


def _draw_branches(
    ax: Axes,
    view: MorseView,
    *,
    min_persistence: float,
    saddle_level: float,
    selected: int | None,
) -> None:
    """Draw each branch as a dot: its persistence to the right, the value of its pass upwards.

    The thresholds are dashed lines; dots above `saddle_level` are kept and filled, and a selected
    one has a ring. A branch that joins lies on or below the grey line from (0, 1) to (1, 0): the
    peak that dies at it is as high as pass and persistence together.
    """
    ax.plot([0, 1], [1, 0], color="0.7", lw=1)
    ax.axvline(min_persistence, color="black", ls="--", lw=1)
    ax.axhline(saddle_level, color="black", ls="--", lw=1)
    signs: list[Any] = []
    for dimension, colour, marker in ((0, COMPONENT, "o"), (1, HOLE, "^")):
        kind = view.dimension == dimension
        x, y, style = view.persistence[kind], view.saddle_value[kind], {"ms": 5, "alpha": 0.8}
        _dots(ax, x, y, view.kept[kind], marker=marker, colour=colour, **style)
        name = f"{kind.sum()} {'joins' if dimension == 0 else 'close loops'}"
        signs.append(_sign(name, marker=marker, color=colour))
    signs.append(_sign("filled: kept", marker="none"))
    if selected is not None:
        _ring(ax, view.persistence[selected], view.saddle_value[selected])
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title="branches")
    ax.set(xlabel="persistence", ylabel="value of the pass")
    ax.legend(handles=signs, loc="upper right", fontsize="small", frameon=False)


def _draw_profile(ax: Axes, view: MorseView, saddle_level: float) -> None:
    """Draw the likelihood along the marked branch, if there is one: from peak to peak."""
    ax.plot(view.along, view.height, color="black", lw=1.5)
    ax.axhline(saddle_level, color="black", ls="--", lw=1)
    if view.low >= 0:
        ax.plot(view.along[[0, -1]], view.height[[0, -1]], ls="", clip_on=False, **PEAK)
        ax.plot(view.along[view.low], view.height[view.low], ls="", clip_on=False, **PASS)
    ax.set(ylim=(-0.02, 1.02), xlabel="pixels from the first peak", ylabel="likelihood")
    ax.set_title("along the marked branch")


def image_with_patches(
    image: Any, patches: Any, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show an image in grey with the borders between its patches in orange.

    `patches` is an (H, W) array of int: a label for each pixel.

    >>> ax = image_with_patches(np.eye(2), [[1, 2], [1, 2]])
    >>> ax.lines[0].get_xdata().tolist()[:2], ax.lines[0].get_ydata().tolist()[:2]
    ([0.5, 0.5], [-0.5, 0.5])
    """
    array, labels = check_image(image, ndim=2), check_reals(patches, "patches")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"patches must hold integers; got the dtype {labels.dtype}")
    check_same_shape(array, labels, ("image", "patches"))
    ax = _axes(ax, (4.2, 4.4))
    _grey(ax, array, title)
    ax.plot(*_borders(labels), color=SKELETON, lw=1.4)
    return ax
