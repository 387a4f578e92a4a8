"""Simple points and homotopy warping, against brute force and the laws they must obey."""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import euler_number, label

from toposeg_lite.topology import warping
from toposeg_lite.topology.warping import WarpResult, flip_order, homotopy_warp, simple_points


def drawn(picture: str) -> np.ndarray:
    """Turn rows of `#` and `.` into a mask."""
    rows = picture.split()
    return np.array([[cell == "#" for cell in row] for row in rows])


# --- oracles: nothing of the library ------------------------------------------------------------


def betti(mask, connectivity):
    """Betti numbers by scikit-image's labels and Euler number, in a world of background."""
    mask = np.pad(mask, 1)
    dual = mask.ndim if connectivity == 1 else 1
    components = int(label(mask, connectivity=connectivity).max())
    cavities = int(label(~mask, connectivity=dual).max()) - 1
    euler = int(euler_number(mask, connectivity=connectivity))
    if mask.ndim == 2:
        assert euler == components - cavities
        return components, cavities
    return components, components + cavities - euler, cavities


def betti_by_gudhi(mask, connectivity):
    """Betti numbers by GUDHI: pixels as cells for full connectivity, as vertices for 1."""
    heights = np.where(np.pad(mask, 1), 0.0, 1.0)
    kind = "vertices" if connectivity == 1 else "top_dimensional_cells"
    complex_ = gudhi.CubicalComplex(**{kind: heights})
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=-1)
    return tuple(complex_.persistent_betti_numbers(0.0, 0.5)[: mask.ndim])


