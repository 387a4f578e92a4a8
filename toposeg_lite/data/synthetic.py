"""Images whose topology is known exactly, because it was built in: six generators, one per domain.

Every generator first lays out a *graph* (trees, cells, a street grid), whose Betti numbers follow
from counting its nodes and edges. It then draws the graph as a mask, and the mask as a photograph
would show it: blurred, unevenly lit, noisy, and interrupted where the structure fades. A network
that learns pixels alone breaks its connections at these gaps; that is what the images are for.

Drawing on a grid of pixels can break the design: two branches may touch, a small cell may close.
Such a drawing is thrown away and the next one is drawn from the same stream of random numbers, so
the numbers always hold, with either connectivity, and the result depends on the seed alone.

Images have axes (channels, H, W) or (channels, D, H, W), masks (H, W) or (D, H, W). The border is
"open": structures cut by the edge of the image do not close into loops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage import draw, measure

__all__ = ["Drawing", "cracks", "lanes", "membranes", "roads", "tubes", "vessels"]

Seed = int | np.random.Generator
Array = np.ndarray

_ATTEMPTS = 200


@dataclass(frozen=True)
class Drawing:
    """An image, its exact mask and the Betti numbers that the mask was built to have.

    Attributes
    ----------
    image : (channels, H, W) or (channels, D, H, W) array of float32
        Values in [0, 1].
    mask : (H, W) or (D, H, W) array of bool
        True on the structure.
    betti : tuple of int
        (b0, b1) in 2D, (b0, b1, b2) in 3D, with an open border. They hold for connectivity 1 and
        for connectivity `ndim`: no two parts of the mask touch by a corner only.
    """

    image: Array
    mask: Array
    betti: tuple[int, ...]


@dataclass
class _Stroke:
    """A curve to draw: its points, the radius and the visibility (0 to 1) at each of them."""

    points: Array
    radius: Array
    shown: Array = field(default_factory=lambda: np.ones(0))

    def __post_init__(self) -> None:
        if len(self.shown) == 0:
            self.shown = np.ones(len(self.points))


# ---------------------------------------------------------------------------------------------
# Checks
# ---------------------------------------------------------------------------------------------


def _check_shape(shape: tuple[int, ...], ndim: int, smallest: int) -> tuple[int, ...]:
    """Refuse a shape that is no tuple of `ndim` integers of at least `smallest`."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"shape must be a tuple of {ndim} integers; got {shape!r}")
    for side in shape:
        if isinstance(side, bool) or not isinstance(side, int | np.integer):
            raise TypeError(f"shape must hold integers; got {shape!r}")
    if len(shape) != ndim:
        raise ValueError(f"shape must have {ndim} sides; got {tuple(shape)}")
    if min(shape) < smallest:
        raise ValueError(
            f"every side of shape must be at least {smallest} pixels, or the structure does not "
            f"fit; got {tuple(shape)}"
        )
    return tuple(int(side) for side in shape)


def _check_count(value: int, name: str, low: int, high: int) -> int:
    """Refuse what is no integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must lie between {low} and {high}; got {value}")
    return int(value)


def _check_noise(noise: float) -> float:
    """Refuse a noise level that is no number in [0, 1]."""
    if isinstance(noise, bool) or not isinstance(noise, int | float | np.number):
        raise TypeError(f"noise must be a number; got {noise!r}")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must lie in [0, 1]; got {noise}")
    return float(noise)


def _generator(seed: Seed) -> np.random.Generator:
    """Return the stream of random numbers that a seed stands for."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or a numpy Generator; got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must not be negative; got {seed}")
    return np.random.default_rng(int(seed))


