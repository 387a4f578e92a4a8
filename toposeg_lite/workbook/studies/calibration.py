"""How honest are branch probabilities? Run ``python -m toposeg_lite.workbook.studies calibration``.

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
(see `fitting`). Of each method there is a second row, whose temperature was fitted on the
validation images. The test images are looked at once, at the end. A branch is true if at least half
of it lies on the truth.

The numbers of each seed are a JSON file, so the same command goes on from where it was stopped. In
the end ``study.json`` holds all seeds, with the reliability diagram of each method, the parameters
and the versions. The workbook quotes runs of

::

    python -m toposeg_lite.workbook.studies calibration --even-light
    python -m toposeg_lite.workbook.studies calibration --dataset isbi2012_membranes --steps 2000
    python -m toposeg_lite.workbook.studies calibration --dataset crackforest --steps 2000

each with an ``--out`` of its own, whose ``study.json`` are kept as
``notebooks/reference_runs/<DATASET>-calibration.json``.

References
----------
.. [1] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty
       in deep learning", ICML 2016. arXiv:1506.02142
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...checks import check_integer, check_number
from ...data import Dataset, load_dataset
from ...files import make_folder, reading
from ...models import UNet
from ...structures import (
    BranchSet,
    Reliability,
    fit_temperature,
    reliability_diagram,
    scale_probabilities,
)
from ...training import TrainConfig, train
from ...training.records import git_commit, plain, read_json, versions, write_json
from .fitting import (
    as_batch,
    cross_train,
    even_data,
    fit_structures,
    known_branches,
    new_network,
    split_parts,
)
from .options import option, training_of
from .study import REFERENCE_RUNS, check_splits

__all__ = [
    "CalibrationCommand",
    "CalibrationOptions",
    "DropoutUNet",
    "calibration_study",
    "read_calibration",
]

METHODS = ("pixels", "dropout", "threshold", "branch")
BINS = 15


class DropoutUNet(UNet):
    """A U-Net that drops channels at random after each of its blocks, in training and on request.

    Each channel is dropped with the probability `rate`, from 0 to below 1. What is dropped depends
    on the seed of the weights and the number of passes so far, which is part of the `state_dict`:
    so a training that was stopped goes on as if it had not been.
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


@dataclass(frozen=True)
class CalibrationOptions:
    """Options of `calibration_study`, beside data and training."""

    seeds: Sequence[int] = option((0, 1, 2), "two networks are trained for each")
    passes: int = option(20, "of the network with dropout")
    threshold_steps: int = option(200, "of the training of the threshold")
    folds: int = option(2, "parts of the training images")
    min_persistence: float = option(0.02, "of the branches that count")


def calibration_study(
    data: Dataset,
    config: TrainConfig,
    out: str | Path,
    options: CalibrationOptions,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Compare the calibration of branch probabilities of four methods, over several seeds.

    The seed of `config` is replaced by those of the options. A folder that holds another study is
    refused with a ValueError. Returned is a row for each seed, method and whether its temperature
    was fitted ("scaled"), with the columns "error" (expected calibration error of the branches, 15
    bins, each branch counting once), "error_by_length" (counting by length), "accuracy" and
    "branches".
    """
    check_splits(data)
    check_integer(options.passes, "passes", 1)
    split_parts(data, options.folds)
    folder = make_folder(out)
    decisive = ("passes", "threshold_steps", "folds", "min_persistence")
    seeds: dict[str, Any] = {}
    for seed in options.seeds:
        path = folder / f"seed-{check_integer(seed, 'seed')}.json"
        seeded = replace(config, seed=seed)
        facts = {"channels": data.channels, "config": replace(seeded, root=None).as_dict()}
        facts |= {name: getattr(options, name) for name in decisive}
        if path.exists():
            entry = read_json(path)
            with reading(path, "seed of a study"):
                about, _ = entry["about"], [dict(row) for row in entry["rows"]]
            if about != facts:
                raise ValueError(f"{path} is of another study: name another folder, or remove it")
        else:
            rows, diagrams = _measure(data, seeded, folder, options, progress)
            entry = {"about": facts, "rows": rows, "reliability": diagrams}
            entry |= {"versions": versions(), "git_commit": git_commit()}
            write_json(path, entry)
        seeds[str(seed)] = entry
    write_json(folder / "study.json", {"bins": BINS, "seeds": seeds})
    return pd.DataFrame([row for entry in seeds.values() for row in entry["rows"]])


def _measure(
    data: Dataset, config: TrainConfig, folder: Path, options: CalibrationOptions, progress: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train the networks of one seed and compare the methods on its branches."""
    unet, dropout = new_network(data, config, UNet), new_network(data, config, DropoutUNet)
    networks: dict[str, UNet] = {"unet": unet, "dropout": dropout}
    for name, network in networks.items():
        train(config, data=data, model=network, out=folder / f"{name}-{config.seed}.safetensors",
              resume=True, progress=progress)  # fmt: skip
    unseen = cross_train(data, config, folder, folds=options.folds, progress=progress)
    head, threshold = fit_structures(
        unet, unseen, config, threshold_steps=options.threshold_steps,
        min_persistence=options.min_persistence,
    )  # fmt: skip
    tables = {}
    for split in ("validation", "test"):
        samples = getattr(data, split)
        known = known_branches(head, samples)
        parts = []
        for distribution, fraction, sample in zip(*known, samples, strict=True):
            image, branches = as_batch(sample, unet), distribution.branches
            likelihood = _mean_likelihood(dropout, image, options.passes)
            columns = {
                "true": fraction >= 0.5,
                "length": branches.length,
                "pixels": _mean_on(branches, branches.likelihood),
                "dropout": _mean_on(branches, likelihood),
                "threshold": threshold.uncertainty(image)[0].probability,
                "branch": distribution.uncertainty().probability,
            }
            parts.append(pd.DataFrame(columns))
        tables[split] = pd.concat(parts)
    rows, diagrams = [], {}
    validation, test = tables["validation"], tables["test"]
    true, length = (test[name].to_numpy() for name in ("true", "length"))
    for method in METHODS:
        chance = test[method].to_numpy()
        temperature = fit_temperature(validation[method].to_numpy(), validation["true"].to_numpy())
        for scaled, used in ((False, chance), (True, scale_probabilities(chance, temperature))):
            by_count, by_length = (
                reliability_diagram(used, true, bins=BINS, weights=weights)
                for weights in (None, length)
            )
            row = {
                "seed": config.seed,
                "method": method,
                "scaled": scaled,
                "error": by_count.error,
                "error_by_length": by_length.error,
                "accuracy": float(np.mean((used >= 0.5) == true)),
                "branches": len(used),
            }
            rows.append(row)
            diagrams[f"{method}, scaled" if scaled else method] = {
                name: [plain(round(value, 4)) for value in getattr(by_count, name).tolist()]
                for name in ("count", "probability", "frequency")
            }
    return rows, diagrams


def read_calibration(path: str | Path | None = None) -> tuple[pd.DataFrame, dict[str, Reliability]]:
    """Read a ``study.json``; by default that which the workbook quotes.

    A file that is missing raises a FileNotFoundError, one that is damaged or another a ValueError.
    Returned are the table of `calibration_study`, and the diagram of each method ("branch, scaled":
    after temperature scaling), all seeds together, each with the same weight: `count` sums to their
    number.
    """
    place = REFERENCE_RUNS / "chase_db1-calibration.json" if path is None else Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"there is no study of calibration at {place}")
    content = read_json(place)
    with reading(place, "study of calibration"):
        return _tables(list(content["seeds"].values()), check_integer(content["bins"], "bins", 1))


