"""Persistence pairs of images: against GUDHI, a naive union-find, the laws, and by hand."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from toposeg_lite.topology import persistence, persistence_pairs

OPTIONS = [(c, b) for c in (1, 2) for b in ("open", "closed")]


def smooth(shape, seed, sigma=2.0):
    image = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return (image - image.min()) / (image.max() - image.min())


def images():
    """Name the kinds of image that a segmentation network, or a user, may hand over."""
    rng = np.random.default_rng(7)
    noise = rng.random((23, 31))
    return {
        "noise": noise,
        "noise float32": noise.astype(np.float32),
        "noise float16": noise.astype(np.float16),
        "smooth": smooth((40, 27), 1),
        "quantised to 4 levels": np.round(noise * 3) / 3,
        "quantised to 256 levels": np.round(smooth((33, 29), 2) * 255) / 255,
        "zero": np.zeros((5, 7)),
        "one": np.ones((5, 7)),
        "constant": np.full((6, 4), 0.25),
        "binary": rng.random((19, 24)) < 0.5,
        "checkerboard": np.indices((7, 8)).sum(0) % 2 == 0,
        "one row": rng.random((1, 17)),
        "one column": rng.random((17, 1)),
        "one pixel": np.array([[0.3]]),
        "two rows": rng.random((2, 9)),
    }


def as_multiset(pairs):
    return Counter(
        zip(pairs.dimension.tolist(), pairs.birth.tolist(), pairs.death.tolist(), strict=True)
    )


def gudhi_multiset(image, connectivity, border):
    """Return the superlevel diagram by GUDHI's cubical complex, the essential class dying at 0."""
    image = np.asarray(image, dtype=float)
    if border == "closed":
        image = np.pad(image, 1, constant_values=1.0)
    construction = "vertices" if connectivity == 1 else "top_dimensional_cells"
    cubical = gudhi.CubicalComplex(**{construction: -image})
    cubical.compute_persistence(min_persistence=0.0)
    # 0 - x instead of -x: no negative zeros.
    return Counter(
        (d, 0 - birth, 0.0 if np.isinf(death) else 0 - death)
        for d, (birth, death) in cubical.persistence()
        if d < 2
    )


