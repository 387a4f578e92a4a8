"""Find out whether everything is here that the library and its workbook need."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

__all__ = ["check"]

PYTHON = (3, 11)


def _advice() -> tuple[list[str], int]:
    """Return a line for each thing that is missing, and how many packages are needed."""
    advice = []
    if sys.version_info < PYTHON:
        advice.append(f"install Python {'.'.join(map(str, PYTHON))} or newer")
    try:
        needed = [Requirement(line) for line in requires("toposeg-lite") or []]
    except PackageNotFoundError:
        return [*advice, "toposeg-lite is missing: run `pip install -e .` in its folder"], 0
    needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            plain = f"{requirement.name}{requirement.specifier}"
            advice.append(f"run `pip install '{plain}'` (installed: {installed})")
    return advice, len(needed)


def check() -> None:
    """Print OK, or one line for each package that is missing or too old, with what mends it.

    Packages are found by their names and versions; none is imported. Of the extras, such as the
    one for tests, nothing is asked.

    Examples
    --------
    >>> check()
    OK: Python and all 23 packages that toposeg-lite needs
    """
    advice, count = _advice()
    print("\n".join(advice) or f"OK: Python and all {count} packages that toposeg-lite needs")
