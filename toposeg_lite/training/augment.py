"""Random changes of what crops look like: colours by `RandHue`, all else by the library MONAI.

Where a crop lies and which way it is turned is decided in `draw_batch`, exactly, for image and mask
together. Here values alone are changed, so a mask never has to be interpolated: no class of MONAI
is offered that moves pixels.

MONAI changes no colours itself (it wraps torchvision for that, which this library does not need
otherwise), so the random hue is our own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from ..checks import check_choice, check_flag, check_fraction

__all__ = ["TRANSFORMS", "RandHue", "check_augment", "make_augmentation", "try_augment"]

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


class RandHue:
    """Change the hue of a colour image at random, and if wanted make its colours stronger.

    It is made and called as MONAI's transforms are. The benchmark TopoMortar calls random hue what
    here is ``{"prob": 0.5, "single": True, "saturation": 0.5, "brightness": 0.5}`` [1]_; it also
    stretches each crop to [0, 1] before and back behind.

    Parameters
    ----------
    prob : float
        The probability that it changes a crop at all.
    shift : float
        By what part of the circle all hues are turned at most, from 0 to 0.5, which is any hue.
    single : bool
        Give all pixels one hue, any, instead of turning their own: only saturation and brightness
        then tell them apart.
    saturation, brightness : float
        What is added at most to the saturation and to the largest channel, both in [0, 1].

    References
    ----------
    .. [1] https://github.com/jmlipman/TopoMortar at a5771061, ``lib/transforms.py``, ``train.py``

    Examples
    --------
    >>> red = np.array([0.8, 0.2, 0.2]).reshape(3, 1, 1)
    >>> recolour(red, turn=1 / 3).ravel().round(3).tolist()  # a third of the circle on is green
    [0.2, 0.8, 0.2]
    """

    def __init__(
        self,
        prob: float = 0.1,
        shift: float = 0.5,
        single: bool = False,
        saturation: float = 0.0,
        brightness: float = 0.0,
    ) -> None:
        self.prob = check_fraction(prob, "prob")
        self.shift = check_fraction(shift, "shift")
        if self.shift > 0.5:
            raise ValueError(f"shift must be at most 0.5, which is any hue; got {shift}")
        self.single = check_flag(single, "single")
        if single and self.shift != 0.5:
            raise ValueError(f"shift belongs to single=False; got {shift} and single=True")
        self.saturation = check_fraction(saturation, "saturation")
        self.brightness = check_fraction(brightness, "brightness")
        self._rng = np.random.default_rng()

    def set_random_state(self, seed: int) -> None:
        """Decide what is drawn next."""
        self._rng = np.random.default_rng(seed)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return a (3, *spatial) array of values in [0, 1] with other colours, or as it is."""
        if len(image) != 3:
            raise ValueError(
                f"only images of 3 channels (red, green, blue) have a hue; these have {len(image)}"
            )
        if self._rng.random() >= self.prob:
            return image
        return recolour(
            image,
            turn=self._rng.uniform(-self.shift, self.shift),
            single=self.single,
            saturation=self._rng.uniform(0, self.saturation),
            brightness=self._rng.uniform(0, self.brightness),
        )


def recolour(
    image: np.ndarray,
    *,
    turn: float,
    single: bool = False,
    saturation: float = 0.0,
    brightness: float = 0.0,
) -> np.ndarray:
    """Return a (3, *spatial) image in [0, 1] with other colours: hues turned by part of a circle.

    `single` turns red in place of each pixel's own hue; `saturation` and `brightness` are added. In
    the model HSV [1]_, with the largest channel v, the saturation s = 1 - smallest / v and the hue
    h in sixths of the circle, a channel is v (1 - s f(k + h)), where f is 0, rises to 1, stays and
    falls again along the circle, and k is 5, 3 and 1 for red, green and blue.

    References
    ----------
    .. [1] A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.
    """
    red, green, blue = image
    value = image.max(0)
    span = value - image.min(0)
    safe = np.where(span > 0, span, 1)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe, 2 + (blue - red) / safe],
        4 + (red - green) / safe,
    )
    hue = 6 * turn + (0 if single else hue)
    strength = np.clip(span / np.where(value > 0, value, 1) + saturation, 0, 1)
    value = np.clip(value + brightness, 0, 1)
    channels = []
    for start in (5, 3, 1):
        place = (start + hue) % 6
        channels.append(value * (1 - strength * np.clip(np.minimum(place, 4 - place), 0, 1)))
    return np.stack(channels).astype(image.dtype)


def make_augmentation(
    augment: Mapping[str, Mapping[str, Any]],
) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return a function that changes the values of one crop at random.

    `augment` names `TRANSFORMS`, each with the options of that class of MONAI, or `RandHue` with
    its own, in the order in which they are applied. Every class has the option ``prob``, the
    probability that it changes a crop at all, which is 0.1 unless given. The function takes a
    (channels, *spatial) array of float32 in [0, 1] and a NumPy generator, and returns a new array
    of the same kind, cut off at 0 and 1. If MONAI is needed and not installed, a
    ModuleNotFoundError says how to install it.

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
        check_choice(name, (*TRANSFORMS, "RandHue"), "each name in augment")
        if not isinstance(options, Mapping):
            raise TypeError(f"augment[{name!r}] must map options to values; got {options!r}")
        check_fraction(options.get("prob", 0.1), f"augment[{name!r}]['prob']")
    kinds: dict[str, Any] = {"RandHue": RandHue}
    if any(name in TRANSFORMS for name in augment):
        try:
            from monai import transforms  # only here: importing it takes seconds
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "augment names transforms of MONAI, and that is not installed. "
                "Run: pip install 'toposeg-lite[augment]'"
            ) from None
        kinds |= {name: getattr(transforms, name) for name in TRANSFORMS}
    made = []
    for name, options in augment.items():
        try:
            made.append(kinds[name](**options))
        except (TypeError, ValueError, IndexError) as error:
            raise type(error)(f"augment[{name!r}]: {error}") from error
    return made
