"""Chapter 04 without a browser: figures of warps, their explorer, and the checkers."""

from __future__ import annotations

import base64
import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from skimage.measure import euler_number, label
from traitlets import TraitError

from toposeg_lite import explorers, figures
from toposeg_lite.exercises import PENCIL_MASK, check, checking
from toposeg_lite.explorers import WarpExplorer
from toposeg_lite.explorers.warping import _WarpView
from toposeg_lite.topology import homotopy_warp, simple_points


def drawn(picture):
    """Turn rows of # and other signs into a mask."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


# The example of the chapter: two pieces of a line, too thick, and the line with a far dot.
MASK = drawn("##... ##.#. ##.#. ..... .....")
TARGET = drawn("..... ##### ..... ..... ....#")


def betti(mask, connectivity):
    """Components by scikit-image's labels, holes by its Euler number."""
    world = np.pad(mask, 1)
    components = int(label(world, connectivity=connectivity).max())
    return components, components - int(euler_number(world, connectivity=connectivity))


def neighbourhoods():
    """Yield all 512 masks of 3x3 pixels."""
    for code in range(512):
        yield np.array([code >> bit & 1 for bit in range(9)], bool).reshape(3, 3)


def random_masks(shape=(17, 23), seed=0):
    return np.random.default_rng(seed).random((2, *shape)) < 0.5


def points(ax, marker):
    """Return the sorted (column, row) points that a marker draws, without those of the legend."""
    found = [line.get_xydata() for line in ax.lines if line.get_marker() == marker]
    return sorted((float(x), float(y)) for part in found for x, y in part)


# --- Figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("connectivity", [1, 2])
def test_the_numbered_components_decide_all_neighbourhoods(connectivity):
    """One component of each kind, if and only if the flip keeps the Betti numbers."""
    for mask in neighbourhoods():
        numbers = figures.components_around(mask, (1, 1), connectivity=connectivity)
        flipped = mask.copy()
        flipped[1, 1] ^= True
        kept = betti(mask, connectivity) == betti(flipped, connectivity)
        assert ((numbers.max(), numbers.min()) == (1, -1)) == kept
        assert figures.verdict(mask, (1, 1), connectivity=connectivity).startswith(
            "Simple" if kept else "Not simple"
        )
        assert not numbers[1, 1]
        assert mask[numbers > 0].all()
        assert not mask[numbers < 0].any()


def test_components_by_hand():
    bend = drawn(".## #.. #..")  # a background cell in the corner that touches the pixel not
    assert figures.components_around(bend, (1, 1)).tolist() == [[0, 1, 1], [1, 0, -1], [1, -1, -1]]
    assert figures.components_around(bend, (1, 1), connectivity=1).tolist() == [
        [-1, 1, 1],
        [2, 0, -2],
        [2, -2, -2],
    ]
    # At the corner of the image, five cells lie outside: they are background.
    numbers = figures.components_around(np.ones((3, 3), bool), (2, 2))
    assert numbers.tolist() == [[1, 1, -1], [1, 0, -1], [-1, -1, -1]]


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("##. #.. ...", "Simple: 1 foreground and 1 background component touch it."),
        ("#.. #.. ..#", "2 foreground and 2 background components touch it; adding it joins parts"),
        (
            "... ### ...",
            "2 foreground and 2 background components touch it; removing it parts what",
        ),
        (
            "### #.# ###",
            "1 foreground and 0 background components touch it; adding it fills a hole",
        ),
        ("### ### ###", "1 foreground and 0 background components touch it; removing it opens a"),
        (
            "... ... ...",
            "0 foreground and 1 background components touch it; adding it makes a comp",
        ),
        ("... .#. ...", "0 foreground and 1 background components touch it; removing it deletes a"),
        (
            "### #.# ##.",
            "1 foreground and 0 background components touch it; adding it fills a hole",
        ),
    ],
)
def test_verdicts_name_what_a_flip_does(picture, sentence):
    assert sentence in figures.verdict(drawn(picture), (1, 1))


