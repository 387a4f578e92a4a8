"""Nothing that is read can run code, and no server of ours listens to other machines."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from toposeg_lite.annotation.__main__ import TEMPLATES, VOILA

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for folder in ("toposeg_lite", "notebooks", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
# They turn bytes into objects, or text into code.
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


def trouble(tree):
    """Yield what of a module's code could run what a file or a person says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [part.name for part in node.names]
            named.append(getattr(node, "module", None) or "")
            if MODULES & {name.split(".")[0] for name in named}:
                yield node.lineno, "a module that runs what it reads"
        if not isinstance(node, ast.Call):
            continue
        given = {key.arg: key.value for key in node.keywords}
        called = ast.unparse(node.func)
        if called.split(".")[-1] == "load" and called.split(".")[0] in ("np", "numpy"):
            pickles = given.get("allow_pickle")
            if not isinstance(pickles, ast.Constant) or pickles.value is not False:
                yield node.lineno, "np.load without allow_pickle=False"
        if called in ("torch.load", "torch.hub.load", "pd.read_pickle", "pandas.read_pickle"):
            yield node.lineno, called
        if called in CALLS or called in {f"os.{name}" for name in CALLS}:
            yield node.lineno, called
        if "shell" in given or called.endswith("allow_pickle"):
            yield node.lineno, "a command read by a shell"
        if called.split(".")[-1] in ("savez", "savez_compressed", "save") and (
            "allow_pickle" in given and given["allow_pickle"].value is not False
        ):
            yield node.lineno, "an array saved as a pickle"


#: Who runs notebooks, as is said where they are called: those of the project, and of students.
RUNNERS = {"tools/train_small.py", "toposeg_lite/workbook/exercises/marking.py"}


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_module_runs_what_it_reads(path):
    found = list(trouble(ast.parse(path.read_text(encoding="utf-8"))))
    if path.relative_to(ROOT).as_posix() in RUNNERS:
        assert [what for _, what in found] == ["exec", "compile"]
    else:
        assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "from joblib.numpy_pickle import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "eval(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "pd.read_pickle(path)",
    ],
)
def test_the_net_holds(code):
    assert list(trouble(ast.parse(code)))


def test_the_net_lets_through_what_is_safe():
    code = "np.load(path, allow_pickle=False); ast.literal_eval(text); re.compile(text)"
    assert not list(trouble(ast.parse(code)))


# --- Servers --------------------------------------------------------------------------------------


def command_of(target):
    """Return the words of the recipe of a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = re.findall(rf"^{target}:.*\n\t(.*)$", makefile, re.MULTILINE)
    recipe = recipe.replace("$(BIN)", str(Path(sys.executable).parent))
    return shlex.split(recipe.replace("$(CURDIR)", str(ROOT)))


def test_the_dashboard_is_served_as_the_desk_is():
    """By the template that asks no other host, without what Voila cannot load."""
    words = command_of("dashboard")
    assert {f"JUPYTER_PATH={TEMPLATES}", *VOILA[3:]} <= set(words)
    assert (Path(TEMPLATES) / "voila" / "templates" / "own_host" / "index.html.j2").is_file()


def listening(process):
    """Return the addresses at which a process and its children take connections."""
    family = [process, *process.children(recursive=True)]
    return {
        connection.laddr.ip
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def answer(address):
    """Return the status with which a server answers, redirections followed, and what it says."""
    try:
        with urllib.request.urlopen(address, timeout=60) as page:
            return page.status, page.geturl(), page.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, address, ""


@pytest.mark.browser
@pytest.mark.skipif(sys.platform != "linux", reason="asks the system who listens")
@pytest.mark.parametrize("target", ["lab", "dashboard"])
def test_our_servers_listen_to_this_machine_alone_and_want_a_token(target, tmp_path):
    shutil.copytree(
        ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("*.p*")
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [*command_of(target), "--no-browser", f"--port={port}"]
    words += ["--allow-root"] if target == "lab" else []
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_NO_CONFIG": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONUNBUFFERED": "1",
    }
    log = tmp_path / "server.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        process = psutil.Process(server.pid)
        limit = time.monotonic() + 120
        while not (found := re.search(r"(http://[\w.]+:\d+)/\S*token=(\w+)", log.read_text())):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.2)
        root, token = found.groups()
        assert len(token) >= 32
        while not listening(process):  # it says so before it does
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.2)
        places = ["api/kernels", "api/contents"] if target == "lab" else ["", "api/kernels"]
        for place in places:  # without the token: refused, or sent to where it is asked for
            status, address, page = answer(f"{root}/{place}")
            assert status in (401, 403, 404) or "/login" in address, (place, status, address)
            assert "kernel" not in page or "/login" in address
        if target == "lab":
            status, _, page = answer(f"{root}/api/kernels?token={token}")
            assert (status, json.loads(page)) == (200, [])
        assert listening(process) <= {"127.0.0.1", "::1"}
    finally:
        server.terminate()
        server.wait(120)
