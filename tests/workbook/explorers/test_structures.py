"""The explorer of distributions over structures, without a browser."""

from __future__ import annotations

import films
import matplotlib
import numpy as np
import pytest
import torch
from screens import file_of, hills, spoken, upload
from traitlets import TraitError

from toposeg_lite.structures import StructureModel
from toposeg_lite.topology import betti_numbers
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import StructureExplorer
from toposeg_lite.workbook.explorers.structures import SIDE, _StructureView
from toposeg_lite.workbook.explorers.uploads import bring_colours

ROW = np.array([[0.9, 0.9, 0.9, 0.3, 0.2, 0.3, 0.8, 0.9, 0.8]])


class Logit(torch.nn.Module):
    """A network whose likelihood is the mean of the image's channels."""

    def forward(self, image):
        return image.mean(1, keepdim=True).clamp(1e-4, 1 - 1e-4).logit()


def models(channels=1):
    made = {}
    for mode in ("branch", "threshold"):
        made[mode] = StructureModel(Logit(), mode=mode, in_channels=channels, seed=1)
    with torch.no_grad():
        made["branch"].head[-1].weight.mul_(30)  # as if it had learned to tell branches apart
    return made


def explorer(**options):
    return StructureExplorer(models(), hills()[None], **{"n": 6} | options)


# --- Explorer ----------------------------------------------------------------------------------


def test_samples_and_uncertainty_are_those_of_the_model():
    model = explorer(n=9, seed=4)
    (plain,) = models()["branch"].distribution(torch.from_numpy(hills()[None, None]).float())
    np.testing.assert_array_equal(model.samples.kept, plain.sample(9, 4).kept)
    np.testing.assert_allclose(model.uncertainty.probability, plain.uncertainty().probability)
    entropies = model.uncertainty.entropy[model.order]
    assert (np.diff(entropies) <= 0).all()


def test_temperature_divides_the_log_odds():
    model = explorer()
    before = model.uncertainty.entropy
    model.temperature = 5.0
    (plain,) = models()["branch"].distribution(torch.from_numpy(hills()[None, None]).float())
    np.testing.assert_allclose(
        model.uncertainty.probability, plain.calibrated(5.0).uncertainty().probability
    )
    assert (model.uncertainty.entropy >= before - 1e-9).all()
    model.temperature = 1.0
    np.testing.assert_array_equal(model.uncertainty.entropy, before)


def test_another_model_and_another_image_bring_other_branches():
    model = explorer(selected=1)
    kept = model.uncertainty.probability
    model.mode = "threshold"
    assert model.distribution.mode == "threshold"
    assert not np.array_equal(model.uncertainty.probability, kept)
    model.image = ROW[None]
    assert model.distribution.branches.shape == ROW.shape
    assert len(model.order) == 3
    assert model.selected <= 3


def test_the_network_runs_once_for_each_model_and_image():
    model = explorer()
    runs = []
    for one in model.models.values():
        one.network.register_forward_hook(lambda *_: runs.append(1))
    model.temperature, model.n, model.mode = 2.0, 9, "threshold"
    model.mode, model.sample, model.shown = "branch", 5, "probability"
    assert len(runs) == 1  # the mode "threshold"
    model.image = ROW[None]
    assert len(runs) == 2


def test_fewer_samples_keep_the_shown_one_in_range():
    model = explorer(n=6, sample=6)
    model.n = 2
    assert (model.sample, len(model.samples)) == (2, 2)


def test_describe_says_what_there_is_to_see():
    model = explorer(n=5, sample=2, selected=1, shown="probability")
    text, kept = model.describe(), model.samples.kept
    assert "Model 'branch', temperature 1.00. Sample 2 of 5 keeps" in text
    assert f"keeps {kept[1].sum()} of {kept.shape[1]} branches" in text
    assert f"all samples keep {kept.sum(1).min()} to {kept.sum(1).max()}." in text
    b0, b1 = betti_numbers(model.samples.masks[1])
    assert f"has {b0} component{'s' * (b0 != 1)} and {b1} loop{'s' * (b1 != 1)}" in text
    assert "The maps show the probability." in text
    k = model.branch
    assert model.uncertainty.entropy[k] == model.uncertainty.entropy.max()
    assert f"Branch 1 of {kept.shape[1]}" in text
    assert f"probability {model.uncertainty.probability[k]:.2f}" in text
    assert f"kept in {kept[:, k].sum()} of 5 samples" in text
    model.selected = 0
    assert "Branch" not in model.describe()


