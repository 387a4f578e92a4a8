"""The annotation app in JupyterLab in a real Chromium: a working day with its accidents."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import statistics
import time
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
from jupyter_browser import ARTEFACTS, WAIT, chromium, connected, jupyterlab, run_all
from playwright.sync_api import expect
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.data import synthetic
from toposeg_lite.workbook import figures

DESK = ".toposeg-desk"
OPEN = """
import numpy as np
from toposeg_lite.workbook.desk import AnnotationApp
data = np.load("data.npz")
app = AnnotationApp.open(data["image"], data["likelihood"], "eye.jsonl")
app.show()
"""


def notebook(folder, name, *cells):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
    head = nbformat.v4.new_markdown_cell("# A picture to annotate")  # `run_all` waits for two cells
    book = nbformat.v4.new_notebook(cells=[head, *made], metadata={"kernelspec": kernel})
    nbformat.write(book, folder / name)


def vessels():
    """Return a synthetic image and a likelihood that has gaps and false ridges."""
    image = synthetic.vessels(seed=5, shape=(160, 200)).image
    green = image[1]  # vessels are dark
    dark = ndimage.gaussian_filter(ndimage.gaussian_filter(green, 12) - green, 1)
    likelihood = np.clip(dark / np.quantile(dark, 0.98), 0, 1)
    return image, likelihood.astype(np.float32)


@contextmanager
def lab_with(tmp_path, image, likelihood, *cells):
    """Serve a folder with an image and a notebook, and open that."""
    folder = tmp_path / "lab"
    folder.mkdir()
    np.savez(folder / "data.npz", image=image, likelihood=likelihood)
    notebook(folder, "annotate.ipynb", *cells)
    with jupyterlab(folder) as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        page.goto(address("annotate.ipynb"))
        try:
            yield folder, address, page
        finally:
            ARTEFACTS.mkdir(exist_ok=True)
            page.screenshot(path=ARTEFACTS / "annotation-last.png")


def picture(page, name):
    """Keep a screenshot for people to look at."""
    page.locator(f"{DESK} .foot").scroll_into_view_if_needed()
    ARTEFACTS.mkdir(exist_ok=True)
    page.locator(DESK).screenshot(path=ARTEFACTS / f"annotation-{name}.png")


def place_of(page, shape, row, column):
    """Return where a pixel is on the screen while the whole image is shown."""
    box = page.locator(f"{DESK} .stage canvas").bounding_box()
    height, width = shape
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return left + (column + 0.5) * scale, top + (row + 0.5) * scale


def click(page, shape, pixel, **options):
    page.mouse.click(*place_of(page, shape, *pixel), **options)


def focus(page):
    page.locator(f"{DESK} .stage canvas").focus()


def number(page, name):
    return int(page.locator(DESK).get_attribute(f"data-{name}") or 0)


@contextmanager
def answered(page, count=1):
    """Wait until so many requests of what is done here are answered, and see that no more come.

    Words may stand there already, or again; a number that only grows cannot.
    """
    wanted = number(page, "answered") + count
    yield
    expect(page.locator(DESK)).to_have_attribute("data-answered", str(wanted))
    assert number(page, "waiting") == 0


def middle(session, branch):
    path = session.branches.paths[branch]
    row, column = np.unravel_index(path[len(path) // 2], session.shape)
    return int(row), int(column)


def alone(session, taken):
    """Return a long open branch that a click in its middle can only mean, away from `taken`."""
    places = [np.stack(np.unravel_index(p, session.shape), 1) for p in session.branches.paths]
    for k in sorted(range(len(places)), key=lambda k: -len(places[k])):
        others = np.concatenate([p for j, p in enumerate(places) if j != k])
        free = np.linalg.norm(others - middle(session, k), axis=1).min() > 6
        if free and k not in taken and session.decisions[k] == 0:
            return k
    raise AssertionError("no branch stands alone")


def journal(folder):
    records = [json.loads(line) for line in (folder / "eye.jsonl").read_text().splitlines()]
    return [record for record in records if "do" in record]


@pytest.mark.browser
def test_a_working_day(tmp_path):
    image, likelihood = vessels()
    shape = likelihood.shape
    twin = AnnotationSession(image, likelihood)  # does by hand what the browser is asked to do
    with lab_with(tmp_path, image, likelihood, OPEN) as (folder, address, page):
        run_all(page)
        status = page.locator(f"{DESK} [role=status]")
        saved = page.locator(f"{DESK} .saved")
        expect(status).to_contain_text(f"0 accepted, 0 rejected, {len(twin.branches)} open")
        expect(saved).to_contain_text("Saved: 0 actions in eye.jsonl")
        picture(page, "1-begin")

        # Keys: the branch that is asked about. JupyterLab's own "a" would insert a cell.
        focus(page)
        for key, act in (("a", twin.accept), ("r", twin.reject)):
            act(twin.queue()[0])
            with answered(page):
                page.keyboard.press(key)
            expect(saved).to_contain_text(f"{twin.progress().actions} action")
        expect(status).to_contain_text("1 accepted, 1 rejected")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 2

        # Clicks, while the whole image is shown.
        page.keyboard.press("0")
        one = alone(twin, set())
        two = alone(twin, {one})
        with answered(page):
            click(page, shape, middle(twin, one))
        twin.accept(one)
        expect(status).to_contain_text(f"Branch {one + 1} of {len(twin.branches)} is accepted")
        with answered(page):
            click(page, shape, middle(twin, two), button="right")
        twin.reject(two)
        expect(status).to_contain_text(f"Branch {two + 1} of {len(twin.branches)} is rejected")
        assert page.locator(".lm-Menu").count() == 0  # JupyterLab's menu stays away
        expect(status).to_contain_text("2 accepted, 2 rejected")
        with answered(page):
            page.get_by_role("button", name="Undo").click()
        twin.undo()
        expect(status).to_contain_text("2 accepted, 1 rejected")
        focus(page)
        with answered(page):
            page.keyboard.press("Control+Shift+Z")
        twin.redo()
        expect(status).to_contain_text("2 accepted, 2 rejected")

        # Draw with the mouse, erase with the keyboard alone.
        with answered(page):
            page.keyboard.press("d")
        page.keyboard.press("0")
        expect(page.get_by_role("button", name="Draw")).to_have_attribute("aria-pressed", "true")
        still = place_of(page, shape, 0, 0)
        with answered(page):
            page.keyboard.press("Enter")
        expect(page.locator(f"{DESK} [role=alert]")).to_contain_text("the line has no point yet")
        assert place_of(page, shape, 0, 0) == still  # no click may miss for a message
        picture(page, "2-alert")
        with answered(page, 3):
            for pixel in ((20, 20), (60, 60), (90, 70)):
                click(page, shape, pixel)
        expect(status).to_contain_text("Drawing a line: 3 points")
        expect(page.locator(f"{DESK} [role=alert]")).to_be_hidden()
        picture(page, "3-draw")
        with answered(page):
            page.keyboard.press("Enter")
        expect(status).to_contain_text("1 drawn, 0 erased")
        with answered(page):
            page.keyboard.press("e")
        page.keyboard.press("Space")  # the cross appears
        with answered(page):
            page.keyboard.press("Space")
        expect(status).to_contain_text("Erasing a line: 1 point.")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        with answered(page):
            page.keyboard.press("Space")
        expect(status).to_contain_text("Erasing a line: 2 points.")
        with answered(page):
            page.keyboard.press("Enter")
        expect(status).to_contain_text("1 drawn, 1 erased")
        with answered(page):
            page.keyboard.press("z")
        expect(status).to_contain_text("1 drawn, 0 erased")
        with answered(page):
            page.keyboard.press("Escape")
        strokes = [record for record in journal(folder) if record["do"] in ("draw", "erase")]
        assert [stroke["do"] for stroke in strokes] == ["draw", "erase"]
        assert len(strokes[1]["path"]) > 3
        drawn = np.array(strokes[0]["points"])
        assert abs(drawn - [(20, 20), (60, 60), (90, 70)]).max() <= 1
        twin.draw(drawn)

        # The page is loaded anew: the kernel still has it all.
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.reload()
        connected(page)
        expect(status).to_contain_text("2 accepted, 2 rejected")
        expect(status).to_contain_text("1 drawn, 0 erased")
        focus(page)
        third = alone(twin, set())
        page.keyboard.press("0")
        with answered(page):
            click(page, shape, middle(twin, third))
        twin.accept(third)
        expect(status).to_contain_text("3 accepted, 2 rejected")
        before = saved.inner_text()

        # Another notebook on the same journal is refused, in words.
        notebook(folder, "second.ipynb", OPEN)
        page.goto(address("second.ipynb"))
        run_all(page)
        refusal = page.locator(".jp-OutputArea-output").filter(has_text="BlockingIOError")
        expect(refusal.first).to_contain_text("is open in another session")
        page.goto(address("annotate.ipynb"))
        connected(page)
        expect(status).to_contain_text("3 accepted, 2 rejected")

        # The kernel is killed: the person is told, and nothing is lost.
        owner = [record for record in journal(folder) if record["do"] == "open"][-1]
        os.kill(owner["process"], signal.SIGKILL)
        ok = page.locator(".jp-Dialog button.jp-mod-accept")
        ok.wait_for()
        ok.click()
        focus(page)
        page.keyboard.press("a")
        alert = page.locator(f"{DESK} [role=alert]")
        expect(alert).to_contain_text("The kernel does not answer")
        expect(saved).to_contain_text("No answer.")
        picture(page, "4-killed")
        run_all(page)
        expect(alert).to_be_hidden()
        expect(status).to_contain_text("3 accepted, 2 rejected")
        expect(status).to_contain_text("1 drawn, 0 erased")
        expect(saved).to_have_text(before)
        page.keyboard.press("0")
        with answered(page):
            page.get_by_role("button", name="Learn").click()
        expect(status).to_contain_text("Learned from 5 decisions")
        with answered(page):
            page.get_by_role("button", name="Export").click()
        expect(status).to_contain_text("Written: eye.mask.png, eye.geojson")
        picture(page, "5-again")
    again = AnnotationSession(image, None, folder / "eye.jsonl")
    assert again.decisions.tolist() == twin.decisions.tolist()
    assert (again.mask() == twin.mask()).all()
    assert (folder / "eye.mask.png").exists()
    assert not again.problems


STOP = """() => {
    const stop = document.activeElement;
    const ring = stop.tagName === "CANVAS" ? stop.parentElement : stop;
    const { outlineStyle, outlineWidth } = getComputedStyle(ring);
    const inside = stop.closest(".toposeg-desk") !== null;
    return { inside, ring: `${outlineWidth} ${outlineStyle}` };
}"""


@pytest.mark.browser
def test_by_keyboard_alone(tmp_path):
    image, likelihood = vessels()
    twin = AnnotationSession(image, likelihood)
    with lab_with(tmp_path, image, likelihood, OPEN) as (folder, _, page):
        run_all(page)
        desk = page.locator(DESK)
        status = desk.locator("[role=status]")
        expect(status).to_contain_text("0 accepted, 0 rejected")
        page.keyboard.press("Escape")  # JupyterLab's command mode

        # Every control is a stop of the Tab key, with a ring and a name, and Tab leads out again.
        stops = []
        for _ in range(80):
            page.keyboard.press("Tab")
            stop = page.evaluate(STOP)
            if stop["inside"]:
                stops.append(stop)
            elif stops:
                break
        else:
            raise AssertionError("the Tab key does not lead out of the desk")
        assert {stop["ring"] for stop in stops} == {"3px solid"}
        controls = desk.locator(":is(button, input, select, summary, [tabindex='0']):visible")
        assert len(stops) == controls.count() > 20  # also what cannot be pressed now
        for line in desk.aria_snapshot().splitlines():
            kind, _, rest = line.strip().removeprefix("- ").strip("'").partition(" ")
            if kind in ("button", "slider", "checkbox", "combobox", "spinbutton", "application"):
                assert re.match(r'"\w', rest), line
        assert desk.get_by_role("button", name=f"Branch {twin.queue()[0] + 1}, ").is_visible()

        # No key that means nothing here reaches JupyterLab: "x" would cut the cell with the app.
        page.evaluate(
            """() => {
                window.ran = [];
                const { commands } = window.jupyterapp;
                commands.commandExecuted.connect((_, { id }) => window.ran.push(id));
            }"""
        )
        for one in (
            desk.get_by_role("slider").first,
            desk.locator("summary"),
            desk.locator("button.yes"),
        ):
            for key in ("ArrowDown", "Shift+ArrowUp", "j", "v", "Shift+M", "x", "b"):
                one.focus()
                page.keyboard.press(key)
        focus(page)
        with answered(page):  # the Escape key is the only one of all these that asks for something
            for key in ("v", "i", "s", "j", "Shift+J", "b", "b", "m", "m", "Escape"):
                page.keyboard.press(key)
        page.keyboard.press("Control+s")  # of all keys the last one, and for JupyterLab
        page.wait_for_function("window.ran.length > 0")
        assert page.evaluate("window.ran") == ["docmanager:save"]

        assert [record["do"] for record in journal(folder)] == ["open"]

        # A button that was pressed and cannot be pressed again keeps the keys, and is silent.
        first = twin.queue()[0]
        focus(page)
        with answered(page):
            page.keyboard.press("a")
        expect(status).to_contain_text("1 accepted")
        undo = desk.get_by_role("button", name="Undo")
        undo.focus()
        with answered(page):
            page.keyboard.press("Enter")
        expect(status).to_contain_text("0 accepted")
        expect(status).to_contain_text(f"Branch {first + 1} is open again.")
        expect(undo).to_be_disabled()
        with answered(page, 0):
            page.keyboard.press("Enter")
            page.keyboard.press("Space")
        expect(undo).to_be_focused()
        with answered(page):
            page.keyboard.press("r")
        expect(status).to_contain_text("0 accepted, 1 rejected")
        twin.reject(first)
        # The buttons of the queue stay under the keys.
        second = twin.queue()[1]
        item = desk.get_by_role("button", name=f"Branch {second + 1}, ")
        item.focus()
        with answered(page):
            page.keyboard.press("Enter")
        expect(status).to_contain_text(f"Branch {second + 1} of")
        with answered(page):
            page.keyboard.press("a")
        expect(status).to_contain_text("1 accepted, 1 rejected")
        expect(item).to_be_focused()
        expect(item).to_have_text(re.compile("accepted"))
        # Keys that are held count once.
        twin.accept(second)
        desk.get_by_role("button", name="Accept", exact=True).focus()
        with answered(page):
            for _ in range(5):
                page.keyboard.down("Enter")
            page.keyboard.up("Enter")
        expect(status).to_contain_text("2 accepted, 1 rejected")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 2
        done = [(record["do"], record.get("branches")) for record in journal(folder)]
        third = twin.queue()[0]
        assert done == [
            ("open", None), ("accept", [first]), ("undo", None), ("reject", [first]),
            ("accept", [second]), ("accept", [third]),
        ]  # fmt: skip

        # Another order, and a line of another width.
        desk.get_by_role("combobox").focus()
        with answered(page):
            page.keyboard.press("ArrowDown")
        expect(desk.get_by_role("combobox")).to_have_value("doubt")
        focus(page)
        with answered(page):
            page.keyboard.press("d")
        width = desk.get_by_role("spinbutton", name="Half width")
        width.focus()
        with answered(page):
            page.keyboard.press("ArrowUp")
            page.keyboard.press("Tab")
        expect(width).to_have_value("1.5")
        # While one draws nothing is decided.
        focus(page)
        with answered(page, 0):
            for key in ("a", "r", "n", "p"):
                page.keyboard.press(key)
        expect(desk.locator("[role=alert]")).to_contain_text("no branch is asked about")
        for name in ("Accept", "Reject", "Later"):
            expect(desk.get_by_role("button", name=name, exact=True)).to_be_disabled()
        with answered(page, 5):
            for key in ("Space", "Space", "ArrowDown", "Space", "Backspace", "Space", "Enter"):
                page.keyboard.press(key)
        expect(status).to_contain_text("1 drawn")
        expect(width).to_have_value("1.5")
        assert len(journal(folder)) == len(done) + 1
        assert journal(folder)[-1]["radius"] == 1.5


# The disk is slow, and has room for one action more.
SLOW = """
import time
from pathlib import Path
append, room = app.session._journal.append, ["for one"]
def until_full(record):
    while not Path("go").exists():
        time.sleep(0.1)
    if not room:
        raise OSError(28, "No space left on device")
    room.pop()
    append(record)
