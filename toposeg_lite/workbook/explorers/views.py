"""What a view of an explorer is, and what the views have in common.

A view holds widgets that lead its model, and brings them, one figure and a line of text into line
whenever a trait of the model changes. Traces are made once and then updated in place.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import plotly.io
from PIL import Image
from plotly.subplots import make_subplots

from .. import figures
from .base import LiveFigure
from .words import Words

__all__ = ["ChartView", "ControlledView", "FigureView", "View"]


# What `uploads` reads, and no more, is offered by the browser.
NARROWEST, WIDEST = 480, 1500  # pixels of a figure
SCROLL_BAR = 24  # pixels that are left free: it comes and goes
ONE_ROW = 876  # from this width on three parts stand side by side
LOWEST = 230  # pixels: no part is made lower, however little room there is
MOST = 2000  # dots: a page takes seconds to draw ten thousand, and nobody could tell them apart
ACCEPTED = ".png,.jpg,.jpeg,.tif,.tiff,.bmp,.gif,.ppm,.pgm"


class View:
    """The widgets of an explorer: `box` is what is displayed, `words` say what there is to see."""

    model: Any
    box: widgets.Box
    words: Words
    own: tuple[str, bytes] | None = None  # the reader's own file, as long as it is looked at
    quiet = False  # whether several changes are one, which is drawn at its end

    def bring_own(
        self, what: str = "image", accept: str = ACCEPTED, *, dark: bool = True
    ) -> widgets.VBox:
        """Return a row with which readers bring a file of their own, and leave it again.

        If `dark`, they can say that its structures are. Below it stands what was done with it.
        """
        self.upload = widgets.FileUpload(
            description=f"Your own {what}", accept=accept, layout={"width": "14em"}
        )
        self.dark = widgets.Checkbox(description="its structures are dark", indent=False)
        self.notice = widgets.HTML()
        self.upload.observe(self.take_upload, "value")
        self.dark.observe(self.take_again, "value")
        row = [self.upload, self.dark] if dark else [self.upload]
        return widgets.VBox([widgets.HBox([*row, self.way_back()]), self.notice])

    def way_back(self) -> widgets.Button:
        """Return a button that leads back to the state in which the view was made."""
        self.begun = self.model.snapshot()
        button = widgets.Button(description="Back to the start", layout={"width": "12em"})
        button.on_click(self.go_back)
        return button

    def go_back(self, button: Any = None) -> None:
        """Show again what was there at first."""
        self.own = None
        if hasattr(self, "notice"):
            self.notice.value, self.dark.value = "", False
        with self.as_one():
            self.model.restore(self.begun)

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """Make several changes of the model, and draw once at their end."""
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False
        self.redraw()

    def take_upload(self, change: Any) -> None:
        """Take the reader's own file, or say why it cannot be taken."""
        if change.new:
            file = change.new[0]
            self.upload.value = ()  # so that the same file can be taken again
            self.try_to_take(file["name"], bytes(file["content"]))

    def take_again(self, change: Any = None) -> None:
        """Take the reader's own file once more, for the box beside it has changed."""
        if self.own is not None:
            self.try_to_take(*self.own)

    def try_to_take(self, name: str, content: bytes) -> None:
        """Take a file and say what was done with it, or why it cannot be taken."""
        try:
            with self.as_one():
                notes = self.take(content)
        except ValueError as error:
            self.say(f"{name} was not taken: {error}.")
            return
        self.own = (name, content)
        said = "; ".join(notes) or "taken as it is"
        self.notice.value = f"<p>{html.escape(f'{name}: {said}.')}</p>"

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own picture; return what was done with it."""
        raise NotImplementedError

    def say(self, sentence: str, brief: str = "") -> None:
        """Write the words, of whose first sentence a screen reader is told."""
        self.words.text, self.words.brief = sentence, brief or sentence

    def redraw(self, change: Any = None) -> None:
        """Bring all widgets into line with the model."""
        raise NotImplementedError


class ControlledView(View):
    """A view of controls, each of which leads a trait of the model."""

    controls: dict[str, Any]  # by the trait that each of them leads

    def build_controls(self) -> list[Any]:
        """Make the controls, and return them in rows."""
        raise NotImplementedError

    def last_values(self) -> dict[str, int]:
        """Return where the scales of sliders end now, by the traits that they lead."""
        return {}

    def lead_controls(self) -> None:
        """Let the controls show what the model holds."""
        last = self.last_values()
        for trait, control in self.controls.items():
            value = getattr(self.model, trait)
            if trait in last:  # a maximum below the value would change it, and with it the model
                control.max = max(control.max, value)
            control.value = value
            if trait in last:
                control.max = max(last[trait], value)

    def leader(self, trait: str) -> Callable[[Any], None]:
        """Return what a move of a control does: it sets a trait of the model."""
        return lambda change: self.obey(trait, change.new)

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model."""
        setattr(self.model, trait, value)

    def row(self, *parts: Any) -> widgets.HBox:
        """Put controls, named by the traits that they lead, and other widgets in a row."""
        return widgets.HBox([self.controls.get(part, part) for part in parts])


