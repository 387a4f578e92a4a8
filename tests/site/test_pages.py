"""The whole site, built from the repository and read in a real Chromium, without a network."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import numpy as np
import pytest
from jupyter_browser import WAIT, at_rest, chromium
from playwright.sync_api import expect
from screens import random_masks

from toposeg_lite.topology import betti_numbers

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
FILMED = ("00", "01", "02", "03", "04", "05", "07", "10", "13")  # the chapters whose explorers move
PHONE, PROJECTOR = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
EMPTY = {"img", "br", "hr", "meta", "link", "input", "path", "source", "wbr", "mspace"}


class Seen(HTMLParser):
    """What a page holds: its addresses, its pictures, and the places that a link can lead to."""

    def __init__(self, html):
        super().__init__()
        self.links, self.pictures, self.places, self.text, self.open = [], [], set(), "", []
        self.formulas = 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes[name] for name in ("id", "name") if name in attributes}
        if tag == "img":
            self.pictures.append(attributes)
        self.formulas += tag == "math"
        self.links += [attributes[name] for name in ("src", "href") if attributes.get(name)]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"pre", "code", "script", "style", "math"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site once; a warning of Sphinx is an error.

    Whoever has just built it names its folder in TOPOSEG_SITE, and saves these minutes.
    """
    if "TOPOSEG_SITE" in os.environ:
        return Path(os.environ["TOPOSEG_SITE"]).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs"]
    run = subprocess.run(
        [*command, "-d", str(folder / "trees"), ".", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        # No data of benchmarks, and no way out: the repository alone is enough.
        env=os.environ
        | {
            "TOPOSEG_DATA": str(folder / "data"),
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    """Return what each page holds, by its place below the site."""
    return {
        path.relative_to(site).as_posix(): Seen(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def chapter(site, number):
    """Return the place of a chapter's page."""
    (path,) = (site / "notebooks").glob(f"{number}_*.html")
    return path.relative_to(site).as_posix()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that writes no log."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    """Serve the site on this machine."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def reading(tmp_path, home):
    """Open Chromium; whatever it complains of, or asks for elsewhere, is an error in the end."""
    with chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((home, "data:", "blob:")) else wrong.append(asked.url)
            ),
        )
        yield page
        assert not wrong


def themed(page, theme):
    """Let a reader's choice of colours hold, as the button of the page does."""
    page.add_init_script(
        f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    )


# --- What stands in the pages ---


def test_the_chapters_the_reference_and_the_projects_texts_are_pages(pages, site):
    wanted = {f"{name}.html" for name in ("README", "RESULTS", "ARCHITECTURE", "docs/index")}
    wanted |= {
        path.relative_to(ROOT).with_suffix(".html").as_posix()
        for folder in ("notebooks", "notebooks/solutions", "docs", "docs/reference")
        for ending in ("ipynb", "md")
        for path in (ROOT / folder).glob(f"*.{ending}")
        if (folder, path.name) != ("notebooks/solutions", "README.md")
    }
    assert wanted <= set(pages)
    # The first page only leads on; its other link is the icon.
    assert pages["index.html"].links == ["_static/icon.svg", "docs/index.html"]


def test_every_link_within_the_site_leads_somewhere(pages, site):
    lost = []
    for name, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link) or link == "#":
                continue
            file, place = urldefrag(urljoin(f"http://site/{name}", link))
            file = unquote(file.removeprefix("http://site/")).partition("?")[0]
            if file not in pages:
                if not (site / file).is_file():
                    lost.append((name, link))
            elif place and unquote(place) not in pages[file].places:
                lost.append((name, link))
    assert not lost


def test_every_picture_has_words(pages):
    number = 0
    for name, page in pages.items():
        for picture in page.pictures:
            number += 1
            assert len(picture.get("alt", "")) > 15, (name, picture)
    assert number > 100


def test_every_public_name_is_in_the_reference(pages):
    record = json.loads((ROOT / "tests" / "public_names.json").read_text())
    text = {place for name in pages if name.startswith("docs/reference/")
            for place in pages[name].places}  # fmt: skip
    known = {place.rpartition(".")[2] for place in text if place.startswith("toposeg_lite.")}
    # Constants that have no docstring of their own stand in that of their module.
    wanted = {name for names in record.values() for name in names if not name.isupper()}
    assert wanted - known == set()


def test_no_formula_is_left_as_tex(pages):
    for name, page in pages.items():
        if not name.startswith("_modules"):
            assert "$$" not in page.text, name
            assert not re.search(r"\\(frac|sum|mathcal|mathrm|to|le|ge|in)\b", page.text), name
    assert sum(page.formulas for page in pages.values()) > 200


def test_pictures_wait_until_they_are_near_and_keep_their_room(pages):
    number = 0
    for name, page in pages.items():
        for picture in page.pictures:
            if "/_images/" in picture["src"] and "width" in picture:
                number += 1
                assert picture["loading"] == "lazy", (name, picture)
                assert min(int(picture["width"]), int(picture["height"])) > 50
            else:
                assert "style" in picture or "/_images/" not in picture["src"], (name, picture)
    assert number > 60


def test_the_icons_that_are_used_are_drawn_and_the_others_left_out(address, site, tmp_path):
    assert (site / "_static" / "scripts" / "fontawesome.js").stat().st_size < 200_000
    with reading(tmp_path, address) as page:
        for name in ("docs/index.html", chapter(site, "03"), "search.html"):
            page.goto(address + name, wait_until="load")
            ghost = "document.body.insertAdjacentHTML('beforeend', '<i class=\"fas fa-ghost\">')"
            page.evaluate(ghost)
            page.wait_for_selector("svg[data-icon=ghost]", state="attached")
            shapes = dict(
                page.eval_on_selector_all(
                    "svg.svg-inline--fa",
                    "all => all.map(icon => [icon.dataset.icon, icon.innerHTML])",
                )
            )
            lost = shapes.pop("ghost")  # the sign for what is not there
            assert len(shapes) > 5
            assert lost not in shapes.values(), name


# --- What moves ---


def test_every_page_opens_without_a_complaint_and_fits_a_phone(address, pages, site, tmp_path):
    with reading(tmp_path, address) as page:
        page.set_viewport_size(PHONE)
        wide = {}
        for name in pages:
            if name.startswith("_modules"):
                continue
            page.goto(address + name, wait_until="load")
            if name == "index.html":
                page.wait_for_url("**/docs/index.html")
            broken = page.evaluate(
                """async () => {
                    const broken = [];
                    for (const image of document.images) {
                        image.loading = "eager";
                        await image.decode().catch(() => broken.push(image.src));
                    }
                    return broken;
                }"""
            )
            assert not broken, name
            shapes = page.eval_on_selector_all(
                "math", "all => all.map(m => m.getClientRects().length && m.clientWidth !== 0)"
            )
            assert all(shape is not False for shape in shapes), name
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                wide[name] = width
        assert not wide


@pytest.mark.parametrize("number", FILMED)
def test_an_explorer_moves_without_a_kernel(number, address, site, tmp_path):
    with reading(tmp_path, address) as page:
        page.goto(address + chapter(site, number))
        picture = page.locator(".cell_output:has(.toposeg-place) img")
        expect(picture).to_have_count(1)
        place = page.locator(".toposeg-place")
        place.evaluate("at => at.scrollIntoView()")
        expect(place.locator(".toposeg-frames[data-frame]")).to_be_visible()
        expect(picture).to_be_hidden()
        sentence = place.locator(".toposeg-brief")
        expect(sentence).not_to_be_empty()
        before = sentence.inner_text()
        if number == "01":
            place.locator("canvas").first.focus()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
        else:
            slider = place.locator("input[type=range]").first
            slider.focus()
            start = int(slider.input_value())
            key = "ArrowLeft" if start == int(slider.get_attribute("max")) else "ArrowRight"
            for _ in range(8):
                page.keyboard.press(key)
            moved = start + 8 * (1 if key == "ArrowRight" else -1)
            wanted = min(max(moved, 0), int(slider.get_attribute("max")))
            expect(place.locator(f".toposeg-frames[data-frame='{wanted}']")).to_be_visible()
        expect(sentence).not_to_have_text(before)


def test_what_is_painted_is_counted_as_the_library_counts(address, site, tmp_path):
    with reading(tmp_path, address) as page:
        page.goto(address + chapter(site, "01"))
        place = page.locator(".toposeg-place")
        place.evaluate("at => at.scrollIntoView()")
        canvas = place.locator("figure[data-kind=paint] canvas")
        expect(canvas).to_be_visible()
        shape = canvas.evaluate("at => [at.toposeg.rows, at.toposeg.columns]")
        for seed in range(10):
            for mask in random_masks(shape, seed):
                found = canvas.evaluate(
                    """(at, mask) => {
                        const panel = at.toposeg;
                        mask.forEach((value, p) => panel.put(p, value));
                        panel.changed();
                        return panel.view.betti;
                    }""",
                    mask.astype(int).ravel().tolist(),
                )
                assert tuple(found) == betti_numbers(mask, connectivity=2)
        components, holes = betti_numbers(mask, connectivity=2)
        words = rf"Painted: {components} components? and {holes} holes?; "
        expect(place.locator(".toposeg-brief")).to_have_text(re.compile(words))


def test_the_page_of_all_explorers_shows_all_films(address, site, tmp_path):
    with reading(tmp_path, address) as page:
        page.goto(address + chapter(site, "90"))
        places = page.locator(".toposeg-place")
        expect(places.first).to_be_visible()
        assert places.count() >= len(FILMED)
        for k in range(places.count()):
            places.nth(k).evaluate("at => at.scrollIntoView()")
            expect(places.nth(k).locator(".toposeg-frames[data-frame]")).to_be_visible()


def test_a_page_from_the_disk_moves_too(site, tmp_path):
    """A teacher hands the folder out: neither modules nor other files may be asked for then."""
    with reading(tmp_path, "file://") as page:
        page.goto((site / chapter(site, "02")).as_uri())
        place = page.locator(".toposeg-place")
        place.evaluate("at => at.scrollIntoView()")
        expect(place.locator(".toposeg-frames[data-frame]")).to_be_visible()


def test_a_reader_without_scripts_has_the_picture(address, site, tmp_path):
    with chromium(tmp_path / "profile") as page:
        page.route("**/*.js", lambda route: route.abort())
        page.goto(address + chapter(site, "02"), wait_until="load")
        picture = page.locator(".cell_output:has(.toposeg-place) img")
        expect(picture).to_be_visible()


def test_the_search_finds_a_chapter_by_its_words(address, tmp_path):
    with reading(tmp_path, address) as page:
        page.goto(address + "search.html?q=homotopy")
        found = page.locator("#search-results li a")
        expect(found.first).to_be_visible()
        expect(page.locator("#search-results a", has_text="04 Warp masks").first).to_be_visible()


CONTRAST = """() => {
    const channels = (text) => {
        const found = text.match(/[\\d.]+/g).map(Number);
        if (text.startsWith("color(")) for (let k = 0; k < 3; k++) found[k] *= 255;
        return found.length < 4 ? [...found.slice(0, 3), 1] : found;
    };
    const over = ([r, g, b, a], [R, G, B]) =>
        [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((c) => {
            c /= 255;
            return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement)
            layers.push(channels(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
    };
    const poor = new Set();
    let looked = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim()) continue;
        if (element.closest("script, style, svg, .headerlink, [aria-hidden=true]")) continue;
        if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const style = getComputedStyle(element);
        const below = ground(element);
        const ink = over(channels(style.color), below);
        const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        looked += 1;
        if (ratio < (large ? 3 : 4.5))
            poor.add(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ` +
                     walker.currentNode.textContent.trim().slice(0, 40));
    }
    return [looked, [...poor]];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(theme, address, site, tmp_path):
    with reading(tmp_path, address) as page:
        themed(page, theme)
        page.set_viewport_size(PROJECTOR)
        for name in (
            "docs/index.html", "README.html", chapter(site, "02"), chapter(site, "05"),
            "docs/reference/losses.html", "ARCHITECTURE.html",
        ):  # fmt: skip
            page.goto(address + name)
            expect(page.locator(f"html[data-theme={theme}]")).to_have_count(1)
            if name.startswith("notebooks"):
                place = page.locator(".toposeg-place")
                place.evaluate("at => at.scrollIntoView()")
                expect(place.locator(".toposeg-frames[data-frame]")).to_be_visible()
            looked, poor = page.evaluate(CONTRAST)
            assert looked > 30
            assert not poor, name


def test_an_explorer_takes_the_colours_of_the_page(address, site, tmp_path):
    with reading(tmp_path, address) as page:
        grounds = {}
        page.goto(address + chapter(site, "02"))
        place = page.locator(".toposeg-place")
        place.evaluate("at => at.scrollIntoView()")
        frames = place.locator(".toposeg-frames[data-frame]")
        expect(frames).to_be_visible()
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            grounds[theme] = at_rest(
                page, "getComputedStyle(document.querySelector('.toposeg-frames')).backgroundColor"
            )
        values = {
            theme: np.mean([float(v) for v in re.findall(r"[\d.]+", text)[:3]])
            for theme, text in grounds.items()
        }
        assert values["light"] > 230
        assert values["dark"] < 60
