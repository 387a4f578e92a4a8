"""Losses in a compiled step give the values and gradients that they give without a compiler."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys

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
    cldice_loss,
    dice_bce_loss,
    homotopy_warping_loss,
    morse_loss,
    topological_loss,
)

LOSSES = [
    (DiceBCELoss, {}),
    (TopologicalLoss, {}),
    (TopologicalLoss, {"window": 8, "overlap": 2, "matching": "betti"}),
    (HomotopyWarpingLoss, {"pixel_loss": "dice"}),
    (MorseLoss, {"of": "both"}),
    (ClDiceLoss, {"iterations": 2}),
    (ClDiceLoss, {"skeleton": "thin"}),
]
FUNCTIONS = [
    dice_bce_loss,
    topological_loss,
    homotopy_warping_loss,
    morse_loss,
    cldice_loss,
]
BACKENDS = [
    "eager",
    "aot_eager",
    pytest.param(
        "inductor",
        marks=[
            pytest.mark.nightly,
            pytest.mark.filterwarnings("ignore"),  # what torch says to itself
            pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler"),
        ],
    ),
]
pytestmark = [
    # What torch asks itself, unseen by users, where it compiles what comes after a loss.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    # What torch says of itself, with or without a loss, on 3.13.0 alone.
    pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0"),
]


@pytest.fixture(autouse=True)
def _forget():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def make_sum():
    parts = {"pixels": DiceBCELoss(), "topology": TopologicalLoss(), "lines": ClDiceLoss()}
    return SumLoss(parts, weights={"topology": 0.5}, starts={"lines": 2}, warm_up={"topology": 9})


def of_sizes(channels, sizes=(24, 24, 20, 20, 28)):
    return [random_batch(i, (2, channels, n, n + 3)) for i, n in enumerate(sizes)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("loss", "options"), LOSSES, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_compiled_loss_is_the_loss(channels, loss, options, backend):
    module = loss(**options)
    compiled = torch.compile(loss(**options), backend=backend)
    for logits, target in of_sizes(channels):
        leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
        value, other = compiled(leaf, target), module(twin, target)
        value.backward()
        other.backward()
        assert torch.equal(value, other)
        assert torch.equal(leaf.grad, twin.grad)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_function_in_compiled_code_is_the_function(function, backend):
    @torch.compile(backend=backend)
    def scaled(logits, target):
        return 3 * function(2 * logits, target, reduction="sum")

    for logits, target in of_sizes(1, (16, 16, 20)):
        leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
        value, other = scaled(leaf, target), 3 * function(2 * twin, target, reduction="sum")
        value.backward()
        other.backward()
        torch.testing.assert_close(value, other)
        torch.testing.assert_close(leaf.grad, twin.grad)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", [*(loss for loss, _ in LOSSES[1:]), make_sum], ids=name_of)
def test_a_compiled_step_trains_as_the_step_does(loss, backend):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    networks, histories = (network, copy.deepcopy(network)), []
    for compiled, net in zip((True, False), networks, strict=True):
        module = loss()
        optimizer = torch.optim.SGD(net.parameters(), 0.1)

        def step(images, target, net=net, module=module):
            value = module(net(images), target)
            value.backward()
            return value.detach()

        if compiled:
            step = torch.compile(step, backend=backend)
        histories.append([])
        for seed in range(12):  # more than dynamo's limit of 8 versions of one function
            _, target = random_batch(seed, (2, 3, 16, 19))
            images = torch.randn(2, 1, 16, 19, generator=torch.Generator().manual_seed(seed))
            histories[-1].append(step(images, target))
            optimizer.step()
            optimizer.zero_grad()
    torch.testing.assert_close(histories[0], histories[1])
    for here, there in zip(*(net.parameters() for net in networks), strict=True):
        torch.testing.assert_close(here, there)


def test_a_sum_counts_its_steps_and_keeps_its_values_when_compiled():
    loss = make_sum()
    compiled = torch.compile(loss, backend="eager")
    logits, target = random_batch(0)
    for _ in range(12):
        compiled(logits.clone().requires_grad_(), target).backward()
    assert loss.step == 12
    assert set(loss.values) == {"pixels", "topology", "lines"}


def test_the_step_of_a_sum_compiles_nothing_anew():
    loss = make_sum()
    versions = 0

    def backend(graph, _):
        nonlocal versions
        versions += 1
        return graph.forward

    compiled = torch.compile(lambda x, y: 2 * loss(x.sigmoid(), y), backend=backend)
    logits, target = random_batch(0)
    counts = []
    for _ in range(12):
        compiled(logits, target)
        counts.append(versions)
    assert counts[0] == counts[-1]


@pytest.mark.parametrize("loss", [DiceBCELoss, TopologicalLoss], ids=name_of)
def test_bad_input_is_refused_as_ever(loss):
    compiled = torch.compile(loss(), backend="eager")
    logits, target = random_batch(0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        compiled(logits * torch.nan, target)
    with pytest.raises(ValueError, match="target must have the shape"):
        compiled(logits, target[:, 1:])
    assert compiled(logits, target) > 0


def test_without_torch_compile_the_compiler_is_not_loaded():
    code = (
        "import sys, torch; from toposeg_lite.losses import DiceBCELoss, ClDiceLoss\n"
        "logits, target = torch.zeros(1, 1, 4, 4, requires_grad=True), torch.zeros(1, 4, 4)\n"
        "(DiceBCELoss()(logits, target) + ClDiceLoss()(logits, target)).backward()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", [*(loss for loss, _ in LOSSES), make_sum], ids=name_of)
def test_a_compiled_step_may_start_a_loss(loss, backend):
    def step(kind, logits, target):
        scaled = logits * 2
        pending = kind.start(scaled, target)
        other = (scaled**2).mean()
        return other + pending.result()

    plain, started, compiled = loss(), loss(), torch.compile(step, backend=backend)
    for logits, target in of_sizes(1, (16, 16, 20)):
        leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
        value = compiled(started, leaf, target)
        other = ((2 * twin) ** 2).mean() + plain(2 * twin, target)
        value.backward()
        other.backward()
        torch.testing.assert_close(value, other)
        torch.testing.assert_close(leaf.grad, twin.grad)
