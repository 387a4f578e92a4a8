"""The branches that a structure is made of, and the rules that turn decisions into a mask.

**Which pieces.** The Morse complex (`toposeg_lite.topology.morse_complex`) lists the branches of a
likelihood image, from peak to peak by way of a pass. Their paths overlap, so they cannot be decided
one by one: the path of a weak bridge leads on, along a strong vessel, to that vessel's peak. Here
the skeleton is divided instead. Branches enter in the order of the filtration, the one with the
highest pass first, and each *owns* the pixels that none before it owns. So a bridge ends where it
meets what is stronger, and every pixel of the skeleton has one owner.

One more cut: an arm that rises from its pass by more than `split` to a peak of its own is cut
half-way up. Below is the *bridge*, above a *ridge*, which is a piece of its own, since a vessel
beyond a gap may be real when the bridge over the gap is not::

    likelihood   .9 .9 .9 .2 .1 .2 .5 .6 .7 .6
    persistence        ----------- .6 --------          the pass of .1 kills the peak of .7
    pieces        (the left ridge)
                          = = =                         the bridge
                                = = =                   the ridge beyond it

A peak that no branch joins to another is a *speck*, where these are asked for.

**How strong.** In the papers a structure is the skeleton at a threshold of persistence. So the
*persistence* of a piece is the threshold up to which the skeleton holds more than half of it; of a
ridge that of its peak, if this is more. At least, it is the persistence of the piece's own pass: of
the peak that dies there, or of the loop that closes there. But a dip along a strong vessel, which
costs next to nothing to fill, has the persistence of what the vessel leads to: the vessel cannot do
without it::

    likelihood   .7 .6 .9 .1 .7 .6 .8
    persistence     .1    .7    .1          of the passes alone
    persistence     .1    .7    .7          the way from the .8 to the .9 crosses the .6

It is the difference of two pixels of the likelihood, `upper` and `lower`, so that it can be
differentiated by them. A speck has the persistence of its peak.

**From decisions to a mask**, in this order. Decisions are 1 (accepted), 0 (undecided), -1
(rejected), everywhere in the library:

1. The *base* is where the likelihood is 0.5 or above (`mask_threshold`).
2. Around each pixel of the skeleton that lies in the base is the largest disc that fits into the
   base. A pixel of the base belongs to the piece in whose disc it lies deepest; what lies in no
   disc goes with the pixel that does and is nearest, in steps inside the base (the module `discs`).
3. A rejected piece takes away exactly the pixels of the base that belong to it, be they on the path
   of an undecided neighbour whose discs are smaller; outside the base there is nothing to take.
4. An accepted piece keeps them, and its path is drawn from end to end: where it lies outside the
   base, as a disc of radius 1 around each pixel, three pixels wide.
5. A piece that is undecided leaves the base as it is, and what is nobody's stays.

Drawing comes last, so an accepted path is whole even where it ends in a rejected piece. A side line
that begins inside a thick vessel takes nothing of the vessel away::

    base, paths v, s       whose pixels          s rejected
    . . . . . . .          . . . . . . .         . . . . . . .
    # # # # # # #          v v v v v v v         # # # # # # #
    v v v v v v v          v v v v v v v         # # # # # # #
    # # # s # # #          v v v v v v v         # # # # # # #
    . . . s . . .          . . . s . . .         . . . . . . .
    . . . s . . .          . . . s . . .         . . . . . . .

**Why these rules.** ``python tools/compare_mask_rules.py`` measures masks when every decision is
right; its numbers are in ``notebooks/reference_runs/mask-rules.json``. These are means of the Betti
matching error, for branches above a persistence of .02, as models have them, and .1, as sessions::

    a pixel of the base goes with            chase_db1            isbi2012_membranes
                                             .02      .1          .02      .1
    (the base itself)                            85.1                 182.6
    the nearest path; drawn 1 pixel wide     86.9     74.4        167.6    142.2
    the nearest path; 3 pixels wide          85.1     74.0        162.2    141.2
    the deepest disc; 1 pixel wide           56.9     44.3         92.4     61.6
    the deepest disc; 3 pixels wide          54.9     43.9         87.8     60.6

As many pixels are wrong by either rule, but that of the nearest path leaves crumbs behind. With
edges from node to node in place of pieces the last line reads 57.5, 44.0, 87.6 and 62.4, at the
price of 14 to 33 % more branches to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..checks import (
    check_flag,
    check_fraction,
    check_number,
    check_real,
    check_reals,
    check_same_shape,
)
from .discs import divide_mask, draw_discs
from .grid import check_image, check_mask
from .kernels import kernel
from .morse import MorseComplex, morse_complex, split_paths
from .persistence import persistence_pairs

__all__ = ["BranchSet", "find_branches"]

#: What a piece is, by the numbers in `BranchSet.kind`.
JOIN, LOOP, RIDGE, SPECK = 0, 1, 2, 3
#: What is decided about a piece.
ACCEPTED, UNDECIDED, REJECTED = 1, 0, -1
#: Half the width, in pixels, of what is drawn outside the base.
RADIUS = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class BranchSet:
    """The pieces of one image's skeleton, in the order in which they enter: an entry for each.

    Made by `find_branches`. With n pieces, whose paths have m pixels together:

    Attributes
    ----------
    likelihood : array of float32 or float64
        The image that they were found in.
    kind : (n,) array of int8
        0: joins two components; 1: closes a loop; 2: a ridge; 3: a speck.
    persistence, upper, lower : (n,) arrays of float and int64
        The likelihood at `upper` minus that at `lower`, flat indices. These are the pixels of the
        branch that holds the piece longest: of a join the peak that dies and the pass, of a loop
        the pass and the pit. The ridge of the highest peak has this peak and -1, for it dies at 0.
    saddle : (n,) array of int64
        The pass; of a ridge the pixel where it begins.
    pixels, offsets : (m,) and (n + 1,) arrays of int64
        Path k is ``pixels[offsets[k]:offsets[k + 1]]``, flat indices.
    owned : (n, 2) array of int64
        Where in `pixels` the part begins and stops that the piece owns. At most one pixel on each
        side is not its own: there a bridge or a loop touches another piece.
    start : (n,) array of int64
        Where in `pixels` the pass lies.
    length : (n,) array of float64
        Of the path; a diagonal step counts as its Euclidean length. At least 1.
    mask_threshold : float
        Where the likelihood is at least this high is the base of the masks. Default 0.5.
    """

    likelihood: np.ndarray
    kind: np.ndarray
    persistence: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    saddle: np.ndarray
    pixels: np.ndarray
    offsets: np.ndarray
    owned: np.ndarray
    start: np.ndarray
    length: np.ndarray
    mask_threshold: float = 0.5

    def __len__(self) -> int:
        return len(self.kind)

    def __repr__(self) -> str:
        joins, loops, ridges, specks = np.bincount(self.kind, minlength=4)
        counts = f"{joins} that join, {loops} that close loops, {ridges} ridges"
        return f"BranchSet({counts}{f', {specks} specks' if specks else ''})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's shape."""
        return self.likelihood.shape

    @cached_property
    def paths(self) -> list[np.ndarray]:
        """The path of each piece as flat indices, the pixels that it shares included."""
        return split_paths(self.pixels, self.offsets)

    @cached_property
    def own_paths(self) -> list[np.ndarray]:
        """The pixels that each piece owns as flat indices, in the order of its path."""
        return [self.pixels[first:stop] for first, stop in self.owned]

    @property
    def sizes(self) -> np.ndarray:
        """How many pixels each piece owns, (n,) int64; at least 1."""
        return self.owned[:, 1] - self.owned[:, 0]

    @cached_property
    def own_pixels(self) -> np.ndarray:
        """The pixels that the pieces own, one piece after the other, as flat indices."""
        return self.pixels[_own_places(self.owned)]

    @cached_property
    def owner(self) -> np.ndarray:
        """For each pixel of the image the piece whose path it is, int32; -1 for none."""
        owner = np.full(self.likelihood.size, -1, np.int32)
        owner[self.own_pixels] = np.repeat(np.arange(len(self)), self.sizes)
        return owner.reshape(self.shape)

    @cached_property
    def base(self) -> np.ndarray:
        """Where the likelihood is at least `mask_threshold`, bool."""
        return self.likelihood >= self.mask_threshold

    @cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the distance to the nearest pixel of a path, and this pixel, if any."""
        away, place = distance_transform_edt(self.owner < 0, return_indices=True)
        return away, np.ravel_multi_index(tuple(place), self.shape)

    @cached_property
    def region(self) -> np.ndarray:
        """For each pixel the piece that decides about it, int32; -1 for none.

        In the base by rule 2 of the module's docstring; outside it the pixels that a piece owns.
        """
        return np.where(self.base, divide_mask(self.base, self.owner), self.owner)

    def fraction_on(self, truth: np.ndarray) -> np.ndarray:
        """Return what fraction of the pixels that each piece owns lies on the true mask, (n,)."""
        return self._count_on(truth, "truth") / self.sizes

    def count_on(self, mask: np.ndarray) -> np.ndarray:
        """Return how many of the pixels that each piece owns lie on a mask, (n,) int64."""
        return self._count_on(mask, "mask")

    def _count_on(self, mask: Any, name: str) -> np.ndarray:
        """Check a mask, by this name, and count."""
        mask = check_mask(mask, name)
        check_same_shape(mask, self.likelihood, (name, "likelihood"))
        hits = np.append(0, np.cumsum(mask.ravel()[self.pixels]))
        first, stop = self.owned.T
        return hits[stop] - hits[first]

    def mask(self, decisions: np.ndarray, *, radius: float = RADIUS) -> np.ndarray:
        """Return the mask that decisions (n,) lead to, by the rules in the module's docstring.

        `radius` is half the width of accepted paths where they lie outside the base, in pixels: 0
        is one pixel wide, 1 (default) three. Beyond the image's diagonal nothing more is drawn.

        Examples
        --------
        >>> likelihood = np.array([[0.9, 0.9, 0.9, 0.3, 0.2, 0.3, 0.8, 0.9, 0.8]])
        >>> branches = find_branches(likelihood)
        >>> branches
        BranchSet(1 that join, 0 that close loops, 2 ridges)
        >>> for decisions in ([0, 0, 0], [1, 1, 1], [-1, 1, 1], [-1, 1, -1]):
        ...     print(branches.mask(np.array(decisions)).astype(int)[0])
        [1 1 1 0 0 0 1 1 1]
        [1 1 1 1 1 1 1 1 1]
        [1 1 1 0 0 0 1 1 1]
        [1 1 1 0 0 0 0 0 0]
        """
        decisions = check_decisions(decisions, len(self))
        radius = check_number(radius, "radius")
        rejected = np.append(decisions == REJECTED, False)  # -1, nobody's, is the last
        mask = np.ascontiguousarray(self.base & ~rejected[self.region])
        drawn = self.pixels[np.repeat(decisions == ACCEPTED, np.diff(self.offsets))]
        mask.reshape(-1)[drawn] = True
        draw_discs(mask, drawn[~self.base.ravel()[drawn]], radius)
        return mask

    def draw(self, chosen: np.ndarray) -> np.ndarray:
        """Return the paths of the chosen pieces, an (n,) bool array, as a mask."""
        chosen = check_chosen(chosen, len(self))
        out = np.zeros(self.likelihood.size, np.bool_)
        out[self.pixels[np.repeat(chosen, np.diff(self.offsets))]] = True
        return out.reshape(self.shape)

    def paint(self, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
        """Return an image of float32: each piece's value on the pixels that it decides about.

        Where there is none it is `fill`.
        """
        values, fill = check_reals(values, "values"), check_real(fill, "fill")
        if values.shape != (len(self),):
            raise ValueError(
                f"values must hold one number for each of the {len(self)} branches; "
                f"got the shape {values.shape}"
            )
        return np.append(values, fill).astype(np.float32)[self.region]


def check_decisions(decisions: Any, count: int) -> np.ndarray:
    """Return one decision for each piece as int8, else raise."""
    decisions = check_reals(decisions, "decisions")
    if decisions.dtype.kind not in "iu" and decisions.size:
        is_flag = decisions.dtype.kind == "b"
        hint = ". Where False means rejected, pass np.where(decisions, 1, -1)" if is_flag else ""
        raise TypeError(
            f"decisions must be integers, 1 (accepted), 0 (undecided) or -1 (rejected); "
            f"got dtype {decisions.dtype}{hint}"
        )
    if decisions.shape != (count,):
        raise ValueError(
            f"decisions must hold one number for each of the {count} branches; "
            f"got the shape {decisions.shape}"
        )
    if decisions.size and (decisions.min() < -1 or decisions.max() > 1):
        raise ValueError("decisions must be 1 (accepted), 0 (undecided) or -1 (rejected)")
    return decisions.astype(np.int8)


def check_chosen(chosen: Any, count: int) -> np.ndarray:
    """Return which pieces are chosen, a boolean for each, else raise."""
    chosen = check_reals(chosen, "chosen")
    if chosen.dtype != np.bool_ or chosen.shape != (count,):
        raise ValueError(
            f"chosen must hold one boolean for each of the {count} branches; "
            f"got {chosen.dtype} of the shape {chosen.shape}"
        )
    return chosen


def find_branches(
    likelihood: Any,
    *,
    min_persistence: float = 0.02,
    saddle_level: float = 0.0,
    split: float = 0.25,
    connectivity: int | None = None,
    specks: bool = False,
) -> BranchSet:
    """Divide the skeleton of a likelihood image into branches that can be decided one by one.

    Parameters
    ----------
    likelihood : (H, W) or (D, H, W) array of float
        In [0, 1], foreground high.
    min_persistence : float
        Branches whose persistence is not above it are taken for noise and never enter.
    saddle_level : float
        Branches whose pass is lower never enter either; default 0 lets all in.
    split : float
        An arm that rises by more than this from its pass to a peak of its own is cut half-way up.
    connectivity : int, optional
        Of the foreground. In 2D 1 or 2 (default), in 3D 1 (default).
    specks : bool
        Whether peaks that no branch joins to another are pieces, too, of one pixel each. They come
        last. Default False.

    Notes
    -----
    See the module's docstring for what the pieces are; there may be none. A bare diagonal step
    between two pieces owns no pixel and is left out. Ties are broken by flat index.

    Examples
    --------
    A bridge of 0.4 between two vessels. It owns the pixel between them and no more; each vessel has
    a ridge, which dies where the vessels meet (0.8 - 0.4) or, the stronger one, never (0.9).

    >>> likelihood = np.array([[0.8, 0.9, 0.8, 0.8, 0.8],
    ...                        [0.1, 0.1, 0.1, 0.4, 0.1],
    ...                        [0.7, 0.8, 0.7, 0.7, 0.7]])
    >>> branches = find_branches(likelihood, connectivity=1)
    >>> branches.persistence.round(2), branches.kind
    (array([0.4, 0.9, 0.4]), array([0, 2, 2], dtype=int8))
    >>> branches.paths
    [array([ 3,  8, 13]), array([3, 2, 1]), array([13, 12, 11])]
    """
    likelihood = check_image(likelihood, "likelihood")
    min_persistence = check_fraction(min_persistence, "min_persistence")
    saddle_level = check_fraction(saddle_level, "saddle_level")
    split, specks = check_fraction(split, "split"), check_flag(specks, "specks")
    complex_ = morse_complex(likelihood, connectivity=connectivity)
    branches = complex_.branches(min_persistence, saddle_level)
    measures = branches.ways
    # The highest pass first; equal ones as they enter.
    order = np.lexsort((branches.saddle, -branches.saddle_value))
    heights = likelihood.ravel()[measures.pixel]
    lower_ends, upper_ends = measures.starts
    pieces = _divide(measures.uphill, lower_ends, upper_ends, heights, order, split)

    ridge = pieces.peak >= 0
    kind = np.where(ridge, RIDGE, branches.dimension[pieces.branch])
    pixels = measures.pixel[pieces.pixels]
    offsets, owned, start = pieces.offsets, pieces.owned, pieces.start
    peaks = np.where(ridge, measures.pixel[pieces.peak], -1)
    if specks:
        drawn = complex_.skeleton(min_persistence, saddle_level).mask
        lone = np.setdiff1d(np.flatnonzero(drawn), pixels)
        places = len(pixels) + np.arange(len(lone))
        pixels, peaks = np.append(pixels, lone), np.append(peaks, lone)
        kind = np.append(kind, np.full(len(lone), SPECK))
        offsets, start = np.append(offsets, places + 1), np.append(start, places)
        owned = np.append(owned, np.stack([places, places + 1], axis=1), axis=0)
    upper, lower = _critical_pixels(likelihood, complex_, min_persistence)
    held = _held_by(complex_, pixels, owned, peaks)
    upper, lower = upper[held], lower[held]
    values = np.append(likelihood.ravel(), likelihood.dtype.type(0))  # -1 is the last
    return BranchSet(
        likelihood=likelihood,
        kind=kind.astype(np.int8),
        persistence=values[upper] - values[lower],
        upper=upper,
        lower=lower,
        saddle=pixels[start],
        pixels=pixels,
        offsets=offsets,
        owned=owned,
        start=start,
        length=path_lengths(pixels, offsets, np.array(likelihood.shape)),
    )


def _critical_pixels(
    likelihood: np.ndarray, complex_: MorseComplex, min_persistence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each branch above `min_persistence` the two pixels that decide its persistence.

    They are the peak that dies at a join, and the join; a loop's pass, and the pit at which it is
    filled. One more entry, the last, is that of the highest peak, which dies nowhere (-1).
    """
    branches = complex_.branches(min_persistence)
    peak = complex_.critical.peak[: len(branches)]
    upper = np.where(peak >= 0, complex_.tree.pixel[peak], branches.saddle)
    lower = branches.saddle.copy()
    loops = np.flatnonzero(branches.dimension == 1)
    if len(loops):
        # The complex keeps no pits. Its loops are the pairs of dimension 1: of one pass, those of
        # equal persistence are filled at equal values, so any order among them will do.
        pairs = persistence_pairs(
            likelihood,
            connectivity=complex_.connectivity,
            dimensions=(1,),
            min_persistence=min_persistence,
        )
        here = np.lexsort((branches.persistence[loops], branches.saddle[loops]))
        there = np.lexsort((pairs.death_index, pairs.persistence, pairs.birth_index))
        lower[loops[here]] = pairs.death_index[there]
    return np.append(upper, complex_.tree.pixel[0]), np.append(lower, -1)


