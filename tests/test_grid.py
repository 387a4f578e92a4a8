"""What the checks at the door let through, and in which form."""

from __future__ import annotations

import numpy as np

from toposeg_lite.topology import betti_numbers
from toposeg_lite.topology.grid import check_image, check_mask


def test_a_boolean_mask_of_other_bytes_becomes_one_of_0_and_1():
    # Pillow gives these bytes for 1-bit images; kernels that add them would leave their arrays.
    mask = np.array([[0, 255, 0], [7, 0, 1]], np.uint8).view(np.bool_)
    assert check_mask(mask).view(np.uint8).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert check_image(mask).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert betti_numbers(mask, connectivity=1) == (3, 0)


def test_a_good_mask_is_not_copied():
    mask = np.array([[True, False, True]])
    assert check_mask(mask) is mask
