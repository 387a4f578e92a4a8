"""What the model of structures and its two methods share: normal distributions, batches, a cost."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..topology.branches import BranchSet

__all__ = [
    "WEIGH_BY",
    "Batch",
    "Gaussian",
    "WeighBy",
    "branch_weights",
    "check_branches",
    "cross_entropy",
    "reconstruction",
]

WeighBy = Literal["length", "count"]
WEIGH_BY: tuple[WeighBy, ...] = ("length", "count")

LEAST_STD = 0.05  # so that no variance shrinks to zero


def check_branches(branches: Any) -> BranchSet:
    """Return what `find_branches` returned, else raise."""
    if not isinstance(branches, BranchSet):
        raise TypeError(f"branches must be a BranchSet; got {type(branches).__name__}")
    return branches


class Gaussian(NamedTuple):
    """Normal distributions, independent of each other: means and standard deviations, one shape."""

    mean: Tensor
    std: Tensor

    @classmethod
    def read(cls, raw: Tensor) -> Gaussian:
        """Read the last axis as a mean and, before softplus, a standard deviation."""
        return cls(raw[..., 0], F.softplus(raw[..., 1]) + LEAST_STD)

    def centred(self, std: float) -> Gaussian:
        """Return as many normal distributions of mean 0 and this standard deviation."""
        return Gaussian(torch.zeros_like(self.mean), torch.full_like(self.std, std))

    def divergence(self, prior: Gaussian) -> Tensor:
        """Return the Kullback-Leibler divergence of each from its prior, in nats."""
        ratio = (self.std / prior.std) ** 2
        shift = ((self.mean - prior.mean) / prior.std) ** 2
        return (ratio + shift - 1 - ratio.log()) / 2

    def draw(self, rng: np.random.Generator) -> Tensor:
        """Draw a number from each of (n,), with gradients for means and deviations."""
        noise = torch.from_numpy(rng.standard_normal(len(self.mean)))
        return self.mean + self.std * noise.to(self.mean)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return means and standard deviations as arrays of float64, without gradient."""
        mean, std = (values.detach().double().cpu().numpy() for values in self)
        return mean, std


class Batch(NamedTuple):
    """What the network and the Morse complex make of B images."""

    image: Tensor  # (B, in_channels, *spatial)
    logits: Tensor  # (B, 1, *spatial), at least float32
    likelihood: Tensor
    branches: list[BranchSet]
    watched: Tensor | None  # what went into the layer that the method watches

    @property
    def zero(self) -> Tensor:
        """A cost of 0 that is part of the graph, for what has no branches."""
        return self.likelihood.sum() * 0


def branch_weights(length: np.ndarray, weigh_by: WeighBy) -> np.ndarray:
    """Return what branches of these lengths count for: their lengths, or 1 each. The sum is 1."""
    weight = length if weigh_by == "length" else np.ones(len(length))
    return weight / weight.sum()


def cross_entropy(log_odds: Tensor, fraction: np.ndarray, weights: np.ndarray) -> Tensor:
    """Return the cross-entropy of keeping branches; `weights` are those of `branch_weights`."""
    truth = torch.from_numpy(fraction).to(log_odds)
    weight = torch.from_numpy(weights).to(log_odds)
    costs = F.binary_cross_entropy_with_logits(log_odds, truth, reduction="none")
    return (weight * costs).sum()


def reconstruction(
    log_odds: list[Tensor], batch: Batch, mask: Tensor, weigh_by: WeighBy = "length"
) -> Tensor:
    """Return the mean cross-entropy of keeping the branches of each image; `mask` is the truth."""
    costs = [
        cross_entropy(z, branches.fraction_on(truth), branch_weights(branches.length, weigh_by))
        if len(branches)
        else batch.zero
        for z, branches, truth in zip(
            log_odds, batch.branches, mask[:, 0].cpu().numpy(), strict=True
        )
    ]
    return torch.stack(costs).mean()