class FigureView(ControlledView):
    """A view of controls, one plotly figure and a line of text, made in this order.

    A subclass lays out the figure, fills it with traces, makes the controls, and draws.
    """

    figure: LiveFigure
    first = "image"  # the trait whose change draws everything, as at first
    clickable: tuple[str, ...] = ()  # plotly's names of the parts that hear a click
    tall = 640.0  # how high the plotting area may be, so that the words below it can be seen, too

    def __init__(self, model: Any) -> None:
        self.model = model
        self.figure = LiveFigure(self.lay_out())
        self.words = Words(label=self.called(), clickable=list(self.clickable))
        with self.figure.batch_update():
            self.build_traces()
        self.controls = {}
        self.box = widgets.VBox([*self.build_controls(), self.build_middle(), self.words])
        for trait, control in self.controls.items():
            control.observe(self.leader(trait), "value")
        self.redraw()
        model.observe(self.redraw)
        self.words.observe(self.fit, ["room", "tall"])
        self.words.on_msg(self.hear)

    def called(self) -> str:
        """Return the name of the figure: the titles of its parts."""
        titles = [title.text for title in self.figure.layout.annotations]
        return f"{self.model.title}: {', '.join(titles)}" if titles else self.model.title

    def fit(self, change: Any) -> None:
        """Lay the parts out anew in the room that there is."""
        margins = self.figure.layout.margin.t + BELOW
        self.tall = max(self.words.tall - margins, LOWEST) if self.words.tall else type(self).tall
        with self.figure.batch_update():
            self.arrange(min(max(self.words.room - SCROLL_BAR, NARROWEST), WIDEST))

    def hear(self, words: Any, message: Any, buffers: Any = None) -> None:
        """Show a page that has just drawn its first picture what it missed."""
        self.figure.repeat()

    def arrange(self, width: int) -> None:
        """Lay the parts out in so many pixels; two parts or more wrap where they would be small."""
        raise NotImplementedError

    def lay_out(self) -> go.Figure:
        """Return the figure without traces."""
        raise NotImplementedError

    def build_traces(self) -> None:
        """Fill the figure with traces, which have no places yet."""
        raise NotImplementedError

    def build_middle(self) -> Any:
        """Return what stands between the controls and the line of text: the figure."""
        return self.figure

    def draw(self, name: str) -> None:
        """Draw what a change of the trait `name` changes."""
        raise NotImplementedError

    def redraw(self, change: Any = None) -> None:
        """Bring controls, figure and text into line with the model."""
        if self.quiet:
            return
        self.lead_controls()
        with self.figure.batch_update():
            self.draw(change.name if change else self.first)
        self.say(self.model.describe() + self.left_out(), self.model.brief())

    def left_out(self) -> str:
        """Say, after a space, of what the picture shows but a part; or nothing."""
        return ""

    def add(self, column: int, *traces: Any) -> list[Any]:
        """Add traces to a part and return them as the figure holds them."""
        first = len(self.figure.data)
        self.figure.add_traces(traces, rows=[1] * len(traces), cols=[column] * len(traces))
        return list(self.figure.data[first:])

    def add_image_axes(
        self, column: int = 1, title: str | None = "row", *, upside_down: bool = True
    ) -> None:
        """Make the axes of a part those of an image: square pixels, row 0 at the top."""
        square = {"scaleanchor": "x" if column == 1 else f"x{column}", "constrain": "domain"}
        square |= {"autorange": "reversed"} if upside_down else {}
        self.figure.update_yaxes(title=title, row=1, col=column, **square)
        self.figure.update_xaxes(title="column", constrain="domain", row=1, col=column)

    def add_player(self, trait: str, interval: int) -> widgets.Play:
        """Return buttons that play a slider, with so many milliseconds for each step."""
        slider = self.controls[trait]
        self.player = widgets.Play(min=slider.min, max=slider.max, interval=interval)
        self.words.played = slider.description
        widgets.jslink((self.player, "value"), (slider, "value"))
        return self.player