def _agrees(mask: Array, betti: tuple[int, ...]) -> bool:
    """Say whether the drawn mask has the designed numbers, with both connectivities."""
    around = np.pad(mask, 1)
    full = np.ones((3,) * mask.ndim)
    cross = ndimage.generate_binary_structure(mask.ndim, 1)
    for connectivity, near, far in ((1, cross, full), (mask.ndim, full, cross)):
        parts = ndimage.label(around, near)[1]
        cavities = ndimage.label(~around, far)[1] - 1
        if mask.ndim == 2:
            found: tuple[int, ...] = (parts, cavities)
        else:
            euler = measure.euler_number(around, connectivity)
            found = (parts, parts + cavities - euler, cavities)
        if found != betti:
            return False
    return True


def _until_it_agrees(
    rng: np.random.Generator, design: Callable[[np.random.Generator], Drawing | None], shape: object
) -> Drawing:
    """Draw until the pixels keep what the design promises."""
    for _ in range(_ATTEMPTS):
        drawing = design(rng)
        if drawing is not None:
            return drawing
    raise ValueError(
        f"no drawing with these numbers fits into shape {shape}: "
        f"change the number or the size of the parts, or enlarge the shape"
    )


# ---------------------------------------------------------------------------------------------
# Brushes
# ---------------------------------------------------------------------------------------------


