"""The options of a loss: listed once, in a frozen dataclass, for its module and its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, Literal, ParamSpec, overload

from torch import Tensor

from ..checks import check_choice, check_integer
from ..topology.grid import check_connectivity, check_spacing

__all__ = [
    "SHARED",
    "Activation",
    "Options",
    "Reduction",
    "check_any_connectivity",
    "check_any_spacing",
    "takes",
]

Activation = Literal["sigmoid", "softmax"]
Reduction = Literal["mean", "sum", "none"]
SHARED = ("reduction", "ignore_index", "activation")
Names = ParamSpec("Names")
Init = Callable[Concatenate[Any, Names], None]  # of self and options
Function = Callable[Concatenate[Tensor, Tensor, Names], Tensor]  # of logits, target and options


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that every loss has: the base of the dataclasses that hold those of each.

    Such a dataclass is the one list of their names, types and defaults, and checks them; the module
    and the function of the loss show it as their own by `takes`.
    """

    reduction: Reduction = "mean"
    ignore_index: int | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        check_choice(self.reduction, ("mean", "sum", "none"), "reduction")
        self._check(_check_label, "ignore_index")
        if self.activation is not None:
            check_choice(self.activation, ("sigmoid", "softmax"), "activation")

    def _check(self, check: Callable[[Any, str], Any], *names: str) -> None:
        """Put options through a check of (value, name), and keep what it returns.

        Those whose default is None may be None.
        """
        for name in names:
            value = getattr(self, name)
            if value is not None or getattr(type(self), name) is not None:
                # The way in which a frozen dataclass may set its own fields while it is made.
                object.__setattr__(self, name, check(value, name))


class takes(Generic[Names]):
    """Let a function of ``**options`` show which options these are.

    The function itself is not changed. `help`, completion and type checkers see the fields of the
    dataclass of options as its keywords, where they would see ``**options`` and no more; those that
    every loss has come last.

    Examples
    --------
    >>> @takes(Options)
    ... def loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor: ...
    >>> [*inspect.signature(loss).parameters]
    ['logits', 'target', 'reduction', 'ignore_index', 'activation']
    """

    def __init__(self, options: Callable[Names, Options]) -> None:
        given = inspect.signature(options).parameters.values()
        self.options = sorted(given, key=lambda option: option.name in SHARED)

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


def check_any_spacing(spacing: Any, name: str) -> tuple[float, ...]:
    """Return a checked spacing as plain numbers. Only an image can say how many there must be."""
    check_spacing(spacing)
    return tuple(float(length) for length in spacing)


def _check_label(index: Any, name: str) -> int:
    """Return the label of ignored pixels as an int; 0 and 1 are labels of classes."""
    if check_integer(index, name, -(2**63), 2**63 - 1) in (0, 1):
        raise ValueError(f"{name} must be no label of a class, as 0 and 1 always are; got {index}")
    return int(index)


def check_any_connectivity(connectivity: Any) -> None:
    """Refuse what no image can have. Only an image can say whether 2 is its full connectivity."""
    check_connectivity(connectivity, 2 if connectivity == 2 else 3)
