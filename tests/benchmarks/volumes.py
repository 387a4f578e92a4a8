"""What is measured in three dimensions: see `jobs` for the rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from scipy import ndimage

from . import inputs, matchings, memory
from .harness import Call, Contender, Job, Row, Unavailable, measure
from .jobs import PERSISTENCE, diagram

PEERS = ("cripser", "GUDHI, located")
SEEDS = (0, 1)  # of side 64, the first truth has tunnels and the second has none


def _same_diagram(name: str, volume: np.ndarray, ours: Any, theirs: Any) -> None:
    """Compare the diagrams exactly; with GUDHI births and deaths of each dimension by themselves.

    GUDHI calculates modulo 11, where Moebius bands pair some tunnels otherwise than modulo 2.
    """
    one, two = diagram("toposeg_lite", ours, volume), diagram(name, theirs, volume)
    if name.startswith("GUDHI"):
        one, two = (
            np.column_stack([rows[:, :2], rows[np.lexsort(rows[:, [2, 0]].T), 2]])
            for rows in (one, two)
        )
    assert np.array_equal(one, two), "other values"


def persistence_rows(rounds: int, size: int = 64) -> Iterator[Row]:
    """Persistence pairs of a volume, all three dimensions."""
    for kind, make in inputs.VOLUMES.items():
        volume = make(size)
        yield from measure(
            Job(
                name=f"persistence pairs of a volume, {kind}",
                size="x".join([str(size)] * 3),
                ours=Call(PERSISTENCE["toposeg_lite"](volume)),
                peers={name: Call(PERSISTENCE[name](volume)) for name in PEERS},
                required={"cripser": 1.0},
                floor=("np.argsort", Call(partial(np.argsort, volume, axis=None))),
                same={name: partial(_same_diagram, name, volume) for name in PEERS},
            ),
            rounds,
        )


def memory_rows(rounds: int, size: int = 96) -> Iterator[Row]:
    """The peak beyond the input; ours is to be no larger than cripser's."""
    del rounds
    for kind in inputs.VOLUMES:
        ours, *theirs = (
            memory.bytes_per_pixel(name, kind, size, 3) for name in ("toposeg_lite", *PEERS)
        )
        for name, amount in zip(PEERS, theirs, strict=True):
            yield Row(
                job=f"memory of persistence pairs of a volume, {kind}",
                size="x".join([str(size)] * 3),
                unit="B/voxel",
                ours=ours,
                peer=name,
                theirs=amount,
                ratio=amount / ours,
                required=1.0 if name == "cripser" else None,
            )


def limit_rows(rounds: int, size: int = 64) -> Iterator[Row]:
    """Both warps and the Morse complex of a volume, the median of some turns, beside limits."""
    from toposeg_lite.topology import homotopy_warp, morse_complex

    def both_ways(mask: np.ndarray, truth: np.ndarray) -> None:
        homotopy_warp(mask, truth)
        homotopy_warp(truth, mask)

    for kind, make in inputs.VOLUMES.items():
        volume = make(size).astype(np.float32)
        mask = volume > 0.5
        truth = ndimage.gaussian_filter(volume, 1.0) > 0.5
        work: dict[str, tuple[Callable[[], Any], float]] = {
            "homotopy warps of a volume, both ways": (
                partial(both_ways, mask, truth),
                1000.0,
            ),
            "discrete Morse complex of a volume": (partial(morse_complex, volume), 2000.0),
        }
        for job, (run, limit) in work.items():
            run()
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                run()
                times.append(1000 * (time.perf_counter() - start))
            ours = median(times)
            yield Row(
                job=f"{job}, {kind}",
                size="x".join([str(size)] * 3),
                unit="ms",
                ours=ours,
                peer="the limit",
                theirs=limit,
                ratio=limit / ours,
                required=1.0,
            )


def cells_rows(rounds: int, size: int = 64) -> Iterator[Row]:
    """The Morse complex of a volume beside oineus, which pairs all cells of the same complex.

    Agreement is that of how many pairs of dimensions 0 and 1 have a persistence. cripser names the
    voxels of a pair, which is less: several critical edges may enter with one voxel.
    """
    from toposeg_lite.topology import morse_complex

    def pairs(oineus: Any, volume: np.ndarray) -> Any:
        cells = oineus.cube_filtration(volume, negate=True, max_dim=3)
        columns = oineus.Decomposition(cells, True)
        options = oineus.ReductionParams()
        options.n_threads = 1
        columns.reduce(options)
        return columns.diagram(cells)

    def same(ours: Any, theirs: Any) -> None:
        for k in range(2):
            ends = theirs.in_dimension(k)
            count = np.count_nonzero(np.isfinite(ends).all(1) & (ends[:, 0] != ends[:, 1]))
            assert np.count_nonzero(ours.branches().dimension == k) == count, f"{count} pairs"

    for kind, make in inputs.VOLUMES.items():
        volume = make(size)
        peer: Contender | Unavailable
        try:
            import oineus

            peer = Call(partial(pairs, oineus, volume))
        except ImportError as error:
            peer = Unavailable(f"it cannot be imported: {error}")
        yield from measure(
            Job(
                name=f"discrete Morse complex of a volume, {kind}",
                size="x".join([str(size)] * 3),
                ours=Call(partial(morse_complex, volume)),
                peers={"oineus, pairs of cells": peer},
                same={"oineus, pairs of cells": same},
            ),
            rounds,
        )