def _cloud(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
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


def _bends(rng: np.random.Generator, points: Array, size: float, scale: float) -> Array:
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


def _line(start: Array, stop: Array, step: float = 1.0) -> Array:
    """Points from `start` to `stop`, at most `step` apart, both included."""
    count = max(2, int(np.ceil(np.linalg.norm(stop - start) / step)) + 1)
    return start + np.linspace(0, 1, count)[:, None] * (stop - start)


def _fade(rng: np.random.Generator, strokes: list[_Stroke], gaps: int, length: float) -> None:
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


def _paint(shape: tuple[int, ...], strokes: list[_Stroke]) -> tuple[Array, Array]:
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


def _tidy(mask: Array, largest_hole: int = 8) -> Array:
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


def _finish(rng: np.random.Generator, image: Array, noise: float, blur: float) -> Array:
    """Take the photograph: the lens blurs, the sensor adds noise, values are clipped to [0, 1]."""
    for channel in image:
        ndimage.gaussian_filter(channel, blur, output=channel)
    image += noise * rng.standard_normal(image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


def _colour(rgb: tuple[float, float, float]) -> Array:
    """Return a colour that broadcasts over an image of shape (3, H, W)."""
    return np.array(rgb)[:, None, None]


# ---------------------------------------------------------------------------------------------
# Vessels
# ---------------------------------------------------------------------------------------------


class _Garden:
    """Grows branches that keep their distance from all others.

    `owner` holds, for every pixel, the number of the branch in whose neighbourhood it lies.
    """

    margin = 5

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng = rng
        self.shape = shape
        self.owner = np.zeros(shape, dtype=int)
        self.strokes: list[_Stroke] = []

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
        self.strokes.append(_Stroke(np.array(points), np.array(sizes)))
        for point, size in zip(points[::2], sizes[::2], strict=True):
            reach = int(size) + self.margin
            row, column = np.round(point).astype(int)
            patch = self.owner[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ]
            patch[patch == 0] = number
        return True

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
    seed : int or numpy Generator
        Same seed, same bits.
    trees : int
        Number of trees, 1 to 8.
    gaps : int
        Number of stretches where a vessel fades almost to nothing, 0 to 1000.
    noise : float
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the vessels, and `betti` = (trees, 0): a tree is
        connected and has no loop.

    Raises
    ------
    TypeError, ValueError
        For a shape too small, and numbers of the wrong type or out of range.

    Examples
    --------
    >>> drawing = vessels((96, 128), seed=0, trees=2)
    >>> drawing.image.shape, drawing.mask.shape, drawing.betti
    ((3, 96, 128), (96, 128), (2, 0))
    """
    shape = _check_shape(shape, 2, 64)  # type: ignore[assignment]
    trees = _check_count(trees, "trees", 1, 8)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)
    height, width = shape

    def design(rng: np.random.Generator) -> Drawing | None:
        garden = _Garden(rng, shape)
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
            if garden.owner[tuple(start.astype(int))] == 0 and garden.grow(
                start, heading, radius, 0, min(shape) // 3
            ):
                roots.append(len(garden.strokes))
            if len(roots) == trees:
                break
        else:
            return None
        for root in roots:
            garden.branch(root, 26.0)
        _fade(rng, garden.strokes, gaps, 9)
        depth, shown = _paint(shape, garden.strokes)
        mask = _tidy(depth <= 0, 12)
        if not _agrees(mask, (trees, 0)):
            return None

        light = 1 + 0.09 * _cloud(rng, shape, 150) + 0.015 * _cloud(rng, shape, 14)
        tissue = _colour((0.84, 0.35, 0.25)) * light
        tissue[1:] *= 1 + 0.03 * _cloud(rng, shape, 40)
        # Blood absorbs green most; a wide vessel holds more of it.
        blood = shown * np.clip(0.42 - depth / 4, 0, 1) * np.clip(0.8 - depth, 0, 1)
        tissue *= 1 - _colour((0.2, 0.58, 0.42)) * blood
        # Light is reflected from the middle of the widest ones.
        tissue *= 1 + 0.25 * shown * np.clip(-1.4 - depth / 2, 0, 0.5)
        return Drawing(_finish(rng, tissue, noise, 0.7), mask, (trees, 0))

    return _until_it_agrees(_generator(seed), design, shape)


# ---------------------------------------------------------------------------------------------
# Membranes
# ---------------------------------------------------------------------------------------------


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
    seed : int or numpy Generator
        Same seed, same bits.
    cell : int
        Mean width of a cell in pixels, 24 to 200.
    gaps : int
        Number of places where a membrane fades, 0 to 1000.
    noise : float
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    Drawing
        A grey image (1, H, W), membranes dark, the mask of the membranes, and `betti`: b1 is the
        number of cells that do not touch the border of the image. Going once around the border
        one meets r stretches of cells, of c different cells; the walls then have b0 = r - c + 1
        pieces.

    Raises
    ------
    TypeError, ValueError
        For a shape too small, and numbers of the wrong type or out of range.

    Examples
    --------
    >>> drawing = membranes((128, 160), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((1, 128, 160), (1, 3))
    """
    shape = _check_shape(shape, 2, 64)  # type: ignore[assignment]
    cell = _check_count(cell, "cell", 24, 200)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)

    def design(rng: np.random.Generator) -> Drawing | None:
        rows, columns = (int(np.ceil(1.25 * side / cell)) + 2 for side in shape)
        lattice = np.moveaxis(np.mgrid[:rows, :columns], 0, -1).astype(float)
        lattice[::2, :, 1] += 0.5
        lattice += rng.uniform(-0.42, 0.42, lattice.shape) - 0.75
        seeds = lattice * cell * 0.8  # a third is left out, so that cells are `cell` wide
        seeds = seeds.reshape(-1, 2)[rng.random(rows * columns) < 0.65]  # some cells grow large

        pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).reshape(-1, 2).astype(float)
        bent = _bends(rng, pixels, 0.05 * cell, 0.36 * cell)
        half = np.clip(1.7 + 0.5 * _cloud(rng, shape, 30), 1.1, 2.6)
        for _ in range(6):
            if len(seeds) < 2:
                return None
            cells = cKDTree(seeds).query(bent)[1].reshape(shape)
            edge = np.zeros(shape, dtype=bool)
            edge[:-1] |= cells[:-1] != cells[1:]
            edge[:, :-1] |= cells[:, :-1] != cells[:, 1:]
            distance = ndimage.distance_transform_edt(~edge)
            mask = _tidy(distance <= half, 0)
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
        if not (edge.any() and _agrees(mask, betti)):
            return None

        shown = np.ones(shape)
        places = np.argwhere(edge)
        for row, column in places[rng.integers(len(places), size=gaps)]:
            far = (np.arange(shape[0])[:, None] - row) ** 2 + (np.arange(shape[1]) - column) ** 2
            shown *= 1 - rng.uniform(0.6, 0.95) * np.exp(-far / rng.uniform(20, 60))
        plasm = 0.72 + 0.05 * rng.standard_normal(len(seeds))[cells]
        plasm += 0.06 * _cloud(rng, shape, 3) + 0.03 * _cloud(rng, shape, 8)
        _organelles(rng, plasm, distance - half)
        wall = np.clip(1.3 - distance / (half + 0.4), 0, 1) * shown
        plasm -= 0.55 * wall
        light = 1 + 0.05 * _cloud(rng, shape, 120)
        return Drawing(_finish(rng, (plasm * light)[None], noise, 0.6), mask, betti)

    return _until_it_agrees(_generator(seed), design, shape)


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


