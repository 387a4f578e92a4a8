"""What the colours of a mask mean: palettes, painted colours and masks drawn in the transparency.

A mask is labels, and a picture shows colours. Where what the picture shows leaves one meaning, that
one is taken and noted; where it leaves two, the file is refused.
"""

from __future__ import annotations

import numpy as np

from .files import UnreadableFile

__all__ = ["labels_of_colours", "labels_of_palette", "without_transparency"]


def labels_of_palette(
    indices: np.ndarray, palette: np.ndarray, ignore: int | None
) -> tuple[np.ndarray, str]:
    """Return the labels that a palette picture shows, and a note of what decided.

    - The colours in use are grey: their grey values are the labels, so that black is 0 whatever
      its index. If more than two are in use, or `ignore` is one of the values, indices and grey
      values must agree.
    - Index 0 is black, no other index in use is, and some colour in use is not grey (the palettes
      of Pascal VOC and of drawing tools): the indices are the labels.
    - Anything else is refused.

    Parameters
    ----------
    indices : array of unsigned integers
        The picture.
    palette : (n, 3) array of uint8
        Red, green and blue of each index.
    ignore : int, optional
        The label of pixels that have none.
    """
    used = np.unique(indices)
    if used[-1] >= len(palette):
        raise UnreadableFile(
            f"is damaged: it uses index {used[-1]} of a palette of {len(palette)} colours"
        )
    colours = palette[used]
    grey = colours[:, 0]
    shown = ", ".join(
        f"{index}: ({red}, {green}, {blue})"
        for index, (red, green, blue) in zip(used[:4].tolist(), colours[:4].tolist(), strict=True)
    )
    shown += ", ..." * (len(used) > 4)
    remedy = "save the mask as a grey picture, 0 for the background"
    if (colours == colours[:, :1]).all():
        same = np.array_equal(grey, used)
        doubtful = len(used) > 2 or (ignore is not None and ignore in {*used, *grey})
        if doubtful and not same:
            raise UnreadableFile(
                f"has a palette whose indices and grey values disagree ({shown}): which of them "
                f"are the labels is not certain; {remedy}"
            )
        return palette[indices, 0], f"palette of greys: the grey values are the labels ({shown})"
    black = (palette == 0).all(axis=1)
    if black[0] and not black[used[used > 0]].any():
        return indices, f"palette of labels: the indices are the labels ({shown})"
    raise UnreadableFile(
        f"has a palette that does not tell the background ({shown}): index 0 should be black, and "
        f"no other label, or all colours grey; {remedy}"
    )


def labels_of_colours(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the labels that a picture in red, green and blue shows, and a note of what decided.

    Grey saved as colour gives its grey values. Black and one other colour give 0 and the largest
    of that colour's three values. Anything else is refused.
    """
    if (pixels == pixels[..., :1]).all():
        return pixels[..., 0], "grey saved as colour: the grey values are the labels"
    largest = pixels.max(axis=-1)
    painted = pixels[largest > 0]
    if (painted == painted[0]).all():
        colour = tuple(painted[0].tolist())
        return largest, f"black and one colour: black is 0, {colour} is {largest.max()}"
    raise UnreadableFile(
        "is a picture of several colours, and which of them are structure is not certain (jpg "
        "changes values, too); save the mask as a grey png, 0 for the background"
    )


def without_transparency(
    colours: np.ndarray, alpha: np.ndarray, indices: bool
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Return the colours of a picture, or the mask that lies in its transparency, and a note.

    The transparency is dropped where it is the same everywhere, and from photographs. Where what
    can be seen has one colour only, the transparency is the mask. A mask in which both vary is
    refused, and so is a photograph of which nothing but the transparency varies.

    Parameters
    ----------
    colours : (..., channels) array
        Grey, or red, green and blue.
    alpha : (...) array
        The transparency; 0 is invisible.
    indices : bool
        Whether the picture is a mask.

    Returns
    -------
    colours : array
        Unchanged.
    mask : array or None
        The transparency, if that is the mask.
    note : str
        What was decided.
    """
    if (alpha == alpha.flat[0]).all():
        if indices and alpha.flat[0] == 0:
            raise UnreadableFile(
                "is transparent everywhere; save the mask as a grey picture without transparency"
            )
        return colours, None, "transparency dropped; it is the same everywhere"
    flat = (colours == colours.reshape(-1, colours.shape[-1])[0]).all()
    if not indices:
        if flat:
            raise UnreadableFile(
                "shows one colour, and only its transparency varies; save the image without "
                "transparency"
            )
        return colours, None, "transparency dropped"
    seen = colours[alpha > 0]
    if flat or (seen == seen[0]).all():
        return colours, alpha, "one colour: the transparency is the mask, and invisible is 0"
    raise UnreadableFile(
        "has both colours and transparency, and which of them is the mask is not certain; save it "
        "as a grey picture without transparency, 0 for the background"
    )
