"""Pages of the chapters: whole without a network, pictures with words, formulas drawn."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from jupyter_browser import chromium
from nbconvert import HTMLExporter

from toposeg_lite.workbook.figures import base

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SPEC = importlib.util.spec_from_file_location("pages", NOTEBOOKS / "pages.py")
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)

CHAPTERS = ("03_train_with_a_topological_loss", "07_learn_a_distribution_over_structures")
EMPTY = {"img", "br", "hr", "meta", "link", "input", "path", "source"}
ALL = [*sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), *sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))]
TEMPLATES = NOTEBOOKS / "templates"


class Seen(HTMLParser):
    """What a page holds: its pictures, addresses, tags, and its text outside of code and folds."""

    def __init__(self, html):
        super().__init__()
        self.pictures, self.formulas, self.links, self.open = [], [], [], []
        self.stills = []
        self.tags, self.text, self.folded = set(), "", ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(attributes)
        if tag == "source":
            self.stills.append(attributes)
        if tag == "svg":
            self.formulas.append(attributes)
        for name in ("src", "href"):
            if name in attributes:
                self.links.append((tag, attributes[name]))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"pre", "code", "style", "script"} & set(self.open):
            self.text += data
            if "details" in self.open and "summary" not in self.open:
                self.folded += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("html")
    command = [sys.executable, str(NOTEBOOKS / "pages.py"), str(made), "03", "07"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(made / f"{name}.html") for name in CHAPTERS]
    return made


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_is_whole_without_a_network(chapter, folder):
    html = (folder / f"{chapter}.html").read_text()
    seen = Seen(html)
    notebook = nbformat.read(NOTEBOOKS / f"{chapter}.ipynb", as_version=4)
    stored = [
        output.metadata["image/png"]["alt"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    films = len(list((NOTEBOOKS / "images").glob(f"{chapter[:2]}-film.gif")))
    assert len(seen.pictures) == len(stored) + 1 + films  # and that of the head
    assert len(seen.stills) == films
    for still in seen.stills:
        assert "(prefers-reduced-motion: reduce)" in still["media"]
        assert still["srcset"].startswith("data:image/png;base64,")
    assert set(stored) < {picture["alt"] for picture in seen.pictures}
    for picture in seen.pictures:
        assert len(picture["alt"]) > 30
        assert re.match("data:image/(png|gif);base64,", picture["src"])
    assert not {"script", "link", "iframe"} & seen.tags
    assert "@import" not in html
    for tag, address in seen.links:
        assert tag in ("a", "img")
        if tag == "a" and not re.match(r"https?:|#", address):
            assert (folder / address.partition("#")[0]).is_file()
    assert "$" not in seen.text
    assert len(seen.formulas) > 10
    assert all(formula["aria-label"] and formula["role"] == "img" for formula in seen.formulas)
    answer = next(c.source for c in notebook.cells if "<summary>Answer" in c.source)
    words = re.search(r"</summary>\s+1\. (\w+)", answer)[1]
    assert words in seen.folded  # what is folded stays so


@pytest.mark.browser
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_fits_a_phone(chapter, folder, tmp_path):
    """What is wide, tables and pictures, moves sideways in its own frame, and is not made tiny."""
    with chromium(tmp_path / "profile") as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto((folder / f"{chapter}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        shown = page.evaluate(
            "[...document.querySelectorAll('.output_png img')]"
            ".map(image => [image.getBoundingClientRect().width, image.naturalWidth])"
        )
        assert shown
        for width, natural in shown:
            assert width >= min(natural, 760) - 1
        cells = "table:not(.dataframe) td"  # of prose, which goes on in the next line
        assert page.locator(cells).first.evaluate("cell => getComputedStyle(cell).whiteSpace") == (
            "normal"
        )


def test_links_lead_to_pages_that_are_made_and_nowhere_else():
    html = (
        '<a href="01_a.ipynb">one</a> <a href="02_b.ipynb#There">two</a> <a href="#here">x</a> '
        '<a href="https://example.org">far</a>'
    )
    assert pages.leading_to_pages(html, ["02_b"]) == (
        'one <a href="02_b.html#There">two</a> <a href="#here">x</a> '
        '<a href="https://example.org">far</a>'
    )


@pytest.mark.parametrize(
    "tex",
    [
        r"d_B(f, g) \le \max_p |f(p) - g(p)|",
        r"2\,\lvert P \cap T\rvert",
        r"\Big(\frac12 + \sqrt 3\Big) \ne \mathcal N",
    ],
)
def test_formulas_are_drawn_in_the_colour_of_the_text(tex):
    drawn = pages.drawn_formula(tex)
    assert 'fill="currentColor"' in drawn
    assert len(re.findall("M", drawn)) > 5


def test_formulas_are_found_and_code_and_prices_are_not():
    html = pages.with_formulas("<p>for $a &lt; b$ and <code>$a$</code>, $5 or $ 6</p>$$x^2$$")
    assert html.count("<svg") == 2
    assert 'aria-label="a &lt; b"' in html
    assert "<code>$a$</code>, $5 or $ 6" in html
    with pytest.raises(ValueError, match="cannot draw the formula"):
        pages.drawn_formula(r"\nosuchword")


def test_an_unknown_chapter_is_refused():
    command = [sys.executable, str(NOTEBOOKS / "pages.py"), "unused", "99"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert "no chapter begins with 99" in run.stderr


def said(html):
    """Return the alternative texts of a page, which must say something each."""
    texts = [picture.get("alt") or "" for picture in Seen(html).pictures]
    assert all(len(text) > 30 and "No description" not in text for text in texts), texts
    return texts


def stored_in(notebook):
    return [
        output.metadata["image/png"]["alt"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


@pytest.mark.parametrize("path", ALL, ids=[str(path.relative_to(NOTEBOOKS)) for path in ALL])
def test_every_picture_of_every_page_is_said_in_words(path):
    texts = said(pages.page_of(path, []))
    assert set(stored_in(nbformat.read(path, as_version=4))) <= set(texts)


def test_words_of_pictures_survive_the_export_of_jupyter():
    """The template beside the chapters keeps them; that of JupyterLab drops them (nbconvert 7)."""
    path = NOTEBOOKS / "01_see_images_as_spaces.ipynb"
    stored = stored_in(nbformat.read(path, as_version=4))
    exported = {}
    for name in ("described", "lab"):
        exporter = HTMLExporter(template_name=name, extra_template_basedirs=[str(TEMPLATES)])
        html, _ = exporter.from_filename(str(path))
        tags = [tag for tag in re.findall(r"<img [^>]*>", html) if 'src="data:image/png' in tag]
        assert len(tags) == len(stored)
        found = [re.search(r'alt="([^"]*)"', tag) for tag in tags]
        exported[name] = [unescape(text[1]) if text else "" for text in found]
    assert exported["described"] == stored
    assert exported["lab"] != stored  # else the template can go


def test_a_film_gives_way_to_its_still():
    html = pages.with_stills('<p><img src="images/02-film.gif" alt="a"> <img src="b.gif"></p>')
    assert html == (
        '<p><picture><source media="(prefers-reduced-motion: reduce), print" '
        'srcset="images/02-film.png"><img src="images/02-film.gif" alt="a"></picture> '
        '<img src="b.gif"></p>'
    )


def luminance(colour):
    """Return the relative luminance of a colour written as #RRGGBB (WCAG 2.2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_words_of_the_kit_and_of_pictures_stand_out():
    assert contrast("#000000", "#ffffff") == 21
    css = (NOTEBOOKS / "kit.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#\w{6})", css))
    for text in ("ink", "quiet", "mark"):
        for ground in ("ground", "card"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(base.LINES, base.CARD) >= 4.5  # what frames data
    assert contrast("#000000", base.CARD) >= 7
