"""A good call of each door of `data`, from which the table of bad arguments is made."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np
from bad_values import BAD_CHOICE, BAD_FRACTION, BAD_PATH, BAD_SEED, BAD_SIZE, BAD_TEXT, NO_INTEGER
from doors import call

from toposeg_lite.data import folder, load_dataset, synthetic

PLACE = Path(tempfile.mkdtemp())  # gone with the process
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)
for k in range(5):
    square = np.zeros((8, 8))
    square[k:, 2:6] = 1
    np.save(PLACE / f"cell{k}.npy", square)
    np.save(PLACE / f"cell{k}_mask.npy", square)


def numbers(**limits):
    """Return the bad forms of integers, each up to a limit."""
    beyond = {"beyond": 10**9, "negative": -1, "huge": 10**30}
    return dict.fromkeys(limits, NO_INTEGER | beyond)


SHAPE = {
    "None": None, "a number": 64, "a text": "64", "of one side": (64,), "small": (4, 64),
    "of four sides": (64, 64, 64, 64), "of halves": (64.5, 64), "negative": (-64, 64),
}  # fmt: skip
DRAWINGS = {
    synthetic.cracks: {"cracks": 2, "loops": 2, "gaps": 2},
    synthetic.lanes: {"lines": 3, "gaps": 2},
    synthetic.membranes: {"cell": 30, "gaps": 2},
    synthetic.roads: {"block": 50, "gaps": 2},
    synthetic.tubes: {"spacing": 16, "gaps": 2},
    synthetic.vessels: {"trees": 2, "gaps": 2},
}
SPLIT = {
    "None": None, "a text": "60 %", "a number": 0.6, "two shares": (0.5, 0.5),
    "above 1": (2, 0.1, 0.1), "negative": (1.5, -0.5, 0), "texts": ("a", "b", "c"),
    "NaN": (np.nan, 0.5, 0.5), "another key": {"tests": []}, "of a text": {"test": "a"},
    "of a number": {"test": 3}, "of unknown names": {"train": ["no such"]},
}  # fmt: skip
#: Names are looked up in the folders, whose files are read first.
READ_FIRST = {"of unknown names"}
NOT_NONE = {word: value for word, value in BAD_TEXT.items() if word != "None"}

CALLS = [
    call(
        load_dataset, {"name": "brick", "root": None, "seed": 0},
        {"name": BAD_CHOICE, "root": BAD_PATH, "options": {"unknown": 1}},
    ),
    call(
        folder,
        {"images": PLACE, "masks": PLACE, "mask_suffix": "_mask", "foreground": "nonzero",
         "ignore": 255, "scale": "type", "split": (0.6, 0.2, 0.2), "seed": 0,
         "labels": "foreground", "patch": 8, "name": "squares"},
        {"images": BAD_PATH | {"None": None}, "masks": BAD_PATH | {"None": None},
         "mask_suffix": BAD_TEXT, "foreground": BAD_CHOICE, "scale": BAD_CHOICE,
         "ignore": {word: v for word, v in NO_INTEGER.items() if word != "None"} | {"0": 0},
         "variable": NOT_NONE, "mask_variable": NOT_NONE, "name": BAD_TEXT,
         "split": {word: v for word, v in SPLIT.items() if word not in READ_FIRST},
         "group": {"a text": "patient", "a number": 2},
         "patch": {word: v for word, v in BAD_SIZE.items() if word != "None"},
         "seed": BAD_SEED},
    ),
    *[
        call(
            function,
            {"shape": (32, 64, 64) if function is synthetic.tubes else (96, 96), "seed": 0,
             "noise": 0.1, **options},
            {"shape": SHAPE, "noise": BAD_FRACTION, **numbers(**options)},
        )
        for function, options in DRAWINGS.items()
    ],
]  # fmt: skip
