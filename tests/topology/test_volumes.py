"""Persistence pairs of volumes: against GUDHI and cripser, the laws of diagrams, and by hand.

GUDHI does not say which voxels make a pair where values are equal. But a pair's voxels depend only
on the order of all voxels, so we give GUDHI the positions in this order for values: the diagram it
then returns names the voxels.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cripser
import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from toposeg_lite.topology import betti_numbers, persistence_pairs
from toposeg_lite.topology.loops import cancel_pairs, pop_largest, push

OPTIONS = [(c, b) for c in (1, 3) for b in ("open", "closed")]
FIELDS = ("dimension", "birth", "death", "birth_index", "death_index")


def smooth(shape, seed, sigma=1.2):
    image = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return (image - image.min()) / (image.max() - image.min())


def volumes():
    """Name the kinds of volume that a segmentation network, or a user, may hand over."""
    rng = np.random.default_rng(5)
    noise = rng.random((7, 9, 8))
    return {
        "noise": noise,
        "noise float32": noise.astype(np.float32),
        "noise float16": noise.astype(np.float16),
        "smooth": smooth((14, 11, 12), 1),
        "quantised to 4 levels": np.round(noise * 3) / 3,
        "quantised, smooth": np.round(smooth((10, 12, 9), 2) * 20) / 20,
        "zero": np.zeros((3, 4, 5)),
        "one": np.ones((4, 3, 2)),
        "constant": np.full((2, 5, 3), 0.25),
        "binary": rng.random((8, 7, 9)) < 0.4,
        "checkerboard": np.indices((5, 6, 4)).sum(0) % 2 == 0,
        "one slice": rng.random((1, 9, 8)),
        "one column": rng.random((1, 11, 1)),
        "one voxel": np.array([[[0.3]]]),
        "two slices": rng.random((6, 2, 7)),
    }


def as_multiset(pairs):
    return Counter(
        zip(pairs.dimension.tolist(), pairs.birth.tolist(), pairs.death.tolist(), strict=True)
    )


def indices(pairs):
    ends = (pairs.dimension, pairs.birth_index, pairs.death_index)
    return Counter(zip(*(end.tolist() for end in ends), strict=True))


def gudhi_multiset(volume, connectivity, border, frame=1.0):
    """Return the superlevel diagram by GUDHI's cubical complex, the essential class dying at 0."""
    volume = np.asarray(volume, dtype=float)
    if border == "closed":
        volume = np.pad(volume, 1, constant_values=frame)
    construction = "vertices" if connectivity == 1 else "top_dimensional_cells"
    cubical = gudhi.CubicalComplex(**{construction: -volume})
    cubical.compute_persistence(min_persistence=0.0)
    return Counter(
        (d, 0 - birth, 0.0 if np.isinf(death) else 0 - death)
        for d, (birth, death) in cubical.persistence()
        if d < 3
    )


def gudhi_indices(volume, connectivity, border):
    """Return the pairs that do not lie on the diagonal as (dimension, birth and death voxel)."""
    flat = np.asarray(volume, dtype=float).ravel()
    order = np.lexsort((np.arange(flat.size), -flat))
    height = np.empty(flat.size)
    height[order] = np.arange(flat.size, 0, -1)
    frame = flat.size + 1.0
    found = Counter()
    diagram = gudhi_multiset(height.reshape(volume.shape), connectivity, border, frame)
    for d, birth, death in diagram.elements():
        born = -1 if birth == frame else int(order[flat.size - int(birth)])
        died = -1 if death == 0 else int(order[flat.size - int(death)])
        above = 1.0 if born < 0 else flat[born]
        if died < 0 or above > flat[died]:
            found[d, born, died] += 1
    return found


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
@pytest.mark.parametrize("name", volumes())
def test_the_diagram_equals_gudhis(name, connectivity, border):
    volume = volumes()[name]
    pairs = persistence_pairs(volume, connectivity=connectivity, border=border)
    theirs = gudhi_multiset(volume, connectivity, border)
    if not volume.any() and border == "open":
        theirs[0, 0.0, 0.0] = 1  # we keep the essential class of a zero volume, a point (0, 0)
    assert as_multiset(pairs) == theirs
    assert indices(pairs) == gudhi_indices(volume, connectivity, border)


@settings(max_examples=150, deadline=None)
@given(
    levels=hnp.arrays(np.int64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
                      elements=st.integers(0, 4)),
    option=st.sampled_from(OPTIONS),
)  # fmt: skip
def test_small_volumes_with_many_ties(levels, option):
    volume = levels / 4
    pairs = persistence_pairs(volume, connectivity=option[0], border=option[1])
    assert indices(pairs) == gudhi_indices(volume, *option)
    ends = pairs.birth_index >= 0, pairs.death_index >= 0
    flat = volume.ravel()
    assert np.array_equal(pairs.birth[ends[0]], flat[pairs.birth_index[ends[0]]])
    assert np.array_equal(pairs.death[ends[1]], flat[pairs.death_index[ends[1]]])
    assert np.all(pairs.birth[~ends[0]] == 1)
    assert np.all(pairs.death[~ends[1]] == 0)


