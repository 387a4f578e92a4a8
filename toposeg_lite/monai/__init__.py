"""Losses and metrics with the signatures of MONAI, for its trainers, evaluators and inferers.

They are those of `toposeg_lite.losses`, `toposeg_lite.metrics` and `toposeg_lite.further_metrics`,
and take all their options besides MONAI's own. MONAI itself is needed:
``pip install 'toposeg-lite[monai]'``.

**Losses** are called as ``loss(input, target)``, with input (B, C, *spatial), 2D or 3D.

sigmoid, softmax : bool
    What `input` is: logits for a sigmoid of each channel (classes may overlap); logits for a
    softmax over the channels; or, with neither, probabilities, of which each channel is judged by
    itself. With ``softmax=True`` and ``include_background=False`` a loss is the library's own for
    several classes, and with ``sigmoid=True`` and one channel that for one.
to_onehot_y : bool
    The target holds labels, (B, 1, *spatial), integers or whole floats. Otherwise it holds 0 and 1
    in the shape of `input`; with a softmax exactly one 1 at each pixel.
include_background : bool
    Whether the first channel is judged as well. Default True, as in MONAI; for thin structures of
    two classes by softmax, False halves the work and says the same twice less.
reduction : {"mean", "sum", "none"}
    Over the images, whose channels are always averaged: "none" returns (B,), as MONAI's soft clDice
    does (its Dice returns (B, C, 1, 1), and sums channels).

Where MONAI warns and ignores (a softmax or labels of a single channel, no channel but the
background), a ValueError says what to change. A sum is made by `toposeg_lite.losses.SumLoss`, of
these losses and of MONAI's own.

**Metrics** are `CumulativeIterationMetric`: called with masks of 0 and 1, each a batch
(B, C, *spatial) or a list of (C, *spatial), they return the (B, C) values, keep them, and
``aggregate()`` reduces them. Channels are classes; `include_background` and `reduction` are MONAI's
("mean_batch" gives a value for each class). For ignite, MONAI's `IgniteMetricHandler` takes them.

`ignore_index` is the library's: a label, 255 for example, at which a pixel counts for nothing; of
channels, all must hold it.
"""

try:
    import monai as _monai  # MONAI itself: imports are absolute
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "toposeg_lite.monai needs MONAI, and it is not installed. "
        "Run: pip install 'toposeg-lite[monai]'"
    ) from None

from .losses import (
    ClDiceLoss,
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SCNPLoss,
    SkeletonRecallLoss,
    TopographLoss,
    TopologicalLoss,
)
from .metrics import (
    AdjustedRandIndexMetric,
    BettiErrorMetric,
    BettiMatchingErrorMetric,
    ClDiceMetric,
    IntersectionUnionDiscrepancyMetric,
    TopologyPrecisionMetric,
    TopologySensitivityMetric,
    VariationOfInformationMetric,
    WarpingErrorMetric,
)

del _monai

__all__ = [
    "AdjustedRandIndexMetric",
    "BettiErrorMetric",
    "BettiMatchingErrorMetric",
    "ClDiceLoss",
    "ClDiceMetric",
    "DiceBCELoss",
    "HomotopyWarpingLoss",
    "IntersectionUnionDiscrepancyMetric",
    "MorseLoss",
    "SCNPLoss",
    "SkeletonRecallLoss",
    "TopographLoss",
    "TopologicalLoss",
    "TopologyPrecisionMetric",
    "TopologySensitivityMetric",
    "VariationOfInformationMetric",
    "WarpingErrorMetric",
]
