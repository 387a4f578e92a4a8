"""What the head sees of a branch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ring_images import rings
from scipy import ndimage

from toposeg_lite.structures import FEATURES, branch_features, find_branches, persistence_of


def test_the_persistence_is_the_difference_of_two_pixels():
    rng = np.random.default_rng(0)
    for shape in ((9, 7), (4, 5, 3)):
        likelihood = torch.tensor(rng.random(shape), requires_grad=True)
        found = find_branches(likelihood.detach().numpy(), min_persistence=0)
        persistence = persistence_of(found, likelihood)
        np.testing.assert_array_equal(persistence.detach(), found.persistence)
        for k in range(len(found)):
            (slope,) = torch.autograd.grad(persistence[k], likelihood, retain_graph=True)
            wanted = np.zeros(likelihood.numel())
            wanted[found.upper[k]] += 1
            if found.lower[k] >= 0:
                wanted[found.lower[k]] -= 1
            np.testing.assert_array_equal(slope.ravel(), wanted)


def test_features_are_what_their_names_say():
    rng = np.random.default_rng(0)
    likelihood, image = rng.random((20, 23)), torch.tensor(rng.random((3, 20, 23)))
    found = find_branches(likelihood, min_persistence=0.1)
    network = torch.tensor(rng.random((4, 10, 12)))
    table = branch_features(found, torch.tensor(likelihood), image, network).numpy()
    columns = dict(zip(FEATURES, table.T, strict=False))
    own = [np.flatnonzero(found.owner.ravel() == k) for k in range(len(found))]
    values = likelihood.ravel()
    np.testing.assert_allclose(columns["persistence"], found.persistence)
    np.testing.assert_allclose(columns["saddle value"], values[found.saddle])
    np.testing.assert_allclose(columns["mean likelihood"], [values[p].mean() for p in own])
    np.testing.assert_allclose(columns["minimum likelihood"], [values[p].min() for p in own])
    np.testing.assert_allclose(columns["length"], np.log(found.length) / 4)
    for name, kind in (("joins", 0), ("closes a loop", 1), ("is a ridge", 2)):
        np.testing.assert_array_equal(columns[name], found.kind == kind)
        assert columns[name].any()
    # Where a grid does not divide the sides, the last pixels see its last cell.
    coarse = branch_features(found, torch.tensor(likelihood), image, network[:, :8, :9])
    assert torch.isfinite(coarse).all()
    grey = np.pad(image.mean(0).numpy(), 4, mode="edge")
    local = np.array([[grey[i : i + 9, j : j + 9].mean() for j in range(23)] for i in range(20)])
    contrast = (image.mean(0).numpy() - local).ravel()
    np.testing.assert_allclose(
        columns["contrast"], [5 * contrast[p].mean() for p in own], atol=1e-6
    )
    pooled = np.array([network.numpy()[:, p // 23 // 2, p % 23 // 2].mean(1) for p in own])
    pooled -= pooled.mean(1, keepdims=True)
    pooled /= np.sqrt((pooled**2).mean(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(table[:, 11:], pooled, atol=1e-6)


def test_width_and_curvature_of_drawn_lines():
    # A straight band, a wider one and a ring; each with a weak spot that makes it a branch.
    likelihood = np.full((40, 60), 0.05)
    likelihood[5:8, 4:56] = 0.6
    likelihood[6, 4:56] = 0.8 - 0.002 * abs(np.arange(52) - 10)
    likelihood[18:25, 4:56] = 0.6
    likelihood[21, 4:56] = 0.8 - 0.002 * abs(np.arange(52) - 10)
    for row in (6, 21):
        likelihood[row - 3 : row + 4, 40:42] -= 0.15
    found = find_branches(likelihood.clip(0.01), min_persistence=0.05, saddle_level=0.3, split=1)
    assert len(found) == 2
    row = found.saddle // 60
    table = branch_features(found, torch.tensor(likelihood.clip(0.01)), torch.zeros(1, 40, 60))
    width, curvature = table[:, 5] * 8, table[:, 6]
    thin, thick = width[row < 10].item(), width[row > 10].item()
    assert thin == pytest.approx(3, abs=0.6)
    assert thick == pytest.approx(7, abs=0.8)
    assert curvature.max() < 0.05
    bent, _ = rings(0, [0.6] * 16, [5.0] * 16)
    circles = find_branches(bent, saddle_level=0.06)
    round_ = branch_features(circles, torch.tensor(bent), torch.zeros(1, *bent.shape))[:, 6]
    assert round_.min() > 0.1  # a circle of radius 5 turns by 0.2 a pixel
    assert round_.max() < 0.35


@pytest.mark.parametrize("shape", [(30, 33), (10, 11, 12)])
def test_curvature_is_the_mean_angle_between_steps_of_three_pixels(shape):
    likelihood = ndimage.gaussian_filter(np.random.default_rng(1).random(shape), 1.0)
    found = find_branches(likelihood, min_persistence=0, split=1)
    table = branch_features(found, torch.tensor(likelihood), torch.zeros(1, *shape))
    bent = 0
    for path, curvature in zip(found.paths, table[:, 6].tolist(), strict=True):
        places = np.stack(np.unravel_index(path, shape), 1).astype(float)
        before, after = places[3:-3] - places[:-6], places[6:] - places[3:-3]
        size = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        angles = np.arccos(np.clip((before * after).sum(1) / size, -1, 1)) / 3
        assert curvature == pytest.approx(angles.mean() if len(path) > 6 else 0, abs=1e-6)
        bent += curvature > 0.01
    assert bent > 5
