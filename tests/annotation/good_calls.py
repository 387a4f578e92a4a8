"""A good call of each door of `annotation`, from which the table of bad arguments is made."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_COUNT,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_INDEX,
    BAD_MODULE,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SIZE,
    EMPTY,
    IMAGE,
    INF,
    NAN,
    NO_REALS,
    Kind,
)
from doors import call
from sessions import IMAGE as DRAWN

from toposeg_lite import annotation
from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.structures import StructureModel

SESSION = AnnotationSession(DRAWN, DRAWN)
PICTURE: Kind = NO_REALS | {
    "one axis": IMAGE[0], "five axes": IMAGE[None, None, None], "no pixel": EMPTY, "NaN": NAN,
    "inf": INF, "another shape": IMAGE[1:],
}  # fmt: skip
SOME_BRANCHES: Kind = {
    "None": None, "a text": "trunk", "True": True, "a half": 0.5, "-1": -1, "beyond": 999,
    "none": [], "with a half": [0, 0.5], "with a text": [0, "1"], "beyond the end": [0, 999],
    "two axes": np.zeros((1, 2), int), "halves": np.array([0.5]), "huge": 10**30,
}  # fmt: skip
POINTS: Kind = {
    "None": None, "a text": "here", "a number": 1, "a point": (1, 1), "none": [],
    "three axes": [(0, 0, 0)], "outside": [(0, 99)], "before": [(-1, 0)], "NaN": [(0, np.nan)],
    "inf": [(0, np.inf)], "ragged": [(0, 0), (1,)], "complex": [(0, 1j)], "texts": [("a", "b")],
    "flags": [(True, False)],
}  # fmt: skip
POINT: Kind = {
    "None": None, "a text": "here", "a number": 1, "three axes": (0, 0, 0), "NaN": (0, np.nan),
    "inf": (np.inf, 0), "ragged": [(0, 0), (1,)], "complex": (0, 1j), "texts": ("a", "b"),
}  # fmt: skip
TRUTH = DRAWN > 0.5
NO_SESSION: Kind = {"None": None, "an image": IMAGE, "a text": "a.jsonl"}
JUDGED = {"session": SESSION, "truth": TRUTH, "share": 0.5, "tolerance": 1}
BAD_JUDGED = {"session": NO_SESSION, "share": BAD_FRACTION, "tolerance": BAD_NUMBER}
SIMULATED = {
    **JUDGED, "order": "random", "clicks": 2, "every": 1, "mixed": "leave",
    "labels": "background", "connectivity": 1, "seed": 0,
}  # fmt: skip
AFFINE = {word: value for word, value in NO_REALS.items() if word != "None"}
ORDER: Kind = {
    "None": None, "another": "best", "a number": 1, "twice": [0, 0], "beyond": [999],
    "halves": [0.5], "negative": [-1], "texts": ["a"],
}  # fmt: skip
CLICKS = {word: value for word, value in BAD_COUNT.items() if word != "None"}
RADIUS = {word: value for word, value in BAD_NUMBER.items() if word != "None"}


def act(name):
    """Return a method of a copy of the session, so that no call changes what the next one meets."""
    return lambda **options: getattr(SESSION.copy(), name)(**options)


CALLS = [
    call(
        AnnotationSession,
        {"image": IMAGE, "likelihood": IMAGE, "min_persistence": 0.1, "saddle_level": 0.1,
         "mask_threshold": 0.5, "radius": 1, "connectivity": 1, "learn": "asked"},
        {"image": PICTURE, "path": BAD_PATH, "learn": {"another": "never", "a number": 1},
         "model": {word: v for word, v in BAD_MODULE.items() if word != "None"}},
        of=lambda **options: AnnotationSession(**options).mask(),
    ),
    *[
        call(getattr(AnnotationSession, name), {"branch": 0}, {"branch": SOME_BRANCHES},
             of=act(name))
        for name in ("accept", "reject")
    ],
    call(
        AnnotationSession.draw, {"points": [(0, 0), (1, 1)], "radius": 1, "snap": False},
        {"points": POINTS, "radius": RADIUS, "snap": BAD_FLAG}, of=act("draw"),
    ),
    call(
        AnnotationSession.erase, {"points": [(0, 0), (1, 1)], "radius": 1},
        {"points": POINTS, "radius": RADIUS}, of=act("erase"),
    ),
    call(AnnotationSession.effect, {"branch": 0}, {"branch": BAD_INDEX}, of=act("effect")),
    call(
        AnnotationSession.export, {"path": "a.tif", "skeleton": True},
        {"path": BAD_PATH | {"None": None, "another kind": "a.jpg", "no kind": "a"},
         "skeleton": BAD_FLAG, "affine": {"of no NIfTI": np.eye(4)}},
        of=lambda path, **options: SESSION.export(path, **options),
    ),
    call(
        AnnotationSession.export, {"path": "a.nii", "affine": np.eye(4)},
        {"path": {"no NIfTI": "a.png"},
         "affine": AFFINE | {"3 x 3": np.eye(3), "NaN": np.eye(4) * np.nan,
                               "no inverse": np.zeros((4, 4)), "a number": 1.0}},
        of=SESSION.export, free={"skeleton": "tried above"},
    ),
    call(
        AnnotationSession.nearest, {"point": (1, 1.5), "reach": 3},
        {"point": POINT, "reach": BAD_NUMBER}, of=SESSION.nearest,
    ),
    call(AnnotationSession.queue, {"by": "gain"}, {"by": BAD_CHOICE}, of=SESSION.queue),
    call(annotation.LogisticModel, {"spread": 2}, {"spread": BAD_POSITIVE}),
    call(
        annotation.StructureRanking,
        {"model": StructureModel(torch.nn.Identity()), "spread": 2},
        {"model": BAD_MODULE | {"a network": torch.nn.Identity()}, "spread": BAD_POSITIVE},
    ),
    call(annotation.judge_branches, JUDGED, BAD_JUDGED),
    call(
        annotation.simulate_annotator, SIMULATED,
        {**BAD_JUDGED, "order": ORDER, "clicks": CLICKS, "every": BAD_SIZE, "mixed": BAD_CHOICE},
    ),
    call(
        annotation.AnnotationCurve.area, {"metric": "cldice"}, {"metric": BAD_CHOICE},
        of=annotation.simulate_annotator(SESSION, TRUTH, clicks=1).area,
    ),
]  # fmt: skip
