"""Sentences of the chapters that no cell prints: what they say is computed here, and looked up."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from skimage.filters import gaussian

from toposeg_lite.topology import persistence_pairs
from toposeg_lite.workbook.studies import read_runs
from toposeg_lite.workbook.studies.statistics import paired_differences, sign_flip_test

SOURCES = Path(__file__).resolve().parents[2] / "notebooks" / "source"
IMAGE = np.array(
    [[9, 8, 4, 0, 0], [7, 2, 8, 0, 0], [8, 5, 7, 1, 0], [0, 0, 1, 3, 6], [0, 0, 0, 4, 7]]
)


def text_of(number):
    (source,) = SOURCES.glob(f"{number}_*.py")
    return source.read_text()


def code_of(number, *names):
    """Run cells of a chapter; return what they define."""
    defined = {"np": np}
    for name in names:
        (cell,) = re.findall(rf"(?ms)^# %% {name}\n(.*?)(?=^# %% |\Z)", text_of(number))
        exec(cell, defined)
    return defined


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (IMAGE / 10, "$3 - 3 + 1$"),
        (gaussian(np.random.default_rng(0).random((21, 30)), 1), "$25 - 48 + 24$"),
    ],
)
def test_peaks_minus_critical_edges_plus_pits_are_one(image, words):
    cells = code_of("05", "naive-link", "naive-field")
    _, critical = cells["gradient_field"](image)
    rank, peaks, pits = {}, 0, 0
    for p in sorted(np.ndindex(image.shape), key=lambda p: -image[p]):
        parts = cells["upper_link"](p, rank)
        sides = [(p[0] + i, p[1] + j) for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        peaks += not parts
        pits += all(side in rank for side in sides)  # there is one part then, always
        assert len(parts) == 1 or not all(side in rank for side in sides)
        rank[p] = len(rank)
    assert peaks - len(critical) + pits == 1
    assert words == f"${peaks} - {len(critical)} + {pits}$"
    assert words in text_of("05")


@pytest.mark.parametrize("seed", range(5))
def test_pits_are_where_holes_die(seed):
    image = np.random.default_rng(seed).permutation(7 * 9).reshape(7, 9) / 63
    pairs = persistence_pairs(image)
    holes = pairs.death_index[pairs.dimension == 1]
    inside = image[1:-1, 1:-1]
    sides = (image[:-2, 1:-1], image[2:, 1:-1], image[1:-1, :-2], image[1:-1, 2:])
    pits = np.argwhere(inside < np.minimum.reduce(sides)) + 1
    assert sorted(holes) == sorted(row * 9 + column for row, column in pits)


def test_of_a_divided_hole_the_half_with_the_brighter_pit_is_new():
    image = np.array([[9, 9, 9, 9, 9], [9, 2, 6, 4, 9], [9, 9, 9, 9, 9]]) / 10
    (cell,) = re.findall(r"(?ms)^# %% by-hand-table \[markdown\]\n(.*?)(?=^# %% )", text_of("02"))
    rows = [row for row in cell.splitlines() if re.fullmatch(r"# (\| (\*\*)?\.\d(\*\*)? )+\|", row)]
    numbers = [[float(n) for n in re.findall(r"\.\d", row)] for row in rows]
    np.testing.assert_array_equal(numbers, image)
    pairs = persistence_pairs(image, dimensions=[1])
    found = sorted(zip(pairs.birth.tolist(), pairs.death.tolist(), strict=True))
    assert found == [(0.6, 0.4), (0.9, 0.2)]
    assert "hole (.6, .4)" in cell
    assert "the old hole: (.9, .2)" in cell


def test_what_chapter_10_says_of_the_line_that_contradicts_itself():
    run = read_runs()["topomortar-study"]
    changes = paired_differences(run.scores, "betti_matching_error", "morse-skeleton")
    images = changes.mean(axis=0).sort_values()
    scores = run.scores[run.scores["network"] == "control"]
    control = scores.groupby("image")["betti_matching_error"].mean()
    four, rest = images.iloc[:4], images.loc[images.abs().sort_values().index[:-2]]

    def ends(values):
        return [round(values.min()), round(values.max())]

    said = {
        "24 images went down": (images < 0).sum() == 24,
        "and 21 up": (images > 0).sum() == 21,
        "Wilcoxon's test has .154": round(stats.wilcoxon(images).pvalue, 3) == 0.154,
        "one seed of three went the other way": sorted(changes.mean(axis=1) > 0) == [0, 0, 1],
        "makes 35 to 45 errors": ends(control[four.index]) == [35, 45],
        "while the mean is 14": round(control.mean()) == 14,
        "They lost 8 to 12 errors each": ends(four) == [-12, -8],
        "39 of the 49": (round(-four.sum()), round(-images.sum())) == (39, 49),
        "the median image did not change at all": images.median() == 0,
        "say about .075, before any": abs(sign_flip_test(rest, draws=99_999) - 0.075) < 0.004,
    }
    text = text_of("10")
    assert {words: words in text for words in said} == dict.fromkeys(said, True)
    assert said == dict.fromkeys(said, True)


def test_what_chapter_00_says_our_studies_found():
    """Each number of its last table, from the stored studies."""
    text = text_of("00")
    (rows,) = re.findall(r"(?ms)^# \| You see \|(.*?)\n#?\n", text)

    def mean(study, network, metric="betti_matching_error"):
        scores = read_runs()[f"{study}-study"].scores
        return scores[scores["network"] == network][metric].mean()

    said = {}
    for study, networks in {
        "topomortar": ("topological-betti", "warping", "cldice"),
        "chase_db1": ("topological-betti", "cldice"),
    }.items():
        for network in networks:
            before, after = mean(study, "control"), mean(study, network)
            said[f"{study} {before:.1f} to {after:.1f}"] = True
    for study, network, share in (("topomortar", "cldice", 19), ("chase_db1", "cldice", 34)):
        cost = read_runs()[f"{study}-study"].cost
        found = cost[cost["network"] == network]["share_of_loss"].mean()
        said[f"{share}"] = round(100 * found) == share
        lost = mean(study, "control", "dice") - mean(study, network, "dice")
        said["at the same Dice"] = abs(lost) < 0.002
    lost = [
        100
        * (mean("chase_db1", "control", "dice") - mean("chase_db1", f"topological-{name}", "dice"))
        for name in ("rank", "betti", "spatial")
    ]
    said["cost .6 to 2 points of Dice"] = (round(min(lost), 1), round(max(lost), 1)) == (0.6, 2.0)
    said["chase_db1 no gain"] = mean("chase_db1", "warping") > mean("chase_db1", "control")
    for study in ("topomortar", "chase_db1"):
        control = mean(study, "control")
        morse = [mean(study, f"morse-{kind}") for kind in ("skeleton", "patches")]
        said["no clear gain on either"] = min(morse) > 0.9 * control
    assert {words: words in rows for words in said} == dict.fromkeys(said, True)
    assert said == dict.fromkeys(said, True)
