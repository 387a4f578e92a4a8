"""Lines that come in from other tools, and those of sessions that come back: `Line`, and readers.

Whatever a file calls them, lines are paths of points, row first, in pixels. `read_lines` reads
GeoJSON and SWC, `lines_from_skan` takes a `skan.Skeleton`, and
`toposeg_lite.annotation.from_napari` the layers of napari. `AnnotationSession.take` makes
decisions and strokes of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..checks import check_choice, check_integer, check_number, check_path
from ..topology.branches import ACCEPTED, REJECTED, UNDECIDED, BranchSet
from ..topology.grid import check_spacing
from .edits import check_points
from .swc import read_swc

__all__ = [
    "DECISIONS",
    "KINDS",
    "Line",
    "check_lines",
    "lines_from_skan",
    "read_lines",
    "scale_of",
]

#: What a line is: a branch of a session, or a stroke. Lines of other tools are drawn strokes.
KINDS = ("branch", "drawn", "erased")
#: The words for decisions in files.
DECISIONS = {ACCEPTED: "accepted", REJECTED: "rejected", UNDECIDED: "undecided"}
_NUMBERS = {word: number for number, word in DECISIONS.items()}


class Line(NamedTuple):
    """A line, as files and other tools hold it.

    Attributes
    ----------
    points : (k, ndim) array of float64
        Where it passes, in pixels, row first, pixel centres at whole numbers.
    kind : {"branch", "drawn", "erased"}
        A branch of a session, or a stroke that is drawn or erased.
    decision : int
        About a branch: 1 (accepted), 0 (undecided) or -1 (rejected).
    radius : float or None
        Of a stroke, in pixels: half its width, 0 is one pixel wide. None: the session's own.
    """

    points: np.ndarray
    kind: str = "drawn"
    decision: int = UNDECIDED
    radius: float | None = None


def read_lines(
    path: str | PathLike[str], *, ndim: int = 2, spacing: Sequence[float] | None = None
) -> list[Line]:
    """Read the lines of a GeoJSON or SWC file, of a session's or of any other tool's.

    - ``.geojson``, ``.json``: LineString, MultiLineString and Point, alone, as features or in
      collections; (x, y) or (x, y, z). A feature with the properties that
      `AnnotationSession.export` writes has its kind, decision and radius; any other is a line that
      is drawn. Areas are refused: their outlines are no middle lines.
    - ``.swc``: the ways between ends and forks of the trees, drawn; a line's radius is the median
      of its nodes'. Nodes in one place are one node, so loops that `AnnotationSession.export` cut
      are closed again.

    Parameters
    ----------
    path : path
        The file.
    ndim : int
        2 or 3: what the image has. The z of SWC must be 0 for 2.
    spacing : sequence of float, optional
        The lengths of a pixel along (z,) y, x in the file's unit, if its numbers are no pixels.

    Returns
    -------
    list of Line
        In the order of the file.

    Raises
    ------
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "line.geojson")
    ...     text = '{"type": "LineString", "coordinates": [[4, 0], [4, 2.5]]}'
    ...     _ = path.write_text(text)
    ...     read_lines(path)[0].points
    array([[0. , 4. ],
           [2.5, 4. ]])
    """
    path, ndim = check_path(path, "path"), check_integer(ndim, "ndim", 2, 3)
    scale = scale_of(spacing, ndim)
    ending = path.suffix.lower()
    if ending == ".swc":
        return _from_swc(path, ndim, scale)
    if ending not in (".geojson", ".json"):
        raise ValueError(f"path must end in .geojson, .json or .swc; got {path.name!r}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [line._replace(points=line.points / scale) for line in _features(content, ndim)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"path: {path} holds no lines that can be read: {error}") from None


def lines_from_skan(skeleton: Any) -> list[Line]:
    """Return the paths of a `skan.Skeleton` as lines to be drawn; its pixels count, no spacing.

    Examples
    --------
    >>> class Skeleton:  # as far as it is needed
    ...     n_paths = 1
    ...     def path_coordinates(self, index):
    ...         return np.array([[1, 1], [1, 2]])
    >>> lines_from_skan(Skeleton())[0].points.tolist()
    [[1.0, 1.0], [1.0, 2.0]]
    """
    if isinstance(skeleton, type) or not hasattr(skeleton, "path_coordinates"):
        raise TypeError(f"skeleton must be a skan.Skeleton; got {type(skeleton).__name__}")
    paths = (skeleton.path_coordinates(index) for index in range(skeleton.n_paths))
    return [Line(np.asarray(path, np.float64)) for path in paths]


def check_lines(lines: Any, branches: BranchSet) -> tuple[dict[int, int], list[Line]]:
    """Return what lines say of branches, and the strokes among them, if all can be taken in.

    The last word about a branch holds. Branches are known by their pixels, in either direction.
    """
    if isinstance(lines, str | Line) or not isinstance(lines, Iterable):
        raise TypeError(f"lines must be an iterable of Line; got {type(lines).__name__}")
    known = {path.tobytes(): k for k, path in enumerate(branches.paths)}
    decided: dict[int, int] = {}
    strokes, strangers = [], []
    for line in lines:
        if not isinstance(line, Line):
            raise TypeError(f"each of lines must be a Line; got {type(line).__name__}")
        points = check_points(line.points, branches.shape, "points of lines")
        if check_choice(line.kind, KINDS, "kind of lines") != "branch":
            if line.radius is not None:
                check_number(line.radius, "radius of lines")
            strokes.append(line)
            continue
        decision = check_integer(line.decision, "decision of lines", REJECTED, ACCEPTED)
        path = np.ravel_multi_index(tuple(points.T), branches.shape).astype(np.int64)
        path = path[np.append(True, np.diff(path) != 0)]  # a point may be written as a short line
        branch = known.get(path.tobytes(), known.get(path[::-1].tobytes()))
        if branch is None:
            strangers.append(points[0].tolist())
        elif decision != UNDECIDED:
            decided[branch] = decision
    if strangers:
        raise ValueError(
            f"lines hold {len(strangers)} branches that this session does not have, the first "
            f"begins at {strangers[0]}: they are those of another likelihood or other settings. "
            f"To draw them all the same, pass line._replace(kind='drawn')"
        )
    return decided, strokes


def scale_of(spacing: Any, ndim: int) -> np.ndarray:
    """Return the length of a pixel along each axis, (ndim,) float64; 1 where none is given."""
    check_spacing(spacing, ndim)
    return np.ones(ndim) if spacing is None else np.array([float(length) for length in spacing])


# --- GeoJSON --------------------------------------------------------------------------------------


def _features(thing: Any, ndim: int, facts: dict[str, Any] | None = None) -> list[Line]:
    """Return the lines of any object of GeoJSON, in the file's unit; raise if it has others."""
    kind = thing["type"]
    if kind == "FeatureCollection":
        return [line for part in thing["features"] for line in _features(part, ndim)]
    if kind == "Feature":
        return _features(thing["geometry"], ndim, thing.get("properties") or {})
    if kind == "GeometryCollection":
        return [line for part in thing["geometries"] for line in _features(part, ndim, facts)]
    paths = {
        "Point": lambda: [[thing["coordinates"]]],
        "MultiPoint": lambda: [[point] for point in thing["coordinates"]],
        "LineString": lambda: [thing["coordinates"]],
        "MultiLineString": lambda: thing["coordinates"],
    }
    if kind not in paths:
        raise ValueError(f"a {kind} is no line: pass middle lines, or the mask itself")
    return [_line(path, ndim, facts or {}) for path in paths[kind]()]


