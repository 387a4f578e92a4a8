"""A real browser: JupyterLab opens a chapter, runs up to its explorer, and the explorer obeys."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from jupyter_browser import ARTEFACTS, WAIT, chromium, jupyterlab, run_all
from playwright.sync_api import expect

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def up_to_the_explorer(source, target):
    """Copy a chapter up to the cell that shows its explorer, without outputs."""
    notebook = nbformat.read(source, as_version=4)
    last = next(k for k, cell in enumerate(notebook.cells) if "explorers.show(" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, target)


@contextmanager
def explorer_of(chapter, tmp_path):
    """Open a chapter in JupyterLab, run it up to its explorer, and wait until that is drawn."""
    up_to_the_explorer(NOTEBOOKS / f"{chapter}.ipynb", tmp_path / "chapter.ipynb")
    with jupyterlab(tmp_path) as address, chromium(tmp_path / "profile") as page:
        page.goto(address("chapter.ipynb"))
        run_all(page)
        page.locator(".scatterlayer .trace .point").first.wait_for(state="attached")
        show_text(page)
        try:
            yield page
        finally:  # of a failure, too
            ARTEFACTS.mkdir(exist_ok=True)
            show_text(page)
            page.screenshot(path=ARTEFACTS / f"{chapter}.png")


def show_text(page):
    """Scroll to the text in one go: each update puts a new element in its place."""
    page.evaluate("document.querySelector('[role=status]')?.scrollIntoView({block: 'center'})")


def said(page):
    return page.locator("[role=status]").inner_text()


def press(page, label, key):
    """Press a key on the handle of the slider with a label, as a reader without a mouse would."""
    slider = page.locator(".widget-slider").filter(has=page.locator("label", has_text=label))
    slider.locator(".noUi-handle").first.focus()
    page.keyboard.press(key)


def move(page, which):
    """Move the mouse to a dot as a hand does, in steps and with a rest; 0 is the leftmost dot."""
    place, before = dots(page)[which], None
    while place != before:  # the notebook may still be scrolling
        page.wait_for_timeout(300)
        place, before = dots(page)[which], place
    page.mouse.move(*place, steps=6)
    page.wait_for_timeout(300)


def click(page, x, y):
    """Click as a hand does: move there in steps, rest, press."""
    page.mouse.move(x, y, steps=6)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()


def hover(page, which, wanted):
    """Rest on a dot until the text says what it is; a hand that sees nothing happen moves again.

    The mouse passes other dots on its way, and while the page draws one of those it may miss that
    the mouse has come to rest on the next.
    """
    for _ in range(9):
        move(page, which)
        try:
            return expect(page.locator("[role=status]")).to_contain_text(wanted, timeout=5000)
        except AssertionError:
            page.mouse.move(5, 5)
    move(page, which)
    expect(page.locator("[role=status]")).to_contain_text(wanted)


def dots(page):
    """Return where the dots of the diagram are on the screen, from left to right."""
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('.subplot.x2y2 .scatterlayer .trace .point')]
                 .map(dot => dot.getBoundingClientRect())
                 .map(box => [box.x + box.width / 2, box.y + box.height / 2, box.width])"""
    )
    return sorted((x, y) for x, y, width in boxes if 0 < width < 16)  # without the ring


