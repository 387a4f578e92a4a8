"""Exact digital topology on images: NumPy in, NumPy out, numba inside, no torch."""
