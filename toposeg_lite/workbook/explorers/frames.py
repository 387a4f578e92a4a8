"""Frames: what an explorer shows, computed once for every place of its main slider.

A move of a slider should be answered while the finger still moves, and also on a page that has no
kernel. So a `Reel` packs all that the slider can show into a film, and the widget `Frames` moves
through it in the page: a canvas for each picture, without a library and without a message.

A film is a dict `about`, of what JSON can hold, and the bytes `data`. An array in `data` is named
by its place: ``{"at": first byte, "type": "uint8", "length": numbers}``, little-endian, of the
types uint8, uint16, int32 and float32. If the place has a ``step``, the numbers are differences to
those that are so many before them (around the end of the type: 3 - 5 is 254): frames that hardly
change then hold zeros, which are packed into nearly nothing. `about` holds:

- ``frames``, how many there are; ``label`` and ``values``, what the slider is called and what it
  says in each frame; ``sentences``, one of each frame, without the full stop; ``tail``, what the
  page adds to it ("mark": the marked feature, "pixel": whether the chosen pixel is simple, "paint"
  and "ridges": all, or None); ``numbers``, two that matter most: ``name``, what ``one`` is called,
  ``values``, unless the page counts them itself.
- ``panels``, pictures side by side; of each its ``kind`` and ``title``:

  - "image": ``shape``, rows and columns; ``layers``, palette indices that are laid over each other,
    each with a ``palette`` (a list of [red, green, blue, opacity], or "grey") and either
    ``indices`` of one frame or of all, or ``bits`` of all frames (8 pixels a byte, the first one
    lowest, every frame begins with a new byte), or ``turns``: a pixel is ``before`` in the frames
    below its number, ``after`` from there on, or ``ridges``: 1 is what is cut of the skeleton, 2
    what is kept. One layer may hold the foreground: where its index is
    in ``mask``. Where it is ``blank``, a dark page shows its own colour. ``lines`` (x and y in
    turn, NaN between them), ``signs`` (places as flat indices; if they differ between frames,
    ``starts`` of each frame), ``picks`` (what a pixel marks, from 1, or 0) and ``paths`` of these.
    ``click`` is "mark", "pixel" or None; ``lights`` tells whether features are lit in it.
  - "diagram", "bars" (the ``most`` that are drawn): of the features; ``thresholds`` beside the
    panels holds that of each frame. "curve": ``values`` in a row, named ``x`` and ``y``, and the
    ``positions`` of the frames among them.
    "cells": the neighbourhood of the chosen pixel. "paint": a ``mask`` to paint on, what it should
    be (``truth``), and a ``palette`` of the four ways to be right or wrong.
  - Of studies. "forest": rows with their ``names``, ``low``, ``difference`` and ``high``, and
    ``rings``, a number or None of each of the ``seeds``; ``positions`` says which row a frame is;
    ``better`` is 1 or -1, the side. "pairs": in ``states`` for each frame ``x``, ``y`` and
    ``kinds`` of the dots (0 better, 1 worse, 2 equal). "weights": in ``states`` for each frame a
    list of seeds, with ``seed``, ``x``, ``y`` and the place that was ``picked``.
  - "space": a skeleton in a volume of a ``shape``, the slices of the frames at its ``positions``;
    of places column, row and slice in turn: the ``path`` of its branches, with NaN between them,
    and lonely ``peaks``; ``pair``, birth and death voxel, or None; ``colours`` of all three.
  - Of any kind: what is ``alone`` is shown only where no kernel is, which would show it better.

- ``features``: arrays ``dimension``, ``birth``, ``death``, ``birthAt`` and ``deathAt`` (flat
  indices, -1 for none), the most persistent first; ``born`` and ``died``, so that a feature is
  alive in frame k if ``born > k >= died``, or in their place ``living``, and ``starts`` of each
  frame where they differ; ``kinds`` and ``colours``.
- ``marking``: what can be marked, with its ``label``, and where there are no features ``names``,
  or ``states``, which are names of each frame.
  ``ridges``: the tree of a skeleton (``pixel``, ``parent``, ``height``) and its critical edges
  (``dimension``, ``persistence``, ``value``, and positions in the tree: ``lower``, ``upper``,
  ``peak``). A branch is there in the frames below ``lives``, and cut at the places of the second
  slider from ``stands`` on; for pixels of the tree ``join`` and ``reaches`` say so.
  ``second``: a second slider in the page, with its ``label``, ``values`` and ``numbers``.
  ``challenges`` that the page judges: ``name``, ``kind``, ``question``, and ``why`` it is solved;
  those that are ``alone`` are posed only where no kernel is.
  ``play``: its ``label``, "steps" or "meeting" as ``kind``, of steps their ``interval`` in
  milliseconds and ``stride`` in frames.
  ``legend``: sign, colour and text of each entry. ``connectivity`` of the foreground, 1 or 2.

`Frames.bundle` returns all of it, and where the slider stands, as a dict that JSON can hold, its
bytes compressed (zlib, as base64). Where a kernel would make other films, of other scores or runs,
it brings them along: ``shelf`` holds the ``labels`` of lists to choose from, the ``names`` chosen
in them, and ``films``, compressed JSON of every film, which has one name in each list. The function
``mount(element, bundle)`` of ``frames.js`` shows it on any page that also takes ``frames.css``.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from traitlets import Bool, Bytes, Dict, Int, List, Unicode

from ...topology.persistence import PersistencePairs
from .. import figures
from .film import Film, Packer, kept_frames, thinned

__all__ = ["Film", "Frames", "Reel", "Shelf"]

OVER = 140  # opacity, of 255, of a mask that is laid over an image


@dataclass
class Reel(Packer):
    """A film in the making: its parts are packed one after the other.

    `values` and `sentences` are texts, one a frame; `label` is what the slider is called.

    >>> reel = Reel("Threshold", ["0.0", "0.5", "1.0"], ["all", "some", "none"])
    >>> layer = reel.levels(np.array([[3, 1, 2]]), "#F0E442")
    >>> reel.image("likelihood", (1, 3), [layer])
    >>> film = reel.film()
    >>> film.about["frames"], len(film.data)
    (3, 3)
    """

    label: str
    values: Sequence[str]
    sentences: Sequence[str]
    panels: list[dict[str, Any]] = field(default_factory=list)
    legend: list[tuple[str, str, str]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)  # the other entries of `about`
    chunks: dict[bytes, int] = field(default_factory=dict)

    # --- Layers of an image ---

    def grey(self, image: np.ndarray) -> dict[str, Any]:
        """Return a layer of likelihoods (H, W), or (frames, H, W), in grey."""
        values = np.round(255 * np.asarray(image)).astype(np.uint8)
        pack = self.pack_frames if values.ndim == 3 else self.pack
        return {"palette": "grey", "indices": pack(values, "uint8")}

    def colours(self, picture: np.ndarray) -> dict[str, Any]:
        """Return a layer of a still (H, W, 3) picture of bytes; of many colours the nearest 256."""
        from PIL import Image

        red, green, blue = picture.astype(np.int32).transpose(2, 0, 1)
        whole = red << 16 | green << 8 | blue  # a number of each colour
        numbers, indices = np.unique(whole, return_inverse=True)
        palette = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1)
        if len(palette) > 256:
            small = Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE)
            palette = np.array(small.getpalette(), np.uint8).reshape(-1, 3)
            indices = np.asarray(small)
        opaque = [[*colour, 255] for colour in palette.tolist()]
        return {"palette": opaque, "indices": self.pack(indices, "uint8")}

    def masks(self, masks: np.ndarray, colour: str, opacity: int = OVER) -> dict[str, Any]:
        """Return the foreground, (frames, H, W) of bool, laid over what is below it."""
        bits = np.packbits(masks.reshape(len(masks), -1), axis=1, bitorder="little")
        return _over(colour, opacity) | {"bits": self.pack_frames(bits, "uint8")}

    def levels(self, levels: np.ndarray, colour: str, opacity: int = OVER) -> dict[str, Any]:
        """Return the foreground: in frame k the pixels whose level is above k."""
        return _over(colour, opacity) | {"turns": self.turns(levels), "before": 1, "after": 0}

    def ridges(self, colours: Sequence[str]) -> dict[str, Any]:
        """Return what is cut and what is kept of the skeleton, in these two colours."""
        opaque = [[*_channels(colour), 255] for colour in colours]
        return {"palette": [[0, 0, 0, 0], *opaque], "ridges": True, "mask": [2]}

    def turns(self, numbers: np.ndarray) -> dict[str, Any]:
        """Pack the frames from which on pixels have turned."""
        most = int(np.max(numbers, initial=0))
        return self.pack(numbers, "uint8" if most < 2**8 else "uint16" if most < 2**16 else "int32")

    def turning(
        self, before: np.ndarray, after: np.ndarray, turns: np.ndarray, colours: Sequence[str]
    ) -> dict[str, Any]:
        """Return a layer of pixels that turn, each in one frame, from one colour into another."""
        return {
            "palette": [[*_channels(colour), 255] for colour in colours],
            "before": self.pack(before, "uint8"),
            "after": self.pack(after, "uint8"),
            "turns": self.turns(turns),
        }

    # --- What lies over it ---

    def line(self, x: Any, y: Any, colour: str, width: float) -> dict[str, Any]:
        """Return a line through columns x and rows y, with NaN between its parts."""
        xy = np.stack([np.asarray(x, np.float32), np.asarray(y, np.float32)], axis=1)
        return {"xy": self.pack(xy, "float32"), "colour": colour, "width": width}

    def signs(
        self, sign: str, colour: str, places: Sequence[np.ndarray] | np.ndarray, **look: Any
    ) -> dict[str, Any]:
        """Return signs at flat indices: an array for all frames, or a list with one of each."""
        starts = None
        if not isinstance(places, np.ndarray):
            starts = self.pack(_starts(places), "int32")
            places = np.concatenate([*places, np.zeros(0, np.int32)])
        packed = {"starts": starts, "places": self.pack(places, "int32")}
        return {"sign": sign, "colour": colour, **packed, **look}

    def paths(self, paths: Sequence[np.ndarray]) -> dict[str, Any]:
        """Return paths of flat indices, one for each thing that can be marked."""
        flat = np.concatenate([*paths, np.zeros(0, np.int32)])
        return {"starts": self.pack(_starts(paths), "int32"), "places": self.pack(flat, "int32")}

    # --- The whole ---

    def image(self, title: str, shape: Any, layers: list[dict[str, Any]], **more: Any) -> None:
        """Add a picture of pixels."""
        self.panel("image", title, shape=[int(side) for side in shape], layers=layers, **more)

    def panel(self, kind: str, title: str, **about: Any) -> None:
        """Add a picture, on the right of those before it."""
        self.panels.append({"kind": kind, "title": title, **about})

    def features(
        self, pairs: Sequence[PersistencePairs], kinds: Sequence[str], **life: Any
    ) -> None:
        """Add the features of all frames together, or of each one.

        `life` are either `born` and `died`, or `living`: see the module.
        """
        columns = {
            "dimension": "uint8", "birth": "float32", "death": "float32",
            "birth_index": "int32", "death_index": "int32",
        }  # fmt: skip
        names = {"birth_index": "birthAt", "death_index": "deathAt"}
        about: dict[str, Any] = {
            names.get(name, name): self.pack(
                np.concatenate([getattr(each, name) for each in pairs]), kind
            )
            for name, kind in columns.items()
        }
        about |= {name: self.pack(values, "uint16") for name, values in life.items()}
        if len(pairs) > 1:
            about["starts"] = self.pack(_starts(pairs), "int32")
        colours: dict[str, Any] = {"kinds": [figures.COMPONENT, figures.HOLE]}
        colours |= {"birth": figures.BIRTH, "death": figures.DEATH, "elder": figures.RAISED}
        self.more["features"] = about | {"kinds": list(kinds), "colours": colours}

    def film(self) -> Film:
        """Return what was packed."""
        about = {"frames": len(self.values), "label": self.label, "values": list(self.values)}
        about |= {"sentences": list(self.sentences), "panels": self.panels, "legend": self.legend}
        about |= {"tail": None, "numbers": [], "features": None, "marking": None, "play": None}
        about |= {"ridges": None, "second": None, "challenges": []}
        return Film(about | self.more, b"".join(self.chunks))


def _over(colour: str, opacity: int) -> dict[str, Any]:
    return {"palette": [[0, 0, 0, 0], [*_channels(colour), opacity]], "mask": [1]}


def _channels(colour: str) -> list[int]:
    return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]


def _starts(parts: Sequence[Any]) -> np.ndarray:
    return np.cumsum([0, *map(len, parts)])


@dataclass(frozen=True)
class Shelf:
    """Films to choose from: `labels` of lists, the `names` that are chosen, and each film's."""

    labels: list[str]
    names: list[str]
    films: list[tuple[list[str], Film]]


