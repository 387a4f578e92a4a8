"""A real browser: JupyterLab opens a chapter, runs up to its explorer, and the explorer obeys."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial

import pytest
from jupyter_browser import (
    ARTEFACTS,
    NOTEBOOKS,
    WAIT,
    at_rest,
    box_at_rest,
    canvas_of,
    chromium,
    drawn_at_the_end,
    guarded,
    jupyterlab,
    press,
    run_all,
    up_to_the_explorer,
)
from playwright.sync_api import expect

DRAWN = ".toposeg-frames[data-frame] canvas"
FOLDED = ("Column",)  # below "More controls"
SAID = ".toposeg-said"  # the whole text; the sentence above it is for a screen reader


@contextmanager
def explorer_of(chapter, tmp_path, slider):
    """Open a chapter in JupyterLab, run it up to its explorer, and wait until that is drawn.

    In the end, the console of the page holds no error.
    """
    up_to_the_explorer(NOTEBOOKS / f"{chapter}.ipynb", tmp_path / "chapter.ipynb")
    with jupyterlab(tmp_path) as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        try:
            page.goto(address("chapter.ipynb"))
            run_all(page)
            drawn_at_the_end(page, DRAWN)
            if slider not in FOLDED:
                guarded(page, slider)
            show_text(page)
            yield page
            assert errors == []
        finally:  # of a failure, too
            ARTEFACTS.mkdir(exist_ok=True)
            show_text(page)
            page.screenshot(path=ARTEFACTS / f"{chapter}.png")


def show_text(page):
    """Scroll to the text in one go: each update puts a new element in its place."""
    page.evaluate("document.querySelector('.toposeg-said')?.scrollIntoView({block: 'center'})")


def said_after(page, word):
    """Return what the text says after a word, as soon as it says the word."""
    text = page.locator(SAID)
    expect(text).to_contain_text(word)
    return text.inner_text().split(word)[1]


CANVAS = "figure[data-kind={}] canvas"


def changes(page, before, kind="image"):
    """Wait until a canvas shows something else."""
    page.wait_for_function(
        "([canvas, before]) => document.querySelector(canvas).toDataURL() !== before",
        arg=[CANVAS.format(kind), before],
    )


def click(page, selector, across, down, check, which=0):
    """Click at a share of an element's width and height, as a hand does: move, rest, press.

    The hand stays until it sees something happen, which is what `check` waits for: plotly keeps but
    the last event for a kernel that is busy, and that the mouse has left would be another one.
    """
    box = box_at_rest(page, selector, which)
    while True:
        x, y, width, height = box
        page.mouse.move(x + across * width, y + down * height, steps=6)
        box = box_at_rest(page, selector, which)  # moving may be what scrolls the page
        if box == [x, y, width, height]:
            break
    page.mouse.down()
    page.mouse.up()
    check()
    page.mouse.move(5, 5)  # in one leap, so that nothing on the way is pointed at


def dot_of(page, number):
    """Return where the dot of a feature is in the diagram, as shares of width and height."""
    page.evaluate("document.activeElement.blur()")
    return page.evaluate(
        """number => {
            const canvas = document.querySelector('figure[data-kind=diagram] canvas');
            const [, x, y] = canvas.toposeg.places.find(([j]) => j === number - 1);
            return [x / canvas.toposeg.width, y / canvas.toposeg.height];
        }""",
        number,
    )


@pytest.mark.browser
def test_threshold_and_dots(tmp_path):
    with explorer_of("02_measure_shape_with_persistence", tmp_path, "Threshold") as page:
        text, brief = page.locator(SAID), page.locator(".toposeg-brief")
        expect(text).to_contain_text("At threshold 0.30")
        before = canvas_of(page)
        press(page, "Threshold", "ArrowRight")
        changes(page, before)
        expect(brief).to_contain_text("At threshold 0.31")
        expect(text).to_contain_text("At threshold 0.31")  # the kernel has heard of it, too
        marked = said_after(page, "Feature ")
        press(page, "Marked feature", "Home")
        expect(text).not_to_contain_text("Feature ")
        dark = canvas_of(page)
        where = page.locator("figure[data-kind=diagram] .toposeg-where")
        # The essential dot: what is pointed at is lit and told, what is clicked stays.
        there = partial(expect(where).to_contain_text, "never dies")
        canvas = CANVAS.format("diagram")
        click(page, canvas, *dot_of(page, 1), there)
        changes(page, dark)
        expect(brief).to_contain_text("marked: component 1")
        expect(text).to_contain_text("never dies")
        expect(text).not_to_contain_text(marked)
        press(page, "Marked feature", "ArrowRight")
        expect(text).to_contain_text("Feature 2 of")


@pytest.mark.browser
def test_steps_down_a_loss(tmp_path):
    with explorer_of("03_train_with_a_topological_loss", tmp_path, "Step") as page:
        text = page.locator(SAID)
        expect(text).to_contain_text("Step 3 of 40 down the loss 'rank'")
        expect(page.locator(".toposeg-legend")).to_contain_text("outline of the truth")
        marked = said_after(page, "Feature ")
        there = partial(expect(text).not_to_contain_text, marked)
        click(page, CANVAS.format("diagram"), *dot_of(page, 1), there)
        expect(text).to_contain_text("Feature 1 of")
        press(page, "Step", "ArrowRight")
        expect(text).to_contain_text("Step 4 of 40")
        page.get_by_label("Loss", exact=True).select_option("wasserstein")
        expect(text).to_contain_text("Step 4 of 40 down the loss 'wasserstein'")
        press(page, "Threshold", "ArrowRight")
        expect(text).to_contain_text("At threshold 0.51")
        press(page, "Step", "End")
        expect(text).to_contain_text("Step 40 of 40")
        before = canvas_of(page)
        press(page, "Step", "Home")
        changes(page, before)
        expect(text).to_contain_text("Step 0 of 40")
        page.get_by_role("button", name="Play the descent").click()
        expect(page.locator(".toposeg-brief")).to_contain_text(re.compile(r"Step [1-9]\d* of 40"))
        page.get_by_role("button", name="Stop").click()
        expect(text).to_contain_text(re.compile(r"Step [1-9]\d* of 40"))  # how far, depends


@pytest.mark.browser
def test_paints_pixels(tmp_path):
    with explorer_of("01_see_images_as_spaces", tmp_path, "Column") as page:
        text, brief = page.locator(SAID), page.locator(".toposeg-brief")
        expect(text).to_contain_text("Betti error 0, Betti matching error 2")
        page.get_by_role("button", name="More controls").click()
        press(page, "Column", "ArrowLeft")
        expect(text).to_contain_text("Row 3, column 5 is in component A")
        flip = page.get_by_role("button", name="Flip this pixel")
        flip.click()
        expect(text).to_contain_text("3 of 100 pixels differ")
        flip.click()
        expect(text).to_contain_text("2 of 100 pixels differ")
        challenge = page.get_by_label("Challenge", exact=True).locator("visible=true")
        challenge.select_option("which pixel would you mend?")
        story = page.locator(".toposeg-story:not(.toposeg-standing)")
        expect(story).to_contain_text("Which pixel would you mend first? Try it.")
        there = partial(expect(text).to_contain_text, "Row 3, column 6 is in component")
        canvas = CANVAS.format("paint")
        click(page, canvas, 6.5 / 10, 3.5 / 10, there)  # 10 columns, 10 rows
        expect(text).to_contain_text("Betti error 1, Betti matching error 1")
        expect(story).to_contain_text("1 try so far: not yet")
        click(page, canvas, 4.5 / 10, 4.5 / 10, partial(expect(brief).to_contain_text, "0 pixels"))
        expect(text).to_contain_text("Betti error 0, Betti matching error 0")
        expect(story).to_contain_text("Solved with 2 tries!")
        page.get_by_label("Foreground").select_option("4 neighbours")
        expect(text).to_contain_text("With 4 neighbours")


@pytest.mark.browser
def test_flips_and_pixels(tmp_path):
    with explorer_of("04_warp_masks_without_tearing", tmp_path, "Flips") as page:
        text = page.locator(SAID)
        expect(text).to_contain_text("after 300 of 512 flips")
        expect(page.locator(".toposeg-legend")).to_contain_text("outline of the goal")
        before = canvas_of(page)
        press(page, "Flips", "ArrowRight")
        changes(page, before)
        expect(text).to_contain_text("after 301 of 512 flips")
        page.get_by_role("button", name="More controls").click()
        press(page, "Row", "Home")
        expect(text).to_contain_text("Row 0, column 21 is")
        cells = canvas_of(page, "cells")
        there = partial(expect(text).to_contain_text, "Row 62, column 50 is")
        click(page, CANVAS.format("image"), 50.5 / 96, 62.5 / 96, there)
        changes(page, cells, "cells")
        chosen = page.get_by_role("slider", name="Chosen pixel")
        chosen.press("ArrowDown")
        expect(chosen).to_have_attribute("aria-valuetext", re.compile("row 63, column 50: "))
        expect(text).to_contain_text("Row 63, column 50 is")
        page.get_by_label("Warp", exact=True).select_option("target to mask")
        expect(text).to_contain_text("The warp from target to mask")
        press(page, "Flips", "Home")
        expect(text).to_contain_text("after 0 of 497 flips")
        page.get_by_role("button", name="Play the warp").click()
        brief = page.locator(".toposeg-brief")
        expect(brief).to_contain_text(re.compile(r"After [1-9]\d* of 497 flips"))
        page.get_by_role("button", name="Stop").click()
        expect(text).to_contain_text(re.compile(r"after [1-9]\d* of 497 flips"))


@pytest.mark.browser
def test_a_branch_of_the_skeleton(tmp_path):
    with explorer_of("05_read_ridges_with_discrete_morse_theory", tmp_path, "Saddle level") as page:
        text = page.locator(SAID)
        expect(text).to_contain_text("Branch 1 of 62 joins two components and is cut")
        before = canvas_of(page)
        press(page, "Saddle level", "Home")
        changes(page, before)
        expect(text).to_contain_text("pass at or above 0.00")
        expect(text).to_contain_text("Branch 1 of 62 joins two components and is kept")
        press(page, "Persistence above", "ArrowRight")
        expect(text).to_contain_text("have a persistence above 0.11")
        press(page, "Marked branch", "Home")
        expect(text).not_to_contain_text("Branch ")
        found = partial(expect(text).to_contain_text, "Branch ")
        click(page, CANVAS.format("image"), 130.5 / 256, 83.5 / 256, found)  # on a thick vessel
        marked = said_after(page, "Branch ")
        press(page, "Marked branch", "Home")
        press(page, "Marked branch", "ArrowRight")
        expect(text).to_contain_text("Branch 1 of")
        expect(text).not_to_contain_text(marked)


# Where the highest point of the skeleton is on the screen, and in which slice it lies: plotly turns
# and projects places in space by three matrices, column by column.
TIP = """(() => {
    const plot = document.querySelector('.js-plotly-plot');
    const scene = plot?._fullLayout?.scene?._scene, camera = scene?.glplot?.cameraParams;
    const line = plot?._fullData?.find(trace => trace.mode === 'lines' && trace.line.width === 5);
    if (!camera || !line) return null;
    const heights = [...line.z], highest = Math.max(...heights.filter(z => !isNaN(z)));
    const k = heights.indexOf(highest), scale = scene.dataScale;
    const times = (matrix, place) => [0, 1, 2, 3].map(row =>
        place.reduce((sum, value, column) => sum + matrix[4 * column + row] * value, 0));
    const start = [line.x[k] * scale[0], line.y[k] * scale[1], highest * scale[2], 1];
    const [x, y, , w] = [camera.model, camera.view, camera.projection]
        .reduce((place, matrix) => times(matrix, place), start);
    const box = scene.glplot.canvas.getBoundingClientRect();
    return [box.x + (1 + x / w) / 2 * box.width, box.y + (1 - y / w) / 2 * box.height, highest];
})()"""


@pytest.mark.browser
def test_slices_of_a_volume(tmp_path):
    with explorer_of("13_go_to_three_dimensions", tmp_path, "Slice") as page:
        text = page.locator(SAID)
        expect(text).to_contain_text("Slice 20 of 0 to 31. At threshold 0.30")
        before = canvas_of(page)
        press(page, "Slice", "ArrowRight")
        changes(page, before)
        expect(text).to_contain_text("Slice 21 of")
        press(page, "Threshold", "ArrowRight")
        expect(text).to_contain_text("At threshold 0.31")
        page.get_by_role("button", name="More controls").click()
        press(page, "Persistence above", "ArrowRight")
        expect(text).to_contain_text("persistence above 0.11")
        press(page, "Marked feature", "Home")
        expect(text).not_to_contain_text("Feature ")
        press(page, "Marked feature", "ArrowRight")
        expect(text).to_contain_text("never dies")
        x, y, highest = at_rest(page, TIP)
        page.mouse.move(x, y, steps=6)
        at_rest(page, TIP)
        page.mouse.down()  # on the skeleton, in space
        expect(text).to_contain_text(f"Slice {highest} of")
        page.mouse.up()


@pytest.mark.browser
def test_samples_and_branches(tmp_path):
    with explorer_of("07b_judge_each_branch", tmp_path, "Sample") as page:
        text = page.locator(SAID)
        expect(text).to_contain_text("Sample 1 of 20")
        before = canvas_of(page)
        press(page, "Sample", "ArrowRight")
        changes(page, before)
        expect(text).to_contain_text("Sample 2 of 20")
        press(page, "Temperature", "ArrowRight")
        expect(text).to_contain_text("temperature 1.12")
        marked = said_after(page, "Branch 2 of ")
        other = partial(expect(text).not_to_contain_text, marked)
        # A branch, in its middle, in the second picture.
        click(page, CANVAS.format("image"), 115.5 / 256, 90.5 / 256, other, which=1)
        expect(text).to_contain_text("Branch ")
        press(page, "Marked branch", "Home")
        expect(text).not_to_contain_text("Branch ")
        page.get_by_label("Maps show", exact=True).select_option("probability")
        expect(text).to_contain_text("The maps show the probability")
        page.get_by_label("Model", exact=True).select_option("threshold")
        expect(text).to_contain_text("Model 'threshold'")
        page.get_by_role("button", name="More controls").click()
        press(page, "Number of samples", "Home")
        expect(text).to_contain_text("Sample 1 of 1 ")


@pytest.mark.browser
def test_losses_and_images(tmp_path):
    with explorer_of("10_compare_and_ablate", tmp_path, "Seeds that count") as page:
        text, brief = page.locator(SAID), page.locator(".toposeg-brief")
        expect(text).to_contain_text("against the control on")
        expect(text).to_contain_text("Image 1 of")
        expect(page.locator(".toposeg-legend")).to_contain_text("interval without 0")
        press(page, "Loss", "Home")
        names = page.evaluate(
            "document.querySelector('figure[data-kind=forest] canvas').toposeg.about.names"
        )
        expect(text).to_contain_text(f": {names[0]} (weight")
        before = canvas_of(page, "pairs")
        press(page, "Loss", "ArrowRight")
        changes(page, before, "pairs")
        expect(brief).to_contain_text(f"{names[1]} against the control")
        expect(text).to_contain_text(f": {names[1]} (weight")  # the kernel has heard of it, too
        press(page, "Seeds that count", "Home")
        expect(text).to_contain_text(", 1 of ")
        press(page, "Marked image", "ArrowRight")
        expect(text).to_contain_text("Image 2 of")
        press(page, "Marked image", "Home")
        expect(text).not_to_contain_text("Image ")
        # A dot of the pairs: the image that is hardest for the control.
        place = page.evaluate(
            """() => {
                const { places, width, height } =
                    document.querySelector("figure[data-kind=pairs] canvas").toposeg;
                const [, x, y] = places.reduce((a, b) => (b[1] > a[1] ? b : a));
                return [x / width, y / height];
            }"""
        )
        click(page, CANVAS.format("pairs"), *place, partial(expect(text).to_contain_text, "Image "))
        # The lowest row of the losses.
        there = partial(expect(text).to_contain_text, f": {names[-1]} (weight")
        height = page.evaluate(
            """() => {
                const forest = document.querySelector("figure[data-kind=forest] canvas").toposeg;
                return forest.atY(forest.about.names.length - 1) / forest.height;
            }"""
        )
        click(page, CANVAS.format("forest"), 0.5, height, there)
        page.get_by_label("Score", exact=True).select_option("Dice")
        expect(text).to_contain_text("Dice (higher is better)")
