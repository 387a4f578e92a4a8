"""A line through measured times, and what it predicts: for readers without torch, too."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ...checks import check_choice

__all__ = ["CostLine", "fit_cost"]


class CostLine(NamedTuple):
    """Seconds of one core = start + cost x images.

    Attributes
    ----------
    start, cost : float
        In seconds.
    low, high : float
        The interval of `cost` in which 95 of 100 would lie, by Student's t, if measurements scatter
        like a bell; 0 and infinity where there are two measurements only.
    """

    start: float
    cost: float
    low: float
    high: float

    def predict(self, count: int, cores: int = 1) -> tuple[float, float, float]:
        """Return the seconds of so many images on so many cores: the line's, least and most.

        Examples
        --------
        >>> CostLine(1.0, 0.02, 0.019, 0.021).predict(10000, cores=2)
        (100.5, 95.5, 105.5)
        """
        middle, low, high = (
            (self.start + cost * count) / cores for cost in (self.cost, self.low, self.high)
        )
        return middle, low, high


def fit_cost(table: pd.DataFrame, time: str = "cpu_seconds") -> CostLine:
    """Fit a line to rows of `measure_scale`.

    Least squares of the relative errors, so that a small count says as much as a large one.

    Parameters
    ----------
    table : DataFrame
        Rows of one job and one side; two or more counts.
    time : {"cpu_seconds", "seconds"}
        What is fitted: the time of the processors, or that of the clock times the workers.

    Returns
    -------
    CostLine
        In seconds of one core.

    Examples
    --------
    >>> rows = pd.DataFrame({"workers": [1, 2, 1], "count": [100, 1000, 2000],
    ...                      "seconds": [3.0, 10.5, 41.0]})
    >>> line = fit_cost(rows, "seconds")  # 3, 21 and 41 s of one core
    >>> round(line.start, 6), round(line.cost, 6)
    (1.0, 0.02)
    """
    check_choice(time, ("cpu_seconds", "seconds"), "time")
    count = table["count"].to_numpy(float)
    if len(set(count)) < 2:
        raise ValueError(
            f"table must hold two or more counts; got {sorted(set(count.astype(int).tolist()))}"
        )
    seconds = table[time].to_numpy(float)
    if time == "seconds":
        seconds = seconds * table["workers"].to_numpy(float)
    lines = np.stack([1 / seconds, count / seconds], axis=1)
    (start, cost), *_ = np.linalg.lstsq(lines, np.ones(len(seconds)), rcond=None)
    free = len(seconds) - 2
    if free == 0:
        return CostLine(float(start), float(cost), 0.0, np.inf)
    scatter = np.sum((lines @ (start, cost) - 1) ** 2) / free
    error = np.sqrt(scatter * np.linalg.inv(lines.T @ lines)[1, 1]) * stats.t.ppf(0.975, free)
    return CostLine(float(start), float(cost), float(max(cost - error, 0)), float(cost + error))
