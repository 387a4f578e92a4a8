"""The pages of runs and studies: what stands on them, and in which order; nothing is fetched."""

from __future__ import annotations

import base64
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from jupyter_browser import chromium
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from toposeg_lite.workbook.figures import png
from toposeg_lite.workbook.studies.notebook import _keep_last_bars
from toposeg_lite.workbook.studies.run_page import run_page
from toposeg_lite.workbook.studies.runs import REFERENCE_RUNS
from toposeg_lite.workbook.studies.study_page import study_page

SCRIPT = "<script>document.title = 'taken'</script>"
PICTURE = png(Figure(figsize=(10, 3)))
KINDS = ["break", "spurious component", "false merge", "missing component", "false hole",
         "missing hole", "all"]  # fmt: skip


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text without that of its style."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self._inside = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self._inside:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def scores(dice, betti, matching):
    return {"dice": dice, "betti_error": betti, "betti_matching_error": matching,
            "betti_0_error": betti, "betti_1_error": 0.0}  # fmt: skip


def results(outcome="better", **changes):
    """Return results as a comparison saves them, made by hand."""
    test = {
        "parent": {"a": scores(0.8, 3.0, 9.0), "b": scores(0.6, 5.0, 7.0)},
        "control": {"a": scores(0.9, 2.0, 6.0), "b": scores(0.7, 4.0, 4.0)},
        "topological": {"a": scores(0.85, 1.0, 2.0), "b": scores(0.65, 2.0, 1.0)},
    }
    validation = {"control": test["control"], "topological-0.1": test["topological"],
                  "topological-1": test["parent"]}  # fmt: skip
    verdict = {"outcome": outcome, "sentence": "Topology: it is said here.", "arm": 1.5,
               "control": 3.0}  # fmt: skip
    made = {
        "parameters": {"dataset": "brick", "loss": "topological", "weight": [0.1, 1.0]},
        "seed": 7,
        "chosen_weight": 0.1,
        "settings": {"patch": 64, "connectivity": 2, "border": "open", "reference": "silver"},
        "verdict": verdict,
        "validation": validation,
        "test": test,
        "differences": {"control": dict(zip(KINDS, [5, 4, 3, 2, 1, 0, 15], strict=True)),
                        "topological": dict(zip(KINDS, [0] * 7, strict=True))},
        "versions": {"torch": "2.0", "platform": "Linux x86_64"},
        "machine": {"processor": "Abacus 9", "cores": 4, "threads": 3},
        "git_commit": None,
    }  # fmt: skip
    return made | changes


def notebook(*cells):
    made = [new_markdown_cell("# Run it\n\n![head](images/09.png)\n[one](00_start_here.ipynb) and "
                              "[paper](https://arxiv.org/abs/1906.05404)"), *cells]  # fmt: skip
    return new_notebook(cells=made)


def bars(name, *percents):
    """Return the outputs of a moving bar, as a kernel's messages bring them."""
    return [
        new_output("stream", name="stderr", text=f"{name}: {p:3d}%|##  | {p}/100 [00:00<00:01]")
        for p in percents
    ]


def test_of_a_bar_only_its_last_state_is_kept():
    outputs = [
        *bars("parent", *range(101)),
        new_output("stream", name="stderr", text="\n"),
        new_output("stream", name="stdout", text="done\n"),
        new_output("stream", name="stdout", text="and dusted\n"),
        *bars("control", 0, 50),
        new_output("stream", name="stderr", text="\rcontrol: 100%|####| 100/100\n"),
    ]
    made = notebook(new_code_cell("train()", outputs=outputs), new_code_cell("pass"))
    _keep_last_bars(made)
    kept = [(output.name, output.text) for output in made.cells[1].outputs]
    assert kept == [
        ("stderr", "parent: 100%|##  | 100/100 [00:00<00:01]\n"),
        ("stdout", "done\nand dusted\n"),
        ("stderr", "control: 100%|####| 100/100\n"),
    ]
    nbformat.validate(made)


def test_lines_that_only_look_like_a_bar_are_kept():
    lines = ["Dice: 93% of the pixels\n", "first\n", "a: 5%| in the first table\n"]
    outputs = [new_output("stream", name="stdout", text=line) for line in lines]
    made = notebook(new_code_cell("print()", outputs=outputs))
    _keep_last_bars(made)
    assert made.cells[1].outputs[0].text == "".join(lines)


