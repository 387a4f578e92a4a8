"""Skeleton recall (Kirchhoff 2024): how much of a tube around the truth's skeleton is found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Tensor

from ...checks import check_integer, check_number
from ...topology.ignored import fill_batch
from ..base import LossOnHost
from ..common import OnHost, foreground, in_threads
from ..options import Options, takes

__all__ = ["SkeletonRecallLoss", "skeleton_recall_loss"]


@dataclass(frozen=True, kw_only=True)
class SkeletonRecallOptions(Options):
    """The checked options of `SkeletonRecallLoss`, which explains them."""

    tube: int = 2
    smooth: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(check_integer, "tube")
        self._check(partial(check_number, positive=True), "smooth")


class SkeletonRecallLoss(LossOnHost):
    r"""How much of a tube around the skeleton of the truth the prediction misses [1]_.

    With the likelihood p of a class and its tube T, both summed over the pixels,

    .. math:: 1 - \frac{\sum p \, T + s}{\sum T + s}.

    The truth's foreground, of all classes together (of classes that overlap, of each by itself), is
    thinned to a skeleton; this is made thicker by `tube` steps to the neighbours along the axes,
    and T is what lies in the mask of the class. Nothing is differentiated but p, so it costs
    little; and nothing is thinned of the prediction, so a false positive costs nothing: use it
    beside a pixel loss. The thinning runs on the CPU, in threads of its own; it is scikit-image's
    ``skeletonize``, in 2D Zhang's, in 3D Lee's, as in the published code [2]_.

    That code returns minus the recall, which differs by a constant; the value of an image is its
    mean over the foreground classes, of a class that is not there 0.

    Parameters
    ----------
    tube : int
        How many times the skeleton is dilated. Default 2, the published one; 0 is the skeleton.
    smooth : float
        The number s > 0 of pixels that are added to both sides of the fraction. Default 1.

    References
    ----------
    .. [1] Y. Kirchhoff et al., "Skeleton recall loss for connectivity conserving and resource
           efficient segmentation of thin tubular structures", ECCV 2024. arXiv:2404.03010
    .. [2] https://github.com/MIC-DKFZ/Skeleton-Recall at 56c19155

    Examples
    --------
    >>> target = torch.tensor([[[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]])
    >>> whole = (target * 2.0 - 1)[:, None] * 50
    >>> broken = whole.clone()
    >>> broken[..., 1, 2] = -50
    >>> loss = SkeletonRecallLoss()
    >>> loss(whole, target), loss(broken, target)  # 1 - (4 + 1) / (5 + 1)
    (tensor(0.), tensor(0.1667))
    """

    options: SkeletonRecallOptions

    @takes(SkeletonRecallOptions)
    def __init__(self, **options: Any) -> None:
        super().__init__(SkeletonRecallOptions(**options))

    def _find(self, host: OnHost) -> tuple[np.ndarray]:
        """Return the tubes of the foreground classes."""
        return (_tubes(host, self.options.tube),)

    def _values(self, logits: Tensor, tubes: np.ndarray) -> Tensor:
        """Return the (B,) values of images whose classes have these tubes."""
        likelihood, _ = foreground(logits, logits)
        tube = torch.from_numpy(tubes).to(likelihood)
        found, wanted = ((part * tube).flatten(2).sum(2) for part in (likelihood, tube))
        recall = (found + self.options.smooth) / (wanted + self.options.smooth)
        return 1 - recall.mean(1)


@takes(SkeletonRecallOptions)
def skeleton_recall_loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Return how much of the truth's skeletons is missed: see `SkeletonRecallLoss`.

    Examples
    --------
    >>> logits = torch.tensor([[[[50.0, -50.0, -50.0]]]])
    >>> skeleton_recall_loss(logits, torch.tensor([[[1, 1, 1]]]))  # 1 - (1 + 1) / (3 + 1)
    tensor(0.5000)
    """
    return SkeletonRecallLoss(**options)(logits, target)


def _tubes(host: OnHost, radius: int) -> np.ndarray:
    """Return the tubes of the K foreground classes, (B, K, *spatial) of bool."""
    masks = host.masks[:, host.classes]
    whole = masks.max(1)
    if host.ignored is not None:
        whole = fill_batch(whole[:, None], host.ignored)[0][:, 0]

    def tube_of(mask: np.ndarray) -> np.ndarray:
        skeleton = skeletonize(mask.copy()).astype(bool)  # it asks for an array it may write to
        return ndimage.binary_dilation(skeleton, iterations=radius) if radius else skeleton

    tubes = np.stack(in_threads(tube_of, list(whole)))
    return masks & tubes[:, None]  # ignored pixels are in no mask
