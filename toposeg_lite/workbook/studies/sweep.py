"""Many studies over many processes: ``python -m toposeg_lite.training sweep FILE.yml``.

The file lists studies by their parameters, those of the command ``study``; a grid gives every study
in every combination of some values::

    out: runs/main                       # the folder of all studies; by default runs/<FILE>
    shared: {pretrain_steps: 800, seeds: [0, 1, 2], arms: [cldice, topological-spatial]}
    studies:
      - {dataset: topomortar, groups: {angles: {group: angles}}}
      - {name: aerial, dataset: epfl_roads, patch: 128}
    grid: {width: [8, 16]}

Every network is one task of Dask [1]_, and so is every scoring of test images; an arm waits for its
parent, an arm of a later seed for the choice of its weight, and the test images for all choices. By
default the tasks run in processes on this machine; ``--scheduler tcp://HOST:PORT`` takes a cluster
that is there, ``--scheduler dask_jobqueue.SLURMCluster`` makes one, as Dask's configuration says.
All processes must see the same folder `out`.

A worker that dies loses the one network that it trained; another one goes on from its checkpoint.
What is finished is not repeated by the next call: a study has a folder named by its name, by its
parameters and by the code that decides its numbers (see `code_digest`), and there every network has
its checkpoint, every scoring its file. Arms, seeds and groups may be added. Where a machine is lent
for a few minutes at a time, ``--minutes 9`` makes a part of the sweep, the same call the next one.

In the end one Parquet table holds the scores of each image: "study", "dataset", "split"
("validation", "test" or "test-<group>"), "network", "weight", "seed", "image" and the metrics. Of
the validation images all weights that were tried have rows, of the test images the chosen one.

References
----------
.. [1] M. Rocklin, "Dask: parallel computation with blocked algorithms and task scheduling",
       SciPy 2015. doi:10.25080/Majora-7b98e3ed-013
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import json
import logging
import os
import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from ...checks import check_flag, check_integer, check_number, check_path, check_text
from ...data import Dataset
from ...files import make_folder, reading, write_atomically
from ...training import load_checkpoint
from ...training.records import read_json
from .scores import COLUMNS, read_scores
from .study import Arm, Study, StudyConfig, read_study

__all__ = ["SweepError", "code_digest", "read_sweep", "run_sweep"]

PACKAGE = Path(__file__).parents[2]
#: The files whose code decides what a network learns and how it is scored.
DECIDING = (
    "checks.py", "calibration.py", "metrics.py", "models.py", "topology", "losses", "data",
    "training", "workbook/studies/study.py", "workbook/studies/scores.py",
)  # fmt: skip
#: How many workers may die of one task before it is given up.
DEATHS = 10
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.comm.timeouts.connect": "300s",  # processes of a busy machine start slowly
    # Dask lets its workers give every freed page back at once: a step then spends half its time
    # on asking for the same pages again.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**33,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_MAX_": 0,
}


class SweepError(RuntimeError):
    """Parts of a sweep could not be made."""


# --- What is asked for ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SweptStudy:
    """A study of a sweep: its name, its parameters as the file has them, and its folder."""

    name: str
    parameters: Mapping[str, Any]
    folder: Path

    def config(self) -> StudyConfig:
        """Return the study."""
        return read_study(self.parameters)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a fingerprint of the code that decides numbers: comments and docstrings are not in it.

    Examples
    --------
    >>> len(code_digest())
    8
    """
    digest = hashlib.sha256()
    for name in DECIDING:
        place = PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                if isinstance(body, list) and body and _is_text(body[0]):
                    body[0] = ast.Pass()
            digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:8]


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a text alone, as a docstring is."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def read_sweep(file: str | os.PathLike[str], *, any_code: bool = False) -> list[SweptStudy]:
    """Read which studies a file asks for; every parameter is checked.

    With `any_code` a folder of the same name and parameters is taken, whichever code made it.
    """
    check_flag(any_code, "any_code")
    path = check_path(file, "file")
    _check_installed("yaml")
    import yaml  # type: ignore[import-untyped]  # here, for no training needs it

    with reading(path, "sweep"):
        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from None
    if not isinstance(given, Mapping):
        raise ValueError(f"{path} must map 'studies' and others to values; got {given!r}")
    for name in given:
        if name not in ("out", "shared", "studies", "grid"):
            raise ValueError(f"{path} must have out, shared, studies and grid alone; got {name!r}")
    out = Path(check_text(given.get("out", f"runs/{path.stem}"), "out"))
    shared, grid = (_mapping(given.get(name, {}), name) for name in ("shared", "grid"))
    studies = given.get("studies", [{}])
    if not isinstance(studies, Sequence) or isinstance(studies, str) or not studies:
        raise TypeError(f"studies must be a list of parameters of studies; got {studies!r}")
    for name, values in grid.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise TypeError(f"grid must map parameters to lists of values; got {name}: {values!r}")
    swept = []
    for study in studies:
        for combination in product(*grid.values()):
            here = dict(zip(grid, combination, strict=True))
            values = {**shared, **_mapping(study, "each of studies"), **here}
            swept.append(_swept(values, here, out, any_code))
    names = [study.name for study in swept]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"studies must have different names; {twice!r} is there more than once")
    return swept


