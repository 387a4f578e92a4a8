"""The embedded photographs, their silver masks and the splits."""

from __future__ import annotations

import importlib
import importlib.util
import json
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy import ndimage
from skimage import measure

from toposeg_lite.data import load_dataset, photos
from toposeg_lite.topology import betti_numbers

ASSETS = files("toposeg_lite.data") / "assets"
TOOLS = Path(__file__).parents[2] / "tools"
PHOTOS = {
    "retina": (photos.retina, photos.RETINA_REGIONS, 32),
    "brick": (photos.brick, photos.BRICK_REGIONS, 16),
}


@pytest.fixture(scope="module")
def make_silver():
    spec = importlib.util.spec_from_file_location("make_silver", str(TOOLS / "make_silver.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PHOTOS)
def test_the_script_makes_the_stored_mask_bit_for_bit(make_silver, name):
    made = getattr(make_silver, f"make_{name}")()
    assert made.dtype == np.bool_
    np.testing.assert_array_equal(made, PHOTOS[name][0]().mask)


def test_the_corrections_by_hand_take_effect(make_silver, monkeypatch):
    stored = photos.brick().mask
    monkeypatch.setattr(make_silver, "corrections", lambda name: {"add": [], "erase": []})
    assert (make_silver.make_brick() != stored).any()


@pytest.mark.parametrize("name", PHOTOS)
def test_stored_masks_are_one_bit_pngs(name):
    with (ASSETS / f"{name}.png").open("rb") as file:
        image = Image.open(file)
        assert (image.format, image.mode) == ("PNG", "1")


def test_photographs_are_those_of_scikit_image():
    retina, brick = photos.retina(), photos.brick()
    assert retina.image.shape == (3, 1411, 1411)
    assert retina.image.dtype == brick.image.dtype == np.float32
    np.testing.assert_array_equal(
        np.round(retina.image * 255).astype(np.uint8), np.moveaxis(skimage.data.retina(), -1, 0)
    )
    np.testing.assert_array_equal(
        np.round(brick.image * 255).astype(np.uint8), skimage.data.brick()[None]
    )


@pytest.mark.parametrize(("name", "betti"), [("retina", (4, 35)), ("brick", (1, 54))])
def test_betti_numbers_are_the_documented_ones_with_both_connectivities(name, betti):
    mask = np.pad(PHOTOS[name][0]().mask, 1)
    for connectivity, dual in ((1, 2), (2, 1)):
        parts = measure.label(mask, connectivity=connectivity).max()
        holes = measure.label(~mask, connectivity=dual).max() - 1
        assert (parts, holes) == betti
    row = f"| `{name}.png` | {betti[0]} | {betti[1]} | {100 * mask[1:-1, 1:-1].mean():.1f} % |"
    assert row in (ASSETS / "README.md").read_text(encoding="utf-8")


def test_vessels_lie_in_the_field_and_are_darker_than_their_surroundings():
    photo = photos.retina()
    assert (photo.image[:, photo.mask].max(0) > 30 / 255).all()
    green = photo.image[1]
    lit = photo.image.max(0) > 40 / 255
    ring = ndimage.binary_dilation(photo.mask, iterations=10)
    ring &= ~ndimage.binary_dilation(photo.mask, iterations=2)
    blocks = [
        (slice(r, r + 100), slice(c, c + 100))
        for r in range(0, 1400, 100)
        for c in range(0, 1400, 100)
    ]
    darker = [
        green[block][photo.mask[block]].mean() < green[block][ring[block]].mean()
        for block in blocks
        if photo.mask[block].sum() > 300 and lit[block].all()
    ]
    assert len(darker) > 60
    assert all(darker)


def test_mortar_is_brighter_than_every_brick_beside_it():
    photo = photos.brick()
    grey = photo.image[0]
    bricks = measure.label(~photo.mask, connectivity=1)
    mortar = grey[photo.mask]
    assert all(
        grey[bricks == k].mean() < np.quantile(mortar, 0.05) for k in range(1, bricks.max() + 1)
    )


def test_every_correction_has_a_reason_and_the_readme_counts_them():
    fixes = json.loads((ASSETS / "corrections.json").read_text(encoding="utf-8"))
    text = " ".join((ASSETS / "README.md").read_text(encoding="utf-8").split())
    retina = fixes["retina"]
    assert f"Erased by hand ({len(retina['erase'])} places)" in text
    assert f"Filled by hand ({len(retina['fill'])})" in text
    assert f"Drawn by hand ({len(retina['add'])} lines)" in text
    assert f"{len(fixes['brick']['add'])} short lines by hand" in text
    assert all(fix["why"] for mask in fixes.values() for kind in mask.values() for fix in kind)


@pytest.mark.parametrize("name", PHOTOS)
def test_regions_lie_inside_and_share_no_pixel(name):
    make, regions, gap = PHOTOS[name]
    shape = make().mask.shape
    used = np.zeros(shape, dtype=int)
    for pieces in regions.values():
        for rows, columns in pieces:
            assert 0 <= rows.start < rows.stop <= shape[0]
            assert 0 <= columns.start < columns.stop <= shape[1]
            used[rows, columns] += 1
    assert used.max() == 1
    for here, there in combinations(regions.values(), 2):
        for (rows, columns), (far_rows, far_columns) in ((a, b) for a in here for b in there):
            between_rows = max(rows.start - far_rows.stop, far_rows.start - rows.stop)
            between_columns = max(
                columns.start - far_columns.stop, far_columns.start - columns.stop
            )
            assert max(between_rows, between_columns) >= gap


@pytest.mark.parametrize("name", PHOTOS)
def test_every_split_holds_enough_of_the_structure(name):
    make, regions, _ = PHOTOS[name]
    mask = make().mask
    share = {
        split: sum(mask[piece].sum() for piece in pieces) / mask.sum()
        for split, pieces in regions.items()
    }
    assert share["train"] > 0.4
    assert share["validation"] > 0.2
    assert share["test"] > 0.25


# --- The annotated masks ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def make_annotated():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        return importlib.import_module("make_annotated")


@pytest.mark.parametrize("name", PHOTOS)
def test_the_journals_make_the_annotated_masks(make_annotated, name):
    session, mask = make_annotated.replay(name)
    assert not session.problems
    np.testing.assert_array_equal(mask, PHOTOS[name][0]("annotated").mask)
    start = session.likelihood >= session.settings["mask_threshold"]
    np.testing.assert_array_equal(start, PHOTOS[name][0]().mask)


@pytest.mark.parametrize(("name", "column"), [("retina", 1), ("brick", 2)])
def test_the_readme_tells_what_the_journals_hold(make_annotated, name, column):
    session, mask = make_annotated.replay(name)
    told = {}
    for line in (ASSETS / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3:
            told[cells[0]] = [
                int(word) for word in cells[column].replace(",", "").split() if word.isdigit()
            ]
    progress, silver = session.progress(), PHOTOS[name][0]().mask
    drawn = [len(stroke.path) for stroke in session.strokes]
    assert told["branches proposed"] == [progress.branches]
    assert told["accepted"] == [progress.accepted]
    assert told["rejected"] == [progress.rejected]
    assert told["left open"] == [progress.left]
    assert told["lines drawn by hand"] == [sum(size > 1 for size in drawn)]
    assert told["actions in all, without one that was undone"] == [progress.actions]
    assert told["pixels added, removed"] == [(mask & ~silver).sum(), (silver & ~mask).sum()]
    for when, some in (("before", silver), ("after", mask)):
        for connectivity in (1, 2):
            assert tuple(told[f"b0, b1 {when}"]) == betti_numbers(some, connectivity=connectivity)


def test_the_likelihood_of_the_wall_is_made_again(make_annotated):
    kept = make_annotated.replay("brick")[0].likelihood
    np.testing.assert_array_equal(make_annotated.likelihood("brick"), kept)


@pytest.mark.parametrize("name", PHOTOS)
def test_data_sets_take_either_mask(name):
    silver, annotated = (load_dataset(name, masks=masks) for masks in ("silver", "annotated"))
    both = zip(silver.test + silver.train, annotated.test + annotated.train, strict=True)
    assert any((sample.mask != twin.mask).any() for sample, twin in both)
    assert all(
        (sample.image == twin.image).all()
        for sample, twin in zip(silver.test, annotated.test, strict=True)
    )
    for sample, twin in zip(load_dataset(name).train, silver.train, strict=True):
        np.testing.assert_array_equal(sample.mask, twin.mask)
    with pytest.raises(ValueError, match="masks must be one of 'silver', 'annotated'"):
        load_dataset(name, masks="gold")


def test_vesselness_is_its_formula_and_finds_vessels():
    photo = photos.retina()
    found = photos.vesselness(photo.image)
    assert found.shape == photo.mask.shape
    assert found.dtype == np.float64
    assert 0 <= found.min() <= found.max() <= 1
    assert found[photo.mask].mean() > 4 * found[~photo.mask].mean()
    green = photo.image[1].astype(float)

    def smooth(image, sigma):
        return ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=4)

    field = smooth(green, 20) > 0.22
    contrast = smooth(green * field, 24) / np.maximum(smooth(field * 1.0, 24), 1e-6)
    contrast -= smooth(green, 3)
    odds = 1.5 * contrast / (contrast * field)[field].std() - 2
    np.testing.assert_allclose(found, field / (1 + np.exp(-odds)), atol=1e-12)


def test_vesselness_of_nothing_is_nothing():
    assert (photos.vesselness(np.zeros((3, 20, 30))) == 0).all()
    flat = photos.vesselness(np.full((3, 80, 90), 0.5))
    np.testing.assert_allclose(flat[flat > 0], 1 / (1 + np.exp(2)))


@pytest.mark.parametrize(
    ("image", "error", "word"),
    [
        (np.zeros((1, 8, 8)), ValueError, r"shape \(3, H, W\); got \(1, 8, 8\)"),
        (np.zeros((8, 8)), ValueError, "shape"),
        (np.zeros((3, 0, 8)), ValueError, "shape"),
        (np.full((3, 8, 8), 255), ValueError, r"colours in \[0, 1\]"),
        (np.full((3, 8, 8), np.nan), ValueError, r"colours in \[0, 1\]"),
        ("retina", TypeError, "real numbers"),
        (None, TypeError, "real numbers"),
    ],
)
def test_vesselness_refuses_what_is_no_photograph(image, error, word):
    with pytest.raises(error, match=word):
        photos.vesselness(image)
