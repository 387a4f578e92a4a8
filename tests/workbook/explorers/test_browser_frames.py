"""Frames in a real browser: pages without a kernel, which move, light and tell by themselves."""

from __future__ import annotations

import base64
import functools
import json
import re
import zlib
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import films
import numpy as np
import pytest
from jupyter_browser import ARTEFACTS, WAIT, at_rest, chromium
from made_runs import two_runs
from playwright.sync_api import expect
from screens import hills
from skimage.measure import label
from skimage.transform import resize

from toposeg_lite import metrics
from toposeg_lite.workbook import explorers, figures
from toposeg_lite.workbook.explorers import examples, framed

PLACE = Path(framed.__file__).parent
KINDS = {
    "02": explorers.PersistenceExplorer,
    "03": explorers.GradientExplorer,
    "04": explorers.WarpExplorer,
    "05": explorers.MorseExplorer,
    "07": explorers.StructureExplorer,
    "10": explorers.ComparisonExplorer,
    "13": explorers.VolumeExplorer,
}
FIGURE = "figure[data-kind={}]"
SLIDER = ".toposeg-row input >> nth=0"

# The colours in the middle of each pixel of an image, as the canvas shows it.
MIDDLES = """canvas => {
    const panel = canvas.toposeg;
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const found = [];
    for (let row = 0; row < panel.rows; row++)
        for (let column = 0; column < panel.columns; column++) {
            const x = Math.floor((column + 0.5) * canvas.width / panel.columns);
            const y = Math.floor((row + 0.5) * canvas.height / panel.rows);
            found.push(...data.slice(4 * (y * canvas.width + x), 4 * (y * canvas.width + x) + 3));
        }
    return found;
}"""


@functools.cache
def example(chapter):
    model = KINDS[chapter].example()
    return model, frames_of(model)


def frames_of(model):
    """Return the frames of a model, as they are on a page."""
    bundle = json.loads(json.dumps(model.bundle()))
    data = zlib.decompress(base64.b64decode(bundle["data"]))
    return SimpleNamespace(**bundle | {"data": data, "bundle": lambda: bundle})