def test_links_step_over_corners_only_where_the_connectivity_allows_it():
    corner = drawn(".#. #.. ...")
    numbers = figures.components_around(corner, (1, 1))
    links = figures.links_around(numbers, 2)
    assert [(0, 1), (1, 0)] in links
    assert all(np.abs(np.subtract(*link)).sum() == 1 for link in links if numbers[link[0]] < 0)
    four = figures.components_around(corner, (1, 1), connectivity=1)
    links = figures.links_around(four, 1)
    assert not any(four[link[0]] > 0 for link in links)
    assert [(0, 2), (1, 2)] in links


def test_every_pixel_has_the_colour_of_its_kind():
    colours = figures.mask_colours([[0, 0, 1, 1]], [[0, 1, 0, 1]])
    names = [to_hex(colour / 255).upper() for colour in colours[0]]
    assert names == ["#FFFFFF", figures.RAISED, figures.LOWERED, figures.SUPERLEVEL]


def test_cells_outside_the_image_are_grey():
    colours = figures.cells_around(np.ones((2, 2), bool), (0, 0))
    grey = (colours == 0xBB).all(-1)
    assert grey.tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    middle = figures.cells_around(np.ones((3, 3), bool), (1, 1))
    assert not (middle == 0xBB).all(-1).any()


def test_warp_masks_marks_critical_pixels_and_the_chosen_one():
    critical = homotopy_warp(MASK, TARGET).critical
    ax = figures.warp_masks(MASK, TARGET, critical=critical, pixel=(2, 3), title="five")
    np.testing.assert_array_equal(ax.images[0].get_array(), figures.mask_colours(MASK, TARGET))
    assert points(ax, "X") == [(2.0, 1.0), (4.0, 4.0)]
    assert points(ax, "s") == [(3.0, 2.0)]
    assert ax.get_title() == "five"
    low, high = ax.get_ylim()
    assert low > high  # row 0 is at the top


def test_neighbourhood_draws_letters_numbers_and_the_verdict():
    ax = figures.neighbourhood(MASK, (1, 2))
    found = {tuple(map(round, text.get_position())): text.get_text() for text in ax.texts}
    assert found[1, 1] == "p"
    assert {found[0, k] for k in range(3)} == {"A"}
    assert found[2, 1] == found[2, 2] == "B"
    assert found[1, 0] == found[2, 0] == "1"
    assert found[1, 2] == "2"
    assert ax.get_title() == "row 1, column 2: not simple"
    assert figures.neighbourhood(MASK, (0, 0)).get_title() == "row 0, column 0: simple"


# --- The model --------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["mask to target", "target to mask"])
@pytest.mark.parametrize("connectivity", [1, 2])
def test_every_step_keeps_the_topology_and_takes_one_difference_away(connectivity, direction):
    image, target = random_masks()
    explorer = WarpExplorer(image, target, connectivity=connectivity, direction=direction)
    start, goal = (image, target) if direction == "mask to target" else (target, image)
    before = betti(start, connectivity)
    assert len(explorer.order) > 50
    for step in range(0, len(explorer.order) + 1, 7):
        explorer.step = step
        assert betti(explorer.now, connectivity) == before
        assert (explorer.now != goal).sum() == (start != goal).sum() - step
    explorer.step = len(explorer.order)
    warped, critical = homotopy_warp(start, goal, connectivity=connectivity)
    np.testing.assert_array_equal(explorer.now, warped)
    np.testing.assert_array_equal(explorer.critical, critical)


