"""Folders of masks for reports: a few truths and what two methods made of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

TRUTHS = {
    "line": ["........", ".######.", "........"],
    "ring": [".###....", ".#.#....", ".###...."],
    "dots": ["#.......", "........", ".......#"],
}
MINE = {
    "line": ["........", ".##.###.", "........"],  # a break
    "ring": [".###....", ".#.#....", ".###...."],
    "dots": ["#.......", "....#...", ".......#"],  # a spurious component
}
OTHERS = {
    "line": ["........", ".######.", "........"],
    "ring": [".###....", ".###....", ".###...."],  # a missing hole
    "dots": ["########", "........", ".......#"],
}


def array_of(rows):
    return np.array([[letter == "#" for letter in row] for row in rows])


def write_png(path, mask):
    Image.fromarray((np.asarray(mask) * 255).astype(np.uint8)).save(path)


def write_masks(place, drawings):
    place = Path(place)
    place.mkdir(parents=True, exist_ok=True)
    for name, rows in drawings.items():
        write_png(place / f"{name}.png", array_of(rows))
    return place


#: Folders that tables of bad arguments begin with.
PLACE = Path(tempfile.mkdtemp(prefix="masks-"))
write_masks(PLACE / "mine", MINE)
write_masks(PLACE / "others", OTHERS)
write_masks(PLACE / "truth", TRUTHS)
