"""Many losses, several seeds, one data set: what does a loss change that more training would not.

A network that is trained longer is better, with any loss. So for every seed three kinds of networks
are compared [1]_:

- the **parent** is trained with Dice + cross-entropy;
- the **control** goes on from the parent with Dice + cross-entropy;
- each **arm** goes on from the same parent for the same number of steps on the same images in the
  same order, with the loss under test added.

The effect of the loss is the difference between an arm and the control. How strongly the loss is
added, its weight, is chosen on the validation images among a few values. When all are chosen, and
not before, the test images are scored, once.

Everything is kept in the study's folder: a checkpoint of each network, and the scores of each image
beside it. A study that was killed goes on where it was, and an arm that is added later trains only
its own networks::

    <folder>/seed0/parent.safetensors
    <folder>/seed0/cldice-0.5.safetensors
    <folder>/seed0/cldice-0.5.validation.json
    <folder>/seed0/cldice-0.5.test.json          the chosen weight alone
    <folder>/study.json                          the results: means
    <folder>/study.csv                           the scores of each test image
    <folder>/study-angles.csv                    those of a further group of test images
    <folder>/study.html                          the page that shows both

References
----------
.. [1] A. H. Berger et al., "Pitfalls of topology-aware image segmentation". arXiv:2412.14619
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ...checks import check_choice, check_flag, check_integer, check_number, check_path
from ...data import Dataset, Sample, list_datasets, load_dataset
from ...files import check_room, make_folder, reading, write_atomically
from ...topology.grid import check_connectivity
from ...training import Checkpoint, Evaluation, TrainConfig, evaluate, train
from ...training.balance import check_weight, wanted_ratio
from ...training.checkpoint import checkpoint_size, digest
from ...training.config import check_data_options, check_sides, resolve_sides
from ...training.loop import default_network
from ...training.records import (
    git_commit,
    machine,
    plain,
    read_json,
    rows,
    versions,
    write_json,
)
from .options import gather_folder
from .scores import COLUMNS, choose_weight, mean_scores
from .study_page import study_page

__all__ = ["ARMS", "NOTEBOOKS", "REFERENCE_RUNS", "Arm", "Study", "StudyConfig", "check_splits"]

#: Where the workbook keeps its notebooks and its stored runs; an installed package has none.
NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
REFERENCE_RUNS = NOTEBOOKS / "reference_runs"
#: How scores were taken: it stands beside them.
SETTINGS = ("connectivity", "patch", "border", "labels")


# --- What is compared -------------------------------------------------------------------------


@dataclass(frozen=True)
class Arm:
    """One loss of a study: its name in tables and files, and what is added in training.

    `loss` and `loss_options` are those of `TrainConfig`, so the loss "sum" adds several; `weights`
    are one to six to choose from on the validation images, each above zero. With `balance` they are
    ratios of gradients, of which `TrainConfig` makes the weight of each step: ``"balance:0.5"``.

    Examples
    --------
    >>> parts = {"topological": {"matching": "spatial"}, "cldice": {}}
    >>> arm = Arm("both", "sum", {"parts": parts}, weights=(0.5, 1), balance=True)
    >>> arm.file(0.5), arm.factor(0.5)
    ('both-0.5', 'balance:0.5')
    """

    name: str
    loss: str
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    weights: Sequence[float] = (0.1, 0.3, 1.0)
    balance: bool = False

    def __post_init__(self) -> None:
        plain_name = isinstance(self.name, str) and Path(self.name).name == self.name
        if not plain_name or self.name in ("", "parent", "control"):
            raise ValueError(
                f"name must be a plain file name, and neither 'parent' nor 'control'; "
                f"got {self.name!r}"
            )
        TrainConfig("brick", loss=self.loss, loss_options=self.loss_options)  # which checks both
        if isinstance(self.weights, str) or not isinstance(self.weights, Sequence):
            raise TypeError(f"weights must be a sequence of numbers; got {self.weights!r}")
        check_flag(self.balance, "balance")
        # The control already has weight 0.
        weights = tuple(check_number(w, "each of weights", positive=True) for w in self.weights)
        if not 1 <= len(weights) <= 6:
            raise ValueError(f"there must be one to six weights to try; got {self.weights}")
        if len(set(weights)) < len(weights):
            raise ValueError(f"the weights to try must differ; got {self.weights}")
        object.__setattr__(self, "weights", weights)

    def file(self, weight: float) -> str:
        """Return how the files of its network with a weight are called."""
        return f"{self.name}-{check_number(weight, 'weight'):g}"

    def factor(self, weight: float) -> float | str:
        """Return the weight as `TrainConfig` takes it."""
        number = check_number(weight, "weight", positive=True)
        return f"balance:{number!r}" if self.balance else number


#: The arms of a study that names none: every loss that can be added, to images and to volumes.
ARMS = (
    Arm("cldice", "cldice", weights=(0.2, 0.5, 1.0)),
    Arm("topological-rank", "topological", {"matching": "rank"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("topological-betti", "topological", {"matching": "betti"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("topological-spatial", "topological", {"matching": "spatial"}, (0.5, 1.5, 4.0, 10.0)),
    Arm("warping", "warping", weights=(0.02, 0.1, 0.5)),
    Arm("morse-skeleton", "morse", {"structure": "skeleton"}, (0.3, 1.0, 3.0)),
    Arm("morse-patches", "morse", {"structure": "patches"}, (0.3, 1.0, 3.0)),
    Arm("skeleton-recall", "skeleton_recall", weights=(0.2, 0.5, 1.0)),
    Arm("scnp", "scnp", weights=(0.3, 1.0, 3.0)),
)
_SPATIAL = {"matching": "spatial"}
#: Further arms that a study can name: other options of these losses, a loss of images alone, and
#: sums of two.
FURTHER_ARMS = (
    Arm("clce", "cldice", {"measure": "cross_entropy"}, (0.3, 1.0, 3.0)),
    Arm("topological-windows", "topological", {**_SPATIAL, "window": 64, "overlap": 16},
        (0.5, 1.5, 4.0)),
    Arm("warping-dice", "warping", {"pixel_loss": "dice"}, (0.1, 0.3, 1.0)),
    Arm("morse-both-dice", "morse", {"of": "both", "pixel_loss": "dice"}, (0.3, 1.0, 3.0)),
    Arm("topograph", "topograph", weights=(0.01, 0.03, 0.1)),
    Arm("topological+cldice", "sum",
        {"parts": {"topological": _SPATIAL, "cldice": {}}, "weights": {"topological": 4.0}},
        (0.2, 0.5, 1.0)),
    Arm("topological+warping", "sum",
        {"parts": {"topological": _SPATIAL, "warping": {"pixel_loss": "dice"}},
         "weights": {"warping": 0.2}},
        (0.5, 1.5, 4.0)),
)  # fmt: skip


def read_arms(wanted: Any) -> tuple[Arm, ...]:
    """Return arms that are named, or described by mappings of the fields of `Arm`.

    Examples
    --------
    >>> described = {"name": "thin", "loss": "cldice", "loss_options": {"skeleton": "thin"}}
    >>> [arm.name for arm in read_arms(["warping", described])]
    ['warping', 'thin']
    """
    known = {arm.name: arm for arm in (*ARMS, *FURTHER_ARMS)}
    wanted = [wanted] if isinstance(wanted, str | Mapping) else wanted
    if not isinstance(wanted, Sequence) or not all(isinstance(w, str | Mapping) for w in wanted):
        raise TypeError(f"arms must be names, or map the fields of Arm to values; got {wanted!r}")
    fields = [field.name for field in dataclasses.fields(Arm)]
    arms = []
    for arm in wanted:
        if isinstance(arm, Mapping):
            for name in arm:
                check_choice(name, fields, f"arms must map fields of Arm: each name in {arm!r}")
            if not {"name", "loss"} <= set(arm):
                raise ValueError(f"arms must have a name and a loss; got {arm!r}")
            arms.append(Arm(**arm))
        elif arm in known:
            arms.append(known[arm])
        else:
            raise ValueError(f"unknown arm {arm!r}; there are {', '.join(known)}")
    return tuple(arms)


#: The weights that are tried of a single loss.
WEIGHTS = (0.05, 0.1, 0.2, 0.4)
#: Fields of `TrainConfig` that the arms and the seeds of a study decide.
_OF_ARMS = ("loss", "loss_options", "weight", "seed")
#: Fields of `StudyConfig` beside those that all networks share.
_SCHEDULE = ("pretrain_steps", "finetune_steps", "window", "connectivity", "in_patches")
_SPLITS = ("train", "validation", "test")


#: What a study uses where it is not told otherwise: what two cores do in an hour or so.
BUDGET = {"pretrain_steps": 800, "finetune_steps": 250, "patch": 192, "window": 512}


def read_study(parameters: Mapping[str, Any]) -> StudyConfig:
    """Return a study from parameters as commands and files have them.

    They are those of `StudyConfig.from_parameters` and of your own images (`gather_folder`);
    "arms" is what `read_arms` reads, by default `ARMS`.
    """
    given = gather_folder(parameters)
    arms = read_arms(given.pop("arms")) if "arms" in given else ARMS
    return StudyConfig.from_parameters(**BUDGET | given, arms=arms)


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides the numbers of a study; checked when it is made.

    Parameters
    ----------
    shared : TrainConfig
        How all networks are trained. Its `loss`, `loss_options`, `weight`, `seed`, `steps` and
        `anneal` are replaced by those of each network.
    arms : sequence of Arm
        The losses.
    seeds : sequence of int
        Each decides the first weights of a parent, and its crops and those of its arms.
    pretrain_steps, finetune_steps : int
        Steps of the parent, and of the control and each arm after it.
    window : int or tuple of int
        In which whole images are predicted; see `predict`.
    connectivity : int, optional
        For the scores; see `toposeg_lite.metrics.report`. The loss's own is among its options.
    in_patches : bool
        Take Betti errors as the mean over patches of the data set's size, not of whole images.
    choose_on : {"each", "first"}
        Whether the weight of an arm is chosen for every seed anew, or on the first seed and kept
        for the others, which costs one network for each further seed instead of all.
    groups : dict of dict
        Further groups of test images, by a name for each, that are scored when the test images are:
        options of the data set that differ there, or "dataset", another data set, and its options,
        e.g. of topomortar ``{"angles": {"group": "angles"}}``.

    Examples
    --------
    >>> config = StudyConfig(TrainConfig("brick"), seeds=(4, 5))
    >>> config.arm_config(5, ARMS[0], 0.2).loss
    'cldice'
    """

    shared: TrainConfig
    arms: Sequence[Arm] = ARMS
    seeds: Sequence[int] = (0, 1, 2)
    pretrain_steps: int = 600
    finetune_steps: int = 200
    window: int | tuple[int, ...] = 256
    connectivity: int | None = None
    in_patches: bool = False
    choose_on: str = "first"
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.shared, TrainConfig):
            raise TypeError(f"shared must be a TrainConfig; got {type(self.shared).__name__}")
        for name, value in (("arms", self.arms), ("seeds", self.seeds)):
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise TypeError(f"{name} must be a sequence; got {value!r}")
        for arm in self.arms:
            if not isinstance(arm, Arm):
                raise TypeError(f"arms must hold instances of Arm; got {arm!r}")
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"arms must be one or more of different names; got {names}")
        checked: dict[str, Any] = {
            "arms": tuple(self.arms),
            "seeds": tuple(check_integer(seed, "each of seeds") for seed in self.seeds),
            "pretrain_steps": check_integer(self.pretrain_steps, "pretrain_steps", 1),
            "finetune_steps": check_integer(self.finetune_steps, "finetune_steps", 1),
            "window": check_sides(self.window, "window"),
            "in_patches": check_flag(self.in_patches, "in_patches"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must be one or more different numbers; got {self.seeds}")
        check_choice(self.choose_on, ("each", "first"), "choose_on")
        if self.connectivity != 2:  # of which only an image can say whether it is the full one
            check_connectivity(self.connectivity, 3)
        for arm in self.arms:
            self.arm_config(self.seeds[0], arm, arm.weights[0])
        if not isinstance(self.groups, Mapping):
            raise TypeError(f"groups must map names to options of a data set; got {self.groups!r}")
        for name in self.groups:
            if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
                raise ValueError(f"each name in groups must be a plain file name; got {name!r}")
            self._group(name)

    def _group(self, name: str) -> tuple[str, dict[str, Any]]:
        """Return the data set of a further group of test images and its options, checked."""
        given = self.groups[name]
        if not isinstance(given, Mapping):
            raise TypeError(f"groups[{name!r}] must map options to values; got {given!r}")
        options = dict(given)
        dataset = options.pop("dataset", self.shared.dataset)
        check_choice(dataset, list_datasets(), f"the dataset of groups[{name!r}]")
        if "dataset" not in given:
            options = {**self.shared.data_options, **options}
        return dataset, check_data_options(options, dataset, f"groups[{name!r}]")

    def load_group(self, name: str) -> Dataset:
        """Load the data set that has a further group of test images."""
        dataset, options = self._group(check_choice(name, tuple(self.groups), "name"))
        return load_dataset(dataset, root=self.shared.root, **options)

    @classmethod
    def from_parameters(cls, **values: Any) -> StudyConfig:
        """Return a study from names and values in one row, as a notebook or a command has them.

        They are fields of `TrainConfig` and of this class. Without "arms" it is the study of one
        "loss" (with "loss_options") and one "seed": "weight" is a number, or a sequence of several
        to choose from, and Betti errors are taken in patches. With "arms" none of these four is
        taken, since arms and "seeds" say them.

        Examples
        --------
        >>> config = StudyConfig.from_parameters(loss="cldice", weight=0.5, seed=3)
        >>> config.arms[0].name, config.arms[0].weights, config.seeds
        ('cldice', (0.5,), (3,))
        """
        own = [f.name for f in dataclasses.fields(cls) if f.name != "shared"]
        training = [name for name in cls.parameter_names() if name not in own]
        unknown = [name for name in values if name not in cls.parameter_names()]
        if unknown:
            raise ValueError(
                f"unknown parameter {', '.join(map(repr, unknown))}; "
                f"there are {', '.join(cls.parameter_names())}"
            )
        fields = {name: value for name, value in values.items() if name in own}
        if given := [name for name in _OF_ARMS if name in values and "arms" in values]:
            raise ValueError(f"a study takes no {given[0]!r}: name arms and seeds")
        weight = values.pop("weight", WEIGHTS)
        shared = TrainConfig(**{name: values[name] for name in training if name in values})
        if "arms" not in fields:
            weights = weight if isinstance(weight, list | tuple) else (weight,)
            balance = bool(weights) and all(isinstance(each, str) for each in weights)
            if balance:
                weights = [wanted_ratio(check_weight(each)) or 0.0 for each in weights]
            fields["arms"] = (Arm(shared.loss, shared.loss, shared.loss_options, weights, balance),)
            if fields.get("groups"):
                raise ValueError("groups are scored by a study of named arms: say which arms")
            fields = {"seeds": (shared.seed,), "in_patches": True} | fields
        return cls(shared, **fields)

    @classmethod
    def parameter_names(cls) -> list[str]:
        """Return the names that `from_parameters` knows."""
        training = [f.name for f in dataclasses.fields(TrainConfig)]
        own = [f.name for f in dataclasses.fields(cls) if f.name != "shared"]
        return [*(name for name in training if name not in ("steps", "anneal")), *own]

    def parameters(self) -> dict[str, Any]:
        """Return what `from_parameters` makes this study of one loss of; JSON can keep it."""
        arm = self.arms[0]
        values = self.shared.as_dict() | {"weight": [arm.factor(each) for each in arm.weights]}
        del values["steps"], values["anneal"]
        return values | self._schedule()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can keep."""
        shared = self.shared.as_dict()
        for name in (*_OF_ARMS, "steps", "anneal"):
            del shared[name]
        return {
            "shared": shared | self._schedule(),
            "arms": [dataclasses.asdict(arm) | {"weights": list(arm.weights)} for arm in self.arms],
            "seeds": list(self.seeds),
            "choose_on": self.choose_on,
            "groups": {name: dict(options) for name, options in self.groups.items()},
        }

    def _schedule(self) -> dict[str, Any]:
        """Return the fields that are neither shared nor of arms and seeds, as JSON has them."""
        values = {name: getattr(self, name) for name in _SCHEDULE}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    def parent_config(self, seed: int) -> TrainConfig:
        """Return how the parent of a seed is trained."""
        return dataclasses.replace(
            self.shared, weight=0.0, steps=self.pretrain_steps, seed=seed, anneal=False
        )

    def arm_config(self, seed: int, arm: Arm | None = None, weight: float = 0.0) -> TrainConfig:
        """Return how an arm goes on from the parent of a seed; without an arm, the control."""
        if not isinstance(arm, Arm | None):
            raise TypeError(f"arm must be an Arm; got {type(arm).__name__}")
        values: dict[str, Any] = {"steps": self.finetune_steps, "seed": seed, "anneal": True}
        values["weight"] = check_number(weight, "weight")
        if arm is not None:
            values |= {"loss": arm.loss, "loss_options": arm.loss_options}
            if values["weight"]:
                values["weight"] = arm.factor(weight)
        return dataclasses.replace(self.shared, **values)

    def load(self) -> Dataset:
        """Load the data set and check that this study fits it."""
        data = self.shared.load()
        self.check(data)
        return data

    def check(self, data: Dataset) -> None:
        """Raise a ValueError unless this study fits `data`, and it has all three splits."""
        check_splits(data)
        for arm in self.arms:
            self.arm_config(self.seeds[0], arm, arm.weights[0]).check(data.ndim, data.channels)
        resolve_sides(self.window, data.ndim, "window")
        check_connectivity(self.connectivity, data.ndim)


def check_splits(data: Dataset) -> None:
    """Raise a ValueError unless a data set has images to train on, to choose on and to score."""
    if not isinstance(data, Dataset):
        raise TypeError(f"data must be a Dataset; got {type(data).__name__}")
    for split in _SPLITS:
        if not getattr(data, split):
            raise ValueError(
                f"the data set {data.name!r} has no {split} images: a study trains on one split, "
                f"chooses on another and scores the third"
            )


# --- The study --------------------------------------------------------------------------------


class Study:
    """The networks of a study and their scores.

    What the folder already holds of the same study is read, not done again. `data` is used instead
    of loading the data set that `config` names. `say` takes one line of text for each network;
    default: `print`, at once.

    `chosen` holds the weight of each (seed, name of the arm), as soon as it is chosen, and
    `settings` on what the scores depend, as soon as there are some: "connectivity", "patch",
    "border", "labels" and "reference".

    Examples
    --------
    >>> import tempfile
    >>> arms = [Arm("rank", "topological", weights=(0.1, 1.0))]
    >>> config = StudyConfig(TrainConfig("brick", patch=16, width=2), arms, seeds=(0,),
    ...                      pretrain_steps=2, finetune_steps=2)
    >>> with tempfile.TemporaryDirectory() as folder:
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
        folder = check_path(folder, "folder")
        if say is not None and not callable(say):
            raise TypeError(f"say must be a function of a text; got {say!r}")
        check_flag(progress, "progress")
        self.config = config
        self.data = config.load() if data is None else data
        config.check(self.data)
        self.folder = folder
        for seed in config.seeds:
            make_folder(self._folder(seed))
        self.say = say or (lambda line: print(line, flush=True))
        self.progress = progress
        self.chosen: dict[tuple[int, str], float] = {}
        self.settings: dict[str, Any] = {}
        self._events: Path | None = None  # for those of each training, if they are kept
        self._group: tuple[str, Dataset] | None = None  # the one that was loaded last
        for group in config.groups:
            self._load_group(group)
        self._commit = git_commit()  # of the code that runs, not of later edits to its files
        self._networks: dict[tuple[int, str], Checkpoint] = {}
        self._tables: dict[tuple[int, str, str], pd.DataFrame] = {}

    def _load_group(self, name: str) -> Dataset:
        """Return the data set that has a further group of test images; one at a time is kept."""
        if self._group is None or self._group[0] != name:
            data, ours = self.config.load_group(name), self.data
            if (data.channels, data.ndim) != (ours.channels, ours.ndim) or not data.test:
                raise ValueError(
                    f"groups[{name!r}] must have test images like those of {ours.name!r}, with "
                    f"{ours.channels} channels and {ours.ndim} axes; it has {len(data.test)}, with "
                    f"{data.channels} and {data.ndim}"
                )
            self._group = name, data
        return self._group[1]

    def run(self) -> dict[str, Any]:
        """Train all networks, choose the weights, score the test images once; return the results.

        They are what ``study.json`` in the folder then holds: under "networks", for each network
        and seed, its weight, the mean scores of the test images, those of the validation images for
        each weight that was tried, and the times of a step; beside it parameters, settings of the
        scores, versions and commit. ``study.csv`` holds the scores of each test image, to 6
        significant digits: a row for each network, seed and image. Further groups of test images
        are under "groups", and each has a table of its own.
        """
        self._check_room()
        for seed in self.config.seeds:
            self._train(seed, "parent", self.config.parent_config(seed))
            self._train(seed, "control", self.config.arm_config(seed))
            for name in ("parent", "control"):
                self._score(seed, name, "validation")
            for arm in self.config.arms:
                self._train_arm(seed, arm)
                self._choose(seed, arm)
        # Every weight is chosen: only now does anybody look at the test images.
        scores = self._test("test")
        groups = {}
        for group in self.config.groups:
            self._write_scores(f"study-{group}", self._test(f"test-{group}"))
            groups[group] = self._group_entry(group)
        results = {
            "parameters": self.config.as_dict(),
            "settings": self.settings,
            "images": {split: len(getattr(self.data, split)) for split in _SPLITS},
            "networks": {
                label: {str(seed): self._entry(seed, label) for seed in self.config.seeds}
                for label in self._compared(self.config.seeds[0])
            },
            "groups": groups,
            "versions": versions(),
            "machine": machine(),
        }
        write_json(self.folder / "study.json", results)
        self._write_scores("study", scores)
        page = study_page(results, scores.reset_index())
        write_atomically(self.folder / "study.html", page.encode())
        return results

    def _test(self, split: str) -> pd.DataFrame:
        """Score the networks that are compared on test images; return the scores of each image."""
        tests = []
        for seed in self.config.seeds:
            for label, (name, weight) in self._compared(seed).items():
                table = self._score(seed, name, split).filter(list(COLUMNS)).reset_index()
                tests.append(table.assign(network=label, weight=weight, seed=seed))
        return pd.concat(tests).set_index(["network", "weight", "seed", "image"])

    def _write_scores(self, name: str, scores: pd.DataFrame) -> None:
        """Write a table of scores."""
        write_atomically(self.folder / f"{name}.csv", scores.to_csv(float_format="%.6g").encode())

    # Training

    def _check_room(self) -> None:
        """Refuse a study whose networks will not all fit on the disk, before the first is made."""
        config, first = self.config, self.config.seeds[0]
        parent, arm = config.parent_config(first), config.arm_config(first)
        _, model = default_network(self.data, parent)
        sizes = []
        for seed in config.seeds:
            # An arm of which one weight is to be trained, and nobody knows yet which, needs a file.
            one = seed != first and config.choose_on == "first"
            files = [[a.file(weight) for weight in a.weights] for a in config.arms]
            needed = files if one else [[name] for names in files for name in names]
            for names in [["parent"], ["control"], *needed]:
                paths = [self._folder(seed) / f"{name}.safetensors" for name in names]
                if not any(path.exists() for path in paths):
                    sizes.append(checkpoint_size(model, parent if names == ["parent"] else arm))
        text = f"the {len(sizes)} networks of the study that are still to be trained"
        check_room(self.folder, sum(sizes), text)

    def _folder(self, seed: int) -> Path:
        """Return where the files of the networks of a seed are kept."""
        return self.folder / f"seed{seed}"

    def _train(self, seed: int, name: str, config: TrainConfig) -> None:
        """Train one network, or go on with it, or read it if it is finished."""
        self._networks[seed, name] = train(
            config,
            data=self.data,
            start=None if name == "parent" else self._networks[seed, "parent"],
            out=self._folder(seed) / f"{name}.safetensors",
            resume=True,
            events=self._events and self._events / name,
            progress=self.progress,
        )

    def _train_arm(self, seed: int, arm: Arm) -> None:
        """Go on from the parent with the loss of an arm, in each weight that is tried."""
        for weight in self._tried(seed, arm):
            self._train(seed, arm.file(weight), self.config.arm_config(seed, arm, weight))

    def _tried(self, seed: int, arm: Arm) -> Sequence[float]:
        """Return the weights that are tried with a seed."""
        first = self.config.seeds[0]
        if seed != first and self.config.choose_on == "first":
            return (self.chosen[first, arm.name],)
        return arm.weights

    def _times(self, seed: int, name: str) -> dict[str, float]:
        """Return the median time of a step, and the part of the time that the loss took."""
        history = self._networks[seed, name].history
        return {
            "seconds_per_step": float(history["seconds"].median()),
            "share_of_loss": float(history["seconds_added"].sum() / history["seconds"].sum()),
        }

    # Scores

    def _choose(self, seed: int, arm: Arm) -> pd.DataFrame:
        """Choose the weight of an arm by the validation images; return their mean scores."""
        names = {0.0: "control"} | {weight: arm.file(weight) for weight in self._tried(seed, arm)}
        wanted = ["dice", "cldice", "betti_error", "betti_matching_error"]
        means = {
            weight: mean_scores(self._score(seed, name, "validation"), wanted)
            for weight, name in names.items()
        }
        table = pd.DataFrame.from_dict(means, orient="index").rename_axis("weight")
        self.chosen[seed, arm.name] = choose_weight(table)
        if len(names) > 2:
            self.say(f"seed {seed}: {arm.name} takes the weight {self.chosen[seed, arm.name]:g}")
        return table

    def _compared(self, seed: int) -> dict[str, tuple[str, float]]:
        """Return, by their label, name and weight of the networks whose test images are scored."""
        compared = {"parent": ("parent", 0.0), "control": ("control", 0.0)}
        for arm in self.config.arms:
            weight = self.chosen[seed, arm.name]
            compared[arm.name] = (arm.file(weight), weight)
        return compared

    def _score(self, seed: int, name: str, split: str) -> pd.DataFrame:
        """Return the scores of one network on whole images; read them if they are known."""
        if (seed, name, split) not in self._tables:
            table = self._find_scores(seed, name, split)
            self._tables[seed, name, split] = table
            if split in _SPLITS:
                self.settings = self._settings_of(table, self.data)
            means = mean_scores(table).items()
            text = ", ".join(f"{COLUMNS[key]} {mean:.3f}" for key, mean in means)
            self.say(f"seed {seed}: {name}, {split}: {text}")
        return self._tables[seed, name, split]

    def _settings_of(self, table: pd.DataFrame, data: Dataset) -> dict[str, Any]:
        """Return on what the scores of a table depend."""
        kept = {key: plain(table[key].iloc[0]) for key in SETTINGS}
        return kept | {"reference": data.reference}

    def _data_of(self, split: str) -> Dataset:
        """Return the data set whose images are scored: ours, or that of a further group."""
        return self.data if split in _SPLITS else self._load_group(split.removeprefix("test-"))

    def _samples(self, split: str) -> Sequence[Sample]:
        """Return the images of a split, or the test images of a further group."""
        return getattr(self._data_of(split), split if split in _SPLITS else "test")

    def _find_scores(self, seed: int, name: str, split: str) -> pd.DataFrame:
        """Read the scores of one network, or predict the images and keep their scores."""
        network = self._networks[seed, name]
        scored = {
            "weights": digest(network.weights),
            "connectivity": self.config.connectivity,
            "window": json.loads(json.dumps(self.config.window)),
            "patch": self._patch(split),
        }
        path = self._folder(seed) / f"{name}.{split}.json"
        kept = read_json(path) if path.is_file() else {}
        with reading(path, "table of scores"):
            is_ours = {key: kept.get(key) for key in scored} == scored
        if not is_ours:
            table = self._evaluate(network, split).table
            kept = scored | {"git_commit": self._commit, "images": rows(table)}
            write_json(path, kept)
        with reading(path, "table of scores"):
            return self._table(kept["images"], split)

    def _table(self, images: dict[str, dict[str, Any]], split: str) -> pd.DataFrame:
        """Return the scores of the images of a split, all of them and no others, as a table."""
        names = {sample.name for sample in self._samples(split)}
        if {name.split(", class ")[0] for name in images} != names:
            raise ValueError("it holds the scores of other images")
        if any({*SETTINGS, "dice"} - image.keys() for image in images.values()):
            raise ValueError("an image has no scores, or nothing says how they were taken")
        table = pd.DataFrame.from_dict(images, orient="index").rename_axis("image")
        for key in COLUMNS:
            if key in table:
                table[key] = table[key].astype(float)
        return table

    def _patch(self, split: str) -> int | None:
        """Return the side of the patches in which Betti errors are taken; None: of whole images."""
        return self._data_of(split).patch if self.config.in_patches else None

    def _evaluate(self, network: Checkpoint, split: str) -> Evaluation:
        """Predict and score the images of a split."""
        return evaluate(
            network.model(),
            self._samples(split),
            labels=self._data_of(split).labels,
            connectivity=self.config.connectivity,
            patch=self._patch(split),
            window=self.config.window,
        )

    # Results

    def _group_entry(self, group: str) -> dict[str, Any]:
        """Return what the results say of a further group of test images, when it is scored."""
        data, split = self._load_group(group), f"test-{group}"
        seeds = self.config.seeds
        return {
            "dataset": data.name,
            "settings": self._settings_of(self._score(seeds[0], "control", split), data),
            "images": len(data.test),
            "networks": {
                label: {
                    str(seed): mean_scores(self._score(seed, self._compared(seed)[label][0], split))
                    for seed in seeds
                }
                for label in self._compared(seeds[0])
            },
        }

    def _entry(self, seed: int, label: str) -> dict[str, Any]:
        """Return what the results say of one network; the commit is that which scored it first."""
        name, weight = self._compared(seed)[label]
        arm = next((arm for arm in self.config.arms if arm.name == label), None)
        tried = {w: arm.file(w) for w in self._tried(seed, arm)} if arm else {0.0: label}
        kept = read_json(self._folder(seed) / f"{name}.validation.json")
        return {
            "weight": weight,
            "validation": {
                f"{w:g}": mean_scores(self._score(seed, file, "validation"))
                for w, file in tried.items()
            },
            **self._times(seed, name),
            "git_commit": kept["git_commit"],
            "test": mean_scores(self._score(seed, name, "test")),
        }