def betti_of_patches(patches):
    """Betti numbers (N, 3) of N 3x3x3 patches surrounded by background, under (26, 6).

    Components and cavities by labelling all patches at once, the Euler number by counting the
    vertices, edges, squares and cubes of the union of closed voxels; tunnels are what is left.
    """
    worlds = np.pad(patches, ((0, 0), (1, 1), (1, 1), (1, 1)))
    apart = np.zeros((3, 3, 3, 3), bool)  # a structuring element that never leaves a patch

    def count(masks, connectivity):
        apart[1] = ndimage.generate_binary_structure(3, connectivity)
        labels, number = ndimage.label(masks, apart)
        _, first = np.unique(labels, return_index=True)
        first = first[-number:] if number else first[:0]  # drop label 0
        return np.bincount(first // masks[0].size, minlength=len(masks))

    euler = np.zeros(len(patches), int)
    for axes in product((0, 1), repeat=3):  # along which axes the kind of cell is a mere point
        cells = worlds
        for axis, point in enumerate(axes, 1):
            if point:
                ahead = [slice(None)] * 4
                behind = [slice(None)] * 4
                ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
                cells = cells[tuple(ahead)] | cells[tuple(behind)]
        euler += (-1) ** (3 - sum(axes)) * cells.sum(axis=(1, 2, 3))
    components, cavities = count(worlds, 3), count(~worlds, 1) - 1
    return np.stack([components, components + cavities - euler, cavities], axis=1)


@cache
def _simple_patch(patch: bytes, ndim: int, connectivity: int) -> bool:
    """Brute force: do the Betti numbers of a 3^ndim patch stay when its centre flips?"""
    before = np.frombuffer(patch, bool).reshape((3,) * ndim).copy()
    if ndim == 3 and connectivity == 1:
        before, connectivity = ~before, 3
    after = before.copy()
    after[(1,) * ndim] ^= True
    return betti(before, connectivity) == betti(after, connectivity)


def simple_by_force(mask, place, connectivity):
    """Decide about one pixel from its neighbourhood, background outside the image."""
    around = tuple(slice(i, i + 3) for i in place)
    return _simple_patch(np.pad(mask, 1)[around].tobytes(), mask.ndim, connectivity)


def warp_by_force(mask, target, connectivity):
    """Flip the first simple mismatch in the order, again and again; return mask and order."""
    padded = np.pad(mask, 1)
    squared = ndimage.distance_transform_edt(padded) ** 2
    squared += ndimage.distance_transform_edt(~padded) ** 2
    squared = np.rint(squared[(slice(1, -1),) * mask.ndim]).astype(int)
    warped, order = mask.copy(), []
    waiting = sorted((squared.flat[i], i) for i in np.flatnonzero(mask != target))
    while True:
        for entry in waiting:
            place = np.unravel_index(entry[1], mask.shape)
            if simple_by_force(warped, place, connectivity):
                warped[place] ^= True
                order.append(int(entry[1]))
                waiting.remove(entry)
                break
        else:
            return warped, order


# --- masks --------------------------------------------------------------------------------------


def make_mask(kind, shape, rng):
    """Draw a mask of one kind; every kind may touch the border."""
    if kind == "random":
        return rng.random(shape) < rng.random()
    field = ndimage.gaussian_filter(rng.standard_normal(shape), 1.2)
    field /= field.std() + 1e-9
    if kind == "blobs":
        return field > rng.normal() / 2
    thin = abs(field) < 0.4
    if kind == "thin":
        return thin
    if kind == "noisy":
        return thin ^ (rng.random(shape) < 0.1)
    assert kind == "border"
    for axis in range(len(shape)):
        thin[(slice(None),) * axis + (rng.integers(-1, 1),)] = True
    return thin


def make_pair(kind, shape, rng):
    """Draw a mask and a target that is unrelated, shifted, grown, shrunk or noisy."""
    mask = make_mask(kind, shape, rng)
    how = rng.integers(5)
    if how == 0:
        return mask, make_mask(rng.choice(KINDS), shape, rng)
    if how == 1:
        return mask, np.roll(mask, 1, axis=int(rng.integers(mask.ndim)))
    if how == 2:
        return mask, ndimage.binary_dilation(mask)
    if how == 3:
        return mask, ndimage.binary_erosion(mask)
    return mask, mask ^ (rng.random(shape) < 0.3)


KINDS = ["random", "blobs", "thin", "noisy", "border"]
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(KINDS)
shapes_2d = st.tuples(st.integers(1, 17), st.integers(1, 23))
shapes_3d = st.tuples(st.integers(1, 7), st.integers(1, 8), st.integers(1, 9))
shapes = shapes_2d | shapes_3d
full = st.booleans()
steady = settings(deadline=None, derandomize=True, database=None)


def orientations(ndim):
    """Every flip and transposition of a grid, as a function."""
    for axes in permutations(range(ndim)):
        for flips in product((False, True), repeat=ndim):
            flipped = [axis for axis in range(ndim) if flips[axis]]
            yield lambda a, axes=axes, flipped=flipped: np.flip(a, flipped).transpose(axes)


# --- the oracles agree with each other ----------------------------------------------------------


def test_the_oracles_for_betti_numbers_agree():
    rng = np.random.default_rng(0)
    for shape in [(7, 9), (5, 4, 6)]:
        for density in (0.3, 0.5, 0.7):
            mask = rng.random(shape) < density
            for connectivity in (1, len(shape)):
                assert betti(mask, connectivity) == betti_by_gudhi(mask, connectivity)
    patches = rng.random((60, 3, 3, 3)) < np.linspace(0, 1, 60)[:, None, None, None]
    patches[0, :] = True
    patches[0, 1, 1, 1] = False  # a cavity
    patches[1, 1] = patches[0, 1]  # and a tunnel, both among the patches for sure
    found = betti_of_patches(patches)
    assert [tuple(row) for row in found.tolist()] == [betti_by_gudhi(p, 3) for p in patches]
    assert found[0].tolist() == [1, 0, 1]
    assert found.max(axis=0)[1] >= 1


# --- simple points: definition ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "eight", "four"),
    [
        ("... .p. ...", False, False),  # a component of its own
        ("### #p# ###", False, False),  # fills a hole
        (".## #p# ###", False, True),  # the corner leads out of the hole for 8 neighbours only
        (".#. #p# .#.", False, False),  # four arms
        ("#.. .p. ..#", False, False),  # joins two corners; with 4 it stands alone
        ("#.. .p. ...", True, False),  # grows a corner; with 4 it stands alone
        ("... #p# ...", False, False),  # a bridge
        ("##. #p. ##.", True, True),  # a straight edge
        ("##. #p. ...", True, True),  # a convex corner
        (".#. #p. ...", True, False),  # 4 neighbours: two components would be joined
    ],
)
def test_drawn_neighbourhoods(picture, eight, four):
    for centre in ".#":
        mask = drawn(picture.replace("p", centre))
        assert simple_points(mask)[1, 1] == eight
        assert simple_points(mask, connectivity=2)[1, 1] == eight
        assert simple_points(mask, connectivity=1)[1, 1] == four


