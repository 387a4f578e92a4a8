"""Threads share the work, keep the order and hand on errors."""

from __future__ import annotations

import os
import random
import signal
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
    before = set(threading.enumerate())

    def fail(x):
        if x in (3, 4):
            raise ValueError(f"item {x}")
        return x

    for workers in (1, 2, 4):
        with pytest.raises(ValueError, match="item 3"):
            map_in_threads(fail, list(range(9)), workers)
        assert set(threading.enumerate()) <= before


def test_after_an_error_nobody_takes_another_item():
    failed, taken = threading.Event(), []

    def work(x):
        taken.append(x)
        if x == 0:
            failed.set()
            raise ValueError("item 0")
        failed.wait(timeout=20)
        time.sleep(0.05)  # until the other thread has noted its error

    with pytest.raises(ValueError, match="item 0"):
        map_in_threads(work, list(range(50)), workers=2)
    assert sorted(taken) in ([0], [0, 1])


def test_the_first_items_error_is_raised_even_if_a_later_one_fails_first():
    later_has_failed = threading.Event()

    def fail(x):
        if x == 0:
            later_has_failed.wait(timeout=20)
            time.sleep(0.05)
        else:
            later_has_failed.set()
        raise ValueError(f"item {x}")

    with pytest.raises(ValueError, match="item 0"):
        map_in_threads(fail, list(range(9)), workers=2)


def test_an_interrupt_comes_before_an_error():
    together = threading.Barrier(2)

    def work(x):
        together.wait(timeout=20)
        raise (ValueError if x == 0 else KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, [0, 1], workers=2)


def send_interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("moment", "workers"),
    [
        *(("at work", workers) for workers in (1, 2, 4)),
        *(("waiting for others", workers) for workers in (2, 4)),
    ],
)
def test_after_ctrl_c_the_call_returns_within_an_item(moment, workers):
    before, main, taken = set(threading.enumerate()), threading.main_thread(), []

    def work(x):
        taken.append(x)
        if x == 0:
            threading.Timer(0.1, send_interrupt).start()
        if moment == "waiting for others" and threading.current_thread() is main:
            return
        for _ in range(30):  # in small parts, so that the main thread sees the signal
            time.sleep(0.01)

    count = workers if moment == "waiting for others" else 100
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, list(range(count)), workers)
    assert time.perf_counter() - start < 5
    assert len(taken) <= 2 * workers
    assert len(set(threading.enumerate()) - before) <= 1  # the timer may be about to end


# Where Python collects a thread that has ended, Python itself prints an interrupt and goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_no_thread_at_work():
    fired, raised, rng = False, 0, random.Random(0)

    def handle(*_):
        nonlocal fired
        fired = True
        raise KeyboardInterrupt

    def share_until_interrupted():
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 3e-3))
        while not fired:
            map_in_threads(lambda x: sum(range(100)), range(20), 3)

    def at_work():
        return [thread for thread in threading.enumerate() if thread.is_alive()]

    before, previous = at_work(), signal.signal(signal.SIGALRM, handle)
    try:
        for _ in range(200):
            fired = False
            try:
                share_until_interrupted()
            except KeyboardInterrupt:
                raised += 1
            for _ in range(100):  # one that was just being started sees that there is no work
                if at_work() == before:
                    break
                time.sleep(0.01)
            assert at_work() == before
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert raised > 190


def test_where_no_more_threads_can_be_started_those_that_were_end(monkeypatch):
    started, taken = [], []

    class Scarce(threading.Thread):
        def start(self):
            if started:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    def work(x):
        taken.append(x)
        time.sleep(0.1)

    monkeypatch.setattr(threads, "Thread", Scarce)
    with pytest.raises(RuntimeError, match="can't start"):
        map_in_threads(work, range(100), 3)
    assert len(taken) <= 2
    assert not started[0].is_alive()
