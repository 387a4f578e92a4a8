"""Figures of warps: colours, neighbourhoods and verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from screens import betti, drawn

from toposeg_lite.topology import homotopy_warp
from toposeg_lite.workbook import figures

# The example of the chapter: two pieces of a line, too thick, and the line with a far dot.
MASK = drawn("##... ##.#. ##.#. ..... .....")
TARGET = drawn("..... ##### ..... ..... ....#")


def neighbourhoods():
    """Yield all 512 masks of 3x3 pixels."""
    for code in range(512):
        yield np.array([code >> bit & 1 for bit in range(9)], bool).reshape(3, 3)


def points(ax, marker):
    """Return the sorted (column, row) points that a marker draws, without those of the legend."""
    found = [line.get_xydata() for line in ax.lines if line.get_marker() == marker]
    return sorted((float(x), float(y)) for part in found for x, y in part)


@pytest.mark.parametrize("connectivity", [1, 2])
def test_the_numbered_components_decide_all_neighbourhoods(connectivity):
    """One component of each kind, if and only if the flip keeps the Betti numbers."""
    for mask in neighbourhoods():
        numbers = figures.components_around(mask, (1, 1), connectivity=connectivity)
        flipped = mask.copy()
        flipped[1, 1] ^= True
        kept = betti(mask, connectivity) == betti(flipped, connectivity)
        assert ((numbers.max(), numbers.min()) == (1, -1)) == kept
        assert figures.verdict(mask, (1, 1), connectivity=connectivity).startswith(
            "Simple" if kept else "Not simple"
        )
        assert not numbers[1, 1]
        assert mask[numbers > 0].all()
        assert not mask[numbers < 0].any()


def test_components_by_hand():
    bend = drawn(".## #.. #..")  # a background cell in the corner that touches the pixel not
    assert figures.components_around(bend, (1, 1)).tolist() == [[0, 1, 1], [1, 0, -1], [1, -1, -1]]
    assert figures.components_around(bend, (1, 1), connectivity=1).tolist() == [
        [-1, 1, 1],
        [2, 0, -2],
        [2, -2, -2],
    ]
    # At the corner of the image, five cells lie outside: they are background.
    numbers = figures.components_around(np.ones((3, 3), bool), (2, 2))
    assert numbers.tolist() == [[1, 1, -1], [1, 0, -1], [-1, -1, -1]]


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("##. #.. ...", "Simple: 1 foreground and 1 background component touch it."),
        ("#.. #.. ..#", "2 foreground and 2 background components touch it; adding it joins parts"),
        (
            "... ### ...",
            "2 foreground and 2 background components touch it; removing it parts what",
        ),
        (
            "### #.# ###",
            "1 foreground and 0 background components touch it; adding it fills a hole",
        ),
        ("### ### ###", "1 foreground and 0 background components touch it; removing it opens a"),
        (
            "... ... ...",
            "0 foreground and 1 background components touch it; adding it makes a comp",
        ),
        ("... .#. ...", "0 foreground and 1 background components touch it; removing it deletes a"),
        (
            "### #.# ##.",
            "1 foreground and 0 background components touch it; adding it fills a hole",
        ),
    ],
)
def test_verdicts_name_what_a_flip_does(picture, sentence):
    assert sentence in figures.verdict(drawn(picture), (1, 1))


def test_links_step_over_corners_only_where_the_connectivity_allows_it():
    corner = drawn(".#. #.. ...")
    numbers = figures.components_around(corner, (1, 1))
    links = figures.links_around(numbers, 2)
    assert [(0, 1), (1, 0)] in links
    assert all(np.abs(np.subtract(*link)).sum() == 1 for link in links if numbers[link[0]] < 0)
    four = figures.components_around(corner, (1, 1), connectivity=1)
    links = figures.links_around(four, 1)
    assert not any(four[link[0]] > 0 for link in links)
    assert [(0, 2), (1, 2)] in links


def test_every_pixel_has_the_colour_of_its_kind():
    colours = figures.mask_colours([[0, 0, 1, 1]], [[0, 1, 0, 1]])
    names = [to_hex(colour / 255).upper() for colour in colours[0]]
    assert names == ["#FFFFFF", figures.RAISED, figures.LOWERED, figures.SUPERLEVEL]


def test_cells_outside_the_image_are_grey():
    colours = figures.cells_around(np.ones((2, 2), bool), (0, 0))
    grey = (colours == 0xBB).all(-1)
    assert grey.tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    middle = figures.cells_around(np.ones((3, 3), bool), (1, 1))
    assert not (middle == 0xBB).all(-1).any()


def test_warp_masks_marks_critical_pixels_and_the_chosen_one():
    critical = homotopy_warp(MASK, TARGET).critical
    ax = figures.warp_masks(MASK, TARGET, critical=critical, pixel=(2, 3), title="five")
    np.testing.assert_array_equal(ax.images[0].get_array(), figures.mask_colours(MASK, TARGET))
    assert points(ax, "X") == [(2.0, 1.0), (4.0, 4.0)]
    assert points(ax, "s") == [(3.0, 2.0)]
    assert ax.get_title() == "five"
    low, high = ax.get_ylim()
    assert low > high  # row 0 is at the top


def test_in_a_large_mask_each_group_of_critical_pixels_has_one_cross():
    mask, critical = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    critical[4, 5:10] = critical[12, 20] = critical[13, 21] = True
    ax = figures.warp_masks(mask, mask, critical=critical)
    crosses = points(ax, "X")
    assert len(crosses) == 2
    assert (7.0, 4.0) in crosses
    assert all(critical[int(y), int(x)] for x, y in crosses)
    shown = ax.images[1].get_array()
    np.testing.assert_array_equal(~shown.mask, critical)  # and all are coloured
    assert points(figures.warp_masks(mask, mask, critical=mask), "X") == []


def test_neighbourhood_draws_letters_numbers_and_the_verdict():
    ax = figures.neighbourhood(MASK, (1, 2))
    found = {tuple(map(round, text.get_position())): text.get_text() for text in ax.texts}
    assert found[1, 1] == "p"
    assert {found[0, k] for k in range(3)} == {"A"}
    assert found[2, 1] == found[2, 2] == "B"
    assert found[1, 0] == found[2, 0] == "1"
    assert found[1, 2] == "2"
    assert ax.get_title() == "row 1, column 2: not simple"
    assert figures.neighbourhood(MASK, (0, 0)).get_title() == "row 0, column 0: simple"
