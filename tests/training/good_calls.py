"""A good call of each door of `training`, from which the table of bad arguments is made."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_COUNT,
    BAD_FLAG,
    BAD_MODULE,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SIZE,
    IMAGE,
    INF,
    NAN,
    NO_REALS,
    Kind,
)
from doors import call
from training_data import DATA, TINY

from toposeg_lite import training
from toposeg_lite.training import Checkpoint, TrainConfig

SIDES: Kind = {word: v for word, v in BAD_SIZE.items() if word != "a list"} | {
    "of zero": (0, 8), "of halves": (1.5, 8), "of one side": (8,), "of four sides": (8, 8, 8, 8),
    "of texts": ("8", "8"),
}  # fmt: skip
BELOW_1 = BAD_NUMBER | {"1": 1}
CHECKPOINT = training.train(TINY, data=DATA, progress=False)
AUGMENT: Kind = {
    "a list": ["RandGaussianNoise"], "a text": "RandGaussianNoise", "unknown": {"RandFlip": {}},
    "of a number": {"RandGaussianNoise": 0.5}, "a chance of 7": {"RandGaussianNoise": {"prob": 7}},
    "an unknown option": {"RandGaussianNoise": {"chance": 1}},
    "a hue beyond the circle": {"RandHue": {"shift": 0.6}}, "no flag": {"RandHue": {"single": 1}},
    "a shift of one hue": {"RandHue": {"shift": 0.1, "single": True}},
    "too much colour": {"RandHue": {"saturation": 2}},
}  # fmt: skip
SAMPLES: Kind = {"None": None, "none": [], "a number": 3, "of arrays": [IMAGE], "a text": "rings"}
PREDICTED: Kind = NO_REALS | {
    "no channel axis": IMAGE, "five axes": IMAGE[None, None, None], "no pixel": IMAGE[None, :0],
    "NaN": NAN[None], "inf": INF[None], "integers": (IMAGE[None] > 0.5).astype(int),
}  # fmt: skip
WINDOW: Kind = SIDES | {"of three sides": (8, 8, 8)}
CONFIG = {
    "dataset": "brick", "own_folder": {}, "root": None, "loss": "topological",
    "loss_options": {}, "weight": 1,
    "steps": 2, "patch": 8, "batch": 2, "light": 0.1, "augment": {}, "seed": 0, "width": 2,
    "depth": 2, "learning_rate": 0.1, "anneal": True, "clip": 1, "precision": "float32",
    "checkpoint_every": 2, "validate_every": 2, "patience": 2, "validation_window": 8,
    "data_options": {"masks": "silver"},
}  # fmt: skip

CALLS = [
    call(
        TrainConfig, CONFIG,
        {
            "own_folder": {"None": None, "a text": "photos", "a list": ["photos"],
                           "of one of the library's sets": {"images": "a", "masks": "b"}},
            "dataset": BAD_CHOICE, "root": {"a number": 3, "bytes": b"data"}, "loss": BAD_CHOICE,
            "loss_options": {"None": None, "a list": [1], "a text": "rank", "of numbers": {1: 2},
                             "no JSON": {"min_persistence": np.float32(0.5)}},
            **dict.fromkeys(("steps", "batch", "width", "depth", "checkpoint_every"), BAD_SIZE),
            **dict.fromkeys(("validate_every", "patience"), BAD_COUNT),
            **dict.fromkeys(("patch", "validation_window"), SIDES),
            **dict.fromkeys(("learning_rate", "clip"), BAD_POSITIVE),
            "weight": BAD_NUMBER | {
                "of no rule": "ratio:0.5", "a rule of nothing": "balance:", "zero": "balance:0",
                "of NaN": "balance:nan", "of infinity": "balance:inf", "negative": "balance:-1",
            },
            "data_options": {"None": None, "a list": [1], "a text": "noisy",
                             "of others": {"labels": "noisy"}, "of numbers": {1: 2},
                             "no JSON": {"masks": np.zeros(2)}},
            "light": BELOW_1, "augment": AUGMENT | {"None": None},
            "anneal": BAD_FLAG, "precision": BAD_CHOICE,
        },
    ),
    call(
        TrainConfig.check, {"ndim": 2, "channels": 3},
        {"ndim": {"None": None, "a text": "2", "1": 1, "4": 4, "2.0": 2.0, "True": True},
         "channels": BAD_SIZE},
        of=TINY.check,
    ),
    call(
        Checkpoint.model, {"model": CHECKPOINT.model(), "last": True},
        {"model": {word: v for word, v in BAD_MODULE.items() if word != "None"},
         "last": BAD_FLAG},
        of=CHECKPOINT.model,
    ),
    call(Checkpoint.save, {"path": "a"}, {"path": BAD_PATH | {"None": None}}, of=CHECKPOINT.save),
    call(
        training.load_checkpoint, {"path": "a"}, {"path": BAD_PATH | {"None": None}},
        of=lambda path: (
            CHECKPOINT.save(path) if path == "a" else None, training.load_checkpoint(path),
        )[1],
    ),
    call(
        training.draw_batch,
        {"samples": DATA.train, "step": 1, "seed": 0, "patch": 8, "batch": 2, "light": 0.1,
         "augment": {}, "spacing": (2.0, 1.0)},
        {"samples": SAMPLES, "step": BAD_COUNT, "patch": WINDOW, "batch": BAD_SIZE,
         "light": BELOW_1, "augment": AUGMENT},
    ),
    call(
        training.predict,
        {"model": torch.nn.Identity(), "image": IMAGE[None], "window": 8, "overlap": 0.5},
        {"model": BAD_MODULE, "image": PREDICTED, "window": WINDOW, "overlap": BELOW_1},
    ),
    call(
        training.evaluate,
        {"model": torch.nn.Identity(), "samples": DATA.test[:1], "labels": "foreground",
         "connectivity": 1, "patch": 8, "window": 8, "overlap": 0.5},
        {"model": BAD_MODULE, "samples": SAMPLES, "window": WINDOW, "overlap": BELOW_1,
         "patch": {word: value for word, value in BAD_SIZE.items() if word != "None"}},
    ),
    call(
        training.train,
        {"config": TINY, "data": DATA, "model": CHECKPOINT.model(), "start": CHECKPOINT,
         "out": "a", "resume": False, "progress": False},
        {
            "config": {"None": None, "a dict": {"steps": 3}, "a text": "a.json"},
            "data": {"a text": "brick", "a list": list(DATA.train), "a number": 3},
            "model": {word: v for word, v in BAD_MODULE.items() if word != "None"},
            "start": {"a text": "a.safetensors", "a number": 1, "a network": CHECKPOINT.model()},
            "out": BAD_PATH, "resume": BAD_FLAG, "events": BAD_PATH, "progress": BAD_FLAG,
        },
    ),
]  # fmt: skip
