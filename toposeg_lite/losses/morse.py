"""The Morse loss of Hu 2021 ("DMT loss"): a pixel loss on the ridges of the likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..checks import check_choice, check_fraction, check_integer
from ..topology.grid import check_connectivity, check_spacing
from ..topology.ignored import fill_batch
from ..topology.morse import morse_complex
from ..topology.skeleton import thin_mask
from .base import LossOnHost
from .chosen import PIXEL_LOSSES, PixelLoss, loss_on_chosen
from .common import OnHost, in_threads, likelihoods
from .options import (
    Options,
    check_any_spacing,
    takes,
)

Structure = Literal["skeleton", "patches"]
Of = Literal["prediction", "truth", "both"]

__all__ = ["MorseLoss", "morse_loss"]


@dataclass(frozen=True, kw_only=True)
class MorseOptions(Options):
    """The checked options of `MorseLoss`, which explains them."""

    structure: Structure = "skeleton"
    of: Of = "prediction"
    min_persistence: float = 0.1
    saddle_level: float = 0.0
    dilation: int = 0
    pixel_loss: PixelLoss = "cross_entropy"
    connectivity: int | None = None
    spacing: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.structure, ("skeleton", "patches"), "structure")
        check_choice(self.of, ("prediction", "truth", "both"), "of")
        self._check(check_fraction, "min_persistence", "saddle_level")
        self._check(check_integer, "dilation")
        check_choice(self.pixel_loss, PIXEL_LOSSES, "pixel_loss")
        check_connectivity(self.connectivity, 2)  # only an image can refuse 2, in 3D
        self._check(check_any_spacing, "spacing")


class MorseLoss(LossOnHost):
    """The Morse loss: a pixel loss on the ridges of the likelihood, and nowhere else [1]_.

    Seen as a landscape, a likelihood image has ridges where the network suspects thin structures,
    also where it is not sure of them: the pass in a ridge is the weak spot of a connection. The
    discrete Morse complex finds these *critical structures* M: see
    `toposeg_lite.topology.morse_complex`. The loss of an image is the mean cross-entropy on them,
    or their Dice loss, by the formulas of `HomotopyWarpingLoss`. It raises the weak spots of true
    structures and lowers false ones along their whole length. All other pixels are left to the
    loss it is added to, so use it beside a pixel loss.

    Parameters
    ----------
    structure : {"skeleton", "patches"}
        "skeleton": the ridges from pass to peak, for curvilinear structures such as vessels, cracks
        and roads (default). "patches": the borders of the basins of the pits, for membranes and
        other walls between cells; in 3D they are surfaces.
    of : {"prediction", "truth", "both"}
        Whose structures: the likelihood's (default, the paper's), the truth's, or both together,
        which also sees true structures that the likelihood shows no ridge of. See Notes.
    min_persistence : float
        Structures of the prediction whose persistence is not above it are taken for noise.
        Default 0.1.
    saddle_level : float
        Structures of the prediction are cut where the likelihood is lower. Default 0: nothing is
        cut, so that breaks are part of the structures that should close them.
    dilation : int
        By how many pixels to widen the structures, diagonally too. Default 0.
    pixel_loss : {"cross_entropy", "dice"}
        What to add up on the structures. Default: the cross-entropy, as in the paper.
    connectivity : int, optional
        Of the foreground. In 2D: 1 for 4 neighbours or 2 for 8 (default); in 3D: 1 for 6 (default).
    spacing : sequence of float, optional
        Of the pixels along each axis (z, y, x), in any unit: see `toposeg_lite.topology`. For the
        truth's patches, and in 3D its skeleton; in 2D that measures nothing, and refuses it.
        Default: all axes are alike.

    Notes
    -----
    *The structures of the truth.* A mask is flat, so the complex of the mask itself would follow
    the order of the indices, not its middle. That of the distance to the background has ridges, but
    a line of even width is one flat ridge with a single peak, whose skeleton is one pixel: arms
    would be lost. So the truth's skeleton is its thinning, which keeps components, loops and, but
    for some slanting bars in 2D, arms (see `toposeg_lite.metrics.cldice`). Its patches are those of
    the distance to the background, where nothing is lost: the pits are exactly the components of
    the background, and the borders of their basins the middle of the walls. Neither threshold is of
    use there, for all features of a mask have the persistence 1.

    *Borders.* Of two neighbouring pixels in different patches the higher is the border, or both
    where they are equal.

    The structures change in jumps: the gradient is that of the pixel loss with M held fixed. Each
    foreground class has its own, and p is its likelihood against the rest. The highest peak always
    belongs to the skeleton if it is not below `saddle_level`, so that false positives in an empty
    truth are punished. Where M is empty, value and gradient are 0.

    References
    ----------
    .. [1] X. Hu, Y. Wang, L. Fuxin, D. Samaras, C. Chen, "Topology-aware segmentation using
           discrete Morse theory", ICLR 2021. arXiv:2103.09992

    Examples
    --------
    A line with a weak spot. Its skeleton leads over the pass, so a step against the gradient raises
    the weak spot most; the sides are left alone.

    >>> import torch
    >>> likelihood = torch.tensor([[0.1, 0.1, 0.1, 0.1, 0.1],
    ...                            [0.9, 0.8, 0.3, 0.8, 0.9],
    ...                            [0.1, 0.1, 0.1, 0.1, 0.1]])
    >>> logits = likelihood[None, None].logit().requires_grad_()
    >>> target = torch.tensor([[[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]])
    >>> MorseLoss()(logits, target).backward()
    >>> logits.grad.mul(5).round(decimals=1)
    tensor([[[[ 0.0000,  0.0000,  0.0000,  0.0000,  0.0000],
              [-0.1000, -0.2000, -0.7000, -0.2000, -0.1000],
              [ 0.0000,  0.0000,  0.0000,  0.0000,  0.0000]]]])
    """

    options: MorseOptions

    @takes(MorseOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(MorseOptions(**options))

    def _find(self, host: OnHost) -> tuple[np.ndarray, np.ndarray]:
        """Return the (B,) values of the images and their gradients by the logits."""
        return loss_on_chosen(host, _structures(host, self.options), self.options.pixel_loss)


@takes(MorseOptions)
def morse_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return the pixel loss on the critical structures of the likelihood: see `MorseLoss`.

    Examples
    --------
    The skeleton of a row with two peaks is the way between them, over a pass of 0.2.

    >>> import torch
    >>> logits = torch.tensor([[[[0.1, 0.8, 0.2, 0.7, 0.1]]]]).logit()
    >>> target = torch.ones(1, 1, 5, dtype=torch.int64)
    >>> morse_loss(logits, target)  # -(ln 0.8 + ln 0.2 + ln 0.7) / 3
    tensor(0.7298)
    """
    return MorseLoss(**options)(logits, target)


def _structures(host: OnHost, options: MorseOptions) -> np.ndarray:
    """Return the pixels of the structures of each foreground class, (B, K, *spatial)."""
    if host.scores.ndim == 5 and options.connectivity == 2:
        raise ValueError(
            "connectivity must be 1 (6 neighbours, the default) for structures of volumes; got 2"
        )
    spacing = check_spacing(options.spacing, host.scores.ndim - 2)
    images, masks = likelihoods(host.scores), host.masks
    if host.ignored is not None:
        images, masks = (fill_batch(each, host.ignored)[0] for each in (images, masks))
    places = list(product(range(len(images)), host.classes))

    def find(place: tuple[int, int]) -> np.ndarray:
        image, mask = images[place], masks[place]
        chosen = np.zeros(mask.shape, np.bool_)
        if options.of != "truth":
            chosen |= _of_prediction(image, options)
        if options.of != "prediction":
            chosen |= _of_truth(mask, options, spacing)
        chosen = _dilate(chosen, options.dilation)
        return chosen if host.ignored is None else chosen & ~host.ignored[place[0]]

    structures = np.stack(in_threads(find, places))
    return structures.reshape(len(images), len(host.classes), *images.shape[2:])


def _of_prediction(image: np.ndarray, options: MorseOptions) -> np.ndarray:
    """Return the structures of a likelihood image."""
    complex_ = morse_complex(image, connectivity=options.connectivity)
    if options.structure == "skeleton":
        return complex_.skeleton(options.min_persistence, options.saddle_level).mask
    ridges = _borders(image, complex_.patches(options.min_persistence))
    return ridges & (image >= options.saddle_level)


def _of_truth(
    mask: np.ndarray, options: MorseOptions, spacing: tuple[float, ...] | None
) -> np.ndarray:
    """Return the structures of a mask: thin lines or walls inside its foreground."""
    if options.structure == "skeleton":
        return thin_mask(mask, spacing)
    if mask.all():
        return np.zeros_like(mask)  # nothing to divide, and no background to measure from
    # How deep inside: the only pits are the components of the background, and the basins meet
    # half-way between them.
    depth = distance_transform_edt(mask, sampling=spacing).astype(np.float32)
    depth /= max(depth.max(), 1)
    return _borders(depth, morse_complex(depth, connectivity=options.connectivity).patches())


def _borders(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each two neighbours along an axis with different labels, mark the higher, or equal ones.

    Examples
    --------
    >>> _borders(np.array([0.1, 0.9, 0.2, 0.2, 0.3]), np.array([1, 1, 2, 3, 3]))
    array([False,  True,  True,  True, False])
    """
    borders = np.zeros(image.shape, np.bool_)
    for axis in range(image.ndim):
        values, names, marked = (a.swapaxes(0, axis) for a in (image, labels, borders))
        apart = names[:-1] != names[1:]
        marked[:-1] |= apart & (values[:-1] >= values[1:])
        marked[1:] |= apart & (values[1:] >= values[:-1])
    return borders


def _dilate(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Add all pixels at most so many steps away, diagonal ones included.

    Examples
    --------
    >>> _dilate(np.eye(1, 6, 1, dtype=bool), 2).astype(int)
    array([[1, 1, 1, 1, 0, 0]])
    """
    mask = mask.copy()
    for axis in range(mask.ndim):  # one axis after the other: diagonal neighbours too
        line = mask.swapaxes(0, axis)
        for _ in range(min(pixels, len(line))):
            line[1:] |= line[:-1]  # NumPy reads before it writes
            line[:-1] |= line[1:]
    return mask
