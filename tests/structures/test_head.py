"""A head that decides about each branch: its loss, and what it learns."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from branch_sets import branches_of as given_branches
from ring_images import CELL, branches_of, error, fit, known, learn, rings, small
from scipy.optimize import minimize
from torch import nn
from torch.distributions import Normal

from toposeg_lite.structures import (
    FEATURES,
    BranchHead,
    StructureModel,
    expected_calibration_error,
)
from toposeg_lite.structures.common import Batch, reconstruction

WAYS = {"length": lambda length: length, "count": lambda length: 0 * length + 1}


@pytest.mark.parametrize("weigh_by", WAYS)
def test_the_loss_of_branches_is_what_its_formulas_say(weigh_by):
    model, image, truth = small("branch", segmentation=nn.MSELoss(), weigh_by=weigh_by)
    image[1, ..., 6:] = 0.5  # fewer branches than in the other image
    noise = np.random.default_rng(4)
    costs, divergences = [], []
    for i, one in enumerate(model.distribution(image)):
        z = one.mean + one.std * noise.standard_normal(len(one.mean))
        y = one.branches.fraction_on(truth[i, 0].numpy())
        w = WAYS[weigh_by](one.branches.length)
        costs.append((w * (np.logaddexp(0, z) - y * z)).sum() / w.sum())
        belief = Normal(*map(torch.from_numpy, (one.mean, one.std)))
        divergences.append(torch.distributions.kl_divergence(belief, Normal(0.0, 2.0)))
    assert len(divergences[0]) != len(divergences[1])
    loss = model.loss(image, truth, seed=4)
    assert loss.segmentation.item() == pytest.approx(nn.MSELoss()(model(image), truth * 1.0).item())
    assert loss.reconstruction.item() == pytest.approx(np.mean(costs))
    assert loss.kl.item() == pytest.approx(torch.cat(divergences).mean().item())
    assert loss.spread == 0
    parts = loss.segmentation + loss.reconstruction + 0.01 * loss.kl
    assert loss.total.item() == pytest.approx(parts.item())


def test_the_branch_mode_does(faint_and_strong):
    images, truths = faint_and_strong
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06)
    loss = fit(model, images[:12], truths[:12], 100)
    _, fractions, lengths = branches_of(model, images[12:], truths[12:])
    found = model.uncertainty(images[12:])
    probability = np.concatenate([one.probability for one in found])
    assert error(probability >= 0.5, fractions, lengths) < 0.02
    assert expected_calibration_error(probability, fractions, weights=lengths) < 0.05
    variance = np.concatenate([one.variance for one in found])
    assert (variance > 1e-6).all()
    assert loss.kl.item() > 0.1
    rough = (images[12:, 0] > 0).numpy() != truths[12:].numpy()
    final = model.predict(images[12:]) != truths[12:].numpy()
    assert final.mean() < 0.5 * rough.mean()


def test_learning_with_the_head_alone_knows_as_much(faint_and_strong):
    images, truths = faint_and_strong
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06)
    model.network.register_parameter("unused", nn.Parameter(torch.ones(1)))
    before = model.head[0].weight.clone()
    assert learn(model, images[:12], truths[:12]) < 0.02
    assert (model.head[0].weight != before).any()
    _, fractions, lengths = branches_of(model, images[12:], truths[12:])
    found = model.uncertainty(images[12:])
    probability = np.concatenate([one.probability for one in found])
    assert error(probability >= 0.5, fractions, lengths) < 0.02


@pytest.mark.parametrize("weigh_by", WAYS)
def test_learning_with_the_head_alone_does_the_steps_that_it_says(faint_and_strong, weigh_by):
    images, truths = faint_and_strong
    weights = {"reconstruction_weight": 2.0, "kl_weight": 0.5, "weigh_by": weigh_by}
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06, **weights)
    found, outcomes = known(model, images[:2], truths[:2])
    outcomes[0][::3] = np.nan
    y = torch.from_numpy(np.concatenate(outcomes)).float()
    here = ~y.isnan()
    lengths = torch.from_numpy(np.concatenate([one.branches.length for one in found])).float()
    features, lengths = torch.cat([one.features for one in found])[here], lengths[here]
    head, noise = copy.deepcopy(model.head), np.random.default_rng(5)
    optimizer = torch.optim.Adam(head.parameters(), 0.003)
    for _ in range(4):
        mean, std = head(features).T
        belief = Normal(mean, nn.functional.softplus(std) + 0.05)
        z = belief.mean + belief.stddev * torch.from_numpy(noise.standard_normal(len(mean)))
        costs = nn.functional.binary_cross_entropy_with_logits(z, y[here].to(z), reduction="none")
        weight = WAYS[weigh_by](lengths)
        cost = (weight * costs).sum() / weight.sum()
        kl = torch.distributions.kl_divergence(belief, Normal(0.0, 2.0)).mean()
        optimizer.zero_grad()
        (2 * cost + 0.5 * kl).backward()
        optimizer.step()
    with torch.no_grad():
        learned = model.learn(found, outcomes, seed=5, steps=4, learning_rate=0.003)
    assert learned == pytest.approx(cost.item(), rel=1e-4)
    for ours, wanted in zip(model.head.parameters(), head.parameters(), strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4)


def test_branches_of_which_nothing_is_known_teach_nothing(faint_and_strong):
    images, truths = faint_and_strong
    models = [StructureModel(nn.Identity(), mode="branch", saddle_level=0.06) for _ in range(3)]
    found = models[0].distribution(images[:2])
    first = found[0].branches.fraction_on(truths[0].numpy())
    first[3:] = np.nan
    models[0].learn(found, [first, np.full(16, np.nan)], seed=1, steps=20)
    head = models[0].head[-1].weight
    models[1].learn(found[:1], [first], seed=1, steps=20)
    assert torch.equal(models[1].head[-1].weight, head)
    start = models[2].head[-1].weight.clone()
    assert models[2].learn(found, [np.full(16, np.nan)] * 2, seed=1) == 0
    assert models[2].learn([], [], seed=1) == 0
    assert torch.equal(models[2].head[-1].weight, start)


def test_a_branch_that_looks_like_true_and_false_ones_is_less_sure():
    # Large rings are true, small ones false, those between are both.
    rng = np.random.default_rng(0)
    images, truths, radii = [], [], []
    for i in range(12):
        radius = rng.choice([2.5, 4.0, 5.0], 16)
        true = np.where(radius == 4.0, rng.random(16) < 0.5, radius == 5.0)
        likelihood, labels = rings(i, [0.6] * 16, radius)
        images.append(np.log(likelihood / (1 - likelihood)))
        truths.append(np.append(False, true)[labels])
        radii.append(radius)
    images, truths = torch.tensor(np.array(images))[:, None].float(), torch.tensor(np.array(truths))
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06)
    learn(model, images, truths)
    for one, radius in zip(model.uncertainty(images), radii, strict=True):
        row, column = np.unravel_index(one.branches.saddle, one.branches.shape)
        between = radius[row // CELL * 4 + column // CELL] == 4.0
        assert one.entropy[between].min(initial=1) > 0.6
        assert one.entropy[~between].max(initial=0) < one.entropy[between].min(initial=1)
        assert one.variance[~between].max(initial=0) < one.variance[between].min(initial=1)


# --- How much a branch counts for -----------------------------------------------------------------


def test_a_long_branch_counts_for_more_only_by_length():
    # Log-odds of 0 cost log 2 whatever is true; those of 2, of which one half is true, cost
    # log(1 + exp(2)) - 1. The first branch is three times as long.
    branches = replace(
        given_branches(np.full((2, 4), 0.5), [np.arange(4), np.arange(4, 8)]),
        length=np.array([3.0, 1.0]),
    )
    mask = torch.tensor([[[[1, 1, 1, 1], [1, 1, 0, 0]]]])
    batch = Batch(*[torch.zeros(1, 1, 2, 4)] * 3, [branches], None)
    log_odds = [torch.tensor([0.0, 2.0], dtype=torch.float64)]
    first, second = 0.693147, 1.126928
    for weigh_by, wanted in {
        "length": 0.75 * first + 0.25 * second,
        "count": 0.5 * first + 0.5 * second,
    }.items():
        found = reconstruction(log_odds, batch, mask, weigh_by).item()
        assert found == pytest.approx(wanted, abs=1e-6), weigh_by
    assert reconstruction(log_odds, batch, mask).item() == pytest.approx(0.801592, abs=1e-6)


def test_branches_of_one_length_count_alike_both_ways():
    losses, learned = [], []
    for weigh_by in WAYS:
        model, image, truth = small("branch", weigh_by=weigh_by)
        found = model._find(image)
        even = [replace(one, length=np.full(len(one), 2.5)) for one in found.branches]
        parts = model.decide.loss(found._replace(branches=even), truth, np.random.default_rng(0), 0)
        losses.append(parts["reconstruction"].item())
        known_ones = model.distribution(image)
        seen = [replace(one, branches=each) for one, each in zip(known_ones, even, strict=True)]
        outcomes = [one.fraction_on(mask[0].numpy()) for one, mask in zip(even, truth, strict=True)]
        model.learn(seen, outcomes, seed=0, steps=5)
        learned.append(torch.cat([weight.flatten() for weight in model.head.parameters()]))
    assert losses[0] == losses[1]
    assert torch.equal(*learned)


def test_weights_learned_either_way_load_into_the_other():
    model, image, truth = small("branch", weigh_by="count")
    model.learn(*known(model, image, truth[:, 0]), seed=0, steps=5)
    other, _, _ = small("branch", seed=1)
    other.load_state_dict(model.state_dict())
    for one, same in zip(model.uncertainty(image), other.uncertainty(image), strict=True):
        np.testing.assert_array_equal(one.probability, same.probability)


# --- How far log-odds spread ----------------------------------------------------------------------


def learn_alike(n, real, **options):
    """Let a head learn from n branches with the same features, and return its belief about them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = BranchHead(**options)
        head.build(nn.Identity(), 1, 2)
    features, outcomes = torch.ones(n, len(FEATURES)), (np.arange(n) < real * n).astype(float)
    seen = [SimpleNamespace(branches=SimpleNamespace(length=np.ones(n)), features=features)]
    noise, found = np.random.default_rng(1), []
    head.learn(seen, outcomes, seed=noise, steps=400, learning_rate=0.01)
    for _ in range(30):  # the noise of the loss lets weights wander about the least
        head.learn(seen, outcomes, seed=noise, steps=40, learning_rate=0.001)
        mean, raw = head.head(features[0]).detach().double()
        found.append((mean.item(), nn.functional.softplus(raw).item() + 0.05))
    return np.mean(found, axis=0)


