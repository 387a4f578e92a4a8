"""Roads and tubes: nets on a jittered lattice."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import draw

from .brushes import Stroke, bends, cloud, colour, fade, finish, line, paint, tidy
from .drawing import Array, Drawing, Seed, agrees, generator, until_it_agrees

__all__ = ["roads", "tubes"]


Edge = tuple[int, int]


def _lattice_edges(counts: tuple[int, ...]) -> list[Edge]:
    """Return the edges between neighbouring nodes of a lattice, as pairs of flat numbers."""
    number = np.arange(np.prod(counts)).reshape(counts)
    edges: list[Edge] = []
    for axis, count in enumerate(counts):
        first = number.take(range(count - 1), axis).ravel()
        second = number.take(range(1, count), axis).ravel()
        edges += list(zip(first.tolist(), second.tolist(), strict=True))
    return edges


def _net(rng: np.random.Generator, edges: list[Edge], extra: float) -> tuple[list[Edge], int]:
    """Choose a connected net from `edges`; return its edges and the number of its loops.

    That is a spanning tree of the largest connected part, and of the other edges there the share
    `extra`. A connected graph of V nodes and E edges has E - V + 1 independent loops.
    """
    tree_of = {node: node for edge in edges for node in edge}
    inside, closing = [], []
    for k in rng.permutation(len(edges)):
        first, second = (tree_of[node] for node in edges[k])
        if first == second:
            closing.append(edges[k])
        else:
            inside.append(edges[k])
            tree_of = {n: first if tree == second else tree for n, tree in tree_of.items()}
    trees = list(tree_of.values())
    largest = max(sorted(set(trees)), key=trees.count)
    net = [edge for edge in inside if tree_of[edge[0]] == largest]
    closing = [edge for edge in closing if tree_of[edge[0]] == largest]
    loops = round(extra * len(closing))
    return net + closing[:loops], loops


@generator(smallest=96, block=(40, 400))
def roads(
    shape: tuple[int, int] = (256, 256),
    *,
    seed: Seed,
    block: int = 56,
    gaps: int = 10,
    noise: float = 0.03,
) -> Drawing:
    """Draw the streets of a suburb from the air: a connected net around blocks of houses.

    Parameters
    ----------
    shape : (int, int)
        Height and width, at least 96.
    block : int
        Mean width of a block in pixels, 40 to 400.
    gaps : int
        Number of trees that hide a stretch of a street.

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the streets, and `betti` = (1, E - V + 1) for a net
        of V crossings and E streets between them. Streets that leave the image or end in a
        cul-de-sac add none.

    Examples
    --------
    >>> drawing = roads((128, 192), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((3, 128, 192), (1, 1))
    """
    return until_it_agrees(_design_roads, shape, seed, block, gaps, noise)


def _design_roads(
    rng: np.random.Generator, shape: tuple[int, ...], block: int, gaps: int, noise: float
) -> Drawing | None:
    """Lay out a net of streets, paint the suburb, and return nothing if two streets have met."""
    counts = tuple(max(2, round(side / block)) for side in shape)
    pitch = np.array(shape) / counts
    nodes = np.moveaxis(np.mgrid[: counts[0], : counts[1]], 0, -1) + 0.5
    nodes = (nodes + rng.uniform(-0.18, 0.18, nodes.shape)) * pitch
    edges, loops = _net(rng, _lattice_edges(counts), 0.7)
    flat = nodes.reshape(-1, 2)
    ends = [(flat[a], flat[b], 2.5) for a, b in edges]
    for row in range(counts[0]):  # streets that leave the image, left and right
        for column, edge in ((0, -12.0), (counts[1] - 1, shape[1] + 12.0)):
            if rng.random() < 0.6:
                ends.append((nodes[row, column], np.array([nodes[row, column, 0], edge]), 2.5))
    for column in range(counts[1]):  # and above and below
        for row, edge in ((0, -12.0), (counts[0] - 1, shape[0] + 12.0)):
            if rng.random() < 0.6:
                ends.append((nodes[row, column], np.array([edge, nodes[row, column, 1]]), 2.5))
    main = rng.integers(len(ends))
    turn = rng.bit_generator.random_raw()
    strokes = []
    for k, (start, stop, radius) in enumerate(ends):
        points = bends(
            np.random.default_rng(turn),
            line(start, stop, 0.5),
            0.09 * block,
            1.3 * block,
        )
        strokes.append(Stroke(points, np.full(len(points), radius + (k == main))))
    depth, _ = paint(shape, strokes)
    mask = tidy(depth <= 0, 8)
    if not agrees(mask, (1, loops)):
        return None
    image = _suburb(rng, shape, strokes, depth, gaps)
    return Drawing(finish(rng, image, noise, 0.55), mask, (1, loops))


def _suburb(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    strokes: list[Stroke],
    depth: Array,
    gaps: int,
) -> Array:
    """Paint lawns, woods, houses along the streets, and trees, some of which hang over them."""
    grain = 0.06 * cloud(rng, shape, 3) + 0.04 * cloud(rng, shape, 1)
    lawn = colour((0.33, 0.37, 0.26)) + grain + 0.04 * cloud(rng, shape, 25)
    wood = colour((0.25, 0.23, 0.17)) + 1.3 * grain
    wooded = np.clip(0.5 + 2 * (cloud(rng, shape, 60) - 0.5), 0, 1) * np.clip(depth / 12 - 1, 0, 1)
    image = lawn + wooded * (wood - lawn)

    roofs = ((0.62, 0.6, 0.58), (0.45, 0.4, 0.38), (0.75, 0.73, 0.7), (0.5, 0.38, 0.32))
    for stroke in strokes:
        for at in np.arange(14, len(stroke.points) - 14, 19):
            along = stroke.points[at + 4] - stroke.points[at - 4]
            along /= np.linalg.norm(along)
            across = np.array([-along[1], along[0]])
            for side in (-1, 1):
                centre = stroke.points[at] + side * across * rng.uniform(10, 12)
                row, column = np.round(centre).astype(int)
                inside = 0 <= row < shape[0] and 0 <= column < shape[1]
                if not inside or depth[row, column] < 5 or rng.random() < 0.15:
                    continue
                half, deep = rng.uniform(2.8, 4.2), rng.uniform(2.2, 3.2)
                corners = centre + np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) @ np.stack(
                    [along * half, across * deep]
                )
                shadow = draw.polygon(corners[:, 0] + 1.5, corners[:, 1] + 1.5, shape)
                image[:, shadow[0], shadow[1]] *= 0.55
                roof = draw.polygon(corners[:, 0], corners[:, 1], shape)
                body = np.array(roofs[rng.integers(len(roofs))]) * rng.uniform(0.85, 1.1)
                image[:, roof[0], roof[1]] = body[:, None]
                half_roof = (corners + centre - across * deep) / 2
                lit = draw.polygon(half_roof[:, 0], half_roof[:, 1], shape)
                image[:, lit[0], lit[1]] *= 1.15

    asphalt = colour((0.52, 0.52, 0.52)) + 0.03 * cloud(rng, shape, 30) + 0.3 * grain
    road = np.clip(0.5 - depth, 0, 1)
    image += road * (asphalt - image)
    # Trees: scattered over the gardens, and one for each gap, over a street.
    spots = [rng.uniform(0, 1, 2) * shape for _ in range(shape[0] * shape[1] // 450)]
    lengths = np.array([len(stroke.points) for stroke in strokes])
    for chosen in rng.choice(len(strokes), gaps, p=lengths / lengths.sum()):
        points = strokes[chosen].points
        spots.append(points[rng.integers(len(points))] + rng.normal(0, 0.7, 2))
    for k, spot in enumerate(spots):
        row, column = np.clip(np.round(spot).astype(int), 0, np.array(shape) - 1)
        over = k >= len(spots) - gaps
        size = rng.uniform(3.2, 5) if over else rng.uniform(1.8, 3.6)
        if not over and depth[row, column] < size - 0.5:
            continue
        shadow = draw.disk(spot + 1.2, size, shape=shape)
        image[:, shadow[0], shadow[1]] *= 0.75
        crown = draw.disk(spot, size, shape=shape)
        leaves = np.array((0.22, 0.27, 0.15)) * rng.uniform(0.8, 1.25)
        image[:, crown[0], crown[1]] = leaves[:, None] * (
            1 + 3 * grain[crown] - 0.05 * (crown[0] + crown[1] - spot.sum())
        )
    return image * (1 + 0.05 * cloud(rng, shape, 120))


@generator(smallest=24, ndim=3, spacing=(12, 100))
def tubes(
    shape: tuple[int, int, int] = (32, 64, 64),
    *,
    seed: Seed,
    spacing: int = 16,
    gaps: int = 8,
    noise: float = 0.08,
) -> Drawing:
    """Draw capillaries in a volume, as a two-photon microscope shows them: a net of bright tubes.

    Parameters
    ----------
    shape : (int, int, int)
        Depth, height and width, at least 24.
    spacing : int
        Distance between neighbouring forks in voxels, 12 to 100.
    gaps : int
        Number of stretches where a tube fades. The noise is that where the image is bright.

    Returns
    -------
    Drawing
        A grey image (1, D, H, W), the mask of the tubes, and `betti` = (1, E - V + 1, 0) for a net
        of V forks and E tubes between them; tubes that leave the volume add no loop. The tubes
        are filled: no cavity.

    Examples
    --------
    >>> drawing = tubes((24, 40, 48), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((1, 24, 40, 48), (1, 0, 0))
    """
    return until_it_agrees(_design_tubes, shape, seed, spacing, gaps, noise)


def _design_tubes(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: int, gaps: int, noise: float
) -> Drawing | None:
    """Lay out a net of tubes, paint the volume, and return nothing if two tubes have met."""
    # A lattice in a random position, larger than the volume; the nodes inside are the forks.
    count = int(np.linalg.norm(shape) / spacing) + 3
    lattice = np.moveaxis(np.mgrid[:count, :count, :count], 0, -1).reshape(-1, 3)
    lattice = lattice + rng.uniform(-0.17, 0.17, lattice.shape) - count / 2
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    nodes = np.array(shape) / 2 + spacing * lattice @ turn + rng.uniform(-4, 4, 3)
    inside = ((nodes > 4) & (nodes < np.array(shape) - 5)).all(1)
    near = [edge for edge in _lattice_edges((count,) * 3) if inside[edge[0]] or inside[edge[1]]]
    within = [edge for edge in near if inside[edge[0]] and inside[edge[1]]]
    if not within:
        return None
    edges, loops = _net(rng, within, 0.25)
    forks = {node for edge in edges for node in edge}
    # Some tubes leave the volume, no two to the same place: they add no loop.
    leaving = {}
    for first, second in near:
        fork, beyond = (first, second) if inside[first] else (second, first)
        if not inside[beyond] and fork in forks and rng.random() < 0.4:
            leaving[beyond] = fork
    edges = edges + [(fork, beyond) for beyond, fork in leaving.items()]
    strokes = []
    for first, second in edges:
        points = line(nodes[first], nodes[second], 0.5)
        arc = np.sin(np.pi * np.linspace(0, 1, len(points)))[:, None]
        points = points + arc * rng.normal(0, 0.07 * spacing, 3)
        strokes.append(Stroke(points, np.full(len(points), rng.choice([1.5, 1.5, 2.0, 2.5]))))
    fade(rng, strokes, gaps, 12)
    depth, shown = paint(shape, strokes)
    mask = depth <= 0
    if not agrees(mask, (1, loops, 0)):
        return None

    light = np.exp(-np.arange(shape[0]) / (2.5 * shape[0]))[:, None, None]
    light = light * (1 + 0.12 * cloud(rng, shape, 30))
    haze = 0.1 + 0.02 * cloud(rng, shape, 10)
    plasma = np.clip(0.6 - depth / 2, 0, 1) * shown * (0.75 + 0.1 * cloud(rng, shape, 4))
    image = ndimage.gaussian_filter((haze + 0.75 * plasma) * light, (1.0, 0.6, 0.6))
    # Photons are counted: the noise grows with the root of the brightness.
    image = np.clip(image, 0, None)
    image += noise * np.sqrt(image) * rng.standard_normal(shape)
    return Drawing(np.clip(image, 0, 1).astype(np.float32)[None], mask, (1, loops, 0))
