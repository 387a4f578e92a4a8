"""The model around either method: gradients, options, weights that come back, networks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from ring_images import batch, branches_of, known, learn, small
from torch import nn

from toposeg_lite.structures import (
    BranchHead,
    StructureModel,
    Threshold,
    expected_calibration_error,
    find_branches,
    fit_temperature,
)

PARTS = {
    "threshold": ("network", "prior_encoder", "posterior_encoder"),
    "branch": ("network", "head"),
}


@pytest.mark.parametrize(
    ("mode", "ndim", "options"),
    [
        ("threshold", 2, {}),
        ("threshold", 3, {}),
        ("threshold", 2, {"kl_weight": 3.0, "spread_weight": 2.0, "reconstruction_weight": 5.0}),
        ("branch", 2, {}),
        ("branch", 3, {"kl_weight": 3.0}),
    ],
)
def test_gradients_are_those_of_finite_differences(mode, ndim, options):
    model, image, truth = small(mode, ndim, **options)
    assert sum(map(len, model.branches(image))) > 10
    model.loss(image, truth, seed=7).total.backward()
    generator = torch.Generator().manual_seed(0)
    for name in PARTS[mode]:
        weights = list(getattr(model, name).parameters())
        ways = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in weights]
        slope = sum((w.grad * way).sum() for w, way in zip(weights, ways, strict=True)).item()
        assert abs(slope) > 1e-4, name
        ends = []
        for step in (1e-6, -2e-6):  # to one side, then to the other
            with torch.no_grad():
                for w, way in zip(weights, ways, strict=True):
                    w += step * way
                ends.append(model.loss(image, truth, seed=7).total.item())
        with torch.no_grad():
            for w, way in zip(weights, ways, strict=True):
                w += 1e-6 * way
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4), name


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_the_reconstruction_alone_has_a_gradient_everywhere(mode):
    model, image, truth = small(mode)
    model.loss(image, truth, seed=1).reconstruction.backward()
    for name in PARTS[mode]:
        gradients = [w.grad for w in getattr(model, name).parameters()]
        if name == "prior_encoder":  # it learns from the posterior, by way of the divergence
            assert all(gradient is None for gradient in gradients)
        else:
            assert all(gradient.abs().max() > 1e-8 for gradient in gradients), name


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_the_options_of_branches_and_walks_arrive(mode):
    image = torch.randn(1, 1, 16, 18, generator=torch.Generator().manual_seed(0))
    options = {"min_persistence": 0.05, "saddle_level": 0.4, "split": 0.4, "connectivity": 1}
    walk = {"gamma": 0.7, "sigma": 0.3} if mode == "branch" else {}
    model = StructureModel(nn.Identity(), mode=mode, **walk, **options)
    (found,), likelihood = model.branches(image), image[0, 0].sigmoid().numpy()
    np.testing.assert_array_equal(found.pixels, find_branches(likelihood, **options).pixels)
    for name in options:
        others = {key: value for key, value in options.items() if key != name}
        assert len(find_branches(likelihood, **others)) != len(found), name
    model.step = 500
    (one,) = model.distribution(image)
    assert one.connectivity == 1
    assert one.walk == ((0.7, 0.3) if mode == "branch" else None)
    assert one.temperature == (model.temperature() if mode == "threshold" else 1.0)
    if mode == "branch":
        still = StructureModel(nn.Identity(), mode=mode, walk=False)
        assert still.distribution(image)[0].walk is None


METHODS = [
    (
        "threshold",
        Threshold,
        {
            "temperature": (0.4, 0.1),
            "anneal_steps": 3,
            "reconstruction_weight": 2.0,
            "kl_weight": 0.5,
            "spread_weight": 0.3,
        },
    ),
    (
        "branch",
        BranchHead,
        {
            "features": "1",
            "walk": True,
            "gamma": 0.5,
            "sigma": 0.2,
            "reconstruction_weight": 2.0,
            "kl_weight": 0.5,
            "weigh_by": "count",
        },
    ),
]


@pytest.mark.parametrize(("mode", "method", "options"), METHODS)
@pytest.mark.parametrize("given", ["all", "none"])
def test_the_shorthand_is_the_method_of_that_name(mode, method, options, given):
    generator = torch.Generator().manual_seed(0)
    image, truth = torch.rand(2, 1, 12, 13, generator=generator), torch.zeros(2, 12, 13)
    options = options if given == "all" else {}
    network = nn.Sequential(nn.Identity(), nn.Conv2d(1, 1, 3, padding=1))
    short = StructureModel(network, mode=mode, min_persistence=0, seed=3, **options)
    plain = StructureModel(network, decide=method(**options), min_persistence=0, seed=3)
    assert plain.mode == short.mode == mode
    assert type(short.decide) is method
    kept = [
        {name: value for name, value in vars(model.decide).items() if not name.startswith("_")}
        for model in (short, plain)
    ]
    assert "weights" in kept[0]
    assert kept[0] == kept[1]
    for step in range(3):
        one, other = (model.loss(image, truth, seed=step) for model in (short, plain))
        assert one == other
    samples = zip(short.sample(image, 3, 0), plain.sample(image, 3, 0), strict=True)
    for one, other in samples:
        np.testing.assert_array_equal(one.structures, other.structures)


def test_a_threshold_is_the_default():
    assert type(StructureModel(nn.Identity()).decide) is Threshold


@pytest.mark.parametrize("mode", ["threshold", "branch"])
def test_the_parts_of_the_method_are_parts_of_the_model_alone(mode):
    model = small(mode)[0]
    parts = PARTS[mode][1:]
    names = {name.split(".")[0] for name in model.state_dict()}
    assert names == {"network", *parts, "calibration", "_extra_state"}
    twin = copy.deepcopy(model).float()
    for part in parts:
        assert getattr(model.decide, part) is getattr(model, part)
        assert getattr(twin.decide, part) is getattr(twin, part)
        assert {w.dtype for w in getattr(twin.decide, part).parameters()} == {torch.float32}
        assert {w.dtype for w in getattr(model.decide, part).parameters()} == {torch.float64}


@pytest.mark.parametrize("mode", ["threshold", "branch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 5), (3, 4, 5)])
def test_images_without_any_branch_have_samples_and_a_loss(mode, shape):
    flat = torch.full((2, 1, *shape), 0.7)
    flat[1] = -0.7
    model = StructureModel(nn.Conv2d(1, 1, 1) if len(shape) == 2 else nn.Conv3d(1, 1, 1),
                           mode=mode, ndim=len(shape))  # fmt: skip
    with torch.no_grad():
        model.network.weight.fill_(1)
        model.network.bias.fill_(0)
    full, empty = model.sample(flat, 3, seed=0)
    assert full.masks.all()
    assert not empty.masks.any()
    assert not (full.structures | empty.structures).any()
    assert full.kept.shape == (3, 0)
    (sure, _) = model.uncertainty(flat)
    assert len(sure.probability) == 0
    assert (sure.map() == 0).all()
    assert model.predict(flat).shape == (2, *shape)
    loss = model.loss(flat, torch.zeros(2, *shape), seed=0)
    loss.total.backward()
    assert loss.reconstruction.item() == 0
    assert all(torch.isfinite(w.grad).all() for w in model.network.parameters())
    assert model.calibrate(model.distribution(flat), [np.zeros(0)] * 2) == 1
    assert model.sample(flat, 0, seed=0)[0].masks.shape == (0, *shape)


def test_one_image_with_and_one_without_branches_make_a_batch():
    images, truths = batch(1, 0, 0.5, 0.3, 0.1)
    both = torch.cat([torch.full_like(images, -2), images])
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode, saddle_level=0.06)
        alone = model.loss(images, truths, seed=np.random.default_rng(0))
        noise = np.random.default_rng(0)
        if mode == "threshold":
            noise.standard_normal(0)
        pair = model.loss(both, truths.expand(2, -1, -1), seed=noise)
        assert torch.isfinite(pair.total)
        assert list(map(len, model.branches(both))) == [0, 16]
        if mode == "branch":  # the noise is the branches', so it is the same
            assert pair.reconstruction.item() == pytest.approx(alone.reconstruction.item() / 2)


def test_calibration_mends_a_head_that_is_too_bold():
    images, truths = batch(20, 3, 0.5, 0.42, 0.1)
    model = StructureModel(nn.Identity(), mode="branch", saddle_level=0.06)
    learn(model, images[:10], truths[:10])
    with torch.no_grad():
        model.head[-1].weight[0] *= 4
        model.head[-1].bias[0] *= 4

    def measured():
        _, fractions, lengths = branches_of(model, images[10:], truths[10:])
        found = model.uncertainty(images[10:])
        probability = np.concatenate([one.probability for one in found])
        return expected_calibration_error(probability, fractions, weights=lengths, bins=5)

    before = measured()
    temperature = model.calibrate(*known(model, images[:10], truths[:10]))
    assert temperature == model.calibration.item()
    assert temperature > 2
    assert measured() < 0.6 * before
    copy = StructureModel(nn.Identity(), mode="branch")
    copy.load_state_dict(model.state_dict())
    assert copy.calibration == model.calibration


def test_calibration_counts_branches_once_as_real_or_not_and_starts_anew_each_time():
    model, image, truth = small("branch")
    with torch.no_grad():
        model.head[-1].weight.mul_(400)
    found, _ = known(model, image, truth[:, 0])
    rng = np.random.default_rng(3)
    outcomes = []
    for one in found:  # as likely as is said, half as often for short ones; and in part
        chance = one.uncertainty().probability * (0.5 + (one.branches.length > 2.5) / 2)
        real, partly = rng.random((2, len(chance))) < (chance, np.full(len(chance), 0.5))
        outcomes.append(np.where(real, np.where(partly, 0.5, 1.0), np.where(partly, 0.3, 0.0)))
    chances = np.concatenate([one.uncertainty().probability for one in found])
    lengths = np.concatenate([one.branches.length for one in found])
    fractions = np.concatenate(outcomes)
    wanted = fit_temperature(chances, fractions >= 0.5)
    for other, weights in ((fractions, None), (fractions >= 0.5, lengths), (fractions > 0.5, None)):
        assert abs(wanted - fit_temperature(chances, other, weights=weights)) > 0.01
    assert abs(wanted - 1) > 0.1
    assert model.calibrate(found, outcomes) == pytest.approx(wanted)
    again, _ = known(model, image, truth[:, 0])
    assert again[0].calibration == pytest.approx(wanted)
    assert model.calibrate(again, outcomes) == pytest.approx(wanted)
    assert model.calibrate(again, [np.full(len(one), np.nan) for one in outcomes]) == 1


def test_networks_with_two_channels_are_those_with_one():
    image = torch.randn(2, 1, 16, 17, generator=torch.Generator().manual_seed(0))
    truth = torch.rand(2, 16, 17, generator=torch.Generator().manual_seed(1)) < 0.5

    class Two(nn.Module):
        def forward(self, x):
            return torch.cat([-x / 3, 2 * x / 3], 1)

    one, two = StructureModel(nn.Identity()), StructureModel(Two())
    a, b = (model.loss(image, truth, seed=0) for model in (one, two))
    np.testing.assert_allclose(torch.stack(a).detach(), torch.stack(b).detach(), rtol=1e-5)
    np.testing.assert_array_equal(one.predict(image), two.predict(image))


def test_networks_are_at_rest_in_use_and_as_they_were_afterwards():
    image = torch.randn(1, 1, 20, 21, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(1))
    model = StructureModel(network, mode="branch").train()
    network[1].eval()  # frozen by its owner
    found = model.uncertainty(image)[0].branches
    np.testing.assert_allclose(found.likelihood, image[0, 0].sigmoid(), atol=1e-4)
    assert [module.training for module in (model, network[0], network[1])] == [True, True, False]
    assert not np.allclose(model(image).detach(), image, atol=1e-3)  # dropout, as in training


def test_half_precision_and_truths_of_both_shapes_are_taken():
    image = torch.randn(2, 1, 16, 17, generator=torch.Generator().manual_seed(0)).bfloat16()
    truth = torch.rand(2, 16, 17, generator=torch.Generator().manual_seed(1)) < 0.5
    for mode in ("threshold", "branch"):
        model = StructureModel(nn.Identity(), mode=mode).eval()
        losses = [
            model.loss(image.to(dtype), target, seed=0).total.item()
            for dtype in (torch.bfloat16, torch.float32)
            for target in (truth, truth[:, None].float())
        ]
        assert max(losses) - min(losses) < 1e-5


def test_a_model_is_its_seed_and_leaves_the_global_one_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    weights = [StructureModel(nn.Identity(), seed=s).prior_encoder.head.weight for s in (0, 0, 1)]
    np.testing.assert_array_equal(torch.rand(3), wanted)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_networks_of_others_are_wrapped_and_trained():
    from monai.networks.nets import BasicUNet

    network = BasicUNet(2, 1, 2, features=(4, 4, 8, 8, 8, 4))
    name = "final_conv"
    model = StructureModel(network, mode="branch", features=name, min_persistence=1e-3)
    image = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    loss = model.loss(image, image[:, 0] > 0.7, seed=0)
    loss.reconstruction.backward()
    first = next(network.parameters())
    assert first.grad.abs().max() > 0
    assert len(model.sample(image, 2, 0)) == 1
