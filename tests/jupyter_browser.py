"""JupyterLab, Notebook or Voila in a real Chromium, for the tests that need both."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ARTEFACTS = Path(__file__).resolve().parent.parent / "test-artefacts"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WAIT = 60_000  # milliseconds
APPLICATIONS = {"jupyterlab": "LabApp", "notebook": "JupyterNotebookApp"}


@contextmanager
def served(folder, arguments, answer):
    """Run a server on a free port of this machine, with a token and settings of its own.

    `arguments` are those of Python, with places for the port and the token; at the address `answer`
    the server answers as soon as it is there.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONSAFEPATH": "1",
    }
    command = [sys.executable, *(part.format(port=port, token=token) for part in arguments)]
    root = f"http://127.0.0.1:{port}"
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            wait_for(f"{root}/{answer}?token={token}", server, folder)
            yield lambda path: f"{root}/{path}token={token}"
        finally:
            server.terminate()  # the server shuts its kernels down
            server.wait(30)


@contextmanager
def jupyterlab(folder, application="jupyterlab"):
    """Serve a folder with JupyterLab, or with Notebook 7 ("notebook")."""
    arguments = ["-m", application, "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    arguments += ["--port={port}", "--IdentityProvider.token={token}", f"--notebook-dir={folder}"]
    arguments += ["--ServerApp.port_retries=0"]
    page = "notebooks" if application == "notebook" else "doc/tree"
    arguments += [f"--{APPLICATIONS[application]}.expose_app_in_browser=True"]
    with served(folder, arguments, "api/status") as address:
        # Without a name: the workspace as it was left.
        yield lambda name=None: address(f"{page}/{name}?reset&" if name else "lab?")


@contextmanager
def voila(folder, notebook):
    """Serve one notebook of a folder with Voila, as a page without code."""
    arguments = ["-m", "voila", notebook, "--no-browser", "--Voila.ip=127.0.0.1", "--port={port}"]
    arguments += ["--token={token}", "--Voila.port_retries=0"]
    with served(folder, arguments, "voila/static/voila.js") as address:
        yield lambda: address("?")


def wait_for(address, server, folder):
    """Wait until the server answers; show its log if it does not."""
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.25)
    raise AssertionError((folder / "server.log").read_text())


@contextmanager
def chromium(profile):
    """Open a page in the system's Chromium."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=path,
            headless=True,
            args=FLAGS.split(),
            viewport={"width": 1400, "height": 1500},  # an explorer fits, so nothing scrolls away
        )
        context.set_default_timeout(WAIT)
        try:
            yield context.new_page()
        finally:
            context.close()


def connected(page):
    """Wait until the notebook of the page has a kernel that answers."""
    page.wait_for_function("window.jupyterapp !== undefined")
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
        "?.connectionStatus === 'connected'"
    )


def run_all(page):
    """Run all cells of the notebook of the page, as soon as there is a kernel."""
    connected(page)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
