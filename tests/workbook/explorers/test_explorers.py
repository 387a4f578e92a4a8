"""Explorers without a browser: what the models compute, and what their views show and obey."""

from __future__ import annotations

import base64
import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from traitlets import TraitError

from toposeg_lite import explorers, figures
from toposeg_lite.explorers import (
    GradientExplorer,
    PersistenceExplorer,
    read_image,
    read_volume,
)
from toposeg_lite.explorers.gradient import _GradientView
from toposeg_lite.explorers.persistence import _PersistenceView
from toposeg_lite.explorers.structures import _read_colours
from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.topology import betti_numbers, persistence_pairs

LINE = np.array([[0.9, 0.1, 0.6, 0.2, 0.7]])


def random_image(seed=0, shape=(21, 34)):
    return np.random.default_rng(seed).random(shape)


def broken_line():
    """Return a line with a gap and a false blob, and the whole line."""
    truth = np.zeros((16, 24), bool)
    truth[8, 2:22] = True
    likelihood = np.where(truth, 0.8, 0.05)
    likelihood[8, 11], likelihood[3, 5] = 0.3, 0.6
    return likelihood, truth


def gradient_explorer(**options):
    losses = {"topological": TopologicalLoss(), "Dice and cross-entropy": DiceBCELoss()}
    return GradientExplorer(*broken_line(), losses, steps=6, rate=20.0, **options)


def painted(view):
    """Return the colours of the image part of a view."""
    content = base64.b64decode(view.image.source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


# --- Models -----------------------------------------------------------------------------------


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


def test_gradient_steps_are_gradient_descent_on_the_logits():
    explorer = gradient_explorer()
    likelihood, truth = broken_line()
    logits = torch.tensor(likelihood, dtype=torch.float32).logit().requires_grad_()
    target = torch.tensor(truth)[None, None].float()
    for step in range(3):
        explorer.step = step
        loss = TopologicalLoss()(logits[None, None], target)
        (slope,) = torch.autograd.grad(loss, logits)
        torch.testing.assert_close(torch.tensor(explorer.image), logits.detach().sigmoid())
        torch.testing.assert_close(torch.tensor(explorer.pull), -slope)
        assert explorer.values[step] == pytest.approx(loss.item())
        logits = (logits.detach() - 20 * slope).requires_grad_()


def test_the_loss_mends_the_gap():
    explorer = gradient_explorer()
    assert explorer.betti == (3, 0)
    explorer.step = 6
    assert explorer.betti == (1, 0)
    assert explorer.values[-1] < explorer.values[0]
    assert "Step 6 of 6 down the loss 'topological'" in explorer.describe()
    assert "The truth has 1 component and 0 holes." in explorer.describe()


def test_another_loss_is_played_from_the_same_start():
    explorer = gradient_explorer(step=2)
    explorer.loss = "Dice and cross-entropy"
    assert np.count_nonzero(explorer.pull) == explorer.image.size
    explorer.step = 0
    np.testing.assert_allclose(explorer.image, broken_line()[0], atol=1e-6)
    assert len(explorer.values) == 7


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


# --- Views ------------------------------------------------------------------------------------


def test_moving_the_slider_moves_image_diagram_and_text():
    image = random_image()
    model = PersistenceExplorer(image)
    view = _PersistenceView(model)
    view.controls["threshold"].value = 0.8
    assert model.threshold == 0.8
    yellow = painted(view)[..., 0] - painted(view)[..., 2] > 20
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

    view.picker(group)(dots, SimpleNamespace(point_inds=[place]), None)
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
    for view in (
        _PersistenceView(PersistenceExplorer(LINE)),
        _GradientView(gradient_explorer()),
    ):
        assert all(control.description for control in view.controls.values())
        assert 'role="status"' in view.text.value
    assert view.upload.description


def upload(view, content, name="mine.png"):
    view.take_upload(SimpleNamespace(new=({"name": name, "content": memoryview(content)},)))


def test_the_readers_own_picture_is_taken():
    file = io.BytesIO()
    Image.fromarray(np.arange(0, 240, 2, np.uint8).reshape(10, 12)).save(file, "PNG")
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    upload(view, file.getvalue())
    assert model.image.shape == (10, 12)
    assert (model.image.min(), model.image.max()) == (0, 1)
    view.dark.value = True
    upload(view, file.getvalue())
    assert model.image[0, 0] == 1
    assert painted(view).shape == (10, 12, 3)


def test_a_file_that_is_no_picture_is_refused_in_words():
    model = PersistenceExplorer(LINE)
    view = _PersistenceView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.image.shape == LINE.shape


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F"])
def test_pictures_of_all_kinds_are_read(mode):
    grey = np.zeros((6, 9), np.uint8)
    grey[:, 4:] = 255
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 256)
    else:
        picture = Image.fromarray(grey).convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF" if mode in ("I", "F") else "PNG")
    np.testing.assert_allclose(read_image(file.getvalue()), grey / 255, atol=1e-6)


