"""The inputs of the benchmarks: seeded, and made by nobody's code but NumPy's and SciPy's."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def logits_and_mask(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return what a network that is fairly sure of a net of curves would say, and the truth.

    The truth is a band around the zero line of a smooth random field: curves that close into loops,
    touch, and end at the border. The logits fall off from its middle. They carry correlated noise,
    as the output of a network does, which breaks and bridges the curves here and there, and a
    little white noise, which adds the small maxima and minima of real likelihoods.
    """
    rng = np.random.default_rng([seed, size])
    field = gaussian_filter(rng.standard_normal((size, size)), 8, mode="wrap")
    logits = 6 * np.exp(-((field / (0.35 * field.std())) ** 2)) - 3
    mask = logits > 0
    coarse = gaussian_filter(rng.standard_normal((size, size)), 1.5, mode="wrap")
    logits += 0.7 * coarse / coarse.std() + 0.07 * rng.standard_normal((size, size))
    return logits, mask


def likelihood(size: int, seed: int = 0) -> np.ndarray:
    """Return the sigmoid of `logits_and_mask`, (size, size) of float64."""
    return 1 / (1 + np.exp(-logits_and_mask(size, seed)[0]))


def noise(size: int, seed: int = 0) -> np.ndarray:
    """Return independent uniform values: a third of all pixels are critical, the worst case."""
    return np.random.default_rng([seed, size]).random((size, size))


def loss_batch(count: int = 4, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and truth of a batch, (count, 1, size, size) of float32, the truth 0 and 1."""
    return _batch([logits_and_mask(size, seed) for seed in range(count)])


def volume_batch(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch as `loss_batch` does, of cubes: (count, 1, size, size, size)."""
    return _batch([volume_logits_and_mask(size, seed) for seed in range(count)])


def _batch(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Stack logits and masks, with one channel, as float32."""
    logits, masks = (np.stack(arrays)[:, None] for arrays in zip(*pairs, strict=True))
    return logits.astype(np.float32), masks.astype(np.float32)


def mask_pair(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a prediction (the likelihood cut at one half) and its truth, of bool."""
    logits, truth = logits_and_mask(size)
    return logits > 0, truth


def volume_logits_and_mask(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return what `logits_and_mask` does, for curved walls in a cube of the given side."""
    rng = np.random.default_rng([seed, size, 3])
    shape = (size, size, size)
    field = gaussian_filter(rng.standard_normal(shape), 4, mode="wrap")
    logits = 6 * np.exp(-((field / (0.35 * field.std())) ** 2)) - 3
    mask = logits > 0
    coarse = gaussian_filter(rng.standard_normal(shape), 1.5, mode="wrap")
    logits += 0.7 * coarse / coarse.std() + 0.07 * rng.standard_normal(shape)
    return logits, mask


def volume(size: int, seed: int = 0) -> np.ndarray:
    """Return a likelihood as `likelihood` does, of curved walls in a cube of the given side."""
    return 1 / (1 + np.exp(-volume_logits_and_mask(size, seed)[0]))


def volume_noise(size: int, seed: int = 0) -> np.ndarray:
    """Return independent uniform values in a cube of the given side."""
    return np.random.default_rng([seed, size, 3]).random((size, size, size))


def volume_pair(size: int, seed: int = 0, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return smooth logits with noise, and the truth: blobs and worms, a share of all voxels."""
    rng = np.random.default_rng([seed, size, 5])
    shape = (size, size, size)
    field = gaussian_filter(rng.standard_normal(shape), 3, mode="wrap")
    field /= field.std()
    edge = np.quantile(field, 1 - share)
    logits = np.clip(6 * (field - edge), -6, 6)
    coarse = gaussian_filter(rng.standard_normal(shape), 1.5, mode="wrap")
    logits += 0.7 * coarse / coarse.std() + 0.07 * rng.standard_normal(shape)
    return logits, field > edge


def tubes(size: int, seed: int = 0, share: float = 0.013) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of thin tubes and their truth; all but a share lies below -7, as it does for a
    trained network: a likelihood of less than 0.001.
    """
    rng = np.random.default_rng([seed, size, 7])
    shape = (size, size, size)
    one, two = (gaussian_filter(rng.standard_normal(shape), 8, mode="wrap") for _ in range(2))
    away = np.hypot(one / one.std(), two / two.std())
    edge = np.quantile(away, 0.7 * share)
    logits = np.maximum(5 * (1 - (away / edge) ** 2), -30)
    coarse = gaussian_filter(rng.standard_normal(shape), 1.5, mode="wrap")
    logits += 0.7 * coarse / coarse.std() + 0.07 * rng.standard_normal(shape)
    cut = np.quantile(logits, 1 - share)
    return np.where(logits > cut, logits, np.minimum(logits, cut) - max(cut + 7.1, 0)), away < edge


IMAGES = {"likelihood": likelihood, "noise": noise}
VOLUMES = {"likelihood": volume, "noise": volume_noise}
# Logits of a volume and their truth, by what is above a floor.
PAIRS = {"5 % foreground": volume_pair, "1.3 % above the floor": tubes}