@pytest.mark.parametrize("connectivity", [1, 2])
def test_all_256_neighbourhoods_agree_with_betti_numbers(connectivity):
    expected, found = [], []
    for bits in product((False, True), repeat=9):  # both values of the centre
        mask = np.array(bits).reshape(3, 3)
        flipped = mask.copy()
        flipped[1, 1] ^= True
        expected.append(betti(mask, connectivity) == betti(flipped, connectivity))
        found.append(simple_points(mask, connectivity=connectivity)[1, 1])
    assert found == expected
    assert sum(expected) == 2 * 116


@pytest.fixture(scope="module")
def random_patches():
    """3x3x3 patches at nine densities, and whether (26, 6) Betti numbers survive a flip."""
    rng = np.random.default_rng(20)
    density = np.repeat(np.linspace(0.1, 0.9, 9), 2700)
    patches = rng.random((density.size, 3, 3, 3)) < density[:, None, None, None]
    flipped = patches.copy()
    flipped[:, 1, 1, 1] ^= True
    return patches, (betti_of_patches(patches) == betti_of_patches(flipped)).all(axis=1)


def centres(patches, connectivity):
    """Simple points at the centres of N patches, each of them with background around it."""
    apart = np.pad(patches, ((0, 0), (1, 1), (0, 0), (0, 0))).reshape(-1, 3, 3)
    return simple_points(apart, connectivity=connectivity)[2::5, 1, 1]


def test_random_3d_neighbourhoods_agree_with_betti_numbers(random_patches):
    patches, expected = random_patches
    assert len(patches) > 20_000
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(centres(patches, 3), expected)
    np.testing.assert_array_equal(centres(patches, None), expected)


def test_random_3d_neighbourhoods_of_the_complement_agree(random_patches):
    patches, expected = random_patches
    np.testing.assert_array_equal(centres(~patches, 1), expected)


def test_a_voxel_that_closes_a_tunnel_is_not_simple():
    ring = np.zeros((3, 3, 3), bool)
    ring[1] = drawn("### #.# ###")
    assert not simple_points(ring)[1, 1, 1]
    assert not simple_points(ring, connectivity=1)[1, 1, 1]
    leaning = np.zeros((3, 3, 3), bool)  # joined by corners, its tunnel ends at p
    for cell in [(0, 1, 1), (1, 2, 0), (1, 2, 2), (2, 2, 1)]:
        leaning[cell] = True
    assert not simple_points(leaning)[1, 1, 1]


# --- simple points: laws ------------------------------------------------------------------------


@steady
@given(seeds, kinds, shapes_2d, full)
def test_in_2d_simple_means_that_no_betti_number_changes(seed, kind, shape, full):
    shape = (min(shape[0], 7), min(shape[1], 8))
    connectivity = 2 if full else 1
    mask = make_mask(kind, shape, np.random.default_rng(seed))
    before = betti(mask, connectivity)
    expected = np.zeros(shape, bool)
    for place in np.ndindex(shape):
        mask[place] ^= True
        expected[place] = betti(mask, connectivity) == before
        mask[place] ^= True
    np.testing.assert_array_equal(simple_points(mask, connectivity=connectivity), expected)


@steady
@given(seeds, kinds, shapes, full)
def test_simple_points_commute_with_flips_and_transpositions(seed, kind, shape, full):
    connectivity = len(shape) if full else 1
    mask = make_mask(kind, shape, np.random.default_rng(seed))
    simple = simple_points(mask, connectivity=connectivity)
    for turn in orientations(len(shape)):
        np.testing.assert_array_equal(
            simple_points(turn(mask), connectivity=connectivity), turn(simple)
        )


