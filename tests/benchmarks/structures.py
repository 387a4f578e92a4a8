"""How long it takes to draw structures, after the network has run."""

from __future__ import annotations

from collections.abc import Iterator

from . import inputs
from .harness import Call, Job, Row, measure

SAMPLES = 100
LIMIT_MS = 2000.0


def structure_rows(rounds: int, size: int = 512) -> Iterator[Row]:
    """Draw 100 structures of one image, the branches and their features included.

    The limit is two seconds. Images are a likelihood with curves, and white noise smoothed a
    little, whose skeleton fills the whole image: the worst case that a network could come up with.
    """
    import torch
    from scipy.ndimage import gaussian_filter

    from toposeg_lite.structures import StructureModel

    blurred = gaussian_filter(inputs.noise(size), 2)
    blurred = (blurred - blurred.min()) / (blurred.max() - blurred.min())
    images = {"likelihood": inputs.likelihood(size), "blurred noise": blurred}
    for name, image in images.items():
        logits = torch.from_numpy(image.clip(1e-4, 1 - 1e-4)).float().logit()[None, None]
        for mode in ("threshold", "branch"):
            model = StructureModel(torch.nn.Identity(), mode=mode).eval()
            count = len(model.branches(logits)[0])
            job = Job(
                f"{SAMPLES} structures, {mode} mode, {name} ({count} branches)",
                f"{size}x{size}",
                Call(lambda model=model, logits=logits: model.sample(logits, SAMPLES, 0)),
                {},
            )
            yield _with_limit(job, rounds)


def _with_limit(job: Job, rounds: int) -> Row:
    """Time a job that has no peer, and put the limit in a peer's place."""
    alone = Job(job.name, job.size, job.ours, {"itself": job.ours})
    (row,) = measure(alone, rounds)
    assert row.ours is not None
    return Row(
        job=row.job, size=row.size, unit="ms", ours=row.ours, peer="the limit", theirs=LIMIT_MS,
        ratio=LIMIT_MS / row.ours, required=1.0,
    )  # fmt: skip
