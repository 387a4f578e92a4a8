"""Explore masks: paint pixels, and see components, holes and every metric follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from traitlets import observe, validate

from ...checks import check_integer, check_same_shape
from ...metrics import report
from ...topology.components import betti_numbers
from .. import figures
from ..figures.painting import check_small
from ..figures.words import count, count_neighbours, count_shape
from . import views
from .base import Explorer
from .framed import FramedView
from .frames import Film, Reel
from .traits import Checked, Connectivity, OneOf, UpTo, check_pair
from .uploads import bring_image, parting

__all__ = ["PaintExplorer"]

LEFT = '<th style="text-align: left; font-weight: normal"'
UPLOADED = 24  # pixels of the longer side that are kept of the reader's own picture


class PaintExplorer(Explorer):
    """A small mask to paint on, its components and holes, and what the metrics say about it.

    `mask` has at most 32 pixels a side; `truth` is what the metrics compare it with, by default
    itself.

    Attributes
    ----------
    betti : tuple of int
        The numbers of components and of holes of what is painted.
    parts : (H, W) array of int
        1, 2, ... on its components, -1, -2, ... on its holes.
    numbers : dict
        All metrics: what `toposeg_lite.metrics.report` returns.
    challenge : str
        Which of the `CHALLENGES` is posed; at first none.
    tries, solved : int, bool
        How often the mask has been painted on since then, and whether the challenge is met.

    Examples
    --------
    >>> explorer = PaintExplorer(np.array([[1, 1, 1, 1, 1]]))
    >>> explorer.toggle(0, 2)
    >>> explorer.betti, explorer.numbers["betti_error"]
    ((2, 0), 1.0)
    >>> explorer.toggle(0, 2)
    >>> explorer.betti, explorer.numbers["betti_error"]
    ((1, 0), 0.0)
    """

    chapter, title = "01", "Painting"

    challenge = OneOf(lambda model: CHALLENGES)
    tries: int
    solved: bool
    _before: np.ndarray | None = None  # the mask before a try that has not been judged
    mask = Checked(lambda model, value, name: check_small(value, name))
    truth = Checked(lambda model, value, name: check_small(value, name))
    connectivity = Connectivity()
    row = UpTo(lambda model: model.mask.shape[0] - 1)
    column = UpTo(lambda model: model.mask.shape[1] - 1)

    def __init__(
        self, mask: Any, truth: Any = None, *, connectivity: int = 2, row: int = 0, column: int = 0
    ) -> None:
        super().__init__()
        self.connectivity, self.challenge = connectivity, next(iter(CHALLENGES))
        self.take(mask, truth)
        self.row, self.column = row, column
        self._measure()
        self.observe(self._measure, ["mask", "truth", "connectivity"])

    def take(self, mask: Any, truth: Any = None) -> None:
        """Take another mask, which may have another size, and its truth: by default itself."""
        mask = check_small(mask)
        truth = mask if truth is None else check_small(truth, "truth")
        check_same_shape(mask, truth, ("mask", "truth"))
        with self.hold_trait_notifications():
            self.mask, self.truth = mask.copy(), truth.copy()
            self.row = min(self.row, mask.shape[0] - 1)
            self.column = min(self.column, mask.shape[1] - 1)

    def toggle(self, row: int, column: int) -> None:
        """Turn a pixel from foreground into background or back, and choose it."""
        mask = self.mask.copy()
        row = check_integer(row, "row", 0, mask.shape[0] - 1)
        column = check_integer(column, "column", 0, mask.shape[1] - 1)
        mask[row, column] ^= True
        self.paint(mask, row, column)

    def paint(self, mask: Any, row: int, column: int) -> None:
        """Take another mask of the same size, and choose a pixel: a try at the challenge."""
        mask = check_small(mask)
        check_same_shape(mask, self.mask, ("mask", "mask before"))
        row = check_integer(row, "row", 0, mask.shape[0] - 1)
        column = check_integer(column, "column", 0, mask.shape[1] - 1)
        self._before = self.mask if (mask != self.mask).any() else None
        with self.hold_trait_notifications():
            self.mask, self.row, self.column = mask, row, column

    def _judge(self) -> None:
        """Count a try at the challenge, if this was one, and see whether it is solved."""
        challenge, before = CHALLENGES[self.challenge], self._before
        self._before = None
        if challenge is not None and before is not None and not self.solved:
            self.tries += 1
            self.solved = challenge.met(self, before)

    @observe("challenge")
    def _begin(self, change: Any = None) -> None:
        """Begin a challenge: no tries yet."""
        self.tries, self.solved = 0, False

    def standing(self) -> str:
        """Say what the challenge asks, and how it stands; nothing while painting freely."""
        challenge = CHALLENGES[self.challenge]
        if challenge is None:
            return ""
        tries = f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        if self.solved:
            return f"Solved with {tries}! {challenge.why}"
        return f"{challenge.question} {f'{tries} so far: not yet.' if self.tries else 'Try it.'}"

    @validate("mask", "truth")
    def _check_shapes(self, proposal: Any) -> np.ndarray:
        return check_pair(self, proposal, ("mask", "truth"))

    def _measure(self, change: Any = None) -> None:
        """Count and compare anew."""
        self.betti = betti_numbers(self.mask, connectivity=self.connectivity)
        self.parts = figures.numbered_parts(self.mask, connectivity=self.connectivity)
        self.numbers = report(self.mask, self.truth, connectivity=self.connectivity)
        self._judge()

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column of the chosen pixel."""
        return self.row, self.column

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of a ring and two bars, of which one is cut and both are merged."""
        truth = np.zeros((10, 15), bool)
        truth[1:5, 1:5], truth[2:4, 2:4] = True, False
        truth[[6, 8], 1:10] = True
        mask = truth.copy()
        mask[6, 5], mask[7, 3] = False, True
        return cls(mask, truth, row=6, column=5)

    def brief(self) -> str:
        """Say in one sentence what is painted, and how much of it is wrong."""
        wrong = int((self.mask != self.truth).sum())
        return (
            f"Painted: {count_shape(self.betti)}; {count(wrong, 'pixel')} "
            f"differ{'s' * (wrong == 1)} from the truth."
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the present state, for `restore`."""
        names = ("mask", "truth", "connectivity", "row", "column", "challenge")
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a state that `snapshot` returned."""
        self._check_snapshot(snapshot)
        self.take(snapshot["mask"], snapshot["truth"])
        for name in ("connectivity", "row", "column", "challenge"):
            setattr(self, name, snapshot[name])
        self._begin()

    def describe(self) -> str:
        """Say in words what the picture shows."""
        truth = betti_numbers(self.truth, connectivity=self.connectivity)
        wrong = int((self.mask != self.truth).sum())
        values = ", ".join(
            f"{name} {value}" for name, value, *_ in figures.metric_rows(self.numbers)
        )
        return (
            f"With {count_neighbours(self.connectivity)} the painting has "
            f"{count_shape(self.betti)}, the truth {count_shape(truth)}; {wrong} of "
            f"{self.mask.size} pixels differ{'s' * (wrong == 1)}. {values}. Row {self.row}, column "
            f"{self.column} is {self._place()}."
        )

    def _place(self) -> str:
        """Say to which part the chosen pixel belongs."""
        number = int(self.parts[self.pixel])
        name = figures.part_name(number)
        if number > 0:
            return f"in component {name}"
        return f"in hole {name}" if number else "background that reaches the border"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.painting_summary(
            self.mask, self.truth, connectivity=self.connectivity, pixel=self.pixel
        )

    def view(self) -> widgets.VBox:
        """Return a live view: press and drag to paint pixels or to wipe them out."""
        return _PaintView(self).box


@dataclass(frozen=True)
class Challenge:
    """A question that is answered by painting; `met` tells from the mask before whether it is.

    A page without a kernel judges by itself: `kind` is what ``frames.js`` calls it.
    """

    question: str
    met: Callable[[PaintExplorer, np.ndarray], bool]
    why: str
    kind: str


def _counts(mask: np.ndarray, connectivity: int) -> np.ndarray:
    return np.array(betti_numbers(mask, connectivity=connectivity))


def _changes(mask: np.ndarray, before: np.ndarray, connectivity: int) -> np.ndarray:
    """Return what a flip of one pixel does to the numbers of components and of holes."""
    return _counts(mask, connectivity) - _counts(before, connectivity)


CHALLENGES: dict[str, Challenge | None] = {
    "paint freely": None,
    "which pixel would you mend?": Challenge(
        "Mend it: bring the Betti matching error to 0. Which pixel would you mend first?",
        lambda model, before: model.numbers["betti_matching_error"] == 0,
        "Each part has its partner now. With one of two opposite mistakes mended, the Betti error "
        "is worse than with both: it only compares counts.",
        kind="mend",
    ),
    "both counts with one pixel": Challenge(
        "Find one pixel that changes components and holes at once.",
        lambda model, before: (
            (model.mask != before).sum() == 1
            and bool(_changes(model.mask, before, model.connectivity).all())
        ),
        "Such a pixel touches several parts: it joins or parts some, and closes or opens a hole.",
        kind="both",
    ),
    "8 is not 4": Challenge(
        "Find one pixel that counts differently with 4 and with 8 neighbours.",
        lambda model, before: (
            (model.mask != before).sum() == 1
            and (_changes(model.mask, before, 1) != _changes(model.mask, before, 2)).any()
        ),
        "It touches other pixels at corners alone: with 8 neighbours they hang together, with 4 "
        "they do not.",
        kind="corners",
    ),
    "equal counts, wrong parts": Challenge(
        "Bring the Betti error to 0 while the Betti matching error is 4.",
        lambda model, before: (
            model.numbers["betti_error"] == 0 and model.numbers["betti_matching_error"] == 4
        ),
        "The counts agree by chance; that the parts lie elsewhere only the matching sees.",
        kind="unlike",
    ),
}


class _PaintView(FramedView):
    """The view of a `PaintExplorer`: the grid, and a table of numbers beside it."""

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "challenge": views.dropdown("Challenge", list(CHALLENGES), 26),
            "connectivity": views.neighbour_choice(),
            "row": views.integer_slider("Row"),
            "column": views.integer_slider("Column"),
        }
        return [self.row("challenge", "connectivity")]

    def build_more(self) -> list[Any]:
        model = self.model
        self.buttons = {
            "Flip this pixel": lambda: model.toggle(*model.pixel),
            "Empty": lambda: setattr(model, "mask", np.zeros_like(model.mask)),
            "Back to the truth": lambda: setattr(model, "mask", model.truth.copy()),
            "Make it the truth": lambda: setattr(model, "truth", model.mask.copy()),
        }
        buttons = [widgets.Button(description=name) for name in self.buttons]
        for button in buttons:
            button.on_click(self.press)
        flip, *others = buttons
        rows = self.fold(self.row("row", "column", flip))
        return [self.row(*others), *rows, self.bring_own()]

    def show_frames(self) -> widgets.HBox:
        """Put the table of numbers beside the grid."""
        self.table = widgets.HTML()
        self.frames.layout = {"flex": "1 1 380px", "width": "auto", "max_width": "840px"}
        self.frames.observe(self.paint, "stroke")
        return widgets.HBox([self.frames, self.table])

    def press(self, button: Any) -> None:
        """Do what a button says."""
        self.buttons[button.description]()

    def paint(self, change: Any) -> None:
        """Take what was painted in the page."""
        mask = np.zeros_like(self.model.mask)
        places = np.asarray(self.frames.painted, int)
        if len(places) and not 0 <= places.min() <= places.max() < mask.size:
            return  # painted on a mask of another size, which is no longer there
        mask.flat[places] = True
        self.model.paint(mask, *self.frames.pixel)

    def take(self, file: bytes) -> tuple[str, ...]:
        """Paint on the reader's own picture, small and in two values."""
        taken = bring_image(file, dark=self.dark.value, size=UPLOADED)
        threshold = parting(taken.values)
        self.model.take(taken.values >= threshold)
        return (*taken.notes, f"foreground from {threshold:.2f} on, by Otsu's method")

    def last_values(self) -> dict[str, int]:
        height, width = self.model.mask.shape
        return {"row": height - 1, "column": width - 1}

    def key(self) -> tuple[Any, ...]:
        return self.model.mask, self.model.truth, self.model.connectivity

    def places(self) -> dict[str, Any]:
        return {"pixel": list(self.model.pixel)}

    def wanted(self) -> dict[str, Any]:
        height, width = self.model.mask.shape
        row, column = self.frames.pixel
        return {"row": min(row, height - 1), "column": min(column, width - 1)}

    def film(self) -> Film:
        """Make the one frame that there is; the page paints on it."""
        model = self.model
        reel = Reel("Painting", [""], [""])
        reel.panel(
            "paint", "paint or wipe out: press and drag",
            shape=list(model.mask.shape), layers=[],
            mask=reel.pack(model.mask, "uint8"), truth=reel.pack(model.truth, "uint8"),
            palette=("#FFFFFF", figures.RAISED, figures.LOWERED, figures.SUPERLEVEL),
            colours=(figures.COMPONENT, figures.HOLE),
            lines=[reel.line(*figures.outline(model.truth), figures.TRUTH, 2.5)],
        )  # fmt: skip
        reel.more |= {
            "connectivity": model.connectivity,
            "stroke": self.frames.stroke,
            "tail": "paint",
            "challenges": [
                {"name": name, "alone": True}
                | {key: getattr(each, key) for key in ("kind", "question", "why")}
                for name, each in CHALLENGES.items()
                if each is not None
            ],
            "numbers": [
                {"name": "components", "one": "component"},
                {"name": "holes", "one": "hole"},
            ],
        }
        reel.legend += [
            ("■", figures.SUPERLEVEL, "right"),
            ("■", figures.LOWERED, "false"),
            ("■", figures.RAISED, "missing"),
            ("▢", figures.TRUTH, "outline of the truth"),
            ("A", figures.COMPONENT, "A, B: components"),
            ("1", figures.HOLE, "1, 2: holes"),
            ("□", "currentColor", "chosen pixel"),
        ]
        return reel.film()

    def draw_beside(self) -> None:
        """Write the numbers, and how the challenge stands."""
        self.table.value = self.write_table()
        self.frames.story = self.model.standing()

    def write_table(self) -> str:
        """Return the numbers as a table; what differs from the truth is bold and has a sign."""
        model = self.model
        truth = betti_numbers(model.truth, connectivity=model.connectivity)
        counts = [
            (name, str(ours), str(theirs), ours != theirs)
            for name, ours, theirs in zip(("components", "holes"), model.betti, truth, strict=True)
        ]
        parts = [("", "painted", "truth", counts)]
        parts.append(("metric", "value", "perfect", figures.metric_rows(model.numbers)))
        lines = []
        for kind, *columns, rows in parts:
            cells = "".join(f'<th scope="col">{name}</th>' for name in columns)
            lines.append(f'<tr>{LEFT} scope="col">{kind}</th>{cells}</tr>')
            for name, value, wanted, differs in rows:
                value = f"<b>{value} ≠</b>" if differs else value
                cells = f"<td>{value}</td><td>{wanted}</td>"
                lines.append(f'<tr>{LEFT} scope="row">{name}</th>{cells}</tr>')
        style = "line-height: 2em; border-collapse: separate; border-spacing: 12px 0"
        return f'<table style="{style}">{"".join(lines)}</table>'
