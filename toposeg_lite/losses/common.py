"""What every loss does at its door and at its end, and how batches share the cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import numpy as np
import torch
from torch import Tensor

from ..checks import check_integer
from ..topology.threads import Item, Result, map_in_threads
from .options import Activation, Options, Reduction

Arguments = ParamSpec("Arguments")

__all__ = [
    "OnHost",
    "at_least_float32",
    "attach",
    "begin_copy",
    "channels_apart",
    "check_logits_and_target",
    "foreground",
    "in_threads",
    "likelihoods",
    "read_step",
    "reduce",
    "shared_copies",
    "uncompiled",
]

# No likelihood needs a logit above 100. Far above, differences and sums of float32 overflow.
LARGEST_LOGIT = 2.0**100  # a number of every type


def check_logits_and_target(
    logits: Any, target: Any, options: Options | None = None, name: str = "target"
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check what every loss is given and return it in one form; `name` is the target's.

    Returns
    -------
    logits : (B, C, *spatial) tensor of float32 or float64
        With channels apart: (B * C, 1, *spatial) where each has a sigmoid of its own.
    target : (B, C, *spatial) tensor of bool
        Binary for C = 1, one-hot for C > 1; ignored pixels are background.
    ignored : (B, 1, *spatial) tensor of bool
        Where the target is `ignore_index`; None if it is so nowhere.
    """
    options = options or Options()
    _check_kinds(logits, target, options, name)
    logits, target = _in_one_form(logits, target, options)
    target, ignored = _set_aside(target, logits.shape, options.ignore_index)
    _check_values(logits, target, name)
    return at_least_float32(logits), _channels(target, logits.shape), ignored


class OnHost(NamedTuple):
    """What a loss whose kernels run on the CPU works with: see `begin_copy`.

    Attributes
    ----------
    scores : (B, C, *spatial) array of float32 or float64
        The values of the logits, with `channels_apart`.
    masks : (B, C, *spatial) array of bool
        Binary for C = 1, one-hot for C > 1; ignored pixels are background.
    ignored : (B, *spatial) array of bool
        Where the target is `ignore_index`; None if it is so nowhere.
    """

    scores: np.ndarray
    masks: np.ndarray
    ignored: np.ndarray | None = None

    @property
    def classes(self) -> range:
        """The channels of the foreground."""
        return range(1 if self.scores.shape[1] > 1 else 0, self.scores.shape[1])

    def predicted(self) -> np.ndarray:
        """Return the masks of the prediction, (B, K, *spatial): of its likeliest classes."""
        if self.scores.shape[1] == 1:
            return self.scores > 0
        names = np.array(self.classes).reshape(-1, *[1] * (self.scores.ndim - 2))
        return self.scores.argmax(1)[:, None] == names


def begin_copy(logits: Any, target: Any, options: Options) -> Callable[[], OnHost]:
    """Begin to check what a loss is given, and to copy it to the CPU's memory.

    The function that is returned waits for the end of that; another thread may call it. What lies
    there already is not copied. From a GPU both tensors are copied once, as they are (half
    precision is half the bytes), and their values checked here, so that it is waited for only once.
    """
    _check_kinds(logits, target, options)
    settle_threads()
    copies = _send_to_host(logits, target)

    def arrive() -> OnHost:
        here, there = (copy.wait() for copy in copies)
        here, there = _in_one_form(here, there, options)
        there, ignored = _set_aside(there, here.shape, options.ignore_index)
        _check_values(here, there)
        return OnHost(
            at_least_float32(here).numpy(),
            _channels(there, here.shape).numpy(),
            None if ignored is None else ignored[:, 0].numpy(),
        )

    return arrive


_settled_in = os.getpid()


def settle_threads() -> None:
    """Let torch make its pool of threads anew after a fork, before two threads ask for it at once.

    One of two that ask at the same moment may find none, and torch then fails ("Invalid thread
    pool!"): a new thread asks with its first operation.
    """
    global _settled_in
    if _settled_in != os.getpid():
        torch.set_num_threads(torch.get_num_threads())
        _settled_in = os.getpid()


