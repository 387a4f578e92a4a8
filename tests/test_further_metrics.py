"""Further metrics against hand counts, MONAI, homology by matrices, and laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from toposeg_lite import further_metrics, metrics
from toposeg_lite.further_metrics import (
    further_report,
    hausdorff_distance,
    intersection_union_discrepancy,
    surface_dice,
    topology_precision,
    topology_sensitivity,
)

monai_metrics = pytest.importorskip("monai.metrics")


def draw(text):
    return np.array([[pixel == "#" for pixel in line] for line in text.split()])


def smooth_pairs(count, shape, seed=0):
    """Pairs of smooth random masks that overlap."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        field, noise = (ndimage.gaussian_filter(rng.normal(size=shape), 1.5) for _ in range(2))
        level = np.quantile(field, rng.uniform(0.4, 0.8))
        yield field + 0.4 * noise > level, field > level


# --- Surfaces ------------------------------------------------------------------------------------

SQUARE = draw("""
    .......
    .#####.
    .#####.
    .#####.
    .......
""")
MOVED = draw("""
    .......
    ..#####
    ..#####
    ..#####
    .......
""")


def test_distances_by_hand():
    # Of both surfaces, of 12 pixels each: the 3 of the far column are 1 away, of the near one too.
    assert hausdorff_distance(SQUARE, MOVED, percentile=100) == 1
    assert hausdorff_distance(SQUARE, MOVED, percentile=50) == 0
    assert surface_dice(SQUARE, MOVED) == 1
    near = SQUARE & ~ndimage.binary_erosion(SQUARE)
    other = MOVED & ~ndimage.binary_erosion(MOVED)
    off = (near & ~other).sum() + (other & ~near).sum()
    assert surface_dice(SQUARE, MOVED, tolerance=0) == pytest.approx(1 - off / 24)
    wide = {"spacing": (1, 2.5)}
    assert hausdorff_distance(SQUARE, MOVED, percentile=100, **wide) == 2.5
    assert surface_dice(SQUARE, MOVED, tolerance=2.4, **wide) < 1
    assert surface_dice(SQUARE, MOVED, tolerance=2.5, **wide) == 1
    far = SQUARE.copy()
    far[0, 6] = True  # from (1, 5): 1 row, 1 column
    assert hausdorff_distance(far, SQUARE, percentile=100) == pytest.approx(np.sqrt(2))


def test_masks_without_a_surface():
    nothing = np.zeros_like(SQUARE)
    for metric, equal, single in ((hausdorff_distance, 0, np.inf), (surface_dice, 1, 0)):
        assert metric(nothing, nothing) == equal
        assert metric(SQUARE, nothing) == metric(nothing, SQUARE) == single
        assert metric(SQUARE, SQUARE) == equal


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # of MONAI itself
@pytest.mark.parametrize("shape", [(23, 31), (9, 12, 15)])
@pytest.mark.parametrize("spaced", [False, True])
def test_distances_are_those_of_monai(shape, spaced):
    spacing = (2.0, 1.0, 0.5)[-len(shape) :] if spaced else None
    for prediction, truth in smooth_pairs(8, shape):
        tensors = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth)]
        options = {"include_background": True}
        for percentile in (95, 80, 100):
            expected = monai_metrics.compute_hausdorff_distance(
                *tensors, percentile=percentile, spacing=spacing, **options
            )
            ours = hausdorff_distance(prediction, truth, percentile=percentile, spacing=spacing)
            assert ours == pytest.approx(expected.item(), rel=1e-5)
        for tolerance in (0.4, 1.0, 2.0):
            # MONAI counts pixels where it is given no spacing, and areas where it is.
            if spaced:
                continue
            expected = monai_metrics.compute_surface_dice(
                *tensors, class_thresholds=[tolerance], **options
            )
            assert surface_dice(prediction, truth, tolerance=tolerance) == pytest.approx(
                expected.item(), rel=1e-5
            )


def test_units_only_scale_distances():
    for prediction, truth in smooth_pairs(4, (17, 21), seed=1):
        one = hausdorff_distance(prediction, truth, spacing=(2, 1))
        assert hausdorff_distance(prediction, truth, spacing=(6, 3)) == pytest.approx(3 * one)
        assert surface_dice(prediction, truth, spacing=(6, 3), tolerance=3) == surface_dice(
            prediction, truth, spacing=(2, 1), tolerance=1
        )


# --- Skeletons -----------------------------------------------------------------------------------


