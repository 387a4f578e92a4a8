"""What all figures share: colours, axes, signs and legends, small checks, and how one is shown."""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, ImageDraw

from ...checks import check_flag, check_integer, check_number, check_reals, check_same_shape
from ...topology.grid import check_image, check_mask

__all__ = [
    "BIRTH",
    "COMPONENT",
    "DEATH",
    "HOLE",
    "LOWERED",
    "RAISED",
    "SUPERLEVEL",
    "TRUTH",
    "image_row",
    "outline",
    "parts",
    "pixel_values",
    "png",
    "show",
]

COMPONENT = "#0072B2"  # blue
HOLE = "#D55E00"  # vermilion
SUPERLEVEL = "#F0E442"  # yellow
TRUTH = "#56B4E9"  # sky blue
RAISED = "#009E73"  # bluish green
LOWERED = "#CC79A7"  # reddish purple
BIRTH = "#009E73"  # bluish green
DEATH = "#CC79A7"  # reddish purple

CARD, EDGE = "#f3f2ee", "#cfcdc6"  # the ground of a picture in a notebook, and the line around it
MARGIN = 0.1  # inches of ground around what is drawn
LINES = "#6b6a66"  # what frames data is quieter than the data
LEGEND = 9.5  # points: still readable from the last row, where the picture is as wide as the wall

KINDS = ((0, "component", COMPONENT, "o"), (1, "hole", HOLE, "^"))


# --- Axes ------------------------------------------------------------------------------------


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return `ax`, or the only axes of a new figure."""
    if ax is not None:
        return _check_axes(ax)
    figure = Figure(figsize=size)
    figure.subplots_adjust(left=0.16, right=0.97, bottom=0.19, top=0.92)
    return figure.subplots()


def _check_axes(ax: Any) -> Any:
    """Refuse what nothing can be drawn into."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be Axes of Matplotlib; got {type(ax).__name__}")
    return ax


def parts(count: int) -> tuple[Figure, list[Axes]]:
    """Return a new figure with `count` square axes side by side, and room for legends below.

    >>> figure, axes = parts(2)
    >>> len(axes)
    2
    """
    check_integer(count, "count", 1)
    width = 3.67 * count
    figure = Figure(figsize=(width, 4.2))
    left, right = 0.6 / width, 1 - 0.16 / width
    figure.subplots_adjust(left=left, right=right, bottom=0.26, top=0.93, wspace=0.25)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _grey(ax: Axes, image: np.ndarray, title: str) -> None:
    """Show a likelihood in grey, black is 0 and white is 1."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xlabel="column", ylabel="row", title=title)


def _pixel_grid(ax: Axes, shape: tuple[int, ...], colour: str, width: float = 0.8) -> None:
    """Draw lines between the pixels of a small image, and leave out the marks of the ticks."""
    height, columns = shape
    ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(height + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=colour, lw=width)
    ax.tick_params(which="both", length=0)


# --- Signs -----------------------------------------------------------------------------------


def _sign(label: str, **style: Any) -> Line2D:
    """Return an entry of a legend: a marker, and a line only if `ls` asks for one."""
    return Line2D([], [], label=label, **({"ls": ""} | style))


def _legend_below(
    ax: Axes, signs: list[Any], *, below: float = 0.13, columns: int = 3, **style: Any
) -> None:
    """Write a legend that begins so far below the axes, in parts of their height."""
    style = {"columnspacing": 1, "handletextpad": 0.2} | style
    ax.legend(handles=signs, loc="upper center", bbox_to_anchor=(0.5, -below), ncols=columns,
              fontsize=LEGEND, frameon=False, **style)  # fmt: skip


def _dots(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    filled: np.ndarray,
    *,
    marker: str,
    colour: str,
    **style: Any,
) -> None:
    """Draw dots, some filled and some hollow, that may reach over the rim of the axes."""
    for some, face in ((~filled, "none"), (filled, colour)):
        ax.plot(x[some], y[some], ls="", marker=marker, mec=colour, mfc=face, clip_on=False,
                **style)  # fmt: skip


def _ring(ax: Axes, x: float, y: float, size: float = 13, width: float = 1.5) -> None:
    """Draw a ring around a dot."""
    ax.plot(x, y, "o", ms=size, mfc="none", mec="black", mew=width, clip_on=False)


def _rgb(colour: str) -> list[int]:
    """Return red, green and blue, 0 to 255, of a colour that is written as #RRGGBB."""
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]


