"""Differences in topology: drawn by hand, held against the Betti numbers, and turned around."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from toposeg_lite.differences import KINDS, count_kinds, topology_differences
from toposeg_lite.metrics import betti_matching_error
from toposeg_lite.topology import betti_numbers


def mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


EMPTY = mask(".......", ".......", ".......", ".......", ".......")
LINE = mask(".......", "#######", ".......", ".......", ".......")
RING = mask("#####..", "#...#..", "#...#..", "#####..", ".......")


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        (LINE, LINE, []),
        (EMPTY, LINE, [("missing component", (1, 0))]),
        (LINE, EMPTY, [("spurious component", (1, 0))]),
        # One line in three pieces has two breaks, each marked at its own gap.
        (
            mask(".......", "##.##.#", ".......", ".......", "......."),
            LINE,
            [("break", (1, 2)), ("break", (1, 5))],
        ),
        # The other way round the same gaps are bridged where two lines should end.
        (
            LINE,
            mask(".......", "##.##.#", ".......", ".......", "......."),
            [("false merge", (1, 2)), ("false merge", (1, 5))],
        ),
        # A ring with a gap stays one component: what is missing is its hole.
        (
            mask("##.##..", "#...#..", "#...#..", "#####..", "......."),
            RING,
            [("missing hole", (1, 1))],
        ),
        (
            mask("#####..", "#####..", "#####..", "#####..", "......."),
            RING,
            [("missing hole", (1, 1))],
        ),
        (RING, mask("##.##..", "#...#..", "#...#..", "#####..", "......."),
         [("false hole", (1, 1))]),
        # A wall through the hole leaves one hole over, the first: the last is the partner.
        (mask("#####..", "#.#.#..", "#.#.#..", "#####..", "......."), RING,
         [("false hole", (1, 1))]),
        # All four pieces are one in the union: one pair of partners, and a piece left of either.
        (mask("#.######.."), mask("######.###"), [("break", (0, 1)), ("false merge", (0, 6))]),
        # An open bay at the border is no hole.
        (mask("#.....#", "#.....#", "#######", ".......", "......."),
         mask(".......", ".......", "#######", ".......", "......."), []),
    ],
)  # fmt: skip
def test_hand_drawn_differences(prediction, truth, expected):
    assert topology_differences(prediction, truth) == expected


ACROSS = mask(".........", ".........", "#########", ".........", ".........")


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        (ACROSS, ACROSS, []),
        # The line cuts the image into two regions; opened, it leaves one, and stays in one piece
        # with the frame. The upper region is the one left over: the last pixel is in the lower.
        (mask(".........", ".........", "####.####", ".........", "........."), ACROSS,
         [("missing hole", (0, 0))]),
        # A piece of the line is a break. It is nearest to the frame above, where the truth has
        # nothing; the gap is marked where the truth has its line.
        (mask(".........", ".........", "#...#...#", ".........", "........."), ACROSS,
         [("break", (2, 2)), ("missing hole", (0, 0))]),
        (mask(".......", ".......", "...#...", ".......", "......."), EMPTY,
         [("spurious component", (2, 3))]),
        # What touches the border is a part of the frame and encloses nothing.
        (mask("...#...", "...#...", ".......", ".......", "......."), EMPTY, []),
        (mask("..##...", "..##...", "...####", ".......", "......."), EMPTY,
         [("false hole", (0, 4))]),
        # Nothing is left of the region inside the frame: it has no partner.
        (np.ones((5, 7), bool), EMPTY, [("missing hole", (2, 2))]),
    ],
)  # fmt: skip
def test_hand_drawn_differences_within_a_frame(prediction, truth, expected):
    assert topology_differences(prediction, truth, border="closed") == expected


@pytest.mark.parametrize("connectivity", [1, None])
@pytest.mark.parametrize("shape", [(23, 31), (7, 9, 11)])
def test_with_a_frame_the_differences_are_what_the_metric_counts(shape, connectivity):
    rng = np.random.default_rng(4)
    for _ in range(20):
        prediction = blobs(rng, shape)
        for truth in (blobs(rng, shape), np.roll(prediction, 2, 1), prediction & blobs(rng, shape)):
            found = Counter(
                "hole" in d.kind
                for d in topology_differences(
                    prediction, truth, connectivity=connectivity, border="closed"
                )
            )
            for dimension in (0, len(shape) - 1):  # tunnels have no place
                assert found[dimension > 0] == betti_matching_error(
                    prediction, truth, dimension=dimension, connectivity=connectivity
                )


def test_connectivity_decides_whether_a_diagonal_breaks():
    diagonal, line = mask("#..", ".##"), mask("#..", "###")
    assert topology_differences(diagonal, line) == []
    assert [d.kind for d in topology_differences(diagonal, line, connectivity=1)] == ["break"]


def blobs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    noise = rng.random(shape)
    for axis in range(len(shape)):
        noise = noise + np.roll(noise, 1, axis)
    return noise > np.median(noise)


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, None])
@pytest.mark.parametrize("shape", [(23, 31), (7, 9, 11)])
def test_the_kinds_add_up_to_the_difference_of_the_betti_numbers(shape, connectivity, border):
    rng = np.random.default_rng(5)
    for _ in range(20):
        prediction, truth = blobs(rng, shape), blobs(rng, shape)
        found = Counter(d.kind for d in topology_differences(
            prediction, truth, connectivity=connectivity, border=border))  # fmt: skip
        ours = betti_numbers(prediction, connectivity=connectivity, border=border)
        wanted = betti_numbers(truth, connectivity=connectivity, border=border)
        assert set(found) <= set(KINDS)
        assert ours[0] - wanted[0] == (
            found["break"] + found["spurious component"]
            - found["false merge"] - found["missing component"]
        )  # fmt: skip
        assert ours[-1] - wanted[-1] == found["false hole"] - found["missing hole"]


def test_turning_prediction_and_truth_around_turns_the_kinds_around():
    other = dict(zip(KINDS, [KINDS[k] for k in (2, 3, 0, 1, 5, 4)], strict=True))
    rng = np.random.default_rng(6)
    for border in ("open", "closed") * 10:
        a, b = blobs(rng, (19, 26)), blobs(rng, (19, 26))
        forth = Counter(d.kind for d in topology_differences(a, b, border=border))
        back = Counter(other[d.kind] for d in topology_differences(b, a, border=border))
        assert forth == back


def test_a_difference_of_a_component_or_hole_lies_inside_it():
    rng = np.random.default_rng(7)
    for border in ("open", "closed") * 10:
        prediction, truth = blobs(rng, (19, 26)), blobs(rng, (19, 26))
        inside = {
            "spurious component": prediction & ~truth,
            "missing component": truth & ~prediction,
            "false hole": ~prediction,
            "missing hole": ~truth,
        }
        for kind, position in topology_differences(prediction, truth, border=border):
            assert kind not in inside or inside[kind][position]


def test_a_bridge_at_every_break_leaves_none():
    # The gaps of the spanning tree are one pixel wide here, so painting them mends the line.
    rng = np.random.default_rng(8)
    truth = np.zeros((9, 61), bool)
    truth[4] = True
    prediction = truth.copy()
    prediction[4, rng.choice(np.arange(2, 58, 3), 9, replace=False)] = False
    found = topology_differences(prediction, truth)
    assert [d.kind for d in found] == ["break"] * 9
    for _, position in found:
        prediction[position] = True
    assert np.array_equal(prediction, truth)


def test_no_difference_is_made_by_ignored_pixels():
    truth = np.zeros((7, 12), bool)
    truth[3] = True
    ignored = np.zeros_like(truth)
    ignored[1:6, 5:9] = True
    prediction = truth & (np.arange(12) != 6)  # a break, and a blob, inside
    prediction[1, 8] = True
    assert topology_differences(prediction, truth, ignored=ignored) == []
    prediction[3, 2] = False  # and a break outside
    assert topology_differences(prediction, truth, ignored=ignored) == [("break", (3, 2))]
    rng = np.random.default_rng(9)
    for border in ("open", "closed") * 5:
        prediction, truth, ignored = (blobs(rng, (19, 26)) for _ in range(3))
        found = topology_differences(prediction, truth, border=border, ignored=ignored)
        other = topology_differences(
            prediction ^ ignored, truth | ignored, border=border, ignored=ignored
        )
        assert found == other
        if border == "closed":
            error = betti_matching_error(prediction, truth, ignored=ignored)
            assert len(found) == error


def test_every_kind_is_counted_also_where_there_is_none():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(8):
        prediction, truth = (blobs(rng, (19, 26)) for _ in range(2))
        found += topology_differences(prediction, truth)
    counts = count_kinds(found)
    assert list(counts) == list(KINDS)
    assert counts == {kind: sum(d.kind == kind for d in found) for kind in KINDS}
    assert sum(counts.values()) == len(found) > 0
    assert count_kinds(iter([])) == dict.fromkeys(KINDS, 0)
