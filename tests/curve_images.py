"""Small images of two curves under noise: what studies of branches and of their heads train on."""

from __future__ import annotations

import numpy as np

from toposeg_lite.data import Dataset, Sample


def draw_curves(seed, shape=(40, 56)):
    """Return the mask of two curves, and the generator that noise is drawn from next."""
    rng = np.random.default_rng(seed)
    down, across = np.indices(shape)
    wave = np.sin(across / 5 + rng.uniform(0, 6)) * 4
    return (abs(down - 12 - wave) < 2) | (abs(down - 30 - wave) < 2), rng


def bright_curves(seed, shape=(40, 56)):
    """Return a grey image of bright curves, and their mask."""
    mask, rng = draw_curves(seed, shape)
    image = 0.2 + 0.5 * mask + 0.15 * rng.standard_normal(shape)
    return Sample(f"s{seed}", image.clip(0, 1)[None].astype(np.float32), mask)


def curve_data(sample=bright_curves, test=(3,)):
    """Return a data set of two training images, one for validation, and those for testing."""
    splits = [(sample(0), sample(1)), (sample(2),), tuple(map(sample, test))]
    return Dataset("small", *splits, "foreground", "exact", 20, "none")
