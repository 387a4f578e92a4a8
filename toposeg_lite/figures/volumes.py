"""Figures of volumes: slices and blocks for a pencil, diagrams, skeletons in space."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..checks import check_fraction, check_integer, check_same_shape
from ..topology.grid import check_image, check_mask
from ..topology.morse import MorseComplex, Skeleton
from ..topology.persistence import PersistencePairs
from .base import (
    BIRTH,
    COMPONENT,
    DEATH,
    HOLE,
    SUPERLEVEL,
    _axes,
    _legend_below,
    pixel_values,
)
from .morse import SKELETON
from .persistence import _check_pairs, _check_selected, alive, image_with_pairs

__all__ = [
    "CAVITY",
    "VOLUME_KINDS",
    "box_lines",
    "skeleton_lines",
    "skeleton_points",
    "slice_frame",
    "slice_values",
    "slice_with_skeleton",
    "volume_diagram",
    "volume_summary",
    "voxel_block",
]

CAVITY = "#009E73"  # bluish green

VOLUME_KINDS = (
    (0, "component", COMPONENT, "o"),
    (1, "tunnel", HOLE, "^"),
    (2, "cavity", CAVITY, "s"),
)

SMALL = 12  # voxels a side that can be drawn one by one

Lines = tuple[np.ndarray, np.ndarray, np.ndarray]


# --- Small volumes ---------------------------------------------------------------------------


def slice_values(image: Any, *, mask: Any = None, title: str = "slice") -> Figure:
    """Draw a small volume slice by slice as tables of numbers, to be worked on with a pencil.

    Parameters
    ----------
    image : (D, H, W) array of float or bool
        A likelihood with at most 12 voxels a side.
    mask : (D, H, W) array of bool, optional
        Voxels to paint yellow. Default: the voxels above 0.
    title : str
        Written above each slice, with its number.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If `image` is no small likelihood, or `mask` has another shape.

    Examples
    --------
    >>> figure = slice_values(np.eye(3)[None] / 2)
    >>> [ax.get_title() for ax in figure.axes]
    ['slice 0']
    >>> [text.get_text() for text in figure.axes[0].texts][:4]
    ['.5', '0', '0', '0']
    """
    array = _check_small(check_image(image, ndim=3))
    inside = array > 0 if mask is None else check_mask(mask, ndim=3)
    check_same_shape(array, inside, ("image", "mask"))
    depth, height, width = array.shape
    size = (depth * (0.5 * width + 0.75), 0.5 * height + 0.85)
    figure = Figure(figsize=size, layout="constrained")
    for k, ax in enumerate(figure.subplots(1, depth, squeeze=False)[0]):
        pixel_values(array[k], mask=inside[k], title=f"{title} {k}", ax=ax)
    return figure


def voxel_block(mask: Any, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a small mask as a heap of cubes, seen from above, so that slice 0 is at the bottom.

    Parameters
    ----------
    mask : (D, H, W) array of bool, or of the numbers 0 and 1
        At most 12 voxels a side.
    title : str
        Written above.
    ax : matplotlib Axes3D, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If `mask` is no small mask of three axes.

    Examples
    --------
    >>> ax = voxel_block(np.ones((1, 2, 3), bool), title="a plate")
    >>> ax.get_title(), ax.get_zlabel()
    ('a plate', 'slice')
    """
    array = _check_small(check_mask(mask, "mask", ndim=3))
    drawn: Any = ax if ax is not None else _axes_3d((3.4, 3.6))
    heap = array.transpose(2, 1, 0)  # columns to the right, rows to the back, slices upwards
    drawn.voxels(heap, facecolors=SUPERLEVEL, edgecolors="0.25", linewidth=0.8, alpha=0.75)
    for axis, count in zip("xyz", heap.shape, strict=True):
        getattr(drawn, f"set_{axis}ticks")(np.arange(count) + 0.5, map(str, range(count)))
        getattr(drawn, f"set_{axis}lim")(0, count)
    drawn.set_box_aspect(heap.shape, zoom=0.86)  # the labels need room
    drawn.view_init(elev=28, azim=-58)
    drawn.tick_params(pad=-2, labelsize="small")
    drawn.set_xlabel("column", labelpad=-5)
    drawn.set_ylabel("row", labelpad=-5)
    drawn.set_zlabel("slice", labelpad=-7)
    drawn.set_title(title)
    return drawn


def _check_small(array: np.ndarray) -> np.ndarray:
    """Refuse volumes whose voxels would be too small to be told apart."""
    if max(array.shape) > SMALL:
        raise ValueError(f"a drawing has at most {SMALL} voxels a side; got shape {array.shape}")
    return array


def _axes_3d(size: tuple[float, float]) -> Any:
    """Return the only axes of a new figure, three-dimensional."""
    return Figure(figsize=size).add_subplot(projection="3d")


