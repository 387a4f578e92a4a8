"""Bad input that `toposeg_lite.monai` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import torch

from toposeg_lite import monai

ONE = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
TWO = torch.cat([-ONE, ONE], 1)
LABELS = (ONE > 0).long()
MASKS = torch.cat([1 - LABELS, LABELS], 1)

CASES = [
    (
        "both activations",
        lambda: monai.MorseLoss(sigmoid=True, softmax=True),
        ValueError,
        "sigmoid and softmax exclude each other",
    ),
    (
        "softmax of one channel",
        lambda: monai.ClDiceLoss(softmax=True)(ONE, LABELS),
        ValueError,
        "one channel, with which softmax must be False",
    ),
    (
        "labels of one channel",
        lambda: monai.ClDiceLoss(sigmoid=True, to_onehot_y=True)(ONE, LABELS),
        ValueError,
        "one channel, with which to_onehot_y must be False",
    ),
    (
        "nothing but background",
        lambda: monai.ClDiceLoss(sigmoid=True, include_background=False)(ONE, LABELS),
        ValueError,
        "one channel, with which include_background must be True",
    ),
    (
        "labels without to_onehot_y",
        lambda: monai.ClDiceLoss(softmax=True)(TWO, LABELS),
        ValueError,
        r"target must have the shape \(1, 2, 3, 4\).*pass to_onehot_y=True",
    ),
    (
        "one-hot with to_onehot_y",
        lambda: monai.ClDiceLoss(softmax=True, to_onehot_y=True)(TWO, MASKS),
        ValueError,
        r"target must have the shape \(1, 1, 3, 4\)",
    ),
    (
        "a label beyond the classes",
        lambda: monai.ClDiceLoss(softmax=True, to_onehot_y=True)(TWO, 3 * LABELS),
        ValueError,
        "labels 0 to 1 with to_onehot_y.*it also holds 3",
    ),
    (
        "a label between two classes",
        lambda: monai.ClDiceLoss(sigmoid=True, to_onehot_y=True)(TWO, 0.5 * LABELS),
        ValueError,
        "it also holds 0.5",
    ),
    (
        "an ignored class",
        lambda: monai.ClDiceLoss(softmax=True, to_onehot_y=True, ignore_index=2)(
            torch.cat([TWO, ONE], 1), 2 * LABELS
        ),
        ValueError,
        "ignore_index must be none of the labels of 3 classes",
    ),
    (
        "logits for probabilities",
        lambda: monai.TopologicalLoss()(ONE, LABELS),
        ValueError,
        "probabilities in .* unless sigmoid or softmax is True; its values reach from -3 to 3",
    ),
    (
        "two classes in one pixel by softmax",
        lambda: monai.TopologicalLoss(softmax=True)(TWO, torch.ones_like(MASKS)),
        ValueError,
        "target must be one-hot",
    ),
    (
        "a skeleton of all classes with the background",
        lambda: monai.SkeletonRecallLoss(softmax=True),
        ValueError,
        "include_background must be False for SkeletonRecallLoss",
    ),
    (
        "values that diverged",
        lambda: monai.DiceBCELoss(sigmoid=True)(ONE * torch.nan, LABELS),
        ValueError,
        "input or target .* 12 values that are NaN",
    ),
    (
        "an option of no metric",
        lambda: monai.ClDiceMetric(connectivity=1),
        TypeError,
        "ClDiceMetric has no option 'connectivity'",
    ),
    (
        "an option at the call of a metric",
        lambda: monai.ClDiceMetric()(LABELS, LABELS, spacing=(1, 1)),
        TypeError,
        "options are given when the metric is made; got spacing",
    ),
    (
        "a metric without a truth",
        lambda: monai.ClDiceMetric()(LABELS),
        TypeError,
        "y must be the true masks",
    ),
    (
        "a metric of two shapes",
        lambda: monai.ClDiceMetric()(MASKS, LABELS),
        ValueError,
        "y_pred and y must have one shape",
    ),
    (
        "a metric of probabilities",
        lambda: monai.BettiErrorMetric()(ONE.sigmoid(), LABELS),
        ValueError,
        "prediction",
    ),
    (
        "a metric of nothing but background",
        lambda: monai.ClDiceMetric(include_background=False)(LABELS, LABELS),
        ValueError,
        "include_background must be True",
    ),
    (
        "a metric that was not called",
        lambda: monai.ClDiceMetric().aggregate(),
        ValueError,
        "nothing to aggregate",
    ),
]
