"""Topology-aware image segmentation, to learn, explore and use.

The sub-packages build on each other in one direction::

    topology <- metrics, losses <- training <- explorers

``toposeg_lite.topology`` needs only NumPy and numba; importing ``toposeg_lite`` itself imports
nothing else, so a reader without torch can still use the kernels.
"""

__version__ = "0.1.0"
