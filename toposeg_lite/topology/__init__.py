"""Exact digital topology on images: NumPy in, NumPy out, numba inside, no torch."""

from .components import betti_numbers, label_components
from .persistence import PersistencePairs, persistence_pairs

__all__ = [
    "PersistencePairs",
    "betti_numbers",
    "label_components",
    "persistence_pairs",
]
