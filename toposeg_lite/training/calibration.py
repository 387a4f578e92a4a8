"""How honest are branch probabilities? Run ``python -m toposeg_lite.training.calibration``.

For each seed a U-Net is trained, and one with dropout beside it. Then, on the branches of the
U-Net's likelihood, four kinds of probabilities are compared by their expected calibration error:

=========== ====================================================================================
method      the probability of a branch
=========== ====================================================================================
pixels      mean likelihood on the branch
dropout     the same, the likelihood being the mean of many passes of the U-Net with dropout [1]_
threshold   that it is above the learned threshold of persistence
branch      what the branch head of `toposeg_lite.structures.StructureModel` says
=========== ====================================================================================

Head and threshold learn from branches that were found by networks which have not seen the image
(`cross_train`): on images that it knows, a network is surer of itself, and more often right, than
it will ever be again, so what learns from its branches there is too bold elsewhere. Of each method
there is a second row, whose temperature was fitted on the validation images. The test images are
looked at once, at the end. A branch is true if at least half of it lies on the truth.

Networks are checkpoints and the numbers of each seed a JSON file in the folder of the study, so the
same command goes on from where it was stopped. In the end ``study.json`` holds all seeds, with the
reliability diagram of each method, the parameters and the versions. The workbook quotes a run of

::

    python -m toposeg_lite.training.calibration --even-light

whose ``study.json`` is kept as ``notebooks/reference_runs/chase_db1-calibration.json``.

References
----------
.. [1] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty
       in deep learning", ICML 2016. arXiv:1506.02142
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..checks import check_integer, check_number
from ..data import Dataset, Sample, load_dataset
from ..files import write_atomically
from ..models import UNet
from ..structures import (
    EvenLight,
    Reliability,
    StructureDistribution,
    StructureModel,
    fit_temperature,
    reliability_diagram,
    scale_probabilities,
)
from .config import TrainConfig
from .loop import draw_batch, train
from .records import git_commit, plain, versions

__all__ = [
    "DropoutUNet",
    "Fitted",
    "Unseen",
    "calibration_study",
    "cross_train",
    "fit_structures",
    "main",
    "read_calibration",
]

METHODS = ("pixels", "dropout", "threshold", "branch")
BINS = 15


Network = TypeVar("Network", bound=UNet)


class DropoutUNet(UNet):
    """A U-Net that drops channels at random after each of its blocks, in training and on request.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    rate : float
        The probability of each channel to be dropped, from 0 to below 1.
    **options
        Of the `UNet`.

    Raises
    ------
    TypeError, ValueError
        For a rate or an option out of range.

    Notes
    -----
    What is dropped depends on the seed of the weights and the number of passes so far, which is
    part of the `state_dict`: so a training that was stopped goes on as if it had not been.

    Examples
    --------
    >>> model = DropoutUNet(1, rate=0.5, width=4, depth=2).eval()
    >>> image = torch.ones(1, 1, 8, 8)
    >>> bool((model(image) == model(image)).all())
    True
    >>> with model.dropping():
    ...     bool((model(image) == model(image)).all())
    False
    """

    passes: Tensor

    def __init__(self, in_channels: int, *, rate: float = 0.2, **options: Any) -> None:
        super().__init__(in_channels, **options)
        check_number(rate, "rate")
        if rate >= 1:
            raise ValueError(f"rate must be below 1; got {rate}")
        self.rate = rate
        self._asked = False
        self._noise = torch.Generator()
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))
        for block in (*self.down, *self.join):
            block.register_forward_hook(self._drop)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of images, (B, out_channels, *spatial)."""
        if self.training or self._asked:
            self._noise.manual_seed(self.seed * 1_000_003 + int(self.passes))
            self.passes += 1
        return super().forward(images)

    def _drop(self, block: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """Drop channels of what a block returns."""
        if not (self.training or self._asked):
            return output
        shape = (*output.shape[:2], *[1] * self.ndim)
        keep = (torch.rand(shape, generator=self._noise) >= self.rate) / (1 - self.rate)
        return output * keep.to(output)

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Drop in evaluation mode, too, for a while."""
        self._asked = True
        try:
            yield
        finally:
            self._asked = False


def calibration_study(
    data: Dataset,
    config: TrainConfig,
    out: str | Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    passes: int = 20,
    threshold_steps: int = 200,
    folds: int = 2,
    min_persistence: float = 0.02,
    progress: bool = True,
) -> pd.DataFrame:
    """Compare the calibration of branch probabilities of four methods, over several seeds.

    Parameters
    ----------
    data : Dataset
        With training, validation and test images.
    config : TrainConfig
        How the networks are trained; its seed is replaced by those of the study.
    out : path
        The folder of the study; it is made if it is not there.
    seeds : sequence of int
        One U-Net and one with dropout are trained for each.
    passes : int
        Of the network with dropout.
    threshold_steps : int
        Of the training of the threshold.
    folds : int
        Of the training images: see `cross_train`.
    min_persistence : float
        Branches whose persistence is not above it do not count.
    progress : bool
        Show bars.

    Returns
    -------
    DataFrame
        A row for each seed, method and whether its temperature was fitted ("scaled"), with the
        columns "error" (expected calibration error of the branches, 15 bins, each branch counting
        once), "error_by_length" (counting by length), "accuracy" and "branches".

    Raises
    ------
    TypeError, ValueError
        For bad options, and data without one of the splits.
    """
    if not (data.train and data.validation and data.test):
        raise ValueError("data must have training, validation and test images")
    passes = check_integer(passes, "passes", 1)
    _parts(data, folds)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    seen: dict[str, Any] = {}
    for seed in seeds:
        path = folder / f"seed-{check_integer(seed, 'seed')}.json"
        about = {
            "channels": data.channels,
            "config": TrainConfig(**{**config.as_dict(), "seed": seed, "root": None}).as_dict(),
            "passes": passes,
            "threshold_steps": threshold_steps,
            "folds": folds,
            "min_persistence": min_persistence,
        }
        if path.exists():
            known = json.loads(path.read_text())
            if known["about"] != about:
                raise ValueError(f"{path} is of another study: name another folder, or remove it")
        else:
            found, diagrams = _measure(data, TrainConfig(**{**config.as_dict(), "seed": seed}),
                                       folder, passes, threshold_steps, folds, min_persistence,
                                       progress)  # fmt: skip
            new = [{"seed": seed, **row} for row in found]
            known = {"about": about, "rows": new, "reliability": diagrams}
            known |= {"versions": versions(), "git_commit": git_commit()}
            _write(path, known)
        rows += known["rows"]
        seen[str(seed)] = known
    _write(folder / "study.json", {"bins": BINS, "seeds": seen})
    return pd.DataFrame(rows)


def even_data(data: Dataset) -> Dataset:
    """Return a data set of colour photographs of the retina in even light, with one channel."""
    light = EvenLight()

    def change(samples: Sequence[Sample]) -> tuple[Sample, ...]:
        return tuple(
            replace(sample, image=light(torch.from_numpy(sample.image)[None])[0].numpy())
            for sample in samples
        )

    return replace(
        data,
        train=change(data.train),
        validation=change(data.validation),
        test=change(data.test),
    )


def new_network(data: Dataset, config: TrainConfig, kind: type[Network]) -> Network:
    """Return the network of a configuration before its training."""
    network = kind(
        data.channels, width=config.width, depth=config.depth, ndim=data.ndim, seed=config.seed
    )
    if data.ndim == 2:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network  # on a processor this layout takes a third of the time away


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    write_atomically(path, f"{json.dumps(content, indent=1)}\n".encode())


class Unseen(NamedTuple):
    """A network, and images that it has not seen.

    Attributes
    ----------
    network : torch.nn.Module
        Its weights are frozen.
    samples : tuple of Sample
        The images, with their masks.
    """

    network: nn.Module
    samples: tuple[Sample, ...]


def _parts(data: Dataset, folds: int) -> list[tuple[Sample, ...]]:
    """Divide the training images into parts of neighbours, as even as can be."""
    count = len(data.train)
    if check_integer(folds, "folds", 2) > count:
        raise ValueError(
            f"folds must be at most {count}, the number of training images; got {folds}"
        )
    bounds = [count * k // folds for k in range(folds + 1)]
    return [data.train[start:stop] for start, stop in pairwise(bounds)]


def cross_train(
    data: Dataset,
    config: TrainConfig,
    folder: str | Path,
    *,
    folds: int = 2,
    progress: bool = True,
) -> list[Unseen]:
    """Train a U-Net for each part of the training images, on all the others.

    Parameters
    ----------
    data : Dataset
        With training images.
    config : TrainConfig
        How the networks are trained. Their steps are fewer, as their images are: each image is as
        often looked at as by a network that is trained on all.
    folder : path
        For the checkpoints, ``unet-SEED-without-PART.safetensors``; a training that was stopped
        goes on.
    folds : int
        How many parts, from 2 to the number of images. Images that follow each other stay together,
        for they may be the two eyes of a person or slices of one block.
    progress : bool
        Show bars.

    Returns
    -------
    list of Unseen
        In the order of the parts, which together are the training images.

    Raises
    ------
    TypeError, ValueError
        For a number of parts that is no integer in this range.
    """
    parts = _parts(data, folds)
    found = []
    for k, part in enumerate(parts):
        others = tuple(sample for j, rest in enumerate(parts) if j != k for sample in rest)
        steps = max(1, config.steps * len(others) // len(data.train))
        shorter = replace(config, steps=steps)
        network = new_network(data, config, UNet)
        path = Path(folder) / f"unet-{config.seed}-without-{k}.safetensors"
        train(shorter, data=replace(data, train=others), model=network, out=path,
              resume=True, progress=progress)  # fmt: skip
        found.append(Unseen(network.requires_grad_(False), part))
    return found


class Fitted(NamedTuple):
    """Both models of structures around one network, which is trained and no longer changes.

    Attributes
    ----------
    branch, threshold : StructureModel
        In the modes of these names, trained but not yet calibrated.
    """

    branch: StructureModel
    threshold: StructureModel


def fit_structures(
    network: nn.Module,
    unseen: Sequence[Unseen],
    config: TrainConfig,
    *,
    threshold_steps: int = 200,
    min_persistence: float = 0.02,
) -> Fitted:
    """Train the branch head and the threshold around a network.

    Parameters
    ----------
    network : torch.nn.Module
        Trained; its weights are frozen here.
    unseen : sequence of Unseen
        From `cross_train`: networks of its kind, with images to learn from. All images must be of
        as many channels and axes.
    config : TrainConfig
        Its seed, patch and batch decide the crops that the threshold learns from.
    threshold_steps : int
        Of the training of the threshold.
    min_persistence : float
        Branches whose persistence is not above it never enter.

    Returns
    -------
    Fitted

    Raises
    ------
    TypeError, ValueError
        For bad options.

    Notes
    -----
    The head learns from whole images at once, 300 steps; prior and posterior of the threshold from
    crops like those that the networks were trained on. No features of the networks are pooled on
    the branches: those of one network mean nothing to another.
    """
    steps = check_integer(threshold_steps, "threshold_steps", 1)
    if not any(samples for _, samples in unseen):
        raise ValueError("unseen must hold at least one network with an image to learn from")
    network.requires_grad_(False)
    device = next(network.parameters()).device  # where the training left it
    first = next(sample for _, samples in unseen for sample in samples)
    common: dict[str, Any] = {
        "in_channels": len(first.image),
        "ndim": first.mask.ndim,
        "min_persistence": min_persistence,
        "seed": config.seed,
    }
    branch = StructureModel(network, mode="branch", **common).to(device)
    found: list[StructureDistribution] = []
    fractions: list[np.ndarray] = []
    for other, samples in unseen:
        there, on = known_branches(StructureModel(other, mode="branch", **common), samples)
        found += there
        fractions += on
    branch.learn(found, fractions, seed=config.seed)
    threshold = StructureModel(network, anneal_steps=steps, **common).to(device)
    _learn_threshold(threshold, unseen, steps, config)
    return Fitted(branch, threshold)


def _measure(
    data: Dataset,
    config: TrainConfig,
    folder: Path,
    passes: int,
    threshold_steps: int,
    folds: int,
    min_persistence: float,
    progress: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train the networks of one seed and compare the methods on its branches."""
    seed = config.seed
    unet, dropout = new_network(data, config, UNet), new_network(data, config, DropoutUNet)
    networks: dict[str, UNet] = {"unet": unet, "dropout": dropout}
    for name, network in networks.items():
        train(config, data=data, model=network, out=folder / f"{name}-{seed}.safetensors",
              resume=True, progress=progress)  # fmt: skip
    unseen = cross_train(data, config, folder, folds=folds, progress=progress)
    branch, threshold = fit_structures(
        unet, unseen, config, threshold_steps=threshold_steps, min_persistence=min_persistence
    )
    chances: dict[str, dict[str, list[np.ndarray]]] = {}
    truths: dict[str, np.ndarray] = {}
    lengths: dict[str, np.ndarray] = {}
    for split, samples in (("validation", data.validation), ("test", data.test)):
        chances[split] = {method: [] for method in METHODS}
        found, fractions = known_branches(branch, samples)
        truths[split] = np.concatenate(fractions) >= 0.5
        lengths[split] = np.concatenate([one.branches.length for one in found])
        for one, sample in zip(found, samples, strict=True):
            image = _batch(sample, unet)
            says = chances[split]
            says["pixels"].append(_mean_on(one, one.branches.likelihood))
            says["dropout"].append(_mean_on(one, _mean_likelihood(dropout, image, passes)))
            says["threshold"].append(threshold.uncertainty(image)[0].probability)
            says["branch"].append(one.uncertainty().probability)
    rows, diagrams = [], {}
    for method in METHODS:
        before, chance = (np.concatenate(chances[s][method]) for s in ("validation", "test"))
        temperature = fit_temperature(before, truths["validation"])
        for scaled, used in ((False, chance), (True, scale_probabilities(chance, temperature))):
            by_count, by_length = (
                reliability_diagram(used, truths["test"], bins=BINS, weights=weights)
                for weights in (None, lengths["test"])
            )
            rows.append(
                {
                    "method": method,
                    "scaled": scaled,
                    "error": by_count.error,
                    "error_by_length": by_length.error,
                    "accuracy": float(np.mean((used >= 0.5) == truths["test"])),
                    "branches": len(used),
                }
            )
            diagrams[f"{method}, scaled" if scaled else method] = {
                name: [plain(round(value, 4)) for value in getattr(by_count, name).tolist()]
                for name in ("count", "probability", "frequency")
            }
    return rows, diagrams


def read_calibration(
    path: str | Path | None = None,
) -> tuple[pd.DataFrame, dict[str, Reliability]]:
    """Read the ``study.json`` of a study of calibration.

    Parameters
    ----------
    path : path, optional
        The file. Default: the workbook's, ``reference_runs/chase_db1-calibration.json``.

    Returns
    -------
    table : DataFrame
        As `calibration_study` returns it.
    diagrams : dict of str to Reliability
        Of each method, all seeds together, each with the same weight: `count` sums to their number.
        "branch, scaled" is that after temperature scaling.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> table, diagrams = read_calibration()
    >>> sorted(set(table["method"]))
    ['branch', 'dropout', 'pixels', 'threshold']
    """
    default = Path(__file__).parents[2] / "notebooks" / "reference_runs"
    place = default / "chase_db1-calibration.json" if path is None else Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"there is no study of calibration at {place}")
    content = json.loads(place.read_text())
    seeds = list(content["seeds"].values())
    table = pd.DataFrame([row for seed in seeds for row in seed["rows"]])
    edges = np.linspace(0, 1, content["bins"] + 1)
    diagrams = {}
    for name in seeds[0]["reliability"]:
        count, probability, frequency = (
            np.array([seed["reliability"][name][key] for seed in seeds], dtype=float)
            for key in ("count", "probability", "frequency")
        )
        count /= count.sum(1, keepdims=True)
        total = count.sum(0)
        means = (
            np.nansum(count * values, axis=0) / np.where(total > 0, total, np.nan)
            for values in (probability, frequency)
        )
        diagrams[name] = Reliability(edges, total, *means)
    return table, diagrams


