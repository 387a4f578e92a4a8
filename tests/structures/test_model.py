"""The distribution over structures: gradients, what it learns, samples, uncertainties."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn
from torch.distributions import Normal

from toposeg_lite.models import UNet
from toposeg_lite.structures import (
    FEATURES,
    StructureModel,
    branch_features,
    expected_calibration_error,
    find_branches,
    fit_temperature,
    persistence_of,
)

# --- Images with known branches ------------------------------------------------------------------

CELL = 14


def rings(seed, strengths, radii):
    """Draw 4 x 4 rings, each with a strength and a radius; return the likelihood and their labels.

    The background is so low that between rings no branch enters at a saddle level of 0.06, so each
    ring is one branch that closes a loop, of about its strength.
    """
    rng = np.random.default_rng(seed)
    side = 4 * CELL
    likelihood = 0.03 + 0.01 * rng.random((side, side))
    labels = np.zeros((side, side), int)
    across, down = np.meshgrid(*[np.arange(CELL) - (CELL - 1) / 2] * 2)
    for k, (strength, radius) in enumerate(zip(strengths, radii, strict=True)):
        row, column = divmod(k, 4)
        place = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        on = abs(np.hypot(across, down) - radius) < 0.8
        light = strength + 0.02 * down / CELL + 0.005 * rng.random((CELL, CELL))
        likelihood[place] = np.where(on, light, likelihood[place])
        labels[place][on] = k + 1
    return likelihood, labels


def batch(count, seed, true_strength, false_strength, spread, radii=(4.0, 4.0)):
    """Return logits (count, 1, side, side) and truths: of 16 rings about half are true."""
    logits, truths = [], []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        true = rng.random(16) < 0.5
        strength = np.where(true, true_strength, false_strength) + spread * rng.normal(size=16)
        likelihood, labels = rings(i, strength.clip(0.1, 0.95), np.where(true, *radii))
        logits.append(np.log(likelihood / (1 - likelihood)))
        truths.append(np.append(False, true)[labels])
    return torch.tensor(np.array(logits))[:, None].float(), torch.tensor(np.array(truths))


def fit(model, images, truths, steps, size=4):
    """Train all but the network, which knows nothing to learn; return the last loss."""
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(steps):
        chosen = np.random.default_rng(step).choice(len(images), size, replace=False)
        loss = model.loss(images[chosen], truths[chosen], seed=step)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    return loss


def known(model, images, truths):
    """Return the distributions of some images, and what is true of their branches."""
    found = model.distribution(images)
    pairs = zip(found, truths, strict=True)
    return found, [one.branches.fraction_on(truth.numpy()) for one, truth in pairs]


def learn(model, images, truths):
    """Train the head alone; return the last cross-entropy."""
    return model.learn(*known(model, images, truths), seed=0)


def branches_of(model, images, truths):
    """Return the strength of all branches, the fraction of each on the truth, and its length."""
    found = model.branches(images)
    fractions = [one.fraction_on(truth.numpy()) for one, truth in zip(found, truths, strict=True)]
    return (
        np.concatenate([one.persistence for one in found]),
        np.concatenate(fractions),
        np.concatenate([one.length for one in found]),
    )


def error(keep, fractions, lengths):
    """Return what part of all branches' length is judged wrongly."""
    return np.average(np.where(keep, 1 - fractions, fractions), weights=lengths)


# --- Gradients -----------------------------------------------------------------------------------


def small(mode, ndim=2, **options):
    """Return a model in double precision around a convolution, with a random batch."""
    generator = torch.Generator().manual_seed(3)
    network = (nn.Conv2d if ndim == 2 else nn.Conv3d)(1, 1, 3, padding=1)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator))
    model = (
        StructureModel(network, mode=mode, ndim=ndim, min_persistence=0, **options).double().eval()
    )
    shape = (2, 1, *(9, 11, 6)[:2]) if ndim == 2 else (2, 1, 5, 6, 4)
    image = torch.rand(shape, generator=generator, dtype=torch.float64)
    truth = torch.rand(shape, generator=generator) < 0.4
    return model, image, truth


PARTS = {
    "threshold": ("network", "prior_encoder", "posterior_encoder"),
    "branch": ("network", "head"),
}


