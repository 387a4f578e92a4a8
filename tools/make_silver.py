"""Make the silver reference masks from the photographs: ``python tools/make_silver.py``.

Filters find the structure, ``corrections.json`` holds what was corrected by hand, and the result
is the same, bit for bit, on every run (double precision throughout, no random numbers).
README.md, beside this file, tells the steps and what is doubtful.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image
from scipy import fft, ndimage
from skimage import draw, filters, graph, morphology

ASSETS = Path(__file__).parents[1] / "toposeg_lite" / "data" / "assets"
SQUARE = np.ones((3, 3), dtype=bool)
SCALES = (1.5, 2.1, 3.0, 4.2, 5.9)
ANGLES = 16


def corrections(name: str) -> dict[str, list[dict[str, Any]]]:
    """Read what was corrected by hand in one mask."""
    return json.loads((ASSETS / "corrections.json").read_text(encoding="utf-8"))[name]


def polyline(path: list[list[float]]) -> np.ndarray:
    """Return the pixels of a polyline, each once, in order."""
    if len(path) == 1:
        return np.round(np.array(path)).astype(int)
    parts = [
        np.stack(draw.line(*np.round(np.array([a, b])).astype(int).ravel().tolist()), axis=1)
        for a, b in pairwise(path)
    ]
    return np.concatenate([parts[0], *[part[1:] for part in parts[1:]]])


def stamp(mask: np.ndarray, centres: np.ndarray, radius: np.ndarray, value: bool = True) -> None:
    """Draw discs into a mask, in place; radii are rounded to half pixels."""
    radius = np.round(2 * np.broadcast_to(radius, len(centres))) / 2
    for size in np.unique(radius):
        reach = int(size)
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = np.argwhere(rows**2 + columns**2 <= size**2 + 0.1) - reach
        pixels = (centres[radius == size][:, None] + disc).reshape(-1, 2)
        pixels = pixels[((pixels >= 0) & (pixels < mask.shape)).all(1)]
        mask[pixels[:, 0], pixels[:, 1]] = value


# ---------------------------------------------------------------------------------------------
# Retina
# ---------------------------------------------------------------------------------------------


def ridges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filter with elongated second derivatives of Gaussians.

    Returns the best response over 16 directions for each scale, and the number of that direction.
    """
    height, width = image.shape
    side = fft.next_fast_len(max(height, width) + 96, real=True)
    spectrum = fft.rfft2(image, s=(side, side))
    down = 2 * np.pi * fft.fftfreq(side)[:, None]
    right = 2 * np.pi * fft.rfftfreq(side)[None]
    best = np.full((len(SCALES), height, width), -np.inf)
    direction = np.zeros((len(SCALES), height, width), dtype=np.uint8)
    for number, scale in enumerate(SCALES):
        length = max(2.5 * scale, 5.0)
        for k in range(ANGLES):
            angle = np.pi * k / ANGLES
            across = scale * (np.cos(angle) * down + np.sin(angle) * right)
            along = length * (np.cos(angle) * right - np.sin(angle) * down)
            kernel = across**2 * np.exp(-0.5 * (across**2 + along**2))
            response = fft.irfft2(spectrum * kernel, s=(side, side))[:height, :width]
            better = response > best[number]
            best[number][better] = response[better]
            direction[number][better] = k
    return best, direction


def prune(skeleton: np.ndarray, shortest: int) -> np.ndarray:
    """Cut the free ends shorter than `shortest` that leave a junction."""
    for _ in range(3):
        neighbours = ndimage.convolve(skeleton.astype(int), SQUARE.astype(int), mode="constant") - 1
        junctions = ndimage.binary_dilation(skeleton & (neighbours > 2), SQUARE)
        parts, count = ndimage.label(skeleton & ~junctions, SQUARE)
        size = np.bincount(parts.ravel(), minlength=count + 1)
        free = np.zeros(count + 1, dtype=bool)
        free[parts[skeleton & (neighbours == 1)]] = True
        joined = np.zeros(count + 1, dtype=bool)
        joined[parts[ndimage.binary_dilation(junctions, SQUARE)]] = True
        cut = free & joined & (size < shortest)
        cut[0] = False
        if not cut.any():
            break
        skeleton = morphology.skeletonize(skeleton & ~cut[parts])
    return skeleton


def snapped(path: list[list[float]], response: np.ndarray) -> np.ndarray:
    """Lead a path through its given points along the strongest ridge between them."""
    pixels = [np.round(np.array(path[:1])).astype(int)]
    for first, second in pairwise(np.round(np.array(path)).astype(int)):
        low = np.maximum(np.minimum(first, second) - 10, 0)
        high = np.maximum(first, second) + 11
        window = response[low[0] : high[0], low[1] : high[1]]
        cost = 1 / (0.01 + np.clip(window, 0, None))
        route, _ = graph.route_through_array(cost, first - low, second - low, geometric=True)
        pixels.append(np.array(route)[1:] + low)
    return np.concatenate(pixels)


