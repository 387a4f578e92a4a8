"""The workbook: its files are in step and clean, and its stored outputs are what the code gives."""

from __future__ import annotations

import ast
import base64
import configparser
import importlib
import importlib.util
import inspect
import io
import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from PIL import Image

from toposeg_lite.workbook import exercises
from toposeg_lite.workbook.figures.base import CARD

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "notebooks"
SANITIZE = HERE / "nbval_sanitize.cfg"
CHAPTERS = [
    "00_start_here",
    "01_see_images_as_spaces",
    "02_measure_shape_with_persistence",
    "03_train_with_a_topological_loss",
    "04_warp_masks_without_tearing",
    "05_read_ridges_with_discrete_morse_theory",
    "06_train_with_a_morse_loss",
    "07_learn_a_distribution_over_structures",
    "07b_judge_each_branch",
    "08_annotate_where_the_model_is_unsure",
    "09_run_a_full_training",
    "10_compare_and_ablate",
    "11_cross_the_domains",
    "12_scale_up",
    "13_go_to_three_dimensions",
    "14_use_it_in_your_own_project",
]
DASHBOARD = "90_dashboard"  # is no chapter
LONG = "09"  # has its own budget of time, cells and outputs
FIRST = "00"  # has no exercises
WITHOUT_EXERCISES = (FIRST, LONG)  # in cells of their own, which a notebook in solutions/ has
TAGS = {"parameters", "solution", "end-product", "readme", "nbval-ignore-output"}

_spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)

