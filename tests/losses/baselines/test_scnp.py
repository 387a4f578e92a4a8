"""Same-class neighbour penalisation: pooled by hand, and the definition written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from loss_batches import random_batch

from toposeg_lite.losses import DiceBCELoss, SCNPLoss, dice_bce_loss, scnp_loss
from toposeg_lite.losses.baselines.scnp import _worst


def tensors(logits, target):
    return torch.tensor(logits)[None, None].double(), torch.tensor(target)[None]


LOGITS = [
    [5, 4, 3, -1],
    [6, -2, 7, -3],
    [8, 9, 1, 2],
]
TARGET = [
    [1, 1, 0, 0],
    [1, 1, 0, 0],
    [1, 1, 1, 0],
]
#: The smallest of the foreground, the largest of the background, in each box of 3 x 3.
POOLED = [
    [-2, -2, 7, 7],
    [-2, -2, 7, 7],
    [-2, -2, -2, 7],
]


def test_logits_by_hand():
    logits, target = tensors(LOGITS, TARGET)
    worst = _worst(logits, target[:, None] == 1, None, 1)
    assert worst[0, 0].tolist() == POOLED
    assert _worst(logits, target[:, None] == 1, None, 0)[0, 0].tolist() == LOGITS
    wide = _worst(logits, target[:, None] == 1, None, 2)
    assert wide[0, 0].tolist() == [[-2, -2, 7, 7], [-2, -2, 7, 7], [-2, -2, -2, 7]]


def test_the_loss_is_the_pixel_loss_of_these_logits():
    logits, target = tensors(LOGITS, TARGET)
    pooled, _ = tensors(POOLED, TARGET)
    for options in ({}, {"dice_weight": 0.3, "smooth": 2.0}, {"bce_weight": 0.0}):
        expected = dice_bce_loss(pooled, target, **options)
        assert scnp_loss(logits, target, **options).item() == pytest.approx(expected.item())


def test_the_gradient_of_a_neighbourhood_goes_to_its_worst_pixel():
    logits, target = tensors(LOGITS, TARGET)
    logits.requires_grad_()
    scnp_loss(logits, target, dice_weight=0.0).backward()
    expected = np.zeros((3, 4))
    expected[1, 1] = 7 * (1 / (1 + np.exp(2)) - 1) / 12  # seven pixels answer for it
    expected[1, 2] = 5 / (1 + np.exp(-7)) / 12
    np.testing.assert_allclose(logits.grad[0, 0], expected, atol=1e-12)


def test_alone_in_a_neighbourhood_a_pixel_is_its_own_worst():
    logits, target = random_batch(3, (2, 1, 9, 13), torch.float64)
    assert torch.equal(SCNPLoss(neighbourhood=1)(logits, target), DiceBCELoss()(logits, target))
    # Whatever the neighbours of the other class say does not matter.
    target = torch.zeros(1, 5, 5, dtype=torch.int64)
    target[0, 2, 2] = 1
    logits = torch.full((1, 1, 5, 5), -3.0, dtype=torch.float64)
    logits[0, 0, 2, 2] = 4
    assert torch.equal(scnp_loss(logits, target), dice_bce_loss(logits, target))


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("shape", [(2, 1, 7, 9), (2, 3, 7, 9), (1, 2, 4, 6, 5)])
def test_it_is_its_definition(shape, side):
    """Pixel by pixel and channel by channel."""
    logits, labels = random_batch(4, shape, torch.float64)
    classes = shape[1]
    channels = torch.arange(classes).view(1, -1, *[1] * (len(shape) - 2))
    target = labels[:, None] == (channels if classes > 1 else 1)
    pooled = torch.empty_like(logits)
    for b, c in np.ndindex(*shape[:2]):
        z, g = logits[b, c], target[b, c]
        for at in itertools.product(*map(range, shape[2:])):
            box = tuple(slice(max(i - side // 2, 0), i + side // 2 + 1) for i in at)
            like = z[box][g[box] == g[at]]
            pooled[(b, c, *at)] = like.min() if g[at] else like.max()
    expected = DiceBCELoss(reduction="none")(pooled, labels)
    torch.testing.assert_close(
        scnp_loss(logits, labels, neighbourhood=side, reduction="none"), expected
    )


def test_ignored_pixels_are_nobodys_neighbours():
    logits, target = tensors(LOGITS, TARGET)
    target = target.clone()
    target[0, 1, 1] = target[0, 1, 2] = 255  # the worst of both
    leaf = logits.clone().requires_grad_()
    scnp_loss(leaf, target, ignore_index=255).backward()
    assert (leaf.grad[0, 0, 1, 1:3] == 0).all()
    worst = _worst(logits, target[:, None] == 1, target[:, None] == 255, 1)
    assert worst[0, 0].tolist() == [[4, 4, 3, 3], [4, 0, 0, 3], [6, 1, 1, 2]]
