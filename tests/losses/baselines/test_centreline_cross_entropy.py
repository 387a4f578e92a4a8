"""clDice with cross-entropy: values by hand, and the definition written out."""

from __future__ import annotations

import math

import pytest
import torch
from loss_batches import likelihoods, random_batch
from torch.nn import functional as F

from toposeg_lite.losses import ClDiceLoss, cldice_loss
from toposeg_lite.losses.baselines.cldice import _soft_skeleton
from toposeg_lite.topology.skeleton import thin_mask


def test_values_by_hand():
    """Lines of one pixel are their own skeletons; 20 pixels in all."""
    target = torch.zeros(1, 4, 5, dtype=torch.int64)
    target[0, 1] = 1
    logits = torch.full((1, 1, 4, 5), -50.0)
    logits[0, 0, 1] = 50
    for options in ({"iterations": 2}, {"skeleton": "thin"}):
        options = {**options, "measure": "cross_entropy"}
        assert cldice_loss(logits, target, **options).item() == pytest.approx(0)
        # A pixel of the truth's skeleton is undecided: ln 2, and half of it is still predicted.
        undecided = logits.clone()
        undecided[0, 0, 1, 2] = 0
        lines = {"soft": 1.5, "thin": 1.0}[options.get("skeleton", "soft")]  # 0 is not above 0
        value = cldice_loss(undecided, target, **options)
        assert value.item() == pytest.approx(lines * math.log(2) / 20, rel=1e-5)
        # A false line: 5 pixels of the prediction's skeleton cost 50 each.
        false = logits.clone()
        false[0, 0, 3] = 50
        assert cldice_loss(false, target, **options).item() == pytest.approx(5 * 50 / 20)
        missed = torch.full((1, 1, 4, 5), -50.0)
        assert cldice_loss(missed, target, **options).item() == pytest.approx(5 * 50 / 20)


@pytest.mark.parametrize("skeleton", ["soft", "thin"])
@pytest.mark.parametrize("shape", [(2, 1, 19, 23), (2, 3, 19, 23)])
def test_it_is_its_definition(shape, skeleton):
    logits, target = random_batch(6, shape, torch.float64)
    images, masks = (torch.from_numpy(each) for each in likelihoods(logits, target))
    if shape[1] == 1:
        truth = masks.to(logits)
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")[:, 0]
        predicted = images > 0.5
    else:
        entropy = F.cross_entropy(logits, target, reduction="none")
        predicted = torch.stack([logits.argmax(1) == k for k in range(1, shape[1])], 1)
    expected = []
    for b in range(len(logits)):
        of_classes = []
        for p, g, hard in zip(images[b], masks[b], predicted[b], strict=True):
            if skeleton == "soft":
                lines = [_soft_skeleton(each[None, None], 10)[0, 0] for each in (p, g.to(p))]
            else:
                lines = [torch.from_numpy(thin_mask(each.numpy(), None)) for each in (hard, g)]
                lines[0] = lines[0] * p
            of_classes.append((entropy[b] * (lines[0] + lines[1])).mean())
        expected.append(torch.stack(of_classes).mean())
    values = ClDiceLoss(skeleton=skeleton, measure="cross_entropy", reduction="none")(
        logits, target
    )
    torch.testing.assert_close(values, torch.stack(expected))


@pytest.mark.parametrize("skeleton", ["soft", "thin"])
def test_the_mean_is_that_of_the_pixels_that_count(skeleton):
    target = torch.zeros(1, 4, 5, dtype=torch.int64)
    target[0, 1] = 1
    logits = torch.full((1, 1, 4, 5), -50.0)
    target[0, 3] = 255
    loss = ClDiceLoss(skeleton=skeleton, measure="cross_entropy", ignore_index=255)
    assert loss(logits, target).item() == pytest.approx(5 * 50 / 15)
