"""The weight by a rule: the ratio of two gradients at the logits is recorded, and kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from training_data import DATA, TINY, assert_same

from toposeg_lite.losses import DiceBCELoss, TopologicalLoss
from toposeg_lite.training import TrainConfig, draw_batch, load_checkpoint, loop, train
from toposeg_lite.training.balance import Balance

LONG = replace(TINY, steps=30, weight="balance:0.5", checkpoint_every=7)


def run(config, **options):
    return train(config, data=DATA, progress=False, **options)


class Scaled(torch.nn.Module):
    """The pixel loss with a factor for each step: its gradient ratio is the factor."""

    def __init__(self, factors):
        super().__init__()
        self.factors, self.calls, self.pixels = factors, 0, DiceBCELoss()

    def forward(self, logits, target):
        self.calls += 1
        return self.factors[self.calls - 1] * self.pixels(logits, target)


@pytest.fixture
def made_up(monkeypatch):
    """Let the added loss of trainings be the pixel loss times given factors."""

    def use(factors):
        monkeypatch.setattr(loop, "make_loss", lambda *_, **__: Scaled(factors))

    return use


@pytest.mark.parametrize("factor", [1e-4, 3.0, 1e5])
def test_the_ratio_is_kept_whatever_the_loss_is_multiplied_by(made_up, factor):
    made_up([factor] * 6)
    ends = [run(replace(TINY, weight="balance:0.5"))]
    history = ends[0].history
    np.testing.assert_allclose(history["gradient_ratio"], factor, rtol=1e-5)
    np.testing.assert_allclose(history["weight"] * history["gradient_ratio"], 0.5, rtol=1e-5)
    np.testing.assert_allclose(history["loss"], 1.5 * history["dice_bce"], rtol=1e-5)
    made_up([1.0] * 6)
    ends.append(run(replace(TINY, weight=0.5)))
    for name, weight in ends[0].weights.items():
        torch.testing.assert_close(weight, ends[1].weights[name], rtol=1e-3, atol=1e-4)


def test_the_weight_is_that_of_the_mean_ratio_so_far(made_up):
    made_up([2.0, 8.0, 0.0, 0.5, 2.0, 32.0])
    history = run(replace(TINY, weight="balance:4")).history
    # Geometric means of 2; 2, 8; the same, as nothing is said; 2, 8, 1/2; and so on.
    means = [2, 4, 4, 2, 2, 2 ** (9 / 5)]
    np.testing.assert_allclose(history["weight"], 4 / np.array(means), rtol=1e-5)


def test_old_ratios_are_forgotten():
    balance = Balance(1.0, [1000.0] * 50)
    weights = [balance.weight(1.0) for _ in range(300)]
    assert weights[0] == pytest.approx(1000 ** (-19 / 20))
    assert (np.diff(weights) > 0).all()
    assert weights[-1] == pytest.approx(1, rel=1e-3)


def test_without_any_gradient_the_weight_is_zero_and_nothing_else_changes(made_up):
    made_up([0.0] * 6)
    silent = run(replace(TINY, weight="balance:0.5"))
    assert (silent.history[["gradient_ratio", "weight"]] == 0).all(axis=None)
    alone = run(replace(TINY, weight=0.0))
    for name, weight in silent.weights.items():
        assert torch.equal(weight, alone.weights[name])


@pytest.mark.parametrize("weight", [0.5, "balance:0.5"])
def test_ratios_of_real_losses_are_recorded_whatever_the_weight(weight):
    history = run(replace(TINY, weight=weight)).history
    net = loop.UNet(1, width=2, depth=2, seed=0)  # as it was at the first step
    images, masks = draw_batch(DATA.train, step=0, seed=0, patch=16, batch=2, light=0.3)
    logits = net(torch.tensor(images)).detach().requires_grad_()
    norms = [
        torch.autograd.grad(loss(logits, torch.tensor(masks)), logits)[0].norm().item()
        for loss in (TopologicalLoss(), DiceBCELoss())
    ]
    assert history["gradient_ratio"][0] == pytest.approx(norms[0] / norms[1], rel=1e-4)
    assert (history["gradient_ratio"] > 0).all()
    assert (history["weight"] > 0).all()
    assert (history["weight"] == 0.5).all() == (weight == 0.5)
    np.testing.assert_allclose(
        history["loss"], history["dice_bce"] + history["weight"] * history["added"]
    )


@pytest.mark.parametrize("stop", [7, 15, 29])
def test_a_run_that_is_resumed_goes_on_with_the_same_bits(tmp_path, monkeypatch, stop):
    whole = run(LONG)
    path = tmp_path / "net.safetensors"

    def fail(*arguments, step, **options):
        if step == stop:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    with pytest.raises(KeyboardInterrupt):
        run(LONG, out=path)
    monkeypatch.undo()
    assert load_checkpoint(path).step == stop // 7 * 7
    resumed = run(LONG, out=path, resume=True)
    assert_same(resumed, whole)
    for name in ("gradient_ratio", "weight"):
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])
    with pytest.raises(ValueError, match=r"weight was 'balance:0\.5' and is now 0\.5"):
        run(replace(LONG, weight=0.5), out=path, resume=True)


def test_the_rule_has_one_form():
    assert TrainConfig(weight="balance:.50") == TrainConfig(weight="balance:0.5")
    assert TrainConfig(weight="balance:2").weight == "balance:2.0"


def test_files_from_before_the_ratio_was_recorded_go_on(tmp_path):
    """Their history has five columns; what they do not know is NaN, and the run ends as ever."""
    config = replace(TINY, checkpoint_every=2)
    path = tmp_path / "net.safetensors"
    whole = run(config)
    half = replace(whole, step=4, history=whole.history[:4])
    ends = run(replace(config, steps=4))
    half = replace(half, weights=ends.weights, optimizer=ends.optimizer)
    half.save(path)
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["history"] = tensors["history"][:, :5].contiguous()
    save_file(tensors, path, metadata=facts)
    old = load_checkpoint(path)
    assert old.history[["gradient_ratio", "weight"]].isna().all(axis=None)
    resumed = run(config, out=path, resume=True)
    assert_same(resumed, whole)
    assert resumed.history["weight"].isna().sum() == 4
    assert (resumed.history["weight"][4:] == 0.5).all()
