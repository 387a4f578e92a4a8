"""All explorers side by side, for a lecture: one tab each.

The page shows the first explorer as soon as it can. The others are made one after the other, each
when the page has drawn what is open and nobody has touched it for a moment: the page asks for the
next one (``dashboard.js``), so that the kernel never works ahead while a hand is waiting for it.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import Int

from ...checks import check_choice
from .base import Explorer, complete
from .traits import OneOf

__all__ = ["Dashboard"]

WAITING = '<p role="status" class="toposeg-drawing">Drawing {} ...</p>'


def _explorers() -> dict[str, type[Explorer]]:
    """Return the explorers that have an example, by the names on their tabs, chapter by chapter."""
    package = importlib.import_module(__package__)
    exported = [getattr(package, name) for name in package.__all__]
    kinds = [thing for thing in exported if isinstance(thing, type) and issubclass(thing, Explorer)]
    shown = {f"{k.chapter} {k.title}": k for k in kinds if k.title and "example" in vars(k)}
    return dict(sorted(shown.items()))


class Dashboard(Explorer):
    """Explorers in tabs, each on an example.

    An explorer is made when its tab is first opened, or before, while the page has nothing to do.
    `names` are those of the explorers, chapter and title as in "02 Persistence", in the order of
    the tabs; by default all of this module that have an example. `opened` is the name of the open
    tab, at first that of the first one.

    >>> dashboard = Dashboard(["01 Painting", "02 Persistence"])
    >>> dashboard.explorer.betti
    (3, 1)
    >>> dashboard.opened = "02 Persistence"
    >>> dashboard.explorer.image.shape
    (256, 256)
    """

    opened = OneOf(lambda model: model.names)

    def __init__(self, names: Iterable[str] | None = None, *, opened: str | None = None) -> None:
        super().__init__()
        known = _explorers()
        if isinstance(names, str) or not isinstance(names, Iterable | None):
            raise TypeError(f"names must be those of explorers; got {names!r}")
        self.names = list(known if names is None else names)
        if not self.names:
            raise ValueError("names must hold one name at least")
        for name in self.names:
            check_choice(name, list(known), "names")
        self._kinds = {name: known[name] for name in self.names}
        self._made: dict[str, Explorer] = {}
        self.opened = self.names[0] if opened is None else opened

    @property
    def explorer(self) -> Explorer:
        """The explorer in the open tab, made when it is first asked for."""
        return self._make(self.opened)

    def _make(self, name: str) -> Explorer:
        """Return the explorer of a tab, made when it is first asked for."""
        if name not in self._made:
            self._made[name] = self._kinds[name].example()
        return self._made[name]

    def describe(self) -> str:
        """Say which explorers there are, and what the open one shows."""
        return (
            f"A dashboard of {len(self.names)} explorers in tabs: {', '.join(self.names)}. Open "
            f"is {self.opened}. {self.explorer.describe()}"
        )

    def brief(self) -> str:
        """Say what the open explorer says."""
        return self.explorer.brief()

    def picture(self) -> Figure:
        """Draw the explorer in the open tab with matplotlib."""
        return self.explorer.picture()

    def view(self) -> widgets.VBox:
        """Return a live view: the tabs, and in each one its explorer once it is made."""
        return _DashboardView(self).whole


class Usher(anywidget.AnyWidget):
    """Asks for the next tab, by a message, whenever the page has nothing else to do."""

    _esm = Path(__file__).with_name("dashboard.js")
    _css = Path(__file__).with_name("dashboard.css")

    waiting = Int().tag(sync=True)  # how many tabs are still to be made


class _DashboardView:
    """The widgets of a `Dashboard`: the tabs in a `box`, and who asks for them."""

    def __init__(self, model: Dashboard) -> None:
        self.model = model
        places = [widgets.VBox([widgets.HTML(WAITING.format(name))]) for name in model.names]
        self.waiting = list(model.names)
        self.failed: set[str] = set()
        self.box = widgets.Tab(children=places, titles=model.names)
        self.usher = Usher()
        self.whole = widgets.VBox([self.box, self.usher]).add_class("toposeg-dashboard")
        self.turn()
        self.box.observe(self.choose, "selected_index")
        self.usher.on_msg(self.make_next)
        model.observe(self.turn, "opened")

    def choose(self, change: Any) -> None:
        """Open the tab that was chosen; one is always open."""
        if change.new is None:
            self.turn()
        else:
            self.model.opened = self.model.names[change.new]

    def turn(self, change: Any = None) -> None:
        """Show the open tab, and make its explorer if this is the first time."""
        self.box.selected_index = self.model.names.index(self.model.opened)
        if self.model.opened in self.waiting:
            self.make(self.model.opened)

    def make_next(self, usher: Any, message: Any, buffers: Any = None) -> None:
        """Make the first of the explorers that are waiting, but for those that could not be."""
        for name in self.waiting:
            if name not in self.failed:
                self.make(name)
                break

    def make(self, name: str) -> None:
        """Make an explorer in its tab, or say why that cannot be."""
        try:
            view = complete(self.model._make(name).view())
        except (OSError, RuntimeError, ValueError) as error:  # a file of its data is missing
            reason = html.escape(f"{name} cannot be made here: {error}.")
            view = widgets.HTML(f'<p role="status">{reason}</p>')
            self.failed.add(name)
        else:
            self.waiting.remove(name)
        self.box.children[self.model.names.index(name)].children = [view]
        self.usher.waiting = len(set(self.waiting) - self.failed)
