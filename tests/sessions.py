"""A small drawn image for annotation sessions, and ways to begin one and to name a branch."""

from __future__ import annotations

import numpy as np

from toposeg_lite.annotation import AnnotationSession

DRAWN = """
    . . . . . . . . . . . . . . .
    . 9 8 6 9 3 8 9 6 7 8 9 8 . .
    . . . . . . . . . 4 . . . . .
    . . . . . . . . . 4 . . . . .
    . . . . . . . . . 4 . . . . .
    . 9 7 6 8 9 8 6 7 8 9 6 9 . .
    . . . . . . . . . . . . . . .
    . . . . . . . . . . . . . . .
    . . . . 7 . . . . . . . . . .
    . . . . . . . . . . . . . . .
"""


def read(text):
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[0 if c == "." else int(c) / 10 for c in row] for row in rows])


IMAGE = read(DRAWN)


def begin(path=None, likelihood=IMAGE, **options):
    return AnnotationSession(likelihood, likelihood, path, **({"radius": 0} | options))


def through(session, *pixels):
    """Return the branch whose path holds all these pixels."""
    flat = {int(np.ravel_multi_index(p, session.shape)) for p in pixels}
    branches = [k for k, path in enumerate(session.branches.paths) if flat <= set(path.tolist())]
    assert len(branches) == 1
    return branches[0]
