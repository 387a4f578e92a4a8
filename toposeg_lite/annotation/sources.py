"""Begin a session with what another tool made: its mask, its likelihood, or both, as files.

A mask alone knows no likelihood. `likelihood_of_mask` makes one whose base is the mask, pixel by
pixel, and whose ridges run in the middle of it.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..checks import check_number, check_path, check_same_shape
from ..data.files import FileContent, UnreadableFile
from ..data.folders import stand_upright, structure_of
from ..data.nifti import lay_on
from ..data.reading import channels_first, read_file, to_likelihood
from ..topology.grid import check_image, check_mask
from .session import AnnotationSession

__all__ = ["likelihood_of_mask", "open_session"]


def likelihood_of_mask(mask: Any, likelihood: Any = None, *, reach: float = 0.0) -> np.ndarray:
    """Return a likelihood that is 0.5 or above exactly where a mask is.

    Parameters
    ----------
    mask : (*spatial) array of bool or of 0 and 1
        Of any tool, 2D or 3D.
    likelihood : (*spatial) array of float, optional
        In [0, 1], of the same tool: it is brought to [0.5, 1] inside the mask and to [0, 0.5)
        outside, and keeps its order in both. None: inside, the depth (the distance to the
        background, of which the deepest is 1); outside, what `reach` says.
    reach : float
        Without a likelihood: outside the mask it falls from just below 0.5 to 0 at this distance,
        in pixels. So gaps up to twice as wide become branches to be asked about, the wider the
        less persistent. Default 0: outside there is nothing to ask.

    Returns
    -------
    (*spatial) array of float32

    Examples
    --------
    >>> likelihood_of_mask([[0, 1, 1, 1, 0, 0, 1]], reach=2).round(2)
    array([[0.25, 0.75, 1.  , 0.75, 0.25, 0.25, 0.75]], dtype=float32)
    >>> likelihood_of_mask([[1, 0]], np.array([[0.2, 0.9]]))
    array([[0.6 , 0.45]], dtype=float32)
    """
    mask, reach = check_mask(mask, "mask"), check_number(reach, "reach")
    below = np.nextafter(np.float32(0.5), np.float32(0))
    if likelihood is not None:
        if reach:
            raise ValueError(f"reach goes with a mask alone; got {reach} beside a likelihood")
        given = check_image(likelihood, "likelihood").astype(np.float32)
        check_same_shape(mask, given, ("mask", "likelihood"))
        return np.where(mask, 0.5 + given / 2, np.minimum(given / 2, below)).astype(np.float32)
    inside = distance_transform_edt(mask) if not mask.all() else np.ones(mask.shape)
    values = 0.5 + 0.5 * inside / max(inside.max(), 1)
    if reach and mask.any():
        outside = 0.5 * (1 - distance_transform_edt(~mask) / reach)
        values = np.where(mask, values, np.clip(outside, 0, below))
    else:
        values = np.where(mask, values, 0)
    return values.astype(np.float32)


def open_session(
    image: str | PathLike[str],
    *,
    likelihood: str | PathLike[str] | None = None,
    mask: str | PathLike[str] | None = None,
    path: str | PathLike[str] | None = None,
    reach: float = 0.0,
    **options: Any,
) -> AnnotationSession:
    """Begin a session, or go on with one, from files that any tools wrote.

    Parameters
    ----------
    image : path
        png, jpg, tif, npy, mat, nii or nii.gz; channels may come last or first.
    likelihood : path, optional
        The same kinds: integers are divided by the largest of their type, floats lie in [0, 1].
    mask : path, optional
        The same kinds: 0 and one other value. With a likelihood beside it, the mask says where the
        result begins and the likelihood how sure each branch is; see `likelihood_of_mask`.
    path : path, optional
        The journal, as of `AnnotationSession`. To go on with one, pass the same files.
    reach : float
        With a mask alone: see `likelihood_of_mask`.
    **options
        Of `AnnotationSession`, all but `image`, `likelihood` and `path`.

    Returns
    -------
    AnnotationSession
        Its `notes` say what was decided about the files.

    Raises
    ------
    OSError
        If a file is not there, and as of `AnnotationSession`.

    Notes
    -----
    NIfTI volumes are brought to the image's axes and directions, and refused if their voxels lie
    elsewhere. Pictures are turned upright if they say so, with what lies beside them; if one alone
    says so and the shapes fit either way, the two are refused, as `toposeg_lite.data.folder` does.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = [Path(folder, name) for name in ("image.npy", "mask.npy")]
    ...     np.save(names[0], np.array([[0.1, 0.7, 0.8, 0.2]]))
    ...     np.save(names[1], np.array([[False, True, True, False]]))
    ...     open_session(names[0], mask=names[1]).mask()
    array([[False,  True,  True, False]])
    """
    if likelihood is None and mask is None:
        raise ValueError("likelihood or mask must name a file; got None for both")
    picture = shown = _read(image, "image")
    beside: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name, file in (("likelihood", likelihood), ("mask", mask)):
        if file is not None:
            shown, content = _laid_on(file, name, picture)
            beside[name] = _values(file, name, content)
            notes += [f"{name}: {note}" for note in content.notes]
    start = beside.get("likelihood")
    if "mask" in beside:
        start = likelihood_of_mask(beside["mask"], start, reach=reach)
    elif check_number(reach, "reach"):
        raise ValueError(f"reach goes with a mask alone; got {reach} and no mask")
    assert start is not None
    values = np.ascontiguousarray(shown.array)
    if values.ndim == start.ndim + 1 and values.shape[:-1] == start.shape:
        values = channels_first(values, start.ndim)
    session = AnnotationSession(values, start, path, **options)
    session.notes = (*(f"image: {note}" for note in shown.notes), *notes)
    return session


def _read(file: Any, name: str) -> FileContent:
    """Return what a file holds; of a mask its labels."""
    try:
        return read_file(check_path(file, name), indices=name == "mask")
    except UnreadableFile as error:
        raise ValueError(f"{name}: {error}") from None


def _laid_on(file: Any, name: str, picture: FileContent) -> tuple[FileContent, FileContent]:
    """Return the image, and a likelihood or mask that lies on it, turned as they ask."""
    content = _read(file, name)
    try:
        return stand_upright(picture, lay_on(content, picture))
    except ValueError as error:  # whose words are those of a mask
        text = str(error).replace("the mask", f"the {name}")
        raise ValueError(f"{name}: {file}: {text}") from None


def _values(file: Any, name: str, content: FileContent) -> np.ndarray:
    """Return the values of a likelihood, or where the structure of a mask is."""
    problems: list[str] = []
    try:
        array = np.ascontiguousarray(content.array)
        if name == "likelihood":
            return to_likelihood(array)
        structure = structure_of(str(file), array, "nonzero", None, problems)[1]
    except ValueError as error:
        raise ValueError(f"{name}: {file}: {error}") from None
    if problems:
        raise ValueError(f"{name}: {problems[0]}")
    return structure
