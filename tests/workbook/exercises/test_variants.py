"""Variants: a name has its own constants, and only who uses them is right.

The answers here are written anew, and with other tools than the checkers use.
"""

from __future__ import annotations

import inspect
import math
import re
from itertools import pairwise
from pathlib import Path

import gudhi
import networkx
import numpy as np
import pytest
from skimage.measure import label

from toposeg_lite.topology import persistence_pairs
from toposeg_lite.workbook.exercises import check_variant, variant, variants
from toposeg_lite.workbook.exercises.checking import _CHECKERS

STUDENTS = ["Ada Lovelace", "Évariste Galois", "李 明", "x"]


def patches(patch, weight, connectivity):
    def counts(mask):
        background = np.pad(~mask, 1, constant_values=True)
        holes = label(background, connectivity=3 - connectivity).max() - 1
        return label(mask, connectivity=connectivity).max(), holes

    def error(prediction, truth):
        worst, (height, width) = 0, truth.shape
        for top in range(0, height, patch):
            for left in range(0, width, patch):
                cut = slice(top, top + patch), slice(left, left + patch)
                (a, b), (c, d) = counts(prediction[cut]), counts(truth[cut])
                worst = max(worst, abs(a - c) + weight * abs(b - d))
        return worst

    return error


def framed(frame, persistence, connectivity):
    kind = "top_dimensional_cells" if connectivity == 2 else "vertices"

    def holes(image):
        around = np.pad(np.pad(image, 1, constant_values=frame), 1)
        pairs = gudhi.CubicalComplex(**{kind: -around}).persistence(min_persistence=persistence)
        return [(-b, -d) for k, (b, d) in pairs if k == 1]

    return holes


def targets(share, high, low):
    def ends(birth, death, matched):
        where = float(np.interp(share, [0, 1], [birth, death]))
        return [high, low] if matched else [where, where]

    return ends


def thinning(neighbours, connectivity):
    steps = {1: [(0, 1), (1, 0), (0, -1), (-1, 0)]}
    steps[2] = steps[1] + [(1, 1), (1, -1), (-1, 1), (-1, -1)]

    def parts(cells, k):
        graph = networkx.Graph()
        around = [(r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1) and cells[r][c]]
        graph.add_nodes_from(around)
        graph.add_edges_from(
            ((r, c), (r + i, c + j)) for r, c in around for i, j in steps[k]
            if (r + i, c + j) in graph
        )  # fmt: skip
        near = {(1 + i, 1 + j) for i, j in steps[k]}
        return sum(1 for one in networkx.connected_components(graph) if one & near)

    def may_go(cells):
        many = cells.sum() - cells[1, 1] > neighbours
        return many and parts(cells, connectivity) == parts(~cells, 3 - connectivity) == 1

    return may_go


def cutting(worth, level, length):
    def kept(paths, persistence, saddle):
        good = [
            set(p)
            for p, w, s in zip(paths, persistence, saddle, strict=True)
            if w > worth and s >= level
        ]
        return set().union(*(pixels for pixels in good if len(pixels) >= length))

    return kept


def weighing(power, shared):
    def loss(paths, persistence, cost):
        weights = {}
        for path, worth in zip(paths, persistence, strict=True):
            for pixel in set(path):
                weights.setdefault(pixel, []).append(worth**power)
        joined = {p: sum(w) if shared == "sum" else max(w) for p, w in weights.items()}
        return sum(w * cost[p] for p, w in joined.items()) / sum(joined.values())

    return loss


def keeping(threshold, level, softness, softness_of_the_pass, rule):
    def chance(x):
        return 1 / (1 + math.exp(-x))

    def keep(persistence, saddle):
        one = chance((persistence - threshold) / softness)
        two = chance((saddle - level) / softness_of_the_pass)
        return one * two if rule == "both" else one + two - one * two

    return keep


def cheapest(least, times):
    def way(likelihood, start, stop, marked):
        graph, (height, width) = networkx.Graph(), likelihood.shape
        price = {
            (r, c): (times if marked[r, c] else 1) / (least + likelihood[r, c])
            for r in range(height)
            for c in range(width)
        }
        for r, c in price:
            for i, j in ((0, 1), (1, 0), (1, 1), (1, -1)):
                q = (r + i, c + j)
                if q in price:
                    mean = (price[r, c] + price[q]) / 2
                    graph.add_edge((r, c), q, weight=math.hypot(i, j) * mean)
        return networkx.dijkstra_path_length(graph, start, stop)

    return way


