"""Sessions begin with the masks and likelihoods of other tools."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession, likelihood_of_mask, open_session


def example(shape=(14, 19), seed=0):
    """Return an image, a mask and a likelihood that do not agree everywhere."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 1.5)
    likelihood = ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
    noise = ndimage.gaussian_filter(rng.random(shape), 1.5)
    return rng.random(shape).astype(np.float32), noise > np.median(noise), likelihood


@pytest.mark.parametrize("shape", [(14, 19), (5, 6, 7)], ids=["2D", "3D"])
@pytest.mark.parametrize("reach", [0, 3])
def test_the_base_of_the_likelihood_is_the_mask(shape, reach):
    _, mask, likelihood = example(shape)
    for made in (likelihood_of_mask(mask, reach=reach), likelihood_of_mask(mask, likelihood)):
        assert np.array_equal(AnnotationSession(made, made).mask(), mask)
        assert made.min() >= 0
        assert made.max() <= 1
    for flat in (np.zeros(shape, bool), np.ones(shape, bool)):
        made = likelihood_of_mask(flat, reach=reach)
        assert np.array_equal(made >= 0.5, flat)


def test_a_likelihood_keeps_its_order_inside_and_outside():
    _, mask, likelihood = example()
    made = likelihood_of_mask(mask, likelihood)
    for side in (mask, ~mask):
        order = np.argsort(likelihood[side], kind="stable")
        assert (np.diff(made[side][order]) >= 0).all()
    # What is sure outside stays below the threshold.
    assert likelihood_of_mask([[0, 0]], np.array([[1.0, 0.999]])).max() < 0.5


def test_ridges_run_in_the_middle_of_the_mask():
    mask = np.zeros((9, 30), bool)
    mask[2:7, 2:28] = True
    made = likelihood_of_mask(mask)
    assert (made[:, 10:20].argmax(axis=0) == 4).all()


def test_gaps_become_branches_that_can_be_accepted():
    mask = np.zeros((7, 24), bool)
    mask[2:5, 2:10] = mask[2:5, 14:22] = True
    without, within = (likelihood_of_mask(mask, reach=reach) for reach in (0, 4))
    assert AnnotationSession(mask, without).nearest((3, 12), reach=1) is None
    session = AnnotationSession(mask, within)
    session.accept(session.nearest((3, 12), reach=1))
    assert session.mask()[3, 2:22].all()


