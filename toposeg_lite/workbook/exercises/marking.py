"""Mark a folder of notebooks: ``python -m toposeg_lite.workbook.exercises.marking FOLDER``.

Every notebook below the folder (``anna/02_....ipynb``, or ``anna-02_....ipynb``) is run in a
process of its own, in an empty folder, with limits of time and memory, from its first cell to its
last; an error in a cell does not end it. Whatever it hands to `exercises.check` or
`exercises.check_variant` is judged by the checkers of this installation, and written as a row of a
CSV file: who, which notebook, which exercise, the verdict and its words. Exercises of the chapter
for which there was no answer are rows, too, and so is a notebook that did not end.

::

    python -m toposeg_lite.workbook.exercises.marking submitted --out marks.csv
    python -m toposeg_lite.workbook.exercises.marking submitted --secret "of this year"

With a ``--secret`` the variants are tried on inputs that no student has seen. Cells tagged
``nbval-ignore-output``, the trainings of the chapters, are left out; no exercise needs them.

What runs here was written by others. The limits stop what is slow or large by mistake; they are no
wall against somebody who means harm or wants to cheat the marker: run it where nothing can be
lost, and let a conversation follow.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...checks import check_number
from ...files import write_atomically
from .checking import _CHECKERS, check
from .variants import check_variant

__all__ = ["mark"]

COLUMNS = ("student", "notebook", "exercise", "variant of", "status", "text")
LEFT_OUT = "nbval-ignore-output"
MODULE = "toposeg_lite.workbook.exercises.marking"
_FILE = 100_000_000  # bytes that a notebook may write into one file
_READY, _TICK = 900.0, 0.05  # seconds that the import may take; how often one looks

Row = dict[str, str]


def mark(
    folder: str | os.PathLike[str],
    *,
    seconds: float = 300.0,
    gigabytes: float = 8.0,
    secret: str = "",
) -> list[Row]:
    """Run every notebook below a folder and return a row for each answer.

    Parameters
    ----------
    folder : path
        It is searched to any depth.
    seconds : float
        How long a notebook may run, once the library is imported.
    gigabytes : float
        How much memory its process may ask for, where the system knows such a limit (Linux).
    secret : str
        As for `check_variant`.

    Returns
    -------
    list of dict
        With the keys "student", "notebook", "exercise", "variant of" (the name that was given to
        `check_variant`, to be compared with the student's), "status" and "text". Besides the
        verdicts' own, "missing" is the status of an exercise without an answer, and "stopped" or
        "failed" that of a notebook.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no notebook in it.
    """
    place = Path(folder)
    check_number(seconds, "seconds", positive=True)
    check_number(gigabytes, "gigabytes", positive=True)
    if not isinstance(secret, str):
        raise TypeError(f"secret must be a text; got {secret!r}")
    notebooks = sorted(
        path for path in place.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
    )
    if not notebooks:
        raise FileNotFoundError(f"{place} holds no notebook")
    rows: list[dict[str, Any]] = []
    for path in notebooks:
        rows += _rows_of(path, place, seconds, gigabytes, secret)
    return rows


def _rows_of(
    path: Path, place: Path, seconds: float, gigabytes: float, secret: str
) -> Iterator[Row]:
    """Yield the rows of one notebook."""
    known = {"student": _student_of(path, place), "notebook": path.name}
    found, problem = _run(path, seconds, gigabytes, secret)
    for answer in found:
        yield _row(known, **answer)
    if problem:
        yield _row(known, status=problem[0], text=problem[1])
    number = re.search(r"(?<!\d)\d\d(?=[a-z]?_)", path.name)
    answered = {answer["exercise"] for answer in found}
    for exercise in sorted(_CHECKERS):
        if number and exercise.startswith(f"{number[0]}.") and exercise not in answered:
            yield _row(known, exercise=exercise, status="missing", text="No cell checks an answer.")


def _row(known: Row, **values: str) -> Row:
    return dict.fromkeys(COLUMNS, "") | known | values


def _student_of(path: Path, place: Path) -> str:
    """Return the first folder below the place, or else what stands before the chapter's number."""
    parts = path.relative_to(place).parts
    if len(parts) > 1:
        return parts[0]
    return re.sub(r"[-_ ]*\d\d[a-z]?_.*$", "", path.stem) or path.stem


def _run(
    path: Path, seconds: float, gigabytes: float, secret: str
) -> tuple[list[Row], tuple[str, str] | None]:
    """Run one notebook in a process of its own; return its answers, and what went wrong."""
    with tempfile.TemporaryDirectory() as empty:
        results = Path(empty) / "results.json"
        work = Path(empty) / "work"
        work.mkdir()
        command = [sys.executable, "-m", MODULE, "--one", str(path.resolve()), str(results)]
        command += ["--gigabytes", str(gigabytes), "--seconds", str(seconds), "--secret", secret]
        paths = os.pathsep.join(filter(None, [_home(), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            command, cwd=work, env=os.environ | {"PYTHONPATH": paths}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        problem = None
        try:
            _wait_until_ready(process, results)
            process.wait(timeout=seconds)
            if process.returncode:
                problem = "failed", f"Its process ended with status {process.returncode}."
        except subprocess.TimeoutExpired:
            problem = "stopped", f"It had not ended after {seconds:g} seconds."
        finally:
            _end(process)
        report = json.loads(results.read_text()) if results.exists() else {}
    errors = report.get("errors", [])
    if errors and problem is None:
        problem = "failed", f"Cells with an error: {'; '.join(errors)}"[:2000]
    return report.get("answers", []), problem


def _wait_until_ready(process: subprocess.Popen, results: Path) -> None:
    """Wait until a process has imported the library: that is not the student's time."""
    left = _READY
    while process.poll() is None and not results.exists() and left > 0:
        time.sleep(_TICK)
        left -= _TICK


def _home() -> str:
    """Return the folder from which the library was imported."""
    return str(Path(__file__).resolve().parents[3])


def _end(process: subprocess.Popen) -> None:
    """End a process and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


# --- In the process of one notebook -----------------------------------------------------------


def _limit(gigabytes: float, seconds: float) -> None:
    """Set the limits of this process, where the system has them."""
    try:
        import resource
    except ImportError:  # Windows: the time is limited from outside
        return
    room, time = int(gigabytes * 1e9), int(seconds) + 1
    for kind, most in (("RLIMIT_DATA", room), ("RLIMIT_FSIZE", _FILE), ("RLIMIT_CPU", 16 * time)):
        with contextlib.suppress(ValueError, OSError):  # a lower one is set already
            resource.setrlimit(getattr(resource, kind), (most, most))


def _cells(path: Path) -> list[str]:
    """Return the code of a notebook, cell by cell, without what only a notebook understands."""
    cells = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        left_out = LEFT_OUT in cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] == "code" and not left_out:
            cells.append(re.sub(r"(?m)^\s*[%!?].*$", "", source))
    return cells


def _one(path: Path, results: Path, secret: str) -> None:
    """Run the cells of a notebook, and write after each what it has handed in."""
    answers: list[Row] = []
    errors: list[str] = []

    def watched(exercise: str, answer: Any) -> Any:
        verdict = check(exercise, answer)
        _note(answers, exercise, "", verdict)
        return verdict

    def watched_variant(exercise: str, student: str, answer: Any, *, secret: str = "") -> Any:
        verdict = check_variant(exercise, student, answer, secret=hidden)
        _note(answers, exercise, student, verdict)
        return verdict

    def keep() -> None:
        write_atomically(results, json.dumps({"answers": answers, "errors": errors}).encode())

    hidden = secret
    # What a notebook imports is the package's door, which Python has loaded before this file.
    door: Any = sys.modules[MODULE.rpartition(".")[0]]
    door.check, door.check_variant = watched, watched_variant
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *args, **options: None}
    cells = _cells(path)
    keep()
    for number, source in enumerate(cells, 1):
        try:
            exec(compile(source, f"cell {number}", "exec"), names)
        except BaseException as error:  # SystemExit, too: the cells below may hold answers
            last = traceback.format_exception_only(error)[-1].strip()
            errors.append(f"{number}: {last}")
        keep()


def _note(answers: list[Row], exercise: str, student: str, verdict: Any) -> None:
    """Keep a verdict; of one exercise the last one counts, as in a notebook."""
    answers[:] = [a for a in answers if (a["exercise"], a["variant of"]) != (exercise, student)]
    answers.append(
        {
            "exercise": exercise,
            "variant of": student,
            "status": verdict.status,
            "text": verdict.text,
        }
    )


def csv_of(rows: list[Row]) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULE}",
        description="Mark a folder of notebooks.",
    )
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--out", default="marks.csv", help="the CSV file; default: marks.csv")
    parser.add_argument("--seconds", type=float, default=300.0, help="for one notebook")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="of memory, for one notebook")
    parser.add_argument("--secret", default="", help="makes other inputs for the variants")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        _limit(options.gigabytes, options.seconds)
        _one(Path(options.one[0]), Path(options.one[1]), options.secret)
        return 0
    if not options.folder:
        parser.error("which folder?")
    try:
        rows = mark(
            options.folder,
            seconds=options.seconds,
            gigabytes=options.gigabytes,
            secret=options.secret,
        )
    except FileNotFoundError as error:
        parser.error(str(error))
    write_atomically(options.out, csv_of(rows).encode())
    right = sum(row["status"] == "correct" for row in rows)
    print(f"{options.out}: {len(rows)} rows, {right} correct")
    return 0


if __name__ == "__main__":
    sys.exit(main())
