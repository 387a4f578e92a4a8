"""The matrix of tunnels, against the same on a finer grid and against the pairs found otherwise."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from fine_tunnels import matched_tunnels
from scipy.ndimage import gaussian_filter

from toposeg_lite.topology import match_pairs, persistence_pairs
from toposeg_lite.topology.betti_matching import (
    _ordered,
    _own_tunnels,
    betti_matching,
    names,
)
from toposeg_lite.topology.frame import unframe
from toposeg_lite.topology.matching import match_to_mask
from toposeg_lite.topology.tunnels import filter_cells, make_grid

TUNNELS = [False, True, False]


def random_volume(rng, shape, kind):
    """A volume of noise, smooth or not, with ties or none, or a constant."""
    volume = rng.random(shape)
    if kind == "constant":
        return np.full(shape, rng.choice([0.0, 0.5, 1.0]))
    if kind in ("smooth", "plateaus"):
        volume = gaussian_filter(volume, rng.choice([0.4, 0.7, 1.0]))
        volume = (volume - volume.min()) / (np.ptp(volume) + 1e-9)
    levels = {"plateaus": 3, "ties": 5, "mask": 1}.get(kind)
    return volume if levels is None else np.round(volume * levels) / levels


def random_pair(rng, kinds):
    """Two volumes of one shape; now and then the second is near the first, or one is a mask."""
    shape = tuple(rng.integers(1, 10, 3))
    first, second = (random_volume(rng, shape, kind) for kind in kinds)
    if rng.random() < 0.3:
        second = np.clip(0.8 * first + 0.2 * second, 0, 1)
    if rng.random() < 0.3:  # a prediction that is right here, faint there, and saturated
        second = second > np.median(second)
        first = np.clip(np.where(second, first + 0.4, 0.6 * first), 0, 1)
    return first, second


KINDS = ("noise", "smooth", "ties", "plateaus", "mask", "constant")


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_the_matches_are_those_of_the_grid_that_is_twice_as_fine(connectivity, closed):
    """To the last bar, whatever the ties: hundreds of volumes in all."""
    rng = np.random.default_rng([connectivity, closed])
    matched = 0
    for kinds in product(KINDS, KINDS):
        for _ in range(8):
            first, second = random_pair(rng, kinds)
            found = betti_matching(first, second, connectivity, closed, TUNNELS)[1]
            expected = matched_tunnels(first, second, connectivity, closed)
            assert sorted(zip(*(side.tolist() for side in found), strict=True)) == expected
            matched += len(expected)
    assert matched > 300


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_so_they_are_in_a_volume_of_some_size(connectivity, dtype):
    shape = (17, 23, 20)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        first, second = (random_volume(rng, shape, "smooth").astype(dtype) for _ in range(2))
        for other in (second, second > np.quantile(second, 0.7)):
            found = betti_matching(first, other, connectivity, False, TUNNELS)[1]
            expected = matched_tunnels(first, other, connectivity, False)
            assert sorted(zip(*(side.tolist() for side in found), strict=True)) == expected
            assert len(expected) > 3


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("connectivity", [1, 3])
@pytest.mark.parametrize("kind", ["noise", "smooth", "ties", "plateaus", "mask"])
def test_a_volume_s_own_tunnels_are_its_pairs(kind, connectivity, closed):
    """The pairs come from another complex, with the dual connectivity, and another reduction."""
    rng, count = np.random.default_rng(5), 0
    for _ in range(24):
        shape = tuple(rng.integers(1, 12, 3))
        volume = random_volume(rng, shape, kind)
        image = _ordered(volume, closed)
        grid = make_grid(image.shape, image.order, connectivity > 1, closed)
        _, _, born, died = _own_tunnels(image, grid, filter_cells(grid, image.order))
        found = unframe(born, image.shape) * volume.size + unframe(died, image.shape)
        border = "closed" if closed else "open"
        pairs = persistence_pairs(volume, connectivity=connectivity, border=border, dimensions=[1])
        assert Counter(found.tolist()) == Counter(names(pairs, 1, shape).tolist())
        count += len(found)
    assert count > 50


def test_a_chain_of_rings_is_matched_ring_by_ring():
    """Three rings in a row, of which the prediction has the outer two, one of them faint."""
    truth = np.zeros((3, 5, 15), bool)
    for k in range(3):
        truth[1, 1:4, 5 * k + 1 : 5 * k + 4] = True
        truth[1, 2, 5 * k + 2] = False
    image = np.where(truth, 0.9, 0.1)
    image[1, 2, 1] = 0.3
    image[1, 2, 6] = 0.05
    for connectivity in (1, 3):
        result = match_pairs(image, truth, matching="betti", connectivity=connectivity)
        tunnels = result.prediction[result.matched[:, 0]].of_dimension(1)
        assert sorted(zip(tunnels.birth, tunnels.death, strict=True)) == [(0.3, 0.1), (0.9, 0.1)]


@pytest.mark.parametrize("closed", [False, True])
def test_pairs_know_the_edges_that_close_their_tunnels(closed):
    """Found as squares of the background, they are the same edges, cell by cell."""
    rng, border = np.random.default_rng(6), "closed" if closed else "open"
    for kind in ("noise", "smooth", "ties", "plateaus", "mask") * 2:
        shape = tuple(rng.integers(1, 11, 3))
        volume = random_volume(rng, shape, kind)
        image = _ordered(volume, closed)
        grid = make_grid(image.shape, image.order, True, closed)
        cells = filter_cells(grid, image.order)
        edges, _, born, _ = _own_tunnels(image, grid, cells)
        expected = 16 * unframe(born, image.shape) + cells.edges[edges] % 16
        pairs = persistence_pairs(volume, border=border)
        assert np.array_equal(np.sort(pairs.of_dimension(1)._closing), np.sort(expected))
        assert (pairs._closing[pairs.dimension != 1] == -1).all()


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_a_mask_s_partners_are_found_without_its_own_tunnels(connectivity, closed):
    rng, border, matched = np.random.default_rng(7), "closed" if closed else "open", 0
    for kind in KINDS * 36:
        first, _ = random_pair(rng, (kind, kind))
        mask = random_volume(rng, first.shape, ("noise", "smooth")[rng.integers(2)])
        mask = mask > np.quantile(mask, rng.random())
        if rng.random() < 0.5:
            first = np.clip(np.where(mask, first + 0.4, first * rng.random()) * 1.2, 0, 1)
        pairs = persistence_pairs(first, connectivity=connectivity, border=border)
        short = match_to_mask(
            pairs, first, mask, "betti", connectivity=connectivity, border=border, dimensions=[1]
        )
        names_there = names(pairs, 1, first.shape)[short.matched & (pairs.dimension == 1)]
        expected = matched_tunnels(first, mask, connectivity, closed)
        assert sorted(names_there.tolist()) == sorted(name for name, _ in expected)
        matched += len(expected)
    assert matched > 100