def _line(path: Any, ndim: int, facts: dict[str, Any]) -> Line:
    """Return one path of (x, y) or (x, y, z) as a line, with what a session wrote about it."""
    points = np.array(path, np.float64)
    if points.ndim != 2 or not len(points) or points.shape[1] != ndim:
        raise ValueError(f"a line must be points of {ndim} numbers; got {str(path)[:80]}")
    if not np.isfinite(points).all():
        raise ValueError("a line passes through points that are not finite")
    points = points[:, ::-1]
    kind = facts.get("kind")
    if kind not in KINDS:
        return Line(points)
    if kind == "branch":
        return Line(points, "branch", _NUMBERS[facts["decision"]])
    radius = facts.get("radius")
    return Line(points, kind, radius=None if radius is None else check_number(radius, "radius"))


# --- SWC ------------------------------------------------------------------------------------------


def _from_swc(path: Path, ndim: int, scale: np.ndarray) -> list[Line]:
    """Return the ways of the trees of an SWC file as strokes."""
    try:
        ways = read_swc(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ValueError(f"path: {path} is no SWC file that can be read: {error}") from None
    lines = []
    for places, radii in ways:  # (k, 3) x, y, z
        if ndim == 2 and places[:, 2].any():
            raise ValueError(f"path: {path} has points with z other than 0; ndim must be 3 for it")
        points = places[:, :ndim][:, ::-1] / scale
        # A line one pixel wide is half a pixel thick on each side of its middle.
        radius = max(float(np.median(radii)) / scale.min() - 0.5, 0.0)
        lines.append(Line(np.ascontiguousarray(points), radius=radius))
    return lines
