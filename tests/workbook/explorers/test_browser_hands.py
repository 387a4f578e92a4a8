"""Every explorer in a real browser, for everybody: names, values, focus, room, and no tool bar."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
from jupyter_browser import (
    ARTEFACTS,
    NOTEBOOKS,
    WAIT,
    at_rest,
    canvas_of,
    chromium,
    press,
    voila,
)
from playwright.sync_api import expect
from screens import file_of

PANEL = ".jupyter-widgets.widget-tab > .widget-tab-contents > *:visible"
START = 2 * WAIT  # a kernel starts, and runs everything before the page is there
WIDTHS = (1024, 1440, 1920)

# What the figure in space shows of the slice: the page's own account of what it draws.
RIM = """document.querySelector('.js-plotly-plot')?._fullData
    ?.find(trace => trace.line?.width === 3)?.z[0] ?? null"""

# All that can take the focus, with its role, its name and what it says of its value.
CONTROLS = """panel => [...panel.querySelectorAll(
        "[role=slider], [role=textbox], button, select, input:not([type=file])")]
    .filter(element => element.offsetParent && element.type !== "hidden")
    .map(element => ({
        role: element.getAttribute("role") || element.tagName.toLowerCase(),
        name: (element.getAttribute("aria-label") || element.labels?.[0]?.innerText
            || element.innerText || "").trim(),
        value: element.getAttribute("aria-valuetext"),
    }))"""


def fits(page, width):
    """Wait until the figure is laid out for a page of this width; return how high it is."""
    return at_rest(
        page,
        f"""(() => {{
            const plot = [...document.querySelectorAll('.js-plotly-plot')]
                .find(plot => plot.offsetParent);
            const words = [...document.querySelectorAll('.toposeg-words')]
                .find(words => words.offsetParent);
            if (!plot?._fullLayout || !words || innerWidth !== {width}) return null;
            const drawn = plot.querySelector('.main-svg').getBoundingClientRect();
            // As long as the kernel has not answered, it is laid out for another width.
            const due = words.getBoundingClientRect().right - drawn.right > -1;
            return drawn.width && due ? drawn.height : null;
        }})()""",
    )


def frames_fit(page, width):
    """Wait until the frames are laid out for a page of this width; return what is free of it."""
    return at_rest(
        page,
        f"""(() => {{
            const found = [...document.querySelectorAll('.toposeg-frames[data-frame]')]
                .find(frames => frames.offsetParent);
            if (!found || innerWidth !== {width}) return null;
            const room = found.getBoundingClientRect();
            const pictures = [...found.querySelectorAll('canvas')]
                .map(canvas => canvas.getBoundingClientRect());
            const free = room.right - Math.max(...pictures.map(box => box.right));
            const apart = pictures.every((a, k) => pictures.slice(k + 1).every(b =>
                a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top));
            return [free, innerWidth - room.right, room.height, apart];
        }})()""",
    )


EXPLORERS = ["01 Painting", "02 Persistence", "03 Descent", "04 Warping", "05 Ridges"]
EXPLORERS += ["07 Structures", "10 Comparison", "13 Volumes"]
BESIDE = ["13 Volumes"]  # a figure of plotly beside the frames

# Lets a test hold plotly back as long as it likes: its code begins to wait once it has arrived.
HELD = """
    const made = URL.createObjectURL;
    const free = new Promise(done => { window.letPlotlyIn = done; });
    window.plotlyIsFree = free;
    URL.createObjectURL = thing => made.call(URL, thing.size > 1e6
        ? new Blob(["await window.plotlyIsFree;\\n", thing], {type: thing.type}) : thing);
"""


@contextmanager
def opened(tmp_path, name, script=None):
    """Show one explorer as a page of Voila."""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# {name}"),
            nbformat.v4.new_code_cell(
                "from toposeg_lite import explorers\n"
                f"explorers.show(explorers.Dashboard([{name!r}]))"
            ),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, tmp_path / "one.ipynb")
    ARTEFACTS.mkdir(exist_ok=True)
    with voila(tmp_path, "one.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        if script:
            page.add_init_script(script)
        page.goto(address(), wait_until="commit", timeout=START)
        page.get_by_role("tab").first.wait_for(timeout=START)
        yield page


@pytest.mark.browser
@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_is_for_everybody(name, tmp_path):
    with opened(tmp_path, name) as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        panel = page.locator(PANEL)
        drawn = ".js-plotly-plot .main-svg, .toposeg-frames[data-frame] canvas"
        panel.locator(drawn).first.wait_for()
        expect(panel.locator(".toposeg-brief")).to_contain_text(".")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1500})
            try:  # nothing is clipped, and nothing wasted
                free, beyond, height, apart = frames_fit(page, width)
                assert free > -1
                assert beyond > -1
                assert apart
                if name in BESIDE:
                    height = max(height, fits(page, width))
            finally:
                page.screenshot(path=ARTEFACTS / f"hands-{name[:2]}-{width}.png")
            assert height < 1200
        assert panel.locator(".modebar-btn, .modebar-group").count() == 0
        controls = panel.evaluate(CONTROLS)
        assert len(controls) > 4
        for control in controls:
            assert control["name"], control
            if control["role"] == "slider":
                assert control["value"], control
        if name in BESIDE:
            plots = panel.locator(".js-plotly-plot[role=img]")
            assert plots.first.get_attribute("aria-label").startswith(f"{name[3:]}: ")
        for canvas in panel.locator(".toposeg-frames canvas").all():
            assert canvas.get_attribute("aria-label")
            if canvas.get_attribute("role") == "slider":
                assert canvas.get_attribute("aria-valuetext")
        assert errors == []


@pytest.mark.browser
def test_a_hand_that_is_earlier_than_plotly_is_obeyed(tmp_path):
    """Sliders are there at once; plotly takes seconds to load, and would lose what happens then."""
    with opened(tmp_path, "13 Volumes", HELD) as page:
        panel = page.locator(PANEL)
        said = panel.locator(".toposeg-said")
        expect(said).to_contain_text(" of 0 to 31. At threshold 0.30")
        panel.locator(".toposeg-frames[data-frame] canvas").wait_for()
        press(page, "Slice", "Home", PANEL)
        expect(said).to_contain_text("Slice 0 of")
        page.wait_for_timeout(3000)  # a widget without its code after 2 s would be deaf for good
        assert panel.locator(".js-plotly-plot").count() == 0
        page.evaluate("window.letPlotlyIn()")
        panel.locator(".js-plotly-plot .gl-container canvas").first.wait_for()
        fits(page, page.viewport_size["width"])
        assert at_rest(page, RIM) == 0
        press(page, "Slice", "End", PANEL)
        page.wait_for_function(f"({RIM}) === 31")
        press(page, "Slice", "Home", PANEL)
        page.wait_for_function(f"({RIM}) === 0")


# Counts what the page says to its kernel.
COUNTED = """
    window.sent = 0;
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function(...message) {
        window.sent += 1;
        return send.apply(this, message);
    };
