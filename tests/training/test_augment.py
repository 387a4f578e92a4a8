"""Augmentation: values change by MONAI's transforms, and nothing else changes."""

from __future__ import annotations

import colorsys
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_data import DATA, TINY

from toposeg_lite.data import Sample
from toposeg_lite.training import TrainConfig, draw_batch, load_checkpoint, train
from toposeg_lite.training import loop as training_loop
from toposeg_lite.training.augment import TRANSFORMS, make_augmentation, recolour

#: Options that the class has no default for, or that change little by default.
OPTIONS = {
    "RandCoarseDropout": {"holes": 2, "spatial_size": 3},
    "RandCoarseShuffle": {"holes": 2, "spatial_size": 3},
    "RandRicianNoise": {"std": 0.1},
    "RandScaleIntensity": {"factors": 0.5},
    "RandScaleIntensityFixedMean": {"factors": 0.5},
    "RandShiftIntensity": {"offsets": 0.3},
    "RandStdShiftIntensity": {"factors": 0.5},
    "RandKSpaceSpikeNoise": {"intensity_range": [5, 6]},
}
NOISE = {"RandGaussianNoise": {"prob": 0.5, "std": 0.1}}


def crop(shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 16, 12), (1, 8, 12, 10)], ids=["2D", "3D"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_changes_values_at_random_by_the_generator_alone(name, shape):
    image = crop(shape)
    before = image.copy()
    options = OPTIONS.get(name, {})
    change = make_augmentation({name: {**options, "prob": 1}})
    first = change(image, np.random.default_rng(1))
    np.random.seed(3)  # noqa: NPY002 - that the global states are not used is the point
    torch.manual_seed(3)
    again = change(image, np.random.default_rng(1))
    assert type(first) is np.ndarray
    assert first.dtype == np.float32
    assert first.shape == shape
    assert 0 <= first.min() < first.max() <= 1
    assert not np.array_equal(first, image)
    np.testing.assert_array_equal(first, again)
    others = [change(image, np.random.default_rng(seed)) for seed in (2, 3, 4)]
    assert any(not np.array_equal(first, other) for other in others)
    never = make_augmentation({name: {**options, "prob": 0}})
    np.testing.assert_array_equal(never(image, np.random.default_rng(1)), image)
    np.testing.assert_array_equal(image, before)


def test_options_reach_their_transform_and_order_is_kept():
    image = crop((1, 20, 20)) / 2
    rng = np.random.default_rng
    double = {"RandScaleIntensity": {"prob": 1, "factors": [1, 1]}}
    np.testing.assert_allclose(make_augmentation(double)(image, rng(0)), 2 * image, rtol=1e-6)
    lift = {"RandShiftIntensity": {"prob": 1, "offsets": [0.1, 0.1]}}
    both = make_augmentation(double | lift)(image, rng(0))
    np.testing.assert_allclose(both, np.minimum(2 * image + 0.1, 1), rtol=1e-6)
    other = make_augmentation(lift | double)(image, rng(0))
    np.testing.assert_allclose(other, np.minimum(2 * (image + 0.1), 1), rtol=1e-6)
    low, span = image.min(), np.ptp(image)
    squared = make_augmentation({"RandAdjustContrast": {"prob": 1, "gamma": [2, 2]}})(image, rng(0))
    np.testing.assert_allclose(squared, ((image - low) / span) ** 2 * span + low, atol=1e-5)
    grey = np.full((1, 200, 200), 0.5, np.float32)
    fixed = {"RandGaussianNoise": {"prob": 1, "std": 0.05, "sample_std": False}}
    assert make_augmentation(fixed)(grey, rng(0)).std() == pytest.approx(0.05, rel=0.05)


def test_the_chance_holds_for_each_crop_alone():
    flat = Sample("flat", np.full((1, 8, 8), 0.5, np.float32), np.eye(8, dtype=bool))
    images, _ = draw_batch([flat], step=0, seed=0, patch=8, batch=400, augment=NOISE)
    changed = (images != 0.5).any(axis=(1, 2, 3))
    assert 160 < changed.sum() < 240
    assert len({image.tobytes() for image in images[changed]}) == changed.sum()


def test_crops_and_light_stay_what_they_are_without():
    options = {"step": 3, "seed": 2, "patch": 16, "batch": 6, "light": 0.2}
    plain, masks = draw_batch(DATA.train, **options)
    same, same_masks = draw_batch(DATA.train, **options, augment={})
    np.testing.assert_array_equal(same, plain)
    never = {"RandGaussianNoise": {"prob": 0}}
    noisy, noisy_masks = draw_batch(DATA.train, **options, augment=NOISE)
    np.testing.assert_array_equal(draw_batch(DATA.train, **options, augment=never)[0], plain)
    np.testing.assert_array_equal(masks, same_masks)
    np.testing.assert_array_equal(masks, noisy_masks)
    assert 0 < np.abs(noisy - plain).max() < 0.6


def test_training_sees_it_and_a_run_goes_on_only_with_its_own(tmp_path, monkeypatch):
    config = replace(TINY, augment=NOISE, weight=0.0)
    whole = train(config, data=DATA, progress=False)
    plain = train(replace(config, augment={}), data=DATA, progress=False)
    assert not whole.history["loss"].equals(plain.history["loss"])

    def fail(*arguments, step, **options):
        if step == 2:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(training_loop, "draw_batch", fail)
    out = tmp_path / "run.safetensors"
    every = replace(config, checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(every, data=DATA, out=out, progress=False)
    monkeypatch.setattr(training_loop, "draw_batch", draw_batch)
    assert load_checkpoint(out).config == every
    other = replace(every, augment={})
    with pytest.raises(ValueError, match=r"augment was .*RandGaussianNoise.* and is now \{\}"):
        train(other, data=DATA, out=out, resume=True, progress=False)
    resumed = train(every, data=DATA, out=out, resume=True, progress=False)
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, resumed.weights[name])


def test_configurations_survive_json():
    config = TrainConfig(augment={"RandAdjustContrast": {"prob": 0.5, "gamma": [0.5, 2]}})
    assert TrainConfig(**json.loads(json.dumps(config.as_dict()))) == config


def test_a_transform_that_does_not_fit_the_axes_is_refused_before_training():
    holes = {"RandCoarseDropout": {"holes": 1, "spatial_size": [4, 4, 4, 4]}}
    config = TrainConfig(augment={"RandGaussianSmooth": {"prob": 0.01}})
    config.check(2)
    config.check(3)
    with pytest.raises(ValueError, match=r"augment\['RandCoarseDropout'\] does not fit crops"):
        TrainConfig(patch=16, augment=holes).check(2)


def test_without_monai_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    assert TrainConfig().augment == {}
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'toposeg-lite\[augment\]'"):
        TrainConfig(augment=NOISE)


# --- Hue ---------------------------------------------------------------------------------------


def by_colorsys(image, change):
    """Take every pixel to HSV and back with Python's own module."""
    pixels = [
        colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*p))) for p in image.reshape(3, -1).T
    ]
    return np.array(pixels).T.reshape(image.shape)


