"""Figures of gradients: where a loss pulls."""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite.workbook import figures

IMAGE = np.array([[0.9, 0.3, 0.6], [0.1, 0.2, 0.1]])
PULL = np.array([[0.1, 0.7, -0.6], [0.0, 0.0, -0.001]])


def signs(ax):
    """Return for the raised and the lowered pixels {(column, row): area}."""
    found = []
    for dots in ax.collections:
        places = [tuple(map(int, xy)) for xy in dots.get_offsets()]
        found.append(dict(zip(places, map(float, dots.get_sizes()), strict=True)))
    return found


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_every_pixel_that_is_pulled_has_a_sign_as_large_as_its_pull():
    raised, lowered = signs(figures.image_with_pull(IMAGE, PULL))
    assert sorted(raised) == [(0, 0), (1, 0)]
    assert sorted(lowered) == [(2, 0), (2, 1)]
    assert lowered[2, 0] / raised[1, 0] == pytest.approx(6 / 7)
    assert lowered[2, 1] == raised[0, 0] > 4  # the weakest are drawn so large that one sees them


def test_the_weakest_signs_are_larger_where_there_are_few():
    image = np.full((8, 8), 0.5)
    areas = {}
    for count in (1, 8, 64):
        pull = np.zeros(64)
        pull[:count] = 1e-6
        pull[0] = 1
        raised, _ = signs(figures.image_with_pull(image, pull.reshape(8, 8)))
        areas[count] = min(raised.values())
    assert areas[64] < areas[8] < areas[1]


def test_raised_and_lowered_pixels_differ_in_form_and_colour_and_are_counted():
    ax = figures.image_with_pull(IMAGE, PULL, truth=IMAGE > 0.2, title="where it pulls")
    up, down = ax.collections
    assert np.ptp(up.get_paths()[0].vertices[:3, 0]) > 0
    assert up.get_paths()[0].vertices[:3, 1] == pytest.approx([0.5, -0.5, -0.5])  # the tip is above
    assert down.get_paths()[0].vertices[:3, 1] == pytest.approx([-0.5, 0.5, 0.5])
    assert not np.array_equal(up.get_facecolor()[0], down.get_facecolor()[0])
    assert legend(ax) == ["truth", "2 raised", "2 lowered"]
    assert ax.get_title() == "where it pulls"
    x, y = figures.outline(IMAGE > 0.2)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), x)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), y)


def test_without_any_pull_the_image_is_shown_alone():
    ax = figures.image_with_pull(IMAGE, np.zeros(IMAGE.shape))
    assert signs(ax) == [{}, {}]
    assert legend(ax) == ["0 raised", "0 lowered"]
    np.testing.assert_array_equal(ax.images[0].get_array(), IMAGE)
    assert ax.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"image": IMAGE * 9}, ValueError, r"\[0, 1\]"),
        ({"pull": PULL.T}, ValueError, "pull"),
        ({"pull": PULL > 0}, TypeError, "pull must hold numbers; got the dtype bool"),
        ({"pull": PULL * np.nan}, ValueError, "pull holds 6 values that are NaN"),
        ({"truth": IMAGE}, ValueError, "truth"),
        ({"truth": IMAGE.T > 0.5}, ValueError, "truth"),
    ],
)
def test_the_figure_refuses_bad_input(change, error, word):
    options = {"image": IMAGE, "pull": PULL, "truth": IMAGE > 0.5} | change
    with pytest.raises(error, match=word):
        figures.image_with_pull(options.pop("image"), options.pop("pull"), **options)
