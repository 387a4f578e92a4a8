"""A study of one loss with one seed, step by step, and its report: what chapter 09 runs.

The report is a table, a verdict in one sentence, pictures with a mark at each place where the
topology differs, and ``metrics.json`` with every number for every image.
"""

from __future__ import annotations

import os
import time
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...checks import check_flag, check_integer, check_path
from ...data import Dataset
from ...differences import Difference, count_kinds, topology_differences
from ...files import make_folder, write_atomically
from ...training import Checkpoint, Evaluation
from ...training.records import git_commit, machine, rows, versions, write_json
from ..figures import png
from ..figures.differences import comparison_figure, training_figure
from .scores import COLUMNS, judge, mean_scores
from .study import Study, StudyConfig

__all__ = ["Comparison", "prepare_folder"]


def prepare_folder(
    config: StudyConfig,
    *,
    out: str | os.PathLike[str] = "runs",
    name: str | None = None,
    resume: bool = False,
) -> Path:
    """Make the folder of a run, and never one that would overwrite another run; return it.

    It lies in `out`, the folder of all runs. Without a `name` it is called
    ``<dataset>-<loss>-seed<seed>``, with ``-2``, ``-3`` and so on behind it if there are such runs
    already; to `resume`, the last of these. A folder of this `name` that holds a run raises a
    FileExistsError unless it is to be resumed.
    """
    if not isinstance(config, StudyConfig):
        raise TypeError(f"config must be a StudyConfig; got {type(config).__name__}")
    check_flag(resume, "resume")
    out = check_path(out, "out")
    if name is None:
        base = f"{config.shared.dataset}-{config.arms[0].name}-seed{config.seeds[0]}"
        folder, number = out / base, 1
        while _holds_run(folder):
            following = out / f"{base}-{number + 1}"
            if resume and not _holds_run(following):
                break
            folder, number = following, number + 1
    else:
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"name must be a plain folder name; got {name!r}")
        folder = out / name
        if _holds_run(folder) and not resume:
            raise FileExistsError(
                f"{folder} holds a run: pass resume=True to go on with it, or another name"
            )
    return make_folder(folder)


def _holds_run(folder: Path) -> bool:
    """Whether a folder holds checkpoints or results."""
    return any(folder.glob("*.safetensors")) or (folder / "metrics.json").exists()


