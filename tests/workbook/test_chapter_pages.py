"""Pages of the chapters: whole without a network, pictures with words, formulas drawn."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SPEC = importlib.util.spec_from_file_location("pages", NOTEBOOKS / "pages.py")
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)

CHAPTERS = ("03_train_with_a_topological_loss", "07_learn_a_distribution_over_structures")
EMPTY = {"img", "br", "hr", "meta", "link", "input", "path"}


class Seen(HTMLParser):
    """What a page holds: its pictures, addresses, tags, and its text outside of code and folds."""

    def __init__(self, html):
        super().__init__()
        self.pictures, self.formulas, self.links, self.open = [], [], [], []
        self.tags, self.text, self.folded = set(), "", ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(attributes)
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
    assert len(seen.pictures) == len(stored) + 1  # and that of the head
    assert set(stored) < {picture["alt"] for picture in seen.pictures}
    for picture in seen.pictures:
        assert len(picture["alt"]) > 30
        assert picture["src"].startswith("data:image/png;base64,")
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
