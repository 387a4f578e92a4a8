"""What the explorers of features have in common, of an image and of a volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...topology.persistence import PersistencePairs, persistence_pairs
from .. import figures
from .base import Explorer
from .traits import Fraction, UpTo

__all__ = ["FeatureExplorer"]


class FeatureExplorer(Explorer):
    """An `image`, its persistence pairs under two thresholds, and one pair that is marked.

    All `pairs` are sorted, the most persistent first; `shown` are the first of them, those above
    `min_persistence`. Of the class, `kinds` says what features of dimension 0, 1, ... are called.
    """

    kinds: tuple[str, ...]

    image: Any
    threshold = Fraction(0.5)
    min_persistence = Fraction(0.0)
    selected = UpTo(lambda model: len(model.shown))

    pairs: PersistencePairs
    shown: PersistencePairs

    def _pair(self, connectivity: int) -> None:
        """Compute the pairs anew."""
        self.pairs = self._pairs_of(self.image, connectivity)

    @staticmethod
    def _pairs_of(image: np.ndarray, connectivity: int) -> PersistencePairs:
        """Return the pairs of an image, the most persistent first."""
        pairs = persistence_pairs(image, connectivity=connectivity)
        return pairs[np.argsort(-pairs.persistence, kind="stable")]

    def _choose_shown(self) -> None:
        """Choose the pairs to show."""
        self.shown = self._shown_of(self.pairs)
        self.selected = min(self.selected, len(self.shown))

    def _shown_of(self, pairs: PersistencePairs) -> PersistencePairs:
        """Return those that are above `min_persistence`; essential components always are."""
        essential = (pairs.dimension == 0) & (pairs.death_index < 0)
        return pairs[(pairs.persistence > self.min_persistence) | essential]

    @property
    def betti(self) -> tuple[int, ...]:
        """How many features of each dimension are alive at the threshold."""
        return self._betti_of(self.pairs)

    def _betti_of(self, pairs: PersistencePairs) -> tuple[int, ...]:
        living = pairs.dimension[figures.alive(pairs, self.threshold)]
        return tuple(np.bincount(living, minlength=self.image.ndim).tolist())

    @property
    def marked(self) -> int | None:
        """The place of the marked pair in `shown`, or None."""
        return self.selected - 1 if self.selected else None

    @property
    def marked_pair(self) -> PersistencePairs:
        """The marked pair alone, or none."""
        return self.shown[max(self.selected - 1, 0) : self.selected]

    def _describe_marked(self) -> str:
        """Return a sentence about the marked pair, after a space, or nothing."""
        if not self.selected:
            return ""
        pairs, k = self.shown, self.selected - 1
        born, dies = int(pairs.birth_index[k]), int(pairs.death_index[k])
        text = (
            f" Feature {self.selected} of {len(pairs)} is a {self.kinds[pairs.dimension[k]]}, born "
            f"at {pairs.birth[k]:.2f} in {self._place(born)}; it "
        )
        if dies < 0:
            return text + "is essential: it never dies, and its death is set to 0."
        return text + f"dies at {pairs.death[k]:.2f} in {self._place(dies)}."

    def _mark(self) -> str:
        """Return some words about the marked pair, after a semicolon, or nothing."""
        if not self.selected:
            return ""
        k = self.selected - 1
        kind, persistence = self.kinds[self.shown.dimension[k]], self.shown.persistence[k]
        return f"; marked: {kind} {self.selected}, persistence {persistence:.2f}"

    def _place(self, index: int) -> str:
        axes = ("slice", "row", "column")[-self.image.ndim :]
        place = np.unravel_index(index, self.image.shape)
        return ", ".join(f"{axis} {k}" for axis, k in zip(axes, place, strict=True))
