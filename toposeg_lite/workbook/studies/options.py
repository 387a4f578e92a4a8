"""Options of a command, which are the fields of a dataclass."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

from ...training import TrainConfig

__all__ = ["TEXTS", "add_options", "gather_folder", "option", "training_of"]

#: Parameters whose values are texts, also where they look like numbers: ``-p name 2024``.
TEXTS = ("dataset", "images", "loss", "mask_suffix", "mask_variable", "masks", "name", "out",
         "results", "root", "variable")  # fmt: skip
#: What `toposeg_lite.data.folder` takes and a command names by itself. Its name, seed and patch
#: mean something else there; they go into ``-p own_folder "{...}"``.
OWN_IMAGES = ("images", "masks", "mask_suffix", "foreground", "ignore", "scale", "variable",
              "mask_variable", "split", "labels")  # fmt: skip


def gather_folder(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with those of your own images gathered, as `TrainConfig` takes them.

    Examples
    --------
    >>> gather_folder({"images": "a", "masks": "b", "ignore": 255, "batch": 2})
    {'batch': 2, 'own_folder': {'images': 'a', 'masks': 'b', 'ignore': 255}, 'dataset': 'folder'}
    """
    values = {name: value for name, value in given.items() if name not in OWN_IMAGES}
    own = {name: value for name, value in given.items() if name in OWN_IMAGES}
    if own:
        more = values.get("own_folder", {})
        if not isinstance(more, Mapping):
            raise TypeError(f"own_folder must map what data.folder takes to values; got {more!r}")
        values["own_folder"] = {**more, **own}
    if values.get("own_folder") and values.setdefault("dataset", "folder") != "folder":
        raise ValueError(
            f"images and masks of your own are a data set by themselves; got "
            f"dataset={values['dataset']!r} and {', '.join(values['own_folder'])}"
        )
    return values


def option(default: Any, help: str | None = None, *, positional: bool = False) -> Any:
    """Return a field of a dataclass that is an option of a command, with a line of help.

    With `positional` its values, of which there must be one, are given without its name.
    """
    return dataclasses.field(default=default, metadata={"help": help, "positional": positional})


def add_options(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add an option for each field of a dataclass, ``--even-light`` for ``even_light``.

    A field whose default is False is a switch, and one whose default is a tuple takes several
    values. All values are of their default's type; where that is None, they are texts, and so are
    several of which there is none by default.
    """
    for field in dataclasses.fields(kind):
        name, default = f"--{field.name.replace('_', '-')}", field.default
        settings: dict[str, Any] = {"default": default, "help": field.metadata["help"]}
        if default is False:
            parser.add_argument(name, action="store_true", **settings)
            continue
        example = default
        if isinstance(default, tuple):
            settings["nargs"] = "+"
            example = default[0] if default else None
        if field.metadata["positional"]:
            del settings["default"]
            name = field.name
        parser.add_argument(name, type=str if example is None else type(example), **settings)


def training_of(command: Any, dataset: str) -> TrainConfig:
    """Return how a command trains networks on a data set: with Dice + cross-entropy alone.

    Whatever option of the command is a field of `TrainConfig` becomes that field.
    """
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    names &= {field.name for field in dataclasses.fields(command)}
    given = {name: getattr(command, name) for name in names} | {"dataset": dataset}
    return TrainConfig(weight=0.0, anneal=True, **given)
