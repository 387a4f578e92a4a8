"""A distribution over the structures of an image, instead of one mask.

`StructureModel` wraps any network that predicts a likelihood, and learns how likely each branch of
its ridges is real: by one `Threshold` for the image, or by a `BranchHead` that judges each branch.
From it come sampled structures, how unsure each branch is, and a final mask. `find_branches`
divides a likelihood into branches, and says how decisions about them become a mask;
`perturb_and_walk` redraws them; `load_pretrained` brings a trained model, and `EvenLight` what it
looks through. The rest asks whether probabilities are honest.

Everywhere, a bad argument raises TypeError or ValueError before anything is computed, whatever is
drawn is decided by a seed (an integer or a `numpy.random.Generator`), and B, n and m stand for the
numbers of images, samples and branches.
"""

from ..calibration import (
    Reliability,
    expected_calibration_error,
    fit_temperature,
    reliability_diagram,
    scale_probabilities,
)
from ..topology.branches import BranchSet, find_branches
from .common import Gaussian
from .distribution import StructureDistribution, StructureSamples, Uncertainty
from .features import FEATURES, branch_features, persistence_of
from .head import BranchHead
from .model import StructureLoss, StructureModel
from .pretrained import EvenLight, load_pretrained
from .threshold import Threshold
from .walking import perturb_and_walk

__all__ = [
    "FEATURES",
    "BranchHead",
    "BranchSet",
    "EvenLight",
    "Gaussian",
    "Reliability",
    "StructureDistribution",
    "StructureLoss",
    "StructureModel",
    "StructureSamples",
    "Threshold",
    "Uncertainty",
    "branch_features",
    "expected_calibration_error",
    "find_branches",
    "fit_temperature",
    "load_pretrained",
    "persistence_of",
    "perturb_and_walk",
    "reliability_diagram",
    "scale_probabilities",
]
