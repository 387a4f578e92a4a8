"""Threads for kernels that release the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import Event, Lock, Thread
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import finalize

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = ["Background", "map_in_threads"]

# Set where nobody waits any more for what is done in the present context.
_UNWANTED: ContextVar[Event | None] = ContextVar("unwanted", default=None)


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
    After an error or an interrupt, or within a `Background` that is dropped, nobody takes another
    item. The call returns when the items in work are done, so that no thread is at work behind the
    caller's back.

    Examples
    --------
    >>> map_in_threads(abs, [-3, 2, -1], workers=2)
    [3, 2, 1]
    """
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    places = iter(range(len(items)))
    interrupted, unwanted = False, _UNWANTED.get() or Event()

    def work() -> None:
        # Items are taken in their order and always worked on, so of several errors the first
        # item's is known, whoever is faster.
        while not (errors or interrupted or unwanted.is_set()):
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
    if unwanted.is_set():
        raise RuntimeError("this work was stopped, for nobody waits for it")
    return [results[place] for place in range(len(items))]


class Background(Generic[Result]):
    """A call that a thread of its own works on, while its maker does something else.

    A `map_in_threads` within the call takes no further item once this object is dropped, or a
    `wait` for it interrupted: the thread then ends with the items in work.

    Examples
    --------
    >>> work = Background(lambda: sum(range(10)))
    >>> work.wait(), work.wait()
    (45, 45)
    """

    def __init__(self, call: Callable[[], Result]) -> None:
        # The thread knows what it needs, and not the object itself: that may be dropped.
        self._outcome = _Outcome(Lock(), Event(), [], [])
        self._outcome.at_work.acquire()
        finalize(self, self._outcome.unwanted.set)
        self._thread = Thread(target=_work, args=(call, self._outcome))
        self._thread.start()

    def wait(self) -> Result:
        """Return what the call returns, or raise what it raises; the same when asked again."""
        try:
            # An interrupted `join` may take the thread for dead, so it is not what is waited for.
            with self._outcome.at_work:
                self._thread.join()
        except BaseException:  # an interrupt
            self._outcome.unwanted.set()
            with self._outcome.at_work:
                self._thread.join()
            raise
        if self._outcome.errors:
            raise self._outcome.errors[0]
        return self._outcome.results[0]


class _Outcome(NamedTuple):
    """What a `Background` and its thread share."""

    at_work: Lock  # released by the thread at its end
    unwanted: Event
    results: list
    errors: list[BaseException]


def _work(call: Callable[[], Any], outcome: _Outcome) -> None:
    """Do what the thread of a `Background` does."""
    _UNWANTED.set(outcome.unwanted)
    try:
        outcome.results.append(call())
    except BaseException as error:
        outcome.errors.append(error)
    finally:
        outcome.at_work.release()
