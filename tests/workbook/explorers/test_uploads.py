"""Readers' own files: bombs are refused before anything is unpacked, and what is done is said."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from screens import file_of

from toposeg_lite.workbook.explorers import read_image, read_volume, uploads
from toposeg_lite.workbook.explorers.uploads import bring_colours, bring_image, bring_volume

READERS = {
    "image": read_image,
    "volume": read_volume,
    "colours": lambda content: bring_colours(content, 3).values,
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
SIDE = 30_000


def chunk(kind, content):
    """Return a chunk of a PNG file."""
    return (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )  # fmt: skip


def packed_zeros(count):
    """Return so many zeros, deflated."""
    packer = zlib.compressobj(1)
    piece = bytes(2**24)
    parts = [packer.compress(piece) for _ in range(count // len(piece))]
    return b"".join([*parts, packer.compress(bytes(count % len(piece))), packer.flush()])


def tif(tags, data):
    """Return a tif of one page whose pixels lie behind its tags."""
    head = 8 + 2 + 12 * len(tags) + 4
    numbers = [
        struct.pack("<HHII", tag, 4, 1, head if value is None else value) for tag, value in tags
    ]
    page = struct.pack("<H", len(tags)) + b"".join(numbers) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + page + data


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Write small files that ask for much memory; return the folder and their names."""
    folder = tmp_path_factory.mktemp("bombs")
    zeros = packed_zeros(SIDE * (SIDE + 1))
    plain = [(256, SIDE), (257, SIDE), (258, 8), (259, 8), (262, 1), (273, None), (277, 1)]
    small = [(256, 16), (257, 16), *plain[2:5], (277, 1)]
    pages = [Image.new("L", (64, 64))] * 5000
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")
    wide = io.BytesIO()
    Image.new("L", (6000, 6000)).save(wide, "GIF")
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    found = {
        "zeros.png": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zeros)
        + chunk(b"IEND", b""),
        "zeros.tif": tif([*plain, (278, SIDE), (279, len(zeros))], zeros),
        "one_tile.tif": tif(
            [*small, (322, SIDE // 16 * 16), (323, SIDE // 16 * 16), (324, None),
             (325, len(zeros))], zeros,
        ),
        "pages.tif": file.getvalue(),
        "wide.gif": wide.getvalue(),
        "wide.ppm": b"P6 30000 30000 255\n",
        "wide.bmp": b"BM" + struct.pack("<IIIIiiHHI", 54, 0, 54, 40, SIDE, SIDE, 1, 24, 0)
        + bytes(24),
    }  # fmt: skip
    for name, content in found.items():
        (folder / name).write_bytes(content)
    return folder, list(found)


# The child reads every bomb by every reader, and says how far each has raised its peak.
CHILD = """
import sys
from pathlib import Path
from toposeg_lite.memory import peak_memory
from toposeg_lite.workbook.explorers import read_image, read_volume, uploads
readers = {
    "image": read_image, "volume": read_volume, "colours": lambda c: uploads.bring_colours(c, 3),
}
peak = lambda: int(peak_memory()) // 2**20
for path in sorted(Path(sys.argv[1]).iterdir()):
    content = path.read_bytes()
    for name, read in readers.items():
        before = peak()
        try:
            read(content)
            said = "taken"
        except ValueError as error:
            said = str(error)
        print(path.name, name, peak() - before, said, sep="|")
"""


def in_a_child(folder):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted otherwise")
def test_bombs_are_refused_and_take_no_memory(bombs):
    folder, names = bombs
    said = in_a_child(folder)
    assert {(name, reader) for name, reader, *_ in said} == {
        (name, reader) for name in names for reader in READERS
    }
    for name, reader, megabytes, sentence in said:
        # 4096 small pages are not too large for a volume, and held until there is one too many.
        limit = 100 if (name, reader) == ("pages.tif", "volume") else 40
        assert int(megabytes) < limit, (name, reader, megabytes)
        if name == "pages.tif":  # small pages: what is taken of them is one, or few at a time
            wanted = "more than the 4096 pages" if reader == "volume" else "same value|taken"
        else:
            wanted = "TOPOSEG_MAX_UPLOAD to \\d+ or more"
        assert re.search(wanted, sentence), (name, reader, sentence)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted otherwise")
def test_a_picture_at_the_bound_needs_what_the_docstring_says(tmp_path):
    side = int(uploads._MAX_PIXELS**0.5)
    Image.new("RGB", (side, side), (1, 2, 3)).save(tmp_path / "large.png", compress_level=1)
    for _, reader, megabytes, sentence in in_a_child(tmp_path):
        assert int(megabytes) < 600, reader
        assert sentence.startswith("taken") or "same value" in sentence


@readers
def test_the_bound_can_be_raised_and_lowered(read, monkeypatch):
    content = file_of(np.arange(400, dtype=np.uint16).reshape(20, 20))
    monkeypatch.setenv("TOPOSEG_MAX_UPLOAD", "399")
    with pytest.raises(ValueError, match=r"has 400 pixels or more \(20 x 20 a page\), above .*399"):
        read(content)
    monkeypatch.setenv("TOPOSEG_MAX_UPLOAD", "400")
    read(content)
    monkeypatch.setenv("TOPOSEG_MAX_UPLOAD", "10")
    with pytest.raises(ValueError, match=r"bytes, more than the 40 that are taken"):
        read(content)
    for bad in ("0", "-3", "many", "1e9"):
        monkeypatch.setenv("TOPOSEG_MAX_UPLOAD", bad)
        with pytest.raises(ValueError, match=f"UPLOAD must be a positive integer; got '{bad}'"):
            read(content)


def test_the_bound_is_not_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(file_of(np.arange(400, dtype=np.uint16).reshape(20, 20))).shape == (20, 20)


