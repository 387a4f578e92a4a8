"""Threads share the work, keep the order and hand on errors."""

from __future__ import annotations

import threading
import time

import pytest

from toposeg_lite.topology import threads
from toposeg_lite.topology.threads import map_in_threads


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_results_come_in_the_order_of_the_items(count, workers):
    assert map_in_threads(lambda x: 3 * x, list(range(count)), workers) == [
        3 * x for x in range(count)
    ]


def test_as_many_threads_as_wanted_work_at_the_same_time():
    everyone = threading.Barrier(3)
    seen = map_in_threads(
        lambda _: (everyone.wait(timeout=20), threading.get_ident())[1], [0, 1, 2], workers=3
    )
    assert len(set(seen)) == 3
    assert threading.get_ident() in seen


@pytest.mark.parametrize(
    ("workers", "count", "wanted"), [(1, 5, 0), (3, 5, 2), (5, 3, 2), (4, 0, 0)]
)
def test_no_more_threads_start_than_there_is_work_for(workers, count, wanted, monkeypatch):
    started = []

    class Counted(threading.Thread):
        def start(self):
            started.append(self)
            super().start()

    monkeypatch.setattr(threads, "Thread", Counted)
    assert map_in_threads(abs, range(-count, 0), workers) == list(range(count, 0, -1))
    assert len(started) == wanted


def test_an_item_that_takes_longer_keeps_its_place():
    last_is_done = threading.Event()

    def work(x):
        if x == 0:
            last_is_done.wait(timeout=20)
            time.sleep(0.01)  # until the other thread has noted its result
        else:
            last_is_done.set()
        return x

    assert map_in_threads(work, [0, 1], workers=2) == [0, 1]


def test_a_thread_that_failed_takes_no_more_items():
    taken = []

    def fail(x):
        taken.append(x)
        if x == 2:
            raise ValueError("item 2")

    with pytest.raises(ValueError, match="item 2"):
        map_in_threads(fail, list(range(9)), workers=1)
    assert taken == [0, 1, 2]


def test_of_two_errors_the_first_items_is_raised():
    together = threading.Barrier(2)

    def fail(x):
        together.wait(timeout=20)
        raise ValueError(f"item {x}")

    with pytest.raises(ValueError, match="item 0"):
        map_in_threads(fail, [0, 1], workers=2)


def test_an_interrupt_in_another_thread_is_raised_here():
    together, here = threading.Barrier(2), threading.get_ident()

    def work(_):
        together.wait(timeout=20)
        if threading.get_ident() != here:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, [0, 1], workers=2)


def test_the_first_items_error_is_raised_after_all_threads_have_ended():
    before = threading.active_count()

    def fail(x):
        if x in (3, 4):
            raise ValueError(f"item {x}")
        return x

    for workers in (1, 2, 4):
        with pytest.raises(ValueError, match="item 3"):
            map_in_threads(fail, list(range(9)), workers)
        assert threading.active_count() == before
