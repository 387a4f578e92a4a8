"""Branches that are decided one by one, the rules for masks, and walks."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import pairwise, product

import gudhi
import numpy as np
import pytest
from branch_sets import branches_of
from scipy import ndimage

from toposeg_lite.structures import find_branches, perturb_and_walk, walking
from toposeg_lite.structures.walking import _noise
from toposeg_lite.topology.discs import divide_mask
from toposeg_lite.topology.morse import morse_complex
from toposeg_lite.topology.persistence import persistence_pairs


def images():
    """Small images and volumes, of many values and of few, each with its connectivity."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ndim = 3 if seed % 4 == 0 else 2
        shape = tuple(int(n) for n in rng.integers(1, 6 if ndim == 3 else 12, ndim))
        image = rng.random(shape) if seed % 3 else rng.integers(0, 5, shape) / 4
        yield image, 1 if ndim == 3 else 1 + seed % 2


def largest_steps(path, shape):
    """Return, of each step of a path, how far it goes along one axis, and along all together."""
    steps = np.abs(np.diff(np.array(np.unravel_index(path, shape)), axis=1))
    return steps.max(0), steps.sum(0)


def numbers(text):
    """Read a drawing of digits, tenths, as an image."""
    return np.array([[int(c) / 10 for c in row] for row in text.split()])


# --- Pieces --------------------------------------------------------------------------------------


def test_each_pixel_of_the_skeleton_has_one_owner():
    for image, connectivity in images():
        for min_persistence, level in ((0, 0), (0.1, 0), (0.05, 0.3)):
            options = {
                "min_persistence": min_persistence,
                "saddle_level": level,
                "connectivity": connectivity,
            }
            found = find_branches(image, **options)
            branches = morse_complex(image, connectivity=connectivity).branches(
                min_persistence, level
            )
            drawn = {p for path in branches.paths for p in path.tolist()}
            assert sorted(found.own_pixels.tolist()) == sorted(drawn)
            assert (found.owner >= 0).sum() == len(drawn)
            assert found.sizes.min(initial=1) >= 1


def test_paths_are_paths_that_own_all_but_an_end():
    for image, connectivity in images():
        found = find_branches(image, min_persistence=0, connectivity=connectivity)
        flat = found.owner.ravel()
        for k, path in enumerate(found.paths):
            along, together = largest_steps(path, image.shape)
            assert (along <= 1).all()
            assert ((together > 0) & (together <= connectivity)).all()
            others = flat[path] != k
            assert not others[1:-1].any() or len(path) < 3
            assert found.length[k] == pytest.approx(max(1, np.sqrt(together).sum()))
            first, last = found.offsets[k : k + 2]
            assert first <= found.owned[k, 0] < found.owned[k, 1] <= last
            assert found.pixels[found.start[k]] == found.saddle[k]
            if found.kind[k] < 2:
                assert image.ravel()[path].min() == image.ravel()[found.saddle[k]]


def test_persistences_are_differences_of_the_pixels_that_gudhi_pairs():
    checked = 0
    for image, connectivity in images():
        found = find_branches(image, min_persistence=0, connectivity=connectivity)
        values = np.append(image.ravel(), 0.0)  # -1 is the last
        cells = "top_dimensional_cells" if connectivity == image.ndim else "vertices"
        # GUDHI's diagrams, in the order "sublevel sets of the negated image".
        complex_ = gudhi.CubicalComplex(**{cells: np.asfortranarray(-image)})
        complex_.persistence()
        wanted = {(image.max(), 0.0)}
        for kind in (0, 1):
            pairs = -complex_.persistence_intervals_in_dimension(kind).reshape(-1, 2)
            pairs = pairs[np.isfinite(pairs).all(1) & (pairs[:, 0] > pairs[:, 1])]
            wanted |= {tuple(pair) for pair in pairs.round(9).tolist()}
        ours = np.stack([values[found.upper], values[found.lower]], 1)
        assert {tuple(pair) for pair in ours.round(9).tolist()} <= {
            tuple(np.round(pair, 9).tolist()) for pair in wanted
        }
        np.testing.assert_array_equal(found.persistence, ours[:, 0] - ours[:, 1])
        checked += len(ours)
    assert checked > 500


