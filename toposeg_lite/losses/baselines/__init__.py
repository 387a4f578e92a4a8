"""Losses of others, kept to compare with: each as its paper defines it, in a file of its own.

They are losses like any of `toposeg_lite.losses`, which shows them, and hold what it promises.
"""

from .cldice import ClDiceLoss, cldice_loss
from .scnp import SCNPLoss, scnp_loss
from .skeleton_recall import SkeletonRecallLoss, skeleton_recall_loss
from .topograph import TopographLoss, topograph_loss

__all__ = [
    "ClDiceLoss",
    "SCNPLoss",
    "SkeletonRecallLoss",
    "TopographLoss",
    "cldice_loss",
    "scnp_loss",
    "skeleton_recall_loss",
    "topograph_loss",
]
