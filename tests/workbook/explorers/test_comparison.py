"""The explorer of studies, without a browser."""

from __future__ import annotations

import base64
import io
import json
import zlib
from dataclasses import replace

import films
import numpy as np
import pytest
from made_runs import ERRORS, IMAGES, make_run, two_runs
from PIL import Image
from screens import spoken
from traitlets import TraitError

from toposeg_lite.workbook import figures
from toposeg_lite.workbook.explorers import ComparisonExplorer
from toposeg_lite.workbook.explorers.comparison import _ComparisonView
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.statistics import sign_flip_test


def test_describe_says_what_the_numbers_are():
    text = ComparisonExplorer(two_runs(), network="bad", image=2).describe()
    control = np.mean(ERRORS["control"])
    bad = np.mean(ERRORS["bad"])
    assert text.startswith(
        "walls-study: bad (weight 3) against the control on walls, 2 of 2 seeds, 6 test images. "
        f"Betti matching error (lower is better): control {control:.2f}, bad {bad:.2f}, a "
        f"difference of {bad - control:+.2f} ({bad / control - 1:+.0%}".removesuffix("%")
    )
    assert "which leaves out 0" in text
    assert "Better in 0, worse in 6, equal in 0 of the images; better with 0 of 2 seeds" in text
    change = np.subtract(ERRORS["bad"], ERRORS["control"])
    p = sign_flip_test(change)
    assert p == 2 / 64
    assert f"p {p:.3f}, with Holm's correction for 2 losses {2 * p:.3f}." in text
    assert "The loss takes 50 % of the time." in text
    means = np.mean(ERRORS["control"], 0), np.mean(ERRORS["bad"], 0)
    place = np.argsort(means[1] - means[0], kind="stable")[1]
    one, two = (mean[place] for mean in means)
    assert text.endswith(f"Image 2 of 6 is {IMAGES[place]}: control {one:.2f}, bad {two:.2f}.")
    good = ComparisonExplorer(two_runs(), metric="dice").describe()
    assert "good (weight 0.5) against" in good
    assert "Dice (higher is better): control 0.953, good 0.977" in good
    gain = np.mean(ERRORS["control"]) - np.mean(ERRORS["good"])
    assert f"a difference of {gain / 100:+.4f} (+2 %), 95 % interval 0.0" in good
    assert "better with 2 of 2 seeds" in good
    assert "takes 15 % of the time" in good
    assert "Image" not in good


def test_eyes_are_said_to_be_of_persons():
    run = make_run()
    eyes = dict(zip(IMAGES, ("11L", "11R", "12L", "12R", "13L", "13R"), strict=True))
    run.scores["image"] = run.scores["image"].map(eyes)
    text = ComparisonExplorer({"x": run}, network="bad").describe()
    assert "over 3 persons and seeds" in text
    assert "6 test images" in text
    assert "Sign-flip test over 3 persons: p 0.250, with Holm's" in text


def test_a_control_without_errors_has_no_percentage():
    run = make_run()
    run.scores.loc[run.scores["network"] == "control", "betti_matching_error"] = 0.0
    assert "a difference of +2.33, 95 %" in ComparisonExplorer({"x": run}).describe()


def test_fewer_seeds_count_the_first_ones():
    explorer = ComparisonExplorer(two_runs(), network="good", seeds=1)
    assert explorer.by_seed.columns.tolist() == [0]
    control, good = ERRORS["control"][0], ERRORS["good"][0]
    assert explorer.table.loc["good", "difference"] == pytest.approx(
        np.mean(good) - np.mean(control)
    )
    assert explorer.pairs.loc[IMAGES].to_numpy().T.tolist() == [control, good]
    assert "1 of 2 seeds" in explorer.describe()
    explorer.seeds = 2
    assert explorer.pairs.loc["a"].tolist() == [6, 2]
    gains = (explorer.pairs["score"] - explorer.pairs["control"]).tolist()
    assert gains == sorted(gains)
    explorer.metric = "dice"
    assert explorer.pairs.index[:2].tolist() == ["a", "e"]  # changed alike
    assert np.diff(explorer.pairs["score"] - explorer.pairs["control"]).max() < 1e-12


def test_another_run_keeps_what_it_has():
    explorer = ComparisonExplorer(two_runs(), network="bad", image=3)
    explorer.run = "small"
    assert (explorer.metric, explorer.network, explorer.seeds, explorer.image) == (
        "dice",
        "bad",
        1,
        0,
    )
    explorer.run = "walls-study"
    assert (explorer.metric, explorer.seeds) == ("dice", 2)
    first = ComparisonExplorer(two_runs())
    assert (first.run, first.metric) == ("walls-study", "betti_matching_error")


