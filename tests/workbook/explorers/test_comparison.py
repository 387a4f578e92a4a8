"""The explorer of studies, without a browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_runs import ERRORS, IMAGES, make_run, two_runs
from PIL import Image
from screens import points_at, spoken
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


def test_controls_lead_the_model_and_the_figure_follows():
    model = ComparisonExplorer(two_runs())
    view = _ComparisonView(model)
    view.controls["network"].value = "bad"
    view.controls["seeds"].value = 1
    view.controls["image"].value = 2
    assert (model.network, model.seeds, model.image) == ("bad", 1, 2)
    assert spoken(view) == model.describe()
    table = model.table
    found = {}
    for trace, inside in zip(view.squares, (False, True), strict=True):
        for name, x in zip(trace.text, trace.x, strict=True):
            found[name] = x
            assert (table.loc[name, "low"] <= 0 <= table.loc[name, "high"]) == inside
    assert found == pytest.approx(table["difference"].to_dict(), rel=1e-6)
    assert list(view.chosen_span.x)[:2] == pytest.approx(table.loc["bad", ["low", "high"]].tolist())
    assert len(view.seeds.x) == 2
    assert sum(len(kind.x) for kind in view.kinds) == 6
    assert len(view.kinds[1].x) == (model.pairs["score"] > model.pairs["control"]).sum()
    pair = model.pairs.iloc[1]
    assert (view.ring.x[0], view.ring.y[0]) == (pair["control"], pair["score"])
    assert view.figure.layout.yaxis.ticktext == ("good", "<b>bad</b>")
    assert view.figure.layout.shapes[0].x1 < 0
    view.controls["metric"].value = "dice"
    assert view.figure.layout.shapes[0].x1 > 0
    assert "Dice (better →)" in view.figure.layout.xaxis.title.text
    view.controls["network"].value = "good"
    np.testing.assert_allclose(view.curve.x, [0.1, 0.5, np.nan, 0.5, np.nan], rtol=1e-6)
    np.testing.assert_allclose(view.curve.y, [0, -0.01, np.nan, 0.01, np.nan], atol=1e-6)
    np.testing.assert_allclose(view.picked.x, [0.5, 0.5])


def test_another_run_brings_its_own_offers():
    model = ComparisonExplorer(two_runs())
    view = _ComparisonView(model)
    view.controls["image"].value = 4
    view.controls["run"].value = "small"
    assert (model.run, model.metric, model.seeds, model.image) == ("small", "dice", 1, 0)
    assert view.controls["metric"].options == (("Dice", "dice"),)
    assert view.controls["seeds"].max == 1
    assert spoken(view) == model.describe()
    view.controls["run"].value = "walls-study"
    assert [key for _, key in view.controls["metric"].options] == ["dice", "betti_matching_error"]
    assert (view.controls["seeds"].max, view.controls["seeds"].value) == (2, 2)
    assert len(view.ring.x) == 0


def test_what_is_kept_is_not_reset_by_new_offers():
    other = make_run("other")
    for table in (other.scores, other.validation, other.cost):
        table["network"] = table["network"].replace("good", "new")
    model = ComparisonExplorer({run.name: run for run in (make_run(), other)}, network="bad")
    view = _ComparisonView(model)
    seen = []
    model.observe(lambda change: seen.append(change.new), "network")
    model.run = "other"
    assert view.controls["network"].options == ("new", "bad")
    assert (model.network, view.controls["network"].value) == ("bad", "bad")
    assert seen == []
    assert spoken(view) == model.describe()


def test_pointing_chooses_a_loss_and_marks_an_image():
    model = ComparisonExplorer(two_runs())
    view = _ComparisonView(model)
    view.choose_network(view.squares[0], points_at(1), None)
    assert model.network == "bad"
    view.choose_network(view.seeds, points_at(1), None)
    assert model.network == "good"
    worse = view.kinds[1]
    better = view.kinds[0]
    assert "d" not in better.text
    view.mark_image(better, points_at(2), None)
    assert model.marked == better.text[2]
    assert (view.ring.x[0], view.ring.y[0]) == (better.x[2], better.y[2])
    for method, trace in ((view.choose_network, view.seeds), (view.mark_image, worse)):
        method(trace, points_at(), None)
    assert model.marked == better.text[2]


def test_the_reference_runs_can_all_be_explored():
    explorer = ComparisonExplorer(read_runs())
    for name, run in explorer.runs.items():
        explorer.run = name
        for metric in run.metrics:
            explorer.metric = metric
            assert run.metrics[metric] in explorer.describe()
    figures.png(explorer.picture())
