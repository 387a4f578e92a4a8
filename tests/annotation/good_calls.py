"""A good call of each door of `annotation`, from which the table of bad arguments is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_COUNT,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_INDEX,
    BAD_LIKELIHOOD,
    BAD_MODULE,
    BAD_NDIM,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SIZE,
    BAD_SPACING,
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
from toposeg_lite.annotation import AnnotationSession, Line
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


LINE = Line(np.array([[0.0, 0.0], [1.0, 1.0]]), "drawn", 0, 1.0)
NO_LINES: Kind = {
    "None": None, "a text": "a.swc", "a line": LINE, "of arrays": [LINE.points],
    "of another kind": [LINE._replace(kind="vessel")],
    "outside": [LINE._replace(points=np.array([[0.0, 99.0]]))],
    "of a volume": [LINE._replace(points=np.zeros((2, 3)))],
    "of no point": [LINE._replace(points=np.zeros((0, 2)))],
    "of a thin radius": [LINE._replace(radius=-1)],
    "of a text": [LINE._replace(points="a line")],
    "of no branch": [LINE._replace(kind="branch")],
    "of no decision": [LINE._replace(kind="branch", decision=2)],
}  # fmt: skip
NO_LAYERS: Kind = {
    "None": None, "a text": "layers", "a number": 3, "of numbers": [1, 2],
    "of pairs": [([], {})], "without keywords": [([], None, "shapes")],
    "of areas": [([np.eye(2)], {"shape_type": "polygon"}, "shapes")],
}  # fmt: skip
NO_SKELETON: Kind = {"None": None, "an image": IMAGE, "a text": "a.png"}
HERE = Path(__file__).parent
PICTURE_FILE, MASK_FILE = HERE / "files" / "image.png", HERE / "files" / "mask.png"
FILE: Kind = BAD_PATH | {"None": None}
NO_KIND: Kind = {"another kind": HERE / "files" / "image.xyz"}


class Skeleton:
    """As much of a `skan.Skeleton` as is needed."""

    n_paths = 1

    def path_coordinates(self, index):
        return np.array([[1, 1], [1, 2]])


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
    call(
        AnnotationSession.export, {"path": "a.swc", "spacing": (2.0, 1.0)},
        {"path": {"a picture": "a.png"}}, of=SESSION.export,
        free={"skeleton": "tried above", "affine": "tried above"},
    ),
    call(AnnotationSession.take, {"lines": [LINE]}, {"lines": NO_LINES}, of=act("take")),
    call(
        annotation.read_lines,
        {"path": HERE / "files" / "line.swc", "ndim": 2, "spacing": (2.0, 1.0)},
        {"path": FILE | NO_KIND, "ndim": BAD_NDIM, "spacing": BAD_SPACING},
    ),
    call(annotation.lines_from_skan, {"skeleton": Skeleton()},
         {"skeleton": NO_SKELETON | {"a class": Skeleton}}),
    call(annotation.from_napari, {"layers": annotation.to_napari(SESSION)}, {"layers": NO_LAYERS}),
    *[
        call(function, {"session": SESSION, "spacing": (2.0, 1.0)}, {"session": NO_SESSION})
        for function in (annotation.to_napari, annotation.to_skan)
    ],
    call(
        annotation.likelihood_of_mask, {"mask": TRUTH, "reach": 2},
        {"reach": BAD_NUMBER, "likelihood": {"beside reach": DRAWN}},
    ),
    call(
        annotation.likelihood_of_mask, {"mask": TRUTH, "likelihood": DRAWN},
        {"likelihood": {w: v for w, v in BAD_LIKELIHOOD.items() if w != "None"}
         | {"another shape": DRAWN.T}},
        free={"reach": "tried above"},
    ),
    call(
        annotation.open_session, {"image": PICTURE_FILE, "mask": MASK_FILE, "reach": 2},
        {"image": FILE | NO_KIND, "mask": FILE | NO_KIND, "reach": BAD_NUMBER,
         "path": BAD_PATH, "options": {"unknown": 1}},
    ),
    call(
        annotation.open_session, {"image": PICTURE_FILE, "likelihood": PICTURE_FILE},
        {"image": FILE | NO_KIND, "likelihood": FILE | NO_KIND},
        free={"reach": "tried above", "path": "tried above"},
    ),
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
