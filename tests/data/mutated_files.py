"""Read mutated files of one kind, and end with the first surprise: a program for `test_fuzz.py`.

`python mutated_files.py KIND SEED COUNT` writes a table of what happened as JSON. It runs in a
process of its own, so that a crash, a hang or a full memory is that process's alone.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import tifffile
from mutations import MEGABYTES, SECONDS, mutate
from PIL import Image, PngImagePlugin
from scipy.io import savemat

from toposeg_lite.data.files import UnreadableFile
from toposeg_lite.data.reading import read_file
from toposeg_lite.memory import peak_memory


def saved(write, *arguments, **options):
    """Return the bytes that a writer writes."""
    file = io.BytesIO()
    write(file, *arguments, **options)
    return file.getvalue()


def seeds(kind):
    """Return good files of a kind."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (12, 17), dtype=np.uint8)
    mask = grey > 128
    colour = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    volume = rng.integers(0, 256, (3, 12, 17), dtype=np.uint8)
    picture = Image.fromarray(mask.astype(np.uint8))
    picture.putpalette([0, 0, 0, 128, 0, 0])
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == "png":
        text = PngImagePlugin.PngInfo()
        text.add_text("author", "me" * 40, zip=True)
        seen = np.dstack([colour, grey])
        made = [
            saved(Image.fromarray(a).save, "PNG", exif=exif)
            for a in (grey, colour, seen, mask, grey.astype(np.uint16) * 257)
        ]
        return [
            *made,
            saved(picture.save, "PNG", transparency=0, bits=1),
            saved(Image.fromarray(grey).save, "PNG", pnginfo=text),
        ]
    if kind == "jpg":
        return [
            saved(Image.fromarray(a).save, "JPEG", exif=exif, progressive=p)
            for a in (grey, colour)
            for p in (False, True)
        ]
    if kind == "tif":
        wide = rng.integers(0, 65536, (20, 33, 3), dtype=np.uint16)
        write = tifffile.imwrite
        pillow = [(grey, "tiff_lzw"), (grey, "packbits"), (mask, "group4"), (colour, "jpeg")]
        return [
            *(saved(write, a) for a in (grey, mask, volume, grey / 255, wide)),
            saved(write, wide, photometric="rgb", compression="zlib", predictor=True),
            saved(write, wide, photometric="rgb", tile=(16, 16), planarconfig="separate"),
            saved(write, volume, imagej=True),
            saved(write, volume, ome=True),
            saved(write, volume, bigtiff=True, byteorder=">"),
            saved(picture.save, "TIFF"),
            *(saved(Image.fromarray(a).save, "TIFF", compression=c) for a, c in pillow),
        ]
    if kind == "npy":
        return [saved(np.save, a) for a in (grey, mask, volume.T, grey / 255)]
    if kind == "mat":
        everything = {"a": grey, "s": 3, "t": "text", "c": np.array([grey, "x"], object)}
        everything["struct"] = {"field": mask, "name": "me"}
        return [
            saved(savemat, {"picture": grey}),
            saved(savemat, {"picture": grey / 255}, do_compression=True),
            saved(savemat, everything),
            saved(savemat, everything, do_compression=True),
            saved(savemat, {"picture": grey / 255}, format="4"),
        ]
    images = []
    for made in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        image = made(volume, np.diag([2.0, 1, 1, 1]))
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"hello" * 9))
        images.append(image.to_bytes())
    return images if kind == "nii" else [gzip.compress(image, 1) for image in images]


def mutate_png(data, rng):
    """Mutate one chunk of a png, or what it unpacks to, and make its checksum right again."""
    chunks, place = [], 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += size + 12
    k = int(rng.integers(len(chunks) - 1))
    name, body = chunks[k]
    if name == b"IDAT" and rng.random() < 0.5:
        body = zlib.compress(mutate(zlib.decompress(body), rng))
    else:
        body = mutate(body, rng)
    chunks[k] = (name, body)
    out = data[:8]
    for name, body in chunks:
        out += struct.pack(">I", len(body)) + name + body
        out += struct.pack(">I", zlib.crc32(name + body))
    return out


def mutate_mat(data, rng):
    """Mutate what the first compressed variable of a mat file unpacks to."""
    size = int.from_bytes(data[132:136], "little")
    packed = zlib.compress(mutate(zlib.decompress(data[136 : 136 + size]), rng))
    return data[:132] + struct.pack("<I", len(packed)) + packed + data[136 + size :]


def changed(kind, data, rng):
    """Return a mutated file; half of what is packed is mutated inside."""
    if rng.random() < 0.5:
        if kind == "png":
            return mutate_png(data, rng)
        if kind == "nii.gz":
            return gzip.compress(mutate(gzip.decompress(data), rng), 1)
        if kind == "mat" and data[128:132] == b"\x0f\0\0\0":
            return mutate_mat(data, rng)
    return mutate(data, rng)


def main(kind, seed, count):
    """Read `count` mutated files; return how often what happened, and the most time and room."""
    rng = np.random.default_rng(seed)
    good = seeds(kind)
    counts = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, f"a.{kind}")
        for data in good:
            path.write_bytes(data)
            try:
                read_file(path)
            except UnreadableFile as error:
                counts["good refused"] += 1
                print(error, file=sys.stderr)
        before = peak_memory()
        for number in range(count):
            data = changed(kind, good[number % len(good)], rng)
            path.write_bytes(data)
            indices = bool(number % 2)
            began = time.perf_counter()
            # A crash leaves its file behind.
            Path(sys.argv[4]).write_bytes(data)
            try:
                content = read_file(path, indices=indices)
                counts["read"] += 1
                assert content.array.dtype.kind in "biuf", content.array.dtype
            except UnreadableFile:
                counts["refused"] += 1
            seconds = time.perf_counter() - began
            longest = max(longest, seconds)
            if seconds > SECONDS:
                raise RuntimeError(f"file {number} took {seconds:.1f} s")
            megabytes = (peak_memory() - before) / 2**20
            if megabytes > MEGABYTES:
                raise MemoryError(f"file {number} took {megabytes:.0f} MB")
    return {**counts, "seconds": round(longest, 2), "megabytes": round(megabytes)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # damaged files are damaged in ways that Pillow warns of
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
