"""The networks of a study on another data set, and whether the order of the losses holds there."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from made_runs import ERRORS, IMAGES, WEIGHTS
from scipy import ndimage, stats
from torch import nn
from training_data import DATA

from toposeg_lite import metrics
from toposeg_lite.data import Dataset, load_dataset
from toposeg_lite.training import TrainConfig, load_checkpoint, predict
from toposeg_lite.workbook.studies import Arm, Study, StudyConfig, across
from toposeg_lite.workbook.studies.__main__ import main
from toposeg_lite.workbook.studies.across import (
    CONTRAST,
    AcrossCommand,
    Visitor,
    contrast_of,
    name_of,
    read_name,
)
from toposeg_lite.workbook.studies.statistics import (
    compare_networks,
    holm,
    kendall_tau,
    rank_correlation,
)
from toposeg_lite.workbook.studies.transfer import (
    SETTINGS,
    Transfer,
    compare_orders,
    order_interval,
    read_transfers,
    transfer_tables,
)

# --- The order of networks ------------------------------------------------------------------------


def pairs_counted(first, second):
    """Kendall's tau-b, pair by pair."""
    agree, decided = 0, [0, 0]
    for a, b in itertools.combinations(range(len(first)), 2):
        signs = [int(s[a] > s[b]) - int(s[a] < s[b]) for s in (first, second)]
        agree += signs[0] * signs[1]
        decided = [n + abs(s) for n, s in zip(decided, signs, strict=True)]
    return agree / math.sqrt(decided[0] * decided[1]) if all(decided) else 0.0


@pytest.mark.parametrize("high", [3, 100])  # with many ties, and with few
def test_tau_is_that_of_scipy_and_of_counting(high):
    rng = np.random.default_rng(0)
    for count in (2, 3, 7, 16):
        first, second = rng.integers(0, high, (2, 20, count)).astype(float)
        found = kendall_tau(first, second)
        assert found.shape == (20,)
        for tau, one, two in zip(found, first, second, strict=True):
            assert tau == pytest.approx(pairs_counted(one, two))
            theirs = stats.kendalltau(one, two).statistic
            assert tau == pytest.approx(0.0 if np.isnan(theirs) else theirs)


def test_tau_knows_no_size_and_no_rounding():
    first = [0.1 + 0.2, 0.3, 0.5, 0.9]  # the first two differ by rounding alone
    assert kendall_tau(first, [1, 1, 2, 3]) == 1
    assert kendall_tau(first, [-1e6, -1e6, 2e-6, 3e9]) == 1
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1, 1, 1], [3, 2, 1]) == 0


def test_p_is_the_part_of_all_orders_that_is_as_far_from_zero():
    first = [1.0, 2.0, 3.0, 4.0, 5.0]
    for second in ([1, 2, 4, 3, 5], [5, 3, 4, 2, 1], [2, 2, 3, 4, 4], [3, 1, 4, 2, 5]):
        taus = [pairs_counted(order, second) for order in itertools.permutations(first)]
        tau = pairs_counted(first, second)
        far = np.mean([abs(other) >= abs(tau) - 1e-12 for other in taus])
        found = rank_correlation(first, second)
        assert found == (pytest.approx(tau), pytest.approx(min(far, 1.0), abs=0.02))
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == (0, 1)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ([1.0], [1.0], "two at least"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "the same networks"),
        ([1.0, np.nan], [1.0, 2.0], "finite"),
        (3.0, 4.0, "two at least"),
    ],
)
def test_scores_that_have_no_order_are_refused(first, second, text):
    with pytest.raises(ValueError, match=text):
        kendall_tau(first, second)
    with pytest.raises(ValueError, match=text):
        rank_correlation(first, second)
    with pytest.raises(ValueError, match="one axis"):
        rank_correlation([[1.0, 2.0]], [[1.0, 2.0]])


# --- The scores of two places ---------------------------------------------------------------------


def made_transfer(away=None, home="walls", seeds=2):
    """Return networks at two places; `away` are errors as `ERRORS` has them, by default others."""
    away = away or {"control": [[4, 4]] * 2, "good": [[5, 1]] * 2, "bad": [[7, 6]] * 2}
    rows = []
    for place, errors in (("home", ERRORS), ("away", away)):
        for network in ("control", "good", "bad"):
            for seed in range(seeds):
                for image, error in zip(IMAGES, errors[network][seed], strict=False):
                    key = {"place": place, "network": network, "weight": WEIGHTS[network]}
                    scores = {"dice": 1 - error / 100, "betti_matching_error": float(error)}
                    rows.append(key | {"seed": seed, "image": image} | scores)
    settings = {"contrast": "same", "channels": "as they are", "scale": 1.0,
                "pretrain_steps": 4, "finetune_steps": 3}  # fmt: skip
    return Transfer(home, "nets", pd.DataFrame(rows), settings)


