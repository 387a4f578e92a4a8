"""Answers to the exercises of chapter 08: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import heapq
import itertools

import numpy as np

from toposeg_lite.annotation.ridges import ridge_path
from toposeg_lite.calibration import entropy


def dijkstra(likelihood, start, stop, forbidden, *, reach=2, unit=False, low=None):
    """Return the cheapest way; reach 1: to 4 neighbours; unit: each step counts as long as 1."""
    likelihood = likelihood if low is None else np.where(forbidden, low, likelihood)
    cost, before, heap = 1 / (0.05 + likelihood), {}, [(0.0, start, start)]
    while stop not in before:
        paid, p, last = heapq.heappop(heap)
        if p in before:
            continue
        before[p] = last
        for i, j in itertools.product((-1, 0, 1), repeat=2):
            q = p[0] + i, p[1] + j
            inside = 0 <= q[0] < cost.shape[0] and 0 <= q[1] < cost.shape[1]
            if 0 < abs(i) + abs(j) <= reach and inside and (low is not None or not forbidden[q]):
                length = 1 if unit else np.hypot(i, j)
                heapq.heappush(heap, (paid + length * (cost[p] + cost[q]) / 2, q, p))
    way = [stop]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def free(likelihood, start, stop, forbidden):
    flat = ridge_path(likelihood, np.array([start, stop]), connectivity=2)
    return list(zip(*np.unravel_index(flat, likelihood.shape), strict=True))


def four(*arguments):
    return dijkstra(*arguments, reach=1)


def dear(*arguments):
    return dijkstra(*arguments, low=0.0)


def longest(likelihood, start, stop, forbidden):
    """Keep off, but take no notice of the likelihood."""
    return dijkstra(np.full(likelihood.shape, 0.5), start, stop, forbidden)


def pixels(p, outside, inside, seconds):
    return p * outside + (1 - p) * inside


def doubt(p, outside, inside, seconds):
    return p * (outside > 0) + (1 - p) * (inside > 0)


RIGHT = {
    "08.1": "DBEAC",
    "08.2": dijkstra,
    "08.3": lambda *known: pixels(*known) / known[-1],
}
WRONG = {
    "08.1": [
        ("ADEBC", "order of the entropy"),
        ("BDCEA", "order of the gain"),
        ("BEDAC", "D lies on both sides"),
        ("BCDAE", "most probably real"),
        ("CAEBD", "from behind"),
        ("DBECA", "The first 3 fit"),
        ("DBEA", "five letters"),
        (5, "five letters"),
    ],
    "08.2": [
        (free, "takes no notice"),
        (dear, "still crosses"),
        (four, "4 neighbours only"),
        (longest, "there is one for"),
        (lambda i, a, b, f: dijkstra(i, a, b, f)[1:], "begin with the start"),
        (lambda i, a, b, f: [a, b], "one of the 8 neighbours"),
        (lambda i, a, b, f: 3, "list of pixels"),
        (lambda i, a, b, f: [a, (a[0] + 0.5, a[1]), b], "list of pixels"),
        (lambda i, a, b, f: [][1], "raised IndexError"),
    ],
    "08.3": [
        (pixels, "worth *a second*"),
        (lambda *known: doubt(*known) / known[-1], "counts branches"),
        (doubt, "This is the doubt"),
        (lambda *known: entropy(known[0]) / known[-1], "does not know"),
        (lambda p, o, i, s: p * o / s, "rejection mends"),
        (lambda *known: -pixels(*known) / known[-1], "reversed"),
        (lambda p, o, i, s: o + i, "Expected wrong pixels"),
        (lambda p, o, i, s: 1.0, "one for each branch"),
        (lambda p, o, i, s: "abc", "array of numbers"),
    ],
}
