"""Thinning: the laws of a skeleton, the shapes on which Lee's thinning failed, and Zhang's laws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.morphology import skeletonize

from toposeg_lite import metrics
from toposeg_lite.topology import betti_numbers, simple_points
from toposeg_lite.topology.skeleton import _shallow_first, _squared_depths, thin_by_depth, thin_mask

small_masks = st.one_of(
    arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)),
    arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=5)),
)
axes = pytest.mark.parametrize("axis", range(3))


def smooth_mask(seed: int) -> np.ndarray:
    """Blobs and lines, or noise, in an oblong image or volume."""
    rng = np.random.default_rng(seed)
    ndim = 2 + seed % 2
    shape = rng.integers(6, 40 if ndim == 2 else 22, ndim)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), rng.choice([0.0, 0.8, 1.5, 2.5]))
    return field > np.quantile(field, rng.choice([0.3, 0.6, 0.85]))


def bar(start, stop, radius, shape, *, round_ends=False):
    """All pixels within a radius of a segment; ends that are not round are cut across."""
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    start, way = np.array(start, float), np.subtract(stop, start)
    along = (places - start) @ way / (way @ way)
    nearest = start + np.clip(along, 0, 1)[..., None] * way
    inside = np.linalg.norm(places - nearest, axis=-1) <= radius
    return inside & (round_ends | ((along >= 0) & (along <= 1)))


def count_neighbours(mask):
    return ndimage.convolve(mask.astype(int), np.ones((3,) * mask.ndim, int), mode="constant") - 1


def count_ends(mask):
    return np.count_nonzero(mask & (count_neighbours(mask) == 1))


def distance_to(skeleton, place):
    return np.linalg.norm(np.argwhere(skeleton) - place, axis=1).min()


# --- laws -----------------------------------------------------------------------------------------


def check_laws(mask):
    before = mask.copy()
    skeleton = thin_by_depth(mask)
    assert np.array_equal(mask, before)
    assert skeleton.dtype == bool
    assert skeleton.shape == mask.shape
    assert not (skeleton & ~mask).any()
    assert betti_numbers(skeleton) == betti_numbers(mask)
    labels, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    assert len(np.unique(labels[skeleton])) == count
    # one pixel wide: what is simple is an end
    assert (count_neighbours(skeleton)[skeleton & simple_points(skeleton)] == 1).all()
    assert np.array_equal(thin_by_depth(skeleton), skeleton)
    assert np.array_equal(thin_by_depth(mask), skeleton)
    assert np.array_equal(thin_by_depth(np.asfortranarray(mask)), skeleton)


@settings(deadline=None, max_examples=300)
@given(small_masks)
def test_laws_on_small_masks(mask):
    check_laws(mask)


@pytest.mark.parametrize("seed", range(80))
def test_laws_on_larger_masks(seed):
    check_laws(smooth_mask(seed))


@pytest.mark.parametrize("seed", range(40))
def test_moved_by_two_or_mirrored_along_an_odd_axis(seed):
    mask = smooth_mask(seed)
    mask = mask[tuple(slice(0, n - (n % 2 == 0)) for n in mask.shape)]
    skeleton = thin_by_depth(mask)
    for axis in range(mask.ndim):
        mirrored = np.ascontiguousarray(np.flip(mask, axis))
        assert np.array_equal(np.flip(thin_by_depth(mirrored), axis), skeleton)
    moved = thin_by_depth(np.pad(mask, 2))
    assert np.array_equal(moved[(slice(2, -2),) * mask.ndim], skeleton)


@pytest.mark.parametrize("seed", range(20))
def test_depths_and_their_order_against_scipy(seed):
    padded = np.pad(smooth_mask(seed), 1)
    pixels = np.flatnonzero(padded)
    sizes = (1, *padded.shape)[-3:]
    squared = _squared_depths(padded.ravel().view(np.uint8), pixels, *sizes)
    expected = np.rint(ndimage.distance_transform_edt(padded) ** 2).ravel()
    assert np.array_equal(squared, expected)
    order = _shallow_first(pixels, squared)
    assert np.array_equal(order, pixels[np.argsort(squared[pixels], kind="stable")])


def test_cavities_keep_their_walls():
    hollow = np.ones((11, 12, 13), bool)
    hollow[4:6, 5:7, 3] = hollow[5, 5, 9] = False
    skeleton = thin_mask(hollow)
    assert betti_numbers(skeleton) == (1, 0, 2)
    assert skeleton.sum() < 250  # of 1711
    solid_torus = hollow & ~hollow
    solid_torus[3:8, 1:11, 1:12] = True
    solid_torus[:, 4:8, 4:9] = False
    skeleton = thin_mask(solid_torus)
    assert betti_numbers(skeleton) == (1, 1, 0)
    assert (count_neighbours(skeleton)[skeleton] == 2).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_empty_full_and_tiny_masks(ndim):
    assert not thin_by_depth(np.zeros((4,) * ndim, bool)).any()
    assert thin_by_depth(np.ones((1,) * ndim, bool)).all()
    assert thin_by_depth(np.ones((1,) * (ndim - 1) + (2,), bool)).all()
    assert 1 <= thin_by_depth(np.ones((9,) * ndim, bool)).sum() <= 2
    assert 1 <= thin_mask(np.ones((2,) * ndim, bool)).sum() <= 2


# --- arms -----------------------------------------------------------------------------------------


@axes
@pytest.mark.parametrize("width", range(1, 9))
def test_straight_tubes(width, axis):
    tube = np.zeros((50, 24, 24), bool)
    tube[3:47, 5 : 5 + width, 6 : 6 + width] = True
    skeleton = thin_mask(np.moveaxis(tube, 0, axis))
    line = np.argwhere(skeleton)
    assert count_ends(skeleton) == 2
    assert np.array_equal(np.unique(line[:, axis]), np.sort(line[:, axis]))  # one in each slice
    assert line[:, axis].min() - 3 <= width / 2
    assert 46 - line[:, axis].max() <= width / 2
    if width > 2:
        others = np.delete(line, axis, axis=1)
        assert (others == others[0]).all()  # and straight


@pytest.mark.parametrize("way", [way for way in product((-1, 0, 1), repeat=3) if any(way)])
@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 3.0])
def test_diagonal_tubes(way, radius):
    way = np.array(way) / np.linalg.norm(way)
    start, stop = 20.5 - 14 * way, 20.5 + 14 * way
    mask = bar(start, stop, radius, (42, 42, 42))
    skeleton = thin_mask(mask)
    assert count_ends(skeleton) == 2
    for end in (start, stop):
        assert distance_to(skeleton, end) <= radius + 2


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("round_ends", [False, True])
@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 2.5, 4.0])
def test_ends_of_slanting_bars(ndim, round_ends, radius):
    rng = np.random.default_rng(5)
    for _ in range(10):
        way = rng.standard_normal(ndim)
        way /= np.linalg.norm(way)
        start, stop = 19 + rng.random(ndim) + 14 * way, 19 + rng.random(ndim) - 14 * way
        mask = bar(start, stop, radius, (40,) * ndim, round_ends=round_ends)
        skeleton = thin_by_depth(mask)
        for end in (start, stop):
            assert distance_to(skeleton, end) <= radius + 2


@pytest.mark.parametrize(
    ("width", "trunk"), [(width, trunk) for trunk in range(1, 7) for width in range(1, trunk + 1)]
)
@axes
def test_arms_of_a_t(width, trunk, axis):
    """Each of the three arms sticks out by twice the width of the trunk, and at least 3 voxels."""
    length = max(2 * trunk, 3)
    shape = np.zeros((trunk + 2, trunk + length + 4, 2 * length + width + 4), bool)
    shape[1 : 1 + trunk, 1 : 1 + trunk, 2:-2] = True
    arm = slice(2 + length, 2 + length + width)
    shape[1 : 1 + width, 1 + trunk : 1 + trunk + length, arm] = True
    skeleton = np.moveaxis(thin_mask(np.ascontiguousarray(np.moveaxis(shape, 2, axis))), axis, 2)
    assert count_ends(skeleton) == 3
    _, y, x = np.nonzero(skeleton)
    assert x.min() - 2 <= trunk / 2
    assert shape.shape[2] - 3 - x.max() <= trunk / 2
    assert trunk + length - y.max() <= width / 2


def test_a_tapering_arm_keeps_its_tip():
    z, y, x = np.mgrid[:60, :21, :21]
    cone = np.hypot(y - 10, x - 10) <= 0.6 + 7 * z / 60
    skeleton = thin_mask(cone & (z > 0))
    assert np.nonzero(skeleton)[0].min() <= 4
    assert count_ends(skeleton) == 2


def noisy_tube(seed, radius, noise):
    """A bent tube with round ends whose surface is rough: smooth noise is added to its distance."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:80, :48, :48]
    t = np.clip((z - 15) / 50, 0, 1)
    middle = 24 + 6 * np.sin(3 * t + rng.uniform(0, 6)), 24 + 6 * np.cos(2 * t + rng.uniform(0, 6))
    beyond = np.maximum(np.maximum(15 - z, z - 65), 0)
    distance = np.sqrt((y - middle[0]) ** 2 + (x - middle[1]) ** 2 + beyond**2)
    rough = ndimage.gaussian_filter(rng.standard_normal(z.shape), 1)
    mask = distance + noise * rough / rough.std() <= radius
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    return ndimage.binary_fill_holes(labels == np.bincount(labels[mask]).argmax())