def sibling_rows(rounds: int, size: int = 96) -> Iterator[Row]:
    """The Morse complex and a warp beside the persistence pairs of the same volume.

    The complex holds these pairs, with the paths and the basins that belong to them: it may take
    three times as long. Agreement is that of how many pairs of dimension 0 there are.
    """
    from toposeg_lite.topology import homotopy_warp, morse_complex, persistence_pairs

    name = "its persistence pairs"

    def same(ours: Any, theirs: Any) -> None:
        joins = np.count_nonzero(ours.branches().dimension == 0)
        assert joins == np.count_nonzero(theirs.dimension == 0) - 1, "the highest peak never joins"

    for kind, make in inputs.VOLUMES.items():
        volume = make(size).astype(np.float32)
        pairs = Call(partial(persistence_pairs, volume, connectivity=1))
        cube = "x".join([str(size)] * 3)
        complex_ = Call(partial(morse_complex, volume))
        yield from measure(
            Job(
                name=f"discrete Morse complex of a volume, {kind}",
                size=cube,
                ours=complex_,
                peers={name: pairs},
                required={name: 1 / 3},
                same={name: same},
            ),
            rounds,
        )
        truth = ndimage.gaussian_filter(volume, 1.0) > 0.5
        warp = Call(partial(homotopy_warp, volume > 0.5, truth))
        yield from measure(
            Job(f"homotopy warp of a volume, {kind}", cube, warp, {name: pairs}), rounds
        )


def betti_rows(rounds: int, size: int = 128) -> Iterator[Row]:
    """Betti numbers of a volume beside cc3d's components and scikit-image's Euler number.

    cc3d labels the foreground (26 neighbours) and the background (6); the frame of background that
    makes the outside one component is made off its clock.
    """
    from skimage.measure import euler_number

    from toposeg_lite.topology import betti_numbers

    name = "cc3d + scikit-image"
    for kind, make in inputs.VOLUMES.items():
        mask = make(size) > 0.5
        framed = np.pad(mask, 1)
        inverted = ~framed

        def theirs(cc3d: Any, framed: Any = framed, inverted: Any = inverted) -> tuple[int, ...]:
            b0 = cc3d.connected_components(framed, connectivity=26, return_N=True)[1]
            b2 = cc3d.connected_components(inverted, connectivity=6, return_N=True)[1] - 1
            return b0, b0 + b2 - int(euler_number(framed, connectivity=3)), b2

        peer: Contender | Unavailable
        try:
            import cc3d

            peer = Call(partial(theirs, cc3d))
        except ImportError as error:
            peer = Unavailable(f"it cannot be imported: {error}")

        def same(ours: Any, others: Any) -> None:
            assert ours == others, f"{others} against {ours}"

        yield from measure(
            Job(
                name=f"Betti numbers of a volume, {kind}",
                size="x".join([str(size)] * 3),
                ours=Call(partial(betti_numbers, mask)),
                peers={name: peer},
                required={name: 1.0},
                same={name: same},
            ),
            rounds,
        )


def thinning_rows(rounds: int) -> Iterator[Row]:
    """Thinning beside scikit-image's: Lee's of a volume, which keeps less, and Zhang's of an image.

    Ours is checked to have the Betti numbers of the mask, the peers to be subsets of it.
    """
    from skimage.morphology import skeletonize

    from toposeg_lite.topology import betti_numbers
    from toposeg_lite.topology.skeleton import thin_by_depth

    def vessels(shape: tuple[int, ...], share: float) -> np.ndarray:
        field = np.random.default_rng([0, *shape]).standard_normal(shape)
        field = ndimage.gaussian_filter(field, 3, mode="wrap")
        return field > np.quantile(field, 1 - share)

    for peer, shape, share in (
        ("scikit-image (Lee)", (64, 64, 64), 0.05),
        ("scikit-image (Lee)", (64, 64, 64), 0.2),
        ("scikit-image (Zhang)", (512, 512), 0.2),
    ):
        mask = vessels(shape, share)

        def same(ours: np.ndarray, theirs: np.ndarray, mask: np.ndarray = mask) -> None:
            assert betti_numbers(ours) == betti_numbers(mask), "not our mask's topology"
            assert not (theirs & ~mask).any(), "more than the mask"

        yield from measure(
            Job(
                name=f"thinning, {share:.0%} foreground",
                size="x".join(map(str, shape)),
                ours=Call(partial(thin_by_depth, mask)),
                peers={peer: Call(partial(skeletonize, mask))},
                required={peer: 1.0} if len(shape) == 3 else {},
                same={peer: same},
            ),
            rounds,
        )


