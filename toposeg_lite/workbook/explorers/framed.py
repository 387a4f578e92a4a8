"""A view whose main slider is answered in the page, by frames that were computed before."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np

from .frames import Film, Frames
from .views import ControlledView
from .words import Words

__all__ = ["FramedView", "grid_of"]


class FramedView(ControlledView):
    """A view of frames, the controls that ask for other frames, and a line of text.

    A subclass makes the film of its model, says of what it is made (`key`), and where the page
    stands in it (`places`). What the hand does in the page reaches the model once it rests.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.frames = Frames()
        self.words = Words(label=model.title)
        self.controls = {}
        self.shown: tuple[Any, ...] = ()
        self.standing = False
        above, below = self.build_controls(), self.build_more()
        self.box = widgets.VBox([*above, self.show_frames(), *below, self.words])
        for trait, control in self.controls.items():
            control.observe(self.leader(trait), "value")
        self.redraw()
        model.observe(self.redraw)
        self.frames.observe(self.obey_page, ["index", "level", "marked", "pixel"])

    def build_more(self) -> list[Any]:
        """Return the rows of controls that stand below the frames."""
        return [self.bring_own()]

    def show_frames(self) -> Any:
        """Return the frames, with what else is shown beside them."""
        return self.frames

    def fold(self, *rows: Any, called: str = "More controls") -> list[Any]:
        """Return a button, and rows that it shows and hides: at first they are hidden."""
        button = widgets.ToggleButton(description=called, layout={"width": "12em"})
        inner = widgets.VBox(rows, layout={"display": "none"})

        def turn(change: Any) -> None:
            inner.layout.display = "" if change.new else "none"

        button.observe(turn, "value")
        return [button, inner]

    def film(self) -> Film:
        """Make the film of the model."""
        raise NotImplementedError

    def key(self) -> tuple[Any, ...]:
        """Return what the film is made of: arrays and other objects, numbers and texts."""
        raise NotImplementedError

    def places(self) -> dict[str, Any]:
        """Return where the page stands: `index`, and what else `Frames` tells of it."""
        raise NotImplementedError

    def wanted(self) -> dict[str, Any]:
        """Return the values of traits of the model that the place of the page means."""
        raise NotImplementedError

    def obey_page(self, change: Any) -> None:
        """Hand the place of the page to the model, all of it at once."""
        if self.standing or self.places() == {
            name: getattr(self.frames, name) for name in self.places()
        }:
            return  # we have said so ourselves
        self.quiet = True
        try:
            with self.model.hold_trait_notifications():
                for trait, value in self.wanted().items():
                    if getattr(self.model, trait) != value:
                        setattr(self.model, trait, value)
        finally:
            self.quiet = False
        self.redraw()

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model; meanwhile the page says that it computes."""
        if getattr(self.model, trait) != value:
            with self.frames.computing():
                super().obey(trait, value)

    def try_to_take(self, name: str, content: bytes) -> None:
        """Take a file; meanwhile the page says that it computes."""
        with self.frames.computing():
            super().try_to_take(name, content)

    def go_back(self, button: Any = None) -> None:
        """Show again what was there at first; meanwhile the page says that it computes."""
        with self.frames.computing():
            super().go_back(button)

    def redraw(self, change: Any = None) -> None:
        """Bring controls, frames and text into line with the model."""
        if self.quiet:
            return
        self.lead_controls()
        key = self.key()
        self.standing = True  # half of the new place, and half of the old one, is nobody's wish
        try:
            if _same(key, self.shown):
                self.frames.stand(**self.places())
            else:
                self.shown = key
                self.frames.show(self.film(), **self.places())
        finally:
            self.standing = False
        self.draw_beside()
        self.say(self.model.describe(), self.model.brief())

    def draw_beside(self) -> None:
        """Bring what else is shown into line with the model."""

    def say(self, sentence: str, brief: str = "") -> None:
        """Write the words; the frames say the short ones, unless it is something else."""
        self.words.aloud = not brief
        super().say(sentence, brief)


def _same(key: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Tell whether two keys hold the same objects, and equal numbers and texts."""
    plain = (int, float, str)
    return len(key) == len(other) and all(
        a is b or (isinstance(a, plain) and type(a) is type(b) and a == b)
        for a, b in zip(key, other, strict=True)
    )


def grid_of(value: float, steps: int = 100) -> np.ndarray:
    """Return fractions from 0 to 1 for a slider, and among them the one that it stands at.

    >>> grid_of(0.3, steps=4).tolist()
    [0.0, 0.25, 0.3, 0.5, 0.75, 1.0]
    """
    grid = [round(k / steps, 4) for k in range(steps + 1)]
    return np.array(sorted({*grid, value}))
