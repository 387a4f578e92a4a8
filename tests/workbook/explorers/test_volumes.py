"""The explorer of volumes, without a browser."""

from __future__ import annotations

import io
import re

import films
import gudhi
import numpy as np
import pytest
from PIL import Image
from screens import hills, points_at, spoken, upload
from traitlets import TraitError

from toposeg_lite.workbook import explorers, figures
from toposeg_lite.workbook.explorers import VolumeExplorer, read_volume
from toposeg_lite.workbook.explorers.space import _VolumeView

# A ring whose weakest voxel is .6, and a spot of .7 beside it, joined by voxels of .2 and .3.
RING = np.zeros((3, 4, 7))
RING[1, :3, :3] = [[0.9, 0.8, 0.9], [0.8, 0.1, 0.6], [0.9, 0.85, 0.95]]
RING[1, 1, 3:6] = [0.2, 0.3, 0.7]


def gudhi_betti(mask, connectivity):
    kind = "top_dimensional_cells" if connectivity == 3 else "vertices"
    cubes = gudhi.CubicalComplex(**{kind: np.where(np.pad(mask, 1), 0.0, 1.0)})
    cubes.compute_persistence(min_persistence=-1)
    return tuple(cubes.persistent_betti_numbers(0.0, 0.5)[:3])


def cloud(seed=0, shape=(7, 9, 12)):
    return hills(seed, shape, 0.8)


def voxels(x, y, z):
    """Return the set of the voxels (slice, row, column) on lines with gaps."""
    points = np.stack([z, y, x], axis=1)
    return set(map(tuple, points[~np.isnan(points).any(1)].astype(int).tolist()))


def pair_of(explorer, dimension):
    """Return the number of the first shown feature of a dimension."""
    return 1 + int(np.flatnonzero(explorer.shown.dimension == dimension)[0])


# --- The model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.65])
def test_betti_numbers_and_skeleton_belong_to_the_superlevel_set(threshold):
    image = cloud(3)
    explorer = VolumeExplorer(image, threshold=threshold, min_persistence=0.0)
    assert explorer.betti == gudhi_betti(image >= threshold, 1)
    assert sum(explorer.betti) > 1
    assert not explorer.skeleton.mask[image < threshold].any()
    parts = int(re.search(r"slice, in (\d+) parts? with", explorer.describe()).group(1))
    assert parts == explorer.betti[0]  # nothing simplified: one part for each component


def test_the_ring_in_words():
    explorer = VolumeExplorer(RING, min_persistence=0.25, threshold=0.25)
    explorer.selected = pair_of(explorer, 1)
    assert explorer.position == 1
    text = explorer.describe()
    assert text.startswith("Slice 1 of 0 to 2. At threshold 0.25, with 6 neighbours, ")
    assert "2 components, 1 tunnel and 0 cavities" in text
    assert "of them in this slice, in 2 parts with 1 loop" in text
    assert "is a tunnel, born at 0.60 in slice 1, row 1, column 2; it dies at 0.10 in slice" in text
    explorer.threshold = 0.62  # above the weakest voxel
    assert "2 components, 0 tunnels" in explorer.describe()
    assert "with 0 loops" in explorer.describe()
    explorer.threshold, explorer.selected = 0.15, 1
    assert "1 component, 1 tunnel" in explorer.describe()
    assert "is essential: it never dies" in explorer.describe()


def test_marking_a_feature_leads_to_its_slice():
    explorer = VolumeExplorer(cloud(1))
    seen = set()
    for number in range(1, len(explorer.shown) + 1):
        explorer.selected = number
        born = np.unravel_index(explorer.shown.birth_index[number - 1], (7, 9, 12))
        assert explorer.position == born[0]
        assert f"in slice {born[0]}, row {born[1]}, column {born[2]}; it" in explorer.describe()
        seen.add(explorer.position)
    assert len(seen) > 2
    explorer.position = 0  # one may look elsewhere
    assert explorer.selected


