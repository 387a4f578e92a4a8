"""The discrete Morse complex: the ridges of a likelihood image, and what they are worth.

**Seen as a landscape**, a likelihood image is made of peaks, passes and pits. Thin structures
(vessels, membranes, roads) are its *ridges*: the steepest ways up from a pass to the peaks on both
sides. Two ridges meet at each pass, and together they are a *branch*, the 1-stable manifold of the
discrete Morse complex there; the branches that matter make the skeleton [1]_ [2]_ [3]_.

**The complex.** Pixels are vertices. With connectivity 1, edges join the 4 (in 3D: 6) neighbours
and squares (and cubes) fill in between. With connectivity 2, edges join the 8 neighbours, and each
block of 2x2 pixels is filled. Let a threshold fall from 1 to 0: pixels enter by falling value,
equal ones by flat index, and a cell enters with the last of its pixels.

**What happens at a pixel p** is said by its *upper link*: the neighbours that entered before, and
the cells between them [3]_ [4]_. From p, one edge goes to each component of the upper link, to the
highest pixel in it::

    upper link           p is a         its edges
    empty                peak           none
    one component        regular        the arrow of p, to its highest neighbour
    a ring around p      pit (in 2D)    the arrow; a hole is filled
    two or more          pass           the arrow, and one *critical edge* to each other component

        9  8  1
        2  p  1          p = 5, with 8 neighbours: the components are {9, 8} and {7}.
        7  3  4          The arrow goes to 9, a critical edge to 7.

Following arrows from a pixel leads along a *V-path*, the way of steepest ascent, to a peak. All the
pixels that end at one peak are its tree. A critical edge enters with p and either joins two trees
(more exactly: two components of the superlevel set), and the lower of their highest peaks *dies*;
or it joins a component with itself, and closes a loop, which in 2D parts the background in two. The
side whose deepest pit is the shallower is what the loop encloses, until that pit is filled. The
difference in value between the edge and the peak that it kills, or the pit that it encloses, is the
*persistence* of the edge: the depth to which one must scratch the image to be rid of it. These are
the pairs of `persistence_pairs`, of dimension 0 with peaks, and of dimension 1 with pits.

**Two thresholds**, which do different things:

``min_persistence`` *simplifies*. Passes of at most this persistence are taken for noise. A loop is
dropped. A join is *cancelled* with the peak that dies there: this peak's V-paths are prolonged down
to the pass and up on the other side, so that they end at the next peak that survives [2]_. So two
components stay joined whatever the threshold: nothing is ever cut, and skeletons of higher
thresholds lie within those of lower ones.

``saddle_level`` *cuts*. A bridge over a deep valley is very persistent, since the peak on its other
side stands high above the valley; no threshold of persistence takes the bridge and leaves the peak.
All critical edges of a value below `saddle_level` are cut, cancelled ones too, and so are the paths
across them: what remains lies in the superlevel set at that level, and is connected as it is.

::

       image (one row)        .9 .8 .9 .2 .7 .6 .7
       its passes                 .1    .5    .1      (persistence)
       skeleton()              #  #  #  #  #  #  #
       skeleton(.3)            #  #  #  #  #  .  .    both bumps are gone, the bridge stays
       skeleton(0, .4)         #  #  #  .  #  #  #    the bridge is cut
       skeleton(.3, .4)        #  .  .  .  #  .  .    two structures, one pixel each
       skeleton(.6)            #  .  .  .  .  .  .    the highest peak always stays

**Patches** are the other side: the basins of the *pits*, with the connectivity of the background.
Where the foreground is membranes, patches are the cells between them.

**How it is computed.** All of it once, in an order that makes thresholds free to choose. The passes
alone are sorted; union-find over the trees tells joins from loops; in 2D the loops are paired by
union-find over the basins, from the last to the first [5]_, in 3D as in the module `loops`. Arrows
and joins together form one tree that spans the image, and the skeleton at a threshold is the part
of it that the surviving peaks and the ends of the surviving loops span. Hung from the highest peak,
each pixel of it is needed up to some threshold. The pixels are listed by that threshold, so a
skeleton is the head of a list. The cost is one pass over the pixels and a radix sort of the passes:
it grows linearly. In 3D the loops cost more, in theory cubically, in practice little.

References
----------
.. [1] X. Hu, Y. Wang, L. Fuxin, D. Samaras, C. Chen, "Topology-aware segmentation using discrete
       Morse theory", ICLR 2021. arXiv:2103.09992
.. [2] T. K. Dey, J. Wang, Y. Wang, "Graph reconstruction by discrete Morse theory", SoCG 2018.
       arXiv:1803.05093
.. [3] R. Forman, "Morse theory for cell complexes", Advances in Mathematics 134 (1998).
       doi:10.1006/aima.1997.1650
.. [4] V. Robins, P. J. Wood, A. P. Sheppard, "Theory and algorithms for constructing discrete Morse
       complexes from grayscale digital images", IEEE TPAMI 33 (2011). doi:10.1109/TPAMI.2011.95
.. [5] A. Garin, T. Heiss, K. Maggs, B. Bleile, V. Robins, "Duality in persistent homology of
       images", SoCG Young Researchers Forum 2020. arXiv:2005.04597
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..checks import check_fraction
from .critical import (
    UPPER_LINKS,
    Landscape,
    climb,
    critical_edges_2d,
    critical_edges_3d,
    is_older,
    join_components,
    loop_deaths_2d,
    rows_inside,
)
from .frame import OFFSETS, flat_steps, inside, later_steps, plane_steps, unframe, upper_masks
from .grid import check_connectivity, check_image, dual_connectivity
from .kernels import kernel
from .loops import loop_deaths_3d
from .order import argsort_falling, empty_keys, find_root, sort_falling

__all__ = ["Branches", "MorseComplex", "Skeleton", "morse_complex"]


# --- The results ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Branches:
    """The branches of an image, the most persistent first: one entry of each array for each.

    Attributes
    ----------
    dimension : (n,) array of int8
        0 where the branch joins two components, 1 where it closes a loop.
    persistence : (n,) array of float32 or float64
        How much lower the branch is than the peak that dies at it (dimension 0), or how much higher
        than the pixel at which its loop is filled (dimension 1).
    saddle : (n,) array of int64
        The pass: flat index (C order) of the lower pixel of the critical edge.
    saddle_value : (n,) array of float32 or float64
        The image's value there, the lowest of the branch.

    Notes
    -----
    The other attributes are worked out when first looked at. Branches that end at the same peak may
    share their last pixels, as may the two halves of one. So all paths together may be many times
    longer than the skeleton; `Skeleton.paths` has each pixel once.
    """

    dimension: np.ndarray
    persistence: np.ndarray
    saddle: np.ndarray
    saddle_value: np.ndarray
    _measure: Callable[[], Ways]

    def __len__(self) -> int:
        return len(self.saddle)

    def __repr__(self) -> str:
        joins = int(np.count_nonzero(self.dimension == 0))
        return f"Branches({joins} that join, {len(self) - joins} that close loops)"

    @cached_property
    def ways(self) -> Ways:
        """How the paths run, as positions in the complex's `SpanningTree`."""
        return self._measure()

    @property
    def ends(self) -> np.ndarray:
        """The two peaks, (n, 2) int64, where each path begins and ends; they may be the same."""
        return self.ways.ends

    @property
    def length(self) -> np.ndarray:
        """The length of each path, (n,) float64; a diagonal step counts as the root of two."""
        return self.ways.length

    @property
    def mean_likelihood(self) -> np.ndarray:
        """Mean of the image over the pixels of each path, (n,) float64."""
        return self.ways.mean_likelihood

    @cached_property
    def paths(self) -> list[np.ndarray]:
        """The pixels of each branch as flat indices, from peak to peak by way of the pass."""
        m = self.ways
        return split_paths(_walk(m.pixel, m.uphill, m.starts, m.middle, m.offsets), m.offsets)


