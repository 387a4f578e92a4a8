"""The study of calibration on real data, in small."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from curve_images import bright_curves, curve_data

from toposeg_lite.data import Dataset, Sample
from toposeg_lite.models import UNet
from toposeg_lite.structures import EvenLight, StructureModel, expected_calibration_error
from toposeg_lite.training import TrainConfig, train
from toposeg_lite.workbook.studies import calibration, fitting, orders
from toposeg_lite.workbook.studies.__main__ import main


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Run the study once on four small images."""
    data = curve_data()
    config = TrainConfig(weight=0.0, steps=12, patch=32, width=4, depth=2, light=0.0)
    folder = tmp_path_factory.mktemp("study")
    small = calibration.CalibrationOptions(passes=3, threshold_steps=3, min_persistence=1e-3)

    def run(seeds, **more):
        options = replace(small, seeds=seeds, **more)
        return calibration.calibration_study(data, config, folder, options, progress=False)

    return run, run((0, 1)), folder


def test_each_seed_has_a_row_for_each_method(study):
    _, table, _ = study
    methods = [m for m in calibration.METHODS for _ in range(2)] * 2
    assert table["method"].tolist() == methods
    assert table["scaled"].tolist() == [False, True] * 8
    assert table["seed"].tolist() == [0] * 8 + [1] * 8
    assert ((table["error"] >= 0) & (table["error"] < 1)).all()
    assert (table["branches"] > 5).all()
    # A temperature never moves a probability across one half.
    accuracy = table["accuracy"].to_numpy().reshape(-1, 2)
    np.testing.assert_array_equal(accuracy[:, 0], accuracy[:, 1])


def test_a_study_goes_on_where_it_stopped_and_gives_the_same_numbers(study):
    run, table, folder = study
    kept = folder / "seed-0.json"
    before = kept.stat().st_mtime_ns
    (folder / "seed-1.json").unlink()
    (folder / "dropout-1.safetensors").unlink()
    again = run((0, 1))
    assert again.equals(table)
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="of another study"):
        run((0,), passes=4)


def test_the_error_of_the_pixels_is_that_of_the_mean_likelihood(study):
    from toposeg_lite.structures import find_branches
    from toposeg_lite.training import load_checkpoint

    _, table, folder = study
    network = load_checkpoint(folder / "unet-1.safetensors").model(
        UNet(1, width=4, depth=2, seed=1)
    )
    test = bright_curves(3)
    with torch.no_grad():
        likelihood = network(torch.from_numpy(test.image)[None])[0, 0].sigmoid().numpy()
    found = find_branches(likelihood, min_persistence=1e-3)
    own = [found.owner == k for k in range(len(found))]
    chances = np.clip([likelihood[on].mean(dtype=np.float64) for on in own], 0, 1)
    real = np.array([test.mask[on].mean() >= 0.5 for on in own])
    row = table[(table["seed"] == 1) & (table["method"] == "pixels") & ~table["scaled"]].iloc[0]
    assert row["branches"] == len(own)
    assert row["error"] == pytest.approx(expected_calibration_error(chances, real))
    assert row["accuracy"] == pytest.approx(((chances >= 0.5) == real).mean())


@pytest.fixture(scope="module")
def crossed(tmp_path_factory):
    """Train on each of three parts of seven images without it."""
    train = tuple(bright_curves(seed) for seed in range(7))
    data = Dataset("small", train, (), (), "foreground", "exact", 20, "none")
    config = TrainConfig(weight=0.0, steps=10, patch=32, width=4, depth=2, light=0.0, seed=1)
    folder = tmp_path_factory.mktemp("crossed")
    unseen = fitting.cross_train(data, config, folder, folds=3, progress=False)
    return data, config, folder, unseen


def test_the_parts_are_neighbours_and_no_network_has_seen_its_part(crossed):
    data, config, folder, unseen = crossed
    parts = [[one.name for one in samples] for _, samples in unseen]
    assert parts == [["s0", "s1"], ["s2", "s3"], ["s4", "s5", "s6"]]
    for k, (network, samples) in enumerate(unseen):
        others = tuple(one for one in data.train if one not in samples)
        alone = fitting.new_network(data, config, UNet)
        steps = {4: 5, 5: 7}[len(others)]  # each image as often as in ten steps on all seven
        shorter = replace(config, steps=steps)
        path = folder / f"alone-{k}.safetensors"
        train(shorter, data=replace(data, train=others), model=alone, out=path, progress=False)
        for ours, theirs in zip(network.parameters(), alone.parameters(), strict=True):
            assert torch.equal(ours, theirs)
            assert not ours.requires_grad
        assert (folder / f"unet-1-without-{k}.safetensors").exists()


