"""Read png and jpg, with the meaning that their headers give to the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from .colours import labels_of_colours, labels_of_palette, without_transparency
from .files import FileContent, UnreadableFile, check_pixels

__all__ = ["ORIENTATION", "read_picture"]

ORIENTATION = 0x0112
"""The tag of EXIF and TIFF that says how the camera was held."""

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
"""The first bytes of the files that are read here."""


def read_picture(path: Path, head: bytes, indices: bool, ignore: int | None) -> FileContent:
    """Return the pixels of a png or jpg as they are stored: (H, W), or (H, W, 3) for colour."""
    if head.startswith(JPEG):
        # Opened by its own class, without the preview that a telephone puts behind the picture,
        # and without Pillow's bound of pixels, since ours is checked here.
        picture: Image = JpegImageFile(path)
        depth = 8
    else:
        if head[12:16] != b"IHDR" or len(head) < 26:
            raise UnreadableFile("is damaged: a png must begin with its header")
        depth, kind = head[24], head[25]
        if depth == 16 and kind != 0:
            raise UnreadableFile(
                "holds colours of 16 bits, which would be cut to 8; save it as tif, or as npy"
            )
        picture = PngImageFile(path)
    with picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            raise UnreadableFile(f"is an animation of {frames} pictures; save one of them")
        check_pixels((*picture.size[::-1], len(picture.getbands())))
        orientation = picture.getexif().get(ORIENTATION, 1)
        picture.load()
        array, notes = _meaning(picture, depth, indices, ignore)
    if orientation not in range(1, 9):
        orientation = 1
    return FileContent(array, notes, int(orientation), colour=array.ndim == 3)


def _meaning(
    picture: Image, depth: int, indices: bool, ignore: int | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels, or the labels, of a picture, and notes of what was decided."""
    if picture.mode == "P":
        return _palette(picture, indices, ignore)
    if picture.mode not in ("1", "L", "LA", "RGB", "RGBA") and not picture.mode.startswith("I;16"):
        raise UnreadableFile(
            f"holds {picture.mode} colours; save it as grey, or in red, green and blue"
        )
    pixels, alpha = _split(np.array(picture), picture, depth, indices)
    notes = []
    if alpha is not None:
        _, mask, note = without_transparency(np.atleast_3d(pixels), alpha, indices)
        notes.append(note)
        if mask is not None:
            return mask, tuple(notes)
    if pixels.ndim == 3 and indices:
        pixels, note = labels_of_colours(pixels)
        notes.append(note)
    if indices and 1 < depth < 8:
        pixels = pixels // _spread(depth)
    return pixels, tuple(notes)


def _spread(depth: int) -> int:
    """Return by what Pillow multiplies values of 2 and 4 bits, so that they fill 8."""
    return 255 // (2**depth - 1)


def _split(
    pixels: np.ndarray, picture: Image, depth: int, indices: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the colours of a picture, (H, W) or (H, W, 3), and its transparency if it has any.

    Instead of a channel a png may name one colour that is invisible. In a mask that is black this
    says nothing new: the background is 0 with it and without.
    """
    if picture.mode in ("LA", "RGBA"):
        colours = pixels[..., 0] if picture.mode == "LA" else pixels[..., :-1]
        return colours, pixels[..., -1]
    invisible = picture.info.get("transparency")
    if invisible is None or (indices and not np.any(invisible)):
        return pixels, None
    value = np.multiply(invisible, _spread(depth) if 1 < depth < 8 else 1)
    value = value > 0 if picture.mode == "1" else value
    hidden = (np.atleast_3d(pixels) == value).all(axis=-1)
    return pixels, np.where(hidden, 0, 255).astype(np.uint8)


def _palette(
    picture: Image, indices: bool, ignore: int | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the labels of a palette picture, or its colours."""
    numbers = np.array(picture)
    palette = np.array(picture.getpalette("RGBA"), dtype=np.uint8).reshape(-1, 4)
    transparent = picture.info.get("transparency")
    if transparent is not None:
        alpha = np.full(256, 255, np.uint8)
        if isinstance(transparent, int):
            alpha[transparent] = 0
        else:
            alpha[: len(transparent)] = np.frombuffer(transparent[:256], np.uint8)
        palette[:, 3] = alpha[: len(palette)]
    if numbers.max() >= len(palette):
        raise UnreadableFile(
            f"is damaged: it uses index {numbers.max()} of a palette of {len(palette)} colours"
        )
    shown = palette[numbers]
    notes = []
    if transparent is not None:
        used = palette[np.unique(numbers)]
        black = ~used[:, :3].any(axis=1)
        # Labels whose black background is invisible mean what they mean without transparency.
        invisible_background = indices and (black == (used[:, 3] == 0)).all()
        if not invisible_background:
            _, mask, note = without_transparency(shown[..., :3], shown[..., 3], indices)
            notes.append(note)
            if mask is not None:
                return mask, tuple(notes)
    if not indices:
        return shown[..., :3], tuple(notes)
    labels, note = labels_of_palette(numbers, palette[:, :3], ignore)
    return labels, (*notes, note)
