"""A good call of each door of `topology`, from which the table of bad arguments is made."""

from __future__ import annotations

import numpy as np
import torch
from bad_values import (
    BAD_CHOICE,
    BAD_FLAG,
    BAD_FRACTION,
    BAD_INDEX,
    BAD_LIKELIHOOD,
    BAD_MASK,
    BAD_NUMBER,
    CUBE,
    IMAGE,
    MASK,
    NO_REAL,
    Kind,
)
from doors import call

from toposeg_lite import topology
from toposeg_lite.topology import MorseComplex, PersistencePairs
from toposeg_lite.topology.branches import BranchSet, find_branches

COMPLEX = topology.morse_complex(IMAGE)
PAIRS = topology.persistence_pairs(IMAGE)
ROW = np.array([[0.2, 0.9, 0.1, 0.6]])
BRANCHES = find_branches(ROW)
ANOTHER_SHAPE: Kind = {"another shape": ROW.T > 0.5}
#: No array with one entry for each of the branches.
NO_ENTRIES: Kind = {
    "None": None,
    "a number": 1,
    "a text": "all",
    "too few": np.ones(0, int),
    "no row": [[1]],
    "too many": np.ones(99, int),
    "objects": np.array([None] * len(BRANCHES)),
    "ragged": [[1], 1],
    "complex": np.ones(len(BRANCHES)) * 1j,
    "a tensor": torch.ones(len(BRANCHES)),
}
BAD_DECISIONS: Kind = NO_ENTRIES | {
    "halves": np.full(len(BRANCHES), 0.5),
    "flags": np.ones(len(BRANCHES), bool),
    "2": np.full(len(BRANCHES), 2),
    "-2": np.full(len(BRANCHES), -2),
}
BAD_CHOSEN: Kind = NO_ENTRIES | {"numbers": np.ones(len(BRANCHES), int)}
BAD_VALUES: Kind = NO_ENTRIES | {"texts": np.array(["a"] * len(BRANCHES))}
OPTIONS = {"connectivity": 1, "border": "closed"}

CALLS = [
    call(topology.label_components, {"mask": MASK, "connectivity": 1}),
    call(topology.betti_numbers, {"mask": MASK, **OPTIONS}),
    call(topology.betti_numbers, {"mask": CUBE > 0.5, **OPTIONS}),
    call(topology.simple_points, {"mask": MASK, "connectivity": 2}),
    call(topology.simple_points, {"mask": CUBE > 0.5, "connectivity": 3}),
    *[
        call(function, {"mask": MASK, "target": ~MASK, "connectivity": 1, "spacing": (2, 1)})
        for function in (topology.homotopy_warp, topology.flip_order)
    ],
    *[
        call(
            topology.persistence_pairs,
            {"image": image, "dimensions": [0], "min_persistence": 0.1, "floor": 0.1, **OPTIONS},
            {"min_persistence": BAD_NUMBER, "floor": BAD_NUMBER},
        )
        for image in (IMAGE, CUBE, IMAGE.astype(np.float16), ROW, MASK)
    ],
    *[
        call(
            topology.match_pairs,
            {
                "prediction": IMAGE, "truth": MASK, "matching": matching, "dimensions": [1, 0],
                "min_persistence": 0.1, **OPTIONS,
            },
            {
                "prediction": BAD_LIKELIHOOD, "truth": BAD_LIKELIHOOD, "matching": BAD_CHOICE,
                "min_persistence": BAD_NUMBER,
            },
        )
        for matching in ("spatial", "betti", "wasserstein", "rank")
    ],
    call(topology.morse_complex, {"image": IMAGE, "connectivity": 2}),
    call(topology.morse_complex, {"image": CUBE, "connectivity": 1}),
    call(MorseComplex.branches, {"min_persistence": 0.1, "saddle_level": 0.2}, of=COMPLEX.branches),
    call(MorseComplex.skeleton, {"min_persistence": 0.1, "saddle_level": 0.2}, of=COMPLEX.skeleton),
    call(MorseComplex.patches, {"min_persistence": 0.1}, of=COMPLEX.patches),
    *[
        call(
            find_branches,
            {"likelihood": image, "min_persistence": 0.1, "saddle_level": 0.1, "split": 0.5,
             "connectivity": 1, "specks": True},
            {"split": BAD_FRACTION, "specks": BAD_FLAG},
        )
        for image in (ROW, IMAGE, CUBE)
    ],
    call(BranchSet.count_on, {"mask": ROW > 0.5}, {"mask": BAD_MASK | ANOTHER_SHAPE},
         of=BRANCHES.count_on),
    call(BranchSet.fraction_on, {"truth": ROW > 0.5}, {"truth": BAD_MASK | ANOTHER_SHAPE},
         of=BRANCHES.fraction_on),
    call(
        BranchSet.mask, {"decisions": np.ones(len(BRANCHES), np.int8), "radius": 1.5},
        {"decisions": BAD_DECISIONS}, of=BRANCHES.mask,
    ),
    call(BranchSet.draw, {"chosen": np.ones(len(BRANCHES), np.bool_)}, {"chosen": BAD_CHOSEN},
         of=BRANCHES.draw),
    call(
        BranchSet.paint, {"values": np.ones(len(BRANCHES)), "fill": 0.5},
        {"values": BAD_VALUES, "fill": NO_REAL}, of=BRANCHES.paint,
    ),
    call(
        PersistencePairs.of_dimension, {"dimension": 1}, {"dimension": BAD_INDEX},
        of=PAIRS.of_dimension,
    ),
]  # fmt: skip