@pytest.mark.parametrize(
    ("connectivity", "their"), [(1, cripser.computePH), (3, cripser.computePH_T)]
)
def test_a_larger_volume_against_cripser(connectivity, their):
    volume = np.random.default_rng(8).random((20, 25, 22))
    rows = their(-volume, maxdim=2)
    death = np.where(rows[:, 2] > 1, 0.0, -rows[:, 2])
    theirs = Counter(zip(rows[:, 0].astype(int), -rows[:, 1], death, strict=True))
    ours = as_multiset(persistence_pairs(volume, connectivity=connectivity))
    assert ours == theirs
    assert min(Counter(d for d, _, _ in ours.elements()).values()) > 300


def test_tunnels_are_paired_modulo_2():
    # A loop that winds twice round a Moebius band bounds it modulo 2 and does not modulo 3. In this
    # volume two tunnels exchange their deaths by that. cripser calculates modulo 2; GUDHI does not.
    volume = np.random.default_rng(3).random((18, 20, 20, 20))[17]
    ours = as_multiset(persistence_pairs(volume, connectivity=1))
    rows = cripser.computePH(-volume, maxdim=2)
    death = np.where(rows[:, 2] > 1, 0.0, -rows[:, 2])
    assert ours == Counter(zip(rows[:, 0].astype(int), -rows[:, 1], death, strict=True))
    theirs = gudhi_multiset(volume, 1, "open")
    one, two = sorted(ours - theirs), sorted(theirs - ours)
    assert len(one) == 2
    assert [birth for _, birth, _ in one] == [birth for _, birth, _ in two]
    assert [death for _, _, death in one] == [death for _, _, death in two][::-1]


@pytest.mark.parametrize("connectivity", [1, 3])
def test_flips_and_transposes_change_no_value(connectivity):
    volume = np.round(smooth((9, 12, 10), 3) * 12) / 12  # with ties
    wanted = as_multiset(persistence_pairs(volume, connectivity=connectivity))
    assert {d for d, _, _ in wanted} == {0, 1, 2}
    for turned in (volume[::-1], volume[:, ::-1], volume[..., ::-1], volume.transpose(2, 0, 1)):
        assert as_multiset(persistence_pairs(turned, connectivity=connectivity)) == wanted


@pytest.mark.parametrize("connectivity", [1, 3])
@pytest.mark.parametrize("border", ["open", "closed"])
def test_the_pairs_alive_at_a_threshold_are_the_betti_numbers(connectivity, border):
    volume = smooth((12, 10, 13), 4, 0.8)
    pairs = persistence_pairs(volume, connectivity=connectivity, border=border)
    seen = set()
    for threshold in (0.2, 0.4, 0.5, 0.7):
        alive = (pairs.birth >= threshold) & (pairs.death < threshold)
        counts = tuple(int(np.sum(alive & (pairs.dimension == d))) for d in range(3))
        mask = volume >= threshold
        assert counts == betti_numbers(mask, connectivity=connectivity, border=border)
        seen.add(counts)
    assert len(seen) == 4


def test_by_hand():
    # A shell around one dark voxel: the wall's faintest side decides when the cavity is closed.
    shell = np.full((3, 3, 3), 0.9)
    shell[1, 1, 1] = 0.2
    shell[0, 1, 1] = 0.6
    for connectivity in (1, 3):
        pairs = persistence_pairs(shell, connectivity=connectivity)
        assert indices(pairs) == {(0, 0, -1): 1, (2, 4, 13): 1}
        assert pairs.birth.tolist() == [0.9, 0.6]
        assert pairs.death.tolist() == [0.0, 0.2]
    # A ring is a tunnel. With a frame around it the ring is one with its surroundings; what is
    # left dark, its middle voxel alone, is a cavity.
    ring = np.array([[[0.9, 0.8, 0.9], [0.8, 0.1, 0.7], [0.9, 0.8, 0.9]]])
    assert indices(persistence_pairs(ring, connectivity=3)) == {(0, 0, -1): 1, (1, 5, 4): 1,
        (0, 2, 1): 1, (0, 6, 3): 1, (0, 8, 7): 1}  # fmt: skip
    closed = persistence_pairs(ring, border="closed")
    assert indices(closed) == {(0, -1, -1): 1, (2, -1, 4): 1}
    # Diagonal neighbours touch with 26 neighbours. With 6 they wait for voxel 3: 0-1-3-7.
    diagonal = np.zeros((2, 2, 2))
    diagonal[0, 0, 0], diagonal[1, 1, 1] = 0.9, 0.7
    assert indices(persistence_pairs(diagonal, connectivity=3)) == {(0, 0, -1): 1}
    assert indices(persistence_pairs(diagonal, connectivity=1)) == {(0, 0, -1): 1, (0, 7, 3): 1}


