"""Second derivatives are right or refused, never wrong; so are torch.func's transforms."""

from __future__ import annotations

import pytest
import torch
from loss_batches import name_of, random_batch
from torch import nn

from toposeg_lite.losses import (
    ClDiceLoss,
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SumLoss,
    TopologicalLoss,
)

SMOOTH = [(DiceBCELoss, {}), (ClDiceLoss, {"iterations": 2}), (ClDiceLoss, {"iterations": 0})]
SMOOTH += [(ClDiceLoss, {"skeleton": "thin"})]
FIRST_ONLY = [
    (TopologicalLoss, {}),
    (TopologicalLoss, {"window": 6, "matching": "betti"}),
    (HomotopyWarpingLoss, {}),
    (HomotopyWarpingLoss, {"pixel_loss": "dice"}),
    (MorseLoss, {}),
    (MorseLoss, {"structure": "patches", "of": "both"}),
]
REFUSED = "have first derivatives only: leave them out where you take second derivatives"


def slope(function, point, **options):
    return torch.autograd.grad(function(point), point, **options)[0]


def batch(channels=1, seed=0, shape=(9, 8)):
    logits, target = random_batch(seed, (2, channels, *shape), torch.float64, scale=1.0)
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).double()
    return logits.requires_grad_(), target, direction


def difference(function, logits, direction, step=1e-6):
    """The Hessian times a direction, from gradients at both sides."""
    ends = [(logits + s * step * direction).detach().requires_grad_() for s in (1, -1)]
    return (slope(function, ends[0]) - slope(function, ends[1])) / (2 * step)


@pytest.mark.parametrize(("loss", "options"), SMOOTH, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_of_plain_torch_they_are_right(channels, loss, options):
    logits, target, direction = batch(channels)
    module = loss(**options)

    def function(x):
        return module(x, target)

    expected = difference(function, logits, direction)
    assert expected.abs().max() > 1e-4
    (got,) = torch.autograd.grad(
        (slope(function, logits, create_graph=True) * direction).sum(), logits
    )
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-7)
    product = torch.autograd.functional.hvp(function, logits, direction)[1]
    torch.testing.assert_close(product, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("loss", "options"), SMOOTH, ids=name_of)
def test_of_plain_torch_gradgradcheck_agrees(loss, options):
    logits, target, _ = batch(2, shape=(4, 5))
    module = loss(**options)
    assert torch.autograd.gradgradcheck(lambda x: module(x, target), logits, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize(("loss", "options"), SMOOTH, ids=name_of)
def test_of_plain_torch_they_are_right_in_volumes(loss, options):
    logits, target = random_batch(3, (1, 1, 4, 5, 6), torch.float64, scale=1.0)
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).double()

    def function(x):
        return loss(**options)(x, target)

    product = torch.autograd.functional.hvp(function, logits, direction)[1]
    expected = difference(function, logits, direction)
    torch.testing.assert_close(product, expected, rtol=1e-4, atol=1e-7)


def ways_to_a_second_derivative(function, logits):
    """All that one may call, as functions without arguments."""

    def by_gradient():
        slope(lambda x: slope(function, x, create_graph=True).square().sum(), logits)

    def by_backward():
        (given,) = torch.autograd.grad(function(logits), logits, create_graph=True)
        given.square().sum().backward()

    def by_a_graph_kept_in_grad():
        leaf = logits.detach().clone().requires_grad_()
        function(leaf).backward(create_graph=True)
        (kept, leaf.grad) = (leaf.grad, None)  # else leaf and graph would hold each other
        kept.sum().backward()

    return {
        "grad": by_gradient,
        "backward": by_backward,
        "create_graph": by_a_graph_kept_in_grad,
        "hvp": lambda: torch.autograd.functional.hvp(function, logits, torch.ones_like(logits)),
        "vhp": lambda: torch.autograd.functional.vhp(function, logits, torch.ones_like(logits)),
        "hessian": lambda: torch.autograd.functional.hessian(function, logits),
        "gradgradcheck": lambda: torch.autograd.gradgradcheck(function, logits),
    }


WAYS = ["grad", "backward", "create_graph", "hvp", "vhp", "hessian", "gradgradcheck"]


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("loss", "options"), FIRST_ONLY, ids=name_of)
def test_of_kernels_they_are_refused(loss, options, way):
    logits, target, _ = batch(2)
    module = loss(**options)
    call = ways_to_a_second_derivative(lambda x: module(x, target), logits)[way]
    with pytest.raises(RuntimeError, match=REFUSED):
        call()


