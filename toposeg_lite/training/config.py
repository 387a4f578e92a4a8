"""What a training run is asked to do, checked when it is asked."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ..checks import check_choice, check_flag, check_integer, check_number, check_text
from ..data import Dataset, list_datasets, load_dataset
from ..data import folder as own_images
from ..data import options_of as options_of_dataset
from ..losses import LOSSES, make_loss
from .augment import check_augment, try_augment
from .balance import check_weight

__all__ = ["TrainConfig"]

PRECISIONS = ("float32", "bfloat16")


def check_sides(value: Any, name: str) -> int | tuple[int, ...]:
    """Return one side length, or a tuple (or list) of two or three as a tuple, else raise."""
    if not isinstance(value, tuple | list):
        return check_integer(value, name, 1)
    if len(value) not in (2, 3):
        raise ValueError(f"{name} must name 2 or 3 sides; got {value!r}")
    return tuple(check_integer(side, f"each side of {name}", 1) for side in value)


def check_network(model: Any) -> nn.Module:
    """Return a network, else raise."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}")
    return model


def resolve_sides(value: int | tuple[int, ...], ndim: int, name: str) -> tuple[int, ...]:
    """Return one side length for each axis."""
    sides = value if isinstance(value, tuple) else (value,) * ndim
    if len(sides) != ndim:
        raise ValueError(f"{name} must name one side for each of the {ndim} axes; got {value!r}")
    return sides


def _check_own_folder(given: Any, dataset: str) -> dict[str, Any]:
    """Return what `data.folder` shall be called with, as plain values that JSON can hold."""
    if not isinstance(given, Mapping):
        raise TypeError(f"own_folder must map what data.folder takes to values; got {given!r}")
    if (dataset == "folder") != bool(given):
        raise ValueError(
            f"your own images are given by dataset='folder' together with "
            f"own_folder={{'images': ..., 'masks': ...}}; got {dataset=} and {dict(given)!r}"
        )
    checked = {}
    for name, value in given.items():
        known = [name for name in inspect.signature(own_images).parameters if name != "group"]
        check_choice(name, known, "each name in own_folder")
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        checked[name] = value.item() if isinstance(value, np.generic) else value
    missing = [name for name in ("images", "masks") if given and name not in given]
    if missing:
        raise ValueError(
            f"own_folder must say where the {' and '.join(missing)} are; got {given!r}"
        )
    try:
        json.dumps(checked)
    except TypeError as error:
        raise TypeError(f"own_folder must hold what JSON can: {error}") from None
    return checked