def naive_pairs(image, connectivity, border):
    """Pair by adding pixel after pixel, and removing them again for the holes.

    Returns the set of (dimension, birth index, death index) with positive persistence; indices are
    those of the image, -1 for the frame and the death of the essential class.
    """
    image = np.asarray(image, dtype=float)
    value = np.pad(image, 1, constant_values=np.inf if border == "closed" else -np.inf)
    inside = np.pad(np.arange(image.size).reshape(image.shape), 1, constant_values=-1).ravel()
    width, flat = value.shape[1], value.ravel()
    # The frame is one vertex, number -1, the oldest in the foreground or in the background.
    order = [p for p in np.lexsort((np.arange(flat.size), -flat)) if inside[p] >= 0]

    def sweep(order, connectivity, with_frame):
        reach = [
            (r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if 0 < abs(r) + abs(c) <= connectivity
        ]
        rank = {p: i for i, p in enumerate(order)} | {-1: -1}
        component = {-1: -1} if with_frame else {}

        def find(p):
            while component[p] != p:
                p = component[p]
            return p

        found = []
        for p in order:
            component[p] = p
            for r, c in reach:
                q = p + r * width + c
                q = q if inside[q] >= 0 else -1
                if q not in component:
                    continue
                a, b = sorted((find(p), find(q)), key=rank.get)
                if a != b:
                    component[b] = a
                    found.append((b, p))
        return found, find(order[0])

    at = lambda p: -1 if p == -1 else int(inside[p])  # noqa: E731
    level = lambda p: 1.0 if p == -1 else flat[p]  # noqa: E731
    merges, oldest = sweep(order, connectivity, border == "closed")
    result = {(0, at(young), at(p)) for young, p in merges if level(young) > level(p)}
    result.add((0, at(oldest), -1))
    merges, oldest = sweep(order[::-1], 3 - connectivity, border == "open")
    result |= {(1, at(p), at(young)) for young, p in merges if level(p) > level(young)}
    if border == "closed" and level(oldest) < 1:
        result.add((1, -1, at(oldest)))
    return result


def indices(pairs):
    return set(
        zip(
            pairs.dimension.tolist(),
            pairs.birth_index.tolist(),
            pairs.death_index.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
@pytest.mark.parametrize("name", images())
def test_the_diagram_equals_gudhis(name, connectivity, border):
    image = images()[name]
    ours = as_multiset(persistence_pairs(image, connectivity=connectivity, border=border))
    theirs = gudhi_multiset(image, connectivity, border)
    if not image.any() and border == "open":
        theirs[0, 0.0, 0.0] = 1  # we keep the essential class of a zero image, a point (0, 0)
    assert ours == theirs


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
@pytest.mark.parametrize("name", images())
def test_the_pixels_are_those_of_the_elder_rule(name, connectivity, border):
    image = images()[name]
    pairs = persistence_pairs(image, connectivity=connectivity, border=border)
    assert indices(pairs) == naive_pairs(image, connectivity, border)
    assert len(indices(pairs)) == len(pairs)


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
@pytest.mark.parametrize("name", images())
def test_the_pixels_carry_exactly_the_values(name, connectivity, border):
    image = np.asarray(images()[name])
    pairs = persistence_pairs(image, connectivity=connectivity, border=border)
    flat = image.ravel()
    born, dead = pairs.birth_index >= 0, pairs.death_index >= 0
    assert np.array_equal(pairs.birth[born], flat[pairs.birth_index[born]])
    assert np.array_equal(pairs.death[dead], flat[pairs.death_index[dead]])
    assert np.all(pairs.birth[~born] == 1)
    assert np.all(pairs.death[~dead] == 0)
    assert np.count_nonzero(~dead) == 1
    assert np.count_nonzero(~born) <= (2 if border == "closed" else 0)


@settings(max_examples=150, deadline=None)
@given(
    levels=hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
                      elements=st.integers(0, 6)),
    option=st.sampled_from(OPTIONS),
)  # fmt: skip
def test_small_images_with_many_ties(levels, option):
    image = levels / 6
    pairs = persistence_pairs(image, connectivity=option[0], border=option[1])
    assert indices(pairs) == naive_pairs(image, *option)
    theirs = gudhi_multiset(image, *option)
    if not image.any() and option[1] == "open":
        theirs[0, 0.0, 0.0] = 1
    assert as_multiset(pairs) == theirs


@pytest.mark.parametrize("connectivity", [1, 2])
def test_flips_and_transposes_change_no_value(connectivity):
    image = np.round(smooth((21, 34), 3) * 12) / 12  # with ties
    wanted = as_multiset(persistence_pairs(image, connectivity=connectivity))
    for turned in (image[::-1], image[:, ::-1], image.T, np.rot90(image)):
        assert as_multiset(persistence_pairs(turned, connectivity=connectivity)) == wanted


def test_holes_of_an_image_are_components_of_its_negative():
    # The law behind the kernel, checked through the public door: with a frame of foreground no
    # background component touches the outside, so each one is born and dies inside.
    image = np.round(smooth((20, 33), 4) * 256) / 256  # so that 1 - image is exact
    holes = persistence_pairs(image, connectivity=2, border="closed", dimensions=(1,))
    parts = persistence_pairs(1 - image, connectivity=1, dimensions=(0,))
    mirrored = Counter(
        (0, 1 - death, 1 - birth) for _, birth, death in as_multiset(holes).elements()
    )
    assert mirrored == as_multiset(parts)
    assert len(holes) > 10


def test_a_small_change_of_the_image_moves_no_point_further():
    # Stability: the bottleneck distance is at most the largest change of a pixel.
    image = smooth((30, 30), 5)
    moved = np.clip(image + np.random.default_rng(0).uniform(-0.02, 0.02, image.shape), 0, 1)
    for dimension in (0, 1):
        a, b = (
            np.column_stack([p.birth, p.death])[p.death_index >= 0]
            for p in (persistence_pairs(i, dimensions=(dimension,)) for i in (image, moved))
        )
        # GUDHI wants birth <= death.
        distance = gudhi.bottleneck_distance(1 - a, 1 - b)
        assert 0 < distance <= np.abs(image - moved).max() + 1e-12


def test_by_hand():
    image = np.array(
        [
            [0.9, 0.8, 0.9, 0.1, 0.3],
            [0.8, 0.2, 0.7, 0.1, 0.1],
            [0.9, 0.8, 0.9, 0.1, 0.6],
        ]
    )
    # Pixel 11 joins the corner 12 to the rest, 7 closes the ring, 3 and 8 fetch the two spots.
    assert indices(persistence_pairs(image, connectivity=2)) == {
        (0, 0, -1), (0, 2, 1), (0, 10, 5), (0, 12, 11), (0, 4, 3), (0, 14, 8), (1, 7, 6)
    }  # fmt: skip
    # A diagonal step is no longer enough: the spot 14 waits for its neighbour 13.
    diagonal = np.array([[0.9, 0.0, 0.4], [0.0, 0.7, 0.0]])
    assert indices(persistence_pairs(diagonal, connectivity=2)) == {(0, 0, -1)}
    assert indices(persistence_pairs(diagonal, connectivity=1)) == {
        (0, 0, -1),
        (0, 4, 1),
        (0, 2, 1),
    }


def test_the_essential_class_of_a_zero_image_is_kept():
    pairs = persistence_pairs(np.zeros((3, 4)), min_persistence=0.5)
    assert (len(pairs), pairs.birth[0], pairs.death[0]) == (1, 0, 0)
    assert (pairs.birth_index[0], pairs.death_index[0]) == (0, -1)


def test_an_empty_closed_image_is_a_frame_around_a_hole():
    pairs = persistence_pairs(np.zeros((3, 4)), border="closed")
    assert indices(pairs) == {(0, -1, -1), (1, -1, 11)}
    assert pairs.birth.tolist() == [1, 1]


def test_min_persistence_is_strict_and_compares_as_numpy_does():
    image = np.array([[0.9, 0.2, 0.5]], dtype=np.float32)  # persistence 0.3 at the right
    everything = persistence_pairs(image)
    exactly = float(everything.persistence[1])
    assert len(persistence_pairs(image, min_persistence=exactly)) == 1
    assert len(persistence_pairs(image, min_persistence=np.nextafter(exactly, 0, dtype="f4"))) == 2
    # float32(0.1) is a little more than 0.1, but NumPy compares in float32: not above.
    assert len(persistence_pairs(np.array([[0.9, 0, 0.1]], "f4"), min_persistence=0.1)) == 1
    noise = np.random.default_rng(1).random((20, 20), dtype=np.float32)
    for border in ("open", "closed"):
        pairs = persistence_pairs(noise, border=border)
        kept = pairs[(pairs.persistence > 0.3) | (pairs.death_index < 0)]
        few = persistence_pairs(noise, border=border, min_persistence=0.3)
        assert 1 < len(few) < len(pairs)
        assert indices(few) == indices(kept)
    assert len(persistence_pairs(np.full((2, 2), 0.7), border="closed", min_persistence=0.4)) == 1


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
def test_dimensions_select_without_changing_anything(connectivity, border):
    image = images()["quantised to 4 levels"]
    both = persistence_pairs(image, connectivity=connectivity, border=border)
    assert set(both.dimension) == {0, 1}
    for k in (0, 1):
        one = persistence_pairs(
            image, connectivity=connectivity, border=border, dimensions=iter([k])
        )
        for name in ("dimension", "birth", "death", "birth_index", "death_index"):
            assert np.array_equal(getattr(one, name), getattr(both.of_dimension(k), name))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_type_and_memory_layout(dtype):
    image = np.random.default_rng(2).random((12, 19)).astype(dtype)
    wanted = as_multiset(persistence_pairs(image))
    assert persistence_pairs(image).birth.dtype == (np.float64 if dtype == np.float64 else "f4")
    big = np.zeros((24, 38), dtype)
    big[::2, ::2] = image
    frozen = image.copy()
    frozen.flags.writeable = False
    for same in (
        np.asfortranarray(image),
        big[::2, ::2],
        frozen,
        image.astype(image.dtype.newbyteorder(">")),
    ):
        before = same.copy()
        assert as_multiset(persistence_pairs(same)) == wanted
        assert np.array_equal(same, before)


def test_negative_zero_is_zero():
    image = np.where(np.random.default_rng(3).random((9, 11)) < 0.6, 0.0, 0.5)
    negative = np.where(image == 0, -0.0, image)
    assert np.signbit(negative).any()
    for dtype in (np.float32, np.float64):
        a, b = persistence_pairs(image.astype(dtype)), persistence_pairs(negative.astype(dtype))
        assert indices(a) == indices(b) == naive_pairs(image, 2, "open")


def test_the_order_of_the_result_is_as_documented():
    pairs = persistence_pairs(smooth((30, 40), 6), border="closed")
    components, holes = pairs.of_dimension(0), pairs.of_dimension(1)
    assert np.all(np.diff(pairs.dimension) >= 0)
    assert components.death_index[0] == -1
    assert np.all(np.diff(components.death[1:]) <= 0)
    assert np.all(np.diff(holes.birth) >= 0)
    assert holes.birth_index[-1] == -1


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
def test_equal_pairs_stand_in_the_order_of_their_saddles(connectivity, border):
    image = images()["quantised to 4 levels"]
    pairs = persistence_pairs(image, connectivity=connectivity, border=border)
    components, holes = pairs.of_dimension(0)[1:], pairs.of_dimension(1)
    holes = holes[holes.birth_index >= 0]
    # Saddles are walked by falling value, equal ones by rising index, and for holes all the way
    # back. That one saddle makes several pairs leaves the stable sort no choice.
    walk = np.lexsort((components.death_index, -components.death))
    back = np.lexsort((-holes.birth_index, holes.birth))
    assert len(components) > 20
    assert len(holes) > 20
    assert np.array_equal(walk, np.arange(len(components)))
    assert np.array_equal(back, np.arange(len(holes)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_next_to_zero_are_told_apart(dtype):
    # A power of two changes the exponents of all values and nothing else.
    image = np.random.default_rng(4).random((17, 14)).astype(dtype)
    for border in ("open", "closed"):
        wanted = persistence_pairs(image / 2, border=border)
        for power in (-20, -100):
            small = persistence_pairs(np.ldexp(image, power), border=border)
            assert indices(small) == indices(wanted)
            born = small.birth_index >= 0
            assert np.array_equal(small.birth[born], np.ldexp(wanted.birth[born], power + 1))


@pytest.mark.parametrize(
    "shape", [(1, 2**30), (2**30, 1), (1, 1, 2**25), (1, 2**14, 2**14), (2**10,) * 3]
)
def test_an_image_with_more_pixels_than_int32_counts_is_refused(shape, monkeypatch):
    # One value stands for all pixels; the check of images would copy it, and memory run out.
    monkeypatch.setattr(persistence, "check_image", lambda image: image)
    with pytest.raises(ValueError, match="image is too large: its shape is"):
        persistence_pairs(np.broadcast_to(np.float32(0.5), shape))


def test_four_components_meet_at_one_pixel_and_all_pairs_have_room(monkeypatch):
    # Compiled code writes past the end of an array in silence. Python does not.
    image = np.array([[0.0, 0.9, 0.0], [0.8, 0.5, 0.7], [0.0, 0.6, 0.0]])
    for name, kernel in list(vars(persistence).items()):
        if hasattr(kernel, "py_func"):
            monkeypatch.setattr(persistence, name, kernel.py_func)
    components = persistence_pairs(image, connectivity=1)
    assert np.count_nonzero(components.death_index == 4) == 3
    holes = persistence_pairs(1 - image, connectivity=2, border="closed")
    assert np.count_nonzero(holes.birth_index == 4) == 3


def test_threads_change_nothing():
    many = [np.random.default_rng(i).random((64, 50), dtype=np.float32) for i in range(16)]
    alone = [persistence_pairs(image) for image in many]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(persistence_pairs, many))
    for a, b in zip(alone, together, strict=True):
        for name in ("dimension", "birth", "death", "birth_index", "death_index"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_a_selection_keeps_the_arrays_together():
    pairs = persistence_pairs([[0.9, 0.1, 0.6, 0.2, 0.8]])
    strong = pairs[pairs.persistence > 0.5]
    assert strong.birth.tolist() == [0.9, 0.8]
    assert strong.birth_index.tolist() == [0, 4]
    assert strong.persistence.tolist() == [0.9, 0.8 - 0.1]
    assert repr(pairs) == "PersistencePairs(3 of dimension 0)"
    assert repr(pairs.of_dimension(1)) == "PersistencePairs(none)"
