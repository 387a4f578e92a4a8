"""Read images, volumes and masks from the file kinds that people keep them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence
from scipy.io import loadmat

__all__ = ["KINDS", "channels_first", "read_array", "stem", "to_likelihood"]


def stem(path: Path) -> str:
    """Return the name of a file without its ending; ``.nii.gz`` is one ending.

    Examples
    --------
    >>> stem(Path("scans/mouse.3.nii.gz")), stem(Path("wall.png"))
    ('mouse.3', 'wall')
    """
    return path.name[: len(path.name) - len(ending(path))]


def ending(path: Path) -> str:
    """Return the ending of a file name in its own spelling; ``.nii.gz`` is one ending."""
    return path.name[-7:] if path.name.lower().endswith(".nii.gz") else path.suffix


def read_array(path: Path, *, variable: str | None = None, indices: bool = False) -> np.ndarray:
    """Return what a file holds, with the values and the type that it has there.

    Parameters
    ----------
    path : Path
        A file whose name ends in one of `KINDS`.

        - png, jpg, tif: (H, W), or (H, W, 3) for colour; transparency is dropped, a photograph is
          turned upright as its camera noted, and a tif of several pages is a volume, one page a
          slice.
        - npy: the array as it is.
        - mat (MATLAB 7 and older): the variable, as it is.
        - nii, nii.gz: the volume with its axes reversed, from NIfTI's (x, y, z) to (D, H, W), and
          NIfTI's own scale applied. Needs nibabel.
    variable : str, optional
        The variable of a mat file. None means the only one that is an array of numbers.
    indices : bool
        Return the indices of a palette image, as masks need them, not its colours.

    Returns
    -------
    array
        C-contiguous.

    Raises
    ------
    ModuleNotFoundError
        If nibabel is needed and missing; the message says how to install it.
    Exception
        Whatever the reader of that kind raises for a file that it cannot read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "a.npy"), np.eye(2))
    ...     read_array(Path(folder, "a.npy"))
    array([[1., 0.],
           [0., 1.]])
    """
    kind = ending(path).lower()
    if kind == ".npy":
        array = np.load(path)
    elif kind == ".mat":
        array = _read_matlab(path, variable)
    elif kind in (".nii", ".nii.gz"):
        array = _read_nifti(path)
    else:
        array = _read_picture(path, indices)
    return np.ascontiguousarray(array)


KINDS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".mat", ".nii", ".nii.gz")
"""The endings of file names that `read_array` knows, in small letters."""


def _read_picture(path: Path, indices: bool) -> np.ndarray:
    with Image.open(path) as file:
        # Only a tif is a stack; the second picture in a telephone's jpg is a preview.
        pages = ImageSequence.Iterator(file) if file.format == "TIFF" else [file]
        slices = [_pixels(page, indices) for page in pages]
    return slices[0] if len(slices) == 1 else np.stack(slices)


def _pixels(page: Image.Image, indices: bool) -> np.ndarray:
    """Return the pixels of one page: as they are, or in red, green and blue."""
    upright = ImageOps.exif_transpose(page)
    if upright.mode == "LA":
        upright = upright.convert("L")
    elif not (
        upright.mode in ("1", "L", "RGB", "I", "F")
        or upright.mode.startswith("I;16")
        or (upright.mode == "P" and indices)
    ):
        upright = upright.convert("RGB")
    return np.array(upright)


def _read_matlab(path: Path, variable: str | None) -> np.ndarray:
    arrays = {
        name: value
        for name, value in loadmat(path).items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size > 1
    }
    if variable is not None:
        if variable not in arrays:
            raise ValueError(f"no array {variable!r} in it; it has {sorted(arrays)}")
        return arrays[variable]
    if len(arrays) != 1:
        raise ValueError(f"must hold one array of numbers, or name one of {sorted(arrays)}")
    return next(iter(arrays.values()))


def _read_nifti(path: Path) -> np.ndarray:
    try:
        import nibabel
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path.name} is a NIfTI file, and nibabel, which reads them, is not installed. "
            f"Run: pip install 'toposeg-lite[nifti]'"
        ) from None
    volume = np.asanyarray(nibabel.Nifti1Image.from_filename(path).dataobj)
    while volume.ndim > 3 and volume.shape[-1] == 1:
        volume = volume[..., 0]
    return volume.T


def channels_first(array: np.ndarray, ndim: int) -> np.ndarray:
    """Move the colours of an image, if it has any, from the last axis to the first; else add one.

    Parameters
    ----------
    array : (*spatial) or (*spatial, channels) array
        The image.
    ndim : int
        How many spatial axes it has.

    Returns
    -------
    (channels, *spatial) array
        C-contiguous.

    Examples
    --------
    >>> channels_first(np.zeros((4, 5, 3)), 2).shape, channels_first(np.zeros((4, 5)), 2).shape
    ((3, 4, 5), (1, 4, 5))
    """
    return np.ascontiguousarray(np.moveaxis(array, -1, 0) if array.ndim > ndim else array[None])


def to_likelihood(array: np.ndarray) -> np.ndarray:
    """Bring the values of an image to [0, 1] by its type alone, never by its content.

    Parameters
    ----------
    array : array of bool, unsigned integers or float
        Unsigned integers are divided by the largest value of their type (255 for 8 bits, 65535
        for 16). Booleans become 0 and 1. Floats stay as they are.

    Returns
    -------
    array of float32
        The same shape.

    Raises
    ------
    ValueError
        If the type is another one, or a float is NaN, infinite or outside [0, 1].

    Examples
    --------
    >>> to_likelihood(np.array([0, 51, 255], dtype=np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if array.dtype.kind == "u":
        return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    if array.dtype.kind not in "bf":
        raise ValueError(
            f"holds {array.dtype}, whose range says nothing about the image's (scale='image' "
            f"stretches each image from its lowest to its highest value)"
        )
    if not np.isfinite(array).all():
        raise ValueError("holds values that are NaN or infinite")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(
            f"holds floats outside [0, 1], from {np.min(array):.4g} to {np.max(array):.4g} "
            f"(scale='image' stretches each image from its lowest to its highest value)"
        )
    return array.astype(np.float32)