class Ways(NamedTuple):
    """The ways from the ends of critical edges up to the peaks that survive."""

    ends: np.ndarray
    length: np.ndarray
    mean_likelihood: np.ndarray
    pixel: np.ndarray  # of `SpanningTree`
    uphill: np.ndarray  # the next step on the way to the peak that survives, as positions there
    starts: np.ndarray  # (2, n): the lower and the upper end of each branch's edge
    middle: np.ndarray  # where in one array of all paths the upper end of each edge comes
    offsets: np.ndarray  # where the paths begin, and the end of the last


@dataclass(frozen=True, eq=False, repr=False)
class Skeleton:
    """A skeleton as a mask, and as a graph whose nodes are its peaks and forks.

    Attributes
    ----------
    mask : bool array of the image's shape
        True on the skeleton.

    Notes
    -----
    The graph is traced when one of its attributes is first looked at. No step from pixel to pixel
    belongs to two edges, so the number of independent loops is ``len(edges) - len(nodes) + c`` with
    the number c of connected parts. The mask alone has others: paths that run side by side fill or
    enclose pixels without being joined.
    """

    mask: np.ndarray
    _trace: Callable[[], _Graph]

    def __repr__(self) -> str:
        count = int(np.count_nonzero(self.mask))
        return f"Skeleton({count} pixels, {len(self.nodes)} nodes, {len(self.edges)} edges)"

    @cached_property
    def _graph(self) -> _Graph:
        return self._trace()

    @property
    def nodes(self) -> np.ndarray:
        """The peaks that survive and the pixels where paths fork: (n,) int64, flat indices."""
        return self._graph.nodes

    @property
    def edges(self) -> np.ndarray:
        """The nodes that each edge joins, (m, 2) int64, as positions in `nodes`.

        Two nodes may be joined more than once, and a node with itself: a ring with one peak is one
        node with one edge.
        """
        return self._graph.edges

    @cached_property
    def paths(self) -> list[np.ndarray]:
        """The pixels of each edge as flat indices, from node to node and both included."""
        return split_paths(self._graph.pixels, self._graph.offsets)


class _Graph(NamedTuple):
    """What `_trace` finds; the pixels of edge k are ``pixels[offsets[k]:offsets[k + 1]]``."""

    nodes: np.ndarray
    edges: np.ndarray
    pixels: np.ndarray
    offsets: np.ndarray


