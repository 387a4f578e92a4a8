"""The explorer to paint on, without a browser."""

from __future__ import annotations

from types import SimpleNamespace

import films
import numpy as np
import pytest
from screens import betti, drawn, file_of, random_masks, spoken, upload
from traitlets import TraitError

from toposeg_lite import metrics
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import PaintExplorer
from toposeg_lite.workbook.explorers.painting import _PaintView

SMALL = drawn(".#... #.#.. .#..# ...## ##...")  # the example of the chapter
TRUTH = drawn("......... .#######. ......... .#######. .........")
CUT_AND_MERGED = drawn("......... .###.###. ..#...... .#######. .........")


# --- The model ---------------------------------------------------------------------------------


def test_numbers_follow_the_pixels():
    explorer = PaintExplorer(CUT_AND_MERGED, TRUTH)
    assert explorer.betti == (2, 0)
    explorer.toggle(1, 4)  # mend the cut
    assert explorer.betti == (1, 0)
    assert explorer.pixel == (1, 4)
    assert (explorer.numbers["betti_error"], explorer.numbers["betti_matching_error"]) == (1, 1)
    explorer.toggle(2, 2)
    assert explorer.numbers == metrics.report(TRUTH, TRUTH)
    explorer.toggle(2, 2)
    explorer.toggle(1, 4)
    np.testing.assert_array_equal(explorer.mask, CUT_AND_MERGED)


@pytest.mark.parametrize("connectivity", [1, 2])
def test_any_painting_is_counted_and_compared(connectivity):
    mask, truth = random_masks()
    explorer = PaintExplorer(mask, truth, connectivity=connectivity)
    for row, column in np.random.default_rng(1).integers(0, mask.shape, (12, 2)).tolist():
        before = explorer.mask
        explorer.toggle(row, column)
        assert np.argwhere(explorer.mask != before).tolist() == [[row, column]]
        assert explorer.betti == betti(explorer.mask, connectivity)
        expected = metrics.report(explorer.mask, truth, connectivity=connectivity)
        assert explorer.numbers == expected
    explorer.connectivity = 3 - connectivity
    assert explorer.betti == betti(explorer.mask, 3 - connectivity)


def test_the_arrays_given_are_not_painted_on():
    mask = TRUTH.copy()
    explorer = PaintExplorer(mask)
    explorer.toggle(0, 0)
    np.testing.assert_array_equal(mask, TRUTH)
    np.testing.assert_array_equal(explorer.truth, TRUTH)


def test_it_says_what_there_is_to_see():
    explorer = PaintExplorer(CUT_AND_MERGED, TRUTH, row=1, column=6)
    text = explorer.describe()
    assert "With 8 neighbours the painting has 2 components and 0 holes, the truth 2 comp" in text
    assert "; 2 of 45 pixels differ. Dice 0.929" in text
    assert "Betti error 0, Betti matching error 2," in text
    assert text.endswith("Row 1, column 6 is in component B.")
    ring = PaintExplorer(drawn("### #.# ###"), row=1, column=1)
    assert ring.describe().endswith("Row 1, column 1 is in hole 1.")
    ring.toggle(0, 1)
    assert "1 of 9 pixels differs." in ring.describe()
    assert ring.describe().endswith("Row 0, column 1 is background that reaches the border.")


def test_a_mask_of_another_size_comes_with_a_truth():
    explorer = PaintExplorer(TRUTH, row=4, column=8)
    explorer.take(SMALL)
    assert explorer.betti == (3, 1)
    np.testing.assert_array_equal(explorer.truth, SMALL)
    assert explorer.pixel == (4, 4)
    explorer.take(CUT_AND_MERGED, TRUTH)
    assert explorer.numbers["betti_matching_error"] == 2


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = PaintExplorer(CUT_AND_MERGED, TRUTH)
    for trait, value in (
        ("mask", SMALL),
        ("mask", TRUTH * 0.5),
        ("truth", SMALL),
        ("connectivity", 8),
        ("row", 5),
        ("column", -1),
    ):
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) is before
    for place in ((5, 0), (0, 9), (-1, 0)):
        with pytest.raises(ValueError, match="must be"):
            explorer.toggle(*place)
    with pytest.raises(TypeError, match="row must be an integer"):
        explorer.toggle(0.5, 0)
    with pytest.raises(ValueError, match="at most 32"):
        explorer.take(np.zeros((40, 40), bool))
    assert explorer.describe() == PaintExplorer(CUT_AND_MERGED, TRUTH).describe()


