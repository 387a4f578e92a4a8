"""Skeleton recall: tubes and values drawn by hand, and the definition written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import likelihoods, random_batch
from scipy import ndimage
from skimage.morphology import skeletonize

from toposeg_lite.losses import SkeletonRecallLoss, skeleton_recall_loss
from toposeg_lite.losses.baselines.skeleton_recall import _tubes
from toposeg_lite.losses.common import begin_copy
from toposeg_lite.losses.options import Options

BAR = """
    . . . . . . . . . . .
    . # # # # # # # # # .
    . # # # # # # # # # .
    . # # # # # # # # # .
    . . . . . . . . . . .
"""
#: The skeleton is o, as Zhang's thinning leaves it; what one step to the neighbours adds is +.
TUBE_OF_1 = """
    . . . . . . . . . . .
    . + + + + + + + o + .
    . o o o o o o o + . .
    . + + + + + + + . . .
    . . . . . . . . . . .
"""
TUBE_OF_2 = """
    . . . . . . . . . . .
    . # # # # # # # # # .
    . # # # # # # # # # .
    . # # # # # # # # . .
    . . . . . . . . . . .
"""
LINES = """
    . . . # . . . .
    . . # . . . . .
    . # . . # # # #
    . . . . . . . .
"""


def drawn(text, marks="#"):
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[cell in marks for cell in row] for row in rows])


def tubes(masks, radius, channels=1):
    """The tubes of (B, *spatial) labels."""
    labels = torch.from_numpy(masks.astype(np.int64))
    logits = torch.zeros(len(labels), channels, *labels.shape[1:])
    return _tubes(begin_copy(logits, labels, Options())(), radius)


def test_a_tube_is_a_thick_skeleton_within_the_mask():
    mask = drawn(BAR)[None]
    np.testing.assert_array_equal(tubes(mask, 0)[0, 0], drawn(TUBE_OF_1, "o"))
    np.testing.assert_array_equal(tubes(mask, 1)[0, 0], drawn(TUBE_OF_1, "o+"))
    np.testing.assert_array_equal(tubes(mask, 2)[0, 0], drawn(TUBE_OF_2))
    np.testing.assert_array_equal(tubes(mask, 9), mask[:, None])  # no further than the mask
    lines = drawn(LINES)[None]
    for radius in (0, 2):
        np.testing.assert_array_equal(tubes(lines, radius), lines[:, None])


def test_values_by_hand():
    target = torch.from_numpy(drawn(BAR))[None].long()
    logits = torch.full((1, 1, 5, 11), -50.0)
    # Of the 8 pixels of the skeleton one is found, and all around is a false positive.
    logits[0, 0, 2, 5] = 50
    logits[0, 0, 0] = logits[0, 0, 4] = 50
    assert skeleton_recall_loss(logits, target, tube=0).item() == pytest.approx(1 - 2 / 9)
    assert skeleton_recall_loss(logits, target, tube=1).item() == pytest.approx(1 - 2 / 25)
    assert skeleton_recall_loss(logits, target, smooth=3).item() == pytest.approx(1 - 4 / 29)
    everything = torch.full((1, 1, 5, 11), 50.0)
    assert skeleton_recall_loss(everything, target) == 0
    assert skeleton_recall_loss(logits, torch.zeros_like(target)) == 0


def test_gradients_by_hand():
    target = torch.from_numpy(drawn(BAR))[None].long()
    logits = torch.zeros(1, 1, 5, 11, requires_grad=True)
    skeleton_recall_loss(logits, target, tube=1).backward()
    expected = -0.25 / 25 * drawn(TUBE_OF_1, "o+")  # the sigmoid's slope at 0 is 1/4
    np.testing.assert_allclose(logits.grad[0, 0], expected, atol=1e-7)


def test_classes_are_thinned_together_and_judged_each_by_itself():
    labels = np.where(drawn(BAR), 1, 0)
    labels[:, 6:] *= 2  # the right half is of class 2
    both = tubes(labels[None], 1, channels=3)
    line = drawn(TUBE_OF_1, "o+")
    np.testing.assert_array_equal(both[0, 0], line & (labels == 1))
    np.testing.assert_array_equal(both[0, 1], line & (labels == 2))
    logits = torch.zeros(1, 3, 5, 11)
    logits[:, 1] = 50  # class 1 everywhere: all of its tube is found, and nothing of the other
    counts = [int((line & (labels == k)).sum()) for k in (1, 2)]
    expected = (0 + 1 - 1 / (counts[1] + 1)) / 2
    value = skeleton_recall_loss(logits, torch.from_numpy(labels)[None], tube=1)
    assert value.item() == pytest.approx(expected)
    # A class that is not there costs nothing.
    alone = skeleton_recall_loss(logits, torch.from_numpy(drawn(BAR)).long()[None], tube=1)
    assert alone.item() == pytest.approx(0)


@pytest.mark.parametrize("shape", [(3, 1, 21, 34), (2, 3, 21, 34), (2, 1, 9, 12, 10)])
def test_it_is_its_definition(shape):
    logits, target = random_batch(5, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    values = SkeletonRecallLoss(reduction="none")(logits, target)
    box = ndimage.generate_binary_structure(len(shape) - 2, 1)
    for image, mask, value in zip(images, masks, values, strict=True):
        tube = ndimage.binary_dilation(
            skeletonize(mask.any(0)).astype(bool), ndimage.iterate_structure(box, 2)
        )
        recalls = [
            ((p * m)[tube].sum() + 1) / (m[tube].sum() + 1)
            for p, m in zip(image, mask, strict=True)
        ]
        assert value.item() == pytest.approx(1 - np.mean(recalls))


def test_a_break_under_ignored_pixels_is_no_break():
    """The skeleton passes below them, and they are no part of it."""
    mask = drawn(BAR)[None]
    labels = torch.from_numpy(mask).long()
    labels[:, 2, 5] = 255
    found = _tubes(begin_copy(torch.zeros(1, 1, 5, 11), labels, Options(ignore_index=255))(), 1)[
        0, 0
    ]
    expected = drawn(TUBE_OF_1, "o+")
    expected[2, 5] = False
    np.testing.assert_array_equal(found, expected)