@pytest.mark.parametrize("way", ["grad", "hvp"])
@pytest.mark.parametrize("loss", [TopologicalLoss, HomotopyWarpingLoss, MorseLoss])
def test_in_sums_they_are_refused(loss, way):
    logits, target, _ = batch()
    together = SumLoss({"pixels": DiceBCELoss(), "other": loss()}, weights={"other": 0.1})
    for function in (lambda x: together(x, target), lambda x: (x**2).sum() + loss()(x, target)):
        with pytest.raises(RuntimeError, match=REFUSED):
            ways_to_a_second_derivative(function, logits)[way]()


def test_in_a_sum_of_plain_torch_they_are_right():
    logits, target, direction = batch()
    together = SumLoss({"pixels": DiceBCELoss(), "lines": ClDiceLoss(iterations=2)})

    def function(x):
        return together(x, target)

    product = torch.autograd.functional.hvp(function, logits, direction)[1]
    expected = difference(function, logits, direction)
    torch.testing.assert_close(product, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_behind_a_network_they_are_refused(dtype):
    images, target = random_batch(5, (2, 1, 9, 8))
    network = nn.Conv2d(1, 1, 3, padding=1)
    value = TopologicalLoss()(network(images).to(dtype), target)
    slopes = torch.autograd.grad(value, list(network.parameters()), create_graph=True)
    with pytest.raises(RuntimeError, match=REFUSED):
        sum(each.square().sum() for each in slopes).backward()


@pytest.mark.parametrize("loss", [TopologicalLoss, HomotopyWarpingLoss, MorseLoss])
def test_first_derivatives_that_keep_their_graph_are_what_they_were(loss):
    logits, target, _ = batch(2)
    value = loss()(logits, target)
    (plain,) = torch.autograd.grad(value, logits, retain_graph=True)
    (kept,) = torch.autograd.grad(value, logits, create_graph=True)
    assert torch.equal(plain, kept)
    assert plain.any()


@pytest.mark.parametrize("loss", [TopologicalLoss, HomotopyWarpingLoss, MorseLoss])
def test_the_gradient_is_differentiated_by_what_is_behind_the_loss(loss):
    logits, target, direction = batch(2)
    weight = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
    values = loss(reduction="none")(logits, target)
    (given,) = torch.autograd.grad((weight.square() * values).sum(), logits, create_graph=True)
    (by_weight,) = torch.autograd.grad((given * direction).sum(), weight)
    (alone,) = torch.autograd.grad(values.sum(), logits)
    expected = 2 * weight.detach() * (alone * direction).flatten(1).sum(1)
    torch.testing.assert_close(by_weight, expected)


@pytest.mark.parametrize("loss", [DiceBCELoss, TopologicalLoss, HomotopyWarpingLoss, MorseLoss])
def test_a_product_with_the_jacobian_is_right_also_in_sums(loss):
    """torch takes it by a derivative of the gradient by its own factor."""
    logits, target, direction = batch()
    together = SumLoss({"pixels": DiceBCELoss(), "other": loss()})
    product = torch.autograd.functional.jvp(lambda x: together(x, target), logits, direction)[1]
    expected = (slope(lambda x: together(x, target), logits) * direction).sum()
    torch.testing.assert_close(product, expected)


def test_logits_may_be_overwritten_before_the_gradient_is_taken():
    leaf, target, _ = batch()
    logits = leaf * 1
    value = TopologicalLoss()(logits, target)
    logits.zero_()
    value.backward()
    (expected,) = torch.autograd.grad(TopologicalLoss()(leaf, target), leaf)
    assert torch.equal(leaf.grad, expected)
    assert expected.any()


TRANSFORMS = {
    "grad": lambda f, x, y: torch.func.grad(f)(x, y),
    "jacrev": lambda f, x, y: torch.func.jacrev(f)(x, y),
    "jvp": lambda f, x, y: torch.func.jvp(lambda a: f(a, y), (x,), (x,)),
    "hessian": lambda f, x, y: torch.func.hessian(f)(x, y),
    "vmap": lambda f, x, y: torch.func.vmap(f)(x[:, None], y[:, None]),
    "vmap over targets": lambda f, x, y: torch.func.vmap(f, (None, 0))(x[:1], y[:, None]),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # by torch's own transforms
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    "loss", [DiceBCELoss, ClDiceLoss, TopologicalLoss, HomotopyWarpingLoss, MorseLoss]
)
def test_transforms_are_refused_in_one_sentence(loss, transform):
    logits, target = random_batch(4)
    for module in (loss(), SumLoss({"one": loss()})):
        with pytest.raises(RuntimeError, match=r"losses look at the values .* torch.autograd.grad"):
            TRANSFORMS[transform](module, logits, target)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_modes_of_forward_derivatives_are_refused():
    logits, target = random_batch(4)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(logits, torch.ones_like(logits))
        for loss in (ClDiceLoss, TopologicalLoss, HomotopyWarpingLoss, MorseLoss):
            with pytest.raises(RuntimeError, match="forward"):
                loss()(dual, target)
