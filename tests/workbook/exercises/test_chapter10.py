"""The chapter on comparisons: its figures, its explorer and its checkers, without a browser."""

from __future__ import annotations

import html
import io
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from traitlets import TraitError

from toposeg_lite import figures
from toposeg_lite.exercises import PENCIL_DIFFERENCES, check
from toposeg_lite.explorers import ComparisonExplorer
from toposeg_lite.explorers.comparison import _ComparisonView
from toposeg_lite.figures.painting import METRICS
from toposeg_lite.metrics import report
from toposeg_lite.studies import Run, read_runs
from toposeg_lite.studies.statistics import compare_networks, sign_flip_test
from toposeg_lite.studies.tables import COLUMNS

IMAGES = ["a", "b", "c", "d", "e", "f"]
ERRORS = {  # by seed and image; "good" is lower nearly everywhere, "bad" is higher
    "parent": [[9, 9, 9, 9, 9, 9], [9, 9, 9, 9, 9, 9]],
    "control": [[5, 3, 8, 2, 6, 4], [7, 3, 6, 4, 6, 2]],
    "good": [[2, 3, 4, 4, 1, 1], [2, 3, 3, 2, 3, 0]],
    "bad": [[6, 4, 9, 3, 9, 5], [8, 5, 9, 4, 9, 4]],
}
WEIGHTS = {"parent": 0.0, "control": 0.0, "good": 0.5, "bad": 3.0}


def make_run(name="walls-study", seeds=2, metrics=("dice", "betti_matching_error")):
    """Return a run made by hand; its Dice is 1 minus a hundredth of the error."""
    rows = []
    for network, errors in ERRORS.items():
        for seed in range(seeds):
            for image, error in zip(IMAGES, errors[seed % 2], strict=True):
                values = {"dice": 1 - error / 100, "betti_matching_error": float(error)}
                about = {"network": network, "weight": WEIGHTS[network], "seed": seed}
                rows.append(about | {"image": image} | {key: values[key] for key in metrics})
    tried = [
        ("control", 0, 0.0, 0.8, 6.0),
        ("control", 1, 0.0, 0.7, 5.0),
        ("good", 0, 0.1, 0.8, 5.0),
        ("good", 0, 0.5, 0.79, 3.0),
        ("good", 1, 0.5, 0.71, 3.5),
        ("bad", 0, 3.0, 0.5, 9.0),
        ("bad", 1, 3.0, 0.6, 8.0),
    ]
    columns = ["network", "seed", "weight", "dice", "betti_matching_error"]
    validation = pd.DataFrame(tried, columns=columns)[[*columns[:3], *metrics]]
    cost = pd.DataFrame({"network": ["good", "good", "bad"], "seed": [0, 1, 0],
                         "seconds_per_step": 0.1, "share_of_loss": [0.1, 0.2, 0.5]})  # fmt: skip
    return Run(name, "walls", pd.DataFrame(rows), validation, cost, {}, {})


def two_runs():
    small = make_run("small", seeds=1, metrics=("dice",))
    return {run.name: run for run in (make_run(), small)}


def table_of(metric="betti_matching_error"):
    return compare_networks(make_run().scores, metric, draws=400)


def markers(ax, marker):
    """Return the lines with a marker."""
    return [line for line in ax.lines if line.get_marker() == marker]


# --- Figures ----------------------------------------------------------------------------------


def test_every_score_has_a_better_side():
    for name, key, perfect in METRICS:
        assert figures.higher_is_better(key) == (perfect == 1), name
    wall = np.array([[1, 0, 1, 1]], bool)
    perfect, worst = report(wall, wall), report(~wall, wall)
    for key in COLUMNS:
        if key in perfect and perfect[key] != worst[key]:
            assert figures.higher_is_better(key) == (perfect[key] > worst[key])
    assert not figures.higher_is_better("betti_2_error")


def test_images_are_better_worse_or_equal():
    pairs = pd.DataFrame({"control": [1.0, 2.0, 0.3, 4.0], "score": [2.0, 1.0, 0.1 + 0.2, 4.0]})
    kinds = [np.flatnonzero(k).tolist() for k in figures.sorted_by_outcome(pairs, "dice")]
    assert kinds == [[0], [1], [2, 3]]
    kinds = [np.flatnonzero(k).tolist() for k in figures.sorted_by_outcome(pairs, "betti_error")]
    assert kinds == [[1], [0], [2, 3]]


