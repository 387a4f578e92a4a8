"""One threshold for an image: its loss, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ring_images import batch, branches_of, error, fit, rings, small
from torch import nn

from toposeg_lite.structures import StructureModel, persistence_of


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