@pytest.mark.parametrize(
    ("mode", "ndim", "options"),
    [
        ("threshold", 2, {}),
        ("threshold", 3, {}),
        ("threshold", 2, {"kl_weight": 3.0, "spread_weight": 2.0, "reconstruction_weight": 5.0}),
        ("branch", 2, {}),
        ("branch", 3, {"kl_weight": 3.0}),
    ],
)
def test_gradients_are_those_of_finite_differences(mode, ndim, options):
    model, image, truth = small(mode, ndim, **options)
    assert sum(map(len, model.branches(image))) > 10
    model.loss(image, truth, seed=7).total.backward()
    generator = torch.Generator().manual_seed(0)
    for name in PARTS[mode]:
        weights = list(getattr(model, name).parameters())
        ways = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in weights]
        slope = sum((w.grad * way).sum() for w, way in zip(weights, ways, strict=True)).item()
        assert abs(slope) > 1e-4, name
        ends = []
        for step in (1e-6, -2e-6):  # to one side, then to the other
            with torch.no_grad():
                for w, way in zip(weights, ways, strict=True):
                    w += step * way
                ends.append(model.loss(image, truth, seed=7).total.item())
        with torch.no_grad():
            for w, way in zip(weights, ways, strict=True):
                w += 1e-6 * way
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4), name


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_the_reconstruction_alone_has_a_gradient_everywhere(mode):
    model, image, truth = small(mode)
    model.loss(image, truth, seed=1).reconstruction.backward()
    for name in PARTS[mode]:
        gradients = [w.grad for w in getattr(model, name).parameters()]
        if name == "prior_encoder":  # it learns from the posterior, by way of the divergence
            assert all(gradient is None for gradient in gradients)
        else:
            assert all(gradient.abs().max() > 1e-8 for gradient in gradients), name


def test_the_persistence_is_the_difference_of_two_pixels():
    rng = np.random.default_rng(0)
    for shape in ((9, 7), (4, 5, 3)):
        likelihood = torch.tensor(rng.random(shape), requires_grad=True)
        found = find_branches(likelihood.detach().numpy(), min_persistence=0)
        persistence = persistence_of(found, likelihood)
        np.testing.assert_array_equal(persistence.detach(), found.persistence)
        for k in range(len(found)):
            (slope,) = torch.autograd.grad(persistence[k], likelihood, retain_graph=True)
            wanted = np.zeros(likelihood.numel())
            wanted[found.upper[k]] += 1
            if found.lower[k] >= 0:
                wanted[found.lower[k]] -= 1
            np.testing.assert_array_equal(slope.ravel(), wanted)


def test_the_loss_is_what_its_formulas_say():
    model, image, truth = small("threshold")
    prior, posterior = model.prior(image), model.posterior(image, truth)
    noise = np.random.default_rng(4).standard_normal(2)
    normal = torch.distributions.Normal
    likelihood = model(image).sigmoid()
    costs = []
    for i, found in enumerate(model.branches(image)):
        u = posterior.mean[i] + posterior.std[i] * noise[i]
        keep = ((persistence_of(found, likelihood[i, 0]) - u.sigmoid()) / 0.2).sigmoid().detach()
        y, w = found.fraction_on(truth[i, 0].numpy()), found.length
        cost = -(y * np.log(keep.numpy()) + (1 - y) * np.log(1 - keep.numpy()))
        costs.append((w * cost).sum() / w.sum())
    loss = model.loss(image, truth, seed=4)
    assert loss.reconstruction.item() == pytest.approx(np.mean(costs))
    divergence = torch.distributions.kl_divergence
    kl = divergence(normal(*posterior), normal(*prior)).mean()
    assert loss.kl.item() == pytest.approx(kl.item())
    spread = divergence(normal(0 * prior.mean, prior.std), normal(0.0, 1.0)).mean()
    assert loss.spread.item() == pytest.approx(spread.item())
    parts = loss.segmentation + loss.reconstruction + 0.03 * loss.kl + 0.01 * loss.spread
    assert loss.total.item() == pytest.approx(parts.item())


