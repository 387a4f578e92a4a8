"""A distribution over structures around any network that predicts a likelihood.

The network says of each pixel how likely it is foreground. The ridges of that likelihood are the
branches that may be real (`find_branches`), and a small second network says how likely each of them
is. It is trained with the loss

    segmentation + weight * reconstruction + kl_weight * KL + spread_weight * spread.

*Reconstruction* is the cross-entropy between the probability that a branch is kept and the fraction
of its pixels that lies on the truth, weighted by the lengths of the branches. So keeping a false
branch costs as dropping a true one does. (A cross-entropy over the pixels of kept branches alone,
as in the paper's code, costs nothing where all is dropped: it only ever drives a threshold up.)

**Mode "threshold"** [1]_. One number decides for the whole image: a branch is kept with probability
sigmoid((persistence - threshold) / temperature). What is above the threshold is the skeleton there,
up to the tails of branches (`toposeg_lite.topology.branches`). The threshold is the sigmoid of a
normal u. Its *prior* sees the image; its *posterior*, used in training alone, the truth as well,
and KL keeps them together. The threshold is u = mean + std * noise, and the persistence is the
difference of two pixels of the likelihood, so the loss has a gradient with respect to the prior,
the posterior and the network. The temperature falls geometrically over the training from 0.2 or so
to 0.05: at once at 0.02, nearly all branches are so far from the threshold that they have no
gradient.

The limit of this mode: a branch that is stronger than another is never less likely to be kept. A
faint vessel and a strong false bridge cannot both be judged rightly, whatever the threshold.

**Mode "branch"** [2]_. A head reads the features of each branch (`FEATURES`) and predicts mean and
standard deviation of its log-odds. KL is that to a normal of mean 0 and standard deviation 2, the
same for all branches.

**Why nothing collapses.** Were the KL to the prior the only force on the variances, both would
shrink together to zero at no cost. So standard deviations are at least 0.05, and the *spread* is a
weak pull of the prior's standard deviation towards 1: KL(N(0, std) || N(0, 1)). KL itself is zero
only where the truth tells nothing about the threshold that the image does not.

References
----------
.. [1] X. Hu, D. Samaras, C. Chen, "Learning probabilistic topological representations using
       discrete Morse theory", ICLR 2023. arXiv:2206.01742
.. [2] S. Gupta, Y. Zhang, X. Hu, P. Prasanna, C. Chen, "Topology-aware uncertainty for image
       segmentation", NeurIPS 2023. arXiv:2306.05671
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..calibration import fit_temperature
from ..checks import check_choice, check_fraction, check_integer, check_number, check_seed
from ..losses import DiceBCELoss
from ..losses.common import check_logits_and_target, in_threads
from ..topology.branches import BranchSet, find_branches
from ..topology.grid import check_connectivity
from .distribution import (
    Mode,
    StructureDistribution,
    StructureSamples,
    Uncertainty,
)
from .features import FEATURES, branch_features, persistence_of

__all__ = ["Gaussian", "StructureLoss", "StructureModel"]

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_LEAST_STD = 0.05
_HEAD_PRIOR_STD = 2.0


class Gaussian(NamedTuple):
    """Normal distributions, independent of each other."""

    mean: Tensor
    std: Tensor


def _kl(one: Gaussian, other: Gaussian) -> Tensor:
    """Return the Kullback-Leibler divergence of each of the first from the second, in nats."""
    ratio = (one.std / other.std) ** 2
    shift = ((one.mean - other.mean) / other.std) ** 2
    return (ratio + shift - 1 - ratio.log()) / 2


def _gaussian(raw: Tensor) -> Gaussian:
    """Read the last axis, of two numbers, as a mean and (before softplus) a standard deviation."""
    return Gaussian(raw[..., 0], F.softplus(raw[..., 1]) + _LEAST_STD)


class StructureLoss(NamedTuple):
    """The loss of a batch and its parts, scalars all; `total` is what to differentiate.

    Attributes
    ----------
    total : tensor
        The weighted sum of the parts.
    segmentation : tensor
        Of the network's logits.
    reconstruction : tensor
        Cross-entropy of keeping branches, in nats, weighted by their lengths.
    kl : tensor
        Divergence of the posterior from the prior, in nats, of an image or of a branch.
    spread : tensor
        What a prior that is too sure of its threshold costs; 0 in the mode "branch".
    """

    total: Tensor
    segmentation: Tensor
    reconstruction: Tensor
    kl: Tensor
    spread: Tensor


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
        seen = self.layers(torch.cat(parts, 1)).flatten(2)
        return _gaussian(self.head(torch.cat([seen.mean(2), seen.amax(2)], 1)))


def _head(features: int, width: int = 32) -> nn.Sequential:
    """Return the network that reads the features of branches."""
    head = nn.Sequential(
        nn.Linear(features, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 2),
    )
    with torch.no_grad():
        head[-1].weight.mul_(0.1)  # type: ignore[operator]
    return head


class _Found(NamedTuple):
    """What the network and the Morse complex make of a batch."""

    logits: Tensor  # (B, 1, *spatial), at least float32
    likelihood: Tensor
    branches: list[BranchSet]
    features: list[Tensor]  # (n, F) for each image in the mode "branch", else empty


class StructureModel(nn.Module):
    """A distribution over the structures of an image: see the module's docstring.

    Parameters
    ----------
    network : torch.nn.Module
        Turns images (B, in_channels, *spatial) into logits (B, 1, *spatial), or (B, 2, *spatial)
        with the foreground second.
    mode : {"threshold", "branch"}
        One threshold of persistence for an image, or a decision for each branch.
    in_channels : int
        Channels of the images.
    ndim : int
        2 for images, 3 for volumes.
    min_persistence : float
        Branches whose persistence is not above it never enter.
    saddle_level : float
        Branches whose pass has a lower likelihood never enter.
    split : float
        See `find_branches`.
    connectivity : int, optional
        Of the foreground. In 2D: 1 or 2 (default); in 3D: 1 (default).
    temperature : (float, float)
        Of the threshold, at the beginning of the training (0.1 or above) and at its end.
    anneal_steps : int
        Over how many steps the temperature falls.
    reconstruction_weight, spread_weight : float
        Of these parts of the loss; that of the segmentation is 1.
    kl_weight : float, optional
        Of the divergence. Default: 0.03 in the mode "threshold", 0.01 in the mode "branch".
    segmentation : torch.nn.Module, optional
        The loss of the logits; default `DiceBCELoss()`.
    features : str, optional
        Name of a submodule of the network, such as "head" of a `UNet`: what goes into it is pooled
        on the branches and joins their features (mode "branch"). It must tell its `in_channels`.
    walk : bool
        Whether sampled branches are redrawn by `perturb_and_walk` (mode "branch").
    gamma, sigma : float
        Of the walk.
    seed : int
        Of the first weights of prior, posterior and head.

    Attributes
    ----------
    step : int
        Calls of `loss` so far in training. Part of the `state_dict`.
    calibration : tensor
        What log-odds are divided by at last: 1, or what `calibrate` found. Part of the
        `state_dict`.

    Raises
    ------
    TypeError, ValueError
        For options of a wrong type or out of range.

    Notes
    -----
    Pixels of the likelihood that decide a persistence change in jumps; the gradient is that with
    these pixels held fixed, which is the gradient wherever no two pixels are equal. Images without
    any branch have a reconstruction of 0.

    All draws are made by NumPy on the CPU, so a GPU draws the same structures.

    Examples
    --------
    A network that returns its input, to see the rest alone.

    >>> likelihood = torch.tensor([[0.9, 0.9, 0.9, 0.1, 0.1],
    ...                            [0.9, 0.1, 0.9, 0.4, 0.7],
    ...                            [0.9, 0.9, 0.9, 0.1, 0.1]])
    >>> model = StructureModel(torch.nn.Identity(), mode="branch", connectivity=1)
    >>> image = likelihood.logit()[None, None]
    >>> model.branches(image)
    [BranchSet(1 that join, 1 that close loops, 0 ridges)]
    >>> samples, = model.sample(image, 3, seed=0)
    >>> samples.masks.shape, samples.kept.shape
    ((3, 3, 5), (3, 2))
    """

    step: int
    calibration: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mode: Mode = "threshold",
        in_channels: int = 1,
        ndim: int = 2,
        min_persistence: float = 0.02,
        saddle_level: float = 0.0,
        split: float = 0.25,
        connectivity: int | None = None,
        temperature: tuple[float, float] = (0.2, 0.05),
        anneal_steps: int = 1000,
        reconstruction_weight: float = 1.0,
        kl_weight: float | None = None,
        spread_weight: float = 0.01,
        segmentation: nn.Module | None = None,
        features: str | None = None,
        walk: bool = True,
        gamma: float = 0.2,
        sigma: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module; got {network!r}")
        if not (segmentation is None or isinstance(segmentation, nn.Module)):
            raise TypeError(f"segmentation must be a torch.nn.Module or None; got {segmentation!r}")
        check_choice(mode, ("threshold", "branch"), "mode")
        self.mode: Mode = mode
        in_channels = check_integer(in_channels, "in_channels", 1)
        if ndim not in _CONV:
            raise ValueError(f"ndim must be 2 (images) or 3 (volumes); got {ndim!r}")
        self.ndim = ndim
        if ndim == 3 and connectivity not in (None, 1):
            raise ValueError(f"connectivity must be 1 (6 neighbours) in 3D; got {connectivity!r}")
        self.options: dict[str, Any] = {
            name: check_fraction(value, name)
            for name, value in (
                ("min_persistence", min_persistence),
                ("saddle_level", saddle_level),
                ("split", split),
            )
        }
        self.connectivity = check_connectivity(1 if ndim == 3 else connectivity, ndim)
        self.options["connectivity"] = self.connectivity
        self.temperatures = _check_temperatures(temperature)
        self.anneal_steps = check_integer(anneal_steps, "anneal_steps", 1)
        if kl_weight is None:  # one number for an image, or one for each of its branches
            kl_weight = 0.03 if mode == "threshold" else 0.01
        self.weights = {
            "segmentation": 1.0,
            "reconstruction": check_number(reconstruction_weight, "reconstruction_weight"),
            "kl": check_number(kl_weight, "kl_weight"),
            "spread": check_number(spread_weight, "spread_weight"),
        }
        if not isinstance(walk, bool):
            raise TypeError(f"walk must be True or False; got {walk!r}")
        steps = (check_fraction(gamma, "gamma"), check_number(sigma, "sigma"))
        self.walk = steps if walk and mode == "branch" else None
        self.network = network
        self.segmentation = DiceBCELoss() if segmentation is None else segmentation
        self._layer = _find_layer(network, features, self.mode)
        more = 0 if self._layer is None else _in_channels(self._layer, features)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_integer(seed, "seed"))
            if self.mode == "threshold":
                self.prior_encoder = _Encoder(in_channels + 1, ndim)
                self.posterior_encoder = _Encoder(in_channels + 2, ndim)
            else:
                self.head = _head(len(FEATURES) + more)
        self.step = 0
        self.register_buffer("calibration", torch.ones(()))

    # --- What is known of a batch ---

    def forward(self, image: Tensor) -> Tensor:
        """Return the network's logits."""
        return self.network(image)

    def temperature(self) -> float:
        """Return the temperature of the threshold at the present step."""
        first, last = self.temperatures
        return first * (last / first) ** min(1.0, self.step / self.anneal_steps)

    def branches(self, image: Tensor) -> list[BranchSet]:
        """Return the branches of each image of a batch (B, in_channels, *spatial)."""
        with self._at_rest():
            return self._find(image).branches

    def prior(self, image: Tensor) -> Gaussian:
        """Return the distribution, given the image, of the number whose sigmoid is the threshold.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.

        Returns
        -------
        Gaussian
            Mean and standard deviation, (B,) each.

        Raises
        ------
        TypeError, ValueError
            For a bad image, and in the mode "branch", which has none.
        """
        self._need_threshold("prior")
        return self._prior(image, self._likelihood(self._logits(image)))

    def posterior(self, image: Tensor, truth: Tensor) -> Gaussian:
        """Return the distribution of the same number given the truth as well.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.
        truth : (B, *spatial) or (B, 1, *spatial) tensor of 0 and 1
            The true masks.

        Returns
        -------
        Gaussian
            Mean and standard deviation, (B,) each.

        Raises
        ------
        TypeError, ValueError
            For a bad image or truth, and in the mode "branch", which has none.
        """
        self._need_threshold("posterior")
        logits, mask = check_logits_and_target(self._logits(image), truth)
        return self._posterior(image, self._likelihood(logits), mask)

    def _prior(self, image: Tensor, likelihood: Tensor) -> Gaussian:
        """Let the prior see the image and what the network made of it."""
        seen = likelihood.to(self.calibration)
        return self.prior_encoder(image.to(seen), seen)

    def _posterior(self, image: Tensor, likelihood: Tensor, mask: Tensor) -> Gaussian:
        """Let the posterior see the truth, too."""
        seen = likelihood.to(self.calibration)
        return self.posterior_encoder(image.to(seen), seen, mask.to(seen))

    def _need_threshold(self, name: str) -> None:
        """Refuse what the mode "branch" does not have."""
        if self.mode != "threshold":
            raise ValueError(f"{name} belongs to the mode 'threshold'; this model's is 'branch'")

    def _logits(self, image: Any) -> Tensor:
        """Run the network; return the logits of the foreground against the rest, (B, 1, ...)."""
        if not isinstance(image, Tensor):
            raise TypeError(f"image must be a torch tensor; got {type(image).__name__}")
        if not image.is_floating_point():
            raise TypeError(f"image must be floating point; got {image.dtype}")
        if image.ndim != self.ndim + 2:
            raise ValueError(
                f"image must have the shape (B, channels, {'D, ' if self.ndim == 3 else ''}H, W); "
                f"got {tuple(image.shape)}"
            )
        if image.numel() == 0:
            raise ValueError(f"image is empty: its shape is {tuple(image.shape)}")
        logits = self.network(image)
        spatial = tuple(image.shape[2:])
        wanted = [(len(image), channels, *spatial) for channels in (1, 2)]
        if not isinstance(logits, Tensor) or tuple(logits.shape) not in wanted:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"network must return logits of the shape {wanted[0]} or {wanted[1]}; got {shape}"
            )
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]
        if not torch.isfinite(logits).all():
            raise ValueError("the network's logits hold values that are NaN or infinite")
        return logits

    @staticmethod
    def _likelihood(logits: Tensor) -> Tensor:
        """Return the likelihood of the foreground."""
        return logits.sigmoid()

    def _find(self, image: Tensor) -> _Found:
        """Run the network, find the branches, and in the mode "branch" their features."""
        with _captured(self._layer) as seen:
            logits = self._logits(image)
        likelihood = self._likelihood(logits)
        arrays = list(likelihood.detach()[:, 0].cpu().numpy())
        found = in_threads(lambda array: find_branches(array, **self.options), arrays)
        features: list[Tensor] = []
        if self.mode == "branch":
            features = [
                branch_features(
                    branches, likelihood[i, 0], image[i], seen[0][i] if seen else None
                ).to(self.calibration)
                for i, branches in enumerate(found)
            ]
        return _Found(logits, likelihood, found, features)

    # --- Training ---

    def loss(
        self, image: Tensor, truth: Tensor, *, seed: int | np.random.Generator
    ) -> StructureLoss:
        """Return the loss of a batch.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.
        truth : (B, *spatial) or (B, 1, *spatial) tensor of 0 and 1
            The true masks.
        seed : int or numpy.random.Generator
            Decides the noise; use another one in each step.

        Returns
        -------
        StructureLoss

        Raises
        ------
        TypeError, ValueError
            For images, masks or a seed that are no such.
        """
        rng = check_seed(seed)
        found = self._find(image)
        logits, mask = check_logits_and_target(found.logits, truth)
        fractions = [
            branches.fraction_on(one)
            for branches, one in zip(found.branches, mask[:, 0].cpu().numpy(), strict=True)
        ]
        zero = found.likelihood.sum() * 0
        spread = zero
        if self.mode == "threshold":
            prior = self._prior(image, found.likelihood)
            posterior = self._posterior(image, found.likelihood, mask)
            kl = _kl(posterior, prior).mean()
            spread = _kl(Gaussian(0 * prior.mean, prior.std), _like(prior, 1.0)).mean()
            thresholds = _draw(posterior, rng).sigmoid()
            log_odds = [
                (persistence_of(branches, one[0]) - threshold) / self.temperature()
                for branches, one, threshold in zip(
                    found.branches, found.likelihood, thresholds, strict=True
                )
            ]
        else:
            beliefs = [_gaussian(self.head(features)) for features in found.features]
            parts = [_kl(one, _like(one, _HEAD_PRIOR_STD)) for one in beliefs]
            kl = torch.cat(parts).mean() if any(map(len, parts)) else zero
            log_odds = [_draw(one, rng) for one in beliefs]
        costs = [
            _cross_entropy(z, fraction, branches.length) if len(branches) else zero
            for z, fraction, branches in zip(log_odds, fractions, found.branches, strict=True)
        ]
        values = {
            "segmentation": self.segmentation(logits, mask.to(logits)),
            "reconstruction": torch.stack(costs).mean(),
            "kl": kl,
            "spread": spread,
        }
        total = sum((self.weights[name] * value for name, value in values.items()), zero)
        if self.training and torch.is_grad_enabled():
            self.step += 1
        return StructureLoss(total, **values)

    def learn(
        self,
        found: Sequence[StructureDistribution],
        outcomes: Sequence[Any],
        *,
        seed: int | np.random.Generator,
        steps: int = 300,
        learning_rate: float = 0.01,
    ) -> float:
        """Train the head alone, on branches about which something is known.

        The network need not run: the features of the branches are kept with them. So this is quick
        enough to go on learning while someone decides about branches.

        Parameters
        ----------
        found : sequence of StructureDistribution
            What `distribution` returned.
        outcomes : sequence of arrays of float
            For each of them, what is true of each branch, from 0 (false) to 1 (real), for example
            ``one.branches.fraction_on(truth)``; NaN where nothing is known.
        seed : int or numpy.random.Generator
            Decides the noise.
        steps : int
            Of the optimizer Adam, each with all branches at once.
        learning_rate : float
            Of these steps.

        Returns
        -------
        float
            The cross-entropy of keeping branches at the last step, weighted by their lengths; 0 if
            nothing is known, and then nothing changes.

        Raises
        ------
        TypeError, ValueError
            In the mode "threshold", which has no head; for outcomes that do not fit the branches.

        Notes
        -----
        On the images that it was trained on a network is surer, and more often right, than
        elsewhere, and a head that learns from their branches becomes too bold. So let it learn from
        images that the network has not seen, or from networks that have not seen the images, as
        `toposeg_lite.training.calibration.cross_train` makes them.
        """
        if self.mode != "branch":
            raise ValueError("learn belongs to the mode 'branch'; this model's is 'threshold'")
        rng = check_seed(seed)
        steps = check_integer(steps, "steps", 1)
        learning_rate = check_number(learning_rate, "learning_rate")
        truth = _gather(found, outcomes)
        known = ~np.isnan(truth)
        if not known.any():
            return 0.0
        length = np.concatenate([one.branches.length for one in found])[known]
        rows = [one.features for one in found if one.features is not None]
        features = torch.cat(rows)[torch.from_numpy(known)].to(self.calibration)
        optimizer = torch.optim.Adam(self.head.parameters(), learning_rate)
        with torch.enable_grad():
            for _ in range(steps):
                belief = _gaussian(self.head(features))
                cost = _cross_entropy(_draw(belief, rng), truth[known], length)
                kl = _kl(belief, _like(belief, _HEAD_PRIOR_STD)).mean()
                optimizer.zero_grad()
                (self.weights["reconstruction"] * cost + self.weights["kl"] * kl).backward()
                optimizer.step()
        return cost.item()

    def calibrate(self, found: Sequence[StructureDistribution], outcomes: Sequence[Any]) -> float:
        """Find the temperature that makes the branches' probabilities honest, and keep it.

        Parameters
        ----------
        found : sequence of StructureDistribution
            What `distribution` returned for images that nothing was trained on.
        outcomes : sequence of arrays of float
            As for `learn`, in either mode. A branch is real from 0.5 on.

        Returns
        -------
        float
            The temperature; 1 if nothing is known.

        Raises
        ------
        TypeError, ValueError
            For outcomes that do not fit the branches.

        Notes
        -----
        The temperature minimises the cross-entropy between probabilities and what is real, in which
        every branch counts once, as in a reliability diagram: it is asked about once, however long
        it is. It is found for the probabilities, and log-odds are divided by it before the mean
        over the model's own uncertainty is taken.
        """
        truth = _gather(found, outcomes)
        known = ~np.isnan(truth)
        self.calibration.fill_(1.0)
        if known.any():
            plain = [one.calibrated(1.0).uncertainty().probability for one in found]
            temperature = fit_temperature(np.concatenate(plain)[known], truth[known] >= 0.5)
            self.calibration.fill_(temperature)
        return float(self.calibration)

    # --- Use ---

    def distribution(self, image: Tensor) -> list[StructureDistribution]:
        """Return the distribution over the structures of each image of a batch.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images. The network sees them whole, in evaluation mode.

        Returns
        -------
        list of StructureDistribution
            Ask it for samples and uncertainties: the network need not run again.

        Raises
        ------
        TypeError, ValueError
            For images that are no such, and networks that return something else than logits.
        """
        with self._at_rest():
            found = self._find(image)
            if self.mode == "threshold":
                prior = self._prior(image, found.likelihood)
                beliefs = [Gaussian(*one) for one in zip(*(p[:, None] for p in prior), strict=True)]
            else:
                beliefs = [_gaussian(self.head(features)) for features in found.features]
        return [
            StructureDistribution(
                branches,
                self.mode,
                one.mean.double().cpu().numpy(),
                one.std.double().cpu().numpy(),
                self.temperature() if self.mode == "threshold" else 1.0,
                float(self.calibration),
                self.walk,
                self.connectivity,
                found.features[i] if found.features else None,
            )
            for i, (branches, one) in enumerate(zip(found.branches, beliefs, strict=True))
        ]

    def sample(
        self, image: Tensor, n: int, seed: int | np.random.Generator
    ) -> list[StructureSamples]:
        """Draw structures of each image of a batch.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.
        n : int
            How many structures of each.
        seed : int or numpy.random.Generator
            Decides all draws.

        Returns
        -------
        list of StructureSamples
            One for each image. An image without branches has n masks, too: those of the likelihood.

        Raises
        ------
        TypeError, ValueError
            For bad images, numbers or seeds.
        """
        rng = check_seed(seed)
        return [one.sample(n, child) for one, child in self._each(image, rng)]

    def _each(
        self, image: Tensor, rng: np.random.Generator
    ) -> Iterator[tuple[StructureDistribution, np.random.Generator]]:
        """Return each image's distribution with a generator of its own."""
        found = self.distribution(image)
        return zip(found, rng.spawn(len(found)), strict=True)

    def uncertainty(self, image: Tensor) -> list[Uncertainty]:
        """Return how sure the model is of each branch of each image.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.

        Returns
        -------
        list of Uncertainty
            Probability, variance and entropy of each branch; `Uncertainty.map` shows them.

        Raises
        ------
        TypeError, ValueError
            For bad images.
        """
        return [one.uncertainty() for one in self.distribution(image)]

    def predict(self, image: Tensor) -> np.ndarray:
        """Return the final masks: branches of probability 0.5 or above accepted, others rejected.

        Parameters
        ----------
        image : (B, in_channels, *spatial) tensor
            The images.

        Returns
        -------
        (B, *spatial) array of bool
            By the rules in `toposeg_lite.topology.branches`.

        Raises
        ------
        TypeError, ValueError
            For bad images.
        """
        return np.stack([one.mask() for one in self.distribution(image)])

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Let all modules be in evaluation mode, without gradients, for a while."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module, training in modes.items():
                module.training = training

    def get_extra_state(self) -> Tensor:
        """Return the step for the `state_dict`."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the step from a `state_dict`."""
        self.step = int(state)

    def extra_repr(self) -> str:
        """Show the options."""
        shown = {"mode": self.mode, "ndim": self.ndim, **self.options, "weights": self.weights}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


