"""Explore masks: paint pixels, and see components, holes and every metric follow."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from traitlets import validate

from ...checks import check_integer, check_same_shape
from ...metrics import report
from ...topology.components import betti_numbers
from .. import figures
from ..figures.painting import check_small
from ..figures.words import count, count_neighbours, count_shape
from . import views
from .base import Explorer
from .traits import Checked, Connectivity, UpTo, check_pair
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

    mask = Checked(lambda model, value, name: check_small(value, name))
    truth = Checked(lambda model, value, name: check_small(value, name))
    connectivity = Connectivity()
    row = UpTo(lambda model: model.mask.shape[0] - 1)
    column = UpTo(lambda model: model.mask.shape[1] - 1)

    def __init__(
        self, mask: Any, truth: Any = None, *, connectivity: int = 2, row: int = 0, column: int = 0
    ) -> None:
        super().__init__()
        self.connectivity = connectivity
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
        with self.hold_trait_notifications():
            self.mask, self.row, self.column = mask, row, column

    @validate("mask", "truth")
    def _check_shapes(self, proposal: Any) -> np.ndarray:
        return check_pair(self, proposal, ("mask", "truth"))

    def _measure(self, change: Any = None) -> None:
        """Count and compare anew."""
        self.betti = betti_numbers(self.mask, connectivity=self.connectivity)
        self.parts = figures.numbered_parts(self.mask, connectivity=self.connectivity)
        self.numbers = report(self.mask, self.truth, connectivity=self.connectivity)

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
        names = ("mask", "truth", "connectivity", "row", "column")
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a state that `snapshot` returned."""
        self._check_snapshot(snapshot)
        self.take(snapshot["mask"], snapshot["truth"])
        for name in ("connectivity", "row", "column"):
            setattr(self, name, snapshot[name])

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
        """Return a live view: click a pixel to paint it or to wipe it out."""
        return _PaintView(self).box


class _PaintView(views.FigureView):
    """The view of a `PaintExplorer`: the grid, and a table of numbers beside it."""

    first = "mask"
    clickable = ("xy",)

    def lay_out(self) -> go.Figure:
        # A hand that trembles paints, and does not zoom.
        hint = {"text": "click a pixel to paint it or wipe it out", "x": 0.5, "y": 1.01}
        hint |= {"xref": "paper", "yref": "paper", "showarrow": False, "yanchor": "bottom"}
        figure = go.Figure(layout={"annotations": [hint]})
        views.laid_out(figure, width=640, height=520, top=40, dragmode=False)
        # The letters' signs, too, which are specks in the grid.
        return figure.update_layout(legend_itemsizing="constant")

    def arrange(self, width: int) -> None:
        width = min(width - 310 if width > 800 else width, 640)  # beside the table or above it
        high = min(0.66 * width, self.tall)
        views.place(self.figure, width, [(0, 0, views.room(self.figure, width), high)])

    def build_middle(self) -> widgets.HBox:
        self.table = widgets.HTML()
        return widgets.HBox([self.figure, self.table])

    def build_traces(self) -> None:
        """Make the grid: pixels in their colours, the truth's outline, names, the chosen pixel."""
        squares = [
            views.marks(name, "square", colour)
            for name, colour in (
                ("right", figures.SUPERLEVEL),
                ("false", figures.LOWERED),
                ("missing", figures.RAISED),
            )
        ]
        for square in squares:  # for the legend alone: the image below holds the pixels
            square.update(x=[None], y=[None])
        traces = [
            views.image_trace(),
            views.line(color="lightgray", width=1),
            views.outline("outline of the truth", width=2.5),
            *squares,
            self.letters("A, B: components", figures.COMPONENT),
            self.letters("1, 2: holes", figures.HOLE),
            views.marks("chosen pixel", "square-open", "black"),
        ]
        self.figure.add_traces(traces)
        traced = self.figure.data
        self.image, self.grid, self.edge, *_, self.components, self.holes, self.chosen = traced
        self.chosen.update(hoverinfo="skip", marker={"size": 18, "line": {"width": 3}})
        square = {"scaleanchor": "x", "constrain": "domain", "autorange": "reversed"}
        self.figure.update_yaxes(title="row", showgrid=False, zeroline=False, **square)
        self.figure.update_xaxes(title="column", constrain="domain", showgrid=False, zeroline=False)
        self.image.on_click(self.paint)

    def letters(self, name: str, colour: str) -> go.Scatter:
        """Return a trace of names, one for each pixel of a kind of part."""
        trace = views.marks(name, "circle", colour)
        style = {"color": colour, "size": 12, "weight": "bold"}
        # A point of no size carries each name, so that the legend has a sign to show.
        return trace.update(
            mode="markers+text", marker={"size": 0.1, "line": {"width": 0}}, textfont=style,
            hoverinfo="skip", legendgroup=name,
        )  # fmt: skip

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "connectivity": views.neighbour_choice(),
            "row": views.integer_slider("Row"),
            "column": views.integer_slider("Column"),
        }
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
        return [self.row("row", "column"), self.row(*buttons, "connectivity"), self.bring_own()]

    def press(self, button: Any) -> None:
        """Do what a button says."""
        self.buttons[button.description]()

    def paint(self, trace: Any, points: Any, state: Any) -> None:
        """Turn the pixel that was clicked."""
        if points.point_inds:
            row, column = points.point_inds[0]
            self.model.toggle(int(row), int(column))

    def take(self, file: bytes) -> tuple[str, ...]:
        """Paint on the reader's own picture, small and in two values."""
        taken = bring_image(file, dark=self.dark.value, size=UPLOADED)
        threshold = parting(taken.values)
        self.model.take(taken.values >= threshold)
        return (*taken.notes, f"foreground from {threshold:.2f} on, by Otsu's method")

    def last_values(self) -> dict[str, int]:
        height, width = self.model.mask.shape
        return {"row": height - 1, "column": width - 1}

    def draw(self, name: str) -> None:
        model = self.model
        if name not in ("row", "column"):
            self.image.source = views.address(figures.mask_colours(model.mask, model.truth))
            views.move(self.grid, *self.lattice(*model.mask.shape))
            views.move(self.edge, *figures.outline(model.truth))
            self.name_parts()
        views.move(self.chosen, [model.column], [model.row])
        self.table.value = self.write_table()

    @staticmethod
    def lattice(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the lines between the pixels, so that an empty grid can be painted on."""
        across = [[(-0.5, k - 0.5), (width - 0.5, k - 0.5)] for k in range(height + 1)]
        down = [[(k - 0.5, -0.5), (k - 0.5, height - 0.5)] for k in range(width + 1)]
        lines = [[*line, (np.nan, np.nan)] for line in across + down]
        x, y = np.array(lines).reshape(-1, 2).T
        return x, y

    def name_parts(self) -> None:
        """Write the name of its component or hole into each pixel."""
        parts = self.model.parts
        size = min(14.0, max(7.0, 170 / max(parts.shape)))
        for trace, kind in ((self.components, parts > 0), (self.holes, parts < 0)):
            rows, columns = np.nonzero(kind)
            views.move(trace, columns, rows)
            trace.text = [figures.part_name(int(number)) for number in parts[kind]]
            trace.textfont.size = size

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