def test_refused_values_leave_the_explorer_as_it_was():
    explorer = ComparisonExplorer(two_runs())
    for trait, value in (("run", "x"), ("metric", "cldice"), ("network", "control"), ("seeds", 3),
                         ("seeds", 0), ("image", 7), ("image", -1)):  # fmt: skip
        before = getattr(explorer, trait)
        with pytest.raises((ValueError, TraitError)):
            setattr(explorer, trait, value)
        assert getattr(explorer, trait) == before


@pytest.mark.parametrize(
    ("runs", "word"), [({}, "one name at least"), ([1], "one name"), ({"a": 1}, "instances of Run")]
)
def test_runs_are_wanted(runs, word):
    with pytest.raises(TypeError, match=word):
        ComparisonExplorer(runs)


def test_without_reference_runs_the_example_is_invented(monkeypatch):
    def missing():
        raise FileNotFoundError

    monkeypatch.setattr("toposeg_lite.workbook.studies.read_runs", missing)
    explorer = ComparisonExplorer.example()
    assert explorer.run == "invented"
    assert "on no data" in explorer.describe()
    _ComparisonView(explorer)


def test_the_picture_is_the_static_twin():
    explorer = ComparisonExplorer(two_runs(), network="good", image=1)
    twin = figures.comparison_summary(
        explorer.table, explorer.pairs, explorer.now.validation, metric="betti_matching_error",
        title="Betti matching error", network="good", seeds=explorer.by_seed,
        chosen={("good", s): 0.5 for s in (0, 1)}, image=explorer.pairs.index[0],
    )  # fmt: skip
    assert figures.png(explorer.picture()) == figures.png(twin)
    assert Image.open(io.BytesIO(figures.png(twin))).width < 1000


def film_of(view):
    """Return the panels of a film: the losses, the images, the weights."""
    return [films.panel(view.frames, kind) for kind in ("forest", "pairs", "weights")]


def test_every_frame_is_what_the_model_says():
    model = ComparisonExplorer(two_runs(), image=2)
    view = _ComparisonView(model)
    forest, pairs, weights = film_of(view)
    about = view.frames.about
    assert (about["label"], about["values"]) == ("Loss", ["good", "bad"])
    assert forest["names"] == ["good", "bad"]
    assert forest["seeds"] == [0, 1]
    for k, network in enumerate(about["values"]):
        model.network = network
        assert (view.frames.index, view.frames.marked) == (k, 2)
        assert f"{about['sentences'][k]}." == model.brief()
        row = model.table.loc[network]
        for name in ("low", "difference", "high"):
            assert forest[name][k] == row[name]
        changes = np.subtract(ERRORS[network], ERRORS["control"]).mean(axis=1)
        np.testing.assert_allclose(forest["rings"][k], changes)
        assert forest["positions"][k] == k
        state, names = pairs["states"][k], about["marking"]["states"][k]
        control, mine = (np.mean(ERRORS[name], axis=0) for name in ("control", network))
        for name, x, y, kind in zip(names, state["x"], state["y"], state["kinds"], strict=True):
            place = IMAGES.index(name.split(":")[0])
            assert (x, y) == (control[place], mine[place])
            assert kind == (2 if x == y else int(y > x))
            assert name == f"{IMAGES[place]}: control {x:.2f}, this loss {y:.2f}"
        assert names[1].startswith(f"{model.marked}: ")
        tiles = [number["values"][k] for number in about["numbers"]]
        assert tiles == [f"{row['control']:.2f}", f"{row['score']:.2f}"]
    assert [each["seed"] for each in weights["states"][0]] == [0, 1]
    assert weights["states"][0] == [
        {"seed": 0, "x": [0.1, 0.5], "y": [-1.0, -3.0], "picked": 1},
        {"seed": 1, "x": [0.5], "y": [-1.5], "picked": 0},
    ]
    assert (forest["better"], forest["x"]) == (-1, "Betti matching error (← better)")
    json.dumps(model.bundle(), allow_nan=False)


def unpacked(text):
    return zlib.decompress(base64.b64decode(text))


def test_a_page_without_a_kernel_gets_every_score_of_every_run():
    model = ComparisonExplorer(two_runs(), metric="dice", network="bad")
    shelf = model.bundle()["shelf"]
    assert shelf["labels"] == ["Run", "Score"]
    assert shelf["names"] == ["walls-study", "Dice"]
    films_there = json.loads(unpacked(shelf["films"]))
    other = ComparisonExplorer(two_runs())
    wanted = []
    for run in other.runs:
        other.run = run
        for metric, title in other.now.metrics.items():
            other.metric = metric
            bundle = other.bundle()
            data = base64.b64encode(unpacked(bundle["data"])).decode()
            about = json.loads(json.dumps(bundle["about"]))
            wanted.append({"names": [run, title], "about": about, "data": data})
    assert films_there == wanted
    assert len(wanted) == 3
    assert (model.run, model.metric, model.network) == ("walls-study", "dice", "bad")


