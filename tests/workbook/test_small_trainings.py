"""The small trainings of chapters 03 and 06: what the text says held in all stored runs.

Its sentences are about the stored runs, so every number in them is computed here from the file. The
general ones must hold for a seed that nobody has looked at, too: a nightly test trains with it.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRESH = 5  # a seed that is in no stored run

_spec = importlib.util.spec_from_file_location("train_small", ROOT / "tools" / "train_small.py")
train_small = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(train_small)

KEPT = json.loads(train_small.KEPT.read_text())


def prose(chapter):
    (source,) = (ROOT / "notebooks" / "source").glob(f"{chapter}_*.py")
    return source.read_text()


def changes(chapter, arms, key):
    """Return what the arms have more than the control, in all stored runs."""
    return [
        run[arm].get(key, 0) - run["control"].get(key, 0)
        for run in KEPT[chapter].values()
        for arm in arms
    ]


def falls(chapter, arms, key):
    """Return by how many percent the arms lie below the control, the least and the most."""
    shares = [
        100 * (1 - run[arm].get(key, 0) / run["control"][key])
        for run in KEPT[chapter].values()
        for arm in arms
    ]
    return round(min(shares)), round(max(shares))


def test_there_are_five_runs_of_each():
    seeds = [str(seed) for seed in range(5)]
    assert list(KEPT) == ["03", "06"]
    assert [list(runs) for runs in KEPT.values()] == [seeds, seeds]
    assert str(FRESH) not in KEPT["03"]


def test_what_chapter_03_says():
    both = ("rank", "spatial")
    breaks = changes("03", both, "break")
    missing = changes("03", both, "missing component")
    dice = changes("03", both, "dice")
    ahead = [
        run["rank"]["betti_0_error"] < run["spatial"]["betti_0_error"]
        for run in KEPT["03"].values()
    ]
    fell = [max(dice[2 * k : 2 * k + 2]) < 0 for k in range(5)]  # with both matchings
    fewer, more = sum(n < 0 for n in breaks), sum(n > 0 for n in breaks)
    said = {
        "by 35 to 61 %": falls("03", both, "betti_0_error") == (35, 61),
        "by .7 at most": max(map(abs, changes("03", both, "betti_1_error"))) < 0.7,
        "by 41 to 81 %": falls("03", both, "spurious component") == (41, 81),
        "fewer in seven of ten, and more in three": (fewer, more) == (7, 3),
        "more in all ten, by one or two": {1, 2} == set(missing),
        "changed by two at most": max(map(abs, changes("03", both, "missing hole"))) == 2,
        "by -.04 to +.02": (round(min(dice), 2), round(max(dice), 2)) == (-0.04, 0.02),
        "it fell with four of the five seeds": sum(fell) == 4,
        "changes from seed to seed": len(set(ahead)) == 2,
    }
    assert said == {words: words in prose("03") for words in said} == dict.fromkeys(said, True)


def test_what_chapter_06_says():
    specks = changes("06", ["patches"], "spurious component")
    holes = changes("06", ["patches"], "missing hole")
    arms = ("topological", "warping", "skeleton", "patches")
    error = {name: [run[name]["betti_0_error"] for run in KEPT["06"].values()] for name in arms}
    best = [min(arms, key=lambda name: run[name]["betti_0_error"]) for run in KEPT["06"].values()]
    breaks = [run["control"]["break"] for run in KEPT["06"].values()]
    dice = changes("06", arms, "dice")
    said = {
        "by 26 to 49 %": falls("06", ["skeleton"], "betti_0_error") == (26, 49),
        "18 to 61 % fewer specks": falls("06", ["skeleton"], "spurious component") == (18, 61),
        "one speck less and ten more": (min(specks), max(specks)) == (-1, 10),
        "never more than the control's, and up to three fewer": (max(holes), min(holes)) == (0, -3),
        "(44 to 73 % below the control)": falls("06", ["topological"], "betti_0_error") == (44, 73),
        "(33 to 54 %)": falls("06", ["warping"], "betti_0_error") == (33, 54),
        "was that of the topological loss": set(best) == {"topological", "warping"},
        "was ahead of the skeleton each time": all(
            one < other for one, other in zip(error["topological"], error["skeleton"], strict=True)
        ),
        "9 to 13 breaks": (min(breaks), max(breaks)) == (9, 13),
        "less than a hundredth": -0.01 < min(dice) <= max(dice) < 0,
    }
    assert said == {words: words in prose("06") for words in said} == dict.fromkeys(said, True)


def contradictions(chapter, run):
    """Return which of the general sentences of a chapter a run contradicts."""
    control = run["control"]
    if chapter == "03":
        arms = {name: run[name] for name in ("rank", "spatial")}
        rules = {
            "components": lambda arm: arm["betti_0_error"] < control["betti_0_error"],
            "specks": lambda arm: arm["spurious component"] < control["spurious component"],
            "Dice": lambda arm: abs(arm["dice"] - control["dice"]) < 0.06,
        }
    else:
        arms = {name: run[name] for name in ("skeleton", "topological", "warping")}
        rules = {
            "components": lambda arm: arm["betti_0_error"] < control["betti_0_error"],
            "specks": lambda arm: arm["spurious component"] < control["spurious component"],
            "Dice": lambda arm: arm["dice"] > control["dice"] - 0.015,
        }
    return [(word, name) for word, rule in rules.items() for name in arms if not rule(arms[name])]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chapter", ["03", "06"])
def test_no_stored_run_contradicts_the_general_sentences(chapter, seed):
    assert contradictions(chapter, KEPT[chapter][str(seed)]) == []


def test_a_contradiction_is_noticed():
    run = json.loads(json.dumps(KEPT["06"]["0"]))
    run["skeleton"]["spurious component"] = run["control"]["spurious component"]
    run["warping"]["dice"] -= 0.1
    assert contradictions("06", run) == [("specks", "skeleton"), ("Dice", "warping")]


@pytest.mark.nightly
@pytest.mark.notebook
@pytest.mark.parametrize("chapter", ["03", "06"])
def test_another_seed_contradicts_no_sentence(chapter):
    assert contradictions(chapter, train_small.summary(chapter, FRESH)) == []
