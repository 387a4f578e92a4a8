"""The explorer of warps, without a browser."""

from __future__ import annotations

import films
import numpy as np
import pytest
from screens import betti, drawn, file_of, random_masks, spoken, upload
from traitlets import TraitError

from toposeg_lite.topology import homotopy_warp
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import WarpExplorer
from toposeg_lite.workbook.explorers.warping import _WarpView

# The example of the chapter: two pieces of a line, too thick, and the line with a far dot.
MASK = drawn("##... ##.#. ##.#. ..... .....")
TARGET = drawn("..... ##### ..... ..... ....#")


def points(ax, marker):
    """Return the sorted (column, row) points that a marker draws, without those of the legend."""
    found = [line.get_xydata() for line in ax.lines if line.get_marker() == marker]
    return sorted((float(x), float(y)) for part in found for x, y in part)


# --- The model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["mask to target", "target to mask"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_every_step_keeps_the_topology_and_takes_one_difference_away(connectivity, direction):
    image, target = random_masks((17, 23))
    explorer = WarpExplorer(image, target, connectivity=connectivity, direction=direction)
    start, goal = (image, target) if direction == "mask to target" else (target, image)
    before = betti(start, connectivity)
    assert len(explorer.order) > 50
    for step in range(0, len(explorer.order) + 1, 7):
        explorer.step = step
        assert betti(explorer.now, connectivity) == before
        assert (explorer.now != goal).sum() == (start != goal).sum() - step
    explorer.step = len(explorer.order)
    warped, critical = homotopy_warp(start, goal, connectivity=connectivity)
    np.testing.assert_array_equal(explorer.now, warped)
    np.testing.assert_array_equal(explorer.critical, critical)


def test_the_example_of_the_chapter():
    explorer = WarpExplorer(MASK, TARGET)
    assert explorer.order.tolist() == [0, 1, 9, 10, 11, 13]
    assert explorer.pixel == (1, 2)  # the first critical pixel
    text = explorer.describe()
    assert (
        "after 0 of 6 flips, with 8 neighbours: 8 pixels still differ, and 2 are critical" in text
    )
    assert "Row 1, column 2 is background. Not simple: 2 foreground and 2 background" in text
    explorer.step, explorer.row, explorer.column = 6, 1, 3
    text = explorer.describe()
    assert "after 6 of 6 flips, with 8 neighbours: 2 pixels still differ" in text
    assert "Row 1, column 3 is foreground. Simple" in text


def test_another_threshold_brings_another_mask_and_order():
    image = np.array([[0.9, 0.9, 0.3, 0.6, 0.9]])
    explorer = WarpExplorer(image, np.ones((1, 5), bool))
    assert explorer.critical.sum() == 1
    explorer.step = len(explorer.order)
    explorer.threshold = 0.3  # a pixel at the threshold is in
    assert explorer.start.all()
    assert len(explorer.order) == explorer.step == 0
    assert "The mask at or above 0.30 has 1 component" in explorer.describe()


def test_connectivity_changes_the_answer():
    mask, target = drawn("##... ..###"), drawn("###.. ..###")
    assert not WarpExplorer(mask, target).critical.any()
    assert WarpExplorer(mask, target, connectivity=1).critical.sum() == 1


def test_an_image_of_another_size_comes_with_a_target():
    explorer = WarpExplorer(MASK, TARGET, step=3, row=4, column=4)
    image = np.array([[0.9, 0.2, 0.7], [0.1, 0.6, 0.1]])
    explorer.take(image)
    np.testing.assert_array_equal(explorer.target, image >= 0.5)
    assert (explorer.step, len(explorer.order), explorer.pixel) == (0, 0, (1, 2))
    explorer.threshold = 0.65
    assert explorer.critical.tolist() == [[False] * 3, [False, True, False]]
    explorer.take(MASK, TARGET)
    assert explorer.order.tolist() == [0, 1, 9, 10, 11, 13]


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = WarpExplorer(MASK, TARGET, step=2)
    for trait, value in (
        ("image", MASK[:4]),
        ("target", TARGET[:, :4]),
        ("target", TARGET * 0.5),
        ("threshold", 2.0),
        ("connectivity", 8),
        ("direction", "there"),
        ("step", 7),
        ("step", -1),
        ("row", 5),
        ("column", -1),
    ):
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) is before
    with pytest.raises(ValueError, match="image and target must have the same shape"):
        explorer.take(MASK, TARGET[:3])
    assert explorer.describe() == WarpExplorer(MASK, TARGET, step=2).describe()


