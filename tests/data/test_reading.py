"""Every kind of file is read with exactly its values, or refused by name; nothing is half read."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import subprocess
import sys
import zlib

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import loadmat, savemat

from toposeg_lite.data.files import UnreadableFile, max_pixels
from toposeg_lite.data.reading import read_array, read_file, to_likelihood
from toposeg_lite.data.turning import INVERSE, TURNS, turn

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (13, 21), dtype=np.uint8)
MASK = GREY > 150
COLOUR = RNG.integers(0, 256, (13, 21, 3), dtype=np.uint8)


def numbers(dtype, shape=(13, 21)):
    """Return an array that holds the lowest and the highest value of its type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return RNG.standard_normal(shape).astype(dtype)
    bounds = np.iinfo(dtype)
    array = RNG.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
    array.flat[0], array.flat[1] = bounds.min, bounds.max
    return array


def same(path, wanted, **options):
    """Check that a file is read with these values and this type."""
    array = read_array(path, **options)
    assert array.dtype == wanted.dtype
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, wanted)


NUMBERS = [f"{k}{n}" for k in "ui" for n in (1, 2, 4, 8)] + ["f2", "f4", "f8"]


# --- tif ---


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_tif_of_every_depth(tmp_path, dtype, byteorder, compression):
    path = tmp_path / "a.tif"
    for shape in ((13, 21), (13, 21, 3), (4, 13, 21)):
        array = numbers(dtype, shape)
        colours = {"photometric": "rgb"} if shape[-1] == 3 else {"photometric": "minisblack"}
        tifffile.imwrite(
            path, array, byteorder=byteorder, compression=compression, rowsperstrip=4, **colours
        )
        same(path, array)


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("big", [False, True])
def test_tif_of_every_layout(tmp_path, big, tile, planar, predictor):
    array = numbers("u2", (40, 50, 3))
    if planar == "separate":
        array = np.ascontiguousarray(np.moveaxis(array, -1, 0))
    tifffile.imwrite(
        tmp_path / "a.tif",
        array,
        photometric="rgb",
        planarconfig=planar,
        tile=tile,
        compression="zlib" if predictor else None,
        predictor=predictor,
        bigtiff=big,
    )
    same(tmp_path / "a.tif", array if planar == "contig" else np.moveaxis(array, 0, -1))


def tiny_tif(path, data, shape, **tags):
    """Write a tif of one strip by hand; `TAGS` names what may be said."""
    values = {256: shape[1], 257: shape[0], 258: 8, 259: 1, 262: 1, 277: 1, 278: shape[0]}
    values |= {TAGS[name]: value for name, value in tags.items()} | {279: len(data)}
    values[273] = 8 + 2 + (len(values) + 1) * 12 + 4
    table = b"".join(struct.pack("<HHII", tag, 4, 1, values[tag]) for tag in sorted(values))
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(values)) + table + bytes(4) + data)


TAGS = {
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "order_of_bits": 266,
    "samples": 277,
    "predictor": 317,
    "kind": 339,
}


