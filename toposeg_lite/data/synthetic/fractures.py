"""Cracks: jagged lines in stone, some of which enclose a piece."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .brushes import Stroke, cloud, fade, finish, line, paint, tidy
from .drawing import Array, Drawing, Seed, agrees, generator, until_it_agrees

__all__ = ["cracks"]


def _jagged(rng: np.random.Generator, count: int, rough: float) -> Array:
    """Return a jagged profile of `count` values: steps at several scales, small ones smaller."""
    profile = np.zeros(count)
    for scale in (3, 7, 16, 40):
        knots = np.arange(-scale, count + 2 * scale, scale)
        steps = rng.normal(0, rough * scale**0.7, len(knots))
        profile += np.interp(np.arange(count), knots, steps)
    return profile


@generator(smallest=64, cracks=(1, 4), loops=(0, 8))
def cracks(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: Seed,
    cracks: int = 2,
    loops: int = 2,
    gaps: int = 8,
    noise: float = 0.02,
) -> Drawing:
    """Draw cracks in asphalt: jagged dark lines that fork, and sometimes enclose a piece.

    Parameters
    ----------
    shape : (int, int)
        Height and width, at least 64.
    cracks : int
        Number of cracks that cross the image, 1 to 4.
    loops : int
        Number of pieces that cracks enclose, 0 to 8.
    gaps : int
        Number of stretches where a crack almost closes.

    Returns
    -------
    Drawing
        A grey image (1, H, W), the mask of the cracks, and `betti` = (cracks, loops).

    Examples
    --------
    >>> drawing = cracks((96, 128), seed=0, loops=1)
    >>> drawing.image.shape, drawing.betti
    ((1, 96, 128), (2, 1))
    """
    return until_it_agrees(_design_cracks, shape, seed, cracks, loops, gaps, noise)


def _design_cracks(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    cracks: int,
    loops: int,
    gaps: int,
    noise: float,
) -> Drawing | None:
    """Lay out cracks, paint them in stone, and return nothing if they have met."""
    # They run from left to right; transposing turns them upright.
    upright = bool(rng.integers(2))
    height, width = shape[::-1] if upright else shape
    strokes = []
    room = height / (cracks + 1)
    hosts = rng.integers(cracks, size=loops)
    for number in range(cracks):
        columns = np.arange(width, dtype=float)
        slope = rng.uniform(-0.25, 0.25) * room / width * 2
        path = (number + 1) * room + slope * (columns - width / 2)
        path += rng.uniform(-0.1, 0.1) * room + _jagged(rng, width, 0.32)
        size = np.clip(1.1 + 0.5 * _jagged(rng, width, 0.16), 1.0, 2.4)
        strokes.append(_along(path, columns, size))
        strokes += _side_cracks(rng, path, room, int((hosts == number).sum()))
    fade(rng, strokes, gaps, 20)
    depth, shown = paint((height, width), strokes)
    if upright:
        depth, shown = depth.T, shown.T
    mask = tidy(depth <= 0, 12)
    if not agrees(mask, (cracks, loops)):
        return None

    stone = 0.55 + 0.035 * cloud(rng, shape, 90)
    stone += 0.035 * cloud(rng, shape, 2.5) + 0.05 * cloud(rng, shape, 1)
    grains = cloud(rng, shape, 2)
    stone += 0.16 * (grains > 2.6) - 0.13 * (grains < -2.4)
    stone -= 0.3 * shown * np.clip(0.6 - depth / 1.6, 0, 1)
    # Crumbled edges: a band of broken grain along the crack.
    stone -= 0.05 * np.exp(-np.clip(depth, 0, None) / 2) * (0.5 + np.abs(grains))
    return Drawing(finish(rng, stone[None], noise, 0.55), mask, (cracks, loops))


def _side_cracks(rng: np.random.Generator, path: Array, room: float, loops: int) -> list[Stroke]:
    """Return what leaves a crack: cracks that come back to it, as many as `loops`, and spurs.

    `path` has the row of the crack in each column. Each side crack has a stretch of it for itself.
    """
    strokes = []
    spurs = int(rng.integers(1, 4))
    places = rng.permutation(loops + spurs)
    stretch = len(path) / (loops + spurs)
    side = rng.choice([-1, 1])
    for k, place in enumerate(places):
        begin = int((place + rng.uniform(0.05, 0.2)) * stretch)
        side = -side
        if k < loops:
            end = min(len(path) - 1, begin + int(stretch * rng.uniform(0.55, 0.75)))
            along = np.linspace(0, 1, end - begin + 1)
            peak = rng.uniform(0.3, 0.7)
            leaning = np.interp(along, (0, peak, 1), (0, 0.5, 1))
            swell = np.sin(np.pi * leaning) ** 0.6
            wide = rng.uniform(0.2, 0.32) * min(room, 2 * stretch)
            bulge = swell * np.maximum(wide + _jagged(rng, len(along), 0.45), 0.5 * wide)
            rows = path[begin : end + 1] + side * bulge
        else:
            reach = int(min(stretch * 0.7, rng.uniform(0.25, 0.5) * room + 8))
            end = min(len(path) - 1, begin + reach)
            along = np.arange(end - begin + 1.0)
            rise = along * rng.uniform(0.5, 1.0)
            rise += np.minimum(along / 8, 1) * _jagged(rng, len(along), 0.34)
            rows = path[begin] + side * rise
        strokes.append(_along(rows, np.arange(begin, end + 1.0), np.ones(len(rows))))
    return strokes


def _along(rows: Array, columns: Array, radius: Array) -> Stroke:
    """Return a stroke through points, with more points between them."""
    points = np.stack([rows, columns], 1)
    dense = np.concatenate([line(a, b, 0.5) for a, b in pairwise(points)])
    repeats = len(dense) / len(radius)
    return Stroke(dense, radius[(np.arange(len(dense)) / repeats).astype(int)])
