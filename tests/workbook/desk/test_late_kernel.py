"""A hand is faster than the kernel: keys and clicks while answers come up to 3 s late."""

from __future__ import annotations

import numpy as np
import pytest
from jupyter_browser import ARTEFACTS
from late_kernel import LATEST, Hand, at_the_desk, blank

ACTIONS = 25  # of a hand, in a sequence


def run(tmp_path, seeds):
    """Run sequences; return how many actions they have left in the journals."""
    total = 0
    with blank(tmp_path) as (page, problems):
        for seed in seeds:
            hand = Hand(page, problems, tmp_path, seed)
            try:
                for _ in range(ACTIONS):
                    hand.act()
                total += hand.rest()
            except BaseException:
                ARTEFACTS.mkdir(exist_ok=True)
                log = "\n".join(str(line) for line in hand.log)
                (ARTEFACTS / "late-kernel.txt").write_text(f"seed {seed}\n{log}\n")
                print(f"seed {seed}", *hand.log[-12:], sep="\n")
                raise
            finally:
                hand.close()
    return total


def resize(hand, width, height):
    """Give the window another size, and wait until the canvas has that of its place."""
    hand.page.set_viewport_size({"width": width, "height": height})
    fits = """([width, height]) => {
        const canvas = document.querySelector(".stage canvas");
        return innerWidth === width && innerHeight === height
            && canvas.width === canvas.clientWidth && canvas.height === canvas.clientHeight;
    }"""
    for _ in range(1000):
        if hand.page.evaluate(fits, [width, height]):
            return
    raise AssertionError("the canvas does not follow")


def where(hand):
    """Return middle and scale of what is shown, as row, column, pixels of the screen a pixel."""
    hand.advance(1000)
    look = hand.page.evaluate("wire.get('look')")
    _, _, width, height = hand.look()["stage"]
    scale = look["scale"]
    return look["y"] + height / scale / 2, look["x"] + width / scale / 2, scale


def is_shown(hand, branch):
    (row, column, scale), (_, _, width, height) = where(hand), hand.look()["stage"]
    path = hand.app.session.branches.paths[branch]
    rows, columns = np.unravel_index(path, hand.app.session.shape)
    across = abs(columns + 0.5 - column).max() * scale < width / 2
    return bool(across and abs(rows + 0.5 - row).max() * scale < height / 2)


@pytest.mark.browser
def test_another_size_keeps_the_middle_and_the_branch_that_is_asked_about(tmp_path):
    with at_the_desk(tmp_path) as hand:
        height, width = hand.app.session.shape
        resize(hand, 800, 900)  # while the whole image is shown: it still is
        assert np.allclose(where(hand)[:2], [height / 2, width / 2], atol=0.01)
        resize(hand, 1440, 900)
        assert np.allclose(where(hand)[:2], [height / 2, width / 2], atol=0.01)
        hand.page.locator(".stage canvas").focus()
        hand.expect(None, None)
        for _ in range(4):
            hand.key("+")
        before = where(hand)
        resize(hand, 1300, 900)
        assert np.allclose(before, where(hand), atol=0.01)  # the screen has whole pixels
        # Branches at the sides would leave a picture that becomes narrower.
        paths = hand.app.session.branches.paths
        for branch in sorted(range(len(paths)), key=lambda k: paths[k].min() % width)[::6]:
            resize(hand, 1440, 900)
            hand.app.choose(branch)
            hand.tell()
            assert is_shown(hand, branch)
            resize(hand, 800, 900)
            assert is_shown(hand, branch), branch


@pytest.mark.browser
@pytest.mark.parametrize(("size", "room"), [((1440, 900), 1200), ((1024, 700), 880)])
def test_what_one_decides_by_is_in_view(tmp_path, size, room):
    """JupyterLab's bars take 115 pixels of the height."""
    with at_the_desk(tmp_path, size) as hand:
        hand.page.evaluate("room => (document.body.style = `margin:0; width:${room}px`)", room)
        hand.advance(100)
        for part in (".stage", ".card", ".queue", "[role=status]", ".saved", ".legend"):
            box = hand.page.locator(f".toposeg-desk {part}").bounding_box()
            assert box["y"] + box["height"] < size[1] - 115, part
            assert box["x"] + box["width"] <= room, part
        # The picture may not lose its place to what a tool needs.
        before = hand.look()["stage"]
        hand.app.take("draw")
        hand.app.do({"do": "finish", "seen": {"tool": "draw", "turn": hand.app.turn}})
        hand.tell()
        hand.advance(100)
        assert hand.look()["alert"]
        assert hand.look()["stage"] == before


