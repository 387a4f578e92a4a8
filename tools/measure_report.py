"""What a report on very many masks costs: time, memory, the size of its page.

``python tools/measure_report.py --count 10000 --side 128 --folder /tmp/masks`` writes pairs of
masks as PNG, makes their report by the command ``python -m toposeg_lite.report``, interrupts it
once in the middle as Ctrl-C does, lets the same command go on, and prints a line for each part:
seconds by the clock, seconds that all of its processes have computed, and the most memory that one
of them has taken. Pairs that are there are not written again; the report is made anew. With
``--compare`` a second method is scored beside it, whose masks are cut off at a higher level.
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

from PIL import Image

from toposeg_lite.workbook.studies.scale import LEVEL, draw_patches

PART = 100  # pairs that are drawn at once
#: Where the likelihood is cut off in each folder of predictions.
LEVELS = {"predictions": LEVEL, "others": LEVEL + 20}


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


def make_report(folder: Path, options: list[str], stop_at: int | None) -> str:
    """Make the report, or go on with it; interrupt it when so many pairs are scored."""
    command = [sys.executable, "-m", "toposeg_lite.report", "predictions", "truths", *options]
    before, had = resource.getrusage(resource.RUSAGE_CHILDREN), rows_of(folder)
    start = time.perf_counter()
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    while run.poll() is None:
        if stop_at is not None and rows_of(folder) >= stop_at:
            run.send_signal(signal.SIGINT)
            stop_at = None
        time.sleep(0.2)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return (
        f"scored {rows_of(folder) - had} pairs, exit {run.returncode}: {seconds:.0f} s, "
        f"{cpu:.0f} s computed, at most {peak:.0f} MB a process"
    )


def main() -> int:
    """Write, make, interrupt, go on."""
    parser = argparse.ArgumentParser(description="Measure a report on many masks.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--compare", action="store_true", help="two methods in place of one")
    parser.add_argument("--folder", type=Path, required=True, help="where masks and report go")
    given = parser.parse_args()
    write_pairs(given.folder, given.count, given.side)
    shutil.rmtree(given.folder / "report", ignore_errors=True)
    options = ["--workers", str(given.workers)]
    options += ["--compare", "others"] if given.compare else []
    print("until interrupted:", make_report(given.folder, options, given.count // 2))
    print("going on:", make_report(given.folder, options, None))
    print("again, with nothing left to do:", make_report(given.folder, options, None))
    page = given.folder / "report" / "report.html"
    print(f"{page.name}: {page.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
