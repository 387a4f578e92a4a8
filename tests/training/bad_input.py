"""Bad input that `training` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from bad_values import IMAGE, MASK, NAN

from toposeg_lite.data import Sample, load_dataset
from toposeg_lite.training import TrainConfig, draw_batch, evaluate, predict, train

POINTWISE = torch.nn.Identity()
SAMPLE = Sample("a", IMAGE[None], MASK)

ONE_STEP = TrainConfig(patch=2, steps=1, validate_every=0)
GREY = replace(SAMPLE, mask=IMAGE)
GAPS = replace(SAMPLE, mask=np.where(MASK, 255, 0))


def data_of(sample):
    return replace(load_dataset("membranes"), train=(sample,), validation=(), test=())


CASES = [
    *[
        (f"{verb} {what}", call, ValueError, text)
        for what, sample, text in [
            (
                "ignored pixels of another shape",
                replace(SAMPLE, ignored=~MASK.T),
                r"of 'a' must be booleans in the mask's shape, \(3, 4\); got bool in",
            ),
            (
                "ignored pixels of numbers",
                replace(SAMPLE, ignored=MASK * 1),
                "ignored pixels of 'a' must be booleans in the mask's shape",
            ),
            (
                "labels below 0",
                replace(SAMPLE, mask=-1 * MASK),
                "labels of 'a' must be 0 or above; got -1. If it marks pixels that nobody labelled",
            ),
        ]
        for verb, call in [
            ("train on", lambda s=sample: train(ONE_STEP, data=data_of(s))),
            ("evaluate", lambda s=sample: evaluate(POINTWISE, [s], labels="foreground")),
        ]
    ],
    (
        "train on images that are ignored altogether",
        lambda: train(ONE_STEP, data=data_of(replace(SAMPLE, ignored=MASK | True))),
        ValueError,
        "all pixels of the training images of 'membranes' are ignored",
    ),
    *[
        (f"TrainConfig of {what}", call, error, text)
        for what, values, error, text in [
            ("a folder that is a text", {"own_folder": "cells"}, TypeError, "own_folder must map"),
            ("no folder", {"own_folder": {}}, ValueError, "dataset='folder' together with"),
            ("images alone", {"own_folder": {"images": "a"}}, ValueError, "where the masks are"),
            (
                "a group",
                {"own_folder": {"images": "a", "masks": "b", "group": len}},
                ValueError,
                "each name in own_folder must be one of 'images', 'masks', 'mask_suffix'",
            ),
            (
                "arrays",
                {"own_folder": {"images": IMAGE, "masks": "b"}},
                TypeError,
                "own_folder must hold what JSON can",
            ),
            (
                "a folder and a data set",
                {"dataset": "brick", "own_folder": {"images": "a", "masks": "b"}},
                ValueError,
                "your own images are given by dataset='folder'.*got dataset='brick'",
            ),
        ]
        for call in [lambda v=values: TrainConfig(**{"dataset": "folder"} | v)]
    ],
    (
        "TrainConfig with an ignore_index",
        lambda: TrainConfig(loss="cldice", loss_options={"ignore_index": 255}),
        ValueError,
        "loss_options must name no ignore_index: .* Sample.ignored",
    ),
    (
        "train on a grey mask",
        lambda: train(TrainConfig(patch=2, steps=1, validate_every=0), data=data_of(GREY)),
        ValueError,
        "the mask of 'a' must hold booleans or integer labels; got float64",
    ),
    (
        "train on labels with a gap",
        lambda: train(TrainConfig(patch=2, steps=1, validate_every=0), data=data_of(GAPS)),
        ValueError,
        r"the largest is 255, and 254 below it are in no mask, such as 1\. .*without gaps",
    ),
    # --- training ---
    *[
        (f"train a sum {what}", lambda o=options: TrainConfig(loss="sum", loss_options=o), *rest)
        for what, options, *rest in [
            ("of nothing", {}, ValueError, "loss_options of the loss 'sum' must name its parts"),
            ("of a list", {"parts": ["cldice"]}, TypeError, "parts must map names to losses"),
            ("of no parts", {"parts": {}}, TypeError, "parts must map names to losses; got"),
            (
                "of an unknown loss",
                {"parts": {"topology": {}}},
                ValueError,
                r"parts\['topology'\]: loss must be one of 'dice_bce', .*; got 'topology'",
            ),
            (
                "in a sum",
                {"parts": {"sum": {"parts": {"cldice": {}}}}},
                ValueError,
                r"parts\['sum'\]: loss must be one of",
            ),
            (
                "with an unknown option",
                {"parts": {"cldice": {"steps": 3}}},
                TypeError,
                r"parts\['cldice'\]: cldice has no option 'steps'; it takes skeleton",
            ),
            (
                "with a bad option",
                {"parts": {"first": {"loss": "cldice", "iterations": -1}}},
                ValueError,
                r"parts\['first'\]: iterations must be at least 0",
            ),
            (
                "with options that are a number",
                {"parts": {"cldice": 0.5}},
                TypeError,
                r"parts\['cldice'\]: 'float' object is not a mapping",
            ),
            (
                "with a weight of another",
                {"parts": {"cldice": {}}, "weights": {"topological": 1}},
                ValueError,
                "each name in weights must be one of 'cldice'; got 'topological'",
            ),
            (
                "with an option of no sum",
                {"parts": {"cldice": {}}, "window": 8},
                TypeError,
                "sum has no option 'window'; it takes parts, weights, starts, warm_up, ignore",
            ),
            (
                "with a part that ignores",
                {"parts": {"cldice": {"ignore_index": 255}}},
                ValueError,
                "loss_options must name no ignore_index",
            ),
            (
                "that ignores",
                {"parts": {"cldice": {}}, "ignore_index": 255},
                ValueError,
                "loss_options must name no ignore_index",
            ),
            (
                "with a part that is not reduced",
                {"parts": {"cldice": {"reduction": "none"}}},
                ValueError,
                "loss_options must name a reduction to one number",
            ),
            (
                "that begins late",
                {"parts": {"cldice": {}}, "starts": {"cldice": 3}},
                ValueError,
                "one part at least must start at step 0",
            ),
        ]
    ],
    (
        "train a sum in 3D",
        lambda: TrainConfig(
            loss="sum",
            loss_options={"parts": {"cldice": {}, "topological": {"dimensions": [2]}}},
        ).check(2),
        ValueError,
        r"the loss 'sum' .* does not fit images with 2 axes: dimensions must name some",
    ),
    (
        "train a loss that is not reduced",
        lambda: TrainConfig(loss_options={"reduction": "none"}),
        ValueError,
        "loss_options must name a reduction to one number, 'mean' or 'sum'",
    ),
    (
        "train weight of no rule",
        lambda: TrainConfig(weight="balanced:0.5"),
        TypeError,
        "weight must be a number, or 'balance:' and a ratio above zero, as in 'balance:0.5'; got",
    ),
    (
        "train weight of no ratio",
        lambda: TrainConfig(weight="balance:half"),
        ValueError,
        "weight must be a number, or 'balance:' and a ratio above zero.*; got 'balance:half'",
    ),
    (
        "train data options of another data set",
        lambda: TrainConfig("brick", data_options={"labels": "noisy"}),
        ValueError,
        "data_options must name options of the data set: brick takes seed, masks; got 'labels'",
    ),
    (
        "train data options of own images",
        lambda: TrainConfig(
            "folder", own_folder={"images": "a", "masks": "b"}, data_options={"seed": 1}
        ),
        ValueError,
        "data_options must name options of the data set: they are in own_folder; got 'seed'",
    ),
    (
        "train data options of a value that the data set refuses",
        lambda: TrainConfig("brick", data_options={"masks": "gold"}).load(),
        ValueError,
        "masks must be one of .*; got 'gold'",
    ),
    (
        "train hues of grey images",
        lambda: TrainConfig("brick", augment={"RandHue": {}}).check(2),
        ValueError,
        r"augment\['RandHue'\] does not fit crops .*only images of 3 channels .* these have 1",
    ),
    (
        "train loss in 3D",
        lambda: TrainConfig(loss_options={"dimension_weights": (1, 1)}, patch=8).check(3),
        ValueError,
        r"the loss 'topological' .* does not fit images with 3 axes: dimension_weights must have 3",
    ),
    (
        "train option of 3D",
        lambda: TrainConfig(loss_options={"dimensions": (2,)}).check(2),
        ValueError,
        r"does not fit images with 2 axes: dimensions must name some of \(0, 1\)",
    ),
    (
        "train patch of 3D",
        lambda: TrainConfig(patch=(8, 8, 8)).check(2),
        ValueError,
        "patch must name one side for each of the 2 axes",
    ),
    (
        "train dataset",
        lambda: TrainConfig(dataset="retina2"),
        ValueError,
        r"dataset must be one of 'retina', 'brick'.*; got 'retina2'",
    ),
    (
        "train dataset None",
        lambda: TrainConfig(dataset=None),
        TypeError,
        r"dataset must be one of 'retina'",
    ),
    ("train root", lambda: TrainConfig(root=3), TypeError, r"root must be a text or None"),
    (
        "train loss",
        lambda: TrainConfig(loss="topology"),
        ValueError,
        r"loss must be one of 'dice_bce', 'topological'.*; got 'topology'",
    ),
    (
        "train loss options",
        lambda: TrainConfig(loss_options={"match": "rank"}),
        TypeError,
        r"no option 'match'; it takes matching, con",
    ),
    (
        "train loss option",
        lambda: TrainConfig(loss_options={"matching": "best"}),
        ValueError,
        "matching must be one of 'spatial'.*; got 'best'",
    ),
    (
        "train loss options that are no JSON",
        lambda: TrainConfig(loss_options={"min_persistence": np.float32(0.5)}),
        TypeError,
        "loss_options must hold what JSON can: .*float32",
    ),
    (
        "train loss options text",
        lambda: TrainConfig(loss_options="rank"),
        TypeError,
        r"loss_options must map names to values",
    ),
    (
        "train weight below 0",
        lambda: TrainConfig(weight=-0.1),
        ValueError,
        r"weight must be finite and zero or above; got -0.1",
    ),
    (
        "train weight NaN",
        lambda: TrainConfig(weight=float("nan")),
        ValueError,
        r"weight must be finite and zero or above; got nan",
    ),
    (
        "train weight text",
        lambda: TrainConfig(weight="auto"),
        TypeError,
        r"weight must be a number, or 'balance:' and .*; got 'auto'",
    ),
    ("train steps 0", lambda: TrainConfig(steps=0), ValueError, r"steps must be at least 1; got 0"),
    (
        "train batch 1.0",
        lambda: TrainConfig(batch=1.0),
        TypeError,
        r"batch must be an integer; got 1.0",
    ),
    ("train patch 0", lambda: TrainConfig(patch=0), ValueError, r"patch must be at least 1; got 0"),
    (
        "train patch of one side",
        lambda: TrainConfig(patch=(8,)),
        ValueError,
        r"patch must name 2 or 3 sides",
    ),
    (
        "train patch text",
        lambda: TrainConfig(patch="8"),
        TypeError,
        r"patch must be an integer; got '8'",
    ),
    (
        "train light 1",
        lambda: TrainConfig(light=1.0),
        ValueError,
        r"light must be below 1; got 1.0",
    ),
    (
        "augment no mapping",
        lambda: TrainConfig(augment=["RandGaussianNoise"]),
        TypeError,
        "augment must map names of transforms to their options",
    ),
    (
        "augment that moves pixels",
        lambda: TrainConfig(augment={"RandFlip": {}}),
        ValueError,
        "each name in augment must be one of 'RandAdjustContrast'",
    ),
    (
        "augment options no mapping",
        lambda: TrainConfig(augment={"RandGaussianNoise": 0.5}),
        TypeError,
        r"augment\['RandGaussianNoise'\] must map options to values; got 0.5",
    ),
    (
        "augment unknown option",
        lambda: TrainConfig(augment={"RandGaussianNoise": {"chance": 0.5}}),
        TypeError,
        r"augment\['RandGaussianNoise'\]: .*chance",
    ),
    (
        "augment chance above 1",
        lambda: TrainConfig(augment={"RandGaussianNoise": {"prob": 7}}),
        ValueError,
        r"augment\['RandGaussianNoise'\]\['prob'\] must lie in \[0, 1\]; got 7",
    ),
    (
        "augment bad value",
        lambda: TrainConfig(augment={"RandScaleIntensity": {"factors": [1, 2, 3]}}),
        ValueError,
        r"augment\['RandScaleIntensity'\]",
    ),
    (
        "augment not for JSON",
        lambda: TrainConfig(augment={"RandGaussianNoise": {"std": np.float32(0.5)}}),
        TypeError,
        "augment must hold what JSON can",
    ),
    (
        "train without images to train on",
        lambda: train(TrainConfig(steps=1), data=replace(load_dataset("brick"), train=())),
        ValueError,
        "the data set 'brick' has no images to train on",
    ),
    (
        "train seed below 0",
        lambda: TrainConfig(seed=-1),
        ValueError,
        r"seed must be at least 0; got -1",
    ),
    (
        "train learning rate 0",
        lambda: TrainConfig(learning_rate=0),
        ValueError,
        r"learning_rate must be finite and above zero; got 0",
    ),
    (
        "train clip inf",
        lambda: TrainConfig(clip=float("inf")),
        ValueError,
        r"clip must be finite and above zero; got inf",
    ),
    (
        "train anneal 1",
        lambda: TrainConfig(anneal=1),
        TypeError,
        r"anneal must be True or False; got 1",
    ),
    (
        "train precision",
        lambda: TrainConfig(precision="float16"),
        ValueError,
        r"precision must be one of 'float32', 'bfloat16'",
    ),
    (
        "train a dict",
        lambda: train({"steps": 3}),
        TypeError,
        r"config must be a TrainConfig; got dict",
    ),
    (
        "train from a path",
        lambda: train(TrainConfig(), start="a.safetensors"),
        TypeError,
        r"start must be a Checkpoint or None; got str",
    ),
    (
        "train resume nowhere",
        lambda: train(TrainConfig(), resume=True),
        ValueError,
        r"resume=True needs `out`",
    ),
    (
        "train cubes of a photo",
        lambda: train(TrainConfig(patch=(8, 8, 8))),
        ValueError,
        r"one side for each of the 2 axes",
    ),
    (
        "crops of nothing",
        lambda: draw_batch([], step=0, seed=0, patch=4, batch=1),
        ValueError,
        r"samples are empty",
    ),
    (
        "predict bytes",
        lambda: predict(POINTWISE, np.zeros((1, 4, 4), np.uint8)),
        TypeError,
        r"floating point in .*; got uint8",
    ),
    (
        "predict without channels",
        lambda: predict(POINTWISE, np.zeros((4, 4))),
        ValueError,
        r"axes \(channels, H, W\) or .*got shape \(4, 4\)",
    ),
    (
        "predict nothing",
        lambda: predict(POINTWISE, np.zeros((1, 0, 4))),
        ValueError,
        r"not be empty",
    ),
    ("predict NaN", lambda: predict(POINTWISE, NAN[None]), ValueError, r"NaN or infinite"),
    (
        "predict window 0",
        lambda: predict(POINTWISE, IMAGE[None], window=0),
        ValueError,
        r"window must be at least 1",
    ),
    (
        "predict window 3D",
        lambda: predict(POINTWISE, IMAGE[None], window=(2, 2, 2)),
        ValueError,
        r"window must name one side for each of the 2 axes",
    ),
    (
        "predict overlap 1",
        lambda: predict(POINTWISE, IMAGE[None], overlap=1),
        ValueError,
        r"overlap must be below 1; got 1",
    ),
    (
        "predict overlap below 0",
        lambda: predict(POINTWISE, IMAGE[None], overlap=-0.5),
        ValueError,
        r"overlap must be finite and zero or above",
    ),
    (
        "evaluate nothing",
        lambda: evaluate(POINTWISE, [], labels="foreground"),
        ValueError,
        r"samples are empty",
    ),
    (
        "train validate_every",
        lambda: TrainConfig(validate_every=-1),
        ValueError,
        r"validate_every must be at least 0; got -1",
    ),
    (
        "train patience 1.5",
        lambda: TrainConfig(validate_every=1, patience=1.5),
        TypeError,
        r"patience must be an integer",
    ),
    (
        "train patience that never looks",
        lambda: TrainConfig(patience=3),
        ValueError,
        r"patience=3 needs looks at the validation images: set validate_every",
    ),
    (
        "train validation_window",
        lambda: TrainConfig(validation_window=(8, 8, 8)).check(2),
        ValueError,
        r"validation_window must name one side for each of the 2 axes",
    ),
    (
        "predict logits without channels",
        lambda: predict(torch.nn.Flatten(2), IMAGE[None]),
        ValueError,
        r"model must return logits of the shape \(1, 'C', 3, 4\); got",
    ),
]
