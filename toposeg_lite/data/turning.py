"""Turn stored pixels upright, as EXIF and TIFF say how the camera was held."""

from __future__ import annotations

import numpy as np

__all__ = ["INVERSE", "TURNS", "turn"]

TURNS = {
    1: "as stored",
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored on the main diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored on the other diagonal",
    8: "turned by 90 degrees counter-clockwise",
}
"""What each orientation asks to be done; 5 to 8 exchange height and width."""

INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The orientation that undoes another."""


def turn(array: np.ndarray, orientation: int, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Return an array with its rows and columns turned as an orientation asks.

    Parameters
    ----------
    array : array
        At least two axes.
    orientation : int
        1 to 8; see `TURNS`.
    axes : (int, int)
        Where the rows and the columns are.

    Returns
    -------
    array
        A view.

    Examples
    --------
    >>> turn(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    rows, columns = axes
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, rows, columns)
    if orientation in (2, 3, 6, 7):
        array = np.flip(array, columns)
    if orientation in (3, 4, 7, 8):
        array = np.flip(array, rows)
    return array
