"""Figures of what a loss does: outlines of the truth, and where a gradient pulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..checks import check_integer, check_same_shape
from ..topology.grid import check_mask
from ..topology.persistence import PersistencePairs
from .base import (
    LOWERED,
    RAISED,
    TRUTH,
    _legend_below,
    parts,
)
from .persistence import _check_pairs, _check_selected, image_with_pairs, persistence_diagram

__all__ = ["gradient_step", "outline", "strongest"]


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
