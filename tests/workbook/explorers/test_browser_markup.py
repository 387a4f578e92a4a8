"""Names and texts that hold markup, in a real browser: shown as they are, never as elements."""

from __future__ import annotations

import json
import shutil

import nbformat
import numpy as np
import pytest
from jupyter_browser import ARTEFACTS, NOTEBOOKS, WAIT, chromium, jupyterlab, run_all, voila
from nbconvert import HTMLExporter
from playwright.sync_api import expect

# Each would set `window.sprung` or open a dialog if it became HTML.
EVIL = (
    "<img src=x onerror=\"window.sprung=1;alert('{0}')\">"
    "<script>window.sprung=2</script><b id=evil>{0}</b>"
)

SETUP = f"""
import numpy as np, pandas as pd
from toposeg_lite import explorers, figures
from toposeg_lite.data import folder
def evil(where):
    return {EVIL!r}.replace("{{0}}", where)
image = np.linspace(0, 1, 64).reshape(8, 8)
"""

EXPLORERS = (
    """
from toposeg_lite.workbook.studies import Run
rows, tried = [], []
for name, error in (("control", 3.0), (evil("network"), 1.0)):
    weight = 0.0 if name == "control" else 0.5
    for seed in (0, 1):
        about = {"network": name, "weight": weight, "seed": seed}
        rows += [
            about | {"image": evil(f"image {k}"), "betti_0_error": error + k} for k in range(4)
        ]
        tried.append(about | {"betti_0_error": error})
cost = pd.DataFrame({"network": [evil("network")], "seed": [0], "share_of_loss": [0.2]})
run = Run(evil("run"), evil("dataset"), pd.DataFrame(rows), pd.DataFrame(tried), cost, {}, {})
explorers.show(explorers.ComparisonExplorer({evil("key"): run}, image=1))
""",
    """
loss = lambda logits, target: (logits - target).square().sum()
explorers.show(explorers.GradientExplorer(image, image > 0.5, {evil("loss"): loss}, steps=1))
""",
    """
explorers.show(explorers.PersistenceExplorer(image))
""",
)

FILES = (
    """
from pathlib import Path
from PIL import Image
def name(where):  # a file's name holds no slash
    return evil(where).replace("/", "")
for part in ("images", "masks"):
    Path("own", part).mkdir(parents=True)
    for k in range(5):
        pixels = Image.fromarray((255 * (image > 0.5)).astype(np.uint8))
        pixels.save(Path("own", part, f"{k}" + name("sample") + ".png"))
data = folder("own/images", "own/masks")
data
""",
    """
data.train[0]
""",
    """
from dataclasses import replace
from IPython.display import display
display(replace(data.train[0], notes=(evil("note"),)), replace(data, terms=evil("terms")))
print(evil("terms"))
""",
    """
figures.show(figures.image_row([image], [evil("title").replace("$", "")]), evil("alt"))
""",
    """
import warnings
from toposeg_lite.workbook.desk import AnnotationApp
warnings.simplefilter("ignore")  # of the line that is none
journal = Path(name("journal") + ".jsonl")
app = AnnotationApp.open(image, image, journal)
with journal.open("a") as file:
    file.write(evil("line") + "\\n")
app = AnnotationApp.open(image, image, journal)
assert app.session.problems, "the line that is none is left out, and told"
app.do({"do": "export"})
assert "<b id=evil>" in app.note
app.show()
app
""",
)


def cells(*codes):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(code.strip()) for code in codes]
    head = nbformat.v4.new_markdown_cell("# Names with markup")
    return nbformat.v4.new_notebook(cells=[head, *made], metadata={"kernelspec": kernel})


def watched(page):
    """Note every dialog of a page."""
    dialogs = []

    def dismiss(dialog):
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    return dialogs


def harmless(page, dialogs):
    """Nothing ran, and nothing of the markup is an element."""
    assert dialogs == []
    assert page.evaluate("window.sprung === undefined")
    # An element is one wherever the page has it, in the text of another frame as well.
    for frame in page.frames:
        assert frame.locator("#evil, img[src='x'], [onerror]").count() == 0
        assert frame.evaluate(
            "[...document.scripts].every(script => !script.textContent.includes('window.sprung=2'))"
        )