@pytest.mark.browser
def test_what_the_browser_draws_is_dark_on_a_dark_page(tmp_path):
    scheme = "getComputedStyle(document.querySelector('.toposeg-desk [type=range]')).colorScheme"
    with at_the_desk(tmp_path) as hand:
        assert "dark" not in hand.page.evaluate(scheme)
        hand.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        assert hand.page.evaluate(scheme) == "dark"


@pytest.mark.browser
def test_an_answer_takes_neither_the_focus_nor_a_click_away(tmp_path):
    with at_the_desk(tmp_path) as hand:
        hand.focus_on(".stage canvas")
        hand.key("ArrowRight")
        first = hand.app.chosen
        hand.key("r")
        hand.focus_on(".queue button:nth-child(4)")
        fourth = hand.app.queue()[3]
        hand.wait()  # `look` sees after each answer that the focus has stayed
        hand.key("Enter")
        hand.key("x")  # the cross is forgotten
        hand.wait()
        assert hand.app.chosen == fourth
        hand.focus_on(".stage canvas")
        assert not hand.look()["cross"]
        hand.key("Enter")
        hand.key("a")
        hand.advance(32)
        # A button of the queue, pressed before the answer and let go after it.
        last = [b for b in hand.look()["buttons"] if b["inQueue"]][-1]
        look, _ = hand.mouse(last["at"], pause=2 * LATEST)
        assert not hand.wire
        hand.button(last["name"], hand.seen(look), True)
        hand.wait()
        assert f"Branch {hand.app.chosen + 1}, " in last["name"]
        assert hand.done() == [("reject", first), ("accept", fourth)]


@pytest.mark.browser
def test_nothing_is_decided_beyond_the_end_nor_by_a_key_that_is_held(tmp_path):
    with at_the_desk(tmp_path) as hand:
        hand.focus_on(".stage canvas")
        hand.key("ArrowRight")
        one = hand.app.chosen
        hand.key("a", 4)
        hand.wait()
        two = hand.app.chosen
        hand.key("r")
        hand.wait()
        for name, count in (("Undo", 4), ("Redo", 4)):
            hand.focus_on(f"button:text('{name}')")
            for _ in range(count):
                hand.key("Enter", 3)
                hand.wait()
        hand.key("d")
        hand.wait()
        hand.focus_on("button:text('Finish the line')")
        hand.key("Enter", 3)
        hand.key("Escape")
        hand.wait()
        hand.key("Enter")  # the button is without a use, but it still has the focus
        hand.focus_on("button.yes")
        three = hand.app.chosen
        hand.key("Enter", 10)
        hand.wait()
        undone, redone = [("undo",)] * 2, [("redo",)] * 2
        decided = [("accept", one), ("reject", two)]
        assert hand.done() == [*decided, *undone, *redone, ("accept", three)]


@pytest.mark.browser
def test_what_comes_before_the_answer_does_not_turn_a_decision_round(tmp_path):
    with at_the_desk(tmp_path) as hand:
        hand.focus_on(".stage canvas")
        one = hand.app.chosen
        hand.key("a")
        hand.key("r")
        assert f"Branch {one + 1} is being saved" in hand.look()["alert"]
        hand.key("n")  # the question that is put off is not the one that was seen
        hand.wait()
        two = hand.app.chosen
        assert f"Branch {two + 1} is asked about meanwhile" in hand.look()["alert"]
        # The question changes while a finger is on the button that answers it.
        hand.key("n")
        yes = [b for b in hand.look()["buttons"] if b["name"] == "Accept"]
        look, _ = hand.mouse(yes[0]["at"], pause=2 * LATEST)
        assert hand.app.chosen != two
        hand.button("Accept", hand.seen(look), True)
        hand.wait()
        assert "is asked about meanwhile" in hand.look()["alert"]
        assert hand.done() == [("accept", one)]


@pytest.mark.browser
def test_what_is_typed_or_chosen_stays_whatever_is_answered(tmp_path):
    with at_the_desk(tmp_path) as hand:
        order = hand.page.locator(".toposeg-desk select")
        hand.focus_on(".stage canvas")
        hand.key("n")
        hand.key("z")
        seen = hand.seen(hand.look())
        order.select_option("doubt")
        hand.expect(("sort",), seen)
        while hand.wire:
            hand.advance(100)
            assert order.input_value() == "doubt"
        hand.focus_on(".stage canvas")
        hand.key("d")
        hand.wait()
        for key in (" ", " ", "ArrowRight", " ", "ArrowRight", " "):
            hand.key(key)  # a line of three points, of which none is answered
        hand.focus_on("input[type=number]")
        hand.page.keyboard.press("Control+a")
        hand.page.keyboard.type("7.5")
        hand.advance(hand.wire[0][0] - hand.now)
        assert len(hand.wire) == 2
        assert hand.look()["radius"] == "7.5"
        seen = hand.seen(hand.look())
        hand.page.keyboard.press("Tab")
        hand.expect(("widen", 7.5), seen)
        while hand.wire:
            hand.advance(100)
            assert hand.look()["radius"] == "7.5"
        assert hand.app.radius == 7.5
        # What is no number is given back, with a word.
        hand.focus_on("input[type=number]")
        hand.page.keyboard.press("Control+a")
        hand.page.keyboard.press("Delete")
        hand.page.keyboard.press("Tab")
        hand.expect(None, None)
        look = hand.look()
        assert look["radius"] == "7.5"
        assert "must be a number of pixels" in look["alert"]


