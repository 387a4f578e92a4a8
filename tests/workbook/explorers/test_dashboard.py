"""The dashboard of all explorers, without a browser; and what every explorer must be able to do."""

from __future__ import annotations

import gzip
import html
import io
import re
import subprocess
import sys
from datetime import datetime
from functools import partial

import comm
import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from toposeg_lite.topology import betti_numbers
from toposeg_lite.workbook import explorers, figures
from toposeg_lite.workbook.desk.view import AnnotationView
from toposeg_lite.workbook.explorers import (
    AnnotationExplorer,
    Dashboard,
    Explorer,
    PersistenceExplorer,
    VolumeExplorer,
    WarpExplorer,
    examples,
)
from toposeg_lite.workbook.explorers.base import complete
from toposeg_lite.workbook.explorers.dashboard import _DashboardView
from toposeg_lite.workbook.explorers.live import LiveFigure, PlotlyCode
from toposeg_lite.workbook.explorers.words import Words

# The screen of the annotation app is its own: it has its tests below, and many more elsewhere.
KINDS = [
    thing
    for thing in (getattr(explorers, name) for name in explorers.__all__)
    if isinstance(thing, type) and issubclass(thing, Explorer)
    if thing not in (Explorer, Dashboard, AnnotationExplorer)
]
each = pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])


def widgets_in(box):
    """Yield a widget and all that it holds."""
    yield box
    for child in getattr(box, "children", ()):
        yield from widgets_in(child)


def spoken(box):
    """Return what the views say, and what is said in place of one."""
    texts = [each.value for each in widgets_in(box) if isinstance(each, widgets.HTML)]
    found = [text for text in texts if 'role="status"' in text]
    plain = [html.unescape(re.sub("<.*?>", "", text)) for text in found]
    return plain + [each.text for each in widgets_in(box) if isinstance(each, Words)]


def of_kind(box, *kinds):
    return [each for each in widgets_in(box) if isinstance(each, kinds)]


# --- Every explorer ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example():
    """Return a function that gives the example of a kind, made once."""
    made = {}
    return lambda kind: made.setdefault(kind, kind.example())


@each
def test_every_explorer_has_an_example_of_its_own(kind, example):
    assert "example" in vars(kind)
    assert type(example(kind)) is kind
    assert re.fullmatch(r"\d\d", kind.chapter)
    assert 3 < len(kind.title) < 20
    assert figures.png(example(kind).picture()).startswith(b"\x89PNG")
    assert example(kind).describe().endswith(".")


@each
def test_every_control_has_a_label_and_works_from_the_keyboard(kind, example):
    box = example(kind).view()
    handled = (widgets.Play, widgets.HTML, widgets.Box)
    buttons = (widgets.Button, widgets.FileUpload, widgets.ToggleButton)
    for control in of_kind(box, widgets.DOMWidget):
        if isinstance(control, handled) or not hasattr(control, "description"):
            continue
        assert control.description.strip(), control
        assert getattr(control, "tabbable", None) is not False
        if not isinstance(control, buttons):
            assert len(control.description) < 30
    # What is played or pointed at can be reached by a slider, too.
    sliders = of_kind(box, widgets.IntSlider, widgets.FloatSlider, widgets.SelectionSlider)
    assert sliders or of_kind(box, widgets.Dropdown)
    for player in of_kind(box, widgets.Play):
        assert any((slider.min, slider.max) == (player.min, player.max) for slider in sliders)


@each
def test_the_text_says_what_the_picture_shows(kind, example):
    model = example(kind)
    assert spoken(model.view()) == [model.describe()]


@each
def test_a_move_of_any_slider_changes_the_text(kind, example):
    model = example(kind)
    box = model.view()
    for slider in of_kind(box, widgets.IntSlider, widgets.FloatSlider, widgets.FloatLogSlider):
        before, old = spoken(box), slider.value
        if slider.min == slider.max:
            continue
        first = 10**slider.min if isinstance(slider, widgets.FloatLogSlider) else slider.min
        slider.value = first if slider.value != first else slider.max
        assert spoken(box) == [model.describe()]
        assert spoken(box) != before, slider.description
        slider.value = old


def picture_file(shape=(40, 30)):
    grey = np.random.default_rng(4).integers(0, 255, shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "TIFF")
    return file.getvalue()


