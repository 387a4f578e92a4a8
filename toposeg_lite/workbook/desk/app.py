"""What is asked now, what a click or a key means, what there is to tell; no screen is known here.

Every key and every click on the screen (see the module `view`) becomes one call of a method.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from ...annotation import AnnotationSession
from ...annotation.edits import stroke_path
from ...annotation.inputs import check_picture
from ...annotation.session import QUEUE_ORDERS, QueueOrder
from ...checks import check_choice, check_flag, check_integer, check_number, check_real, check_reals
from ...topology.branches import ACCEPTED, REJECTED, UNDECIDED
from ...topology.discs import fit_radius

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AnnotationApp"]

TOOLS = ("decide", "draw", "erase")
DOING = {"decide": "deciding", "draw": "drawing", "erase": "erasing"}
WORDS = {ACCEPTED: "accepted", REJECTED: "rejected", UNDECIDED: "open"}
REACH = 8  # pixels: how far from a branch a click may be
VERDICTS = {"accept": ACCEPTED, "reject": REJECTED}

# The app that has each journal open in this process, so that a cell can be run again.
_AT_WORK: WeakValueDictionary[Path, AnnotationApp] = WeakValueDictionary()


def _check_shown(picture: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a picture of an image of this shape as an array, or refuse it."""
    shown = check_reals(picture, "picture")
    if shown.ndim not in (2, 3) or shown.shape[-2:] != tuple(shape):
        raise ValueError(
            f"picture must have shape {shape}, after an axis of channels or without one; "
            f"got {shown.shape}"
        )
    if not np.isfinite(shown).all():
        raise ValueError("picture holds values that are NaN or infinite")
    return shown


def _check_real(value: Any, name: str) -> float:
    """Return a place along an axis, which may lie outside of the image."""
    number = check_real(value, name)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be a finite number; got {value!r}")
    return number


