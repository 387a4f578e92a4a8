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

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from .checks import check_same_shape
from .topology.grid import Border, check_border, check_connectivity, check_mask
from .topology.ignored import fill_ignored
from .topology.union import Parts, components_in_union, holes_in_union, shared_homes

__all__ = ["KINDS", "Difference", "count_kinds", "topology_differences"]

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
    prediction: Any,
    truth: Any,
    *,
    connectivity: int | None = None,
    border: Border = "open",
    ignored: Any = None,
) -> list[Difference]:
    """Find and name the places where the topology of two masks differs.

    Parameters
    ----------
    prediction, truth, connectivity, border, ignored
        Masks of one shape; see `toposeg_lite.metrics`. With a closed border all that it cuts is one
        component of either mask, and the regions that it encloses are holes.

    Returns
    -------
    list of Difference
        In the order of `KINDS`, then of their positions. The holes of a volume are its cavities;
        tunnels have no place of their own and are not listed.

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
    if ignored is not None:
        ignored = check_mask(ignored, "ignored")
        check_same_shape(truth, ignored, ("truth", "ignored"))
        prediction, truth = (fill_ignored(mask, ignored)[0] for mask in (prediction, truth))
    # One pixel around both, background or frame, which is the same thing in both.
    frame = border == "closed"
    prediction, truth = (np.pad(m, 1, constant_values=frame) for m in (prediction, truth))
    ours, wanted, union = components_in_union(prediction, truth, connectivity)
    shared = shared_homes(ours, wanted)
    breaks, spurious = _left_over(ours, shared)
    merges, missing = _left_over(wanted, shared)
    our_holes, true_holes = holes_in_union(prediction, truth, connectivity)
    shared = shared_homes(our_holes, true_holes)
    _, false = _left_over(our_holes, shared)
    _, absent = _left_over(true_holes, shared)
    here, there, both = ours.runs.paint(), wanted.runs.paint(), union.paint()
    places = {
        "break": _gaps(here, breaks, both),
        "spurious component": _insides(here, spurious),
        "false merge": _gaps(there, merges, both),
        "missing component": _insides(there, missing),
        "false hole": _insides(our_holes.runs.paint(), false),
        "missing hole": _insides(true_holes.runs.paint(), absent),
    }
    # Back to the image's own pixels; a gap may lie in the frame.
    last = np.array(truth.shape) - 3
    return [
        Difference(kind, tuple(np.clip(np.subtract(place, 1), 0, last).tolist()))
        for kind in KINDS
        for place in sorted(places[kind])
    ]


def count_kinds(differences: Iterable[Difference]) -> dict[str, int]:
    """Return how many of some differences are of each kind, in the order of `KINDS`.

    >>> found = topology_differences([[1, 0, 1]], [[1, 1, 1]])
    >>> {kind: count for kind, count in count_kinds(found).items() if count}
    {'break': 1}
    """
    counts = dict.fromkeys(KINDS, 0)
    if isinstance(differences, str) or not isinstance(differences, Iterable):
        raise TypeError(f"differences must hold Difference objects; got {differences!r}")
    for difference in differences:
        if not isinstance(difference, Difference):
            raise TypeError(f"differences must hold Difference objects; got {difference!r}")
        counts[difference.kind] += 1
    return counts


def _left_over(parts: Parts, shared: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Return what the matching leaves over of a mask's components, or of its holes.

    First the groups that share a home, in which the other mask has a part, too: one of a group has
    a partner, the others are pieces. Then those without a home, or in one without such a part.
    """
    members = [np.flatnonzero(parts.home == home).tolist() for home in shared]
    alone = ~np.isin(parts.home, shared)
    alone[0] = False  # what is labelled 0 is no part
    return [group for group in members if len(group) > 1], np.flatnonzero(alone).tolist()


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
        # scipy.sparse.csgraph has taken 32 bits alone until 1.16.
        row, column = (np.concatenate(each).astype(np.int32) for each in (rows, columns))
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
