"""Every kernel on images of chance: ties, constants, sides of 1, all layouts and connectivities.

Each law is tried on 50 images a day, always the same ones, and on 10,000 new ones a night, where
numba looks at the bounds of every array. `make nightly` sees to it; one law alone:

    export NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=/tmp/bounds
    pytest -m nightly tests/topology/test_fuzz.py -k NAME

Bounds cost their own compiled code, hence the folder.
"""

from __future__ import annotations

from collections import Counter

import gudhi
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import config
from scipy import ndimage

from toposeg_lite.topology import (
    betti_numbers,
    flip_order,
    homotopy_warp,
    label_components,
    match_pairs,
    morse_complex,
    persistence_pairs,
    simple_points,
)
from toposeg_lite.topology.branches import find_branches
from toposeg_lite.topology.components import overlap_sizes
from toposeg_lite.topology.discs import divide_mask, draw_discs
from toposeg_lite.topology.skeleton import thin_mask

NIGHT = 10_000
PERIODS = [pytest.param(50, id="day"), pytest.param(NIGHT, id="night", marks=pytest.mark.nightly)]


def fuzz(*strategies):
    """Let a law be tried on examples of strategies: few by day, many at night."""

    def decorate(law):
        @pytest.mark.parametrize("examples", PERIODS)
        def test(examples):
            if examples == NIGHT:
                assert config.BOUNDSCHECK, "set NUMBA_BOUNDSCHECK=1, as `make nightly` does"
            profile = settings(
                max_examples=examples,
                derandomize=examples != NIGHT,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            profile(given(*strategies)(law))()

        test.__name__, test.__doc__ = law.__name__, law.__doc__
        return test

    return decorate


def full(rank):
    """The structuring element of scipy for a connectivity, of as many axes as `rank` says."""
    ndim, connectivity = rank
    return ndimage.generate_binary_structure(ndim, connectivity)


@st.composite
def arrays(draw, values, ndim=None):
    """Arrays of the given values in 2D and 3D, small, of any layout in memory."""
    ndim = draw(st.sampled_from([2, 3])) if ndim is None else ndim
    side = 9 if ndim == 2 else 4
    shape = tuple(draw(st.integers(1, side)) for _ in range(ndim))
    array = draw(values)(shape)
    layout = draw(st.sampled_from(["C", "F", "backwards", "strided", "read-only"]))
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "backwards":
        return array[(slice(None, None, -1),) * ndim]
    if layout == "strided":
        wide = np.zeros([2 * n for n in shape], array.dtype)
        wide[(slice(None, None, 2),) * ndim] = array
        return wide[(slice(None, None, 2),) * ndim]
    array.flags.writeable = layout != "read-only"
    return array


@st.composite
def grey(draw):
    """A function of a shape: a likelihood of few values, of one, of all different ones."""
    seed, levels = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([1, 2, 3, 5, 17, 0]))
    dtype = draw(st.sampled_from([np.float64, np.float32, np.float16]))

    def make(shape):
        rng = np.random.default_rng(seed)
        if levels == 1:
            return np.full(shape, rng.choice([0, 0.25, 1])).astype(dtype)
        if levels:
            return (rng.integers(0, levels, shape) / (levels - 1)).astype(dtype)
        return rng.random(shape).astype(dtype)

    return make


@st.composite
def binary(draw):
    """A function of a shape: a mask of any density, empty and full included."""
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0, 0.2, 0.5, 0.8, 1]))
    return lambda shape: np.random.default_rng(seed).random(shape) < density


likelihoods = arrays(grey())
masks = arrays(binary())
seeds = st.integers(0, 2**32 - 1)
is_full = st.booleans()
borders = st.sampled_from(["open", "closed"])


def turned(array, seed):
    """Return an array flipped and transposed at random, and the way back."""
    rng = np.random.default_rng(seed)
    axes = rng.permutation(array.ndim)
    flips = tuple(np.flatnonzero(rng.integers(2, size=array.ndim)))
    return np.flip(array.transpose(axes), flips), lambda a: np.flip(a, flips).transpose(
        np.argsort(axes)
    )


