"""Figures of plotly that are whole on every page; it is loaded only by those who look into space.

Plotly takes a second or two to load here, and its code has five megabytes for a page.
"""

from __future__ import annotations

import gzip
import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets
import plotly.graph_objects as go
import plotly.io
from ipywidgets import widget_serialization
from traitlets import Bytes, Instance, Unicode, default

from .late import without_grammar

with without_grammar():
    from plotly.basewidget import custom_serializers

__all__ = ["LiveFigure", "PlotlyCode", "laid_out"]

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
    width: int,
    top: int,
    **options: Any,
) -> go.Figure:
    """Give a figure of one part, with a title, its size and its look, and return it."""
    return figure.update_layout(
        template=TEMPLATE,
        width=width,
        height=height,
        margin={"l": 0, "r": 10, "t": top, "b": 40},
        hovermode="closest",
        **options,
    )


# Of plotly's configuration: nobody wants to put a medical image on the web by one click.
PLAIN = {
    "displayModeBar": False,
    "displaylogo": False,
    "showLink": False,
    "plotlyServerURL": "",
    "doubleClick": "reset",
}


class PlotlyCode(widgets.Widget):
    """The code of plotly's widget: five megabytes, sent to a page once for all figures.

    Packed they are less than two, which count where a notebook runs far away.
    """

    _model_name = Unicode("WidgetModel").tag(sync=True)
    _model_module = Unicode("@jupyter-widgets/base").tag(sync=True)
    _model_module_version = Unicode("2.0.0").tag(sync=True)

    digest = Unicode().tag(sync=True)  # by which a page knows that it has the code already
    packed = Bytes().tag(sync=True)

    kept: ClassVar[PlotlyCode | None] = None

    @classmethod
    def shared(cls) -> PlotlyCode:
        """Return the one of this kernel."""
        if cls.kept is None or cls.kept.comm is None:  # or closed, with all other widgets
            code = str(go.FigureWidget._esm).encode()
            digest = hashlib.sha256(code).hexdigest()
            cls.kept = cls(digest=digest, packed=gzip.compress(code, 1, mtime=0))
        return cls.kept


class LiveFigure(go.FigureWidget):
    """A figure that is whole on every page, also on one that joins late.

    Plotly tells a page of each change, but offers to pages that come later the figure as it was
    when it was made: empty. A page of Voila is such a page, and so is one that is loaded anew. Even
    a page that is there misses changes while it loads plotly: hence `complete` and `repeat`.
    """

    _esm = Path(__file__).with_name("figure.js")
    _css = Path(__file__).with_name("figure.css")
    # The code that plotly's own widget has for `_esm`.
    _plotly = Instance(PlotlyCode).tag(sync=True, **widget_serialization)

    @default("_plotly")
    def _share(self) -> PlotlyCode:
        return PlotlyCode.shared()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return what a page is told; all of it (without `key`) holds traces and layout as now."""
        state = super().get_state(key, drop_defaults)
        if key is None and "_layout_obj" in vars(self):  # it is asked for while it is made, too
            to_json = custom_serializers["to_json"]
            state["_widget_data"] = to_json(deepcopy(self._data), self)
            state["_widget_layout"] = to_json(deepcopy(self._layout_obj._props), self)
        return state

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Make the figure without plotly's tool bar, which offers to upload what is drawn."""
        super().__init__(*arguments, **options)
        self._config: dict[str, Any] = {**PLAIN}
        self._offered = 0

    def reopen(self) -> None:
        """Offer the whole figure as it is now to pages, as one that was never known before."""
        self.close()
        self.__dict__.pop("_repr_mimebundle_", None)  # which hides how an open one is displayed
        self._model_id = None
        self.open()
        self._offered = self._last_layout_edit_id

    def repeat(self) -> None:
        """Tell pages everything once more, if anything has changed since the figure was offered.

        A slider stands on the page long before plotly does. What it changes meanwhile is lost.
        """
        if self._last_layout_edit_id == self._offered:
            return
        names = sorted({name for trace in self._data for name in trace} - {"type", "uid"})
        traces = {name: [deepcopy(trace.get(name)) for trace in self._data] for name in names}
        layout = {k: deepcopy(v) for k, v in self._layout_obj._props.items() if k != "template"}
        self._send_update_msg(traces, layout, list(range(len(self._data))))
