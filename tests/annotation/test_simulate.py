"""The simulated annotator: how branches are judged, orders, curves and their areas."""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite import metrics
from toposeg_lite.annotation import (
    AnnotationCurve,
    AnnotationSession,
    judge_branches,
    simulate_annotator,
)


def read(text):
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[0 if c == "." else int(c) / 10 for c in row] for row in rows])


# Two vessels, a real gap (3) in the upper one, a false bridge (6) between them, a false speck (8).
IMAGE = read("""
    . . . . . . . . . . . . . . .
    . 9 8 6 9 3 8 9 6 7 8 9 8 . .
    . . . . . . . . . 6 . . . . .
    . . . . . . . . . 5 . . . . .
    . . . . . . . . . 6 . . . . .
    . 9 7 6 8 9 8 6 7 8 9 6 9 . .
    . . . . . . . . . . . . . . .
    . . . . . . . . . . . . . . .
    . . . . 8 . . . . . . . . . .
    . . . . . . . . . . . . . . .
""")
TRUTH = np.zeros(IMAGE.shape, bool)
TRUTH[1, 1:13] = TRUTH[5, 1:13] = True


def begin(path=None, **options):
    return AnnotationSession(IMAGE, IMAGE, path, radius=0, **options)


def at(session, *pixel):
    return session.nearest(pixel, reach=0)


def scores_of(mask, truth=TRUTH, **options):
    labels = options.pop("labels", "foreground")
    return {
        "betti_matching_error": metrics.betti_matching_error(mask, truth, **options),
        "cldice": metrics.cldice(mask, truth),
        "variation_of_information": metrics.variation_of_information(
            mask, truth, labels=labels, **options
        ),
    }


# --- Judging -------------------------------------------------------------------------------------


def test_a_branch_is_real_if_three_quarters_of_its_pixels_lie_on_the_truth():
    session = begin()
    bridge, gap = at(session, 3, 9), at(session, 1, 5)
    real = judge_branches(session, TRUTH)
    assert not real[bridge]
    assert not real[at(session, 8, 4)]
    assert real[gap]
    assert real.sum() == len(real) - 2
    line = at(session, 1, 8)
    pixels = session.branches.own_paths[line].tolist()
    assert len(pixels) == 3
    assert len(session.branches.paths[line]) == 4  # one more belongs to another branch
    truth = TRUTH.copy()
    truth.ravel()[pixels[0]] = False
    assert judge_branches(session, truth, share=0.66)[line]
    assert not judge_branches(session, truth)[line]
    assert judge_branches(session, truth, tolerance=1)[line]
    truth.ravel()[pixels[1]] = False
    assert not judge_branches(session, truth, share=0.66)[line]
    assert not judge_branches(session, np.zeros_like(truth), tolerance=9).any()
    assert judge_branches(session, np.zeros_like(truth), share=0).all()


@pytest.mark.parametrize("order", ["doubt", "persistence"])
def test_what_is_half_real_may_be_left_as_it_is(order):
    session = begin()
    truth = TRUTH.copy()
    truth[5, 5:9] = False  # of the branches 8 6 9 and 9 8 6 7 8, a half and less is real
    shares = [truth.ravel()[path].mean() for path in session.branches.own_paths]
    states = {}
    for mixed in ("reject", "leave"):
        curve = simulate_annotator(session, truth, order=order, mixed=mixed)
        assert sorted(curve.branches.tolist()) == list(range(len(shares)))  # each is asked about
        work = session.copy()
        for k, part in enumerate(shares):
            if part >= 0.75:
                work.accept(k)
            elif part <= 0.25 or mixed == "reject":
                work.reject(k)
        states[mixed] = int((work.decisions == 0).sum())
        for name, value in scores_of(work.mask(), truth).items():
            assert curve.scores[name][-1] == value
    assert states == {"reject": 0, "leave": sum(0.25 < part < 0.75 for part in shares)}
    assert states["leave"] > 0


