"""Name each place where the topology of a prediction differs from that of its reference.

The Betti error counts such places but does not show them. Here every component and every hole of
the prediction is paired with at most one of the reference: the two that share most pixels first.
What is left over is a difference, and it has a kind:

===================  ==========================================================================
break                a further piece of a component of the reference that already has its partner
spurious component   a component of the prediction that shares no pixel with the reference
false merge          a component of the reference, beside another one, within one of the prediction
missing component    a component of the reference that shares no pixel with the prediction
false hole           a hole of the prediction that is left over
missing hole         a hole of the reference that is left over: filled, or opened at its rim
===================  ==========================================================================

As every pair takes one from either side, the kinds explain the Betti numbers exactly: breaks and
spurious components minus false merges and missing components is the difference of the numbers of
components, and so for holes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from .topology.components import label_components
from .topology.grid import check_connectivity, check_mask, check_same_shape, dual_connectivity

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
    prediction: Any, truth: Any, *, connectivity: int | None = None
) -> list[Difference]:
    """Find and name the places where the topology of two masks differs.

    Parameters
    ----------
    prediction, truth : (H, W) or (D, H, W) array of bool, or of the numbers 0 and 1
        Masks of one shape.
    connectivity : int, optional
        Of the foreground: 1 (4 neighbours in 2D, 6 in 3D) or the number of axes (8, 26; default).

    Returns
    -------
    list of Difference
        In the order of `KINDS`, then of their positions. The holes of a volume are its cavities;
        tunnels have no place of their own and are not listed.

    Raises
    ------
    TypeError, ValueError
        If a mask is not binary, is empty or has neither 2 nor 3 axes; if the shapes differ; if
        `connectivity` is neither 1 nor the number of axes.

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
    ours, _ = label_components(prediction, connectivity=connectivity)
    wanted, _ = label_components(truth, connectivity=connectivity)
    breaks, spurious, merges, missing = _leftovers(ours, wanted)
    dual = dual_connectivity(connectivity, truth.ndim)
    our_holes, true_holes = _label_holes(prediction, dual), _label_holes(truth, dual)
    split, false, joined, absent = _leftovers(our_holes, true_holes)
    found = {
        "break": _gaps(ours, breaks),
        "spurious component": _insides(ours, spurious),
        "false merge": _gaps(wanted, merges),
        "missing component": _insides(wanted, missing),
        "false hole": _insides(our_holes, false + _all_but_first(split)),
        "missing hole": _insides(true_holes, absent + _all_but_first(joined)),
    }
    return [Difference(kind, place) for kind in KINDS for place in sorted(found[kind])]


def _label_holes(mask: np.ndarray, connectivity: int) -> np.ndarray:
    """Label the components of the background that do not reach the border."""
    labels, _ = label_components(~mask, connectivity=connectivity)
    inner = (slice(1, -1),) * mask.ndim
    border = np.ones(mask.shape, bool)
    border[inner] = False
    labels[np.isin(labels, labels[border])] = 0
    return labels


def _leftovers(
    ours: np.ndarray, wanted: np.ndarray
) -> tuple[list[list[int]], list[int], list[list[int]], list[int]]:
    """Pair the labels of two images by their overlap and group what is left over.

    Returns
    -------
    pieces : list of list of int
        Labels of `ours` that lie mostly in one label of `wanted`: its partner, then the others.
    spurious : list of int
        Labels of `ours` that overlap nothing.
    joined, missing
        The same for the labels of `wanted`.
    """
    both = (ours > 0) & (wanted > 0)
    pairs, sizes = np.unique(np.stack([ours[both], wanted[both]]), axis=1, return_counts=True)
    # The largest overlap first; among equals the smallest labels, as unique() has sorted them.
    ranked = pairs[:, np.argsort(-sizes, kind="stable")].T.tolist()
    partner_of_ours: dict[int, int] = {}
    partner_of_wanted: dict[int, int] = {}
    for a, b in ranked:
        if a not in partner_of_ours and b not in partner_of_wanted:
            partner_of_ours[a], partner_of_wanted[b] = b, a
    pieces: dict[int, list[int]] = {b: [a] for b, a in partner_of_wanted.items()}
    joined: dict[int, list[int]] = {a: [b] for a, b in partner_of_ours.items()}
    seen_ours, seen_wanted = set(partner_of_ours), set(partner_of_wanted)
    for a, b in ranked:
        # Of a leftover overlap at least one label has a partner: else they would have been paired.
        if a not in seen_ours:
            pieces[b].append(a)
            seen_ours.add(a)
        if b not in seen_wanted:
            joined[a].append(b)
            seen_wanted.add(b)
    return (
        [group for group in pieces.values() if len(group) > 1],
        [a for a in np.unique(ours[ours > 0]).tolist() if a not in seen_ours],
        [group for group in joined.values() if len(group) > 1],
        [b for b in np.unique(wanted[wanted > 0]).tolist() if b not in seen_wanted],
    )


def _all_but_first(groups: list[list[int]]) -> list[int]:
    """Return the members of all groups, each without its first."""
    return [label for group in groups for label in group[1:]]


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


def _gaps(labels: np.ndarray, groups: list[list[int]]) -> list[tuple[int, ...]]:
    """Return the middles of the shortest gaps that, bridged, make each group one piece."""
    boxes = ndimage.find_objects(labels)
    places = []
    for group in groups:
        sides = zip(*(boxes[label - 1] for label in group), strict=True)
        box = tuple(slice(min(s.start for s in a), max(s.stop for s in a)) for a in sides)
        part = labels[box]
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
            costs.append((distance[low] + distance[high])[meet])
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
