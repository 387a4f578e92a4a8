"""Answers to the exercises of chapter 07: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np

from toposeg_lite.workbook.exercises import PENCIL_BRANCHES


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def product(p, s, t, level, temperature):
    return sigmoid((p - t) / temperature) * sigmoid((s - level) / temperature)


RIGHT = {"07.1": [0.99, 0.73, 0.5, 0.12], "07.2": 2, "07.3": product}
WRONG = {
    "07.1": [
        ([0.01, 0.27, 0.5, 0.88], "being dropped"),
        ([0.62, 0.52, 0.5, 0.45], "forgot to divide"),
        ([0.51, 0.5, 0.5, 0.5], "multiplied"),
        ([1, 1, 0, 0], "hard threshold"),
        ([1, 1, 1, 0], "hard threshold"),
        (sigmoid(PENCIL_BRANCHES / 0.1), "forgot to subtract"),
        ([0.99, 0.73, 0.4, 0.1], "2 of the 4"),
        ([0.5], "list of 4"),
        ("many", "list of 4"),
    ],
    "07.2": [
        (0.5, "Upside down"),
        (1.2, "divided probabilities"),
        (3, "divided the odds"),
        (np.log(9), "one of the two log-odds"),
        (7, "Which number"),
        ("two", "one number"),
    ],
    "07.3": [
        (lambda p, s, t, v, T: sigmoid((p - t) / T), "old rule"),
        (lambda p, s, t, v, T: sigmoid((s - v) / T), "the pass alone"),
        (lambda p, s, t, v, T: sigmoid((p - t) / T) * sigmoid((v - s) / T), "sign"),
        (lambda p, s, t, v, T: (sigmoid((p - t) / T) + sigmoid((s - v) / T)) / 2, "A mean"),
        (
            lambda p, s, t, v, T: 1 - (1 - sigmoid((p - t) / T)) * (1 - sigmoid((s - v) / T)),
            "one of the two",
        ),
        (lambda p, s, t, v, T: sigmoid((p - t) / T + (s - v) / T), "added the log-odds"),
        (lambda p, s, t, v, T: sigmoid((p - t) / T) * (s >= v), "cuts hard"),
        (lambda p, s, t, v, T: min(sigmoid((p - t) / T), sigmoid((s - v) / T)), "good rule"),
        (lambda p, s, t, v, T: sigmoid(min(p - t, s - v) / T), "good rule"),
        (lambda p, s, t, v, T: 0.5, "it returns 0.500"),
        (lambda p, s, t, v, T: [p, s], "one probability"),
        (lambda p, s, t, v, T: [][0], "raised IndexError"),
        (0.5, "function itself"),
    ],
}
