"""Work on many pairs at once: processes of this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Pool", "executor", "in_chunks", "workers_for"]

Item = TypeVar("Item")
Result = TypeVar("Result")
#: What runs calls elsewhere, and how many at a time.
Pool = tuple[Executor, int]

#: As many calls wait for each worker: it never idles, and memory does not grow with the work.
AHEAD = 3


def workers_for(workers: int | None) -> int:
    """Return how many processes to use: as many as there are cores for this one."""
    if workers is not None:
        return workers
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@contextmanager
def executor(workers: int, scheduler: str | None) -> Iterator[Pool]:
    """Start processes, or connect to a Dask scheduler; give an executor and its width."""
    if scheduler is None:
        # Fresh processes: a fork of one whose threads hold locks may wait for ever.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                yield pool, workers
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ModuleNotFoundError(
            "a Dask scheduler needs Dask: pip install 'toposeg_lite[scale]'"
        ) from error
    with Client(scheduler, timeout="30s") as client:
        yield client.get_executor(), max(sum(client.nthreads().values()), 1)


def in_chunks(
    work: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    pool: Pool | None,
    *,
    chunk: int,
) -> Iterator[tuple[int, Result]]:
    """Yield how many items were worked on and the result, as each chunk of them is finished.

    Without a pool the work is done here.
    """
    parts = (items[start : start + chunk] for start in range(0, len(items), chunk))
    if pool is None:
        yield from ((len(part), work(part)) for part in parts)
        return
    run, width = pool
    waiting: dict[Any, int] = {}
    for part in parts:
        waiting[run.submit(work, part)] = len(part)
        while len(waiting) >= AHEAD * width:
            yield from _finished(waiting)
    while waiting:
        yield from _finished(waiting)


def _finished(waiting: dict[Any, int]) -> Iterator[tuple[int, Any]]:
    """Wait for the next calls that end, and yield what they return."""
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()
