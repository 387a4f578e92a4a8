"""Prediction by windows, and scores of whole images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training_data import DATA

from toposeg_lite import metrics
from toposeg_lite.models import UNet
from toposeg_lite.training import evaluate, predict


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
