"""Name each place where the topology of a prediction differs from that of its reference.

An error counts such places but does not show them. Here every component and every hole of the
prediction has at most one partner in the reference, by the Betti matching of the two masks: what
becomes one in the union of both is the same thing. What is left over is a difference, and it has a
kind:

===================  ==========================================================================
break                a further piece of the prediction in what is one component of the union
spurious component   a component of the prediction alone in the union
false merge          a further piece of the reference in what is one component of the union
missing component    a component of the reference alone in the union
false hole           a hole of the prediction that is left over
missing hole         a hole of the reference that is left over: filled, or opened at its rim
===================  ==========================================================================

As every pair takes one from either side, the kinds explain the Betti numbers exactly: breaks and
spurious components minus false merges and missing components is the difference of the numbers of
components, and so for holes. With a closed border the differences are, one for one, what
`toposeg_lite.metrics.betti_matching_error` counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from .checks import check_same_shape
from .topology.components import label_components
from .topology.grid import Border, check_border, check_connectivity, check_mask, dual_connectivity

__all__ = ["KINDS", "Difference", "topology_differences"]

#: Every kind of difference, components first.
KINDS = (
    "break",
    "spurious component",
    "false merge",
    "missing component",
    "false hole",
    "missing hole",
)


class Difference(NamedTuple):
    """One place where the topology differs.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    position : tuple of int
        Where to mark it: for a break or a false merge the middle of the shortest gap between the
        two pieces, else the pixel farthest inside the component or hole.
    """

    kind: str
    position: tuple[int, ...]


def topology_differences(
    prediction: Any, truth: Any, *, connectivity: int | None = None, border: Border = "open"
) -> list[Difference]:
    """Find and name the places where the topology of two masks differs.

    Parameters
    ----------
    prediction, truth : (H, W) or (D, H, W) array of bool, or of the numbers 0 and 1
        Masks of one shape.
    connectivity : int, optional
        Of the foreground: 1 (4 neighbours in 2D, 6 in 3D) or the number of axes (8, 26; default).
    border : {"open", "closed"}
        Whether the outside is background, or a frame of foreground: then all that the border cuts
        is one component of either mask, and the regions that it encloses are holes. "closed" lists
        what `toposeg_lite.metrics.betti_matching_error` counts.

    Returns
    -------
    list of Difference
        In the order of `KINDS`, then of their positions. The holes of a volume are its cavities;
        tunnels have no place of their own and are not listed.

    Raises
    ------
    TypeError, ValueError
        If a mask is not binary, is empty or has neither 2 nor 3 axes; if the shapes differ; if
        `connectivity` is neither 1 nor the number of axes; for an unknown border.

    Examples
    --------
    A line with a gap, and a dot where nothing should be:

    >>> truth = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    >>> prediction = [[1, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    >>> for difference in topology_differences(prediction, truth):
    ...     print(*difference)
    break (0, 2)
    spurious component (2, 0)
    """
    prediction, truth = check_mask(prediction, "prediction"), check_mask(truth, "truth")
    check_same_shape(prediction, truth, ("prediction", "truth"))
    connectivity = check_connectivity(connectivity, truth.ndim)
    check_border(border)
    # One pixel around both, background or frame, which is the same thing in both.
    prediction, truth = (np.pad(mask, 1, constant_values=border == "closed")
                         for mask in (prediction, truth))  # fmt: skip
    ours, wanted, union = (
        label_components(mask, connectivity=connectivity)[0]
        for mask in (prediction, truth, prediction | truth)
    )
    breaks, spurious = _pieces(ours, union, union[truth])
    merges, missing = _pieces(wanted, union, union[prediction])
    dual = dual_connectivity(connectivity, truth.ndim)
    our_holes, true_holes, common = (
        label_components(mask, connectivity=dual)[0]
        for mask in (~prediction, ~truth, ~(prediction | truth))
    )
    false, absent = _left_over(our_holes, true_holes, common)
    found = {
        "break": _gaps(ours, breaks, union),
        "spurious component": _insides(ours, spurious),
        "false merge": _gaps(wanted, merges, union),
        "missing component": _insides(wanted, missing),
        "false hole": _insides(our_holes, false),
        "missing hole": _insides(true_holes, absent),
    }
    # Back to the image's own pixels; a gap may lie in the frame.
    last = np.array(truth.shape) - 3
    return [
        Difference(kind, tuple(np.clip(np.subtract(place, 1), 0, last).tolist()))
        for kind in KINDS
        for place in sorted(found[kind])
    ]


def _pieces(
    labels: np.ndarray, union: np.ndarray, shared: np.ndarray
) -> tuple[list[list[int]], list[int]]:
    """Group the components of a mask by the component of the union in which they lie.

    Returns
    -------
    groups : list of list of int
        Those that lie in one that the other mask has a part in, `shared`, where they are several:
        one has a partner, the others are pieces.
    alone : list of int
        Those that lie in one in which the other mask has no part.
    """
    inside = labels > 0
    pairs = np.unique(np.stack([union[inside], labels[inside]]), axis=1)
    groups, alone = [], []
    for component in np.unique(pairs[0]).tolist():
        members = pairs[1][pairs[0] == component].tolist()
        if component not in shared:
            alone += members
        elif len(members) > 1:
            groups.append(members)
    return groups, alone


def _left_over(
    ours: np.ndarray, wanted: np.ndarray, common: np.ndarray
) -> tuple[list[int], list[int]]:
    """Return the components of two backgrounds that have no partner.

    Each holds some components of the common background and stands for the one with the last pixel
    (C order), as in the module `betti_matching`; partners stand for the same one. The last pixel of
    all is a corner: where it is background, the outsides stand for it and are partners.
    """
    last = np.zeros(common.max() + 1, np.int64)
    last[common.ravel()] = np.arange(common.size)  # the last one assigned stays
    last = np.sort(last[1:])
    chosen = []
    for labels in (ours, wanted):
        stands_for = np.full(labels.max() + 1, -1)
        stands_for[labels.ravel()[last]] = last
        chosen.append(stands_for)
    left = []
    for one, other in (chosen, chosen[::-1]):
        paired = (one >= 0) & np.isin(one, other)
        paired[0] = True  # the foreground is no component
        left.append(np.flatnonzero(~paired).tolist())
    return left[0], left[1]


def _insides(labels: np.ndarray, chosen: list[int]) -> list[tuple[int, ...]]:
    """Return of each chosen label the pixel that lies farthest inside."""
    boxes = ndimage.find_objects(labels)
    places = []
    for label in chosen:
        box = boxes[label - 1]
        depth = ndimage.distance_transform_edt(np.pad(labels[box] == label, 1))
        deepest = np.unravel_index(np.argmax(depth), depth.shape)
        places.append(tuple(int(p) - 1 + side.start for p, side in zip(deepest, box, strict=True)))
    return places


def _gaps(labels: np.ndarray, groups: list[list[int]], union: np.ndarray) -> list[tuple[int, ...]]:
    """Return the middles of the shortest gaps that, bridged, make each group one piece.

    Gaps that the other mask bridges, those inside the union, come before all others.
    """
    boxes = ndimage.find_objects(labels)
    places = []
    for group in groups:
        sides = zip(*(boxes[label - 1] for label in group), strict=True)
        box = tuple(slice(min(s.start for s in a), max(s.stop for s in a)) for a in sides)
        part = labels[box]
        outside = union[box] != union[labels == group[0]][0]
        # Give every pixel to its nearest piece: the gap between two pieces is shortest where
        # their territories meet at the smallest distance from both.
        distance, nearest = ndimage.distance_transform_edt(
            ~np.isin(part, group), return_indices=True
        )
        owner = part[tuple(nearest)]
        rows, columns, costs, middles = [], [], [], []
        for axis in range(part.ndim):
            low = tuple(slice(None, -1) if k == axis else slice(None) for k in range(part.ndim))
            high = tuple(slice(1, None) if k == axis else slice(None) for k in range(part.ndim))
            meet = owner[low] != owner[high]
            rows.append(np.minimum(owner[low], owner[high])[meet])
            columns.append(np.maximum(owner[low], owner[high])[meet])
            far = part.size * (outside[low] | outside[high])
            costs.append((distance[low] + distance[high] + far)[meet])
            middles.append(np.argwhere(meet))
        row, column = np.concatenate(rows).astype(np.int64), np.concatenate(columns)
        cost, middle = np.concatenate(costs), np.concatenate(middles)
        order = np.lexsort((cost, column, row))
        _, first = np.unique(np.stack([row, column])[:, order], axis=1, return_index=True)
        best = order[first]  # of each pair of pieces its cheapest meeting point
        size = max(group) + 1
        graph = coo_array((cost[best], (row[best], column[best])), shape=(size, size))
        tree = minimum_spanning_tree(graph.tocsr()).tocoo()
        bridges = set(zip(tree.row.tolist(), tree.col.tolist(), strict=True))
        for k in best:
            if (row[k], column[k]) in bridges:
                places.append(tuple(int(p) + s.start for p, s in zip(middle[k], box, strict=True)))
    return places
