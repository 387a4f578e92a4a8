"""Pairs and matches above a floor, against those of all voxels, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from toposeg_lite.topology import persistence, persistence_pairs
from toposeg_lite.topology.betti_matching import betti_matching, components_above
from toposeg_lite.topology.matching import match_to_mask

CENSORED = -2


def random_image(rng, ndim):
    """An image of noise, smooth or not, with ties or none; half of them are islands."""
    image = rng.random(tuple(rng.integers(1, 11, ndim)))
    if rng.random() < 0.5:
        image = gaussian_filter(image, rng.choice([0.4, 0.7, 1.0]))
        image = (image - image.min()) / (np.ptp(image) + 1e-9)
    levels = rng.choice([0, 0, 2, 3, 6])
    image = np.round(image * levels) / levels if levels else image
    # A rim of nothing: behind it components live on at a floor, even where the border is closed.
    return np.pad(image, 1) if rng.random() < 0.5 else image


def rows(pairs):
    """The pairs as a sorted list."""
    columns = (pairs.dimension, pairs.birth, pairs.death, pairs.birth_index, pairs.death_index)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("border", ["open", "closed"])
def test_pairs_above_the_floor_are_the_dense_ones_with_their_deaths_clipped(
    ndim, border, sparse, monkeypatch
):
    """Both ways to find them; what is expected is read from the pairs of the whole image."""
    monkeypatch.setattr(persistence, "MOST_ABOVE", 2.0 if sparse else 0.0)
    rng = np.random.default_rng([ndim, border == "open"])
    above, censored = 0, [0] * ndim
    for connectivity in (1, ndim) * 40:
        image, floor = random_image(rng, ndim), rng.choice([0.01, 0.2, 0.5, 0.7])
        options = {"connectivity": connectivity, "border": border}
        found = persistence_pairs(image, floor=floor, **options)
        expected = []
        for dimension, birth, death, born, died in rows(persistence_pairs(image, **options)):
            if birth <= floor and died != -1:
                continue
            if death <= floor and dimension < ndim - 1 and died != -1:
                death, died = 0.0, CENSORED
                censored[dimension] += 1
            expected.append((dimension, birth, death, born, died))
        assert rows(found) == sorted(expected)
        above += len(expected)
        least = persistence_pairs(image, floor=floor, min_persistence=0.3, **options)
        strong = found[(found.persistence > 0.3) | (found.death_index == -1)]
        assert rows(least) == rows(strong)
    assert above > 300
    assert min(censored[:-1]) > 50


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_stand_in_the_same_order(dtype, monkeypatch):
    image = gaussian_filter(np.random.default_rng(1).random((12, 14, 13)), 0.8).astype(dtype)
    image = (image - image.min()) / np.ptp(image)
    orders = []
    for share in (0.0, 2.0):
        monkeypatch.setattr(persistence, "MOST_ABOVE", share)
        pairs = persistence_pairs(image, floor=0.3)
        assert pairs.birth.dtype == dtype
        orders.append(rows(pairs))
        for k in range(3):
            part = pairs.of_dimension(k)
            assert (np.diff(part.birth[part.dimension > 0]) >= 0).all()
    assert orders[0] == orders[1]


def test_no_floor_is_the_default_and_nothing_above_it_leaves_the_essential_component():
    image = np.array([[[0.1, 0.3], [0.2, 0.05]]])
    assert rows(persistence_pairs(image, floor=0.0)) == rows(persistence_pairs(image))
    assert rows(persistence_pairs(image, floor=0.5)) == [(0, 0.3, 0.0, 1, -1)]


def ring_and_gap():
    """A ring in the middle layer around .1, of which one side is .4, on a ground of .05."""
    truth = np.zeros((3, 5, 5), bool)
    truth[1, 1:4, 1:4] = True
    truth[1, 2, 2] = False
    image = np.where(truth, 0.9, 0.05)
    image[1, 2, 3] = 0.4
    image[1, 2, 2] = 0.1
    return image, truth


@pytest.mark.parametrize("connectivity", [1, 3])
@pytest.mark.parametrize("matching", ["spatial", "betti"])
@pytest.mark.parametrize("floor", [0.0, 0.07, 0.2, 0.5])
def test_a_tunnel_that_lives_on_at_the_floor_is_matched(connectivity, matching, floor):
    image, truth = ring_and_gap()
    options = {"connectivity": connectivity, "border": "open"}
    pairs = persistence_pairs(image, connectivity=connectivity, floor=floor)
    tunnels = pairs.of_dimension(1)
    death = {0.0: 0.1, 0.07: 0.1}.get(floor, 0.0)
    assert list(zip(tunnels.birth, tunnels.death, strict=True)) == [(0.4, death)] * (floor < 0.4)
    found = match_to_mask(pairs, image, truth, matching, **options)
    assert found.matched[pairs.dimension == 1].tolist() == [True] * (floor < 0.4)
    assert (found.missing_dimension == 1).sum() == (floor >= 0.4)


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_tunnels_filled_above_the_floor_are_matched_as_without_one(connectivity, border):
    """A floor below all values censors nothing, but the voxels are picked all the same."""
    rng, matched = np.random.default_rng(3), 0
    options = {"connectivity": connectivity, "border": border}
    for _ in range(50):
        image = 0.1 + 0.9 * random_image(rng, 3)
        mask = rng.random(image.shape) < rng.random()
        image = np.where(mask, np.minimum(image + 0.3, 1), image)
        every, some = (persistence_pairs(image, floor=floor, **options) for floor in (0.0, 0.05))
        results = [
            match_to_mask(pairs, image, mask, "spatial", **options) for pairs in (every, some)
        ]
        chosen = [
            rows(pairs[found.matched]) for pairs, found in zip((every, some), results, strict=True)
        ]
        assert chosen[0] == chosen[1]
        assert np.array_equal(results[0].missing_pixel, results[1].missing_pixel)
        matched += int(results[0].matched.sum())
    assert matched > 200


def test_two_rings_that_live_on_are_matched_to_their_own():
    """Two rings of the truth, far apart; the prediction has the second only, and a false third."""
    truth = np.zeros((3, 5, 20), bool)
    image = np.full(truth.shape, 0.0005)
    for k, value in ((0, None), (1, 0.6), (2, 0.8)):
        ring = np.zeros_like(truth)
        ring[1, 1:4, 6 * k + 1 : 6 * k + 4] = True
        ring[1, 2, 6 * k + 2] = False
        truth |= ring & (k < 2)
        if value is not None:
            image[ring] = value
    for connectivity in (1, 3):
        options = {"connectivity": connectivity, "border": "open"}
        pairs = persistence_pairs(image, floor=0.001, connectivity=connectivity)
        for matching in ("spatial", "betti"):
            found = match_to_mask(pairs, image, truth, matching, **options)
            tunnels = pairs[found.matched & (pairs.dimension == 1)]
            assert tunnels.birth.tolist() == [0.6]
            assert (found.missing_dimension == 1).sum() == 1


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_components_are_matched_as_without_a_floor_below_all_values(connectivity, border):
    """The voxels are picked all the same, but none is discarded."""
    rng, matched = np.random.default_rng(4), 0
    for _ in range(80):
        image = 0.1 + 0.9 * random_image(rng, 3)
        mask = rng.random(image.shape) < rng.random() ** 2
        closed = border == "closed"
        expected = betti_matching(image, mask, connectivity, closed, [True, False, False])[0]
        found = components_above(image, mask, connectivity, closed, 0.05)
        pairs = [
            sorted(zip(*map(np.ndarray.tolist, both), strict=True)) for both in (found, expected)
        ]
        assert pairs[0] == pairs[1]
        matched += len(pairs[0])
    assert matched > 50


@pytest.mark.parametrize("connectivity", [1, 3])
@pytest.mark.parametrize(
    ("image", "truth", "births"),
    [
        # Each blob that lives on is matched to its own, and the false one between them is not.
        ([0.9, 0, 0.7, 0, 0.8], [1, 0, 0, 0, 1], [0.8, 0.9]),
        # The essential one is matched always: here it takes the place of the truth's first.
        ([0.9, 0, 0.7, 0, 0.8], [0, 0, 1, 0, 1], [0.8, 0.9]),
        ([0.7, 0, 0.9, 0, 0.8], [1, 0, 0, 0, 1], [0.8, 0.9]),
        # Where the truth's first has nothing above the floor, nothing is lost by that.
        ([0.9, 0, 0.04, 0, 0.8], [0, 0, 1, 0, 1], [0.8, 0.9]),
        # Both are in one component of the truth, which bridges what the floor parts.
        ([0.9, 0.04, 0.8, 0, 0.7], [1, 1, 1, 0, 0], [0.9]),
        # They meet above the floor.
        ([0.9, 0.2, 0.8, 0, 0.7], [1, 0, 1, 0, 1], [0.7, 0.8, 0.9]),
        # Nothing is above the floor, or in the truth.
        ([0.04, 0, 0.03, 0, 0.02], [0, 0, 1, 0, 0], [0.04]),
        ([0.9, 0, 0.7, 0, 0.8], [0, 0, 0, 0, 0], [0.9]),
    ],
)
def test_components_that_live_on_at_the_floor(image, truth, births, connectivity):
    volume, mask = np.array([[image]]), np.array([[truth]], bool)
    pairs = persistence_pairs(volume, floor=0.05, connectivity=connectivity)
    found = match_to_mask(pairs, volume, mask, "betti", connectivity=connectivity, border="open")
    assert sorted(pairs.birth[found.matched].tolist()) == births
    assert len(found.missing_dimension) == max(label(truth)[1] - len(births), 0)