def _check_values(values: Any, count: int, things: str) -> np.ndarray:
    """Return finite numbers, one for each of so many things, or refuse them."""
    array = np.asarray(check_reals(values, "values"), np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(
            f"values must hold a finite number for each of the {count} {things}; "
            f"got shape {array.shape}"
        )
    return array


def _check_shape(shape: Any, ndims: tuple[int, ...] = (2, 3)) -> tuple[int, ...]:
    """Return the sides of an image or volume, or refuse them."""
    words = " or ".join({2: "two", 3: "three"}[n] for n in ndims)
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"shape must have {words} entries; got {shape!r}")
    if len(shape) not in ndims:
        raise ValueError(f"shape must have {words} entries; got {shape!r}")
    return tuple(check_integer(side, "each of shape", 1) for side in shape)


def _check_paths(paths: Any, shape: tuple[int, ...], name: str = "paths") -> list[np.ndarray]:
    """Return paths as a list of arrays of flat indices in an image of that shape."""
    if isinstance(paths, str) or not isinstance(paths, Iterable):
        raise TypeError(f"{name} must hold arrays of flat indices; got {paths!r}")
    arrays = [np.asarray(path) for path in paths]
    size = math.prod(shape)
    for path in arrays:
        if path.ndim != 1 or path.dtype.kind not in "iu":
            raise TypeError(f"{name} must hold arrays of flat indices; got {path!r}")
        if not path.size or path.min() < 0 or path.max() >= size:
            raise ValueError(
                f"{name} must hold arrays of flat indices, 0 to {size - 1} and one at least; "
                f"got {path!r}"
            )
    return arrays


def _check_few(array: np.ndarray, most: int, name: str) -> np.ndarray:
    """Refuse what has more pixels or voxels a side than can be drawn one by one."""
    if max(array.shape) > most:
        cells = "pixels" if array.ndim == 2 else "voxels"
        raise ValueError(f"{name} must have at most {most} {cells} a side; got shape {array.shape}")
    return array


# --- Images and masks ------------------------------------------------------------------------


def image_row(images: Sequence[Any], titles: Sequence[str]) -> Figure:
    """Show likelihoods or masks of the same height side by side in grey, each with its title.

    >>> len(image_row([np.eye(3), np.eye(3, 4)], ["square", "oblong"]).axes)
    2
    """
    if isinstance(images, str) or not isinstance(images, Sequence | np.ndarray):
        raise TypeError(f"images must be a sequence of images; got {type(images).__name__}")
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

    The image has at most 12 pixels a side. The pixels of `mask`, for instance a superlevel set, are
    yellow, and their numbers are bold.

    >>> ax = pixel_values([[0.9, 0.1, 0.6]])
    >>> [text.get_text() for text in ax.texts]
    ['.9', '.1', '.6']
    """
    array = _check_few(check_image(image, ndim=2), 12, "image")
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
    _pixel_grid(ax, array.shape, "0.6")
    return ax


def outline(mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges between a mask's foreground and background pixels as lines to plot.

    Everything outside the array counts as background. Returned are x and y, the columns and rows of
    the ends of unit edges as float32: start, end, NaN, start, end, NaN, ... A pixel reaches half a
    unit to each side of its centre.

    >>> x, y = outline([[1]])
    >>> len(x) // 3, float(np.nanmin(x)), float(np.nanmax(y))
    (4, -0.5, 0.5)
    """
    x, y = _borders(np.pad(check_mask(mask, ndim=2), 1))
    return x - 1, y - 1