def test_the_picture_is_the_static_twin():
    explorer = PaintExplorer(SMALL, connectivity=1)
    left, right = explorer.picture().axes
    assert left.get_title() == "6 components, 0 holes"
    np.testing.assert_array_equal(
        left.images[0].get_array(), figures.mask_colours(SMALL, explorer.truth)
    )
    assert right.get_title() == "what the metrics say"


# --- The view ----------------------------------------------------------------------------------


def painted_on(view):
    """Return the mask and the truth that the page has."""
    panel = films.panel(view.frames, "paint")
    return [films.numbers(view.frames, panel[name]).reshape(panel["shape"]) > 0
            for name in ("mask", "truth")]  # fmt: skip


def stroke(view, mask, row, column):
    """Do as the page after a stroke: tell the whole mask, and where the hand was last."""
    places = np.flatnonzero(mask).tolist()
    number = view.frames.stroke + 1
    view.frames.set_state({"painted": places, "stroke": number, "pixel": [row, column]})


def test_a_stroke_paints_and_everything_follows():
    model = PaintExplorer(CUT_AND_MERGED, TRUTH)
    view = _PaintView(model)
    mask = CUT_AND_MERGED.copy()
    mask[1, 4] = True
    stroke(view, mask, 1, 4)
    np.testing.assert_array_equal(model.mask, mask)
    assert model.pixel == (1, 4)
    assert "<td><b>1 ≠</b></td><td>2</td>" in view.table.value  # components
    assert spoken(view) == model.describe()
    on_page, truth = painted_on(view)
    np.testing.assert_array_equal(on_page, mask)
    np.testing.assert_array_equal(truth, TRUTH)
    assert view.frames.about["stroke"] == 1  # the page knows which strokes were heard
    stroke(view, CUT_AND_MERGED, 1, 4)
    np.testing.assert_array_equal(model.mask, CUT_AND_MERGED)
    assert view.frames.about["stroke"] == 2
    palette = films.panel(view.frames, "paint")["palette"]
    colours = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in palette])
    mask, truth = painted_on(view)
    wanted = figures.mask_colours(model.mask, TRUTH)
    np.testing.assert_array_equal(colours[2 * mask + truth], wanted)


def test_a_stroke_on_a_mask_that_is_no_longer_there_is_let_go():
    model = PaintExplorer(TRUTH)
    view = _PaintView(model)
    model.take(SMALL)
    view.frames.set_state({"painted": [10**6], "stroke": 1})
    np.testing.assert_array_equal(model.mask, SMALL)


def test_the_page_knows_what_hangs_together():
    view = _PaintView(PaintExplorer(SMALL))
    assert view.frames.about["connectivity"] == 2
    view.controls["connectivity"].value = 1
    assert view.frames.about["connectivity"] == 1


# --- Challenges ---------------------------------------------------------------------------------

ARMS = drawn("###.. #...# ###..")  # an open ring and a dot


def test_a_challenge_counts_tries_and_says_solved():
    model = PaintExplorer(CUT_AND_MERGED, TRUTH)
    view = _PaintView(model)
    assert (model.standing(), view.frames.story) == ("", "")
    view.controls["challenge"].value = "which pixel would you mend?"
    assert view.frames.story.endswith("Try it.")
    assert (model.tries, model.solved) == (0, False)
    model.toggle(0, 0)
    assert view.frames.story.endswith("1 try so far: not yet.")
    model.toggle(0, 0)
    assert view.frames.story.endswith("2 tries so far: not yet.")
    model.paint(CUT_AND_MERGED, 3, 3)  # nothing has changed: no try
    assert model.tries == 2
    model.row = 2  # no try, either
    stroke(view, TRUTH, 1, 4)
    assert model.tries == 3
    assert model.solved
    assert view.frames.story.startswith("Solved with 3 tries! ")
    model.toggle(0, 0)  # what comes later changes nothing
    assert view.frames.story.startswith("Solved with 3 tries! ")
    model.challenge = "8 is not 4"
    assert (model.tries, model.solved) == (0, False)
    view.go_back()
    assert view.frames.story == ""
    assert model.challenge == "paint freely"


