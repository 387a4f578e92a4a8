"""Networks and models of structures, trained for the studies that ask about branches.

What learns from the branches of a network learns from images that the network has not seen
(`cross_train`): on images that it knows, a network is surer of itself, and more often right, than
it will ever be again, so what learns from its branches there is too bold elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...checks import check_integer
from ...data import Dataset, Sample
from ...models import UNet
from ...structures import EvenLight, StructureDistribution, StructureModel
from ...training import TrainConfig, draw_batch, train

__all__ = [
    "Unseen",
    "as_batch",
    "check_all_labelled",
    "cross_train",
    "even_data",
    "fit_structures",
    "known_branches",
    "new_network",
    "split_parts",
]

Network = TypeVar("Network", bound=UNet)


def even_data(data: Dataset) -> Dataset:
    """Return a data set of colour photographs of the retina in even light, with one channel."""
    light = EvenLight()

    def change(sample: Sample) -> Sample:
        return replace(sample, image=light(torch.from_numpy(sample.image)[None])[0].numpy())

    splits: dict[str, Any] = {
        name: tuple(map(change, getattr(data, name))) for name in ("train", "validation", "test")
    }
    return replace(data, **splits)


def new_network(data: Dataset, config: TrainConfig, kind: type[Network]) -> Network:
    """Return the network of a configuration before its training."""
    network = kind(
        data.channels, width=config.width, depth=config.depth, ndim=data.ndim, seed=config.seed
    )
    if data.ndim == 2:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network  # on a processor this layout takes a third of the time away


class Unseen(NamedTuple):
    """A network with frozen weights, and images that it has not seen."""

    network: nn.Module
    samples: tuple[Sample, ...]


def check_all_labelled(data: Dataset) -> None:
    """Refuse a data set with ignored pixels: nobody can say of a branch on them whether it is real.

    Training and scores of pixels take them; see `toposeg_lite.data.Sample`.
    """
    for sample in (*data.train, *data.validation, *data.test):
        if sample.ignored is not None and sample.ignored.any():
            raise ValueError(
                f"{sample.name!r} has {np.count_nonzero(sample.ignored)} pixels without a label; a "
                f"study of branches needs one at every pixel. Cut these images, or leave them out"
            )


def split_parts(data: Dataset, folds: int) -> list[tuple[Sample, ...]]:
    """Divide the training images into parts of neighbours, as even as can be."""
    check_all_labelled(data)
    count = len(data.train)
    if check_integer(folds, "folds", 2) > count:
        raise ValueError(
            f"folds must be at most {count}, the number of training images; got {folds}"
        )
    bounds = [count * k // folds for k in range(folds + 1)]
    return [data.train[start:stop] for start, stop in pairwise(bounds)]


def cross_train(
    data: Dataset, config: TrainConfig, folder: str | Path, *, folds: int = 2, progress: bool = True
) -> list[Unseen]:
    """Train a U-Net for each of `folds` parts of the training images, on all the others.

    Images that follow each other stay in one part, for they may be the two eyes of a person or
    slices of one block. The networks make fewer steps, as their images are fewer: each image is as
    often looked at as by a network that is trained on all. The checkpoints are
    ``unet-SEED-without-PART.safetensors``.
    """
    parts = split_parts(data, folds)
    unseen = []
    for k, part in enumerate(parts):
        others = tuple(sample for j, rest in enumerate(parts) if j != k for sample in rest)
        steps = max(1, config.steps * len(others) // len(data.train))
        shorter = replace(config, steps=steps)
        network = new_network(data, config, UNet)
        path = Path(folder) / f"unet-{config.seed}-without-{k}.safetensors"
        train(shorter, data=replace(data, train=others), model=network, out=path,
              resume=True, progress=progress)  # fmt: skip
        unseen.append(Unseen(network.requires_grad_(False), part))
    return unseen


def fit_structures(
    network: nn.Module,
    unseen: Sequence[Unseen],
    config: TrainConfig,
    *,
    threshold_steps: int = 200,
    min_persistence: float = 0.02,
) -> tuple[StructureModel, StructureModel]:
    """Train models of both modes around a trained network, which is frozen: branch and threshold.

    The head learns from whole images at once, 300 steps; prior and posterior of the threshold in
    `threshold_steps` from crops like those that the networks were trained on (seed, patch and batch
    of `config`). All networks of `unseen` are of the kind of this one. None of their features are
    pooled on the branches: those of one network mean nothing to another.
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
    distributions: list[StructureDistribution] = []
    fractions: list[np.ndarray] = []
    for other, samples in unseen:
        known = known_branches(StructureModel(other, mode="branch", **common), samples)
        distributions += known[0]
        fractions += known[1]
    branch.learn(distributions, fractions, seed=config.seed)
    threshold = StructureModel(network, anneal_steps=steps, **common).to(device)
    _learn_threshold(threshold, unseen, steps, config)
    return branch, threshold


def known_branches(
    model: StructureModel, samples: Sequence[Sample]
) -> tuple[list[StructureDistribution], list[np.ndarray]]:
    """Return the distribution of each image, and what of each branch lies on the truth."""
    distributions = [model.distribution(as_batch(sample, model))[0] for sample in samples]
    pairs = zip(distributions, samples, strict=True)
    return distributions, [each.branches.fraction_on(sample.mask) for each, sample in pairs]


def as_batch(sample: Sample, network: nn.Module) -> Tensor:
    """Return an image as a batch of one, where the network is."""
    image = torch.from_numpy(np.ascontiguousarray(sample.image))[None]
    return image.to(next(network.parameters()).device)


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