number_of = build.number_of
PLAIN = sorted(FOLDER.glob("[0-9][0-9]*_*.ipynb"))
SOLVED = sorted((FOLDER / "solutions").glob("*.ipynb"))
ALL = [*PLAIN, *SOLVED]
SHORT = [path for path in ALL if number_of(path) != LONG]
READ = [path for path in SHORT if path.parent == FOLDER and path.stem != DASHBOARD]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=[str(p.relative_to(FOLDER)) for p in paths])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def prose(notebook):
    """Return the Markdown without fenced code."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"(?ms)^```.*?^```", "", text)


def texts(output):
    """Yield the texts of an output, as (holder, key)."""
    if output.output_type == "stream":
        yield output, "text"
    for key in output.get("data", {}):
        if key.startswith("text/"):
            yield output.data, key


# --- The files --------------------------------------------------------------------------------


def test_the_chapters_are_those_of_the_table():
    assert [path.stem for path in PLAIN] == [*CHAPTERS, DASHBOARD]
    assert [path.stem for path in SOLVED] == [
        name for name in CHAPTERS if number_of(Path(name)) not in WITHOUT_EXERCISES
    ]


def test_the_readme_maps_every_chapter():
    text = (FOLDER / "README.md").read_text()
    numbers = [number_of(Path(name)) for name in CHAPTERS]
    row = r"(?m)^\| \[(\w+) [^]]*\]\((\w+)\.ipynb\) \|[^|]*\|([^|]*)\|([^|]*)\|$"
    rows = re.findall(row, text)
    assert [number for number, *_ in rows] == numbers
    assert [name for _, name, *_ in rows] == CHAPTERS
    assert f"({DASHBOARD}.ipynb)" in text
    graph = re.search(r"(?ms)^```mermaid$(.*?)^```$", text)[1]
    assert sorted(set(re.findall(r"\bc(\w+)\[", graph))) == numbers
    for number, name, needs, takes in rows:
        needed = re.match(r" (\d\d[a-z]?)", needs)
        assert not needed or f"c{needed[1]} --> c{number}" in graph, f"{number} needs {needed}"
        text_of_it = build.read_text(FOLDER / "source" / f"{name}.py")
        said = re.findall(r"\d+", text_of_it.cells[0].source.split("**Time:**")[1].split(" min")[0])
        said += re.findall(r"(\d+) with exercises", text_of_it.cells[0].source)
        assert re.findall(r"\d+", takes) == said, (name, takes)
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


def test_the_map_in_chapter_00_names_every_chapter():
    text = build.read_text(FOLDER / "source" / f"{CHAPTERS[0]}.py")
    (cell,) = (cell.source for cell in text.cells if cell.id == "map")
    mapped = cell.split("## 5. The map")[1].split("**How a chapter works.**")[0]
    assert re.findall(r"(?m)^\| \*\*\w+\*\* \[[^]]*\]\((\w+)\.ipynb\)", mapped) == CHAPTERS[1:]


@each([path for path in PLAIN if path.stem != DASHBOARD])
def test_a_chapter_says_honestly_how_long_it_takes(path):
    """Within five minutes of the rule, so that a new sentence does not change every head."""
    text = build.read_text(FOLDER / "source" / f"{path.stem}.py")
    form = r"(?m)^\*\*Time:\*\* (\d+) minutes to read(?:, (\d+) with exercises)?(?:;.*)?\.$"
    found = re.search(form, text.cells[0].source)
    reading, together = build.minutes(text)
    assert abs(int(found[1]) - reading) <= 5
    assert abs(int(found[2] or found[1]) - together) <= 5


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def test_minutes_are_counted_by_the_rule():
    folded = f"<details><summary>More</summary>\n\n{'word ' * 5000}\n\n</details>"
    solved = nbformat.v4.new_code_cell("pass\n" * 500, metadata={"tags": ["solution"]})
    cells = [
        markdown("# Title"),
        markdown(f"## 1. One\n\n{'word ' * 1997}"),  # with the heading 2000 words: 10 minutes
        nbformat.v4.new_code_cell("pass\n\n" * 20),  # 20 lines: 2 minutes
        markdown(folded),
        markdown(f"## Exercises\n\n### 99.1 and 99.2 With a pencil\n\n{'word ' * 5000}"),
        nbformat.v4.new_code_cell("pass\n" * 500),
        solved,
        markdown("### 99.3 Change the method: x"),
        markdown("### 99.4 Change the method: y\n\n(Allow 20 minutes: long.)"),
        markdown(f"## Further reading\n\n{'word ' * 5000}"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    found = build.sections(notebook)
    assert found["1"] == 12
    assert [found[f"99.{k}"] for k in (1, 2, 3, 4)] == [6, 6, 12, 20]
    assert found["Further reading"] == found["Exercises"] == 0
    assert build.minutes(notebook) == (15, 60)  # 12 and 56, and the words of the title
    assert build.time_line(notebook) == "15 minutes to read, 60 with exercises"
    assert build.time_line(nbformat.v4.new_notebook(cells=cells[:2])) == "15 minutes to read"


def test_the_plan_of_two_hours_leaves_time_for_what_it_names():
    text = (FOLDER / "README.md").read_text()
    plan = text.split("### A tutorial of two hours")[1].split("\n### ")[0]
    found = {
        number_of(path): build.sections(build.read_text(path)) for path in build.sources(FOLDER)
    }
    end = 0
    for first, last, named in re.findall(r"(?m)^\| (\d+)-(\d+) \|[^|]*\|([^|]*)\|$", plan):
        assert int(first) == end
        end = int(last)
        needed = 0.0
        for number, words in re.findall(r"(?<![.\d])(\d\d[a-z]?), ([^;]*)", named):
            for section, to in re.findall(r"\b(\d+)(?: to (\d+))?", words):
                wanted = range(int(section), int(to or section) + 1)
                needed += 2 * sum(found[number][str(k)] for k in wanted)
            if "Predict first" in words:
                needed += 2 * found[number]["Predict first"]
        for exercise in re.findall(r"\b\d\d\.\d\b", named):
            needed += found[exercise[:2]][exercise]
        assert needed <= end - int(first), (named, needed)
        assert needed > 0 or not named.strip()
    assert end == 120


def test_what_the_glossary_calls_things_in_the_code_is_there():
    text = (ROOT / "docs" / "glossary.md").read_text()
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith(("| Word", "|---")):
            continue
        cells = line.strip("|").split("|")
        assert len(cells) == 5, line
        for name, members in re.findall(r"`(toposeg_lite\.[\w.]+)`((?:,? ?\w* `\w+`)*)", cells[3]):
            first, *rest = name.split(".")
            found = resolve(first, rest)
            known = {*dir(found), *getattr(found, "__annotations__", {})}
            known |= set(inspect.signature(found).parameters)
            assert set(re.findall(r"`(\w+)`", members)) <= known, line


def test_the_notes_for_the_teacher_speak_of_every_exercise():
    text = (FOLDER / "README.md").read_text().split("## Notes for the teacher")[1]
    noted = re.findall(r"(?m)^\| \*\*(\d\d\.\d)\*\* \|", text)
    assert noted == sorted(exercises.checking._CHECKERS)


def test_every_checker_belongs_to_an_exercise():
    asked = set()
    for path in [*SOLVED, *(path for path in PLAIN if number_of(path) == LONG)]:
        for cell in code_cells(build.read(path)):
            asked |= set(re.findall(r"""check\(\s*["'](\d\d\.\d)["']""", cell.source))
    assert asked == set(exercises.checking._CHECKERS)


def test_the_long_chapter_has_its_solutions_folded_and_they_are_right():
    """It is stored as it was run, by people as well: so no cell of it holds a solution."""
    (path,) = (path for path in PLAIN if number_of(path) == LONG)
    notebook = build.read(path)
    numbers = re.findall(r"(?m)^### (\d\d\.\d) ", prose(notebook))
    assert numbers == ["09.1", "09.2", "09.3"]
    stubs = [cell for cell in code_cells(notebook) if "exercises.check(" in cell.source]
    for number, cell in zip(numbers, stubs, strict=True):
        said = "".join(holder[key] for output in cell.outputs for holder, key in texts(output))
        assert f"{number} not attempted." in said
    written = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    folds = re.findall(r"(?s)<summary>Solution</summary>(.*?)</details>", written)
    first, second, third = folds
    assert exercises.check("09.1", re.search(r'"(\d{4})"', first)[1]).status == "correct"
    assert exercises.check("09.2", float(re.search(r"\.\d+", second)[0])).status == "correct"
    defined = {}
    exec(re.search(r"(?s)```python\n(.*?)```", third)[1], defined)
    assert exercises.check("09.3", defined["verdict"]).status == "correct"


def test_learners_notebooks_and_pictures_are_in_step_with_their_sources():
    assert build.out_of_step() == []


@pytest.fixture
def chapter(tmp_path):
    """A chapter of three cells, whose text was run and stored."""
    cells = [
        nbformat.v4.new_markdown_cell(
            "# A title\n\n- a list  \n\n```\n# %% no cell\n```", id="title"
        ),
        nbformat.v4.new_code_cell("1 + 1", id="sum", execution_count=1),
        nbformat.v4.new_code_cell(
            "2", id="two", execution_count=2, metadata={"tags": ["solution"]}
        ),
    ]
    notebook = build.tidy(nbformat.v4.new_notebook(cells=cells))
    source = tmp_path / "source" / "07_x.py"
    build.store({source: build.write_text(notebook).encode()})
    build.store(build.products(source, notebook))
    return source


def test_a_text_describes_its_notebook(chapter):
    text = build.read_text(chapter)
    assert [cell.id for cell in text.cells] == ["title", "sum", "two"]
    assert "\n# # A title\n" in chapter.read_text()
    assert build.write_text(text) == chapter.read_text()
    stored = build.stored(chapter)
    assert [cell.source for cell in stored.cells] == [cell.source for cell in text.cells]
    assert [cell.get("execution_count") for cell in stored.cells] == [None, 1, 2]


@each(SHORT)
def test_every_text_describes_its_stored_notebook(path):
    text = build.read_text(FOLDER / "source" / f"{path.stem}.py")
    if path.parent == FOLDER and path.name in {solved.name for solved in SOLVED}:
        text = build.learners(text)
    cells = [(cell.id, cell.cell_type, cell.source, tags(cell)) for cell in text.cells]
    stored = build.read(path).cells
    assert [(cell.id, cell.cell_type, cell.source, tags(cell)) for cell in stored] == cells


def test_a_change_of_the_text_or_of_a_notebook_is_noticed(chapter):
    folder = chapter.parent.parent
    solved, copy = folder / "solutions" / "07_x.ipynb", folder / "07_x.ipynb"
    assert build.out_of_step(folder) == []
    assert [c.id for c in build.read(copy).cells] == ["title", "sum"]
    for file, old, new in [
        (copy, "1 + 1", "1 + 2"),  # the learner's copy
        (solved, "}\n", "}\n\n"),  # as another tool would write it
        (solved, "1 + 1", "1 + 2"),
        (solved, "A title", "No title"),
    ]:
        before = file.read_text()
        file.write_text(before.replace(old, new, 1))
        assert build.out_of_step(folder) == [file]
        file.write_text(before)
    before = chapter.read_text()
    chapter.write_text(before.replace("A title", "Another"))  # prose: the outputs may stay
    assert build.out_of_step(folder) == [solved, copy]
    build.store(build.products(chapter, build.stored(chapter)))
    assert build.out_of_step(folder) == []
    chapter.write_text(before.replace("1 + 1", "1 + 2"))  # code: it has to run again
    assert build.out_of_step(folder) == [solved]
    with pytest.raises(ValueError, match="not the code that was run"):
        build.stored(chapter)


def test_edits_in_jupyter_come_back_into_the_text(chapter):
    solved = chapter.parent.parent / "solutions" / "07_x.ipynb"
    solved.write_text(solved.read_text().replace("A title", "Another"))
    assert build.pull(chapter) == chapter.read_text().replace("A title", "Another")


def test_cells_without_a_name_of_their_own_are_refused(chapter):
    text = chapter.read_text()
    chapter.write_text(text.replace("# %% two", "# %%"))
    with pytest.raises(ValueError, match="a cell has no name: '2'"):
        build.read_text(chapter)
    chapter.write_text(text.replace("# %% two", "# %% sum"))
    with pytest.raises(ValueError, match="several cells are called sum"):
        build.read_text(chapter)


def test_a_build_that_cannot_write_leaves_the_notebook_whole(chapter, monkeypatch):
    solved = chapter.parent.parent / "solutions" / "07_x.ipynb"
    before = solved.read_bytes()

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        build.store({solved: b"{"})
    assert solved.read_bytes() == before
    assert [path.name for path in solved.parent.iterdir()] == [solved.name]


def test_tidying_drops_live_widgets_and_run_times():
    output = nbformat.v4.new_output(
        "display_data", {build.WIDGET_VIEW: {"model_id": "a"}, "image/png": "", "text/plain": "x"}
    )
    cell = nbformat.v4.new_code_cell("x", execution_count=7, outputs=[output])
    cell.metadata["execution"] = {"iopub.execute_input": "12:00"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})
    tidy = build.tidy(notebook)
    assert set(tidy.cells[0].outputs[0].data) == {"image/png", "text/plain"}
    assert tidy.cells[0].metadata == {}
    assert tidy.cells[0].execution_count == 1
    assert "widgets" not in tidy.metadata
    assert build.WIDGET_VIEW in notebook.cells[0].outputs[0].data  # the argument is left alone


def test_tidying_joins_what_was_printed_in_one_go():
    pieces = [("stdout", "a\n"), ("stdout", "b\n"), ("stderr", "c\n"), ("stdout", "d\n")]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]
    cell = nbformat.v4.new_code_cell("x", execution_count=1, outputs=outputs)
    tidy = build.tidy(nbformat.v4.new_notebook(cells=[cell]))
    joined = [(output.name, output.text) for output in tidy.cells[0].outputs]
    assert joined == [("stdout", "a\nb\n"), ("stderr", "c\n"), ("stdout", "d\n")]