def test_all_pages_of_a_volume_count(monkeypatch):
    file = io.BytesIO()
    tifffile.imwrite(file, np.arange(9 * 13 * 21, dtype=np.uint16).reshape(9, 13, 21))
    assert read_volume(file.getvalue()).shape == (9, 13, 21)
    monkeypatch.setenv("TOPOSEG_MAX_UPLOAD", str(9 * 13 * 21 - 1))
    with pytest.raises(ValueError, match="has 2,457 pixels or more"):
        read_volume(file.getvalue())


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",  # would run a program
        b"\xd7\xcd\xc6\x9a" + bytes(99),
        b"RIFF\0\0\0\0WEBPVP8X" + bytes(99),
        b"\x80\x04\x95pickle",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["EPS", "WMF", "WebP", "pickle", "SVG"],
)
@readers
def test_other_kinds_are_never_opened(read, content):
    with pytest.raises(ValueError, match=r"no picture that Pillow can read \(PNG, JPEG, TIFF"):
        read(content)


@readers
def test_damaged_files_raise_nothing_but_a_value_error(read):
    generator = np.random.default_rng(5)
    pixels = generator.integers(0, 256, (30, 40), np.uint8)
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM"):
        whole = file_of(pixels, kind)
        for _ in range(60):
            content = bytearray(whole[: generator.integers(1, len(whole) + 1)])
            for place in generator.integers(0, len(content), 3):
                content[place] = generator.integers(256)
            found, said = np.zeros(0), ""
            try:
                found = read(bytes(content))
            except ValueError as error:
                said = str(error)
            assert bool(said) != bool(found.size)
            assert np.isfinite(found).all()


# --- What is done with a picture ------------------------------------------------------------------


def test_large_pictures_are_means_of_their_blocks():
    """Strips and blocks, which need not divide the sides, against SciPy's exact means."""
    from scipy.ndimage import uniform_filter

    pixels = np.random.default_rng(2).integers(0, 65536, (2203, 1517), dtype=np.uint16)
    picture = Image.fromarray(pixels)
    block = 2203 // (4 * 50)
    small = uploads._reduced(picture, 50)
    means = uniform_filter(pixels.astype(float), block, origin=-(block // 2))[::block, ::block]
    inside = np.s_[: 2203 // block, : 1517 // block]
    np.testing.assert_allclose(small[inside], means[inside], rtol=1e-9)
    top, left = (block * (length - 1) for length in small.shape)
    assert small[-1, -1] == pytest.approx(pixels[top:, left:].mean())


@pytest.mark.parametrize("strip", [1, 10_000, 2**20])
def test_strips_do_not_show(strip, monkeypatch):
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (900, 611, 3), np.uint8))
    whole = uploads._reduced(picture, 20)
    monkeypatch.setattr(uploads, "_STRIP", strip)
    np.testing.assert_allclose(uploads._reduced(picture, 20), whole, rtol=1e-12)


def test_a_large_picture_looks_like_a_small_one():
    rows, columns = np.indices((1600, 2400))
    pixels = (127 + 120 * np.sin(rows / 150) * np.cos(columns / 200)).astype(np.uint8)
    large = read_image(file_of(pixels), size=60)
    small = read_image(file_of(pixels[::8, ::8].copy()), size=60)
    assert large.shape == small.shape == (40, 60)
    assert np.abs(large - small).max() < 0.03


def test_what_was_done_is_said():
    pixels = np.random.default_rng(3).integers(1000, 4000, (200, 300), dtype=np.uint16)
    assert bring_image(file_of(pixels), size=150, dark=True).notes == (
        "scaled from 200 x 300 to 100 x 150 pixels",
        bring_image(file_of(pixels), size=150).notes[1],
        "dark made bright",
    )
    assert re.fullmatch(
        r"grey values 1\d+(\.\d+)? to 3\d+(\.\d+)? stretched to 0 to 1",
        bring_image(file_of(pixels), size=150).notes[1],
    )
    taken = bring_colours(file_of(pixels), 3, side=256)
    assert taken.notes[0] == ("only the middle, 200 x 256 of 200 x 300 pixels, at its own scale")
    assert re.fullmatch(r"values 100\d to 399\d stretched to 0 to 1", taken.notes[1])
    assert (taken.values.min(), taken.values.max()) == (0, 1)


def test_a_camera_of_12_bits_in_a_file_of_16_is_not_black():
    pixels = np.linspace(0, 4095, 900).astype(np.uint16).reshape(30, 30)
    assert bring_colours(file_of(pixels, "TIFF"), 3).values.mean() == pytest.approx(0.5, abs=0.01)


def test_a_photograph_is_turned_upright():
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:, :10] = 255
    picture, file = Image.fromarray(pixels), io.BytesIO()
    turned = picture.getexif()
    turned[0x0112] = 6  # the camera was held so that the left side is up
    picture.save(file, "JPEG", exif=turned, quality=95)
    taken = bring_image(file.getvalue())
    assert taken.values.shape == (40, 20)
    assert taken.values[:8].mean() > 0.9 > 0.1 > taken.values[12:].mean()
    assert taken.notes[0] == "turned upright, as the camera noted"
    colours = bring_colours(file.getvalue(), 1)
    assert colours.values.shape == (1, 40, 20)
    assert colours.values[0, :8].mean() > 0.9


def test_a_volume_says_how_it_was_scaled():
    file = io.BytesIO()
    slices = np.random.default_rng(0).integers(0, 256, (5, 90, 400), dtype=np.uint8)
    tifffile.imwrite(file, slices)
    taken = bring_volume(file.getvalue(), size=32)
    assert taken.values.shape == (5, 32, 32)
    assert taken.notes[0] == "scaled from 5 x 90 x 400 to 5 x 32 x 32 voxels"
