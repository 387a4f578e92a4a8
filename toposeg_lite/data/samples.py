"""What every data set is made of: samples in three splits, and what one must know to score them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["IGNORED_HOW", "Dataset", "Sample", "check_labelled"]

#: What to do about labels that stand for no class.
IGNORED_HOW = (
    "If it marks pixels that nobody labelled, say so: folder(..., ignore=LABEL), or Sample.ignored"
)


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
    ignored : (H, W) or (D, H, W) array of bool, optional
        True where nobody said what is there: training and scores leave these pixels out, whatever
        the mask holds there. None means that every pixel has a label.
    notes : tuple of str
        What was decided when the files were read, for example that the grey values of a palette
        are the labels, or that a photograph was turned upright.
    spacing : tuple of float, optional
        Of a volume's voxels along its axes (z, y, x), in millimetres, where the image's file is
        NIfTI and says it. None means that it is not known, and voxels are taken for cubes. Scores
        and losses that measure distances use it (`toposeg_lite.metrics.report`, and `train`, whose
        crops change axes only where voxels are as long); no topology depends on it.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    ignored: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None


def check_labelled(samples: Iterable[Sample]) -> None:
    """Refuse samples that cannot be learned from, or scored, as they are.

    Masks hold booleans or integer labels, 0 or above; floats are taken where they are 0 and 1. What
    they hold at pixels that are ignored does not matter.

    Examples
    --------
    >>> check_labelled([Sample("a", np.zeros((1, 2, 2), np.float32), np.eye(2, dtype=bool))])
    """
    if isinstance(samples, str) or not isinstance(samples, Iterable):
        raise TypeError(f"samples must be a sequence of Sample; got {type(samples).__name__}")
    for sample in samples:
        if not isinstance(sample, Sample):
            raise TypeError(f"samples must hold Sample alone; got {type(sample).__name__}")
        mask = np.asarray(sample.mask)
        if sample.ignored is not None:
            ignored = np.asarray(sample.ignored)
            if ignored.dtype != np.bool_ or ignored.shape != mask.shape:
                raise ValueError(
                    f"the ignored pixels of {sample.name!r} must be booleans in the mask's shape, "
                    f"{mask.shape}; got {ignored.dtype} in {ignored.shape}"
                )
            mask = mask[~ignored]
        if mask.dtype.kind == "i" and mask.size and mask.min() < 0:
            raise ValueError(
                f"the labels of {sample.name!r} must be 0 or above; got {mask.min()}. {IGNORED_HOW}"
            )
        if mask.dtype.kind not in "biu" and not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"the mask of {sample.name!r} must hold booleans or integer labels; got "
                f"{mask.dtype} with other values than 0 and 1. Threshold it first"
            )


@dataclass(frozen=True)
class Dataset:
    """Three splits of images that share no pixel, and what one must know to score them.

    Attributes
    ----------
    name : str
        The name that `load_dataset` knows it by.
    train, validation, test : tuple of Sample
        The splits. Shapes may differ between samples; a data set made only to look at has images
        in `test` alone.
    labels : "foreground" or "background"
        What adjusted Rand index and variation of information label: the components of the
        structure, or the regions between it (membranes, mortar).
    reference : "silver", "expert", "exact" or "own"
        Who made the masks: this project with filters and corrections, an expert, the construction
        itself, or the owner of the images.
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
    reference: Literal["silver", "expert", "exact", "own"]
    patch: int
    terms: str

    @property
    def channels(self) -> int:
        """Number of channels of every image."""
        return int(self._first.image.shape[0])

    @property
    def ndim(self) -> int:
        """Number of spatial axes: 2 or 3."""
        return int(self._first.mask.ndim)

    @property
    def _first(self) -> Sample:
        return (*self.train, *self.validation, *self.test)[0]
