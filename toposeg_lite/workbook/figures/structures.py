"""Figures of distributions over structures: samples, maps of uncertainty, reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...calibration import Reliability, entropy
from ...checks import check_choice, check_integer, check_number, check_reals, check_same_shape
from ...topology.grid import check_image
from .base import (
    COMPONENT,
    HOLE,
    LOWERED,
    RAISED,
    SUPERLEVEL,
    _axes,
    _check_paths,
    _check_values,
    _grey,
    _legend_below,
    _sign,
)
from .morse import path_lines

if TYPE_CHECKING:  # torch takes long to load, and drawing does not need it
    from ...structures import BranchSet, StructureDistribution, StructureSamples, Uncertainty

__all__ = [
    "MAPS",
    "branch_colours",
    "grey_of",
    "image_with_walks",
    "pixel_colours",
    "pixel_values_of",
    "reliability_plot",
    "structure_summary",
]

#: What the maps show, by name, from 0 to 1, and what it is called.
MAPS = {"entropy": "entropy, in bits", "probability": "probability"}
_COLOURS = matplotlib.colormaps["viridis"]
_REACH = 1.5  # pixels from a path that are coloured as it is, so that thin ones can be seen
_SERIES = ((COMPONENT, "o"), (HOLE, "^"), (RAISED, "s"), (LOWERED, "D"), ("black", "v"))


def _check_made(given: Any, kind: type, name: str) -> None:
    """Refuse what is no record of that kind."""
    if not isinstance(given, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {type(given).__name__}")


def grey_of(image: Any) -> np.ndarray:
    """Return an image of any number of channels in grey: their mean, from black to white.

    `image` is an (H, W) or (channels, H, W) array in [0, 1]. The darkest pixel is 0 and the
    brightest 1; an image of one value stays as it is.

    >>> grey_of(np.array([[[0.2, 0.3, 0.3]], [[0.2, 0.3, 0.5]]])).round(2)
    array([[0. , 0.5, 1. ]])
    """
    image = check_reals(image, "image")
    if image.ndim == 3 and len(image):
        image = np.stack([check_image(channel, "image", ndim=2) for channel in image]).mean(0)
    image = check_image(image, "image", ndim=2)
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if low < high else image


def branch_colours(
    grey: Any, branches: BranchSet, values: Any, *, largest: float = 1.0
) -> np.ndarray:
    """Colour what each branch decides about by a value, over a faint grey image.

    `branches` is a BranchSet of an image of the shape of `grey`. Their values are dark blue at 0
    and yellow at `largest`. Returned is an (H, W, 3) array of uint8: pixels of a branch's region,
    and those at most 1.5 pixels from its path, have its colour.

    >>> from toposeg_lite.structures import find_branches
    >>> branches = find_branches(np.array([[0.9, 0.2, 0.7]]))
    >>> branch_colours(np.zeros((1, 3)), branches, [1.0]).tolist()[0][1]
    [253, 231, 36]
    """
    from ...structures import BranchSet

    grey = check_image(grey, "grey", ndim=2)
    _check_made(branches, BranchSet, "branches")
    painted = np.append(_check_values(values, len(branches), "branches"), 0.0)
    check_number(largest, "largest", positive=True)
    check_same_shape(grey, branches.likelihood, ("grey", "the branches' likelihood"))
    owner = branches.region
    if len(branches):
        away, nearest = branches.nearest
        owner = np.where((owner < 0) & (away <= _REACH), branches.owner.ravel()[nearest], owner)
    colours = np.repeat((110 + 110 * grey)[..., None], 3, axis=2)
    some = owner >= 0
    colours[some] = 255 * _COLOURS(painted[owner[some]] / largest)[:, :3]
    return colours.astype(np.uint8)


def pixel_colours(values: Any, *, largest: float = 1.0) -> np.ndarray:
    """Colour each pixel of (H, W) by its own value, from 0, dark blue, to `largest`, yellow.

    >>> pixel_colours(np.array([[0.0, 0.5]]), largest=0.5).tolist()
    [[[68, 1, 84], [253, 231, 36]]]
    """
    numbers = np.asarray(check_reals(values, "values"), float)
    if numbers.ndim != 2 or not np.isfinite(numbers).all():
        raise ValueError(f"values must be finite numbers, (H, W); got shape {numbers.shape}")
    check_number(largest, "largest", positive=True)
    return (255 * _COLOURS(numbers / largest)[..., :3]).astype(np.uint8)


def image_with_walks(
    image: Any,
    paths: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw several ways to walk the same branches over a likelihood.

    `paths` are at most five groups of paths, which differ in colour and dash; `names` are written
    in the legend, one for each group.

    >>> ax = image_with_walks(np.eye(3), [[np.array([0, 4, 8])]], ["ridge"])
    >>> ax.lines[0].get_xdata().tolist()[:3]
    [0.0, 1.0, 2.0]
    """
    image = check_image(image, ndim=2)
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        raise TypeError(f"paths must hold groups of paths; got {paths!r}")
    paths = [_check_paths(group, image.shape) for group in paths]
    if len(names) != len(paths) or len(paths) > len(_SERIES):
        raise ValueError(
            f"names must name every group of paths, at most {len(_SERIES)}; "
            f"got {len(names)} names and {len(paths)} groups"
        )
    ax = _axes(ax, (4.2, 4.6))
    _grey(ax, image, title)
    dashes = ("-", (0, (4, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)), "-")
    for group, name, (colour, _), dash in zip(paths, names, _SERIES, dashes, strict=False):
        ax.plot(*path_lines(list(group), image.shape), color=colour, lw=1.8, ls=dash, label=name)
    lines, _ = ax.get_legend_handles_labels()
    _legend_below(ax, lines, columnspacing=2, handletextpad=0.8, handlelength=2.4)
    return ax


