"""Marking: notebooks of a folder are run with limits, and every answer becomes a row."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from toposeg_lite.workbook.exercises import check, marking, variant

IMPORT = "from toposeg_lite import exercises"
NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def write(path, *cells, tags=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [nbformat.v4.new_code_cell(source) for source in (IMPORT, *cells)]
    for cell, names in zip(made[1:], tags, strict=False):
        cell.metadata["tags"] = names
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


def of(rows, student):
    return {
        (row["exercise"], row["status"]): row["text"] for row in rows if row["student"] == student
    }


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submitted")
    share = variant("03.3", "Ben").constants
    good = f"lambda b, d, m: ({share['high']}, {share['low']}) if m else 2 * (b - "
    good += f"{share['share']} * (b - d),)"
    write(
        folder / "anna" / "02_measure.ipynb",
        "exercises.check('02.4', 0.05)",
        "1 / 0",
        "display(exercises.check('02.4', 0.1))",
        "%matplotlib inline\n!ls",
        "from toposeg_lite.workbook.exercises import check\ncheck('02.1', [(0, .9, 0)])",
    )
    write(folder / "ben-03_train.ipynb", f"exercises.check_variant('03.3', 'Ben', {good})")
    write(folder / "cleo_02_x.ipynb", "exercises.check('02.4', .1)", "raise SystemExit(3)",
          "exercises.check('02.2', lambda pairs, t: None)")  # fmt: skip
    write(folder / "dora" / "sub" / "02_y.ipynb", "while True:\n    pass", "import os\nos._exit(4)",
          "exercises.check('02.4', .1)", tags=[["nbval-ignore-output"]])  # fmt: skip
    return marking.mark(folder, seconds=1200, secret="this year's")


def test_every_answer_is_a_row(rows):
    anna = of(rows, "anna")
    assert anna["02.4", "correct"] == check("02.4", 0.1).text
    assert ("02.4", "not yet") not in anna  # the last answer counts
    assert ("02.1", "not yet") in anna
    assert ("02.2", "missing") in anna
    assert ("02.3", "missing") in anna
    assert "3: ZeroDivisionError" in anna["", "failed"]
    assert all(list(row) == list(marking.COLUMNS) for row in rows)


def test_a_variant_is_marked_for_the_name_that_was_given(rows):
    (ben,) = (row for row in rows if row["student"] == "ben" and row["exercise"] == "03.3")
    assert (ben["status"], ben["variant of"]) == ("correct", "Ben")


def test_an_exit_does_not_hide_the_answers_below_it(rows):
    cleo = of(rows, "cleo")
    assert ("02.4", "correct") in cleo
    assert ("02.2", "not attempted") in cleo
    assert "SystemExit" in cleo["", "failed"]


def test_a_process_that_ends_itself_leaves_what_it_had(rows):
    dora = of(rows, "dora")  # the endless loop has a tag that leaves it out
    assert dora["", "failed"] == "Its process ended with status 4."
    assert ("02.4", "missing") in dora


def test_what_never_ends_is_stopped_and_keeps_its_answers(tmp_path):
    write(tmp_path / "eve" / "02_z.ipynb", "exercises.check('02.4', .1)",
          "import time\nwhile True:\n    time.sleep(.01)")  # fmt: skip
    command = [sys.executable, "-m", marking.MODULE, str(tmp_path), "--seconds", "45"]
    run = subprocess.run(
        [*command, "--out", str(tmp_path / "marks.csv")], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().endswith("marks.csv: 5 rows, 1 correct")
    with open(tmp_path / "marks.csv", newline="") as file:
        eve = of(csv.DictReader(file), "eve")
    assert ("02.4", "correct") in eve
    assert "had not ended after 45 seconds" in eve["", "stopped"]


def test_a_notebook_that_takes_too_much_room_fails(tmp_path):
    pytest.importorskip("resource")
    if sys.platform != "linux":
        pytest.skip("other systems do not limit the memory of a process")
    write(tmp_path / "fred" / "02_z.ipynb", "exercises.check('02.4', .1)",
          "room = bytearray(40 * 10**9)")  # fmt: skip
    fred = of(marking.mark(tmp_path, gigabytes=4, seconds=1200), "fred")
    assert ("02.4", "correct") in fred
    assert "MemoryError" in fred["", "failed"]


def test_the_chapters_of_a_learner_are_marked_as_not_attempted(tmp_path):
    place = tmp_path / "gil" / "02_measure_shape_with_persistence.ipynb"
    place.parent.mkdir()
    name = "02_measure_shape_with_persistence.ipynb"
    place.write_bytes((NOTEBOOKS / name).read_bytes())
    rows = marking.mark(tmp_path, seconds=1200)
    assert {(r["exercise"], r["status"]) for r in rows} == {
        (f"02.{k}", "not attempted") for k in (1, 2, 3, 4)
    }


def test_names(tmp_path):
    for path, student in (
        ("anna/02_x.ipynb", "anna"),
        ("anna/week 1/02_x.ipynb", "anna"),
        ("anna-02_x.ipynb", "anna"),
        ("anna b_07b_x.ipynb", "anna b"),
        ("anna.ipynb", "anna"),
        ("02_x.ipynb", "02_x"),
    ):
        assert marking._student_of(tmp_path / path, tmp_path) == student


def test_a_folder_without_notebooks_is_refused(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="holds no notebook"):
        marking.mark(tmp_path)
    with pytest.raises(SystemExit):
        marking.main([str(tmp_path)])
    with pytest.raises(SystemExit):
        marking.main([])
    assert "which folder?" in capsys.readouterr().err
