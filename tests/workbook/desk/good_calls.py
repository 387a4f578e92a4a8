"""A good call of each door of `workbook/desk`, for the table of bad arguments."""

from __future__ import annotations

import numpy as np
from bad_values import (
    BAD_CHOICE,
    BAD_FLAG,
    BAD_INDEX,
    BAD_NUMBER,
    BAD_PATH,
    IMAGE,
    INF,
    NAN,
    NO_REAL,
    NO_REALS,
    Kind,
)
from doors import Call, call

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.workbook.desk import AnnotationApp

RIDGES = np.array([[0.9, 0.2, 0.7], [0.1, 0.3, 0.2], [0.8, 0.4, 0.6]])


def app(tool="decide"):
    made = AnnotationApp(AnnotationSession(RIDGES, RIDGES))
    made.take(tool)
    return made


PLACE: Kind = NO_REAL | {"NaN": float("nan"), "inf": float("inf")}
PICTURE: Kind = {word: value for word, value in NO_REALS.items() if word != "None"} | {
    "another shape": IMAGE, "NaN": NAN[:3, :3] * np.nan, "inf": INF[:3, :3] + np.inf, "a line": [1],
}  # fmt: skip
BRANCH: Kind = {word: value for word, value in BAD_INDEX.items() if word != "None"}
NOTHING: Kind = {"None": None, "a number": 1, "a text": "accept", "an array": IMAGE}
PHOTO: Kind = NO_REALS | {"NaN": NAN, "inf": INF, "one axis": IMAGE[0], "no pixel": IMAGE[:0]}
DECIDING, DRAWING = app(), app("draw")

CALLS: list[Call] = [
    call(
        AnnotationApp, {"session": AnnotationSession(RIDGES, RIDGES), "picture": RIDGES},
        {"session": NOTHING, "picture": PICTURE},
    ),
    call(
        AnnotationApp.open,
        {"image": RIDGES, "likelihood": RIDGES, "path": "a.jsonl", "picture": RIDGES},
        {"image": PHOTO, "path": BAD_PATH, "picture": PICTURE, "options": {"unknown": 1}},
        of=lambda **given: AnnotationApp.open(**given).close(),
    ),
    call(AnnotationApp.accept, {"branch": 0}, {"branch": BRANCH}, of=DECIDING.accept),
    call(AnnotationApp.reject, {"branch": 0}, {"branch": BRANCH}, of=DECIDING.reject),
    call(AnnotationApp.choose, {"branch": 0}, {"branch": BAD_INDEX}, of=DECIDING.choose),
    call(
        AnnotationApp.click, {"row": 0.5, "column": -3, "reject": True, "reach": 2.0},
        {"row": PLACE, "column": PLACE, "reject": BAD_FLAG, "reach": BAD_NUMBER}, of=DECIDING.click,
    ),
    call(AnnotationApp.put, {"row": 0.5, "column": 1},
         {"row": PLACE | {"outside": 9}, "column": PLACE | {"outside": -2}}, of=DRAWING.put),
    call(AnnotationApp.take, {"tool": "draw"}, {"tool": BAD_CHOICE}, of=app().take),
    call(AnnotationApp.sort, {"order": "doubt"}, {"order": BAD_CHOICE}, of=DECIDING.sort),
    call(AnnotationApp.widen, {"radius": 1.5}, of=DRAWING.widen),
    call(AnnotationApp.watch, {"watcher": list}, {"watcher": NOTHING}, of=DECIDING.watch),
    call(AnnotationApp.do, {"request": {"do": "undo", "seen": {"turn": 0}}}, {"request": NOTHING},
         of=app().do),
]  # fmt: skip
