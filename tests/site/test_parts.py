"""The parts of the site that need no browser: formulas, films, docstrings, buttons."""

from __future__ import annotations

import json
import re
import runpy
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "extensions"))

import chapters  # noqa: E402
import docstrings  # noqa: E402
import explorer_films as films  # noqa: E402
import formulas  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))


def cells(*sources):
    return [nbformat.v4.new_code_cell(source) for source in sources]


def every_formula():
    """Return the formulas of all chapters, and whether each stands alone."""
    found = set()
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "markdown":
                continue
            text = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
            found |= {(tex, "block") for tex in re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL)}
            text = re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL)
            found |= {(t, "inline") for t in re.findall(r"\$(?=\S)([^$\n]+?)(?<=\S)\$", text)}
    return sorted(found)


# --- Formulas ---


def test_every_formula_of_the_workbook_is_drawn_with_what_browsers_know():
    formulae = every_formula()
    assert len(formulae) > 100
    for tex, display in formulae:
        found = formulas.mathml(tex, display)
        assert "\\" not in found
        assert set(re.findall(r'mathvariant="([^"]*)"', found)) <= {"normal"}, tex
        assert f'display="{display}"' in found


@pytest.mark.parametrize(
    ("tex", "sign"),
    [
        (r"\mathcal N", "𝒩"),
        (r"\mathcal L", "ℒ"),
        (r"\mathbb R", "ℝ"),
        (r"\mathbf x", "𝐱"),
        (r"u \sim v", "∼"),
        (r"\big\| x \big\|", "‖"),
        (r"\Big\Vert x", "‖"),
    ],
)
def test_letters_of_other_styles_are_signs_of_their_own(tex, sign):
    assert sign in formulas.mathml(tex)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="cannot be drawn"):
        formulas.mathml(r"\nosuchword x")


# --- Films ---


def test_only_the_lines_are_run_that_the_explorer_hangs_on():
    sources = [
        "import numpy as np",
        "raise RuntimeError('a training')",
        "image = np.zeros((3, 3))",
        "image[1, 1] = 1",
        "other = image.sum()",
        "def make(image):\n    return scale * image",
        "scale = 2",
        "explorer = make(image)",
        "explorer.selected = 1",
        "explorers.show(explorer)",
    ]
    found = films.lines_behind(cells(*sources), 9)
    assert found == [sources[k] for k in (0, 2, 3, 5, 6, 7, 8, 9)]


def test_solutions_are_not_run():
    both = cells("x = 1", "x = 2", "explorers.show(x)")
    both[1].metadata["tags"] = ["solution"]
    assert films.lines_behind(both, 2) == ["x = 1", "explorers.show(x)"]


def chapter_with(sentence):
    """Return the chapter on persistence, with other words stored beside its explorer."""
    notebook = nbformat.read(next((ROOT / "notebooks").glob("02_*.ipynb")), as_version=4)
    (k,) = (k for k, cell in enumerate(notebook.cells) if films.is_shown(cell))
    if sentence:
        for output in notebook.cells[k].outputs:
            output.data["text/plain"] = sentence
    return notebook, k


def test_a_film_shows_what_the_chapter_stores_and_is_the_same_each_time():
    notebook, k = chapter_with(None)
    film = films.film_of(notebook, k)
    assert film == films.film_of(notebook, k)
    assert len(film) < films.LIMIT
    about = json.loads(film)["about"]
    assert 20 <= about["frames"] <= 120
    stands = json.loads(film)["index"]
    threshold = re.search(r"At threshold (\S+),", films.stored_sentence(notebook.cells[k]))[1]
    assert about["values"][stands] == threshold


def test_a_film_of_something_else_than_the_picture_is_refused():
    with pytest.raises(ValueError, match=r"the explorer says .* stores 'Something else.'"):
        films.film_of(*chapter_with("Something else."))


def test_a_film_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(films, "LIMIT", 1000)
    with pytest.raises(ValueError, match="more than 1000"):
        films.film_of(*chapter_with(None))


# --- Texts ---


def test_shapes_in_docstrings_are_no_emphasis_and_words_in_stars_stay():
    lines = ["logits : (B, C, *spatial) tensor", "the *critical* ones", "(B, *spatial)", "f(*args)"]
    docstrings.smooth(None, "function", "f", None, None, lines)
    assert lines == [
        r"logits : (B, C, \*spatial) tensor",
        "the *critical* ones",
        r"(B, \*spatial)",
        r"f(\*args)",
    ]


def test_headings_of_a_module_are_none_of_the_page():
    lines = ["Words.", "", "References", "----------", "[1] A paper.", "---"]
    docstrings.smooth(None, "module", "m", None, None, lines)
    assert lines == ["Words.", "", ".. rubric:: References", "", "[1] A paper.", "---"]


def test_a_map_becomes_a_list_that_says_the_same():
    text = "```mermaid\ngraph LR\n  a[01 one]\n  b[02 two]\n  a --> b\n  c[03 three]\n"
    text += "  b --> c\n  a -.-> c\n```\n"
    assert chapters.MAP.sub(chapters.list_of_arrows, text).splitlines() == [
        "- **01 one**",
        "- **02 two**: after 01 one",
        "- **03 three**: after 02 two; one section uses 01 one",
    ]


# --- One address ---


def project(repository):
    """Return the project's file as it would be with this address in it."""
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)
    project["tool"]["toposeg_lite"]["repository"] = repository
    return project


@pytest.mark.parametrize("repository", ["", "https://github.com/somebody/toposeg-lite"])
def test_buttons_are_made_from_one_setting_or_left_out(repository, monkeypatch):
    changed = project(repository)
    monkeypatch.setattr(tomllib, "loads", lambda text: changed)
    settings = runpy.run_path(str(ROOT / "docs" / "conf.py"))
    options = settings["html_theme_options"]
    assert ("launch_buttons" in options) == bool(repository)
    assert options.get("repository_url", "") == repository
    address = chapters.live(repository, "01_see")
    if repository:
        assert address == (
            "https://mybinder.org/v2/gh/somebody/toposeg-lite/main"
            "?urlpath=lab/tree/notebooks/01_see.ipynb"
        )
    else:
        assert address == ""


def test_the_readme_has_a_badge_that_leads_there_or_none():
    readme = (ROOT / "README.md").read_text()
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["toposeg_lite"][
        "repository"
    ]
    badges = re.findall(r"\[!\[[^\]]*\]\([^)]*\)\]\(([^)]*)\)", readme)
    wanted = repository.replace("https://github.com/", "https://mybinder.org/v2/gh/")
    assert all(address.startswith(wanted) for address in badges) if repository else not badges
