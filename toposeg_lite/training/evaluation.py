"""Predict images of any size, and score what is predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import nn

from .. import metrics
from ..data import Sample
from .config import check_number, check_sides, resolve_sides

__all__ = ["Evaluation", "evaluate", "predict"]


def predict(
    model: nn.Module,
    image: np.ndarray,
    *,
    window: int | tuple[int, ...] = 256,
    overlap: float = 0.25,
) -> np.ndarray:
    """Return the likelihood of the foreground at every pixel of an image of any size.

    Parameters
    ----------
    model : torch.nn.Module
        Turns (1, channels, *spatial) into logits (1, 1, *spatial).
    image : (channels, *spatial) array of float
        Values in [0, 1].
    window : int or tuple of int
        Sides of the windows that the network sees at once. Axes that are shorter are seen whole.
    overlap : float
        By what part of its side a window overlaps the next one at least, from 0 to below 1. Where
        windows overlap, the likelihood is their mean, weighted by the distance to their borders.

    Returns
    -------
    (*spatial) array of float32
        Values in [0, 1].

    Raises
    ------
    TypeError, ValueError
        For an image of the wrong kind, or a window or overlap out of range.

    Examples
    --------
    >>> from toposeg_lite.models import UNet
    >>> image = np.zeros((1, 40, 50), np.float32)
    >>> predict(UNet(1, width=2), image, window=16).shape
    (40, 50)
    """
    image = np.asarray(image)
    if image.dtype.kind != "f":
        raise TypeError(f"image must be floating point in [0, 1]; got {image.dtype}")
    if image.ndim not in (3, 4) or image.size == 0:
        raise ValueError(
            f"image must have the axes (channels, H, W) or (channels, D, H, W) and not be empty; "
            f"got shape {image.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError("image holds values that are NaN or infinite")
    check_sides(window, "window")
    check_number(overlap, "overlap", zero=True)
    if overlap >= 1:
        raise ValueError(f"overlap must be below 1; got {overlap}")
    spatial = image.shape[1:]
    sides = tuple(map(min, resolve_sides(window, len(spatial), "window"), spatial))
    ramps = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) for side in sides]
    weight = np.ones((), np.float32)
    for ramp in ramps:
        weight = np.multiply.outer(weight, ramp.astype(np.float32) / ramp.max())
    total, weights = np.zeros(spatial, np.float32), np.zeros(spatial, np.float32)
    parameter = next(model.parameters(), torch.empty(0))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for corner in product(*map(_window_starts, spatial, sides, [overlap] * len(sides))):
                place = tuple(slice(a, a + side) for a, side in zip(corner, sides, strict=True))
                tensor = torch.from_numpy(np.ascontiguousarray(image[(slice(None), *place)]))
                logits = model(tensor[None].to(parameter.device, parameter.dtype))
                if logits.shape != (1, 1, *sides):
                    raise ValueError(
                        f"model must return logits of the shape {(1, 1, *sides)}; "
                        f"got {tuple(logits.shape)}"
                    )
                total[place] += weight * logits[0, 0].float().sigmoid().cpu().numpy()
                weights[place] += weight
    finally:
        model.train(training)
    return np.clip(total / weights, 0, 1)


def _window_starts(size: int, side: int, overlap: float) -> list[int]:
    """Return evenly spread first pixels of windows that cover an axis and overlap enough."""
    if size <= side:
        return [0]
    stride = max(1, int(side * (1 - overlap)))
    count = math.ceil((size - side) / stride) + 1
    return [round(k * (size - side) / (count - 1)) for k in range(count)]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores and likelihoods of some images.

    Attributes
    ----------
    table : DataFrame
        One row for each image, by its name; the columns are those of `metrics.report`.
    likelihoods : dict of str to array
        What the network predicts for each image, float32 in [0, 1].
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
    """Predict images and score the masks of likelihood 0.5 and above.

    Parameters
    ----------
    model : torch.nn.Module
        See `predict`.
    samples : sequence of Sample
        Images with their reference masks.
    labels, connectivity, patch
        Passed to `toposeg_lite.metrics.report`; see there.
    window, overlap
        Passed to `predict`; see there.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        For samples or options that `predict` or `metrics.report` refuse.

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
    likelihoods, rows = {}, {}
    for sample in samples:
        likelihood = predict(model, sample.image, window=window, overlap=overlap)
        likelihoods[sample.name] = likelihood
        rows[sample.name] = metrics.report(
            likelihood >= 0.5,
            sample.mask,
            connectivity=connectivity,
            patch=patch,
            labels=labels,
        )
    return Evaluation(pd.DataFrame.from_dict(rows, orient="index"), likelihoods)
