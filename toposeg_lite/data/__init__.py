"""Data sets to train on and to measure with, behind one door: `load_dataset`.

Photographs come with the library, synthetic images are drawn from a seed; neither needs a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Literal

import numpy as np

from toposeg_lite.data import photos, synthetic
from toposeg_lite.topology.grid import check_choice, check_integer

__all__ = ["Dataset", "Sample", "list_datasets", "load_dataset"]


@dataclass(frozen=True)
class Sample:
    """One image and its reference mask.

    Attributes
    ----------
    name : str
        Says where the image comes from; unique within its data set.
    image : (channels, H, W) or (channels, D, H, W) array of float32
        Values in [0, 1].
    mask : (H, W) or (D, H, W) array of bool
        True on the structure.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Three splits of images that share no pixel, and what one must know to score them.

    Attributes
    ----------
    name : str
        The name that `load_dataset` knows it by.
    train, validation, test : tuple of Sample
        The splits. Shapes may differ between samples.
    labels : "foreground" or "background"
        What adjusted Rand index and variation of information label: the components of the
        structure, or the regions between it (membranes, mortar).
    reference : "silver", "expert" or "exact"
        Who made the masks: this project with filters and corrections, an expert, or the
        construction itself.
    patch : int
        Side of the patches over which the Betti error is averaged.
    terms : str
        The licence, and what to cite.
    """

    name: str
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    labels: Literal["foreground", "background"]
    reference: Literal["silver", "expert", "exact"]
    patch: int
    terms: str

    @property
    def channels(self) -> int:
        """Number of channels of every image."""
        return int(self.train[0].image.shape[0])

    @property
    def ndim(self) -> int:
        """Number of spatial axes: 2 or 3."""
        return int(self.train[0].mask.ndim)


def _cut(photo: photos.Photo, regions: photos.Regions, split: str) -> tuple[Sample, ...]:
    """Cut the samples of one split out of a photograph."""
    return tuple(
        Sample(
            f"{split}-{number}",
            np.ascontiguousarray(photo.image[:, rows, columns]),
            np.ascontiguousarray(photo.mask[rows, columns]),
        )
        for number, (rows, columns) in enumerate(regions[split])
    )


def _photo(
    name: str, labels: Literal["foreground", "background"], terms: str
) -> Callable[[str | PathLike[str] | None, int], Dataset]:
    """Make the loader of a photograph: its three splits are regions of the one image."""

    def load(root: str | PathLike[str] | None, seed: int) -> Dataset:
        photo, regions = {
            "retina": (photos.retina, photos.RETINA_REGIONS),
            "brick": (photos.brick, photos.BRICK_REGIONS),
        }[name]
        whole = photo()
        return Dataset(
            name,
            _cut(whole, regions, "train"),
            _cut(whole, regions, "validation"),
            _cut(whole, regions, "test"),
            labels=labels,
            reference="silver",
            patch=64,
            terms=terms,
        )

    return load


# How many images the train, validation and test splits of a synthetic data set hold.
_DRAWN = (16, 6, 10)


def _synthetic(
    name: str, labels: Literal["foreground", "background"]
) -> Callable[[str | PathLike[str] | None, int], Dataset]:
    """Make the loader of a synthetic data set: every image has its own stream of numbers."""

    def load(root: str | PathLike[str] | None, seed: int) -> Dataset:
        generator = getattr(synthetic, name)
        streams = np.random.SeedSequence(seed).spawn(sum(_DRAWN))
        samples = []
        for number, stream in enumerate(streams):
            drawing = generator(seed=np.random.default_rng(stream))
            samples.append(Sample(f"drawing-{number}", drawing.image, drawing.mask))
        train, validation = _DRAWN[0], _DRAWN[0] + _DRAWN[1]
        return Dataset(
            name,
            tuple(samples[:train]),
            tuple(samples[train:validation]),
            tuple(samples[validation:]),
            labels=labels,
            reference="exact",
            patch=32 if samples[0].mask.ndim == 3 else 64,
            terms="MIT, like this library, which drew the images",
        )

    return load


# A new data set is one function and one line here.
_LOADERS: dict[str, Callable[[str | PathLike[str] | None, int], Dataset]] = {
    "retina": _photo(
        "retina",
        "foreground",
        "CC0 1.0; photograph by Mikael Häggström, doi:10.15347/wjm/2014.008",
    ),
    "brick": _photo("brick", "background", "CC0 1.0; photograph Bricks25 by CC0Textures"),
    "vessels": _synthetic("vessels", "foreground"),
    "membranes": _synthetic("membranes", "background"),
    "cracks": _synthetic("cracks", "foreground"),
    "roads": _synthetic("roads", "foreground"),
    "lanes": _synthetic("lanes", "foreground"),
    "tubes": _synthetic("tubes", "foreground"),
}


def list_datasets() -> list[str]:
    """Return the names that `load_dataset` knows.

    Examples
    --------
    >>> list_datasets()
    ['retina', 'brick', 'vessels', 'membranes', 'cracks', 'roads', 'lanes', 'tubes']
    """
    return list(_LOADERS)


def load_dataset(name: str, *, root: str | PathLike[str] | None = None, seed: int = 0) -> Dataset:
    """Return a data set with its train, validation and test splits.

    Parameters
    ----------
    name : str
        One of `list_datasets()`.
    root : path, optional
        The folder of downloaded data sets. The photographs and the synthetic images need none.
    seed : int
        Which synthetic images are drawn; same seed, same bits. The splits of real data are fixed.

    Returns
    -------
    Dataset
        See its attributes.

    Raises
    ------
    ValueError
        If the name is unknown (the message lists the names), or the seed negative.
    TypeError
        If `name` is no string or `seed` no integer.

    Examples
    --------
    >>> wall = load_dataset("brick")
    >>> wall.channels, wall.ndim, wall.reference, wall.train[0].mask.shape
    (1, 2, 'silver', (512, 232))
    """
    check_choice(name, list_datasets(), "name")
    return _LOADERS[name](root, check_integer(seed, "seed"))
