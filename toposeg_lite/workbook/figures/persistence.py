"""Figures of persistence: the pairs on their image, the diagram, the barcode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...checks import check_fraction, check_integer
from ...topology.grid import check_image
from ...topology.persistence import PersistencePairs
from .base import (
    BIRTH,
    DEATH,
    KINDS,
    LEGEND,
    SUPERLEVEL,
    _axes,
    _dots,
    _grey,
    _legend_below,
    _ring,
    _sign,
    parts,
)
from .words import count

__all__ = ["alive", "barcode", "image_with_pairs", "persistence_diagram", "persistence_summary"]

MANY, QUIET = 300, 0.1  # dots of a diagram; persistence up to which a cloud of them is quiet


def _check_pairs(pairs: Any) -> PersistencePairs:
    """Refuse what `persistence_pairs` did not make."""
    if not isinstance(pairs, PersistencePairs):
        raise TypeError(
            f"pairs must be the result of persistence_pairs; got {type(pairs).__name__}"
        )
    return pairs


def _check_selected(selected: Any, pairs: PersistencePairs) -> int | None:
    """Refuse a position that is not among the pairs."""
    return None if selected is None else check_integer(selected, "selected", 0, len(pairs) - 1)


def _marked(pairs: Any, selected: int | None) -> PersistencePairs | None:
    """Return the selected pair alone, if there is one."""
    selected = _check_selected(selected, _check_pairs(pairs))
    return None if selected is None else pairs[np.array([selected])]


def alive(pairs: PersistencePairs, threshold: float) -> np.ndarray:
    """Tell which pairs are alive at a threshold: born at or above it, not yet dead.

    Returned is an array of bool, ``birth >= threshold > death``. An essential component never dies,
    so at threshold 0, where the superlevel set is the whole image, it is still alive. Counting the
    living by dimension gives the Betti numbers of ``image >= threshold``.

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

    The pixels of all given pairs are marked and joined: choose few. Pixels that do not exist (index
    -1) are left out.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = [[0.9, 0.1, 0.6]]
    >>> ax = image_with_pairs(image, persistence_pairs(image), threshold=0.5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['at or above 0.50', 'birth pixel', 'death pixel']
    """
    array = check_image(image, ndim=2)
    if threshold is not None:
        threshold = check_fraction(threshold, "threshold")
    if pairs is not None:
        _check_pairs(pairs)
    ax = _axes(ax, (4.2, 4.4))
    _grey(ax, array, title)
    signs: list[Any] = []
    if threshold is not None:
        layer = np.ma.masked_where(array < threshold, array >= threshold)
        ax.imshow(layer, cmap=ListedColormap([SUPERLEVEL]), alpha=0.55, interpolation="nearest")
        signs.append(_sign(f"at or above {threshold:.2f}", marker="s", ms=9, color=SUPERLEVEL))
    if pairs is not None:
        for birth, death in zip(pairs.birth_index, pairs.death_index, strict=True):
            if birth >= 0 and death >= 0:
                rows, columns = np.unravel_index([birth, death], array.shape)
                ax.plot(columns, rows, color="white", lw=2.5)
                ax.plot(columns, rows, color="black", lw=1)
        for name, index, marker, colour in (
            ("birth pixel", pairs.birth_index, "D", BIRTH),
            ("death pixel", pairs.death_index, "X", DEATH),
        ):
            rows, columns = np.unravel_index(index[index >= 0], array.shape)
            signs += ax.plot(columns, rows, ls="", marker=marker, color=colour, mec="black", ms=9,
                             zorder=3, label=name)  # fmt: skip
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

    The dots to the right of the line ``birth = threshold`` and below the line ``death = threshold``
    are alive and filled, the others are hollow. Without a threshold all are filled. The selected
    one has a ring.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> ax = persistence_diagram(persistence_pairs([[0.9, 0.1, 0.6]]), threshold=0.5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 components', '0 holes', 'filled: alive at 0.50']
    """
    pairs, selected = _check_pairs(pairs), _check_selected(selected, pairs)
    if threshold is not None:
        check_fraction(threshold, "threshold")
    ax = _axes(ax, (4.2, 4.4))
    # Of very many dots those near the diagonal are small and pale: together they are a cloud.
    quiet = QUIET if len(pairs) > MANY else 0.0
    style: dict[str, Any] = {"line_width": 1, "quiet": quiet, "alpha": 0.8, "ring": (15, 1)}
    signs = _draw_diagram(ax, pairs, KINDS, threshold, selected, **style)
    if threshold is not None:
        signs.append(_sign(f"filled: alive at {threshold:.2f}", marker="none"))
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=title)
    ax.set(xlabel="birth (threshold falls from 1 to 0)", ylabel="death")
    ax.legend(handles=signs, loc="upper left", fontsize=LEGEND, frameon=False)
    return ax