def split_paths(pixels: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Cut one array into the paths that lie in it end to end."""
    bounds = offsets.tolist()
    return [pixels[start:stop] for start, stop in pairwise(bounds)]


class CriticalEdges(NamedTuple):
    """The critical edges of positive persistence, most persistent first."""

    dimension: np.ndarray  # 0: joins two components; 1: closes a loop
    persistence: np.ndarray
    value: np.ndarray  # of the image, at the lower end
    saddle: np.ndarray  # the lower end, as a flat index into the image
    lower: np.ndarray  # both ends, as positions in `SpanningTree`
    upper: np.ndarray
    peak: np.ndarray  # the peak that dies, as a position there; -1: a loop closes


class SpanningTree(NamedTuple):
    """The pixels of the finest skeleton as a tree that hangs from the highest peak.

    They are listed in the order in which they come when the persistence threshold falls; a parent
    comes before its children. With the first k critical edges the first ``size_after[k]`` are in,
    with none the highest peak alone.
    """

    pixel: np.ndarray  # flat index into the image
    place: np.ndarray  # flat index into the framed image
    parent: np.ndarray  # position in this list; -1 for the first
    height: np.ndarray  # value
    join: np.ndarray  # persistence of the joining edge from here to the parent; -1 for an arrow
    size_after: np.ndarray


class _Pits(NamedTuple):
    """The basin of each pixel, and for each basin its persistence and the one it then belongs to.

    Basins are numbered by falling persistence; the first, of the lowest pit, is never swallowed.
    """

    labels: np.ndarray
    persistence: np.ndarray
    parent: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class MorseComplex:
    """The discrete Morse complex of one image; made by `morse_complex`.

    All methods take thresholds in [0, 1] and compute nothing anew, so they keep up with a slider.
    The module's docstring says, with a drawing, what the two thresholds do.
    """

    shape: tuple[int, ...]  # of the image
    connectivity: int  # of the foreground
    critical: CriticalEdges  # all of positive persistence
    tree: SpanningTree  # the pixels of the finest skeleton, on which all others lie
    _pits: _Pits

    def __repr__(self) -> str:
        joins = int(np.count_nonzero(self.critical.dimension == 0))
        loops = len(self.critical.dimension) - joins
        return f"MorseComplex(shape={self.shape}, {joins} joins, {loops} loops)"

    def branches(self, min_persistence: float = 0.0, saddle_level: float = 0.0) -> Branches:
        """List the branches more persistent than one threshold and not below another.

        Kept are those of a persistence strictly above `min_persistence`, whose pass is not below
        `saddle_level`; equally persistent ones stand in the order in which they enter. Their paths
        lead on, through the passes that are cancelled, to peaks that survive, but across no pass
        below `saddle_level`.

        Examples
        --------
        >>> complex_ = morse_complex([[0.9, 0.8, 0.9, 0.2, 0.7, 0.6, 0.7]])
        >>> complex_.branches(0.3).paths
        [array([0, 1, 2, 3, 4])]
        >>> complex_.branches(0, 0.4).paths
        [array([0, 1, 2]), array([4, 5, 6])]
        """
        count, low, high = self._thresholds(min_persistence, saddle_level)
        critical = self.critical
        which = np.flatnonzero(critical.value[:count] >= high)
        # The step to the next row, where steps may be diagonal, and 0 where not.
        row = self.shape[-1] + 2 if self.connectivity == 2 else 0
        return Branches(
            critical.dimension[which],
            critical.persistence[which],
            critical.saddle[which],
            critical.value[which],
            partial(_measure, critical, self.tree, which, low, high, row),
        )

    def skeleton(self, min_persistence: float = 0.0, saddle_level: float = 0.0) -> Skeleton:
        """Draw the branches more persistent than one threshold and not below another.

        The peaks of a persistence above `min_persistence` are drawn, too; the highest never dies.
        Whatever is below `saddle_level` is cut: what is drawn lies in the superlevel set of it.

        With ``saddle_level=0`` the skeleton is connected and never empty, and the one of a higher
        persistence lies within that of a lower one. With ``min_persistence=0`` it has one part for
        each component of the superlevel set at `saddle_level`.
        """
        count, low, high = self._thresholds(min_persistence, saddle_level)
        tree = self.tree
        if high > 0:
            pixel, parent, renamed = _cut(self.critical, tree, low, high)
        else:
            size = tree.size_after[count]
            pixel, parent = tree.pixel[:size], tree.parent[:size]
            renamed = np.empty(0, np.int32)
        mask = np.zeros(self.shape, np.bool_)
        mask.ravel()[pixel] = True
        return Skeleton(mask, partial(_trace, pixel, parent, renamed, self.critical, count, high))

    def patches(self, min_persistence: float = 0.0) -> np.ndarray:
        """Divide the image into the basins of its pits (a watershed by persistence).

        From each pixel one comes down to a pit, going by steepest descent over neighbours in the
        connectivity of the background. Where two basins meet, the one whose pit is less deep below
        the meeting pixel is swallowed if that depth, its persistence, is not above the threshold.
        The deepest is always kept.

        Returns
        -------
        array of int32 of the image's shape
            Labels from 1, the most persistent patch first. So a patch keeps its label when the
            threshold moves, as long as it is there.

        Notes
        -----
        The image's border is a wall, not a way out: as many patches are kept as there are
        persistence pairs of the top dimension (1 in 2D, 2 in 3D) above the threshold with
        ``border="closed"``, but always one.

        Examples
        --------
        Two cells and the membrane between them, with a dent in the left cell.

        >>> complex_ = morse_complex([[0.1, 0.3, 0.2, 0.9, 0.1, 0.1]])
        >>> complex_.patches()
        array([[2, 2, 3, 1, 1, 1]], dtype=int32)
        >>> complex_.patches(0.2)
        array([[2, 2, 2, 1, 1, 1]], dtype=int32)
        """
        kind = self._pits.persistence.dtype.type
        return _name_patches(self._pits, kind(check_fraction(min_persistence, "min_persistence")))

    def _thresholds(self, min_persistence: float, saddle_level: float) -> tuple[int, Any, Any]:
        """Check both thresholds; return how many critical edges lie above the first, and both.

        They take the image's precision, so that they compare as NumPy would compare the results.
        """
        falling = self.critical.persistence
        low = falling.dtype.type(check_fraction(min_persistence, "min_persistence"))
        high = falling.dtype.type(check_fraction(saddle_level, "saddle_level"))
        count = len(falling) - int(np.searchsorted(falling[::-1], low, side="right"))
        return count, low, high


# --- Building ------------------------------------------------------------------------------------


def morse_complex(image: Any, *, connectivity: int | None = None) -> MorseComplex:
    """Compute the discrete Morse complex of a likelihood image: its branches and its patches.

    The module's docstring has the theory and the references.

    Parameters
    ----------
    image
        See the package's docstring. Nothing is quantised.
    connectivity : int, optional
        Of the foreground. In 2D: 1 for 4 neighbours or 2 for 8 (default). In 3D: 1 for 6 neighbours
        (default); 26 are refused.

    Notes
    -----
    The outside of the image is background: a structure that the border cuts off closes no loop.

    A likelihood that is 0 or 1 over wide areas has plateaus, where steepest paths follow the order
    of the indices rather than any ridge.

    Examples
    --------
    A ring around a pit, and a spot on its right, which a faint bridge of 0.3 joins to the ring.

    >>> image = np.array([[0.9, 0.8, 0.9, 0.1, 0.1],
    ...                   [0.8, 0.2, 0.7, 0.3, 0.6],
    ...                   [0.9, 0.8, 0.9, 0.1, 0.1]])
    >>> complex_ = morse_complex(image, connectivity=1)
    >>> complex_
    MorseComplex(shape=(3, 5), 4 joins, 1 loops)
    >>> def draw(mask):
    ...     for row in mask:
    ...         print(*np.where(row, "#", "."))
    >>> draw(complex_.skeleton(min_persistence=0.2).mask)
    # # # . .
    # . # # #
    # # # . .

    The bridge and the spot have persistence 0.6 - 0.3, so a higher threshold takes both, but never
    the bridge alone. That is what `saddle_level` is for.

    >>> draw(complex_.skeleton(min_persistence=0.4).mask)
    # # # . .
    # . # . .
    # # # . .
    >>> draw(complex_.skeleton(min_persistence=0.2, saddle_level=0.5).mask)
    # # # . .
    # . # . #
    # # # . .

    The graph has a node at the ring's peak with an edge round the ring, and one at the spot.

    >>> skeleton = complex_.skeleton(min_persistence=0.2, saddle_level=0.5)
    >>> skeleton.nodes, skeleton.edges
    (array([0, 9]), array([[0, 0]]))
    """
    image = check_image(image)
    if image.ndim == 3 and connectivity in (2, 3):
        raise ValueError(
            f"connectivity must be 1 (6 neighbours) for the Morse complex of an image with 3 axes, "
            f"where it is the default; got {connectivity}"
        )
    if image.ndim == 3 and connectivity is None:
        connectivity = 1
    connectivity = check_connectivity(connectivity, image.ndim)
    shape = tuple(n + 2 for n in image.shape)  # with a frame around it
    if np.prod(shape, dtype=float) >= 2**30:  # two cells a pixel are counted in int32
        raise ValueError(f"image is too large: {image.shape} has more than about 2**30 pixels")
    # Uphill in the foreground's connectivity. Downhill in that of the background is uphill in the
    # negated image read backwards: there ties are broken the other way round, too.
    heights = climb(image, -1, connectivity)
    backwards = (slice(None, None, -1),) * image.ndim
    depths = climb(-image[backwards], -2, dual_connectivity(connectivity, image.ndim))
    edges = _list_edges(image, heights, depths, connectivity)
    critical, tree = _grow_tree(heights, edges, image.shape)
    pits = _join_pits(image, heights, depths, connectivity)
    return MorseComplex(image.shape, connectivity, critical, tree, pits)


class _Edges(NamedTuple):
    """All critical edges in the order in which they enter, and what each does."""

    lower: np.ndarray
    upper: np.ndarray
    died: np.ndarray  # the number of the peak that dies there, -1 where a loop closes
    persistence: np.ndarray


def _list_edges(
    image: np.ndarray, heights: Landscape, depths: Landscape, connectivity: int
) -> _Edges:
    """List the critical edges, find what they join or close, and when loops are filled."""
    shape = tuple(n + 2 for n in image.shape)
    values, no_keys, planar = heights.values, empty_keys(image.dtype), image.ndim == 2
    steps = flat_steps(OFFSETS[image.ndim, connectivity], shape)
    if planar:
        masks = upper_masks(values.reshape(shape)).ravel()
        ends = critical_edges_2d(values, masks, *UPPER_LINKS[connectivity], plane_steps(shape[1]))
    else:
        ends = critical_edges_3d(values, rows_inside(shape), image.shape[-1], steps)
    order = argsort_falling(values[ends[0]], no_keys)
    lower, upper, *sides = (end[order] for end in ends)
    died = join_components(heights, lower, upper)
    if planar:
        left, right = sides
        filled = loop_deaths_2d(depths, left, right, died, shape)
    else:
        entry = inside(image.shape)
        entry = entry[argsort_falling(values[entry], no_keys)]
        filled = loop_deaths_3d(steps, entry, heights.uphill, lower, upper, died)
    value = values[lower]
    rise = np.where(died >= 0, values[heights.peaks[died]] - value, value - values[filled])
    return _Edges(lower, upper, died, rise)


def _grow_tree(
    heights: Landscape, edges: _Edges, shape: tuple[int, ...]
) -> tuple[CriticalEdges, SpanningTree]:
    """Span the image by a tree, and keep the part of it that any skeleton can need."""
    framed, values = tuple(n + 2 for n in shape), heights.values
    root, join = _hang(heights, edges)
    keep = np.flatnonzero(edges.persistence > 0)
    keep = keep[argsort_falling(edges.persistence[keep], empty_keys(values.dtype))]
    lower, upper, died = edges.lower[keep], edges.upper[keep], edges.died[keep]
    joins = died >= 0
    peak = np.where(joins, heights.peaks[died], -1)
    place, parent, size_after, at = _lay_out(heights.uphill, root, lower, upper, peak)
    critical = CriticalEdges(
        dimension=(~joins).astype(np.int8),
        persistence=edges.persistence[keep],
        value=values[lower],
        saddle=unframe(lower, framed),
        lower=at[0],
        upper=at[1],
        peak=at[2],
    )
    pixel = unframe(place, framed)
    return critical, SpanningTree(pixel, place, parent, values[place], join[place], size_after)


def _join_pits(
    image: np.ndarray, heights: Landscape, depths: Landscape, connectivity: int
) -> _Pits:
    """Find the pixels where basins of pits meet, and how these swallow each other."""
    shape = tuple(n + 2 for n in image.shape)
    no_keys = empty_keys(image.dtype)
    steps = later_steps(shape, dual_connectivity(connectivity, image.ndim))
    if image.ndim == 2:
        framed = heights.values.reshape(shape)
        framed[0] = framed[-1] = framed[:, 0] = framed[:, -1] = 2  # a wall; nobody needs it lower
        spots = np.flatnonzero((UPPER_LINKS[connectivity][0] > 1)[upper_masks(framed).ravel()])
    else:
        spots = _meetings(depths, steps, rows_inside(shape), image.shape[-1])
    spots = spots[argsort_falling(heights.values[spots], no_keys)]
    labels = np.ascontiguousarray(depths.basin[::-1].reshape(shape)[(slice(1, -1),) * image.ndim])
    return _Pits(labels, *_swallow(depths, steps, spots, labels.ravel(), no_keys))


# --- Kernels: the tree ---------------------------------------------------------------------------


@kernel
def _hang(heights, edges):
    """Turn the paths uphill so that all lead to the highest peak.

    Arrows and joining edges together are a tree on all pixels. We walk it from the highest peak
    outwards, basin by basin. A basin is entered at one pixel, and the path from there to the
    basin's peak turns round. `heights.uphill` is written to.

    Returns the highest peak, and for the pixels that now point along a joining edge the persistence
    of this edge, else -1.
    """
    uphill, basin, peaks = heights.uphill, heights.basin, heights.peaks
    lower, upper, died = edges.lower, edges.upper, edges.died
    join = np.full_like(heights.values, -1)
    start = np.zeros(peaks.size + 1, np.int64)  # the joining edges of each basin, as runs of a list
    for e in range(lower.size):
        if died[e] >= 0:
            start[basin[lower[e]] + 1] += 1
            start[basin[upper[e]] + 1] += 1
    for b in range(peaks.size):
        start[b + 1] += start[b]
    fill = start[:-1].copy()
    runs = np.empty(start[-1], np.int32)
    for e in range(lower.size):
        if died[e] >= 0:
            for b in (basin[lower[e]], basin[upper[e]]):
                runs[fill[b]] = e
                fill[b] += 1

    queue = np.zeros(peaks.size, np.int32)
    for b in range(1, peaks.size):
        if is_older(heights, b, queue[0]):
            queue[0] = b
    seen = np.zeros(peaks.size, np.bool_)
    seen[queue[0]] = True
    n = 1
    for i in range(peaks.size):  # an image is connected, so every basin gets its turn
        for e in runs[start[queue[i]] : start[queue[i] + 1]]:
            target, p = lower[e], upper[e]
            if basin[target] != queue[i]:
                target, p = p, target
            if seen[basin[p]]:
                continue
            seen[basin[p]] = True
            queue[n] = basin[p]
            n += 1
            join[p] = edges.persistence[e]
            _turn(uphill, p, target)
    return peaks[queue[0]], join


@kernel
def _turn(uphill, p, target):
    """Turn the path from `p` to its root round, and let `p` point to `target`."""
    while True:
        onward = uphill[p]
        uphill[p] = target
        if onward == p:
            break
        target, p = p, onward


@kernel
def _lay_out(uphill, root, lower, upper, peak):
    """List the pixels of the skeleton in the order in which it grows when the threshold falls.

    A joining edge brings the path from the peak that dies there to the root, an edge that closes a
    loop the paths from its ends. Each is new up to where it meets the skeleton, and is listed from
    there.

    Returns `place`, `parent` and `size_after` of the `SpanningTree`, and, (3, m), where in the list
    lie the lower and the upper end of each edge and its peak, -1 for none.
    """
    position = np.full(uphill.size, -1, np.int32)
    place, parent = np.empty(uphill.size, np.int32), np.empty(uphill.size, np.int32)
    new = np.empty(uphill.size, np.int32)
    size_after = np.empty(lower.size + 1, np.int64)
    position[root], place[0], parent[0] = 0, root, -1
    n = 1
    size_after[0] = n
    for e in range(lower.size):
        for p in (lower[e], upper[e]) if peak[e] < 0 else (peak[e], peak[e]):
            depth = 0
            while position[p] < 0:
                new[depth] = p
                depth += 1
                p = uphill[p]
            above = position[p]
            for p in new[:depth][::-1]:
                position[p], place[n], parent[n] = n, p, above
                above = n
                n += 1
        size_after[e + 1] = n
    at = np.full((3, lower.size), -1, np.int32)
    for e in range(lower.size):
        at[0, e], at[1, e] = position[lower[e]], position[upper[e]]
        if peak[e] >= 0:
            at[2, e] = position[peak[e]]
    return place[:n].copy(), parent[:n].copy(), size_after, at


# --- Kernels: the answers ------------------------------------------------------------------------


@kernel
def _cut(critical, tree, low, high):
    """Keep what is left of the finest skeleton when thresholds are `low` and `high`.

    The tree falls into parts at each pixel below `high`. In each part that holds a reason to be
    drawn (a surviving peak, an end of a surviving loop) stays what these and the part's highest
    peak span: the pixels that have some of them below and some elsewhere, and where they meet. A
    peak that a low pass cuts off is an end, for a part has to reach its highest peak, but no
    reason: a part with nothing else in it is not drawn. With ``low = .2`` and ``high = .35``::

        likelihood    .9  .5  .8  .3  .4        the pass of .5 joins .8, which survives: .3 > low;
        end            e       e       e        that of .3 < high cuts .4 off, an end then, but
        reason         r       r       .        .1 is no reason: its part is not drawn

    Returns `pixel` and `parent`, as in `SpanningTree`, of what is kept, and the new position in the
    list for each old one, -1 for what is gone.
    """
    parent, height = tree.parent, tree.height
    n = parent.size
    ends = np.zeros(n, np.int32)  # first at a pixel, then in the whole tree below it
    reasons = np.zeros(n, np.int32)
    children = np.zeros(n, np.int32)  # those with ends below
    ends[0] = reasons[0] = height[0] >= high
    for e in range(critical.value.size):
        survives = critical.persistence[e] > low
        joined = critical.value[e] >= high
        peak = critical.peak[e]
        if peak < 0:
            if survives and joined:
                for p in (critical.lower[e], critical.upper[e]):
                    ends[p] += 1
                    reasons[p] += 1
        elif height[peak] >= high and (survives or not joined):
            ends[peak] += 1
            reasons[peak] += survives
    is_end = ends > 0
    for i in range(n - 1, 0, -1):  # children come after their parents
        j = parent[i]
        if ends[i] > 0 and height[j] >= high:
            ends[j] += ends[i]
            reasons[j] += reasons[i]
            children[j] += 1
    renamed = np.full(n, -1, np.int32)
    all_ends, all_reasons = ends.copy(), reasons.copy()  # in the pixel's whole part
    kept = 0
    for i in range(n):
        if i > 0 and height[parent[i]] >= high:
            all_ends[i], all_reasons[i] = all_ends[parent[i]], all_reasons[parent[i]]
        between = all_ends[i] > ends[i] or is_end[i] or children[i] > 1
        if ends[i] > 0 and all_reasons[i] > 0 and between:
            renamed[i] = kept
            kept += 1
    new_pixel, new_parent = np.empty(kept, np.int64), np.empty(kept, np.int32)
    for i in range(n):
        if renamed[i] >= 0:
            new_pixel[renamed[i]] = tree.pixel[i]
            new_parent[renamed[i]] = renamed[parent[i]] if i > 0 else -1
    return new_pixel, new_parent, renamed


@kernel
def _trace(pixel, parent, renamed, critical, count, high):
    """Return the graph of a skeleton.

    The skeleton is the tree `pixel, parent` and the loops among the first `count` critical edges
    that are not below `high`. `renamed` is empty where the tree is the head of `SpanningTree`.
    """
    n = pixel.size
    is_node = _surviving_peaks(n, renamed, critical, count, high)
    firsts, seconds = _links(parent, renamed, critical, count, high)
    degree = np.zeros(n, np.int32)
    others = np.zeros(n, np.int32)  # of a pixel with two neighbours a and b: a ^ b
    for link in range(firsts.size):
        a, b = firsts[link], seconds[link]
        degree[a] += 1
        degree[b] += 1
        others[a] ^= b
        others[b] ^= a
    node = np.full(n, -1, np.int32)
    nodes = chains = 0
    for i in range(n):
        if is_node[i] or degree[i] != 2:
            node[i] = nodes
            nodes += 1
            chains += degree[i]  # at the end each chain is counted twice
    chains //= 2
    node_pixel = np.empty(nodes, np.int64)
    for i in range(n):
        if node[i] >= 0:
            node_pixel[node[i]] = pixel[i]
    edges = np.empty((chains, 2), np.int64)
    offsets = np.zeros(chains + 1, np.int64)
    pixels = np.empty(n - nodes + 2 * chains, np.int64)
    seen = np.zeros(n, np.bool_)
    k = used = 0
    for link in range(firsts.size):
        a, b = firsts[link], seconds[link]
        if node[a] < 0:
            a, b = b, a
        if node[a] < 0 or seen[b]:
            continue  # within a chain, or the far end of one that was walked
        edges[k, 0] = node[a]
        pixels[used] = pixel[a]
        used += 1
        while node[b] < 0:
            seen[b] = True
            pixels[used] = pixel[b]
            used += 1
            a, b = b, others[b] ^ a
        edges[k, 1] = node[b]
        pixels[used] = pixel[b]
        used += 1
        k += 1
        offsets[k] = used
    return _Graph(node_pixel, edges, pixels, offsets)


@kernel
def _links(parent, renamed, critical, count, high):
    """List the pairs of pixels that are linked in a skeleton: see `_trace`."""
    room = parent.size + count
    firsts, seconds = np.empty(room, np.int32), np.empty(room, np.int32)
    m = 0
    for i in range(parent.size):
        firsts[m], seconds[m] = i, parent[i]
        m += parent[i] >= 0
    for e in range(count):
        if critical.peak[e] < 0 and critical.value[e] >= high:
            a, b = critical.lower[e], critical.upper[e]
            firsts[m] = renamed[a] if renamed.size > 0 else a
            seconds[m] = renamed[b] if renamed.size > 0 else b
            m += 1
    return firsts[:m], seconds[:m]


@kernel
def _surviving_peaks(size, renamed, critical, count, high):
    """Say of each pixel of a skeleton whether it is a peak that survives: see `_trace`."""
    survives = np.zeros(size, np.bool_)
    for e in range(-1, critical.peak.size):
        peak = critical.peak[e] if e >= 0 else 0  # 0: the highest, which dies nowhere
        if peak >= 0 and (e < count or critical.value[e] < high):
            peak = renamed[peak] if renamed.size > 0 else peak
            if peak >= 0:
                survives[peak] = True
    return survives


@kernel
def _measure(critical, tree, which, low, high, row):
    """Measure the ways from both ends of the critical edges in `which` to peaks that survive.

    `row` is the step from row to row in `tree.place` where steps may be diagonal, else 0.
    """
    parent, place, height = tree.parent, tree.place, tree.height
    uphill = np.empty(parent.size, np.int32)
    for i in range(parent.size):  # cut the tree where a join is not cancelled
        cut = i == 0 or tree.join[i] > low or height[i] < high or height[parent[i]] < high
        uphill[i] = i if cut else parent[i]
    for e in range(critical.peak.size):  # and hang each part from its highest peak
        peak = critical.peak[e]
        cut = critical.persistence[e] > low or critical.value[e] < high
        if cut and peak >= 0:
            _turn(uphill, peak, peak)

    # On the way from each pixel to its root, both included, there are so many pixels, their values
    # add up to this, and so many steps are diagonal. Each pixel is passed once, whatever starts.
    pixels = np.zeros(uphill.size, np.int32)  # 0: not yet known
    total = np.zeros(uphill.size)
    slanted = np.zeros(uphill.size, np.int32)
    stack = np.empty(uphill.size, np.int32)
    n = which.size
    starts = np.empty((2, n), np.int32)
    ends = np.empty((n, 2), np.int64)
    length, mean = np.empty(n), np.empty(n)
    middle, offsets = np.empty(n, np.int64), np.zeros(n + 1, np.int64)
    root = np.empty(uphill.size, np.int32)
    for k in range(n):
        starts[0, k], starts[1, k] = critical.lower[which[k]], critical.upper[which[k]]
        for side in range(2):
            p = starts[side, k]
            depth = 0
            while pixels[p] == 0:
                stack[depth] = p
                depth += 1
                if uphill[p] == p:
                    break
                p = uphill[p]
            for i in range(depth - 1, -1, -1):
                p = stack[i]
                q = uphill[p]
                if p == q:
                    pixels[p], total[p], root[p] = 1, height[p], p
                    continue
                pixels[p], total[p] = pixels[q] + 1, total[q] + height[p]
                slanted[p] = slanted[q] + _is_slanted(place[p], place[q], row)
                root[p] = root[q]
            ends[k, side] = tree.pixel[root[starts[side, k]]]
        a, b = starts[0, k], starts[1, k]
        count = np.int64(pixels[a]) + pixels[b]
        diagonal = slanted[a] + slanted[b] + _is_slanted(place[a], place[b], row)
        length[k] = count - 1 + (np.sqrt(2.0) - 1) * diagonal
        mean[k] = (total[a] + total[b]) / count
        middle[k] = offsets[k] + pixels[a]
        offsets[k + 1] = offsets[k] + count
    return Ways(ends, length, mean, tree.pixel, uphill, starts, middle, offsets)


@kernel
def _is_slanted(p, q, row):
    """Whether the step between two neighbours is diagonal; with `row` 0 none is."""
    step = abs(p - q)
    return row > 0 and step > 1 and step != row


@kernel
def _walk(pixel, uphill, starts, middle, offsets):
    """Write all paths into one array: from the middle to the left, then to the right."""
    out = np.empty(offsets[-1], np.int64)
    for k in range(middle.size):
        for side in range(2):
            p = starts[side, k]
            i = middle[k] - 1 + side
            while True:
                out[i] = pixel[p]
                if uphill[p] == p:
                    break
                p = uphill[p]
                i += 2 * side - 1
    return out


# --- Kernels: the patches ------------------------------------------------------------------------


@kernel
def _meetings(depths, steps, rows, width):
    """List the pixels from which ways lead down to several pits, in the image's raster order."""
    values, basin = depths.values, depths.basin
    last = values.size - 1
    spots = np.empty(rows.size * width, np.int32)
    n = 0
    for start in rows[::-1]:
        for p in range(start + width - 1, start - 1, -1):
            here, depth = basin[p], values[p]
            for s in steps:
                if (basin[p - s] != here and values[p - s] >= depth) or (
                    basin[p + s] != here and values[p + s] > depth
                ):
                    spots[n] = last - p
                    n += 1
                    break
    return spots[:n].copy()


@kernel
def _swallow(depths, steps, spots, labels, no_keys):
    """Let basins swallow each other where they meet; number them by falling persistence.

    `depths` is the landscape of the negated image read backwards, `spots` are the pixels of the
    image where basins can meet, falling. At a spot the deepest basin swallows all others: the
    spot's own by way of the lowest pixel beside the spot, the rest by way of the spot. `labels` are
    renumbered. Returns `persistence` and `parent` of the `_Pits`.
    """
    values, basin, pits = depths.values, depths.basin, depths.peaks
    last = values.size - 1
    root = np.arange(pits.size).astype(np.int32)
    by = np.zeros(pits.size, np.int32)
    gone = np.zeros(pits.size, np.int32)  # in reverse order; first the one that is never swallowed
    persistence = np.empty(pits.size, values.dtype)
    around = np.empty(2 * steps.size + 1, np.int32)
    m = pits.size
    for i in range(spots.size - 1, -1, -1):
        p = last - spots[i]
        around[0] = p
        n = 1
        way = p  # to the deepest basin: of the pixels around that lead there, the lowest
        several = False
        deepest = find_root(root, basin[p])
        for k in range(steps.size):
            for q in (p - steps[k], p + steps[k]):
                if values[q] < values[p] or (q > p and values[q] == values[p]):
                    continue
                around[n] = q
                n += 1
                other = find_root(root, basin[q])
                if other != deepest:
                    several = True
                    nearer = is_older(depths, other, deepest)
                else:
                    nearer = values[q] > values[way] or (values[q] == values[way] and q < way)
                if nearer:
                    way, deepest = q, other
        if not several:  # at most spots; what met there has met before
            continue
        own = find_root(root, basin[p])
        for q in around[:n]:
            b = find_root(root, basin[q])
            if b != deepest:
                root[b] = deepest
                by[b] = basin[way] if b == own else basin[p]
                m -= 1
                gone[m] = b
                persistence[m] = values[pits[b]] - values[p]
    gone[0] = find_root(root, np.int32(0))
    items = np.arange(pits.size - 1).astype(np.int32)
    order = sort_falling(persistence[1:].copy(), items, no_keys)
    rank = np.zeros(pits.size, np.int32)
    falling = np.empty_like(persistence)
    falling[0] = np.inf
    for i in range(order.size):
        rank[gone[order[i] + 1]] = i + 1
        falling[i + 1] = persistence[order[i] + 1]
    parent = np.zeros(pits.size, np.int32)
    for b in range(pits.size):
        parent[rank[b]] = rank[by[b]]
    parent[0] = 0
    for i in range(labels.size):
        labels[i] = rank[labels[i]]
    return falling, parent


@kernel
def _name_patches(pits, low):
    """Give each pixel the number, from 1, of the patch that its basin is part of."""
    name = np.zeros(pits.parent.size, np.int32)
    for b in range(name.size):
        if pits.persistence[b] > low:  # that of the first is infinite
            name[b] = b + 1
    for b in range(name.size):
        a = b
        while name[a] == 0:
            a = pits.parent[a]
        number = name[a]
        a = b
        while name[a] == 0:
            name[a] = number
            a = pits.parent[a]
    out = np.empty_like(pits.labels)
    flat, flat_out = pits.labels.ravel(), out.ravel()
    for i in range(flat.size):
        flat_out[i] = name[flat[i]]
    return out
