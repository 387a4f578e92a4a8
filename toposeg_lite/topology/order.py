"""The order in which pixels enter: a stable radix sort, and union-find for what meets on the way.

Everywhere in this folder pixels enter by falling value, equal ones by flat index. A stable sort of
the values alone does that.
"""

from __future__ import annotations

import numpy as np

from .kernels import kernel

__all__: list[str] = []


def empty_keys(dtype: np.dtype) -> np.ndarray:
    """Return the empty array of unsigned integers, as wide as the floats, that sorting asks for."""
    return np.empty(0, f"u{dtype.itemsize}")


@kernel
def sort_falling(values, items, no_keys):
    """Sort `items` by their values, falling, equal ones as they stand, and return them.

    The bits of a float that is not negative, read as an unsigned integer, grow with the value: a
    stable radix sort of these integers, lowest digit first, sorts the values. `no_keys`, from
    `empty_keys`, says how wide they are. `values` (at most 2) and `items` are used up.
    """
    return _sort_between(values, items, np.empty_like(values), np.empty_like(items), no_keys)


@kernel
def _sort_between(values, items, spare_values, spare_items, no_keys):
    """Do the work of `sort_falling`, from these arrays to the spare ones and back."""
    for i in range(values.size):
        values[i] += 0  # turns a negative zero into zero
    keys, key_buffer = values.view(no_keys.dtype), spare_values.view(no_keys.dtype)
    digit = 11 if keys.size > 1024 else 8  # of few items the digits are counted in less room
    item_buffer = spare_items
    start = np.empty(1 << digit, np.int64)
    # The bits of 2.0 lie below bit 31 (float32) or 63 (float64): three or six digits of eleven.
    for shift in range(0, 8 * keys.itemsize - 2, digit):
        start[:] = 0
        for i in range(keys.size):
            start[(keys[i] >> shift) & ((1 << digit) - 1)] += 1
        total = 0
        for d in range(start.size - 1, -1, -1):  # the highest digit first: falling
            total, start[d] = total + start[d], total
        for i in range(keys.size):
            d = (keys[i] >> shift) & ((1 << digit) - 1)
            key_buffer[start[d]], item_buffer[start[d]] = keys[i], items[i]
            start[d] += 1
        keys, key_buffer = key_buffer, keys
        items, item_buffer = item_buffer, items
    return items


def argsort_falling(values: np.ndarray, no_keys: np.ndarray) -> np.ndarray:
    """Return the order that sorts numbers from 0 to 2 falling, equal ones as they stand.

    NumPy makes the arrays, for it asks Linux for large pages; a kernel's come page by page.
    """
    values, items = values.copy(), np.arange(values.size, dtype=np.int32)
    return _sort_between(values, items, np.empty_like(values), np.empty_like(items), no_keys)


@kernel
def find_root(parent, p):
    """Follow the pointers from `p` to their end, and shorten the way for the next one."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p