def _check_installed(*names: str) -> None:
    """Raise a ModuleNotFoundError, before hours of work, unless these are installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"a sweep needs {' and '.join(missing)}, which is not installed. "
            f"Run: pip install 'toposeg-lite[scale]'"
        )


def _mapping(value: Any, name: str) -> dict[str, Any]:
    """Return a mapping of texts as a dict, else raise."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} must map names to values; got {value!r}")
    return dict(value)


def _swept(
    values: dict[str, Any], here: Mapping[str, Any], out: Path, any_code: bool
) -> SweptStudy:
    """Return a study with the values of its place in the grid, and where it is kept."""
    name = values.pop("name", None)
    config = read_study(values)
    name = config.shared.dataset if name is None else check_text(name, "name")
    name = "-".join([name, *(f"{key}={value}" for key, value in here.items())])
    name = re.sub(r"[^\w.=+-]+", "_", name)
    shared = config.as_dict()["shared"]
    for free in ("root", "checkpoint_every"):  # neither decides a number
        del shared[free]
    text = json.dumps(shared, sort_keys=True)
    kept = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    folder = out / f"{kept}-{code_digest()}"
    if any_code:
        made = sorted(out.glob(f"{kept}-*"), key=lambda path: path.stat().st_mtime)
        folder = made[-1] if made else folder
    return SweptStudy(name, values, folder)


# --- Tasks, which run in workers ------------------------------------------------------------------


class _Part(Study):
    """A study of which a process makes one network, or scores one; the others it reads."""

    def __init__(self, study: SweptStudy, threads: int) -> None:
        torch.set_num_threads(threads)
        self.said: list[str] = []
        config = study.config()
        super().__init__(config, study.folder, data=_load(study), say=self.said.append)

    def _read(self, seed: int, name: str) -> None:
        """Read a network that another task has made."""
        if (seed, name) not in self._networks:
            path = self._folder(seed) / f"{name}.safetensors"
            self._networks[seed, name] = load_checkpoint(path)

    def choice(self, seed: int, arm: Arm) -> float:
        """Choose the weight of an arm as `Study.run` does, by what the tasks before have left."""
        first = self.config.seeds[0]
        if seed != first and self.config.choose_on == "first":
            self.choice(first, arm)
        for name in ("control", *(arm.file(weight) for weight in self._tried(seed, arm))):
            self._read(seed, name)
        self._choose(seed, arm)
        return self.chosen[seed, arm.name]

    def make(self, seed: int, arm: Arm, weight: float | None) -> None:
        """Train an arm in a weight, or in the one that the first seed has chosen."""
        first = self.config.seeds[0]
        weight = self.choice(first, arm) if weight is None else weight
        self._read(seed, "parent")
        self._train(seed, arm.file(weight), self.config.arm_config(seed, arm, weight))
        self._score(seed, arm.file(weight), "validation")

    def start(self, seed: int, name: str) -> None:
        """Train a parent or a control."""
        if name == "parent":
            self._train(seed, name, self.config.parent_config(seed))
        else:
            self._read(seed, "parent")
            self._train(seed, name, self.config.arm_config(seed))
        self._score(seed, name, "validation")

    def test(self, seed: int, label: str, split: str) -> None:
        """Score a network that is compared on test images."""
        arms = {arm.name: arm for arm in self.config.arms}
        name = label
        if label in arms:
            name = arms[label].file(self.choice(seed, arms[label]))
        self._read(seed, name)
        self._score(seed, name, split)


# A worker makes one network after the other, mostly of one data set.
_LOADED: dict[str, Dataset] = {}


def _load(study: SweptStudy) -> Dataset:
    """Load the data set of a study, unless this process has just done so."""
    shared = study.config().shared
    key = json.dumps([shared.dataset, shared.root, shared.data_options, shared.own_folder])
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = shared.load()
    return _LOADED[key]


