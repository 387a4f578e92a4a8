"""Matchings of persistence diagrams, against hand-drawn images, brute force and GUDHI's Hera."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from gudhi import hera
from scipy.ndimage import gaussian_filter

from toposeg_lite.topology.components import betti_numbers
from toposeg_lite.topology.matching import MATCHINGS, match_pairs, matched_to_mask
from toposeg_lite.topology.persistence import persistence_pairs

# A false blob of 0.8 in column 1 beside a true one of 0.55 in column 4.
TWO_BLOBS = np.array(
    [
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.1, 0.8, 0.1, 0.1, 0.55, 0.1],
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    ]
)
ONE_BLOB = TWO_BLOBS == 0.55
# A hole of 0.8 in a ring of 0.9, which the truth wants open.
FILLED_HOLE = np.array(
    [
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.1, 0.9, 0.9, 0.9, 0.1, 0.1],
        [0.1, 0.9, 0.8, 0.9, 0.1, 0.1],
        [0.1, 0.9, 0.9, 0.9, 0.1, 0.1],
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    ]
)
RING = FILLED_HOLE == 0.9


def random_image(seed, shape=(9, 13), levels=None):
    """A smooth random image; with `levels`, quantised so that it is full of ties."""
    image = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 0.7)
    image = (image - image.min()) / np.ptp(image)
    return image if levels is None else np.round(image * levels) / levels


def births(matching):
    """Births of the prediction's matched pairs, and of its others."""
    birth = matching.prediction.birth
    return sorted(birth[matching.matched[:, 0]]), sorted(birth[matching.unmatched_prediction])


def finite_points(pairs, dimension):
    """The diagram of one dimension without the essential pair, (n, 2)."""
    pairs = pairs.of_dimension(dimension)
    pairs = pairs[pairs.death_index >= 0]
    return np.stack([pairs.birth, pairs.death], axis=1).astype(np.float64)


def least_cost(first, second):
    """Brute force: the cheapest of all partial matchings of two small diagrams."""
    if len(first) < len(second):
        first, second = second, first
    best = np.inf
    alone = (first[:, 0] - first[:, 1]) ** 2 / 2
    for order in permutations(range(len(first)), len(second)):
        cost = alone.sum()
        for point, partner in zip(second, order, strict=True):
            apart = ((point - first[partner]) ** 2).sum() - alone[partner]
            cost += min(apart, (point[0] - point[1]) ** 2 / 2)
        best = min(best, cost)
    return best


@pytest.mark.parametrize("matching", MATCHINGS)
def test_a_false_blob_beside_a_fainter_true_one_wins(matching):
    result = match_pairs(TWO_BLOBS, ONE_BLOB, matching=matching)
    assert births(result) == ([0.8], [0.55])
    assert result.cost == pytest.approx(0.2**2 + 0.45**2 / 2)


def test_a_mostly_filled_hole_is_opened_by_rank_and_filled_by_wasserstein():
    hole = persistence_pairs(FILLED_HOLE).dimension == 1
    assert hole.sum() == 1
    rank = match_pairs(FILLED_HOLE, RING, matching="rank")
    assert np.flatnonzero(hole) in rank.matched[:, 0]
    assert rank.cost == pytest.approx(0.1**2 + 0.1**2 + 0.8**2)
    wasserstein = match_pairs(FILLED_HOLE, RING, matching="wasserstein")
    assert wasserstein.unmatched_prediction == np.flatnonzero(hole)
    assert len(wasserstein.unmatched_truth) == 1
    assert wasserstein.cost == pytest.approx(0.1**2 + 0.1**2 / 2 + 1 / 2)


def test_a_clear_hole_is_matched_by_both():
    image = np.where(FILLED_HOLE == 0.8, 0.3, FILLED_HOLE)
    for matching in MATCHINGS:
        result = match_pairs(image, RING, matching=matching)
        assert len(result.matched) == 2
        assert result.cost == pytest.approx(0.1**2 + 0.1**2 + 0.3**2)


@pytest.mark.parametrize("matching", MATCHINGS)
def test_ties_go_by_flat_index(matching):
    row = np.array([[0.6, 0.1, 0.6, 0.1, 0.9, 0.1, 0.6]])
    truth = np.array([[1, 0, 1, 0, 0, 0, 0]], bool)
    result = match_pairs(row, truth, matching=matching)
    assert sorted(result.prediction.birth_index[result.matched[:, 0]]) == [0, 4]
    upright = match_pairs(row.T[::-1], truth.T[::-1], matching=matching)
    assert sorted(upright.prediction.birth_index[upright.matched[:, 0]]) == [0, 2]


