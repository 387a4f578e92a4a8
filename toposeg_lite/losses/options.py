"""The options of a loss: listed once, in a frozen dataclass, for its module and its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, Generic, Literal, ParamSpec, overload

from torch import Tensor

from ..checks import check_choice, check_integer
from ..topology.grid import check_connectivity, check_spacing

__all__ = [
    "Options",
    "Reduction",
    "check_any_connectivity",
    "check_any_spacing",
    "check_ignore_index",
    "check_reduction",
    "takes",
]

Reduction = Literal["mean", "sum", "none"]
Names = ParamSpec("Names")
Init = Callable[Concatenate[Any, Names], None]  # of self and options
Function = Callable[Concatenate[Tensor, Tensor, Names], Tensor]  # of logits, target and options


class Options:
    """The base of the frozen dataclasses that hold the options of a loss and check them.

    Such a dataclass is the one list of their names, types and defaults; the module and the function
    of the loss show it as their own by `takes`.
    """

    def _check(self, check: Callable[[Any, str], Any], *names: str) -> None:
        """Put options through a check of (value, name), and keep what it returns."""
        for name in names:
            # The way in which a frozen dataclass may set its own fields while it is made.
            object.__setattr__(self, name, check(getattr(self, name), name))


class takes(Generic[Names]):
    """Let a function of ``**options`` show which options these are.

    The function itself is not changed. `help`, completion and type checkers see the fields of the
    dataclass of options as its keywords, where they would see ``**options`` and no more.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Scale(Options):
    ...     factor: float = 1.0
    >>> @takes(Scale)
    ... def loss(logits: Tensor, target: Tensor, **options: float) -> Tensor:
    ...     return (logits - target).sum() * Scale(**options).factor
    >>> inspect.signature(loss)
    <Signature (logits: 'Tensor', target: 'Tensor', *, factor: 'float' = 1.0) -> 'Tensor'>
    """

    def __init__(self, options: Callable[Names, Options]) -> None:
        self.options = inspect.signature(options).parameters.values()

    @overload
    def __call__(self, function: Callable[..., None]) -> Init[Names]: ...
    @overload
    def __call__(self, function: Callable[..., Tensor]) -> Function[Names]: ...
    def __call__(self, function: Any) -> Any:
        """Give the function the signature that it shows, and return it."""
        signature = inspect.signature(function)
        others = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        function.__signature__ = signature.replace(parameters=[*others, *self.options])
        return function


def check_any_spacing(spacing: Any, name: str) -> tuple[float, ...] | None:
    """Return a checked spacing as plain numbers. Only an image can say how many there must be."""
    check_spacing(spacing)
    return None if spacing is None else tuple(float(length) for length in spacing)


def check_reduction(reduction: Any) -> None:
    """Refuse what is not "mean", "sum" or "none"."""
    check_choice(reduction, ("mean", "sum", "none"), "reduction")


def check_ignore_index(index: Any, name: str) -> int | None:
    """Return the label of ignored pixels, or None; 0 and 1 are labels of classes."""
    if index is None:
        return None
    if check_integer(index, name, -(2**63), 2**63 - 1) in (0, 1):
        raise ValueError(f"{name} must be no label of a class, as 0 and 1 always are; got {index}")
    return int(index)


def check_any_connectivity(connectivity: Any) -> None:
    """Refuse what no image can have. Only an image can say whether 2 is its full connectivity."""
    check_connectivity(connectivity, 2 if connectivity == 2 else 3)