def test_the_example_of_the_chapter():
    explorer = WarpExplorer(MASK, TARGET)
    assert explorer.order.tolist() == [0, 1, 9, 10, 11, 13]
    assert explorer.pixel == (1, 2)  # the first critical pixel
    text = explorer.describe()
    assert (
        "after 0 of 6 flips, with 8 neighbours: 8 pixels still differ, and 2 are critical" in text
    )
    assert "Row 1, column 2 is background. Not simple: 2 foreground and 2 background" in text
    explorer.step, explorer.row, explorer.column = 6, 1, 3
    text = explorer.describe()
    assert "after 6 of 6 flips, with 8 neighbours: 2 pixels still differ" in text
    assert "Row 1, column 3 is foreground. Simple" in text


def test_another_threshold_brings_another_mask_and_order():
    image = np.array([[0.9, 0.9, 0.3, 0.6, 0.9]])
    explorer = WarpExplorer(image, np.ones((1, 5), bool))
    assert explorer.critical.sum() == 1
    explorer.step = len(explorer.order)
    explorer.threshold = 0.3  # a pixel at the threshold is in
    assert explorer.start.all()
    assert len(explorer.order) == explorer.step == 0
    assert "The mask at or above 0.30 has 1 component" in explorer.describe()


def test_connectivity_changes_the_answer():
    mask, target = drawn("##... ..###"), drawn("###.. ..###")
    assert not WarpExplorer(mask, target).critical.any()
    assert WarpExplorer(mask, target, connectivity=1).critical.sum() == 1


def test_an_image_of_another_size_comes_with_a_target():
    explorer = WarpExplorer(MASK, TARGET, step=3, row=4, column=4)
    image = np.array([[0.9, 0.2, 0.7], [0.1, 0.6, 0.1]])
    explorer.take(image)
    np.testing.assert_array_equal(explorer.target, image >= 0.5)
    assert (explorer.step, len(explorer.order), explorer.pixel) == (0, 0, (1, 2))
    explorer.threshold = 0.65
    assert explorer.critical.tolist() == [[False] * 3, [False, True, False]]
    explorer.take(MASK, TARGET)
    assert explorer.order.tolist() == [0, 1, 9, 10, 11, 13]


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = WarpExplorer(MASK, TARGET, step=2)
    for trait, value in (
        ("image", MASK[:4]),
        ("target", TARGET[:, :4]),
        ("target", TARGET * 0.5),
        ("threshold", 2.0),
        ("connectivity", 8),
        ("direction", "there"),
        ("step", 7),
        ("step", -1),
        ("row", 5),
        ("column", -1),
    ):
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) is before
    with pytest.raises(ValueError, match="image and target must have the same shape"):
        explorer.take(MASK, TARGET[:3])
    assert explorer.describe() == WarpExplorer(MASK, TARGET, step=2).describe()


def test_the_picture_is_the_static_twin():
    explorer = WarpExplorer(MASK, TARGET, step=2)
    left, right = explorer.picture().axes
    np.testing.assert_array_equal(
        left.images[0].get_array(), figures.mask_colours(explorer.now, TARGET)
    )
    assert left.get_title() == "mask to target: 2 of 6 flips"
    assert right.get_title() == "row 1, column 2: not simple"
    assert points(left, "X") == [(2.0, 1.0), (4.0, 4.0)]


# --- The view ---------------------------------------------------------------------------------


