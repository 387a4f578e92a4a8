"""A good call of each door of `workbook/figures`, for the table of bad arguments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_CONNECTIVITY,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_INDEX,
    BAD_LIKELIHOOD,
    BAD_MASK,
    BAD_POSITIVE,
    BAD_SIZE,
    BAD_TEXT,
    CUBE,
    IMAGE,
    INF,
    MASK,
    NAN,
    NO_INTEGER,
    NO_REAL,
    NO_REALS,
    Kind,
)
from doors import Call, call
from matplotlib.figure import Figure

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.calibration import reliability_diagram
from toposeg_lite.metrics import report
from toposeg_lite.structures import StructureModel, find_branches
from toposeg_lite.topology import morse_complex, persistence_pairs
from toposeg_lite.workbook import figures

# --- What is drawn -------------------------------------------------------------------------------

RIDGES = np.array([[0.9, 0.2, 0.7], [0.1, 0.3, 0.2], [0.8, 0.4, 0.6]])
PAIRS, COMPLEX = persistence_pairs(RIDGES), morse_complex(RIDGES)
CUBE_PAIRS, CUBE_COMPLEX = persistence_pairs(CUBE, connectivity=1), morse_complex(CUBE)
PATHS = [np.array([0, 3, 6]), np.array([2])]
(SPREAD,) = StructureModel(torch.nn.Identity(), mode="branch").distribution(
    torch.tensor(RIDGES, dtype=torch.float32).logit()[None, None]
)
BRANCHES = find_branches(RIDGES)
VALUE_EACH = [0.5] * len(BRANCHES)
SAMPLES = SPREAD.sample(2, seed=0)
FAULTS = pd.DataFrame([{"dataset": "roads", "kind": "break", "loss": "cldice", "control": 12.0,
                        "change": -0.5, "verdict": "fewer"}])  # fmt: skip
TABLE = pd.DataFrame(
    {"control": [5.0], "difference": [-2.0], "low": [-3.0], "high": [-0.5]}, index=["arm"]
)
SCORES = pd.DataFrame({"control": [3.0, 2.0], "score": [1.0, 2.0]}, index=["a", "b"])
VALIDATION = pd.DataFrame(
    {"network": ["control", "arm"], "seed": 0, "weight": [0, 0.1], "dice": [0.8, 0.9]}
)
SEEDS = pd.DataFrame({0: [-2.0]}, index=["arm"])
ORDERS = pd.DataFrame(
    {"area": [2.0, 3.0], "better than persistence": [4, 0]}, index=["doubt", "persistence"]
)
DOTS = pd.DataFrame({"setting": ["a"], "group": ["b"], "network": ["arm"], "error": [2.0],
                     "published": [False]})  # fmt: skip
RANKS = pd.DataFrame({"home": [1, 2], "away": [2, 1]}, index=["control", "arm"])

# --- What is refused -----------------------------------------------------------------------------

NOTHING: Kind = {"None": None, "a number": 1, "a text": "pairs", "an array": IMAGE, "a list": [1]}
RECORDS: Kind = {word: value for word, value in NOTHING.items() if word != "None"}
LEVEL = {word: value for word, value in BAD_FRACTION.items() if word != "None"}
AT = {word: value for word, value in BAD_INDEX.items() if word != "None"}
MAY_MASK = {word: value for word, value in BAD_MASK.items() if word != "None"} | {
    "another shape": MASK.T
}
PICTURE: Kind = NO_REALS | {"one axis": IMAGE[0], "four axes": IMAGE[None, None], "NaN": NAN,
                            "inf": INF, "no pixel": IMAGE[:0], "no channel": IMAGE[None][:0],
                            "a number": 0.5}  # fmt: skip
PLANE: Kind = BAD_LIKELIHOOD | {"three axes": CUBE}
SMALL_MASK: Kind = BAD_MASK | {"three axes": CUBE > 0.5}
WALKS: Kind = {"None": None, "a number": 3, "a text": "path", "of numbers": [1, 2],
               "beyond the image": [np.array([0]), np.array([99])], "negative": [np.array([-1])],
               "halves": [np.array([0.5])], "of no pixel": [np.array([], int)]}  # fmt: skip
GROUPS: Kind = {
    "None": None,
    "a number": 3,
    "of numbers": [1],
    "of texts": ["path"],
    "beyond the image": [[np.array([99])]],
    "more than names": [[], []],
}
PIXEL: Kind = {
    "a number": 3,
    "a text": "00",
    "one": (0,),
    "three": (0, 0, 0),
    "outside": (0, 99),
    "negative": (-1, 0),
    "halves": (0.5, 0),
}
SHAPE: Kind = {
    "None": None,
    "a number": 3,
    "two": (2, 3),
    "of zero": (0, 2, 3),
    "a text": "abc",
    "of halves": (1.5, 2, 3),
}
VALUES: Kind = NO_REALS | {"too few": [0.5], "NaN": [0.5, np.nan], "a number": 0.5}
PULL: Kind = NO_REALS | {"flags": MASK, "NaN": NAN, "inf": INF}
PULL.pop("masked")
AXES: Kind = {"a number": 3, "a text": "left", "a list": [], "a figure": Figure()}
METRIC: Kind = BAD_CHOICE
FRAME: Kind = NOTHING | {"other columns": pd.DataFrame({"a": [1]}), "empty": TABLE[:0]}
BAD = {
    "pits": {"None": None, "a number": 3, "of edges": [((0, 0), (0, 1))], "outside": [(0, 9)],
             "of halves": [(0.5, 1)]},
    "arrows": {"None": None, "a number": 3, "of pixels": [(0, 1)], "outside": [((0, 0), (0, 9))],
               "halves": [((0, 0.5), (0, 1))], "far": [((0, 0), (2, 2))]},
    "ax": AXES,
    "chosen": AT,
    "complex_": NOTHING | {"of another image": morse_complex(IMAGE), "of pairs": PAIRS},
    "connectivity": BAD_CONNECTIVITY,
    "dpi": BAD_POSITIVE,
    "drawn": WALKS,
    "erased": WALKS,
    "image": PLANE,
    "largest": BAD_POSITIVE,
    "legend": BAD_FLAG,
    "limit": BAD_SIZE,
    "mask": MAY_MASK,
    "metric": METRIC,
    "min_persistence": BAD_FRACTION,
    "pairs": NOTHING,
    "paths": WALKS,
    "pixel": PIXEL,
    "position": BAD_INDEX,
    "pull": PULL | {"another shape": RIDGES[:2]},
    "saddle_level": BAD_FRACTION,
    "selected": AT,
    "target": SMALL_MASK | {"another shape": MASK.T},
    "threshold": LEVEL,
    "truth": MAY_MASK,
}  # fmt: skip
#: What is written beside a figure is written as Matplotlib writes it.
WORDS = dict.fromkeys(("title", "titles", "label", "xlabel", "ylabel", "names"), "words to write")


def draw(function, good, bad=None, of=None, free=None):
    """Return a good call of a function of figures, with the kinds that they share."""
    kinds = {name: kind for name, kind in (BAD | (bad or {})).items() if name in good}
    done = {name: why for name, why in (WORDS | (free or {})).items() if name in good}
    return call(function, good, kinds, of=of, free=done)


SPOT = {"mask": RIDGES > 0.5, "pixel": (1, 1)}
TWO = {"mask": RIDGES > 0.5, "target": RIDGES > 0.3}
STEPS = {"min_persistence": 0.0, "saddle_level": 0.1, "selected": 0}
COMPARED = {"metric": "dice", "title": "Dice"}

CALLS: list[Call] = [
    # --- images ---
    draw(figures.image_row, {"images": [RIDGES, IMAGE], "titles": ["a", "b"]},
         {"images": {"None": None, "none": [], "of texts": ["a", "b"], "more than titles": [IMAGE],
                     "NaN": [NAN, NAN]}}),
    draw(figures.outline, {"mask": MASK}, {"mask": SMALL_MASK}),
    draw(figures.parts, {"count": 2}, {"count": BAD_SIZE}),
    draw(figures.pixel_values, {"image": RIDGES, "title": "a", "mask": RIDGES > 0.5, "ax": None}),
    draw(figures.png, {"figure": Figure((1, 1)), "dpi": 20, "card": True, "trim": True},
         {"figure": NOTHING, "card": BAD_FLAG,
          "trim": {w: v for w, v in BAD_FLAG.items() if w != "None"}}),
    draw(figures.show, {"figure": Figure((1, 1)), "alt": "nothing", "dpi": 20},
         {"figure": NOTHING, "alt": BAD_TEXT | {"empty": " "}}),
    # --- persistence, gradients ---
    draw(figures.alive, {"pairs": PAIRS, "threshold": 0.5}, {"threshold": BAD_FRACTION}),
    draw(figures.barcode, {"pairs": PAIRS, "threshold": 0.5, "selected": 0, "limit": 3,
                           "title": "a", "ax": None}),
    draw(figures.image_with_pairs,
         {"image": RIDGES, "pairs": PAIRS, "threshold": 0.5, "title": "a", "ax": None},
         {"pairs": RECORDS}),
    draw(figures.persistence_diagram,
         {"pairs": PAIRS, "threshold": 0.5, "selected": 0, "title": "a", "ax": None}),
    draw(figures.persistence_summary,
         {"image": RIDGES, "pairs": PAIRS, "threshold": 0.5, "selected": 0},
         {"threshold": BAD_FRACTION}),
    draw(figures.gradient_step,
         {"image": RIDGES, "pairs": PAIRS, "pull": RIDGES - 0.5, "values": [1.0, 0.5], "step": 1,
          "truth": RIDGES > 0.5, "threshold": 0.5, "selected": 0},
         {"values": {"None": None, "none": [], "NaN": [1.0, np.nan],
                     "texts": ["1", "2"]},
          "step": BAD_INDEX, "threshold": BAD_FRACTION, "truth": SMALL_MASK}),
    draw(figures.image_with_pull,
         {"image": RIDGES, "pull": RIDGES - 0.5, "truth": RIDGES > 0.5, "title": "a", "ax": None}),
    draw(figures.strongest, {"pull": RIDGES - 0.5, "limit": 2},
         {"pull": PULL}),
    # --- the Morse complex ---
    draw(figures.count_parts, {"skeleton": COMPLEX.skeleton()}, {"skeleton": NOTHING}),
    draw(figures.lonely_peaks, {"skeleton": COMPLEX.skeleton()}, {"skeleton": NOTHING}),
    draw(figures.gradient_field,
         {"image": RIDGES, "arrows": [((0, 1), (0, 0))], "critical": [((0, 1), (0, 2))],
          "pits": [(0, 1)], "title": "a", "mask": RIDGES > 0.5, "ax": None},
         {"critical": BAD["arrows"], "pits": BAD["pits"]}),
    draw(figures.image_with_patches,
         {"image": RIDGES, "patches": COMPLEX.patches(), "title": "a", "ax": None},
         {"patches": NO_REALS | {"another shape": MASK.T, "grey": RIDGES, "a number": 1}}),
    draw(figures.morse_summary, {"image": RIDGES, "complex_": COMPLEX, **STEPS}),
    draw(figures.morse_view, {"image": RIDGES, "complex_": COMPLEX, **STEPS}),
    draw(figures.path_lines, {"paths": PATHS, "shape": (3, 3)},
         {"shape": {"None": None, "a number": 3, "a text": "33",
                    "of zero": (0, 3), "of halves": (1.5, 3)}}),
    # --- warps and painted masks ---
    draw(figures.cells_around, SPOT, {"mask": SMALL_MASK}),
    draw(figures.components_around, {**SPOT, "connectivity": 2}, {"mask": SMALL_MASK}),
    draw(figures.links_around,
         {"numbers": figures.components_around(**SPOT), "connectivity": 2},
         {"numbers": NO_REALS | {"another shape": IMAGE, "grey": RIDGES},
          "connectivity": BAD_CONNECTIVITY | {"None": None}}),
    draw(figures.verdict, {**SPOT, "connectivity": 2}, {"mask": SMALL_MASK}),
    draw(figures.neighbourhood, {**SPOT, "connectivity": 2, "title": "a", "ax": None},
         {"mask": SMALL_MASK}),
    draw(figures.mask_colours, TWO, {"mask": SMALL_MASK}),
    draw(figures.mask_legend, {"figure": Figure()}, {"figure": NOTHING}),
    draw(figures.warp_masks, {**TWO, "critical": RIDGES > 0.8, "pixel": (1, 1), "title": "a",
                              "ax": None}, {"mask": SMALL_MASK, "critical": MAY_MASK}),
    draw(figures.warp_step, {**TWO, "pixel": (1, 1), "critical": RIDGES > 0.8, "connectivity": 2,
                             "title": "a"}, {"mask": SMALL_MASK, "critical": MAY_MASK}),
    draw(figures.mask_parts,
         {**SPOT, "truth": RIDGES > 0.3, "connectivity": 2, "title": "a", "legend": True,
          "ax": None}, {"mask": SMALL_MASK}),
    draw(figures.numbered_parts, {"mask": MASK, "connectivity": 2}, {"mask": SMALL_MASK}),
    draw(figures.painting_summary, {**SPOT, "truth": RIDGES > 0.3, "connectivity": 2},
         {"mask": SMALL_MASK, "truth": MAY_MASK | {"None": None}}),
    draw(figures.part_name, {"number": 2}, {"number": NO_INTEGER}),
    draw(figures.metric_rows, {"numbers": report(MASK, MASK)}, {"numbers": NOTHING | {"none": {}}}),
    # --- volumes ---
    draw(figures.box_lines, {"shape": (2, 3, 4)}, {"shape": SHAPE}),
    draw(figures.slice_frame, {"shape": (2, 3, 4), "position": 1}, {"shape": SHAPE}),
    draw(figures.slice_values, {"image": CUBE, "mask": CUBE > 0.5, "title": "a"},
         {"image": BAD_LIKELIHOOD | {"two axes": IMAGE}}),
    draw(figures.volume_diagram,
         {"pairs": CUBE_PAIRS, "threshold": 0.5, "selected": 0, "title": "a", "ax": None}),
    draw(figures.volume_summary,
         {"image": CUBE, "complex_": CUBE_COMPLEX, "pairs": CUBE_PAIRS, "position": 1,
          "threshold": 0.5, "min_persistence": 0.1, "selected": 0},
         {"image": BAD_LIKELIHOOD | {"two axes": IMAGE}, "threshold": BAD_FRACTION}),
    draw(figures.voxel_block, {"mask": CUBE > 0.5, "title": "a", "ax": None},
         {"mask": BAD_MASK | {"two axes": MASK}}),
    # --- annotations, structures ---
    draw(figures.annotated_image,
         {"image": RIDGES, "paths": PATHS, "decisions": [1, 0], "drawn": PATHS, "erased": PATHS,
          "chosen": 0, "ax": None},
         {"image": PICTURE, "decisions": {"None": None, "a text": "10", "of 2": [1, 2],
                                          "too few": [1], "halves": [0.5, 0]}}),
    draw(figures.annotation_summary,
         {"session": AnnotationSession(RIDGES, RIDGES), "picture": RIDGES, "chosen": 0},
         {"session": NOTHING, "picture": {w: v for w, v in PICTURE.items() if w != "None"}}),
    draw(figures.picture_colours, {"image": RIDGES}, {"image": PICTURE}),
    draw(figures.branches_by_value,
         {"image": RIDGES, "paths": PATHS, "values": [0.5, 0.1], "label": "doubt",
          "limits": (0.0, 1.0), "chosen": 0, "title": "a", "ax": None},
         {"image": PICTURE, "values": VALUES,
          "limits": {"None": None, "a number": 1, "falling": (1, 0), "one": (1,),
                     "texts": ("0", "1"), "NaN": (0, np.nan)}}),
    draw(figures.order_curves,
         {"curves": {"doubt": ([0, 2, 4], [8, 2, 0])}, "xlabel": "a", "ylabel": "b", "title": "c",
          "ax": None},
         {"curves": NOTHING | {"none": {}, "of one point": {"a": ([0], [1])},
                               "of a list": {"a": [1]}, "of texts": {"a": ("ab", "cd")}}}),
    draw(figures.order_areas,
         {"tables": {"eyes": ORDERS}, "xlabel": "a", "against": "persistence"},
         {"tables": NOTHING | {"none": {}, "of texts": {"a": "b"}, "of others": {"a": SCORES}},
          "against": {"None": None, "a number": 1, "a list": ["doubt"], "unknown": "luck"}}),
    draw(figures.branch_colours,
         {"grey": RIDGES, "branches": BRANCHES, "values": VALUE_EACH, "largest": 1.0},
         {"grey": PLANE | {"another shape": IMAGE}, "branches": NOTHING, "values": VALUES}),
    draw(figures.grey_of, {"image": RIDGES},
         {"image": {w: v for w, v in BAD_LIKELIHOOD.items() if w != "four axes"}
          | {"four axes": IMAGE[None, None], "no channel": IMAGE[None][:0]}}),
    draw(figures.image_with_walks,
         {"image": RIDGES, "paths": [PATHS], "names": ["a"], "title": "a", "ax": None},
         {"paths": GROUPS}),
    draw(figures.pixel_colours, {"values": RIDGES, "largest": 1.0},
         {"values": NO_REALS | {"NaN": NAN, "inf": INF}}),
    draw(figures.pixel_values_of, {"likelihood": RIDGES, "shown": "entropy"},
         {"likelihood": BAD_LIKELIHOOD, "shown": BAD_CHOICE}),
    draw(figures.reliability_plot,
         {"diagrams": {"coin": reliability_diagram([0.5, 0.5], [True, False])}, "title": "a",
          "ax": None}, {"diagrams": NOTHING | {"none": {}, "of arrays": {"a": IMAGE}}}),
    draw(figures.structure_summary,
         {"grey": RIDGES, "distribution": SPREAD, "samples": SAMPLES, "sample": 1,
          "shown": "entropy", "selected": 0, "uncertainty": SPREAD.uncertainty()},
         {"grey": PLANE | {"another shape": IMAGE}, "distribution": NOTHING, "samples": NOTHING,
          "sample": BAD_INDEX, "shown": BAD_CHOICE, "uncertainty": RECORDS}),
    # --- comparisons ---
    draw(figures.higher_is_better, {"metric": "dice"}),
    draw(figures.sorted_by_outcome, {"pairs": SCORES, "metric": "dice"}, {"pairs": FRAME}),
    draw(figures.difference_forest,
         {"table": TABLE, **COMPARED, "seeds": SEEDS, "students_t": True, "selected": "arm",
          "ax": None},
         {"table": FRAME, "seeds": RECORDS, "students_t": BAD_FLAG,
          "selected": {"another": "none", "a number": 3}}),
    draw(figures.fault_map, {"table": FAULTS}, {"table": FRAME}),
    draw(figures.ablation_forest,
         {"tables": {"roads": TABLE}, "blocks": {"Losses": {"as it is": "arm"}}, **COMPARED},
         {"tables": NOTHING | {"none": {}, "of numbers": {"roads": 3}, "empty": {"a": TABLE[:0]}},
          "blocks": NOTHING | {"none": {}, "an empty one": {"Losses": {}},
                               "another network": {"Losses": {"as it is": "none"}}}}),
    draw(figures.paired_scores,
         {"pairs": SCORES, **COMPARED, "network": "arm", "selected": "a", "ax": None},
         {"pairs": FRAME, "selected": {"another": "none", "a number": 3}},
         free={"network": "words to write"}),
    draw(figures.setting_dots, {"table": DOTS, "title": "errors"},
         {"table": FRAME | {"a zero": DOTS.assign(error=0.0), "words": DOTS.assign(error="one")}}),
    draw(figures.rank_lines,
         {"ranks": RANKS, "title": "a", "titles": ("here", "there"), "ax": None},
         {"ranks": FRAME | {"of texts": RANKS.astype(str)},
          "titles": {"None": None, "a number": 3, "a text": "ab", "three": ("a", "b", "c"),
                     "of numbers": (1, 2)}}),
    draw(figures.weight_curves,
         {"validation": VALIDATION, **COMPARED, "networks": ["arm"], "chosen": {("arm", 0): 0.1},
          "margin": -0.01, "ax": None},
         {"validation": FRAME, "networks": {"another": ["none"], "a number": 3, "none": []},
          "chosen": RECORDS, "margin": {w: v for w, v in NO_REAL.items() if w != "None"}}),
    draw(figures.weight_panels,
         {"validation": VALIDATION, "metrics": {"dice": "Dice"}, "margins": {"dice": -0.01},
          "chosen": {("arm", 0): 0.1}},
         {"validation": FRAME, "metrics": NOTHING, "margins": RECORDS, "chosen": RECORDS}),
    draw(figures.comparison_summary,
         {"table": TABLE, "pairs": SCORES, "validation": VALIDATION, **COMPARED, "network": "arm",
          "seeds": SEEDS, "chosen": {("arm", 0): 0.1}, "image": "a"},
         {"table": FRAME, "pairs": FRAME, "validation": FRAME, "network": BAD_CHOICE,
          "seeds": RECORDS, "chosen": RECORDS, "image": {"another": "none", "a number": 3}}),
]  # fmt: skip