class Comparison(Study):
    """Parent, control and the weights of one loss: train, choose, score, judge, save.

    Call the methods in this order; what a run has already trained, it reads from its folder. The
    files of the networks lie in the folder itself. Its folder ``events`` is for TensorBoard:
    ``tensorboard --logdir <folder>/events``.

    The study is one of a single arm and a single seed; see `StudyConfig.from_parameters`. The
    attributes `validation` and `test` hold the `Evaluation` of each network: of "control" and
    ``"<loss>-<weight>"``, and of "parent", "control" and ``"<loss>"``.

    Examples
    --------
    >>> import tempfile
    >>> config = StudyConfig.from_parameters(
    ...     dataset="brick", weight=(0.1, 1), pretrain_steps=2, finetune_steps=2, patch=16, width=2
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
        config: StudyConfig,
        folder: str | os.PathLike[str],
        *,
        data: Dataset | None = None,
        progress: bool = True,
    ) -> None:
        if isinstance(config, StudyConfig) and (len(config.arms), len(config.seeds)) != (1, 1):
            raise ValueError(
                f"a comparison is a study of one arm and one seed; config has {len(config.arms)} "
                f"and {len(config.seeds)}"
            )
        if isinstance(config, StudyConfig) and config.groups:
            raise ValueError("a comparison scores the test images alone; config has groups of more")
        super().__init__(config, folder, data=data, say=lambda line: None, progress=progress)
        self._events = self.folder / "events"
        (self.arm,), (self.seed,) = config.arms, config.seeds
        self.validation: dict[str, Evaluation] = {}
        self.test: dict[str, Evaluation] = {}
        self._started = time.perf_counter()

    def _folder(self, seed: int) -> Path:
        return self.folder

    def _find_scores(self, seed: int, name: str, split: str) -> pd.DataFrame:
        """Predict and score the images anew: pictures need more than the scores."""
        evaluation = self._evaluate(self._networks[seed, name], split)
        if split == "validation":
            self.validation[name] = evaluation
        else:
            self.test[self.arm.name if name == self.compared[self.arm.name] else name] = evaluation
        return evaluation.table

    # Steps

    @property
    def networks(self) -> dict[str, Checkpoint]:
        """The networks so far: "parent", "control" and one for each weight."""
        return {name: network for (_, name), network in self._networks.items()}

    @property
    def weight(self) -> float | None:
        """The chosen weight, as soon as it is chosen."""
        return self.chosen.get((self.seed, self.arm.name))

    @property
    def compared(self) -> dict[str, str]:
        """The networks of the result: label in tables and pictures, and name in `networks`."""
        if self.weight is None:
            raise RuntimeError("no weight is chosen yet: call choose() first")
        return {label: name for label, (name, _) in self._compared(self.seed).items()}

    def train_parent(self) -> None:
        """Train the network from which all others start."""
        self._check_room()
        self._train(self.seed, "parent", self.config.parent_config(self.seed))

    def train_arms(self) -> None:
        """Go on from the parent: without the loss (control), and with it in each weight."""
        self._need("parent")
        self._train(self.seed, "control", self.config.arm_config(self.seed))
        self._train_arm(self.seed, self.arm)

    def _need(self, name: str) -> None:
        """Say what has to be called before, if a network is not there."""
        if name not in self.networks:
            raise RuntimeError(f"there is no {name} yet: call train_parent(), then train_arms()")

    def choose(self) -> pd.DataFrame:
        """Score the control and all weights on the validation images and choose the weight.

        Returns the means over the validation images, a row for each weight; 0 is the control.
        """
        self._need("control")
        return self._choose(self.seed, self.arm)

    def score(self) -> pd.DataFrame:
        """Score parent, control and the chosen arm on the test images: once, at the end.

        Returns the means over the test images and the time of a step, a row for each network.
        """
        lines = {}
        for label, name in self.compared.items():
            means = mean_scores(self._score(self.seed, name, "test"))
            titled = {COLUMNS[key]: mean for key, mean in means.items()}
            lines[label] = titled | self._titled_times(name)
        return pd.DataFrame.from_dict(lines, orient="index")

    def _titled_times(self, name: str) -> dict[str, float]:
        """Return the times of a network as tables call them."""
        times = self._times(self.seed, name)
        return {key.replace("_", " "): value for key, value in times.items()}

    # Words

    def caption(self) -> str:
        """Return what one must know to read the table of `score`."""
        settings = self.settings
        neighbours = 2 * self.data.ndim if settings["connectivity"] == 1 else 3**self.data.ndim - 1
        return (
            f"Means over {len(self.data.test)} test images with {settings['reference']} "
            f"references; likelihood >= 0.5 is foreground. Betti errors: mean over patches of "
            f"{self._size} pixels, foreground with {neighbours} neighbours (connectivity "
            f"{settings['connectivity']}), border {settings['border']}. "
            f"ARI and VOI: components of the {settings['labels']}."
        )

    @property
    def _size(self) -> str:
        """The size of the patches in which Betti errors are taken."""
        return " x ".join([str(self.data.patch)] * self.data.ndim)

    def verdict(self) -> dict[str, Any]:
        """Say in one "sentence" what the loss changed, whichever network is ahead.

        With it come its "outcome" (see `judge`) and the numbers behind them.
        """
        self._need_scores()
        arm, control = self.test[self.arm.name].table, self.test["control"].table
        ours, theirs = arm["betti_error"].astype(float), control["betti_error"].astype(float)
        outcome = judge(ours.tolist(), theirs.tolist())
        lower, higher = int((ours < theirs).sum()), int((ours > theirs).sum())
        dice = float(arm["dice"].mean() - control["dice"].mean())
        sentence = (
            f"Topology: {outcome}. Adding the loss {self.arm.name!r} (weight {self.weight:g}) "
            f"gives a Betti error, summed over dimensions, of {ours.mean():.3f} per patch of "
            f"{self._size} pixels; the control, trained as long without it, has "
            f"{theirs.mean():.3f}. It is lower in {lower}, higher in {higher} and equal in "
            f"{len(ours) - lower - higher} of {len(ours)} test images. Dice changes by "
            f"{dice:+.4f}. This is one seed."
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

    def _need_scores(self) -> None:
        """Say what has to be called before, if nothing is scored."""
        if not self.test:
            raise RuntimeError("nothing is scored yet: call score() first")

    # Pictures

    def _masks(self, label: str) -> list[np.ndarray]:
        """Return the masks that a scored network predicts of the test images."""
        return [self.test[label].likelihoods[sample.name] >= 0.5 for sample in self.data.test]

    def differences(self) -> dict[str, list[list[Difference]]]:
        """Find every difference in topology, of control and arm, in each of the test images."""
        self._need_scores()
        return {
            label: [
                topology_differences(
                    mask, sample.mask, connectivity=self.config.connectivity, ignored=sample.ignored
                )
                for mask, sample in zip(self._masks(label), self.data.test, strict=True)
            ]
            for label in ("control", self.arm.name)
        }

    def count_differences(self) -> pd.DataFrame:
        """Count the differences over all test images: a row for each kind and for their sum."""
        counts = pd.DataFrame(
            {label: count_kinds(chain(*lists)) for label, lists in self.differences().items()}
        )
        counts.loc["all"] = counts.sum()
        return counts

    def picture(self, limit: int = 3) -> Figure:
        """Show the first `limit` test images, their references, and control and arm with marks.

        The picture is also written to ``comparison.png`` in the run's folder.
        """
        check_integer(limit, "limit", 1)
        differences = self.differences()
        figure = comparison_figure(
            self.data.test[:limit],
            {label: self._masks(label)[:limit] for label in differences},
            {label: lists[:limit] for label, lists in differences.items()},
        )
        write_atomically(self.folder / "comparison.png", png(figure, trim=True))
        return figure

    def curves(self) -> Figure:
        """Draw the Dice + cross-entropy of parent and control, and what each weight changes of it.

        The picture is also written to ``training.png`` in the run's folder.
        """
        chosen = self.compared[self.arm.name]
        names = {name: name + ", chosen" * (name == chosen) for name in self.networks}
        figure = training_figure(
            {label: self.networks[name].history for name, label in names.items()},
            {label: self.networks[name].start for name, label in names.items()},
        )
        write_atomically(self.folder / "training.png", png(figure, trim=True))
        return figure

    # Results

    def save(self) -> dict[str, Any]:
        """Write every number of the run to ``metrics.json`` in its folder, and return it.

        Of the times, "training_seconds" counts all steps, also those made before the run was
        resumed; "wall_seconds" is the time since this object was made.
        """
        histories = {name: network.history for name, network in self.networks.items()}
        times: dict[str, Any] = {name: self._titled_times(name) for name in histories}
        times["training_seconds"] = sum(float(h["seconds"].sum()) for h in histories.values())
        times["wall_seconds"] = time.perf_counter() - self._started
        results = {
            "parameters": self.config.parameters(),
            "seed": self.seed,
            "chosen_weight": self.weight,
            "settings": self.settings,
            "verdict": self.verdict(),
            "validation": {name: rows(e.table) for name, e in self.validation.items()},
            "test": {name: rows(e.table) for name, e in self.test.items()},
            "differences": self.count_differences().to_dict(),
            "losses": {
                name: history[["loss", "dice_bce", "added"]].tail(50).mean().to_dict()
                for name, history in histories.items()
            },
            "times": times,
            "versions": versions(),
            "machine": machine(),
            "git_commit": git_commit(),
        }
        write_json(self.folder / "metrics.json", results)
        return results
