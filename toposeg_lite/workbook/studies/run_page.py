"""The page of a run, ``report.html``: what one comparison found, and the notebook that made it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from ..figures import higher_is_better
from .page import (
    digits_of,
    folded,
    html_page,
    html_picture,
    html_table,
    named_values,
    number_card,
    origin_of,
)
from .scores import COLUMNS, mean_scores

__all__ = ["run_page"]

#: What each sign in the picture of the differences means, in the order of `differences.KINDS`.
SIGNS = {
    "break": ("✕", "a further piece of what is one piece in the reference"),
    "spurious component": ("▲", "a piece that shares no pixel with the reference"),
    "false merge": ("■", "two pieces of the reference are one here"),
    "missing component": ("▼", "a piece of the reference that is not found at all"),
    "false hole": ("○", "a hole that the reference does not have"),
    "missing hole": ("◇", "a hole of the reference that is filled, or open"),
}
OUTCOMES = {"better": "better", "worse": "worse", "no clear difference": "same"}
BY = ", by the Betti error of patches"
FROM = "From the control, trained as long without the loss, to the network trained with it."


def run_page(
    notebook: NotebookNode,
    results: Mapping[str, Any] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """Return the page of an executed notebook.

    `results` are what `Comparison.save` returned, or its ``metrics.json`` holds; `pictures` the
    PNG files "comparison" and "training" of its folder. Without results, the page says whether the
    notebook was stopped by an error, and shows the notebook.
    """
    failed = _failure(notebook)
    if results is None or failed:
        title = _heading(notebook)
        words = failed or "This notebook left no results of a comparison."
        body = [f"<h1>{escape(title)}</h1>", f'<p class="verdict worse">{escape(words)}</p>']
        if failed:
            again = "What was trained is kept: the same command with -p resume True goes on."
            body.append(f"<p>{escape(again)}</p>")
        return html_page(title, [*body, folded("The notebook", _notebook(notebook), unfolded=True)])
    parameters, pictures = results["parameters"], pictures or {}
    loss, dataset = parameters["loss"], parameters["dataset"]
    title = f"What the {loss} loss changes on {dataset}"
    body = [f"<h1>{escape(title)}</h1>", *_verdict(results)]
    if "comparison" in pictures:
        alt = (
            f"Test images in rows; from left to right the image, its reference, and the masks of "
            f"the control and of the network with the {loss} loss, with a sign at each place where "
            f"the topology differs from the reference."
        )
        caption = (
            "A sign stands at each place where the topology is wrong. Light grey is predicted, "
            "dark grey is missed."
        )
        body.append(html_picture(pictures["comparison"], alt, caption))
    body += [_scores(results), _differences(results), "<h2>How far this can be trusted</h2>"]
    images = len(next(iter(results["test"].values())))
    trust = (
        f"{images} test image{'s' * (images > 1)} with {results['settings']['reference']} "
        f"references, one seed ({results['seed']}). Two runs that differ in nothing but the seed "
        f"can differ as much as two losses: repeat with other seeds before you believe a verdict."
    )
    body += [f"<p>{escape(trust)}</p>", *origin_of(results), "<h2>In detail</h2>"]
    if "training" in pictures:
        alt = "Dice + cross-entropy of parent, control and arm over the training steps."
        text = "Dice + cross-entropy: the parent, then control and arm from its last step on."
        body.append(folded("Training", html_picture(pictures["training"], alt, text)))
    body.append(folded("How the weight was chosen", _choice(results)))
    command = " ".join(
        f"-p {name} {shlex.quote(str(value))}"
        for name, value in parameters.items()
        if name in ("dataset", "loss", "weight", "pretrain_steps", "finetune_steps", "patch")
        or name in ("batch", "width", "learning_rate")
    )
    command += f" -p seed {results['seed']}"
    body += [
        folded(
            "Parameters",
            f"<pre>python -m toposeg_lite.training {escape(command)}</pre>",
            html_table(named_values(parameters), "All parameters of the run"),
        ),
        folded("The notebook, with its code", _notebook(notebook, bool(pictures))),
    ]
    return html_page(title, body)


def _verdict(results: Mapping[str, Any]) -> list[str]:
    """Return the verdict in two words, in three numbers and in a sentence."""
    verdict, arm = results["verdict"], results["parameters"]["loss"]
    tables = {name: pd.DataFrame(rows).T for name, rows in results["test"].items()}
    means = {name: mean_scores(table) for name, table in tables.items()}
    cards = []
    for key, note in (
        ("betti_matching_error", "features without a partner, mean of an image; 0 is perfect"),
        ("betti_error", f"mean of a patch of {results['settings']['patch']} pixels; 0 is perfect"),
        ("dice", "overlap of the pixels; 1 is perfect"),
    ):
        if key == "betti_error":
            before, after = verdict["control"], verdict["arm"]
        elif key in means["control"]:
            before, after = means["control"][key], means[arm][key]
        else:
            continue
        title = COLUMNS.get(key, "Betti error")
        digits = 4 if key == "dice" else 2
        cards.append(number_card(title, f"{before:.{digits}f}", f"{after:.{digits}f}", note))
    kind = OUTCOMES[verdict["outcome"]]
    return [
        f'<p class="verdict {kind}">Topology: <b>{escape(verdict["outcome"])}</b>{BY}</p>',
        f'<div class="cards">{"".join(cards)}</div>',
        f'<p class="note">{escape(FROM)}</p>',
        f"<p>{escape(verdict['sentence'])}</p>",
    ]


def _scores(results: Mapping[str, Any]) -> str:
    """Return the mean scores of all networks over the test images."""
    means = {name: mean_scores(pd.DataFrame(rows).T) for name, rows in results["test"].items()}
    lines = {}
    for key in next(iter(means.values())):
        values = [row[key] for row in means.values()]
        arrow = "↑" if higher_is_better(key) else "↓"
        lines[f"{COLUMNS[key]} {arrow}"] = [f"{v:.{digits_of(values)}f}" for v in values]
    settings = results["settings"]
    caption = (
        f"Means over the test images; ↑ higher and ↓ lower is better. Betti errors: in patches of "
        f"{settings['patch']} pixels, connectivity {settings['connectivity']}, border "
        f"{settings['border']}"
    )
    return html_table(pd.DataFrame.from_dict(lines, orient="index", columns=list(means)), caption)


def _differences(results: Mapping[str, Any]) -> str:
    """Return how many differences in topology of each kind there are, and what their signs mean."""
    counts = pd.DataFrame(results["differences"])
    counts = counts.map(lambda count: f"{count:.0f}")
    counts["meaning"] = [SIGNS.get(kind, ("", ""))[1] for kind in counts.index]
    signs = {kind: sign for kind, (sign, _) in SIGNS.items()}
    return html_table(counts, "Differences in topology over all test images", signs=signs)


def _choice(results: Mapping[str, Any]) -> str:
    """Return the scores on the validation images of each weight that was tried."""
    lines = {}
    for name, rows in results["validation"].items():
        means = mean_scores(pd.DataFrame(rows).T)
        label = "0 (control)" if name == "control" else name.rpartition("-")[2]
        if name != "control" and float(label) == results["chosen_weight"]:
            label += ", chosen"
        lines[label] = {COLUMNS[key]: f"{v:.{digits_of([v])}f}" for key, v in means.items()}
    caption = (
        "Means over the validation images for each weight. Chosen is the smallest Betti matching "
        "error (of volumes: Betti error) among those whose Dice is within .01 of the control's"
    )
    return html_table(pd.DataFrame.from_dict(lines, orient="index"), caption)


def _heading(notebook: NotebookNode) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return str(line.removeprefix("# "))
    return "A notebook"


def _failure(notebook: NotebookNode) -> str | None:
    """Return which error stopped a notebook, if one did."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"Stopped by an error: {output.ename}: {output.evalue}"
    return None


def _notebook(notebook: NotebookNode, pictured: bool = False) -> str:
    """Return a notebook as HTML: without progress bars, and without links to files beside it.

    Where its pictures stand above, `pictured`, they are not shown twice.
    """
    page = NotebookNode(notebook)
    page.cells = []
    for cell in notebook.cells:
        cell = NotebookNode(cell)
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"!\[[^\]]*\]\((?!https?:|data:)[^)]*\)\s*", "", cell.source)
            cell.source = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", cell.source)
        if cell.cell_type == "code":
            # Progress bars, and papermill's own banner above a cell that failed, say nothing here.
            cell.outputs = [
                output
                for output in cell.outputs
                if not (output.output_type == "stream" and output.name == "stderr")
                and not (pictured and "image/png" in output.get("data", {}))
            ]
        page.cells.append(cell)
    # Of nbconvert's templates this one keeps alternative texts, and brings no scripts to fetch.
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(page)
    return f'<div class="notebook">{html}</div>'
