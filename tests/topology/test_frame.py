"""Framed images: where pixels lie in them, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite.topology.frame import OFFSETS, flat_steps, inside, later_steps, unframe

SHAPES = [(1, 1), (3, 5), (1, 4), (2, 3, 4), (1, 1, 1), (5, 1, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_unframing_finds_every_pixel_and_knows_the_frame(shape, dtype):
    framed = tuple(n + 2 for n in shape)
    expected = np.pad(np.arange(np.prod(shape)).reshape(shape), 1, constant_values=-1).ravel()
    assert np.array_equal(unframe(np.arange(expected.size, dtype=dtype), framed), expected)
    assert np.array_equal(unframe(inside(shape), framed), np.arange(np.prod(shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_lead_to_the_neighbours_and_rise(shape):
    framed = tuple(n + 2 for n in shape)
    place = np.ones(len(shape), int)  # the first pixel inside the frame
    for (ndim, connectivity), offsets in OFFSETS.items():
        if ndim != len(shape):
            continue
        steps = flat_steps(offsets, framed)
        there = [np.ravel_multi_index(tuple(place + offset), framed) for offset in offsets]
        assert np.array_equal(np.ravel_multi_index(tuple(place), framed) + steps, there)
        assert np.all(np.diff(steps) > 0)
        assert np.array_equal(later_steps(framed, connectivity), steps[steps > 0])
        assert np.array_equal(steps, -steps[::-1])
