"""The Morse loss: which structures it finds, what it costs there, and what descent on it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import likelihoods, random_batch
from scipy import ndimage
from torch.nn import functional as F

from toposeg_lite.losses import MorseLoss, morse, morse_loss
from toposeg_lite.topology import betti_numbers, morse_complex

RIDGE = torch.tensor(
    [
        [0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1],
        [0.6, 0.8, 0.9, 0.3, 0.8, 0.7, 0.6],
        [0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1],
    ]
)


def acts_on(likelihood, target, **options):
    """The pixels with a gradient."""
    leaf = likelihood[None, None].logit().requires_grad_()
    morse_loss(leaf, target[None].long(), **options).backward()
    return leaf.grad[0, 0].numpy() != 0


def rows(mask):
    return ["".join("#" if x else "." for x in row) for row in mask]


# --- By hand ----------------------------------------------------------------------------------


def test_the_skeleton_of_a_ridge_is_cut_and_widened_as_wanted():
    truth = RIDGE > 0.25
    assert rows(acts_on(RIDGE, truth)) == [".......", "..###..", "......."]
    assert rows(acts_on(RIDGE, truth, saddle_level=0.5)) == [".......", "..#.#..", "......."]
    assert rows(acts_on(RIDGE, truth, min_persistence=0.6)) == [".......", "..#....", "......."]
    assert rows(acts_on(RIDGE, truth, min_persistence=0.6, dilation=1)) == [
        ".###...",
        ".###...",
        ".###...",
    ]
    assert rows(acts_on(RIDGE, truth, dilation=9)) == ["#######"] * 3


def test_the_value_is_the_mean_over_the_structure():
    truth = torch.tensor([[0] * 7, [1, 1, 1, 1, 0, 0, 0], [0] * 7])
    logits = RIDGE[None, None].double().logit()
    entropy = -np.log([0.9, 0.3, 0.2]).mean()
    assert morse_loss(logits, truth[None]).item() == pytest.approx(entropy, rel=1e-5)
    dice = 1 - (2 * 1.2 + 1) / (0.9 + 0.3 + 0.8 + 2 + 1)
    value = morse_loss(logits, truth[None], pixel_loss="dice")
    assert value.item() == pytest.approx(dice, rel=1e-5)


CELLS = torch.full((7, 11), 0.1)
CELLS[:, 5] = torch.tensor([0.9, 0.8, 0.9, 0.4, 0.9, 0.8, 0.9])
CELLS[:, 4] = CELLS[:, 6] = 0.3


def test_the_borders_of_patches_are_walls():
    wall = np.zeros((7, 11), bool)
    wall[:, 5] = True
    truth = CELLS > 0.35
    assert np.array_equal(acts_on(CELLS, truth, structure="patches"), wall)
    cut = acts_on(CELLS, truth, structure="patches", saddle_level=0.5)
    assert np.array_equal(cut, wall & (CELLS.numpy() != 0.4) & (np.arange(7) != 3)[:, None])
    assert not acts_on(CELLS, truth, structure="patches", min_persistence=0.4).any()
    assert acts_on(CELLS, truth, structure="patches", dilation=1).sum() == 3 * 7


def test_structures_of_the_truth_are_thin_and_lie_inside_it():
    truth = torch.zeros(9, 14, dtype=torch.int64)
    truth[2:7, 2:12] = 1
    flat = torch.full((9, 14), 0.4)
    skeleton = acts_on(flat, truth, of="truth")
    assert skeleton.sum() >= 5
    assert skeleton.any(0)[4:10].all()
    assert skeleton.any(1).sum() <= 3
    assert not skeleton[truth.numpy() == 0].any()
    both = acts_on(RIDGE, RIDGE > 0.5, of="both")
    of_each = [acts_on(RIDGE, RIDGE > 0.5, of=of) for of in ("prediction", "truth")]
    assert np.array_equal(both, of_each[0] | of_each[1])
    assert not np.array_equal(*of_each)


@pytest.mark.parametrize("connectivity", [1, 2])
def test_patches_of_the_truth_are_the_components_of_its_background(connectivity):
    """The borders part the image into as many pieces as the background has, inside the walls."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        walls = np.abs(ndimage.gaussian_filter(rng.normal(size=(60, 71)), 4)) < 0.03
        options = {"structure": "patches", "of": "truth", "connectivity": connectivity}
        borders = acts_on(torch.full(walls.shape, 0.4), torch.tensor(walls), **options)
        dual = np.ones((3, 3)) if connectivity == 1 else None
        pieces, count = ndimage.label(~walls, dual)
        assert count > 5
        assert not borders[~walls].any()
        depth = ndimage.distance_transform_edt(walls).astype(np.float32)
        basins = morse_complex(depth / depth.max(), connectivity=connectivity).patches()
        assert basins.max() == len(np.unique(basins)) == count
        assert len({*zip(pieces[~walls], basins[~walls], strict=True)}) == count
        for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            # There is no step from one basin to another but from or to a border.
            assert (borders[here] | borders[there])[basins[here] != basins[there]].all()


