"""Bad input that `workbook/desk` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from bad_values import IMAGE

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.workbook.desk import AnnotationApp

SESSION = AnnotationSession(IMAGE, IMAGE)
VOLUME = AnnotationSession(IMAGE[None], IMAGE[None])

CASES = [
    # --- annotation app ---
    (
        "app of an image",
        lambda: AnnotationApp(IMAGE),
        TypeError,
        "session must be an AnnotationSession",
    ),
    (
        "app of a volume",
        lambda: AnnotationApp(VOLUME),
        ValueError,
        "session must be one of an image",
    ),
    (
        "app, picture",
        lambda: AnnotationApp(SESSION, picture=IMAGE[1:]),
        ValueError,
        "picture must have shape",
    ),
    ("app, tool", lambda: AnnotationApp(SESSION).take("paint"), ValueError, "tool must be one of"),
    ("app, order", lambda: AnnotationApp(SESSION).sort("name"), ValueError, "order must be one of"),
    ("app, branch", lambda: AnnotationApp(SESSION).choose(999), ValueError, "branch must be 0 to"),
    ("app, radius", lambda: AnnotationApp(SESSION).widen(-1), ValueError, "radius"),
    ("app, no line", lambda: AnnotationApp(SESSION).finish(), ValueError, "no point yet"),
    ("app, point", lambda: AnnotationApp(SESSION).put(0, 0), ValueError, "tool must be 'draw'"),
    ("app, export", lambda: AnnotationApp(SESSION).export(), ValueError, "no path"),
]
