"""A hand at the screen of an `AnnotationApp`, and a kernel behind it that answers late.

The front end runs in a real Chromium, the app in this process; the wire between them is here, so
that it can be as slow as it likes: time is that of a clock which the test moves, in the page as on
the wire. What the person saw is read from the page when the hand goes down. From that alone a
`Witness` says by rules of its own what must come of it, on a session of its own.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jupyter_browser import chromium
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession
from toposeg_lite.data import synthetic
from toposeg_lite.workbook import desk
from toposeg_lite.workbook.desk import AnnotationApp

LATEST = 3000  # milliseconds: how late an answer may be
VERDICTS = {"accept": 1, "reject": -1}
DECISIONS = {"open": 0, "accepted": 1, "rejected": -1}

# A widget's model as anywidget hands it to a front end, whose messages wait to be fetched.
PAGE = """
async ([code, style, values]) => {
    const plain = (value) => {
        if (Array.isArray(value)) return value.map(plain);
        if (typeof value !== "object" || value === null) return value;
        if (value.bytes !== undefined)
            return new DataView(Uint8Array.from(atob(value.bytes), (c) => c.charCodeAt(0)).buffer);
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
    };
    const listeners = new Map();
    const held = new Map(Object.entries(plain(values)));
    const model = {
        outbox: [],
        get: (name) => held.get(name),
        set: (name, value) => held.set(name, value),
        save_changes() {},
        send: (message) => model.outbox.push(message),
        on: (name, f) => listeners.set(name, [...(listeners.get(name) ?? []), f]),
        off: () => listeners.clear(),
    };
    window.deliver = async (news) => {
        for (const [name, value] of Object.entries(plain(news))) held.set(name, value);
        for (const name of Object.keys(news))
            for (const f of listeners.get(`change:${name}`) ?? []) f();
        for (let k = 0; k < 20; k++) await null;
    };
    window.end?.();
    window.focused = undefined;
    document.body.innerHTML = "";
    document.head.innerHTML = "";
    const sheet = document.createElement("style");
    sheet.textContent = style;
    document.head.append(sheet);
    const el = document.createElement("div");
    document.body.append(el);
    window.desk ??= await import(
        URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    window.end = window.desk.default.render({ model, el });
    window.wire = model;
}
"""
READY = "document.querySelector('.toposeg-desk h4').textContent !== ''"
LOOK = """
() => {
    const root = document.querySelector(".toposeg-desk");
    const text = (selector) => root.querySelector(selector).textContent;
    const buttons = [...root.querySelectorAll("button")].map((one) => {
        const box = one.getBoundingClientRect();
        return {
            name: one.getAttribute("aria-label") ?? one.firstChild.textContent.trim(),
            pressed: one.getAttribute("aria-pressed") === "true",
            can: one.getAttribute("aria-disabled") !== "true",
            there: one.checkVisibility({ checkVisibilityCSS: true }),
            inQueue: one.closest(".queue") !== null,
            focused: one === document.activeElement,
            at: [box.x + box.width / 2, box.y + box.height / 2],
        };
    });
    const canvas = root.querySelector(".stage canvas");
    const stage = canvas.getBoundingClientRect();
    const tip = root.querySelector(".tip");
    const moved = window.focused !== undefined && window.focused !== document.activeElement;
    return {
        title: text("h4"), alert: text("[role=alert]"), saved: text(".saved"),
        status: text("[role=status]"), tip: tip.hidden ? "" : tip.textContent, buttons,
        cross: root.dataset.cross, radius: root.querySelector("input[type=number]").value,
        onCanvas: document.activeElement === canvas,
        onField: document.activeElement.matches("input, select"),
        inside: root.contains(document.activeElement),
        moved: moved && document.activeElement.outerHTML.slice(0, 200),
        stage: [stage.x, stage.y, stage.width, stage.height],
    };
}
"""


def vessels():
    image = synthetic.vessels(seed=5, shape=(64, 80)).image[1]
    dark = ndimage.gaussian_filter(ndimage.gaussian_filter(image, 12) - image, 1)
    return image, np.clip(dark / np.quantile(dark, 0.98), 0, 1).astype(np.float32)


def packed(value):
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def strokes_packed(values):
    strokes = [one | {"path": packed(one["path"])} for one in values["strokes"]]
    return {name: packed(value) for name, value in values.items()} | {"strokes": strokes}


def actions(path):
    """Return the lines of a journal without times and numbers of processes."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    dropped = {"time", "check"}
    return [
        {key: value for key, value in record.items() if key not in dropped}
        for record in records
        if record.get("do", "open") != "open"
    ]


class Refused(Exception):
    """What was asked must not be done, and the person must be told."""


class Witness:
    """Says what must come of what a person saw and did, on a session of its own."""

    def __init__(self, session):
        self.session, self.tool, self.points, self.turn = session, "decide", [], 0
        self.radius = session.settings["radius"]

    def do(self, what, seen, chosen):
        """Do what is meant; `chosen` is the branch that is asked about now."""
        name, *about = what
        if self.is_repeated(name, seen):
            pass
        elif name in ("accept", "reject", "click"):
            self.judge(name, about, seen, chosen)
        elif name in ("undo", "redo"):
            if seen["turn"] != self.turn:
                raise Refused
            getattr(self.session, name)()
        elif name in ("next", "previous"):
            if not self.tool == seen["tool"] == "decide":
                raise Refused
            if name == "next" and seen["branch"] != chosen:
                raise Refused
        elif name == "take":
            self.tool, self.points = about[0], []
        elif name == "put":
            if self.tool != seen["tool"]:
                raise Refused
            if self.points[-1:] != [about[0]]:
                self.points.append(about[0])
        elif name == "drop":
            del self.points[-1:]
        elif name == "cancel":
            self.tool, self.points = (self.tool if self.points else "decide"), []
        elif name == "finish":
            if self.tool != seen["tool"] or seen["turn"] != self.turn or not self.points:
                raise Refused
            act = self.session.draw if self.tool == "draw" else self.session.erase
            act(self.points, radius=self.radius)
            self.points = []
        elif name == "widen":
            self.radius = about[0]
        elif name == "learn":
            self.session.learn()
        else:
            assert name in ("choose", "export", "sort")
        self.turn += 1

    def elsewhere(self, name, *about):
        """Do what another page or a cell does, which sees all."""
        if name == "take":
            self.tool, self.points = about[0], []
        elif name == "undo" or self.session.decisions[about[0]] != VERDICTS[name]:
            getattr(self.session, name)(*about)
        self.turn += 1

    def is_repeated(self, name, seen):
        """Tell whether a verdict says again what the person did not see to be decided yet."""
        if name not in VERDICTS:
            return False
        return VERDICTS[name] == self.session.decisions[seen["branch"]] != seen["decision"]

    def judge(self, name, about, seen, chosen):
        branch = seen["branch"]
        if not self.tool == seen["tool"] == "decide":
            raise Refused
        if branch is None:  # a click on nothing
            return
        if self.session.decisions[branch] != seen["decision"]:
            raise Refused
        if name != "click" and branch != chosen:
            raise Refused
        reject = name == "reject" or (name == "click" and (about[0] or seen["decision"] == 1))
        if self.session.decisions[branch] != (-1 if reject else 1):
            (self.session.reject if reject else self.session.accept)(branch)


class Hand:
    """A person at the screen of an app, and the late kernel behind it."""

    def __init__(self, page, problems, folder, seed):
        self.page, self.problems, self.rng = page, problems, np.random.default_rng(seed)
        image, likelihood = vessels()
        self.path = folder / f"{seed}.jsonl"
        self.app = AnnotationApp(AnnotationSession(image, likelihood, self.path))
        self.view = self.app.view()
        twin = AnnotationSession(image, likelihood, folder / f"{seed}.twin.jsonl")
        self.witness = Witness(twin)
        self.log = []
        self.now = self.free = 0.0  # the moment, and the one from which the kernel is free
        self.wire = deque()  # what the kernel has to do: moment, request, what, seen
        self.latest = LATEST
        source = Path(desk.__file__).parent
        code, style = (source.joinpath(f"view.{kind}").read_text() for kind in ("js", "css"))
        self.sent = strokes_packed(self.traits())
        page.evaluate(PAGE, [code, style, self.sent])
        for _ in range(1000):  # the picture is decoded beside the clock
            if page.evaluate(READY):
                break
        self.known_turn = self.witness.turn = self.app.turn
        self.advance(100)

    def traits(self):
        names = [name for name in self.view.keys if not name.startswith("_")]
        state = self.view.get_state(names)
        return {
            name: state[name] for name in names if name not in ("layout", "tabbable", "tooltip")
        }

    # --- Time ------------------------------------------------------------------------------

    def advance(self, duration):
        """Let time pass, and the kernel answer."""
        end = self.now + duration
        while self.wire and self.wire[0][0] <= end:
            self.run_to(self.wire[0][0])
            self.answer(*self.wire.popleft()[1:])
        self.run_to(end)

    def run_to(self, moment):
        if moment > self.now:
            self.page.clock.run_for(round(moment) - round(self.now))
            self.now = moment

    def answer(self, request, what, seen):
        """Have the kernel do what it is asked, see that it is right, and tell the page."""
        chosen, was_refused = self.app.chosen, False
        if request is None:  # another page, or a cell
            name, *about = what
            getattr(self.app, name)(*about)
            self.witness.elsewhere(name, *about)
        else:
            self.view._take(self.view, request, [])
            try:
                self.witness.do(what, seen, chosen)
            except Refused:
                was_refused = True
        self.log.append(("answer", what, seen, self.app.error))
        told = f"{self.app.error!r}: refused is {was_refused}"
        assert request is None or bool(self.app.error) == was_refused, told
        app, witness = self.app, self.witness
        assert app.session.decisions.tolist() == witness.session.decisions.tolist()
        assert (app.tool, app.points, app.turn) == (witness.tool, witness.points, witness.turn)
        assert app.radius == witness.radius
        self.tell()
        if was_refused:
            assert self.look()["alert"], "refused without a word"

    def tell(self):
        """Tell the page what is new."""
        traits = strokes_packed(self.traits())
        news = {name: value for name, value in traits.items() if value != self.sent[name]}
        news.pop("look", None)
        self.sent |= news
        self.page.evaluate("news => deliver(news)", news)
        assert self.problems == []
        self.known_turn = self.app.turn
        self.look()

    def look(self):
        look = self.page.evaluate(LOOK)
        assert not look["moved"], f"the screen has moved the focus to {look['moved']}"
        own = sum(request is not None for _, request, _, _ in self.wire)
        return look | {"turn": self.known_turn + own}

    # --- What a person sees ----------------------------------------------------------------

    def seen(self, look):
        """Return what a person sees: the tool, the branch that is asked about, its decision."""
        tools = {"Decide": "decide", "Draw": "draw", "Erase": "erase"}
        (tool,) = (tools[b["name"]] for b in look["buttons"] if b["name"] in tools and b["pressed"])
        seen = {"tool": tool, "branch": None, "decision": None, "turn": look["turn"]}
        if tool == "decide":
            branch, state = re.match(r"Branch (\d+) of \d+: (\w+)", look["title"]).groups()
            seen |= {"branch": int(branch) - 1, "decision": DECISIONS[state]}
        else:
            assert "Branch" not in look["title"]
        return seen

    def under(self, look):
        """Return what a person sees under the pointer or the cross."""
        seen = self.seen(look) | {"branch": None, "decision": None}
        if look["tip"]:
            branch, state = re.match(r"branch (\d+): (\w+)", look["tip"]).groups()
            seen |= {"branch": int(branch) - 1, "decision": DECISIONS[state]}
        return seen

    def is_saving(self, branch):
        """Tell whether a decision about a branch has no answer yet."""
        return any(
            request is not None and what[0] in ("accept", "reject", "click")
            and seen["branch"] == branch
            for _, request, what, seen in self.wire
        )  # fmt: skip

    # --- What follows ----------------------------------------------------------------------

    def expect(self, what, seen, optional=False):
        """See that the page has asked for this alone, or, without `what`, for nothing."""
        asked = self.page.evaluate("wire.outbox.splice(0)")
        self.page.evaluate("window.focused = document.activeElement")
        names = [request["do"] for request in asked]
        self.log.append((round(self.now), "asked", names, what, seen))
        if what is None or (optional and not asked):
            assert names == [], f"{names}: nothing was to be asked"
            return
        assert names == [what[0]]
        (request,) = asked
        if what[0] == "put":
            point = int(np.floor(request["row"] + 0.5)), int(np.floor(request["column"] + 0.5))
            what = ("put", point)
        self.free = max(self.free, self.now) + self.rng.uniform(0, self.latest)
        self.post(self.free, request, what, seen)

    def post(self, moment, *rest):
        self.wire.append((moment, *rest))
        self.wire = deque(sorted(self.wire, key=lambda one: one[0]))

    def told(self):
        assert self.look()["alert"], "not done without a word"

    def decide(self, name, seen):
        """A verdict about the branch that was asked about."""
        if seen["tool"] != "decide" or self.is_saving(seen["branch"]):
            self.expect(None, seen)
            self.told()
        else:
            self.expect((name,), seen)

    def go(self, name, seen):
        if seen["tool"] != "decide":
            self.expect(None, seen)
            self.told()
        else:
            self.expect((name,), seen)

    def point_at(self, seen, reject, optional=False):
        """A click on the picture, of the pointer or at the cross."""
        if seen["tool"] != "decide":
            self.expect(("put",), seen, optional=True)  # there is a margin around the image
        elif seen["branch"] is not None and self.is_saving(seen["branch"]):
            self.expect(None, seen)
            self.told()
        else:
            self.expect(("click", reject), seen, optional=optional or seen["branch"] is None)

    def button(self, name, seen, can):
        """A button, pressed by mouse or key, as it was to be seen when the hand went down."""
        if not can:
            self.expect(None, seen)
        elif name in ("Accept", "Reject"):
            self.decide(name.lower(), seen)
        elif name == "Later":
            self.go("next", seen)
        elif name in ("Undo", "Redo", "Learn", "Export"):
            self.expect((name.lower(),), seen)
        elif name in ("Decide", "Draw", "Erase"):
            self.expect(("take", name.lower()), seen)
        elif name == "Finish the line":
            self.expect(("finish",), seen)
        elif match := re.match(r"Branch (\d+), ", name):
            self.expect(("choose", int(match[1]) - 1), seen)
        else:
            assert name in ("Zoom in", "Zoom out", "Whole image")
            self.expect(None, seen)

    # --- What a hand does ------------------------------------------------------------------

    def key(self, key, times=1):
        """Press a key, or hold it so long that it repeats."""
        self.advance(32)  # the page has drawn what there is to see
        look = self.look()
        if look["onField"] or not look["inside"]:
            return
        seen = self.seen(look)
        pressed = [b for b in look["buttons"] if b["focused"]]
        self.log.append((round(self.now), "key", key, times, pressed and pressed[0]["name"]))
        with_shift = key == "Shift+Tab"
        if with_shift:
            self.page.keyboard.down("Shift")
            key = "Tab"
        for _ in range(times):
            self.page.keyboard.down(key)
        self.page.keyboard.up(key)
        if with_shift:
            self.page.keyboard.up("Shift")
        if key in ("Enter", " ") and pressed:
            self.button(pressed[0]["name"], seen, pressed[0]["can"])
        elif key in ("Enter", " ", "x") and look["onCanvas"]:
            if key == "Enter" and seen["tool"] != "decide":
                self.expect(("finish",), seen)
            elif look["cross"]:
                self.point_at(self.under(look), key == "x")
            else:
                self.expect(None, seen)  # the cross appears
        elif key in ("a", "r"):
            self.decide({"a": "accept", "r": "reject"}[key], seen)
        elif key in ("n", "p"):
            self.go({"n": "next", "p": "previous"}[key], seen)
        elif key in WORK:
            self.expect(WORK[key], seen)
        else:
            self.expect(None, seen)

    def mouse(self, at, button="left", pause=0.0):
        self.page.mouse.move(at[0] + 7, at[1] + 5)
        self.page.mouse.move(*at)
        self.advance(32)
        look = self.look()
        self.page.mouse.down(button=button)
        self.page.evaluate("window.focused = document.activeElement")
        self.advance(pause)
        after = self.look()
        self.page.mouse.up(button=button)
        return look, after

    def press_button(self):
        """Press a button with the mouse; an answer may come before it is let go."""
        buttons = [b for b in self.look()["buttons"] if b["there"]]
        which = buttons[self.rng.integers(len(buttons))]
        pause = self.rng.choice([0, 0, 800])
        look, after = self.mouse(which["at"], pause=pause)
        (now,) = (b for b in look["buttons"] if b["at"] == which["at"])
        can = [b["can"] for b in after["buttons"] if b["at"] == which["at"]]
        self.log.append((round(self.now), "press", now["name"], pause))
        assert len(can) == 1, "the button has moved under the pointer that presses it"
        self.button(now["name"], self.seen(look), can[0])

    def click(self):
        """Click on the picture, perhaps twice at once."""
        x, y, width, height = self.look()["stage"]
        at = x + width * self.rng.uniform(0.1, 0.9), y + height * self.rng.uniform(0.1, 0.9)
        button = self.rng.choice(["left", "left", "left", "right"])
        pause = self.rng.choice([0, 0, 700])
        look, _ = self.mouse(at, button, pause)
        seen = self.under(look)
        self.log.append((round(self.now), "click", button, pause))
        self.point_at(seen, bool(button == "right"))
        if seen["tool"] != "decide" or seen["branch"] is None or self.rng.random() < 0.6:
            return
        wait = self.rng.choice([0, 150, 600])
        self.advance(wait)
        look = self.look()
        self.page.mouse.down()
        self.page.mouse.up()
        self.log.append((round(self.now), "click again", wait))
        again = self.under(look)
        if again["tool"] != "decide" or again["branch"] is None:  # or the picture has turned
            self.expect(("put",) if again["tool"] != "decide" else ("click", False), again, True)
        elif wait < 400:
            self.expect(None, again)
            self.told()
        else:
            self.point_at(again, False)

    def focus(self):
        """Move the focus, as with the Tab key: to the picture or any button."""
        self.advance(32)
        there = [b["there"] for b in self.look()["buttons"]]
        which = self.rng.integers(-2, len(there))
        self.page.evaluate(
            """which => {
                const root = document.querySelector(".toposeg-desk");
                const canvas = root.querySelector(".stage canvas");
                (which < 0 ? canvas : root.querySelectorAll("button")[which]).focus();
            }""",
            int(which),
        )
        self.expect(None, None)
        self.advance(1)

    def focus_on(self, selector):
        self.page.locator(f".toposeg-desk {selector}").focus()
        self.expect(None, None)
        self.advance(1)

    def wait(self):
        """Wait until all is answered."""
        while self.wire:
            self.advance(LATEST)

    def done(self):
        """Return what stands in the journal: names and branches."""
        self.rest()
        return [(line["do"], *line.get("branches", [])) for line in actions(self.path)]

    def write_width(self):
        """Type half a width while answers come, and leave the field with the Tab key."""
        self.advance(32)
        look = self.look()
        if self.seen(look)["tool"] == "decide":
            return
        width = self.rng.integers(0, 12) / 2
        self.page.locator("input[type=number]").focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(str(width))
        self.expect(None, None)
        self.advance(self.rng.choice([0, 900]))
        seen = self.seen(self.look())
        before = self.look()["radius"]
        self.log.append((round(self.now), "width", width, before))
        assert float(before) == width
        self.page.keyboard.press("Tab")
        # The browser tells of a number only if it is another one than when the field was entered.
        self.expect(("widen", width), seen, optional=float(look["radius"]) == width)
        self.advance(1)

    def elsewhere(self):
        """Another page or a cell does something, at some moment."""
        branch = int(self.rng.integers(len(self.app.session.branches)))
        acts = [("accept", branch), ("reject", branch), ("undo",), ("take", "decide")]
        what = acts[self.rng.choice(4, p=[0.3, 0.3, 0.3, 0.1])]
        self.post(self.now + self.rng.uniform(0, LATEST), None, what, None)

    def act(self):
        kind = self.rng.random()
        if kind < 0.5:
            self.key(self.rng.choice(KEYS), self.rng.choice([1, 1, 1, 4]))
        elif kind < 0.65:
            self.press_button()
        elif kind < 0.8:
            self.click()
        elif kind < 0.91:
            self.focus()
        elif kind < 0.95:
            self.write_width()
        else:
            self.elsewhere()
        self.advance(self.rng.choice([0, 40, 400, 1500, 4000], p=[0.3, 0.15, 0.15, 0.2, 0.2]))

    def rest(self):
        """Wait until all is answered; then the page, the session and the journals are one."""
        self.wait()
        self.advance(1100)
        look, app = self.look(), self.app
        p = app.session.progress()
        counts = f"{p.accepted} accepted, {p.rejected} rejected, {p.left} open"
        assert counts in look["status"]
        assert look["status"] == app.describe().removesuffix(f" {app.saved()}.")
        assert look["saved"].endswith(app.saved())
        assert "Saving" not in look["saved"]
        seen = self.seen(look)
        assert seen["tool"] == app.tool
        if app.tool == "decide":
            asked = int(app.session.decisions[app.chosen])
            assert (seen["branch"], seen["decision"]) == (app.chosen, asked)
        buttons = {b["name"]: b for b in look["buttons"]}
        assert buttons["Undo"]["can"] == app.session.can_undo
        assert buttons["Redo"]["can"] == app.session.can_redo
        queue = [b for b in look["buttons"] if b["inQueue"]]
        numbers = [int(re.match(r"Branch (\d+)", b["name"])[1]) - 1 for b in queue]
        wanted = app.queue()[:5]
        kept = [k for k, b in zip(numbers, queue, strict=True) if not b["focused"]]
        assert kept == [k for k in wanted if k in kept]  # what has the focus stays where it is
        assert set(wanted) <= set(numbers)
        assert len(numbers) - len(wanted) <= any(b["focused"] for b in queue)
        if not look["onField"]:
            assert float(look["radius"]) == app.radius
        journal, twin = actions(self.path), actions(self.witness.session.path)
        assert journal == twin
        return len(journal)

    def close(self):
        self.app.session.close()
        self.witness.session.close()
        self.view.close()


WORK = {
    "z": ("undo",), "y": ("redo",), "l": ("learn",), "d": ("take", "draw"), "e": ("take", "erase"),
    "Escape": ("cancel",), "Backspace": ("drop",),
}  # fmt: skip
KEYS = [
    *"aaaaarrrrrnpzzyxxdelc0+",
    *["Enter"] * 5, *[" "] * 5, *["Escape"] * 3, "Backspace",
    "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Tab", "Shift+Tab",
]  # fmt: skip


@contextmanager
def blank(tmp_path):
    """Open a page whose clock moves only when it is told to."""
    with chromium(tmp_path / "profile") as page:
        problems = []
        page.on("pageerror", lambda error: problems.append(f"{error}: {error.stack}"))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.clock.install(time=0)
        page.set_viewport_size({"width": 1440, "height": 1300})
        page.set_content("<html></html>")
        page.clock.pause_at(1000)
        yield page, problems
        assert problems == []


@contextmanager
def at_the_desk(tmp_path, size=(1440, 1300)):
    with blank(tmp_path) as (page, problems):
        page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
        hand = Hand(page, problems, tmp_path, 1)
        try:
            yield hand
        finally:
            hand.close()
