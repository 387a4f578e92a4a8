"""Write masks and lines in the file kinds that other programs read, whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..checks import check_reals
from ..files import make_folder, write_atomically
from ..topology.skeleton import thin_mask
from .edits import Stroke
from .lines import DECISIONS
from .swc import depth_of, write_swc

__all__ = ["branch_facts", "stroke_facts", "write_lines", "write_mask", "write_trees"]

_KINDS = (".png", ".tif", ".tiff", ".nii", ".nii.gz")


def write_mask(mask: np.ndarray, path: Path, *, skeleton: bool = False, affine: Any = None) -> None:
    """Write a mask, or its skeleton, to a file; see `AnnotationSession.export`."""
    kind = next((kind for kind in _KINDS[::-1] if path.name.lower().endswith(kind)), None)
    if kind is None:
        raise ValueError(
            f"path must end in one of {', '.join(_KINDS)} for a mask, or in .geojson or .swc for "
            f"lines; got {path.name!r}"
        )
    if affine is not None and ".nii" not in kind:
        raise ValueError(f"affine goes with NIfTI files alone; got a path that ends in {kind}")
    if kind == ".png" and mask.ndim == 3:
        raise ValueError("a volume is no PNG: choose .tif, .nii or .nii.gz")
    if skeleton and mask.any():
        mask = thin_mask(mask)
    make_folder(path.parent)
    write_atomically(path, _nifti(mask, affine, kind) if ".nii" in kind else _picture(mask, kind))


def write_lines(
    paths: Iterable[np.ndarray],
    properties: Iterable[dict[str, Any]],
    shape: tuple[int, ...],
    path: Path,
    scale: np.ndarray | None = None,
) -> None:
    """Write lines of pixels as a GeoJSON FeatureCollection, numbered from 0.

    Each line is given by the flat indices of its pixels in an image of this shape, and by what
    there is to say of it. Columns come before rows in the file; one pixel is written as a point.
    Coordinates are pixels, or multiples of them by `scale`, a length for each axis.
    """
    features = []
    for number, (line, facts) in enumerate(zip(paths, properties, strict=True)):
        pixels = np.stack(np.unravel_index(line, shape), axis=1)
        places = (pixels if scale is None else pixels * scale)[:, ::-1].tolist()
        geometry: dict[str, Any] = {"type": "LineString", "coordinates": places}
        if len(places) == 1:
            geometry = {"type": "Point", "coordinates": places[0]}
        feature = {"type": "Feature", "id": number, "geometry": geometry, "properties": facts}
        features.append(feature)
    collection = {"type": "FeatureCollection", "features": features}
    make_folder(path.parent)
    write_atomically(path, json.dumps(collection, allow_nan=False).encode())


def write_trees(mask: np.ndarray, path: Path, scale: np.ndarray) -> None:
    """Write the skeleton of a mask as SWC, in units of which a pixel has `scale`."""
    lengths = tuple((scale / scale.min()).tolist())
    thin = thin_mask(mask, lengths if mask.ndim == 3 and max(lengths) > 1 else None)
    text = write_swc(thin, depth_of(mask, scale), scale)
    make_folder(path.parent)
    write_atomically(path, text.encode())


def branch_facts(decisions: np.ndarray, **measures: np.ndarray) -> list[dict[str, Any]]:
    """Return the properties of all branches for `write_lines`, from an array of each measure."""
    return [
        {"kind": "branch", "decision": DECISIONS[int(decision)]}
        | {name: float(values[k]) for name, values in measures.items()}
        for k, decision in enumerate(decisions)
    ]


def stroke_facts(strokes: Iterable[Stroke]) -> list[dict[str, Any]]:
    """Return the properties of strokes for `write_lines`."""
    return [
        {"kind": "drawn" if stroke.drawn else "erased", "radius": stroke.radius}
        for stroke in strokes
    ]


def _picture(mask: np.ndarray, kind: str) -> bytes:
    """Return a mask as a PNG or TIFF of 0 and 255; a volume has one page for each slice."""
    slices = (mask if mask.ndim == 3 else mask[None]) * np.uint8(255)
    first, *others = map(Image.fromarray, slices)
    file = io.BytesIO()
    if kind == ".png":
        first.save(file, "PNG")
    else:
        first.save(
            file, "TIFF", save_all=True, append_images=others, compression="tiff_adobe_deflate"
        )
    return file.getvalue()


def _nifti(mask: np.ndarray, affine: Any, kind: str) -> bytes:
    """Return a mask as a NIfTI volume; the same mask gives the same bytes."""
    try:
        import nibabel
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "to write a NIfTI file nibabel is needed, and it is not installed. "
            "Run: pip install 'toposeg-lite[nifti]'"
        ) from None
    where = np.eye(4) if affine is None else check_reals(affine, "affine").astype(np.float64)
    if where.shape != (4, 4) or not np.isfinite(where).all():
        raise ValueError(f"affine must be 4 x 4 finite numbers; got shape {where.shape}")
    if np.linalg.matrix_rank(where) < 4:
        raise ValueError("affine must have an inverse: each voxel has a place of its own")
    content = nibabel.Nifti1Image(mask.T.astype(np.uint8), where).to_bytes()
    return gzip.compress(content, mtime=0) if kind == ".nii.gz" else content