def bring(page, scope, content, kind="image/png"):
    """Upload a file whose name holds markup to the last explorer that takes one."""
    with page.expect_file_chooser() as chooser:
        scope.get_by_role("button", name="Your own").last.click()
    name = EVIL.replace("/", "").replace("{0}", "upload") + ".png"
    chooser.value.set_files({"name": name, "mimeType": kind, "buffer": content})


@pytest.mark.browser
def test_markup_in_names_stays_text_in_jupyterlab(tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    nbformat.write(cells(SETUP, *EXPLORERS, *FILES), folder / "evil.ipynb")
    ARTEFACTS.mkdir(exist_ok=True)
    with jupyterlab(folder) as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        dialogs = watched(page)
        page.goto(address("evil.ipynb"))
        run_all(page)
        page.wait_for_function(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .every(cell => cell.model.executionCount)""",
            timeout=2 * WAIT,
        )
        assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        for place in range(2, 10):  # what is out of sight need not be drawn
            page.evaluate(f"window.jupyterapp.shell.currentWidget.content.scrollToItem({place})")
            page.wait_for_timeout(700)
            harmless(page, dialogs)
        page.evaluate("window.jupyterapp.shell.currentWidget.content.scrollToItem(4)")
        bring(page, page, b"no picture")
        expect(page.get_by_text("was not taken: the file is no picture").first).to_be_visible()
        expect(page.get_by_text("<b id=evil>upload").first).to_be_visible()  # shown as it is
        page.screenshot(path=ARTEFACTS / "markup-lab.png")
        harmless(page, dialogs)


@pytest.mark.browser
def test_markup_in_names_stays_text_in_voila(tmp_path):
    folder = tmp_path / "voila"
    folder.mkdir()
    nbformat.write(cells(SETUP, *EXPLORERS), folder / "evil.ipynb")
    with voila(folder, "evil.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        dialogs = watched(page)
        page.goto(address(), wait_until="commit", timeout=2 * WAIT)
        page.get_by_role("button", name="Your own").last.wait_for(timeout=2 * WAIT)
        page.locator(".toposeg-frames[data-frame]").nth(1).wait_for()
        bring(page, page, b"no picture")
        expect(page.get_by_text("was not taken: the file is no picture").first).to_be_visible()
        harmless(page, dialogs)


@pytest.mark.browser
def test_markup_in_a_dashboards_files_stays_text(tmp_path):
    shutil.copy(NOTEBOOKS / "90_dashboard.ipynb", tmp_path)
    with voila(tmp_path, "90_dashboard.ipynb") as address, chromium(tmp_path / "profile") as page:
        expect.set_options(timeout=WAIT)
        dialogs = watched(page)
        page.goto(address(), wait_until="commit", timeout=2 * WAIT)
        tabs = page.get_by_role("tab")
        tabs.first.wait_for(timeout=2 * WAIT)
        for place in (0, 6):  # an explorer of plotly, and the screen of the annotation
            tabs.nth(place).click()
            panel = page.locator(".jupyter-widgets.widget-tab > .widget-tab-contents > *:visible")
            panel.get_by_role("button", name="Your own").wait_for()
            bring(page, panel, b"no picture")
            expect(panel.get_by_text("was not taken: the file is no picture").first).to_be_visible()
            expect(panel.get_by_text("<b id=evil>upload").first).to_be_visible()
            harmless(page, dialogs)


@pytest.mark.browser
def test_markup_in_a_stored_page_stays_text(tmp_path):
    """What nbconvert makes of an executed notebook, as the report of a run is made."""
    from nbclient import NotebookClient

    notebook = cells(SETUP, EXPLORERS[0], EXPLORERS[1], FILES[0], FILES[1], FILES[2])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}}, store_widget_state=False,
    )  # fmt: skip
    client.execute()
    html, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert json.dumps(html).count("id=evil") > 3  # it is there, as text
    (tmp_path / "page.html").write_text(html)
    with chromium(tmp_path / "profile") as page:
        dialogs = watched(page)
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_timeout(1000)
        harmless(page, dialogs)
        assert np.size(page.get_by_text("<b id=evil>").all())
