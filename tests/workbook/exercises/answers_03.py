"""Answers to the exercises of chapter 03: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np


def with_index_error(*arguments):
    return [][1]


def to_diagonal(birth, death, matched):
    return (1, 0) if matched else ((birth + death) / 2, (birth + death) / 2)


def match_gain(birth, death):
    """Return what a match to (1, 0) saves; written as in the matching, not as in the checker."""
    return (birth - death) - (birth + death - 1) ** 2 / 2


RIGHT = {
    "03.1": [-0.1, -0.25, 0.25, 0],
    "03.2": lambda b, d: match_gain(b, d) > 0,
    "03.3": lambda b, d, matched: (1, 0) if matched else (b, b),
}
# Answer and a word of the hint that has to name the misconception.
WRONG = {
    "03.1": [
        ([0.1, 0.25, -0.25, 0], "signs are exchanged"),
        ([-0.2, -0.5, 0.5, 0], "divided by"),
        ([-0.1 * 0.09, -0.25 * 0.21, 0.25 * 0.16, 0], "by logit"),
        ([0, -0.25, 0.25, 0], "essential class is missing"),
        ([-0.1, 0.3, -0.2, 0], "matched both"),
        ([-0.1, -0.25, 0, 0], "3 of your 4"),
        ([-0.1, -0.25, 0.25], "four numbers"),
        ("much", "four numbers"),
    ],
    "03.2": [
        (lambda b, d: match_gain(b, d) <= 0, "other way round"),
        (lambda b, d: True, "rank"),
        (lambda b, d: (1 - b) ** 2 + d**2 < (b - d) ** 2 / 2, "stays alone, too"),
        (lambda b, d: np.hypot(1 - b, d) < (b - d) / 2**0.5 + 0.5**0.5, "took the distances"),
        (lambda b, d: b - d > 0.5, "choices differ"),
        (lambda b, d: 0.4, "True or False"),
        (with_index_error, "raised IndexError"),
        (True, "function itself"),
    ],
    "03.3": [
        (to_diagonal, "paper's target"),
        (lambda b, d, m: (1, 0) if m else (d, d), "only removes"),
        (lambda b, d, m: (1, 0) if m else (1, 1), "peak as well"),
        (lambda b, d, m: (0, 1) if m else (b, b), "exchanged"),
        (lambda b, d, m: (b, b), "change only the others"),
        (lambda b, d, m: (1, 0) if m else (b, d), "raising its death"),
        (lambda b, d, m: b, "two numbers"),
    ],
}
