"""Weighted sums of losses, and losses by name."""

from __future__ import annotations

import pytest
import torch
from loss_batches import random_batch

from toposeg_lite.losses import (
    LOSSES,
    SumLoss,
    TopologicalLoss,
    common,
    make_loss,
)


class Constant(torch.nn.Module):
    """A part whose value is known, and which counts its calls."""

    def __init__(self, value):
        super().__init__()
        self.value, self.calls = value, 0

    def forward(self, logits, target):
        self.calls += 1
        return self.value * logits.mean()


def test_a_sum_weighs_its_parts_and_warms_them_up():
    parts = {"one": Constant(1.0), "two": Constant(10.0), "three": Constant(100.0)}
    loss = SumLoss(
        parts,
        weights={"two": 0.5, "three": 2},
        starts={"two": 2, "three": 1},
        warm_up={"three": 4},
    )
    logits = torch.ones(1, requires_grad=True)
    expected = [1, 1 + 50, 1 + 5 + 100, 1 + 5 + 150, 1 + 5 + 200, 1 + 5 + 200]
    for step, total in enumerate(expected):
        assert loss.step == step
        value = loss(logits, None)
        assert value.item() == pytest.approx(total)
        (slope,) = torch.autograd.grad(value, logits)
        assert slope.item() == pytest.approx(total)
    assert {name: v.item() for name, v in loss.values.items()} == {
        "one": 1,
        "two": 10,
        "three": 100,
    }
    assert not any(v.requires_grad for v in loss.values.values())
    assert [part.calls for part in parts.values()] == [6, 4, 5]


def test_a_sum_counts_steps_of_training_only_and_remembers_them():
    loss = SumLoss({"a": Constant(1.0), "b": Constant(1.0)}, starts={"b": 2})
    logits = torch.ones(1)
    for _ in range(2):
        loss(logits, None)
    loss.eval()(logits, None)
    with torch.no_grad():
        loss.train()(logits, None)
    assert loss.step == 2
    other = SumLoss({"a": Constant(1.0), "b": Constant(1.0)}, starts={"b": 2})
    assert other(logits, None) == 1
    other.load_state_dict(loss.state_dict())
    assert other.step == 2
    assert other(logits, None) == 2
    assert all(isinstance(value, torch.Tensor) for value in loss.state_dict().values())


def test_a_step_may_be_set_and_only_the_parts_of_that_step_are_reported():
    loss = SumLoss({"a": Constant(1.0), "b": Constant(1.0)}, starts={"b": 1})
    logits = torch.ones(1)
    loss.step = 1
    loss(logits, None)
    assert set(loss.values) == {"a", "b"}
    loss.step = 0
    assert loss(logits, None) == 1
    assert set(loss.values) == {"a"}
    loss.step = -1
    with pytest.raises(ValueError, match="no part has begun at step -1"):
        loss(logits, None)


def test_a_state_that_was_taken_is_not_counted_up():
    state = SumLoss({"a": Constant(1.0)}).state_dict()
    loss = SumLoss({"a": Constant(1.0)})
    loss.load_state_dict(state)
    loss(torch.ones(1), None)
    assert (loss.step, type(loss.step)) == (1, int)
    loss.load_state_dict(state)
    assert loss.step == 0


def test_what_the_parts_have_to_learn_belongs_to_the_sum():
    part = Constant(1.0)
    part.scale = torch.nn.Parameter(torch.ones(()))
    loss = SumLoss({"a": part})
    assert [name for name, _ in loss.named_parameters()] == ["parts.a.scale"]
    assert not loss.eval().parts["a"].training


def test_a_sum_of_real_losses_is_the_sum_of_their_gradients():
    logits, target = random_batch(22, (2, 3, 9, 13), torch.float64)
    parts = {name: make_loss(name) for name in LOSSES}
    weights = {"topological": 0.5, "cldice": 0.25}
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    SumLoss(parts, weights=weights)(leaf, target).backward()
    for name, part in parts.items():
        (weights.get(name, 1) * part(twin, target)).backward()
    torch.testing.assert_close(leaf.grad, twin.grad)


def test_the_parts_of_a_sum_share_their_copies():
    seen = []

    class Part(torch.nn.Module):
        def forward(self, logits, target):
            seen.append(common._COPIES.get())
            return logits.sum()

    SumLoss({"one": Part(), "two": Part()})(torch.ones(1), None)
    assert seen[0] is seen[1] is not None
    assert common._COPIES.get() is None


def test_losses_are_made_by_name():
    assert {name: type(make_loss(name)) for name in LOSSES} == LOSSES
    made = make_loss("topological", window=32, matching="wasserstein")
    assert isinstance(made, TopologicalLoss)
    assert made.options.window == 32
