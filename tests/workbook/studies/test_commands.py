"""Every command that is printed somewhere runs from the place that is printed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import REFERENCE_RUNS


@pytest.mark.parametrize("module", ["calibration", "annotation", "pretrained"])
def test_printed_commands_run_from_where_they_were(tmp_path, module):
    option = "--datasets" if module == "annotation" else "--dataset"
    command = [sys.executable, "-m", f"toposeg_lite.training.{module}", option, "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dataset must be one of")
    assert list(tmp_path.iterdir()) == []


def test_the_tables_of_a_reference_run_are_printed(capsys):
    path = REFERENCE_RUNS / "topomortar-study.json"
    assert main(["table", str(path)]) == 0
    assert capsys.readouterr().out == study_tables(json.loads(path.read_text())) + "\n"
    assert main(["table", str(path.with_suffix(".none"))]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--even-light"], "unrecognized arguments: --even-light"),  # of the default, notebook
        (["calibration", "--passes", "many"], "invalid int value: 'many'"),
        (["table"], "the following arguments are required: file"),
        (["tables"], "invalid choice: 'tables'"),
    ],
)
def test_words_that_no_command_knows_are_refused(capsys, words, text):
    with pytest.raises(SystemExit):
        main(words)
    assert text in capsys.readouterr().err
