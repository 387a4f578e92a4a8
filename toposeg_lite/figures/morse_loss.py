"""A figure of where a loss on structures pulls: every pixel of them, large where it pulls hard."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..checks import check_same_shape
from ..topology.grid import check_image, check_mask
from .base import LOWERED, RAISED, TRUTH, _axes, _grey, _legend_below
from .gradient import outline

__all__ = ["image_with_pull"]

# Area of the largest and the smallest sign, in square points: what pulls a little stays visible.
LARGEST, SMALLEST = 45.0, 8.0


def image_with_pull(
    image: Any, pull: Any, *, truth: Any = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Show a likelihood with a sign on every pixel that a loss pulls at.

    Parameters
    ----------
    image : (H, W) array of float or bool
        The likelihood.
    pull : (H, W) array of float
        The negative gradient. Pixels above zero carry a green triangle that points up, those below
        zero a purple one that points down. Its area grows with the pull, in proportion to the
        strongest one, from a smallest size on that can still be seen.
    truth : (H, W) array of bool, optional
        The target, to be outlined.
    title : str
        Written above.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        Its legend says how many pixels are raised and lowered.

    Raises
    ------
    TypeError, ValueError
        If the image is no likelihood, or an argument has another shape or holds NaN.

    Examples
    --------
    >>> ax = image_with_pull([[0.9, 0.3, 0.6]], [[0.1, 0.7, -0.6]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['2 raised', '1 lowered']
    """
    array, force = check_image(image, ndim=2), np.asarray(pull)
    if force.dtype.kind not in "iuf":
        raise TypeError(f"pull must hold numbers; got the dtype {force.dtype}")
    check_same_shape(array, force, ("image", "pull"))
    if not np.isfinite(force).all():
        raise ValueError(
            f"pull holds {(~np.isfinite(force)).sum()} values that are NaN or infinite"
        )
    ax = _axes(ax, (4.2, 4.4))
    _grey(ax, array, title)
    signs: list[Any] = []
    if truth is not None:
        mask = check_mask(truth, "truth", ndim=2)
        check_same_shape(array, mask, ("image", "truth"))
        ax.plot(*outline(mask), color=TRUTH, lw=1)
        signs.append(Line2D([], [], color=TRUTH, label="truth"))
    most = max(float(np.abs(force).max()), np.finfo(float).tiny)
    for sign, name, marker, colour in ((1, "raised", "^", RAISED), (-1, "lowered", "v", LOWERED)):
        rows, columns = np.nonzero(sign * force > 0)
        area = np.maximum(LARGEST * np.abs(force[rows, columns]) / most, SMALLEST)
        ax.scatter(columns, rows, area, marker=marker, color=colour, ec="black", lw=0.3, zorder=3)
        style: dict[str, Any] = {"marker": marker, "color": colour, "mec": "black", "ms": 7}
        signs.append(Line2D([], [], ls="", label=f"{len(rows)} {name}", **style))
    _legend_below(ax, signs)
    return ax