def test_another_volume_brings_everything_anew():
    explorer = VolumeExplorer(cloud(1, (9, 8, 7)), position=8, selected=3)
    assert explorer.position == 8
    explorer.min_persistence = 1.0  # nothing but the essential class
    assert (len(explorer.shown), explorer.selected) == (1, 1)
    explorer.image = RING
    assert (explorer.position, explorer.selected) == (1, 0)
    assert explorer.skeleton.mask.shape == RING.shape


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = VolumeExplorer(RING, position=2)
    before = explorer.describe()
    for trait, value in (
        ("image", RING[0]),
        ("image", RING * 2),
        ("threshold", 1.5),
        ("min_persistence", -0.1),
        ("position", 3),
        ("position", -1),
        ("selected", 99),
    ):
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
    assert explorer.describe() == before


def test_the_picture_is_the_static_twin():
    explorer = VolumeExplorer(RING, threshold=0.5, min_persistence=0.1)
    explorer.selected = pair_of(explorer, 1)
    left, right = explorer.picture().axes
    assert left.get_title() == "slice 1"
    lines = [line.get_data_3d() for line in right.lines]
    wanted = voxels(*figures.path_lines(explorer.skeleton.paths, explorer.image.shape))
    assert wanted
    assert any(voxels(*line) == wanted for line in lines)
    assert any(voxels(*line) == {(1, 1, 2)} for line in lines)  # the birth voxel
    assert right.get_zlim() == (-0.5, 2.5)


# --- The view ----------------------------------------------------------------------------------


def test_every_frame_is_a_slice_and_the_page_moves_the_model():
    model = VolumeExplorer(cloud(2), threshold=0.6)
    view = _VolumeView(model)
    frames, data = view.frames, view.frames.data
    for position in (0, 6, 3):
        frames.set_state({"index": position})  # as a page tells it
        assert model.position == position
        colours = films.colours(frames, position)
        inside = model.image[position] >= 0.6
        np.testing.assert_array_equal(films.foreground(frames, position), inside)
        assert (colours[..., 0] != colours[..., 2])[inside].all()
        assert (colours[..., 0] == colours[..., 2])[~inside].all()
        here = films.places(frames, position, 0)
        np.testing.assert_array_equal(here, np.flatnonzero(model.skeleton.mask[position]))
        assert f"{frames.about['sentences'][position]}." == model.brief()
        assert frames.about["numbers"][0]["values"][position] == str(inside.sum())
        assert frames.about["numbers"][1]["values"][position] == str(len(here))
        assert set(view.rim.z) == {position}
        assert spoken(view) == model.describe()
    assert frames.data is data


def test_thresholds_move_the_skeleton():
    model = VolumeExplorer(cloud(2), threshold=0.3, min_persistence=0.05)
    view = _VolumeView(model)
    before = voxels(view.lines.x, view.lines.y, view.lines.z)
    for name, value in (("threshold", 0.5), ("min_persistence", 0.2)):
        view.controls[name].value = value
        now = voxels(view.lines.x, view.lines.y, view.lines.z)
        assert now < before
        assert now == voxels(*figures.path_lines(model.skeleton.paths, model.image.shape))
        shadow = voxels(view.shadow.x, view.shadow.y, view.shadow.z)
        assert {(r, c) for _, r, c in shadow} == {(r, c) for _, r, c in now}
        before = now