@steady
@given(seeds, kinds, shapes, full)
def test_outside_lies_background_and_the_complement_is_dual(seed, kind, shape, full):
    ndim = len(shape)
    connectivity, dual = (ndim, 1) if full else (1, ndim)
    mask = make_mask(kind, shape, np.random.default_rng(seed))
    inside = (slice(1, -1),) * ndim
    wide = simple_points(np.pad(mask, 1), connectivity=connectivity)
    np.testing.assert_array_equal(simple_points(mask, connectivity=connectivity), wide[inside])
    # The complement of the padded mask has the padding as foreground, the same neighbourhoods.
    complement = simple_points(~np.pad(mask, 1), connectivity=dual)
    np.testing.assert_array_equal(complement[inside], wide[inside])


# --- warping: drawn -----------------------------------------------------------------------------


def test_a_break_is_left_and_thickness_is_not():
    mask = drawn("..##..##. ..##..##. .........")
    target = drawn("......... ######### .........")
    result = homotopy_warp(mask, target)
    assert isinstance(result, WarpResult)
    assert result.warped.dtype == result.critical.dtype == bool
    np.testing.assert_array_equal(result.warped, drawn("......... #####.### ........."))
    np.testing.assert_array_equal(result.critical, drawn("......... .....#... ........."))


def test_a_bridge_a_hole_a_blob_and_a_missing_blob_are_left():
    mask = drawn("###......# #.#..#...# ###......# .......... ...#...... ...###....")
    target = drawn("###......# ###......# ###......# .......... ...#....## ...#....##")
    warped, critical = homotopy_warp(mask, target)
    # The hole and one pixel of each blob's place; the bar's arm shrinks away.
    np.testing.assert_array_equal(
        critical, drawn(".......... .#...#.... .......... .......... ........## ........##")
    )
    np.testing.assert_array_equal(warped ^ target, critical)
    bridged = drawn("##.## ##### ##.##")
    _, critical = homotopy_warp(bridged, drawn("##.## ##.## ##.##"))
    np.testing.assert_array_equal(critical, drawn("..... ..#.. ....."))


def test_the_nearest_to_the_boundary_goes_first_then_the_flat_index():
    # Two ends meet; the squared distances of the gap are 1 4 9 4 1.
    gap = np.array([[1, 0, 0, 0, 0, 0, 1]])
    assert flip_order(gap, np.ones((1, 7))).tolist() == [1, 5, 2, 4]
    # The far end is offered only when its neighbour has grown.
    assert flip_order([[1, 0, 0]], [[1, 1, 1]]).tolist() == [1, 2]
    # All are at distance 1; the first two are refused until their neighbour has gone.
    tail = np.array([[0, 1, 1, 1, 1]])
    assert flip_order(tail, [[0, 1, 0, 0, 0]]).tolist() == [4, 3, 2]
    # Growing and shrinking wait in one heap: column 0 grows before column 4 shrinks.
    assert flip_order([[0, 1, 1, 1, 1]], [[1, 1, 1, 1, 0]]).tolist() == [0, 4]


def test_the_distance_is_that_of_the_original_mask_border_included():
    # A block that fills its rows: its border pixels are nearer than those inside.
    mask = np.zeros((5, 6), bool)
    mask[:, :5] = True
    target = np.zeros((5, 6), bool)
    target[2, 2] = True
    order = flip_order(mask, target).tolist()
    squared = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].ravel() ** 2
    assert order[0] == 0
    assert (np.diff(squared[order]) >= 0).all()
    assert len(order) == 24


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (4, 5), (3, 4, 5)])
@pytest.mark.parametrize("full", [True, False])
def test_without_foreground_or_background_nothing_flips(shape, full):
    connectivity = len(shape) if full else 1
    target = np.arange(np.prod(shape)).reshape(shape) % 3 == 1
    for mask in (np.zeros(shape, bool), np.ones(shape, bool)):
        warped, critical = homotopy_warp(mask, target, connectivity=connectivity)
        np.testing.assert_array_equal(warped, mask)
        np.testing.assert_array_equal(critical, mask != target)
        assert flip_order(mask, target, connectivity=connectivity).size == 0


