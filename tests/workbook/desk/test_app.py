"""The annotation app without a screen: what clicks and keys do, what is said, what is sent."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sessions import IMAGE, begin, through

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.workbook import figures
from toposeg_lite.workbook.desk import AnnotationApp
from toposeg_lite.workbook.desk import app as module

UPPER, BRIDGE, SPECK = (1, 5), (3, 9), (8, 4)  # a pixel of each kind of branch of IMAGE


def desk(path=None, **options):
    return AnnotationApp(begin(path, **options))


def at(app, pixel):
    return through(app.session, pixel)


def seen(app, branch=None):
    """Return what a screen sees that is up to date: of a branch, by default the one asked about."""
    branch = app.chosen if branch is None else branch
    decision = None if branch is None else int(app.session.decisions[branch])
    return {"tool": app.tool, "branch": branch, "decision": decision, "turn": app.turn}


def asked(app, do, **given):
    """Ask as a screen does that is up to date; return what went wrong."""
    app.do({"do": do, "seen": seen(app), **given})
    return app.error


def lines(path):
    """Return the actions in a journal."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record["do"] for record in records if record.get("do", "open") != "open"]


# --- Deciding ------------------------------------------------------------------------------------


def test_the_most_uncertain_branch_is_asked_about_first_and_then_the_next():
    app = desk()
    expected = app.session.queue()[0]
    assert app.chosen == expected
    app.accept()
    assert app.session.decisions[expected] == 1
    assert app.chosen == app.session.queue()[0]
    rejected = app.chosen
    app.reject()
    assert app.session.decisions[rejected] == -1
    assert app.session.progress().left == len(app.session.branches) - 2


def test_all_branches_are_asked_about_once_and_the_last_one_stays_chosen():
    app, asked = desk(), []
    while app.session.queue():
        asked.append(app.chosen)
        app.accept() if len(asked) % 2 else app.reject()
    assert sorted(asked) == list(range(len(app.session.branches)))
    assert app.chosen == asked[-1]
    app.next()
    assert app.note == "All branches are decided."


def test_what_is_put_off_comes_at_the_end_in_turn():
    app = desk(learn="asked")  # so that the order stays
    order = app.queue()
    app.next()
    app.next()
    assert app.chosen == order[2]
    assert app.queue() == [*order[2:], order[0], order[1]]
    seen = []
    for _ in order:
        seen.append(app.chosen)
        app.next()
    assert seen == [*order[2:], *order[:2]]  # round and round


def test_back_to_the_branch_before():
    app = desk()
    first = app.chosen
    app.accept()
    second = app.chosen
    app.next()
    app.previous()
    assert app.chosen == second
    app.previous()
    assert app.chosen == first
    app.previous()  # there is none before
    assert app.chosen == first


def test_the_other_order_of_the_queue():
    app = desk(mask_threshold=0.65)
    app.sort("doubt")
    assert app.queue() == app.session.queue("doubt") != app.session.queue()
    app.sort("gain")
    assert app.queue() == app.session.queue("gain") != app.session.queue()
    assert app.chosen == app.session.queue("gain")[0]


def test_choose_turns_to_a_decided_branch_too():
    app = desk()
    first = app.chosen
    app.accept()
    before = app.visits
    app.choose(first)
    assert (app.chosen, app.visits) == (first, before + 1)
    assert app.describe().startswith(f"Branch {first + 1} of ")
    assert " is accepted." in app.describe()


# --- Clicks --------------------------------------------------------------------------------------


def test_a_click_accepts_and_a_second_one_rejects():
    app = desk()
    bridge = at(app, BRIDGE)
    visits = app.visits
    app.click(3.2, 9.4)
    assert app.session.decisions[bridge] == 1
    app.click(*BRIDGE)
    assert app.session.decisions[bridge] == -1
    app.click(*BRIDGE)
    assert app.session.decisions[bridge] == 1
    assert app.chosen == bridge
    assert app.visits == visits  # the picture rests while one clicks


