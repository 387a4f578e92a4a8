"""Figures of comparisons: differences, pairs and weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_runs import make_run
from scipy import stats

from toposeg_lite.metrics import report
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.figures.painting import METRICS
from toposeg_lite.workbook.studies.scores import COLUMNS
from toposeg_lite.workbook.studies.statistics import compare_networks


def table_of(metric="betti_matching_error"):
    return compare_networks(make_run().scores, metric, draws=400)


def markers(ax, marker):
    """Return the lines with a marker."""
    return [line for line in ax.lines if line.get_marker() == marker]


def test_every_score_has_a_better_side():
    for name, key, perfect in METRICS:
        assert figures.higher_is_better(key) == (perfect == 1), name
    wall = np.array([[1, 0, 1, 1]], bool)
    perfect, worst = report(wall, wall), report(~wall, wall)
    for key in COLUMNS:
        if key in perfect and perfect[key] != worst[key]:
            assert figures.higher_is_better(key) == (perfect[key] > worst[key])
    assert not figures.higher_is_better("betti_2_error")


def test_images_are_better_worse_or_equal():
    pairs = pd.DataFrame({"control": [1.0, 2.0, 0.3, 4.0], "score": [2.0, 1.0, 0.1 + 0.2, 4.0]})
    kinds = [np.flatnonzero(k).tolist() for k in figures.sorted_by_outcome(pairs, "dice")]
    assert kinds == [[0], [1], [2, 3]]
    kinds = [np.flatnonzero(k).tolist() for k in figures.sorted_by_outcome(pairs, "betti_error")]
    assert kinds == [[1], [0], [2, 3]]


def test_the_forest_shows_differences_intervals_and_seeds():
    rows = {
        "one": {"difference": -2.0, "low": -3.0, "high": -1.0},
        "two": {"difference": 0.5, "low": -1.0, "high": 2.0},
        "three": {"difference": 1.0, "low": 0.5, "high": 1.5},
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    seeds = pd.DataFrame({0: [-2.5, 0.2, 1.1], 3: [-1.5, np.nan, 0.9]}, index=list(rows))
    ax = figures.difference_forest(
        table, metric="betti_error", title="Betti error", seeds=seeds, selected="two"
    )
    squares = markers(ax, "s")
    assert [float(line.get_xdata()[0]) for line in squares] == [-2, 0.5, 1]
    assert [float(line.get_ydata()[0]) for line in squares] == [0, 1, 2]
    filled = [line.get_markerfacecolor() != "white" for line in squares]
    assert filled == [True, False, True]  # the second interval holds 0
    spans = [line.get_xdata().tolist() for line in ax.lines if line.get_linewidth() == 2.5]
    assert spans == [[-3, -1], [-1, 2], [0.5, 1.5]]
    rings = [sorted(line.get_xdata()) for line in markers(ax, "o")]
    assert rings == [[-2.5, -1.5], [0.2], [0.9, 1.1]]
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == ["one", "two", "three"]
    assert [label.get_weight() for label in labels] == ["normal", "bold", "normal"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


def test_the_forest_shows_students_interval_of_the_seeds():
    """Ends by SciPy's own test; one seed has no interval, and without the option there is none."""
    seeds = pd.DataFrame({0: [-2.5, 0.2], 1: [-1.5, np.nan], 2: [-0.4, np.nan]}, index=["a", "b"])
    row = {"difference": -1.0, "low": -2.0, "high": -0.5}
    table = pd.DataFrame.from_dict({"a": row, "b": row}, orient="index")
    options = {"metric": "betti_error", "title": "x", "seeds": seeds}
    ax = figures.difference_forest(table, **options, students_t=True)
    (line,) = markers(ax, "|")
    expected = stats.ttest_1samp([-2.5, -1.5, -0.4], 0).confidence_interval()
    np.testing.assert_allclose(line.get_xdata(), expected)
    assert line.get_ydata().tolist() == [0, 0]
    low, high = ax.get_xlim()
    assert low < expected.low < expected.high < high
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == ["interval without 0", "with 0", "one seed", "Student's t over the seeds"]
    assert not markers(figures.difference_forest(table, **options), "|")
    with pytest.raises(ValueError, match="students_t needs seeds"):
        figures.difference_forest(table, metric="betti_error", title="x", students_t=True)


@pytest.mark.parametrize(("metric", "sign"), [("betti_error", -1), ("dice", 1)])
def test_the_better_side_is_shaded_and_named(metric, sign):
    ax = figures.difference_forest(table_of(), metric=metric, title="x")
    (zone,) = ax.patches
    low, high = zone.get_extents().transformed(ax.transData.inverted()).intervalx
    assert 0 in (round(low, 9), round(high, 9))
    assert np.sign(round(low + high, 9)) == sign
    assert [t.get_text() for t in ax.texts] == ["← better" if sign < 0 else "better →"]


