"""Measure how long a page of Voila takes until it shows something: the dashboard beside a bare one.

The bare page says one word by a widget, so what it takes is Voila's own time: a kernel, the page,
the code of the widgets. Both are opened by turns in Chromium; the first round is for caches. A
page's seconds count from its address being asked for; ``make dashboard`` adds the server's start.

    python tools/measure_dashboard.py [--rounds 5] [--preheat]

The times are of one machine at one moment; what holds elsewhere is their ratio.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat

HOUSE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOUSE), str(HOUSE / "tests")]

from jupyter_browser import WAIT, chromium, voila  # noqa: E402

BARE = "import ipywidgets\nipywidgets.HTML('<p id=bare>here</p>')"
TAB = "[role=tab]"
PLOT = ".js-plotly-plot .imagelayer image, .js-plotly-plot .trace, .toposeg-frames canvas"


def first_seen(page, address: str, selectors: list[str]) -> list[float]:
    """Open a page; return after how many seconds each of the elements is there."""
    began = time.perf_counter()
    page.goto(address, wait_until="commit", timeout=2 * WAIT)
    seconds = []
    for selector in selectors:
        page.locator(selector).first.wait_for(state="attached", timeout=2 * WAIT)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Open both pages by turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one that does not")
    parser.add_argument("--preheat", action="store_true", help="with a kernel made in advance")
    parser.add_argument("--notebook", default=str(HOUSE / "notebooks" / "90_dashboard.ipynb"))
    chosen = parser.parse_args()
    options = ["--preheat_kernel=True", "--pool_size=1"] if chosen.preheat else []
    folder = Path(tempfile.mkdtemp())
    pages = {"bare": folder / "bare", "dashboard": folder / "dashboard"}
    for path in pages.values():
        path.mkdir()
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BARE)])
    bare.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(bare, pages["bare"] / "page.ipynb")
    shutil.copy(chosen.notebook, pages["dashboard"] / "page.ipynb")
    took: dict[str, list[float]] = {"bare": [], "tabs": [], "plot": []}
    with (
        voila(pages["bare"], "page.ipynb") as plain,
        voila(pages["dashboard"], "page.ipynb", options) as whole,
        chromium(folder / "profile") as page,
    ):
        for number in range(chosen.rounds + 1):
            if chosen.preheat:
                time.sleep(20)
            times = [*first_seen(page, plain(), ["#bare"]), *first_seen(page, whole(), [TAB, PLOT])]
            page.goto("about:blank")
            print(f"round {number}: bare {times[0]:.1f}, tabs {times[1]:.1f}, plot {times[2]:.1f}")
            if number:
                for kind, seconds in zip(took, times, strict=True):
                    took[kind].append(seconds)
    shutil.rmtree(folder)
    middle = {kind: statistics.median(seconds) for kind, seconds in took.items()}
    print(
        f"median of {chosen.rounds}: bare page {middle['bare']:.1f} s, first plot of the dashboard "
        f"{middle['plot']:.1f} s: {middle['plot'] / middle['bare']:.1f} times as long"
    )


if __name__ == "__main__":
    main()
