"""Every explorer in a real browser, for everybody: names, values, focus, room, and no tool bar."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from jupyter_browser import ARTEFACTS, NOTEBOOKS, WAIT, at_rest, chromium, press, voila
from playwright.sync_api import expect
from screens import file_of

PANEL = ".jupyter-widgets.widget-tab > .widget-tab-contents > *:visible"
START = 2 * WAIT  # a kernel starts, and runs everything before the page is there
WIDTHS = (1024, 1440, 1920)

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


def fits(page):
    """Wait until the figure of the open tab lies within it, and return how much room is left."""
    return at_rest(
        page,
        """(() => {
            const plot = [...document.querySelectorAll('.js-plotly-plot')]
                .find(plot => plot.offsetParent);
            const words = [...document.querySelectorAll('.toposeg-words')]
                .find(words => words.offsetParent);
            if (!plot || !words) return null;
            const drawn = plot.querySelector('.main-svg').getBoundingClientRect();
            const room = words.getBoundingClientRect();
            return drawn.width ? [room.right - drawn.right, room.width, drawn.height] : null;
        })()""",
    )


@pytest.mark.browser
def test_every_explorer_is_for_everybody(tmp_path):
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    ARTEFACTS.mkdir(exist_ok=True)
    with voila(tmp_path, "90_dashboard.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address(), wait_until="commit", timeout=START)
        tabs = page.get_by_role("tab")
        tabs.first.wait_for(timeout=START)
        for place, name in enumerate(tabs.all_inner_texts()):
            if name == "08 Annotation":  # one canvas with a screen of its own
                continue
            tabs.nth(place).click()
            panel = page.locator(PANEL)
            panel.locator(".js-plotly-plot .main-svg").first.wait_for()
            expect(panel.locator("[role=status]")).to_contain_text(".")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 1500})
                left, room, height = fits(page)
                assert left > -1, (name, width)  # nothing is clipped
                if room < 1400 and name != "01 Painting":
                    assert left < 60, (name, width)  # and nothing wasted
                assert height < 1200
                page.screenshot(path=ARTEFACTS / f"hands-{name[:2]}-{width}.png")
            assert panel.locator(".modebar-btn, .modebar-group").count() == 0
            controls = panel.evaluate(CONTROLS)
            assert len(controls) > 4
            for control in controls:
                assert control["name"], (name, control)
                if control["role"] == "slider":
                    assert control["value"], (name, control)
            plots = panel.locator(".js-plotly-plot[role=img]")
            assert plots.first.get_attribute("aria-label").startswith(f"{name[3:]}: ")
        assert errors == []


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
        bright = panel.locator(".imagelayer image").first
        before = bright.get_attribute("href")
        dark = panel.get_by_label("its structures are dark")
        dark.check()  # acts at once
        expect(panel.get_by_text("dark made bright")).to_be_visible()
        expect(bright).not_to_have_attribute("href", before)
        now = said.inner_text()
        press(page, "Threshold", "Home", PANEL)
        expect(said).not_to_have_text(now)
        bring()  # the same file once more
        expect(said).to_have_text(now)
        panel.get_by_role("button", name="Back to the start").click()
        expect(said).to_have_text(first)
        expect(dark).not_to_be_checked()
        expect(panel.get_by_text("mine.png: ")).to_have_count(0)
