"""Films of the chapters' explorers: what a reader's hand will most likely visit, computed once.

A chapter is not run for it. Only the lines that its explorer hangs on are: from the cell that shows
it back through the cells that make the names it uses. What comes out must say the very sentence
that the notebook stores beside the picture; else the page would move something else than it shows.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
from typing import Any
from unittest.mock import patch

from nbformat import NotebookNode

from toposeg_lite.workbook import explorers, figures

LIMIT = 1_500_000  # bytes of a film in a page
SHOWS = "explorers.show("


def is_shown(cell: NotebookNode) -> bool:
    """Tell whether a cell shows an explorer."""
    return cell.cell_type == "code" and SHOWS in cell.source


def stored_sentence(cell: NotebookNode) -> str:
    """Return what the notebook stores that the explorer of this cell said."""
    (words,) = (
        output.data["text/plain"]
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    )
    return words


class _Names(ast.NodeVisitor):
    """The names that a cell uses, and those that it makes or changes."""

    def __init__(self, source: str) -> None:
        self.used: set[str] = set()
        self.made: set[str] = set()
        self.visit(ast.parse(source))

    def visit_Name(self, node: ast.Name) -> None:
        (self.used if isinstance(node.ctx, ast.Load) else self.made).add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.made.add((node.asname or node.name).partition(".")[0])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.made.add(node.name)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.made.add(node.name)
        self.generic_visit(node)

    def visit_part(self, node: Any) -> None:
        """Take `a[k] = ...` and `a.b = ...` for a change of `a`."""
        if isinstance(node.ctx, ast.Store):
            base = node.value
            while isinstance(base, ast.Attribute | ast.Subscript):
                base = base.value
            if isinstance(base, ast.Name):
                self.made.add(base.id)
        self.generic_visit(node)

    visit_Attribute = visit_Subscript = visit_part


def lines_behind(cells: list[NotebookNode], last: int) -> list[str]:
    """Return the sources of the cells that cell `last` hangs on, and its own, in their order."""
    names = {
        k: _Names(cell.source)
        for k, cell in enumerate(cells[: last + 1])
        if cell.cell_type == "code" and "solution" not in cell.metadata.get("tags", [])
    }
    found = {last}
    while True:  # a function may use what is only made below it
        wanted = set().union(*(names[k].used for k in found))
        more = {k for k in names if names[k].made & wanted} - found
        if not more:
            return [cells[k].source for k in sorted(found)]
        found |= more


def explorer_of(cells: list[NotebookNode], last: int) -> explorers.Explorer:
    """Return the explorer that cell `last` shows, as it is when it is shown."""
    shown: list[explorers.Explorer] = []
    # A kernel defines `display` for its notebooks.
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *_: None}
    with (
        patch.object(explorers, "show", shown.append),
        patch.object(figures, "show", lambda *_, **__: None),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for source in lines_behind(cells, last):
            exec(compile(source, "<chapter>", "exec"), names)
    (explorer,) = shown
    return explorer


def film_of(notebook: NotebookNode, last: int) -> str | None:
    """Return the film of the explorer that cell `last` shows, as JSON, or None if it has none."""
    explorer = explorer_of(notebook.cells, last)
    said, stored = explorer.describe(), stored_sentence(notebook.cells[last])
    if said != stored:
        raise ValueError(f"the explorer says {said!r}, and the notebook stores {stored!r}")
    bundle = explorer.bundle()
    if bundle is None:
        return None
    film = json.dumps(bundle, separators=(",", ":"), ensure_ascii=False)
    if len(film.encode()) > LIMIT:
        raise ValueError(f"a film of {len(film.encode())} bytes is more than {LIMIT}")
    return film