def uploaded(name, content):
    return ({"name": name, "type": "", "size": len(content), "content": content,
             "last_modified": datetime(2026, 1, 1)},)  # fmt: skip


@each
def test_the_readers_own_picture_can_be_dropped_in(kind):
    model = kind.example()
    box = model.view()
    uploads = of_kind(box, widgets.FileUpload)
    if not uploads:
        assert kind.__name__ in WITHOUT_PICTURE
        return
    before = model.describe()
    uploads[0].set_trait("value", uploaded("notes.txt", b"no picture"))
    assert "notes.txt was not taken" in spoken(box)[0]
    assert model.describe() == before
    uploads[0].set_trait("value", uploaded("mine.tif", picture_file()))
    assert spoken(box) == [model.describe()]
    assert model.describe() != before


# They show what belongs to a trained network, or the numbers of runs.
WITHOUT_PICTURE = {"ComparisonExplorer"}


def test_the_vessels_and_the_gap_are_what_the_text_says():
    likelihood, mask = examples.vessels()
    assert likelihood.shape == mask.shape == (256, 256)
    assert 0 <= likelihood.min() < likelihood.max() <= 1
    broken, truth = examples.gap()
    assert betti_numbers(truth) == (1, 0)
    assert betti_numbers(broken >= 0.5) == (3, 0)
    assert betti_numbers(likelihood[examples.PIECE] >= 0.5) == (2, 0)  # without the dim spot


# --- The annotation app in a tab --------------------------------------------------------------


def test_the_app_asks_about_a_piece_of_the_photograph_and_shows_every_decision():
    model = AnnotationExplorer.example()
    (screen,) = of_kind(model.view(), AnnotationView)
    assert screen.app is model.app
    assert model.app.session.shape == (384, 384)
    assert model.app.session.path is None
    assert model.describe().startswith(screen.state["text"])
    asked = model.app.chosen
    seen = {"tool": "decide", "branch": asked, "decision": 0}
    model.app.do({"do": "accept", "seen": seen})
    assert model.app.session.decisions[asked] == 1
    assert "1 accepted" in screen.state["text"]
    assert model.describe().startswith(screen.state["text"])
    assert figures.png(model.picture()).startswith(b"\x89PNG")


def test_the_readers_own_picture_is_annotated_from_the_start_or_refused_in_words():
    row = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
    model = AnnotationExplorer(row, row)
    box = complete(model.view())
    (upload,) = of_kind(box, widgets.FileUpload)
    first = model.app
    first.accept()
    upload.set_trait("value", uploaded("notes.txt", b"no picture"))
    (screen,) = of_kind(box, AnnotationView)
    refusal = (
        "notes.txt was not taken: the file is no picture that Pillow can read "
        "(PNG, JPEG, TIFF, BMP, GIF, PPM)."
    )
    assert screen.state["error"] == refusal
    assert model.describe().startswith(refusal)
    assert model.app is first
    upload.set_trait("value", uploaded("mine.tif", picture_file()))
    (screen,) = of_kind(box, AnnotationView)
    assert screen.app is model.app is not first
    assert model.app.session.shape == (40, 30)
    assert model.app.session.progress().actions == 0
    assert screen.state["error"] == ""


# --- The dashboard ----------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """Count how often each explorer is made."""
    made = []
    for kind in KINDS:
        real = vars(kind)["example"].__func__

        def example(cls, real=real):
            made.append(cls.__name__)
            return real(cls)

        monkeypatch.setattr(kind, "example", classmethod(example))
    return made


def test_all_explorers_are_offered_in_the_order_of_the_chapters():
    names = Dashboard().names
    kinds = [*KINDS, AnnotationExplorer]
    assert sorted(names) == sorted(f"{kind.chapter} {kind.title}" for kind in kinds)
    assert names == sorted(names)


def test_an_explorer_is_made_when_its_tab_is_first_opened(counted):
    model = Dashboard(["01 Painting", "02 Persistence", "04 Warping"])
    assert counted == []
    view = _DashboardView(model)
    assert counted == ["PaintExplorer"]
    assert view.box.titles == ("01 Painting", "02 Persistence", "04 Warping")
    assert "Drawing 04 Warping ..." in spoken_or_waiting(view.box, 2)
    view.box.selected_index = 2
    assert counted == ["PaintExplorer", "WarpExplorer"]
    assert model.opened == "04 Warping"
    assert spoken(view.box.children[2]) == [model.explorer.describe()]
    view.box.selected_index = 0
    view.box.selected_index = 2
    assert counted == ["PaintExplorer", "WarpExplorer"]