def test_the_page_of_a_run_begins_with_what_counts():
    cell = new_code_cell("compute_all", outputs=bars("parent", 0, 40, 100))
    html = run_page(notebook(cell), results(), {"comparison": PICTURE, "training": PICTURE})
    page = Page(html)
    order = ["better", "it is said here", "A sign stands", "Dice ↑", "false merge",
             "Abacus 9 (3 of 4 cores", "How the weight was chosen", "compute_all"]  # fmt: skip
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    for before, after in (("5.00", "1.50"), ("3.00", "1.50"), ("0.8000", "0.7500")):
        assert f"{before} → {after}" in page.text  # means of control and arm over both images
    assert "0.8000" in page.text
    assert "0.1, chosen" in page.text
    assert "2 test images with silver references, one seed (7)" in page.text
    assert "another processor" in page.text
    assert "%|" not in html  # no progress bar
    assert page.text.startswith("What the topological loss changes on brick")
    assert page.elements[0][0] == "html"
    assert [attrs.get("name") for attrs in page.attributes("meta")][1] == "viewport"
    folded = list(page.attributes("details"))
    assert len(folded) == 5
    assert not any("open" in attrs for attrs in folded)


def test_the_page_needs_nothing_beside_it():
    html = run_page(notebook(), results(), {"comparison": PICTURE, "training": PICTURE})
    page = Page(html)
    pictures = page.attributes("img")
    assert len(pictures) == 2
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in pictures)
    assert all(len(attrs["alt"]) > 30 for attrs in pictures)
    links = [attrs["href"] for attrs in page.attributes("a") if "anchor" not in str(attrs)]
    assert links == ["https://arxiv.org/abs/1906.05404"]
    assert "one and paper" in page.text
    assert not page.attributes("script")
    assert not page.attributes("link")
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize("place", ["dataset", "loss", "sentence", "image", "reference", "version"])
def test_no_text_becomes_html(place):
    made = results()
    if place in ("dataset", "loss"):
        made["parameters"][place] = SCRIPT
    if place == "loss":
        made["test"][SCRIPT] = made["test"].pop("topological")
    if place == "sentence":
        made["verdict"]["sentence"] = SCRIPT
    if place == "image":
        made["differences"]["control"][SCRIPT] = made["differences"]["topological"][SCRIPT] = 1
    if place == "reference":
        made["settings"]["reference"] = SCRIPT
    if place == "version":
        made["versions"]["torch"] = SCRIPT
    page = Page(run_page(notebook(), made, {"comparison": PICTURE}))
    assert not page.attributes("script")
    assert SCRIPT in page.text


@pytest.mark.parametrize("outcome", ["better", "worse", "no clear difference"])
def test_each_outcome_is_said(outcome):
    page = Page(run_page(notebook(), results(outcome)))
    assert f"Topology: {outcome} , by the Betti error of patches" in page.text
    kind = {"better": "better", "worse": "worse", "no clear difference": "same"}[outcome]
    assert {"class": f"verdict {kind}"} in page.attributes("p")


def test_volumes_have_no_betti_matching_error():
    made = results()
    for split in ("test", "validation"):
        for images in made[split].values():
            for row in images.values():
                row["betti_matching_error"] = None
                del row["betti_matching_error"]
    page = Page(run_page(notebook(), made))
    assert "Betti matching error ↓" not in page.text
    assert "3.00 → 1.50" in page.text


def test_no_picture_is_there_twice():
    data = {"image/png": base64.b64encode(PICTURE).decode(), "text/plain": "a figure"}
    shown = new_code_cell("show", outputs=[new_output("display_data", data=data)])
    both = {"comparison": PICTURE, "training": PICTURE}
    assert len(Page(run_page(notebook(shown), results(), both)).attributes("img")) == 2
    assert len(Page(run_page(notebook(shown))).attributes("img")) == 1  # the only place for it


def test_a_run_that_failed_says_so_first():
    error = new_output("error", ename="RuntimeError", evalue="the disk <melted>", traceback=["x"])
    failed = notebook(new_code_cell("train()", outputs=[error]))
    for left in (None, results()):  # those of the run before, where this one goes on
        page = Page(run_page(failed, left))
        assert page.text.startswith(
            "Run it Run it Stopped by an error: RuntimeError: the disk <mel"
        )
        assert "-p resume True" in page.text
        assert "open" in page.attributes("details")[0]


def test_another_notebook_is_shown():
    page = Page(run_page(notebook(new_code_cell("anything"))))
    assert "no results of a comparison" in page.text
    assert "anything" in page.text


