"""Strokes and what draws them: smooth noise, bends, gaps, tubes, and the camera."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from .drawing import Array

__all__ = ["Stroke", "bends", "cloud", "colour", "fade", "finish", "line", "paint", "tidy"]


@dataclass
class Stroke:
    """A curve to draw: its points, the radius and the visibility (0 to 1) at each of them."""

    points: Array
    radius: Array
    shown: Array = field(default_factory=lambda: np.ones(0))

    def __post_init__(self) -> None:
        if len(self.shown) == 0:
            self.shown = np.ones(len(self.points))


def cloud(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    """Smooth noise with spots about `scale` pixels wide; mean near 0, standard deviation 1."""
    step = max(1, int(scale / 2))
    coarse = rng.standard_normal([side // step + 4 for side in shape])
    coarse = ndimage.gaussian_filter(coarse, max(scale / step / 2, 0.3), mode="wrap")
    if step > 1:
        where = np.meshgrid(*[np.arange(side) / step + 1 for side in shape], indexing="ij")
        cloud = ndimage.map_coordinates(coarse, where, order=1)
    else:
        cloud = coarse[tuple(slice(side) for side in shape)]
    return cloud / coarse.std()


def bends(rng: np.random.Generator, points: Array, size: float, scale: float) -> Array:
    """Displace points by a smooth random field: a homeomorphism while size / scale stays small.

    Every direction is a sum of six plane waves, so one field bends all strokes of a drawing alike
    and strokes that were apart stay apart.
    """
    ndim = points.shape[1]
    waves = rng.standard_normal((ndim, 6, ndim)) / scale
    phases = rng.uniform(0, 2 * np.pi, (ndim, 6))
    moved = np.empty_like(points)
    for axis in range(ndim):
        angle = points @ waves[axis].T + phases[axis]
        moved[:, axis] = points[:, axis] + size * np.sin(angle).sum(1) / np.sqrt(3)
    return moved


def line(start: Array, stop: Array, step: float = 1.0) -> Array:
    """Points from `start` to `stop`, at most `step` apart, both included."""
    count = max(2, int(np.ceil(np.linalg.norm(stop - start) / step)) + 1)
    return start + np.linspace(0, 1, count)[:, None] * (stop - start)


def fade(rng: np.random.Generator, strokes: list[Stroke], gaps: int, length: float) -> None:
    """Let `gaps` stretches of about `length` points fade, each inside a stroke of its own length.

    Long strokes are hit more often. Ends are spared, so that a gap always is a gap.
    """
    long = np.array([max(0, len(s.points) - 2 * length) for s in strokes])
    if long.sum() == 0:
        return
    for chosen in rng.choice(len(strokes), gaps, p=long / long.sum()):
        stroke = strokes[chosen]
        middle = rng.uniform(length, len(stroke.points) - length)
        along = (np.arange(len(stroke.points)) - middle) / (length / 2)
        stroke.shown = stroke.shown * (1 - rng.uniform(0.8, 1.0) * np.exp(-(along**4)))


def paint(shape: tuple[int, ...], strokes: list[Stroke]) -> tuple[Array, Array]:
    """Draw strokes as tubes.

    Returns the depth (distance to the surface of the union: negative inside) and the visibility
    of the nearest stroke. One distance transform per radius, in steps of half a pixel.
    """
    points = np.concatenate([s.points for s in strokes])
    radius = np.round(2 * np.concatenate([s.radius for s in strokes])) / 2
    shown = np.concatenate([s.shown for s in strokes])
    pixels = np.round(points).astype(int)
    inside = ((pixels >= 0) & (pixels < shape)).all(1)
    pixels, radius, shown = pixels[inside], radius[inside], shown[inside]
    depth = np.full(shape, np.inf)
    visible = np.ones(shape)
    for size in np.unique(radius):
        of_size = radius == size
        where = tuple(pixels[of_size].T)
        empty = np.ones(shape, dtype=bool)
        empty[where] = False
        value = np.ones(shape)
        value[where] = shown[of_size]
        distance, nearest = ndimage.distance_transform_edt(empty, return_indices=True)
        closer = distance - size < depth
        depth[closer] = (distance - size)[closer]
        visible[closer] = value[tuple(index[closer] for index in nearest)]
    return depth, visible


def tidy(mask: Array, largest_hole: int = 8) -> Array:
    """Fill the pinholes and corner-only touches that rounding leaves beside thin branches."""
    mask = mask.copy()
    for _ in range(4):
        a, b, c, d = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
        falling, rising = a & d & ~b & ~c, b & c & ~a & ~d
        if not (falling.any() or rising.any()):
            break
        mask[:-1, 1:] |= falling
        mask[:-1, :-1] |= rising
    holes, _ = ndimage.label(~mask)
    size = np.bincount(holes.ravel())
    return mask | (size <= largest_hole)[holes]


def finish(rng: np.random.Generator, image: Array, noise: float, blur: float) -> Array:
    """Take the photograph: the lens blurs, the sensor adds noise, values are clipped to [0, 1]."""
    for channel in image:
        ndimage.gaussian_filter(channel, blur, output=channel)
    image += noise * rng.standard_normal(image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


def colour(rgb: tuple[float, float, float]) -> Array:
    """Return a colour that broadcasts over an image of shape (3, H, W)."""
    return np.array(rgb)[:, None, None]
