"""Bad input that the single files of the library refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import EMPTY, IMAGE, MASK, NAN

from toposeg_lite import checks, further_metrics, metrics
from toposeg_lite.differences import topology_differences
from toposeg_lite.files import (
    atomic_file,
    check_room,
    make_folder,
    one_writer,
    remove_abandoned,
    write_atomically,
)
from toposeg_lite.models import UNet

CASES = [
    # --- grid ---
    (
        "shapes",
        lambda: checks.check_same_shape(MASK, MASK.T, ("prediction", "truth")),
        ValueError,
        r"prediction and truth must have the same shape; got \(3, 4\) and \(4, 3\)",
    ),
    # --- files ---
    (
        "folder in place of a file",
        lambda: make_folder(__file__),
        FileExistsError,
        "no file can be written in the folder .*bad_input.py: .* Choose another place",
    ),
    (
        "folder below a file",
        lambda: make_folder(f"{__file__}/runs"),
        NotADirectoryError,
        "no file can be written in the folder .*runs: .* Choose another place",
    ),
    ("folder of no name", lambda: make_folder(None), TypeError, "path; got None"),
    # --- metrics ---
    *[
        (
            f"{function.__name__} {what}",
            lambda f=function, s=spacing: f(MASK, MASK, spacing=s),
            *error,
        )
        for function in (metrics.cldice, metrics.warping_error, metrics.report)
        for what, spacing, *error in [
            ("spacing of three", (1, 1, 1), ValueError, "a length for each of 2 axes"),
            ("spacing of a number", 2, TypeError, "a length for each of 2 axes"),
            (
                "spacing infinite",
                (np.inf, 1),
                ValueError,
                "each of spacing must be finite and above",
            ),
        ]
    ],
    (
        "Hausdorff distance, percentile",
        lambda: further_metrics.hausdorff_distance(MASK, MASK, percentile=101),
        ValueError,
        "percentile must be from 0 to 100; got 101",
    ),
    (
        "surface Dice, tolerance",
        lambda: further_metrics.surface_dice(MASK, MASK, tolerance=-1),
        ValueError,
        "tolerance must be finite and zero or above; got -1",
    ),
    (
        "discrepancy of volumes",
        lambda: further_metrics.intersection_union_discrepancy([[[1]]], [[[1]]]),
        ValueError,
        r"prediction and truth must be images \(H, W\); got 3 axes",
    ),
    (
        "clDice of an image with a spacing",
        lambda: metrics.cldice(MASK, MASK, spacing=(2, 1)),
        ValueError,
        "Zhang's thinning measures no distances",
    ),
    (
        "clDice of empty images with a spacing",
        lambda: metrics.cldice(0 * MASK, 0 * MASK, spacing=(2, 1)),
        ValueError,
        "Zhang's thinning measures no distances",
    ),
    *[
        (f"{name} {what}", lambda f=function, a=arguments: f(*a), error, text)
        for name, function in [
            ("dice", metrics.dice),
            ("cldice", metrics.cldice),
            ("betti error", metrics.betti_error),
            ("betti matching error", metrics.betti_matching_error),
            ("warping error", metrics.warping_error),
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
            (
                "betti matching error",
                metrics.betti_matching_error,
                ("connectivity", "patch", "dimension"),
            ),
            ("warping error", metrics.warping_error, ("connectivity",)),
            ("ari", metrics.adjusted_rand_index, ("connectivity", "labels")),
            ("voi", metrics.variation_of_information, ("connectivity", "labels")),
            ("report", metrics.report, ("connectivity", "patch", "border", "labels")),
        ]
        for option, value, error, text in [
            ("connectivity", 8, ValueError, r"connectivity must be 1 .* or 2 "),
            ("connectivity", "8", TypeError, "connectivity must be an integer or None"),
            ("patch", 0, ValueError, "patch must be at least 1; got 0"),
            ("patch", (64, 64), TypeError, "patch must be an integer"),
            ("patch", 64.0, TypeError, "patch must be an integer; got 64.0"),
            ("patch", True, TypeError, "patch must be an integer"),
            ("border", "frame", ValueError, "border must be one of"),
            ("labels", "both", ValueError, "labels must be one of 'foreground', 'background'"),
            ("labels", None, TypeError, "labels must be one of"),
            ("dimension", 2, ValueError, "dimension must be 0 to 1; got 2"),
            ("dimension", -1, ValueError, "dimension must be 0 to 1"),
            ("dimension", "1", TypeError, "dimension must be an integer"),
        ]
        if option in options
    ],
    *[
        (
            f"{function.__name__} ignored {what}",
            lambda f=function, v=value: f(MASK, MASK, ignored=v),
            error,
            text,
        )
        for function in (
            metrics.dice,
            metrics.cldice,
            metrics.betti_error,
            metrics.betti_matching_error,
            metrics.warping_error,
            metrics.adjusted_rand_index,
            metrics.variation_of_information,
            metrics.report,
            topology_differences,
        )
        for what, value, error, text in [
            ("by a number", 255, ValueError, "ignored must have 2 or 3 axes"),
            ("by labels", MASK * 255, ValueError, "ignored must hold only 0 and 1.* holds 255"),
            ("of another shape", MASK.T, ValueError, "truth and ignored must have the same shape"),
            ("by a text", "255", TypeError, "ignored must hold real numbers or booleans"),
        ]
    ],
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
    # --- files ---
    (
        "write into no folder",
        lambda: write_atomically("no folder/a", b"1"),
        FileNotFoundError,
        "no folder/a cannot be written. Nothing was written",
    ),
    ("write a text", lambda: write_atomically("text", "1"), TypeError, "bytes"),
    ("write to a number", lambda: write_atomically(3, b"1"), TypeError, "path; got 3"),
    ("remove beside a number", lambda: remove_abandoned(3), TypeError, "path; got 3"),
    ("open a number", lambda: atomic_file(3).__enter__(), TypeError, "path; got 3"),
    ("open in no folder", lambda: atomic_file("no folder/a").__enter__(), OSError, "no folder"),
    ("one writer of a number", lambda: one_writer(3).__enter__(), TypeError, "path; got 3"),
    (
        "room for too much",
        lambda: check_room(".", 10**18, "the notes"),
        OSError,
        "the notes need 1,000,000,000,000.0 MB in ., where .* are free. Nothing was begun",
    ),
    # --- training ---
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
    (
        "differences border",
        lambda: topology_differences(MASK, MASK, border="ajar"),
        ValueError,
        r"border must be one of 'open', 'closed'",
    ),
]
