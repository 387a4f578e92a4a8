"""Pictures of what a network predicts: the worst images first, a mark for each difference."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from training_data import DATA

from toposeg_lite.data import Sample
from toposeg_lite.training import evaluate
from toposeg_lite.workbook.figures.differences import evaluation_figure, save_evaluation


class Pointwise(torch.nn.Module):
    """Its likelihood is the image."""

    def forward(self, images):
        return torch.logit(images, eps=1e-6)


def test_the_worst_images_come_first_with_a_mark_for_each_error(tmp_path):
    rng = np.random.default_rng(3)
    samples = [
        replace(s, image=np.where(rng.random(s.mask.shape) < noise, 1 - s.mask, s.mask)[None] * 1.0)
        for s, noise in zip(DATA.test, (0.0, 0.02, 0.2), strict=True)
    ]
    found = evaluate(Pointwise(), samples, labels="foreground")
    errors = found.worst_first["betti_matching_error"]
    assert list(errors.index) == ["ring-2", "ring-1", "ring-0"]
    assert errors["ring-0"] == 0 < errors["ring-1"] < errors["ring-2"]
    save_evaluation(found, tmp_path / "worst", pictures=2)
    files = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert files == ["01-ring-2.png", "02-ring-1.png", "scores.csv"]
    kept = pd.read_csv(tmp_path / "worst" / "scores.csv", index_col="image")
    assert kept["betti_matching_error"].tolist() == errors.tolist()
    assert matplotlib.image.imread(tmp_path / "worst" / "01-ring-2.png").std() > 0
    for row, error in errors.items():
        figure = evaluation_figure(found, row)
        image, _, prediction = figure.axes
        assert image.get_title() == f"image: {row}"
        assert sum(len(line.get_xdata()) for line in prediction.lines) == error
        named = [text.get_text() for text in figure.legends[0].get_texts()]
        assert {"break", "false merge", "missing component", "spurious component"} <= set(named)
    save_evaluation(found, tmp_path / "all")
    assert len(list((tmp_path / "all").glob("*.png"))) == 3


def test_volumes_are_drawn_as_projections(tmp_path):
    truth = np.zeros((6, 16, 18), bool)
    truth[2:4, 4:12, 6:9] = True
    broken, thin = truth.copy(), truth.copy()
    broken[:, 7:9], thin[3] = False, False  # the second one loses more pixels, and is whole
    samples = [
        Sample(name, mask[None].astype(np.float32), truth)
        for name, mask in (("thin", thin), ("whole", truth), ("broken", broken))
    ]
    found = evaluate(Pointwise(), samples, labels="foreground")
    assert list(found.worst_first.index) == ["broken", "thin", "whole"]
    save_evaluation(found, tmp_path, pictures=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-broken.png", "scores.csv"]
    (line,) = evaluation_figure(found, "broken").axes[2].lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([6], [7])


def test_a_class_is_drawn_against_the_rest():
    labels = np.zeros((12, 20), np.int64)
    labels[8:10, 4:18] = 2
    image = labels[None] / 2.0
    image[0, 8:10, 10] = 0  # the bar is broken

    class Classes(torch.nn.Module):
        def forward(self, images):
            return torch.cat([-((images - level) ** 2) * 50 for level in (0.0, 0.5, 1.0)], 1)

    found = evaluate(Classes(), [Sample("bar", image, labels)], labels="foreground")
    title = evaluation_figure(found, "bar, class 2").axes[2].get_title()
    assert title == "prediction: 1 difference"


def test_a_number_of_pictures_below_zero_is_refused(tmp_path):
    found = evaluate(Pointwise(), DATA.test, labels="foreground")
    with pytest.raises(ValueError, match="pictures must be at least 0"):
        save_evaluation(found, tmp_path / "none", pictures=-1)
    assert list(tmp_path.iterdir()) == []
