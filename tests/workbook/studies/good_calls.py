"""A good call of each door of `workbook/studies`, for the table of bad arguments."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace

import numpy as np
import pandas as pd
from bad_values import (
    BAD_CHOICE,
    BAD_CONNECTIVITY,
    BAD_FLAG,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SEED,
    BAD_SIZE,
    IMAGE,
    NO_REALS,
    Kind,
)
from doors import Call, call
from training_data import DATA

from toposeg_lite.training import TrainConfig
from toposeg_lite.workbook.studies import (
    Arm,
    Comparison,
    Study,
    StudyConfig,
    choose_weight,
    judge,
    prepare_folder,
    read_runs,
)
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS

# --- What is compared ----------------------------------------------------------------------------

SHARED = TrainConfig("brick", patch=8, width=2, depth=2, batch=2)
RANK = Arm("rank", "topological", {"matching": "rank"}, (0.5,))
SMALL = StudyConfig(SHARED, [RANK], seeds=(0,), pretrain_steps=1, finetune_steps=1, window=8)
PLACE = tempfile.TemporaryDirectory()  # which is removed when the tests end
FINISHED = Comparison(SMALL, PLACE.name, data=DATA, progress=False)
FINISHED.train_parent()
FINISHED.train_arms()
FINISHED.choose()
FINISHED.score()
SCORES = pd.DataFrame({"dice": [0.8, 0.8], "betti_matching_error": [5.0, 3.0]}, index=[0, 0.1])
RESULTS = json.loads((REFERENCE_RUNS / "topomortar-study.json").read_text())

# --- What is refused -----------------------------------------------------------------------------

NOTHING: Kind = {"None": None, "a number": 1, "a text": "study", "an array": IMAGE, "a list": [1]}
FRAME: Kind = NOTHING | {"empty": SCORES.iloc[:0], "other columns": pd.DataFrame({"a": [1, 2]}),
                         "no control": SCORES.iloc[1:], "no weight": SCORES.iloc[:1]}  # fmt: skip
NAME: Kind = {"None": None, "a number": 1, "empty": "", "a path": "a/b", "a list": ["a"]}
WEIGHTS: Kind = {"None": None, "a number": 1, "a text": "12", "none": (), "of zero": (0,),
                 "negative": (-1,), "NaN": (float("nan"),), "of texts": ("1",), "equal": (1, 1),
                 "seven": (1, 2, 3, 4, 5, 6, 7)}  # fmt: skip
OPTIONS: Kind = {"None": None, "a list": [1], "a text": "rank"}
SEEDS: Kind = {"None": None, "a number": 0, "a text": "01", "none": (), "equal": (0, 0),
               "negative": (-1,), "halves": (0.5,), "of texts": ("0",)}  # fmt: skip
ARMS: Kind = {"None": None, "a number": 0, "a text": "rank", "none": (), "of texts": ("rank",),
              "equal": (RANK, RANK)}  # fmt: skip
GROUPS = {"marked": {"masks": "annotated"}}
NO_GROUPS: Kind = {
    "None": None,
    "a list": [1],
    "a text": "angles",
    "of a number": {"a": 1},
    "of a path": {"a/b": {}},
    "of no name": {"": {}},
    "of numbers": {1: {}},
    "of others": {"a": {"labels": "noisy"}},
    "of no set": {"a": {"dataset": "none"}},
    "of a set that is a number": {"a": {"dataset": 3}},
}
WINDOW: Kind = {word: value for word, value in BAD_SIZE.items() if word != "a list"}
PATHS: Kind = BAD_PATH | {"None": None}
DATASET: Kind = {**NOTHING, "no test images": replace(DATA, test=())}
MAYBE_DATA = {word: value for word, value in DATASET.items() if word != "None"}
ERRORS: Kind = NO_REALS | {"none": [], "one more": [1.0, 2.0, 3.0], "NaN": [np.nan, 1.0],
                           "a number": 1}  # fmt: skip

CALLS: list[Call] = [
    call(
        Arm, {"name": "rank", "loss": "topological", "loss_options": {"matching": "rank"},
              "weights": (0.5, 1.0), "balance": True},
        {"name": NAME, "loss": BAD_CHOICE, "loss_options": OPTIONS, "weights": WEIGHTS,
         "balance": BAD_FLAG},
    ),
    call(Arm.file, {"weight": 0.5}, {"weight": BAD_NUMBER}, of=RANK.file),
    call(Arm.factor, {"weight": 0.5}, {"weight": BAD_POSITIVE}, of=RANK.factor),
    call(
        StudyConfig,
        {"shared": SHARED, "arms": [RANK], "seeds": (0,), "pretrain_steps": 1,
         "finetune_steps": 1, "window": 8, "connectivity": 1, "in_patches": True,
         "choose_on": "each", "groups": GROUPS},
        {"shared": NOTHING, "arms": ARMS, "seeds": SEEDS, "pretrain_steps": BAD_SIZE,
         "finetune_steps": BAD_SIZE, "window": WINDOW, "connectivity": BAD_CONNECTIVITY,
         "in_patches": BAD_FLAG, "choose_on": BAD_CHOICE,
         "groups": NO_GROUPS},
    ),
    call(
        StudyConfig.load_group, {"name": "marked"}, {"name": BAD_CHOICE},
        of=replace(SMALL, groups=GROUPS).load_group,
    ),
    call(
        StudyConfig.arm_config, {"seed": 0, "arm": RANK, "weight": 0.5},
        {"seed": {w: v for w, v in BAD_SEED.items() if w != "None"} | {"None": None},
         "arm": {word: value for word, value in NOTHING.items() if word != "None"},
         "weight": BAD_NUMBER},
        of=SMALL.arm_config,
    ),
    call(StudyConfig.check, {"data": DATA}, {"data": DATASET}, of=SMALL.check),
    call(
        StudyConfig.from_parameters, {"values": "brick"},
        {"values": {"unknown": 1}},
        of=lambda values: StudyConfig.from_parameters(
            **({"dataset": values} if values == "brick" else {"values": values})
        ),
    ),
    call(StudyConfig.parent_config, {"seed": 0}, of=SMALL.parent_config),
    call(
        Study, {"config": SMALL, "folder": "a", "data": DATA, "say": print, "progress": False},
        {"config": NOTHING, "folder": PATHS, "data": MAYBE_DATA,
         "say": {"a number": 1, "a text": "print"}, "progress": BAD_FLAG},
    ),
    call(
        Comparison, {"config": SMALL, "folder": "a", "data": DATA, "progress": False},
        {"config": NOTHING | {"of two seeds": replace(SMALL, seeds=(0, 1))}, "folder": PATHS,
         "data": MAYBE_DATA, "progress": BAD_FLAG},
    ),
    call(Comparison.picture, {"limit": 1}, {"limit": BAD_SIZE}, of=FINISHED.picture),
    call(
        prepare_folder, {"config": SMALL, "out": "runs", "name": "a", "resume": True},
        {"config": NOTHING, "out": PATHS,
         "name": {word: value for word, value in NAME.items() if word != "None"},
         "resume": BAD_FLAG},
    ),
    call(read_runs, {"folder": REFERENCE_RUNS}, {"folder": BAD_PATH}),
    call(choose_weight, {"scores": SCORES}, {"scores": FRAME}),
    call(judge, {"arm": [1.0, 2.0], "control": [2.0, 3.0]}, {"arm": ERRORS, "control": ERRORS}),
    call(study_tables, {"results": RESULTS},
         {"results": NOTHING | {"empty": {}, "of others": {"networks": 3},
                                "of no network": {"networks": {}}}}),
]  # fmt: skip