def test_pairs_are_dots_on_the_right_side_of_the_diagonal():
    pairs = pd.DataFrame({"control": [5.0, 1.0, 3.0], "score": [2.0, 4.0, 3.0]}, index=list("abc"))
    ax = figures.paired_scores(
        pairs, metric="betti_error", title="Betti error", network="loss", selected="b"
    )
    (better, ring), (worse,), (equal,) = (markers(ax, kind) for kind in "o^D")
    for line, xy in ((better, (5, 2)), (worse, (1, 4)), (equal, (3, 3)), (ring, (1, 4))):
        assert np.array(line.get_xydata()).tolist() == [list(xy)]
    diagonal = ax.lines[0].get_xydata()
    assert (diagonal[:, 0] == diagonal[:, 1]).all()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Betti error, control", "Betti error, loss")
    upside = figures.paired_scores(pairs, metric="dice", title="Dice", network="loss")
    assert markers(upside, "o")[0].get_xydata().tolist() == [[1, 4]]


def test_weights_are_compared_with_the_control_of_their_own_seed():
    validation, chosen = make_run().validation, {("good", 0): 0.5, ("good", 1): 0.5}
    ax = figures.weight_curves(validation, metric="betti_matching_error", title="x", chosen=chosen,
                               networks=["good"], margin=-0.01)  # fmt: skip
    zero, margin, first, ring, second, ring_too = ax.lines
    assert set(zero.get_ydata()) == {0}
    assert set(margin.get_ydata()) == {-0.01}
    assert first.get_xydata().tolist() == [[0.1, -1], [0.5, -3]]
    assert second.get_xydata().tolist() == [[0.5, -1.5]]
    assert ring.get_xydata().tolist() == [[0.5, -3]]
    assert ring_too.get_xydata().tolist() == [[0.5, -1.5]]
    assert ax.get_xscale() == "log"
    both = figures.weight_curves(validation, metric="dice", title="Dice")
    labels = both.get_legend_handles_labels()[1]
    assert labels == ["good", "bad"]
    signs = [line.get_marker() for line in both.lines if line.get_label() in labels]
    assert signs == [marker for _, marker in figures.NETWORKS[:2]]
    panels = figures.weight_panels(validation, metrics={"dice": "Dice"}, margins={"dice": -0.2},
                                   chosen={("good", 0): 0.5})  # fmt: skip
    for ax, name, k in zip(panels.axes, ("good", "bad"), (0, 1), strict=True):
        assert ax.get_title() == name
        signs = {line.get_marker() for line in ax.lines} - {"", "None", "o"}
        assert signs <= {figures.NETWORKS[k][1]}
        assert ax.get_ylim() == panels.axes[0].get_ylim()
    rings = [[line for line in ax.lines if line.get_markersize() == 13] for ax in panels.axes]
    assert [sum(len(line.get_xdata()) for line in some) for some in rings] == [1, 0]
    alone = figures.weight_curves(validation, metric="dice", title="Dice", networks=["bad"])
    assert alone.lines[1].get_marker() == figures.NETWORKS[1][1]  # its sign stays its own


@pytest.mark.parametrize("networks", [1, 4, 15])
def test_panels_of_many_networks_have_names_that_do_not_meet(networks):
    rows = [
        {"network": f"network {k}", "seed": 0, "weight": weight, "dice": 0.9, "betti_error": 3.0}
        for k in range(networks)
        for weight in (0.1, 1)
    ]
    control = {"network": "control", "seed": 0, "weight": 0, "dice": 0.9, "betti_error": 4.0}
    called = {"betti_error": "Betti matching error", "dice": "Dice"}
    figure = figures.weight_panels(pd.DataFrame([control, *rows]), metrics=called)
    figure.draw_without_rendering()
    assert [block.get_supylabel() for block in figure.subfigs] == [
        "change of Betti matching error", "change of Dice",
    ]  # fmt: skip
    places = [block._supylabel.get_window_extent() for block in figure.subfigs]
    assert places[0].y0 > places[1].y1
    assert all(figure.bbox.y0 <= place.y0 and place.y1 <= figure.bbox.y1 for place in places)
    for block in figure.subfigs:
        assert len(block.axes) == networks
        for number, ax in enumerate(block.axes):  # the lowest panel of each column says its numbers
            lowest = number + 4 >= networks
            assert ax.get_xlabel() == ("weight" if lowest else "")
            shown = [label.get_text() for label in ax.get_xticklabels() if label.get_visible()]
            assert bool(shown) == lowest


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: figures.higher_is_better("speed"), ValueError, "metric must be one of"),
        (lambda: figures.difference_forest([1], metric="dice", title=""), TypeError, "table must"),
        (
            lambda: figures.difference_forest(table_of()[["low"]], metric="dice", title=""),
            ValueError,
            "columns difference, low, high",
        ),
        (
            lambda: figures.difference_forest(table_of(), metric="dice", title="", selected="x"),
            ValueError,
            "selected must be one of 'good', 'bad'",
        ),
        (
            lambda: figures.paired_scores(pd.DataFrame({"control": []}), metric="dice", title="",
                                          network="x"),
            ValueError,
            "pairs must have rows",
        ),
        (
            lambda: figures.weight_curves(make_run().validation, metric="cldice", title=""),
            ValueError,
            "cldice",
        ),
        (
            lambda: figures.weight_curves(make_run().validation, metric="dice", title="",
                                          networks=["control"]),
            ValueError,
            "networks must be one of",
        ),
    ],
)  # fmt: skip
def test_figures_refuse_bad_input(call, error, word):
    with pytest.raises(error, match=word):
        call()
