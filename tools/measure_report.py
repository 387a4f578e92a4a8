"""What a report on very many masks costs: time, memory, the size of its page.

``python tools/measure_report.py --counts 1000 10000 --side 64 --folder /tmp/masks`` writes pairs of
masks as PNG, makes their report by the command ``python -m toposeg_lite.report``, interrupts it
once in the middle as Ctrl-C does, lets the same command go on, and runs it a third time, when there
is nothing left to do. Of each part it prints the seconds by the clock, the seconds that all of its
processes have computed, and the most memory that the command itself and the largest of its workers
have held. Pairs that are there are not written again; the report is made anew. With ``--compare`` a
second method is scored beside it, whose masks are cut off at a higher level. ``--results FILE``
keeps the numbers; ``notebooks/reference_runs/report-10000.json`` comes from the call above.

Memory is what Linux says of each process (`toposeg_lite.memory`), asked ten times a second while
they live, so what was added in the last tenth may be missing; other systems do not tell it.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from toposeg_lite.files import make_folder
from toposeg_lite.memory import peak_memory
from toposeg_lite.training.records import git_commit, machine, versions, write_json
from toposeg_lite.workbook.studies.scale import LEVEL, draw_patches

PART = 100  # pairs that are drawn at once
#: Where the likelihood is cut off in each folder of predictions.
LEVELS = {"predictions": LEVEL, "others": LEVEL + 20}
MEGABYTE = 2**20


def write_pairs(folder: Path, count: int, side: int) -> None:
    """Write predictions and truths, unless they are there."""
    for name in (*LEVELS, "truths"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for low in range(0, count, PART):
        size = min(PART, count - low)
        if (folder / "others" / f"{low + size - 1:06}.png").exists():
            continue
        for place, (likelihood, truth) in enumerate(
            zip(*draw_patches(size, side, low), strict=True), low
        ):
            masks = {name: likelihood > level for name, level in LEVELS.items()}
            for name, mask in ({"truths": truth} | masks).items():
                Image.fromarray(mask).save(folder / name / f"{place:06}.png")


def rows_of(folder: Path) -> int:
    """Return how many pairs are scored."""
    file = folder / "report" / "scores.jsonl"
    return max(file.read_bytes().count(b"\n") - 1, 0) if file.exists() else 0


def peaks_of(process: int) -> dict[str, float]:
    """Return the peaks so far of a process and of the largest that it has started, in megabytes."""
    try:
        others = [child.pid for child in psutil.Process(process).children(recursive=True)]
    except psutil.NoSuchProcess:
        others = []
    peaks = {"peak_mb": [process], "worker_peak_mb": others}
    return {
        name: np.nanmax([0.0, *map(peak_memory, some)]) / MEGABYTE for name, some in peaks.items()
    }


def make_report(folder: Path, options: list[str], stop_at: int | None) -> dict[str, Any]:
    """Make the report, or go on with it; interrupt it when so many pairs are scored."""
    command = [sys.executable, "-m", "toposeg_lite.report", "predictions", "truths", *options]
    before, had = resource.getrusage(resource.RUSAGE_CHILDREN), rows_of(folder)
    peaks = {"peak_mb": 0.0, "worker_peak_mb": 0.0}
    start = time.perf_counter()
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    while run.poll() is None:
        peaks = {name: max(peaks[name], peak) for name, peak in peaks_of(run.pid).items()}
        if stop_at is not None and rows_of(folder) >= stop_at:
            run.send_signal(signal.SIGINT)
            stop_at = None
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "scored": rows_of(folder) - had,
        "exit": run.returncode,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        **{name: round(peak, 1) for name, peak in peaks.items()},
    }


def measure(folder: Path, count: int, given: argparse.Namespace) -> dict[str, Any]:
    """Write so many pairs; make their report, interrupt it, go on, and ask for it once more."""
    write_pairs(folder, count, given.side)
    shutil.rmtree(folder / "report", ignore_errors=True)
    options = ["--workers", str(given.workers)]
    options += ["--compare", "others"] if given.compare else []
    parts = {}
    for name, stop_at in (("interrupted", count // 2), ("gone on", None), ("nothing to do", None)):
        parts[name] = part = make_report(folder, options, stop_at)
        print(
            f"{count} pairs, {name}: scored {part['scored']}, exit {part['exit']}, "
            f"{part['seconds']:.0f} s, {part['cpu_seconds']:.0f} s computed, at most "
            f"{part['peak_mb']:.0f} MB, a worker {part['worker_peak_mb']:.0f} MB",
            flush=True,
        )
    page = (folder / "report" / "report.html").stat().st_size
    print(f"{count} pairs: the page has {page / 1e6:.2f} MB", flush=True)
    return {"count": count, "parts": parts, "page_bytes": page}


def main() -> int:
    """Measure for each number of pairs, and keep the numbers."""
    parser = argparse.ArgumentParser(description="Measure a report on many masks.")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--compare", action="store_true", help="two methods in place of one")
    parser.add_argument("--folder", type=Path, required=True, help="where masks and report go")
    parser.add_argument("--results", type=Path, help="a JSON file for the numbers")
    given = parser.parse_args()
    if given.results is not None:
        make_folder(given.results.parent)
    # A shell lets what it starts in the background ignore Ctrl-C, and that would be inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    facts = {name: getattr(given, name) for name in ("side", "workers", "compare")}
    runs = [measure(given.folder / str(count), count, given) for count in given.counts]
    if given.results is not None:
        about = {"versions": versions(), "machine": machine(), "git_commit": git_commit()}
        write_json(given.results, facts | {"runs": runs} | about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
