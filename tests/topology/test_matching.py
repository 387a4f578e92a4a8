"""Matchings of persistence diagrams, against hand-drawn images, brute force and GUDHI's Hera."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import permutations, product
from typing import get_args

import numpy as np
import pytest
from gudhi import hera
from scipy.ndimage import gaussian_filter

from toposeg_lite.topology.components import betti_numbers, label_components
from toposeg_lite.topology.matching import (
    MATCHINGS,
    MatchingName,
    _falling,
    _positions,
    match_pairs,
    match_to_mask,
    matched_to_mask,
)
from toposeg_lite.topology.persistence import PersistencePairs, persistence_pairs

BLIND: tuple[MatchingName, ...] = ("wasserstein", "rank")  # they see no places

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


def test_the_public_names_are_those_of_the_type():
    assert get_args(MatchingName) == MATCHINGS == ("spatial", "betti", "wasserstein", "rank")


# --- What each matching can do, and what it cannot ------------------------------------------------


@pytest.mark.parametrize("matching", ["rank", "wasserstein", "betti"])
def test_a_false_blob_beside_a_fainter_true_one_wins(matching):
    result = match_pairs(TWO_BLOBS, ONE_BLOB, matching=matching)
    assert births(result) == ([0.8], [0.55])
    assert result.cost == pytest.approx(0.2**2 + 0.45**2 / 2)


def test_a_false_blob_loses_where_places_count():
    result = match_pairs(TWO_BLOBS, ONE_BLOB)  # the default
    assert births(result) == ([0.55], [0.8])
    assert result.cost == pytest.approx(0.45**2 + 0.1**2 + 0.8**2 / 2)


def hole_and_ring(matching):
    """The position of the prediction's hole, and the matching."""
    result = match_pairs(FILLED_HOLE, RING, matching=matching)
    hole = np.flatnonzero(result.prediction.dimension == 1)
    assert len(hole) == 1
    return hole, result


@pytest.mark.parametrize("matching", ["rank", "betti", "spatial"])
def test_a_mostly_filled_hole_is_opened(matching):
    hole, result = hole_and_ring(matching)
    assert hole in result.matched[:, 0]
    assert result.cost == pytest.approx(0.1**2 + 0.1**2 + 0.8**2)


def test_a_mostly_filled_hole_is_filled_by_wasserstein():
    hole, result = hole_and_ring("wasserstein")
    assert result.unmatched_prediction == hole
    assert len(result.unmatched_truth) == 1
    assert result.cost == pytest.approx(0.1**2 + 0.1**2 / 2 + 1 / 2)


def test_a_clear_hole_is_matched_by_all():
    image = np.where(FILLED_HOLE == 0.8, 0.3, FILLED_HOLE)
    for matching in MATCHINGS:
        result = match_pairs(image, RING, matching=matching)
        assert len(result.matched) == 2
        assert result.cost == pytest.approx(0.1**2 + 0.1**2 + 0.3**2)


# --- By births and deaths -------------------------------------------------------------------------


@pytest.mark.parametrize("matching", BLIND)
def test_ties_go_by_flat_index(matching):
    row = np.array([[0.6, 0.1, 0.6, 0.1, 0.9, 0.1, 0.6]])
    truth = np.array([[1, 0, 1, 0, 0, 0, 0]], bool)
    result = match_pairs(row, truth, matching=matching)
    assert sorted(result.prediction.birth_index[result.matched[:, 0]]) == [0, 4]
    upright = match_pairs(row.T[::-1], truth.T[::-1], matching=matching)
    assert sorted(upright.prediction.birth_index[upright.matched[:, 0]]) == [0, 2]


@pytest.mark.parametrize("matching", BLIND)
def test_ties_in_the_truth_go_by_the_pixels_of_birth(matching):
    # The pair born at pixel 8 stands before that of 4: it dies at an earlier pixel.
    truth = np.zeros((3, 6), bool)
    truth.ravel()[[0, 4, 8]] = True
    image = np.full((3, 6), 0.1)
    image[0, 0], image[2, 5] = 0.9, 0.8
    result = match_pairs(image, truth, matching=matching)
    assert result.truth.birth_index.tolist() == [0, 8, 4]
    assert result.truth.birth_index[result.matched[:, 1]].tolist() == [0, 4]


