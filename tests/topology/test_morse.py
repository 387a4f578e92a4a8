"""The discrete Morse complex against brute force, GUDHI, its laws and drawn cases."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import combinations, pairwise, product

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from toposeg_lite.data import synthetic
from toposeg_lite.topology import critical, frame, loops, morse, order
from toposeg_lite.topology.morse import morse_complex
from toposeg_lite.topology.persistence import persistence_pairs

THRESHOLDS = (0.0, 0.06, 0.125, 0.26, 0.5, 0.76)
LEVELS = (0.0, 0.125, 0.3, 0.5, 0.72)


# --- A slow version, straight from the definitions -----------------------------------------------


class Slow:
    """Reduce the whole boundary matrix; search trees for paths."""

    def __init__(self, image, connectivity):
        self.shape, self.ndim, self.connectivity = image.shape, image.ndim, connectivity
        self.height = image.ravel().astype(float)
        self.order = sorted(range(image.size), key=lambda p: (-self.height[p], p))
        self.rank = {p: i for i, p in enumerate(self.order)}

        # Edges enter with their later pixel, those of one pixel by falling other end.
        def key(cell):
            ranks = sorted((self.rank[p] for p in cell[1]), reverse=True)
            return ranks[0], cell[0], ranks

        cells = sorted(self.cells(), key=key)
        number = {points: i for i, (_, points) in enumerate(cells)}
        reduced, owner = {}, {}
        for i, (dim, points) in enumerate(cells):
            column = 0
            if dim > 0:
                for face in combinations(points, 1 if dim == 1 else 2):  # pairs: edges or diagonals
                    if frozenset(face) in number:
                        column ^= 1 << number[frozenset(face)]
            while column and column.bit_length() - 1 in owner:
                column ^= reduced[owner[column.bit_length() - 1]]
            if column:
                reduced[i] = column
                owner[column.bit_length() - 1] = i
        self.edges = []  # (dimension, lower, upper, peak that dies or pit, persistence)
        self.arrow = {}
        for birth, death in owner.items():
            dim, first = cells[birth]
            last = cells[death][1]
            if dim == 0:
                (peak,) = first
                upper, lower = sorted(last, key=self.rank.get)
                if peak == lower:
                    self.arrow[lower] = upper
                else:
                    depth = self.height[peak] - self.height[lower]
                    self.edges.append((0, lower, upper, peak, depth))
            elif dim == 1:
                upper, lower = sorted(first, key=self.rank.get)
                pit = max(last, key=self.rank.get)
                if pit != lower:
                    depth = self.height[lower] - self.height[pit]
                    self.edges.append((1, lower, upper, pit, depth))

    def cells(self):
        """List the cells of dimension 0 to 2 as (dimension, set of pixels)."""
        found = set()
        index = np.arange(self.height.size).reshape(self.shape)
        for corner in product(*(range(n) for n in self.shape)):
            block = index[tuple(slice(c, c + 2) for c in corner)]
            if self.connectivity == 1:  # boxes of side 0 or 1 that begin in this corner
                for box in product((1, 2), repeat=self.ndim):
                    part = block[tuple(slice(0, side) for side in box)]
                    if part.shape == box and box.count(2) <= 2:
                        found.add((box.count(2), frozenset(part.ravel().tolist())))
            else:  # all pixels of a block span a simplex
                for size in (1, 2, 3):
                    for some in combinations(block.ravel().tolist(), size):
                        found.add((size - 1, frozenset(some)))
        return found

    def branches(self, threshold, level):
        """Yield (dimension, lower, upper, persistence, path from lower, path from upper)."""
        cancelled = [
            (lower, upper, peak)
            for dim, lower, upper, peak, depth in self.edges
            if dim == 0 and depth <= threshold and self.height[lower] >= level
        ]
        near = {p: set() for p in self.order}
        for p, q, *_ in [*self.arrow.items(), *cancelled]:
            near[p].add(q)
            near[q].add(p)
        roots = set(self.order) - set(self.arrow) - {peak for *_, peak in cancelled}

        def path_to_root(p):
            came = {p: None}
            queue = deque([p])
            while (q := queue.popleft()) not in roots:
                for r in near[q] - set(came):
                    came[r] = q
                    queue.append(r)
            path = [q]
            while came[path[-1]] is not None:
                path.append(came[path[-1]])
            return path[::-1]

        for dim, p, q, _, depth in self.edges:
            if depth > threshold and self.height[p] >= level:
                yield dim, p, q, depth, path_to_root(p), path_to_root(q)

    def skeleton(self, threshold, level):
        mask = np.zeros(self.height.size, bool)
        for *_, one, two in self.branches(threshold, level):
            mask[one + two] = True
        peaks = [e[3] for e in self.edges if e[0] == 0 and e[4] > threshold] + [self.order[0]]
        for peak in peaks:
            mask[peak] |= self.height[peak] >= level
        return mask.reshape(self.shape)

    def patches(self, threshold):
        """Return for each pixel the pit in whose patch it lies."""
        dual = self.ndim if self.connectivity == 1 else 1
        near = ndimage.generate_binary_structure(self.ndim, dual)
        index = np.pad(np.arange(self.height.size).reshape(self.shape), 1, constant_values=-1)
        basin, into, root = {}, {}, {}

        def find(p):
            return p if root[p] == p else find(root[p])

        for p in reversed(self.order):
            corner = np.unravel_index(p, self.shape)
            around = index[tuple(slice(c, c + 3) for c in corner)][near]
            later = [q for q in around.tolist() if q >= 0 and self.rank[q] > self.rank[p]]
            if not later:
                basin[p] = root[p] = p
                continue
            basin[p] = basin[max(later, key=self.rank.get)]
            # All that meet here reach the deepest across p, and p by its lowest way down there.
            meet = {find(basin[q]) for q in later}
            deepest = max(meet, key=self.rank.get)
            ways = [q for q in later if find(basin[q]) == deepest]
            own = find(basin[p])
            for pit in meet - {deepest}:
                way = max(ways, key=self.rank.get) if pit == own else p
                into[pit] = basin[way], self.height[p] - self.height[pit]
            for pit in meet:
                root[pit] = deepest
        for p in self.order:
            while basin[p] in into and into[basin[p]][1] <= threshold:
                basin[p] = into[basin[p]][0]
        return np.array([basin[p] for p in range(self.height.size)]).reshape(self.shape)


def random_image(seed, shape, levels=None, smooth=0.0):
    image = np.random.default_rng(seed).random(shape)
    if smooth:
        image = ndimage.gaussian_filter(image, smooth)
        image = (image - image.min()) / np.ptp(image)
    return image if levels is None else np.round(image * levels) / levels


def digits(rows, levels):
    """Read rows of digits as an image of multiples of 1 / levels."""
    return np.array([[int(digit) for digit in row] for row in rows.split()]) / levels


IMAGES = {
    "noise": random_image(0, (13, 17)),
    "smooth": random_image(1, (24, 21), smooth=1.2),
    "ties": random_image(2, (14, 11), levels=8),
    "binary": random_image(3, (11, 15), levels=1),
    "constant": np.full((4, 6), 0.5),
    "zeros": np.zeros((3, 5)),
    "row": random_image(4, (1, 23)),
    "column": random_image(5, (19, 1), levels=6),
    "two columns": random_image(6, (17, 2)),
    "one pixel": np.array([[0.3]]),
    "largest": random_image(7, (24, 24), levels=16),
    "noise in 3D": random_image(0, (5, 6, 7)),
    "smooth in 3D": random_image(1, (7, 8, 6), smooth=0.8),
    "ties in 3D": random_image(2, (6, 4, 7), levels=6),
    "binary in 3D": random_image(3, (5, 6, 4), levels=1),
    "flat in 3D": random_image(4, (1, 6, 7)),
    "thin in 3D": random_image(5, (2, 9, 2), levels=9),
    # Two equally low ways lead from one pixel to the deepest pit, by way of two basins.
    "equal ways": digits("031323 123223 333333 132023 223101", 4),
    # A pixel's neighbour of the same value enters later, and only there meets the basin beyond.
    "equal borders": digits("222 132 220 321 033 123", 4),
    "equal borders, wider": digits("21121 21020 20111 02212", 4),
    # Basins meet at many pixels of one value, and the first of these in raster order comes last.
    "equal spots in 3D": digits("011011012 020211021", 3).reshape(2, 3, 3),
}
CASES = [(name, c) for name, image in IMAGES.items() for c in ((1, 2) if image.ndim == 2 else (1,))]


@cache
def case(name, connectivity):
    image = IMAGES[name]
    return morse_complex(image, connectivity=connectivity), Slow(image, connectivity)


@pytest.mark.parametrize(("name", "connectivity"), CASES)
def test_branches_equal_brute_force(name, connectivity):
    fast, slow = case(name, connectivity)
    for threshold, level in product(THRESHOLDS, LEVELS):
        expected = Counter(
            (dim, p, depth, slow.height[p], one[-1], two[-1], tuple(one[::-1] + two))
            for dim, p, _, depth, one, two in slow.branches(threshold, level)
        )
        got = fast.branches(threshold, level)
        columns = got.dimension, got.saddle, got.persistence, got.saddle_value, *got.ends.T
        paths = [tuple(path.tolist()) for path in got.paths]
        assert Counter(zip(*(c.tolist() for c in columns), paths, strict=True)) == expected
        assert len(got) == expected.total()
        assert (np.diff(got.persistence) <= 0).all()


@pytest.mark.parametrize(("name", "connectivity"), CASES)
def test_lengths_and_means_are_those_of_the_paths(name, connectivity):
    fast, _ = case(name, connectivity)
    image = IMAGES[name]
    for threshold, level in product(THRESHOLDS, LEVELS):
        branches = fast.branches(threshold, level)
        means = [image.ravel()[path].mean() for path in branches.paths]
        places = [np.column_stack(np.unravel_index(path, image.shape)) for path in branches.paths]
        lengths = [np.linalg.norm(np.diff(place, axis=0), axis=1).sum() for place in places]
        np.testing.assert_allclose(branches.length, lengths, atol=1e-12)
        np.testing.assert_allclose(branches.mean_likelihood, means, atol=1e-12)


@pytest.mark.parametrize(("name", "connectivity"), CASES)
def test_skeletons_equal_brute_force(name, connectivity):
    fast, slow = case(name, connectivity)
    for threshold, level in product(THRESHOLDS, LEVELS):
        mask = fast.skeleton(threshold, level).mask
        np.testing.assert_array_equal(mask, slow.skeleton(threshold, level))


@pytest.mark.parametrize(("name", "connectivity"), CASES)
def test_patches_equal_brute_force(name, connectivity):
    fast, slow = case(name, connectivity)
    for threshold in THRESHOLDS:
        labels, pits = fast.patches(threshold), slow.patches(threshold)
        pairs = set(zip(labels.ravel().tolist(), pits.ravel().tolist(), strict=True))
        n = len(np.unique(pits))
        assert len(pairs) == n
        assert set(np.unique(labels)) == set(range(1, n + 1))


# --- The graph -----------------------------------------------------------------------------------


def check_graph(skeleton, shape, connectivity):
    """Check that the chains step from neighbour to neighbour and cover the mask, none twice."""
    assert len(np.unique(skeleton.nodes)) == len(skeleton.nodes)
    assert len(skeleton.paths) == len(skeleton.edges)
    links, inner = [], []
    for ends, path in zip(skeleton.edges, skeleton.paths, strict=True):
        np.testing.assert_array_equal(path[[0, -1]], skeleton.nodes[ends])
        points = np.array(np.unravel_index(path, shape))
        steps = np.abs(np.diff(points))
        assert steps.max() == 1
        assert steps.sum(0).min() >= 1
        assert steps.sum(0).max() <= connectivity
        links += [frozenset(pair) for pair in pairwise(path.tolist())]
        inner += path[1:-1].tolist()
    assert len(set(links)) == len(links)
    covered = np.array([*inner, *skeleton.nodes], int)
    assert len(np.unique(covered)) == len(covered) == np.count_nonzero(skeleton.mask)
    assert skeleton.mask.ravel()[covered].all()
    for link in links:  # no two diagonal ones cross
        (r, c), (s, d) = (np.unravel_index(p, shape)[-2:] for p in link)
        if r != s and c != d:
            other = np.ravel_multi_index(([r, s], [d, c]), shape).tolist()
            assert frozenset(other) not in links


def parts_of(skeleton):
    """Count the connected parts of a graph."""
    part = np.arange(len(skeleton.nodes))
    for a, b in skeleton.edges:
        part[part == part[a]] = part[b]
    return len(np.unique(part))


@pytest.mark.parametrize(("name", "connectivity"), CASES)
def test_the_graph_is_that_of_the_skeleton(name, connectivity):
    fast, slow = case(name, connectivity)
    image = IMAGES[name]
    near = ndimage.generate_binary_structure(image.ndim, connectivity)
    for threshold, level in product(THRESHOLDS, LEVELS):
        skeleton = fast.skeleton(threshold, level)
        check_graph(skeleton, image.shape, connectivity)
        loops = np.count_nonzero(fast.branches(threshold, level).dimension == 1)
        parts = parts_of(skeleton)
        assert len(skeleton.edges) - len(skeleton.nodes) + parts == loops
        assert (image[skeleton.mask] >= level).all()
        if level == 0:
            assert parts == 1
        if threshold == 0:
            assert parts == ndimage.label(image >= level, near)[1]
        # Only peaks that survive, or would but for the level, are nodes without being forks.
        degree = np.bincount(skeleton.edges.ravel(), minlength=len(skeleton.nodes))
        peaks = {p for p in slow.order if p not in slow.arrow}
        assert set(skeleton.nodes[degree < 3].tolist()) <= peaks


def test_a_ring_is_one_node_with_one_edge_and_a_theta_two_nodes_with_three():
    ring = np.full((5, 6), 0.8)
    ring[1:-1, 1:-1] = 0.1
    ring[4, 3] = 0.9
    graph = morse_complex(ring, connectivity=1).skeleton(0.3)
    assert graph.nodes.tolist() == [27]
    assert graph.edges.tolist() == [[0, 0]]
    assert sorted(graph.paths[0][1:]) == np.flatnonzero(ring > 0.5).tolist()

    theta = np.pad(np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]]), 1) * 0.8
    theta[1, 3] = 0.9  # a peak at a fork
    graph = morse_complex(theta, connectivity=1).skeleton(0.3)
    assert sorted(graph.nodes.tolist()) == [10, 24]
    assert np.sort(graph.edges).tolist() == [[0, 1]] * 3


# --- What the thresholds do ----------------------------------------------------------------------

ROW = np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])


@pytest.mark.parametrize(
    ("min_persistence", "level", "drawn"),
    [
        (0.0, 0.0, "#######"),
        (0.3, 0.0, "#####.."),
        (0.0, 0.4, "###.###"),
        (0.3, 0.4, "#...#.."),
        (0.6, 0.0, "#......"),
        (0.0, 0.85, "#.#...."),
        (0.0, 0.95, "......."),
    ],
)
def test_the_row_of_the_docstring(min_persistence, level, drawn):
    for image in (ROW, ROW.T, ROW[None], ROW.T[None], ROW.T[:, None]):
        mask = morse_complex(image).skeleton(min_persistence, level).mask
        assert "".join(np.where(mask.ravel(), "#", ".")) == drawn


def test_paths_end_where_a_cancelled_pass_is_cut():
    # The bump of 0.55 is cancelled (0.1) and dies at 0.45; a ring of 0.52 hangs on it.
    image = np.zeros((5, 9))
    image[2, :] = [0.9, 0.45, 0.55, 0.52, 0.52, 0.52, 0.52, 0.52, 0.52]
    image[1:4, 4:] = 0.52
    image[2, 5:8] = 0.1
    complex_ = morse_complex(image, connectivity=1)
    whole, cut = complex_.skeleton(0.2), complex_.skeleton(0.2, 0.5)
    assert whole.mask[2, :4].all()
    assert cut.mask[2].tolist() == [True, False, True, True, True, False, False, False, True]
    (loop,) = complex_.branches(0.2, 0.5).ends.tolist()
    assert loop == [20, 20]
    assert complex_.branches(0.2).ends.tolist() == [[18, 18]]


def test_paths_end_at_the_highest_peak_of_a_part_wherever_it_was_cut():
    # As above, but the way to the ring enters the bump beside its peak.
    image = np.zeros((5, 9))
    image[1:4, 4:] = 0.52
    image[2, :5] = [0.9, 0.45, 0.52, 0.55, 0.52]
    image[2, 5:8] = 0.1
    branches = morse_complex(image, connectivity=1).branches(0.2, 0.5)
    assert branches.ends.tolist() == [[21, 21]]
    assert 20 not in branches.paths[0]
    assert branches.length.tolist() == [14]


def test_parts_that_hang_from_one_low_pixel_keep_their_own_peaks():
    # The joins at 0.45 are cancelled and cut. Two rings hang from this pixel in the tree.
    image = np.zeros((4, 7))
    image[1:, :3] = image[1:, 4:] = 0.52
    image[2, [0, 6]] = 0.55, 0.54
    image[2, [1, 5]] = 0.1
    image[:2, 3] = 0.9, 0.45
    complex_ = morse_complex(image, connectivity=1)
    assert sorted(complex_.branches(0.2, 0.5).ends.tolist()) == [[14, 14], [20, 20]]
    assert complex_.branches(0.2).ends.tolist() == [[3, 3]] * 2


def test_a_ring_cut_off_from_the_peak_that_outlives_its_own_is_still_a_graph():
    # The ring's peak of 0.55 has persistence 0.1 only; cut off, it is the highest of its part.
    image = np.zeros((3, 5))
    image[:, 2:] = 0.52
    image[1] = [0.9, 0.45, 0.55, 0.1, 0.52]
    for skeleton, edges in (
        (morse_complex(image, connectivity=1).skeleton(0.2), [[0, 1], [1, 1]]),
        (morse_complex(image, connectivity=1).skeleton(0.2, 0.5), [[1, 1]]),
    ):
        check_graph(skeleton, image.shape, 1)
        assert skeleton.nodes.tolist() == [5, 7]
        assert sorted(skeleton.edges.tolist()) == edges


def test_length_and_mean_of_a_slanted_branch():
    image = np.zeros((3, 5))
    image[0, 0], image[1, 1], image[2, 2], image[2, 3], image[2, 4] = 0.9, 0.6, 0.3, 0.5, 0.7
    branches = morse_complex(image).branches(0.1)
    assert branches.paths[0].tolist() == [0, 6, 12, 13, 14]
    np.testing.assert_allclose(branches.length, [2 + 2 * np.sqrt(2)])
    np.testing.assert_allclose(branches.mean_likelihood, [0.6])
    narrow = morse_complex([[0.9, 0.0], [0.1, 0.5], [0.8, 0.0]]).branches()
    np.testing.assert_allclose(narrow.length, [2 * np.sqrt(2)])
    np.testing.assert_allclose(morse_complex(ROW.T).branches(0.3).length, [4.0])


def test_bridges_and_loops_are_counted_in_words():
    complex_ = morse_complex(ROW)
    assert repr(complex_) == "MorseComplex(shape=(1, 7), 3 joins, 0 loops)"
    assert repr(complex_.branches(0.3)) == "Branches(1 that join, 0 that close loops)"
    assert repr(complex_.skeleton(0.3)) == "Skeleton(5 pixels, 2 nodes, 1 edges)"
    assert (complex_.shape, complex_.connectivity) == ((1, 7), 2)
    assert morse_complex(ROW[None]).connectivity == 1


# --- Laws ----------------------------------------------------------------------------------------


def gudhi_persistence(image, connectivity, dimension):
    """Persistence of the finite pairs of one dimension, by GUDHI."""
    if connectivity == 1:
        cubes = gudhi.CubicalComplex(vertices=-image)
    else:
        cubes = gudhi.CubicalComplex(top_dimensional_cells=-image)
    cubes.compute_persistence(min_persistence=-1)
    pairs = cubes.persistence_intervals_in_dimension(dimension).reshape(-1, 2)
    return np.diff(pairs[np.isfinite(pairs).all(1)])[:, 0]


@st.composite
def images(draw):
    """Draw an image or volume of multiples of 1/64, so that all differences are exact."""
    ndim = draw(st.sampled_from([2, 2, 3]))
    most = 30 if ndim == 2 else 8
    shape = draw(st.tuples(*[st.integers(1, most)] * ndim))
    levels = draw(st.sampled_from([1, 4, 64]))
    smooth = draw(st.sampled_from([0.0, 0.7])) if np.prod(shape) > 1 else 0.0
    image = random_image(draw(st.integers(0, 10**6)), shape, levels, smooth)
    return image, draw(st.sampled_from([1, 2])) if ndim == 2 else 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(images(), st.integers(0, 64))
def test_the_number_of_branches_and_patches_is_that_of_gudhis_pairs(case, step):
    image, connectivity = case
    threshold = step / 64
    complex_ = morse_complex(image, connectivity=connectivity)
    got = complex_.branches(threshold).dimension
    for dim in (0, 1):
        expected = gudhi_persistence(image, connectivity, dim)
        assert np.count_nonzero(got == dim) == np.count_nonzero(expected > threshold)
    walled = gudhi_persistence(np.pad(image, 1, constant_values=1.0), connectivity, image.ndim - 1)
    patches = max(1, np.count_nonzero(walled > threshold))
    assert complex_.patches(threshold).max() == patches


@settings(max_examples=60, deadline=None, derandomize=True)
@given(images())
def test_skeletons_and_patches_are_nested(case):
    image, connectivity = case
    complex_ = morse_complex(image, connectivity=connectivity)
    dual = image.ndim if connectivity == 1 else 1
    near = ndimage.generate_binary_structure(image.ndim, dual)
    finer, labels = None, None
    for threshold in np.arange(0, 65, 4) / 64:
        skeleton = complex_.skeleton(threshold)
        check_graph(skeleton, image.shape, connectivity)
        assert skeleton.mask.any()
        assert finer is None or not (skeleton.mask & ~finer).any()
        patches = complex_.patches(threshold)
        n = patches.max()
        for label in range(1, n + 1):
            assert ndimage.label(patches == label, near)[1] == 1
        if labels is not None:  # those that are left keep their labels
            kept = labels <= n
            np.testing.assert_array_equal(patches[kept], labels[kept])
        finer, labels = skeleton.mask, patches


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("levels", [None, 12])
def test_branches_are_the_persistence_pairs(connectivity, levels):
    image = random_image(8, (40, 53), levels, smooth=1.0)
    for dtype in (np.float32, np.float64):
        pairs = persistence_pairs(image.astype(dtype), connectivity=connectivity)
        saddle = np.where(pairs.dimension == 0, pairs.death_index, pairs.birth_index)
        expected = zip(pairs.dimension, saddle, pairs.persistence, strict=True)
        expected = Counter((d, s, x) for d, s, x in expected if s >= 0 and x > 0)
        branches = morse_complex(image.astype(dtype), connectivity=connectivity).branches()
        assert branches.persistence.dtype == dtype
        columns = branches.dimension, branches.saddle, branches.persistence
        assert Counter(zip(*columns, strict=True)) == expected


def distinct(seed, shape):
    """Return an image without ties: no order of indices can matter."""
    values = np.random.default_rng(seed).permutation(np.prod(shape))
    return values.reshape(shape) / np.prod(shape)


@pytest.mark.parametrize(("shape", "connectivity"), [((13, 18), 1), ((13, 18), 2), ((6, 7, 5), 1)])
def test_results_turn_with_the_image(shape, connectivity):
    image = distinct(9, shape)
    complex_ = morse_complex(image, connectivity=connectivity)
    turns = [lambda a: a[::-1], lambda a: a[..., ::-1], lambda a: a.T, lambda a: a.T[::-1]]
    for turn in turns:
        turned = morse_complex(turn(image), connectivity=connectivity)
        for threshold, level in product(THRESHOLDS, LEVELS):
            one, two = complex_.skeleton(threshold, level), turned.skeleton(threshold, level)
            np.testing.assert_array_equal(turn(one.mask), two.mask)
            assert (len(one.nodes), len(one.edges)) == (len(two.nodes), len(two.edges))
            one, two = complex_.branches(threshold, level), turned.branches(threshold, level)
            for name in ("dimension", "persistence", "saddle_value"):
                np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
            for name in ("length", "mean_likelihood"):
                np.testing.assert_allclose(getattr(one, name), getattr(two, name))
            np.testing.assert_array_equal(
                turn(complex_.patches(threshold)), turned.patches(threshold)
            )


def drawn_structures():
    """Name structures with a known number of loops."""
    rows, columns = np.mgrid[:61, :73]
    circle = np.abs(np.hypot(rows - 30, columns - 30) - 20) < 2.5
    line = np.abs(rows - columns) < 2.5
    grid = (rows % 15 < 4) | (columns % 18 < 4)
    z, y, x = np.mgrid[:24, :32, :30]
    torus = np.hypot(np.hypot(y - 15, x - 14) - 9, z - 11) < 3
    spoke = torus | ((np.hypot(z - 11, y - 15) < 2.5) & (np.abs(x - 14) < 9))
    yield "circle", circle, 1
    yield "circle and chord", circle | (line & (np.hypot(rows - 30, columns - 30) < 20)), 2
    yield "line", line, 0
    yield "grid", grid[:49, :58], 9
    yield "torus", torus, 1
    yield "torus with a spoke", spoke, 2


@pytest.mark.parametrize(
    ("name", "mask", "loops"), list(drawn_structures()), ids=lambda a: str(a)[:18]
)
def test_the_graph_has_the_loops_of_the_structure(name, mask, loops):
    image = np.clip(ndimage.gaussian_filter(mask.astype(float), 1.0), 0, 1)
    for level in (0.0, 0.4):
        skeleton = morse_complex(image).skeleton(0.3, level)
        assert parts_of(skeleton) == 1
        assert len(skeleton.edges) - len(skeleton.nodes) + 1 == loops
        assert (skeleton.mask <= ndimage.binary_dilation(mask)).all()


@pytest.mark.parametrize("name", ["vessels", "membranes", "cracks", "roads", "lanes", "tubes"])
def test_the_graph_has_the_loops_and_parts_that_a_generator_drew(name):
    shape = (24, 40, 48) if name == "tubes" else (112, 144)
    drawing = getattr(synthetic, name)(shape=shape, seed=1)
    depth = ndimage.distance_transform_edt(drawing.mask)
    soft = np.where(drawing.mask, 0.5 + depth / depth.max() / 2, 0.0)  # highest in the middle
    for image, persistence in ((drawing.mask, 0.0), (soft, 0.45)):
        complex_ = morse_complex(image)
        for level, components in ((0.0, 1), (0.45, drawing.betti[0])):
            skeleton = complex_.skeleton(persistence, level)
            assert parts_of(skeleton) == components
            loops = len(skeleton.edges) - len(skeleton.nodes) + components
            assert loops == drawing.betti[1]


def test_saddle_level_takes_a_false_bridge_that_persistence_cannot():
    image = np.full((40, 60), 0.05)
    image[18:22, 5:26] = image[18:22, 34:55] = 0.9
    image[19:21, 26:34] = 0.3  # a valley between the two, hardly a bridge
    image = ndimage.gaussian_filter(image, 1.0)
    complex_ = morse_complex(image)
    for persistence in np.linspace(0, 0.45, 10):
        assert parts_of(complex_.skeleton(persistence)) == 1
        cut = complex_.skeleton(persistence, 0.5)
        assert parts_of(cut) == 2
    for skeleton, bridge in ((complex_.skeleton(0.2), True), (complex_.skeleton(0.2, 0.5), False)):
        assert skeleton.mask[:, 30].any() == bridge


# --- Arrays of every kind ------------------------------------------------------------------------


def everything(complex_):
    """Return all arrays at some thresholds as bytes."""
    out = []
    for threshold, level in ((0.0, 0.0), (0.1, 0.0), (0.1, 0.4)):
        branches, skeleton = (
            complex_.branches(threshold, level),
            complex_.skeleton(threshold, level),
        )
        for result, names in (
            (branches, "dimension persistence saddle saddle_value ends length mean_likelihood"),
            (skeleton, "mask nodes edges"),
        ):
            out += [getattr(result, name).tobytes() for name in names.split()]
            out += [path.tobytes() for path in result.paths]
        out.append(complex_.patches(threshold).tobytes())
    return out


@pytest.mark.parametrize("shape", [(21, 34), (6, 9, 7)])
def test_dtypes_and_memory_orders_make_no_difference(shape):
    image = random_image(10, shape, levels=16)
    for dtype in (np.float16, np.float32, np.float64):
        same = image.astype(dtype)
        expected = everything(morse_complex(same))
        frozen = same.copy()
        frozen.setflags(write=False)
        wide = np.repeat(same, 2, axis=-1)[..., ::2]
        big_endian = same.astype(same.dtype.newbyteorder(">"))
        zeros = np.where(same == 0, -same, same)  # negative zeros
        for other in (np.asfortranarray(same), frozen, wide, big_endian, zeros):
            assert everything(morse_complex(other)) == expected
        np.testing.assert_array_equal(frozen, same)
    one, two = morse_complex(image), morse_complex(image.astype(np.float16))
    np.testing.assert_array_equal(one.skeleton(0.2, 0.3).mask, two.skeleton(0.2, 0.3).mask)
    np.testing.assert_array_equal(one.patches(0.2), two.patches(0.2))
    mask = image > 0.6
    assert everything(morse_complex(mask)) == everything(morse_complex(mask.astype(np.float32)))


def test_thresholds_compare_in_the_precision_of_the_image():
    image = np.array([[0.9, 0.3, 0.6]], np.float32)
    complex_ = morse_complex(image)
    assert len(complex_.branches(0, 0.3)) == 1  # although the double 0.3 is below the single
    assert len(complex_.branches(float(np.float32(0.6) - np.float32(0.3)))) == 0


def test_threads_change_no_bit():
    pictures = [random_image(seed, (40, 47), levels=32) for seed in range(4)]
    pictures += [random_image(seed, (9, 8, 10)) for seed in range(2)]
    alone = [everything(morse_complex(picture)) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: everything(morse_complex(picture)), pictures * 3))
    assert together == alone * 3


def test_asking_changes_nothing():
    complex_ = morse_complex(random_image(11, (20, 31), smooth=0.8))
    before = everything(complex_)
    for threshold, level in product(THRESHOLDS, LEVELS):
        complex_.skeleton(threshold, level).mask[:] = False
        for path in complex_.branches(threshold, level).paths:
            path[:] = 0
        complex_.patches(threshold)[:] = 0
    assert everything(complex_) == before


# --- The room that kernels have ------------------------------------------------------------------


def test_kernels_stay_within_their_arrays(monkeypatch):
    # Compiled code reads and writes past the end of an array in silence. Python does not.
    pictures = [IMAGES[name] for name in ("ties", "binary", "row", "two columns", "flat in 3D")]
    pictures.append(random_image(12, (7, 8, 9)))
    compiled = [everything(morse_complex(picture)) for picture in pictures]
    for module in (critical, frame, loops, morse, order):
        for name, kernel in list(vars(module).items()):
            if hasattr(kernel, "py_func"):
                monkeypatch.setattr(module, name, kernel.py_func)
    assert [everything(morse_complex(picture)) for picture in pictures] == compiled


def test_volumes_with_more_critical_edges_than_were_made_room_for_at_first(monkeypatch):
    monkeypatch.setattr(morse, "critical_edges_3d", critical.critical_edges_3d.py_func)
    volume = random_image(13, (16, 17, 18), levels=64)
    for threshold in (0.0, 0.25):
        got = morse_complex(volume).branches(threshold).dimension
        for dim in (0, 1):
            expected = np.count_nonzero(gudhi_persistence(volume, 1, dim) > threshold)
            assert np.count_nonzero(got == dim) == expected
        assert len(got) > 1024 or threshold > 0
