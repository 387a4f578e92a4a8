"""The table of steps on a GPU and on the CPU."""

from __future__ import annotations

import pytest
import torch
from benchmarks import gpu

from toposeg_lite.losses import make_loss


class Script:
    """Steps that take what is written here, whatever is asked for."""

    def __init__(self):
        self.made = []

    def milliseconds(self, loss=None, *, started=False):
        self.made.append((loss, started))
        warms_up = len(self.made) <= 6  # the first round: two losses, three ways
        usual = {None: 10.0, "slow": 30.0 - 15.0 * started, "free": 10.0}[loss]
        return 1000.0 if warms_up else usual


def test_the_share_that_is_hidden_is_that_of_what_a_loss_adds():
    script = Script()
    rows = list(gpu.measure(script, {"slow one": "slow", "free one": "free"}, 0.0))
    assert rows == [
        ("the step without an added loss", "10.0 ms", "", "", ""),
        ("slow one", "30.0 ms", "+20.0 ms", "+5.0 ms", "75%"),
        ("free one", "10.0 ms", "+0.0 ms", "+0.0 ms", ""),
    ]
    assert len(script.made) == 12  # one round to warm up, one that is timed
    assert script.made[:3] == [(None, False), ("slow", False), ("slow", True)]
    text = list(gpu.lines(rows))
    assert text[0].split("  ")[0] == "loss"
    assert text[2].endswith("75%")


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_started_step_trains_as_a_plain_one_does(ndim):
    weights = []
    for started in (False, True):
        steps = gpu.Steps(gpu.Setting("cpu", "float32", ndim, 2, 2, 16))
        for name in ("topological, rank", "clDice, thin"):
            kind, options = gpu.LOSSES[name]
            steps.make(make_loss(kind, **options), started=started)
        weights.append([p.detach().clone() for p in steps.model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_without_a_gpu_it_says_so_and_prints_the_cpus_part(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "has_bfloat16_units", lambda: False)
    monkeypatch.setattr(gpu, "ON_CPU", [(2, 2, 1, 16), (3, 2, 1, 8)])
    gpu.main(["--seconds", "0"])
    out = capsys.readouterr().out
    assert out.startswith("There is no GPU here: the CPU's part only")
    assert "2D U-Net of width 2, batch 1 of 16x16, float32, cpu" in out
    assert "3D U-Net of width 2, batch 1 of 8x8x8, float32, cpu" in out
    for name in gpu.LOSSES:
        assert out.count(f"\n{name} ") == 2, name


def test_with_a_gpu_its_part_comes_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "has_bfloat16_units", lambda: True)
    names = [str(setting) for setting in gpu.settings()]
    assert names[0] == "2D U-Net of width 32, batch 8 of 256x256, float32, cuda"
    assert names[3] == "3D U-Net of width 16, batch 2 of 96x96x96, bfloat16, cuda"
    assert len(names) == 8
    assert names[4:] == [name for name in names if name.endswith("cpu")]
