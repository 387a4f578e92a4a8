"""The explorer to paint on, without a browser."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from screens import betti, drawn, file_of, painted, points_at, random_masks, spoken, upload
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


def names(trace):
    return {(int(y), int(x)): name for x, y, name in zip(trace.x, trace.y, trace.text, strict=True)}


def click(view, row, column):
    view.paint(view.image, points_at([row, column]), None)


def test_a_click_toggles_the_pixel_and_everything_follows():
    model = PaintExplorer(CUT_AND_MERGED, TRUTH)
    view = _PaintView(model)
    assert view.image._click_callbacks
    assert set(names(view.components).values()) == {"A", "B"}
    click(view, 1, 4)
    assert model.mask[1, 4]
    np.testing.assert_array_equal(painted(view.image), figures.mask_colours(model.mask, TRUTH))
    assert (view.chosen.x[0], view.chosen.y[0]) == (4, 1)
    assert set(names(view.components).values()) == {"A"}
    assert set(names(view.components)) == set(map(tuple, np.argwhere(model.mask).tolist()))
    assert "<td><b>1 ≠</b></td><td>2</td>" in view.table.value  # components
    assert spoken(view) == model.describe()
    view.paint(view.image, points_at(), None)
    click(view, 1, 4)
    np.testing.assert_array_equal(model.mask, CUT_AND_MERGED)


def test_an_empty_grid_has_lines_between_its_pixels():
    model = PaintExplorer(np.zeros((2, 3), bool))
    view = _PaintView(model)
    ends = np.stack([view.grid.x, view.grid.y], 1).reshape(-1, 3, 2)[:, :2].tolist()
    assert ends[:3] == [[[-0.5, k], [2.5, k]] for k in (-0.5, 0.5, 1.5)]
    assert ends[3:] == [[[k, -0.5], [k, 1.5]] for k in (-0.5, 0.5, 1.5, 2.5)]
    model.take(TRUTH)
    assert len(view.grid.x) == 3 * (6 + 10)


def test_holes_are_named_in_a_trace_of_their_own():
    view = _PaintView(PaintExplorer(SMALL))
    assert names(view.holes) == {(1, 1): "1"}
    view.controls["connectivity"].value = 1
    assert names(view.holes) == {}
    assert set(names(view.components).values()) == set("ABCDEF")


def test_buttons_and_sliders_paint_without_a_mouse():
    model = PaintExplorer(CUT_AND_MERGED, TRUTH)
    view = _PaintView(model)
    view.controls["row"].value, view.controls["column"].value = 2, 2
    assert model.pixel == (2, 2)
    assert (view.chosen.x[0], view.chosen.y[0]) == (2, 2)

    def press(name):
        view.press(SimpleNamespace(description=name))

    press("Flip this pixel")
    assert model.betti == (3, 0)
    press("Make it the truth")
    assert model.numbers["dice"] == 1
    assert "≠" not in view.table.value
    press("Empty")
    assert model.betti == (0, 0)
    assert names(view.components) == {}
    press("Back to the truth")
    assert model.betti == (3, 0)


def test_setting_the_model_moves_the_controls():
    model = PaintExplorer(TRUTH)
    view = _PaintView(model)
    model.connectivity, model.row, model.column = 1, 3, 5
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {"connectivity": 1, "row": 3, "column": 5}
    model.take(SMALL)
    assert (view.controls["row"].max, view.controls["column"].max) == (4, 4)
    assert painted(view.image).shape == (5, 5, 3)
    assert list(view.edge.x) == pytest.approx(figures.outline(SMALL)[0], nan_ok=True)


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
