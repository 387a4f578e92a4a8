"""Lines between two orders of the same networks."""

from __future__ import annotations

import pandas as pd
import pytest

from toposeg_lite.workbook import figures


def test_each_network_has_a_line_from_rank_to_rank():
    ranks = pd.DataFrame(
        {"home": [2, 1, 3, 4], "away": [1.5, 3, 1.5, 4]}, index=["control", "one", "two", "three"]
    )
    ax = figures.rank_lines(ranks, title="x", titles=("here", "there"))
    ends = [line.get_ydata().tolist() for line in ax.lines]
    assert ends == [[2, 1], [1, 3], [3, 2], [4, 4]]  # who shares a rank stands below, in order
    words = [text.get_text() for text in ax.texts]
    assert words[:2] == ["control 2", "1.5 control"]
    assert words[4:6] == ["two 3", "1.5 two"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the best on top
    assert [label.get_text() for label in ax.get_xticklabels()] == ["here", "there"]
    assert ax.lines[0].get_linestyle() == "--"
    looks = [(line.get_color(), line.get_marker()) for line in ax.lines]
    assert len(set(looks)) == 4


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        (pd.DataFrame({"home": [1.0], "away": [None]}), "a number for each network"),
        (pd.DataFrame({"home": ["1"], "away": ["2"]}), "a number for each network"),
        (pd.DataFrame({"home": [1, 2], "away": [1, 2]}, index=["a", "a"]), "one row for each"),
        (pd.DataFrame({"home": [1]}), "the columns home, away"),
    ],
)
def test_what_is_no_pair_of_orders_is_refused(ranks, text):
    with pytest.raises(ValueError, match=text):
        figures.rank_lines(ranks)
