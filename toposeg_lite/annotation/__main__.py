"""The desk in a browser: ``python -m toposeg_lite.annotation IMAGE LIKELIHOOD``; --help says all.

Voila shows a notebook of one cell, which opens the journal and the screen of the workbook. The
session is made once before, so that all that is wrong with the files is said where they were named.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .session import AnnotationSession
from .sources import open_session

NOT_LOADED = ["jupyterlab-jupytext", "@jupyter-notebook/lab-extension"]
#: As `make dashboard`: on this machine alone, by a template that asks no other host for anything.
VOILA = ["-m", "voila", "--Voila.ip=127.0.0.1", "--template=own_host"]
VOILA += [f"--VoilaConfiguration.extension_denylist={NOT_LOADED}"]
#: Where Jupyter looks for that template, before its own folders.
TEMPLATES = str(Path(__file__).parents[1] / "workbook")
#: Seconds after which a kernel ends that no page is connected with. A page that is left tells Voila
#: at once; one whose browser crashed does not.
LEFT, LOOKED_AFTER = 60, 5
CELL = """\
from toposeg_lite.annotation.__main__ import go_on
from toposeg_lite.workbook.desk import AnnotationApp

session = go_on({files})
if session is not None:
    AnnotationApp(session).show()
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the desk; return 0 when it was closed, or 2 if something was wrong before."""
    parser = argparse.ArgumentParser(
        prog="python -m toposeg_lite.annotation",
        description="Open the annotation desk in the browser: decide about the branches of an "
        "image by clicks. Every click is in the journal at once; the same command goes on with it.",
    )
    parser.add_argument("image", help="png, jpg, tif, npy or mat; one image, no volume")
    parser.add_argument(
        "likelihood", nargs="?", help="of any tool: integers up to the largest, floats in [0, 1]"
    )
    parser.add_argument("--mask", help="of any tool: with it, or in place of the likelihood")
    parser.add_argument(
        "--reach",
        type=float,
        default=0.0,
        help="with a mask alone: gaps up to twice as wide, in pixels, are asked about (0)",
    )
    parser.add_argument("--out", metavar="JOURNAL", help="the journal (IMAGE.jsonl beside IMAGE)")
    parser.add_argument("--port", type=int, help="of the server (a free one near 8866)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    given = parser.parse_args(arguments)
    names = {"image": given.image, "likelihood": given.likelihood, "mask": given.mask}
    names["path"] = given.out or f"{given.image}.jsonl"
    files: dict[str, Any] = {
        name: str(Path(file).absolute()) for name, file in names.items() if file is not None
    }
    try:
        print(_begin(files | {"reach": given.reach}))
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    options = [
        "--Voila.auto_token=True",
        f"--MappingKernelManager.cull_idle_timeout={LEFT}",
        f"--MappingKernelManager.cull_interval={LOOKED_AFTER}",
    ]
    options += ["--no-browser"] if given.no_browser else []
    options += [] if given.port is None else [f"--port={given.port}", "--Voila.port_retries=0"]
    return _serve(CELL.format(files=files | {"reach": given.reach}), options)


def _begin(files: dict[str, Any]) -> str:
    """Make the journal if there is none, and return words about it; raise for what is wrong."""
    if find_spec("voila") is None or find_spec("anywidget") is None:
        raise ModuleNotFoundError(
            "the desk needs what the workbook needs: pip install 'toposeg-lite[workbook]', "
            "then the same command"
        )
    trial = open_session(**{name: file for name, file in files.items() if name != "path"})
    if len(trial.shape) != 2:
        raise ValueError(
            f"{files['image']} is a volume of shape {trial.shape}: the desk shows images. "
            f"Annotate slices, or decide by the methods of toposeg_lite.annotation.open_session"
        )
    with AnnotationSession(trial.image, trial.likelihood, files["path"]) as session:
        decided = int((session.decisions != 0).sum())
        said = f"{files['path']}: {decided} of {len(session.decisions)} branches are decided."
    return "\n".join([*trial.notes, said])


def _serve(code: str, options: list[str]) -> int:
    """Show a cell by Voila until it is stopped; return its exit status."""
    cell = {"cell_type": "code", "id": "desk", "metadata": {}, "outputs": [], "source": code}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [cell | {"execution_count": None}],
        "metadata": {"kernelspec": kernel, "title": "Annotation"},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    with tempfile.TemporaryDirectory(prefix="toposeg-desk-") as folder:
        page = Path(folder, "annotation.ipynb")
        page.write_text(json.dumps(notebook), encoding="utf-8")
        words = [sys.executable, *VOILA, *options, str(page)]
        paths = os.pathsep.join(filter(None, [TEMPLATES, os.environ.get("JUPYTER_PATH")]))
        with subprocess.Popen(words, env=os.environ | {"JUPYTER_PATH": paths}) as server:
            before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
            try:
                while True:
                    try:
                        return server.wait()
                    except KeyboardInterrupt:  # Voila gets it too, and ends its kernels
                        continue
            finally:
                signal.signal(signal.SIGTERM, before)


def go_on(files: dict[str, Any], *, patience: float = 1.5 * LEFT) -> AnnotationSession | None:
    """Return the session of a page; say why there is none.

    A page that is loaded again has a new kernel while the one before may still hold the journal:
    it is asked for so many seconds (`patience`).
    """
    limit = time.monotonic() + patience
    while True:
        try:
            return open_session(**files)
        except BlockingIOError as error:
            if time.monotonic() > limit:
                print(error)
                return None
            time.sleep(0.2)
        except (ValueError, OSError) as error:
            print(error)
            return None


if __name__ == "__main__":
    sys.exit(main())
