"""What a hand meets in every explorer: its own image and back, short words, no tool bar, room."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime

import ipywidgets as widgets
import numpy as np
import pytest
import skimage.data
from PIL import Image
from screens import file_of, upload

from toposeg_lite.data import photos
from toposeg_lite.topology import betti_numbers
from toposeg_lite.workbook import explorers
from toposeg_lite.workbook.explorers import (
    AnnotationExplorer,
    ComparisonExplorer,
    Dashboard,
    Explorer,
    GradientExplorer,
    PaintExplorer,
    PersistenceExplorer,
    StructureExplorer,
    VolumeExplorer,
    WarpExplorer,
)
from toposeg_lite.workbook.explorers.annotating import _AnnotationView
from toposeg_lite.workbook.explorers.base import complete
from toposeg_lite.workbook.explorers.comparison import _ComparisonView
from toposeg_lite.workbook.explorers.frames import Frames
from toposeg_lite.workbook.explorers.gradient import _GradientView
from toposeg_lite.workbook.explorers.likeness import strangeness
from toposeg_lite.workbook.explorers.live import LiveFigure
from toposeg_lite.workbook.explorers.morse import _MorseView
from toposeg_lite.workbook.explorers.painting import _PaintView
from toposeg_lite.workbook.explorers.persistence import _PersistenceView
from toposeg_lite.workbook.explorers.space import _VolumeView
from toposeg_lite.workbook.explorers.structures import _StructureView
from toposeg_lite.workbook.explorers.uploads import parting, unsure_copy
from toposeg_lite.workbook.explorers.warping import _WarpView

VIEWS = {
    "Paint": (PaintExplorer, _PaintView),
    "Persistence": (PersistenceExplorer, _PersistenceView),
    "Gradient": (GradientExplorer, _GradientView),
    "Warp": (WarpExplorer, _WarpView),
    "Morse": (explorers.MorseExplorer, _MorseView),
    "Structure": (StructureExplorer, _StructureView),
    "Comparison": (ComparisonExplorer, _ComparisonView),
    "Volume": (VolumeExplorer, _VolumeView),
}
FIGURES = [name for name in VIEWS if name != "Comparison"]  # those that take a file
every = pytest.mark.parametrize("name", list(VIEWS))
takes_files = pytest.mark.parametrize("name", FIGURES)


def view_of(name):
    kind, view = VIEWS[name]
    return view(kind.example())


def ring(side=96):
    """Return a bright ring on black, of 8 bits."""
    row, column = np.indices((side, side)) - side / 2
    return (200 * (abs(np.hypot(row, column) - side / 4) < 6)).astype(np.uint8)


def picture():
    """Return the bytes of a picture that every explorer takes, a volume of three pages."""
    file = io.BytesIO()
    page = Image.fromarray(ring())
    page.save(file, "TIFF", save_all=True, append_images=[page, page])
    return file.getvalue()


def state(model):
    """Return what a snapshot holds, as things that can be compared."""
    return {
        name: (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in model.snapshot().items()
    }


def test_the_list_is_complete():
    kinds = {
        thing
        for thing in (getattr(explorers, name) for name in explorers.__all__)
        if isinstance(thing, type) and issubclass(thing, Explorer)
    }
    assert {kind for kind, _ in VIEWS.values()} == kinds - {Explorer, Dashboard, AnnotationExplorer}


# --- One's own image ------------------------------------------------------------------------------


@takes_files
def test_the_box_for_dark_structures_acts_at_once(name):
    view = view_of(name)
    upload(view, picture())
    bright = state(view.model)
    assert "dark made bright" not in view.notice.value
    if name == "Structure":
        return  # a model knows itself whether vessels are dark
    view.dark.value = True
    assert state(view.model) != bright
    assert "dark made bright" in view.notice.value
    view.dark.value = False
    assert state(view.model) == bright


@takes_files
def test_the_same_file_can_be_taken_again(name):
    view = view_of(name)
    content = picture()
    file = {"name": "a.tif", "type": "", "size": len(content), "content": content}
    taken = []
    view.take = lambda bytes_: taken.append(bytes_) or ()
    for _ in range(3):
        view.upload.set_trait("value", (file | {"last_modified": datetime(2026, 1, 1)},))
        assert view.upload.value == ()
    assert taken == [content] * 3


@takes_files
@pytest.mark.parametrize("side", [16, 96])
def test_a_mark_does_not_outlive_what_was_marked(name, side):
    """The reader's own picture, an even slope, has less to mark than the one before."""
    view = view_of(name)
    if view.model.has_trait("selected"):
        for marked in range(2, 1000):  # the last one that there is
            try:
                view.model.selected = marked
            except ValueError:
                break
        assert view.model.selected >= 2
    slope = np.broadcast_to(np.linspace(60, 120, side).astype(np.uint8), (side, side))
    file, page = io.BytesIO(), Image.fromarray(slope)
    page.save(file, "TIFF", save_all=True, append_images=[page, page])
    upload(view, file.getvalue(), "slope.tif")
    assert "slope.tif: " in view.notice.value
    assert view.words.text == view.model.describe()
    view.go_back()
    assert view.notice.value == ""
    assert view.words.text == view.model.describe()


