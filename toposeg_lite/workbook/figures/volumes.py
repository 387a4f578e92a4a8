"""Figures of volumes: slices and blocks for a pencil, diagrams, skeletons in space.

Lines and points in space are arrays x, y, z of float32: columns, rows and slices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import binary_fill_holes

from ...checks import check_fraction, check_integer, check_same_shape
from ...topology.grid import check_image, check_mask
from ...topology.morse import MorseComplex, Skeleton
from ...topology.persistence import PersistencePairs
from .base import (
    BIRTH,
    COMPONENT,
    DEATH,
    HOLE,
    SUPERLEVEL,
    _axes,
    _check_axes,
    _check_few,
    _check_shape,
    _legend_below,
    _sign,
    pixel_values,
)
from .morse import SKELETON, _check_complex, lonely_peaks, path_lines
from .persistence import _check_pairs, _check_selected, _draw_diagram, image_with_pairs

__all__ = [
    "box_lines",
    "slice_frame",
    "slice_values",
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

    The volume has at most 12 voxels a side. The voxels of `mask`, by default those above 0, are
    yellow. The title is written above each slice, with its number.

    >>> figure = slice_values(np.eye(3)[None] / 2)
    >>> [ax.get_title() for ax in figure.axes]
    ['slice 0']
    >>> [text.get_text() for text in figure.axes[0].texts][:4]
    ['.5', '0', '0', '0']
    """
    array = _check_few(check_image(image, ndim=3), SMALL, "image")
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

    `mask` has at most 12 voxels a side; `ax` is an Axes3D. The box is that of the foreground. What
    it encloses on all sides is a green block, seen through pale walls.

    >>> ax = voxel_block(np.ones((1, 2, 3), bool), title="a plate")
    >>> ax.get_title(), ax.get_zlabel()
    ('a plate', 'slice')
    """
    array = _check_few(check_mask(mask, "mask", ndim=3), SMALL, "mask")
    drawn: Any = _check_axes(ax)
    if ax is None:
        drawn = Figure(figsize=(3.4, 3.6)).add_subplot(projection="3d")
    heap = array.transpose(2, 1, 0)  # columns to the right, rows to the back, slices upwards
    cavity = binary_fill_holes(heap) & ~heap
    # Walls around something are thin as glass, and what they hold is a dark block.
    alpha = 0.25 if cavity.any() else 0.75
    drawn.voxels(heap, facecolors=SUPERLEVEL, edgecolors="0.25", linewidth=0.8, alpha=alpha)
    if cavity.any():
        drawn.voxels(cavity, facecolors=CAVITY, edgecolors="black", linewidth=0.8)
    for axis, count in zip("xyz", heap.shape, strict=True):
        getattr(drawn, f"set_{axis}ticks")(np.arange(count) + 0.5, map(str, range(count)))
    # No empty frame around a low shape: the box is that of the foreground.
    for axis, places in zip("xyz", np.nonzero(heap), strict=True):
        low, high = (places.min(), places.max() + 1) if len(places) else (0, 1)
        getattr(drawn, f"set_{axis}lim")(low, high)
    sides = [np.ptp(places) + 1 if len(places) else 1 for places in np.nonzero(heap)]
    drawn.set_box_aspect(sides, zoom=0.86)  # the labels need room
    drawn.view_init(elev=28, azim=-58)
    drawn.tick_params(pad=-2, labelsize="small")
    drawn.set_xlabel("column", labelpad=-5)
    drawn.set_ylabel("row", labelpad=-5)
    drawn.set_zlabel("slice", labelpad=-7)
    drawn.set_title(title)
    return drawn


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

    The threshold is drawn as dashed lines; dots of features that are alive there are filled,
    without a threshold all are. The selected one has a ring.

    >>> from toposeg_lite.topology import persistence_pairs
    >>> shell = np.ones((3, 3, 3))
    >>> shell[1, 1, 1] = 0.2
    >>> ax = volume_diagram(persistence_pairs(shell))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['1 component', '0 tunnels', '1 cavity']
    """
    _check_selected(selected, _check_pairs(pairs))
    if threshold is not None:
        check_fraction(threshold, "threshold")
    ax = _axes(ax, (4.2, 4.2))
    style: dict[str, Any] = {"line_width": 1.2, "alpha": 0.85, "ring": (13, 1.5)}
    signs = _draw_diagram(ax, pairs, VOLUME_KINDS, threshold, selected, **style)
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="birth", ylabel="death", title=title)
    ax.set_aspect("equal")
    _legend_below(ax, signs)
    return ax


