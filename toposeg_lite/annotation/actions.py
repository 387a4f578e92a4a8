"""The actions of a session, those that hold and those that are undone, and how a record says them.

A record is what a line of the journal holds. Live actions and those that are read again go through
the same door, `History.read`, so that a journal can hold nothing that a session could not do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..topology.branches import ACCEPTED, REJECTED, UNDECIDED, BranchSet
from ..topology.discs import fit_radius
from .edits import Stroke

__all__ = ["Action", "History", "Progress"]


class Action(NamedTuple):
    """One action: its number in the journal, and what it changes."""

    number: int
    branches: np.ndarray
    decision: int
    stroke: Stroke | None


class Progress(NamedTuple):
    """How far a session has come.

    Attributes
    ----------
    branches, accepted, rejected, left : int
        How many there are to decide about, and how many of them are accepted, rejected, undecided.
    length_decided : float
        The part of the branches' own pixels that lie on decided branches, from 0 to 1.
    drawn, erased, actions : int
        How many strokes there are of either kind, and how many actions that are not undone.
    """

    branches: int
    accepted: int
    rejected: int
    left: int
    length_decided: float
    drawn: int
    erased: int
    actions: int


class History:
    """What was done to the branches of one likelihood, in order; it knows no file."""

    def __init__(self, branches: BranchSet) -> None:
        self._branches = branches
        # The actions that hold, and those that can be done again; the next to undo or redo is last.
        self.done: list[Action] = []
        self.undone: list[Action] = []
        self._decisions: np.ndarray | None = None

    def copy(self) -> History:
        """Return a history of the same actions that goes its own way."""
        twin = History(self._branches)
        twin.done, twin.undone = list(self.done), list(self.undone)
        return twin

    @property
    def decisions(self) -> np.ndarray:
        """The decision about each branch, (n,) int8; do not write to it."""
        if self._decisions is None:
            self._decisions = np.zeros(len(self._branches), np.int8)
            for action in self.done:
                self._decisions[action.branches] = action.decision
        return self._decisions

    @property
    def strokes(self) -> list[Stroke]:
        """What was drawn and erased, in order."""
        return [action.stroke for action in self.done if action.stroke is not None]

    def progress(self) -> Progress:
        """Say how far the work has come."""
        decisions, sizes = self.decisions, self._branches.sizes
        is_decided = decisions != UNDECIDED
        share = sizes[is_decided].sum() / sizes.sum() if len(sizes) else 1.0
        drawn = [stroke.drawn for stroke in self.strokes]
        return Progress(
            branches=len(decisions),
            accepted=int(np.count_nonzero(decisions == ACCEPTED)),
            rejected=int(np.count_nonzero(decisions == REJECTED)),
            left=int(np.count_nonzero(~is_decided)),
            length_decided=float(share),
            drawn=sum(drawn),
            erased=len(drawn) - sum(drawn),
            actions=len(self.done),
        )

    def middle(self, branch: int) -> int:
        """Return the pixel by which a record knows a branch again."""
        first, stop = self._branches.owned[branch]
        return int(self._branches.pixels[(first + stop) // 2])

    def read(self, record: dict[str, Any]) -> Action:
        """Turn a record into an action; raise ValueError, KeyError or TypeError if it is none."""
        number = record.get("n", 0)
        if record["do"] in ("accept", "reject"):
            chosen = np.array(record["branches"], np.int64)
            if (
                len(chosen) != len(record["at"])
                or not ((chosen >= 0) & (chosen < len(self._branches))).all()
            ):
                raise ValueError("there is no such branch")
            if any(self.middle(k) != at for k, at in zip(chosen, record["at"], strict=True)):
                raise ValueError("the branch lies somewhere else: the likelihood is another one")
            return Action(number, chosen, ACCEPTED if record["do"] == "accept" else REJECTED, None)
        path = np.array(record["path"], np.int64)
        if path.ndim != 1 or not ((path >= 0) & (path < self._branches.likelihood.size)).all():
            raise ValueError("its pixels lie outside the image")
        radius = fit_radius(record["radius"], self._branches.shape)
        stroke = Stroke(record["do"] == "draw", path, radius)
        return Action(number, np.empty(0, np.int64), UNDECIDED, stroke)

    def add(self, action: Action) -> None:
        """Do a new action; what was undone cannot be done again after it."""
        self.done.append(action)
        self.undone.clear()
        if self._decisions is not None:
            decisions = self._decisions.copy()
            decisions[action.branches] = action.decision
            self._decisions = decisions

    def move(self, verb: str, number: int) -> None:
        """Undo or redo an action: by number, as its own line of the journal may be lost."""
        source, target = self.done, self.undone
        if verb == "redo":
            source, target = target, source
        places = [k for k, action in enumerate(source) if action.number == number]
        if not places:
            raise ValueError(f"there is no action {number} to {verb}")
        target.append(source.pop(places[-1]))
        self._decisions = None