def packed_by_libtiff(data, packing):
    """Return bytes as libtiff packs them, as a picture of one row of bytes."""
    made = io.BytesIO()
    Image.fromarray(np.frombuffer(data, np.uint8)[None]).save(made, "TIFF", compression=packing)
    made.seek(0)
    with tifffile.TiffFile(made) as file:
        (offset,), (size,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    return made.getvalue()[offset : offset + size]


@pytest.mark.parametrize(("packing", "number"), [("tiff_lzw", 5), ("packbits", 32773)])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_tif_packed_by_libtiff_at_every_depth(tmp_path, dtype, packing, number):
    for shape in ((13, 21), (13, 21, 3)):
        array = numbers(dtype, shape)
        options = {"bits": array.itemsize * 8, "kind": "uif".index(array.dtype.kind) + 1}
        if len(shape) == 3:
            options |= {"photometric": 2, "samples": 3}
        for predictor in (1, 2) if array.dtype.kind != "f" else (1,):
            stored = array
            if predictor == 2:
                stored = np.diff(array, axis=1, prepend=array[:, :1] * 0)
            data = packed_by_libtiff(stored.tobytes(), packing)
            tiny_tif(
                tmp_path / "a.tif", data, shape, compression=number, predictor=predictor, **options
            )
            same(tmp_path / "a.tif", array)


def test_tif_of_floats_as_differences(tmp_path):
    """The third predictor: of a row the first bytes of all numbers, then the second."""
    for dtype in ("f2", "f4", "f8"):
        array = numbers(dtype, (5, 8))
        rows = array.astype(array.dtype.newbyteorder(">")).view(np.uint8)
        rows = rows.reshape(5, 8, -1).transpose(0, 2, 1).reshape(5, -1)
        data = zlib.compress(np.diff(rows, axis=1, prepend=np.uint8(0)).tobytes())
        bits = array.itemsize * 8
        options = {"bits": bits, "compression": 8, "predictor": 3, "kind": 3}
        tiny_tif(tmp_path / "a.tif", data, array.shape, **options)
        same(tmp_path / "a.tif", array)


def test_tif_with_the_lowest_bit_first(tmp_path):
    data = np.packbits(MASK, axis=1, bitorder="little").tobytes()
    tiny_tif(tmp_path / "a.tif", data, MASK.shape, bits=1, order_of_bits=2)
    same(tmp_path / "a.tif", MASK)


@pytest.mark.parametrize("packed", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"])
def test_tif_by_pillow_of_every_packing(tmp_path, packed):
    for array in (GREY, COLOUR, MASK, numbers("u2"), numbers("f4")):
        try:
            Image.fromarray(array).save(tmp_path / "a.tif", compression=packed)
        except OSError:
            if packed != "zstd":
                raise
            pytest.skip("this Pillow was built without zstd")
        same(tmp_path / "a.tif", array)


@pytest.mark.parametrize("packed", ["group3", "group4", "tiff_ccitt"])
def test_tif_packed_as_fax(tmp_path, packed):
    Image.fromarray(MASK).save(tmp_path / "a.tif", compression=packed)
    same(tmp_path / "a.tif", MASK, indices=True)


def test_tif_packed_as_jpg_is_a_photograph_and_no_mask(tmp_path):
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.tif", compression="jpeg")
    assert abs(read_array(tmp_path / "a.tif").astype(int) - smooth).max() < 4
    Image.fromarray(np.dstack([smooth] * 3)).save(tmp_path / "a.tif", compression="jpeg")
    assert abs(read_array(tmp_path / "a.tif").astype(int) - smooth[..., None]).max() < 8
    with pytest.raises(UnreadableFile, match="jpg, which changes values: keep masks as png"):
        read_array(tmp_path / "a.tif", indices=True)


@pytest.mark.parametrize("dtype", ["bool", "u1", "u2", "u4", "u8"])
def test_zero_is_white_at_every_depth(tmp_path, dtype):
    """Images are shown as a viewer shows them, labels are what tifffile and ImageJ stored."""
    stored = MASK if dtype == "bool" else numbers(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    turned = ~stored if dtype == "bool" else np.iinfo(dtype).max - stored
    same(tmp_path / "a.tif", turned)
    same(tmp_path / "a.tif", stored, indices=True)
    assert "0 is white" in read_file(tmp_path / "a.tif").notes[0]
    assert "stored values are the labels" in read_file(tmp_path / "a.tif", indices=True).notes[0]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite", software="scanner")
    same(tmp_path / "a.tif", turned)
    with pytest.raises(UnreadableFile, match=r"says that 0 is white.*which of them its author"):
        read_array(tmp_path / "a.tif", indices=True)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="miniswhite", software="", metadata=None,
        description="ImageJ=1.54f\n",
    )  # fmt: skip
    same(tmp_path / "a.tif", stored, indices=True)


@pytest.mark.parametrize("dtype", ["i1", "i2", "f4"])
def test_zero_is_white_means_nothing_without_a_black(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", numbers(dtype), photometric="miniswhite")
    with pytest.raises(UnreadableFile, match="have no black"):
        read_array(tmp_path / "a.tif")


def test_masks_of_booleans_by_tifffile_and_zero_is_white_written_as_fax(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", MASK)
    same(tmp_path / "a.tif", MASK, indices=True)
    fax = tmp_path / "fax.tif"
    Image.fromarray(MASK).save(fax, compression="group4", tiffinfo={262: 0})
    with tifffile.TiffFile(fax) as file:
        if file.pages[0].photometric == 0:
            same(fax, MASK)  # as it is shown


def small_depth(path, array, depth, photometric=1):
    """Write a grey tif of 2 or 4 bits."""
    each = 8 // depth
    padded = np.pad(array, ((0, 0), (0, -array.shape[1] % each)))
    rows = sum(padded[:, k::each] << (8 - depth * (k + 1)) for k in range(each)).astype(np.uint8)
    tiny_tif(path, rows.tobytes(), array.shape, bits=depth, photometric=photometric)


@pytest.mark.parametrize("depth", [2, 4])
def test_two_and_four_bits(tmp_path, depth):
    labels = GREY >> (8 - depth)
    factor = 255 // (2**depth - 1)
    small_depth(tmp_path / "a.tif", labels, depth)
    same(tmp_path / "a.tif", labels, indices=True)
    same(tmp_path / "a.tif", (labels * factor).astype(np.uint8))
    small_depth(tmp_path / "a.tif", labels, depth, photometric=0)
    same(tmp_path / "a.tif", (255 - labels * factor).astype(np.uint8))


def test_previews_are_named(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(GREY)
        file.write(GREY[::4, ::4], subfiletype=1)
    same(path, GREY)
    assert "page 2 is a preview (4 x 6)" in read_file(path).notes[0]
    with tifffile.TiffWriter(path) as file:
        file.write(GREY)
        file.write(GREY[::4, ::4])
    with pytest.raises(UnreadableFile, match=r"page 1 is 13 x 21, page 2 is 4 x 6.*preview"):
        read_array(path)


def test_volumes_of_pages_and_what_is_no_volume(tmp_path):
    path = tmp_path / "a.tif"
    volume = numbers("u2", (5, 13, 21))
    for options in ({}, {"imagej": True}, {"ome": True}, {"metadata": None}):
        tifffile.imwrite(path, volume, photometric="minisblack", **options)
        same(path, volume)
    tifffile.imwrite(path, numbers("u2", (3, 2, 13, 21)), imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(UnreadableFile, match="a stack of 2 channels and 3 slices"):
        read_array(path)
    tifffile.imwrite(path, numbers("u2", (3, 2, 13, 21)), ome=True, metadata={"axes": "TCYX"})
    with pytest.raises(UnreadableFile, match="a stack of 2 channels and 3 frames"):
        read_array(path)
    tifffile.imwrite(path, volume, photometric="minisblack", truncate=True)
    with pytest.raises(UnreadableFile, match="says that it holds 5 planes, but has 1 pages"):
        read_array(path)
    tifffile.imwrite(path, volume, volumetric=True, photometric="minisblack")
    with pytest.raises(UnreadableFile, match="keeps 5 slices in one page"):
        read_array(path)
    with tifffile.TiffWriter(path) as file:
        file.write(GREY)
        file.write(GREY.astype(np.uint16))
    with pytest.raises(UnreadableFile, match="pages of different kinds: BitsPerSample is 8"):
        read_array(path)


@pytest.mark.parametrize(
    ("photometric", "samples", "text"),
    [("cielab", 3, "CIELAB"), ("separated", 4, "CMYK"), ("ycbcr", 3, "YCbCr")],
)
def test_other_colours_are_refused_by_name(tmp_path, photometric, samples, text):
    array = numbers("u1", (16, 16, samples))
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric)
    with pytest.raises(UnreadableFile, match=f"{text} colours"):
        read_array(tmp_path / "a.tif")


def test_other_numbers_are_refused_by_name(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", numbers("f4") + 1j)
    with pytest.raises(UnreadableFile, match="complex floating numbers of"):
        read_array(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", numbers("u2", (4, 4, 5)), planarconfig="contig")
    with pytest.raises(UnreadableFile, match="has 5 channels; save the mask"):
        read_array(tmp_path / "a.tif", indices=True)
    same(tmp_path / "a.tif", tifffile.imread(tmp_path / "a.tif"))


def test_a_tif_that_is_cut_off_is_refused(tmp_path):
    for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}):
        tifffile.imwrite(tmp_path / "a.tif", numbers("u2", (64, 64)), **options)
        data = (tmp_path / "a.tif").read_bytes()
        for length in (len(data) - 1, len(data) * 2 // 3):
            (tmp_path / "a.tif").write_bytes(data[:length])
            with pytest.raises(UnreadableFile, match="damaged"):
                read_array(tmp_path / "a.tif")


def test_a_circle_of_pages_is_refused(tmp_path):
    """tifffile follows it for ever."""
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    start = int.from_bytes(data[4:8], "little")
    place = start + 2 + 12 * int.from_bytes(data[start : start + 2], "little")
    assert data[place : place + 4] == bytes(4)
    data[place : place + 4] = data[4:8]
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadableFile, match="the chain of its pages breaks after 1"):
        read_array(tmp_path / "a.tif")


# --- png and jpg ---


def write_png(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)


def test_png_of_sixteen_bits_in_colour_is_refused(tmp_path):
    write_png(tmp_path / "a.png", numbers("u2"))
    body = (tmp_path / "a.png").read_bytes()
    head = bytearray(body[12:29])
    head[13] = 2  # red, green and blue
    made = body[:8] + b"\0\0\0\r" + head + struct.pack(">I", zlib.crc32(bytes(head))) + body[33:]
    (tmp_path / "a.png").write_bytes(made)
    with pytest.raises(UnreadableFile, match="colours of 16 bits, which would be cut to 8"):
        read_array(tmp_path / "a.png")


def few_bits(path, labels, depth, invisible=None):
    """Write a grey png of 1, 2 or 4 bits, of which one value may be invisible."""
    each = 8 // depth
    padded = np.pad(labels, ((0, 0), (0, -labels.shape[1] % each)))
    rows = sum(padded[:, k::each] << (8 - depth * (k + 1)) for k in range(each)).astype(np.uint8)
    rows = np.hstack([np.zeros((len(rows), 1), np.uint8), rows])
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", labels.shape[1], labels.shape[0], depth, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    ]
    if invisible is not None:
        chunks.insert(1, (b"tRNS", struct.pack(">H", invisible)))
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(data)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_of_few_bits(tmp_path, depth):
    """Labels keep their numbers; the greys of an image are spread to 8 bits."""
    labels = GREY >> (8 - depth)
    few_bits(tmp_path / "a.png", labels, depth)
    if depth == 1:
        same(tmp_path / "a.png", labels.astype(bool), indices=True)
    else:
        same(tmp_path / "a.png", labels, indices=True)
        same(tmp_path / "a.png", (labels * (255 // (2**depth - 1))).astype(np.uint8))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_an_invisible_grey_of_few_bits(tmp_path, depth):
    """Ink of 0 on a ground of the highest value, which the file says is invisible."""
    path, top = tmp_path / "a.png", 2**depth - 1
    few_bits(path, np.where(MASK, 0, top).astype(np.uint8), depth, invisible=top)
    same(path, MASK * np.uint8(255), indices=True)
    few_bits(path, np.where(MASK, top, 0).astype(np.uint8), depth, invisible=0)
    assert np.array_equal(read_file(path, indices=True).array > 0, MASK)


def test_content_decides_and_other_kinds_are_refused(tmp_path):
    write_png(tmp_path / "a.png", GREY)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.png").read_bytes())
    same(tmp_path / "a.tif", GREY)
    for name, kind in (("g.png", "GIF"), ("b.png", "BMP"), ("w.jpg", "WEBP")):
        Image.fromarray(GREY).save(tmp_path / name, kind)
        with pytest.raises(UnreadableFile, match="another kind of file than png, jpg or tif"):
            read_array(tmp_path / name)
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "f.png", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableFile, match="an animation of 2 pictures"):
        read_array(tmp_path / "f.png")
    Image.fromarray(numbers("u1", (16, 16, 4)), mode=None).convert("CMYK").save(tmp_path / "c.jpg")
    with pytest.raises(UnreadableFile, match="CMYK colours"):
        read_array(tmp_path / "c.jpg")


# --- what colours mean in a mask ---


def palette_file(path, indices, colours, **options):
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    image.save(path, **options)


BLACK, WHITE, RED, VOID = (0, 0, 0), (255, 255, 255), (128, 0, 0), (224, 224, 192)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("structure", [0, 1])
def test_four_palettes_of_black_and_white_pictures(tmp_path, structure, white, kind):
    """What is white in the picture is the structure, whichever index it has."""
    indices = np.where(MASK, structure, 1 - structure)
    colours = [WHITE, BLACK] if white == 0 else [BLACK, WHITE]
    palette_file(tmp_path / f"a.{kind}", indices, colours)
    shown = MASK if white == structure else ~MASK
    same(tmp_path / f"a.{kind}", shown * np.uint8(255), indices=True)
    (note,) = read_file(tmp_path / f"a.{kind}", indices=True).notes
    assert note.startswith("palette of greys")


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_palettes_of_labels(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    palette_file(path, MASK, [BLACK, RED])
    same(path, MASK.astype(np.uint8), indices=True)
    assert "palette of labels" in read_file(path, indices=True).notes[0]
    np.testing.assert_array_equal(read_array(path)[..., 0], MASK * np.uint8(128))
    # Pascal VOC: 15 is a person, 255 the rim that nobody labels; the grey 7 is a car.
    voc = [BLACK] * 256
    voc[7], voc[15], voc[255] = (128, 128, 128), (192, 128, 128), VOID
    labels = np.where(MASK, 15, 0).astype(np.uint8)
    labels[GREY < 20] = 255
    palette_file(path, labels, voc)
    same(path, labels, indices=True)
    assert read_file(path, indices=True, ignore=255).array.max() == 255


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize(
    ("colours", "text"),
    [
        ([RED, BLACK], "does not tell the background"),
        ([RED, (0, 128, 0)], "does not tell the background"),
        ([RED, WHITE], "does not tell the background"),
        ([BLACK, BLACK, RED], "does not tell the background"),
        ([BLACK, WHITE, (9, 9, 9)], "indices and grey values disagree"),
    ],
)
def test_palettes_that_are_not_certain_are_refused(tmp_path, kind, colours, text):
    indices = np.minimum(GREY // 100, len(colours) - 1)
    palette_file(tmp_path / f"a.{kind}", indices, colours)
    with pytest.raises(UnreadableFile, match=rf"a\.{kind}: has a palette .*{text}.*save the mask"):
        read_array(tmp_path / f"a.{kind}", indices=True)


def test_an_ignored_label_must_be_certain_in_a_palette(tmp_path):
    palette_file(tmp_path / "a.png", MASK, [BLACK, WHITE])
    with pytest.raises(UnreadableFile, match="indices and grey values disagree"):
        read_file(tmp_path / "a.png", indices=True, ignore=255)
    palette_file(tmp_path / "b.png", MASK * 255, [(k, k, k) for k in range(256)])
    assert read_file(tmp_path / "b.png", indices=True, ignore=255).array.max() == 255


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("colour", [BLACK, WHITE, RED])
def test_masks_in_the_transparency(tmp_path, kind, colour):
    alpha = MASK * np.uint8(255)
    drawn = np.dstack([np.full((*MASK.shape, 3), colour, np.uint8), alpha])
    write_png(tmp_path / f"a.{kind}", drawn)
    same(tmp_path / f"a.{kind}", alpha, indices=True)
    assert "transparency is the mask" in read_file(tmp_path / f"a.{kind}", indices=True).notes[0]
    with pytest.raises(UnreadableFile, match="only its transparency varies"):
        read_array(tmp_path / f"a.{kind}")
    drawn[~MASK, :3] = 7  # what cannot be seen does not matter
    write_png(tmp_path / f"a.{kind}", drawn)
    same(tmp_path / f"a.{kind}", alpha, indices=True)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_masks_in_grey_with_transparency(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    alpha = MASK * np.uint8(255)
    write_png(path, np.dstack([alpha * 0 + 9, alpha]))
    same(path, alpha, indices=True)
    write_png(path, np.dstack([alpha, alpha * 0 + 255]))
    same(path, alpha, indices=True)
    write_png(path, np.dstack([alpha, (GREY > 30) * np.uint8(255)]))
    with pytest.raises(UnreadableFile, match="both colours and transparency"):
        read_array(path, indices=True)
    write_png(path, np.dstack([alpha, alpha * 0]))
    with pytest.raises(UnreadableFile, match="is transparent everywhere"):
        read_array(path, indices=True)


INVISIBLE = {
    "grey": lambda bright: np.where(bright, 255, 0).astype(np.uint8),
    "16 bits": lambda bright: np.where(bright, 65535, 0).astype(np.uint16),
    "colour": lambda bright: np.where(bright[..., None], (255, 0, 255), 0).astype(np.uint8),
}


@pytest.mark.parametrize("kind", INVISIBLE)
def test_masks_with_one_invisible_colour(tmp_path, kind):
    """A png may name one colour that is invisible, in place of a channel."""
    path, paint = tmp_path / "a.png", INVISIBLE[kind]
    value = {"grey": 255, "16 bits": 65535, "colour": (255, 0, 255)}[kind]
    write_png(path, paint(~MASK), transparency=value)  # black ink on an invisible bright ground
    same(path, MASK * np.uint8(255), indices=True)
    assert "transparency is the mask" in read_file(path, indices=True).notes[0]
    assert read_array(path).shape[:2] == MASK.shape  # of a photograph it is dropped
    assert "transparency dropped" in read_file(path).notes[0]
    write_png(path, paint(MASK), transparency=np.multiply(value, 0).tolist())
    assert np.array_equal(read_file(path, indices=True).array > 0, MASK)  # an invisible black
    write_png(path, paint(MASK * False), transparency=value)  # not used anywhere
    assert not read_array(path, indices=True).any()


def test_labels_with_an_invisible_black_keep_their_numbers(tmp_path):
    write_png(tmp_path / "a.png", GREY // 90, transparency=0)
    same(tmp_path / "a.png", GREY // 90, indices=True)
    write_png(tmp_path / "a.png", GREY // 90, transparency=2)
    with pytest.raises(UnreadableFile, match="both colours and transparency"):
        read_array(tmp_path / "a.png", indices=True)


def test_palettes_with_transparency(tmp_path):
    path = tmp_path / "a.png"
    palette_file(path, MASK, [BLACK, RED], transparency=0)  # the background is invisible
    same(path, MASK.astype(np.uint8), indices=True)
    palette_file(path, MASK, [BLACK, BLACK], transparency=b"\0\xff")
    same(path, MASK * np.uint8(255), indices=True)
    palette_file(path, GREY // 90, [BLACK, RED, WHITE], transparency=b"\xff\0\xff")
    with pytest.raises(UnreadableFile, match="both colours and transparency"):
        read_array(path, indices=True)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_painted_masks(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    write_png(path, np.dstack([MASK * np.uint8(255), MASK * np.uint8(9), MASK * np.uint8(0)]))
    same(path, MASK * np.uint8(255), indices=True)
    assert "black is 0, (255, 9, 0) is 255" in read_file(path, indices=True).notes[0]
    write_png(path, np.dstack([MASK * np.uint8(255)] * 3))
    same(path, MASK * np.uint8(255), indices=True)
    write_png(path, COLOUR)
    with pytest.raises(UnreadableFile, match="a picture of several colours"):
        read_array(path, indices=True)
    same(path, COLOUR)


# --- npy, mat, NIfTI ---


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [*NUMBERS, "?"])
def test_npy_of_every_kind_and_order(tmp_path, dtype, order):
    array = MASK if dtype == "?" else numbers(dtype)
    for made in (array, np.asfortranarray(array)):
        np.save(tmp_path / "a.npy", made.astype(made.dtype.newbyteorder(order)))
        same(tmp_path / "a.npy", array)


def test_booleans_are_made_of_zeros_and_ones(tmp_path):
    """Other bytes crash compiled code."""
    np.save(tmp_path / "a.npy", MASK)
    data = (tmp_path / "a.npy").read_bytes().replace(b"\x01", b"\xff")
    (tmp_path / "a.npy").write_bytes(data.replace(b"NUMPY\xff", b"NUMPY\x01"))
    assert set(np.unique(read_array(tmp_path / "a.npy").view(np.uint8))) == {0, 1}


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array([None, "x"], object), "no real numbers"),
        (np.zeros(3, "f4,i2"), "no real numbers"),
        (np.zeros((2, 2), complex), "no real numbers"),
        (np.array(["a", "b"]), "no real numbers"),
    ],
)
def test_npy_without_numbers_is_refused(tmp_path, array, text):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(UnreadableFile, match=text):
        read_array(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", GREY)
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:-1])
    with pytest.raises(UnreadableFile, match="it is cut off"):
        read_array(tmp_path / "b.npy")


@pytest.mark.parametrize("options", [{}, {"do_compression": True}, {"format": "4"}])
@pytest.mark.parametrize("dtype", [*NUMBERS, "?"])
def test_mat_files_agree_with_scipy(tmp_path, dtype, options):
    if options.get("format") == "4" and dtype in ("u4", "u8", "i8", "i1", "?", "f2"):
        pytest.skip("MATLAB 4 has no such numbers")
    if dtype == "f2":
        pytest.skip("MATLAB has no such numbers")
    array = MASK if dtype == "?" else numbers(dtype)
    for shape in ((13, 21), (7, 39), (3, 7, 13)):
        if len(shape) == 3 and options.get("format") == "4":
            continue
        made = array.reshape(shape)
        savemat(tmp_path / "a.mat", {"text": "me", "array": made, "one": 3.0}, **options)
        scipys = loadmat(tmp_path / "a.mat", mat_dtype="format" not in options)["array"]
        np.testing.assert_array_equal(read_array(tmp_path / "a.mat"), scipys)
        assert read_array(tmp_path / "a.mat").dtype == made.dtype


def test_doubles_that_matlab_keeps_as_bytes_are_doubles(tmp_path):
    """MATLAB stores whole numbers small; SciPy returns them as uint8, which would mean 0 to 255."""
    savemat(tmp_path / "a.mat", {"a": MASK.astype(np.float64)})
    data = (tmp_path / "a.mat").read_bytes()
    place = data.index(struct.pack("<II", 9, MASK.size * 8))
    stored = MASK.T.astype(np.uint8).tobytes() + bytes(-MASK.size % 8)
    element = struct.pack("<II", 2, MASK.size) + stored
    body = data[136:place] + element
    made = data[:128] + struct.pack("<II", 14, len(body)) + body
    (tmp_path / "a.mat").write_bytes(made)
    assert loadmat(tmp_path / "a.mat")["a"].dtype == np.uint8
    same(tmp_path / "a.mat", MASK.astype(np.float64))


# SciPy's reader ends in a segmentation fault on this file (packed by zlib, in base 64).
CRASH = (
    "eNrzdQzxcXRSMNUzUPB1DNFNy8xJVQjISSxJyy/KtVIoyC/OrNBRcC5KTSxJTVHIz7NSCC7NU/DLL1MwslQwsLAysL"
    "QyNFcwMjAyYyADMHr68gEpASYGBjYgzQHEnFApVihfAohFQEqBsAJIMzUwMDxgBDLkbKIqpm3BoHAIR+EQrsAhPA2H"
    "8BYcwgw4hOVG3UmeOwGv6sEs"
)


def test_a_damaged_mat_file_does_not_end_the_interpreter(tmp_path):
    code = (
        "import sys; from pathlib import Path; from toposeg_lite.data.reading import read_array\n"
        "try: read_array(Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)"
    )
    crash = tmp_path / "crash.mat"
    crash.write_bytes(zlib.decompress(base64.b64decode(CRASH)))
    done = subprocess.run(
        [sys.executable, "-c", code, str(crash)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "crash.mat: is damaged" in done.stdout


def test_what_is_no_array_of_a_mat_file_is_named(tmp_path):
    savemat(tmp_path / "a.mat", {"s": {"f": MASK}, "c": np.array([1, "x"], object), "t": "text"})
    with pytest.raises(UnreadableFile, match=r"'s' is a struct, 'c' is a cell, 't' is text"):
        read_array(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {"z": MASK * 1j})
    with pytest.raises(UnreadableFile, match=r"no array 'z' in it \('z' is complex\)"):
        read_array(tmp_path / "a.mat", variable="z")
    savemat(tmp_path / "a.mat", {"one": 3.0, "a": GREY})
    with pytest.raises(UnreadableFile, match=r"'one' is a single number\); it has \['a'\]"):
        read_array(tmp_path / "a.mat", variable="one")
    (tmp_path / "h.mat").write_bytes(bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(99))
    with pytest.raises(UnreadableFile, match=r"a MATLAB 7\.3 file.*save it with -v7"):
        read_array(tmp_path / "h.mat")


@pytest.mark.parametrize("made", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("kind", ["nii", "nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_nifti_of_every_kind(tmp_path, made, kind, dtype):
    for shape in ((5, 4, 3), (5, 4), (5, 4, 3, 2)):
        array = numbers(dtype, shape)
        nibabel.save(made(array, np.eye(4), dtype=array.dtype), tmp_path / f"a.{kind}")
        same(tmp_path / f"a.{kind}", array.T)
        big = made(array, np.eye(4), dtype=array.dtype)
        big = made(array, np.eye(4), header=big.header.as_byteswapped(">"))
        nibabel.save(big, tmp_path / f"a.{kind}")
        same(tmp_path / f"a.{kind}", array.T)


def test_nifti_without_numbers_or_in_two_files(tmp_path):
    nibabel.save(nibabel.Nifti1Image(MASK[None] * 1j, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UnreadableFile, match=r"no real numbers .*complex"):
        read_array(tmp_path / "a.nii")
    nibabel.save(nibabel.Nifti1Pair(GREY[None], np.eye(4)), tmp_path / "b.img")
    (tmp_path / "b.hdr").rename(tmp_path / "b.nii")
    with pytest.raises(UnreadableFile, match="keeps its voxels in another file"):
        read_array(tmp_path / "b.nii")


# --- upright ---


@pytest.mark.parametrize("orientation", list(TURNS))
def test_turning_agrees_with_pillow(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_png(tmp_path / "a.png", GREY, exif=exif)
    with Image.open(tmp_path / "a.png") as file:
        from PIL import ImageOps

        shown = np.array(ImageOps.exif_transpose(file))
    same(tmp_path / "a.png", shown)
    content = read_file(tmp_path / "a.png")
    np.testing.assert_array_equal(content.array, GREY)
    np.testing.assert_array_equal(turn(shown, INVERSE[orientation]), GREY)
    for array in (GREY, np.dstack([GREY] * 3), np.stack([GREY] * 4)):
        tags = [(274, 3, 1, orientation, False)]
        photometric = "rgb" if array.shape[-1] == 3 else "minisblack"
        tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric, extratags=tags)
        axes = (1, 2) if len(array) == 4 else (0, 1)
        same(tmp_path / "a.tif", np.ascontiguousarray(turn(array, orientation, axes)))
    Image.fromarray(MASK).save(
        tmp_path / "a.tif", compression="group4", tiffinfo={274: orientation}
    )
    same(tmp_path / "a.tif", np.ascontiguousarray(turn(MASK, orientation)))


# --- bounds ---


def bombs():
    """Yield the name and the bytes of small files that hold 40,000 x 40,000 values."""
    side = 40_000
    chunk = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + chunk
    png += struct.pack(">I", zlib.crc32(b"IHDR" + chunk))
    idat = zlib.compress(bytes(10**6))
    png += struct.pack(">I", len(idat)) + b"IDAT" + idat + struct.pack(">I", 0)
    yield "a.png", png
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((16, 16), np.uint8), compression="zlib", metadata=None)
    tif = bytearray(file.getvalue())
    for tag in (256, 257, 278):
        place = tif.index(struct.pack("<H", tag), 8)
        tif[place : place + 12] = struct.pack("<HHII", tag, 4, 1, side)
    yield "a.tif", bytes(tif)
    header = {"descr": "|u1", "fortran_order": False, "shape": (side, side)}
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(npy, header)
    yield "a.npy", npy.getvalue() + bytes(100)
    nii = nibabel.Nifti2Header()
    nii.set_data_shape((side, side, 1))
    nii.set_data_dtype(np.uint8)
    nii["vox_offset"] = 544
    yield "a.nii.gz", gzip.compress(nii.binaryblock + bytes(4) + bytes(10**6))
    yield "a.nii", nii.binaryblock + bytes(4)
    body = struct.pack("<IIII", 6, 8, 9, 0) + struct.pack("<IIii", 5, 8, side, side)
    body += struct.pack("<IIII", 1 + (1 << 16), 97, 2, side * side)
    body = struct.pack("<II", 14, len(body) + side * side) + body
    packed = zlib.compress(body + bytes(10**6))
    head = b" " * 124 + struct.pack("<H", 0x100) + b"IM"
    yield "a.mat", head + struct.pack("<II", 15, len(packed)) + packed


@pytest.mark.parametrize(("name", "data"), list(bombs()), ids=[name for name, _ in bombs()])
def test_bombs_are_refused_from_their_headers(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(
        UnreadableFile,
        match=rf"{name}: holds 1,600,000,000 values .*more than the 134,217,728 that are read.*"
        r"TOPOSEG_MAX_PIXELS to 1600000000 or more",
    ):
        read_array(tmp_path / name)


def test_a_strip_never_unpacks_to_more_than_its_tags_say(tmp_path):
    """A deflate bomb in a picture of 16 x 16; the process would need a gigabyte."""
    data = zlib.compressobj(9)
    packed = b"".join(data.compress(bytes(2**24)) for _ in range(64)) + data.flush()
    tifffile.imwrite(
        tmp_path / "a.tif", iter([packed]), shape=(16, 16), dtype="u1", compression="zlib",
        metadata=None, rowsperstrip=16,
    )  # fmt: skip
    code = (
        "import sys; from pathlib import Path\n"
        "from toposeg_lite.data.reading import read_array\n"
        "from toposeg_lite.memory import peak_memory\n"
        "before = peak_memory()\n"
        "assert not read_array(Path(sys.argv[1])).any()\n"
        "print(int(peak_memory() - before) // 2**20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.tif")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100


def test_the_margins_of_tiles_count(tmp_path):
    """Tiles far larger than their picture fill the memory as well as a large picture."""
    tifffile.imwrite(tmp_path / "a.tif", numbers("u1", (16, 512)), tile=(16, 16), metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    place = data.index(struct.pack("<H", 323), 8)
    data[place : place + 12] = struct.pack("<HHII", 323, 4, 1, 2**20)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"holds 536,870,912 values \(shape \(1048576, 512"):
        read_array(tmp_path / "a.tif")


def test_the_bound_can_be_raised_and_lowered(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", GREY)
    monkeypatch.setenv("TOPOSEG_MAX_PIXELS", str(GREY.size - 1))
    with pytest.raises(UnreadableFile, match=rf"holds {GREY.size} values \(shape \(13, 21, 1\)\)"):
        read_array(tmp_path / "a.png")
    monkeypatch.setenv("TOPOSEG_MAX_PIXELS", str(GREY.size))
    same(tmp_path / "a.png", GREY)
    for bad in ("0", "-3", "many", "1e9"):
        monkeypatch.setenv("TOPOSEG_MAX_PIXELS", bad)
        with pytest.raises(ValueError, match=f"must be a positive integer; got '{bad}'"):
            max_pixels()
    monkeypatch.delenv("TOPOSEG_MAX_PIXELS")
    assert max_pixels() == 512**3


def test_volumes_count_all_their_pages(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", numbers("u1", (9, 13, 21)), photometric="minisblack")
    monkeypatch.setenv("TOPOSEG_MAX_PIXELS", str(9 * 13 * 21 - 1))
    with pytest.raises(UnreadableFile, match="holds 2,457 values"):
        read_array(tmp_path / "a.tif")


def test_files_that_cannot_be_opened_raise_what_the_system_says(tmp_path):
    for kind in ("png", "tif", "npy", "mat", "nii", "nii.gz"):
        with pytest.raises(FileNotFoundError):
            read_array(tmp_path / f"no.{kind}")
        (tmp_path / f"empty.{kind}").write_bytes(b"")
        with pytest.raises(UnreadableFile, match=f"empty.{kind}: "):
            read_array(tmp_path / f"empty.{kind}")
        (tmp_path / f"folder.{kind}").mkdir()
        with pytest.raises(IsADirectoryError):
            read_array(tmp_path / f"folder.{kind}")
    with pytest.raises(UnreadableFile, match="not of a known kind"):
        read_array(tmp_path / "a.gif")


def test_likelihoods_of_wide_numbers():
    assert to_likelihood(numbers("u8")).max() == 1
    np.testing.assert_array_equal(to_likelihood(np.array([0, 0.5, 1], np.float16)), [0, 0.5, 1])
