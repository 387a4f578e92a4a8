"""Explore the discrete Morse complex: a skeleton under two thresholds, and what a branch is."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from ...checks import check_integer
from ...topology.morse import MorseComplex, Skeleton, morse_complex
from .. import figures
from ..figures.words import count, count_neighbours
from . import examples, views
from .base import Explorer
from .framed import FramedView, grid_of
from .frames import Film, Reel
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
        if self.selected > self.branch_count:
            self.selected = 0
        self.shown = figures.morse_view(self.image, self.complex_, **levels, selected=self.marked)
        if change is None or change["name"] != "selected":
            self.skeleton = self.complex_.skeleton(**levels)
            self._numbers = None

    @property
    def branch_count(self) -> int:
        """How many branches are more persistent than the threshold."""
        return len(self.complex_.branches(self.min_persistence))

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
        """Return a live view: move a slider, point at a branch or a dot, click to mark it."""
        return _MorseView(self).box


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


class _MorseView(FramedView):
    """The view of a `MorseExplorer`: the skeleton, a dot of each branch, and the marked one.

    The page draws the skeleton itself, at all places of both sliders (`Ridges` of ``frames.js``).
    What it compares are ranks in the grids of the sliders, so it agrees to the last pixel.
    """

    def build_controls(self) -> list[Any]:
        self.controls["connectivity"] = views.neighbour_choice()
        return []

    def build_more(self) -> list[Any]:
        return [*self.fold(self.row("connectivity")), self.bring_own()]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own picture, with nothing cut."""
        taken = bring_image(file, dark=self.dark.value)
        self.model.saddle_level = 0.0
        self.model.image = taken.values
        return (*taken.notes, "saddle level 0: nothing is cut")

    def key(self) -> tuple[Any, ...]:
        model = self.model
        self.grid, self.levels = grid_of(model.min_persistence), grid_of(model.saddle_level)
        usual = len(grid_of(0.0))
        own = [
            value if len(grid) > usual else 0.0  # off the grid
            for value, grid in (
                (model.min_persistence, self.grid), (model.saddle_level, self.levels),
            )
        ]  # fmt: skip
        return model.complex_, *own

    def places(self) -> dict[str, Any]:
        model = self.model
        return {
            "index": int(np.flatnonzero(self.grid == model.min_persistence)[0]),
            "level": int(np.flatnonzero(self.levels == model.saddle_level)[0]),
            "marked": model.selected,
        }

    def wanted(self) -> dict[str, Any]:
        frames, complex_ = self.frames, self.model.complex_
        low, high = float(self.grid[frames.index]), float(self.levels[frames.level])
        there = frames.marked <= len(complex_.branches(low))  # else it is simplified away
        return {
            "min_persistence": low,
            "saddle_level": high,
            "selected": frames.marked if there else 0,
        }

    def film(self) -> Film:
        """Make one frame of each threshold of persistence; the page finds what is in it."""
        model, grid = self.model, self.grid
        values = [f"{t:.2f}" for t in grid]
        reel = Reel("Persistence above", values, [""] * len(grid))
        reel.image(
            "skeleton: point at a branch", model.image.shape,
            [reel.grey(model.image), reel.ridges((figures.CUT, figures.SKELETON))],
            click="mark", ends=figures.COMPONENT, colours=(figures.CUT, figures.SKELETON),
        )  # fmt: skip
        reel.panel(
            "passes", "branches: point at a dot", most=MOST,
            colours=(figures.COMPONENT, figures.HOLE),
        )  # fmt: skip
        reel.panel("profile", "along the marked branch", ends=figures.COMPONENT)
        reel.more |= {
            "ridges": _pack(reel, model.complex_, grid, self.levels),
            "second": {
                "label": "Saddle level",
                "values": [f"{level:.2f}" for level in self.levels],
                "numbers": self.levels.tolist(),
            },
            "thresholds": grid.tolist(),
            "connectivity": model.connectivity,
            "tail": "ridges",
            "numbers": [
                {"name": "branches kept", "one": "branch kept"},
                {"name": "parts", "one": "part"},
            ],
            "marking": {"label": "Marked branch"},
            "challenges": CHALLENGES,
            "play": {"kind": "steps", "label": "Play: simplify", "interval": 150},
        }
        reel.legend += [
            ("■", figures.SKELETON, "skeleton"),
            ("■", figures.CUT, "cut by the saddle level"),
            ("●", figures.COMPONENT, "joins, kept"),
            ("○", figures.COMPONENT, "joins, cut"),
            ("▲", figures.HOLE, "closes a loop, kept"),
            ("△", figures.HOLE, "closes a loop, cut"),
            ("◯", figures.COMPONENT, "peaks of the marked branch"),
            ("□", "currentColor", "its pass"),
        ]
        return reel.film()


MOST = 2000  # dots: nobody could tell more of them apart
CHALLENGES = [
    {
        "name": "which branch would you cut?",
        "kind": "weakest",
        "question": "Of the ten most persistent branches, click the one you would trust least: "
        "that which is held together by the lowest pass.",
        "why": "It is persistent because a high peak dies at its pass, and yet the pass is all "
        "that holds it. In the chart such false bridges lie at the lower right.",
    },
    {
        "name": "fewer branches, one piece",
        "kind": "simplify",
        "question": "Leave 5 to 20 branches, with the skeleton in one part.",
        "why": "Persistence cancels passes with peaks, and never parts what hangs together; only "
        "the saddle level cuts.",
    },
]


def _pack(reel: Reel, complex_: MorseComplex, grid: Any, levels: Any) -> dict[str, Any]:
    """Pack the tree of the finest skeleton, and its branches, for `Ridges` of ``frames.js``."""
    tree, critical = complex_.tree, complex_.critical
    kind = critical.persistence.dtype  # thresholds take the image's precision

    def below(values: np.ndarray) -> dict[str, Any]:
        """Pack how many thresholds of persistence lie below values."""
        return reel.turns(np.searchsorted(grid.astype(kind), values, side="left"))

    def reached(values: np.ndarray) -> dict[str, Any]:
        """Pack how many saddle levels values reach."""
        return reel.turns(np.searchsorted(levels.astype(kind), values, side="right"))

    def runs(values: np.ndarray) -> dict[str, Any]:
        return reel.pack_frames(values[:, None], "int32")

    return {
        "pixel": runs(tree.pixel),
        "parent": runs(tree.parent),
        "height": reel.pack(tree.height, "float32"),
        "join": below(tree.join),
        "reaches": reached(tree.height),
        "dimension": reel.pack(critical.dimension, "uint8"),
        "persistence": reel.pack(critical.persistence, "float32"),
        "value": reel.pack(critical.value, "float32"),
        "lower": reel.pack(critical.lower, "int32"),
        "upper": reel.pack(critical.upper, "int32"),
        "peak": reel.pack(critical.peak, "int32"),
        "lives": below(critical.persistence),
        "stands": reached(critical.value),
    }