@each(ALL)
def test_size(path):
    assert path.stat().st_size < 700_000


@each(ALL)
def test_no_widget_state_no_errors_no_machine_paths(path):
    raw = path.read_text()
    assert "application/vnd.jupyter.widget" not in raw
    notebook = build.read(path)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        assert tags(cell) <= TAGS
        written = [cell.source]
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            written += [holder[key] for holder, key in texts(output)]
        for text in written:
            assert not re.search(r"(?<![\w.:/])/(home|root|tmp|usr|var|opt|mnt|Users|work)/", text)


@each(SHORT)
def test_cells_were_run_in_order(path):
    counts = [cell.execution_count for cell in code_cells(build.read(path))]
    assert counts == list(range(1, len(counts) + 1))


@each(ALL)
def test_parameters_cell(path):
    tagged = [k for k, cell in enumerate(build.read(path).cells) if "parameters" in tags(cell)]
    assert tagged == [1]  # right after the head, once


@each(ALL)
def test_headings_begin_with_one_title_and_skip_no_level(path):
    levels = [len(marks) for marks in re.findall(r"(?m)^(#+) ", prose(build.read(path)))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


@each(ALL)
def test_every_picture_has_an_alternative_text(path):
    notebook = build.read(path)
    pictures = re.findall(r"!\[(.*?)\]", prose(notebook))
    assert "<img" not in prose(notebook)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                pictures.append(output.metadata["image/png"]["alt"])
                assert output.data["text/plain"].strip()
    assert all(len(alt) > 30 for alt in pictures), pictures
    assert pictures


@each(SHORT)
def test_nothing_is_cut_off_at_the_rim_of_a_picture_and_no_band_is_empty(path):
    """Between the line around a card and what is drawn there is a little ground, on all sides."""
    for cell in code_cells(build.read(path)):
        for output in cell.outputs:
            png = output.get("data", {}).get("image/png")
            if not png:
                continue
            picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
            inner = np.asarray(picture).astype(int)[1:-1, 1:-1]
            ground = np.array([int(CARD[k : k + 2], 16) for k in (1, 3, 5)])
            drawn = np.abs(inner - ground).max(axis=-1) > 8
            rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
            rims = rows[0], len(drawn) - 1 - rows[-1], columns[0], drawn.shape[1] - 1 - columns[-1]
            assert min(rims) >= 3, (cell.id, rims)
            assert max(rims[:2]) <= 60, (cell.id, rims)


@each(ALL)
def test_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(build.read(path)))
    for target in targets:
        if not target.startswith("https://"):
            file, _, section = target.partition("#")
            assert (path.parent / file).exists(), target
            if section and file.endswith(".ipynb"):
                assert section in anchors(build.read(path.parent / file)), target
    assert targets


