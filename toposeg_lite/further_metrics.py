"""Further metrics of two binary masks, which are not in `metrics.report` but are asked for.

==================================  =======  ===============================================
metric                              perfect  what it sees
==================================  =======  ===============================================
`hausdorff_distance`                0        how far the surfaces are apart, at worst or at 95 %
`surface_dice`                      1        which part of the surfaces is near the other one
`topology_precision`                1        which part of the prediction's skeleton is true
`topology_sensitivity`              1        which part of the truth's skeleton is found
`intersection_union_discrepancy`    0        features that intersection and union do not share
==================================  =======  ===============================================

`prediction`, `truth`, `connectivity`, `border` and `ignored` are those of `toposeg_lite.metrics`.
The Betti matching error of one dimension is ``metrics.betti_matching_error(..., dimension=k)``.

A *surface* is here the set of the foreground's pixels that have a background pixel beside them,
along an axis; what lies outside of the image is background. Distances are Euclidean, between the
centres of pixels, in units of `spacing`: the length of a pixel along each axis; by default 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from .checks import check_number
from .metrics import _check_masks, _fill, betti_matching_error
from .topology.components import label_components
from .topology.grid import Border, check_border, check_spacing, dual_connectivity
from .topology.skeleton import thin_mask

__all__ = [
    "further_report",
    "hausdorff_distance",
    "intersection_union_discrepancy",
    "surface_dice",
    "topology_precision",
    "topology_sensitivity",
]


def further_report(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    border: Border = "open",
    spacing: Sequence[float] | None = None,
    ignored: Any = None,
) -> dict[str, float]:
    """All metrics of this module with their default options, by their names.

    "hausdorff_distance" is that of 95 %. Of images, not of volumes, there are also the Betti
    matching errors of components and of holes, "betti_0_matching_error" and
    "betti_1_matching_error", and "intersection_union_discrepancy".

    Examples
    --------
    >>> line, cut = np.zeros((2, 3, 7), bool)
    >>> line[1, 1:6] = cut[1, 1:6] = True
    >>> cut[1, 3] = False
    >>> result = further_report(cut, line)
    >>> result["surface_dice"], result["betti_0_matching_error"]
    (1.0, 1.0)
    """
    prediction, truth, connectivity, ignored = _check_masks(
        prediction, truth, connectivity, ignored
    )
    check_border(border)
    check_spacing(spacing, truth.ndim)
    masks = {"prediction": prediction, "truth": truth, "ignored": ignored}
    of_skeletons = spacing if truth.ndim == 3 else None  # that of images measures nothing
    numbers = {
        "hausdorff_distance": hausdorff_distance(**masks, spacing=spacing),
        "surface_dice": surface_dice(**masks, spacing=spacing),
        "topology_precision": topology_precision(**masks, spacing=of_skeletons),
        "topology_sensitivity": topology_sensitivity(**masks, spacing=of_skeletons),
    }
    if truth.ndim == 2:
        common: dict[str, Any] = {**masks, "connectivity": connectivity}
        for k in range(2):
            error = betti_matching_error(**common, dimension=k)
            numbers[f"betti_{k}_matching_error"] = error
        strict = intersection_union_discrepancy(**common, border=border)
        numbers["intersection_union_discrepancy"] = strict
    return numbers


def hausdorff_distance(
    prediction: Any,
    truth: Any,
    *,
    percentile: float = 95,
    spacing: Sequence[float] | None = None,
    ignored: Any = None,
) -> float:
    """Distance of the surfaces of two masks: of most pixels, or with 100 of all [1]_.

    Each pixel of a surface has its distance to the other surface. Of both surfaces the percentile
    is taken, and the larger of the two is the result: HD95 by default.

    Parameters
    ----------
    prediction, truth, ignored
        See the module's docstring. Ignored pixels have no distance.
    percentile : float
        From 0 to 100; between two pixels it is interpolated.
    spacing : sequence of float, optional
        See the module's docstring.

    Returns
    -------
    float
        0 or more; 0 for two masks without a surface, infinite if only one has one.

    References
    ----------
    .. [1] D. Huttenlocher, G. Klanderman, W. Rucklidge, "Comparing images using the Hausdorff
           distance", IEEE TPAMI 15 (1993). doi:10.1109/34.232073

    Examples
    --------
    >>> truth = [[1, 1, 0, 0, 0, 0]]
    >>> hausdorff_distance([[1, 1, 0, 0, 0, 1]], truth, percentile=100)
    4.0
    >>> hausdorff_distance(truth, truth)
    0.0
    """
    share = check_number(percentile, "percentile")
    if share > 100:
        raise ValueError(f"percentile must be from 0 to 100; got {percentile}")
    known = [d for d in _surface_distances(prediction, truth, spacing, ignored) if len(d)]
    if any(np.isinf(each).any() for each in known):
        return float("inf")
    return max((float(np.percentile(each, share)) for each in known), default=0.0)


def surface_dice(
    prediction: Any,
    truth: Any,
    *,
    tolerance: float = 1.0,
    spacing: Sequence[float] | None = None,
    ignored: Any = None,
) -> float:
    """Part of both surfaces that lies no further than a tolerance from the other one [1]_.

    Pixels of the surfaces are counted; the original counts areas between voxels.

    Parameters
    ----------
    prediction, truth, ignored
        See the module's docstring. Ignored pixels are not counted.
    tolerance : float
        The distance, in units of `spacing`, that is still right.
    spacing : sequence of float, optional
        See the module's docstring.

    Returns
    -------
    float
        From 0 to 1; 1 for two masks without a surface, 0 if only one has one.

    References
    ----------
    .. [1] S. Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for
           radiotherapy", J. Med. Internet Res. 23 (2021). arXiv:1809.04430

    Examples
    --------
    >>> surface_dice([[1, 1, 0, 0, 0, 1]], [[1, 1, 0, 0, 0, 0]])  # four of five pixels
    0.8
    """
    limit = check_number(tolerance, "tolerance")
    distances = np.concatenate(_surface_distances(prediction, truth, spacing, ignored))
    return float((distances <= limit).mean()) if len(distances) else 1.0


def topology_precision(
    prediction: Any, truth: Any, *, spacing: Sequence[float] | None = None, ignored: Any = None
) -> float:
    """Fraction of the prediction's skeleton that lies inside the truth [1]_.

    Its harmonic mean with `topology_sensitivity` is `metrics.cldice`, which explains skeletons and
    `spacing`; here too two empty masks have 1, and a single one 0.

    References
    ----------
    .. [1] S. Shit et al., "clDice: a novel topology-preserving loss function for tubular
           structure segmentation", CVPR 2021. arXiv:2003.07311

    Examples
    --------
    >>> truth = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]
    >>> half = [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    >>> topology_precision(half, truth), topology_sensitivity(half, truth)
    (1.0, 0.5)
    """
    prediction, truth, _, ignored = _check_masks(prediction, truth, None, ignored)
    lengths = check_spacing(spacing, truth.ndim)
    prediction, truth = _fill(prediction, truth, ignored)
    line = thin_mask(prediction, lengths)
    if not (prediction.any() and truth.any()):
        return float(prediction.any() == truth.any())
    line = line if ignored is None else line & ~ignored
    return float(truth[line].mean()) if line.any() else 1.0


def topology_sensitivity(
    prediction: Any, truth: Any, *, spacing: Sequence[float] | None = None, ignored: Any = None
) -> float:
    """Fraction of the truth's skeleton that lies inside the prediction: see `topology_precision`.

    Examples
    --------
    >>> topology_sensitivity([[1, 1, 1, 1]], [[1, 1, 0, 0]])
    1.0
    """
    prediction, truth, _, ignored = _check_masks(prediction, truth, None, ignored)
    return topology_precision(truth, prediction, spacing=spacing, ignored=ignored)


def intersection_union_discrepancy(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    border: Border = "open",
    ignored: Any = None,
) -> float:
    r"""Count the features that intersection and union of two images do not share: DIU [1]_.

    The inclusion of the intersection in the union takes features of the one to features of the
    other, :math:`i_*: H_*(P \cap G) \to H_*(P \cup G)`, and

    .. math:: DIU = \dim \ker i_* + \dim \mathrm{coker}\, i_*

    counts what has no place there and what nothing goes to. In an image that is: components of the
    intersection that are one in the union, components of the union without any of the
    intersection, and the same of the background, where the union's lies in the intersection's.
    So it is 0 only if the features of both masks are the same ones, in places that overlap.

    Parameters
    ----------
    prediction, truth : (H, W) array
        Images alone: in a volume the tunnels would need more than components.
    connectivity, border, ignored
        See `toposeg_lite.metrics`. The published code has ignored pixels nowhere.

    Returns
    -------
    float
        0 or more; 0 for equal masks. It is symmetric.

    References
    ----------
    .. [1] L. Lux et al., "Topograph: an efficient graph-based framework for strictly topology
           preserving image segmentation", ICLR 2025. arXiv:2411.03228. The formula is that of
           https://github.com/AlexanderHBerger/Topograph at 5d263665, without its thickening of
           masks by a distance that goes to 0.

    Examples
    --------
    >>> line, cut = [[1, 1, 1, 1, 1]], [[1, 1, 0, 1, 1]]
    >>> intersection_union_discrepancy(cut, line)  # two components are one in the union
    1.0
    >>> intersection_union_discrepancy([[1, 0, 1, 1, 1]], [[1, 1, 1, 0, 1]])
    2.0
    """
    prediction, truth, connectivity, ignored = _check_masks(
        prediction, truth, connectivity, ignored
    )
    if truth.ndim != 2:
        raise ValueError(f"prediction and truth must be images (H, W); got {truth.ndim} axes")
    frame = check_border(border) == "closed"
    masks = [np.pad(mask, 1, constant_values=frame) for mask in _fill(prediction, truth, ignored)]
    common, whole = masks[0] & masks[1], masks[0] | masks[1]
    dual = dual_connectivity(connectivity, 2)
    return float(_unshared(common, whole, connectivity) + _unshared(~whole, ~common, dual))


def _unshared(inner: np.ndarray, outer: np.ndarray, connectivity: int) -> int:
    """Return kernel and cokernel, together, of the components of a mask in those around them."""
    homes, around = label_components(outer, connectivity=connectivity)
    _, count = label_components(inner, connectivity=connectivity)
    reached = len(np.unique(homes[inner]))
    return (count - reached) + (around - reached)


def _surface_distances(
    prediction: Any, truth: Any, spacing: Sequence[float] | None, ignored: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of the pixels of each surface to the other one; infinite if it is empty.

    The pixels of a surface that are ignored have none.
    """
    prediction, truth, _, ignored = _check_masks(prediction, truth, None, ignored)
    check_spacing(spacing, truth.ndim)
    lengths = None if spacing is None else [float(length) for length in spacing]
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in _fill(prediction, truth, ignored)]
    distances = []
    for surface, other in (surfaces, surfaces[::-1]):
        counted = surface if ignored is None else surface & ~ignored
        if other.any():
            distances.append(ndimage.distance_transform_edt(~other, sampling=lengths)[counted])
        else:
            distances.append(np.full(int(counted.sum()), np.inf))
    return distances[0], distances[1]