def check_data_options(given: Any, dataset: str, name: str = "data_options") -> dict[str, Any]:
    """Return options of a data set as plain values that JSON can hold, else raise."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must map options of the data set to values; got {given!r}")
    # Those of your own images are in own_folder.
    known = [] if dataset == "folder" else ["seed", *options_of_dataset(dataset)]
    checked = {}
    for option, value in given.items():
        if option not in known:
            takes = f"{dataset} takes {', '.join(known)}" if known else "they are in own_folder"
            raise ValueError(f"{name} must name options of the data set: {takes}; got {option!r}")
        checked[option] = value.item() if isinstance(value, np.generic) else value
    try:
        json.dumps(checked)
    except TypeError as error:
        raise TypeError(f"{name} must hold what JSON can: {error}") from None
    return checked


def _check_loss(loss: str, given: Any) -> None:
    """Raise an error unless the options of a loss, and of its parts, fit a training."""
    if not isinstance(given, Mapping):
        raise TypeError(f"loss_options must map names to values; got {given!r}")
    for name in given:
        check_text(name, "each name in loss_options")
    if loss == "sum" and "parts" not in given:
        raise ValueError("loss_options of the loss 'sum' must name its parts")
    make_loss(loss, **given)
    for options in [given, *(given["parts"].values() if loss == "sum" else ())]:
        if options.get("ignore_index") is not None:
            raise ValueError(
                "loss_options must name no ignore_index: which pixels are ignored is said by the "
                "data, in Sample.ignored (folder(..., ignore=LABEL) sets it)"
            )
        if options.get("reduction") == "none":
            raise ValueError("loss_options must name a reduction to one number, 'mean' or 'sum'")
    try:
        json.dumps(dict(given))
    except TypeError as error:
        raise TypeError(f"loss_options must hold what JSON can: {error}") from None


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the numbers of a training run; checked when it is made.

    Numbers are stored as plain ones of Python, whatever NumPy made of them, for JSON keeps them.

    Parameters
    ----------
    dataset : str
        One of `toposeg_lite.data.list_datasets()`, or "folder" for your own images.
    root : str, optional
        The folder of downloaded data sets. It decides no number, so a resumed run may change it.
    loss : str
        The loss that is added to Dice + cross-entropy: a key of `toposeg_lite.losses.LOSSES`, or
        "sum" for several.
    loss_options : dict
        Options of that loss, by name. Of a sum they are its `parts`, each with its own options, and
        if wanted `weights`, `starts` and `warm_up` of parts, as `losses.make_loss` takes them. Its
        steps are those of this run.
    weight : float or str
        The factor of the added loss; 0 leaves it out, and then not even computes it.
        ``"balance:0.5"`` chooses it at every step, so that the gradient of the added loss has half
        the norm of the pixel loss's, on average over some steps; see `training.balance`.
    steps : int
        Number of steps of this run, not counting those of a checkpoint that it starts from.
    patch : int or tuple of int
        Sides of the random crops.
    batch : int
        Crops a step, over all processes.
    light : float
        How much the light of a crop is changed at random, from 0 to below 1; see `draw_batch`.
    augment : dict of dict
        Further random changes of the values of crops: names of MONAI's transforms, each with its
        options, e.g. ``{"RandGaussianNoise": {"prob": 0.5, "std": 0.05}}``, and "RandHue" for the
        hue of colour images; see `training.augment`.
    seed : int
        Decides the first weights and the crops.
    width, depth : int
        Of the `UNet`; see there.
    learning_rate : float
        Of the optimizer AdamW.
    anneal : bool
        Let the learning rate fall to zero over the run along half a cosine.
    clip : float
        The largest norm of the gradient over all weights; longer ones are shortened to it.
    precision : {"float32", "bfloat16"}
        Of the network's forward and backward pass; losses and weights are always float32.
        bfloat16 is refused on hardware that would be slower with it.
    checkpoint_every : int
        Steps between two checkpoints; one more is written at the end.
    validate_every : int
        Steps between two looks at the validation images, whole; 0 never looks. The best network,
        by `Checkpoint.best_look`, is kept beside the last one. In volumes its error is the mean
        over cubes with the data set's `patch` as their side.
    patience : int
        End the run after so many looks in a row that found no better network; 0 never ends it.
    validation_window : int or tuple of int
        Sides of the windows in which the validation images are predicted; see `predict`.
    own_folder : dict
        Your own images: what `toposeg_lite.data.folder` takes, but for `group`, by name, e.g.
        ``{"images": "cells", "masks": "cells/masks", "ignore": 255}``.
    data_options : dict
        What `load_dataset` takes of this data set besides `root`, by name, e.g. of topomortar
        ``{"labels": "noisy", "training": 10}``.

    Examples
    --------
    >>> TrainConfig(loss="topological", loss_options={"matching": "rank"}, weight=0.1).batch
    4
    >>> both = {"parts": {"topological": {}, "cldice": {"iterations": 5}}, "weights": {"cldice": 2}}
    >>> TrainConfig(loss="sum", loss_options=both, weight="balance:0.5").weight
    'balance:0.5'
    """

    dataset: str = "retina"
    root: str | None = None
    loss: str = "topological"
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    weight: float | str = 0.1
    steps: int = 800
    patch: int | tuple[int, ...] = 128
    batch: int = 4
    light: float = 0.3
    augment: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    width: int = 16
    depth: int = 4
    learning_rate: float = 1e-3
    anneal: bool = False
    clip: float = 1.0
    precision: str = "float32"
    checkpoint_every: int = 100
    validate_every: int = 0
    patience: int = 0
    validation_window: int | tuple[int, ...] = 256
    own_folder: Mapping[str, Any] = field(default_factory=dict)
    data_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice(self.dataset, [*list_datasets(), "folder"], "dataset")
        if not (self.root is None or isinstance(self.root, str)):
            raise TypeError(f"root must be a text or None; got {self.root!r}")
        _check_loss(check_choice(self.loss, (*LOSSES, "sum"), "loss"), self.loss_options)
        check_augment(self.augment)
        check_choice(self.precision, PRECISIONS, "precision")
        checked: dict[str, Any] = {"anneal": check_flag(self.anneal, "anneal")}
        checked["own_folder"] = _check_own_folder(self.own_folder, self.dataset)
        checked["data_options"] = check_data_options(self.data_options, self.dataset)
        checked["weight"] = check_weight(self.weight)
        checked["light"] = check_number(self.light, "light")
        for name in ("steps", "batch", "width", "depth", "checkpoint_every"):
            checked[name] = check_integer(getattr(self, name), name, 1)
        for name in ("seed", "validate_every", "patience"):
            checked[name] = check_integer(getattr(self, name), name)
        for name in ("patch", "validation_window"):
            checked[name] = check_sides(getattr(self, name), name)
        for name in ("learning_rate", "clip"):
            checked[name] = check_number(getattr(self, name), name, positive=True)
        if checked["light"] >= 1:
            raise ValueError(f"light must be below 1; got {self.light}")
        if self.patience and not self.validate_every:
            raise ValueError(
                f"patience={self.patience} needs looks at the validation images: set validate_every"
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def load(self) -> Dataset:
        """Load the data set."""
        if self.own_folder:
            return own_images(**self.own_folder)
        return load_dataset(self.dataset, root=self.root, **self.data_options)

    def check(self, ndim: int, channels: int = 1) -> None:
        """Raise an error unless patch, added loss and `augment` fit images with such axes."""
        ndim = check_integer(ndim, "ndim", 2, 3)
        sides = resolve_sides(self.patch, ndim, "patch")
        try_augment(self.augment, (check_integer(channels, "channels", 1), *sides))
        resolve_sides(self.validation_window, ndim, "validation_window")
        if self.weight:  # a try on the smallest images tells before any training
            tiny = torch.zeros(1, 1, *[2] * ndim)
            try:
                make_loss(self.loss, **self.loss_options)(tiny, tiny)
            except ValueError as error:
                raise ValueError(
                    f"the loss {self.loss!r} with these options does not fit images with {ndim} "
                    f"axes: {error}"
                ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that survives a round trip through JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["loss_options"] = dict(self.loss_options)
        values["augment"] = {name: dict(options) for name, options in self.augment.items()}
        for name in ("own_folder", "data_options"):
            values[name] = dict(getattr(self, name))
            if not values[name]:  # so that what was begun before there was this field can go on
                del values[name]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
