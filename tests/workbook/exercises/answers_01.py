"""Answers to the exercises of chapter 01: right ones, and wrong ones with a word of their hint."""

from __future__ import annotations

import numpy as np
from screens import betti, drawn
from skimage.measure import label

from toposeg_lite.workbook.exercises import PENCIL_SPACE

TRUTH = drawn("......... .#######. ......... .#######. .........")
CUT_AND_MERGED = drawn("......... .###.###. ..#...... .#######. .........")


def plates(*holes):
    """Return plates with one hole each, in a rim of background."""
    masks = np.pad(np.ones((len(holes), 7, 9), bool), ((0, 0), (1, 1), (1, 1)))
    for mask, hole in zip(masks, holes, strict=True):
        mask[hole] = False
    return list(masks)


def patches(measure, combine=np.mean, whole=False, connectivity=2):
    """Make an answer to 01.3: measure the differences of all patches, and combine them."""

    def answer(prediction, truth, patch):
        found = []
        for row in range(0, truth.shape[0], patch):
            for column in range(0, truth.shape[1], patch):
                window = np.s_[row : row + patch, column : column + patch]
                if not whole or truth[window].shape == (patch, patch):
                    ours, theirs = (betti(m[window], connectivity) for m in (prediction, truth))
                    found.append(measure(np.subtract(ours, theirs)))
        return combine(found)

    return answer


def total(difference):
    return np.abs(difference).sum()


def whole_image(prediction, truth, patch):
    return total(np.subtract(betti(prediction, 2), betti(truth, 2)))


def labelled(foreground, background, rim=1):
    """Count `PENCIL_SPACE` with any two connectivities."""
    outside = label(~np.pad(PENCIL_SPACE, rim), connectivity=background).max() - rim
    return int(label(PENCIL_SPACE, connectivity=foreground).max()), int(outside)


# The masks of the chapter, drawn as there: two vessels, and the scene of a ring and two bars.
VESSELS = drawn(
    ".......... .......... .####..... ....#####. .......... .#####.... .....####. .........."
)
NETWORK = VESSELS.copy()
NETWORK[3, 6], NETWORK[4, 4] = False, True
SCENE = drawn(
    "............... .####....###... .#..#....###... .#..#....###... .####.......... "
    "............... .#########..... ............... .#########..... ..............."
)
CUT_MERGED = SCENE.copy()
CUT_MERGED[6, 5], CUT_MERGED[7, 3] = False, True

BLOB = np.pad(np.ones((3, 3), bool), ((3, 3), (2, 10)))
NEAR, ELSEWHERE = np.roll(BLOB, 1, 1), np.roll(BLOB, 7, 1)
RIGHT = {
    "01.1": ((3, 3), (6, 1)),
    "01.2": plates((5, 7), (3, 3)),
    "01.3": patches(total),
}
WRONG = {
    "01.1": [
        ((labelled(2, 2), labelled(1, 1)), "same neighbours as the foreground"),
        ((labelled(2, 1, 0), labelled(1, 2, 0)), "cannot reach the outside"),
        (((6, 1), (3, 3)), "exchanged"),
        (((3, 3), (1, 6)), "Components come first"),
        (((3, 3), (3, 3)), "step over a corner is no step"),
        (((3, 2), (6, 1)), "3 of your four numbers are right"),
        (((3, 3), (6, 1), (0, 0)), "two pairs"),
        ((3, 3), "two pairs"),
        (7, "two pairs"),
    ],
    "01.2": [
        (plates((3, 3), (3, 3)), "equal"),
        ((TRUTH, CUT_AND_MERGED | TRUTH), "Betti numbers (2, 0), the truth (1, 0)"),
        ((NEAR, BLOB), "wrong by degree only"),
        ((ELSEWHERE, BLOB), "Dice is 0.000 and should be .9"),
        ((TRUTH, TRUTH[:3]), "same shape"),
        (([[1, 2]], [[0, 1]]), "only 0 and 1"),
        ((TRUTH,), "two masks"),
        ((CUT_MERGED, SCENE), "one of the chapter's"),
        ((NETWORK, VESSELS), "one of the chapter's"),
        (5, "two masks"),
    ],
    "01.3": [
        (whole_image, "whole image"),
        (patches(total, np.sum), "take their mean"),
        (patches(total, whole=True), "narrower patches"),
        (patches(np.array, lambda found: total(np.mean(found, axis=0))), "absolute value of the"),
        (patches(lambda d: abs(d[0] - d[1])), "Euler numbers"),
        (patches(total, connectivity=1), "4 neighbours"),
        (patches(total, np.max), "you found"),
        (lambda prediction, truth, patch: "0.5", "Return one number"),
        (lambda prediction, truth: 0.0, "raised TypeError"),
        (0.25, "function itself"),
    ],
}
