"""Losses of this library in nnU-Net, without a fork of it: one trainer for each.

nnU-Net (2.8 or later, ``pip install "toposeg-lite[nnunet]"``) finds them by an environment
variable, in training and in prediction alike::

    export nnUNet_extTrainer="$(python -m toposeg_lite.nnunet)"
    nnUNetv2_train 7 2d 0 -tr nnUNetTrainerTopological

====================================  =======================================  ======
trainer                               adds (`toposeg_lite.losses`)             weight
====================================  =======================================  ======
`nnUNetTrainerTopological`            `TopologicalLoss`, matched by place      1.5
`nnUNetTrainerWarping`                `HomotopyWarpingLoss`                    0.1
`nnUNetTrainerMorse`                  `MorseLoss` on ridges                    0.3
`nnUNetTrainerClDice`                 `ClDiceLoss` along soft skeletons        1
`nnUNetTrainerSkeletonRecall`         `SkeletonRecallLoss`                     1
`nnUNetTrainerSCNP`                   `SCNPLoss`                               1
`nnUNetTrainerTopograph`              `TopographLoss`, of images alone         0.1
`nnUNetTrainerTopologicalClDice`      1.5 `TopologicalLoss` + `ClDiceLoss`     1
====================================  =======================================  ======

The total is nnU-Net's own loss at all resolutions, as it is without them, plus the weight times the
added loss at the full resolution. Both see the same labels: classes or regions that overlap, in 2D
and 3D, with or without an ignore label. In volumes, losses that measure do so by the spacing of the
plans. The added loss begins late, after 3/4 of the epochs, for all that was measured of these
losses is what they change in a network that a pixel loss has trained, and warms up over 1/20 of
them; before, it costs nothing.

*To change that*, set environment variables: ``TOPOSEG_WEIGHT``, a number; ``TOPOSEG_START`` and
``TOPOSEG_WARM_UP``, shares of the epochs from 0 to 1; ``TOPOSEG_OPTIONS``, options of the loss in
JSON, such as ``{"matching": "betti", "window": 64}``. Or derive a trainer of your own, in a folder
that `nnUNet_extTrainer` names too (several are separated as in ``PATH``)::

    from toposeg_lite.nnunet import Addition
    from toposeg_lite.nnunet.trainers.topology_trainers import nnUNetTrainerTopological

    class nnUNetTrainerWindows(nnUNetTrainerTopological):
        addition = Addition("topological", {"window": 64}, weight=0.5)

Importing this package needs no nnU-Net; the trainers do.
"""

from __future__ import annotations

from .addition import TRAINERS, Addition, LossBeside

__all__ = ["TRAINERS", "Addition", "LossBeside"]
