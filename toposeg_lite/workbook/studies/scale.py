"""What a million images cost: metrics and losses over many patches, read from one store by Dask.

``python -m toposeg_lite.training scale`` draws patches into a Zarr store, lets the workers of a
local cluster take chunks of it, and measures: the time by the clock and that of the processors, the
most memory that a worker has taken, and a line through the time by the number of images. The line
says what a million images would take on more cores, if their disks can keep up.

Each patch is drawn by itself: a smooth random field, whose third is foreground, as likelihood, and
as truth the same after some of it was changed. So prediction and truth share most features. A store
holds up to 100,000 patches of 64 x 64, or as many pixels in larger ones; who wants more of them
reads the same ones again.

With ``--results FILE.csv`` every measurement is kept at once, and what is in the file is not
measured again. ``notebooks/reference_runs/scale.csv`` comes from three calls, on a machine that did
nothing else::

    scale="python -m toposeg_lite.training scale --results notebooks/reference_runs/scale.csv"
    $scale
    $scale --side 512 --counts 15 120
    $scale --jobs topological report --counts 1000000 --workers 2

``--scheduler`` measures a cluster that is there, instead of predicting it.

On a machine that does other work, too, the clock is no measure, and the time of the processors
still is one: "cpu_seconds" is how long the workers have computed. Divided by "seconds" and
"workers" it is the share of a core that each of them had, and "load" says how many processes wanted
a core when the measurement began.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from ...checks import check_choice, check_integer, check_text
from ...files import check_room, make_folder, one_writer, reading, write_atomically
from ...losses import LOSSES
from ...memory import peak_memory
from .costs import fit_cost
from .options import option
from .scores import markdown
from .sweep import is_address, open_client

__all__ = ["JOBS", "ScaleCommand", "draw_patches", "measure_scale"]

#: What is done to each image: all metrics, or a loss, forward and backward.
JOBS = ("report", *LOSSES)
#: Patches of 64 x 64 in one task, in one call of a loss, and in one store. Of larger ones there are
#: so many that there are as many pixels.
CHUNK, BATCH, STORED = 500, 100, 100_000
LEVEL = 127  # of 255, above which is foreground
COLUMNS = ("job", "side", "workers", "count", "seconds", "cpu_seconds", "images_per_second",
           "peak_mb", "bytes_per_image", "load")  # fmt: skip
#: Below this share of their cores the workers were kept waiting.
BUSY = 0.8


def draw_patches(count: int, side: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw likelihoods and truths.

    Returns
    -------
    likelihoods : (count, side, side) array of uint8
        255 stands for 1.
    truths : (count, side, side) array of bool

    Examples
    --------
    >>> likelihoods, truths = draw_patches(2, 16, seed=0)
    >>> likelihoods.shape, truths.dtype, bool(0.2 < truths.mean() < 0.5)
    ((2, 16, 16), dtype('bool'), True)
    """
    count, side = check_integer(count, "count", 1), check_integer(side, "side", 1)
    rng = np.random.default_rng(check_integer(seed, "seed"))
    noise = rng.standard_normal((2, count, side, side), dtype=np.float32)
    field, other = ndimage.gaussian_filter(noise, (0, 0, 3, 3))
    order = field.reshape(count, -1).argsort(1).argsort(1).reshape(field.shape)
    ranks = order / max(side * side - 1, 1)
    likelihoods = (255 * ranks**1.71).astype(np.uint8)  # (2 / 3)^1.71 = 1/2: a third is foreground
    changed = likelihoods + 255 * other / np.abs(other).max() * 0.3
    return likelihoods, changed > LEVEL


