"""What each loss adds to a training step on a GPU and on the CPU, called plainly and started early.

``python -m tests.benchmarks.gpu`` prints a table and ends within eight minutes (``--seconds``).
Without a GPU it says so and prints the CPU's part, whose networks and batches are smaller.

A step is that of `toposeg_lite.training.train`: the next batch is drawn, the network goes forward,
every loss sends its gradient to a copy of the logits, and their sum goes back through the network.
It is made in three ways, in turns: *without* an added loss; *plainly*, where one thing comes after
the other; and *started*, where the kernels of the added loss run while the pixel loss is computed
and the next batch drawn. What a loss adds is the difference to the step without it, and its share
*hidden* the part of that which is no longer seen once it is started.

The losses see the logits of `inputs`, those of a network that is fairly sure: what an untrained one
says is noise, and takes other times.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from . import inputs
from .losses import has_bfloat16_units

LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "topological, rank": ("topological", {"matching": "rank"}),
    "topological": ("topological", {}),
    "warping": ("warping", {}),
    "Morse": ("morse", {}),
    "clDice, soft": ("cldice", {}),
    "clDice, thin": ("cldice", {"skeleton": "thin"}),
}


@dataclass(frozen=True)
class Setting:
    """A network and its batches on one device."""

    device: str
    dtype: str
    ndim: int
    width: int
    batch: int
    side: int

    def __str__(self) -> str:
        sides = "x".join([str(self.side)] * self.ndim)
        return (
            f"{self.ndim}D U-Net of width {self.width}, batch {self.batch} of {sides}, "
            f"{self.dtype}, {self.device}"
        )


ON_GPU = [(2, 32, 8, 256), (3, 16, 2, 96)]
ON_CPU = [(2, 32, 4, 128), (3, 8, 2, 40)]


def settings() -> list[Setting]:
    """Return what can be measured here."""
    import torch

    dtypes = ("float32", "bfloat16")
    chosen = []
    if torch.cuda.is_available():
        chosen += [Setting("cuda", dtype, *sizes) for sizes in ON_GPU for dtype in dtypes]
    usable = dtypes if has_bfloat16_units() else dtypes[:1]
    return chosen + [Setting("cpu", dtype, *sizes) for sizes in ON_CPU for dtype in usable]


class Steps:
    """The steps of one setting."""

    def __init__(self, setting: Setting) -> None:
        import torch
        from torch.optim import AdamW

        from toposeg_lite.data import Sample
        from toposeg_lite.losses import DiceBCELoss
        from toposeg_lite.models import UNet

        self.setting, self.dtype = setting, getattr(torch, setting.dtype)
        make = inputs.loss_batch if setting.ndim == 2 else inputs.volume_batch
        arrays = make(setting.batch, setting.side)
        self.logits, self.target = (torch.from_numpy(array).to(setting.device) for array in arrays)
        likelihoods = self.logits.sigmoid().cpu().numpy()
        self.samples = [
            Sample(str(i), image, mask[0] > 0)
            for i, (image, mask) in enumerate(zip(likelihoods, arrays[1], strict=True))
        ]
        model = UNet(1, width=setting.width, ndim=setting.ndim)
        self.model = model.to(setting.device)
        self.optimiser = AdamW(self.model.parameters(), 1e-6)
        self.pixels = DiceBCELoss()
        self.images = self.draw()

    def draw(self) -> Any:
        """Return the images of the next batch, on the CPU."""
        import torch

        from toposeg_lite.training import draw_batch

        setting = self.setting
        sizes = {"patch": setting.side, "batch": setting.batch}
        return torch.from_numpy(draw_batch(self.samples, step=0, seed=0, light=0.3, **sizes)[0])

    def make(self, loss: Any = None, *, started: bool = False) -> None:
        """Make one step, with an added loss or without."""
        import torch

        from toposeg_lite.topology.threads import Background

        images = self.images.to(self.setting.device)
        enabled = self.dtype != torch.float32
        with torch.autocast(self.setting.device, self.dtype, enabled=enabled):
            output = self.model(images)
        # The benchmark's logits, but not before the network's are there.
        leaf = (self.logits + 0 * output.detach().float()).requires_grad_()
        if started:
            pending, ahead = loss.start(leaf, self.target), Background(self.draw)
        self.pixels(leaf, self.target).backward()
        if not started:
            self.images = self.draw()
        if loss is not None:
            (pending.result() if started else loss(leaf, self.target)).backward()
        if started:
            self.images = ahead.wait()
        self.optimiser.zero_grad()
        (output.float() * leaf.grad).sum().backward()
        self.optimiser.step()

    def milliseconds(self, loss: Any = None, *, started: bool = False) -> float:
        """Time one step."""
        import torch

        on_gpu = self.setting.device == "cuda"
        if on_gpu:
            torch.cuda.synchronize()
        begin = time.perf_counter()
        self.make(loss, started=started)
        if on_gpu:
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - begin)


def measure(steps: Any, losses: dict[str, Any], seconds: float) -> Iterator[tuple[str, ...]]:
    """Yield the cells of one line for each loss; the first line is of the step alone.

    The three ways take turns until the time is up, but one round is timed whatever it takes, after
    one that fills pools and compiles kernels. A share is one of medians.
    """
    end = time.monotonic() + seconds
    times: dict[tuple[str, str], list[float]] = {}
    rounds = 0
    while rounds < 2 or time.monotonic() < end:
        for name, loss in losses.items():
            for way in ("without", "plainly", "started"):
                given = {} if way == "without" else {"loss": loss, "started": way == "started"}
                times.setdefault((name, way), []).append(steps.milliseconds(**given))
        if not rounds:
            times.clear()
        rounds += 1
    alone = [ms for (_, way), all_ in times.items() if way == "without" for ms in all_]
    yield "the step without an added loss", f"{median(alone):.1f} ms", "", "", ""
    for name in losses:
        without, plainly, started = (
            median(times[name, way]) for way in ("without", "plainly", "started")
        )
        hidden = share_hidden(without, plainly, started)
        yield (
            name,
            f"{plainly:.1f} ms",
            f"{plainly - without:+.1f} ms",
            f"{started - without:+.1f} ms",
            "" if hidden is None else f"{hidden:.0%}",
        )


def share_hidden(without: float, plainly: float, started: float) -> float | None:
    """Return which part of what a loss adds is not seen when it is started; None if none is."""
    added = plainly - without
    return None if added <= 0 else (plainly - started) / added


HEADINGS = ("loss", "step, plainly", "added", "added, started", "hidden")


def lines(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Set rows of cells in columns."""
    cells = [HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        name, *numbers = (cell for cell in row)
        right = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *right]).rstrip()


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    import torch

    from toposeg_lite.losses import make_loss

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=400, help="for all (default 400)")
    options = parser.parse_args(arguments)
    chosen = settings()
    if torch.cuda.is_available():
        print(f"{torch.cuda.get_device_name()}; {os.cpu_count()} cores")
    else:
        print(f"There is no GPU here: the CPU's part only, with {os.cpu_count()} cores.")
    losses = {name: make_loss(kind, **given) for name, (kind, given) in LOSSES.items()}
    end = time.monotonic() + options.seconds
    for place, setting in enumerate(chosen):
        share = (end - time.monotonic()) / (len(chosen) - place)
        begin = time.monotonic()
        steps = Steps(setting)
        rows = list(measure(steps, losses, share - (time.monotonic() - begin)))
        print(f"\n{setting}", *lines(rows), sep="\n", flush=True)


if __name__ == "__main__":
    main()
