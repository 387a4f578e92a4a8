"""What the checks at the door let through, and in which form."""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite.checks import check_integer, check_number
from toposeg_lite.topology import betti_numbers
from toposeg_lite.topology.grid import (
    check_connectivity,
    check_dimensions,
    check_image,
    check_mask,
    dual_connectivity,
)


def test_a_boolean_mask_of_other_bytes_becomes_one_of_0_and_1():
    # Pillow gives these bytes for 1-bit images; kernels that add them would leave their arrays.
    mask = np.array([[0, 255, 0], [2, 0, 1]], np.uint8).view(np.bool_)
    assert check_mask(mask).view(np.uint8).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert check_image(mask).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert betti_numbers(mask, connectivity=1) == (3, 0)
    assert check_mask(np.array([[0, 2]], np.uint8).view(np.bool_)).view(np.uint8).max() == 1


def test_what_is_good_is_not_copied():
    mask = np.array([[True, False, True]])
    assert check_mask(mask) is mask
    for image in (np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]], np.float32)):
        assert check_image(image) is image


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("?", "f4"), ("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("f8", "f8"), (">f8", "f8")],
)
def test_kernels_get_native_floats_of_4_or_8_bytes_in_c_order(given, wanted):
    image = np.asfortranarray([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]).astype(given)
    for variant in (image, image[:, ::-1], image.T):
        checked = check_image(variant)
        assert checked.dtype == np.dtype(wanted)
        assert checked.dtype.isnative
        assert checked.flags.c_contiguous
        np.testing.assert_array_equal(checked, variant)
        mask = check_mask(variant)
        assert mask.dtype == np.bool_
        assert mask.flags.c_contiguous
        np.testing.assert_array_equal(mask, variant)


def test_numpy_integers_become_plain_ones():
    for kind in (int, np.int64, np.uint8):
        for value in (check_connectivity(kind(2), 2), check_integer(kind(2), "steps")):
            assert type(value) is int
            assert value == 2
    assert check_dimensions(np.array([1, 1, 0]), 3) == [True, True, False]
    assert [len(check_dimensions(None, ndim)) for ndim in (2, 3)] == [2, 3]


def test_ranges_have_their_ends():
    assert check_integer(3, "steps", 3) == 3
    assert check_number(0, "min_persistence") == 0
    assert check_number(np.float32(0.5), "min_persistence") == 0.5
    with pytest.raises(ValueError, match="steps must be at least 3; got 2"):
        check_integer(2, "steps", 3)
    for value in (-1e-9, np.inf, np.nan):
        with pytest.raises(ValueError, match="min_persistence must be finite and zero or above"):
            check_number(value, "min_persistence")
    with pytest.raises(ValueError, match=r"\(0, 1\) for 2 axes; got \[0, -1\]"):
        check_dimensions([0, -1], 2)


def test_true_is_no_number():
    for value in (True, np.True_):
        for check in (check_integer, check_number):
            with pytest.raises(TypeError, match=f"steps must be .*; got {value!r}"):
                check(value, "steps")


def test_the_dual_of_the_dual_is_the_same():
    pairs = {(ndim, c): dual_connectivity(c, ndim) for ndim in (2, 3) for c in (1, ndim)}
    assert pairs == {(2, 1): 2, (2, 2): 1, (3, 1): 3, (3, 3): 1}
