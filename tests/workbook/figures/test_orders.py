"""Figures of orders of questions."""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite.workbook import figures

PATHS = [np.array([0, 1, 2]), np.array([10]), np.array([5, 6])]


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
        (
            lambda: figures.order_curves({"a": ([0, 1], [2])}, ylabel=""),
            "'a' of curves must have",
        ),
    ],
)
def test_figures_refuse_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()
