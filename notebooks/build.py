"""Build the workbook: run the chapters, tidy what they store, derive the learner's copies.

What is written by hand is one text a chapter, ``source/NN_verb_topic.py``, in jupytext's percent
format: a cell begins with ``# %%``, its name and its tags, and prose is commented, so that a
change of prose is a change of lines. From it come the notebooks that people open. Of a chapter with
exercises there are two: the one in ``solutions/``, whose outputs are stored, and the learner's
beside this file, which is the same without the cells tagged ``solution``. A chapter without
exercises has one, beside this file. Chapter 09 trains for long and is not run here; its outputs are
taken from a run that ``make run`` has left.

::

    python notebooks/build.py              run every chapter in a clean kernel, store, derive
    python notebooks/build.py 00 02        the same for these chapters only
    python notebooks/build.py --no-run     only tidy and derive, with the outputs already stored
    python notebooks/build.py --check      change nothing; exit 1 if a file is not in step
    python notebooks/build.py --from-run runs/NAME       store the outputs of this run as chapter 09
    python notebooks/build.py --pull 05    take what was edited in Jupyter back into the text
    python notebooks/build.py --times      say how many minutes each chapter takes to read and to do

Tags that this command knows: ``parameters``, ``solution`` (left out of the learner's copy) and
``end-product`` and ``readme`` (the picture of this cell is stored as ``images/NN.png``, for the
chapter's head, or as ``images/NN-readme.png``, for the README of the project).
"""

from __future__ import annotations

import argparse
import base64
import math
import re
import sys
import time
from copy import deepcopy
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from toposeg_lite.files import write_atomically

HERE = Path(__file__).resolve().parent
LONG = ("09",)  # run by papermill with its own parameters, not here
TIMEOUT = 600  # seconds for one cell
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def sources(folder: Path = HERE) -> list[Path]:
    """Return the texts that are written by hand, in the order of the chapters."""
    return sorted((folder / "source").glob("[0-9][0-9]*_*.py"))


def number_of(path: Path) -> str:
    """Return the number of a chapter, with which its files begin: "07", or "07b" for a second half.

    >>> number_of(Path("source/07b_judge_each_branch.py"))
    '07b'
    """
    return path.name.partition("_")[0]


def notebook_of(source: Path, text: NotebookNode) -> Path:
    """Return where the notebook of a text is stored with its outputs."""
    folder = source.parent.parent
    has_solutions = any("solution" in cell.metadata.get("tags", []) for cell in text.cells)
    return (folder / "solutions" if has_solutions else folder) / f"{source.stem}.ipynb"


