"""Losses for segmentation, each a function and a module: logits and target in, a scalar out.

The function works, the module remembers: ``TopologicalLoss(window=64)(logits, target)`` equals
``topological_loss(logits, target, window=64)``, and a bad option fails when the module is built.
What holds for every loss of this file:

logits : (B, C, H, W) or (B, C, D, H, W) tensor of float16, bfloat16, float32 or float64
    What the network returns, without a sigmoid or softmax. C = 1 means one foreground class and
    a sigmoid; C > 1 a softmax over C classes of which the first is the background, and each other
    one is judged as foreground against the rest.
target : tensor on the same device
    (B, H, W) labels: integers below C, or 0 and 1 in any type where C = 1; or
    (B, C, H, W) with 0 and 1: binary for C = 1, one-hot for C > 1; in 3D with D before H.
reduction : {"mean", "sum", "none"}
    Over the B images of the batch; "none" returns a value for each, shape (B,).

Half precision is computed in float32, also under autocast, and the value is float32; float64 stays
float64. Logits that are NaN or infinite are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .topology.components import betti_numbers
from .topology.grid import (
    Border,
    check_border,
    check_choice,
    check_connectivity,
    check_dimensions,
    check_integer,
    check_number,
)
from .topology.matching import MATCHINGS, MatchingName, matched_to_mask
from .topology.persistence import persistence_pairs

Reduction = Literal["mean", "sum", "none"]

__all__ = [
    "LOSSES",
    "ClDiceLoss",
    "DiceBCELoss",
    "SumLoss",
    "TopologicalLoss",
    "cldice_loss",
    "dice_bce_loss",
    "make_loss",
    "topological_loss",
]


# --- What every loss does at its door and at its end ------------------------------------------


def _check_logits_and_target(logits: Any, target: Any) -> tuple[Tensor, Tensor]:
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


def _foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return likelihoods and masks of the K foreground classes, both (B, K, *spatial)."""
    if logits.shape[1] == 1:
        return logits.sigmoid(), target
    return logits.softmax(1)[:, 1:], target[:, 1:]


def _reduce(values: Tensor, reduction: Reduction) -> Tensor:
    """Reduce the (B,) values of the images."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def _check_reduction(reduction: Any) -> Any:
    return check_choice(reduction, ("mean", "sum", "none"), "reduction")


class _Loss(nn.Module):
    """A module that remembers the checked `options` of a loss function and shows them."""

    options: dict[str, Any]

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


# --- Dice + cross-entropy ---------------------------------------------------------------------


def dice_bce_loss(
    logits: Tensor,
    target: Tensor,
    *,
    dice_weight: float = 1.0,
    bce_weight: float = 1.0,
    smooth: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the Dice loss plus the cross-entropy: see `DiceBCELoss`.

    Examples
    --------
    >>> target = torch.tensor([[[0, 1], [1, 0]]])
    >>> dice_bce_loss(torch.zeros(1, 1, 2, 2), target)  # 1 - 3/5 + ln 2
    tensor(1.0931)
    """
    options = _check_dice_bce(
        dice_weight=dice_weight, bce_weight=bce_weight, smooth=smooth, reduction=reduction
    )
    logits, target = _check_logits_and_target(logits, target)
    truth = target.to(logits.dtype)
    if logits.shape[1] == 1:
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    else:
        entropy = -(truth * logits.log_softmax(1)).sum(1)
    likelihood, mask = _foreground(logits, truth)
    smooth = options["smooth"]
    both = (likelihood * mask).flatten(2).sum(2)
    each = likelihood.flatten(2).sum(2) + mask.flatten(2).sum(2)
    dice = (2 * both + smooth) / (each + smooth)
    values = options["dice_weight"] * (1 - dice.mean(1))
    values = values + options["bce_weight"] * entropy.flatten(1).mean(1)
    return _reduce(values, options["reduction"])


def _check_dice_bce(**options: Any) -> dict[str, Any]:
    """Check the options of `dice_bce_loss`."""
    for name in ("dice_weight", "bce_weight", "smooth"):
        options[name] = check_number(options[name], name)
    if options["smooth"] == 0:
        raise ValueError("smooth must be above zero: without it an empty image has no Dice")
    _check_reduction(options["reduction"])
    return options


