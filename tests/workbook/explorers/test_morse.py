"""The explorer of the Morse complex, without a browser."""

from __future__ import annotations

import numpy as np
import pytest
from screens import file_of, hills, points_at, spoken, upload
from traitlets import TraitError

from toposeg_lite.topology import morse_complex
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import MorseExplorer, views
from toposeg_lite.workbook.explorers.morse import _MorseView

ROW = np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])
RING = np.array(
    [
        [0.0, 0.9, 0.8, 0.7, 0.0, 0.0, 0.0],
        [0.0, 0.85, 0.1, 0.6, 0.0, 0.0, 0.0],
        [0.0, 0.75, 0.65, 0.55, 0.3, 0.5, 0.0],
    ]
)


def pixels_of(x, y, shape):
    """Return the mask of the pixels that lines with gaps pass."""
    mask = np.zeros(shape, bool)
    x, y = np.asarray(x), np.asarray(y)
    drawn = ~np.isnan(x)
    mask[y[drawn].astype(int), x[drawn].astype(int)] = True
    return mask


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
    view.picker(group)(dots, points_at(place), None)
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
        view.pick_on_image(trace, points_at(k), None)
        assert model.selected == number
        assert trace._click_callbacks
    view.pick_on_image(view.gone, points_at(), None)
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
    assert view.words.brief == view.model.brief()
    upload(view, file_of(np.arange(0, 240, 2, np.uint8).reshape(10, 12)))
    assert model.image.shape == (10, 12)
    assert model.complex_.shape == (10, 12)
    assert spoken(view) == model.describe()


def test_of_very_many_branches_the_most_persistent_dots_are_drawn_and_the_text_says_so():
    model = MorseExplorer(np.random.default_rng(0).random((160, 160)), min_persistence=0.0)
    view = _MorseView(model)
    assert model.branch_count > views.MOST
    count = sum(len(trace.x) for trace in view.dots)
    assert count == views.MOST
    drawn = np.sort(np.concatenate([trace.x for trace in view.dots]))
    expected = np.sort(model.shown.persistence)[-count:]
    np.testing.assert_array_equal(drawn, expected.astype(np.float32))
    said = f"Of their {model.branch_count:,} dots the {views.MOST:,} most persistent are drawn."
    assert spoken(view).endswith(said)
    model.selected = model.branch_count  # one without a dot can be marked
    assert len(view.ring.x) == 1
    model.min_persistence = float(np.sort(model.shown.persistence)[-views.MOST])
    assert "are drawn" not in spoken(view)
