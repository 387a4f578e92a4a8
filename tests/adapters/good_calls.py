"""A good call of each door of `toposeg_lite.monai`, for the table of bad arguments."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from bad_values import (
    BAD_CHOICE,
    BAD_FLAG,
    BAD_INDEX,
    BAD_LOGITS,
    BAD_SIZE,
    BAD_SPACING,
    BAD_TARGET,
    LABELS,
    LOGITS,
)
from doors import call

from toposeg_lite import losses, monai
from toposeg_lite.monai.losses import MonaiLoss
from toposeg_lite.monai.metrics import MaskMetric

# The options of the losses and their bad forms are those of the losses' own table.
_spec = spec_from_file_location(
    "good_calls_of_the_losses", Path(__file__).parents[1] / "losses" / "good_calls.py"
)
_table = module_from_spec(_spec)
_spec.loader.exec_module(_table)

TARGET = LABELS[:, None]
BAD_LABELS = BAD_TARGET | {
    "without a channel": LABELS,
    "of 255 in place": TARGET * 255,
    "of -1 in place": -TARGET,
    "of NaN in place": TARGET * torch.nan,
    "of grey in place": TARGET * 0.5,
}
TWO = torch.cat([-LOGITS, LOGITS], 1)
FLAGS = dict.fromkeys(("include_background", "to_onehot_y", "sigmoid", "softmax"), BAD_FLAG)
SMALL = {w: v for w, v in BAD_SIZE.items() if w != "None"}
DIMENSION = {w: v for w, v in BAD_INDEX.items() if w != "None"}
SPACING = {w: v for w, v in BAD_SPACING.items() if w != "of three"}  # of a volume
METRICS = {
    monai.BettiErrorMetric: {"dimension": 1, "patch": 2, "connectivity": 1, "border": "closed"},
    monai.BettiMatchingErrorMetric: {"dimension": 0, "patch": 2, "connectivity": 1},
    monai.ClDiceMetric: {"spacing": (2.0, 2.0)},
    monai.WarpingErrorMetric: {"connectivity": 1, "spacing": (2.0, 1.0)},
    monai.AdjustedRandIndexMetric: {"connectivity": 1, "labels": "background"},
    monai.VariationOfInformationMetric: {"connectivity": 1, "labels": "background"},
    monai.TopologyPrecisionMetric: {"spacing": (2.0, 2.0)},
    monai.TopologySensitivityMetric: {"spacing": (2.0, 2.0)},
    monai.IntersectionUnionDiscrepancyMetric: {"connectivity": 1, "border": "closed"},
}
CALLED = monai.ClDiceMetric()
CALLED(TARGET, TARGET)

CALLS = [
    *[
        call(
            getattr(monai, module.__name__),
            {"include_background": False, "to_onehot_y": True, "sigmoid": True, "softmax": False,
             **_table.OPTIONS[function]},
            FLAGS | _table.bad_options(function, module=True),
        )
        for function, module in _table.MODULES.items()
    ],
    *[
        call(MonaiLoss.forward, {"input": LOGITS, "target": TARGET},
             {"input": BAD_LOGITS, "target": BAD_LABELS}, of=loss(sigmoid=True))
        for loss in (monai.TopologicalLoss, monai.DiceBCELoss, monai.SkeletonRecallLoss)
    ],
    call(
        MonaiLoss.forward, {"input": LOGITS.sigmoid(), "target": TARGET},
        {"input": BAD_LOGITS | {"logits": LOGITS}, "target": BAD_LABELS}, of=monai.ClDiceLoss(),
    ),
    call(
        MonaiLoss.forward, {"input": TWO, "target": TARGET.float()},
        {"input": BAD_LOGITS | {"of one channel": LOGITS},
         "target": BAD_LABELS | {"one-hot": torch.cat([1 - TARGET, TARGET], 1)}},
        of=monai.MorseLoss(softmax=True, to_onehot_y=True),
    ),
    *[
        call(
            metric,
            {"include_background": False, "reduction": "mean_batch", "get_not_nans": True,
             "ignore_index": 255, **options},
            {"include_background": BAD_FLAG, "get_not_nans": BAD_FLAG, "dimension": DIMENSION,
             "patch": SMALL, "spacing": SPACING},
        )
        for metric, options in METRICS.items()
    ],
    call(
        MaskMetric.aggregate, {"reduction": "sum"},
        {"reduction": {w: v for w, v in BAD_CHOICE.items() if w != "None"}}, of=CALLED.aggregate,
    ),
]  # fmt: skip

assert set(_table.MODULES.values()) == set(losses.LOSSES.values())