def test_equal_merits_go_by_birth_then_by_birth_pixel_and_then_by_death_pixel():
    """Pairs of ten pixels and two values, the frame and a pair that never dies among them."""
    births, deaths, high = np.mgrid[-1:10, -1:10, 0:2].reshape(3, -1)
    pairs = PersistencePairs(
        np.zeros(births.size, np.int8), 0.5 + high, high.astype(float), births, deaths
    )
    order = _falling(np.ones(births.size), pairs)
    told = list(zip(1 - high[order], births[order], deaths[order], strict=True))
    assert told == sorted(told)
    merit = np.arange(births.size)
    assert (_falling(merit, pairs) == merit[::-1]).all()


@pytest.mark.parametrize("matching", ["spatial", "rank", "wasserstein"])
def test_no_cost_depends_on_how_ties_lie(matching):
    """Two pairs of persistence .0625, one of which is matched: the same one from left and right."""
    image = np.array([[0.875, 0.625, 0.5, 0.25, 0.3125, 0.0, 0.0625]])
    truth = np.array([[1, 1, 1, 1, 1, 0, 1]], bool) if matching == "spatial" else image > 0.3
    for axes in ((0, 1), (1, 0)):
        result, turned = (
            match_pairs(a.transpose(axes), b.transpose(axes), matching=matching, connectivity=1)
            for a, b in ((image, truth), (image[:, ::-1], truth[:, ::-1]))
        )
        assert turned.cost == pytest.approx(result.cost, abs=1e-12)
        births = result.prediction.birth[result.matched[:, 0]]
        assert sorted(births) == sorted(turned.prediction.birth[turned.matched[:, 0]])


@pytest.mark.parametrize(
    ("birth", "death"),
    [
        # To (1, 0) each gains next to nothing, but in single precision the first two nothing.
        ("0x1.bac438p-1", "0x1.68211ep-1"),
        ("0x1.8d2766p-1", "0x1.594af8p-1"),
        # These two lose next to nothing, but would gain in single precision.
        ("0x1.b9eae4p-1", "0x1.67e516p-1"),
        ("0x1.c33ab2p-1", "0x1.6a6368p-1"),
    ],
)
def test_wasserstein_weighs_single_precision_in_double_precision(birth, death):
    birth, death = float.fromhex(birth), float.fromhex(death)
    row, truth = np.array([[birth, death, 0.9375]], np.float32), np.array([[True, False, True]])
    exact = tuple(Fraction(end) for end in (birth, death))
    apart = (exact[0] - 1) ** 2 + exact[1] ** 2
    alone = (exact[0] - exact[1]) ** 2 / 2 + Fraction(1, 2)
    for images in ((row, truth), (row, truth.astype(float)), (truth, row)):
        result = match_pairs(*images, matching="wasserstein")
        assert len(result.matched) == (2 if apart < alone else 1)


def test_wasserstein_leaves_a_pair_alone_whose_match_gains_nothing():
    # (13/16, 11/16) is as far from (1, 0) as both of them from the diagonal together: 65/128.
    row = np.array([[0.8125, 0.6875, 0.875]])
    result = match_pairs(row, np.array([[True, False, True]]), matching="wasserstein")
    assert result.unmatched_prediction.size == 1
    assert result.cost == 0.125**2 + 65 / 128
    assert matched_to_mask(result.prediction, (2, 0), "wasserstein").tolist() == [True, False]
    assert len(match_pairs(row, np.array([[True, False, True]]), matching="rank").matched) == 2


