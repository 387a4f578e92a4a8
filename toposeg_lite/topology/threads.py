"""Threads for kernels that release the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = ["map_in_threads"]


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed by several threads.

    Parameters
    ----------
    function : callable
        What to do with an item; it pays where most of its time is spent without the GIL.
    items : sequence
        What to work on. Whoever is free takes the next one.
    workers : int
        How many threads work, the caller's included: a thread takes a tenth of a millisecond to
        start, a pool of them half a millisecond, and a kernel hardly more.

    Returns
    -------
    list
        The results in the order of the items, whoever computed them. What `function` raised is
        raised here, for several items that of the first of them.

    Examples
    --------
    >>> map_in_threads(abs, [-3, 2, -1], workers=2)
    [3, 2, 1]
    """
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    waiting = iter(range(len(items)))

    def work() -> None:
        for i in waiting:
            try:
                results[i] = function(items[i])
            except BaseException as error:
                errors[i] = error
                return

    helpers = [Thread(target=work) for _ in range(min(workers, len(items)) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[min(errors)]
    return [results[i] for i in range(len(items))]