class ChartView(FigureView):
    """A view of three parts: an image, a chart with a dot for each thing to mark, and another.

    `titles` names the parts. Pointing at a dot marks what it stands for.
    """

    titles: tuple[str, str, str]
    dots: list[Any]  # four traces, for the four kinds of dots
    where: list[np.ndarray]  # positions, in the model's list, of the dots of each trace
    count = 0  # how many dots there are, drawn or not

    def lay_out(self) -> go.Figure:
        """Return a figure of three parts in a row."""
        figure = make_subplots(1, 3, subplot_titles=self.titles, horizontal_spacing=0.07)
        return laid_out(figure, height=480, top=60, legend=-0.16)

    def arrange(self, width: int) -> None:
        """Put the parts in a row, or the third one below the others."""
        wide, gap = room(self.figure, width), 70
        if width >= ONE_ROW:
            side = (wide - 2 * gap) / 3
            high = min(side, self.tall)
            cells: list[Cell] = [(k * (side + gap), 0, side, high) for k in range(3)]
        else:
            side = (wide - gap) / 2
            cells = [(0, 0, side, side), (side + gap, 0, side, side), (0, side + 100, wide, 190)]
        place(self.figure, width, cells)

    def build_traces(self) -> None:
        """Make the traces part by part, and let the dots listen to a pointer."""
        self.build_image()
        self.build_chart()
        for number, trace in enumerate(self.dots):
            trace.on_click(self.picker(number))
            trace.on_hover(self.picker(number))
        self.where = [np.zeros(0, np.intp)] * len(self.dots)
        self.build_third()

    def build_image(self) -> None:
        """Make the part on the left: the image and what is marked on it."""
        raise NotImplementedError

    def build_chart(self) -> None:
        """Make the chart of dots."""
        raise NotImplementedError

    def build_third(self) -> None:
        """Make the third part."""
        raise NotImplementedError

    def name_chart_axes(self, x: str, y: str) -> None:
        """Name the axes of the chart, which reach from 0 to 1."""
        self.figure.update_xaxes(title=x, range=[-0.03, 1.03], row=1, col=2)
        self.figure.update_yaxes(title=y, range=[-0.03, 1.03], row=1, col=2)

    def draw_dots(self, x: np.ndarray, y: np.ndarray, dimension: np.ndarray, full: Any) -> None:
        """Sort the dots into traces: components full and not, then holes full and not.

        They come with the most persistent first; of very many only the first are drawn.
        """
        self.count, drawn = len(x), np.arange(len(x)) < MOST
        kinds = [drawn & (dimension == k) & fate for k in (0, 1) for fate in (full, ~full)]
        self.where = [np.flatnonzero(kind) for kind in kinds]
        for trace, places in zip(self.dots, self.where, strict=True):
            move(trace, x[places], y[places])

    def left_out(self) -> str:
        """Say, after a space, how many dots are drawn if not all are."""
        if self.count <= MOST:
            return ""
        return f" Of their {self.count:,} dots the {MOST:,} most persistent are drawn."

    def picker(self, number: int) -> Callable[[Any, Any, Any], None]:
        """Return what pointing at a dot of trace `number` does: it marks what the dot is for."""

        def pick(trace: Any, points: Any, state: Any) -> None:
            if points.point_inds:
                self.model.selected = int(self.where[number][points.point_inds[0]]) + 1

        return pick


# --- Controls and layout ------------------------------------------------------------------------


TEMPLATE = go.layout.Template(plotly.io.templates["plotly_white"])
# What is drawn in space does not follow the theme of a page (figure.css), so it holds on both.
_AXIS = {"color": "#808080", "gridcolor": "rgba(128, 128, 128, 0.38)", "showbackground": False}
TEMPLATE.layout.scene = {"bgcolor": "rgba(0, 0, 0, 0)"} | dict.fromkeys(
    ("xaxis", "yaxis", "zaxis"), _AXIS
)


def laid_out(
    figure: go.Figure,
    *,
    height: int,
    width: int = 1010,
    left: int = 50,
    top: int = 50,
    legend: float | None = -0.12,
    **options: Any,
) -> go.Figure:
    """Give a figure the size and the look that those of all explorers have, and return it."""
    return figure.update_layout(
        template=TEMPLATE,
        width=width,
        height=height,
        margin={"l": left, "r": 10, "t": top, "b": 40},
        legend=None if legend is None else {"orientation": "h", "y": legend},
        hovermode="closest",
        **options,
    )


BELOW = 100  # pixels below the parts: titles of axes, and the legend
Cell = tuple[float, float, float, float]
"""Left, top, width and height of a part, in pixels from the corner of the plotting area."""