# --- Skeletons -------------------------------------------------------------------------------


def box_lines(shape: tuple[int, int, int]) -> Lines:
    """Return the twelve edges of a volume of shape (D, H, W) as x, y, z, with NaN after each edge.

    >>> x, y, z = box_lines((2, 3, 4))
    >>> len(x), np.nanmax(x), np.nanmax(y), np.nanmax(z)
    (36, np.float32(3.5), np.float32(2.5), np.float32(1.5))
    """
    sides = np.array(_check_shape(shape, (3,))) - 0.5
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
    """Return the rim of the slice at this position in a volume of shape (D, H, W) as x, y, z.

    >>> x, y, z = slice_frame((2, 3, 4), 1)
    >>> x.tolist(), set(z.tolist())
    ([-0.5, 3.5, 3.5, -0.5, -0.5], {1.0})
    """
    depth, height, width = _check_shape(shape, (3,))
    check_integer(position, "position", 0, depth - 1)
    right, front = width - 0.5, height - 0.5
    x = np.array([-0.5, right, right, -0.5, -0.5], np.float32)
    y = np.array([-0.5, -0.5, front, front, -0.5], np.float32)
    return x, y, np.full(5, position, np.float32)


def _draw_slice(
    ax: Axes,
    array: np.ndarray,
    skeleton: Skeleton,
    ends: list[tuple[str, str, str, tuple[int, ...]]],
    *,
    position: int,
    threshold: float,
) -> None:
    """Draw one slice: superlevel set, skeleton voxels, and those ends of a pair that lie in it."""
    image_with_pairs(array[position], threshold=threshold, title=f"slice {position}", ax=ax)
    rows, columns = np.nonzero(skeleton.mask[position])
    signs = [_sign(f"at or above {threshold:.2f}", marker="s", ms=9, color=SUPERLEVEL)]
    signs += ax.plot(columns, rows, ls="", marker="o", mfc=SKELETON, mec="black", label="skeleton")
    for sign, label, colour, place in ends:
        if place[0] == position:
            ax.plot(*place[:0:-1], ls="", marker=sign, ms=9, mfc=colour, mec="black", label=label)
    if ends:
        signs += [_sign(name, marker=sign, mfc=c, mec="black") for sign, name, c in PAIR_SIGNS]
    _legend_below(ax, signs, columns=2)


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
    """Show one slice of a volume beside its skeleton in space, which throws a grey shadow.

    In the slice the skeleton's voxels are orange dots; in space the slice is a black frame. The
    threshold is also the saddle level of the skeleton, which so lies within the superlevel set. The
    voxels of the selected pair are marked, in the slice if they lie in it.

    >>> from toposeg_lite.topology import morse_complex, persistence_pairs
    >>> image = np.array([[[0.9, 0.2, 0.7]]])
    >>> pairs = persistence_pairs(image, connectivity=1)
    >>> figure = volume_summary(image, morse_complex(image), pairs, position=0)
    >>> [ax.get_title() for ax in figure.axes]
    ['slice 0', 'skeleton and its shadow']
    """
    array = check_image(image, ndim=3)
    _check_complex(complex_, array)
    level = check_fraction(threshold, "threshold")
    check_fraction(min_persistence, "min_persistence")
    check_integer(position, "position", 0, len(array) - 1)
    ends = _pair_signs(array.shape, _check_pairs(pairs), selected)
    skeleton = complex_.skeleton(min_persistence, level)
    figure = Figure(figsize=(10.4, 5.4))
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.2], left=0.055, right=0.97, bottom=0.19,
                               top=0.93, wspace=0.04)  # fmt: skip
    left = figure.add_subplot(grid[0])
    _draw_slice(left, array, skeleton, ends, position=position, threshold=level)
    right: Any = figure.add_subplot(grid[1], projection="3d")
    right.plot(*box_lines(array.shape), color="0.8", lw=0.8)
    right.plot(*slice_frame(array.shape, position), color="black", lw=1.2)
    lines = path_lines(skeleton.paths, array.shape)
    floor = np.where(np.isnan(lines[2]), np.nan, -0.5)
    right.plot(*lines[:2], floor, color="0.6", lw=1.2)  # a shadow, so that one sees depth
    right.plot(*lines, color=SKELETON, lw=2)
    right.plot(*lonely_peaks(skeleton), ls="", marker="o", ms=3, color=SKELETON)
    for sign, _, colour, (z, y, x) in ends:
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
