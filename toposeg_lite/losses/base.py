"""What every loss is: a module with options, that can be called, or started and collected later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor, nn

from ..topology.threads import Background
from .common import (
    OnHost,
    at_least_float32,
    attach,
    begin_copy,
    channels_apart,
    check_logits_and_target,
    reduce,
    uncompiled,
)
from .options import SHARED, Options

__all__ = ["Loss", "LossOnHost", "PendingLoss", "start"]


class PendingLoss:
    """A loss that was started: its value is asked for by `result`."""

    def __init__(self, logits: Tensor, target: Tensor, finish: Callable[[], Tensor]) -> None:
        self._finish: Callable[[], Tensor] | None = finish
        self._value: Tensor | None = None
        self._given = [(tensor, _version(tensor)) for tensor in (logits, target)]

    @uncompiled
    def result(self) -> Tensor:
        """Wait for the kernels and return what the plain call would; the same when asked again.

        What the kernels raised is raised here. Ctrl-C stops them, and is raised when they have.
        """
        if self._finish is not None:
            if any(_version(tensor) != version for tensor, version in self._given):
                raise RuntimeError(
                    "logits or target were changed in place between start() and result(): ask for "
                    "the result first, or start with a copy"
                )
            self._value = self._finish()
            self._finish, self._given = None, []
        assert self._value is not None
        return self._value


def _version(tensor: Any) -> int:
    """Return a number that grows when a tensor is changed in place; 0 where none is kept."""
    is_counted = isinstance(tensor, Tensor) and not tensor.is_inference()
    return tensor._version if is_counted else 0


class Loss(nn.Module):
    """A module that holds the options of a loss and shows them."""

    options: Any
    uses_threads = False  # whether there is anything to wait for, once it is started
    #: The (B,) values, of what `check_logits_and_target` returns; or of logits and what was found.
    _values: Callable[..., Tensor]

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options

    @uncompiled
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the package's docstring)."""
        checked = check_logits_and_target(logits, target, self.options)
        return reduce(self._values(*checked), len(logits), self.options.reduction)

    @uncompiled
    def start(self, logits: Tensor, target: Tensor) -> PendingLoss:
        """Begin what a call does, and return a handle with a `result()`: see the package."""
        return PendingLoss(logits, target, lambda: self(logits, target))

    def extra_repr(self) -> str:
        """Show the options."""
        names = sorted((f.name for f in fields(self.options)), key=SHARED.__contains__)
        return ", ".join(f"{name}={getattr(self.options, name)!r}" for name in names)


class LossOnHost(Loss):
    """A loss whose kernels run on the CPU, wherever the network does."""

    uses_threads = True

    def _find(self, host: OnHost) -> Sequence[Any]:
        """Return what the kernels find: if nothing else, the (B,) values and their gradients."""
        raise NotImplementedError

    def _values(self, logits: Tensor, *found: Any) -> Tensor:
        """Return the (B,) values as a function of the logits, of float32 or float64."""
        return attach(logits, *found)

    @uncompiled
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the package's docstring)."""
        return self._finish(logits, self._find(begin_copy(logits, target, self.options)()))

    @uncompiled
    def start(self, logits: Tensor, target: Tensor) -> PendingLoss:
        """Let the kernels begin in threads of their own, and return: see the package."""
        arrive = begin_copy(logits, target, self.options)
        kernels = Background(lambda: self._find(arrive()))
        return PendingLoss(logits, target, lambda: self._finish(logits, kernels.wait()))

    def _finish(self, logits: Tensor, found: Sequence[Any]) -> Tensor:
        """Return the loss as a function of the logits."""
        scores = channels_apart(at_least_float32(logits), self.options)
        return reduce(self._values(scores, *found), len(logits), self.options.reduction)


def start(loss: nn.Module, logits: Tensor, target: Tensor) -> PendingLoss:
    """Start any loss; one of another library is computed when its result is asked for."""
    begin = getattr(loss, "start", None)
    if callable(begin):
        return begin(logits, target)
    return PendingLoss(logits, target, lambda: loss(logits, target))
