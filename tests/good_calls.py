"""A good call of each door of the library's single files, for the table of bad arguments."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import (
    BAD_CHANCES,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_IMAGES,
    BAD_INDEX,
    BAD_MASK,
    BAD_NDIM,
    BAD_NUMBER,
    BAD_PATH,
    BAD_POSITIVE,
    BAD_SIZE,
    BAD_SPACING,
    BAD_TEXT,
    CUBE,
    EMPTY,
    IMAGE,
    LOGITS,
    MASK,
    NO_REAL,
    NO_REALS,
)
from doors import call

from toposeg_lite import calibration, checks, further_metrics, metrics, models
from toposeg_lite.differences import Difference, count_kinds, topology_differences
from toposeg_lite.files import write_atomically

PAIR = {"prediction": MASK, "truth": ~MASK, "ignored": IMAGE > 0.8}
VOLUMES = {"prediction": CUBE > 0.5, "truth": CUBE > 0.7, "ignored": CUBE > 0.9}
IGNORED = {word: value for word, value in BAD_MASK.items() if word != "None"} | {
    "another shape": MASK.T
}
CHANCES = {"probabilities": IMAGE, "truth": MASK, "weights": IMAGE}
BAD_CHANCE_PAIR = {
    "probabilities": BAD_CHANCES | {"empty": EMPTY, "another shape": IMAGE.T},
    "truth": BAD_CHANCES | {"another shape": MASK.T},
    "bins": BAD_SIZE | {"huge": 10**30},
    "weights": {word: v for word, v in BAD_CHANCES.items() if word not in ("None", "above 1")}
    | {"all 0": 0 * IMAGE, "another shape": IMAGE.T},
}
PATCH = {word: value for word, value in BAD_SIZE.items() if word != "None"}
DIMENSION = {word: value for word, value in BAD_INDEX.items() if word != "None"}
NETWORK = models.UNet(1, width=2, depth=2)
NO_MAP = {"None": None, "a list": [1], "a number": 1, "a text": "unet"}
BAD_SPACING_3D = {w: v for w, v in BAD_SPACING.items() if w != "of three"} | {"of two": (1.0, 2.0)}
#: The names that messages say are the caller's, and of limits the caller takes care.
WORDS = {"name": "a word for the message", "names": "words for the message"}
LIMITS = {"low": "the programmer's", "high": "the programmer's", "positive": "the programmer's"}

CALLS = [
    *[
        call(
            function,
            {**pair, **options, "ignored": pair["prediction"]},
            {"patch": PATCH, "dimension": DIMENSION, "ignored": IGNORED, "spacing": spacing,
             "percentile": BAD_NUMBER | {"above 100": 101}, "tolerance": BAD_NUMBER},
        )
        for pair, spacing in ((PAIR, BAD_SPACING), (VOLUMES, BAD_SPACING_3D))
        for function, options in [
            (metrics.dice, {}),
            (metrics.cldice, {"spacing": (2, 2, 2)[: pair["truth"].ndim]}),
            (metrics.betti_error,
             {"dimension": 1, "patch": 2, "connectivity": 1, "border": "closed"}),
            (metrics.betti_matching_error, {"dimension": 0, "patch": 2, "connectivity": 1}),
            (metrics.warping_error,
             {"connectivity": 1, "spacing": (3, 2, 1)[: pair["truth"].ndim]}),
            (metrics.adjusted_rand_index, {"connectivity": 1, "labels": "background"}),
            (metrics.variation_of_information, {"connectivity": 1, "labels": "background"}),
            (metrics.report,
             {"connectivity": 1, "patch": 2, "labels": "background", "border": "closed",
              "spacing": (2, 2, 2)[: pair["truth"].ndim]}),
            (topology_differences, {"connectivity": 1, "border": "closed"}),
            (further_metrics.hausdorff_distance,
             {"percentile": 90, "spacing": (3, 2, 1)[: pair["truth"].ndim]}),
            (further_metrics.surface_dice,
             {"tolerance": 2, "spacing": (3, 2, 1)[: pair["truth"].ndim]}),
            (further_metrics.further_report,
             {"connectivity": 1, "border": "closed", "spacing": (3, 2, 1)[: pair["truth"].ndim]}),
            (further_metrics.topology_precision, {"spacing": (2, 2, 2)[: pair["truth"].ndim]}),
            (further_metrics.topology_sensitivity, {"spacing": (2, 2, 2)[: pair["truth"].ndim]}),
        ]
    ],
    call(
        further_metrics.intersection_union_discrepancy,
        {**PAIR, "connectivity": 1, "border": "closed"},
        {"ignored": IGNORED},
    ),
    call(
        count_kinds, {"differences": [Difference("break", (0, 1))]},
        {"differences": {"None": None, "a number": 1, "a text": "break", "of texts": ["break"],
                         "of lists": [[Difference("break", (0, 1))]]}},
    ),
    call(calibration.entropy, {"probability": IMAGE}, {"probability": BAD_CHANCES}),
    call(calibration.expected_calibration_error, {**CHANCES, "bins": 4}, BAD_CHANCE_PAIR),
    call(calibration.reliability_diagram, {**CHANCES, "bins": 4}, BAD_CHANCE_PAIR),
    call(calibration.fit_temperature, CHANCES, BAD_CHANCE_PAIR),
    call(
        calibration.scale_probabilities,
        {"probabilities": IMAGE, "temperature": 2.0},
        {"probabilities": BAD_CHANCES, "temperature": BAD_POSITIVE},
    ),
    call(
        models.UNet,
        {"in_channels": 1, "out_channels": 2, "width": 2, "depth": 2, "ndim": 2, "seed": 0},
        {"ndim": BAD_NDIM, **dict.fromkeys(("in_channels", "out_channels"), BAD_SIZE),
         **dict.fromkeys(("width", "depth"), BAD_SIZE)},
    ),
    call(
        models.UNet.from_weights,
        {"options": {"in_channels": 1, "width": 2, "depth": 2}, "weights": NETWORK.state_dict()},
        {"options": NO_MAP | {"unknown": {"in_channels": 1, "height": 2}, "wider": {"width": 4}},
         "weights": NO_MAP | {"none": {}, "of numbers": {"head.weight": 1},
                              "another network's": models.UNet(1, width=2).state_dict()}},
        of=lambda **given: sum(p.sum() for p in models.UNet.from_weights(**given).parameters()),
    ),
    call(
        models.UNet.forward, {"images": LOGITS},
        {"images": BAD_IMAGES | {"two channels": torch.zeros(1, 2, 3, 4)}},
        of=NETWORK,
    ),
    call(
        checks.check_choice, {"value": "open", "choices": ["open", "closed"], "name": "value"},
        {"value": {"None": None, "another": "no such", "a number": 1, "a list": ["open"]}},
        free=WORDS | {"choices": "the programmer's"},
    ),
    call(checks.check_flag, {"value": True, "name": "value"}, {"value": BAD_FLAG}, free=WORDS),
    call(
        checks.check_fraction, {"value": 0.5, "name": "value"}, {"value": BAD_FRACTION},
        free=WORDS,
    ),
    call(
        checks.check_integer, {"value": 3, "name": "value", "low": 0, "high": 9},
        {"value": BAD_INDEX}, free=WORDS | LIMITS,
    ),
    call(
        checks.check_number, {"value": 3, "name": "value", "positive": True},
        {"value": BAD_POSITIVE}, free=WORDS | LIMITS,
    ),
    call(checks.check_number, {"value": 0, "name": "value"}, {"value": BAD_NUMBER}, free=WORDS),
    call(checks.check_path, {"value": "a.txt", "name": "value"},
         {"value": BAD_PATH | {"None": None}}, free=WORDS),
    call(checks.check_real, {"value": -1, "name": "value", "wanted": "a number"},
         {"value": NO_REAL | {"too large for a float": 10**400}},
         free=WORDS | {"wanted": "words for the message"}),
    call(checks.check_reals, {"values": IMAGE, "name": "values"}, {"values": NO_REALS},
         of=lambda **options: checks.check_reals(**options).tolist(), free=WORDS),
    call(checks.check_text, {"value": "a", "name": "value"}, {"value": BAD_TEXT}, free=WORDS),
    call(
        checks.check_same_shape, {"first": MASK, "second": IMAGE, "names": ("first", "second")},
        {"first": {"another": MASK.T}, "second": {"another": MASK[None]}}, free=WORDS,
    ),
    call(checks.check_seed, {"seed": np.random.default_rng(0)}),
    call(
        write_atomically, {"path": "a.txt", "content": b"whole"},
        {"path": BAD_PATH | {"None": None}, "content": {"None": None, "a text": "text", "3": 3}},
    ),
]  # fmt: skip
