"""Bad input that `workbook/explorers` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import CUBE, IMAGE, MASK, NAN
from matplotlib.figure import Figure

from toposeg_lite.workbook import explorers, figures

FLAT_PNG = figures.png(Figure(figsize=(1, 1)))

CASES = [
    # --- figures and explorers ---
    ("explorer image", lambda: explorers.PersistenceExplorer(NAN), ValueError, "2 values that are"),
    ("explorer 3D", lambda: explorers.PersistenceExplorer(IMAGE[None]), ValueError, "2 axes"),
    (
        "explorer threshold",
        lambda: explorers.PersistenceExplorer(IMAGE, threshold=2.0),
        ValueError,
        r"threshold must lie in",
    ),
    (
        "explorer min_persistence",
        lambda: explorers.PersistenceExplorer(IMAGE, min_persistence=-0.1),
        ValueError,
        "min_persistence must lie in",
    ),
    (
        "explorer connectivity",
        lambda: explorers.PersistenceExplorer(IMAGE, connectivity=8),
        ValueError,
        "1 .4 neighbours. or 2",
    ),
    (
        "explorer selected",
        lambda: explorers.PersistenceExplorer(IMAGE, selected=99),
        ValueError,
        "selected must be 0 to 1; got 99",
    ),
    (
        "gradient explorer shapes",
        lambda: explorers.GradientExplorer(IMAGE, MASK.T, {"a": torch.nn.BCELoss()}),
        ValueError,
        "likelihood and truth",
    ),
    (
        "gradient explorer losses",
        lambda: explorers.GradientExplorer(IMAGE, MASK, torch.nn.BCELoss()),
        TypeError,
        "losses must map",
    ),
    (
        "gradient explorer loss",
        lambda: explorers.GradientExplorer(IMAGE, MASK, {"a": torch.nn.BCELoss()}, loss="b"),
        ValueError,
        "loss must be one of 'a'; got 'b'",
    ),
    (
        "gradient explorer steps",
        lambda: explorers.GradientExplorer(IMAGE, MASK, {"a": torch.nn.BCELoss()}, steps=0),
        ValueError,
        "steps must be at least 1; got 0",
    ),
    (
        "gradient explorer rate",
        lambda: explorers.GradientExplorer(IMAGE, MASK, {"a": torch.nn.BCELoss()}, rate=np.nan),
        ValueError,
        "rate must be finite and above zero; got nan",
    ),
    (
        "gradient explorer step",
        lambda: explorers.GradientExplorer(
            IMAGE, MASK, {"a": torch.nn.BCEWithLogitsLoss()}, steps=2, step=3
        ),
        ValueError,
        "step must be 0 to 2; got 3",
    ),
    ("read_image text", lambda: explorers.read_image(b"text"), ValueError, "is no picture"),
    ("read_image flat", lambda: explorers.read_image(FLAT_PNG), ValueError, "the same value"),
    ("read_image size", lambda: explorers.read_image(FLAT_PNG, size=0), ValueError, "size.*got 0"),
    ("show an array", lambda: explorers.show(IMAGE), TypeError, "got ndarray"),
    # --- figures and explorers of warps ---
    (
        "warp explorer shapes",
        lambda: explorers.WarpExplorer(MASK, MASK.T),
        ValueError,
        "image and target must have",
    ),
    ("warp explorer NaN", lambda: explorers.WarpExplorer(NAN, MASK), ValueError, "image holds 2"),
    (
        "warp explorer step",
        lambda: explorers.WarpExplorer(MASK, MASK, step=1),
        ValueError,
        "step must be 0 to 0; got 1",
    ),
    (
        "warp explorer row",
        lambda: explorers.WarpExplorer(MASK, MASK, row=3),
        ValueError,
        "row must be 0 to 2; got 3",
    ),
    (
        "warp explorer direction",
        lambda: explorers.WarpExplorer(MASK, MASK, direction="back"),
        ValueError,
        "direction must be one of",
    ),
    (
        "warp explorer threshold",
        lambda: explorers.WarpExplorer(MASK, MASK, threshold=2.0),
        ValueError,
        "threshold must lie in",
    ),
    (
        "warp explorer connectivity",
        lambda: explorers.WarpExplorer(MASK, MASK, connectivity=8),
        ValueError,
        "connectivity",
    ),
    (
        "warp explorer take",
        lambda: explorers.WarpExplorer(MASK, MASK).take(MASK, MASK.T),
        ValueError,
        "image and target must have",
    ),
    # --- figures and explorers of volumes ---
    ("VolumeExplorer 2D", lambda: explorers.VolumeExplorer(CUBE[0]), ValueError, "3 axes"),
    (
        "VolumeExplorer position",
        lambda: explorers.VolumeExplorer(CUBE, position=2),
        ValueError,
        "position must be 0 to 1; got 2",
    ),
    (
        "VolumeExplorer selected",
        lambda: explorers.VolumeExplorer(CUBE, selected=99),
        ValueError,
        "selected must be 0",
    ),
    ("read_volume text", lambda: explorers.read_volume(b"text"), ValueError, "is no picture"),
    ("read_volume flat", lambda: explorers.read_volume(FLAT_PNG), ValueError, "the same value"),
    (
        "read_volume size",
        lambda: explorers.read_volume(FLAT_PNG, size=0),
        ValueError,
        "size.*got 0",
    ),
    # --- trained model, even light, reliability ---
    (
        "structure explorer models",
        lambda: explorers.StructureExplorer({}, IMAGE[None]),
        TypeError,
        "models must map one name",
    ),
]
