"""Which questions first? Run ``python -m toposeg_lite.workbook.studies orders``.

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

Uncertainty, doubt and gain are those of `toposeg_lite.annotation.AnnotationSession`. The annotator
accepts a branch if three quarters of its pixels or more lie within one pixel of the truth, rejects
it if a quarter or less does, and leaves it as it is otherwise. Of images that are larger than 512
pixels a side the middle is annotated.

What was looked at before: doubt was defined after curves of an exploratory network on validation
and test images of chase_db1. And of isbi2012_membranes one test image, slice-25, was simulated with
an annotator who rejects whatever is not real; this tore many walls of which half was real.

Networks are checkpoints, and the numbers of each image a JSON file, so the same command goes on
from where it was stopped. The workbook quotes two runs, of short and of full trainings::

    python -m toposeg_lite.workbook.studies orders --results annotation-orders-400.json
        --datasets chase_db1 isbi2012_membranes crackforest
    python -m toposeg_lite.workbook.studies orders --results annotation-orders.json
        --datasets chase_db1 isbi2012_membranes crackforest
        --steps 3000 --patch 128 --light 0.3 --learning-rate 0.002

whose files are in ``notebooks/reference_runs``. Of the first, crackforest came later, to confirm
what the others had shown: no image of it had been looked at, and orders, options and the comparison
that counts (doubt against persistence in the Betti-matching error) were fixed before it ran. It ran
again after the persistence of a branch had become that of the skeleton that holds it: by the
persistence of its own pass, persistence is the better order on crackforest, where all else is
equal, with an area of 25.9, and then 27.6; doubt had 21.2 in both. And it ran a third time, with
networks trained anew, after sessions and models had come to share one mask rule; this is the run in
the file. The files of the first two are in the history, at 5cdf713 and 08ed092. The second of the
two commands came last; nothing but the training was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...annotation import (
    AnnotationCurve,
    AnnotationSession,
    StructureRanking,
    judge_branches,
    simulate_annotator,
)
from ...annotation.simulate import Order
from ...checks import check_choice, check_integer
from ...data import Dataset, Sample, load_dataset
from ...files import make_folder, reading
from ...models import UNet
from ...structures import StructureModel
from ...training import TrainConfig, train
from ...training.records import git_commit, read_json, versions, write_json
from .fitting import check_all_labelled, known_branches, new_network
from .options import option, training_of
from .results import check_same, config_facts
from .statistics import compare_networks
from .study import REFERENCE_RUNS, check_splits

__all__ = [
    "OrderOptions",
    "OrdersCommand",
    "order_scores",
    "order_study",
    "order_tables",
    "read_orders",
]

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


@dataclass(frozen=True)
class OrderOptions:
    """Options of `order_study`, beside data and training."""

    window: int = option(512, "longest side of what is annotated: the middle of larger images")
    draws: int = option(2, "of the random order")
    measurements: int = option(16, "how often the mask is measured on the way, at least")
    min_persistence: float = option(0.02, "of the branches that count")


def order_study(
    data: Dataset,
    config: TrainConfig,
    out: str | Path,
    options: OrderOptions,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """Compare the orders in which a simulated annotator is asked about branches.

    A folder that holds another study is refused with a ValueError. The results are "about" (all
    parameters), "versions", "git_commit", and "images": for each test image "branches", how many of
    them are "real", the "accuracy" of the branch head, scores at "start" and "end", and for each
    order the "area" under its curves; and "curves", for each order and metric the mean over the
    images at 21 steps from none to all branches decided.
    """
    check_splits(data)
    facts = _facts(data, config, options)
    check_all_labelled(data)
    folder = make_folder(out)
    path = folder / "about.json"
    if path.exists() and read_json(path) != facts:
        raise ValueError(f"{folder} holds another study: name another folder, or remove it")
    write_json(path, facts)
    model: StructureModel | None = None
    images = {}
    middles = {
        split: tuple(_middle(sample, options.window) for sample in getattr(data, split))
        for split in ("train", "validation", "test")
    }
    for sample in middles["test"]:
        path = folder / f"{sample.name}.json"
        if not path.exists():
            if model is None:
                model = _fit(data, middles, config, folder, options.min_persistence, progress)
            write_json(path, _simulate(model, sample, data, facts, config.seed))
            if progress:
                print(f"{data.name} {sample.name}: simulated", flush=True)
        images[sample.name] = entry = read_json(path)
        with reading(path, "image of a study"):
            for name, _, _ in ORDERS:
                for metric in METRICS:
                    np.array(entry["curves"][name][metric], float).reshape(PARTS + 1)
    curves = [entry.pop("curves") for entry in images.values()]
    means = {
        name: {
            metric: np.mean([each[name][metric] for each in curves], axis=0).round(5).tolist()
            for metric in METRICS
        }
        for name, _, _ in ORDERS
    }
    return {
        "about": facts,
        "versions": versions(),
        "git_commit": git_commit(),
        "images": images,
        "curves": means,
    }


def _facts(data: Dataset, config: TrainConfig, options: OrderOptions) -> dict[str, Any]:
    """Return all that decides the numbers of a study."""
    return {
        "config": replace(config, root=None).as_dict(),
        "window": check_integer(options.window, "window", 1),
        "draws": check_integer(options.draws, "draws", 1),
        "measurements": check_integer(options.measurements, "measurements", 1),
        "min_persistence": options.min_persistence,
        "tolerance": TOLERANCE,
        "mixed": "leave",
        "labels": data.labels,
    }


def _middle(sample: Sample, window: int) -> Sample:
    """Return the middle of an image."""
    place = tuple(
        slice((side - min(side, window)) // 2, (side + min(side, window)) // 2)
        for side in sample.mask.shape
    )
    image, mask = sample.image[:, *place], sample.mask[place]
    return Sample(sample.name, np.ascontiguousarray(image), mask.copy())


def _fit(
    data: Dataset,
    middles: Mapping[str, Sequence[Sample]],
    config: TrainConfig,
    folder: Path,
    min_persistence: float,
    progress: bool,
) -> StructureModel:
    """Train the network on whole images, let the branch head learn, and calibrate it."""
    network = new_network(data, config, UNet)
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
    model: StructureModel, sample: Sample, data: Dataset, facts: dict[str, Any], seed: int
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
                every=max(1, count // facts["measurements"]),
                tolerance=TOLERANCE,
                mixed="leave",
                labels=data.labels,
                seed=seed + draw,
            )
            for draw in range(facts["draws"] if order == "random" else 1)
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
    """Return what `order_study` found, by data set, from a file that the command has written.

    By default this is the file that the workbook quotes. One that is damaged or another raises a
    ValueError.
    """
    place = REFERENCE_RUNS / "annotation-orders.json" if path is None else Path(path)
    content = read_json(place)
    with reading(place, "study of orders"):
        for results in content.values():
            order_scores(results)[["seed", *METRICS]].astype(float)
            for curves in results["curves"].values():
                np.array([curves[metric] for metric in METRICS], float).reshape(len(METRICS), -1)
    return content


def order_scores(results: dict[str, Any]) -> pd.DataFrame:
    """Return the areas of a study of one data set as `studies.statistics` wants scores.

    The orders are the networks, and the area of each metric is a column.
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

    There is a row for each order: mean "area" over the images, and for each of the two "minus
    random" and "minus persistence": the mean difference, in how many images the order is "better",
    and the p-value "p" of the sign-flip test over images, not corrected for their number; of
    chase_db1 over persons, of whom four cannot give less than .125.
    """
    check_choice(metric, METRICS, "metric")
    scores = order_scores(results)
    table = scores.groupby("network", sort=False)[[metric]].mean()
    table = table.rename(columns={metric: "area"})
    side = "higher" if metric == "cldice" else "lower"
    for control in ("random", "persistence"):
        compared = compare_networks(scores, metric, control=control, leave_out=())
        columns = {"difference": f"minus {control}", side: f"better than {control}",
                   "p_sign_flip": f"p ({control})"}  # fmt: skip
        table = table.join(compared[list(columns)].rename(columns=columns))
    return table


@dataclass(frozen=True)
class OrdersCommand(OrderOptions):
    """Compare orders of questions to an annotator; goes on where it stopped."""

    datasets: Sequence[str] = option(("chase_db1", "isbi2012_membranes"))
    root: str | None = option(None, "the folder of downloaded data sets")
    out: str = option("runs/annotation")
    results: str | None = option(
        None, "a further file for the numbers; it keeps those of other data sets"
    )
    seed: int = option(0)
    steps: int = option(400, "of the training of each network")
    patch: int = option(192)
    learning_rate: float = option(0.003)
    light: float = option(0.4, "how much crops are lit at random")

    def run(self) -> None:
        """Make a study of each data set and print their tables."""
        if self.results:
            make_folder(Path(self.results).parent)
        known = self._known_results()
        studies = {}
        for name in self.datasets:
            config = training_of(self, name)
            data = load_dataset(config.dataset, root=config.root)
            studies[name] = order_study(data, config, Path(self.out) / name, self)
        if self.results:
            write_json(self.results, known | studies)
        for name, results in studies.items():
            for metric in METRICS:
                count = len(results["images"])
                print(f"\n{name}, {count} images: area under the curve of {metric}")
                print(order_tables(results, metric).round(4).to_string())

    def _known_results(self) -> dict[str, Any]:
        """Return what the file of results holds; a data set in it must be of the same study."""
        if not self.results or not Path(self.results).exists():
            return {}
        file = Path(self.results)
        known = read_json(file)
        for name in self.datasets:
            if name in known:
                config = training_of(self, name)
                facts = _facts(load_dataset(config.dataset, root=config.root), config, self)
                with reading(file, "study of orders"):
                    about = dict(known[name]["about"])
                    kept = config_facts(about.pop("config")) | about
                check_same(file, kept, config_facts(facts.pop("config")) | facts)
        return dict(known)
