"""Chapters as pages: pictures with their words, explorers that move, links that lead somewhere.

The notebooks are shown as they are stored. Added are the alternative texts that they hold already,
and beside the picture of an explorer the place where its film is mounted (`explorer_films`); a
reader without scripts keeps the picture.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import explorer_films as films
import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.osutil import ensuredir

FRAMES = Path(films.explorers.__file__).with_name("frames.js")
MAP = re.compile(r"(?ms)^```mermaid\n(.*?)^```$")
GLOB = re.compile(r"(?m)^(\S*\w/?\*)\n")  # a line of a toctree that names pages by a pattern
DASHBOARD = "notebooks/90_dashboard"  # read after the chapters, and shows all their films


def take_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give a notebook, or a text with a map, what its page needs besides, before it is read."""
    path = Path(app.env.doc2path(docname))
    if path.suffix == ".md":
        source[0] = MAP.sub(list_of_arrows, source[0])
        source[0] = GLOB.sub(lambda found: found[0] * bool(matches(path, found[1])), source[0])
    if path.suffix != ".ipynb":
        return
    notebook = nbformat.reads(source[0], as_version=4)
    give_number(path, notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            give_words(cell)
    shows = [k for k, cell in enumerate(notebook.cells) if films.is_shown(cell)]
    if docname == DASHBOARD:
        names = [name for name, film in films_of(app.env).items() if film is not None]
        give_places(app, notebook.cells[shows[-1]], sorted(names), titled=True)
    elif shows:
        make_film(app, path, notebook, shows[-1])
        if films_of(app.env)[path.stem] is not None:
            give_places(app, notebook.cells[shows[-1]], [path.stem])
    source[0] = nbformat.writes(notebook)


def matches(path: Path, pattern: str) -> list[Path]:
    """Return the pages that a line of a list means; those that are not written yet leave no gap."""
    found = path.parent.glob(f"{pattern}.*")
    return [page for page in found if page.suffix in (".md", ".rst", ".ipynb")]


def list_of_arrows(found: re.Match[str]) -> str:
    """Write a map of mermaid's arrows as a list: what to read before what."""
    names = dict(re.findall(r"(\w+)\[([^\]]*)\]", found[1]))
    arrows = re.findall(r"(\w+) (-->|-\.->) (\w+)", found[1])
    lines = []
    for key, name in names.items():
        firm = ", ".join(names[a] for a, arrow, b in arrows if b == key and arrow == "-->")
        loose = ", ".join(names[a] for a, arrow, b in arrows if b == key and arrow != "-->")
        words = [f"after {firm}"] * bool(firm) + [f"one section uses {loose}"] * bool(loose)
        lines.append(f"- **{name}**{': ' * bool(words)}{'; '.join(words)}")
    return "\n".join(lines)


def give_number(path: Path, notebook: NotebookNode) -> None:
    """Begin the title with the chapter's number, by which the texts call it."""
    cell = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    number = path.stem.partition("_")[0]
    after = ": solutions" if path.parent.name == "solutions" else ""
    cell.source = re.sub(r"(?m)\A# (.*)$", rf"# {number} \1{after}", cell.source)


def give_words(cell: NotebookNode) -> None:
    """Tell the renderer the alternative text that the pictures of a cell are stored with."""
    words = [
        output.metadata["image/png"]["alt"]
        for output in cell.get("outputs", [])
        if "alt" in output.get("metadata", {}).get("image/png", {})
    ]
    if words:
        cell.metadata["mystnb"] = {"image": {"alt": " ".join(words)}}


def films_of(env: Any) -> dict[str, str | None]:
    """Return the films by the names of their chapters; Sphinx keeps them from build to build."""
    if not hasattr(env, "toposeg_films"):
        env.toposeg_films = {}
    found: dict[str, str | None] = env.toposeg_films
    return found


def make_film(app: Sphinx, path: Path, notebook: NotebookNode, k: int) -> None:
    """Make the film of an explorer, once for a chapter and its solutions."""
    made = films_of(app.env)
    if path.stem in made:
        return
    try:
        made[path.stem] = films.film_of(notebook, k)
    except Exception as error:  # of the chapter's own code
        raise ExtensionError(f"{path.name}, {notebook.cells[k].id}: {error}", error) from error


def give_places(app: Sphinx, cell: NotebookNode, names: list[str], *, titled: bool = False) -> None:
    """Add to the outputs of a cell the places of films, each with a button to the live one."""
    lines = []
    for name in names:
        if titled:
            lines.append(f'<p class="toposeg-title">{name.replace("_", " ")}</p>')
        lines.append(f'<div class="toposeg-place" data-film="{name}"></div>')
        address = live(app.config.html_theme_options.get("repository_url", ""), name)
        if address:
            lines.append(f'<p><a class="toposeg-live" href="{address}">Open it live</a></p>')
    html = "\n".join(lines)
    cell.outputs.append(nbformat.v4.new_output("display_data", {"text/html": html}))


def live(repository: str, name: str) -> str:
    """Return the address of a chapter in a server that anybody may use, or nothing."""
    if not repository:
        return ""
    place = repository.removeprefix("https://github.com/")
    return f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/notebooks/{name}.ipynb"


def forget_film(app: Sphinx, env: Any, docname: str) -> None:
    """Forget the film of a chapter that is read anew; its solutions come later and take it over."""
    if docname.startswith("notebooks/") and docname.count("/") == 1:
        films_of(env).pop(Path(docname).name, None)


def write_films(app: Sphinx, error: Exception | None) -> None:
    """Write the films, and the script that shows them, beside the pages.

    All of them are scripts of the old kind: a browser takes these from a disk, too, where neither
    modules nor other files may be asked for.
    """
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    ensuredir(static / "films")
    for name, film in films_of(app.env).items():
        if film is not None:
            script = f'toposegFilms["{name}"]({film});\n'
            (static / "films" / f"{name}.js").write_text(script, encoding="utf-8")
    frames = re.sub(r"(?m)^export default", "const widget =", FRAMES.read_text(encoding="utf-8"))
    frames = re.sub(r"(?m)^export ", "", frames)
    mount = (Path(app.confdir) / "extensions" / "mount.js").read_text(encoding="utf-8")
    script = f'(() => {{\n"use strict";\n{frames}\n{mount}}})();\n'
    (static / "explorers.js").write_text(script, encoding="utf-8")
    style = FRAMES.with_suffix(".css").read_text(encoding="utf-8")
    (static / "frames.css").write_text(style, encoding="utf-8")


def add_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let the pages that hold an explorer, and no other, ask for what shows it."""
    if doctree is not None and "toposeg-place" in context.get("body", ""):
        app.add_css_file("frames.css")
        app.add_js_file("explorers.js", loading_method="defer")


class Folders(SphinxPostTransform):
    """Lead links to a folder into the repository, or leave their words where there is none."""

    default_priority = 5  # before that of MyST, which knows files alone

    def run(self, **options: Any) -> None:
        """Replace what points at a folder."""
        here = Path(self.env.doc2path(self.env.docname)).parent
        root = Path(self.app.srcdir).resolve()
        repository = self.config.html_theme_options.get("repository_url")
        for node in list(self.document.findall(addnodes.pending_xref)):
            folder = (here / node.get("reftarget", "")).resolve()
            if node.get("reftype") != "myst" or not folder.is_dir():
                continue
            words = node.children[0].children if node.children else []
            place = f"{repository}/tree/main/{folder.relative_to(root).as_posix()}"
            new = nodes.reference("", "", refuri=place) if repository else nodes.inline()
            new += words
            node.replace_self(new)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""
    app.connect("source-read", take_source)
    app.connect("env-purge-doc", forget_film)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_films)
    app.add_post_transform(Folders)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
