"""The explorer of births and deaths, without a browser."""

from __future__ import annotations

import base64
import json
import zlib

import films
import numpy as np
import pytest
from screens import file_of, spoken, upload
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


@pytest.mark.parametrize("connectivity", [1, 2])
def test_every_frame_is_what_the_model_says(connectivity):
    image = np.round(random_image(), 1)  # so that many pixels lie exactly at a threshold
    model = PersistenceExplorer(image, connectivity=connectivity, min_persistence=0.1)
    frames = _PersistenceView(model).frames
    thresholds = frames.about["thresholds"]
    assert frames.about["values"] == [f"{t:.2f}" for t in thresholds]
    assert thresholds == [k / 100 for k in range(101)]
    for k, t in enumerate(thresholds):
        model.threshold = t
        np.testing.assert_array_equal(films.foreground(frames, k), image >= t)
        counts = betti_numbers(image >= t, connectivity=connectivity)
        shown = [numbers["values"][k] for numbers in frames.about["numbers"]]
        assert shown == [str(count) for count in counts]
        assert f"{frames.about['sentences'][k]}." == model.brief()
        _, alive = films.features(frames, k)
        np.testing.assert_array_equal(alive, figures.alive(model.shown, t))
        assert len(alive) == len(model.shown)
    assert frames.about["connectivity"] == connectivity


def test_the_features_of_the_page_are_those_of_the_model():
    image = random_image()
    model = PersistenceExplorer(image, min_persistence=0.2)
    found, _ = films.features(_PersistenceView(model).frames, 0)
    for name, of_page in (("birth_index", "birthAt"), ("death_index", "deathAt")):
        np.testing.assert_array_equal(found[of_page], getattr(model.shown, name))
    for name in ("dimension", "birth", "death"):
        np.testing.assert_allclose(found[name], getattr(model.shown, name), rtol=1e-6)
    np.testing.assert_allclose(image.flat[found["birthAt"]], found["birth"], rtol=1e-6)
    dead = found["deathAt"] >= 0
    np.testing.assert_allclose(image.flat[found["deathAt"][dead]], found["death"][dead], rtol=1e-6)


def test_the_page_moves_the_model():
    image = random_image()
    model = PersistenceExplorer(image)
    view = _PersistenceView(model)
    view.frames.set_state({"index": 80, "marked": 4})  # as a page tells it, in one message
    assert (model.threshold, model.selected) == (0.8, 4)
    assert (view.frames.index, view.frames.marked) == (80, 4)
    assert spoken(view) == model.describe()
    assert "Feature 4 of" in spoken(view)
    view.frames.set_state({"marked": 0})
    assert (model.threshold, model.selected) == (0.8, 0)
    assert "Feature " not in spoken(view)
    colours = films.colours(view.frames, 80).astype(int)
    yellow = colours[..., 0] - colours[..., 2] > 20
    np.testing.assert_array_equal(yellow, image >= 0.8)


def test_a_move_makes_no_other_film(monkeypatch):
    view = _PersistenceView(PersistenceExplorer(random_image()))
    made = []
    monkeypatch.setattr(view, "film", lambda: made.append(1))
    data = view.frames.data
    for k in (0, 33, 100):
        view.frames.index = k
        view.frames.marked = k // 20
    view.model.threshold, view.model.selected = 0.25, 2
    assert made == []
    assert view.frames.data is data


def test_setting_the_model_moves_controls_and_page():
    model = PersistenceExplorer(random_image())
    view = _PersistenceView(model)
    model.threshold, model.connectivity, model.min_persistence = 0.3, 1, 0.25
    model.selected = 4
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"connectivity": 1, "min_persistence": 0.25}
    assert (view.frames.index, view.frames.marked) == (30, 4)
    assert view.frames.about["connectivity"] == 1
    found, _ = films.features(view.frames, 30)
    assert len(found["birth"]) == len(model.shown)


def test_a_threshold_between_those_of_the_slider_has_a_frame_of_its_own():
    image = random_image()
    model = PersistenceExplorer(image)
    view = _PersistenceView(model)
    model.threshold = 0.4375
    k = view.frames.index
    assert view.frames.about["frames"] == 102
    assert view.frames.about["thresholds"][k - 1 : k + 2] == [0.43, 0.4375, 0.44]
    np.testing.assert_array_equal(films.foreground(view.frames, k), image >= 0.4375)
    view.frames.index = k + 1  # the page goes on in the film that it has
    assert model.threshold == 0.44
    np.testing.assert_array_equal(films.foreground(view.frames, view.frames.index), image >= 0.44)


def test_the_page_says_that_it_computes_while_a_control_works(monkeypatch):
    model = PersistenceExplorer(random_image())
    view = _PersistenceView(model)
    busy = []
    model.observe(lambda change: busy.append(view.frames.busy), "connectivity")
    view.controls["connectivity"].value = 1
    assert busy == [True]
    assert view.frames.busy is False
    monkeypatch.setattr(view, "take", lambda file: busy.append(view.frames.busy) or ())
    upload(view, b"anything")
    assert busy == [True, True]
    assert view.frames.busy is False


def test_the_bundle_is_small_and_plain():
    frames = _PersistenceView(PersistenceExplorer(random_image(shape=(256, 256)))).frames
    bundle = json.loads(json.dumps(frames.bundle()))
    assert set(bundle) == {"about", "data", "index", "level", "marked", "pixel"}
    assert zlib.decompress(base64.b64decode(bundle["data"])) == frames.data
    assert bundle["about"] == json.loads(json.dumps(frames.about))
    assert len(json.dumps(bundle)) < 1_500_000


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
    assert films.colours(view.frames, view.frames.index).shape == (10, 12, 3)


def test_a_file_that_is_no_picture_is_refused_in_words():
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.image.shape == LINE.shape
