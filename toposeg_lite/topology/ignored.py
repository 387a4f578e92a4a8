"""Pixels that nobody labelled: what they count as, so that no feature is made of them alone.

An ignored pixel says nothing, neither for a prediction nor against it. It cannot be left out of an
image, though, for topology needs a value everywhere. So the ignored pixels of an image fall into
*pieces*, connected along the axes, and **each piece takes the lowest value among the pixels with a
label that touch it along an axis**. In a mask it is background, unless foreground is all around::

      # # # # . .            # # # # . .          ?  ignored
      # ? ? # . .    ->      # # # # . .          #  foreground
      # # # # ? #            # # # # . #

Truth and prediction are filled by this one rule, each from its own pixels. It follows that

* nothing depends on what truth or prediction say at ignored pixels, and what a filled value does
  is done by the pixel that it was taken from, to which its gradient goes;
* no feature lies in ignored pixels alone. Take any threshold: a piece in the foreground is part of
  the component of all pixels with a label around it, for these are no lower; one in the background
  is part of that of its lowest neighbour. So every component, and every component of the background
  (in 2D a hole, in 3D a cavity), has a pixel with a label, with any connectivity. A tunnel of a
  volume has no place of its own: one that leads through ignored voxels is in both or in neither,
  where both agree on the voxels with a label;
* a structure that passes through an ignored region is cut there in both, so a break inside it is no
  error, and neither is a small shift of where it comes out.

Other rules fail one of these. Values of the prediction, taken for both, let a network choose how
many features there are; the nearest label lets things grow together that a pixel's shift parts
again; and background everywhere makes a hole of every speck in the foreground.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["fill_batch", "fill_ignored", "to_labelled"]


def fill_ignored(image: np.ndarray, ignored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give ignored pixels the values that they count as (see the module's docstring).

    Where every pixel is ignored, there is nothing to take: all values are 0.

    Parameters
    ----------
    image : array
        A mask or a likelihood, of any number of axes.
    ignored : array of bool
        In its shape.

    Returns
    -------
    filled : array
        Of the image's type.
    sources : array of int64
        The flat index of the pixel that each value was taken from, the lowest of several; a pixel
        with a label is its own.

    Examples
    --------
    >>> row = np.array([0.9, 0.1, 0.7, 0.3])
    >>> fill_ignored(row, np.array([False, True, False, True]))
    (array([0.9, 0.7, 0.7, 0.7]), array([0, 2, 2, 2]))
    """
    sources = np.arange(image.size).reshape(image.shape)
    if ignored.all():
        return np.zeros_like(image), sources
    pieces, count = ndimage.label(ignored)
    inside, beside = [], []  # the piece, and the pixel with a label, on either side of its rim
    for axis in range(image.ndim):
        names, pixels = pieces.swapaxes(0, axis), sources.swapaxes(0, axis)
        for here, there in ((slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
            rim = (names[here] > 0) & (names[there] == 0)
            inside.append(names[here][rim])
            beside.append(pixels[there][rim])
    piece, pixel = np.concatenate(inside), np.concatenate(beside)
    order = np.lexsort((pixel, image.ravel()[pixel], piece))
    _, first = np.unique(piece[order], return_index=True)
    lowest = np.zeros(count + 1, np.int64)
    lowest[1:] = pixel[order][first]
    sources = np.where(pieces > 0, lowest[pieces], sources)
    return image.ravel()[sources], sources


def fill_batch(images: np.ndarray, ignored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill (B, K, *spatial) images, each for itself, where (B, *spatial) pixels are ignored."""
    filled, sources = np.empty_like(images), np.empty(images.shape, np.int64)
    for b, k in np.ndindex(images.shape[:2]):
        filled[b, k], sources[b, k] = fill_ignored(images[b, k], ignored[b])
    return filled, sources


def to_labelled(
    wrong: np.ndarray, truth: np.ndarray, of_prediction: np.ndarray, of_truth: np.ndarray
) -> np.ndarray:
    """Move pixels where two filled masks differ to pixels with a label where they do.

    Where the truth is foreground the prediction is not, and so it is not at the pixel that this
    value was taken from, which touches the truth's foreground; and the other way round.

    Parameters
    ----------
    wrong : array of bool
        Some of the pixels at which the filled masks differ.
    truth : array of bool
        The filled mask of the truth.
    of_prediction, of_truth : array of int64
        The sources of both masks, from `fill_ignored`.

    Returns
    -------
    array of bool
        True at labelled pixels alone.

    Examples
    --------
    The ignored middle is background in the prediction, for its right neighbour is.

    >>> ignored = np.array([False, True, False])
    >>> truth, of_truth = fill_ignored(np.array([True, False, True]), ignored)
    >>> prediction, of_prediction = fill_ignored(np.array([True, True, False]), ignored)
    >>> middle = np.array([False, True, False])
    >>> to_labelled(middle, truth, of_prediction, of_truth)
    array([False, False,  True])
    """
    moved = np.zeros_like(wrong)
    moved.ravel()[np.where(truth, of_prediction, of_truth)[wrong]] = True
    return moved
