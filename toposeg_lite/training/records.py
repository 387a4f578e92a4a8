"""Numbers as JSON keeps them, and where they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..files import reading, write_atomically

__all__ = ["git_commit", "machine", "plain", "read_json", "rows", "versions", "write_json"]

_PACKAGES = ("torch", "numpy", "numba", "scipy", "scikit-image", "accelerate", "safetensors")


def plain(value: Any) -> Any:
    """Return a value of a table as JSON knows it; a missing one is None."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value


def rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the numbers of a table, row by row."""
    return {
        str(name): {str(key): plain(value) for key, value in row.items()}
        for name, row in table.to_dict(orient="index").items()
    }


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_atomically(path, f"{json.dumps(content, indent=1)}\n".encode())


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file; one that is damaged raises a ValueError that names it."""
    with reading(path, "JSON file"):
        return json.loads(Path(path).read_bytes())


def versions() -> dict[str, str]:
    """Return the versions of Python, of this library and of what its numbers depend on."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    } | {name: version(name) for name in ("toposeg-lite", *_PACKAGES)}


def machine() -> dict[str, Any]:
    """Return on what numbers are computed: another processor or number of threads may change them.

    "processor" is its name, "cores" how many the system has, "threads" how many torch uses.
    """
    name = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")  # Linux alone says more than the architecture here
    if facts.is_file():
        lines = [line.partition(":") for line in facts.read_text().splitlines()]
        names = [value.strip() for key, _, value in lines if key.strip() == "model name"]
        name = names[0] if names else name
    return {"processor": name, "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def git_commit() -> str | None:
    """Return the commit of the library, marked if files differ from it; None outside git."""
    here = Path(__file__).parents[1]
    try:
        commit, changes = (
            subprocess.run(
                ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "."])
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or installed from a package
        return None
    return commit + (" with uncommitted changes" if changes else "")