class DiceBCELoss(_Loss):
    r"""The Dice loss plus the cross-entropy: the usual start, and the control of every comparison.

    For an image with likelihood p and mask g, both summed over the pixels,

    .. math:: w_d \Big(1 - \frac{2 \sum p g + s}{\sum p + \sum g + s}\Big) + w_c \, CE(p, g).

    Dice is averaged over the foreground classes; the cross-entropy is binary for one class, that of
    the softmax for several, and averaged over the pixels.

    Parameters
    ----------
    dice_weight, bce_weight : float
        The weights of both parts, :math:`w_d` and :math:`w_c`. Default 1 and 1.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fraction, so that an empty
        prediction of an empty truth is perfect. Default 1.
    reduction : {"mean", "sum", "none"}
        Over the images of the batch.

    Raises
    ------
    TypeError, ValueError
        When built, for a bad option; when called, for bad logits or a bad target.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016. arXiv:1606.04797

    Examples
    --------
    >>> loss = DiceBCELoss(dice_weight=0.5)
    >>> loss(torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]]))  # 0.2 + ln 2
    tensor(0.8931)
    """

    def __init__(
        self,
        *,
        dice_weight: float = 1.0,
        bce_weight: float = 1.0,
        smooth: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.options = _check_dice_bce(
            dice_weight=dice_weight, bce_weight=bce_weight, smooth=smooth, reduction=reduction
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the module's docstring)."""
        return dice_bce_loss(logits, target, **self.options)


# --- Topological loss -------------------------------------------------------------------------


def topological_loss(
    logits: Tensor,
    target: Tensor,
    *,
    matching: MatchingName = "rank",
    connectivity: int | None = None,
    dimensions: Iterable[int] | None = None,
    dimension_weights: Sequence[float] | None = None,
    matched_weight: float = 1.0,
    unmatched_weight: float = 1.0,
    min_persistence: float = 0.0,
    border: Border | None = None,
    window: int | Sequence[int] | None = None,
    overlap: int | Sequence[int] = 0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the squared distance between the persistence diagrams: see `TopologicalLoss`.

    Examples
    --------
    A blob of likelihood 0.8 and another of 0.6, where the truth has one: the first is drawn to
    (1, 0), the second, which dies at 0.5, to the diagonal.

    >>> logits = torch.tensor([[[[0.8, 0.5, 0.6]]]]).logit()
    >>> target = torch.tensor([[[1, 0, 0]]])
    >>> topological_loss(logits, target)  # (0.2**2 + 0.1**2 / 2) / (1 + 1)
    tensor(0.0225)
    """
    options = _check_topological(
        matching=matching,
        connectivity=connectivity,
        dimensions=dimensions,
        dimension_weights=dimension_weights,
        matched_weight=matched_weight,
        unmatched_weight=unmatched_weight,
        min_persistence=min_persistence,
        border=border,
        window=window,
        overlap=overlap,
        reduction=reduction,
    )
    logits, target = _check_logits_and_target(logits, target)
    values = _CriticalPixelCost.apply(logits, target.cpu().numpy(), options)
    return _reduce(values, options["reduction"])


def _check_topological(**options: Any) -> dict[str, Any]:
    """Check the options of `topological_loss` as far as is possible without an image."""
    check_choice(options["matching"], MATCHINGS, "matching")
    # Only an image can say whether 2 is its full connectivity.
    check_connectivity(options["connectivity"], 2 if options["connectivity"] == 2 else 3)
    if options["dimensions"] is not None:
        wanted = check_dimensions(options["dimensions"], 3)
        options["dimensions"] = tuple(k for k in range(3) if wanted[k])
    if options["dimension_weights"] is not None:
        weights = options["dimension_weights"]
        if isinstance(weights, str) or not isinstance(weights, Sequence):
            raise TypeError(f"dimension_weights must be a sequence of numbers; got {weights!r}")
        options["dimension_weights"] = tuple(
            check_number(w, "each of dimension_weights") for w in weights
        )
    for name in ("matched_weight", "unmatched_weight"):
        options[name] = check_number(options[name], name)
    options["min_persistence"] = check_number(options["min_persistence"], "min_persistence")
    if options["border"] is not None:
        check_border(options["border"])
    _check_window(options["window"], options["overlap"])
    _check_reduction(options["reduction"])
    return options


def _check_window(window: Any, overlap: Any) -> None:
    """Check a window and its overlap as far as is possible without an image."""
    sizes = []
    for name, value in (("window", window), ("overlap", overlap)):
        if value is None and name == "window":
            continue
        axes = tuple(value) if isinstance(value, tuple | list) else (value,)
        if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in axes):
            raise TypeError(f"{name} must be an integer or one for each axis; got {value!r}")
        if len(axes) not in (1, 2, 3):
            raise ValueError(f"{name} must be an integer or one for each axis; got {value!r}")
        sizes.append(np.array(axes))
    if window is None:
        if sizes[0].any():
            raise ValueError(f"overlap needs a window; got overlap={overlap!r} and window=None")
        return
    if 1 not in (sizes[0].size, sizes[1].size) and sizes[0].size != sizes[1].size:
        raise ValueError(
            f"window and overlap must have as many entries; got {window!r} and {overlap!r}"
        )
    if sizes[0].min() < 1 or sizes[1].min() < 0 or (sizes[1] >= sizes[0]).any():
        raise ValueError(
            f"window must be at least 1 and overlap from 0 to window - 1 pixels; "
            f"got {window!r} and {overlap!r}"
        )


def _windows(
    shape: tuple[int, ...], window: int | Sequence[int] | None, overlap: int | Sequence[int]
) -> list[tuple[slice, ...]]:
    """Cover an image with windows.

    The last window of an axis is moved back to end with the image; an axis that is shorter than the
    window is taken whole.

    Examples
    --------
    >>> [(rows.start, rows.stop) for rows, _ in _windows((10, 3), 4, 1)]
    [(0, 4), (3, 7), (6, 10)]
    """
    if window is None:
        return [tuple(slice(0, n) for n in shape)]
    for name, value in (("window", window), ("overlap", overlap)):
        if np.ndim(value) and len(value) != len(shape):  # type: ignore[arg-type]
            raise ValueError(
                f"{name} must have an entry for each of {len(shape)} axes; got {value}"
            )
    axes = []
    for n, size, common in zip(
        shape,
        np.broadcast_to(window, len(shape)),
        np.broadcast_to(overlap, len(shape)),
        strict=True,
    ):
        size = min(int(size), n)
        step = max(size - int(common), 1)
        starts = [*range(0, n - size, step), n - size]
        axes.append([slice(start, start + size) for start in starts])
    return list(product(*axes))


class _CriticalPixelCost(torch.autograd.Function):
    """The topological loss of each image as a function of the logits.

    All work is done in NumPy and numba on the CPU: the logits are copied there once, and value and
    gradient come back. Images and windows are spread over as many threads as torch uses; each
    result depends on its own window alone and they are added in one order, so the bits do not
    depend on the number of threads. Those of torch's own sigmoid and softmax do.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, masks: np.ndarray, options: dict[str, Any]) -> Tensor:
        """Return the (B,) values for (B, C, *spatial) logits and as many masks."""
        images = _likelihoods(logits.detach().cpu().numpy())
        batch, channels = images.shape[:2]
        classes = range(1 if channels > 1 else 0, channels)
        windows = _windows(images.shape[2:], options["window"], options["overlap"])
        places = [(b, k, *window) for b, k, window in product(range(batch), classes, windows)]
        results = _map_in_threads(lambda at: _window_cost(images[at], masks[at], options), places)
        values, gradient = np.zeros(batch), np.zeros_like(images)
        for at, (value, slopes) in zip(places, results, strict=True):
            values[at[0]] += value
            gradient[at] += slopes
        shared = len(classes) * len(windows)
        # From the likelihood to the logits: the derivative of the sigmoid or softmax.
        if channels == 1:
            gradient *= images * (1 - images) / shared
        else:
            gradient -= (gradient * images).sum(1, keepdims=True)
            gradient *= images / shared
        ctx.save_for_backward(torch.from_numpy(gradient).to(logits.device))
        return torch.from_numpy((values / shared).astype(images.dtype)).to(logits.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient, nonzero at critical pixels only."""
        (gradient,) = ctx.saved_tensors
        return gradient * outer.reshape(-1, *[1] * (gradient.ndim - 1)), None, None


def _likelihoods(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid of one channel, the softmax of several; neither overflows."""
    if logits.shape[1] > 1:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
    powers = np.exp(-np.abs(logits))
    return np.where(logits < 0, powers, 1) / (1 + powers)


def _map_in_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return ``[function(item) for item in items]``, computed by as many threads as torch uses."""
    threads = min(torch.get_num_threads(), len(items))
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def _window_cost(
    image: np.ndarray, mask: np.ndarray, options: dict[str, Any]
) -> tuple[float, np.ndarray]:
    """Return the loss of one window of one class, and its gradient in the window's shape."""
    connectivity = options["connectivity"]
    dimensions = options["dimensions"] or tuple(range(image.ndim))
    border: Border = options["border"] or ("open" if options["window"] is None else "closed")
    weights = options["dimension_weights"] or (1.0,) * image.ndim
    if len(weights) != image.ndim:
        raise ValueError(
            f"dimension_weights must have {image.ndim} entries, one for each dimension of "
            f"features in an image with {image.ndim} axes; got {weights}"
        )
    pairs = persistence_pairs(
        image,
        connectivity=connectivity,
        dimensions=dimensions,
        border=border,
        min_persistence=options["min_persistence"],
    )
    betti = betti_numbers(mask, connectivity=connectivity, border=border)
    wanted = [count if k in dimensions else 0 for k, count in enumerate(betti)]
    matched = matched_to_mask(pairs, wanted, options["matching"])

    # Every pair has a target: (1, 0), or (0, 0) for the essential one of an empty truth, or the
    # nearest point of the diagonal.
    birth, death = pairs.birth.astype(np.float64), pairs.death.astype(np.float64)
    middle = (birth + death) / 2
    corner = 1.0 if betti[0] else np.where(pairs.death_index < 0, 0.0, 1.0)
    off_birth = birth - np.where(matched, corner, middle)
    off_death = death - np.where(matched, 0.0, middle)
    scale = np.where(matched, options["matched_weight"], options["unmatched_weight"])
    scale *= np.asarray(weights)[pairs.dimension]
    value = (scale * (off_birth**2 + off_death**2)).sum()
    # A feature of the truth without a partner is as far from the diagonal as (1, 0) is.
    missing = np.array(wanted) - np.bincount(pairs.dimension[matched], minlength=image.ndim)
    value += options["unmatched_weight"] * np.dot(weights, np.maximum(missing, 0)) / 2

    pixels = np.concatenate([pairs.birth_index, pairs.death_index])
    slopes = np.concatenate([scale * off_birth, scale * off_death])
    real = pixels >= 0  # the frame and an essential death are constants
    gradient = 2 * np.bincount(pixels[real], slopes[real], image.size).reshape(image.shape)
    features = 1 + sum(wanted)
    return value / features, gradient / features


class TopologicalLoss(_Loss):
    r"""The topological loss: squared distance between persistence diagrams [1]_.

    A component of the likelihood is born at a maximum and dies at a saddle; a hole is born at a
    saddle and dies at a minimum. Each of these pairs :math:`(b, d)` is given a target: (1, 0) if it
    is matched to a feature of the truth, else its nearest point of the diagonal, where it vanishes.
    The loss of an image is

    .. math:: \frac{1}{n^* + 1} \Big( \sum_{matched} (b - 1)^2 + d^2
              + \sum_{unmatched} \frac{(b - d)^2}{2} \Big)

    where :math:`n^*` is the number of the truth's features (the sum of its Betti numbers). As b and
    d are the values of single pixels, the gradient lives on these *critical pixels*: it raises the
    saddle where a line is broken and lowers the one where two objects touch. All other pixels are
    left to the loss it is added to, so use it beside a pixel loss, with a small weight.

    Parameters
    ----------
    matching : {"rank", "wasserstein"}
        Which pairs stand for the truth's features: the most persistent ones (default, the
        paper's), or those of the exact optimal transport with the diagonal. See Notes.
    connectivity : int, optional
        Of the foreground: 1 (4 or 6 neighbours) or the number of axes (8 or 26; default).
    dimensions : iterable of int, optional
        The features that count: 0 for components, 1 for holes. Default: all.
    dimension_weights : sequence of float, optional
        A weight for the features of dimension 0, of dimension 1 and so on. Default: 1 each.
    matched_weight, unmatched_weight : float
        Weights of the two sums. Default 1 and 1.
    min_persistence : float
        Pairs whose persistence is not above it are left alone. Default 0.
    border : {"open", "closed"}, optional
        Whether the outside is background, or a frame of foreground of value 1 that closes what the
        border cuts off. The frame itself has no gradient, but its features count among the truth's.
        None means "open" for a whole image and "closed" for windows, as in the paper's first code.
    window : int or sequence of int, optional
        Compare windows of this size (one integer for each axis, or one for all) instead of the
        whole image; the loss is the mean over them. Smaller windows tie features to places. Axes
        that are shorter are taken whole.
    overlap : int or sequence of int
        By how many pixels neighbouring windows overlap at least; below `window`. Default 0.
    reduction : {"mean", "sum", "none"}
        Over the images of the batch. Classes are always averaged.

    Raises
    ------
    TypeError, ValueError
        When built, for a bad option; when called, for bad logits, a bad target, or an option that
        does not fit the number of axes.

    Notes
    -----
    The essential component, the one that never dies, belongs to the image's highest pixel. It is
    always matched: its birth is drawn to 1, or to 0 if the truth is empty, so that false positives
    there are punished. A truth feature for which no pair is left costs its own squared distance to
    the diagonal, 1/2, and has no gradient.

    What the matchings cannot do, since they see births and deaths but no places:

    * A false blob of likelihood 0.8 beside a true one of 0.55 wins, under "rank" and under
      "wasserstein": the false one is raised, the true one removed. Train the network with a pixel
      loss first, or use windows.
    * A mostly filled hole, 0.8 in a ring of 0.9, is opened by "rank" but filled by "wasserstein":
      matching (0.9, 0.8) costs 0.65, leaving both to the diagonal 0.505.

    Time is linear in the number of pixels. A batch is spread over as many threads as torch uses,
    and the result does not depend on that number. From a GPU the logits are copied to the CPU once.

    References
    ----------
    .. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019.
           arXiv:1906.05404

    Examples
    --------
    A line of likelihood 0.9 with a gap of 0.3. The truth is one component, so the pair that dies in
    the gap is drawn to the diagonal: its birth is lowered and the gap raised.

    >>> likelihood = torch.tensor([[[[0.9, 0.9, 0.3, 0.8]]]])
    >>> logits = likelihood.logit().requires_grad_()
    >>> loss = TopologicalLoss()(logits, torch.ones(1, 1, 4, dtype=torch.int64))
    >>> loss.backward()
    >>> logits.grad.sign()  # a step goes against it
    tensor([[[[-1.,  0., -1.,  1.]]]])
    """

    def __init__(
        self,
        *,
        matching: MatchingName = "rank",
        connectivity: int | None = None,
        dimensions: Iterable[int] | None = None,
        dimension_weights: Sequence[float] | None = None,
        matched_weight: float = 1.0,
        unmatched_weight: float = 1.0,
        min_persistence: float = 0.0,
        border: Border | None = None,
        window: int | Sequence[int] | None = None,
        overlap: int | Sequence[int] = 0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.options = _check_topological(
            matching=matching,
            connectivity=connectivity,
            dimensions=dimensions,
            dimension_weights=dimension_weights,
            matched_weight=matched_weight,
            unmatched_weight=unmatched_weight,
            min_persistence=min_persistence,
            border=border,
            window=window,
            overlap=overlap,
            reduction=reduction,
        )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the module's docstring)."""
        return topological_loss(logits, target, **self.options)


# --- clDice -----------------------------------------------------------------------------------


def cldice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    iterations: int = 10,
    smooth: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return one minus the soft centreline Dice: see `ClDiceLoss`.

    Examples
    --------
    A line that is found but for its last pixel: precision 1, sensitivity (2 + 1) / (3 + 1).

    >>> logits = torch.tensor([[[[50.0, 50.0, -50.0], [-50.0, -50.0, -50.0]]]])
    >>> cldice_loss(logits, torch.tensor([[[1, 1, 1], [0, 0, 0]]]))  # 1 - 2 (3/4) / (1 + 3/4)
    tensor(0.1429)
    """
    options = _check_cldice(iterations=iterations, smooth=smooth, reduction=reduction)
    logits, target = _check_logits_and_target(logits, target)
    likelihood, mask = _foreground(logits, target)
    truth, smooth = mask.to(likelihood.dtype), options["smooth"]
    lines = _soft_skeleton(likelihood, options["iterations"])
    true_lines = _soft_skeleton(truth, options["iterations"])
    precision = ((lines * truth).flatten(2).sum(2) + smooth) / (lines.flatten(2).sum(2) + smooth)
    sensitivity = ((true_lines * likelihood).flatten(2).sum(2) + smooth) / (
        true_lines.flatten(2).sum(2) + smooth
    )
    cldice = 2 * precision * sensitivity / (precision + sensitivity)
    return _reduce(1 - cldice.mean(1), options["reduction"])


def _check_cldice(**options: Any) -> dict[str, Any]:
    """Check the options of `cldice_loss`."""
    options["iterations"] = check_integer(options["iterations"], "iterations")
    options["smooth"] = check_number(options["smooth"], "smooth")
    if options["smooth"] == 0:
        raise ValueError("smooth must be above zero: without it an empty image has no clDice")
    _check_reduction(options["reduction"])
    return options


def _soft_skeleton(image: Tensor, iterations: int) -> Tensor:
    """Collect what an opening removes from `image` and from its first `iterations` erosions.

    Where that is anything, the image is a ridge no wider than the opening at that erosion.
    """
    axes = tuple(range(2, image.ndim))
    eroded = _Extreme.apply(image, axes, torch.minimum)
    skeleton = torch.zeros_like(image)
    for last in reversed(range(iterations + 1)):
        opened = eroded
        for axis in axes:  # one axis after the other: diagonal neighbours too
            opened = _Extreme.apply(opened, (axis,), torch.maximum)
        skeleton = skeleton + (1 - skeleton) * F.relu(image - opened)
        if last:
            image, eroded = eroded, _Extreme.apply(eroded, axes, torch.minimum)
    return skeleton


class _Extreme(torch.autograd.Function):
    """The smallest or largest value among each pixel and its neighbours along `axes`.

    It is max pooling, but by comparing shifted copies of the whole image, many times as fast on a
    CPU. The gradient goes to one pixel that holds the value: the pixel itself, else the first.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, axes: Sequence[int], extreme: Callable) -> Tensor:
        """Return the image of extremes; `extreme` is torch.minimum or torch.maximum."""
        result = image.clone()
        for here, there in _neighbours(image.ndim, axes):
            extreme(result[here], image[there], out=result[here])
        ctx.save_for_backward(image, result)
        ctx.axes = axes
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        """Send each pixel's gradient to the pixel that its value came from."""
        image, result = ctx.saved_tensors
        gradient = outer * (result == image)
        left = outer - gradient
        for here, there in _neighbours(image.ndim, ctx.axes):
            part = left[here] * (result[here] == image[there])
            gradient[there] += part
            left[here] -= part
        return gradient, None, None


def _neighbours(ndim: int, axes: Sequence[int]) -> Iterator[tuple[tuple[slice, ...], ...]]:
    """Yield for each neighbour along `axes` the slices of all pixels that have it, and of it."""
    for axis in axes:
        before, after = ([slice(None)] * ndim for _ in range(2))
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        yield tuple(after), tuple(before)
        yield tuple(before), tuple(after)


class ClDiceLoss(_Loss):
    r"""Centreline Dice: how much of each skeleton lies in the other's foreground [1]_.

    With the soft skeletons :math:`S_p, S_g` of likelihood p and mask g,

    .. math:: 1 - \frac{2 \, T_p T_s}{T_p + T_s}, \quad
              T_p = \frac{\sum S_p g + s}{\sum S_p + s}, \quad
              T_s = \frac{\sum S_g p + s}{\sum S_g + s}.

    The skeleton of a grey image is what remains of its ridges under repeated erosion: the minimum
    along the axes; what an opening then removes is skeleton. It is a relaxation, made of minima
    and maxima, and knows nothing of Betti numbers: cheap connections count as much as true ones.

    Parameters
    ----------
    iterations : int
        How often to erode: at least half the width, in pixels, of the widest structure. Time grows
        in proportion. Default 10.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fractions. Default 1.
    reduction : {"mean", "sum", "none"}
        Over the images of the batch. Foreground classes are always averaged.

    Raises
    ------
    TypeError, ValueError
        When built, for a bad option; when called, for bad logits or a bad target.

    References
    ----------
    .. [1] S. Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
           segmentation", CVPR 2021. arXiv:2003.07311

    Examples
    --------
    >>> target = torch.tensor([[[0, 0, 0], [1, 1, 1], [0, 0, 0]]])
    >>> whole = (target * 2.0 - 1)[:, None] * 50
    >>> broken = whole.clone()
    >>> broken[..., 1, 1] = -50
    >>> loss = ClDiceLoss(iterations=2)
    >>> loss(whole, target), loss(broken, target)  # 1 - 2 (3/4) / (1 + 3/4)
    (tensor(0.), tensor(0.1429))
    """

    def __init__(
        self,
        *,
        iterations: int = 10,
        smooth: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.options = _check_cldice(iterations=iterations, smooth=smooth, reduction=reduction)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `logits` against `target` (shapes: see the module's docstring)."""
        return cldice_loss(logits, target, **self.options)


# --- Sums -------------------------------------------------------------------------------------


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

    Raises
    ------
    TypeError, ValueError
        For parts that are no modules, options for unknown parts, and bad numbers.

    Examples
    --------
    >>> loss = SumLoss({"pixels": DiceBCELoss(), "topology": TopologicalLoss()},
    ...                weights={"topology": 0.5}, starts={"topology": 1}, warm_up={"topology": 4})
    >>> logits, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]])
    >>> for _ in range(3):
    ...     print(round(loss(logits, target).item(), 3), loss.factors())
    1.093 {'pixels': 1.0, 'topology': 0.125}
    1.109 {'pixels': 1.0, 'topology': 0.25}
    1.124 {'pixels': 1.0, 'topology': 0.375}
    >>> loss.values
    {'pixels': tensor(1.0931), 'topology': tensor(0.1250)}
    """

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

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sum for `logits` and `target` (shapes: see the module's docstring)."""
        total: Tensor | None = None
        self.values = {}
        for name, factor in self.factors().items():
            if factor == 0:
                continue
            value = self.parts[name](logits, target)
            if value.ndim:
                raise ValueError(
                    f"parts[{name!r}] must return a scalar; got the shape {tuple(value.shape)}. "
                    f"Build it with reduction='mean'"
                )
            self.values[name] = value.detach()
            total = factor * value if total is None else total + factor * value
        if total is None:
            raise ValueError(f"no part has begun at step {self.step}: step must not be negative")
        if self.training and torch.is_grad_enabled():
            self.step += 1
        return total

    def get_extra_state(self) -> Tensor:
        """Return the step for the `state_dict`."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the step from a `state_dict`."""
        self.step = int(state)

    def extra_repr(self) -> str:
        """Show the options."""
        return f"weights={self.weights}, starts={self.starts}, warm_up={self.warm_up}"


# --- By name ----------------------------------------------------------------------------------

LOSSES: dict[str, type[_Loss]] = {
    "dice_bce": DiceBCELoss,
    "topological": TopologicalLoss,
    "cldice": ClDiceLoss,
}


def make_loss(name: str, **options: Any) -> nn.Module:
    """Build a loss by its name in `LOSSES`.

    Parameters
    ----------
    name : str
        A key of `LOSSES`.
    **options
        What the loss's class takes.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If there is no such loss, or an option has a bad value.
    TypeError
        If the loss has no such option, or an option has a bad type.

    Examples
    --------
    >>> make_loss("dice_bce", smooth=0.1)
    DiceBCELoss(dice_weight=1.0, bce_weight=1.0, smooth=0.1, reduction='mean')
    """
    loss = LOSSES[check_choice(name, tuple(LOSSES), "loss")]
    known = inspect.signature(loss).parameters
    for option in options:
        if option not in known:
            raise TypeError(f"{name} has no option {option!r}; it takes {', '.join(known)}")
    return loss(**options)