def test_the_right_button_rejects_and_a_second_time_changes_nothing(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    app.click(*SPECK, reject=True)
    app.click(*SPECK, reject=True)
    assert app.session.decisions[at(app, SPECK)] == -1
    assert lines(tmp_path / "a.jsonl") == ["reject"]


def test_a_click_far_from_all_branches_says_so(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    chosen = app.chosen
    app.click(9, 14, reach=2)
    assert "no branch here" in app.note
    assert app.note in app.describe()
    assert app.chosen == chosen
    assert lines(tmp_path / "a.jsonl") == []


# --- Drawing -------------------------------------------------------------------------------------


def test_points_become_the_line_that_the_session_draws():
    app, other = desk(), begin()
    app.take("draw")
    app.click(0.6, 1.4)
    app.click(1.4, 11.6)
    app.click(1, 12)  # the same pixel again is no new point
    assert app.points == [(1, 1), (1, 12)]
    foreseen = app.preview()
    app.widen(1)
    app.finish()
    stroke = other.draw([(1, 1), (1, 12)], radius=1)
    assert foreseen.tolist() == stroke.path.tolist() == app.session.strokes[0].path.tolist()
    assert (app.session.mask() == other.mask()).all()
    assert (app.points, app.tool) == ([], "draw")
    assert len(app.preview()) == 0


def test_erasing_follows_straight_lines():
    app, other = desk(), begin()
    app.take("erase")
    app.put(5, 1)
    app.put(5, 6)
    assert app.preview().tolist() == [5 * 15 + k for k in range(1, 7)]
    app.finish()
    other.erase([(5, 1), (5, 6)])
    assert (app.session.mask() == other.mask()).all()
    assert not app.session.mask()[5, 1:7].any()


def test_points_are_taken_back_one_by_one_and_the_line_is_given_up():
    app = desk()
    app.take("draw")
    for point in ((1, 1), (1, 5), (1, 9)):
        app.put(*point)
    app.drop()
    assert app.points == [(1, 1), (1, 5)]
    app.cancel()
    assert (app.points, app.tool) == ([], "draw")
    app.cancel()
    assert app.tool == "decide"
    assert app.session.strokes == []


def test_another_tool_gives_the_line_up():
    app = desk()
    app.take("draw")
    app.put(1, 1)
    app.take("erase")
    assert app.points == []


# --- Undo, learn, export -------------------------------------------------------------------------


def test_undo_and_redo_turn_to_the_branch_they_are_about():
    app = desk()
    first = app.chosen
    app.accept()
    app.choose(at(app, BRIDGE) if at(app, BRIDGE) != first else at(app, SPECK))
    assert app.undo()
    assert app.chosen == first
    assert app.session.decisions[first] == 0
    app.choose(at(app, SPECK))
    assert app.redo()
    assert app.chosen == first
    assert app.session.decisions[first] == 1
    assert not app.redo()
    assert "nothing" in app.note


def test_undo_takes_a_stroke_back():
    app = desk()
    app.take("draw")
    app.put(8, 10)
    app.finish()
    assert app.session.mask()[8, 10]
    app.undo()
    assert not app.session.mask()[8, 10]


def test_learn_fits_the_model_and_turns_to_the_head_of_the_queue():
    app = desk(learn="asked")
    before = app.session.probability
    app.click(*UPPER)
    assert (app.session.probability == before).all()
    app.learn()
    assert (app.session.probability != before).any()
    assert app.chosen == app.session.queue()[0]
    assert app.note == "Learned from 1 decisions."


def test_export_writes_beside_the_journal(tmp_path):
    app = desk(tmp_path / "eye.jsonl")
    app.click(*UPPER)
    assert app.export() == [tmp_path / "eye.mask.png", tmp_path / "eye.geojson"]
    written = np.array(Image.open(tmp_path / "eye.mask.png"))
    assert (written == 255 * app.session.mask()).all()
    assert "eye.mask.png" in app.note


# --- What goes wrong is told ----------------------------------------------------------------------


def test_a_full_disk_is_told_and_nothing_has_changed(tmp_path, monkeypatch):
    app = desk(tmp_path / "a.jsonl")
    chosen = app.chosen

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    asked(app, "accept")
    assert app.error.startswith("NOT saved, and not done: ")
    assert "No space left on device" in app.error
    assert app.describe().startswith(app.error)
    assert app.session.decisions[chosen] == 0
    assert app.chosen == chosen
    app.take("draw")
    app.put(1, 1)
    assert "No space left" in asked(app, "finish")
    assert app.points == [(1, 1)]  # not lost, there may be room again
    monkeypatch.undo()
    assert asked(app, "finish") == ""
    assert len(app.session.strokes) == 1


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"do": "close"}, "do must be one of"),
        ({"do": "__init__"}, "do must be one of"),
        ({}, "do must be"),
        ({"do": "choose", "branch": 99}, "branch must be 0 to"),
        ({"do": "accept", "branches": 1}, "unexpected keyword"),
        ({"do": "choose", "branch": -1}, "branch"),
        ({"do": "put", "row": 1, "column": 1}, "You are deciding meanwhile, no longer drawing"),
        ({"do": "accept", "seen": {"branch": 0}}, "accept must say what was seen: decision, tool"),
        ({"do": "undo", "seen": {}}, "undo must say what was seen: turn"),
        ({"do": "next", "seen": {"tool": "paint", "branch": 0}}, "tool must be one of"),
        ({"do": "finish"}, "You are deciding meanwhile, no longer drawing"),
        ({"do": "widen", "radius": -1}, "radius"),
        ({"do": "sort", "order": "name"}, "order must be one of"),
        ({"do": "export"}, "no path"),
    ],
)
def test_what_cannot_be_done_is_told_and_the_next_request_forgets_it(request_, told):
    app = desk()
    tool = "draw" if request_.get("do") in ("put", "finish") else "decide"
    app.do({"seen": seen(app) | {"tool": tool}} | request_)
    assert told in app.error
    assert app.session.progress().actions == 0
    assert asked(app, "next") == ""