def test_the_forest_shows_differences_intervals_and_seeds():
    rows = {
        "one": {"difference": -2.0, "low": -3.0, "high": -1.0},
        "two": {"difference": 0.5, "low": -1.0, "high": 2.0},
        "three": {"difference": 1.0, "low": 0.5, "high": 1.5},
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    seeds = pd.DataFrame({0: [-2.5, 0.2, 1.1], 3: [-1.5, np.nan, 0.9]}, index=list(rows))
    ax = figures.difference_forest(
        table, metric="betti_error", title="Betti error", seeds=seeds, selected="two"
    )
    squares = markers(ax, "s")
    assert [float(line.get_xdata()[0]) for line in squares] == [-2, 0.5, 1]
    assert [float(line.get_ydata()[0]) for line in squares] == [0, 1, 2]
    filled = [line.get_markerfacecolor() != "white" for line in squares]
    assert filled == [True, False, True]  # the second interval holds 0
    spans = [line.get_xdata().tolist() for line in ax.lines if line.get_linewidth() == 2.5]
    assert spans == [[-3, -1], [-1, 2], [0.5, 1.5]]
    rings = [sorted(line.get_xdata()) for line in markers(ax, "o")]
    assert rings == [[-2.5, -1.5], [0.2], [0.9, 1.1]]
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == ["one", "two", "three"]
    assert [label.get_weight() for label in labels] == ["normal", "bold", "normal"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


@pytest.mark.parametrize(("metric", "sign"), [("betti_error", -1), ("dice", 1)])
def test_the_better_side_is_shaded_and_named(metric, sign):
    ax = figures.difference_forest(table_of(), metric=metric, title="x")
    (zone,) = ax.patches
    low, high = zone.get_extents().transformed(ax.transData.inverted()).intervalx
    assert 0 in (round(low, 9), round(high, 9))
    assert np.sign(round(low + high, 9)) == sign
    assert [t.get_text() for t in ax.texts] == ["← better" if sign < 0 else "better →"]


def test_pairs_are_dots_on_the_right_side_of_the_diagonal():
    pairs = pd.DataFrame({"control": [5.0, 1.0, 3.0], "score": [2.0, 4.0, 3.0]}, index=list("abc"))
    ax = figures.paired_scores(
        pairs, metric="betti_error", title="Betti error", network="loss", selected="b"
    )
    (better, ring), (worse,), (equal,) = (markers(ax, kind) for kind in "o^D")
    for line, xy in ((better, (5, 2)), (worse, (1, 4)), (equal, (3, 3)), (ring, (1, 4))):
        assert np.array(line.get_xydata()).tolist() == [list(xy)]
    diagonal = ax.lines[0].get_xydata()
    assert (diagonal[:, 0] == diagonal[:, 1]).all()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Betti error, control", "Betti error, loss")
    upside = figures.paired_scores(pairs, metric="dice", title="Dice", network="loss")
    assert markers(upside, "o")[0].get_xydata().tolist() == [[1, 4]]


def test_weights_are_compared_with_the_control_of_their_own_seed():
    validation, chosen = make_run().validation, {("good", 0): 0.5, ("good", 1): 0.5}
    ax = figures.weight_curves(validation, metric="betti_matching_error", title="x", chosen=chosen,
                               networks=["good"], margin=-0.01)  # fmt: skip
    zero, margin, first, ring, second, ring_too = ax.lines
    assert set(zero.get_ydata()) == {0}
    assert set(margin.get_ydata()) == {-0.01}
    assert first.get_xydata().tolist() == [[0.1, -1], [0.5, -3]]
    assert second.get_xydata().tolist() == [[0.5, -1.5]]
    assert ring.get_xydata().tolist() == [[0.5, -3]]
    assert ring_too.get_xydata().tolist() == [[0.5, -1.5]]
    assert ax.get_xscale() == "log"
    both = figures.weight_curves(validation, metric="dice", title="Dice")
    labels = both.get_legend_handles_labels()[1]
    assert labels == ["good", "bad"]
    signs = [line.get_marker() for line in both.lines if line.get_label() in labels]
    assert signs == [marker for _, marker in figures.NETWORKS[:2]]
    alone = figures.weight_curves(validation, metric="dice", title="Dice", networks=["bad"])
    assert alone.lines[1].get_marker() == figures.NETWORKS[1][1]  # its sign stays its own


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: figures.higher_is_better("speed"), ValueError, "metric must be one of"),
        (lambda: figures.difference_forest([1], metric="dice", title=""), TypeError, "table must"),
        (
            lambda: figures.difference_forest(table_of()[["low"]], metric="dice", title=""),
            ValueError,
            "columns difference, low, high",
        ),
        (
            lambda: figures.difference_forest(table_of(), metric="dice", title="", selected="x"),
            ValueError,
            "selected must be one of 'good', 'bad'",
        ),
        (
            lambda: figures.paired_scores(pd.DataFrame({"control": []}), metric="dice", title="",
                                          network="x"),
            ValueError,
            "pairs must have rows",
        ),
        (
            lambda: figures.weight_curves(make_run().validation, metric="cldice", title=""),
            ValueError,
            "cldice",
        ),
        (
            lambda: figures.weight_curves(make_run().validation, metric="dice", title="",
                                          networks=["control"]),
            ValueError,
            "networks must be one of",
        ),
    ],
)  # fmt: skip
def test_figures_refuse_bad_input(call, error, word):
    with pytest.raises(error, match=word):
        call()