# ---------------------------------------------------------------------------------------------
# Cracks
# ---------------------------------------------------------------------------------------------


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
    shape = _check_shape(shape, 2, 64)  # type: ignore[assignment]
    cracks = _check_count(cracks, "cracks", 1, 4)
    loops = _check_count(loops, "loops", 0, 8)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)

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
            strokes.append(_Stroke(np.stack([path, columns], 1), size))
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
                    strokes.append(_Stroke(points, np.full(len(points), 1.0)))
                else:
                    reach = int(min(stretch * 0.7, rng.uniform(0.25, 0.5) * room + 8))
                    end = min(width - 1, begin + reach)
                    along = np.arange(end - begin + 1.0)
                    rise = along * rng.uniform(0.5, 1.0) + np.minimum(along / 8, 1) * _jagged(
                        rng, len(along), 0.34
                    )
                    points = np.stack([path[begin] + side * rise, columns[begin : end + 1]], 1)
                    strokes.append(_Stroke(points, np.full(len(points), 1.0)))
        for stroke in strokes:
            stroke.points = np.concatenate(
                [
                    _line(a, b, 0.5)
                    for a, b in zip(stroke.points[:-1], stroke.points[1:], strict=True)
                ]
            )
            repeats = len(stroke.points) / len(stroke.radius)
            stroke.radius = stroke.radius[(np.arange(len(stroke.points)) / repeats).astype(int)]
            stroke.shown = np.ones(len(stroke.points))
        _fade(rng, strokes, gaps, 20)
        depth, shown = _paint((height, width), strokes)
        if upright:
            depth, shown = depth.T, shown.T
        mask = _tidy(depth <= 0, 12)
        if not _agrees(mask, (cracks, loops)):
            return None

        stone = 0.55 + 0.035 * _cloud(rng, shape, 90)
        stone += 0.035 * _cloud(rng, shape, 2.5) + 0.05 * _cloud(rng, shape, 1)
        grains = _cloud(rng, shape, 2)
        stone += 0.16 * (grains > 2.6) - 0.13 * (grains < -2.4)
        stone -= 0.3 * shown * np.clip(0.6 - depth / 1.6, 0, 1)
        # Crumbled edges: a band of broken grain along the crack.
        stone -= 0.05 * np.exp(-np.clip(depth, 0, None) / 2) * (0.5 + np.abs(grains))
        return Drawing(_finish(rng, stone[None], noise, 0.55), mask, (cracks, loops))

    return _until_it_agrees(_generator(seed), design, shape)