def _tables(seeds: list[dict[str, Any]], bins: int) -> tuple[pd.DataFrame, dict[str, Reliability]]:
    """Return the table of all seeds, and the diagram of each method over them."""
    table = pd.DataFrame([row for seed in seeds for row in seed["rows"]])
    diagrams = {}
    for name in seeds[0]["reliability"]:
        count, probability, frequency = (
            np.array([seed["reliability"][name][key] for seed in seeds], dtype=float)
            for key in ("count", "probability", "frequency")
        )
        if not count.shape == probability.shape == frequency.shape == (len(seeds), bins):
            raise ValueError(f"the diagram {name!r} has not {bins} bins")
        edges = np.linspace(0, 1, bins + 1)
        count /= count.sum(1, keepdims=True)
        total = count.sum(0)
        means = (
            np.nansum(count * values, axis=0) / np.where(total > 0, total, np.nan)
            for values in (probability, frequency)
        )
        diagrams[name] = Reliability(edges, total, *means)
    return table, diagrams


def _mean_likelihood(network: DropoutUNet, image: Tensor, passes: int) -> np.ndarray:
    """Return the mean likelihood of many passes with dropout."""
    network.eval()
    network.passes.fill_(10**6)  # the same noise for each image, and none of the training's
    with torch.no_grad(), network.dropping():
        seen = [network(image)[0, 0].sigmoid().cpu().numpy() for _ in range(passes)]
    return np.mean(seen, axis=0)


def _mean_on(branches: BranchSet, likelihood: np.ndarray) -> np.ndarray:
    """Return the mean of a likelihood over the pixels that each branch owns."""
    owner = np.repeat(np.arange(len(branches)), branches.sizes)
    values = likelihood.ravel()[branches.own_pixels].astype(np.float64)
    return np.clip(np.bincount(owner, values, len(branches)) / branches.sizes, 0, 1)


@dataclass(frozen=True)
class CalibrationCommand(CalibrationOptions):
    """Compare the calibration of branch probabilities; goes on where it stopped."""

    dataset: str = option("chase_db1")
    root: str | None = option(None, "the folder of downloaded data sets")
    out: str = option("runs/calibration")
    steps: int = option(3000, "of the training of each network")
    patch: int = option(128)
    width: int = option(16, "of the networks")
    learning_rate: float = option(0.002)
    light: float = option(0.1, "how much crops are lit at random")
    even_light: bool = option(False, "of photographs of the retina")

    def run(self) -> None:
        """Make the study and print its table."""
        config = training_of(self, self.dataset)
        data = load_dataset(config.dataset, root=config.root)
        if self.even_light:
            data = even_data(data)
        table = calibration_study(data, config, self.out, self)
        print(f"Expected calibration error of branches, {BINS} bins, {self.dataset}:")
        for (method, scaled), group in table.groupby(["method", "scaled"], sort=False):
            errors, accuracy = 100 * group["error"], group["accuracy"].mean()
            spread = f" +- {errors.std():.2f}" if len(errors) > 1 else ""
            name = f"{method}{', scaled' if scaled else ''}"
            print(f"{name:20} {errors.mean():6.2f}{spread} %   accuracy {accuracy:.3f}")
