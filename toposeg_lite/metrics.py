"""How good is a segmentation? Overlap, skeletons, partitions and topology of two binary masks.

Every metric takes a predicted and a true mask of one shape, (H, W) or (D, H, W), and returns a
Python float. Each looks at something else, so none replaces the others:

==========================  =======  ===============================================
metric                      perfect  what it sees
==========================  =======  ===============================================
`dice`                      1        pixels, and hardly a thin connection that is lost
`cldice`                    1        whether each skeleton lies inside the other mask
`betti_error`               0        how many components and loops, but not where
`betti_matching_error`      0        which components and loops have no partner
`warping_error`             0        pixels that no change of shape can mend
`adjusted_rand_index`       1        pairs of pixels in one segment or in two
`variation_of_information`  0        splits and merges of segments, in bits
==========================  =======  ===============================================

A Betti error, of either kind, without its patch size and its connectivity cannot be compared with
another one, so `report` puts both beside the numbers.

All parameters mean the same in every metric:

prediction, truth : (H, W) or (D, H, W) array of bool, or of the numbers 0 and 1
    Masks of one shape.
connectivity : int, optional
    Of the foreground: 1 (4 neighbours in 2D, 6 in 3D) or the number of axes (8, 26). None means the
    number of axes. The background has the dual.
border : {"open", "closed"}
    Whether the outside of the image, or of each patch, is background or begins with a frame of
    foreground.
dimension : int, optional
    0 for components alone, 1 for loops (2D: holes), 2 for cavities (3D only). None means the sum
    over all dimensions.
patch : int, optional
    Take the mean over non-overlapping squares (cubes) with this many pixels a side, from the first
    pixel on. Where the side does not divide the image, the last row and column of patches are
    narrower, so that every pixel is counted once; each patch weighs the same. None means the whole
    image.
labels : {"foreground", "background"}
    Whose components are segments; all other pixels together are one more. "background" suits
    membranes, mortar and roads, where the foreground is the boundary between regions; its
    components have the dual connectivity.
ignored : array of bool, optional
    True at pixels that do not count, because nobody knows what is there. What truth or prediction
    say at them changes no metric. Pixels are counted without them; skeletons, segments and features
    are found in masks in which a connected piece of ignored pixels is background, unless all pixels
    around it are foreground. So no feature lies in ignored pixels alone: see
    `toposeg_lite.topology.ignored`. Of patches, those that are ignored altogether do not count.
    Where everything is, masks are equal. None means that every pixel counts.

Other masks and options are refused with a TypeError or ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np

from .calibration import expected_calibration_error
from .checks import check_choice, check_integer, check_same_shape
from .topology.betti_matching import betti_matching
from .topology.components import betti_numbers, overlap_sizes
from .topology.grid import (
    Border,
    check_border,
    check_connectivity,
    check_mask,
    check_spacing,
    dual_connectivity,
)
from .topology.ignored import fill_ignored, to_labelled
from .topology.skeleton import thin_mask
from .topology.union import Parts, components_in_union, holes_in_union, shared_homes
from .topology.warping import homotopy_warp

Labels = Literal["foreground", "background"]

__all__ = [
    "adjusted_rand_index",
    "betti_error",
    "betti_matching_error",
    "cldice",
    "dice",
    "expected_calibration_error",
    "report",
    "variation_of_information",
    "warping_error",
]


def dice(prediction: Any, truth: Any, *, ignored: Any = None) -> float:
    """Overlap of two masks: twice the common foreground over the sum of both foregrounds [1]_.

    Returns
    -------
    float
        From 0 (disjoint) to 1 (equal). Two empty masks are equal: 1.

    References
    ----------
    .. [1] L. R. Dice, "Measures of the amount of ecologic association between species",
           Ecology 26 (1945). doi:10.2307/1932409

    Examples
    --------
    >>> dice([[1, 1, 0]], [[0, 1, 0]])
    0.6666666666666666
    """
    prediction, truth, _, ignored = _check_masks(prediction, truth, None, ignored)
    if ignored is not None:
        prediction, truth = prediction & ~ignored, truth & ~ignored
    common = int(np.count_nonzero(prediction & truth))
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(truth))
    return 2 * common / total if total else 1.0


def cldice(
    prediction: Any, truth: Any, *, spacing: Sequence[float] | None = None, ignored: Any = None
) -> float:
    """Centreline Dice: how far the skeletons of two masks lie inside each other's mask.

    The *topology precision* is the fraction of the prediction's skeleton inside the truth, the
    *topology sensitivity* the fraction of the truth's skeleton inside the prediction; clDice is
    their harmonic mean [1]_. A thin branch weighs as much as a thick one of the same length.

    Parameters
    ----------
    prediction, truth, ignored
        See the module's docstring.
    spacing : sequence of float, optional
        Of the voxels along each axis (z, y, x), in any unit: see `toposeg_lite.topology`. The
        skeletons of volumes are those of solids in space then. Refused in 2D, where the thinning
        measures no distances.

    Returns
    -------
    float
        From 0 to 1. Two empty masks have 1; if one is empty, or neither skeleton meets the other
        mask, 0.

    Notes
    -----
    A skeleton has the components, loops and cavities of its mask: in 2D it is scikit-image's
    `skeletonize` (Zhang's thinning), in 3D the thinning by depth of
    `toposeg_lite.topology.skeleton`, which also keeps every arm. Zhang's does not: it
    eats about one slanting bar in a hundred, of even width, from one end to the middle, and then
    clDice does not see that this half is missing. It is used in 2D all the same, because published
    numbers are made with it and ours should be comparable with them.

    References
    ----------
    .. [1] S. Shit et al., "clDice: a novel topology-preserving loss function for tubular
           structure segmentation", CVPR 2021. arXiv:2003.07311

    Examples
    --------
    A line drawn three times too thick keeps its centreline; Dice suffers:

    >>> thick = np.zeros((7, 20), bool)
    >>> thick[2:5, 2:18] = True
    >>> thin = np.zeros((7, 20), bool)
    >>> thin[3, 2:18] = True
    >>> round(cldice(thick, thin), 2), dice(thick, thin)
    (0.97, 0.5)
    """
    prediction, truth, _, ignored = _check_masks(prediction, truth, None, ignored)
    spacing = check_spacing(spacing, truth.ndim)
    prediction, truth = _fill(prediction, truth, ignored)
    lines = [thin_mask(mask, spacing) for mask in (prediction, truth)]
    if not (prediction.any() and truth.any()):
        return float(prediction.any() == truth.any())

    def share(line: np.ndarray, other: np.ndarray) -> float:
        """Return how much of a skeleton lies in the other mask; 1 if all of it is ignored."""
        line = line if ignored is None else line & ~ignored
        return float(other[line].mean()) if line.any() else 1.0

    precision, sensitivity = share(lines[0], truth), share(lines[1], prediction)
    total = precision + sensitivity
    return 2 * precision * sensitivity / total if total else 0.0


def betti_error(
    prediction: Any,
    truth: Any,
    *,
    dimension: int | None = None,
    patch: int | None = None,
    connectivity: int | None = None,
    border: Border = "open",
    ignored: Any = None,
) -> float:
    """Absolute difference of the Betti numbers of two masks, or its mean over patches [1]_.

    The options are explained in the module's docstring.

    Returns
    -------
    float
        0 or more; 0 if the numbers agree. It does not say that the features are the same ones.

    References
    ----------
    .. [1] X. Hu et al., "Topology-preserving deep image segmentation", NeurIPS 2019.
           arXiv:1906.05404

    Examples
    --------
    >>> ring = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    >>> broken = [[1, 0, 1], [1, 0, 0], [1, 1, 1]]
    >>> betti_error(broken, ring), betti_error(broken, ring, dimension=1)
    (2.0, 1.0)
    """
    masks = _check_masks(prediction, truth, connectivity, ignored)
    check_border(border)
    dimension, patch = _check_dimension(dimension, masks[1].ndim), _check_patch(patch)
    errors = _betti_errors(masks, patch, border)
    return sum(errors) if dimension is None else errors[dimension]


def betti_matching_error(
    prediction: Any,
    truth: Any,
    *,
    dimension: int | None = None,
    patch: int | None = None,
    connectivity: int | None = None,
    ignored: Any = None,
) -> float:
    """Count the components and loops of two masks that have no partner in the other one.

    Partners are found by the Betti matching: a component of the prediction and one of the truth are
    the same if they are in the union of both masks. Two disjoint blobs make an error of 2, where
    `betti_error` sees none. Both masks get a frame of foreground, one pixel wide, so that what the
    border cuts belongs to the frame, and the background there is enclosed [1]_. The options are
    explained in the module's docstring.

    Returns
    -------
    float
        0 or more, 0 for equal masks; never below the Betti error with a closed border.

    Notes
    -----
    The frame itself is no feature. The region that it encloses is one; both masks have it, and it
    has its partner unless the union of the masks leaves no background at all. The module
    `toposeg_lite.topology.union` says which components and holes are partners; it takes no
    longer than to label the components. Tunnels (dimension 1 in 3D) take a reduction of matrices,
    as for any likelihood: some seconds in a volume of 64x64x64.

    References
    ----------
    .. [1] N. Stucki et al., "Topologically faithful image segmentation via induced matching of
           persistence barcodes", ICML 2023. arXiv:2211.15272

    Examples
    --------
    A blob in the wrong place, and a blob that is only moved a little:

    >>> truth, wrong, near = np.zeros((3, 5, 9), bool)
    >>> truth[1:3, 1:4], wrong[2:4, 6:8], near[2:4, 2:5] = True, True, True
    >>> betti_matching_error(wrong, truth), betti_error(wrong, truth)
    (2.0, 0.0)
    >>> betti_matching_error(near, truth)
    0.0
    """
    masks = _check_masks(prediction, truth, connectivity, ignored)
    ndim = masks[1].ndim
    dimension, patch = _check_dimension(dimension, ndim), _check_patch(patch)
    wanted = [dimension in (None, k) for k in range(ndim)]
    count = partial(_count_unmatched, connectivity=masks[2], wanted=wanted)
    return sum(_mean_over_patches(count, masks, patch))


def warping_error(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    spacing: Sequence[float] | None = None,
    ignored: Any = None,
) -> float:
    """Fraction of the pixels that still differ when the truth was warped towards the prediction.

    The truth is grown and shrunk towards the prediction as far as its topology allows (see
    `toposeg_lite.topology.homotopy_warp`). Differences of width and place disappear; what stays are
    the pixels at which the prediction breaks, merges, opens or fills something [1]_.

    Parameters
    ----------
    prediction, truth, connectivity, ignored
        See the module's docstring.
    spacing : sequence of float, optional
        Of the pixels along each axis (z, y, x), in any unit: see `toposeg_lite.topology`. The
        nearest to the truth's boundary are warped first.

    Returns
    -------
    float
        From 0 to 1, at most the fraction of pixels that differ; 0 if the truth can be warped into
        the prediction. It is not symmetric.

    References
    ----------
    .. [1] V. Jain et al., "Boundary learning by optimization with topological constraints", CVPR
           2010. doi:10.1109/CVPR.2010.5539950

    Examples
    --------
    >>> truth = [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    >>> thick = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    >>> broken = [[0, 0, 0, 0, 0], [1, 1, 0, 1, 1], [0, 0, 0, 0, 0]]
    >>> warping_error(thick, truth), round(warping_error(broken, truth) * 15)
    (0.0, 1)
    """
    prediction, truth, connectivity, ignored = _check_masks(
        prediction, truth, connectivity, ignored
    )
    warp = partial(homotopy_warp, connectivity=connectivity, spacing=spacing)
    if ignored is None:
        return int(np.count_nonzero(warp(truth, prediction).critical)) / truth.size
    prediction, of_prediction = fill_ignored(prediction, ignored)
    truth, of_truth = fill_ignored(truth, ignored)
    critical = warp(truth, prediction).critical
    critical = to_labelled(critical, truth, of_prediction, of_truth)
    return int(np.count_nonzero(critical)) / max(int(np.count_nonzero(~ignored)), 1)


def adjusted_rand_index(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    labels: Labels = "foreground",
    ignored: Any = None,
) -> float:
    """Agreement of two masks on which pairs of pixels belong to one segment, corrected for chance.

    Both masks cut the image into segments, as `labels` says (see the module's docstring). The Rand
    index is the fraction of the pairs of pixels on which the partitions agree; it is then shifted
    and scaled so that its expectation over random partitions with the same segment sizes is 0 and
    its maximum 1 [1]_.

    Returns
    -------
    float
        At most 1, for equal partitions; around 0 for unrelated ones; negative for worse than
        chance.

    Notes
    -----
    The adapted Rand error of the connectomics literature is another number: 1 - F-score of the
    same pairs, without the pixels outside the truth's segments.

    References
    ----------
    .. [1] L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985).
           doi:10.1007/BF01908075

    Examples
    --------
    >>> truth = [[1, 1, 0, 1, 1]]
    >>> adjusted_rand_index(truth, truth), adjusted_rand_index([[1, 1, 1, 1, 1]], truth)
    (1.0, 0.0)
    """
    masks = _check_masks(prediction, truth, connectivity, ignored)
    return _adjusted_rand_index(*_segment_sizes(masks, labels))


def variation_of_information(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    labels: Labels = "foreground",
    ignored: Any = None,
) -> float:
    """Information, in bits a pixel, that the segments of two masks do not share.

    Both masks cut the image into segments, as for `adjusted_rand_index`. The variation of
    information is H(prediction | truth) + H(truth | prediction): how much one must still be told,
    per pixel, about one partition when one knows the other. The first part grows with splits,
    the second with merges [1]_.

    Returns
    -------
    float
        0 or more, exactly 0 for equal partitions; at most log2 of the number of pixels.

    References
    ----------
    .. [1] M. Meila, "Comparing clusterings: an information based distance", Journal of
           Multivariate Analysis 98 (2007). doi:10.1016/j.jmva.2006.11.013

    Examples
    --------
    >>> merged, truth = [[1, 1, 1, 1]], [[1, 1, 0, 0]]
    >>> variation_of_information(merged, truth), variation_of_information(truth, truth)
    (1.0, 0.0)
    """
    masks = _check_masks(prediction, truth, connectivity, ignored)
    return _variation_of_information(*_segment_sizes(masks, labels))


def report(
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    patch: int | None = None,
    labels: Labels = "foreground",
    border: Border = "open",
    spacing: Sequence[float] | None = None,
    ignored: Any = None,
) -> dict[str, float | int | str | None]:
    """All metrics of a prediction, together with the settings that they depend on.

    Only the Betti error has patches and a border here; the module's docstring explains all options.
    `spacing`, of a volume alone, is that of `cldice` and `warping_error`, which measure distances.

    Returns
    -------
    dict
        The numbers under "dice", "cldice", "betti_error" (the sum), "betti_0_error",
        "betti_1_error", in 3D "betti_2_error", in 2D "betti_matching_error", "warping_error",
        "adjusted_rand_index" and "variation_of_information"; the settings under "connectivity"
        (never None), "patch" (None is the whole image), "border" and "labels".

    Examples
    --------
    >>> ring = [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    >>> broken = [[1, 0, 1], [1, 0, 1], [1, 1, 1]]
    >>> result = report(broken, ring)
    >>> result["betti_error"], result["betti_1_error"], result["connectivity"], result["patch"]
    (1.0, 1.0, 2, None)
    """
    masks = prediction, truth, connectivity, ignored = _check_masks(
        prediction, truth, connectivity, ignored
    )
    check_border(border)
    patch, spacing = _check_patch(patch), check_spacing(spacing, truth.ndim)
    sizes = _segment_sizes(masks, labels)
    errors = _betti_errors(masks, patch, border)
    matching_error = {}
    common: dict[str, Any] = {"connectivity": connectivity, "ignored": ignored}
    if truth.ndim == 2:  # in a volume it takes too long to be always wanted
        matching_error["betti_matching_error"] = betti_matching_error(prediction, truth, **common)
    return {
        "dice": dice(prediction, truth, ignored=ignored),
        "cldice": cldice(prediction, truth, spacing=spacing, ignored=ignored),
        "betti_error": sum(errors),
        **{f"betti_{k}_error": error for k, error in enumerate(errors)},
        **matching_error,
        "warping_error": warping_error(prediction, truth, spacing=spacing, **common),
        "adjusted_rand_index": _adjusted_rand_index(*sizes),
        "variation_of_information": _variation_of_information(*sizes),
        "connectivity": connectivity,
        "patch": patch,
        "border": border,
        "labels": labels,
    }


# --- Checks ---------------------------------------------------------------------------------------


# Prediction, truth, connectivity, and the ignored pixels if there are any.
Masks = tuple[np.ndarray, np.ndarray, int, np.ndarray | None]


def _check_masks(prediction: Any, truth: Any, connectivity: int | None, ignored: Any) -> Masks:
    prediction, truth = check_mask(prediction, "prediction"), check_mask(truth, "truth")
    check_same_shape(prediction, truth, ("prediction", "truth"))
    connectivity = check_connectivity(connectivity, truth.ndim)
    if ignored is not None:
        ignored = check_mask(ignored, "ignored")
        check_same_shape(truth, ignored, ("truth", "ignored"))
    return prediction, truth, connectivity, ignored if np.any(ignored) else None


def _check_dimension(dimension: Any, ndim: int) -> int | None:
    return None if dimension is None else check_integer(dimension, "dimension", 0, ndim - 1)


def _check_patch(patch: Any) -> int | None:
    return None if patch is None else check_integer(patch, "patch", 1)


# --- What metrics share, of masks and options that were checked -----------------------------------


def _fill(
    prediction: np.ndarray, truth: np.ndarray, ignored: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return both masks with what ignored pixels count as."""
    if ignored is None:
        return prediction, truth
    return fill_ignored(prediction, ignored)[0], fill_ignored(truth, ignored)[0]


def _mean_over_patches(
    count: Callable[[np.ndarray, np.ndarray], list[int]], masks: Masks, patch: int | None
) -> list[float]:
    """Return the mean of each of the numbers that `count` finds in the patches of two masks.

    `count` returns one for each axis.
    """
    prediction, truth, _, ignored = masks
    sides = truth.shape if patch is None else (patch,) * truth.ndim
    starts = product(*(range(0, n, side) for n, side in zip(truth.shape, sides, strict=True)))
    numbers = []
    for start in starts:
        window = tuple(slice(a, a + side) for a, side in zip(start, sides, strict=True))
        unknown = None if ignored is None else ignored[window]
        if unknown is None or not unknown.all():
            numbers.append(count(*_fill(prediction[window], truth[window], unknown)))
    if not numbers:  # nothing is known, so nothing is wrong
        return [0.0] * truth.ndim
    return [sum(column) / len(numbers) for column in zip(*numbers, strict=True)]


def _betti_errors(masks: Masks, patch: int | None, border: Border) -> list[float]:
    """Return the (mean) absolute difference of the Betti numbers in each dimension."""

    def differences(*pair: np.ndarray) -> list[int]:
        ours, wanted = (betti_numbers(m, connectivity=masks[2], border=border) for m in pair)
        return [abs(a - b) for a, b in zip(ours, wanted, strict=True)]

    return _mean_over_patches(differences, masks, patch)


def _count_unmatched(
    prediction: np.ndarray, truth: np.ndarray, connectivity: int, wanted: list[bool]
) -> list[int]:
    """Count the features of both masks that the Betti matching leaves over in each dimension.

    A dimension that is not wanted counts 0. The border is closed.
    """
    ours, theirs = (np.pad(mask, 1, constant_values=True) for mask in (prediction, truth))
    counts = [0] * truth.ndim
    if wanted[0]:
        first, second, _ = components_in_union(ours, theirs, connectivity)
        counts[0] = _without_partner(first, second)
    if wanted[-1]:
        counts[-1] = _without_partner(*holes_in_union(ours, theirs, connectivity))
    if truth.ndim == 3 and wanted[1]:
        tunnels = [
            betti_numbers(mask, connectivity=connectivity, border="closed")[1]
            for mask in (prediction, truth)
        ]
        counts[1] = sum(tunnels)
        if all(tunnels):
            likelihood = prediction.astype(np.float32)
            matches = betti_matching(likelihood, truth, connectivity, True, [False, True, False])
            counts[1] -= 2 * len(matches[1][0])
    return counts


def _without_partner(first: Parts, second: Parts) -> int:
    """Count the parts of two masks that are not matched; the first home is none."""
    return len(first.home) + len(second.home) - 2 - 2 * len(shared_homes(first, second))


def _segment_sizes(masks: Masks, labels: Labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sizes of the prediction's and the truth's segments and of their intersections."""
    prediction, truth, connectivity, ignored = masks
    prediction, truth = _fill(prediction, truth, ignored)
    if check_choice(labels, ("foreground", "background"), "labels") == "background":
        prediction, truth = ~prediction, ~truth
        connectivity = dual_connectivity(connectivity, truth.ndim)
    counted = None if ignored is None else ~ignored
    return overlap_sizes(prediction, truth, connectivity=connectivity, counted=counted)


def _adjusted_rand_index(
    prediction_sizes: np.ndarray, truth_sizes: np.ndarray, joint_sizes: np.ndarray
) -> float:
    """Hubert and Arabie's index from the entries and the margins of a contingency table."""
    # Python's integers cannot overflow, so numerator and denominator are exact.
    in_prediction, in_truth, in_both = (
        int((sizes * (sizes - 1)).sum()) for sizes in (prediction_sizes, truth_sizes, joint_sizes)
    )
    pixels = int(joint_sizes.sum())
    pairs = pixels * (pixels - 1)
    chance = in_prediction * in_truth
    best = (in_prediction + in_truth) * pairs - 2 * chance
    # `best` is 0 only if both partitions are one segment, or both cut every pixel apart.
    return 2 * (in_both * pairs - chance) / best if best else 1.0


def _variation_of_information(
    prediction_sizes: np.ndarray, truth_sizes: np.ndarray, joint_sizes: np.ndarray
) -> float:
    """Meila's distance in bits from the entries and the margins of a contingency table."""

    def weighted_log(sizes: np.ndarray) -> float:
        # Sorted, so that equal sizes give bit for bit equal sums, whatever the segments' numbers:
        # equal partitions have exactly 0, and exchanging or flipping the masks changes nothing.
        sizes = np.sort(sizes[sizes > 0])
        return float((sizes * np.log2(sizes)).sum())

    shared = 2 * weighted_log(joint_sizes)
    apart = weighted_log(prediction_sizes) + weighted_log(truth_sizes) - shared
    return apart / max(int(joint_sizes.sum()), 1)
