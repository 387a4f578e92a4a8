"""Classes that overlap, each with a sigmoid, and labels in a channel of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import name_of, random_batch

from toposeg_lite.losses import LOSSES, SumLoss, make_loss

OPTIONS = [
    *((name, {}) for name in LOSSES),
    ("topological", {"window": 5, "overlap": 1}),
    ("topological", {"matching": "betti", "border": "closed"}),
    ("warping", {"pixel_loss": "dice"}),
    ("morse", {"structure": "patches", "of": "both"}),
    ("cldice", {"skeleton": "thin"}),
    ("cldice", {"measure": "cross_entropy", "iterations": 2}),
    ("cldice", {"skeleton": "thin", "measure": "cross_entropy"}),
]
SHAPES = [(2, 3, 9, 13), (2, 2, 4, 5, 6)]
INDEX = 255


def overlapping_batch(seed, shape, dtype=torch.float32):
    """Logits of several channels, and masks of which some pixels have several and some none."""
    logits, _ = random_batch(seed, shape, dtype)
    masks = torch.cat(
        [random_batch(seed + k, (shape[0], 1, *shape[2:]))[1][:, None] for k in range(shape[1])], 1
    )
    assert set(masks.sum(1).unique().tolist()) >= {0, 1, 2}
    return logits, masks


def alone(name, options, logits, target):
    """The values of an image's channels, each by a loss of one channel."""
    loss = make_loss(name, **options, reduction="none")
    return torch.stack(
        [loss(logits[:, [k]], target[:, [k]]) for k in range(logits.shape[1])], dim=1
    )


def only_images(name, shape):
    if name == "topograph" and len(shape) == 5:
        pytest.skip("it is a loss of images alone")


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=name_of)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_several_sigmoids_are_the_mean_of_losses_of_one_channel(shape, name, options):
    only_images(name, shape)
    logits, target = overlapping_batch(41, shape, torch.float64)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = make_loss(name, **options, activation="sigmoid", reduction="none")
    values, expected = loss(ours, target), alone(name, options, theirs, target).mean(1)
    torch.testing.assert_close(values, expected)
    weights = torch.tensor([1.0, -3.0], dtype=torch.float64)
    (values * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert ours.grad.flatten(2).any(2).all()  # every channel of every image learns
    for reduction in ("mean", "sum"):
        total = make_loss(name, **options, activation="sigmoid", reduction=reduction)(
            logits, target
        )
        torch.testing.assert_close(total, getattr(expected, reduction)())
    pending = loss.start(ours, target)
    assert torch.equal(pending.result(), values)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=name_of)
def test_channels_may_each_ignore_other_pixels(name, options):
    logits, target = overlapping_batch(42, (2, 3, 9, 13), torch.float64)
    target[:, 0, 2:5, 3:8] = INDEX
    target[:, 1, :, 10:] = INDEX
    options = {**options, "ignore_index": INDEX}
    loss = make_loss(name, **options, activation="sigmoid", reduction="none")
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    values, expected = loss(ours, target), alone(name, options, theirs, target).mean(1)
    torch.testing.assert_close(values, expected)
    values.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert not ours.grad[target == INDEX].any()


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=name_of)
@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_gradients_equal_finite_differences(activation, name, options):
    logits, masks = overlapping_batch(43, (1, 2, 5, 6), torch.float64)
    target = masks if activation else masks[:, :1]  # labels in a channel of their own
    logits = (logits / 2).requires_grad_()
    loss = make_loss(name, **options, activation=activation)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits, eps=1e-7, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_labels_may_have_a_channel_of_their_own(shape, name):
    only_images(name, shape)
    logits, labels = random_batch(44, shape)
    for options in ({}, {"ignore_index": INDEX}):
        if options:
            labels = labels.clone()
            labels[:, 1:3] = INDEX
        loss = make_loss(name, **options)
        for kind in (torch.int64, torch.int16, torch.uint8):
            given = labels.to(kind)
            assert torch.equal(loss(logits, given[:, None]), loss(logits, labels))
            assert torch.equal(loss.start(logits, given[:, None]).result(), loss(logits, labels))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("channels", "same"), [(1, "sigmoid"), (3, "softmax")])