def reliability_plot(
    diagrams: Mapping[str, Reliability], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw reliability diagrams: what was said to be likely, against how often it came true.

    `diagrams` are one to five by name. The area of a sign says how much its bin holds. On the grey
    diagonal probabilities are honest; below it they are too bold. The legend, below the axes, names
    the expected calibration error.

    >>> from toposeg_lite.structures import reliability_diagram
    >>> ax = reliability_plot({"coin": reliability_diagram([0.5, 0.5], [True, False])})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['honest', 'coin: 0.0 %', 'larger sign: more in its bin']
    """
    if not isinstance(diagrams, Mapping):
        raise TypeError(f"diagrams must map names to diagrams; got {type(diagrams).__name__}")
    if not 0 < len(diagrams) <= len(_SERIES):
        raise ValueError(f"diagrams must be 1 to {len(_SERIES)}; got {len(diagrams)}")
    for name, diagram in diagrams.items():
        if not isinstance(diagram, Reliability):
            raise TypeError(f"diagrams must hold Reliability objects; {name!r} is {diagram!r}")
    if ax is None:
        ax = _axes(None, (4.6, 5.2))
        ax.get_figure(root=True).subplots_adjust(bottom=0.27, top=0.93)  # type: ignore[union-attr]
    ax = _axes(ax, (4.6, 5.2))
    ax.plot([0, 1], [0, 1], color="0.6", lw=1)
    signs = [_sign("honest", ls="-", color="0.6")]
    for (name, diagram), (colour, marker) in zip(diagrams.items(), _SERIES, strict=False):
        share = diagram.count / diagram.count.sum()
        ax.plot(diagram.probability, diagram.frequency, color=colour, lw=1, alpha=0.7)
        ax.scatter(diagram.probability, diagram.frequency, s=14 + 300 * share, c=colour,
                   marker=marker, alpha=0.8, clip_on=False, zorder=3)  # fmt: skip
        label = f"{name}: {100 * diagram.error:.1f} %"
        signs.append(_sign(label, ls="-", color=colour, marker=marker))
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
    ax.set(xlabel="probability", ylabel="how often it came true")
    ax.set_aspect("equal")
    signs.append(_sign("larger sign: more in its bin", marker="none"))
    _legend_below(ax, signs, below=0.15, columns=2, handletextpad=0.6)
    return ax


def structure_summary(
    grey: Any,
    distribution: StructureDistribution,
    samples: StructureSamples,
    *,
    sample: int = 0,
    shown: str = "entropy",
    selected: int | None = None,
    uncertainty: Uncertainty | None = None,
) -> Figure:
    """Show one sample, how sure the model is of each branch, and how unsure each pixel is.

    `samples` were drawn from `distribution`, whose `uncertainty` is computed if it is not given;
    `sample` and `selected` are the numbers of a sample, which is yellow, and of a branch, from 0.
    `shown`, one of `MAPS`, is what the map of the branches shows; the map of the pixels shows
    `pixel_values_of` the network's likelihood.

    >>> import torch
    >>> from toposeg_lite.structures import StructureModel
    >>> likelihood = torch.tensor([[0.9, 0.4, 0.8]])
    >>> model = StructureModel(torch.nn.Identity(), mode="branch")
    >>> spread, = model.distribution(likelihood.logit()[None, None])
    >>> figure = structure_summary(likelihood.numpy(), spread, spread.sample(2, seed=0))
    >>> [ax.get_title() for ax in figure.axes][:3]
    ['sample 1 of 2', 'each branch', 'each pixel']
    """
    from ...structures import StructureDistribution, StructureSamples, Uncertainty

    grey = check_image(grey, "grey", ndim=2)
    check_choice(shown, tuple(MAPS), "shown")
    _check_made(distribution, StructureDistribution, "distribution")
    _check_made(samples, StructureSamples, "samples")
    if uncertainty is not None:
        _check_made(uncertainty, Uncertainty, "uncertainty")
    check_integer(sample, "sample", 0, len(samples) - 1)
    branches = distribution.branches
    if selected is not None:
        check_integer(selected, "selected", 0, len(branches) - 1)
    check_same_shape(grey, samples.masks[sample], ("grey", "the sample"))
    known = distribution.uncertainty() if uncertainty is None else uncertainty
    by_branch = branch_colours(grey, branches, getattr(known, shown))
    by_pixel = pixel_colours(pixel_values_of(branches.likelihood, shown))
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _grey(left, grey, f"sample {sample + 1} of {len(samples)}")
    yellow = np.zeros((*grey.shape, 4))
    yellow[samples.masks[sample]] = matplotlib.colors.to_rgba(SUPERLEVEL, 0.6)
    left.imshow(yellow, interpolation="nearest")
    for ax, colours, text in ((middle, by_branch, "each branch"), (right, by_pixel, "each pixel")):
        ax.imshow(colours, interpolation="nearest")
        ax.set(title=text, xlabel="column")
    if selected is not None:
        x, y = path_lines([branches.paths[selected]], branches.shape)
        for colour, width in (("black", 5), ("white", 2.5)):
            for ax in (left, middle):
                ax.plot(x, y, color=colour, lw=width, solid_capstyle="round")
    signs = [_sign("in this sample", marker="s", ms=9, color=SUPERLEVEL)]
    if selected is not None:
        rim = [withStroke(linewidth=5, foreground="black")]
        signs.append(_sign("marked branch", ls="-", lw=2.5, color="white", path_effects=rim))
    _legend_below(left, signs, columns=2, columnspacing=2, handletextpad=0.8)
    scale = ScalarMappable(Normalize(0, 1), _COLOURS)
    figure.colorbar(scale, ax=[middle, right], label=MAPS[shown], shrink=0.8, aspect=25, pad=0.01)
    return figure


def pixel_values_of(likelihood: np.ndarray, shown: str) -> np.ndarray:
    """Return how unsure a network is of each pixel: what one has without branches.

    `shown` is one of `MAPS`: the entropy of the likelihood, or the likelihood itself.

    >>> pixel_values_of(np.array([[0.5, 1.0]]), "entropy")
    array([[1., 0.]])
    """
    check_choice(shown, tuple(MAPS), "shown")
    likelihood = check_image(likelihood, "likelihood", ndim=2).astype(np.float64)
    return entropy(likelihood) if shown == "entropy" else likelihood