WRITERS = {
    ".npy": lambda path, array: np.save(path, array),
    ".png": lambda path, array: Image.fromarray(array).save(path),
    ".tif": lambda path, array: tifffile.imwrite(path, array),
    ".nii.gz": lambda path, array: nibabel.save(
        nibabel.Nifti1Image(array.T, np.diag([1.0, 2.0, 3.0, 1.0])), path
    ),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_files_of_every_kind(tmp_path, ending):
    shape = (5, 6, 7) if ending == ".nii.gz" else (14, 19)
    image, mask, likelihood = example(shape)
    bytes_of = {"image": (255 * image).astype(np.uint8), "mask": mask * np.uint8(255),
                "likelihood": (255 * likelihood).astype(np.uint8)}  # fmt: skip
    files = {name: tmp_path / f"{name}{ending}" for name in bytes_of}
    for name, array in bytes_of.items():
        WRITERS[ending](files[name], array)
    seen = bytes_of["likelihood"] / np.float32(255)
    session = open_session(files["image"], likelihood=files["likelihood"])
    assert np.array_equal(session.image, bytes_of["image"])
    assert np.allclose(session.likelihood, seen)
    session = open_session(files["image"], mask=files["mask"], radius=2)
    assert np.array_equal(session.mask(), mask)
    assert session.settings["radius"] == 2
    both = open_session(files["image"], mask=files["mask"], likelihood=files["likelihood"])
    assert np.array_equal(both.mask(), mask)
    assert np.allclose(both.likelihood, likelihood_of_mask(mask, seen))


def test_a_mask_of_another_orientation_is_laid_on_the_image(tmp_path):
    image, mask, _ = example((5, 6, 7))
    nibabel.save(nibabel.Nifti1Image(image.T, np.eye(4)), tmp_path / "image.nii")
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = 6
    turned = (mask.T * np.uint8(1))[::-1]
    nibabel.save(nibabel.Nifti1Image(turned, flipped), tmp_path / "mask.nii")
    session = open_session(tmp_path / "image.nii", mask=tmp_path / "mask.nii")
    assert np.array_equal(session.mask(), mask)


def held(path, array, orientation):
    """Write a png that says how its camera was held; 1 says nothing."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray(array).save(path, exif=exif)


@pytest.mark.parametrize("name", ["mask", "likelihood"])
@pytest.mark.parametrize("says", [(3, 1), (1, 3), (2, 1), (1, 4)], ids=str)
def test_where_one_alone_asks_to_be_turned_the_two_are_refused(tmp_path, name, says):
    """Which was drawn on the other as it is stored cannot be known: the shapes fit both ways."""
    image, mask, _ = example()
    held(tmp_path / "image.png", (255 * image).astype(np.uint8), says[0])
    held(tmp_path / "other.png", mask * np.uint8(255), says[1])
    text = rf"{name}: .*other\.png: the .*their shapes fit either way"
    with pytest.raises(ValueError, match=text):
        open_session(tmp_path / "image.png", **{name: tmp_path / "other.png"})


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_both_are_turned_and_where_the_shapes_decide_one_is(tmp_path, orientation):
    image, mask, _ = example()
    pixels, labels = (255 * image).astype(np.uint8), mask * np.uint8(255)
    upright = np.rot90(mask, {3: 2, 6: 3, 8: 1}[orientation])
    held(tmp_path / "image.png", pixels, orientation)
    held(tmp_path / "mask.png", labels, orientation)
    session = open_session(tmp_path / "image.png", mask=tmp_path / "mask.png")
    assert np.array_equal(session.mask(), upright)
    assert [note.partition(":")[0] for note in session.notes] == ["image", "mask"]
    if orientation == 3:
        return
    held(tmp_path / "stored.png", labels, 1)  # drawn on the pixels as they are stored
    session = open_session(tmp_path / "image.png", mask=tmp_path / "stored.png")
    assert np.array_equal(session.mask(), mask)
    assert np.array_equal(session.image, pixels)
    assert "left as stored" in session.notes[0]
    held(tmp_path / "seen.png", np.ascontiguousarray(upright * np.uint8(255)), 1)
    session = open_session(tmp_path / "image.png", mask=tmp_path / "seen.png")
    assert np.array_equal(session.mask(), upright)


def test_what_was_decided_about_files_is_said(tmp_path):
    image, mask, _ = example()
    np.save(tmp_path / "image.npy", image)
    nibabel.save(nibabel.Nifti1Image(mask.T * np.uint8(1), np.eye(4)), tmp_path / "mask.nii")
    session = open_session(tmp_path / "image.npy", mask=tmp_path / "mask.nii")
    assert session.notes == (
        "mask: only the mask is NIfTI: the two are compared by their stored axes alone",
    )
    assert session.copy().notes == session.notes
    assert AnnotationSession(image, image).notes == ()


def test_colours_come_last_in_files_and_first_in_sessions(tmp_path):
    _, mask, _ = example()
    colours = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "image.png")
    np.save(tmp_path / "mask.npy", mask)
    session = open_session(tmp_path / "image.png", mask=tmp_path / "mask.npy")
    assert np.array_equal(session.image, np.moveaxis(colours, -1, 0))


def test_a_journal_goes_on_with_the_same_files(tmp_path):
    image, mask, _ = example()
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "mask.npy", mask)
    files = {"image": tmp_path / "image.npy", "mask": tmp_path / "mask.npy", "reach": 3}
    with open_session(**files, path=tmp_path / "a.jsonl") as session:
        session.reject(0)
        expected = session.mask()
    with open_session(**files, path=tmp_path / "a.jsonl") as session:
        assert np.array_equal(session.mask(), expected)
        assert session.decisions[0] == -1


def test_bad_files_are_named(tmp_path):
    image, mask, _ = example()
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "logits.npy", 9 * image - 4)
    np.save(tmp_path / "grey.npy", image)
    np.save(tmp_path / "small.npy", mask[1:])
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    begin = tmp_path / "image.npy"
    for options, text in [
        ({"likelihood": tmp_path / "logits.npy"}, r"likelihood: .*logits.npy.* outside \[0, 1\]"),
        ({"mask": tmp_path / "grey.npy"}, "mask: .*grey.npy: the mask must hold 0"),
        ({"mask": tmp_path / "small.npy"}, "image must have the likelihood's shape"),
        ({"mask": tmp_path / "damaged.png"}, "damaged.png"),
        ({}, "likelihood or mask must name a file"),
        ({"likelihood": tmp_path / "grey.npy", "reach": 2}, "reach goes with a mask alone"),
    ]:
        with pytest.raises(ValueError, match=text):
            open_session(begin, **options)
    with pytest.raises(FileNotFoundError):
        open_session(begin, mask=tmp_path / "nothing.png")
