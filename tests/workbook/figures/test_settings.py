"""The picture of settings: every dot is in its panel, in its row, at its error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from picture_boxes import assert_nothing_lies_on_anything_else

from toposeg_lite.workbook import figures

ROWS = [
    ("50 images", "angles", "control", 40.0, False),
    ("50 images", "angles", "cldice", 20.0, False),
    ("50 images", "angles", "cldice", 30.0, True),
    ("10 images", "angles", "cldice", 7.5, False),
    ("10 images", "colors", "control", 900.0, True),
    ("10 images", "shadows", "control", 0.5, False),
]
TABLE = pd.DataFrame(ROWS, columns=["setting", "group", "network", "error", "published"])


def dots(ax):
    """Return the error, the row and the side of it, the colour and whether it is hollow."""
    found = []
    for line in ax.lines:
        (x,), (y,) = line.get_data()
        hollow = line.get_markerfacecolor() == "none"
        found.append((x, round(y), np.sign(y - round(y)), line.get_markeredgecolor(), hollow))
    return found


def test_every_dot_is_in_its_panel_and_row():
    figure = figures.setting_dots(TABLE, title="errors")
    angles, colors, shadows = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["angles", "colors", "shadows"]
    blue = dots(angles)[1][3]
    assert dots(angles) == [
        (40, 0, -1, "black", False),
        (20, 0, -1, blue, False),
        (30, 0, 1, blue, True),
        (7.5, 1, -1, blue, False),
    ]
    assert dots(colors) == [(900, 1, 1, "black", True)]
    assert dots(shadows) == [(0.5, 1, -1, "black", False)]
    assert blue != "black"
    for ax in figure.axes:
        assert ax.get_xscale() == "log"
        assert ax.get_xlabel() == "errors"
        low, high = ax.get_xlim()
        assert all(low < x < high for x, *_ in dots(ax))
        low, high = ax.get_ylim()
        assert high < 0 < 1 < low  # downwards
    assert [label.get_text() for label in angles.get_yticklabels()] == ["50 images", "10 images"]


def test_the_legend_names_networks_and_speaks_of_hollow_dots_where_there_are_some():
    for table, more in ((TABLE, ["hollow: published"]), (TABLE[~TABLE["published"]], [])):
        (legend,) = figures.setting_dots(table, title="errors").legends
        assert [text.get_text() for text in legend.get_texts()] == ["control", "cldice", *more]
        assert [line.get_marker() for line in legend.legend_handles][:2] == ["s", "o"]


@pytest.mark.parametrize(
    ("errors", "ticks"),
    [
        ((3, 9), "3 4 5 6 7 8 9"),
        ((2, 40), "2 5 10 20"),
        ((27, 900), "50 100 200 500 1000"),
        ((3, 900), "10 100 1000"),
    ],
)
def test_every_panel_has_numbers_below_it(errors, ticks):
    rows = [("a", "b", "control", float(error), False) for error in errors]
    (ax,) = figures.setting_dots(pd.DataFrame(rows, columns=TABLE.columns), title="errors").axes
    low, high = ax.get_xlim()
    marks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    assert " ".join(label.get_text() for x, label in marks if low < x < high) == ticks


def test_no_two_losses_look_alike():
    names = ["control", *map(str, range(6))]
    rows = [("a", "b", name, 1.0 + k, False) for k, name in enumerate(names)]
    table = pd.DataFrame(rows, columns=TABLE.columns)
    (ax,) = figures.setting_dots(table, title="errors").axes
    styles = {(line.get_marker(), line.get_markeredgecolor()) for line in ax.lines}
    assert len(styles) == len(names)


@pytest.mark.parametrize("groups", [1, 2, 3, 4])
@pytest.mark.parametrize("settings", [1, 8])
def test_nothing_lies_on_anything_else(groups, settings):
    networks = ["control", "topological-spatial", "cldice", "skeleton-recall", "topological+cldice"]
    rows = [
        (f"accurate, {s} images, hue", f"group {g}", name, 1.0 + k, True)
        for s in range(settings)
        for g in range(groups)
        for k, name in enumerate(networks)
    ]
    figure = figures.setting_dots(pd.DataFrame(rows, columns=TABLE.columns), title="errors")
    assert_nothing_lies_on_anything_else(figure, figure.legends[0])


@pytest.mark.parametrize(
    ("table", "error", "says"),
    [
        (TABLE.drop(columns="error"), ValueError, "table must have rows and the columns setting"),
        (TABLE[:0], ValueError, "got 0 rows"),
        (TABLE.assign(error=0.0), ValueError, "finite and above 0"),
        (TABLE.assign(error=[np.nan, 1, 1, 1, 1, 1]), ValueError, "finite and above 0"),
        (TABLE.assign(error=np.inf), ValueError, "finite and above 0"),
        (TABLE.assign(error="one"), TypeError, "table\\['error'\\] must hold numbers"),
        (TABLE.assign(published=1), TypeError, "'published'\\] must hold True or False"),
    ],
)
def test_what_cannot_be_drawn_is_said(table, error, says):
    with pytest.raises(error, match=says):
        figures.setting_dots(table, title="errors")
