"""Samples with ignored pixels: crops, trainings, scores, and own folders from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_data import DATA, TINY, assert_same

from toposeg_lite import metrics
from toposeg_lite.data import Sample, folder
from toposeg_lite.losses import LOSSES
from toposeg_lite.training import (
    TrainConfig,
    draw_batch,
    evaluate,
    load_checkpoint,
    predict,
    train,
)
from toposeg_lite.training import loop as training_loop
from toposeg_lite.training.evaluation import validate


def unsure(sample, seed=0):
    """The sample with some ignored pixels, about a quarter, in pieces."""
    rng = np.random.default_rng(seed)
    ignored = np.zeros(sample.mask.shape, bool)
    for _ in range(6):
        corner = [rng.integers(n - 5) for n in ignored.shape]
        ignored[tuple(slice(low, low + 5) for low in corner)] = True
    return replace(sample, ignored=ignored)


def unsure_data(data=DATA):
    splits = {
        name: tuple(unsure(s, k) for k, s in enumerate(getattr(data, name)))
        for name in ("train", "validation", "test")
    }
    return replace(data, **splits)


UNSURE = unsure_data()


# --- Crops -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [bool, np.uint8, float], ids=str)
@pytest.mark.parametrize("shape", [(17, 23), (9, 12, 10)], ids=["2D", "3D"])
@pytest.mark.parametrize("patch", [8, 14], ids=["inside", "continued by its mirror image"])
def test_crops_carry_ignored_pixels_with_them(shape, patch, labels):
    rng = np.random.default_rng(0)
    mask, ignored = rng.random(shape) < 0.5, rng.random(shape) < 0.3
    # The image says of each pixel what its mask must say wherever the crop moves it.
    image = np.where(ignored, 1.0, np.where(mask, 0.5, 0.0)).astype(np.float32)
    held = mask.astype(labels)
    if labels is not bool:
        held[ignored] = 255 if labels is np.uint8 else np.nan
    sample = Sample("a", image[None], held, ignored)
    for step in range(8):
        images, masks = draw_batch([sample], step=step, seed=1, patch=patch, batch=3)
        expected = np.select([images[:, 0] == 1.0, images[:, 0] == 0.5], [-1, 1], 0)
        found = masks[:, 0] if labels is bool else masks
        np.testing.assert_array_equal(found, expected)
        assert masks.dtype == (np.float32 if labels is bool else np.int64)
        assert (expected == -1).any()


def test_nothing_ignored_draws_the_same_bits():
    none = [replace(s, ignored=np.zeros(s.mask.shape, bool)) for s in DATA.train]
    mixed = [none[0], *DATA.train[1:]]
    options = {"seed": 3, "patch": 16, "batch": 4, "light": 0.3}
    for step in range(5):
        first = draw_batch(DATA.train, step=step, **options)
        for samples in (none, mixed):
            for ours, theirs in zip(first, draw_batch(samples, step=step, **options), strict=True):
                np.testing.assert_array_equal(ours, theirs)
                assert ours.dtype == theirs.dtype


# --- Training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_what_masks_hold_at_ignored_pixels_teaches_nothing(loss):
    config = replace(TINY, loss=loss, weight=0.3, steps=3, validate_every=3)
    first = train(config, data=UNSURE, progress=False)

    def change(sample):
        return replace(sample, mask=sample.mask ^ sample.ignored)

    parts = ("train", "validation")
    changed = replace(UNSURE, **{name: tuple(map(change, getattr(UNSURE, name))) for name in parts})
    second = train(config, data=changed, progress=False)
    assert_same(first, second)
    np.testing.assert_array_equal(first.validation, second.validation)
    assert (first.history["loss"] > 0).all()
    known = train(config, data=DATA, progress=False)
    assert (known.history["loss"] != first.history["loss"]).all()


def test_masks_that_ignore_nothing_train_to_the_same_bits():
    none = replace(
        DATA, train=tuple(replace(s, ignored=np.zeros(s.mask.shape, bool)) for s in DATA.train)
    )
    assert_same(train(TINY, data=DATA, progress=False), train(TINY, data=none, progress=False))


def test_a_stopped_training_with_ignored_pixels_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    whole = train(TINY, data=UNSURE, progress=False)
    path, draw = tmp_path / "run.safetensors", training_loop.draw_batch

    def stop(*args, step, **options):
        if step == 4:
            raise KeyboardInterrupt
        return draw(*args, step=step, **options)

    monkeypatch.setattr(training_loop, "draw_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data=UNSURE, out=path, progress=False)
    monkeypatch.setattr(training_loop, "draw_batch", draw)
    assert_same(train(TINY, data=UNSURE, out=path, resume=True, progress=False), whole)


def test_ignored_pixels_are_no_class():
    def classes(sample):
        mask = sample.mask.astype(np.uint8)
        mask[: len(mask) // 2] *= 2
        mask[sample.ignored] = 255
        return replace(sample, mask=mask)

    parts = ("train", "validation", "test")
    data = replace(UNSURE, **{name: tuple(map(classes, getattr(UNSURE, name))) for name in parts})
    for loss in LOSSES:
        end = train(replace(TINY, loss=loss, steps=2), data=data, progress=False)
        assert end.network["out_channels"] == 3
    scores = evaluate(end.model(), data.test, labels="foreground").table
    assert list(scores.index[:2]) == ["ring-0, class 1", "ring-0, class 2"]
    sample = data.test[0]
    likeliest = predict(end.model(), sample.image).argmax(0)
    report = metrics.report(likeliest == 2, sample.mask == 2, ignored=sample.ignored)
    assert scores.loc["ring-0, class 2"].to_dict() == report
    unsaid = replace(data, train=tuple(replace(s, ignored=None) for s in data.train))
    with pytest.raises(ValueError, match=r"largest is 255.*folder\(\.\.\., ignore=LABEL\)"):
        train(TINY, data=unsaid, progress=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_of_floats_are_zero_and_one_or_refused(dtype):
    floats = [replace(s, mask=s.mask.astype(dtype)) for s in DATA.train]
    train(replace(TINY, steps=1), data=replace(DATA, train=tuple(floats)), progress=False)
    for bad in (0.5, 255.0, -1.0, np.nan, np.inf):
        mask = floats[0].mask.copy()
        mask[0, 0] = bad
        data = replace(DATA, train=(*DATA.train, replace(floats[0], mask=mask)))
        with pytest.raises(ValueError, match="'ring-0' must hold booleans or integer labels"):
            train(replace(TINY, steps=1), data=data, progress=False)
        # Unless nobody looks at it.
        ignored = np.zeros(mask.shape, bool)
        ignored[0, 0] = True
        data = replace(DATA, train=(replace(floats[0], mask=mask, ignored=ignored),))
        assert train(replace(TINY, steps=1), data=data, progress=False).step == 1


# --- Scores ------------------------------------------------------------------------------------


def test_scores_leave_ignored_pixels_out():
    model = train(replace(TINY, steps=2), data=DATA, progress=False).model()
    scores = evaluate(model, UNSURE.test, labels="background", patch=12)
    for sample in UNSURE.test:
        mask = scores.likelihoods[sample.name] >= 0.5
        options = {"labels": "background", "patch": 12}
        expected = metrics.report(mask, sample.mask, ignored=sample.ignored, **options)
        assert scores.table.loc[sample.name].to_dict() == expected
        assert expected != metrics.report(mask, sample.mask, **options)
    flipped = [replace(s, mask=s.mask ^ s.ignored) for s in UNSURE.test]
    again = evaluate(model, flipped, labels="background", patch=12)
    assert again.table.equals(scores.table)
    assert validate(model, flipped, window=64) == validate(model, UNSURE.test, window=64)
    assert validate(model, flipped, window=64)[0] == pytest.approx(scores.table["dice"].mean())


# --- Own folders -------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path):
    """Pictures of rings, and masks of 0, 1 and 255."""
    places = {name: tmp_path / name for name in ("images", "masks")}
    for place in places.values():
        place.mkdir()
    for k, sample in enumerate((*UNSURE.train, *UNSURE.validation)):
        name = f"{k}.png"
        Image.fromarray((sample.image[0] * 255).astype(np.uint8)).save(places["images"] / name)
        mask = np.where(sample.ignored, 255, sample.mask).astype(np.uint8)
        Image.fromarray(mask).save(places["masks"] / name)
    return {name: str(place) for name, place in places.items()}


def test_a_folder_trains_resumes_and_is_scored(places, tmp_path):
    config = replace(TINY, dataset="folder", own_folder={**places, "ignore": np.int64(255)})
    path = tmp_path / "made" / "on" / "the way" / "run.safetensors"
    end = train(config, out=path, progress=False)
    kept = load_checkpoint(path)
    assert kept.config == config
    assert kept.config.own_folder["ignore"] == 255
    assert_same(train(config, out=path, resume=True, progress=False), end)
    data = config.load()
    assert data.train[0].ignored.any()
    assert_same(train(config, data=folder(**places, ignore=255), progress=False), end)
    scores = evaluate(kept.model(), data.test, labels=data.labels)
    assert np.isfinite(scores.table["dice"].astype(float)).all()
    other = {**places, "ignore": 255, "seed": 1}
    with pytest.raises(ValueError, match=r"own_folder was .* and is now"):
        train(replace(config, own_folder=other), out=path, resume=True, progress=False)
    with pytest.raises(ValueError, match="if 255 marks pixels without a label, say ignore=255"):
        train(replace(config, own_folder=places), progress=False)


def test_configurations_without_own_images_are_kept_as_before():
    assert "own_folder" not in TINY.as_dict()
    assert TrainConfig(**TINY.as_dict()) == TINY


# --- Where results go ----------------------------------------------------------------------------


def test_a_missing_folder_is_made_before_the_first_step(tmp_path, monkeypatch):
    out, events = tmp_path / "a" / "b" / "run.safetensors", tmp_path / "c" / "d"
    seen, draw = [], training_loop.draw_batch

    def look(*args, **options):
        seen.append((out.parent.is_dir(), events.is_dir()))
        return draw(*args, **options)

    monkeypatch.setattr(training_loop, "draw_batch", look)
    train(replace(TINY, steps=1), data=DATA, out=out, events=events, progress=False)
    assert seen == [(True, True)]
    assert out.is_file()
    assert list(events.iterdir())


@pytest.mark.parametrize("which", ["out", "events"])
@pytest.mark.parametrize("place", ["a file", "below a file", "no such device"])
def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(
    tmp_path, monkeypatch, which, place
):
    (tmp_path / "note").write_text("mine")
    folders = {"a file": tmp_path / "note", "below a file": tmp_path / "note" / "runs"}
    bad = folders.get(place, Path("/proc/none/runs"))
    monkeypatch.setattr(training_loop, "draw_batch", lambda *_, **__: pytest.fail("a step began"))
    with pytest.raises(OSError, match=r"no file can be written in the folder .* another place"):
        train(TINY, data=DATA, progress=False, **{which: bad / "x" if which == "out" else bad})
    assert (tmp_path / "note").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note"]
