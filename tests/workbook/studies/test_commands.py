"""Every command that is printed somewhere runs from the place that is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import papermill
import pytest
from PIL import Image
from training_data import rings

from toposeg_lite.training import loop
from toposeg_lite.workbook.studies import Comparison, StudyConfig, fitting
from toposeg_lite.workbook.studies.__main__ import COMMANDS, main
from toposeg_lite.workbook.studies.notebook import NOTEBOOK, PLACE, read_parameters
from toposeg_lite.workbook.studies.scores import study_tables
from toposeg_lite.workbook.studies.study import NOTEBOOKS, REFERENCE_RUNS


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


#: What a command makes of "-p NAME VALUE" for any of these but the place of data is checked first.
PARAMETERS = [name for name in StudyConfig.parameter_names() if name != "root"]
NUMBERS = [
    (command, field.name)
    for command, kind in COMMANDS.items()
    for field in fields(kind)
    if isinstance(field.default, int | float) and field.default is not False
]


@pytest.mark.parametrize("value", ["{'no such': 1}", "-1", "[[]]"])
@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("command", ["study", "notebook"])
def test_each_parameter_is_refused_by_its_name_before_anything_is_made(
    tmp_path, monkeypatch, capsys, command, name, value
):
    monkeypatch.chdir(tmp_path)
    assert main([command, "-p", name, value]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    # Of the options of a loss and of changes of images, the one that is unknown is named.
    assert name.rstrip("s") in told or "no such" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "name"), NUMBERS)
def test_each_number_of_a_command_is_refused_by_its_option(capsys, command, name):
    words = f"--{name.replace('_', '-')}"
    with pytest.raises(SystemExit) as stopped:
        main([command, words, "none"])
    assert stopped.value.code == 2
    assert f"argument {words}: invalid" in capsys.readouterr().err


# --- Own images ----------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path):
    """Twelve pictures of rings, and masks in which 255 marks what nobody labelled."""
    for name in ("images", "masks"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for k, sample in enumerate(rings(12, 0)):
        mask = sample.mask.astype(np.uint8)
        mask[:, 2 * k : 2 * k + 4] = 255
        for name, array in (("images", sample.image[0] * 255), ("masks", mask)):
            Image.fromarray(array.astype(np.uint8)).save(tmp_path / "own" / name / f"{k}.png")
    return {name: str(tmp_path / "own" / name) for name in ("images", "masks")}


def words(values):
    return [word for name, value in values.items() for word in ("-p", name, str(value))]


@pytest.fixture
def executed(monkeypatch):
    """Chapter 09 is not run: what it would have been given is kept."""
    given = {}
    monkeypatch.setattr(
        papermill, "execute_notebook", lambda *_, parameters, **__: given.update(parameters)
    )
    return given


def config_of(given):
    """The study that the chapter makes of its parameters."""
    values = {**read_parameters(NOTEBOOKS / NOTEBOOK), **given}
    for name in PLACE:
        del values[name]
    return StudyConfig.from_parameters(**values.pop("options"), **values)


def test_own_images_come_in_through_the_command(places, executed, tmp_path, capsys):
    given = {**places, "ignore": 255, "name": 2024, "out": tmp_path / "12", "width": 2}
    assert main(words(given)) == 0, capsys.readouterr().err
    assert (tmp_path / "12" / "2024").is_dir()
    assert executed["name"] == "2024"
    config = config_of(executed)
    assert config.shared.dataset == "folder"
    assert config.shared.own_folder == {**places, "ignore": 255}
    assert config.shared.width == 2
    assert all(sample.ignored.any() for sample in config.load().train)
    # Values as Python writes them are the same ones.
    quoted = [word for name in places for word in ("-p", name, repr(places[name]))]
    assert main([*quoted, *words({"ignore": 255, "out": tmp_path / "13"})]) == 0
    assert config_of(executed).shared.own_folder == config.shared.own_folder


def test_what_the_chapter_has_no_line_for_is_taken_too(executed, tmp_path):
    more = {"root": 2024, "depth": 2, "options": {"light": 0.1}}
    assert main(words({"dataset": "brick", "out": tmp_path, **more})) == 0
    config = config_of(executed)
    assert (config.shared.root, config.shared.depth, config.shared.light) == ("2024", 2, 0.1)


def test_a_study_of_own_images_ignores_what_nobody_labelled(places, tmp_path, capfd):
    values = {
        **places, "ignore": 255, "out": tmp_path / "runs", "name": 7, "arms": "cldice",
        "seeds": [0], "pretrain_steps": 2, "finetune_steps": 1, "patch": 16, "width": 2, "depth": 1,
        "results": tmp_path / "kept" / "there" / "study.json",
    }  # fmt: skip
    assert main(["study", *words(values)]) == 0, capfd.readouterr().err
    results = json.loads((tmp_path / "kept" / "there" / "study.json").read_text())
    assert results == json.loads((tmp_path / "runs" / "7" / "study.json").read_text())
    assert results["parameters"]["shared"]["own_folder"] == {**places, "ignore": 255}
    assert 0 < results["networks"]["cldice"]["0"]["test"]["dice"] <= 1
    assert main(["study", *words(values)]) == 0  # goes on, and finds everything done
    # Without the option, masks of three values are refused before anything is made.
    del values["ignore"]
    other = {"name": "other", "results": tmp_path / "other.json"}
    assert main(["study", *words({**values, **other})]) == 1
    assert "if 255 marks pixels without a label, say ignore=255" in capfd.readouterr().err
    assert not (tmp_path / "runs" / "other").exists()


def test_a_report_of_own_images_leaves_ignored_pixels_out(places, tmp_path):
    config = StudyConfig.from_parameters(
        dataset="folder", own_folder={**places, "ignore": 255}, loss="cldice", weight=0.5, patch=16,
        pretrain_steps=2, finetune_steps=1, width=2, depth=1,
    )  # fmt: skip
    data = config.load()

    def flip(sample):
        return replace(sample, mask=sample.mask ^ sample.ignored)

    results = []
    parts = ("train", "validation", "test")
    flipped = replace(data, **{name: tuple(map(flip, getattr(data, name))) for name in parts})
    for number, each in enumerate((data, flipped)):
        comparison = Comparison(config, tmp_path / f"run{number}", data=each, progress=False)
        comparison.train_parent()
        comparison.train_arms()
        comparison.choose()
        comparison.score()
        comparison.picture()
        results.append(comparison.save())
    for name in ("test", "validation", "verdict", "differences", "losses"):
        assert results[0][name] == results[1][name]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"ignore": 255}, "own_folder must say where the images and masks are"),
        ({"images": "a"}, "own_folder must say where the masks are"),
        ({"images": "a", "masks": "b"}, "images must be an existing folder; got a"),
        ({"images": "a", "masks": "b", "dataset": "brick"}, "are a data set by themselves"),
        ({"dataset": "folder"}, "your own images are given by dataset='folder' together with"),
        (
            {"own_folder": {"image": "a"}},
            "each name in own_folder must be one of 'images', 'masks'",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", [["notebook"], ["study"]], ids=str)
def test_own_images_that_are_not_there_are_refused(tmp_path, capsys, command, values, text):
    values = {**values, "out": tmp_path / "runs"}
    assert main([*command, *words(values)]) == 1
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# --- Where results go -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a file", "below a file", "no such device"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["notebook", "-p", "dataset", "brick"], ["-p", "out"]),
        (["study", "-p", "dataset", "brick"], ["-p", "out"]),
        (["study", "-p", "dataset", "brick"], ["-p", "results"]),
        (["calibration", "--dataset", "vessels"], ["--out"]),
        (["orders", "--datasets", "vessels"], ["--out"]),
        (["orders", "--datasets", "vessels"], ["--results"]),
        (["pretrained", "--dataset", "vessels"], ["--out"]),
        (["pretrained", "--dataset", "vessels", "--out", "model"], ["--folder"]),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(
    tmp_path, monkeypatch, capsys, command, option, place
):
    (tmp_path / "note").write_text("mine")
    folders = {"a file": tmp_path / "note", "below a file": tmp_path / "note" / "runs"}
    bad = folders.get(place, Path("/proc/none/runs"))
    if option[-1] == "results":
        bad = bad / "study.json"
    elif command[0] == "pretrained" and option == ["--out"]:
        bad = bad / "model"
    elif option == ["--results"]:
        bad = bad / "orders.json"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "draw_batch", lambda *_, **__: pytest.fail("a step began"))
    monkeypatch.setattr(fitting, "draw_batch", lambda *_, **__: pytest.fail("a step began"))
    assert main([*command, *option, str(bad)]) == 1
    assert "no file can be written in the folder" in capsys.readouterr().err
    assert (tmp_path / "note").read_text() == "mine"