def _task(
    study: SweptStudy, threads: int, what: str, arguments: tuple[Any, ...], *before: Any
) -> list[str]:
    """Do a part of a study; return what it says. `before` are results of tasks it waits for."""
    part = _Part(study, threads)
    getattr(part, what)(*arguments)
    return part.said


def _collect(study: SweptStudy, threads: int, *before: Any) -> list[str]:
    """Write the results of a study of which every part is made."""
    torch.set_num_threads(threads)
    said: list[str] = []
    Study(study.config(), study.folder, data=_load(study), say=said.append).run()
    return []  # what it says was said by its parts


def _submit(client: Any, study: SweptStudy, threads: int, token: str) -> dict[str, Any]:
    """Hand the tasks of a study to a client; return what will come of them, by titles."""
    config = study.config()
    others = config.seeds[1:]
    tasks: dict[str, Any] = {}

    def give(title: str, what: str, arguments: tuple[Any, ...], before: Sequence[Any]) -> Any:
        title = f"{study.name}: {title}"
        tasks[title] = client.submit(
            _task, study, threads, what, arguments, *before, key=f"{title} ({token})", pure=False
        )
        return tasks[title]

    tried: dict[str, list[Any]] = {}
    for seed in config.seeds:
        parent = give(f"seed {seed}, parent", "start", (seed, "parent"), [])
        control = give(f"seed {seed}, control", "start", (seed, "control"), [parent])
        for arm in config.arms:
            if seed in others and config.choose_on == "first":
                title = f"seed {seed}, {arm.name}"
                give(title, "make", (seed, arm, None), [parent, *tried[arm.name]])
                continue
            made = [
                give(f"seed {seed}, {arm.file(w)}", "make", (seed, arm, w), [parent])
                for w in arm.weights
            ]
            tried.setdefault(arm.name, [control, *made])
    networks = [*tasks.values()]
    for split in ("test", *(f"test-{group}" for group in config.groups)):
        for seed, label in product(
            config.seeds, ("parent", "control", *(arm.name for arm in config.arms))
        ):
            give(f"seed {seed}, {label}, {split}", "test", (seed, label, split), networks)
    title = f"{study.name}: results"
    tasks[title] = client.submit(
        _collect, study, threads, *tasks.values(), key=f"{title} ({token})", pure=False
    )
    return tasks


# --- The sweep ------------------------------------------------------------------------------------


def is_address(scheduler: str | None) -> bool:
    """Whether a scheduler is one that is there, and not the class of a cluster to be made."""
    return scheduler is not None and "://" in scheduler


@contextmanager
def open_client(
    scheduler: str | None,
    workers: int,
    log: int = logging.WARNING,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """Open a client of a cluster: of processes here, one that is there, or one of a class.

    Processes here say what is at least of the level `log`. `settings` are further ones of Dask.
    """
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(SETTINGS | dict(settings or {})):
        if is_address(scheduler):
            with Client(scheduler) as client:
                yield client
            return
        if scheduler is None:
            cluster: Any = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0,
                host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=log,
            )  # fmt: skip
        else:
            module, _, name = scheduler.rpartition(".")
            try:
                cluster = getattr(importlib.import_module(module), name)()
            except (ImportError, AttributeError, ValueError) as error:
                raise ValueError(
                    f"scheduler must be tcp://HOST:PORT or the class of a cluster, such as "
                    f"dask_jobqueue.SLURMCluster; got {scheduler!r}: {error}"
                ) from error
            cluster.scale(workers)
        try:
            with Client(cluster) as client:
                yield client
        finally:
            # A busy system may take longer to bury a worker than Dask waits after killing it; by
            # then everything is done.
            with suppress(TimeoutError):
                cluster.close()


def _ended(futures: Sequence[Any], minutes: float | None) -> Iterator[Any]:
    """Give the futures as they end, until the minutes have passed."""
    from distributed import as_completed

    with suppress(TimeoutError):
        yield from as_completed(futures, timeout=None if minutes is None else 60 * minutes)