def read_text(source: Path) -> NotebookNode:
    """Return the notebook, without outputs, that a text describes; cells are known by name."""
    text = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    for cell in text.cells:
        if "title" not in cell.metadata:
            raise ValueError(f"{source.name}: a cell has no name: {cell.source[:40]!r}")
        cell.id = cell.metadata.pop("title")
    names = [cell.id for cell in text.cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{source.name}: several cells are called {', '.join(twice)}")
    return tidy(text)


def write_text(notebook: NotebookNode) -> str:
    """Return the text that describes a notebook: the inverse of `read_text`."""
    plain = deepcopy(notebook)
    plain.metadata = NotebookNode(
        jupytext={"notebook_metadata_filter": "-all", "cell_metadata_filter": "title,tags"}
    )
    for cell in plain.cells:
        cell.metadata["title"] = cell.id
    return jupytext.writes(plain, fmt="py:percent")


def with_outputs(text: NotebookNode, stored: NotebookNode) -> NotebookNode:
    """Return the notebook of a text with stored outputs; its code must be what was run."""
    ran = [cell for cell in stored.cells if cell.cell_type == "code"]
    code = [cell for cell in text.cells if cell.cell_type == "code"]
    if [cell.source for cell in ran] != [cell.source for cell in code]:
        raise ValueError("its code is not the code that was run")
    notebook = deepcopy(text)
    outputs = iter(deepcopy(ran))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            run_cell = next(outputs)
            cell.outputs, cell.execution_count = run_cell.outputs, run_cell.execution_count
    return notebook


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
    text that `toposeg_lite.workbook.explorers.show` stored beside it. Cells are numbered 1, 2, 3,
    ... and what was printed in one go, but arrived in pieces, is put together.
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


WORDS, LINES = 200, 10  # that are read in a minute, of prose and of code
PENCIL, CHANGE = 6, 12  # minutes for an exercise; for one in which a method is changed


def sections(text: NotebookNode) -> dict[str, float]:
    """Return the minutes that each section of a chapter takes to read, and each of its exercises.

    A minute is 200 words or 10 lines of code. What is folded and what is listed for further reading
    does not count, nor do solutions. An exercise takes 6 minutes, one that changes the method 12,
    unless its text says another time: "(Allow 20 minutes: ...)".
    Sections are called by their numbers ("1"), others by their headings, exercises by theirs
    ("02.1"); what stands before the first heading is called "". How long cells run is not counted.
    """
    found: dict[str, float] = {"": 0.0}
    section = ""
    for cell in text.cells:
        if "solution" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "code":
            if section != "Exercises":
                found[section] += (
                    sum(bool(line.strip()) for line in cell.source.splitlines()) / LINES
                )
            continue
        unfolded = re.sub(r"(?s)<details>.*?</details>", "", cell.source)
        for part in re.split(r"(?m)^(?=##+ )", unfolded):
            heading = part.partition("\n")[0]
            if heading.startswith("## "):
                name = heading.removeprefix("## ")
                number = re.match(r"(\d+)\. ", name)
                section = number[1] if number else name
                found.setdefault(section, 0.0)
            if section == "Exercises":
                takes = CHANGE if "Change the method" in heading else PENCIL
                said = re.search(r"\(Allow (\d+) minutes\b", part)
                takes = int(said[1]) if said else takes
                found |= dict.fromkeys(re.findall(r"\b\d\d\.\d\b", heading), takes)
            elif section not in ("Further reading", "Next"):
                found[section] += len(part.split()) / WORDS
    return found


def minutes(text: NotebookNode) -> tuple[int, int]:
    """Return in how many minutes a chapter is read, and in how many with its exercises.

    Both are sums of `sections`, rounded up to whole five minutes.
    """
    found = sections(text)
    together = sum(found.values())
    reading = sum(takes for name, takes in found.items() if not re.match(r"\d\d\.", name))
    return 5 * math.ceil(reading / 5), 5 * math.ceil(together / 5)


def time_line(text: NotebookNode) -> str:
    """Return how a chapter says in its head how long it takes."""
    reading, together = minutes(text)
    if together == reading:
        return f"{reading} minutes to read"
    return f"{reading} minutes to read, {together} with exercises"


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


def products(source: Path, notebook: NotebookNode) -> dict[Path, bytes]:
    """Return every file that is made of a chapter's text, with what it has to hold."""
    folder, path = source.parent.parent, notebook_of(source, notebook)
    files = {path: text_of(notebook).encode()}
    if path.parent.name == "solutions":
        files[folder / path.name] = text_of(learners(notebook)).encode()
    for tag, ending in (("end-product", ""), ("readme", "-readme")):
        picture = tagged_picture(notebook, tag)
        if picture is not None:
            files[folder / "images" / f"{number_of(path)}{ending}.png"] = picture
    return files


def stored(source: Path) -> NotebookNode:
    """Return the notebook of a text with the outputs that are stored."""
    text = read_text(source)
    return tidy(with_outputs(text, read(notebook_of(source, text))))


def from_run(run: Path, folder: Path = HERE) -> dict[Path, bytes]:
    """Return the files of the long chapter with the outputs that a run of it has left.

    The cell of parameters that papermill adds is left out, and so are progress bars.
    """
    (source,) = (path for path in sources(folder) if number_of(path) in LONG)
    notebook = read(run / f"{source.stem}.ipynb")
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    text = read_text(source)
    if [cell.source for cell in notebook.cells] != [cell.source for cell in text.cells]:
        raise ValueError(f"{run} has run another version of {source.stem}: run it again")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return products(source, tidy(with_outputs(text, notebook)))


def out_of_step(folder: Path = HERE) -> list[Path]:
    """Return the files that differ from what their chapter's text makes of them."""
    wrong = []
    for source in sources(folder):
        try:
            files = products(source, stored(source))
        except (FileNotFoundError, ValueError):  # never run, or with other code
            wrong.append(notebook_of(source, read_text(source)))
            continue
        wrong += [
            file
            for file, content in files.items()
            if not file.exists() or file.read_bytes() != content
        ]
    return wrong


def pull(source: Path) -> str:
    """Return the text anew, with what was edited in its stored notebook."""
    return write_text(tidy(read(notebook_of(source, read_text(source)))))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Build the workbook.")
    parser.add_argument("chapters", nargs="*", help="numbers, e.g. 00 02; default: all")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--no-run", action="store_true", help="use the outputs already stored")
    how.add_argument("--check", action="store_true", help="change nothing, tell what is stale")
    how.add_argument("--from-run", type=Path, metavar="FOLDER", help="store this run of chapter 09")
    how.add_argument("--pull", action="store_true", help="take edits in Jupyter into the text")
    how.add_argument("--times", action="store_true", help="say how many minutes chapters take")
    options = parser.parse_args(arguments)
    if options.from_run:
        store(from_run(options.from_run))
        return 0
    if options.check:
        wrong = out_of_step()
        for file in wrong:
            print(f"{file.relative_to(HERE)} is not in step: run `python notebooks/build.py`")
        return 1 if wrong else 0
    known = {number_of(path): path for path in sources()}
    unknown = sorted(set(options.chapters) - set(known))
    if unknown:
        parser.error(f"no chapter {', '.join(unknown)} to build; there are {', '.join(known)}")
    for number in options.chapters or known:
        source, start = known[number], time.perf_counter()
        if options.times:
            print(f"{source.stem}: {time_line(read_text(source))}")
            continue
        if options.pull:
            store({source: pull(source).encode()})
        elif options.no_run or number in LONG:
            store(products(source, stored(source)))
        else:
            text = read_text(source)
            store(products(source, tidy(run(text, notebook_of(source, text).parent))))
        print(f"{source.stem}: {time.perf_counter() - start:.0f} s")
    return 0


def store(files: dict[Path, bytes]) -> None:
    """Write files whole or not at all, so that one that is stopped leaves no half notebook."""
    for file, content in files.items():
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, content)


if __name__ == "__main__":
    sys.exit(main())
