"""Answers to the exercises of chapter 07: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np

from toposeg_lite.workbook.exercises import PENCIL_BRANCHES


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def product(p, s, t, level, temperature):
    return sigmoid((p - t) / temperature) * sigmoid((s - level) / temperature)


def mean_of_sigmoid(z, w, t):
    return (w * sigmoid(z / t)).sum() / w.sum()


RIGHT = {
    "07.1": [0.99, 0.73, 0.5, 0.12],
    "07.2": [0.6, -0.655, 0.75],
    "07.3": product,
    "07.4": 2,
    "07.5": mean_of_sigmoid,
}
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
        ([np.log(0.6), -0.655, 0.75], "logarithm of p(y)"),
        ([0.27, -0.655, 0.75], "multiplied"),
        ([1.2, -0.655, 0.75], "above 1"),
        ([0.6, np.log(0.6), 0.75], "is log p(y)"),
        ([0.6, np.log(0.27), 0.75], "is a sum"),
        ([0.6, 0.655, 0.75], "wrong sign"),
        ([0.6, -0.284, 0.75], "common logarithms"),
        ([0.6, -1.348, 0.75], "took a KL away"),
        ([0.6, -0.655, 0.5], "is the prior"),
        ([0.6, -0.655, 0.25], "high threshold"),
        ([0.6, -0.655, 0.9], "Bayes"),
        ([0.6, -0.655, 0.45], "divide it by p(y)"),
        ([0.6, -2, 3], "1 of the 3"),
        ([0.6], "list of 3"),
        ("many", "list of 3"),
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
    "07.4": [
        (0.5, "Upside down"),
        (1.2, "divided probabilities"),
        (3, "divided the odds"),
        (np.log(9), "one of the two log-odds"),
        (7, "Which number"),
        ("two", "one number"),
    ],
    "07.5": [
        (lambda z, w, t: sigmoid((w * z).sum() / w.sum() / t), "sigmoid of the mean"),
        (lambda z, w, t: (w * sigmoid(z / t)).sum(), "need not sum to 1"),
        (lambda z, w, t: sigmoid(z / t).mean(), "weigh them"),
        (lambda z, w, t: (w * sigmoid(z)).sum() / w.sum(), "not used"),
        (lambda z, w, t: (w * sigmoid(z)).sum() / w.sum() / t, "divided the probability"),
        (lambda z, w, t: (w * sigmoid(z * t)).sum() / w.sum(), "multiplied"),
        (lambda z, w, t: (w * (z > 0)).sum() / w.sum(), "how often"),
        (lambda z, w, t: 0.5, "it returns 0.500"),
        (lambda z, w, t: [0.1, 0.2], "one probability"),
        (lambda z, w, t: [][0], "raised IndexError"),
        (0.5, "function itself"),
    ],
}
