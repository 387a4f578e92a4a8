"""Write what an annotator has made, in the file kinds that other programs read."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..files import write_atomically
from ..topology.skeleton import thin_mask

if TYPE_CHECKING:
    from .session import AnnotationSession

__all__ = ["export_session"]

_KINDS = (".png", ".tif", ".tiff", ".nii", ".nii.gz", ".geojson")
_DECISIONS = {1: "accepted", -1: "rejected", 0: "undecided"}


def export_session(
    session: AnnotationSession, path: Path, *, skeleton: bool = False, affine: Any = None
) -> None:
    """Write a session's result to a file; see `AnnotationSession.export`.

    Parameters
    ----------
    session : AnnotationSession
        Whose.
    path : Path
        Where to, with one of the endings png, tif, tiff, nii, nii.gz and geojson.
    skeleton : bool
        The skeleton of the mask in place of the mask.
    affine : (4, 4) array of float, optional
        For NIfTI.

    Raises
    ------
    TypeError, ValueError, ModuleNotFoundError, OSError
        As `AnnotationSession.export`.
    """
    kind = next((kind for kind in _KINDS[::-1] if path.name.lower().endswith(kind)), None)
    if kind is None:
        raise ValueError(f"path must end in one of {', '.join(_KINDS)}; got {path.name!r}")
    if affine is not None and not kind.startswith(".nii"):
        raise ValueError(f"affine goes with NIfTI files alone; got a path that ends in {kind}")
    if kind == ".geojson":
        if skeleton:
            raise ValueError("skeleton=True goes with pictures; GeoJSON holds the paths anyway")
        write_atomically(path, json.dumps(_geojson(session), allow_nan=False).encode())
        return
    mask = session.mask()
    if skeleton and mask.any():
        mask = thin_mask(mask)
    if kind == ".png" and mask.ndim == 3:
        raise ValueError("a volume is no PNG: choose .tif, .nii or .nii.gz")
    write_atomically(path, _nifti(mask, affine, kind) if ".nii" in kind else _picture(mask, kind))


def _picture(mask: np.ndarray, kind: str) -> bytes:
    """Return a mask as a PNG or TIFF of 0 and 255; a volume has one page for each slice."""
    pages = [
        Image.fromarray(page) for page in (mask if mask.ndim == 3 else mask[None]) * np.uint8(255)
    ]
    file = io.BytesIO()
    if kind == ".png":
        pages[0].save(file, "PNG")
    else:
        pages[0].save(
            file, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate"
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
    where = np.eye(4) if affine is None else np.asarray(affine, np.float64)
    if where.shape != (4, 4) or not np.isfinite(where).all():
        raise ValueError(f"affine must be 4 x 4 finite numbers; got shape {where.shape}")
    content = nibabel.Nifti1Image(mask.T.astype(np.uint8), where).to_bytes()
    return gzip.compress(content, mtime=0) if kind == ".nii.gz" else content


def _geojson(session: AnnotationSession) -> dict[str, Any]:
    """Return all paths of a session as a GeoJSON FeatureCollection."""
    features = []
    judged = zip(
        session.probability, session.uncertainty, session.proposals.persistence, strict=True
    )
    for k, (probability, uncertainty, persistence) in enumerate(judged):
        about = {
            "kind": "branch",
            "decision": _DECISIONS[int(session.decisions[k])],
            "probability": float(probability),
            "uncertainty": float(uncertainty),
            "persistence": float(persistence),
        }
        features.append(_feature(session.proposals.paths[k], session.shape, k, about))
    for k, stroke in enumerate(session.strokes, len(features)):
        about = {"kind": "drawn" if stroke.drawn else "erased", "radius": stroke.radius}
        features.append(_feature(stroke.path, session.shape, k, about))
    return {"type": "FeatureCollection", "features": features}


def _feature(
    path: np.ndarray, shape: tuple[int, ...], number: int, about: dict[str, Any]
) -> dict[str, Any]:
    """Return a path as a GeoJSON feature: columns come before rows."""
    places = np.stack(np.unravel_index(path, shape)[::-1], axis=1).tolist()
    geometry = (
        {"type": "LineString", "coordinates": places}
        if len(places) > 1
        else {"type": "Point", "coordinates": places[0]}
    )
    return {"type": "Feature", "id": number, "geometry": geometry, "properties": about}