def test_fewer_frames_are_fewer_in_every_film():
    model = ComparisonExplorer(two_runs(), network="bad")
    for one in json.loads(unpacked(model.bundle(frames=1)["shelf"]["films"])):
        assert one["about"]["values"] == ["bad"]


def test_a_higher_score_is_on_the_other_side():
    view = _ComparisonView(ComparisonExplorer(two_runs(), metric="dice"))
    forest, pairs, _ = film_of(view)
    assert (forest["better"], forest["x"]) == (1, "Dice (better →)")
    state = pairs["states"][0]
    assert state["kinds"] == [
        0 if y > x else 2 for x, y in zip(state["x"], state["y"], strict=True)
    ]


def test_a_seed_without_a_score_has_no_ring():
    run = make_run()
    scores = run.scores
    missing = (scores["network"] == "bad") & (scores["seed"] == 1)
    explorer = ComparisonExplorer({"x": replace(run, scores=scores[~missing])})
    forest = film_of(_ComparisonView(explorer))[0]
    assert forest["rings"][1][1] is None
    assert forest["rings"][0][1] is not None
    json.dumps(explorer.bundle(), allow_nan=False)


def test_a_weight_that_was_never_tried_is_not_picked():
    run = make_run()
    tried = run.validation[run.validation["weight"] != 0.5]
    weights = film_of(_ComparisonView(ComparisonExplorer({"x": replace(run, validation=tried)})))[2]
    assert [each["picked"] for each in weights["states"][0]] == [None]


def test_controls_and_page_lead_the_model(monkeypatch):
    model = ComparisonExplorer(two_runs())
    view = _ComparisonView(model)
    film, made = view.film, []
    monkeypatch.setattr(view, "film", lambda: made.append(1) or film())
    view.frames.set_state({"index": 1, "marked": 3})
    assert (model.network, model.image) == ("bad", 3)
    assert spoken(view) == model.describe()
    assert made == []  # in the film that the page has
    view.controls["seeds"].value = 1
    assert (model.seeds, made) == (1, [1])
    assert spoken(view) == model.describe()
    forest = film_of(view)[0]
    assert forest["seeds"] == [0]
    assert (view.frames.index, view.frames.marked) == (1, 3)
    view.controls["metric"].value = "dice"
    assert made == [1, 1]
    assert film_of(view)[1]["y"] == "Dice"
    assert (model.network, model.image) == ("bad", 3)


def test_back_to_the_start_comes_back():
    model = ComparisonExplorer(two_runs(), image=1)
    view = _ComparisonView(model)
    view.controls["run"].value = "small"
    view.frames.set_state({"index": 1, "marked": 4})
    view.go_back()
    assert (model.run, model.network, model.image, model.seeds) == ("walls-study", "good", 1, 2)
    assert (view.frames.index, view.frames.marked) == (0, 1)


def test_another_run_brings_its_own_offers():
    model = ComparisonExplorer(two_runs())
    view = _ComparisonView(model)
    view.frames.set_state({"marked": 4})
    view.controls["run"].value = "small"
    assert (model.run, model.metric, model.seeds, model.image) == ("small", "dice", 1, 0)
    assert view.controls["metric"].options == (("Dice", "dice"),)
    assert view.controls["seeds"].max == 1
    assert view.frames.marked == 0
    assert spoken(view) == model.describe()
    view.controls["run"].value = "walls-study"
    assert [key for _, key in view.controls["metric"].options] == ["dice", "betti_matching_error"]
    assert (view.controls["seeds"].max, view.controls["seeds"].value) == (2, 2)


def test_what_is_kept_is_not_reset_by_new_offers():
    other = make_run("other")
    for table in (other.scores, other.validation, other.cost):
        table["network"] = table["network"].replace("good", "new")
    model = ComparisonExplorer({run.name: run for run in (make_run(), other)}, network="bad")
    view = _ComparisonView(model)
    seen = []
    model.observe(lambda change: seen.append(change.new), "network")
    model.run = "other"
    assert view.frames.about["values"] == ["new", "bad"]
    assert (model.network, view.frames.index) == ("bad", 1)
    assert seen == []
    assert spoken(view) == model.describe()


def test_another_order_of_losses_moves_the_page():
    other = make_run("other")
    order = other.scores["network"].eq("good").argsort(kind="stable")  # "good" comes last
    other = replace(other, scores=other.scores.iloc[order])
    model = ComparisonExplorer({run.name: run for run in (make_run(), other)}, network="good")
    view = _ComparisonView(model)
    model.run = "other"
    assert view.frames.about["values"] == ["bad", "good"]
    assert (model.network, view.frames.index) == ("good", 1)


def test_the_reference_runs_can_all_be_explored():
    explorer = ComparisonExplorer(read_runs())
    for name, run in explorer.runs.items():
        explorer.run = name
        for metric in run.metrics:
            explorer.metric = metric
            assert run.metrics[metric] in explorer.describe()
    figures.png(explorer.picture())
