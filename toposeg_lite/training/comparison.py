"""A fair comparison: what does a loss change that more training would not have changed anyway.

A network that is trained longer is better, with any loss. So three networks are compared [1]_:

- the **parent** is trained with Dice + cross-entropy;
- the **control** goes on from the parent with Dice + cross-entropy;
- each **arm** goes on from the same parent for the same number of steps on the same images in the
  same order, with the loss under test added.

The effect of the loss is the difference between an arm and the control. How strongly the loss is
added, its weight, is chosen on the validation images among a few values; only then are the test
images scored, once.

References
----------
.. [1] A. H. Berger et al., "Pitfalls of topology-aware image segmentation". arXiv:2412.14619
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..checks import check_integer
from ..data import Dataset, Sample, load_dataset
from ..differences import KINDS, Difference, topology_differences
from ..figures import png
from ..files import write_atomically
from ..topology.grid import check_connectivity
from .checkpoint import DICE_MARGIN, Checkpoint
from .config import TrainConfig, check_sides, resolve_sides
from .evaluation import Evaluation, evaluate
from .loop import train
from .pictures import comparison_figure, training_figure
from .records import git_commit, plain, rows, versions

__all__ = ["CompareConfig", "Comparison", "choose_weight", "judge", "prepare_folder"]


# --- What is compared -------------------------------------------------------------------------


@dataclass(frozen=True)
class CompareConfig:
    """Everything that decides the numbers of a comparison; checked when it is made.

    Parameters
    ----------
    dataset, root, loss, loss_options
        See `TrainConfig`; so for the following. They hold for all networks.
    patch, batch, light, augment, seed, width, depth, learning_rate, precision
        See `TrainConfig`.
    weight : float or tuple of float
        The weight of the loss, or two to six of them to choose from on the validation images.
    pretrain_steps, finetune_steps : int
        Steps of the parent, and of the control and each arm after it.
    window : int or tuple of int
        Sides of the windows in which whole images are predicted; see `predict`.
    connectivity : int, optional
        Of the foreground, for the scores; see `toposeg_lite.metrics.report`. Default: 8 neighbours
        in 2D, 26 in 3D. The loss's own is among its options.

    Raises
    ------
    TypeError, ValueError
        As `TrainConfig` does, and for weights that are none, too many, equal, or not above zero.

    Examples
    --------
    >>> CompareConfig(weight=0.5).tried, CompareConfig(weight=(0.1, 1)).tried
    ((0.5,), (0.1, 1))
    """

    dataset: str = "retina"
    root: str | None = None
    loss: str = "topological"
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    weight: float | tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    pretrain_steps: int = 600
    finetune_steps: int = 200
    patch: int | tuple[int, ...] = 128
    batch: int = 4
    light: float = 0.3
    augment: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    width: int = 16
    depth: int = 4
    learning_rate: float = 1e-3
    precision: str = "float32"
    window: int | tuple[int, ...] = 256
    connectivity: int | None = None

    def __post_init__(self) -> None:
        for name in ("weight", "patch", "window"):  # lists, as JSON and notebook parameters have
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if not 1 <= len(self.tried) <= 6:
            raise ValueError(f"weight must name one to six values to try; got {self.weight}")
        for name in ("pretrain_steps", "finetune_steps"):
            check_integer(getattr(self, name), name, 1)
        self.train_config(0.0, self.pretrain_steps)
        for weight in self.tried:
            if self.train_config(weight, self.finetune_steps).weight == 0:
                raise ValueError("a weight must be above zero: the control already has weight 0")
        if len(set(self.tried)) < len(self.tried):
            raise ValueError(f"the weights to try must differ; got {self.weight}")
        check_sides(self.window, "window")
        if self.connectivity != 2:  # of which only an image can say whether it is the full one
            check_connectivity(self.connectivity, 3)

    @property
    def tried(self) -> tuple[float, ...]:
        """The weights that are tried, as a tuple even if it is one."""
        return self.weight if isinstance(self.weight, tuple) else (self.weight,)

    def train_config(self, weight: float, steps: int, *, anneal: bool = False) -> TrainConfig:
        """Return the configuration of one of the networks."""
        shared = {f.name for f in dataclasses.fields(self)} & {
            f.name for f in dataclasses.fields(TrainConfig)
        }
        values = {name: getattr(self, name) for name in shared}
        return TrainConfig(**values | {"weight": weight, "steps": steps, "anneal": anneal})

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that survives a round trip through JSON.

        Examples
        --------
        >>> config = CompareConfig(patch=(32, 64))
        >>> CompareConfig(**config.as_dict()) == config
        True
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["loss_options"] = dict(self.loss_options)
        values["augment"] = {name: dict(options) for name, options in self.augment.items()}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_parameters(cls, **values: Any) -> CompareConfig:
        """Return the configuration with these fields; the error for an unknown one names all.

        Raises
        ------
        TypeError, ValueError
            For an unknown field, and as for the class.

        Examples
        --------
        >>> CompareConfig.from_parameters(seed=3).seed
        3
        """
        known = [f.name for f in dataclasses.fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(
                f"unknown parameter {', '.join(map(repr, unknown))}; there are {', '.join(known)}"
            )
        return cls(**values)

    def load(self) -> Dataset:
        """Load the data set and check that these settings fit its number of axes.

        Raises
        ------
        ValueError
            If `patch`, `window`, `connectivity` or the loss belong to another number of axes, or
            the data set lacks images to train on, to choose the weight on, or to score.
        """
        data = load_dataset(self.dataset, root=self.root)
        self.check(data)
        return data

    def check(self, data: Dataset) -> None:
        """Raise a ValueError unless these settings fit `data`, and it has all three splits."""
        for split in ("train", "validation", "test"):
            if not getattr(data, split):
                raise ValueError(
                    f"the data set {data.name!r} has no {split} images: a comparison trains on "
                    f"one split, chooses the weight on another and scores the third"
                )
        self.train_config(self.tried[0], self.finetune_steps).check(data.ndim)
        resolve_sides(self.window, data.ndim, "window")
        check_connectivity(self.connectivity, data.ndim)


def prepare_folder(
    config: CompareConfig,
    *,
    out: str | os.PathLike[str] = "runs",
    name: str | None = None,
    resume: bool = False,
) -> Path:
    """Make the folder of a run, and never one that would overwrite another run.

    Parameters
    ----------
    config : CompareConfig
        The comparison; without a `name` it names the folder after data set, loss and seed.
    out : path
        The folder of all runs.
    name : str, optional
        The run's folder within `out`. Default: ``<dataset>-<loss>-seed<seed>``, with ``-2``, ``-3``
        and so on behind it if there are such runs already; to resume, the last of these.
    resume : bool
        Go on with the run that lies there, if any.

    Returns
    -------
    Path
        The folder, which exists.

    Raises
    ------
    ValueError
        If `name` is no plain folder name.
    FileExistsError
        If the folder of this `name` holds a run and `resume` is False.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     prepare_folder(CompareConfig(), out=out).name
    'retina-topological-seed0'
    """
    if not isinstance(config, CompareConfig):
        raise TypeError(f"config must be a CompareConfig; got {type(config).__name__}")
    if not isinstance(resume, bool):
        raise TypeError(f"resume must be True or False; got {resume!r}")
    if name is None:
        base = f"{config.dataset}-{config.loss}-seed{config.seed}"
        folder, number = Path(out) / base, 1
        while _holds_run(folder):
            following = Path(out) / f"{base}-{number + 1}"
            if resume and not _holds_run(following):
                break
            folder, number = following, number + 1
    else:
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"name must be a plain folder name; got {name!r}")
        folder = Path(out) / name
        if _holds_run(folder) and not resume:
            raise FileExistsError(
                f"{folder} holds a run: pass resume=True to go on with it, or another name"
            )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _holds_run(folder: Path) -> bool:
    """Whether a folder holds checkpoints or results."""
    return any(folder.glob("*.safetensors")) or (folder / "metrics.json").exists()


# --- What is decided from the numbers ---------------------------------------------------------


def choose_weight(scores: pd.DataFrame) -> float:
    """Choose the weight with the smallest topological error among those that keep the overlap.

    Parameters
    ----------
    scores : DataFrame
        One row for each weight (the index) and one for the control, weight 0. Columns are "dice"
        and "betti_matching_error", or in its place (of volumes it is not measured) "betti_error":
        means over the validation images.

    Returns
    -------
    float
        Of the weights whose Dice is at most 0.01 below the control's, that with the smallest
        error; among equals the smallest weight. Where all cost more Dice than that, the one that
        costs least.

    Raises
    ------
    ValueError
        If there is no weight, or no control.

    Examples
    --------
    A weight of 10 has the best topology but spoils the overlap:

    >>> choose_weight(
    ...     pd.DataFrame(
    ...         {"dice": [0.80, 0.80, 0.795, 0.70], "betti_matching_error": [5.0, 3.0, 2.0, 1.0]},
    ...         index=[0, 0.1, 1, 10],
    ...     )
    ... )
    1.0
    """
    if not len(scores):
        raise ValueError("scores are empty: there is no weight to choose from")
    if 0 not in scores.index or len(scores) == 1:
        raise ValueError(
            f"scores must have a row for the control, weight 0, and one for each weight to choose "
            f"from; got the rows {scores.index.tolist()}"
        )
    arms = scores.drop(index=0)
    least = float(scores["dice"][0]) - DICE_MARGIN
    kept = arms[arms["dice"] >= least]
    if kept.empty:
        kept = arms[arms["dice"] == arms["dice"].max()]
    measured = "betti_matching_error" in kept
    error = kept["betti_matching_error" if measured else "betti_error"]
    return float(kept[error == error.min()].index.min())


def judge(arm: Sequence[float], control: Sequence[float]) -> str:
    """Say whether an error is better or worse than the control's, image by image and on average.

    Parameters
    ----------
    arm, control : sequence of float
        An error (smaller is better) of both networks on the same images.

    Returns
    -------
    {"better", "no clear difference", "worse"}
        Better if the mean is smaller by more than 1 % of the control's and more images have a
        smaller error than a larger one; worse if both hold the other way round.

    Raises
    ------
    ValueError
        If there are no images, or not the same number.

    Examples
    --------
    >>> judge([1.0, 2.0, 3.0], [2.0, 2.0, 5.0])
    'better'
    >>> judge([1.0, 3.0], [2.0, 2.5])
    'no clear difference'
    """
    if not len(arm) or len(arm) != len(control):
        raise ValueError(
            f"arm and control must name the errors of the same images; "
            f"got {len(arm)} and {len(control)}"
        )
    difference = np.subtract(arm, control)
    margin = 0.01 * float(np.mean(control))
    images = int((difference < 0).sum() - (difference > 0).sum())
    if difference.mean() < -margin and images > 0:
        return "better"
    if difference.mean() > margin and images < 0:
        return "worse"
    return "no clear difference"


# --- The comparison ---------------------------------------------------------------------------

#: What tables show of `metrics.report`, and how they call it.
COLUMNS = {
    "dice": "Dice",
    "cldice": "clDice",
    "betti_0_error": "Betti-0 error",
    "betti_1_error": "Betti-1 error",
    "betti_2_error": "Betti-2 error",
    "betti_matching_error": "Betti matching error",
    "adjusted_rand_index": "ARI",
    "variation_of_information": "VOI (bits)",
}


class Comparison:
    """Parent, control and arms of one comparison: train, choose, score, judge, save.

    Call the methods in this order; what a run has already done, it reads from its folder.

    Parameters
    ----------
    config : CompareConfig
        What is compared.
    folder : path
        Where the run keeps its files; it must exist (see `prepare_folder`). Its folder ``events``
        is for TensorBoard: ``tensorboard --logdir <folder>/events``.
    data : Dataset, optional
        Use it instead of loading ``config.dataset``.
    progress : bool
        Show bars.

    Attributes
    ----------
    networks : dict of str to Checkpoint
        "parent", "control" and one for each weight, ``"<loss>-<weight>"``.
    validation, test : dict of str to Evaluation
        By network.
    weight : float or None
        The chosen one.

    Examples
    --------
    >>> import tempfile
    >>> config = CompareConfig(
    ...     "brick", weight=(0.1, 1.0), pretrain_steps=2, finetune_steps=2, patch=16, width=2
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     comparison = Comparison(config, folder, progress=False)
    ...     comparison.train_parent()
    ...     comparison.train_arms()
    ...     scores = comparison.choose()
    ...     table = comparison.score()
    ...     results = comparison.save()
    >>> list(table.index), results["verdict"]["metric"]
    (['parent', 'control', 'topological'], 'betti_error')
    """

    def __init__(
        self,
        config: CompareConfig,
        folder: str | os.PathLike[str],
        *,
        data: Dataset | None = None,
        progress: bool = True,
    ) -> None:
        if not isinstance(config, CompareConfig):
            raise TypeError(f"config must be a CompareConfig; got {type(config).__name__}")
        self.config = config
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"there is no folder {self.folder}: make it first")
        self.data = config.load() if data is None else data
        config.check(self.data)
        self.progress = progress
        self.networks: dict[str, Checkpoint] = {}
        self.validation: dict[str, Evaluation] = {}
        self.test: dict[str, Evaluation] = {}
        self.weight: float | None = None
        self._started = time.perf_counter()

    # Training

    def _train(self, name: str, weight: float, steps: int, start: Checkpoint | None) -> Checkpoint:
        """Train one network, or go on with it, or read it if it is finished."""
        self.networks[name] = train(
            self.config.train_config(weight, steps, anneal=start is not None),
            data=self.data,
            start=start,
            out=self.folder / f"{name}.safetensors",
            resume=True,
            events=self.folder / "events" / name,
            progress=self.progress,
        )
        return self.networks[name]

    def train_parent(self) -> None:
        """Train the network from which all others start."""
        self._train("parent", 0.0, self.config.pretrain_steps, None)

    def train_arms(self) -> None:
        """Go on from the parent: without the loss (control), and with it in each weight."""
        parent = self._need("parent")
        self._train("control", 0.0, self.config.finetune_steps, parent)
        for weight in self.config.tried:
            self._train(self._arm(weight), weight, self.config.finetune_steps, parent)

    def _arm(self, weight: float) -> str:
        """Return the name of the network that was trained with a weight."""
        return f"{self.config.loss}-{weight:g}"

    def _need(self, name: str) -> Checkpoint:
        """Return a network, or say what has to be called before."""
        if name not in self.networks:
            raise RuntimeError(f"there is no {name} yet: call train_parent(), then train_arms()")
        return self.networks[name]

    # Scores

    def _evaluate(self, name: str, samples: Sequence[Sample]) -> Evaluation:
        """Score one network."""
        return evaluate(
            self._need(name).model(),
            samples,
            labels=self.data.labels,
            connectivity=self.config.connectivity,
            patch=self.data.patch,
            window=self.config.window,
        )

    def choose(self) -> pd.DataFrame:
        """Score the control and all arms on the validation images and choose the weight.

        Returns
        -------
        DataFrame
            Means over the validation images, a row for each weight; 0 is the control.
        """
        for name in ["control", *map(self._arm, self.config.tried)]:
            self.validation[name] = self._evaluate(name, self.data.validation)
        wanted = ["dice", "cldice", "betti_error", "betti_matching_error"]
        means = pd.DataFrame(
            {
                weight: self.validation[name].table.filter(wanted).mean()
                for weight, name in [(0.0, "control")]
                + [(weight, self._arm(weight)) for weight in self.config.tried]
            }
        ).T.rename_axis("weight")
        self.weight = choose_weight(means)
        return means

    def score(self) -> pd.DataFrame:
        """Score parent, control and the chosen arm on the test images: once, at the end.

        Returns
        -------
        DataFrame
            Means over the test images and the time of a step, a row for each network.
        """
        if self.weight is None:
            raise RuntimeError("no weight is chosen yet: call choose() first")
        lines = {}
        for label, name in self.compared.items():
            self.test[label] = self._evaluate(name, self.data.test)
            table = self.test[label].table
            means = {title: table[key].mean() for key, title in COLUMNS.items() if key in table}
            lines[label] = means | self._times(name)
        return pd.DataFrame.from_dict(lines, orient="index")

    @property
    def compared(self) -> dict[str, str]:
        """The networks of the result: label in tables and pictures, and name in `networks`."""
        if self.weight is None:
            raise RuntimeError("no weight is chosen yet: call choose() first")
        arm = self._arm(self.weight)
        # Were the loss called like one of the others, its row would replace theirs.
        return {"parent": "parent", "control": "control", self.config.loss: arm}

    def _times(self, name: str) -> dict[str, float]:
        """Return the median time of a step, and the part of the time that the loss took."""
        history = self.networks[name].history
        return {
            "seconds per step": float(history["seconds"].median()),
            "share of loss": float(history["seconds_added"].sum() / history["seconds"].sum()),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The settings on which the scores depend."""
        row = next(iter((self.validation | self.test).values())).table.iloc[0]
        names = ("connectivity", "patch", "border", "labels")
        return {name: plain(row[name]) for name in names} | {"reference": self.data.reference}

    def caption(self) -> str:
        """Return what one must know to read the table of `score`."""
        said = self.settings
        neighbours = 2 * self.data.ndim if said["connectivity"] == 1 else 3**self.data.ndim - 1
        side = said["patch"]
        return (
            f"Means over {len(self.data.test)} test images with {said['reference']} references; "
            f"likelihood >= 0.5 is foreground. Betti errors: mean over patches of "
            f"{' x '.join([str(side)] * self.data.ndim)} pixels, foreground with {neighbours} "
            f"neighbours (connectivity {said['connectivity']}), border {said['border']}. "
            f"ARI and VOI: components of the {said['labels']}."
        )

    def verdict(self) -> dict[str, Any]:
        """Say in one sentence what the loss changed, whichever network is ahead.

        Returns
        -------
        dict
            "outcome" (see `judge`), "sentence", and the numbers behind them.
        """
        if not self.test:
            raise RuntimeError("nothing is scored yet: call score() first")
        arm, control = self.test[self.config.loss].table, self.test["control"].table
        ours, theirs = arm["betti_error"].astype(float), control["betti_error"].astype(float)
        outcome = judge(ours.tolist(), theirs.tolist())
        lower, higher = int((ours < theirs).sum()), int((ours > theirs).sum())
        dice = float(arm["dice"].mean() - control["dice"].mean())
        side = " x ".join([str(self.data.patch)] * self.data.ndim)
        sentence = (
            f"Topology: {outcome}. Adding the loss {self.config.loss!r} (weight {self.weight:g}) "
            f"gives a Betti error, summed over dimensions, of {ours.mean():.3f} per patch of {side}"
            f" pixels; the control, trained as long without it, has {theirs.mean():.3f}. It is "
            f"lower in {lower}, higher in {higher} and equal in {len(ours) - lower - higher} of "
            f"{len(ours)} test images. Dice changes by {dice:+.4f}. This is one seed."
        )
        return {
            "outcome": outcome,
            "sentence": sentence,
            "metric": "betti_error",
            "arm": float(ours.mean()),
            "control": float(theirs.mean()),
            "images_lower": lower,
            "images_higher": higher,
            "dice_change": dice,
        }

    # Pictures

    def _masks(self, label: str) -> list[np.ndarray]:
        """Return the masks that a scored network predicts of the test images."""
        return [self.test[label].likelihoods[sample.name] >= 0.5 for sample in self.data.test]

    def differences(self) -> dict[str, list[list[Difference]]]:
        """Find every difference in topology, of control and arm, in each of the test images."""
        if not self.test:
            raise RuntimeError("nothing is scored yet: call score() first")
        return {
            label: [
                topology_differences(mask, sample.mask, connectivity=self.config.connectivity)
                for mask, sample in zip(self._masks(label), self.data.test, strict=True)
            ]
            for label in ("control", self.config.loss)
        }

    def count_differences(self) -> pd.DataFrame:
        """Count the differences over all test images: a row for each kind and for their sum."""
        counts = pd.DataFrame(
            {
                label: [sum(d.kind == kind for d in chain(*found)) for kind in KINDS]
                for label, found in self.differences().items()
            },
            index=list(KINDS),
        )
        counts.loc["all"] = counts.sum()
        return counts

    def picture(self, limit: int = 3) -> Figure:
        """Show the first `limit` test images, their references, and control and arm with marks.

        The picture is also written to ``comparison.png`` in the run's folder.
        """
        check_integer(limit, "limit", 1)
        found = self.differences()
        figure = comparison_figure(
            self.data.test[:limit],
            {label: self._masks(label)[:limit] for label in found},
            {label: lists[:limit] for label, lists in found.items()},
        )
        write_atomically(self.folder / "comparison.png", png(figure))
        return figure

    def curves(self) -> Figure:
        """Draw the Dice + cross-entropy of parent, control and chosen arm over the steps."""
        networks = {label: self.networks[name] for label, name in self.compared.items()}
        return training_figure(
            {label: network.history for label, network in networks.items()},
            {label: network.start for label, network in networks.items()},
        )

    # Results

    def save(self) -> dict[str, Any]:
        """Write every number of the run to ``metrics.json`` in its folder, and return it.

        Of the times, "training_seconds" counts all steps, also those made before the run was
        resumed; "wall_seconds" is the time since this object was made.
        """
        results = {
            "parameters": self.config.as_dict(),
            "seed": self.config.seed,
            "chosen_weight": self.weight,
            "settings": self.settings,
            "verdict": self.verdict(),
            "validation": {name: rows(e.table) for name, e in self.validation.items()},
            "test": {name: rows(e.table) for name, e in self.test.items()},
            "differences": self.count_differences().to_dict(),
            "losses": {
                name: net.history[["loss", "dice_bce", "added"]].tail(50).mean().to_dict()
                for name, net in self.networks.items()
            },
            "times": {name: self._times(name) for name in self.networks}
            | {
                "training_seconds": sum(
                    float(net.history["seconds"].sum()) for net in self.networks.values()
                ),
                "wall_seconds": time.perf_counter() - self._started,
            },
            "versions": versions(),
            "git_commit": git_commit(),
        }
        write_atomically(self.folder / "metrics.json", json.dumps(results, indent=2).encode())
        return results