def test_the_default_follows_from_the_number_of_channels(channels, same, name):
    logits, labels = random_batch(45, (2, channels, 9, 13))
    results = []
    for activation in (None, same):
        leaf = logits.clone().requires_grad_()
        value = make_loss(name, activation=activation)(leaf, labels)
        value.backward()
        results.append((value.detach(), leaf.grad))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("name", LOSSES)
def test_kinds_of_tensors_and_memory_orders_of_several_sigmoids(name):
    logits, target = overlapping_batch(46, (2, 3, 9, 13))
    loss = make_loss(name, activation="sigmoid")
    value = loss(logits, target)
    for kind in (torch.bool, torch.uint8, torch.float32, torch.int16):
        assert torch.equal(loss(logits, target.to(kind)), value)
    turned = logits.to(memory_format=torch.channels_last).requires_grad_()
    loss(turned, target).backward()
    leaf = logits.clone().requires_grad_()
    loss(leaf, target).backward()
    torch.testing.assert_close(turned.grad, leaf.grad)
    half = logits.half().requires_grad_()
    lower = loss(half, target)
    lower.backward()
    assert lower.dtype == torch.float32
    assert half.grad.dtype == torch.float16
    assert lower.item() == pytest.approx(loss(half.detach().float(), target).item(), rel=1e-6)


def test_a_sum_of_losses_takes_overlapping_classes():
    logits, target = overlapping_batch(47, (2, 3, 9, 13))
    parts = {name: make_loss(name, activation="sigmoid") for name in LOSSES}
    expected = sum(part(logits, target) for part in parts.values())
    torch.testing.assert_close(SumLoss(parts)(logits, target), expected)
    torch.testing.assert_close(SumLoss(parts).start(logits, target).result(), expected)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(
    ("activation", "channels", "shape", "text"),
    [
        ("sigmoid", 3, (2, 9, 13), r"shape \(2, 3, 9, 13\) \(a channel a class, for activation='s"),
        ("sigmoid", 3, (2, 1, 9, 13), r"shape \(2, 3, 9, 13\) \(a channel a class, for activati"),
        ("sigmoid", 3, (2, 2, 9, 13), r"shape \(2, 3, 9, 13\) .*; got \(2, 2, 9, 13\)"),
        (
            "softmax",
            1,
            (2, 9, 13),
            "'softmax' needs a channel of the logits for every class, the b",
        ),
        ("softmax", 1, (2, 1, 9, 13), "got one channel, .* which goes with 'sigmoid'"),
        ("softmax", 3, (2, 2, 9, 13), r"labels in a channel\) or \(2, 3, 9, 13\) \(a channel a"),
        (None, 3, (2, 2, 9, 13), r"\(2, 9, 13\) \(labels\) or \(2, 1, 9, 13\) \(labels in a"),
    ],
)
def test_what_does_not_go_together_is_refused(activation, channels, shape, text, started, name):
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(2, channels, 9, 13)))
    loss = make_loss(name, activation=activation)
    target = torch.zeros(shape, dtype=torch.int64)
    with pytest.raises(ValueError, match=text):
        loss.start(logits, target).result() if started else loss(logits, target)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_target_of_overlapping_classes_names_the_option(activation, name):
    logits, target = overlapping_batch(48, (2, 3, 9, 13))
    with pytest.raises(ValueError, match=r"one-hot .* overlap: activation='sigmoid'"):
        make_loss(name, activation=activation)(logits, target)


def test_three_labels_are_no_overlapping_classes():
    logits, target = overlapping_batch(49, (2, 3, 9, 13))
    with pytest.raises(ValueError, match=r"only 0 and 1 .* it also holds 2"):
        make_loss("dice_bce", activation="sigmoid")(logits, target * 2)
