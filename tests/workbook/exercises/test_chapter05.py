"""The chapter on ridges: its figures, its explorer and its checkers, without a browser."""

from __future__ import annotations

import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, label
from traitlets import TraitError

from toposeg_lite import figures
from toposeg_lite.exercises import PENCIL_RIDGE, PENCIL_ROW, check
from toposeg_lite.explorers import MorseExplorer
from toposeg_lite.explorers.morse import _MorseView
from toposeg_lite.topology import morse_complex

ROW = np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])
RING = np.array(
    [
        [0.0, 0.9, 0.8, 0.7, 0.0, 0.0, 0.0],
        [0.0, 0.85, 0.1, 0.6, 0.0, 0.0, 0.0],
        [0.0, 0.75, 0.65, 0.55, 0.3, 0.5, 0.0],
    ]
)


def hills(seed=0, shape=(24, 33)):
    image = gaussian_filter(np.random.default_rng(seed).random(shape), 1.0)
    return (image - image.min()) / np.ptp(image)


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


# --- Figures ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda v: figures.branch_chart(ROW, min_persistence=0, saddle_level=0), TypeError, "view"),
        (
            lambda v: figures.branch_chart(v, min_persistence=2, saddle_level=0),
            ValueError,
            "persis",
        ),
        (
            lambda v: figures.branch_chart(v, min_persistence=0, saddle_level=-1),
            ValueError,
            "saddle",
        ),
        (
            lambda v: figures.branch_chart(v, min_persistence=0, saddle_level=0, selected=3),
            ValueError,
            "selected must be 0 to 2; got 3",
        ),
        (lambda v: figures.branch_profile(None, saddle_level=0), TypeError, "view.*NoneType"),
        (lambda v: figures.branch_profile(v, saddle_level=np.nan), ValueError, "saddle_level"),
        (lambda v: figures.count_parts(ROW > 0.5), TypeError, "skeleton.*ndarray"),
    ],
)
def test_panels_refuse_bad_input(call, error, word):
    with pytest.raises(error, match=word):
        call(figures.morse_view(ROW, morse_complex(ROW)))


def test_parts_of_a_skeleton_are_components_of_the_superlevel_set():
    image = hills(1)
    for connectivity, near in ((1, None), (2, np.ones((3, 3)))):
        complex_ = morse_complex(image, connectivity=connectivity)
        for level in (0.0, 0.3, 0.5, 0.8):
            skeleton = complex_.skeleton(0, level)
            assert figures.count_parts(skeleton) == label(image >= level, near)[1]
    assert figures.count_parts(morse_complex(ROW).skeleton(0, 0.95)) == 0


def test_the_skeleton_is_drawn_where_it_is_and_what_is_cut_as_well():
    complex_ = morse_complex(RING)
    ax = figures.image_with_skeleton(RING, complex_, min_persistence=0.1, saddle_level=0.4)
    gone, left, alone = (line.get_data() for line in ax.lines)
    np.testing.assert_array_equal(pixels_of(*gone, RING.shape), complex_.skeleton(0.1).mask)
    both = pixels_of(*left, RING.shape) | pixels_of(*alone, RING.shape)
    np.testing.assert_array_equal(both, complex_.skeleton(0.1, 0.4).mask)
    assert np.array(alone).T.tolist() == [[5, 2]]  # a peak that has lost its only branch
    assert len(figures.image_with_skeleton(RING, complex_).lines) == 2


def test_the_marked_branch_has_its_pass_and_its_peaks():
    ax = figures.image_with_skeleton(RING, morse_complex(RING), min_persistence=0.1, selected=1)
    assert points(ax, "s") == [(4, 2, True)]
    assert points(ax, "o") == [(1, 0, True), (5, 2, True)]


def test_the_chart_fills_what_is_kept():
    complex_ = morse_complex(RING)
    view = figures.morse_view(RING, complex_, min_persistence=0.1, saddle_level=0.4)
    ax = figures.branch_chart(view, min_persistence=0.1, saddle_level=0.4, selected=1)
    bridge, loop = (0.2, 0.3), (0.5, 0.6)  # closed at .6, by a corner
    assert [p[:2] for p in points(ax, "o")] == [pytest.approx(bridge)] * 2  # with its ring
    assert not any(filled for *_, filled in points(ax, "o"))
    ((x, y, filled),) = points(ax, "^")
    assert ((x, y), filled) == (pytest.approx(loop), True)


