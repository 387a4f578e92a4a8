"""What a view of an explorer is, and the controls that the views have in common.

A view holds widgets that lead its model, and brings them, what it draws and a line of text into
line whenever a trait of the model changes.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from .words import Words

__all__ = ["ControlledView", "View"]


# What `uploads` reads, and no more, is offered by the browser.
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


# --- Controls ------------------------------------------------------------------------


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
