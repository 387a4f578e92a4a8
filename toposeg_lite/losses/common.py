"""What every loss does at its door and at its end, and how batches share the cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..topology.grid import check_choice

Reduction = Literal["mean", "sum", "none"]

__all__ = [
    "Loss",
    "Reduction",
    "check_logits_and_target",
    "check_reduction",
    "foreground",
    "likelihoods",
    "map_in_threads",
    "reduce",
]


def check_logits_and_target(logits: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Check what every loss is given and return it in one form.

    Returns
    -------
    logits : (B, C, *spatial) tensor of float32 or float64
    target : (B, C, *spatial) tensor of bool
        Binary for C = 1, one-hot for C > 1.
    """
    for name, tensor in (("logits", logits), ("target", target)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a torch tensor; got {type(tensor).__name__}")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating point; got {logits.dtype}")
    if logits.ndim not in (4, 5):
        raise ValueError(
            f"logits must have the shape (B, C, H, W) or (B, C, D, H, W); got {tuple(logits.shape)}"
        )
    if logits.numel() == 0:
        raise ValueError(f"logits are empty: their shape is {tuple(logits.shape)}")
    classes = logits.shape[1]
    labels_shape = logits.shape[:1] + logits.shape[2:]
    if target.shape not in (labels_shape, logits.shape):
        raise ValueError(
            f"target must have the shape {tuple(labels_shape)} (labels) or {tuple(logits.shape)} "
            f"(a channel a class) to go with the logits; got {tuple(target.shape)}"
        )
    if target.device != logits.device:
        raise ValueError(
            f"logits and target must be on one device; got {logits.device} and {target.device}"
        )
    if target.is_complex():
        raise TypeError(f"target must hold labels, or 0 and 1; got {target.dtype}")
    if not np.isfinite(_ends(logits)).all():
        bad = int((~torch.isfinite(logits)).sum())
        raise ValueError(
            f"logits hold {bad} values that are NaN or infinite. The training has diverged: "
            f"try a smaller learning rate, gradient clipping, or full precision"
        )
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if target.shape == labels_shape and classes > 1:
        return logits, _one_hot(target, classes)
    binary = target.bool()
    if target.is_floating_point():
        others = target[target != binary]
    else:
        others = torch.tensor([end for end in _ends(target) if end not in (0, 1)])
    if len(others):
        raise ValueError(
            f"target must hold only 0 and 1 to go with logits of the shape {tuple(logits.shape)}; "
            f"it also holds {others[0].item():g}"
        )
    if classes > 1 and not (binary.sum(1) == 1).all():
        raise ValueError(
            "target must be one-hot for several classes: exactly one 1 in the channels of a pixel"
        )
    return logits, binary.reshape(logits.shape)


def _ends(tensor: Tensor) -> tuple[float, float]:
    """Return the smallest and the largest value, NaN if there is any."""
    tensor = tensor.detach()
    if tensor.device.type == "cpu" and tensor.dtype not in (torch.float16, torch.bfloat16):
        # NumPy looks at a million values in the time that torch takes to wake its threads.
        array = tensor.numpy()
        return array.min().item(), array.max().item()
    low, high = torch.stack(torch.aminmax(tensor)).tolist()
    return low, high


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    """Turn (B, *spatial) labels into (B, classes, *spatial) booleans."""
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(
            f"target must hold integer labels for {classes} classes; got {labels.dtype}"
        )
    low, high = _ends(labels)
    if low < 0 or high >= classes:
        raise ValueError(
            f"target must hold labels from 0 to {classes - 1}, for the logits have {classes} "
            f"channels; its labels reach from {low} to {high}"
        )
    channels = torch.arange(classes, device=labels.device)
    return labels.unsqueeze(1) == channels.view(-1, *[1] * (labels.ndim - 1))


def foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return likelihoods and masks of the K foreground classes, both (B, K, *spatial)."""
    if logits.shape[1] == 1:
        return logits.sigmoid(), target
    return logits.softmax(1)[:, 1:], target[:, 1:]


def reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Reduce the (B,) values of the images."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def check_reduction(reduction: Any) -> Any:
    """Return `reduction` if it is "mean", "sum" or "none", else raise.

    Examples
    --------
    >>> check_reduction("sum")
    'sum'
    """
    return check_choice(reduction, ("mean", "sum", "none"), "reduction")


class Loss(nn.Module):
    """A module that remembers the checked `options` of a loss function and shows them."""

    options: dict[str, Any]

    def extra_repr(self) -> str:
        """Show the options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def likelihoods(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid of one channel, the softmax of several; neither overflows."""
    if logits.shape[1] > 1:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
    powers = np.exp(-np.abs(logits))
    return np.where(logits < 0, powers, 1) / (1 + powers)


def map_in_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return ``[function(item) for item in items]``, computed by as many threads as torch uses."""
    threads = min(torch.get_num_threads(), len(items))
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
