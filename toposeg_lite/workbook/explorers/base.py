"""What all explorers share: their own shape, how they are shown."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Self

import anywidget
import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import HasTraits

from ...checks import check_integer
from .. import figures
from .frames import Frames

__all__ = ["Explorer", "show"]


class Explorer(HasTraits):
    """What every explorer is: a model that can say, draw and show what there is to see.

    Of the class, `chapter` is the one that explains it, `title` its name on a tab of the
    `Dashboard`.
    """

    chapter = ""
    title = ""
    _unseen: Any = None  # a view whose frames `bundle` packs
    state: tuple[str, ...] = ()  # the traits that `restore` sets, in an order that it can

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of something that comes with the library."""
        raise NotImplementedError

    def describe(self) -> str:
        """Say in words, with numbers, what there is to see."""
        raise NotImplementedError

    def brief(self) -> str:
        """Say in one short sentence what matters most."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """Return the present state, for `restore`."""
        return {name: getattr(self, name) for name in self.state}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a state that `snapshot` returned."""
        self._check_snapshot(snapshot)
        for name, value in snapshot.items():
            setattr(self, name, value)

    def _check_snapshot(self, snapshot: Any) -> None:
        """Refuse what `snapshot` of such an explorer cannot have returned."""
        if not isinstance(snapshot, dict) or snapshot.keys() != self.snapshot().keys():
            raise TypeError(f"snapshot must be what snapshot() returned; got {str(snapshot)[:80]}")

    def picture(self) -> Figure:
        """Draw what there is to see, without a screen."""
        raise NotImplementedError

    def view(self) -> widgets.Box:
        """Return the widgets that show this model and change it."""
        raise NotImplementedError

    def bundle(self, frames: int | None = None) -> dict[str, Any] | None:
        """Return what a page without a kernel needs to show this, or None if it needs a kernel.

        It is a dict that JSON can hold, of the format that the module `frames` describes; the
        function ``mount(element, bundle)`` of ``frames.js`` shows it on any page. That of a
        `ComparisonExplorer` holds every score of every run, of which the page lets one choose.

        Parameters
        ----------
        frames : int, optional
            How many states the slider may have at most, 1 or more: evenly chosen among all, with
            the first, the last and the present one. Default: all. A bundle grows with them and
            with the size of the picture; for a smaller picture, explore a smaller image.

        Examples
        --------
        >>> from toposeg_lite.workbook.explorers import PersistenceExplorer
        >>> explorer = PersistenceExplorer([[0.9, 0.1, 0.6]], threshold=0.53)
        >>> explorer.bundle(frames=5)["about"]["values"]
        ['0.00', '0.33', '0.53', '0.67', '1.00']
        """
        if frames is not None:
            frames = check_integer(frames, "frames", 1)
        if self._unseen is None:  # one for all calls: it follows the model from now on
            self._unseen = self.view()
        todo: list[Any] = [self._unseen]
        while todo:
            part = todo.pop()
            if isinstance(part, Frames):
                return part.bundle(frames)
            todo += getattr(part, "children", ())
        return None


def show(explorer: Explorer) -> None:
    """Display an explorer: live with a kernel, as a picture and a sentence without one.

    One output holds three formats: the widget, its static twin as PNG, and `explorer.describe()`.
    The command that builds the workbook drops the first from the stored file. A page of Voila,
    which is never stored and whose reader waits for it, does without the second.
    """
    from IPython.display import display

    if not isinstance(explorer, Explorer):
        raise TypeError(f"explorer must be one of this module's; got {type(explorer).__name__}")
    text = explorer.describe()
    box = widgets.VBox([complete(explorer.view()), KeyGuard()])
    bundle = dict(box._repr_mimebundle_())
    if not os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):  # its pages are never stored
        bundle["image/png"] = base64.b64encode(figures.png(explorer.picture(), card=True)).decode()
    bundle["text/plain"] = text
    display(figures.Bundle(bundle, {"image/png": {"alt": text}}))


class KeyGuard(anywidget.AnyWidget):
    """Keep a notebook's shortcuts off the keys that are meant for the widgets beside this one.

    It also sees to it that the focus shows, and that buttons for files are called what they are.
    """

    _esm = Path(__file__).with_name("guard.js")
    _css = Path(__file__).with_name("guard.css")


def complete(box: Any) -> Any:
    """Return a box like this one whose figures are whole when a page first hears of them.

    A page that is slow to load plotly loses what it is told meanwhile, for good: its figure stays
    empty. So figures that were filled after they were made are offered anew, in new boxes.
    """
    if hasattr(box, "reopen"):  # a `live.LiveFigure`; plotly is loaded where one is made
        box.reopen()
    elif type(box) in (widgets.Box, widgets.HBox, widgets.VBox):
        children = [complete(child) for child in box.children]
        return type(box)(children, layout=box.layout, _dom_classes=box._dom_classes)
    return box
