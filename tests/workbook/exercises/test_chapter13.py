"""Chapter 13 without a browser: figures of volumes, their explorer, and the checkers."""

from __future__ import annotations

import base64
import html
import io
import re
from types import SimpleNamespace

import gudhi
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from traitlets import TraitError

from toposeg_lite import explorers, figures
from toposeg_lite.exercises import PENCIL_VOLUME, check
from toposeg_lite.explorers import VolumeExplorer, read_volume
from toposeg_lite.explorers.volumes import _VolumeView
from toposeg_lite.topology import morse_complex, persistence_pairs

SHELL = np.ones((3, 3, 3), bool)
SHELL[1, 1, 1] = False

# A ring whose weakest voxel is .6, and a spot of .7 beside it, joined by voxels of .2 and .3.
RING = np.zeros((3, 4, 7))
RING[1, :3, :3] = [[0.9, 0.8, 0.9], [0.8, 0.1, 0.6], [0.9, 0.85, 0.95]]
RING[1, 1, 3:6] = [0.2, 0.3, 0.7]


def hills(seed=0, shape=(7, 9, 12)):
    image = gaussian_filter(np.random.default_rng(seed).random(shape), 0.8)
    return (image - image.min()) / np.ptp(image)


def gudhi_betti(mask, connectivity):
    kind = "top_dimensional_cells" if connectivity == 3 else "vertices"
    cubes = gudhi.CubicalComplex(**{kind: np.where(np.pad(mask, 1), 0.0, 1.0)})
    cubes.compute_persistence(min_persistence=-1)
    return tuple(cubes.persistent_betti_numbers(0.0, 0.5)[:3])


def voxels(x, y, z):
    """Return the set of the voxels (slice, row, column) on lines with gaps."""
    points = np.stack([z, y, x], axis=1)
    return set(map(tuple, points[~np.isnan(points).any(1)].astype(int).tolist()))


def pair_of(explorer, dimension):
    """Return the number of the first shown feature of a dimension."""
    return 1 + int(np.flatnonzero(explorer.shown.dimension == dimension)[0])


# --- Figures ----------------------------------------------------------------------------------


def test_slices_show_every_value_and_paint_the_mask():
    figure = figures.slice_values(RING, mask=RING >= 0.6)
    assert [ax.get_title() for ax in figure.axes] == ["slice 0", "slice 1", "slice 2"]
    texts = {tuple(map(round, t.get_position())): t for t in figure.axes[1].texts}
    assert texts[2, 1].get_text() == ".6"
    assert texts[2, 1].get_weight() == "bold"
    assert texts[1, 1].get_weight() == "normal"
    painted = np.stack([ax.images[0].get_array() for ax in figure.axes])
    np.testing.assert_array_equal(painted, RING >= 0.6)


def test_a_block_has_the_faces_that_can_be_seen():
    pair = np.zeros((2, 3, 4), bool)
    pair[1, 0, :2] = True  # two cubes side by side: ten faces outside, none between them
    ax = figures.voxel_block(pair)
    faces = np.concatenate([np.concatenate(c._faces) for c in ax.collections])
    assert len(faces) == 10 * 4
    assert faces.min(0).tolist() == [0, 0, 1]  # column, row, slice
    assert faces.max(0).tolist() == [2, 1, 2]
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_zlim()) == ((0, 4), (0, 3), (0, 2))


def test_the_diagram_counts_each_kind_and_fills_what_is_alive():
    image = np.where(SHELL, 0.9, 0.2)
    image[0, 1, 1] = 0.8
    pairs = persistence_pairs(np.pad(image, 1))
    for threshold, filled in ((0.5, 2), (0.1, 1), (0.85, 1)):
        ax = figures.volume_diagram(pairs, threshold=threshold)
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == ["1 component", "0 tunnels", "1 cavity"]
        dots = [line for line in ax.lines if line.get_marker() in "o^s"]
        alive = sum(len(d.get_xdata()) for d in dots if d.get_markerfacecolor() != "none")
        assert alive == filled
        squares = [d.get_xydata().tolist() for d in dots if d.get_marker() == "s"]
        assert [[0.8, 0.2]] in squares  # the last window of the wall
    ring = figures.volume_diagram(pairs, selected=1).lines[-1]
    assert ring.get_xydata().tolist() == [[pairs.birth[1], pairs.death[1]]]


