"""Checkers: the reference passes, the stub is neutral, wrong answers get hints of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toposeg_lite.exercises import (
    PENCIL_IMAGE,
    PENCIL_STRIP,
    PENCIL_STRIP_TRUTH,
    check,
    checking,
)
from toposeg_lite.figures import alive
from toposeg_lite.losses import topological_loss
from toposeg_lite.topology import match_pairs, persistence_pairs

PENCIL = [(0, 0.9, 0.0), (0, 0.8, 0.6), (0, 0.8, 0.4), (1, 0.3, 0.1)]


def rows(pairs):
    return list(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))


def count(living):
    def answer(pairs, t):
        kind = pairs.dimension[living(pairs, t)]
        return (kind == 0).sum(), (kind == 1).sum()

    return answer


def framed(pad, **options):
    def answer(image):
        pairs = persistence_pairs(np.pad(image, 1, constant_values=pad), dimensions=[1], **options)
        return [(b, d) for _, b, d in rows(pairs)]

    return answer


def essential(pairs):
    return pairs.death_index < 0


def with_index_error(*arguments):
    return [][1]


def to_diagonal(birth, death, matched):
    return (1, 0) if matched else ((birth + death) / 2, (birth + death) / 2)


def match_gain(birth, death):
    """Return what a match to (1, 0) saves; written as in the matching, not as in the checker."""
    return (birth - death) - (birth + death - 1) ** 2 / 2


REFERENCE = {
    "02.1": PENCIL,
    "02.2": count(alive),
    "02.3": framed(1.0),
    "02.4": 0.1,
    "03.1": [-0.1, -0.25, 0.25, 0],
    "03.2": lambda b, d: match_gain(b, d) > 0,
    "03.3": lambda b, d, matched: (1, 0) if matched else (b, b),
}
STUBS = {
    "02.1": None,
    "02.2": lambda p, t: None,
    "02.3": lambda image: None,
    "02.4": None,
    "03.1": None,
    "03.2": lambda b, d: None,
    "03.3": lambda b, d, matched: None,
}
# Answer and a word of the hint that has to name the misconception.
WRONG = {
    "02.1": [
        (rows(persistence_pairs(PENCIL_IMAGE, connectivity=1)), "4 neighbours"),
        ([(0, 0.0, 0.1), (0, 0.0, 0.1), (0, 0.0, 1.0), (0, 0.1, 0.2), (1, 0.5, 0.9)], "sublevel"),
        ([(k, d, b) for k, b, d in PENCIL], "exchanged"),
        (PENCIL[1:], "essential"),
        (rows(persistence_pairs(PENCIL_IMAGE, border="closed")), "closed border"),
        ([*PENCIL[:3], (1, 0.4, 0.1)], "3 of your 4 dots"),
        ([], "0 of your 0 dots"),
        ("abc", "list of tuples"),
        (7, "list of tuples"),
        ([(0, 0.9)], "list of tuples"),
        ([(0, 0.9, 0.0, 1)] * 3, "list of tuples"),
    ],
    "02.2": [
        (count(lambda p, t: (p.birth > t) & ((p.death < t) | essential(p))), "equals its birth"),
        (count(lambda p, t: (p.birth >= t) & ((p.death <= t) | essential(p))), "equals its death"),
        (count(lambda p, t: (p.birth >= t) & (p.death < t)), "Nearly"),
        (count(lambda p, t: alive(p, t) & ~essential(p)), "left the essential class out"),
        (lambda p, t: count(alive)(p, t)[::-1], "Components come first"),
        (lambda p, t: (0, 0), "of a test image"),
        (lambda p, t: (np.nan, 0), "of a test image"),
        (lambda p, t: 3, "a pair"),
        (with_index_error, "raised IndexError"),
        ((1, 0), "function itself"),
    ],
    "02.3": [
        (framed(0.0), "open border"),
        (framed(1.0, connectivity=1), "4 neighbours"),
        (lambda i: [(d, b) for b, d in framed(1.0)(i)], "exchanged"),
        (lambda i: sorted(framed(1.0)(i))[:-1], "frame itself"),
        (lambda i: [], "Put a frame of value 1"),
        (with_index_error, "raised IndexError"),
    ],
    "02.4": [
        (0.05, "one value"),
        (0.025, "halved"),
        (0.2, "more than is needed"),
        (0.07, "too little"),
        ("much", "one number"),
    ],
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


def test_every_exercise_is_tested():
    here = {number for number in checking._CHECKERS if number[:2] in ("02", "03")}
    assert here == set(REFERENCE) == set(STUBS) == set(WRONG)


@pytest.mark.parametrize("number", REFERENCE)
def test_reference_passes(number):
    assert check(number, REFERENCE[number]).status == "correct"


@pytest.mark.parametrize("number", STUBS)
def test_stub_is_neutral(number):
    verdict = check(number, STUBS[number])
    assert verdict.status == "not attempted"
    assert repr(verdict).startswith(f"{number} not attempted. ")


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [(number, *case) for number, cases in WRONG.items() for case in cases],
)
def test_wrong_answers_get_the_hint_that_fits(number, answer, word):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


@pytest.mark.parametrize("number", WRONG)
def test_hints_differ(number):
    hints = [check(number, answer).text for answer, word in WRONG[number] if "list of" not in word]
    assert len(set(hints)) >= len(hints) - 1
    assert len(set(hints)) >= 2


def test_order_and_number_type_do_not_matter():
    shuffled = [tuple(np.float32(x) for x in row) for row in PENCIL[::-1]]
    assert check("02.1", np.array(shuffled)).status == "correct"
    assert check("02.4", np.float64(0.1)).status == "correct"


def test_the_gradient_of_the_strip_is_that_of_the_library():
    logits = torch.tensor(PENCIL_STRIP[None, None]).logit().requires_grad_()
    loss = topological_loss(logits, torch.from_numpy(PENCIL_STRIP_TRUTH)[None])
    (slopes,) = torch.autograd.grad(loss, logits)
    by_likelihood = slopes.numpy().ravel() / (PENCIL_STRIP * (1 - PENCIL_STRIP)).ravel()
    assert check("03.1", by_likelihood).status == "correct"


@pytest.mark.parametrize(("birth", "death"), [(0.9, 0.8), (0.9, 0.1), (0.6, 0.3), (0.3, 0.05)])
def test_a_match_is_worth_it_where_the_library_makes_it(birth, death):
    hole = np.full((3, 3), birth)
    hole[1, 1] = death
    made = match_pairs(hole, np.arange(9).reshape(3, 3) != 4, matching="wasserstein")
    holes = made.prediction.dimension[made.matched[:, 0]] == 1
    assert holes.any() == REFERENCE["03.2"](birth, death)


def test_an_image_given_by_reference_is_not_changed():
    before = PENCIL_IMAGE.copy()
    check("02.3", lambda image: image.fill(1) or [])
    np.testing.assert_array_equal(PENCIL_IMAGE, before)
