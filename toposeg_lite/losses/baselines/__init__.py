"""Losses of others, kept to compare with: each as its paper defines it, in a file of its own.

They are losses like any of `toposeg_lite.losses`, which shows them, and hold what it promises.
"""

from .scnp import SCNPLoss, scnp_loss
from .skeleton_recall import SkeletonRecallLoss, skeleton_recall_loss

__all__ = ["SCNPLoss", "SkeletonRecallLoss", "scnp_loss", "skeleton_recall_loss"]