def _batch(sample: Sample, network: nn.Module) -> Tensor:
    """Return an image as a batch of one, where the network is."""
    image = torch.from_numpy(np.ascontiguousarray(sample.image))[None]
    return image.to(next(network.parameters()).device)


def known_branches(
    model: StructureModel, samples: Sequence[Sample]
) -> tuple[list[StructureDistribution], list[np.ndarray]]:
    """Return the distribution of each image, and what of each branch lies on the truth."""
    found = [model.distribution(_batch(sample, model))[0] for sample in samples]
    pairs = zip(found, samples, strict=True)
    return found, [one.branches.fraction_on(sample.mask) for one, sample in pairs]


def _learn_threshold(
    model: StructureModel, unseen: Sequence[Unseen], steps: int, config: TrainConfig
) -> None:
    """Train prior and posterior on crops of images that the networks have not seen, in turn."""
    network = model.network
    weights = list(model.decide.parameters())
    device = weights[0].device
    optimizer = torch.optim.Adam(weights, 0.01)
    for step in range(steps):
        model.network, samples = unseen[step % len(unseen)]
        images, masks = draw_batch(
            samples, step=step, seed=config.seed, patch=config.patch, batch=config.batch
        )
        image, truth = (torch.from_numpy(array).to(device) for array in (images, masks))
        loss = model.loss(image, truth, seed=step)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    model.network = network