def test_wasserstein_leaves_a_pair_alone_whose_match_gains_nothing():
    # (13/16, 11/16) is as far from (1, 0) as both of them from the diagonal together: 65/128.
    row = np.array([[0.8125, 0.6875, 0.875]])
    result = match_pairs(row, np.array([[True, False, True]]), matching="wasserstein")
    assert result.unmatched_prediction.size == 1
    assert result.cost == 0.125**2 + 65 / 128
    assert matched_to_mask(result.prediction, (2, 0), "wasserstein").tolist() == [True, False]
    assert len(match_pairs(row, np.array([[True, False, True]])).matched) == 2


@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_rank_pairs_the_sorted_diagrams(connectivity, border, levels):
    for seed in range(5):
        options = {"connectivity": connectivity, "border": border}
        result = match_pairs(
            random_image(seed, levels=levels), random_image(seed + 50, levels=levels), **options
        )
        for dimension in (0, 1):
            ranked = []
            for pairs in (result.prediction, result.truth):
                rows = [
                    (b - d, -bi, -di, i)
                    for i, (k, b, d, bi, di) in enumerate(
                        zip(
                            pairs.dimension,
                            pairs.birth,
                            pairs.death,
                            pairs.birth_index,
                            pairs.death_index,
                            strict=True,
                        )
                    )
                    if k == dimension and di >= 0
                ]
                ranked.append([row[-1] for row in sorted(rows, reverse=True)])
            expected = set(zip(*ranked, strict=False))
            finite = result.prediction.death_index[result.matched[:, 0]] >= 0
            of_this = result.prediction.dimension[result.matched[:, 0]] == dimension
            assert set(map(tuple, result.matched[finite & of_this])) == expected


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_wasserstein_has_the_cost_of_gudhis_hera(connectivity, border, grey):
    for seed, shape in enumerate([(9, 13), (14, 7), (1, 20), (24, 17)]):
        prediction, truth = random_image(seed, shape), random_image(seed + 90, shape)
        truth = truth if grey else truth > 0.55
        options = {"connectivity": connectivity, "border": border}
        result = match_pairs(prediction, truth, matching="wasserstein", **options)
        expected = 0.0
        for dimension in (0, 1):
            points = [finite_points(p, dimension) for p in (result.prediction, result.truth)]
            if len(points[0]) + len(points[1]):
                negated = [-p for p in points]  # Hera wants births before deaths
                expected += hera.wasserstein_distance(*negated, 2, 2, 1e-7) ** 2
        if border == "open":
            expected += (prediction.max() - truth.max()) ** 2
        assert result.cost == pytest.approx(expected, rel=1e-5)


def test_wasserstein_is_the_cheapest_of_all_matchings():
    checked = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        prediction, truth = np.round(rng.random((2, 3, 4)), 2)
        if seed % 2:
            truth = truth > 0.5
        result = match_pairs(prediction, truth, matching="wasserstein", connectivity=1)
        expected = (prediction.max() - truth.max()) ** 2
        for dimension in (0, 1):
            points = [finite_points(p, dimension) for p in (result.prediction, result.truth)]
            expected += least_cost(*points)
            checked += min(map(len, points)) > 1
        assert result.cost == pytest.approx(expected, abs=1e-12)
    assert checked > 20


def test_rank_never_beats_wasserstein_and_often_loses():
    losses = 0
    for seed in range(20):
        images = random_image(seed), random_image(seed + 1) > 0.5
        rank, wasserstein = (match_pairs(*images, matching=m).cost for m in MATCHINGS)
        assert wasserstein <= rank + 1e-12
        losses += wasserstein < rank - 1e-9
    assert losses > 5


@pytest.mark.parametrize("matching", MATCHINGS)
def test_an_image_matches_itself_at_no_cost(matching):
    image = random_image(3)
    result = match_pairs(image, image, matching=matching)
    assert len(result.matched) == len(result.prediction) > 10
    assert (result.matched[:, 0] == result.matched[:, 1]).all()
    assert result.cost == 0


