"""The weight of an added loss by a rule: keep the ratio of two gradients.

How strongly a loss pulls is not its value but its gradient. At the logits, before the network, that
of the added loss and that of the pixel loss can be compared: the *gradient ratio* of a step is

    norm of the added loss's gradient / norm of the pixel loss's gradient        (Euclidean)

over all logits of the batch. With the weight ``"balance:0.5"`` the added loss takes at every step
the weight at which this ratio, times the weight, is 0.5: on average, for a single batch may hold
many errors in topology or none. Averaged is its logarithm (so a ratio of 10 and one of 1/10 balance
each other) over the last 20 steps or so; a step at which the added loss has no gradient says
nothing. It is an average of what the history of a run holds, so a run that is resumed goes on with
the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..checks import check_number

__all__ = ["Balance", "check_weight", "wanted_ratio"]

RULE = "balance:"
MEMORY = 20  # steps; the first ones are averaged alike


def check_weight(value: Any, name: str = "weight") -> float | str:
    """Return a weight, which is a number or ``"balance:R"``, with R as Python writes it.

    Examples
    --------
    >>> check_weight(1), check_weight("balance:.50")
    (1.0, 'balance:0.5')
    """
    if not isinstance(value, str):
        return check_number(value, name)
    wanted = f"{name} must be a number, or {RULE!r} and a ratio above zero, as in 'balance:0.5'"
    if not value.startswith(RULE):
        raise TypeError(f"{wanted}; got {value!r}")
    try:
        ratio = float(value.removeprefix(RULE))
    except ValueError:
        raise ValueError(f"{wanted}; got {value!r}") from None
    if not 0 < ratio < math.inf:
        raise ValueError(f"{wanted}; got {value!r}")
    return f"{RULE}{ratio!r}"


def wanted_ratio(weight: float | str) -> float | None:
    """Return the ratio that a checked weight asks for; None if it is a number."""
    return float(weight.removeprefix(RULE)) if isinstance(weight, str) else None


class Balance:
    """The weight of each step, from the gradient ratios up to it.

    Examples
    --------
    >>> balance = Balance(0.5)
    >>> balance.weight(2.0), balance.weight(2.0)  # the ratio stays, and so does the weight
    (0.25, 0.25)
    >>> round(balance.weight(16.0), 3)  # one of three: the mean ratio is 4
    0.125
    """

    def __init__(self, ratio: float, seen: Iterable[float] = ()) -> None:
        self.ratio = ratio
        self._steps, self._mean = 0, 0.0
        for each in seen:
            self.weight(each)

    def weight(self, ratio: float) -> float:
        """Return the weight of a step with this gradient ratio; 0 as long as none was above 0."""
        if 0 < ratio < math.inf:
            self._steps += 1
            self._mean += (math.log(ratio) - self._mean) / min(self._steps, MEMORY)
        return self.ratio * math.exp(-self._mean) if self._steps else 0.0
