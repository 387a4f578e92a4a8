"""Sums of losses by name in a training: configured, counted from the run's start, resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_data import DATA, TINY, assert_same

from toposeg_lite.losses import ClDiceLoss, SumLoss, TopologicalLoss, make_loss
from toposeg_lite.training import TrainConfig, draw_batch, load_checkpoint, loop, train

PARTS = {"topological": {"matching": "rank"}, "lines": {"loss": "cldice", "iterations": 3}}
OPTIONS = {
    "parts": PARTS,
    "weights": {"lines": 0.5},
    "starts": {"lines": 2},
    "warm_up": {"topological": 4, "lines": 3},
}
SUM = replace(TINY, loss="sum", loss_options=OPTIONS)
#: What the factors of SUM are at the steps 0 to 5.
FACTORS = {
    "topological": [0.25, 0.5, 0.75, 1, 1, 1],
    "lines": [0, 0, 0.5 / 3, 1 / 3, 0.5, 0.5],
}


def run(config, **options):
    return train(config, data=DATA, progress=False, **options)


def test_a_sum_by_name_is_the_sum_of_its_losses():
    loss = make_loss("sum", **OPTIONS, ignore_index=-1)
    assert type(loss) is SumLoss
    expected = {
        "topological": TopologicalLoss(matching="rank", ignore_index=-1),
        "lines": ClDiceLoss(iterations=3, ignore_index=-1),
    }
    assert {name: repr(part) for name, part in loss.parts.items()} == {
        name: repr(part) for name, part in expected.items()
    }
    assert (loss.weights, loss.starts, loss.warm_up) == (
        {"topological": 1, "lines": 0.5},
        {"topological": 0, "lines": 2},
        {"topological": 4, "lines": 3},
    )


@pytest.fixture
def factors(monkeypatch):
    """Note the factors of each call of a sum."""
    seen: list[dict[str, float]] = []
    begun = SumLoss._begun

    def note(self):
        seen.append(self.factors())
        return begun(self)

    monkeypatch.setattr(SumLoss, "_begun", note)
    monkeypatch.setattr(TrainConfig, "check", lambda *_: None)  # which tries the loss
    return seen


def test_its_steps_are_those_of_the_run(factors):
    end = run(SUM)
    assert {name: [f[name] for f in factors] for name in FACTORS} == {
        name: pytest.approx(values) for name, values in FACTORS.items()
    }
    factors.clear()
    after = run(SUM, start=end)
    assert [f["lines"] for f in factors] == pytest.approx(FACTORS["lines"])
    assert after.start == 6


def test_its_value_is_the_weighted_sum(monkeypatch):
    history = run(SUM).history
    net = loop.UNet(1, width=2, depth=2, seed=0)
    images, masks = draw_batch(DATA.train, step=0, seed=0, patch=16, batch=2, light=0.3)
    logits, target = net(torch.tensor(images)), torch.tensor(masks)
    expected = 0.25 * TopologicalLoss(matching="rank")(logits, target)
    assert history["added"][0] == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("stop", [2, 3, 5])
@pytest.mark.parametrize("weight", [0.5, "balance:0.5"])
def test_a_run_that_is_resumed_goes_on_with_the_same_bits(tmp_path, monkeypatch, stop, weight):
    config = replace(SUM, weight=weight, checkpoint_every=1)
    whole = run(config)
    path = tmp_path / "net.safetensors"

    def fail(*arguments, step, **options):
        if step == stop:
            raise KeyboardInterrupt
        return draw_batch(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "draw_batch", fail)
    with pytest.raises(KeyboardInterrupt):
        run(config, out=path)
    monkeypatch.undo()
    assert load_checkpoint(path).config == config
    assert_same(run(config, out=path, resume=True), whole)
    other = {**OPTIONS, "weights": {"lines": 0.4}}
    with pytest.raises(ValueError, match=r"loss_options was .* and is now"):
        run(replace(config, loss_options=other), out=path, resume=True)


def test_configurations_survive_json():
    assert TrainConfig(**json.loads(json.dumps(SUM.as_dict()))) == SUM


def test_a_sum_of_one_is_the_loss_alone():
    alone = run(replace(TINY, loss="cldice"))
    summed = run(replace(TINY, loss="sum", loss_options={"parts": {"cldice": {}}}))
    for name, weight in alone.weights.items():
        assert torch.equal(weight, summed.weights[name])
    np.testing.assert_array_equal(alone.history["added"], summed.history["added"])


def test_ignored_pixels_are_those_of_every_part(monkeypatch):
    """Values below ignored pixels change no bit."""
    rng = np.random.default_rng(0)
    ignored = [rng.random(sample.mask.shape) < 0.2 for sample in DATA.train]
    ends = []
    for turn in (False, True):
        samples = tuple(
            replace(s, mask=s.mask ^ (where & turn), ignored=where)
            for s, where in zip(DATA.train, ignored, strict=True)
        )
        ends.append(train(SUM, data=replace(DATA, train=samples), progress=False))
    assert_same(*ends)
