"""Answers to the exercises of chapter 14: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations


def share(done, of):
    return min(1.0, max(0.0, done / max(of, 1)))


def faded(step, start, warm_up, end, fade, weight):
    return weight * share(step - start + 1, warm_up) * (1 - share(step - end + 1, fade))


def late(step, start, warm_up, end, fade, weight, rise=0, fall=0):
    return weight * share(step - start + rise, warm_up) * (1 - share(step - end + fall, fade))


def smaller(step, start, warm_up, end, fade, weight):
    return weight * min(share(step - start + 1, warm_up), 1 - share(step - end + 1, fade))


def one_after_the_other(step, start, warm_up, end, fade, weight):
    if step < end:
        return weight * share(step - start + 1, warm_up)
    return weight * (1 - share(step - end + 1, fade))


RIGHT = {"14.1": 0.25, "14.2": "3412", "14.3": faded}
WRONG = {
    "14.1": [
        (0.214, "mean of the ratios"),
        (0.292, "mean of three weights"),
        (1, "multiplied"),
        (2, "That is the mean ratio"),
        (0.5, "pull alike"),
        (4, "Upside down"),
        (7, "is to be one half"),
        ("much", "one number"),
    ],
    "14.2": [
        ("1342", "P has paid"),
        ("3142", "Q's loss"),
        ("3421", "R's specks"),
        ([3, 4, 2, 1], "R's specks"),
        ("1111", "digits 1 to 4"),
        (3412.5, "digits 1 to 4"),
        ("", "digits 1 to 4"),
    ],
    "14.3": [
        (lambda step, start, warm, end, fade, w: w * share(step - start + 1, warm), "never falls"),
        (
            lambda step, start, warm, end, fade, w: w * (1 - share(step - end + 1, fade)),
            "begin late",
        ),
        (late, "Both begin one step late"),
        (lambda *case: late(*case, fall=1), "warm-up begins one step late"),
        (lambda *case: late(*case, rise=1), "fall begins one step late"),
        (smaller, "smaller of the two"),
        (one_after_the_other, "how far the warm-up had come"),
        (lambda *case: faded(*case[:-1], 1), "weight is not used"),
        (
            lambda step, start, warm, end, fade, w: (
                w * share(step - start + 1, warm) * share(step - end + 1, fade)
            ),
            "wrong way round",
        ),
        (lambda *case: 7, "it should be"),
        (lambda *case: [1, 2], "one number"),
        (lambda *case: [][0], "raised IndexError"),
        (0.5, "function itself"),
    ],
}
