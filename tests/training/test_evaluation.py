"""Prediction by windows, and scores of whole images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_data import DATA, TINY

from toposeg_lite import metrics
from toposeg_lite.data import Sample
from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.models import UNet
from toposeg_lite.training import draw_batch, evaluate, predict, train


class Pointwise(torch.nn.Module):
    """Its likelihood is the image, so windows must leave no trace."""

    def forward(self, images):
        return torch.logit(images, eps=1e-6)


@pytest.mark.parametrize(("window", "overlap"), [(5, 0.0), (8, 0.25), ((3, 40), 0.9), (100, 0.5)])
def test_windows_leave_no_trace(window, overlap):
    image = np.random.default_rng(0).uniform(0.01, 0.99, (1, 21, 34)).astype(np.float32)
    found = predict(Pointwise(), image, window=window, overlap=overlap)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image[0], atol=1e-5)


def test_an_image_within_one_window_is_seen_whole():
    model, image = UNet(2, width=2, depth=2).train(), np.random.default_rng(0).random((2, 9, 13))
    expected = model(torch.tensor(image, dtype=torch.float32)[None]).sigmoid()[0, 0].detach()
    np.testing.assert_allclose(predict(model, image, window=13), expected, atol=1e-6)
    assert model.training


class Seeing(torch.nn.Module):
    """Records what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = []

    def forward(self, images):
        self.shown.append((images.shape[2:], self.training))
        return torch.zeros_like(images)


def test_windows_cover_the_image_and_overlap_as_asked():
    model = Seeing()
    found = predict(model, np.zeros((1, 30, 20), np.float32), window=10, overlap=0.5)
    assert (found == 0.5).all()
    assert len(model.shown) == 5 * 3
    assert set(model.shown) == {((10, 10), False)}


def test_evaluation_scores_each_image_with_its_settings():
    samples = DATA.test
    found = evaluate(Pointwise(), samples, labels="background", connectivity=1, patch=12)
    assert list(found.table.index) == [sample.name for sample in samples]
    for sample in samples:
        likelihood = found.likelihoods[sample.name]
        np.testing.assert_allclose(likelihood, np.clip(sample.image[0], 1e-6, 1 - 1e-6), atol=1e-5)
        expected = metrics.report(likelihood >= 0.5, sample.mask, labels="background",
                                  connectivity=1, patch=12)  # fmt: skip
        assert found.table.loc[sample.name].to_dict() == expected


# --- Several classes ---


class ThreeClasses(torch.nn.Module):
    """Dark is class 0, grey 1, bright 2, whatever surrounds a pixel."""

    def forward(self, images):
        return torch.cat([-((images - level) ** 2) * 50 for level in (0.0, 0.5, 1.0)], 1)


def bands() -> Sample:
    """A dark image with a grey and a bright bar."""
    labels = np.zeros((12, 20), np.int64)
    labels[2:5, 3:15], labels[8:10, 4:18] = 1, 2
    return Sample("bands", (labels[None] / 2).astype(np.float32), labels)


@pytest.mark.parametrize("window", [100, 7])
def test_several_classes_share_the_likelihood(window):
    sample = bands()
    found = predict(ThreeClasses(), sample.image, window=window)
    assert found.shape == (3, 12, 20)
    expected = ThreeClasses()(torch.from_numpy(sample.image[None])).softmax(1)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_each_foreground_class_is_scored_against_the_rest():
    sample = bands()
    wrong = replace(sample, image=sample.image.copy())
    wrong.image[0, 8:10, 10] = 0  # the bright bar is broken
    found = evaluate(ThreeClasses(), [wrong], labels="foreground")
    assert list(found.table.index) == ["bands, class 1", "bands, class 2"]
    assert found.table["dice"].tolist() == pytest.approx([1, 2 * 26 / (26 + 28)])
    assert found.table["betti_matching_error"].tolist() == [0, 1]


def test_labels_are_cut_and_turned_with_their_images():
    sample = bands()
    images, masks = draw_batch([sample], step=0, seed=0, patch=8, batch=50)
    assert (masks.dtype, masks.shape) == (np.int64, (50, 8, 8))
    np.testing.assert_array_equal(masks, (images[:, 0] * 2).astype(int))
    assert set(np.unique(masks)) == {0, 1, 2}


def test_a_network_for_several_classes_is_trained_and_scored(tmp_path):
    data = replace(DATA, train=(bands(),), validation=(bands(),), test=(bands(),))
    config = replace(TINY, patch=12, validate_every=3)
    end = train(config, data=data, out=tmp_path / "net.safetensors", progress=False)
    assert end.network["out_channels"] == 3
    images, masks = draw_batch(data.train, step=0, seed=0, patch=12, batch=2, light=config.light)
    logits, target = UNet(1, 3, width=2, depth=2)(torch.tensor(images)), torch.tensor(masks)
    loss = DiceBCELoss()(logits, target) + 0.5 * TopologicalLoss()(logits, target)
    assert end.history["loss"][0] == pytest.approx(loss.item(), rel=1e-4)
    pairs = evaluate(end.model(last=True), data.validation, labels="foreground").table
    assert end.validation["dice"].iloc[-1] == pytest.approx(pairs["dice"].mean())


def test_a_volume_is_scored_with_its_own_spacing():
    rng, spacing = np.random.default_rng(1), (4.0, 1.0, 1.0)
    image = (rng.random((1, 6, 14, 15)) < 0.7).astype(np.float32)
    plain = Sample("cubes", image, rng.random(image.shape[1:]) < 0.7)
    both = [plain, replace(plain, name="flat", spacing=spacing)]
    table = evaluate(Pointwise(), both, labels="foreground").table
    for name, option in (("cubes", None), ("flat", spacing)):
        expected = metrics.report(image[0] > 0.5, plain.mask, spacing=option)
        assert table.loc[name].to_dict() == pytest.approx(expected, nan_ok=True)
    assert table.loc["cubes", "cldice"] != table.loc["flat", "cldice"]


def test_images_of_one_name_are_refused_not_lost():
    with pytest.raises(ValueError, match="different names; 'ring-0' is there more than once"):
        evaluate(Pointwise(), [*DATA.test, DATA.test[0]], labels="foreground")
