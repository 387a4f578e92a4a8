"""The Betti matching, against brute force on small images and against its authors' program."""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from toposeg_lite.topology import betti_numbers, match_pairs, persistence_pairs
from toposeg_lite.topology.betti_matching import betti_matching, names

TOPOLOSSES = Path(__file__).parents[2] / ".bench" / "topolosses"


def random_image(seed, shape, blur=0.0, levels=None):
    """A random image between 0 and 1, smooth or not; with `levels` full of ties."""
    image = np.random.default_rng(seed).random(shape)
    if blur:
        image = gaussian_filter(image, blur)
        image = (image - image.min()) / np.ptp(image)
    image = 0.01 + 0.98 * image
    return image if levels is None else np.round(image * levels) / levels


def bars(first, second, **options):
    """Count the matched bars: (dimension, birth, death, partner's birth, partner's death)."""
    result = match_pairs(first, second, matching="betti", **options)
    ours = result.prediction[result.matched[:, 0]]
    theirs = result.truth[result.matched[:, 1]]
    ends = [ours.dimension, ours.birth, ours.death, theirs.birth, theirs.death]
    return Counter(map(tuple, np.stack(ends, axis=1, dtype=float).tolist()))


# --- Brute force ----------------------------------------------------------------------------------


def refined(image, closed):
    """Replace values by ranks, ties by flat index; return them framed, and the value of a rank."""
    order = np.argsort(-image, axis=None, kind="stable")
    rank = np.empty(image.size, int)
    rank[order] = np.arange(image.size)
    rank = rank.reshape(image.shape)
    if closed:
        rank = np.pad(rank, 1, constant_values=-1)
    return rank, dict(enumerate([1.0, *image.ravel()[order].tolist(), 0.0], -1))


def points(rank, full):
    """The points of the complex: the pixels, or their centres, sides and corners."""
    if not full:
        return rank
    fine = np.full([2 * n + 1 for n in rank.shape], rank.max() + 1)
    for place in np.ndindex(rank.shape):
        around = tuple(slice(2 * i, 2 * i + 3) for i in place)
        fine[around] = np.minimum(fine[around], rank[place])
    return fine


def faces(cell):
    """The cells around a cell. Odd coordinates are those in which it is wide."""
    found = []
    for axis, x in enumerate(cell):
        if x % 2:
            found += [(*cell[:axis], x + way, *cell[axis + 1 :]) for way in (-1, 1)]
    return found


