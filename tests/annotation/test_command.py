"""The command that opens the desk: what it begins, what it refuses, and the page it shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile
from jupyter_browser import WAIT, chromium, heard
from PIL import Image
from playwright.sync_api import expect

from toposeg_lite.annotation import __main__ as command
from toposeg_lite.annotation import open_session
from toposeg_lite.workbook import desk

ROWS = np.array([[0.9, 0.9, 0.2, 0.9, 0.9], [0, 0, 0, 0, 0], [0.6, 0.6, 0.3, 0.6, 0.6]])
LIKELIHOOD = np.kron(ROWS, np.ones((4, 4))).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    """An image, a likelihood, a mask of it and a volume, as other tools leave them."""
    image = np.round(255 * LIKELIHOOD).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "eye.png")
    tifffile.imwrite(tmp_path / "likelihood.tif", LIKELIHOOD)
    Image.fromarray(np.where(image > 127, 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    np.save(tmp_path / "volume.npy", np.full((4, 5, 6), 0.3, np.float32))
    return {path.stem: str(path) for path in tmp_path.iterdir()}


class Server:
    """Stands for Voila: keeps the command and the notebook that it would show."""

    def __init__(self, words, env):
        self.words, self.page, self.env = words, json.loads(Path(words[-1]).read_text()), env
        self.interrupts = 2
        Server.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        pass

    def wait(self):
        self.interrupts -= 1
        if self.interrupts >= 0:
            raise KeyboardInterrupt
        return 0

    def terminate(self):
        raise AssertionError


@pytest.fixture
def server(monkeypatch):
    """No server is started; what one would be given is returned."""
    Server.made = []
    monkeypatch.setattr(command.subprocess, "Popen", Server)
    return Server.made


def shown(code, monkeypatch):
    """Run the cell of a page; return the session at its desk, or None if there is none."""
    at = []
    monkeypatch.setattr(desk.AnnotationApp, "show", lambda app: at.append(app.session))
    exec(code, {})
    return at[0] if at else None


@pytest.mark.parametrize("beside", ["likelihood", "mask", "both"])
def test_the_page_shows_the_session_of_these_files(files, beside, server, monkeypatch, capsys):
    given = [files["likelihood"]] if beside != "mask" else []
    given += ["--mask", files["mask"]] if beside != "likelihood" else []
    given += ["--reach", "3"] if beside == "mask" else []
    before = signal.getsignal(signal.SIGTERM)
    assert command.main([files["eye"], *given, "--no-browser", "--port", "8899"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    journal = files["eye"] + ".jsonl"
    said = capsys.readouterr().out
    (voila,) = server
    assert {
        "--no-browser",
        "--port=8899",
        "--Voila.auto_token=True",
        "--Voila.ip=127.0.0.1",
        "--template=own_host",
    } <= set(voila.words)
    (cell,) = voila.page["cells"]
    session = shown(cell["source"], monkeypatch)
    options = {name: files[name] for name in ("likelihood", "mask") if beside in (name, "both")}
    own = open_session(files["eye"], **options, reach=3 if beside == "mask" else 0)
    assert np.array_equal(session.likelihood, own.likelihood)
    assert str(session.path) == journal
    assert said == f"{journal}: 0 of {len(own.decisions)} branches are decided.\n"
    session.accept(0)
    session.close()
    assert command.main([files["eye"], *given]) == 0  # goes on
    assert f"{journal}: 1 of {len(own.decisions)} branches" in capsys.readouterr().out


@pytest.mark.parametrize("before", [None, "", "/opt/mine"])
def test_the_page_is_of_the_templates_that_come_with_it(before, files, server, monkeypatch):
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    if before is not None:
        monkeypatch.setenv("JUPYTER_PATH", before)
    monkeypatch.setenv("KEPT", "as it was")
    assert command.main([files["eye"], files["likelihood"]]) == 0
    ours, *others = server[0].env["JUPYTER_PATH"].split(os.pathsep)
    assert Path(ours, "voila", "templates", "own_host", "index.html.j2").is_file()
    assert others == ([before] if before else [])
    assert server[0].env["KEPT"] == "as it was"
    assert os.environ.get("JUPYTER_PATH") == before


def test_the_journal_is_where_it_is_asked_for(files, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a page is elsewhere, and finds the files all the same
    os.mkdir("work")
    names = ["eye.png", "likelihood.tif", "--out", 'work/it\'s "mine" {0}.jsonl']
    assert command.main(names) == 0
    monkeypatch.chdir("work")
    with shown(server[0].page["cells"][0]["source"], monkeypatch) as session:
        assert session.path == tmp_path / names[-1]
    assert not (tmp_path / "eye.png.jsonl").exists()


BAD = {
    "no image": (["{no}", "{likelihood}"], "No such file"),
    "no likelihood": (["{eye}", "{no}"], "No such file"),
    "no mask": (["{eye}", "--mask", "{no}"], "No such file"),
    "a folder": (["{folder}", "{likelihood}"], "not of a known kind"),
    "nothing beside": (["{eye}"], "likelihood or mask must name a file"),
    "other shape": (["{eye}", "{other}"], "shape"),
    "no picture": (["{eye}", "{text}"], "text.png"),
    "a volume": (["{volume}", "{volume}"], "the desk shows images"),
    "reach and likelihood": (["{eye}", "{likelihood}", "--reach", "2"], "reach goes with a mask"),
    "reach that is no number": (["{eye}", "--mask", "{mask}", "--reach", "nan"], "reach"),
    "no folder of the journal": (["{eye}", "{likelihood}", "--out", "{no}/a.jsonl"], "folder"),
    "a folder as journal": (["{eye}", "{likelihood}", "--out", "{folder}"], "is a folder"),
    "no journal": (["{eye}", "{likelihood}", "--out", "{text}"], "no journal"),
    "another likelihood": (["{eye}", "{mask}", "--out", "{begun}"], "likelihood"),
    "another image": (["{mask}", "{likelihood}", "--out", "{begun}"], "image"),
}


@pytest.mark.parametrize("row", BAD)
def test_what_is_wrong_is_said_at_once_and_nothing_is_left(row, files, server, tmp_path, capsys):
    places = files | {"no": str(tmp_path / "no.png"), "folder": str(tmp_path / "folder")}
    os.mkdir(places["folder"])
    for name, content in (("text", "no picture"), ("other", None), ("begun", None)):
        places[name] = str(tmp_path / f"{name}.png")
        if content:
            Path(places[name]).write_text(content)
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(places["other"])
    open_session(files["eye"], likelihood=files["likelihood"], path=places["begun"]).close()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    words, text = BAD[row]
    assert command.main([word.format(**places) for word in words]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error
    assert server == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_journal_at_work_elsewhere_is_refused(files, server, capsys):
    journal = files["eye"] + ".jsonl"
    with open_session(files["eye"], likelihood=files["likelihood"], path=journal):
        assert command.main([files["eye"], files["likelihood"]]) == 2
        assert "is open in another session" in capsys.readouterr().err
    assert server == []


@pytest.mark.parametrize("missing", ["voila", "anywidget"])
def test_without_the_workbook_it_says_what_to_install(missing, files, server, monkeypatch, capsys):
    monkeypatch.setattr(
        command, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    assert command.main([files["eye"], files["likelihood"]]) == 2
    assert "pip install 'toposeg-lite[workbook]'" in capsys.readouterr().err
    assert not os.path.exists(files["eye"] + ".jsonl")


def test_a_page_waits_for_the_kernel_before_it(files, monkeypatch, capsys):
    given = {"image": files["eye"], "likelihood": files["likelihood"], "path": files["eye"] + "l"}
    first = open_session(**given)
    monkeypatch.setattr(command.time, "sleep", lambda seconds: first.close())
    command.go_on(given).close()
    with open_session(**given):
        assert command.go_on(given, patience=-1) is None
    assert "is open in another session" in capsys.readouterr().out
    os.remove(files["likelihood"])
    assert command.go_on(given) is None
    assert "likelihood" in capsys.readouterr().out


@pytest.mark.browser
def test_the_desk_in_a_browser_from_the_command_line(files, tmp_path):
    journal = tmp_path / "work.jsonl"
    words = [sys.executable, "-m", "toposeg_lite.annotation", files["eye"], files["likelihood"]]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TMPDIR": str(tmp_path),
    }
    with subprocess.Popen(
        [*words, "--out", str(journal), "--no-browser"],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as server, chromium(tmp_path / "profile") as page:  # fmt: skip
        try:
            expect.set_options(timeout=WAIT)
            heard_of_it = heard(page)
            said = ""
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", said)):
                line = server.stdout.readline()
                assert line, said
                said += line
            for said in ("Saved: 1 action in", "Saved: 2 actions in"):  # loaded anew in between
                page.goto(found[0])
                page.get_by_role("button", name=re.compile("^Accept")).click()
                expect(page.locator(".toposeg-desk .saved")).to_contain_text(said)
            assert heard_of_it == ([], [])
        finally:
            server.send_signal(signal.SIGTERM)
    assert not list(tmp_path.glob("toposeg-desk-*"))
    with open_session(files["eye"], likelihood=files["likelihood"], path=journal) as session:
        assert session.progress().accepted == 2
