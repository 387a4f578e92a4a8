"""What each loss adds to a training step of the default U-Net."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from . import inputs
from .harness import Row

LIMIT_PERCENT = 10.0

# What is added to Dice + cross-entropy, by name and options; True where the limit holds.
ADDED: dict[str, tuple[str, dict[str, Any], bool]] = {
    "topological, rank": ("topological", {"matching": "rank"}, True),
    "topological, spatial": ("topological", {"matching": "spatial"}, True),
    "warping": ("warping", {}, True),
    "Morse, skeleton": ("morse", {"of": "both"}, True),
    "Morse, patches": ("morse", {"of": "both", "structure": "patches"}, True),
    "clDice": ("cldice", {}, False),
    "clDice, cross-entropy": ("cldice", {"measure": "cross_entropy"}, False),
    "skeleton recall": ("skeleton_recall", {}, False),
    "SCNP": ("scnp", {}, False),
    "Topograph": ("topograph", {}, False),
}


def step_rows(rounds: int, size: int = 256) -> Iterator[Row]:
    """The step itself, and what each loss adds to it: on the CPU, in bfloat16, and on a GPU.

    The limit is for float32 on a CPU. On a CPU a loss is timed alone, forward and backward on the
    logits, for nothing of it can hide; on a GPU the step with it is timed, and the step without it
    taken off, so that the kernels may run while the GPU works. Steps and losses take turns, and the
    table shows the median of the shares in each round.
    """
    import torch

    devices = [("cpu", torch.float32), ("cpu", torch.bfloat16)]
    if torch.cuda.is_available():
        devices += [("cuda", torch.float32), ("cuda", torch.bfloat16)]
    for device, dtype in devices:
        yield from _rows_on(device, dtype, rounds, size)


def has_bfloat16_units() -> bool:
    """Whether the CPU multiplies bfloat16 itself; without that it only costs time."""
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _rows_on(device: str, dtype: Any, rounds: int, size: int) -> Iterator[Row]:
    """Rows for one device and precision."""
    import torch
    from torch.optim import AdamW

    from toposeg_lite.losses import DiceBCELoss, make_loss
    from toposeg_lite.models import UNet

    model = UNet(1).to(device)
    weights = sum(p.numel() for p in model.parameters())
    where = f"{str(dtype).removeprefix('torch.')}, {device}"
    job = f"training step, U-Net of width {model.width} ({weights} weights), {where}"
    shape = f"4x1x{size}x{size}"
    if (device, dtype) == ("cpu", torch.bfloat16) and not has_bfloat16_units():
        yield Row(
            job=job, size=shape, unit="ms", ours=None, peer="its forward pass", theirs=None,
            ratio=None, required=None, note="this CPU has no units for bfloat16",
        )  # fmt: skip
        return
    optimiser = AdamW(model.parameters(), 1e-6)
    logits, target = (torch.from_numpy(array).to(device) for array in inputs.loss_batch(4, size))
    images, leaf = logits.sigmoid(), logits.to(dtype, copy=True).requires_grad_()
    pixels = DiceBCELoss()
    losses = {label: make_loss(name, **options) for label, (name, options, _) in ADDED.items()}

    def forward() -> Any:
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            return model(images)

    def step(loss: Any = None) -> None:
        optimiser.zero_grad()
        output = forward()
        value = pixels(output, target)
        if loss is not None:
            # The benchmarks' logits instead of the network's, which has learned nothing.
            value = value + loss(logits + 0 * output, target)
        value.backward()
        optimiser.step()

    def alone(loss: Any) -> None:
        leaf.grad = None
        loss(leaf, target).backward()

    def milliseconds(run: Callable[[], Any]) -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    ahead, steps = [], []
    added: dict[str, list[float]] = {name: [] for name in losses}
    shares: dict[str, list[float]] = {name: [] for name in losses}
    for turn in range(rounds + 1):
        ahead.append(milliseconds(forward))
        for name, loss in losses.items():
            # Each loss right after a step, as in training: the caches hold the network's data.
            steps.append(milliseconds(step))
            if device == "cuda":
                more = milliseconds(lambda loss=loss: step(loss)) - steps[-1]
            else:
                more = milliseconds(lambda loss=loss: alone(loss))
            added[name].append(more)
            shares[name].append(100 * more / steps[-1])
        if not turn:  # the first round compiles kernels and fills pools of memory
            for times in (ahead, steps, *added.values(), *shares.values()):
                times.clear()

    yield Row(
        job=job, size=shape, unit="ms", ours=median(steps), peer="its forward pass",
        theirs=median(ahead), ratio=median(ahead) / median(steps), required=None,
    )  # fmt: skip
    for name in losses:
        limited = ADDED[name][2] and (device, dtype) == ("cpu", torch.float32)
        share = median(shares[name])
        peer, most = ("the limit", LIMIT_PERCENT) if limited else ("the step", 100.0)
        yield Row(
            job=f"{name}: {median(added[name]):.1f} ms added to the step, {where}",
            size=shape, unit="%", ours=share, peer=peer, theirs=most, ratio=most / share,
            required=1.0 if limited else None,
        )  # fmt: skip
