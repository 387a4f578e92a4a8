"""Pictures of what a network predicts: a mark for each difference."""

from __future__ import annotations

import numpy as np
import pandas as pd
from training_data import DATA

from toposeg_lite import metrics
from toposeg_lite.data import Sample
from toposeg_lite.differences import topology_differences
from toposeg_lite.workbook.figures.differences import comparison_figure, training_figure


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


def test_the_control_goes_on_from_the_parent_and_arms_are_its_differences():
    """Where crops are easy and hard by turns, only what differs is seen on the right."""
    crops = np.tile([1.0, 3.0], 50)
    runs = {"parent": crops, "control": crops, "a": crops + 0.5, "b": crops - 0.25}
    histories = {name: pd.DataFrame({"dice_bce": values}) for name, values in runs.items()}
    starts = {"parent": 0, "control": 100, "a": 100, "b": 100}
    left, right = training_figure(histories, starts).axes
    parent, control = left.lines
    assert control.get_xdata()[0] == 101 == parent.get_xdata()[-1] + 1
    # The mean of 25 steps moves by one step's share, though the crop at hand is far from it.
    assert abs(control.get_ydata()[0] - parent.get_ydata()[-1]) < 3 / 25
    zero, *arms = right.lines
    assert zero.get_ydata() == [0, 0]
    assert [set(np.round(arm.get_ydata(), 9)) for arm in arms] == [{0.5}, {-0.25}]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a", "b"]


def test_a_run_with_other_steps_is_not_subtracted():
    histories = {name: pd.DataFrame({"dice_bce": [1.0, 0.5]}) for name in ("control", "late")}
    (only,) = training_figure(histories, {"control": 0, "late": 1}).axes
    assert [line.get_label() for line in only.lines] == ["control", "late"]