def run_loss(pair: tuple[np.ndarray, np.ndarray], **options: Any) -> Callable[[], float]:
    """Return a function that calculates the topological loss of a volume, forward and backward."""
    import torch

    from toposeg_lite.losses import TopologicalLoss

    leaf = torch.from_numpy(pair[0][None, None].astype(np.float32)).requires_grad_()
    target, loss = torch.from_numpy(pair[1][None]), TopologicalLoss(**options)

    def run() -> float:
        leaf.grad = None
        value = loss(leaf, target)
        value.backward()
        return float(value.item())

    return run


def true_tunnels(pair: tuple[np.ndarray, np.ndarray]) -> int:
    """Count the tunnels of a pair's truth."""
    from toposeg_lite.topology import betti_numbers

    return betti_numbers(pair[1])[1]


def matching_rows(rounds: int, size: int = 64) -> Iterator[Row]:
    """What it costs to match tunnels by place, in all voxels: a truth with tunnels, one without."""
    for seed in SEEDS:
        pair = inputs.volume_pair(size, seed)
        rank = Call(run_loss(pair, matching="rank", floor=0))
        for matching, most in (("spatial", 2), ("betti", 4)):
            yield from measure(
                Job(
                    name=f"loss of a volume, {matching}, {true_tunnels(pair)} true tunnels",
                    size="x".join([str(size)] * 3),
                    ours=Call(run_loss(pair, matching=matching, floor=0)),
                    peers={"the same, rank": rank},
                    required={"the same, rank": 1 / most},
                ),
                rounds,
            )


def floor_rows(rounds: int, size: int = 128) -> Iterator[Row]:
    """Thin tubes and little else, with the default floor.

    The limits are 0.15 and 0.25 s where np.argsort of the likelihoods takes 45 ms. topolosses knows
    no floor and no full connectivity but on a grid twice as fine; it is given the volume itself,
    and ours is the loss with this connectivity, forward and backward, against its matching alone.
    """
    kind = "1.3 % above the floor"
    pair = inputs.tubes(size)
    likelihood = (1 / (1 + np.exp(-pair[0]))).astype(np.float32)
    sort = Call(partial(np.argsort, likelihood, axis=None))
    for matching, required in (("spatial", 0.045 / 0.15), ("betti", 0.045 / 0.25)):
        yield from measure(
            Job(
                name=f"loss of a volume, {matching}, {kind}",
                size="x".join([str(size)] * 3),
                ours=Call(run_loss(pair, matching=matching)),
                peers={"np.argsort": sort},
                required={"np.argsort": required},
            ),
            rounds,
        )
    peer: Contender | Unavailable
    try:
        peer = matchings.run_once(size)
    except Unavailable as reason:
        peer = reason
    yield from measure(
        Job(
            name=f"loss of a volume, betti, connectivity 1, {kind}",
            size="x".join([str(size)] * 3),
            ours=Call(run_loss(pair, matching="betti", connectivity=1)),
            peers={matchings.PEER: peer},
            required={} if isinstance(peer, Unavailable) else {matchings.PEER: 10.0},
        ),
        rounds,
    )


def loss_memory_rows(rounds: int, sizes: tuple[int, int] = (96, 128)) -> Iterator[Row]:
    """The peak of the topological loss beyond the logits and the truth."""
    del rounds
    for kind, size in zip(inputs.PAIRS, sizes, strict=True):
        rank = memory.bytes_per_pixel("rank", kind, size, 3)
        for matching in ("spatial", "betti"):
            ours = memory.bytes_per_pixel(matching, kind, size, 3)
            yield Row(
                job=f"memory of the loss of a volume, {matching}, {kind}",
                size="x".join([str(size)] * 3),
                unit="B/voxel",
                ours=ours,
                peer="the same, rank",
                theirs=rank,
                ratio=rank / ours,
                required=None,
            )


def volume_rows(rounds: int) -> Iterator[Row]:
    """Return all rows of this module."""
    for rows in (
        persistence_rows,
        matching_rows,
        floor_rows,
        memory_rows,
        loss_memory_rows,
        limit_rows,
        cells_rows,
        sibling_rows,
        betti_rows,
        thinning_rows,
    ):
        yield from rows(rounds)
