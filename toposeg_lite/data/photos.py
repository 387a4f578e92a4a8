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
from typing import Any

import numpy as np
import skimage.data
from PIL import Image
from scipy.special import expit
from skimage.filters import gaussian

from ..checks import check_choice, check_reals

__all__ = ["BRICK_REGIONS", "RETINA_REGIONS", "Photo", "Regions", "brick", "retina", "vesselness"]

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


def vesselness(image: Any) -> np.ndarray:
    """Return how much each pixel of a fundus photograph looks like vessel: no network, a formula.

    In the green channel g vessels are darker than what is around them. With g smoothed over 3 and
    over 24 pixels (inside the round field alone), and the standard deviation s of their difference
    in the field, it is

        expit(1.5 * (g_24 - g_3) / s - 2)

    in the field, and 0 outside of it. The chapters take it where a network would only distract.

    Parameters
    ----------
    image : (3, H, W) array of float
        Colours in [0, 1], red, green and blue; about as many pixels to a vessel as in `retina`.

    Returns
    -------
    (H, W) array of float64
        In [0, 1].

    Examples
    --------
    A dark line on a bright ground:

    >>> image = np.full((3, 60, 80), 0.6)
    >>> image[:, 30, :] = 0.2
    >>> likelihood = vesselness(image)
    >>> likelihood.shape, bool(likelihood[30].min() > 0.9), bool(likelihood[10].max() < 0.2)
    ((60, 80), True, True)
    """
    colours = check_reals(image, "image")
    if colours.ndim != 3 or colours.shape[0] != 3 or colours.size == 0:
        raise ValueError(f"image must have the shape (3, H, W); got {colours.shape}")
    if not (colours.min() >= 0 and colours.max() <= 1):  # NaN is no colour, either
        raise ValueError("image must hold colours in [0, 1]")
    green = colours[1].astype(np.float64)
    field = (gaussian(green, 20) > 0.22).astype(np.float64)
    around = gaussian(green * field, 24) / np.maximum(gaussian(field, 24), 1e-6)
    contrast = (around - gaussian(green, 3)) * field
    spread = contrast[field > 0].std() if field.any() else 0.0
    return field * expit(1.5 * contrast / (spread or 1.0) - 2)
