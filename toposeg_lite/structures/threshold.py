"""One threshold of persistence decides about all branches of an image [1]_.

A branch is kept with probability sigmoid((persistence - threshold) / temperature). What is above
the threshold is the skeleton there, up to the tails of branches (`toposeg_lite.topology.branches`).
The threshold is the sigmoid of a normal u. Its *prior* sees the image; its *posterior*, used in
training alone, the truth as well, and KL keeps them together. The threshold is
u = mean + std * noise, and the persistence is the difference of two pixels of the likelihood, so
the loss has a gradient with respect to the prior, the posterior and the network. The temperature
falls geometrically over the training from 0.2 or so to 0.05: at once at 0.02, nearly all branches
are so far from the threshold that they have no gradient.

The limit of this method: a branch that is stronger than another is never less likely to be kept. A
faint vessel and a strong false bridge cannot both be judged rightly, whatever the threshold.

**Why nothing collapses.** Were the KL to the prior the only force on the variances, both would
shrink together to zero at no cost. So standard deviations are at least 0.05, and the *spread* is a
weak pull of the prior's standard deviation towards 1: KL(N(0, std) || N(0, 1)). KL itself is zero
only where the truth tells nothing about the threshold that the image does not.

References
----------
.. [1] X. Hu, D. Samaras, C. Chen, "Learning probabilistic topological representations using
       discrete Morse theory", ICLR 2023. arXiv:2206.01742
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import check_integer, check_number
from .common import Batch, Gaussian, reconstruction
from .distribution import Mode, StructureDistribution
from .features import persistence_of

__all__ = ["Threshold"]

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}


class _Encoder(nn.Module):
    """Turns an image into the mean and the standard deviation of one number."""

    def __init__(self, channels: int, ndim: int, width: int = 8) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [_CONV[ndim](before, after, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(8 * width, 2)
        with torch.no_grad():  # begin near a threshold of 0.2, with a standard deviation of 0.4
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(torch.tensor([-1.4, -0.9]))

    def forward(self, *parts: Tensor) -> Gaussian:
        """Return what the parts, joined along their channels, say."""
        joined = torch.cat([part.to(self.head.weight) for part in parts], 1)
        values = self.layers(joined).flatten(2)
        return Gaussian.read(self.head(torch.cat([values.mean(2), values.amax(2)], 1)))


class Threshold(nn.Module):
    """Keep the branches above one threshold; `StructureModel` makes the weights.

    Parameters
    ----------
    temperature : (float, float)
        At the beginning of the training (0.1 or above) and at its end.
    anneal_steps : int
        Over how many steps the temperature falls.
    reconstruction_weight, kl_weight, spread_weight : float
        Of these parts of the loss; that of the segmentation is 1.

    Attributes
    ----------
    prior_encoder, posterior_encoder : torch.nn.Module
        What sees the image and the likelihood; the latter the truth, too.

    Examples
    --------
    >>> method = Threshold(temperature=(0.2, 0.05), anneal_steps=100)
    >>> [round(method.temperature(step), 3) for step in (0, 50, 100, 150)]
    [0.2, 0.1, 0.05, 0.05]
    """

    mode: Mode = "threshold"
    watched: nn.Module | None = None  # no layer of the network

    def __init__(
        self,
        *,
        temperature: Sequence[float] = (0.2, 0.05),
        anneal_steps: int = 1000,
        reconstruction_weight: float = 1.0,
        kl_weight: float = 0.03,
        spread_weight: float = 0.01,
    ) -> None:
        super().__init__()
        self.temperatures = _check_temperatures(temperature)
        self.anneal_steps = check_integer(anneal_steps, "anneal_steps", 1)
        self.weights = {
            "reconstruction": check_number(reconstruction_weight, "reconstruction_weight"),
            "kl": check_number(kl_weight, "kl_weight"),
            "spread": check_number(spread_weight, "spread_weight"),
        }

    def build(self, network: nn.Module, in_channels: int, ndim: int) -> None:
        """Make the weights, for images of so many channels and axes."""
        self.prior_encoder = _Encoder(in_channels + 1, ndim)
        self.posterior_encoder = _Encoder(in_channels + 2, ndim)

    def temperature(self, step: int) -> float:
        """Return the temperature after so many steps of training."""
        first, last = self.temperatures
        return first * (last / first) ** min(1.0, step / self.anneal_steps)

    def prior(self, image: Tensor, likelihood: Tensor) -> Gaussian:
        """Return the distribution of u, (B,), given images and their likelihoods."""
        return self.prior_encoder(image, likelihood)

    def posterior(self, image: Tensor, likelihood: Tensor, mask: Tensor) -> Gaussian:
        """Return the distribution of u, (B,), given the true masks as well."""
        return self.posterior_encoder(image, likelihood, mask)

    def loss(
        self, batch: Batch, mask: Tensor, rng: np.random.Generator, step: int
    ) -> dict[str, Tensor]:
        """Return the parts of the loss, by the names of their weights."""
        prior = self.prior(batch.image, batch.likelihood)
        posterior = self.posterior(batch.image, batch.likelihood, mask)
        kl = posterior.divergence(prior).mean()
        spread = Gaussian(0 * prior.mean, prior.std).divergence(prior.centred(1.0)).mean()
        thresholds = posterior.draw(rng).sigmoid()
        log_odds = [
            (persistence_of(branches, likelihood[0]) - threshold) / self.temperature(step)
            for branches, likelihood, threshold in zip(
                batch.branches, batch.likelihood, thresholds, strict=True
            )
        ]
        kept = reconstruction(log_odds, batch, mask)
        return {"reconstruction": kept, "kl": kl, "spread": spread}

    def distribution(self, batch: Batch, step: int) -> list[StructureDistribution]:
        """Return the distribution over the structures of each image, not yet calibrated."""
        mean, std = self.prior(batch.image, batch.likelihood).arrays()
        temperature = self.temperature(step)
        return [
            StructureDistribution(branches, self.mode, m, s, temperature=temperature)
            for branches, m, s in zip(batch.branches, mean[:, None], std[:, None], strict=True)
        ]


def _check_temperatures(temperature: Any) -> tuple[float, float]:
    """Return the two temperatures."""
    if not isinstance(temperature, Sequence) or isinstance(temperature, str):
        raise TypeError(f"temperature must name two numbers, first and last; got {temperature!r}")
    if len(temperature) != 2:
        raise ValueError(f"temperature must name two numbers, first and last; got {temperature!r}")
    first, last = (check_number(value, "temperature") for value in temperature)
    if first < 0.1:
        raise ValueError(
            f"temperature must begin at 0.1 or above; got {first}. Below, most branches have no "
            f"gradient, and the threshold is not learned"
        )
    if not 0 < last <= first:
        raise ValueError(f"temperature must end above 0 and not above {first}; got {last}")
    return first, last
