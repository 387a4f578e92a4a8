"""The peers that need a hand to run: topolosses, torch-topological and OpenCV.

The first two live in ``.bench/``, not among the library's own requirements. topolosses imports
torchvision for a loss that is not used here; it is given an empty module of that name while it is
imported. torch-topological needs GUDHI 3.11 and imports giotto-ph for complexes that are not used
here; it runs in a process of its own, where both stand before the GUDHI that the library uses.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from . import inputs
from .harness import Unavailable, environment

BENCH = Path(__file__).parents[2] / ".bench"
TOPOLOSSES = BENCH / "topolosses"
TORCH_TOPOLOGICAL = BENCH / "torch-topological"


def _import_beside_empty(directory: Path, package: str, absent: str) -> ModuleType:
    """Import a package from a directory while an empty module stands in for an absent one."""
    if not (directory / package.split(".")[0]).is_dir():
        raise Unavailable(f"it is not in {directory.relative_to(BENCH.parent)}")
    there = importlib.util.find_spec(absent) is not None
    if not there:
        empty = ModuleType(absent)
        empty.__getattr__ = lambda name: None  # type: ignore[method-assign]
        sys.modules[absent] = empty
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise Unavailable(f"it cannot be imported: {error}") from error
    finally:
        sys.path.remove(str(directory))
        if not there:
            del sys.modules[absent]


def opencv() -> ModuleType:
    """Return OpenCV, confined to one thread."""
    try:
        import cv2
    except ImportError as error:
        raise Unavailable(f"it cannot be imported: {error}") from error
    cv2.setNumThreads(1)
    return cv2


def warping_loss() -> Callable[..., Any]:
    """Return topolosses' WarpingLoss without its pixel-wise part, for two channels of likelihood.

    It runs the warps in both directions with distance transforms of its own, but decides by another
    rule which pixels may flip, so its result is no warp and cannot be compared with ours.
    """
    _import_beside_empty(TOPOLOSSES, "topolosses.losses", "torchvision")
    from topolosses.losses import WarpingLoss  # type: ignore[import-not-found]

    return WarpingLoss(alpha=1.0, softmax=False, use_base_loss=False)


def hutopo_loss() -> Callable[..., Any]:
    """Return topolosses' HutopoLoss with the settings that equal ours, and its fastest ones.

    The filtration is given as the enum member, for as a string it runs the sublevel sets. One
    foreground channel with a sigmoid, no pixel-wise part, and as many images at once as the batch
    has: with the default of one image at a time it takes a quarter more.
    """
    _import_beside_empty(TOPOLOSSES, "topolosses.losses", "torchvision")
    from topolosses.losses import HutopoLoss  # type: ignore[import-not-found]
    from topolosses.losses.utils import FiltrationType  # type: ignore[import-not-found]

    return HutopoLoss(
        filtration_type=FiltrationType.SUPERLEVEL,
        num_processes=4,
        include_background=True,  # there is no background channel to leave out
        alpha=1.0,
        sigmoid=True,
        use_base_loss=False,
    )


class TorchTopological:
    """The distance of torch-topological's diagrams, forward and backward, in another process.

    Its cubical complex of superlevel sets, then its Wasserstein distance of order 2, for both
    dimensions and summed over the batch. It pairs the essential component with the least value, and
    takes the largest of the coordinates' differences for distance, so its value is not ours.
    """

    def __init__(self) -> None:
        if not (TORCH_TOPOLOGICAL / "torch_topological").is_dir():
            raise Unavailable(f"it is not in {TORCH_TOPOLOGICAL.relative_to(BENCH.parent)}")
        here = environment()
        here["PYTHONPATH"] = os.pathsep.join([str(TORCH_TOPOLOGICAL), here["PYTHONPATH"]])
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=here,
        )
        self.result()  # so that a peer that cannot run says so now

    def _ask(self, calls: int) -> list[float]:
        to, back = self.process.stdin, self.process.stdout
        assert to is not None
        assert back is not None
        try:
            print(calls, file=to, flush=True)
            return [float(word) for word in back.readline().split()]
        except BrokenPipeError:
            return []

    def result(self) -> float:
        return self._answer(1)[1]

    def seconds(self, calls: int) -> float:
        return self._answer(calls)[0]

    def _answer(self, calls: int) -> list[float]:
        answer = self._ask(calls)
        if not answer:
            lines = self.process.communicate()[1].strip().splitlines()
            raise Unavailable(f"it ended: {lines[-1] if lines else self.process.returncode}")
        return answer

    def close(self) -> None:
        """End the other process."""
        if self.process.poll() is None:
            self.process.communicate()  # an empty line of input is its sign to end


def _serve() -> None:
    """Be the other process: for each number read, run as often; write the mean time and value."""
    sys.modules["gph"] = ModuleType("gph")
    sys.modules["gph"].ripser_parallel = None  # type: ignore[attr-defined]
    from torch_topological.nn import (  # type: ignore[import-not-found]
        CubicalComplex,
        WassersteinDistance,
    )

    import torch  # isort: skip  # after the peer, which may refuse to be imported

    logits, target = (torch.from_numpy(array) for array in inputs.loss_batch())
    logits.requires_grad_()
    diagrams = CubicalComplex(superlevel=True, dim=2)
    distance = WassersteinDistance(q=2)

    def run() -> float:
        logits.grad = None
        predicted = diagrams(logits.sigmoid())
        true = diagrams(target)
        loss = sum(distance(p[0], t[0]) for p, t in zip(predicted, true, strict=True))
        loss.backward()
        return loss.item()

    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            value = run()
        print((time.perf_counter() - start) / int(line), value, flush=True)


if __name__ == "__main__":
    _serve()