@pytest.mark.browser
@pytest.mark.parametrize("chapter", ["00_start_here", "02_measure_shape_with_persistence"])
def test_threshold_and_dots(chapter, tmp_path):
    with explorer_of(chapter, tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("At threshold 0.50")
        before = page.locator(".imagelayer image").first.get_attribute("href")
        press(page, "Threshold", "ArrowRight")
        expect(text).to_contain_text("At threshold 0.51")
        page.wait_for_function(
            "old => document.querySelector('.imagelayer image').getAttribute('href') !== old",
            arg=before,
        )
        marked = said(page).split("Feature ")[1]
        move(page, 0)  # hovering is enough
        expect(text).not_to_contain_text(marked)
        hover(page, -1, "never dies")  # the essential dot stands farthest right
        press(page, "Marked feature", "Home")
        expect(text).not_to_contain_text("Feature ")
        press(page, "Marked feature", "ArrowRight")
        expect(text).to_contain_text("Feature 1 of")
        press(page, "Marked feature", "ArrowRight")
        expect(text).to_contain_text("Feature 2 of")


@pytest.mark.browser
def test_steps_down_a_loss(tmp_path):
    with explorer_of("03_train_with_a_topological_loss", tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("Step 3 of 40 down the loss 'rank'")
        legend = page.locator(".legend").text_content()
        assert "outline of the truth" in legend
        assert "trace " not in legend  # every line has a name or is left out
        press(page, "Step", "ArrowRight")
        expect(text).to_contain_text("Step 4 of 40")
        page.get_by_label("Loss").select_option("wasserstein")
        expect(text).to_contain_text("Step 4 of 40 down the loss 'wasserstein'")
        press(page, "Threshold", "ArrowRight")
        expect(text).to_contain_text("At threshold 0.51")
        press(page, "Step", "End")
        expect(text).to_contain_text("Step 40 of 40")
        before = page.locator(".imagelayer image").first.get_attribute("href")
        press(page, "Step", "Home")
        expect(text).to_contain_text("Step 0 of 40")
        assert page.locator(".imagelayer image").first.get_attribute("href") != before
        page.locator("button:has(.fa-play)").click()
        expect(text).to_contain_text(re.compile(r"Step [1-9]\d* of 40"))  # how far, depends


@pytest.mark.browser
def test_paints_pixels(tmp_path):
    with explorer_of("01_see_images_as_spaces", tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("Betti error 0, Betti matching error 2")
        press(page, "Column", "ArrowLeft")
        expect(text).to_contain_text("Row 6, column 4 is in component C")
        flip = page.get_by_role("button", name="Flip this pixel")
        flip.click()
        expect(text).to_contain_text("3 of 150 pixels differ")
        flip.click()
        expect(text).to_contain_text("2 of 150 pixels differ")
        box = page.locator(".nsewdrag").first.bounding_box()  # 15 columns, 10 rows
        click(page, box["x"] + box["width"] * 5.5 / 15, box["y"] + box["height"] * 6.5 / 10)
        expect(text).to_contain_text("Row 6, column 5 is in component")
        expect(text).to_contain_text("Betti error 1, Betti matching error 1")
        page.get_by_label("Foreground").select_option("4 neighbours")
        expect(text).to_contain_text("With 4 neighbours")


@pytest.mark.browser
def test_flips_and_pixels(tmp_path):
    with explorer_of("04_warp_masks_without_tearing", tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("after 300 of 512 flips")
        assert "trace " not in page.locator(".legend").text_content()
        image = page.locator(".imagelayer image").first
        before = image.get_attribute("href")
        press(page, "Flips", "ArrowRight")
        expect(text).to_contain_text("after 301 of 512 flips")
        assert image.get_attribute("href") != before
        press(page, "Row", "Home")
        expect(text).to_contain_text("Row 0, column 21 is")
        box = image.bounding_box()
        click(page, box["x"] + box["width"] * 50.5 / 96, box["y"] + box["height"] * 62.5 / 96)
        expect(text).to_contain_text("Row 62, column 50 is")
        letter = page.locator(".subplot.x2y2 .scatterlayer .trace .point").first
        assert letter.bounding_box()["width"] > 20  # as large as its letter
        page.get_by_label("Warp").select_option("target to mask")
        expect(text).to_contain_text("The warp from target to mask")
        press(page, "Flips", "Home")
        expect(text).to_contain_text("after 0 of 497 flips")
        page.locator("button:has(.fa-play)").click()
        expect(text).to_contain_text(re.compile(r"after [1-9]\d* of 497 flips"))
        page.locator("button:has(.fa-stop)").click(force=True)  # at rest for the screenshot
        expect(text).to_contain_text("after 0 of 497 flips")


@pytest.mark.browser
def test_a_branch_of_the_skeleton(tmp_path):
    with explorer_of("05_read_ridges_with_discrete_morse_theory", tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("Branch 1 of 62 joins two components and is cut")
        legend = page.locator(".legend").text_content()
        assert "skeleton" in legend
        assert "trace " not in legend
        press(page, "Saddle level", "Home")
        expect(text).to_contain_text("pass at or above 0.00")
        expect(text).to_contain_text("Branch 1 of 62 joins two components and is kept")
        press(page, "Persistence above", "ArrowRight")
        expect(text).to_contain_text("have a persistence above 0.11")
        press(page, "Marked branch", "Home")
        expect(text).not_to_contain_text("Branch ")
        image = page.locator(".imagelayer image").first.bounding_box()
        x, y = ((k + 0.5) / 256 for k in (130, 83))  # on a thick vessel
        page.mouse.move(5, 5)
        click(page, image["x"] + x * image["width"], image["y"] + y * image["height"])
        expect(text).to_contain_text("Branch ")
        marked = said(page).split("Branch ")[1]
        hover(page, -1, "Branch 1 of")  # the most persistent one stands farthest right
        expect(text).not_to_contain_text(marked)


@pytest.mark.browser
def test_slices_of_a_volume(tmp_path):
    with explorer_of("13_go_to_three_dimensions", tmp_path) as page:
        expect.set_options(timeout=WAIT)
        text = page.locator("[role=status]")
        expect(text).to_contain_text("Slice 20 of 0 to 31. At threshold 0.30")
        before = page.locator(".imagelayer image").first.get_attribute("href")
        press(page, "Slice", "ArrowRight")
        expect(text).to_contain_text("Slice 21 of")
        page.wait_for_function(
            "old => document.querySelector('.imagelayer image').getAttribute('href') !== old",
            arg=before,
        )
        press(page, "Threshold", "ArrowRight")
        expect(text).to_contain_text("At threshold 0.31")
        press(page, "Persistence above", "ArrowRight")
        expect(text).to_contain_text("persistence above 0.11")
        press(page, "Marked feature", "Home")
        expect(text).not_to_contain_text("Feature ")
        press(page, "Marked feature", "ArrowRight")
        expect(text).to_contain_text("never dies")
        assert page.locator(".gl-container canvas").count()
