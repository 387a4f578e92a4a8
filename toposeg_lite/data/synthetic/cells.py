"""Membranes: the walls between the cells of a tissue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage import draw

from .brushes import bends, cloud, finish, tidy
from .drawing import Array, Drawing, Seed, agrees, generator, until_it_agrees

__all__ = ["membranes"]


@generator(smallest=64, cell=(24, 200))
def membranes(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: Seed,
    cell: int = 44,
    gaps: int = 14,
    noise: float = 0.07,
) -> Drawing:
    """Draw the membranes between cells in an electron micrograph: the walls of Voronoi cells.

    Parameters
    ----------
    shape : (int, int)
        Height and width, at least 64.
    cell : int
        Mean width of a cell in pixels, 24 to 200.
    gaps : int
        Number of places where a membrane fades.

    Returns
    -------
    Drawing
        A grey image (1, H, W), membranes dark, the mask of the membranes, and `betti`: b1 is the
        number of cells that do not touch the border of the image. Going once around the border
        one meets r stretches of cells, of c different cells; the walls then have b0 = r - c + 1
        pieces.

    Examples
    --------
    >>> drawing = membranes((128, 160), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((1, 128, 160), (1, 3))
    """
    return until_it_agrees(_design_membranes, shape, seed, cell, gaps, noise)


def _design_membranes(
    rng: np.random.Generator, shape: tuple[int, ...], cell: int, gaps: int, noise: float
) -> Drawing | None:
    """Divide the image into cells, paint their walls, and return nothing if a count is wrong."""
    rows, columns = (int(np.ceil(1.25 * side / cell)) + 2 for side in shape)
    lattice = np.moveaxis(np.mgrid[:rows, :columns], 0, -1).astype(float)
    lattice[::2, :, 1] += 0.5
    lattice += rng.uniform(-0.42, 0.42, lattice.shape) - 0.75
    seeds = lattice * cell * 0.8  # a third is left out, so that cells are `cell` wide
    seeds = seeds.reshape(-1, 2)[rng.random(rows * columns) < 0.65]  # some cells grow large

    pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).reshape(-1, 2).astype(float)
    bent = bends(rng, pixels, 0.05 * cell, 0.36 * cell)
    half = np.clip(1.7 + 0.5 * cloud(rng, shape, 30), 1.1, 2.6)
    for _ in range(6):
        if len(seeds) < 2:
            return None
        cells = cKDTree(seeds).query(bent)[1].reshape(shape)
        edge = np.zeros(shape, dtype=bool)
        edge[:-1] |= cells[:-1] != cells[1:]
        edge[:, :-1] |= cells[:, :-1] != cells[:, 1:]
        distance = ndimage.distance_transform_edt(~edge)
        mask = tidy(distance <= half, 0)
        # A cell that its walls fill or cut in two gives its room to its neighbours.
        insides, count = ndimage.label(~mask)
        _, first = np.unique(insides, return_index=True)
        pieces = np.bincount(cells.ravel()[first[-count:]], minlength=len(seeds))
        present = np.bincount(cells.ravel(), minlength=len(seeds)) > 0
        broken = present & (pieces != 1)
        if not broken.any():
            break
        seeds = seeds[~broken]

    seen = np.where(mask, -1, cells)  # -1 on the walls
    border = np.concatenate([seen[0], seen[1:, -1], seen[-1, -2::-1], seen[-2:0:-1, 0]])
    touching = len(np.unique(border[border >= 0]))
    stretches = int(((border >= 0) & (border != np.roll(border, 1))).sum())
    closed = len(np.unique(seen[~mask])) - touching
    betti = (stretches - touching + 1, closed)
    if not (edge.any() and agrees(mask, betti)):
        return None

    shown = np.ones(shape)
    places = np.argwhere(edge)
    for row, column in places[rng.integers(len(places), size=gaps)]:
        far = (np.arange(shape[0])[:, None] - row) ** 2 + (np.arange(shape[1]) - column) ** 2
        shown *= 1 - rng.uniform(0.6, 0.95) * np.exp(-far / rng.uniform(20, 60))
    plasm = 0.72 + 0.05 * rng.standard_normal(len(seeds))[cells]
    plasm += 0.06 * cloud(rng, shape, 3) + 0.03 * cloud(rng, shape, 8)
    _organelles(rng, plasm, distance - half)
    wall = np.clip(1.3 - distance / (half + 0.4), 0, 1) * shown
    plasm -= 0.55 * wall
    light = 1 + 0.05 * cloud(rng, shape, 120)
    return Drawing(finish(rng, (plasm * light)[None], noise, 0.6), mask, betti)


def _organelles(rng: np.random.Generator, plasm: Array, room: Array) -> None:
    """Put vesicles (rings) and mitochondria (striped ovals) inside the cells, never on a wall."""
    height, width = plasm.shape
    for _ in range(plasm.size // 250):
        row, column = rng.integers(height), rng.integers(width)
        size = rng.uniform(1.8, 3.4)
        if room[row, column] > size + 3:
            ring = draw.disk((row, column), size, shape=plasm.shape)
            plasm[ring] -= rng.uniform(0.15, 0.35)
            core = draw.disk((row, column), size - 1.2, shape=plasm.shape)
            plasm[core] += rng.uniform(0.05, 0.15)
    for _ in range(plasm.size // 4000):
        row, column = rng.integers(height), rng.integers(width)
        short = rng.uniform(4, 6)
        long = rng.uniform(1.3, 2) * short
        if room[row, column] > long + 2:
            angle = rng.uniform(0, np.pi)
            oval = draw.ellipse(row, column, short, long, plasm.shape, rotation=angle)
            stripes = np.sin((oval[0] * np.cos(angle) + oval[1] * np.sin(angle)) * 1.6)
            plasm[oval] += -0.2 + 0.07 * stripes
