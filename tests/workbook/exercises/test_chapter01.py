"""Chapter 01 without a browser: figures of masks, the explorer to paint on, and the checkers."""

from __future__ import annotations

import base64
import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage.measure import euler_number, label
from traitlets import TraitError

from toposeg_lite import explorers, figures, metrics
from toposeg_lite.exercises import PENCIL_SPACE, check
from toposeg_lite.explorers import PaintExplorer
from toposeg_lite.explorers.painting import _PaintView


def drawn(picture):
    """Turn rows of # and other signs into a mask."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


SMALL = drawn(".#... #.#.. .#..# ...## ##...")  # the example of the chapter
TRUTH = drawn("......... .#######. ......... .#######. .........")
CUT_AND_MERGED = drawn("......... .###.###. ..#...... .#######. .........")


def betti(mask, connectivity):
    """Components by scikit-image's labels, holes by its Euler number."""
    world = np.pad(mask, 1)
    components = int(label(world, connectivity=connectivity).max())
    return components, components - int(euler_number(world, connectivity=connectivity))


def random_masks(shape=(13, 19), seed=0):
    return np.random.default_rng(seed).random((2, *shape)) < 0.5


# --- Figures ----------------------------------------------------------------------------------


def test_parts_by_hand():
    assert figures.numbered_parts(SMALL).tolist() == [
        [0, 1, 0, 0, 0],
        [1, -1, 1, 0, 0],
        [0, 1, 0, 0, 2],
        [0, 0, 0, 2, 2],
        [3, 3, 0, 0, 0],
    ]
    assert figures.numbered_parts(SMALL, connectivity=1).tolist() == [
        [0, 1, 0, 0, 0],
        [2, 0, 3, 0, 0],
        [0, 4, 0, 0, 5],
        [0, 0, 0, 5, 5],
        [6, 6, 0, 0, 0],
    ]
    assert not figures.numbered_parts(np.zeros((2, 3), bool)).any()


@pytest.mark.parametrize("connectivity", [1, 2])
def test_parts_are_as_many_as_the_betti_numbers_and_each_is_connected(connectivity):
    for seed in range(5):
        mask = random_masks(seed=seed)[0]
        parts = figures.numbered_parts(mask, connectivity=connectivity)
        assert (parts.max(), -parts.min()) == betti(mask, connectivity)
        assert ((parts > 0) == mask).all()
        border = np.ones(mask.shape, bool)
        border[1:-1, 1:-1] = False
        assert not (parts[border] < 0).any()
        for number in np.unique(parts[parts != 0]):
            own = connectivity if number > 0 else 3 - connectivity
            assert label(parts == number, connectivity=own).max() == 1


def test_parts_have_names():
    names = [figures.part_name(k) for k in (1, 26, 27, 52, 53, -1, -12, 0)]
    assert names == ["A", "Z", "AA", "ZZ", "AAA", "1", "12", ""]


def test_mask_parts_writes_each_name_into_its_pixel():
    ax = figures.mask_parts(SMALL, pixel=(2, 4))
    found = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts
    }
    parts = figures.numbered_parts(SMALL)
    assert found == {
        tuple(map(int, p)): figures.part_name(int(parts[tuple(p)])) for p in np.argwhere(parts)
    }
    assert found[1, 1] == "1"
    assert ax.get_title() == "3 components, 1 hole"
    box = ax.lines[-1].get_xydata()
    assert (box.min(0).tolist(), box.max(0).tolist()) == ([3.5, 1.5], [4.5, 2.5])
    low, high = ax.get_ylim()
    assert low > high  # row 0 is at the top
    assert figures.mask_parts(SMALL, connectivity=1).get_title() == "6 components, 0 holes"


def test_mask_parts_compares_with_the_truth():
    ax = figures.mask_parts(CUT_AND_MERGED, TRUTH, title="two mistakes")
    expected = figures.mask_colours(CUT_AND_MERGED, TRUTH)
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    assert ax.get_title() == "two mistakes"
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[:4] == ["right", "false", "missing", "outline of the truth"]
    assert figures.mask_parts(TRUTH, TRUTH, legend=False).get_legend() is None