def to_the_rim(skeleton: np.ndarray, field: np.ndarray) -> list[np.ndarray]:
    """Prolong the ends near the rim of the field, where the filters see too little, to the rim.

    The last six pixels of such an end, which often bend along the rim, are removed in place.
    """
    depth = ndimage.distance_transform_edt(field)
    neighbours = ndimage.convolve(skeleton.astype(int), SQUARE.astype(int), mode="constant") - 1
    lines = []
    for end in np.argwhere(skeleton & (neighbours == 1) & (depth < 28)):
        walk = [tuple(end.tolist())]
        while len(walk) < 20:
            row, column = walk[-1]
            steps = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            steps = [p for p in steps if skeleton[p] and p not in walk]
            if not steps:
                break
            walk.append(steps[0])
        drop = min(6, len(walk) // 2)
        start, back = np.array(walk[drop]), np.array(walk[-1])
        direction = (start - back) / np.linalg.norm(start - back)
        reach = np.arange(1, int(1.6 * depth[walk[drop]]) + 3)
        line = np.round(start + reach[:, None] * direction).astype(int)
        inside = field[line[:, 0], line[:, 1]]
        if not inside.all():
            for pixel in walk[:drop]:
                skeleton[pixel] = False
            lines.append(line[: int(np.argmin(inside))])
    return lines


def widths(
    pixels: np.ndarray, dark: np.ndarray, best: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measure half the width of the vessel at every pixel of the skeleton, and its true middle.

    The profile across the vessel is cut where it has fallen about half way from its darkest to its
    brightest value on that side; the scale of the strongest response bounds the radius. Returns
    the radii and the displacements (row, column).
    """
    rows, columns = pixels.T
    scale = best[:, rows, columns].argmax(0)
    angle = np.pi * direction[scale, rows, columns] / ANGLES
    normal = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    sigma = np.array(SCALES)[scale]
    t = np.arange(-20, 20.25, 0.25)
    where = pixels[:, :, None] + normal[:, :, None] * t
    profile = ndimage.map_coordinates(dark, where.transpose(1, 0, 2), order=1, mode="nearest")
    core = np.where(np.abs(t) <= 0.6 * sigma[:, None] + 0.5, profile, -np.inf)
    peak = core.max(1)
    edges = []
    for side in (t <= 0, t >= 0):
        order = np.argsort(np.abs(t[side]), kind="stable")
        out, far = profile[:, side][:, order], np.abs(t[side])[order]
        start = 0.5 * sigma[:, None]
        reach = far <= 2.2 * sigma[:, None] + 3
        base = np.where(reach, out, np.inf).min(1)
        below = (out < (0.55 * peak + 0.45 * base)[:, None]) & (far >= start)
        edges.append(np.where(below.any(1), far[below.argmax(1)], 1.5 * sigma))
    radius = np.minimum((edges[0] + edges[1]) / 2, 1.15 * sigma + 0.5)
    return radius, normal * ((edges[1] - edges[0]) / 2)[:, None]


def along(values: np.ndarray, pixels: np.ndarray, weight: np.ndarray, shape: Any) -> np.ndarray:
    """Smooth values along the skeleton, by a Gaussian mean over its pixels nearby."""
    total, norm = np.zeros(shape), np.zeros(shape)
    total[tuple(pixels.T)] = values * weight
    norm[tuple(pixels.T)] = weight
    total, norm = (
        ndimage.gaussian_filter(a, 5, truncate=4)[tuple(pixels.T)] for a in (total, norm)
    )
    return np.where(norm > 1e-6, total / np.maximum(norm, 1e-6), values)


def fill_small_holes(mask: np.ndarray, largest: int) -> np.ndarray:
    """Fill the background components of at most `largest` pixels."""
    holes, _ = ndimage.label(~mask)
    return mask | (np.bincount(holes.ravel()) <= largest)[holes]


def separate_corners(mask: np.ndarray) -> np.ndarray:
    """Fill a pixel wherever two parts touch by a corner, so that every connectivity agrees."""
    mask = mask.copy()
    while True:
        a, b, c, d = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
        falling, rising = a & d & ~b & ~c, b & c & ~a & ~d
        if not (falling.any() or rising.any()):
            return mask
        mask[:-1, 1:] |= falling
        mask[:-1, :-1] |= rising


def make_retina() -> np.ndarray:
    """Make the mask of the vessels in the fundus photograph."""
    rgb = skimage.data.retina()
    green = rgb[..., 1].astype(float)
    field = ndimage.binary_fill_holes(ndimage.binary_opening(rgb.max(2) > 40, iterations=3))
    by_hand = corrections("retina")

    # Flatten the light: darkness relative to the neighbourhood, as far as it lies in the field.
    weight = ndimage.gaussian_filter(field.astype(float), 25)
    light = ndimage.gaussian_filter(green * field, 25) / np.maximum(weight, 1e-3)
    dark = np.where(field, (light - green) / np.maximum(light, 20), 0.0)
    best, direction = ridges(dark)
    best *= ndimage.binary_erosion(field, iterations=9)

    # Thin vessels by the two finest scales; wide ones by the rest, cut at half of their darkness.
    thin = filters.apply_hysteresis_threshold(best[:2].max(0), 0.0255, 0.064)
    wide = filters.apply_hysteresis_threshold(best[2:].max(0), 0.045, 0.12)
    away = (field & ~ndimage.binary_dilation(wide, iterations=3)).astype(float)
    light = ndimage.gaussian_filter(green * away, 14)
    light /= np.maximum(ndimage.gaussian_filter(away, 14), 1e-3)
    local = np.where(
        field, (light - ndimage.gaussian_filter(green, 1)) / np.maximum(light, 20), 0.0
    )
    wide &= local > 0.5 * ndimage.maximum_filter(ndimage.gaussian_filter(local, 1), 13)
    rough = morphology.remove_small_objects(thin | wide, max_size=60)
    rough = fill_small_holes(rough, 40)
    rough = ndimage.binary_opening(rough) | thin

    for fix in by_hand["erase"]:
        stamp(rough, polyline(fix["path"]), fix["radius"], False)
    for fix in by_hand["fill"]:
        stamp(rough, polyline(fix["path"]), fix["radius"], True)
    skeleton = prune(morphology.skeletonize(rough), 14)
    parts, _ = ndimage.label(skeleton, SQUARE)
    skeleton &= (np.bincount(parts.ravel()) >= 30)[parts]

    given = np.zeros(skeleton.shape)
    fine = best[:3].max(0)
    for fix in by_hand["add"]:
        pixels = snapped(fix["path"], fine) if fix["snap"] else polyline(fix["path"])
        for end in (pixels[0], pixels[-1]):
            near = np.argwhere(skeleton[end[0] - 9 : end[0] + 10, end[1] - 9 : end[1] + 10]) - 9
            if len(near):  # join what it nearly touches
                link = end + near[np.argmin((near**2).sum(1))]
                pixels = np.concatenate([pixels, polyline([end.tolist(), link.tolist()])])
        rows, columns = pixels.T
        skeleton[rows, columns] = True
        given[rows, columns] = fix["radius"] or 0.0
    for line in to_the_rim(skeleton, field):
        skeleton[line[:, 0], line[:, 1]] = True

    # Draw the vessels anew: discs of the measured width along the skeleton.
    pixels = np.argwhere(skeleton)
    neighbours = ndimage.convolve(skeleton.astype(int), SQUARE.astype(int), mode="constant") - 1
    junction = ndimage.binary_dilation(skeleton & (neighbours > 2), iterations=4)
    radius, shift = widths(pixels, ndimage.gaussian_filter(dark, 0.7), best, direction)
    unseen = ~np.any(best, axis=0)
    trust = np.where((junction | unseen)[tuple(pixels.T)], 1e-3, 1.0)
    radius = along(np.clip(radius, 1, 10), pixels, trust, skeleton.shape)
    fixed = given[tuple(pixels.T)]
    radius = np.where(fixed > 0, fixed, np.maximum(radius, 1.0))
    centres = pixels.astype(float)
    for axis in (0, 1):
        moved = along(np.clip(shift[:, axis], -3, 3), pixels, trust, skeleton.shape)
        centres[:, axis] += np.where(fixed > 0, 0.0, moved)
    mask = np.zeros(skeleton.shape, dtype=bool)
    stamp(mask, pixels, np.minimum(radius, 1.0))
    stamp(mask, np.round(centres).astype(int), radius)
    return separate_corners(fill_small_holes(mask & field, 24))


# ---------------------------------------------------------------------------------------------
# Brick
# ---------------------------------------------------------------------------------------------


def make_brick() -> np.ndarray:
    """Make the mask of the mortar in the photograph of a brick wall."""
    grey = ndimage.gaussian_filter(skimage.data.brick() / 255, 0.6)
    by_hand = corrections("brick")
    # Mortar is what is brighter than half way between the brick and the brightest mortar nearby.
    brick = ndimage.gaussian_filter(ndimage.percentile_filter(grey, 20, 31), 8)
    bright = ndimage.gaussian_filter(
        ndimage.maximum_filter(ndimage.gaussian_filter(grey, 1), 21), 6
    )
    level = (grey - brick) / np.maximum(bright - brick, 0.12)
    mask = filters.apply_hysteresis_threshold(level, 0.45, 0.7)
    for fix in by_hand["erase"]:
        stamp(mask, polyline(fix["path"]), fix["radius"], False)
    for fix in by_hand["add"]:
        stamp(mask, polyline(fix["path"]), fix["radius"], True)
    mask = morphology.remove_small_objects(mask, max_size=150)
    return separate_corners(fill_small_holes(mask, 40))


def save(mask: np.ndarray, path: Path) -> None:
    """Write a mask as a 1-bit PNG."""
    Image.fromarray(mask).save(path, optimize=True)


if __name__ == "__main__":
    save(make_retina(), ASSETS / "retina.png")
    save(make_brick(), ASSETS / "brick.png")
