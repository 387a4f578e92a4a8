"""Measure how much memory a call takes beyond its input, whoever allocates it.

Counting allocations would miss what numba and C++ allocate, so the process itself is asked: Linux
keeps the largest resident size a process ever had, and forgets it on request. A fresh process makes
the image, runs the contender once on a tiny image of the same kind (so that its code is loaded and
compiled), forgets the peak, runs the contender on the image, and reads the peak: what lies between
is temporary storage and result together. The C library is told to return what is freed at once;
else what making the image has freed would be used again uncounted, and what the contender has freed
would count as used.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .harness import Unavailable, environment

TINY = 40


def bytes_per_pixel(contender: str, kind: str, size: int, ndim: int = 2) -> float:
    """Return the peak memory of a contender beyond its input, in bytes a pixel.

    Parameters
    ----------
    contender : str
        A name in `jobs.PERSISTENCE` or, for an image, in `growth.CONTENDERS`; or for a pair a
        matching, by which the topological loss is calculated, forward and backward.
    kind : str
        A name in `inputs.IMAGES` or `inputs.VOLUMES`; or in `inputs.PAIRS`.
    size : int
        The side of the square image or of the cube.
    ndim : int
        2 for an image, 3 for a volume.
    """
    return alone(__name__, contender, kind, str(size), str(ndim))


def alone(module: str, *arguments: str) -> float:
    """Run a module of this package in a process of its own; return the number that it prints."""
    if not Path("/proc/self/clear_refs").exists():
        raise Unavailable("the peak size of a process can be reset on Linux only")
    run = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        # A fixed threshold: every larger block is mapped by itself, and unmapped when freed.
        env=environment(MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536"),
    )
    if run.returncode:
        raise RuntimeError(f"measuring the memory of {arguments[0]} failed:\n{run.stderr}")
    return float(run.stdout)


def peak_beyond_now(run: Callable[[], Any]) -> int:
    """Return by how many bytes the process grows at most while `run` runs and its result lives."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _kilobytes("VmRSS")
    result = run()
    peak = _kilobytes("VmHWM")
    del result
    return 1024 * (peak - before)


def _kilobytes(field: str) -> int:
    """Read one line of this process's status: VmRSS is the resident size, VmHWM its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {field}")


def _main(contender: str, kind: str, size: int, ndim: int) -> None:
    from . import growth, inputs, jobs, volumes

    prepare: Callable[[Any], Callable[[], Any]]
    make: Callable[[int], Any]
    if kind in inputs.PAIRS:
        make = inputs.PAIRS[kind]
        prepare = partial(volumes.run_loss, matching=contender)
    else:
        make = {2: inputs.IMAGES, 3: inputs.VOLUMES}[ndim][kind]
        prepare = (growth.CONTENDERS | jobs.PERSISTENCE)[contender]
    prepare(make(TINY if ndim == 2 else TINY // 4))()
    print(peak_beyond_now(prepare(make(size))) / size**ndim)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
