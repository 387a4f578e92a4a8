"""What a session is begun with, and how a journal knows it again: image, likelihood, settings.

A journal names its branches by their place in the likelihood. So the likelihood is kept beside the
journal, as ``<path>.likelihood.npz``, and outlives the model that it came from. The header of the
journal holds fingerprints of image and likelihood. A likelihood file with more values than
`toposeg_lite.data.files.max_pixels` allows is refused before it is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import check_reals
from ..data.files import check_pixels
from ..files import write_atomically
from ..topology.grid import check_image
from .journal import Journal

__all__ = [
    "check_picture",
    "check_same_image",
    "check_same_settings",
    "find_likelihood",
    "fingerprint",
    "kept_likelihood",
]


def check_picture(image: Any) -> np.ndarray:
    """Return the image as a C-contiguous array of finite numbers."""
    array = np.ascontiguousarray(check_reals(image, "image"))
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise ValueError(
            f"image must have 2 or 3 axes, after an axis of channels or without one; "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("image holds values that are NaN or infinite")
    return array


def fingerprint(array: np.ndarray) -> dict[str, Any]:
    """Return by what a header knows an array again: its shape, and a digest of type and values."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    kind = f"{array.shape} {little.dtype.str} ".encode()
    digest = hashlib.sha256(kind + little.tobytes()).hexdigest()
    return {"shape": list(array.shape), "sha256": digest}


def check_same_image(image: np.ndarray, journal: Journal) -> None:
    """Raise a ValueError if a journal was begun with another image."""
    if journal.header is None:
        return
    ours, theirs = fingerprint(image), journal.header["image"]
    if theirs != ours:
        raise ValueError(
            f"{journal.path} is the journal of another image: of shape {tuple(theirs['shape'])} "
            f"and digest {theirs['sha256'][:12]}; got shape {image.shape} and digest "
            f"{ours['sha256'][:12]}. Pass the same array, in the same type, or choose another path"
        )


def check_same_settings(settings: dict[str, Any], journal: Journal) -> None:
    """Raise a ValueError if a journal was begun with other settings."""
    if journal.header is None:
        return
    theirs = dict(journal.header["settings"])
    if "persistence" in theirs:  # what min_persistence was called in the first journals
        theirs["min_persistence"] = theirs.pop("persistence")
    if theirs != settings:
        other = {name: value for name, value in theirs.items() if settings.get(name) != value}
        raise ValueError(
            f"{journal.path} was begun with other settings: {other}. Pass these, or choose "
            f"another path"
        )


def find_likelihood(given: Any, image: np.ndarray, journal: Journal | None) -> np.ndarray:
    """Return the likelihood that is given, or the one that the journal was begun with.

    It may be given as an array, a model or None; see `AnnotationSession`.
    """
    from_model = hasattr(given, "predict")
    if from_model and not hasattr(given, "likelihood"):
        raise TypeError(
            f"likelihood must be an array or a model with a method likelihood(image); "
            f"got {type(given).__name__} without one"
        )
    wanted = None  # the fingerprint that the likelihood must have
    if journal is not None and journal.header is not None:
        wanted = journal.header["likelihood"]["sha256"]
    # A header that cannot be read must not cost the likelihood that was kept with it.
    if journal is not None and (wanted or (journal.records and _file(journal.path).exists())):
        if given is None or from_model:
            return _load(journal.path, wanted)
        wanted = wanted or fingerprint(_load(journal.path, None))["sha256"]
    if given is None:
        raise ValueError("likelihood must be given to begin a session; got None")
    array = check_image(given.likelihood(image) if from_model else given, "likelihood")
    if journal is not None and wanted is not None and wanted != fingerprint(array)["sha256"]:
        raise ValueError(
            f"{journal.path} was begun with another likelihood. Pass None to go on with that "
            f"one, which is kept in {_file(journal.path)}, or choose another path"
        )
    return array


@contextmanager
def kept_likelihood(likelihood: np.ndarray, journal: Journal) -> Iterator[None]:
    """Write a likelihood beside a journal that is begun within; if that fails, take it away."""
    file = io.BytesIO()
    np.savez_compressed(file, likelihood=likelihood)
    write_atomically(_file(journal.path), file.getvalue())
    was_new = journal.is_new
    try:
        yield
    except OSError:
        if was_new:
            _file(journal.path).unlink()
        raise


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".likelihood.npz")


#: What reading a zip file and the array in it may raise if they are damaged.
_DAMAGED = (OSError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, EOFError,
            zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError)  # fmt: skip


def _load(path: Path, wanted: str | None) -> np.ndarray:
    """Read the likelihood kept beside a journal, which has this digest if one is known."""
    kept = _file(path)
    try:
        array = check_image(_read(kept), "likelihood")
    except FileNotFoundError:
        raise ValueError(
            f"the likelihood that {path} was begun with is gone: there is no {kept}. Pass it as "
            f"an array"
        ) from None
    except MemoryError as error:
        raise ValueError(f"{kept} needs more memory than there is") from error
    except _DAMAGED as error:
        raise ValueError(f"{kept} cannot be read: {error}") from None
    if wanted is not None and wanted != fingerprint(array)["sha256"]:
        raise ValueError(f"{kept} is not the likelihood that {path} was begun with")
    return array


def _read(kept: Path) -> np.ndarray:
    """Read the array of a likelihood file; its header bounds what is unpacked."""
    with zipfile.ZipFile(kept) as archive, archive.open("likelihood.npy") as file:
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        version = np.lib.format.read_magic(file)
        if version not in read:
            raise ValueError("it holds no array of numbers")
        shape, column_order, dtype = read[version](file)
        if dtype.kind not in "biuf":
            raise ValueError(f"it holds no numbers (dtype {dtype})")
        size = check_pixels(shape) * dtype.itemsize
        content = file.read(size + 1)  # read to its end, its own checksum is compared, too
    if len(content) != size:
        raise ValueError(f"its header says {size} bytes, which is not what it holds")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if column_order else "C")
    # A file may hold bytes for booleans other than 0 and 1, which crash compiled code.
    return array.view(np.uint8) != 0 if dtype.kind == "b" else array.copy()
