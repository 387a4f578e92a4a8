"""Make the trained model of the library: ``python -m toposeg_lite.workbook.studies pretrained``.

It trains a U-Net on CHASE_DB1 in even light (`EvenLight`), lets the branch head and the threshold
learn on the training images, by way of networks that have not seen them (`cross_train`), calibrates
both on the validation images, and writes one safetensors file for
`toposeg_lite.structures.load_pretrained`, with a JSON file beside it: parameters, versions, scores.
The U-Nets are checkpoints in ``--folder``, so the same command goes on from where it was stopped.
The options' defaults are those with which the file of the library was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ... import metrics
from ...data import Dataset, Sample, load_dataset, photos
from ...files import make_folder, reading, write_atomically
from ...models import UNet
from ...structures import EvenLight, StructureDistribution, StructureModel
from ...structures.pretrained import NAME, pack
from ...training import TrainConfig, load_checkpoint, train
from ...training.records import git_commit, read_json, versions, write_json
from .calibration import BINS
from .fitting import Unseen, cross_train, even_data, fit_structures, known_branches, new_network
from .options import option, training_of
from .results import MEND, check_same, config_facts

__all__ = ["PretrainedCommand", "make_pretrained"]

MIN_PERSISTENCE = 0.02  # of the branches that count
ASSETS = Path(__file__).parents[2] / "data" / "assets"


def make_pretrained(
    unet: str | Path,
    unseen: Sequence[Unseen],
    data: Dataset,
    out: str | Path,
    *,
    others: Sequence[Sample] = (),
    threshold_steps: int = 200,
    min_persistence: float = MIN_PERSISTENCE,
) -> dict[str, Any]:
    """Train, calibrate, score and write both models of structures around a trained U-Net.

    `unet` is the checkpoint of a `UNet` that was trained on `data`, colour photographs of the
    retina, in even light; `unseen` is from `cross_train`, on the same. `out` is the path without an
    ending: the files get ``.safetensors`` and ``.json``, and what is in the latter is returned.
    Images of elsewhere, `others`, are scored, too.
    """
    out = Path(out)
    make_folder(out.parent)
    checkpoint = load_checkpoint(unet)
    config = checkpoint.config
    plain = UNet(1, width=config.width, depth=config.depth, seed=config.seed).eval()
    checkpoint.model(plain, last=True)
    plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = nn.Sequential(EvenLight(), plain)
    branch, threshold = fit_structures(
        network,
        _before_light(unseen, data),
        config,
        threshold_steps=threshold_steps,
        min_persistence=min_persistence,
    )
    models = {"branch": branch, "threshold": threshold}
    for model in models.values():
        model.calibrate(*known_branches(model, data.validation))
    content = pack(branch, threshold)
    scores = {
        name: _scores(models, samples)
        for name, samples in (
            ("validation", data.validation),
            ("test", data.test),
            *((sample.name, (sample,)) for sample in others),
        )
    }
    facts: dict[str, Any] = {
        "parameters": _parameters(config, threshold_steps, len(unseen), min_persistence),
        "data": {"name": data.name, "terms": data.terms},
        "calibration": {mode: round(float(model.calibration), 4) for mode, model in models.items()},
        "scores": scores,
        "sha256": hashlib.sha256(content).hexdigest(),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    write_atomically(out.with_name(f"{out.name}.safetensors"), content)
    write_json(out.with_name(f"{out.name}.json"), facts)
    return facts


def _parameters(
    config: TrainConfig, threshold_steps: int, folds: int, min_persistence: float
) -> dict[str, Any]:
    """Return all that decides the models."""
    return {
        "config": replace(config, root=None).as_dict(),
        "threshold_steps": threshold_steps,
        "folds": folds,
        "min_persistence": min_persistence,
        "bins": BINS,
    }


def _check_kept(out: Path, parameters: dict[str, Any]) -> None:
    """Raise a ValueError if there are models of other parameters, or some of unknown ones."""
    model, facts = (out.with_name(f"{out.name}{end}") for end in (".safetensors", ".json"))
    if facts.exists():
        content = read_json(facts)
        with reading(facts, "record of a model"):
            kept = dict(content["parameters"])
            kept = config_facts(kept.pop("config")) | kept
        wanted = dict(parameters)
        check_same(facts, kept, config_facts(wanted.pop("config")) | wanted)
    elif model.exists():
        raise ValueError(f"{model} is there, and no {facts} says how it was made; {MEND}")


def _before_light(unseen: Sequence[Unseen], data: Dataset) -> list[Unseen]:
    """Return the networks behind `EvenLight`, and the images as they were before it."""
    whole = {sample.name: sample for sample in data.train}
    return [
        Unseen(nn.Sequential(EvenLight(), network), tuple(whole[sample.name] for sample in samples))
        for network, samples in unseen
    ]


def _scores(models: dict[str, StructureModel], samples: Sequence[Sample]) -> dict[str, Any]:
    """Score the likelihood, and the masks and the probabilities of both modes, on whole images."""
    known = {mode: known_branches(model, samples) for mode, model in models.items()}
    likelihoods = [each.branches.likelihood for each in known["branch"][0]]
    scores = {"likelihood": _masks([image >= 0.5 for image in likelihoods], samples)}
    for mode, (distributions, fractions) in known.items():
        masks = _masks([each.mask() for each in distributions], samples)
        scores[mode] = masks | _honesty(distributions, fractions)
    return scores


def _masks(masks: Sequence[np.ndarray], samples: Sequence[Sample]) -> dict[str, float]:
    """Return the mean scores of masks; the Betti error is that of the whole image."""
    pairs = [(mask, sample.mask) for mask, sample in zip(masks, samples, strict=True)]
    scores = (metrics.dice, metrics.cldice, metrics.betti_error)
    return {
        score.__name__: float(np.mean([score(*pair) for pair in pairs]).round(4))
        for score in scores
    }


def _honesty(
    distributions: Sequence[StructureDistribution], fractions: Sequence[np.ndarray]
) -> dict[str, float]:
    """Return the expected calibration error of branches, which are true where half of them is."""
    chances = np.concatenate([each.uncertainty().probability for each in distributions])
    truths = np.concatenate(fractions) >= 0.5
    error = metrics.expected_calibration_error(chances, truths, bins=BINS)
    return {
        "branches": len(chances),
        "calibration_error": round(error, 4),
        "accuracy": round(float(np.mean((chances >= 0.5) == truths)), 4),
    }


@dataclass(frozen=True)
class PretrainedCommand:
    """Make the trained model of structures that comes with the library."""

    dataset: str = option("chase_db1")
    root: str | None = option(None, "the folder of downloaded data sets")
    folder: str = option("runs/pretrained", "for the checkpoints")
    out: str = option(str(ASSETS / NAME), "where to write, without ending")
    steps: int = option(3000, "of the training of the network")
    patch: int = option(128)
    learning_rate: float = option(0.002)
    light: float = option(0.1, "how much crops are lit at random")
    threshold_steps: int = option(200)
    folds: int = option(2, "parts of the training images")
    seed: int = option(0)

    def run(self) -> None:
        """Make the file and print its scores."""
        config = training_of(self, self.dataset)
        data = load_dataset(config.dataset, root=config.root)
        _check_kept(
            Path(self.out),
            _parameters(config, self.threshold_steps, self.folds, MIN_PERSISTENCE),
        )
        folder = make_folder(self.folder)
        make_folder(Path(self.out).parent)
        path = folder / f"unet-{config.seed}.safetensors"
        light = even_data(data)
        train(config, data=light, model=new_network(light, config, UNet), out=path, resume=True)
        unseen = cross_train(light, config, folder, folds=self.folds)
        photo = photos.retina()
        others = [Sample("retina", photo.image, photo.mask)]
        facts = make_pretrained(
            path, unseen, data, self.out, others=others, threshold_steps=self.threshold_steps
        )
        print(json.dumps(facts["scores"], indent=1))
