"""What is added to nnU-Net's loss, without nnU-Net: targets in its layout, epochs, overflow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from loss_batches import random_batch
from torch import nn

from toposeg_lite import nnunet
from toposeg_lite.losses import LOSSES, TopologicalLoss, make_loss
from toposeg_lite.nnunet import TRAINERS, Addition, LossBeside

PAGE = Path(__file__).parents[2] / "docs" / "nnunet.md"


class SumOfScales(nn.Module):
    """Stands for nnU-Net's loss: looks at all resolutions, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, output, target):
        self.calls += 1
        assert len(output) == len(target)
        return sum(scale.float().square().mean() for scale in output)


class Zero(nn.Module):
    def forward(self, output, target):
        return torch.zeros(())


class Refuses(nn.Module):
    def forward(self, logits, target):
        raise AssertionError("nobody should have computed this")


def scales(tensor):
    """A tensor at three resolutions, the full one first."""
    return [tensor, tensor[..., ::2, ::2], tensor[..., ::4, ::4]]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("spatial", [(12, 16), (4, 8, 8)], ids=str)
@pytest.mark.parametrize("ignore_label", [None, 3])
def test_classes_of_a_softmax(ignore_label, spatial, name):
    if name == "topograph" and len(spatial) == 3:
        pytest.skip("it is a loss of images alone")
    logits, labels = random_batch(1, (2, 3, *spatial))
    target = labels[:, None].to(torch.int16)
    if ignore_label is not None:
        target[..., :3] = ignore_label
    loss = LossBeside(SumOfScales(), Addition(name).make(regions=False, ignore_label=ignore_label))
    loss.factor = 0.3
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    total = loss(scales(leaf), scales(target))
    expected = SumOfScales()(scales(twin), scales(target))
    expected = expected + 0.3 * make_loss(name, ignore_index=ignore_label)(twin, target[:, 0])
    torch.testing.assert_close(total, expected)
    total.backward()
    expected.backward()
    torch.testing.assert_close(leaf.grad, twin.grad)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("ignores", [False, True])
def test_regions_that_overlap(ignores, name):
    """nnU-Net's targets of regions are bool, and their last channel marks what is ignored."""
    logits, labels = random_batch(2, (2, 2, 12, 16))
    deeper = random_batch(3, (2, 1, 12, 16))[1] == 1
    regions = torch.stack([(labels == 1) | deeper, deeper], 1)
    unlabelled = torch.zeros(2, 1, 12, 16, dtype=torch.bool)
    if ignores:
        unlabelled[..., 10:] = True
        regions = regions & ~unlabelled  # no region holds the ignore label
    target = torch.cat([regions, unlabelled], 1) if ignores else regions
    added = Addition(name).make(regions=True, ignore_label=3 if ignores else None)
    loss = LossBeside(Zero(), added, ignored_channel=ignores)
    loss.factor = 1.0
    leaf = logits.clone().requires_grad_()
    value = loss(scales(leaf), scales(target))
    alone = make_loss(name, ignore_index=255)
    marked = regions.long().masked_fill(unlabelled, 255)
    each = [alone(logits[:, [k]], marked[:, [k]]) for k in range(2)]
    torch.testing.assert_close(value, sum(each) / 2)
    (slope,) = torch.autograd.grad(value, leaf)
    assert not slope[unlabelled.expand_as(slope)].any()
    assert slope.any()


def test_one_resolution_is_taken_as_it_is():
    logits, labels = random_batch(4, (2, 3, 12, 16))
    loss = LossBeside(nn.CrossEntropyLoss(), TopologicalLoss())
    loss.factor = 2.0
    expected = nn.functional.cross_entropy(logits, labels) + 2 * TopologicalLoss()(logits, labels)
    torch.testing.assert_close(loss(logits, labels), expected)


def test_nothing_is_computed_before_it_counts():
    own = SumOfScales()
    loss = LossBeside(own, Refuses())
    output = scales(torch.ones(1, 2, 8, 8))
    assert loss(output, output) == own(output, output)
    loss.factor = 1.0
    with pytest.raises(AssertionError, match="nobody should"):
        loss(output, output)


