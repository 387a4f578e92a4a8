"""Read the picture files that readers bring, within bounds that are checked before anything else.

A file of a few kilobytes can ask for gigabytes, and an explorer on a server reads what strangers
send it. So `check_upload` bounds how many pixels a file may have (`max_upload`), by what its header
says, and how many bytes; only then are pixels decoded, and of few kinds of files: none for which
Pillow would start another program. Large pictures become small strip by strip.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from skimage.color import rgb2gray
from skimage.filters import gaussian, threshold_otsu
from skimage.transform import resize
from skimage.util import img_as_float

from ...checks import check_flag, check_integer
from ...data.files import number_in_environment

__all__ = [
    "Brought",
    "bring_colours",
    "bring_image",
    "bring_volume",
    "max_upload",
    "parting",
    "read_image",
    "unsure_copy",
]

_KINDS: tuple[tuple[tuple[bytes, ...], type[ImageFile]], ...] = (
    ((b"\x89PNG\r\n\x1a\n",), PngImageFile),
    ((b"\xff\xd8\xff",), JpegImageFile),
    ((b"II*\0", b"MM\0*"), TiffImageFile),
    ((b"BM",), BmpImageFile),
    ((b"GIF87a", b"GIF89a"), GifImageFile),
    (tuple(b"P%d" % k for k in range(1, 7)), PpmImageFile),
)
_MAX_PIXELS = 2**25
_MAX_PAGES = 4096
_BYTES = 4  # a pixel
_TILE_WIDTH, _TILE_LENGTH, _SAMPLES = 322, 323, 277  # tags of a tif
_STRIP = 2**20  # pixels that are turned into floats at a time
_FINE = 4  # pixels of a strip's means for each one that is wanted in the end


@dataclass(frozen=True)
class Brought:
    """What a reader's own file became.

    Attributes
    ----------
    values : array of float64
        In [0, 1].
    notes : tuple of str
        What was cut, scaled, turned or stretched on the way, in words.
    """

    values: np.ndarray
    notes: tuple[str, ...] = ()


def max_upload() -> int:
    """Return how many pixels an uploaded file may have: the variable ``TOPOSEG_MAX_UPLOAD``.

    All pages count together. Without this variable of the environment it is 33,554,432 (2^25): a
    photograph of 33 megapixels. The file may have four times as many bytes. At the bound a picture
    needs less than 600 MB of memory while it is read, so raise it with care where strangers upload.

    Raises
    ------
    ValueError
        If the variable is no positive integer.

    Examples
    --------
    >>> max_upload()
    33554432
    """
    return number_in_environment("TOPOSEG_MAX_UPLOAD", _MAX_PIXELS)


def read_image(content: bytes, *, dark: bool = False, size: int = 256) -> np.ndarray:
    """Turn the bytes of a picture file into a likelihood for the explorers.

    PNG, JPEG, TIFF, BMP, GIF and PPM are taken, of several pages the first, turned upright as the
    camera noted. If `dark`, the structures are darker than their surroundings, and are made bright.
    The longer side is reduced to `size` pixels if it has more. Returned is an (H, W) array of
    float64: grey values, stretched to [0, 1].

    Raises
    ------
    ValueError
        If the bytes are no such picture, or one with NaN or infinite values, or all pixels have the
        same value; if it has more pixels than the environment variable ``TOPOSEG_MAX_UPLOAD``
        allows (33,554,432 without it).

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file, "PNG")
    >>> read_image(file.getvalue(), dark=True)
    array([[1. , 0.8],
           [0.6, 0. ]])
    """
    return bring_image(content, dark=dark, size=size).values


def _check(content: Any, dark: Any, size: Any) -> None:
    """Refuse bad arguments of `bring_image` and `bring_volume` by their names."""
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(f"content must be the bytes of a file; got {type(content).__name__}")
    check_flag(dark, "dark")
    check_integer(size, "size", 1)


def bring_image(content: bytes, *, dark: bool = False, size: int = 256) -> Brought:
    """Do as `read_image`, and say what was done.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.eye(100, dtype=np.uint8)).save(file, "PNG")
    >>> bring_image(file.getvalue(), size=50).notes
    ('scaled from 100 x 100 to 50 x 50 pixels', 'grey values 0 to 0.4521 stretched to 0 to 1')
    """
    _check(content, dark, size)
    notes = []
    with _decoding():
        picture = _open(content)
        check_upload(picture)
        notes += _of_several(picture)
        upright, turned = _upright(picture)
        notes += turned
        grey, whole = _reduced(upright, size), upright.size[::-1]
    shrink = size / max(whole)
    if shrink < 1:
        shape = tuple(max(1, round(side * shrink)) for side in whole)
        grey = resize(grey, shape, anti_aliasing=True)
        notes.append(f"scaled from {_times(whole)} to {_times(shape)} pixels")
    values, stretched = _stretched(grey, dark, "pixels of the picture")
    return Brought(values, (*notes, *stretched))


def bring_volume(content: bytes, *, dark: bool = False, size: int = 64) -> Brought:
    """Do the same with a file of many pages, one a slice, so that no side has more than `size`.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> pages = [Image.fromarray(np.full((2, 2), k, np.uint8)) for k in (0, 51, 255)]
    >>> pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    >>> bring_volume(file.getvalue()).values[:, 0, 0].tolist()
    [0.0, 0.2, 1.0]
    """
    _check(content, dark, size)
    with _decoding():
        picture = _open(content)
        pages, sizes = [], []
        for _ in _pages(picture):
            pages.append(_reduced(picture, size).astype(np.float32))
            sizes.append(picture.size[::-1])
            if sizes[-1] != sizes[0]:
                raise _Refused("the pages of the picture have different sizes")
    volume, whole = np.stack(pages), (len(pages), *sizes[0])
    notes = []
    shape = tuple(min(side, size) for side in whole)
    if volume.shape != shape:
        volume = resize(volume, shape, anti_aliasing=True)
    if whole != shape:
        notes.append(f"scaled from {_times(whole)} to {_times(shape)} voxels")
    values, stretched = _stretched(volume.astype(float), dark, "voxels")
    return Brought(values, (*notes, *stretched))


def bring_colours(content: bytes, channels: int, *, side: int = 256) -> Brought:
    """Take the middle of a picture file at its own scale, as models take it: (channels, H, W).

    Values of 8 bits are divided by 255. Those of 16 bits and more, and numbers outside [0, 1], are
    stretched: a camera of 12 bits leaves a file of 16 nearly black.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.zeros((300, 20), np.uint8)).save(file, "PNG")
    >>> taken = bring_colours(file.getvalue(), 3)
    >>> taken.values.shape, taken.notes
    ((3, 256, 20), ('only the middle, 256 x 20 of 300 x 20 pixels, at its own scale',))
    """
    with _decoding():
        picture = _open(content)
        check_upload(picture)
        notes = [*_of_several(picture)]
        upright, turned = _upright(picture)
        notes += turned
        whole = upright.size[::-1]
        top, left = (max(0, (length - side) // 2) for length in whole)
        shape = tuple(min(length, side) for length in whole)
        pixels = _pixels(upright.crop((left, top, left + shape[1], top + shape[0])))
    if whole != shape:
        notes.append(
            f"only the middle, {_times(shape)} of {_times(whole)} pixels, at its own scale"
        )
    if pixels.dtype != np.uint8 and pixels.dtype != bool:
        low, high = float(pixels.min()), float(pixels.max())
        if pixels.dtype.kind != "f" or low < 0 or high > 1:
            pixels = (pixels.astype(float) - low) / ((high - low) or 1)
            notes.append(f"values {low:.4g} to {high:.4g} stretched to 0 to 1")
    pixels = img_as_float(pixels)
    if channels == 1:
        pixels = _grey(pixels)
    elif pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], channels, axis=2)
    values = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None]
    return Brought(values, tuple(notes))


def parting(likelihood: np.ndarray) -> float:
    """Return the threshold that parts bright from dark best (Otsu's), with two decimals.

    It lies in the middle of the gap between the values that it parts.

    Examples
    --------
    >>> parting(np.array([[0.0, 0.1, 0.1, 0.9, 1.0]]))
    0.5
    """
    # The cut is the middle of a bin of the histogram, all of which lies below.
    cut = threshold_otsu(likelihood) + np.ptp(likelihood) / 512
    below, above = likelihood[likelihood <= cut].max(), likelihood[likelihood > cut].min()
    return round(float(below + above) / 2, 2)


def unsure_copy(likelihood: np.ndarray) -> np.ndarray:
    """Return what a network that is not quite right might make of an image: blurred and shifted.

    The image is moved by a hundredth of its longer side, to the right and down, and blurred by a
    Gaussian of the same standard deviation, one pixel at least; the result is stretched to [0, 1].

    Examples
    --------
    >>> image = np.zeros((9, 9))
    >>> image[4, 4] = 1
    >>> copy = unsure_copy(image)
    >>> [int(k) for k in np.unravel_index(copy.argmax(), copy.shape)]
    [5, 5]
    """
    step = max(1, round(max(likelihood.shape) / 100))
    moved = np.pad(likelihood, ((step, 0), (step, 0)), mode="edge")[:-step, :-step]
    blurred = gaussian(moved, step, mode="nearest")
    low, high = float(blurred.min()), float(blurred.max())
    return (blurred - low) / (high - low) if low < high else moved


# --- What is opened, and how much of it -----------------------------------------------------------


class _Refused(ValueError):
    """A file that is refused by us, not by Pillow; the message says why."""


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever Pillow has against a file into a ValueError that says so."""
    max_upload()  # a bad bound is the user's fault, not the file's
    try:
        yield
    except _Refused as error:
        raise ValueError(str(error)) from None
    except MemoryError as error:
        raise ValueError("the picture needs more memory than there is") from error
    except Exception as error:  # each of Pillow's readers has errors of its own for damaged files
        reason = str(error) or type(error).__name__
        raise ValueError(f"the file is no picture that Pillow can read: {reason}") from error


def _open(content: bytes) -> ImageFile:
    """Open a picture file of a known kind, of which nothing is decoded yet."""
    most = max_upload()
    if len(content) > _BYTES * most:
        raise _Refused(
            f"the file has {len(content):,} bytes, more than the {_BYTES * most:,} that are taken; "
            f"make it smaller, or set the environment variable TOPOSEG_MAX_UPLOAD to "
            f"{-(-len(content) // _BYTES)} or more"
        )
    for heads, kind in _KINDS:
        if content.startswith(heads):
            # By its own class: not by `Image.open`, whose bound of pixels nobody could raise.
            return kind(io.BytesIO(content))
    raise _Refused("the file is no picture that Pillow can read (PNG, JPEG, TIFF, BMP, GIF, PPM)")


def check_upload(picture: Image.Image, before: int = 0) -> int:
    """Return how many pixels a page has, after so many of others; refuse too many."""
    width, height = picture.size
    count = width * height
    tags = getattr(picture, "tag_v2", None)
    if tags is not None and _TILE_WIDTH in tags:  # a whole tile is unpacked, whatever it shows
        tile = int(tags[_TILE_WIDTH]) * int(tags.get(_TILE_LENGTH, 1))
        count = max(count, tile * int(tags.get(_SAMPLES, 1)))
    if before + count > max_upload():
        raise _Refused(
            f"the picture has {before + count:,} pixels or more ({_times((height, width))} a "
            f"page), above the {max_upload():,} that are taken; make it smaller, or set the "
            f"environment variable TOPOSEG_MAX_UPLOAD to {before + count} or more"
        )
    return before + count


def _pages(picture: ImageFile) -> Iterator[None]:
    """Go through the pages of a file; each is bounded before it is decoded."""
    count = 0
    for page in range(_MAX_PAGES + 1):
        try:
            picture.seek(page)
        except EOFError:
            return
        if page == _MAX_PAGES:
            raise _Refused(f"the file has more than the {_MAX_PAGES} pages that are taken")
        count = check_upload(picture, count)
        yield


def _of_several(picture: ImageFile) -> list[str]:
    """Return a note if a picture has more pages than the one that is taken."""
    several = getattr(picture, "is_animated", False)
    return ["the first of several pages taken"] if several else []


def _upright(picture: ImageFile) -> tuple[Image.Image, list[str]]:
    """Return the picture as the camera was held, and a note if that turns it."""
    if isinstance(picture, TiffImageFile) or picture.getexif().get(0x0112, 1) == 1:
        return picture, []  # Pillow turns a tif by itself
    return ImageOps.exif_transpose(picture), ["turned upright, as the camera noted"]


# --- What is made of it ---------------------------------------------------------------------------


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return grey values (H, W) or colours (H, W, 3) of a picture, in the type it holds them in."""
    grey = picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16")
    pixels = np.asarray(picture if grey else picture.convert("RGB"))
    if not np.isfinite(pixels).all():
        raise _Refused("the picture holds values that are NaN or infinite")
    return pixels


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Return grey values as float64, those of colours in [0, 1]."""
    return pixels.astype(float) if pixels.ndim == 2 else rgb2gray(img_as_float(pixels))


def _reduced(picture: Image.Image, size: int) -> np.ndarray:
    """Return the grey values of a picture, or means over blocks if it is much larger than `size`.

    The blocks leave `_FINE` values or more for each one that a side of `size` needs.
    """
    pixels = _pixels(picture)
    block = max(pixels.shape[:2]) // (_FINE * size)
    if block < 2:
        return _grey(pixels)
    columns = np.arange(0, pixels.shape[1], block)
    across = np.diff(columns, append=pixels.shape[1])
    high = block * max(1, _STRIP // (block * pixels.shape[1]))
    means = []
    for top in range(0, len(pixels), high):
        grey = _grey(pixels[top : top + high])
        starts = np.arange(0, len(grey), block)
        down = np.diff(starts, append=len(grey))
        sums = np.add.reduceat(np.add.reduceat(grey, starts), columns, axis=1)
        means.append(sums / (down[:, None] * across))
    return np.concatenate(means)


def _stretched(grey: np.ndarray, dark: bool, what: str) -> tuple[np.ndarray, list[str]]:
    """Stretch grey values to [0, 1], turn them round if the structures are dark; and say so."""
    low, high = float(grey.min()), float(grey.max())
    if not low < high:
        raise ValueError(f"all {what} have the same value: there is nothing to see")
    values = (grey - low) / (high - low)
    notes = [f"grey values {low:.4g} to {high:.4g} stretched to 0 to 1"]
    if dark:
        notes.append("dark made bright")
    return (1 - values if dark else values), notes


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