@pytest.mark.parametrize("min_persistence", [0.0, 0.15])
def test_a_piece_is_as_persistent_as_the_skeleton_that_holds_more_than_half_of_it(min_persistence):
    held = dropped = crossed = by_peak = 0
    for image, connectivity in [*images(), larger_image()]:
        found = find_branches(
            image, min_persistence=min_persistence, split=0.1, connectivity=connectivity
        )
        complex_ = morse_complex(image, connectivity=connectivity)
        branches = complex_.branches()
        own = dict(zip(branches.saddle.tolist(), branches.persistence.tolist(), strict=True))
        pairs = persistence_pairs(image, connectivity=connectivity, dimensions=[0])
        peaks = dict(zip(pairs.birth_index.tolist(), pairs.persistence.tolist(), strict=True))
        for threshold in {*np.linspace(0, 0.9, 7).tolist(), *found.persistence.tolist()}:
            if not min_persistence <= threshold <= 1:
                continue
            skeleton = complex_.skeleton(threshold).mask.ravel()
            for k, path in enumerate(found.paths):
                first, stop = found.owned[k] - found.offsets[k]
                inside = 2 * skeleton[path[first:stop]].sum() > stop - first
                peak = found.kind[k] == 2 and peaks.get(path[stop - 1], 0.0) > threshold
                assert (found.persistence[k] > threshold) == (inside or peak)
                held += inside
                dropped += not inside
                by_peak += peak and not inside
        joins = np.flatnonzero(found.kind == 0)
        crossed += sum(found.persistence[k] > own[found.saddle[k]] for k in joins)
    assert min(held, dropped) > 500
    assert min(crossed, by_peak) > 10


def test_a_dip_along_a_vessel_is_as_persistent_as_what_the_vessel_leads_to():
    found = find_branches(numbers("7691768"), split=1)
    assert found.saddle.tolist() == [1, 5, 3]
    np.testing.assert_allclose(found.persistence, [0.1, 0.7, 0.7])
    # The way from the peak of .8 crosses its own vessel's dip; the peak dies at the pass of .1.
    assert found.upper.tolist() == [0, 6, 6]
    assert found.lower.tolist() == [1, 3, 3]
    # Cut at .35, the vessel is alone; its persistence stays that of the whole image.
    cut = find_branches(numbers("7691768"), split=1, saddle_level=0.35)
    assert cut.saddle.tolist() == [1, 5]
    np.testing.assert_allclose(cut.persistence, [0.1, 0.7])


def test_a_bridge_ends_where_it_meets_what_is_stronger():
    # Two vessels with a weak spot each (.6), and a bridge between them.
    image = numbers("""
        8679777
        0004000
        0003000
        0004000
        9867888""")
    found = find_branches(image, split=1, connectivity=1)
    above, below, bridge = (path.tolist() for path in found.paths)
    assert (sorted(above), sorted(below)) == ([0, 1, 2, 3], [28, 29, 30, 31, 32])
    assert sorted(bridge) == [3, 10, 17, 24, 31]
    assert found.sizes.tolist() == [4, 5, 3]
    assert found.saddle.tolist() == [1, 30, 17]
    # The bridge leads on to the lower vessel's peak, through its weak spot.
    np.testing.assert_allclose(found.persistence, [0.2, 0.6, 0.6])


def test_the_ridge_beyond_a_bridge_is_a_piece_of_its_own():
    image = numbers("9992125676")
    found = find_branches(image)
    assert [path.tolist() for path in found.paths[:1]] == [[2, 3, 4, 5, 6]]
    assert found.kind.tolist() == [0, 2, 2]
    ridges = {tuple(path.tolist()) for path in found.paths[1:]}
    assert ridges == {(2, 1, 0), (6, 7, 8)}
    # The peak of .7 dies at the pass of .1; the highest never does.
    persistence = dict(zip(found.upper.tolist(), found.persistence.tolist(), strict=True))
    assert persistence[8] == pytest.approx(0.6)
    assert persistence[0] == pytest.approx(0.9)
    assert found.lower[found.upper == 0].tolist() == [-1]
    (path,) = find_branches(image, split=1).paths
    assert sorted(path.tolist()) == list(range(9))


