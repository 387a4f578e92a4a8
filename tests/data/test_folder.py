"""A user's own images: how they are read, paired, checked and split."""

from __future__ import annotations

import sys
from itertools import chain, product

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from toposeg_lite.data import folder, folders
from toposeg_lite.data.folders import _count
from toposeg_lite.data.reading import read_array, to_likelihood

SPLITS = ("train", "validation", "test")
GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
MASK = GREY > 100
VOLUME = np.arange(0, 120, dtype=np.uint8).reshape(4, 5, 6)


def write(path, array, **options):
    """Write an array as the kind of file that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix
    if kind == ".npy":
        np.save(path, array)
    elif kind == ".mat":
        savemat(path, {"picture": array, "size": 3, "author": "me"})
    elif kind in (".nii", ".gz"):
        nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array.T), np.eye(4)), path)
    elif array.ndim == 3 and array.shape[-1] != 3:
        pages = [Image.fromarray(page) for page in array]
        pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    else:
        Image.fromarray(array).save(path, **options)


def pairs(root, names, suffix=""):
    """Write a small image and its mask for every name."""
    for k, name in enumerate(names):
        write(root / "images" / f"{name}.npy", np.full((8, 8), (k + 1) / 100))
        write(root / "masks" / f"{name}{suffix}.png", np.eye(8, dtype=np.uint8) * 255)
    return root / "images", root / "masks"


def only(*places, **options):
    """Return the one sample of a folder."""
    (sample,) = folder(*places, split=(0, 0, 1), **options).test
    return sample


def names(dataset):
    return {split: [sample.name for sample in getattr(dataset, split)] for split in SPLITS}


# --- reading ---


@pytest.mark.parametrize("kind", ["png", "PNG", "tif", "tiff", "npy", "mat"])
@pytest.mark.parametrize("kind_of_mask", ["png", "npy"])
def test_every_lossless_kind_gives_the_same_likelihood(tmp_path, kind, kind_of_mask):
    write(tmp_path / "i" / f"a.{kind}", GREY)
    write(tmp_path / "m" / f"a.{kind_of_mask}", MASK.astype(np.uint8) * 255)
    sample = only(tmp_path / "i", tmp_path / "m")
    assert sample.name == "a"
    assert sample.image.dtype == np.float32
    assert sample.image.flags.c_contiguous
    np.testing.assert_array_equal(sample.image, GREY[None].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(sample.mask, MASK)
    assert sample.mask.dtype == np.bool_


@pytest.mark.parametrize("kind", ["tif", "npy", "mat", "nii", "nii.gz"])
def test_volumes_have_axes_depth_height_width(tmp_path, kind):
    write(tmp_path / "i" / f"a.{kind}", VOLUME)
    write(tmp_path / "m" / f"a.{kind}", (VOLUME > 60).astype(np.uint8))
    sample = only(tmp_path / "i", tmp_path / "m")
    np.testing.assert_array_equal(sample.image[0], VOLUME.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(sample.mask, VOLUME > 60)


@pytest.mark.parametrize(
    ("kind", "first"),
    [("png", False), ("tif", False), ("npy", False), ("npy", True), ("mat", False), ("mat", True)],
)
def test_colours_come_first(tmp_path, kind, first):
    write(tmp_path / "i" / f"a.{kind}", np.moveaxis(COLOUR, -1, 0) if first else COLOUR)
    write(tmp_path / "m" / "a.png", MASK.astype(np.uint8))
    image = only(tmp_path / "i", tmp_path / "m").image
    np.testing.assert_array_equal(
        image, np.moveaxis(COLOUR, -1, 0).astype(np.float32) / np.float32(255)
    )


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    bands = np.repeat(np.array([[0, 80, 160, 240]], np.uint8), 8, axis=1).repeat(16, axis=0)
    write(tmp_path / "a.jpg", bands, exif=exif, quality=95)
    upright = read_array(tmp_path / "a.jpg")
    assert upright.shape == (32, 16)
    assert abs(upright.astype(int) - np.rot90(bands, -1)).max() < 12


def test_transparency_is_dropped_and_palettes_become_colours_or_labels(tmp_path):
    see_through = np.dstack([COLOUR, np.full(GREY.shape, 7, np.uint8)])
    Image.fromarray(see_through).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_array(tmp_path / "rgba.png"), COLOUR)
    Image.fromarray(np.dstack([GREY, GREY])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_array(tmp_path / "la.png"), GREY)
    labels = Image.fromarray(MASK.astype(np.uint8)).convert("P")
    labels.putpalette([0, 0, 0, 40, 50, 60])
    labels.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_array(tmp_path / "p.png", indices=True), MASK)
    colours = read_array(tmp_path / "p.png")
    np.testing.assert_array_equal(colours[MASK], [[40, 50, 60]] * MASK.sum())


def test_likelihoods_follow_from_the_type_alone():
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535), (np.uint32, 2**32 - 1)):
        values = to_likelihood(np.array([0, largest // 5, largest], dtype))
        np.testing.assert_allclose(values, [0, 0.2, 1], rtol=1e-6)
        assert values.dtype == np.float32
    np.testing.assert_array_equal(to_likelihood(np.array([True, False])), [1, 0])
    np.testing.assert_array_equal(to_likelihood(np.array([0.25, 1.0])), [0.25, 1])


def test_sixteen_bits_of_a_png_are_kept(tmp_path):
    write(tmp_path / "a.png", GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_array(tmp_path / "a.png"), GREY.astype(np.uint16) * 257)


def test_images_are_stretched_when_asked(tmp_path):
    units = GREY.astype(np.int16) * 4 - 500
    for name, array in (("a", units), ("b", units * 2), ("c", units * 0 + 7)):
        write(tmp_path / "i" / f"{name}.npy", array)
        write(tmp_path / "m" / f"{name}.npy", MASK)
    a, b, c = folder(tmp_path / "i", tmp_path / "m", scale="image", split=(1, 0, 0)).train
    np.testing.assert_allclose(a.image[0], GREY / 230, atol=1e-6)
    np.testing.assert_allclose(b.image, a.image, atol=1e-6)
    assert not c.image.any()


def test_nifti_scale_is_applied_and_a_single_time_step_dropped(tmp_path):
    volume = nibabel.Nifti1Image(VOLUME.T[..., None].astype(np.int16), np.eye(4))
    volume.header.set_slope_inter(0.5, 3)
    nibabel.save(volume, tmp_path / "a.nii.gz")
    stored = read_array(tmp_path / "a.nii.gz")
    assert stored.shape == VOLUME.shape
    np.testing.assert_allclose(stored, VOLUME * 0.5 + 3)


def test_the_variable_of_a_mat_file_is_chosen_or_named(tmp_path):
    for place in ("i", "m"):
        (tmp_path / place).mkdir()
        savemat(tmp_path / place / "a.mat", {"photo": GREY, "truth": MASK})
    with pytest.raises(ValueError, match=r"(?s)2 problems.*name one of \['photo', 'truth'\]"):
        folder(tmp_path / "i", tmp_path / "m")
    sample = only(tmp_path / "i", tmp_path / "m", variable="photo", mask_variable="truth")
    np.testing.assert_array_equal(sample.mask, MASK)
    with pytest.raises(ValueError, match=r"no array 'label' in it; it has \['photo', 'truth'\]"):
        folder(tmp_path / "i", tmp_path / "m", variable="photo", mask_variable="label")


def test_without_nibabel_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    write(tmp_path / "i" / "a.nii.gz", VOLUME)
    write(tmp_path / "m" / "a.npy", VOLUME > 60)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"a\.nii\.gz is .* install 'toposeg-lite\[nifti\]'"
    ):
        folder(tmp_path / "i", tmp_path / "m")


# --- masks ---


@pytest.mark.parametrize("high", [1, 254, 255])
def test_any_second_value_is_structure(tmp_path, high):
    write(tmp_path / "i" / "a.png", GREY)
    write(tmp_path / "m" / "a.png", MASK.astype(np.uint8) * np.uint8(high))
    np.testing.assert_array_equal(only(tmp_path / "i", tmp_path / "m").mask, MASK)
    dark = only(tmp_path / "i", tmp_path / "m", foreground="zero")
    np.testing.assert_array_equal(dark.mask, ~MASK)


def test_a_grey_mask_saved_as_colour_is_accepted_and_empty_masks_are_masks(tmp_path):
    write(tmp_path / "i" / "a.png", GREY)
    write(tmp_path / "m" / "a.png", np.dstack([MASK.astype(np.uint8) * 255] * 3))
    write(tmp_path / "i" / "b.png", GREY)
    write(tmp_path / "m" / "b.png", GREY * 0)
    a, b = folder(tmp_path / "i", tmp_path / "m", split=(1, 0, 0)).train
    np.testing.assert_array_equal(a.mask, MASK)
    assert not b.mask.any()


# --- pairs and faults ---


def test_names_pair_across_kinds_and_with_a_suffix(tmp_path):
    images, masks = pairs(tmp_path / "a", ["x", "y.2"], "_mask")
    (images / ".hidden").write_text("passed over")
    (images / "below").mkdir()
    apart = folder(images, masks, mask_suffix="_mask", split=(0.5, 0, 0.5))
    for path in masks.iterdir():
        (images / path.name).write_bytes(path.read_bytes())
    together = folder(images, images, mask_suffix="_mask", split=(0.5, 0, 0.5))
    for dataset in (apart, together):
        assert sorted(chain(*names(dataset).values())) == ["x", "y.2"]


def test_one_error_lists_every_fault(tmp_path):
    images, masks = pairs(tmp_path, ["good1", "good2", "good3", "lonely", "grey", "wide", "bad"])
    (masks / "lonely.png").unlink()
    write(masks / "orphan.png", GREY)
    write(masks / "grey.png", np.full((8, 8), 3, np.uint8) * np.arange(8, dtype=np.uint8))
    write(images / "wide.npy", np.zeros((8, 9)))
    (images / "bad.npy").write_bytes(b"no array")
    write(images / "good1.png", GREY)
    (images / "readme.txt").write_text("?")
    write(images / "colour.npy", np.zeros((8, 8, 3)))
    write(masks / "colour.png", np.eye(8, dtype=np.uint8))
    write(images / "logits.npy", np.full((8, 8), -3.0))
    write(masks / "logits.png", np.eye(8, dtype=np.uint8))
    write(images / "nan.npy", np.full((8, 8), np.nan))
    write(masks / "nan.npy", np.where(np.eye(8) > 0, np.nan, 0))
    with pytest.raises(ValueError, match="problems with the images and masks") as caught:
        folder(images, masks)
    lines = str(caught.value).splitlines()
    wanted = [
        f"- {images / 'good1.png'}: has the same name as good1.npy",
        f"- {images / 'readme.txt'}: not of a known kind",
        f"- {images / 'lonely.npy'}: no mask lonely.* in {masks}",
        f"- {masks / 'orphan.png'}: no image orphan.* in {images}",
        f"- {images / 'bad.npy'}: cannot be read",
        "- grey: the mask must hold 0 and at most one other value; it holds 0, 3, 6, 9, ...",
        "- wide: the image has shape (8, 9), the mask (8, 8)",
        "- logits: the image holds floats outside [0, 1], from -3 to -3",
        "- nan: the mask must hold 0 and at most one other value; it holds 0.0, nan",
        "- nan: the image holds values that are NaN or infinite",
        "- colour: has 2 axes and 3 channels, most images have 2 axes and 1 channels",
    ]
    for start in wanted:
        assert sum(line.startswith(start) for line in lines) == 1, start
    assert len(lines) == 1 + len(wanted)
    assert lines[0].startswith(f"{len(wanted)} problems")


@pytest.mark.parametrize(
    ("image", "mask", "text"),
    [
        (GREY, GREY // 100, "it holds 0, 1, 2$"),
        (GREY, -MASK.astype(np.int8), "it holds -1, 0"),
        (GREY.astype(np.int16), MASK, "holds int16.*scale='image'"),
        (np.zeros((2, 4, 4, 6)), MASK, r"shape \(2, 4, 4, 6\), the mask \(4, 6\)"),
        (GREY + 0j, MASK, r"holds no real numbers \(shape \(4, 6\), complex128\)"),
        (GREY[0], MASK[0], r"must have 2 or 3 axes; its shape is \(6,\)"),
    ],
    ids=["three values", "negative value", "int16", "too many axes", "complex", "row"],
)
def test_single_faults_are_found(tmp_path, image, mask, text):
    write(tmp_path / "i" / "a.npy", image)
    write(tmp_path / "m" / "a.npy", mask)
    with pytest.raises(ValueError, match=rf"^1 problem with the images and masks:\n.*{text}"):
        folder(tmp_path / "i", tmp_path / "m")


@pytest.mark.parametrize("image", [True, False])
def test_a_mask_or_an_image_kept_as_jpg(tmp_path, image):
    """A photograph may be a jpg; a mask must not, because jpg changes its values."""
    blob = np.add.outer(np.arange(16) ** 2, np.arange(16) ** 2) < 90
    write(tmp_path / "i" / ("a.jpg" if image else "a.png"), blob.astype(np.uint8) * 255)
    write(tmp_path / "m" / ("a.png" if image else "a.jpg"), blob.astype(np.uint8) * 255)
    if image:
        sample = only(tmp_path / "i", tmp_path / "m")
        np.testing.assert_array_equal(sample.image[0] > 0.5, sample.mask)
    else:
        with pytest.raises(ValueError, match="jpg changes values: keep masks as png"):
            folder(tmp_path / "i", tmp_path / "m")


def test_folders_without_images_are_named(tmp_path):
    (tmp_path / "i").mkdir()
    (tmp_path / "m").mkdir()
    with pytest.raises(ValueError, match=rf"- no image in {tmp_path / 'i'}; the known kinds are"):
        folder(tmp_path / "i", tmp_path / "m")


# --- splits ---


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    return pairs(tmp_path_factory.mktemp("twenty"), [f"p{k // 2:02d}-{k % 2}" for k in range(20)])


def test_shares_are_kept_and_nothing_is_lost_or_shared(twenty):
    splits = names(folder(*twenty))
    assert [len(splits[split]) for split in SPLITS] == [12, 4, 4]
    assert sorted(chain(*splits.values())) == [f"p{k // 2:02d}-{k % 2}" for k in range(20)]
    assert all(part == sorted(part) for part in splits.values())


def test_the_seed_chooses_the_split(twenty):
    drawn, same, other = (names(folder(*twenty, seed=seed)) for seed in (3, 3, 4))
    assert drawn == same
    assert drawn != other


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_never_torn(twenty, seed):
    splits = names(folder(*twenty, group=lambda name: name[:3], seed=seed))
    where = {}
    for split, part in splits.items():
        for name in part:
            where.setdefault(name[:3], set()).add(split)
    assert len(where) == 10
    assert all(len(splits) == 1 for splits in where.values())
    assert [len(splits[split]) for split in SPLITS] == [12, 4, 4]


def test_lists_of_names_are_taken_as_they_are(twenty):
    split = {"train": ["p03-1", "p00-0"], "test": ["p01-0"]}
    splits = names(folder(*twenty, split=split))
    assert splits == {"train": ["p00-0", "p03-1"], "validation": [], "test": ["p01-0"]}


def test_faults_of_lists_are_listed(twenty):
    split = {"train": ["p00-0", "p01-0", "p09-9"], "test": ["p00-0", "p01-1"]}
    with pytest.raises(ValueError, match="problems") as caught:
        folder(*twenty, split=split, group=lambda name: name[:3])
    assert str(caught.value).splitlines() == [
        "4 problems with the images and masks:",
        "- split: 'p00-0' is listed 2 times",
        "- split: there is no pair named 'p09-9'",
        "- split: the group 'p00' is in test and train",
        "- split: the group 'p01' is in test and train",
    ]


def test_very_many_names_without_a_partner_are_counted_and_not_compared_all_with_all(
    tmp_path, monkeypatch
):
    compared = []
    real = folders.almost_same
    monkeypatch.setattr(folders, "almost_same", lambda *some: compared.append(some) or real(*some))
    for place, ending in (("i", ""), ("m", "_mask")):  # mask_suffix was forgotten
        (tmp_path / place).mkdir()
        for number in range(400):
            (tmp_path / place / f"{number:03}{ending}.png").touch()
    with pytest.raises(ValueError, match="800 problems with the images and masks") as caught:
        folder(tmp_path / "i", tmp_path / "m")
    lines = str(caught.value).splitlines()
    assert len(lines) == 52
    assert lines[1].endswith("; almost the same: '000_mask.png' (mask_suffix='_mask'?)")
    assert lines[-1] == "and 750 more"
    assert len(compared) == 100


def test_the_settings_arrive(twenty):
    dataset = folder(*twenty, labels="background", patch=16, name="mine")
    assert (dataset.name, dataset.labels, dataset.patch) == ("mine", "background", 16)
    assert (dataset.reference, dataset.channels, dataset.ndim) == ("own", 1, 2)
    assert folder(*twenty).patch == 64


def test_counts_add_up_and_starve_nobody():
    shares = [
        (0.6, 0.2, 0.2),
        (0.8, 0.1, 0.1),
        (1, 0, 0),
        (0, 0, 1),
        (0.5, 0, 0.5),
        (0.98, 0.01, 0.01),
    ]
    for share, total in product(shares, range(1, 40)):
        wanted = [part > 0 for part in share]
        if total < sum(wanted):
            with pytest.raises(ValueError, match=f"there are {total} images or groups"):
                _count(total, share)
            continue
        counts = _count(total, share)
        assert sum(counts) == total
        assert [count > 0 for count in counts] == wanted
        for part, count in zip(share, counts, strict=True):
            assert abs(count - part * total) <= 2
    assert _count(10, (0.6, 0.2, 0.2)) == [6, 2, 2]
    assert _count(3, (0.6, 0.2, 0.2)) == [1, 1, 1]
