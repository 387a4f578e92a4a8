"""Read tif files of any depth, with the meaning that their tags give to the pixels.

tifffile reads the tags; the pixels are put together here, strip by strip or tile by tile, and each
must be as long as the tags say. So nothing is half read, and no small file fills the memory.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast
from xml.etree import ElementTree

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile
from tifffile import TiffFile, TiffPage

from .colours import labels_of_colours, labels_of_palette, without_transparency
from .files import FileContent, UnreadableFile, check_pixels
from .pictures import ORIENTATION
from .turning import INVERSE, turn

__all__ = ["read_tiff"]

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_OTHER_COLOURS = {4: "a transparency mask", 5: "CMYK", 8: "CIELAB", 9: "ICCLAB", 32803: "raw"}
_NONE, _JPEG = 1, 7
_FAX = (2, 3, 4)
# LZW, deflate (its three numbers), PackBits and Zstandard: libtiff, which Pillow carries, unpacks
# them into as many bytes as it is told.
_PACKED = (5, 8, 32946, 50013, 32773, 50000)
_KINDS = {1: "u", 2: "i", 3: "f"}
_DEPTHS = {"u": (1, 2, 4, 8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
# What all pages of a volume must agree in, and what is meant where nothing is said.
_ALIKE = {
    "BitsPerSample": 1,
    "SampleFormat": 1,
    "SamplesPerPixel": 1,
    "ExtraSamples": (),
    "PhotometricInterpretation": 1,
    "ColorMap": (),
    "Orientation": 1,
    "Compression": 1,
}
_REDUCED = 1  # a bit of the kind of a page

_SAVE = "; save it again, for example with tifffile.imwrite(path, array, photometric='minisblack')"


def read_tiff(path: Path, indices: bool, ignore: int | None) -> FileContent:
    """Return the pixels of a tif as they are stored: (H, W) or (H, W, channels) a page.

    Several pages are a volume. Pages that the file itself calls reduced are previews, and passed
    over.
    """
    with TiffFile(path) as file:
        pages, notes = _pages(file)
        first = pages[0]
        depth, kind, photometric, samples = _layout(first)
        if first.compression in (6, _JPEG) and indices:
            raise UnreadableFile("is compressed as jpg, which changes values: keep masks as png")
        shape = (len(pages), first.imagelength, first.imagewidth, samples)
        check_pixels(shape)
        if first.compression in (_JPEG, *_FAX):
            array = np.stack([_by_pillow(path, page) for page in pages])
        else:
            array = np.empty(shape, np.dtype(f"{kind}{max(depth // 8, 1)}"))
            for page, plane in zip(pages, array, strict=True):
                _fill(file, page, depth, plane)
        if depth == 1:
            array = array.astype(bool)
        array, more = _meaning(array, first, photometric, depth, indices, ignore)
        orientation = first.tags.valueof(ORIENTATION, 1)
    if orientation not in range(1, 9):
        orientation = 1
    return FileContent(
        array[0] if len(array) == 1 else array,
        (*notes, *more),
        int(orientation),
        colour=array.ndim == 4,
    )


def _pages(file: TiffFile) -> tuple[list[TiffPage], list[str]]:
    """Return the pages that make the image, all of one layout, and notes of those passed over."""
    pages = [cast(TiffPage, file.pages[k]) for k in range(_count_pages(file))]
    for page in pages:
        if page.imagewidth < 1 or page.imagelength < 1:
            raise UnreadableFile("is damaged: it has a page without width or height")
        check_pixels((page.imagelength, page.imagewidth, page.samplesperpixel))
    check_pixels((sum(p.imagelength * p.imagewidth * p.samplesperpixel for p in pages),))
    reduced = [bool((page.subfiletype or 0) & _REDUCED) for page in pages]
    notes = []
    if any(reduced) and not all(reduced):
        for number, (page, small) in enumerate(zip(pages, reduced, strict=True), 1):
            if small:
                size = f"{page.imagelength} x {page.imagewidth}"
                notes.append(f"page {number} is a preview ({size}) by its own tag: passed over")
        pages = [page for page, small in zip(pages, reduced, strict=True) if not small]
    first = pages[0]
    for number, page in enumerate(pages[1:], 2):
        sizes = [f"{p.imagelength} x {p.imagewidth}" for p in (first, page)]
        if sizes[0] != sizes[1]:
            raise UnreadableFile(
                f"has pages of different sizes: page 1 is {sizes[0]}, page {number} is {sizes[1]}; "
                f"one of them seems to be a preview (thumbnail). Save the image alone, or, if it "
                f"is a volume, slices of one size"
            )
        for tag, default in _ALIKE.items():
            values = [p.tags.valueof(tag, default) for p in (first, page)]
            if not np.array_equal(values[0], values[1]):
                raise UnreadableFile(
                    f"has pages of different kinds: {tag} is {_short(values[0])} on page 1 and "
                    f"{_short(values[1])} on page {number}; save pages of one kind"
                )
    _check_planes(file, first, len(pages))
    return pages, notes


def _count_pages(file: TiffFile) -> int:
    """Follow the chain of pages to its end; refuse one that is broken or runs in a circle.

    tifffile reads as far as a broken chain goes, and a circle for ever.
    """
    form, handle = file.tiff, file.filehandle
    offset = file.pages.first.offset
    seen: set[int] = set()
    while offset:
        if offset in seen or offset >= handle.size:
            raise UnreadableFile(f"is damaged: the chain of its pages breaks after {len(seen)}")
        seen.add(offset)
        handle.seek(offset)
        (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
        handle.seek(offset + form.tagnosize + tags * form.tagsize)
        (offset,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
    return len(seen)


def _short(value: Any) -> str:
    return str(value) if len(str(value)) < 30 else "a table"


def _check_planes(file: TiffFile, first: TiffPage, pages: int) -> None:
    """Refuse files whose description names other planes than a stack of the pages is."""
    sides: dict[str, int] = {}
    declared = None
    if first.is_stk:
        raise UnreadableFile("is a MetaMorph stack (stk), which hides its planes; save it as tif")
    if file.is_imagej:
        values = file.imagej_metadata or {}
        sides = {name: int(values.get(name, 1)) for name in ("channels", "slices", "frames")}
        declared = int(values.get("images", pages))
    elif file.is_shaped:
        planes = [described["shape"] for described in file.shaped_metadata or ()]
        plane = math.prod(first.shape)
        declared = sum(math.prod(map(int, shape)) for shape in planes) // max(plane, 1)
    elif file.is_ome:
        root = ElementTree.fromstring(file.ome_metadata or "")
        described = [e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"]
        if len(described) > 1:
            raise UnreadableFile(f"holds {len(described)} images (OME); save one of them")
        for element in described:
            sides = {
                name: int(element.get(key, 1))
                for name, key in (("channels", "SizeC"), ("slices", "SizeZ"), ("frames", "SizeT"))
            }
            colours = first.samplesperpixel if sides["channels"] > 1 else 1
            declared = math.prod(sides.values()) // colours
            if colours > 1:
                sides["channels"] //= colours
    several = [f"{count} {name}" for name, count in sides.items() if count > 1]
    if len(several) > 1:
        raise UnreadableFile(
            f"is a stack of {' and '.join(several)}; save one volume, or one channel, of it"
        )
    if declared is not None and declared > pages:
        raise UnreadableFile(
            f"says that it holds {declared} planes, but has {pages} pages; save one plane a page"
        )


def _layout(page: TiffPage) -> tuple[int, str, int, int]:
    """Return bits a sample, the kind of numbers, what colours mean, and samples a pixel."""
    depths = page.tags.valueof("BitsPerSample", 1)
    formats = page.tags.valueof("SampleFormat", 1)
    samples = int(page.tags.valueof("SamplesPerPixel", 1))
    depths = set(depths if isinstance(depths, tuple) else (depths,))
    formats = set(formats if isinstance(formats, tuple) else (formats,))
    photometric = int(page.tags.valueof("PhotometricInterpretation", _BLACK_IS_ZERO))
    kind = _KINDS.get(min(formats)) if len(formats) == 1 else None
    depth = min(depths)
    if kind is None or len(depths) > 1 or depth not in _DEPTHS[kind]:
        named = {1: "unsigned", 2: "signed", 3: "floating", 5: "complex", 6: "complex floating"}
        what = ", ".join(named.get(number, f"unknown ({number})") for number in sorted(formats))
        raise UnreadableFile(
            f"holds {what} numbers of {', '.join(map(str, sorted(depths)))} bits, which are not "
            f"read; save it with 8, 16, 32 or 64 bits"
        )
    if samples < 1 or (depth < 8 and (samples > 1 or page.predictor != 1)):
        raise UnreadableFile(f"holds {samples} samples of {depth} bits a pixel{_SAVE}")
    if page.imagedepth > 1:
        raise UnreadableFile(f"keeps {page.imagedepth} slices in one page; save one slice a page")
    known = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE)
    if photometric not in known and not (photometric == _YCBCR and page.compression == _JPEG):
        what = _OTHER_COLOURS.get(photometric, "YCbCr" if photometric == _YCBCR else "unknown")
        raise UnreadableFile(
            f"holds {what} colours (photometric {photometric}); save it as grey, or in red, green "
            f"and blue"
        )
    if page.compression not in (_NONE, *_PACKED, *_FAX, _JPEG):
        name = getattr(page.compression, "name", page.compression)
        raise UnreadableFile(f"is compressed in a way that is not read ({name}){_SAVE}")
    return depth, kind, photometric, samples


def _fill(file: TiffFile, page: TiffPage, depth: int, plane: np.ndarray) -> None:
    """Decode the strips or tiles of a page into an array (H, W, samples)."""
    height, width, samples = plane.shape
    apart = page.planarconfig == 2 and samples > 1
    rows, columns = _segment(page, height, width)
    places = [
        (slice(k, k + 1) if apart else slice(None), top, left)
        for k in range(samples if apart else 1)
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]
    if not len(places) == len(page.dataoffsets) == len(page.databytecounts):
        raise UnreadableFile(
            f"is damaged: a page needs {len(places)} strips or tiles, and it has "
            f"{len(page.dataoffsets)}"
        )
    used = 1 if apart else samples
    bytes_a_row = (columns * used * depth + 7) // 8
    order: Literal["<", ">"] = "<" if file.byteorder == "<" else ">"
    # Strips are alike but for the last, which may be shorter; tiles are alike.
    alike: dict[int, list[tuple[bytes, tuple[slice, int, int]]]] = {}
    for data, place in zip(_segments(file, page), places, strict=True):
        many = rows if page.is_tiled else min(rows, height - place[1])
        alike.setdefault(many, []).append((data, place))
    for many, segments in alike.items():
        packed = [data for data, _ in segments]
        unpacked = _unpack(packed, many * bytes_a_row, int(page.compression))
        for data, (_, (channel, top, left)) in zip(unpacked, segments, strict=True):
            lines = data.reshape(many, bytes_a_row)
            numbers = _numbers(lines, plane.dtype, depth, used, order, page.predictor)
            part = numbers[: height - top, : min(columns, width - left)]
            plane[top : top + many, left : left + columns, channel] = part


def _segment(page: TiffPage, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a strip or tile."""
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
        if rows < 1 or columns < 1:
            raise UnreadableFile("is damaged: its tiles have no size")
        whole = (-(-height // rows) * rows, -(-width // columns) * columns)  # with their margins
        check_pixels((*whole, page.samplesperpixel))
        return rows, columns
    return min(page.rowsperstrip or height, height), width


def _segments(file: TiffFile, page: TiffPage) -> Iterator[bytes]:
    """Yield the bytes of each strip or tile; refuse those that lie outside the file."""
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset <= 0 or size <= 0 or offset + size > file.filehandle.size:
            raise UnreadableFile("is damaged: some of its pixels lie outside the file, or nowhere")
        file.filehandle.seek(offset)
        data = file.filehandle.read(size)
        if page.fillorder == 2:  # the lowest bit of a byte is its first
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            data = np.packbits(bits).tobytes()
        yield data


def _unpack(packed: list[bytes], size: int, compression: int) -> np.ndarray:
    """Return the first `size` bytes of each strip or tile: an array (segments, size)."""
    if compression == _NONE:
        for data in packed:
            if len(data) < size:
                raise UnreadableFile(
                    f"is damaged: a strip or tile has {len(data)} bytes, its tags say {size}"
                )
        return np.stack([np.frombuffer(data, np.uint8, size) for data in packed])
    if compression == 50013:
        compression = 8
    # As a picture that has one row of bytes for each; libtiff stops at a row's end, however much
    # would follow.
    many = len(packed)
    counts = np.array([len(data) for data in packed], np.uint32)
    tables = 8 + 2 + 9 * 12 + 4
    offsets = tables + 8 * many + np.cumsum(counts) - counts
    if offsets[-1] + counts[-1] >= 2**32:
        raise UnreadableFile(f"has a page of more than four gigabytes{_SAVE}")
    single = many == 1
    tags = [
        (256, 1, size),
        (257, 1, many),
        (258, 1, 8),
        (259, 1, compression),
        (262, 1, _BLACK_IS_ZERO),
        (273, many, tables + 8 if single else tables),
        (277, 1, 1),
        (278, 1, 1),
        (279, many, len(packed[0]) if single else tables + 4 * many),
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    head += b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in tags)
    numbers = np.concatenate([offsets, counts]).astype("<u4").tobytes()
    with TiffImageFile(io.BytesIO(b"".join([head, bytes(4), numbers, *packed]))) as rows:
        return np.asarray(rows)


def _numbers(
    lines: np.ndarray,
    dtype: np.dtype,
    depth: int,
    samples: int,
    order: Literal["<", ">"],
    predictor: int,
) -> np.ndarray:
    """Return the numbers (rows, columns, samples) of rows of bytes, their predictor undone."""
    rows = len(lines)
    if depth < 8:
        bits = np.unpackbits(lines, axis=1).reshape(rows, -1, depth)
        weights = 2 ** np.arange(depth - 1, -1, -1, dtype=np.uint8)
        return (bits * weights).sum(axis=2, dtype=np.uint8)[..., None]
    if predictor == 3:
        # Differences of bytes; each row keeps the first bytes of all its numbers, then the second.
        lines = np.cumsum(
            lines.reshape(rows, -1, samples), axis=1, dtype=np.uint8
        ).reshape(rows, dtype.itemsize, -1)  # fmt: skip
        numbers = np.ascontiguousarray(lines.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
        return numbers.reshape(rows, -1, samples)
    numbers = lines.view(dtype.newbyteorder(order)).reshape(rows, -1, samples)
    if predictor == 2:
        if dtype.kind == "f":
            raise UnreadableFile(f"holds floats as differences, which are not read{_SAVE}")
        return np.cumsum(numbers, axis=1, dtype=dtype)
    if predictor != 1:
        raise UnreadableFile(f"has a predictor that is not known ({predictor}){_SAVE}")
    return numbers


def _by_pillow(path: Path, page: TiffPage) -> np.ndarray:
    """Return a page that is packed as a fax or as jpg, as it is stored: (H, W, samples)."""
    with TiffImageFile(path) as picture:
        picture.seek(page.index)
        if picture.size != (page.imagewidth, page.imagelength) and picture.size != (
            page.imagelength,
            page.imagewidth,
        ):
            raise UnreadableFile("is damaged: its tags contradict each other")
        picture.load()
        pixels = np.array(picture.convert("RGB") if picture.mode == "YCbCr" else picture)
    if page.compression in _FAX and page.photometric == _WHITE_IS_ZERO:
        pixels = ~pixels  # Pillow has turned it already
    # Pillow has turned it upright as well.
    stored = turn(pixels, INVERSE.get(page.tags.valueof(ORIENTATION, 1), 1))
    return stored.reshape(page.imagelength, page.imagewidth, -1)


def _meaning(
    array: np.ndarray,
    page: TiffPage,
    photometric: int,
    depth: int,
    indices: bool,
    ignore: int | None,
) -> tuple[np.ndarray, list[str]]:
    """Return what the numbers (pages, H, W, samples) stand for, and notes of what was decided."""
    notes: list[str] = []
    if photometric == _PALETTE:
        return _palette(array[..., 0], page, indices, ignore)
    if photometric == _WHITE_IS_ZERO:
        if indices:
            notes.append(_trust_stored(page))
        else:
            array = np.concatenate([_turn_white(array[..., :1], depth), array[..., 1:]], axis=-1)
            notes.append("the tag says that 0 is white: values turned, so that white is high")
    elif depth in (2, 4) and not indices:
        array = array * np.uint8(255 // (2**depth - 1))
    colours = 3 if photometric in (_RGB, _YCBCR) else 1
    extra = page.tags.valueof("ExtraSamples", ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    if array.shape[-1] == colours + 1 and extra and extra[0] in (1, 2):
        pixels, mask, note = without_transparency(array[..., :-1], array[..., -1], indices)
        notes.append(note)
        if mask is not None:
            return mask, notes
        array = pixels
    if array.shape[-1] < colours:
        raise UnreadableFile(f"is damaged: colours of {array.shape[-1]} samples")
    if array.shape[-1] == 1:
        array = array[..., 0]
    elif array.shape[-1] == 3 and indices:
        array, note = labels_of_colours(array)
        notes.append(note)
    elif indices:
        raise UnreadableFile(
            f"has {array.shape[-1]} channels; save the mask as a grey picture of one channel"
        )
    return array, notes


def _trust_stored(page: TiffPage) -> str:
    """Return a note that stored values are labels though 0 is white, or refuse the file.

    tifffile and imageio write arrays of booleans so, and ImageJ masks with an inverted colour
    table; for both, what is not 0 is the structure.
    """
    description = page.tags.valueof("ImageDescription", "")
    for writer, text in (("tifffile", page.software), ("ImageJ", description)):
        if str(text).startswith(writer):
            return (
                f"the tag says that 0 is white, written by {writer}: the stored values are the "
                f"labels"
            )
    raise UnreadableFile(
        "says that 0 is white (photometric 0), so that its stored values and what a viewer shows "
        "are opposite, and which of them its author meant is not certain; save the mask with "
        "0 for black and for the background (photometric 1), or as png"
    )


def _turn_white(array: np.ndarray, depth: int) -> np.ndarray:
    """Turn values of which 0 is white, and spread 2 and 4 bits over 8."""
    if array.dtype == bool:
        return ~array
    if array.dtype.kind != "u":
        raise UnreadableFile(
            f"says that 0 is white (photometric 0), but its values, {array.dtype}, have no "
            f"black{_SAVE}"
        )
    if depth < 8:
        largest = np.uint8(2**depth - 1)
        return (largest - array) * np.uint8(255 // largest)
    return np.iinfo(array.dtype).max - array


def _palette(
    numbers: np.ndarray, page: TiffPage, indices: bool, ignore: int | None
) -> tuple[np.ndarray, list[str]]:
    """Return the labels of palette pages, or their colours."""
    table = page.colormap
    if numbers.dtype != np.uint8 and numbers.dtype != bool:
        raise UnreadableFile(f"has a palette of {numbers.dtype} indices; save it with 8 bits")
    numbers = numbers.astype(np.uint8)
    if table is None or table.ndim != 2 or len(table) != 3 or numbers.max() >= table.shape[1]:
        raise UnreadableFile("is damaged: its palette is missing or too short")
    # Values of 16 bits, though some programs write 8.
    palette = (table >> 8 if table.max() > 255 else table).astype(np.uint8).T
    if not indices:
        return palette[numbers], []
    labels, note = labels_of_palette(numbers, palette, ignore)
    return labels, [note]
