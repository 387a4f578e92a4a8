"""Bad input that `topology` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import EMPTY, IMAGE, INF, MASK, NAN

from toposeg_lite.topology import components, grid, persistence_pairs, warping
from toposeg_lite.topology.matching import match_pairs
from toposeg_lite.topology.morse import morse_complex

LOGITS = torch.linspace(-3, 3, 12).reshape(1, 1, 3, 4)

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
    (
        "image of logits",
        lambda: grid.check_image(IMAGE * 3),
        ValueError,
        r"from 0\.0 to 3\.0\. .*sigmoid",
    ),
    (
        "image beyond 1 by rounding",
        lambda: grid.check_image(IMAGE + 2**-40),
        ValueError,
        r"from 9\.09\d*e-13 to 1\.0000000000009\d*\. .*if it is rounding, clip",
    ),
    (
        "ragged image",
        lambda: grid.check_image([[0.5, 1.0], [0.5]]),
        ValueError,
        "image is no array",
    ),
    (
        "ragged mask",
        lambda: grid.check_mask([[0, 1], [1]]),
        ValueError,
        "mask is no array: .*shape",
    ),
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
    # --- persistence ---
    (
        "pairs of NaN",
        lambda: persistence_pairs(NAN),
        ValueError,
        "image holds 2 values that are NaN",
    ),
    ("pairs of inf", lambda: persistence_pairs(INF), ValueError, "NaN or infinite"),
    ("pairs of a film", lambda: persistence_pairs(IMAGE[None, None]), ValueError, "2 or 3 axes"),
    ("pairs of a row", lambda: persistence_pairs(IMAGE[0]), ValueError, "must have 2 or 3 axes"),
    (
        "pairs of a volume, connectivity",
        lambda: persistence_pairs(IMAGE[None], connectivity=2),
        ValueError,
        r"1 \(6 neighbours\) or 3 \(26 neighbours\)",
    ),
    (
        "pairs of a volume, dimensions",
        lambda: persistence_pairs(IMAGE[None], dimensions=[3]),
        ValueError,
        r"\(0, 1, 2\)",
    ),
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
    ("pairs, floor", lambda: persistence_pairs(IMAGE, floor=-0.1), ValueError, "floor must be fin"),
    ("pairs, no floor", lambda: persistence_pairs(IMAGE, floor=None), TypeError, "a number"),
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
        r"\[0, 1\]; its values reach from 0\.0 to 255\.0",
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
        "masked array",
        lambda: persistence_pairs(np.ma.masked_less(IMAGE, 0.5)),
        TypeError,
        "image must be an array without a mask",
    ),
    (
        "masked mask",
        lambda: warping.simple_points(np.ma.masked_array(IMAGE > 0.5)),
        TypeError,
        "mask must be an array without a mask",
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
    # --- spacing ---
    *[
        (
            f"{function.__name__} {what}",
            lambda f=function, s=spacing: f(MASK, MASK, spacing=s),
            *error,
        )
        for function in (warping.homotopy_warp, warping.flip_order)
        for what, spacing, *error in [
            ("spacing of three", (1, 1, 1), ValueError, "a length for each of 2 axes"),
            ("spacing of a number", 2, TypeError, "a length for each of 2 axes"),
            ("spacing negative", (-1, 1), ValueError, "each of spacing must be finite and above"),
            ("spacing far apart", (1, 1e9), ValueError, "more than 1000 times"),
        ]
    ],
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
        "matching must be one of 'spatial', 'betti', 'wasserstein', 'rank'; got 'nearest'",
    ),
    (
        "match grey truth by place",
        lambda: match_pairs(IMAGE, IMAGE),
        ValueError,
        "truth must hold only 0 and 1.*Threshold it first",
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
]
