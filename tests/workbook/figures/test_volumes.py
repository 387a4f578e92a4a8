"""Figures of volumes: slices, blocks, skeletons in space."""

from __future__ import annotations

import numpy as np
from screens import hills

from toposeg_lite.topology import morse_complex, persistence_pairs
from toposeg_lite.workbook import figures

SHELL = np.ones((3, 3, 3), bool)
SHELL[1, 1, 1] = False

# A ring whose weakest voxel is .6, and a spot of .7 beside it, joined by voxels of .2 and .3.
RING = np.zeros((3, 4, 7))
RING[1, :3, :3] = [[0.9, 0.8, 0.9], [0.8, 0.1, 0.6], [0.9, 0.85, 0.95]]
RING[1, 1, 3:6] = [0.2, 0.3, 0.7]


def cloud(seed=0, shape=(7, 9, 12)):
    return hills(seed, shape, 0.8)


def voxels(x, y, z):
    """Return the set of the voxels (slice, row, column) on lines with gaps."""
    points = np.stack([z, y, x], axis=1)
    return set(map(tuple, points[~np.isnan(points).any(1)].astype(int).tolist()))


def test_slices_show_every_value_and_paint_the_mask():
    figure = figures.slice_values(RING, mask=RING >= 0.6)
    assert [ax.get_title() for ax in figure.axes] == ["slice 0", "slice 1", "slice 2"]
    texts = {tuple(map(round, t.get_position())): t for t in figure.axes[1].texts}
    assert texts[2, 1].get_text() == ".6"
    assert texts[2, 1].get_weight() == "bold"
    assert texts[1, 1].get_weight() == "normal"
    painted = np.stack([ax.images[0].get_array() for ax in figure.axes])
    np.testing.assert_array_equal(painted, RING >= 0.6)


def corners_of(collection):
    """The corners of the polygons of a collection in space, (faces, corners, 3)."""
    if hasattr(collection, "_faces"):
        return collection._faces
    corners = collection._vec[:3].T  # until Matplotlib 3.10 in one row
    return [corners[part] for part in collection._segslices]


def test_a_block_has_the_faces_that_can_be_seen():
    pair = np.zeros((2, 3, 4), bool)
    pair[1, 0, :2] = True  # two cubes side by side: ten faces outside, none between them
    ax = figures.voxel_block(pair)
    faces = np.concatenate([polygon for c in ax.collections for polygon in corners_of(c)])
    assert len(faces) == 10 * 4
    assert faces.min(0).tolist() == [0, 0, 1]  # column, row, slice
    assert faces.max(0).tolist() == [2, 1, 2]
    # No empty frame: the box is that of the foreground.
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_zlim()) == ((0, 2), (0, 1), (1, 2))
    assert figures.voxel_block(np.zeros((2, 2, 2), bool)).get_xlim() == (0, 1)


def test_what_a_block_encloses_is_seen_through_its_walls():
    window = SHELL.copy()
    window[0, 1, 1] = False
    for mask, count in ((SHELL, 1), (window, 0)):
        ax = figures.voxel_block(mask)
        colours = [c.get_facecolor()[0] for c in ax.collections]
        solid = [colour for colour in colours if colour[3] == 1]
        assert len(solid) == count  # the hollow voxel, greener than it is red
        assert all(green > red for red, green, _, _ in solid)
        assert (min(colour[3] for colour in colours) < 0.5) == bool(count)  # walls as of glass


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
    image = cloud()
    for level in (0.0, 0.5, 0.7):
        skeleton = morse_complex(image).skeleton(0.05, level)
        lines = voxels(*figures.path_lines(skeleton.paths, image.shape))
        lonely = voxels(*figures.lonely_peaks(skeleton))
        assert lines | lonely == set(map(tuple, np.argwhere(skeleton.mask).tolist()))
        assert not lines & lonely
        x, y, z = figures.path_lines(skeleton.paths, image.shape)
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
    complex_ = morse_complex(RING)
    skeleton = complex_.skeleton(0.1, 0.25)
    pairs = persistence_pairs(RING, connectivity=1)
    tunnel = int(np.flatnonzero(pairs.dimension == 1)[0])
    options = {"threshold": 0.25, "min_persistence": 0.1, "selected": tunnel}
    ax = figures.volume_summary(RING, complex_, pairs, position=1, **options).axes[0]
    points = {line.get_marker(): line.get_xydata().tolist() for line in ax.lines}
    assert points["D"] == [[2, 1]]  # the weakest voxel of the ring, column before row
    assert points["X"] == [[1, 1]]
    drawn = {(int(r), int(c)) for c, r in points["o"]}
    assert drawn == set(map(tuple, np.argwhere(skeleton.mask[1]).tolist()))
    ax = figures.volume_summary(RING, complex_, pairs, position=0, **options).axes[0]
    assert {line.get_marker() for line in ax.lines if len(line.get_xdata())} == set()