# --- Reaching the truth --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", ["uncertainty", "doubt", "gain", "persistence", "random", "pixel-entropy"]
)
def test_every_order_ends_at_the_truth(order):
    session = begin()
    curve = simulate_annotator(session, TRUTH, order=order)
    count = len(session.branches)
    assert curve.order == order
    assert curve.clicks.tolist() == list(range(count + 1))
    assert sorted(curve.branches.tolist()) == list(range(count))
    for name, values in curve.scores.items():
        assert values[0] == scores_of(session.mask())[name] != values[-1]
        assert values[-1] == (1 if name == "cldice" else 0)


def test_the_perfect_order_needs_as_many_clicks_as_there_are_errors():
    session = begin()
    errors = [at(session, 1, 5), at(session, 3, 9), at(session, 8, 4)]
    rest = [k for k in range(len(session.branches)) if k not in errors]
    curve = simulate_annotator(session, TRUTH, order=errors + rest)
    assert curve.order == "given"
    assert curve.branches.tolist() == errors + rest
    topology = curve.scores["betti_matching_error"]
    assert (np.diff(topology[:4]) < 0).any()
    assert not topology[3:].any()
    assert (curve.scores["cldice"][3:] == 1).all()
    # No order has a smaller area.
    for order in ("uncertainty", "persistence", "random", "pixel-entropy"):
        other = simulate_annotator(session, TRUTH, order=order)
        assert other.area("variation_of_information") >= curve.area("variation_of_information")


def test_scores_are_those_of_the_mask_after_each_click():
    session = begin()
    curve = simulate_annotator(session, TRUTH, order="random", seed=3, labels="background")
    real = judge_branches(session, TRUTH)
    rows = [scores_of(session.mask(), labels="background")]
    for branch in curve.branches:
        (session.accept if real[branch] else session.reject)(branch)
        rows.append(scores_of(session.mask(), labels="background"))
    for name, values in curve.scores.items():
        assert values.tolist() == [row[name] for row in rows]


def test_the_connectivity_is_that_of_the_metrics():
    diagonal = np.eye(6) * 0.9
    session = AnnotationSession(diagonal, diagonal)
    one, two = (
        simulate_annotator(session, np.eye(6, dtype=bool)[::-1], connectivity=c) for c in (1, 2)
    )
    assert one.scores["variation_of_information"][0] != two.scores["variation_of_information"][0]


def test_what_is_decided_stays_and_the_session_is_left_alone(tmp_path):
    session = begin(tmp_path / "a.jsonl")
    gap, wrong = at(session, 1, 5), at(session, 8, 4)
    session.accept([gap, wrong])
    content, decisions = session.path.read_bytes(), session.decisions
    for order in ("uncertainty", "random", [0, wrong, 1]):
        curve = simulate_annotator(session, TRUTH, order=order)
        assert not {gap, wrong} & set(curve.branches.tolist())
        assert curve.scores["variation_of_information"][-1] > 0
    assert session.path.read_bytes() == content
    assert np.array_equal(session.decisions, decisions)
    session.close()


# --- Orders --------------------------------------------------------------------------------------


def test_uncertainty_follows_the_queue_as_it_is_made_anew():
    session = begin()
    real = judge_branches(session, TRUTH)
    curve = simulate_annotator(session, TRUTH)
    first = session.queue()
    asked = []
    while queue := session.queue():
        asked.append(queue[0])
        (session.accept if real[queue[0]] else session.reject)(queue[0])
    assert curve.branches.tolist() == asked != first


def test_gain_asks_first_where_the_mask_is_expected_to_be_wrong():
    session = begin(mask_threshold=0.55)
    inside = (IMAGE >= 0.55).ravel()
    wanted = []
    for path, p in zip(session.branches.own_paths, session.probability, strict=True):
        wanted.append(sum(1 - p if inside[pixel] else p for pixel in path))
    assert np.allclose(session.gain, wanted)
    queue = session.queue("gain")
    assert (np.diff(session.gain[queue]) <= 0).all()
    assert queue != session.queue()
    assert simulate_annotator(session, TRUTH, order="gain", clicks=1).branches[0] == queue[0]
    session.accept(queue[0])
    assert queue[0] not in session.queue("gain")


