"""A good call of each door of `nnunet`, from which the table of bad arguments is made."""

from __future__ import annotations

import torch
from bad_values import (
    BAD_CHOICE,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_IGNORE_INDEX,
    BAD_NUMBER,
    BAD_SIZE,
    BAD_SPACING,
    BAD_TARGET,
    LABELS,
    LOGITS,
    Kind,
)
from doors import call

from toposeg_lite.losses import TopologicalLoss
from toposeg_lite.nnunet import Addition, LossBeside

NO_MAP: Kind = {"None": None, "a list": [1], "a text": "window", "a number": 2}
NO_MODULE: Kind = {"None": None, "a class": TopologicalLoss, "a text": "topological"}
ADDITION = Addition("cldice")


def beside():
    """A loss beside another that counts, each of which takes labels."""
    loss = LossBeside(TopologicalLoss(), TopologicalLoss())
    loss.factor = 1.0
    return loss


CALLS = [
    call(
        Addition,
        {"loss": "cldice", "options": {"iterations": 2}, "weight": 0.5, "start": 0.5,
         "warm_up": 0.1},
        {"loss": BAD_CHOICE, "weight": BAD_NUMBER, "start": BAD_FRACTION | {"1": 1},
         "warm_up": BAD_FRACTION, "options": NO_MAP | {"of another loss": {"window": 2}}},
    ),
    call(
        Addition.changed, {"environment": {"TOPOSEG_WEIGHT": "2"}},
        {"environment": NO_MAP | {"no number": {"TOPOSEG_WEIGHT": "two"}}}, of=ADDITION.changed,
    ),
    call(
        Addition.factor, {"epoch": 3, "epochs": 10},
        {"epoch": BAD_SIZE | {"zero": -3}, "epochs": BAD_SIZE}, of=ADDITION.factor,
    ),
    call(
        Addition.make, {"regions": False, "ignore_label": 3, "spacing": (2.0, 1.0, 1.0)},
        {"regions": BAD_FLAG, "ignore_label": BAD_IGNORE_INDEX,
         "spacing": {word: value for word, value in BAD_SPACING.items() if word != "of three"}},
        of=ADDITION.make,
    ),
    call(
        LossBeside,
        {"own": torch.nn.L1Loss(), "added": TopologicalLoss(), "ignored_channel": False},
        {"own": NO_MODULE, "added": NO_MODULE, "ignored_channel": BAD_FLAG},
    ),
    call(
        LossBeside.forward, {"output": LOGITS, "target": LABELS}, {"target": BAD_TARGET},
        of=beside(),
        free={"output": "the added loss checks the logits, by their own name"},
    ),
]  # fmt: skip
