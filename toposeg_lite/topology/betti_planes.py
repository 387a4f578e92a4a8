"""The Betti matching in the plane: components and holes through the basins of an image.

What is matched, and why, the module `betti_matching` says: an image, the *base*, is walked pixel by
pixel, its components are followed, and in each the oldest cell of another image, which is *traced*.
Here most pixels are spared. Two kinds remain, the *events*:

- saddles of the base at which different basins meet, and
- pixels that may bring an older cell of the traced image into their component than all before them
  did: none of the neighbours that are there knows an older one, nor does the top of the basin.

Of an event all that is needed is written down row by row; then the events are sorted, and
union-find walks over basins, not pixels (see `basins`).

The background is the foreground of the negative turned by half a turn: so its last pixel, the
lowest, is the first, and ties go by flat index all the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .basins import basin_of, find_basins, spaces
from .frame import fill_upper_masks, plane_steps, unframe
from .kernels import kernel
from .order import empty_keys, find_root, sort_both_falling
from .persistence import COMPONENTS_AROUND, MEMBERS_AROUND

__all__ = ["match_components", "match_holes"]


class _Base(NamedTuple):
    """An image whose components are followed: its bytes, its basins and its tables."""

    image: np.ndarray  # the inner part of a framed one
    masks: np.ndarray
    basins: Any
    links: np.ndarray  # of each mask: a neighbour in each component beside the pixel
    members: np.ndarray  # of each mask and neighbour: the component's place in `links`


class _Cells(NamedTuple):
    """Cells of the traced image, by the oldest pixel that each touches.

    A cell is older if its pixel has the higher value; of equal ones, if it has the smaller index;
    of one pixel, if it has the smaller code.
    """

    value: np.ndarray
    pixel: np.ndarray
    code: np.ndarray


class _Events(NamedTuple):
    """What happens in the base, and where."""

    pixels: np.ndarray
    values: np.ndarray  # of the base
    around: np.ndarray  # the basins that meet there
    cells: _Cells  # the oldest cell of those that enter there


def match_components(
    sides: list[np.ndarray], both: np.ndarray, closed: bool, cells: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Match components: those that end with the same one of the comparison image, `both`."""
    frame = 2.0 if closed else -1.0
    base = _as_base(_framed(both, frame, False), frame, cells)
    ends = [_bars(base, _framed(side, frame, False), False, cells) for side in sides]
    shared = np.flatnonzero((ends[0] >= 0) & (ends[1] >= 0))
    first, second = (unframe(end[shared], base.masks.shape) for end in ends)
    return first, second


