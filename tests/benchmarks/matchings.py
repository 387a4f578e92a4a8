"""The Betti matching beside its authors' program, inside topolosses: see `jobs` for the rules."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from . import inputs, peers
from .harness import Call, Contender, Job, Row, Unavailable, environment, measure

PEER = "topolosses (C++)"
MOST_MEMORY, MOST_SECONDS = 8, 180  # GiB and seconds that it may take for one large volume


def _authors() -> Any:
    """Return the extension that does the work of topolosses' BettiMatchingLoss."""
    name = "topolosses.losses.betti_matching.src.betti_matching"
    return peers._import_beside_empty(peers.TOPOLOSSES, name, "torchvision")


def _prepared(image: np.ndarray, full: bool) -> np.ndarray:
    """Return an image as the program wants it.

    It knows connectivity 1 and sublevel sets and drops the essential component: it gets the negated
    image in a frame of foreground, and for the full connectivity on a grid of the pixels' centres,
    sides and corners, each as high as the highest pixel that it touches.
    """
    image = np.pad(image, 1, constant_values=1.0)
    if full:
        fine = np.zeros([2 * n + 1 for n in image.shape])
        for corner in product((0, 1, 2), repeat=image.ndim):
            sides = zip(corner, image.shape, strict=True)
            view = fine[tuple(slice(a, a + 2 * n, 2) for a, n in sides)]
            np.maximum(view, image, out=view)
        image = fine
    return -image


def _bars(matching: Any) -> Counter:
    """Count our matched bars, without the frame's."""
    ours = matching.prediction[matching.matched[:, 0]]
    theirs = matching.truth[matching.matched[:, 1]]
    ends = [ours.dimension, ours.birth, ours.death, theirs.birth, theirs.death]
    rows = np.stack(ends, axis=1)[ours.death_index >= 0]
    return Counter(map(tuple, rows.tolist()))


def _authors_bars(images: list[np.ndarray], result: Any) -> Counter:
    """Count the program's matched bars; `images` are what it was given."""
    found: Counter = Counter()
    for k in range(images[0].ndim):
        ends = []
        for number, image in enumerate(images, 1):
            for end in ("birth", "death"):
                places = np.asarray(getattr(result, f"input{number}_matched_{end}_coordinates")[k])
                ends.append((-image[tuple(places.reshape(-1, image.ndim).T)]).tolist())
        found.update((float(k), *bar) for bar in zip(*ends, strict=True))
    return found


def matching_job(kind: str, size: int, connectivity: int, ndim: int = 2) -> Job:
    """Match two images behind a closed border; agreement is that of all bars, if there are no ties.

    `kind` is one of the inputs, twice with different seeds, or "mask": a likelihood and its truth.
    """
    from toposeg_lite.topology import match_pairs

    if kind == "mask":
        pair = [inputs.likelihood(size), inputs.logits_and_mask(size)[1]]
    else:
        make = (inputs.IMAGES if ndim == 2 else inputs.VOLUMES)[kind]
        pair = [make(size, seed) for seed in (0, 1)]
    ours = partial(match_pairs, *pair, matching="betti", connectivity=connectivity, border="closed")
    theirs: Contender | Unavailable
    images = [_prepared(image.astype(np.float64), connectivity > 1) for image in pair]
    try:
        theirs = Call(partial(_authors().compute_matching, *images))
    except Unavailable as reason:
        theirs = reason

    def same(ours: Any, theirs: Any) -> None:
        one, two = _bars(ours), _authors_bars(images, theirs)
        assert one == two, f"{one.total()} bars against {two.total()}, {(one & two).total()} equal"

    return Job(
        name=f"Betti matching, {kind}, connectivity {connectivity}",
        size="x".join([str(size)] * ndim),
        ours=Call(ours),
        peers={PEER: theirs},
        required={PEER: 3.0} if ndim == 2 and kind != "noise" else {},
        same={} if kind == "mask" else {PEER: same},
    )


def matching_rows(rounds: int) -> Iterator[Row]:
    """Images of both connectivities; noise and volumes, for which nothing is required."""
    for kind, connectivity in product(("likelihood", "noise", "mask"), (1, 2)):
        yield from measure(matching_job(kind, 256, connectivity), rounds)
    for kind, connectivity in product(inputs.VOLUMES, (1, 3)):
        yield from measure(matching_job(kind, 32, connectivity, 3), rounds)
    yield from measure(matching_job("likelihood", 64, 1, 3), rounds)


@dataclass(frozen=True)
class Once:
    """A contender that has run once, elsewhere, for it takes long."""

    taken: float

    def result(self) -> None:
        return None

    def seconds(self, calls: int) -> float:
        del calls
        return self.taken


def run_once(size: int, gibibytes: float = MOST_MEMORY, seconds: float = MOST_SECONDS) -> Once:
    """Let the program match `inputs.tubes` to their truth, within bounds of memory and time."""
    run = [sys.executable, "-m", __name__, str(size), str(gibibytes)]
    try:
        done = subprocess.run(
            run, capture_output=True, text=True, check=False, env=environment(), timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"it takes more than {seconds} s for {size}x{size}x{size}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        if "alloc" in lines[-1] or "Memory" in lines[-1]:
            lines.append(f"it takes more than {gibibytes} GiB for {size}x{size}x{size}")
        raise Unavailable(lines[-1])
    return Once(float(done.stdout))


def _main(size: int, gibibytes: float) -> None:
    """Be the other process: write how long the matching takes."""
    images = [1 / (1 + np.exp(-inputs.tubes(size)[0])), inputs.tubes(size)[1].astype(np.float64)]
    match = _authors().compute_matching
    most = int(gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    start = time.perf_counter()
    match(*(-image for image in images))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