def test_the_profile_is_the_likelihood_along_the_branch():
    view = figures.morse_view(ROW, morse_complex(ROW), min_persistence=0.3, selected=0)
    ax = figures.branch_profile(view, saddle_level=0.4)
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


# --- Explorer ---------------------------------------------------------------------------------


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


def test_describe_says_what_a_branch_is():
    text = MorseExplorer(RING, min_persistence=0.1, saddle_level=0.4, selected=2).describe()
    assert "Of 2 branches, 2 have a persistence above 0.10" in text
    assert "of these 1 has a pass at or above 0.40" in text
    assert "in 2 parts with 1 loop." in text
    assert (
        "Branch 2 of 2 joins two components and is cut: persistence 0.20, pass of value 0.30 in "
        "row 2, column 4"
    ) in text
    assert "with 0 loops." in MorseExplorer(RING, saddle_level=0.65).describe()
    assert "Branch 1 of 2 closes a loop and is kept: persistence 0.50" in (
        MorseExplorer(RING, selected=1).describe()
    )


def test_thresholds_move_the_skeleton_and_keep_the_mark():
    explorer = MorseExplorer(ROW, min_persistence=0.0, selected=1)
    drawn = []
    for low, high in ((0, 0), (0.3, 0), (0, 0.4), (0.3, 0.4)):
        explorer.min_persistence, explorer.saddle_level = low, high
        drawn.append("".join(np.where(explorer.skeleton.mask[0], "#", ".")))
        assert explorer.selected == 1
        assert bool(explorer.shown.kept[0]) == (high == 0)
    assert drawn == ["#######", "#####..", "###.###", "#...#.."]
    explorer.min_persistence = 0.6
    assert explorer.selected == 0
    assert "Branch 1" not in explorer.describe()


def test_connectivity_and_another_image_bring_another_complex():
    explorer = MorseExplorer(np.eye(4), selected=0)
    assert figures.count_parts(explorer.skeleton) == 1
    assert len(explorer.shown.kept) == 0
    explorer.connectivity = 1
    assert len(explorer.shown.kept) == 3
    explorer.selected = 1
    explorer.image = ROW
    assert explorer.selected == 0
    assert explorer.shown.persistence == pytest.approx([0.5])  # those of .1 are not above .1


def test_the_shortest_branch_through_a_pixel_is_found_kept_before_cut():
    image = hills(2)
    explorer = MorseExplorer(image, min_persistence=0.05, saddle_level=0.4)
    shown = explorer.shown
    lengths, through = {}, {}
    for k in range(len(shown.kept)):
        explorer.selected = k + 1
        lengths[k + 1] = len(explorer.shown.path)
        for p in explorer.shown.path.tolist():
            through.setdefault(p, []).append(k + 1)
    assert not shown.kept.all()
    for p in range(image.size):
        number = explorer.branch_at(*np.unravel_index(p, image.shape))
        if p in through:
            assert number in through[p]
            kept = [k for k in through[p] if shown.kept[k - 1]]
            assert lengths[number] == min(lengths[k] for k in kept or through[p])
            assert number in (kept or through[p])
        else:
            assert number == 0


def test_the_branch_at_a_pixel_follows_the_thresholds():
    explorer = MorseExplorer(RING, saddle_level=0.4)
    assert explorer.branch_at(1, 3) == 1  # the loop is kept, the shorter bridge is cut
    explorer.saddle_level = 0.0
    assert explorer.branch_at(1, 3) == 2
    explorer.min_persistence = 0.3
    assert explorer.branch_at(1, 3) == 1
    assert explorer.branch_at(2, 4) == 0


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = MorseExplorer(ROW)
    for trait, value in (("image", ROW * 300), ("min_persistence", 2), ("saddle_level", -1),
                         ("selected", 9), ("connectivity", 8)):  # fmt: skip
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) is before


def test_the_picture_is_the_static_twin():
    image = hills()
    explorer = MorseExplorer(image, min_persistence=0.1, saddle_level=0.3, selected=2)
    twin = figures.morse_summary(
        image, morse_complex(image), min_persistence=0.1, saddle_level=0.3, selected=1
    )
    assert figures.png(explorer.picture()) == figures.png(twin)


