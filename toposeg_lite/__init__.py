"""Topology-aware image segmentation, to learn, explore and use.

The rooms build on each other in one direction (ARCHITECTURE.md draws them)::

    topology <- losses, metrics, calibration, models <- data, structures <- training, annotation
    <- workbook

``toposeg_lite.topology`` needs only NumPy and numba; importing ``toposeg_lite`` itself imports
nothing else, so a reader without torch can still use the kernels.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# Threads of torch that wait for each other should sleep, not spin: on a machine with other work
# they wait for whom they keep from working, and a loss takes ten to eighty times as long. OpenMP
# reads this once, when torch is loaded.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def __getattr__(name: str) -> Any:
    """Import what is first asked for: `check`, and the chapters' short way to the workbook."""
    if name == "check":
        return import_module(f"{__name__}.environment").check
    if name in ("exercises", "explorers", "figures"):
        return import_module(f"{__name__}.workbook.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
