"""Figures of masks: numbered parts, and what the metrics say."""

from __future__ import annotations

import numpy as np
import pytest
from screens import betti, drawn, random_masks
from skimage.measure import label

from toposeg_lite import metrics
from toposeg_lite.workbook import figures

SMALL = drawn(".#... #.#.. .#..# ...## ##...")  # the example of the chapter
TRUTH = drawn("......... .#######. ......... .#######. .........")
CUT_AND_MERGED = drawn("......... .###.###. ..#...... .#######. .........")


def test_parts_by_hand():
    assert figures.numbered_parts(SMALL).tolist() == [
        [0, 1, 0, 0, 0],
        [1, -1, 1, 0, 0],
        [0, 1, 0, 0, 2],
        [0, 0, 0, 2, 2],
        [3, 3, 0, 0, 0],
    ]
    assert figures.numbered_parts(SMALL, connectivity=1).tolist() == [
        [0, 1, 0, 0, 0],
        [2, 0, 3, 0, 0],
        [0, 4, 0, 0, 5],
        [0, 0, 0, 5, 5],
        [6, 6, 0, 0, 0],
    ]
    assert not figures.numbered_parts(np.zeros((2, 3), bool)).any()


@pytest.mark.parametrize("connectivity", [1, 2])
def test_parts_are_as_many_as_the_betti_numbers_and_each_is_connected(connectivity):
    for seed in range(5):
        mask = random_masks(seed=seed)[0]
        parts = figures.numbered_parts(mask, connectivity=connectivity)
        assert (parts.max(), -parts.min()) == betti(mask, connectivity)
        assert ((parts > 0) == mask).all()
        border = np.ones(mask.shape, bool)
        border[1:-1, 1:-1] = False
        assert not (parts[border] < 0).any()
        for number in np.unique(parts[parts != 0]):
            own = connectivity if number > 0 else 3 - connectivity
            assert label(parts == number, connectivity=own).max() == 1


def test_parts_have_names():
    names = [figures.part_name(k) for k in (1, 26, 27, 52, 53, -1, -12, 0)]
    assert names == ["A", "Z", "AA", "ZZ", "AAA", "1", "12", ""]


def test_mask_parts_writes_each_name_into_its_pixel():
    ax = figures.mask_parts(SMALL, pixel=(2, 4))
    found = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts
    }
    parts = figures.numbered_parts(SMALL)
    assert found == {
        tuple(map(int, p)): figures.part_name(int(parts[tuple(p)])) for p in np.argwhere(parts)
    }
    assert found[1, 1] == "1"
    assert ax.get_title() == "3 components, 1 hole"
    box = ax.lines[-1].get_xydata()
    assert (box.min(0).tolist(), box.max(0).tolist()) == ([3.5, 1.5], [4.5, 2.5])
    low, high = ax.get_ylim()
    assert low > high  # row 0 is at the top
    assert figures.mask_parts(SMALL, connectivity=1).get_title() == "6 components, 0 holes"


def test_mask_parts_compares_with_the_truth():
    ax = figures.mask_parts(CUT_AND_MERGED, TRUTH, title="two mistakes")
    expected = figures.mask_colours(CUT_AND_MERGED, TRUTH)
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert ax.get_title() == "two mistakes"
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[:4] == ["right", "false", "missing", "outline of the truth"]
    assert figures.mask_parts(TRUTH, TRUTH, legend=False).get_legend() is None


def test_metric_rows_tell_what_each_metric_sees():
    rows = figures.metric_rows(metrics.report(CUT_AND_MERGED, TRUTH))
    seen = {name: (value, differs) for name, value, _, differs in rows}
    assert seen["Betti error"] == ("0", False)
    assert seen["Betti matching error"] == ("2", True)
    assert seen["Dice"] == (f"{26 / 28:.3f}", True)
    assert len(rows) == 7
    perfect = figures.metric_rows(metrics.report(TRUTH, TRUTH))
    assert not any(differs for *_, differs in perfect)
    assert all(float(value) == float(wanted) for _, value, wanted, _ in perfect)


def test_the_summary_shows_counts_and_metrics():
    left, right = figures.painting_summary(CUT_AND_MERGED, TRUTH, pixel=(1, 4)).axes
    assert left.get_title() == "2 components, 0 holes"
    words = [text.get_text() for text in right.texts]
    assert words[words.index("Betti matching error") + 1 :][:3] == ["2", "≠", "0"]
    assert words[words.index("Betti error") + 1 :][:3] == ["0", "", "0"]
    assert words[words.index("components") + 1 :][:3] == ["2", "", "2"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((np.zeros((33, 2), bool),), {}, ValueError, "mask must have at most 32 pixels a side"),
        ((TRUTH, TRUTH[:3]), {}, ValueError, "same shape"),
        ((TRUTH, TRUTH * 0.5), {}, ValueError, "truth must hold only 0 and 1"),
        ((TRUTH,), {"pixel": (5, 0)}, ValueError, "pixel must lie in an image of shape"),
        ((TRUTH,), {"connectivity": 8}, ValueError, "connectivity"),
    ],
)
def test_bad_masks_are_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        figures.mask_parts(*arguments, **options)