def test_moving_a_slider_moves_skeleton_dots_and_text():
    image = hills()
    model = MorseExplorer(image, min_persistence=0.0)
    view = _MorseView(model)
    assert len(view.gone.x) == 0
    view.controls["min_persistence"].value = 0.1
    view.controls["saddle_level"].value = 0.4
    assert (model.min_persistence, model.saddle_level) == (0.1, 0.4)
    complex_ = morse_complex(image)
    drawn = pixels_of(view.lines.x, view.lines.y, image.shape)
    drawn |= pixels_of(view.peaks_alone.x, view.peaks_alone.y, image.shape)
    np.testing.assert_array_equal(drawn, complex_.skeleton(0.1, 0.4).mask)
    np.testing.assert_array_equal(
        pixels_of(view.gone.x, view.gone.y, image.shape), complex_.skeleton(0.1).mask
    )
    whole, cut = complex_.branches(0.1), complex_.branches(0.1, 0.4)
    assert sum(len(dots.x) for dots in view.dots) == len(whole)
    assert len(view.dots[0].x) + len(view.dots[2].x) == len(cut)
    assert len(view.dots[2].x) + len(view.dots[3].x) == (whole.dimension == 1).sum()
    assert set(np.round(np.float64(view.cross.x), 6)) >= {0.1}
    assert set(np.round(np.float64(view.cross.y), 6)) >= {0.4}
    assert spoken(view) == model.describe()


@pytest.mark.parametrize("group", range(4))
def test_pointing_at_a_dot_marks_its_branch(group):
    model = MorseExplorer(hills(), min_persistence=0.05, saddle_level=0.4)
    view = _MorseView(model)
    dots = view.dots[group]
    place = len(dots.x) - 1
    view.picker(group)(dots, SimpleNamespace(point_inds=[place]), None)
    k = model.selected - 1
    assert model.shown.persistence[k] == pytest.approx(dots.x[place])
    assert model.shown.saddle_value[k] == pytest.approx(dots.y[place])
    assert (view.ring.x[0], view.ring.y[0]) == (dots.x[place], dots.y[place])
    low = int(view.low.y[0]), int(view.low.x[0])
    assert model.image[low] == model.shown.saddle_value[k]
    assert view.profile_low.y[0] == pytest.approx(model.image[low])
    np.testing.assert_allclose(view.profile.y, model.shown.height, rtol=1e-6)
    black, solid, dotted = (len(trace.x) for trace in view.path)
    assert (solid, dotted) == ((0, black) if group % 2 else (black, 0))
    assert f"Branch {k + 1} of" in spoken(view)


def test_clicking_the_skeleton_marks_the_branch_there_and_zero_clears():
    model = MorseExplorer(RING, min_persistence=0.1, saddle_level=0.4)
    view = _MorseView(model)
    for trace, row, column, number in ((view.lines, 1, 3, 1), (view.gone, 2, 4, 2)):
        k = next(k for k in range(len(trace.x)) if (trace.y[k], trace.x[k]) == (row, column))
        view.pick_on_image(trace, SimpleNamespace(point_inds=[k]), None)
        assert model.selected == number
        assert trace._click_callbacks
    view.pick_on_image(view.gone, SimpleNamespace(point_inds=[]), None)
    assert model.selected == 2
    view.controls["selected"].value = 0
    for trace in (*view.path, view.ends, view.low, view.ring, view.profile, view.profile_low):
        assert len(trace.x) == 0


def test_a_branch_that_is_simplified_away_is_not_followed_by_another():
    model = MorseExplorer(hills(), min_persistence=0.0)
    view = _MorseView(model)
    view.controls["selected"].value = view.controls["selected"].max
    view.controls["min_persistence"].value = 0.2
    assert model.selected == view.controls["selected"].value == 0
    assert view.controls["selected"].max == len(model.shown.kept)


def test_every_control_has_a_label_and_the_readers_picture_is_taken():
    model = MorseExplorer(ROW, selected=1)
    view = _MorseView(model)
    assert all(control.description for control in view.controls.values())
    assert 'role="status"' in view.text.value
    file = io.BytesIO()
    Image.fromarray(np.arange(0, 240, 2, np.uint8).reshape(10, 12)).save(file, "PNG")
    content = memoryview(file.getvalue())
    view.take_upload(SimpleNamespace(new=({"name": "mine.png", "content": content},)))
    assert model.image.shape == (10, 12)
    assert model.complex_.shape == (10, 12)
    assert spoken(view) == model.describe()