def test_walls_of_the_truth_are_in_their_middle():
    truth = torch.zeros(20, 15, dtype=torch.int64)
    truth[:, 5:10] = 1
    flat = torch.full(truth.shape, 0.4)
    borders = acts_on(flat, truth, of="truth", structure="patches")
    assert rows(borders) == [".......#......."] * 20
    full = torch.ones_like(truth)
    assert not acts_on(flat, full, of="truth", structure="patches").any()
    assert not acts_on(flat, 0 * truth, of="truth", structure="patches").any()
    assert not acts_on(flat, 0 * truth, of="truth").any()


def test_a_missing_structure_is_seen_with_the_truth_only():
    truth = torch.zeros(9, 14, dtype=torch.int64)
    truth[2], truth[6] = 1, 1
    likelihood = torch.where(truth == 1, 0.9, 0.05)
    likelihood[6] = 0.05
    assert not acts_on(likelihood, truth)[5:8].any()
    assert acts_on(likelihood, truth, of="both")[6, 1:-1].all()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_tube_in_the_truth_of_a_volume_is_acted_on_all_along(width):
    truth = torch.zeros(10, 10, 54, dtype=torch.int64)
    truth[3 : 3 + width, 3 : 3 + width, 2:52] = 1
    acted = acts_on(torch.full(truth.shape, 0.5), truth, of="truth")
    assert not acted[truth.numpy() == 0].any()
    along = acted.sum(axis=(0, 1))
    assert along.max() == 1
    assert along.sum() >= 50 - width


def test_huge_dilations_and_single_pixels():
    assert acts_on(torch.full((1, 1), 0.3), torch.ones(1, 1), dilation=10**9).all()


@pytest.mark.parametrize("pixels", [0, 1, 2, 5])
@pytest.mark.parametrize("shape", [(9, 13), (1, 4), (5, 6, 7)])
def test_dilation_equals_scipys(shape, pixels):
    mask = np.random.default_rng(0).random(shape) < 0.05
    expected = mask
    if pixels:
        expected = ndimage.binary_dilation(mask, np.ones((3,) * mask.ndim), iterations=pixels)
    before = mask.copy()
    assert np.array_equal(morse._dilate(mask, pixels), expected)
    assert np.array_equal(mask, before)


