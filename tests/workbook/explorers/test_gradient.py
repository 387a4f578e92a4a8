"""The explorer of a descent, without a browser."""

from __future__ import annotations

import films
import numpy as np
import pytest
import torch
from screens import spoken
from skimage.measure import label

from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.topology import morse_complex
from toposeg_lite.topology.skeleton import thin_mask
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import GradientExplorer
from toposeg_lite.workbook.explorers.gradient import _GradientView


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


def test_every_frame_is_what_the_model_says():
    model = gradient_explorer(min_persistence=0.1)
    view = _GradientView(model)
    curve = films.numbers(view.frames, films.panel(view.frames, "curve")["values"])
    np.testing.assert_allclose(curve, model.values, rtol=1e-6)
    for step in range(7):
        model.step = step
        frames = view.frames
        assert frames.index == step
        assert f"{frames.about['sentences'][step]}." == model.brief()
        np.testing.assert_array_equal(films.foreground(frames, step), model.mask)
        plain = {"shape": model.image.shape, "layers": films.panel(frames)["layers"][:1]}
        grey = films.colours(frames, step, plain)[..., 0]
        np.testing.assert_allclose(grey / 255, model.image, atol=0.51 / 255)
        for which, sign in enumerate((1, -1)):
            flat = films.places(frames, step, which)
            assert (sign * model.pull.ravel()[flat] > 0).all()
            assert len(flat) == min(100, np.count_nonzero(sign * model.pull > 0))
        found, alive = films.features(frames, step)
        np.testing.assert_array_equal(found["birthAt"], model.shown.birth_index)
        np.testing.assert_array_equal(alive, figures.alive(model.shown, model.threshold))
        shown = [numbers["values"][step] for numbers in frames.about["numbers"]]
        assert shown == [str(count) for count in model.betti]


@pytest.mark.parametrize("loss", ["morse", "morse, of both"])
def test_the_example_pulls_at_whole_ridges(loss):
    """By the formula: the likelihood minus the truth, on the ridges, through their number."""
    model = GradientExplorer.example()
    model.loss, model.step = loss, 0
    ridges = morse_complex(model.image).skeleton(0.1).mask
    if loss == "morse, of both":
        ridges |= thin_mask(model.truth)
    pull = np.where(ridges, 10 * (model.truth - model.image) / ridges.sum(), 0)
    np.testing.assert_allclose(model.pull, pull, atol=1e-6)
    assert label(ridges, connectivity=2).max() < ridges.sum() / 20  # ways, and no single pixels
    first = films.panel(_GradientView(model).frames)["signs"][0]
    assert first["sign"] == "up"
    raised = films.places(_GradientView(model).frames, 0, 0)
    strongest = np.sort(model.pull[model.pull > 0])[::-1][:100]
    np.testing.assert_allclose(np.sort(model.pull.flat[raised])[::-1], strongest)


def test_the_page_moves_the_model_in_the_film_that_it_has(monkeypatch):
    model = gradient_explorer()
    view = _GradientView(model)
    film = view.film
    made = []
    monkeypatch.setattr(view, "film", lambda: made.append(1) or film())
    view.frames.set_state({"index": 5, "marked": 2})
    assert (model.step, model.selected) == (5, 2)
    assert spoken(view) == model.describe()
    assert made == []
    view.controls["loss"].value = "Dice and cross-entropy"
    assert made == [1]
    assert "down the loss 'Dice and cross-entropy'" in spoken(view)
    curve = films.numbers(view.frames, films.panel(view.frames, "curve")["values"])
    np.testing.assert_allclose(curve, model.values, rtol=1e-6)
    view.controls["threshold"].value = 0.7
    assert made == [1, 1]
    np.testing.assert_array_equal(films.foreground(view.frames, 5), model.image >= 0.7)


def test_every_control_has_a_label():
    view = _GradientView(gradient_explorer())
    assert all(control.description for control in view.controls.values())
    assert view.words.brief == view.model.brief()
    assert view.upload.description


def test_a_descent_from_another_likelihood_starts_anew():
    model = GradientExplorer(np.full((3, 4), 0.4), np.ones((3, 4)), {"one": DiceBCELoss()}, steps=4)
    view = _GradientView(model)
    model.step = 3
    outline = films.numbers(view.frames, films.panel(view.frames)["lines"][0]["xy"])
    other = np.array([[0.9, 0.9, 0.2, 0.2, 0.6]] * 2)
    model.take(other)
    assert model.step == 0
    np.testing.assert_allclose(model.image, other, atol=1e-6)
    np.testing.assert_array_equal(model.truth, other >= 0.5)
    assert len(model.values) == 5
    now = films.numbers(view.frames, films.panel(view.frames)["lines"][0]["xy"])
    x, y = figures.outline(model.truth)
    np.testing.assert_array_equal(now.reshape(-1, 2), np.stack([x, y], 1))
    assert not np.array_equal(now, outline, equal_nan=True)
    assert films.panel(view.frames)["shape"] == [2, 5]
    model.step = 4
    assert (model.image[other >= 0.5] > other[other >= 0.5]).all()
    assert (model.image[other < 0.5] < other[other < 0.5]).all()
    model.take(other, np.ones_like(other, bool))
    assert model.truth.all()


def test_a_bad_likelihood_leaves_the_descent_as_it_was():
    model = GradientExplorer(np.full((3, 4), 0.4), np.ones((3, 4)), {"one": DiceBCELoss()}, step=2)
    values = model.values
    for bad in (np.full((3, 4), 7.0), (np.full((3, 4), 0.5), np.ones((2, 2), bool))):
        with pytest.raises(ValueError, match="likelihood"):
            model.take(*bad) if isinstance(bad, tuple) else model.take(bad)
    assert model.start.shape == (3, 4)
    assert model.step == 2
    assert model.values is values