def test_the_head_learns_from_branches_of_networks_that_have_not_seen_them(crossed):
    data, config, _, unseen = crossed
    network = fitting.new_network(data, config, UNet)
    branch, threshold = fitting.fit_structures(
        network, unseen, config, threshold_steps=4, min_persistence=1e-3
    )
    by_hand = StructureModel(network, mode="branch", min_persistence=1e-3, seed=1)
    found, fractions = [], []
    for other, samples in unseen:
        for one in samples:
            with torch.no_grad():
                logits = other(torch.from_numpy(one.image)[None])
            likelihood = StructureModel(torch.nn.Identity(), mode="branch", min_persistence=1e-3)
            (branches,) = likelihood.branches(logits)
            features = StructureModel(other, mode="branch", min_persistence=1e-3).distribution(
                torch.from_numpy(one.image)[None]
            )
            found += features
            fractions.append(branches.fraction_on(one.mask))
    by_hand.learn(found, fractions, seed=1)
    for ours, theirs in zip(branch.head.parameters(), by_hand.head.parameters(),
                            strict=True):  # fmt: skip
        assert torch.equal(ours, theirs)
    assert branch.network is threshold.network is network
    assert threshold.step == 4


def test_the_threshold_learns_from_each_network_on_its_own_images(crossed):
    data, config, _, _ = crossed
    seen = []

    class Watched(torch.nn.Module):
        """Write down which network is asked about which values."""

        def __init__(self, k):
            super().__init__()
            self.k, self.weight = k, torch.nn.Parameter(torch.zeros(1))

        def forward(self, images):
            seen.append((self.k, images.unique().tolist()))
            return images + self.weight

    # Every part has a value of its own.
    shape = data.train[0].mask.shape
    pairs = []
    for k in range(3):
        image = np.full((1, *shape), (k + 1) / 8, np.float32)
        one = Sample(f"flat{k}", image, np.zeros(shape, np.bool_))
        pairs.append(fitting.Unseen(Watched(k), (one,)))
    fitting.fit_structures(Watched(9), pairs, config, threshold_steps=5, min_persistence=1e-3)
    assert seen[:3] == [(k, [(k + 1) / 8]) for k in range(3)]  # the head, part by part
    assert seen[3:] == [(k, [(k + 1) / 8]) for k in (0, 1, 2, 0, 1)]


@pytest.mark.parametrize("nothing", [[], [fitting.Unseen(torch.nn.Identity(), ())]])
def test_without_images_nothing_can_be_learned(nothing):
    with pytest.raises(ValueError, match="at least one network with an image"):
        fitting.fit_structures(torch.nn.Identity(), nothing, TrainConfig())


@pytest.mark.parametrize(
    ("folds", "error", "words"),
    [
        (1, ValueError, "folds must be at least 2"),
        (8, ValueError, "folds must be at most 7, the number of training images; got 8"),
        (2.0, TypeError, "folds must be an integer"),
    ],
)
def test_numbers_of_parts_that_cannot_be_are_refused(crossed, tmp_path, folds, error, words):
    data, config, _, _ = crossed
    with pytest.raises(error, match=words):
        fitting.cross_train(data, config, tmp_path, folds=folds)
    whole = replace(data, validation=data.train[:1], test=data.train[:1])
    options = calibration.CalibrationOptions(folds=folds)
    with pytest.raises(error, match=words):
        calibration.calibration_study(whole, config, tmp_path / "study", options)
    assert not list(tmp_path.iterdir())


