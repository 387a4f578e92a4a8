"""Are probabilities honest? Of all that was given 70 %, seven in ten should be true.

A *reliability diagram* sorts predictions by their probability into bins and compares, in each, the
mean probability with the frequency of what came true. The *expected calibration error* is the mean
gap, weighted by how many predictions each bin holds [1]_. *Temperature scaling* mends what is too
bold or too shy by one number: all log-odds are divided by it [2]_.

These functions take one probability for each thing that is true or not: the pixels of an image, or
the branches of many. Other input is refused with a TypeError or ValueError. Everywhere here

probabilities : array of float
    in [0, 1], of any shape.
truth : array of bool, or of numbers in [0, 1]
    is what came true, of the same shape; between 0 and 1 where it did in part.
weights : array of float, optional
    say how much each prediction counts, in the same shape; default 1.
bins : int
    is the number of bins of equal width.

References
----------
.. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
       Bayesian binning", AAAI 2015. doi:10.1609/aaai.v29i1.9602
.. [2] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
       ICML 2017. arXiv:1706.04599
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, xlogy

from .checks import check_integer, check_number, check_reals, check_same_shape

__all__ = [
    "Reliability",
    "entropy",
    "expected_calibration_error",
    "fit_temperature",
    "reliability_diagram",
    "scale_probabilities",
]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram: one entry of each array for each bin of equal width, from 0 to 1.

    Attributes
    ----------
    edges : (bins + 1,) array of float64
        Where the bins begin and end; a probability on an edge belongs to the bin above it, 1 to the
        last.
    count : (bins,) array of float64
        How many predictions (or how much weight) each bin holds.
    probability, frequency : (bins,) array of float64
        Mean probability, and how often it came true; NaN in empty bins.
    """

    edges: np.ndarray
    count: np.ndarray
    probability: np.ndarray
    frequency: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error, from 0 to 1."""
        gaps = np.abs(self.probability - self.frequency)
        return float(np.nansum(self.count * gaps) / self.count.sum())


def reliability_diagram(
    probabilities: Any, truth: Any, *, bins: int = 15, weights: Any = None
) -> Reliability:
    """Compare probabilities with how often they came true (parameters: see the module's docstring).

    Examples
    --------
    >>> diagram = reliability_diagram([0.1, 0.2, 0.9, 0.9], [False, False, True, False], bins=2)
    >>> diagram.count, diagram.probability.round(2), diagram.frequency
    (array([2., 2.]), array([0.15, 0.9 ]), array([0. , 0.5]))
    """
    probabilities, truth, weights = _check(probabilities, truth, weights)
    bins = check_integer(bins, "bins", 1, 1_000_000)
    which = np.minimum((probabilities * bins).astype(np.intp), bins - 1)
    count, total, hits = (
        np.bincount(which, weights * values, bins) for values in (1.0, probabilities, truth)
    )
    filled = np.where(count > 0, count, np.nan)
    return Reliability(np.linspace(0, 1, bins + 1), count, total / filled, hits / filled)


def expected_calibration_error(
    probabilities: Any, truth: Any, *, bins: int = 15, weights: Any = None
) -> float:
    """Mean gap between probabilities and how often they came true, over bins of probability.

    From 0 (honest) to 1. It depends on the number of bins: name it. See the module's docstring for
    the parameters.

    Examples
    --------
    Of what was given 0.9, half came true: a gap of 0.4 for two of four; 0.15 for the others.

    >>> error = expected_calibration_error([0.1, 0.2, 0.9, 0.9], [0, 0, 1, 0], bins=2)
    >>> round(error, 3)
    0.275
    """
    return reliability_diagram(probabilities, truth, bins=bins, weights=weights).error


def scale_probabilities(probabilities: Any, temperature: float) -> np.ndarray:
    """Divide the log-odds of probabilities by a temperature above 0.

    A temperature above 1 makes probabilities less bold. The result is of float64.

    Examples
    --------
    >>> scale_probabilities([0.1, 0.5, 0.9], 2.0).round(2)
    array([0.25, 0.5 , 0.75])
    """
    temperature = check_number(temperature, "temperature", positive=True)
    return expit(logit(_unit(probabilities, "probabilities")) / temperature)


def fit_temperature(probabilities: Any, truth: Any, *, weights: Any = None) -> float:
    """Find the temperature that makes probabilities honest: the one of the least cross-entropy.

    Probabilities and truth should be of images that nothing was trained on. The result is from
    0.05 to 20; above 1, the probabilities were too bold.

    Notes
    -----
    The cross-entropy is convex in the inverse of the temperature. Probabilities of exactly 0 or 1
    are taken for 1e-7 and 1 - 1e-7, since no temperature could mend them.

    Examples
    --------
    Nine times in ten certain, but right only three times in four:

    >>> round(fit_temperature([0.9] * 4, [1, 1, 1, 0]), 3)
    2.0
    """
    probabilities, truth, weights = _check(probabilities, truth, weights)
    odds = logit(np.clip(probabilities, 1e-7, 1 - 1e-7))

    def cost(inverse: float) -> float:
        z = odds * inverse
        return float(np.sum(weights * (np.logaddexp(0, z) - truth * z)))

    from scipy.optimize import minimize_scalar  # here: it is a third of the import's time

    least = minimize_scalar(cost, bounds=(0.05, 20.0), method="bounded", options={"xatol": 1e-8})
    return float(1 / least.x)


def entropy(probability: Any) -> np.ndarray:
    """Return the entropy, in bits, of a yes-or-no question with this probability of yes.

    From 0 (certain) to 1 (one half), of any shape.

    Examples
    --------
    >>> entropy([0.0, 0.5, 1.0]).tolist()
    [0.0, 1.0, 0.0]
    """
    p = _unit(probability, "probability")
    return np.abs(xlogy(p, p) + xlogy(1 - p, 1 - p)) / np.log(2)  # abs: never -0


def _check(probabilities: Any, truth: Any, weights: Any) -> tuple[np.ndarray, ...]:
    """Return probabilities, what came true and weights as flat arrays of float64."""
    chance, outcome = _unit(probabilities, "probabilities"), _unit(truth, "truth")
    check_same_shape(chance, outcome, ("probabilities", "truth"))
    if not chance.size:
        raise ValueError("probabilities are empty: there is nothing to compare")
    weight = (
        np.ones(chance.shape)
        if weights is None
        else check_reals(weights, "weights").astype(np.float64)
    )
    check_same_shape(chance, weight, ("probabilities", "weights"))
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError("weights must be finite, none negative and some above zero")
    return chance.ravel(), outcome.ravel(), weight.ravel()


def _unit(values: Any, name: str) -> np.ndarray:
    """Return numbers in [0, 1] as float64."""
    array = check_reals(values, name).astype(np.float64)
    if array.size and not (array.min() >= 0 and array.max() <= 1):  # also true of NaN
        raise ValueError(f"{name} must lie in [0, 1] and hold no NaN")
    return array
