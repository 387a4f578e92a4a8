"""The chapter on the Morse loss: its figure and its checkers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toposeg_lite import figures
from toposeg_lite.exercises import (
    DOUBTFUL_WALL,
    DOUBTFUL_WALL_TRUTH,
    PENCIL_PASS,
    PENCIL_PASS_TRUTH,
    check,
)
from toposeg_lite.losses import MorseLoss
from toposeg_lite.topology import morse_complex

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


# --- The figure -------------------------------------------------------------------------------


def test_every_pixel_that_is_pulled_has_a_sign_as_large_as_its_pull():
    raised, lowered = signs(figures.image_with_pull(IMAGE, PULL))
    assert sorted(raised) == [(0, 0), (1, 0)]
    assert sorted(lowered) == [(2, 0), (2, 1)]
    assert lowered[2, 0] / raised[1, 0] == pytest.approx(6 / 7)
    assert lowered[2, 1] == raised[0, 0] > 4  # the weakest are drawn so large that one sees them


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


# --- Checkers ---------------------------------------------------------------------------------


def gradient(image, truth, **options):
    """Return the gradient of the library's loss by logit."""
    logits = torch.tensor(image).logit()[None, None].requires_grad_()
    loss = MorseLoss(**options)(logits, torch.tensor(truth)[None])
    return torch.autograd.grad(loss, logits)[0][0, 0].numpy()


def test_the_pencil_gradient_is_the_librarys():
    by_library = gradient(PENCIL_PASS, PENCIL_PASS_TRUTH)
    np.testing.assert_allclose(by_library, [[0, -0.04, -0.14, -0.02, 0.04, 0.12]], atol=1e-12)
    assert check("06.1", by_library[0].tolist()).status == "correct"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ([0, 0.04, 0.14, 0.02, -0.04, -0.12], "signs"),
        ([0, -0.2, -0.7, -0.1, 0.2, 0.6], "not their sum"),
        (np.array([0, -0.2, -0.7, -0.1, 0.2, 0.6]) / 6, "not over all"),
        (np.array([0.1, -0.2, -0.7, -0.1, 0.2, 0.6]) / 6, "slope"),
        ([0, -0.25, -2 / 3, -2 / 9, 0.25, 0.5], "by likelihood"),
        ([0, -0.2 / 3, -0.7 / 3, -0.1 / 3, 0, 0], "pixels of the truth"),
        ([0, -0.04, -0.14, -0.02, 0.04, 0.11], "5 of your 6"),
        ([0, 1], "list of six"),
        ("abc", "list of six"),
    ],
)
def test_wrong_gradients_are_told_apart(answer, word):
    verdict = check("06.1", answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


RIGHT = {"of": "both", "saddle_level": 0.3}


@pytest.mark.parametrize("more", [{}, {"min_persistence": 0.4}, {"saddle_level": 0.65}])
def test_options_that_show_wall_and_speck_are_right(more):
    options = RIGHT | more
    on = gradient(DOUBTFUL_WALL, DOUBTFUL_WALL_TRUTH, **options) != 0
    expected = DOUBTFUL_WALL_TRUTH.copy()
    expected[3, 1] = True
    np.testing.assert_array_equal(on, expected)
    assert check("06.2", options).status == "correct"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({}, "Only 1 of the wall's 5"),
        ({"min_persistence": 0}, "whose structures"),
        ({"of": "truth"}, "Only the prediction knows"),
        ({"of": "both", "structure": "patches"}, "divides nothing"),
        (RIGHT | {"saddle_level": 0.7}, "A threshold takes it away"),
        (RIGHT | {"min_persistence": 0.6}, "A threshold takes it away"),
        ({"of": "both"}, "two thresholds cuts"),
        ({"of": "both", "min_persistence": 0.0}, "two thresholds cuts"),
        (RIGHT | {"dilation": 1}, "Widening"),
        ({"whose": "both"}, "does not take these"),
        ({"of": "all"}, "does not take these"),
        ("skeleton", "Give a dict"),
    ],
)
def test_wrong_options_are_told_apart(answer, word):
    verdict = check("06.2", answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


def weighted(paths, min_persistence, cost):
    weight = [0.0] * len(cost)
    for path, worth in zip(paths, min_persistence, strict=True):
        for p in path:
            weight[p] = max(weight[p], worth)
    return sum(w * c for w, c in zip(weight, cost, strict=True)) / sum(weight)


def test_the_weighted_mean_is_right_and_acts_on_the_librarys_branches():
    assert check("06.3", weighted).status == "correct"
    branches = morse_complex(PENCIL_PASS).branches()
    cost = -np.log(np.where(PENCIL_PASS_TRUTH, PENCIL_PASS, 1 - PENCIL_PASS))[0]
    by_hand = (0.5 * cost[1:4].sum() + 0.4 * cost[4:].sum()) / (3 * 0.5 + 2 * 0.4)
    assert weighted(branches.paths, branches.persistence, cost) == pytest.approx(by_hand)


def weigh(how, finish=lambda weight, cost: (weight * cost).sum() / weight.sum()):
    def rule(paths, min_persistence, cost):
        weight = np.zeros(len(cost))
        for path, worth in zip(paths, min_persistence, strict=True):
            how(weight, path, worth)
        return finish(weight, cost)

    return rule


def largest(weight, path, worth):
    weight[path] = np.maximum(weight[path], worth)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (weigh(largest, lambda w, c: c[w > 0].mean()), "as before"),
        (weigh(np.add.at), "once for each branch"),
        (weigh(lambda w, path, worth: w.__setitem__(path, worth)), "overwrites"),
        (weigh(largest, lambda w, c: (w * c).sum()), "weighted sum"),
        (weigh(largest, lambda w, c: (w * w * c).sum() / w.sum()), "twice"),
        (
            lambda paths, worth, c: np.average([c[p].mean() for p in paths], weights=worth),
            "averaged over branches",
        ),
        (weigh(largest, lambda w, c: (w * c).sum() / (w > 0).sum()), "For a test with 1 branch"),
        (lambda paths, persistence, cost: cost, "Return one number"),
        (lambda paths, persistence, cost: cost[99], "IndexError"),
    ],
)
def test_wrong_weights_are_told_apart(answer, word):
    verdict = check("06.3", answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


@pytest.mark.parametrize("exercise", ["06.1", "06.2", "06.3"])
def test_a_stub_is_neutral(exercise):
    assert check(exercise, None).status == "not attempted"
    if exercise == "06.3":
        assert check(exercise, lambda *arguments: None).status == "not attempted"