def anchors(notebook):
    """Return the names under which Jupyter finds the headings of a notebook."""
    return [title.replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", prose(notebook))]


@each(READ)
def test_a_chapter_leads_to_the_next_one(path):
    tail = build.read(path).cells[-1].source.split("## Next")[1]
    linked = re.findall(r"\]\((?:\./|\.\./)?(\d\d[a-z]?_\w+)\.ipynb", tail)
    assert linked or path.stem == CHAPTERS[-1]
    assert set(linked) <= set(CHAPTERS) - {path.stem}


@each(ALL)
def test_names_of_the_library_in_the_prose_exist(path):
    notebook = build.read(path)
    known = {"toposeg_lite": "toposeg_lite"}
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("toposeg_lite"):
                known |= {
                    name.asname or name.name: f"{node.module}:{name.name}" for name in node.names
                }
    for name in re.findall(r"`([A-Za-z_][\w.]*)", prose(notebook)):
        first, *rest = name.rstrip(".").split(".")
        if first in known:
            assert resolve(known[first], rest) is not None, name


def resolve(origin, rest):
    """Return what a dotted name means; an AttributeError or ImportError fails the test."""
    module, _, attribute = origin.partition(":")
    found = importlib.import_module(module)
    for part in [attribute, *rest] if attribute else rest:
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


@each(READ)
def test_a_chapter_has_few_and_short_cells(path):
    cells = [cell for cell in code_cells(build.read(path)) if "exercises.quiz(" not in cell.source]
    assert (4 if number_of(path) == FIRST else 8) <= len(cells) <= 16
    for cell in cells:
        lines = cell.source.splitlines()
        assert len(lines) <= 24, cell.source  # one idea, in lines that hold one step each
        assert max(map(len, lines)) <= 100, cell.source
        tree = ast.parse(cell.source)  # no magics, no shell
        assert not any(isinstance(node, ast.NamedExpr) for node in ast.walk(tree)), cell.source


@each(READ)
def test_a_chapter_says_what_to_expect_and_how_to_go_on(path):
    notebook = build.read(path)
    head, tail = notebook.cells[0].source, notebook.cells[-1].source
    for promise in ("**At the end**", "**Time:**", "**You need**", "**You will be able to**"):
        assert promise in head
    assert "## Next" in tail
    assert "shut this kernel down" in tail
    if number_of(path) != FIRST:
        for heading in ("## Predict", "## Exercises", "## In practice", "## Summary"):
            assert heading in prose(notebook)
        assert "## Further reading" in tail


@each(SHORT)
def test_ignored_outputs_are_few(path):
    cells = code_cells(build.read(path))
    ignored = sum("nbval-ignore-output" in tags(cell) for cell in cells)
    assert ignored <= len(cells) / 5
    for cell in cells:  # no marker is hidden in a comment, where it would not be counted
        assert not re.search(r"(?i)#\s*(nbval|pytest|raises)[-_ ]", cell.source)


@each([path for path in PLAIN if path.stem != DASHBOARD])
def test_a_chapter_asks_its_own_ten_questions(path):
    asked = re.findall(r'exercises\.quiz\("(\w+)"\)', path.read_text().replace('\\"', '"'))
    number = re.match(r"\d\d[a-z]?", path.name)[0]
    if number in exercises.quizzes():
        assert asked == [number]


# --- Exercises --------------------------------------------------------------------------------


@each(SOLVED)
def test_stubs_are_neutral_and_solutions_correct(path):
    verdicts = {"not attempted": [], "correct": [], "not yet": []}
    for cell in code_cells(build.read(path)):
        for output in cell.outputs:
            for holder, key in texts(output):
                for number, status in re.findall(
                    r"^(\d\d\.\d) (not attempted|not yet|correct)\.", holder[key], re.M
                ):
                    verdicts[status].append(number)
                    assert ("solution" in tags(cell)) == (status != "not attempted")
    assert 2 <= len(verdicts["correct"]) <= 4
    assert verdicts["not attempted"] == verdicts["correct"]
    assert verdicts["not yet"] == []
    assert prose(build.read(path)).count("<summary>Hint</summary>") == len(verdicts["correct"])


def names(cell):
    """Return the names that a cell binds for the cells below, and all names that it reads."""
    tree = ast.parse(cell.source)
    bound = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        else:
            named = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            bound |= {n.id for n in named if isinstance(n.ctx, ast.Store)}
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return bound, read


@each(SOLVED)
def test_no_other_cell_needs_a_solution(path):
    """The learner's notebook is the solved one without some cells, so it runs as stored."""
    solutions, shared = set(), set()
    for cell in code_cells(build.read(path)):
        bound, read = names(cell)
        if "solution" in tags(cell):
            solutions |= bound
        else:
            shared |= bound | read
    assert not solutions & shared


# --- Stored outputs are what the code gives ---------------------------------------------------


def holes_in_the_net():
    """Return the expressions of the sanitise file."""
    parser = configparser.RawConfigParser()
    parser.read(SANITIZE)
    return [re.compile(parser.get(section, "regex")) for section in parser.sections()]


def change_a_digit(text):
    """Return the text with the last digit changed that is compared, or None if there is none."""
    spans = [match.span() for hole in holes_in_the_net() for match in hole.finditer(text)]
    for match in reversed(list(re.finditer(r"\d", text))):
        if not any(a <= match.start() < b for a, b in spans):
            k, digit = match.start(), (int(match.group()) + 1) % 10
            return f"{text[:k]}{digit}{text[k + 1 :]}"
    return None


def with_changed_digits(notebook, *, everywhere):
    """Change a digit in the outputs of every code cell, or of the first one that has any.

    Return the notebook, cut off after the last change, and the numbers of the changed code cells.
    """
    notebook, changed, number = deepcopy(notebook), [], -1
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        number += 1
        if "nbval-ignore-output" in tags(cell):
            continue
        for holder, key in (where for output in cell.outputs for where in texts(output)):
            new = change_a_digit(holder[key])
            if new is not None:
                holder[key] = new
                changed.append(number)
                break
        if changed and not everywhere:
            del notebook.cells[place + 1 :]
            break
    return notebook, changed


def test_a_changed_digit_is_one_that_nbval_compares():
    assert change_a_digit("numpy: version 2.4.6, 3 pairs in 12.5 ms") == (
        "numpy: version 2.4.6, 4 pairs in 12.5 ms"
    )
    assert change_a_digit("numpy: version 2.4.6") is None


RUN = sorted({path.name: path for path in [*PLAIN, *SOLVED] if number_of(path) != LONG}.values())
SLOW = ("03", "06", "07", "07b", "13", "14")  # may take three minutes, the others one and a half
MEMORY = 1.5e9  # bytes
# Added to each chapter: what its kernel has used.
MEASURE = """
import json, resource
from toposeg_lite.memory import peak_memory
used = resource.getrusage(resource.RUSAGE_SELF)
said = {{"bytes": peak_memory(), "seconds": used.ru_utime + used.ru_stime}}
json.dump(said, open("{name}.json", "w"))
"""


def run_nbval(folder, notebooks):
    """Let nbval run notebooks side by side; return by name which of their cells failed, and why."""
    for name, notebook in notebooks.items():
        (folder / f"{name}.ipynb").write_text(build.text_of(notebook))
    command = (
        f"{sys.executable} -m pytest --nbval --nbval-current-env --nbval-cell-timeout=180 "
        f"--nbval-sanitize-with={SANITIZE} -n 2 --dist=loadfile -q -c {os.devnull} "
        f"-p no:cacheprovider --rootdir={folder} --junitxml=report.xml ."
    )
    run = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, timeout=1700)
    cells = {name: {} for name in notebooks}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        name = case.get("classname").removesuffix(".ipynb")
        failed = case.find("failure") is not None or case.find("error") is not None
        cells[name][int(case.get("name").split()[-1])] = failed
    return cells, run.stdout


