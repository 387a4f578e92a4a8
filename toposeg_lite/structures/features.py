"""What is known of a branch before it is decided: the features that the branch head reads.

Each feature is scaled to about the size of 1. Those that come from the likelihood are functions of
its pixels, so gradients flow through them; lengths, widths and the image are constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, uniform_filter
from torch import Tensor
from torch.nn import functional as F

from ..topology.branches import BranchSet
from ..topology.kernels import kernel
from .common import check_branches

__all__ = ["FEATURES", "branch_features", "persistence_of"]

#: The columns of `branch_features`; those of the network's own features follow.
FEATURES = (
    "persistence",
    "saddle value",
    "mean likelihood",
    "minimum likelihood",
    "length",
    "width",
    "curvature",
    "contrast",
    "joins",
    "closes a loop",
    "is a ridge",
)


def persistence_of(branches: BranchSet, likelihood: Tensor) -> Tensor:
    """Return the persistence of each branch, (n,), as a function of the likelihood's pixels.

    The branches were found in this likelihood, a (*spatial) tensor.

    Examples
    --------
    >>> from toposeg_lite.structures import find_branches
    >>> likelihood = torch.tensor([[0.5, 0.25, 0.75]], requires_grad=True)
    >>> branches = find_branches(likelihood.detach().numpy())
    >>> persistence = persistence_of(branches, likelihood)
    >>> persistence.sum().backward()
    >>> persistence.detach(), likelihood.grad
    (tensor([0.2500]), tensor([[ 1., -1.,  0.]]))
    """
    _check(likelihood, check_branches(branches), "likelihood")
    values = F.pad(likelihood.reshape(-1), (0, 1))  # the last, -1, is the 0 at which the peak dies
    return values[_at(branches.upper, values)] - values[_at(branches.lower, values)]


def branch_features(
    branches: BranchSet, likelihood: Tensor, image: Tensor, network: Tensor | None = None
) -> Tensor:
    """Return the features of each branch.

    Parameters
    ----------
    branches, likelihood
        As in `persistence_of`.
    image : (channels, *spatial) tensor
        The image itself.
    network : (F, *sides) tensor, optional
        Features of the network. Their sides are those of the image, or of a coarser grid.

    Returns
    -------
    (n, 11 + F) tensor of the likelihood's type
        The columns are `FEATURES`: persistence, likelihood at the pass, mean and minimum likelihood
        on the branch; logarithm of its length / 4; its mean width / 8, the width being that of what
        is at least half as likely as the nearest pixel of a branch; its mean curvature in radians a
        pixel; mean of the image (over its channels) on the branch minus that in squares of 9 pixels
        around, times 5; its kind as three numbers, 0 or 1. Then the network's features, averaged
        over the branch and normalised to mean 0 and variance 1 over F.
    """
    _check(likelihood, check_branches(branches), "likelihood")
    _check(image, branches, "image", channels=True)
    if network is not None:
        _check_network(network, branches)
    values = likelihood.reshape(-1)
    count = len(branches)
    if not count:
        width = len(FEATURES) + (0 if network is None else len(network))
        return values.new_zeros((0, width))
    sizes = torch.from_numpy(branches.sizes).to(values.device)
    own = values[_at(branches.own_pixels, values)]
    shown = image.detach().mean(0).float().cpu().numpy()
    constants = np.stack(
        [
            np.log(branches.length) / 4,
            _mean_over(branches, _widths(branches)) / 8,
            _curvature(branches.pixels, branches.offsets, np.array(branches.shape)),
            _mean_over(branches, shown - uniform_filter(shown, 9, mode="nearest")) * 5,
            *(branches.kind == kind for kind in range(3)),
        ],
        1,
    )
    columns = [
        persistence_of(branches, likelihood)[:, None],
        values[_at(branches.saddle, values)][:, None],
        torch.segment_reduce(own, "mean", lengths=sizes)[:, None],
        torch.segment_reduce(own, "min", lengths=sizes)[:, None],
        torch.from_numpy(constants).to(values),
    ]
    if network is not None:
        sides = network.shape[1:]
        places = np.unravel_index(branches.own_pixels, branches.shape)
        there = np.ravel_multi_index(
            tuple(
                np.minimum(place // max(1, round(ours / side)), side - 1)
                for place, ours, side in zip(places, branches.shape, sides, strict=True)
            ),
            tuple(sides),
        )
        seen = network.reshape(len(network), -1).T[_at(there, values)]
        pooled = torch.segment_reduce(seen, "mean", lengths=sizes, axis=0)
        columns.append(F.layer_norm(pooled, pooled.shape[1:]).to(values.dtype))
    return torch.cat(columns, 1)


def _check(tensor: Any, branches: BranchSet, name: str, *, channels: bool = False) -> None:
    """Refuse what is no tensor of the image that the branches were found in.

    With `channels` it has a first axis more.
    """
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{name} must be a torch tensor of floating point; got {got}")
    shape = tuple(tensor.shape)
    if channels and not (len(shape) > 1 and shape[0]):
        raise ValueError(f"{name} must have one channel at least and two axes; got shape {shape}")
    if shape[channels:] != branches.shape:
        raise ValueError(
            f"{'each channel of the ' if channels else ''}{name} must have the shape "
            f"{branches.shape}, in which the branches were found; got {shape[channels:]}"
        )


def _check_network(network: Any, branches: BranchSet) -> None:
    """Refuse features of a network that are no tensor with a channel axis and the image's axes."""
    if not isinstance(network, Tensor) or not network.is_floating_point():
        got = network.dtype if isinstance(network, Tensor) else type(network).__name__
        raise TypeError(f"network must be a torch tensor of floating point; got {got}")
    if network.ndim != len(branches.shape) + 1 or not network.numel():
        raise ValueError(
            f"network must have channels and {len(branches.shape)} axes, none of them empty; "
            f"got shape {tuple(network.shape)}"
        )


