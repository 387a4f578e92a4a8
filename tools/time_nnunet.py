"""What each trainer of `toposeg_lite.nnunet` adds to a step of nnU-Net, as a ratio of CPU time.

    python tools/time_nnunet.py 2 256 256
    python tools/time_nnunet.py 1 64 64 64

The numbers are the batch and the sides of a patch. Network and loss are nnU-Net's: its plain U-Net
with deep supervision, Dice and cross-entropy at all resolutions. Only the data are drawn: bent
tubes under noise. The network is first trained by nnU-Net's loss, so that its likelihoods are not
noise; then all trainers make a step in turn, round after round, each from the same weights. Needs
the extra `nnunet`, and the folder of the trainers' module is imported as a package.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from torch import nn

from toposeg_lite.nnunet import LossBeside
from toposeg_lite.nnunet.trainers import topology_trainers

TRAINED, ROUNDS, STAGES = 60, 5, 4
FEATURES = (32, 64, 128, 256)


def make_network(ndim: int) -> nn.Module:
    """Return nnU-Net's plain U-Net for images or volumes of one channel, with two classes."""
    kinds = {2: (nn.Conv2d, nn.InstanceNorm2d), 3: (nn.Conv3d, nn.InstanceNorm3d)}
    convolution, norm = kinds[ndim]
    return PlainConvUNet(
        1, STAGES, FEATURES, convolution, 3, (1, 2, 2, 2), (2,) * STAGES, 2, (2,) * (STAGES - 1),
        conv_bias=True, norm_op=norm, norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU, nonlin_kwargs={"inplace": True}, deep_supervision=True,
    )  # fmt: skip


def make_own_loss() -> nn.Module:
    """Return nnU-Net's loss, with the weights that it gives the three resolutions."""
    dice = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
    loss = DC_and_CE_loss(dice, {}, dice_class=MemoryEfficientSoftDiceLoss)
    return DeepSupervisionWrapper(loss, (2 / 3, 1 / 3, 0))


def draw(rng: np.random.Generator, batch: int, shape: list[int]) -> tuple[torch.Tensor, list]:
    """Return images of bent tubes under noise, and their labels at three resolutions."""
    *depth, row, column = np.indices(shape)
    labels = np.zeros((batch, 1, *shape), np.int16)
    for mask in labels[:, 0]:
        for _ in range(3):
            bend = rng.uniform(0, shape[-2]) + 8 * np.sin(column / 9 + rng.uniform(0, 6))
            away = (row - bend) ** 2 + sum((d - rng.uniform(0, shape[0])) ** 2 for d in depth)
            mask[away < 9] = 1
    target = torch.from_numpy(labels)
    image = torch.from_numpy((labels + rng.normal(0, 0.7, labels.shape)).astype(np.float32))
    steps = [(slice(None), slice(None), *[slice(None, None, k)] * len(shape)) for k in (1, 2, 4)]
    return image, [target[each] for each in steps]


def main() -> None:
    """Print the CPU seconds of a step of nnU-Net, and the ratio of every trainer's to it."""
    batch, *shape = (int(word) for word in sys.argv[1:])
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network, own = make_network(len(shape)), make_own_loss()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
    trained = max(5, TRAINED // (1 if len(shape) == 2 else 4))
    losses: dict[str, nn.Module] = {"nnUNetTrainer": own}
    for name, trainer in vars(topology_trainers).items():
        images_alone = name == "nnUNetTrainerTopograph" and len(shape) == 3
        if name.startswith("nnUNetTrainer") and hasattr(trainer, "addition") and not images_alone:
            losses[name] = LossBeside(own, trainer.addition.make(regions=False))
            losses[name].factor = trainer.addition.weight

    def step(loss: nn.Module, image: torch.Tensor, target: list, learns: bool) -> float:
        before = time.process_time()
        optimizer.zero_grad()
        loss(network(image), target).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        if learns:
            optimizer.step()
        return time.process_time() - before

    for _ in range(trained):
        step(own, *draw(rng, batch, shape), True)
    for loss in losses.values():  # compiles kernels
        step(loss, *draw(rng, batch, shape), False)
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(ROUNDS):
        drawn = draw(rng, batch, shape)
        for name, loss in losses.items():
            seconds[name].append(step(loss, *drawn, False))
    reference = np.array(seconds["nnUNetTrainer"])
    print(f"a step of nnU-Net, batch {batch} of {shape}: {np.median(reference):.2f} s of CPU time")
    for name, took in seconds.items():
        more = np.array(took) - reference
        print(f"{name:32} x {np.median(took / reference):.2f}  {1000 * np.median(more):+.0f} ms")


if __name__ == "__main__":
    main()
