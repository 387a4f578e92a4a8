"""Explore births and deaths: a threshold that falls over an image, its diagram, its barcode."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from ...topology.persistence import PersistencePairs
from .. import figures
from ..figures.words import count, count_neighbours, count_shape
from . import examples, views
from .features import FeatureExplorer
from .framed import FramedView, grid_of
from .frames import Film, Reel
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
        """Return a live view: move the threshold; point at a dot, a bar or a pixel."""
        return _PersistenceView(self).box


class _PersistenceView(FramedView):
    """The view of a `PersistenceExplorer`: image, persistence diagram, barcode."""

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "min_persistence": views.fraction_slider("Persistence above"),
            "connectivity": views.neighbour_choice(),
        }
        return []

    def build_more(self) -> list[Any]:
        return [*self.fold(self.row("min_persistence", "connectivity")), self.bring_own()]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own picture, at a threshold that parts bright from dark."""
        taken = bring_image(file, dark=self.dark.value)
        self.model.image, self.model.threshold = taken.values, parting(taken.values)
        return (*taken.notes, f"threshold {self.model.threshold:.2f} by Otsu's method")

    def key(self) -> tuple[Any, ...]:
        self.grid = grid_of(self.model.threshold)
        model = self.model
        own = model.threshold if len(self.grid) > len(grid_of(0.0)) else 0.0  # off the grid
        return model.pairs, model.shown, model.connectivity, own

    def places(self) -> dict[str, Any]:
        model = self.model
        return {
            "index": int(np.flatnonzero(self.grid == model.threshold)[0]),
            "marked": model.selected,
        }

    def wanted(self) -> dict[str, Any]:
        frames = self.frames
        return {"threshold": float(self.grid[frames.index]), "selected": frames.marked}

    def film(self) -> Film:
        """Make one frame of each threshold."""
        model, grid = self.model, self.grid
        shapes = _shapes(model.pairs, grid)
        sentences = [
            f"At threshold {t:.2f}: {count_shape(shape)}"
            for t, shape in zip(grid, shapes, strict=True)
        ]
        reel = Reel("Threshold", [f"{t:.2f}" for t in grid], sentences)
        levels = np.searchsorted(grid, model.image, side="right")
        layers = [reel.grey(model.image), reel.levels(levels, figures.SUPERLEVEL)]
        reel.image("likelihood", model.image.shape, layers, lights=True, click="mark")
        reel.panel("diagram", "persistence diagram: point at a dot")
        reel.panel("bars", "barcode: point at a bar", most=BARS)
        reel.features([model.shown], self.model.kinds, **_lives(model.shown, grid))
        reel.more |= {
            "thresholds": grid.tolist(),
            "connectivity": model.connectivity,
            "tail": "mark",
            "numbers": [
                {"name": f"{kind}s", "one": kind, "values": [str(shape[k]) for shape in shapes]}
                for k, kind in enumerate(model.kinds)
            ],
            "marking": {"label": "Marked feature"},
            "play": {"kind": "meeting", "label": "Play: how it ends"},
        }
        reel.legend += [*SIGNS, ("■", figures.RAISED, "front of the elder one, when played")]
        if len(model.shown) > BARS:
            reel.legend.append(("≡", "currentColor", f"the {BARS} longest bars"))
        return reel.film()


SIGNS = (
    ("■", figures.SUPERLEVEL, "superlevel set"),
    ("●", figures.COMPONENT, "component, alive"),
    ("○", figures.COMPONENT, "component, not alive"),
    ("▲", figures.HOLE, "hole, alive"),
    ("△", figures.HOLE, "hole, not alive"),
    ("◇", figures.BIRTH, "birth pixel"),
    ("✕", figures.DEATH, "death pixel"),
)


def _lives(pairs: PersistencePairs, grid: np.ndarray) -> dict[str, np.ndarray]:
    """Return for each pair its levels: it is alive in frame k if born > k >= died."""
    essential = (pairs.dimension == 0) & (pairs.death_index < 0)
    died = np.searchsorted(grid, pairs.death, side="right")
    return {
        "born": np.searchsorted(grid, pairs.birth, side="right"),
        "died": np.where(essential, 0, died),
    }


def _shapes(pairs: PersistencePairs, grid: np.ndarray) -> list[tuple[int, ...]]:
    """Return how many components and holes are alive at each threshold."""
    lives = _lives(pairs, grid)
    counts = []
    for dimension in (0, 1):
        kind = pairs.dimension == dimension
        # Of so many levels, how many births and deaths lie above each frame?
        above = [
            np.bincount(lives[name][kind], minlength=len(grid) + 1)[::-1].cumsum()[-2::-1]
            for name in ("born", "died")
        ]
        counts.append(above[0] - above[1])
    return [(int(b0), int(b1)) for b0, b1 in zip(*counts, strict=True)]