def least(real, kl_weight):
    """Return mean and deviation at which the loss of such branches is least, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)

    def cost(belief):
        mean, std = belief[0], np.exp(belief[1])
        z = mean + std * nodes
        entropy = weights @ (np.logaddexp(0, z) - real * z) / weights.sum()
        divergence = ((std / 2) ** 2 + (mean / 2) ** 2 - 1) / 2 - np.log(std / 2)
        return entropy + kl_weight * divergence

    mean, log_std = minimize(cost, [0.0, -1.0], method="Nelder-Mead").x
    return mean, np.exp(log_std)


@pytest.mark.parametrize("real", [0.5, 0.9])
def test_the_spread_is_that_of_a_hundred_branches_however_many_there_are(real):
    mean, std = least(real, 0.01)
    assert std == pytest.approx(np.sqrt(0.01 / (real * (1 - real))), rel=0.04)
    for n in (10, 100, 1000):
        found = learn_alike(n, real)
        assert found[0] == pytest.approx(mean, abs=0.05), n
        assert found[1] == pytest.approx(std, rel=0.1), n


def test_the_spread_shrinks_like_a_posteriors_if_the_weight_counts_the_branches():
    stds = [learn_alike(n, 0.5, kl_weight=1 / n)[1] for n in (16, 64, 256)]
    np.testing.assert_allclose(stds, [least(0.5, 1 / n)[1] for n in (16, 64, 256)], rtol=0.1)
    np.testing.assert_allclose(stds, [0.5, 0.25, 0.125], rtol=0.1)  # 1 / sqrt(n p (1 - p))
