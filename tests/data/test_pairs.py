"""An image and its mask lie on each other as their author meant them, or the pair is refused."""

from __future__ import annotations

import unicodedata
from itertools import permutations, product

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from toposeg_lite.data import folder

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (12, 20), dtype=np.uint8)
MASK = GREY > 150


def write(path, array, orientation=1, **options):
    """Write a picture that asks to be turned, or an npy file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".tif":
        tags = [(274, 3, 1, orientation, False)] if orientation != 1 else []
        tifffile.imwrite(path, array, photometric="minisblack", extratags=tags)
    else:
        exif = Image.Exif()
        if orientation != 1:
            exif[0x0112] = orientation
        Image.fromarray(array).save(path, exif=exif, **options)


def only(root, **options):
    """Return the one sample of a folder."""
    (sample,) = folder(root / "i", root / "m", split=(0, 0, 1), **options).test
    return sample


# --- NIfTI ---

SHAPE = (7, 6, 5)
VOLUME = RNG.integers(0, 200, SHAPE, dtype=np.uint8)  # x, y, z
PLACE = np.array([[2.0, 0, 0, -30], [0, 1.5, 0, 12], [0, 0, 3, 7], [0, 0, 0, 1]])


def nifti(path, voxels, affine, made=nibabel.Nifti1Image):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(made(voxels, affine), path)


def stored_along(voxels, affine, order, flips):
    """Return the same voxels at the same places, their axes in another order and direction."""
    move = np.zeros((4, 4))
    move[3, 3] = 1
    for new, old in enumerate(order):
        move[old, new] = -1 if flips[new] else 1
        move[old, 3] = voxels.shape[old] - 1 if flips[new] else 0
    turned = voxels.transpose(order)
    turned = np.flip(turned, [axis for axis in range(3) if flips[axis]])
    return np.ascontiguousarray(turned), affine @ move


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_masks_along_any_axes_and_directions_lie_on_their_image(tmp_path, order):
    for flips in product((False, True), repeat=3):
        nifti(tmp_path / "i/a.nii.gz", VOLUME, PLACE)
        turned, affine = stored_along((VOLUME > 99).astype(np.uint8), PLACE, order, flips)
        nifti(tmp_path / "m/a.nii", turned, affine, nibabel.Nifti2Image)
        sample = only(tmp_path)
        np.testing.assert_array_equal(sample.mask, VOLUME.T > 99)
        np.testing.assert_array_equal(sample.image[0], VOLUME.T.astype(np.float32) / 255)
        moved = order != (0, 1, 2) or any(flips)
        assert any("turned to the image's" in note for note in sample.notes) == moved


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_volume_knows_the_sides_of_its_voxels(tmp_path, order):
    """In millimetres along the axes of the array, (z, y, x), however the file stores them."""
    image, affine = stored_along(VOLUME, PLACE, order, (True, False, True))
    nifti(tmp_path / "i/a.nii.gz", image, affine)
    nifti(tmp_path / "m/a.nii", (VOLUME > 99).astype(np.uint8), PLACE)
    sides = np.array([2.0, 1.5, 3.0])[list(order)]  # along the stored axes
    assert only(tmp_path).spacing == pytest.approx(tuple(sides[::-1]))


def test_no_other_sample_has_a_spacing(tmp_path):
    write(tmp_path / "i/a.png", GREY)
    write(tmp_path / "m/a.png", MASK.astype(np.uint8))
    assert only(tmp_path).spacing is None


def test_the_image_keeps_its_axes_and_oblique_volumes_are_turned(tmp_path):
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    image, affine = stored_along(VOLUME, turn @ PLACE, (2, 0, 1), (True, False, True))
    nifti(tmp_path / "i/a.nii", image, affine)
    nifti(tmp_path / "m/a.nii", (VOLUME > 99).astype(np.int16), turn @ PLACE)
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.image[0], image.T.astype(np.float32) / 255)
    np.testing.assert_array_equal(sample.mask, image.T > 99)


@pytest.mark.parametrize(
    ("affine", "shape", "text"),
    [
        (PLACE @ np.diag([1.1, 1, 1, 1]), SHAPE, "lie on different grids"),
        (np.eye(4), SHAPE, "lie on different grids"),
        (PLACE, (7, 6, 4), r"has \(7, 6, 5\) voxels \(x, y, z\), the mask's \(7, 6, 4\)"),
    ],
    ids=["spacing", "no geometry given", "fewer slices"],
)
def test_other_grids_are_refused(tmp_path, affine, shape, text):
    nifti(tmp_path / "i/a.nii", VOLUME, PLACE)
    nifti(tmp_path / "m/a.nii", (VOLUME[:, :, : shape[2]] > 99) * np.uint8(1), affine)
    with pytest.raises(ValueError, match=rf"- a: .*{text}.*save the mask with the image's affine"):
        only(tmp_path)


@pytest.mark.parametrize(("shift", "same"), [(1e-4, True), (0.14, True), (0.5, False), (3, False)])
def test_other_origins_are_refused(tmp_path, shift, same):
    """A tenth of the smallest side of a voxel, 1.5 mm, is rounding; half a millimetre is not."""
    moved = PLACE.copy()
    moved[1, 3] += shift
    nifti(tmp_path / "i/a.nii", VOLUME, PLACE)
    nifti(tmp_path / "m/a.nii", (VOLUME > 99) * np.uint8(1), moved)
    if same:
        np.testing.assert_array_equal(only(tmp_path).mask, VOLUME.T > 99)
    else:
        with pytest.raises(ValueError, match=r"lie on different grids: a corner .* voxels from"):
            only(tmp_path)


def test_files_that_do_not_say_where_they_lie(tmp_path):
    mask = (VOLUME > 99) * np.uint8(1)
    nifti(tmp_path / "i/a.nii", VOLUME, None)
    nifti(tmp_path / "m/a.nii", mask, None)
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, mask.T != 0)
    assert "mask: neither file says where it lies: taken as stored" in sample.notes
    nifti(tmp_path / "i/a.nii", VOLUME, PLACE)
    with pytest.raises(ValueError, match="the mask does not say where it lies, the other does"):
        only(tmp_path)
    (tmp_path / "m/a.nii").unlink()
    write(tmp_path / "m/a.npy", mask.T)
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, mask.T != 0)
    assert any("only the image is NIfTI" in note for note in sample.notes)


def test_a_damaged_geometry_is_refused(tmp_path):
    nifti(tmp_path / "i/a.nii", VOLUME, PLACE)
    flat = nibabel.Nifti1Image((VOLUME > 99) * np.uint8(1), PLACE)
    flat.header["srow_x"] = 0
    (tmp_path / "m").mkdir()
    head = flat.header.copy()
    head["vox_offset"] = 352
    (tmp_path / "m/a.nii").write_bytes(
        head.binaryblock + bytes(4) + ((VOLUME > 99) * np.uint8(1)).T.tobytes()
    )
    with pytest.raises(ValueError, match="has a geometry that is none"):
        only(tmp_path)


def test_a_geometry_of_an_unknown_kind_is_refused(tmp_path):
    """Nibabel would go on without it."""
    nifti(tmp_path / "i/a.nii", VOLUME, PLACE)
    nifti(tmp_path / "m/a.nii", (VOLUME > 99) * np.uint8(1), PLACE)
    data = bytearray((tmp_path / "m/a.nii").read_bytes())
    data[254:256] = b"\x40\x02"  # sform_code
    (tmp_path / "m/a.nii").write_bytes(data)
    with pytest.raises(ValueError, match="is damaged: its sform_code is 576, not 0 to 5"):
        only(tmp_path)


def test_channels_of_a_volume_follow_its_geometry(tmp_path):
    channels = np.stack([VOLUME, 255 - VOLUME], axis=-1)
    for image in (channels, channels[:, :, :, None, :]):
        nifti(tmp_path / "i/a.nii", image, PLACE)
        turned, affine = stored_along((VOLUME > 99) * np.uint8(1), PLACE, (1, 0, 2), (True,) * 3)
        nifti(tmp_path / "m/a.nii", turned, affine)
        sample = only(tmp_path)
        assert sample.image.shape == (2, 5, 6, 7)
        np.testing.assert_array_equal(sample.mask, VOLUME.T > 99)


# --- how the camera was held ---


def shown(array, orientation):
    """Return an array as a viewer shows it, by Pillow."""
    ways = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    image = Image.fromarray(array.astype(np.uint8))
    return np.array(image.transpose(ways[orientation]) if orientation != 1 else image)


KINDS = ["png", "tif"]
WHITE = MASK * np.uint8(255)


@pytest.mark.parametrize("image_kind", KINDS)
@pytest.mark.parametrize("mask_kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_and_mask_that_both_ask_are_turned_alike(
    tmp_path, orientation, mask_kind, image_kind
):
    write(tmp_path / f"i/a.{image_kind}", GREY, orientation)
    write(tmp_path / f"m/a.{mask_kind}", WHITE, orientation)
    sample = only(tmp_path)
    np.testing.assert_array_equal(
        sample.image[0], shown(GREY, orientation).astype(np.float32) / np.float32(255)
    )
    np.testing.assert_array_equal(sample.mask, shown(MASK, orientation) != 0)
    assert len(sample.notes) == (0 if orientation == 1 else 2)


@pytest.mark.parametrize("kind", [*KINDS, "npy"])
@pytest.mark.parametrize("orientation", range(5, 9))
def test_shapes_tell_what_a_mask_was_drawn_on(tmp_path, orientation, kind):
    write(tmp_path / "i/a.png", GREY, orientation)
    write(tmp_path / f"m/a.{kind}", shown(WHITE, orientation))  # on what a viewer shows
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, shown(MASK, orientation) != 0)
    assert sample.image.shape == (1, 20, 12)
    assert sample.notes[0].startswith("image: ")
    write(tmp_path / f"m/a.{kind}", WHITE)  # on the stored pixels
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, MASK)
    np.testing.assert_array_equal(sample.image[0] * 255, GREY)
    assert "image: left as stored, since the other file has that shape" in sample.notes[0]


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_what_could_be_mixed_up_is_refused(tmp_path, orientation, square):
    if orientation > 4 and not square:
        pytest.skip("the shapes tell")
    image, mask = (a[:, :12] if square else a for a in (GREY, WHITE))
    for asks in ("i", "m"):
        write(tmp_path / "i/a.png", image, orientation if asks == "i" else 1)
        write(tmp_path / "m/a.png", mask, orientation if asks == "m" else 1)
        which, other = ("image", "mask") if asks == "i" else ("mask", "image")
        with pytest.raises(
            ValueError,
            match=rf"- a: the {which} asks to be .* \(orientation {orientation}\), the {other} "
            r"does not, .*exif_transpose",
        ):
            only(tmp_path)


def test_square_images_with_channels_are_mixed_up_as_easily(tmp_path):
    write(tmp_path / "m/a.png", WHITE[:, :12], 6)
    for channels in (np.stack([GREY[:, :12]] * 3), np.dstack([GREY[:, :12]] * 3)):
        write(tmp_path / "i/a.npy", channels)
        with pytest.raises(ValueError, match="the mask asks to be turned by 90 degrees clockwise"):
            only(tmp_path)


def test_shapes_that_fit_neither_way_are_named(tmp_path):
    write(tmp_path / "i/a.png", GREY, 6)
    write(tmp_path / "m/a.png", WHITE[:5])
    with pytest.raises(ValueError, match=r"the image has shape \(20, 12\), the mask \(5, 20\)"):
        only(tmp_path)


# --- pixels without a label ---


@pytest.mark.parametrize("kind", ["png", "tif", "npy"])
@pytest.mark.parametrize("ignore", [255, 7])
def test_pixels_without_a_label_are_kept_apart(tmp_path, kind, ignore):
    labels = MASK.astype(np.uint8)
    labels[GREY < 20] = ignore
    write(tmp_path / "i/a.npy", GREY)
    write(tmp_path / f"m/a.{kind}", labels)
    for foreground in ("nonzero", "zero"):
        sample = only(tmp_path, ignore=ignore, foreground=foreground)
        np.testing.assert_array_equal(sample.ignored, GREY < 20)
        wanted = MASK if foreground == "nonzero" else ~MASK
        np.testing.assert_array_equal(sample.mask, wanted & (GREY >= 20))
    hint = " (if 255 marks pixels without a label, say ignore=255)" if ignore == 255 else ""
    with pytest.raises(ValueError, match="at most one other value") as caught:
        only(tmp_path)
    assert str(caught.value).endswith(f"it holds 0, 1, {ignore}{hint}")


def test_negative_labels_can_be_ignored_and_masks_without_gaps_have_none(tmp_path):
    labels = MASK.astype(np.int16)
    labels[0] = -1
    write(tmp_path / "i/a.npy", GREY)
    write(tmp_path / "m/a.npy", labels)
    assert only(tmp_path, ignore=-1).ignored[0].all()
    write(tmp_path / "m/a.npy", MASK)
    assert not only(tmp_path, ignore=255).ignored.any()
    assert only(tmp_path).ignored is None
    assert only(tmp_path).notes == ()


def test_the_structure_itself_cannot_be_ignored(tmp_path):
    write(tmp_path / "i/a.npy", GREY)
    write(tmp_path / "m/a.png", WHITE)
    with pytest.raises(ValueError, match="no mask holds any value but 0 and 255; if 255 is"):
        only(tmp_path, ignore=255)


def test_values_among_the_ignored_are_no_fault_and_others_are(tmp_path):
    labels = MASK.astype(np.uint8)
    labels[0, :4] = 255
    labels[0, 4] = 9
    write(tmp_path / "i/a.npy", GREY)
    write(tmp_path / "m/a.npy", labels)
    with pytest.raises(ValueError, match=r"it holds 0, 1, 9$"):
        only(tmp_path, ignore=255)


# --- what was decided is on the sample ---


def test_notes_say_what_was_decided_about_a_mask(tmp_path):
    write(tmp_path / "i/a.npy", GREY)
    picture = Image.fromarray(MASK.astype(np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0])
    (tmp_path / "m").mkdir()
    picture.save(tmp_path / "m/a.png")
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, ~MASK)  # white is the structure
    assert sample.notes == (
        "mask: palette of greys: the grey values are the labels (0: (255, 255, 255), 1: (0, 0, 0))",
    )
    (tmp_path / "m/a.png").unlink()
    tifffile.imwrite(tmp_path / "m/a.tif", MASK)
    sample = only(tmp_path)
    np.testing.assert_array_equal(sample.mask, MASK)
    assert "0 is white, written by tifffile" in sample.notes[0]


def test_a_mask_in_colours_is_no_volume(tmp_path):
    """Its three channels were taken for three slices where the image has colours too."""
    colours = RNG.integers(0, 2, (12, 20, 3), dtype=np.uint8) * 255
    write(tmp_path / "i/a.png", colours)
    write(tmp_path / "m/a.png", colours)
    with pytest.raises(ValueError, match=r"a\.png: is a picture of several colours"):
        only(tmp_path)


def test_stretching_survives_the_widest_floats(tmp_path):
    wide = np.where(MASK, 1.7e308, -1.7e308)
    write(tmp_path / "i/a.npy", wide)
    write(tmp_path / "m/a.npy", MASK)
    np.testing.assert_array_equal(only(tmp_path, scale="image").image[0], MASK)


# --- names ---


def test_what_systems_leave_behind_is_passed_over(tmp_path):
    for part, array in (("i", GREY), ("m", WHITE)):
        write(tmp_path / part / "a.png", array)
        for name in (
            "Thumbs.db",
            "thumbs.db",
            "desktop.ini",
            "Desktop.ini",
            ".DS_Store",
            "._a.png",
        ):
            (tmp_path / part / name).write_bytes(b"?")
        (tmp_path / part / "__MACOSX").mkdir()
        (tmp_path / part / "__MACOSX/._a.png").write_bytes(b"?")
    assert only(tmp_path).name == "a"


def test_names_in_two_forms_of_unicode_pair(tmp_path):
    name = "gefäß-é"
    nfc, nfd = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert nfc != nfd
    write(tmp_path / f"i/{nfd}.png", GREY)
    write(tmp_path / f"m/{nfc}_maske-é.png", WHITE)
    suffix = unicodedata.normalize("NFD", "_maske-é")
    assert only(tmp_path, mask_suffix=suffix).name == nfc
    dataset = folder(tmp_path / "i", tmp_path / "m", mask_suffix=suffix, split={"train": [nfd]})
    assert dataset.train[0].name == nfc


@pytest.mark.parametrize(
    ("image", "mask", "text"),
    [
        ("Cell 1", "cell_1", "almost the same: 'cell_1.png'"),
        ("cell1", "cell1_mask", r"almost the same: 'cell1_mask.png' \(mask_suffix='_mask'\?\)"),
        ("vessel-0031", "vessel-0013", "almost the same: 'vessel-0013.png'"),
        ("abc", "xyz", "$"),
    ],
)
def test_names_that_almost_match_are_named(tmp_path, image, mask, text):
    write(tmp_path / f"i/{image}.png", GREY)
    write(tmp_path / f"m/{mask}.png", WHITE)
    with pytest.raises(ValueError, match=rf"(?m)^- .*no mask {image}\.\* in \S*m(; )?{text}"):
        only(tmp_path)


def test_links_to_nothing_are_named(tmp_path):
    for part, array in (("i", GREY), ("m", WHITE)):
        write(tmp_path / part / "a.png", array)
        (tmp_path / part / "b.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"2 problems(?s:.*)b\.png: points to a file that is not"):
        only(tmp_path)


def test_files_that_may_not_be_read_are_listed(tmp_path, monkeypatch):
    write(tmp_path / "i/a.png", GREY)
    write(tmp_path / "m/a.png", WHITE)

    def refuse(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("toposeg_lite.data.folders.read_file", refuse)
    with pytest.raises(ValueError, match=r"2 problems(?s:.*)a\.png: .*Permission denied"):
        only(tmp_path)
