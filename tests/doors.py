"""Every door of the library, and the calls that a table of bad arguments begins with.

A door is what somebody calls: a public function, the constructor of a public class, a method with
parameters, a trait of an explorer, an option of a command. `good_calls.py` of each folder holds a
good call for each; the test takes it through and then, one at a time, each of its arguments in each
bad form that its kind has.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from bad_values import BY_NAME, Kind
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

RECORD = Path(__file__).with_name("public_names.json")

#: Records that functions return and others take: what is in them is checked by those who take them.
RECORDS = {
    "AnnotationCurve", "Answer", "BranchSet", "Branches", "Bundle", "Checkpoint", "Dataset",
    "Difference", "Drawing", "Effect", "Evaluation", "Gaussian", "Line", "Matching", "MorseComplex",
    "MorseView", "PersistencePairs", "Problem", "Progress", "Question", "QueuedBranch", "Quiz",
    "Reliability", "Run", "Sample", "Skeleton", "Stroke", "StructureDistribution", "StructureLoss",
    "StructureSamples", "Uncertainty", "Variant", "Verdict", "WarpResult",
}  # fmt: skip
#: What others write and the library calls: nothing of it is the library's to check.
PROTOCOLS = {"BranchModel"}
#: Functions and methods that only the library calls, with what it checked or made itself.
INNER = {
    *(
        f"files.{name}"
        for name in (
            "atomic_file",
            "check_room",
            "free_room",
            "make_folder",
            "one_writer",
            "reading",
            "remove_abandoned",
            "size_text",
            "try_lock",
            "unlock",
        )
    ),
    "workbook.explorers.base.Explorer",  # the base, which nobody makes
    *(f"structures.head.BranchHead.{name}" for name in ("build", "distribution", "learn", "loss")),
    *(
        f"structures.threshold.Threshold.{name}"
        for name in ("build", "distribution", "loss", "posterior", "prior", "temperature")
    ),
    *(f"annotation.ranking.LogisticModel.{name}" for name in ("learn", "predict")),
    *(
        f"annotation.structure_ranking.StructureRanking.{name}"
        for name in ("learn", "likelihood", "predict", "propose")
    ),
    *(f"structures.common.Gaussian.{name}" for name in ("centred", "divergence", "draw", "read")),
}


@dataclass(frozen=True)
class Call:
    """A good call of a door, and the bad forms of each of its arguments.

    Attributes
    ----------
    door : str
        What is called, as `doors_of` names it.
    run : function
        Takes `good` as keywords.
    good : dict
        Arguments that are taken.
    bad : dict
        For each parameter its bad forms; of those that are missing `BY_NAME` knows them.
    free : dict
        Parameters that take anything, with the reason.
    """

    door: str
    run: Callable[..., Any]
    good: Mapping[str, Any]
    bad: Mapping[str, Kind]
    free: Mapping[str, str]

    def kinds(self) -> dict[str, Kind]:
        """Return the bad forms of each argument of the good call."""
        known = {name: BY_NAME[name] for name in self.good if name in BY_NAME}
        return {name: k for name, k in (known | self.bad).items() if name not in self.free}


def call(
    door: Any,
    good: Mapping[str, Any],
    bad: Mapping[str, Kind] | None = None,
    *,
    of: Callable[..., Any] | None = None,
    free: Mapping[str, str] | None = None,
) -> Call:
    """Return a good call of a function or class, or of a method, `of` which it is called."""
    return Call(name_of(door), of or door, good, bad or {}, free or {})


def name_of(door: Any) -> str:
    return f"{door.__module__}.{door.__qualname__}".removeprefix("toposeg_lite.")


def parameters_of(door: Any) -> list[str]:
    """Return the names of what a door takes, without ``self``; ``**options`` count too."""
    taken = inspect.signature(door).parameters.values()
    return [p.name for p in taken if p.name not in ("self", "cls") and p.kind != p.VAR_POSITIONAL]


def controls_of(explorer: Any) -> dict[str, Any]:
    """Return the traits of an explorer that check their values, by name."""
    traits = getattr(explorer, "class_traits", dict)()
    return {name: trait for name, trait in sorted(traits.items()) if hasattr(trait, "check")}


def doors_of(thing: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the parameters of each door of one public function or class."""
    if inspect.isfunction(thing):
        yield name_of(thing), parameters_of(thing)
        return
    if thing.__name__ in PROTOCOLS:
        return
    if thing.__name__ not in RECORDS:
        yield name_of(thing), parameters_of(thing)
    for name in controls_of(thing):
        yield f"{name_of(thing)}.{name}", [name]
    for label in dir(thing):
        method = inspect.getattr_static(thing, label)
        method = getattr(method, "__func__", method)
        ours = inspect.isfunction(method) and method.__module__.startswith("toposeg_lite")
        if ours and not label.startswith("_"):
            yield name_of(method), parameters_of(method)


def public_doors() -> dict[str, list[str]]:
    """Return each door with parameters of the record of public names."""
    doors: dict[str, list[str]] = {}
    for module, names in json.loads(RECORD.read_text()).items():
        for name in names:
            thing = getattr(importlib.import_module(module), name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                doors |= {d: taken for d, taken in doors_of(thing) if taken and d not in INNER}
    return doors


def missing(doors: Mapping[str, list[str]], calls: list[Call]) -> list[str]:
    """Return what the table lacks: doors without a call, and parameters without a bad form."""
    lacking = []
    for door, parameters in doors.items():
        known = [c for c in calls if c.door == door]
        if not known:
            lacking.append(door)
            continue
        tried = {name for c in known for name in [*c.kinds(), *c.free]}
        lacking += [f"{door}({name})" for name in parameters if name not in tried]
    return lacking


def drawn(figure: Axes | Figure) -> bytes:
    """Return the pixels of a figure, or of the figure of some axes."""
    whole: Any = figure.get_figure(root=True) if isinstance(figure, Axes) else figure
    if not hasattr(whole, "first_drawn"):  # a second drawing of the same figure may move its parts
        canvas = FigureCanvasAgg(whole)
        canvas.draw()
        whole.first_drawn = bytes(canvas.buffer_rgba())
    return whole.first_drawn


def same(first: Any, second: Any) -> bool:
    """Return whether two results are equal, bit by bit."""
    if isinstance(first, np.ndarray):
        equal_nan = first.dtype.kind in "fc"
        return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=equal_nan)
    if isinstance(first, torch.Tensor):
        return bool(torch.equal(first, second))
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(v, second[k]) for k, v in first.items())
    if isinstance(first, float):
        return first == second or (first != first and second != second)
    if isinstance(first, Axes | Figure):
        return drawn(first) == drawn(second)
    if isinstance(first, pd.DataFrame):
        return first.equals(second)
    if hasattr(first, "describe"):  # an explorer, or an app
        return bool(first.describe() == second.describe())
    if hasattr(first, "__dataclass_fields__"):
        names = [name for name in first.__dataclass_fields__ if not name.startswith("_")]
        return all(same(getattr(first, name), getattr(second, name)) for name in names)
    return bool(first == second)