def test_the_page_asks_for_the_other_explorers_one_after_the_other(counted):
    view = _DashboardView(Dashboard(["01 Painting", "02 Persistence", "04 Warping"]))
    ask = partial(view.usher._handle_custom_msg, {"next": True}, [])
    assert view.usher.waiting == 2
    view.box.selected_index = 2  # a hand comes first
    assert counted == ["PaintExplorer", "WarpExplorer"]
    assert view.usher.waiting == 1
    ask()
    assert counted == ["PaintExplorer", "WarpExplorer", "PersistenceExplorer"]
    assert view.usher.waiting == 0
    assert view.box.selected_index == 2  # what is made ahead does not come to the front
    assert len(view.box.children[1].children[0].children) > 1
    ask()  # more often than there are tabs
    assert len(counted) == 3


def test_what_cannot_be_made_ahead_is_not_asked_for_again(monkeypatch):
    def missing(cls):
        raise FileNotFoundError("there is no file")

    view = _DashboardView(Dashboard(["01 Painting", "02 Persistence", "04 Warping"]))
    with monkeypatch.context() as patch:
        patch.setattr(PersistenceExplorer, "example", classmethod(missing))
        view.make_next(view.usher, {})
        assert view.usher.waiting == 1
        view.make_next(view.usher, {})
    assert view.usher.waiting == 0
    assert "cannot be made here" in spoken_or_waiting(view.box, 1)
    view.box.selected_index = 1  # a hand tries again
    assert spoken(view.box.children[1])


def spoken_or_waiting(box, place):
    return box.children[place].children[0].value


def test_the_model_leads_the_tabs():
    model = Dashboard(["01 Painting", "04 Warping"], opened="04 Warping")
    view = _DashboardView(model)
    assert view.box.selected_index == 1
    model.opened = "01 Painting"
    assert view.box.selected_index == 0
    assert len(view.box.children[0].children[0].children) > 1
    view.box.selected_index = None  # a click on the open tab must not close everything
    assert view.box.selected_index == 0


def test_a_tab_keeps_its_state():
    model = Dashboard(["01 Painting", "02 Persistence"])
    view = _DashboardView(model)
    model.explorer.toggle(0, 0)
    (shown,) = view.box.children[0].children
    view.box.selected_index = 1
    view.box.selected_index = 0
    assert model.explorer.mask[0, 0]
    assert view.box.children[0].children == (shown,)  # not another view of it


def test_a_tab_says_why_its_explorer_cannot_be_made_and_tries_again(monkeypatch):
    def missing(cls):
        raise FileNotFoundError("there is no <file>")

    view = _DashboardView(Dashboard(["01 Painting", "04 Warping"]))
    with monkeypatch.context() as patch:
        patch.setattr(WarpExplorer, "example", classmethod(missing))
        view.box.selected_index = 1
    said = spoken_or_waiting(view.box, 1)
    assert "04 Warping cannot be made here: there is no &lt;file&gt;." in said
    view.box.selected_index = 0
    view.box.selected_index = 1
    assert spoken(view.box.children[1])


def test_text_and_picture_are_those_of_the_open_tab():
    model = Dashboard(["01 Painting", "02 Persistence"], opened="01 Painting")
    assert "2 explorers in tabs: 01 Painting, 02 Persistence. Open is 01 Painting" in (
        model.describe()
    )
    assert model.explorer.describe() in model.describe()
    assert figures.png(model.picture()) == figures.png(model.explorer.picture())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": []}, "names must hold one name at least"),
        ({"names": ["Persistence"]}, "names must be one of '01 Painting', '02 Persistence'"),
        ({"names": ["01 Painting"], "opened": "02 Persistence"}, "opened must be one of '01"),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dashboard(**arguments)