def _draw_diagram(
    ax: Axes,
    pairs: PersistencePairs,
    kinds: Sequence[tuple[int, str, str, str]],
    threshold: float | None,
    selected: int | None,
    *,
    line_width: float,
    quiet: float = 0.0,
    alpha: float,
    ring: tuple[float, float],
) -> list[Line2D]:
    """Draw the dots, the threshold and a ring of that size and width; return a sign a kind.

    Dots with a persistence of at most `quiet` are small and pale.
    """
    filled = np.ones(len(pairs), bool) if threshold is None else alive(pairs, threshold)
    ax.plot([0, 1], [0, 1], color="0.5", lw=1)
    if threshold is not None:
        corner = [threshold, threshold, 1.03], [-0.03, threshold, threshold]
        ax.plot(*corner, color="black", ls="--", lw=line_width)
    signs = []
    for dimension, name, colour, marker in kinds:
        kind = pairs.dimension == dimension
        style: dict[str, Any] = {"marker": marker, "colour": colour}
        near = pairs.persistence <= quiet
        looks: list[Any] = [(near, {"ms": 3.5, "alpha": 0.35}), (~near, {"alpha": alpha})]
        for which, look in looks:
            some = kind & which
            _dots(ax, pairs.birth[some], pairs.death[some], filled[some], **style, **look)
        signs.append(_sign(count(int(kind.sum()), name), marker=marker, color=colour))
    if selected is not None:
        _ring(ax, pairs.birth[selected], pairs.death[selected], *ring)
    return signs


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

    The axis runs from 1 on the left to 0 on the right, as the threshold falls; the bars that its
    vertical line crosses are alive. The ends of the selected bar carry their birth and death sign.
    Of more than `limit` bars the longest are drawn, and the title tells how many there are.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> barcode(persistence_pairs([[0.9, 0.1, 0.6]]), limit=1).get_title()
    'barcode: 1 longest of 2'
    """
    pairs, selected = _check_pairs(pairs), _check_selected(selected, pairs)
    check_integer(limit, "limit", 1)
    if threshold is not None:
        check_fraction(threshold, "threshold")
    order = np.argsort(-pairs.persistence, kind="stable")[:limit]
    ax = _axes(ax, (4.2, 4.4))
    for height, k in enumerate(order, 1):
        _, _, colour, marker = KINDS[pairs.dimension[k]]
        ends = [pairs.birth[k], pairs.death[k]]
        dashes = "-" if marker == "o" else (0, (4, 1))
        ax.plot(ends, [height, height], color=colour, lw=2, ls=dashes)
        ax.plot(ends[0], height, marker=marker, color=colour, ms=5)
        if k == selected:
            ax.plot(ends[0], height, "D", color=BIRTH, mec="black", ms=9)
            ax.plot(ends[1], height, "X", color=DEATH, mec="black", ms=10)
    if threshold is not None:
        ax.axvline(threshold, color="black", ls="--", lw=1)
    more = f": {len(order)} longest of {len(pairs)}" if len(order) < len(pairs) else ""
    ax.set(xlim=(1.03, -0.03), ylim=(max(len(order), 4) + 0.7, 0.3), title=title + more)
    ax.set(xlabel="threshold, falling", ylabel="feature, longest first")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def persistence_summary(
    image: Any, pairs: PersistencePairs, *, threshold: float, selected: int | None = None
) -> Figure:
    """Show an image, its persistence diagram and its barcode at one threshold, side by side.

    The selected pair is marked in all three parts.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = [[0.9, 0.1, 0.6]]
    >>> len(persistence_summary(image, persistence_pairs(image), threshold=0.5).axes)
    3
    """
    check_fraction(threshold, "threshold")
    figure, (left, middle, right) = parts(3)
    marked = _marked(pairs, selected)
    image_with_pairs(image, marked, threshold=threshold, title="likelihood", ax=left)
    persistence_diagram(pairs, threshold=threshold, selected=selected, ax=middle)
    barcode(pairs, threshold=threshold, selected=selected, ax=right)
    return figure