@takes_files
def test_there_is_a_way_back_to_the_start(name):
    view = view_of(name)
    first, said = state(view.model), view.words.text
    upload(view, picture(), "mine.tif")
    assert "mine.tif: " in view.notice.value
    if name != "Structure":
        view.dark.value = True
    assert state(view.model) != first
    buttons = [
        child
        for child in all_of(view.box)
        if isinstance(child, widgets.Button) and child.description == "Back to the start"
    ]
    assert len(buttons) == 1
    buttons[0].click()
    assert state(view.model) == first
    assert view.words.text == said == view.model.describe()
    assert (view.notice.value, view.dark.value, view.own) == ("", False, None)
    view.dark.value = True  # there is nothing to take again
    assert state(view.model) == first


@every
def test_the_way_back_leads_from_every_trait(name):
    view = view_of(name)
    first = state(view.model)
    for trait, control in view.controls.items():
        for value in (getattr(control, "min", None), getattr(control, "max", None)):
            if value is not None and not isinstance(control, widgets.FloatLogSlider):
                control.value = value
        if hasattr(control, "options") and len(control.options) > 1:
            control.index = len(control.options) - 1
        assert trait in view.model.trait_names()
    for place in [view.frames.about["frames"] - 1, 0]:
        view.frames.index = place
        view.frames.marked = 0
    assert state(view.model) != first
    view.go_back()
    assert state(view.model) == first
    assert view.places() == {key: getattr(view.frames, key) for key in view.places()}
    for trait, control in view.controls.items():
        assert control.value == pytest.approx(getattr(view.model, trait))


def all_of(box):
    yield box
    for child in getattr(box, "children", ()):
        yield from all_of(child)


@takes_files
def test_several_changes_are_drawn_once(name, monkeypatch):
    view = view_of(name)
    drawn = []
    film = view.film
    monkeypatch.setattr(view, "film", lambda: drawn.append(1) or film())
    upload(view, picture())
    assert drawn == [1]


@takes_files
def test_a_refused_file_leaves_the_one_before(name):
    view = view_of(name)
    upload(view, picture(), "mine.tif")
    before, note = state(view.model), view.notice.value
    upload(view, b"no picture", "<b>notes</b>.txt")
    assert view.words.text.startswith("<b>notes</b>.txt was not taken: ")
    assert view.words.brief == view.words.text
    assert state(view.model) == before
    assert view.notice.value == note
    assert view.own[0] == "mine.tif"


def test_the_name_of_a_file_is_text():
    view = view_of("Persistence")
    upload(view, picture(), "<img src=x onerror=alert(1)>.tif")
    assert "<img" not in view.notice.value
    assert "&lt;img src=x" in view.notice.value


