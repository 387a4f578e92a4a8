"""What clDice costs along soft and along thin skeletons, in time and in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import inputs, memory
from .harness import Call, Job, Row, measure

SHAPES = [(1024, 2048), (128, 128, 128)]


def batch(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the logits of one image, that want a gradient, and its target."""
    import torch

    make = inputs.logits_and_mask if len(shape) == 2 else inputs.volume_logits_and_mask
    logits, mask = make(min(shape))
    repeats = [n // min(shape) for n in shape]
    leaf = torch.from_numpy(np.tile(logits, repeats)[None, None].astype(np.float32))
    return leaf.requires_grad_(), torch.from_numpy(np.tile(mask, repeats)[None, None])


def contender(skeleton: str, shape: tuple[int, ...]) -> Call:
    """One forward and backward pass."""
    from toposeg_lite.losses import ClDiceLoss

    loss, (leaf, target) = ClDiceLoss(skeleton=skeleton), batch(shape)

    def run() -> float:
        leaf.grad = None
        value = loss(leaf, target)
        value.backward()
        return value.item()

    return Call(run)


def cldice_rows(rounds: int) -> Iterator[Row]:
    """Forward and backward pass of one image; thin ones are to be the smaller by 5 times."""
    for shape in SHAPES:
        size = "x".join(map(str, shape))
        job = Job(
            name="clDice along thin skeletons",
            size=size,
            ours=contender("thin", shape),
            peers={"soft skeletons": contender("soft", shape)},
        )
        yield from measure(job, rounds)
        ours, theirs = (
            memory.alone(__name__, skeleton, *map(str, shape)) / np.prod(shape)
            for skeleton in ("thin", "soft")
        )
        yield Row(
            job="memory of clDice along thin skeletons",
            size=size,
            unit="B/pixel" if len(shape) == 2 else "B/voxel",
            ours=ours,
            peer="soft skeletons",
            theirs=theirs,
            ratio=theirs / ours,
            required=5.0,
        )


def _main(skeleton: str, *shape: int) -> None:
    contender(skeleton, (32,) * len(shape)).result()  # loads and compiles
    print(memory.peak_beyond_now(contender(skeleton, shape).result))


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:]))