def failed(cells):
    return [number for number, wrong in sorted(cells.items()) if wrong]


@pytest.fixture(scope="module")
def nbval(tmp_path_factory):
    """Run every chapter, and a copy of each up to its first number, in which a digit is changed."""
    folder = tmp_path_factory.mktemp("nbval")
    notebooks, expected = {}, {}
    for path in RUN:
        stored = build.read(path)
        name = f"digit_{path.stem}"
        notebooks[name], expected[name] = with_changed_digits(stored, everywhere=False)
        name = f"stored_{path.stem}"
        measure = nbformat.v4.new_code_cell(MEASURE.format(name=name), id="measure")
        measure.metadata["tags"] = ["nbval-ignore-output"]
        stored.cells.append(measure)
        notebooks[name], expected[name] = stored, []
    return folder, notebooks, expected, *run_nbval(folder, notebooks)


@pytest.mark.notebook
@pytest.mark.parametrize("path", RUN, ids=[path.stem for path in RUN])
@pytest.mark.parametrize("kind", ["stored", "digit"])
def test_outputs_are_what_the_code_gives_and_the_net_holds(kind, path, nbval):
    _, notebooks, expected, cells, log = nbval
    name = f"{kind}_{path.stem}"
    assert sorted(cells[name]) == list(range(len(code_cells(notebooks[name])))), log
    assert failed(cells[name]) == expected[name], log
    assert len(expected[name]) == (kind == "digit")


