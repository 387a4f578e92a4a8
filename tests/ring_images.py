"""Rings of known strength, of which some are true, and models that learn to tell them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from toposeg_lite.structures import StructureModel

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
