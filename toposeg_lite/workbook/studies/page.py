"""The pieces of a page that one sends to a colleague: verdict, picture and table first.

A page is one HTML file that needs nothing else: pictures lie inside, nothing is fetched, no link
leads to a file beside it. What only some readers want is folded. All texts are escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

import pandas as pd

from ... import __version__

__all__ = [
    "digits_of", "folded", "html_page", "html_picture", "html_table", "named_values", "number_card",
    "origin_of",
]  # fmt: skip

ELSEWHERE = (
    "On another processor, or with another number of threads, the same command may end with other "
    "numbers: sums of floating-point numbers are taken in another order, training makes small "
    "differences large, and another weight may be chosen. On one machine, the same command gives "
    "the same numbers."
)


def html_page(title: str, body: Iterable[str]) -> str:
    """Return a whole page."""
    style = files(__package__).joinpath("page.css").read_text()
    parts = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{parts}\n<footer>Made by toposeg_lite {escape(__version__)}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def html_picture(data: bytes, alt: str, caption: str) -> str:
    """Return a picture with its alternative text and its caption, which is HTML."""
    inside = base64.b64encode(data).decode()
    return (
        f'<figure><div class="wide"><img src="data:image/png;base64,{inside}" '
        f'alt="{escape(alt)}"></div><figcaption>{caption}</figcaption></figure>'
    )


def html_table(table: pd.DataFrame, caption: str, *, signs: Mapping[str, str] | None = None) -> str:
    """Return a table whose first column names the rows; `signs` go before such names."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in ["", *table.columns])
    lines = []
    for name, row in table.iterrows():
        sign = f'<span class="sign">{signs.get(str(name), "")}</span> ' if signs else ""
        cells = "".join(
            f"<td{' class=text' * (column == 'meaning')}>{escape(str(value))}</td>"
            for column, value in row.items()
        )
        lines.append(f'<tr><th scope="row">{sign}{escape(str(name))}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<section><p class="caption">{escape(caption)}</p><div class="wide" tabindex="0" '
        f'role="region" aria-label="{escape(caption)}"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def folded(title: str, *content: str, unfolded: bool = False) -> str:
    """Return what is shown on demand."""
    state = " open" if unfolded else ""
    return "\n".join(
        [f"<details{state}><summary>{escape(title)}</summary>", *content, "</details>"]
    )


def number_card(title: str, before: str, after: str, note: str) -> str:
    """Return one number that changed."""
    return (
        f'<div class="card"><div class="what">{escape(title)}</div><div class="change">'
        f'<span>{escape(before)}</span> <span class="arrow">→</span> <b>{escape(after)}</b></div>'
        f'<div class="note">{escape(note)}</div></div>'
    )


def digits_of(values: Iterable[float]) -> int:
    """Return how many digits after the point a row of scores needs."""
    return 4 if max(map(abs, values), default=0) <= 1 else 2


def named_values(values: Mapping[str, Any], *, name: str = "value") -> pd.DataFrame:
    """Return names and values as a table of one column."""
    return pd.DataFrame({name: [str(value) for value in values.values()]}, index=list(values))


def origin_of(results: Mapping[str, Any]) -> list[str]:
    """Return on which machine the numbers were made, and what may differ elsewhere."""
    machine = results.get("machine", {})
    made = ""
    if machine:
        made = (
            f"Made on {machine['processor']} ({machine['threads']} of {machine['cores']} cores, "
            f"{results['versions']['platform']}) with torch {results['versions']['torch']}. "
        )
    commit = results.get("git_commit")
    facts = results["versions"] | ({"git commit": commit} if commit else {})
    return [
        f"<p>{escape(made + ELSEWHERE)}</p>",
        folded(
            "Versions", html_table(named_values(facts, name="version"), "What made the numbers")
        ),
    ]
