"""A head decides about each branch by itself [1]_.

A small network reads the features of a branch (`FEATURES`) and predicts mean m and standard
deviation s of its log-odds z = m + s * noise. With y_k the part of branch k that is real, and w_k
its length divided by that of all (or 1 divided by their number: `weigh_by`), it is trained with

    weight * sum of w_k * cross-entropy(y_k, sigmoid(z_k)) + kl_weight * mean of KL_k.

KL_k is the divergence of N(m_k, s_k) from N(0, 2), the same for all branches, so nothing shrinks to
zero. Kept branches are redrawn by `perturb_and_walk`.

**The deviation is no count of evidence.** Both parts are means, so the number of branches cancels.
Of branches that look alike, of which the part p is real, the loss is least about where

    s = sqrt(kl_weight / (weight * p * (1 - p))),

the deviation of a posterior that has seen weight / kl_weight of them: 100 by default, be they ten
or ten thousand. (About: for small s, and far from the prior and from the least s of 0.05.) So s
lets samples differ and keeps the head from boldness, but it tells nothing that p does not, and
nowhere is it taken for an uncertainty. If n branches are all alike, kl_weight = weight / n makes s
that of the posterior, and it shrinks like 1 / sqrt(n). If they are of many kinds, no single weight
does.

References
----------
.. [1] S. Gupta, Y. Zhang, X. Hu, P. Prasanna, C. Chen, "Topology-aware uncertainty for image
       segmentation", NeurIPS 2023. arXiv:2306.05671
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import (
    check_choice,
    check_flag,
    check_fraction,
    check_integer,
    check_number,
    check_seed,
    check_text,
)
from .common import (
    WEIGH_BY,
    Batch,
    Gaussian,
    WeighBy,
    branch_weights,
    cross_entropy,
    reconstruction,
)
from .distribution import Mode, StructureDistribution
from .features import FEATURES, branch_features

__all__ = ["BranchHead"]

_PRIOR_STD = 2.0


class BranchHead(nn.Module):
    """Decide about each branch by its features; `StructureModel` makes the weights.

    Parameters
    ----------
    features : str, optional
        Name of a submodule of the network, such as "head" of a `UNet`: what goes into it is pooled
        on the branches and joins their features. It must tell its `in_channels`.
    walk : bool
        Whether sampled branches are redrawn by `perturb_and_walk`.
    gamma, sigma : float
        Of the walk.
    reconstruction_weight, kl_weight : float
        Of these parts of the loss; that of the segmentation is 1. Their ratio decides how far
        log-odds spread: see the module's docstring.
    weigh_by : {"length", "count"}
        What a branch counts for in training: as much as it is long, or as much as any other, as
        one who decides about branches is asked about each of them once. `StructureModel.loss`
        weighs the branches of each image among themselves, `StructureModel.learn` those of all
        images together. Trained weights do not tell it: who goes on training gives it again.

    Attributes
    ----------
    head : torch.nn.Module
        Turns the features of n branches (n, F) into (n, 2).
    """

    mode: Mode = "branch"

    def __init__(
        self,
        *,
        features: str | None = None,
        walk: bool = True,
        gamma: float = 0.2,
        sigma: float = 0.01,
        reconstruction_weight: float = 1.0,
        kl_weight: float = 0.01,
        weigh_by: WeighBy = "length",
    ) -> None:
        super().__init__()
        self.features = None if features is None else check_text(features, "features")
        steps = (check_fraction(gamma, "gamma"), check_number(sigma, "sigma"))
        self.walk = steps if check_flag(walk, "walk") else None
        self.weights = {
            "reconstruction": check_number(reconstruction_weight, "reconstruction_weight"),
            "kl": check_number(kl_weight, "kl_weight"),
        }
        check_choice(weigh_by, WEIGH_BY, "weigh_by")
        self.weigh_by: WeighBy = weigh_by
        self._layer: nn.Module | None = None

    def build(self, network: nn.Module, in_channels: int, ndim: int) -> None:
        """Make the weights, for the features of this network."""
        count, width = len(FEATURES), 32
        if self.features is not None:
            layer = _find_layer(network, self.features)
            count += layer.in_channels
            self._layer = layer
        self.head = nn.Sequential(
            nn.Linear(count, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 2),
        )
        with torch.no_grad():
            self.head[-1].weight.mul_(0.1)  # type: ignore[operator]

    @property
    def watched(self) -> nn.Module | None:
        """The layer of the network whose input joins the features."""
        return self._layer

    def loss(
        self, batch: Batch, mask: Tensor, rng: np.random.Generator, step: int
    ) -> dict[str, Tensor]:
        """Return the parts of the loss, by the names of their weights."""
        beliefs = [self._belief(features) for features in self._features(batch)]
        divergences = [belief.divergence(belief.centred(_PRIOR_STD)) for belief in beliefs]
        log_odds = [belief.draw(rng) for belief in beliefs]
        return {
            "reconstruction": reconstruction(log_odds, batch, mask, self.weigh_by),
            "kl": torch.cat(divergences).mean() if any(map(len, divergences)) else batch.zero,
        }

    def distribution(self, batch: Batch, step: int) -> list[StructureDistribution]:
        """Return the distribution over the structures of each image, not yet calibrated."""
        return [
            StructureDistribution(
                branches,
                self.mode,
                *self._belief(features).arrays(),
                walk=self.walk,
                features=features,
            )
            for branches, features in zip(batch.branches, self._features(batch), strict=True)
        ]

    def learn(
        self,
        distributions: Sequence[StructureDistribution],
        truth: np.ndarray,
        *,
        seed: int | np.random.Generator,
        steps: int,
        learning_rate: float,
    ) -> float:
        """Train the head on branches of which the truth is known, else NaN: see `StructureModel`.

        `truth` holds a number for each branch of all distributions, one after the other.
        """
        rng = check_seed(seed)
        steps = check_integer(steps, "steps", 1)
        learning_rate = check_number(learning_rate, "learning_rate")
        known = ~np.isnan(truth)
        if not known.any():
            return 0.0
        length = np.concatenate([each.branches.length for each in distributions])[known]
        weights = branch_weights(length, self.weigh_by)
        tables = [each.features for each in distributions if each.features is not None]
        features = torch.cat(tables)[torch.from_numpy(known)].to(self._weight)
        optimizer = torch.optim.Adam(self.head.parameters(), learning_rate)
        with torch.enable_grad():
            for _ in range(steps):
                belief = self._belief(features)
                cost = cross_entropy(belief.draw(rng), truth[known], weights)
                kl = belief.divergence(belief.centred(_PRIOR_STD)).mean()
                optimizer.zero_grad()
                (self.weights["reconstruction"] * cost + self.weights["kl"] * kl).backward()
                optimizer.step()
        return cost.item()

    @property
    def _weight(self) -> Tensor:
        """A weight of the head, whose type and device the features take."""
        return next(self.head.parameters())

    def _features(self, batch: Batch) -> list[Tensor]:
        """Return the features of the branches of each image."""
        return [
            branch_features(
                branches,
                batch.likelihood[i, 0],
                batch.image[i],
                None if batch.watched is None else batch.watched[i],
            ).to(self._weight)
            for i, branches in enumerate(batch.branches)
        ]

    def _belief(self, features: Tensor) -> Gaussian:
        """Return the distribution of the log-odds of branches with these features."""
        return Gaussian.read(self.head(features))


def _find_layer(network: nn.Module, name: Any) -> Any:
    """Return the submodule of this name, which tells how many channels go into it."""
    names = [known for known, _ in network.named_modules() if known]
    if name not in names:
        raise ValueError(
            f"features must name a submodule of the network; got {name!r}. "
            f"Its submodules are {', '.join(names) or 'none'}"
        )
    layer = network.get_submodule(name)
    if not isinstance(getattr(layer, "in_channels", None), int):
        raise ValueError(
            f"features must name a layer that tells its in_channels, such as a convolution; "
            f"{name!r} is a {type(layer).__name__}"
        )
    return layer