def test_weak_branches_never_enter():
    image = numbers("98929493969")  # passes of persistence .1, .7, .5, .6, .3
    assert find_branches(image, min_persistence=0, split=1).saddle.tolist() == [1, 9, 5, 7, 3]
    assert find_branches(image, min_persistence=0.5 + 1e-9, split=1).saddle.tolist() == [7, 3]
    assert find_branches(image, min_persistence=0, saddle_level=0.35, split=1).saddle.tolist() == [
        1,
        9,
        5,
    ]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 6), (3, 4, 5)])
def test_flat_images_have_no_branch(shape):
    found = find_branches(np.full(shape, 0.7))
    assert len(found) == 0
    assert found.paths == []
    assert found.mask(np.zeros(0, int)).all()
    assert (found.region == -1).all()
    assert found.fraction_on(np.ones(shape, bool)).shape == (0,)
    assert perturb_and_walk(found, 0) == []


def test_the_fraction_on_the_truth_counts_the_pixels_of_its_own():
    for image, connectivity in images():
        found = find_branches(image, min_persistence=0, connectivity=connectivity)
        truth = np.random.default_rng(1).random(image.shape) < 0.6
        wanted = [truth[found.owner == k].mean() for k in range(len(found))]
        np.testing.assert_allclose(found.fraction_on(truth), wanted)


# --- Specks --------------------------------------------------------------------------------------


def test_specks_are_the_peaks_that_no_branch_reaches():
    checked = 0
    for image, connectivity in images():
        for min_persistence, level in ((0, 0), (0.1, 0), (0.05, 0.3), (0.1, 0.5)):
            options = {
                "min_persistence": min_persistence,
                "saddle_level": level,
                "connectivity": connectivity,
            }
            without = find_branches(image, **options)
            branches = find_branches(image, specks=True, **options)
            skeleton = morse_complex(image, connectivity=connectivity).skeleton(
                min_persistence, level
            )
            lone = np.setdiff1d(skeleton.nodes, skeleton.nodes[skeleton.edges])
            count = len(without)
            for k in range(count):
                assert np.array_equal(branches.paths[k], without.paths[k])
                assert branches.persistence[k] == without.persistence[k]
            assert [path.tolist() for path in branches.paths[count:]] == lone[:, None].tolist()
            assert branches.kind.tolist() == [*without.kind, *[3] * len(lone)]
            assert (branches.length[count:] == 1).all()
            assert (branches.sizes[count:] == 1).all()
            assert np.array_equal(branches.owner >= 0, skeleton.mask)
            checked += len(lone)
    assert checked > 100


def test_a_speck_is_as_persistent_as_its_peak():
    image = numbers("9802050006")  # the peak of .2 rises by .2, that of .5 by .5, from passes of 0
    branches = find_branches(image, min_persistence=0.1, saddle_level=0.05, specks=True)
    assert [path.tolist() for path in branches.paths] == [[0], [3], [5], [9]]
    np.testing.assert_allclose(branches.persistence, [0.9, 0.2, 0.5, 0.6])
    assert branches.upper.tolist() == [0, 3, 5, 9]
    assert repr(branches).endswith("0 ridges, 4 specks)")
    assert "specks" not in repr(find_branches(image))


# --- From decisions to a mask --------------------------------------------------------------------

# A vessel of three rows with a weak spot at column 5; a thin line under it, apart.
VESSEL = """
    00000000000
    67777367770
    78889489980
    67777367770
    00000000000
    00000000000
    00000000000
    00000000000
    88888888888"""


def test_the_drawing_of_the_rules():
    rows = [".......", "#######", "#######", "#######", "...#...", "...#..."]
    base = np.array([[mark == "#" for mark in row] for row in rows])
    trunk, side = np.arange(14, 21), np.array([24, 31, 38])
    branches = branches_of(np.where(base, 0.9, 0.1), [trunk, side])
    wanted = np.where(base, 0, -1)
    wanted[4:, 3] = 1
    assert branches.region.tolist() == wanted.tolist()
    kept = branches.mask(np.array([0, -1]))
    assert np.array_equal(kept, wanted == 0)


