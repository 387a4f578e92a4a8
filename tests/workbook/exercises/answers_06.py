"""Answers to the exercises of chapter 06: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np

OPTIONS = {"of": "both", "saddle_level": 0.3}


def weighted(paths, min_persistence, cost):
    weight = [0.0] * len(cost)
    for path, worth in zip(paths, min_persistence, strict=True):
        for p in path:
            weight[p] = max(weight[p], worth)
    return sum(w * c for w, c in zip(weight, cost, strict=True)) / sum(weight)


def weigh(how, finish=lambda weight, cost: (weight * cost).sum() / weight.sum()):
    def rule(paths, min_persistence, cost):
        weight = np.zeros(len(cost))
        for path, worth in zip(paths, min_persistence, strict=True):
            how(weight, path, worth)
        return finish(weight, cost)

    return rule


def largest(weight, path, worth):
    weight[path] = np.maximum(weight[path], worth)


RIGHT = {
    "06.1": [0, -0.04, -0.14, -0.02, 0.04, 0.12],
    "06.2": OPTIONS,
    "06.3": weighted,
}
WRONG = {
    "06.1": [
        ([0, 0.04, 0.14, 0.02, -0.04, -0.12], "signs"),
        ([0, -0.2, -0.7, -0.1, 0.2, 0.6], "not their sum"),
        (np.array([0, -0.2, -0.7, -0.1, 0.2, 0.6]) / 6, "not over all"),
        (np.array([0.1, -0.2, -0.7, -0.1, 0.2, 0.6]) / 6, "slope"),
        ([0, -0.25, -2 / 3, -2 / 9, 0.25, 0.5], "by likelihood"),
        ([0, -0.2 / 3, -0.7 / 3, -0.1 / 3, 0, 0], "pixels of the truth"),
        ([0, -0.04, -0.14, -0.02, 0.04, 0.11], "5 of your 6"),
        ([0, 1], "list of six"),
        ("abc", "list of six"),
    ],
    "06.2": [
        ({}, "Only 1 of the wall's 5"),
        ({"min_persistence": 0}, "whose structures"),
        ({"of": "truth"}, "Only the prediction knows"),
        ({"of": "both", "structure": "patches"}, "divides nothing"),
        (OPTIONS | {"saddle_level": 0.7}, "A threshold takes it away"),
        (OPTIONS | {"min_persistence": 0.6}, "A threshold takes it away"),
        ({"of": "both"}, "two thresholds cuts"),
        ({"of": "both", "min_persistence": 0.0}, "two thresholds cuts"),
        (OPTIONS | {"dilation": 1}, "Widening"),
        ({"whose": "both"}, "does not take these"),
        ({"of": "all"}, "does not take these"),
        ("skeleton", "Give a dict"),
    ],
    "06.3": [
        (weigh(largest, lambda w, c: c[w > 0].mean()), "as before"),
        (weigh(np.add.at), "once for each branch"),
        (weigh(lambda w, path, worth: w.__setitem__(path, worth)), "overwrites"),
        (weigh(largest, lambda w, c: (w * c).sum()), "weighted sum"),
        (weigh(largest, lambda w, c: (w * w * c).sum() / w.sum()), "twice"),
        (
            lambda paths, worth, c: np.average([c[p].mean() for p in paths], weights=worth),
            "averaged over branches",
        ),
        (weigh(largest, lambda w, c: (w * c).sum() / (w > 0).sum()), "For a test with 1 branch"),
        (lambda paths, persistence, cost: cost, "Return one number"),
        (lambda paths, persistence, cost: cost[99], "IndexError"),
    ],
}
