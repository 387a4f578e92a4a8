"""The chapter on annotating: its figures and its checkers."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest

from toposeg_lite import figures
from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.annotation.ridges import ridge_path
from toposeg_lite.calibration import entropy
from toposeg_lite.exercises import PENCIL_QUEUE, check

PATHS = [np.array([0, 1, 2]), np.array([10]), np.array([5, 6])]

# --- Figures ----------------------------------------------------------------------------------


def test_branches_are_drawn_where_they_are_the_highest_last_and_widest():
    ax = figures.branches_by_value(np.eye(4), PATHS, [0.9, 0.1, 0.5], label="doubt", chosen=0)
    (lines,) = ax.collections
    drawn = [segment.tolist() for segment in lines.get_segments()]
    assert drawn == [[[1.5, 2], [2.5, 2]], [[1, 1], [2, 1]], [[0, 0], [1, 0], [2, 0]]]
    assert lines.get_array().tolist() == [0.1, 0.5, 0.9]
    assert np.allclose(lines.get_linewidths(), [1.2, 2.0, 2.8])
    (arrow,) = ax.texts
    assert arrow.xy == (1, 0)
    figure = ax.get_figure()
    assert [other.get_ylabel() for other in figure.axes if other is not ax] == ["doubt"]


def test_curves_are_named_with_their_mean_height():
    curves = {"doubt": ([0, 1, 4], [8, 2, 2]), "mine": ([0, 4], [8, 4])}
    ax = figures.order_curves(curves, ylabel="errors")
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["doubt: 2.75", "mine: 6"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[8, 2, 2], [8, 4]]
    assert ax.lines[0].get_color() == figures.ORDER_STYLES["doubt"][0]
    styles = list(figures.ORDER_STYLES.values())
    assert len({colour for colour, _ in styles}) == len({marker for _, marker in styles}) == 7


def test_areas_are_drawn_in_parts_of_the_control():
    areas = {"doubt": [1.0, 6.0], "random": [2.0, 8.0], "gain": [4.0, 8.0]}
    ax = figures.order_areas(areas)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["doubt", "gain"]
    _, doubt, mean, gain, _ = ax.lines
    assert doubt.get_xdata().tolist() == [0.5, 0.75]
    assert list(mean.get_xdata()) == [0.625, 0.625]
    assert gain.get_xdata().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: figures.branches_by_value(np.eye(4), PATHS, [1.0], label=""), "each of the 3"),
        (lambda: figures.branches_by_value(np.eye(4), [], [np.nan], label=""), "each of the 0"),
        (
            lambda: figures.branches_by_value(np.eye(4), [], [], label="", limits=(1, 1)),
            "limits must rise",
        ),
        (lambda: figures.branches_by_value(np.eye(4), [], [], label="", chosen=0), "chosen"),
        (lambda: figures.order_curves({}, ylabel=""), "one at least"),
        (lambda: figures.order_curves({"a": ([0, 1], [2])}, ylabel=""), "'a' must have as many"),
        (lambda: figures.order_areas({"a": [1.0]}), "control must be one of a"),
        (lambda: figures.order_areas({"random": [0.0]}), "above zero"),
        (lambda: figures.order_areas({"random": [1.0], "a": [1.0, 2.0]}), "for each image"),
    ],
)
def test_figures_refuse_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()


# --- Exercises --------------------------------------------------------------------------------


def dijkstra(likelihood, start, stop, forbidden, *, reach=2, unit=False, low=None):
    """Return the cheapest way; reach 1: to 4 neighbours; unit: each step counts as long as 1."""
    likelihood = likelihood if low is None else np.where(forbidden, low, likelihood)
    cost, before, heap = 1 / (0.05 + likelihood), {}, [(0.0, start, start)]
    while stop not in before:
        paid, p, last = heapq.heappop(heap)
        if p in before:
            continue
        before[p] = last
        for i, j in itertools.product((-1, 0, 1), repeat=2):
            q = p[0] + i, p[1] + j
            inside = 0 <= q[0] < cost.shape[0] and 0 <= q[1] < cost.shape[1]
            if 0 < abs(i) + abs(j) <= reach and inside and (low is not None or not forbidden[q]):
                length = 1 if unit else np.hypot(i, j)
                heapq.heappush(heap, (paid + length * (cost[p] + cost[q]) / 2, q, p))
    way = [stop]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def free(likelihood, start, stop, forbidden):
    flat = ridge_path(likelihood, np.array([start, stop]), connectivity=2)
    return list(zip(*np.unravel_index(flat, likelihood.shape), strict=True))


def four(*arguments):
    return dijkstra(*arguments, reach=1)


def dear(*arguments):
    return dijkstra(*arguments, low=0.0)


def longest(likelihood, start, stop, forbidden):
    """Keep off, but take no notice of the likelihood."""
    return dijkstra(np.full(likelihood.shape, 0.5), start, stop, forbidden)


def pixels(p, outside, inside, seconds):
    return p * outside + (1 - p) * inside


def doubt(p, outside, inside, seconds):
    return p * (outside > 0) + (1 - p) * (inside > 0)


REFERENCE = {
    "08.1": "DBEAC",
    "08.2": dijkstra,
    "08.3": lambda *known: pixels(*known) / known[-1],
}
STUBS = {"08.1": None, "08.2": lambda *known: None, "08.3": lambda *known: None}
WRONG = {
    "08.1": [
        ("ADEBC", "order of the entropy"),
        ("BDCEA", "order of the gain"),
        ("BEDAC", "D lies on both sides"),
        ("BCDAE", "most probably real"),
        ("CAEBD", "from behind"),
        ("DBECA", "The first 3 fit"),
        ("DBEA", "five letters"),
        (5, "five letters"),
    ],
    "08.2": [
        (free, "takes no notice"),
        (dear, "still crosses"),
        (four, "4 neighbours only"),
        (longest, "there is one for"),
        (lambda i, a, b, f: dijkstra(i, a, b, f)[1:], "begin with the start"),
        (lambda i, a, b, f: [a, b], "one of the 8 neighbours"),
        (lambda i, a, b, f: 3, "list of pixels"),
        (lambda i, a, b, f: [][1], "raised IndexError"),
    ],
    "08.3": [
        (pixels, "worth *a second*"),
        (lambda *known: doubt(*known) / known[-1], "counts branches"),
        (doubt, "This is the doubt"),
        (lambda *known: entropy(known[0]) / known[-1], "does not know"),
        (lambda p, o, i, s: p * o / s, "rejection mends"),
        (lambda *known: -pixels(*known) / known[-1], "reversed"),
        (lambda p, o, i, s: o + i, "Expected wrong pixels"),
        (lambda p, o, i, s: 1.0, "one for each branch"),
        (lambda p, o, i, s: "abc", "array of numbers"),
    ],
}


@pytest.mark.parametrize("number", REFERENCE)
def test_reference_passes(number):
    assert check(number, REFERENCE[number]).status == "correct"


@pytest.mark.parametrize("number", STUBS)
def test_stub_is_neutral(number):
    assert check(number, STUBS[number]).status == "not attempted"


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
    hints = {word: check(number, answer).text for answer, word in WRONG[number]}
    assert len(set(hints.values())) >= len(hints) - 1  # two ways to give what is no queue


def test_only_the_order_of_doubt_passes():
    right = [
        "".join(order)
        for order in itertools.permutations("ABCDE")
        if check("08.1", "".join(order)).status == "correct"
    ]
    assert right == ["DBEAC"]
    assert check("08.1", list("dbeac")).status == "correct"


def test_the_doubt_of_the_exercise_is_that_of_a_session():
    # A row for each branch, as many pixels inside and outside the mask as the exercise says.
    image = np.zeros((9, 41))
    for k, (_, _, outside, inside) in enumerate(PENCIL_QUEUE):
        image[2 * k, :inside] = 0.6
        image[2 * k, inside : inside + outside] = 0.45  # so near that no ridge is cut off
        image[2 * k, [0, inside + outside - 1]] += 0.03
    session = AnnotationSession(image, image, min_persistence=0.0)
    for k, (_, _, outside, inside) in enumerate(PENCIL_QUEUE):
        branch = session.nearest((2 * k, 1), reach=0)
        p = session.probability[branch]
        wanted = p * (outside > 0) + (1 - p) * (inside > 0)
        assert session.doubt[branch] == pytest.approx(wanted)