def test_metric_rows_tell_what_each_metric_sees():
    rows = figures.metric_rows(metrics.report(CUT_AND_MERGED, TRUTH))
    seen = {name: (value, differs) for name, value, _, differs in rows}
    assert seen["Betti error"] == ("0", False)
    assert seen["Betti matching error"] == ("2", True)
    assert seen["Dice"] == (f"{26 / 28:.3f}", True)
    assert len(rows) == 7
    perfect = figures.metric_rows(metrics.report(TRUTH, TRUTH))
    assert not any(differs for *_, differs in perfect)
    assert all(float(value) == float(wanted) for _, value, wanted, _ in perfect)


def test_the_summary_shows_counts_and_metrics():
    left, right = figures.painting_summary(CUT_AND_MERGED, TRUTH, pixel=(1, 4)).axes
    assert left.get_title() == "2 components, 0 holes"
    words = [text.get_text() for text in right.texts]
    assert words[words.index("Betti matching error") + 1 :][:3] == ["2", "≠", "0"]
    assert words[words.index("Betti error") + 1 :][:3] == ["0", "", "0"]
    assert words[words.index("components") + 1 :][:3] == ["2", "", "2"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((np.zeros((33, 2), bool),), {}, ValueError, "mask must have at most 32 pixels a side"),
        ((TRUTH, TRUTH[:3]), {}, ValueError, "same shape"),
        ((TRUTH, TRUTH * 0.5), {}, ValueError, "truth must hold only 0 and 1"),
        ((TRUTH,), {"pixel": (5, 0)}, ValueError, "pixel must lie in an image of shape"),
        ((TRUTH,), {"connectivity": 8}, ValueError, "connectivity"),
    ],
)
def test_bad_masks_are_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        figures.mask_parts(*arguments, **options)


# --- The model --------------------------------------------------------------------------------


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


# --- The view ---------------------------------------------------------------------------------


