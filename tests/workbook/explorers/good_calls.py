"""A good call of each explorer and each of its controls, for the table of bad arguments."""

from __future__ import annotations

import io

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_CONNECTIVITY,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_INDEX,
    BAD_LIKELIHOOD,
    BAD_MASK,
    BAD_POSITIVE,
    BAD_SEED,
    BAD_SIZE,
    CUBE,
    IMAGE,
    MASK,
    NAN,
    NO_REALS,
    Kind,
)
from doors import Call, call, controls_of, name_of
from PIL import Image

from toposeg_lite.losses import DiceBCELoss
from toposeg_lite.structures import StructureModel
from toposeg_lite.workbook import explorers
from toposeg_lite.workbook.explorers import traits
from toposeg_lite.workbook.studies import read_runs

KINDS: dict[type, Kind] = {
    traits.Connectivity: BAD_CONNECTIVITY,
    traits.Fraction: BAD_FRACTION,
    traits.Likelihood: BAD_LIKELIHOOD,
    traits.OneOf: BAD_CHOICE,
    traits.UpTo: BAD_INDEX,
}
#: Of controls that any check may stand behind.
BY_NAME: dict[str, Kind] = {
    "image": BAD_LIKELIHOOD,
    "mask": BAD_MASK,
    "target": BAD_MASK,
    "temperature": BAD_POSITIVE,
    "truth": BAD_MASK,
}
OF_VOLUMES = {"four axes": CUBE[None], "one axis": CUBE[0, 0]}
LOSSES = {"dice": DiceBCELoss()}
MODELS = {"branch": StructureModel(torch.nn.Identity(), mode="branch")}
RUNS = read_runs()
NAME = next(iter(RUNS))
ARM = RUNS[NAME].arms[0]
EXPLORERS = [
    (explorers.PersistenceExplorer, {"image": IMAGE, "threshold": 0.5, "connectivity": 2,
                                     "min_persistence": 0.0, "selected": 0}),
    (explorers.MorseExplorer, {"image": IMAGE, "min_persistence": 0.0, "saddle_level": 0.0,
                               "connectivity": 2, "selected": 0}),
    (explorers.WarpExplorer, {"image": IMAGE, "target": MASK, "threshold": 0.5, "connectivity": 2,
                              "direction": "mask to target", "step": 0, "row": 0, "column": 0}),
    (explorers.PaintExplorer, {"mask": MASK, "truth": MASK, "connectivity": 2, "row": 0,
                               "column": 0}),
    (explorers.VolumeExplorer, {"image": CUBE, "position": 0, "threshold": 0.5,
                                "min_persistence": 0.1, "selected": 0}),
    (explorers.GradientExplorer, {"likelihood": IMAGE, "truth": MASK, "losses": LOSSES,
                                  "loss": "dice", "steps": 2, "rate": 1.0, "step": 0}),
    (explorers.ComparisonExplorer, {"runs": RUNS, "run": NAME, "metric": "dice", "network": ARM,
                                    "seeds": 1, "image": 1}),
    (explorers.Dashboard, {"names": ["01 Painting", "02 Persistence"], "opened": "01 Painting"}),
    (explorers.StructureExplorer, {"models": MODELS, "image": IMAGE[None], "mode": "branch", "n": 2,
                                   "temperature": 1.0, "sample": 1, "shown": "entropy",
                                   "selected": 0, "seed": 0}),
]  # fmt: skip
MAY_BE_NONE = {
    "loss",
    "mode",
    "position",
    "row",
    "column",
    "truth",
    "run",
    "metric",
    "network",
    "seeds",
    "opened",
}
NO_MAP: Kind = {"None": None, "a list": [1], "a number": 1, "empty": {}}


def kind_of(explorer, name):
    control = controls_of(explorer)[name]
    kind = KINDS.get(type(control)) or BY_NAME[name]
    same_axes = {"one axis", "four axes"} if explorer is explorers.VolumeExplorer else set()
    return {word: value for word, value in kind.items() if word not in same_axes}


def setter(made, name):
    """Return a function that sets a control of an explorer that is there already."""
    return lambda **value: setattr(made, name, value[name])