# --- Exercises --------------------------------------------------------------------------------

DRAWN = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def cut(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence, level).mask


def whole(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence).mask


def clipped(image, min_persistence, level):
    return whole(image, min_persistence, level) & (image >= level)


def across(image, min_persistence, level):
    """Draw good branches along the paths that they have before anything is cut."""
    mask = cut(image, min_persistence, level).ravel()
    branches = morse_complex(image).branches(min_persistence)
    for path, value in zip(branches.paths, branches.saddle_value, strict=True):
        if value >= level:
            mask[path] = True
    return mask.reshape(image.shape)


def above(image, min_persistence, level):
    return morse_complex(image).skeleton(min_persistence, level + 1e-9).mask


REFERENCE = {"05.1": DRAWN, "05.2": (0.1, 0.3), "05.3": cut}
STUBS = {"05.1": None, "05.2": None, "05.3": lambda image, persistence, level: None}
WRONG = {
    "05.1": [
        ([*DRAWN, (1, 0), (2, 0)], "before it is simplified"),
        (DRAWN[3:], "dropped the pass"),
        (np.argwhere(morse_complex(PENCIL_RIDGE, connectivity=1).skeleton(0.15).mask), "4 nei"),
        (np.argwhere(PENCIL_RIDGE > 0.25), "superlevel set"),
        (np.argwhere(morse_complex(1 - PENCIL_RIDGE).skeleton(0.15).mask), "valleys"),
        (DRAWN[1:], "5 of your 5 pixels"),
        ([0, 1], "list of tuples"),
        (7, "list of tuples"),
    ],
    "05.2": [
        ((0.4, 0.3), "takes the other"),
        ((0.1, 0.7), "The peak .65 is gone. The saddle level"),
        ((0.1, 0.96), "The peak .95 is gone"),
        ((0.2, 0.2), "bridge is still there"),
        ((0.0, 0.3), "bumps"),
        ((2, 0.3), "a pair of numbers"),
        (0.3, "a pair of numbers"),
    ],
    "05.3": [
        (whole, "Nothing is cut"),
        (clipped, "stubs"),
        (across, "lead across"),
        (above, "exactly at"),
        (lambda i, p, level: np.zeros(i.shape, bool), "of a test image differ"),
        (lambda i, p, level: i, "array of booleans"),
        (lambda i, p, level: cut(i, p, level).T, "array of booleans"),
        (lambda i, p, level: [][1], "raised IndexError"),
        (True, "function itself"),
    ],
}


@pytest.mark.parametrize("number", REFERENCE)
def test_reference_passes(number):
    assert check(number, REFERENCE[number]).status == "correct"


@pytest.mark.parametrize("number", STUBS)
def test_stub_is_neutral(number):
    assert check(number, STUBS[number]).status == "not attempted"


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [(number, *case) for number, cases in WRONG.items() for case in cases],
)
def test_wrong_answers_get_the_hint_that_fits(number, answer, word):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


@pytest.mark.parametrize("number", WRONG)
def test_hints_differ(number):
    hints = {word: check(number, answer).text for answer, word in WRONG[number]}
    assert len(set(hints.values())) == len(hints)


def test_all_good_thresholds_of_the_row_pass_and_no_other():
    for low in (0.0, 0.04, 0.06, 0.2, 0.39, 0.41, 0.9):
        for high in (0.0, 0.1, 0.24, 0.26, 0.5, 0.64, 0.66, 0.96):
            good = 0.05 < low < 0.4 and 0.25 < high <= 0.65
            assert (check("05.2", (low, high)).status == "correct") == good, (low, high)


def test_images_given_by_reference_are_not_changed():
    row, ridge = PENCIL_ROW.copy(), PENCIL_RIDGE.copy()
    check("05.3", lambda image, p, level: image.fill(0) or image > 1)
    np.testing.assert_array_equal(PENCIL_ROW, row)
    np.testing.assert_array_equal(PENCIL_RIDGE, ridge)