def test_skeletons_by_hand():
    line = draw("........ ######## ........")
    half = draw("........ ####.... ........")
    longer = draw("....#### ####.... ........")
    assert (topology_precision(half, line), topology_sensitivity(half, line)) == (1, 0.5)
    assert topology_precision(longer, half) == 0.5
    nothing = np.zeros_like(line)
    for metric in (topology_precision, topology_sensitivity):
        assert metric(nothing, nothing) == 1
        assert metric(line, nothing) == metric(nothing, line) == 0


@pytest.mark.parametrize("shape", [(23, 31), (9, 12, 15)])
def test_their_harmonic_mean_is_cldice(shape):
    rng = np.random.default_rng(3)
    for prediction, truth in smooth_pairs(6, shape, seed=2):
        for ignored in (None, rng.random(shape) < 0.1):
            parts = [
                metric(prediction, truth, ignored=ignored)
                for metric in (topology_precision, topology_sensitivity)
            ]
            mean = 2 * parts[0] * parts[1] / sum(parts) if sum(parts) else 0
            assert metrics.cldice(prediction, truth, ignored=ignored) == pytest.approx(mean)


# --- Intersection and union ----------------------------------------------------------------------


def test_discrepancies_by_hand():
    ring = draw("##### #...# #...# #####")
    broken = draw("##.## #...# #...# #####")
    filled = draw("##### ##### ##### #####")
    away = draw("..... ..... ..... ....#")
    assert intersection_union_discrepancy(ring, ring) == 0
    # The union has a hole that the intersection has not.
    assert intersection_union_discrepancy(broken, ring) == 1
    assert intersection_union_discrepancy(filled, ring) == 1
    # One component of the union without one of the intersection, and its hole; and a far pixel.
    nothing = np.zeros_like(ring)
    assert intersection_union_discrepancy(nothing, ring) == 2
    assert intersection_union_discrepancy(nothing, away) == 1
    two = draw("##..## ##..##")
    merged = draw("###### ######")
    assert intersection_union_discrepancy(merged, two) == 1
    touching = draw("#. .#")
    apart = draw("#. ..")
    corner = {"connectivity": 1}
    assert intersection_union_discrepancy(apart, touching) == 0
    assert intersection_union_discrepancy(apart, touching, **corner) == 1


def boundary_ranks(mask):
    """Cells of the pixels of a mask as closed squares, and their boundary matrices mod 2."""
    cells = [set(), set(), set()]
    for r, c in np.argwhere(mask):
        for i in range(3):
            for j in range(3):
                cells[(i == 1) + (j == 1)].add((2 * r + i, 2 * c + j))
    return [sorted(each) for each in cells]


def boundary(cells, faces):
    """The boundary matrix from cells to their faces."""
    place = {face: k for k, face in enumerate(faces)}
    matrix = np.zeros((len(faces), len(cells)), np.uint8)
    for k, (r, c) in enumerate(cells):
        for step in (-1, 1):
            if r % 2:
                matrix[place[r + step, c], k] ^= 1
            if c % 2:
                matrix[place[r, c + step], k] ^= 1
    return matrix


def rank(matrix):
    matrix = matrix.copy() % 2
    found = 0
    for column in range(matrix.shape[1]):
        rows = np.flatnonzero(matrix[found:, column]) + found
        if not len(rows):
            continue
        matrix[[found, rows[0]]] = matrix[[rows[0], found]]
        others = np.flatnonzero(matrix[:, column])
        matrix[others[others != found]] ^= matrix[found]
        found += 1
        if found == len(matrix):
            break
    return found


def null_space(matrix):
    """A basis of the kernel mod 2, as columns."""
    rows, columns = matrix.shape
    whole = np.concatenate([matrix.T % 2, np.eye(columns, dtype=np.uint8)], 1)
    found = 0
    for column in range(rows):
        at = np.flatnonzero(whole[found:, column]) + found
        if not len(at):
            continue
        whole[[found, at[0]]] = whole[[at[0], found]]
        others = np.flatnonzero(whole[:, column])
        whole[others[others != found]] ^= whole[found]
        found += 1
    return whole[found:, rows:].T