def _at(places: np.ndarray, like: Tensor) -> Tensor:
    """Return places as a tensor on the device of another."""
    return torch.from_numpy(places).to(like.device)


def _mean_over(branches: BranchSet, image: np.ndarray) -> np.ndarray:
    """Return the mean of an image over the pixels that each branch owns."""
    totals = np.add.reduceat(
        image.ravel()[branches.own_pixels].astype(np.float64),
        np.cumsum(branches.sizes) - branches.sizes,
    )
    return totals / branches.sizes


def _widths(branches: BranchSet) -> np.ndarray:
    """Return at each pixel the width of what is at least half as likely as the nearest branch."""
    likelihood = branches.likelihood
    _, nearest = branches.nearest
    mask = likelihood >= likelihood.ravel()[nearest] / 2
    if mask.all():  # there is no background to be far from
        return np.full(mask.shape, 2.0 * max(mask.shape) - 1)
    return 2 * distance_transform_edt(mask) - 1


@kernel
def _curvature(pixels, offsets, shape):
    """Return how many radians a pixel each path turns on average; straight and short ones 0.

    The direction at a pixel is taken over three steps before it, and three behind.
    """
    lag = 3
    out = np.zeros(offsets.size - 1)
    before, after = np.empty(shape.size), np.empty(shape.size)
    for k in range(out.size):
        first, last = offsets[k] + lag, offsets[k + 1] - lag
        for i in range(first, last):
            a, b, c = pixels[i - lag], pixels[i], pixels[i + lag]
            for axis in range(shape.size - 1, -1, -1):
                before[axis] = b % shape[axis] - a % shape[axis]
                after[axis] = c % shape[axis] - b % shape[axis]
                a //= shape[axis]
                b //= shape[axis]
                c //= shape[axis]
            dot = square_before = square_after = 0.0
            for axis in range(shape.size):
                dot += before[axis] * after[axis]
                square_before += before[axis] ** 2
                square_after += after[axis] ** 2
            if square_before > 0 and square_after > 0:
                cosine = dot / np.sqrt(square_before * square_after)
                out[k] += np.arccos(min(1.0, max(-1.0, cosine))) / lag
        if last > first:
            out[k] /= last - first
    return out
