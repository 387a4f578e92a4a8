"""What a million images cost: metrics and losses over many patches, read from one store by Dask.

``python -m toposeg_lite.training scale`` draws patches into a Zarr store, lets the workers of a
local cluster take chunks of it, and measures: images a second with one and with two workers, the
most memory that a worker has taken, and a line through the time by the number of images. The line
says what a million images would take on more cores, if their disks can keep up.

Each patch is drawn by itself: a smooth random field, whose third is foreground, as likelihood, and
as truth the same after some of it was changed. So prediction and truth share most features.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from ...checks import check_choice, check_integer
from ...files import check_room, make_folder, write_atomically
from .options import option
from .scores import markdown

__all__ = ["JOBS", "ScaleCommand", "draw_patches", "fit_cost", "measure_scale"]

#: What is done to each image: the metrics, or a loss, forward and backward.
JOBS = {
    "report": None,
    "topological": {"matching": "spatial"},
    "warping": {},
    "morse": {},
    "cldice": {},
    "topograph": {},
}
#: Patches of 64 x 64 in one task; of larger ones so many that a chunk has as many pixels.
CHUNK = 1000
LEVEL = 127  # of 255, above which is foreground


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


def make_store(path: Path, count: int, side: int) -> None:
    """Draw `count` patches into a store, chunk by chunk; a whole one of this size stays."""
    import zarr

    size = chunk_size(side)
    group: Any = zarr.open_group(make_folder(path.parent) / path.name, mode="a")
    if group.attrs.get("count") == count:
        return
    check_room(path.parent, 2 * count * side * side, f"the patches of {path.name}")
    group.attrs["count"] = 0  # until it is whole
    shape, chunks = (count, side, side), (size, side, side)
    arrays = [
        group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, overwrite=True)
        for name, dtype in (("likelihoods", "uint8"), ("truths", "bool"))
    ]
    for low in range(0, count, size):
        drawn = draw_patches(min(size, count - low), side, low)
        for array, values in zip(arrays, drawn, strict=True):
            array[low : low + size] = values
    group.attrs["count"] = count


def chunk_size(side: int) -> int:
    """Return how many patches of a side are in one chunk."""
    return max(1, CHUNK * 64 * 64 // (side * side))


def work(path: str, job: str, low: int, size: int) -> float:
    """Do a job to one chunk of a store; return the most memory that this process has taken, in MB.

    It runs in the workers.
    """
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    likelihoods, truths = (group[name][low : low + size] for name in ("likelihoods", "truths"))
    if job == "report":
        from ...metrics import report

        for likelihood, truth in zip(likelihoods, truths, strict=True):
            report(likelihood > LEVEL, truth)
    else:
        _lose(job, likelihoods, truths)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _lose(job: str, likelihoods: np.ndarray, truths: np.ndarray) -> None:
    """Take a loss of a batch, and its gradient, in this thread alone."""
    import torch

    from ...losses import make_loss

    torch.set_num_threads(1)
    scores = torch.logit(torch.from_numpy(likelihoods).float() / 255, eps=1e-3)
    logits = scores[:, None].requires_grad_()
    make_loss(job, **(JOBS[job] or {}))(logits, torch.from_numpy(truths)).backward()


def measure_scale(
    store: str | os.PathLike[str], job: str, counts: Sequence[int], workers: int, side: int = 64
) -> pd.DataFrame:
    """Measure how long a job takes for so many patches; the store is made where it is missing.

    The workers have imported and compiled everything before the clock starts.

    Returns
    -------
    DataFrame
        A row for each count, with the columns "job", "side", "workers", "count", "seconds",
        "images_per_second" and "peak_mb", the largest of all workers.
    """
    check_choice(job, tuple(JOBS), "job")
    counts = sorted(check_integer(count, "each of counts", 1) for count in counts)
    workers, side = check_integer(workers, "workers", 1), check_integer(side, "side", 1)
    path = Path(store) / f"{side}.zarr"
    make_store(path, counts[-1], side)
    size = chunk_size(side)
    from distributed import Client, LocalCluster

    rows = []
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, memory_limit=0, host="127.0.0.1",
                     dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        client.run(work, str(path), job, 0, 1)
        for count in counts:
            lows = list(range(0, count, size))
            sizes = [min(size, count - low) for low in lows]
            start = time.perf_counter()
            done = client.map(work, *_repeated(str(path), job, lows), sizes, pure=False)
            peak = max(client.gather(done))
            seconds = time.perf_counter() - start
            rows.append(
                {"job": job, "side": side, "workers": workers, "count": count, "seconds": seconds,
                 "images_per_second": count / seconds, "peak_mb": peak}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _repeated(path: str, job: str, lows: Sequence[int]) -> tuple[list[str], list[str], list[int]]:
    return [path] * len(lows), [job] * len(lows), list(lows)


def fit_cost(table: pd.DataFrame) -> tuple[float, float]:
    """Fit seconds of one core = start + cost times images to rows of `measure_scale`.

    Least squares of the relative errors, so that a small count says as much as a large one.

    Examples
    --------
    >>> rows = pd.DataFrame({"workers": [1, 2], "count": [100, 1000], "seconds": [3.0, 10.5]})
    >>> start, cost = fit_cost(rows)  # 3 s and 21 s of one core
    >>> round(start, 6), round(cost, 6)
    (1.0, 0.02)
    """
    count = table["count"].to_numpy(float)
    seconds = (table["seconds"] * table["workers"]).to_numpy(float)
    if len(set(count)) < 2:
        raise ValueError(
            f"table must hold two or more counts; got {sorted(set(count.astype(int).tolist()))}"
        )
    lines = np.stack([1 / seconds, count / seconds], axis=1)
    (start, cost), *_ = np.linalg.lstsq(lines, np.ones(len(seconds)), rcond=None)
    return float(start), float(cost)


@dataclass(frozen=True)
class ScaleCommand:
    """Measure metrics and losses over many patches, and predict what a million images cost."""

    jobs: Sequence[str] = option(tuple(JOBS), "what is done to each image")
    counts: Sequence[int] = option((1000, 10000), "how many images")
    workers: Sequence[int] = option((1, 2), "how many processes")
    side: int = option(64, "side of the images in pixels")
    store: str = option("runs/scale", "the folder of the stores")
    results: str | None = option(None, "a file for the table, ending in .csv")

    def run(self) -> pd.DataFrame:
        """Measure, print the tables, and return all rows."""
        if self.results is not None and Path(self.results).suffix != ".csv":
            raise ValueError(f"results must be a file whose name ends in .csv; got {self.results}")
        for job in self.jobs:
            check_choice(job, tuple(JOBS), "each of jobs")
        parts = [
            measure_scale(self.store, job, self.counts, workers, self.side)
            for job in self.jobs
            for workers in self.workers
        ]
        table = pd.concat(parts, ignore_index=True)
        if self.results is not None:
            make_folder(Path(self.results).parent)
            text = table.to_csv(index=False, float_format="%.6g")
            write_atomically(Path(self.results), text.encode())
        print(_printed(table))
        return table


def _printed(table: pd.DataFrame) -> str:
    """Return what was measured, and what it predicts, as Markdown."""
    lines = [
        [row["job"], f"{row['count']:,}", str(row["workers"]), f"{row['seconds']:.1f} s",
         f"{row['images_per_second']:,.0f}", f"{row['peak_mb']:.0f} MB"]
        for row in table.to_dict("records")
    ]  # fmt: skip
    side = int(table["side"].iloc[0])
    header = ["job", f"images of {side} x {side}", "workers", "time", "images a second", "memory"]
    texts = [markdown(header, lines)]
    if table["count"].nunique() > 1:
        fits = {job: fit_cost(rows) for job, rows in table.groupby("job", sort=False)}
        lines = [
            [str(job), f"{1000 * cost:.3g} ms",
             *(_time((start + cost * 10**6) / cores) for cores in (2, 64, 1000))]
            for job, (start, cost) in fits.items()
        ]  # fmt: skip
        header = ["job", "one image, one core", "a million on 2 cores", "on 64", "on 1000"]
        texts.append(markdown(header, lines))
    return "\n\n".join(texts)


def _time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