def test_a_model_that_cannot_learn_is_told():
    class Fixed:
        def predict(self, image, likelihood, branches):
            return np.full(len(branches), 0.5), np.ones(len(branches))

    app = desk(model=Fixed())
    assert "cannot learn" in asked(app, "learn")


def test_no_branches_at_all():
    app = AnnotationApp(AnnotationSession(np.zeros((6, 7)), np.zeros((6, 7))))
    assert app.chosen is None
    assert "no branch is chosen" in asked(app, "accept")
    asked(app, "next")
    assert "All branches are decided" in app.describe()
    view = app.view()
    assert (view.sizes, view.paths, view.decisions) == (b"", b"", b"")
    app.take("draw")
    app.put(3, 3)
    app.finish()
    assert app.session.mask()[3, 3]


# --- A screen that is behind ----------------------------------------------------------------------


def test_a_verdict_counts_for_the_question_that_was_seen(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    first, before = app.chosen, seen(app)
    app.do({"do": "accept", "seen": before})
    second = app.chosen
    app.do({"do": "reject", "seen": before})  # one key too many: its question is gone
    told = f"Branch {first + 1} has been accepted meanwhile; nothing was changed"
    assert app.error == told
    assert app.describe().startswith(f"{told}. Branch {second + 1} of")
    app.do({"do": "accept", "seen": before})  # the same key twice
    assert app.error == ""
    assert app.chosen == second
    assert lines(tmp_path / "a.jsonl") == ["accept"]
    app.undo()
    app.do({"do": "reject", "seen": before | {"decision": 1}})
    assert app.error == f"Branch {first + 1} is open again meanwhile; nothing was changed"
    app.choose(second)
    app.do({"do": "reject", "seen": before})
    told = f"Branch {second + 1} is asked about meanwhile, not branch {first + 1}"
    assert app.error == f"{told}; nothing was changed"
    assert lines(tmp_path / "a.jsonl") == ["accept", "undo"]


def test_what_is_put_off_is_what_was_seen():
    app = desk()
    before = seen(app)
    app.accept()
    app.do({"do": "next", "seen": before})
    assert "is asked about meanwhile" in app.error
    assert app._skipped == []


def test_a_click_counts_for_the_branch_that_was_seen_under_it(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    bridge, speck = at(app, BRIDGE), at(app, SPECK)
    click = {"do": "click", "row": BRIDGE[0], "column": BRIDGE[1]}
    open_ = seen(app, bridge)
    app.do(click | {"seen": open_})
    assert app.error == ""
    app.do(click | {"seen": open_})  # meant to accept it, would reject it
    assert app.error == f"Branch {bridge + 1} has been accepted meanwhile; nothing was changed"
    app.do(click | {"seen": seen(app, speck)})
    assert f"Branch {bridge + 1} is meant by this click" in app.error
    assert f"not branch {speck + 1}; nothing" in app.error
    app.do(click | {"seen": seen(app, bridge) | {"branch": None}})
    assert "meant by this click meanwhile, not none" in app.error
    nowhere = {"row": 9, "column": 14, "reach": 2}
    app.do(click | nowhere | {"seen": seen(app, bridge)})
    assert "No branch is meant by this click meanwhile" in app.error
    app.do(click | nowhere | {"seen": open_ | {"branch": None}})
    assert app.error == ""
    assert "no branch here" in app.note
    app.do(click | {"seen": seen(app, bridge)})
    assert lines(tmp_path / "a.jsonl") == ["accept", "reject"]


@pytest.mark.parametrize("tool", ["draw", "erase"])
def test_nothing_is_decided_unseen_while_a_line_is_drawn(tool, tmp_path):
    app = desk(tmp_path / "a.jsonl")
    deciding, chosen = seen(app), app.chosen
    app.take(tool)
    doing = {"draw": "drawing", "erase": "erasing"}[tool]
    for name in ("accept", "reject", "next", "previous"):
        assert f"You are {doing}, and no branch is asked about" in asked(app, name)
        app.do({"do": name, "seen": deciding})
        assert f"You are {doing} meanwhile, no longer deciding" in app.error
    app.do({"do": "click", "row": 3, "column": 9, "seen": seen(app, at(app, BRIDGE)) | deciding})
    assert "no longer deciding" in app.error
    assert (app.chosen, app.points, app._skipped) == (chosen, [], [])
    app.do({"do": "click", "row": 3, "column": 9, "seen": seen(app)})
    assert app.points == [(3, 9)]
    app.cancel()
    app.cancel()
    app.do({"do": "put", "row": 3, "column": 9, "seen": deciding | {"tool": tool}})
    assert f"You are deciding meanwhile, no longer {doing}" in app.error
    assert lines(tmp_path / "a.jsonl") == []


def test_what_was_done_last_is_undone_only_if_it_was_seen(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    asked(app, "accept")
    before = seen(app)
    app.reject()  # another page, or a cell
    app.do({"do": "undo", "seen": before})
    assert app.error == "Something else was done meanwhile; nothing was changed. Try again"
    app.session.accept(at(app, SPECK))  # behind the app's back
    app.do({"do": "undo", "seen": seen(app)})
    assert "Something else was done meanwhile" in app.error
    assert lines(tmp_path / "a.jsonl") == ["accept", "reject", "accept"]
    # Requests on their way are known: what they do is seen in advance.
    before = seen(app)
    app.do({"do": "undo", "seen": before})
    app.do({"do": "undo", "seen": before | {"turn": before["turn"] + 1}})
    assert app.error == ""
    # One of them was refused: what follows is not what was meant.
    before = seen(app)
    app.do({"do": "choose", "branch": 999, "seen": before})
    app.do({"do": "undo", "seen": before | {"turn": before["turn"] + 1}})
    assert "Something else was done meanwhile" in app.error
    app.take("draw")
    app.put(1, 1)
    before = seen(app)
    app.put(1, 5)
    app.do({"do": "finish", "seen": before})
    assert "Something else was done meanwhile" in app.error
    assert app.points == [(1, 1), (1, 5)]


def test_all_that_is_done_is_one_turn_and_what_is_refused_is_none():
    app = desk()
    reach = {"row": 3, "column": 9}
    for do, given in (
        ("accept", {}), ("reject", {}), ("next", {}), ("previous", {}), ("choose", {"branch": 2}),
        ("undo", {}), ("redo", {}), ("redo", {}), ("learn", {}), ("sort", {"order": "doubt"}),
        ("take", {"tool": "draw"}), ("put", reach), ("put", reach), ("drop", {}), ("drop", {}),
        ("click", reach), ("widen", {"radius": 2}), ("finish", {}), ("cancel", {}),
    ):  # fmt: skip
        before = app.turn
        assert asked(app, do, **given) == ""
        assert app.turn == before + 1, do
    before, told = app.turn, []
    app.watch(lambda: told.append(app.error))
    assert asked(app, "export") != ""
    assert (app.turn, told) == (before, [app.error])


def test_it_is_told_what_was_undone():
    app = desk()
    first = app.chosen
    app.accept()
    app.reject()
    app.undo()
    app.undo()
    assert app.note == f"Branch {first + 1} is open again."
    app.redo()
    assert app.note == f"Branch {first + 1} is accepted again."
    app.session.reject([0, 1, 2])
    app.refresh()
    app.undo()
    assert app.note.endswith("again, and 2 more have changed.")
    app.take("draw")
    app.put(1, 1)
    app.finish()
    app.undo()
    assert app.note == "A line was taken back."
    app.redo()
    assert app.note == "A line is there again."


# --- Opening again -------------------------------------------------------------------------------


def test_a_cell_can_be_run_again_and_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    first = AnnotationApp.open(IMAGE, IMAGE, path, radius=0)
    first.click(*BRIDGE, reject=True)
    told = []
    first.watch(lambda: told.append(first.describe()))
    second = AnnotationApp.open(IMAGE, IMAGE, path, radius=0)
    assert second.session.decisions.tolist() == first.session.decisions.tolist()
    assert "was closed here. Everything is saved" in told[-1]
    assert "the session is closed" in asked(first, "accept")
    second.click(*BRIDGE)
    assert second.session.decisions[at(second, BRIDGE)] == 1


def test_a_session_of_another_process_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    code = (
        "import sys, time\n"
        "from toposeg_lite.annotation.journal import Journal\n"
        "journal = Journal(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(BlockingIOError, match="is open in another session"):
            AnnotationApp.open(IMAGE, IMAGE, path, radius=0)
    finally:
        other.kill()
        other.communicate()
    assert AnnotationApp.open(IMAGE, IMAGE, path, radius=0).session.progress().actions == 0


def test_a_bad_picture_leaves_the_journal_free(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(ValueError, match="picture must have shape") as caught:
        AnnotationApp.open(IMAGE, IMAGE, path, picture=IMAGE[1:])
    AnnotationSession(IMAGE, IMAGE, path).close()
    del caught  # until here its frames keep the session that was opened: the door has to close it


def test_an_app_that_is_gone_is_not_kept(tmp_path):
    app = desk(tmp_path / "a.jsonl")
    place = app.session.path.resolve()
    assert module._AT_WORK[place] is app
    app.session.close()
    del app
    gc.collect()
    assert place not in module._AT_WORK


def test_lines_that_cannot_be_read_are_told(tmp_path):
    path = tmp_path / "a.jsonl"
    desk(path).click(*BRIDGE)
    gc.collect()
    with path.open("a") as file:
        file.write('{"do": "acc')
    with pytest.warns(UserWarning, match="1 of its lines"):
        app = desk(path)
    assert "1 lines of the journal could not be read" in app.describe()
    assert app.session.decisions[at(app, BRIDGE)] == 1


# --- What there is to see ------------------------------------------------------------------------


def test_describe_counts_and_says_where_it_is_saved(tmp_path):
    app = desk(tmp_path / "eye.jsonl")
    app.click(*BRIDGE, reject=True)
    app.click(*UPPER)
    app.take("draw")
    app.put(1, 1)
    app.finish()
    app.put(2, 2)
    undecided = len(app.session.branches) - 2
    assert app.describe() == (
        f"Drawing a line: 1 point. 1 accepted, 1 rejected, {undecided} open; 1 drawn, 0 erased. "
        "Saved: 3 actions in eye.jsonl."
    )
    app.take("decide")
    upper = at(app, UPPER)
    chance, size = app.session.probability[upper], len(app.session.branches.paths[upper])
    assert app.describe().startswith(
        f"Branch {upper + 1} of {undecided + 2} is accepted. The model says {100 * chance:.0f} % "
        f"that it is real; it is {size} pixels long. Rejecting it would take 2 pixels from the "
    )
    assert "Kept nowhere: 0 actions" in desk().describe()


@pytest.mark.parametrize(
    ("pixel", "said"),
    [
        (BRIDGE, "Accepting it would add 3 pixels to the mask; rejecting it changes nothing."),
        (SPECK, "Rejecting it would take 1 pixel from the mask; accepting it changes nothing."),
        (UPPER, "Accepting it would add 1 pixel to the mask, rejecting it take 1 pixel away."),
    ],
)
def test_describe_says_what_is_at_stake(pixel, said):
    app = desk()
    app.choose(at(app, pixel))
    assert said in app.describe()
    app.session.erase([pixel], radius=30)
    assert "Neither answer would change the mask." in app.describe()
    app.take("draw")
    assert "mask" not in app.describe()


def numbers(content, kind):
    return np.frombuffer(content, kind).tolist()


def test_the_view_holds_what_the_browser_needs():
    app = desk()
    view = app.view()
    paths = app.session.branches.paths
    assert view.shape == list(IMAGE.shape)
    assert numbers(view.sizes, "<i4") == [len(path) for path in paths]
    assert numbers(view.paths, "<i4") == np.concatenate(paths).tolist()
    picture = np.array(Image.open(io.BytesIO(view.picture)))
    assert (picture == figures.picture_colours(IMAGE)).all()
    what = seen(app, at(app, BRIDGE))
    view._take(view, {"do": "click", "row": 3, "column": 9, "id": 7, "seen": what}, [])
    app.take("draw")  # from another cell: the view hears of it
    app.put(2, 2)
    app.finish()
    app.put(8, 8)
    assert view.done == 7
    assert numbers(view.decisions, np.int8) == app.session.decisions.tolist()
    assert np.allclose(numbers(view.probability, "<f4"), app.session.probability)
    bits = np.frombuffer(zlib.decompress(view.mask), np.uint8)
    mask = np.unpackbits(bits)[: IMAGE.size].reshape(IMAGE.shape)
    assert (mask == app.session.mask()).all()
    assert numbers(view.preview, "<i4") == [8 * 15 + 8]
    assert (view.added, view.removed) == (b"", b"")  # nothing is asked while one draws
    (stroke,) = view.strokes
    assert numbers(stroke["path"], "<i4") == [2 * 15 + 2]
    assert view.state["chosen"] == at(app, BRIDGE)
    assert view.state["points"] == [[8, 8]]
    assert view.state["progress"]["accepted"] == 1
    assert view.state["saved"] == app.saved()
    json.dumps(view.state)
    app.take("decide")
    added, removed = app.session.effect(at(app, BRIDGE))
    assert len(removed) == 3
    assert numbers(view.removed, "<i4") == removed.tolist()
    app.undo()  # the stroke
    app.undo()
    added, removed = app.session.effect(at(app, BRIDGE))
    assert numbers(view.added, "<i4") == added.tolist() == [9 + 15 * row for row in (2, 3, 4)]


def test_the_browser_knows_the_signs_of_the_figures():
    kinds = {kind["decision"]: kind for kind in desk().view().kinds}
    assert kinds[1]["colour"] == figures.RAISED
    assert kinds[-1]["colour"] == figures.LOWERED
    assert kinds[1]["dash"] == []
    signs = re.search(
        r"const HINTS = (.*?);", (Path(module.__file__).parent / "view.js").read_text()
    )
    assert json.loads(signs[1]) == [["removed", figures.LOWERED], ["added", figures.RAISED]]
    assert len({tuple(kind["dash"]) for kind in kinds.values()}) == 3  # not by colour alone
    assert len({kind["width"] for kind in kinds.values()}) == 3


def test_show_displays_a_widget_a_picture_and_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    app = desk()
    app.show()
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["text/plain"] == app.describe() == metadata["image/png"]["alt"]
    assert data["image/png"].startswith("iVBOR")
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_the_picture_is_the_static_twin():
    app = desk()
    app.click(*BRIDGE)
    figure = app.picture()
    assert isinstance(figure, Figure)
    undecided = len(app.session.branches) - 1
    assert figure.axes[0].get_title() == f"1 accepted, 0 rejected, {undecided} open"
    shown = figure.axes[1].images[0].get_array()
    assert (np.asarray(shown) == app.session.mask()).all()


def test_another_picture_is_shown_in_place_of_the_image():
    colours = np.random.default_rng(0).random((3, *IMAGE.shape))
    app = AnnotationApp(begin(), picture=colours)
    shown = np.array(Image.open(io.BytesIO(app.view().picture)))
    assert (shown == figures.picture_colours(colours)).all()
    drawn = app.picture().axes[0].images[0].get_array()
    assert (np.asarray(drawn) == shown).all()


# --- Figures -------------------------------------------------------------------------------------


def test_colours_of_pictures():
    grey = figures.picture_colours([[2, 4], [3, 6]])
    assert grey[..., 1].tolist() == [[0, 128], [64, 255]]
    assert (grey == grey[..., :1]).all()
    colours = figures.picture_colours([[[0.0]], [[0.5]], [[1.0]]])
    assert colours.tolist() == [[[0, 128, 255]]]
    mean = figures.picture_colours([[[0.0, 1.0]], [[2.0, 1.0]]])  # two channels: the same mean
    assert mean.max() == 0
    assert figures.picture_colours([[True, False]])[0, :, 0].tolist() == [255, 0]


def line_with(ax, colour, **style):
    def fits(line):
        return all(getattr(line, f"get_{name}")() == value for name, value in style.items())

    lines = [line for line in ax.lines if line.get_color() == colour and fits(line)]
    return np.concatenate([line.get_xydata() for line in lines])


def test_each_decision_has_its_own_line():
    paths = [np.array([0, 1, 2]), np.array([5, 6]), np.array([10, 11, 12, 13])]
    ax = figures.annotated_image(np.eye(5), paths, [1, -1, 0], drawn=[np.array([20, 21])])
    assert ax.get_title() == "1 accepted, 1 rejected, 1 open"
    accepted = line_with(ax, figures.RAISED, linestyle="-")
    assert accepted[:3].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert len(accepted) == 4  # and the gap that ends it
    rejected = line_with(ax, figures.LOWERED, marker="None")
    assert rejected[:2].tolist() == [[0, 1], [1, 1]]
    assert line_with(ax, figures.LOWERED, marker="x")[0].tolist() == [1, 1]
    assert line_with(ax, "#FFFFFF", marker="None")[:4].tolist() == [[0, 2], [1, 2], [2, 2], [3, 2]]
    assert line_with(ax, figures.TRUTH)[:2].tolist() == [[0, 4], [1, 4]]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["open", "rejected", "accepted", "drawn"]


def test_the_branch_that_is_asked_about_has_a_frame():
    paths = [np.array([0, 1]), np.array([8])]
    ax = figures.annotated_image(np.eye(3), paths, [0, 0], chosen=1)
    frame = line_with(ax, "black")
    assert frame[0].tolist() == [2, 2]
    plain = figures.annotated_image(np.eye(3), paths, [0, 0])
    assert "asked now" not in [text.get_text() for text in plain.get_legend().get_texts()]


def test_a_journal_that_cannot_be_written_says_so_on_the_screen(tmp_path, monkeypatch):
    path = tmp_path / "eye.jsonl"
    AnnotationApp.open(IMAGE, IMAGE, path, radius=0).close()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.warns(UserWarning, match="cannot be written"):
        app = AnnotationApp.open(IMAGE, IMAGE, path, radius=0)
    assert "No space left" in app.describe()
    assert "actions are refused" in app.describe()
    app.do({"do": "accept", "seen": seen(app)})
    assert app.error.startswith("NOT saved, and not done: ")
    assert "eye.jsonl" in app.error
    app.close()