# --- The formula ------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_loss", ["cross_entropy", "dice"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3, 1, 19, 23), {"connectivity": 1}),
        ((3, 1, 19, 23), {"min_persistence": 0.4, "saddle_level": 0.3}),
        ((2, 4, 19, 23), {"min_persistence": 0.05}),
        ((2, 1, 19, 23), {"structure": "patches", "min_persistence": 0.2}),
        ((2, 1, 7, 9, 11), {}),
        ((2, 3, 7, 9, 11), {"min_persistence": 0.05, "connectivity": 1}),
        ((2, 1, 7, 9, 11), {"structure": "patches", "saddle_level": 0.4}),
    ],
)
def test_value_and_gradient_equal_the_definition(shape, options, pixel_loss):
    logits, target = random_batch(30, shape, torch.float64)
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    values = morse_loss(leaf, target, reduction="none", pixel_loss=pixel_loss, **options)
    images, masks = likelihoods(logits, target)
    differentiable = twin.sigmoid() if shape[1] == 1 else twin.softmax(1)[:, 1:]
    expected = torch.zeros(images.shape[:2], dtype=torch.float64)
    low = options.get("min_persistence", 0.1), options.get("saddle_level", 0.0)
    for at in np.ndindex(*expected.shape):
        complex_ = morse_complex(images[at], connectivity=options.get("connectivity"))
        if options.get("structure") == "patches":
            structure, labels = np.zeros(shape[2:], bool), complex_.patches(low[0])
            for p in np.ndindex(*shape[2:]):
                for axis in range(len(p)):
                    for step in (-1, 1):
                        q = tuple(x + step * (i == axis) for i, x in enumerate(p))
                        if min(q) < 0 or any(a >= n for a, n in zip(q, shape[2:], strict=True)):
                            continue
                        structure[p] |= labels[p] != labels[q] and images[at][p] >= images[at][q]
            structure &= images[at] >= low[1]
        else:
            structure = complex_.skeleton(*low).mask
        chosen = torch.tensor(structure)
        assert 0 < chosen.sum() < chosen.numel()
        p, g = differentiable[at][chosen], torch.tensor(masks[at])[chosen].double()
        if pixel_loss == "cross_entropy":
            expected[at] = F.binary_cross_entropy(p, g)
        else:
            expected[at] = 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)
    torch.testing.assert_close(values, expected.mean(1))
    factors = torch.arange(1.0, shape[0] + 1)
    (values * factors).sum().backward()
    (expected.mean(1) * factors).sum().backward()
    torch.testing.assert_close(leaf.grad, twin.grad)
    for reduction, total in (("mean", expected.mean()), ("sum", expected.mean(1).sum())):
        value = morse_loss(logits, target, reduction=reduction, pixel_loss=pixel_loss, **options)
        torch.testing.assert_close(value, total.detach())


# --- Descent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_loss", ["cross_entropy", "dice"])
def test_descent_mends_a_break_and_removes_a_false_bridge(pixel_loss):
    truth = torch.zeros(1, 11, 15, dtype=torch.int64)
    truth[:, 2], truth[:, 8] = 1, 1
    likelihood = torch.where(truth[0] == 1, 0.85, 0.1)
    likelihood[2, 12] = 0.3
    likelihood[3:8, 3] = likelihood[3:8, 8] = 0.7
    likelihood += 0.05 * torch.from_numpy(np.random.default_rng(0).random((11, 15)))
    assert betti_numbers(likelihood.numpy() > 0.5) == (2, 1)
    leaf = likelihood[None, None].double().logit().requires_grad_()
    optimiser = torch.optim.SGD([leaf], 10.0)
    loss = MorseLoss(of="both", min_persistence=0.05, pixel_loss=pixel_loss)
    for _ in range(150):
        optimiser.zero_grad()
        loss(leaf, truth).backward()
        optimiser.step()
    assert betti_numbers(leaf[0, 0].detach().numpy() > 0) == (2, 0)


def test_a_weak_wall_is_closed_in_3d():
    truth = torch.zeros(1, 6, 7, 9, dtype=torch.int64)
    truth[..., 4] = 1
    likelihood = torch.where(truth[0] == 1, 0.9, 0.1)
    likelihood[2:4, 2:5, 4] = 0.3
    leaf = likelihood[None, None].logit().requires_grad_()
    morse_loss(leaf, truth, structure="patches").backward()
    assert np.array_equal(leaf.grad[0, 0].numpy() < 0, truth[0].numpy() == 1)
    assert not (leaf.grad > 0).any()
    assert leaf.grad[0, 0, 2, 2, 4] < 2 * leaf.grad[0, 0, 0, 0, 4]


def test_huge_logits_stay_finite():
    logits, target = random_batch(31, (1, 3, 9, 13), scale=1e5)
    leaf = logits.requires_grad_()
    for options in ({"of": "both"}, {"structure": "patches", "pixel_loss": "dice"}):
        value = morse_loss(leaf, target, **options)
        (slope,) = torch.autograd.grad(value, leaf)
        assert torch.isfinite(value)
        assert torch.isfinite(slope).all()