"""

# Moves the slider as a hand does, and looks as soon as the frame is drawn.
MOVE = """async k => {
    const root = document.querySelector(".toposeg-frames");
    const canvas = root.querySelector("canvas"), slider = root.querySelector("input");
    const [sent, before] = [window.sent, canvas.toDataURL()];
    slider.value = k;
    slider.dispatchEvent(new Event("input"));
    while (Number(root.dataset.frame) !== k) await new Promise(requestAnimationFrame);
    const said = root.querySelector(".toposeg-brief").textContent;
    return [window.sent - sent, canvas.toDataURL() !== before, said];
}"""


@pytest.mark.browser
def test_a_move_is_drawn_without_a_message_and_told_when_the_hand_rests(tmp_path):
    with opened(tmp_path, "02 Persistence", COUNTED) as page:
        said = page.locator(PANEL).locator(".toposeg-said")
        expect(said).to_contain_text("At threshold 0.50")
        page.locator(".toposeg-frames[data-frame]").wait_for()
        for k in (30, 71, 4):
            at_rest(page, "window.sent")
            messages, changed, brief = page.evaluate(MOVE, k)
            assert messages == 0
            assert changed
            assert brief.startswith(f"At threshold {k / 100:.2f}: ")
            expect(said).to_contain_text(f"At threshold {k / 100:.2f}, ")  # the kernel heard of it


@pytest.mark.browser
def test_ones_own_image_and_the_way_back(tmp_path):
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    with voila(tmp_path, "90_dashboard.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        page.goto(address(), wait_until="commit", timeout=START)
        tabs = page.get_by_role("tab")
        tabs.first.wait_for(timeout=START)
        tabs.nth(1).click()
        panel = page.locator(PANEL)
        said, brief = panel.locator(".toposeg-said"), panel.locator("[role=status].toposeg-brief")
        expect(said).to_contain_text("At threshold 0.50")
        expect(brief).to_contain_text("At threshold 0.50: 13 components")
        first = said.inner_text()

        # The slider speaks its name and value, and shows where the focus is.
        handle = panel.get_by_role("slider", name="Threshold", exact=True)
        expect(handle).to_have_attribute("aria-valuetext", "0.50")
        press(page, "Threshold", "ArrowRight", PANEL)
        expect(handle).to_have_attribute("aria-valuetext", "0.51")
        expect(brief.locator("mark").first).to_have_text("0.51:")  # what changed is marked
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        ring = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(ring) == "solid"

        def bring():
            with page.expect_file_chooser() as chooser:
                panel.get_by_role("button", name="Your own image", exact=True).click()
            stripes = np.zeros((30, 40), np.uint8)
            stripes[2:-2, 2:-2:3] = 200
            content = file_of(stripes)
            chooser.value.set_files(
                {"name": "mine.png", "mimeType": "image/png", "buffer": content}
            )

        bring()
        expect(panel.get_by_text("mine.png: ")).to_be_visible()
        before = canvas_of(page, within=".toposeg-explorer")
        dark = panel.get_by_label("its structures are dark")
        dark.check()  # acts at once
        expect(panel.get_by_text("dark made bright")).to_be_visible()
        assert canvas_of(page, within=".toposeg-explorer") != before
        now = said.inner_text()
        press(page, "Threshold", "Home", PANEL)
        expect(said).not_to_have_text(now)
        bring()  # the same file once more
        expect(said).to_have_text(now)
        panel.get_by_role("button", name="Back to the start").click()
        expect(said).to_have_text(first)
        expect(dark).not_to_be_checked()
        expect(panel.get_by_text("mine.png: ")).to_have_count(0)