def test_a_page_that_joins_late_is_told_of_the_whole_figure():
    """Voila's page asks for the state of all widgets when it is there; so does a reloaded page."""
    model = Dashboard(["13 Volumes"])
    (figure,) = of_kind(model.view(), go.FigureWidget)
    for position in (7, 3):
        model.explorer.position = position
        state = figure.get_state()
        assert len(state["_widget_data"]) == len(figure.data) > 5
        heights = np.frombuffer(state["_widget_data"][2]["z"]["buffer"], np.float32)
        assert set(heights.tolist()) == {position}  # the rim of the slice
        assert state["_widget_layout"]["width"] == figure.layout.width
    assert set(figure.get_state("_widget_data")) == {"_widget_data"}


def test_a_page_that_loads_plotly_late_is_told_of_the_whole_figure(monkeypatch):
    """What is said of a model while its page loads plotly is lost, so the first word is whole."""
    shown, opened = [], {}
    monkeypatch.setattr("IPython.display.display", shown.append)
    real = comm.create_comm

    def create(**options):
        made = real(**options)
        opened[made.comm_id] = options["data"]["state"]
        return made

    monkeypatch.setattr(comm, "create_comm", create)
    explorers.show(VolumeExplorer(np.ones((2, 3, 3))))
    _DashboardView(Dashboard(["13 Volumes"]))
    whole = {key: state for key, state in opened.items() if len(state.get("_widget_data", ())) > 5}
    assert len(whole) == 2
    for key, state in whole.items():
        assert state["_widget_data"][0]["x"]["shape"] == (36,)  # the edges of the box
        assert state["_widget_layout"]["width"] == 600
        later = [*opened.values()][[*opened].index(key) :]  # a box that was made after the figure
        assert any(f"IPY_MODEL_{key}" in other.get("children", ()) for other in later)


def test_plotly_is_sent_once_for_all_figures(monkeypatch):
    """Its code has five megabytes: a page of nine figures would wait for all of them."""
    opened = []
    real = comm.create_comm

    def create(**options):
        opened.append((options["data"]["state"], options.get("buffers", [])))
        return real(**options)

    monkeypatch.setattr(comm, "create_comm", create)
    monkeypatch.setattr(PlotlyCode, "kept", None)
    views = [VolumeExplorer(np.ones((2, 3, 3))).view() for _ in range(2)]
    for view in views:
        complete(view)
    (code,) = (buffers[0] for state, buffers in opened if "digest" in state)
    assert gzip.decompress(code) == str(go.FigureWidget._esm).encode()
    sizes = [len(repr(state)) + sum(map(len, buffers)) for state, buffers in opened]
    assert sorted(sizes)[-2] < 200_000 < len(code)  # frames bring their own, which is small
    figures_ = [state for state, _ in opened if "_plotly" in state]
    assert len(figures_) > 1
    assert len({state["_plotly"] for state in figures_}) == 1
    PlotlyCode.kept.close()  # as all widgets of a notebook can be
    assert PlotlyCode.shared().comm is not None


def test_a_figure_that_is_offered_anew_takes_the_place_of_the_old_one():
    (figure,) = of_kind(VolumeExplorer(np.ones((2, 3, 3))).view(), go.FigureWidget)
    first = figure.model_id
    figure.reopen()
    assert figure.model_id != first
    assert first not in comm.get_comm_manager().comms
    assert set(figure._repr_mimebundle_()) >= {"application/vnd.jupyter.widget-view+json"}


def printed(*lines):
    """Return the lines that a new Python prints."""
    command = [sys.executable, "-c", "\n".join(("import sys", *lines))]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_explorers_are_there_without_torch_and_without_plotly():
    (found,) = printed(
        "from toposeg_lite.workbook import explorers",
        "explorers.Dashboard().view()",
        "print([name for name in ('torch', 'gudhi', 'plotly') if name in sys.modules])",
    )
    assert found == "[]"


def test_a_figure_in_space_is_there_without_a_grammar_of_addresses():
    found = printed(
        "from toposeg_lite.workbook import explorers",
        "explorers.VolumeExplorer([[[0.1]]]).view()",
        "print([name for name in ('torch', 'rfc3987_syntax') if name in sys.modules])",
        "from jsonschema import FormatChecker",
        "print([FormatChecker(['iri']).conforms(x, 'iri') for x in ('http://a.b/c', 'no iri')])",
    )
    assert found == ["[]", "[True, False]"]


@each
def test_every_figure_is_such_a_figure(kind, example):
    box = example(kind).view()
    assert all(isinstance(one, LiveFigure) for one in of_kind(box, go.FigureWidget))