def test_the_loss_of_branches_is_what_its_formulas_say():
    model, image, truth = small("branch", segmentation=nn.MSELoss())
    image[1, ..., 6:] = 0.5  # fewer branches than in the other image
    noise = np.random.default_rng(4)
    costs, divergences = [], []
    for i, one in enumerate(model.distribution(image)):
        z = one.mean + one.std * noise.standard_normal(len(one.mean))
        y, w = one.branches.fraction_on(truth[i, 0].numpy()), one.branches.length
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


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_the_options_of_branches_and_walks_arrive(mode):
    image = torch.randn(1, 1, 16, 18, generator=torch.Generator().manual_seed(0))
    options = {"min_persistence": 0.05, "saddle_level": 0.4, "split": 0.4, "connectivity": 1}
    model = StructureModel(nn.Identity(), mode=mode, gamma=0.7, sigma=0.3, **options)
    (found,), likelihood = model.branches(image), image[0, 0].sigmoid().numpy()
    np.testing.assert_array_equal(found.pixels, find_branches(likelihood, **options).pixels)
    for name in options:
        others = {key: value for key, value in options.items() if key != name}
        assert len(find_branches(likelihood, **others)) != len(found), name
    assert model.walk == ((0.7, 0.3) if mode == "branch" else None)
    assert StructureModel(nn.Identity(), mode=mode, walk=False).walk is None
    model.step = 500
    assert model.distribution(image)[0].temperature == (
        model.temperature() if mode == "threshold" else 1.0
    )


def test_the_temperature_falls_with_the_steps_of_training():
    image, truth = torch.randn(1, 1, 8, 8), torch.zeros(1, 8, 8)
    model = StructureModel(nn.Identity(), temperature=(0.4, 0.1), anneal_steps=4)
    seen = []
    for step in range(6):
        seen.append(model.temperature())
        model.loss(image, truth, seed=step)
    np.testing.assert_allclose(seen, [0.4, 0.4 / 2**0.5, 0.2, 0.2 / 2**0.5, 0.1, 0.1])
    copy = StructureModel(nn.Identity())
    copy.load_state_dict(model.state_dict())
    assert copy.step == model.step == 6
    model.eval().loss(image, truth, seed=0)
    with torch.no_grad():
        model.train().loss(image, truth, seed=0)
    assert model.step == 6


# --- What is learned -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned():
    """A threshold, learned on strong true and weak false rings whose strengths overlap."""
    images, truths = batch(24, 1, 0.55, 0.3, 0.12)
    model = StructureModel(nn.Identity(), saddle_level=0.06, anneal_steps=120)
    return model, images, truths, fit(model, images, truths, 150, size=6)


def test_the_learned_threshold_is_the_best_one_found_by_search(learned):
    model, images, truths, _ = learned
    strengths, fractions, lengths = branches_of(model, images, truths)
    assert len(strengths) == 24 * 16
    grid = np.linspace(0, 1, 401)
    errors = [error(strengths > threshold, fractions, lengths) for threshold in grid]
    costs = [
        np.average(np.logaddexp(0, z) - fractions * z, weights=lengths)
        for z in ((strengths - threshold) / model.temperature() for threshold in grid)
    ]
    assert 0.05 < min(errors) < 0.25  # they overlap
    with torch.no_grad():
        thresholds = model.prior(images).mean.sigmoid().numpy()
    assert thresholds.std() < 0.03
    learned_one = thresholds.mean()
    assert abs(learned_one - 0.2) > 0.1  # where it began
    assert abs(learned_one - grid[np.argmin(costs)]) < 0.02
    assert abs(learned_one - grid[np.argmin(errors)]) < 0.04
    assert error(strengths > learned_one, fractions, lengths) <= min(errors) + 0.015


def test_neither_the_variances_nor_the_divergence_collapse(learned):
    model, images, truths, _ = learned
    with torch.no_grad():
        prior, posterior = model.prior(images), model.posterior(images, truths)
    assert posterior.std.min() > 0.07  # 0.05 is the least there can be
    assert prior.std.min() > 0.12
    assert (prior.std > posterior.std).all()  # without the truth one knows less
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(*posterior), normal(*prior))
    assert 0.1 < kl.mean().item() < 3


