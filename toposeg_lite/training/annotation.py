"""Which questions first? Run ``python -m toposeg_lite.training.annotation``.

For each data set a U-Net is trained on the training images, and a branch head around it
(`toposeg_lite.structures.StructureModel`), which is calibrated on the validation images. Then a
perfect annotator (`toposeg_lite.annotation.simulate_annotator`) decides about all branches of each
test image, in several orders. An order is as good as the area under its curve of errors over
clicks is small (for clDice, large):

===================== ==========================================================================
order                 the branch that comes first
===================== ==========================================================================
uncertainty           which the branch head is least sure of: highest entropy
doubt                 which the mask is most probably wrong about
gain                  whose pixels, in sum, the mask is most wrong about
doubt, learning       as doubt, and the ranking learns from each decision
persistence           the most persistent one
pixel-entropy         with the highest mean entropy of the likelihood on its path
random                any; the mean of several draws
===================== ==========================================================================

Uncertainty, doubt and gain are those of `toposeg_lite.annotation.AnnotationSession`. What was
looked at before: doubt was defined after curves of an exploratory network on validation and test
images of chase_db1. And of isbi2012_membranes one test image, slice-25, was simulated with an
annotator who rejects whatever is not real. This tore many walls of which half was real, in every
order, so this annotator leaves such branches alone.

The annotator accepts a branch if three quarters of its pixels or more lie within one pixel of the
truth, rejects it if a quarter or less does, and leaves it as it is otherwise. Of images that are
larger than 512 pixels a side the middle is annotated.

Networks are checkpoints, and the numbers of each image a JSON file, in the folder of the study, so
the same command goes on from where it was stopped. The workbook quotes a run of

::

    python -m toposeg_lite.training.annotation --results orders.json
    python -m toposeg_lite.training.annotation --results orders.json --datasets crackforest

whose file is ``notebooks/reference_runs/annotation-orders.json``. The second line came later, to
confirm what the first had shown: no image of crackforest had been looked at, and orders, options
and the comparison that counts (doubt against persistence in the Betti-matching error) were fixed
before it ran.

Both ran a second time, with the same options, after the persistence of a branch had become that of
the skeleton that holds it (`toposeg_lite.topology.branches`). By the persistence of its own pass,
as in the first run, persistence is the better order on crackforest, where all else is equal: an
area of 25.9, and then 27.6. Doubt had 21.2 in both. They ran a third time, with networks trained
anew, after sessions and models had come to share one mask rule: an accepted branch is drawn as far
as the branches that it touches. What is said of the orders is what this run says; doubt had 22.1 on
crackforest, persistence 27.7. The files of the first two are in the history of the repository:
``git show 5cdf713:notebooks/reference_runs/annotation-orders.json``, and the same of 08ed092.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..annotation import (
    AnnotationCurve,
    AnnotationSession,
    StructureRanking,
    judge_branches,
    simulate_annotator,
)
from ..annotation.simulate import Order
from ..checks import check_integer
from ..data import Dataset, Sample, load_dataset
from ..files import write_atomically
from ..models import UNet
from ..statistics import compare_networks
from ..structures import StructureModel
from .calibration import known_branches
from .config import TrainConfig
from .loop import train
from .records import git_commit, versions

__all__ = ["main", "order_scores", "order_study", "order_tables", "read_orders"]

#: Name, order of `simulate_annotator`, whether the ranking learns from each decision.
ORDERS: tuple[tuple[str, Order, bool], ...] = (
    ("uncertainty", "uncertainty", False),
    ("doubt", "doubt", False),
    ("gain", "gain", False),
    ("doubt, learning", "doubt", True),
    ("persistence", "persistence", False),
    ("pixel-entropy", "pixel-entropy", False),
    ("random", "random", False),
)
METRICS = ("betti_matching_error", "cldice", "variation_of_information")
PARTS = 20  # mean curves are kept at so many steps, from no branch decided to all of them
TOLERANCE = 1.0


def order_study(
    data: Dataset,
    config: TrainConfig,
    out: str | Path,
    *,
    window: int = 512,
    draws: int = 2,
    measurements: int = 16,
    min_persistence: float = 0.02,
    progress: bool = True,
) -> dict[str, Any]:
    """Compare the orders in which a simulated annotator is asked about branches.

    Parameters
    ----------
    data : Dataset
        With training, validation and test images.
    config : TrainConfig
        How the network is trained.
    out : path
        The folder of the study; it is made if it is not there.
    window : int
        Longest side of what the branch head learns from and of what is annotated: of larger images
        the middle is taken.
    draws : int
        Of the random order.
    measurements : int
        How often the mask is measured on the way, at least.
    min_persistence : float
        Branches whose persistence is not above it are not asked about.
    progress : bool
        Show a bar of the training, and a line for each image.

    Returns
    -------
    dict
        "about" (all parameters), "versions", "git_commit", and "images": for each test image
        "branches", how many of them are "real", the "accuracy" of the branch head, scores at
        "start" and "end", and for each order the "area" under its curves; and "curves", for each
        order and metric the mean over the images at 21 steps from none to all branches decided.

    Raises
    ------
    TypeError, ValueError
        For bad options, data without one of the splits, and a folder that holds another study.
    """
    if not (data.train and data.validation and data.test):
        raise ValueError("data must have training, validation and test images")
    about = {
        "config": TrainConfig(**{**config.as_dict(), "root": None}).as_dict(),
        "window": check_integer(window, "window", 1),
        "draws": check_integer(draws, "draws", 1),
        "measurements": check_integer(measurements, "measurements", 1),
        "min_persistence": min_persistence,
        "tolerance": TOLERANCE,
        "mixed": "leave",
        "labels": data.labels,
    }
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "about.json"
    if path.exists() and json.loads(path.read_text()) != about:
        raise ValueError(f"{folder} holds another study: name another folder, or remove it")
    _write(path, about)
    model: StructureModel | None = None
    found = {}
    middles = {
        split: tuple(_middle(sample, window) for sample in getattr(data, split))
        for split in ("train", "validation", "test")
    }
    for sample in middles["test"]:
        path = folder / f"{sample.name}.json"
        if not path.exists():
            if model is None:
                model = _fit(data, middles, config, folder, min_persistence, progress)
            _write(path, _simulate(model, sample, data, about, config.seed))
            if progress:
                print(f"{data.name} {sample.name}: simulated", flush=True)
        found[sample.name] = json.loads(path.read_text())
    curves = [entry.pop("curves") for entry in found.values()]
    mean = {
        name: {
            metric: np.mean([one[name][metric] for one in curves], axis=0).round(5).tolist()
            for metric in METRICS
        }
        for name, _, _ in ORDERS
    }
    return {
        "about": about,
        "versions": versions(),
        "git_commit": git_commit(),
        "images": found,
        "curves": mean,
    }


def _write(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_atomically(path, f"{json.dumps(content, indent=1)}\n".encode())


def _middle(sample: Sample, window: int) -> Sample:
    """Return the middle of an image."""
    place = tuple(
        slice((side - min(side, window)) // 2, (side + min(side, window)) // 2)
        for side in sample.mask.shape
    )
    return Sample(
        sample.name, np.ascontiguousarray(sample.image[:, *place]), sample.mask[place].copy()
    )


def _fit(
    data: Dataset,
    middles: Mapping[str, Sequence[Sample]],
    config: TrainConfig,
    folder: Path,
    min_persistence: float,
    progress: bool,
) -> StructureModel:
    """Train the network on whole images, let the branch head learn, and calibrate it."""
    network = UNet(
        data.channels, width=config.width, depth=config.depth, ndim=data.ndim, seed=config.seed
    )
    if data.ndim == 2:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(config, data=data, model=network, out=folder / f"unet-{config.seed}.safetensors",
          resume=True, progress=progress)  # fmt: skip
    network.requires_grad_(False)
    model = StructureModel(
        network, mode="branch", features="head", in_channels=data.channels, ndim=data.ndim,
        min_persistence=min_persistence, seed=config.seed,
    ).to(next(network.parameters()).device)  # fmt: skip
    model.learn(*known_branches(model, middles["train"]), seed=config.seed)
    model.calibrate(*known_branches(model, middles["validation"]))
    return model


def _simulate(
    model: StructureModel, sample: Sample, data: Dataset, about: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Let the annotator work on one image in every order."""
    ranking = StructureRanking(model)  # one for both, so that the network runs once
    sessions = {
        learns: AnnotationSession(sample.image, ranking, learn="always" if learns else "asked")
        for learns in (False, True)
    }
    session = sessions[False]
    count = len(session.branches)
    real = judge_branches(session, sample.mask, tolerance=TOLERANCE)
    entry: dict[str, Any] = {
        "branches": count,
        "real": int(real.sum()),
        "accuracy": round(float(np.mean((session.probability >= 0.5) == real)), 5),
        "area": {},
        "curves": {},
    }
    for name, order, learns in ORDERS:
        curves = [
            simulate_annotator(
                sessions[learns],
                sample.mask,
                order=order,
                every=max(1, count // about["measurements"]),
                tolerance=TOLERANCE,
                mixed="leave",
                labels=data.labels,
                seed=seed + draw,
            )
            for draw in range(about["draws"] if order == "random" else 1)
        ]
        entry["area"][name] = {
            metric: round(float(np.mean([curve.area(metric) for curve in curves])), 5)
            for metric in METRICS
        }
        entry["curves"][name] = {metric: _mean_curve(curves, metric) for metric in METRICS}
    first = curves[0].scores
    for key, at in (("start", 0), ("end", -1)):
        entry[key] = {metric: round(float(first[metric][at]), 5) for metric in METRICS}
    return entry


def _mean_curve(curves: Sequence[AnnotationCurve], metric: str) -> list[float]:
    """Return the mean of some curves at equal steps from no branch decided to all of them."""
    steps = np.linspace(0, 1, PARTS + 1)
    rows = [np.interp(steps * c.clicks[-1], c.clicks, c.scores[metric]) for c in curves]
    return np.mean(rows, axis=0).round(5).tolist()


# --- Reading a study ----------------------------------------------------------------------------


def read_orders(path: str | Path | None = None) -> dict[str, Any]:
    """Return the results that the command has written, by the names of the data sets.

    Parameters
    ----------
    path : path, optional
        The file. Default: the workbook's, ``reference_runs/annotation-orders.json``.

    Returns
    -------
    dict
        For each data set what `order_study` returned.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    default = Path(__file__).parents[2] / "notebooks" / "reference_runs" / "annotation-orders.json"
    return json.loads((default if path is None else Path(path)).read_text())


def order_scores(results: dict[str, Any]) -> pd.DataFrame:
    """Return the areas of a study as `toposeg_lite.statistics` wants them.

    Parameters
    ----------
    results : dict
        What `order_study` returned for one data set, or what the JSON file holds of it.

    Returns
    -------
    DataFrame
        A row for each order and image, with the columns "network" (the order), "seed", "image" and
        one for the area of each metric.
    """
    seed = results["about"]["config"]["seed"]
    return pd.DataFrame(
        [
            {"network": name, "seed": seed, "image": image, **areas}
            for image, entry in results["images"].items()
            for name, areas in entry["area"].items()
        ]
    )


def order_tables(results: dict[str, Any], metric: str) -> pd.DataFrame:
    """Compare all orders with the random one and with persistence, in the area of one metric.

    Parameters
    ----------
    results : dict
        As for `order_scores`.
    metric : str
        One of "betti_matching_error", "cldice" and "variation_of_information".

    Returns
    -------
    DataFrame
        A row for each order: mean "area" over the images, and for each of the two "minus random"
        and "minus persistence": the mean difference, in how many images the order is "better", and
        the p-value "p" of the sign-flip test over images, not corrected for their number.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    scores = order_scores(results)
    table = scores.groupby("network", sort=False)[list(METRICS)].mean()
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}; got {metric!r}")
    table = table[[metric]].rename(columns={metric: "area"})
    side = "higher" if metric == "cldice" else "lower"
    for control in ("random", "persistence"):
        found = compare_networks(scores, metric, control=control, leave_out=())
        columns = {"difference": f"minus {control}", side: f"better than {control}",
                   "p_sign_flip": f"p ({control})"}  # fmt: skip
        table = table.join(found[list(columns)].rename(columns=columns))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or say on stderr what went wrong and return 1."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.training.annotation",
        description="Compare orders of questions to an annotator; goes on where it stopped.",
    )
    parser.add_argument("--datasets", nargs="+", default=["chase_db1", "isbi2012_membranes"])
    parser.add_argument("--root", help="the folder of downloaded data sets")
    parser.add_argument("--out", default="runs/annotation")
    parser.add_argument(
        "--results", help="a further file for the numbers; it keeps those of other data sets"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400, help="of the training of each network")
    parser.add_argument("--patch", type=int, default=192)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--light", type=float, default=0.4, help="how much crops are lit at random")
    chosen = parser.parse_args(arguments)
    results = {}
    try:
        for name in chosen.datasets:
            config = TrainConfig(
                dataset=name, root=chosen.root, weight=0.0, steps=chosen.steps, seed=chosen.seed,
                patch=chosen.patch, anneal=True, learning_rate=chosen.learning_rate,
                light=chosen.light,
            )  # fmt: skip
            data = load_dataset(config.dataset, root=config.root)
            results[name] = order_study(data, config, Path(chosen.out) / name)
        if chosen.results:
            file = Path(chosen.results)
            before = json.loads(file.read_text()) if file.exists() else {}
            _write(file, before | results)
    except (TypeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped. The same command goes on from there.", file=sys.stderr)
        return 130
    for name, found in results.items():
        for metric in METRICS:
            print(f"\n{name}, {len(found['images'])} images: area under the curve of {metric}")
            print(order_tables(found, metric).round(4).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