# --- Diagrams --------------------------------------------------------------------------------


def volume_diagram(
    pairs: PersistencePairs,
    *,
    threshold: float | None = None,
    selected: int | None = None,
    title: str = "persistence diagram",
    ax: Axes | None = None,
) -> Axes:
    """Draw the pairs of a volume as dots: components, tunnels and cavities.

    Parameters
    ----------
    pairs : PersistencePairs
        Of a volume.
    threshold : float, optional
        Drawn as dashed lines; dots of features that are alive there are filled. Default: none, and
        all dots are filled.
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
        If `pairs` is something else, or an option is out of range.

    Examples
    --------
    >>> from toposeg_lite.topology import persistence_pairs
    >>> shell = np.ones((3, 3, 3))
    >>> shell[1, 1, 1] = 0.2
    >>> ax = volume_diagram(persistence_pairs(shell))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['1 component', '0 tunnels', '1 cavity']
    """
    _check_pairs(pairs)
    _check_selected(selected, pairs)
    living = np.ones(len(pairs), bool)
    ax = _axes(ax, (4.2, 4.2))
    ax.plot([0, 1], [0, 1], color="0.5", lw=1)
    if threshold is not None:
        t = check_fraction(threshold, "threshold")
        living = alive(pairs, t)
        ax.plot([t, t, 1.03], [-0.03, t, t], color="black", ls="--", lw=1.2)
    signs = []
    for dimension, name, colour, marker in VOLUME_KINDS:
        kind = pairs.dimension == dimension
        for some, face in ((kind & ~living, "none"), (kind & living, colour)):
            ax.plot(pairs.birth[some], pairs.death[some], ls="", marker=marker, ms=6, mec=colour,
                    mfc=face, alpha=0.85, clip_on=False)  # fmt: skip
        count = int(kind.sum())
        plural = name if count == 1 else name[:-1] + "ies" if name[-1] == "y" else name + "s"
        label = f"{count} {plural}"
        signs.append(Line2D([], [], ls="", marker=marker, color=colour, label=label))
    if selected is not None:
        dot = pairs.birth[selected], pairs.death[selected]
        ax.plot(*dot, "o", ms=13, mfc="none", mec="black", mew=1.5, clip_on=False)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="birth", ylabel="death", title=title)
    ax.set_aspect("equal")
    _legend_below(ax, signs)
    return ax


# --- Skeletons -------------------------------------------------------------------------------


def skeleton_lines(skeleton: Skeleton) -> Lines:
    """Return the paths of a volume's skeleton as lines to plot.

    Parameters
    ----------
    skeleton : Skeleton
        Of a volume.

    Returns
    -------
    x, y, z : arrays of float32
        Columns, rows and slices, with NaN after each path.

    Raises
    ------
    TypeError, ValueError
        If there is no skeleton, or it is that of an image with two axes.

    Examples
    --------
    >>> from toposeg_lite.topology import morse_complex
    >>> x, y, z = skeleton_lines(morse_complex([[[0.9, 0.2, 0.7]]]).skeleton())
    >>> x.tolist(), y.tolist(), z.tolist()
    ([0.0, 1.0, 2.0, nan], [0.0, 0.0, 0.0, nan], [0.0, 0.0, 0.0, nan])
    """
    shape = _check_skeleton(skeleton).mask.shape
    if not skeleton.paths:
        return (np.zeros(0, np.float32),) * 3
    ends = np.cumsum([len(path) for path in skeleton.paths])
    voxels = np.unravel_index(np.concatenate(skeleton.paths), shape)
    z, y, x = (np.insert(axis.astype(np.float32), ends, np.nan) for axis in voxels)
    return x, y, z


def skeleton_points(skeleton: Skeleton) -> Lines:
    """Return the voxels of a volume's skeleton that no path leads to: peaks on their own.

    Parameters
    ----------
    skeleton : Skeleton
        Of a volume.

    Returns
    -------
    x, y, z : arrays of float32
        Columns, rows and slices.

    Raises
    ------
    TypeError, ValueError
        If there is no skeleton, or it is that of an image with two axes.

    Examples
    --------
    >>> from toposeg_lite.topology import morse_complex
    >>> skeleton = morse_complex([[[0.9, 0.2, 0.7]]]).skeleton(saddle_level=0.5)
    >>> [axis.tolist() for axis in skeleton_points(skeleton)]
    [[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    """
    shape = _check_skeleton(skeleton).mask.shape
    lonely = np.setdiff1d(np.arange(len(skeleton.nodes)), skeleton.edges)
    z, y, x = np.unravel_index(skeleton.nodes[lonely], shape)
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def _check_skeleton(skeleton: Any) -> Skeleton:
    """Refuse what is no skeleton of a volume."""
    if not isinstance(skeleton, Skeleton):
        raise TypeError(f"skeleton must be made by a MorseComplex; got {type(skeleton).__name__}")
    if skeleton.mask.ndim != 3:
        raise ValueError(f"skeleton must be of a volume; got one of shape {skeleton.mask.shape}")
    return skeleton


