"""Find out whether everything is here that the library and its workbook need."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from .checks import check_choice

__all__ = ["check"]

PYTHON = (3, 11)
EXTRAS = ("workbook", "training", "torch")
CHECKOUT = Path(__file__).parents[1] / "pyproject.toml"


def _needed(extra: str) -> list[Requirement]:
    """Return what the library and the extra need on this system."""
    lines = requires("toposeg-lite") or []
    if CHECKOUT.is_file():  # `git pull` brings a new list, which no installation has seen
        project = tomllib.loads(CHECKOUT.read_text(encoding="utf-8"))["project"]
        if project["name"] == "toposeg-lite":
            lines = project["dependencies"] + project["optional-dependencies"].get(extra, [])
    needed = map(Requirement, lines)
    return [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]


def _advice(extra: str) -> list[str]:
    """Return a line for each thing that is missing or too old."""
    advice = []
    if sys.version_info < PYTHON:
        advice.append(f"install Python {'.'.join(map(str, PYTHON))} or newer")
    try:
        needed = _needed(extra)
    except PackageNotFoundError:
        return [*advice, "toposeg-lite is missing: run `pip install -e .` in its folder"]
    for requirement in needed:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            plain = f"{requirement.name}{requirement.specifier}"
            advice.append(f"run `pip install '{plain}'` (installed: {installed})")
    return advice


def check(extra: str | None = "workbook") -> None:
    """Print OK, or one line for each package that is missing or too old, with what mends it.

    Packages are found by their names and versions; none is imported. In a checkout its
    ``pyproject.toml`` says what is needed, also where it is newer than the installation.

    Parameters
    ----------
    extra : str or None
        Besides what the library itself needs, also what this extra does: "workbook" (everything of
        the chapters, the default), "training" or "torch"; None: no extra.

    Examples
    --------
    >>> check()
    OK: Python and every package that toposeg-lite needs
    >>> check("torch")
    OK: Python and every package that toposeg-lite needs
    """
    if extra is not None:
        check_choice(extra, EXTRAS, "extra")
    advice = _advice(extra or "")
    print("\n".join(advice) or "OK: Python and every package that toposeg-lite needs")
