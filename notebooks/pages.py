"""Make pages of the chapters: ``python notebooks/pages.py [FOLDER] [NN ...]``, or ``make html``.

Each page is one HTML file in FOLDER (by default ``html`` beside this folder) that needs nothing
else, no network either: pictures lie inside with their alternative texts, formulas are drawn, and
links between the chapters lead from page to page. What is shown is what the notebooks store; for
another look at a chapter, run it in Jupyter. Films stand still for readers who have asked their
system for less motion.
"""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Iterable
from html import escape, unescape
from pathlib import Path

import nbformat
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from nbconvert import HTMLExporter

from toposeg_lite.files import make_folder, write_atomically
from toposeg_lite.workbook.studies.page import html_page

HERE = Path(__file__).resolve().parent
MAP = "README"  # the map of the workbook, which the chapters lead to

# matplotlib draws most of TeX's formulas; these words have others that mean the same.
WORDS = (
    (r"\\([lr])vert(?![a-zA-Z])", "|"),
    (r"\\[bB]igg?(?![a-zA-Z])", ""),
    (r"\\(g|l|n)e(?![a-zA-Z])", r"\\\1eq"),
    (r"\\(mathcal|mathrm|sqrt|bar|hat) (\w)", r"\\\1{\2}"),
    (r"\\d?frac(\d)(\w)", r"\\frac{\1}{\2}"),
)
CODES = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
SIZE = 17  # pixels of a letter


def drawn_formula(tex: str, alone: bool = False) -> str:
    """Return a formula as a picture in the colour of the text; its TeX is what it is called."""
    text = " ".join(tex.split())
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    try:
        outline = TextPath((0, 0), f"${text}$", size=SIZE)
    except ValueError as error:
        raise ValueError(f"matplotlib cannot draw the formula {tex!r}: {error}") from error
    box = outline.get_extents()
    left, low, wide, high = box.x0 - 1, box.y0 - 1, box.width + 2, box.height + 2
    steps = []
    for points, code in outline.iter_segments(curves=True):
        pairs = [f"{x:.1f} {-y:.1f}" for x, y in points.reshape(-1, 2)]
        steps.append("Z" if code == Outline.CLOSEPOLY else CODES[code] + " ".join(pairs))
    style = "display:block;margin:.8em auto" if alone else f"vertical-align:{low:.1f}px"
    return (
        f'<svg role="img" aria-label="{escape(" ".join(tex.split()))}" width="{wide:.1f}" '
        f'height="{high:.1f}" style="{style};max-width:100%" '
        f'viewBox="{left:.1f} {-low - high:.1f} {wide:.1f} {high:.1f}">'
        f'<path fill="currentColor" d="{"".join(steps)}"/></svg>'
    )


def with_formulas(html: str) -> str:
    """Draw the formulas of a page, but for what is code."""
    parts = re.split(r"(<(pre|code|svg|script)\b.*?</\2>|<[^>]*>)", html, flags=re.DOTALL)
    texts, tags = parts[::3], parts[1::3]
    # A formula may stretch over tags of line breaks, but never into code, so tags are kept aside.
    marked = "".join(text + (f"\0{k}\0" if k < len(tags) else "") for k, text in enumerate(texts))
    marked = re.sub(
        r"\$\$([^\0$]+)\$\$", lambda found: drawn_formula(unescape(found[1]), alone=True), marked
    )
    marked = re.sub(
        r"\$(?=\S)([^\0$\n]+?)(?<=\S)\$", lambda found: drawn_formula(unescape(found[1])), marked
    )
    return re.sub("\0(\\d+)\0", lambda found: tags[int(found[1])], marked)


def leading_to_pages(html: str, pages: Iterable[str]) -> str:
    """Let links to chapters lead to their pages, and take links to other files away."""

    def follow(found: re.Match[str]) -> str:
        target, words = found[1], found[2]
        file, _, place = target.partition("#")
        stem = Path(file).stem
        if re.match(r"https?:|#|mailto:", target):
            return found[0]
        if stem in pages:
            return f'<a href="{stem}.html{"#" * bool(place)}{place}">{words}</a>'
        return words

    return re.sub(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', follow, html, flags=re.DOTALL)


def with_pictures(html: str, folder: Path) -> str:
    """Put the pictures that lie in files into the page."""

    def take(found: re.Match[str]) -> str:
        picture = base64.b64encode((folder / found[2]).read_bytes()).decode()
        return f"{found[1]}data:image/{Path(found[2]).suffix[1:]};base64,{picture}"

    return re.sub(r'(<(?:img|source) [^>]*?src(?:set)?=")(?!data:|https?:)([^"]*)', take, html)


def with_stills(html: str) -> str:
    """Let a film give way to four of its frames where nothing shall move, and on paper."""
    calm = r'<source media="(prefers-reduced-motion: reduce), print" srcset="\2.png">'
    film = r'(<img [^>]*?src="([^"]*-film)\.gif"[^>]*>)'
    return re.sub(film, rf"<picture>{calm}\1</picture>", html)


def page_of(path: Path, pages: Iterable[str]) -> str:
    """Return the page of a chapter, or of a text with headings."""
    if path.suffix == ".md":
        text = nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))
        notebook = nbformat.v4.new_notebook(cells=[text])
    else:
        notebook = nbformat.read(path, as_version=4)
    title = next(
        line.removeprefix("# ")
        for cell in notebook.cells
        for line in cell.source.splitlines()
        if cell.cell_type == "markdown" and line.startswith("# ")
    )
    # Of nbconvert's templates this one keeps alternative texts, and brings no scripts to fetch. It
    # does not embed pictures here: that would close what is folded before its content.
    exporter = HTMLExporter(template_name="basic")
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    html, _ = exporter.from_notebook_node(notebook)
    html = leading_to_pages(with_formulas(with_stills(html)), pages)
    html = with_pictures(html, path.parent)
    return html_page(title, [f'<div class="notebook chapter">{html}</div>'])


def main() -> None:
    """Write the pages and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=str(HERE.parent / "html"))
    parser.add_argument("chapters", nargs="*", help="numbers, for instance 01 02; default: all")
    chosen = parser.parse_args()
    sources = [HERE / f"{MAP}.md", *sorted(HERE.glob("[0-9]*.ipynb"))]
    if chosen.chapters:
        sources = [path for path in sources if path.name.partition("_")[0] in chosen.chapters]
    if not sources:
        parser.error(f"no chapter begins with {' or '.join(chosen.chapters)}")
    folder = make_folder(chosen.folder)
    stems = {path.stem for path in sources}
    for path in sources:
        write_atomically(folder / f"{path.stem}.html", page_of(path, stems).encode())
        print(folder / f"{path.stem}.html")


if __name__ == "__main__":
    main()