def test_the_posterior_sees_the_truth():
    # One image, two observers: the second accepts weaker rings.
    rng = np.random.default_rng(0)
    strengths = rng.uniform(0.15, 0.85, 16)
    likelihood, labels = rings(0, strengths, [4.0] * 16)
    image = torch.tensor(np.log(likelihood / (1 - likelihood)))[None, None].float()
    truths = [torch.tensor(np.append(0, strengths)[labels] > level) for level in (0.6, 0.3)]
    model = StructureModel(nn.Identity(), saddle_level=0.06, anneal_steps=120)
    loss = fit(model, image.expand(2, -1, -1, -1), torch.stack(truths), 150, size=2)
    with torch.no_grad():
        strict, mild = (model.posterior(image, truth[None]) for truth in truths)
        prior = model.prior(image)
    assert strict.mean.sigmoid().item() > 0.5 > 0.4 > mild.mean.sigmoid().item() > 0.2
    assert mild.mean < prior.mean < strict.mean
    assert prior.std > 2 * max(strict.std, mild.std)  # it covers both
    assert loss.kl.item() > 0.2


@pytest.fixture(scope="module")
def faint_and_strong():
    """Faint true rings, and strong false ones, which are smaller."""
    return batch(20, 2, 0.35, 0.65, 0.05, radii=(5.0, 2.5))


def test_no_threshold_tells_faint_true_from_strong_false_branches(faint_and_strong):
    images, truths = faint_and_strong
    model = StructureModel(nn.Identity(), saddle_level=0.06, anneal_steps=80)
    fit(model, images[:12], truths[:12], 80)
    strengths, fractions, lengths = branches_of(model, images[12:], truths[12:])
    best = min(error(strengths > t, fractions, lengths) for t in np.linspace(0, 1, 201))
    assert best > 0.25
    found = model.uncertainty(images[12:])
    keep = np.concatenate([one.probability for one in found]) >= 0.5
    assert error(keep, fractions, lengths) >= best
    for one in found:  # whatever was learned: the stronger, the likelier
        order = np.argsort(one.branches.persistence)
        assert (np.diff(one.probability[order]) >= 0).all()


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


def test_learning_with_the_head_alone_does_the_steps_that_it_says(faint_and_strong):
    images, truths = faint_and_strong
    weights = {"reconstruction_weight": 2.0, "kl_weight": 0.5}
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
        cost = (lengths * costs).sum() / lengths.sum()
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


# --- Samples and uncertainties -------------------------------------------------------------------


def networks():
    """Models of both modes and both numbers of axes, with a batch of images that are not square."""
    for mode in ("threshold", "branch"):
        for ndim in (2, 3):
            network = UNet(1, width=4, depth=3, ndim=ndim, seed=1)
            options = {"features": "head"} if mode == "branch" else {}
            model = StructureModel(network, mode=mode, ndim=ndim, min_persistence=1e-4, **options)
            with torch.no_grad():
                network.head.weight.mul_(8)
            sides = (26, 35) if ndim == 2 else (7, 9, 11)
            image = torch.rand((2, 1, *sides), generator=torch.Generator().manual_seed(2))
            yield model, image


def test_samples_have_masks_and_branches_of_every_image():
    for model, image in networks():
        model.train()
        found = model.sample(image, 4, seed=0)
        assert model.training
        assert len(found) == 2
        for one, branches in zip(found, model.branches(image), strict=True):
            assert len(branches) > 4
            assert one.masks.shape == one.structures.shape == (4, *image.shape[2:])
            assert one.kept.shape == (4, len(branches))
            np.testing.assert_array_equal(one.branches.pixels, branches.pixels)
            assert {array.dtype for array in (one.masks, one.structures, one.kept)} == {
                np.dtype(bool)
            }


