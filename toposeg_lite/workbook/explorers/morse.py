"""Explore the discrete Morse complex: a skeleton under two thresholds, and what a branch is."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure

from ...checks import check_integer
from ...topology.morse import MorseComplex, Skeleton, morse_complex
from .. import figures
from ..figures.words import count, count_neighbours
from . import examples, views
from .base import Explorer
from .traits import Connectivity, Fraction, Likelihood, UpTo
from .uploads import bring_image

__all__ = ["MorseExplorer"]


class MorseExplorer(Explorer):
    """The skeleton of an image under two thresholds, its branches, and the profile of one of them.

    Parameters
    ----------
    min_persistence : float
        Branches whose persistence is not above it are simplified away. Default 0.1.
    saddle_level : float
        Branches whose pass is lower are cut. Default 0: none.
    selected : int
        The number of a branch. It keeps its number when thresholds move; one that is simplified
        away is no longer marked.

    Attributes
    ----------
    complex_ : MorseComplex
        Computed once for an image.
    shown : figures.MorseView
        The `branch_count` branches above the threshold of persistence, and the marked one in
        detail.
    skeleton : Skeleton
        What the two thresholds leave.

    Examples
    --------
    >>> row = np.array([[0.9, 0.2, 0.7, 0.6, 0.7]])
    >>> explorer = MorseExplorer(row, min_persistence=0, saddle_level=0.5, selected=1)
    >>> print(explorer.describe())
    Of 2 branches, 2 have a persistence above 0.00, and of these 1 has a pass at or above 0.50. They
    make a skeleton (8 neighbours) of 4 pixels in 2 parts with 0 loops. Branch 1 of 2 joins two
    components and is cut: persistence 0.50, pass of value 0.20 in row 0, column 1, length 2.0
    pixels, mean likelihood 0.60.
    """

    chapter, title = "05", "Ridges"

    state = ("connectivity", "image", "min_persistence", "saddle_level", "selected")

    complex_: MorseComplex
    shown: figures.MorseView
    skeleton: Skeleton
    branch_count: int
    _numbers: np.ndarray | None = None

    image = Likelihood(ndim=2)
    min_persistence = Fraction(0.1)
    saddle_level = Fraction(0.0)
    connectivity = Connectivity()
    selected = UpTo(lambda model: model.branch_count)

    def __init__(
        self,
        image: Any,
        *,
        min_persistence: float = 0.1,
        saddle_level: float = 0.0,
        connectivity: int = 2,
        selected: int = 0,
    ) -> None:
        super().__init__()
        self.connectivity, self.image = connectivity, image
        self.min_persistence, self.saddle_level = min_persistence, saddle_level
        self._measure()
        self.observe(self._measure, ["image", "connectivity"])
        self.observe(self._look, ["min_persistence", "saddle_level", "selected"])
        self.selected = selected

    def _measure(self, change: Any = None) -> None:
        """Compute the complex anew; another image has other branches, so none stays marked."""
        self.complex_ = morse_complex(self.image, connectivity=self.connectivity)
        if change is not None:
            self.selected = 0
        self._look()

    def _look(self, change: Any = None) -> None:
        """Look at the complex at the present thresholds."""
        levels = {"min_persistence": self.min_persistence, "saddle_level": self.saddle_level}
        self.branch_count = len(self.complex_.branches(self.min_persistence))
        if self.selected > self.branch_count:
            self.selected = 0
        self.shown = figures.morse_view(self.image, self.complex_, **levels, selected=self.marked)
        if change is None or change["name"] != "selected":
            self.skeleton = self.complex_.skeleton(**levels)
            self._numbers = None

    @property
    def marked(self) -> int | None:
        """The place of the marked branch in `shown`, or None."""
        return self.selected - 1 if self.selected else None

    def branch_at(self, row: int, column: int) -> int:
        """Return the number of the shortest branch through a pixel, kept before cut; 0 for none."""
        height, width = self.image.shape[-2:]
        row = check_integer(row, "row", 0, height - 1)
        column = check_integer(column, "column", 0, width - 1)
        if self._numbers is None:
            whole = self.complex_.branches(self.min_persistence)
            cut = self.complex_.branches(self.min_persistence, self.saddle_level)
            kept = iter(cut.paths)
            paths = [
                next(kept) if stays else path
                for stays, path in zip(self.shown.kept, whole.paths, strict=True)
            ]
            self._numbers = np.zeros(self.image.shape, np.intp)
            for k in sorted(range(len(paths)), key=lambda k: (self.shown.kept[k], -len(paths[k]))):
                self._numbers.ravel()[paths[k]] = k + 1
        return int(self._numbers[row, column])

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of the vessels in a photograph of a retina, one branch marked."""
        return cls(examples.vessels()[0], saddle_level=0.15, selected=1)

    def brief(self) -> str:
        """Say in one sentence how many branches are left, and what is marked."""
        kept, skeleton = int(self.shown.kept.sum()), self.skeleton
        marked = ""
        if self.selected:
            fate = "kept" if self.shown.kept[self.selected - 1] else "cut"
            marked = f"; branch {self.selected} is {fate}"
        parts = count(figures.count_parts(skeleton), "part")
        return f"{kept} of {count(self.branch_count, 'branch')} kept, in {parts}{marked}."

    def describe(self) -> str:
        """Say in words what the picture shows."""
        view, number = self.shown, self.branch_count
        everything = len(self.complex_.branches())
        kept, loops = int(view.kept.sum()), int((view.kept & (view.dimension == 1)).sum())
        return (
            f"Of {count(everything, 'branch')}, {number} {_has(number)} a persistence above "
            f"{self.min_persistence:.2f}, and of these {kept} {_has(kept)} a pass at or "
            f"above {self.saddle_level:.2f}. They make a skeleton "
            f"({count_neighbours(self.connectivity)}) of "
            f"{count(int(self.skeleton.mask.sum()), 'pixel')} in "
            f"{count(figures.count_parts(self.skeleton), 'part')} with {count(loops, 'loop')}."
            f"{self._describe_marked()}"
        )

    def _describe_marked(self) -> str:
        """Return a sentence about the marked branch, after a space, or nothing."""
        if not self.selected:
            return ""
        view, k = self.shown, self.selected - 1
        does = "closes a loop" if view.dimension[k] else "joins two components"
        fate = "kept" if view.kept[k] else "cut"
        row, column = np.unravel_index(view.path[view.low], self.image.shape)
        return (
            f" Branch {self.selected} of {self.branch_count} {does} and is {fate}: persistence "
            f"{view.persistence[k]:.2f}, pass of value {view.saddle_value[k]:.2f} in row {row}, "
            f"column {column}, length {view.along[-1]:.1f} pixels, mean likelihood "
            f"{view.height.mean():.2f}."
        )

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.morse_summary(
            self.image,
            self.complex_,
            min_persistence=self.min_persistence,
            saddle_level=self.saddle_level,
            selected=self.marked,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, click a branch or a dot to mark it."""
        return _MorseView(self).box


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


class _MorseView(views.ChartView):
    """The view of a `MorseExplorer`: a large image, and two charts on its right."""

    titles = (
        "likelihood and skeleton: click a branch", "branches: click a dot",
        "along the marked branch",
    )  # fmt: skip
    clickable = ("xy", "x2y2")

    def arrange(self, width: int) -> None:
        wide, gap = views.room(self.figure, width), 80
        if width >= views.ONE_ROW:
            large = max(min(0.55 * wide, self.tall), 2 * views.LOWEST)
            small, low = wide - large - gap, (large - 90) / 2
            cells = [(0, 0, large, large), (large + gap, 0, small, low),
                     (large + gap, low + 90, small, low)]  # fmt: skip
        else:
            large, small = min(wide, 560), (wide - gap) / 2
            cells = [(0, 0, large, large), (0, large + 100, small, 220),
                     (small + gap, large + 100, small, 220)]  # fmt: skip
        views.place(self.figure, width, cells)

    def build_image(self) -> None:
        """Make the image with its skeleton, the marked branch, and room for a large picture."""
        self.image, self.gone, self.lines, self.peaks_alone, *self.path, self.ends, self.low = (
            self.add(
                1,
                go.Image(hoverinfo="skip"),
                _named(views.line(color=figures.CUT, width=1.5, dash="4px,2px"), "cut"),
                _named(views.line(color=figures.SKELETON, width=2), "skeleton"),
                go.Scatter(mode="markers", marker={"size": 4, "color": figures.SKELETON},
                           hoverinfo="skip", showlegend=False),
                views.line(color="black", width=6),
                views.line(color="white", width=3),
                views.line(color="white", width=3, dash="3px,3px"),
                # Hollow: what they point at is to be seen. White would not show in the legend.
                _hollow(views.marks("peaks", "circle-open", figures.COMPONENT)),
                _hollow(views.marks("pass", "square-open", "white").update(showlegend=False)),
            )
        )  # fmt: skip
        self.add_image_axes()
        self.figure.update_layout(
            height=640,
            legend={"y": -0.1},
            xaxis={"domain": [0, 0.55]},
            xaxis2={"domain": [0.63, 1]},
            xaxis3={"domain": [0.63, 1]},
            yaxis2={"domain": [0.58, 1]},
            yaxis3={"domain": [0, 0.42]},
        )
        for title, (x, y) in zip(
            self.figure.layout.annotations, ((0.275, 1), (0.815, 1), (0.815, 0.42)), strict=True
        ):
            title.update(x=x, y=y)
        for trace in (self.gone, self.lines):
            trace.on_click(self.pick_on_image)

    def build_chart(self) -> None:
        """Make the chart of the branches: a dot for each, and the two thresholds."""
        limit, self.cross, *self.dots, self.ring = self.add(
            2,
            views.line(color="lightgray", width=1),
            views.line(**views.DASHED),
            _branches("joins, kept", "circle", figures.COMPONENT),
            _branches("joins, cut", "circle-open", figures.COMPONENT),
            _branches("closes a loop, kept", "triangle-up", figures.HOLE),
            _branches("closes a loop, cut", "triangle-up-open", figures.HOLE),
            views.ring(),
        )
        views.move(limit, [0, 1], [1, 0])
        self.name_chart_axes("persistence", "value of the pass")

    def build_third(self) -> None:
        """Make the profile of the marked branch."""
        self.profile, self.level, self.profile_ends, self.profile_low = self.add(
            3,
            views.line(color="black", width=2),
            views.line(**views.DASHED),
            views.marks("peaks", "circle", figures.COMPONENT).update(showlegend=False),
            views.marks("pass", "square", "white"),
        )
        self.figure.update_xaxes(title="pixels from the first peak", row=1, col=3)
        self.figure.update_yaxes(title="likelihood", range=[-0.03, 1.03], row=1, col=3)

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "min_persistence": views.fraction_slider("Persistence above"),
            "saddle_level": views.fraction_slider("Saddle level"),
            "selected": views.integer_slider("Marked branch"),
            "connectivity": views.neighbour_choice(),
        }
        return [
            self.row("min_persistence", "saddle_level"),
            self.row("selected", "connectivity"),
            self.bring_own(),
        ]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own picture, with nothing cut."""
        taken = bring_image(file, dark=self.dark.value)
        self.model.saddle_level = 0.0
        self.model.image = taken.values
        return (*taken.notes, "saddle level 0: nothing is cut")

    def pick_on_image(self, trace: Any, points: Any, state: Any) -> None:
        """Mark the shortest branch through the pixel of the skeleton that was clicked."""
        if points.point_inds:
            k = points.point_inds[0]
            number = self.model.branch_at(int(trace.y[k]), int(trace.x[k]))
            if number:
                self.model.selected = number

    def last_values(self) -> dict[str, int]:
        return {"selected": self.model.branch_count}

    def draw(self, name: str) -> None:
        model = self.model
        if name in ("image", "connectivity"):
            self.image.source = views.painted(model.image, np.zeros(model.image.shape, bool))
        if name != "selected":
            self.draw_skeleton()
            self.draw_branches()
        self.draw_branch()

    def draw_skeleton(self) -> None:
        """Draw what the thresholds leave, and below it what the saddle level takes."""
        model, skeleton = self.model, self.model.skeleton
        whole = (
            model.complex_.skeleton(model.min_persistence).paths if model.saddle_level > 0 else []
        )
        views.move(self.gone, *figures.path_lines(whole, model.image.shape))
        views.move(self.lines, *figures.path_lines(skeleton.paths, model.image.shape))
        views.move(self.peaks_alone, *figures.lonely_peaks(skeleton))

    def draw_branches(self) -> None:
        """Sort the branches into those that are kept and those that are cut."""
        model, view = self.model, self.model.shown
        self.draw_dots(view.persistence, view.saddle_value, view.dimension, view.kept)
        p, level, gap = model.min_persistence, model.saddle_level, np.nan
        views.move(self.cross, [p, p, gap, -0.03, 1.03], [-0.03, 1.03, gap, level, level])

    def draw_branch(self) -> None:
        """Mark the chosen branch in all three parts."""
        model, view = self.model, self.model.shown
        rows, columns = np.unravel_index(view.path, model.image.shape)
        ends, low = ([0, -1], [view.low]) if model.selected else ([], [])
        chosen = slice(max(model.selected - 1, 0), model.selected)
        solid = bool(view.kept[chosen].all())
        for trace, drawn in zip(self.path, (True, solid, not solid), strict=True):
            views.move(trace, columns[: drawn * columns.size], rows[: drawn * rows.size])
        views.move(self.ends, columns[ends], rows[ends])
        views.move(self.low, columns[low], rows[low])
        views.move(self.ring, view.persistence[chosen], view.saddle_value[chosen])
        views.move(self.profile, view.along, view.height)
        views.move(self.profile_ends, view.along[ends], view.height[ends])
        views.move(self.profile_low, view.along[low], view.height[low])
        longest = max(view.along[-1], 1.0) if model.selected else 1.0
        views.move(self.level, [0, longest], [model.saddle_level] * 2)


# All that is not data is said before a trace is added: a change of one trace's style in a batch
# clears that of the others.


def _branches(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of dots in the chart of the branches."""
    text = "persistence %{x:.3f}<br>pass %{y:.3f}<extra>" + name + "</extra>"
    return views.dots(name, symbol, colour).update(hovertemplate=text)


def _hollow(marks: go.Scatter) -> go.Scatter:
    """Give hollow signs a line that is seen on bright and on dark pixels."""
    return marks.update(marker={"size": 14, "line": {"width": 2.5}})


def _named(line: go.Scatter, name: str) -> go.Scatter:
    """Give a line a name in the legend and an ear for clicks."""
    return line.update(name=name, showlegend=True, hoverinfo="none")
