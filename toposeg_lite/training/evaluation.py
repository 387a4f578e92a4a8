"""Predict images of any size, and score what is predicted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from .. import metrics
from ..checks import check_choice, check_integer, check_number, check_reals
from ..data import Sample
from ..data.samples import check_labelled
from ..topology.grid import check_connectivity
from .config import check_network, check_sides, resolve_sides

__all__ = ["Evaluation", "evaluate", "predict", "validate"]


def predict(
    model: nn.Module,
    image: np.ndarray,
    *,
    window: int | tuple[int, ...] = 256,
    overlap: float = 0.25,
) -> np.ndarray:
    """Return the likelihood of the foreground, or of each class, at every pixel of any image.

    Parameters
    ----------
    model : torch.nn.Module
        Turns (1, channels, *spatial) into logits (1, 1, *spatial), or (1, C, *spatial) for C
        classes, of which the first is the background.
    image : (channels, *spatial) array of float
        Values in [0, 1].
    window : int or tuple of int
        Sides of the windows that the network sees at once. Axes that are shorter are seen whole.
    overlap : float
        By what part of its side a window overlaps the next one at least, from 0 to below 1. Where
        windows overlap, the likelihood is their mean, weighted by the distance to their borders.

    Returns
    -------
    (*spatial) or (C, *spatial) array of float32
        Values in [0, 1]; those of several classes add up to 1.

    Examples
    --------
    >>> from toposeg_lite.models import UNet
    >>> image = np.zeros((1, 40, 50), np.float32)
    >>> predict(UNet(1, width=2), image, window=16).shape
    (40, 50)
    """
    check_network(model)
    image = check_reals(image, "image")
    image = image.astype(image.dtype.newbyteorder("="), copy=False)  # as torch wants it
    if image.dtype.kind != "f":
        raise TypeError(f"image must be floating point in [0, 1]; got {image.dtype}")
    if image.ndim not in (3, 4) or image.size == 0:
        raise ValueError(
            f"image must have the axes (channels, H, W) or (channels, D, H, W) and not be empty; "
            f"got shape {image.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError("image holds values that are NaN or infinite")
    window = check_sides(window, "window")
    check_number(overlap, "overlap")
    if overlap >= 1:
        raise ValueError(f"overlap must be below 1; got {overlap}")
    spatial = image.shape[1:]
    sides = tuple(map(min, resolve_sides(window, len(spatial), "window"), spatial))
    ramps = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) for side in sides]
    weight = np.ones((), np.float32)
    for ramp in ramps:
        weight = np.multiply.outer(weight, ramp.astype(np.float32) / ramp.max())
    total, weights = np.zeros((1, *spatial), np.float32), np.zeros(spatial, np.float32)
    parameter = next(model.parameters(), torch.empty(0))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for corner in product(*map(_window_starts, spatial, sides, [overlap] * len(sides))):
                place = tuple(slice(a, a + side) for a, side in zip(corner, sides, strict=True))
                tensor = torch.from_numpy(image[(slice(None), *place)].copy())
                logits = model(tensor[None].to(parameter.device, parameter.dtype))
                shape = tuple(logits.shape)
                if shape[:1] + shape[2:] != (1, *sides) or shape[1] == 0:
                    raise ValueError(
                        f"model must return logits of the shape {(1, 'C', *sides)}; got {shape}"
                    )
                classes = logits[0].float()
                chances = classes.sigmoid() if len(classes) == 1 else classes.softmax(0)
                if len(total) != len(chances):
                    total = np.zeros((len(chances), *spatial), np.float32)
                total[(slice(None), *place)] += weight * chances.cpu().numpy()
                weights[place] += weight
    finally:
        model.train(training)
    likelihood = np.clip(total / weights, 0, 1)
    return likelihood[0] if len(likelihood) == 1 else likelihood


def _window_starts(size: int, side: int, overlap: float) -> list[int]:
    """Return evenly spread first pixels of windows that cover an axis and overlap enough."""
    if size <= side:
        return [0]
    stride = max(1, int(side * (1 - overlap)))
    count = math.ceil((size - side) / stride) + 1
    return [round(k * (size - side) / (count - 1)) for k in range(count)]


def _masks(likelihood: np.ndarray, sample: Sample) -> dict[str, dict[str, Any]]:
    """Return what metrics take of a sample, by its name, or of each of its classes."""
    if likelihood.ndim == sample.mask.ndim:
        truth = sample.mask
        if sample.ignored is not None:  # of which the mask may say anything
            truth = np.where(sample.ignored, False, truth)
        pairs = {sample.name: (likelihood >= 0.5, truth)}
    else:
        likeliest = likelihood.argmax(0)
        pairs = {
            f"{sample.name}, class {k}": (likeliest == k, sample.mask == k)
            for k in range(1, len(likelihood))
        }
    return {
        name: {"prediction": prediction, "truth": truth, "ignored": sample.ignored}
        for name, (prediction, truth) in pairs.items()
    }


def validate(
    model: nn.Module,
    samples: Sequence[Sample],
    *,
    window: int | tuple[int, ...],
    patch: int | None = None,
) -> tuple[float, float]:
    """Return the mean Dice and the mean Betti-matching error of some images, and nothing else."""
    pairs = [
        pair
        for sample in samples
        for pair in _masks(predict(model, sample.image, window=window), sample).values()
    ]
    dice = sum(metrics.dice(**pair) for pair in pairs) / len(pairs)
    errors = [metrics.betti_matching_error(**pair, patch=patch) for pair in pairs]
    return dice, sum(errors) / len(pairs)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` returns: scores and likelihoods of some images.

    Attributes
    ----------
    table : DataFrame
        One row for each image, by its name; the columns are those of `metrics.report`. Of several
        classes each foreground class has a row: "<name>, class <number>".
    likelihoods : dict of str to array
        What `predict` returned for each image.
    """

    table: pd.DataFrame
    likelihoods: dict[str, np.ndarray]