def by_homology(prediction, truth):
    """Kernel and cokernel of the induced map, from cycles and boundaries of cubical complexes."""
    common, whole = (boundary_ranks(m) for m in (prediction & truth, prediction | truth))
    total = 0
    for k in (0, 1):
        cycles, betti = [], []
        for cells in (common, whole):
            down = boundary(cells[k], cells[k - 1]) if k else np.zeros((0, len(cells[k])), np.uint8)
            up = boundary(cells[k + 1], cells[k])
            cycles.append(null_space(down))
            betti.append(cycles[-1].shape[1] - rank(up))
            last = up
        place = {cell: row for row, cell in enumerate(whole[k])}
        moved = np.zeros((len(whole[k]), cycles[0].shape[1]), np.uint8)
        for row, cell in enumerate(common[k]):
            moved[place[cell]] = cycles[0][row]
        image = rank(np.concatenate([last, moved], 1)) - rank(last)
        total += (betti[0] - image) + (betti[1] - image)
    return total


def test_it_is_the_kernel_and_the_cokernel_of_the_map_in_homology():
    """With full connectivity pixels are closed squares."""
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(60):
        shape = tuple(rng.integers(2, 7, 2))
        truth = rng.random(shape) < rng.uniform(0.3, 0.8)
        prediction = truth ^ (rng.random(shape) < rng.uniform(0, 0.4))
        expected = by_homology(prediction, truth)
        assert intersection_union_discrepancy(prediction, truth) == expected
        seen.add(expected)
    assert len(seen) > 4


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("border", ["open", "closed"])
def test_laws_of_the_discrepancy(connectivity, border):
    options = {"connectivity": connectivity, "border": border}
    for prediction, truth in smooth_pairs(10, (19, 26), seed=7):
        value = intersection_union_discrepancy(prediction, truth, **options)
        assert value == intersection_union_discrepancy(truth, prediction, **options)
        assert value == intersection_union_discrepancy(prediction.T, truth.T, **options)
        assert intersection_union_discrepancy(truth, truth, **options) == 0
        # Foreground and background change places, and with them the connectivity and the border.
        assert value == intersection_union_discrepancy(
            ~prediction,
            ~truth,
            connectivity=3 - connectivity,
            border={"open": "closed", "closed": "open"}[border],
        )
        # Whatever the Betti numbers differ by is a feature that is not shared.
        assert value >= metrics.betti_error(prediction, truth, **options)


def test_volumes_have_no_discrepancy():
    with pytest.raises(ValueError, match=r"must be images \(H, W\); got 3 axes"):
        intersection_union_discrepancy(np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool))


# --- All together --------------------------------------------------------------------------------


def test_all_together_are_each_alone():
    for pair in smooth_pairs(5, (19, 26), seed=10):
        assert further_report(*pair, connectivity=1, border="closed", spacing=(2, 1)) == {
            "hausdorff_distance": hausdorff_distance(*pair, spacing=(2, 1)),
            "surface_dice": surface_dice(*pair, spacing=(2, 1)),
            "topology_precision": topology_precision(*pair),
            "topology_sensitivity": topology_sensitivity(*pair),
            **{
                f"betti_{k}_matching_error": metrics.betti_matching_error(
                    *pair, dimension=k, connectivity=1
                )
                for k in (0, 1)
            },
            "intersection_union_discrepancy": intersection_union_discrepancy(
                *pair, connectivity=1, border="closed"
            ),
        }


def test_of_volumes_there_are_fewer():
    (pair,) = smooth_pairs(1, (8, 9, 10), seed=11)
    found = further_report(*pair, spacing=(2, 1, 1))
    assert found == {
        "hausdorff_distance": hausdorff_distance(*pair, spacing=(2, 1, 1)),
        "surface_dice": surface_dice(*pair, spacing=(2, 1, 1)),
        "topology_precision": topology_precision(*pair, spacing=(2, 1, 1)),
        "topology_sensitivity": topology_sensitivity(*pair, spacing=(2, 1, 1)),
    }


# --- Ignored pixels ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", further_metrics.__all__)
def test_what_is_said_at_ignored_pixels_changes_nothing(name):
    metric = getattr(further_metrics, name)
    rng = np.random.default_rng(8)
    for prediction, truth in smooth_pairs(5, (19, 26), seed=9):
        ignored = ndimage.binary_dilation(rng.random(truth.shape) < 0.03)
        first = metric(prediction, truth, ignored=ignored)
        other = metric(prediction ^ ignored, truth ^ ignored, ignored=ignored)
        assert first == other
        assert metric(prediction, truth, ignored=np.zeros_like(truth)) == metric(prediction, truth)
    everything = np.ones_like(truth)
    assert metric(prediction, truth, ignored=everything) == metric(truth, truth)