@pytest.mark.parametrize(
    ("radius", "noise", "most"),
    [(2, 0.0, 0), (4, 0.0, 0), (7, 0.0, 0), (2, 0.3, 0.5), (4, 0.3, 0), (7, 0.3, 0), (4, 0.6, 0.5)],
)
def test_rough_tubes_have_few_spurs(radius, noise, most):
    """On average over 5 tubes; a tube has two ends."""
    spurs = [count_ends(thin_mask(noisy_tube(seed, radius, noise))) - 2 for seed in range(5)]
    assert np.mean(spurs) <= most


# --- what is counted along skeletons --------------------------------------------------------------


@axes
@pytest.mark.parametrize("width", [2, 4, 6])
def test_half_a_tube_is_half_a_skeleton(width, axis):
    """The skeleton of the truth has 40 voxels, less at most width / 2 at each end.

    The prediction, its first half, holds 20 of them, less those at one end; the truth holds the
    prediction's whole skeleton.
    """
    tube = np.zeros((44, 12, 12), bool)
    tube[2:42, 3 : 3 + width, 3 : 3 + width] = True
    truth = np.ascontiguousarray(np.moveaxis(tube, 0, axis))
    half = truth & (np.indices(truth.shape)[axis] < 22)
    sensitivities = [
        (20 - one) / (40 - one - other) for one, other in product(range(width // 2 + 1), repeat=2)
    ]
    expected = [2 * s / (1 + s) for s in sensitivities]
    assert min(expected) <= metrics.cldice(half, truth) <= max(expected)
    assert 0.62 < metrics.cldice(half, truth) < 0.7
    assert metrics.cldice(truth, truth) == 1


def test_a_cut_arm_lowers_cldice():
    truth = np.zeros((10, 60, 44), bool)
    truth[3:7, 3:7, 2:42] = True
    truth[3:7, 7:57, 20:24] = True
    cut = truth.copy()
    cut[:, 32:] = False
    # 40 voxels along the bar, about 53 down the arm, 25 of which are missed, but for its end
    assert metrics.cldice(cut, truth) == pytest.approx(2 / (1 + 1 / (1 - 24 / 90)), abs=0.03)


# --- Zhang's thinning, which is used in 2D --------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=10)))
def test_zhangs_thinning_keeps_the_betti_numbers(mask):
    skeleton = thin_mask(mask)
    assert np.array_equal(skeleton, skeletonize(mask.copy()))
    assert not (skeleton & ~mask).any()
    assert betti_numbers(skeleton) == betti_numbers(mask)
    assert np.array_equal(thin_mask(skeleton), skeleton)


def test_zhangs_thinning_is_scikit_images_in_every_neighbourhood():
    """All of 3 x 3 pixels, of 4 x 4 a part, and boxes over boxes, thick and thin."""
    rng = np.random.default_rng(0)
    masks = [(number >> np.arange(9) & 1).reshape(3, 3) > 0 for number in range(512)]
    masks += [(n >> np.arange(16) & 1).reshape(4, 4) > 0 for n in rng.integers(0, 2**16, 3000)]
    for _ in range(200):
        boxes = np.zeros((50, 70), bool)
        for top, left in rng.integers(0, (50, 70), (5, 2)):
            height, width = rng.integers(1, 30, 2)
            boxes[top : top + height, left : left + width] ^= True
        masks.append(boxes)
    for mask in masks:
        assert np.array_equal(thin_mask(mask), skeletonize(mask.copy()))


@pytest.mark.parametrize("seed", range(0, 60, 2))
def test_zhangs_thinning_keeps_the_betti_numbers_of_larger_masks(seed):
    mask = smooth_mask(seed)
    skeleton = thin_mask(mask)
    assert np.array_equal(skeleton, skeletonize(mask.copy()))
    assert betti_numbers(skeleton) == betti_numbers(mask)
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    assert len(np.unique(labels[skeleton])) == count


@pytest.mark.parametrize("axis", range(2))
@pytest.mark.parametrize("width", range(1, 9))
def test_zhangs_thinning_keeps_the_ends_of_upright_bars(width, axis):
    bar_ = np.zeros((20, 50), bool)
    bar_[5 : 5 + width, 3:47] = True
    skeleton = thin_mask(np.ascontiguousarray(np.moveaxis(bar_, 0, axis)))
    line = np.argwhere(np.moveaxis(skeleton, axis, 0))[:, 1]
    assert line.min() - 3 <= (width + 1) / 2  # half a pixel farther than in volumes
    assert 46 - line.max() <= (width + 1) / 2
    assert np.array_equal(np.unique(line), np.arange(line.min(), line.max() + 1))


def slanting(length):
    """A bar that is two pixels wide in each of its rows, from the first to the last."""
    mask = np.zeros((length, length + 1), bool)
    mask[range(length), range(length)] = mask[range(length), range(1, length + 1)] = True
    return mask


def test_zhangs_thinning_is_not_always_one_pixel_wide():
    """Not even where a pixel could go: one that is simple and no end may stay."""
    mask = np.array([[pixel == "#" for pixel in line] for line in ("##...", ".##..", "..##.")])
    skeletons = [thin_mask(smooth_mask(seed)) for seed in range(0, 60, 2)]
    left = [count_neighbours(s)[s & simple_points(s)] > 1 for s in skeletons]
    assert sum(map(np.count_nonzero, left)) > 0
    assert all(
        (count_neighbours(s)[s & simple_points(s)] == 1).all()
        for s in map(thin_by_depth, (mask, *map(smooth_mask, range(0, 60, 2))))
    )


@pytest.mark.parametrize("length", [9, 11, 20, 41])
def test_zhangs_thinning_eats_some_slanting_bars_from_one_end_to_the_middle(length):
    mask = slanting(length)
    eaten, kept = thin_mask(mask), thin_by_depth(mask)
    rows = np.flatnonzero(eaten.any(1))
    assert 0.4 <= len(rows) / length <= 0.6
    assert rows.max() >= length - 2
    assert betti_numbers(eaten) == (1, 0)  # its topology is kept: only an arm is lost
    assert np.flatnonzero(kept.any(1)).min() == 0
    assert kept.any(1).sum() >= length - 1
    # So clDice does not see that the eaten half is missing; by the thinning by depth it would.
    half = mask & (np.arange(length)[:, None] >= length - len(rows) - 1)
    assert metrics.cldice(half, mask) > 0.9
    assert half[kept].mean() < 0.65


def test_zhangs_thinning_eats_about_one_of_a_hundred_slanting_bars():
    """And the thinning by depth none of the same ones."""
    rng, far = np.random.default_rng(5), []
    for radius in (1.0, 1.5, 2.0, 2.5, 4.0):
        for k in range(100):
            way = rng.standard_normal(2)
            way /= np.linalg.norm(way)
            start, stop = 19 + rng.random(2) + 14 * way, 19 + rng.random(2) - 14 * way
            mask = bar(start, stop, radius, (40, 40), round_ends=bool(k % 2))
            far.append([
                max(distance_to(thin(mask), end) for end in (start, stop)) - radius
                for thin in (thin_mask, thin_by_depth)
            ])  # fmt: skip
    zhang, ours = np.array(far).T
    assert 0.005 <= (zhang > 2).mean() <= 0.03
    assert zhang.max() > 9  # of 28 pixels
    assert (ours <= 2).all()
