"""Answers to the exercises of chapter 13: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import gudhi
import numpy as np

from toposeg_lite.topology import persistence_pairs

SHELL = np.ones((3, 3, 3), bool)
SHELL[1, 1, 1] = False

BUCKET = np.zeros((3, 3, 5), bool)
BUCKET[:, :, :3] = SHELL
BUCKET[1, :, 3:] = [[1, 1], [0, 1], [1, 1]]

APART = np.zeros((3, 3, 5), bool)
APART[:, :, :3] = SHELL
APART[:, :, 4] = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]

FLAT = np.zeros((3, 3, 4), bool)
FLAT[:, :, :3] = SHELL
FLAT[:, :, 3] = APART[:, :, 4]

LEAKING = BUCKET.copy()
LEAKING[0, 1, 1] = False

BY_AN_EDGE = BUCKET.copy()
BY_AN_EDGE[0, 0, 1] = False  # 26 neighbours pass over edges, and so does the background of 6

ROOFED = BUCKET.copy()
ROOFED[0, 1, 3] = True  # meets the handle along edges only, and closes the tunnel for 26 neighbours


def duality(image, border="closed", keep=False, swap=True, turn=True):
    other = persistence_pairs(1 - image, connectivity=1, border=border)
    rows = zip(other.dimension, other.birth, other.death, other.birth_index, strict=True)
    return [
        (2 - k if turn else k, *((1 - d, 1 - b) if swap else (1 - b, 1 - d)))
        for k, b, d, index in rows
        if keep or k > 0 or index >= 0
    ]


def rows_of(pairs):
    return list(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))


def by_gudhi(image):
    """Ask GUDHI, whose top-dimensional cells have 26 neighbours; the essential death becomes 0."""
    cubes = gudhi.CubicalComplex(top_dimensional_cells=-image)
    pairs = cubes.persistence(min_persistence=0)
    return [(k, -birth, max(-death, 0.0)) for k, (birth, death) in pairs if birth != death]


RIGHT = {"13.1": [(2, 1, 0), (1, 0, 1)], "13.2": BUCKET.tolist(), "13.3": duality}
WRONG = {
    "13.1": [
        ([(1, 0, 1), (2, 1, 0)], "The other way round"),
        ([(2, 2, 1), (1, -1, 0)], "foreground and background the same neighbours"),
        ([(2, 1, 0), (1, 0, 2)], "The outside is no cavity"),
        ([(2, 1, 1), (1, 0, 1)], "does the inside have a way out"),
        ([(2, 2, 0), (1, 0, 1)], "windows - 1"),
        ([(1, 1, 0), (1, 0, 1)], "With 6 neighbours the number of components"),
        ([(2, 1, 0), (1, 1, 1)], "With 26 neighbours the number of tunnels"),
        ([(2, 1, 0), (1, 0, 0)], "With 26 neighbours the number of cavities"),
        ((2, 1, 0), "Give two rows of three numbers"),
        ([(2, 1), (1, 0)], "Give two rows of three numbers"),
        ([(2.5, 1, 0), (1, 0, 1)], "With 6 neighbours the number of components"),
    ],
    "13.2": [
        (APART, "join them without a further loop"),
        (FLAT, "like a cup"),
        (SHELL, "like a cup"),
        (LEAKING, "no cavity"),
        (BY_AN_EDGE, "share a face"),
        (
            ROOFED,
            (
                "(1, 1, 1) with 6 neighbours and (1, 0, 1) with 26. Somewhere two voxels touch "
                "along an edge or a corner only: let them share a face"
            ),
        ),
        (np.concatenate([SHELL, SHELL[1:]]), "Start from the shell"),
        (np.ones((6, 3, 3), bool), "At most 5 voxels a side"),
        (np.ones((3, 3), bool), "Give a mask with three axes"),
        (lambda: BUCKET, "not a function"),
        (np.pad(BUCKET[:, :, :3], ((0, 0), (0, 0), (2, 0)))[..., ::2], "no cavity"),
    ],
    "13.3": [
        (lambda i: rows_of(persistence_pairs(i, connectivity=1)), "with 6 neighbours"),
        (lambda i: duality(i, keep=True), "the outside is no cavity"),
        (lambda i: duality(i, swap=False), "must change places"),
        (lambda i: duality(i, turn=False), "dimensions are those of the background"),
        (lambda i: duality(i, border="open"), "You left the outside out"),
        (lambda i: duality(i, border="open", keep=True), "You left the outside out"),
        (lambda i: duality(i)[1:], "pairs are among the"),
        (lambda i: rows_of(persistence_pairs(i)), "`persistence_pairs` was asked"),
        (
            lambda i: rows_of(persistence_pairs(i, connectivity=3)),
            "`persistence_pairs` was asked",
        ),
        (by_gudhi, "`gudhi` was asked for them"),
        (lambda i: 1 / 0, "raised ZeroDivisionError"),
        (lambda i: [1, 2], "Give a list of tuples"),
    ],
}
