"""Explore births and deaths: a threshold that falls over an image, its diagram, its barcode."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from .. import figures
from ..figures.words import count, count_neighbours, count_shape
from . import examples, views
from .features import FeatureExplorer
from .traits import Connectivity, Likelihood
from .uploads import bring_image, parting

__all__ = ["PersistenceExplorer"]

BARS = 40  # as many as can be told apart


class PersistenceExplorer(FeatureExplorer):
    """An image beside its persistence diagram and barcode, under one falling threshold.

    Drawn are the `shown` ones of all `pairs`, whose persistence is above `min_persistence`; the
    others still count in `betti`.

    >>> explorer = PersistenceExplorer(np.array([[0.9, 0.1, 0.6]]), threshold=0.5, selected=2)
    >>> print(explorer.describe())
    At threshold 0.50, with 8 neighbours, 66.7 % of the image is foreground: 2 components and 0
    holes. The diagram shows the 2 of 2 features with persistence above 0.00. Feature 2 of 2 is a
    component, born at 0.60 in row 0, column 2; it dies at 0.10 in row 0, column 1.
    """

    chapter, title = "02", "Persistence"

    kinds = ("component", "hole")
    state = ("connectivity", "image", "min_persistence", "threshold", "selected")

    image = Likelihood(ndim=2)
    connectivity = Connectivity()

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

    def _measure(self, change: Any = None) -> None:
        """Compute the pairs anew where they may have changed, and choose the ones to draw."""
        if change is None or change["name"] != "min_persistence":
            self._pair(self.connectivity)
        self._choose_shown()

    @property
    def mask(self) -> np.ndarray:
        """The superlevel set of the image at the threshold."""
        return self.image >= self.threshold

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of the vessels in a photograph of a retina, a hole marked."""
        explorer = cls(examples.vessels()[0], min_persistence=0.1)
        explorer.selected = 1 + int(np.flatnonzero(explorer.shown.dimension == 1)[0])
        return explorer

    def describe(self) -> str:
        """Say in words what the picture shows."""
        share = 100 * self.mask.mean()
        return (
            f"At threshold {self.threshold:.2f}, with {count_neighbours(self.connectivity)}, "
            f"{share:.1f} % of the image is foreground: {count_shape(self.betti)}. The diagram "
            f"shows the {len(self.shown)} of {count(len(self.pairs), 'feature')} with persistence "
            f"above {self.min_persistence:.2f}.{self._describe_marked()}"
        )

    def brief(self) -> str:
        """Say in one sentence what is alive at the threshold, and what is marked."""
        return f"At threshold {self.threshold:.2f}: {count_shape(self.betti)}{self._mark()}."

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.persistence_summary(
            self.image, self.shown, threshold=self.threshold, selected=self.marked
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, and hover over or click a dot to mark its pixels."""
        return _PersistenceView(self).box


class _PersistenceView(views.ChartView):
    """The view of a `PersistenceExplorer`: image, persistence diagram, barcode."""

    titles = ("likelihood", "persistence diagram: click a dot", "barcode")
    clickable = ("x2y2",)

    def build_image(self) -> None:
        """Make the part on the left: grey image, superlevel set, marked pixels."""
        self.image, self.path, self.birth, self.death = self.add(
            1,
            views.image_trace(),
            views.line(color="white", width=2),
            views.marks("birth pixel", "diamond", figures.BIRTH),
            views.marks("death pixel", "x", figures.DEATH),
        )
        self.add_image_axes()

    def build_chart(self) -> None:
        """Make the part in the middle: diagonal, threshold, dots, and a ring for the marked one."""
        diagonal, self.cross, *self.dots, self.ring = self.add(
            2,
            views.line(color="gray", width=1),
            views.line(**views.DASHED),
            views.dots("component, alive", "circle", figures.COMPONENT),
            views.dots("component, not alive", "circle-open", figures.COMPONENT),
            views.dots("hole, alive", "triangle-up", figures.HOLE),
            views.dots("hole, not alive", "triangle-up-open", figures.HOLE),
            views.ring(),
        )
        views.move(diagonal, [0, 1], [0, 1])
        self.name_chart_axes("birth", "death")

    def build_third(self) -> None:
        """Make the part on the right: the barcode."""
        *self.bars, self.line, self.bar = self.add(
            3,
            views.line(color=figures.COMPONENT, width=3),
            views.line(color=figures.HOLE, width=3, dash="4px,2px"),
            views.line(**views.DASHED),
            views.line(color="black", width=6),
        )
        self.figure.update_xaxes(title="threshold, falling", range=[1.03, -0.03], row=1, col=3)
        self.figure.update_yaxes(title="feature, longest first", row=1, col=3)

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "threshold": views.fraction_slider("Threshold"),
            "min_persistence": views.fraction_slider("Persistence above"),
            "selected": views.integer_slider("Marked feature"),
            "connectivity": views.neighbour_choice(),
        }
        return [
            self.row("threshold", "min_persistence"),
            self.row("selected", "connectivity"),
            self.bring_own(),
        ]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own picture, at a threshold that parts bright from dark."""
        taken = bring_image(file, dark=self.dark.value)
        self.model.image, self.model.threshold = taken.values, parting(taken.values)
        return (*taken.notes, f"threshold {self.model.threshold:.2f} by Otsu's method")

    def last_values(self) -> dict[str, int]:
        return {"selected": len(self.model.shown)}

    def draw(self, name: str) -> None:
        whole = name in ("image", "connectivity", "min_persistence")
        if whole or name == "threshold":
            self.draw_threshold()
        if whole or name in ("threshold", "selected"):
            self.draw_marks()
        self.draw_third(name, whole)

    def draw_threshold(self) -> None:
        """Paint the superlevel set and sort the dots into those that are alive and those not."""
        threshold, pairs = self.model.threshold, self.model.shown
        self.image.source = views.painted(self.model.image, self.model.mask)
        living = figures.alive(pairs, threshold)
        self.draw_dots(pairs.birth, pairs.death, pairs.dimension, living)
        views.move(self.cross, [threshold, threshold, 1.03], [-0.03, threshold, threshold])

    def draw_marks(self) -> None:
        """Mark the pixels and the dot of the chosen feature."""
        chosen = self.model.marked_pair
        pixels = np.stack([chosen.birth_index, chosen.death_index])
        rows, columns = np.unravel_index(np.maximum(pixels, 0), self.model.image.shape)
        real = pixels >= 0
        views.move(self.birth, columns[0][real[0]], rows[0][real[0]])
        views.move(self.death, columns[1][real[1]], rows[1][real[1]])
        views.move(self.path, columns[real], rows[real])
        views.move(self.ring, chosen.birth, chosen.death)

    def draw_third(self, name: str, whole: bool) -> None:
        """Draw the bars, the threshold across them, and the chosen one thick."""
        pairs, number = self.model.shown[:BARS], self.model.selected
        heights = np.arange(1, len(pairs) + 1)
        if whole:
            gap = np.full(len(pairs), np.nan)
            ends = np.stack([pairs.birth, pairs.death, gap], 1)
            levels = np.stack([heights, heights, gap], 1)
            for dimension, trace in enumerate(self.bars):
                kind = pairs.dimension == dimension
                views.move(trace, ends[kind].ravel(), levels[kind].ravel())
            self.figure.layout.yaxis3.range = [max(len(pairs), 4) + 0.7, 0.3]
        views.move(self.line, [self.model.threshold] * 2, [0.3, max(len(pairs), 4) + 0.7])
        drawn = heights == number
        ends = np.concatenate([pairs.birth[drawn], pairs.death[drawn]])
        views.move(self.bar, ends, [number] * len(ends))