def _borders(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges between neighbouring pixels of different labels, as `outline` does."""
    lines = []
    for axis in (0, 1):
        along = np.arange(2) == axis
        starts = np.argwhere(np.diff(labels, axis=axis)) + along - 0.5  # (row, column)
        ends = starts + ~along
        lines.append(np.stack([starts, ends, np.full_like(starts, np.nan)], axis=1).reshape(-1, 2))
    y, x = np.concatenate(lines).astype(np.float32).T
    return x, y


# --- How a figure is shown -------------------------------------------------------------------


def png(figure: Figure, *, dpi: int = 80, card: bool = False, trim: bool | None = None) -> bytes:
    """Return a figure as a small PNG file: 256 colours, and no date or version in it.

    The same figure gives the same bytes, so that stored pictures change only with their content.
    `dpi` is in pixels an inch. As a `card` its ground is a soft grey with a line around it and not
    white: a stored picture cannot follow the theme of its page, a white sheet glares on a dark one,
    and letters that hold on both would be weak on both. White is left to pixels, which mean it.

    >>> png(Figure(figsize=(1, 1)))[1:4]
    b'PNG'
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure; got {type(figure).__name__}")
    dots = check_number(dpi, "dpi", positive=True)
    ground = CARD if check_flag(card, "card") else "white"
    trimmed = card if trim is None else check_flag(trim, "trim")
    extent: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": MARGIN} if trimmed else {}
    drawn, small = io.BytesIO(), io.BytesIO()
    with _ground(figure, ground):
        figure.savefig(drawn, dpi=dots, facecolor=ground, **extent)
    picture = Image.open(drawn).convert("RGB")
    if card:
        whole = (0, 0, picture.width - 1, picture.height - 1)
        ImageDraw.Draw(picture).rectangle(whole, outline=EDGE)
    # Maximum coverage keeps the colours of small signs, which beside a photograph are rare.
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return small.getvalue()


@contextmanager
def _ground(figure: Figure, colour: str) -> Iterator[None]:
    """Give white axes the ground of the figure, and quiet frames, while it is drawn.

    Lines without a point are left out: where a picture is trimmed, they would count as a dot in the
    corner of the figure.
    """
    patches = [ax.patch for ax in figure.axes if to_hex(ax.get_facecolor()) == "#ffffff"]
    spines = [spine for ax in figure.axes for spine in ax.spines.values()]
    black = [spine for spine in spines if to_hex(spine.get_edgecolor()) == "#000000"]
    empty = [line for ax in figure.axes for line in ax.lines if not np.size(line.get_xdata())]
    empty = [line for line in empty if line.get_visible()]
    for line in empty:
        line.set_visible(False)
    for patch in patches:
        patch.set_facecolor(colour)
    for spine in black:
        spine.set_edgecolor(LINES)
    try:
        yield
    finally:
        for line in empty:
            line.set_visible(True)
        for patch in patches:
            patch.set_facecolor("white")
        for spine in black:
            spine.set_edgecolor("black")


class Bundle:
    """What Jupyter is to show, in several formats at once; prints as its text elsewhere."""

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.data, self.metadata = data, metadata

    def __repr__(self) -> str:
        return str(self.data["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Return the formats and what is known about them, as IPython asks for them."""
        return self.data, self.metadata


def show(figure: Figure | Axes, alt: str, *, dpi: int = 100) -> None:
    """Display a figure, or the figure of some Axes, in a notebook, and say what it shows.

    `alt` is the picture in words: stored as its alternative text, printed below it as a caption,
    and all that a reader without pictures gets. Measured numbers in it are compared by the
    notebook's test. `dpi` is in pixels an inch.

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
    picture = base64.b64encode(png(drawn, dpi=dpi, card=True)).decode()
    display(Bundle({"image/png": picture, "text/plain": alt}, {"image/png": {"alt": alt}}))
    if get_ipython() is not None:
        print(textwrap.fill(alt, 95))  # few front ends read out the alternative text
