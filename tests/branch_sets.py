"""A `BranchSet` of paths that are simply given."""

from __future__ import annotations

import numpy as np

from toposeg_lite.topology.branches import BranchSet


def branches_of(likelihood, paths, persistence=0.0):
    """Return branches that own their whole paths; no two may share a pixel."""
    pixels = np.concatenate(paths)
    offsets = np.append(0, np.cumsum([len(path) for path in paths]))
    zeros = np.zeros(len(paths), np.int64)
    return BranchSet(
        likelihood=likelihood,
        kind=zeros.astype(np.int8),
        persistence=np.broadcast_to(persistence, len(paths)),
        upper=zeros,
        lower=zeros,
        saddle=pixels[offsets[:-1]],
        pixels=pixels,
        offsets=offsets,
        owned=np.stack([offsets[:-1], offsets[1:]], axis=1),
        start=offsets[:-1],
        length=np.ones(len(paths)),
    )
