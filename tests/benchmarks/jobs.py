"""What is measured, beside whom, and what is required.

A required ratio is the least quotient of a peer's time by ours: 8 means that we take at most an
eighth of the peer's time, 0.67 that we take at most one and a half of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage

from . import inputs, memory, peers
from .harness import Call, Contender, Job, Row, Unavailable, measure

Run = Callable[[], Any]

# --- Persistence pairs ------------------------------------------------------------------------
# All compute all dimensions of the superlevel sets, with the full connectivity. The peers know
# sublevel sets only and get the negated image; everyone gets float64, C order, made before the
# clock starts.


def _ours(image: np.ndarray) -> Run:
    from toposeg_lite.topology import persistence_pairs

    return lambda: persistence_pairs(image)


def _cripser(image: np.ndarray) -> Run:
    from cripser import computePH_T  # the construction on top-dimensional cells

    negated = -image
    return lambda: computePH_T(negated, maxdim=image.ndim - 1, location="yes")


def _gudhi_located(image: np.ndarray) -> Run:
    from gudhi import CubicalComplex

    negated = -image

    def run() -> Any:
        cells = CubicalComplex(top_dimensional_cells=negated)
        cells.compute_persistence()
        return cells.cofaces_of_persistence_pairs()

    return run


def _gudhi_rectangle(image: np.ndarray) -> Run:
    # CubicalPersistence, the public way to this function, adds joblib's cost to each call.
    from gudhi._pers_cub_low_dim_ext import _persistence_on_rectangle_from_top_cells as rectangle

    negated = -image
    return lambda: rectangle(negated, 0.0)


def _argsort(image: np.ndarray) -> Run:
    return lambda: np.argsort(image, axis=None)


PERSISTENCE = {
    "toposeg_lite": _ours,
    "cripser": _cripser,
    "GUDHI, located": _gudhi_located,
    "GUDHI, rectangle": _gudhi_rectangle,
}
PERSISTENCE_PEERS = list(PERSISTENCE)[1:]


def diagram(contender: str, result: Any, image: np.ndarray) -> np.ndarray:
    """Return what a contender of `PERSISTENCE` computed as sorted rows (dimension, birth, death).

    Pairs without persistence are left out; the essential component dies at 0.
    """
    if contender == "toposeg_lite":
        values = image.ravel()
        assert np.array_equal(values[result.birth_index], result.birth)
        rows = np.column_stack([result.dimension, result.birth, result.death])
    elif contender == "cripser":
        death = np.where(result[:, 2] > 1, 0.0, -result[:, 2])
        rows = np.column_stack([result[:, 0], -result[:, 1], death])
    elif contender == "GUDHI, located":
        values = image.ravel(order="F")  # as it counts
        finite, essential = result
        rows = np.concatenate(
            [
                np.column_stack([np.full(len(pairs), k), *values[pairs].reshape(-1, 2).T])
                for k, pairs in enumerate(finite)
            ]
            + [[[k, values[p], 0.0]] for k, births in enumerate(essential) for p in births]
        )
    elif contender == "GUDHI, rectangle":
        rows = np.concatenate(
            [np.column_stack([np.full(len(pairs), k), -pairs]) for k, pairs in enumerate(result)]
        )
        rows[np.isinf(rows[:, 2]), 2] = 0.0
    else:
        raise ValueError(f"unknown contender {contender!r}")
    rows = rows[(rows[:, 1] > rows[:, 2])]
    return rows[np.lexsort(rows.T[::-1])]


def persistence_job(kind: str, size: int) -> Job:
    """Persistence pairs of one image; agreement is that of the multisets, exactly."""
    image = inputs.IMAGES[kind](size)
    required: dict[str, float] = {}
    if kind == "likelihood" and size in (256, 512):
        required = {"cripser": 8, "GUDHI, located": 50, "GUDHI, rectangle": 1 / 1.5}
    if kind == "likelihood" and size == 64:
        required = {"cripser": 4}
    reference = diagram("toposeg_lite", _ours(image)(), image)

    def same_as(name: str) -> Callable[[Any, Any], None]:
        def same(_: Any, theirs: Any) -> None:
            rows = diagram(name, theirs, image)
            assert np.array_equal(rows, reference), (
                f"{len(rows)} pairs against {len(reference)}, or other values"
            )

        return same

    return Job(
        name=f"persistence pairs, {kind}",
        size=f"{size}x{size}",
        ours=Call(_ours(image)),
        peers={name: Call(PERSISTENCE[name](image)) for name in PERSISTENCE_PEERS},
        required=required,
        floor=("np.argsort", Call(_argsort(image))),
        same={name: same_as(name) for name in PERSISTENCE_PEERS},
    )


def persistence_rows(rounds: int) -> Iterator[Row]:
    """Likelihoods of all sizes, and noise of the middle ones, for which nothing is required."""
    for kind, sizes in (("likelihood", (64, 256, 512, 1024)), ("noise", (256, 512))):
        for size in sizes:
            yield from measure(persistence_job(kind, size), rounds)


# --- Memory -----------------------------------------------------------------------------------

BYTES_PER_PIXEL = 16.0


def memory_rows(rounds: int, size: int = 1024) -> Iterator[Row]:
    """The peak beyond the input of each contender of `PERSISTENCE`, beside the limit for ours."""
    del rounds  # a peak is no matter of luck: one process each
    for kind in inputs.IMAGES:
        amounts: dict[str, float | None] = {"the limit": BYTES_PER_PIXEL}
        notes: dict[str, str] = {}
        for name in PERSISTENCE:
            try:
                amounts[name] = memory.bytes_per_pixel(name, kind, size)
            except Unavailable as reason:
                amounts[name], notes[name] = None, str(reason)
        ours = amounts.pop("toposeg_lite")
        for name, amount in amounts.items():
            yield Row(
                job=f"memory of persistence pairs, {kind}",
                size=f"{size}x{size}",
                unit="B/pixel",
                ours=ours,
                peer=name,
                theirs=amount,
                ratio=None if ours is None or amount is None else amount / ours,
                required=1.0 if name == "the limit" else None,
                note=notes.get(name),
            )


# --- The topological loss ---------------------------------------------------------------------


def _loss_call(loss: Any, logits: Any, target: Any) -> Call:
    """One forward and backward pass."""

    def run() -> float:
        logits.grad = None
        value = loss(logits, target)
        value.backward()
        return value.item()

    return Call(run)


def _same_distance(hutopo: Any, logits: Any, target: Any) -> Callable[[Any, Any], None]:
    """Compare the values image by image, as far as the definitions go together.

    HutopoLoss is the sum of all squared distances but that of the essential component; ours holds
    it and is divided by the number of true features plus one.
    """
    from toposeg_lite.losses import topological_loss
    from toposeg_lite.topology import betti_numbers

    def same(ours: float, theirs: float) -> None:
        expected, plain = [], []
        for image, truth in zip(logits.detach(), target, strict=True):
            features = sum(betti_numbers(truth[0].numpy() > 0, connectivity=1))
            essential = (1 - image.sigmoid().max()).item() ** 2
            plain.append(hutopo(image[None], truth[None]).item())
            expected.append((plain[-1] + essential) / (features + 1))
        value = topological_loss(
            logits.detach(), target, matching="wasserstein", connectivity=1
        ).item()
        np.testing.assert_allclose(theirs, np.mean(plain), rtol=1e-4)
        np.testing.assert_allclose(value, np.mean(expected), rtol=1e-4)
        assert ours > 0

    return same


def loss_rows(rounds: int) -> Iterator[Row]:
    """Forward and backward on 4x1x256x256 float32, with all cores for everyone."""
    import torch

    from toposeg_lite.losses import TopologicalLoss

    logits, target = (torch.from_numpy(array) for array in inputs.loss_batch())
    logits.requires_grad_()
    others: dict[str, Contender | Unavailable] = {}
    same: dict[str, Callable[[Any, Any], None]] = {}
    try:
        hutopo = peers.hutopo_loss()
        others["topolosses HutopoLoss"] = _loss_call(hutopo, logits, target)
        same["topolosses HutopoLoss"] = _same_distance(hutopo, logits, target)
    except Unavailable as reason:
        others["topolosses HutopoLoss"] = reason
    try:
        others["torch-topological"] = peers.TorchTopological()
    except Unavailable as reason:
        others["torch-topological"] = reason
    # HutopoLoss matches by exact transport in the connectivity that is our 1: "wasserstein" is
    # its equal, "rank", the default, the one of the paper that both implement.
    for matching in ("rank", "wasserstein"):
        job = Job(
            name=f"TopologicalLoss, {matching}, forward + backward",
            size="4x1x256x256",
            ours=_loss_call(TopologicalLoss(matching=matching, connectivity=1), logits, target),
            peers=others,
            required={"topolosses HutopoLoss": 8},
            same=same,
        )
        yield from measure(job, rounds)
    if isinstance(others["torch-topological"], peers.TorchTopological):
        others["torch-topological"].close()


# --- Masks ------------------------------------------------------------------------------------


def betti_job(size: int) -> Job:
    """Betti numbers beside the two labellings of OpenCV that give them.

    The mask that OpenCV gets has a frame of background, so that all outer background is one
    component; making it, and the inverted mask, is not on its clock.
    """
    from toposeg_lite.topology import betti_numbers

    mask = inputs.mask_pair(size)[0]
    framed = np.pad(mask, 1).astype(np.uint8)
    inverted = 1 - framed
    name = "OpenCV, two labellings"

    def two_labellings(cv2: Any) -> tuple[int, int]:
        foreground = cv2.connectedComponents(framed, connectivity=8)[0] - 1
        background = cv2.connectedComponents(inverted, connectivity=4)[0] - 1
        return foreground, background - 1

    opencv: Contender | Unavailable
    try:
        opencv = Call(partial(two_labellings, peers.opencv()))
    except Unavailable as reason:
        opencv = reason

    def same(ours: Any, theirs: Any) -> None:
        assert tuple(ours) == theirs, f"{theirs} against {tuple(ours)}"

    return Job(
        name="Betti numbers",
        size=f"{size}x{size}",
        ours=Call(lambda: betti_numbers(mask)),
        peers={name: opencv},
        required={name: 1},
        same={name: same},
    )


def clustering_job(size: int) -> Job:
    """ARI and VOI of a pair of masks beside scikit-image's labelling and its two measures.

    scikit-image's adapted Rand error is another number than the ARI, from the same table of
    overlaps; the VOI of both is the same and is compared.
    """
    from skimage.measure import label
    from skimage.metrics import adapted_rand_error, variation_of_information

    from toposeg_lite import metrics

    prediction, truth = inputs.mask_pair(size)

    def ours() -> tuple[float, float]:
        return (
            metrics.adjusted_rand_index(prediction, truth),
            metrics.variation_of_information(prediction, truth),
        )

    def skimage() -> tuple[float, float]:
        labels = label(truth), label(prediction)
        return adapted_rand_error(*labels, ignore_labels=())[0], sum(
            variation_of_information(*labels)
        )

    def same(ours: Any, theirs: Any) -> None:
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9)

    return Job(
        name="ARI and VOI of two masks",
        size=f"{size}x{size}",
        ours=Call(ours),
        peers={"scikit-image": Call(skimage)},
        required={"scikit-image": 3},
        same={"scikit-image": same},
    )


def mask_rows(rounds: int) -> Iterator[Row]:
    yield from measure(betti_job(1024), rounds)
    yield from measure(clustering_job(1024), rounds)


# --- Homotopy warping and the discrete Morse complex ---------------------------------------------


def warping_rows(rounds: int) -> Iterator[Row]:
    """The warps of a batch in both directions, with as many threads as the group has."""
    import torch

    from toposeg_lite.topology.warping import warp_batch

    logits, truth = inputs.loss_batch()
    masks, truths = logits[:, 0] > 0, truth[:, 0] > 0
    starts, targets = np.concatenate([masks, truths]), np.concatenate([truths, masks])
    workers = torch.get_num_threads()
    name = "topolosses WarpingLoss"
    there: dict[str, Contender | Unavailable] = {}
    try:
        loss = peers.warping_loss()
        channels = [np.stack([~m, m], 1).astype(np.float32) for m in (masks, truths)]
        likelihoods, one_hot = (torch.from_numpy(array) for array in channels)
        there[name] = Call(lambda: loss(likelihoods, one_hot))
    except Unavailable as reason:
        there[name] = reason

    def transforms() -> None:
        for mask in starts:
            ndimage.distance_transform_edt(mask)

    yield from measure(
        Job(
            name=f"homotopy warps, both ways, threads: {workers}",
            size="4x256x256",
            ours=Call(lambda: warp_batch(starts, targets, 2, workers)),
            peers=there,
            required={name: 2.0 if workers == 1 else 3.0},
            floor=("distance transforms", Call(transforms)),
        ),
        rounds,
    )


def morse_rows(rounds: int) -> Iterator[Row]:
    """Building the complex, beside a watershed of the same image, which finds only the basins.

    Asking it again is beside a tenth of building it: each call has a threshold not asked before.
    """
    from skimage.segmentation import watershed

    from toposeg_lite.topology import morse_complex

    for kind, sizes in (("likelihood", (256, 512, 1024, 2048)), ("noise", (256, 512))):
        first: Row | None = None
        for size in sizes:
            image = inputs.IMAGES[kind](size).astype(np.float32)
            rows = measure(
                Job(
                    name=f"discrete Morse complex, {kind}",
                    size=f"{size}x{size}",
                    ours=Call(partial(morse_complex, image)),
                    peers={"scikit-image watershed": Call(partial(watershed, image))},
                    required={"scikit-image watershed": 1.0} if size < 1024 else {},
                    floor=("np.argsort", Call(_argsort(image))),
                ),
                rounds,
            )
            yield from rows
            if size == 512:
                yield _asking_row(kind, image, rows[0])
            if first is None:
                first = rows[0]
            elif size > 512:
                yield _growth_row(kind, first, rows[0])


def _growth_row(kind: str, small: Row, large: Row) -> Row:
    """How many times longer the larger image takes, beside sorting, which grows as n log n.

    Both outgrow the caches on the way; a formula does not know of them.
    """
    times = [row.ours or np.nan for row in (small, large)]
    floors = [row.floor_amount or np.nan for row in (small, large)]
    ours, sorting = times[1] / times[0], floors[1] / floors[0]
    return Row(
        job=f"growth of the Morse complex, {kind}",
        size=f"{small.size} to {large.size}",
        unit="times",
        ours=ours,
        peer="np.argsort",
        theirs=sorting,
        ratio=sorting / ours,
        required=1.0,
    )


def _asking_row(kind: str, image: np.ndarray, built: Row) -> Row:
    """Time skeleton, branches and patches together, at thresholds that change from call to call."""
    from toposeg_lite.topology import morse_complex

    landscape = morse_complex(image)
    times = []
    for turn in range(11):
        persistence, level = 0.05 + 0.01 * turn, 0.3 + 0.02 * turn
        start = time.perf_counter()
        landscape.skeleton(persistence, level)
        landscape.branches(persistence, level)
        landscape.patches(persistence)
        times.append(1000 * (time.perf_counter() - start))
    ours, limit = float(np.median(times)), (built.ours or 0) / 10
    return Row(
        job=f"asking the Morse complex again, {kind}",
        size=built.size,
        unit="ms",
        ours=ours,
        peer="a tenth of building it",
        theirs=limit,
        ratio=limit / ours,
        required=1.0,
    )


# --- The explorers ----------------------------------------------------------------------------

MOVE_MILLISECONDS = 100.0


def explorer_rows(rounds: int, size: int = 256) -> Iterator[Row]:
    """The Python time of one move of each slider of each explorer, the median, beside its limit."""
    from ipywidgets import FloatLogSlider, FloatSlider, IntSlider

    for model in _explorers(size):
        image = getattr(model, "image", getattr(model, "mask", None))
        shape = "x".join(map(str, image.shape)) if isinstance(image, np.ndarray) else "a study"
        for widget in _widgets(model.view()):
            if isinstance(widget, FloatLogSlider):  # its steps are those of the exponent
                name = widget.description
                values = [widget.value, widget.value * widget.base**widget.step]
            elif isinstance(widget, IntSlider | FloatSlider) and widget.min < widget.max:
                name, further = widget.description, widget.value + widget.step
                values = [
                    widget.value,
                    further if further <= widget.max else widget.value - widget.step,
                ]
            elif hasattr(widget, "bundle") and widget.about["frames"] > 1:  # told at its rest
                name, last = widget.about["label"], widget.about["frames"] - 1
                values = [widget.index, widget.index + (1 if widget.index < last else -1)]
            else:
                continue
            trait = "index" if hasattr(widget, "bundle") else "value"
            times = []
            for turn in range(2 * (rounds // 2 + 1)):
                start = time.perf_counter()
                setattr(widget, trait, values[(turn + 1) % 2])
                times.append(1000 * (time.perf_counter() - start))
            ours = float(np.median(times))
            yield Row(
                job=f"{type(model).__name__}, one move: {name}",
                size=shape,
                unit="ms",
                ours=ours,
                peer="the limit",
                theirs=MOVE_MILLISECONDS,
                ratio=MOVE_MILLISECONDS / ours,
                required=1.0,
            )


def _explorers(size: int) -> Iterator[Any]:
    """Every explorer: on an image of this size, or on its own example where that is as large."""
    from toposeg_lite.losses import TopologicalLoss
    from toposeg_lite.workbook import explorers

    image = inputs.likelihood(size)
    losses = {"topological": TopologicalLoss()}
    sized = {
        explorers.PersistenceExplorer: lambda: explorers.PersistenceExplorer(
            image, min_persistence=0.1, selected=3
        ),
        explorers.GradientExplorer: lambda: explorers.GradientExplorer(
            image, image > 0.7, losses, steps=3, selected=3
        ),
        explorers.MorseExplorer: lambda: explorers.MorseExplorer(
            image, saddle_level=0.15, selected=1
        ),
        explorers.WarpExplorer: lambda: explorers.WarpExplorer(image, image > 0.7, step=9),
    }
    for name in explorers.__all__:
        kind = getattr(explorers, name)
        if isinstance(kind, type) and "example" in vars(kind) and kind is not explorers.Explorer:
            yield sized.get(kind, kind.example)()


def _widgets(box: Any) -> Iterator[Any]:
    """A widget and all that it holds."""
    yield box
    for child in getattr(box, "children", ()):
        yield from _widgets(child)