def file_of(pixels, kind="TIFF"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


BROKEN = {
    "half a PNG": (file_of(np.arange(900, dtype=np.uint8).reshape(30, 30), "PNG")[:70], "Pillow"),
    "nothing": (b"", "the file is no picture that Pillow can read$"),
    "NaN": (file_of(np.array([[0, np.nan, 1]], np.float32)), "values that are NaN or infinite"),
    "infinite": (file_of(np.array([[0, np.inf, 1]], np.float32)), "values that are NaN or inf"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("read", [read_image, read_volume, lambda file: _read_colours(file, 3)])
def test_a_broken_file_is_refused_with_a_clear_message(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


def test_a_picture_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="exceeds limit"):
        read_image(file_of(np.zeros((20, 20), np.uint8)))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 13107, 65535]], np.uint16), [0, 0.2, 1]),  # not cut off at 255
        (np.array([[0, 13107, 65535]], ">u2"), [0, 0.2, 1]),
        (np.array([[-3, -2, 2]], np.float32), [0, 0.2, 1]),
        (np.array([[0, 0.2, 0.5]], np.float32), [0, 0.2, 0.5]),
        (np.array([[7, 7]], np.float32), [0, 0]),
        (np.array([[0, 51, 204]], np.uint8), [0, 0.2, 0.8]),
    ],
)
def test_models_see_pictures_of_all_types_in_their_full_range(pixels, expected):
    seen = _read_colours(file_of(pixels), 3)
    np.testing.assert_allclose(seen, np.tile(expected, (3, 1, 1)), atol=1e-6)


def test_large_pictures_are_reduced_and_keep_their_shape():
    file = io.BytesIO()
    Image.fromarray((random_image(1, (120, 300)) * 255).astype(np.uint8)).save(file, "PNG")
    assert read_image(file.getvalue(), size=100).shape == (40, 100)


def test_stepping_moves_image_marks_loss_and_text():
    model = gradient_explorer()
    view = _GradientView(model)
    before = painted(view)
    view.controls["step"].value = 5
    assert model.step == 5
    assert (painted(view) != before).any()
    assert (view.now.x[0], view.now.y[0]) == (5, pytest.approx(model.values[5]))
    for trace, sign in ((view.raised, 1), (view.lowered, -1)):
        pixels = np.array(trace.y, int), np.array(trace.x, int)
        assert (sign * model.pull[pixels] > 0).all()
        assert len(trace.x) == min(100, np.count_nonzero(sign * model.pull > 0))
    assert spoken(view) == model.describe()
    view.controls["loss"].value = "Dice and cross-entropy"
    assert "down the loss 'Dice and cross-entropy'" in spoken(view)
    assert list(view.curve.y) == pytest.approx(model.values)


@pytest.mark.parametrize("make", [lambda: PersistenceExplorer(LINE), gradient_explorer])
def test_show_stores_widget_picture_and_sentence(monkeypatch, make):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    explorer = make()
    explorers.show(explorer)
    data, metadata = shown[0]._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]) == figures.png(explorer.picture())
    assert data["text/plain"] == metadata["image/png"]["alt"] == explorer.describe()
