r"""Persistence pairs of a volume: components, tunnels and cavities, each with its two voxels.

In three dimensions a feature has one of three kinds. A *component* (dimension 0) is born at a
maximum and dies at the voxel where it meets an older one. A *tunnel* (dimension 1) is a loop of
foreground: it is born with the voxel that closes the loop and dies with the one that completes a
membrane across it. A *cavity* (dimension 2) is a component of the background: it is born with the
voxel that closes its wall, and dies at its minimum, when it is filled.

**Only the order counts.** Sort all voxels by falling value, equal ones by flat index; from then on
a voxel is its place in this order, its *rank*, and there are no ties.

**Connectivity 1** is the cubical complex whose vertices are the voxels: edges join 6 neighbours,
squares and cubes fill in between, and a cell enters with the last of its voxels. Components are
found by walking through the voxels with union-find, tunnels by reducing the matrix of squares and
edges, cavities by walking back with union-find on the cubes: see the module `loops` for both.

**Connectivity 3** needs no second theory: we look at the other side. Where the foreground has 26
neighbours, the background has 6. Walked through backwards it is a volume of connectivity 1, whose
components are the foreground's cavities. A tunnel of foreground is a place where a loop of
background passes through it: the two are linked like links of a chain, and live between the same
two voxels (Alexander duality, [1]_)::

        foreground ring      #  #  #          background loop: down through the ring's middle,
        seen from above      #  .  #          round the outside and back. It opens where the ring
                             #  #  #          is filled, and is filled where the ring is broken.

So births and deaths change places, dimension 0 is exchanged with dimension 2, and an outside that
is background ("open") becomes a frame that comes first.

**Modulo 2.** A loop that winds twice round a Moebius band is the band's boundary if one counts
modulo 2, and bounds nothing there if one does not. Where noise holds such bands, some tunnels are
paired otherwise modulo 2 (as here) than modulo a larger prime (GUDHI's default is 11): about one in
ten thousand in white noise of 64x64x64 voxels. How many tunnels there are at a threshold is the
same.

References
----------
.. [1] A. Garin, T. Heiss, K. Maggs, B. Bleile, V. Robins, "Duality in persistent homology of
       images", SoCG Young Researchers Forum 2020. arXiv:2005.04597
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .frame import OFFSETS, flat_steps, inside, unframe
from .kernels import kernel
from .loops import close_cavities, edge_number, entering_squares, pair_loops
from .order import argsort_falling, empty_keys, find_root

__all__: list[str] = []


def pairs_3d(
    image: np.ndarray, connectivity: int, closed: bool, wanted: list[bool], least: np.floating
) -> tuple[Any, ...]:
    """Compute the arrays of `PersistencePairs` for a volume that was checked.

    `wanted` says of each dimension whether it is; kept is what is more persistent than `least`.
    """
    order = argsort_falling(image.ravel(), empty_keys(image.dtype))
    if connectivity == 1:
        pairs, _ = _pairs(image.shape, order, closed, wanted)
        closing = np.full(len(pairs[1][0]), -1)
    else:
        dual, squares = _pairs(image.shape, order[::-1], not closed, wanted[::-1])
        pairs = [(born, died) for died, born in dual[::-1]]
        # The square of background that fills a loop of it is the edge that closes the tunnel.
        closing = 16 * pairs[1][0] + 4 + squares
    if wanted[1]:
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size, dtype=order.dtype)
        born, died = pairs[1]
        rising = np.lexsort((rank[died], -rank[born]))
        pairs[1] = born[rising], died[rising]
        closing = closing[rising]
    if wanted[0]:
        born, died = pairs[0]
        pairs[0] = np.append(-1 if closed else order[0], born), np.append(-1, died)
    if wanted[2] and closed:
        born, died = pairs[2]
        pairs[2] = np.append(born, -1), np.append(died, order[-1])
    return assemble(image, pairs, closing, least)


def assemble(
    image: np.ndarray, pairs: list[Any], edges: np.ndarray, least: np.floating
) -> tuple[Any, ...]:
    """Make the arrays of `PersistencePairs` of births and deaths by dimension, and closing edges.

    These are the tunnels'; what is not more persistent than `least` is left out.
    """
    values = image.ravel()
    dimension = np.repeat(np.arange(3, dtype=np.int8), [len(born) for born, _ in pairs])
    birth_index, death_index = (np.concatenate(part) for part in zip(*pairs, strict=True))
    closing = np.full(len(dimension), -1)
    closing[dimension == 1] = edges
    birth = np.where(birth_index < 0, image.dtype.type(1), values[birth_index])
    death = np.where(death_index < 0, image.dtype.type(0), values[death_index])
    keep = (birth - death > least) | (death_index == -1)
    columns = (dimension, birth, death, birth_index, death_index, closing)
    return tuple(column[keep] for column in columns)


def _pairs(
    shape: tuple[int, ...], order: np.ndarray, outside: bool, wanted: list[bool]
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Return for each dimension the voxels of births and of deaths, for connectivity 1.

    The second result are the squares that fill the loops, each as its number at its last voxel.

    Voxels enter in the order given. With `outside` a frame of voxels around the image comes first.
    The essential component is left out, and so is the cavity of this frame; for a dimension that is
    not wanted both arrays are empty.
    """
    before = 0
    if outside:
        image = inside(shape)
        shape = tuple(n + 2 for n in shape)
        around = np.ones(np.prod(shape), np.bool_)
        around[image] = False
        before = int(np.count_nonzero(around))
        order = np.concatenate((np.flatnonzero(around).astype(np.int32), image[order]))
    framed = tuple(n + 2 for n in shape)  # this frame never enters
    entry = inside(shape)[order]
    rank = np.full(np.prod(framed), order.size, np.int32)
    rank[entry] = np.arange(order.size, dtype=np.int32)
    steps = flat_steps(OFFSETS[3, 1], framed)

    none = np.empty(0, np.int32)
    pairs, number = [(none, none)] * 3, none
    if wanted[0] or wanted[1]:
        joins, *pairs[0] = _join_components(entry, rank, steps)
    if wanted[1] or wanted[2]:
        squares = entering_squares(rank, steps)
        encloses, *pairs[2] = close_cavities(entry, rank, steps, squares)
    if wanted[1]:
        _, *pairs[1], number = pair_loops(entry, rank, steps, joins, squares & ~encloses)
    result = []
    for k, (born, died) in enumerate(pairs):
        # What the frame's voxels close and fill among themselves is no feature of the image.
        keep = (rank[born if k else died] >= before) & wanted[k]
        number = number[keep] if k == 1 else number
        born, died = unframe(born[keep], framed), unframe(died[keep], framed)
        if outside:
            born, died = unframe(born, shape), unframe(died, shape)
        result.append((born, died))
    return result, number