def test_dropout_drops_whole_channels_and_keeps_their_mean():
    model = calibration.DropoutUNet(1, rate=0.4, width=8, depth=1, seed=2)
    seen = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.eval()(image)
        for _ in range(400):
            model.train()(image)
    plain, drawn = seen[0], torch.stack(seen[1:])
    gone = (drawn == 0).flatten(3).all(3)
    assert gone.float().mean().item() == pytest.approx(0.4, abs=0.03)
    kept = drawn[~gone] * 0.6
    np.testing.assert_allclose(kept, plain.expand(400, -1, -1, -1, -1)[~gone], rtol=1e-5)
    assert model.passes == 400


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["calibration", "--dataset", "none", "--out", str(tmp_path)]) == 1
    assert "dataset must be one of" in capsys.readouterr().err
    assert json.dumps(list(tmp_path.iterdir())) == "[]"


def test_the_file_of_a_study_holds_all_seeds_and_their_diagrams(study):
    _, table, folder = study
    again, diagrams = calibration.read_calibration(folder / "study.json")
    assert again.equals(table)
    content = json.loads((folder / "study.json").read_text())
    assert set(content["seeds"]) == {"0", "1"}
    assert content["seeds"]["0"]["versions"]["torch"] == version("torch")
    names = [f"{m}{scaled}" for m in calibration.METHODS for scaled in ("", ", scaled")]
    assert list(diagrams) == names
    first = [content["seeds"][seed]["reliability"]["pixels"] for seed in ("0", "1")]
    share = np.mean(
        [
            np.average(np.nan_to_num(np.array(one["frequency"], float)), weights=one["count"])
            for one in first
        ]
    )  # of the branches that are real, whatever the method
    for name, diagram in diagrams.items():
        method, _, scaled = name.partition(", ")
        rows = table[(table["method"] == method) & (table["scaled"] == bool(scaled))]
        assert diagram.count.sum() == pytest.approx(2)
        # Both seeds in one diagram: no further off than the seeds on average.
        assert diagram.error <= rows["error"].mean() + 1e-3
        truth = (diagram.count * np.nan_to_num(diagram.frequency)).sum() / 2
        assert truth == pytest.approx(share, abs=1e-3)
    for seed in ("0", "1"):
        kept = content["seeds"][seed]["reliability"]["pixels"]
        row = table[(table["seed"] == int(seed)) & (table["method"] == "pixels")].iloc[0]
        gaps = [
            n * abs(p - f) for n, p, f in zip(*kept.values(), strict=True) if n and p is not None
        ]
        assert sum(gaps) / row["branches"] == pytest.approx(row["error"], abs=1e-3)
    with pytest.raises(FileNotFoundError, match="no study of calibration"):
        calibration.read_calibration(folder / "none.json")


def test_even_data_change_images_and_keep_masks():
    rng = np.random.default_rng(0)
    samples = [
        Sample(f"s{k}", rng.random((3, 30, 40), dtype=np.float32), rng.random((30, 40)) > 0.5)
        for k in range(3)
    ]
    data = Dataset("eyes", *[(s,) for s in samples], "foreground", "exact", 20, "none")
    even = fitting.even_data(data)
    assert even.channels == 1
    for split, before in zip(("train", "validation", "test"), samples, strict=True):
        (after,) = getattr(even, split)
        assert (after.name, after.mask is before.mask) == (before.name, True)
        light = EvenLight()(torch.from_numpy(before.image)[None])[0].numpy()
        np.testing.assert_array_equal(after.image, light)


def test_pixels_without_a_label_are_refused_before_any_training(tmp_path, monkeypatch):
    unsure = replace(bright_curves(1), ignored=bright_curves(1).mask)
    data = replace(curve_data(), train=(bright_curves(0), unsure))
    config = TrainConfig(weight=0.0, steps=12, patch=32, width=4, depth=2, light=0.0)
    monkeypatch.setattr(calibration, "train", lambda *_, **__: pytest.fail("a training began"))
    text = "'s1' has .* pixels without a label; a study of branches needs one at every pixel"
    with pytest.raises(ValueError, match=text):
        calibration.calibration_study(
            data, config, tmp_path / "out", calibration.CalibrationOptions(), progress=False
        )
    with pytest.raises(ValueError, match=text):
        fitting.cross_train(data, config, tmp_path, progress=False)
    with pytest.raises(ValueError, match=text):
        orders.order_study(data, config, tmp_path / "out", orders.OrderOptions(), progress=False)
    assert list(tmp_path.iterdir()) == []
