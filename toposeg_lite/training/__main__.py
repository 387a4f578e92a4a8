"""Train from the command line.

``python -m toposeg_lite.training -p dataset brick`` runs notebook 09. Every parameter is checked
before anything is made or trained. Then papermill executes the notebook in ``<out>/<name>/``, where
the executed notebook and an HTML page of it stay beside the results. Any other notebook with the
same parameters can be run in its place with ``--notebook``.

``python -m toposeg_lite.training study -p dataset topomortar`` compares all losses over several
seeds; ``... table notebooks/reference_runs/topomortar-study.json`` prints the tables of one.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from ..files import write_atomically
from .comparison import CompareConfig, prepare_folder
from .study import ARMS, Study, StudyConfig, study_tables

__all__ = ["main", "run_notebook", "run_study"]

NOTEBOOK = "09_run_a_full_training.ipynb"
#: Parameters that say where a run is kept; all others are those of `CompareConfig`.
PLACE = ("out", "name", "resume")
AGAIN = "What was trained is kept: the same command with -p resume True goes on from there."


def _read_value(text: str) -> Any:
    """Read a value as Python writes it (``0.1``, ``None``, ``[1, 2]``); anything else is a text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _parameters(notebook: Path) -> dict[str, Any]:
    """Return the names and values in the cell of a notebook that is tagged ``parameters``."""
    found = papermill.inspect_notebook(str(notebook))
    return {name: _read_value(about["default"]) for name, about in found.items()}


def run_notebook(
    parameters: Mapping[str, Any] | None = None, *, notebook: str | Path | None = None
) -> Path:
    """Check the parameters, make the run's folder and execute the notebook in it.

    Parameters
    ----------
    parameters : dict, optional
        Values to use in place of those in the notebook's cell of parameters.
    notebook : path, optional
        Default: chapter 09 of the workbook.

    Returns
    -------
    Path
        The run's folder with the executed notebook, ``report.html``, and what the notebook left.

    Raises
    ------
    FileNotFoundError
        If there is no such notebook.
    TypeError, ValueError, FileExistsError
        For an unknown parameter or a bad value; nothing has been made then.
    PapermillExecutionError
        If a cell fails. The notebook in the folder shows where; checkpoints stay for ``resume``.
    """
    path = Path(notebook) if notebook else Path(__file__).parents[2] / "notebooks" / NOTEBOOK
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no notebook {path}: the workbook is not part of the installed package, so "
            f"name it with --notebook"
        )
    given = dict(parameters or {})
    defaults = _parameters(path)
    unknown = [name for name in given if name not in defaults]
    if unknown:
        raise ValueError(
            f"unknown parameter {', '.join(map(repr, unknown))}; "
            f"the notebook takes {', '.join(defaults)}"
        )
    values = defaults | given
    place = {name: values.pop(name) for name in PLACE}
    options = values.pop("options")
    if not isinstance(options, Mapping):
        raise TypeError(f"options must map names to values; got {options!r}")
    config = CompareConfig.from_parameters(**values, **options)
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
            # The default template leaves out the alternative text of pictures; this one keeps it.
            html, _ = HTMLExporter(template_name="classic").from_notebook_node(page)
            write_atomically(folder / "report.html", html.encode())
    return folder


def _keep_last_bars(notebook: NotebookNode) -> None:
    """Keep of every line that was overwritten while a bar moved only its last state."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)


#: What a study uses where it is not told otherwise: what two cores do in an hour or so.
BUDGET = {"pretrain_steps": 800, "finetune_steps": 250, "patch": 192, "window": 512}


def run_study(parameters: Mapping[str, Any] | None = None) -> Path:
    """Compare losses over several seeds; the same call goes on with what is done already.

    Parameters
    ----------
    parameters : dict, optional
        "out" is the folder of all runs ("runs"), "name" that of this one in it (default:
        ``<dataset>-study``), "results" a further file for the results, ending in ".json"; the
        scores of each test image are put beside it, ending in ".csv" (default: none). "arms" are
        the names of some of `study.ARMS` (default: all), "seeds" and "choose_on" those of
        `StudyConfig`. All others are fields of `CompareConfig`.

    Returns
    -------
    Path
        The study's folder.

    Raises
    ------
    TypeError, ValueError
        For an unknown parameter or a bad value; nothing has been trained then.
    """
    given = dict(parameters or {})
    out, name, results = (given.pop(key, None) for key in ("out", "name", "results"))
    if results is not None and Path(results).suffix != ".json":
        raise ValueError(f"results must be a file whose name ends in .json; got {results!r}")
    config_of_study: dict[str, Any] = {
        key: given.pop(key) for key in ("seeds", "choose_on") if key in given
    }
    if "arms" in given:
        known, wanted = {arm.name: arm for arm in ARMS}, given.pop("arms")
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        unknown = [repr(arm) for arm in wanted if arm not in known]
        if unknown:
            raise ValueError(f"unknown arm {', '.join(unknown)}; there are {', '.join(known)}")
        config_of_study["arms"] = [known[arm] for arm in wanted]
    for key in ("loss", "loss_options", "weight", "seed"):
        if key in given:
            raise ValueError(f"a study takes no {key!r}: name arms and seeds")
    config = StudyConfig(CompareConfig.from_parameters(**BUDGET | given), **config_of_study)
    folder = Path(out or "runs") / (name or f"{config.shared.dataset}-study")
    study = Study(config, folder)
    study.run()
    if results is not None:
        for ending in (".json", ".csv"):
            kept = (folder / "study").with_suffix(ending)
            write_atomically(Path(results).with_suffix(ending), kept.read_bytes())
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or say on stderr what went wrong and return 1 (stopped: 130)."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.training",
        description="Train on a data set with and without a loss, by notebook 09; or compare many "
        "losses over several seeds, and print the tables of that.",
    )
    parser.add_argument("what", nargs="?", choices=("notebook", "study", "table"),
                        default="notebook", help="default: notebook")  # fmt: skip
    parser.add_argument("file", nargs="?", help="for table: the study.json")
    parser.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of notebook or study, e.g. -p dataset brick -p weight '[0.1, 1]'",
    )
    parser.add_argument("--notebook", help=f"another notebook than {NOTEBOOK}")
    chosen = parser.parse_args(arguments)
    parameters = {name: _read_value(text) for name, text in chosen.p}
    if (chosen.what == "table") != (chosen.file is not None):
        parser.error("table, and nothing else, needs a file: the study.json")
    try:
        if chosen.what == "table":
            print(study_tables(json.loads(Path(chosen.file).read_text())))
            return 0
        if chosen.what == "study":
            print(study_tables(json.loads((run_study(parameters) / "study.json").read_text())))
            return 0
        folder = run_notebook(parameters, notebook=chosen.notebook)
    except (TypeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PapermillExecutionError as error:
        said = f"error: a cell of the notebook failed: {error.ename}: {error.evalue}"
        print(f"{said}\n{AGAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped. {AGAIN}", file=sys.stderr)
        return 130
    print(f"\nEverything is in {folder}/: open report.html in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