def turn_away(hand):
    """Have a cell choose a branch that is out of sight."""
    hand.app.choose(next(k for k in range(len(hand.app.session.branches)) if not is_shown(hand, k)))
    hand.witness.turn += 1
    hand.tell()
    assert is_shown(hand, hand.app.chosen)


def find_a_branch(hand):
    """Move the pointer until it is on a branch; return where that is on the screen."""
    x, y, width, height = hand.look()["stage"]
    for part in np.random.default_rng(0).uniform(0.1, 0.9, (500, 2)):
        at = x + part[0] * width, y + part[1] * height
        hand.page.mouse.move(*at)
        if hand.look()["tip"]:
            return at
    raise AssertionError("no branch is in sight")


@pytest.mark.browser
def test_nothing_is_decided_where_nobody_has_looked_since_the_picture_turned(tmp_path):
    with at_the_desk(tmp_path) as hand:
        hand.focus_on(".stage canvas")
        for _ in range(4):
            hand.key("+")
        hand.key("ArrowRight")
        hand.advance(32)
        assert hand.look()["cross"]
        turn_away(hand)
        assert not hand.look()["cross"]
        hand.key("Enter")
        hand.advance(32)
        assert hand.look()["cross"]  # there it is to be seen again
        find_a_branch(hand)
        hand.advance(32)
        assert not hand.look()["cross"]
        turn_away(hand)
        hand.page.mouse.down()
        hand.page.mouse.up()
        hand.expect(None, None)
        assert "The picture has turned" in hand.look()["alert"]
        hand.advance(1000)
        # A double click counts once, with a late kernel and with a quick one.
        hand.key("0")
        for hand.latest in (LATEST, 0):
            find_a_branch(hand)
            seen = hand.under(hand.look())
            for what in (("click", False), None):
                hand.page.mouse.down()
                hand.page.mouse.up()
                hand.expect(what, seen)
                hand.advance(100)
            hand.told()
            hand.wait()
            hand.advance(500)
        assert [name for name, _ in hand.done()] == ["accept", "reject"]


@pytest.mark.browser
def test_nothing_is_called_saved_before_it_is(tmp_path):
    """Not even what is no decision: a line, and what is undone or done again."""
    with at_the_desk(tmp_path) as hand:
        hand.focus_on(".stage canvas")
        hand.key("a")
        for key in ("z", "y"):
            hand.wait()
            hand.advance(1100)
            assert "Saved" in hand.look()["saved"]
            hand.key(key)
            assert hand.look()["saved"] == "… Saving"
        hand.wait()
        hand.key("d")
        hand.wait()
        assert "Saved" in hand.look()["saved"]  # to take a pen is nothing to save
        x, y, width, height = hand.look()["stage"]
        look, _ = hand.mouse((x + width / 2, y + height / 2))
        hand.expect(("put",), hand.seen(look))
        hand.wait()
        hand.key("Enter")
        assert hand.look()["saved"] == "… Saving"
        hand.wait()
        assert hand.look()["saved"].endswith(hand.app.saved())
        assert hand.app.session.progress().drawn == 1


@pytest.mark.browser
def test_two_pages_do_not_answer_each_other(tmp_path):
    """A request of another page is answered first: that of this one still waits."""
    with at_the_desk(tmp_path) as hand:
        hand.page.locator(".stage canvas").focus()
        hand.expect(None, None)
        hand.key("a")
        asked = hand.app.chosen
        assert hand.is_saving(asked)
        for other in (2**20, 2**50):  # numbers below and above
            hand.view.done = other
            hand.tell()
            assert hand.look()["saved"] == "… Saving"
            assert hand.page.locator(".toposeg-desk").get_attribute("data-waiting") == "1"
        hand.advance(LATEST)
        assert hand.app.session.decisions[asked] == 1
        assert "Saved: 1 action" in hand.look()["saved"]


@pytest.mark.browser
def test_what_a_hand_meant_is_done_however_late_the_kernel_answers(tmp_path):
    assert run(tmp_path, range(10)) > 20


@pytest.mark.browser
@pytest.mark.nightly
def test_what_a_hand_meant_is_done_in_500_sequences(tmp_path):
    assert run(tmp_path, range(1000, 1500)) > 1000
