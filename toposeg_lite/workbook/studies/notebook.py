"""Run chapter 09, or another notebook with the same parameters, in a folder of its own.

Every parameter is checked before anything is made or trained. Then papermill executes the notebook
in ``<out>/<name>/``, where the executed notebook and an HTML page of it stay beside the results.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat import NotebookNode

from ...files import write_atomically
from .comparison import prepare_folder
from .options import gather_folder
from .run_page import run_page
from .study import NOTEBOOKS, StudyConfig

__all__ = ["NOTEBOOK", "PLACE", "read_parameters", "read_value", "run_notebook"]

NOTEBOOK = "09_run_a_full_training.ipynb"
#: Parameters that say where a run is kept; all others are those of `StudyConfig.from_parameters`.
PLACE = ("out", "name", "resume")
#: The state of a progress bar: its name and how far it is.
BAR = re.compile(r"[^\n%|]*\d+%\|")


def read_value(text: str) -> Any:
    """Read a value as Python writes it (``0.1``, ``None``, ``[1, 2]``); anything else is a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def read_parameters(notebook: Path) -> dict[str, Any]:
    """Return the names and values in the cell of a notebook that is tagged ``parameters``."""
    cell = papermill.inspect_notebook(str(notebook))
    return {name: read_value(facts["default"]) for name, facts in cell.items()}


def run_notebook(
    parameters: Mapping[str, Any] | None = None, *, notebook: str | Path | None = None
) -> Path:
    """Check the parameters, make the run's folder, execute the notebook in it; return the folder.

    `parameters` replace those in the notebook's cell of parameters; others that
    `StudyConfig.from_parameters` knows, and those of your own images (see `gather_folder`), become
    part of its ``options``. `notebook` is chapter 09 of the
    workbook unless given. The folder then holds the executed notebook, ``report.html`` and what the
    notebook left. A cell that fails raises a PapermillExecutionError: the notebook in the folder
    shows where, and checkpoints stay for ``resume``.
    """
    path = Path(notebook) if notebook else NOTEBOOKS / NOTEBOOK
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no notebook {path}: the workbook is not part of the installed package, so "
            f"name it with --notebook"
        )
    given = gather_folder(parameters or {})
    defaults = read_parameters(path)
    known = StudyConfig.parameter_names()
    unknown = [name for name in given if name not in (*defaults, *known)]
    if unknown:
        raise ValueError(
            f"unknown parameter {', '.join(map(repr, unknown))}; "
            f"the notebook takes {', '.join(dict.fromkeys([*defaults, *known]))}"
        )
    if "seed" in given and "seeds" in given:
        raise ValueError(
            f"seed and seeds must not both be given: one of them would not count; got "
            f"seed={given['seed']!r} and seeds={given['seeds']!r}"
        )
    further = {name: given.pop(name) for name in [*given] if name not in defaults}
    if further:
        given["options"] = {**defaults["options"], **given.get("options", {}), **further}
    values = defaults | given
    place = {name: values.pop(name) for name in PLACE}
    options = values.pop("options")
    if not isinstance(options, Mapping):
        raise TypeError(f"options must map names to values; got {options!r}")
    config = StudyConfig.from_parameters(**values, **options)
    config.load()
    folder = prepare_folder(config, **place)
    executed = folder / path.name
    # Read by the kernel's OpenMP when it starts: threads that wait for work sleep instead of
    # spinning. On two cores that something else uses too, spinning makes steps 10 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        papermill.execute_notebook(
            str(path),
            str(executed),
            parameters=given | {"out": str(place["out"]), "name": folder.name},
            kernel_name="python3",
            # The kernel would tell of its connections, which stay on this machine, and of its end.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            progress_bar=False,  # the bars of the training say more: they come through stderr
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    finally:
        if executed.is_file():
            page = nbformat.read(executed, as_version=4)
            _keep_last_bars(page)
            write_atomically(executed, nbformat.writes(page).encode())
            write_atomically(folder / "report.html", _report(folder, page).encode())
    return folder


def _report(folder: Path, notebook: NotebookNode) -> str:
    """Return the page of a run from the notebook and what it left in its folder."""
    metrics = folder / "metrics.json"
    results = json.loads(metrics.read_bytes()) if metrics.is_file() else None
    files = {name: folder / f"{name}.png" for name in ("comparison", "training")}
    pictures = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    return run_page(notebook, results, pictures)


def _keep_last_bars(notebook: NotebookNode) -> None:
    """Keep of every line that was overwritten while a bar moved only its last state.

    The kernel's messages arrive as hundreds of outputs, and the returns between the states of a bar
    may be lost on the way: then a state is known by the bar's name and its percentage.
    """
    for cell in notebook.cells:
        kept: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            if output.output_type != "stream":
                kept.append(output)
                continue
            if kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
                kept[-1].text += "\r" * bool(BAR.match(output.text)) + output.text
            else:
                kept.append(output)
        for output in kept:
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
        if "outputs" in cell:
            cell.outputs = kept
