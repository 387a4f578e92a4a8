"""The groups of jobs that the command knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import cldice, growth, jobs, losses, matchings, structures, volumes
from .harness import Row

# The name of each group, the threads it may use (None: all cores), and its rows.
GROUPS: dict[str, tuple[int | None, Callable[[int], Iterator[Row]]]] = {
    "persistence": (1, jobs.persistence_rows),
    "memory": (1, jobs.memory_rows),
    "growth": (1, growth.growth_rows),
    "loss": (None, jobs.loss_rows),
    "step": (None, losses.step_rows),
    "cldice": (1, cldice.cldice_rows),
    "matchings": (1, matchings.matching_rows),
    "structures": (None, structures.structure_rows),
    "masks": (1, jobs.mask_rows),
    "warping": (1, jobs.warping_rows),
    "warping-all-cores": (None, jobs.warping_rows),
    "morse": (1, jobs.morse_rows),
    "volumes": (1, volumes.volume_rows),
    "explorers": (1, jobs.explorer_rows),
}
