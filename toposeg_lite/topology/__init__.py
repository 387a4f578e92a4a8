"""Exact digital topology on images: NumPy in, NumPy out, numba inside, no torch."""

from .persistence import PersistencePairs, persistence_pairs

__all__ = ["PersistencePairs", "persistence_pairs"]
