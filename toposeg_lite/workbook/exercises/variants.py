"""Variants of the exercises called *Change the method*: other constants for each name, to examine.

A name gives the constants, always the same ones; the answer of a neighbour is right for other
constants, and so is the solution that is published. A checker computes what is right on inputs of
its own: those that a student sees, and, with a secret of the teacher's, others.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import expit

from ...checks import check_choice
from ...topology.components import betti_numbers
from ...topology.morse import morse_complex
from ...topology.persistence import persistence_pairs
from ...topology.warping import simple_points
from .checking import NotYetError, Verdict, call, decide, judge, number_of, rows_of
from .running import Shortcuts

__all__ = ["Variant", "check_variant", "variant", "variants"]

Constants = Mapping[str, Any]
Inputs = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Variant:
    """A task with the constants of one student.

    Attributes
    ----------
    exercise : str
        The exercise of which it is a variant, for instance "01.3".
    student : str
        Whose it is. Upper and lower case and spaces at the ends make no difference.
    constants : mapping
        What differs from one student to the next.
    text : str
        The task in words, Markdown.
    stub : str
        The function to fill in, Python.
    """

    exercise: str
    student: str
    constants: Constants
    text: str
    stub: str

    def _repr_markdown_(self) -> str:
        return f"**{self.exercise}, variant of {self.student}.** {self.text}\n\n```\n{self.stub}```"


@dataclass(frozen=True)
class _Family:
    """All variants of one exercise.

    `choices` are the values of each constant, without those of the published exercise; `inputs`
    makes the arguments of some calls; `right` gives the answer to one of them, or a number or rows
    to compare; `read` makes of what a student's function returns the same kind of thing.
    """

    text: str
    stub: str
    choices: dict[str, tuple[Any, ...]]
    inputs: Callable[[np.random.Generator, Constants], Inputs]
    right: Callable[..., Any]
    read: Callable[[Any], Any]
    shortcuts: Callable[[], Shortcuts | None] = lambda: None


_FAMILIES: dict[str, _Family] = {}


def variants() -> list[str]:
    """Return the exercises that have variants.

    >>> variants()[:3]
    ['01.3', '02.3', '03.3']
    """
    return sorted(_FAMILIES)


def variant(exercise: str, student: str) -> Variant:
    """Return the variant of an exercise that belongs to a name.

    Parameters
    ----------
    exercise : str
        One of `variants()`.
    student : str
        A name, or any other text that stands for a person.

    Returns
    -------
    Variant
        A notebook shows its task; the same name has the same one everywhere.

    Examples
    --------
    >>> dict(variant("03.3", "Ada Lovelace").constants)
    {'share': 0.3, 'high': 0.9, 'low': 0.05}
    >>> variant("03.3", "Ada Lovelace") == variant("03.3", " ada lovelace ")
    True
    """
    check_choice(exercise, variants(), "exercise")
    name = _name_of(student)
    family = _FAMILIES[exercise]
    generator = _generator(exercise, name)
    constants = {
        key: values[generator.integers(len(values))] for key, values in family.choices.items()
    }
    text = family.text.format(**constants)
    return Variant(exercise, name, MappingProxyType(constants), text, family.stub)


def check_variant(exercise: str, student: str, answer: Any, *, secret: str = "") -> Verdict:
    """Compare a function with what the variant of a name asks for.

    Parameters
    ----------
    exercise, student : str
        As for `variant`.
    answer : function
        The stub of the variant, filled in. None, or a stub that was left as it is, counts as not
        attempted.
    secret : str
        Other secrets make other inputs, so that nobody can answer by heart: the teacher's is known
        to nobody else. The task is the same.

    Returns
    -------
    Verdict
        A hint names the input and both answers, but without a secret only.

    Examples
    --------
    >>> check_variant("03.3", "Ada Lovelace", lambda birth, death, matched: (1, 0)).status
    'not yet'
    """
    task = variant(exercise, student)
    if not isinstance(secret, str):
        raise TypeError(f"secret must be a text; got {secret!r}")
    return judge(exercise, answer, lambda given: _compare(task, given, secret))


def _compare(task: Variant, answer: Any, secret: str) -> str:
    """Return praise, or raise what is not yet right."""
    family = _FAMILIES[task.exercise]
    generator = _generator(task.exercise, task.student, "inputs", secret)
    shortcuts = family.shortcuts()
    for arguments in family.inputs(generator, task.constants):
        right = family.right(*arguments, **task.constants)
        copies = deepcopy(arguments)
        if isinstance(right, bool):
            given: Any = decide(answer, *copies)
        else:
            given = family.read(call(answer, *copies, shortcuts=shortcuts))
        if not _same(given, right):
            if secret:
                raise NotYetError("On an input that is not shown, the answer is another one.")
            shown = ", ".join(_shown(argument) for argument in arguments)
            raise NotYetError(f"For ({shown}) you return {_shown(given)}, not {_shown(right)}.")
    if shortcuts is not None and shortcuts.used:
        raise NotYetError(f"The numbers are right, but `{shortcuts.used}` was asked for them.")
    return "With your constants, on every input that was tried."


def _same(given: Any, right: Any) -> bool:
    one, two = np.asarray(given, float), np.asarray(right, float)
    return one.shape == two.shape and bool(np.allclose(one, two, atol=1e-6))


def _shown(value: Any) -> str:
    text = repr(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 300 else text[:297] + "..."


def _name_of(student: Any) -> str:
    if not isinstance(student, str):
        raise TypeError(f"student must be a name; got {student!r}")
    name = " ".join(student.split()).casefold()
    if not name:
        raise ValueError("student must be a name; got an empty one")
    return name


def _generator(*texts: str) -> np.random.Generator:
    """Return a generator that depends on some texts alone."""
    digest = sha256("\0".join(texts).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


# --- What answers look like -------------------------------------------------------------------


def _number(value: Any) -> float:
    return number_of(value, f"Return one number; once you returned {value!r}.")


def _pair(value: Any) -> tuple[float, float]:
    try:
        one, two = value
        return float(one), float(two)
    except (TypeError, ValueError):
        raise NotYetError(f"Return two numbers; once you returned {value!r}.") from None


def _numbers(value: Any) -> list[float]:
    try:
        return [float(number) for number in value]
    except (TypeError, ValueError):
        raise NotYetError(f"Return a list of numbers; once you returned {value!r}.") from None


def _sorted_numbers(value: Any) -> list[float]:
    return sorted(_numbers(value))


def _rows(width: int) -> Callable[[Any], list[tuple[float, ...]]]:
    return lambda value: rows_of(value, width, f"a list of tuples of {width} numbers")


# --- The exercises ----------------------------------------------------------------------------


def _mask_pairs(generator: np.random.Generator, constants: Constants) -> Inputs:
    shapes = ((8, 8), (9, 13), (11, 7), (5, 16))
    return [tuple(generator.random((2, *shape)) < 0.5) for shape in shapes]


def _patch_errors(
    prediction: np.ndarray, truth: np.ndarray, *, patch: int, weight: int, connectivity: int
) -> float:
    errors = []
    for row, column in product(*(range(0, side, patch) for side in truth.shape)):
        window = np.s_[row : row + patch, column : column + patch]
        ours = betti_numbers(prediction[window], connectivity=connectivity)
        theirs = betti_numbers(truth[window], connectivity=connectivity)
        components, holes = np.abs(np.subtract(ours, theirs))
        errors.append(components + weight * holes)
    return float(max(errors))


_FAMILIES["01.3"] = _Family(
    "Cut both masks into squares of {patch} pixels a side, from the first pixel on; squares at the "
    "right and lower edge may be narrower. The error of a square is the absolute difference in the "
    "number of components plus **{weight} times** that in the number of holes, both with "
    "`connectivity={connectivity}`. Return the **largest** error of a square.",
    "def patch_error(prediction, truth):\n    return None\n",
    {"patch": (3, 4, 5, 6), "weight": (2, 3, 4), "connectivity": (1, 2)},
    _mask_pairs,
    _patch_errors,
    _number,
)


def _images(generator: np.random.Generator, constants: Constants) -> Inputs:
    # Steps of .09: no difference of two values is near a constant, so rounding decides nothing.
    shapes = ((4, 5), (6, 4), (5, 8), (9, 7))
    return [(generator.integers(1, 11, shape) * 0.09,) for shape in shapes]


def _framed_holes(
    image: np.ndarray, *, frame: float, persistence: float, connectivity: int
) -> list[tuple[float, ...]]:
    framed = np.pad(image, 1, constant_values=frame)
    found = persistence_pairs(framed, dimensions=[1], connectivity=connectivity)
    kept = zip(found.birth, found.death, strict=True)
    return sorted((round(b, 6), round(d, 6)) for b, d in kept if b - d > persistence)


_FAMILIES["02.3"] = _Family(
    "Put a frame of the value {frame}, one pixel wide, around the image, and return the holes of "
    "the framed image as a list of `(birth, death)`: superlevel sets, "
    "`connectivity={connectivity}` for the foreground, and only those whose persistence is "
    "**above** {persistence}.",
    "def holes_in_a_frame(image):\n    return None\n",
    {"frame": (0.55, 0.65, 0.75, 0.85), "persistence": (0.15, 0.24, 0.33), "connectivity": (1, 2)},
    _images,
    _framed_holes,
    _rows(2),
)


def _pairs_of_numbers(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for matched in (True, False, False, False):
        death, birth = sorted(generator.integers(1, 100, 2) / 100)
        found.append((float(birth + 0.005), float(death), matched))
    return found


def _targets(
    birth: float, death: float, matched: bool, *, share: float, high: float, low: float
) -> tuple[float, float]:
    if matched:
        return high, low
    meeting = birth - share * (birth - death)
    return meeting, meeting


_FAMILIES["03.3"] = _Family(
    "A matched pair is pulled to ({high}, {low}). Of any other one, birth and death are pulled to "
    "the **same** value: the one that lies {share} of the way from the birth down to the death. "
    "Return the target of the birth and that of the death.",
    "def targets(birth, death, matched):\n    return None\n",
    {"share": (0.1, 0.2, 0.3, 0.7, 0.8), "high": (0.8, 0.9, 0.95), "low": (0.05, 0.1, 0.2)},
    _pairs_of_numbers,
    _targets,
    _pair,
)


def _neighbourhoods(generator: np.random.Generator, constants: Constants) -> Inputs:
    bits = np.arange(256)[:, None] >> np.arange(8) & 1 > 0
    cells = np.insert(bits, 4, True, axis=1).reshape(256, 3, 3)
    return [(one,) for one in generator.permutation(cells)]


def _may_go(cells: np.ndarray, *, neighbours: int, connectivity: int) -> bool:
    simple = simple_points(cells, connectivity=connectivity)[1, 1]
    return bool(simple and cells.sum() - 1 > neighbours)


_FAMILIES["04.3"] = _Family(
    "A foreground pixel may go if it is simple, with `connectivity={connectivity}` for the "
    "foreground, and **more than {neighbours}** of its eight neighbours are foreground. Given the "
    "3x3 cells around it, return True or False.",
    "def may_go(cells):\n    return None\n",
    {"neighbours": (2, 3, 4), "connectivity": (1, 2)},
    _neighbourhoods,
    _may_go,
    bool,
)


def _some_branches(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for shape in ((9, 12), (12, 9), (14, 14)):
        image = generator.random(shape)
        branches = morse_complex(image).branches()
        passes = image.ravel()[branches.saddle]
        paths = [path.tolist() for path in branches.paths]
        found.append((paths, branches.persistence.round(3).tolist(), passes.round(3).tolist()))
    return found


def _cut(
    paths: list[list[int]], persistence: list[float], saddle: list[float], *, worth: float,
    level: float, length: int,
) -> list[float]:  # fmt: skip
    kept: set[int] = set()
    for path, value, low in zip(paths, persistence, saddle, strict=True):
        if value > worth and low >= level and len(set(path)) >= length:
            kept |= set(path)
    return [float(pixel) for pixel in sorted(kept)]


_FAMILIES["05.3"] = _Family(
    "Of some branches you get `paths` (for each a list of flat pixel numbers), `persistence` and "
    "`saddle` (the value of its pass). Keep the branches whose persistence is **above** {worth}, "
    "whose pass is **not below** {level}, and that have **at least {length} different pixels**. "
    "Return the pixels of all of them, each once.",
    "def kept_pixels(paths, persistence, saddle):\n    return None\n",
    {"worth": (0.1005, 0.2005, 0.3005), "level": (0.2005, 0.3005, 0.4005), "length": (3, 4, 6)},
    _some_branches,
    _cut,
    _sorted_numbers,
)


def _paths_with_costs(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for count in (1, 3, 6):
        paths = [generator.integers(0, 30, generator.integers(3, 9)).tolist() for _ in range(count)]
        worth = generator.uniform(0.05, 0.9, count).round(3).tolist()
        found.append((paths, worth, generator.uniform(0.1, 3, 30).round(3)))
    return found


def _weighted(
    paths: list[list[int]], persistence: list[float], cost: np.ndarray, *, power: float, shared: str
) -> float:
    weight = np.zeros(len(cost))
    for path, value in zip(paths, persistence, strict=True):
        pixels = np.unique(path)
        if shared == "sum":
            weight[pixels] += value**power
        else:
            weight[pixels] = np.maximum(weight[pixels], value**power)
    return float((weight * cost).sum() / weight.sum())


_FAMILIES["06.3"] = _Family(
    "As in 06.3, but a branch weighs its persistence **to the power {power}**, and a pixel that "
    "several branches share weighs the **{shared}** of their weights (a pixel that stands twice in "
    "one path counts once there). Return the weighted mean of `cost`.",
    "def weighted_loss(paths, persistence, cost):\n    return None\n",
    {"power": (0.5, 1.5, 2, 3), "shared": ("sum", "maximum")},
    _paths_with_costs,
    _weighted,
    _number,
)


def _two_numbers(generator: np.random.Generator, constants: Constants) -> Inputs:
    return [tuple(generator.uniform(0, 1, 2).round(3).tolist()) for _ in range(6)]


def _kept(
    persistence: float, saddle: float, *, threshold: float, level: float, softness: float,
    softness_of_the_pass: float, rule: str,
) -> float:  # fmt: skip
    strong = expit((persistence - threshold) / softness)
    high = expit((saddle - level) / softness_of_the_pass)
    return float(strong * high if rule == "both" else 1 - (1 - strong) * (1 - high))


_FAMILIES["07.3"] = _Family(
    "A branch is kept if **{rule}** of two things happen, each by chance and independently: its "
    "persistence exceeds {threshold}, with the softness {softness}; the value of its pass exceeds "
    "{level}, with the softness {softness_of_the_pass}. Return the probability that it is kept.",
    "def keep(persistence, saddle):\n    return None\n",
    {
        "threshold": (0.2, 0.3, 0.4),
        "level": (0.15, 0.25, 0.35),
        "softness": (0.05, 0.08, 0.2),
        "softness_of_the_pass": (0.1, 0.15, 0.3),
        "rule": ("both", "at least one"),
    },
    _two_numbers,
    _kept,
    _number,
)


def _weighted_log_odds(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for count in (1, 3, 8):
        weight = generator.uniform(0, 3, count).round(2)
        found.append((generator.normal(0, 3, count).round(2), weight + 0.1))
    return found


def _chance_of_the_label(
    log_odds: np.ndarray, weight: np.ndarray, *, temperature: float, noise: float
) -> float:
    chance = np.average(expit(log_odds / temperature), weights=weight)
    return float(chance * (1 - noise) + (1 - chance) * noise)


_FAMILIES["07.5"] = _Family(
    "As in 07.5, with the temperature {temperature}, but whoever labels is wrong about a part "
    "**{noise}** of all branches, the real ones and the false ones alike. Return the probability "
    "that a branch will be *labelled* real: it is real and labelled rightly, or false and labelled "
    "wrongly.",
    "def chance(log_odds, weight):\n    return None\n",
    {"temperature": (0.5, 1.5, 2, 3), "noise": (0.05, 0.1, 0.15, 0.2)},
    _weighted_log_odds,
    _chance_of_the_label,
    _number,
)


def _ways(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for shape in ((4, 6), (7, 5), (8, 8)):
        likelihood = generator.random(shape).round(2)
        stop = (shape[0] - 1, shape[1] - 1)
        found.append((likelihood, (0, 0), stop, generator.random(shape) < 0.3))
    return found


def _cheapest(
    likelihood: np.ndarray, start: tuple[int, int], stop: tuple[int, int], marked: np.ndarray, *,
    least: float, times: int,
) -> float:  # fmt: skip
    cost = np.where(marked, times, 1) / (least + likelihood)
    paid: dict[tuple[int, ...], float] = {start: 0.0}
    heap: list[tuple[float, tuple[int, ...]]] = [(0.0, start)]
    while heap:
        so_far, p = heapq.heappop(heap)
        if p == stop:
            return so_far
        for q in product(*(range(max(x - 1, 0), x + 2) for x in p)):
            if q != p and q[0] < cost.shape[0] and q[1] < cost.shape[1]:
                step = np.hypot(p[0] - q[0], p[1] - q[1]) * (cost[p] + cost[q]) / 2
                if so_far + step < paid.get(q, np.inf):
                    paid[q] = so_far + step
                    heapq.heappush(heap, (so_far + step, q))
    raise AssertionError("every pixel can be reached")


_FAMILIES["08.2"] = _Family(
    "A pixel costs 1 / ({least} + likelihood), and **{times} times** as much where `marked` is "
    "true. A step to one of the eight neighbours costs its length times the mean of the two "
    "pixels' costs. Return the **cost** of the cheapest way from `start` to `stop`.",
    "def cheapest(likelihood, start, stop, marked):\n    return None\n",
    {"least": (0.02, 0.1, 0.2), "times": (3, 5, 10)},
    _ways,
    _cheapest,
    _number,
)


def _queues(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for count in (1, 4, 9):
        outside, inside = generator.integers(0, 30, (2, count))
        found.append((generator.uniform(0, 1, count).round(3), outside, inside + (outside == 0)))
    return found


def _by_the_hour(
    probability: np.ndarray, outside: np.ndarray, inside: np.ndarray, *, false: int, look: int,
    pixel: float,
) -> list[float]:  # fmt: skip
    gain = probability * outside + false * (1 - probability) * inside
    return list(gain / (look + pixel * (outside + inside)))


_FAMILIES["08.3"] = _Family(
    "A false pixel in the mask is **{false} times** as bad as a missing one. An answer takes "
    "{look} seconds, and {pixel} seconds more for each pixel of the branch, outside and inside of "
    "the mask. Return for each branch what its answer mends **in a second**, as far as one can "
    "expect.",
    "def ranking(probability, outside, inside):\n    return None\n",
    {"false": (2, 3, 5), "look": (1, 2, 4), "pixel": (0.05, 0.1, 0.25)},
    _queues,
    _by_the_hour,
    _numbers,
)


def _groups(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for count in (5, 9, 14):
        groups = ["c", "a", "b", *generator.choice(list("abcd"), count - 3).tolist()]
        found.append((groups, generator.normal(0, 5, count).round(2)))
    return found


def _without_each(groups: list[str], values: np.ndarray, *, quantile: float) -> list[float]:
    names = np.array(groups)
    return [float(np.quantile(values[names != one], quantile)) for one in sorted(set(groups))]


_FAMILIES["10.3"] = _Family(
    "`groups` names the person of each image, `values` holds its difference. Leave out one "
    "**person** after the other, with all images of that person, in the order of their names, and "
    "return each time the {quantile}-quantile (`np.quantile`) of what is left: a list with a "
    "number for each person.",
    "def without_each(groups, values):\n    return None\n",
    {"quantile": (0.2, 0.25, 0.4, 0.6, 0.75, 0.8)},
    _groups,
    _without_each,
    _numbers,
)


def _two_places(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = [([2.0, 2.0, 2.0], [4.0, 4.0, 4.0])]  # no pair is clear
    for count in (5, 8, 8, 11):
        found.append(tuple(generator.integers(0, 9, (2, count)).astype(float).tolist()))
    return found


def _tau_of_clear(
    home: list[float], away: list[float], *, margin: float, where: str, otherwise: float
) -> float:
    one, two = np.triu_indices(len(home), 1)
    differences = [np.array(scores)[one] - np.array(scores)[two] for scores in (home, away)]
    clear = [np.abs(each) > margin for each in differences]
    chosen = {"at home": clear[0], "away": clear[1], "at both places": clear[0] & clear[1]}[where]
    signs = np.sign(differences[0] * differences[1])[chosen]
    return float(signs.mean()) if signs.size else float(otherwise)


_FAMILIES["11.3"] = _Family(
    "`home` and `away` hold the mean scores of the same losses at two places. Count only the pairs "
    "of losses whose scores differ by **more than {margin}** **{where}**. Return the agreements "
    "minus the contradictions among them, divided by the number of the pairs that count (one that "
    "is tied at the other place is neither, but counts); {otherwise} if no pair counts.",
    "def tau_of_clear_pairs(home, away):\n    return None\n",
    {
        "margin": (1.5, 2.5, 3.5),
        "where": ("at home", "away", "at both places"),
        "otherwise": (0, 1, -1),
    },
    _two_places,
    _tau_of_clear,
    _number,
)


def _measurements(generator: np.random.Generator, constants: Constants) -> Inputs:
    found: Inputs = []
    for several in (3, 4, 6):
        counts, workers = 10 ** generator.integers(3, 6, several), generator.integers(1, 5, several)
        counts[:2] = 1000, 100_000
        seconds = (4 + 0.01 * counts) * generator.uniform(0.7, 1.4, several) / workers
        found.append((counts.tolist(), seconds.round(3).tolist(), workers.tolist()))
    return found


def _hours(
    counts: list[int], seconds: list[float], workers: list[int], *, wanted: int, cores: int
) -> float:
    time = np.multiply(seconds, workers)
    lines = np.stack([1 / time, np.array(counts) / time], axis=1)
    (start, cost), *_ = np.linalg.lstsq(lines, np.ones(len(time)), rcond=None)
    return float(start + cost * wanted) / cores / 3600


_FAMILIES["12.3"] = _Family(
    "Measurements are given as `counts` of images, `seconds` by the clock, and how many `workers` "
    "shared the work. Fit seconds of one core = start + cost x images by least squares of the "
    "*relative* errors, and return how many **hours** {wanted} images take on {cores} cores.",
    "def predict(counts, seconds, workers):\n    return None\n",
    {"wanted": (100000, 3000000, 10000000), "cores": (8, 16, 128)},
    _measurements,
    _hours,
    _number,
)


def _volumes(generator: np.random.Generator, constants: Constants) -> Inputs:
    shapes = ((3, 4, 5), (4, 4, 4), (5, 3, 6))
    return [(generator.permutation(np.prod(s)).reshape(s) / np.prod(s),) for s in shapes]


def _other_side(
    image: np.ndarray, *, dimension: int, stretched: float, cubes: int = 3
) -> list[tuple[float, ...]]:
    found = persistence_pairs(image, connectivity=cubes, dimensions=[dimension])
    rows = zip(found.birth, found.death, strict=True)
    return sorted((round(stretched * b, 6), round(stretched * d, 6)) for b, d in rows)


_FAMILIES["13.3"] = _Family(
    "Return the pairs of dimension **{dimension}** of a volume with 26 neighbours, as a list of "
    "`(birth, death)`, all numbers multiplied by {stretched}; but call `persistence_pairs` with "
    "`connectivity=1` only.",
    "def pairs_26(image):\n    return None\n",
    {"dimension": (1, 2), "stretched": (2, 10, 100, 255)},
    _volumes,
    _other_side,
    _rows(2),
    lambda: Shortcuts(
        {"persistence_pairs": (persistence_pairs, lambda given: given["connectivity"] != 1)},
        ("gudhi",),
    ),
)


def _steps(generator: np.random.Generator, constants: Constants) -> Inputs:
    options = ((10, 5, 40, 10), (0, 0, 30, 0), (3, 1, 20, 4), (0, 20, 12, 8))
    steps = generator.integers(0, 60, (4, 6)).tolist()
    return [(step, *rest) for rest, some in zip(options, steps, strict=True) for step in some]


def _risen_and_fallen(
    step: int, start: int, warm_up: int, end: int, fade: int, *, weight: float, power: int,
    rest: float,
) -> float:  # fmt: skip
    risen = min(1.0, max(0.0, (step - start + 1) / max(warm_up, 1)))
    fallen = min(1.0, max(0.0, (step - end + 1) / max(fade, 1)))
    return weight * risen**power * (1 - (1 - rest) * fallen)


_FAMILIES["14.3"] = _Family(
    "As in 14.3, with the weight {weight}, but the loss grows slowly at first: the share of the "
    "warm-up that is done is taken **to the power {power}**. And it is not faded out wholly: after "
    "the last falling step the factor is still **{rest}** of what it would be without the fall, "
    "and the falling steps lead there in equal parts.",
    "def faded(step, start, warm_up, end, fade):\n    return None\n",
    {"weight": (0.5, 2, 4), "power": (2, 3), "rest": (0.1, 0.2, 0.25, 0.4)},
    _steps,
    _risen_and_fallen,
    _number,
)
