"""The explorer of births and deaths, without a browser."""

from __future__ import annotations

import numpy as np
import pytest
from screens import file_of, painted, points_at, spoken, upload
from traitlets import TraitError

from toposeg_lite.topology import betti_numbers, persistence_pairs
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import PersistenceExplorer
from toposeg_lite.workbook.explorers.persistence import _PersistenceView

LINE = np.array([[0.9, 0.1, 0.6, 0.2, 0.7]])


def random_image(seed=0, shape=(21, 34)):
    return np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize("connectivity", [1, 2])
def test_betti_follow_the_threshold(connectivity):
    image = np.round(random_image(), 1)  # so that many pixels lie exactly at a threshold
    explorer = PersistenceExplorer(image, connectivity=connectivity)
    for t in (0.0, 0.2, 0.5, 0.77, 1.0):
        explorer.threshold = t
        assert explorer.betti == betti_numbers(image >= t, connectivity=connectivity)
        np.testing.assert_array_equal(explorer.mask, image >= t)


def test_pairs_are_all_pairs_most_persistent_first():
    explorer = PersistenceExplorer(random_image())
    assert (np.diff(explorer.pairs.persistence) <= 0).all()
    assert len(explorer.pairs) == len(persistence_pairs(random_image()))


def test_min_persistence_hides_but_still_counts():
    explorer = PersistenceExplorer(random_image(), min_persistence=0.3)
    assert (explorer.shown.persistence > 0.3).all()
    assert 1 < len(explorer.shown) < len(explorer.pairs)
    assert explorer.betti == betti_numbers(random_image() >= 0.5)


def test_a_flat_image_keeps_its_essential_pair():
    explorer = PersistenceExplorer(np.zeros((3, 4)), min_persistence=0.5)
    assert len(explorer.shown) == 1
    assert explorer.betti == (0, 0)
    explorer.threshold = 0.0
    assert explorer.betti == (1, 0)


def test_a_new_image_brings_new_pairs_and_keeps_the_selection_in_range():
    explorer = PersistenceExplorer(random_image(), selected=9)
    explorer.image = LINE
    assert len(explorer.pairs) == 3
    assert explorer.selected == 3
    explorer.min_persistence = 0.45
    assert explorer.selected == len(explorer.shown) == 2


def test_connectivity_can_be_changed():
    explorer = PersistenceExplorer(np.eye(4), threshold=1.0)
    assert explorer.betti == (1, 0)
    explorer.connectivity = 1
    assert explorer.betti == (4, 0)


def test_description_says_what_is_marked():
    text = PersistenceExplorer(LINE, threshold=0.65, selected=1).describe()
    assert "40.0 % of the image is foreground: 2 components and 0 holes" in text
    assert "is essential: it never dies" in text
    text = PersistenceExplorer(LINE, selected=2).describe()
    assert "born at 0.70 in row 0, column 4; it dies at 0.10 in row 0, column 1" in text


def test_pictures_are_the_static_twins():
    image = random_image()
    explorer = PersistenceExplorer(image, threshold=0.4, min_persistence=0.2, selected=3)
    twin = figures.persistence_summary(image, explorer.shown, threshold=0.4, selected=2)
    assert figures.png(explorer.picture()) == figures.png(twin)


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = PersistenceExplorer(LINE)
    for trait, value in (
        ("image", LINE * 300),
        ("threshold", 2),
        ("selected", 9),
        ("connectivity", 8),
    ):
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) is before
    assert len(explorer.pairs) == 3


def test_moving_the_slider_moves_image_diagram_and_text():
    image = random_image()
    model = PersistenceExplorer(image)
    view = _PersistenceView(model)
    view.controls["threshold"].value = 0.8
    assert model.threshold == 0.8
    colours = painted(view.image).astype(int)
    yellow = colours[..., 0] - colours[..., 2] > 20
    np.testing.assert_array_equal(yellow, image >= 0.8)
    assert len(view.dots[0].x) == model.betti[0]
    assert len(view.dots[2].x) == model.betti[1]
    assert sum(len(dots.x) for dots in view.dots) == len(model.pairs)
    assert list(view.cross.x) == pytest.approx([0.8, 0.8, 1.03])
    assert list(view.line.x) == pytest.approx([0.8, 0.8])
    assert spoken(view) == model.describe()


def test_setting_the_model_moves_the_controls():
    model = PersistenceExplorer(random_image())
    view = _PersistenceView(model)
    model.threshold, model.connectivity, model.min_persistence = 0.3, 1, 0.25
    model.selected = 4
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"threshold": 0.3, "connectivity": 1, "min_persistence": 0.25, "selected": 4}
    assert view.controls["selected"].max == len(model.shown)


@pytest.mark.parametrize("group", range(4))
def test_pointing_at_a_dot_marks_its_pixels(group):
    image = random_image()
    model = PersistenceExplorer(image, min_persistence=0.1)
    view = _PersistenceView(model)
    dots = view.dots[group]
    place = len(dots.x) - 1

    view.picker(group)(dots, points_at(place), None)
    k = model.selected - 1
    assert model.shown.birth[k] == pytest.approx(dots.x[place])
    assert model.shown.death[k] == pytest.approx(dots.y[place])
    assert image[int(view.birth.y[0]), int(view.birth.x[0])] == model.shown.birth[k]
    if model.shown.death_index[k] >= 0:
        assert image[int(view.death.y[0]), int(view.death.x[0])] == model.shown.death[k]
    assert (view.ring.x[0], view.ring.y[0]) == (dots.x[place], dots.y[place])
    assert f"Feature {k + 1} of" in spoken(view)


def test_all_dots_answer_to_click_and_hover():
    view = _PersistenceView(PersistenceExplorer(random_image()))
    for dots in view.dots:
        assert dots._click_callbacks
        assert dots._hover_callbacks


def test_marking_none_clears_the_marks():
    model = PersistenceExplorer(random_image(), selected=2)
    view = _PersistenceView(model)
    assert len(view.birth.x) == len(view.death.x) == len(view.ring.x) == len(view.bar.x) / 2 == 1
    model.selected = 0
    for trace in (view.birth, view.death, view.ring, view.bar, view.path):
        assert len(trace.x) == 0


def test_bars_show_births_and_deaths():
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    x = np.array(view.bars[0].x).reshape(-1, 3)
    np.testing.assert_allclose(x[:, 0], model.shown.birth)
    np.testing.assert_allclose(x[:, 1], model.shown.death)
    assert list(np.array(view.bars[0].y).reshape(-1, 3)[:, 0]) == [1, 2, 3]
    assert len(view.bars[1].x) == 0


def test_every_control_has_a_label():
    view = _PersistenceView(PersistenceExplorer(LINE))
    assert all(control.description for control in view.controls.values())
    assert view.words.brief == view.model.brief()
    assert view.upload.description


def test_the_readers_own_picture_is_taken():
    file = file_of(np.arange(0, 240, 2, np.uint8).reshape(10, 12))
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    upload(view, file)
    assert model.image.shape == (10, 12)
    assert (model.image.min(), model.image.max()) == (0, 1)
    view.dark.value = True
    upload(view, file)
    assert model.image[0, 0] == 1
    assert painted(view.image).shape == (10, 12, 3)


def test_a_file_that_is_no_picture_is_refused_in_words():
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.image.shape == LINE.shape
