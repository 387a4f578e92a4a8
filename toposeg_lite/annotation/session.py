"""An annotation session: a person accepts, rejects, draws and erases branches of one image.

How the mask is made of the actions that are not undone stands in the module `edits`. Every action
(`accept`, `reject`, `draw`, `erase`, `undo`, `redo`, `learn`) raises ValueError if the session is
closed and OSError if the journal cannot be written; nothing has changed then.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from scipy.spatial import cKDTree

from ..checks import (
    check_choice,
    check_flag,
    check_fraction,
    check_integer,
    check_number,
    check_path,
)
from ..topology.branches import (
    ACCEPTED,
    RADIUS,
    REJECTED,
    UNDECIDED,
    BranchSet,
    find_branches,
)
from ..topology.discs import fit_radius
from ..topology.grid import check_connectivity
from .actions import Action, History, Progress
from .edges import find_edges
from .edits import Effect, Stroke, check_points, edited_mask, effect_of, stroke_path
from .export import branch_facts, stroke_facts, write_lines, write_mask, write_trees
from .inputs import (
    check_picture,
    check_same_image,
    check_same_settings,
    find_likelihood,
    fingerprint,
    kept_likelihood,
)
from .journal import VERSION, Journal, Problem
from .lines import Line, check_lines, scale_of
from .ranking import BranchModel, LogisticModel

__all__ = ["QUEUE_ORDERS", "AnnotationSession", "QueueOrder"]

#: By what a queue is ordered; see `AnnotationSession.queue`.
QueueOrder = Literal["uncertainty", "doubt", "gain"]
QUEUE_ORDERS: tuple[QueueOrder, ...] = get_args(QueueOrder)

Method = TypeVar("Method", bound=Callable[..., Any])


def _alone(method: Method) -> Method:
    """Let a method of a session wait until no other thread is in one of them."""

    @functools.wraps(method)
    def alone(self: AnnotationSession, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            return method(self, *arguments, **options)

    return alone  # type: ignore[return-value]


class AnnotationSession:
    """Correct the branches of one image, asked about the least certain first.

    Every action is in the journal, flushed to the disk, before the method returns. To go on after a
    pause, a crash or a kill, make the session again with the same image and path.

    Parameters
    ----------
    image : (*spatial) or (channels, *spatial) array of bool, int or float
        The image, 2D or 3D. It is shown to the model and identified in the journal.
    likelihood : (*spatial) array of float, BranchModel or None
        The likelihood in [0, 1], foreground high; or a model whose ``likelihood(image)`` returns
        one; or None to go on with the one that the journal was begun with, which is kept beside it
        as ``<path>.likelihood.npz``. With a model, too, a journal goes on with the one kept.
    path : path, optional
        The journal, a file of JSON lines (``.jsonl``). None keeps nothing: for trials.
    model : BranchModel, optional
        Says how probable and how uncertain each branch is. Default: the one given as `likelihood`,
        else a new `LogisticModel`.
    min_persistence, saddle_level, connectivity
        Which branches there are; see `find_branches`. Default 0.1 for the first two. A model that
        has a method ``propose`` does as it says, whatever these are.
    mask_threshold : float
        Pixels with at least this likelihood are the mask to begin with. Default 0.5.
    radius : float
        Half the width of accepted branches outside the mask, and of strokes that name none, in
        pixels: 0 is one pixel wide, 1 (default) three.
    learn : {"always", "asked"}, optional
        Whether the model is fitted to the decisions whenever they change, or by `learn` alone.
        Default: "always" for `LogisticModel`, "asked" for all others.

    Attributes
    ----------
    image, likelihood : array
        As given; do not write to them.
    branches : BranchSet
        What `find_branches` finds, specks too, or what the model proposes. Their positions are the
        numbers that the methods take.
    problems : list of Problem
        Lines of the journal that could not be used.
    notes : tuple of str
        What `open_session` decided about the files; empty for a session of arrays.

    Raises
    ------
    ValueError
        If the journal is of another image, of another likelihood or of other parameters; if the
        file at `path` is no journal.
    BlockingIOError
        If another session has the journal open.
    FileNotFoundError
        If the folder of `path` does not exist.
    OSError
        If a new journal cannot be written; no file is left then. One that exists is opened all the
        same: see `obstacle`.

    Notes
    -----
    Threads take turns: a method waits until no other thread is in one. As a context manager it is
    closed at the end. Two sessions on one path exclude each other by a lock of the operating
    system, which ends with its process (see the module `journal`).

    Examples
    --------
    Two vessels, each with a gap. The fainter one is the less certain:

    >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9],
    ...                        [0.0, 0.0, 0.0, 0.0, 0.0],
    ...                        [0.6, 0.6, 0.3, 0.6, 0.6]])
    >>> session = AnnotationSession(likelihood, likelihood, radius=0)
    >>> [session.branches.paths[k].tolist() for k in session.queue()]
    [[11, 12, 13], [1, 2, 3], [11, 10], [1, 0]]
    >>> session.accept(session.queue()[0])
    >>> session.mask().astype(int)
    array([[1, 1, 0, 1, 1],
           [0, 0, 0, 0, 0],
           [1, 1, 1, 1, 1]])
    >>> session.undo()
    True
    >>> int(session.mask()[2].sum())
    4
    """

    def __init__(
        self,
        image: Any,
        likelihood: Any,
        path: str | os.PathLike[str] | None = None,
        *,
        model: BranchModel | None = None,
        min_persistence: float = 0.1,
        saddle_level: float = 0.1,
        mask_threshold: float = 0.5,
        radius: float = RADIUS,
        connectivity: int | None = None,
        learn: str | None = None,
    ) -> None:
        # JupyterLab may have a click answered in another thread than the one that runs the cells.
        self._lock = threading.RLock()
        self.notes: tuple[str, ...] = ()
        self.image = check_picture(image)
        if model is None and hasattr(likelihood, "predict"):
            model = likelihood
        if model is not None and not isinstance(model, BranchModel):
            raise TypeError(
                f"model must have a method predict(image, likelihood, branches); "
                f"got {type(model).__name__}"
            )
        self.model: Any = LogisticModel() if model is None else model
        if learn is None:
            learn = "always" if isinstance(self.model, LogisticModel) else "asked"
        check_choice(learn, ("always", "asked"), "learn")
        if learn == "always" and not hasattr(self.model, "learn"):
            raise ValueError("learn='always' wants a model with a method `learn`")
        self._learns_always = learn == "always"
        self._settings: dict[str, Any] = {
            "min_persistence": check_fraction(min_persistence, "min_persistence"),
            "saddle_level": check_fraction(saddle_level, "saddle_level"),
            "mask_threshold": check_fraction(mask_threshold, "mask_threshold"),
            "radius": check_number(radius, "radius"),
        }
        self._journal = None if path is None else Journal(path)
        self._greeted = False  # whether the journal says that this session has it open
        try:
            self._open(likelihood, connectivity)
        except BaseException:
            self.close()
            raise

    def _open(self, likelihood: Any, connectivity: int | None) -> None:
        """Find the likelihood and its branches, and do again what the journal holds."""
        journal = self._journal
        if journal is not None:
            check_same_image(self.image, journal)
        self.likelihood = find_likelihood(likelihood, self.image, journal)
        ndim = self.likelihood.ndim
        if self.image.shape not in (self.likelihood.shape, (*self.image.shape[:1], *self.shape)):
            raise ValueError(
                f"image must have the likelihood's shape {self.shape}, after an axis of channels "
                f"or without one; got {self.image.shape}"
            )
        if connectivity is None and ndim == 3:
            connectivity = 1
        self._settings["connectivity"] = check_connectivity(connectivity, ndim)
        if journal is not None:
            check_same_settings(self._settings, journal)
        header = None if journal is None else journal.header
        self.branches = self._find_branches(VERSION if header is None else header["version"])
        # Of each branch how many of its own pixels lie inside the likelihood's mask.
        self._inside = self.branches.count_on(self.branches.base)
        self._begin(History(self.branches))
        if journal is not None:
            self._replay()
            try:
                self._greet()
            except OSError as error:
                if journal.is_new:
                    raise
                journal.obstacle = journal.obstacle or str(error.strerror)
                warnings.warn(
                    f"{journal.obstacle}. The session can be looked at and exported to another "
                    f"place; actions are refused until the journal can be written",
                    stacklevel=3,
                )

    def _greet(self) -> None:
        """Write down with what a journal is begun, and who has it open: once, before all else."""
        journal = self._journal
        if journal is None or self._greeted:
            return
        if journal.header is None:
            image, likelihood = fingerprint(self.image), fingerprint(self.likelihood)
            header = {"image": image, "likelihood": likelihood, "settings": self._settings}
            with kept_likelihood(self.likelihood, journal):
                journal.start(header)
        journal.greet([problem.line for problem in self.problems])
        self._greeted = True

    def _find_branches(self, version: int) -> BranchSet:
        """Return the branches, numbered as in a journal of some version."""
        branches: BranchSet
        names = ("min_persistence", "saddle_level", "connectivity")
        options = {name: self._settings[name] for name in names}
        if hasattr(self.model, "propose"):
            branches = self.model.propose(self.image, self.likelihood)
            if not isinstance(branches, BranchSet) or branches.shape != self.shape:
                raise TypeError(
                    f"the model's `propose` must return a BranchSet of the shape {self.shape}; "
                    f"got {branches!r}"
                )
        elif version == 1:
            branches = find_edges(self.likelihood, **options)
        else:
            branches = find_branches(self.likelihood, specks=True, **options)
        threshold = self._settings["mask_threshold"]
        if branches.mask_threshold != threshold:
            branches = replace(branches, mask_threshold=threshold)
        return branches

    def _begin(self, history: History) -> None:
        """Set out from a history: all that actions change is named here."""
        self._history = history
        self._number = 0  # of the last line of the journal
        self._learned_from: np.ndarray | None = None  # decisions at the last call of `learn`
        self.problems: list[Problem] = []
        # What is dear to find, kept until something changes; the tree for good.
        self._mask: np.ndarray | None = None
        self._effects: dict[int, Effect] = {}
        self._ranks: tuple[np.ndarray, np.ndarray] | None = None
        self._tree: tuple[cKDTree, np.ndarray] | None = None

    # --- What there is -------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        """Where the journal is; None if nothing is kept."""
        return None if self._journal is None else self._journal.path

    @property
    def obstacle(self) -> str:
        """Why the journal cannot be written, in words; empty if nothing is known to be in the way.

        Actions raise an OSError then, and change nothing. Looking, exporting and trials with
        `copy` go on. On a disk that was full, the next action tries again.
        """
        return "" if self._journal is None else self._journal.obstacle

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the likelihood and of the mask."""
        return self.likelihood.shape

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters by which branches are proposed and drawn; a copy."""
        return dict(self._settings)

    @property
    @_alone
    def decisions(self) -> np.ndarray:
        """1 for accepted branches, -1 for rejected ones, 0 for undecided ones; a copy."""
        return self._history.decisions.copy()

    @property
    @_alone
    def strokes(self) -> list[Stroke]:
        """What was drawn and erased by hand, in order; a copy."""
        return self._history.strokes

    @property
    @_alone
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        return bool(self._history.done)

    @property
    @_alone
    def can_redo(self) -> bool:
        """Whether there is an undone action to do again."""
        return bool(self._history.undone)

    def __repr__(self) -> str:
        p = self.progress()
        return f"AnnotationSession({self.path}: {p.branches - p.left} of {p.branches} decided)"

    def __enter__(self) -> AnnotationSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_journal", None) is not None:
            self.close()

    @_alone
    def close(self) -> None:
        """Give the journal free for another session; nothing is left to save."""
        if self._journal is not None:
            self._journal.close()

    # --- Actions -------------------------------------------------------------------------------

    @_alone
    def accept(self, branch: int | Iterable[int]) -> None:
        """Say that a branch, or several at once, is real; it may have been rejected before."""
        self._decide(branch, "accept")

    @_alone
    def reject(self, branch: int | Iterable[int]) -> None:
        """Say that a branch is not real; it may have been accepted before. See `accept`."""
        self._decide(branch, "reject")

    @_alone
    def draw(self, points: Any, *, radius: float | None = None, snap: bool = True) -> Stroke:
        """Draw a line through pixels, along the ridges of the likelihood between them.

        The points are one pixel or more, (k, ndim), row first; floats are rounded. `radius` is half
        the width, by default the session's; more than the diagonal of the image is taken as that,
        as it covers everything anyway. Without `snap` the line goes straight.
        """
        return self._stroke("draw", points, radius, snap)

    @_alone
    def erase(self, points: Any, *, radius: float | None = None) -> Stroke:
        """Take the foreground along straight lines through pixels out of the mask.

        It takes away whatever stands there: the likelihood's mask, accepted branches and what was
        drawn before. What is drawn later stays. Parameters are those of `draw`.
        """
        return self._stroke("erase", points, radius, snap=False)

    @_alone
    def take(self, lines: Iterable[Line]) -> None:
        """Take in lines that came from a file or another tool: decisions, then strokes in order.

        Nothing is done unless all can be. What a session wrote comes back as it was: branches are
        known by their pixels, so the likelihood must be that of then; undecided ones change
        nothing. Lines of other tools are drawn straight from point to point. To let them decide
        about the branches instead, draw them into a mask of their own and ask `judge_branches`.

        Parameters
        ----------
        lines : iterable of Line
            From `read_lines`, `from_napari` or `lines_from_skan`, or made by hand.

        Examples
        --------
        >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9], [0.0, 0.0, 0.0, 0.0, 0.0]])
        >>> session = AnnotationSession(likelihood, likelihood, radius=0)
        >>> bridge = session.branches.paths[0]  # in row 0
        >>> session.take([Line(np.array([[0, c] for c in bridge]), "branch", 1),
        ...               Line(np.array([[1, 0], [1, 2]]))])
        >>> session.mask().astype(int)
        array([[1, 1, 1, 1, 1],
               [1, 1, 1, 0, 0]])
        """
        decided, strokes = check_lines(lines, self.branches)
        points = [check_points(stroke.points, self.shape) for stroke in strokes]
        for verb, decision in (("accept", ACCEPTED), ("reject", REJECTED)):
            chosen = [branch for branch, said in decided.items() if said == decision]
            if chosen:
                self._decide(chosen, verb)
        for stroke, places in zip(strokes, points, strict=True):
            verb = "draw" if stroke.kind == "drawn" else "erase"
            self._stroke(verb, places, stroke.radius, snap=False)

    @_alone
    def undo(self) -> bool:
        """Take the last action back, also after reopening; return False if there is none."""
        return self._step("undo", self._history.done)

    @_alone
    def redo(self) -> bool:
        """Do again what was undone last; return False if there is none, or more was done since."""
        return self._step("redo", self._history.undone)

    def _step(self, verb: str, actions: list[Action]) -> bool:
        """Undo or redo the last of these actions, if there is one."""
        if not actions:
            self._check_open()
            return False
        number = actions[-1].number
        self._write({"do": verb, "of": number})
        self._history.move(verb, number)
        self._forget()
        return True

    @_alone
    def learn(self) -> None:
        """Fit the model to the decisions made so far, so that the queue ranks by them."""
        if not hasattr(self.model, "learn"):
            raise TypeError(f"the model, a {type(self.model).__name__}, cannot learn")
        self._write({"do": "learn"})
        self._learned_from = self._history.decisions
        self._teach(self._learned_from)

    # --- Answers -------------------------------------------------------------------------------

    @_alone
    def queue(self, by: QueueOrder = "uncertainty") -> list[int]:
        """Return the undecided branches, those first that should be asked about first.

        By "uncertainty" comes first the branch that the model is least sure of, by "doubt" the one
        that the mask is most probably wrong about, by "gain" the one whose decision is expected to
        mend most of the mask. They differ where the model is sure that the mask is wrong. Equal
        ones come by position.
        """
        check_choice(by, QUEUE_ORDERS, "by")
        order = np.argsort(-getattr(self, by), kind="stable")
        return order[self._history.decisions[order] == UNDECIDED].tolist()

    @property
    @_alone
    def probability(self) -> np.ndarray:
        """How probable it is that each branch is real, (n,) float64, as the model says."""
        return self._judge()[0]

    @property
    @_alone
    def uncertainty(self) -> np.ndarray:
        """How unsure the model is about each branch, (n,) float64."""
        return self._judge()[1]

    @property
    @_alone
    def doubt(self) -> np.ndarray:
        """How probable it is that the mask is wrong about each branch, (n,) float64.

        The uncertainty is the model's; this is the mask's. An undecided branch stands in the mask
        as the likelihood has it, and its answer changes that: with the probability p of the branch
        if it lies outside the likelihood's mask, as it is to be added if it is real; with
        1 - p if it lies inside, as it is to go if it is not; surely if it lies partly inside.
        """
        p, inside = self.probability, self._inside
        return p * (inside < self.branches.sizes) + (1 - p) * (inside > 0)

    @property
    @_alone
    def gain(self) -> np.ndarray:
        """How many of its own pixels the mask is expected to be wrong about, (n,) float64.

        As `doubt`, an undecided branch counts p for each of them outside the likelihood's mask, and
        1 - p for each inside.
        """
        p, inside = self.probability, self._inside
        return p * (self.branches.sizes - inside) + (1 - p) * inside

    @_alone
    def mask(self) -> np.ndarray:
        """Return the mask that decisions and strokes make (see `edits`): a new bool array."""
        if self._mask is None:
            self._mask = edited_mask(*self._edits)
        return self._mask.copy()

    @_alone
    def effect(self, branch: int) -> Effect:
        """Say what each decision about a branch would change in the mask as it is now.

        The branch may be decided already. Nothing else can change: accepting takes no pixel away,
        and rejecting adds none. What was drawn and erased by hand stays as it is.

        Examples
        --------
        >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
        >>> session = AnnotationSession(likelihood, likelihood, radius=0)
        >>> [pixels.tolist() for pixels in session.effect(0)]
        [[2], [3, 4]]
        """
        branch = self._check_branch(branch)
        if branch not in self._effects:
            self._effects[branch] = effect_of(branch, *self._edits)
        return self._effects[branch]

    @property
    def _edits(self) -> tuple[BranchSet, np.ndarray, list[Stroke], float]:
        """All that the mask is made of."""
        history = self._history
        return self.branches, history.decisions, history.strokes, self._settings["radius"]

    @_alone
    def progress(self) -> Progress:
        """Say how far the session has come."""
        return self._history.progress()

    @_alone
    def nearest(self, point: Any, reach: float = 8.0) -> int | None:
        """Return the branch that a click means: the one whose path is nearest to a point.

        The point, row first, may lie between pixels; `reach` says how far away a path may be, in
        pixels. None if there is none. Where several meet at a node, the answer is the one that is
        undecided, and of these the first.
        """
        try:
            where = np.asarray(point, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"point must be an array of numbers; got {point!r}") from None
        if where.shape != (len(self.shape),) or not np.isfinite(where).all():
            raise ValueError(f"point must be {len(self.shape)} finite numbers; got {point!r}")
        reach = check_number(reach, "reach")
        if len(self.branches) == 0:
            return None
        if self._tree is None:
            pixels = self.branches.pixels
            places = np.stack(np.unravel_index(pixels, self.shape), axis=1)
            owner = np.repeat(np.arange(len(self.branches)), np.diff(self.branches.offsets))
            self._tree = cKDTree(places), owner
        tree, owner = self._tree
        distance, _ = tree.query(where)
        if distance > reach:
            return None
        branches = np.unique(owner[tree.query_ball_point(where, distance + 1e-9)])
        return int(branches[np.argmax(self._history.decisions[branches] == UNDECIDED)])

    @_alone
    def copy(self) -> AnnotationSession:
        """Return a session in the same state that keeps no journal, for trials.

        It shares the arrays, which nobody writes to, and has a shallow copy of the model: what a
        model learns must replace what it knew, not be written into it.
        """
        twin = copy.copy(self)
        twin._lock, twin._journal = threading.RLock(), None
        twin.model = copy.copy(self.model)
        twin._history, twin._effects = self._history.copy(), {}
        twin.problems = list(self.problems)
        return twin

    @_alone
    def export(
        self,
        path: str | os.PathLike[str],
        *,
        skeleton: bool = False,
        affine: Any = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        """Write the result to a file, whole or not at all; the ending of its name says the kind.

        Parameters
        ----------
        path : path
            - ``.png`` (2D), ``.tif``, ``.tiff``: the mask, 8 bits, 0 and 255; a volume is a stack
              of pages.
            - ``.nii``, ``.nii.gz``: the mask, 0 and 1, axes reversed to NIfTI's (x, y, z). Needs
              nibabel.
            - ``.geojson``: the paths of all branches and strokes as lines in pixel coordinates
              (x, y) or (x, y, z), pixel centres at whole numbers, y downwards; a path of one pixel
              is a point. Properties: ``kind`` ("branch", "drawn" or "erased"), ``decision``,
              ``probability``, ``uncertainty``, ``persistence`` and ``radius`` (in pixels).
              `read_lines` reads it back, and `take` takes it in.
            - ``.swc``: the skeleton of the mask as trees, a node for each pixel, with its distance
              to the background (less half a pixel) as radius; y downwards, z 0 in 2D. A loop is cut
              where it closes: one more node stands in the place of the one that it leads to. It
              holds the result alone, no decisions.
        skeleton : bool
            Write the skeleton of the mask in place of the mask: lines one pixel wide, as
            ``skan.Skeleton`` takes them (it wants ``image > 0``). Not for lines.
        affine : (4, 4) array of float, optional
            For NIfTI: from voxels to millimetres, as in the file that the image came from.
        spacing : sequence of float, optional
            For GeoJSON and SWC: the lengths of a pixel along (z,) y, x; coordinates are in its unit
            then. Default: pixels.

        Raises
        ------
        ModuleNotFoundError
            If nibabel is needed and missing.
        OSError
            If the file cannot be written (its folder is made if there is none). A file that was
            there before is unchanged then.
        """
        path, skeleton = check_path(path, "path"), check_flag(skeleton, "skeleton")
        scale = scale_of(spacing, len(self.shape))
        kind = path.suffix.lower()
        if kind not in (".geojson", ".swc"):
            if spacing is not None:
                raise ValueError(f"spacing goes with a path in .geojson or .swc; got {path.name!r}")
            write_mask(self.mask(), path, skeleton=skeleton, affine=affine)
        elif affine is not None:
            raise ValueError(f"affine goes with NIfTI files alone; got a path that ends in {kind}")
        elif skeleton:
            raise ValueError(f"skeleton=True goes with pictures; {kind} holds lines anyway")
        elif kind == ".swc":
            write_trees(self.mask(), path, scale)
        else:
            strokes = self._history.strokes
            facts = branch_facts(
                self._history.decisions,
                probability=self.probability,
                uncertainty=self.uncertainty,
                persistence=self.branches.persistence,
            )
            paths = [*self.branches.paths, *(stroke.path for stroke in strokes)]
            pixels = None if spacing is None else scale
            write_lines(paths, facts + stroke_facts(strokes), self.shape, path, pixels)

    # --- Inside --------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._journal is not None and self._journal.closed:
            raise ValueError("the session is closed; make it again with the same image and path")

    def _write(self, record: dict[str, Any]) -> int:
        """Append a record to the journal and return its number."""
        self._check_open()
        self._greet()
        if self._journal is not None:
            self._journal.append(record | {"n": self._number + 1})
        self._number += 1
        return self._number

    def _do(self, record: dict[str, Any]) -> Action:
        """Write an action down, then do it."""
        action = self._history.read(record)
        action = action._replace(number=self._write(record))
        self._history.add(action)
        self._forget()
        return action

    def _decide(self, branch: Any, verb: str) -> None:
        given = list(branch) if isinstance(branch, Iterable) else [branch]
        chosen = sorted({self._check_branch(k) for k in given})
        if not chosen:
            raise ValueError("branch must name one branch at least; got none")
        middles = [self._history.middle(k) for k in chosen]
        self._do({"do": verb, "branches": chosen, "at": middles})

    def _check_branch(self, branch: Any) -> int:
        """Return the number of a branch; raise TypeError or ValueError if it is none."""
        if not len(self.branches):
            raise ValueError(f"branch must be that of a session with branches; got {branch!r}")
        return check_integer(branch, "branch", 0, len(self.branches) - 1)

    def _stroke(self, verb: str, points: Any, radius: Any, snap: bool) -> Stroke:
        places, snap = check_points(points, self.shape), check_flag(snap, "snap")
        thickness = self._settings["radius"] if radius is None else fit_radius(radius, self.shape)
        connectivity = self._settings["connectivity"]
        path = stroke_path(self.likelihood, places, snap=snap, connectivity=connectivity)
        line = {"points": places.tolist(), "path": path.tolist(), "radius": thickness}
        stroke = self._do({"do": verb} | line).stroke
        assert stroke is not None
        return stroke

    def _forget(self) -> None:
        """Have the mask, and what the model says if it learns always, found anew."""
        self._mask, self._effects = None, {}
        if self._learns_always:
            self._ranks = None

    def _replay(self) -> None:
        """Do again what the journal holds; what cannot be done is a problem."""
        assert self._journal is not None
        self.problems = list(self._journal.problems)
        known: set[int] = set()  # lines that an earlier opening has warned of
        for line, record in self._journal.records:
            try:
                if record["do"] == "open":
                    known.update(record["problems"])
                    continue
                self._number = max(self._number, int(record["n"]))
                self._repeat(record)
            except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
                self.problems.append(Problem(line, str(error), json.dumps(record)))
        self.problems.sort()
        new = [problem for problem in self.problems if problem.line not in known]
        if new:
            warnings.warn(
                f"{self.path}: {len(new)} of its lines could not be used and stay there as they "
                f"are; the first is line {new[0].line}: {new[0].reason}. All are in "
                f"session.problems",
                stacklevel=4,
            )
        self._forget()
        if self._learned_from is not None and hasattr(self.model, "learn"):
            self._teach(self._learned_from)

    def _repeat(self, record: dict[str, Any]) -> None:
        """Do one record of the journal again."""
        verb = record["do"]
        if verb in ("accept", "reject", "draw", "erase"):
            self._history.add(self._history.read(record))
        elif verb == "learn":
            self._learned_from = self._history.decisions
        elif verb in ("undo", "redo"):
            self._history.move(verb, record["of"])
        else:
            raise ValueError(f"{verb!r} is no action")

    def _teach(self, decisions: np.ndarray) -> None:
        chosen = np.flatnonzero(decisions != UNDECIDED)
        real = decisions[chosen] == ACCEPTED
        self.model.learn(self.image, self.likelihood, self.branches, chosen, real)
        self._ranks = None

    def _judge(self) -> tuple[np.ndarray, np.ndarray]:
        """Ask the model, if anything has changed since it was asked last."""
        if self._ranks is None:
            if self._learns_always:
                self._teach(self._history.decisions)
            answers = self.model.predict(self.image, self.likelihood, self.branches)
            ranks = [np.asarray(values, np.float64) for values in answers]
            for values, name in zip(ranks, ("probability", "uncertainty"), strict=True):
                wrong = values.shape != (len(self.branches),) or not np.isfinite(values).all()
                if wrong or (name == "probability" and ((values < 0) | (values > 1)).any()):
                    raise ValueError(
                        f"the model's {name} must be {len(self.branches)} finite numbers, and a "
                        f"probability lie in [0, 1]; got {values}"
                    )
            self._ranks = ranks[0], ranks[1]
        return self._ranks
