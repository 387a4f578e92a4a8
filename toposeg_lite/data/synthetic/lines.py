"""Lanes: the painted lines of a street."""

from __future__ import annotations

import numpy as np

from .brushes import Stroke, cloud, colour, fade, finish, paint, tidy
from .drawing import Drawing, Seed, agrees, generator, until_it_agrees

__all__ = ["lanes"]


@generator(smallest=64, lines=(2, 5))
def lanes(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: Seed,
    lines: int = 4,
    gaps: int = 6,
    noise: float = 0.025,
) -> Drawing:
    """Draw the lines between the lanes of a road, as a car's camera sees them.

    The inner lines are dashed and the outer ones worn, but the mask follows each line without a
    break, as the masks of lane data sets do.

    Parameters
    ----------
    shape : (int, int)
        Height and width, at least 64.
    lines : int
        Number of lines, 2 to 5.
    gaps : int
        Number of stretches where the paint is worn off.

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the lines, and `betti` = (lines, 0).

    Examples
    --------
    >>> drawing = lanes((96, 128), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((3, 96, 128), (4, 0))
    """
    return until_it_agrees(_design_lanes, shape, seed, lines, gaps, noise)


def _design_lanes(
    rng: np.random.Generator, shape: tuple[int, ...], lines: int, gaps: int, noise: float
) -> Drawing | None:
    """Lay out a road's lines, paint the view, and return nothing if two lines have met."""
    height, width = shape
    # The road ends at a crest, where it still is wide enough to tell its lines apart.
    crest = int(height * rng.uniform(0.25, 0.36))
    rows = np.arange(crest, height + 6, 0.4)
    near = (rows - crest) / (height - crest)  # 0 at the crest, 1 at the lower edge
    scale = 0.3 + 0.7 * near  # of the road's width
    middle = width * (0.5 + rng.uniform(-0.05, 0.05) + rng.uniform(-0.2, 0.2) * (1 - near) ** 2)
    road = width * rng.uniform(0.75, 1.0)
    strokes = []
    way = 3 / (near + 0.25)  # distance on the ground, for the dashes
    for number in range(lines):
        offset = number / (lines - 1) - 0.5
        columns = middle + offset * road * scale
        radius = np.clip(0.008 * width * scale, 1, 4)
        inner = 0 < number < lines - 1
        dashes = np.where((way * 1.3 + 0.37 * number) % 1 < 0.55, 1.0, 0.0) if inner else 1.0
        strokes.append(Stroke(np.stack([rows, columns], 1), radius, dashes + 0 * rows))
    fade(rng, strokes, gaps, 30)
    depth, shown = paint(shape, strokes)
    mask = tidy(depth <= 0, 8)
    mask[:crest] = False
    if not agrees(mask, (lines, 0)):
        return None

    row, column = np.mgrid[:height, :width]
    near = np.clip((row - crest) / (height - crest), 0, 1)
    centre = np.interp(row[:, 0], rows, middle)[:, None]
    shoulder = np.abs(column - centre) - 0.5 * road * (0.3 + 0.7 * near) * 1.1
    grain = cloud(rng, shape, 1) * (0.4 + 0.6 * near)
    image = colour((0.4, 0.4, 0.41)) + 0.025 * grain + 0.03 * cloud(rng, shape, 40)
    grass = colour((0.33, 0.4, 0.2)) + 0.05 * grain + 0.05 * cloud(rng, shape, 6)
    image += np.clip(shoulder / 2, 0, 1) * (grass - image)
    worn = np.clip(0.85 + 0.15 * cloud(rng, shape, 3), 0, 1)
    coat = np.clip(0.7 - depth, 0, 1) * shown * worn * (row >= crest)
    image += coat * (colour((0.85, 0.85, 0.82)) - image)
    for _ in range(2):  # shadows across the road
        at = rng.uniform(crest, height)
        band = np.abs(row - at - rng.uniform(-0.2, 0.2) * (column - width / 2))
        image *= 1 - 0.3 * np.clip(1.5 - band / (0.06 * height), 0, 1)
    image *= 1 + 0.06 * cloud(rng, shape, 120)
    haze = colour((0.72, 0.8, 0.9)) + 0.03 * cloud(rng, shape, 40) - 0.1 * row / height
    hills = crest - 0.05 * height * (1 + 0.6 * cloud(rng, (width,), 30))
    image += (row < crest) * (colour((0.24, 0.31, 0.22)) + 0.04 * grain - image)
    image += (row < hills) * (haze - image)
    return Drawing(finish(rng, image, noise, 0.6), mask, (lines, 0))