@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_rank_pairs_the_sorted_diagrams(connectivity, border, levels):
    for seed in range(5):
        options = {"connectivity": connectivity, "border": border}
        result = match_pairs(
            random_image(seed, levels=levels),
            random_image(seed + 50, levels=levels),
            matching="rank",
            **options,
        )
        for dimension in (0, 1):
            ranked = []
            for pairs in (result.prediction, result.truth):
                rows = [
                    (b - d, b, -bi, -di, i)
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


@pytest.mark.parametrize(
    ("row", "truth", "partner"),
    [
        # Both true features are born at 0.5: the longer, (0.5, 0.2), would do, but costs more.
        ([0.9, 0.41, 0.52, 0.52, 0.52], [0.9, 0.2, 0.5, 0.4, 0.5], (0.5, 0.4)),
        # Both die at 0.2: the longer, (0.6, 0.2), would do, but costs more.
        ([0.9, 0.2, 0.32, 0.32, 0.32], [0.9, 0.2, 0.3, 0.2, 0.6], (0.3, 0.2)),
    ],
)
def test_wasserstein_tells_features_apart_that_share_one_end(row, truth, partner):
    result = match_pairs([row], [truth], matching="wasserstein")
    points = [finite_points(p, 0) for p in (result.prediction, result.truth)]
    assert result.cost == pytest.approx(least_cost(*points), abs=1e-12)
    at = result.matched[1, 1]
    assert (result.truth.birth[at], result.truth.death[at]) == partner


def test_rank_never_beats_wasserstein_and_often_loses():
    losses = 0
    for seed in range(20):
        images = random_image(seed), random_image(seed + 1) > 0.5
        wasserstein, rank = (match_pairs(*images, matching=m).cost for m in BLIND)
        assert wasserstein <= rank + 1e-12
        losses += wasserstein < rank - 1e-9
    assert losses > 5


@pytest.mark.parametrize("matching", ["betti", *BLIND])
def test_an_image_matches_itself_at_no_cost(matching):
    image = random_image(3)
    result = match_pairs(image, image, matching=matching)
    assert len(result.matched) == len(result.prediction) > 10
    assert (result.matched[:, 0] == result.matched[:, 1]).all()
    assert result.cost == 0


@pytest.mark.parametrize("matching", ["betti", *BLIND])
def test_swapping_the_images_swaps_the_matching(matching):
    for seed in range(6):
        one, two = random_image(seed), random_image(seed + 7)
        there, back = (match_pairs(*p, matching=matching) for p in ((one, two), (two, one)))
        assert there.cost == pytest.approx(back.cost)
        assert set(map(tuple, there.matched)) == set(map(tuple, back.matched[:, ::-1]))


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("shape", [(9, 13), (5, 6, 7)])
def test_every_pair_is_matched_once_or_not_at_all(shape, matching):
    prediction, truth = random_image(1, shape), random_image(2, shape) > 0.5
    result = match_pairs(prediction, truth, matching=matching, border="closed")
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


@pytest.mark.parametrize("matching", BLIND)
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


@pytest.mark.parametrize("matching", ["betti", *BLIND])
def test_the_essential_component_of_an_empty_truth_is_drawn_to_zero(matching):
    result = match_pairs(TWO_BLOBS, np.zeros_like(ONE_BLOB), matching=matching)
    assert births(result) == ([0.8], [0.55])
    assert result.truth.birth.tolist() == [0.0]
    assert result.cost == pytest.approx(0.8**2 + 0.45**2 / 2)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 4), (1, 1, 1), (1, 3, 1), (2, 3, 4)])
def test_constant_images_of_any_shape(shape, matching):
    for level in (0.0, 0.4, 1.0):
        result = match_pairs(np.full(shape, level), np.ones(shape, bool), matching=matching)
        assert len(result.matched) == 1
        assert result.cost == pytest.approx((1 - level) ** 2)


def test_missing_features_stay_unmatched_in_the_truth():
    truth = np.array([[1, 0, 1, 0, 1]], bool)
    for matching in MATCHINGS:
        result = match_pairs(np.full((1, 5), 0.5), truth, matching=matching)
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


@pytest.mark.parametrize("swap", [False, True])
def test_betti_looks_at_two_precisions_in_the_higher_one(swap):
    # In float32 one of the images would be constant.
    rough, fine = random_image(3).astype(np.float32) / 2, 0.5 + 1e-9 * random_image(3)
    images = (fine, rough) if swap else (rough, fine)
    result = match_pairs(*images, matching="betti")
    expected = match_pairs(*(image.astype(float) for image in images), matching="betti")
    assert np.array_equal(result.matched, expected.matched)
    assert len(result.matched) > 3


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("shape", [(9, 13), (5, 6, 7)])
def test_negative_zeros_and_frozen_arrays_change_nothing(shape, matching):
    prediction, truth = random_image(8, shape, levels=3), random_image(9, shape) > 0.5
    expected = match_pairs(prediction, truth, matching=matching)
    images = np.where(prediction == 0, -0.0, prediction), np.where(truth, 1.0, -0.0)
    for image in images:
        assert np.signbit(image).any()
        image.flags.writeable = False
    result = match_pairs(*images, matching=matching)
    assert np.array_equal(result.matched, expected.matched)
    assert np.array_equal(result.unmatched_prediction, expected.unmatched_prediction)
    assert np.array_equal(result.unmatched_truth, expected.unmatched_truth)
    assert result.cost == expected.cost


