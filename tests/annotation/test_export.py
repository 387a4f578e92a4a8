"""Exports, read back by other programs."""

from __future__ import annotations

import json
import os

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from skimage import io as skimage_io
from skimage.draw import line
from skimage.morphology import skeletonize

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.topology import betti_numbers


def cross():
    """Return a session of a thick cross with a ring, an accepted bridge and a rejected branch."""
    image = np.zeros((40, 57))
    for start, stop in [((20, 4), (20, 52)), ((3, 28), (36, 28)), ((20, 40), (33, 52))]:
        image[line(*start, *stop)] = 1
    image = ndimage.gaussian_filter(image, 1.5)
    image = np.clip(image / image.max() * 1.3, 0, 1)
    image[:, 13:15] *= 0.2
    rng = np.random.default_rng(0)
    image = np.clip(image + 0.05 * rng.random(image.shape), 0, 1)
    session = AnnotationSession(image, image, min_persistence=0.02)
    session.accept(session.nearest((20, 13)))
    session.reject(session.nearest((6, 28)))
    session.draw([(36, 4), (30, 20)], radius=2)
    session.erase([(33, 50)], radius=3)
    return session


def volume():
    rng = np.random.default_rng(1)
    image = ndimage.gaussian_filter(rng.random((7, 11, 13)), 1)
    image = (image - image.min()) / np.ptp(image)
    session = AnnotationSession(image, image)
    session.reject(session.queue()[0])
    session.draw([(0, 0, 0), (6, 10, 12)])
    return session


def test_png(tmp_path):
    session, path = cross(), tmp_path / "mask.png"
    session.export(path)
    with Image.open(path) as file:
        assert file.mode == "L"
        pixels = np.array(file)
    assert set(np.unique(pixels)) == {0, 255}
    assert np.array_equal(pixels > 0, session.mask())
    assert np.array_equal(skimage_io.imread(path), pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["mask.png"]


@pytest.mark.parametrize("make", [cross, volume])
@pytest.mark.parametrize("ending", [".tif", ".TIFF"])
def test_tiff(tmp_path, make, ending):
    session, path = make(), tmp_path / f"mask{ending}"
    session.export(path)
    pixels = tifffile.imread(path)
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) == {0, 255}
    assert np.array_equal(pixels > 0, session.mask())


@pytest.mark.parametrize("make", [cross, volume])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti(tmp_path, make, ending):
    session, path = make(), tmp_path / f"mask{ending}"
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[:3, 3] = 10, -20, 30
    session.export(path, affine=affine)
    file = nibabel.load(path)
    voxels = np.asanyarray(file.dataobj)
    assert voxels.dtype == np.uint8
    assert np.array_equal(voxels.T, session.mask())  # (x, y, z) from (z, y, x)
    assert np.allclose(file.affine, affine)
    content = path.read_bytes()
    session.export(path, affine=affine)
    assert path.read_bytes() == content


def test_nifti_without_nibabel(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(ModuleNotFoundError, match=r"toposeg-lite\[nifti\]"):
        cross().export(tmp_path / "mask.nii")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [cross, volume])
def test_geojson(tmp_path, make):
    session, path = make(), tmp_path / "paths.geojson"
    session.export(path)
    collection = json.loads(path.read_text())
    assert collection["type"] == "FeatureCollection"
    branches = [f for f in collection["features"] if f["properties"]["kind"] == "branch"]
    assert len(branches) == len(session.branches)
    names = {1: "accepted", -1: "rejected", 0: "undecided"}
    for k, feature in enumerate(branches):
        facts, geometry = feature["properties"], feature["geometry"]
        assert feature["type"] == "Feature"
        assert feature["id"] == k
        assert facts["decision"] == names[session.decisions[k]]
        assert facts["probability"] == session.probability[k]
        assert facts["persistence"] == session.branches.persistence[k]
        path_of = session.branches.paths[k]
        points = geometry["coordinates"] if len(path_of) > 1 else [geometry["coordinates"]]
        assert geometry["type"] == ("LineString" if len(path_of) > 1 else "Point")
        places = tuple(np.array(points).T[::-1])  # x is the column
        assert np.ravel_multi_index(places, session.shape).tolist() == path_of.tolist()
    strokes = [f for f in collection["features"] if f["properties"]["kind"] != "branch"]
    for stroke, feature in zip(session.strokes, strokes, strict=True):
        assert feature["properties"]["kind"] == ("drawn" if stroke.drawn else "erased")
        assert feature["properties"]["radius"] == stroke.radius
        points = np.array(feature["geometry"]["coordinates"]).reshape(-1, len(session.shape))
        assert len(points) == len(stroke.path)


