"""The losses train networks that are not ours: MONAI's, and those in a Lightning module."""

from __future__ import annotations

import pytest
import torch
from loss_batches import name_of
from scipy import ndimage
from torch.utils.data import DataLoader, TensorDataset

from toposeg_lite.losses import (
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SumLoss,
    TopologicalLoss,
)

monai_nets = pytest.importorskip("monai.networks.nets")
lightning = pytest.importorskip("pytorch_lightning")

LOSSES = [TopologicalLoss, HomotopyWarpingLoss, MorseLoss]
STEPS = 8


def batch(ndim, side):
    """Two noisy images of tubes, (2, 1, *spatial), and their masks."""
    shape = (2, 1) + (side,) * ndim
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    smooth = ndimage.gaussian_filter(noise.numpy(), (0, 0) + (2,) * ndim)
    target = torch.from_numpy(abs(smooth) < 0.3 * smooth.std())
    return target + 0.5 * noise, target.float()


def network(name, ndim, classes):
    """A tiny one."""
    torch.manual_seed(0)
    if name == "UNet":
        return monai_nets.UNet(
            ndim, 1, classes, channels=(4, 8), strides=(2,), norm=("group", {"num_groups": 2})
        )
    return monai_nets.SegResNet(
        ndim, init_filters=4, in_channels=1, out_channels=classes, blocks_down=(1, 1),
        blocks_up=(1,), norm=("group", {"num_groups": 2}),
    )  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(("ndim", "side"), [(2, 32), (3, 12)])
@pytest.mark.parametrize("name", ["UNet", "SegResNet"])
def test_monais_networks_learn(name, ndim, side, classes, loss):
    images, target = batch(ndim, side)
    target = target if classes == 1 else target[:, 0].long()
    model = network(name, ndim, classes)
    criterion = SumLoss({"pixels": DiceBCELoss(), "topology": loss()}, weights={"topology": 0.1})
    optimiser = torch.optim.Adam(model.parameters(), 3e-2)
    values, added = [], []
    for _ in range(STEPS):
        optimiser.zero_grad()
        value = criterion(model(images), target)
        value.backward()
        optimiser.step()
        values.append(value.item())
        added.append(criterion.values["topology"].item())
    assert values[-1] < values[0]
    assert max(added) > 0


@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
@pytest.mark.parametrize("name", ["UNet", "SegResNet"])
def test_the_added_loss_alone_reaches_every_parameter(name, loss):
    images, target = batch(2, 32)
    model = network(name, 2, 1)
    loss()(model(images), target).backward()
    for label, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), label
        assert parameter.grad.any(), label


class Segmenter(lightning.LightningModule):
    """What a Lightning user writes."""

    def __init__(self, loss):
        super().__init__()
        self.model = network("UNet", 2, 1)
        self.loss = SumLoss({"pixels": DiceBCELoss(), "topology": loss}, weights={"topology": 0.1})
        self.seen = []

    def training_step(self, pair, index):
        value = self.loss(self.model(pair[0]), pair[1])
        self.log("loss", value)
        self.seen.append(value.item())
        return value

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 3e-2)


# Lightning asks for the leaves of a tree in a way that torch has given up, and where there are many
# cores, for workers to load two images.
@pytest.mark.filterwarnings(r"ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
def test_a_lightning_module_learns(loss, precision, tmp_path):
    module = Segmenter(loss())
    data = DataLoader(TensorDataset(*batch(2, 32)), batch_size=2)
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=STEPS, precision=precision, default_root_dir=tmp_path,
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(module, data)
    assert len(module.seen) == module.loss.step == STEPS
    assert module.seen[-1] < module.seen[0]
