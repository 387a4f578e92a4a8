"""The explorer of the Morse complex, without a browser."""

from __future__ import annotations

import base64
import zlib
from types import SimpleNamespace

import films
import numpy as np
import pytest
from screens import file_of, hills, spoken, upload
from traitlets import TraitError

from toposeg_lite.topology import morse_complex
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import MorseExplorer
from toposeg_lite.workbook.explorers.morse import _MorseView

ROW = np.array([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])
RING = np.array(
    [
        [0.0, 0.9, 0.8, 0.7, 0.0, 0.0, 0.0],
        [0.0, 0.85, 0.1, 0.6, 0.0, 0.0, 0.0],
        [0.0, 0.75, 0.65, 0.55, 0.3, 0.5, 0.0],
    ]
)


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


def places(view):
    return view.frames.index, view.frames.level, view.frames.marked


def told(view, **place):
    """Tell the model where the hand rests, as the page does: all at once."""
    view.frames.set_state(place)


def test_the_page_moves_the_model_and_the_model_the_page():
    model = MorseExplorer(hills(), min_persistence=0.0)
    view = _MorseView(model)
    assert places(view) == (0, 0, 0)
    told(view, index=10, level=40, marked=2)
    assert (model.min_persistence, model.saddle_level, model.selected) == (0.1, 0.4, 2)
    assert spoken(view) == model.describe()
    assert view.words.brief == model.brief()
    film = view.frames.data
    model.saddle_level, model.min_persistence = 0.3, 0.05
    assert places(view) == (5, 30, 2)
    assert view.frames.data is film  # moves alone need no other film
    model.min_persistence = 0.123  # which is not on the slider
    assert view.frames.about["values"][places(view)[0]] == "0.12"
    assert view.frames.about["thresholds"][places(view)[0]] == 0.123
    assert view.frames.about["frames"] == 102


def test_the_film_holds_the_tree_and_the_branches():
    model = MorseExplorer(hills(), saddle_level=0.3)
    view = _MorseView(model)
    ridges = {
        name: films.numbers(view.frames, p) for name, p in view.frames.about["ridges"].items()
    }
    critical, tree = model.complex_.critical, model.complex_.tree
    np.testing.assert_array_equal(ridges["pixel"], tree.pixel)
    np.testing.assert_array_equal(ridges["parent"], tree.parent)
    for k in range(101):
        np.testing.assert_array_equal(k < ridges["lives"], critical.persistence > k / 100)
        np.testing.assert_array_equal(k < ridges["join"], tree.join > k / 100)
        np.testing.assert_array_equal(k < ridges["stands"], critical.value >= k / 100)
        np.testing.assert_array_equal(k < ridges["reaches"], tree.height >= k / 100)


@pytest.mark.parametrize("most", [1, 7, 60])
def test_a_shorter_film_holds_the_same_of_the_frames_that_are_left(most):
    model = MorseExplorer(hills(), min_persistence=0.12, saddle_level=0.3, selected=1)
    bundle = model.bundle(frames=most)
    data = zlib.decompress(base64.b64decode(bundle["data"]))
    short = SimpleNamespace(about=bundle["about"], data=data)
    about, critical = short.about, model.complex_.critical
    assert len(about["thresholds"]) == about["frames"] <= most
    assert about["values"][bundle["index"]] == "0.12"
    assert about["second"]["values"][bundle["level"]] == "0.30"
    lives = films.numbers(short, about["ridges"]["lives"])
    for k, threshold in enumerate(about["thresholds"]):
        np.testing.assert_array_equal(k < lives, critical.persistence > threshold)


def test_what_is_marked_is_let_go_if_the_page_simplifies_it_away():
    model = MorseExplorer(hills(), min_persistence=0.0)
    view = _MorseView(model)
    last = model.branch_count
    told(view, marked=last)
    assert model.selected == last
    told(view, index=20)
    assert model.selected == view.frames.marked == 0
    told(view, index=0, marked=last)  # both at once: it is there again
    assert (model.min_persistence, model.selected) == (0.0, last)


def test_every_control_has_a_label_and_the_readers_picture_is_taken():
    model = MorseExplorer(ROW, selected=1)
    view = _MorseView(model)
    assert all(control.description for control in view.controls.values())
    assert view.words.brief == view.model.brief()
    upload(view, file_of(np.arange(0, 240, 2, np.uint8).reshape(10, 12)))
    assert model.image.shape == (10, 12)
    assert model.complex_.shape == (10, 12)
    assert films.panel(view.frames)["shape"] == [10, 12]
    assert spoken(view) == model.describe()
    view.go_back()
    assert (model.image.shape, model.selected) == (ROW.shape, 1)


def test_a_flat_image_has_a_view():
    view = _MorseView(MorseExplorer(np.zeros((3, 4))))
    assert places(view) == (10, 0, 0)
    assert view.frames.about["ridges"]["persistence"]["length"] == 0