def box_lines(shape: tuple[int, int, int]) -> Lines:
    """Return the twelve edges of a volume as lines to plot.

    Parameters
    ----------
    shape : (int, int, int)
        Depth, height and width, each at least 1.

    Returns
    -------
    x, y, z : arrays of float32
        Columns, rows and slices, with NaN after each edge.

    Raises
    ------
    TypeError, ValueError
        If `shape` is something else.

    Examples
    --------
    >>> x, y, z = box_lines((2, 3, 4))
    >>> len(x), np.nanmax(x), np.nanmax(y), np.nanmax(z)
    (36, np.float32(3.5), np.float32(2.5), np.float32(1.5))
    """
    if len(shape) != 3:
        raise ValueError(f"shape must have three entries; got {shape!r}")
    sides = np.array([check_integer(side, "each of shape", 1) for side in shape]) - 0.5
    corners = np.array(list(np.ndindex(2, 2, 2)))
    edges = [
        [*np.where(corner, sides, -0.5), *np.where(corner + step, sides, -0.5), *[np.nan] * 3]
        for step in np.eye(3, dtype=int)
        for corner in corners
        if not (corner @ step)
    ]
    z, y, x = np.array(edges, np.float32).reshape(-1, 3).T
    return x, y, z


def slice_frame(shape: tuple[int, ...], position: int) -> Lines:
    """Return the rim of one slice of a volume as a line to plot.

    Parameters
    ----------
    shape : (int, int, int)
        Depth, height and width.
    position : int
        The number of the slice.

    Returns
    -------
    x, y, z : arrays of float32
        Columns, rows and slices.

    Examples
    --------
    >>> x, y, z = slice_frame((2, 3, 4), 1)
    >>> x.tolist(), set(z.tolist())
    ([-0.5, 3.5, 3.5, -0.5, -0.5], {1.0})
    """
    right, front = shape[2] - 0.5, shape[1] - 0.5
    x = np.array([-0.5, right, right, -0.5, -0.5], np.float32)
    y = np.array([-0.5, -0.5, front, front, -0.5], np.float32)
    return x, y, np.full(5, position, np.float32)