class _Copy(NamedTuple):
    """A tensor in the CPU's memory, as soon as it has arrived there."""

    there: Tensor
    original: Tensor  # kept, so that its id stays its own
    arrives: Any  # the event in the GPU's queue; None where nothing is waited for

    def wait(self) -> Tensor:
        """Return the copy when it is whole."""
        if self.arrives is not None:
            self.arrives.synchronize()
        return self.there


# The copies within the present `shared_copies`.
_COPIES: ContextVar[dict[tuple[int, int], _Copy] | None] = ContextVar("copies", default=None)


@contextmanager
def shared_copies() -> Iterator[None]:
    """Let all losses that are called in this context share one copy of each tensor on a GPU."""
    token = _COPIES.set({})
    try:
        yield
    finally:
        _COPIES.reset(token)


def _send_to_host(*tensors: Tensor) -> list[_Copy]:
    """Begin to copy tensors, without gradient, to the CPU, if they are not there.

    From a GPU they go into pinned memory.
    """
    shared = _COPIES.get()
    copies = {} if shared is None else shared
    sent = []
    for tensor in tensors:
        if tensor.device.type == "cpu":
            sent.append(_Copy(tensor.detach(), tensor, None))
            continue
        key = (id(tensor), 0 if tensor.is_inference() else tensor._version)
        if key not in copies:
            arrives = None
            there = tensor.detach().to("cpu", non_blocking=tensor.is_cuda)
            if tensor.is_cuda:
                arrives = torch.cuda.Event()
                arrives.record(torch.cuda.current_stream(tensor.device))
            copies[key] = _Copy(there, tensor, arrives)
        sent.append(copies[key])
    return sent


def channels_apart(tensor: Tensor, options: Options) -> Tensor:
    """Make each channel that has a sigmoid an image of its own; `reduce` averages the classes."""
    return tensor.flatten(0, 1)[:, None] if options.activation == "sigmoid" else tensor


def _in_one_form(logits: Tensor, target: Tensor, options: Options) -> tuple[Tensor, Tensor]:
    """Return tensors of checked shapes with channels apart, and labels without a channel."""
    if target.shape == logits.shape:
        target = channels_apart(target, options)
    elif target.ndim == logits.ndim:
        target = target[:, 0]
    return channels_apart(logits, options), target


