"""SWC, the format of tracing tools: a line for each node, with its parent; trees, so no loops.

A node is ``number type x y z radius parent``, and the parent of a root is -1. `write_swc` writes
the pixels of a skeleton as nodes, from an end of each component on. A loop is cut: where it closes,
one more node stands in the place of the node that it leads to. So no length is lost, and a reader
that takes nodes in one place for one node, as `read_swc` does, has the loop again.

Which pixels are joined: neighbours, by shortest steps first. Pixels that touch each other by
edges and corners fill triangles, at forks for example, and these are no loops. What counts as a
loop is what the triangles between touching pixels do not fill: pixels are closed squares (cubes),
and the complex of their contacts has the topology of their union [1]_.

References
----------
.. [1] The nerve theorem; boxes that meet two by two have a point in common. H. Edelsbrunner,
       J. Harer, "Computational Topology", AMS 2010, chapter III.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from scipy import ndimage

__all__ = ["PixelGraph", "pixel_graph", "read_swc", "write_swc"]


class PixelGraph(NamedTuple):
    """A skeleton as a graph of its pixels without any cycle that is no loop of the skeleton.

    Attributes
    ----------
    pixels : (n, ndim) array of int64
        The pixels, by flat index.
    tree : (m, 2) array of int64
        Which are joined: a forest that reaches all pixels of a component.
    closing : (l, 2) array of int64
        The steps that close the loops, one for each.
    """

    pixels: np.ndarray
    tree: np.ndarray
    closing: np.ndarray


def pixel_graph(skeleton: np.ndarray) -> PixelGraph:
    """Return the graph of a thin mask.

    Examples
    --------
    >>> graph = pixel_graph(np.array([[1, 1, 0], [0, 1, 1]], bool))
    >>> graph.tree.tolist(), graph.closing.tolist()  # one of the two diagonal steps is none
    ([[0, 1], [1, 2], [2, 3]], [])
    """
    pixels = np.argwhere(skeleton)
    steps = _contacts(skeleton, pixels)
    is_tree = _forest(steps, len(pixels))
    killed = _filled(steps)
    closing = steps[~is_tree & ~killed]
    return PixelGraph(pixels, steps[is_tree], closing)


def write_swc(
    skeleton: np.ndarray, depth: np.ndarray, scale: np.ndarray, note: str = "toposeg_lite"
) -> str:
    """Return the text of an SWC file of a thin mask.

    `depth` is the distance of each pixel to the background, in the unit of `scale`, the length of a
    pixel along each axis. A line one pixel wide has the radius of half a pixel.
    """
    graph = pixel_graph(skeleton)
    parent, order = _rooted(graph)
    places = np.zeros((len(graph.pixels), 3))
    places[:, : skeleton.ndim] = (graph.pixels * scale)[:, ::-1]
    radii = depth[skeleton] - scale.min() / 2
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(1, len(order) + 1)
    lines = [
        f"# {note}; x y z and radius in units of which a pixel has (z y x) {scale.tolist()}",
        f"# loops cut: {len(graph.closing)}, each by a last node in the place of another one",
    ]

    def row(node: int, at: int, parent: int) -> str:
        x, y, z, radius = (repr(float(value)) for value in (*places[at], radii[at]))
        return f"{node} 0 {x} {y} {z} {radius} {parent}"

    for at in order:
        above = parent[at]
        lines.append(row(number[at], at, -1 if above < 0 else number[above]))
    for k, (first, last) in enumerate(graph.closing, len(order) + 1):
        lines.append(row(k, last, number[first]))
    return "\n".join(lines) + "\n"


def read_swc(text: str) -> list[tuple[np.ndarray, np.ndarray]]:
    r"""Return the ways between ends and forks: places (k, 3) as x, y, z and radii (k,) of each.

    A node alone is a way of one place. Raise ValueError if the text is no SWC.

    Examples
    --------
    >>> ways = read_swc("1 0 0 0 0 1 -1\n2 0 3 0 0 1 1\n3 0 3 4 0 1 2\n")
    >>> [places.tolist() for places, _ in ways]
    [[[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 4.0, 0.0]]]
    """
    rows = [line.split() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    if any(len(row) < 7 for row in rows):
        bad = next(row for row in rows if len(row) < 7)
        raise ValueError(f"a node must have seven numbers; got {' '.join(bad)[:80]!r}")
    try:
        values = np.array([row[2:6] for row in rows], np.float64).reshape(-1, 4)
        names = [int(row[0]) for row in rows]
        parents = [int(row[6]) for row in rows]
    except ValueError as error:
        raise ValueError(f"a node must be of numbers: {error}") from None
    if not np.isfinite(values).all():
        raise ValueError("a node has numbers that are not finite")
    if len(set(names)) != len(names):
        raise ValueError("two nodes have one number")
    row_of = {name: k for k, name in enumerate(names)}
    missing = [p for p in parents if p != -1 and p not in row_of]
    if missing:
        raise ValueError(f"the parent {missing[0]} is no node")
    places, node = np.unique(values[:, :3], axis=0, return_inverse=True)
    node = node.reshape(-1)
    radii = np.zeros(len(places))
    np.maximum.at(radii, node, values[:, 3])
    joined: list[list[int]] = [[] for _ in places]
    for k, p in enumerate(parents):
        if p == -1:
            continue
        a, b = int(node[k]), int(node[row_of[p]])
        if a != b and b not in joined[a]:
            joined[a].append(b)
            joined[b].append(a)
    # Ways by the order of the file, not of the places.
    first = np.full(len(places), len(rows))
    np.minimum.at(first, node, np.arange(len(rows)))
    return [(places[way], radii[way]) for way in _ways(joined, np.argsort(first).tolist())]


def _ways(joined: list[list[int]], order: list[int]) -> list[list[int]]:
    """Return the ways of a graph between nodes that have not two neighbours, and its rings."""
    ways = [[node] for node in order if not joined[node]]
    used: set[tuple[int, int]] = set()
    knots = [node for node in order if len(joined[node]) != 2]
    for start in [*knots, *order]:  # what the knots do not reach are rings
        for following in joined[start]:
            if (start, following) in used:
                continue
            way = [start, following]
            while len(joined[way[-1]]) == 2 and way[-1] != start:
                a, b = joined[way[-1]]
                way.append(b if a == way[-2] else a)
            for a, b in pairwise(way):
                used |= {(a, b), (b, a)}
            ways.append(way)
    return ways


def _contacts(skeleton: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return all pairs of pixels that touch, (m, 2): the shortest steps first, then by index."""
    number = np.full(np.array(skeleton.shape) + 2, -1, np.int64)
    inner = pixels + 1
    number[tuple(inner.T)] = np.arange(len(pixels))
    steps = [np.empty((0, 2), np.int64)]
    lengths = [np.empty(0, np.int64)]
    for offset in product((-1, 0, 1), repeat=skeleton.ndim):
        if offset <= (0,) * skeleton.ndim:
            continue  # each pair once
        other = number[tuple((inner + np.array(offset)).T)]
        found = np.flatnonzero(other >= 0)
        steps.append(np.stack([found, other[found]], axis=1))
        lengths.append(np.full(len(found), np.abs(offset).sum()))
    joined, length = np.concatenate(steps), np.concatenate(lengths)
    return joined[np.lexsort((joined[:, 1], joined[:, 0], length))]


