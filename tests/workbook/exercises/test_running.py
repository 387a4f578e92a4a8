"""Functions that learners write: some return nothing, some never end, some let others work."""

from __future__ import annotations

import itertools
import threading
import time
from functools import partial

import gudhi
import numpy as np
import pytest
import torch
from workbook.exercises.test_checkers import RIGHT

from toposeg_lite.metrics import betti_error
from toposeg_lite.topology import morse_complex, persistence_pairs
from toposeg_lite.workbook.exercises import check, running
from toposeg_lite.workbook.figures import alive
from toposeg_lite.workbook.studies.statistics import holm

FUNCTIONS = [number for number, answer in RIGHT.items() if callable(answer)]
OTHERS = [number for number in RIGHT if number not in FUNCTIONS]


# --- Nothing is returned ------------------------------------------------------------------------


def documented(*arguments):
    """Return nothing."""
    return None


def empty(*arguments):
    pass


def nested():
    seen = 1

    def stub(*arguments):
        """A stub in a function, which sees its surroundings."""
        return None

    return stub, seen


@pytest.mark.parametrize("stub", [documented, empty, nested()[0], lambda *arguments: None])
def test_a_stub_is_known(stub):
    assert running.does_nothing(stub)
    assert check("03.2", stub).status == "not attempted"


@pytest.mark.parametrize("function", [lambda x: x, lambda x: len(x), print, [].sort, int])
def test_what_does_something_is_no_stub(function):
    assert not running.does_nothing(function)


@pytest.mark.parametrize("number", FUNCTIONS)
def test_a_function_that_computes_without_return_is_told_so(number):
    def forgetful(*arguments):
        RIGHT[number](*arguments)

    verdict = check(number, forgetful)
    assert verdict.status == "not yet"
    assert "Is a `return` missing" in verdict.text


@pytest.mark.parametrize("number", FUNCTIONS)
def test_a_branch_without_return_is_told_so(number):
    calls = itertools.count()

    def half(*arguments):
        if next(calls) != 1:
            return RIGHT[number](*arguments)

    verdict = check(number, half)
    if next(calls) > 1:  # it was called more than once
        assert "in one of its branches" in verdict.text
    else:
        assert number == "08.3"


def test_the_case_without_return_is_named_if_it_is_short():
    def unmatched_only(birth, death, matched):
        if not matched:
            return birth, birth

    assert "for (0.9, 0.0, True) it returned None" in check("03.3", unmatched_only).text
    assert "runs, but it returned None" in check("05.3", lambda *arguments: print(end="")).text


# --- What never ends ------------------------------------------------------------------------------


def loop(*arguments):
    while True:
        pass


def swallow(*arguments):
    while True:
        try:
            [][len(arguments)]
        except:  # noqa: E722, it is the point
            arguments = arguments[:1]


def sleep(*arguments):
    time.sleep(1e6)


def compute(*arguments):
    while True:
        np.linalg.inv(np.eye(40))


def endless(*arguments):
    yield from itertools.count()


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.3)


@pytest.mark.parametrize("number", FUNCTIONS)
def test_an_endless_loop_ends(number, hurried):
    verdict = check(number, loop)
    assert verdict.status == "not yet"
    assert "had not ended after 0.3 seconds. Which of its loops never ends?" in verdict.text


@pytest.mark.parametrize("function", [swallow, sleep, compute])
def test_so_does_whatever_else_has_no_end(function, hurried, monkeypatch):
    before = threading.active_count()
    monkeypatch.setattr(running, "_TRIES", 600)  # more, for a busy machine, before it is left
    if function is sleep:
        monkeypatch.setattr(running, "_TRIES", 2)  # nothing wakes it
    assert "had not ended" in check("02.3", function).text
    assert threading.active_count() == before + (function is sleep)


def test_the_clock_stands_while_numba_compiles(hurried):
    compiler = {"__name__": "numba.core.compiler", "sleep": time.sleep}
    exec("def compile(): sleep(1.0)", compiler)

    def first_call(image):
        compiler["compile"]()
        return RIGHT["02.3"](image)

    assert check("02.3", first_call).status == "correct"


def test_what_yields_without_end_is_cut():
    assert "yields without end" in check("02.3", endless).text
    assert check("02.3", lambda image: iter(RIGHT["02.3"](image))).status == "correct"


def test_recursion_without_end_is_an_error_like_others():
    def again(*arguments):
        return again(*arguments)

    assert "raised RecursionError" in check("02.3", again).text


