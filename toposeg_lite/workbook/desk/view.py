"""The screen of an `AnnotationApp`: a widget whose front end is one canvas in plain JavaScript.

Python owns the state, the browser draws it: every click and key is sent as the name of a method of
the app, and what has changed comes back as bytes. All that the browser needs stands in traits, so a
page that is loaded anew shows what was there before. One thing the browser draws ahead: a decision,
as soon as it is clicked. Until Python has answered, which it does when the journal is on the disk,
the screen says "Saving" in place of "Saved"; if there is no answer, the branch is open again.

The answer may come while a hand is on the screen. So each request says what the person saw, and the
app refuses what is no longer so (`AnnotationApp.do`); and the browser changes what it shows in
place, leaves what has the focus or is pressed alone, and never moves the focus by itself.

Why a canvas of our own: ``tests/workbook/desk/test_browser.py`` measures it against plotly, which
the explorers use.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
from PIL import Image
from traitlets import Bytes, Dict, Int, List

from .. import figures

if TYPE_CHECKING:
    from .app import AnnotationApp

__all__ = ["AnnotationView"]

QUEUE_SHOWN = 5


class AnnotationView(anywidget.AnyWidget):
    """The widget that `AnnotationApp.view` returns; it shows the app that it is made with."""

    _esm = Path(__file__).with_name("view.js")
    _css = Path(__file__).with_name("view.css")

    # What never changes: the picture as a PNG, and the branches.
    picture = Bytes().tag(sync=True)
    shape: Any = List().tag(sync=True)
    paths = Bytes().tag(sync=True)  # int32, flat indices, one branch after the other
    sizes = Bytes().tag(sync=True)  # int32
    kinds: Any = List().tag(sync=True)
    # What the actions change.
    decisions = Bytes().tag(sync=True)  # int8
    probability = Bytes().tag(sync=True)  # float32
    mask = Bytes().tag(sync=True)  # one bit a pixel, deflated
    added = Bytes().tag(sync=True)  # int32, what accepting the chosen branch would add to the mask
    removed = Bytes().tag(sync=True)  # int32, what rejecting it would take away
    strokes: Any = List().tag(sync=True)
    preview = Bytes().tag(sync=True)  # int32
    state = Dict().tag(sync=True)
    done = Int(0).tag(sync=True)  # the number of the last request that was answered
    # What the browser keeps here, so that it is there after a reload: place, zoom, opacities.
    look = Dict().tag(sync=True)

    def __init__(self, app: AnnotationApp) -> None:
        self.app = app
        session = app.session
        file = io.BytesIO()
        Image.fromarray(figures.picture_colours(app.shown)).save(file, "PNG", compress_level=1)
        paths = session.branches.paths
        super().__init__(
            picture=file.getvalue(),
            shape=list(session.shape),
            paths=_int32(np.concatenate(paths) if paths else []),
            sizes=_int32([len(path) for path in paths]),
            kinds=[
                {
                    "name": name,
                    "decision": decision,
                    "colour": colour,
                    "width": width,
                    "dash": [] if dashes == "-" else [width * part for part in dashes[1]],
                }
                for name, decision, colour, width, dashes in figures.BRANCH_KINDS
            ],
            **self._now(),
        )
        app.watch(self.refresh)
        self.on_msg(self._take)

    def refresh(self) -> None:
        """Send what has changed."""
        with self.hold_sync():
            for name, value in self._now().items():
                self.set_trait(name, value)

    def _take(self, widget: Any, request: dict[str, Any], buffers: Any) -> None:
        """Do what the browser asks, and answer in one message."""
        with self.hold_sync():
            self.app.do(request)
            self.done = request.get("id", 0)

    def _now(self) -> dict[str, Any]:
        """Return what the actions change."""
        app, session = self.app, self.app.session
        asked = app.chosen if app.tool == "decide" else None
        added, removed = ([], []) if asked is None else session.effect(asked)
        return {
            "decisions": session.decisions.tobytes(),
            "probability": session.probability.astype("<f4").tobytes(),
            "mask": zlib.compress(np.packbits(session.mask()).tobytes(), 1),
            "added": _int32(added),
            "removed": _int32(removed),
            "strokes": [
                {"drawn": stroke.drawn, "radius": stroke.radius, "path": _int32(stroke.path)}
                for stroke in session.strokes
            ],
            "preview": _int32(app.preview()),
            "state": {
                "chosen": app.chosen,
                "visits": app.visits,
                "turn": app.turn,
                "tool": app.tool,
                "order": app.order,
                "points": [list(point) for point in app.points],
                "radius": app.radius,
                "queue": app.queue()[:QUEUE_SHOWN],
                "progress": session.progress()._asdict(),
                "undo": session.can_undo,
                "redo": session.can_redo,
                "learns": hasattr(session.model, "learn"),
                "error": app.error,
                "text": app.describe().removesuffix(f" {app.saved()}."),
                "saved": app.saved(),
                "keeps": session.path is not None,
            },
        }


def _int32(values: Any) -> bytes:
    """Return whole numbers as bytes that the browser reads as an Int32Array."""
    return np.asarray(values, "<i4").tobytes()