def _mean_likelihood(network: DropoutUNet, image: Tensor, passes: int) -> np.ndarray:
    """Return the mean likelihood of many passes with dropout."""
    network.eval()
    network.passes.fill_(10**6)  # the same noise for each image, and none of the training's
    with torch.no_grad(), network.dropping():
        seen = [network(image)[0, 0].sigmoid().cpu().numpy() for _ in range(passes)]
    return np.mean(seen, axis=0)


def _mean_on(found: StructureDistribution, likelihood: np.ndarray) -> np.ndarray:
    """Return the mean of a likelihood over the pixels that each branch owns."""
    branches = found.branches
    owner = np.repeat(np.arange(len(branches)), branches.sizes)
    values = likelihood.ravel()[branches.own_pixels].astype(np.float64)
    return np.clip(np.bincount(owner, values, len(branches)) / branches.sizes, 0, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or say on stderr what went wrong and return 1."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.training.calibration",
        description="Compare the calibration of branch probabilities; goes on where it stopped.",
    )
    parser.add_argument("--dataset", default="chase_db1")
    parser.add_argument("--root", help="the folder of downloaded data sets")
    parser.add_argument("--out", default="runs/calibration")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=3000, help="of the training of each network")
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--width", type=int, default=16, help="of the networks")
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--light", type=float, default=0.1, help="how much crops are lit at random")
    parser.add_argument("--even-light", action="store_true", help="of photographs of the retina")
    parser.add_argument("--passes", type=int, default=20, help="of the network with dropout")
    parser.add_argument("--threshold-steps", type=int, default=200)
    parser.add_argument("--folds", type=int, default=2, help="parts of the training images")
    chosen = parser.parse_args(arguments)
    try:
        config = TrainConfig(
            dataset=chosen.dataset, root=chosen.root, weight=0.0, steps=chosen.steps,
            patch=chosen.patch, anneal=True, learning_rate=chosen.learning_rate, light=chosen.light,
            width=chosen.width,
        )  # fmt: skip
        data = load_dataset(config.dataset, root=config.root)
        if chosen.even_light:
            data = even_data(data)
        table = calibration_study(
            data, config, chosen.out, seeds=chosen.seeds, passes=chosen.passes,
            threshold_steps=chosen.threshold_steps, folds=chosen.folds,
        )  # fmt: skip
    except (TypeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped. The same command goes on from there.", file=sys.stderr)
        return 130
    print(f"Expected calibration error of branches, {BINS} bins, {chosen.dataset}:")
    for (method, scaled), group in table.groupby(["method", "scaled"], sort=False):
        errors = [100 * error for error in group["error"]]
        spread = f" +- {stdev(errors):.2f}" if len(errors) > 1 else ""
        name = f"{method}{', scaled' if scaled else ''}"
        print(f"{name:20} {mean(errors):6.2f}{spread} %   accuracy {group['accuracy'].mean():.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