def paid(false, look, pixel):
    def ranking(probability, outside, inside):
        each = zip(probability, outside, inside, strict=True)
        return [(p * o + (1 - p) * i * false) / (look + pixel * (o + i)) for p, o, i in each]

    return ranking


def leaving_out(quantile):
    def without(groups, values):
        found = []
        for name in sorted(set(groups)):
            left = [value for value, group in zip(values, groups, strict=True) if group != name]
            found.append(np.quantile(left, quantile))
        return found

    return without


def ordering(margin, where, otherwise):
    def tau(home, away):
        votes = []
        for a in range(len(home)):
            for b in range(a):
                gaps = {"at home": home[a] - home[b], "away": away[a] - away[b]}
                wide = {place: abs(gap) > margin for place, gap in gaps.items()}
                if wide[where] if where in wide else all(wide.values()):
                    product = math.prod(gaps.values())
                    votes.append((product > 0) - (product < 0))
        return sum(votes) / len(votes) if votes else otherwise

    return tau


def hours(wanted, cores):
    def predict(counts, seconds, workers):
        time = [s * w for s, w in zip(seconds, workers, strict=True)]
        cost, start = np.polyfit(counts, time, 1, w=[1 / t for t in time])
        return (start + cost * wanted) / cores / 3600

    return predict


def turned(dimension, stretched):
    def pairs(image):
        other = persistence_pairs(1 - image, connectivity=1, border="closed")
        return [
            (stretched * (1 - d), stretched * (1 - b))
            for k, b, d, i in zip(
                other.dimension, other.birth, other.death, other.birth_index, strict=True
            )
            if 2 - k == dimension and (k > 0 or i >= 0)
        ]

    return pairs


def labelled(temperature, noise):
    def chance(log_odds, weight):
        odds = [math.exp(value / temperature) for value in log_odds]
        real = [w * o / (1 + o) for w, o in zip(weight, odds, strict=True)]
        false = [w / (1 + o) for w, o in zip(weight, odds, strict=True)]
        return (sum(real) * (1 - noise) + sum(false) * noise) / sum(weight)

    return chance


def fading(weight, power, rest):
    def faded(step, start, warm_up, end, fade):
        up = np.concatenate([np.zeros(start), np.linspace(0, 1, max(warm_up, 1) + 1)[1:]])
        down = np.concatenate([np.ones(end), np.linspace(1, rest, max(fade, 1) + 1)[1:]])
        return weight * up[min(step, len(up) - 1)] ** power * down[min(step, len(down) - 1)]

    return faded


RIGHT = {
    "01.3": patches,
    "02.3": framed,
    "03.3": targets,
    "04.3": thinning,
    "05.3": cutting,
    "06.3": weighing,
    "07.3": keeping,
    "07.5": labelled,
    "08.2": cheapest,
    "08.3": paid,
    "10.3": leaving_out,
    "11.3": ordering,
    "12.3": hours,
    "13.3": turned,
    "14.3": fading,
}
#: The published exercise, in the words of its variants.
PUBLISHED = {
    "01.3": {"patch": 4, "weight": 1, "connectivity": 2},
    "02.3": {"frame": 1.0, "persistence": 0.0, "connectivity": 2},
    "03.3": {"share": 0.0, "high": 1, "low": 0},
    "04.3": {"neighbours": 1, "connectivity": 2},
    "05.3": {"worth": 0.1, "level": 0.3, "length": 1},
    "06.3": {"power": 1, "shared": "maximum"},
    "07.3": {"threshold": 0.4, "level": 0.3, "softness": 0.1, "softness_of_the_pass": 0.1,
             "rule": "both"},
    "07.5": {"temperature": 1, "noise": 0},
    "08.2": {"least": 0.05, "times": 1},
    "08.3": {"false": 1, "look": 1, "pixel": 0.0},
    "10.3": {"quantile": 0.5},
    "11.3": {"margin": 0.5, "where": "at both places", "otherwise": 0},
    "12.3": {"wanted": 10**6, "cores": 1},
    "13.3": {"dimension": 1, "stretched": 1},
    "14.3": {"weight": 1, "power": 1, "rest": 0},
}  # fmt: skip


