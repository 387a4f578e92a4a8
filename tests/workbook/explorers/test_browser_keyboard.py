"""Every explorer by keyboard alone, in a real browser: no trap, names, rings; and both themes."""

from __future__ import annotations

import nbformat
import pytest
from jupyter_browser import ARTEFACTS, WAIT, at_rest, chromium, heard, voila
from playwright.sync_api import expect

from toposeg_lite.workbook.explorers import Dashboard

PANEL = ".jupyter-widgets.widget-tab > .widget-tab-contents > *:visible"
START = 2 * WAIT  # a kernel starts, and runs everything before the page is there
NAMELESS = {"generic", "none", "InlineTextBox", "StaticText", "RootWebArea"}

# What has the focus now: where it is among all elements, how it is seen, what it is.
FOCUS = """(() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const box = at.getBoundingClientRect();
    // The ring may be around the place that holds a picture.
    const looks = [at, at.parentElement].map(each => getComputedStyle(each));
    return {
        place: [...document.querySelectorAll("*")].indexOf(at),
        inside: !!at.closest(".widget-tab-contents"),
        ring: looks.some(look =>
            look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2),
        seen: box.width > 0 && box.height > 0,
        label: `${at.tagName} ${at.className} ${at.getAttribute("aria-label")}`.slice(0, 90),
    };
})()"""
LIGHT = """(() => {
    const plot = [...document.querySelectorAll('.js-plotly-plot')].find(plot => plot.offsetParent);
    const lightness = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
        return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
    };
    const text = plot?.querySelector('.annotation-text');
    if (!text) return null;
    const paper = plot.closest('.toposeg-figure');
    return [lightness(getComputedStyle(paper).backgroundColor),
            lightness(getComputedStyle(text).fill)];
})()"""


def page_of(tmp_path, code):
    """Write a notebook of one cell, and return its name."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"from toposeg_lite import explorers\n{code}")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, tmp_path / "one.ipynb")
    ARTEFACTS.mkdir(exist_ok=True)
    return "one.ipynb"


def drawn(page):
    """Wait until no tab that is seen says that it is being drawn."""
    expect(page.get_by_role("tab").first).to_be_visible(timeout=START)
    expect(page.locator(PANEL).locator("button:visible, canvas:visible").first).to_be_visible()
    expect(page.locator(".toposeg-drawing:visible")).to_have_count(0)


def walk(page, key="Tab"):
    """Press a key until the focus has been in the explorer and left it; return where it was."""
    stops = []
    for _ in range(150):
        page.keyboard.press(key)
        now = page.evaluate(FOCUS)
        if now and now["inside"]:
            stops.append(now)
        elif stops:
            return stops
    raise AssertionError(f"the focus is trapped at {stops[-1]['label']}")


def controls(page):
    """Return role and name of all that can be handled in the open tab, from Chromium's own tree."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    found = []
    for node in tree:
        if node.get("ignored"):
            continue
        properties = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
        role = node["role"]["value"]
        if properties.get("focusable") and role not in NAMELESS:
            found.append((role, node.get("name", {}).get("value", "").strip(), node))
    return found


@pytest.mark.browser
@pytest.mark.parametrize("name", Dashboard().names)
def test_an_explorer_is_walked_through_by_keyboard_alone(name, tmp_path):
    notebook = page_of(tmp_path, f"explorers.show(explorers.Dashboard([{name!r}]))")
    with voila(tmp_path, notebook) as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        errors, elsewhere = heard(page)
        page.goto(address(), wait_until="commit", timeout=START)
        drawn(page)
        at_rest(page, "document.querySelectorAll('.widget-tab-contents *').length")

        forth = walk(page)
        assert len(forth) > 4
        for stop in forth:
            assert stop["seen"], stop["label"]
            assert stop["ring"], stop["label"]
        places = [stop["place"] for stop in forth]
        assert len(set(places)) == len(places)  # each is reached once
        back = walk(page, "Shift+Tab")
        assert len(back) == len(forth)

        found = controls(page)
        assert len(found) > 4
        for role, said, node in found:
            assert said, (role, node)
            if role in ("slider", "spinbutton"):
                assert node["value"]["value"] != "", (said, node)
        page.screenshot(path=ARTEFACTS / f"keyboard-{name[:2]}.png")
        assert (errors, elsewhere) == ([], [])


@pytest.mark.browser
def test_figures_follow_the_theme_of_the_page_at_once(tmp_path):
    """The kernel is not asked: only the page's own mark of its theme is changed here."""
    notebook = page_of(tmp_path, "explorers.show(explorers.Dashboard(['13 Volumes']))")
    with (
        voila(tmp_path, notebook, ["--theme=dark"]) as address,
        chromium(tmp_path / "profile") as page,
    ):
        expect.set_options(timeout=WAIT)
        page.goto(address(), wait_until="commit", timeout=START)
        drawn(page)
        paper, ink = at_rest(page, LIGHT)
        assert paper < 0.2
        assert ink > 0.7
        page.screenshot(path=ARTEFACTS / "theme-dark.png")
        # A page without a theme: what the reader's machine prefers.
        page.evaluate(
            """() => {
                delete document.body.dataset.jpThemeLight;
                for (const name of ["--jp-layout-color0", "--jp-content-font-color1"])
                    document.querySelector(".toposeg-figure").style.setProperty(name, "initial");
            }"""
        )
        page.emulate_media(color_scheme="light")
        paper, ink = at_rest(page, LIGHT)
        assert paper > 0.9
        assert ink < 0.3
        page.emulate_media(color_scheme="dark")
        paper, ink = at_rest(page, LIGHT)
        assert paper < 0.2
        assert ink > 0.7
