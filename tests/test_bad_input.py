"""Bad input meets a clear error at the door: one table for every public function.

A row is (name, call, error, text): `call` must raise `error` with a message that matches `text`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from toposeg_lite import losses, metrics
from toposeg_lite.differences import topology_differences
from toposeg_lite.models import UNet
from toposeg_lite.topology import components, grid, persistence_pairs, warping
from toposeg_lite.topology.matching import match_pairs
from toposeg_lite.topology.morse import morse_complex
from toposeg_lite.training import (
    CompareConfig,
    Comparison,
    TrainConfig,
    choose_weight,
    draw_batch,
    evaluate,
    judge,
    predict,
    prepare_folder,
    train,
)

IMAGE = np.linspace(0, 1, 12).reshape(3, 4)
NAN = np.where(IMAGE > 0.9, np.nan, IMAGE)
INF = np.where(IMAGE > 0.9, np.inf, IMAGE)
MASK = IMAGE > 0.5
EMPTY = np.zeros((0, 4))
LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
LABELS = (LOGITS[0] > 0).long()
POINTWISE = torch.nn.Identity()

CASES = [
    # --- grid ---
    (
        "image of NaN",
        lambda: grid.check_image(NAN),
        ValueError,
        "image holds 2 values that are NaN",
    ),
    ("image of inf", lambda: grid.check_image(INF), ValueError, "NaN or infinite"),
    ("image of ints", lambda: grid.check_image(np.eye(3, dtype=int)), TypeError, "got int64"),
    ("image of logits", lambda: grid.check_image(IMAGE * 3), ValueError, r"from 0 to 3\..*sigmoid"),
    ("image negative", lambda: grid.check_image(IMAGE - 1), ValueError, r"\[0, 1\]"),
    ("image empty", lambda: grid.check_image(EMPTY), ValueError, r"image is empty.*\(0, 4\)"),
    ("image 1D", lambda: grid.check_image(IMAGE[0]), ValueError, r"2 or 3 axes; got shape \(4,\)"),
    ("image complex", lambda: grid.check_image(IMAGE + 0j), TypeError, "complex128"),
    ("image text", lambda: grid.check_image("photo.png"), TypeError, "real numbers"),
    ("image long double", lambda: grid.check_image(IMAGE.astype("g")), TypeError, "float128"),
    ("mask of grey", lambda: grid.check_mask(IMAGE), ValueError, "only 0 and 1.*Threshold"),
    ("mask of 255", lambda: grid.check_mask(MASK * 255), ValueError, "also holds 255"),
    ("mask of NaN", lambda: grid.check_mask(NAN), ValueError, "only 0 and 1"),
    ("mask empty", lambda: grid.check_mask(EMPTY), ValueError, "mask is empty"),
    ("mask 4D", lambda: grid.check_mask(MASK[None, None]), ValueError, "2 or 3 axes"),
    ("connectivity 2 in 3D", lambda: grid.check_connectivity(2, 3), ValueError, r"or 3 \(26 "),
    ("connectivity 8", lambda: grid.check_connectivity(8, 2), ValueError, r"1 \(4 neighbours\)"),
    ("connectivity True", lambda: grid.check_connectivity(True, 2), TypeError, "an integer"),
    ("connectivity 1.0", lambda: grid.check_connectivity(1.0, 2), TypeError, "an integer"),
    ("border", lambda: grid.check_border("periodic"), ValueError, "'open', 'closed'; got 'period"),
    ("border None", lambda: grid.check_border(None), TypeError, "'open', 'closed'; got None"),
    (
        "shapes",
        lambda: grid.check_same_shape(MASK, MASK.T, ("prediction", "truth")),
        ValueError,
        r"prediction and truth must have the same shape; got \(3, 4\) and \(4, 3\)",
    ),
    # --- persistence ---
    (
        "pairs of NaN",
        lambda: persistence_pairs(NAN),
        ValueError,
        "image holds 2 values that are NaN",
    ),
    ("pairs of inf", lambda: persistence_pairs(INF), ValueError, "NaN or infinite"),
    ("pairs of a volume", lambda: persistence_pairs(IMAGE[None]), ValueError, "must have 2 axes"),
    ("pairs of a row", lambda: persistence_pairs(IMAGE[0]), ValueError, "must have 2 axes"),
    ("pairs of nothing", lambda: persistence_pairs(EMPTY), ValueError, "image is empty"),
    ("pairs of ints", lambda: persistence_pairs(np.eye(3, dtype="u1")), TypeError, "got uint8"),
    ("pairs of logits", lambda: persistence_pairs(4 * IMAGE), ValueError, "apply a sigmoid"),
    (
        "pairs, connectivity",
        lambda: persistence_pairs(IMAGE, connectivity=3),
        ValueError,
        "1 .* or 2",
    ),
    ("pairs, border", lambda: persistence_pairs(IMAGE, border="wrap"), ValueError, "'closed'; got"),
    (
        "pairs, dimension 2",
        lambda: persistence_pairs(IMAGE, dimensions=[2]),
        ValueError,
        r"\(0, 1\)",
    ),
    ("pairs, dimensions 0", lambda: persistence_pairs(IMAGE, dimensions=0), TypeError, r"\(0,\)"),
    (
        "pairs, no dimension",
        lambda: persistence_pairs(IMAGE, dimensions=()),
        ValueError,
        r"got \[\]",
    ),
    ("pairs, text", lambda: persistence_pairs(IMAGE, dimensions="H0"), TypeError, "integers; got"),
    (
        "pairs, -0.1",
        lambda: persistence_pairs(IMAGE, min_persistence=-0.1),
        ValueError,
        "zero or above",
    ),
    (
        "pairs, nan",
        lambda: persistence_pairs(IMAGE, min_persistence=NAN[2, 3]),
        ValueError,
        "got nan",
    ),
    ("pairs, None", lambda: persistence_pairs(IMAGE, min_persistence=None), TypeError, "a number"),
    # --- components ---
    ("label grey", lambda: components.label_components(IMAGE), ValueError, "mask must hold only 0"),
    (
        "label 8",
        lambda: components.label_components(MASK, connectivity=8),
        ValueError,
        "1 .* or 2 ",
    ),
    ("betti of grey", lambda: components.betti_numbers(IMAGE), ValueError, "mask must hold only 0"),
    ("betti of NaN", lambda: components.betti_numbers(NAN), ValueError, "only 0 and 1"),
    ("betti of empty", lambda: components.betti_numbers(EMPTY), ValueError, "mask is empty"),
    ("betti 1D", lambda: components.betti_numbers(MASK[0]), ValueError, "2 or 3 axes"),
    (
        "betti connectivity",
        lambda: components.betti_numbers(MASK[None], connectivity=2),
        ValueError,
        r"or 3 \(26 neighbours\)",
    ),
    (
        "betti border",
        lambda: components.betti_numbers(MASK, border="periodic"),
        ValueError,
        "border must be one of",
    ),
    (
        "overlap shapes",
        lambda: components.overlap_sizes(MASK, MASK.T),
        ValueError,
        "first and second must have the same shape",
    ),
    ("overlap grey", lambda: components.overlap_sizes(MASK, IMAGE), ValueError, "second must hold"),
    # --- warping ---
    ("simple grey", lambda: warping.simple_points(IMAGE), ValueError, "mask must hold only 0"),
    ("simple NaN", lambda: warping.simple_points(NAN), ValueError, "only 0 and 1"),
    ("simple empty", lambda: warping.simple_points(EMPTY), ValueError, "empty: its shape"),
    ("simple 1D", lambda: warping.simple_points(MASK[0]), ValueError, r"2 or 3 axes; .* \(4,\)"),
    (
        "simple connectivity 4",
        lambda: warping.simple_points(MASK, connectivity=4),
        ValueError,
        r"1 \(4 neighbours\) or 2",
    ),
    (
        "simple connectivity 2 in 3D",
        lambda: warping.simple_points(MASK[None], connectivity=2),
        ValueError,
        r"or 3 \(26 neighbours\)",
    ),
    (
        "warp of a likelihood",
        lambda: warping.homotopy_warp(IMAGE, MASK),
        ValueError,
        "mask must hold only 0 and 1.*Threshold",
    ),
    (
        "warp to a likelihood",
        lambda: warping.homotopy_warp(MASK, IMAGE),
        ValueError,
        "target must hold only 0 and 1.*Threshold",
    ),
    ("warp of inf", lambda: warping.homotopy_warp(INF, MASK), ValueError, "mask must hold only"),
    ("warp to None", lambda: warping.homotopy_warp(MASK, None), TypeError, "target must hold real"),
    ("warp of empty", lambda: warping.homotopy_warp(EMPTY, EMPTY), ValueError, "mask is empty"),
    (
        "warp to another shape",
        lambda: warping.homotopy_warp(MASK, MASK.T),
        ValueError,
        r"mask and target must have the same shape; got \(3, 4\) and \(4, 3\)",
    ),
    (
        "warp to a volume",
        lambda: warping.homotopy_warp(MASK, MASK[None]),
        ValueError,
        r"mask and target must have the same shape; got \(3, 4\) and \(1, 3, 4\)",
    ),
    (
        "warp connectivity as text",
        lambda: warping.homotopy_warp(MASK, MASK, connectivity="8"),
        TypeError,
        "connectivity must be an integer or None; got '8'",
    ),
    ("order of grey", lambda: warping.flip_order(MASK, IMAGE), ValueError, "target must hold only"),
    ("order of shapes", lambda: warping.flip_order(MASK, MASK.T), ValueError, "the same shape"),
    (
        "order connectivity",
        lambda: warping.flip_order(MASK, MASK, connectivity=0),
        ValueError,
        "connectivity must be 1",
    ),
    # --- morse ---
    ("morse NaN", lambda: morse_complex(NAN), ValueError, "image holds 2 values that are NaN"),
    ("morse inf", lambda: morse_complex(INF), ValueError, "NaN or infinite"),
    ("morse ints", lambda: morse_complex(np.eye(3, dtype=int)), TypeError, "got int64"),
    ("morse tensor", lambda: morse_complex(LOGITS), TypeError, "got a torch tensor"),
    (
        "morse 8 bits",
        lambda: morse_complex(IMAGE * 255),
        ValueError,
        r"\[0, 1\]; its values reach from 0 to 255",
    ),
    ("morse empty", lambda: morse_complex(EMPTY), ValueError, "image is empty"),
    ("morse 1D", lambda: morse_complex(IMAGE[0]), ValueError, "2 or 3 axes"),
    (
        "morse 8 neighbours",
        lambda: morse_complex(IMAGE, connectivity=8),
        ValueError,
        "1 .4 neighbours",
    ),
    (
        "morse 26 neighbours",
        lambda: morse_complex(IMAGE[None], connectivity=3),
        ValueError,
        r"connectivity must be 1 \(6 neighbours\).*3 axes.*got 3",
    ),
    (
        "morse 18 neighbours",
        lambda: morse_complex(IMAGE[None], connectivity=2),
        ValueError,
        r"connectivity must be 1 \(6 neighbours\).*3 axes.*got 2",
    ),
    (
        "morse connectivity True",
        lambda: morse_complex(IMAGE[None], connectivity=True),
        TypeError,
        "an integer",
    ),
    (
        "skeleton persistence of 8 bits",
        lambda: morse_complex(IMAGE).skeleton(20),
        ValueError,
        r"persistence must lie in \[0, 1\].*got 20.*255",
    ),
    (
        "skeleton persistence NaN",
        lambda: morse_complex(IMAGE).skeleton(np.nan),
        ValueError,
        "got nan",
    ),
    (
        "skeleton level negative",
        lambda: morse_complex(IMAGE).skeleton(0.1, -0.1),
        ValueError,
        r"saddle_level must lie in \[0, 1\]",
    ),
    (
        "skeleton level text",
        lambda: morse_complex(IMAGE).skeleton(0.1, "low"),
        TypeError,
        "saddle_level must be a number.*'low'",
    ),
    (
        "branches persistence None",
        lambda: morse_complex(IMAGE).branches(None),
        TypeError,
        "persistence must be a number",
    ),
    (
        "branches level inf",
        lambda: morse_complex(IMAGE).branches(0, np.inf),
        ValueError,
        "saddle_level",
    ),
    (
        "patches persistence True",
        lambda: morse_complex(IMAGE).patches(True),
        TypeError,
        "got True",
    ),
    (
        "patches persistence array",
        lambda: morse_complex(IMAGE).patches(IMAGE),
        TypeError,
        "persistence must be a number",
    ),
    (
        "patches persistence",
        lambda: morse_complex(IMAGE).patches(1.5),
        ValueError,
        "persistence must lie",
    ),
    # --- matching ---
    ("match NaN", lambda: match_pairs(NAN, MASK), ValueError, "prediction holds 2 values that are"),
    ("match truth NaN", lambda: match_pairs(IMAGE, NAN), ValueError, "truth holds 2 values"),
    ("match ints", lambda: match_pairs(IMAGE, MASK * 1), TypeError, "truth must be a likelihood"),
    ("match logits", lambda: match_pairs(IMAGE * 9, MASK), ValueError, "prediction must lie in"),
    ("match empty", lambda: match_pairs(EMPTY, EMPTY), ValueError, "prediction is empty"),
    ("match 1D", lambda: match_pairs(IMAGE[0], MASK[0]), ValueError, r"got shape \(4,\)"),
    (
        "match shapes",
        lambda: match_pairs(IMAGE, MASK.T),
        ValueError,
        r"prediction and truth must have the same shape; got \(3, 4\) and \(4, 3\)",
    ),
    (
        "match by place",
        lambda: match_pairs(IMAGE, MASK, matching="nearest"),
        ValueError,
        "matching must be one of 'rank', 'wasserstein'.*; got 'nearest'",
    ),
    ("match None", lambda: match_pairs(IMAGE, MASK, matching=None), TypeError, "got None"),
    (
        "match connectivity",
        lambda: match_pairs(IMAGE, MASK, connectivity=8),
        ValueError,
        r"1 \(4 neighbours\)",
    ),
    ("match border", lambda: match_pairs(IMAGE, MASK, border="x"), ValueError, "'open', 'closed'"),
    ("match dimensions", lambda: match_pairs(IMAGE, MASK, dimensions=1), TypeError, r"\(1,\)"),
    (
        "match dimension 2",
        lambda: match_pairs(IMAGE, MASK, dimensions=[0, 2]),
        ValueError,
        r"dimensions must name some of \(0, 1\)",
    ),
    (
        "match min_persistence",
        lambda: match_pairs(IMAGE, MASK, min_persistence=-1),
        ValueError,
        "min_persistence must be finite and zero or above; got -1",
    ),
    # --- metrics ---
    *[
        (f"{name} {what}", lambda f=function, a=arguments: f(*a), error, text)
        for name, function in [
            ("dice", metrics.dice),
            ("cldice", metrics.cldice),
            ("betti error", metrics.betti_error),
            ("ari", metrics.adjusted_rand_index),
            ("voi", metrics.variation_of_information),
            ("report", metrics.report),
        ]
        for what, arguments, error, text in [
            ("of grey", (IMAGE, MASK), ValueError, "prediction must hold only 0 and 1.*Threshold"),
            ("truth of 255", (MASK, MASK * 255), ValueError, "truth must hold only .* holds 255"),
            ("of NaN", (NAN, MASK), ValueError, "prediction must hold only 0 and 1"),
            ("of empty", (EMPTY, EMPTY), ValueError, "prediction is empty"),
            ("of 1D", (MASK[0], MASK[0]), ValueError, "2 or 3 axes"),
            ("of text", ("mask.png", MASK), TypeError, "prediction must hold real numbers"),
            (
                "of two shapes",
                (MASK, MASK.T),
                ValueError,
                "prediction and truth must have the same",
            ),
        ]
    ],
    *[
        (
            f"{name} {option}={value!r}",
            lambda f=function, o=option, v=value: f(MASK, MASK, **{o: v}),
            error,
            text,
        )
        for name, function, options in [
            ("betti error", metrics.betti_error, ("connectivity", "patch", "border", "dimension")),
            ("ari", metrics.adjusted_rand_index, ("connectivity", "labels")),
            ("voi", metrics.variation_of_information, ("connectivity", "labels")),
            ("report", metrics.report, ("connectivity", "patch", "border", "labels")),
        ]
        for option, value, error, text in [
            ("connectivity", 8, ValueError, r"connectivity must be 1 .* or 2 "),
            ("connectivity", "8", TypeError, "connectivity must be an integer or None"),
            ("patch", 0, ValueError, "patch must be at least 1, or None; got 0"),
            ("patch", (64, 64), TypeError, "patch must be an integer or None"),
            ("patch", 64.0, TypeError, "patch must be an integer or None; got 64.0"),
            ("patch", True, TypeError, "patch must be an integer"),
            ("border", "frame", ValueError, "border must be one of"),
            ("labels", "both", ValueError, "labels must be one of 'foreground', 'background'"),
            ("labels", None, TypeError, "labels must be one of"),
            ("dimension", 2, ValueError, "dimension must be from 0 to 1, or None; got 2"),
            ("dimension", -1, ValueError, "dimension must be from 0 to 1"),
            ("dimension", "1", TypeError, "dimension must be an integer or None"),
        ]
        if option in options
    ],
    # --- losses ---
    (
        "logits of NaN",
        lambda: losses.dice_bce_loss(LOGITS.where(LOGITS < 2, torch.nan), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite.*diverged",
    ),
    (
        "logits of inf",
        lambda: losses.TopologicalLoss()(LOGITS.where(LOGITS < 2, torch.inf), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite",
    ),
    (
        "logits of -inf",
        lambda: losses.topological_loss(LOGITS.where(LOGITS < 2, -torch.inf).half(), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite",
    ),
    ("logits in NumPy", lambda: losses.dice_bce_loss(IMAGE, LABELS), TypeError, "got ndarray"),
    ("target in NumPy", lambda: losses.dice_bce_loss(LOGITS, MASK), TypeError, "target.*ndarray"),
    ("logits of ints", lambda: losses.dice_bce_loss(LABELS, LABELS), TypeError, "int64"),
    (
        "logits 3D",
        lambda: losses.topological_loss(LOGITS[0], LABELS[0]),
        ValueError,
        r"\(B, C, H, W\) or \(B, C, D, H, W\); got \(1, 3, 4\)",
    ),
    ("logits empty", lambda: losses.dice_bce_loss(LOGITS[:0], LABELS[:0]), ValueError, "are empty"),
    (
        "target transposed",
        lambda: losses.dice_bce_loss(LOGITS, LABELS.mT),
        ValueError,
        r"target must have the shape \(1, 3, 4\) \(labels\) or \(1, 1, 3, 4\).*; got \(1, 4, 3\)",
    ),
    (
        "target of 255",
        lambda: losses.dice_bce_loss(LOGITS, LABELS * 255),
        ValueError,
        "only 0 and 1.*also holds 255",
    ),
    (
        "target of NaN",
        lambda: losses.dice_bce_loss(LOGITS, LABELS * torch.nan),
        ValueError,
        "only 0 and 1.*also holds nan",
    ),
    (
        "target of grey",
        lambda: losses.dice_bce_loss(LOGITS, LABELS * 0.5),
        ValueError,
        "only 0 and 1.*also holds 0.5",
    ),
    ("target complex", lambda: losses.dice_bce_loss(LOGITS, LABELS * 1j), TypeError, "complex64"),
    (
        "target of class 3",
        lambda: losses.topological_loss(LOGITS.expand(1, 3, 3, 4), LABELS * 3),
        ValueError,
        "labels from 0 to 2, .* its labels reach from 0 to 3",
    ),
    (
        "target of class -1",
        lambda: losses.topological_loss(LOGITS.expand(1, 3, 3, 4), -LABELS),
        ValueError,
        "its labels reach from -1 to 0",
    ),
    (
        "target of float classes",
        lambda: losses.dice_bce_loss(LOGITS.expand(1, 3, 3, 4), LABELS * 1.0),
        TypeError,
        "integer labels for 3 classes; got torch.float32",
    ),
    (
        "target not one-hot",
        lambda: losses.dice_bce_loss(LOGITS.expand(1, 3, 3, 4), LABELS.expand(1, 3, 3, 4)),
        ValueError,
        "one-hot.*exactly one 1",
    ),
    (
        "target elsewhere",
        lambda: losses.dice_bce_loss(LOGITS, LABELS.to("meta")),
        ValueError,
        "on one device; got cpu and meta",
    ),
    ("dice_weight", lambda: losses.DiceBCELoss(dice_weight=-1), ValueError, "dice_weight must be"),
    ("bce_weight", lambda: losses.DiceBCELoss(bce_weight="1"), TypeError, "bce_weight must be a"),
    ("smooth", lambda: losses.DiceBCELoss(smooth=0), ValueError, "smooth must be above zero"),
    ("smooth NaN", lambda: losses.DiceBCELoss(smooth=np.nan), ValueError, "smooth must be finite"),
    (
        "reduction",
        lambda: losses.DiceBCELoss(reduction="median"),
        ValueError,
        "reduction must be one of 'mean', 'sum', 'none'; got 'median'",
    ),
    (
        "loss matching",
        lambda: losses.TopologicalLoss(matching="nearest"),
        ValueError,
        "matching must be one of 'rank', 'wasserstein'.*; got 'nearest'",
    ),
    (
        "loss connectivity 8",
        lambda: losses.TopologicalLoss(connectivity=8),
        ValueError,
        "connectivity must be 1 .*; got 8",
    ),
    (
        "loss connectivity 2.0",
        lambda: losses.TopologicalLoss(connectivity=2.0),
        TypeError,
        "connectivity must be an integer",
    ),
    (
        "loss connectivity 3 in 2D",
        lambda: losses.TopologicalLoss(connectivity=3)(LOGITS, LABELS),
        ValueError,
        r"or 2 \(8 neighbours\).*; got 3",
    ),
    ("loss border", lambda: losses.TopologicalLoss(border="x"), ValueError, "border must be one"),
    ("loss dimensions", lambda: losses.TopologicalLoss(dimensions=0), TypeError, r"\(0,\)"),
    (
        "loss dimension 3",
        lambda: losses.TopologicalLoss(dimensions=[3]),
        ValueError,
        "dimensions must name some",
    ),
    (
        "loss dimension 2 in 2D",
        lambda: losses.TopologicalLoss(dimensions=[1, 2])(LOGITS, LABELS),
        ValueError,
        r"dimensions must name some of \(0, 1\)",
    ),
    (
        "dimension_weights",
        lambda: losses.TopologicalLoss(dimension_weights=2),
        TypeError,
        "dimension_weights must be a sequence of numbers; got 2",
    ),
    (
        "dimension_weights below 0",
        lambda: losses.TopologicalLoss(dimension_weights=(1, -1)),
        ValueError,
        "each of dimension_weights must be finite and zero or above; got -1",
    ),
    (
        "dimension_weights in 2D",
        lambda: losses.TopologicalLoss(dimension_weights=(1, 1, 1))(LOGITS, LABELS),
        ValueError,
        "dimension_weights must have 2 entries",
    ),
    ("matched_weight", lambda: losses.TopologicalLoss(matched_weight=None), TypeError, "got None"),
    (
        "unmatched_weight",
        lambda: losses.TopologicalLoss(unmatched_weight=np.inf),
        ValueError,
        "unmatched_weight must be finite",
    ),
    (
        "loss min_persistence",
        lambda: losses.TopologicalLoss(min_persistence=-0.1),
        ValueError,
        "min_persistence must be finite and zero or above",
    ),
    ("window 0", lambda: losses.TopologicalLoss(window=0), ValueError, "window must be at least 1"),
    ("window 6.5", lambda: losses.TopologicalLoss(window=6.5), TypeError, "window must be an int"),
    (
        "window in 4 axes",
        lambda: losses.TopologicalLoss(window=(1, 2, 3, 4)),
        ValueError,
        "window must be an integer or one for each axis",
    ),
    (
        "window in 3D",
        lambda: losses.TopologicalLoss(window=(2, 2, 2))(LOGITS, LABELS),
        ValueError,
        r"window must have an entry for each of 2 axes; got \(2, 2, 2\)",
    ),
    (
        "overlap too large",
        lambda: losses.TopologicalLoss(window=(4, 8), overlap=4),
        ValueError,
        r"overlap from 0 to window - 1 pixels; got \(4, 8\) and 4",
    ),
    (
        "overlap in other axes",
        lambda: losses.TopologicalLoss(window=(4, 8), overlap=(1, 1, 1)),
        ValueError,
        "as many entries",
    ),
    ("overlap True", lambda: losses.TopologicalLoss(window=4, overlap=True), TypeError, "overlap"),
    ("overlap alone", lambda: losses.TopologicalLoss(overlap=3), ValueError, "needs a window"),
    ("iterations", lambda: losses.ClDiceLoss(iterations=-1), ValueError, "iterations must be zero"),
    ("iterations 2.5", lambda: losses.ClDiceLoss(iterations=2.5), TypeError, "an integer; got 2.5"),
    ("clDice smooth", lambda: losses.ClDiceLoss(smooth=0), ValueError, "smooth must be above zero"),
    ("clDice reduction", lambda: losses.ClDiceLoss(reduction=None), TypeError, "reduction must be"),
    ("sum of none", lambda: losses.SumLoss({}), TypeError, "parts must map names to losses"),
    (
        "sum of functions",
        lambda: losses.SumLoss({"dice": losses.dice_bce_loss}),
        TypeError,
        r"parts\['dice'\] must be a torch.nn.Module",
    ),
    (
        "sum, unknown part",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss()}, weights={"topo": 1}),
        ValueError,
        "each name in weights must be one of 'dice'; got 'topo'",
    ),
    (
        "sum, weights",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss()}, weights=[1]),
        TypeError,
        "weights must map names of parts to numbers",
    ),
    (
        "sum, start",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss()}, starts={"dice": 1.5}),
        TypeError,
        r"starts\['dice'\] must be an integer; got 1.5",
    ),
    (
        "sum, warm-up",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss()}, warm_up={"dice": -2}),
        ValueError,
        r"warm_up\['dice'\] must be zero or above; got -2",
    ),
    (
        "sum that begins late",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss()}, starts={"dice": 3}),
        ValueError,
        "one part at least must start at step 0",
    ),
    (
        "sum of no scalars",
        lambda: losses.SumLoss({"dice": losses.DiceBCELoss(reduction="none")})(LOGITS, LABELS),
        ValueError,
        r"parts\['dice'\] must return a scalar; got the shape \(1,\)",
    ),
    (
        "loss by name",
        lambda: losses.make_loss("dice"),
        ValueError,
        "loss must be one of 'dice_bce', 'topological'.*; got 'dice'",
    ),
    (
        "loss option",
        lambda: losses.make_loss("topological", match="rank"),
        TypeError,
        "topological has no option 'match'; it takes matching, connectivity, dimensions",
    ),
    # --- data ---
    # --- models ---
    ("U-Net of 0 channels", lambda: UNet(0), ValueError, "in_channels must be at least 1; got 0"),
    ("U-Net of 1.5 wide", lambda: UNet(1, width=1.5), TypeError, "width must be an integer"),
    ("U-Net of depth True", lambda: UNet(1, depth=True), TypeError, "depth must be an integer"),
    ("U-Net in 1D", lambda: UNet(1, ndim=1), ValueError, r"ndim must be 2 \(images\) or 3"),
    ("U-Net of seed None", lambda: UNet(1, seed=None), TypeError, "seed must be an integer"),
    (
        "U-Net on an array",
        lambda: UNet(1, width=2)(np.zeros((1, 1, 4, 4))),
        TypeError,
        "images must be a torch tensor; got ndarray",
    ),
    (
        "U-Net without batch",
        lambda: UNet(1, width=2)(torch.zeros(1, 4, 4)),
        ValueError,
        r"shape \(B, 1, H, W\); got \(1, 4, 4\)",
    ),
    (
        "U-Net on colours",
        lambda: UNet(1, width=2, ndim=3)(torch.zeros(1, 3, 4, 4, 4)),
        ValueError,
        r"shape \(B, 1, D, H, W\); got \(1, 3, 4, 4, 4\)",
    ),
    (
        "U-Net on nothing",
        lambda: UNet(1, width=2)(torch.zeros(1, 1, 0, 4)),
        ValueError,
        "images are empty",
    ),
    (
        "U-Net on bytes",
        lambda: UNet(1, width=2)(torch.zeros(1, 1, 4, 4, dtype=torch.uint8)),
        TypeError,
        "floating point in .*; got torch.uint8",
    ),
    # --- training ---
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
        r"matching must be one of 'rank'",
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
        r"weight must be zero or above; got -0.1",
    ),
    (
        "train weight NaN",
        lambda: TrainConfig(weight=float("nan")),
        ValueError,
        r"weight must be zero or above; got nan",
    ),
    (
        "train weight text",
        lambda: TrainConfig(weight="auto"),
        TypeError,
        r"weight must be a number; got 'auto'",
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
        "train seed below 0",
        lambda: TrainConfig(seed=-1),
        ValueError,
        r"seed must be at least 0; got -1",
    ),
    (
        "train learning rate 0",
        lambda: TrainConfig(learning_rate=0),
        ValueError,
        r"learning_rate must be above zero; got 0",
    ),
    (
        "train clip inf",
        lambda: TrainConfig(clip=float("inf")),
        ValueError,
        r"clip must be above zero; got inf",
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
        r"overlap must be zero or above",
    ),
    (
        "predict two classes",
        lambda: predict(UNet(1, 2, width=2), IMAGE[None]),
        ValueError,
        r"logits of the shape \(1, 1, 3, 4\); got \(1, 2, 3, 4\)",
    ),
    (
        "evaluate nothing",
        lambda: evaluate(POINTWISE, [], labels="foreground"),
        ValueError,
        r"samples are empty",
    ),
    (
        "compare unknown",
        lambda: CompareConfig.from_parameters(steps=3),
        ValueError,
        r"unknown parameter 'steps'; there are dataset, root, loss",
    ),
    (
        "compare dataset",
        lambda: CompareConfig(dataset="cat"),
        ValueError,
        r"dataset must be one of 'retina'",
    ),
    (
        "compare loss",
        lambda: CompareConfig(loss="cat"),
        ValueError,
        r"loss must be one of 'dice_bce'",
    ),
    (
        "compare weight 0",
        lambda: CompareConfig(weight=0),
        ValueError,
        r"a weight must be above zero: the control",
    ),
    (
        "compare no weight",
        lambda: CompareConfig(weight=()),
        ValueError,
        r"weight must name one to six values",
    ),
    (
        "compare seven weights",
        lambda: CompareConfig(weight=(1, 2, 3, 4, 5, 6, 7)),
        ValueError,
        r"weight must name one to six values",
    ),
    (
        "compare equal weights",
        lambda: CompareConfig(weight=(1, 1.0)),
        ValueError,
        r"the weights to try must differ",
    ),
    (
        "compare weight None",
        lambda: CompareConfig(weight=None),
        TypeError,
        r"weight must be a number; got None",
    ),
    (
        "compare steps 0",
        lambda: CompareConfig(pretrain_steps=0),
        ValueError,
        r"pretrain_steps must be at least 1",
    ),
    (
        "compare steps 2.0",
        lambda: CompareConfig(finetune_steps=2.0),
        TypeError,
        r"finetune_steps must be an integer",
    ),
    (
        "compare window",
        lambda: CompareConfig(window="all"),
        TypeError,
        r"window must be an integer",
    ),
    (
        "compare connectivity",
        lambda: CompareConfig(connectivity=8),
        ValueError,
        r"connectivity must be 1",
    ),
    (
        "compare connectivity 3 in 2D",
        lambda: CompareConfig(connectivity=3).load(),
        ValueError,
        r"connectivity must be 1 \(4 neighbours\) or 2",
    ),
    (
        "compare patch 3D",
        lambda: CompareConfig(patch=(8, 8, 8)).load(),
        ValueError,
        r"patch must name one side for each of the 2 axes",
    ),
    (
        "compare a dict",
        lambda: Comparison({}, "."),
        TypeError,
        r"config must be a CompareConfig; got dict",
    ),
    (
        "compare nowhere",
        lambda: Comparison(CompareConfig(), "no such folder"),
        FileNotFoundError,
        r"there is no folder no such folder: make it first",
    ),
    (
        "folder name",
        lambda: prepare_folder(CompareConfig(), name="../a"),
        ValueError,
        r"plain folder name; got '../a'",
    ),
    (
        "folder name empty",
        lambda: prepare_folder(CompareConfig(), name=""),
        ValueError,
        r"plain folder name; got ''",
    ),
    (
        "folder resume",
        lambda: prepare_folder(CompareConfig(), resume="True"),
        TypeError,
        r"resume must be True or False; got 'True'",
    ),
    (
        "folder of a dict",
        lambda: prepare_folder({}),
        TypeError,
        r"config must be a CompareConfig; got dict",
    ),
    (
        "choose nothing",
        lambda: choose_weight(pd.DataFrame({"dice": [], "betti_error": []})),
        ValueError,
        r"there is no weight to choose from",
    ),
    ("judge nothing", lambda: judge([], []), ValueError, r"errors of the same images; got 0 and 0"),
    (
        "judge others",
        lambda: judge([1], [1, 2]),
        ValueError,
        r"errors of the same images; got 1 and 2",
    ),
    (
        "differences of grey",
        lambda: topology_differences(IMAGE, MASK),
        ValueError,
        r"prediction must hold only 0 and 1",
    ),
    (
        "differences of shapes",
        lambda: topology_differences(MASK, MASK.T),
        ValueError,
        r"prediction and truth must have the same shape",
    ),
    (
        "differences connectivity",
        lambda: topology_differences(MASK, MASK, connectivity=8),
        ValueError,
        r"connectivity must be 1",
    ),
    # --- figures and explorers ---
    # --- exercises ---
]


@pytest.mark.parametrize(
    ("call", "error", "text"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_bad_input_is_refused_with_a_clear_message(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_names_in_the_table_are_unique():
    names = [case[0] for case in CASES]
    assert len(names) == len(set(names))
