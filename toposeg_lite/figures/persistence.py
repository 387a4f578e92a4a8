"""Figures of persistence: the pairs on their image, the diagram, the barcode."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..checks import check_fraction, check_integer
from ..topology.grid import check_image
from ..topology.persistence import PersistencePairs
from .base import (
    BIRTH,
    DEATH,
    KINDS,
    SUPERLEVEL,
    _axes,
    _grey,
    _legend_below,
    parts,
)

__all__ = ["alive", "barcode", "image_with_pairs", "persistence_diagram", "persistence_summary"]


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
    threshold = check_fraction(threshold, "threshold")
    pairs = _check_pairs(pairs)
    essential = (pairs.dimension == 0) & (pairs.death_index < 0)
    return (pairs.birth >= threshold) & ((pairs.death < threshold) | essential)


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
        inside = array >= check_fraction(threshold, "threshold")
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
        ax.axvline(check_fraction(threshold, "threshold"), color="black", ls="--", lw=1)
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
