"""Bad input that `workbook/figures` refuses; a row is (name, call, error, text)."""

from __future__ import annotations

import numpy as np
from bad_values import CUBE, IMAGE, MASK, NAN

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.topology import persistence_pairs
from toposeg_lite.topology.morse import morse_complex
from toposeg_lite.workbook import figures

PAIRS = persistence_pairs(IMAGE)
CUBE_PAIRS = persistence_pairs(CUBE, connectivity=1)
CUBE_COMPLEX = morse_complex(CUBE)
CUBE_SKELETON = CUBE_COMPLEX.skeleton()
FLAT_SKELETON = morse_complex(CUBE[0]).skeleton()
VOLUME = AnnotationSession(IMAGE[None], IMAGE[None])

CASES = [
    # --- persistence, gradients ---
    (
        "alive at 1.5",
        lambda: figures.alive(PAIRS, 1.5),
        ValueError,
        r"threshold .*\[0, 1\]; got 1.5",
    ),
    ("alive at NaN", lambda: figures.alive(PAIRS, np.nan), ValueError, "threshold.*got nan"),
    ("alive at text", lambda: figures.alive(PAIRS, "low"), TypeError, "threshold.*got 'low'"),
    ("alive of arrays", lambda: figures.alive(IMAGE, 0.5), TypeError, "persistence_pairs; got nda"),
    ("image_row titles", lambda: figures.image_row([IMAGE], []), ValueError, "1 images and 0 tit"),
    ("image_row NaN", lambda: figures.image_row([NAN], ["a"]), ValueError, r"images\[0\] holds 2"),
    ("pixel_values big", lambda: figures.pixel_values(np.eye(13)), ValueError, "at most 12 pixels"),
    (
        "pixel_values mask",
        lambda: figures.pixel_values(IMAGE, mask=MASK.T),
        ValueError,
        r"image and mask .* got \(3, 4\) and \(4, 3\)",
    ),
    ("image_with_pairs 3D", lambda: figures.image_with_pairs(IMAGE[None]), ValueError, "2 axes"),
    (
        "image_with_pairs threshold",
        lambda: figures.image_with_pairs(IMAGE, threshold=True),
        TypeError,
        "got True",
    ),
    (
        "diagram selected",
        lambda: figures.persistence_diagram(PAIRS, selected=99),
        ValueError,
        "selected must be 0 to .*got 99",
    ),
    ("diagram pairs", lambda: figures.persistence_diagram([(0, 1)]), TypeError, "got list"),
    (
        "barcode limit",
        lambda: figures.barcode(PAIRS, limit=0),
        ValueError,
        "at least 1; got 0",
    ),
    (
        "summary NaN",
        lambda: figures.persistence_summary(NAN, PAIRS, threshold=0.5),
        ValueError,
        "2 values that are NaN",
    ),
    ("outline grey", lambda: figures.outline(IMAGE), ValueError, "mask must hold only 0 and 1"),
    ("parts 0", lambda: figures.parts(0), ValueError, "at least 1; got 0"),
    ("strongest NaN", lambda: figures.strongest(NAN), ValueError, "pull holds 2 values"),
    ("strongest limit", lambda: figures.strongest(IMAGE, limit=-1), ValueError, "limit.*got -1"),
    (
        "gradient_step shapes",
        lambda: figures.gradient_step(
            IMAGE, PAIRS, IMAGE.T, [1.0], step=0, truth=MASK, threshold=0.5
        ),
        ValueError,
        "image and pull",
    ),
    (
        "gradient_step step",
        lambda: figures.gradient_step(
            IMAGE, PAIRS, IMAGE, [1.0], step=1, truth=MASK, threshold=0.5
        ),
        ValueError,
        "step must be 0 to 0; got 1",
    ),
    ("png of axes", lambda: figures.png("figure"), TypeError, "matplotlib Figure; got str"),
    (
        "png of a card, or what",
        lambda: figures.png(figures.parts(1)[0], card=1),
        TypeError,
        "card must be True or False",
    ),
    ("show without words", lambda: figures.show(figures.parts(1)[0], " "), ValueError, "in words"),
    ("show no figure", lambda: figures.show(IMAGE, "a picture"), TypeError, "got ndarray"),
    # --- warps ---
    (
        "components_around pixel",
        lambda: figures.components_around(MASK, (3, 0)),
        ValueError,
        r"pixel must lie in an image of shape \(3, 4\); got \(3, 0\)",
    ),
    (
        "verdict no pair",
        lambda: figures.verdict(MASK, 3),
        TypeError,
        r"pair \(row, column\); got 3",
    ),
    ("verdict grey", lambda: figures.verdict(IMAGE, (0, 0)), ValueError, "only 0 and 1"),
    ("cells_around 3D", lambda: figures.cells_around(MASK[None], (0, 0)), ValueError, "2 axes"),
    (
        "components_around connectivity",
        lambda: figures.components_around(MASK, (0, 0), connectivity=8),
        ValueError,
        "connectivity",
    ),
    (
        "mask_colours shapes",
        lambda: figures.mask_colours(MASK, MASK.T),
        ValueError,
        "mask and target must have the same shape",
    ),
    ("mask_legend", lambda: figures.mask_legend(IMAGE), TypeError, "must be a matplotlib Figure"),
    (
        "warp_masks critical",
        lambda: figures.warp_masks(MASK, MASK, critical=MASK.T),
        ValueError,
        "critical and mask must have",
    ),
    (
        "warp_masks pixel",
        lambda: figures.warp_masks(MASK, MASK, pixel=(0, 9)),
        ValueError,
        r"got \(0, 9\)",
    ),
    (
        "neighbourhood pixel",
        lambda: figures.neighbourhood(MASK, (0, -1)),
        ValueError,
        "pixel column must be",
    ),
    (
        "warp_step target",
        lambda: figures.warp_step(MASK, IMAGE, (0, 0)),
        ValueError,
        "target must hold only 0 and 1",
    ),
    # --- volumes ---
    (
        "slice_values big",
        lambda: figures.slice_values(np.zeros((1, 1, 13))),
        ValueError,
        "at most 12 voxels",
    ),
    ("slice_values 2D", lambda: figures.slice_values(CUBE[0]), ValueError, "3 axes"),
    (
        "slice_values mask",
        lambda: figures.slice_values(CUBE, mask=CUBE[:1] > 0),
        ValueError,
        "same shape",
    ),
    (
        "voxel_block grey",
        lambda: figures.voxel_block(CUBE),
        ValueError,
        "mask must hold only 0 and 1",
    ),
    (
        "voxel_block big",
        lambda: figures.voxel_block(np.ones((13, 1, 1), bool)),
        ValueError,
        "at most 12",
    ),
    ("volume_diagram", lambda: figures.volume_diagram([(0, 1)]), TypeError, "got list"),
    (
        "volume_diagram selected",
        lambda: figures.volume_diagram(CUBE_PAIRS, selected=99),
        ValueError,
        "selected.*got 99",
    ),
    (
        "volume_diagram threshold",
        lambda: figures.volume_diagram(CUBE_PAIRS, threshold=2),
        ValueError,
        "threshold.*got 2",
    ),
    ("box_lines 2D", lambda: figures.box_lines((2, 3)), ValueError, "three entries"),
    ("box_lines 0", lambda: figures.box_lines((0, 2, 3)), ValueError, "each of shape.*got 0"),
    (
        "volume_summary position",
        lambda: figures.volume_summary(CUBE, CUBE_COMPLEX, CUBE_PAIRS, position=2),
        ValueError,
        "position must be 0 to 1; got 2",
    ),
    (
        "volume_summary shape",
        lambda: figures.volume_summary(CUBE[:1], CUBE_COMPLEX, CUBE_PAIRS, position=0),
        ValueError,
        "must be of the image",
    ),
    (
        "volume_summary complex",
        lambda: figures.volume_summary(CUBE, CUBE_SKELETON, CUBE_PAIRS, position=0),
        TypeError,
        "made by morse_complex; got Skeleton",
    ),
    # --- annotations ---
    (
        "colours of a line",
        lambda: figures.picture_colours([1.0]),
        ValueError,
        "image must have shape",
    ),
    (
        "annotated image, decisions",
        lambda: figures.annotated_image(IMAGE, [np.array([0])], [2]),
        ValueError,
        "decisions must be -1, 0 or 1",
    ),
    (
        "annotated image, chosen",
        lambda: figures.annotated_image(IMAGE, [np.array([0])], [0], chosen=1),
        ValueError,
        "chosen must be 0 to 0; got 1",
    ),
    ("annotated volume", lambda: figures.annotation_summary(VOLUME), ValueError, "of an image"),
    # --- pulls ---
    (
        "pull NaN",
        lambda: figures.image_with_pull(IMAGE, IMAGE * np.nan),
        ValueError,
        "pull holds .* NaN",
    ),
    (
        "pull of bools",
        lambda: figures.image_with_pull(IMAGE, IMAGE > 0),
        TypeError,
        "pull must hold numbers",
    ),
    ("pull shape", lambda: figures.image_with_pull(IMAGE, IMAGE[:1]), ValueError, "pull"),
    (
        "pull truth",
        lambda: figures.image_with_pull(IMAGE, IMAGE, truth=IMAGE[:1] > 0),
        ValueError,
        "truth",
    ),
    # --- structures ---
    ("reliability none", lambda: figures.reliability_plot({}), ValueError, "1 to 5; got 0"),
    ("reliability list", lambda: figures.reliability_plot([]), TypeError, "must map names"),
    (
        "pixel map",
        lambda: figures.pixel_values_of(IMAGE, "doubt"),
        ValueError,
        "shown must be one of 'entropy'",
    ),
    ("grey of logits", lambda: figures.grey_of(IMAGE * 300), ValueError, r"must lie in \[0, 1\]"),
]
