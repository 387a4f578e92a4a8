"""nnU-Net's trainer with a loss of this library beside its own: see `toposeg_lite.nnunet`.

nnU-Net imports this file by its bare name, so all imports are absolute, and the name is one that no
other package has.
"""

from __future__ import annotations

import os
from typing import ClassVar

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from toposeg_lite.nnunet.addition import Addition, LossBeside


class _WithAddition(nnUNetTrainer):
    """What the trainers have in common; each says what it adds."""

    addition: ClassVar[Addition]

    def _build_loss(self) -> LossBeside:
        """Return nnU-Net's loss with the added one beside it."""
        self.added = self.addition.changed(os.environ)
        labels, spacing = self.label_manager, self.configuration_manager.spacing
        added = self.added.make(
            regions=labels.has_regions,
            ignore_label=labels.ignore_label,
            spacing=tuple(spacing) if len(spacing) == 3 else None,
        )
        marks = labels.has_regions and labels.has_ignore_label
        return LossBeside(super()._build_loss(), added, ignored_channel=marks)

    def on_train_start(self) -> None:
        """Start; then give the kernels a thread an image and class, for on a GPU there is one.

        The processes that load data are at work by now, and keep the one thread that each has.
        """
        super().on_train_start()
        if self.device.type == "cuda":
            images = self.batch_size * self.label_manager.num_segmentation_heads
            torch.set_num_threads(max(1, min(images, os.cpu_count() or 1)))

    def on_train_epoch_start(self) -> None:
        """Set the factor of the added loss for this epoch, and tell it where it changes."""
        super().on_train_epoch_start()
        before = self.loss.factor
        self.loss.factor = self.added.factor(self.current_epoch, self.num_epochs)
        if self.loss.factor != before:
            self.print_to_log_file(f"Added loss ({self.added.loss}): times {self.loss.factor:.4g}")


class nnUNetTrainerTopological(_WithAddition):
    """Adds the topological loss: components, holes and cavities, matched by their place."""

    addition = Addition("topological", weight=1.5)


class nnUNetTrainerWarping(_WithAddition):
    """Adds the homotopy warping loss: a pixel loss where the topology is wrong."""

    addition = Addition("warping", weight=0.1)


class nnUNetTrainerMorse(_WithAddition):
    """Adds the Morse loss: a pixel loss on the ridges of the likelihood."""

    addition = Addition("morse", weight=0.3)


class nnUNetTrainerClDice(_WithAddition):
    """Adds clDice along soft skeletons."""

    addition = Addition("cldice")


class nnUNetTrainerSkeletonRecall(_WithAddition):
    """Adds the recall of a tube around the truth's skeleton."""

    addition = Addition("skeleton_recall")


class nnUNetTrainerSCNP(_WithAddition):
    """Adds the pixel loss of each pixel's worst neighbour."""

    addition = Addition("scnp")


class nnUNetTrainerTopograph(_WithAddition):
    """Adds the likelihood of the regions that make the topology wrong; of images alone, so `2d`."""

    addition = Addition("topograph", weight=0.1)


class nnUNetTrainerTopologicalClDice(_WithAddition):
    """Adds the topological loss and clDice, each with the weight that its own trainer has."""

    addition = Addition(
        "sum", {"parts": {"topological": {}, "cldice": {}}, "weights": {"topological": 1.5}}
    )