# --- warping: laws ------------------------------------------------------------------------------


def check_laws(mask, target, connectivity):
    warped, critical = homotopy_warp(mask, target, connectivity=connectivity)
    assert betti(warped, connectivity) == betti(mask, connectivity)
    np.testing.assert_array_equal(critical, warped != target)
    np.testing.assert_array_equal(warped[mask == target], mask[mask == target])
    if not mask.all():
        assert not (simple_points(warped, connectivity=connectivity) & critical).any()
    return warped


@settings(steady, max_examples=250)
@given(seeds, kinds, shapes, full)
def test_the_warp_keeps_betti_numbers_and_leaves_no_simple_mismatch(seed, kind, shape, full):
    connectivity = len(shape) if full else 1
    mask, target = make_pair(kind, shape, np.random.default_rng(seed))
    check_laws(mask, target, connectivity)
    check_laws(target, mask, connectivity)


@settings(steady, max_examples=25)
@given(seeds, kinds, shapes, full)
def test_the_laws_hold_in_every_orientation(seed, kind, shape, full):
    connectivity = len(shape) if full else 1
    mask, target = make_pair(kind, shape, np.random.default_rng(seed))
    for turn in orientations(len(shape)):
        check_laws(turn(mask), turn(target), connectivity)


@pytest.mark.parametrize("connectivity", [1, 3])
def test_betti_numbers_by_gudhi_survive_the_warp_of_a_volume(connectivity):
    rng = np.random.default_rng(5)
    field = ndimage.gaussian_filter(rng.standard_normal((14, 17, 20)), 1.5)
    other = field + 0.6 * field.std() * rng.standard_normal(field.shape)
    warped = check_laws(field > 0, other > 0, connectivity)
    assert betti_by_gudhi(warped, connectivity) == betti_by_gudhi(field > 0, connectivity)
    assert (warped != (field > 0)).sum() > 200


@steady
@given(seeds, kinds, shapes, full)
def test_a_mask_warped_to_itself_is_itself(seed, kind, shape, full):
    connectivity = len(shape) if full else 1
    mask = make_mask(kind, shape, np.random.default_rng(seed))
    warped, critical = homotopy_warp(mask, mask, connectivity=connectivity)
    np.testing.assert_array_equal(warped, mask)
    assert not critical.any()
    assert warped is not mask


@settings(steady, max_examples=150)
@given(seeds, kinds, shapes, full)
def test_the_warp_is_that_of_brute_force_flip_by_flip(seed, kind, shape, full):
    shape = tuple(
        min(n, most)
        for n, most in zip(shape, (6, 6, 7) if len(shape) == 3 else (12, 13), strict=True)
    )
    connectivity = len(shape) if full else 1
    mask, target = make_pair(kind, shape, np.random.default_rng(seed))
    if mask.all():
        return
    warped, order = warp_by_force(mask, target, connectivity)
    np.testing.assert_array_equal(
        homotopy_warp(mask, target, connectivity=connectivity).warped, warped
    )
    assert flip_order(mask, target, connectivity=connectivity).tolist() == order


@steady
@given(seeds, kinds, shapes, full)
def test_every_step_of_the_order_keeps_the_topology(seed, kind, shape, full):
    connectivity = len(shape) if full else 1
    mask, target = make_pair(kind, shape, np.random.default_rng(seed))
    order = flip_order(mask, target, connectivity=connectivity)
    assert len(set(order.tolist())) == len(order)
    expected = betti(mask, connectivity)
    steps = mask.copy()
    for number, pixel in enumerate(order):
        steps.flat[pixel] ^= True
        if number < 20:
            assert betti(steps, connectivity) == expected
    np.testing.assert_array_equal(
        steps, homotopy_warp(mask, target, connectivity=connectivity).warped
    )