@kernel
def _join_components(order, rank, steps):
    """Walk through the voxels, join the components that meet, and pair the younger ones.

    Edges enter with the later of their ends, those of one voxel in the order of the other ends; the
    parameters are those of the kernels in `loops`. Returns for each edge whether two components
    meet there, and of each component that dies its first voxel and the one with which it meets an
    older one. A voxel that at once joins its neighbours is no component.
    """
    joins = np.zeros(3 * rank.size, np.bool_)
    parent = np.arange(rank.size).astype(np.int32)  # the root of a component is its first voxel
    near = np.empty(6, np.int64)
    first, last = np.empty(1024, np.int32), np.empty(1024, np.int32)
    pairs = 0
    for p in order:
        n = 0
        for s in steps:
            if rank[p + s] > rank[p]:
                continue
            i = n
            while i > 0 and rank[near[i - 1]] > rank[p + s]:
                near[i] = near[i - 1]
                i -= 1
            near[i] = p + s
            n += 1
        for q in near[:n]:
            old, young = find_root(parent, q), find_root(parent, p)
            if old == young:
                continue
            joins[edge_number(p, q, steps)] = True
            if rank[old] > rank[young]:
                old, young = young, old
            parent[young] = old
            if young == p:
                continue
            if pairs == first.size:
                first, last = np.concatenate((first, first)), np.concatenate((last, last))
            first[pairs], last[pairs] = young, p
            pairs += 1
    return joins, first[:pairs], last[:pairs]
