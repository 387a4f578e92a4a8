"""Exact digital topology on images: NumPy in, NumPy out, numba inside, no torch.

Everywhere here

image : (H, W) or (D, H, W) array of float or bool
    is a likelihood in [0, 1], foreground high. float64 is computed in float64, everything else in
    float32, which holds float16 and booleans exactly.
mask : (H, W) or (D, H, W) array of bool, or of the numbers 0 and 1
    is True in the foreground.
connectivity : int, optional
    is that of the foreground: 1 (4 neighbours in 2D, 6 in 3D) or the number of axes (8, 26), which
    is the default. The background has the dual.
border : {"open", "closed"}
    says whether the outside is background (default) or begins with a frame of foreground, one pixel
    wide and of value 1.

spacing : sequence of float, optional
    is the distance between neighbouring pixels along each axis, in the order of the axes (z, y, x)
    and in any unit, for the functions that measure distances. Only the ratios count: they measure
    in multiples of the smallest. By default all axes are alike. No topology depends on it.

Other input is refused with a TypeError or ValueError before anything is computed. Pixels are named
by flat indices (C order), by which ties are broken, so all results are deterministic. The kernels
release the GIL.
"""

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