def partner(array, seed):
    """Return another mask of the same shape that agrees with the first in about half of it."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(array.shape) < 0.5, array > 0, rng.random(array.shape) < 0.5)


def euler(mask, connectivity):
    """Return the Euler characteristic of a mask by counting the cells that it stands for.

    Under full connectivity a pixel is a closed square (cube), under 1 a corner of a grid, which has
    those edges, squares and cubes whose corners are all in the mask.
    """
    closed = connectivity > 1
    mask = np.pad(mask, 1) if closed else mask
    total = 0
    for sides in np.ndindex(*(2,) * mask.ndim):  # 1: two pixels meet in, or span, the cell here
        window = (
            np.lib.stride_tricks.sliding_window_view(mask, [s + 1 for s in sides])
            if all(n > s for n, s in zip(mask.shape, sides, strict=True))
            else np.zeros((0,) * 2 * mask.ndim, bool)
        )
        last = tuple(range(mask.ndim, 2 * mask.ndim))
        cells = (window.any(last) if closed else window.all(last)).sum()
        thick = mask.ndim - sum(sides) if closed else sum(sides)
        total += (-1) ** thick * int(cells)
    return total


# --- Masks -----------------------------------------------------------------------------------


@fuzz(masks, is_full, seeds)
def test_labels_are_those_of_scipy(mask, every, seed):
    connectivity = mask.ndim if every else 1
    labels, count = label_components(mask, connectivity=connectivity)
    theirs, their_count = ndimage.label(mask, full((mask.ndim, connectivity)))
    assert count == their_count
    assert np.array_equal(labels > 0, mask)
    assert len(set(zip(labels.ravel().tolist(), theirs.ravel().tolist(), strict=True))) == (
        count + (not mask.all())
    )
    other, back = turned(mask, seed)
    assert np.array_equal(back(label_components(other, connectivity=connectivity)[0] > 0), mask)


@fuzz(masks, is_full, borders, seeds)
def test_betti_numbers_are_counted_and_add_up(mask, every, border, seed):
    connectivity = mask.ndim if every else 1
    betti = betti_numbers(mask, connectivity=connectivity, border=border)
    whole = np.pad(mask, 1, constant_values=border == "closed")
    around = np.pad(whole, 1)
    foreground = ndimage.label(whole, full((mask.ndim, connectivity)))[1]
    background = ndimage.label(~around, full((mask.ndim, mask.ndim if not every else 1)))[1] - 1
    assert (betti[0], betti[-1]) == (foreground, background)
    assert sum((-1) ** k * n for k, n in enumerate(betti)) == euler(whole, connectivity)
    other, _ = turned(mask, seed)
    assert betti == betti_numbers(other, connectivity=connectivity, border=border)


@fuzz(masks, seeds, is_full)
def test_overlaps_are_the_contingency_table_of_scipys_labels(mask, seed, every):
    connectivity = mask.ndim if every else 1
    other = partner(mask, seed)
    labels = [ndimage.label(m, full((mask.ndim, connectivity)))[0].ravel() for m in (mask, other)]
    table = Counter(zip(*(each.tolist() for each in labels), strict=True))
    first, second, joint = overlap_sizes(mask, other, connectivity=connectivity)
    assert first.tolist() == np.bincount(labels[0]).tolist()
    assert second.tolist() == np.bincount(labels[1]).tolist()
    assert sorted(joint.tolist()) == sorted(table.values())


def is_simple(window, every):
    """Say by the theorem of Bertrand and Malandain whether the middle of 3 pixels a side is."""
    ndim = window.ndim
    reach = np.abs(np.indices(window.shape) - 1).sum(0)

    def parts(mask, connectivity, near):
        """Count components of what is near that touch the middle."""
        labels = ndimage.label(mask & (reach > 0) & (reach <= near), full((ndim, connectivity)))[0]
        return len(set(labels[(reach > 0) & (reach <= connectivity)].tolist()) - {0})

    wide, narrow = (window, ~window) if every else (~window, window)
    return parts(wide, ndim, ndim) == 1 and parts(narrow, 1, 2) == 1


@fuzz(masks, is_full, seeds)
def test_simple_points_are_those_of_the_definition(mask, every, seed):
    connectivity = mask.ndim if every else 1
    found = simple_points(mask, connectivity=connectivity)
    padded = np.pad(mask, 1)
    for place in np.ndindex(*mask.shape):
        window = padded[tuple(slice(p, p + 3) for p in place)]
        assert found[place] == is_simple(window, every), place
    other, back = turned(mask, seed)
    assert np.array_equal(back(simple_points(other, connectivity=connectivity)), found)


@fuzz(masks, seeds, is_full)
def test_a_warp_keeps_the_topology_and_leaves_nothing_that_could_flip(mask, seed, every):
    connectivity = mask.ndim if every else 1
    target = partner(mask, seed)
    before = mask.copy()
    warped, critical = homotopy_warp(mask, target, connectivity=connectivity)
    order = flip_order(mask, target, connectivity=connectivity)
    flipped = np.ascontiguousarray(mask).copy()
    flipped.reshape(-1)[order] ^= True
    assert np.array_equal(flipped, warped)
    assert len(set(order.tolist())) == len(order)
    assert np.array_equal(critical, warped != target)
    assert not (critical & (mask == target)).any()
    assert betti_numbers(warped, connectivity=connectivity) == betti_numbers(
        mask, connectivity=connectivity
    )
    if mask.any() and not mask.all():
        assert not (critical & simple_points(warped, connectivity=connectivity)).any()
    assert np.array_equal(mask, before)


@fuzz(masks)
def test_thinning_keeps_the_topology_within_the_mask(mask):
    checked = np.ascontiguousarray(mask)
    thin = thin_mask(checked)
    assert not (thin & ~mask).any()
    assert betti_numbers(thin) == betti_numbers(mask)
    assert np.array_equal(thin_mask(thin), thin)


@fuzz(masks, seeds)
def test_each_pixel_goes_with_the_disc_that_it_lies_deepest_in(mask, seed):
    mask = np.ascontiguousarray(mask)
    rng = np.random.default_rng(seed)
    owner = np.where(rng.random(mask.shape) < 0.3, rng.integers(0, 5, mask.shape), -1)
    goes = divide_mask(mask, owner)
    assert ((goes == -1) | mask).all()
    places = np.stack(np.unravel_index(np.arange(mask.size), mask.shape), 1)
    outside = places[~mask.ravel()]
    centres = np.flatnonzero((owner.ravel() >= 0) & mask.ravel())
    if not len(centres):
        assert (goes == -1).all()
        return
    squared = ((places[:, None] - places[centres]) ** 2).sum(2)
    if len(outside):
        reach = ((places[centres][:, None] - outside) ** 2).sum(2).min(1)
    else:
        reach = np.full(len(centres), sum(n * n for n in mask.shape))
    depth = squared - reach
    for pixel in np.flatnonzero(mask.ravel() & (depth.min(1) < 0)):
        deepest = centres[depth[pixel] == depth[pixel].min()]
        assert goes.ravel()[pixel] in owner.ravel()[deepest]


@fuzz(masks, st.sampled_from([0, 0.5, 1, 1.5, 2, 3.7, 20]), st.booleans(), seeds)
def test_discs_hold_what_is_near(mask, radius, value, seed):
    out = np.ascontiguousarray(mask).copy()
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, mask.size, rng.integers(0, 4))
    draw_discs(out, pixels, radius, value)
    places = np.stack(np.unravel_index(np.arange(mask.size), mask.shape), 1)
    away = ((places[:, None] - places[pixels]) ** 2).sum(2)
    near = (away <= radius**2).any(1).reshape(mask.shape)
    assert np.array_equal(out, np.where(near, value, mask))


# --- Likelihoods -----------------------------------------------------------------------------


def values_of(pairs):
    ends = (pairs.dimension.tolist(), pairs.birth.tolist(), pairs.death.tolist())
    return Counter(zip(*ends, strict=True))


def diagram_by_gudhi(image, connectivity, border):
    """Return the superlevel diagram by GUDHI, the essential class dying at 0."""
    image = np.asarray(image, dtype=float)
    if border == "closed":
        image = np.pad(image, 1, constant_values=1.0)
    construction = "vertices" if connectivity == 1 else "top_dimensional_cells"
    cubical = gudhi.CubicalComplex(**{construction: -image})
    cubical.compute_persistence(min_persistence=0.0)
    return Counter(
        (d, 0 - birth, 0.0 if np.isinf(death) else 0 - death)
        for d, (birth, death) in cubical.persistence()
        if d < image.ndim
    )


@fuzz(likelihoods, is_full, borders, seeds)
def test_the_diagram_is_gudhis(image, every, border, seed):
    connectivity = image.ndim if every else 1
    options = {"connectivity": connectivity, "border": border}
    pairs = persistence_pairs(image, **options)
    assert values_of(pairs) == diagram_by_gudhi(image, connectivity, border)
    flat = np.ascontiguousarray(image).ravel()
    for index, value in ((pairs.birth_index, pairs.birth), (pairs.death_index, pairs.death)):
        known = index >= 0
        assert (flat[index[known]] == value[known]).all()
    other, _ = turned(image, seed)
    assert values_of(persistence_pairs(other, **options)) == values_of(pairs)


@fuzz(likelihoods, is_full, borders)
def test_the_pairs_are_the_same_after_a_monotone_change(image, every, border):
    options = {"connectivity": image.ndim if every else 1, "border": border}
    plain = persistence_pairs(image, **options)
    # The place of a value among all values, 0 and 1, for the value itself.
    flat = np.ascontiguousarray(image, np.float64).ravel()
    values, ranks = np.unique([*flat, 0, 1], return_inverse=True)
    ranked = ranks[:-2].reshape(image.shape) / (len(values) - 1)
    changed = persistence_pairs(ranked, **options)
    for name in ("dimension", "birth_index", "death_index"):
        assert np.array_equal(getattr(changed, name), getattr(plain, name))
    alive = (plain.birth >= image.dtype.type(0.5)) & (plain.death < image.dtype.type(0.5))
    betti = betti_numbers(np.asarray(image) >= 0.5, **options)
    assert np.bincount(plain.dimension[alive], minlength=image.ndim).tolist() == list(betti)


@fuzz(
    likelihoods, seeds, is_full, borders,
    st.sampled_from(["spatial", "betti", "wasserstein", "rank"]),
)  # fmt: skip
def test_each_pair_is_matched_once_to_one_of_its_dimension(image, seed, every, border, matching):
    options = {"connectivity": image.ndim if every else 1, "border": border, "matching": matching}
    result = match_pairs(image, partner(image, seed), **options)
    left, right = result.matched.T
    for pairs, matched, others in (
        (result.prediction, left, result.unmatched_prediction),
        (result.truth, right, result.unmatched_truth),
    ):
        assert sorted([*matched.tolist(), *others.tolist()]) == list(range(len(pairs)))
    assert (result.prediction.dimension[left] == result.truth.dimension[right]).all()
    mask = np.asarray(image) >= 0.5
    same = match_pairs(mask, mask, **options)
    assert same.cost == 0
    assert len(same.unmatched_prediction) == len(same.unmatched_truth)
    if matching in ("wasserstein", "rank"):
        other, _ = turned(np.asarray(image), seed)
        truth, _ = turned(partner(image, seed), seed)
        assert match_pairs(other, truth, **options).cost == pytest.approx(result.cost, abs=1e-6)


@fuzz(likelihoods, is_full, st.sampled_from([0, 0.1, 0.5, 1]), st.sampled_from([0, 0.3, 0.6, 1]))
def test_branches_skeleton_and_patches_are_those_of_the_diagram(image, every, least, level):
    connectivity = 2 if every and image.ndim == 2 else 1
    complex_ = morse_complex(image, connectivity=connectivity)
    pairs = persistence_pairs(
        image, connectivity=connectivity, dimensions=(0, 1), min_persistence=least
    )
    branches = complex_.branches(least)
    # Each join ends a component but the essential one; each loop of the open image closes one.
    joins = int(np.count_nonzero(pairs.dimension == 0)) - 1
    assert int(np.count_nonzero(branches.dimension == 0)) == max(joins, 0)
    assert int(np.count_nonzero(branches.dimension == 1)) == int(
        np.count_nonzero(pairs.dimension == 1)
    )
    assert all(len(path) for path in branches.paths)
    drawn = complex_.skeleton(least, level).mask
    floor = np.asarray(image) >= np.asarray(image).dtype.type(level)
    assert not (drawn & ~floor).any() or level == 0
    if least == 0:
        ours = label_components(drawn, connectivity=connectivity)[1]
        assert ours == label_components(floor, connectivity=connectivity)[1]
    patches = complex_.patches(least)
    assert sorted(set(patches.ravel().tolist())) == list(range(1, patches.max() + 1))
    closed = persistence_pairs(
        image, connectivity=connectivity, border="closed", dimensions=(image.ndim - 1,),
        min_persistence=least,
    )  # fmt: skip
    assert patches.max() == max(1, len(closed))


@fuzz(likelihoods, is_full, st.sampled_from([0, 0.1, 0.5]), st.booleans(), seeds)
def test_decisions_about_branches_do_what_they_say(image, every, least, specks, seed):
    connectivity = 2 if every and image.ndim == 2 else 1
    found = find_branches(
        image, min_persistence=least, connectivity=connectivity, specks=specks, split=0.25
    )
    count = len(found)
    assert len(np.unique(found.own_pixels)) == len(found.own_pixels)
    base = found.mask(np.zeros(count, np.int8))
    assert np.array_equal(base, np.asarray(image) >= 0.5)
    decisions = np.random.default_rng(seed).integers(-1, 2, count)
    mask = found.mask(decisions, radius=0)
    for k, path in enumerate(found.own_paths):
        if decisions[k] == 1:
            assert mask.ravel()[path].all()
    only_yes = found.mask(np.where(decisions > 0, 1, 0), radius=1)
    only_no = found.mask(np.where(decisions < 0, -1, 0), radius=1)
    assert not (base & ~only_yes).any()
    assert not (only_no & ~base).any()
    assert ((found.region >= -1) & (found.region < count)).all()
