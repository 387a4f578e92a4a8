"""Exact digital topology on images: NumPy in, NumPy out, numba inside, no torch."""

from .components import betti_numbers, label_components
from .matching import Matching, match_pairs
from .morse import Branches, MorseComplex, Skeleton, morse_complex
from .persistence import PersistencePairs, persistence_pairs
from .warping import WarpResult, flip_order, homotopy_warp, simple_points

__all__ = [
    "Branches",
    "Matching",
    "MorseComplex",
    "PersistencePairs",
    "Skeleton",
    "WarpResult",
    "betti_numbers",
    "flip_order",
    "homotopy_warp",
    "label_components",
    "match_pairs",
    "morse_complex",
    "persistence_pairs",
    "simple_points",
]