def test_a_sample_is_its_seeds_whatever_the_threads():
    for model, image in networks():
        first, again, other = (model.sample(image, 5, seed) for seed in (3, 3, 4))
        before = torch.get_num_threads()
        torch.set_num_threads(1 if before > 1 else 3)
        try:
            threaded = model.sample(image, 5, np.random.default_rng(3))
        finally:
            torch.set_num_threads(before)
        for a, b, c, d in zip(first, again, threaded, other, strict=True):
            for name in ("kept", "masks", "structures"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
                np.testing.assert_array_equal(getattr(a, name), getattr(c, name))
            assert (a.kept != d.kept).any()


def test_without_walks_masks_follow_the_rules():
    for model, image in networks():
        model.walk = None
        for one in model.sample(image, 3, seed=1):
            for kept, mask, structure in zip(one.kept, one.masks, one.structures, strict=True):
                np.testing.assert_array_equal(mask, one.branches.mask(kept))
                np.testing.assert_array_equal(structure, one.branches.draw(kept))


def test_a_batch_says_of_each_image_what_it_says_of_it_alone():
    for model, image in networks():
        together = model.distribution(image)
        for i, one in enumerate(together):
            (alone,) = model.distribution(image[i : i + 1])
            np.testing.assert_array_equal(one.branches.pixels, alone.branches.pixels)
            np.testing.assert_allclose(one.mean, alone.mean, atol=1e-5)
            np.testing.assert_allclose(one.std, alone.std, atol=1e-5)
            if model.mode == "branch":
                torch.testing.assert_close(one.features, alone.features, atol=1e-4, rtol=1e-3)
                assert not model.network.head._forward_pre_hooks  # nothing is left behind
        twins = model.sample(image[:1].expand(2, *image.shape[1:]), 6, seed=0)
        assert (twins[0].kept != twins[1].kept).any()


def test_each_sample_walks_in_its_own_way_with_the_steps_of_its_connectivity():
    image = torch.randn(1, 1, 24, 26, generator=torch.Generator().manual_seed(0))
    model = StructureModel(
        nn.Identity(), mode="branch", connectivity=1, sigma=0.3, min_persistence=0.3
    )
    (one,) = model.distribution(image)
    sure = replace(one, mean=one.mean + 100)
    found = sure.sample(6, seed=0)
    assert found.kept.all()
    assert len({structure.tobytes() for structure in found.structures}) == 6
    every, faces = np.zeros(0, int), ndimage.generate_binary_structure(2, 1)
    for k in range(len(one.branches)):
        belief = np.where(np.arange(len(one.branches)) == k, 100.0, -100.0)
        alone = replace(one, mean=belief).sample(4, seed=1)
        every = np.append(every, [ndimage.label(mask, faces)[1] for mask in alone.structures])
    assert len(every) > 40
    assert (every == 1).all()


def test_a_branch_as_likely_as_asked_is_accepted():
    model, image = next(networks())
    one = model.distribution(image)[0]
    likely = one.uncertainty().probability
    for accept in np.quantile(likely, [0.2, 0.8], method="nearest"):
        np.testing.assert_array_equal(one.mask(accept), one.branches.mask(likely >= accept))
        assert (one.mask(accept) != one.branches.mask(likely > accept)).any()
    np.testing.assert_array_equal(model.predict(image)[0], one.branches.mask(likely >= 0.5))


def test_with_walks_each_kept_branch_is_there_from_end_to_end():
    model, image = list(networks())[2]
    assert model.mode == "branch"
    assert model.walk == (0.2, 0.01)
    moved = 0
    for one in model.sample(image, 8, seed=1):
        for kept, mask, structure in zip(one.kept, one.masks, one.structures, strict=True):
            assert (mask >= structure).all()
            for k in np.flatnonzero(kept):
                path = one.branches.paths[k]
                assert structure.ravel()[path[[0, -1]]].all()
                assert structure.ravel()[one.branches.saddle[k]]
            moved += int((structure != one.branches.draw(kept)).sum())
    assert moved > 20


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_branches_are_kept_as_often_as_their_probability_says(mode):
    images, _ = batch(2, 0, 0.5, 0.3, 0.1)
    model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06, walk=False)
    if mode == "branch":
        with torch.no_grad():
            model.head[-1].weight.mul_(20)
    model.step = 1000  # the temperature has fallen
    for calibration in (1.0, 1.5):
        model.calibration.fill_(calibration)
        n = 3000
        for one, sure in zip(model.sample(images, n, 0), model.uncertainty(images), strict=True):
            error = np.sqrt(sure.probability * (1 - sure.probability) / n)
            assert (abs(one.kept.mean(0) - sure.probability) < 4.5 * error).all()
            # In "threshold" the branches of one sample share their threshold.
            alone = (sure.probability * (1 - sure.probability)).sum()
            spread = one.kept.sum(1).var()
            assert (spread > 1.15 * alone) == (mode == "threshold")