@pytest.mark.parametrize("turn", [0.0, 0.1, -0.4, 1 / 3, 0.5])
def test_hues_turn_as_colorsys_has_them(turn):
    image = crop((3, 9, 12)).astype(np.float64)
    image[:, 0] = image[0, 0]  # greys, which have no hue
    image[:, 1] = 0
    image[1, 2] = image[0, 2]  # two channels alike
    expected = by_colorsys(image, lambda h, s, v: ((h + turn) % 1, s, v))
    turned = recolour(image, turn=turn)
    np.testing.assert_allclose(turned, expected, atol=1e-12)
    np.testing.assert_allclose(turned.max(0), image.max(0))
    np.testing.assert_allclose(turned.min(0), image.min(0), atol=1e-12)
    if turn == 0:
        np.testing.assert_allclose(turned, image, atol=1e-12)


def test_one_hue_for_all_and_stronger_colours_as_colorsys_has_them():
    image = crop((3, 9, 12)).astype(np.float64)

    def change(h, s, v):
        return 0.4, min(s + 0.3, 1), min(v + 0.2, 1)

    one = recolour(image, turn=0.4, single=True, saturation=0.3, brightness=0.2)
    np.testing.assert_allclose(one, by_colorsys(image, change), atol=1e-12)


def test_a_random_hue_is_any_hue_and_no_more_is_changed_than_is_asked_for():
    red = np.zeros((3, 4, 4), np.float32)
    red[0] = 0.6
    hues = []
    for seed in range(200):
        change = make_augmentation({"RandHue": {"prob": 1}})
        changed = change(red, np.random.default_rng(seed))
        assert changed.dtype == np.float32
        np.testing.assert_array_equal(changed, changed[:, :1, :1].repeat(4, 1).repeat(4, 2))
        hue, saturation, value = colorsys.rgb_to_hsv(*changed[:, 0, 0])
        assert (saturation, value) == pytest.approx((1, 0.6), abs=1e-6)
        hues.append(hue)
    assert np.histogram(hues, 8, (0, 1))[0].min() > 8  # of 25 on average
    little = make_augmentation({"RandHue": {"prob": 1, "shift": 0.05}})
    turned = [little(red, np.random.default_rng(seed))[:, 0, 0] for seed in range(50)]
    off = [(colorsys.rgb_to_hsv(*each)[0] + 0.5) % 1 - 0.5 for each in turned]
    assert 0.03 < np.abs(off).max() <= 0.05 + 1e-6
    strong = make_augmentation({"RandHue": {"prob": 1, "saturation": 0.5, "brightness": 0.3}})
    values = [strong(red / 2, np.random.default_rng(seed)).max() for seed in range(50)]
    assert 0.3 <= min(values) < 0.35
    assert 0.55 < max(values) <= 0.6 + 1e-6


def test_the_chance_of_a_hue_holds_for_each_crop_and_masks_stay():
    image = np.zeros((3, 8, 8), np.float32)
    image[0] = 0.5
    sample = Sample("red", image, np.eye(8, dtype=bool))
    options = {"step": 0, "seed": 0, "patch": 8, "batch": 400}
    images, masks = draw_batch([sample], **options, augment={"RandHue": {"prob": 0.5}})
    changed = (images != image).any(axis=(1, 2, 3))
    assert 160 < changed.sum() < 240
    np.testing.assert_array_equal(masks, draw_batch([sample], **options)[1])


def test_a_hue_needs_no_monai_and_three_channels(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    config = TrainConfig(augment={"RandHue": {"prob": 0.5}}, patch=8)
    config.check(2, channels=3)
    config.check(3, channels=3)
    with pytest.raises(ValueError, match=r"augment\['RandHue'\].*these have 1"):
        config.check(2)
    with pytest.raises(ValueError, match=r"augment\['RandHue'\].*these have 1"):
        train(replace(TINY, augment={"RandHue": {}}), data=DATA, progress=False)