def written(folder, transfer, name="across-walls-nets.csv"):
    facts = {"home": transfer.home, "away": transfer.away} | transfer.settings
    transfer.scores.assign(**facts).to_csv(folder / name, index=False)
    return folder


def test_means_and_ranks_by_hand():
    transfer = made_transfer()
    assert transfer.networks == ["control", "good", "bad"]
    assert (transfer.images("home"), transfer.images("away"), transfer.seeds()) == (6, 2, 2)
    means = transfer.means("betti_matching_error")
    # 5 3 8 2 6 4 and 7 3 6 4 6 2; 2 3 4 4 1 1 and 2 3 3 2 3 0; 6 4 9 3 9 5 and 8 5 9 4 9 4.
    assert means["home"].tolist() == pytest.approx([56 / 12, 28 / 12, 75 / 12])
    assert means["away"].tolist() == [4, 3, 6.5]
    assert transfer.ranks("betti_matching_error")["home"].tolist() == [2, 1, 3]
    assert transfer.ranks("dice").to_numpy().tolist() == [[2, 2], [1, 1], [3, 3]]
    tied = made_transfer({"control": [[4, 4]] * 2, "good": [[3, 5]] * 2, "bad": [[7, 6]] * 2})
    assert tied.ranks("betti_matching_error")["away"].tolist() == [1.5, 1.5, 3]


def test_the_scores_of_a_place_are_what_statistics_take():
    transfer = made_transfer()
    away = compare_networks(transfer.at("away"), "betti_matching_error", draws=50)
    assert away["difference"].tolist() == [-1, 2.5]
    assert transfer.at("home")["image"].nunique() == 6
    with pytest.raises(ValueError, match="place must be one of"):
        transfer.at("here")


def test_orders_are_compared_for_each_pair_and_score():
    reverse = made_transfer(
        {"control": [[4, 4]] * 2, "good": [[9, 9]] * 2, "bad": [[1, 2]] * 2}, home="nets"
    )
    both = {one.name: one for one in (made_transfer(), reverse)}
    table = compare_orders(both, draws=200)
    assert table.index.tolist() == [
        (name, key) for name in ("walls -> nets", "nets -> nets")
        for key in ("betti_matching_error", "dice")
    ]  # fmt: skip
    assert table["tau"].tolist() == [1, 1, -1, -1]
    assert table["networks"].tolist() == [3] * 4
    assert table["p"].tolist() == pytest.approx([1 / 3] * 4)  # 2 of 6 orders
    assert table["p_holm"].tolist() == holm(table["p"]).tolist()
    text = transfer_tables(both, draws=200)
    assert "| control | 4.67 (2) | 4.00 (2) | 0.953 (2) | 0.960 (2) |" in text
    assert "| walls -> nets | Betti matching error | 3 | +1.00 |" in text


def test_the_interval_holds_what_other_images_and_seeds_would_give():
    sure = made_transfer()
    assert order_interval(sure, "betti_matching_error", draws=500)[1] == 1
    # Every image says the same: nothing is left to chance.
    away = {name: [row[:2] for row in rows] for name, rows in ERRORS.items()}
    clear = {"control": [[4] * 6] * 2, "good": [[1] * 6] * 2, "bad": [[9] * 6] * 2}
    same = made_transfer(clear)
    same = replace(same, scores=pd.concat([
        same.scores[same.scores["place"] == "away"].assign(place=place) for place in
        ("home", "away")]))  # fmt: skip
    assert order_interval(same, "betti_matching_error", draws=200) == (1, 1)
    # All draws, by brute force: two images away, two seeds, six images at home are too many, so
    # home is made certain.
    rows = same.scores[same.scores["place"] == "home"]
    other = made_transfer(away).scores
    mixed = replace(sure, scores=pd.concat([rows, other[other["place"] == "away"]]))
    taus = []
    for seeds in itertools.product((0, 1), repeat=2):
        for images in itertools.product((0, 1), repeat=2):
            means = {
                name: np.mean([away[name][s][i] for s in seeds for i in images])
                for name in ("control", "good", "bad")
            }
            taus.append(pairs_counted([4, 1, 9], list(means.values())))
    low, high = order_interval(mixed, "betti_matching_error", draws=4000, level=0.9)
    assert (low, high) == (min(taus), max(taus))  # each draw has a chance of 1 in 16 at least
    assert order_interval(mixed, "dice", seed=3) == order_interval(mixed, "dice", seed=3)


