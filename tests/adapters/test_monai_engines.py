"""MONAI's own trainer, evaluator and sliding windows take the losses and metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from toposeg_lite import metrics
from toposeg_lite.losses import SumLoss

pytest.importorskip("ignite")
pytest.importorskip("monai.engines")
adapted = pytest.importorskip("toposeg_lite.monai")

pytestmark = pytest.mark.filterwarnings("ignore")  # MONAI's and ignite's own


def samples(count, shape, seed):
    """Noisy images of thin structures and their labels, as MONAI's transforms make them."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        smooth = ndimage.gaussian_filter(rng.standard_normal(shape), 2)
        mask = abs(smooth) < 0.3 * smooth.std()
        image = mask + 0.3 * rng.standard_normal(shape)
        found.append(
            {
                "image": torch.from_numpy(image[None].astype(np.float32)),
                "label": torch.from_numpy(mask[None].astype(np.float32)),
            }
        )
    return found


def network(ndim, classes):
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    return UNet(ndim, 1, classes, (4, 8), (2,), norm=("group", {"num_groups": 2}))


@pytest.mark.parametrize(("ndim", "side"), [(2, 32), (3, 12)], ids=["2D", "3D"])
@pytest.mark.parametrize("classes", [1, 2])
def test_a_training_with_validation_in_sliding_windows(ndim, side, classes):
    from monai.data import DataLoader, Dataset
    from monai.engines import SupervisedEvaluator, SupervisedTrainer
    from monai.handlers import IgniteMetricHandler, ValidationHandler, from_engine
    from monai.inferers import SlidingWindowInferer
    from monai.transforms import AsDiscreted, Compose
    from monai.utils import set_determinism

    set_determinism(0)
    try:
        model = network(ndim, classes)
        options = {"sigmoid": True}
        if classes > 1:
            options = {"softmax": True, "to_onehot_y": True, "include_background": False}
        loss = SumLoss(
            {
                "pixels": adapted.DiceBCELoss(**options),
                "topology": adapted.TopologicalLoss(**options, window=16),
            },
            weights={"topology": 0.1},
        )
        held_out = samples(2, (side + 8,) * ndim, seed=1)
        inferer = SlidingWindowInferer(roi_size=(side,) * ndim, sw_batch_size=2, overlap=0.25)
        discrete = (
            AsDiscreted("pred", threshold=0)
            if classes == 1
            else Compose(
                [AsDiscreted("pred", argmax=True, to_onehot=2), AsDiscreted("label", to_onehot=2)]
            )
        )
        metric = adapted.BettiMatchingErrorMetric(include_background=classes == 1, dimension=0)
        evaluator = SupervisedEvaluator(
            "cpu", DataLoader(Dataset(held_out), batch_size=1), network=model, inferer=inferer,
            postprocessing=discrete,
            key_val_metric={"betti_matching_error": IgniteMetricHandler(
                metric_fn=metric, output_transform=from_engine(["pred", "label"]))},
        )  # fmt: skip
        values = []
        trainer = SupervisedTrainer(
            "cpu", 4, DataLoader(Dataset(samples(4, (side,) * ndim, seed=0)), batch_size=2),
            network=model, optimizer=torch.optim.Adam(model.parameters(), 2e-2),
            loss_function=loss, train_handlers=[ValidationHandler(interval=2, validator=evaluator)],
        )  # fmt: skip
        from ignite.engine import Events

        trainer.add_event_handler(
            Events.ITERATION_COMPLETED, lambda engine: values.append(engine.state.output[0]["loss"])
        )
        trainer.run()
    finally:
        set_determinism(None)
    assert len(values) == 8
    assert values[-1] < values[0]
    assert loss.step == 8
    # What the evaluator says of the trained network is what the library says of its masks.
    model.eval()
    expected = []
    with torch.no_grad():
        for sample in held_out:
            scores = inferer(sample["image"][None], model)[0]
            mask = scores[0] > 0 if classes == 1 else scores.argmax(0) == 1
            truth = sample["label"][0] > 0.5
            expected.append(metrics.betti_matching_error(mask.numpy(), truth.numpy(), dimension=0))
    assert evaluator.state.metrics["betti_matching_error"] == pytest.approx(np.mean(expected))
