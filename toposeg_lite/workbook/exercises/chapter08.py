"""The checkers of chapter 08."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from skimage.graph import MCP, MCP_Geometric

from ...calibration import entropy
from .checking import (
    UNREADABLE,
    NotYetError,
    array_of,
    call,
    exercise,
    first_difference,
    pixel_of,
    refuse,
)

__all__ = ["PENCIL_QUEUE", "QueuedBranch"]


class QueuedBranch(NamedTuple):
    """What is known of a branch that may be asked about.

    Attributes
    ----------
    name : str
        A letter.
    probability : float
        That it is real.
    outside, inside : int
        How many of the pixels that it owns lie outside and inside the likelihood's mask.
    """

    name: str
    probability: float
    outside: int
    inside: int


PENCIL_QUEUE = (
    QueuedBranch("A", 0.5, 0, 6),
    QueuedBranch("B", 0.9, 8, 0),
    QueuedBranch("C", 0.9, 0, 40),
    QueuedBranch("D", 0.7, 3, 9),
    QueuedBranch("E", 0.2, 0, 4),
)
"""The branches of exercise 08.1. Each misconception puts them into another order."""


def _order(values: Any) -> list[str]:
    """Return the letters of `PENCIL_QUEUE`, the highest value first."""
    return [PENCIL_QUEUE[k].name for k in np.argsort(-np.asarray(values), kind="stable")]


@exercise("08.1")
def _queue_by_hand(answer: Any) -> str:
    """Check the letters of `PENCIL_QUEUE` in the order of doubt."""
    letters = [branch.name for branch in PENCIL_QUEUE]
    form = "the five letters in the order in which to ask, for instance 'ABCDE'"
    try:
        given = [str(letter).upper() for letter in answer]
    except TypeError:
        raise NotYetError(f"Give {form}.") from None
    if sorted(given) != letters:
        raise NotYetError(f"Give {form}.")
    _, p, outside, inside = (np.array(column) for column in zip(*PENCIL_QUEUE, strict=True))
    p, outside, inside = p.astype(float), outside.astype(int), inside.astype(int)
    doubt = p * (outside > 0) + (1 - p) * (inside > 0)
    misread = partial(refuse, given)
    misread(
        _order(entropy(p)),
        "This is the order of the entropy: what the model is unsure of. B is nearly surely real "
        "and not in the mask. What becomes of the mask if nobody asks about it?",
    )
    misread(
        _order(p * outside + (1 - p) * inside),
        "This is the order of the gain, which counts pixels. Here every branch counts once, "
        "however long it is.",
    )
    misread(
        _order(np.where(outside > 0, p, 1 - p)),
        "Nearly. D lies on both sides: if it is real, 3 pixels are to be added, and if not, 9 are "
        "to go. How probable is it that one of the two happens?",
    )
    misread(
        _order(p),
        "You ask first what is most probably real. C is, too, but all of it is in the mask: the "
        "answer changes nothing.",
    )
    misread(_order(-doubt), "This is the order from behind: the surest come first.")
    right = _order(doubt)
    if given != right:
        k = first_difference(given, right)
        raise NotYetError(
            f"The first {k} fit. For each branch: with which probability will the answer change "
            "the mask? p, if it is to be added; 1 - p, if it is to go; both, if it lies on both "
            "sides."
        )
    return "The mask's doubt, not the model's: D is wrong whatever it is, and B nearly surely."


def _cheapest(search: type, cost: np.ndarray, start: Any, stop: Any, full: bool) -> list[Any]:
    """Return the cheapest way between two pixels by scikit-image."""
    search_tree = search(cost, fully_connected=full)
    search_tree.find_costs([start], [stop])
    return search_tree.traceback(stop)


def _length(cost: np.ndarray, way: list[tuple[int, int]]) -> float:
    """Return what a way costs: each step its length, times the mean cost of its two pixels."""
    steps = [np.hypot(*np.subtract(p, q)) * (cost[p] + cost[q]) / 2 for p, q in pairwise(way)]
    return round(float(sum(steps)), 6)


@exercise("08.2")
def _keep_off(answer: Any) -> str:
    """Check a function (likelihood, start, stop, forbidden) -> pixels of the cheapest way."""
    ridge = np.full((9, 13), 0.05)
    ridge[4] = 0.9
    ridge[1, 2:11] = ridge[1:5, 2] = ridge[1:5, 10] = 0.7
    wall = np.zeros(ridge.shape, bool)
    wall[3:8, 6] = True  # the ridge is cut; a way round leads over the arch above
    noise = np.random.default_rng(8).random((12, 15)).round(3)
    spots = np.zeros(noise.shape, bool)
    spots[2:9, 4] = spots[5:12, 10] = True
    long = np.full((21, 9), 0.3)
    fence = np.zeros(long.shape, bool)
    fence[:20, 4] = True  # one hole, at the far end
    cases = [
        (ridge, (4, 0), (4, 12), wall),
        (noise, (6, 1), (7, 13), spots),
        (long, (0, 3), (0, 5), fence),
    ]
    ways = []
    for image, start, stop, forbidden in cases:
        given = call(answer, image.copy(), start, stop, forbidden.copy())
        try:
            way = list(map(pixel_of, given))
        except UNREADABLE:
            raise NotYetError(
                "Return a list of pixels (row, column), from start to stop."
            ) from None
        if not way or (way[0], way[-1]) != (start, stop):
            raise NotYetError("The way must begin with the start and end with the stop.")
        if any(max(abs(a - c), abs(b - d)) != 1 for (a, b), (c, d) in pairwise(way)):
            raise NotYetError("Each pixel of the way must be one of the 8 neighbours of the last.")
        ways.append(way)
    if any(case[3][p] for case, way in zip(cases, ways, strict=True) for p in way):
        refuse(
            ways,
            [_cheapest(MCP_Geometric, 1 / (0.05 + i), a, b, True) for i, a, b, _ in cases],
            "The way takes no notice of what is forbidden. Where in the loop could a pixel be "
            "left out?",
        )
        raise NotYetError(
            "The way still crosses what is forbidden. A likelihood of 0 there makes a step dear "
            "(20 times a likelihood of 1), but a long way round may be dearer. No way may lead "
            "through: leave such pixels out."
        )
    for (image, start, stop, forbidden), way in zip(cases, ways, strict=True):
        cost = 1 / (0.05 + image)
        cost[forbidden] = np.inf
        best = _length(cost, _cheapest(MCP_Geometric, cost, start, stop, True))
        length = _length(cost, way)
        if length > best:
            refuse(
                length,
                _length(cost, _cheapest(MCP_Geometric, cost, start, stop, False)),
                "Steps to the 4 neighbours only: diagonal steps are allowed, too.",
            )
            refuse(
                length,
                _length(cost, _cheapest(MCP, cost, start, stop, True)),
                "You count pixels. A diagonal step is longer than a straight one: the root of 2.",
            )
            raise NotYetError(
                f"The way keeps off, but it costs {length:.2f}, and there is one for {best:.2f}. "
                "Is the queue still asked for the cheapest pixel first?"
            )
    return "The line keeps off what was rejected, however long the way round."


@exercise("08.3")
def _gain_a_second(answer: Any) -> str:
    """Check a function (probability, outside, inside, seconds) -> number to rank by."""
    rng = np.random.default_rng(83)
    n = 12
    p = rng.uniform(0.02, 0.98, n).round(2)
    outside, inside = rng.integers(0, 30, n), rng.integers(0, 30, n)
    outside[:4], inside[4:8] = 0, 0
    seconds = (1.5 + rng.integers(0, 60, n) / 10).round(1)
    given = call(answer, p.copy(), outside.copy(), inside.copy(), seconds.copy())
    values = array_of(given, "Return an array of numbers, one for each branch.", float)
    if values.shape != (n,) or not np.isfinite(values).all():
        raise NotYetError("Return an array of finite numbers, one for each branch.")

    def order(numbers: np.ndarray) -> list[int]:
        return np.argsort(-np.round(numbers, 9), kind="stable").tolist()

    gain = p * outside + (1 - p) * inside
    doubt = p * (outside > 0) + (1 - p) * (inside > 0)
    given_order = order(values)
    misread = partial(refuse, given_order)
    misread(order(gain), "This is the gain of an answer. What is it worth *a second*?")
    misread(
        order(doubt / seconds),
        "This counts branches a second. Pixels are asked for: a long branch counts for more.",
    )
    misread(order(doubt), "This is the doubt. Neither pixels nor seconds count in it.")
    misread(
        order(entropy(p) / seconds),
        "The entropy tells what the model does not know, not what the mask has wrong.",
    )
    misread(
        order(p * outside / seconds),
        "That is what acceptance adds. A rejection mends, too: 1 - p times what lies inside.",
    )
    misread(order(-gain / seconds), "The highest number is asked first: this is reversed.")
    if given_order != order(gain / seconds):
        raise NotYetError(
            "Expected wrong pixels: p for each one outside, 1 - p for each one inside. Then divide "
            "by the time that the answer takes."
        )
    return "What a second mends: the greedy order for a person who is paid by the hour."
