"""Voxels that are no cubes: crops are turned, and distances measured, as the samples say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_data import assert_same

from toposeg_lite.data import Dataset, Sample
from toposeg_lite.losses import make_loss
from toposeg_lite.training import TrainConfig, draw_batch, loop, train
from toposeg_lite.training.spacing import losses_with_spacing, spacing_of_training

FLAT = (5.0, 1.0, 1.0)
CONFIG = TrainConfig("tubes", steps=2, patch=8, batch=2, width=2, depth=2, weight=1.0)


def volume(name, spacing=None, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((1, 12, 12, 12)).astype(np.float32)
    return Sample(name, image, image[0] > 0.5, spacing=spacing)


def dataset(*spacings):
    samples = tuple(volume(f"v{k}", spacing, k) for k, spacing in enumerate(spacings))
    return Dataset("volumes", samples, samples, samples, "foreground", "own", 8, "made here")


def ramp(spacing=None):
    """A volume that is brighter along its first axis alone."""
    image = np.broadcast_to(np.arange(8)[:, None, None] / 7, (8, 8, 8)).astype(np.float32)
    return Sample("ramp", image[None].copy(), image > 0.5, spacing=spacing)


def axes_of(sample, **options):
    """Return along which axes the ramp rises in many crops."""
    images, masks = draw_batch([sample], step=0, seed=0, patch=8, batch=60, **options)
    assert ((images > 0.5) == masks).all()
    rises = [np.ptp(image[0], axis=k).max() for image in images for k in range(3)]
    return set(np.flatnonzero(np.reshape(rises, (-1, 3)).max(0)).tolist())


def test_axes_change_places_only_where_voxels_are_as_long():
    assert axes_of(ramp()) == {0, 1, 2}
    assert axes_of(ramp((2.0, 2.0, 2.0))) == {0, 1, 2}
    assert axes_of(ramp(FLAT)) == {0}
    assert axes_of(ramp((1.0, 1.0, 3.0))) == {0, 1}
    assert axes_of(ramp(), spacing=FLAT) == {0}
    assert axes_of(ramp(FLAT), spacing=(1, 1, 1)) == {0, 1, 2}


def test_cubes_are_cropped_as_without_a_spacing():
    options = {"step": 3, "seed": 1, "patch": 8, "batch": 4}
    plain = draw_batch([volume("a")], **options)
    for spacing in ((0.3, 0.3, 0.3), (1.0, 1.0, 1.0002)):
        for one, other in zip(plain, draw_batch([volume("a", spacing)], **options), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", ["warping", "cldice"])
def test_a_loss_measures_by_the_voxels_of_the_samples(loss):
    config = replace(CONFIG, loss=loss)
    told = replace(config, loss_options={"spacing": FLAT})
    own = train(config, data=dataset(FLAT, (10.0, 2.0, 2.0)), progress=False)
    given = train(told, data=dataset(None, None), progress=False)
    assert_same(replace(own, config=given.config), given)
    cubes = train(config, data=dataset(None, None), progress=False)
    assert cubes.history["added"].tolist() != own.history["added"].tolist()
    asked = replace(config, loss_options={"spacing": None})
    as_cubes = train(asked, data=dataset(FLAT, None), progress=False)
    assert_same(replace(as_cubes, config=cubes.config), cubes)


def test_parts_of_a_sum_measure_alike():
    parts = {"topological": {}, "thin": {"loss": "cldice"}, "warping": {}}
    found = losses_with_spacing("sum", {"parts": parts}, FLAT)
    loss = make_loss("sum", **found)
    assert loss.parts["thin"].options.spacing == loss.parts["warping"].options.spacing == FLAT
    assert spacing_of_training([volume("a", FLAT)], "sum", {"parts": parts}) == FLAT
    differ = {"cldice": {"spacing": FLAT}, "warping": {"spacing": None}}
    with pytest.raises(ValueError, match="the parts of a sum must have one spacing"):
        spacing_of_training([volume("a")], "sum", {"parts": differ})


def test_samples_of_several_spacings_are_refused_where_it_matters(monkeypatch):
    data = dataset(FLAT, (1.0, 1.0, 1.0))
    text = r"'v1' have the spacing \(1\.0, 1\.0, 1\.0\), those of 'v0' \(5\.0, 1\.0, 1\.0\)"
    with pytest.raises(ValueError, match=text):
        train(replace(CONFIG, loss="cldice"), data=data, progress=False)
    drawn = []
    draw = loop.draw_batch

    def noted(*arguments, **options):
        drawn.append(options["spacing"])
        return draw(*arguments, **options)

    monkeypatch.setattr(loop, "draw_batch", noted)
    train(replace(CONFIG, loss="topological"), data=data, progress=False)  # measures nothing
    train(replace(CONFIG, loss="cldice", weight=0), data=data, progress=False)
    assert set(drawn) == {None}  # each sample's own
