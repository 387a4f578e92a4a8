"""Seeded batches for the tests of the losses."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage


def random_batch(seed=0, shape=(2, 1, 9, 13), dtype=torch.float32, scale=2.0):
    """Smooth random logits without ties, and labels of smooth shapes."""
    rng = np.random.default_rng(seed)
    sigma = (0, 0) + (0.8,) * (len(shape) - 2)
    logits = ndimage.gaussian_filter(rng.normal(size=shape), sigma) * 3 * scale
    classes = np.arange(max(shape[1], 2)).reshape(1, -1, *[1] * (len(shape) - 2))
    smooth = ndimage.gaussian_filter(rng.normal(size=(shape[0], classes.size, *shape[2:])), sigma)
    return torch.tensor(logits, dtype=dtype), torch.tensor(smooth.argmax(1))


def likelihoods(logits, target):
    """The images and masks that a loss compares, (B, K, *spatial) each."""
    logits, labels = logits.double().numpy(), target.numpy()
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits)), (labels == 1)[:, None]
    powers = np.exp(logits)
    images = (powers / powers.sum(1, keepdims=True))[:, 1:]
    return images, np.stack([labels == k for k in range(1, logits.shape[1])], axis=1)


def name_of(value):
    return value.__name__ if callable(value) else str(value)
