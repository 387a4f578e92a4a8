"""The distribution over the structures of one image: ask it for samples, or for probabilities.

Each branch k is real with probability sigmoid(z_k), independently of the others once z is known,
and z is normal or a function of something normal:

=========== ==========================================================================
mode        z_k
=========== ==========================================================================
"threshold" (persistence_k - sigmoid(u)) / temperature, one normal u for all branches
"branch"    normal, with a mean and a standard deviation for each branch
=========== ==========================================================================

In both, z is at last divided by the temperature of the calibration. The probability of a branch is
the mean of sigmoid(z_k), and the entropy of that probability says how unsure the decision is.

The variance of sigmoid(z_k) is no uncertainty of the model: it says how far z spreads, and is zero
if z is known, whatever the probability. In "threshold" the spread is what all branches of an image
have in common, so samples differ as wholes. In "branch" it is set by the weights of the loss, and
does not shrink with the number of branches that the head has seen: see `BranchHead`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from ..calibration import entropy
from ..checks import check_choice, check_fraction, check_integer, check_number, check_seed
from ..topology.branches import ACCEPTED, RADIUS, REJECTED, BranchSet
from ..topology.discs import draw_discs
from ..topology.kernels import kernel
from ..topology.threads import map_in_threads
from .walking import redraw

Mode = Literal["threshold", "branch"]

__all__ = ["Mode", "StructureDistribution", "StructureSamples", "Uncertainty"]

# Gauss-Hermite quadrature: for a standard normal x, the mean of f(x) is sum(WEIGHTS * f(NODES)).
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True, eq=False, repr=False)
class StructureSamples:
    """Structures that were sampled: n of them, of an image with m branches.

    Attributes
    ----------
    branches : BranchSet
    kept : (n, m) array of bool
        Which branches are in which sample.
    masks : (n, *spatial) array of bool
        The masks, by the rules in `toposeg_lite.topology.branches`: kept branches are accepted,
        the others rejected.
    structures : (n, *spatial) array of bool
        The paths of the kept branches alone, redrawn where the model walks.
    """

    branches: BranchSet
    kept: np.ndarray
    masks: np.ndarray
    structures: np.ndarray

    def __len__(self) -> int:
        return len(self.kept)

    def __repr__(self) -> str:
        return f"StructureSamples({len(self)} of {self.branches!r})"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How unsure the decision about each branch is: arrays with an entry for each.

    Attributes
    ----------
    branches : BranchSet
    probability : (m,) array of float64
        That the branch is real.
    variance : (m,) array of float64
        How far the probability spreads where z does, from 0 to 0.25. It does not tell how much
        the model has seen: see the module's docstring.
    entropy : (m,) array of float64
        Of the decision, in bits: 1 at probability 0.5, 0 at 0 and 1. This is the uncertainty.
    """

    branches: BranchSet
    probability: np.ndarray
    variance: np.ndarray
    entropy: np.ndarray

    def map(self, of: Literal["entropy", "variance", "probability"] = "entropy") -> np.ndarray:
        """Return one of the three as an image of float32, 0 where no branch decides."""
        check_choice(of, ("entropy", "variance", "probability"), "of")
        return self.branches.paint(getattr(self, of))


@dataclass(frozen=True, eq=False, repr=False)
class StructureDistribution:
    """The distribution over the structures of one image; made by `StructureModel.distribution`.

    Attributes
    ----------
    branches : BranchSet
        The branches that may be real.
    mode : {"threshold", "branch"}
        See the table in the module's docstring.
    mean, std : arrays of float64
        Of what is normal there: (1,) of u, or (m,) of z.
    temperature : float
        Of the threshold; 1 in the mode "branch".
    calibration : float
        Its temperature.
    walk : tuple of float or None
        (gamma, sigma) of the walk that redraws kept branches; None: they keep their paths.
    connectivity : int or None
        Of the foreground.
    features : (m, F) tensor or None
        What the head of the mode "branch" saw; without gradient.
    """

    branches: BranchSet
    mode: Mode
    mean: np.ndarray
    std: np.ndarray
    temperature: float = 1.0
    calibration: float = 1.0
    walk: tuple[float, float] | None = None
    connectivity: int | None = None
    features: Tensor | None = None

    def __repr__(self) -> str:
        return f"StructureDistribution({self.mode!r}, {self.branches!r})"

    def calibrated(self, calibration: float) -> StructureDistribution:
        """Return the distribution with another temperature of the calibration."""
        calibration = check_number(calibration, "calibration", positive=True)
        return replace(self, calibration=calibration)

    def _log_odds(self, x: np.ndarray) -> np.ndarray:
        """Return z for standard normal numbers: (n, 1) of them in "threshold", else (n, m)."""
        z = self.mean + self.std * x
        if self.mode == "threshold":
            z = (self.branches.persistence.astype(np.float64) - expit(z)) / self.temperature
        return z / self.calibration

    def uncertainty(self) -> Uncertainty:
        """Return how unsure the decision about each branch is.

        Means over the normal distribution are taken by Gauss-Hermite quadrature with 64 nodes, so
        nothing is sampled.
        """
        chances = expit(self._log_odds(NODES[:, None]))
        probability = np.clip(WEIGHTS @ chances, 0, 1)
        variance = WEIGHTS @ (chances - probability) ** 2
        return Uncertainty(self.branches, probability, variance, entropy(probability))

    def mask(self, accept: float = 0.5) -> np.ndarray:
        """Return the final mask: branches of at least this probability accepted, others rejected.

        It is a bool array of the image's shape; `accept` lies in [0, 1].
        """
        accept = check_fraction(accept, "accept")
        accepted = self.uncertainty().probability >= accept
        return self.branches.mask(np.where(accepted, ACCEPTED, REJECTED))

    def sample(self, n: int, seed: int | np.random.Generator) -> StructureSamples:
        """Sample n structures, 0 or more; the seed decides all.

        Samples are spread over as many threads as torch uses; the number changes nothing.
        """
        n = check_integer(n, "n")
        rng = check_seed(seed)
        count = len(self.branches)
        x = rng.standard_normal((n, 1 if self.mode == "threshold" else count))
        kept = rng.random((n, count)) < expit(self._log_odds(x))
        keys = rng.integers(2**63, size=n, dtype=np.uint64)
        branches = self.branches
        masks = np.empty((n, *branches.shape), np.bool_)
        structures = np.zeros_like(masks)
        base, region = branches.base.ravel(), branches.region.ravel()  # known before threads start

        def draw(i: int) -> None:
            pixels = branches.pixels[np.repeat(kept[i], np.diff(branches.offsets))]
            if self.walk is not None:
                pixels = redraw(branches, kept[i], keys[i], *self.walk, self.connectivity)[0]
            structure = structures[i].reshape(-1)
            structure[pixels] = True
            _fill(base, region, kept[i], structure, masks[i].reshape(-1))
            draw_discs(masks[i], pixels[~base[pixels]], RADIUS)

        map_in_threads(draw, range(n), torch.get_num_threads())
        return StructureSamples(branches, kept, masks, structures)


@kernel
def _fill(base, region, kept, structure, out):
    """Write the mask of one sample into `out`: see the rules in the module `branches`."""
    for i in range(base.size):
        out[i] = structure[i] or (base[i] and (region[i] < 0 or kept[region[i]]))