def test_every_exercise_that_changes_the_method_has_variants():
    assert variants() == sorted(RIGHT)
    assert set(variants()) <= set(_CHECKERS)
    sources = Path(__file__).resolve().parents[3] / "notebooks" / "source"
    told = [path.read_text() for path in sorted(sources.glob("*.py"))]
    heading = r"(?m)^# ### (\d\d\.\d) Change the method"
    asked = {number for text in told for number in re.findall(heading, text)}
    assert len(asked) >= 13
    assert asked <= set(variants())


@pytest.mark.parametrize("exercise", RIGHT)
@pytest.mark.parametrize("student", STUDENTS)
def test_the_answer_with_the_students_constants_is_right(exercise, student):
    answer = RIGHT[exercise](**variant(exercise, student).constants)
    for secret in ("", "autumn"):
        verdict = check_variant(exercise, student, answer, secret=secret)
        assert verdict.status == "correct", verdict


@pytest.mark.parametrize("exercise", RIGHT)
def test_the_published_answer_is_not_enough(exercise):
    for student in STUDENTS:
        verdict = check_variant(exercise, student, RIGHT[exercise](**PUBLISHED[exercise]))
        assert verdict.status == "not yet", verdict
        assert "you return" in verdict.text


@pytest.mark.parametrize("exercise", RIGHT)
def test_the_answer_of_somebody_else_is_refused(exercise):
    names = [f"student {k}" for k in range(8)]
    tasks = {name: variant(exercise, name).constants for name in names}
    assert len({str(dict(constants)) for constants in tasks.values()}) >= 3
    for one, other in pairwise(names):
        if tasks[one] != tasks[other]:
            verdict = check_variant(exercise, one, RIGHT[exercise](**tasks[other]), secret="s")
            assert verdict.status == "not yet"
            assert "not shown" in verdict.text  # and no input is given away


@pytest.mark.parametrize("exercise", RIGHT)
def test_a_stub_is_not_attempted_and_fits_the_answer(exercise):
    task = variant(exercise, "Ada")
    names = {}
    exec(task.stub, names)
    (stub,) = (one for name, one in names.items() if name != "__builtins__")
    assert check_variant(exercise, "Ada", stub).status == "not attempted"
    assert check_variant(exercise, "Ada", None).status == "not attempted"
    answer = RIGHT[exercise](**task.constants)
    assert list(inspect.signature(stub).parameters) == list(inspect.signature(answer).parameters)
    assert f"def {stub.__name__}" in task._repr_markdown_()


@pytest.mark.parametrize("exercise", RIGHT)
def test_every_constant_is_told(exercise):
    task = variant(exercise, "Ada")
    for value in task.constants.values():
        assert str(value) in task.text
    assert "{" not in task.text


def test_a_name_has_one_task():
    assert variant("08.2", "Ada  Lovelace") == variant("08.2", " ada lovelace")
    with pytest.raises(TypeError):
        variant("08.2", "Ada").constants["times"] = 1


def test_who_asks_the_library_is_told_so():
    constants = variant("13.3", "Ada").constants

    def short(image):
        found = persistence_pairs(image, dimensions=[constants["dimension"]])
        factor = constants["stretched"]
        return [(factor * b, factor * d) for b, d in zip(found.birth, found.death, strict=True)]

    verdict = check_variant("13.3", "Ada", short)
    assert verdict.status == "not yet"
    assert "`persistence_pairs` was asked" in verdict.text


def test_an_answer_cannot_change_the_inputs_of_the_checker():
    right = RIGHT["06.3"](**variant("06.3", "Ada").constants)

    def destroys(paths, persistence, cost):
        value = right(paths, persistence, cost)
        paths.clear()
        cost[:] = 0
        return value

    assert check_variant("06.3", "Ada", destroys).status == "correct"


@pytest.mark.parametrize("answer", ["text", [1], (1, 2, 3), "ab", {}, 1j])
@pytest.mark.parametrize("exercise", RIGHT)
def test_any_answer_meets_a_hint(exercise, answer):
    verdict = check_variant(exercise, "Ada", lambda *arguments: answer)
    assert verdict.status == "not yet"