# ---------------------------------------------------------------------------------------------
# Roads and tubes: nets on a jittered lattice
# ---------------------------------------------------------------------------------------------


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
    seed : int or numpy Generator
        Same seed, same bits.
    block : int
        Mean width of a block in pixels, 40 to 400.
    gaps : int
        Number of trees that hide a stretch of a street, 0 to 1000.
    noise : float
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the streets, and `betti` = (1, E - V + 1) for a net
        of V crossings and E streets between them. Streets that leave the image or end in a
        cul-de-sac add none.

    Raises
    ------
    TypeError, ValueError
        For a shape too small, and numbers of the wrong type or out of range.

    Examples
    --------
    >>> drawing = roads((128, 192), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((3, 128, 192), (1, 1))
    """
    shape = _check_shape(shape, 2, 96)  # type: ignore[assignment]
    block = _check_count(block, "block", 40, 400)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)

    def design(rng: np.random.Generator) -> Drawing | None:
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
            points = _bends(
                np.random.default_rng(turn), _line(start, stop, 0.5), 0.09 * block, 1.3 * block
            )
            strokes.append(_Stroke(points, np.full(len(points), radius + (k == main))))
        depth, _ = _paint(shape, strokes)
        mask = _tidy(depth <= 0, 8)
        if not _agrees(mask, (1, loops)):
            return None
        image = _suburb(rng, shape, strokes, depth, gaps)
        return Drawing(_finish(rng, image, noise, 0.55), mask, (1, loops))

    return _until_it_agrees(_generator(seed), design, shape)


def _suburb(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    strokes: list[_Stroke],
    depth: Array,
    gaps: int,
) -> Array:
    """Paint lawns, woods, houses along the streets, and trees, some of which hang over them."""
    grain = 0.06 * _cloud(rng, shape, 3) + 0.04 * _cloud(rng, shape, 1)
    lawn = _colour((0.33, 0.37, 0.26)) + grain + 0.04 * _cloud(rng, shape, 25)
    wood = _colour((0.25, 0.23, 0.17)) + 1.3 * grain
    wooded = np.clip(0.5 + 2 * (_cloud(rng, shape, 60) - 0.5), 0, 1) * np.clip(depth / 12 - 1, 0, 1)
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
                colour = np.array(roofs[rng.integers(len(roofs))]) * rng.uniform(0.85, 1.1)
                image[:, roof[0], roof[1]] = colour[:, None]
                half_roof = (corners + centre - across * deep) / 2
                lit = draw.polygon(half_roof[:, 0], half_roof[:, 1], shape)
                image[:, lit[0], lit[1]] *= 1.15

    asphalt = _colour((0.52, 0.52, 0.52)) + 0.03 * _cloud(rng, shape, 30) + 0.3 * grain
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
    return image * (1 + 0.05 * _cloud(rng, shape, 120))


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
    seed : int or numpy Generator
        Same seed, same bits.
    spacing : int
        Distance between neighbouring forks in voxels, 12 to 100.
    gaps : int
        Number of stretches where a tube fades, 0 to 1000.
    noise : float
        Standard deviation of the noise where the image is bright, in [0, 1].

    Returns
    -------
    Drawing
        A grey image (1, D, H, W), the mask of the tubes, and `betti` = (1, E - V + 1, 0) for a net
        of V forks and E tubes between them; tubes that leave the volume add no loop. The tubes
        are filled: no cavity.

    Raises
    ------
    TypeError, ValueError
        For a shape too small, and numbers of the wrong type or out of range.

    Examples
    --------
    >>> drawing = tubes((24, 40, 48), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((1, 24, 40, 48), (1, 0, 0))
    """
    shape = _check_shape(shape, 3, 24)  # type: ignore[assignment]
    spacing = _check_count(spacing, "spacing", 12, 100)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)

    def design(rng: np.random.Generator) -> Drawing | None:
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
            points = _line(nodes[first], nodes[second], 0.5)
            arc = np.sin(np.pi * np.linspace(0, 1, len(points)))[:, None]
            points = points + arc * rng.normal(0, 0.07 * spacing, 3)
            strokes.append(_Stroke(points, np.full(len(points), rng.choice([1.5, 1.5, 2.0, 2.5]))))
        _fade(rng, strokes, gaps, 12)
        depth, shown = _paint(shape, strokes)
        mask = depth <= 0
        if not _agrees(mask, (1, loops, 0)):
            return None

        light = np.exp(-np.arange(shape[0]) / (2.5 * shape[0]))[:, None, None]
        light = light * (1 + 0.12 * _cloud(rng, shape, 30))
        haze = 0.1 + 0.02 * _cloud(rng, shape, 10)
        plasma = np.clip(0.6 - depth / 2, 0, 1) * shown * (0.75 + 0.1 * _cloud(rng, shape, 4))
        image = ndimage.gaussian_filter((haze + 0.75 * plasma) * light, (1.0, 0.6, 0.6))
        # Photons are counted: the noise grows with the root of the brightness.
        image = np.clip(image, 0, None)
        image += noise * np.sqrt(image) * rng.standard_normal(shape)
        return Drawing(np.clip(image, 0, 1).astype(np.float32)[None], mask, (1, loops, 0))

    return _until_it_agrees(_generator(seed), design, shape)


