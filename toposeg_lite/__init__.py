"""Topology-aware image segmentation, to learn, explore and use.

The sub-packages build on each other in one direction::

    topology <- metrics, losses <- training <- explorers

``toposeg_lite.topology`` needs only NumPy and numba; importing ``toposeg_lite`` itself imports
nothing else, so a reader without torch can still use the kernels.
"""

import os
import sys

__version__ = "0.1.0"

# Threads of torch that wait for each other should sleep, not spin: on a machine with other work
# they wait for whom they keep from working, and a loss takes ten to eighty times as long. OpenMP
# reads this once, when torch is loaded.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