def entry(cell, rank):
    """When a cell enters: with the last of its points. Ties go by the place, then by the axes."""
    corners = product(*((x // 2, x // 2 + 1) if x % 2 else (x // 2,) for x in cell))
    late = max(rank[corner] for corner in corners)
    wide = [axis for axis, x in enumerate(cell) if x % 2]
    if len(wide) == 2 and rank.ndim == 3:  # a square of a volume is named by the axis across
        wide = [axis for axis in range(3) if axis not in wide]
    return late, tuple(x // 2 for x in cell), wide


def reduce(cells, rows, columns):
    """Reduce the whole boundary matrix over Z/2; return the pivot of each column that has one."""
    row_key = {cell: entry(cell, rows) for cell in cells}
    order = {d: sorted(c for c in cells if sum(x % 2 for x in c) == d) for d in range(4)}
    pivot_of, owner, reduced = {}, {}, {}
    for d in (1, 2, 3):
        for column in sorted(order[d], key=lambda c: entry(c, columns)):
            chain = set(faces(column))
            while chain:
                pivot = max(chain, key=row_key.__getitem__)
                if pivot not in owner:
                    owner[pivot], reduced[pivot], pivot_of[column] = column, chain, pivot
                    break
                chain = chain ^ reduced[pivot]
    return pivot_of


def matched_by_definition(first, second, full, closed):
    """Match by three persistence computations and two of image persistence, cell by cell."""
    named = [refined(x, closed) for x in (first, second, np.maximum(first, second))]
    ranks = [points(rank, full) for rank, _ in named]
    values = [value for _, value in named]
    cells = list(np.ndindex(tuple(2 * n - 1 for n in ranks[0].shape)))
    own = []
    for rank, value in zip(ranks, values, strict=True):
        found = {}
        for death, birth in reduce(cells, rank, rank).items():
            bar = value[entry(birth, rank)[0]], value[entry(death, rank)[0]]
            if bar[0] > bar[1]:
                found[birth, death] = bar
        own.append(found)
    images = [reduce(cells, rank, ranks[2]) for rank in ranks[:2]]
    bar_of = [{birth: bar for (birth, _), bar in found.items()} for found in own]
    result = Counter()
    for _, death in own[2]:
        one, two = (image[death] for image in images)
        if one in bar_of[0] and two in bar_of[1]:
            dimension = float(sum(x % 2 for x in one))
            result[dimension, *bar_of[0][one], *bar_of[1][two]] += 1
    highest = (1.0, 1.0) if closed else (float(first.max()), float(second.max()))
    result[0.0, highest[0], 0.0, highest[1], 0.0] += 1  # the essential components
    return result


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("shape", "count"), [((5, 7), 8), ((6, 4), 8), ((1, 9), 3)])
def test_it_is_the_induced_matching_in_2d(shape, count, full, closed, levels):
    options = {"connectivity": 2 if full else 1, "border": "closed" if closed else "open"}
    for seed in range(count):
        first = random_image(seed, shape, levels=levels)
        second = random_image(seed + 77, shape, levels=levels)
        expected = matched_by_definition(first, second, full, closed)
        assert bars(first, second, **options) == expected


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(
    ("shape", "full", "count"),
    [((3, 4, 5), False, 4), ((2, 3, 3), True, 2), ((1, 2, 6), False, 2)],
)
def test_it_is_the_induced_matching_in_3d(shape, full, count, closed, levels):
    options = {"connectivity": 3 if full else 1, "border": "closed" if closed else "open"}
    for seed in range(count):
        first = random_image(seed, shape, levels=levels)
        second = random_image(seed + 77, shape, levels=levels)
        expected = matched_by_definition(first, second, full, closed)
        assert bars(first, second, **options) == expected


@pytest.mark.parametrize(
    ("closed", "levels", "count"), [(False, None, 3), (False, 6, 3), (True, None, 1), (True, 6, 1)]
)
def test_it_is_the_induced_matching_of_tunnels_at_full_connectivity(closed, levels, count):
    """Small volumes seldom have tunnels: a ring does, and behind a frame the pillar inside it."""
    border, tunnels = "closed" if closed else "open", 0
    for seed in range(count):
        images = [random_image(s, (1, 3, 3), levels=levels) for s in (seed, seed + 77)]
        ring = np.ones((1, 3, 3), bool)
        ring[0, 1, 1] = False
        for image in images:
            image[ring != closed] += (1 - image[ring != closed]) / 2
            image[ring == closed] /= 2
        expected = matched_by_definition(*images, True, closed)
        assert bars(*images, connectivity=3, border=border) == expected
        tunnels += sum(n for row, n in expected.items() if row[0] == 1)
    assert tunnels >= count


@pytest.mark.parametrize(
    ("shape", "closed", "seed", "levels"),
    [((2, 3, 3), False, 32, None), ((2, 3, 4), False, 37, 4), ((2, 3, 3), True, 152, None)],
)
def test_tunnels_that_the_union_fills_at_once_are_not_matched(shape, closed, seed, levels):
    """Both images have the tunnel for some time, the union at none: found among many seeds."""
    first, second = (random_image(s, shape, levels=levels) for s in (seed, seed + 77))
    border = "closed" if closed else "open"
    expected = matched_by_definition(first, second, False, closed)
    assert bars(first, second, connectivity=1, border=border) == expected


@pytest.mark.parametrize(
    ("shape", "full", "closed", "seed"),
    [
        ((4, 5), True, False, 6),
        ((4, 5), True, False, 18),
        ((4, 5), False, True, 123),
        ((2, 3, 3), True, False, 112),
    ],
)
def test_the_oldest_of_several_new_cells_goes_with_all_of_them(shape, full, closed, seed):
    """A pixel's own cells may meet each other before they meet a component: it is seldom seen."""
    first, second = random_image(seed, shape), random_image(seed + 77, shape)
    connectivity, border = len(shape) if full else 1, "closed" if closed else "open"
    expected = matched_by_definition(first, second, full, closed)
    assert bars(first, second, connectivity=connectivity, border=border) == expected


# --- The authors' program -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authors():
    """The C++ extension inside topolosses, which `make bench` installs."""
    folder = TOPOLOSSES / "topolosses" / "losses" / "betti_matching" / "src"
    if not list(folder.glob("betti_matching*")):
        pytest.skip("topolosses is not in .bench/: `make .bench/topolosses` puts it there")
    sys.path.insert(0, str(folder))
    try:
        return import_module("betti_matching")
    except ImportError as error:
        pytest.skip(f"the extension of topolosses cannot be imported: {error}")
    finally:
        sys.path.remove(str(folder))


def doubled(image):
    """Put an image on a grid of centres, sides and corners, each as high as what it touches."""
    fine = np.full([2 * n + 1 for n in image.shape], -1.0)
    for corner in product((0, 1, 2), repeat=image.ndim):
        view = fine[tuple(slice(a, a + 2 * n, 2) for a, n in zip(corner, image.shape, strict=True))]
        np.maximum(view, image, out=view)
    return fine


def authors_bars(program, first, second, full):
    """What the program matches behind a frame of foreground, without the essential components."""
    framed = [np.pad(image, 1, constant_values=1.0) for image in (first, second)]
    if full:
        framed = [doubled(image) for image in framed]
    result = program.compute_matching(*(-image for image in framed))
    found = Counter()
    for k in range(first.ndim):
        ends = []
        for number, image in enumerate(framed, 1):
            for end in ("birth", "death"):
                places = getattr(result, f"input{number}_matched_{end}_coordinates")[k]
                places = np.asarray(places).reshape(-1, first.ndim)
                ends.append(image[tuple(places.T)].tolist())
        found.update((float(k), *bar) for bar in zip(*ends, strict=True))
    return found


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("blur", [0.0, 0.8, 1.5])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(31, 24), (7, 8, 9)])
def test_it_agrees_with_the_authors_program(authors, shape, full, blur, near):
    matched = 0
    for seed in range(3):
        first, second = (random_image(s, shape, blur) for s in (seed, seed + 50))
        if near:
            second = 0.9 * first + 0.1 * second
        assert all(len(np.unique(image)) == image.size for image in (first, second))  # no ties
        connectivity = len(shape) if full else 1
        ours = bars(first, second, connectivity=connectivity, border="closed")
        ours[0.0, 1.0, 0.0, 1.0, 0.0] -= 1  # the frame
        assert +ours == authors_bars(authors, first, second, full)
        matched += ours.total()
    assert matched > 5


# --- Laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(17, 12), (6, 7, 5)])
def test_an_image_is_matched_to_itself_and_pairs_are_exchanged(shape, full, border):
    options = {"matching": "betti", "connectivity": len(shape) if full else 1, "border": border}
    for seed, levels in product(range(2), (None, 6)):
        first = random_image(seed, shape, 0.6, levels)
        second = random_image(seed + 9, shape, 0.6, levels)
        same = match_pairs(first, first, **options)
        assert len(same.matched) == len(same.prediction) > 5
        assert (same.matched[:, 0] == same.matched[:, 1]).all()
        there = match_pairs(first, second, **options)
        back = match_pairs(second, first, **options)
        assert set(map(tuple, there.matched)) == set(map(tuple, back.matched[:, ::-1]))
        for k in range(len(shape)):
            most = min((p.dimension == k).sum() for p in (there.prediction, there.truth))
            assert (there.prediction.dimension[there.matched[:, 0]] == k).sum() <= most


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(11, 12), (6, 7, 8)])
def test_holes_tunnels_and_cavities_are_those_of_the_images(shape, full, border):
    """What `betti_matching` names is there, with a length: `metrics` counts without looking."""
    connectivity = len(shape) if full else 1
    options = {"connectivity": connectivity, "border": border}
    count = Counter()
    for seed, levels in product(range(8), (None, 1, 3)):
        images = [random_image(s, shape, 0.3, levels) for s in (seed, seed + 50)]
        found = betti_matching(*images, connectivity, border == "closed", [True] * len(shape))
        for k, side in product(range(1, len(shape)), range(2)):
            pairs = persistence_pairs(images[side], dimensions=[k], **options)
            named = Counter(found[k][side].tolist())
            assert named <= Counter(names(pairs, k, shape).tolist())
            count[k] += named.total()
    assert min(count[k] for k in range(1, len(shape))) > 5


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_flips_and_transposes_change_nothing(connectivity, border):
    """With smooth images no pixel joins more than two components, and nothing is left to ties."""
    rows, columns = np.mgrid[:20, :16] + 0.3
    first = 0.5 + 0.2 * np.sin(rows * 0.9 + 0.02 * columns**2) * np.cos(columns * 0.7)
    second = 0.5 + 0.2 * np.sin(rows * 0.8 + 0.4) * np.cos(columns * 0.75 + 0.03 * rows)
    first += 0.003 * rows - 0.001 * columns
    second += 0.002 * columns - 0.0017 * rows
    options = {"connectivity": connectivity, "border": border}
    expected = bars(first, second, **options)
    assert expected.total() > 5
    for turn in (np.flipud, np.fliplr, np.transpose, np.rot90):
        assert bars(turn(first), turn(second), **options) == expected