def room(figure: Any, width: int) -> float:
    """Return how wide the plotting area of a figure of this width is."""
    return width - figure.layout.margin.l - figure.layout.margin.r


def place(figure: Any, width: int, cells: Sequence[Cell], *, below: int = BELOW) -> None:
    """Put the parts of a figure, with their titles, into these cells, and the legend below."""
    layout = figure.layout
    wide, high = room(figure, width), max(top + height for _, top, _, height in cells)
    layout.margin.b = below
    layout.update(width=width, height=round(high + layout.margin.t + below))
    for number, (left, top, across, down) in enumerate(cells, 1):
        x = [left / wide, min((left + across) / wide, 1)]
        y = [max(1 - (top + down) / high, 0), 1 - top / high]
        ending = "" if number == 1 else str(number)
        layout[f"xaxis{ending}"].domain, layout[f"yaxis{ending}"].domain = x, y
        if layout.annotations:
            layout.annotations[number - 1].update(x=sum(x) / 2, y=y[1])
    layout.legend.y = -55 / high


def slider(kind: Any, label: str, **options: Any) -> Any:
    """Return a slider with room for its label."""
    style, layout = {"description_width": "10.5em"}, {"width": "31em"}
    return kind(description=label, style=style, layout=layout, **options)


def integer_slider(label: str, low: int = 0, high: int | None = None) -> widgets.IntSlider:
    """Return a slider of integers; without `high` its end follows the model."""
    return slider(widgets.IntSlider, label, min=low, max=low if high is None else high)


def fraction_slider(label: str) -> widgets.FloatSlider:
    """Return a slider from 0 to 1."""
    return slider(widgets.FloatSlider, label, min=0.0, max=1.0, step=0.01, readout_format=".2f")


def dropdown(label: str, options: list[Any], width: int = 22) -> widgets.Dropdown:
    """Return a list to choose from; `width` counts letters."""
    return widgets.Dropdown(description=label, options=options, layout={"width": f"{width}em"})


def neighbour_choice(width: int = 18) -> widgets.Dropdown:
    """Return the choice between both connectivities of the foreground."""
    return dropdown("Foreground", [("8 neighbours", 2), ("4 neighbours", 1)], width)


# --- Traces -------------------------------------------------------------------------------------

DASHED = {"color": "black", "dash": "dash", "width": 1.5}


def image_trace() -> go.Image:
    """Return a trace of an image whose pixels say where they are."""
    return go.Image(hovertemplate="row %{y}, column %{x}<extra></extra>")


def marks(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of signs that stand on single pixels of the image."""
    edge = {"color": "black", "width": 1}
    marker = {"symbol": symbol, "size": 11, "color": colour, "line": edge}
    return go.Scatter(mode="markers", marker=marker, name=name, hoverinfo="name")


def line(**line: Any) -> go.Scatter:
    """Return a trace of lines that nobody points at."""
    return go.Scatter(mode="lines", hoverinfo="skip", showlegend=False, line=line)


def outline(name: str, width: float = 1.5) -> go.Scatter:
    """Return a trace of the outline of the truth."""
    return line(color=figures.TRUTH, width=width).update(name=name, showlegend=True)


def dots(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of dots in the diagram."""
    marker = {"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1.5}}
    text = "birth %{x:.3f}<br>death %{y:.3f}<extra>" + name + "</extra>"
    return go.Scatter(mode="markers", marker=marker, name=name, hovertemplate=text)


def ring(name: str = "marked", size: int = 18) -> go.Scatter:
    """Return a trace of a ring around a dot, which nobody points at."""
    marker = {"size": size}
    return dots(name, "circle-open", "black").update(
        marker=marker, hoverinfo="skip", hovertemplate=None
    )


def move(trace: Any, x: Any, y: Any) -> None:
    """Move a trace."""
    trace.x, trace.y = np.asarray(x, np.float32), np.asarray(y, np.float32)


# --- Pictures -----------------------------------------------------------------------------------


def painted(image: np.ndarray, mask: np.ndarray) -> str:
    """Return a likelihood in grey, with a mask laid over it in yellow, as the address of a PNG."""
    grey = np.repeat(image[..., None] * 255, 3, axis=2)
    yellow = np.array([int(figures.SUPERLEVEL[k : k + 2], 16) for k in (1, 3, 5)])
    grey[mask] += 0.55 * (yellow - grey[mask])
    return address(grey.astype(np.uint8))


def address(colours: np.ndarray) -> str:
    """Return (H, W, 3) colours of bytes as the address of a PNG, for plotly's images.

    A picture is several times quicker than numbers: plotly sends a matrix as nested lists.
    """
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
