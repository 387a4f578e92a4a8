"""The checkers of chapter 02."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...topology.persistence import PersistencePairs, persistence_pairs
from ..figures import alive
from .checking import (
    NotYetError,
    Rows,
    call,
    diagram_of,
    dots_of,
    exercise,
    first_difference,
    number_of,
    refuse,
    rows_of,
)
from .running import Shortcuts, always

__all__ = ["PENCIL_IMAGE"]

PENCIL_IMAGE = (
    np.array(
        [
            [0, 0, 7, 1, 8],
            [0, 0, 7, 2, 6],
            [0, 4, 5, 9, 0],
            [6, 1, 3, 0, 0],
            [0, 8, 0, 0, 0],
        ]
    )
    / 10
)
"""The image of exercise 02.1. It has a different diagram under each misconception."""


@exercise("02.1")
def _diagram_by_hand(answer: Any) -> str:
    """Check a diagram of `PENCIL_IMAGE`, given as a list of (dimension, birth, death)."""
    rows = diagram_of(answer, 3, "a list of tuples (dimension, birth, death)")
    pairs = persistence_pairs(PENCIL_IMAGE)
    right = dots_of(pairs)
    below = persistence_pairs(1 - PENCIL_IMAGE)
    sublevel = [(k, round(1 - b, 6), round(1 - d, 6)) for k, b, d in dots_of(below)]
    border = persistence_pairs(PENCIL_IMAGE, border="closed")
    misread = partial(refuse, rows)
    misread(
        dots_of(persistence_pairs(PENCIL_IMAGE, connectivity=1)),
        "This is the diagram with 4 neighbours. Here pixels that touch by a corner are "
        "connected, too.",
    )
    misread(
        sorted(sublevel),
        "These are sublevel sets: you let the threshold rise. Here it falls from 1 to 0, "
        "and bright pixels come first.",
    )
    misread(
        sorted((k, d, b) for k, b, d in right),
        "Birth and death are exchanged. The threshold falls, so a birth is the larger number.",
    )
    misread(
        dots_of(pairs[pairs.death_index >= 0]),
        "The essential class is missing: the oldest component never merges into another "
        "one. Its death is set to 0.",
    )
    misread(
        dots_of(border),
        "This is the diagram with a closed border. Here the outside is background, so a "
        "valley that reaches the border is no hole.",
    )
    if rows != right:
        good = sum(min(rows.count(row), right.count(row)) for row in set(right))
        raise NotYetError(
            f"{good} of your {len(rows)} dots belong to the diagram, which has {len(right)}. "
            "List the peaks first; then ask for each, at which threshold it meets a higher one."
        )
    return "Three components, one of them essential, and one hole that closes over corners."


@exercise("02.2")
def _count_alive(answer: Any) -> str:
    """Check a function (pairs, threshold) -> (b0, b1)."""
    form = "a pair (number of components, number of holes)"
    generator = np.random.default_rng(2)
    images = [PENCIL_IMAGE, generator.integers(0, 6, (7, 9)) / 5]
    cases = [(persistence_pairs(image), t) for image in images for t in np.unique(image)[::-1]]

    def counts(rule: Callable[[PersistencePairs, float], np.ndarray]) -> list[tuple[int, ...]]:
        kinds = [pairs.dimension[rule(pairs, t)] for pairs, t in cases]
        return [tuple(np.bincount(kind, minlength=2).tolist()) for kind in kinds]

    right = counts(alive)
    shortcuts, answers = Shortcuts({"figures.alive": (alive, always)}), []
    for pairs, t in cases:
        result = call(answer, pairs, float(t), shortcuts=shortcuts)
        answers.append(rows_of([result], 2, form)[0])
    misread = partial(refuse, answers)
    misread(
        counts(lambda p, t: (p.birth > t) & ((p.death < t) | (p.death_index < 0))),
        "At the threshold that equals its birth a feature is there already: the superlevel "
        "set holds the pixels at or above the threshold.",
    )
    misread(
        counts(lambda p, t: (p.birth >= t) & ((p.death <= t) | (p.death_index < 0))),
        "At the threshold that equals its death a feature is gone: the pixel that ends it "
        "has entered the superlevel set.",
    )
    misread(
        counts(lambda p, t: (p.birth >= t) & (p.death < t)),
        "Nearly: at threshold 0 the whole image is foreground, and its one component is "
        "essential. Essential classes have death_index -1 and never die.",
    )
    misread(
        counts(lambda p, t: alive(p, t) & (p.death_index >= 0)),
        "You left the essential class out; its death_index is -1, but it is as alive as "
        "the others.",
    )
    misread([row[::-1] for row in right], "Components come first, holes second.")
    if answers != right:
        k = first_difference(answers, right)
        pairs, t = cases[k]
        raise NotYetError(
            f"At threshold {t:.1f} of a test image there are {right[k]} alive among "
            f"{len(pairs)} pairs; you found {answers[k]}. A pair is alive from its birth, down to "
            "but not including its death."
        )
    return shortcuts.remark(
        "Counting dots gives the Betti numbers of every superlevel set at once."
    )


@exercise("02.3")
def _holes_in_a_frame(answer: Any) -> str:
    """Check a function image -> [(birth, death), ...] of holes under a closed border."""
    form = "a list of tuples (birth, death)"
    generator = np.random.default_rng(3)
    images = [PENCIL_IMAGE, generator.integers(1, 10, (4, 6)) / 10, np.full((2, 3), 0.4)]

    def holes(**options: Any) -> list[Rows]:
        return [dots_of(persistence_pairs(i, dimensions=[1], **options), False) for i in images]

    right = holes(border="closed")
    shortcuts = Shortcuts({"persistence_pairs": (persistence_pairs, always)}, ("gudhi",))
    given = [call(answer, image.copy(), shortcuts=shortcuts) for image in images]
    answers = [rows_of(each, 2, form) for each in given]
    misread = partial(refuse, answers)
    misread(
        [sorted((d, b) for b, d in rows) for rows in right],
        "Birth and death are exchanged: the threshold falls, so a birth is the larger number.",
    )
    misread(
        holes(border="open"),
        "These are the holes of an open border. The frame has to be foreground from the "
        "beginning: which value is that?",
    )
    misread(
        holes(border="closed", connectivity=1),
        "This is right for 4 neighbours of the foreground. With 8, a hole has to be a "
        "component of the background with 4.",
    )
    misread(
        [rows[: rows.index(max(rows))] + rows[rows.index(max(rows)) + 1 :] for rows in right],
        "One is missing: the frame itself is a ring, born at 1, around the whole image.",
    )
    if answers != right:
        k = first_difference(answers, right)
        raise NotYetError(
            f"For the image {images[k].tolist()} the holes are {right[k]}; you found {answers[k]}. "
            "Put a frame of value 1 around the image first, and only then the outside."
        )
    return shortcuts.remark("A frame of foreground closes what the border cuts off into loops.")


@exercise("02.4")
def _safe_persistence(answer: Any) -> str:
    """Check the persistence above which no dot is made by noise of amplitude 0.05 alone."""
    value = round(number_of(answer, "Give one number."), 6)
    refuse(
        value,
        0.05,
        "That is how far one value can move. A dot has two coordinates: how far can they "
        "move apart?",
    )
    refuse(
        value,
        0.025,
        "A birth can rise by the whole amplitude, and a death can fall by it: nothing is halved.",
    )
    if value != 0.1:
        larger = "more than is needed" if value > 0.1 else "too little"
        raise NotYetError(
            f"{value:g} is {larger}. Start from a dot on the diagonal; let noise lift its birth "
            "as far as it can, and lower its death as far as it can."
        )
    return "Noise alone makes no dot with a persistence above twice its amplitude."