@pytest.mark.parametrize("matching", MATCHINGS)
def test_only_essential_components_are_more_persistent_than_1(matching):
    row, truth = [[0.1, 0.1, 0.8, 0.1]], [[True, False, True, False]]
    result = match_pairs(row, truth, matching=matching, min_persistence=1)
    # By place the blob of 0.8 is that of the truth's second component, which was left out.
    alone = [0] if matching == "spatial" else []
    assert result.matched.tolist() == ([] if alone else [[0, 0]])
    assert result.unmatched_prediction.tolist() == result.unmatched_truth.tolist() == alone


@pytest.mark.parametrize("matching", MATCHINGS)
def test_threads_change_nothing(matching):
    shapes = [(17, 14), (14, 17), (5, 6, 7), (6, 7, 5)]
    jobs = [
        (random_image(i, shapes[i % 4], levels=9), random_image(i + 60, shapes[i % 4]) > 0.5)
        for i in range(12)
    ]

    def match(images):
        return match_pairs(*images, matching=matching)

    alone = [match(images) for images in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(match, jobs))
    for one, other in zip(alone, together, strict=True):
        for name in ("matched", "unmatched_prediction", "unmatched_truth"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("birth", "death", "birth_index", "death_index"):
            ours, theirs = getattr(one.prediction, name), getattr(other.prediction, name)
            assert ours.tobytes() == theirs.tobytes()


def test_it_says_what_it_holds():
    text = "Matching(1 matched, 1 unmatched in the prediction, 0 in the truth)"
    assert repr(match_pairs(TWO_BLOBS, ONE_BLOB)) == text


# --- By place -------------------------------------------------------------------------------------


def regions_of(mask, dimension, connectivity, closed):
    """Lists of pixels by hand: components, or holes, of a mask; the closed frame is pixel -1."""
    ndim = mask.ndim
    if dimension > 0:
        mask, connectivity = ~mask, ndim if connectivity == 1 else 1
    framed = np.pad(mask, 1, constant_values=closed == (dimension == 0))
    index = np.pad(np.arange(mask.size).reshape(mask.shape), 1, constant_values=-1)
    labels, count = label_components(framed, connectivity=connectivity)
    found = []
    for number in range(1, count + 1):
        pixels = set(index[labels == number].tolist())
        if dimension == 0 or -1 not in pixels:
            found.append(pixels)
    return found


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(11, 8), (5, 4, 6)])
def test_spatial_takes_the_most_persistent_pair_inside(shape, full, border):
    connectivity = len(shape) if full else 1
    top = len(shape) - 1
    several = 0
    for seed in range(10):
        image = random_image(seed, shape, levels=None if seed % 2 else 6)
        mask = random_image(seed + 40, shape) > (0.5, 0.6, 0.4, 2, -1)[seed % 5]
        result = match_pairs(image, mask, connectivity=connectivity, border=border)
        pairs, truth = result.prediction, result.truth
        partner = dict(result.matched.tolist())
        expected, missing = {}, []
        for k in (0, top):
            place = "birth_index" if k == 0 else "death_index"
            for pixels in regions_of(mask, k, connectivity, border == "closed"):
                inside = [
                    i
                    for i in range(len(pairs))
                    if pairs.dimension[i] == k and getattr(pairs, place)[i] in pixels
                ]
                own = [
                    j
                    for j in range(len(truth))
                    if truth.dimension[j] == k and getattr(truth, place)[j] in pixels
                ]
                assert len(own) == 1
                several += len(inside) > 1
                if inside:
                    best = min(
                        inside,
                        key=lambda i: (
                            -pairs.persistence[i],
                            -pairs.birth[i],
                            pairs.birth_index[i],
                            pairs.death_index[i],
                        ),
                    )
                    expected[best] = own[0]
                else:
                    values = image.ravel()
                    worst = [(values[p] if k else -values[p], p) for p in pixels]
                    missing.append((k, min(worst)[1]))
        of_place = {i: j for i, j in partner.items() if pairs.dimension[i] in (0, top)}
        assert of_place == expected
        short = match_to_mask(
            pairs, image, mask, "spatial", connectivity=connectivity, border=border
        )
        assert np.flatnonzero(short.matched).tolist() == result.matched[:, 0].tolist()
        found = list(
            zip(short.missing_dimension.tolist(), short.missing_pixel.tolist(), strict=True)
        )
        assert sorted(m for m in found if m[0] in (0, top)) == sorted(missing)
        assert len(found) == len(result.unmatched_truth) - (border == "open" and not mask.any())
    assert several > 5


