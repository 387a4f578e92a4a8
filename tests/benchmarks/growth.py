"""How the cost of a pixel grows with the image: time beside sorting, and peak memory.

Images outgrow the caches on the way, and sorting feels it, too: so the growth of np.argsort in the
same turns, not a formula, is the measure. A job may grow at most `SLACK` times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from . import inputs, memory
from .harness import Call, Job, Row, measure

SLACK = 1.5
SORTING = "np.argsort"


def _pairs(image: np.ndarray) -> Callable[[], Any]:
    from toposeg_lite.topology import persistence_pairs

    return partial(persistence_pairs, image)


def _matching(image: np.ndarray, matching: str) -> Callable[[], Any]:
    from toposeg_lite.topology import match_pairs

    return partial(match_pairs, image, inputs.mask_pair(len(image))[1], matching=matching)


def _report(image: np.ndarray) -> Callable[[], Any]:
    from toposeg_lite.metrics import report

    return partial(report, *inputs.mask_pair(len(image)))


def _argsort(image: np.ndarray) -> Callable[[], Any]:
    return partial(np.argsort, image, axis=None)


#: Each makes a call without arguments of a likelihood; its truth is that of its size.
CONTENDERS: dict[str, Callable[[np.ndarray], Callable[[], Any]]] = {
    "persistence pairs": _pairs,
    "spatial matching": partial(_matching, matching="spatial"),
    "Betti matching": partial(_matching, matching="betti"),
    "metrics.report": _report,
    SORTING: _argsort,
}


def beside_sorting(name: str, size: int, rounds: int) -> Row:
    """Time a contender and np.argsort in turns."""
    image = inputs.likelihood(size)
    (row,) = measure(
        Job(
            name=f"{name} beside sorting",
            size=f"{size}x{size}",
            ours=Call(CONTENDERS[name](image)),
            peers={SORTING: Call(CONTENDERS[SORTING](image))},
        ),
        rounds,
    )
    return row


def growth_row(name: str, small: Row, large: Row, pixels: float) -> Row:
    """How many times longer a pixel takes in the larger image, of `pixels` times as many pixels."""
    ours, sorting = (
        (after or np.nan) / (before or np.nan) / pixels
        for before, after in ((small.ours, large.ours), (small.theirs, large.theirs))
    )
    return Row(
        job=f"growth of {name}, a pixel",
        size=f"{small.size} to {large.size}",
        unit="times",
        ours=ours,
        peer=SORTING,
        theirs=sorting,
        ratio=sorting / ours,
        required=1 / SLACK,
    )


def time_rows(rounds: int, sizes: tuple[int, ...] = (512, 1024, 2048, 4096)) -> Iterator[Row]:
    """The matchings from the smallest size to the largest; the pairs from each size to the next."""
    ends = (sizes[0], sizes[-1])
    for name, steps in {
        "persistence pairs": sizes,
        "spatial matching": ends,
        "Betti matching": ends,
    }.items():
        timed = {size: beside_sorting(name, size, rounds) for size in steps}
        yield from timed.values()
        for before, after in dict.fromkeys([*pairwise(steps), ends]):
            yield growth_row(name, timed[before], timed[after], (after / before) ** 2)


def report_row(rounds: int, size: int = 4096) -> Row:
    """All metrics of a pair of masks, which may take four times as long as a likelihood's pairs."""
    image, name = inputs.likelihood(size), "persistence pairs"
    (row,) = measure(
        Job(
            name="metrics.report",
            size=f"{size}x{size}",
            ours=Call(_report(image)),
            peers={name: Call(_pairs(image))},
            required={name: 1 / 4},
        ),
        rounds,
    )
    return row


def memory_rows(size: int = 2048) -> Iterator[Row]:
    """The peak of each contender beyond its input, beside sorting."""
    amounts = {name: memory.bytes_per_pixel(name, "likelihood", size) for name in CONTENDERS}
    sorting = amounts.pop(SORTING)
    for name, ours in amounts.items():
        yield Row(
            job=f"memory of {name}",
            size=f"{size}x{size}",
            unit="B/pixel",
            ours=ours,
            peer=SORTING,
            theirs=sorting,
            ratio=sorting / ours,
            required=None,
        )


def growth_rows(rounds: int) -> Iterator[Row]:
    """Return all rows of this module."""
    yield from time_rows(rounds)
    yield report_row(rounds)
    yield from memory_rows()