def test_values_may_change_as_long_as_their_order_stays():
    first, second = random_image(1, (15, 14), 0.7), random_image(2, (15, 14), 0.7)
    expected = betti_matching(first, second, 2, False, [True, True])
    found = betti_matching(first**2 / 2, second**2 / 2, 2, False, [True, True])
    for k in range(2):
        for side in range(2):
            assert np.array_equal(found[k][side], expected[k][side])


def test_dimensions_and_persistence_only_select():
    first, second = random_image(3, (20, 21), 0.7), random_image(4, (20, 21), 0.7)
    every = bars(first, second)
    for k in range(2):
        only = bars(first, second, dimensions=[k])
        assert only == Counter({row: n for row, n in every.items() if row[0] == k})
    least = 0.2
    strong = bars(first, second, min_persistence=least)
    essential = max(first.ravel()), max(second.ravel())
    assert strong == Counter(
        {
            row: n
            for row, n in every.items()
            if min(row[1] - row[2], row[3] - row[4]) > least or (row[1], row[3]) == essential
        }
    )
    assert 1 < strong.total() < every.total()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_mask_is_an_image_of_any_dtype(dtype):
    first, mask = random_image(5, (13, 17), 0.8).astype(dtype), random_image(6, (13, 17), 0.8) > 0.5
    expected = betti_matching(first.astype(float), mask.astype(float), 2, True, [True, True])
    result = match_pairs(first, mask, matching="betti", border="closed")
    assert len(result.matched) == sum(
        ((left < 0) | mask.ravel()[right] | (k > 0)).sum()
        for k, (left, right) in enumerate(expected)
    )


