"""The checkers of chapter 13."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import label

from ...topology.components import betti_numbers
from ...topology.grid import check_mask
from ...topology.persistence import persistence_pairs
from .checking import (
    NotYetError,
    Rows,
    call,
    diagram_of,
    dots_of,
    exercise,
    first_difference,
    refuse,
    rows_of,
)
from .running import Shortcuts

__all__ = ["PENCIL_VOLUME"]

PENCIL_VOLUME = np.zeros((3, 4, 4), bool)
"""The mask of exercise 13.1: a shell without two of its edge voxels, and a voxel beside it that it
meets along an edge only. 6 and 26 neighbours disagree about all of it."""

PENCIL_VOLUME[:, :3, :3] = True
PENCIL_VOLUME[[1, 0, 2, 1], [1, 0, 2, 3], [1, 1, 1, 3]] = False, False, False, True

Betti = tuple[int, int, int]


def _same_connectivity(connectivity: int) -> Betti:
    """Return what comes out if the background has the neighbours of the foreground, too."""
    components, tunnels, cavities = betti_numbers(PENCIL_VOLUME, connectivity=connectivity)
    euler = components - tunnels + cavities
    outside = np.pad(~PENCIL_VOLUME, 1, constant_values=True)
    cavities = int(label(outside, connectivity=connectivity).max()) - 1
    return components, components + cavities - euler, cavities


@exercise("13.1")
def _betti_by_hand(answer: Any) -> str:
    """Check the Betti numbers of `PENCIL_VOLUME` with 6 and with 26 neighbours."""
    form = "two rows of three numbers: (b0, b1, b2) with 6 neighbours, and with 26"
    rows_of(answer, 3, form)  # only to refuse what has another form: the order of the two matters
    rows = [tuple(map(float, row)) for row in answer]
    if len(rows) != 2:
        raise NotYetError(f"Give {form}.")
    six, many = rows
    right = [betti_numbers(PENCIL_VOLUME, connectivity=k) for k in (1, 3)]
    refuse([six, many], right[::-1], "The other way round: 6 neighbours first, then 26.")
    refuse(
        [six, many],
        [_same_connectivity(1), _same_connectivity(3)],
        "You gave foreground and background the same neighbours. The background has the other "
        "kind: where the foreground has 6, it passes over edges and corners, and where the "
        "foreground has 26, it passes through faces only.",
    )
    for name, given, wanted in (("6", six, right[0]), ("26", many, right[1])):
        if given[2] == wanted[2] + 1:
            raise NotYetError(
                f"With {name} neighbours you have one cavity too many. The outside is no cavity; "
                "and does the inside have a way out?"
            )
        if given[1] == wanted[1] + 1 and wanted[1]:
            raise NotYetError(
                f"With {name} neighbours you have one tunnel too many. One window only makes a "
                "cup, and the second one makes the first tunnel: windows - 1."
            )
        for k, what in enumerate(("components", "tunnels", "cavities")):
            if given[k] != wanted[k]:
                raise NotYetError(
                    f"With {name} neighbours the number of {what} is not yet right. Which steps "
                    "may the foreground take, and which ones the background that is left?"
                )
    return "Two voxels less, and 6 and 26 neighbours differ in all three numbers."


@exercise("13.2")
def _build(answer: Any) -> str:
    """Check a mask of at most 5x5x5 voxels with the Betti numbers (1, 1, 1) either way."""
    if callable(answer):
        raise NotYetError("Give the mask itself, not a function.")
    try:
        mask = check_mask(answer, "your mask", ndim=3)
    except (TypeError, ValueError) as error:
        raise NotYetError(f"Give a mask with three axes: {error}.") from None
    if max(mask.shape) > 5:
        raise NotYetError(f"At most 5 voxels a side; yours has the shape {mask.shape}.")
    six, many = (betti_numbers(mask, connectivity=k) for k in (1, 3))
    if six == many == (1, 1, 1):
        return f"A shell with a handle, of {int(mask.sum())} voxels: one of each kind."
    shape = f"Yours has {six} with 6 neighbours and {many} with 26."
    if six != many:
        raise NotYetError(
            f"{shape} Somewhere two voxels touch along an edge or a corner only: let them share a "
            "face, or keep them further apart."
        )
    if six == (1, 0, 1):
        raise NotYetError(
            f"{shape} The cavity is there. A ring that lies flat on a wall is closed by that wall "
            "like a cup; let it stand like the handle of a bucket."
        )
    if six == (2, 1, 1):
        raise NotYetError(f"{shape} The parts are right; now join them without a further loop.")
    if six[2] == 0:
        raise NotYetError(
            f"{shape} There is no cavity: the smallest one is a single voxel with walls on all six "
            "sides, and with 6 neighbours its walls must be closed at edges and corners, too."
        )
    raise NotYetError(f"{shape} Start from the shell of 26 voxels, (1, 0, 1), and add a handle.")


@exercise("13.3")
def _duality(answer: Any) -> str:
    """Check a function image -> [(dimension, birth, death)] for 26 neighbours by way of 6."""
    noise = np.random.default_rng(13).random((2, 5, 6, 7))
    smooth = gaussian_filter(noise[0], 0.7)
    images = [np.round(noise[1], 2), np.round((smooth - smooth.min()) / np.ptp(smooth), 3)]
    form = "a list of tuples (dimension, birth, death)"
    right = [dots_of(persistence_pairs(image)) for image in images]
    six = [dots_of(persistence_pairs(image, connectivity=1)) for image in images]
    asked = (persistence_pairs, lambda given: given["connectivity"] != 1)
    shortcuts = Shortcuts({"persistence_pairs": asked}, ("gudhi",))
    given = [call(answer, image.copy(), shortcuts=shortcuts) for image in images]
    answers = [diagram_of(each, 3, form) for each in given]

    def flipped(image: np.ndarray, border: Any, *, keep: bool, swap: bool, turn: bool) -> Rows:
        pairs = persistence_pairs(1 - image, connectivity=1, border=border)
        rows = []
        for k, b, d, index in zip(
            pairs.dimension.tolist(), pairs.birth, pairs.death, pairs.birth_index, strict=True
        ):
            if keep or k != 0 or index >= 0:
                ends = (1 - d, 1 - b) if swap else (1 - b, 1 - d)
                rows.append((2.0 - k if turn else float(k), *ends))
        return rows_of(rows, 3, form)

    good = {"keep": False, "swap": True, "turn": True}
    refuse(answers, six, "These are the pairs with 6 neighbours, of the foreground itself.")
    outside = (
        "Nearly: one pair is too many. The frame itself is a component of the background that "
        "never dies: it is the outside, and the outside is no cavity."
    )
    ends = (
        "Births and deaths must change places: what the background loses when the threshold "
        "rises, the foreground gains when it falls."
    )
    dimensions = (
        "The dimensions are those of the background: its components are the foreground's "
        "cavities. Tunnels stay tunnels."
    )
    hints = (({"keep": True}, outside), ({"swap": False}, ends), ({"turn": False}, dimensions))
    for change, hint in hints:
        refuse(answers, [flipped(i, "closed", **(good | change)) for i in images], hint)
    for options in ({}, {"keep": True}):
        refuse(
            answers,
            [flipped(image, "open", **(good | options)) for image in images],
            "You left the outside out. It is background, so for the negated image it is a frame of "
            'foreground that comes first: border="closed".',
        )
    if answers != right:
        k = first_difference(answers, right)
        same = len(set(answers[k]) & set(right[k]))
        raise NotYetError(
            f"For a test volume of shape {images[k].shape}, {same} of your {len(answers[k])} pairs "
            f"are among the {len(right[k])} right ones. Negate the image, let a frame surround it, "
            "and translate dimension, birth and death of every pair back."
        )
    if shortcuts.used:
        raise NotYetError(
            f"The pairs are right, but `{shortcuts.used}` was asked for them with 26 neighbours. "
            "Here it is to be called with `connectivity=1` only: of which image?"
        )
    return "26 neighbours are 6 neighbours seen from the other side."