SNAPSHOT: Kind = {"None": None, "a number": 1, "a list": [1], "empty": {}, "of others": {"a": 1}}
CALLS = []
for explorer, good in EXPLORERS:
    bad = {name: kind_of(explorer, name) for name in controls_of(explorer)}
    made = explorer(**good)
    for name, kind in bad.items():
        CALLS.append(
            Call(f"{name_of(explorer)}.{name}", setter(made, name), {name: getattr(made, name)},
                 {name: kind}, {})
        )  # fmt: skip
    bad = {
        name: {word: v for word, v in kind.items() if v is not None or name not in MAY_BE_NONE}
        for name, kind in bad.items()
    } | {
        "losses": NO_MAP,
        "models": NO_MAP | {"a network": torch.nn.Identity()},
        "steps": BAD_SIZE,
        "rate": BAD_POSITIVE,
        "likelihood": BAD_LIKELIHOOD,
        "options": {"unknown": 1},
        "seed": BAD_SEED,
        "runs": NO_MAP | {"of a list": {"a": [1]}},
        "names": {"none": [], "a text": "01 Painting", "a number": 1, "another": ["none"]},
    }
    bad = {name: kind for name, kind in bad.items() if name in good or name == "options"}
    if explorer is not explorers.GradientExplorer:
        bad.pop("options", None)
    CALLS.append(Call(name_of(explorer), explorer, good, bad, {}))
    if "restore" in vars(explorer) or explorer is explorers.MorseExplorer:
        CALLS.append(
            call(explorer.restore, {"snapshot": made.snapshot()}, {"snapshot": SNAPSHOT},
                 of=made.restore)
        )  # fmt: skip


def picture():
    file = io.BytesIO()
    Image.fromarray((255 * IMAGE).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def pages():
    file = io.BytesIO()
    some = [Image.fromarray((255 * page).astype(np.uint8)) for page in CUBE]
    some[0].save(file, "TIFF", save_all=True, append_images=some[1:])
    return file.getvalue()


PAINT = explorers.PaintExplorer(MASK)
RIDGES = np.array([[0.9, 0.2, 0.7], [0.1, 0.3, 0.2], [0.8, 0.4, 0.6]])
ANNOTATION = explorers.AnnotationExplorer(RIDGES, RIDGES)
BAD_CONTENT: Kind = {"None": None, "a text": "a.png", "an array": IMAGE}
CALLS += [
    call(
        explorers.read_image, {"content": picture(), "dark": True, "size": 3},
        {"content": BAD_CONTENT, "dark": BAD_FLAG, "size": BAD_SIZE},
    ),
    call(
        explorers.read_volume, {"content": pages(), "dark": True, "size": 3},
        {"content": BAD_CONTENT, "dark": BAD_FLAG, "size": BAD_SIZE},
    ),
    call(explorers.show, {"explorer": PAINT}, {"explorer": {"None": None, "an array": IMAGE}}),
    *[
        call(
            type(model).branch_at, {"row": 0, "column": 1},
            {"row": BAD_INDEX, "column": BAD_INDEX}, of=model.branch_at,
        )
        for model in (
            explorers.MorseExplorer(IMAGE), explorers.StructureExplorer(MODELS, IMAGE[None]),
        )
    ],
    call(
        explorers.Explorer.bundle, {"frames": 2},
        {"frames": {word: value for word, value in BAD_SIZE.items() if word != "None"}},
        of=explorers.PersistenceExplorer(IMAGE).bundle,
    ),
    *[
        call(
            door, {"image": RIDGES, "likelihood": RIDGES},
            {"image": NO_REALS | {"NaN": NAN, "a volume": RIDGES[None, None]}}, of=run,
        )
        for door, run in (
            (explorers.AnnotationExplorer, explorers.AnnotationExplorer),
            (explorers.AnnotationExplorer.begin, ANNOTATION.begin),
        )
    ],
    call(
        explorers.AnnotationExplorer.restore, {"snapshot": ANNOTATION.snapshot()},
        {"snapshot": SNAPSHOT}, of=ANNOTATION.restore,
    ),
    call(
        explorers.GradientExplorer.take, {"likelihood": IMAGE, "truth": MASK},
        {"truth": {word: value for word, value in BAD_MASK.items() if word != "None"}},
        of=explorers.GradientExplorer(IMAGE, MASK, LOSSES, steps=1).take,
    ),
    call(
        explorers.PaintExplorer.toggle, {"row": 0, "column": 0},
        {"row": BAD_INDEX, "column": BAD_INDEX}, of=explorers.PaintExplorer(MASK).toggle,
    ),
    call(
        explorers.PaintExplorer.paint, {"mask": MASK, "row": 0, "column": 0},
        {"mask": BAD_MASK, "row": BAD_INDEX, "column": BAD_INDEX},
        of=explorers.PaintExplorer(MASK).paint,
    ),
    call(
        explorers.PaintExplorer.take, {"mask": MASK, "truth": MASK},
        {"truth": {word: value for word, value in BAD_MASK.items() if word != "None"}},
        of=explorers.PaintExplorer(MASK).take,
    ),
    call(
        explorers.WarpExplorer.take, {"image": IMAGE, "target": MASK},
        {"target": {word: value for word, value in BAD_MASK.items() if word != "None"}},
        of=explorers.WarpExplorer(IMAGE, MASK).take,
    ),
]  # fmt: skip