# --- Explorer ---------------------------------------------------------------------------------


def spoken(view):
    return html.unescape(re.sub("<.*?>", "", view.text.value))


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

    monkeypatch.setattr("toposeg_lite.explorers.comparison.read_runs", missing)
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
    view.choose_network(view.squares[0], SimpleNamespace(point_inds=[1]), None)
    assert model.network == "bad"
    view.choose_network(view.seeds, SimpleNamespace(point_inds=[1]), None)
    assert model.network == "good"
    worse = view.kinds[1]
    better = view.kinds[0]
    assert "d" not in better.text
    view.mark_image(better, SimpleNamespace(point_inds=[2]), None)
    assert model.marked == better.text[2]
    assert (view.ring.x[0], view.ring.y[0]) == (better.x[2], better.y[2])
    for method, trace in ((view.choose_network, view.seeds), (view.mark_image, worse)):
        method(trace, SimpleNamespace(point_inds=[]), None)
    assert model.marked == better.text[2]


def test_the_reference_runs_can_all_be_explored():
    explorer = ComparisonExplorer(read_runs())
    for name, run in explorer.runs.items():
        explorer.run = name
        for metric in run.metrics:
            explorer.metric = metric
            assert run.metrics[metric] in explorer.describe()
    figures.png(explorer.picture())


# --- Exercises --------------------------------------------------------------------------------


def holm_solution(p_values):
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    corrected, least = [0.0] * len(p_values), 0.0
    for step, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - step)))
        corrected[place] = least
    return corrected


def bonferroni(p_values):
    return [min(1, p * len(p_values)) for p in p_values]


def without_maximum(p_values):
    order = np.argsort(p_values, kind="stable")
    corrected = np.zeros(len(p_values))
    corrected[order] = np.minimum(np.sort(p_values) * np.arange(len(p_values), 0, -1), 1)
    return corrected


def sorted_holm(p_values):
    return sorted(holm_solution(p_values))


def above_one(p_values):
    order = np.argsort(p_values, kind="stable")
    corrected = np.zeros(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    corrected[order] = np.maximum.accumulate(np.sort(p_values) * factors)
    return corrected


def persons_solution(groups, generator):
    persons = sorted(set(groups))
    drawn = generator.choice(persons, len(persons))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


def single_images(groups, generator):
    return generator.integers(len(groups), size=len(groups))


def without_replacement(groups, generator):
    return generator.permutation(len(groups))


def own_generator(groups, generator):
    return persons_solution(groups, np.random.default_rng(0))


def too_many(groups, generator):
    drawn = generator.choice(sorted(set(groups)), len(groups))
    return [k for person in drawn for k, group in enumerate(groups) if group == person]


@pytest.mark.parametrize(
    ("number", "answer"),
    [("10.1", 6 / 32), ("10.1", 0.1875), ("10.2", holm_solution), ("10.3", persons_solution)],
)
def test_the_reference_is_correct(number, answer):
    assert check(number, answer).status == "correct"


def test_the_pencil_has_one_answer_that_no_misconception_gives():
    assert sign_flip_test(PENCIL_DIFFERENCES) == 6 / 32


@pytest.mark.parametrize("number", ["10.1", "10.2", "10.3"])
def test_a_stub_is_neutral(number):
    stub = None if number == "10.1" else lambda *arguments: None
    assert check(number, stub).status == "not attempted"


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("10.1", 2 / 32, "more extreme"),
        ("10.1", 3 / 32, "one side"),
        ("10.1", 0.375, "sign test"),
        ("10.1", 0, "never 0"),
        ("10.1", 0.25, "8 of 32 flips"),
        ("10.1", "all", "one number"),
        ("10.2", bonferroni, "Bonferroni"),
        ("10.2", without_maximum, "must not become smaller"),
        ("10.2", sorted_holm, "in the order in which they came"),
        ("10.2", above_one, "nothing above 1"),
        ("10.2", lambda p: [0.5 for _ in p], "Holm's are"),
        ("10.2", lambda p: 0.5, "as many numbers"),
        ("10.2", lambda p: "p", "list of numbers"),
        ("10.2", lambda p: p[9], "raised IndexError"),
        ("10.3", single_images, "You drew images"),
        ("10.3", without_replacement, "drawn twice"),
        ("10.3", own_generator, "use the generator"),
        ("10.3", too_many, "draw 5"),
        ("10.3", lambda g, r: [0.5, 1], "list of integers"),
        ("10.3", lambda g, r: [len(g)], "places 0 to 9"),
        ("10.3", 3, "function itself"),
    ],
)
def test_a_wrong_answer_gets_its_hint(number, answer, hint):
    verdict = check(number, answer)
    assert verdict.status == "not yet"
    assert hint in verdict.text