def test_an_empty_closed_volume_is_a_frame_around_a_cavity():
    pairs = persistence_pairs(np.zeros((2, 3, 2)), border="closed")
    assert indices(pairs) == {(0, -1, -1): 1, (2, -1, 11): 1}
    assert pairs.birth.tolist() == [1, 1]
    zero = persistence_pairs(np.zeros((2, 2, 2)), min_persistence=0.5)
    assert (len(zero), zero.birth[0], zero.birth_index[0], zero.death_index[0]) == (1, 0, 0, -1)


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
def test_dimensions_select_without_changing_anything(connectivity, border):
    volume = volumes()["quantised, smooth"]
    options = {"connectivity": connectivity, "border": border}
    every = persistence_pairs(volume, **options)
    assert set(every.dimension) == {0, 1, 2}
    for wanted in ([0], [1], [2], [0, 2], [1, 2]):
        some = persistence_pairs(volume, dimensions=wanted, **options)
        same = every[np.isin(every.dimension, wanted)]
        for name in FIELDS:
            assert np.array_equal(getattr(some, name), getattr(same, name))


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
def test_the_order_of_the_result_is_as_documented(connectivity, border):
    pairs = persistence_pairs(
        smooth((15, 14, 16), 6, 0.8), connectivity=connectivity, border=border
    )
    assert np.all(np.diff(pairs.dimension) >= 0)
    components = pairs.of_dimension(0)
    assert components.death_index[0] == -1
    assert np.all(np.diff(components.death[1:]) <= 0)
    for dimension in (1, 2):
        births = pairs.of_dimension(dimension).birth
        assert len(births) > 3
        assert np.all(np.diff(births) >= 0)
    assert (pairs.birth_index[-1] == -1) == (border == "closed")


@pytest.mark.parametrize(("connectivity", "border"), OPTIONS)
def test_equal_pairs_stand_in_the_order_of_their_saddles(connectivity, border):
    volume = volumes()["quantised to 4 levels"]
    pairs = persistence_pairs(volume, connectivity=connectivity, border=border)
    components, tunnels, cavities = (pairs.of_dimension(k) for k in range(3))
    components, cavities = components[1:], cavities[cavities.birth_index >= 0]
    # As in two dimensions; one voxel may close several tunnels, the first of them dies first.
    walks = [
        np.lexsort((components.death_index, -components.death)),
        np.lexsort((tunnels.death_index, -tunnels.death, -tunnels.birth_index, tunnels.birth)),
        np.lexsort((-cavities.birth_index, cavities.birth)),
    ]
    for walk in walks:
        assert np.array_equal(walk, np.arange(len(walk)))
    assert max(map(len, walks[::2])) > 10
    assert len(tunnels) - len(np.unique(tunnels.birth_index)) > 0


@pytest.mark.parametrize("connectivity", [1, 3])
def test_min_persistence_is_strict_and_keeps_what_never_dies(connectivity):
    volume = np.random.default_rng(1).random((8, 9, 7), dtype=np.float32)
    for border in ("open", "closed"):
        pairs = persistence_pairs(volume, connectivity=connectivity, border=border)
        least = np.sort(pairs.persistence)[len(pairs) // 2]  # that of one pair, exactly
        kept = pairs[(pairs.persistence > least) | (pairs.death_index < 0)]
        few = persistence_pairs(
            volume, connectivity=connectivity, border=border, min_persistence=float(least)
        )
        assert 1 < len(few) < len(pairs)
        assert indices(few) == indices(kept)


def test_a_heap_gives_its_largest_key_first_and_pairs_cancel():
    keys = np.random.default_rng(6).integers(0, 2000, 3000)
    heap, left = np.empty(4, np.int64), 0  # it must grow
    for key in keys:
        left, heap = push(heap, left, key)
    assert left == 3000
    found = []
    left = cancel_pairs(heap, left)
    while left:
        found.append(int(heap[0]))
        left = cancel_pairs(heap, pop_largest(heap, left))
    values, counts = np.unique(keys, return_counts=True)
    assert found == values[counts % 2 == 1][::-1].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_type_and_memory_layout(dtype):
    volume = np.random.default_rng(2).random((5, 7, 6)).astype(dtype)
    wanted = as_multiset(persistence_pairs(volume))
    assert persistence_pairs(volume).birth.dtype == (np.float64 if dtype == np.float64 else "f4")
    big = np.zeros((10, 14, 12), dtype)
    big[::2, ::2, ::2] = volume
    frozen = volume.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(volume), big[::2, ::2, ::2], frozen):
        before = same.copy()
        assert as_multiset(persistence_pairs(same)) == wanted
        assert np.array_equal(same, before)


def test_negative_zero_is_zero():
    volume = np.where(np.random.default_rng(3).random((5, 6, 4)) < 0.6, 0.0, 0.5)
    negative = np.where(volume == 0, -0.0, volume)
    assert np.signbit(negative).any()
    assert indices(persistence_pairs(volume)) == indices(persistence_pairs(negative))


def test_threads_change_nothing():
    many = [np.random.default_rng(i).random((9, 12, 10), dtype=np.float32) for i in range(8)]
    alone = [persistence_pairs(volume) for volume in many]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(persistence_pairs, many))
    for a, b in zip(alone, together, strict=True):
        for name in FIELDS:
            assert np.array_equal(getattr(a, name), getattr(b, name))
