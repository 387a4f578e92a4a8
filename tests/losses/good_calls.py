"""A good call of each door of `losses`, from which the table of bad arguments is made."""

from __future__ import annotations

import torch
from bad_values import (
    BAD_CHOICE,
    BAD_COUNT,
    BAD_NUMBER,
    BAD_SIZE,
    BAD_TARGET,
    LABELS,
    LOGITS,
    NO_INTEGER,
    Kind,
)
from doors import call

from toposeg_lite import losses

BATCH = {"logits": LOGITS, "target": LABELS}
WEIGHTS: Kind = {
    "a number": 2,
    "a text": "12",
    "negative": (1, -1),
    "of NaN": (1, float("nan")),
    "of texts": ("1", "2"),
    "of flags": (True, False),
    "three for 2 axes": (1, 1, 1),
    "none": (),
}
#: An integer, or one for each axis.
WINDOW: Kind = {word: v for word, v in BAD_SIZE.items() if word not in ("None", "a list")} | {
    "of zero": (0, 2),
    "of halves": (1.5, 2),
    "of four axes": (2, 2, 2, 2),
    "of three axes": (2, 2, 2),
    "of none": (),
    "of texts": ("2", "2"),
}
OVERLAP: Kind = WINDOW | {"None": None, "as large as the window": 2, "larger": (0, 9)}
OVERLAP.pop("zero")
OVERLAP.pop("of zero")
IGNORED: Kind = {word: value for word, value in NO_INTEGER.items() if word != "None"} | {
    "background": 0,
    "a class": 1,
    "huge": 2**63,
}
CHOICES = dict.fromkeys(
    ("aggregation", "matching", "pixel_loss", "structure", "of", "skeleton", "measure"),
    BAD_CHOICE,
)
NO_MAP: Kind = {"a list": [1], "a text": "dice", "a number": 2}
OPTIONS = {
    losses.dice_bce_loss: {
        "dice_weight": 0.5, "bce_weight": 2, "smooth": 0.1, "reduction": "sum",
        "ignore_index": 254, "activation": "sigmoid",
    },
    losses.cldice_loss: {
        "skeleton": "soft", "measure": "dice", "iterations": 2, "smooth": 0.1, "spacing": (2, 1),
        "reduction": "none", "ignore_index": -100, "activation": "sigmoid",
    },
    losses.topological_loss: {
        "matching": "rank", "connectivity": 1, "dimensions": (0, 1), "dimension_weights": (1, 2),
        "matched_weight": 1, "unmatched_weight": 2, "min_persistence": 0.1, "floor": 0.1,
        "border": "open", "window": 2, "overlap": 1, "reduction": "mean", "ignore_index": 254,
        "activation": "sigmoid",
    },
    losses.homotopy_warping_loss: {
        "pixel_loss": "dice", "connectivity": 1, "spacing": [1.5, 1], "reduction": "sum",
        "ignore_index": -100, "activation": "sigmoid",
    },
    losses.morse_loss: {
        "structure": "patches", "of": "both", "min_persistence": 0.2, "saddle_level": 0.1,
        "dilation": 1, "pixel_loss": "dice", "connectivity": 1, "spacing": (2, 1),
        "reduction": "none", "ignore_index": 254, "activation": "sigmoid",
    },
    losses.skeleton_recall_loss: {
        "tube": 1, "smooth": 0.1, "reduction": "sum", "ignore_index": -100,
        "activation": "sigmoid",
    },
    losses.scnp_loss: {
        "neighbourhood": 5, "dice_weight": 0.5, "bce_weight": 2, "smooth": 0.1, "reduction": "none",
        "ignore_index": 254, "activation": "sigmoid",
    },
    losses.topograph_loss: {
        "aggregation": "sum", "connectivity": 1, "reduction": "none", "ignore_index": -100,
        "activation": "sigmoid",
    },
}  # fmt: skip
MODULES = {
    losses.dice_bce_loss: losses.DiceBCELoss,
    losses.cldice_loss: losses.ClDiceLoss,
    losses.topological_loss: losses.TopologicalLoss,
    losses.homotopy_warping_loss: losses.HomotopyWarpingLoss,
    losses.morse_loss: losses.MorseLoss,
    losses.skeleton_recall_loss: losses.SkeletonRecallLoss,
    losses.scnp_loss: losses.SCNPLoss,
    losses.topograph_loss: losses.TopographLoss,
}
BAD = CHOICES | {
    "target": BAD_TARGET,
    "dice_weight": BAD_NUMBER,
    "bce_weight": BAD_NUMBER,
    "iterations": BAD_COUNT,
    "tube": BAD_COUNT,
    "neighbourhood": BAD_SIZE | {"even": 4},
    "dilation": BAD_COUNT,
    "dimension_weights": WEIGHTS,
    "matched_weight": BAD_NUMBER,
    "unmatched_weight": BAD_NUMBER,
    "floor": BAD_NUMBER,
    "window": WINDOW,
    "overlap": OVERLAP,
    "ignore_index": IGNORED,
    "activation": {word: value for word, value in BAD_CHOICE.items() if word != "None"},
}
#: What a module cannot know before it meets images.
KNOWN_LATER = {
    "dimension_weights": ["three for 2 axes"],
    "spacing": ["of three"],
    "window": ["of three axes"],
}
MAY_BE_NONE = {"border", "floor"}


