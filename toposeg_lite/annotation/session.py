"""An annotation session: a person accepts, rejects, draws and erases branches of one image.

**The mask** is made from the decisions by these rules, in this order:

1. It begins as the likelihood's mask: likelihood at or above `mask_threshold`.
2. The territory of each rejected branch goes (see the module `proposals`).
3. The path of each accepted branch is added. Where it lies outside the likelihood's mask, it is
   drawn as wide as `radius` says; inside, the mask already has its width.
4. What was drawn and erased by hand comes last, in the order in which it was done.

Undecided branches change nothing. So the mask depends only on the actions that are not undone.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import json
import os
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from scipy.spatial import cKDTree

from ..checks import check_choice, check_fraction, check_integer, check_number
from ..files import write_atomically
from ..topology.grid import check_connectivity, check_image
from .export import export_session
from .journal import Journal, Problem
from .proposals import Proposals, Territories, propose
from .ranking import BranchModel, LogisticModel
from .ridges import ridge_path

__all__ = ["AnnotationSession", "Effect", "Progress", "Stroke"]

UNDECIDED, ACCEPTED, REJECTED = 0, 1, -1


class Progress(NamedTuple):
    """How far a session has come.

    Attributes
    ----------
    branches : int
        How many there are to decide about.
    accepted, rejected, left : int
        How many of them are accepted, rejected and undecided.
    length_decided : float
        The part of all path pixels that lie on decided branches, from 0 to 1.
    drawn, erased : int
        How many strokes there are of either kind.
    actions : int
        How many actions there are, without those that are undone.
    """

    branches: int
    accepted: int
    rejected: int
    left: int
    length_decided: float
    drawn: int
    erased: int
    actions: int


class Effect(NamedTuple):
    """What the two decisions about a branch would change in the mask.

    Attributes
    ----------
    added : (k,) array of int64
        Pixels that accepting it would add, flat indices in order.
    removed : (m,) array of int64
        Pixels that rejecting it would take away, flat indices in order.
    """

    added: np.ndarray
    removed: np.ndarray


class Stroke(NamedTuple):
    """A line drawn or erased by hand.

    Attributes
    ----------
    drawn : bool
        False if it erases.
    path : (k,) array of int64
        Its middle line, flat indices.
    radius : float
        Pixels within this distance from the middle line belong to it.
    """

    drawn: bool
    path: np.ndarray
    radius: float


class _Action(NamedTuple):
    """One action: its number in the journal, and what it changes."""

    number: int
    branches: np.ndarray
    decision: int
    stroke: Stroke | None


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
    min_persistence, saddle_level : float
        Which branches are proposed; see `MorseComplex.skeleton`. Default 0.1 each. A model that
        has a method ``propose`` does as it says, whatever these are.
    mask_threshold : float
        Pixels with at least this likelihood are the mask to begin with. Default 0.5.
    radius : float
        Half the width of accepted branches outside the mask, and of strokes that name none, in
        pixels: 0 is one pixel wide, 1 (default) three.
    connectivity : int, optional
        Of the foreground, as in `morse_complex`: default 2 in 2D (8 neighbours), 1 in 3D (6).
    learn : {"always", "asked"}, optional
        Whether the model is fitted to the decisions whenever they change, or by `learn` alone.
        Default: "always" for `LogisticModel`, "asked" for all others.

    Attributes
    ----------
    image, likelihood : array
        As given; do not write to them.
    proposals : Proposals
        The branches. Their positions are the numbers that the methods take.
    decisions : (n,) array of int8
        1 for accepted branches, -1 for rejected ones, 0 for undecided ones; a copy.
    strokes : list of Stroke
        What was drawn and erased, in order; a copy.
    problems : list of Problem
        Lines of the journal that could not be used.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of the above; if the journal is of another image, of another
        likelihood or of other parameters; if the file at `path` is no journal.
    BlockingIOError
        If another session has the journal open.
    FileNotFoundError
        If the folder of `path` does not exist.

    Notes
    -----
    Threads take turns: a method waits until no other thread is in one. As a context manager it is
    closed at the end. Two sessions on one path exclude each other by a lock of the operating
    system, which ends with its process.

    Journals are read on every system that Python runs on; the lock is tested on Linux, made for
    macOS in the same way, and for Windows by another call (see the module `journal`).

    Examples
    --------
    Two vessels, each with a gap. The fainter one is the less certain:

    >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9],
    ...                        [0.0, 0.0, 0.0, 0.0, 0.0],
    ...                        [0.6, 0.6, 0.3, 0.6, 0.6]])
    >>> session = AnnotationSession(likelihood, likelihood, radius=0)
    >>> [session.proposals.paths[k].tolist() for k in session.queue()]
    [[10, 11, 12, 13], [0, 1, 2, 3]]
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
        radius: float = 1.0,
        connectivity: int | None = None,
        learn: str | None = None,
    ) -> None:
        # JupyterLab may have a click answered in another thread than the one that runs the cells.
        self._lock = threading.RLock()
        self.image = _check_picture(image)
        if hasattr(likelihood, "predict"):
            model = likelihood if model is None else model
        if model is not None and not isinstance(model, BranchModel):
            raise TypeError(
                f"model must have a method predict(image, likelihood, proposals); "
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
        try:
            self._open(likelihood, connectivity)
        except BaseException:
            self.close()
            raise

    def _open(self, likelihood: Any, connectivity: int | None) -> None:
        """Find the likelihood, propose its branches, and do again what the journal holds."""
        journal = self._journal
        header = None if journal is None else journal.header
        about_image = {"shape": list(self.image.shape), "sha256": _digest(self.image)}
        if header is not None and header["image"] != about_image:
            raise ValueError(
                f"{self.path} is the journal of another image: of shape "
                f"{tuple(header['image']['shape'])} and digest {header['image']['sha256'][:12]}; "
                f"got shape {self.image.shape} and digest {about_image['sha256'][:12]}. Pass the "
                f"same array, in the same type, or choose another path"
            )
        self.likelihood = self._find_likelihood(likelihood, header)
        ndim = self.likelihood.ndim
        if self.image.shape not in (self.likelihood.shape, (*self.image.shape[:1], *self.shape)):
            raise ValueError(
                f"image must have the likelihood's shape {self.shape}, after an axis of channels "
                f"or without one; got {self.image.shape}"
            )
        if connectivity is None and ndim == 3:
            connectivity = 1
        self._settings["connectivity"] = check_connectivity(connectivity, ndim)
        if header is not None and "persistence" in header["settings"]:
            # What min_persistence was called in the first journals.
            header["settings"]["min_persistence"] = header["settings"].pop("persistence")
        if header is not None and header["settings"] != self._settings:
            other = {k: v for k, v in header["settings"].items() if self._settings.get(k) != v}
            raise ValueError(
                f"{self.path} was begun with other settings: {other}. Pass these, or choose "
                f"another path"
            )
        self.proposals: Proposals
        if hasattr(self.model, "propose"):
            self.proposals = self.model.propose(self.image, self.likelihood)
        else:
            self.proposals = propose(
                self.likelihood,
                min_persistence=self._settings["min_persistence"],
                saddle_level=self._settings["saddle_level"],
                connectivity=self._settings["connectivity"],
            )
        mask = self.likelihood >= self._settings["mask_threshold"]
        self._lands = Territories(mask, self.proposals)
        counts = [
            (len(path), np.count_nonzero(mask.ravel()[path])) for path in self.proposals.paths
        ]
        # Of each path how many pixels there are, and how many of them lie inside the mask.
        self._sizes = np.array(counts, np.int64).reshape(-1, 2).T
        # What is dear to find, kept: by radius, by branch, and until something changes.
        self._balls: dict[float, np.ndarray] = {}
        self._paths: dict[int, np.ndarray] = {}
        self._mask: np.ndarray | None = None
        self._effects: dict[int, Effect] = {}
        self._tree: tuple[cKDTree, np.ndarray] | None = None
        self._done: list[_Action] = []
        self._undone: list[_Action] = []
        self._learned_from: np.ndarray | None = None  # decisions at the last call of `learn`
        self._ranks: tuple[np.ndarray, np.ndarray] | None = None
        self._number = 0
        self.problems: list[Problem] = []
        self._refold()
        if journal is not None:
            if header is None:
                self._keep_likelihood()
                about = {"shape": list(self.shape), "sha256": _digest(self.likelihood)}
                settings = {"image": about_image, "likelihood": about, "settings": self._settings}
                journal.start(settings)
            self._replay()
            journal.greet([problem.line for problem in self.problems])

    # --- What there is -------------------------------------------------------------------------

    @property
    def path(self) -> Path | None:
        """Where the journal is; None if nothing is kept."""
        return None if self._journal is None else self._journal.path

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
        return self._decisions.copy()

    @property
    @_alone
    def strokes(self) -> list[Stroke]:
        """What was drawn and erased by hand, in order; a copy."""
        return [action.stroke for action in self._done if action.stroke is not None]

    @property
    @_alone
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        return bool(self._done)

    @property
    @_alone
    def can_redo(self) -> bool:
        """Whether there is an undone action to do again."""
        return bool(self._undone)

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
        """Give the journal free for another session. Nothing is left to save."""
        if self._journal is not None:
            self._journal.close()

    # --- Actions -------------------------------------------------------------------------------

    @_alone
    def accept(self, branch: int | Iterable[int]) -> None:
        """Say that a branch is real; it may have been rejected before.

        Parameters
        ----------
        branch : int or iterable of int
            Its position in `proposals`; several are one action.

        Raises
        ------
        TypeError, ValueError
            If there is no such branch, or the session is closed.
        OSError
            If the journal cannot be written. Nothing has changed then.
        """
        self._decide(branch, "accept")

    @_alone
    def reject(self, branch: int | Iterable[int]) -> None:
        """Say that a branch is not real; it may have been accepted before.

        Parameters
        ----------
        branch : int or iterable of int
            Its position in `proposals`; several are one action.

        Raises
        ------
        TypeError, ValueError
            If there is no such branch, or the session is closed.
        OSError
            If the journal cannot be written. Nothing has changed then.
        """
        self._decide(branch, "reject")

    @_alone
    def draw(self, points: Any, *, radius: float | None = None, snap: bool = True) -> Stroke:
        """Draw a line through pixels, along the ridges of the likelihood between them.

        Parameters
        ----------
        points : (k, ndim) array of int or float
            One pixel or more, row first; floats are rounded.
        radius : float, optional
            Half the width; default: the session's.
        snap : bool
            Follow the ridges (see `ridge_path`), or else go straight.

        Returns
        -------
        Stroke
            What was drawn.

        Raises
        ------
        TypeError, ValueError
            If a point lies outside the image, or the session is closed.
        OSError
            If the journal cannot be written. Nothing has changed then.
        """
        return self._stroke("draw", points, radius, snap)

    @_alone
    def erase(self, points: Any, *, radius: float | None = None) -> Stroke:
        """Take the foreground along straight lines through pixels out of the mask.

        It takes away whatever stands there: the likelihood's mask, accepted branches and what was
        drawn before. What is drawn later stays.

        Parameters
        ----------
        points : (k, ndim) array of int or float
            One pixel or more, row first; floats are rounded.
        radius : float, optional
            Half the width; default: the session's.

        Returns
        -------
        Stroke
            What was erased.

        Raises
        ------
        TypeError, ValueError
            If a point lies outside the image, or the session is closed.
        OSError
            If the journal cannot be written. Nothing has changed then.
        """
        return self._stroke("erase", points, radius, snap=False)

    @_alone
    def undo(self) -> bool:
        """Take the last action back; any number of times, also after reopening.

        Returns
        -------
        bool
            False if there is none.
        """
        if not self._done:
            self._check_open()
            return False
        self._write({"do": "undo", "of": self._done[-1].number})
        self._undone.append(self._done.pop())
        self._refold()
        return True

    @_alone
    def redo(self) -> bool:
        """Do again what was undone last, if nothing else was done since.

        Returns
        -------
        bool
            False if there is none.
        """
        if not self._undone:
            self._check_open()
            return False
        self._write({"do": "redo", "of": self._undone[-1].number})
        self._done.append(self._undone.pop())
        self._refold()
        return True

    @_alone
    def learn(self) -> None:
        """Fit the model to the decisions made so far, so that the queue ranks by them.

        Raises
        ------
        TypeError
            If the model has no method `learn`.
        """
        if not hasattr(self.model, "learn"):
            raise TypeError(f"the model, a {type(self.model).__name__}, cannot learn")
        self._write({"do": "learn"})
        self._learned_from = self._decisions.copy()
        self._teach(self._decisions)

    # --- Answers -------------------------------------------------------------------------------

    @_alone
    def queue(self, by: Literal["uncertainty", "doubt", "gain"] = "uncertainty") -> list[int]:
        """Return the undecided branches, those first that should be asked about first.

        Parameters
        ----------
        by : {"uncertainty", "doubt", "gain"}
            First the branch that the model is least sure of (default), the one that the mask is
            most probably wrong about, or the one whose decision is expected to mend most of the
            mask. They differ where the model is sure that the mask is wrong.

        Returns
        -------
        list of int
            Equal ones by position.

        Raises
        ------
        TypeError, ValueError
            If `by` is neither.
        """
        check_choice(by, ("uncertainty", "doubt", "gain"), "by")
        order = np.argsort(-getattr(self, by), kind="stable")
        return order[self._decisions[order] == UNDECIDED].tolist()

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
        if its path lies outside the likelihood's mask, as it is to be added if it is real; with
        1 - p if it lies inside, as it is to go if it is not; surely if it lies partly inside.
        """
        size, within = self._sizes
        return self.probability * (within < size) + (1 - self.probability) * (within > 0)

    @property
    @_alone
    def gain(self) -> np.ndarray:
        """How many path pixels the mask is expected to be wrong about, (n,) float64.

        With the probability p of a branch, an undecided one counts p for each of its pixels outside
        the likelihood's mask, which it would add if it is real, and 1 - p for each inside, which
        should go if it is not.
        """
        size, within = self._sizes
        return self.probability * (size - within) + (1 - self.probability) * within

    @_alone
    def mask(self) -> np.ndarray:
        """Return the mask by the rules of the module's docstring: a new bool array."""
        if self._mask is None:
            self._mask = self._mask_after(self._decisions)
        return self._mask.copy()

    @_alone
    def effect(self, branch: int) -> Effect:
        """Say what each decision about a branch would change in the mask as it is now.

        Parameters
        ----------
        branch : int
            Its position in `proposals`; it may be decided already.

        Returns
        -------
        Effect
            What accepting it would add, and what rejecting it would take away.

        Raises
        ------
        TypeError, ValueError
            If there is no such branch.

        Notes
        -----
        Nothing else can change: accepting takes no pixel away, and rejecting adds none. What was
        drawn and erased by hand stays as it is.

        Examples
        --------
        >>> likelihood = np.array([[0.9, 0.9, 0.2, 0.9, 0.9]])
        >>> session = AnnotationSession(likelihood, likelihood, radius=0)
        >>> [pixels.tolist() for pixels in session.effect(0)]
        [[2], [0, 1, 3, 4]]
        """
        branch = self._check_branch(branch)
        if branch not in self._effects:
            self._effects[branch] = self._find_effect(branch)
        return self._effects[branch]

    def _find_effect(self, branch: int) -> Effect:
        """Return what `effect` says, found by making both masks."""
        now = self.mask()
        decisions = self._decisions.copy()
        decisions[branch] = ACCEPTED
        added = self._mask_after(decisions) & ~now
        decisions[branch] = REJECTED
        removed = now & ~self._mask_after(decisions)
        return Effect(np.flatnonzero(added), np.flatnonzero(removed))

    def _mask_after(self, decisions: np.ndarray) -> np.ndarray:
        """Return the mask as it is with some decisions and the present strokes."""
        mask = self._lands.without(decisions == REJECTED)
        flat = mask.ravel()
        for k in np.flatnonzero(decisions == ACCEPTED):
            flat[self._path(int(k))] = True
        for stroke in self.strokes:
            flat[self._thick(stroke.path, stroke.radius)] = stroke.drawn
        return mask

    def _path(self, branch: int) -> np.ndarray:
        """Return the pixels that belong to a branch once it is accepted."""
        if branch not in self._paths:
            path = self.proposals.paths[branch]
            outside = path[~self._lands.mask.ravel()[path]]
            self._paths[branch] = np.union1d(path, self._thick(outside, self._settings["radius"]))
        return self._paths[branch]

    @_alone
    def progress(self) -> Progress:
        """Say how far the session has come."""
        sizes = self._sizes[0]
        is_decided = self._decisions != UNDECIDED
        drawn = [stroke.drawn for stroke in self.strokes]
        return Progress(
            branches=len(self.proposals),
            accepted=int(np.count_nonzero(self._decisions == ACCEPTED)),
            rejected=int(np.count_nonzero(self._decisions == REJECTED)),
            left=int(np.count_nonzero(~is_decided)),
            length_decided=float(sizes[is_decided].sum() / sizes.sum()) if len(sizes) else 1.0,
            drawn=sum(drawn),
            erased=len(drawn) - sum(drawn),
            actions=len(self._done),
        )

    @_alone
    def nearest(self, point: Any, reach: float = 8.0) -> int | None:
        """Return the branch that a click means: the one whose path is nearest.

        Parameters
        ----------
        point : (ndim,) array of int or float
            Where, row first; it may lie between pixels.
        reach : float
            How far away a path may be, in pixels.

        Returns
        -------
        int or None
            Its position in `proposals`; None if there is none within reach. Where several meet at
            a node, the one that is undecided, and of these the first.

        Raises
        ------
        TypeError, ValueError
            If `point` is no point or `reach` no number.
        """
        try:
            where = np.asarray(point, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"point must be an array of numbers; got {point!r}") from None
        if where.shape != (len(self.shape),) or not np.isfinite(where).all():
            raise ValueError(f"point must be {len(self.shape)} finite numbers; got {point!r}")
        reach = check_number(reach, "reach")
        if len(self.proposals) == 0:
            return None
        if self._tree is None:
            pixels = np.concatenate(self.proposals.paths)
            sizes = [len(path) for path in self.proposals.paths]
            places = np.stack(np.unravel_index(pixels, self.shape), axis=1)
            self._tree = cKDTree(places), np.repeat(np.arange(len(sizes)), sizes)
        tree, owner = self._tree
        distance, _ = tree.query(where)
        if distance > reach:
            return None
        found = np.unique(owner[tree.query_ball_point(where, distance + 1e-9)])
        return int(found[np.argmax(self._decisions[found] == UNDECIDED)])

    @_alone
    def copy(self) -> AnnotationSession:
        """Return a session in the same state that keeps no journal, for trials.

        It shares the arrays, which nobody writes to, and has a shallow copy of the model: what a
        model learns must replace what it knew, not be written into it.
        """
        twin = object.__new__(AnnotationSession)
        twin.__dict__.update(self.__dict__)
        twin._lock = threading.RLock()
        twin._journal = None
        twin._done, twin._undone = list(self._done), list(self._undone)
        twin.problems = list(self.problems)
        twin.model = copy.copy(self.model)
        twin._refold()
        return twin

    @_alone
    def export(
        self,
        path: str | os.PathLike[str],
        *,
        skeleton: bool = False,
        affine: Any = None,
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
              ``probability``, ``uncertainty``, ``persistence`` and ``radius``.
        skeleton : bool
            Write the skeleton of the mask in place of the mask: lines one pixel wide, as
            ``skan.Skeleton`` takes them (it wants ``image > 0``). Not for GeoJSON.
        affine : (4, 4) array of float, optional
            For NIfTI: from voxels to millimetres, as in the file that the image came from.

        Raises
        ------
        TypeError, ValueError
            If the ending is none of these, or an option does not go with it.
        ModuleNotFoundError
            If nibabel is needed and missing.
        OSError
            If the file cannot be written. A file that was there before is unchanged then.
        """
        export_session(self, Path(path), skeleton=skeleton, affine=affine)

    # --- Inside --------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._journal is not None and self._journal.closed:
            raise ValueError("the session is closed; make it again with the same image and path")

    def _write(self, record: dict[str, Any]) -> int:
        """Append a record to the journal and return its number."""
        self._check_open()
        if self._journal is not None:
            self._journal.append(record | {"n": self._number + 1})
        self._number += 1
        return self._number

    def _do(self, record: dict[str, Any]) -> _Action:
        """Write an action down, then do it."""
        action = self._understand(record)
        action = action._replace(number=self._write(record))
        self._done.append(action)
        self._undone.clear()
        self._apply(action)
        return action

    def _decide(self, branch: Any, verb: str) -> None:
        given = list(branch) if isinstance(branch, Iterable) else [branch]
        chosen = sorted({self._check_branch(k) for k in given})
        if not chosen:
            raise ValueError("branch must name one branch at least; got none")
        middles = [int(self._middle(k)) for k in chosen]
        self._do({"do": verb, "branches": chosen, "at": middles})

    def _check_branch(self, branch: Any) -> int:
        """Return the number of a branch; raise TypeError or ValueError if it is none."""
        number = check_integer(branch, "branch")
        if number >= len(self.proposals):
            raise ValueError(
                f"branch must be less than the number of branches, {len(self.proposals)}; "
                f"got {number}"
            )
        return number

    def _stroke(self, verb: str, points: Any, radius: Any, snap: bool) -> Stroke:
        places = self._check_points(points)
        thickness = self._settings["radius"] if radius is None else check_number(radius, "radius")
        if snap:
            connectivity = self._settings["connectivity"]
            path = ridge_path(self.likelihood, places, connectivity=connectivity)
        else:
            path = ridge_path(np.zeros(self.shape, np.float32), places, connectivity=self._full)
        record = {
            "do": verb,
            "points": places.tolist(),
            "path": path.tolist(),
            "radius": thickness,
        }
        stroke = self._do(record).stroke
        assert stroke is not None
        return stroke

    @property
    def _full(self) -> int:
        return len(self.shape)

    def _middle(self, branch: int) -> np.int64:
        """Return the pixel by which the journal knows a branch again."""
        path = self.proposals.paths[branch]
        return path[len(path) // 2]

    def _understand(self, record: dict[str, Any]) -> _Action:
        """Turn a record into an action; raise ValueError, KeyError or TypeError if it is none."""
        number = record.get("n", 0)
        if record["do"] in ("accept", "reject"):
            chosen = np.array(record["branches"], np.int64)
            if (
                len(chosen) != len(record["at"])
                or not ((chosen >= 0) & (chosen < len(self.proposals))).all()
            ):
                raise ValueError("there is no such branch")
            if any(self._middle(k) != at for k, at in zip(chosen, record["at"], strict=True)):
                raise ValueError("the branch lies somewhere else: the likelihood is another one")
            return _Action(number, chosen, ACCEPTED if record["do"] == "accept" else REJECTED, None)
        path = np.array(record["path"], np.int64)
        if path.ndim != 1 or not ((path >= 0) & (path < self.likelihood.size)).all():
            raise ValueError("its pixels lie outside the image")
        radius = check_number(record["radius"], "radius")
        return _Action(
            number, np.empty(0, np.int64), UNDECIDED, Stroke(record["do"] == "draw", path, radius)
        )

    def _apply(self, action: _Action) -> None:
        self._decisions[action.branches] = action.decision
        self._forget()

    def _refold(self) -> None:
        """Find the decisions from the actions that are not undone."""
        self._decisions = np.zeros(len(self.proposals), np.int8)
        for action in self._done:
            self._decisions[action.branches] = action.decision
        self._forget()

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
            except (ValueError, KeyError, TypeError) as error:
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
        self._refold()
        if self._learned_from is not None and hasattr(self.model, "learn"):
            self._teach(self._learned_from)

    def _repeat(self, record: dict[str, Any]) -> None:
        """Do one record of the journal again."""
        if record["do"] in ("accept", "reject", "draw", "erase"):
            self._done.append(self._understand(record))
            self._undone.clear()
        elif record["do"] == "learn":
            self._refold()
            self._learned_from = self._decisions.copy()
        elif record["do"] in ("undo", "redo"):
            # By number, as the line of the action itself may be lost.
            here, there = self._done, self._undone
            if record["do"] == "redo":
                here, there = there, here
            found = [k for k, action in enumerate(here) if action.number == record["of"]]
            if not found:
                raise ValueError(f"there is no action {record['of']} to {record['do']}")
            there.append(here.pop(found[-1]))
        else:
            raise ValueError(f"{record['do']!r} is no action")

    def _teach(self, decisions: np.ndarray) -> None:
        chosen = np.flatnonzero(decisions != UNDECIDED)
        real = decisions[chosen] == ACCEPTED
        self.model.learn(self.image, self.likelihood, self.proposals, chosen, real)
        self._ranks = None

    def _judge(self) -> tuple[np.ndarray, np.ndarray]:
        """Ask the model, if anything has changed since it was asked last."""
        if self._ranks is None:
            if self._learns_always:
                self._teach(self._decisions)
            found = self.model.predict(self.image, self.likelihood, self.proposals)
            ranks = [np.asarray(values, np.float64) for values in found]
            for values, name in zip(ranks, ("probability", "uncertainty"), strict=True):
                wrong = values.shape != (len(self.proposals),) or not np.isfinite(values).all()
                if wrong or (name == "probability" and ((values < 0) | (values > 1)).any()):
                    raise ValueError(
                        f"the model's {name} must be {len(self.proposals)} finite numbers, and a "
                        f"probability lie in [0, 1]; got {values}"
                    )
            self._ranks = ranks[0], ranks[1]
        return self._ranks

    def _check_points(self, points: Any) -> np.ndarray:
        """Return points as pixels inside the image, (k, ndim) int64."""
        try:
            places = np.asarray(points, np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"points must be an array of numbers; got {points!r}") from None
        ndim = len(self.shape)
        if places.ndim != 2 or places.shape[1] != ndim or len(places) == 0:
            raise ValueError(
                f"points must be one pixel or more, an array of shape (k, {ndim}); "
                f"got shape {places.shape}"
            )
        inside = (places > -0.5) & (places < np.array(self.shape) - 0.5)
        if not inside.all():  # also true of NaN
            wrong = places[~inside.all(axis=1)][0].tolist()
            raise ValueError(f"points must lie inside the image of shape {self.shape}; got {wrong}")
        return np.floor(places + 0.5).astype(np.int64)

    def _thick(self, path: np.ndarray, radius: float) -> np.ndarray:
        """Return the flat indices of the pixels within `radius` of a path, some of them twice."""
        if radius < 1:
            return path
        if radius not in self._balls:
            reach = int(radius)
            ball = np.indices((2 * reach + 1,) * len(self.shape)) - reach
            near = (ball**2).sum(0) <= radius**2
            self._balls[radius] = ball[:, near].T
        places = np.stack(np.unravel_index(path, self.shape), axis=1)
        around = (places[:, None] + self._balls[radius]).reshape(-1, len(self.shape))
        around = around[((around >= 0) & (around < self.shape)).all(axis=1)]
        return np.ravel_multi_index(tuple(around.T), self.shape)

    # --- The likelihood ------------------------------------------------------------------------

    def _find_likelihood(self, likelihood: Any, header: dict[str, Any] | None) -> np.ndarray:
        """Return the likelihood that is given, or the one that the journal was begun with."""
        from_model = hasattr(likelihood, "predict")
        if from_model and not hasattr(likelihood, "likelihood"):
            raise TypeError(
                f"likelihood must be an array or a model with a method likelihood(image); "
                f"got {type(likelihood).__name__} without one"
            )
        # A header that cannot be read must not cost the likelihood that was kept with it.
        is_begun = self._journal is not None and bool(header or self._journal.records)
        if is_begun and (header or self._kept.exists()):
            if likelihood is None or from_model:
                return self._load_likelihood(header)
            header = header or {"likelihood": {"sha256": _digest(self._load_likelihood(None))}}
        if likelihood is None:
            raise ValueError("likelihood must be given to begin a session; got None")
        found = likelihood.likelihood(self.image) if from_model else likelihood
        array = check_image(found, "likelihood")
        if header is not None and header["likelihood"]["sha256"] != _digest(array):
            raise ValueError(
                f"{self.path} was begun with another likelihood. Pass None to go on with that "
                f"one, which is kept in {self._kept}, or choose another path"
            )
        return array

    @property
    def _kept(self) -> Path:
        assert self.path is not None
        return self.path.with_name(self.path.name + ".likelihood.npz")

    def _keep_likelihood(self) -> None:
        """Write the likelihood beside the journal."""
        file = io.BytesIO()
        np.savez_compressed(file, likelihood=self.likelihood)
        write_atomically(self._kept, file.getvalue())

    def _load_likelihood(self, header: dict[str, Any] | None) -> np.ndarray:
        """Read the likelihood that the journal was begun with."""
        try:
            with open(self._kept, "rb") as file, np.load(file) as kept:
                array = check_image(kept["likelihood"], "likelihood")
        except FileNotFoundError:
            raise ValueError(
                f"the likelihood that {self.path} was begun with is gone: there is no "
                f"{self._kept}. Pass it as an array"
            ) from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self._kept} cannot be read: {error}") from None
        if header is not None and header["likelihood"]["sha256"] != _digest(array):
            raise ValueError(f"{self._kept} is not the likelihood that {self.path} was begun with")
        return array


def _check_picture(image: Any) -> np.ndarray:
    """Return the image as a C-contiguous array of finite numbers."""
    if type(image).__module__.split(".")[0] == "torch":
        raise TypeError("image must be a NumPy array; got a torch tensor. Pass `.cpu().numpy()`")
    array = np.ascontiguousarray(image)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"image must hold real numbers; got dtype {array.dtype}")
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise ValueError(
            f"image must have 2 or 3 axes, after an axis of channels or without one; "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("image holds values that are NaN or infinite")
    return array


def _digest(array: np.ndarray) -> str:
    """Return a fingerprint of an array: of its shape, its type and its values."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    about = f"{array.shape} {little.dtype.str} ".encode()
    return hashlib.sha256(about + little.tobytes()).hexdigest()
