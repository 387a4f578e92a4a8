"""All explorers side by side, for a lecture: one tab each."""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from ...checks import check_choice
from .base import Explorer, complete
from .traits import OneOf

__all__ = ["Dashboard"]

WAITING = '<p role="status">One moment: the explorer is being made.</p>'


def _explorers() -> dict[str, type[Explorer]]:
    """Return the explorers that have an example, by the names on their tabs, chapter by chapter."""
    package = importlib.import_module(__package__)
    exported = [getattr(package, name) for name in package.__all__]
    kinds = [thing for thing in exported if isinstance(thing, type) and issubclass(thing, Explorer)]
    shown = {f"{k.chapter} {k.title}": k for k in kinds if k.title and "example" in vars(k)}
    return dict(sorted(shown.items()))


class Dashboard(Explorer):
    """Explorers in tabs, each on an example; an explorer is made when its tab is first opened.

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
        if self.opened not in self._made:
            self._made[self.opened] = self._kinds[self.opened].example()
        return self._made[self.opened]

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

    def view(self) -> widgets.Tab:
        """Return a live view: the tabs, and in each one the explorer once it is opened."""
        return _DashboardView(self).box


class _DashboardView:
    """The widgets of a `Dashboard`."""

    def __init__(self, model: Dashboard) -> None:
        self.model = model
        places = [widgets.VBox([widgets.HTML(WAITING)]) for _ in model.names]
        self.waiting = set(model.names)
        self.box = widgets.Tab(children=places, titles=model.names)
        self.turn()
        self.box.observe(self.choose, "selected_index")
        model.observe(self.turn, "opened")

    def choose(self, change: Any) -> None:
        """Open the tab that was chosen; one is always open."""
        if change.new is None:
            self.turn()
        else:
            self.model.opened = self.model.names[change.new]

    def turn(self, change: Any = None) -> None:
        """Show the open tab, and make its explorer if this is the first time."""
        model = self.model
        place = model.names.index(model.opened)
        self.box.selected_index = place
        if model.opened in self.waiting:
            try:
                view = complete(model.explorer.view())
            except (OSError, RuntimeError, ValueError) as error:  # a file of its data is missing
                reason = html.escape(f"{model.opened} cannot be made here: {error}.")
                view = widgets.HTML(f'<p role="status">{reason}</p>')
            else:
                self.waiting.remove(model.opened)
            self.box.children[place].children = [view]
