"""What a page sees of a film, read from its bytes alone: the tests' own reader of the format."""

from __future__ import annotations

import numpy as np


def numbers(frames, where):
    """Return an array that is named by its place."""
    kind = np.dtype(where["type"]).newbyteorder("<")
    found = np.frombuffer(frames.data, kind, where["length"], where["at"])
    if "step" in where:  # differences, around the end of the type
        whole = found.reshape(-1, where["step"]).astype(int).cumsum(axis=0)
        found = (whole % 2 ** (8 * kind.itemsize)).astype(kind).ravel()
    return found


def panel(frames, kind="image"):
    """Return the first panel of a kind."""
    return next(one for one in frames.about["panels"] if one["kind"] == kind)


def _indices(frames, layer, shape, k):
    count = shape[0] * shape[1]
    if "indices" in layer:
        every = numbers(frames, layer["indices"]).reshape(-1, *shape)
        return every[k if len(every) > 1 else 0]
    if "bits" in layer:
        rows = numbers(frames, layer["bits"]).reshape(frames.about["frames"], -1)
        return np.unpackbits(rows[k], count=count, bitorder="little").reshape(shape)
    turns = numbers(frames, layer["turns"]).reshape(shape)
    before, after = (
        np.full(shape, layer[name]) if isinstance(layer[name], int)
        else numbers(frames, layer[name]).reshape(shape)
        for name in ("before", "after")
    )  # fmt: skip
    return np.where(turns > k, before, after)


def _palette(layer):
    if layer["palette"] == "grey":
        return np.array([[k, k, k, 255] for k in range(256)], float)
    return np.array(layer["palette"], float)


def colours(frames, k, image=None):
    """Return the picture of a frame, without what lies over its layers: (H, W, 3) of uint8."""
    image = image or panel(frames)
    picture = np.zeros((*image["shape"], 3))
    for layer in image["layers"]:
        over = _palette(layer)[_indices(frames, layer, image["shape"], k)]
        share = over[..., 3:] / 255
        picture = share * over[..., :3] + (1 - share) * picture
    return np.round(picture).astype(np.uint8)


def foreground(frames, k):
    """Return the mask that the page has of a frame."""
    image = panel(frames)
    (layer,) = [layer for layer in image["layers"] if layer.get("mask")]
    return np.isin(_indices(frames, layer, image["shape"], k), layer["mask"])


def places(frames, k, which):
    """Return the flat indices of the signs of a kind in a frame, by their place in the list."""
    about = panel(frames)["signs"][which]
    flat = numbers(frames, about["places"])
    if about["starts"] is None:
        return flat
    starts = numbers(frames, about["starts"])
    return flat[starts[k] : starts[k + 1]]


def features(frames, k):
    """Return the features of a frame as a dict of arrays, and which of them are alive."""
    about = frames.about["features"]
    found = {name: numbers(frames, value) for name, value in about.items() if "at" in value}
    if "starts" in found:
        starts = found.pop("starts")
        found = {name: values[starts[k] : starts[k + 1]] for name, values in found.items()}
    if "living" in found:
        return found, found["living"] > 0
    return found, (found["born"] > k) & (found["died"] <= k)