@pytest.mark.parametrize("error", [SystemExit, StopIteration, GeneratorExit, MemoryError])
def test_whatever_is_raised_becomes_the_hint(error):
    def fail(*arguments):
        raise error

    assert f"Your function raised {error.__name__}." in check("02.3", fail).text


def test_an_interrupt_is_an_interrupt():
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("02.3", interrupted)


def test_what_is_set_around_a_checker_holds_in_the_function():
    def divide(image):
        assert np.geterr()["divide"] == "raise"
        return RIGHT["02.3"](image)

    with np.errstate(divide="raise"):
        assert check("02.3", divide).status == "correct"


# --- What lets others do the work -----------------------------------------------------------------


def counted_by_figures(pairs, threshold):
    return np.bincount(pairs.dimension[alive(pairs, threshold)], minlength=2)


def counted(pairs, threshold):
    essential = (pairs.dimension == 0) & (pairs.death_index < 0)
    living = (pairs.birth >= threshold) & ((pairs.death < threshold) | essential)
    return [(living & (pairs.dimension == k)).sum() for k in (0, 1)]


def holes_of_the_library(image):
    pairs = persistence_pairs(image, dimensions=[1], border="closed")
    return list(zip(pairs.birth, pairs.death, strict=True))


def holes_of_gudhi(image):
    framed = np.pad(np.pad(image, 1, constant_values=1.0), 1)
    cubes = gudhi.CubicalComplex(top_dimensional_cells=-framed)
    pairs = cubes.persistence(min_persistence=0)
    return [(-birth, -death) for k, (birth, death) in pairs if k == 1 and birth != death]


def by_patches(prediction, truth, patch):
    rows, columns = (range(0, n, patch) for n in truth.shape)
    return np.mean(
        [
            betti_error(*(mask[r : r + patch, c : c + patch] for mask in (prediction, truth)))
            for r, c in itertools.product(rows, columns)
        ]
    )


@pytest.mark.parametrize(
    ("number", "answer", "name"),
    [
        ("01.3", lambda a, b, patch: betti_error(a, b, patch=patch), "betti_error"),
        ("02.2", counted_by_figures, "figures.alive"),
        ("02.3", holes_of_the_library, "persistence_pairs"),
        ("02.3", RIGHT["02.3"], "persistence_pairs"),
        ("02.3", holes_of_gudhi, "gudhi"),
        ("05.3", lambda i, p, level: morse_complex(i).skeleton(p, level).mask, "MorseComplex.skel"),
        ("10.2", holm, "holm"),
    ],
)
def test_what_the_library_does_is_right_but_told(number, answer, name):
    verdict = check(number, answer)
    assert verdict.status == "correct"
    assert f"That was done by `{name}" in verdict.text
    assert "now write it without" in verdict.text


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("01.3", RIGHT["01.3"]),
        ("01.3", by_patches),  # only the whole exercise in one call is told
        ("02.2", counted),
        ("10.2", RIGHT["10.2"]),
        ("13.3", RIGHT["13.3"]),
    ],
)
def test_what_is_done_by_hand_is_not_told(number, answer):
    verdict = check(number, answer)
    assert verdict.status == "correct"
    assert "done by" not in verdict.text


# --- Whatever somebody answers --------------------------------------------------------------------

ODD = [
    "", "word", b"bytes", 0, -1, 2.5, 1j, np.nan, np.inf, 10**400, [], {}, set(), {"a": 1}, [None],
    [[]], [[1], [2, 3]], [None, None], [np.nan] * 4, ("a", "b", "c"), np.zeros(0), np.zeros((0, 3)),
    np.zeros((2, 2)), np.array("text"), np.array([object()]), torch.zeros(4, requires_grad=True),
    object(), range(3), np.datetime64("2020"), NotImplemented, Ellipsis, len, int,
]  # fmt: skip


@pytest.mark.parametrize("number", RIGHT)
def test_no_answer_makes_a_checker_crash(number):
    for answer in ODD:
        assert check(number, answer).status == "not yet", answer


@pytest.mark.parametrize("number", FUNCTIONS)
def test_no_returned_value_makes_a_checker_crash(number):
    for answer in ODD:
        assert check(number, lambda *arguments, value=answer: value).status == "not yet", answer
    for function in (partial(max, 1), np.sum, str, dict, torch.tensor):
        assert check(number, function).status == "not yet"