MIN_PERSISTENCE = {losses.topological_loss: {"min_persistence": BAD_NUMBER}}


def bad_options(function, module):
    """Return the bad forms of a loss's options; a module is made before it knows the axes."""
    options, kinds = OPTIONS[function], {}
    known = call(function, options, BAD | MIN_PERSISTENCE.get(function, {})).kinds()
    for name in options:
        kind = known[name]
        later = KNOWN_LATER.get(name, []) if module else []
        if name in MAY_BE_NONE:
            later = [*later, "None"]
        kinds[name] = {word: value for word, value in kind.items() if word not in later}
    return kinds


def started(loss):
    """Return a function that starts a loss and asks for its result, as what is bad may come up."""
    return lambda logits, target: loss.start(logits, target).result()


SUM = {"parts": {"dice": losses.DiceBCELoss(), "cldice": losses.ClDiceLoss()}}
SUM_BAD = {
    "parts": NO_MAP | {"None": None, "empty": {}, "of functions": {"a": losses.dice_bce_loss},
                       "of numbers": {3: losses.DiceBCELoss()},
                       "of classes": {"a": torch.nn.Module},
                       "with a dot": {"a.b": losses.DiceBCELoss()}, "of no name": {"": LOGITS}},
    "weights": NO_MAP | {"of others": {"topo": 1}, "of texts": {"dice": "1"},
                         "negative": {"dice": -1}, "of NaN": {"dice": float("nan")}},
    "starts": NO_MAP | {"of others": {"topo": 1}, "of halves": {"dice": 0.5},
                        "negative": {"dice": -1}},
    "warm_up": NO_MAP | {"of others": {"topo": 1}, "of halves": {"dice": 0.5},
                         "negative": {"dice": -1}},
}  # fmt: skip

CALLS = [
    *[
        call(function, {**BATCH, **options}, BAD | bad_options(function, module=False))
        for function, options in OPTIONS.items()
    ],
    *[
        call(MODULES[function], options, bad_options(function, module=True))
        for function, options in OPTIONS.items()
    ],
    call(losses.cldice_loss, {**BATCH, "skeleton": "thin"}, BAD | {"skeleton": BAD_CHOICE}),
    *[call(kind.forward, BATCH, BAD, of=kind()) for kind in MODULES.values()],
    *[call(kind.start, BATCH, BAD, of=started(kind())) for kind in MODULES.values()],
    call(losses.ClDiceLoss.start, BATCH, BAD, of=started(losses.ClDiceLoss(skeleton="thin"))),
    call(
        losses.SumLoss,
        {**SUM, "weights": {"dice": 2}, "starts": {"cldice": 3}, "warm_up": {"cldice": 2}},
        SUM_BAD,
    ),
    call(losses.SumLoss.forward, BATCH, BAD, of=losses.SumLoss(**SUM)),
    call(losses.SumLoss.start, BATCH, BAD, of=started(losses.SumLoss(**SUM))),
    call(
        losses.SumLoss.set_extra_state, {"state": torch.tensor(3)},
        {"state": {"None": None, "a text": "3", "two": torch.tensor([3, 4]), "-1": torch.tensor(-1),
                   "a half": torch.tensor(0.5), "NaN": torch.tensor(float("nan"))}},
        of=losses.SumLoss(**SUM).set_extra_state,
    ),
    call(
        losses.make_loss, {"name": "dice_bce"},
        {"name": BAD_CHOICE, "options": {"unknown": 1}},
    ),
    call(
        losses.make_loss,
        {"name": "sum", "parts": {"cldice": {}}, "weights": {"cldice": 2}, "starts": {"cldice": 0},
         "warm_up": {"cldice": 3}, "ignore_index": 255},
        {"name": BAD_CHOICE, **{k: SUM_BAD[k] for k in ("weights", "starts", "warm_up")},
         "ignore_index": IGNORED,
         "parts": NO_MAP | {"None": None, "empty": {}, "of losses": SUM["parts"],
                            "of another name": {"dice": {}}, "of numbers": {"cldice": 2},
                            "of no name": {"": {}}, "unknown option": {"cldice": {"window": 2}}}},
    ),
]  # fmt: skip
