"""The homotopy warping loss: where it acts, what it costs there, and what descent on it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import random_batch
from torch.nn import functional as F

from toposeg_lite.losses import HomotopyWarpingLoss, homotopy_warping_loss
from toposeg_lite.topology import betti_numbers, homotopy_warp


def draw(*rows):
    """(1, H, W) labels from rows of # and other signs."""
    return torch.tensor([[[int(sign == "#") for sign in row] for row in rows]])


def logits_of(mask, strength=2.0):
    return (mask[:, None] * 2.0 - 1) * strength


def acts_on(logits, target, **options):
    """The pixels with a gradient, drawn."""
    leaf = logits.clone().requires_grad_()
    homotopy_warping_loss(leaf, target, **options).backward()
    return leaf.grad[0, 0].ne(0).int()[None]


# --- By hand ----------------------------------------------------------------------------------

BROKEN = draw("#####.....", "#####..###", "#####.....")
WHOLE = draw("..........", "##########", "..........")


def test_a_break_is_critical_and_width_is_not():
    assert torch.equal(
        acts_on(logits_of(BROKEN), WHOLE), draw("..........", ".....##...", "..........")
    )


def test_each_direction_sees_what_the_other_one_may_overlook():
    """Where two objects touch, only the false bridge counts, whichever mask is the prediction."""
    two = draw("###.###", "###.###", "###.###")
    joined = draw("###.###", "#######", "###.###")
    for prediction, truth in ((two, joined), (joined, two)):
        assert torch.equal(
            acts_on(logits_of(prediction), truth), draw(".......", "...#...", ".......")
        )


def test_an_open_hole_and_a_missing_component_count_too():
    truth = draw("#####.", "#...#.", "#...#.", "#####.", "......", "....#.")
    filled = draw("#####.", "#####.", "#####.", "#####.", "......", "......")
    places = acts_on(logits_of(filled), truth)
    assert places[0, 5, 4] == 1
    assert places[0, 1:3, 1:4].sum() >= 1
    assert not places[0, 0].any()
    assert not places[0, :, 5].any()


def test_only_equal_topology_in_other_places_costs_nothing():
    prediction = draw("......", ".####.", ".####.", "......")
    truth = draw("......", "##....", "###...", "......")
    leaf = logits_of(prediction).requires_grad_()
    value = homotopy_warping_loss(leaf, truth)
    value.backward()
    assert value.item() == 0
    assert not leaf.grad.any()


@pytest.mark.parametrize(("connectivity", "critical"), [(2, 0), (1, 1)])
def test_a_diagonal_step_breaks_a_line_for_four_neighbours_only(connectivity, critical):
    prediction = draw("##...", "..###")
    truth = draw("###..", "..###")
    assert acts_on(logits_of(prediction), truth, connectivity=connectivity).sum() == critical


# --- The formula ------------------------------------------------------------------------------


def by_definition(logits, target, connectivity, pixel_loss):
    """The loss of each image from two warps and torch's own pixel losses, class by class."""
    values = []
    for image, labels in zip(logits, target, strict=True):
        if len(image) == 1:
            likelihood, reported = image.sigmoid(), (image[0] > 0).int()
            classes = [1]
            likelihood = torch.cat([1 - likelihood, likelihood])
        else:
            likelihood, reported = image.softmax(0), image.argmax(0)
            classes = range(1, len(image))
        parts = []
        for k in classes:
            prediction, truth = (reported == k).numpy(), (labels == k).numpy()
            towards_prediction = homotopy_warp(
                truth, prediction, connectivity=connectivity
            ).critical
            towards_truth = homotopy_warp(prediction, truth, connectivity=connectivity).critical
            at = torch.tensor(towards_prediction | towards_truth)
            p, g = likelihood[k][at], torch.tensor(truth)[at].to(logits.dtype)
            if not len(p):
                parts.append(torch.zeros((), dtype=logits.dtype))
            elif pixel_loss == "cross_entropy":
                parts.append(F.binary_cross_entropy(p, g))
            else:
                parts.append(1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1))
        values.append(torch.stack(parts).mean())
    return torch.stack(values)


