"""What all explorers share: reading pictures, showing explorers, parts of their views."""

from __future__ import annotations

import base64
import html
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Self

import anywidget
import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError
from plotly.serializers import custom_serializers
from skimage.color import rgb2gray
from skimage.transform import resize
from skimage.util import img_as_float
from traitlets import HasTraits

from .. import figures
from ..checks import check_integer

__all__ = ["Explorer", "read_image", "show"]


class Explorer(HasTraits):
    """What every explorer is: a model that can say, draw and show what there is to see.

    Attributes
    ----------
    chapter, title : str
        Of the class: the chapter that explains it, and its name on a tab of the `Dashboard`.
    """

    chapter = ""
    title = ""

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of something that comes with the library."""
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words, with numbers, what there is to see."""
        raise NotImplementedError

    def picture(self) -> Figure:
        """Draw what there is to see, without a screen."""
        raise NotImplementedError

    def view(self) -> widgets.Box:
        """Return the widgets that show this model and change it."""
        raise NotImplementedError


def read_image(content: bytes, *, dark: bool = False, size: int = 256) -> np.ndarray:
    """Turn the bytes of a picture file into a likelihood for the explorers.

    Parameters
    ----------
    content : bytes
        A PNG, JPEG, TIFF or any other file that Pillow reads.
    dark : bool
        Whether the structures are darker than their surroundings; they are made bright then.
    size : int
        The longer side is reduced to this many pixels if it has more.

    Returns
    -------
    (H, W) array of float64
        Grey values, stretched to [0, 1].

    Raises
    ------
    ValueError
        If the bytes are no picture, or one with NaN or infinite values, or all pixels have the same
        value.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file, "PNG")
    >>> read_image(file.getvalue(), dark=True)
    array([[1. , 0.8],
           [0.6, 0. ]])
    """
    check_integer(size, "size", 1)
    with _opened(content) as picture:
        grey = _grey(_pixels(picture))
    shrink = size / max(grey.shape)
    if shrink < 1:
        shape = [max(1, round(side * shrink)) for side in grey.shape]
        grey = resize(grey, shape, anti_aliasing=True)
    low, high = grey.min(), grey.max()
    if not low < high:
        raise ValueError("all pixels of the picture have the same value: there is nothing to see")
    grey = (grey - low) / (high - low)
    return 1 - grey if dark else grey


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """Open a picture file; what Pillow has against it becomes a ValueError, also while it reads."""
    broken = (OSError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
    try:
        yield Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:  # its message names an object in memory
        raise ValueError("the file is no picture that Pillow can read") from error
    except broken as error:
        raise ValueError(f"the file is no picture that Pillow can read: {error}") from error


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return grey values (H, W) or colours (H, W, 3) of a picture, in the type it holds them in."""
    grey = picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16")
    pixels = np.asarray(picture if grey else picture.convert("RGB"))
    if not np.isfinite(pixels).all():
        raise ValueError("the picture holds values that are NaN or infinite")
    return pixels


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Return grey values as float64, those of colours in [0, 1]."""
    return pixels.astype(float) if pixels.ndim == 2 else rgb2gray(img_as_float(pixels))


def show(explorer: Explorer) -> None:
    """Display an explorer: live with a kernel, as a picture and a sentence without one.

    One output holds three formats: the widget, its static twin as PNG, and `explorer.describe()`.
    The command that builds the workbook drops the first from the stored file.

    Parameters
    ----------
    explorer : Explorer
        What to show.

    Raises
    ------
    TypeError
        If it is no explorer.
    """
    from IPython.display import display

    if not isinstance(explorer, Explorer):
        raise TypeError(f"explorer must be one of this module's; got {type(explorer).__name__}")
    text = explorer.describe()
    box = widgets.VBox([complete(explorer.view()), KeyGuard()])
    bundle = dict(box._repr_mimebundle_())
    bundle["image/png"] = base64.b64encode(figures.png(explorer.picture())).decode()
    bundle["text/plain"] = text
    display(figures.Bundle(bundle, {"image/png": {"alt": text}}))


class LiveFigure(go.FigureWidget):
    """A figure that is whole on every page, also on one that joins late.

    Plotly tells a page of each change, but offers to pages that come later the figure as it was
    when it was made: empty. A page of Voila is such a page, and so is one that is loaded anew. Even
    a page that is there misses changes while it loads plotly: hence `complete`.
    """

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return what a page is told; all of it (without `key`) holds traces and layout as now."""
        state = super().get_state(key, drop_defaults)
        if key is None and "_layout_obj" in vars(self):  # it is asked for while it is made, too
            to_json = custom_serializers["to_json"]
            state["_widget_data"] = to_json(deepcopy(self._data), self)
            state["_widget_layout"] = to_json(deepcopy(self._layout_obj._props), self)
        return state

    def reopen(self) -> None:
        """Offer the whole figure as it is now to pages, as one that was never known before."""
        self.comm, self._model_id = None, None
        self.open()


class KeyGuard(anywidget.AnyWidget):
    """Keep a notebook's shortcuts off the keys that are meant for the widgets beside this one.

    Notebook 7 takes the arrow keys for itself, even while a slider has the focus.
    """

    _esm = """
    export default {
      render({ el }) {
        const guard = () => {
          if (!el.parentElement) return void requestAnimationFrame(guard);
          el.parentElement.addEventListener("focusin", (event) =>
            event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
        };
        guard();
      },
    };
    """


def complete(box: Any) -> Any:
    """Return a box like this one whose figures are whole when a page first hears of them.

    A page that is slow to load plotly loses what it is told meanwhile, for good: its figure stays
    empty. So figures that were filled after they were made are offered anew, in new boxes.
    """
    if isinstance(box, LiveFigure):
        box.reopen()
    elif type(box) in (widgets.Box, widgets.HBox, widgets.VBox):
        return type(box)([complete(child) for child in box.children], layout=box.layout)
    return box


class View:
    """What the views of all explorers share: controls, a figure, a line of text."""

    model: Any
    figure: LiveFigure
    text: widgets.HTML
    controls: dict[str, Any]

    def add(self, column: int, *traces: Any) -> list[Any]:
        """Add traces to a part and return them as the figure holds them."""
        first = len(self.figure.data)
        self.figure.add_traces(traces, rows=[1] * len(traces), cols=[column] * len(traces))
        return list(self.figure.data[first:])

    def link(self) -> None:
        """Let the controls lead the model, and the model the picture."""
        for trait, control in self.controls.items():
            control.observe(self.leader(trait), "value")
        self.redraw()
        self.model.observe(self.redraw)

    def leader(self, trait: str) -> Callable[[Any], None]:
        """Return what a move of a control does: it sets a trait of the model."""
        return lambda change: self.obey(trait, change.new)

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model."""
        setattr(self.model, trait, value)

    def bring_own(
        self, what: str = "image", accept: str = "image/*", *, dark: bool = True
    ) -> widgets.HBox:
        """Return a row with which readers bring a file of their own, and say if it is `dark`."""
        self.upload = widgets.FileUpload(
            description=f"Your own {what}", accept=accept, layout={"width": "14em"}
        )
        self.dark = widgets.Checkbox(description="its structures are dark", indent=False)
        self.upload.observe(self.take_upload, "value")
        return widgets.HBox([self.upload, self.dark] if dark else [self.upload])

    def take_upload(self, change: Any) -> None:
        """Take the reader's own file, or say why it cannot be taken."""
        if change.new:
            file = change.new[0]
            try:
                self.take(bytes(file["content"]))
            except ValueError as error:
                self.say(f"{file['name']} was not taken: {error}.")

    def take(self, file: bytes) -> None:
        """Look at the reader's own picture."""
        self.model.image = read_image(file, dark=self.dark.value)

    def say(self, sentence: str) -> None:
        """Write the line of text, which a screen reader is told of."""
        self.text.value = f'<p role="status" aria-live="polite">{html.escape(sentence)}</p>'

    def redraw(self, change: Any = None) -> None:
        """Bring figure, controls and text into line with the model."""
        raise NotImplementedError


DASHED = {"color": "black", "dash": "dash", "width": 1.5}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _slider(kind: Any, label: str, **options: Any) -> Any:
    """Return a slider with room for its label."""
    style, layout = {"description_width": "10.5em"}, {"width": "31em"}
    return kind(description=label, style=style, layout=layout, **options)


def _marks(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of signs that stand on single pixels of the image."""
    edge = {"color": "black", "width": 1}
    marker = {"symbol": symbol, "size": 11, "color": colour, "line": edge}
    return go.Scatter(mode="markers", marker=marker, name=name, hoverinfo="name")


def _line(**line: Any) -> go.Scatter:
    """Return a trace of lines that nobody points at."""
    return go.Scatter(mode="lines", hoverinfo="skip", showlegend=False, line=line)


def _dots(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of dots in the diagram."""
    marker = {"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1.5}}
    text = "birth %{x:.3f}<br>death %{y:.3f}<extra>" + name + "</extra>"
    return go.Scatter(mode="markers", marker=marker, name=name, hovertemplate=text)


def _painted(image: np.ndarray, mask: np.ndarray) -> str:
    """Return a likelihood in grey, with a mask laid over it in yellow, as the address of a PNG."""
    grey = np.repeat(image[..., None] * 255, 3, axis=2)
    yellow = np.array([int(figures.SUPERLEVEL[k : k + 2], 16) for k in (1, 3, 5)])
    grey[mask] += 0.55 * (yellow - grey[mask])
    return _address(grey.astype(np.uint8))


def _address(colours: np.ndarray) -> str:
    """Return (H, W, 3) colours of bytes as the address of a PNG, for plotly's images.

    A picture is several times quicker than numbers: plotly sends a matrix as nested lists.
    """
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _set(trace: Any, x: Any, y: Any) -> None:
    """Move a trace."""
    trace.x, trace.y = np.asarray(x, np.float32), np.asarray(y, np.float32)
