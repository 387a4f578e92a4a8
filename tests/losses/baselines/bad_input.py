"""Bad input that `losses/baselines` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import torch
from bad_values import LABELS, LOGITS

from toposeg_lite import losses

CASES = [
    (
        "skeleton recall of NaN",
        lambda: losses.skeleton_recall_loss(LOGITS.where(LOGITS < 2, torch.nan), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite",
    ),
    (
        "skeleton recall, tube",
        lambda: losses.SkeletonRecallLoss(tube=-1),
        ValueError,
        "tube must be at least 0; got -1",
    ),
    (
        "skeleton recall, smooth",
        lambda: losses.SkeletonRecallLoss(smooth=0),
        ValueError,
        "smooth must be finite and above zero; got 0",
    ),
    (
        "SCNP of other labels",
        lambda: losses.scnp_loss(LOGITS, LABELS * 255),
        ValueError,
        "only 0 and 1.*also holds 255",
    ),
    (
        "SCNP, even neighbourhood",
        lambda: losses.SCNPLoss(neighbourhood=4),
        ValueError,
        "neighbourhood must be odd; got 4",
    ),
    (
        "SCNP, no neighbourhood",
        lambda: losses.SCNPLoss(neighbourhood=0),
        ValueError,
        "neighbourhood must be at least 1; got 0",
    ),
    (
        "SCNP, option of another loss",
        lambda: losses.make_loss("scnp", window=3),
        TypeError,
        "scnp has no option 'window'; it takes neighbourhood, dice_weight",
    ),
    (
        "Topograph of a volume",
        lambda: losses.topograph_loss(LOGITS[:, None], LABELS[None]),
        ValueError,
        r"logits must be those of images \(B, C, H, W\); got 5 axes",
    ),
    (
        "Topograph, aggregation",
        lambda: losses.TopographLoss(aggregation="max"),
        ValueError,
        "aggregation must be one of 'mean', 'sum'; got 'max'",
    ),
    (
        "Topograph, connectivity of volumes",
        lambda: losses.topograph_loss(LOGITS, LABELS, connectivity=3),
        ValueError,
        "connectivity must be 1 .* or 2 .*; got 3",
    ),
    (
        "centreline cross-entropy, smooth",
        lambda: losses.ClDiceLoss(measure="cross_entropy", smooth=0.5),
        ValueError,
        "smooth belongs to measure='dice'; got 0.5 and measure='cross_entropy'",
    ),
    (
        "centreline, measure",
        lambda: losses.ClDiceLoss(measure="entropy"),
        ValueError,
        "measure must be one of 'dice', 'cross_entropy'; got 'entropy'",
    ),
]
