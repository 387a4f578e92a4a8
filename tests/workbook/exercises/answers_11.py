"""Answers to the exercises of chapter 11: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations


def clear(home, away, home_margin, away_margin, kept=None, of_all=False):
    agree = against = pairs = 0
    for a in range(len(home)):
        for b in range(a):
            pairs += 1
            here, there = home[a] - home[b], away[a] - away[b]
            counts = abs(here) > home_margin and abs(there) > away_margin
            if kept is not None:
                counts = kept(abs(here), abs(there), home_margin, away_margin)
            agree += counts and here * there > 0
            against += counts and here * there < 0
            if not counts and not of_all:
                pairs -= 1
    return (agree - against) / pairs if pairs else 0.0


def by(rule):
    return lambda *case: clear(*case, kept=rule)


def agreements(home, away, home_margin, away_margin):
    clear_pairs = [
        (home[a] - home[b]) * (away[a] - away[b]) > 0
        for a in range(len(home))
        for b in range(a)
        if abs(home[a] - home[b]) > home_margin and abs(away[a] - away[b]) > away_margin
    ]
    return sum(clear_pairs) / len(clear_pairs) if clear_pairs else 0


RIGHT = {"11.1": 4 / 10, "11.2": ("ADCB", "BCAD"), "11.3": clear}
WRONG = {
    "11.1": [
        (0.7, "part of the pairs that agree"),
        (0.3, "that contradict"),
        (-0.4, "Turned round"),
        (4, "divide by the number of pairs"),
        (0.2, "not twenty"),
        (0.6, "Spearman"),
        (0, "kept its place"),
        (7, "between -1 and 1"),
        (float("nan"), "between -1 and 1"),
        (0.8, "8 of ten"),
        ("high", "one number"),
    ],
    "11.2": [
        (("BCAD", "ADCB"), "exchanged"),
        (("BCDA", "DACB"), "worst loss"),
        (("ACDB", "BCAD"), "A removes 20 of 60"),
        (("ADCB", "ADCB"), "Away is not home"),
        (("ADCB", "BCDA"), "a fifth more specks"),
        (("ADCB", "CBAD"), "A removes 5"),
        ("ADCB", "two strings"),
        (("ADC", "BCA"), "two strings"),
        (("ADCB", 3), "two strings"),
        (["ADCB", "BCAD", "ABCD"], "two strings"),
    ],
    "11.3": [
        (by(lambda one, two, here, there: True), "over all pairs"),
        (by(lambda one, two, here, there: one > here), "margin at home alone"),
        (by(lambda one, two, here, there: two > there), "margin away alone"),
        (by(lambda one, two, here, there: one > here or two > there), "let one of them do"),
        (by(lambda one, two, here, there: one >= here and two >= there), "just the margin"),
        (by(lambda one, two, here, there: one > there and two > here), "exchanged"),
        (lambda *case: clear(*case, of_all=True), "not of all pairs"),
        (lambda *case: -clear(*case), "agreements are positive"),
        (agreements, "Take those away that contradict"),
        (lambda *case: 0.5, "it should be"),
        (lambda *case: "1", "it should be"),
        (lambda *case: "x", "one number"),
        (lambda home, away, here, there: 1 / 0, "raised ZeroDivisionError"),
        (0.5, "function itself"),
    ],
}