def run_sweep(
    file: str | os.PathLike[str],
    *,
    workers: int | None = None,
    threads: int = 1,
    scheduler: str | None = None,
    any_code: bool = False,
    minutes: float | None = None,
    progress: bool = True,
) -> Path:
    """Make all studies of a file, or go on with them; return the table of their scores.

    Parameters
    ----------
    file : path
        What to do: see the module's docstring.
    workers : int, optional
        How many processes train at once. Default: as many as there are cores. A cluster that is
        there has its own: with its address this must be None.
    threads : int
        How many threads torch uses in each; another number changes the last digits.
    scheduler : str, optional
        The address of a scheduler of Dask, ``tcp://HOST:PORT``, or the class of a cluster. Default:
        processes on this machine.
    any_code : bool
        Go on with what other code has begun, if its name and parameters are the same.
    minutes : float, optional
        Stop when so many have passed since the processes began. What is then in training goes on
        from its last checkpoint with the same call; a scheduler that is there trains it to its end.
        Default: when all is made.
    progress : bool
        Show a bar of tasks, and a line for each network.

    Raises
    ------
    SweepError
        If a network could not be made, or the minutes have passed. All others are made before, and
        the table holds the studies that are finished; the same call tries again, or goes on.
    """
    workers = None if workers is None else check_integer(workers, "workers", 1)
    threads = check_integer(threads, "threads", 1)
    if minutes is not None:
        minutes = check_number(minutes, "minutes", positive=True)
    scheduler = None if scheduler is None else check_text(scheduler, "scheduler")
    if workers is not None and is_address(scheduler):
        raise ValueError(
            f"workers must be left out with a scheduler that is there, {scheduler}, which has its "
            f"own; got workers={workers}"
        )
    workers = workers or os.cpu_count() or 1
    check_flag(progress, "progress")
    _check_installed("dask", "distributed", "pyarrow")
    swept = read_sweep(file, any_code=any_code)
    for study in swept:
        study.config().check(_load(study))
        make_folder(study.folder)
    _LOADED.clear()
    failed: dict[str, str] = {}
    with open_client(scheduler, workers) as client:
        if progress and client.dashboard_link:
            print(f"dashboard: {client.dashboard_link}", file=sys.stderr)
        token = uuid.uuid4().hex[:8]
        tasks: dict[str, Any] = {}
        for study in swept:
            tasks |= _submit(client, study, threads, token)
        titles = {future.key: title for title, future in tasks.items()}
        left = len(tasks)
        with tqdm(total=left, unit="task", disable=not progress) as bar:
            for future in _ended([*tasks.values()], minutes):
                left -= 1
                error = future.exception()
                if error is not None:
                    failed[titles[future.key]] = f"{type(error).__name__}: {error}"
                elif progress:
                    for line in future.result():
                        bar.write(
                            f"{titles[future.key].partition(':')[0]}: {line}", file=sys.stderr
                        )
                bar.update()
    path = _write_table(swept)
    said = []
    if left:
        counts = f"{left} of {len(titles)} parts are still to be made"
        said.append(f"the {minutes:g} minutes have passed: {counts}; the same call goes on")
    if failed:
        causes: dict[str, str] = {}  # each with the first part that failed of it, in their order
        for title in tasks:
            if title in failed:
                causes.setdefault(failed[title], title)
        said += [
            f"{len(failed)} of {len(titles)} parts are missing; the same call tries them again:",
            *(f"{title}: {cause}" for cause, title in causes.items()),
        ]
    if said:
        raise SweepError("\n".join(said))
    return path


def _write_table(swept: Sequence[SweptStudy]) -> Path:
    """Write the scores of each image of all studies that are finished; return the file."""
    tables = [_scores_of(study) for study in swept if (study.folder / "study.json").is_file()]
    path = swept[0].folder.parent / "sweep.parquet"
    if tables:
        content = BytesIO()
        pd.concat(tables, ignore_index=True).to_parquet(content, index=False)
        write_atomically(path, content.getvalue())
    return path


def _scores_of(study: SweptStudy) -> pd.DataFrame:
    """Return the scores of each image of a finished study."""
    config = study.config()
    results = read_json(study.folder / "study.json")
    tables = []
    for group in (None, *config.groups):
        end = "" if group is None else f"-{group}"
        table = read_scores(study.folder / f"study{end}.csv")
        dataset = config.shared.dataset if group is None else results["groups"][group]["dataset"]
        tables.append(table.assign(split=f"test{end}", dataset=dataset))
    for network, entries in results["networks"].items():
        arm = next((arm for arm in config.arms if arm.name == network), None)
        for seed, entry in entries.items():
            for text in entry["validation"]:
                name = network if arm is None else arm.file(float(text))
                kept = read_json(study.folder / f"seed{seed}" / f"{name}.validation.json")
                table = pd.DataFrame.from_dict(kept["images"], orient="index")
                table = table.filter(list(COLUMNS)).rename_axis("image").reset_index()
                facts = {"network": network, "weight": float(text), "seed": int(seed)}
                tables.append(
                    table.assign(**facts, split="validation", dataset=config.shared.dataset)
                )
    table = pd.concat(tables, ignore_index=True).assign(study=study.name)
    keys = ["study", "dataset", "split", "network", "weight", "seed", "image"]
    return table[[*keys, *(key for key in COLUMNS if key in table)]]
