"""Cracks: jagged lines in stone, some of which enclose a piece."""

from __future__ import annotations

import numpy as np

from ...checks import check_fraction, check_integer, check_seed
from .brushes import Stroke, cloud, fade, finish, line, paint, tidy
from .drawing import (
    Array,
    Drawing,
    Seed,
    agrees,
    check_shape,
    until_it_agrees,
)

__all__ = ["cracks"]


def _jagged(rng: np.random.Generator, count: int, rough: float) -> Array:
    """Return a jagged profile of `count` values: steps at several scales, small ones smaller."""
    profile = np.zeros(count)
    for scale in (3, 7, 16, 40):
        knots = np.arange(-scale, count + 2 * scale, scale)
        steps = rng.normal(0, rough * scale**0.7, len(knots))
        profile += np.interp(np.arange(count), knots, steps)
    return profile


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
    seed : int or numpy Generator
        Same seed, same bits.
    cracks : int
        Number of cracks that cross the image, 1 to 4.
    loops : int
        Number of pieces that cracks enclose, 0 to 8.
    gaps : int
        Number of stretches where a crack almost closes, 0 to 1000.
    noise : float
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    Drawing
        A grey image (1, H, W), the mask of the cracks, and `betti` = (cracks, loops).

    Raises
    ------
    TypeError, ValueError
        For a shape too small, numbers of the wrong type or out of range, or more cracks and loops
        than the shape can hold.

    Examples
    --------
    >>> drawing = cracks((96, 128), seed=0, loops=1)
    >>> drawing.image.shape, drawing.betti
    ((1, 96, 128), (2, 1))
    """
    shape = check_shape(shape, 2, 64)  # type: ignore[assignment]
    cracks = check_integer(cracks, "cracks", 1, 4)
    loops = check_integer(loops, "loops", 0, 8)
    gaps = check_integer(gaps, "gaps", 0, 1000)
    noise = check_fraction(noise, "noise")

    def design(rng: np.random.Generator) -> Drawing | None:
        # In this frame every crack runs from left to right; transposing turns it upright.
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
            strokes.append(Stroke(np.stack([path, columns], 1), size))
            # Stretches of the crack, one for each loop and each spur, none shared.
            own = int((hosts == number).sum())
            spurs = int(rng.integers(1, 4))
            places = rng.permutation(own + spurs)
            stretch = width / (own + spurs)
            side = rng.choice([-1, 1])
            for k, place in enumerate(places):
                begin = int((place + rng.uniform(0.05, 0.2)) * stretch)
                side = -side
                if k < own:
                    end = min(width - 1, begin + int(stretch * rng.uniform(0.55, 0.75)))
                    along = np.linspace(0, 1, end - begin + 1)
                    peak = rng.uniform(0.3, 0.7)
                    leaning = np.interp(along, (0, peak, 1), (0, 0.5, 1))
                    swell = np.sin(np.pi * leaning) ** 0.6
                    wide = rng.uniform(0.2, 0.32) * min(room, 2 * stretch)
                    bulge = swell * np.maximum(wide + _jagged(rng, len(along), 0.45), 0.5 * wide)
                    points = np.stack(
                        [path[begin : end + 1] + side * bulge, columns[begin : end + 1]], 1
                    )
                    strokes.append(Stroke(points, np.full(len(points), 1.0)))
                else:
                    reach = int(min(stretch * 0.7, rng.uniform(0.25, 0.5) * room + 8))
                    end = min(width - 1, begin + reach)
                    along = np.arange(end - begin + 1.0)
                    rise = along * rng.uniform(0.5, 1.0) + np.minimum(along / 8, 1) * _jagged(
                        rng, len(along), 0.34
                    )
                    points = np.stack([path[begin] + side * rise, columns[begin : end + 1]], 1)
                    strokes.append(Stroke(points, np.full(len(points), 1.0)))
        for stroke in strokes:
            stroke.points = np.concatenate(
                [
                    line(a, b, 0.5)
                    for a, b in zip(stroke.points[:-1], stroke.points[1:], strict=True)
                ]
            )
            repeats = len(stroke.points) / len(stroke.radius)
            stroke.radius = stroke.radius[(np.arange(len(stroke.points)) / repeats).astype(int)]
            stroke.shown = np.ones(len(stroke.points))
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

    return until_it_agrees(check_seed(seed), design, shape)