def make_store(path: Path, count: int, side: int) -> int:
    """Draw patches into a store until it holds `count`, or all; return how many it holds.

    It holds whole chunks, with the same patches in every store: so one may grow, and what a kill
    has left goes on.
    """
    import zarr

    size = of_pixels(CHUNK, side)
    count = size * min(-(-count // size), max(of_pixels(STORED, side) // size, 1))
    group: Any = zarr.open_group(make_folder(path.parent) / path.name, mode="a")
    for name, dtype in (("likelihoods", "uint8"), ("truths", "bool")):
        if name not in group or group[name].chunks != (size, side, side):
            group.attrs["count"] = 0
            shape, chunks = (0, side, side), (size, side, side)
            group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, overwrite=True)
    whole = int(group.attrs["count"])
    if whole >= count:
        return whole
    check_room(path.parent, 2 * (count - whole) * side * side, f"the patches of {path.name}")
    for name in ("likelihoods", "truths"):
        group[name].resize((count, side, side))
    for low in range(whole, count, size):
        drawn = draw_patches(size, side, low)
        for name, values in zip(("likelihoods", "truths"), drawn, strict=True):
            group[name][low : low + size] = values
        group.attrs["count"] = low + size
    return count


def of_pixels(count: int, side: int) -> int:
    """Return how many images of a side have as many pixels as `count` of 64 x 64, at least one."""
    return max(1, count * 64 * 64 // (side * side))


class Done(NamedTuple):
    """What a task has taken: seconds of the processors, and megabytes of its process so far."""

    cpu_seconds: float
    peak_mb: float


def work(path: str, job: str, low: int, size: int) -> Done:
    """Do a job to a part of one chunk of a store, in a worker."""
    import zarr

    start = time.process_time()
    group: Any = zarr.open_group(path, mode="r")
    likelihoods, truths = (group[name][low : low + size] for name in ("likelihoods", "truths"))
    if job == "report":
        from ...metrics import report

        for likelihood, truth in zip(likelihoods, truths, strict=True):
            report(likelihood > LEVEL, truth)
    else:
        batch = of_pixels(BATCH, truths.shape[1])
        for first in range(0, len(truths), batch):
            some = slice(first, first + batch)
            _lose(job, likelihoods[some], truths[some])
    return Done(time.process_time() - start, peak_memory() / 2**20)


def _lose(job: str, likelihoods: np.ndarray, truths: np.ndarray) -> None:
    """Take a loss of a batch, and its gradient, in this thread alone."""
    import torch

    from ...losses import make_loss

    torch.set_num_threads(1)
    scores = torch.logit(torch.from_numpy(likelihoods).float() / 255, eps=1e-3)
    logits = scores[:, None].requires_grad_()
    make_loss(job)(logits, torch.from_numpy(truths)).backward()


def measure_scale(
    store: str | os.PathLike[str],
    job: str,
    counts: Sequence[int],
    workers: int,
    *,
    side: int = 64,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Measure how long a job takes for so many patches; the store is made where it is missing.

    The workers have imported and compiled everything before the clock starts.

    Parameters
    ----------
    store : path
        The folder of the stores, one for each side.
    job : str
        One of `JOBS`: "report" for all metrics, or the name of a loss.
    counts : sequence of int
        How many patches, for each measurement.
    workers : int
        How many processes, with one thread each. A cluster that is there must have so many threads.
    side : int
        Of the patches, in pixels.
    scheduler : str, optional
        ``tcp://HOST:PORT`` of a Dask cluster that is there, or the class of one to make, such as
        ``dask_jobqueue.SLURMCluster``; all must see the store. None: processes on this machine.

    Returns
    -------
    DataFrame
        A row for each count, with the columns "job", "side", "workers", "count"; "seconds" by the
        clock and "cpu_seconds" of all workers together; "images_per_second"; "peak_mb", the largest
        of all workers, in 2**20 bytes (see `toposeg_lite.memory.peak_memory`); "bytes_per_image",
        as the store keeps them; and "load", the mean number of processes that wanted a core in the
        minute before. "peak_mb" and "load" are NaN where the system does not tell.
    """
    check_choice(job, JOBS, "job")
    counts = sorted(check_integer(count, "each of counts", 1) for count in counts)
    workers, side = check_integer(workers, "workers", 1), check_integer(side, "side", 1)
    if scheduler is not None:
        check_text(scheduler, "scheduler")
    rows = list(_measured(Path(store).resolve(), job, counts, workers, side, scheduler))
    return pd.DataFrame(rows, columns=COLUMNS)


def _measured(
    store: Path, job: str, counts: Sequence[int], workers: int, side: int, scheduler: str | None
) -> Iterator[dict[str, Any]]:
    """Yield a row for each count, as soon as it is measured."""
    path = store / f"{side}.zarr"
    held, size = make_store(path, max(counts), side), of_pixels(CHUNK, side)
    kept = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    # Dask's profiler keeps what a worker has done in the last thousand seconds: memory would grow
    # with the time. And of what Dask warns of on a busy machine, the table says more.
    settings = {"distributed.worker.profile.enabled": False}
    with open_client(scheduler, workers, logging.ERROR, settings) as client:
        if is_address(scheduler):
            _check_threads(sum(client.nthreads().values()), workers, scheduler)
        client.run(work, str(path), job, 0, 2)
        for count in counts:
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
            lows, sizes = _parts(count, size, held)
            paths, jobs = ([value] * len(lows) for value in (str(path), job))
            start = time.perf_counter()
            done = client.gather(client.map(work, paths, jobs, lows, sizes, pure=False))
            seconds = time.perf_counter() - start
            yield {
                "job": job, "side": side, "workers": workers, "count": count, "seconds": seconds,
                "cpu_seconds": sum(one.cpu_seconds for one in done),
                "images_per_second": count / seconds, "peak_mb": max(one.peak_mb for one in done),
                "bytes_per_image": kept / held, "load": load,
            }  # fmt: skip


def _check_threads(there: int, workers: int, scheduler: str | None) -> None:
    """Raise a ValueError unless a cluster has as many threads as rows will say there were."""
    if there != workers:
        raise ValueError(
            f"workers must be the number of threads that the cluster of {scheduler} has, {there}; "
            f"got {workers}"
        )


def _parts(count: int, size: int, held: int) -> tuple[list[int], list[int]]:
    """Return where in a store that holds so many whole chunks each task begins, and its size.

    >>> _parts(9, size=2, held=6)
    ([0, 2, 4, 0, 2], [2, 2, 2, 2, 1])
    """
    starts = range(0, count, size)
    return [low % held for low in starts], [min(size, count - low) for low in starts]


@dataclass(frozen=True)
class ScaleCommand:
    """Measure metrics and losses over many patches, and predict what a million images cost."""

    jobs: Sequence[str] = option(JOBS, "what is done to each image")
    counts: Sequence[int] = option((1000, 10000, 100000), "how many images")
    workers: Sequence[int] = option(
        (1, 2),
        "how many processes; with tcp://HOST:PORT the number of its threads, which must be given",
    )
    side: int = option(64, "side of the images in pixels")
    store: str = option("runs/scale", "the folder of the stores")
    scheduler: str | None = option(None, "tcp://HOST:PORT, or the class of a cluster")
    results: str | None = option(None, "a file for the table, ending in .csv; what it has is kept")

    def run(self) -> pd.DataFrame:
        """Measure what is not yet known, print the tables, and return all rows."""
        if self.results is not None and Path(self.results).suffix != ".csv":
            raise ValueError(f"results must be a file whose name ends in .csv; got {self.results}")
        for job in self.jobs:
            check_choice(job, JOBS, "each of jobs")
        for name in ("counts", "workers"):
            for value in getattr(self, name):
                check_integer(value, f"each of {name}", 1)
        if is_address(self.scheduler) and len(self.workers) != 1:
            raise ValueError(
                f"workers must be one number, that of the threads of {self.scheduler}, which is "
                f"there; got {', '.join(map(str, self.workers))}"
            )
        if self.results is None:
            table = self._measure(None)
        else:
            make_folder(Path(self.results).parent)
            with one_writer(self.results):
                table = self._measure(Path(self.results))
        print(f"\n{_printed(table)}")
        return table

    def _measure(self, file: Path | None) -> pd.DataFrame:
        """Return the rows of a file and those that it lacked, which are kept there at once."""
        rows = [] if file is None or not file.exists() else _read(file)
        for job in self.jobs:
            for workers in self.workers:
                known = {
                    row["count"] for row in rows
                    if (row["job"], row["side"], row["workers"]) == (job, self.side, workers)
                }  # fmt: skip
                counts = sorted(set(self.counts) - known)
                if not counts:
                    continue
                for row in _measured(
                    Path(self.store).resolve(), job, counts, workers, self.side, self.scheduler
                ):
                    rows.append(row)
                    print(_line(row), flush=True)
                    if file is not None:
                        text = pd.DataFrame(rows, columns=COLUMNS).to_csv(
                            index=False, float_format="%.6g"
                        )
                        write_atomically(file, text.encode())
        places = {job: place for place, job in enumerate(JOBS)}
        rows.sort(key=lambda r: (r["side"], places[r["job"]], r["workers"], r["count"]))
        return pd.DataFrame(rows, columns=COLUMNS)


def _read(file: Path) -> list[dict[str, Any]]:
    """Return the rows that were measured before."""
    with reading(file, "table of measurements"):
        table = pd.read_csv(file)
        if missing := [name for name in COLUMNS if name not in table]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        for job in table["job"]:
            check_choice(job, JOBS, "each job")
        return table.astype({"side": int, "workers": int, "count": int}).to_dict("records")  # type: ignore[return-value]


def _line(row: dict[str, Any]) -> str:
    """Return what is said of a measurement at once."""
    return (
        f"{row['job']}, {row['count']:,} of {row['side']} x {row['side']}, workers "
        f"{row['workers']}: {_time(row['seconds'])}, {_share(row):.0%} of the cores"
    )


def _share(row: Mapping[Any, Any]) -> float:
    """Return which share of a core each worker had."""
    return float(row["cpu_seconds"] / (row["seconds"] * row["workers"]))


def _printed(table: pd.DataFrame) -> str:
    """Return what was measured, and what it predicts, as Markdown."""
    rows = table.to_dict("records")
    lines = [
        [row["job"], f"{row['count']:,} of {row['side']} x {row['side']}", str(row["workers"]),
         _time(row["seconds"]), f"{row['images_per_second']:,.0f}",
         f"{1000 * row['cpu_seconds'] / row['count']:.3g} ms", f"{_share(row):.0%}",
         "unknown" if np.isnan(row["peak_mb"]) else f"{row['peak_mb']:.0f} MB"]
        for row in rows
    ]  # fmt: skip
    header = ["job", "images", "workers", "time", "images a second", "an image, one core",
              "of the cores", "memory"]  # fmt: skip
    texts = [markdown(header, lines)]
    if any(_share(row) < BUSY for row in rows):
        texts.append(
            f"Where the workers had less than {BUSY:.0%} of their cores, they waited: for other "
            f"processes, or for the disk. The time of one core does not count that."
        )
    lines = []
    for (side, job), some in table.groupby(["side", "job"], sort=False):
        if some["count"].nunique() > 1:
            line = fit_cost(some)
            low, high = (f"{1000 * value:.3g}" for value in (line.low, line.high))
            clock = fit_cost(some, "seconds").predict(10**6, 2)[0]
            times = [_time(line.predict(10**6, cores)[0]) for cores in (2, 64, 1000)]
            cost = f"{1000 * line.cost:.3g} ms"
            lines.append([job, f"{side} x {side}", cost, f"{low} to {high}", *times, _time(clock)])
    if lines:
        header = ["job", "images", "one of them, one core", "95 % interval", "a million on 2 cores",
                  "on 64", "on 1000", "on 2 by the clock"]  # fmt: skip
        texts.append(markdown(header, lines))
    return "\n\n".join(texts)


def _time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
