"""Answers to the exercises of chapter 12: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np


def predict(counts, seconds, workers, cores):
    time = np.multiply(seconds, workers)
    cost, start = np.polyfit(counts, time, 1, w=1 / time)
    return (start + cost * 10**6) / cores


def by_the_clock(counts, seconds, workers, cores):
    return predict(counts, seconds, np.ones(len(counts)), cores)


def absolute(counts, seconds, workers, cores):
    cost, start = np.polyfit(counts, np.multiply(seconds, workers), 1)
    return (start + cost * 10**6) / cores


def through_zero(counts, seconds, workers, cores):
    x = np.array(counts) / np.multiply(seconds, workers)
    return x.sum() / (x @ x) * 10**6 / cores


def one_core(counts, seconds, workers, cores):
    return predict(counts, seconds, workers, 1)


def start_once(counts, seconds, workers, cores):
    time = np.multiply(seconds, workers)
    cost, start = np.polyfit(counts, time, 1, w=1 / time)
    return start + cost * 10**6 / cores


RIGHT = {"12.1": (9, 8), "12.2": 100.04, "12.3": predict}
WRONG = {
    "12.1": [
        ((8, 9), "other way round"),
        ((8, 8), "halved the sum"),
        ((16, 16), "one worker alone"),
        ((12, 8), "like cards"),
        ((10, 8), "until when they are busy"),
        ((9, 9), "5, 4, 3, 2, 1, 1"),
        (9, "two numbers"),
        ("soon", "two numbers"),
    ],
    "12.2": [
        (140, "7 ms an image"),
        (104, "5.2 ms an image"),
        (5002, "one core"),
        (102, "is spread over the cores"),
        (2, "That is the start"),
        (1.67, "9000 further images"),
        (50, "9000 further images"),
        ("long", "one number"),
    ],
    "12.3": [
        (by_the_clock, "those of the clock"),
        (absolute, "squared *seconds*"),
        (through_zero, "through 0"),
        (one_core, "Now spread them"),
        (start_once, "The start, too"),
        (lambda *case: 7, "it should be"),
        (lambda *case: [1, 2], "one number"),
        (lambda *case: [][0], "raised IndexError"),
        (0.5, "function itself"),
    ],
}