def test_doubt_is_the_chance_that_an_answer_changes_the_mask():
    session = begin(mask_threshold=0.55)
    before, wanted = session.mask().ravel(), {}
    for k, path in enumerate(session.branches.paths):
        # Ends may belong to other branches, too: what becomes of the rest is asked.
        inner = path if len(path) == 1 else path[1:-1]
        changes = []
        for decide in (session.accept, session.reject):
            decide(k)
            changes.append((session.mask().ravel() != before)[inner].any())
            session.undo()
        if len(inner):
            p = session.probability[k]
            wanted[k] = p * changes[0] + (1 - p) * changes[1]
    assert len(wanted) > 6
    bridge = at(session, 3, 9)
    assert set(session.doubt == 1) == {True, False}
    assert session.doubt[bridge] == 1  # one of its pixels lies outside, two inside
    assert np.allclose(session.doubt[list(wanted)], list(wanted.values()))
    queue = session.queue("doubt")
    assert (np.diff(session.doubt[queue]) <= 0).all()
    assert queue not in (session.queue(), session.queue("gain"))
    assert simulate_annotator(session, TRUTH, order="doubt").branches[0] == queue[0]
    session.accept(queue[0])
    assert queue[0] not in session.queue("doubt")


def test_the_other_orders():
    session = begin()
    persistence = session.branches.persistence
    curve = simulate_annotator(session, TRUTH, order="persistence")
    assert (np.diff(persistence[curve.branches]) <= 0).all()
    curve = simulate_annotator(session, TRUTH, order="pixel-entropy")
    p = np.clip(IMAGE.ravel(), 1e-12, 1 - 1e-12)
    unsure = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    means = np.array([unsure[path].mean() for path in session.branches.own_paths])
    assert (np.diff(means[curve.branches]) <= 1e-9).all()
    draws = [simulate_annotator(session, TRUTH, order="random", seed=s).branches for s in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


# --- Curves --------------------------------------------------------------------------------------


def test_fewer_clicks_and_fewer_measurements():
    session = begin()
    whole = simulate_annotator(session, TRUTH)
    part = simulate_annotator(session, TRUTH, clicks=5, every=2)
    assert part.clicks.tolist() == [0, 2, 4, 5]
    assert np.array_equal(part.branches, whole.branches[:5])
    for name, values in part.scores.items():
        assert np.array_equal(values, whole.scores[name][part.clicks])
    none = simulate_annotator(session, TRUTH, clicks=0)
    assert none.clicks.tolist() == [0]
    assert none.area("cldice") == none.scores["cldice"][0]


def test_the_area_is_the_mean_height():
    clicks = np.array([0, 2, 3])
    curve = AnnotationCurve("given", clicks, {"cldice": np.array([1.0, 0.0, 4.0])}, np.arange(3))
    assert curve.area("cldice") == pytest.approx((1 + 2) / 3)


def test_learning_tells_apart_what_the_likelihood_does_not():
    # Short ridges of 0.6 are false and long ones real, but for every sixth.
    rng = np.random.default_rng(0)
    image, truth = np.zeros((2, 240, 150))
    for k in range(60):
        row = 4 * k
        image[row, 2:8] = image[row, 60:140] = 0.6 + 0.01 * rng.random()
        for start, stop in ((2, 7), (60, 139)):
            image[row, start] += 0.15
            image[row, stop] += 0.2
        truth[row, 60:140] = k % 6 > 0
    session = AnnotationSession(image, image)
    real = judge_branches(session, truth)
    assert (len(real), real.sum()) == (120, 50)

    def agrees():
        left = session.decisions == 0
        return ((session.probability > 0.5) == real)[left].mean()

    assert agrees() < 0.5
    for branch in simulate_annotator(session, truth, clicks=30, every=30).branches:
        (session.accept if real[branch] else session.reject)(branch)
    assert agrees() > 0.8
