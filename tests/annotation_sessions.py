"""Sessions in which much was done, and whether two of them say the same."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession


def busy(shape=(24, 31), seed=0):
    """A session with decisions of all kinds and strokes, one pixel long and longer."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.random(shape), 1.5)
    image = (image - image.min()) / np.ptp(image)
    session = AnnotationSession(image, image, min_persistence=0.02)
    order = session.queue()
    session.accept(order[::3])
    session.reject(order[1::3])
    middle = [n // 2 for n in shape]
    session.draw([[0] * len(shape), middle], radius=2)
    session.erase([middle], radius=1.5)
    session.draw([middle, [n - 1 for n in shape]], snap=False)
    return session


def begin_again(session):
    return AnnotationSession(session.image, session.likelihood, min_persistence=0.02)


def assert_same(first, second):
    """Two sessions say the same."""
    assert np.array_equal(first.decisions, second.decisions)
    assert len(first.strokes) == len(second.strokes) > 0
    for one, other in zip(first.strokes, second.strokes, strict=True):
        assert one.drawn == other.drawn
        assert one.radius == other.radius
        assert np.array_equal(one.path, other.path)
    assert np.array_equal(first.mask(), second.mask())
