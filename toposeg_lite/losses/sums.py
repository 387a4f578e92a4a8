"""Sums of losses whose parts may begin later and warm up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_choice, check_integer, check_number, check_text
from .base import PendingLoss, start
from .common import read_step, shared_copies, uncompiled

__all__ = ["SumLoss"]


class SumLoss(nn.Module):
    """A weighted sum of losses, each of which may begin later and warm up.

    From its first step on, a part's factor grows linearly over its warm-up to its weight::

        factor = weight * min(1, (step - start + 1) / warm_up)      (the weight at once for 0)

    and before that step the part is not even computed.

    Parameters
    ----------
    parts : mapping of str to torch.nn.Module
        The losses by name; each takes (logits, target) and returns a scalar.
    weights : mapping of str to float, optional
        The parts' weights; 1 for those not named.
    starts : mapping of str to int, optional
        The parts' first steps; 0 for those not named. One part at least must begin at step 0.
    warm_up : mapping of str to int, optional
        The numbers of steps over which the parts warm up; 0 for those not named.

    Attributes
    ----------
    step : int
        The number of calls so far in training: in training mode with gradients enabled. It is part
        of the `state_dict`, and may be set, e.g. where gradients are accumulated.
    values : dict of str to tensor
        The value of each part at the last call, without its factor and without gradient.

    Notes
    -----
    From a GPU the logits and the target are copied once for all parts whose kernels run on the CPU.

    Examples
    --------
    >>> from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
    >>> loss = SumLoss({"pixels": DiceBCELoss(), "topology": TopologicalLoss()},
    ...                weights={"topology": 0.5}, starts={"topology": 1}, warm_up={"topology": 4})
    >>> logits, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]])
    >>> for _ in range(3):
    ...     print(round(loss(logits, target).item(), 3), loss.factors())
    1.093 {'pixels': 1.0, 'topology': 0.125}
    1.148 {'pixels': 1.0, 'topology': 0.25}
    1.203 {'pixels': 1.0, 'topology': 0.375}
    >>> loss.values
    {'pixels': tensor(1.0931), 'topology': tensor(0.4375)}
    """

    uses_threads = True  # its parts may: see `Loss`

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        *,
        weights: Mapping[str, float] | None = None,
        starts: Mapping[str, int] | None = None,
        warm_up: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(parts, Mapping) or not parts:
            raise TypeError(f"parts must map names to losses; got {parts!r}")
        for name, part in parts.items():
            if not check_text(name, "each name in parts") or "." in name:
                raise ValueError(f"each name in parts must be a word without a dot; got {name!r}")
            if not isinstance(part, nn.Module):
                raise TypeError(f"parts[{name!r}] must be a torch.nn.Module; got {part!r}")
        self.parts = nn.ModuleDict(parts)
        self.weights = self._of_each("weights", weights, 1.0, check_number)
        self.starts = self._of_each("starts", starts, 0, check_integer)
        self.warm_up = self._of_each("warm_up", warm_up, 0, check_integer)
        self.step = 0
        self.values: dict[str, Tensor] = {}
        if not any(self.factors().values()):
            raise ValueError("one part at least must start at step 0 with a weight above zero")

    def _of_each(self, name: str, given: Any, default: Any, check: Callable[..., Any]) -> dict:
        """Return a checked number for each part."""
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"{name} must map names of parts to numbers; got {given!r}")
        given = dict(given or {})
        for part in given:
            check_choice(part, tuple(self.parts), f"each name in {name}")
        return {part: check(given.get(part, default), f"{name}[{part!r}]") for part in self.parts}

    def factors(self) -> dict[str, float]:
        """Return the factor of each part at the present step."""
        result = {}
        for name, weight in self.weights.items():
            done = self.step - self.starts[name] + 1
            result[name] = weight * max(0.0, min(1.0, done / max(self.warm_up[name], 1)))
        return result

    @uncompiled
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sum for `logits` and `target` (shapes: see the package's docstring)."""
        factors = self._begun()
        with shared_copies():
            values = {name: self.parts[name](logits, target) for name in self._in_order(factors)}
        total = self._add(factors, values)
        self._count()
        return total

    @uncompiled
    def start(self, logits: Tensor, target: Tensor) -> PendingLoss:
        """Start all parts at once and return; see the package's docstring.

        The step counts from here. The parts that are plain torch are computed when the result is
        asked for, before anything is waited for.
        """
        factors = self._begun()
        with shared_copies():
            pending = {name: start(self.parts[name], logits, target) for name in factors}
        self._count()

        def finish() -> Tensor:
            values = {name: pending[name].result() for name in self._in_order(factors)}
            return self._add(factors, values)

        return PendingLoss(logits, target, finish)

    def _begun(self) -> dict[str, float]:
        """Return the factors of the parts that have begun."""
        self.values = {}
        factors = {name: factor for name, factor in self.factors().items() if factor}
        if not factors:
            raise ValueError(f"no part has begun at step {self.step}: step must not be negative")
        return factors

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """Return the parts in the order of their graphs: those without threads come first.

        By this order torch adds up their gradients, and the bits of a sum depend on it.
        """
        return sorted(names, key=lambda name: getattr(self.parts[name], "uses_threads", False))

    def _count(self) -> None:
        """Count a call in training."""
        if self.training and torch.is_grad_enabled():
            self.step += 1

    def _add(self, factors: dict[str, float], values: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the parts' values, and keep these."""
        for name, value in values.items():
            if value.ndim:
                raise ValueError(
                    f"parts[{name!r}] must return a scalar; got the shape "
                    f"{tuple(value.shape)}. Build it with reduction='mean'"
                )
        self.values = {name: values[name].detach() for name in factors}
        first, *others = (factor * values[name] for name, factor in factors.items())
        return sum(others, start=first)

    def get_extra_state(self) -> Tensor:
        """Return the step for the `state_dict`."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the step from a `state_dict`."""
        self.step = read_step(state)

    def extra_repr(self) -> str:
        """Show the options."""
        return f"weights={self.weights}, starts={self.starts}, warm_up={self.warm_up}"