# --- distances ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 60), (60, 5), (41, 37), (1, 30), (30, 1), (9, 30, 14)])
@pytest.mark.parametrize("kind", [*KINDS, "pixel", "hole"])
def test_squared_distances_are_exact(shape, kind):
    rng = np.random.default_rng(3)
    if kind in ("pixel", "hole"):
        mask = np.zeros(shape, bool)
        mask[tuple(n // 4 for n in shape)] = True
        mask = mask if kind == "pixel" else ~mask
    else:
        mask = make_mask(kind, shape, rng)
        mask.flat[0] = True
    padded = np.pad(mask, 1)
    todo = np.pad(np.ones(shape, np.uint8), 1)
    sizes = (1, *padded.shape)[-3:]
    keys = warping._order_keys(padded.astype(np.uint8).ravel(), todo.ravel(), *sizes)
    expected = ndimage.distance_transform_edt(padded) ** 2
    expected += ndimage.distance_transform_edt(~padded) ** 2
    marked = np.flatnonzero(todo)
    np.testing.assert_array_equal(keys[marked] // padded.size, np.rint(expected.flat[marked]))
    np.testing.assert_array_equal(keys[marked] % padded.size, marked)


def test_distances_are_worked_out_only_where_something_can_flip(monkeypatch):
    # They are the dearest part of a warp, and most crops of a good prediction need none.
    monkeypatch.setattr(warping, "_order_keys", None)
    mask = drawn("..... .##.. ...#.")
    for pair in ((mask, mask), (mask & False, mask), (mask | True, mask)):
        for connectivity in (1, 2):
            assert flip_order(*pair, connectivity=connectivity).size == 0
    with pytest.raises(TypeError):
        flip_order(mask, ~mask)


# --- arrays and threads -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 10), (4, 6, 5)])
def test_dtypes_memory_orders_and_views_give_the_same(shape):
    rng = np.random.default_rng(1)
    mask, target = make_pair("noisy", shape, rng)
    expected = homotopy_warp(mask, target)
    simple = simple_points(mask)
    wide = np.repeat(mask, 2, axis=-1)
    frozen = mask.copy()
    frozen.setflags(write=False)
    variants = [mask.astype(d) for d in "?bBhHiIlLefd"]
    variants += [np.asfortranarray(mask), wide[..., ::2], frozen, mask.tolist(), mask * -1.0 * -1]
    variants.append(np.flip(np.flip(mask).copy()))
    variants.append(np.where(mask, 1.0, -0.0))
    for variant in variants:
        kept = np.array(variant)
        np.testing.assert_array_equal(simple_points(variant), simple)
        result = homotopy_warp(variant, np.asfortranarray(target))
        np.testing.assert_array_equal(result.warped, expected.warped)
        np.testing.assert_array_equal(result.critical, expected.critical)
        np.testing.assert_array_equal(np.array(variant), kept)
    assert simple.dtype == bool
    assert simple.flags.c_contiguous
    assert simple.flags.writeable


@pytest.mark.parametrize("shape", [(33, 46), (9, 12, 11)])
@pytest.mark.parametrize("full", [True, False])
def test_a_batch_is_the_same_with_any_number_of_threads(shape, full):
    connectivity = len(shape) if full else 1
    rng = np.random.default_rng(2)
    pairs = [make_pair(kind, shape, rng) for kind in KINDS]
    masks, targets = map(np.array, zip(*pairs, strict=True))
    expected = np.stack([homotopy_warp(*p, connectivity=connectivity).warped for p in pairs])
    for workers in (1, 2, 5):
        found = warping.warp_batch(masks, targets, connectivity, workers)
        assert found.dtype == bool
        assert found.tobytes() == expected.tobytes()
    assert warping.warp_batch(masks[:1], targets[:1], connectivity, 2).shape == (1, *shape)


def test_kernels_release_the_gil():
    for kernel in (warping._flip_simple, warping._order_keys, warping._keep_simple):
        assert kernel.targetoptions["nogil"]