def test_an_image_without_branches_is_fine():
    model = StructureExplorer(models(), np.zeros((1, 8, 9)), n=2)
    assert "0 of 0 branches" in model.describe()
    assert model.branch_at(3, 3) == 0
    model.picture()
    _StructureView(model)


def test_the_branch_at_a_pixel_is_the_one_that_the_map_colours():
    model = explorer()
    branches = model.distribution.branches
    distinct = np.linspace(0, 1, len(branches))
    colours = figures.branch_colours(hills(), branches, distinct)
    scale = (255 * matplotlib.colormaps["viridis"](distinct)[:, :3]).astype(np.uint8)
    some = 0
    for row, column in np.ndindex(branches.shape):
        number = model.branch_at(row, column)
        if number:
            some += 1
            np.testing.assert_array_equal(colours[row, column], scale[model.order[number - 1]])
        else:
            assert len(set(colours[row, column].tolist())) == 1  # grey
    assert some > len(branches)


@pytest.mark.parametrize(
    ("trait", "value"),
    [("image", hills()), ("image", hills()[None] * 300), ("mode", "both"), ("n", 0), ("n", 101),
     ("temperature", 0.0), ("temperature", 11.0), ("sample", 7), ("sample", 0), ("shown", "bits"),
     ("selected", 10**6)],
)  # fmt: skip
def test_refused_values_leave_the_explorer_as_it_was(trait, value):
    model = explorer()
    before = getattr(model, trait)
    with pytest.raises((ValueError, TypeError, TraitError)):
        setattr(model, trait, value)
    assert getattr(model, trait) is before


@pytest.mark.parametrize("wrong", [{}, {"a": torch.nn.Identity()}, None])
def test_models_must_be_models(wrong):
    with pytest.raises(TypeError, match="models must"):
        StructureExplorer(wrong, hills()[None])


def test_the_picture_is_the_static_twin():
    model = explorer(sample=2, shown="probability", selected=3)
    twin = figures.structure_summary(
        hills().astype(np.float32),
        model.distribution,
        model.samples,
        sample=1,
        shown="probability",
        selected=int(model.order[2]),
    )
    assert figures.png(model.picture()) == figures.png(twin)


def test_the_summary_shows_the_sample_and_both_maps():
    model = explorer(sample=3, selected=2)
    figure = model.picture()
    left, middle, right, bar = figure.axes
    assert left.get_title() == "sample 3 of 6"
    over = left.images[1].get_array()
    np.testing.assert_array_equal(over[..., 3] > 0, model.samples.masks[2])
    branches = model.distribution.branches
    colours = figures.branch_colours(hills(), branches, model.uncertainty.entropy)
    np.testing.assert_array_equal(middle.images[0].get_array(), colours)
    by_pixel = figures.pixel_values_of(branches.likelihood, "entropy")
    np.testing.assert_array_equal(right.images[0].get_array(), figures.pixel_colours(by_pixel))
    assert bar.get_ylabel() == "entropy, in bits"
    assert len(left.lines) == len(middle.lines) == 2
    with pytest.raises(ValueError, match="sample must be 0 to 5; got 6"):
        figures.structure_summary(hills(), model.distribution, model.samples, sample=6)


# --- View --------------------------------------------------------------------------------------


def test_the_view_shows_sample_maps_and_text():
    model = explorer(sample=2)
    view = _StructureView(model)
    branches = model.distribution.branches
    assert (view.frames.index, view.frames.about["frames"]) == (1, 6)
    for k, mask in enumerate(model.samples.masks):
        np.testing.assert_array_equal(films.foreground(view.frames, k), mask)
        model.sample = k + 1
        assert f"{view.frames.about['sentences'][k]}." == model.brief()
        kept = view.frames.about["numbers"][0]["values"][k]
        assert kept == str(model.samples.kept[k].sum())
    colours = films.colours(view.frames, 1).astype(int)
    np.testing.assert_array_equal(np.ptp(colours, axis=-1) > 0, model.samples.masks[1])
    second, third = pictures(view)
    wanted = figures.branch_colours(hills(), branches, model.uncertainty.entropy)
    np.testing.assert_allclose(second, wanted, atol=2)  # of many greys the nearest 256 colours
    by_pixel = figures.pixel_values_of(branches.likelihood, "entropy")
    np.testing.assert_array_equal(third, figures.pixel_colours(by_pixel))
    assert spoken(view) == model.describe()


