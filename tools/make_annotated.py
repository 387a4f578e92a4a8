"""Make the annotated masks from the journals: ``python tools/make_annotated.py``.

A person looked at the branches of both photographs in an annotation session that began with the
silver masks; ``retina.jsonl`` and ``brick.jsonl`` hold every action, and the likelihoods that the
branches come from lie beside them. `likelihood` tells how those were made. README.md, beside this
file, tells what was decided.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import make_silver  # type: ignore[import-not-found]  # it stands beside this file
import numpy as np
import skimage.data
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.data import photos

ASSETS = Path(__file__).parents[1] / "toposeg_lite" / "data" / "assets"
LEVELS = 16  # of what the filters say; few, so that the files are small
RADIUS = {"retina": 2, "brick": 1}  # half the width of what is added


def likelihood(name: str) -> np.ndarray:
    """Return what a session begins with: half and above on the silver mask, below it elsewhere.

    On the mask the ridges are its middle lines, so that its own branches are proposed; elsewhere
    they are those of the filter that the silver mask was made with.
    """
    mask = getattr(photos, name)().mask
    evidence = _vessels() if name == "retina" else _mortar()
    outside = np.where(evidence < 0.2, 0, np.round(evidence * LEVELS) / LEVELS * 0.48)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    inside = 0.5 + 0.5 * np.minimum(np.round(2 * depth), 24) / 24
    return np.where(mask, inside, outside).astype(np.float32)


def _vessels() -> np.ndarray:
    """Return how much each pixel of the fundus looks like a vessel, from 0 to 1."""
    rgb = skimage.data.retina()
    green = rgb[..., 1].astype(float)
    field = ndimage.binary_fill_holes(ndimage.binary_opening(rgb.max(2) > 40, iterations=3))
    weight = ndimage.gaussian_filter(field.astype(float), 25)
    light = ndimage.gaussian_filter(green * field, 25) / np.maximum(weight, 1e-3)
    dark = np.where(field, (light - green) / np.maximum(light, 20), 0.0)
    best, _ = make_silver.ridges(dark)
    best *= ndimage.binary_erosion(field, iterations=9)
    return np.clip(best.max(0).astype(np.float32) / np.float32(0.07), 0, 1)


def _mortar() -> np.ndarray:
    """Return how bright each pixel of the wall is, from brick (0) to the mortar nearby (1)."""
    grey = ndimage.gaussian_filter(skimage.data.brick() / 255, 0.6)
    brick = ndimage.gaussian_filter(ndimage.percentile_filter(grey, 20, 31), 8)
    bright = ndimage.maximum_filter(ndimage.gaussian_filter(grey, 1), 21)
    bright = ndimage.gaussian_filter(bright, 6)
    level = (ndimage.gaussian_filter(grey, 1) - brick) / np.maximum(bright - brick, 0.12)
    return np.clip(level, 0, 1)


def session(name: str, path: Path, first: np.ndarray | None = None) -> AnnotationSession:
    """Open a journal with the settings that both were begun with; `first` begins a new one."""
    image = getattr(photos, name)().image
    options: dict[str, Any] = {"min_persistence": 0.04, "saddle_level": 0.1, "radius": RADIUS[name]}
    return AnnotationSession(image, first, path, **options)


def replay(name: str) -> tuple[AnnotationSession, np.ndarray]:
    """Do again, on a copy, what the journal of a photograph holds; return session and mask."""
    with tempfile.TemporaryDirectory() as folder:
        for kept in (f"{name}.jsonl", f"{name}.jsonl.likelihood.npz"):
            shutil.copy(ASSETS / kept, folder)
        opened = session(name, Path(folder, f"{name}.jsonl"))
        mask = opened.mask()
        opened.close()
    return opened, mask


if __name__ == "__main__":
    for photo in ("retina", "brick"):
        make_silver.save(replay(photo)[1], ASSETS / f"{photo}_annotated.png")
