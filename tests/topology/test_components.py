"""Components and Betti numbers against hand counts, scikit-image, GUDHI and topological laws."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage import measure, metrics

from toposeg_lite.topology import components
from toposeg_lite.topology.components import (
    _euler_table,
    betti_numbers,
    label_components,
    overlap_sizes,
)


def draw(text: str) -> np.ndarray:
    """Turn lines of '.' and '#' into a mask; a line of '-' separates the slices of a volume."""
    slices = [
        np.array([[pixel == "#" for pixel in line] for line in block.split()])
        for block in text.split("-")
    ]
    return slices[0] if len(slices) == 1 else np.stack(slices)


def gudhi_betti(mask: np.ndarray, connectivity: int, border: str) -> tuple[int, ...]:
    """Betti numbers of the closed pixels (full connectivity) or of the vertex complex (1)."""
    if border == "closed":
        mask = np.pad(mask, 1, constant_values=True)
    construction = "vertices" if connectivity == 1 else "top_dimensional_cells"
    complex_ = gudhi.CubicalComplex(**{construction: np.where(mask, 0.0, 1.0)})
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=-1)
    # GUDHI lists the dimensions up to the complex's own, which a 1xN vertex complex cuts short.
    return tuple([*complex_.persistent_betti_numbers(0, 0), 0, 0, 0][: mask.ndim])


def euler(betti: tuple[int, ...]) -> int:
    return sum((-1) ** k * number for k, number in enumerate(betti))


def random_masks(ndim: int, n: int, seed: int = 0) -> list[np.ndarray]:
    """Masks of all densities, height unlike width; side 1 among the shapes."""
    rng = np.random.default_rng(seed)
    top = 15 if ndim == 2 else 7
    shapes = [tuple(rng.integers(1, top, ndim)) for _ in range(n)]
    return [rng.random(shape) < rng.random() for shape in shapes]


MASKS = random_masks(2, 120) + random_masks(3, 60)

small_masks = arrays(bool, array_shapes(min_dims=2, max_dims=3, max_side=6))


# --- drawn by hand -------------------------------------------------------------------------------

EIGHT = draw("""
.##....
#..#...
.##.##.
...#..#
....##.
""")
HOLLOW_BOX = np.pad(np.zeros((1, 2, 3), bool), 1, constant_values=True)
RING_IN_SPACE = np.pad(draw(".#. #.# .#.")[None], 1)


@pytest.mark.parametrize(
    ("mask", "connectivity", "border", "expected"),
    [
        # all pixels are joined by corners; two large holes, and the pixel where the rings meet
        (EIGHT, 2, "open", (1, 3)),
        # by sides only: 5 pairs and 2 single pixels, and every hole leaks through a corner
        (EIGHT, 1, "open", (8, 0)),
        # The rings touch all four sides of the frame and cut four pieces off the outside.
        (EIGHT, 2, "closed", (1, 7)),
        (draw("#. .#"), 2, "open", (1, 0)),
        (draw("#. .#"), 1, "open", (2, 0)),
        (draw("#. .#"), 2, "closed", (1, 2)),
        (draw("#. .#"), 1, "closed", (1, 1)),
        (draw("... .#."), 2, "closed", (1, 1)),
        (draw("... .#. ..."), 2, "closed", (2, 1)),
        (draw("... ..."), 2, "open", (0, 0)),
        (draw("... ..."), 2, "closed", (1, 1)),
        (draw("### ###"), 1, "open", (1, 0)),
        (draw("### ###"), 1, "closed", (1, 0)),
        (draw("#.##.###"), 1, "open", (3, 0)),
        (draw("."), 2, "closed", (1, 1)),
        (HOLLOW_BOX, 3, "open", (1, 0, 1)),
        (HOLLOW_BOX, 1, "open", (1, 0, 1)),
        (HOLLOW_BOX, 1, "closed", (1, 0, 1)),
        (RING_IN_SPACE, 3, "open", (1, 1, 0)),
        (RING_IN_SPACE, 1, "open", (4, 0, 0)),
        # the ring floats free inside the frame's cavity
        (RING_IN_SPACE, 3, "closed", (2, 1, 1)),
        # pressed between the frame's two faces it parts the cavity into an inner and an outer one
        (RING_IN_SPACE[1:2], 3, "closed", (1, 1, 2)),
        (np.zeros((2, 3, 4), bool), 3, "open", (0, 0, 0)),
        (np.zeros((2, 3, 4), bool), 1, "closed", (1, 0, 1)),
        (np.ones((2, 3, 4), bool), 3, "open", (1, 0, 0)),
    ],
)
def test_betti_numbers_counted_by_hand(mask, connectivity, border, expected):
    assert betti_numbers(mask, connectivity=connectivity, border=border) == expected


def test_labels_drawn_by_hand():
    mask = draw("""
    .#.#.
    ##.##
    .....
    #.#.#
    #..#.
    """)
    labels, count = label_components(mask, connectivity=1)
    expected = [
        [0, 1, 0, 2, 0],
        [1, 1, 0, 2, 2],
        [0, 0, 0, 0, 0],
        [3, 0, 4, 0, 5],
        [3, 0, 0, 6, 0],
    ]
    assert count == 6
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected)
    labels, count = label_components(mask)
    assert count == 4
    np.testing.assert_array_equal(labels[3:], [[3, 0, 4, 0, 4], [3, 0, 0, 4, 0]])


def test_arms_that_join_late_take_the_earliest_label():
    comb = draw("""
    .#.#.#
    .#.#.#
    #.##.#
    ##.###
    """)
    labels, count = label_components(comb, connectivity=1)
    assert count == 3
    np.testing.assert_array_equal(
        labels, [[0, 1, 0, 2, 0, 2], [0, 1, 0, 2, 0, 2], [3, 0, 2, 2, 0, 2], [3, 3, 0, 2, 2, 2]]
    )


def test_plain_integers_come_back():
    assert all(type(n) is int for n in betti_numbers(EIGHT) + betti_numbers(HOLLOW_BOX))
    assert type(label_components(EIGHT)[1]) is int


# --- oracles -------------------------------------------------------------------------------------


def test_labels_equal_those_of_scikit_image():
    for mask in MASKS:
        for connectivity in (1, mask.ndim):
            labels, count = label_components(mask, connectivity=connectivity)
            expected, n = measure.label(mask, connectivity=connectivity, return_num=True)
            assert count == n
            np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("border", ["open", "closed"])
def test_betti_numbers_equal_those_of_gudhi(border):
    for mask in MASKS:
        for connectivity in (1, mask.ndim):
            ours = betti_numbers(mask, connectivity=connectivity, border=border)
            assert ours == gudhi_betti(mask, connectivity, border), (mask, connectivity)


def test_euler_number_equals_that_of_scikit_image_on_large_masks():
    rng = np.random.default_rng(3)
    for shape in ((211, 140), (17, 40, 29)):
        mask = rng.random(shape) > 0.6
        for connectivity in (1, mask.ndim):
            ours = betti_numbers(mask, connectivity=connectivity)
            assert euler(ours) == measure.euler_number(mask, connectivity=connectivity)
            assert ours[0] == measure.label(mask, connectivity=connectivity).max()


def test_every_window_of_the_tables():
    # Alone on an empty plane, a 2x2 (2x2x2) block is a mask whose Betti numbers GUDHI knows.
    for ndim in (2, 3):
        corner = (slice(1, 3),) * ndim
        for window in range(2**2**ndim):
            mask = np.zeros((4,) * ndim, bool)
            bits = [window >> i & 1 for i in range(2**ndim)]
            mask[corner] = np.array(bits, bool).reshape((2,) * ndim)
            for connectivity in (1, ndim):
                expected = gudhi_betti(mask, connectivity, "open")
                assert betti_numbers(mask, connectivity=connectivity) == expected


def test_tables_in_two_dimensions_are_gray_s():
    # Quads with 1 pixel count 1, with 3 count -1, diagonal pairs -2 (8 neighbours) or 2 (4).
    for window in range(16):
        n = window.bit_count()
        diagonal = window in (0b1001, 0b0110)
        quarter = {1: 1, 3: -1}.get(n, 0)
        assert _euler_table(2, 2)[window] == (-2 if diagonal else quarter)
        assert _euler_table(2, 1)[window] == (2 if diagonal else quarter)


def test_overlap_sizes_equal_scikit_image_s_contingency_table():
    rng = np.random.default_rng(5)
    for first in MASKS:
        second = first ^ (rng.random(first.shape) < rng.random())
        for connectivity in (1, first.ndim):
            labels = [measure.label(m, connectivity=connectivity) for m in (first, second)]
            table = metrics.contingency_table(*labels).toarray()
            ours = overlap_sizes(first, second, connectivity=connectivity)
            np.testing.assert_array_equal(ours[0], table.sum(axis=1))
            np.testing.assert_array_equal(ours[1], table.sum(axis=0))
            np.testing.assert_array_equal(np.sort(ours[2]), np.sort(table[table > 0]))


# --- laws ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(small_masks, st.data())
def test_flips_and_transposes_change_nothing(mask, data):
    connectivity = data.draw(st.sampled_from([1, mask.ndim]))
    border = data.draw(st.sampled_from(["open", "closed"]))
    axes = data.draw(st.permutations(range(mask.ndim)))
    flipped = np.flip(mask, data.draw(st.sampled_from(range(mask.ndim)))).transpose(axes)
    numbers = betti_numbers(mask, connectivity=connectivity, border=border)
    assert betti_numbers(flipped, connectivity=connectivity, border=border) == numbers
    n = label_components(flipped, connectivity=connectivity)[1]
    assert n == label_components(mask, connectivity=connectivity)[1]


@settings(deadline=None, max_examples=60)
@given(small_masks, st.data())
def test_duality_with_the_background(mask, data):
    """Alexander duality between the framed mask and its complement, which is open."""
    ndim = mask.ndim
    connectivity = data.draw(st.sampled_from([1, ndim]))
    dual = {1: ndim, ndim: 1}[connectivity]
    framed = betti_numbers(mask, connectivity=connectivity, border="closed")
    inside = betti_numbers(~mask, connectivity=dual)
    # A component inside is a hole or cavity of the frame; a tunnel goes through a tunnel; what a
    # component inside encloses is a component that floats free of the frame.
    assert framed == (inside[-1] + 1, *inside[1:-1], inside[0])


@settings(deadline=None, max_examples=60)
@given(small_masks, st.data())
def test_closed_border_is_a_frame_of_foreground(mask, data):
    connectivity = data.draw(st.sampled_from([1, mask.ndim]))
    framed = np.pad(mask, 1, constant_values=True)
    assert betti_numbers(mask, connectivity=connectivity, border="closed") == betti_numbers(
        framed, connectivity=connectivity
    )


@settings(deadline=None, max_examples=60)
@given(small_masks, st.data())
def test_labels_partition_the_foreground_in_scan_order(mask, data):
    connectivity = data.draw(st.sampled_from([1, mask.ndim]))
    labels, count = label_components(mask, connectivity=connectivity)
    np.testing.assert_array_equal(labels > 0, mask)
    values, seen = np.unique(labels[labels > 0], return_index=True)
    assert values.tolist() == list(range(1, count + 1))
    assert (np.diff(seen) > 0).all()


@settings(deadline=None, max_examples=60)
@given(small_masks, st.data())
def test_overlap_sizes_add_up(mask, data):
    other = data.draw(arrays(bool, mask.shape))
    first, second, joint = overlap_sizes(mask, other)
    assert first.sum() == second.sum() == joint.sum() == mask.size
    assert first[0] == np.count_nonzero(~mask)
    swapped = overlap_sizes(other, mask)
    np.testing.assert_array_equal(np.sort(swapped[2]), np.sort(joint))
    np.testing.assert_array_equal(swapped[1], first)
    np.testing.assert_array_equal(np.sort(overlap_sizes(mask, mask)[2]), np.sort(first[first > 0]))


# --- kinds of arrays -----------------------------------------------------------------------------


def variants(mask: np.ndarray) -> list[np.ndarray]:
    """The same mask in every dtype, memory order and kind of view."""
    dtypes = [bool, np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64]
    readonly = mask.copy()
    readonly.flags.writeable = False
    spread = np.zeros([3 * n for n in mask.shape], bool)
    spread[(slice(None, None, 3),) * mask.ndim] = mask
    view = spread[(slice(None, None, 3),) * mask.ndim]
    backwards = np.flip(np.flip(mask).copy())
    negative_zero = np.where(mask, 1.0, -0.0)
    return [
        *(mask.astype(dtype) for dtype in dtypes),
        np.asfortranarray(mask),
        readonly,
        view,
        backwards,
        negative_zero,
    ]


@pytest.mark.parametrize("mask", [EIGHT, RING_IN_SPACE], ids=["2D", "3D"])
def test_every_kind_of_array(mask):
    other = np.roll(mask, 1, axis=1)
    labels, count = label_components(mask)
    numbers = betti_numbers(mask, border="closed")
    sizes = overlap_sizes(mask, other)
    for variant in variants(mask):
        before = variant.copy()
        assert betti_numbers(variant, border="closed") == numbers
        assert label_components(variant)[1] == count
        np.testing.assert_array_equal(label_components(variant)[0], labels)
        for ours, expected in zip(overlap_sizes(variant, other), sizes, strict=True):
            np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(variant, before)


def test_threads_give_the_same_results():
    masks = random_masks(2, 40, seed=8) + random_masks(3, 40, seed=9)
    alone = [betti_numbers(mask, border="closed") for mask in masks]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda mask: betti_numbers(mask, border="closed"), masks))
    assert together == alone


def test_kernels_stay_within_their_arrays(monkeypatch):
    # Compiled code reads and writes past the end of an array in silence. Python does not. Stripes
    # have the most runs that a row can have, and two that are shifted are cut the most often.
    stripes = [np.zeros(shape, bool) for shape in ((1, 1), (1, 2), (3, 5), (4, 6), (2, 3, 5))]
    for mask in stripes:
        mask[..., ::2] = True
    pairs = [(mask, np.roll(mask, 1, axis=-1)) for mask in stripes]
    pairs += [(mask, ~mask) for mask in stripes + random_masks(2, 8) + random_masks(3, 4)]

    def everything():
        for first, second in pairs:
            for connectivity in (1, first.ndim):
                yield label_components(first, connectivity=connectivity)[0].tolist()
                for border in ("open", "closed"):
                    yield betti_numbers(second, connectivity=connectivity, border=border)
                yield [a.tolist() for a in overlap_sizes(first, second, connectivity=connectivity)]

    compiled = list(everything())
    for name, kernel in list(vars(components).items()):
        if hasattr(kernel, "py_func"):
            monkeypatch.setattr(components, name, kernel.py_func)
    assert list(everything()) == compiled
