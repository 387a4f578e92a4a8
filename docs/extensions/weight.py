"""Pages light enough for a phone: pictures come when they are near, and only icons that are used.

The theme brings all icons of Font Awesome, 1.5 MB, of which the pages show a few dozen bytes each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PICTURE = re.compile(r'<img (?=[^>]*src="(?:\.\./)*_images/([^"]+)")(?![^>]* (?:width|style)=)')
ICONS = Path("_static", "scripts", "fontawesome.js")
# "name":[width,height,[other names],"code","path" or two],
ICON = re.compile(
    r'"?([a-z0-9-]+)"?:\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\],?'
)
USED = re.compile(r"\bfa-([a-z0-9-]+)")


def let_pictures_wait(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load pictures when they come near; their sizes are said, so that nothing moves meanwhile."""
    files = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}

    def waiting(found: re.Match[str]) -> str:
        file = files[unquote(found[1])]
        if file.suffix == ".svg":
            return f'{found[0]}loading="lazy" '
        with Image.open(file) as picture:
            width, height = picture.size
        return f'{found[0]}loading="lazy" width="{width}" height="{height}" '

    if "body" in context:
        context["body"] = PICTURE.sub(waiting, context["body"])


def keep_used_icons(app: Sphinx, exception: Exception | None) -> None:
    """Take out of the theme's script what no page and no other script names."""
    script = Path(app.outdir, ICONS)
    if exception is not None or app.builder.format != "html":
        return
    pages = [*Path(app.outdir).rglob("*.html"), *Path(app.outdir, "_static").rglob("*.js")]
    used = {
        name
        for page in pages
        if page != script
        for name in USED.findall(page.read_text(encoding="utf-8"))
    }

    def kept(found: re.Match[str]) -> str:
        names = {found[1], *re.findall(r'"([a-z0-9-]+)"', found[2])}
        return found[0] if names & used else ""

    whole = script.read_text(encoding="utf-8")
    light = ICON.sub(kept, whole)
    if len(ICON.findall(whole)) < len(used) // 2:
        raise ExtensionError(f"no icons were found in {ICONS}: the theme has changed")
    script.write_text(light, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""
    app.connect("html-page-context", let_pictures_wait)
    app.connect("build-finished", keep_used_icons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
