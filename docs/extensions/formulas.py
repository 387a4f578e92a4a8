"""Formulas as MathML: drawn by the browser itself, with no script and no network.

A screen reader reads them, they grow with the text, and they take the colours of the page.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


BARS = re.compile(r"(\\[bB]igg?[lrm]?)\s*\\(?:\||Vert)")  # which the converter does not know
STYLED = re.compile(r'<mi mathvariant="([a-z-]+)">(\w)</mi>')

LONG = 30  # letters of TeX that may be wider than a phone

# A name of a function whose argument follows without a bracket, and a sign that follows a bracket.
FUNCTION = re.compile(r"<m[io]>(?:log|ln|exp|max|min|sin|cos)</m[io]>(?=<m(?:i|sub|n))")
SIGN = re.compile(r"(&#x00028;</mo>|&#x0002C;</mo>)<mo>(?=&#x02212;)")


def mathml(tex: str, display: str = "inline") -> str:
    """Return a formula of TeX as MathML.

    What the converter does not know it leaves as it stands, with its backslash; that is refused,
    for nobody should have to read it.
    """
    text = " ".join(tex.split())
    found = _spaced(STYLED.sub(_letter, convert(BARS.sub(r"\1‖", text), display=display)))
    if "\\" in found:
        raise ValueError(f"this formula cannot be drawn as MathML: {text}")
    return found


def _spaced(found: str) -> str:
    """Put the room around signs that TeX puts there."""
    found = found.replace("<mi>&#x0007E;</mi>", "<mo>∼</mo>")
    found = FUNCTION.sub(r'\g<0><mspace width="0.17em" />', found)
    return SIGN.sub(r'\1<mo form="prefix">', found)


def _letter(found: re.Match[str]) -> str:
    """Write a letter of another style as the sign that it is: browsers know "normal" alone."""
    style, letter = found[1].upper(), found[2]
    size = "CAPITAL" if letter.isupper() else "SMALL"
    if style == "NORMAL":
        return found[0]
    plain = style.replace("-", " ")
    for name in (f"MATHEMATICAL {plain} {size} {letter}", f"{style} {size} {letter}"):
        try:
            return f"<mi>{unicodedata.lookup(name.upper())}</mi>"
        except KeyError:
            continue  # some letters were signs before the others, and are called otherwise
    raise ValueError(f"there is no letter {letter!r} in the style {found[1]!r}")


def _draw(writer: Any, node: nodes.Element, display: str) -> str:
    try:
        return mathml(node.astext(), display)
    except Exception as error:  # of many kinds, for it is a parser; it is told with its place
        LOGGER.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{writer.encode(node.astext())}</code>"


def visit_inline(writer: Any, node: nodes.Element) -> None:
    """Write a formula within a line; a long one scrolls by itself on a phone."""
    formula = _draw(writer, node, "inline")
    if len(node.astext()) > LONG:
        formula = f'<span class="long-formula">{formula}</span>'
    writer.body.append(formula)
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.Element) -> None:
    """Write a formula on a line of its own; it scrolls where a phone is too narrow for it."""
    formula = _draw(writer, node, "block")
    writer.body.append(f'<div class="formula" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
