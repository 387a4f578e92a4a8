"""Figures of orders of questions."""

from __future__ import annotations

import numpy as np
import pandas as pd
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


def test_what_is_asked_first_is_named_inside_the_picture():
    for row in (0, 39):
        for column in (0, 39):
            path = [np.array([row * 40 + column])]
            ax = figures.branches_by_value(np.eye(40), path, [1.0], label="doubt", chosen=0)
            figure = ax.get_figure()
            figure.canvas.draw()
            (words,) = ax.texts
            inside, box = ax.get_window_extent(), words.get_window_extent()
            assert inside.x0 <= box.x0 < box.x1 <= inside.x1
            assert inside.y0 <= box.y0 < box.y1 <= inside.y1


def test_low_values_are_paler_than_high_ones():
    ax = figures.branches_by_value(np.eye(4), PATHS, [0.9, 0.1, 0.5], label="doubt")
    (lines,) = ax.collections
    lines.update_scalarmappable()
    bright = lines.get_colors()[:, :3] @ [0.3, 0.6, 0.1]
    assert (np.diff(bright) < 0).all()
    assert bright[0] < 0.8  # and not brighter than the paper


TABLE = pd.DataFrame(
    {"area": [2.0, 4.0, 3.0], "better than persistence": [5, 1, np.nan]},
    index=["doubt", "random", "persistence"],
)


def test_areas_stand_beside_that_of_the_order_they_are_compared_with():
    figure = figures.order_areas({"eyes": TABLE, "walls": TABLE * 2}, xlabel="errors")
    assert [ax.get_title() for ax in figure.axes] == ["eyes", "walls"]
    for ax, factor in zip(figure.axes, (1, 2), strict=True):
        dashed, *lines = ax.lines
        assert dashed.get_xdata() == [3 * factor] * 2
        dots = [line for line in lines if line.get_marker() != "None"]
        assert [float(dot.get_xdata()[0]) for dot in dots] == [2 * factor, 4 * factor, 3 * factor]
        assert [text.get_text() for text in ax.texts] == [f"{5 * factor}", f"{factor}"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == list(TABLE.index)
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]  # the first on top


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
        (lambda: figures.order_areas({}, xlabel=""), "one at least"),
        (lambda: figures.order_areas({"a": TABLE.iloc[:2]}, xlabel=""), "'a' has no 'persistence'"),
        (lambda: figures.order_areas({"a": TABLE[["area"]]}, xlabel=""), "'a' has not"),
        (
            lambda: figures.order_curves({"a": ([0, 1], [2])}, ylabel=""),
            "'a' of curves must have",
        ),
    ],
)
def test_figures_refuse_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()
