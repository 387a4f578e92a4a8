"""Spacing: lengths in space decide orders and skeletons, and never the topology."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from toposeg_lite import metrics
from toposeg_lite.topology import betti_numbers, flip_order, homotopy_warp, simple_points, warping
from toposeg_lite.topology.grid import check_spacing
from toposeg_lite.topology.skeleton import thin_by_depth, thin_mask


def blobs(seed, shape, share=0.3, sigma=1.5):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return field > np.quantile(field, 1 - share)


SHAPES = [(9, 12), (7, 9, 8)]
SPACINGS = {2: (2.5, 1.0), 3: (3.0, 1.0, 0.7)}


def test_only_ratios_count():
    assert check_spacing(None, 3) is None
    assert check_spacing((0.7, 0.7, 0.7), 3) is None
    assert check_spacing(np.array([1.5, 0.5]), 2) == (3.0, 1.0)
    for factor in (2.0, 0.1, 3.0):
        ratios = check_spacing([factor * length for length in (3.0, 1.0, 0.7)], 3)
        assert ratios == pytest.approx(check_spacing((3.0, 1.0, 0.7), 3))
    assert check_spacing((1000, 1)) == (1000.0, 1.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_equal_spacings_have_the_bits_of_none(seed, shape):
    mask, target = blobs(seed, shape), blobs(seed + 50, shape)
    equal = (0.3,) * len(shape)
    for function in (homotopy_warp, flip_order):
        assert np.array_equal(function(mask, target, spacing=equal), function(mask, target))
    assert metrics.warping_error(mask, target, spacing=equal) == metrics.warping_error(mask, target)
    assert metrics.cldice(mask, target, spacing=equal) == metrics.cldice(mask, target)
    # The kernels for lengths, of which none differs, agree with those for whole numbers.
    ones = (1.0,) * len(shape)
    assert np.array_equal(thin_by_depth(mask, ones), thin_by_depth(mask))
    for full in (True, False):
        padded = [warping.pad_mask(mask) for _ in range(2)]
        orders = [
            warping._flip(p, mask, target, full, s)
            for p, s in zip(padded, (ones, None), strict=True)
        ]
        assert np.array_equal(*orders)
        assert np.array_equal(*padded)


@pytest.mark.parametrize("factor", [2.0, 3.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_another_unit_changes_nothing(shape, factor):
    spacing = SPACINGS[len(shape)]
    other = tuple(factor * length for length in spacing)
    for seed in range(5):
        mask, target = blobs(seed, shape), blobs(seed + 50, shape)
        orders = [flip_order(mask, target, spacing=each) for each in (spacing, other)]
        assert np.array_equal(*orders)
        thinned = [thin_by_depth(mask, check_spacing(each)) for each in (spacing, other)]
        assert np.array_equal(*thinned)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_no_topology_depends_on_it(seed, shape):
    spacing, mask, target = SPACINGS[len(shape)], blobs(seed, shape), blobs(seed + 50, shape)
    skeleton = thin_by_depth(mask, check_spacing(spacing))
    assert not (skeleton & ~mask).any()
    assert betti_numbers(skeleton) == betti_numbers(mask)
    for connectivity in (1, len(shape)):
        warped, critical = homotopy_warp(mask, target, connectivity=connectivity, spacing=spacing)
        numbers = [betti_numbers(m, connectivity=connectivity) for m in (mask, warped)]
        assert numbers[0] == numbers[1]
        assert np.array_equal(critical, warped != target)
        # Nothing simple is left where they differ.
        assert not (critical & simple_points(warped, connectivity=connectivity)).any()


def squared_lengths(mask, spacing):
    """The squared distance of each pixel to the other class, outside included, pair by pair."""
    padded = np.pad(mask, 1)
    places = np.argwhere(np.ones(padded.shape)) * np.array(spacing)
    result = np.zeros(padded.size)
    for inside in (True, False):
        own = padded.ravel() == inside
        apart = places[own][:, None] - places[~own][None]
        result[own] = (apart**2).sum(2).min(1)
    return result.reshape(padded.shape)[(slice(1, -1),) * mask.ndim]


@pytest.mark.parametrize(("shape", "spacing"), [((6, 8), (2.5, 1)), ((4, 5, 6), (1.7, 1, 0.6))])
@pytest.mark.parametrize("seed", range(4))
def test_the_first_simple_pixel_by_length_flips(seed, shape, spacing):
    mask, target = blobs(seed, shape, 0.4, 1.0), blobs(seed + 50, shape, 0.4, 1.0)
    lengths = np.round(squared_lengths(mask, np.array(spacing) / min(spacing)), 6).ravel()
    now, expected = mask.copy(), []
    while (ready := np.flatnonzero(simple_points(now) & (now != target))).size:
        first = min(ready, key=lambda pixel: (lengths[pixel], pixel))
        now.ravel()[first] ^= True
        expected.append(first)
    assert expected  # else nothing was tested
    assert flip_order(mask, target, spacing=spacing).tolist() == expected


def test_fronts_go_on_within_thick_slices_first():
    """Of a block between a floor and a wall: along the wall first, for the next row is far."""
    mask = np.zeros((5, 7), bool)
    mask[0], mask[:, 0] = True, True
    rows, columns = np.unravel_index(
        flip_order(mask, np.ones((5, 7), bool), spacing=(2.5, 1)), mask.shape
    )
    assert columns[:4].tolist() == [1, 1, 1, 1]  # at distance 1 from the wall
    assert columns[4:8].tolist() == [2, 2, 2, 2]  # at 2
    assert rows[8:12].tolist() == [1, 1, 1, 1]  # at 2.5 from the floor
    assert columns[12:18].tolist() == [3, 3, 3, 4, 4, 4]


T = np.linspace(0, 1, 400)[:, None]
ANGLE = 2 * np.pi * T[:, 0]
AXES = {
    "line": np.array([6, 7, 6]) + T * [14, 20, 26],
    "ring": np.stack([13 + 5 * np.sin(ANGLE), 17 + 9 * np.sin(ANGLE), 20 + 11 * np.cos(ANGLE)], 1),
    "fork": np.concatenate(
        [
            [6, 6, 20] + T * [8, 12, 0],
            [14, 18, 20] + T * [6, 10, 12],
            [14, 18, 20] + T * [4, 10, -12],
        ]
    ),
}


def tube(axis, radius, spacing=(1, 1, 1)):
    """The voxels of this spacing, in a box of 26 x 34 x 40, whose centre lies in a round tube."""
    sides = [
        (np.arange(round(n / s)) + 0.5) * s for n, s in zip((26, 34, 40), spacing, strict=True)
    ]
    places = np.stack(np.meshgrid(*sides, indexing="ij"), -1)
    return cKDTree(AXES[axis]).query(places)[0] <= radius


def apart(first, second):
    """How far the farthest point of either set is from the other."""
    return max(cKDTree(a).query(b)[0].max() for a, b in ((first, second), (second, first)))


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("radius", [2.5, 4.0])
@pytest.mark.parametrize("axis", AXES)
def test_a_volume_of_repeated_slices_has_the_skeleton_of_the_original(axis, radius, times):
    """Its voxels are flat; in space its skeleton is that of the original to 1.5 voxels."""
    solid = tube(axis, radius)
    repeated = solid.repeat(times, axis=0)
    places = np.argwhere(thin_by_depth(solid)) + 0.5
    flat = (1 / times, 1, 1)
    there = (np.argwhere(thin_mask(repeated, check_spacing(flat, 3))) + 0.5) * flat
    assert apart(there, places) < 1.5


@pytest.mark.parametrize("axis", AXES)
def test_a_thickly_sliced_tube_has_its_axis_as_its_skeleton(axis):
    """To one slice; as a solid of cubes it would lose its arms, or the middle."""
    spacing = (2, 1, 1)
    skeleton = thin_mask(tube(axis, 4.0, spacing), check_spacing(spacing, 3))
    assert apart((np.argwhere(skeleton) + 0.5) * spacing, AXES[axis]) < 2


def test_the_metrics_of_repeated_slices_are_those_of_the_original():
    for axis in AXES:
        truth, prediction = tube(axis, 3.0), tube(axis, 2.0)
        prediction[10:12] = False  # broken
        original = metrics.cldice(prediction, truth)
        assert original < 0.97
        repeated = [mask.repeat(3, axis=0) for mask in (prediction, truth)]
        assert metrics.cldice(*repeated, spacing=(1 / 3, 1, 1)) == pytest.approx(original, abs=0.03)
        # The break stays one, in one slice of the three at least.
        assert metrics.warping_error(*repeated, spacing=(1 / 3, 1, 1)) > 0


def test_the_thinning_of_an_image_refuses_it():
    with pytest.raises(ValueError, match="Zhang's thinning measures no"):
        thin_mask(np.ones((4, 9), bool), (2.0, 1.0))


def test_the_report_measures_with_a_spacing_and_counts_without_one():
    prediction, truth = (blobs(seed, (9, 14, 13)) for seed in (1, 2))
    spacing = (3.0, 1.0, 1.0)
    plain, measured = (metrics.report(prediction, truth, spacing=s) for s in (None, spacing))
    for name, metric in (("cldice", metrics.cldice), ("warping_error", metrics.warping_error)):
        assert measured.pop(name) == metric(prediction, truth, spacing=spacing) != plain.pop(name)
    assert measured == plain
    other = tuple(0.4 * length for length in spacing)
    assert metrics.report(prediction, truth, spacing=other) == metrics.report(
        prediction, truth, spacing=spacing
    )


def test_a_tube_stretched_with_its_spacing_has_the_same_depths():
    """A box of cubes, and the same box of voxels three times as long, fewer of them: one in space.

    Depths, and so the middle line, are those of the solid: across the long voxels a third as many.
    """
    fine, flat = np.zeros((21, 11, 11), bool), np.zeros((7, 11, 11), bool)
    fine[3:18, 3:8, 3:8], flat[1:6, 3:8, 3:8] = True, True
    lines = [thin_by_depth(fine), thin_by_depth(flat, (3.0, 1.0, 1.0))]
    for line in lines:
        assert set(map(tuple, np.argwhere(line)[:, 1:].tolist())) == {(5, 5)}
    ends = [np.argwhere(line)[:, 0] * size for line, size in zip(lines, (1, 3), strict=True)]
    assert abs(np.ptp(ends[0]) - np.ptp(ends[1])) <= 3