def test_undecided_branches_leave_the_base():
    image = numbers(VESSEL)
    branches = find_branches(image, split=1)
    undecided = np.zeros(len(branches), int)
    np.testing.assert_array_equal(branches.mask(undecided), image >= 0.5)
    higher = replace(branches, mask_threshold=0.75)
    np.testing.assert_array_equal(higher.mask(undecided), image >= 0.75)


def test_an_accepted_path_is_drawn_and_a_rejected_one_takes_its_pixels_away():
    image = numbers(VESSEL)
    branches = find_branches(image, saddle_level=0.1, split=1)
    (k,) = (k for k, path in enumerate(branches.paths) if 27 in path.tolist())  # row 2, column 5
    assert len(branches) == 1
    accepted, rejected = branches.mask(np.array([1]), radius=0), branches.mask(np.array([-1]))
    np.testing.assert_array_equal(accepted, (image >= 0.5) | branches.draw(np.array([True])))
    assert accepted[2, 5]
    assert not accepted[[1, 3], 5].any()
    assert branches.mask(np.array([1]))[1:4, 5].all()  # three pixels wide
    assert not rejected[1:4].any()
    assert rejected[8].all()  # nobody's: no way leads there
    assert branches.region[8].tolist() == [-1] * 11
    assert branches.region[1, 4] == k == branches.region[2, 5]
    assert branches.region[1, 5] == -1  # not in the base, nor on the path


def slow_owners(base, owner):
    """Return for each pixel of the base the numbers that rule 2 allows; more than one if tied."""
    outside = np.argwhere(~base)
    centres = np.argwhere((owner >= 0) & base)
    allowed = {tuple(q): set() for q in np.argwhere(base).tolist()}
    if not len(centres):
        return allowed
    most = sum(n * n for n in base.shape)
    radius = np.array([((outside - c) ** 2).sum(1).min(initial=most) for c in centres])
    steps = {}
    queue = deque()
    for q in allowed:
        depth = ((centres - q) ** 2).sum(1) - radius
        if depth.min() < 0:
            allowed[q] = {int(owner[tuple(c)]) for c in centres[depth == depth.min()]}
            steps[q] = 0
            queue.append(q)
    while queue:
        q = queue.popleft()
        for move in product((-1, 0, 1), repeat=base.ndim):
            r = tuple(int(a) for a in np.add(q, move))
            if r in allowed and steps.setdefault(r, steps[q] + 1) == steps[q] + 1:
                if not allowed[r]:
                    queue.append(r)
                allowed[r] |= allowed[q]
    return allowed


def slow_mask(branches, decisions, radius):
    """Return for each pixel the answers that the rules allow, straight from their sentences."""
    base, owner = branches.base, branches.owner
    answers = {q: {False} for q in np.ndindex(base.shape)}
    for q, owners in slow_owners(base, owner).items():
        answers[q] = {k < 0 or decisions[k] != -1 for k in owners or {-1}}
    for path in (branches.paths[k] for k in np.flatnonzero(decisions == 1)):
        for p in zip(*np.unravel_index(path, base.shape), strict=True):
            p = tuple(map(int, p))
            answers[p] = {True}
            if not base[p]:
                for q in np.ndindex(base.shape):
                    if sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) <= radius**2:
                        answers[q] = {True}
    return answers


def test_masks_follow_the_rules():
    sure = pixels = 0
    for image, connectivity in images():
        branches = find_branches(
            image, min_persistence=0.1, saddle_level=0.3, connectivity=connectivity, specks=True
        )
        for seed, radius in enumerate((0, 1, 2.3)):
            decisions = np.random.default_rng(seed).integers(-1, 2, len(branches))
            mask = branches.mask(decisions, radius=radius)
            for q, answers in slow_mask(branches, decisions, radius).items():
                assert bool(mask[q]) in answers
                sure += len(answers) == 1
                pixels += 1
    assert sure > 0.9 * pixels


