"""Small images to train on, and when two networks count as the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toposeg_lite.data import Dataset, Sample
from toposeg_lite.training import TrainConfig

TINY = TrainConfig(
    dataset="brick", steps=6, patch=16, batch=2, width=2, depth=2, weight=0.5, checkpoint_every=2
)


def rings(count: int, seed: int, shape: tuple[int, int] = (24, 36)) -> tuple[Sample, ...]:
    """Noisy rings: one component and one hole each."""
    rng = np.random.default_rng(seed)
    row, column = np.indices(shape)
    samples = []
    for number in range(count):
        distance = np.hypot(row - rng.uniform(9, 14), column - rng.uniform(10, 25))
        mask = np.abs(distance - rng.uniform(5, 8)) < 1.5
        image = np.clip(0.3 + 0.4 * mask + rng.normal(0, 0.1, shape), 0, 1).astype(np.float32)
        samples.append(Sample(f"ring-{number}", image[None], mask))
    return tuple(samples)


VALIDATION = tuple(replace(sample, name=f"other-{sample.name}") for sample in rings(2, seed=1))
DATA = Dataset(
    "rings", rings(3, 0), VALIDATION, rings(3, 2), labels="foreground", reference="exact",
    patch=12, terms="none",
)  # fmt: skip


def numbers(checkpoint) -> dict[str, np.ndarray]:
    """Everything in a checkpoint that must not depend on interruptions: all but the seconds."""
    found = {f"w.{k}": v.numpy() for k, v in checkpoint.weights.items()}
    found |= {f"o.{k}": v.numpy() for k, v in checkpoint.optimizer.items()}
    for column in ("loss", "dice_bce", "added"):
        found[column] = checkpoint.history[column].to_numpy()
    return found


def assert_same(first, second) -> None:
    a, b = numbers(first), numbers(second)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert first.step == second.step
