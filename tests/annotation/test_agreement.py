"""Models and annotators share one notion of branch, one mask rule and one code of decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from toposeg_lite.annotation import AnnotationSession, StructureRanking
from toposeg_lite.structures import StructureModel, find_branches


def logits(seed, shape):
    """Return smooth random logits, high and low in places."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.2)
    return torch.tensor(3 * noise / noise.std(), dtype=torch.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("mode", "shape", "connectivity"),
    [
        ("threshold", (31, 24), 1),
        ("threshold", (24, 31), 2),
        ("branch", (31, 24), 1),
        ("branch", (24, 31), 2),
        ("threshold", (8, 11, 9), 1),
        ("branch", (8, 11, 9), 1),
    ],
)
def test_who_agrees_with_the_model_gets_the_mask_of_the_model(seed, mode, shape, connectivity):
    image = logits(seed, shape)
    model = StructureModel(
        torch.nn.Identity(), mode=mode, ndim=len(shape), connectivity=connectivity, seed=seed
    )
    distribution = model.distribution(image[None, None])[0]
    chance = distribution.uncertainty().probability
    accept = float(np.median(chance))  # so that some are accepted and some rejected
    session = AnnotationSession(image.numpy(), StructureRanking(model), connectivity=connectivity)
    assert session.branches is model_branches(session)
    assert len(session.branches) == len(distribution.branches) > 3
    for k in np.random.default_rng(seed).permutation(len(chance)):
        (session.accept if chance[k] >= accept else session.reject)(int(k))
    mask = session.mask()
    np.testing.assert_array_equal(mask, distribution.mask(accept))
    np.testing.assert_array_equal(mask, session.branches.mask(session.decisions))
    assert (mask != (session.likelihood >= 0.5)).any()

    samples = replace(distribution, walk=None).sample(3, seed)
    for kept, sampled in zip(samples.kept, samples.masks, strict=True):
        twin = session.copy()
        twin.accept(np.flatnonzero(kept).tolist() or [0])
        twin.reject(np.flatnonzero(~kept).tolist() or [0])
        if kept.any() and not kept.all():
            np.testing.assert_array_equal(twin.mask(), sampled)


def model_branches(session):
    """Return the branches that the session's model proposes."""
    return session.model.propose(session.image, session.likelihood)


@pytest.mark.parametrize("radius", [0, 1, 2.5])
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_a_session_makes_the_mask_of_its_branches(radius, threshold):
    likelihood = logits(7, (30, 41)).sigmoid().numpy()
    session = AnnotationSession(
        likelihood, likelihood, min_persistence=0.05, radius=radius, mask_threshold=threshold
    )
    branches = find_branches(likelihood, min_persistence=0.05, saddle_level=0.1, specks=True)
    assert [path.tolist() for path in session.branches.paths] == [
        path.tolist() for path in branches.paths
    ]
    np.testing.assert_array_equal(session.mask(), likelihood >= threshold)
    rng = np.random.default_rng(0)
    for k in range(0, len(branches), 2):
        (session.accept if rng.random() < 0.5 else session.reject)(k)
    mask = session.branches.mask(session.decisions, radius=radius)
    np.testing.assert_array_equal(session.mask(), mask)
    assert session.branches.mask_threshold == threshold