app.session._journal.append = until_full
"""


@pytest.mark.browser
def test_a_decision_is_drawn_at_once_and_called_saved_only_when_it_is(tmp_path):
    image, likelihood = vessels()
    shape = likelihood.shape
    twin = AnnotationSession(image, likelihood)
    one = alone(twin, set())
    two = alone(twin, {one})
    with lab_with(tmp_path, image, likelihood, OPEN) as (folder, _, page):
        run_all(page)
        desk = page.locator(DESK)
        saved, status = desk.locator(".saved"), desk.locator("[role=status]")
        alert = desk.locator("[role=alert]")
        expect(saved).to_contain_text("Saved: 0 actions")
        focus(page)
        page.keyboard.press("0")

        def has(branch, colour):
            """Say whether a colour is on the canvas near the middle of a branch."""
            x, y = place_of(page, shape, *middle(twin, branch))
            return page.evaluate(
                """([x, y, colour]) => {
                    const canvas = document.querySelector(".toposeg-desk .stage canvas");
                    const box = canvas.getBoundingClientRect();
                    const context = canvas.getContext("2d");
                    const { data } = context.getImageData(x - box.x - 4, y - box.y - 4, 9, 9);
                    const far = (k) => colour.some((c, i) => Math.abs(c - data[4 * k + i]) > 12);
                    return [...Array(81).keys()].some((k) => !far(k));
                }""",
                [x, y, [int(colour[i : i + 2], 16) for i in (1, 3, 5)]],
            )

        def wait(branch, colour, wanted):
            deadline = time.monotonic() + 30
            while has(branch, colour) != wanted:
                assert time.monotonic() < deadline, f"branch {branch}, {colour}: not {wanted}"
                page.wait_for_timeout(50)

        page.evaluate(
            """async code => {
                const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
                await session.kernel.requestExecute({ code }).done;
            }""",
            SLOW,
        )
        assert not has(one, figures.RAISED)
        click(page, shape, middle(twin, one))
        wait(one, figures.RAISED, True)
        expect(saved).to_have_text("… Saving")
        expect(status).to_contain_text("0 accepted")
        assert [record["do"] for record in journal(folder)] == ["open"]
        # No answer: the person is told, and what may be lost is not shown as done.
        expect(alert).to_contain_text("The kernel does not answer")
        expect(saved).to_contain_text("No answer. Saved: 0 actions")
        wait(one, figures.RAISED, False)
        (folder / "go").touch()
        expect(saved).to_contain_text("✓ Saved: 1 action in")
        wait(one, figures.RAISED, True)
        expect(alert).to_be_hidden()
        # What cannot be saved is taken back.
        click(page, shape, middle(twin, two), button="right")
        expect(saved).to_contain_text("Last action NOT saved. Saved: 1 action in")
        wait(two, figures.LOWERED, False)
        expect(status).to_contain_text("1 accepted, 0 rejected")
        assert [record["do"] for record in journal(folder)] == ["open", "accept"]


PLOTLY = """
import base64
import ipywidgets
import numpy as np
import plotly.graph_objects as go
from toposeg_lite.workbook import figures
from toposeg_lite.annotation import AnnotationSession
from PIL import Image
import io
data = np.load("data.npz")
session = AnnotationSession(data["image"], data["likelihood"])
file = io.BytesIO()
Image.fromarray(figures.picture_colours(session.image)).save(file, "PNG")
address = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
def lines(decision):
    pairs = zip(session.branches.paths, session.decisions)
    return figures.path_lines([path for path, d in pairs if d == decision], session.shape)
