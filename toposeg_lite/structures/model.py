"""A distribution over structures around any network that predicts a likelihood.

The network says of each pixel how likely it is foreground. The ridges of that likelihood are the
branches that may be real (`find_branches`), and a method says how likely each of them is: either
one threshold for the image (`Threshold`) or a head that judges each branch (`BranchHead`). It is
trained with the loss

    segmentation + weight * reconstruction + kl_weight * KL + spread_weight * spread.

*Reconstruction* is the cross-entropy between the probability that a branch is kept and the fraction
of its pixels that lies on the truth, weighted by the lengths of the branches (a `BranchHead` may
count each of them once). So keeping a false branch costs as dropping a true one does. (A
cross-entropy over the pixels of kept branches alone, as in the paper's code, costs nothing where
all is dropped: it only ever drives a threshold up.)
*KL* and *spread* are explained with each method.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..calibration import fit_temperature
from ..checks import check_choice, check_fraction, check_integer, check_reals, check_seed
from ..losses import DiceBCELoss
from ..losses.common import check_logits_and_target, in_threads, read_step
from ..topology.branches import BranchSet, find_branches
from ..topology.grid import check_connectivity
from .common import Batch, Gaussian
from .distribution import Mode, StructureDistribution, StructureSamples, Uncertainty
from .head import BranchHead
from .threshold import Threshold

__all__ = ["StructureLoss", "StructureModel"]

Method = Threshold | BranchHead
Kind = TypeVar("Kind", Threshold, BranchHead)

METHODS: dict[str, type[Threshold] | type[BranchHead]] = {
    method.mode: method for method in (Threshold, BranchHead)
}


class StructureLoss(NamedTuple):
    """The loss of a batch and its parts, scalars all; `total` is what to differentiate.

    Attributes
    ----------
    total : tensor
        The weighted sum of the parts.
    segmentation : tensor
        Of the network's logits.
    reconstruction : tensor
        Cross-entropy of keeping branches, in nats, weighted by their lengths, or as a `BranchHead`
        weighs them.
    kl : tensor
        Divergence of the posterior from the prior, in nats, of an image or of a branch.
    spread : tensor
        What a prior that is too sure of its threshold costs; 0 with a `BranchHead`.
    """

    total: Tensor
    segmentation: Tensor
    reconstruction: Tensor
    kl: Tensor
    spread: Tensor


class StructureModel(nn.Module):
    """A distribution over the structures of an image: see the module's docstring.

    All methods take images as (B, in_channels, *spatial) tensors and truths as (B, *spatial) or
    (B, 1, *spatial) tensors of 0 and 1. All but `loss`, `prior` and `posterior` let the network see
    the images in evaluation mode, without gradient.

    Parameters
    ----------
    network : torch.nn.Module
        Turns images (B, in_channels, *spatial) into logits (B, 1, *spatial), or (B, 2, *spatial)
        with the foreground second.
    decide : Threshold or BranchHead, optional
        The method. Each model has its own.
    mode : {"threshold", "branch"}, optional
        A shorthand: ``mode="branch", walk=False`` is ``decide=BranchHead(walk=False)``, and
        ``mode="threshold"`` a `Threshold` in the same way. Default "threshold".
    in_channels : int
        Channels of the images.
    ndim : int
        2 for images, 3 for volumes.
    min_persistence, saddle_level, split, connectivity
        Which branches there are: see `find_branches`, whose defaults hold.
    segmentation : torch.nn.Module, optional
        The loss of the logits; default `DiceBCELoss()`.
    seed : int
        Of the first weights of the method.
    **options
        Of the method that `mode` names; those of the other one are refused.

    Attributes
    ----------
    prior_encoder, posterior_encoder, head : torch.nn.Module
        The trained parts of the method: the first two, or the last.
    step : int
        Calls of `loss` so far in training. Part of the `state_dict`.
    calibration : tensor
        What log-odds are divided by at last: 1, or what `calibrate` found. Part of the
        `state_dict`.

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
    >>> model = StructureModel(torch.nn.Identity(), decide=BranchHead(), connectivity=1)
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
        decide: Method | None = None,
        mode: Mode | None = None,
        in_channels: int = 1,
        ndim: int = 2,
        min_persistence: float = 0.02,
        saddle_level: float = 0.0,
        split: float = 0.25,
        connectivity: int | None = None,
        segmentation: nn.Module | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f"network must be a torch.nn.Module; got {network!r}")
        if not (segmentation is None or isinstance(segmentation, nn.Module)):
            raise TypeError(f"segmentation must be a torch.nn.Module or None; got {segmentation!r}")
        in_channels = check_integer(in_channels, "in_channels", 1)
        if check_integer(ndim, "ndim") not in (2, 3):
            raise ValueError(f"ndim must be 2 (images) or 3 (volumes); got {ndim!r}")
        self.ndim = ndim
        if ndim == 3 and connectivity not in (None, 1):
            raise ValueError(f"connectivity must be 1 (6 neighbours) in 3D; got {connectivity!r}")
        self.connectivity = check_connectivity(1 if ndim == 3 else connectivity, ndim)
        self.options: dict[str, Any] = {
            "min_persistence": check_fraction(min_persistence, "min_persistence"),
            "saddle_level": check_fraction(saddle_level, "saddle_level"),
            "split": check_fraction(split, "split"),
            "connectivity": self.connectivity,
        }
        self.network = network
        self.segmentation = DiceBCELoss() if segmentation is None else segmentation
        method = _choose_method(decide, mode, options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_integer(seed, "seed"))
            method.build(network, in_channels, ndim)
        # The parts of the method are modules of the model, under their own names, which are those
        # of the `state_dict`. In a tuple, the method is not a module of the model once more.
        self._decide = (method,)
        for name, part in method.named_children():
            self.add_module(name, part)
        self.step = 0
        self.register_buffer("calibration", torch.ones(()))

    # --- What is known of a batch ---

    @property
    def decide(self) -> Method:
        """The method that says how likely each branch is."""
        return self._decide[0]

    @property
    def mode(self) -> Mode:
        """What the method is called: "threshold" or "branch"."""
        return self.decide.mode

    def forward(self, image: Tensor) -> Tensor:
        """Return the network's logits."""
        return self.network(self._check_image(image))

    def temperature(self) -> float:
        """Return the temperature of the `Threshold` at the present step."""
        return self._method(Threshold, "temperature").temperature(self.step)

    def branches(self, image: Tensor) -> list[BranchSet]:
        """Return the branches of each image of a batch."""
        with self._at_rest():
            return self._find(image).branches

    def prior(self, image: Tensor) -> Gaussian:
        """Return the distribution, given the image, of the number whose sigmoid is the threshold.

        A `Threshold` has one, (B,) means and standard deviations; a `BranchHead` is refused.
        """
        threshold = self._method(Threshold, "prior")
        return threshold.prior(image, self._logits(image).sigmoid())

    def posterior(self, image: Tensor, truth: Tensor) -> Gaussian:
        """Return the distribution of the same number given the truth as well."""
        threshold = self._method(Threshold, "posterior")
        logits, mask, _ = check_logits_and_target(self._logits(image), truth, name="truth")
        return threshold.posterior(image, logits.sigmoid(), mask)

    def _method(self, kind: type[Kind], name: str) -> Kind:
        """Return the method if it is of this kind; else refuse what it does not have."""
        if not isinstance(self.decide, kind):
            raise ValueError(
                f"{name} belongs to the mode {kind.mode!r}; this model's is {self.mode!r}"
            )
        return self.decide

    def _check_image(self, image: Any) -> Tensor:
        """Return a batch of images, else raise."""
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
        return image

    def _logits(self, image: Any) -> Tensor:
        """Run the network; return the logits of the foreground against the rest, (B, 1, ...)."""
        logits = self.network(self._check_image(image))
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

    def _find(self, image: Tensor, *truth: Any) -> Batch:
        """Run the network, check the truth, if it is given, and find the branches."""
        with _inputs_of(self.decide.watched) as inputs:
            logits = self._logits(image)
        for given in truth:
            check_logits_and_target(logits, given, name="truth")
        likelihood = logits.sigmoid()
        arrays = list(likelihood.detach()[:, 0].cpu().numpy())
        branches = in_threads(lambda array: find_branches(array, **self.options), arrays)
        return Batch(image, logits, likelihood, branches, inputs[0] if inputs else None)

    # --- Training ---

    def loss(
        self, image: Tensor, truth: Tensor, *, seed: int | np.random.Generator
    ) -> StructureLoss:
        """Return the loss of a batch; the seed decides the noise: use another one in each step."""
        rng = check_seed(seed)
        batch = self._find(image, truth)
        logits, mask, _ = check_logits_and_target(batch.logits, truth, name="truth")
        of_method = self.decide.loss(batch, mask, rng, self.step)
        parts = {"segmentation": self.segmentation(logits, mask.to(logits)), **of_method}
        total = sum((self.weights[name] * part for name, part in parts.items()), batch.zero)
        if self.training and torch.is_grad_enabled():
            self.step += 1
        return StructureLoss(total, **{"spread": batch.zero, **parts})

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the parts of the loss."""
        return {"segmentation": 1.0, **self.decide.weights}

    def learn(
        self,
        distributions: Sequence[StructureDistribution],
        outcomes: Sequence[Any],
        *,
        seed: int | np.random.Generator,
        steps: int = 300,
        learning_rate: float = 0.01,
    ) -> float:
        """Train the `BranchHead` alone, on branches about which something is known.

        The network need not run: the features of the branches are kept with them. So this is quick
        enough to go on learning while someone decides about branches. A `Threshold` is refused.

        Parameters
        ----------
        distributions : sequence of StructureDistribution
            What `distribution` returned.
        outcomes : sequence of arrays of float
            For each of them, what is true of each branch, from 0 (false) to 1 (real), for example
            ``branches.fraction_on(truth)``; NaN where nothing is known.
        seed : int or numpy.random.Generator
            Decides the noise.
        steps, learning_rate : int, float
            Of the optimizer Adam; each step takes all branches at once.

        Returns
        -------
        float
            The reconstruction at the last step; 0 if nothing is known, and nothing changes then.

        Notes
        -----
        On the images that it was trained on a network is surer, and more often right, than
        elsewhere, and a head that learns from their branches becomes too bold. So let it learn from
        images that the network has not seen, or from networks that have not seen the images, as
        `toposeg_lite.workbook.studies.fitting.cross_train` makes them.
        """
        head = self._method(BranchHead, "learn")
        truth = _join_outcomes(distributions, outcomes)
        return head.learn(distributions, truth, seed=seed, steps=steps, learning_rate=learning_rate)

    def calibrate(
        self, distributions: Sequence[StructureDistribution], outcomes: Sequence[Any]
    ) -> float:
        """Find the temperature that makes the branches' probabilities honest; keep and return it.

        `distributions` are those of images that nothing was trained on, `outcomes` as for `learn`,
        with either method: a branch is real from 0.5 on. If nothing is known it is 1.

        The temperature minimises the cross-entropy between probabilities and what is real, in which
        every branch counts once, as in a reliability diagram: it is asked about once, however long
        it is. It is found for the probabilities, and log-odds are divided by it before the mean
        over the model's own uncertainty is taken.
        """
        truth = _join_outcomes(distributions, outcomes)
        known = ~np.isnan(truth)
        self.calibration.fill_(1.0)
        if known.any():
            plain = [distribution.calibrated(1.0) for distribution in distributions]
            chances = np.concatenate([raw.uncertainty().probability for raw in plain])
            temperature = fit_temperature(chances[known], truth[known] >= 0.5)
            self.calibration.fill_(temperature)
        return float(self.calibration)

    # --- Use ---

    def distribution(self, image: Tensor) -> list[StructureDistribution]:
        """Return the distribution over the structures of each image of a batch.

        Ask it for samples and uncertainties: the network, which sees the images whole, need not run
        again.
        """
        with self._at_rest():
            distributions = self.decide.distribution(self._find(image), self.step)
        calibration = float(self.calibration)
        return [
            replace(raw, calibration=calibration, connectivity=self.connectivity)
            for raw in distributions
        ]

    def sample(
        self, image: Tensor, n: int, seed: int | np.random.Generator
    ) -> list[StructureSamples]:
        """Draw n structures of each image of a batch; the seed decides all.

        An image without branches has n masks, too: those of the likelihood.
        """
        n, rng = check_integer(n, "n"), check_seed(seed)
        distributions = self.distribution(image)
        children = rng.spawn(len(distributions))
        return [
            distribution.sample(n, child)
            for distribution, child in zip(distributions, children, strict=True)
        ]

    def uncertainty(self, image: Tensor) -> list[Uncertainty]:
        """Return how sure the model is of each branch of each image."""
        return [distribution.uncertainty() for distribution in self.distribution(image)]

    def predict(self, image: Tensor) -> np.ndarray:
        """Return the final masks: branches of probability 0.5 or above accepted, others rejected.

        They are a (B, *spatial) array of bool, by the rules in `toposeg_lite.topology.branches`.
        """
        return np.stack([distribution.mask() for distribution in self.distribution(image)])

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
        self.step = read_step(state)

    def extra_repr(self) -> str:
        """Show the options."""
        shown = {"mode": self.mode, "ndim": self.ndim, **self.options, "weights": self.weights}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


def _choose_method(decide: Any, mode: Any, options: Mapping[str, Any]) -> Method:
    """Return the method that was given, or the one that the shorthand ``mode=`` stands for."""
    if decide is not None:
        if not isinstance(decide, Method):
            raise TypeError(f"decide must be a Threshold or a BranchHead; got {decide!r}")
        if mode is not None or options:
            given = ", ".join(["mode"] * (mode is not None) + list(options))
            raise ValueError(f"give either decide or mode and its options; got decide and {given}")
        if any(True for _ in decide.children()):
            raise ValueError("decide belongs to another model already; make each its own")
        return decide
    mode = check_choice("threshold" if mode is None else mode, tuple(METHODS), "mode")
    for name in options:
        owners = [key for key, kind in METHODS.items() if name in signature(kind).parameters]
        if not owners:
            raise TypeError(f"StructureModel has no option {name!r}")
        if mode not in owners:
            raise ValueError(f"{name} belongs to the mode {owners[0]!r}; this model's is {mode!r}")
    return METHODS[mode](**options)


def _join_outcomes(
    distributions: Sequence[StructureDistribution], outcomes: Sequence[Any]
) -> np.ndarray:
    """Check what is known of the branches of some images; return it in one array of float64."""
    for name, given in (("distributions", distributions), ("outcomes", outcomes)):
        if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
            raise TypeError(f"{name} must be a sequence; got {type(given).__name__}")
    for distribution in distributions:
        if not isinstance(distribution, StructureDistribution):
            raise TypeError(
                f"distributions must hold what `distribution` returned; "
                f"got {type(distribution).__name__}"
            )
    if len(distributions) != len(outcomes):
        raise ValueError(
            f"outcomes must be as many as distributions, {len(distributions)}; got {len(outcomes)}"
        )
    arrays = [np.zeros(0)]
    for distribution, outcome in zip(distributions, outcomes, strict=True):
        array, count = check_reals(outcome, "each of outcomes"), len(distribution.branches)
        if array.shape != (count,):
            raise ValueError(
                f"outcomes must hold one number for each of the {count} branches; "
                f"got the shape {array.shape}"
            )
        if ((array < 0) | (array > 1)).any():
            raise ValueError("outcomes must lie in [0, 1], or be NaN where nothing is known")
        arrays.append(array.astype(np.float64))
    return np.concatenate(arrays)


@contextmanager
def _inputs_of(layer: nn.Module | None) -> Iterator[list[Tensor]]:
    """Collect what goes into a layer."""
    inputs: list[Tensor] = []
    if layer is None:
        yield inputs
        return
    handle = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    try:
        yield inputs
    finally:
        handle.remove()