def painted(trace):
    content = base64.b64decode(trace.source.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


def test_moving_the_flips_moves_picture_and_text():
    image, target = random_masks()
    model = WarpExplorer(image, target)
    view = _WarpView(model)
    assert view.controls["step"].max == view.player.max == len(model.order)
    view.controls["step"].value = 40
    assert model.step == 40
    assert view.player.value == 40  # playing goes on from here
    np.testing.assert_array_equal(painted(view.image), figures.mask_colours(model.now, target))
    rows, columns = np.nonzero(model.critical)
    assert list(view.crosses.y) == rows.tolist()
    assert list(view.crosses.x) == columns.tolist()
    assert spoken(view) == model.describe()


def test_setting_the_model_moves_the_controls():
    model = WarpExplorer(*random_masks())
    view = _WarpView(model)
    model.direction, model.connectivity, model.threshold = "target to mask", 1, 0.3
    model.step, model.row, model.column = 5, 3, 9
    values = {name: control.value for name, control in view.controls.items()}
    assert values == {
        "step": 5, "direction": "target to mask", "threshold": 0.3, "connectivity": 1,
        "row": 3, "column": 9,
    }  # fmt: skip
    assert view.controls["step"].max == len(model.order)
    np.testing.assert_array_equal(painted(view.image), figures.mask_colours(model.now, model.goal))
    assert list(view.edge.x) == pytest.approx(figures.outline(model.goal)[0], nan_ok=True)


def test_a_click_chooses_the_pixel_and_shows_its_neighbourhood():
    model = WarpExplorer(MASK, TARGET)
    view = _WarpView(model)
    assert view.image._click_callbacks
    view.choose(view.image, SimpleNamespace(point_inds=[[2, 1]]), None)
    assert model.pixel == (2, 1)
    assert (view.chosen.x[0], view.chosen.y[0]) == (1, 2)
    np.testing.assert_array_equal(painted(view.cells), figures.cells_around(MASK, (2, 1)))
    numbers = figures.components_around(MASK, (2, 1))
    for trace, some in ((view.foreground, numbers > 0), (view.background, numbers < 0)):
        shown = {(int(y), int(x)) for x, y in zip(trace.x, trace.y, strict=True)}
        assert shown == set(map(tuple, np.argwhere(some).tolist()))
        assert len(trace.text) == some.sum()
    assert set(view.foreground.text) == {"A"}
    assert view.figure.layout.annotations[1].text == "row 2, column 1: simple"
    assert "Row 2, column 1 is foreground. Simple" in spoken(view)
    view.choose(view.image, SimpleNamespace(point_inds=[]), None)
    assert model.pixel == (2, 1)


def test_two_components_have_two_letters():
    view = _WarpView(WarpExplorer(MASK, TARGET))
    assert list(view.foreground.text) == ["A", "A", "B", "A", "B"]
    assert list(view.background.text) == ["1", "1", "2"]
    assert np.isnan(view.inner.x[2])  # a line ends before the next begins


def test_every_control_has_a_label():
    view = _WarpView(WarpExplorer(MASK, TARGET))
    assert all(control.description for control in view.controls.values())
    assert view.upload.description
    assert 'role="status"' in view.text.value


def upload(view, content, name="mine.png"):
    view.take_upload(SimpleNamespace(new=({"name": name, "content": memoryview(content)},)))


def test_the_readers_own_picture_is_taken_or_refused_in_words():
    file = io.BytesIO()
    Image.fromarray(np.arange(0, 240, 2, np.uint8).reshape(10, 12)).save(file, "PNG")
    model = WarpExplorer(MASK, TARGET, step=4)
    view = _WarpView(model)
    upload(view, b"no picture", "notes.txt")
    assert "notes.txt was not taken: the file is no picture" in spoken(view)
    assert model.image.shape == MASK.shape
    upload(view, file.getvalue())
    assert model.image.shape == (10, 12)
    assert painted(view.image).shape == (10, 12, 3)
    assert (view.controls["row"].max, view.controls["column"].max) == (9, 11)
    view.controls["threshold"].value = 0.8
    assert len(model.order) > 0


def test_show_stores_widget_picture_and_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    explorer = WarpExplorer(MASK, TARGET)
    explorers.show(explorer)
    data, metadata = shown[0]._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert data["text/plain"] == metadata["image/png"]["alt"] == explorer.describe()


# --- The checkers -----------------------------------------------------------------------------

BAR = [[1] * 5] * 2


def places(mask):
    return np.argwhere(mask).tolist()


def keeps(patch):
    """Whether removing the middle keeps the Betti numbers: by labels, not by counting."""
    without = patch.copy()
    without[1, 1] = False
    return betti(patch, 2) == betti(without, 2)


def wrong_corners():
    """Simple pixels where the background steps over corners, too, as `rule` in the chapter."""
    found = []
    for row, column in places(PENCIL_MASK):
        cells = np.pad(PENCIL_MASK, 1)[row : row + 3, column : column + 3].copy()
        cells[1, 1] = False
        outside = ~cells
        outside[1, 1] = False
        if label(cells, connectivity=2).max() == 1 == label(outside, connectivity=2).max():
            found.append([row, column])
    return found


SIMPLE = simple_points(PENCIL_MASK)
REFERENCE = {
    "04.1": [(0, 0), (0, 3), (2, 0), (3, 3), (3, 5), (4, 1), (4, 5)],
    "04.2": (BAR, (0, 2), (1, 2)),
    "04.3": lambda patch, connectivity: keeps(patch) and patch.sum() > 2,
}
STUBS = {"04.1": None, "04.2": None, "04.3": lambda patch, connectivity=2: None}
WRONG = {
    "04.1": [
        (places(simple_points(PENCIL_MASK, connectivity=1) & PENCIL_MASK), "4 neighbours"),
        (wrong_corners(), "background step over corners"),
        ([(3, 3)], "left the border out"),
        (places(SIMPLE), "background pixels that are simple"),
        (places(PENCIL_MASK & ~SIMPLE), "other way round"),
        (REFERENCE["04.1"][:5], "5 of your 5 pixels are simple; there are 7"),
        ([*REFERENCE["04.1"], (4, 5)], "twice"),
        ([1, 2], "list of tuples"),
        (3, "list of tuples"),
    ],
    "04.2": [
        ((BAR, (0, 1), (1, 4)), "do not touch"),
        ((BAR, (0, 2), (0, 3)), "two pixels' width"),
        (([[1] * 5] * 3, (0, 2), (1, 2)), "Pixel (1, 2) is not simple"),
        ((BAR, (0, 2), (0, 2)), "same pixel twice"),
        ((BAR, (0, 2), (2, 2)), "outside your mask"),
        ((BAR, (0, -1), (1, 2)), "outside your mask"),
        ((BAR, (0, 2)), "three things"),
        (([[1, 2]], (0, 0), (0, 1)), "only 0 and 1"),
        (7, "three things"),
    ],
    "04.3": [
        (lambda patch, connectivity: keeps(patch), "plain rule"),
        (lambda patch, connectivity: patch.sum() != 2, "lines would be torn"),
        (
            lambda patch, connectivity: (
                keeps(patch) and patch[[0, 1, 1, 2], [1, 0, 2, 1]].sum() != 1
            ),
            "end at a corner",
        ),
        (lambda patch, connectivity: not (keeps(patch) and patch.sum() > 2), "other way round"),
        (lambda patch, connectivity: keeps(patch) and patch.sum() == 2, "nothing but ends"),
        (lambda patch, connectivity: keeps(patch) and patch.sum() > 3, "of the 256"),
        (lambda patch, connectivity: 1.0, "True or False"),
        (lambda patch: True, "raised TypeError"),
        (True, "function itself"),
    ],
}


def test_every_exercise_is_tested():
    found = {number for number in checking._CHECKERS if number.startswith("04.")}
    assert found == set(REFERENCE) == set(STUBS) == set(WRONG)


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
    shuffled = np.array(REFERENCE["04.1"][::-1])
    assert check("04.1", shuffled).status == "correct"
    ring = drawn("#### #..# ####")  # opening a ring at two ends parts it
    assert check("04.2", (np.array(BAR), [1, 2], np.array([0, 2]))).status == "correct"
    assert check("04.2", (ring, (0, 0), (2, 3))).status == "not yet"


def test_a_patch_given_by_reference_is_not_changed():
    def spoiled(patch, connectivity):
        answer = REFERENCE["04.3"](patch, connectivity)
        patch[:] = False
        return answer

    assert check("04.3", spoiled).status == "correct"
