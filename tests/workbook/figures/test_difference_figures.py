"""Pictures of what a network predicts: a mark for each difference."""

from __future__ import annotations

import numpy as np
from training_data import DATA

from toposeg_lite import metrics
from toposeg_lite.data import Sample
from toposeg_lite.differences import topology_differences
from toposeg_lite.workbook.figures.differences import comparison_figure


def compared(sample, prediction, **options):
    """Compare one prediction with its reference."""
    differences = topology_differences(prediction, sample.mask, **options)
    return comparison_figure([sample], {"prediction": [prediction]}, {"prediction": [differences]})


def test_each_error_has_a_mark():
    rng = np.random.default_rng(3)
    errors = []
    for sample, noise in zip(DATA.test, (0.0, 0.02, 0.2), strict=True):
        flipped = sample.mask ^ (rng.random(sample.mask.shape) < noise)
        errors.append(metrics.betti_matching_error(flipped, sample.mask))
        figure = compared(sample, flipped, border="closed")
        image, _, prediction = figure.axes
        assert image.get_title() == f"image: {sample.name}"
        assert sum(len(line.get_xdata()) for line in prediction.lines) == errors[-1]
        named = [text.get_text() for text in figure.legends[0].get_texts()]
        assert {"break", "false merge", "missing component", "spurious component"} <= set(named)
    assert errors[0] == 0 < errors[1] < errors[2]


def test_volumes_are_drawn_as_projections():
    truth = np.zeros((6, 16, 18), bool)
    truth[2:4, 4:12, 6:9] = True
    broken = truth.copy()
    broken[:, 7:9] = False
    (line,) = compared(Sample("bar", truth[None] * 1.0, truth), broken).axes[2].lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([6], [7])


def test_ignored_pixels_are_grey_in_the_reference():
    truth = np.eye(8, dtype=bool)
    ignored = np.zeros_like(truth)
    ignored[2:5, 2:5] = True
    sample = Sample("line", truth[None].astype(np.float32), truth & ~ignored, ignored)
    figure = comparison_figure([sample], {"mine": [truth]}, {"mine": [[]]})
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown, np.where(ignored, 0.5, truth))
