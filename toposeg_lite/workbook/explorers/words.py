"""The words below an explorer: a widget that speaks, and tells how much room there is."""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Bool, Int, Unicode

__all__ = ["Words"]


class Words(anywidget.AnyWidget):
    """A sentence that a screen reader is told of, and the whole text below it.

    Both are set as text, so what they hold never becomes HTML. Numbers that have changed are
    marked. The browser's part also names what stands beside it, sliders with their values and
    figures; and it measures, in pixels, as soon as it is shown, how wide the `room` is.
    """

    _esm = Path(__file__).with_name("words.js")
    _css = Path(__file__).with_name("words.css")

    brief = Unicode().tag(sync=True)
    aloud = Bool(True).tag(sync=True)  # whether the sentence stands here, and not elsewhere
    text = Unicode().tag(sync=True)
    label = Unicode().tag(sync=True)  # what the figure is called
    room = Int(0).tag(sync=True)
