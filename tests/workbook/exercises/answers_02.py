"""Answers to the exercises of chapter 02: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np

from toposeg_lite.topology import persistence_pairs
from toposeg_lite.workbook.exercises import PENCIL_IMAGE
from toposeg_lite.workbook.figures import alive

PENCIL = [(0, 0.9, 0.0), (0, 0.8, 0.6), (0, 0.8, 0.4), (1, 0.3, 0.1)]


def rows(pairs):
    return list(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))


def count(living):
    def answer(pairs, t):
        kind = pairs.dimension[living(pairs, t)]
        return (kind == 0).sum(), (kind == 1).sum()

    return answer


def framed(pad, **options):
    def answer(image):
        pairs = persistence_pairs(np.pad(image, 1, constant_values=pad), dimensions=[1], **options)
        return [(b, d) for _, b, d in rows(pairs)]

    return answer


def essential(pairs):
    return pairs.death_index < 0


def with_index_error(*arguments):
    return [][1]


RIGHT = {
    "02.1": PENCIL,
    "02.2": count(alive),
    "02.3": framed(1.0),
    "02.4": 0.1,
}
# Answer and a word of the hint that has to name the misconception.
WRONG = {
    "02.1": [
        (rows(persistence_pairs(PENCIL_IMAGE, connectivity=1)), "4 neighbours"),
        ([(0, 0.0, 0.1), (0, 0.0, 0.1), (0, 0.0, 1.0), (0, 0.1, 0.2), (1, 0.5, 0.9)], "sublevel"),
        ([(k, d, b) for k, b, d in PENCIL], "exchanged"),
        (PENCIL[1:], "essential"),
        (rows(persistence_pairs(PENCIL_IMAGE, border="closed")), "closed border"),
        ([*PENCIL[:3], (1, 0.4, 0.1)], "3 of your 4 dots"),
        ([], "0 of your 0 dots"),
        ("abc", "list of tuples"),
        (7, "list of tuples"),
        ([(0, 0.9)], "list of tuples"),
        ([(0, 0.9, None), *PENCIL[1:]], "by convention"),
        ([(0, 0.9, 0.0, 1)] * 3, "list of tuples"),
    ],
    "02.2": [
        (count(lambda p, t: (p.birth > t) & ((p.death < t) | essential(p))), "equals its birth"),
        (count(lambda p, t: (p.birth >= t) & ((p.death <= t) | essential(p))), "equals its death"),
        (count(lambda p, t: (p.birth >= t) & (p.death < t)), "Nearly"),
        (count(lambda p, t: alive(p, t) & ~essential(p)), "left the essential class out"),
        (lambda p, t: count(alive)(p, t)[::-1], "Components come first"),
        (lambda p, t: (0, 0), "of a test image"),
        (lambda p, t: (np.nan, 0), "of a test image"),
        (lambda p, t: 3, "a pair"),
        (with_index_error, "raised IndexError"),
        ((1, 0), "function itself"),
    ],
    "02.3": [
        (framed(0.0), "open border"),
        (framed(1.0, connectivity=1), "4 neighbours"),
        (lambda i: [(d, b) for b, d in framed(1.0)(i)], "exchanged"),
        (lambda i: sorted(framed(1.0)(i))[:-1], "frame itself"),
        (lambda i: [], "Put a frame of value 1"),
        (with_index_error, "raised IndexError"),
    ],
    "02.4": [
        (0.05, "one value"),
        (0.025, "halved"),
        (0.2, "more than is needed"),
        (0.07, "too little"),
        ("much", "one number"),
    ],
}
