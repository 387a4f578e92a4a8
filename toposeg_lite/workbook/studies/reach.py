"""Does a loss push where the errors are? Which errors of a network it reaches, what it wastes.

``python -m toposeg_lite.training reach --networks seed0/control.safetensors`` takes a network and
the validation images of the data set that it was trained on. For each loss it asks two things
of the gradient at the logits:

- its **reach**: the share of the topological errors at which it pushes the right way. An error is
  reached if, of the wrong pixels within some pixels of its place, the gradient moves at least one
  towards the truth;
- its **focus**: the share of the gradient, added up as absolute values, that lies within so many
  pixels of an error. The rest goes to places where the topology is right already.

The place of a missing hole is its middle, far from the rim where it was opened, so few losses
reach it by this measure. A pixel loss reaches everything else and has hardly any focus. A loss that
misses an error will not mend it, however long it is trained; one that reaches it may still lose
against the pixel loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from torch import nn

from ...checks import check_integer, check_same_shape
from ...differences import KINDS, topology_differences
from ...files import make_folder, write_atomically
from ...losses import make_loss
from ...topology.grid import check_image, check_mask
from ...training import load_checkpoint, predict
from .options import option
from .results import check_table
from .scores import markdown
from .study import read_arms

__all__ = ["Reach", "ReachCommand", "loss_reach"]


class Reach(NamedTuple):
    """What the gradient of a loss has to do with the topological errors of an image.

    Attributes
    ----------
    errors : dict of str to int
        How many errors there are, by their kind (see `toposeg_lite.differences`).
    reached : dict of str to int
        How many of them are reached.
    at_errors, everywhere : float
        The gradient's absolute values, added up near the errors, and over the image.
    """

    errors: dict[str, int]
    reached: dict[str, int]
    at_errors: float
    everywhere: float


def loss_reach(likelihood: Any, truth: Any, loss: nn.Module, *, radius: int = 3) -> Reach:
    """Measure at which topological errors of a prediction a loss pushes the right way.

    Parameters
    ----------
    likelihood : (H, W) or (D, H, W) array of float
        What a network predicts, in [0, 1]; the mask is where it is above one half.
    truth : array of bool
        In its shape.
    loss : torch.nn.Module
        Takes logits (1, 1, ...) and target (1, ...).
    radius : int
        How near to the place of an error a pixel must be to belong to it, in pixels along each
        axis.

    Examples
    --------
    >>> truth = np.zeros((3, 9), bool)
    >>> truth[1] = True
    >>> likelihood = np.where(truth, 0.9, 0.1)
    >>> likelihood[1, 4] = 0.2  # a break
    >>> reach = loss_reach(likelihood, truth, make_loss("topological", matching="spatial"))
    >>> reach.errors["break"], reach.reached["break"], reach.at_errors / reach.everywhere > 0.9
    (1, 1, True)
    """
    likelihood, truth = check_image(likelihood, "likelihood"), check_mask(truth, "truth")
    check_same_shape(likelihood, truth, ("likelihood", "truth"))
    if not isinstance(loss, nn.Module):
        raise TypeError(f"loss must be a torch.nn.Module; got {type(loss).__name__}")
    radius = check_integer(radius, "radius")
    scores = torch.logit(torch.from_numpy(np.array(likelihood, np.float64)), eps=1e-6)
    logits = scores[None, None].requires_grad_()
    value = loss(logits, torch.from_numpy(truth)[None])
    (slope,) = torch.autograd.grad(value, logits)
    push = slope[0, 0].numpy()
    prediction = likelihood > 0.5
    mends = np.where(truth, push < 0, push > 0) & (prediction != truth)
    errors, reached = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    places = np.zeros(truth.shape, bool)
    for kind, position in topology_differences(prediction, truth):
        near = tuple(slice(max(p - radius, 0), p + radius + 1) for p in position)
        errors[kind] += 1
        reached[kind] += bool(mends[near].any())
        places[position] = True
    near_errors = ndimage.maximum_filter(places, 2 * radius + 1)
    sizes = np.abs(push)
    return Reach(errors, reached, float(sizes[near_errors].sum()), float(sizes.sum()))


@dataclass(frozen=True)
class ReachCommand:
    """Measure which errors of a network each loss reaches, and how much of it is spent there."""

    networks: Sequence[str] = option(("control.safetensors",), "checkpoints of one data set")
    arms: Sequence[str] = option(
        ("topological-spatial", "topological-betti", "topological-rank", "warping", "warping-dice",
         "morse-skeleton", "morse-patches", "morse-both-dice", "cldice", "skeleton-recall", "scnp",
         "topograph"),
        "names of losses, as a study has them",
    )  # fmt: skip
    root: str | None = option(None, "the folder of downloaded data sets")
    window: int = option(512, "side of the windows in which images are predicted")
    radius: int = option(3, "pixels within this distance of an error belong to it")
    results: str | None = option(None, "a file for the table, ending in .csv")

    def run(self) -> pd.DataFrame:
        """Measure, print the table, and return it: a row for each loss."""
        if self.results is not None and Path(self.results).suffix != ".csv":
            raise ValueError(f"results must be a file whose name ends in .csv; got {self.results}")
        if self.results is not None:
            make_folder(Path(self.results).parent)
        losses = {"dice_bce": make_loss("dice_bce")}
        losses |= {
            arm.name: make_loss(arm.loss, **arm.loss_options) for arm in read_arms(self.arms)
        }
        if self.results is not None:
            check_table(Path(self.results), loss=losses)
        seen: list[tuple[np.ndarray, np.ndarray]] = []
        for path in self.networks:
            kept = load_checkpoint(path)
            data = dataclasses.replace(kept.config, root=self.root).load()
            model = kept.model()
            for sample in data.validation:
                seen.append((predict(model, sample.image, window=self.window), sample.mask))
        if self.results is not None:
            check_table(Path(self.results), **_error_counts(seen))
        found = {
            name: [loss_reach(*pair, loss, radius=self.radius) for pair in seen]
            for name, loss in losses.items()
        }
        table = pd.DataFrame.from_dict(
            {name: _summary(reaches) for name, reaches in found.items()}, orient="index"
        )
        if self.results is not None:
            text = table.to_csv(index_label="loss", float_format="%.6g")
            write_atomically(Path(self.results), text.encode())
        print(_printed(table))
        return table


def _error_counts(seen: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, list[int]]:
    """Return the number of errors of each kind, by its column: it tells a table of other networks.

    `seen` are likelihoods and truths.
    """
    kinds = [d.kind for likelihood, truth in seen
             for d in topology_differences(likelihood > 0.5, truth)]  # fmt: skip
    return {f"{kind}, count": [kinds.count(kind)] for kind in KINDS}


def _summary(reaches: Sequence[Reach]) -> dict[str, float]:
    """Return the errors and the share that is reached, of each kind and of all, and the focus."""
    row: dict[str, float] = {}
    errors = {kind: sum(reach.errors[kind] for reach in reaches) for kind in KINDS}
    reached = {kind: sum(reach.reached[kind] for reach in reaches) for kind in KINDS}
    for name, kinds in {"all errors": KINDS, **{kind: (kind,) for kind in KINDS}}.items():
        count = sum(errors[kind] for kind in kinds)
        row[f"{name}, count"] = count
        row[name] = sum(reached[kind] for kind in kinds) / count if count else np.nan
    total = sum(reach.everywhere for reach in reaches)
    row["focus"] = sum(reach.at_errors for reach in reaches) / total if total else np.nan
    return row


def _printed(table: pd.DataFrame) -> str:
    """Return the table as Markdown, with the counts in its head."""
    names = ["all errors", *KINDS]
    counts = {name: int(table[f"{name}, count"].iloc[0]) for name in names}
    header = ["loss", *(f"{name} ({counts[name]})" for name in names), "focus"]

    def percent(value: float) -> str:
        return "" if np.isnan(value) else f"{value:.0%}".replace("%", " %")

    lines = [
        [str(name), *(percent(row[key]) for key in (*names, "focus"))]
        for name, row in table.iterrows()
    ]
    return markdown(header, lines)
