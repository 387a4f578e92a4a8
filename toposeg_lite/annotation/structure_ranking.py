"""Let a `StructureModel` propose the branches of a session, rank them, and learn from decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from ..calibration import entropy
from ..checks import check_number
from ..topology.branches import BranchSet
from .ranking import fit_logistic

if TYPE_CHECKING:
    from ..structures import StructureModel

__all__ = ["StructureRanking"]


class StructureRanking:
    """A branch model for `AnnotationSession` that asks a `StructureModel`.

    The branches are the model's own. Before any decision a branch has the model's calibrated
    probability. `learn` fits a logistic regression to the decisions, whose features are the model's
    log-odds, a constant, and, in the mode "branch", what the model's head sees of the branch,
    scaled to mean 0 and variance 1 over the image. Its prior is the model itself: weight 1 for the
    log-odds and 0 for the rest, with a standard deviation of `spread`. The network and its head
    stay as they are, so that the next image begins with what was learned from experts' masks, not
    from this one alone. The uncertainty is the entropy of the probability.

    Parameters
    ----------
    model : StructureModel
        Trained.
    spread : float
        Of the prior: the larger, the more decisions count. Default 0.5.

    Attributes
    ----------
    weights : array of float64 or None
        What was learned; None before.

    Notes
    -----
    The network runs once for each image, and the result is kept for the last image only. Where it
    gives another likelihood than the one that a journal was begun with (other weights, another
    machine), its branches are others, too, and the session is refused.

    Examples
    --------
    >>> import torch
    >>> from toposeg_lite.annotation import AnnotationSession
    >>> from toposeg_lite.structures import StructureModel
    >>> likelihood = torch.tensor([[0.9, 0.9, 0.2, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1, 0.1]])
    >>> model = StructureModel(torch.nn.Identity(), mode="branch")
    >>> session = AnnotationSession(likelihood.logit().numpy(), StructureRanking(model))
    >>> len(session.queue()) == len(model.branches(likelihood.logit()[None, None])[0])
    True
    """

    def __init__(self, model: StructureModel, spread: float = 0.5) -> None:
        # By its method: its class would bring torch along for all who annotate without it.
        if not callable(getattr(model, "distribution", None)) or isinstance(model, type):
            raise TypeError(f"model must be a StructureModel; got {type(model).__name__}")
        self.model, self.spread = model, check_number(spread, "spread", positive=True)
        self.weights: np.ndarray | None = None
        self._last: tuple[np.ndarray, Any] | None = None

    def likelihood(self, image: np.ndarray) -> np.ndarray:
        """Return the likelihood of an image that is as the model's network wants it."""
        return self._distribution(image).branches.likelihood

    def propose(self, image: np.ndarray, likelihood: np.ndarray) -> BranchSet:
        """Return the model's branches of an image; ValueError if it gives another likelihood."""
        branches = self._distribution(image).branches
        if not np.array_equal(branches.likelihood, likelihood):
            raise ValueError(
                "the model gives another likelihood of this image than the one that the journal "
                "was begun with: its weights, or the machine, have changed"
            )
        return branches

    def predict(
        self, image: np.ndarray, likelihood: np.ndarray, branches: BranchSet
    ) -> tuple[np.ndarray, np.ndarray]:
        """Judge every branch; see `BranchModel`."""
        if self.weights is None:
            probability = self._distribution(image).uncertainty().probability
        else:
            probability = expit(self._features(image) @ self.weights)
        return probability, entropy(probability)

    def learn(
        self,
        image: np.ndarray,
        likelihood: np.ndarray,
        branches: BranchSet,
        chosen: np.ndarray,
        real: np.ndarray,
    ) -> None:
        """Fit the weights anew to decisions; without any, forget what was learned."""
        if len(chosen) == 0:
            self.weights = None
            return
        x = self._features(image)
        prior = np.eye(x.shape[1])[0]
        self.weights = fit_logistic(x[chosen], real, prior, self.spread)

    def _features(self, image: np.ndarray) -> np.ndarray:
        """Return log-odds, a constant and what the head sees, (n, F) float64."""
        distribution = self._distribution(image)
        odds = logit(np.clip(distribution.uncertainty().probability, 1e-4, 1 - 1e-4))[:, None]
        parts = [odds, np.ones_like(odds)]
        if distribution.features is not None:
            seen = distribution.features.double().cpu().numpy()
            spread = seen.std(axis=0)
            parts.append((seen - seen.mean(axis=0)) / np.where(spread > 0, spread, 1))
        return np.concatenate(parts, axis=1)

    def _distribution(self, image: np.ndarray) -> Any:
        """Return the model's distribution over the structures of an image."""
        import torch

        if self._last is None or self._last[0] is not image:
            first = next(self.model.parameters(), torch.zeros(1))
            batch = torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(first.device)
            if batch.ndim == self.model.ndim:
                batch = batch[None]
            self._last = image, self.model.distribution(batch[None])[0]
        return self._last[1]