def test_uncertainties_are_means_over_the_normal_distribution():
    images, _ = batch(1, 0, 0.5, 0.3, 0.1)
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06)
        (one,) = model.distribution(images)
        x = np.random.default_rng(0).standard_normal((200_000, 1))
        if mode == "threshold":
            threshold = 1 / (1 + np.exp(-(one.mean + one.std * x)))
            z = (one.branches.persistence - threshold) / 0.2
        else:
            z = one.mean + one.std * x
        chance = 1 / (1 + np.exp(-z))
        sure = one.uncertainty()
        np.testing.assert_allclose(sure.probability, chance.mean(0), atol=2e-3)
        np.testing.assert_allclose(sure.variance, chance.var(0), rtol=0.03)
        p = sure.probability
        bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
        np.testing.assert_allclose(sure.entropy, bits)
        region = sure.branches.region
        np.testing.assert_allclose(sure.map()[region >= 0], bits[region[region >= 0]], rtol=1e-6)
        assert (sure.map("variance")[region < 0] == 0).all()
        likelihood = images[0, 0].sigmoid().numpy()
        wanted = [p[k] if k >= 0 else likelihood.flat[i] for i, k in enumerate(region.flat)]
        np.testing.assert_allclose(sure.pixels().ravel(), wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", ["threshold", "branch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 5), (3, 4, 5)])
def test_images_without_any_branch_have_samples_and_a_loss(mode, shape):
    flat = torch.full((2, 1, *shape), 0.7)
    flat[1] = -0.7
    model = StructureModel(nn.Conv2d(1, 1, 1) if len(shape) == 2 else nn.Conv3d(1, 1, 1),
                           mode=mode, ndim=len(shape))  # fmt: skip
    with torch.no_grad():
        model.network.weight.fill_(1)
        model.network.bias.fill_(0)
    full, empty = model.sample(flat, 3, seed=0)
    assert full.masks.all()
    assert not empty.masks.any()
    assert not (full.structures | empty.structures).any()
    assert full.kept.shape == (3, 0)
    (sure, _) = model.uncertainty(flat)
    assert len(sure.probability) == 0
    assert (sure.map() == 0).all()
    assert model.predict(flat).shape == (2, *shape)
    loss = model.loss(flat, torch.zeros(2, *shape), seed=0)
    loss.total.backward()
    assert loss.reconstruction.item() == 0
    assert all(torch.isfinite(w.grad).all() for w in model.network.parameters())
    assert model.calibrate(model.distribution(flat), [np.zeros(0)] * 2) == 1
    assert model.sample(flat, 0, seed=0)[0].masks.shape == (0, *shape)


def test_one_image_with_and_one_without_branches_make_a_batch():
    images, truths = batch(1, 0, 0.5, 0.3, 0.1)
    both = torch.cat([torch.full_like(images, -2), images])
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06)
        alone = model.loss(images, truths, seed=np.random.default_rng(0))
        noise = np.random.default_rng(0)
        if mode == "threshold":
            noise.standard_normal(0)
        pair = model.loss(both, truths.expand(2, -1, -1), seed=noise)
        assert torch.isfinite(pair.total)
        assert list(map(len, model.branches(both))) == [0, 16]
        if mode == "branch":  # the noise is the branches', so it is the same
            assert pair.reconstruction.item() == pytest.approx(alone.reconstruction.item() / 2)


def test_calibration_mends_a_head_that_is_too_bold():
    images, truths = batch(20, 3, 0.5, 0.42, 0.1)
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06)
    learn(model, images[:10], truths[:10])
    with torch.no_grad():
        model.head[-1].weight[0] *= 4
        model.head[-1].bias[0] *= 4

    def measured():
        _, fractions, lengths = branches_of(model, images[10:], truths[10:])
        found = model.uncertainty(images[10:])
        probability = np.concatenate([one.probability for one in found])
        return expected_calibration_error(probability, fractions, weights=lengths, bins=5)

    before = measured()
    temperature = model.calibrate(*known(model, images[:10], truths[:10]))
    assert temperature == model.calibration.item()
    assert temperature > 2
    assert measured() < 0.6 * before
    copy = StructureModel(nn.Identity(), mode="branch")
    copy.load_state_dict(model.state_dict())
    assert copy.calibration == model.calibration


