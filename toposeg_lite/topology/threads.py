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
        raised here, for several items that of the first of them; an interrupt (anything that is no
        `Exception`) comes before all errors.

    Notes
    -----
    After an error or an interrupt nobody takes another item. The call returns when the items in
    work are done, so that no thread is at work behind the caller's back.

    Examples
    --------
    >>> map_in_threads(abs, [-3, 2, -1], workers=2)
    [3, 2, 1]
    """
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    places = iter(range(len(items)))
    interrupted = False

    def work() -> None:
        # Items are taken in their order and always worked on, so of several errors the first
        # item's is known, whoever is faster.
        while not errors and not interrupted:
            place = next(places, None)
            if place is None:
                return
            try:
                results[place] = function(items[place])
            except BaseException as error:
                errors[place] = error

    helpers = [Thread(target=work) for _ in range(min(workers, len(items)) - 1)]
    try:
        for helper in helpers:
            helper.start()
        work()
        for helper in helpers:
            helper.join()
    except BaseException as error:  # an interrupt between two items, or while others are waited for
        interrupted = True
        for helper in helpers:
            if helper.is_alive():
                helper.join()
        # Within `threading` itself it may come out as a RuntimeError of the locks there.
        if isinstance(error, RuntimeError) and isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    if errors:
        raise errors[min(errors, key=lambda place: (isinstance(errors[place], Exception), place))]
    return [results[place] for place in range(len(items))]