def test_the_kernels_are_at_work_while_the_own_loss_is_computed():
    happened = []

    class Pending:
        def result(self):
            happened.append("waits")
            return torch.tensor(1.0)

    class Starts(nn.Module):
        def start(self, logits, target):
            happened.append("starts")
            return Pending()

    class Own(nn.Module):
        def forward(self, output, target):
            happened.append("own")
            return torch.tensor(2.0)

    loss = LossBeside(Own(), Starts())
    loss.factor = 0.5
    assert loss(torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 2, 2)) == 2.5
    assert happened == ["starts", "own", "waits"]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_logits_that_overflow_half_precision_leave_the_step_to_the_scaler(value):
    logits, labels = random_batch(5, (1, 2, 8, 8))
    target = labels[:, None].to(torch.int16)
    loss = LossBeside(SumOfScales(), TopologicalLoss())
    loss.factor = 1.0
    half = logits.half()
    torch.testing.assert_close(
        loss(scales(half), scales(target)),
        loss.own(scales(half), scales(target)) + TopologicalLoss()(half, labels),
    )
    half[0, 0, 0, 0] = value
    assert not loss(scales(half), scales(target)).isfinite()
    with pytest.raises(ValueError, match=r"NaN or infinite.*diverged"):
        loss(scales(half.float()), scales(target))


def test_a_network_under_autocast_and_compiled_learns_by_both():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 2, 3, padding=1)
    compiled = torch.compile(network, backend="eager")
    image = torch.randn(2, 1, 12, 12)
    target = random_batch(6, (2, 2, 12, 12))[1][:, None].to(torch.int16)
    loss = LossBeside(SumOfScales(), TopologicalLoss())
    loss.factor = 1.0
    slopes = []
    for net in (network, compiled):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            output = scales(net(image))
            assert output[0].dtype == torch.bfloat16
            total = loss(output, scales(target))
        assert total.dtype == torch.float32
        total.backward()
        slopes.append(network.weight.grad.clone())
    assert torch.equal(*slopes)
    loss.factor = 0.0
    network.zero_grad()
    loss(scales(network(image)), scales(target)).backward()
    assert not torch.allclose(network.weight.grad, slopes[0], rtol=0.1)


# --- When, how much, and with which options ---------------------------------------------------


def test_the_loss_begins_late_and_warms_up():
    addition = Addition("topological", weight=2.0, start=0.5, warm_up=0.25)
    factors = [addition.factor(epoch, 16) for epoch in range(16)]
    assert factors == [0.0] * 8 + [0.5, 1.0, 1.5] + [2.0] * 5


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("start", [0.0, 0.5, 0.75, 0.999])
@pytest.mark.parametrize("warm_up", [0.0, 0.05, 1.0])
def test_it_always_begins_and_never_falls(warm_up, start, epochs):
    addition = Addition("cldice", weight=3.0, start=start, warm_up=warm_up)
    factors = [addition.factor(epoch, epochs) for epoch in range(epochs)]
    assert factors == sorted(factors)
    assert 0 < factors[-1] <= 3.0
    if start + warm_up <= 0.8:
        assert factors[-1] == 3.0
    assert sum(factor > 0 for factor in factors) >= (1 - start) * epochs - 1e-9


def test_environment_variables_change_it():
    addition = Addition("topological", {"matching": "rank", "window": 32}, weight=1.5)
    assert addition.changed({"PATH": "x"}) == addition
    changed = addition.changed(
        {
            "TOPOSEG_WEIGHT": "0.25",
            "TOPOSEG_START": "0",
            "TOPOSEG_WARM_UP": "0.5",
            "TOPOSEG_OPTIONS": '{"window": [8, 16], "overlap": 2}',
        }
    )
    assert changed == Addition(
        "topological",
        {"matching": "rank", "window": [8, 16], "overlap": 2},
        weight=0.25,
        start=0,
        warm_up=0.5,
    )
    options = changed.make(regions=False).options
    assert (options.matching, options.window, options.overlap) == ("rank", [8, 16], 2)


def test_losses_that_measure_do_so_by_the_spacing():
    spacing = (2.5, 1.0, 1.0)
    for name in sorted(set(LOSSES) - {"topograph"}):
        made = Addition(name).make(regions=False, spacing=spacing)
        assert getattr(made.options, "spacing", None) == (
            spacing if name in ("warping", "morse", "cldice") else None
        )
    told = Addition("cldice", {"spacing": (1.0, 1.0, 1.0)}).make(regions=False, spacing=spacing)
    assert told.options.spacing == (1.0, 1.0, 1.0)


