"""The commands: ``python -m toposeg_lite.workbook.studies COMMAND``; --help lists them.

Without COMMAND it is ``notebook``. ``-p dataset brick -p weight '[0.1, 1]'`` sets parameters of
notebook and study; ``-p images DIR -p masks DIR`` train on your own images, with
``-p ignore 255`` without the pixels that hold 255. Every parameter is checked before anything is
made or trained, and what was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from papermill.exceptions import PapermillExecutionError

from ...files import make_folder, write_atomically
from .across import AcrossCommand
from .audit import AuditCommand
from .calibration import CalibrationCommand
from .convergence import ConvergenceCommand
from .faults import FaultsCommand
from .make_pretrained import PretrainedCommand
from .notebook import NOTEBOOK, read_value, run_notebook
from .observers import ObserversCommand
from .options import TEXTS, add_options
from .orders import OrdersCommand
from .reach import ReachCommand
from .results import check_study_results, result_files
from .scale import ScaleCommand
from .scores import file_tables
from .study import Study, read_study
from .sweep import SweepError, run_sweep
from .verdicts import CompareCommand, WhichLossCommand

__all__ = ["main", "run_study"]

AGAIN = "What was trained is kept: the same command with -p resume True goes on from there."
#: Commands whose options are the fields of a dataclass.
COMMANDS = {
    "across": AcrossCommand,
    "audit": AuditCommand,
    "calibration": CalibrationCommand,
    "compare": CompareCommand,
    "convergence": ConvergenceCommand,
    "faults": FaultsCommand,
    "observers": ObserversCommand,
    "orders": OrdersCommand,
    "pretrained": PretrainedCommand,
    "reach": ReachCommand,
    "scale": ScaleCommand,
    "which-loss": WhichLossCommand,
}


def run_study(parameters: Mapping[str, Any] | None = None) -> Path:
    """Compare losses over several seeds; the same call goes on with what is done already.

    Of `parameters`, "out" is the folder of all runs ("runs"), "name" that of this one in it
    (``<dataset>-study``), which is returned. "results" is a further file for the results, ending in
    ".json"; the scores of each test image are put beside it, ending in ".csv". Results of another
    study that are there already are refused with a ValueError before anything is trained; of the
    same study, or of a part of its arms, seeds and groups, they are replaced. "arms" are the names
    of some of `study.ARMS` (all) and `study.FURTHER_ARMS`, or mappings of the fields of `Arm`, e.g.
    of a sum of losses. The others are those of `StudyConfig.from_parameters`.
    """
    given = dict(parameters or {})
    out, name, results = (given.pop(key, None) for key in ("out", "name", "results"))
    if results is not None and Path(results).suffix != ".json":
        raise ValueError(f"results must be a file whose name ends in .json; got {results!r}")
    config = read_study(given)
    if results is not None:
        check_study_results(Path(results), config)
        make_folder(Path(results).parent)
    folder = Path(out or "runs") / (name or f"{config.shared.dataset}-study")
    Study(config, folder).run()
    if results is not None:
        for kept, file in result_files(Path(results), config).items():
            write_atomically(file, (folder / kept).read_bytes())
    return folder


def _notebook_command(chosen: argparse.Namespace) -> None:
    """Run the notebook and say where its results are."""
    folder = run_notebook(_parameters(chosen), notebook=chosen.notebook)
    print(f"\nEverything is in {folder}/: open report.html in a browser.")


def _study_command(chosen: argparse.Namespace) -> None:
    """Make a study, or go on with it, and print its tables."""
    chosen.file = [run_study(_parameters(chosen)) / "study.json"]
    _table_command(chosen)


def _sweep_command(chosen: argparse.Namespace) -> None:
    """Make the studies of a file and say where their table is."""
    names = ("workers", "threads", "scheduler", "any_code", "minutes")
    options = {name: getattr(chosen, name) for name in names}
    print(f"The scores of each image are in {run_sweep(chosen.file, **options)}.")


def _table_command(chosen: argparse.Namespace) -> None:
    """Print the tables of a ``study.json``, or that of tables of faults."""
    print(file_tables(chosen.file))


def _parameters(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that were given by ``-p``."""
    given = {}
    for name, text in chosen.p:
        value = read_value(text)
        given[name] = text if name in TEXTS and not isinstance(value, str | None) else value
    return given


def _fields_command(chosen: argparse.Namespace) -> None:
    """Run a command whose options are the fields of a dataclass."""
    chosen.kind(**{field.name: getattr(chosen, field.name) for field in fields(chosen.kind)}).run()


def _parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.workbook.studies",
        description="Train on a data set with and without a loss, by notebook 09 (the default); "
        "compare many losses over several seeds; or repeat a study that the workbook quotes.",
    )
    parser.set_defaults(again="The same command goes on from there.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    notebook = commands.add_parser("notebook", help="compare one loss with its control")
    notebook.set_defaults(run=_notebook_command, again=AGAIN)
    notebook.add_argument("--notebook", help=f"another notebook than {NOTEBOOK}")
    study = commands.add_parser("study", help="compare all losses over several seeds")
    study.set_defaults(run=_study_command)
    for command in (notebook, study):
        text = "a parameter, e.g. -p dataset brick -p weight '[0.1, 1]'"
        command.add_argument(
            "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=text
        )
    sweep = commands.add_parser("sweep", help="make many studies over many processes")
    sweep.set_defaults(run=_sweep_command)
    sweep.add_argument("file", help="a YAML file: which studies")
    sweep.add_argument(
        "--workers",
        type=int,
        help="how many processes train at once (cores); "
        "not with tcp://HOST:PORT, whose workers are there",
    )
    sweep.add_argument("--threads", type=int, default=1, help="threads of each process")
    sweep.add_argument("--scheduler", help="tcp://HOST:PORT, or the class of a cluster")
    sweep.add_argument(
        "--any-code", action="store_true", help="go on with what other code has begun"
    )
    text = "stop after so long (when all is made); the same call goes on"
    sweep.add_argument("--minutes", type=float, help=text)
    table = commands.add_parser("table", help="print the tables of a study, or of its faults")
    table.set_defaults(run=_table_command)
    text = "the study.json; or tables of faults, one DATASET-faults.csv for each data set"
    table.add_argument("file", type=Path, nargs="+", help=text)
    for name, kind in COMMANDS.items():
        text = (kind.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=_fields_command, kind=kind)
        add_options(command, kind)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or say on stderr what went wrong and return 1 (stopped: 130)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, "notebook")
    chosen = _parser().parse_args(words)
    try:
        chosen.run(chosen)
    except (TypeError, ValueError, OSError, ModuleNotFoundError, SweepError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PapermillExecutionError as error:
        text = f"error: a cell of the notebook failed: {error.ename}: {error.evalue}"
        print(f"{text}\n{AGAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped. {chosen.again}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
