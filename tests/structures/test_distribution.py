"""Samples and uncertainties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ring_images import batch
from scipy import ndimage
from torch import nn

from toposeg_lite.models import UNet
from toposeg_lite.structures import StructureModel


def networks():
    """Models of both modes and both numbers of axes, with a batch of images that are not square."""
    for mode in ("threshold", "branch"):
        for ndim in (2, 3):
            network = UNet(1, width=4, depth=3, ndim=ndim, seed=1)
            options = {"features": "head"} if mode == "branch" else {}
            model = StructureModel(network, mode=mode, ndim=ndim, min_persistence=1e-4, **options)
            with torch.no_grad():
                network.head.weight.mul_(8)
            sides = (26, 35) if ndim == 2 else (7, 9, 11)
            image = torch.rand((2, 1, *sides), generator=torch.Generator().manual_seed(2))
            yield model, image


def test_samples_have_masks_and_branches_of_every_image():
    for model, image in networks():
        model.train()
        found = model.sample(image, 4, seed=0)
        assert model.training
        assert len(found) == 2
        for one, branches in zip(found, model.branches(image), strict=True):
            assert len(branches) > 4
            assert one.masks.shape == one.structures.shape == (4, *image.shape[2:])
            assert one.kept.shape == (4, len(branches))
            np.testing.assert_array_equal(one.branches.pixels, branches.pixels)
            assert {array.dtype for array in (one.masks, one.structures, one.kept)} == {
                np.dtype(bool)
            }


def test_a_sample_is_its_seeds_whatever_the_threads():
    for model, image in networks():
        first, again, other = (model.sample(image, 5, seed) for seed in (3, 3, 4))
        before = torch.get_num_threads()
        torch.set_num_threads(1 if before > 1 else 3)
        try:
            threaded = model.sample(image, 5, np.random.default_rng(3))
        finally:
            torch.set_num_threads(before)
        for a, b, c, d in zip(first, again, threaded, other, strict=True):
            for name in ("kept", "masks", "structures"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
                np.testing.assert_array_equal(getattr(a, name), getattr(c, name))
            assert (a.kept != d.kept).any()


def test_without_walks_masks_follow_the_rules():
    for model, image in networks():
        if model.mode == "branch":
            model.decide.walk = None
        for one in model.sample(image, 3, seed=1):
            for kept, mask, structure in zip(one.kept, one.masks, one.structures, strict=True):
                np.testing.assert_array_equal(mask, one.branches.mask(np.where(kept, 1, -1)))
                np.testing.assert_array_equal(structure, one.branches.draw(kept))


def test_a_batch_says_of_each_image_what_it_says_of_it_alone():
    for model, image in networks():
        together = model.distribution(image)
        for i, one in enumerate(together):
            (alone,) = model.distribution(image[i : i + 1])
            np.testing.assert_array_equal(one.branches.pixels, alone.branches.pixels)
            np.testing.assert_allclose(one.mean, alone.mean, atol=1e-5)
            np.testing.assert_allclose(one.std, alone.std, atol=1e-5)
            if model.mode == "branch":
                torch.testing.assert_close(one.features, alone.features, atol=1e-4, rtol=1e-3)
                assert not model.network.head._forward_pre_hooks  # nothing is left behind
        twins = model.sample(image[:1].expand(2, *image.shape[1:]), 6, seed=0)
        assert (twins[0].kept != twins[1].kept).any()


def test_each_sample_walks_in_its_own_way_with_the_steps_of_its_connectivity():
    image = torch.randn(1, 1, 24, 26, generator=torch.Generator().manual_seed(0))
    model = StructureModel(
        nn.Identity(), mode="branch", connectivity=1, sigma=0.3, min_persistence=0.3
    )
    (one,) = model.distribution(image)
    sure = replace(one, mean=one.mean + 100)
    found = sure.sample(6, seed=0)
    assert found.kept.all()
    assert len({structure.tobytes() for structure in found.structures}) == 6
    every, faces = np.zeros(0, int), ndimage.generate_binary_structure(2, 1)
    for k in range(len(one.branches)):
        belief = np.where(np.arange(len(one.branches)) == k, 100.0, -100.0)
        alone = replace(one, mean=belief).sample(4, seed=1)
        every = np.append(every, [ndimage.label(mask, faces)[1] for mask in alone.structures])
    assert len(every) > 40
    assert (every == 1).all()


def test_a_branch_as_likely_as_asked_is_accepted():
    model, image = next(networks())
    one = model.distribution(image)[0]
    likely = one.uncertainty().probability
    mask_of = lambda accepted: one.branches.mask(np.where(accepted, 1, -1))  # noqa: E731
    seen = 0
    for accept in np.quantile(likely, np.linspace(0.1, 0.9, 9), method="nearest"):
        np.testing.assert_array_equal(one.mask(accept), mask_of(likely >= accept))
        seen += (one.mask(accept) != mask_of(likely > accept)).any()
    assert seen > 3  # some branches change no pixel that others would not
    np.testing.assert_array_equal(model.predict(image)[0], mask_of(likely >= 0.5))


def test_with_walks_each_kept_branch_is_there_from_end_to_end():
    model, image = list(networks())[2]
    assert model.mode == "branch"
    assert model.decide.walk == (0.2, 0.01)
    moved = 0
    for one in model.sample(image, 8, seed=1):
        for kept, mask, structure in zip(one.kept, one.masks, one.structures, strict=True):
            assert (mask >= structure).all()
            for k in np.flatnonzero(kept):
                path = one.branches.paths[k]
                assert structure.ravel()[path[[0, -1]]].all()
                assert structure.ravel()[one.branches.saddle[k]]
            moved += int((structure != one.branches.draw(kept)).sum())
    assert moved > 20


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_branches_are_kept_as_often_as_their_probability_says(mode):
    images, _ = batch(2, 0, 0.5, 0.3, 0.1)
    options = {"walk": False} if mode == "branch" else {}
    model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06, **options)
    if mode == "branch":
        with torch.no_grad():
            model.head[-1].weight.mul_(20)
    model.step = 1000  # the temperature has fallen
    for calibration in (1.0, 1.5):
        model.calibration.fill_(calibration)
        n = 3000
        for one, sure in zip(model.sample(images, n, 0), model.uncertainty(images), strict=True):
            error = np.sqrt(sure.probability * (1 - sure.probability) / n)
            assert (abs(one.kept.mean(0) - sure.probability) < 4.5 * error).all()
            # In "threshold" the branches of one sample share their threshold.
            alone = (sure.probability * (1 - sure.probability)).sum()
            spread = one.kept.sum(1).var()
            assert (spread > 1.15 * alone) == (mode == "threshold")


def test_uncertainties_are_means_over_the_normal_distribution():
    images, _ = batch(1, 0, 0.5, 0.3, 0.1)
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06)
        (one,) = model.distribution(images)
        x = np.random.default_rng(0).standard_normal((200_000, 1))
        if mode == "threshold":
            threshold = 1 / (1 + np.exp(-(one.mean + one.std * x)))
            z = (one.branches.persistence - threshold) / 0.2
        else:
            z = one.mean + one.std * x
        chance = 1 / (1 + np.exp(-z))
        sure = one.uncertainty()
        np.testing.assert_allclose(sure.probability, chance.mean(0), atol=2e-3)
        np.testing.assert_allclose(sure.variance, chance.var(0), rtol=0.03)
        p = sure.probability
        bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
        np.testing.assert_allclose(sure.entropy, bits)
        region = sure.branches.region
        np.testing.assert_allclose(sure.map()[region >= 0], bits[region[region >= 0]], rtol=1e-6)
        assert (sure.map("variance")[region < 0] == 0).all()
