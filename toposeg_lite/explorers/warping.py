"""Explore homotopy warping: play a warp flip by flip, and ask any pixel whether it is simple."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from plotly.subplots import make_subplots
from traitlets import Any as AnyTrait
from traitlets import Float, Int, Unicode, validate

from .. import figures
from ..checks import check_choice, check_fraction, check_integer, check_same_shape
from ..topology.components import betti_numbers
from ..topology.grid import check_connectivity, check_image, check_mask
from ..topology.warping import flip_order
from . import examples
from .base import (
    Explorer,
    LiveFigure,
    View,
    _address,
    _count,
    _line,
    _marks,
    _set,
    _slider,
    read_image,
)

__all__ = ["WarpExplorer"]

DIRECTIONS = ("mask to target", "target to mask")


class WarpExplorer(Explorer):
    """A mask on its way to a target, flip by flip, beside the neighbourhood of a chosen pixel.

    The mask is a superlevel set, so that a threshold can be moved, too.

    Parameters
    ----------
    image : (H, W) array of float or bool
        A likelihood, or a mask.
    target : (H, W) array of bool, or of 0 and 1
        Where the warp is to go.
    threshold : float
        The mask holds the pixels of the image at or above it. Default 0.5.
    connectivity : int
        Of the foreground: 1 for 4 neighbours, 2 for 8 (default).
    direction : {"mask to target", "target to mask"}
        Which of the two is deformed.
    step : int
        How many pixels have flipped. Default 0.
    row, column : int, optional
        The chosen pixel. Default: the first critical one, or the pixel in the corner.

    Attributes
    ----------
    start, goal : (H, W) arrays of bool
        The mask that is deformed, and the one that it approaches.
    order : (n,) array of int64
        The pixels that flip, in order; a new threshold brings a new order.
    now : (H, W) array of bool
        The deformed mask after `step` flips.
    critical : (H, W) array of bool
        Where it differs from the goal after all flips.

    Raises
    ------
    TypeError, ValueError
        For bad input, when built and when assigned. An image of another size needs a new target:
        see `take`.

    Examples
    --------
    A bar with a gap cannot become one whole bar:

    >>> explorer = WarpExplorer(np.array([[1.0, 1.0, 0.0, 0.0, 1.0]]), np.ones((1, 5), bool))
    >>> explorer.step = len(explorer.order)
    >>> print(explorer.describe())
    The warp from mask to target after 1 of 1 flip, with 8 neighbours: 1 pixel still differs, and 1
    is critical. The mask at or above 0.50 has 2 components and 0 holes, the target has 1 component
    and 0 holes; warped so far: 2 components and 0 holes. Row 0, column 3 is background. Not simple:
    2 foreground and 2 background components touch it; adding it joins parts.
    """

    chapter, title = "04", "Warping"

    image = AnyTrait()
    target = AnyTrait()
    threshold = Float(0.5)
    connectivity = Int(2)
    direction = Unicode(DIRECTIONS[0])
    step = Int(0)
    row = Int(0)
    column = Int(0)

    def __init__(
        self,
        image: Any,
        target: Any,
        *,
        threshold: float = 0.5,
        connectivity: int = 2,
        direction: str = DIRECTIONS[0],
        step: int = 0,
        row: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__()
        self.order = np.zeros(0, np.int64)
        self.threshold, self.connectivity, self.direction = threshold, connectivity, direction
        self.take(image, target)
        self._measure()
        self.observe(self._measure, ["image", "target", "threshold", "connectivity", "direction"])
        first = np.argwhere(self.critical)[:1].ravel().tolist() or [0, 0]
        self.row, self.column = (
            first[0] if row is None else row,
            (first[1] if column is None else column),
        )
        self.step = step

    def take(self, image: Any, target: Any = None) -> None:
        """Take another image, which may have another size.

        Parameters
        ----------
        image : (H, W) array of float or bool
            A likelihood, or a mask.
        target : (H, W) array of bool, optional
            The new target. Default: what of the image is at or above the present threshold; move
            the threshold, and see which pixels are critical on the way.

        Raises
        ------
        TypeError, ValueError
            For bad input; the explorer then stays as it was.
        """
        image = check_image(image, ndim=2)
        target = image >= self.threshold if target is None else check_mask(target, "target", ndim=2)
        check_same_shape(image, target, ("image", "target"))
        with self.hold_trait_notifications():
            self.step = 0
            self.image, self.target = image, target
            self.row = min(self.row, image.shape[0] - 1)
            self.column = min(self.column, image.shape[1] - 1)

    @validate("image", "target")
    def _check_images(self, proposal: Any) -> np.ndarray:
        name = proposal["trait"].name
        check = check_image if name == "image" else check_mask
        array = check(proposal["value"], name, ndim=2)
        other = self.target if name == "image" else self.image
        if other is not None:
            check_same_shape(array, other, (name, "target" if name == "image" else "image"))
        return array

    @validate("threshold")
    def _check_threshold(self, proposal: Any) -> float:
        return check_fraction(proposal["value"], "threshold")

    @validate("connectivity")
    def _check_connectivity(self, proposal: Any) -> int:
        return check_connectivity(proposal["value"], 2)

    @validate("direction")
    def _check_direction(self, proposal: Any) -> str:
        return check_choice(proposal["value"], DIRECTIONS, "direction")

    @validate("step")
    def _check_step(self, proposal: Any) -> int:
        return self._check_upto(proposal["value"], len(self.order), "step")

    @validate("row", "column")
    def _check_place(self, proposal: Any) -> int:
        name = proposal["trait"].name
        last = self.image.shape[0 if name == "row" else 1] - 1
        return self._check_upto(proposal["value"], last, name)

    @staticmethod
    def _check_upto(value: int, last: int, name: str) -> int:
        if check_integer(value, name) > last:
            raise ValueError(f"{name} must be 0 to {last}; got {value}")
        return value

    def _measure(self, change: Any = None) -> None:
        """Compute the order of the flips anew; the step stays where it is if it can."""
        mask = self.image >= self.threshold
        forth = self.direction == DIRECTIONS[0]
        self.start, self.goal = (mask, self.target) if forth else (self.target, mask)
        self.order = flip_order(self.start, self.goal, connectivity=self.connectivity)
        self.critical = self._after(len(self.order)) != self.goal
        self.step = min(self.step, len(self.order))

    def _after(self, step: int) -> np.ndarray:
        flipped = self.start.copy()
        flipped.flat[self.order[:step]] ^= True
        return flipped

    @property
    def now(self) -> np.ndarray:
        """The deformed mask after the present number of flips."""
        return self._after(self.step)

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column of the chosen pixel."""
        return self.row, self.column

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of a broken vessel and its reference mask, the warp half way."""
        explorer = cls(*examples.gap())
        explorer.step = len(explorer.order) // 2
        return explorer

    def describe(self) -> str:
        """Say in words what the picture shows."""
        now, neighbours = self.now, 4 if self.connectivity == 1 else 8
        left, critical = int((now != self.goal).sum()), int(self.critical.sum())
        names = self.direction.split(" to ")
        holds = [f"The {names[0]}", f"the {names[1]}"]
        place = names.index("mask")
        holds[place] += f" at or above {self.threshold:.2f}"
        shape = "foreground" if now[self.pixel] else "background"
        verdict = figures.verdict(now, self.pixel, connectivity=self.connectivity)
        return (
            f"The warp from {self.direction} after {self.step} of "
            f"{_count(len(self.order), 'flip')}, with {neighbours} neighbours: "
            f"{_count(left, 'pixel')} still differ{'s' * (left == 1)}, and {critical} "
            f"{'is' if critical == 1 else 'are'} critical. {holds[0]} has "
            f"{self._shape(self.start)}, {holds[1]} has {self._shape(self.goal)}; warped so far: "
            f"{self._shape(now)}. Row {self.row}, column {self.column} is {shape}. {verdict}"
        )

    def _shape(self, mask: np.ndarray) -> str:
        components, holes = betti_numbers(mask, connectivity=self.connectivity)
        return f"{_count(components, 'component')} and {_count(holes, 'hole')}"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.warp_step(
            self.now,
            self.goal,
            self.pixel,
            critical=self.critical,
            connectivity=self.connectivity,
            title=f"{self.direction}: {self.step} of {_count(len(self.order), 'flip')}",
        )

    def view(self) -> widgets.VBox:
        """Return a live view: play the flips or move their slider; click a pixel to choose it."""
        return _WarpView(self).box


class _WarpView(View):
    """The widgets of a `WarpExplorer`: controls, masks and neighbourhood, a line of text."""

    def __init__(self, model: WarpExplorer) -> None:
        self.model = model
        titles = ("the mask on its way", "neighbourhood of the chosen pixel")
        figure = make_subplots(1, 2, subplot_titles=titles, column_widths=[0.62, 0.38])
        figure.update_layout(
            template="plotly_white",
            width=1010,
            height=560,
            margin={"l": 50, "r": 10, "t": 50, "b": 40},
            legend={"orientation": "h", "y": -0.12},
            hovermode="closest",
        )
        self.figure = LiveFigure(figure)
        self.text = widgets.HTML()
        with self.figure.batch_update():
            self.build_masks()
            self.build_neighbourhood()
        self.controls: dict[str, Any] = {}
        self.box = widgets.VBox([*self.build_controls(), self.figure, self.text])
        self.link()

    # In a batch every changed trace is sent every property that changes in any of them, and loses
    # those that it does not set itself. So traces are complete before they are added, and `redraw`
    # leaves sizes out of its batch.

    def build_masks(self) -> None:
        """Make the part on the left: pixels in their colours, the outline, critical pixels."""
        signs = (
            ("in both", "square", figures.SUPERLEVEL),
            ("to remove", "square", figures.LOWERED),
            ("to add", "square", figures.RAISED),
            ("critical", "x", figures.CRITICAL),
            ("chosen pixel", "square-open", "black"),
            ("foreground component", "circle", figures.COMPONENT),
            ("background component", "triangle-up", figures.HOLE),
        )
        for sign in signs:  # signs without a place: a legend that stays when others come and go
            self.add(1, _marks(*sign).update(x=[None], y=[None]))
        edge = _line(color=figures.TRUTH, width=1.5)
        crosses, chosen = _marks(*signs[3]), _marks(*signs[4])
        for trace in (crosses, chosen):
            trace.update(showlegend=False, hoverinfo="skip")
        self.image, self.edge, self.crosses, self.chosen = self.add(
            1,
            go.Image(hovertemplate="row %{y}, column %{x}<extra></extra>"),
            edge.update(name="outline of the goal", showlegend=True),
            crosses,
            chosen.update(marker={"size": 16, "line": {"width": 3}}),
        )
        square = {"scaleanchor": "x", "constrain": "domain"}
        self.figure.update_yaxes(title="row", row=1, col=1, **square)
        self.figure.update_xaxes(title="column", constrain="domain", row=1, col=1)
        self.image.on_click(self.choose)

    def build_neighbourhood(self) -> None:
        """Make the part on the right: nine cells, and the components that touch the middle."""
        middle = go.Scatter(mode="text", text=["p"], x=[1], y=[1], textfont={"size": 20})
        between, across = [0.5, 0.5, None, 1.5, 1.5, None], [-0.5, 2.5, None] * 2
        grid = _line(color="gray", width=1)
        grid.update(x=[*between, *across], y=[*across, *between])
        self.cells, _, self.inner, self.outer, self.foreground, self.background, _ = self.add(
            2,
            go.Image(hoverinfo="skip"),
            grid,
            _line(color=figures.COMPONENT, width=4),
            _line(color=figures.HOLE, width=4),
            self.letters("foreground component", "circle", figures.COMPONENT),
            self.letters("background component", "triangle-up", figures.HOLE),
            middle.update(showlegend=False, hoverinfo="skip"),
        )
        square = {"scaleanchor": "x2", "constrain": "domain", "range": [2.5, -0.5]}
        self.figure.update_yaxes(title="", showticklabels=False, row=1, col=2, **square)
        bare = {"constrain": "domain", "range": [-0.5, 2.5], "showticklabels": False}
        self.figure.update_xaxes(row=1, col=2, **bare)

    def letters(self, name: str, symbol: str, colour: str) -> go.Scatter:
        """Return a trace of signs with a letter in each."""
        trace = _marks(name, symbol, colour).update(mode="markers+text", showlegend=False)
        return trace.update(marker={"size": 30}, textfont={"color": "white", "size": 14})

    def build_controls(self) -> list[Any]:
        """Make the controls, and return them in rows."""
        wide = {"width": "21em"}
        self.controls |= {
            "step": _slider(widgets.IntSlider, "Flips", min=0, max=0),
            "direction": widgets.Dropdown(
                description="Warp", options=list(DIRECTIONS), layout=wide
            ),
            "threshold": _slider(
                widgets.FloatSlider, "Threshold", min=0, max=1, step=0.01, readout_format=".2f"
            ),
            "connectivity": widgets.Dropdown(
                description="Foreground",
                options=[("8 neighbours", 2), ("4 neighbours", 1)],
                value=2,
                layout=wide,
            ),
            "row": _slider(widgets.IntSlider, "Row", min=0, max=0),
            "column": _slider(widgets.IntSlider, "Column", min=0, max=0),
        }
        self.player = widgets.Play(min=0, max=0, interval=150)
        widgets.jslink((self.player, "value"), (self.controls["step"], "value"))
        step, direction, threshold, neighbours, row, column = self.controls.values()
        return [
            widgets.HBox([step, self.player, direction]),
            widgets.HBox([row, column]),
            widgets.HBox([threshold, neighbours]),
            self.bring_own(),
        ]

    def choose(self, trace: Any, points: Any, state: Any) -> None:
        """Choose the pixel that was clicked."""
        if points.point_inds:
            row, column = points.point_inds[0]
            with self.model.hold_trait_notifications():
                self.model.row, self.model.column = int(row), int(column)

    def take(self, file: bytes) -> None:
        """Warp the reader's own picture."""
        self.model.take(read_image(file, dark=self.dark.value))

    def redraw(self, change: Any = None) -> None:
        """Bring figure, controls and text into line with the model."""
        model, name = self.model, change.name if change else "image"
        moved = name in ("row", "column")
        self.controls["step"].max = self.player.max = len(model.order)
        for trait, last in zip(("row", "column"), model.image.shape, strict=True):
            self.controls[trait].max = last - 1
        for trait, control in self.controls.items():
            control.value = getattr(model, trait)
        self.player.value = model.step  # so that it plays on from here
        now = model.now
        with self.figure.batch_update():
            if not moved:
                self.image.source = _address(figures.mask_colours(now, model.goal))
            if not moved and name != "step":
                height, width = model.goal.shape
                self.figure.layout.xaxis.range = [-0.5, width - 0.5]
                self.figure.layout.yaxis.range = [height - 0.5, -0.5]
                _set(self.edge, *figures.outline(model.goal))
                rows, columns = np.nonzero(model.critical)
                _set(self.crosses, columns, rows)
            _set(self.chosen, [model.column], [model.row])
            self.draw_neighbourhood(now)
        size = min(16.0, max(4.0, 420 / max(model.image.shape)))
        if self.crosses.marker.size != size:
            self.crosses.marker.size = size
        self.say(model.describe())

    def draw_neighbourhood(self, now: np.ndarray) -> None:
        """Draw the cells around the chosen pixel, their components, and the verdict."""
        model, full = self.model, self.model.connectivity
        self.cells.source = _address(figures.cells_around(now, model.pixel))
        numbers = figures.components_around(now, model.pixel, connectivity=full)
        links = figures.links_around(numbers, full)
        for sign, line, signs in (
            (1, self.inner, self.foreground),
            (-1, self.outer, self.background),
        ):
            some = [[*link, (np.nan, np.nan)] for link in links if sign * numbers[link[0]] > 0]
            y, x = np.array(some, float).reshape(-1, 2).T
            _set(line, x, y)
            rows, columns = np.nonzero(sign * numbers > 0)
            _set(signs, columns, rows)
            names = "ABCD" if sign > 0 else "1234"
            signs.text = [names[abs(k) - 1] for k in numbers[rows, columns]]
        answer = figures.verdict(now, model.pixel, connectivity=full).split(":")[0].lower()
        title = f"row {model.row}, column {model.column}: {answer}"
        self.figure.layout.annotations[1].text = title