# --- By hand --------------------------------------------------------------------------------------


def test_the_example_of_the_module_s_docstring():
    first = np.array([[0.9, 0.1, 0.1, 0.1, 0.7, 0.3]])
    second = np.array([[0.8, 0.2, 0.2, 0.2, 0.1, 0.6]])
    assert bars(first, second) == Counter({(0, 0.9, 0, 0.8, 0): 1, (0, 0.7, 0.1, 0.6, 0.1): 1})


def test_what_is_apart_in_the_union_stays_apart():
    first, second = np.zeros((2, 5, 11))
    first[1:3, 1:3] = 0.9
    second[2:4, 7:9] = 0.9
    assert bars(first, second, border="closed", dimensions=[0]) == {(0, 1, 0, 1, 0): 1}
    second[1, 3] = 0.5  # touches the first blob, and is fainter than the other one
    found = bars(first, second, border="closed", dimensions=[0])
    assert found == {(0, 1, 0, 1, 0): 1, (0, 0.9, 0, 0.5, 0): 1}


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("border", ["open", "closed"])
def test_masks_are_matched_as_many_as_they_share(connectivity, border):
    """No more features than the union (components) or both masks (holes) have are matched."""
    some = 0
    for seed in range(25):
        density = (0.2, 0.5, 0.7)[seed % 3]
        first, second = np.random.default_rng(seed).random((2, 9, 8)) < density
        options = {"connectivity": connectivity, "border": border}
        found = bars(first, second, **options)
        if not (first.any() and second.any()):
            continue
        union = betti_numbers(first | second, **options)
        for k in range(2):
            number = sum(n for row, n in found.items() if row[0] == k)
            both = (betti_numbers(mask, **options)[k] for mask in (first, second))
            assert number <= min(union[k], *both)
            some += number > 1
    assert some > 5