# ---------------------------------------------------------------------------------------------
# Lanes
# ---------------------------------------------------------------------------------------------


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
    seed : int or numpy Generator
        Same seed, same bits.
    lines : int
        Number of lines, 2 to 5.
    gaps : int
        Number of stretches where the paint is worn off, 0 to 1000.
    noise : float
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    Drawing
        A colour image (3, H, W), the mask of the lines, and `betti` = (lines, 0).

    Raises
    ------
    TypeError, ValueError
        For a shape too small, and numbers of the wrong type or out of range.

    Examples
    --------
    >>> drawing = lanes((96, 128), seed=0)
    >>> drawing.image.shape, drawing.betti
    ((3, 96, 128), (4, 0))
    """
    shape = _check_shape(shape, 2, 64)  # type: ignore[assignment]
    lines = _check_count(lines, "lines", 2, 5)
    gaps = _check_count(gaps, "gaps", 0, 1000)
    noise = _check_noise(noise)
    height, width = shape

    def design(rng: np.random.Generator) -> Drawing | None:
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
            strokes.append(_Stroke(np.stack([rows, columns], 1), radius, dashes + 0 * rows))
        _fade(rng, strokes, gaps, 30)
        depth, shown = _paint(shape, strokes)
        mask = _tidy(depth <= 0, 8)
        mask[:crest] = False
        if not _agrees(mask, (lines, 0)):
            return None

        row, column = np.mgrid[:height, :width]
        near = np.clip((row - crest) / (height - crest), 0, 1)
        centre = np.interp(row[:, 0], rows, middle)[:, None]
        shoulder = np.abs(column - centre) - 0.5 * road * (0.3 + 0.7 * near) * 1.1
        grain = _cloud(rng, shape, 1) * (0.4 + 0.6 * near)
        image = _colour((0.4, 0.4, 0.41)) + 0.025 * grain + 0.03 * _cloud(rng, shape, 40)
        grass = _colour((0.33, 0.4, 0.2)) + 0.05 * grain + 0.05 * _cloud(rng, shape, 6)
        image += np.clip(shoulder / 2, 0, 1) * (grass - image)
        worn = np.clip(0.85 + 0.15 * _cloud(rng, shape, 3), 0, 1)
        paint = np.clip(0.7 - depth, 0, 1) * shown * worn * (row >= crest)
        image += paint * (_colour((0.85, 0.85, 0.82)) - image)
        for _ in range(2):  # shadows across the road
            at = rng.uniform(crest, height)
            band = np.abs(row - at - rng.uniform(-0.2, 0.2) * (column - width / 2))
            image *= 1 - 0.3 * np.clip(1.5 - band / (0.06 * height), 0, 1)
        image *= 1 + 0.06 * _cloud(rng, shape, 120)
        haze = _colour((0.72, 0.8, 0.9)) + 0.03 * _cloud(rng, shape, 40) - 0.1 * row / height
        hills = crest - 0.05 * height * (1 + 0.6 * _cloud(rng, (width,), 30))
        image += (row < crest) * (_colour((0.24, 0.31, 0.22)) + 0.04 * grain - image)
        image += (row < hills) * (haze - image)
        return Drawing(_finish(rng, image, noise, 0.6), mask, (lines, 0))

    return _until_it_agrees(_generator(seed), design, shape)
