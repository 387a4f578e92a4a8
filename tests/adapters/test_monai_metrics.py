"""The metrics of MONAI's kind: values of the library, kept and reduced as MONAI does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toposeg_lite import further_metrics, metrics

monai_metrics = pytest.importorskip("monai.metrics")
adapted = pytest.importorskip("toposeg_lite.monai")

FUNCTIONS = {
    "BettiErrorMetric": metrics.betti_error,
    "BettiMatchingErrorMetric": metrics.betti_matching_error,
    "ClDiceMetric": metrics.cldice,
    "WarpingErrorMetric": metrics.warping_error,
    "AdjustedRandIndexMetric": metrics.adjusted_rand_index,
    "VariationOfInformationMetric": metrics.variation_of_information,
    "TopologyPrecisionMetric": further_metrics.topology_precision,
    "TopologySensitivityMetric": further_metrics.topology_sensitivity,
    "IntersectionUnionDiscrepancyMetric": further_metrics.intersection_union_discrepancy,
}
IN_SPACE = [name for name in FUNCTIONS if not name.startswith("Intersection")]


def masks(shape, seed=0):
    """Return two batches of three images of two classes, (3, 2, *spatial) bool."""
    rng = np.random.default_rng(seed)
    truth = rng.random((3, 2, *shape)) < 0.6
    return torch.from_numpy(truth ^ (rng.random(truth.shape) < 0.1)), torch.from_numpy(truth)


def test_every_metric_is_tried():
    assert set(FUNCTIONS) == {name for name in adapted.__all__ if name.endswith("Metric")}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("background", [True, False])
def test_values_are_the_librarys(name, background):
    prediction, truth = masks((7, 10))
    metric = getattr(adapted, name)(include_background=background)
    values = metric(prediction, truth.float())
    first = 0 if background else 1
    expected = [
        [FUNCTIONS[name](p.numpy(), t.numpy()) for p, t in zip(ps[first:], ts[first:], strict=True)]
        for ps, ts in zip(prediction, truth, strict=True)
    ]
    torch.testing.assert_close(values, torch.tensor(expected))
    torch.testing.assert_close(metric.aggregate(), torch.tensor(expected).mean().reshape(1))
    per_class = metric.aggregate("mean_batch")
    torch.testing.assert_close(per_class, torch.tensor(expected).mean(0))


@pytest.mark.parametrize("name", IN_SPACE)
def test_volumes(name):
    prediction, truth = masks((3, 4, 5))
    values = getattr(adapted, name)()(prediction, truth)
    expected = FUNCTIONS[name](prediction[2, 1].numpy(), truth[2, 1].numpy())
    assert values[2, 1].item() == pytest.approx(expected)


def test_batches_add_up_and_are_forgotten():
    metric = adapted.BettiErrorMetric(reduction="sum", connectivity=1)
    pairs = [masks((7, 10), seed) for seed in range(3)]
    each = [metric(*pair) for pair in pairs]
    assert torch.cat(each).sum() == metric.aggregate()
    assert torch.equal(metric.get_buffer(), torch.cat(each))
    metric.reset()
    metric(*pairs[0])
    assert each[0].sum() == metric.aggregate()
    assert each[0].sum() > 0


def test_lists_of_images_of_any_size_as_inferers_give():
    first, second = masks((7, 10)), masks((5, 6))
    metric = adapted.WarpingErrorMetric()
    both = metric([first[0][0], second[0][1]], [first[1][0], second[1][1]])
    assert torch.equal(both[0], metric(*first)[0])
    assert torch.equal(both[1], metric(*second)[1])


def test_options_reach_the_metric():
    prediction, truth = masks((7, 10))
    metric = adapted.BettiErrorMetric(dimension=0, patch=3, connectivity=1, border="closed")
    value = metric(prediction, truth)[1, 0].item()
    options = {"dimension": 0, "patch": 3, "connectivity": 1, "border": "closed"}
    pair = prediction[1, 0].numpy(), truth[1, 0].numpy()
    assert value == pytest.approx(metrics.betti_error(*pair, **options))
    assert value != pytest.approx(metrics.betti_error(*pair))
    # What only a volume can have is taken, and refused by an image.
    spaced = adapted.ClDiceMetric(spacing=(2.0, 1.0, 1.0))
    assert spaced(*masks((3, 4, 5))).shape == (3, 2)
    with pytest.raises(ValueError, match="spacing"):
        spaced(prediction, truth)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ignored_pixels(name):
    prediction, truth = masks((7, 10))
    labels = truth.long()
    labels[:, :, 2:5, 3:8] = 255
    hidden = np.zeros((7, 10), bool)
    hidden[2:5, 3:8] = True
    metric = getattr(adapted, name)(ignore_index=255)
    values = metric(prediction, labels)
    expected = FUNCTIONS[name](prediction[0, 1].numpy(), truth[0, 1].numpy(), ignored=hidden)
    assert values[0, 1].item() == pytest.approx(expected)
    prediction[:, :, 2:5, 3:8] ^= True
    assert torch.equal(metric(prediction, labels), values)


def test_the_number_of_values_is_told_where_it_is_asked_for():
    metric = adapted.ClDiceMetric(get_not_nans=True)
    metric(*masks((7, 10)))
    value, count = metric.aggregate()
    assert value.shape == (1,)
    assert count.item() == 3


def test_reductions_are_those_of_monais_own_metrics():
    prediction, truth = masks((7, 10))
    ours = adapted.ClDiceMetric()
    theirs = monai_metrics.MeanIoU()
    values = ours(prediction, truth)
    theirs(prediction, truth)
    for reduction in ("none", "mean", "sum", "mean_batch", "sum_batch", "mean_channel"):
        assert ours.aggregate(reduction).shape == theirs.aggregate(reduction).shape
    assert torch.equal(ours.aggregate("none"), values)