def painted(trace):
    content = base64.b64decode(trace.source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


def names(trace):
    return {(int(y), int(x)): name for x, y, name in zip(trace.x, trace.y, trace.text, strict=True)}


def click(view, row, column):
    view.paint(view.image, SimpleNamespace(point_inds=[[row, column]]), None)


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
    view.paint(view.image, SimpleNamespace(point_inds=[]), None)
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
    assert 'role="status"' in view.text.value
    assert view.table.value.count('scope="row"') == 9


def upload(view, content, name="mine.png"):
    view.take_upload(SimpleNamespace(new=({"name": name, "content": memoryview(content)},)))


def test_the_readers_own_picture_is_taken_or_refused_in_words():
    file = io.BytesIO()
    grey = np.zeros((60, 90), np.uint8)
    grey[20:40, 15:75] = 250
    Image.fromarray(grey).save(file, "PNG")
    model = PaintExplorer(TRUTH)
    view = _PaintView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.mask.shape == TRUTH.shape
    upload(view, file.getvalue())
    assert model.mask.shape == (16, 24)
    assert model.betti == (1, 0)
    view.dark.value = True
    upload(view, file.getvalue())
    assert model.betti == (1, 1)


def test_show_stores_widget_picture_and_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    explorer = PaintExplorer(CUT_AND_MERGED, TRUTH)
    explorers.show(explorer)
    data, metadata = shown[0]._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert data["text/plain"] == metadata["image/png"]["alt"] == explorer.describe()


# --- The checkers -----------------------------------------------------------------------------


def plates(*holes):
    """Return plates with one hole each, in a rim of background."""
    masks = np.pad(np.ones((len(holes), 7, 9), bool), ((0, 0), (1, 1), (1, 1)))
    for mask, hole in zip(masks, holes, strict=True):
        mask[hole] = False
    return list(masks)


def patches(measure, combine=np.mean, whole=False, connectivity=2):
    """Make an answer to 01.3: measure the differences of all patches, and combine them."""

    def answer(prediction, truth, patch):
        found = []
        for row in range(0, truth.shape[0], patch):
            for column in range(0, truth.shape[1], patch):
                window = np.s_[row : row + patch, column : column + patch]
                if not whole or truth[window].shape == (patch, patch):
                    ours, theirs = (betti(m[window], connectivity) for m in (prediction, truth))
                    found.append(measure(np.subtract(ours, theirs)))
        return combine(found)

    return answer


def total(difference):
    return np.abs(difference).sum()


def whole_image(prediction, truth, patch):
    return total(np.subtract(betti(prediction, 2), betti(truth, 2)))


def labelled(foreground, background, rim=1):
    """Count `PENCIL_SPACE` with any two connectivities."""
    outside = label(~np.pad(PENCIL_SPACE, rim), connectivity=background).max() - rim
    return int(label(PENCIL_SPACE, connectivity=foreground).max()), int(outside)


BLOB = np.pad(np.ones((3, 3), bool), ((3, 3), (2, 10)))
NEAR, ELSEWHERE = np.roll(BLOB, 1, 1), np.roll(BLOB, 7, 1)
REFERENCE = {
    "01.1": ((3, 3), (6, 1)),
    "01.2": plates((5, 7), (3, 3)),
    "01.3": patches(total),
}
STUBS = {"01.1": None, "01.2": None, "01.3": lambda prediction, truth, patch: None}
WRONG = {
    "01.1": [
        ((labelled(2, 2), labelled(1, 1)), "same neighbours as the foreground"),
        ((labelled(2, 1, 0), labelled(1, 2, 0)), "cannot reach the outside"),
        (((6, 1), (3, 3)), "exchanged"),
        (((3, 3), (1, 6)), "Components come first"),
        (((3, 3), (3, 3)), "step over a corner is no step"),
        (((3, 2), (6, 1)), "3 of your four numbers are right"),
        (((3, 3), (6, 1), (0, 0)), "two pairs"),
        ((3, 3), "two pairs"),
        (7, "two pairs"),
    ],
    "01.2": [
        (plates((3, 3), (3, 3)), "equal"),
        ((TRUTH, CUT_AND_MERGED | TRUTH), "Betti numbers (2, 0), the truth (1, 0)"),
        ((NEAR, BLOB), "wrong by degree only"),
        ((ELSEWHERE, BLOB), "Dice is 0.000 and should be .9"),
        ((TRUTH, TRUTH[:3]), "same shape"),
        (([[1, 2]], [[0, 1]]), "only 0 and 1"),
        ((TRUTH,), "two masks"),
        (5, "two masks"),
    ],
    "01.3": [
        (whole_image, "whole image"),
        (patches(total, np.sum), "take their mean"),
        (patches(total, whole=True), "narrower patches"),
        (patches(np.array, lambda found: total(np.mean(found, axis=0))), "absolute value of the"),
        (patches(lambda d: abs(d[0] - d[1])), "Euler numbers"),
        (patches(total, connectivity=1), "4 neighbours"),
        (patches(total, np.max), "you found"),
        (lambda prediction, truth, patch: "0.5", "Return one number"),
        (lambda prediction, truth: 0.0, "raised TypeError"),
        (0.25, "function itself"),
    ],
}


@pytest.mark.parametrize("number", REFERENCE)
def test_reference_passes_and_stub_is_neutral(number):
    assert check(number, REFERENCE[number]).status == "correct"
    assert check(number, STUBS[number]).status == "not attempted"


@pytest.mark.parametrize(
    ("number", "answer", "word"),
    [(number, *case) for number, cases in WRONG.items() for case in cases],
)
def test_wrong_answers_get_the_hint_that_fits(number, answer, word):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert word in verdict.text


def test_answers_of_other_kinds_are_taken():
    assert check("01.1", [[3, 3], np.array([6, 1])]).status == "correct"
    assert check("01.2", [mask.astype(int).tolist() for mask in REFERENCE["01.2"]]).status == (
        "correct"
    )
    exchanged = check("01.1", ((3, 3)[::-1], (6, 1)[::-1]))
    assert "Components come first" in exchanged.text


def test_masks_given_by_reference_are_not_changed():
    def spoiled(prediction, truth, patch):
        error = REFERENCE["01.3"](prediction, truth, patch)
        prediction[:] = truth[:] = False
        return error

    assert check("01.3", spoiled).status == "correct"