def _check_kinds(logits: Any, target: Any, options: Options, name: str = "target") -> None:
    """Check all that can be said without looking at the values."""
    for label, tensor in (("logits", logits), (name, target)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{label} must be a torch tensor; got {type(tensor).__name__}")
        if tensor.layout != torch.strided:
            raise TypeError(f"{label} must be dense; got {tensor.layout}. Pass `.to_dense()`")
        try:
            tensor.data_ptr()
        except RuntimeError:
            raise RuntimeError(
                "losses look at the values of logits and target, which torch.func's transforms "
                "(grad, vmap, ...) keep from them: use torch.autograd.grad, or reduction='none' "
                "for a value of each image"
            ) from None
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point; got {logits.dtype}")
    if logits.ndim not in (4, 5):
        raise ValueError(
            f"logits must have the shape (B, C, H, W) or (B, C, D, H, W); got {tuple(logits.shape)}"
        )
    if logits.numel() == 0:
        raise ValueError(f"logits are empty: their shape is {tuple(logits.shape)}")
    _check_shapes(logits, target, options.activation, name)
    if target.device != logits.device:
        raise ValueError(
            f"logits and {name} must be on one device; got {logits.device} and {target.device}"
        )
    if target.is_complex():
        raise TypeError(f"{name} must hold labels, or 0 and 1; got {target.dtype}")
    classes = 1 if options.activation == "sigmoid" else logits.shape[1]
    labels = target.shape != logits.shape and classes > 1
    if labels and (target.is_floating_point() or target.dtype == torch.bool):
        raise TypeError(
            f"{name} must hold integer labels for {classes} classes; got {target.dtype}"
        )
    if options.ignore_index is not None and 0 <= options.ignore_index < max(classes, 2):
        raise ValueError(
            f"ignore_index must be none of the labels of {max(classes, 2)} classes, 0 to "
            f"{max(classes, 2) - 1}; got {options.ignore_index}"
        )


def _check_shapes(logits: Tensor, target: Tensor, activation: Activation | None, name: str) -> None:
    """Check that the target's shape goes with the logits, and their channels with the option."""
    batch, classes, *spatial = logits.shape
    if activation == "softmax" and classes == 1:
        raise ValueError(
            "activation='softmax' needs a channel of the logits for every class, the background "
            f"too; got one channel, {tuple(logits.shape)}, which goes with 'sigmoid'"
        )
    forms = {
        (batch, *spatial): "labels",
        (batch, 1, *spatial): "labels in a channel",
        (batch, classes, *spatial): "a channel a class",
    }
    if activation == "sigmoid" and classes > 1:  # labels cannot say which classes overlap
        forms = {(batch, classes, *spatial): "a channel a class, for activation='sigmoid'"}
    if tuple(target.shape) not in forms:
        wanted = " or ".join(f"{shape} ({form})" for shape, form in forms.items())
        raise ValueError(
            f"{name} must have the shape {wanted} to go with the logits; got {tuple(target.shape)}"
        )


def _set_aside(
    target: Tensor, shape: torch.Size, ignore_index: int | None
) -> tuple[Tensor, Tensor | None]:
    """Return a target with background at its ignored pixels, and these, (B, 1, *spatial).

    They are None where no pixel holds `ignore_index`. The logits have the shape `shape`.
    """
    if ignore_index is None:
        return target, None
    if not target.is_floating_point():
        # Comparing with a number that the type cannot hold would compare with another one.
        limits = None if target.dtype == torch.bool else torch.iinfo(target.dtype)
        if limits is None or not limits.min <= ignore_index <= limits.max:
            return target, None
    marked = target == ignore_index
    if not marked.any():
        return target, None
    target = target.masked_fill(marked, 0)
    if target.shape != shape:
        return target, marked[:, None]
    ignored = marked.all(1, keepdim=True)
    if not (marked == ignored).all():
        raise ValueError(
            f"target must hold ignore_index, {ignore_index}, in all channels of a pixel or in none"
        )
    if shape[1] > 1:
        target[:, :1] = target[:, :1].masked_fill(ignored, 1)
    return target, ignored


def _check_values(logits: Tensor, target: Tensor, name: str = "target") -> None:
    """Check that logits are finite and targets what they should be."""
    low, high = _ends(logits)
    if not -LARGEST_LOGIT <= low <= high <= LARGEST_LOGIT:  # NaN is not in between either
        bad, kind = ~torch.isfinite(logits), "NaN or infinite"
        if not bad.any():
            bad, kind = logits.abs() > LARGEST_LOGIT, "beyond 2^100"
        raise ValueError(
            f"logits hold {int(bad.sum())} values that are {kind}. The training has diverged: "
            f"try a smaller learning rate, gradient clipping, or full precision"
        )
    classes = logits.shape[1]
    if target.shape != logits.shape and classes > 1:
        low, high = _ends(target)
        if low < 0 or high >= classes:
            raise ValueError(
                f"{name} must hold labels from 0 to {classes - 1}, for the logits have {classes} "
                f"channels; its labels reach from {low} to {high}"
            )
        return
    if target.is_floating_point():
        others = target[target != target.bool()]
    else:
        others = torch.tensor([end for end in _ends(target) if end not in (0, 1)])
    if len(others):
        raise ValueError(
            f"{name} must hold only 0 and 1 where each class has a channel of logits; "
            f"it also holds {others[0].item():g}"
        )
    if classes > 1 and not (target.bool().sum(1) == 1).all():
        raise ValueError(
            f"{name} must be one-hot for several classes: exactly one 1 in the channels of a pixel "
            "(classes that overlap: activation='sigmoid')"
        )


def read_step(state: Any) -> int:
    """Return the number of steps that a `state_dict` holds as a tensor."""
    one = isinstance(state, Tensor) and state.numel() == 1
    return check_integer(state.item() if one else state, "state")


def at_least_float32(logits: Tensor) -> Tensor:
    """Return half precision as float32, everything else as it is."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _channels(target: Tensor, shape: torch.Size) -> Tensor:
    """Turn checked labels or channels into booleans of the logits' shape."""
    if target.shape != shape and shape[1] > 1:
        channels = torch.arange(shape[1], device=target.device)
        return target.long().unsqueeze(1) == channels.view(-1, *[1] * (len(shape) - 2))
    return target.bool().reshape(shape)


def _ends(tensor: Tensor) -> tuple[float, float]:
    """Return the smallest and the largest value, NaN if there is any."""
    tensor = tensor.detach()
    if tensor.device.type == "cpu" and tensor.dtype not in (torch.float16, torch.bfloat16):
        # NumPy looks at a million values in the time that torch takes to wake its threads.
        array = tensor.numpy()
        return array.min().item(), array.max().item()
    low, high = torch.aminmax(tensor)
    return low.item(), high.item()  # stacked they would fail in float16 where autocast is bfloat16


def foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return likelihoods and masks of the K foreground classes, both (B, K, *spatial)."""
    if logits.shape[1] == 1:
        return logits.sigmoid(), target
    return logits.softmax(1)[:, 1:], target[:, 1:]


def reduce(values: Tensor, batch: int, reduction: Reduction) -> Tensor:
    """Reduce the values of B images, or of B * C channels that were taken apart."""
    values = values.reshape(batch, -1).mean(1)
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def likelihoods(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid of one channel, the softmax of several; neither overflows."""
    if logits.shape[1] > 1:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
    powers = np.exp(-np.abs(logits))
    return np.where(logits < 0, powers, 1) / (1 + powers)


def in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed by as many threads as torch uses."""
    return map_in_threads(function, items, torch.get_num_threads())


def attach(logits: Tensor, values: np.ndarray, gradient: np.ndarray) -> Tensor:
    """Return values that were computed in NumPy as a function of the logits.

    `values` holds the loss of each image, (B,), and `gradient` that of each by its logits, in their
    shape, (B, C, *spatial). The result has the logits' type and lies on their device.
    """
    return _Attached.apply(logits, _OnlyFirst.apply(logits), values, gradient)


class _Attached(torch.autograd.Function):
    """Values as a function of the logits, with a gradient that is known already.

    The gradient is a constant to autograd, so derivatives of it by the logits would be taken for 0.
    `once_differentiable` does not prevent that: its error lies off the way to the logits, where
    `torch.autograd.grad` does not pass. So what is returned for a second derivative hangs on
    `only_first`, which lies on that way.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, only_first: Tensor, values: np.ndarray, gradient: np.ndarray
    ) -> Tensor:
        """Return `values`; keep the gradient where it will be needed."""
        # On a GPU nothing waits: its queue may be long, and only what comes later needs these.
        later = logits.is_cuda
        if ctx.needs_input_grad[0]:
            on_device = torch.from_numpy(gradient).to(logits, non_blocking=later)
            ctx.save_for_backward(on_device, only_first)
        return torch.from_numpy(values).to(logits, non_blocking=later)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient, each image's times its own factor."""
        gradient, only_first = ctx.saved_tensors
        gradient = gradient * outer.reshape(-1, *[1] * (gradient.ndim - 1))
        if torch.is_grad_enabled():  # create_graph=True
            gradient = gradient + only_first.sum()
        return gradient, None, None, None


class _OnlyFirst(torch.autograd.Function):
    """A tensor without elements, made of the logits, through which no gradient passes."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        """Return a tensor of the shape (0,)."""
        ctx.set_materialize_grads(False)
        return logits.new_empty(0)

    @staticmethod
    def backward(ctx: Any, outer: Tensor | None) -> None:
        """Do nothing in the first derivative, which sends nothing here, and refuse the second."""
        if outer is not None:
            raise RuntimeError(
                "the losses whose kernels run on the CPU (topological, warping, Morse) have first "
                "derivatives only: leave them out where you take second derivatives"
            )


def uncompiled(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let the method of a loss run as it is inside of `torch.compile`, which cannot trace it.

    The compiler is handed the method only when it is at work: loading it takes a second or two.
    """

    @wraps(method)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(method)(*args, **kwargs)
        return method(*args, **kwargs)

    return run
