"""Read images, volumes and masks from the file kinds that people keep them in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from .files import FileContent, UnreadableFile, check_pixels, max_pixels
from .matlab import read_matlab
from .nifti import read_nifti
from .pictures import JPEG, PNG, read_picture
from .tiffs import read_tiff
from .turning import TURNS, turn

__all__ = [
    "KINDS",
    "channels_first",
    "ending",
    "read_array",
    "read_file",
    "stem",
    "to_likelihood",
    "upright",
]


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


def read_file(
    path: Path, *, variable: str | None = None, indices: bool = False, ignore: int | None = None
) -> FileContent:
    """Return what a file holds as it stores it, and what it says about it.

    Values are read exactly, with the type that they have in the file, or the file is refused by a
    message that names what it holds and what to do. Nothing is half read, cut to fewer bits,
    inverted or turned without a note.

    - png, jpg: (H, W), or (H, W, 3) for colour. 16 bits in grey only.
    - tif: the same, of 1, 2, 4, 8, 16, 32 or 64 bits, unsigned, signed or floating, and with any
      number of channels (H, W, channels). Several pages are a volume, one page a slice; pages that
      the file calls reduced are previews and passed over. Compressed by LZW, deflate, PackBits or
      Zstandard, as a fax, and photographs as jpg.
    - npy: the array as it is.
    - mat (MATLAB 7 and older): the variable, with its type in MATLAB.
    - nii, nii.gz (NIfTI-1 and 2): the volume with its axes reversed, from NIfTI's (x, y, z) to
      (D, H, W), and NIfTI's own scale applied. Needs nibabel.

    How a picture's pixels become labels of a mask (`indices`):

    - The greys of a palette are the labels, if the colours in use are grey. In a palette of labels
      (index 0 black, as of Pascal VOC) the indices are. Others are refused.
    - Grey saved as colour is grey. Black and one other colour are two labels. More are refused.
    - If all that can be seen has one colour, the transparency is the mask. If colours and
      transparency both vary, the file is refused.
    - In a tif whose tag says that 0 is white, the stored values are the labels if tifffile,
      imageio or ImageJ wrote it: they write arrays of booleans and masks so. Others are refused.

    Of an image, a palette becomes its colours, transparency is dropped, and values of which 0 is
    white are turned, so that white is high.

    Parameters
    ----------
    path : Path
        A file whose name ends in one of `KINDS`.
    variable : str, optional
        The variable of a mat file. None means the only one that is an array of numbers.
    indices : bool
        Return the labels of a mask, not the colours of an image.
    ignore : int, optional
        The label of pixels that have none. A palette in which it is doubtful is refused.

    Returns
    -------
    FileContent
        Its array is neither turned upright (its `orientation` says how it should be) nor along
        other axes than the file's.

    Raises
    ------
    UnreadableFile
        A ValueError: the file is damaged, of another kind than its name says, larger than
        `toposeg_lite.data.files.max_pixels` allows, or its meaning is not certain.
    OSError
        If it is not there or may not be opened.
    ModuleNotFoundError
        If nibabel is needed and missing; the message says how to install it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "a.npy"), np.eye(2))
    ...     read_file(Path(folder, "a.npy")).array
    array([[1., 0.],
           [0., 1.]])
    """
    kind = ending(path).lower()
    if kind not in KINDS:
        raise UnreadableFile(f"{path}: not of a known kind ({', '.join(KINDS)})")
    max_pixels()  # a bad bound is the user's fault, not the file's
    try:
        if kind == ".npy":
            content = _read_npy(path)
        elif kind == ".mat":
            content = read_matlab(path, variable)
        elif kind in (".nii", ".nii.gz"):
            content = read_nifti(path)
        else:
            content = _read_picture(path, indices, ignore)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path}: {error}") from error
    except MemoryError as error:
        raise UnreadableFile(f"{path}: needs more memory than there is") from error
    except (ModuleNotFoundError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # each reader has errors of its own for damaged files
        reason = str(error) or type(error).__name__
        raise UnreadableFile(
            f"{path}: cannot be read; it is damaged, or not of the kind that its name says "
            f"({reason})"
        ) from error
    return replace(content, array=_plain(content.array))


def read_array(path: Path, *, variable: str | None = None, indices: bool = False) -> np.ndarray:
    """Return the array of a file as `read_file` has it, turned upright as its camera noted.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "a.npy"), np.eye(2))
    ...     read_array(Path(folder, "a.npy"))
    array([[1., 0.],
           [0., 1.]])
    """
    return np.ascontiguousarray(upright(read_file(path, variable=variable, indices=indices)).array)


def upright(content: FileContent) -> FileContent:
    """Return what a file holds with its rows and columns turned as its `orientation` asks."""
    if content.orientation == 1:
        return content
    # (H, W) or (H, W, channels) of a picture, (D, H, W) or (D, H, W, channels) of a tif.
    axes = (content.array.ndim - 2 - content.colour, content.array.ndim - 1 - content.colour)
    note = f"{TURNS[content.orientation]}, as the file asks"
    return replace(
        content,
        array=turn(content.array, content.orientation, axes),
        notes=(*content.notes, note),
        orientation=1,
    )


KINDS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".mat", ".nii", ".nii.gz")
"""The endings of file names that `read_file` knows, in small letters."""


def _plain(array: np.ndarray) -> np.ndarray:
    """Return an array in C order and the machine's byte order, its booleans 0 and 1."""
    if array.dtype == bool:
        # A file may hold other bytes, which crash compiled code.
        return np.ascontiguousarray(array).view(np.uint8) != 0
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _read_picture(path: Path, indices: bool, ignore: int | None) -> FileContent:
    """Read a picture by its first bytes; whoever renames a file does not change its kind."""
    with path.open("rb") as file:
        head = file.read(32)
    if head.startswith((PNG, JPEG)):
        return read_picture(path, head, indices, ignore)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff(path, indices, ignore)
    raise UnreadableFile(
        "cannot be read; it is damaged, or another kind of file than png, jpg or tif under their "
        "name"
    )


def _read_npy(path: Path) -> FileContent:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in read:
            raise UnreadableFile("is an npy file of a version for structured arrays; save numbers")
        shape, column_order, dtype = read[version](file)
        if dtype.kind not in "biuf":
            raise UnreadableFile(f"holds no real numbers (shape {shape}, {dtype})")
        count = check_pixels(shape)
        there = path.stat().st_size - file.tell()
        if there < count * dtype.itemsize:
            raise UnreadableFile(
                f"cannot be read; it is cut off: its header says {count * dtype.itemsize} bytes "
                f"of numbers, and there are {there}"
            )
        numbers = np.fromfile(file, dtype, count)
    return FileContent(numbers.reshape(shape, order="F" if column_order else "C"))


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
