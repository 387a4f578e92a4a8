"""Matplotlib figures of images, pairs and diagrams: the static twin of every explorer.

The signs are the same in all of them, so that a picture is read once and understood everywhere:

- a **component** (dimension 0) is a blue circle, a **hole** (dimension 1) a vermilion triangle;
- a filled sign is alive at the drawn threshold, a hollow one is not;
- a **birth pixel** is a green diamond, a **death pixel** a purple cross; a line joins the two;
- the **superlevel set** lies over the grey image in yellow, the **truth** has a sky-blue outline;
- pixels that a gradient **raises** are green triangles that point up, those that it **lowers** are
  purple triangles that point down.

The colours are those of Okabe and Ito [1]_, which readers with any colour vision tell apart; and no
meaning hangs on colour alone.

References
----------
.. [1] M. Okabe and K. Ito, "Color Universal Design", 2008. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .topology.grid import check_image, check_integer, check_mask, check_same_shape
from .topology.persistence import PersistencePairs

__all__ = [
    "BIRTH",
    "COMPONENT",
    "DEATH",
    "HOLE",
    "LOWERED",
    "RAISED",
    "SUPERLEVEL",
    "TRUTH",
    "alive",
    "barcode",
    "gradient_step",
    "image_row",
    "image_with_pairs",
    "outline",
    "parts",
    "persistence_diagram",
    "persistence_summary",
    "pixel_values",
    "png",
    "show",
    "strongest",
]

COMPONENT = "#0072B2"  # blue
HOLE = "#D55E00"  # vermilion
SUPERLEVEL = "#F0E442"  # yellow
TRUTH = "#56B4E9"  # sky blue
RAISED = "#009E73"  # bluish green
LOWERED = "#CC79A7"  # reddish purple
BIRTH = "#009E73"  # bluish green
DEATH = "#CC79A7"  # reddish purple
KINDS = ((0, "component", COMPONENT, "o"), (1, "hole", HOLE, "^"))


def check_threshold(threshold: Any, name: str = "threshold") -> float:
    """Return `threshold` as a float in [0, 1], else raise.

    Examples
    --------
    >>> check_threshold(0.25)
    0.25
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise TypeError(f"{name} must be a number in [0, 1]; got {threshold!r}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"{name} must be a number in [0, 1]; got {threshold}")
    return float(threshold)


def _check_pairs(pairs: Any) -> PersistencePairs:
    """Refuse what `persistence_pairs` did not make."""
    if not isinstance(pairs, PersistencePairs):
        raise TypeError(
            f"pairs must be the result of persistence_pairs; got {type(pairs).__name__}"
        )
    return pairs


def _check_selected(selected: Any, pairs: PersistencePairs) -> int | None:
    """Refuse a position that is not among the pairs."""
    if selected is not None and not 0 <= selected < len(pairs):
        raise ValueError(f"selected must be None or 0 to {len(pairs) - 1}; got {selected!r}")
    return selected


def alive(pairs: PersistencePairs, threshold: float) -> np.ndarray:
    """Tell which pairs are alive at a threshold: born at or above it, not yet dead.

    Counting them by dimension gives the Betti numbers of ``image >= threshold``.

    Parameters
    ----------
    pairs : PersistencePairs
        All pairs of an image.
    threshold : float
        In [0, 1].

    Returns
    -------
    (n,) array of bool
        ``birth >= threshold > death``; an essential component never dies, so at threshold 0, where
        the superlevel set is the whole image, it is still alive.

    Raises
    ------
    TypeError, ValueError
        If `pairs` or `threshold` is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> pairs = persistence_pairs([[0.9, 0.1, 0.6]])
    >>> [int(alive(pairs, t).sum()) for t in (0.95, 0.7, 0.5, 0.1, 0.0)]
    [0, 1, 2, 1, 1]
    """
    threshold = check_threshold(threshold)
    pairs = _check_pairs(pairs)
    essential = (pairs.dimension == 0) & (pairs.death_index < 0)
    return (pairs.birth >= threshold) & ((pairs.death < threshold) | essential)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return `ax`, or the only axes of a new figure."""
    if ax is not None:
        return ax
    figure = Figure(figsize=size)
    figure.subplots_adjust(left=0.16, right=0.97, bottom=0.19, top=0.92)
    return figure.subplots()


def parts(count: int) -> tuple[Figure, list[Axes]]:
    """Return a new figure with square axes side by side, and room for a legend below each.

    Parameters
    ----------
    count : int
        How many axes.

    Returns
    -------
    figure : Figure
    axes : list of Axes

    Examples
    --------
    >>> figure, axes = parts(2)
    >>> len(axes)
    2
    """
    check_integer(count, "count", 1)
    width = 3.67 * count
    figure = Figure(figsize=(width, 3.9))
    left, right = 0.6 / width, 1 - 0.16 / width
    figure.subplots_adjust(left=left, right=right, bottom=0.2, top=0.92, wspace=0.25)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _legend_below(ax: Axes, signs: list[Any]) -> None:
    """Write a legend in one line below the axis label."""
    columns, place = min(len(signs), 3), (0.5, -0.13)
    ax.legend(handles=signs, loc="upper center", bbox_to_anchor=place, ncols=columns,
              fontsize="small", frameon=False, columnspacing=1, handletextpad=0.2)  # fmt: skip


def _grey(ax: Axes, image: np.ndarray, title: str) -> None:
    """Show a likelihood in grey, black is 0 and white is 1."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xlabel="column", ylabel="row", title=title)


def image_row(images: Sequence[Any], titles: Sequence[str]) -> Figure:
    """Show likelihood images or masks of the same height side by side in grey.

    Parameters
    ----------
    images : sequence of (H, W) arrays
        Values in [0, 1], or booleans.
    titles : sequence of str
        One for each image.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If an image is no likelihood, or there are not as many titles as images.

    Examples
    --------
    >>> len(image_row([np.eye(3), np.eye(3, 4)], ["square", "oblong"]).axes)
    2
    """
    if len(images) != len(titles) or not len(images):
        raise ValueError(
            f"titles must name every image, and there must be one at least; "
            f"got {len(images)} images and {len(titles)} titles"
        )
    arrays = [check_image(image, f"images[{k}]", ndim=2) for k, image in enumerate(images)]
    widths = [array.shape[1] / array.shape[0] for array in arrays]
    figure = Figure(figsize=(3.4 * sum(widths), 3.6), layout="constrained")
    axes = figure.subplots(1, len(arrays), width_ratios=widths, squeeze=False)[0]
    for ax, array, title in zip(axes, arrays, titles, strict=True):
        _grey(ax, array, title)
    return figure


def pixel_values(image: Any, *, title: str = "", mask: Any = None, ax: Axes | None = None) -> Axes:
    """Draw a small image as a table of numbers, to be worked on with a pencil.

    Parameters
    ----------
    image : (H, W) array of float
        A likelihood with few pixels: at most 12 a side.
    title : str
        Written above.
    mask : (H, W) array of bool, optional
        Pixels to paint yellow, e.g. a superlevel set; their numbers are bold, too.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If `image` is no likelihood, is larger, or `mask` has another shape.

    Examples
    --------
    >>> ax = pixel_values([[0.9, 0.1, 0.6]])
    >>> [text.get_text() for text in ax.texts]
    ['.9', '.1', '.6']
    """
    array = check_image(image, ndim=2)
    if max(array.shape) > 12:
        raise ValueError(f"image must have at most 12 pixels a side; got shape {array.shape}")
    inside = np.zeros(array.shape, bool) if mask is None else check_mask(mask, ndim=2)
    check_same_shape(array, inside, ("image", "mask"))
    height, width = array.shape
    ax = _axes(ax, (0.55 * width + 0.6, 0.55 * height + 0.8))
    ax.imshow(inside, cmap=ListedColormap(["white", SUPERLEVEL]), vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(array):
        label = f"{value:.2g}".removeprefix("0") or "0"
        weight = "bold" if inside[row, column] else "normal"
        ax.text(column, row, label, ha="center", va="center", weight=weight)
    ax.set(xticks=range(width), yticks=range(height), xlabel="column", ylabel="row", title=title)
    ax.set_xticks(np.arange(width + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(height + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="0.6")
    ax.tick_params(which="both", length=0)
    return ax


def image_with_pairs(
    image: Any,
    pairs: PersistencePairs | None = None,
    *,
    threshold: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show a likelihood with its superlevel set and the birth and death pixels of some pairs.

    Parameters
    ----------
    image : (H, W) array of float or bool
        A likelihood.
    pairs : PersistencePairs, optional
        The pairs whose pixels are marked: choose few. Green diamond: birth; purple cross: death; a
        line joins them. Pixels that do not exist (index -1) are left out.
    threshold : float, optional
        Paint the pixels at or above it yellow.
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
        If an argument is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = [[0.9, 0.1, 0.6]]
    >>> ax = image_with_pairs(image, persistence_pairs(image), threshold=0.5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['at or above 0.50', 'birth pixel', 'death pixel']
    """
    array = check_image(image, ndim=2)
    ax = _axes(ax, (4.2, 4.4))
    _grey(ax, array, title)
    signs: list[Any] = []
    if threshold is not None:
        inside = array >= check_threshold(threshold)
        layer = np.ma.masked_where(~inside, inside)
        ax.imshow(layer, cmap=ListedColormap([SUPERLEVEL]), alpha=0.55, interpolation="nearest")
        label = f"at or above {threshold:.2f}"
        signs.append(Line2D([], [], ls="", marker="s", ms=9, color=SUPERLEVEL, label=label))
    if pairs is not None:
        for birth, death in zip(
            _check_pairs(pairs).birth_index.tolist(), pairs.death_index.tolist(), strict=True
        ):
            if birth >= 0 and death >= 0:
                rows, columns = np.unravel_index([birth, death], array.shape)
                ax.plot(columns, rows, color="white", lw=2.5)
                ax.plot(columns, rows, color="black", lw=1)
        for name, index, marker, colour in (
            ("birth pixel", pairs.birth_index, "D", BIRTH),
            ("death pixel", pairs.death_index, "X", DEATH),
        ):
            rows, columns = np.unravel_index(index[index >= 0], array.shape)
            style: dict[str, Any] = {"marker": marker, "color": colour, "mec": "black", "ms": 9}
            ax.plot(columns, rows, ls="", zorder=3, **style)
            signs.append(Line2D([], [], ls="", label=name, **style))
    if signs:
        _legend_below(ax, signs)
    return ax


def persistence_diagram(
    pairs: PersistencePairs,
    *,
    threshold: float | None = None,
    selected: int | None = None,
    title: str = "persistence diagram",
    ax: Axes | None = None,
) -> Axes:
    """Draw a persistence diagram of superlevel sets: every pair is a dot below the diagonal.

    Parameters
    ----------
    pairs : PersistencePairs
        The pairs to draw.
    threshold : float, optional
        Draw the lines ``birth = threshold`` and ``death = threshold``: the dots to the right of the
        one and below the other are alive and filled, the others are hollow. Without a threshold
        all are filled.
    selected : int, optional
        The position of a pair to put a ring around.
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
        If an argument is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> ax = persistence_diagram(persistence_pairs([[0.9, 0.1, 0.6]]), threshold=0.5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 components', '0 holes', 'filled: alive at 0.50']
    """
    pairs, selected = _check_pairs(pairs), _check_selected(selected, pairs)
    filled = np.ones(len(pairs), bool) if threshold is None else alive(pairs, threshold)
    ax = _axes(ax, (4.2, 4.4))
    ax.plot([0, 1], [0, 1], color="0.5", lw=1)
    if threshold is not None:
        ax.plot([threshold, threshold, 1.03], [-0.03, threshold, threshold], "k--", lw=1)
    signs = []
    for dimension, name, colour, marker in KINDS:
        kind = pairs.dimension == dimension
        for some, face in ((kind & ~filled, "none"), (kind & filled, colour)):
            ax.plot(pairs.birth[some], pairs.death[some], ls="", marker=marker, mec=colour,
                    mfc=face, alpha=0.8, clip_on=False)  # fmt: skip
        count = int(kind.sum())
        signs.append(Line2D([], [], ls="", marker=marker, color=colour,
                            label=f"{count} {name}{'s' * (count != 1)}"))  # fmt: skip
    if threshold is not None:
        label = f"filled: alive at {threshold:.2f}"
        signs.append(Line2D([], [], ls="", marker="none", label=label))
    if selected is not None:
        dot = pairs.birth[selected], pairs.death[selected]
        ax.plot(*dot, "o", ms=15, mfc="none", mec="black", clip_on=False)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=title)
    ax.set(xlabel="birth (threshold falls from 1 to 0)", ylabel="death")
    ax.legend(handles=signs, loc="upper left", fontsize="small", frameon=False)
    return ax


def barcode(
    pairs: PersistencePairs,
    *,
    threshold: float | None = None,
    selected: int | None = None,
    limit: int = 40,
    title: str = "barcode",
    ax: Axes | None = None,
) -> Axes:
    """Draw a barcode: every pair is a bar from its birth to its death, the longest at the top.

    Parameters
    ----------
    pairs : PersistencePairs
        The pairs to draw.
    threshold : float, optional
        Draw a vertical line: the bars that it crosses are alive.
    selected : int, optional
        The position of a pair whose ends are marked with its birth and death sign.
    limit : int
        Draw so many bars at most; the title tells how many there are.
    title : str
        Written above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        The threshold axis runs from 1 on the left to 0 on the right, as the threshold falls.

    Raises
    ------
    TypeError, ValueError
        If an argument is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> barcode(persistence_pairs([[0.9, 0.1, 0.6]]), limit=1).get_title()
    'barcode: 1 longest of 2'
    """
    pairs, selected = _check_pairs(pairs), _check_selected(selected, pairs)
    check_integer(limit, "limit", 1)
    order = np.argsort(-pairs.persistence, kind="stable")[:limit]
    ax = _axes(ax, (4.2, 4.4))
    for height, k in enumerate(order, 1):
        _, _, colour, marker = KINDS[pairs.dimension[k]]
        ends = [pairs.birth[k], pairs.death[k]]
        ax.plot(
            ends, [height, height], color=colour, lw=2, ls="-" if marker == "o" else (0, (4, 1))
        )
        ax.plot(ends[0], height, marker=marker, color=colour, ms=5)
        if k == selected:
            ax.plot(ends[0], height, "D", color=BIRTH, mec="black", ms=9)
            ax.plot(ends[1], height, "X", color=DEATH, mec="black", ms=10)
    if threshold is not None:
        ax.axvline(check_threshold(threshold), color="black", ls="--", lw=1)
    more = f": {len(order)} longest of {len(pairs)}" if len(order) < len(pairs) else ""
    ax.set(xlim=(1.03, -0.03), ylim=(max(len(order), 4) + 0.7, 0.3), title=title + more)
    ax.set(xlabel="threshold, falling", ylabel="feature, longest first")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def persistence_summary(
    image: Any,
    pairs: PersistencePairs,
    *,
    threshold: float,
    selected: int | None = None,
) -> Figure:
    """Show an image, its persistence diagram and its barcode at one threshold, side by side.

    Parameters
    ----------
    image : (H, W) array of float or bool
        A likelihood.
    pairs : PersistencePairs
        The pairs to draw.
    threshold : float
        The superlevel set to paint, and the features to show as alive.
    selected : int, optional
        The position of the pair to mark in all three parts.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If an argument is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = [[0.9, 0.1, 0.6]]
    >>> len(persistence_summary(image, persistence_pairs(image), threshold=0.5).axes)
    3
    """
    figure, (left, middle, right) = parts(3)
    marked = None
    if _check_selected(selected, _check_pairs(pairs)) is not None:
        marked = pairs[np.array([selected])]
    image_with_pairs(image, marked, threshold=threshold, title="likelihood", ax=left)
    persistence_diagram(pairs, threshold=threshold, selected=selected, ax=middle)
    barcode(pairs, threshold=threshold, selected=selected, ax=right)
    return figure


def outline(mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges between a mask's foreground and background pixels as lines to plot.

    Parameters
    ----------
    mask : (H, W) array of bool, or of 0 and 1
        Everything outside the array counts as background.

    Returns
    -------
    x, y : arrays of float32
        Columns and rows of the ends of unit edges: start, end, NaN, start, end, NaN, ... A pixel
        reaches half a unit to each side of its centre.

    Raises
    ------
    TypeError, ValueError
        If `mask` is no mask.

    Examples
    --------
    >>> x, y = outline([[1]])
    >>> len(x) // 3, float(np.nanmin(x)), float(np.nanmax(y))
    (4, -0.5, 0.5)
    """
    padded = np.pad(check_mask(mask, ndim=2), 1)
    lines = []
    for axis in (0, 1):
        starts = np.argwhere(np.diff(padded, axis=axis)) - 0.5  # (row, column) of the edge's start
        starts[:, 1 - axis] -= 1
        ends = starts.copy()
        ends[:, 1 - axis] += 1
        lines.append(np.stack([starts, ends, np.full_like(starts, np.nan)], axis=1).reshape(-1, 2))
    y, x = np.concatenate(lines).astype(np.float32).T
    return x, y


def strongest(pull: np.ndarray, limit: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the pixels with the largest positive values.

    Parameters
    ----------
    pull : (H, W) array of float
        For instance a negative gradient.
    limit : int
        Return so many pixels at most. Default 100.

    Returns
    -------
    rows, columns : arrays of int
        The strongest first, equal ones by flat index.

    Examples
    --------
    >>> rows, columns = strongest(np.array([[0.0, 2.0], [-1.0, 3.0]]))
    >>> rows.tolist(), columns.tolist()
    ([1, 0], [1, 1])
    """
    check_integer(limit, "limit", 1)
    flat = np.ravel(pull)
    if not np.isfinite(flat).all():
        raise ValueError(f"pull holds {(~np.isfinite(flat)).sum()} values that are NaN or infinite")
    positive = np.flatnonzero(flat > 0)
    order = np.argsort(-flat[positive], kind="stable")[:limit]
    rows, columns = np.unravel_index(positive[order], np.shape(pull))
    return rows, columns


def gradient_step(
    image: Any,
    pairs: PersistencePairs,
    pull: np.ndarray,
    values: Sequence[float],
    *,
    step: int,
    truth: Any,
    threshold: float,
    selected: int | None = None,
) -> Figure:
    """Show one step of gradient descent on a likelihood: image and pull, diagram, loss.

    Parameters
    ----------
    image : (H, W) array of float
        The likelihood at this step.
    pairs : PersistencePairs
        The pairs to draw.
    pull : (H, W) array of float
        The negative gradient. The 100 pixels that are raised most and the 100 that are lowered most
        are marked.
    values : sequence of float
        The loss at each step.
    step : int
        Which step this is.
    truth : (H, W) array of bool
        The target, to be outlined.
    threshold : float
        The superlevel set to paint, and the features to show as alive.
    selected : int, optional
        The position of the pair to mark.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If an argument is something else.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = np.array([[0.9, 0.1, 0.6]])
    >>> truth, pull = image > 0, image - 0.5
    >>> figure = gradient_step(
    ...     image, persistence_pairs(image), pull, [1.0, 0.5], step=1, truth=truth, threshold=0.5
    ... )
    >>> figure.axes[2].get_title()
    'loss: 0.500 at step 1'
    """
    figure, (left, middle, right) = parts(3)
    marked = None
    if _check_selected(selected, _check_pairs(pairs)) is not None:
        marked = pairs[np.array([selected])]
    truth = check_mask(truth, "truth", ndim=2)
    check_same_shape(np.asarray(image), truth, ("image", "truth"))
    check_same_shape(np.asarray(image), np.asarray(pull), ("image", "pull"))
    if not 0 <= step < len(values):
        raise ValueError(f"step must be 0 to {len(values) - 1}; got {step}")
    image_with_pairs(image, marked, threshold=threshold, title="likelihood and pull", ax=left)
    left.plot(*outline(truth), color=TRUTH, lw=1.2)
    signs: list[Any] = [Line2D([], [], color=TRUTH, label="truth")]
    for sign, name, marker, colour in ((1, "raised", "^", RAISED), (-1, "lowered", "v", LOWERED)):
        rows, columns = strongest(sign * pull)
        style: dict[str, Any] = {"marker": marker, "color": colour, "mec": "black", "ms": 7}
        left.plot(columns, rows, ls="", mew=0.6, **style)
        signs.append(Line2D([], [], ls="", label=name, **style))
    above = left.get_legend()
    signs = [*(above.legend_handles if above is not None else []), *signs]
    _legend_below(left, signs)
    persistence_diagram(pairs, threshold=threshold, selected=selected, ax=middle)
    right.plot(range(len(values)), values, color="black")
    right.plot(step, values[step], "s", color="black", ms=8)
    title = f"loss: {values[step]:.3f} at step {step}"
    right.set(xlabel="step", ylabel="value of the loss", title=title)
    right.set_ylim(bottom=0)
    return figure


def png(figure: Figure, *, dpi: int = 80) -> bytes:
    """Return a figure as a small PNG file: 256 colours, and no date or version in it.

    Parameters
    ----------
    figure : Figure
        What to draw.
    dpi : int
        Pixels an inch.

    Returns
    -------
    bytes
        The same bytes for the same figure, so that stored pictures change only with their content.

    Examples
    --------
    >>> png(Figure(figsize=(1, 1)))[1:4]
    b'PNG'
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure; got {type(figure).__name__}")
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=dpi, facecolor="white")
    picture = Image.open(drawn).convert("RGB")
    # Maximum coverage keeps the colours of small signs, which beside a photograph are rare.
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return small.getvalue()


class Bundle:
    """What Jupyter is to show, in several formats at once; prints as its text elsewhere."""

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.data, self.metadata = data, metadata

    def __repr__(self) -> str:
        return str(self.data["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Return the formats and what is known about them, as IPython asks for them."""
        return self.data, self.metadata


def show(figure: Figure | Axes, alt: str, *, dpi: int = 80) -> None:
    """Display a figure in a notebook, together with a sentence that says what it shows.

    Parameters
    ----------
    figure : Figure or Axes
        What to draw.
    alt : str
        The picture in words: stored as its alternative text, printed below it as a caption, and
        all that a reader without pictures gets. Measured numbers in it are compared by the
        notebook's test.
    dpi : int
        Pixels an inch.

    Raises
    ------
    TypeError, ValueError
        If there is no figure, or nothing is said about it.

    Examples
    --------
    >>> show(Figure(figsize=(1, 1)), "an empty square")
    an empty square
    """
    from IPython import get_ipython
    from IPython.display import display

    drawn: Any = figure.get_figure(root=True) if isinstance(figure, Axes) else figure
    if not isinstance(drawn, Figure):
        raise TypeError(f"figure must be a matplotlib Figure or Axes; got {type(drawn).__name__}")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say in words what the picture shows; got {alt!r}")
    picture = base64.b64encode(png(drawn, dpi=dpi)).decode()
    display(Bundle({"image/png": picture, "text/plain": alt}, {"image/png": {"alt": alt}}))
    if get_ipython() is not None:
        print(textwrap.fill(alt, 95))  # few front ends read out the alternative text
