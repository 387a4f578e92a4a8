"""Answers to the exercises of chapter 09: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np


def verdict(arm, control, margin=0.01):
    changes = [a - c for a, c in zip(arm, control, strict=True)]
    mean, least = sum(changes) / len(changes), margin * sum(control) / len(control)
    down, up = sum(c < 0 for c in changes), sum(c > 0 for c in changes)
    if mean < -least and down > up:
        return "better"
    if mean > least and up > down:
        return "worse"
    return "no clear difference"


def by_mean(arm, control):
    mean, least = np.mean(arm) - np.mean(control), 0.01 * np.mean(control)
    return "better" if mean < -least else "worse" if mean > least else "no clear difference"


def by_images(arm, control):
    up = np.sign(np.subtract(arm, control)).sum()
    return "better" if up < 0 else "worse" if up > 0 else "no clear difference"


RIGHT = {"09.1": "2134", "09.2": 0.2, "09.3": verdict}
WRONG = {
    "09.1": [
        ("1234", "P's two networks"),
        ("2314", "Q looked at the test images"),
        ("2143", "R's tiles"),
        ("1111", "digits 1 to 4"),
        ("", "digits 1 to 4"),
    ],
    "09.2": [
        (0.4, "pays .013"),
        (0.05, "not to grow"),
        (0.1, "fewer errors"),
        (0, "the control"),
        (7, "of the table"),
        ("the second", "one number"),
    ],
    "09.3": [
        (lambda arm, control: verdict(control, arm), "Upside down"),
        (
            lambda arm, control: {"better": "worse", "worse": "better"}.get(
                verdict(arm, control), "no clear difference"
            ),
            "Upside down",
        ),
        (by_mean, "mean alone"),
        (by_images, "images alone"),
        (lambda arm, control: verdict(arm, control, 0), "within one per cent"),
        (lambda arm, control: "better", "it should be"),
        (lambda arm, control: True, "Return one of"),
        (lambda arm, control: np.array(["better", "worse"]), "Return one of"),
        (lambda arm, control: [][0], "raised IndexError"),
        ("better", "function itself"),
    ],
}
