"""Vessels: trees that grow and never touch."""

from __future__ import annotations

import numpy as np

from .brushes import Stroke, cloud, colour, fade, finish, paint, tidy
from .drawing import Array, Drawing, Seed, agrees, generator, until_it_agrees

__all__ = ["vessels"]


class _Garden:
    """Grows branches that keep their distance from all others.

    `owner` holds, for every pixel, the number of the branch in whose neighbourhood it lies.
    """

    margin = 5

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng = rng
        self.shape = shape
        self.owner = np.zeros(shape, dtype=int)
        self.strokes: list[Stroke] = []

    def grow(self, start: Array, heading: float, radius: float, parent: int, shortest: int) -> bool:
        """Grow one branch; return False (and leave nothing) if it gets stuck too early."""
        rng, number = self.rng, len(self.strokes) + 1
        freedom = 0 if parent == 0 else int(self.strokes[parent - 1].radius.max()) + 14
        point, bend, aim = start.astype(float), 0.0, heading
        points, sizes = [point], [radius]
        for step in range(1, 4 * max(self.shape)):
            bend = 0.9 * bend + rng.normal(0, 0.013)
            heading += bend + 0.015 * (aim - heading)
            point = point + np.array([np.sin(heading), np.cos(heading)])
            row, column = np.round(point).astype(int)
            if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
                break
            near = self.owner[row, column]
            if near and not (near == parent and step <= freedom):
                break
            points.append(point)
            sizes.append(max(1.0, radius * (1 - 0.0022 * step)))
            if step > 45 and rng.random() < 0.004 / radius:
                break
        if len(points) < shortest + freedom:
            return False
        self.strokes.append(Stroke(np.array(points), np.array(sizes)))
        for point, size in zip(points[::2], sizes[::2], strict=True):
            reach = int(size) + self.margin
            row, column = np.round(point).astype(int)
            patch = self.owner[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            patch[patch == 0] = number
        return True

    def plant(self, trees: int) -> list[int]:
        """Grow the trunks of some trees from the border; return the numbers of those that fit."""
        rng, (height, width) = self.rng, self.shape
        roots: list[int] = []
        towards_disc = rng.integers(4)  # most vessels come from the optic disc, beyond one side
        for _ in range(20 * trees):
            side = towards_disc if rng.random() < 0.75 else rng.integers(4)
            at = rng.uniform(0.08, 0.92)
            start = np.array(
                [
                    (at * height, 0),
                    (at * height, width - 1),
                    (0, at * width),
                    (height - 1, at * width),
                ][side]
            )
            heading = (0, np.pi, np.pi / 2, -np.pi / 2)[side] + rng.uniform(-0.5, 0.5)
            radius = rng.uniform(2, 3.6) if len(roots) < 2 else rng.uniform(1.3, 2.2)
            free = self.owner[tuple(start.astype(int))] == 0
            if free and self.grow(start, heading, radius, 0, min(self.shape) // 3):
                roots.append(len(self.strokes))
            if len(roots) == trees:
                break
        return roots

    def branch(self, number: int, distance: float) -> None:
        """Let side branches, and theirs, leave branch `number` every `distance` points or so."""
        stroke = self.strokes[number - 1]
        at = self.rng.uniform(0.4, 1) * distance
        side = self.rng.choice([-1, 1])
        while at < len(stroke.points) - 10:
            here, before = stroke.points[int(at)], stroke.points[int(at) - 4]
            heading = np.arctan2(*(here - before)) + side * self.rng.uniform(0.6, 1.1)
            radius = stroke.radius[int(at)] * self.rng.uniform(0.5, 0.75)
            if radius >= 0.7 and self.grow(here, heading, max(radius, 1.0), number, 12):
                self.branch(len(self.strokes), distance)
            at += self.rng.uniform(0.5, 1.3) * distance
            side = -side


@generator(smallest=64, trees=(1, 8))
def vessels(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: Seed,
    trees: int = 3,
    gaps: int = 10,
    noise: float = 0.015,
) -> Drawing:
    """Draw the blood vessels of an eye's fundus: trees that enter at the border and branch.

    Parameters
    ----------
    shape : (int, int)
        Height and width, at least 64.
    trees : int
        Number of trees, 1 to 8.
    gaps : int
        Number of stretches where a vessel fades almost to nothing.

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the vessels, and `betti` = (trees, 0): a tree is
        connected and has no loop.

    Examples
    --------
    >>> drawing = vessels((96, 128), seed=0, trees=2)
    >>> drawing.image.shape, drawing.mask.shape, drawing.betti
    ((3, 96, 128), (96, 128), (2, 0))
    """
    return until_it_agrees(_design_vessels, shape, seed, trees, gaps, noise)


def _design_vessels(
    rng: np.random.Generator, shape: tuple[int, ...], trees: int, gaps: int, noise: float
) -> Drawing | None:
    """Let trees grow, paint them as an eye's fundus, and return nothing if two have met."""
    garden = _Garden(rng, shape)
    roots = garden.plant(trees)
    if len(roots) < trees:
        return None
    for root in roots:
        garden.branch(root, 26.0)
    fade(rng, garden.strokes, gaps, 9)
    depth, shown = paint(shape, garden.strokes)
    mask = tidy(depth <= 0, 12)
    if not agrees(mask, (trees, 0)):
        return None

    light = 1 + 0.09 * cloud(rng, shape, 150) + 0.015 * cloud(rng, shape, 14)
    tissue = colour((0.84, 0.35, 0.25)) * light
    tissue[1:] *= 1 + 0.03 * cloud(rng, shape, 40)
    # Blood absorbs green most; a wide vessel holds more of it.
    blood = shown * np.clip(0.42 - depth / 4, 0, 1) * np.clip(0.8 - depth, 0, 1)
    tissue *= 1 - colour((0.2, 0.58, 0.42)) * blood
    # Light is reflected from the middle of the widest ones.
    tissue *= 1 + 0.25 * shown * np.clip(-1.4 - depth / 2, 0, 0.5)
    return Drawing(finish(rng, tissue, noise, 0.7), mask, (trees, 0))
