"""The trainers under test with two epochs of two steps, derived as a user would."""

import time

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from toposeg_lite.nnunet.trainers import topology_trainers


class _Short:
    def __init__(self, plans, configuration, fold, dataset_json, device=None):
        super().__init__(plans, configuration, fold, dataset_json, device or torch.device("cpu"))
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 2, 1

    def on_train_end(self):
        self.print_to_log_file(f"Loss at the end: {self.logger.get_value('train_losses', -1)}")
        super().on_train_end()

    def train_step(self, batch):
        before = time.perf_counter()
        result = super().train_step(batch)
        factor = getattr(self.loss, "factor", 0)
        self.print_to_log_file(f"Step: {time.perf_counter() - before:.4f} s, factor {factor}")
        return result


for _name, _trainer in [("nnUNetTrainer", nnUNetTrainer), *vars(topology_trainers).items()]:
    if _name.startswith("nnUNetTrainer"):
        globals()[f"{_name}Short"] = type(f"{_name}Short", (_Short, _trainer), {})
