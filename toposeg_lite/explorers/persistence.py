"""Explore births and deaths: a threshold that falls over an image, its diagram, its barcode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from plotly.subplots import make_subplots
from traitlets import Any as AnyTrait
from traitlets import Float, Int, validate

from .. import figures
from ..checks import check_fraction
from ..topology.grid import check_connectivity, check_image
from ..topology.persistence import persistence_pairs
from . import examples
from .base import (
    DASHED,
    Explorer,
    LiveFigure,
    View,
    _count,
    _dots,
    _line,
    _marks,
    _painted,
    _set,
    _slider,
)

__all__ = ["PersistenceExplorer"]

BARS = 40  # as many as can be told apart


class PersistenceExplorer(Explorer):
    """An image beside its persistence diagram and barcode, under one falling threshold.

    Parameters
    ----------
    image : (H, W) array of float or bool
        A likelihood; a new one can be assigned at any time.
    threshold : float
        The superlevel set to show. Default 0.5.
    connectivity : int
        Of the foreground: 1 for 4 neighbours, 2 for 8 (default).
    min_persistence : float
        Features whose persistence is not above it are not drawn; they still count in `betti`.
    selected : int
        The number of the feature to mark, 1 being the most persistent; 0 marks none.

    Attributes
    ----------
    pairs : PersistencePairs
        All pairs, the most persistent first.
    shown : PersistencePairs
        Those that are drawn: the first of `pairs`.
    mask : (H, W) array of bool
        The superlevel set, ``image >= threshold``.
    betti : tuple of int
        Its Betti numbers: how many components and holes are alive.

    Raises
    ------
    TypeError, ValueError
        For a bad image or option, when built and when assigned.

    Examples
    --------
    >>> explorer = PersistenceExplorer(np.array([[0.9, 0.1, 0.6]]), threshold=0.5, selected=2)
    >>> print(explorer.describe())
    At threshold 0.50, with 8 neighbours, 66.7 % of the image is foreground: 2 components and 0
    holes. The diagram shows the 2 of 2 features with persistence above 0.00. Feature 2 of 2 is a
    component, born at 0.60 in row 0, column 2; it dies at 0.10 in row 0, column 1.
    """

    chapter, title = "02", "Persistence"

    image = AnyTrait()
    threshold = Float(0.5)
    connectivity = Int(2)
    min_persistence = Float(0.0)
    selected = Int(0)

    def __init__(
        self,
        image: Any,
        *,
        threshold: float = 0.5,
        connectivity: int = 2,
        min_persistence: float = 0.0,
        selected: int = 0,
    ) -> None:
        super().__init__()
        self.connectivity, self.min_persistence = connectivity, min_persistence
        self.image, self.threshold = image, threshold
        self._measure()
        self.observe(self._measure, ["image", "connectivity", "min_persistence"])
        self.selected = selected

    @validate("image")
    def _check_image(self, proposal: Any) -> np.ndarray:
        return check_image(proposal["value"], ndim=2)

    @validate("connectivity")
    def _check_connectivity(self, proposal: Any) -> int:
        return check_connectivity(proposal["value"], 2)

    @validate("threshold", "min_persistence")
    def _check_number(self, proposal: Any) -> float:
        return check_fraction(proposal["value"], proposal["trait"].name)

    @validate("selected")
    def _check_selected(self, proposal: Any) -> int:
        number = proposal["value"]
        if not 0 <= number <= len(self.shown):
            raise ValueError(f"selected must be 0 (none) to {len(self.shown)}; got {number}")
        return number

    def _measure(self, change: Any = None) -> None:
        """Compute the pairs anew where they may have changed, and choose the ones to draw."""
        if change is None or change["name"] != "min_persistence":
            pairs = persistence_pairs(self.image, connectivity=self.connectivity)
            self.pairs = pairs[np.argsort(-pairs.persistence, kind="stable")]
        essential = (self.pairs.dimension == 0) & (self.pairs.death_index < 0)
        self.shown = self.pairs[(self.pairs.persistence > self.min_persistence) | essential]
        self.selected = min(self.selected, len(self.shown))

    @property
    def mask(self) -> np.ndarray:
        """The superlevel set of the image at the threshold."""
        return self.image >= self.threshold

    @property
    def betti(self) -> tuple[int, ...]:
        """The numbers of components and of holes that are alive at the threshold."""
        counts = np.bincount(self.pairs.dimension[figures.alive(self.pairs, self.threshold)])
        return tuple(np.pad(counts, (0, 2 - len(counts))).tolist())

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of the vessels in a photograph of a retina, a hole marked."""
        explorer = cls(examples.vessels()[0], min_persistence=0.1)
        explorer.selected = 1 + int(np.flatnonzero(explorer.shown.dimension == 1)[0])
        return explorer

    def describe(self) -> str:
        """Say in words what the picture shows."""
        (components, holes), share = self.betti, 100 * self.mask.mean()
        neighbours = 4 if self.connectivity == 1 else 8
        text = (
            f"At threshold {self.threshold:.2f}, with {neighbours} neighbours, {share:.1f} % of "
            f"the image is foreground: {_count(components, 'component')} and "
            f"{_count(holes, 'hole')}. The diagram shows the {len(self.shown)} of "
            f"{_count(len(self.pairs), 'feature')} with persistence above "
            f"{self.min_persistence:.2f}."
        )
        if self.selected:
            text += " " + self._describe_feature(self.selected)
        return text

    def _describe_feature(self, number: int) -> str:
        pairs, k = self.shown, number - 1
        name = figures.KINDS[pairs.dimension[k]][1]
        born, dies = int(pairs.birth_index[k]), int(pairs.death_index[k])
        text = (
            f"Feature {number} of {len(pairs)} is a {name}, born at {pairs.birth[k]:.2f} in "
            f"{self._place(born)}; it "
        )
        if dies < 0:
            return text + "is essential: it never dies, and its death is set to 0."
        return text + f"dies at {pairs.death[k]:.2f} in {self._place(dies)}."

    def _place(self, index: int) -> str:
        row, column = np.unravel_index(index, self.image.shape)
        return f"row {row}, column {column}"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.persistence_summary(
            self.image,
            self.shown,
            threshold=self.threshold,
            selected=self.selected - 1 if self.selected else None,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, and hover over or click a dot to mark its pixels."""
        return _PersistenceView(self).box


class _PersistenceView(View):
    """The widgets of a `PersistenceExplorer`: controls, one figure of three parts, a line of text.

    The third part and some controls are for a subclass to exchange.
    """

    titles = ("likelihood", "persistence diagram", "barcode")

    def __init__(self, model: Any) -> None:
        self.model = model
        figure = make_subplots(1, 3, subplot_titles=self.titles, horizontal_spacing=0.07)
        figure.update_layout(
            template="plotly_white",
            width=1010,
            height=480,
            margin={"l": 50, "r": 10, "t": 60, "b": 40},
            legend={"orientation": "h", "y": -0.16},
            hovermode="closest",
        )
        self.figure = LiveFigure(figure)
        self.text = widgets.HTML()
        with self.figure.batch_update():
            self.build_image()
            self.build_diagram()
            self.build_third()
        self.controls: dict[str, Any] = {}
        self.box = widgets.VBox([*self.build_controls(), self.figure, self.text])
        self.link()

    def build_image(self) -> None:
        """Make the part on the left: grey image, superlevel set, marked pixels."""
        self.image, self.path, self.birth, self.death = self.add(
            1,
            go.Image(hovertemplate="row %{y}, column %{x}<extra></extra>"),
            _line(color="white", width=2),
            _marks("birth pixel", "diamond", figures.BIRTH),
            _marks("death pixel", "x", figures.DEATH),
        )
        square = {"scaleanchor": "x", "constrain": "domain", "autorange": "reversed"}
        self.figure.update_yaxes(title="row", row=1, col=1, **square)
        self.figure.update_xaxes(title="column", constrain="domain", row=1, col=1)

    def build_diagram(self) -> None:
        """Make the part in the middle: diagonal, threshold, dots, and a ring for the marked one."""
        self.where = [np.zeros(0, np.intp)] * 4  # positions of the pairs in each trace of dots
        diagonal, self.cross, *self.dots, self.ring = self.add(
            2,
            _line(color="gray", width=1),
            _line(**DASHED),
            _dots("component, alive", "circle", figures.COMPONENT),
            _dots("component, not alive", "circle-open", figures.COMPONENT),
            _dots("hole, alive", "triangle-up", figures.HOLE),
            _dots("hole, not alive", "triangle-up-open", figures.HOLE),
            _dots("marked", "circle-open", "black"),
        )
        self.ring.update(marker={"size": 18}, hoverinfo="skip", hovertemplate=None)
        _set(diagonal, [0, 1], [0, 1])
        self.figure.update_xaxes(title="birth", range=[-0.03, 1.03], row=1, col=2)
        self.figure.update_yaxes(title="death", range=[-0.03, 1.03], row=1, col=2)
        for number, trace in enumerate(self.dots):
            trace.on_click(self.picker(number))
            trace.on_hover(self.picker(number))

    def build_third(self) -> None:
        """Make the part on the right: the barcode."""
        *self.bars, self.line, self.bar = self.add(
            3,
            _line(color=figures.COMPONENT, width=3),
            _line(color=figures.HOLE, width=3, dash="4px,2px"),
            _line(**DASHED),
            _line(color="black", width=6),
        )
        self.figure.update_xaxes(title="threshold, falling", range=[1.03, -0.03], row=1, col=3)
        self.figure.update_yaxes(title="feature, longest first", row=1, col=3)

    def build_controls(self) -> list[Any]:
        """Make the controls, and return them in rows."""
        unit = {"min": 0.0, "max": 1.0, "step": 0.01, "readout_format": ".2f"}
        self.controls |= {
            "threshold": _slider(widgets.FloatSlider, "Threshold", **unit),
            "min_persistence": _slider(widgets.FloatSlider, "Persistence above", **unit),
            "selected": _slider(widgets.IntSlider, "Marked feature", min=0, max=0),
            "connectivity": widgets.Dropdown(
                description="Foreground",
                options=[("8 neighbours", 2), ("4 neighbours", 1)],
                value=2,
                layout={"width": "18em"},
            ),
        }
        threshold, smallest, number, neighbours = self.controls.values()
        return [
            widgets.HBox([threshold, smallest]),
            widgets.HBox([number, neighbours]),
            self.bring_own(),
        ]

    def picker(self, number: int) -> Callable[[Any, Any, Any], None]:
        """Return what pointing at a dot of trace `number` does: it marks the dot's feature."""

        def pick(trace: Any, points: Any, state: Any) -> None:
            if points.point_inds:
                self.model.selected = int(self.where[number][points.point_inds[0]]) + 1

        return pick

    def redraw(self, change: Any = None) -> None:
        """Bring figure, controls and text into line with the model."""
        model, name = self.model, change.name if change else "image"
        whole = name in ("image", "connectivity", "min_persistence")
        self.controls["selected"].max = len(model.shown)
        for trait, control in self.controls.items():
            control.value = getattr(model, trait)
        with self.figure.batch_update():
            if whole or name == "threshold":
                self.draw_threshold()
            if whole or name in ("threshold", "selected"):
                self.draw_marks()
            self.draw_third(name, whole)
        self.say(model.describe())

    def draw_threshold(self) -> None:
        """Paint the superlevel set and sort the dots into those that are alive and those not."""
        threshold, pairs = self.model.threshold, self.model.shown
        self.image.source = _painted(self.model.image, self.model.mask)
        living = figures.alive(pairs, threshold)
        kinds = [pairs.dimension == 0, pairs.dimension == 1]
        self.where = [np.flatnonzero(kind & some) for kind in kinds for some in (living, ~living)]
        for trace, some in zip(self.dots, self.where, strict=True):
            _set(trace, pairs.birth[some], pairs.death[some])
        _set(self.cross, [threshold, threshold, 1.03], [-0.03, threshold, threshold])

    def draw_marks(self) -> None:
        """Mark the pixels and the dot of the chosen feature."""
        chosen = self.model.shown[self.model.selected - 1 :][: self.model.selected and 1]
        pixels = np.stack([chosen.birth_index, chosen.death_index])
        rows, columns = np.unravel_index(np.maximum(pixels, 0), self.model.image.shape)
        real = pixels >= 0
        _set(self.birth, columns[0][real[0]], rows[0][real[0]])
        _set(self.death, columns[1][real[1]], rows[1][real[1]])
        _set(self.path, columns[real], rows[real])
        _set(self.ring, chosen.birth, chosen.death)

    def draw_third(self, name: str, whole: bool) -> None:
        """Draw the bars, the threshold across them, and the chosen one thick."""
        pairs, number = self.model.shown[:BARS], self.model.selected
        heights = np.arange(1, len(pairs) + 1)
        if whole:
            gap = np.full(len(pairs), np.nan)
            ends = np.stack([pairs.birth, pairs.death, gap], 1)
            levels = np.stack([heights, heights, gap], 1)
            for dimension, trace in enumerate(self.bars):
                some = pairs.dimension == dimension
                _set(trace, ends[some].ravel(), levels[some].ravel())
            self.figure.layout.yaxis3.range = [max(len(pairs), 4) + 0.7, 0.3]
        _set(self.line, [self.model.threshold] * 2, [0.3, max(len(pairs), 4) + 0.7])
        drawn = heights == number
        ends = np.concatenate([pairs.birth[drawn], pairs.death[drawn]])
        _set(self.bar, ends, [number] * len(ends))
