"""How long voxels are in a training: some losses measure by it, and crops are turned by it.

The losses that measure distances take a `spacing`, and samples from NIfTI files know theirs. A
training brings the two together: a spacing among the options of the loss (of a part of a sum) holds
for all samples; without one it is that of the samples, which must agree. None as an option says
that voxels are cubes. Only ratios count, so voxels of 2 x 2 x 2 mm are cubes, too.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..data import Sample
from ..losses import LOSSES
from ..topology.grid import check_spacing

__all__ = ["losses_with_spacing", "spacing_of_training"]


def spacing_of_training(
    samples: Sequence[Sample], loss: str, options: Mapping[str, Any]
) -> tuple[float, ...] | None:
    """Return the lengths of voxels, in multiples of the smallest, of all samples of a training.

    None is for samples of several spacings, where the loss does not ask; where it does, they are
    refused.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((1, 4, 4, 4), np.float32)
    >>> flat = Sample("a", image, image[0] > 0, spacing=(1.0, 0.5, 0.5))
    >>> spacing_of_training([flat], "cldice", {}), spacing_of_training([flat], "warping",
    ...                                                              {"spacing": None})
    ((2.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    """
    ndim = samples[0].mask.ndim
    cubes = (1.0,) * ndim
    asking = [part for kind, part in _parts(loss, options) if _takes_spacing(kind)]
    given = [check_spacing(part["spacing"], ndim) or cubes for part in asking if "spacing" in part]
    if any(one != given[0] for one in given):
        raise ValueError(f"the parts of a sum must have one spacing; got {given}")
    if given:
        return given[0]
    known = [check_spacing(sample.spacing, ndim) or cubes for sample in samples]
    for sample, spacing in zip(samples, known, strict=True):
        if not _alike(spacing, known[0]):
            if not asking:
                return None
            raise ValueError(
                f"the voxels of {sample.name!r} have the spacing {sample.spacing}, those of "
                f"{samples[0].name!r} {samples[0].spacing}: bring all images to one, or give the "
                f"loss a spacing (None: voxels count as cubes)"
            )
    return known[0]


def losses_with_spacing(
    loss: str, options: Mapping[str, Any], spacing: tuple[float, ...] | None
) -> dict[str, Any]:
    """Return the options of a loss, with the spacing where it takes one and none is given.

    Examples
    --------
    >>> losses_with_spacing("sum", {"parts": {"cldice": {}, "topological": {}}}, (2.0, 1.0, 1.0))
    {'parts': {'cldice': {'spacing': (2.0, 1.0, 1.0)}, 'topological': {}}}
    """
    if spacing is None or max(spacing) == 1:
        return dict(options)
    if loss == "sum":
        parts = {
            name: losses_with_spacing(part.get("loss", name), part, spacing)
            for name, part in options["parts"].items()
        }
        return {**options, "parts": parts}
    return {"spacing": spacing, **options} if _takes_spacing(loss) else dict(options)


def _parts(loss: str, options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return names and options of the losses that are added."""
    if loss != "sum":
        return [(loss, options)]
    return [(part.get("loss", name), part) for name, part in options["parts"].items()]


def _takes_spacing(loss: str) -> bool:
    return "spacing" in inspect.signature(LOSSES[loss]).parameters


def _alike(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether two spacings are the same, but for the rounding of their files."""
    pairs = zip(first, second, strict=True)
    return all(math.isclose(one, other, rel_tol=1e-3) for one, other in pairs)