@pytest.mark.parametrize("matching", MATCHINGS)
def test_swapping_the_images_swaps_the_matching(matching):
    for seed in range(6):
        one, two = random_image(seed), random_image(seed + 7)
        there, back = (match_pairs(*p, matching=matching) for p in ((one, two), (two, one)))
        assert there.cost == pytest.approx(back.cost)
        assert set(map(tuple, there.matched)) == set(map(tuple, back.matched[:, ::-1]))


@pytest.mark.parametrize("matching", MATCHINGS)
def test_every_pair_is_matched_once_or_not_at_all(matching):
    result = match_pairs(random_image(1), random_image(2), matching=matching, border="closed")
    for column, pairs, others in (
        (0, result.prediction, result.unmatched_prediction),
        (1, result.truth, result.unmatched_truth),
    ):
        assert sorted([*result.matched[:, column], *others]) == list(range(len(pairs)))
    assert (np.diff(result.matched[:, 0]) > 0).all()
    rows, columns = result.matched.T
    assert (result.prediction.dimension[rows] == result.truth.dimension[columns]).all()
    essential = result.prediction.death_index[rows] < 0, result.truth.death_index[columns] < 0
    assert (essential[0] == essential[1]).all()
    assert essential[0].sum() == 1


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_betti_numbers_are_all_that_is_needed_of_a_mask(connectivity, border, matching):
    some = 0
    for seed in range(12):
        prediction = random_image(seed, (12, 9), levels=None if seed % 2 else 5)
        mask = random_image(seed + 31, (12, 9)) > (0.55, 0.45, -1, 2)[seed % 4]
        options = {"connectivity": connectivity, "border": border}
        result = match_pairs(prediction, mask, matching=matching, **options)
        short = matched_to_mask(result.prediction, betti_numbers(mask, **options), matching)
        assert np.array_equal(np.flatnonzero(short), result.matched[:, 0])
        some += 1 < short.sum() < len(short)
    assert some > 2


@pytest.mark.parametrize("matching", MATCHINGS)
def test_the_essential_component_of_an_empty_truth_is_drawn_to_zero(matching):
    result = match_pairs(TWO_BLOBS, np.zeros_like(ONE_BLOB), matching=matching)
    assert births(result) == ([0.8], [0.55])
    assert result.truth.birth.tolist() == [0.0]
    assert result.cost == pytest.approx(0.8**2 + 0.45**2 / 2)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 4)])
def test_constant_images_of_any_shape(shape, matching):
    for level in (0.0, 0.4, 1.0):
        result = match_pairs(np.full(shape, level), np.ones(shape, bool), matching=matching)
        assert len(result.matched) == 1
        assert result.cost == pytest.approx((1 - level) ** 2)


def test_missing_features_stay_unmatched_in_the_truth():
    truth = np.array([[1, 0, 1, 0, 1]], bool)
    result = match_pairs(np.full((1, 5), 0.5), truth)
    assert (len(result.matched), len(result.unmatched_truth)) == (1, 2)
    assert result.cost == 0.5**2 + 2 * 0.5


def test_options_choose_the_pairs():
    prediction, truth = random_image(5), random_image(6) > 0.5
    only = match_pairs(prediction, truth, dimensions=iter([1]))
    assert set(only.prediction.dimension) == {1}
    assert set(only.truth.dimension) == {1}
    both = match_pairs(prediction, truth)
    assert set(both.prediction.dimension) == {0, 1}
    strong = match_pairs(prediction, truth, min_persistence=0.3)
    finite = strong.prediction.death_index >= 0
    assert (strong.prediction.persistence[finite] > 0.3).all()
    assert len(strong.prediction) < len(both.prediction)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_memory_orders_do_not_matter(dtype, matching):
    prediction, truth = random_image(8).astype(dtype), random_image(9) > 0.5
    expected = match_pairs(prediction.astype(float), truth.astype(float), matching=matching)
    wide = np.zeros((18, 13), dtype)
    wide[::2] = prediction
    for image in (prediction, np.asfortranarray(prediction), wide[::2]):
        result = match_pairs(image, np.asfortranarray(truth), matching=matching)
        assert np.array_equal(result.matched, expected.matched)
        assert result.cost == pytest.approx(expected.cost, rel=1e-6)


def test_it_says_what_it_holds():
    text = "Matching(1 matched, 1 unmatched in the prediction, 0 in the truth)"
    assert repr(match_pairs(TWO_BLOBS, ONE_BLOB)) == text