def test_a_missing_feature_acts_on_its_extreme_pixel():
    # A flat ring with a pit of 0.6 that the truth wants open, and a blob that is not there at all.
    image = np.array(
        [[0.9, 0.9, 0.9, 0.8, 0.7], [0.9, 0.9, 0.9, 0.8, 0.7], [0.9, 0.9, 0.9, 0.8, 0.7]]
    )
    mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 0, 1]], bool)
    pairs = persistence_pairs(image)
    assert len(pairs) == 1
    result = match_to_mask(pairs, image, mask, "spatial", connectivity=None, border="open")
    assert result.matched.tolist() == [True]
    assert result.missing_dimension.tolist() == [0, 1]
    assert result.missing_pixel.tolist() == [4, 6]  # the first of three highest, the hole's pixel
    assert result.missing_dimension.dtype == np.int8
    assert result.missing_pixel.dtype == np.int64
    for matching in ("rank", "wasserstein", "betti"):
        result = match_to_mask(pairs, image, mask, matching, connectivity=None, border="open")
        assert result.missing_dimension.tolist() == [0, 1]
        assert result.missing_pixel.tolist() == [-1, -1]


def test_a_missing_component_may_have_its_highest_pixel_first():
    image, mask = np.array([[0.7, 0.8], [0.6, 0.5]]), np.array([[True, False], [True, False]])
    pairs = persistence_pairs(image)  # born outside
    result = match_to_mask(pairs, image, mask, "spatial", connectivity=None, border="open")
    assert result.matched.tolist() == [False]
    assert result.missing_pixel.tolist() == [0]


def test_without_the_frame_s_pair_nothing_outside_the_mask_stands_for_the_frame():
    image = np.array([[0.1] * 5, [0.1, 0.8, 0.1, 0.6, 0.1], [0.1] * 5])
    mask = image == 0.6
    every = persistence_pairs(image, border="closed", dimensions=[0])
    pairs = every[every.birth_index >= 0]
    assert sorted(pairs.birth_index) == [6, 8]
    options = {"connectivity": None, "border": "closed", "dimensions": [0]}
    result = match_to_mask(pairs, image, mask, "spatial", **options)
    assert pairs.birth_index[result.matched].tolist() == [8]
    assert not len(result.missing_pixel)


def test_the_prediction_of_an_empty_truth_is_unmatched_by_place():
    result = match_pairs(TWO_BLOBS, np.zeros_like(ONE_BLOB))
    assert births(result) == ([], [0.55, 0.8])
    assert result.unmatched_truth.tolist() == [0]  # the truth's own pair (0, 0)
    short = match_to_mask(
        result.prediction,
        TWO_BLOBS,
        np.zeros_like(ONE_BLOB),
        "spatial",
        connectivity=None,
        border="open",
    )
    assert not short.matched.any()
    assert not len(short.missing_pixel)