def test_the_skeleton_is_thin_and_has_the_topology_of_the_mask(tmp_path):
    session = cross()
    session.draw([(20, 40), (8, 46), (20, 50)], snap=False)  # a loop
    session.export(tmp_path / "skeleton.tif", skeleton=True)
    thin = tifffile.imread(tmp_path / "skeleton.tif") > 0
    mask = session.mask()
    assert betti_numbers(mask)[1] >= 1
    assert betti_numbers(thin) == betti_numbers(mask)
    assert np.array_equal(skeletonize(thin), thin)
    assert not (thin & ~mask).any()
    session.export(tmp_path / "skeleton.png", skeleton=True)
    assert np.array_equal(np.array(Image.open(tmp_path / "skeleton.png")) > 0, thin)


@pytest.mark.filterwarnings("ignore")  # those of skan's own imports
def test_skan_reads_the_skeleton(tmp_path):
    import skan

    image = np.zeros((9, 12))
    image[4, 1:11] = 0.9
    image[1:4, 6] = 0.8
    session = AnnotationSession(image, image)
    session.export(tmp_path / "skeleton.png", skeleton=True)
    graph = skan.Skeleton(np.array(Image.open(tmp_path / "skeleton.png")) > 0)
    table = skan.summarize(graph, separator="-")
    assert len(table) == 3
    assert (table["branch-type"] == 1).all()  # each from a junction to an end


def test_the_skeleton_of_a_volume_keeps_every_component(tmp_path):
    image = np.zeros((4, 5, 16))
    image[1:3, 1:3, 1:3] = image[1:3, 1:3, 5:15] = 0.9
    session = AnnotationSession(image, image)
    session.export(tmp_path / "skeleton.nii", skeleton=True)
    skeleton = np.asanyarray(nibabel.load(tmp_path / "skeleton.nii").dataobj)
    along = skeleton.sum(axis=tuple(i for i in range(3) if skeleton.shape[i] < 10)).astype(int)
    cube, tube = along[:4], along[4:]
    assert cube.sum() == 2
    assert tube.max() == 1
    assert tube.sum() >= 9


def test_an_empty_mask(tmp_path):
    session = AnnotationSession(np.zeros((4, 5)), np.zeros((4, 5)))
    for skeleton in (False, True):
        session.export(tmp_path / "mask.png", skeleton=skeleton)
        assert not np.array(Image.open(tmp_path / "mask.png")).any()
    session.export(tmp_path / "paths.geojson")
    assert json.loads((tmp_path / "paths.geojson").read_text())["features"] == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    path.write_bytes(b"old")

    def fail(file):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        cross().export(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["mask.png"]


@pytest.mark.parametrize("name", ["mask.png", "lines.geojson"])
def test_a_missing_folder_is_made_or_refused(tmp_path, name):
    session = cross()
    session.export(tmp_path / "a" / "b" / name)
    assert (tmp_path / "a" / "b" / name).stat().st_size > 0
    (tmp_path / "note").write_text("mine")
    for bad in (tmp_path / "note" / name, tmp_path / "note" / "runs" / name):
        with pytest.raises(OSError, match=r"no file can be written in the folder .* another place"):
            session.export(bad)
    assert (tmp_path / "note").read_text() == "mine"
    with pytest.raises(ValueError, match="affine goes with NIfTI files alone"):
        session.export(tmp_path / "c" / name, affine=np.eye(4))
    assert not (tmp_path / "c").exists()