def _own_places(owned: np.ndarray) -> np.ndarray:
    """Return where in `BranchSet.pixels` the own pixels of the pieces are, piece by piece."""
    first, stop = owned.T
    sizes = stop - first
    return np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)


def _held_by(
    complex_: MorseComplex, pixels: np.ndarray, owned: np.ndarray, peaks: np.ndarray
) -> np.ndarray:
    """Return for each piece the branch that holds it longest in the skeleton; -1: the highest peak.

    `pixels` and `owned` are those of the pieces, `peaks` are where ridges end and what specks are,
    -1 for others. Branches are numbered as they come when the threshold falls.
    """
    forest, critical = complex_.tree, complex_.critical
    size = int(np.prod(complex_.shape))
    # Pixels are listed as they come, too. Of the n pixels of a piece, in this order, the one at
    # n // 2 is the first with which more than half of them are in.
    place = np.empty(size, np.int64)
    place[forest.pixel] = np.arange(len(forest.pixel))
    sizes = owned[:, 1] - owned[:, 0]
    piece = np.repeat(np.arange(len(sizes)), sizes)
    places = place[pixels[_own_places(owned)]]
    middle = places[np.lexsort((places, piece))][np.cumsum(sizes) - sizes + sizes // 2]
    # With the first k branches the first size_after[k] pixels are in, with none (which makes
    # `through` -1) the highest peak.
    through = np.searchsorted(forest.size_after, middle, side="right") - 1
    # A peak is in until it dies: at a join, and the highest never.
    joins = np.flatnonzero(critical.peak >= 0)
    dies = np.full(size + 1, np.iinfo(np.int64).max)  # -1 is the last
    dies[forest.pixel[critical.peak[joins]]] = joins
    dies[forest.pixel[0]] = -1
    is_speck = (peaks >= 0) & (sizes == 1)
    return np.where(is_speck, dies[peaks], np.minimum(through, dies[peaks]))


# --- Kernels -------------------------------------------------------------------------------------


class _Pieces(NamedTuple):
    """What `_divide` finds; pixels are positions in the complex's list."""

    branch: np.ndarray  # whose pass it is
    peak: np.ndarray  # of a ridge; else -1
    pixels: np.ndarray
    offsets: np.ndarray
    owned: np.ndarray
    start: np.ndarray


@kernel
def _divide(uphill, lower, upper, heights, order, split):
    """Give each pixel of a skeleton to one branch, and cut off the ridges.

    `uphill` leads from each position to a peak, which points to itself; `lower` and `upper` are the
    ends of each branch's critical edge, of which `lower` is the pass. Branches come in `order`, so
    one that comes later stops where it meets an earlier one.

    At most two pixels of a branch are not its own, and there are at most three pieces to a branch.
    """
    n = order.size
    branch, peak = np.empty(3 * n, np.int64), np.full(3 * n, -1, np.int64)
    offsets, owned = np.zeros(3 * n + 1, np.int64), np.empty((3 * n, 2), np.int64)
    start = np.empty(3 * n, np.int64)
    pixels = np.empty(uphill.size + 2 * n, np.int64)
    taken = np.zeros(uphill.size, np.bool_)
    arms = np.empty((2, uphill.size), np.int64)
    size, cut, met = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)
    m = used = 0
    for k in order:
        size[0], met[0] = _climb(lower[k], uphill, taken, arms[0])
        size[1], met[1] = _climb(upper[k], uphill, taken, arms[1])
        if size[0] + size[1] == 0:
            continue
        for side in range(2):
            cut[side] = size[side]
            if met[side] < 0:
                arm = arms[side, : size[side]]
                i = _half_way_up(arm, heights, heights[lower[k]], split)
                # A peak alone is no ridge, and something must remain of the bridge.
                if size[side] - i > 1 and (side == 0 or i > 0 or cut[0] > 0):
                    cut[side], met[side] = i, arm[i]

        # The bridge: what it touches, its own pixels up one side and down the other, what it
        # touches there. Of an arm that owns nothing the first pixel is touched.
        branch[m] = k
        if met[0] >= 0:
            pixels[used] = met[0]
            used += 1
        owned[m, 0] = used
        for i in range(cut[0] - 1, -1, -1):
            pixels[used] = arms[0, i]
            used += 1
        start[m] = used - 1  # the pass
        for i in range(cut[1]):
            pixels[used] = arms[1, i]
            used += 1
        owned[m, 1] = used
        if met[1] >= 0:
            pixels[used] = met[1]
            used += 1
        m += 1
        offsets[m] = used

        for side in range(2):
            if cut[side] < size[side]:
                branch[m], start[m], owned[m, 0] = k, used, used
                for p in arms[side, cut[side] : size[side]]:
                    pixels[used] = p
                    used += 1
                owned[m, 1], peak[m] = used, pixels[used - 1]
                m += 1
                offsets[m] = used
    pieces = branch[:m].copy(), peak[:m].copy(), pixels[:used].copy()
    return _Pieces(*pieces, offsets[: m + 1].copy(), owned[:m].copy(), start[:m].copy())


