"""Build the workbook: run the chapters, tidy what they store, derive the learner's copies.

A chapter with exercises has its source in ``solutions/``; the learner's notebook beside this file
is the same notebook without the cells tagged ``solution``, stored outputs included. A chapter
without exercises lives beside this file only. Chapter 09 trains for long and is not run here; its
outputs are taken from a run that ``make run`` has left.

::

    python notebooks/build.py              run every chapter in a clean kernel, store, derive
    python notebooks/build.py 00 02        the same for these chapters only
    python notebooks/build.py --no-run     only tidy and derive, from the outputs already stored
    python notebooks/build.py --check      change nothing; exit 1 if a file is not in step
    python notebooks/build.py --from-run runs/NAME       store the outputs of this run as chapter 09

Tags that this command knows: ``parameters``, ``solution`` (left out of the learner's copy) and
``end-product`` and ``readme`` (the picture of this cell is stored as ``images/NN.png``, for the
chapter's head, or as ``images/NN-readme.png``, for the README of the project).
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from copy import deepcopy
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
LONG = ("09",)  # run by papermill with its own parameters, not here
TIMEOUT = 300  # seconds for one cell
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def sources(folder: Path = HERE) -> list[Path]:
    """Return the notebooks that are written by hand, in the order of the chapters."""
    solved = {path.name: path for path in (folder / "solutions").glob("[0-9][0-9]_*.ipynb")}
    plain = {path.name: path for path in folder.glob("[0-9][0-9]_*.ipynb")}
    chapters = {**plain, **solved}
    return [chapters[name] for name in sorted(chapters) if name[:2] not in LONG]


def read(path: Path) -> NotebookNode:
    """Read a notebook as the version of the format in which it is stored."""
    return nbformat.read(path, as_version=4)


def text_of(notebook: NotebookNode) -> str:
    """Return the bytes of the file, as text: one way to write a notebook, for every tool."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook from top to bottom in a clean kernel; an error in a cell ends the build."""
    notebook = deepcopy(notebook)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources=resources,
        store_widget_state=False,
        record_timing=False,
    )
    client.execute()
    return notebook


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Return a copy that holds nothing which depends on the run, the machine or a live kernel.

    Widget state goes (it holds the data a second time, and GitHub refuses notebooks where it is
    damaged); so does the reference of an output to a live widget, which leaves the picture and the
    text that `toposeg_lite.explorers.show` stored beside it. Cells are numbered 1, 2, 3, ... and
    what was printed in one go, but arrived in pieces, is put together.
    """
    notebook = deepcopy(notebook)
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    count = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type != "code":
            continue
        ran = cell.execution_count is not None
        count += ran
        cell.execution_count = count if ran else None
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Put neighbouring pieces of one stream together: where it is cut depends on the clock."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def learners(solution: NotebookNode) -> NotebookNode:
    """Return the learner's copy of a solved chapter: no solutions, links from one folder up."""
    notebook = deepcopy(solution)
    notebook.cells = [
        cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](").replace("](./", "](solutions/")
    return tidy(notebook)


def tagged_picture(notebook: NotebookNode, tag: str) -> bytes | None:
    """Return the PNG of the cell with this tag, or None if there is no such cell."""
    for cell in notebook.cells:
        if tag in cell.metadata.get("tags", []):
            for output in cell.outputs:
                png = output.get("data", {}).get("image/png")
                if png:
                    return base64.b64decode(png)
            raise ValueError(f"the cell tagged {tag} shows no picture")
    return None


def products(path: Path, notebook: NotebookNode) -> dict[Path, bytes]:
    """Return every file that belongs to the chapter at `path`, with what it has to hold."""
    folder = path.parent.parent if path.parent.name == "solutions" else path.parent
    files = {path: text_of(notebook).encode()}
    if path.parent.name == "solutions":
        files[folder / path.name] = text_of(learners(notebook)).encode()
    for tag, ending in (("end-product", ""), ("readme", "-readme")):
        picture = tagged_picture(notebook, tag)
        if picture is not None:
            files[folder / "images" / f"{path.name[:2]}{ending}.png"] = picture
    return files


def from_run(run: Path, folder: Path = HERE) -> dict[Path, bytes]:
    """Return the files of the long chapter with the outputs that a run of it has left.

    The cell of parameters that papermill adds is left out, and so are progress bars.
    """
    (path,) = (path for number in LONG for path in folder.glob(f"{number}_*.ipynb"))
    notebook = read(run / path.name)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    if [cell.source for cell in notebook.cells] != [cell.source for cell in read(path).cells]:
        raise ValueError(f"{run} has run another version of {path.name}: run it again")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return products(path, tidy(notebook))


def out_of_step(folder: Path = HERE) -> list[Path]:
    """Return the files that differ from what their chapter's source makes of them."""
    wrong = []
    for path in sources(folder):
        for file, content in products(path, tidy(read(path))).items():
            if not file.exists() or file.read_bytes() != content:
                wrong.append(file)
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Build the workbook.")
    parser.add_argument("chapters", nargs="*", help="numbers, e.g. 00 02; default: all")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--no-run", action="store_true", help="use the outputs already stored")
    how.add_argument("--check", action="store_true", help="change nothing, tell what is stale")
    how.add_argument("--from-run", type=Path, metavar="FOLDER", help="store this run of chapter 09")
    options = parser.parse_args(arguments)
    if options.from_run:
        for file, content in from_run(options.from_run).items():
            file.write_bytes(content)
            print(f"{file.relative_to(HERE)}: {len(content) / 1000:.0f} kB")
        return 0
    if options.check:
        wrong = out_of_step()
        for file in wrong:
            print(f"{file.relative_to(HERE)} is not in step: run `python notebooks/build.py`")
        return 1 if wrong else 0
    known = {path.name[:2]: path for path in sources()}
    unknown = sorted(set(options.chapters) - set(known))
    if unknown:
        parser.error(f"no chapter {', '.join(unknown)} to build; there are {', '.join(known)}")
    for number, path in known.items():
        if options.chapters and number not in options.chapters:
            continue
        start = time.perf_counter()
        notebook = read(path)
        if not options.no_run:
            notebook = run(notebook, path.parent)
        files = products(path, tidy(notebook))
        for file, content in files.items():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        seconds, size = time.perf_counter() - start, len(files[path]) / 1000
        print(f"{path.relative_to(HERE)}: {seconds:.0f} s, {size:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