def test_the_annotation_begins_anew_and_goes_back():
    row = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
    model = AnnotationExplorer(row, row)
    view = _AnnotationView(model)
    first = model.app
    upload(view, picture(), "mine.tif")
    bright = model.app.session.likelihood.copy()
    assert model.app is not first
    view.dark.value = True
    np.testing.assert_allclose(model.app.session.likelihood, 1 - bright)
    view.go_back()
    assert model.app.session.likelihood.tolist() == row.tolist()
    assert model.app.session.progress().actions == 0
    shown = view.place.children
    upload(view, b"no picture")
    assert view.place.children == shown  # the screen under the hand stays


# --- A first state in which there is something to see -------------------------------------------


@pytest.mark.parametrize("low", [0.05, 0.95])
def test_a_threshold_that_was_set_before_does_not_spoil_the_first_picture(low):
    for name in ("Persistence", "Gradient", "Warp", "Volume"):
        view = view_of(name)
        view.model.threshold = low
        upload(view, picture())
        assert 0.1 < view.model.threshold < 0.9
        assert 0.05 < (view.model.image >= view.model.threshold).mean() < 0.5


def test_a_descent_has_something_to_mend():
    view = view_of("Gradient")
    upload(view, picture())
    model = view.model
    assert betti_numbers(model.truth) == (1, 1)
    assert (model.truth != (model.start >= model.threshold)).sum() > 50
    assert np.abs(model.pull).max() > 0
    assert "blurred and shifted" in view.notice.value


def test_a_warp_has_something_to_do():
    view = view_of("Warp")
    upload(view, picture())
    model = view.model
    assert betti_numbers(model.target) == (1, 1)
    assert len(model.order) > 50
    assert model.step == 0


def test_a_copy_is_shifted_and_blurred():
    image = np.zeros((60, 40))
    image[30, 20] = 1
    copy = unsure_copy(image)
    assert (copy.min(), copy.max()) == (0, 1)
    assert np.unravel_index(copy.argmax(), copy.shape) == (31, 21)
    assert (copy > 0.1).sum() > 5
    assert unsure_copy(np.ones((4, 4))).tolist() == np.ones((4, 4)).tolist()


def test_otsu_parts_two_kinds_of_values():
    values = np.concatenate([np.linspace(0, 0.2, 50), np.linspace(0.7, 1, 30)])
    assert 0.19 <= parting(values[None]) < 0.7


# --- What the model has learned -------------------------------------------------------------------


def test_the_retina_is_what_the_model_has_learned():
    image = photos.retina().image
    pieces = [
        image[:, row : row + 256, column : column + 256]
        for row in range(0, 1156, 128)
        for column in range(0, 1156, 128)
    ]
    inside = [piece for piece in pieces if (piece.max(axis=0) > 0.08).mean() > 0.5]
    assert len(inside) > 60
    assert max(map(strangeness, inside)) < 1


def grey(picture):
    return np.repeat(picture[None] / 255, 3, axis=0)


STRANGE = {
    "ring": lambda: grey(ring(256)),
    "brick": lambda: grey(skimage.data.brick()[:256, :256]),
    "camera": lambda: grey(skimage.data.camera()[100:356, 100:356]),
    "astronaut": lambda: np.moveaxis(skimage.data.astronaut()[:256, 100:356] / 255, -1, 0),
    "coffee": lambda: np.moveaxis(skimage.data.coffee()[50:306, 100:356] / 255, -1, 0),
    "cat": lambda: np.moveaxis(skimage.data.chelsea()[20:276, 100:356] / 255, -1, 0),
    "black": lambda: np.zeros((3, 64, 64)),
    "noise": lambda: np.random.default_rng(0).random((3, 256, 256)),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=list(STRANGE))
def test_drawings_and_photographs_are_not(make):
    assert strangeness(make()) > 1


def test_the_explorer_says_so():
    view = view_of("Structure")
    assert "does not look like" not in view.words.text
    upload(view, file_of(ring(256)), "ring.png")
    assert view.words.text.startswith("This does not look like what the model has learned")
    assert view.words.brief.startswith("Careful, a strange image: ")
    piece = np.moveaxis(photos.retina().image[:, 700:956, 300:556], 0, -1)
    upload(view, file_of((255 * piece).astype(np.uint8)), "eye.png")
    assert "does not look like" not in view.words.text
    assert not view.words.brief.startswith("Careful")