def evaluate(
    model: nn.Module,
    samples: Sequence[Sample],
    *,
    labels: metrics.Labels,
    connectivity: int | None = None,
    patch: int | None = None,
    window: int | tuple[int, ...] = 256,
    overlap: float = 0.25,
) -> Evaluation:
    """Predict images and score their masks: likelihood 0.5 and above, or the likeliest class.

    Pixels that a sample ignores do not count; see `toposeg_lite.metrics`. A volume is measured with
    its own spacing, where it is known.

    Each of `samples` has a name of its own. `model`, `window` and `overlap` are those of `predict`;
    `labels`, `connectivity` and `patch` are those of `toposeg_lite.metrics.report`.

    Examples
    --------
    >>> from toposeg_lite.data import load_dataset
    >>> from toposeg_lite.models import UNet
    >>> wall = load_dataset("brick")
    >>> scores = evaluate(UNet(1, width=2), wall.test, labels=wall.labels, patch=wall.patch)
    >>> list(scores.table.index)
    ['test-0']
    """
    if not samples:
        raise ValueError("samples are empty: there is nothing to evaluate")
    check_labelled(samples)
    check_network(model)
    check_choice(labels, ("foreground", "background"), "labels")
    if patch is not None:
        check_integer(patch, "patch", 1)
    check_connectivity(connectivity, samples[0].mask.ndim)
    twice = [name for name, times in Counter(s.name for s in samples).items() if times > 1]
    if twice:
        raise ValueError(f"samples must have different names; {twice[0]!r} is there more than once")
    likelihoods, rows = {}, {}
    for sample in samples:
        likelihoods[sample.name] = predict(model, sample.image, window=window, overlap=overlap)
        for row, pair in _masks(likelihoods[sample.name], sample).items():
            rows[row] = metrics.report(
                **pair,
                connectivity=connectivity,
                patch=patch,
                labels=labels,
                spacing=sample.spacing,
            )
    return Evaluation(pd.DataFrame.from_dict(rows, orient="index"), likelihoods)