def test_both_eyes_of_a_person_are_drawn_together():
    """Of each person the two eyes contradict each other, and their mean is clear."""
    one = {"control": [4, 4, 4, 4], "good": [7, -5, 7, -5], "bad": [1, 17, 1, 17]}
    transfer = made_transfer({name: [row] * 2 for name, row in one.items()})
    home = transfer.scores[transfer.scores["place"] == "home"].assign(
        betti_matching_error=lambda rows: rows["network"].map({"control": 4, "good": 1, "bad": 9})
    )
    away = transfer.scores[transfer.scores["place"] == "away"]

    def interval(names):
        images = away["image"].map(dict(zip(sorted(away["image"].unique()), names, strict=True)))
        scores = pd.concat([home, away.assign(image=images)])
        return order_interval(replace(transfer, scores=scores), "betti_matching_error", draws=500)

    assert interval(["11L", "11R", "12L", "12R"]) == (1, 1)
    low, high = interval(["a", "b", "c", "d"])
    assert low < high == 1


def test_a_pair_seen_in_another_scale_is_another_pair(tmp_path):
    half = made_transfer()
    half.settings["scale"] = 0.5
    written(written(tmp_path, made_transfer()), half, "across-walls-nets-scale=0.5.csv")
    assert list(read_transfers(tmp_path)) == ["walls -> nets, scale 0.5", "walls -> nets"]


def test_files_are_read_back(tmp_path):
    transfer = made_transfer()
    (found,) = read_transfers(written(tmp_path, transfer)).values()
    assert (found.name, found.settings) == (transfer.name, transfer.settings)
    pd.testing.assert_frame_equal(found.scores, transfer.scores)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.drop(columns="place"), "it has no columns place"),
        (lambda t: t.assign(scale=range(len(t))), "one pair of data sets"),
        (lambda t: t[t["place"] == "home"], "at home and away"),
        (lambda t: t[t["network"] != "control"], "it must hold the control"),
        (lambda t: t[t["network"] == "control"], "another network"),
        (lambda t: t.iloc[1:], "once with each seed on each image"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "once with each seed on each image"),
        (lambda t: t[(t["network"] != "bad") | (t["place"] == "home")], "the same networks"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, change, text):
    path = written(tmp_path, made_transfer()) / "across-walls-nets.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(ValueError, match=text) as found:
        read_transfers(tmp_path)
    assert "across-walls-nets.csv" in str(found.value)


def test_files_that_are_missing_or_twice_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file across-\*.csv"):
        read_transfers(tmp_path)
    written(tmp_path, made_transfer())
    written(tmp_path, made_transfer(), "across-again.csv")
    with pytest.raises(ValueError, match="several files of one pair"):
        read_transfers(tmp_path)


# --- How images are shown -------------------------------------------------------------------------


class Seen(nn.Module):
    """Keeps what it is shown, and returns its first channel as logits."""

    def forward(self, images):
        self.images = images
        return images[:, :1]


def test_a_visitor_sees_the_images_of_others_as_its_own():
    rng = np.random.default_rng(0)
    colour = torch.from_numpy(rng.random((2, 3, 5, 7), dtype=np.float32))
    grey = colour[:, :1]
    seen = Seen()
    Visitor(seen, channels=3)(colour)
    assert seen.images is colour
    Visitor(seen, channels=3)(grey)
    assert torch.equal(seen.images, torch.cat([grey] * 3, 1))
    Visitor(seen, channels=3, inverted=True)(grey)
    assert torch.equal(seen.images, 1 - torch.cat([grey] * 3, 1))
    Visitor(seen, channels=1)(colour)
    red, green, blue = colour.numpy().transpose(1, 0, 2, 3)
    expected = 0.2125 * red + 0.7154 * green + 0.0721 * blue
    np.testing.assert_allclose(seen.images[:, 0], expected, rtol=1e-5)
    for channels in (2, 4):
        with pytest.raises(ValueError, match="only grey and colour"):
            Visitor(seen, channels=channels)(grey)


def test_a_visitor_sees_larger_or_smaller_images_and_answers_in_their_size():
    step = torch.zeros(1, 1, 20, 30)
    step[..., 15:] = 1
    seen = Seen()
    for scale, sides in ((0.5, (10, 15)), (2.0, (40, 60)), (0.01, (1, 1))):
        logits = Visitor(seen, channels=1, scale=scale)(step)
        assert seen.images.shape[2:] == sides
        assert logits.shape == step.shape
        if scale > 0.1:  # the edge stays where it was, to a pixel
            assert (logits[..., :13] < 0.1).all()
            assert (logits[..., 17:] > 0.9).all()
    volume = torch.zeros(1, 1, 4, 6, 8)
    assert Visitor(seen, channels=1, scale=0.5)(volume).shape == volume.shape
    assert seen.images.shape[2:] == (2, 3, 4)


