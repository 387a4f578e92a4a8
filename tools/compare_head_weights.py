"""Train branch heads with each branch weighted by its length and by count, and compare them.

    python tools/compare_head_weights.py FOLDER... [--results FILE.csv]

FOLDER is that of a finished study of the command ``calibration``. Its U-Nets are read, not trained
again: a checkpoint that the folder lacks is an error. For each of its seeds two heads learn from
the same branches, those of the study, found by networks that have not seen the image; they begin
with the same weights and draw the same noise, and differ in `weigh_by` alone. So the rows by length
are the study's of the method "branch", and the table printed says how far they are from them.

Each row is scored on the branches of the test images, as the head says it and ("scaled") after a
temperature that was fitted, each branch counting once, on the validation images:

============================ ===================================================================
column                       of the probability that a branch is real
============================ ===================================================================
error, error_by_length       expected calibration error, 15 bins, a branch counting once or by its
                             length
nll, nll_by_length           negative log-likelihood in nats, counted in the same two ways
accuracy, accuracy_by_length what part is judged rightly
============================ ===================================================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toposeg_lite.data import load_dataset
from toposeg_lite.files import write_atomically
from toposeg_lite.models import UNet
from toposeg_lite.structures import (
    StructureModel,
    expected_calibration_error,
    fit_temperature,
    scale_probabilities,
)
from toposeg_lite.structures.common import WEIGH_BY
from toposeg_lite.training import TrainConfig, train
from toposeg_lite.training.records import read_json
from toposeg_lite.workbook.studies.calibration import BINS
from toposeg_lite.workbook.studies.fitting import (
    cross_train,
    even_data,
    known_branches,
    new_network,
)

RESULTS = Path(__file__).parents[1] / "notebooks" / "reference_runs" / "head-weights.csv"
SHARED = ("error", "error_by_length", "accuracy", "branches")  # what the study has, too


def scores(chance: np.ndarray, true: np.ndarray, length: np.ndarray) -> dict[str, float]:
    """Return the scores of the probabilities of branches.

    Examples
    --------
    A branch of length 3 that is real and one of length 1 that is not, both at 80 %:

    >>> found = scores(np.array([0.8, 0.8]), np.array([True, False]), np.array([3.0, 1.0]))
    >>> {name: round(value, 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'error': 0.3, 'error_by_length': 0.05, 'nll': 0.916, 'nll_by_length': 0.57, 'accuracy': 0.5,
     'accuracy_by_length': 0.75, 'branches': 2}
    """
    cost = -np.log(np.where(true, chance, 1 - chance))
    right = (chance >= 0.5) == true
    found = {}
    for name, weights in (("", None), ("_by_length", length)):
        found[f"error{name}"] = expected_calibration_error(chance, true, bins=BINS, weights=weights)
        found[f"nll{name}"] = float(np.average(cost, weights=weights))
        found[f"accuracy{name}"] = float(np.average(right, weights=weights))
    names = [
        f"{kind}{name}" for kind in ("error", "nll", "accuracy") for name in ("", "_by_length")
    ]
    return {name: found[name] for name in names} | {"branches": len(chance)}


def ask(head: StructureModel, samples: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Return, of all branches of the images, probability, whether they are real, and length."""
    found, fractions = known_branches(head, samples)
    return (
        np.concatenate([one.uncertainty().probability for one in found]),
        np.concatenate(fractions) >= 0.5,
        np.concatenate([one.branches.length for one in found]),
    )


def compare(folder: Path, seed: int, root: str | None = None) -> list[dict[str, Any]]:
    """Train and score both heads of one seed of a study; return their rows."""
    about = read_json(folder / f"seed-{seed}.json")["about"]
    config = TrainConfig(**about["config"] | {"root": root})
    data = load_dataset(config.dataset, root=root)
    if data.channels != about["channels"]:
        data = even_data(data)  # --even-light leaves one channel of three
    names = [f"unet-{seed}", *(f"unet-{seed}-without-{k}" for k in range(about["folds"]))]
    for name in names:
        if not (folder / f"{name}.safetensors").is_file():
            raise FileNotFoundError(f"{folder} is no finished study: it has no {name}.safetensors")
    network = new_network(data, config, UNet)
    train(config, data=data, model=network, out=folder / f"{names[0]}.safetensors", resume=True,
          progress=False)  # fmt: skip
    network.requires_grad_(False)
    unseen = cross_train(data, config, folder, folds=about["folds"], progress=False)

    def model(around: Any, weigh_by: Any) -> StructureModel:
        return StructureModel(
            around, mode="branch", weigh_by=weigh_by, in_channels=data.channels, ndim=data.ndim,
            min_persistence=about["min_persistence"], seed=seed,
        )  # fmt: skip

    parts = [known_branches(model(other, "length"), samples) for other, samples in unseen]
    found = [one for distributions, _ in parts for one in distributions]
    outcomes = [one for _, fractions in parts for one in fractions]
    rows = []
    for weigh_by in WEIGH_BY:
        head = model(network, weigh_by)
        head.learn(found, outcomes, seed=seed)
        chance, true, _ = ask(head, data.validation)
        temperature = fit_temperature(chance, true)
        chance, true, length = ask(head, data.test)
        for scaled, used in ((False, chance), (True, scale_probabilities(chance, temperature))):
            row = {"dataset": config.dataset, "seed": seed, "weights": weigh_by, "scaled": scaled}
            rows.append(row | {"temperature": temperature} | scores(used, true, length))
    return rows


def distance(rows: Sequence[dict[str, Any]], study: Sequence[dict[str, Any]]) -> float:
    """Return how far the rows by length are from the study's of the method "branch"."""
    ours = [[row[name] for name in SHARED] for row in rows if row["weights"] == "length"]
    theirs = [[row[name] for name in SHARED] for row in study if row["method"] == "branch"]
    return float(np.abs(np.subtract(ours, theirs)).max())


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the heads of all studies, print the rows and write them."""
    parser = argparse.ArgumentParser(description="Compare branch heads weighted in two ways.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--root", help="the folder of downloaded data sets")
    parser.add_argument("--results", default=str(RESULTS))
    chosen = parser.parse_args(arguments)
    rows = []
    for folder in chosen.folders:
        for seed, entry in read_json(folder / "study.json")["seeds"].items():
            found = compare(folder, int(seed), chosen.root)
            print(pd.DataFrame(found).to_string(index=False, float_format="%.4f"))
            print(f"by length: {distance(found, entry['rows']):.1e} from the study", flush=True)
            rows += found
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
    write_atomically(Path(chosen.results), text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
