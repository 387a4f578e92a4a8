"""Figures of predictions: what is wrong in their topology, and how the training went.

Every kind of difference has its own sign and its own colour (those of Okabe and Ito), so that no
meaning hangs on colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ...data import Sample
from ...differences import Difference

if TYPE_CHECKING:  # a page of other explorers should not wait for it
    import pandas as pd

__all__ = ["SIGNS", "comparison_figure", "mask_differences_figure", "training_figure"]

#: Marker, colour and whether it is filled, for each kind of difference.
SIGNS = {
    "break": ("X", "#D55E00", True),
    "spurious component": ("^", "#CC79A7", True),
    "false merge": ("s", "#0072B2", True),
    "missing component": ("v", "#E69F00", True),
    "false hole": ("o", "#56B4E9", False),
    "missing hole": ("D", "#009E73", False),
}
FOUND, MISSED = 0.9, 0.42  # greys of a mask, and of what it misses; black is 0
_LINES = ("-", "--", ":", "-.")
_COLOURS = tuple(face for _, face, _ in SIGNS.values())
MEAN_OVER = 25  # steps


def _flat(array: np.ndarray, ndim: int) -> np.ndarray:
    """Return what is shown of an array: an image as it is, a volume as its brightest slices."""
    return array.max(axis=0) if ndim == 3 else array


def comparison_figure(
    samples: Sequence[Sample],
    predictions: Mapping[str, Sequence[np.ndarray]],
    differences: Mapping[str, Sequence[Sequence[Difference]]],
    *,
    side: float = 3.2,
) -> Figure:
    """Show images, references and predictions side by side and mark where the topology differs.

    Each sample is a row; volumes are shown as projections along their first axis. Each name is a
    column, `side` inches wide: `predictions` has a mask for each sample under it, in light grey
    (what it misses of the reference is dark grey), and `differences` what `topology_differences`
    finds in each mask. Pixels that a sample ignores are grey in its reference.

    Examples
    --------
    >>> from toposeg_lite.differences import topology_differences
    >>> truth = np.eye(8, dtype=bool)
    >>> prediction = truth & (np.arange(8) != 4)
    >>> differences = topology_differences(prediction, truth)
    >>> sample = Sample("line", truth[None].astype(np.float32), truth)
    >>> figure = comparison_figure([sample], {"mine": [prediction]}, {"mine": [differences]})
    >>> [axes.get_title() for axes in figure.axes]
    ['image: line', 'reference', 'mine: 1 difference']
    """
    if not samples:
        raise ValueError("samples are empty: there is nothing to show")
    for name, masks in predictions.items():
        if not len(samples) == len(masks) == len(differences.get(name, ())):
            raise ValueError(f"{name!r} must have a mask and a list of differences for each sample")
    ndim = samples[0].mask.ndim
    heights = [_flat(s.mask, ndim).shape[0] / _flat(s.mask, ndim).shape[1] for s in samples]
    figure = Figure(
        figsize=(side * (2 + len(predictions)), (side + 0.2) * sum(heights) + 0.6),
        layout="constrained",
    )
    grid = figure.subplots(len(samples), 2 + len(predictions), squeeze=False, height_ratios=heights)
    for row, (axes, sample) in enumerate(zip(grid, samples, strict=True)):
        image = _flat(np.moveaxis(sample.image, 0, -1), ndim)
        colour = image if image.shape[-1] == 3 else image.mean(axis=-1)
        axes[0].imshow(colour, cmap="gray", vmin=0, vmax=1)
        axes[0].set_title(f"image: {sample.name}", fontsize="medium")
        truth = _flat(sample.mask, ndim)
        known = truth.astype(float)
        if sample.ignored is not None:
            known[_flat(sample.ignored, ndim) & ~truth] = 0.5
        axes[1].imshow(known, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes[1].set_title("reference", fontsize="medium")
        for ax, (name, masks) in zip(axes[2:], predictions.items(), strict=True):
            _show_mask(ax, name, _flat(masks[row], ndim), truth, differences[name][row])
        for ax in axes:
            ax.set(xticks=[], yticks=[])
    _legend(figure, 4 if len(predictions) > 1 else 3)
    return figure


def mask_differences_figure(
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    differences: Mapping[str, Sequence[Difference]],
    *,
    ignored: np.ndarray | None = None,
    side: float = 4.2,
) -> Figure:
    """Show a reference and the masks of some methods side by side, every difference marked.

    As `comparison_figure` does for images: what a mask misses of the reference is dark grey, and
    volumes are shown as projections along their first axis.

    Examples
    --------
    >>> from toposeg_lite.differences import topology_differences
    >>> truth = np.eye(8, dtype=bool)
    >>> mask = truth & (np.arange(8) != 4)
    >>> figure = mask_differences_figure(
    ...     truth, {"mine": mask}, {"mine": topology_differences(mask, truth)})
    >>> [axes.get_title() for axes in figure.axes]
    ['reference', 'mine: 1 difference']
    """
    flat = _flat(truth, truth.ndim)
    columns = 1 + len(predictions)
    height = side * min(flat.shape[0] / flat.shape[1], 2.5)
    figure = Figure(figsize=(side * columns, height + 0.9), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    known = flat.astype(float)
    if ignored is not None:
        known[_flat(ignored, truth.ndim) & ~flat] = 0.5
    axes[0].imshow(known, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes[0].set_title("reference", fontsize="medium")
    for ax, (name, mask) in zip(axes[1:], predictions.items(), strict=True):
        _show_mask(ax, name, _flat(mask, truth.ndim), flat, differences[name])
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    _legend(figure, 2 if columns == 1 else 3)
    return figure


def _show_mask(
    ax: Axes, name: str, mask: np.ndarray, truth: np.ndarray, marks: Sequence[Difference]
) -> None:
    """Show a mask in light grey, what it misses in dark grey, and mark the differences."""
    ax.imshow(np.where(mask, FOUND, MISSED * truth), cmap="gray", vmin=0, vmax=1,
              interpolation="nearest")  # fmt: skip
    _mark(ax, marks)
    ending = "" if len(marks) == 1 else "s"
    ax.set_title(f"{name}: {len(marks)} difference{ending}", fontsize="medium")


def _legend(figure: Figure, columns: int) -> None:
    """Explain the signs of all kinds, and the two greys, below a figure."""
    handles: list[Artist] = [
        Line2D([], [], ls="", marker=marker, ms=8, color=face, label=kind,
               mfc=face if filled else "none", mew=1.8 if not filled else 0.8)
        for kind, (marker, face, filled) in SIGNS.items()
    ]  # fmt: skip
    greys = (("found", FOUND), ("missed of the reference", MISSED))
    handles += [Patch(facecolor=str(grey), edgecolor="0.5", label=name) for name, grey in greys]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def _mark(ax: Axes, differences: Sequence[Difference]) -> None:
    """Put the sign of its kind at the place of each difference."""
    for kind, (marker, face, filled) in SIGNS.items():
        places = [d.position[-2:] for d in differences if d.kind == kind]
        if places:
            ys, xs = zip(*places, strict=True)
            ax.plot(xs, ys, ls="", marker=marker, ms=7, mec="white" if filled else face,
                    mfc=face if filled else "none", mew=0.8 if filled else 1.8)  # fmt: skip


def training_figure(histories: Mapping[str, pd.DataFrame], starts: Mapping[str, int]) -> Figure:
    """Draw how Dice + cross-entropy fell, and by how much other runs differ from the control.

    `histories` are the `Checkpoint.history` of each run, `starts` the steps at which they started.
    On the left is the mean over the last 25 steps of "parent" and "control"; the control goes on
    from the parent, and so does its mean. On the right is the difference of every other run that
    started with the control: both saw the same crops in the same steps, so what crops do to the
    curve cancels. Without a control, or with nothing to compare, all runs are on the left.

    Examples
    --------
    >>> import pandas as pd
    >>> histories = {name: pd.DataFrame({"dice_bce": [1.0, 0.5]}) for name in ("control", "mine")}
    >>> figure = training_figure(histories, {"control": 0, "mine": 0})
    >>> [[text.get_text() for text in ax.get_legend().get_texts()] for ax in figure.axes]
    [['control'], ['mine']]
    """
    values = {name: history["dice_bce"].to_numpy(float) for name, history in histories.items()}
    others = []
    if "control" in values:
        together = starts["control"], len(values["control"])
        others = [name for name in values if name not in ("parent", "control")]
        others = [name for name in others if (starts[name], len(values[name])) == together]
    figure = Figure(figsize=(10.4 if others else 6, 3.6), layout="constrained")
    left, *rest = figure.subplots(1, 1 + bool(others), squeeze=False)[0]
    alone = [name for name in values if name not in others]
    for number, name in enumerate(alone):
        begins = starts[name]
        before = values.get("parent", np.empty(0)) if name != "parent" else np.empty(0)
        before = before[: begins - starts.get("parent", begins)][-MEAN_OVER + 1 :]
        mean = _running_mean(np.concatenate([before, values[name]]))[len(before) :]
        steps = begins + 1 + np.arange(len(mean))
        left.plot(steps, mean, label=name, **_line(number))
    left.set(xlabel="step", ylabel="Dice + cross-entropy", title="how it falls")
    left.set_ylim(bottom=0)
    left.legend(frameon=False)
    for right in rest:
        right.axhline(0, color="0.5", lw=1)
        for number, name in enumerate(others):
            mean = _running_mean(values[name] - values["control"])
            steps = starts[name] + 1 + np.arange(len(mean))
            right.plot(steps, mean, label=name, **_line(number))
        right.set(xlabel="step", ylabel="difference", title="difference to the control")
        right.legend(frameon=False, fontsize="small")
    return figure


def _line(number: int) -> dict[str, str]:
    """Return dash and colour of a line."""
    return {"ls": _LINES[number % len(_LINES)], "color": _COLOURS[number % len(_COLOURS)]}


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last steps; over fewer where there are not so many yet."""
    ends = np.arange(1, len(values) + 1)
    return np.array([values[max(0, end - MEAN_OVER) : end].mean() for end in ends])
