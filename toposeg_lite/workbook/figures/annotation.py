"""Figures of an annotation: the image with its accepted, rejected and open branches, the mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ...checks import check_integer, check_reals
from ...topology.components import betti_numbers
from .base import HOLE, LOWERED, RAISED, TRUTH, _axes, _check_paths
from .morse import path_lines
from .words import count

if TYPE_CHECKING:
    from ...annotation import AnnotationSession

__all__ = ["BRANCH_KINDS", "annotated_image", "annotation_summary", "picture_colours"]

#: How branches are drawn: name, decision, colour, width, dashes. Colour and line style both differ.
BRANCH_KINDS: tuple[tuple[str, int, str, float, Any], ...] = (
    ("open", 0, "#FFFFFF", 1.3, (0, (3, 2))),
    ("rejected", -1, LOWERED, 2.2, (0, (2, 1.2))),
    ("accepted", 1, RAISED, 2.6, "-"),
)


def picture_colours(image: Any) -> np.ndarray:
    """Return an image as colours that a screen can show: an (H, W, 3) array of uint8.

    `image` is an (H, W) or (channels, H, W) array of any numbers. Three channels are red, green and
    blue; of any other number the mean is shown in grey. Stretched, so that the lowest value of all
    is 0 and the highest 255; values that are all the same are 0.

    >>> picture_colours([[-1.0, 0.0, 1.0]])[..., 0]
    array([[  0, 128, 255]], dtype=uint8)
    """
    array = _check_picture(image, "image")
    if array.ndim == 3 and len(array) == 3:
        colours = np.moveaxis(array, 0, -1)
    else:
        grey = array if array.ndim == 2 else array.mean(axis=0)
        colours = np.repeat(grey[..., None], 3, axis=2)
    low, high = colours.min(), colours.max()
    scale = 255 / (high - low) if high > low else 0.0
    return np.floor((colours - low) * scale + 0.5).astype(np.uint8)


def _check_picture(image: Any, name: str) -> np.ndarray:
    """Return an image of any channels as an array, or refuse it."""
    array = np.asarray(check_reals(image, name), np.float64)
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{name} must have shape (H, W) or (channels, H, W); got shape {array.shape}"
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers, and one at least")
    return array


def annotated_image(
    image: Any,
    paths: Sequence[np.ndarray],
    decisions: Any,
    *,
    drawn: Iterable[np.ndarray] = (),
    erased: Iterable[np.ndarray] = (),
    chosen: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw an image with its branches: accepted, rejected, or still open.

    The image is one of `picture_colours`. The title counts the branches of each kind.

    Parameters
    ----------
    decisions : (n,) array of int
        For each path 1 (accepted: a wide green line), -1 (rejected: a dotted purple one with a
        cross) or 0 (open: a dashed white one).
    drawn, erased : iterable of int arrays
        The middle lines of strokes by hand: sky blue, and vermilion and dash-dotted.
    chosen : int, optional
        The number of the branch that is asked about, from 0: it has a black and white frame.

    Examples
    --------
    >>> ax = annotated_image(np.eye(3), [np.array([0, 4, 8]), np.array([2])], [1, 0])
    >>> ax.get_title()
    '1 accepted, 0 rejected, 1 open'
    """
    colours = picture_colours(image)
    shape = colours.shape[:2]
    paths = _check_paths(paths, shape)
    drawn, erased = _check_paths(drawn, shape, "drawn"), _check_paths(erased, shape, "erased")
    decided = check_reals(decisions, "decisions")
    if decided.shape != (len(paths),) or not np.isin(decided, (-1, 0, 1)).all():
        raise ValueError(
            f"decisions must be -1, 0 or 1 for each of the {len(paths)} paths; got {decisions!r}"
        )
    if chosen is not None:
        check_integer(chosen, "chosen", 0, len(paths) - 1)
    signs: list[Any] = []
    ax = _axes(ax, (5.2, 5.6))
    ax.imshow(colours, interpolation="nearest")
    if chosen is not None:
        line = path_lines([paths[chosen]], shape)
        marker = "s" if len(paths[chosen]) == 1 else ""
        for colour, width in (("black", 8.0), ("white", 5.5)):
            ax.plot(*line, color=colour, lw=width, marker=marker, ms=width, solid_capstyle="round")
    for name, decision, colour, width, dashes in BRANCH_KINDS:
        some = [path for path, d in zip(paths, decided, strict=True) if d == decision]
        edge = "white" if decision == 1 else "black"
        halo = [withStroke(linewidth=width + 1.2, foreground=edge)]
        style: dict[str, Any] = {"color": colour, "lw": width, "path_effects": halo}
        ax.plot(*path_lines(some, shape), ls=dashes, **style)
        if lone := [path for path in some if len(path) == 1]:
            ax.plot(*path_lines(lone, shape), ls="", marker="o", ms=3, **style)
        sign: dict[str, Any] = {"marker": "", "ls": dashes, "label": name}
        if decision == -1:
            middles = [path[len(path) // 2 :][:1] for path in some]
            cross: dict[str, Any] = {"marker": "x", "ms": 5, "mew": 1.6}
            ax.plot(*path_lines(middles, shape), ls="", **cross, **style)
            sign |= cross
        signs.append(Line2D([], [], **sign, **style))
    for name, strokes, colour, dashes in (
        ("drawn", drawn, TRUTH, "-"),
        ("erased", erased, HOLE, "-."),
    ):
        if strokes:
            line = path_lines(strokes, shape)
            marker = "." if any(len(path) == 1 for path in strokes) else ""
            halo = [withStroke(linewidth=3.2, foreground="black")]
            signs += ax.plot(
                *line, color=colour, lw=1.8, ls=dashes, marker=marker, label=name, path_effects=halo
            )
    if chosen is not None:
        halo = [withStroke(linewidth=6, foreground="black")]
        signs.append(Line2D([], [], color="white", lw=4, label="asked now", path_effects=halo))
    counts = [np.count_nonzero(decided == d) for d in (1, -1, 0)]
    title = "{} accepted, {} rejected, {} open".format(*counts)
    ax.set(xlabel="column", ylabel="row", title=title)
    ax.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5))
    ax.legend(
        handles=signs, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4.2, ncols=4,
        fontsize="small", handlelength=3, columnspacing=1.2, facecolor="0.85",
    )  # fmt: skip
    return ax