def test_a_line_runs_through_each_voxel_of_the_skeleton():
    image = hills()
    for level in (0.0, 0.5, 0.7):
        skeleton = morse_complex(image).skeleton(0.05, level)
        lines = voxels(*figures.skeleton_lines(skeleton))
        lonely = voxels(*figures.skeleton_points(skeleton))
        assert lines | lonely == set(map(tuple, np.argwhere(skeleton.mask).tolist()))
        assert not lines & lonely
        x, y, z = figures.skeleton_lines(skeleton)
        steps = np.abs(np.diff(x)) + np.abs(np.diff(y)) + np.abs(np.diff(z))
        assert set(steps[~np.isnan(steps)]) <= {1.0}  # 6 neighbours, and a gap after each path
    assert lonely


def test_a_box_has_twelve_edges_and_a_slice_a_rim():
    x, y, z = figures.box_lines((2, 3, 4))
    edges = np.stack([z, y, x], 1).reshape(12, 3, 3)[:, :2]
    lengths = np.abs(edges[:, 1] - edges[:, 0])
    assert sorted(lengths.sum(1).tolist()) == [2.0] * 4 + [3.0] * 4 + [4.0] * 4
    assert ((lengths > 0).sum(1) == 1).all()
    corners = {tuple(end) for edge in edges.tolist() for end in edge}
    assert len(corners) == 8
    assert {tuple(p) for p in np.transpose(figures.slice_frame((2, 3, 4), 1)).tolist()} == {
        (x, y, 1.0) for x in (-0.5, 3.5) for y in (-0.5, 2.5)
    }


def test_the_slice_marks_what_lies_in_it():
    skeleton = morse_complex(RING).skeleton(0.1, 0.25)
    pairs = persistence_pairs(RING, connectivity=1)
    tunnel = int(np.flatnonzero(pairs.dimension == 1)[0])
    options = {"threshold": 0.5, "selected": tunnel}
    ax = figures.slice_with_skeleton(RING, skeleton, pairs, position=1, **options)
    points = {line.get_marker(): line.get_xydata().tolist() for line in ax.lines}
    assert points["D"] == [[2, 1]]  # the weakest voxel of the ring, column before row
    assert points["X"] == [[1, 1]]
    drawn = {(int(r), int(c)) for c, r in points["o"]}
    assert drawn == set(map(tuple, np.argwhere(skeleton.mask[1]).tolist()))
    ax = figures.slice_with_skeleton(RING, skeleton, pairs, position=0, **options)
    assert {line.get_marker() for line in ax.lines if len(line.get_xdata())} == set()


# --- The model --------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.65])
def test_betti_numbers_and_skeleton_belong_to_the_superlevel_set(threshold):
    image = hills(3)
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
    explorer = VolumeExplorer(hills(1))
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
    explorer = VolumeExplorer(hills(1, (9, 8, 7)), position=8, selected=3)
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
    wanted = voxels(*figures.skeleton_lines(explorer.skeleton))
    assert wanted
    assert any(voxels(*line) == wanted for line in lines)
    assert any(voxels(*line) == {(1, 1, 2)} for line in lines)  # the birth voxel
    assert right.get_zlim() == (-0.5, 2.5)


# --- The view ---------------------------------------------------------------------------------


def painted(trace):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))))


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


def test_moving_the_slice_moves_picture_frame_and_text():
    model = VolumeExplorer(hills(2), threshold=0.6)
    view = _VolumeView(model)
    for position in (0, 6, 3):
        view.controls["position"].value = position
        assert model.position == position
        grey = painted(view.image)
        inside = model.image[position] >= 0.6
        assert (grey[..., 0] != grey[..., 2])[inside].all()
        assert (grey[..., 0] == grey[..., 2])[~inside].all()
        here = {(int(r), int(c)) for r, c in zip(view.here.y, view.here.x, strict=True)}
        assert here == set(map(tuple, np.argwhere(model.skeleton.mask[position]).tolist()))
        assert set(view.rim.z) == {position}
        assert view.figure.layout.annotations[0].text == f"slice {position}"
        assert spoken(view) == model.describe()


