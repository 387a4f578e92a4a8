"""The U-Net: shapes for every size, a batch of one, and weights that depend on the seed alone."""

from __future__ import annotations

import pytest
import torch

from toposeg_lite.models import UNet, _halve


def small(**options) -> UNet:
    return UNet(1, **({"width": 4, "depth": 3} | options))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2), (8, 8), (9, 16), (17, 30), (64, 40)])
def test_logits_have_the_size_of_the_image(size):
    assert small(out_channels=2)(torch.rand(2, 1, *size)).shape == (2, 2, *size)


@pytest.mark.parametrize("size", [(1, 1, 1), (5, 6, 7), (8, 12, 4)])
def test_logits_have_the_size_of_the_volume(size):
    assert small(ndim=3)(torch.rand(1, 1, *size)).shape == (1, 1, *size)


def test_the_default_network_has_the_number_of_weights_that_timings_are_quoted_for():
    # 9 weights a kernel, two convolutions a level (in, out), the first ups of 4 weights, norms.
    down = 9 * (1 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    up = 4 * (32 * 16 + 64 * 32 + 128 * 64) + 16 + 32 + 64
    join = 9 * (32 * 16 + 16 * 16 + 64 * 32 + 32 * 32 + 128 * 64 + 64 * 64)
    norms = 2 * 2 * (16 + 32 + 64 + 128) + 2 * 2 * (16 + 32 + 64)
    head = 16 + 1
    assert sum(p.numel() for p in UNet(1).parameters()) == down + up + join + norms + head == 482449


def test_the_seed_alone_decides_the_weights_and_the_global_state_stays():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = small(seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = small(seed=3).state_dict(), small(seed=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["down.0.0.weight"], other["down.0.0.weight"])


def test_training_and_use_do_the_same_and_images_of_a_batch_do_not_mix():
    model, images = small(), torch.rand(3, 1, 12, 20)
    together = model.train()(images)
    alone = torch.cat([model.eval()(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_volumes_are_halved_as_max_pooling_does():
    volumes = torch.rand(2, 3, 4, 6, 8)
    assert torch.equal(_halve(volumes), torch.nn.functional.max_pool3d(volumes, 2))


def test_every_weight_gets_a_gradient_from_a_batch_of_one():
    for ndim in (2, 3):
        model = small(ndim=ndim)
        (model(torch.rand(1, 1, *(13,) * ndim)) ** 2).mean().backward()
        assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_padding_repeats_the_last_pixels():
    # A border that a user pads by hand in the same way changes nothing.
    model, image = small(), torch.rand(1, 1, 10, 13)
    wider = torch.nn.functional.pad(image, (0, 3, 0, 2), mode="replicate")
    assert torch.equal(model(image), model(wider)[..., :10, :13])


def test_the_memory_order_does_not_matter():
    model, images = small(), torch.rand(2, 1, 16, 24)
    expected = model(images)
    last = model.to(memory_format=torch.channels_last)
    found = last(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_few_steps_learn_a_threshold():
    torch.manual_seed(0)
    model = small()
    images = torch.rand(4, 1, 24, 32)
    target = (images > 0.5).float()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(50):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
