"""Where losses push, and where errors are: drawings, the pixel loss, and the command."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from toposeg_lite.differences import KINDS
from toposeg_lite.losses import make_loss
from toposeg_lite.training import TrainConfig, predict, train
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.reach import ReachCommand, loss_reach


def drawn(text):
    """Truth and likelihood: # both, - missing, + false, . neither."""
    kinds = np.array([line.split() for line in text.strip().splitlines()])
    truth = np.isin(kinds, ["#", "-"])
    likelihood = {"#": 0.9, "+": 0.9, "-": 0.3, ".": 0.1}
    return np.vectorize(likelihood.get)(kinds), truth


SCENE = drawn("""
    . . . . . . . . . . . . . . . .
    # # # # # - # # # # # . . . . .
    . . . . . . . . . . . . . . . .
    . . . . . . . . . . . . . . . .
    . . . . . . . . . . . . . . . .
    . . . . . . . . . . . . . + . .
    . . . . . . . . . . . . . . . .
    """)
BREAK, SPECK = (1, 5), (5, 13)


class Pushing(nn.Module):
    """A loss whose gradient is given."""

    def __init__(self, slope):
        super().__init__()
        self.slope = torch.from_numpy(slope)

    def forward(self, logits, target):
        assert target.shape == logits.shape[:1] + logits.shape[2:]
        return (logits[0, 0] * self.slope).sum()


def pushing(**slopes):
    slope = np.zeros(SCENE[1].shape)
    for place, value in slopes.items():
        slope[{"gap": BREAK, "speck": SPECK, "far": (6, 0), "beside": (2, 6)}[place]] = value
    return loss_reach(*SCENE, Pushing(slope))


def test_an_error_is_reached_where_the_loss_moves_towards_the_truth():
    one = dict.fromkeys(KINDS, 0) | {"break": 1, "spurious component": 1}
    both = pushing(gap=-1.0, speck=2.0)
    assert both.errors == both.reached == one
    assert (both.at_errors, both.everywhere) == (3, 3)
    wrong_way = pushing(gap=1.0, speck=-2.0)
    assert not any(wrong_way.reached.values())
    half = pushing(gap=-1.0, far=3.0)
    assert half.reached == {kind: int(kind == "break") for kind in KINDS}
    assert (half.at_errors, half.everywhere) == (1, 4)
    # A right pixel beside the gap mends nothing, but its gradient is spent near an error.
    beside = pushing(beside=-1.0)
    assert not any(beside.reached.values())
    assert (beside.at_errors, beside.everywhere) == (1, 1)


def test_the_radius_says_what_is_near():
    slope = np.zeros(SCENE[1].shape)
    slope[1, 9] = -1.0  # 4 pixels from the break
    for radius, share in ((3, 0), (4, 1)):
        assert loss_reach(*SCENE, Pushing(slope), radius=radius).at_errors == share
    exact = pushing(gap=-1.0, speck=2.0)
    slope[:] = 0
    slope[BREAK], slope[SPECK] = -1.0, 2.0
    assert loss_reach(*SCENE, Pushing(slope), radius=0) == exact


def test_the_losses_reach_what_their_definitions_say():
    shares, focus = {}, {}
    for name, options in {
        "dice_bce": {}, "topological": {"matching": "spatial"}, "warping": {}, "topograph": {},
        "skeleton_recall": {},
    }.items():  # fmt: skip
        found = loss_reach(*SCENE, make_loss(name, **options))
        shares[name] = found.reached["break"], found.reached["spurious component"]
        focus[name] = found.at_errors / found.everywhere
    assert shares == {
        "dice_bce": (1, 1),
        "topological": (1, 1),
        "warping": (1, 1),
        "topograph": (1, 1),
        "skeleton_recall": (1, 0),  # of false positives it knows nothing
    }
    assert focus["warping"] == focus["topograph"] == 1  # they push nowhere else
    # The line itself has a partner, whose birth is to rise from .9; of 11 pixels the tube has them.
    assert focus["dice_bce"] < focus["topological"] < 1
    assert focus["skeleton_recall"] < 0.9


def test_volumes_too():
    truth = np.zeros((5, 5, 9), bool)
    truth[2, 2] = True
    likelihood = np.where(truth, 0.9, 0.1)
    likelihood[2, 2, 4] = 0.2
    found = loss_reach(likelihood, truth, make_loss("dice_bce"))
    assert found.errors["break"] == found.reached["break"] == 1


def test_bad_input():
    likelihood, truth = SCENE
    loss = make_loss("dice_bce")
    with pytest.raises(ValueError, match="likelihood must lie in"):
        loss_reach(likelihood * 2, truth, loss)
    with pytest.raises(ValueError, match="same shape"):
        loss_reach(likelihood[1:], truth, loss)
    with pytest.raises(TypeError, match=r"loss must be a torch\.nn\.Module; got str"):
        loss_reach(likelihood, truth, "dice_bce")
    with pytest.raises(ValueError, match="radius must be"):
        loss_reach(likelihood, truth, loss, radius=-1)


def test_the_command_counts_over_the_validation_images(tmp_path, capsys):
    path = tmp_path / "control.safetensors"
    end = train(TrainConfig("brick", weight=0.0, steps=2, patch=16, width=2, batch=1), out=path,
                progress=False)  # fmt: skip
    table = ReachCommand(networks=(str(path),), arms=("topograph",), window=256,
                         results=str(tmp_path / "new" / "reach.csv")).run()  # fmt: skip
    text = capsys.readouterr().out
    (sample,) = end.config.load().validation
    likelihood = predict(end.model(), sample.image, window=256)
    expected = loss_reach(likelihood, sample.mask, make_loss("topograph"))
    row = table.loc["topograph"]
    assert row["all errors, count"] == sum(expected.errors.values())
    assert row["all errors"] == sum(expected.reached.values()) / sum(expected.errors.values())
    assert row["focus"] == expected.at_errors / expected.everywhere
    assert f"| all errors ({sum(expected.errors.values())}) |" in text
    kept = pd.read_csv(tmp_path / "new" / "reach.csv", index_col="loss")
    np.testing.assert_allclose(kept.to_numpy(float), table.to_numpy(float), rtol=1e-5)
    assert main(["reach", "--networks", str(tmp_path / "none.safetensors")]) == 1
    assert main(["reach", "--networks", str(path), "--results", str(tmp_path / "x.json")]) == 1
    assert main(["reach", "--networks", str(path), "--arms", "none"]) == 1