def test_thresholds_move_the_skeleton():
    model = VolumeExplorer(hills(2), threshold=0.3, min_persistence=0.05)
    view = _VolumeView(model)
    before = voxels(view.lines.x, view.lines.y, view.lines.z)
    for name, value in (("threshold", 0.5), ("min_persistence", 0.2)):
        view.controls[name].value = value
        now = voxels(view.lines.x, view.lines.y, view.lines.z)
        assert now < before
        assert now == voxels(*figures.skeleton_lines(model.skeleton))
        shadow = voxels(view.shadow.x, view.shadow.y, view.shadow.z)
        assert {(r, c) for _, r, c in shadow} == {(r, c) for _, r, c in now}
        before = now


def test_a_marked_pair_is_drawn_in_space_and_in_its_slices():
    model = VolumeExplorer(RING, threshold=0.5)
    view = _VolumeView(model)
    view.controls["selected"].value = pair_of(model, 1)
    assert voxels(view.born.x, view.born.y, view.born.z) == {(1, 1, 2)}
    assert voxels(view.dead.x, view.dead.y, view.dead.z) == {(1, 1, 1)}
    assert (list(view.birth.x), list(view.birth.y)) == ([2], [1])
    view.controls["position"].value = 0
    assert len(view.birth.x) == len(view.death.x) == 0
    view.controls["selected"].value = 1  # essential: born, never dead
    assert len(view.born.x) == 1
    assert len(view.dead.x) == 0
    view.controls["selected"].value = 0
    assert len(view.born.x) == 0


def test_setting_the_model_moves_the_controls():
    model = VolumeExplorer(hills(2))
    view = _VolumeView(model)
    model.threshold, model.min_persistence, model.selected, model.position = 0.4, 0.02, 2, 5
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"position": 5, "selected": 2, "threshold": 0.4, "min_persistence": 0.02}
    assert view.controls["selected"].max == len(model.shown)
    assert view.controls["position"].max == 6


def test_a_click_on_the_skeleton_leads_to_its_slice():
    model = VolumeExplorer(hills(2), threshold=0.3, position=0)
    view = _VolumeView(model)
    k = int(np.nanargmax(view.lines.z))
    view.go_to_slice(view.lines, SimpleNamespace(point_inds=[k]), None)
    assert model.position == view.lines.z[k] > 0
    view.go_to_slice(view.lines, SimpleNamespace(point_inds=[]), None)
    assert model.position == view.lines.z[k]


def test_every_control_has_a_label():
    view = _VolumeView(VolumeExplorer(RING))
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert 'role="status"' in view.text.value
    signs = [trace for trace in view.figure.data if trace.type != "image"]
    named = {trace.name for trace in signs if trace.showlegend is not False}
    assert named == {"skeleton", "birth voxel", "death voxel"}


def stack(pages, kind="TIFF"):
    file, images = io.BytesIO(), [Image.fromarray(page) for page in pages]
    images[0].save(file, kind, save_all=True, append_images=images[1:])
    return file.getvalue()


def test_the_readers_own_volume_is_taken_or_refused_in_words():
    model = VolumeExplorer(hills(0, (9, 8, 7)), position=8)
    view = _VolumeView(model)

    def upload(name, content):
        view.take_upload(SimpleNamespace(new=({"name": name, "content": memoryview(content)},)))

    upload("notes.txt", b"no picture")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    pages = np.arange(0, 240, 2, np.uint8).reshape(3, 4, 10)
    upload("flat.tif", stack(pages * 0))
    assert "all voxels have the same value" in spoken(view)
    assert model.image.shape == (9, 8, 7)
    upload("mine.tif", stack(pages))
    np.testing.assert_allclose(model.image, pages / 238)
    assert view.controls["position"].max == 2
    assert painted(view.image).shape == (4, 10, 3)
    view.dark.value = True
    upload("mine.tif", stack(pages))
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


# --- Exercises --------------------------------------------------------------------------------

BUCKET = np.zeros((3, 3, 5), bool)
BUCKET[:, :, :3] = SHELL
BUCKET[1, :, 3:] = [[1, 1], [0, 1], [1, 1]]

APART = np.zeros((3, 3, 5), bool)
APART[:, :, :3] = SHELL
APART[:, :, 4] = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]

FLAT = np.zeros((3, 3, 4), bool)
FLAT[:, :, :3] = SHELL
FLAT[:, :, 3] = APART[:, :, 4]

