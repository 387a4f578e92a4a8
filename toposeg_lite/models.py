"""A small U-Net for images and volumes: the network that every chapter trains.

A U-Net [1]_ looks at an image at several scales. On the way down each level halves the sides and
doubles the channels; on the way up each level doubles the sides again and joins what the same
level saw on the way down, so that the output knows both the wide context and the exact place::

    level 0   width    ----------------------------------> width    -> logits
    level 1   2 width    ---------------------------> 2 width
    level 2   4 width      --------------------> 4 width
    level 3   8 width        -----> 8 width ---^

Ours differs from the paper in two ways that users notice. Borders are padded, so the logits have
exactly the size of the input, whatever that is. And features are normalised in groups of channels
within one image [2]_ instead of over the batch, so a batch of one trains as well as any other and
the network does in training what it does in use.

References
----------
.. [1] O. Ronneberger et al., "U-Net: Convolutional networks for biomedical image segmentation",
       MICCAI 2015. arXiv:1505.04597
.. [2] Y. Wu and K. He, "Group normalization", ECCV 2018. arXiv:1803.08494
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import check_integer

__all__ = ["UNet"]

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_UP = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def _groups(channels: int) -> int:
    """Return the largest number of groups, at most 8, that divides the channels evenly."""
    return max(n for n in range(1, 9) if channels % n == 0)


def _double_conv(before: int, after: int, ndim: int) -> nn.Sequential:
    """Two 3-wide convolutions, each normalised and rectified; the size stays."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        # The normalisation subtracts any constant, so a bias before it would have no effect.
        layers.append(_CONV[ndim](channels, after, 3, padding=1, bias=False))
        layers.append(nn.GroupNorm(_groups(after), after))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _halve(x: Tensor) -> Tensor:
    """Keep the largest of each 2x2 (2x2x2) block; all sides are even."""
    if x.ndim == 4:
        return F.max_pool2d(x, 2)
    # The gradient of max_pool3d differs from run to run on a GPU; that of amax does not.
    batch, channels, depth, height, width = x.shape
    blocks = x.reshape(batch, channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    return blocks.amax(dim=(3, 5, 7))


class UNet(nn.Module):
    """U-Net in two or three dimensions, for inputs of any size.

    Parameters
    ----------
    in_channels : int
        Channels of the input: 1 for grey images, 3 for colour photographs.
    out_channels : int
        Channels of the logits: 1 for one foreground class (sigmoid), else one channel per class
        (softmax).
    width : int
        Channels of the finest level; each coarser level has twice as many. The number of weights
        grows with its square: 483 thousand for 16 in 2D.
    depth : int
        Number of levels, at least 1. The receptive field doubles with each.
    ndim : int
        2 for images, 3 for volumes.
    seed : int
        Seed of the initial weights. The global random state is neither used nor changed.

    Notes
    -----
    ``forward`` takes (B, in_channels, *spatial) and returns logits (B, out_channels, *spatial).
    Sides that are no multiple of ``2**(depth - 1)`` are padded by repeating the last pixels and the
    logits are cropped back, so that even one pixel is an image.

    Examples
    --------
    >>> model = UNet(in_channels=3)
    >>> model(torch.zeros(1, 3, 45, 70)).shape
    torch.Size([1, 1, 45, 70])
    >>> sum(p.numel() for p in model.parameters())
    482737
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 1,
        *,
        width: int = 16,
        depth: int = 4,
        ndim: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.in_channels = check_integer(in_channels, "in_channels", 1)
        self.out_channels = check_integer(out_channels, "out_channels", 1)
        self.width = check_integer(width, "width", 1)
        self.depth = check_integer(depth, "depth", 1)
        if check_integer(ndim, "ndim") not in _CONV:
            raise ValueError(f"ndim must be 2 (images) or 3 (volumes); got {ndim!r}")
        self.ndim = ndim
        self.seed = check_integer(seed, "seed")
        widths = [width * 2**level for level in range(depth)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.down = nn.ModuleList(
                _double_conv(before, after, ndim)
                for before, after in zip([in_channels, *widths], widths, strict=False)
            )
            self.up = nn.ModuleList(
                _UP[ndim](2 * after, after, kernel_size=2, stride=2) for after in widths[:-1]
            )
            self.join = nn.ModuleList(_double_conv(2 * after, after, ndim) for after in widths[:-1])
            self.head = _CONV[ndim](width, out_channels, kernel_size=1)

    @classmethod
    def from_weights(cls, options: Mapping[str, Any], weights: Mapping[str, Tensor]) -> UNet:
        """Return the network with these options and weights, both of which come from a file.

        Whatever the file says, no more memory is asked for than such weights take: their shapes
        must agree with the options before anything is made.

        Raises
        ------
        ValueError
            If the weights are not those of a network with these options.

        Examples
        --------
        >>> first = UNet(1, width=2, depth=1)
        >>> options = {"in_channels": 1, "width": 2, "depth": 1}
        >>> UNet.from_weights(options, first.state_dict()).width
        2
        """
        for name, given in (("options", options), ("weights", weights)):
            if not isinstance(given, Mapping):
                raise TypeError(f"{name} must map names to values; got {type(given).__name__}")
        if not all(isinstance(weight, Tensor) for weight in weights.values()):
            raise TypeError("weights must map names to torch tensors")
        wanted = dict(options)
        channels, width = wanted.get("in_channels"), wanted.get("width", 16)
        depth = sum(name.startswith("down.") and name.endswith(".0.weight") for name in weights)
        try:
            check_integer(wanted.get("seed", 0), "seed", 0, 2**63 - 1)
            shapes = [weights[f"down.{level}.0.weight"].shape[:2] for level in range(depth)]
            levels = [width * 2**level for level in range(depth)]
            expected = list(zip(levels, [channels, *levels], strict=False))
            heads = weights["head.weight"].shape[:2], (wanted.get("out_channels", 1), width)
            if shapes != expected or heads[0] != heads[1] or wanted.get("depth", 4) != depth:
                raise ValueError("their shapes differ")
            network = cls(**wanted)
            network.load_state_dict(weights)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"weights and options {wanted} are of different networks: {error}"
            ) from None
        return network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch of images, (B, out_channels, *spatial)."""
        self._check(images)
        spatial = images.shape[2:]
        multiple = 2 ** (self.depth - 1)
        # F.pad wants the last axis first, each as (before, after).
        padding = [side for size in reversed(spatial) for side in (0, -size % multiple)]
        x = F.pad(images, padding, mode="replicate") if any(padding) else images
        skips = []
        for level, block in enumerate(self.down):
            if level:
                x = _halve(x)
            x = block(x)
            skips.append(x)
        for level in reversed(range(self.depth - 1)):
            x = torch.cat([skips[level], self.up[level](x)], dim=1)
            x = self.join[level](x)
        crop = (..., *(slice(size) for size in spatial))
        return self.head(x)[crop]

    def _check(self, images: Tensor) -> None:
        """Refuse a batch that the first convolution could not read."""
        if not isinstance(images, Tensor):
            raise TypeError(f"images must be a torch tensor; got {type(images).__name__}")
        wanted = f"(B, {self.in_channels}, {'D, ' if self.ndim == 3 else ''}H, W)"
        if images.ndim != self.ndim + 2 or images.shape[1] != self.in_channels:
            raise ValueError(f"images must have shape {wanted}; got {tuple(images.shape)}")
        if images.numel() == 0:
            raise ValueError(f"images are empty: their shape is {tuple(images.shape)}")
        if not images.is_floating_point():
            raise TypeError(
                f"images must be floating point in [0, 1]; got {images.dtype}. "
                f"Divide by the largest possible value"
            )