def _forest(steps: np.ndarray, count: int) -> np.ndarray:
    """Say for each step whether it joins what the steps before it do not join."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    is_tree = np.zeros(len(steps), bool)
    for k, (a, b) in enumerate(steps.tolist()):
        first, second = root(a), root(b)
        if first != second:
            parent[second] = first
            is_tree[k] = True
    return is_tree


def _filled(steps: np.ndarray) -> np.ndarray:
    """Say for each step whether the loop that it closes is filled by triangles of contacts.

    By reduction: the boundary of each triangle, less those before it, is a cycle that is filled;
    its last step closes nothing else.
    """
    place = {(a, b): k for k, (a, b) in enumerate(steps.tolist())}
    touching: dict[int, set[int]] = {}
    for a, b in place:
        touching.setdefault(a, set()).add(b)
        touching.setdefault(b, set()).add(a)
    triangles = sorted(
        sorted((place[a, b], place[a, c], place[b, c]), reverse=True)
        for a, b in place
        for c in touching[a] & touching[b]
        if c > b
    )
    killed = np.zeros(len(steps), bool)
    columns: dict[int, set[int]] = {}
    for triangle in triangles:
        column = set(triangle)
        while column:
            last = max(column)
            if last not in columns:
                columns[last] = column
                killed[last] = True
                break
            column = column ^ columns[last]
    return killed


def _rooted(graph: PixelGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return the parent of each pixel (-1 of a root) and an order in which parents come first.

    A root is the first pixel of its component that has one neighbour at most, else the first.
    """
    count = len(graph.pixels)
    joined: list[list[int]] = [[] for _ in range(count)]
    for a, b in graph.tree.tolist():
        joined[a].append(b)
        joined[b].append(a)
    ends = [k for k in range(count) if len(joined[k]) <= 1]
    parent, order = np.full(count, -1, np.int64), []
    seen = np.zeros(count, bool)
    for start in [*ends, *range(count)]:
        if seen[start]:
            continue
        seen[start] = True
        todo = [start]
        while todo:
            node = todo.pop()
            order.append(node)
            for other in joined[node][::-1]:
                if not seen[other]:
                    seen[other] = True
                    parent[other] = node
                    todo.append(other)
    return parent, np.array(order, np.int64)


def depth_of(mask: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel to the background, which also lies around the image."""
    inner = (slice(1, -1),) * mask.ndim
    return ndimage.distance_transform_edt(np.pad(mask, 1), sampling=scale)[inner]
