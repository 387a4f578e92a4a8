"""Explore annotation: the app of chapter 08 on a picture, for trying it out; nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import Any as AnyTrait

from ...data import photos
from . import views
from .base import Explorer
from .examples import CROP
from .uploads import bring_image

if TYPE_CHECKING:  # torch, which a trained model needs, takes long to load
    from ..desk import AnnotationApp

__all__ = ["AnnotationExplorer"]

SIDE = 384  # pixels: of the photograph, and the longer side of the reader's own picture


class AnnotationExplorer(Explorer):
    """An `AnnotationApp` without a journal, whose picture can be replaced.

    Image and likelihood are those of an `AnnotationSession`, in 2D. The `app` is that of the
    present picture; another picture gets a new one.

    >>> import numpy as np
    >>> row = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
    >>> explorer = AnnotationExplorer(row, row)
    >>> explorer.app.accept()
    >>> explorer.app.session.mask().astype(int)
    array([[1, 1, 1, 1, 1]])
    """

    chapter, title = "08", "Annotation"

    app: AnnotationApp = AnyTrait()  # type: ignore[assignment]

    def __init__(self, image: Any, likelihood: Any) -> None:
        super().__init__()
        self.begin(image, likelihood)

    @classmethod
    def example(cls) -> Self:
        """Return one of a piece of the retina photograph, asked about by the trained model."""
        from ...annotation import StructureRanking
        from ...structures import load_pretrained

        rows, columns = (slice(s.start, s.start + SIDE) for s in CROP)
        image = photos.retina().image[:, rows, columns].copy()
        return cls(image, StructureRanking(load_pretrained()))

    def begin(self, image: Any, likelihood: Any) -> None:
        """Annotate another picture, from the start; image and likelihood as for the class."""
        from ...annotation import AnnotationSession
        from ..desk import AnnotationApp

        self.app = AnnotationApp(AnnotationSession(image, likelihood))
        self._image, self._likelihood = image, likelihood

    def describe(self) -> str:
        """Say what is asked, and how far the work has come."""
        return self.app.describe()

    def brief(self) -> str:
        """Say the same: the app's own line of text is short."""
        return self.app.describe()

    def snapshot(self) -> dict[str, Any]:
        """Return what `restore` begins with again; decisions are not kept."""
        return {"image": self._image, "likelihood": self._likelihood}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Begin again with the picture of a snapshot."""
        self._check_snapshot(snapshot)
        self.begin(snapshot["image"], snapshot["likelihood"])

    def picture(self) -> Figure:
        """Draw the picture with its branches and decisions."""
        return self.app.picture()

    def view(self) -> widgets.VBox:
        """Return the app, and a button for the reader's own picture."""
        return _AnnotationView(self).box


class _Place(widgets.VBox):
    """A box that stays the same one: `complete` copies plain boxes, and this one changes later."""


class _AnnotationView(views.View):
    """The widgets of an `AnnotationExplorer`. The app's own screen has the line of text."""

    def __init__(self, model: AnnotationExplorer) -> None:
        self.model = model
        self.place = _Place([])
        self.shown: AnnotationApp | None = None
        self.box = widgets.VBox([self.bring_own(), self.place])
        self.redraw()
        model.observe(self.redraw, "app")

    def take(self, file: bytes) -> tuple[str, ...]:
        """Annotate the reader's own picture, whose brightness is taken for the likelihood."""
        taken = bring_image(file, dark=self.dark.value, size=SIDE)
        self.model.begin(taken.values, taken.values)
        return (*taken.notes, "its brightness is taken for the likelihood")

    def say(self, sentence: str, brief: str = "") -> None:
        """Have the app say what went wrong."""
        self.model.app.error = sentence
        self.model.app.refresh()

    def redraw(self, change: Any = None) -> None:
        """Show the present app, unless it is there already."""
        if self.model.app is not self.shown:
            self.shown = self.model.app
            self.place.children = [self.shown.view()]