def test_names_of_data_sets():
    name = "topomortar:group=angles,training=10"
    assert name_of(*read_name(name)) == name
    assert read_name("retina") == ("retina", {})
    for bad, text in [
        ("none", "must be one of"),
        ("retina:", "NAME:OPTION=VALUE"),
        ("topomortar:group", "NAME:OPTION=VALUE"),
        ("topomortar:colour=red", "options of the data set"),
    ]:
        with pytest.raises(ValueError, match=text):
            read_name(bad)


def contrast_measured(data: Dataset) -> float:
    """Return the part of the test images whose structures are brighter than what is beside them."""
    brighter = []
    for sample in data.test:
        grey = sample.image.mean(0)
        far = ndimage.binary_dilation(sample.mask, iterations=8)
        beside = far & ~ndimage.binary_dilation(sample.mask, iterations=2)
        brighter.append(np.median(grey[sample.mask]) > np.median(grey[beside]))
    return float(np.mean(brighter))


@pytest.mark.parametrize("name", CONTRAST)
def test_the_contrast_of_the_table_is_that_of_the_images(name):
    dataset, options = read_name(name)
    try:
        data = load_dataset(dataset, **options)
    except OSError:
        pytest.skip(f"{dataset} is not here")
    share = contrast_measured(data)
    assert (share if contrast_of(name) == "bright" else 1 - share) > 0.65


# --- The command ----------------------------------------------------------------------------------