def solves(challenge, mask, truth, *pixels, connectivity=2):
    model = PaintExplorer(mask, truth, connectivity=connectivity)
    model.challenge = challenge
    for pixel in pixels:
        model.toggle(*pixel)
    return model.solved


def test_what_solves_the_challenges():
    both = "both counts with one pixel"
    assert solves(both, ARMS, ARMS, (1, 3))  # closes the ring, and joins the dot on its right
    closed = ARMS.copy()
    closed[1, 3] = True
    assert betti(ARMS, 2) == (2, 0)
    assert betti(closed, 2) == (1, 1)
    assert solves(both, closed, closed, (1, 3))
    assert not solves(both, ARMS, ARMS, (1, 4))  # a component alone
    ring = drawn("### #.. ###")
    assert not solves(both, ring, ring, (1, 2))  # a hole alone
    model = PaintExplorer(ARMS)
    model.challenge = both
    model.paint(closed ^ (np.arange(15).reshape(3, 5) == 6), 0, 0)  # two pixels at once
    assert not model.solved

    corner = np.array([[1, 0], [0, 0]], bool)
    assert solves("8 is not 4", corner, corner, (1, 1))
    assert not solves("8 is not 4", corner, corner, (0, 1))
    assert not solves("8 is not 4", np.ones((2, 2)), np.ones((2, 2)), (1, 1))

    counts = "equal counts, wrong parts"
    assert solves(counts, CUT_AND_MERGED, TRUTH) is False  # nothing was tried
    truth = np.hstack([closed, np.zeros((3, 1), bool), ARMS])
    assert not solves(counts, truth, truth, (1, 3))
    assert solves(counts, truth, truth, (1, 3), (1, 9))


def test_buttons_and_sliders_paint_without_a_mouse():
    model = PaintExplorer(CUT_AND_MERGED, TRUTH)
    view = _PaintView(model)
    view.controls["row"].value, view.controls["column"].value = 2, 2
    assert model.pixel == (2, 2)
    assert view.frames.pixel == [2, 2]

    def press(name):
        view.press(SimpleNamespace(description=name))

    press("Flip this pixel")
    assert model.betti == (3, 0)
    press("Make it the truth")
    assert model.numbers["dice"] == 1
    assert "≠" not in view.table.value
    press("Empty")
    assert model.betti == (0, 0)
    assert not painted_on(view)[0].any()
    press("Back to the truth")
    assert model.betti == (3, 0)


def test_setting_the_model_moves_the_controls():
    model = PaintExplorer(TRUTH)
    view = _PaintView(model)
    model.connectivity, model.row, model.column = 1, 3, 5
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"challenge": "paint freely", "connectivity": 1, "row": 3, "column": 5}
    assert view.frames.pixel == [3, 5]
    model.take(SMALL)
    assert (view.controls["row"].max, view.controls["column"].max) == (4, 4)
    assert painted_on(view)[0].shape == (5, 5)
    edge = films.numbers(view.frames, films.panel(view.frames, "paint")["lines"][0]["xy"])
    np.testing.assert_array_equal(edge.reshape(-1, 2)[:, 0], figures.outline(SMALL)[0])


def test_every_control_has_a_label():
    view = _PaintView(PaintExplorer(TRUTH))
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert view.words.brief == view.model.brief()
    assert view.table.value.count('scope="row"') == 9


def test_the_readers_own_picture_is_taken_or_refused_in_words():
    grey = np.zeros((60, 90), np.uint8)
    grey[20:40, 15:75] = 250
    file = file_of(grey)
    model = PaintExplorer(TRUTH)
    view = _PaintView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.mask.shape == TRUTH.shape
    upload(view, file)
    assert model.mask.shape == (16, 24)
    assert model.betti == (1, 0)
    view.dark.value = True
    upload(view, file)
    assert model.betti == (1, 1)
