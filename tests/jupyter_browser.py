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
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import sync_playwright

from toposeg_lite.annotation.__main__ import TEMPLATES, VOILA

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ARTEFACTS = Path(__file__).resolve().parent.parent / "test-artefacts"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WAIT = 120_000  # milliseconds: only what never comes takes as long
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
        "JUPYTER_PATH": TEMPLATES,
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
            try:
                server.wait(WAIT / 1000)
            except subprocess.TimeoutExpired:
                server.kill()
                raise


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
def voila(folder, notebook, options=()):
    """Serve one notebook of a folder as `make dashboard` and the desk's command do."""
    arguments = [*VOILA, notebook, "--no-browser", "--port={port}"]
    arguments += ["--token={token}", "--Voila.port_retries=0", *options]
    with served(folder, arguments, "voila/static/voila.js") as address:
        yield lambda: address("?")


def wait_for(address, server, folder):
    """Wait until the server answers; show its log if it does not."""
    limit = time.monotonic() + 5 * WAIT / 1000  # of a machine that does much else at once
    while time.monotonic() < limit:
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


def heard(page):
    """Return the lists in which a page's errors and its requests to other hosts will stand."""
    errors, elsewhere = [], []

    def asked(request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            elsewhere.append(request.url)

    page.on("request", asked)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    return errors, elsewhere


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
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.context?.isReady"
        " && window.jupyterapp.shell.currentWidget.content.widgets.length > 1"
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def drawn_at_the_end(page, selector):
    """Scroll to the last cell until something is drawn there: out of sight nothing may be drawn."""
    page.wait_for_function(
        """selector => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            if (document.querySelector(selector)) return true;
            notebook.scrollToItem(notebook.widgets.length - 1);
            return false;
        }""",
        arg=selector,
        polling=500,
        timeout=2 * WAIT,
    )


def at_rest(page, look):
    """Look at something of the page once in each frame until it rests; return what it is then.

    `look` is an expression of JavaScript that is null while the thing is not there. It looks anew
    each time, as an update may put another element in the place of the one that was found. Resting
    is counted in frames: a machine that is slow to draw is given more time.
    """
    return page.evaluate(
        """async limit => {
            const look = () => LOOK;
            const began = performance.now();
            let before = null, rested = 0;
            while (rested < 20) {
                if (performance.now() - began > limit) throw new Error("nothing rests: " + before);
                await new Promise(requestAnimationFrame);
                const now = JSON.stringify(look());
                rested = now === before && now !== "null" ? rested + 1 : 0;
                before = now;
            }
            return JSON.parse(before);
        }""".replace("LOOK", look),
        WAIT,
    )


def box_at_rest(page, selector, which=0):
    """Return x, y, width and height of an element that is drawn, once it rests."""
    return at_rest(
        page,
        f"""(() => {{
            const box = document.querySelectorAll({selector!r})[{which}]?.getBoundingClientRect();
            return box?.width ? [box.x, box.y, box.width, box.height] : null;
        }})()""",
    )


def handle_of(page, label, within="body"):
    """Return the handle of the slider with a label: a widget's, or the page's own."""
    named = page.get_by_text(label, exact=True)
    sliders = page.locator(within).locator(".widget-slider, .toposeg-row", has=named)
    return sliders.locator(".noUi-handle, input[type=range]").first


def press(page, label, key, within="body"):
    """Press a key on the handle of the slider with a label, as a reader without a mouse would."""
    handle = handle_of(page, label, within)
    handle.wait_for()
    handle.press(key)


def guarded(page, label):
    """Wait until the page leaves the keys to a slider: a hand is never as early as this."""
    handle_of(page, label).evaluate(
        """async (handle, limit) => {
            const began = performance.now();
            while (!handle.hasAttribute("data-lm-suppress-shortcuts")) {
                if (performance.now() - began > limit) throw new Error("the keys are not guarded");
                handle.blur();
                handle.focus();
                await new Promise(requestAnimationFrame);
            }
        }""",
        WAIT,
    )


def canvas_of(page, kind="image", within="body", which=0):
    """Return what a canvas of frames shows, once it rests."""
    return at_rest(
        page,
        f"""(() => {{
            const places = [...document.querySelectorAll({within!r})].filter(at => at.offsetParent
                || at === document.body);
            const found = places.flatMap(at => [...at.querySelectorAll(
                '.toposeg-frames[data-frame] figure[data-kind={kind}] canvas')]);
            return found[{which}]?.toDataURL() ?? null;
        }})()""",
    )


def up_to_the_explorer(source, target):
    """Copy a chapter up to the cell that shows its explorer, without outputs, and its pictures."""
    notebook = nbformat.read(source, as_version=4)
    last = next(k for k, cell in enumerate(notebook.cells) if "explorers.show(" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, target)
    shutil.copytree(source.parent / "images", target.parent / "images", dirs_exist_ok=True)