@kernel
def _climb(p, uphill, taken, out):
    """Take pixels from p on until the peak; return how many, and which was taken already, or -1."""
    size = 0
    while not taken[p]:
        taken[p] = True
        out[size] = p
        size += 1
        if uphill[p] == p:
            return size, -1
        p = uphill[p]
    return size, p


@kernel
def _half_way_up(arm, heights, low, split):
    """Return where an arm is half as high as its peak; its size if it rises by `split` or less."""
    high = low
    for p in arm:
        high = max(high, heights[p])
    if not high - low > split:
        return arm.size
    i = 0
    while heights[arm[i]] - low < (high - low) / 2:
        i += 1
    return i


@kernel
def path_lengths(pixels, offsets, shape):
    """Return the Euclidean length of each path of flat indices, at least 1."""
    out = np.ones(offsets.size - 1)
    for k in range(out.size):
        length = 0.0
        for i in range(offsets[k] + 1, offsets[k + 1]):
            length += _distance(pixels[i - 1], pixels[i], shape)
        out[k] = max(length, 1.0)
    return out


@kernel
def _distance(a, b, shape):
    """Return the Euclidean distance of two pixels given as flat indices."""
    square = 0
    for axis in range(shape.size - 1, -1, -1):
        step = a % shape[axis] - b % shape[axis]
        square += step * step
        a //= shape[axis]
        b //= shape[axis]
    return np.sqrt(square)
