"""Read arrays of numbers from mat files of MATLAB 7 and older.

SciPy's reader trusts a file's own sizes, and a damaged file can end the interpreter in it. Here
every size is compared with the bytes that are there before they are used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import FileContent, UnreadableFile, check_pixels

__all__ = ["read_matlab"]

# How numbers are stored (the format's miINT8, miUINT8, ...), and the classes of arrays (mxDOUBLE
# and so on), which say what the stored numbers stand for: MATLAB keeps small doubles as bytes.
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_NUMBERS = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
_OTHERS = {1: "a cell", 2: "a struct", 4: "text", 5: "sparse", 16: "a function"}
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX, _LOGICAL = 0x800, 0x200
_HEAD = 4096  # bytes that hold the flags, dimensions and name of an array


class _Variable(NamedTuple):
    """One variable: its name, what it is unless it is an array, and its array of numbers."""

    name: str
    kind: str
    array: np.ndarray | None


def read_matlab(path: Path, variable: str | None) -> FileContent:
    """Return a variable of a mat file, or the only array of numbers in it.

    Numbers have the type of the variable in MATLAB, logical ones are bool. Single numbers, text,
    cells, structs and sparse matrices are no arrays of numbers.
    """
    check_pixels((path.stat().st_size // 8,))
    data = path.read_bytes()
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data[512:520] == b"\x89HDF\r\n\x1a\n":
        raise UnreadableFile("is a MATLAB 7.3 file, which is HDF5; save it with -v7, or as npy")
    if len(data) >= 4 and 0 in data[:4]:
        variables = list(_version_4(data))
    else:
        variables = list(_version_5(data))
    arrays = {v.name: v.array for v in variables if v.array is not None and v.array.size > 1}
    if variable is not None:
        if variable not in arrays:
            kinds = {v.name: v.kind for v in variables}
            what = f" ({variable!r} is {kinds[variable]})" if variable in kinds else ""
            raise UnreadableFile(f"no array {variable!r} in it{what}; it has {sorted(arrays)}")
        return FileContent(arrays[variable])
    if len(arrays) != 1:
        others = ", ".join(f"{v.name!r} is {v.kind}" for v in variables if v.array is None)
        raise UnreadableFile(
            f"must hold one array of numbers, or name one of {sorted(arrays)}"
            + (f"; {others}" if others else "")
        )
    return FileContent(next(iter(arrays.values())))


def _version_5(data: bytes) -> Iterator[_Variable]:
    """Yield the variables of a file of MATLAB 5 to 7."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or len(data) < 128:
        raise UnreadableFile("is no mat file of MATLAB 7 or older, or is damaged")
    position = 128
    while position < len(data):
        kind, start, size, position = _tag(data, position, order)
        body = data[start : start + size]
        if kind == _COMPRESSED:
            position = start + size  # what is compressed is followed by the next at once
            kind, body = _inflate(body, order)
        if kind == _MATRIX:
            yield _matrix(body, order)


def _inflate(packed: bytes, order: str) -> tuple[int, bytes]:
    """Return the kind and the body of a compressed element, never more than may be read."""
    stream = zlib.decompressobj()
    data = stream.decompress(packed, _HEAD)
    if len(data) < 8:
        raise UnreadableFile("is damaged: a compressed variable ends too early")
    kind, size = struct.unpack_from(f"{order}II", data)
    if kind != _MATRIX:
        return kind, b""
    name, flags, shape, _ = _matrix_head(data[8:], order)
    if flags & 0xFF not in _NUMBERS or flags & _COMPLEX:
        return kind, data[8:]  # only its name and its kind are wanted
    if size > 8 * check_pixels(shape) + _HEAD:
        raise UnreadableFile(f"is damaged: {name!r} is larger than its shape {shape} says")
    missing = size + 8 - len(data)
    if missing > 0:
        data += stream.decompress(stream.unconsumed_tail, missing)
    if len(data) < size + 8:
        raise UnreadableFile(f"is damaged: the numbers of {name!r} end too early")
    return kind, data[8 : size + 8]