class Frames(anywidget.AnyWidget):
    """The widget that shows a film, and moves through it by itself.

    Once the hand rests, it tells where it is: `index`, the frame; `level`, the place of a second
    slider; `marked`, the number of what is marked, 0 for nothing; `pixel`, row and column of the
    chosen one. What is `painted`, as flat
    indices, it tells after each `stroke`; these are counted. While it is `busy`, the page says that
    something is being computed; `story` is what it says besides.
    """

    _esm = Path(__file__).with_name("frames.js")
    _css = Path(__file__).with_name("frames.css")

    about = Dict().tag(sync=True)
    data = Bytes().tag(sync=True)
    index = Int(0).tag(sync=True)
    level = Int(0).tag(sync=True)
    marked = Int(0).tag(sync=True)
    pixel: Any = List([0, 0]).tag(sync=True)
    painted: Any = List().tag(sync=True)
    stroke = Int(0).tag(sync=True)
    story = Unicode().tag(sync=True)
    busy = Bool(False).tag(sync=True)

    shelf: Callable[[], Shelf] | None = None  # makes what else a page without a kernel may show

    def show(self, film: Film, **place: Any) -> None:
        """Show another film at a place: `index` and what else `stand` takes; in one message."""
        with self.hold_sync():
            self.about, self.data = film.about, film.data
            self.stand(**place)

    def stand(self, **place: Any) -> None:
        """Go to a place of this film."""
        with self.hold_sync():
            for name, value in place.items():
                setattr(self, name, value)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let the page say, as long as it takes, that something is being computed."""
        before, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = before

    def bundle(self, most: int | None = None) -> dict[str, Any]:
        """Return the film and the present place as a dict that JSON can hold.

        Of more than `most` frames so many are kept, the present one among them.
        """
        film, index = _shortened(Film(self.about, self.data), most, self.index)
        place = {
            "index": index,
            "level": self.level,
            "marked": self.marked,
            "pixel": list(self.pixel),
        }
        bundle = {"about": film.about, "data": _packed(film.data), **place}
        if self.shelf is not None:
            shelf = self.shelf()
            films = []
            for names, each in shelf.films:
                film, _ = _shortened(each, most, min(self.index, each.about["frames"] - 1))
                data = base64.b64encode(film.data).decode()
                films.append({"names": names, "about": film.about, "data": data})
            packed = _packed(json.dumps(films, separators=(",", ":")).encode())
            bundle["shelf"] = {"labels": shelf.labels, "names": shelf.names, "films": packed}
        return bundle


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


def _shortened(film: Film, most: int | None, index: int) -> tuple[Film, int]:
    """Return a film of at most so many frames, one of which is kept, and where that is in it."""
    if most is None or most >= film.about["frames"]:
        return film, index
    kept = kept_frames(film.about["frames"], most, index)
    return thinned(film, kept), kept.tolist().index(index)
