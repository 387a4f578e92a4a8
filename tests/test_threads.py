"""Threads share the work, keep the order and hand on errors."""

from __future__ import annotations

import threading

import pytest

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