@contextmanager
def pages(tmp_path):
    """Open Chromium; return a function that shows a bundle on a page of its own, from the disk."""
    with chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)

        def show(bundle, *, width=1440, dark=False, still=False):
            (tmp_path / "page.html").write_text(
                f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Frames</title>
                <style>:root {{ color-scheme: light dark; }}
                {(PLACE / "frames.css").read_text()}</style><main id="place"></main>
                <script type="module">{(PLACE / "frames.js").read_text()}
                Object.assign(window, {{ matchingError, partsAround, partsOf, verdict }});
                window.end = mount(document.querySelector("#place"), {json.dumps(bundle)});
                </script></html>"""
            )
            page.set_viewport_size({"width": width, "height": 1200})
            page.emulate_media(
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce" if still else "no-preference",
            )
            page.goto((tmp_path / "page.html").as_uri())
            rests(page)
            return page

        yield show
        assert errors == []


def rests(page):
    """Wait until the page shows the frame of its slider; return its number."""
    return at_rest(
        page,
        """(() => {
            const root = document.querySelector(".toposeg-frames[data-frame]");
            if (!root || root.querySelector("input").value !== root.dataset.frame) return null;
            if (root.querySelector("canvas").toposeg.view.asked) return null; // not drawn yet
            return [Number(root.dataset.frame),
                    ...[...root.querySelectorAll("canvas")].map(c => c.toDataURL().length)];
        })()""",
    )[0]


def go(page, k):
    """Move the slider as a hand does, and wait for the frame."""
    slider = page.locator(SLIDER)
    slider.evaluate(
        "(slider, k) => { slider.value = k; slider.dispatchEvent(new Event('input')); }", k
    )
    assert rests(page) == k


def middles(page, shape):
    found = page.locator(FIGURE.format("image") + " canvas").first.evaluate(MIDDLES)
    return np.array(found, np.uint8).reshape(*shape, 3)


# --- What is shown ------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("chapter", ["02", "07"])
def test_the_canvas_shows_every_pixel_of_the_frame(chapter, tmp_path):
    _, frames = example(chapter)
    with pages(tmp_path) as show:
        page = show(frames.bundle() | {"marked": 0})
        shape = films.panel(frames)["shape"]
        last = frames.about["frames"] - 1
        for k in (0, last // 3, last // 2, last):
            go(page, k)
            shown, expected = middles(page, shape), films.colours(frames, k)
            assert abs(shown.astype(int) - expected).max() <= 1  # rounded in another place
            expect(page.locator(".toposeg-brief")).to_have_text(f"{frames.about['sentences'][k]}.")


@pytest.mark.browser
def test_the_canvas_shows_what_turns(tmp_path):
    model, frames = example("04")
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        free = ~model.critical  # of signs that lie over pixels
        row, column = model.pixel
        free[row - 2 : row + 3, column - 2 : column + 3] = False
        for k in (0, 100, len(model.order)):
            go(page, k)
            shown, expected = middles(page, free.shape), films.colours(frames, k)
            np.testing.assert_array_equal(shown[free], expected[free])


@pytest.mark.browser
@pytest.mark.parametrize("chapter", KINDS)
def test_a_page_without_a_kernel_moves_and_tells(chapter, tmp_path):
    model, frames = example(chapter)
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        canvas = page.locator("canvas").first
        brief, slider = page.locator(".toposeg-brief"), page.locator(SLIDER)
        expect(brief).to_have_text(model.brief())
        before = canvas.evaluate("canvas => canvas.toDataURL()")
        slider.press("ArrowLeft" if rests(page) else "ArrowRight")
        k = rests(page)
        assert canvas.evaluate("canvas => canvas.toDataURL()") != before
        values = frames.about["values"]
        expect(slider).to_have_attribute("aria-valuetext", values[k])
        expect(brief).not_to_have_text(model.brief())
        expect(brief.locator("mark").first).to_contain_text(re.compile(r"\d"))
        for key, place in (("Home", 0), ("End", len(values) - 1)):
            slider.press(key)
            assert rests(page) == place
            expect(brief).to_contain_text(frames.about["sentences"][place])
            tiles = page.locator(".toposeg-tiles b").all_inner_texts()
            for tile, each in zip(tiles, frames.about["numbers"], strict=True):
                assert tile == each["values"][place] if "values" in each else int(tile) >= 0
        assert asked == []
        page.evaluate("window.end()")
        expect(page.locator(".toposeg-frames")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("chapter", KINDS)
def test_everything_has_a_name_and_its_room_in_light_and_dark(chapter, tmp_path):
    _, frames = example(chapter)
    ARTEFACTS.mkdir(exist_ok=True)
    with pages(tmp_path) as show:
        for dark in (False, True):
            for width in (1024, 1440, 1920):
                page = show(frames.bundle(), width=width, dark=dark)
                name = f"frames-{chapter}-{width}{'-dark' if dark else ''}.png"
                page.screenshot(path=ARTEFACTS / name)
                boxes = [one.bounding_box() for one in page.locator("canvas").all()]
                assert all(box["x"] + box["width"] <= width for box in boxes)
                assert all(box["width"] > 200 for box in boxes)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                for k, a in enumerate(boxes):
                    for b in boxes[k + 1 :]:
                        assert (
                            a["x"] + a["width"] <= b["x"]
                            or b["x"] + b["width"] <= a["x"]
                            or a["y"] + a["height"] <= b["y"]
                            or b["y"] + b["height"] <= a["y"]
                        )
                ink, paper = page.locator(".toposeg-frames").evaluate(
                    """root => ["color", "backgroundColor"].map(name =>
                        getComputedStyle(root)[name].match(/\\d+/g).slice(0, 3)
                            .reduce((sum, value) => sum + Number(value), 0) / 3)"""
                )
                assert (paper < 60 and ink > 200) if dark else (paper > 240 and ink < 60)
        tree = page.locator("main").aria_snapshot()
        assert f'slider "{frames.about["label"]}"' in tree
        for role in ("slider", "img", "button", "figure", "list", "status"):
            assert f"- {role}\n" not in tree.replace(":\n", "\n").replace("- status\n", "")
        for canvas in page.locator("canvas").all():
            assert canvas.get_attribute("aria-label")
            if canvas.get_attribute("role") == "slider":
                assert canvas.get_attribute("aria-valuetext")


@pytest.mark.browser
def test_the_theme_of_a_notebook_is_followed_at_once(tmp_path):
    _, frames = example("02")
    looks = """() => {
        const root = document.querySelector(".toposeg-frames");
        return [getComputedStyle(root).color, root.querySelector("canvas").toposeg.view.ink];
    }"""
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        page.evaluate("document.querySelector('.toposeg-frames').classList.remove('toposeg-alone')")
        chart = page.locator(FIGURE.format("diagram") + " canvas")
        light = chart.evaluate("canvas => canvas.toDataURL()")
        assert page.evaluate(looks)[0] == "rgb(31, 31, 31)"
        page.evaluate(
            """() => {
                document.body.style.setProperty("--jp-content-font-color1", "rgb(250, 250, 250)");
                document.body.style.setProperty("--jp-layout-color0", "rgb(17, 17, 17)");
                document.body.dataset.jpThemeLight = "false";
            }"""
        )
        rests(page)
        assert page.evaluate(looks) == ["rgb(250, 250, 250)"] * 2
        assert chart.evaluate("canvas => canvas.toDataURL()") != light


@pytest.mark.browser
@pytest.mark.parametrize("name", ["PaintExplorer", "WarpExplorer"])
def test_a_mask_is_no_sheet_of_white_on_a_dark_page(name, tmp_path):
    """Its background has the colour of the page, at once when the theme changes."""
    frames = frames_of(getattr(explorers, name).example())
    light_of = """canvas => {
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let white = 0;
        for (let q = 0; q < data.length; q += 4)
            white += data[q + 3] === 255 && Math.min(data[q], data[q + 1], data[q + 2]) > 240;
        return white / (canvas.width * canvas.height);
    }"""
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        canvases = page.locator(".toposeg-frames canvas:visible").all()
        white = [one.evaluate(light_of) for one in canvases]
        assert min(white) > 0.3
        page.emulate_media(color_scheme="dark")
        rests(page)
        assert max(one.evaluate(light_of) for one in canvases) < 0.1
        page.emulate_media(color_scheme="light")
        rests(page)
        assert [one.evaluate(light_of) for one in canvases] == white


@pytest.mark.browser
def test_neighbourhoods_are_judged_as_in_python(tmp_path):
    _, frames = example("04")
    cells = [[(number >> k) & 1 for k in range(9)] for number in range(512)]
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        for connectivity in (1, 2):
            found = page.evaluate(
                """([all, connectivity]) => all.map(cells =>
                    [partsAround(cells, connectivity), verdict(cells, connectivity)])""",
                [cells, connectivity],
            )
            for some, (numbers, said) in zip(cells, found, strict=True):
                mask = np.array(some).reshape(3, 3)
                around = figures.components_around(mask, (1, 1), connectivity=connectivity)
                assert np.reshape(numbers, (3, 3)).tolist() == around.tolist()
                assert said == figures.verdict(mask, (1, 1), connectivity=connectivity)


# --- Links both ways ------------------------------------------------------------------------------


def region_of(model, k, row, column):
    """Return the component of foreground or background around a pixel, by scikit-image."""
    mask = model.image >= k / 100
    value = mask[row, column]
    full = model.connectivity if value else 3 - model.connectivity
    labels = label(mask == value, connectivity=full)
    return labels == labels[row, column], value


LIT = """canvas => canvas.toposeg.view.lit && {
    regions: canvas.toposeg.view.lit.regions.map(([region]) =>
        [...region].flatMap((one, p) => one ? [p] : [])),
    birth: canvas.toposeg.view.lit.birth, death: canvas.toposeg.view.lit.death }"""


@pytest.mark.browser
@pytest.mark.parametrize("connectivity", [1, 2])
def test_a_pixel_lights_its_dot_and_a_dot_its_pixels(connectivity, tmp_path):
    model = explorers.PersistenceExplorer(
        resize(examples.vessels()[0], (64, 64)), connectivity=connectivity
    )
    frames = frames_of(model)
    shown = model.shown
    birth, death = (np.asarray(part) for part in (shown.birth, shown.death))
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        image = page.locator(FIGURE.format("image"))
        canvas, box = image.locator("canvas"), image.locator("canvas").bounding_box()
        generator = np.random.default_rng(0)
        seen = set()
        for k in (50, 20, 35):
            go(page, k)
            t = k / 100
            places = generator.integers(0, 64, (15, 2)).tolist()
            chosen = np.flatnonzero((birth >= t) & (death < t))
            for j in chosen[:12]:  # of holes their deepest pixel, of components the first one
                index = (shown.birth_index, shown.death_index)[shown.dimension[j]][j]
                places.append([*divmod(int(index), 64)])
            for row, column in places:
                page.mouse.move(
                    box["x"] + (column + 0.5) * box["width"] / 64,
                    box["y"] + (row + 0.5) * box["height"] / 64,
                )
                where = image.locator(".toposeg-where")
                expect(where).to_contain_text(f"row {row}, column {column}")
                rests(page)
                region, value = region_of(model, k, row, column)
                dimension = 0 if value else 1
                # Of its component or hole the one feature that is alive, and lies in it.
                at = shown.birth_index if value else shown.death_index
                alive = (shown.dimension == dimension) & (birth >= t)
                alive &= (death < t) | (shown.death_index < 0)
                mine = [j for j in np.flatnonzero(alive) if region.flat[at[j]]]
                lit = canvas.evaluate(LIT)
                if not mine:
                    assert lit is None
                    continue
                (j,) = mine
                kind = ("component", "hole")[dimension]
                seen.add(kind)
                expect(where).to_contain_text(f": {kind} {j + 1}, born at {birth[j]:.2f}, ")
                assert lit["regions"] == [np.flatnonzero(region).tolist()]
                assert (lit["birth"], lit["death"]) == (
                    shown.birth_index[j], shown.death_index[j],
                )  # fmt: skip
            page.mouse.move(2, 2)
            rests(page)
            assert canvas.evaluate(LIT) is None
        assert seen == {"component", "hole"}

        # And back: a dot and a bar light the same, by pointer and by keyboard.
        go(page, 35)
        for kind in ("diagram", "bars"):
            chart = page.locator(FIGURE.format(kind))
            box = chart.locator("canvas").bounding_box()
            x, y = chart.locator("canvas").evaluate(
                """(canvas, kind) => {
                    const panel = canvas.toposeg;
                    return kind === "bars" ? [panel.box[0] + 30, panel.atY(3)]
                        : panel.places.find(([j]) => j === 2).slice(1);
                }""",
                kind,
            )
            page.mouse.move(box["x"] + x, box["y"] + y)
            expect(chart.locator(".toposeg-where")).to_contain_text(" 3, born at")
            rests(page)
            by_pointer = canvas.evaluate(LIT)
            assert by_pointer["birth"] == shown.birth_index[2]
            page.mouse.move(2, 2)
            rests(page)
            assert canvas.evaluate(LIT) is None
            slider = chart.get_by_role("slider")
            slider.press("Home")
            for _ in range(3):
                slider.press("ArrowRight")
            rests(page)
            assert canvas.evaluate(LIT) == by_pointer
            expect(page.locator(".toposeg-brief")).to_contain_text(" 3, persistence ")
            slider.press("Home")
            rests(page)


@pytest.mark.browser
def test_a_diagram_is_looked_at_closely_and_given_back(tmp_path):
    _, frames = example("02")
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        canvas = page.locator(FIGURE.format("diagram") + " canvas")
        whole = canvas.evaluate("canvas => canvas.toDataURL()")
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 220, steps=4)
        page.mouse.up()
        back = page.get_by_role("button", name="Whole diagram")
        expect(back).to_be_visible()
        rests(page)
        assert canvas.evaluate("canvas => canvas.toDataURL()") != whole
        low, high = canvas.evaluate("canvas => canvas.toposeg.x.slice(0, 2)")
        assert 0 < low < high < 1
        back.click()
        page.mouse.move(2, 2)
        expect(back).to_be_hidden()
        rests(page)
        assert canvas.evaluate("canvas => canvas.toposeg.x.slice(0, 2)") == [-0.03, 1.03]

        # The barcode, too: there the threshold falls from left to right, and row 1 is on top.
        canvas = page.locator(FIGURE.format("bars") + " canvas")
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 120, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 250, box["y"] + 200, steps=4)
        page.mouse.up()
        back = page.get_by_role("button", name="Whole barcode")
        expect(back).to_be_visible()
        rests(page)
        high, low = canvas.evaluate("canvas => canvas.toposeg.x.slice(0, 2)")
        first, last = canvas.evaluate("canvas => canvas.toposeg.y.slice(0, 2)")
        assert 0 < low < high < 1
        assert 0.3 < first < last < 40
        middle = (first + last) / 2
        row = canvas.evaluate("(canvas, row) => canvas.toposeg.atY(row)", round(middle))
        page.mouse.move(box["x"] + 150, box["y"] + row)
        where = page.locator(FIGURE.format("bars") + " .toposeg-where")
        expect(where).to_contain_text(f" {round(middle)}, born at ")
        canvas.dblclick(position={"x": 150, "y": row})
        expect(back).to_be_hidden()
        rests(page)
        assert canvas.evaluate("canvas => canvas.toposeg.x.slice(0, 2)") == [1.03, -0.03]


# --- Motion -------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("still", [False, True])
def test_two_fronts_meet_where_the_younger_ends(still, tmp_path):
    model, frames = example("02")
    shown = model.shown
    with pages(tmp_path) as show:
        page = show(frames.bundle() | {"marked": 2}, still=still)
        canvas = page.locator(FIGURE.format("image") + " canvas")
        canvas.evaluate(
            """canvas => {
                const view = canvas.toposeg.view;
                const draw = view.draw.bind(view);
                window.played = [];
                view.draw = () => {
                    draw();
                    window.played.push([view.index, ...view.lit.regions.map(([region]) =>
                        [...region].flatMap((one, p) => one ? [p] : []))]);
                };
            }"""
        )
        page.get_by_role("button", name="Play: how it ends").click()
        story = page.locator(".toposeg-story:not(.toposeg-standing)")
        expect(story).to_contain_text(f"Two fronts met at {shown.death[1]:.2f}")
        row, column = divmod(int(shown.death_index[1]), 256)
        expect(story).to_contain_text(f"row {row}, column {column}")
        expect(page.get_by_role("button", name="Play: how it ends")).to_be_visible()
        played = page.evaluate("window.played")
        indices = [k for k, *_ in played]
        meeting = int(np.ceil(100 * shown.death[1])) - 1  # at a threshold above it is alive
        if still:
            assert set(indices) == {meeting + 1}
        else:
            assert sorted(indices, reverse=True) == indices
            assert indices[-1] < meeting < indices[0]
        both = 0
        for k, *regions in played:
            labels = label(model.image >= k / 100, connectivity=2).ravel()
            younger = labels[shown.birth_index[1]]
            if k <= meeting:  # it has ended
                assert regions == []
                assert labels[shown.death_index[1]] == younger
                continue
            if not younger:  # it has not been born
                assert len(regions) <= 1
                continue
            assert regions[-1] == np.flatnonzero(labels == younger).tolist()
            if len(regions) == 2:  # the elder's comes first
                both += 1
                assert not set(regions[0]) & set(regions[1])
                ahead = label(model.image >= meeting / 100, connectivity=2).ravel()
                assert ahead[regions[0][0]] == ahead[shown.birth_index[1]]
        assert both > (0 if still else 10)


@pytest.mark.browser
def test_playing_stops_at_the_end_and_when_it_is_told_to(tmp_path):
    _, frames = example("13")
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        page.get_by_role("button", name="Play the slices").click()
        stop = page.get_by_role("button", name="Stop")
        expect(stop).to_be_visible()
        stop.click()
        expect(page.get_by_role("button", name="Play the slices")).to_be_visible()
        assert rests(page) == rests(page)
        go(page, frames.about["frames"] - 3)
        page.get_by_role("button", name="Play the slices").click()
        expect(page.locator(".toposeg-brief")).to_contain_text("Slice 31")
        expect(page.get_by_role("button", name="Play the slices")).to_be_visible()


@pytest.mark.browser
def test_the_page_says_that_it_computes_if_that_takes_longer_than_a_moment(tmp_path):
    model, frames = example("03")
    busy = "value => document.querySelector('canvas').toposeg.view.model.set('busy', value)"
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        brief = page.locator(".toposeg-brief")
        page.evaluate(busy, True)
        expect(brief).to_have_text("Computing …")
        page.evaluate(busy, False)
        expect(brief).to_have_text(model.brief())
        said = page.evaluate(
            """async () => {
                const brief = document.querySelector(".toposeg-brief");
                const seen = new Set(), watcher = new MutationObserver(
                    () => seen.add(brief.textContent));
                watcher.observe(brief, { childList: true, subtree: true, characterData: true });
                const { model } = document.querySelector("canvas").toposeg.view;
                model.set("busy", true);
                model.set("busy", false);
                await new Promise(done => setTimeout(done, 400));
                return [...seen];
            }"""
        )
        assert "Computing …" not in said


@pytest.mark.browser
def test_a_new_film_leaves_a_slider_where_the_hand_has_moved_it(tmp_path):
    """As when a kernel answers an earlier control while the hand is on the slider."""
    _, frames = example("02")
    film = """([place, told]) => {
        const { view } = document.querySelector("canvas").toposeg;
        const slider = document.querySelector(".toposeg-row input");
        slider.value = place;
        slider.dispatchEvent(new Event("input"));
        view.model.set("about", structuredClone(view.about));
        if (told !== null) view.model.set("index", told);
    }"""
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        page.evaluate(film, [61, None])
        assert rests(page) == 61
        page.wait_for_function(  # and the kernel hears of it
            "document.querySelector('canvas').toposeg.view.model.get('index') === 61"
        )
        page.evaluate(film, [70, 12])  # it has gone elsewhere by itself
        assert rests(page) == 12
        assert page.locator(SLIDER).input_value() == "12"


# --- Painting -----------------------------------------------------------------------------------


@pytest.mark.browser
def test_the_page_names_parts_as_python_does(tmp_path):
    generator = np.random.default_rng(0)
    frames = frames_of(explorers.PaintExplorer.example())
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        for connectivity in (1, 2):
            masks = [generator.random((9, 13)) < share for share in np.linspace(0, 1, 40)]
            found = page.evaluate(
                """([masks, connectivity]) => masks.map(mask =>
                    [...partsOf(Uint8Array.from(mask), 13, connectivity).numbers])""",
                [[mask.ravel().astype(int).tolist() for mask in masks], connectivity],
            )
            for mask, numbers in zip(masks, found, strict=True):
                expected = figures.numbered_parts(mask, connectivity=connectivity)
                np.testing.assert_array_equal(np.reshape(numbers, mask.shape), expected)


TOLD = "() => { const panel = document.querySelector('canvas').toposeg; return panel.view.model"


@pytest.mark.browser
def test_a_hand_paints_by_dragging_and_by_keys(tmp_path):
    model = explorers.PaintExplorer.example()
    frames = frames_of(model)
    width = model.mask.shape[1]
    told = TOLD + ".get('painted'); }"
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        canvas, brief = page.locator("canvas"), page.locator(".toposeg-brief")
        expect(brief).to_have_text(model.brief())
        box = canvas.bounding_box()

        def at(row, column):
            side = box["width"] / width
            return box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side

        page.mouse.move(*at(4, 9))
        page.mouse.down()
        page.mouse.move(*at(4, 12))  # in one leap: nothing on the way is left out
        page.mouse.move(*at(2, 12), steps=3)
        painted = model.mask.copy()
        painted[4, 9:13] = painted[2:5, 12] = True
        hand = explorers.PaintExplorer(painted, model.truth)
        expect(brief).to_have_text(hand.brief())  # while the hand is down
        assert page.evaluate(TOLD + ".get('stroke') ?? 0; }") == 0
        page.mouse.up()
        assert page.evaluate(told) == np.flatnonzero(painted).tolist()
        assert page.evaluate(TOLD + ".get('stroke'); }") == 1
        shown = middles_of_cells(page, painted.shape)
        wanted = figures.mask_colours(painted, model.truth)
        np.testing.assert_array_equal(shown, wanted)

        page.mouse.move(*at(4, 12))  # begun on a painted pixel: wiped out
        page.mouse.down()
        page.mouse.move(*at(4, 10), steps=4)
        page.mouse.up()
        painted[4, 10:13] = False
        hand.mask = painted
        expect(brief).to_have_text(hand.brief())

        pixel = page.get_by_role("slider", name="Chosen pixel")
        pixel.press("ArrowLeft")
        pixel.press("ArrowDown")
        expect(pixel).to_have_attribute("aria-valuetext", re.compile("^row 5, column 9: backgr"))
        pixel.press(" ")
        hand.toggle(5, 9)
        expect(brief).to_have_text(hand.brief())
        assert page.evaluate(told) == np.flatnonzero(hand.mask).tolist()
        expect(page.locator(".toposeg-tiles b").first).to_have_text(str(hand.betti[0]))


def middles_of_cells(page, shape):
    """Return the colours beside the middle of each cell, where no letter and no frame is."""
    look = MIDDLES.replace("(column + 0.5)", "(column + 0.2)").replace("(row + 0.5)", "(row + 0.2)")
    found = page.locator("canvas").evaluate(look)
    return np.array(found, np.uint8).reshape(*shape, 3)


@pytest.mark.browser
@pytest.mark.parametrize("connectivity", [1, 2])
def test_the_page_counts_parts_without_partners_as_the_library_does(connectivity, tmp_path):
    generator = np.random.default_rng(0)
    frames = frames_of(explorers.PaintExplorer.example())
    cases = []
    for size in (3, 5, 8):
        for changes in (0, 1, 2, 5, size**2):
            for _ in range(12):
                truth = generator.random((size, size + 1)) < 0.55
                mask = truth.copy()
                mask.flat[generator.integers(0, mask.size, changes)] ^= True
                cases.append((mask, truth))
    cases += [(np.zeros((4, 5), bool), np.ones((4, 5), bool))]
    with pages(tmp_path) as show:
        found = show(frames.bundle()).evaluate(
            """([cases, connectivity]) => cases.map(([mask, truth, width]) => matchingError(
                Uint8Array.from(mask), Uint8Array.from(truth), width, connectivity))""",
            [
                [[*(one.ravel().astype(int).tolist() for one in pair), pair[0].shape[1]]
                 for pair in cases],
                connectivity,
            ],
        )  # fmt: skip
    expected = [metrics.betti_matching_error(*pair, connectivity=connectivity) for pair in cases]
    assert found == expected
    assert len(set(found)) > 5


@pytest.mark.browser
def test_a_page_without_a_kernel_poses_the_challenges_of_painting(tmp_path):
    model = explorers.PaintExplorer.example()  # one bar is cut, and two are merged
    with pages(tmp_path) as show:
        page = show(frames_of(model).bundle())
        challenge = page.get_by_label("Challenge", exact=True)
        standing, pixel = page.locator(".toposeg-standing"), page.get_by_role("slider")

        def turn(row, column):
            """Choose a pixel by arrow keys, and turn it by the space bar."""
            now = page.evaluate("document.querySelector('canvas').toposeg.view.pixel")
            for key, steps in (("Down", row - now[0]), ("Right", column - now[1])):
                for _ in range(abs(steps)):
                    other = {"Down": "Up", "Right": "Left"}[key]
                    pixel.press(f"Arrow{key if steps > 0 else other}")
            pixel.press(" ")

        challenge.select_option("which pixel would you mend?")
        expect(standing).to_contain_text("bring the Betti matching error to 0")
        turn(6, 5)
        expect(standing).to_contain_text("1 try so far: not yet.")
        turn(7, 3)
        expect(standing).to_contain_text("Solved with 2 tries! Each part has its partner now.")
        challenge.select_option("both counts with one pixel")
        turn(2, 1)  # opens the ring: no component more
        expect(standing).to_contain_text("1 try so far: not yet.")
        challenge.select_option("8 is not 4")
        turn(0, 0)  # beside a corner of the ring
        expect(standing).to_contain_text("Solved with 1 try!")
        challenge.select_option("none")
        expect(standing).to_be_empty()


@pytest.mark.browser
def test_what_the_kernel_answers_late_does_not_undo_a_stroke(tmp_path):
    """The answer to the first stroke comes when the second one is under way."""
    model = explorers.PaintExplorer.example()
    frames = frames_of(model)
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        box = page.locator("canvas").bounding_box()
        side = box["width"] / model.mask.shape[1]
        brief = page.locator(".toposeg-brief")
        page.mouse.click(box["x"] + 0.5 * side, box["y"] + 0.5 * side)
        hand = explorers.PaintExplorer(model.mask, model.truth)
        hand.toggle(0, 0)
        expect(brief).to_have_text(hand.brief())
        page.mouse.move(box["x"] + 12.5 * side, box["y"] + 0.5 * side)
        page.mouse.down()
        hand.toggle(0, 12)
        expect(brief).to_have_text(hand.brief())
        model.toggle(0, 0)
        answer = model.bundle()
        answer["about"] = answer["about"] | {"stroke": 1}
        answer_it = """async answer => {
            const view = document.querySelector("canvas").toposeg.view;
            const packed = await (await fetch("data:;base64," + answer.data)).blob();
            const stream = packed.stream().pipeThrough(new DecompressionStream("deflate"));
            const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
            view.model.set("data", new DataView(bytes.buffer));
            view.model.set("about", answer.about);
        }"""
        page.evaluate(answer_it, answer)
        rests(page)
        expect(brief).to_have_text(hand.brief())
        page.mouse.up()
        page.evaluate(answer_it, answer)  # the second stroke has not been heard
        rests(page)
        expect(brief).to_have_text(hand.brief())
        model.toggle(0, 12)
        model.toggle(1, 12)
        later = model.bundle()
        later["about"] = later["about"] | {"stroke": 2}
        page.evaluate(answer_it, later)  # heard, and somebody else has painted on
        expect(brief).to_have_text(model.brief())


@pytest.mark.browser
def test_names_of_axes_stay_on_their_canvas(tmp_path):
    """What is written is measured: canvases forget words."""
    frames = frames_of(explorers.ComparisonExplorer(two_runs()))
    with pages(tmp_path) as show:
        page = show(frames.bundle(), width=900)
        found = page.evaluate(
            """() => {
                const out = [], { prototype } = CanvasRenderingContext2D;
                const write = prototype.fillText;
                prototype.fillText = function (text, x, y) {
                    const { a, e } = this.getTransform();
                    const half = this.measureText(text).width / 2;
                    if (a > 0.5 && this.textAlign === "center") // not turned
                        out.push([text, (a * (x - half) + e), (a * (x + half) + e),
                                  this.canvas.width]);
                    return write.call(this, text, x, y);
                };
                const { view } = document.querySelector("canvas").toposeg;
                for (const panel of view.panels) panel.draw(view.index);
                prototype.fillText = write;
                return out;
            }"""
        )
        assert "Betti matching error (← better)" in [text for text, *_ in found]
        for text, left, right, width in found:
            assert 0 <= left < right <= width, text


# --- Ridges ---------------------------------------------------------------------------------------

RIDGES = """([k, m, j]) => {
    const { view } = document.querySelector("canvas").toposeg;
    const { ridges } = view;
    const of = (branch) => [[...branch.places], branch.low, branch.cut];
    return {
        layer: [...ridges.paint(new Uint8Array(ridges.size), k, m)],
        counts: ridges.counts(k, m),
        count: ridges.count(k),
        branches: Array.from({ length: ridges.count(k) }, (_, j) => of(ridges.branch(j, k, m))),
        numbers: [...ridges.numbers(k, m)],
    };
}"""


@pytest.mark.browser
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_the_page_finds_the_skeletons_and_branches_that_the_library_finds(kind, tmp_path):
    """At all places of both sliders, on hills, on noise, on plateaus and on a flat image."""
    generator = np.random.default_rng(0)
    images = [
        hills(0, (30, 41)), generator.random((13, 19)), np.round(8 * hills(1, (24, 24))) / 8,
        np.full((5, 6), 0.5), np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]]),
    ]  # fmt: skip
    seen = set()
    with pages(tmp_path) as show:
        for n, image in enumerate(images):
            model = explorers.MorseExplorer(image.astype(kind), connectivity=1 + n % 2)
            grid = [k / 100 for k in range(101)]
            page = show(frames_of(model).bundle())
            places = [(0, 0), (0, 40), (10, 0), (100, 100)]
            places += generator.integers(0, 60, (8, 2)).tolist()
            for k, m in places:
                model.min_persistence, model.saddle_level = grid[k], grid[m]
                found = page.evaluate(RIDGES, [int(k), int(m), 0])
                whole = model.complex_.skeleton(grid[k]).mask
                kept = model.skeleton.mask
                np.testing.assert_array_equal(
                    np.reshape(found["layer"], image.shape), np.where(kept, 2, whole)
                )
                assert found["count"] == model.branch_count
                parts = figures.count_parts(model.skeleton)
                assert found["counts"] == [int(model.shown.kept.sum()), parts]
                for j, (way, low, cut) in enumerate(found["branches"]):
                    model.selected = j + 1
                    assert way == model.shown.path.tolist()
                    assert low == model.shown.low
                    assert cut == (not model.shown.kept[j])
                    seen.add((cut, int(model.shown.dimension[j])))
                model.selected = 0
                numbers = [model.branch_at(*divmod(p, image.shape[1])) for p in range(image.size)]
                assert found["numbers"] == numbers
    assert len(seen) == 4  # joins and loops, kept and cut


@pytest.mark.browser
def test_a_branch_lights_its_dot_and_a_dot_its_branch(tmp_path):
    model = explorers.MorseExplorer.example()
    frames = frames_of(model)
    shown = "canvas => canvas.toposeg.view.shown"
    with pages(tmp_path) as show:
        page = show(frames.bundle() | {"marked": 0})
        image, passes, profile = (
            page.locator(FIGURE.format(kind)) for kind in ("image", "passes", "profile")
        )
        canvas, brief = image.locator("canvas"), page.locator(".toposeg-brief")
        expect(profile.locator("figcaption")).to_have_text("no branch is marked: click one")

        # A pixel of the skeleton lights the dot of its branch, and the profile follows.
        model.selected = 3
        row, column = divmod(int(model.shown.path[model.shown.low]), 256)
        number = model.branch_at(row, column)
        box = canvas.bounding_box()
        side = box["width"] / 256
        page.mouse.move(box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side)
        where = image.locator(".toposeg-where")
        expect(where).to_contain_text(f"row {row}, column {column}: branch {number}, persistence ")
        assert canvas.evaluate(shown) == number
        rests(page)
        expect(profile.locator("figcaption")).to_have_text(f"along branch {number}")
        page.mouse.move(2, 2)
        rests(page)
        assert canvas.evaluate(shown) == 0

        # A dot lights its branch; clicked, it stays, and both sliders keep it.
        page.mouse.move(*place_of(page, "passes", -1))  # drawn last: the most persistent
        expect(passes.locator(".toposeg-where")).to_contain_text("branch 1, persistence ")
        page.mouse.down()
        page.mouse.up()
        page.mouse.move(2, 2)
        marker = page.get_by_label("Marked branch", exact=True)
        expect(marker).to_have_value("1")
        model.selected = 1
        expect(brief).to_have_text(model.brief())
        level = page.get_by_role("slider", name="Saddle level", exact=True)
        expect(level).to_have_attribute("aria-valuetext", f"{model.saddle_level:.2f}")
        level.press("End")
        rests(page)
        model.saddle_level = 1.0
        expect(brief).to_have_text(model.brief())
        expect(brief).to_contain_text("branch 1 is cut")
        level.press("Home")
        model.saddle_level = 0.0
        expect(brief).to_have_text(model.brief())
        go(page, 100)  # above all: none is left to be marked
        model.min_persistence = 1.0
        expect(brief).to_have_text(model.brief())
        expect(marker).to_have_attribute("aria-valuetext", "none")
        go(page, 10)
        model.min_persistence, model.selected = 0.1, 1
        expect(brief).to_have_text(model.brief())  # nobody has marked another one meanwhile


@pytest.mark.browser
def test_ridges_pose_challenges_and_say_solved(tmp_path):
    model = explorers.MorseExplorer.example()
    weakest = int(np.argmin(model.shown.saddle_value[:10])) + 1
    with pages(tmp_path) as show:
        page = show(frames_of(model).bundle() | {"marked": 0})
        challenge = page.get_by_label("Challenge", exact=True)
        standing = page.locator(".toposeg-standing")
        expect(standing).to_be_empty()
        challenge.select_option("which branch would you cut?")
        expect(standing).to_contain_text("Try it.")
        marker = page.get_by_label("Marked branch", exact=True)
        for number in range(1, weakest + 1):  # every branch is a try
            marker.press("ArrowRight")
            expect(marker).to_have_value(str(number))
            words = "1 try" if number == 1 else f"{number} tries"
            said = f"Solved with {words}!" if number == weakest else f"{words} so far: not yet."
            expect(standing).to_contain_text(said)
        challenge.select_option("fewer branches, one piece")
        expect(standing).to_contain_text("Try it.")
        level = page.get_by_role("slider", name="Saddle level", exact=True)
        level.press("Home")
        expect(standing).to_contain_text("1 try so far: not yet.")
        counts = [len(model.complex_.branches(k / 100)) for k in range(101)]
        go(page, next(k for k in range(101) if 5 <= counts[k] <= 20))
        expect(standing).to_contain_text("Solved with 2 tries!")
        challenge.select_option("none")
        expect(standing).to_be_empty()


# --- Studies ----------------------------------------------------------------------------------


def place_of(page, kind, what):
    """Return where on the screen a chart has drawn what is at a place in its list."""
    canvas = page.locator(FIGURE.format(kind) + " canvas")
    box = canvas.bounding_box()
    x, y = canvas.evaluate("(canvas, what) => canvas.toposeg.places.at(what).slice(1)", what)
    return box["x"] + x, box["y"] + y


@pytest.mark.browser
def test_losses_images_and_seeds_are_linked(tmp_path):
    model = explorers.ComparisonExplorer(two_runs())
    frames = frames_of(model)
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        brief, slider = page.locator(".toposeg-brief"), page.locator(SLIDER)
        expect(brief).to_have_text(model.brief())
        forest, pairs, weights = (
            page.locator(FIGURE.format(kind)) for kind in ("forest", "pairs", "weights")
        )
        seed = "canvas => canvas.toposeg.view.seed"

        # A ring lights the line of its seed, and a dot of this line the rings.
        page.mouse.move(*place_of(page, "forest", 3))
        expect(forest.locator(".toposeg-where")).to_have_text("bad, seed 1: difference 1.83")
        assert weights.locator("canvas").evaluate(seed) == 1
        before = forest.locator("canvas").evaluate("canvas => canvas.toDataURL()")
        page.mouse.move(*place_of(page, "weights", 0))
        where = weights.locator(".toposeg-where")
        expect(where).to_have_text("seed 0, weight 0.1: change -1.00")
        rests(page)
        assert forest.locator("canvas").evaluate(seed) == 0
        assert forest.locator("canvas").evaluate("canvas => canvas.toDataURL()") != before
        page.mouse.move(2, 2)
        expect(where).to_have_text("\u00a0")
        assert forest.locator("canvas").evaluate(seed) is None

        # A row is told, and a click goes to its loss.
        box = forest.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 0.7 * (box["height"] - 52))
        low, high = model.table.loc["bad", ["low", "high"]]
        said = forest.locator(".toposeg-where")
        expect(said).to_have_text(
            f"bad: difference {model.table.loc['bad', 'difference']:.2f}, 95 % interval "
            f"{low:.2f} to {high:.2f}"
        )
        page.mouse.down()
        page.mouse.up()
        model.network = "bad"
        expect(brief).to_have_text(model.brief())
        expect(slider).to_have_attribute("aria-valuetext", "bad")

        # A dot is told and, clicked, marked; by keyboard as well, in the chart and by the slider.
        page.mouse.move(*place_of(page, "pairs", 2))
        names = frames.about["marking"]["states"][1]
        expect(pairs.locator(".toposeg-where")).to_have_text(names[2])
        page.mouse.down()
        page.mouse.up()
        marker = page.get_by_label("Marked image", exact=True)
        expect(marker).to_have_value("3")
        expect(marker).to_have_attribute("aria-valuetext", names[2])
        chart = page.get_by_role("slider", name="Marked image, in the test images")
        chart.press("ArrowLeft")
        expect(marker).to_have_attribute("aria-valuetext", names[1])
        expect(chart).to_have_attribute("aria-valuetext", names[1])
        chart.press("End")
        expect(marker).to_have_value(str(len(names)))
        marker.press("Home")
        expect(chart).to_have_attribute("aria-valuetext", "none")
        slider.press("Home")
        expect(slider).to_have_attribute("aria-valuetext", "good")
        marker.press("ArrowRight")  # of another loss another image comes first
        expect(marker).to_have_attribute("aria-valuetext", frames.about["marking"]["states"][0][0])


@pytest.mark.browser
def test_a_page_without_a_kernel_has_lists_of_runs_and_scores(tmp_path):
    model = explorers.ComparisonExplorer(two_runs(), network="bad", image=2)
    with pages(tmp_path) as show:
        page = show(frames_of(model).bundle())
        run, score = (page.get_by_label(name, exact=True) for name in ("Run", "Score"))
        brief, slider = page.locator(".toposeg-brief"), page.locator(SLIDER)
        marker = page.get_by_label("Marked image", exact=True)
        expect(brief).to_have_text(model.brief())
        assert run.locator("option").all_inner_texts() == list(model.runs)
        titles = list(model.now.metrics.values())
        assert score.locator("option").all_inner_texts() == titles
        for metric in ("dice", "betti_matching_error", "dice"):
            model.metric = metric
            score.select_option(model.now.metrics[metric])
            expect(brief).to_have_text(model.brief())  # of the same loss
            expect(slider).to_have_attribute("aria-valuetext", "bad")
            expect(marker).to_have_value("2")
            tiles = page.locator(".toposeg-tiles b").all_inner_texts()
            row = model.table.loc["bad"]
            assert tiles == [f"{row[name]:.3f}" if row["control"] < 1.5 else f"{row[name]:.2f}"
                             for name in ("control", "score")]  # fmt: skip
        model.run = "small"
        run.select_option("small")  # which has the Dice alone: that stays chosen
        expect(brief).to_have_text(model.brief())
        assert score.locator("option").all_inner_texts() == ["Dice"]
        expect(score).to_have_value("Dice")
        expect(marker).to_have_value("0")
        slider.press("Home")
        model.network = model.now.arms[0]
        expect(brief).to_have_text(model.brief())
        model.run = "walls-study"
        run.select_option("walls-study")
        expect(brief).to_have_text(model.brief())
        assert score.locator("option").all_inner_texts() == titles
        expect(score).to_have_value("Dice")


@pytest.mark.browser
def test_a_chart_that_is_alone_in_its_row_takes_all_of_it(tmp_path):
    frames = frames_of(explorers.ComparisonExplorer(two_runs()))
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        for width, rows in ((1440, 1), (800, 2), (1920, 1), (800, 2), (390, 3)):
            page.set_viewport_size({"width": width, "height": 1200})
            page.wait_for_function(
                """([width, rows]) => innerWidth === width && new Set(
                    [...document.querySelectorAll("canvas")].map(one => one.offsetTop
                        + one.closest("figure").offsetTop)).size === rows""",
                arg=[width, rows],
            )
            rests(page)
            boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
            assert len({round(box["y"]) for box in boxes}) == rows
            first, _, last = boxes
            if rows == 2:
                assert last["width"] > 1.9 * first["width"]
                assert last["height"] < first["height"]
            else:
                assert last["width"] == first["width"]


# --- Space --------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_page_without_a_kernel_shows_the_skeleton_in_space(tmp_path):
    model, frames = example("13")
    look = """canvas => {
        const panel = canvas.toposeg;
        return [panel.around, panel.above, canvas.toDataURL()];
    }"""
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        space = page.locator(FIGURE.format("space"))
        canvas, where = space.locator("canvas"), space.locator(".toposeg-where")
        slider = page.get_by_role("slider", name="Skeleton in space")
        around, above, before = canvas.evaluate(look)

        # Every voxel of the skeleton is there, and nothing else.
        path, peaks = (
            canvas.evaluate(f"canvas => canvas.toposeg.{name}.map(place => [...place])")
            for name in ("path", "peaks")
        )
        voxels = {tuple(place[::-1]) for place in [*path, *peaks] if place[0] == place[0]}
        assert voxels == set(zip(*np.nonzero(model.skeleton.mask), strict=True))

        # What lies in front of the middle is lower and larger; a slice further up is higher.
        x, y, deep = zip(*canvas.evaluate(
            "canvas => [[24, 47, 16], [24, 0, 16], [24, 24, 31], [47, 24, 16], [0, 24, 16]]"
            ".map(place => canvas.toposeg.seen(place))"
        ), strict=True)  # fmt: skip
        assert deep[0] < deep[1]
        assert y[2] < y[0]
        assert y[1] < y[0]
        assert x[3] > x[4]

        # A drag turns it, as do arrow keys, and a double click turns it back.
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 160, box["y"] + 40, steps=4)
        page.mouse.up()
        rests(page)
        turned = canvas.evaluate(look)
        assert turned[0] == pytest.approx(around - 50, abs=4)
        assert turned[1] == pytest.approx(above - 10, abs=4)
        assert turned[2] != before
        slider.press("ArrowUp")
        slider.press("ArrowRight")
        rests(page)
        expect(slider).to_have_attribute(
            "aria-valuetext",
            f"turned by {turned[0] + 10:.0f} degrees, seen from {turned[1] + 10:.0f} above",
        )
        for _ in range(12):
            slider.press("ArrowUp")  # never over the top
        assert canvas.evaluate(look)[1] == 90
        canvas.dblclick(position={"x": 5, "y": 5})
        rests(page)
        assert canvas.evaluate(look)[:2] == [around, above]

        # A voxel is told, and a click on it leads to its slice.
        highest = max(voxels)
        x, y, _ = canvas.evaluate("(canvas, at) => canvas.toposeg.seen(at)", list(highest[::-1]))
        page.mouse.move(box["x"] + x, box["y"] + y)
        expect(where).to_have_text("slice {}, row {}, column {}".format(*highest))
        page.mouse.down()
        page.mouse.up()
        assert rests(page) == highest[0]
        expect(page.locator(".toposeg-brief")).to_contain_text(f"Slice {highest[0]}")


@pytest.mark.browser
def test_where_a_kernel_is_plotly_shows_the_skeleton(tmp_path):
    _, frames = example("13")
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        kinds = page.evaluate(
            """() => {
                const view = document.querySelector("canvas").toposeg.view;
                view.alone = false;
                view.take();
                return [...document.querySelectorAll("figure")].map(one => one.dataset.kind);
            }"""
        )
        assert kinds == ["image"]


# --- How long it takes ------------------------------------------------------------------------

LATENCY = """async slider => {
    const root = slider.closest(".toposeg-frames");
    const times = [];
    const frame = () => new Promise(requestAnimationFrame);
    for (let move = 0; move < 60; move++) {
        await frame();
        await new Promise(done => setTimeout(done, (move * 7) % 17));
        const k = (Number(slider.value) + 1 + (move % 5)) % (Number(slider.max) + 1);
        const began = performance.now();
        slider.value = k;
        slider.dispatchEvent(new Event("input"));
        while (Number(root.dataset.frame) !== k) await frame();
        root.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1); // it is drawn
        times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    return [times[30], times[57], times[59]];
}"""


def large(chapter):
    """Return an explorer of an image of 256 x 256 pixels."""
    likelihood, mask = examples.vessels()
    if chapter == "03":
        losses = {"square": lambda logits, target: (logits - target).square().sum() / 1e4}
        return explorers.GradientExplorer(likelihood, mask, losses, min_persistence=0.1)
    if chapter == "04":
        return explorers.WarpExplorer(likelihood, mask)
    if chapter == "13":
        return explorers.VolumeExplorer(np.repeat(likelihood[None], 8, axis=0), threshold=0.5)
    return KINDS[chapter].example()


@pytest.mark.browser
@pytest.mark.parametrize("chapter", KINDS)
def test_how_long_a_move_takes(chapter, tmp_path, capsys):
    frames = frames_of(large(chapter))
    with pages(tmp_path) as show:
        page = show(frames.bundle())
        median, most, longest = page.locator(SLIDER).evaluate(LATENCY)
    size = len(json.dumps(frames.bundle())) / 1e6
    with capsys.disabled():
        print(
            f"\n{chapter} {frames.about['label']}: {median:.0f} ms (median), {most:.0f} (95 %), "
            f"{longest:.0f} (most), from the event to the picture; the bundle has {size:.2f} MB"
        )