# So many steps, and so large, that the networks mark something on any image.
SHARED = TrainConfig("brick", patch=16, batch=2, width=2, depth=2, learning_rate=0.003)
SMALL = StudyConfig(
    SHARED,
    (Arm("rank", "topological", {"matching": "rank"}, (0.1, 1.0)), Arm("cldice", "cldice")),
    seeds=(0, 3),
    pretrain_steps=8,
    finetune_steps=3,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "brick-study"
    Study(SMALL, folder, data=DATA, say=lambda line: None).run()
    return folder


@pytest.fixture
def few(monkeypatch):
    """Data sets of which two small images are left."""
    calls = []

    def loaded(name, **options):
        calls.append(name)
        data = load_dataset(name, **options)
        cut = tuple(
            replace(sample, image=sample.image[:, 90:130, 60:110], mask=sample.mask[90:130, 60:110])
            for sample in data.test[:2]
        )
        return replace(data, test=cut)

    monkeypatch.setattr(across, "load_dataset", loaded)
    return calls


def test_each_network_is_scored_as_the_study_scores_it(study, few, tmp_path, capsys):
    command = AcrossCommand(studies=[str(study)], onto=["retina"], out=str(tmp_path / "kept"),
                            results=str(tmp_path / "tables"))  # fmt: skip
    (transfer,) = command.run().values()
    assert transfer.name == "brick -> retina"
    # brick is bright and grey, retina dark and in colours.
    assert transfer.settings == {"contrast": "inverted", "channels": "luminance", "scale": 1.0,
                                 "pretrain_steps": 8, "finetune_steps": 3}  # fmt: skip
    assert transfer.networks == ["control", "rank", "cldice"]
    weight = json.loads((study / "study.json").read_text())["networks"]["rank"]["3"]["weight"]
    network = load_checkpoint(study / "seed3" / f"rank-{weight:g}.safetensors").model()
    sample = across.load_dataset("retina").test[1]
    grey = np.tensordot(np.array([0.2125, 0.7154, 0.0721]), sample.image, 1)[None]
    prediction = predict(network, (1 - grey).astype(np.float32)) >= 0.5
    assert 0.05 < prediction.mean() < 0.95
    away = transfer.scores[transfer.scores["place"] == "away"]
    keys = (away["network"] == "rank") & (away["seed"] == 3) & (away["image"] == sample.name)
    (row,) = away[keys].to_dict("records")
    assert row["weight"] == weight
    expected = metrics.report(prediction, sample.mask, labels="foreground")
    assert row["dice"] == pytest.approx(expected["dice"])
    assert row["betti_matching_error"] == expected["betti_matching_error"]
    home = pd.read_csv(study / "study.csv")
    home = home[home["network"] != "parent"]
    ours = transfer.scores[transfer.scores["place"] == "home"]
    assert ours["dice"].tolist() == home["dice"].tolist()
    assert "| brick -> retina | Dice | 3 |" in capsys.readouterr().out
    (kept,) = read_transfers(tmp_path / "tables").values()
    assert kept.settings == transfer.settings
    np.testing.assert_allclose(
        kept.scores["dice"], transfer.scores["dice"].to_numpy(float), rtol=1e-5
    )


def test_what_is_scored_is_not_scored_again(study, few, tmp_path, monkeypatch):
    command = AcrossCommand(studies=[str(study)], onto=["cracks"], out=str(tmp_path))
    scored = []
    evaluate = across.evaluate
    monkeypatch.setattr(across, "evaluate", lambda *a, **o: scored.append(1) or evaluate(*a, **o))

    def run(one):
        scored.clear()
        (transfer,) = one.run().values()
        return transfer.scores

    first = run(command)
    assert len(scored) == 6
    pd.testing.assert_frame_equal(run(command), first)
    assert not scored
    one = tmp_path / "brick-study-cracks" / "seed0" / "control.json"
    one.unlink()
    pd.testing.assert_frame_equal(run(command), first)
    assert len(scored) == 1  # the one that was lost, as after a stop
    for change in ({"contrast": "same"}, {"scale": 0.5}, {"window": 32}):
        other = run(replace(command, **change))
        assert len(scored) == 6, change
        assert change == {"window": 32} or not other.equals(first)
        run(command)
    one.write_text("{")
    with pytest.raises(ValueError, match=r"control\.json"):
        command.run()


def test_another_study_in_the_place_is_another(study, few, tmp_path):
    """Networks are known by their weights, not by their names."""
    options = {"onto": ["cracks"], "out": str(tmp_path)}
    (first,) = AcrossCommand(studies=[str(study)], **options).run().values()
    copy = tmp_path / "other" / study.name
    shutil.copytree(study, copy)
    one, other = (copy / f"seed{seed}" / "control.safetensors" for seed in (0, 3))
    shutil.copyfile(one, other)
    (then,) = AcrossCommand(studies=[str(copy)], **options).run().values()

    def rows(found, seed):
        away = found.scores[found.scores["place"] == "away"]
        found = away[(away["network"] == "control") & (away["seed"] == seed)]
        return found["variation_of_information"].tolist()

    assert rows(then, 3) == rows(first, 0) != rows(first, 3)


def test_bad_input_is_refused_before_anything_is_scored(study, few, tmp_path, capsys, monkeypatch):
    def told(*words):
        out = ["--out", str(tmp_path / "kept"), "--results", str(tmp_path / "tables")]
        assert main(["across", *map(str, words), *out]) == 1
        assert not list(tmp_path.iterdir())
        return capsys.readouterr().err

    assert "there is no" in told(tmp_path / "none", "--onto", "retina")
    assert "onto must name one at least" in told(study)
    assert "each data set of onto must be one of" in told(study, "--onto", "none")
    assert "another data set than the study's own, brick" in told(study, "--onto", "brick")
    assert "contrast must be one of" in told(study, "--onto", "retina", "--contrast", "dark")
    assert "scale must be" in told(study, "--onto", "retina", "--scale", "0")
    assert "of 2 axes" in told(study, "--onto", "tubes")
    assert "onto must name different" in told(study, "--onto", "retina", "retina")
    assert "studies must be of different" in told(study, study, "--onto", "retina")
    monkeypatch.setitem(across.CONTRAST, "brick", None)
    assert "nobody knows whether the structures of brick" in told(study, "--onto", "retina")
    with pytest.raises(SystemExit):
        main(["across"])
    assert "studies" in capsys.readouterr().err


def test_a_study_that_is_not_whole_is_refused(study, few, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    (copy / "seed3" / "control.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks its network .*seed3.*control"):
        AcrossCommand(studies=[str(copy)], onto=["retina"], out=str(tmp_path / "kept")).run()
    (copy / "study.json").write_text("{}")
    with pytest.raises(ValueError, match=r"study\.json"):
        AcrossCommand(studies=[str(copy)], onto=["retina"], out=str(tmp_path / "kept")).run()


def test_the_record_of_settings_is_that_of_the_table(study, few, tmp_path):
    AcrossCommand(studies=[str(study)], onto=["vessels"], contrast="same", scale=2.0,
                  out=str(tmp_path), results=str(tmp_path / "tables")).run()  # fmt: skip
    table = pd.read_csv(tmp_path / "tables" / "across-brick-vessels-scale=2.csv")
    assert list(table)[: len(SETTINGS)] == list(SETTINGS)
    assert table[["contrast", "scale"]].drop_duplicates().to_numpy().tolist() == [["same", 2.0]]
