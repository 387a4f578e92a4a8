"""Chapter 09 and the command that runs it, with a budget of seconds."""

from __future__ import annotations

import importlib.util
import inspect
import json
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import papermill
import psutil
import pytest

from toposeg_lite.training import load_checkpoint
from toposeg_lite.workbook.studies import StudyConfig, prepare_folder
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.notebook import PLACE, read_parameters, run_notebook

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "09_run_a_full_training.ipynb"
SMALL = {
    "dataset": "brick",
    "weight": [0.1, 1.0],
    "pretrain_steps": 150,  # the first checkpoint is written after 100
    "finetune_steps": 2,
    "patch": 16,
    "batch": 2,
    "width": 2,
    "options": {"depth": 2},
}

pytestmark = pytest.mark.notebook


def arguments(values: dict) -> list[str]:
    return [part for name, value in values.items() for part in ("-p", name, repr(value))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Run the notebook once through the command, as a user does."""
    out = tmp_path_factory.mktemp("runs")
    done = subprocess.run(
        [sys.executable, "-m", "toposeg_lite.training", *arguments(SMALL | {"out": str(out)})],
        cwd=out, capture_output=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    folder = out / "brick-topological-seed0"
    (folder / "stdout.txt").write_bytes(done.stdout)
    (folder / "stderr.txt").write_bytes(done.stderr)
    return folder


def test_the_run_leaves_everything_in_its_folder(finished):
    files = {file.name for file in finished.iterdir()}
    assert files == {
        "09_run_a_full_training.ipynb", "report.html", "metrics.json", "comparison.png",
        "training.png",
        "parent.safetensors", "control.safetensors", "topological-0.1.safetensors",
        "topological-1.safetensors", "stdout.txt", "stderr.txt", "events",
    }  # fmt: skip
    networks = {file.stem for file in finished.glob("*.safetensors")}
    assert {folder.name for folder in (finished / "events").iterdir()} == networks
    notebook = nbformat.read(finished / "09_run_a_full_training.ipynb", as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    html = (finished / "report.html").read_text()
    assert html.count('src="data:image/png;base64') == 2
    assert 'alt="Test images in rows; from left to right the image, its reference' in html
    assert "<title>What the topological loss changes on brick</title>" in html
    assert "%|" not in html  # no progress bar


def test_the_terminal_shows_bars_the_table_and_the_verdict(finished):
    said, bars = ((finished / f"{name}.txt").read_bytes().decode() for name in ("stdout", "stderr"))
    results = json.loads((finished / "metrics.json").read_text())
    rows = ("Dice", "clDice", "Betti-0 error", "Betti-1 error", "ARI", "VOI (bits)",
            "seconds per step", "share of loss", "64 x 64 pixels", "connectivity 2")  # fmt: skip
    assert [row for row in rows if row not in said] == []
    header = next(line for line in said.splitlines() if "parent" in line and "control" in line)
    assert header.split() == ["parent", "control", "topological"]
    assert results["verdict"]["sentence"] in said
    for name in ("parent", "control", "topological-0.1", "topological-1"):
        assert f"{name}: 100%" in bars
    assert "\r" in bars  # moving bars in the terminal; in the notebook only their last state
    assert "\r" not in (finished / "09_run_a_full_training.ipynb").read_text()


def test_every_number_is_kept_with_what_made_it(finished):
    results = json.loads((finished / "metrics.json").read_text())
    config = StudyConfig.from_parameters(**results["parameters"])
    assert config.arms[0].weights == (0.1, 1.0)
    assert config.shared.depth == 2
    assert results["seed"] == 0
    assert set(results["versions"]) >= {"python", "toposeg-lite", "torch", "numpy"}
    assert 0 < results["times"]["training_seconds"] < results["times"]["wall_seconds"]
    assert "git_commit" in results
    assert list(results["test"]) == ["parent", "control", "topological"]
    for images in results["test"].values():
        for row in images.values():
            assert {"dice", "cldice", "betti_0_error", "betti_1_error"} <= set(row)
            assert np.isfinite(row["dice"])


def test_the_stored_chapter_is_made_from_a_run(finished, tmp_path):
    spec = importlib.util.spec_from_file_location("build", NOTEBOOK.parent / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    files = build.from_run(finished)
    assert [path.name for path in files] == [NOTEBOOK.name, "09.png"]
    stored = nbformat.reads(files[NOTEBOOK].decode(), as_version=4)
    now = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.source for cell in stored.cells] == [cell.source for cell in now.cells]
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(out.get("name") == "stderr" for cell in code for out in cell.outputs)
    (text,) = (path for path in build.sources() if path.stem == NOTEBOOK.stem)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / text.name).write_text(text.read_text() + "# newer\n")
    with pytest.raises(ValueError, match="another version of 09_run_a_full_training"):
        build.from_run(finished, tmp_path)


def test_a_killed_run_goes_on_with_resume_to_the_same_numbers(finished, tmp_path):
    values = SMALL | {"out": str(tmp_path), "name": "killed"}
    command = [sys.executable, "-m", "toposeg_lite.training", *arguments(values)]
    process = psutil.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    parent = tmp_path / "killed" / "parent.safetensors"
    deadline = time.monotonic() + 300
    while not parent.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed = [*process.children(recursive=True), process]  # the kernel and the command
    for each in killed:
        each.kill()
    psutil.wait_procs(killed, timeout=60)
    assert not (tmp_path / "killed" / "metrics.json").exists()
    assert load_checkpoint(parent).step in (100, 150)

    assert main(arguments(values)) == 1  # refused: the folder holds a run
    folder = run_notebook(values | {"resume": True})
    whole, resumed = (
        json.loads((where / "metrics.json").read_text()) for where in (finished, folder)
    )
    for results in (whole, resumed):
        del results["times"], results["git_commit"]
    assert resumed == whole


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"dataset": "retinas"}, "dataset must be one of 'retina', 'brick'"),
        ({"loss": "topology"}, "loss must be one of 'dice_bce', 'topological'"),
        ({"loss_options": {"window": 0}}, "window"),
        ({"speed": 3}, "unknown parameter 'speed'; the notebook takes dataset, loss, loss_options"),
        (
            {"dataset": "tubes", "patch": 16, "loss_options": {"connectivity": 2}},
            "the loss 'topological' with these options does not fit images with 3 axes: connecti",
        ),
        ({"options": {"speed": 3}}, "unknown parameter 'speed'; there are dataset, root, loss"),
        ({"options": 3}, "options must map names to values; got 3"),
        ({"weight": [0.1, -1]}, "each of weights must be finite and above zero; got -1"),
        ({"patch": [8, 8, 8]}, "patch must name one side for each of the 2 axes"),
        ({"resume": "yes"}, "resume must be True or False; got 'yes'"),
        ({"name": "a/b"}, "name must be a plain folder name; got 'a/b'"),
    ],
    ids=str,
)
def test_a_bad_parameter_ends_the_run_before_anything_is_made(tmp_path, capfd, values, text):
    assert main(arguments({"out": str(tmp_path / "runs")} | values)) == 1
    said = capfd.readouterr().err
    assert said.startswith("error: ")
    assert text in said
    assert list(tmp_path.iterdir()) == []


def test_a_missing_notebook_is_said(tmp_path, capsys):
    assert main(["--notebook", str(tmp_path / "none.ipynb")]) == 1
    assert "there is no notebook" in capsys.readouterr().err


def test_a_cell_that_fails_is_said_and_kept(tmp_path, capsys):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    setup = next(cell for cell in notebook.cells if "prepare_folder(" in cell.source)
    setup.source += "\nraise RuntimeError('the disk melted')"
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    values = SMALL | {"out": str(tmp_path / "runs")}
    assert main([*arguments(values), "--notebook", str(tmp_path / "broken.ipynb")]) == 1
    said = capsys.readouterr().err
    assert "RuntimeError: the disk melted" in said
    assert "-p resume True goes on from there" in said
    folder = tmp_path / "runs" / "brick-topological-seed0"
    assert "the disk melted" in (folder / "report.html").read_text()


def test_a_run_that_is_stopped_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(papermill, "execute_notebook", stop)
    assert main(arguments({"out": str(tmp_path)})) == 130
    assert "stopped. What was trained is kept: the same command" in capsys.readouterr().err


def test_values_are_read_as_python_writes_them(capsys):
    # The command sees the values of the notebook as they are written there.
    defaults = read_parameters(NOTEBOOK)
    cell = next(
        cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells
        if "parameters" in cell.metadata.get("tags", [])
    )  # fmt: skip
    written: dict = {}
    exec(cell.source, written)
    assert defaults == {name: written[name] for name in defaults}


def test_the_parameters_of_the_notebook_are_those_of_the_library():
    defaults = read_parameters(NOTEBOOK)
    own = {*PLACE, "options"}
    assert own <= set(defaults)
    config = StudyConfig.from_parameters(
        **{name: value for name, value in defaults.items() if name not in own}
    )
    assert config == StudyConfig.from_parameters()  # one set of defaults, in both places
    place = inspect.signature(prepare_folder).parameters
    assert {name: defaults[name] for name in PLACE} == {n: place[n].default for n in PLACE}


def test_the_notebook_reads_well():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert 8 <= len(code) <= 16
    assert max(len(cell.source.splitlines()) for cell in code) <= 15
    titles = [
        line for cell in notebook.cells if cell.cell_type == "markdown"
        for line in cell.source.splitlines() if line.startswith("# ")
    ]  # fmt: skip
    assert titles == ["# Run a full training"]
    pictures = [
        output for cell in code for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]  # fmt: skip
    assert len(pictures) == 2
    for output in pictures:
        assert len(output.data["image/png"]) * 3 / 4 < 700_000
        assert len(output.metadata["image/png"]["alt"]) > 40
    assert all(cell.execution_count for cell in code)
    assert NOTEBOOK.stat().st_size < 1_500_000