def test_what_touches_a_closed_border_is_the_frame_s():
    image = np.array([[0.9, 0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.8, 0.1, 0.1], [0.1] * 5])
    mask = np.array([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    result = match_pairs(image, mask, connectivity=1, border="closed", dimensions=[0])
    assert result.prediction.birth_index[result.matched[:, 0]].tolist() == [-1, 7]
    assert result.truth.birth_index[result.matched[:, 1]].tolist() == [-1, 7]


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("shape", [(12, 9), (5, 6, 7)])
def test_a_mask_needs_no_pairs_of_its_own(shape, border, matching):
    some = 0
    for seed, dtype, full in product(range(8), (np.float32, np.float64), (True, False)):
        image = random_image(seed, shape, levels=None if seed % 2 else 5).astype(dtype)
        mask = random_image(seed + 31, shape) > (0.55, 0.45, -1, 2)[seed % 4]
        connectivity = None if full else 1
        dimensions = (None, [0], [len(shape) - 1], [1])[seed // 2]
        options = {"connectivity": connectivity, "border": border, "dimensions": dimensions}
        least = (0.0, 0.1)[seed % 2]
        result = match_pairs(image, mask, matching=matching, min_persistence=least, **options)
        short = match_to_mask(result.prediction, image, mask, matching, **options)
        assert np.array_equal(np.flatnonzero(short.matched), result.matched[:, 0])
        wanted = result.truth[result.unmatched_truth]
        # The pair (0, 0) of an empty mask is no feature that is missed.
        wanted = wanted[wanted.persistence > 0].dimension
        assert np.array_equal(short.missing_dimension, np.sort(wanted))
        assert (short.missing_pixel < mask.size).all()
        some += 0 < short.matched.sum() < len(short.matched)
    assert some > 4


def test_two_tunnels_with_the_same_voxels_are_two():
    # One voxel may close several loops, and one may fill them.
    ends = np.array([7, 7, 3, 7]), np.array([9, 9, 9, 9])
    pairs = PersistencePairs(np.full(4, 1, np.int8), np.ones(4), np.zeros(4), *ends)
    name = 7 * 27 + 9
    found = _positions(pairs, 1, (3, 3, 3), np.array([name, 5, name, name, name, 3 * 27 + 9]))
    assert found.tolist() == [0, -1, 1, 3, -1, 2]
    # The first of a name comes first, however many there are.
    births = np.random.default_rng(0).integers(0, 3, 60)
    pairs = PersistencePairs(
        np.full(60, 1, np.int8), np.ones(60), np.zeros(60), births, np.full(60, 9)
    )
    found = _positions(pairs, 1, (3, 3, 3), births * 27 + 9)
    assert found.tolist() == list(range(60))
    found = _positions(pairs, 1, (3, 3, 3), np.arange(3) * 27 + 9)
    assert found.tolist() == [births.tolist().index(birth) for birth in range(3)]


def test_tunnels_are_matched_through_the_union():
    # A ring in the middle layer: the truth's is closed, the prediction's faint on one side.
    truth = np.zeros((3, 5, 5), bool)
    truth[1, 1:4, 1:4] = True
    truth[1, 2, 2] = False
    image = np.where(truth, 0.9, 0.1)
    image[1, 2, 3] = 0.4
    for connectivity, matching in product((1, 3), MATCHINGS):
        result = match_pairs(image, truth, matching=matching, connectivity=connectivity)
        tunnel = result.prediction.dimension[result.matched[:, 0]] == 1
        assert tunnel.sum() == 1
        assert result.prediction.birth[result.matched[tunnel, 0]] == 0.4
    image[1, 2, 3] = 0.1
    pairs = persistence_pairs(image)
    result = match_to_mask(pairs, image, truth, "spatial", connectivity=None, border="open")
    assert (result.missing_dimension.tolist(), result.missing_pixel.tolist()) == ([1], [-1])


def test_a_tunnel_of_the_truth_may_be_open_by_a_corner_only():
    # A plate of two layers, with a gap in each: they meet by an edge of two voxels.
    truth = np.ones((2, 4, 4), bool)
    truth[0, 1, 1] = truth[1, 2, 2] = False
    image = np.where(truth, 0.9, 0.2)
    for connectivity, tunnels in ((1, 1), (3, 0)):
        assert betti_numbers(truth, connectivity=connectivity) == (1, tunnels, 0)
        options = {"connectivity": connectivity, "border": "open"}
        pairs = persistence_pairs(image, **options)
        for matching in MATCHINGS:
            result = match_to_mask(pairs, image, truth, matching, **options)
            assert pairs.dimension[result.matched].tolist() == [0] + [1] * tunnels
            assert not len(result.missing_dimension)