def test_calibration_counts_branches_once_as_real_or_not_and_starts_anew_each_time():
    model, image, truth = small("branch")
    with torch.no_grad():
        model.head[-1].weight.mul_(400)
    found, _ = known(model, image, truth[:, 0])
    rng = np.random.default_rng(3)
    outcomes = []
    for one in found:  # as likely as is said, half as often for short ones; and in part
        chance = one.uncertainty().probability * (0.5 + (one.branches.length > 2.5) / 2)
        real, partly = rng.random((2, len(chance))) < (chance, np.full(len(chance), 0.5))
        outcomes.append(np.where(real, np.where(partly, 0.5, 1.0), np.where(partly, 0.3, 0.0)))
    chances = np.concatenate([one.uncertainty().probability for one in found])
    lengths = np.concatenate([one.branches.length for one in found])
    fractions = np.concatenate(outcomes)
    wanted = fit_temperature(chances, fractions >= 0.5)
    for other, weights in ((fractions, None), (fractions >= 0.5, lengths), (fractions > 0.5, None)):
        assert abs(wanted - fit_temperature(chances, other, weights=weights)) > 0.01
    assert abs(wanted - 1) > 0.1
    assert model.calibrate(found, outcomes) == pytest.approx(wanted)
    again, _ = known(model, image, truth[:, 0])
    assert again[0].calibration == pytest.approx(wanted)
    assert model.calibrate(again, outcomes) == pytest.approx(wanted)
    assert model.calibrate(again, [np.full(len(one), np.nan) for one in outcomes]) == 1


# --- Features and networks -----------------------------------------------------------------------