def pictures(view):
    """Return the maps of branches and of pixels as the page shows them."""
    _, *maps = view.frames.about["panels"]
    return [films.colours(view.frames, 0, panel).astype(int) for panel in maps]


def test_page_and_controls_move_the_model():
    model = explorer()
    view = _StructureView(model)
    data = view.frames.data
    view.frames.set_state({"index": 3})  # as a page tells it
    assert model.sample == 4
    assert view.frames.data is data
    before = pictures(view)[0]
    view.controls["temperature"].value = 10.0
    assert model.temperature == 10.0
    assert not np.array_equal(pictures(view)[0], before)
    view.controls["n"].value = 3
    assert (model.n, model.sample) == (3, 3)
    assert (view.frames.index, view.frames.about["frames"]) == (2, 3)
    view.controls["mode"].value = "threshold"
    assert model.distribution.mode == "threshold"
    view.controls["shown"].value = "probability"
    assert "probability 0.5" in [text for _, _, text in view.frames.about["legend"]]
    third = figures.pixel_values_of(model.distribution.branches.likelihood, "probability")
    np.testing.assert_array_equal(pictures(view)[1], figures.pixel_colours(third))
    assert spoken(view) == model.describe()


def test_setting_the_model_moves_the_controls():
    model = explorer()
    view = _StructureView(model)
    model.n, model.sample, model.temperature, model.selected = 40, 33, 0.5, 2
    values = {name: control.value for name, control in view.controls.items()}
    assert values["n"] == 40
    assert values["temperature"] == pytest.approx(0.5)
    assert (view.frames.index, view.frames.marked) == (32, 2)


@pytest.mark.parametrize("which", [0, 1])
def test_each_pixel_of_the_page_marks_its_branch(which):
    model = explorer()
    view = _StructureView(model)
    panel = view.frames.about["panels"][which]
    picks = films.numbers(view.frames, panel["picks"]).reshape(model.image.shape[1:])
    for row, column in np.ndindex(picks.shape):
        assert picks[row, column] == model.branch_at(row, column)
    starts, flat = (films.numbers(view.frames, panel["paths"][n]) for n in ("starts", "places"))
    branches = model.distribution.branches
    saddle = divmod(int(branches.saddle[3]), branches.shape[1])
    view.frames.set_state({"marked": int(picks[saddle])})
    assert model.branch == branches.owner[saddle]
    assert f"Branch {picks[saddle]} of" in spoken(view)
    path = flat[starts[model.selected - 1] : starts[model.selected]]
    np.testing.assert_array_equal(path, branches.paths[model.branch])
    names = view.frames.about["marking"]["names"]
    assert len(names) == len(model.order)
    assert names[model.selected - 1].startswith(f"branch {model.selected}, probability ")
    view.frames.set_state({"marked": 0})
    assert model.branch is None


def test_every_control_has_a_label():
    view = _StructureView(explorer())
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert view.words.brief == view.model.brief()


def test_the_readers_picture_is_taken_at_its_own_scale():
    model = StructureExplorer(models(3), np.stack([hills()] * 3), n=2)
    view = _StructureView(model)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE + 40, 90, 3), dtype=np.uint8)
    file = file_of(pixels)
    upload(view, file)
    assert model.image.shape == (3, SIDE, 90)
    np.testing.assert_allclose(model.image, pixels[20:-20].transpose(2, 0, 1) / 255, rtol=1e-6)
    assert spoken(view) == model.describe()
    upload(view, b"no picture", "bad.txt")
    assert "bad.txt was not taken" in spoken(view)
    assert model.image.shape == (3, SIDE, 90)
    assert bring_colours(file, 1, side=SIDE).values.shape == (1, SIDE, 90)
