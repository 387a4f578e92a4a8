"""Dice + cross-entropy and clDice against their formulas written out again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import likelihoods, random_batch
from scipy import ndimage
from skimage.morphology import skeletonize
from torch.nn import functional as F

from toposeg_lite.losses import cldice_loss, dice_bce_loss
from toposeg_lite.losses.baselines import cldice
from toposeg_lite.topology.skeleton import thin_mask

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


@pytest.mark.parametrize("spacing", [(2.5, 1.0), (1.0, 3.0), (3.0, 1.0, 2.0)], ids=str)
@pytest.mark.parametrize("iterations", [0, 2, 7])
def test_the_soft_skeleton_erodes_a_coarse_axis_when_a_pixel_of_it_is_due(iterations, spacing):
    image = ndimage.gaussian_filter(np.random.default_rng(3).random((9, 8, 10)[: len(spacing)]), 1)
    skeleton, now = np.zeros_like(image), image
    for step in range(1, iterations + 2):
        due = [int(step / s + 1e-6) > int((step - 1) / s + 1e-6) for s in spacing]
        cross = ndimage.generate_binary_structure(image.ndim, 1)
        block = np.ones((3,) * image.ndim, bool)
        for axis, is_due in enumerate(due):
            if not is_due:
                keep = [slice(None)] * image.ndim
                keep[axis] = slice(1, 2)
                cross, block = cross[tuple(keep)], block[tuple(keep)]
        eroded = ndimage.grey_erosion(now, footprint=cross, mode="constant", cval=np.inf)
        opened = ndimage.grey_dilation(eroded, footprint=block, mode="constant", cval=-np.inf)
        skeleton = 1 - (1 - skeleton) * (1 - np.maximum(now - opened, 0))
        now = eroded
    ours = cldice._soft_skeleton(torch.tensor(image)[None, None], iterations, spacing)[0, 0]
    np.testing.assert_allclose(ours.numpy(), skeleton, atol=1e-12)


def test_the_unit_of_a_spacing_does_not_matter_and_equal_ones_are_none():
    logits, target = random_batch(22, (2, 1, 6, 7, 8))
    for skeleton in ("soft", "thin"):

        def value(spacing, skeleton=skeleton):
            return cldice_loss(logits, target, skeleton=skeleton, spacing=spacing)

        assert torch.equal(value((0.3, 0.3, 0.3)), value(None))
        assert torch.equal(value((6.0, 2.0, 3.0)), value((3.0, 1.0, 1.5)))
        assert not torch.equal(value((4.0, 1.0, 1.0)), value(None))


@pytest.mark.parametrize("shape", [(3, 1, 19, 23), (2, 4, 19, 23), (2, 1, 9, 8, 10)])
def test_thin_cldice_equals_its_formula(shape):
    logits, target = random_batch(22, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    if shape[1] == 1:
        predicted = images > 0.5
    else:
        labels = logits.numpy().argmax(1)
        predicted = np.stack([labels == k for k in range(1, shape[1])], axis=1)
    thin = skeletonize if len(shape) == 4 else thin_mask
    expected = np.zeros(images.shape[:2])
    for at in np.ndindex(expected.shape):
        image, mask = images[at], masks[at]
        lines, true_lines = thin(predicted[at]), thin(mask.copy())
        precision = (image[lines & mask].sum() + 0.7) / (image[lines].sum() + 0.7)
        sensitivity = (image[true_lines].sum() + 0.7) / (true_lines.sum() + 0.7)
        expected[at] = 1 - 2 / (1 / precision + 1 / sensitivity)
    value = cldice_loss(logits, target, skeleton="thin", smooth=0.7, reduction="none")
    np.testing.assert_allclose(value.numpy(), expected.mean(1), rtol=1e-10)


def test_thin_cldice_of_a_broken_line_by_hand():
    """A line of five pixels with a gap of 0.3, and a false pixel of 0.8 apart from it."""
    likelihood = torch.full((3, 7), 0.1, dtype=torch.float64)
    likelihood[0, 6] = 0.8
    likelihood[2, :5] = torch.tensor([0.9, 0.9, 0.3, 0.9, 0.9])
    truth = torch.zeros(1, 3, 7, dtype=torch.int64)
    truth[0, 2, :5] = 1
    logits = likelihood.logit()[None, None].requires_grad_()
    value = cldice_loss(logits, truth, skeleton="thin")
    precision, sensitivity = (3.6 + 1) / (4.4 + 1), (3.9 + 1) / (5 + 1)
    assert value.item() == pytest.approx(1 - 2 / (1 / precision + 1 / sensitivity))
    value.backward()
    slope = logits.grad[0, 0]
    assert (slope[2, :5] < 0).all()  # along the true line all rise, the gap too
    assert slope[0, 6] > 0  # the false pixel falls
    slope[2, :5] = slope[0, 6] = 0
    assert not slope.any()


def test_thin_cldice_is_0_for_the_truth_and_large_for_its_opposite():
    truth = torch.zeros(1, 9, 12, dtype=torch.int64)
    truth[0, 3:6, 1:11] = 1
    logits = (truth[:, None] * 2.0 - 1) * 50
    assert cldice_loss(logits, truth, skeleton="thin").item() == pytest.approx(0, abs=1e-6)
    assert cldice_loss(-logits, truth, skeleton="thin").item() > 0.7


def test_the_soft_skeleton_of_a_bar_is_its_middle_line():
    bar = torch.zeros(1, 1, 9, 16)
    bar[..., 2:7, 2:14] = 1
    skeleton = cldice._soft_skeleton(bar, 5)[0, 0]
    assert set(skeleton.unique().tolist()) == {0, 1}
    assert skeleton[4, 4:12].all()
    assert not skeleton[[0, 1, 7, 8]].any()
    assert not skeleton[[2, 3, 5, 6], 5:11].any()