@pytest.mark.parametrize("name", sorted(p.stem for p in REFERENCE_RUNS.glob("*-study.json")))
def test_the_page_of_a_study(name):
    study = json.loads((REFERENCE_RUNS / f"{name}.json").read_text())
    table = pd.read_csv(REFERENCE_RUNS / f"{name}.csv")
    page = Page(study_page(study, table))
    means = table.groupby("network")["betti_matching_error"].mean()
    arms = [network for network in means.index if network not in ("parent", "control")]
    best = means[arms].idxmin()
    assert f"Lowest Betti matching error: {best}" in page.text
    assert f"{means['control']:.2f} → {means[best]:.2f}" in page.text
    for network in arms:
        difference = means[network] - means["control"]
        # Of half a hundredth either side is right: which one the last bit decides.
        assert any(f"{difference + bit:+.2f}" in page.text for bit in (-1e-9, 1e-9))
    assert len(page.attributes("img")) == 1
    assert not page.attributes("script")
    assert not page.attributes("a")


def test_a_study_in_which_nothing_helps_says_so():
    generator = np.random.default_rng(0)
    rows = [
        {"network": network, "weight": 0.0, "seed": seed, "image": image, "dice": 0.5,
         "betti_matching_error": float(generator.integers(0, 9) + (network == "bad") * 20)}
        for network in ("parent", "control", "same", "bad") for seed in (0, 1)
        for image in range(20)
    ]  # fmt: skip
    entry = {"weight": 0.5, "share_of_loss": 0.1, "validation": {"0.5": {"dice": 0.5}}}
    study = {
        "parameters": {"shared": {"dataset": SCRIPT}, "seeds": [0, 1]},
        "settings": {"connectivity": 2, "border": "open"},
        "images": {"test": 20},
        "networks": {n: {"0": entry, "1": entry} for n in ("parent", "control", "same", "bad")},
        "groups": {
            SCRIPT: {
                "dataset": "brick",
                "images": 7,
                "networks": {n: {"0": {"dice": 0.25}, "1": {"dice": 0.5}} for n in ("same", "bad")},
            }
        },
        "versions": {"torch": "2.0", "platform": "Linux"},
    }
    page = Page(study_page(study, pd.DataFrame(rows)))
    assert f"Test images of brick: {SCRIPT}" in page.text
    assert "Means over the 7 test images" in page.text
    assert page.text.count(".375 ± .177") == 2
    assert "No loss is clearly better than the control" in page.text
    assert "Higher than the control: bad. Not to be told from the control: same." in page.text
    assert not page.attributes("script")
    assert SCRIPT in page.text


@pytest.mark.browser
def test_both_pages_at_the_widths_of_a_desk_and_of_a_phone(tmp_path):
    study = json.loads((REFERENCE_RUNS / "topomortar-study.json").read_text())
    table = pd.read_csv(REFERENCE_RUNS / "topomortar-study.csv")
    code = new_code_cell("x = 1\n" * 40 + "y = 'a very long line of code'" * 9)
    pages = {
        "report": run_page(notebook(code), results(), {"comparison": PICTURE, "training": PICTURE}),
        "study": study_page(study, table),
    }
    for name, html in pages.items():
        Path(tmp_path, f"{name}.html").write_text(html)
    alone = Path(tmp_path, "alone")  # the page still works when it was moved away
    alone.mkdir()
    for name in pages:
        shutil.move(tmp_path / f"{name}.html", alone)
    for name in pages:
        for width in (1280, 390):
            with chromium(tmp_path / f"{name}-{width}") as page:
                page.set_viewport_size({"width": width, "height": 900})
                said, asked = [], []
                page.on("console", lambda message, said=said: said.append(message.text))
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.goto((alone / f"{name}.html").as_uri())
                wide = "document.documentElement.scrollWidth"
                assert page.evaluate(wide) == width
                for summary in page.locator("summary").all():
                    summary.click()
                assert page.evaluate(wide) == width
                loaded = "[...document.images].every(image => image.naturalWidth > 0)"
                assert page.evaluate(loaded)
                assert said == []
                assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


def test_the_page_says_over_what_a_test_was_taken():
    """Of eyes over persons; of images that stand for themselves nothing is said."""
    for dataset, words in (("chase_db1", "test over 4 groups of images"), ("crackforest", "test")):
        results = json.loads((REFERENCE_RUNS / f"{dataset}-study.json").read_text())
        scores = pd.read_csv(REFERENCE_RUNS / f"{dataset}-study.csv", dtype={"image": str})
        assert f"sign-flip {words}, corrected by Holm" in study_page(results, scores)