def _tag(data: bytes, position: int, order: str) -> tuple[int, int, int, int]:
    """Return an element's kind, where its bytes begin, how many there are, and the next's place."""
    if position + 8 > len(data):
        raise UnreadableFile("is damaged: it ends within a variable")
    kind, size = struct.unpack_from(f"{order}II", data, position)
    start = position + 8
    following = start + size + (-size) % 8  # elements fill whole eights
    if kind >> 16:  # up to four bytes lie within the tag itself
        kind, size = kind & 0xFFFF, kind >> 16
        start, following = position + 4, position + 8
        if size > 4:
            raise UnreadableFile("is damaged: a short element has more than four bytes")
    if start + size > len(data):
        raise UnreadableFile("is damaged: it ends within a variable")
    return kind, start, size, following


def _matrix_head(body: bytes, order: str) -> tuple[str, int, tuple[int, ...], int]:
    """Return name, flags and shape of an array, and where its numbers begin."""
    parts = []
    position = 0
    for _ in range(3):
        _, start, size, position = _tag(body, position, order)
        parts.append(body[start : start + size])
    flags, sides, name = parts
    if len(flags) < 8 or len(sides) < 8 or len(sides) % 4 or len(sides) > 128:
        raise UnreadableFile("is damaged: a variable has no shape")
    shape = struct.unpack(f"{order}{len(sides) // 4}i", sides)
    return name.decode("latin1"), struct.unpack(f"{order}I", flags[:4])[0], shape, position


def _matrix(body: bytes, order: str) -> _Variable:
    """Return the array that the body of a matrix element holds."""
    if not body:
        return _Variable("", "empty", None)
    name, flags, shape, position = _matrix_head(body, order)
    family = flags & 0xFF
    if family not in _NUMBERS:
        return _Variable(name, _OTHERS.get(family, "an object"), None)
    if flags & _COMPLEX:
        return _Variable(name, "complex", None)
    count = check_pixels(shape)
    kind, start, size, _ = _tag(body, position, order)
    if kind not in _STORED:
        raise UnreadableFile(f"is damaged: {name!r} holds no numbers of a known kind")
    stored = np.dtype(order + _STORED[kind])
    if size != count * stored.itemsize:
        raise UnreadableFile(
            f"is damaged: {name!r} of shape {shape} has {size} bytes of numbers, "
            f"not {count * stored.itemsize}"
        )
    numbers = np.frombuffer(body, stored, count, start)
    array = numbers.astype(bool if flags & _LOGICAL else _NUMBERS[family])
    return _Variable(name, "a single number", array.reshape(shape, order="F"))


def _version_4(data: bytes) -> Iterator[_Variable]:
    """Yield the variables of a file of MATLAB 4: plain matrices, one after the other."""
    position = 0
    while position < len(data):
        if position + 20 > len(data):
            raise UnreadableFile("is damaged: it ends within a variable")
        for order in "<>":
            code, rows, columns, complex_, length = struct.unpack_from(f"{order}5i", data, position)
            if 0 <= code < 5000:
                break
        machine, zero, digit, family = (code // 10**k % 10 for k in (3, 2, 1, 0))
        stored = ("f8", "f4", "i4", "i2", "u2", "u1")
        if not (0 <= code < 2000 and zero == 0 and digit < 6 and family < 3 and length > 0):
            raise UnreadableFile("is no mat file of MATLAB 7 or older, or is damaged")
        count = check_pixels((rows, columns))
        dtype = np.dtype("<>"[machine] + stored[digit])
        start = position + 20 + length
        position = start + count * dtype.itemsize * (2 if complex_ else 1)
        if position > len(data):
            raise UnreadableFile("is damaged: it ends within a variable")
        name = data[start - length : start].rstrip(b"\0").decode("latin1")
        if family or complex_:
            yield _Variable(name, "complex" if complex_ else ("", "text", "sparse")[family], None)
            continue
        numbers = np.frombuffer(data, dtype, count, start).astype(stored[digit])
        yield _Variable(name, "a single number", numbers.reshape((rows, columns), order="F"))
