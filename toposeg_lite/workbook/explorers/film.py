"""Films: packed numbers and what they mean, and how to take frames out of them.

`frames` describes the format. What is said of every frame stands in a film in few forms: lists with
an entry of each frame, arrays with so many numbers of each, arrays whose part of each frame
``starts`` tells, and the frames in which something turns. So a film can be made shorter whatever
it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Film", "Packer", "kept_frames", "thinned"]


@dataclass(frozen=True)
class Film:
    """What is to be shown, and the bytes that it refers to: see the module `frames`."""

    about: dict[str, Any]
    data: bytes

    def numbers(self, place: dict[str, Any]) -> np.ndarray:
        """Return the array that a place names."""
        kind = np.dtype(place["type"]).newbyteorder("<")
        found = np.frombuffer(self.data, kind, place["length"], place["at"]).astype(place["type"])
        if "step" not in place:
            return found
        rows = found.reshape(-1, place["step"])
        return rows.cumsum(axis=0, dtype=rows.dtype)


class Packer:
    """Numbers that are packed one after the other; `chunks` holds where each of them begins."""

    def __init__(self) -> None:
        self.chunks: dict[bytes, int] = {}

    def pack(self, values: Any, kind: str) -> dict[str, Any]:
        """Append numbers, unless they are there already, and return their place."""
        numbers = np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<"))
        at = self.chunks.setdefault(numbers.tobytes(), sum(map(len, self.chunks)))
        return {"at": at, "type": kind, "length": numbers.size}

    def pack_frames(self, values: np.ndarray, kind: str) -> dict[str, Any]:
        """Append integers of all frames, (frames, ...), as differences to the frame before."""
        rows = np.asarray(values).reshape(len(values), -1).astype(kind)
        rows[1:] -= rows[:-1].copy()
        return self.pack(rows, kind) | {"step": rows.shape[1]}


# --- Fewer frames -------------------------------------------------------------------------------


def kept_frames(frames: int, most: int, always: int) -> np.ndarray:
    """Return which of so many frames to keep: evenly spread, and one that is kept always.

    >>> kept_frames(101, 5, always=53).tolist()
    [0, 33, 53, 67, 100]
    >>> kept_frames(101, 1, always=53).tolist()
    [53]
    """
    for count in (most, most - 1):
        kept = np.union1d(np.linspace(0, frames - 1, count).round(), always).astype(int)
        if len(kept) <= most:
            break
    return kept


def thinned(film: Film, kept: np.ndarray) -> Film:
    """Return a film of these frames alone, which are sorted; it takes as long to play."""
    about = _opened(film.about, film)
    frames = about["frames"]
    about["frames"] = len(kept)
    _pick(about, ("values", "sentences", "thresholds"), kept)
    for number in about["numbers"]:
        _pick(number, ("values",), kept)
    for panel in about["panels"]:
        _pick(panel, ("states", "positions"), kept)
        for layer in panel.get("layers", ()):
            _thin_layer(layer, kept)
        for sign in panel.get("signs", ()):
            _cut(sign, ("places",), kept)
    if about["features"]:
        names = [name for name, part in about["features"].items() if isinstance(part, np.ndarray)]
        _cut(about["features"], [name for name in names if name != "starts"], kept)
        _turn(about["features"], ("born", "died"), kept)
    if about["ridges"]:
        _turn(about["ridges"], ("join", "lives"), kept)
    if about["marking"]:
        _pick(about["marking"], ("states",), kept)
    if about["play"] and about["play"]["kind"] == "steps":
        shown = -(-frames // about["play"].get("stride", 1))  # when it was played
        about["play"] |= {"stride": 1, "interval": about["play"]["interval"] * shown / len(kept)}
    packer = Packer()
    return Film(_closed(about, packer), b"".join(packer.chunks))


def _pick(part: dict[str, Any], names: Any, kept: np.ndarray) -> None:
    """Keep of lists with an entry a frame those of the frames that are kept."""
    for name in names:
        if name in part:
            part[name] = [part[name][k] for k in kept]


def _cut(part: dict[str, Any], names: Any, kept: np.ndarray) -> None:
    """Keep of arrays, of which `starts` says where each frame begins, what is of those frames."""
    starts = part.get("starts")
    if starts is None:
        return
    here = np.concatenate([np.arange(starts[k], starts[k + 1]) for k in kept])
    for name in names:
        part[name] = part[name][here]
    part["starts"] = np.cumsum([0, *(starts[kept + 1] - starts[kept])]).astype(np.int32)


def _turn(part: dict[str, Any], names: Any, kept: np.ndarray) -> None:
    """Count anew the frames at which something turns: before is what is below the number."""
    for name in names:
        if name in part:
            part[name] = np.searchsorted(kept, part[name]).astype(part[name].dtype)


def _thin_layer(layer: dict[str, Any], kept: np.ndarray) -> None:
    """Keep of a layer what it is in these frames."""
    _turn(layer, ("turns",), kept)
    for name in ("indices", "bits"):
        if name in layer and layer[name].ndim == 2:
            layer[name] = layer[name][kept]


def _opened(part: Any, film: Film) -> Any:
    """Return a copy with arrays in the place of their places."""
    if isinstance(part, dict):
        if part.keys() >= {"at", "type", "length"}:
            return film.numbers(part)
        return {name: _opened(each, film) for name, each in part.items()}
    return [_opened(each, film) for each in part] if isinstance(part, list | tuple) else part


def _closed(part: Any, packer: Packer) -> Any:
    """Return a copy whose arrays are packed, those of frames (two axes) as differences."""
    if isinstance(part, np.ndarray):
        pack = packer.pack_frames if part.ndim == 2 else packer.pack
        return pack(part, part.dtype.name)
    if isinstance(part, dict):
        return {name: _closed(each, packer) for name, each in part.items()}
    return [_closed(each, packer) for each in part] if isinstance(part, list) else part
