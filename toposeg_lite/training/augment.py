"""Random changes of what crops look like, by the transforms of the library MONAI.

Where a crop lies and which way it is turned is decided in `draw_batch`, exactly, for image and mask
together. Here values alone are changed, so a mask never has to be interpolated: no class of MONAI
is offered that moves pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from ..checks import check_choice, check_fraction

__all__ = ["TRANSFORMS", "check_augment", "make_augmentation", "try_augment"]

#: Classes of `monai.transforms` that change values at random, in 2D and 3D. One is left out:
#: RandIntensityRemap draws from a generator that no seed reaches (MONAI 1.6).
TRANSFORMS = (
    "RandAdjustContrast",
    "RandBiasField",
    "RandCoarseDropout",
    "RandCoarseShuffle",
    "RandGaussianNoise",
    "RandGaussianSharpen",
    "RandGaussianSmooth",
    "RandGibbsNoise",
    "RandHistogramShift",
    "RandKSpaceSpikeNoise",
    "RandRicianNoise",
    "RandScaleIntensity",
    "RandScaleIntensityFixedMean",
    "RandShiftIntensity",
    "RandStdShiftIntensity",
)


def make_augmentation(
    augment: Mapping[str, Mapping[str, Any]],
) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return a function that changes the values of one crop at random.

    `augment` names `TRANSFORMS`, each with the options of that class of MONAI, in the order in
    which they are applied. Every class has the option ``prob``, the probability that it changes a
    crop at all, which is 0.1 unless given. The function takes a (channels, *spatial) array of
    float32 in [0, 1] and a NumPy generator, and returns a new array of the same kind, cut off at 0
    and 1. If MONAI is needed and not installed, a ModuleNotFoundError says how to install it.

    References
    ----------
    Cardoso et al., MONAI: An open-source framework for deep learning in healthcare.
    arXiv:2211.02701, 2022.

    Examples
    --------
    >>> change = make_augmentation({"RandGaussianNoise": {"prob": 1, "std": 0.1}})
    >>> grey = np.full((1, 4, 4), 0.5, np.float32)
    >>> noisy = change(grey, np.random.default_rng(0))
    >>> noisy.dtype, bool((noisy != grey).all()), float(grey.min())
    (dtype('float32'), True, 0.5)
    """
    transforms = _make_transforms(augment)

    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed: Any = image.copy()  # some of them write into what they get
        for transform in transforms:
            transform.set_random_state(seed=int(rng.integers(2**32)))
            changed = transform(changed)
        return np.clip(torch.as_tensor(changed).numpy().astype(np.float32, copy=False), 0, 1)

    return change


def check_augment(augment: Any) -> None:
    """Raise an error unless `make_augmentation` takes it and JSON can hold it."""
    _make_transforms(augment)
    try:
        json.dumps({name: dict(options) for name, options in augment.items()})
    except TypeError as error:
        raise TypeError(f"augment must hold what JSON can: {error}") from None


def try_augment(augment: Mapping[str, Mapping[str, Any]], shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless each transform can change a crop of this shape."""
    ramp = np.linspace(0, 1, math.prod(shape), dtype=np.float32).reshape(shape)
    for name, options in augment.items():
        try:
            make_augmentation({name: {**options, "prob": 1}})(ramp, np.random.default_rng(0))
        except (TypeError, ValueError, IndexError, RuntimeError) as error:
            raise ValueError(
                f"augment[{name!r}] does not fit crops of shape {shape}: {error}"
            ) from error


def _make_transforms(augment: Any) -> list[Any]:
    """Return the transforms of MONAI that are named, made with their options."""
    if not isinstance(augment, Mapping):
        raise TypeError(f"augment must map names of transforms to their options; got {augment!r}")
    for name, options in augment.items():
        check_choice(name, TRANSFORMS, "each name in augment")
        if not isinstance(options, Mapping):
            raise TypeError(f"augment[{name!r}] must map options to values; got {options!r}")
        check_fraction(options.get("prob", 0.1), f"augment[{name!r}]['prob']")
    if not augment:
        return []
    try:
        from monai import transforms  # only here: importing it takes seconds
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "augment names transforms of MONAI, and that is not installed. "
            "Run: pip install 'toposeg-lite[augment]'"
        ) from None
    made = []
    for name, options in augment.items():
        try:
            made.append(getattr(transforms, name)(**options))
        except (TypeError, ValueError, IndexError) as error:
            raise type(error)(f"augment[{name!r}]: {error}") from error
    return made