@pytest.mark.notebook
@pytest.mark.parametrize("path", RUN, ids=[path.stem for path in RUN])
def test_a_chapter_needs_little_memory_and_time(path, nbval):
    used = json.loads((nbval[0] / f"stored_{path.stem}.json").read_text())
    assert used["bytes"] < MEMORY
    # Seconds of the processor, which do not count what else the machine does: kernels that are
    # compiled for the first time are among them, so there is room for a minute more.
    assert used["seconds"] < (180 if number_of(path) in SLOW else 90) + 60


# Runs the long chapter, and says the peak of its kernel, which is asked while it lives.
WATCHED = """
import psutil, sys, threading, time
from toposeg_lite.memory import peak_memory
from toposeg_lite.workbook.studies.notebook import run_notebook

peaks = []

def watch():
    while True:
        peaks.extend(peak_memory(child.pid) for child in psutil.Process().children())
        time.sleep(0.1)

threading.Thread(target=watch, daemon=True).start()
run_notebook({values!r})
print(max(peak for peak in peaks if peak == peak))
"""


@pytest.mark.notebook
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells the peak of another")
def test_the_long_chapter_needs_little_memory(tmp_path):
    """With the crops, network and images of its defaults; in few steps, which hold no less."""
    values = {"pretrain_steps": 30, "finetune_steps": 4, "weight": 0.1, "learning_rate": 0.003}
    run = WATCHED.format(values=values | {"out": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert 1e8 < float(done.stdout.split()[-1]) < MEMORY


@pytest.mark.nightly
@pytest.mark.notebook
def test_a_changed_digit_in_any_cell_is_noticed(tmp_path):
    notebooks, expected = {}, {}
    for path in RUN:
        notebook, changed = with_changed_digits(build.read(path), everywhere=True)
        notebooks[path.stem], expected[path.stem] = notebook, changed
    cells, log = run_nbval(tmp_path, notebooks)
    assert {name: failed(those) for name, those in cells.items()} == expected, log
    assert all(len(changed) >= 3 for name, changed in expected.items() if name != DASHBOARD)