def test_a_marked_pair_is_drawn_in_space_and_in_its_slices():
    model = VolumeExplorer(RING, threshold=0.5)
    view = _VolumeView(model)
    view.controls["selected"].value = pair_of(model, 1)
    assert voxels(view.born.x, view.born.y, view.born.z) == {(1, 1, 2)}
    cross = [np.reshape(one, (-1, 3))[:, :2] for one in (view.dead.x, view.dead.y, view.dead.z)]
    strokes = np.stack(cross, axis=-1)  # each along a diagonal, through the voxel: an x
    assert strokes.mean(axis=1).tolist() == [[1, 1, 1]] * 4
    ways = np.diff(strokes, axis=1)[:, 0]
    assert (abs(ways) == 2).all()
    assert len(np.unique(ways * ways[:, :1], axis=0)) == 4
    birth, death = ([films.places(view.frames, k, which).tolist() for k in range(3)]
                    for which in (1, 2))  # fmt: skip
    assert birth == [[], [1 * 7 + 2], []]
    assert death == [[], [1 * 7 + 1], []]
    view.controls["selected"].value = 1  # essential: born, never dead
    assert len(view.born.x) == 1
    assert len(view.dead.x) == 0
    assert sum(len(films.places(view.frames, k, 2)) for k in range(3)) == 0
    view.controls["selected"].value = 0
    assert sum(len(films.places(view.frames, k, 1)) for k in range(3)) == 0
    assert len(view.born.x) == 0


def test_setting_the_model_moves_the_controls():
    model = VolumeExplorer(cloud(2))
    view = _VolumeView(model)
    model.threshold, model.min_persistence, model.selected, model.position = 0.4, 0.02, 2, 5
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"selected": 2, "threshold": 0.4, "min_persistence": 0.02}
    assert view.controls["selected"].max == len(model.shown)
    assert (view.frames.index, view.frames.about["frames"]) == (5, 7)


def test_a_click_on_the_skeleton_leads_to_its_slice():
    model = VolumeExplorer(cloud(2), threshold=0.3, position=0)
    view = _VolumeView(model)
    k = int(np.nanargmax(view.lines.z))
    view.go_to_slice(view.lines, points_at(k), None)
    assert model.position == view.lines.z[k] > 0
    view.go_to_slice(view.lines, points_at(), None)
    assert model.position == view.lines.z[k]


def test_every_control_has_a_label():
    view = _VolumeView(VolumeExplorer(RING))
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert view.words.brief == view.model.brief()
    named = {text for _, _, text in view.frames.about["legend"]}
    assert named == {"superlevel set", "skeleton", "birth voxel", "death voxel"}


def stack(pages, kind="TIFF"):
    file, images = io.BytesIO(), [Image.fromarray(page) for page in pages]
    images[0].save(file, kind, save_all=True, append_images=images[1:])
    return file.getvalue()


def test_the_readers_own_volume_is_taken_or_refused_in_words():
    model = VolumeExplorer(cloud(0, (9, 8, 7)), position=8)
    view = _VolumeView(model)

    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    pages = np.arange(0, 240, 2, np.uint8).reshape(3, 4, 10)
    upload(view, stack(pages * 0), "flat.tif")
    assert "all voxels have the same value" in spoken(view)
    assert model.image.shape == (9, 8, 7)
    upload(view, stack(pages), "mine.tif")
    np.testing.assert_allclose(model.image, pages / 238)
    assert view.frames.about["frames"] == 3
    assert films.colours(view.frames, 0).shape == (4, 10, 3)
    view.dark.value = True
    upload(view, stack(pages), "mine.tif")
    np.testing.assert_allclose(model.image, 1 - pages / 238)


def test_a_large_volume_is_reduced_and_unequal_pages_are_refused():
    pages = np.zeros((3, 10, 40), np.uint16)
    pages[:, :, 20:] = 60000
    small = read_volume(stack(pages), size=20)
    assert small.shape == (3, 10, 20)
    assert (small[..., :8] < 0.1).all()
    assert (small[..., 12:] > 0.9).all()
    with pytest.raises(ValueError, match="different sizes"):
        read_volume(stack([pages[0], pages[0][:5]]))


def test_show_offers_a_picture_and_a_text(capsys):
    explorers.show(VolumeExplorer(RING))
    assert "Slice 1 of 0 to 2" in capsys.readouterr().out
