"""The dashboard in a real browser, as a page of Voila; and an explorer in Notebook 7."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from jupyter_browser import (
    ARTEFACTS,
    NOTEBOOKS,
    WAIT,
    at_rest,
    chromium,
    drawn_at_the_end,
    guarded,
    heard,
    jupyterlab,
    press,
    run_all,
    up_to_the_explorer,
    voila,
)
from PIL import Image
from playwright.sync_api import expect

from toposeg_lite.workbook.explorers import Dashboard

PANEL = ".jupyter-widgets.widget-tab > .widget-tab-contents > *:visible"
# The whole text of an explorer, of the desk, or what is said while a tab is made.
SAID = ".toposeg-said, [role=status]:not(.toposeg-brief)"
START = 2 * WAIT  # a kernel starts, imports torch, and runs everything before the page is there

# In every tab: a slider, and the key that moves it.
SLIDERS = {
    "01 Painting": ("Column", "ArrowRight"),
    "02 Persistence": ("Threshold", "ArrowRight"),
    "03 Descent": ("Step", "ArrowRight"),
    "04 Warping": ("Flips", "ArrowRight"),
    "05 Ridges": ("Saddle level", "ArrowRight"),
    "07 Structures": ("Sample", "ArrowRight"),
    "08 Annotation": None,  # one canvas, see below
    "10 Comparison": ("Loss", "ArrowRight"),
    "13 Volumes": ("Slice", "ArrowRight"),
}


def picture(kind, shape):
    """Return the bytes of a picture file: bright and dark stripes in a frame."""
    pixels = np.zeros(shape, np.uint8)
    pixels[2:-2, 2:-2:3] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


NOTES = ("notes.png", "image/png", b"These are notes, and no picture.")
OWN = (
    NOTES,
    ("colours.png", "image/png", picture("PNG", (30, 40, 3))),
    NOTES,
    ("slide.tif", "image/tiff", picture("TIFF", (25, 32))),
)


def brings_own_files(page, panel, text):
    """Upload what is no picture, which is refused in words, and pictures, which are taken."""
    for name, kind, content in OWN:
        with page.expect_file_chooser() as chooser:
            panel.get_by_role("button", name="Your own").click()
        chooser.value.set_files({"name": name, "mimeType": kind, "buffer": content})
        if name == "notes.png":
            expect(text).to_contain_text(
                "notes.png was not taken: the file is no picture that Pillow can read (PNG"
            )
        else:
            expect(text).not_to_contain_text("was not taken")
            expect(text).to_contain_text(re.compile(r"\d"))


@pytest.mark.browser
def test_every_tab_opens_and_obeys(tmp_path):
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    ARTEFACTS.mkdir(exist_ok=True)
    with voila(tmp_path, "90_dashboard.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        heard_of_it = heard(page)
        page.goto(address(), wait_until="commit", timeout=START)
        tabs = page.get_by_role("tab")
        tabs.first.wait_for(timeout=START)
        assert tabs.all_inner_texts() == Dashboard().names == list(SLIDERS)
        assert "import" not in page.locator("body").inner_text()  # no code is shown
        for place, (name, slider) in enumerate(SLIDERS.items()):
            if place == 1:  # a tab opens without the mouse, too
                tabs.first.focus()
                page.keyboard.press("ArrowRight")
                page.keyboard.press("Enter")
            elif place:
                tabs.nth(place).click()
            expect(tabs.nth(place)).to_have_attribute("aria-selected", "true")
            panel = page.locator(PANEL)
            text = panel.locator(SAID)
            expect(panel.locator(".toposeg-drawing:visible")).to_have_count(0)
            expect(text).to_contain_text(re.compile(r"\d"))
            if slider is None:
                expect(text).to_contain_text("0 accepted, 0 rejected")
                panel.locator(".stage canvas").focus()
                page.keyboard.press("a")
                expect(text).to_contain_text("1 accepted, 0 rejected")
                page.screenshot(path=ARTEFACTS / f"90_dashboard-{name[:2]}.png")
                brings_own_files(page, panel, text)
                expect(text).to_contain_text("0 accepted, 0 rejected")
                continue
            drawn = (
                ".scatterlayer .trace, .gl-container canvas, .barlayer .trace, "
                ".toposeg-frames[data-frame] canvas"
            )
            panel.locator(drawn).first.wait_for(state="attached")
            before = text.inner_text()
            if name == "01 Painting":
                panel.get_by_role("button", name="More controls").click()
            press(page, *slider, PANEL)
            expect(text).not_to_have_text(before)
            plots = "[...document.querySelectorAll('.js-plotly-plot')]"
            at_rest(page, f"{plots}.map(plot => plot.outerHTML.length)")  # for the screenshot
            page.screenshot(path=ARTEFACTS / f"90_dashboard-{name[:2]}.png")
            if name != "10 Comparison":  # shows no image
                brings_own_files(page, panel, text)
        assert heard_of_it == ([], [])


@pytest.mark.browser
def test_a_page_that_is_not_there_asks_no_other_host_either(tmp_path):
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    with voila(tmp_path, ".") as address, chromium(tmp_path / "profile") as page:
        _, elsewhere = heard(page)
        assert page.goto(address().replace("?", "voila/render/none.ipynb?")).status == 404
        expect(page.get_by_role("heading")).to_contain_text("404: Not Found")
        page.goto(address())  # the list of notebooks
        expect(page.get_by_role("listitem", name="Name: 90_dashboard.ipynb")).to_be_visible()
        assert elsewhere == []


# Of the open tab: where the names of the tabs and the picture end, the legend and the sentence; and
# how much of a tab's name cannot be read.
SEEN = """(() => {
    const [panel] = [...document.querySelectorAll(".widget-tab-contents > *")]
        .filter(one => one.offsetParent);
    const ends = selector => [...panel.querySelectorAll(selector)]
        .filter(one => one.checkVisibility() && one.getBoundingClientRect().height)
        .map(one => Math.ceil(one.getBoundingClientRect().bottom + scrollY));
    const names = [...document.querySelectorAll(".lm-TabBar-tabLabel")];
    return {
        picture: Math.max(...ends(".main-svg, canvas")),
        legend: Math.max(0, ...ends(".legend, .toposeg-legend, .desk-legend")),
        sentence: Math.min(...ends(".toposeg-brief, .toposeg-desk [role=status]")),
        wide: document.documentElement.scrollWidth,
        cut: Math.max(...names.map(name => name.scrollWidth - name.clientWidth)),
        width: innerWidth,
    };
})()"""


@pytest.mark.browser
def test_a_lecture_sees_picture_legend_and_sentence_at_once(tmp_path):
    """In 900 pixels of height; the other tabs are made meanwhile, without a hand."""
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    with voila(tmp_path, "90_dashboard.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(address(), wait_until="commit", timeout=START)
        tabs = page.get_by_role("tab")
        tabs.first.wait_for(timeout=START)
        waiting = page.locator(".toposeg-dashboard .toposeg-drawing")
        expect(waiting).to_have_count(0, timeout=START)
        expect(tabs.first).to_have_attribute("aria-selected", "true")  # nothing came to the front
        for width in (1024, 1440, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            for place, name in enumerate(SLIDERS):
                tabs.nth(place).click()
                expect(page.locator(PANEL).locator("button:visible").first).to_be_visible()
                seen = at_rest(page, SEEN)
                page.screenshot(path=ARTEFACTS / f"lecture-{name[:2]}-{width}.png")
                assert seen["width"] == width
                assert seen["cut"] <= 0, name
                assert seen["wide"] <= width, name
                assert max(seen["picture"], seen["legend"], seen["sentence"]) <= 900, (name, seen)


@pytest.mark.browser
def test_an_explorer_in_notebook_7(tmp_path):
    ARTEFACTS.mkdir(exist_ok=True)
    up_to_the_explorer(NOTEBOOKS / "00_start_here.ipynb", tmp_path / "chapter.ipynb")
    with (
        jupyterlab(tmp_path, "notebook") as address,
        chromium(tmp_path / "profile") as page,
    ):
        expect.set_options(timeout=WAIT)
        page.goto(address("chapter.ipynb"))
        run_all(page)
        text = page.locator(SAID)
        drawn_at_the_end(page, ".toposeg-frames[data-frame] canvas")
        expect(text).to_contain_text("At threshold 0.50")
        text.scroll_into_view_if_needed()
        try:
            guarded(page, "Threshold")
            press(page, "Threshold", "ArrowRight")
            expect(text).to_contain_text("At threshold 0.51")
            press(page, "Threshold", "ArrowUp")
            expect(text).to_contain_text("At threshold 0.52")
        finally:
            page.screenshot(path=ARTEFACTS / "00_start_here-notebook7.png")


@pytest.mark.browser
def test_binder_opens_the_first_chapter_with_the_map_beside_it(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("00_start_here.ipynb", "README.md"):
        shutil.copy(NOTEBOOKS / name, tmp_path / "notebooks")
    workspace = NOTEBOOKS.parent / "binder" / "workspace.json"
    environment = os.environ | {
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
    }
    command = [sys.executable, "-m", "jupyterlab", "workspaces", "import", str(workspace)]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=120)
    ARTEFACTS.mkdir(exist_ok=True)
    with jupyterlab(tmp_path) as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        page.goto(address())
        try:
            chapter = page.get_by_role("heading", name="Start here")
            the_map = page.get_by_role("heading", name="The workbook")
            expect(chapter).to_be_visible()
            expect(the_map).to_be_visible()
            left, right = at_rest(
                page,
                """(() => {
                    const heads = [...document.querySelectorAll('h1')];
                    const places = ['Start here', 'The workbook'].map(title => heads
                        .find(head => head.textContent.startsWith(title))
                        ?.getBoundingClientRect().x ?? null);
                    return places.includes(null) ? null : places;
                })()""",
            )
            assert left + 300 < right
        finally:
            page.screenshot(path=ARTEFACTS / "binder-workspace.png")
