"""Data sets to train on and to measure with, behind one door: `load_dataset`.

Photographs come with the library, synthetic images are drawn from a seed; neither needs a network.
Benchmarks with masks by experts are downloaded at first use. Your own images come in through
`folder`, which makes the same kind of `Dataset`. Bad arguments raise TypeError or ValueError before
anything is read or drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

import numpy as np

from ..checks import check_choice, check_integer, check_path
from . import benchmarks, photos, synthetic
from .folders import folder
from .samples import Dataset, Sample

__all__ = ["Dataset", "Sample", "folder", "list_datasets", "load_dataset"]

Labels = Literal["foreground", "background"]

# A new data set is one function and one line: here, or in `benchmarks` and its `TERMS`.

# Each photograph: who reads it, its splits, what to label, and its terms.
_PHOTOS: dict[str, tuple[Callable[[str], photos.Photo], photos.Regions, Labels, str]] = {
    "retina": (
        photos.retina,
        photos.RETINA_REGIONS,
        "foreground",
        "CC0 1.0; photograph by Mikael Häggström, doi:10.15347/wjm/2014.008",
    ),
    "brick": (
        photos.brick,
        photos.BRICK_REGIONS,
        "background",
        "CC0 1.0; photograph Bricks25 by CC0Textures",
    ),
}

# Each generator of `synthetic`: what to label.
_DRAWINGS: dict[str, Labels] = {
    "vessels": "foreground",
    "membranes": "background",
    "cracks": "foreground",
    "roads": "foreground",
    "lanes": "foreground",
    "tubes": "foreground",
}

# How many images the train, validation and test splits of a synthetic data set hold.
_DRAWN = (16, 6, 10)


def _photo(name: str, masks: str = "silver") -> Dataset:
    """Cut the three splits out of a photograph."""
    read, regions, labels, terms = _PHOTOS[name]
    photo = read(masks)
    splits = {
        split: tuple(
            Sample(
                f"{split}-{number}",
                np.ascontiguousarray(photo.image[:, rows, columns]),
                np.ascontiguousarray(photo.mask[rows, columns]),
            )
            for number, (rows, columns) in enumerate(places)
        )
        for split, places in regions.items()
    }
    return Dataset(name, **splits, labels=labels, reference="silver", patch=64, terms=terms)


def _drawings(name: str, seed: int) -> Dataset:
    """Draw the three splits; every image has its own stream of random numbers."""
    generator = getattr(synthetic, name)
    samples = []
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(sum(_DRAWN))):
        drawing = generator(seed=np.random.default_rng(stream))
        samples.append(Sample(f"drawing-{number}", drawing.image, drawing.mask))
    train, validation = _DRAWN[0], _DRAWN[0] + _DRAWN[1]
    return Dataset(
        name,
        tuple(samples[:train]),
        tuple(samples[train:validation]),
        tuple(samples[validation:]),
        labels=_DRAWINGS[name],
        reference="exact",
        patch=32 if samples[0].mask.ndim == 3 else 64,
        terms="MIT, like this library, which drew the images",
    )


def list_datasets() -> list[str]:
    """Return the names that `load_dataset` knows: photographs, synthetic images, benchmarks.

    Examples
    --------
    >>> list_datasets()[:8]
    ['retina', 'brick', 'vessels', 'membranes', 'cracks', 'roads', 'lanes', 'tubes']
    >>> list_datasets()[8:11]
    ['topomortar', 'chase_db1', 'isbi2012_membranes']
    >>> list_datasets()[11:]
    ['crackforest', 'epfl_roads', 'vesselnn_3d', 'betti_matching_examples']
    """
    return [*_PHOTOS, *_DRAWINGS, *benchmarks.TERMS]


def options_of(name: str) -> list[str]:
    """Return the names of the options that `load_dataset` takes for a data set, besides seed."""
    if name in benchmarks.TERMS:
        return list(inspect.signature(getattr(benchmarks, name)).parameters)[1:]
    return ["masks"] if name in _PHOTOS else []


def load_dataset(
    name: str, *, root: str | PathLike[str] | None = None, seed: int = 0, **options: Any
) -> Dataset:
    """Return a data set with its train, validation and test splits.

    Parameters
    ----------
    name : str
        One of `list_datasets()`. For your own images see `folder`.
    root : path, optional
        The folder of downloaded data sets. None means the one that the environment variable
        ``TOPOSEG_DATA`` names, else the user's cache. The photographs and the synthetic images
        need none.
    seed : int
        Which synthetic images are drawn; same seed, same bits. The splits of real data are fixed.
    **options
        What the function of that name in `toposeg_lite.data.benchmarks` takes besides `root`:
        ``labels``, ``training`` and ``group`` for topomortar, ``observer`` for chase_db1,
        ``strands`` for crackforest, ``kind`` for betti_matching_examples. The photographs take
        ``masks``, "silver" or "annotated" (see ``data/assets/README.md``). No other data set takes
        any.

    Returns
    -------
    Dataset
        See its attributes.

    Raises
    ------
    ValueError
        If a downloaded file is not the published one.
    OSError
        If files are missing and cannot be downloaded; the message says what to do.

    Examples
    --------
    >>> wall = load_dataset("brick")
    >>> wall.channels, wall.ndim, wall.reference, wall.train[0].mask.shape
    (1, 2, 'silver', (512, 232))
    """
    check_choice(name, list_datasets(), "name")
    seed = check_integer(seed, "seed")
    root = None if root is None else check_path(root, "root")
    taken = options_of(name)
    for option in options:
        if option not in taken:
            takes = f"the options {', '.join(taken)}" if taken else "no options"
            raise TypeError(f"{name} takes {takes}; got {option!r}")
    if name in _PHOTOS:
        return _photo(name, **options)
    if name in _DRAWINGS:
        return _drawings(name, seed)
    return getattr(benchmarks, name)(root, **options)