def test_regions_of_thick_masks_follow_the_rules():
    for seed, shape in enumerate([(24, 31), (9, 10, 12)] * 2):
        image = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 1.5)
        image = (image - image.min()) / np.ptp(image)
        branches = find_branches(image, min_persistence=0.1, saddle_level=0.45, specks=True)
        base = image >= 0.45
        base[-3:, -3:] = True  # a part without any path, unless it touches another
        region = divide_mask(base, branches.owner)
        assert region.dtype == np.int32
        assert (region[~base] == -1).all()
        allowed = slow_owners(base, branches.owner)
        assert all(region[q] in (owners or {-1}) for q, owners in allowed.items())
        assert sum(len(owners) == 1 for owners in allowed.values()) > 0.8 * base.sum()


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_laws_of_decisions(radius):
    for image, connectivity in images():
        branches = find_branches(image, min_persistence=0, connectivity=connectivity)
        base, count = image >= 0.5, len(branches)
        every = branches.mask(np.ones(count, int), radius=radius)
        assert every[branches.owner >= 0].all()
        assert every[base].all()
        assert (branches.mask(np.zeros(count, int), radius=radius) == base).all()
        none = branches.mask(np.full(count, -1), radius=radius)
        assert not (none & ~base).any()
        assert not (none & (branches.region >= 0)).any()
        rng = np.random.default_rng(2)
        decisions = rng.integers(-1, 2, count)
        mask = branches.mask(decisions, radius=radius)
        for k in range(count):
            fewer, more = decisions.copy(), decisions.copy()
            fewer[k], more[k] = min(decisions[k], 0), 1
            undecided = branches.mask(fewer, radius=radius)
            assert not (undecided & ~branches.mask(more, radius=radius)).any()
            fewer[k] = -1
            gone = mask & ~branches.mask(fewer, radius=radius)
            if decisions[k] == 0:  # rejecting takes its own pixels of the base, and no others
                assert (branches.region[gone] == k).all()


@pytest.mark.parametrize("like", [bool, float])
def test_codes_that_would_be_silently_wrong_are_refused(like):
    branches = find_branches(numbers("9992125676"))
    with pytest.raises(TypeError, match=r"-1 \(rejected\); got dtype"):
        branches.mask(np.zeros(3, like))
    if like is bool:
        with pytest.raises(TypeError, match=r"False means rejected, pass np\.where"):
            branches.mask(np.zeros(3, bool))


def test_paint_shows_values_where_a_branch_decides():
    image = numbers(VESSEL)
    found = find_branches(image, split=1)
    values = np.arange(len(found)) + 0.5
    painted = found.paint(values, fill=-2)
    assert painted.dtype == np.float32
    for k in range(len(found)):
        assert (painted[found.region == k] == values[k]).all()
    assert (painted[found.region < 0] == -2).all()


# --- Walks ---------------------------------------------------------------------------------------


def slow_walk(image, path, connectivity, gamma, seen):
    """Walk on a noisy image, straight from the definition; None where it fails."""
    places = [np.unravel_index(p, image.shape) for p in path]
    here, end = places[0], places[-1]
    walked = []
    for _ in range(4 * (len(path) - 1) + 8):
        if here == end:
            return walked
        best, there = -np.inf, None
        for step in np.ndindex(*(3,) * image.ndim):
            place = tuple(int(a + s - 1) for a, s in zip(here, step, strict=True))
            reach = sum(abs(s - 1) for s in step)
            inside = all(0 <= a < n for a, n in zip(place, image.shape, strict=True))
            if not inside or not 0 < reach <= connectivity or (place in seen and place != end):
                continue
            away = np.linalg.norm(np.subtract(place, end))
            score = np.inf if place == end else gamma / away + (1 - gamma) * image[place]
            if score > best:
                best, there = score, place
        if there is None:
            return None
        seen.add(there)
        walked.append(there)
        here = there
    return walked if here == end else None


def larger_image():
    """Return an image on which walkers that are not drawn to the end walk far."""
    rng = np.random.default_rng(8)
    return ndimage.gaussian_filter(rng.random((40, 45)), 1.0), 1


