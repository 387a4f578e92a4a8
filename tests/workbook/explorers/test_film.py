"""Films that are made shorter: each frame that is kept shows what it showed."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from types import SimpleNamespace

import films
import numpy as np
import pytest
import torch
from screens import hills

from toposeg_lite.losses import DiceBCELoss
from toposeg_lite.structures import StructureModel
from toposeg_lite.workbook import explorers
from toposeg_lite.workbook.explorers.film import kept_frames
from toposeg_lite.workbook.explorers.frames import Frames, Reel


def read(bundle):
    """Return a bundle as what `films` reads."""
    bundle = json.loads(json.dumps(bundle))
    data = zlib.decompress(base64.b64decode(bundle.pop("data")))
    return SimpleNamespace(**bundle, data=data)


@functools.cache
def model_of(kind):
    image, other = hills(0), hills(1)
    if kind == "persistence":
        return explorers.PersistenceExplorer(image, threshold=0.37)
    if kind == "descent":
        losses = {"dice": DiceBCELoss()}
        return explorers.GradientExplorer(image, other > 0.5, losses, steps=9, rate=400.0, step=4)
    if kind == "warp":
        return explorers.WarpExplorer(image, other > 0.5, step=5)
    if kind == "volume":
        return explorers.VolumeExplorer(hills(2, (9, 8, 7)), selected=1)
    model = StructureModel(torch.nn.Identity(), mode="branch", walk=False)
    return explorers.StructureExplorer(model, image[None], n=12, sample=7)


KINDS = ("persistence", "descent", "warp", "volume", "structures")


def everything(frames, k):
    """Return all that a film says of a frame, but not what features there are."""
    about = frames.about
    said = [about["values"][k], about["sentences"][k]]
    said += [number["values"][k] for number in about["numbers"]]
    said += [about["thresholds"][k]] if "thresholds" in about else []
    for panel in about["panels"]:
        if panel["kind"] == "image":
            said.append(films.colours(frames, k, panel).tolist())
        if panel["kind"] == "curve":
            said.append(films.numbers(frames, panel["values"])[panel["positions"][k]])
    signs = films.panel(frames).get("signs", [])
    said += [films.places(frames, k, which).tolist() for which in range(len(signs))]
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_a_shorter_film_shows_the_same_in_each_frame(kind):
    model = model_of(kind)
    whole = read(model.bundle())
    frames = whole.about["frames"]
    for most in (1, 2, 3, 6, frames - 1):
        short = read(model.bundle(frames=most))
        kept = [whole.about["values"].index(value) for value in short.about["values"]]
        assert short.about["frames"] == len(kept) <= most
        assert kept[short.index] == whole.index
        assert kept == sorted(set(kept))
        if most > 2:
            assert (kept[0], kept[-1]) == (0, frames - 1)
        for now, before in enumerate(kept):
            assert everything(short, now) == everything(whole, before)
            if whole.about["features"]:
                found, alive = films.features(short, now)
                expected, living = films.features(whole, before)
                assert found["birthAt"].tolist() == expected["birthAt"].tolist()
                assert found["death"].tolist() == expected["death"].tolist()
                assert alive.tolist() == living.tolist()
        assert (short.marked, short.pixel) == (whole.marked, whole.pixel)
        assert short.about["legend"] == whole.about["legend"]
        assert len(short.data) <= len(whole.data)
        if kind in ("descent", "volume", "structures"):  # in the others frames need no room
            assert len(short.data) < len(whole.data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_that_is_short_enough_is_left_alone(kind):
    model = model_of(kind)
    whole = model.bundle()
    for most in (whole["about"]["frames"], 1000):
        assert model.bundle(frames=most) == whole


@pytest.mark.parametrize(("bad", "error"), [(0, ValueError), (2.5, TypeError), ("3", TypeError)])
def test_how_many_frames_is_checked(bad, error):
    with pytest.raises(error, match="frames must be"):
        model_of("persistence").bundle(frames=bad)


def test_a_shorter_film_takes_as_long_to_play():
    def length(about):
        play = about["play"]
        return play["interval"] * about["frames"] / play.get("stride", 1)

    for kind in ("descent", "warp", "volume", "structures"):
        model = model_of(kind)
        whole, short = length(model.bundle()["about"]), length(model.bundle(frames=5)["about"])
        assert short == pytest.approx(whole, rel=0.02)


def test_frames_are_kept_evenly():
    for frames in (1, 2, 7, 101):
        for most in range(1, 12):
            for always in range(0, frames, 3):
                kept = kept_frames(frames, most, always)
                assert always in kept
                assert len(kept) <= min(most, frames)
                assert (np.diff(kept) > 0).all()
                if (most := min(most, frames)) > 2:
                    assert np.diff(kept).max() <= np.ceil((frames - 1) / (most - 2)) + 1


def test_differences_between_frames_go_around_the_end():
    masks = np.random.default_rng(0).random((5, 4, 7)) < 0.5
    images = np.random.default_rng(1).random((5, 4, 7))
    reel = Reel("Frame", list("abcde"), list("abcde"))
    reel.image("both", (4, 7), [reel.grey(images), reel.masks(masks, "#F0E442")])
    frames = Frames()
    frames.show(reel.film())
    for k in range(5):
        assert (films.foreground(frames, k) == masks[k]).all()
        grey = {"shape": (4, 7), "layers": films.panel(frames)["layers"][:1]}
        assert (films.colours(frames, k, grey)[..., 0] == np.round(255 * images[k])).all()


def test_what_is_packed_twice_has_one_place():
    reel = Reel("Frame", ["x"], ["x"])
    one, two = (reel.pack([1, 2, 3], "uint16") for _ in range(2))
    assert one == two
    assert reel.pack([3, 2, 1], "uint16")["at"] == 6
    assert len(reel.film().data) == 12


def test_a_still_picture_costs_its_size_once_however_many_frames():
    images = np.repeat(hills(3, (64, 64))[None], 40, axis=0)
    reel = Reel("Frame", ["x"] * 40, ["x"] * 40)
    reel.image("still", (64, 64), [reel.grey(images)])
    frames = Frames()
    frames.show(reel.film())
    assert len(frames.data) == images.size
    assert len(frames.bundle()["data"]) < 2 * 64 * 64
