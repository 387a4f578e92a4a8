"""The synthetic images: their Betti numbers against independent counts, seeds, gaps, shapes."""

from __future__ import annotations

import gudhi
import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from toposeg_lite.data import synthetic

PLANE = ["vessels", "membranes", "cracks", "roads", "lanes"]
SHAPE = dict.fromkeys(PLANE, (112, 144)) | {"tubes": (24, 40, 48)}
CHANNELS = {"vessels": 3, "membranes": 1, "cracks": 1, "roads": 3, "lanes": 3, "tubes": 1}
NAMES = list(SHAPE)


def draw(name, seed=0, **options):
    options.setdefault("shape", SHAPE[name])
    return getattr(synthetic, name)(seed=seed, **options)


def count_with_skimage(mask, connectivity):
    """Components by labelling, the last number by the dual background, the middle one by Euler."""
    mask = np.pad(mask, 1)
    dual = mask.ndim if connectivity == 1 else 1
    parts = measure.label(mask, connectivity=connectivity).max()
    cavities = measure.label(~mask, connectivity=dual).max() - 1
    euler = measure.euler_number(mask, connectivity)
    if mask.ndim == 2:
        assert parts - cavities == euler
        return parts, cavities
    return parts, parts + cavities - euler, cavities


def count_with_gudhi(mask):
    """Betti numbers of the union of closed pixels: 8 (26) neighbours."""
    cells = gudhi.CubicalComplex(top_dimensional_cells=np.where(np.pad(mask, 1), 0.0, 1.0))
    cells.compute_persistence(homology_coeff_field=2)
    return tuple(cells.persistent_betti_numbers(0.0, 0.5)[: mask.ndim])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(4))
def test_betti_numbers_are_those_of_the_mask_with_both_connectivities(name, seed):
    drawing = draw(name, seed)
    ndim = drawing.mask.ndim
    assert len(drawing.betti) == ndim
    assert count_with_skimage(drawing.mask, ndim) == drawing.betti
    assert count_with_skimage(drawing.mask, 1) == drawing.betti
    assert count_with_gudhi(drawing.mask) == drawing.betti


@pytest.mark.parametrize("name", NAMES)
def test_image_and_mask_are_what_the_docstring_says(name):
    drawing = draw(name)
    assert drawing.image.shape == (CHANNELS[name], *SHAPE[name])
    assert drawing.image.dtype == np.float32
    assert drawing.image.flags.c_contiguous
    assert 0 <= drawing.image.min() < drawing.image.max() <= 1
    assert drawing.mask.shape == SHAPE[name]
    assert drawing.mask.dtype == np.bool_
    assert 0.01 < drawing.mask.mean() < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bits_other_seed_other_image(name):
    first, same, other = draw(name, 5), draw(name, np.random.default_rng(5)), draw(name, 6)
    assert first.image.tobytes() == same.image.tobytes()
    assert first.mask.tobytes() == same.mask.tobytes()
    assert first.betti == same.betti
    assert (first.mask != other.mask).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_moves_on_between_drawings(name):
    rng = np.random.default_rng(0)
    assert (draw(name, rng).mask != draw(name, rng).mask).any()


def test_the_numbers_asked_for_are_drawn():
    assert [draw("vessels", trees=n).betti for n in (1, 4)] == [(1, 0), (4, 0)]
    assert [draw("lanes", lines=n).betti for n in (2, 5)] == [(2, 0), (5, 0)]
    assert draw("cracks", shape=(200, 160), cracks=3, loops=5).betti == (3, 5)
    assert draw("cracks", cracks=1, loops=0).betti == (1, 0)


def test_smaller_cells_blocks_and_spacings_make_more_loops():
    few, many = (draw("membranes", shape=(160, 200), cell=n).betti[1] for n in (64, 24))
    assert few < many
    few, many = (draw("roads", shape=(200, 240), block=n).betti[1] for n in (100, 40))
    assert few < many
    few, many = (
        sum(draw("tubes", seed, shape=(32, 64, 64), spacing=n).betti[1] for seed in range(3))
        for n in (24, 12)
    )
    assert few < many


@pytest.mark.parametrize("name", PLANE)
def test_extreme_shapes_keep_the_promise(name):
    low = 96 if name == "roads" else 64
    for shape in ((low, low), (low, 4 * low), (4 * low, low)):
        drawing = draw(name, 1, shape=shape)
        assert drawing.mask.shape == shape
        assert count_with_skimage(drawing.mask, 2) == drawing.betti


def test_many_small_cells_keep_the_promise():
    drawing = synthetic.membranes((300, 200), seed=3, cell=24)
    assert drawing.betti[1] > 40
    assert count_with_skimage(drawing.mask, 1) == drawing.betti


def contrast(drawing):
    """How much each pixel of the mask differs from the mean around the structure, in the image."""
    image = drawing.image.mean(0)
    inside = ndimage.binary_erosion(drawing.mask) if drawing.mask.mean() > 0.1 else drawing.mask
    ring = ndimage.binary_dilation(drawing.mask, iterations=4) & ~drawing.mask
    return np.abs(image[inside] - image[ring].mean())


@pytest.mark.parametrize("name", ["vessels", "membranes", "cracks", "tubes"])
def test_gaps_hide_part_of_the_structure(name):
    whole = draw(name, 2, gaps=0, noise=0.0)
    torn = draw(name, 2, gaps=60, noise=0.0)
    assert contrast(torn).mean() < 0.95 * contrast(whole).mean()


def test_tree_crowns_hide_part_of_a_street():
    whole, torn = draw("roads", 2, gaps=0, noise=0.0), draw("roads", 2, gaps=60, noise=0.0)
    assert torn.betti == whole.betti
    assert torn.image[:, torn.mask].mean() < 0.95 * whole.image[:, whole.mask].mean()


def test_lane_masks_run_through_the_gaps_between_dashes():
    drawing = draw("lanes", 0, shape=(200, 240), gaps=0, noise=0.0)
    lines = measure.label(drawing.mask, connectivity=2)
    red = drawing.image[0]
    bright = [np.mean(red[lines == k] > 0.6) for k in range(1, 5)]
    outer, inner = sorted(bright)[2:], sorted(bright)[:2]
    assert min(outer) > 1.2 * max(inner)


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_what_was_asked_for(name):
    clean, noisy = draw(name, 3, noise=0.0), draw(name, 3, noise=0.05)
    assert (clean.mask == noisy.mask).all()
    spread = (noisy.image.astype(float) - clean.image).std()
    assert 0.01 < spread < 0.055


@pytest.mark.parametrize("name", NAMES)
def test_structure_differs_from_its_surroundings(name):
    """Dark or bright, the structure can be seen: two means, far apart for their spread."""
    drawing = draw(name, 4, gaps=0)
    image = ndimage.gaussian_filter(drawing.image, (0,) + (0.7,) * drawing.mask.ndim).mean(0)
    ring = ndimage.binary_dilation(drawing.mask, iterations=5) & ~drawing.mask
    gap = abs(image[drawing.mask].mean() - image[ring].mean())
    assert gap > 0.6 * image[ring].std()


def test_membranes_cut_by_the_border_may_come_in_several_pieces():
    pieces = [draw("membranes", seed, shape=(64, 80)).betti[0] for seed in range(8)]
    assert min(pieces) == 1
    assert max(pieces) > 1
