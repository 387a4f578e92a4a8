"""Topograph: regions drawn by hand, a flood fill written out, and the law of its metric."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_batches import random_batch

from toposeg_lite.further_metrics import intersection_union_discrepancy
from toposeg_lite.losses import TopographLoss, topograph_loss
from toposeg_lite.losses.baselines.topograph import critical_regions


def pair(text):
    """Masks drawn in one: # both, + prediction alone, - truth alone, . neither."""
    rows = [line.split() for line in text.strip().splitlines()]
    return tuple(
        np.array([[cell in marks for cell in row] for row in rows]) for marks in ["#+", "#-"]
    )


#: By name: what is drawn, and the critical regions with connectivity 1 and 2 as sets of pixels.
DRAWN = {
    "a bump and a dent": ("""
        . . + . .
        # # # # #
        # # - # #
        . . - . .
        """, [], []),
    "a gap": ("""
        . . . . .
        # # - # #
        . . . . .
        """, [{(1, 2)}], [{(1, 2)}]),
    "a bridge": ("""
        # # . # #
        # # + # #
        # # . # #
        """, [{(1, 2)}], [{(1, 2)}]),
    "an island and a missing one": ("""
        . . . . .
        . + . - .
        . . . . .
        """, [{(1, 1)}, {(1, 3)}], [{(1, 1)}, {(1, 3)}]),
    "a false hole and a filled one": ("""
        # # # # #
        # - # + #
        # # # # #
        """, [{(1, 1)}, {(1, 3)}], [{(1, 1)}, {(1, 3)}]),
    "wrong on both sides, one beside the other: shifted, in two regions one of which closes": ("""
        # # # #
        # + - #
        # . . #
        # # # #
        """, [], []),
    "joined over a corner alone: one line with 8 neighbours, two with 4": ("""
        # # . . .
        . . + . .
        . . . # #
        """, [{(1, 2)}], [{(1, 2)}]),
    "two pixels over a corner are one region where the corner is free": ("""
        # . . .
        . + . .
        . . + .
        . . . #
        """, [{(1, 1)}, {(2, 2)}], [{(1, 1), (2, 2)}]),
    "over a corner of right foreground: a dent and a hole, or one dent": ("""
        . . . . .
        # # - # #
        # - # # #
        # # # # #
        . . . . .
        """, [], [{(2, 1)}]),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("connectivity", [1, 2])
def test_regions_by_hand(name, connectivity):
    text, *expected = DRAWN[name]
    found = critical_regions(*pair(text), connectivity)
    assert regions_of(found) == {frozenset(each) for each in expected[connectivity - 1]}


def regions_of(labels):
    """The pixels of each label, which are 1, 2, ... without a gap."""
    assert set(np.unique(labels)) - {0} == set(range(1, labels.max() + 1))
    return {frozenset(map(tuple, np.argwhere(labels == k))) for k in range(1, labels.max() + 1)}


# --- Written out --------------------------------------------------------------------------------

ASIDE = [(0, 1), (1, 0), (0, -1), (-1, 0)]
OVER_CORNERS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


def flood(pixels, neighbours):
    """The components of a set of pixels."""
    left, found = set(pixels), []
    while left:
        part = {left.pop()}
        front = list(part)
        while front:
            near = neighbours(front.pop()) & left
            left -= near
            part |= near
            front += near
        found.append(frozenset(part))
    return found


def moved(pixel, steps):
    return {(pixel[0] + down, pixel[1] + right) for down, right in steps}


def written_out(prediction, truth, connectivity):
    """The definition, pixel by pixel, on sets."""
    kinds = {}
    height, width = truth.shape
    for row, column in product(range(-1, height + 1), range(-1, width + 1)):
        inside = 0 <= row < height and 0 <= column < width
        p, t = (bool(m[row, column]) if inside else False for m in (prediction, truth))
        kinds[row, column] = "wrong" if p != t else "both" if p else "neither"
    free = "neither" if connectivity == 2 else "both"

    def joined(pixel):
        near = moved(pixel, ASIDE)
        for down, right in OVER_CORNERS:
            others = (pixel[0] + down, pixel[1]), (pixel[0], pixel[1] + right)
            if all(kinds.get(other) == free for other in others):
                near.add((pixel[0] + down, pixel[1] + right))
        return near

    steps = {1: ASIDE, 2: ASIDE + OVER_CORNERS}
    right = {
        kind: (flood((p for p in kinds if kinds[p] == kind), lambda p, s=s: moved(p, s)), s)
        for kind, s in (("both", steps[connectivity]), ("neither", steps[3 - connectivity]))
    }
    critical = set()
    for region in flood((p for p in kinds if kinds[p] == "wrong"), joined):
        for parts, s in right.values():
            around = set().union(*(moved(pixel, s) for pixel in region))
            if sum(bool(part & around) for part in parts) != 1:
                critical.add(region)
    return critical


def random_pair(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(rng.integers(1, 9, 2)) < rng.uniform(0.2, 0.8)
    return truth ^ (rng.random(truth.shape) < rng.uniform(0.02, 0.5)), truth


@given(st.integers(0, 2**32), st.sampled_from([1, 2]))
@settings(max_examples=200, deadline=None)
def test_regions_are_those_of_the_definition(seed, connectivity):
    prediction, truth = random_pair(seed)
    found = regions_of(critical_regions(prediction, truth, connectivity))
    assert found == written_out(prediction, truth, connectivity)


@given(st.integers(0, 2**32), st.sampled_from([1, 2]))
@settings(max_examples=300, deadline=None)
def test_none_is_critical_just_where_intersection_and_union_share_their_features(
    seed, connectivity
):
    prediction, truth = random_pair(seed)
    found = critical_regions(prediction, truth, connectivity).any()
    assert found == critical_regions(truth, prediction, connectivity).any()
    strict = intersection_union_discrepancy(prediction, truth, connectivity=connectivity)
    assert found == (strict > 0)


def test_the_law_meets_both_cases():
    strict = [intersection_union_discrepancy(*random_pair(seed)) for seed in range(60)]
    assert 10 < sum(each > 0 for each in strict) < 50


# --- Values -------------------------------------------------------------------------------------


def test_values_by_hand():
    """A gap of two pixels, an island of one, a bump that costs nothing."""
    logits = torch.tensor(
        [[[[9, -1, -3, 9.0], [-9, -9, 2, -9], [-9, -9, -9, -9], [5, -9, -9, -9]]]]
    )
    target = torch.tensor([[[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    one, three, five, two = (1 / (1 + np.exp(-z)) for z in (1.0, 3.0, 5.0, 2.0))
    # With 8 neighbours the 2 under the gap joins it; both sides and the sky above: one region.
    logits[0, 0, 1, 2] = -9
    assert topograph_loss(logits, target).item() == pytest.approx((one + three) / 2 + five)
    assert topograph_loss(logits, target, aggregation="sum").item() == pytest.approx(
        one + three + five
    )
    logits[0, 0, 1, 2] = 2
    assert topograph_loss(logits, target).item() == pytest.approx((one + three + two) / 3 + five)
    assert not topograph_loss(20 * (target[:, None] - 0.5), target)


def test_several_classes_are_averaged_and_what_is_said_is_the_likeliest_class():
    logits = torch.tensor([[[3.0, 0, 0]], [[0, 2, 1]], [[0, 1, 4]]])[None]  # says 0, 1, 2
    target = torch.tensor([[[1, 1, 2]]])
    softmax = logits.softmax(1)[0, :, 0]
    # Class 1: (0, 0) is missed, which is an end; class 2 is right.
    assert topograph_loss(logits, target).item() == 0
    target = torch.tensor([[[1, 0, 2]]])
    # Class 1: (0, 0) is missed, and (0, 1) an island, together one region without right foreground.
    expected = (softmax[0, 0] + softmax[1, 1]).item() / 2 / 2
    assert topograph_loss(logits, target).item() == pytest.approx(expected)


def test_the_gradient_pushes_what_is_said_in_critical_regions_alone():
    logits, target = random_batch(5, (3, 1, 20, 24), torch.float64)
    logits.requires_grad_()
    TopographLoss(reduction="sum")(logits, target).backward()
    for b in range(3):
        score = logits[b, 0].detach().numpy()
        regions = critical_regions(score > 0, target[b].numpy() == 1, 2)
        sizes = np.bincount(regions.ravel())
        p = 1 / (1 + np.exp(-score))
        expected = np.where(regions > 0, np.sign(score) * p * (1 - p) / sizes[regions], 0)
        np.testing.assert_allclose(logits.grad[b, 0], expected, atol=1e-12)


def test_a_pixel_that_nobody_labelled_joins_regions_and_does_not_count():
    """A gap of three pixels, the middle one ignored: the mean is of the other two."""
    logits = torch.tensor([[[[9.0, -1, 9, -3, 9]]]], requires_grad=True)
    target = torch.tensor([[[1, 1, 255, 1, 1]]])
    loss = topograph_loss(logits, target, ignore_index=255)
    one, three = (1 / (1 + np.exp(-z)) for z in (1.0, 3.0))
    assert loss.item() == pytest.approx((one + three) / 2)
    loss.backward()
    assert logits.grad[0, 0, 0, 2] == 0