LEAKING = BUCKET.copy()
LEAKING[0, 1, 1] = False

BY_AN_EDGE = BUCKET.copy()
BY_AN_EDGE[0, 0, 1] = False  # 26 neighbours pass over edges, and so does the background of 6

ROOFED = BUCKET.copy()
ROOFED[0, 1, 3] = True  # meets the handle along edges only, and closes the tunnel for 26 neighbours


def duality(image, border="closed", keep=False, swap=True, turn=True):
    other = persistence_pairs(1 - image, connectivity=1, border=border)
    rows = zip(other.dimension, other.birth, other.death, other.birth_index, strict=True)
    return [
        (2 - k if turn else k, *((1 - d, 1 - b) if swap else (1 - b, 1 - d)))
        for k, b, d, index in rows
        if keep or k > 0 or index >= 0
    ]


def rows_of(pairs):
    return list(zip(pairs.dimension, pairs.birth, pairs.death, strict=True))


RIGHT = {"13.1": [(2, 1, 0), (1, 0, 1)], "13.2": BUCKET.tolist(), "13.3": duality}


def test_the_pencil_volume_by_an_oracle():
    assert [gudhi_betti(PENCIL_VOLUME, k) for k in (1, 3)] == RIGHT["13.1"]


@pytest.mark.parametrize("number", RIGHT)
def test_references_pass_and_stubs_are_neutral(number):
    assert check(number, RIGHT[number]).status == "correct"
    assert check(number, None).status == "not attempted"
    if callable(RIGHT[number]):
        assert check(number, lambda *a: None).status == "not attempted"


WRONG = [
    ("13.1", [(1, 0, 1), (2, 1, 0)], "The other way round"),
    ("13.1", [(2, 2, 1), (1, -1, 0)], "foreground and background the same neighbours"),
    ("13.1", [(2, 1, 0), (1, 0, 2)], "The outside is no cavity"),
    ("13.1", [(2, 1, 1), (1, 0, 1)], "does the inside have a way out"),
    ("13.1", [(2, 2, 0), (1, 0, 1)], "windows - 1"),
    ("13.1", [(1, 1, 0), (1, 0, 1)], "With 6 neighbours the number of components"),
    ("13.1", [(2, 1, 0), (1, 1, 1)], "With 26 neighbours the number of tunnels"),
    ("13.1", [(2, 1, 0), (1, 0, 0)], "With 26 neighbours the number of cavities"),
    ("13.1", (2, 1, 0), "Give two rows of three numbers"),
    ("13.1", [(2, 1), (1, 0)], "tuples|two rows"),
    ("13.2", APART, "join them without a further loop"),
    ("13.2", FLAT, "like a cup"),
    ("13.2", SHELL, "like a cup"),
    ("13.2", LEAKING, "no cavity"),
    ("13.2", BY_AN_EDGE, "share a face"),
    ("13.2", ROOFED, r"\(1, 1, 1\) with 6 neighbours and \(1, 0, 1\) with 26.*share a face"),
    ("13.2", np.ones((6, 3, 3), bool), "At most 5 voxels a side"),
    ("13.2", np.ones((3, 3), bool), "Give a mask with three axes"),
    ("13.2", lambda: BUCKET, "not a function"),
    ("13.2", np.pad(BUCKET[:, :, :3], ((0, 0), (0, 0), (2, 0)))[..., ::2], "no cavity|Start from"),
    ("13.3", lambda i: rows_of(persistence_pairs(i, connectivity=1)), "with 6 neighbours"),
    ("13.3", lambda i: duality(i, keep=True), "the outside is no cavity"),
    ("13.3", lambda i: duality(i, swap=False), "must change places"),
    ("13.3", lambda i: duality(i, turn=False), "dimensions are those of the background"),
    ("13.3", lambda i: duality(i, border="open"), "You left the outside out"),
    ("13.3", lambda i: duality(i, border="open", keep=True), "You left the outside out"),
    ("13.3", lambda i: duality(i)[1:], "pairs are among the"),
    ("13.3", lambda i: 1 / 0, "raised ZeroDivisionError"),
    ("13.3", lambda i: [1, 2], "Give a list of tuples"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG, ids=range(len(WRONG)))
def test_wrong_answers_get_their_hint(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert re.search(hint, verdict.text), verdict.text
