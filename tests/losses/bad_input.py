"""Bad input that `losses` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import IMAGE, MASK

from toposeg_lite import losses

LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)
LABELS = (LOGITS[0] > 0).long()

CASES = [
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
    ("smooth", lambda: losses.DiceBCELoss(smooth=0), ValueError, "smooth .* above zero; got 0"),
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
        "matching must be one of 'spatial', 'betti', 'wasserstein', 'rank'; got 'nearest'",
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
    (
        "loss floor",
        lambda: losses.TopologicalLoss(floor=-0.1),
        ValueError,
        "floor must be finite and zero or above",
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
        r"overlap must be from 0 to window - 1 pixels; got \(4, 8\) and 4",
    ),
    (
        "overlap in other axes",
        lambda: losses.TopologicalLoss(window=(4, 8), overlap=(1, 1, 1)),
        ValueError,
        "as many entries",
    ),
    ("overlap True", lambda: losses.TopologicalLoss(window=4, overlap=True), TypeError, "overlap"),
    ("overlap None", lambda: losses.TopologicalLoss(overlap=None), TypeError, "overlap must be an"),
    (
        "overlap below 0",
        lambda: losses.TopologicalLoss(window=4, overlap=-1),
        ValueError,
        "overlap must be at least 0",
    ),
    ("overlap alone", lambda: losses.TopologicalLoss(overlap=3), ValueError, "needs a window"),
    (
        "iterations",
        lambda: losses.ClDiceLoss(iterations=-1),
        ValueError,
        "iterations must be at least 0",
    ),
    ("iterations 2.5", lambda: losses.ClDiceLoss(iterations=2.5), TypeError, "an integer; got 2.5"),
    (
        "clDice smooth",
        lambda: losses.ClDiceLoss(smooth=0),
        ValueError,
        "smooth .* above zero; got 0",
    ),
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
        r"warm_up\['dice'\] must be at least 0; got -2",
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
        "name must be one of 'dice_bce', 'topological'.*; got 'dice'",
    ),
    (
        "loss option",
        lambda: losses.make_loss("topological", match="rank"),
        TypeError,
        "topological has no option 'match'; it takes matching, connectivity, dimensions",
    ),
    (
        "loss with an option that it lacks",
        lambda: losses.TopologicalLoss(match="rank"),
        TypeError,
        "unexpected keyword argument 'match'",
    ),
    (
        "warping loss of NaN",
        lambda: losses.homotopy_warping_loss(LOGITS.where(LOGITS < 2, torch.nan), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite",
    ),
    (
        "warping loss of classes",
        lambda: losses.homotopy_warping_loss(LOGITS.expand(1, 3, 3, 4), LABELS * 3),
        ValueError,
        "its labels reach from 0 to 3",
    ),
    (
        "warping pixel_loss",
        lambda: losses.HomotopyWarpingLoss(pixel_loss="mse"),
        ValueError,
        "pixel_loss must be one of 'cross_entropy', 'dice'; got 'mse'",
    ),
    (
        "warping loss connectivity 8",
        lambda: losses.HomotopyWarpingLoss(connectivity=8),
        ValueError,
        "connectivity must be 1 .*; got 8",
    ),
    (
        "warping loss connectivity 3 in 2D",
        lambda: losses.HomotopyWarpingLoss(connectivity=3)(LOGITS, LABELS),
        ValueError,
        r"or 2 \(8 neighbours\).*; got 3",
    ),
    (
        "warping loss connectivity 2 in 3D",
        lambda: losses.HomotopyWarpingLoss(connectivity=2)(LOGITS[:, None], LABELS[None]),
        ValueError,
        r"or 3 \(26 neighbours\).*; got 2",
    ),
    (
        "warping loss reduction",
        lambda: losses.HomotopyWarpingLoss(reduction=None),
        TypeError,
        "reduction must be one of",
    ),
    (
        "Morse loss of NaN",
        lambda: losses.morse_loss(LOGITS.where(LOGITS < 2, torch.nan), LABELS),
        ValueError,
        "logits hold 2 values that are NaN or infinite",
    ),
    (
        "Morse structure",
        lambda: losses.MorseLoss(structure="lines"),
        ValueError,
        "structure must be one of 'skeleton', 'patches'; got 'lines'",
    ),
    (
        "Morse of",
        lambda: losses.MorseLoss(of=("prediction", "truth")),
        TypeError,
        "of must be one of 'prediction', 'truth', 'both'",
    ),
    (
        "Morse persistence of bytes",
        lambda: losses.MorseLoss(min_persistence=25),
        ValueError,
        r"persistence must lie in \[0, 1\].*got 25",
    ),
    (
        "Morse saddle_level NaN",
        lambda: losses.MorseLoss(saddle_level=np.nan),
        ValueError,
        r"saddle_level must lie in \[0, 1\]",
    ),
    (
        "Morse saddle_level True",
        lambda: losses.MorseLoss(saddle_level=True),
        TypeError,
        "saddle_level must be a number",
    ),
    *[
        (f"{loss.__name__} spacing {what}", lambda f=loss, s=spacing: f(spacing=s), error, text)
        for loss in (losses.HomotopyWarpingLoss, losses.MorseLoss, losses.ClDiceLoss)
        for what, spacing, error, text in [
            ("a number", 2.0, TypeError, "spacing must hold a length for each of 2 or 3 axes"),
            ("a text", "1,1,1", TypeError, "spacing must hold a length for each of 2 or 3 axes"),
            ("of one", (1.0,), ValueError, "spacing must hold a length.*z, y, x"),
            ("of zero", (0.0, 1.0), ValueError, "each of spacing must be finite and above zero"),
            ("NaN", (np.nan, 1.0), ValueError, "each of spacing must be finite and above zero"),
            ("of texts", ("1", "1"), TypeError, "each of spacing must be a number"),
            ("far apart", (1.0, 2000.0), ValueError, "must not differ by more than 1000 times"),
        ]
    ],
    *[
        (
            f"{loss.__name__} spacing of a volume",
            lambda f=loss: f(spacing=(3.0, 1.0, 1.0))(LOGITS, LABELS),
            ValueError,
            "spacing must hold a length for each of 2 axes",
        )
        for loss in (losses.HomotopyWarpingLoss, losses.MorseLoss, losses.ClDiceLoss)
    ],
    (
        "thin clDice of an image with a spacing",
        lambda: losses.cldice_loss(LOGITS, LABELS, skeleton="thin", spacing=(3.0, 1.0)),
        ValueError,
        "Zhang's thinning measures no distances",
    ),
    (
        "clDice skeleton",
        lambda: losses.ClDiceLoss(skeleton="hard"),
        ValueError,
        "skeleton must be one of 'soft', 'thin'; got 'hard'",
    ),
    (
        "clDice iterations of a thin skeleton",
        lambda: losses.ClDiceLoss(skeleton="thin", iterations=3),
        ValueError,
        "iterations belongs to skeleton='soft'",
    ),
    (
        "Morse dilation",
        lambda: losses.MorseLoss(dilation=-1),
        ValueError,
        "dilation must be at lea",
    ),
    (
        "Morse dilation 1.5",
        lambda: losses.MorseLoss(dilation=1.5),
        TypeError,
        "dilation must be an",
    ),
    (
        "Morse pixel_loss",
        lambda: losses.MorseLoss(pixel_loss=None),
        TypeError,
        "pixel_loss must be one of 'cross_entropy', 'dice'; got None",
    ),
    (
        "Morse loss connectivity 3",
        lambda: losses.MorseLoss(connectivity=3),
        ValueError,
        r"connectivity must be 1 \(4 neighbours\) or 2 .*; got 3",
    ),
    (
        "Morse loss connectivity 2 in 3D",
        lambda: losses.MorseLoss(connectivity=2, of="truth")(LOGITS[:, None], LABELS[None]),
        ValueError,
        r"connectivity must be 1 \(6 neighbours.*structures of volumes; got 2",
    ),
    *[
        (f"ignore_index {value!r} of {name}", call, error, text)
        for name in losses.LOSSES
        for value, error, text in [
            (0, ValueError, "ignore_index must be no label of a class.*; got 0"),
            (1, ValueError, "ignore_index must be no label of a class.*; got 1"),
            (255.0, TypeError, "ignore_index must be an integer; got 255.0"),
            (True, TypeError, "ignore_index must be an integer; got True"),
            ("255", TypeError, "ignore_index must be an integer; got '255'"),
            (2**63, ValueError, "ignore_index must be -9223372036854775808 to"),
        ]
        for call in [lambda n=name, v=value: losses.make_loss(n, ignore_index=v)]
    ],
    (
        "ignore_index of a class",
        lambda: losses.topological_loss(LOGITS.expand(1, 3, 3, 4), LABELS, ignore_index=2),
        ValueError,
        "ignore_index must be none of the labels of 3 classes, 0 to 2; got 2",
    ),
    (
        "ignored in one channel alone",
        lambda: losses.dice_bce_loss(
            torch.zeros(1, 2, 1, 2), torch.tensor([[[[0, 1]], [[9, 0]]]]), ignore_index=9
        ),
        ValueError,
        "ignore_index, 9, in all channels of a pixel or in none",
    ),
    (
        "another label than the ignored one",
        lambda: losses.dice_bce_loss(LOGITS, LABELS * 255, ignore_index=254),
        ValueError,
        "only 0 and 1.*also holds 255",
    ),
    (
        "target with a pixel of no class",
        lambda: losses.dice_bce_loss(torch.zeros(1, 2, 1, 2), torch.tensor([[[[0, 1]], [[0, 0]]]])),
        ValueError,
        "one-hot.*exactly one 1",
    ),
    (
        "target with a pixel of two classes",
        lambda: losses.dice_bce_loss(torch.zeros(1, 2, 1, 2), torch.tensor([[[[1, 1]], [[0, 1]]]])),
        ValueError,
        "one-hot.*exactly one 1",
    ),
    *[
        (f"activation {value!r} of {name}", call, error, text)
        for name in losses.LOSSES
        for value, error, text in [
            ("relu", ValueError, "activation must be one of 'sigmoid', 'softmax'; got 'relu'"),
            (1, TypeError, "activation must be one of 'sigmoid', 'softmax'; got"),
        ]
        for call in [lambda n=name, v=value: losses.make_loss(n, activation=v)]
    ],
    (
        "a softmax of one channel",
        lambda: losses.topological_loss(LOGITS, LABELS, activation="softmax"),
        ValueError,
        "activation='softmax' needs a channel of the logits for every class, the background too",
    ),
    (
        "labels for classes that overlap",
        lambda: losses.cldice_loss(LOGITS.expand(1, 3, 3, 4), LABELS, activation="sigmoid"),
        ValueError,
        r"must have the shape \(1, 3, 3, 4\) \(a channel a class, for activation='sigmoid'\)",
    ),
    (
        "classes that overlap under a softmax",
        lambda: losses.morse_loss(LOGITS.expand(1, 3, 3, 4), LABELS.expand(1, 3, 3, 4)),
        ValueError,
        r"one-hot.*\(classes that overlap: activation='sigmoid'\)",
    ),
    (
        "several channels of labels",
        lambda: losses.scnp_loss(LOGITS.expand(1, 3, 3, 4), LABELS.expand(1, 2, 3, 4)),
        ValueError,
        r"\(labels\) or \(1, 1, 3, 4\) \(labels in a channel\) or \(1, 3, 3, 4\)",
    ),
    (
        "labels of float in a channel",
        lambda: losses.scnp_loss(LOGITS.expand(1, 3, 3, 4), LABELS[:, None] * 1.0),
        TypeError,
        "integer labels for 3 classes; got torch.float32",
    ),
]