def match_holes(
    sides: list[np.ndarray], both: np.ndarray, closed: bool, cells: Any, deaths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match holes: those that hold the same one of the comparison image, `both`.

    `deaths` are the pixels where those of the comparison image die.
    """
    frame = -2.0 if closed else 1.0
    traced = _framed(both, frame, True)
    last = traced.size - 1  # turns an index around
    named = []
    for side in sides:
        base = _as_base(_framed(side, frame, True), frame, cells)
        end = _bars(base, traced, True, cells)
        ended = np.flatnonzero(end >= 0)
        there = unframe(last - end[ended], traced.shape)
        here = unframe(last - base.basins.tops[ended], traced.shape)
        named.append((there, here))
        del base
    shared = np.intersect1d(np.intersect1d(deaths, named[0][0]), named[1][0])
    first, second = (here[_find(there, shared)] for there, here in named)
    return first, second


def _find(values: np.ndarray, sought: np.ndarray) -> np.ndarray:
    """Return where each of some values stands among others, of which no two are equal."""
    order = np.argsort(values)
    return order[np.searchsorted(values, sought, sorter=order)]


def _framed(image: np.ndarray, frame: float, turned: bool) -> np.ndarray:
    """Put a frame of this value around an image; of its negative, half a turn round, if `turned`.

    The image is float or bool; the result has its type, or float32.
    """
    dtype = np.float32 if image.dtype == np.bool_ else image.dtype
    framed = np.full([n + 2 for n in image.shape], frame, dtype)
    inner = framed[1:-1, 1:-1]
    if turned:
        np.negative(image[::-1, ::-1], out=inner, dtype=dtype)
    else:
        inner[:] = image
    return framed


def _as_base(framed: np.ndarray, frame: float, cells: Any) -> _Base:
    """Find the basins of a framed image."""
    image = framed[1:-1, 1:-1]
    which = 1 if len(cells.adjacent) == 8 else 0
    links, members = COMPONENTS_AROUND[which], MEMBERS_AROUND[which]
    masks, leads = spaces(image.shape)
    value = framed.dtype.type(frame)
    fill_upper_masks(image, value, masks)
    return _Base(image, masks, find_basins(image, value, masks, links, 0, leads), links, members)


def _bars(base: _Base, traced: np.ndarray, turned: bool, cells: Any) -> np.ndarray:
    """Say for each basin of the base which pixel of the traced image ends with it: see `_follow`."""
    steps = plane_steps(traced.shape[1])
    near = np.insert(steps, 4, 0)  # as `cells.near` stands, in C order
    if turned:
        near = -near
    first = _first_cells(cells, near)
    known = int(first[:, 1].min())
    best = _top_cells(base, traced.ravel(), first, known)
    pixels = _possible_events(base, traced, len(first) > 1, steps)
    events = _list_events(base, traced.ravel(), pixels, best, first)
    events = _sort_events(events, turned, empty_keys(traced.dtype))
    table = (cells.touched, cells.codes, cells.foreign, cells.gates, near)
    return _follow(base, events, best, traced.ravel(), table, known)


def _first_cells(cells: Any, near: np.ndarray) -> np.ndarray:
    """Return the steps to the pixels that own cells touch, rising, each with its smallest code."""
    first = np.stack([near[cells.first_codes[:, 0]], cells.first_codes[:, 1]], axis=1)
    return first[np.argsort(first[:, 0])]


# --- Kernels --------------------------------------------------------------------------------------


@kernel
def _is_older(value, pixel, code, cells, k):
    """Say whether a cell is older than the k-th of some others."""
    if value != cells.value[k]:
        return value > cells.value[k]
    if pixel != cells.pixel[k]:
        return pixel < cells.pixel[k]
    return code < cells.code[k]


@kernel
def _oldest_cell(flat, p, first):
    """Return the oldest of the cells that a pixel owns: value, pixel and code."""
    pixel, code = p + first[0, 0], first[0, 1]
    for j in range(1, len(first)):  # the pixels rise: only a higher one is older
        q = p + first[j, 0]
        if flat[q] > flat[pixel]:
            pixel, code = q, first[j, 1]
    return flat[pixel], pixel, code


@kernel
def _no_cells(count, flat):
    """Return room for cells."""
    return _Cells(np.empty(count, flat.dtype), np.empty(count, np.int32), np.empty(count, np.int8))


@kernel
def _top_cells(base, flat, first, known):
    """Return for each basin the oldest cell that enters with its top; the frame has the oldest."""
    tops = base.basins.tops
    best = _no_cells(tops.size, flat)
    best.value[0], best.pixel[0], best.code[0] = base.basins.heights[0], -1, known
    for k in range(1, tops.size):
        best.value[k], best.pixel[k], best.code[k] = _oldest_cell(flat, tops[k], first)
    return best


@kernel
def _possible_events(base, traced, wide, steps):
    """List the saddles, and the pixels of which no neighbour that is there knows an older cell.

    `wide` says whether cells of a pixel touch its neighbours. Where two pixels know cells of one
    pixel, none counts as the older here: some may be listed in vain.
    """
    height, width = base.masks.shape
    single, several = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    for mask in range(256):
        several[mask] = base.links[mask, 1] >= 0
        single[mask] = base.links[mask, 0] >= 0 and not several[mask]
    corners = base.links[1, 0] >= 0  # whether neighbours by a corner are connected
    # The oldest cells of three rows, the last of which is to come.
    value = np.full((3, width), traced[0, 0], traced.dtype)
    pixel = np.full((3, width), -1, np.int32)
    _oldest_in_row(traced, 1, wide, value[1], pixel[1])
    older = np.empty(width, np.bool_)
    found, n = np.empty(base.masks.size, np.int32), 0
    for r in range(1, height - 1):
        below = (r + 1) % 3
        if r + 1 < height - 1:
            _oldest_in_row(traced, r + 1, wide, value[below], pixel[below])
        else:
            value[below], pixel[below] = traced[0, 0], -1
        older[:] = False
        masks, here = base.masks[r], r % 3
        for bit in range(8):
            if not corners and bit != 1 and bit != 3 and bit != 4 and bit != 6:
                continue
            row = (r - 1) % 3 if bit < 3 else here if bit < 5 else below
            step = steps[bit] - (-width if bit < 3 else 0 if bit < 5 else width)
            _look_at(value[here], pixel[here], value[row], pixel[row], masks, bit, step, older)
        for c in range(1, width - 1):
            found[n] = r * width + c
            n += several[masks[c]] | (single[masks[c]] & ~older[c])
    return found[:n].copy()


@kernel
def _look_at(value, pixel, values, pixels, masks, bit, step, older):
    """Mark in a row whose neighbour in another row, `step` aside, is there and knows an older cell."""
    for c in range(1, masks.size - 1):  # no branch in here, so the compiler vectorises it
        theirs, mine = values[c + step], value[c]
        knows = (theirs > mine) | ((theirs == mine) & (pixels[c + step] < pixel[c]))
        older[c] |= knows & ((masks[c] >> np.uint8(bit)) & 1 != 0)


@kernel
def _oldest_in_row(traced, r, wide, value, pixel):
    """Write value and pixel of the oldest cell of each pixel in a row, the frame's own at its ends."""
    width = traced.shape[1]
    above, here, below = traced[r - 1], traced[r], traced[r + 1]
    if not wide:
        for c in range(1, width - 1):
            value[c], pixel[c] = here[c], r * width + c
        return
    column, at = np.empty(width, traced.dtype), np.empty(width, np.int32)
    for c in range(width):
        top, low = max(above[c], here[c]), np.int32(r * width + c)
        where = low - width if above[c] >= here[c] else low
        column[c] = max(top, below[c])
        at[c] = where if top >= below[c] else low + width
    for c in range(1, width - 1):
        best, where = column[c - 1], at[c - 1]
        for d in range(2):
            other, there = column[c + d], at[c + d]
            swap = (other > best) | ((other == best) & (there < where))
            best = other if swap else best
            where = there if swap else where
        value[c], pixel[c] = best, where


@kernel
def _list_events(base, flat, pixels, best, first):
    """Choose the events among some pixels, and write down what is needed of them."""
    steps, masks, leads = plane_steps(base.masks.shape[1]), base.masks.ravel(), base.basins.leads
    width = base.masks.shape[1]
    around, cells = np.empty((pixels.size, 4), np.int32), _no_cells(pixels.size, flat)
    values, kept = np.empty(pixels.size, flat.dtype), np.empty(pixels.size, np.int32)
    n = 0
    for p in pixels:
        mask = masks[p]
        around[n] = -1
        meet = False
        for i in range(4):
            if base.links[mask, i] < 0:
                break
            around[n, i] = basin_of(leads, p + steps[base.links[mask, i]])
            meet |= around[n, i] != around[n, 0]
        cells.value[n], cells.pixel[n], cells.code[n] = _oldest_cell(flat, p, first)
        row = p // width
        kept[n], values[n] = p, base.image[row - 1, p - row * width - 1]
        n += meet or _is_older(cells.value[n], cells.pixel[n], cells.code[n], best, around[n, 0])
    return _Events(
        kept[:n], values[:n], around[:n], _Cells(cells.value[:n], cells.pixel[:n], cells.code[:n])
    )


@kernel
def _sort_events(events, turned, no_keys):
    """Sort events by falling value, equal ones by pixel; `turned`: all values are 0 or less."""
    pixels, values, around, cells = events
    items = np.arange(pixels.size).astype(np.int32)
    if turned:  # only what is not negative can be sorted: in the other direction, then
        values, items = sort_both_falling(-values[::-1], items[::-1].copy(), no_keys)
        values, items = -values[::-1], items[::-1].copy()
    else:
        values, items = sort_both_falling(values, items, no_keys)
    meeting = np.empty_like(around)
    for k in range(items.size):
        for i in range(4):
            meeting[k, i] = around[items[k], i]
    return _Events(
        pixels[items],
        values,
        meeting,
        _Cells(cells.value[items], cells.pixel[items], cells.code[items]),
    )


@kernel
def _follow(base, events, best, flat, table, known):
    """Follow the components of the base, and in each the oldest cell of the traced image.

    Where several basins meet that are not one yet, all cells of the pixel are looked at, gate by
    gate: at first each is a group of its own, and a group that touches a pixel which is there
    already belongs to this pixel's component. `best` holds the oldest cells of the tops, `flat` is
    the traced image and `table` says what `Cells` do.

    Returns for each basin in which a component ends, and for the one that stays, the pixel of the
    traced image that ends with it; -1 where a bar has no length, and for all others.
    """
    touched, codes, foreign, gates, near = table
    heights, masks = base.basins.heights, base.masks.ravel()
    parent = np.arange(heights.size).astype(np.int32)
    partner = np.full(heights.size, -1, np.int32)
    count = foreign.size
    group, basin = np.empty(count, np.int64), np.empty(count, np.int32)
    new = _no_cells(count, flat)
    for e in range(events.pixels.size):
        root = find_root(parent, events.around[e, 0])
        several = False
        for i in range(1, 4):
            if events.around[e, i] < 0:
                break
            several |= find_root(parent, events.around[e, i]) != root
        if not several:
            _improve(best, root, events.cells, e)
            continue
        p = events.pixels[e]
        members = base.members[masks[p]]
        for c in range(count):
            group[c], basin[c] = c, -1
            new.value[c] = -4  # below all, until a cell is seen
            for j in range(touched.shape[1]):
                k = touched[c, j]
                if k < 0:
                    break
                bit = k if k < 4 else k - 1
                if near[0] > 0:  # turned
                    bit = 7 - bit
                if k != 4 and members[bit] >= 0:
                    basin[c] = events.around[e, members[bit]]
                    break
                q = np.int32(p + near[k])
                code = codes[c, j]
                if new.value[c] == -4 or _is_older(flat[q], q, code, new, c):
                    new.value[c], new.pixel[c], new.code[c] = flat[q], q, code
        for g in range(len(gates)):
            a, b = gates[g]
            if (foreign[a] and basin[a] < 0) or (foreign[b] and basin[b] < 0):
                continue
            a, b = _first_of_group(group, a), _first_of_group(group, b)
            if a == b:
                continue
            if basin[a] < 0:
                a, b = b, a
            group[b] = a
            if basin[a] < 0:  # both groups are new
                _improve(new, a, new, b)
                continue
            old = find_root(parent, basin[a])
            if basin[b] < 0:
                _improve(best, old, new, b)
                continue
            young = find_root(parent, basin[b])
            if old == young:
                continue
            if heights[young] > heights[old] or (heights[young] == heights[old] and young < old):
                old, young = young, old
            parent[young] = old
            ends_young = _is_older(best.value[old], best.pixel[old], best.code[old], best, young)
            ends = young if ends_young else old
            pixel, code = best.pixel[ends], best.code[ends]
            _improve(best, old, best, young)
            # Only a bar of a length, whose cell is the one by which its pixel is known, counts.
            if heights[young] != events.values[e] and code == known:
                partner[young] = pixel
    stays = find_root(parent, parent.size - 1)  # at the end all is one component
    partner[stays] = best.pixel[stays] if stays > 0 else 0
    return partner


@kernel
def _improve(cells, k, others, j):
    """Replace the k-th of some cells by the j-th of others, if that is older."""
    if _is_older(others.value[j], others.pixel[j], others.code[j], cells, k):
        cells.value[k], cells.pixel[k] = others.value[j], others.pixel[j]
        cells.code[k] = others.code[j]


@kernel
def _first_of_group(group, cell):
    """Return the cell to which all cells of a group lead."""
    while group[cell] != cell:
        cell = group[cell]
    return cell