def test_nothing_is_said_of_other_models():
    from torch.nn import Identity

    from toposeg_lite.structures import StructureModel

    model = StructureModel(Identity(), mode="branch", walk=False)
    explorer = StructureExplorer(model, np.full((1, 5, 6), 0.5))
    assert explorer.strangeness == 0
    assert "does not look like" not in explorer.describe()


# --- No tool bar, words, room ---------------------------------------------------------------------


@every
def test_no_figure_offers_a_tool_bar_or_an_upload(name):
    view = view_of(name)
    for figure in all_of(view.box):
        if isinstance(figure, LiveFigure):
            config = figure.get_state()["_config"]
            assert config["displayModeBar"] is False
            assert config["plotlyServerURL"] == ""
            figure.reopen()
            assert figure.get_state()["_config"]["displayModeBar"] is False
    shown = (LiveFigure, Frames)
    assert any(isinstance(figure, shown) for figure in all_of(view.box))


def test_a_page_that_draws_late_is_told_everything_once_more():
    """What a page's model of the figure holds afterwards is what the figure holds."""
    view = view_of("Volume")
    figure = next(part for part in all_of(complete(view.box)) if isinstance(part, LiveFigure))
    told = []
    figure.observe(lambda change: told.append(change.new), "_py2js_update")
    view.words._handle_custom_msg({"drawn": True}, [])
    assert told == []  # nothing has changed since the figure was offered
    view.words.room = 700
    told.clear()
    view.words._handle_custom_msg({"drawn": True}, [])
    (message,) = filter(None, told)
    assert message["style_traces"] == list(range(len(figure.data)))
    for place, trace in enumerate(figure._data):
        sent = {key: values[place] for key, values in message["style_data"].items()}
        kept = {key: value for key, value in sent.items() if value is not None}
        expected = {key: value for key, value in trace.items() if key not in ("type", "uid")}
        np.testing.assert_equal(kept, expected)
    layout = figure._layout
    np.testing.assert_equal(
        message["layout_data"], {key: part for key, part in layout.items() if key != "template"}
    )
    assert message["layout_data"]["width"] == figure.layout.width


@every
def test_the_brief_words_are_one_short_sentence_with_a_number(name):
    view = view_of(name)
    brief = view.words.brief
    assert brief == view.model.brief()
    assert 20 < len(brief) < 110
    assert re.search(r"\d", brief)
    assert len(re.findall(r"\.(?:\s|$)", brief)) == 1
    assert len(brief) < len(view.words.text) / 1.5


@every
def test_frames_have_a_name_and_say_what_can_be_pointed_at(name):
    view = view_of(name)
    about = view.frames.about
    assert about["label"]
    titles = [panel["title"] for panel in about["panels"]]
    assert all(titles)
    if hasattr(view, "figure"):
        titles += [title.text for title in view.figure.layout.annotations]
    assert any(re.search("point at|click|press", title) for title in titles)
    assert [len(entry) for entry in about["legend"]] == [3] * len(about["legend"])


@every
def test_every_film_is_of_moderate_size(name):
    view = view_of(name)
    bundle = view.model.bundle()
    assert bundle == view.frames.bundle()
    assert len(json.dumps(bundle)) < 1_500_000


def test_the_figure_has_a_name_and_says_what_can_be_clicked():
    view = view_of("Volume")
    assert view.words.label.startswith(f"{view.model.title}: ")
    (hint,) = (title.text for title in view.figure.layout.annotations)
    assert "click" in hint


@pytest.mark.parametrize("room", [300, 480, 899, 950, 1250, 1500, 2500])
def test_space_stands_beside_the_slice_or_below_it(room):
    view = view_of("Volume")
    view.words.room = room
    layout = view.figure.layout
    wide = min(max(room - 24, 480), 1500)
    assert layout.width == (round(0.52 * wide) if wide >= 876 else wide)
    assert wide - layout.width >= 380 or layout.width == wide  # what the slice needs at least
    assert 300 < layout.height <= 600
