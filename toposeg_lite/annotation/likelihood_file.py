"""The likelihood that a journal was begun with, kept beside it as ``<path>.likelihood.npz``.

A journal names its branches by their place in the likelihood. So the likelihood outlives the model
that it came from, and the journal's header holds the fingerprint by which it is known again.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_atomically
from ..topology.grid import check_image
from .journal import Journal

__all__ = ["find_likelihood", "fingerprint", "keep_likelihood"]


def fingerprint(array: np.ndarray) -> dict[str, Any]:
    """Return by what a header knows an array again: its shape, and a digest of type and values."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    kind = f"{array.shape} {little.dtype.str} ".encode()
    digest = hashlib.sha256(kind + little.tobytes()).hexdigest()
    return {"shape": list(array.shape), "sha256": digest}


def find_likelihood(given: Any, image: np.ndarray, journal: Journal | None) -> np.ndarray:
    """Return the likelihood that is given, or the one that the journal was begun with.

    Parameters
    ----------
    given : array, BranchModel or None
        As `likelihood` of `AnnotationSession`.
    image : array
        For the model.
    journal : Journal or None
        Begun or not.

    Returns
    -------
    array of float
        In [0, 1].
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


def keep_likelihood(path: Path, likelihood: np.ndarray) -> None:
    """Write a likelihood beside the journal at `path`."""
    file = io.BytesIO()
    np.savez_compressed(file, likelihood=likelihood)
    write_atomically(_file(path), file.getvalue())


def _file(path: Path) -> Path:
    return path.with_name(path.name + ".likelihood.npz")


def _load(path: Path, wanted: str | None) -> np.ndarray:
    """Read the likelihood kept beside a journal, which has this digest if one is known."""
    kept = _file(path)
    try:
        with open(kept, "rb") as file, np.load(file) as arrays:
            array = check_image(arrays["likelihood"], "likelihood")
    except FileNotFoundError:
        raise ValueError(
            f"the likelihood that {path} was begun with is gone: there is no {kept}. Pass it as "
            f"an array"
        ) from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{kept} cannot be read: {error}") from None
    if wanted is not None and wanted != fingerprint(array)["sha256"]:
        raise ValueError(f"{kept} is not the likelihood that {path} was begun with")
    return array