def test_features_are_what_their_names_say():
    rng = np.random.default_rng(0)
    likelihood, image = rng.random((20, 23)), torch.tensor(rng.random((3, 20, 23)))
    found = find_branches(likelihood, min_persistence=0.1)
    network = torch.tensor(rng.random((4, 10, 12)))
    table = branch_features(found, torch.tensor(likelihood), image, network).numpy()
    columns = dict(zip(FEATURES, table.T, strict=False))
    own = [np.flatnonzero(found.owner.ravel() == k) for k in range(len(found))]
    values = likelihood.ravel()
    np.testing.assert_allclose(columns["persistence"], found.persistence)
    np.testing.assert_allclose(columns["saddle value"], values[found.saddle])
    np.testing.assert_allclose(columns["mean likelihood"], [values[p].mean() for p in own])
    np.testing.assert_allclose(columns["minimum likelihood"], [values[p].min() for p in own])
    np.testing.assert_allclose(columns["length"], np.log(found.length) / 4)
    for name, kind in (("joins", 0), ("closes a loop", 1), ("is a ridge", 2)):
        np.testing.assert_array_equal(columns[name], found.kind == kind)
        assert columns[name].any()
    # Where a grid does not divide the sides, the last pixels see its last cell.
    coarse = branch_features(found, torch.tensor(likelihood), image, network[:, :8, :9])
    assert torch.isfinite(coarse).all()
    grey = np.pad(image.mean(0).numpy(), 4, mode="edge")
    local = np.array([[grey[i : i + 9, j : j + 9].mean() for j in range(23)] for i in range(20)])
    contrast = (image.mean(0).numpy() - local).ravel()
    np.testing.assert_allclose(
        columns["contrast"], [5 * contrast[p].mean() for p in own], atol=1e-6
    )
    pooled = np.array([network.numpy()[:, p // 23 // 2, p % 23 // 2].mean(1) for p in own])
    pooled -= pooled.mean(1, keepdims=True)
    pooled /= np.sqrt((pooled**2).mean(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(table[:, 11:], pooled, atol=1e-6)


def test_width_and_curvature_of_drawn_lines():
    # A straight band, a wider one and a ring; each with a weak spot that makes it a branch.
    likelihood = np.full((40, 60), 0.05)
    likelihood[5:8, 4:56] = 0.6
    likelihood[6, 4:56] = 0.8 - 0.002 * abs(np.arange(52) - 10)
    likelihood[18:25, 4:56] = 0.6
    likelihood[21, 4:56] = 0.8 - 0.002 * abs(np.arange(52) - 10)
    for row in (6, 21):
        likelihood[row - 3 : row + 4, 40:42] -= 0.15
    found = find_branches(likelihood.clip(0.01), min_persistence=0.05, saddle_level=0.3, split=1)
    assert len(found) == 2
    row = found.saddle // 60
    table = branch_features(found, torch.tensor(likelihood.clip(0.01)), torch.zeros(1, 40, 60))
    width, curvature = table[:, 5] * 8, table[:, 6]
    thin, thick = width[row < 10].item(), width[row > 10].item()
    assert thin == pytest.approx(3, abs=0.6)
    assert thick == pytest.approx(7, abs=0.8)
    assert curvature.max() < 0.05
    bent, _ = rings(0, [0.6] * 16, [5.0] * 16)
    circles = find_branches(bent, saddle_level=0.06)
    round_ = branch_features(circles, torch.tensor(bent), torch.zeros(1, *bent.shape))[:, 6]
    assert round_.min() > 0.1  # a circle of radius 5 turns by 0.2 a pixel
    assert round_.max() < 0.35


@pytest.mark.parametrize("shape", [(30, 33), (10, 11, 12)])
def test_curvature_is_the_mean_angle_between_steps_of_three_pixels(shape):
    likelihood = ndimage.gaussian_filter(np.random.default_rng(1).random(shape), 1.0)
    found = find_branches(likelihood, min_persistence=0, split=1)
    table = branch_features(found, torch.tensor(likelihood), torch.zeros(1, *shape))
    bent = 0
    for path, curvature in zip(found.paths, table[:, 6].tolist(), strict=True):
        places = np.stack(np.unravel_index(path, shape), 1).astype(float)
        before, after = places[3:-3] - places[:-6], places[6:] - places[3:-3]
        size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        angles = np.arccos(np.clip((before * after).sum(1) / size, -1, 1)) / 3
        assert curvature == pytest.approx(angles.mean() if len(path) > 6 else 0, abs=1e-6)
        bent += curvature > 0.01
    assert bent > 5


def test_networks_with_two_channels_are_those_with_one():
    image = torch.randn(2, 1, 16, 17, generator=torch.Generator().manual_seed(0))
    truth = torch.rand(2, 16, 17, generator=torch.Generator().manual_seed(1)) < 0.5

    class Two(nn.Module):
        def forward(self, x):
            return torch.cat([-x / 3, 2 * x / 3], 1)

    one, two = StructureModel(nn.Identity()), StructureModel(Two())
    a, b = (model.loss(image, truth, seed=0) for model in (one, two))
    np.testing.assert_allclose(torch.stack(a).detach(), torch.stack(b).detach(), rtol=1e-5)
    np.testing.assert_array_equal(one.predict(image), two.predict(image))


def test_networks_are_at_rest_in_use_and_as_they_were_afterwards():
    image = torch.randn(1, 1, 20, 21, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(1))
    model = StructureModel(network, mode="branch").train()
    network[1].eval()  # frozen by its owner
    found = model.uncertainty(image)[0].branches
    np.testing.assert_allclose(found.likelihood, image[0, 0].sigmoid(), atol=1e-4)
    assert [module.training for module in (model, network[0], network[1])] == [True, True, False]
    assert not np.allclose(model(image).detach(), image, atol=1e-3)  # dropout, as in training


def test_half_precision_and_truths_of_both_shapes_are_taken():
    image = torch.randn(2, 1, 16, 17, generator=torch.Generator().manual_seed(0)).bfloat16()
    truth = torch.rand(2, 16, 17, generator=torch.Generator().manual_seed(1)) < 0.5
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode).eval()
        losses = [
            model.loss(image.to(dtype), target, seed=0).total.item()
            for dtype in (torch.bfloat16, torch.float32)
            for target in (truth, truth[:, None].float())
        ]
        assert max(losses) - min(losses) < 1e-5


def test_a_model_is_its_seed_and_leaves_the_global_one_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    weights = [StructureModel(nn.Identity(), seed=s).prior_encoder.head.weight for s in (0, 0, 1)]
    np.testing.assert_array_equal(torch.rand(3), wanted)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_networks_of_others_are_wrapped_and_trained():
    from monai.networks.nets import BasicUNet

    network = BasicUNet(2, 1, 2, features=(4, 4, 8, 8, 8, 4))
    name = "final_conv"
    model = StructureModel(network, mode="branch", features=name, min_persistence=1e-3)
    image = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    loss = model.loss(image, image[:, 0] > 0.7, seed=0)
    loss.reconstruction.backward()
    first = next(network.parameters())
    assert first.grad.abs().max() > 0
    assert len(model.sample(image, 2, 0)) == 1
