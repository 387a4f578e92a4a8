"""Answers to the exercises of chapter 10: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import random

import numpy as np


def holm_solution(p_values):
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    corrected, least = [0.0] * len(p_values), 0.0
    for step, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - step)))
        corrected[place] = least
    return corrected


def bonferroni(p_values):
    return [min(1, p * len(p_values)) for p in p_values]


def without_maximum(p_values):
    order = np.argsort(p_values, kind="stable")
    corrected = np.zeros(len(p_values))
    corrected[order] = np.minimum(np.sort(p_values) * np.arange(len(p_values), 0, -1), 1)
    return corrected


def sorted_holm(p_values):
    return sorted(holm_solution(p_values))


def above_one(p_values):
    order = np.argsort(p_values, kind="stable")
    corrected = np.zeros(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    corrected[order] = np.maximum.accumulate(np.sort(p_values) * factors)
    return corrected


def persons_solution(groups, generator):
    persons = sorted(set(groups))
    drawn = generator.choice(persons, len(persons))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


def single_images(groups, generator):
    return generator.integers(len(groups), size=len(groups))


def without_replacement(groups, generator):
    return generator.permutation(len(groups))


def own_generator(groups, generator):
    return persons_solution(groups, np.random.default_rng(0))


def too_many(groups, generator):
    drawn = generator.choice(sorted(set(groups)), len(groups))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


def by_images(groups, generator):
    drawn = generator.choice(groups, len(set(groups)))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


def without_one(groups, generator):
    persons = sorted(set(groups))
    drawn = generator.choice(persons[1:], len(persons))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


def unseeded(groups, generator):
    return persons_solution(groups, np.random.default_rng())


def other_module(groups, generator):
    drawn = random.choices(sorted(set(groups)), k=len(set(groups)))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


RIGHT = {"10.1": 6 / 32, "10.2": holm_solution, "10.3": persons_solution}
WRONG = {
    "10.1": [
        (2 / 32, "more extreme"),
        (3 / 32, "one side"),
        (0.375, "sign test"),
        (0, "never 0"),
        (0.001, "never 0"),
        (0.06, "more extreme"),
        (0.094, "one side"),
        (0.38, "sign test"),
        (6, "Six flips is the right number"),
        (18.75, "between 0 and 1"),
        (-0.1, "between 0 and 1"),
        (float("nan"), "between 0 and 1"),
        (0.25, "8 of 32 flips"),
        ("all", "one number"),
    ],
    "10.2": [
        (bonferroni, "Bonferroni"),
        (without_maximum, "must not become smaller"),
        (sorted_holm, "in the order in which they came"),
        (above_one, "nothing above 1"),
        (lambda p: [0.5 for _ in p], "Holm's are"),
        (lambda p: 0.5, "as many numbers"),
        (lambda p: "p", "list of numbers"),
        (lambda p: p[9], "raised IndexError"),
    ],
    "10.3": [
        (single_images, "You sampled images"),
        (without_replacement, "ever comes twice"),
        (own_generator, "use the generator"),
        (too_many, "sample 5"),
        (by_images, "comes three times as often"),
        (
            without_one,
            "alike, 400 times in 400 samples; you sampled ann 0",
        ),
        (unseeded, "Two generators of the same seed"),
        (other_module, "Two generators of the same seed"),
        (lambda g, r: [[0], [1, 2]], "list of integers"),
        (lambda g, r: [0.5, 1], "list of integers"),
        (lambda g, r: [len(g)], "places 0 to 9"),
        (3, "function itself"),
    ],
}