@pytest.mark.parametrize(("gamma", "sigma"), [(0.0, 0.0), (0.2, 0.0), (0.9, 0.0), (0.1, 0.3)])
def test_walks_follow_the_definition(gamma, sigma):
    walked = failed = 0
    key = np.random.default_rng(4).integers(2**63, dtype=np.uint64)
    for image, connectivity in [*images(), larger_image()]:
        found = find_branches(image, min_persistence=0, connectivity=connectivity)
        noise = np.array([_noise(key, p) for p in range(image.size)]).reshape(image.shape)
        noisy = image + sigma * noise
        options = {"gamma": gamma, "sigma": sigma, "connectivity": connectivity}
        paths = perturb_and_walk(found, 4, **options)
        for k, path in enumerate(found.paths):
            middle = found.start[k] - found.offsets[k]
            seen = {np.unravel_index(path[middle], image.shape)}
            sides = []
            for side in (path[: middle + 1][::-1], path[middle:]):
                steps = slow_walk(noisy, side, connectivity, gamma, seen)
                failed += steps is None
                walked += steps is not None
                if steps is None:
                    sides.append(side[1:].tolist())
                else:
                    sides.append([int(np.ravel_multi_index(p, image.shape)) for p in steps])
            assert paths[k].tolist() == [*sides[0][::-1], path[middle], *sides[1]]
    assert walked > 500
    assert failed > (10 if gamma < 0.5 else -1)  # so that the way back to the own path is tried


def test_walks_never_write_beyond_their_room(monkeypatch):
    """Compiled code does not notice it; the same code in Python does."""
    image, connectivity = larger_image()
    found = find_branches(image, min_persistence=0, connectivity=connectivity)
    choices = np.eye(len(found), dtype=bool)[:60]
    # With much noise walkers stray, and short paths need the most room beside their own.
    runs = [
        {"seed": 0, "chosen": one, "gamma": 0.0, "sigma": sigma, "connectivity": connectivity}
        for one in choices
        for sigma in (0.0, 20.0)
    ]
    compiled = [perturb_and_walk(found, **run)[0] for run in runs]
    for kernel in ("_redraw", "_walk"):
        monkeypatch.setattr(walking, kernel, getattr(walking, kernel).py_func)
    for run, path in zip(runs, compiled, strict=True):
        np.testing.assert_array_equal(perturb_and_walk(found, **run)[0], path)


def test_walks_lead_from_end_to_end_without_circles_within_their_bound():
    for image, connectivity in images():
        found = find_branches(image, min_persistence=0, connectivity=connectivity)
        paths = perturb_and_walk(found, 3, sigma=0.3, connectivity=connectivity)
        assert len(paths) == len(found)
        for path, old in zip(paths, found.paths, strict=True):
            assert (path[0], path[-1]) == (old[0], old[-1])
            along, together = largest_steps(path, image.shape)
            assert (along <= 1).all()
            assert (together <= connectivity).all()
            assert len(path) <= 4 * (len(old) - 1) + 17


def test_walks_follow_the_seed_and_the_noise():
    image = np.random.default_rng(5).random((40, 40))
    found = find_branches(image)
    runs = [perturb_and_walk(found, seed, sigma=0.2) for seed in (0, 0, 1)]
    assert all(map(np.array_equal, runs[0], runs[1]))
    assert not all(map(np.array_equal, runs[0], runs[2]))
    chosen = np.arange(len(found)) % 3 == 0
    some = perturb_and_walk(found, 0, sigma=0.2, chosen=chosen)
    every = [path for path, wanted in zip(runs[0], chosen, strict=True) if wanted]
    assert all(map(np.array_equal, some, every))


def test_the_noise_is_nearly_standard_normal_and_does_not_repeat():
    fields = np.array([[_noise(np.uint64(key), p) for p in range(20000)] for key in (1, 2, 2**62)])
    assert abs(fields.mean(1)).max() < 0.03
    assert abs(fields.std(1) - 1).max() < 0.02
    assert abs((abs(fields) < 1).mean() - 0.683) < 0.02
    within = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(fields)]
    beside = [np.corrcoef(a[1:], a[:-1])[0, 1] for a in fields]
    assert max(map(abs, within + beside)) < 0.03
