"""The picture of an ablation: every square and line is where its table says, in its block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from picture_boxes import assert_nothing_lies_on_anything_else

from toposeg_lite.workbook import figures

COLUMNS = ["control", "difference", "low", "high"]
ROADS = pd.DataFrame.from_dict(
    {
        "topological": [20, -10, -14, -6],
        "holes alone": [20, -1, -5, 3],
        "warping": [20, 4, 1, 7],
        "strong warping": [20, 0, -2, 2],
    },
    orient="index",
    columns=COLUMNS,
)
WALLS = ROADS.drop("warping") / [2, 1, 1, 1]
BLOCKS = {
    "Topological loss": {"as it is": "topological", "holes": "holes alone"},
    "Warping loss": {"as it is": "warping", "stronger": "strong warping"},
    "One alone": {"this": "topological"},
}
MEASURE = {"metric": "betti_matching_error", "title": "errors"}


def drawn(ax):
    """Return per row its square, whether that is filled and its line's ends; and dotted lines."""
    squares, bars, dotted = {}, {}, []
    for line in ax.lines:
        x, y = (np.asarray(values, float).round(6).tolist() for values in line.get_data())
        if line.get_marker() == "s":
            squares[y[0]] = x[0], to_rgb(line.get_markerfacecolor()) == (0, 0, 0)
        elif line.get_linestyle() == ":":
            dotted.append((x, y))
        elif line.get_linestyle() == "-":
            assert y[0] == y[1]
            bars[y[0]] = tuple(x)
    assert squares.keys() == bars.keys()
    return {row: (*squares[row], *bars[row]) for row in squares}, dotted


def test_every_row_is_in_percent_of_the_control():
    roads, walls = figures.ablation_forest({"roads": ROADS, "walls": WALLS}, BLOCKS, **MEASURE).axes
    rows, dotted = drawn(roads)
    assert rows == {
        1: (-50, True, -70, -30),
        2: (-5, False, -25, 15),
        4: (20, True, 5, 35),
        5: (0, False, -10, 10),
        7: (-50, True, -70, -30),
    }
    assert dotted == [([-50, -50], [1, 2]), ([20, 20], [4, 5])]
    rows, dotted = drawn(walls)  # its first row of the second block is not there
    assert rows == {
        1: (-100, True, -140, -60),
        2: (-10, False, -50, 30),
        5: (0, False, -20, 20),
        7: (-100, True, -140, -60),
    }
    assert dotted == [([-100, -100], [1, 2])]


def test_rows_and_panels_have_names_and_the_better_side_is_marked():
    figure = figures.ablation_forest({"roads": ROADS, "walls": WALLS}, BLOCKS, **MEASURE)
    roads, walls = figure.axes
    names = [label.get_text() for label in roads.get_yticklabels()]
    assert names == [
        "Topological loss", "as it is", "holes", "Warping loss", "as it is", "stronger",
        "One alone", "this",
    ]  # fmt: skip
    bold = [k for k, label in enumerate(roads.get_yticklabels()) if label.get_weight() == "bold"]
    assert bold == [0, 3, 6]
    low, high = roads.get_ylim()
    assert high < 0 < 7 < low  # downwards, and every row is inside
    assert [ax.get_title(loc="left") for ax in (roads, walls)] == ["roads", "walls"]
    for ax in (roads, walls):
        assert ax.get_xlabel() == "change in errors, % of the control"
        assert ax.get_title(loc="right") == "← better"
        (shade,) = ax.patches
        assert shade.get_x() == ax.get_xlim()[0]
        assert shade.get_x() + shade.get_width() == pytest.approx(0)
    legend = [text.get_text() for text in roads.get_legend().get_texts()]
    assert legend == ["interval without 0", "with 0", "the block's first row"]


def test_of_an_overlap_the_right_side_is_the_better_one():
    (ax,) = figures.ablation_forest({"roads": ROADS}, BLOCKS, metric="dice", title="Dice").axes
    assert ax.get_title(loc="right") == "better →"
    (shade,) = ax.patches
    assert shade.get_x() == 0
    assert shade.get_width() == pytest.approx(ax.get_xlim()[1])


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_nothing_lies_on_anything_else(panels):
    names = ["isbi2012_membranes", "chase_db1", "crackforest"][:panels]
    measure = {"metric": "betti_matching_error", "title": "Betti matching error"}
    figure = figures.ablation_forest(dict.fromkeys(names, ROADS), BLOCKS, **measure)
    assert_nothing_lies_on_anything_else(figure, figure.axes[0].get_legend())


@pytest.mark.parametrize(
    ("tables", "blocks", "says"),
    [
        ({}, BLOCKS, "tables must hold something"),
        ({"roads": ROADS}, {}, "blocks must hold something"),
        ({"roads": ROADS}, {"Losses": {}}, r"blocks\['Losses'\] must name the network of each row"),
        ({"roads": ROADS}, {"One": {"it": "clDice"}}, "blocks show 'clDice', which no table has"),
        ({"roads": ROADS[["low"]]}, BLOCKS, r"tables\['roads'\] must have rows and the columns"),
    ],
)
def test_what_cannot_be_drawn_is_said(tables, blocks, says):
    with pytest.raises(ValueError, match=says):
        figures.ablation_forest(tables, blocks, **MEASURE)