class AnnotationApp:
    """Annotate one image with mouse or keyboard: decide about branches, draw, erase, undo, learn.

    One branch is *chosen*: the one that is asked about. Deciding about it goes on to the next in
    the queue, the most uncertain one of those that are left.

    Parameters
    ----------
    session : AnnotationSession
        Of an image, not of a volume. It may have been worked on before.
    picture : (H, W) or (channels, H, W) array, optional
        What to show in place of the session's image, if that was scaled for a network or has other
        channels than red, green and blue. Default: the image.

    Attributes
    ----------
    session : AnnotationSession
        Does the work and keeps the journal. Call `refresh` after using it directly.
    chosen : int or None
        The branch that is asked about; None if there is none.
    tool : {"decide", "draw", "erase"}
        What a click does.
    order : {"uncertainty", "doubt", "gain"}
        How the queue is ordered; see `AnnotationSession.queue`.
    points, radius : list of (int, int), float
        Of the line that is being drawn or erased: its points, row and column, and half its width.
    visits : int
        Grows whenever the screen should turn to the chosen branch.
    turn : int
        Grows by one with everything that is done, also with what a script does; not with what is
        refused. A screen that knows the last turn, and what it has asked since, knows how things
        stand.
    error, note : str
        What went wrong with the last action that the screen sent, and what it has to tell besides
        its effect; mostly empty.

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9], [0.0, 0.0, 0.0, 0.0], [0.6, 0.6, 0.3, 0.6]])
    >>> app = AnnotationApp(AnnotationSession(likelihood, likelihood, radius=0))
    >>> app.chosen, app.session.queue()
    (0, [0, 2, 1, 3])
    >>> app.accept()
    >>> app.chosen, app.session.decisions.tolist()
    (1, [1, 0, 0, 0])
    >>> app.click(0, 0)  # on another branch: accepted at once
    >>> app.click(0, 0)  # on an accepted branch: rejected
    >>> app.session.decisions.tolist()
    [1, 0, 0, -1]
    >>> app.undo()
    True
    >>> app.describe().split(".")[0]
    'Branch 4 of 4 is accepted'
    """

    def __init__(self, session: AnnotationSession, *, picture: Any = None) -> None:
        if not isinstance(session, AnnotationSession):
            raise TypeError(f"session must be an AnnotationSession; got {type(session).__name__}")
        if len(session.shape) != 2:
            raise ValueError(
                f"session must be one of an image; its volume has shape {session.shape}. "
                f"Annotate slices, or decide by the methods of the session"
            )
        shown = session.image if picture is None else _check_shown(picture, session.shape)
        self.session, self.shown = session, shown
        self.tool = "decide"
        self.order: QueueOrder = "uncertainty"
        self.points: list[tuple[int, int]] = []
        self.radius = float(session.settings["radius"])
        self.visits = self.turn = 0
        self.error = self.note = ""
        self._skipped: list[int] = []
        self._seen: list[int] = []
        self._watchers: list[Callable[[], object]] = []
        queue = session.queue()
        self.chosen: int | None = queue[0] if queue else None
        if session.problems:
            self.note = (
                f"{len(session.problems)} lines of the journal could not be read and were left "
                f"out; see session.problems"
            )
        if session.obstacle:
            self.note = f"{session.obstacle}. The work can be looked at; actions are refused."
        if session.path is not None:
            _AT_WORK[session.path.resolve()] = self
        self._mark = self._marked()

    @classmethod
    def open(
        cls,
        image: Any,
        likelihood: Any,
        path: str | os.PathLike[str],
        *,
        picture: Any = None,
        **options: Any,
    ) -> AnnotationApp:
        """Open a journal and its app, in a cell that can be run again.

        A session that an app of this process has on the same path is closed first: its screen says
        so, and the work goes on in the new one. One of another process is not touched. Parameters
        are those of `AnnotationSession`, which says what is raised, and `picture` that of the app.
        """
        if isinstance(path, str | os.PathLike):
            earlier = _AT_WORK.get(Path(path).resolve())
            if earlier is not None:
                earlier.close()
        if picture is not None:  # before there is a journal
            _check_shown(picture, check_picture(image).shape[-2:])
        session = AnnotationSession(image, likelihood, path, **options)
        try:
            return cls(session, picture=picture)
        except BaseException:
            session.close()
            raise

    def close(self) -> None:
        """Give the journal free; the screen says that the work goes on elsewhere."""
        self.session.close()
        self.note = "This journal was closed here. Everything is saved; it can go on elsewhere."
        self.refresh()

    # --- Deciding ------------------------------------------------------------------------------

    def queue(self) -> list[int]:
        """Return the open branches in the order of asking: those that were skipped come last."""
        queue = self.session.queue(self.order)
        undecided = set(queue)
        self._skipped = [k for k in self._skipped if k in undecided]
        skipped = set(self._skipped)
        return [k for k in queue if k not in skipped] + self._skipped

    def accept(self, branch: int | None = None) -> None:
        """Accept a branch, by default the chosen one, and go on to the next."""
        self._decide(ACCEPTED, branch)

    def reject(self, branch: int | None = None) -> None:
        """Reject a branch, by default the chosen one, and go on to the next."""
        self._decide(REJECTED, branch)

    def _decide(self, decision: int, branch: int | None) -> None:
        if branch is None:
            branch = self.chosen
        if branch is None:
            raise ValueError("no branch is chosen: click on one")
        self._judge(branch, decision)
        queue = self.queue()
        self._visit(queue[0] if queue else branch)

    def _judge(self, branch: int, decision: int) -> None:
        """Have the session decide, unless it has decided so before."""
        check_integer(branch, "branch", 0, len(self.session.branches) - 1)
        if self.session.decisions[branch] != decision:
            (self.session.accept if decision == ACCEPTED else self.session.reject)(branch)

    def choose(self, branch: int) -> None:
        """Choose a branch, open or decided, by its position in the branches, and turn to it."""
        self._visit(check_integer(branch, "branch", 0, len(self.session.branches) - 1))

    def next(self) -> None:
        """Turn to the next branch of the queue; the chosen one, if open, is asked again last."""
        if self.chosen is not None and self.session.decisions[self.chosen] == UNDECIDED:
            self._skipped = [k for k in self._skipped if k != self.chosen] + [self.chosen]
        queue = self.queue()
        if queue:
            self._visit(queue[0])
        else:
            self.note = "All branches are decided."
            self.refresh()

    def previous(self) -> None:
        """Turn back to the branch that was chosen before."""
        if self._seen:
            self.chosen = self._seen.pop()
            self.visits += 1
        self.refresh()

    def _visit(self, branch: int) -> None:
        """Choose a branch, and have the screen turn to it."""
        self._choose(branch)
        self.visits += 1
        self.refresh()

    def _choose(self, branch: int) -> None:
        if self.chosen is not None and branch != self.chosen:
            self._seen.append(self.chosen)
        self.chosen = branch

    # --- Clicks --------------------------------------------------------------------------------

    def click(
        self, row: float, column: float, *, reject: bool = False, reach: float = REACH
    ) -> None:
        """Do what a click on the image means with the present tool.

        Deciding: the nearest branch becomes the chosen one and is accepted; if it is accepted
        already, it is rejected. Drawing and erasing: the line goes on to this point.

        Whole numbers are the middles of pixels. A click that rejects is one with the right button.
        `reach` is how far from the click a branch may be, in pixels.
        """
        row, column = _check_real(row, "row"), _check_real(column, "column")
        check_flag(reject, "reject")
        check_number(reach, "reach")
        if self.tool != "decide":
            self.put(row, column)
            return
        branch = self.session.nearest((row, column), reach)
        if branch is None:
            self.note = "There is no branch here: draw one (D) if there should be."
            self.refresh()
            return
        is_accepted = self.session.decisions[branch] == ACCEPTED
        self._judge(branch, REJECTED if reject or is_accepted else ACCEPTED)
        self._choose(branch)
        self.refresh()

    # --- Drawing -------------------------------------------------------------------------------

    def take(self, tool: str) -> None:
        """Take a tool, "decide", "draw" or "erase"; a line that was begun is given up."""
        check_choice(tool, TOOLS, "tool")
        self.tool, self.points = tool, []
        self.refresh()

    def put(self, row: float, column: float) -> None:
        """Lead the line on to a point of the image, rounded to a pixel."""
        if self.tool == "decide":
            raise ValueError("tool must be 'draw' or 'erase' to put points; it is 'decide'")
        row, column = _check_real(row, "row"), _check_real(column, "column")
        point = (int(np.floor(row + 0.5)), int(np.floor(column + 0.5)))
        if not all(0 <= p < n for p, n in zip(point, self.session.shape, strict=True)):
            raise ValueError(
                f"row and column must lie inside the image of shape {self.session.shape}; "
                f"got {point}"
            )
        if self.points[-1:] != [point]:
            self.points.append(point)
        self.refresh()

    def drop(self) -> None:
        """Take the last point back."""
        del self.points[-1:]
        self.refresh()

    def cancel(self) -> None:
        """Give the line up; if none was begun, go back to deciding."""
        if not self.points:
            self.tool = "decide"
        self.points = []
        self.refresh()

    def finish(self) -> None:
        """Draw or erase the line through the points; the tool stays for the next line."""
        if not self.points:
            raise ValueError("the line has no point yet: click where it begins")
        act = self.session.draw if self.tool == "draw" else self.session.erase
        act(self.points, radius=self.radius)
        self.points = []
        self.refresh()

    def preview(self) -> np.ndarray:
        """Return the middle line that `finish` would draw or erase now: (k,) flat indices."""
        if not self.points:
            return np.empty(0, np.int64)
        return stroke_path(
            self.session.likelihood,
            np.array(self.points),
            snap=self.tool == "draw",
            connectivity=self.session.settings["connectivity"],
        )

    def widen(self, radius: float) -> None:
        """Set half the width of the lines to come, in pixels: 0 is one pixel wide, 1 three."""
        self.radius = fit_radius(radius, self.session.shape)
        self.refresh()

    # --- The rest ------------------------------------------------------------------------------

    def undo(self) -> bool:
        """Take the last action back and turn to its branch; return False if there is none."""
        return self._rewind(self.session.undo, "undo")

    def redo(self) -> bool:
        """Do again what was undone last and turn to its branch; return False if there is none."""
        return self._rewind(self.session.redo, "do again")

    def _rewind(self, act: Callable[[], bool], name: str) -> bool:
        before = self.session.decisions
        done = act()
        after = self.session.decisions
        changed = np.flatnonzero(after != before)
        if len(changed):
            # Also told while one draws, when no branch is shown as the one that is asked about.
            first, more = int(changed[0]), len(changed) - 1
            others = f", and {more} more have changed" if more else ""
            self.note = f"Branch {first + 1} is {WORDS[int(after[first])]} again{others}."
            self._visit(first)
        else:
            said = {"undo": "A line was taken back.", "do again": "A line is there again."}
            self.note = said[name] if done else f"There is nothing to {name}."
            self.refresh()
        return done

    def learn(self) -> None:
        """Fit the model to the decisions, and turn to the branch that comes first now."""
        self.session.learn()
        self.note = f"Learned from {int(np.count_nonzero(self.session.decisions))} decisions."
        self._restart()

    def sort(self, order: str) -> None:
        """Order the queue as `AnnotationSession.queue` can, and turn to its first branch."""
        check_choice(order, QUEUE_ORDERS, "order")
        self.order = order  # type: ignore[assignment]
        self._restart()

    def _restart(self) -> None:
        """Turn to the first branch of the queue, also one that was skipped."""
        self._skipped.clear()
        queue = self.queue()
        if queue:
            self._visit(queue[0])
        else:
            self.refresh()

    def export(self) -> list[Path]:
        """Write the mask (PNG) and all lines (GeoJSON) beside the journal, named like it.

        Without a journal there is no such place: then use `AnnotationSession.export`.
        """
        path = self.session.path
        if path is None:
            raise ValueError("the session has no path to write beside; use session.export(path)")
        files = [path.with_name(f"{path.stem}.{kind}") for kind in ("mask.png", "geojson")]
        for file in files:
            self.session.export(file)
        self.note = f"Written: {', '.join(file.name for file in files)}."
        self.refresh()
        return files

    # --- What the screen asks ------------------------------------------------------------------

    def do(self, request: dict[str, Any]) -> None:
        """Do what the screen asks, and keep in `error` what went wrong, to be told.

        In a request ``do`` is the name of a method and ``seen`` what the person saw when the hand
        went down; all other entries are arguments of the method. What is seen has the entries

        - ``tool``: the tool in hand;
        - ``branch``: the one that is asked about, for a click the one under the pointer, or None;
        - ``decision``: about that branch, as it was last known to be in the journal;
        - ``turn``: the last one the screen knows, and one more for each request without an answer.

        A screen may be behind: the answer to an earlier key is on its way, or another page or cell
        has been at work. What `_REQUESTS` names of a method must still be so; if it is not, nothing
        is done, and `error` says why. Saying again what has been decided already is no error.
        """
        if not isinstance(request, dict):
            raise TypeError(f"request must be a dict; got {type(request).__name__}")
        given = {key: value for key, value in request.items() if key not in ("do", "id", "seen")}
        seen = request.get("seen", {})
        self.error = self.note = ""
        try:
            name = str(check_choice(request.get("do"), tuple(_REQUESTS), "do"))
            if self._mark != self._marked():  # by a script, without a call of `refresh`
                self.turn += 1
                self._mark = self._marked()
            if self._said_again(name, seen):
                self.refresh()
            else:
                self._check_seen(name, seen, given)
                getattr(self, name)(**given)
        except Exception as error:  # a person looks at the screen, not at the kernel's log
            self.error = str(error) or type(error).__name__
            if isinstance(error, OSError):
                self.error = f"NOT saved, and not done: {error}"
            self._show()

    def _said_again(self, name: str, seen: dict[str, Any]) -> bool:
        """Tell whether a request only repeats one whose answer the person had not seen yet."""
        if name not in VERDICTS or not _REQUESTS[name] <= seen.keys() or seen["branch"] is None:
            return False
        branch = check_integer(seen["branch"], "branch", 0, len(self.session.branches) - 1)
        decision = int(self.session.decisions[branch])
        return decision == VERDICTS[name] and decision != seen["decision"]

    def _check_seen(self, name: str, seen: dict[str, Any], given: dict[str, Any]) -> None:
        """Raise ValueError in words for people unless what was seen is still so."""
        parts = _REQUESTS[name]
        lacking = sorted(parts - seen.keys())
        if lacking:
            raise ValueError(f"{name} must say what was seen: {', '.join(lacking)}")
        if "tool" in parts:
            self._check_tool(name, check_choice(seen["tool"], TOOLS, "tool"))
        if "branch" in parts and not (name == "click" and self.tool != "decide"):
            self._check_branch(name, seen, given)
        if "turn" in parts and seen["turn"] != self.turn:
            raise ValueError("Something else was done meanwhile; nothing was changed. Try again")

    def _check_tool(self, name: str, seen: str) -> None:
        if seen != self.tool:
            raise ValueError(
                f"You are {DOING[self.tool]} meanwhile, no longer {DOING[seen]}; "
                f"nothing was changed"
            )
        if self.tool != "decide" and name in ("accept", "reject", "next", "previous"):
            raise ValueError(
                f"You are {DOING[self.tool]}, and no branch is asked about; nothing was changed. "
                f"Escape leads back to deciding"
            )

    def _check_branch(self, name: str, seen: dict[str, Any], given: dict[str, Any]) -> None:
        branch, meant = seen["branch"], self.chosen
        if branch is not None:
            check_integer(branch, "branch", 0, len(self.session.branches) - 1)
            decision = int(self.session.decisions[branch])
            if "decision" in _REQUESTS[name] and decision != seen["decision"]:
                is_open = decision == UNDECIDED
                became = "is open again" if is_open else f"has been {WORDS[decision]}"
                raise ValueError(f"Branch {branch + 1} {became} meanwhile; nothing was changed")
        if name == "click":
            where = given.get("row"), given.get("column")
            meant = self.session.nearest(where, given.get("reach", REACH))
        if meant != branch:
            now = "No branch" if meant is None else f"Branch {meant + 1}"
            verb = "meant by this click" if name == "click" else "asked about"
            was = "none" if branch is None else f"branch {branch + 1}"
            raise ValueError(f"{now} is {verb} meanwhile, not {was}; nothing was changed")

    def watch(self, watcher: Callable[[], object]) -> None:
        """Call a function without arguments whenever there may be something new to show."""
        if not callable(watcher):
            raise TypeError(f"watcher must be a function; got {watcher!r}")
        self._watchers.append(watcher)

    def refresh(self) -> None:
        """Tell the screens that there may be something new to show."""
        self.turn += 1
        self._mark = self._marked()
        self._show()

    def _show(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _marked(self) -> tuple[object, ...]:
        """Return what differs if the session was used without this app."""
        return self.session.decisions.tobytes(), self.session.progress()

    # --- What there is to see ------------------------------------------------------------------

    def saved(self) -> str:
        """Say in words where the work is kept, and whether it is."""
        path, count = self.session.path, self.session.progress().actions
        actions = f"{count} action{'' if count == 1 else 's'}"
        if path is None:
            return f"Kept nowhere: {actions}, and the session has no path"
        return f"Saved: {actions} in {path.name}"

    def describe(self) -> str:
        """Say what is asked, how far the work has come, where it is kept; first what went wrong."""
        session, progress = self.session, self.session.progress()
        said = [f"{self.error.rstrip('.')}."] if self.error else []
        if self.tool != "decide":
            verb = {"draw": "Drawing", "erase": "Erasing"}[self.tool]
            count = len(self.points)
            said.append(f"{verb} a line: {count} point{'' if count == 1 else 's'}.")
        elif self.chosen is not None:
            k = self.chosen
            state, size = WORDS[int(session.decisions[k])], len(session.branches.paths[k])
            said.append(
                f"Branch {k + 1} of {progress.branches} is {state}. The model says "
                f"{100 * session.probability[k]:.0f} % that it is real; it is {size} "
                f"pixel{'' if size == 1 else 's'} long."
            )
            said.append(self._stakes(k))
        said.append(
            f"{progress.accepted} accepted, {progress.rejected} rejected, {progress.left} open; "
            f"{progress.drawn} drawn, {progress.erased} erased."
        )
        if self.note:
            said.append(self.note)
        return " ".join([*said, f"{self.saved()}."])

    def _stakes(self, branch: int) -> str:
        """Say in words what either answer would change in the mask."""
        counts = (len(pixels) for pixels in self.session.effect(branch))
        added, removed = (f"{n} pixel{'' if n == 1 else 's'}" if n else "" for n in counts)
        if added and removed:
            return f"Accepting it would add {added} to the mask, rejecting it take {removed} away."
        if added:
            return f"Accepting it would add {added} to the mask; rejecting it changes nothing."
        if removed:
            return f"Rejecting it would take {removed} from the mask; accepting it changes nothing."
        return "Neither answer would change the mask."

    def picture(self) -> Figure:
        """Draw the present state with matplotlib."""
        from .. import figures

        chosen = self.chosen if self.tool == "decide" else None
        return figures.annotation_summary(self.session, picture=self.shown, chosen=chosen)

    def view(self) -> Any:
        """Return a new `AnnotationView` of this app; several of one app show the same."""
        from .view import AnnotationView

        return AnnotationView(self)

    def show(self) -> None:
        """Display the app: live with a kernel, as a picture and some sentences without one."""
        from IPython.display import display

        from .. import figures

        text = self.describe()
        widget = {"version_major": 2, "version_minor": 0, "model_id": self.view().model_id}
        bundle = {
            "application/vnd.jupyter.widget-view+json": widget,
            "image/png": base64.b64encode(figures.png(self.picture(), card=True)).decode(),
            "text/plain": text,
        }
        display(figures.Bundle(bundle, {"image/png": {"alt": text}}))


#: The methods that the screen may call, and what of that which was seen must still be so: about
#: the branch for what decides, the turn for what acts on whatever was done last.
_REQUESTS: dict[str, frozenset[str]] = {
    "accept": frozenset({"tool", "branch", "decision"}),
    "reject": frozenset({"tool", "branch", "decision"}),
    "click": frozenset({"tool", "branch", "decision"}),
    "next": frozenset({"tool", "branch"}),
    "previous": frozenset({"tool"}),
    "put": frozenset({"tool"}),
    "finish": frozenset({"tool", "turn"}),
    "undo": frozenset({"turn"}),
    "redo": frozenset({"turn"}),
    # These decide nothing, or mean the same whatever has happened.
    "choose": frozenset(),
    "take": frozenset(),
    "drop": frozenset(),
    "cancel": frozenset(),
    "widen": frozenset(),
    "learn": frozenset(),
    "sort": frozenset(),
    "export": frozenset(),
}
