"""How many clicks does an order of questions save? A perfect annotator works against a known truth.

**How a branch is judged.** The annotator looks at the path alone: a branch is real if at least
three quarters of its own pixels (`share`) lie on the truth, or within `tolerance` pixels of it. So
a branch that runs along a vessel and then bridges a gap of background is real only while the bridge
is short beside it. All others are rejected; or only those of which a quarter or less is real, and
what is neither is left as it is (`mixed`): the click is spent, and nothing changes. An annotator
who judges like this never errs and is never tired; real ones do and are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from .. import metrics
from ..calibration import entropy
from ..checks import (
    check_choice,
    check_fraction,
    check_integer,
    check_number,
    check_same_shape,
    check_seed,
)
from ..topology.branches import UNDECIDED
from ..topology.grid import check_connectivity, check_mask
from .session import QUEUE_ORDERS, AnnotationSession, QueueOrder

Order = QueueOrder | Literal["persistence", "random", "pixel-entropy"]
ORDERS = (*QUEUE_ORDERS, "persistence", "random", "pixel-entropy")

__all__ = ["AnnotationCurve", "judge_branches", "simulate_annotator"]


@dataclass(frozen=True, eq=False)
class AnnotationCurve:
    """What a simulated annotator reached after each click.

    Attributes
    ----------
    order : str
        In which order branches were asked about.
    clicks : (k,) array of int64
        Numbers of decisions after which the mask was measured, from 0 on.
    scores : dict of str to (k,) array of float64
        The mask's metrics at these.
    branches : (m,) array of int64
        The branches in the order in which they were decided.
    """

    order: str
    clicks: np.ndarray
    scores: dict[str, np.ndarray]
    branches: np.ndarray

    def area(self, metric: str) -> float:
        """Return the area under the curve of one of the `scores`, divided by the number of clicks.

        It is the curve's mean height, in the metric's own units, so that curves of as many clicks
        can be compared. Between two measurements the curve is straight. Without any click it is the
        value at the beginning.
        """
        check_choice(metric, tuple(self.scores), "metric")
        values = self.scores[metric]
        if len(values) == 1:
            return float(values[0])
        return float(np.trapezoid(values, self.clicks) / self.clicks[-1])


def judge_branches(
    session: AnnotationSession, truth: Any, *, share: float = 0.75, tolerance: float = 0.0
) -> np.ndarray:
    """Say which branches of a session are real (see the module's docstring).

    Parameters
    ----------
    session, truth : AnnotationSession, array of bool or of 0 and 1
        Whose branches, and a mask of the session's shape.
    share : float
        The part of a branch's own pixels that must lie on the truth, in [0, 1]. Default 0.75.
    tolerance : float
        Pixels within this distance from the truth count as on it. Default 0.

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.6, 0.8, 0.0, 0.5]])
    >>> session = AnnotationSession(likelihood, likelihood)
    >>> judge_branches(session, [[1, 1, 1, 0, 0]])
    array([ True, False])
    """
    return _shares(session, truth, share, tolerance) >= share


def _shares(session: AnnotationSession, truth: Any, share: float, tolerance: float) -> np.ndarray:
    """Return which part of each branch lies on the truth, (n,) float64; check all on the way."""
    if not isinstance(session, AnnotationSession):
        raise TypeError(f"session must be an AnnotationSession; got {type(session).__name__}")
    truth = check_mask(truth, "truth")
    check_same_shape(truth, session.likelihood, ("truth", "the session's likelihood"))
    check_fraction(share, "share")
    reach = check_number(tolerance, "tolerance")
    if truth.any() and reach > 0:
        truth = ndimage.distance_transform_edt(~truth) <= reach
    return session.branches.fraction_on(truth)


def simulate_annotator(
    session: AnnotationSession,
    truth: Any,
    *,
    order: Order | Iterable[int] = "uncertainty",
    clicks: int | None = None,
    every: int = 1,
    share: float = 0.75,
    tolerance: float = 0.0,
    mixed: Literal["reject", "leave"] = "reject",
    labels: metrics.Labels = "foreground",
    connectivity: int | None = None,
    seed: int | np.random.Generator = 0,
) -> AnnotationCurve:
    """Let a perfect annotator decide branch after branch, and measure the mask on the way.

    Parameters
    ----------
    session : AnnotationSession
        Where to begin. It is not changed: the simulation works on a copy without a journal.
    truth, share, tolerance
        How a branch is judged; see `judge_branches`.
    order : {"uncertainty", "doubt", "gain", ...} or iterable of int
        Which undecided branch comes next:

        - "uncertainty", "doubt", "gain": the first of the session's queue by these, which is made
          anew after each decision; a model that learns always has learned from it by then;
        - "persistence": the most persistent;
        - "random": any;
        - "pixel-entropy": the one with the highest mean, over its own pixels, of the entropy of the
          likelihood, which is what a pixel-wise network knows of its uncertainty;
        - numbers of branches: these, in this order.
    clicks : int, optional
        Stop after so many decisions. Default: when all branches are decided.
    every : int
        Measure after each so many decisions, and after the last. Default 1.
    mixed : {"reject", "leave"}
        What becomes of branches that are not real, but of which more than 1 - `share` is. Default:
        they are rejected. To "leave" one costs a click, too.
    labels : {"foreground", "background"}
        Which segments the variation of information compares; see that metric.
    connectivity : int, optional
        Of the foreground in all metrics; default: the number of axes.
    seed : int or Generator
        For the order "random".

    Returns
    -------
    AnnotationCurve
        With the scores "betti_matching_error", "cldice" and "variation_of_information".

    Examples
    --------
    >>> likelihood = np.array([[0.9, 0.3, 0.8, 0.0, 0.6]])
    >>> session = AnnotationSession(likelihood, likelihood, radius=0)
    >>> curve = simulate_annotator(session, [[1, 1, 1, 0, 0]])
    >>> curve.branches, curve.scores["cldice"].round(2)
    (array([1, 0]), array([0.67, 0.8 , 1.  ]))
    """
    shares = _shares(session, truth, share, tolerance)
    truth = check_mask(truth, "truth")
    check_choice(mixed, ("reject", "leave"), "mixed")
    connectivity = check_connectivity(connectivity, truth.ndim)
    check_choice(labels, ("foreground", "background"), "labels")
    every = check_integer(every, "every", 1)
    name = order if isinstance(order, str) else "given"
    limit = len(shares) if clicks is None else check_integer(clicks, "clicks")
    rng, session = check_seed(seed), session.copy()
    following = _following(session, order, rng)
    counts, rows = [0], [_scores(session.mask(), truth, connectivity, labels)]
    decided: list[int] = []
    before = session.mask()
    while len(decided) < limit:
        branch = following(session, decided)
        if branch is None:
            break
        if shares[branch] >= share:
            session.accept(branch)
        elif mixed == "reject" or shares[branch] <= 1 - share:
            session.reject(branch)
        decided.append(branch)
        if len(decided) % every == 0:
            counts.append(len(decided))
            now = session.mask()
            changed = (now != before).any()  # what leaves the mask as it is costs no time
            rows.append(_scores(now, truth, connectivity, labels) if changed else rows[-1])
            before = now
    if counts[-1] < len(decided):
        counts.append(len(decided))
        rows.append(_scores(session.mask(), truth, connectivity, labels))
    scores = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return AnnotationCurve(name, np.array(counts), scores, np.array(decided, np.int64))


def _following(session: AnnotationSession, order: Any, rng: np.random.Generator) -> Any:
    """Return a function that says which branch comes next; None if none does.

    It takes the session and the branches that were asked about: some may be undecided nonetheless.
    """
    if isinstance(order, str):
        check_choice(order, ORDERS, "order")
        if order in QUEUE_ORDERS:
            by: Any = order
            if not session._learns_always:  # no decision changes what is said of the others
                queue = iter(session.queue(by))
                return lambda session, asked: next(queue, None)

            def first(session: AnnotationSession, asked: list[int]) -> int | None:
                known = set(asked)
                return next((k for k in session.queue(by) if k not in known), None)

            return first
        ranked = _ranked(session, order, rng)
    else:
        if not isinstance(order, Iterable):
            raise TypeError(f"order must be one of {ORDERS} or numbers of branches; got {order!r}")
        ranked = [check_integer(branch, "order") for branch in order]
        count = len(session.branches)
        if sorted(set(ranked)) != sorted(ranked) or max(ranked, default=0) >= count:
            raise ValueError(
                f"order must name branches below {count}, each once at most; got {ranked}"
            )
    undecided = iter([k for k in ranked if session.decisions[k] == UNDECIDED])
    return lambda session, asked: next(undecided, None)


def _ranked(session: AnnotationSession, order: str, rng: np.random.Generator) -> list[int]:
    """Return all branches of a session in an order that no decision changes."""
    if order == "random":
        return rng.permutation(len(session.branches)).tolist()
    if order == "persistence":
        values = session.branches.persistence
    else:
        unsure = entropy(session.likelihood).ravel()
        values = np.array([unsure[path].mean() for path in session.branches.own_paths])
    return np.argsort(-values, kind="stable").tolist()


def _scores(
    mask: np.ndarray, truth: np.ndarray, connectivity: int, labels: metrics.Labels
) -> dict[str, float]:
    """Return the metrics of a mask."""
    error = metrics.betti_matching_error(mask, truth, connectivity=connectivity)
    information = metrics.variation_of_information(
        mask, truth, connectivity=connectivity, labels=labels
    )
    cldice = metrics.cldice(mask, truth)
    return {
        "betti_matching_error": error,
        "cldice": cldice,
        "variation_of_information": information,
    }
