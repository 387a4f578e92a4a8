"""Dice + cross-entropy and clDice against their formulas written out again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import likelihoods, random_batch
from scipy import ndimage
from torch.nn import functional as F

from toposeg_lite.losses import cldice, cldice_loss, dice_bce_loss

# --- Dice + cross-entropy ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 1, 9, 13), (2, 4, 9, 13), (2, 1, 4, 5, 6), (2, 3, 4, 5, 6)])
def test_dice_bce_equals_its_formula(shape):
    logits, target = random_batch(20, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    axes = tuple(range(2, len(shape)))
    both = (images * masks).sum(axes)
    dice = (2 * both + 0.7) / (images.sum(axes) + masks.sum(axes) + 0.7)
    if shape[1] == 1:
        entropy = F.binary_cross_entropy_with_logits(
            logits[:, 0], target.double(), reduction="none"
        )
    else:
        entropy = F.cross_entropy(logits, target, reduction="none")
    expected = 0.3 * (1 - dice.mean(1)) + 2 * entropy.numpy().reshape(shape[0], -1).mean(1)
    options = {"dice_weight": 0.3, "bce_weight": 2, "smooth": 0.7}
    value = dice_bce_loss(logits, target, reduction="none", **options)
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)
    assert dice_bce_loss(logits, target, **options).item() == pytest.approx(expected.mean())
    total = dice_bce_loss(logits, target, reduction="sum", **options).item()
    assert total == pytest.approx(expected.sum())


# --- clDice -----------------------------------------------------------------------------------


def soft_skeleton(image, iterations):
    """The soft skeleton by SciPy's grey morphology, with neutral values outside the image."""
    cross = ndimage.generate_binary_structure(image.ndim, 1)
    block = np.ones((3,) * image.ndim)
    skeleton = np.zeros_like(image)
    for _ in range(iterations + 1):
        eroded = ndimage.grey_erosion(image, footprint=cross, mode="constant", cval=np.inf)
        opened = ndimage.grey_dilation(eroded, footprint=block, mode="constant", cval=-np.inf)
        skeleton = 1 - (1 - skeleton) * (1 - np.maximum(image - opened, 0))
        image = eroded
    return skeleton


@pytest.mark.parametrize("iterations", [0, 3, 10])
@pytest.mark.parametrize("shape", [(3, 1, 9, 13), (2, 4, 9, 13), (2, 1, 4, 5, 6), (2, 3, 4, 5, 6)])
def test_cldice_equals_its_formula(shape, iterations):
    logits, target = random_batch(21, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    expected = np.zeros(images.shape[:2])
    for at in np.ndindex(expected.shape):
        image, mask = images[at], masks[at].astype(float)
        lines, true_lines = soft_skeleton(image, iterations), soft_skeleton(mask, iterations)
        precision = ((lines * mask).sum() + 0.7) / (lines.sum() + 0.7)
        sensitivity = ((true_lines * image).sum() + 0.7) / (true_lines.sum() + 0.7)
        expected[at] = 1 - 2 / (1 / precision + 1 / sensitivity)
    value = cldice_loss(logits, target, iterations=iterations, smooth=0.7, reduction="none")
    np.testing.assert_allclose(value.numpy(), expected.mean(1), rtol=1e-10)


def test_the_soft_skeleton_of_a_bar_is_its_middle_line():
    bar = torch.zeros(1, 1, 9, 16)
    bar[..., 2:7, 2:14] = 1
    skeleton = cldice._soft_skeleton(bar, 5)[0, 0]
    assert set(skeleton.unique().tolist()) == {0, 1}
    assert skeleton[4, 4:12].all()
    assert not skeleton[[0, 1, 7, 8]].any()
    assert not skeleton[[2, 3, 5, 6], 5:11].any()
