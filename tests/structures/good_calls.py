"""A good call of each door of `structures`, from which the table of bad arguments is made."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_COUNT,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_IMAGES,
    BAD_MODULE,
    BAD_NDIM,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SIZE,
    BAD_TARGET,
    LABELS,
    LOGITS,
    NO_TENSOR,
    Kind,
)
from doors import call

from toposeg_lite import structures
from toposeg_lite.structures import StructureModel

LIKELIHOOD = torch.tensor([[0.9, 0.1, 0.8, 0.2, 0.7]])
BRANCHES = structures.find_branches(LIKELIHOOD.numpy())
PLAIN = StructureModel(torch.nn.Identity())
HEADED = StructureModel(torch.nn.Identity(), mode="branch")
(KNOWN,) = HEADED.distribution(LIKELIHOOD.logit()[None, None])
OUTCOMES = [np.ones(len(KNOWN.branches))]
IMAGE = {"image": LOGITS}
BAD_IMAGE = {"image": BAD_IMAGES}
PAIR, BAD_PAIR = {**IMAGE, "truth": LABELS}, {**BAD_IMAGE, "truth": BAD_TARGET}
NO_BRANCHES: Kind = {"None": None, "an array": LIKELIHOOD.numpy(), "a list": [BRANCHES]}
BAD_LIKELIHOOD: Kind = NO_TENSOR | {
    "another shape": LIKELIHOOD.T,
    "a batch": LIKELIHOOD[None],
    "integers": LIKELIHOOD.long(),
    "complex": LIKELIHOOD * 1j,
}
CHANNELS = LIKELIHOOD[None]
BAD_CHANNELS: Kind = NO_TENSOR | {
    "another shape": CHANNELS.mT,
    "a batch": CHANNELS[None],
    "no channel": CHANNELS[:0],
    "no axis": CHANNELS[0, 0, 0],
    "integers": CHANNELS.long(),
    "complex": CHANNELS * 1j,
}
TEMPERATURE: Kind = {
    "None": None, "a number": 0.2, "a text": "12", "one": (0.2,), "three": (0.3, 0.2, 0.1),
    "rising": (0.1, 0.2), "zero": (0.2, 0), "NaN": (0.2, float("nan")), "cold": (0.01, 0.001),
    "texts": ("0.2", "0.1"),
}  # fmt: skip
BAD_OUTCOMES: Kind = {
    "None": None, "a number": 1, "a text": "a", "too few": [], "of texts": [["a"]],
    "another length": [np.ones(99)], "2": [2 * OUTCOMES[0]], "-1": [-OUTCOMES[0]],
    "inf": [np.inf * OUTCOMES[0]], "complex": [1j * OUTCOMES[0]], "ragged": [[[1], 1]],
}  # fmt: skip
BAD_DISTRIBUTIONS: Kind = {"None": None, "a number": 1, "a distribution": KNOWN, "texts": ["a"]}
BAD_STATE: Kind = {
    "None": None, "a text": "3", "two": torch.tensor([3, 4]), "-1": torch.tensor(-1),
    "a half": torch.tensor(0.5), "NaN": torch.tensor(float("nan")),
}  # fmt: skip

CALLS = [
    call(
        structures.BranchHead,
        {"features": None, "walk": True, "gamma": 0.1, "sigma": 0.1, "reconstruction_weight": 1,
         "kl_weight": 1, "weigh_by": "count"},
        {"features": {"a number": 3, "bytes": b"conv", "True": True, "a list": ["conv"]},
         "walk": BAD_FLAG, "gamma": BAD_FRACTION, "sigma": BAD_NUMBER,
         "reconstruction_weight": BAD_NUMBER, "kl_weight": BAD_NUMBER, "weigh_by": BAD_CHOICE},
    ),
    call(
        structures.Threshold,
        {"temperature": (0.2, 0.1), "anneal_steps": 9, "reconstruction_weight": 1, "kl_weight": 1,
         "spread_weight": 1},
        {"temperature": TEMPERATURE, "anneal_steps": BAD_SIZE,
         **dict.fromkeys(("reconstruction_weight", "kl_weight", "spread_weight"), BAD_NUMBER)},
    ),
    call(
        structures.EvenLight, {"window": 9, "gain": 0.1},
        {"window": BAD_SIZE | {"even": 8}, "gain": BAD_NUMBER},
    ),
    call(
        structures.EvenLight.forward, {"images": LOGITS.expand(1, 3, 3, 4)},
        {"images": BAD_IMAGES | {"one channel": LOGITS}}, of=structures.EvenLight(9),
    ),
    call(
        StructureModel,
        {"network": torch.nn.Identity(), "mode": "branch", "in_channels": 1, "ndim": 2,
         "min_persistence": 0.1, "saddle_level": 0.1, "split": 0.5, "connectivity": 1,
         "segmentation": torch.nn.BCEWithLogitsLoss(), "seed": 0},
        {"network": BAD_MODULE, "in_channels": BAD_SIZE, "ndim": BAD_NDIM, "split": BAD_FRACTION,
         "mode": {word: value for word, value in BAD_CHOICE.items() if word != "None"},
         "segmentation": {word: value for word, value in BAD_MODULE.items() if word != "None"},
         "decide": {"a text": "branch", "a module": torch.nn.Identity(), "with a mode": 3},
         "options": {"unknown": 1}},
    ),
    call(StructureModel.forward, IMAGE, BAD_IMAGE, of=PLAIN.forward),
    *[
        call(getattr(StructureModel, name), IMAGE, BAD_IMAGE, of=getattr(PLAIN, name))
        for name in ("branches", "prior", "distribution", "uncertainty", "predict")
    ],
    call(StructureModel.posterior, PAIR, BAD_PAIR, of=PLAIN.posterior),
    call(StructureModel.loss, {**PAIR, "seed": 0}, BAD_PAIR, of=PLAIN.loss),
    call(
        StructureModel.sample, {**IMAGE, "n": 2, "seed": 0}, {**BAD_IMAGE, "n": BAD_COUNT},
        of=PLAIN.sample,
    ),
    call(
        StructureModel.learn,
        {"distributions": [KNOWN], "outcomes": OUTCOMES, "seed": 0, "steps": 1,
         "learning_rate": 0.1},
        {"distributions": BAD_DISTRIBUTIONS, "outcomes": BAD_OUTCOMES, "steps": BAD_SIZE,
         "learning_rate": BAD_NUMBER},
        of=HEADED.learn,
    ),
    call(
        StructureModel.calibrate, {"distributions": [KNOWN], "outcomes": OUTCOMES},
        {"distributions": BAD_DISTRIBUTIONS, "outcomes": BAD_OUTCOMES}, of=HEADED.calibrate,
    ),
    call(
        StructureModel.set_extra_state, {"state": torch.tensor(3)}, {"state": BAD_STATE},
        of=PLAIN.set_extra_state,
    ),
    call(
        structures.StructureDistribution.calibrated, {"calibration": 2.0},
        {"calibration": BAD_POSITIVE}, of=KNOWN.calibrated,
    ),
    call(
        structures.StructureDistribution.mask, {"accept": 0.5}, {"accept": BAD_FRACTION},
        of=KNOWN.mask,
    ),
    call(
        structures.StructureDistribution.sample, {"n": 2, "seed": 0}, {"n": BAD_COUNT},
        of=KNOWN.sample,
    ),
    call(
        structures.Uncertainty.map, {"of": "variance"}, {"of": BAD_CHOICE},
        of=KNOWN.uncertainty().map,
    ),
    call(
        structures.branch_features,
        {"branches": BRANCHES, "likelihood": LIKELIHOOD, "image": CHANNELS, "network": CHANNELS},
        {"branches": NO_BRANCHES, "likelihood": BAD_LIKELIHOOD, "image": BAD_CHANNELS,
         "network": {"an array": CHANNELS.numpy(), "a number": 0.5, "a batch": CHANNELS[None],
                     "no axis": CHANNELS[0, 0, 0], "integers": CHANNELS.long()}},
    ),
    call(
        structures.persistence_of, {"branches": BRANCHES, "likelihood": LIKELIHOOD},
        {"branches": NO_BRANCHES, "likelihood": BAD_LIKELIHOOD},
    ),
    call(
        structures.perturb_and_walk,
        {"branches": BRANCHES, "seed": 0, "chosen": np.ones(len(BRANCHES), np.bool_),
         "gamma": 0.1, "sigma": 0.1, "connectivity": 1},
        {"branches": NO_BRANCHES, "gamma": BAD_FRACTION, "sigma": BAD_NUMBER,
         "chosen": {"a number": 1, "numbers": np.ones(len(BRANCHES), int), "too few": [True],
                    "a text": "all", "ragged": [[True], True]}},
    ),
    call(
        structures.load_pretrained, {"mode": "threshold"},
        {"mode": BAD_CHOICE, "path": BAD_PATH},
    ),
]  # fmt: skip
