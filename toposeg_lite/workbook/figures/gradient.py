"""Figures of what a loss does: where its gradient pulls, and what one step changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...checks import check_fraction, check_integer, check_reals, check_same_shape
from ...topology.grid import check_image, check_mask
from ...topology.persistence import PersistencePairs
from .base import LOWERED, RAISED, TRUTH, _axes, _grey, _legend_below, _sign, outline, parts
from .persistence import _marked, image_with_pairs, persistence_diagram

__all__ = ["gradient_step", "image_with_pull", "strongest"]

# Which way pixels are pulled: sign of the pull, name, marker, colour.
PULLS = ((1, "raised", "^", RAISED), (-1, "lowered", "v", LOWERED))

# Area of the largest and the smallest sign, in square points: what pulls a little stays visible.
# Where there are few signs, the smallest are larger: nothing stands in their way.
LARGEST, SMALLEST = 60.0, 15.0
FEW, SMALLEST_OF_FEW = 60, 30.0


def strongest(pull: np.ndarray, limit: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the `limit` pixels with the largest values above zero.

    The strongest come first, equal ones by flat index. `pull` is an (H, W) array, for instance a
    negative gradient.

    >>> rows, columns = strongest(np.array([[0.0, 2.0], [-1.0, 3.0]]))
    >>> rows.tolist(), columns.tolist()
    ([1, 0], [1, 1])
    """
    check_integer(limit, "limit", 1)
    flat = _check_pull(pull).ravel()
    positive = np.flatnonzero(flat > 0)
    order = np.argsort(-flat[positive], kind="stable")[:limit]
    rows, columns = np.unravel_index(positive[order], np.shape(pull))
    return rows, columns


def _check_pull(pull: Any) -> np.ndarray:
    """Return a pull as an array, or refuse what holds no finite numbers."""
    array = check_reals(pull, "pull")
    if array.dtype.kind not in "iuf":
        raise TypeError(f"pull must hold numbers; got the dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"pull holds {(~np.isfinite(array)).sum()} values that are NaN or infinite"
        )
    return array


def image_with_pull(
    image: Any, pull: Any, *, truth: Any = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show a likelihood with a sign on every pixel that a loss pulls at.

    `pull` is the negative gradient. The area of a sign grows with the pull, in proportion to the
    strongest one, from a smallest size on that can still be seen, which is larger where there are
    few signs. The legend says how many pixels are raised and lowered.

    >>> ax = image_with_pull([[0.9, 0.3, 0.6]], [[0.1, 0.7, -0.6]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 raised', '1 lowered']
    """
    array, force = check_image(image, ndim=2), _check_pull(pull)
    check_same_shape(array, force, ("image", "pull"))
    if truth is not None:
        truth = check_mask(truth, "truth", ndim=2)
        check_same_shape(array, truth, ("image", "truth"))
    ax = _axes(ax, (4.2, 4.4))
    _grey(ax, array, title)
    signs: list[Any] = []
    if truth is not None:
        ax.plot(*outline(truth), color=TRUTH, lw=1)
        signs.append(_sign("truth", ls="-", color=TRUTH))
    most = max(float(np.abs(force).max()), np.finfo(float).tiny)
    smallest = SMALLEST_OF_FEW if np.count_nonzero(force) <= FEW else SMALLEST
    for sign, name, marker, colour in PULLS:
        rows, columns = np.nonzero(sign * force > 0)
        area = np.maximum(LARGEST * np.abs(force[rows, columns]) / most, smallest)
        ax.scatter(columns, rows, area, marker=marker, color=colour, ec="black", lw=0.3, zorder=3)
        label = f"{len(rows)} {name}"
        signs.append(_sign(label, marker=marker, color=colour, mec="black", ms=7))
    _legend_below(ax, signs)
    return ax


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

    `image` is the likelihood at this `step`, counted from 0, `pull` its negative gradient, `values`
    the loss at each step. Marked are the 100 pixels that are raised most and the 100 that are
    lowered most.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> image = np.array([[0.9, 0.1, 0.6]])
    >>> truth, pull = image > 0, image - 0.5
    >>> figure = gradient_step(
    ...     image, persistence_pairs(image), pull, [1.0, 0.5], step=1, truth=truth, threshold=0.5
    ... )
    >>> figure.axes[2].get_title()
    'loss: 0.500 at step 1'
    """
    marked = _marked(pairs, selected)
    image, truth = check_image(image, ndim=2), check_mask(truth, "truth", ndim=2)
    pull = _check_pull(pull)
    check_same_shape(image, truth, ("image", "truth"))
    check_same_shape(image, pull, ("image", "pull"))
    check_fraction(threshold, "threshold")
    losses = check_reals(values, "values")
    if losses.ndim != 1 or not losses.size or not np.isfinite(losses).all():
        raise ValueError(f"values must be finite numbers in a row; got {values!r}")
    check_integer(step, "step", 0, len(losses) - 1)
    figure, (left, middle, right) = parts(3)
    image_with_pairs(image, marked, threshold=threshold, title="likelihood and pull", ax=left)
    left.plot(*outline(truth), color=TRUTH, lw=1.2)
    above = left.get_legend()
    signs: list[Any] = [] if above is None else [*above.legend_handles]
    signs.append(_sign("truth", ls="-", color=TRUTH))
    for sign, name, marker, colour in PULLS:
        rows, columns = strongest(sign * pull)
        style: dict[str, Any] = {"marker": marker, "color": colour, "mec": "black", "ms": 7}
        left.plot(columns, rows, ls="", mew=0.6, **style)
        signs.append(_sign(name, **style))
    _legend_below(left, signs)
    persistence_diagram(pairs, threshold=threshold, selected=selected, ax=middle)
    right.plot(range(len(values)), values, color="black")
    right.plot(step, values[step], "s", color="black", ms=8)
    title = f"loss: {values[step]:.3f} at step {step}"
    right.set(xlabel="step", ylabel="value of the loss", title=title)
    right.set_ylim(bottom=0)
    return figure
