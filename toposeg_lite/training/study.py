"""Many losses, several seeds, one data set: the table that a fair comparison makes.

For every seed one parent is trained with Dice + cross-entropy; from it the control and every arm go
on for the same number of steps on the same crops (see `comparison`, whose networks these are). The
weight of each arm is chosen on the validation images, against the control. When all are chosen, and
not before, the test images are scored.

Everything is kept in the study's folder: a checkpoint of each network, and the scores of each image
beside it. A study that was killed goes on where it was, and an arm that is added later trains only
its own networks::

    <folder>/seed0/parent.safetensors
    <folder>/seed0/cldice-0.5.safetensors
    <folder>/seed0/cldice-0.5.validation.json
    <folder>/seed0/cldice-0.5.test.json          the chosen weight alone
    <folder>/study.json                          the results: means
    <folder>/study.csv                           the scores of each test image
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ..checks import check_choice, check_integer
from ..data import Dataset
from ..files import write_atomically
from .checkpoint import Checkpoint, digest
from .comparison import COLUMNS, CompareConfig, choose_weight
from .evaluation import evaluate
from .loop import train
from .records import git_commit, plain, rows, versions

__all__ = ["ARMS", "Arm", "Study", "StudyConfig", "study_tables"]


# --- What is compared -------------------------------------------------------------------------


@dataclass(frozen=True)
class Arm:
    """One loss of a study.

    Parameters
    ----------
    name : str
        Of its rows and files.
    loss, loss_options
        See `TrainConfig`.
    weights : tuple of float
        One to six weights to choose from on the validation images.
    """

    name: str
    loss: str
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, ...] = (0.1, 0.3, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(self.weights))
        plain_name = isinstance(self.name, str) and Path(self.name).name == self.name
        if not plain_name or self.name in ("", "parent", "control"):
            raise ValueError(
                f"name must be a plain file name, and neither 'parent' nor 'control'; "
                f"got {self.name!r}"
            )


#: The arms of a study that names none: every loss of this library.
ARMS = (
    Arm("cldice", "cldice", weights=(0.2, 0.5, 1.0)),
    Arm("topological-rank", "topological", {"matching": "rank"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("topological-betti", "topological", {"matching": "betti"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("topological-spatial", "topological", {"matching": "spatial"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("warping", "warping", weights=(0.02, 0.1, 0.5)),
    Arm("morse-skeleton", "morse", {"structure": "skeleton"}, (0.3, 1.0, 3.0)),
    Arm("morse-patches", "morse", {"structure": "patches"}, (0.3, 1.0, 3.0)),
)


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides the numbers of a study; checked when it is made.

    Parameters
    ----------
    shared : CompareConfig
        What all networks have in common: data set, steps, crops, network, windows. Its `loss`,
        `loss_options`, `weight` and `seed` are replaced by those of each arm.
    arms : sequence of Arm
        The losses.
    seeds : sequence of int
        Each decides the first weights of a parent, and its crops and those of its arms.
    choose_on : {"each", "first"}
        Whether the weight of an arm is chosen for every seed anew, or on the first seed and kept
        for the others, which costs one network for each further seed instead of all.

    Raises
    ------
    TypeError, ValueError
        As for `CompareConfig`, and for arms or seeds that are none, or not different.

    Examples
    --------
    >>> StudyConfig(CompareConfig("brick"), seeds=(4, 5)).compare_config(ARMS[0], 5).tried
    (0.2, 0.5, 1.0)
    """

    shared: CompareConfig
    arms: Sequence[Arm] = ARMS
    seeds: Sequence[int] = (0, 1, 2)
    choose_on: str = "first"

    def __post_init__(self) -> None:
        if not isinstance(self.shared, CompareConfig):
            raise TypeError(f"shared must be a CompareConfig; got {type(self.shared).__name__}")
        for name, value in (("arms", self.arms), ("seeds", self.seeds)):
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise TypeError(f"{name} must be a sequence; got {value!r}")
            object.__setattr__(self, name, tuple(value))
        for arm in self.arms:
            if not isinstance(arm, Arm):
                raise TypeError(f"arms must hold instances of Arm; got {arm!r}")
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"arms must be one or more of different names; got {names}")
        for seed in self.seeds:
            check_integer(seed, "each of seeds", 0)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be one or more different numbers; got {self.seeds}")
        check_choice(self.choose_on, ("each", "first"), "choose_on")
        for arm in self.arms:
            self.compare_config(arm, self.seeds[0])

    def compare_config(self, arm: Arm, seed: int) -> CompareConfig:
        """Return the comparison that one arm makes with the control."""
        return dataclasses.replace(
            self.shared,
            loss=arm.loss,
            loss_options=arm.loss_options,
            weight=arm.weights,
            seed=seed,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can keep.

        Examples
        --------
        >>> list(StudyConfig(CompareConfig("brick")).as_dict())
        ['shared', 'arms', 'seeds', 'choose_on']
        """
        shared = self.shared.as_dict()
        for name in ("loss", "loss_options", "weight", "seed"):
            del shared[name]
        arms = [
            {
                "name": arm.name,
                "loss": arm.loss,
                "loss_options": dict(arm.loss_options),
                "weights": list(arm.weights),
            }
            for arm in self.arms
        ]
        return {
            "shared": shared,
            "arms": arms,
            "seeds": list(self.seeds),
            "choose_on": self.choose_on,
        }


# --- The study --------------------------------------------------------------------------------


class Study:
    """The networks of a study and their scores.

    Parameters
    ----------
    config : StudyConfig
        What is compared.
    folder : path
        Where everything is kept; made if there is none. What it already holds of the same study is
        read, not done again.
    data : Dataset, optional
        Use it instead of loading the data set that `config` names.
    say : callable
        Takes one line of text for each network. Default: `print`, at once.
    progress : bool
        Show a bar for each training.

    Attributes
    ----------
    chosen : dict
        The weight of each (seed, name of the arm), as soon as it is chosen.

    Examples
    --------
    >>> import tempfile
    >>> shared = CompareConfig("brick", pretrain_steps=2, finetune_steps=2, patch=16, width=2)
    >>> arms = [Arm("rank", "topological", weights=(0.1, 1.0))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config = StudyConfig(shared, arms, seeds=(0,))
    ...     results = Study(config, folder, say=lambda line: None).run()
    >>> list(results["networks"]), list(results["networks"]["rank"]["0"]["validation"])
    (['parent', 'control', 'rank'], ['0.1', '1'])
    """

    def __init__(
        self,
        config: StudyConfig,
        folder: str | os.PathLike[str],
        *,
        data: Dataset | None = None,
        say: Callable[[str], None] | None = None,
        progress: bool = False,
    ) -> None:
        if not isinstance(config, StudyConfig):
            raise TypeError(f"config must be a StudyConfig; got {type(config).__name__}")
        self.config = config
        self.data = config.shared.load() if data is None else data
        for arm in config.arms:
            config.compare_config(arm, config.seeds[0]).check(self.data)
        self.folder = Path(folder)
        for seed in config.seeds:
            (self.folder / f"seed{seed}").mkdir(parents=True, exist_ok=True)
        self.say = say or (lambda line: print(line, flush=True))
        self.progress = progress
        self.chosen: dict[tuple[int, str], float] = {}
        self._commit = git_commit()  # of the code that runs, not of later edits to its files
        self._networks: dict[tuple[int, str], Checkpoint] = {}
        self._settings: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Train all networks, choose the weights, score the test images once; return the results.

        Returns
        -------
        dict
            What ``study.json`` in the folder then holds: under "networks", for each network and
            seed, its weight, the mean scores of the test images, those of the validation images
            for each weight that was tried, and the times of a step; beside it parameters, settings
            of the scores, versions and commit. ``study.csv`` beside it holds the scores of each
            test image, to 6 significant digits: a row for each network, seed and image.
        """
        networks: dict[str, dict[str, Any]] = {"parent": {}, "control": {}}
        networks |= {arm.name: {} for arm in self.config.arms}
        for seed in self.config.seeds:
            for name, entry in self._train_and_choose(seed).items():
                networks[name][str(seed)] = entry
        # Every weight is chosen: only now does anybody look at the test images.
        tests = []
        for seed in self.config.seeds:
            for name, entries in networks.items():
                entry = entries[str(seed)]
                table = self._score(seed, _file(name, entry["weight"]), "test")
                entry["test"] = _means(table)
                about = {"network": name, "weight": entry["weight"], "seed": seed}
                tests.append(table.filter(list(COLUMNS)).reset_index().assign(**about))
        splits = ("train", "validation", "test")
        results = {
            "parameters": self.config.as_dict(),
            "settings": self._settings | {"reference": self.data.reference},
            "images": {split: len(getattr(self.data, split)) for split in splits},
            "networks": networks,
            "versions": versions(),
            "threads": torch.get_num_threads(),
        }
        write_atomically(self.folder / "study.json", json.dumps(results, indent=1).encode())
        scores = pd.concat(tests).set_index(["network", "weight", "seed", "image"])
        write_atomically(self.folder / "study.csv", scores.to_csv(float_format="%.6g").encode())
        return results

    def _train_and_choose(self, seed: int) -> dict[str, dict[str, Any]]:
        """Train the networks of one seed and choose the weight of each arm."""
        shared = dataclasses.replace(self.config.shared, seed=seed)
        parent = self._train(seed, "parent", shared, 0.0, None)
        self._train(seed, "control", shared, 0.0, parent)
        control: dict[str, float] = {}
        found: dict[str, dict[str, Any]] = {}
        for name in ("parent", "control"):
            control = _means(self._score(seed, name, "validation"))
            found[name] = {"weight": 0.0, "validation": {"0": control}} | self._about(seed, name)
        for arm in self.config.arms:
            config = self.config.compare_config(arm, seed)
            weights = config.tried
            if seed != self.config.seeds[0] and self.config.choose_on == "first":
                weights = (self.chosen[self.config.seeds[0], arm.name],)
            tried = {}
            for weight in weights:
                name = _file(arm.name, weight)
                self._train(seed, name, config, weight, parent)
                tried[weight] = _means(self._score(seed, name, "validation"))
            scores = pd.DataFrame.from_dict({0.0: control} | tried, orient="index")
            weight = choose_weight(scores)
            self.chosen[seed, arm.name] = weight
            if len(weights) > 1:
                self.say(f"seed {seed}: {arm.name} takes the weight {weight:g}")
            found[arm.name] = {
                "weight": weight,
                "validation": {f"{weight:g}": means for weight, means in tried.items()},
            } | self._about(seed, _file(arm.name, weight))
        return found

    def _path(self, seed: int, name: str, ending: str) -> Path:
        """Return the path of a file of one network."""
        return self.folder / f"seed{seed}" / f"{name}.{ending}"

    def _train(
        self, seed: int, name: str, config: CompareConfig, weight: float, start: Checkpoint | None
    ) -> Checkpoint:
        """Train one network, or go on with it, or read it if it is finished."""
        steps = config.pretrain_steps if start is None else config.finetune_steps
        self._networks[seed, name] = train(
            config.train_config(weight, steps, anneal=start is not None),
            data=self.data,
            start=start,
            out=self._path(seed, name, "safetensors"),
            resume=True,
            progress=self.progress,
        )
        return self._networks[seed, name]

    def _score(self, seed: int, name: str, split: str) -> pd.DataFrame:
        """Return the scores of one network on whole images; read them if they are known."""
        network, shared = self._networks[seed, name], self.config.shared
        scored = {
            "weights": digest(network.weights),
            "connectivity": shared.connectivity,
            "window": json.loads(json.dumps(shared.window)),
        }
        path = self._path(seed, name, f"{split}.json")
        found = json.loads(path.read_bytes()) if path.is_file() else {}
        if {key: found.get(key) for key in scored} != scored:
            table = evaluate(
                network.model(),
                getattr(self.data, split),
                labels=self.data.labels,
                connectivity=shared.connectivity,
                window=shared.window,
            ).table
            found = scored | {"git_commit": self._commit, "images": rows(table)}
            write_atomically(path, json.dumps(found, indent=1).encode())
        table = pd.DataFrame.from_dict(found["images"], orient="index").rename_axis("image")
        self._settings = {
            name: plain(table[name].iloc[0])
            for name in ("connectivity", "patch", "border", "labels")
        }
        said = ", ".join(f"{COLUMNS[key]} {mean:.3f}" for key, mean in _means(table).items())
        self.say(f"seed {seed}: {name}, {split}: {said}")
        return table

    def _about(self, seed: int, name: str) -> dict[str, Any]:
        """Return the times of a network and the commit of the code that scored it first."""
        history = self._networks[seed, name].history
        kept = json.loads(self._path(seed, name, "validation.json").read_bytes())
        return {
            "seconds_per_step": float(history["seconds"].median()),
            "share_of_loss": float(history["seconds_added"].sum() / history["seconds"].sum()),
            "git_commit": kept["git_commit"],
        }


def _means(table: pd.DataFrame) -> dict[str, float]:
    """Return the mean of each score over the images of a table."""
    return {key: float(table[key].mean()) for key in COLUMNS if key in table}


def _file(name: str, weight: float) -> str:
    """Return how the files of a network are called; weight 0 are parent and control."""
    return f"{name}-{weight:g}" if weight else name


# --- The tables -------------------------------------------------------------------------------


def study_tables(results: Mapping[str, Any]) -> str:
    """Return the tables of a study as Markdown: the scores, and the differences to the control.

    Parameters
    ----------
    results : dict
        What `Study.run` returns, or ``study.json`` holds.

    Returns
    -------
    str
        A row for each network. Scores are the mean over the test images, then mean ± standard
        deviation over the seeds. Differences are taken seed by seed, arm minus control.

    Examples
    --------
    >>> networks = {
    ...     name: {
    ...         seed: {"weight": weight, "share_of_loss": 0.0, "test": {"dice": dice}}
    ...         for seed, dice in (("0", first), ("1", second))
    ...     }
    ...     for name, weight, first, second in (("control", 0, 0.9, 0.8), ("arm", 0.5, 0.92, 0.84))
    ... }
    >>> print(study_tables({"networks": networks}))
    | network | weight | Dice | share of loss |
    | --- | --- | --- | --- |
    | control | | .850 ± .071 | 0 % |
    | arm | 0.5 | .880 ± .057 | 0 % |
    <BLANKLINE>
    | arm - control | Dice |
    | --- | --- |
    | arm | +.030 ± .014 |
    """
    networks = results["networks"]
    tests = {
        name: pd.DataFrame({seed: entry["test"] for seed, entry in entries.items()}).T
        for name, entries in networks.items()
    }
    shown = [key for key in COLUMNS if key in tests["control"]]
    titles = [COLUMNS[key] for key in shown]
    digits = {key: 3 if tests["control"][key].abs().max() < 1.5 else 2 for key in shown}
    scores = []
    for name, entries in networks.items():
        weights = sorted({entry["weight"] for entry in entries.values()})
        share = sum(entry["share_of_loss"] for entry in entries.values()) / len(entries)
        scores.append(
            [
                name,
                ", ".join(f"{weight:g}" for weight in weights if weight),
                *(_spread(tests[name][key], digits[key]) for key in shown),
                f"{share:.0%}".replace("%", " %"),
            ]
        )
    differences = [
        [name]
        + [_spread(table[key] - tests["control"][key], digits[key], sign="+") for key in shown]
        for name, table in tests.items()
        if name not in ("parent", "control")
    ]
    return "\n\n".join(
        [
            _markdown(["network", "weight", *titles, "share of loss"], scores),
            _markdown(["arm - control", *titles], differences),
        ]
    )


def _spread(values: pd.Series, digits: int, sign: str = "") -> str:
    """Return mean ± standard deviation as a table shows them, without the zero before the point."""
    numbers = [f"{values.mean():{sign}.{digits}f}"]
    if len(values) > 1:
        numbers.append(f"{values.std():.{digits}f}")
    return " ± ".join(re.sub(r"^([+-]?)0\.", r"\1.", number) for number in numbers)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown has it."""
    table = [header, ["---"] * len(header), *lines]
    return "\n".join(re.sub(" +", " ", f"| {' | '.join(cells)} |") for cells in table)
