"""Which branch should be asked about next? How probable each one is, and how unsure that is.

A session asks a *branch model* for two numbers of every branch: the probability that it is real,
and an uncertainty by which the queue is ordered. Any object with the methods of `BranchModel` will
do; `LogisticModel` is the one that is used where none is given. It needs no training beforehand and
learns from the decisions of the annotator.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.special import expit, logit

from ..calibration import entropy
from ..checks import check_number
from ..topology.branches import BranchSet

__all__ = ["BranchModel", "LogisticModel", "fit_logistic"]


@runtime_checkable
class BranchModel(Protocol):
    """What a session needs of a model. A model may also have three more methods.

    ``likelihood(image) -> array`` of the image's spatial shape, float in [0, 1]: then the model can
    stand in the place of the likelihood when a session is begun.

    ``propose(image, likelihood) -> BranchSet``: the model has its own way of cutting branches. The
    same input must give the same ones.

    ``learn(image, likelihood, branches, chosen, real)``: fit the model *anew* to decisions.
    `chosen` (m,) int64 are positions among the branches, `real` (m,) bool whether each was
    accepted. It starts from the same state each time, so that the same decisions give the same
    model, and a session that is reopened ranks as it did before.
    """

    def predict(
        self, image: np.ndarray, likelihood: np.ndarray, branches: BranchSet
    ) -> tuple[np.ndarray, np.ndarray]:
        """Judge every branch of an image: arguments are as the session has them.

        Returns
        -------
        probability : (n,) array of float
            That each is real, in [0, 1].
        uncertainty : (n,) array of float
            The larger, the sooner it should be asked about; finite.
        """
        ...


class LogisticModel:
    """A logistic regression on five features of a branch, which learns from decisions.

    The probability of a branch is the sigmoid of a weighted sum of its features:

    ====================  ==========================================================
    feature               what it is, x being the likelihood of its own pixels
    ====================  ==========================================================
    one                   1, for the offset
    mean log-odds         log(m / (1 - m)) of the mean m of x, m within [0.02, 0.98]
    lowest log-odds       the same of the smallest x
    persistence           that of the branch
    length                log(number of own pixels) - log(20)
    ====================  ==========================================================

    Before any decision the weights are (0, 1, 0, 0, 0): the probability is the mean likelihood
    of the branch. `learn` finds the weights that maximise the likelihood of the decisions, under
    a normal prior with these means and one standard deviation for all weights (ridge regression
    towards the first guess). The uncertainty is the entropy.

    Parameters
    ----------
    spread : float
        Standard deviation of the prior, positive: the larger, the more decisions count. Default 1.

    Examples
    --------
    >>> from toposeg_lite.topology.branches import find_branches
    >>> likelihood = np.array([[0.6, 0.5, 0.7, 0.0, 0.4]])
    >>> branches = find_branches(likelihood, saddle_level=0.1, specks=True)
    >>> model = LogisticModel()
    >>> model.predict(likelihood, likelihood, branches)[0].round(2)
    array([0.6, 0.4])
    >>> model.learn(likelihood, likelihood, branches, np.array([0]), np.array([False]))
    >>> bool(model.predict(likelihood, likelihood, branches)[0][0] < 0.5)
    True
    """

    _PRIOR = np.array([0.0, 1.0, 0.0, 0.0, 0.0])

    def __init__(self, spread: float = 1.0) -> None:
        self.spread = check_number(spread, "spread", positive=True)
        self.weights = self._PRIOR.copy()

    def predict(
        self, image: np.ndarray, likelihood: np.ndarray, branches: BranchSet
    ) -> tuple[np.ndarray, np.ndarray]:
        """Judge every branch; see `BranchModel`."""
        probability = expit(_features(likelihood, branches) @ self.weights)
        return probability, entropy(probability)

    def learn(
        self,
        image: np.ndarray,
        likelihood: np.ndarray,
        branches: BranchSet,
        chosen: np.ndarray,
        real: np.ndarray,
    ) -> None:
        """Fit the weights anew to decisions; see `BranchModel`."""
        x = _features(likelihood, branches)[chosen]
        self.weights = fit_logistic(x, real, self._PRIOR, self.spread)


def fit_logistic(x: np.ndarray, real: Any, prior: np.ndarray, spread: float) -> np.ndarray:
    """Return the weights of a logistic regression that are the most probable after some decisions.

    `x` (m, F) are features of what was decided, `real` (m,) the decisions; before them the weights
    are normal, with the means `prior` (F,) and the standard deviation `spread`. The unique maximum
    is found by Newton's method with halved steps, in milliseconds.

    Examples
    --------
    >>> fit_logistic(np.ones((9, 1)), np.zeros(9), np.zeros(1), 1.0).round(1)
    array([-1.6])
    """
    y = np.asarray(real, np.float64)
    stiffness = 1 / spread**2

    def loss(weights: np.ndarray) -> float:
        z = x @ weights
        pull = weights - prior
        return float((np.logaddexp(0, z) - y * z).sum() + stiffness / 2 * pull @ pull)

    weights = prior.copy()
    for _ in range(50):
        p = expit(x @ weights)
        gradient = x.T @ (p - y) + stiffness * (weights - prior)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + stiffness * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        before, size = loss(weights), 1.0
        while loss(weights - size * step) > before and size > 1e-6:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return weights


def _features(likelihood: np.ndarray, branches: BranchSet) -> np.ndarray:
    """Return the features of `LogisticModel`, (n, 5) float64."""
    if len(branches) == 0:
        return np.empty((0, 5))
    sizes = branches.sizes
    values = likelihood.ravel()[branches.own_pixels].astype(np.float64)
    starts = np.cumsum(sizes) - sizes
    mean = np.add.reduceat(values, starts) / sizes
    lowest = np.minimum.reduceat(values, starts)
    odds = [logit(np.clip(v, 0.02, 0.98)) for v in (mean, lowest)]
    length = np.log(sizes) - np.log(20)
    return np.stack([np.ones(len(sizes)), *odds, branches.persistence, length], axis=1)