def test_every_part_of_a_sum_is_fitted():
    parts = {"topological": {"window": 8}, "lines": {"loss": "cldice"}}
    addition = Addition("sum", {"parts": parts, "weights": {"topological": 1.5}})
    made = addition.make(regions=True, ignore_label=4, spacing=(3.0, 1.0, 1.0))
    assert made.factors() == {"topological": 1.5, "lines": 1.0}
    for part in made.parts.values():
        assert part.options.activation == "sigmoid"
        assert part.options.ignore_index == 255
    assert made.parts["topological"].options.window == 8
    assert made.parts["lines"].options.spacing == (3.0, 1.0, 1.0)
    assert parts == {"topological": {"window": 8}, "lines": {"loss": "cldice"}}


@pytest.mark.parametrize(
    "addition",
    [
        Addition("topograph"),
        Addition("sum", {"parts": {"cldice": {}, "topograph": {}}}),
        Addition("sum", {"parts": {"cldice": {}, "regions": {"loss": "topograph"}}}),
    ],
    ids=["alone", "in a sum", "in a sum by another name"],
)
@pytest.mark.parametrize("regions", [False, True])
def test_a_loss_of_images_alone_is_refused_for_volumes(regions, addition):
    """Before the first step: the trainers tell the spacing of volumes, and of them alone."""
    addition.make(regions=regions)
    with pytest.raises(ValueError, match=r"loss of images alone.*configuration 2d"):
        addition.make(regions=regions, spacing=(2.5, 1.0, 1.0))
    source = (TRAINERS / "topology_trainers.py").read_text()
    assert "spacing=tuple(spacing) if len(spacing) == 3 else None" in source


def test_the_command_prints_the_folder_and_needs_no_nnunet():
    code = "import sys; sys.modules['nnunetv2'] = None; import runpy; "
    code += "runpy.run_module('toposeg_lite.nnunet', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{TRAINERS}\n"
    assert [path.name for path in sorted(TRAINERS.glob("*.py"))] == [
        "__init__.py",
        "topology_trainers.py",
    ]


def additions():
    """What each trainer adds, read from its file, which only nnU-Net can import."""
    found = {}
    for node in ast.parse((TRAINERS / "topology_trainers.py").read_text()).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            (given,) = [part.value for part in node.body if isinstance(part, ast.Assign)]
            found[node.name] = eval(ast.unparse(given), {"Addition": Addition})
    return found


def test_every_loss_has_a_trainer_and_the_pages_name_it_with_its_weight():
    expected = {name: addition.weight for name, addition in additions().items()}
    wanted = {*LOSSES, "sum"} - {"dice_bce"}  # which is nnU-Net's own
    assert {addition.loss for addition in additions().values()} == wanted
    told = re.findall(r"(?m)^`(nnUNetTrainer\w+)`.* ([\d.]+)$", nnunet.__doc__)
    assert {name: float(weight) for name, weight in told} == expected
    shown = re.findall(r"(?m)^\| `(nnUNetTrainer\w+)` \|.*\| ([\d.]+) \|$", PAGE.read_text())
    assert {name: float(weight) for name, weight in shown} == expected


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize(("spatial", "spacing"), [((12, 16), None), ((4, 8, 8), (2.5, 1.0, 1.0))])
@pytest.mark.parametrize("name", sorted(additions()))
def test_what_every_trainer_adds_has_a_gradient(name, spatial, spacing, regions):
    addition = additions()[name]
    if name == "nnUNetTrainerTopograph" and len(spatial) == 3:
        pytest.skip("it is a loss of images alone")
    logits, labels = random_batch(7, (2, 3, *spatial))
    target = torch.stack([labels > 0, labels > 1, labels == 1, labels < 0], 1)  # nobody ignored
    target = target if regions else labels[:, None].to(torch.int16)
    added = addition.make(regions=regions, ignore_label=4, spacing=spacing)
    loss = LossBeside(Zero(), added, ignored_channel=regions)
    loss.factor = addition.factor(999, 1000)
    leaf = logits.clone().requires_grad_()
    loss([leaf], [target]).backward()
    assert leaf.grad.isfinite().all()
    assert leaf.grad.flatten(2).any(2).all()
