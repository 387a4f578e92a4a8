"""Docstrings as this project writes them, made plain to Sphinx.

Shapes like (B, C, *spatial) are no emphasis, and the headings of a module's docstring are none of
the page's.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

STAR = re.compile(r"(?<=[(, ])\*(?=\w+[,)\]])")
AUTOMODULE = re.compile(r"automodule:: (\S+)")
RULE = re.compile(r"([-=])\1{2,}")


def smooth(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Change the lines of a docstring in place."""
    lines[:] = [STAR.sub(r"\\*", line) for line in lines]
    if what == "module":
        for k in reversed(range(1, len(lines))):
            if RULE.fullmatch(lines[k]) and len(lines[k]) == len(lines[k - 1]):
                lines[k - 1 : k + 1] = [f".. rubric:: {lines[k - 1]}", ""]


def fetch_names(app: Sphinx) -> None:
    """Import what a room imports only when it is asked for: the reference asks for all of it."""
    for page in sorted((Path(app.confdir) / "reference").glob("*.md")):
        for name in AUTOMODULE.findall(page.read_text(encoding="utf-8")):
            module = importlib.import_module(name)
            for public in module.__all__:
                setattr(module, public, getattr(module, public))


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""
    app.connect("builder-inited", fetch_names)
    app.connect("autodoc-process-docstring", smooth, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
