"""Figures of the Morse complex: fields, skeletons, branches and patches."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from scipy.ndimage import label
from screens import hills

from toposeg_lite.topology import morse_complex
from toposeg_lite.workbook import figures

ROW = np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])
RING = np.array(
    [
        [0.0, 0.9, 0.8, 0.7, 0.0, 0.0, 0.0],
        [0.0, 0.85, 0.1, 0.6, 0.0, 0.0, 0.0],
        [0.0, 0.75, 0.65, 0.55, 0.3, 0.5, 0.0],
    ]
)


def points(ax, marker):
    """Return the sorted points that a marker draws, with whether it is filled."""
    found = []
    for line in ax.lines:
        if line.get_marker() == marker:
            filled = line.get_markerfacecolor() != "none"
            found += [(*map(float, xy), filled) for xy in line.get_xydata()]
    return sorted(found)


def pixels_of(x, y, shape):
    """Return the mask of the pixels that lines with gaps pass."""
    mask = np.zeros(shape, bool)
    x, y = np.asarray(x), np.asarray(y)
    drawn = ~np.isnan(x)
    mask[y[drawn].astype(int), x[drawn].astype(int)] = True
    return mask


def test_a_gradient_field_shows_arrows_peaks_and_critical_edges():
    arrows, critical = [((0, 1), (0, 0)), ((0, 3), (0, 2))], [((0, 1), (0, 2))]
    ax = figures.gradient_field(ROW[:, :4], arrows, critical)
    heads = [text.xy for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert heads == [pytest.approx((0.27, 0)), pytest.approx((2.27, 0))]
    assert [circle.center for circle in ax.patches] == [(0, 0), (2, 0)] or [
        circle.center for circle in ax.patches
    ] == [(2, 0), (0, 0)]
    (edge,) = ax.lines
    assert edge.get_xdata() == pytest.approx([1.27, 1.73])


def test_a_gradient_field_shows_pits():
    ax = figures.gradient_field(np.eye(3), [], pits=[(1, 2), np.array([2, 0])])
    corners = [patch.get_xy() for patch in ax.patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(corners, [(1.74, 0.74), (-0.26, 1.74)])
    for pits, error in ((3, TypeError), ([(0.5, 1)], TypeError), ([(1, 2, 3)], TypeError)):
        with pytest.raises(error, match="pits must hold pixels"):
            figures.gradient_field(np.eye(3), [], pits=pits)
    with pytest.raises(ValueError, match=r"pits must lie in the image of shape \(3, 3\)"):
        figures.gradient_field(np.eye(3), [], pits=[(0, 3)])


@pytest.mark.parametrize(
    ("pair", "error", "word"),
    [
        (((0, 0), (0, 2)), ValueError, "neighbouring"),
        (((0, 0), (0, 0)), ValueError, "neighbouring"),
        (((0, 6), (0, 7)), ValueError, "neighbouring"),
        (((0, 0.5), (0, 1)), TypeError, "pairs of pixels"),
        ((0, 1), TypeError, "pairs of pixels"),
    ],
)
def test_a_gradient_field_refuses_what_is_no_edge(pair, error, word):
    for name in ("arrows", "critical"):
        with pytest.raises(error, match=f"{name} must .*{word}"):
            figures.gradient_field(ROW, **{"arrows": [], name: [pair]})


def test_a_view_tells_kept_from_cut_and_follows_the_marked_branch():
    complex_ = morse_complex(ROW)
    view = figures.morse_view(ROW, complex_, min_persistence=0.3, saddle_level=0.4, selected=0)
    assert view.persistence == pytest.approx([0.5])
    assert view.saddle_value.tolist() == [0.2]
    assert view.kept.tolist() == [False]
    assert view.path.tolist() == [0, 1, 2, 3, 4]  # as it was before it was cut
    assert (view.path[view.low], view.along[-1]) == (3, 4)
    np.testing.assert_array_equal(view.height, ROW[0, :5])
    kept = figures.morse_view(ROW, complex_, saddle_level=0.4, selected=1)
    assert kept.kept.tolist() == [False, True, True]
    assert kept.path.tolist() == [0, 1, 2]  # it ends before the valley
    assert figures.morse_view(ROW, complex_, saddle_level=0.2).kept.all()  # at the level is kept


@pytest.mark.parametrize("connectivity", [1, 2])
def test_along_and_height_are_the_length_and_the_mean_of_the_library(connectivity):
    image = hills()
    complex_ = morse_complex(image, connectivity=connectivity)
    for low, high in ((0.0, 0.0), (0.1, 0.3), (0.2, 0.5)):
        branches, kept = complex_.branches(low, high), 0
        for k in range(len(complex_.branches(low))):
            options = {"min_persistence": low, "saddle_level": high, "selected": k}
            view = figures.morse_view(image, complex_, **options)
            assert image.ravel()[view.path[view.low]] == view.saddle_value[k]
            if view.kept[k]:
                assert view.along[-1] == pytest.approx(branches.length[kept])
                assert view.height.mean() == pytest.approx(branches.mean_likelihood[kept])
                kept += 1
        assert kept == len(branches)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"min_persistence": 2}, ValueError, "persistence"),
        ({"saddle_level": "high"}, TypeError, "saddle_level"),
        ({"selected": 3}, ValueError, "selected must be 0 to 2; got 3"),
        ({"selected": -1}, ValueError, "selected"),
        ({"image": ROW.T}, ValueError, "must be of the image"),
        ({"image": ROW * 9}, ValueError, r"\[0, 1\]"),
        ({"complex_": ROW}, TypeError, "morse_complex"),
    ],
)
def test_a_view_refuses_bad_input(options, error, word):
    with pytest.raises(error, match=word):
        figures.morse_view(**{"image": ROW, "complex_": morse_complex(ROW)} | options)


def test_parts_of_a_skeleton_are_components_of_the_superlevel_set():
    image = hills(1)
    for connectivity, near in ((1, None), (2, np.ones((3, 3)))):
        complex_ = morse_complex(image, connectivity=connectivity)
        for level in (0.0, 0.3, 0.5, 0.8):
            skeleton = complex_.skeleton(0, level)
            assert figures.count_parts(skeleton) == label(image >= level, near)[1]
    assert figures.count_parts(morse_complex(ROW).skeleton(0, 0.95)) == 0
    with pytest.raises(TypeError, match=r"skeleton.*ndarray"):
        figures.count_parts(ROW > 0.5)


def panels_of(image, **options):
    """Return the panels of a summary: skeleton, branches, profile."""
    return figures.morse_summary(image, morse_complex(image), **options).axes


def test_the_skeleton_is_drawn_where_it_is_and_what_is_cut_as_well():
    complex_ = morse_complex(RING)
    ax, _, _ = panels_of(RING, min_persistence=0.1, saddle_level=0.4)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["skeleton", "cut by the saddle level"]
    gone, left, alone = (line.get_data() for line in ax.lines)
    np.testing.assert_array_equal(pixels_of(*gone, RING.shape), complex_.skeleton(0.1).mask)
    both = pixels_of(*left, RING.shape) | pixels_of(*alone, RING.shape)
    np.testing.assert_array_equal(both, complex_.skeleton(0.1, 0.4).mask)
    assert np.array(alone).T.tolist() == [[5, 2]]  # a peak that has lost its only branch
    assert len(panels_of(RING)[0].lines) == 2


def test_the_marked_branch_has_its_pass_and_its_peaks():
    ax, _, _ = panels_of(RING, min_persistence=0.1, selected=1)
    assert points(ax, "s") == [(4, 2, True)]
    assert points(ax, "o") == [(1, 0, True), (5, 2, True)]


def test_the_chart_fills_what_is_kept():
    _, ax, _ = panels_of(RING, min_persistence=0.1, saddle_level=0.4, selected=1)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["1 joins", "1 close loops", "filled: kept"]
    bridge, loop = (0.2, 0.3), (0.5, 0.6)  # closed at .6, by a corner
    assert [p[:2] for p in points(ax, "o")] == [pytest.approx(bridge)] * 2  # with its ring
    assert not any(filled for *_, filled in points(ax, "o"))
    ((x, y, filled),) = points(ax, "^")
    assert ((x, y), filled) == (pytest.approx(loop), True)


def test_the_profile_is_the_likelihood_along_the_branch():
    _, _, ax = panels_of(ROW, min_persistence=0.3, saddle_level=0.4, selected=0)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ROW[0, :5])
    assert points(ax, "s") == [(3, 0.2, True)]
    assert points(ax, "o") == [(0, 0.9, True), (4, 0.7, True)]
    assert list(ax.lines[1].get_ydata()) == [0.4, 0.4]


def test_borders_of_patches_stand_between_labels():
    labels = np.array([[1, 1, 2], [1, 3, 2]])
    x, y = figures.image_with_patches(np.zeros((2, 3)), labels).lines[0].get_data()
    edges = {
        tuple(np.round([x[k], y[k], x[k + 1], y[k + 1]], 1).tolist()) for k in range(0, len(x), 3)
    }
    assert edges == {
        (1.5, -0.5, 1.5, 0.5),
        (0.5, 0.5, 0.5, 1.5),
        (1.5, 0.5, 1.5, 1.5),
        (0.5, 0.5, 1.5, 0.5),
    }
    with pytest.raises(ValueError, match="shape"):
        figures.image_with_patches(np.zeros((2, 3)), labels.T)
