"""Bad input meets a clear error at the door: one table for every public function.

A row is (name, call, error, text): `call` must raise `error` with a message that matches `text`.
"""

from __future__ import annotations

import numpy as np
import pytest

from toposeg_lite import metrics
from toposeg_lite.topology import components, grid, persistence_pairs

IMAGE = np.linspace(0, 1, 12).reshape(3, 4)
NAN = np.where(IMAGE > 0.9, np.nan, IMAGE)
INF = np.where(IMAGE > 0.9, np.inf, IMAGE)
MASK = IMAGE > 0.5
EMPTY = np.zeros((0, 4))

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
    # --- morse ---
    # --- matching ---
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
    # --- data ---
    # --- models ---
    # --- training ---
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
