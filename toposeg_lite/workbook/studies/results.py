"""Files of results are numbers that somebody may quote: no command replaces those of another run.

A command that is told where its results go asks here before it computes anything. Results of the
same parameters are written anew; what holds others is refused, and the message names the
difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...files import reading
from ...training import TrainConfig
from ...training.records import read_json
from .study import StudyConfig

__all__ = ["check_same", "check_study_results", "check_table", "config_facts", "result_files"]

MEND = "name another file, or move it away"
#: Fields of `TrainConfig` that decide no number.
FREE = ("root", "checkpoint_every")


def check_same(path: Path, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a ValueError that names each parameter in which a file differs from what is wanted.

    Examples
    --------
    >>> check_same(Path("a.json"), {"steps": 3, "patch": 8}, {"steps": 3, "patch": 16})
    Traceback (most recent call last):
        ...
    ValueError: a.json holds other results: patch is 8 there, not 16; name another file, or move it
    away
    """
    ours = json.loads(json.dumps(wanted))  # tuples are lists there
    differences = []
    for name in dict.fromkeys([*kept, *ours]):
        if name not in ours or name not in kept:
            differences.append(f"{name} is {'only there' if name in kept else 'not there'}")
        elif kept[name] != ours[name]:
            differences.append(f"{name} is {_short(kept[name])} there, not {_short(ours[name])}")
    if differences:
        raise ValueError(f"{path} holds other results: {', '.join(differences)}; {MEND}")


def config_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `TrainConfig` as a file has them.

    What older files lack is as it was before there was a choice; what decides no number is None.
    """
    default = TrainConfig("brick").as_dict()  # none of the others depends on the data set
    return dict(json.loads(json.dumps(default | dict(config) | dict.fromkeys(FREE))))


def _short(value: Any) -> str:
    """Return a value as a message can hold it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_table(path: Path, **wanted: Iterable[Any]) -> None:
    r"""Raise a ValueError unless a table is missing, or holds in each column only what is wanted.

    The columns are those that say of what a row is, such as the image or the network. A table of
    fewer rows is an earlier state of the same one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     check_table(path, image=["1", "2"])
    ...     written = path.write_text("image,dice\n1,0.5\n")
    ...     check_table(path, image=["1", "2"])
    """
    if not path.exists():
        return
    with reading(path, "table of such results"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if missing := [name for name in wanted if name not in table]:
            raise ValueError(f"it lacks {', '.join(missing)}; {MEND}")
    for name, values in wanted.items():
        known = {value if isinstance(value, str) else f"{value:.6g}" for value in values}
        if other := [each for each in table[name].unique() if not {each, _number(each)} & known]:
            raise ValueError(
                f"{path} holds other results: among its values of {name} is {other[0]!r}, which "
                f"the new ones would not have; {MEND}"
            )


def _number(text: str) -> str | None:
    """Return a number as tables of scores write it, 0.5 for 0.50; None for other texts."""
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return None


def result_files(path: Path, config: StudyConfig) -> dict[str, Path]:
    """Return by their names in a study's folder where its results are put: `path` and beside it."""
    endings = [".json", ".csv", *(f"-{group}.csv" for group in config.groups)]
    return {f"study{end}": path.with_name(f"{path.stem}{end}") for end in endings}


def check_study_results(path: Path, config: StudyConfig) -> None:
    """Raise a ValueError if a file, or a table beside it, holds results of another study.

    Arms, groups, and seeds after the others may have been added: the new results then hold all that
    was there.
    """
    kept: dict[str, Any] = {}
    if path.exists():
        results = read_json(path)
        with reading(path, "study"):
            kept = _flat(results["parameters"])
        wanted = _flat(config.as_dict())
        wanted["seeds"] = wanted["seeds"][: len(kept["seeds"])]
        added = [
            name for name in wanted if name.startswith(("arm ", "group ")) and name not in kept
        ]
        check_same(path, kept, {name: wanted[name] for name in wanted if name not in added})
    networks = ["parent", "control", *(arm.name for arm in config.arms)]
    for name, file in result_files(path, config).items():
        group = name.removeprefix("study-").removesuffix(".csv")
        told = kept if name == "study.csv" else f"group {group}" in kept
        if file.suffix == ".csv" and file.exists() and not told:
            raise ValueError(f"{file} holds scores, and no {path} says of which study; {MEND}")
        if file.suffix == ".csv":
            check_table(file, network=networks, seed=config.seeds)


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a study in one row, as JSON has them; arms and groups are some.

    What older files lack is as it was before there was a choice; what decides no number is None.
    """
    default = StudyConfig(TrainConfig("brick")).as_dict()
    flat = default["shared"] | parameters["shared"] | dict.fromkeys(FREE)
    flat |= {name: parameters.get(name, default[name]) for name in ("seeds", "choose_on")}
    flat |= {f"arm {arm['name']}": arm for arm in parameters["arms"]}
    flat |= {f"group {name}": group for name, group in parameters.get("groups", {}).items()}
    return dict(json.loads(json.dumps(flat)))
