"""Finished studies: which networks were compared, and where they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...checks import check_path
from ...files import reading
from ...training.records import read_json

__all__ = ["Finished", "read_finished"]

NEEDED = ("dataset", "window", "connectivity", "in_patches", "pretrain_steps", "finetune_steps")


@dataclass(frozen=True)
class Finished:
    """A finished study.

    Attributes
    ----------
    folder : Path
        As the commands ``study`` and ``sweep`` leave it.
    files : dict
        File and weight of each network that was compared, by its label and seed; not the parents'.
    parameters : dict
        What all networks share: see `StudyConfig.as_dict`.
    """

    folder: Path
    files: dict[tuple[str, int], tuple[Path, float]]
    parameters: dict[str, Any]

    @property
    def dataset(self) -> str:
        """On which the networks were trained."""
        return str(self.parameters["dataset"])


def read_finished(folder: str | os.PathLike[str]) -> Finished:
    """Return the networks of a finished study, all of which must be there."""
    place = check_path(folder, "folder")
    path = place / "study.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: name the folder of a finished study, as the commands study and "
            f"sweep leave it"
        )
    results, files = read_json(path), {}
    with reading(path, "study"):
        shared = dict(results["parameters"]["shared"])
        missing = [key for key in NEEDED if key not in shared]
        if missing:
            raise ValueError(f"it does not say {', '.join(missing)}")
        for label, entries in results["networks"].items():
            for seed, entry in entries.items():
                if label != "parent":
                    name = label if label == "control" else f"{label}-{entry['weight']:g}"
                    file = place / f"seed{seed}" / f"{name}.safetensors"
                    files[label, int(seed)] = (file, float(entry["weight"]))
    lost = [str(file) for file, _ in files.values() if not file.is_file()]
    if lost or not files:
        raise FileNotFoundError(f"the study {place} lacks its network {lost[0] if lost else ''}")
    return Finished(place, files, shared)