def _cross_entropy(log_odds: Tensor, fraction: np.ndarray, length: np.ndarray) -> Tensor:
    """Return the cross-entropy of keeping branches, weighted by their lengths."""
    truth = torch.from_numpy(fraction).to(log_odds)
    weight = torch.from_numpy(length / length.sum()).to(log_odds)
    costs = F.binary_cross_entropy_with_logits(log_odds, truth, reduction="none")
    return (weight * costs).sum()


def _draw(one: Gaussian, rng: np.random.Generator) -> Tensor:
    """Draw from normal distributions, so that gradients reach their means and deviations."""
    return one.mean + one.std * torch.from_numpy(rng.standard_normal(len(one.mean))).to(one.mean)


def _like(one: Gaussian, std: float) -> Gaussian:
    """Return as many normal distributions of mean 0 and this standard deviation."""
    return Gaussian(torch.zeros_like(one.mean), torch.full_like(one.std, std))


def _gather(found: Sequence[StructureDistribution], outcomes: Sequence[Any]) -> np.ndarray:
    """Check what is known of the branches of some images; return it in one array of float64."""
    if len(found) != len(outcomes):
        raise ValueError(f"outcomes must be as many as found, {len(found)}; got {len(outcomes)}")
    arrays = [np.zeros(0)]
    for one, outcome in zip(found, outcomes, strict=True):
        array = np.asarray(outcome)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"outcomes must be numbers from 0 to 1, or NaN; got {array.dtype}")
        if array.shape != (len(one.branches),):
            raise ValueError(
                f"outcomes must hold one number for each of the {len(one.branches)} branches; "
                f"got the shape {array.shape}"
            )
        if ((array < 0) | (array > 1)).any():
            raise ValueError("outcomes must lie in [0, 1], or be NaN where nothing is known")
        arrays.append(array.astype(np.float64))
    return np.concatenate(arrays)


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


def _find_layer(network: nn.Module, name: Any, mode: str) -> nn.Module | None:
    """Return the submodule of this name."""
    if name is None:
        return None
    if mode != "branch":
        raise ValueError("features belong to the mode 'branch'; this model's is 'threshold'")
    names = [known for known, _ in network.named_modules() if known]
    if name not in names:
        raise ValueError(
            f"features must name a submodule of the network; got {name!r}. "
            f"Its submodules are {', '.join(names) or 'none'}"
        )
    return network.get_submodule(name)


def _in_channels(layer: nn.Module, name: Any) -> int:
    """Return how many channels go into a layer."""
    channels = getattr(layer, "in_channels", None)
    if not isinstance(channels, int):
        raise ValueError(
            f"features must name a layer that tells its in_channels, such as a convolution; "
            f"{name!r} is a {type(layer).__name__}"
        )
    return channels


@contextmanager
def _captured(layer: nn.Module | None) -> Iterator[list[Tensor]]:
    """Collect what goes into a layer."""
    seen: list[Tensor] = []
    if layer is None:
        yield seen
        return
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()