@pytest.mark.parametrize("pixel_loss", ["cross_entropy", "dice"])
@pytest.mark.parametrize(
    ("shape", "connectivity"),
    [
        ((3, 1, 19, 23), 1),
        ((3, 1, 19, 23), 2),
        ((2, 4, 19, 23), 2),
        ((2, 2, 19, 23), 1),
        ((2, 1, 7, 9, 11), 3),
        ((2, 3, 7, 9, 11), 1),
    ],
)
def test_value_and_gradient_equal_the_definition(shape, connectivity, pixel_loss):
    logits, target = random_batch(30, shape, torch.float64)
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    options = {"connectivity": connectivity, "pixel_loss": pixel_loss}
    values = homotopy_warping_loss(leaf, target, reduction="none", **options)
    expected = by_definition(twin, target, connectivity, pixel_loss)
    assert expected.min() > 0
    torch.testing.assert_close(values, expected)
    factors = torch.arange(1.0, shape[0] + 1)
    (values * factors).sum().backward()
    (expected * factors).sum().backward()
    torch.testing.assert_close(leaf.grad, twin.grad)
    for reduction, total in (("mean", expected.mean()), ("sum", expected.sum())):
        value = homotopy_warping_loss(logits, target, reduction=reduction, **options)
        torch.testing.assert_close(value, total.detach())


def test_the_number_of_critical_pixels_does_not_change_the_value():
    """Twice the breaks cost as much as one, where all pixels are equally wrong."""
    twice, truth = (torch.cat([mask, 0 * mask, mask], dim=1) for mask in (BROKEN, WHOLE))
    once = homotopy_warping_loss(logits_of(BROKEN), WHOLE)
    assert acts_on(logits_of(twice), truth).sum() == 2 * acts_on(logits_of(BROKEN), WHOLE).sum()
    torch.testing.assert_close(homotopy_warping_loss(logits_of(twice), truth), once)
    torch.testing.assert_close(once, F.softplus(torch.tensor(2.0)))


def test_half_is_background_and_of_equal_classes_the_first_wins():
    truth = draw("#####")
    assert acts_on(torch.zeros(1, 1, 1, 5), truth).sum() == 5
    assert acts_on(torch.full((1, 1, 1, 5), 1e-3), truth).sum() == 0
    zeros = torch.zeros(1, 3, 1, 5)
    assert homotopy_warping_loss(zeros, 0 * truth) == 0
    assert homotopy_warping_loss(zeros, truth) > 0


# --- Descent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_loss", ["cross_entropy", "dice"])
@pytest.mark.parametrize("seed", [0, 1])
def test_descent_ends_with_the_topology_of_the_truth(seed, pixel_loss):
    logits, target = random_batch(40 + seed, (1, 1, 19, 23), torch.float64, scale=0.5)
    truth = betti_numbers(target[0].numpy() == 1)
    assert betti_numbers(logits[0, 0].numpy() > 0) != truth
    leaf = logits.requires_grad_()
    optimiser = torch.optim.SGD([leaf], 4.0)
    loss = HomotopyWarpingLoss(pixel_loss=pixel_loss)
    for _ in range(400):
        optimiser.zero_grad()
        value = loss(leaf, target)
        value.backward()
        optimiser.step()
        if value == 0:
            break
    assert value == 0
    assert betti_numbers(leaf[0, 0].detach().numpy() > 0) == truth


def test_a_broken_tube_is_mended_in_3d():
    truth = torch.zeros(1, 5, 5, 12, dtype=torch.int64)
    truth[:, 2, 2] = 1
    prediction = truth.clone()
    prediction[:, 1:4, 1:4, :5] = 1
    prediction[..., 6:8] = 0
    leaf = logits_of(prediction).requires_grad_()
    homotopy_warping_loss(leaf, truth).backward()
    assert np.argwhere(leaf.grad[0, 0].numpy() < 0).tolist() == [[2, 2, 6], [2, 2, 7]]
    assert not (leaf.grad > 0).any()


def test_huge_logits_stay_finite():
    leaf = logits_of(BROKEN, 1e6).requires_grad_()
    for target in (WHOLE, 1 - WHOLE):
        for pixel_loss in ("cross_entropy", "dice"):
            value = homotopy_warping_loss(leaf, target, pixel_loss=pixel_loss)
            (slope,) = torch.autograd.grad(value, leaf)
            assert torch.isfinite(value)
            assert torch.isfinite(slope).all()
    value = homotopy_warping_loss(leaf, WHOLE)
    assert value.item() == pytest.approx(1e6)
