"""Discs around pixels: exact at every radius, and never more memory than the image asks for."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from toposeg_lite.topology.branches import find_branches
from toposeg_lite.topology.discs import draw_discs, fit_radius


def slow_discs(shape, pixels, radius):
    """Every pixel against every centre."""
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), 1)
    centres = places[pixels]
    near = ((places[:, None] - centres[None]) ** 2).sum(2) <= min(radius, 1e9) ** 2
    return near.any(1).reshape(shape)


@pytest.mark.parametrize("shape", [(9, 14), (1, 30), (5, 6, 7), (1, 1)])
@pytest.mark.parametrize("radius", [0, 0.9, 1, 1.5, 2, 3.7, 5, np.sqrt(13), 8, 1e3, 1e300])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_discs_are_those_of_brute_force(shape, radius, count):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, np.prod(shape), count)
    wanted = slow_discs(shape, pixels, radius)
    mask = np.zeros(shape, bool)
    draw_discs(mask, pixels, radius)
    np.testing.assert_array_equal(mask, wanted)
    draw_discs(mask := np.ones(shape, bool), pixels, radius, False)
    np.testing.assert_array_equal(mask, ~wanted)


@pytest.mark.parametrize("shape", [(300, 400), (40, 50, 60)])
@pytest.mark.parametrize("radius", [10, 100, 190, 30_000, 1e12])
def test_no_radius_asks_for_more_memory_than_some_copies_of_the_image(shape, radius):
    pixels = np.arange(50)
    draw_discs(np.zeros(shape, bool), pixels, radius)  # compiles
    tracemalloc.start()
    draw_discs(np.zeros(shape, bool), pixels, radius)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 80 * np.prod(shape)


def test_a_radius_is_at_most_the_diagonal():
    assert fit_radius(5, (3, 4)) == fit_radius(5.1, (3, 4)) == 5.0
    assert fit_radius(1.5, (1, 1)) == np.sqrt(2)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="radius must be finite and zero or above"):
            fit_radius(wrong, (3, 4))


def test_beyond_the_diagonal_of_the_image_a_mask_grows_no_more():
    branches = find_branches(np.array([[0.9, 0.2, 0.9], [0.0, 0.0, 0.0]]))
    accepted = np.ones(len(branches), int)
    for radius in (4, 30_000, 1e300):
        assert branches.mask(accepted, radius=radius).all()
    assert not branches.mask(accepted, radius=0).all()
