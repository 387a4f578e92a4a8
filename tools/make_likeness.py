"""Print the numbers of `toposeg_lite.workbook.explorers.likeness`, from the training images.

Run ``python tools/make_likeness.py``; it needs the images of CHASE_DB1 (see the loader's terms).
Pieces of which half or more lie outside the round field of view do not count.
"""

from __future__ import annotations

import numpy as np

from toposeg_lite.data import load_dataset
from toposeg_lite.workbook.explorers.likeness import numbers_of

SIDE, STEP = 256, 128


def main() -> None:
    """Cut the training images into pieces and describe their numbers."""
    found = []
    for sample in load_dataset("chase_db1").train:
        _, height, width = sample.image.shape
        for row in range(0, height - SIDE + 1, STEP):
            for column in range(0, width - SIDE + 1, STEP):
                piece = sample.image[:, row : row + SIDE, column : column + SIDE]
                if (piece.max(axis=0) > 0.08).mean() > 0.5:
                    found.append(numbers_of(piece))
    numbers = np.array(found)
    mean = numbers.mean(axis=0).round(5)
    inverse = np.linalg.inv(np.cov(numbers.T)).round(4)
    away = numbers - mean
    distance = np.sqrt(np.einsum("ij,jk,ik->i", away, inverse, away))
    print(f"{len(numbers)} pieces")
    print("MEAN =", mean.tolist())
    print("INVERSE =", inverse.tolist())
    print("FARTHEST =", round(float(distance.max()), 3))


if __name__ == "__main__":
    main()