def annotation_summary(
    session: AnnotationSession, *, picture: Any = None, chosen: int | None = None
) -> Figure:
    """Show the state of an annotation session: what is decided, and the mask it makes.

    The session is one of an image. `picture` is shown in place of that image; `chosen` is the
    number of the branch that is asked about, from 0.

    >>> from toposeg_lite.annotation import AnnotationSession
    >>> session = AnnotationSession(np.eye(5), np.eye(5))
    >>> [ax.get_title() for ax in annotation_summary(session).axes]
    ['0 accepted, 0 rejected, 1 open', 'the mask: 1 component, 0 holes']
    """
    from ...annotation import AnnotationSession  # with what it needs; drawing alone does not

    if not isinstance(session, AnnotationSession):
        raise TypeError(f"session must be an AnnotationSession; got {type(session).__name__}")
    if len(session.shape) != 2:
        raise ValueError(f"session must be one of an image; its volume has shape {session.shape}")
    if picture is not None:
        picture = _check_picture(picture, "picture")
    figure = Figure(figsize=(9.6, 5.2))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.2, top=0.93, wspace=0.16)
    left, right = figure.subplots(1, 2)
    strokes = session.strokes
    annotated_image(
        session.image if picture is None else picture,
        session.branches.paths,
        session.decisions,
        drawn=[stroke.path for stroke in strokes if stroke.drawn],
        erased=[stroke.path for stroke in strokes if not stroke.drawn],
        chosen=chosen,
        ax=left,
    )
    mask = session.mask()
    right.imshow(mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    components, holes = betti_numbers(mask, connectivity=session.settings["connectivity"])
    counts = f"{count(components, 'component')}, {count(holes, 'hole')}"
    right.set(xlabel="column", title=f"the mask: {counts}")
    return figure
