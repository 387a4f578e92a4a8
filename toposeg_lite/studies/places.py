"""Where the workbook keeps its notebooks and its reference runs; an installed package has none."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NOTEBOOKS", "REFERENCE_RUNS"]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
REFERENCE_RUNS = NOTEBOOKS / "reference_runs"
