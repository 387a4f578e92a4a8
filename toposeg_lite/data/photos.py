"""Two real photographs that the scikit-image wheel ships, with silver reference masks.

They need no network and no download. The masks are this project's own: ridge filters followed by
corrections by hand (``data/assets/README.md`` tells how, and what is doubtful). They are **silver**
references, good enough to learn and to compare losses on; no expert has approved them. There are
two of each photograph: "silver", which all numbers of this project are about, and "annotated",
which goes on from it by decisions about single branches, kept in a journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

import numpy as np
import skimage.data
from PIL import Image

from ..checks import check_choice

__all__ = ["BRICK_REGIONS", "RETINA_REGIONS", "Photo", "Regions", "brick", "retina"]

Regions = dict[str, tuple[tuple[slice, slice], ...]]
"""Rectangles (rows, columns) of a photograph, by split."""


def _band(rows: slice, first: int, last: int, pieces: int) -> tuple[tuple[slice, slice], ...]:
    """Cut the columns `first` to `last` of a band of rows into equal pieces."""
    edges = np.linspace(first, last, pieces + 1).astype(int).tolist()
    return tuple((rows, slice(a, b)) for a, b in pairwise(edges))


# One photograph has to give three splits. Neighbouring pixels are as good as copies of each other,
# so the splits are bands with a gap of unused rows (or columns) between them, wider than the
# neighbourhood that a small network sees well. The corners outside the round field are cut off.
#
#        retina                    brick
#   +----------------+      +--------+---+-----+
#   |     train      |      |        |   |     |
#   |  0 to 623      |      | train  |val|test |
#   +----------------+      |        |   |     |
#   | val 655 to 939 |      | 0 to   |248| 368 |
#   +----------------+      |   232  |to | to  |
#   | test 971 to    |      |        |352| 512 |
#   |           1411 |      |        |   |     |
#   +----------------+      +--------+---+-----+
#
RETINA_REGIONS: Regions = {
    "train": _band(slice(0, 623), 0, 1411, 1),
    "validation": _band(slice(655, 939), 16, 1396, 2),
    "test": _band(slice(971, 1411), 64, 1348, 3),
}
BRICK_REGIONS: Regions = {
    "train": ((slice(0, 512), slice(0, 232)),),
    "validation": ((slice(0, 512), slice(248, 352)),),
    "test": ((slice(0, 512), slice(368, 512)),),
}


@dataclass(frozen=True)
class Photo:
    """A photograph and its silver reference mask.

    Attributes
    ----------
    image : (channels, H, W) array of float32
        Colours in [0, 1].
    mask : (H, W) array of bool
        The reference: True on the structure.
    """

    image: np.ndarray
    mask: np.ndarray


MASKS = {"silver": "", "annotated": "_annotated"}


def _mask(name: str, masks: str) -> np.ndarray:
    """Read a reference mask of a photograph."""
    check_choice(masks, tuple(MASKS), "masks")
    path = files("toposeg_lite.data").joinpath("assets", f"{name}{MASKS[masks]}.png")
    with path.open("rb") as file:
        # Pillow's own booleans have the bytes 0 and 255, which crash some compiled code.
        return np.array(Image.open(file), dtype=np.uint8) != 0


def retina(masks: str = "silver") -> Photo:
    """Return a fundus photograph of a healthy left eye with a silver mask of its vessels.

    The photograph is Mikael Häggström's, CC0 1.0 [1]_, as shipped by scikit-image.

    Parameters
    ----------
    masks : {"silver", "annotated"}
        The mask by filters and corrections (default), or the one that goes on from it by decisions
        about branches: 17 of the filter's and 12 lines by hand more.

    Returns
    -------
    Photo
        `image` of shape (3, 1411, 1411), red, green and blue; `mask` of shape (1411, 1411), True
        on arteries and veins. Outside the round field the image is black and the mask False.

    References
    ----------
    .. [1] M. Häggström, "Medical gallery of Mikael Häggström 2014", WikiJournal of Medicine 1
           (2014). doi:10.15347/wjm/2014.008

    Examples
    --------
    >>> photo = retina()
    >>> photo.image.shape, photo.image.dtype, photo.mask.shape
    ((3, 1411, 1411), dtype('float32'), (1411, 1411))
    """
    rgb = skimage.data.retina()
    image = np.ascontiguousarray(np.moveaxis(rgb, -1, 0), dtype=np.float32) / np.float32(255)
    return Photo(image, _mask("retina", masks))


def brick(masks: str = "silver") -> Photo:
    """Return a photograph of a brick wall with a silver mask of its mortar.

    The photograph is CC0Textures' "Bricks25", CC0 1.0, in the perspective view that scikit-image
    ships.

    Parameters
    ----------
    masks : {"silver", "annotated"}
        The mask by filters and corrections (default), or the one that goes on from it by decisions
        about joints: two pixels more, which enclose one more brick.

    Returns
    -------
    Photo
        `image` of shape (1, 512, 512); `mask` of shape (512, 512), True on the mortar: one
        connected net of lines around the bricks.

    Examples
    --------
    >>> photo = brick()
    >>> photo.image.shape, photo.image.dtype, photo.mask.shape
    ((1, 512, 512), dtype('float32'), (512, 512))
    """
    image = skimage.data.brick()[None].astype(np.float32) / np.float32(255)
    return Photo(image, _mask("brick", masks))
