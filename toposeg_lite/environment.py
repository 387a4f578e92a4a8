"""Find out whether everything is here that the library and its workbook need."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from .checks import check_choice

__all__ = ["check"]

PYTHON = (3, 11)
EXTRAS = ("workbook", "training", "torch")


def _advice(extra: str) -> tuple[list[str], int]:
    """Return a line for each thing that is missing, and how many packages are needed."""
    advice = []
    if sys.version_info < PYTHON:
        advice.append(f"install Python {'.'.join(map(str, PYTHON))} or newer")
    try:
        needed = [Requirement(line) for line in requires("toposeg-lite") or []]
    except PackageNotFoundError:
        return [*advice, "toposeg-lite is missing: run `pip install -e .` in its folder"], 0
    needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]
    for requirement in needed:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            plain = f"{requirement.name}{requirement.specifier}"
            advice.append(f"run `pip install '{plain}'` (installed: {installed})")
    return advice, len(needed)


def check(extra: str | None = "workbook") -> None:
    """Print OK, or one line for each package that is missing or too old, with what mends it.

    Packages are found by their names and versions; none is imported.

    Parameters
    ----------
    extra : str or None
        Besides what the library itself needs, also what this extra does: "workbook" (everything of
        the chapters, the default), "training" or "torch"; None: no extra.

    Examples
    --------
    >>> check()
    OK: Python and all 23 packages that toposeg-lite needs
    >>> check("torch")
    OK: Python and all 10 packages that toposeg-lite needs
    """
    if extra is not None:
        check_choice(extra, EXTRAS, "extra")
    advice, count = _advice(extra or "")
    print("\n".join(advice) or f"OK: Python and all {count} packages that toposeg-lite needs")