figure = go.Figure(go.Image(source=address))
for name, decision, colour, width, dashes in figures.BRANCH_KINDS:
    x, y = lines(decision)
    style = {"color": colour, "width": width}
    figure.add_scatter(x=x, y=y, mode="lines", line=style, hoverinfo="skip")
figure.update_layout(width=760, height=720, dragmode=False)
figure = go.FigureWidget(figure)
def clicked(trace, points, state):
    branch = session.nearest(points.point_inds[0], 20)
    if branch is not None:
        session.accept(branch)
        with figure.batch_update():
            for trace, kind in zip(figure.data[1:], figures.BRANCH_KINDS):
                trace.x, trace.y = lines(kind[1])
figure.data[0].on_click(clicked)
ipywidgets.VBox([figure])
"""


def retina():
    """Return the middle of the fundus photograph, 1000 x 1000, and the output of a ridge filter."""
    from skimage.filters import sato

    from toposeg_lite.data import photos

    image = np.ascontiguousarray(photos.retina().image[:, 200:1200, 200:1200])
    ridges = sato(image[1].astype(float), sigmas=(2, 3, 4), black_ridges=True)
    return image, np.clip(ridges / np.quantile(ridges, 0.985), 0, 1).astype(np.float32)


@pytest.mark.browser
def test_how_long_a_click_takes(tmp_path):
    """Print and keep how long clicks take; how long that may be depends on the machine."""
    image, likelihood = retina()
    session = AnnotationSession(image, likelihood)
    pixels = []
    while len(pixels) < 40:
        pixels.append(alone(session, set()))
        session.accept(pixels[-1])
    pixels = [middle(session, branch) for branch in pixels]
    times = {}
    with lab_with(tmp_path, image, likelihood, OPEN) as (folder, address, page):
        run_all(page)
        desk = page.locator(DESK)
        expect(desk.locator("[role=status]")).to_contain_text(f"{len(session.branches)} open")
        page.keyboard.press("0")
        for key in ("whole image", "near"):
            times[key], times[f"{key}, shown"] = [], []
            for k, pixel in enumerate(pixels if key == "whole image" else pixels[:8]):
                before = desk.get_attribute("data-done")
                if key == "whole image":
                    click(page, likelihood.shape, pixel)
                else:
                    page.keyboard.press("a" if k % 2 else "r")  # turns to the next branch
                page.wait_for_function(
                    "old => String(document.querySelector('.toposeg-desk').dataset.done) !== old",
                    arg=str(before or "undefined"),
                )
                times[key].append(float(desk.get_attribute("data-latency")))
                times[f"{key}, shown"].append(float(desk.get_attribute("data-shown")))
        picture(page, "5-retina")
        assert len([r for r in journal(folder) if r["do"] in ("accept", "reject")]) == 48

        notebook(folder, "plotly.ipynb", PLOTLY)
        page.goto(address("plotly.ipynb"))
        run_all(page)
        plot = page.locator(".js-plotly-plot")
        plot.locator(".scatterlayer .trace").first.wait_for(state="attached")
        page.wait_for_timeout(3000)
        plot.scroll_into_view_if_needed()
        page.evaluate(
            """() => {
                const plot = document.querySelector('.js-plotly-plot');
                window.drawn = [];
                plot.on('plotly_afterplot', () => requestAnimationFrame(() =>
                    requestAnimationFrame(() => window.drawn.push(performance.now()))));
                document.addEventListener('pointerdown', e => (window.pressed = e.timeStamp), true);
            }"""
        )
        times["plotly"] = []
        for row, column in pixels[:6]:
            page.evaluate("window.drawn = []")
            box = plot.locator(".imagelayer image").first.bounding_box()
            x = box["x"] + (column + 0.5) / 1000 * box["width"]
            y = box["y"] + (row + 0.5) / 1000 * box["height"]
            page.mouse.move(x, y, steps=4)
            page.wait_for_timeout(400)
            page.mouse.click(x, y)
            page.wait_for_function("window.drawn.length > 0")
            page.wait_for_timeout(1500)
            times["plotly"].append(page.evaluate("window.drawn[0] - window.pressed"))
    facts = {
        "what": "milliseconds from click to the frame after the one that shows the answer, which "
        "comes when the action is on the disk; shown: the one that shows the decision as unsaved",
        "image": [1000, 1000],
        "branches": len(session.branches),
        "load": os.getloadavg()[0] / (os.cpu_count() or 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, drawn without a graphics card",
    }
    for key, values in times.items():
        facts[key] = {
            "median": round(statistics.median(values), 1),
            "fastest": round(min(values), 1),
            "slowest": round(max(values), 1),
            "clicks": len(values),
            "within 150": sum(value < 150 for value in values),
        }
        assert min(values) > 0
    print(json.dumps(facts, indent=1))
    (ARTEFACTS / "annotation-times.json").write_text(json.dumps(facts, indent=1) + "\n")