def test_the_picture_is_the_static_twin():
    explorer = WarpExplorer(MASK, TARGET, step=2)
    left, right = explorer.picture().axes
    np.testing.assert_array_equal(
        left.images[0].get_array(), figures.mask_colours(explorer.now, TARGET)
    )
    assert left.get_title() == "mask to target: 2 of 6 flips"
    assert right.get_title() == "row 1, column 2: not simple"
    assert points(left, "X") == [(2.0, 1.0), (4.0, 4.0)]


# --- The view ----------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["mask to target", "target to mask"])
def test_every_frame_is_what_the_model_says(direction):
    model = WarpExplorer(*random_masks((17, 23)), direction=direction)
    view = _WarpView(model)
    frames = view.frames
    flips = len(model.order)
    assert frames.about["frames"] == flips + 1 > 50
    np.testing.assert_array_equal(films.places(frames, 0, 0), np.flatnonzero(model.critical))
    x, y = figures.outline(model.goal)
    edge = films.numbers(frames, films.panel(frames)["lines"][0]["xy"]).reshape(-1, 2)
    np.testing.assert_array_equal(edge, np.stack([x, y], 1))
    for step in (0, 1, 2, flips // 2, flips - 1, flips):
        model.step = step
        expected = figures.mask_colours(model.now, model.goal)
        np.testing.assert_array_equal(films.colours(frames, step), expected)
        np.testing.assert_array_equal(films.foreground(frames, step), model.now)
        assert model.brief().startswith(f"{frames.about['sentences'][step]}; row ")
        shown = [numbers["values"][step] for numbers in frames.about["numbers"]]
        assert shown == [str((model.now != model.goal).sum()), str(model.critical.sum())]
        assert frames.about["values"][step] == f"{step} of {flips}"


def test_the_page_moves_the_model_in_the_film_that_it_has():
    model = WarpExplorer(*random_masks((17, 23)))
    view = _WarpView(model)
    data = view.frames.data
    view.frames.set_state({"index": 40, "pixel": [3, 9]})  # as a page tells it, in one message
    assert (model.step, model.pixel) == (40, (3, 9))
    assert (view.controls["row"].value, view.controls["column"].value) == (3, 9)
    assert view.frames.data is data
    assert spoken(view) == model.describe()
    assert "Row 3, column 9 is" in spoken(view)


def test_setting_the_model_moves_controls_and_page():
    model = WarpExplorer(*random_masks((17, 23)))
    view = _WarpView(model)
    model.direction, model.connectivity, model.threshold = "target to mask", 1, 0.3
    model.step, model.row, model.column = 5, 3, 9
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {
        "direction": "target to mask", "threshold": 0.3, "connectivity": 1, "row": 3, "column": 9,
    }  # fmt: skip
    assert (view.frames.index, view.frames.pixel) == (5, [3, 9])
    assert view.frames.about["connectivity"] == 1
    expected = figures.mask_colours(model.now, model.goal)
    np.testing.assert_array_equal(films.colours(view.frames, 5), expected)


def test_every_control_has_a_label():
    view = _WarpView(WarpExplorer(MASK, TARGET))
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert view.words.brief == view.model.brief()


def test_the_readers_own_picture_is_taken_or_refused_in_words():
    model = WarpExplorer(MASK, TARGET, step=4)
    view = _WarpView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.image.shape == MASK.shape
    upload(view, file_of(np.arange(0, 240, 2, np.uint8).reshape(10, 12)))
    assert model.image.shape == (10, 12)
    assert films.colours(view.frames, 0).shape == (10, 12, 3)
    assert (view.controls["row"].max, view.controls["column"].max) == (9, 11)
    view.controls["threshold"].value = 0.8
    assert len(model.order) > 0
