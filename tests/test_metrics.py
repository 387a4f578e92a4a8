"""Metrics against hand counts, brute force over pairs of pixels, scikit-image, and laws."""

from __future__ import annotations

from functools import partial
from itertools import combinations, product
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage import measure
from skimage.metrics import variation_of_information as skimage_voi

from toposeg_lite import metrics
from toposeg_lite.topology import betti_numbers, homotopy_warp, match_pairs
from toposeg_lite.topology.ignored import fill_ignored

PAIR_METRICS = [
    metrics.dice,
    metrics.cldice,
    metrics.betti_error,
    metrics.betti_matching_error,
    metrics.warping_error,
    metrics.adjusted_rand_index,
    metrics.variation_of_information,
]
PERFECT = [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def draw(text: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in line] for line in text.split()])


def pairs(n: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a mask and a noisy copy, in 2D and 3D, height unlike width."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        shape = tuple(rng.integers(1, 9, 2)) if k % 3 else tuple(rng.integers(1, 5, 3))
        truth = rng.random(shape) < rng.random()
        made.append((truth ^ (rng.random(shape) < 0.4 * rng.random()), truth))
    return made


def segments(mask: np.ndarray, connectivity: int, labels: str) -> np.ndarray:
    """Label by scikit-image the components whose pixels the metric must tell apart."""
    if labels == "background":
        mask, connectivity = ~mask, 1 if connectivity == mask.ndim else mask.ndim
    return measure.label(mask, connectivity=connectivity)


def brute_force_ari(first: np.ndarray, second: np.ndarray) -> float:
    """Go through all pairs of pixels, one by one."""
    together = [[a == b for a, b in combinations(x.ravel(), 2)] for x in (first, second)]
    n = len(together[0])
    index = sum(a and b for a, b in zip(*together, strict=True))
    in_first, in_second = map(sum, together)
    expected = in_first * in_second / n if n else 0
    best = (in_first + in_second) / 2
    return 1.0 if best == expected else (index - expected) / (best - expected)


def brute_force_voi(first: np.ndarray, second: np.ndarray) -> float:
    n, total = first.size, 0.0
    for a in np.unique(first):
        for b in np.unique(second):
            both = np.mean((first == a) & (second == b))
            if both:
                total -= both * log2(both / np.mean(first == a))
                total -= both * log2(both / np.mean(second == b))
    return total if n else 0.0


# --- drawn by hand -------------------------------------------------------------------------------

LADDER = draw("""
#######
#..#..#
#######
.......
.##....
""")
BROKEN = draw("""
#######
#..#...
###.###
.......
.......
""")


def test_dice_by_hand():
    assert LADDER.sum() == 19
    assert BROKEN.sum() == 15
    assert metrics.dice(BROKEN, LADDER) == 2 * 15 / (19 + 15)
    assert metrics.dice(LADDER, ~LADDER) == 0


def test_cldice_by_hand():
    # Lines one pixel wide are their own skeletons.
    truth = draw("......... .######.. ......... .........")
    prediction = draw("......... .######.. ......... ...##....")
    missing = draw("......... .###..... ......... .........")
    assert metrics.cldice(missing, truth) == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert metrics.cldice(truth, missing) == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert metrics.cldice(prediction, truth) == pytest.approx(2 * (6 / 8) / (1 + 6 / 8))
    # A thick blob beside a long thin line counts little: this is why clDice exists.
    blob = np.zeros((20, 60), bool)
    blob[2:9, 2:9] = True
    both = blob.copy()
    both[15, 2:58] = True
    assert metrics.cldice(blob, both) < 0.2 < 0.6 < metrics.dice(blob, both)


def test_cldice_asks_each_skeleton_about_the_other_mask_and_not_the_other_skeleton():
    truth = np.zeros((11, 40), bool)
    truth[3:8, 2:38] = True
    shifted = np.zeros((11, 40), bool)
    shifted[6, 6:34] = True  # inside the truth, off its centreline: full precision
    assert metrics.cldice(shifted, truth) == 0.0  # the truth's centreline is missed altogether
    shifted[5, 6:34] = True
    assert metrics.cldice(shifted, truth) > 0.9


def test_cldice_sees_the_smallest_components():
    cube = np.zeros((6, 7, 8), bool)
    cube[2:4, 2:4, 2:4] = True
    assert metrics.cldice(cube, cube) == 1
    line = np.zeros((6, 7, 8), bool)
    line[5, 6] = True
    # the skeleton of the line has 8 voxels, that of the cube 2
    assert metrics.cldice(line, line | cube) == pytest.approx(2 * (8 / 10) / (1 + 8 / 10))
    # the skeleton of a solid cube lies in its middle, so that a smaller cube inside finds it
    solid = np.zeros((12, 12, 12), bool)
    solid[2:10, 2:10, 2:10] = True
    core = np.zeros((12, 12, 12), bool)
    core[4:8, 4:8, 4:8] = True
    assert metrics.cldice(core, solid) == 1


def test_betti_error_by_hand():
    assert betti_numbers(LADDER) == (2, 2)
    assert betti_numbers(BROKEN) == (1, 1)
    assert metrics.betti_error(BROKEN, LADDER) == 2
    assert metrics.betti_error(BROKEN, LADDER, dimension=0) == 1
    assert metrics.betti_error(BROKEN, LADDER, dimension=1) == 1
    assert betti_numbers(BROKEN, connectivity=1) == (2, 0)
    assert metrics.betti_error(BROKEN, LADDER, connectivity=1) == 2
    assert metrics.betti_error(BROKEN, LADDER, connectivity=1, dimension=0) == 0
    # In a frame the lower bar of the truth is no component of its own, and the frame closes the
    # hole that lost its right side.
    assert betti_numbers(LADDER, border="closed") == (1, 3)
    assert metrics.betti_error(BROKEN, LADDER, border="closed") == 0
    assert metrics.betti_error(LADDER & False, LADDER, border="closed") == 2
    assert metrics.betti_error(LADDER & False, LADDER) == 4


def test_betti_error_sums_absolute_differences_and_never_lets_them_cancel():
    ring = draw("..### ..#.# ..###")
    blob = draw("#..## ..... #..##")
    assert betti_numbers(ring) == (1, 1)
    assert betti_numbers(blob) == (4, 0)
    assert metrics.betti_error(blob, ring) == 3 + 1


def test_patches_by_hand():
    # 3x5 pixels in patches of 2: rows 0-1 and 2, columns 0-1, 2-3 and 4: six patches.
    prediction = draw("#.... .#... ....#")
    truth = draw("##... ...#. .....")
    #                    patch          (0,0) (0,1) (0,2) (1,0) (1,1) (1,2)
    # components, 4 neighbours: 2 and 1, 0 and 1, 0 and 0, 0 and 0, 0 and 0, 1 and 0
    assert metrics.betti_error(prediction, truth, patch=2, connectivity=1) == 3 / 6
    assert metrics.betti_error(prediction, truth, patch=2) == 2 / 6
    # The whole image: 2 and 2 components with 8 neighbours.
    assert metrics.betti_error(prediction, truth) == 0
    assert metrics.betti_error(prediction, truth, patch=5) == 0
    assert metrics.betti_error(prediction, truth, patch=99) == 0


def test_patches_see_what_cancels_in_the_whole_image():
    prediction = draw("#.... ..... ....#")[:, :4]
    truth = np.fliplr(prediction)
    assert metrics.betti_error(prediction, truth) == 0
    assert metrics.betti_error(prediction, truth, patch=2) == 0.5


def test_patches_in_three_dimensions():
    truth = np.zeros((3, 3, 5), bool)
    prediction = truth.copy()
    prediction[2, 2, 4] = True
    assert metrics.betti_error(prediction, truth, patch=2) == 1 / (2 * 2 * 3)
    # A closed frame makes a cavity of each empty cube, and this voxel fills the last.
    closed = {"patch": 2, "border": "closed"}
    assert metrics.betti_error(prediction, truth, dimension=2, **closed) == 1 / 12
    assert metrics.betti_error(prediction, truth, dimension=0, **closed) == 0


def test_betti_matching_error_by_hand():
    # Disjoint blobs are two features without partners, whatever the Betti numbers say.
    left, right = (
        draw(".......... .##....... .##....... .........."),
        draw(".......... .......##. .......##. .........."),
    )
    assert metrics.betti_error(left, right) == 0
    assert metrics.betti_matching_error(left, right) == 2
    assert metrics.betti_matching_error(left, right, dimension=0) == 2
    assert metrics.betti_matching_error(left, right, dimension=1) == 0
    assert metrics.betti_matching_error(left, left | right) == 1
    # One blob over two: one of them stays alone.
    bridge = draw(".......... .########. .######### ..........")[:, :10]
    bridge[:, -1] = False
    assert metrics.betti_matching_error(bridge, left | right) == 1
    # The holes of two rings that overlap in their bodies only are two.
    one, two = (
        draw("........... .#####..... .#...#..... .#####..... ..........."),
        draw("........... .....#####. .....#...#. .....#####. ..........."),
    )
    assert metrics.betti_matching_error(one, two) == 2
    assert metrics.betti_matching_error(one, two, dimension=1) == 2
    assert metrics.betti_matching_error(one, two, dimension=0) == 0
    assert metrics.betti_error(one, two) == 0


def test_betti_matching_error_counts_what_the_border_cuts_to_the_frame():
    cut = draw("..##.. ..##.. ......")
    near = draw("...... ..##.. ......")
    assert metrics.betti_matching_error(cut, near) == 1  # the blob that floats freely
    assert metrics.betti_matching_error(cut, cut & False) == 0
    # The frame's own region is filled.
    assert metrics.betti_matching_error(cut | True, cut & False) == 1


def test_betti_matching_error_in_patches():
    prediction, truth = draw("...... .#.... ...... ......"), draw("...... ....#. ...... ......")
    assert metrics.betti_matching_error(prediction, truth) == 2
    # Each blob stands in a patch of its own, of 3x3, with two more patches of one row below.
    assert metrics.betti_matching_error(prediction, truth, patch=3) == 2 / 4
    assert metrics.betti_matching_error(prediction, truth, patch=2) == 0  # all touch the frame


def test_betti_matching_error_in_three_dimensions():
    shell = np.zeros((5, 5, 5), bool)
    shell[1:4, 1:4, 1:4] = True
    shell[2, 2, 2] = False
    holed = shell.copy()
    holed[1, 2, 2] = False
    found = [metrics.betti_matching_error(shell, holed, dimension=k) for k in range(3)]
    assert found == [0, 0, 1]
    ring = np.zeros((3, 5, 5), bool)
    ring[1, 1:4, 1:4] = True
    ring[1, 2, 2] = False
    cut = ring.copy()
    cut[1, 2, 3] = False
    assert metrics.betti_matching_error(ring, cut) == 1
    assert metrics.betti_matching_error(ring, cut, dimension=1) == 1
    moved = np.roll(ring, 5, axis=2)
    wide = (
        np.concatenate([ring, moved & False], axis=2),
        np.concatenate([ring & False, ring], axis=2),
    )
    assert metrics.betti_matching_error(*wide) == 4  # two rings: each a component and a tunnel
    assert metrics.betti_error(*wide) == 0


def test_warping_error_by_hand():
    truth = draw(".......... .########. ..........")
    thick = draw(".########. .########. ..........")
    moved = draw("########.. .......... ..........")
    broken = draw(".......... .###.####. ..........")
    wide = draw(".......... .#####..#. ..........")
    assert metrics.warping_error(truth, truth) == 0
    assert metrics.warping_error(thick, truth) == metrics.warping_error(moved, truth) == 0
    assert metrics.warping_error(broken, truth) == 1 / 30
    assert metrics.warping_error(wide, truth) == 2 / 30
    assert metrics.warping_error(truth, wide) == 1 / 30  # here the gap closes but for one pixel
    diagonal = draw("#.. .#. ..#")
    assert metrics.warping_error(diagonal, draw("##. .#. .##")) == 0
    assert metrics.warping_error(diagonal, draw("##. .#. .##"), connectivity=1) > 0


def test_partition_metrics_by_hand():
    # Two bars, joined by mistake: 3 + 3 pixels in two segments, 2 pixels of background.
    truth = draw("###..###")
    merged = draw("########")
    assert metrics.adjusted_rand_index(merged, truth) == 0
    entropy = -2 * 3 / 8 * log2(3 / 8) - 2 / 8 * log2(2 / 8)
    assert metrics.variation_of_information(merged, truth) == pytest.approx(entropy)
    # Pairs together: truth 3 + 3 + 1 = 7; split 1 + 3 + 3 = 7; both 1 + 3 + 1 = 5; of 28 pairs.
    split = draw("##...###")
    expected = 7 * 7 / 28
    assert metrics.adjusted_rand_index(split, truth) == pytest.approx(
        (5 - expected) / (7 - expected)
    )


def test_background_labels_see_a_leak_that_foreground_labels_cannot():
    wall = draw("""
    ...#...
    ...#...
    ...#...
    ...#...
    """)
    leak = wall.copy()
    leak[1, 3] = False
    foreground = metrics.adjusted_rand_index(leak, wall)
    background = metrics.adjusted_rand_index(leak, wall, labels="background")
    assert background < 0.3 < 0.6 < foreground
    assert metrics.variation_of_information(leak, wall, labels="background") > 0.9


def test_background_has_the_dual_connectivity():
    # A diagonal wall holds with 8 neighbours and leaks with 4.
    wall = np.eye(5, 6, dtype=bool)
    open_plane = np.zeros((5, 6), bool)
    held = metrics.variation_of_information(wall, open_plane, connectivity=2, labels="background")
    leaks = metrics.variation_of_information(wall, open_plane, connectivity=1, labels="background")
    sizes = np.array([5, 10, 15])
    assert held == pytest.approx(-(sizes / 30 * np.log2(sizes / 30)).sum())
    assert leaks == pytest.approx(-(5 / 30 * log2(5 / 30) + 25 / 30 * log2(25 / 30)))


# --- empty and full masks ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (1, 1), (1, 7), (1, 1, 1)])
def test_empty_and_full_masks(shape):
    empty, full = np.zeros(shape, bool), np.ones(shape, bool)
    for mask in (empty, full):
        assert [metric(mask, mask) for metric in PAIR_METRICS] == PERFECT
        for metric in (metrics.adjusted_rand_index, metrics.variation_of_information):
            same = metric(mask, mask, labels="background")
            assert same == (metric is metrics.adjusted_rand_index)
    for prediction, truth in ((empty, full), (full, empty)):
        assert metrics.dice(prediction, truth) == 0
        assert metrics.cldice(prediction, truth) == 0
        assert metrics.betti_error(prediction, truth) == 1
        # Both are one segment: as partitions they are equal.
        assert metrics.adjusted_rand_index(prediction, truth) == 1
        assert metrics.variation_of_information(prediction, truth) == 0


def test_disjoint_masks():
    left, right = draw("#... #..."), draw("..## ..##")
    assert metrics.dice(left, right) == 0
    assert metrics.cldice(left, right) == 0


# --- oracles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["foreground", "background"])
def test_partition_metrics_equal_brute_force_and_scikit_image(labels):
    for prediction, truth in pairs(150):
        for connectivity in (1, truth.ndim):
            options = {"connectivity": connectivity, "labels": labels}
            ours, wanted = (segments(m, connectivity, labels) for m in (prediction, truth))
            ari = metrics.adjusted_rand_index(prediction, truth, **options)
            assert ari == pytest.approx(brute_force_ari(ours, wanted), abs=1e-12)
            voi = metrics.variation_of_information(prediction, truth, **options)
            assert voi == pytest.approx(brute_force_voi(ours, wanted), abs=1e-12)
            parts = skimage_voi(wanted, ours, ignore_labels=())
            assert voi == pytest.approx(sum(parts), abs=1e-10)


def test_betti_error_equals_scikit_image_s_counts_on_patches():
    rng = np.random.default_rng(2)
    truth = rng.random((37, 50)) > 0.5
    prediction = truth ^ (rng.random(truth.shape) > 0.9)
    patch, errors = 16, []
    for r in range(0, 37, patch):
        for c in range(0, 50, patch):
            b0, b1 = [], []
            for mask in (prediction, truth):
                part = mask[r : r + patch, c : c + patch]
                b0.append(measure.label(part, connectivity=1).max())
                b1.append(b0[-1] - measure.euler_number(part, connectivity=1))
            errors.append([abs(b0[0] - b0[1]), abs(b1[0] - b1[1])])
    assert len(errors) == 3 * 4
    expected = np.mean(errors, axis=0)
    options = {"patch": patch, "connectivity": 1}
    assert metrics.betti_error(prediction, truth, **options) == pytest.approx(expected.sum())
    for k in (0, 1):
        ours = metrics.betti_error(prediction, truth, dimension=k, **options)
        assert ours == pytest.approx(expected[k])


def test_betti_matching_error_is_what_the_matching_of_images_leaves_over():
    some = 0
    for prediction, truth in pairs(120, seed=8):
        for connectivity in (1, truth.ndim):
            matching = match_pairs(
                prediction, truth, matching="betti", border="closed", connectivity=connectivity
            )
            for k in range(truth.ndim):
                expected = np.count_nonzero(
                    matching.prediction.dimension[matching.unmatched_prediction] == k
                ) + np.count_nonzero(matching.truth.dimension[matching.unmatched_truth] == k)
                options = {"connectivity": connectivity, "dimension": k}
                found = metrics.betti_matching_error(prediction, truth, **options)
                assert found == expected
                assert found >= metrics.betti_error(prediction, truth, border="closed", **options)
                some += found > 0
    assert some > 100


def test_warping_error_counts_what_the_warp_leaves():
    for prediction, truth in pairs(30, seed=9):
        left = homotopy_warp(truth, prediction).critical
        assert metrics.warping_error(prediction, truth) == left.sum() / truth.size
        assert metrics.warping_error(prediction, truth) <= (prediction ^ truth).mean()


# --- laws ----------------------------------------------------------------------------------------

masks = arrays(bool, array_shapes(min_dims=2, max_dims=3, max_side=6))


@settings(deadline=None, max_examples=60)
@given(masks, st.data())
def test_metrics_are_symmetric_bounded_and_perfect_on_equal_masks(truth, data):
    prediction = data.draw(arrays(bool, truth.shape))
    for metric, perfect in zip(PAIR_METRICS, PERFECT, strict=True):
        value = metric(prediction, truth)
        assert type(value) is float
        if metric is not metrics.warping_error:
            assert value == metric(truth, prediction)
        assert metric(truth, truth) == perfect
        assert value <= 1 if perfect else value >= 0


@settings(deadline=None, max_examples=60)
@given(masks, st.data())
def test_flips_and_transposes_change_nothing(truth, data):
    prediction = data.draw(arrays(bool, truth.shape))
    axes = data.draw(st.permutations(range(truth.ndim)))
    axis = data.draw(st.sampled_from(range(truth.ndim)))
    labels = data.draw(st.sampled_from(["foreground", "background"]))
    turned = [np.flip(mask, axis).transpose(axes) for mask in (prediction, truth)]
    assert metrics.dice(*turned) == metrics.dice(prediction, truth)
    assert metrics.betti_error(*turned) == metrics.betti_error(prediction, truth)
    for metric in (metrics.adjusted_rand_index, metrics.variation_of_information):
        assert metric(*turned, labels=labels) == metric(prediction, truth, labels=labels)


def test_the_order_of_the_segments_leaves_every_bit_as_it_is():
    rng = np.random.default_rng(6)
    voi = metrics.variation_of_information
    for _ in range(20):
        truth = rng.random((60, 75)) > 0.6
        prediction = truth ^ (rng.random(truth.shape) > 0.95)
        value = voi(prediction, truth)
        assert value == voi(truth, prediction)
        assert value == voi(prediction[::-1], truth[::-1]) == voi(prediction.T, truth.T)
        assert voi(truth, truth) == 0


def test_a_mask_and_its_complement_may_be_one_partition():
    disc = draw("..... .##.. ..... .....")
    assert metrics.variation_of_information(~disc, disc) == 0
    assert metrics.adjusted_rand_index(~disc, disc) == 1


@settings(deadline=None, max_examples=40)
@given(masks, st.data())
def test_labels_of_the_background_are_labels_of_the_complement(truth, data):
    prediction = data.draw(arrays(bool, truth.shape))
    connectivity = data.draw(st.sampled_from([1, truth.ndim]))
    dual = {1: truth.ndim, truth.ndim: 1}[connectivity]
    for metric in (metrics.adjusted_rand_index, metrics.variation_of_information):
        background = metric(prediction, truth, connectivity=connectivity, labels="background")
        assert background == metric(~prediction, ~truth, connectivity=dual)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_variation_of_information_obeys_the_triangle_inequality(data):
    shape = data.draw(array_shapes(min_dims=2, max_dims=2, max_side=6))
    a, b, c = (data.draw(arrays(bool, shape)) for _ in range(3))
    voi = metrics.variation_of_information
    assert voi(a, c) <= voi(a, b) + voi(b, c) + 1e-12


def test_adjusted_rand_index_of_unrelated_masks_is_about_zero():
    # Isolated pixels would all be segments of their own; wide blobs on a coarse grid are not.
    rng = np.random.default_rng(4)
    values = []
    for _ in range(40):
        first, second = (np.kron(rng.random((12, 15)) > 0.5, np.ones((4, 4))) for _ in range(2))
        values.append(metrics.adjusted_rand_index(first, second))
    assert abs(np.mean(values)) < 0.05
    assert min(values) < 0


def test_adjusted_rand_index_does_not_overflow():
    # n (n - 1) is near 2^44 here, and the products of two such numbers far beyond int64.
    truth = np.zeros((2048, 2049), bool)
    truth[:, :1024] = True
    prediction = np.zeros_like(truth)
    prediction[:, :1025] = True
    assert 0.99 < metrics.adjusted_rand_index(prediction, truth) < 1


# --- report --------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["foreground", "background"])
def test_report_holds_every_number_and_its_settings(labels):
    for prediction, truth in pairs(12, seed=3):
        for options in (
            {},
            {"connectivity": 1, "patch": 3},
            {"patch": 2, "border": "closed"},
        ):
            result = metrics.report(prediction, truth, labels=labels, **options)
            partition = {"labels": labels, "connectivity": options.get("connectivity")}
            expected = {
                "dice": metrics.dice(prediction, truth),
                "cldice": metrics.cldice(prediction, truth),
                "betti_error": metrics.betti_error(prediction, truth, **options),
                "warping_error": metrics.warping_error(
                    prediction, truth, connectivity=options.get("connectivity")
                ),
                "adjusted_rand_index": metrics.adjusted_rand_index(prediction, truth, **partition),
                "variation_of_information": metrics.variation_of_information(
                    prediction, truth, **partition
                ),
                "connectivity": options.get("connectivity", truth.ndim),
                "patch": options.get("patch"),
                "border": options.get("border", "open"),
                "labels": labels,
            }
            if truth.ndim == 2:
                expected["betti_matching_error"] = metrics.betti_matching_error(
                    prediction, truth, connectivity=options.get("connectivity")
                )
            for k in range(truth.ndim):
                expected[f"betti_{k}_error"] = metrics.betti_error(
                    prediction, truth, dimension=k, **options
                )
            assert result == expected


def test_report_can_be_written_as_json():
    import json

    result = metrics.report(BROKEN, LADDER, patch=np.int64(2), connectivity=np.int64(1))
    assert json.loads(json.dumps(result)) == result


# --- kinds of arrays -----------------------------------------------------------------------------


def test_every_kind_of_array():
    expected = [metric(BROKEN, LADDER) for metric in PAIR_METRICS]
    for dtype in (np.uint8, np.int64, np.float16, np.float32, np.float64):
        values = [metric(BROKEN.astype(dtype), LADDER) for metric in PAIR_METRICS]
        assert values == expected
    readonly = BROKEN.copy()
    readonly.flags.writeable = False
    spread = np.zeros((10, 14), bool)
    spread[::2, ::2] = BROKEN
    backwards = np.flip(np.flip(BROKEN).copy())
    for variant in (np.asfortranarray(BROKEN), readonly, spread[::2, ::2], backwards):
        assert [metric(variant, LADDER) for metric in PAIR_METRICS] == expected
        assert metrics.report(variant, LADDER) == metrics.report(BROKEN, LADDER)
        np.testing.assert_array_equal(variant, BROKEN)


# --- Ignored pixels ------------------------------------------------------------------------------

METRICS = [
    metrics.dice,
    metrics.cldice,
    metrics.betti_error,
    partial(metrics.betti_error, patch=4, border="closed", connectivity=1),
    metrics.betti_matching_error,
    partial(metrics.betti_matching_error, patch=4),
    metrics.warping_error,
    metrics.adjusted_rand_index,
    partial(metrics.adjusted_rand_index, labels="background"),
    metrics.variation_of_information,
    partial(metrics.variation_of_information, labels="background", connectivity=1),
]
BEST_IS_ONE = {metrics.dice, metrics.cldice, metrics.adjusted_rand_index}


def named(value):
    """Name a test: a function by its name, for its address is another in each process."""
    if isinstance(value, partial):
        return f"{value.func.__name__}-{value.keywords}"
    return value.__name__ if callable(value) else str(value)


def perfect(metric):
    return 1.0 if getattr(metric, "func", metric) in BEST_IS_ONE else 0.0


def smooth_masks(seed, shape=(11, 14)):
    """Two masks that differ here and there, and ignored pieces of some pixels."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=shape), 1) for _ in range(3)]
    first = fields[0] > 0
    return first ^ (fields[1] > 0.35), first, fields[2] > 0.2


OF_SHAPES = [
    *product([(11, 14), (5, 6, 7)], METRICS),
    ((11, 14), partial(metrics.warping_error, spacing=(2.5, 1.0))),
    ((5, 6, 7), partial(metrics.warping_error, spacing=(3.0, 1.0, 0.7))),
    ((5, 6, 7), partial(metrics.cldice, spacing=(3.0, 1.0, 0.7))),
]


@pytest.mark.parametrize(("shape", "metric"), OF_SHAPES, ids=named)
def test_what_masks_hold_at_ignored_pixels_changes_nothing(metric, shape):
    for seed in range(4):
        prediction, truth, ignored = smooth_masks(seed, shape)
        value = metric(prediction, truth, ignored=ignored)
        noise = np.random.default_rng(seed).random((2, *shape)) < 0.5
        for other in (prediction ^ (noise[0] & ignored), prediction & ~ignored):
            for wanted in (truth ^ (noise[1] & ignored), truth | ignored):
                assert metric(other, wanted, ignored=ignored) == value
        assert type(value) is float
        # A mask that is right where anybody knows is perfect.
        right = np.where(ignored, noise[0], truth)
        assert metric(right, truth, ignored=ignored) == perfect(metric)


@pytest.mark.parametrize("metric", [metrics.cldice, metrics.warping_error])
def test_a_spacing_counts_beside_ignored_pixels(metric):
    differ = 0
    for seed in range(8):
        prediction, truth, ignored = smooth_masks(seed, (8, 12, 13))
        values = [
            metric(prediction, truth, ignored=ignored, spacing=spacing)
            for spacing in (None, (0.3, 0.3, 0.3), (4, 1, 1), (12, 3, 3))
        ]
        assert values[0] == values[1]  # only ratios count
        assert values[2] == values[3]
        differ += values[0] != values[2]
    assert differ


@pytest.mark.parametrize("metric", METRICS, ids=named)
def test_nothing_ignored_is_no_change_and_all_ignored_no_error(metric):
    prediction, truth, _ = smooth_masks(9)
    none, everything = np.zeros(truth.shape, bool), np.ones(truth.shape, bool)
    assert metric(prediction, truth, ignored=none) == metric(prediction, truth)
    assert metric(prediction, truth, ignored=everything) == perfect(metric)
    # The number 1 marks a pixel as well as True does.
    ignored = np.arange(truth.size).reshape(truth.shape) % 7 == 0
    value = metric(prediction, truth, ignored=ignored.astype(np.uint8))
    assert value == metric(prediction, truth, ignored=ignored)


def test_overlap_and_segments_count_labelled_pixels_alone():
    for seed in range(6):
        prediction, truth, ignored = smooth_masks(seed)
        kept = ~ignored
        expected = metrics.dice(prediction[kept][None], truth[kept][None])  # as one row of pixels
        assert metrics.dice(prediction, truth, ignored=ignored) == expected
        # Segments are those of the filled masks, counted over the pixels left.
        labels = [ndimage.label(fill_ignored(m, ignored)[0], np.ones((3, 3)))[0][kept]
                  for m in (prediction, truth)]  # fmt: skip
        ari = metrics.adjusted_rand_index(prediction, truth, ignored=ignored)
        assert ari == pytest.approx(brute_force_ari(*labels))
        voi = metrics.variation_of_information(prediction, truth, ignored=ignored)
        assert voi == pytest.approx(sum(skimage_voi(*labels)))


def test_mistakes_inside_ignored_pixels_cost_nothing_and_those_beside_do():
    truth = np.zeros((9, 20), bool)
    truth[4, :] = True
    ignored = np.zeros_like(truth)
    ignored[2:7, 8:13] = True
    inside, beside = truth.copy(), truth.copy()
    inside[4, 9:12] = False  # a break, and a blob, where nobody knows
    inside[6, 12] = True
    beside[4, 3] = False
    for metric in METRICS:
        assert metric(inside, truth, ignored=ignored) == perfect(metric)
        if metric not in METRICS[1:2] and not isinstance(metric, partial):
            assert metric(beside, truth, ignored=ignored) != perfect(metric)
    # The line is cut into two by what nobody knows, and the break makes a third piece.
    assert metrics.betti_error(beside, truth, ignored=ignored) == 1
    assert metrics.betti_matching_error(beside, truth, ignored=ignored) == 1
    assert metrics.warping_error(beside, truth, ignored=ignored) == 1 / (180 - 25)
    # As much as without the ignored pixels, in which both are one line.
    assert metrics.betti_error(beside, truth) == 1


def test_patches_that_are_ignored_do_not_count():
    prediction, truth, _ = smooth_masks(4, (8, 16))
    ignored = np.zeros_like(truth)
    ignored[:, 8:] = True
    for metric in (metrics.betti_error, metrics.betti_matching_error):
        value = metric(prediction, truth, patch=4, ignored=ignored)
        assert value == metric(prediction[:, :8], truth[:, :8], patch=4) > 0
        assert metric(prediction, truth, patch=4, ignored=~ignored) == metric(
            prediction[:, 8:], truth[:, 8:], patch=4
        )


@pytest.mark.parametrize("shape", [(11, 14), (4, 5, 6)])
def test_report_says_what_each_metric_says_of_ignored_pixels(shape):
    prediction, truth, ignored = smooth_masks(2, shape)
    result = metrics.report(prediction, truth, ignored=ignored, patch=4, labels="background")
    assert result["dice"] == metrics.dice(prediction, truth, ignored=ignored)
    assert result["cldice"] == metrics.cldice(prediction, truth, ignored=ignored)
    error = partial(metrics.betti_error, prediction, truth, patch=4, ignored=ignored)
    assert result["betti_error"] == error()
    assert result["betti_1_error"] == error(dimension=1)
    assert result["warping_error"] == metrics.warping_error(prediction, truth, ignored=ignored)
    for name in ("adjusted_rand_index", "variation_of_information"):
        value = getattr(metrics, name)(prediction, truth, labels="background", ignored=ignored)
        assert result[name] == value
    if len(shape) == 2:
        matching = metrics.betti_matching_error(prediction, truth, ignored=ignored)
        assert result["betti_matching_error"] == matching