def slice_with_skeleton(
    image: Any,
    skeleton: Skeleton,
    pairs: PersistencePairs | None = None,
    *,
    position: int,
    threshold: float,
    selected: int | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show one slice of a volume: superlevel set, skeleton voxels, and those of a marked pair.

    Parameters
    ----------
    image : (D, H, W) array of float or bool
        The likelihood.
    skeleton : Skeleton
        Of this volume; its voxels in the slice are orange dots.
    pairs : PersistencePairs, optional
        Of this volume; needed for `selected`.
    position : int
        The number of the slice.
    threshold : float
        The superlevel set lies over the slice in yellow.
    selected : int, optional
        The position of a pair. Its birth voxel is drawn if it lies in this slice, and so is its
        death voxel.
    title : str, optional
        Written above. Default: the number of the slice.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If image and skeleton have different shapes, or an option is out of range.

    Examples
    --------
    >>> from toposeg_lite.topology import morse_complex
    >>> image = np.array([[[0.9, 0.2, 0.7]]])
    >>> skeleton = morse_complex(image).skeleton()
    >>> ax = slice_with_skeleton(image, skeleton, position=0, threshold=0.5)
    >>> ax.get_title(), ax.lines[0].get_xdata().tolist()
    ('slice 0', [0, 1, 2])
    """
    array = check_image(image, ndim=3)
    check_same_shape(array, _check_skeleton(skeleton).mask, ("image", "skeleton.mask"))
    if check_integer(position, "position") >= len(array):
        raise ValueError(f"position must be 0 to {len(array) - 1}; got {position}")
    name = f"slice {position}" if title is None else title
    ax = _axes(ax, (4.4, 4.6))
    image_with_pairs(
        array[position], threshold=check_fraction(threshold, "threshold"), title=name, ax=ax
    )
    rows, columns = np.nonzero(skeleton.mask[position])
    ax.plot(columns, rows, ls="", marker="o", ms=6, mfc=SKELETON, mec="black", label="skeleton")
    for sign, label, colour, place in _pair_signs(array.shape, pairs, selected):
        if place[0] == position:
            ax.plot(*place[:0:-1], ls="", marker=sign, ms=9, mfc=colour, mec="black", label=label)
    above = f"at or above {threshold:.2f}"
    signs = [
        Line2D([], [], ls="", marker="s", ms=9, color=SUPERLEVEL, label=above),
        Line2D([], [], ls="", marker="o", mfc=SKELETON, mec="black", label="skeleton"),
    ]
    if selected is not None:
        for sign, label, colour in PAIR_SIGNS:
            signs.append(Line2D([], [], ls="", marker=sign, mfc=colour, mec="black", label=label))
    ax.legend(handles=signs, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2,
              fontsize="small", frameon=False, columnspacing=1, handletextpad=0.2)  # fmt: skip
    return ax


PAIR_SIGNS = (("D", "birth voxel", BIRTH), ("X", "death voxel", DEATH))


def _pair_signs(
    shape: tuple[int, ...], pairs: PersistencePairs | None, selected: int | None
) -> list[tuple[str, str, str, tuple[int, ...]]]:
    """Return (marker, label, colour, voxel) of a pair's ends; an essential one has no death."""
    if selected is None:
        return []
    known = _check_pairs(pairs)
    _check_selected(selected, known)
    ends = int(known.birth_index[selected]), int(known.death_index[selected])
    places = [tuple(int(k) for k in np.unravel_index(max(end, 0), shape)) for end in ends]
    rows = zip(PAIR_SIGNS, places, ends, strict=True)
    return [(*sign, place) for sign, place, end in rows if end >= 0]


def volume_summary(
    image: Any,
    complex_: MorseComplex,
    pairs: PersistencePairs,
    *,
    position: int,
    threshold: float = 0.5,
    min_persistence: float = 0.0,
    selected: int | None = None,
) -> Figure:
    """Show one slice of a volume beside its skeleton in space.

    Parameters
    ----------
    image : (D, H, W) array of float or bool
        The likelihood.
    complex_ : MorseComplex
        What `morse_complex` made of it.
    pairs : PersistencePairs
        Of this volume.
    position : int
        The number of the slice, which is a grey frame in space.
    threshold : float
        Of the superlevel set, and the saddle level of the skeleton, which so lies within the set.
        In space the skeleton throws a grey shadow on the floor of the volume.
    min_persistence : float
        Of the skeleton.
    selected : int, optional
        The position of a pair whose birth and death voxel are marked.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If complex or pairs are something else or of another volume, or an option is out of range.

    Examples
    --------
    >>> from toposeg_lite.topology import morse_complex, persistence_pairs
    >>> image = np.array([[[0.9, 0.2, 0.7]]])
    >>> pairs = persistence_pairs(image, connectivity=1)
    >>> figure = volume_summary(image, morse_complex(image), pairs, position=0)
    >>> [ax.get_title() for ax in figure.axes]
    ['slice 0', 'skeleton and its shadow']
    """
    array = check_image(image, ndim=3)
    if not isinstance(complex_, MorseComplex):
        raise TypeError(f"complex_ must be made by morse_complex; got {type(complex_).__name__}")
    level = check_fraction(threshold, "threshold")
    skeleton = complex_.skeleton(check_fraction(min_persistence, "min_persistence"), level)
    figure = Figure(figsize=(10.4, 5.4))
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.2], left=0.055, right=0.97, bottom=0.19,
                               top=0.93, wspace=0.04)  # fmt: skip
    options: dict[str, Any] = {"position": position, "threshold": level, "selected": selected}
    left = figure.add_subplot(grid[0])
    slice_with_skeleton(array, skeleton, pairs, **options, ax=left)
    right: Any = figure.add_subplot(grid[1], projection="3d")
    right.plot(*box_lines(array.shape), color="0.8", lw=0.8)
    right.plot(*slice_frame(array.shape, position), color="black", lw=1.2)
    lines = skeleton_lines(skeleton)
    floor = np.where(np.isnan(lines[2]), np.nan, -0.5)
    right.plot(*lines[:2], floor, color="0.6", lw=1.2)  # a shadow, so that one sees depth
    right.plot(*lines, color=SKELETON, lw=2)
    right.plot(*skeleton_points(skeleton), ls="", marker="o", ms=3, color=SKELETON)
    for sign, _, colour, (z, y, x) in _pair_signs(array.shape, pairs, selected):
        right.plot([x], [y], [z], ls="", marker=sign, ms=9, mfc=colour, mec="black", zorder=9)
    depth, height, width = array.shape
    right.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), zlim=(-0.5, depth - 0.5))
    right.grid(False)
    right.set_box_aspect((width, height, depth), zoom=1.06)
    right.view_init(elev=24, azim=-60)
    right.tick_params(pad=-1, labelsize="small")
    right.set_xlabel("column", labelpad=-3)
    right.set_ylabel("row", labelpad=-3)
    right.set_zlabel("slice", labelpad=-5)
    right.set_title("skeleton and its shadow")
    return figure
