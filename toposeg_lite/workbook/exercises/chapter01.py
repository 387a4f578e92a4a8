"""The checkers of chapter 01."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from skimage.measure import label

from ...checks import check_same_shape
from ...metrics import betti_error, betti_matching_error, dice
from ...topology.components import betti_numbers
from ...topology.grid import check_mask
from .checking import (
    NotYetError,
    call,
    count_right,
    exercise,
    first_difference,
    number_of,
    refuse,
    rows_of,
)
from .running import Shortcuts

__all__ = ["PENCIL_SPACE"]

PENCIL_SPACE = np.array(
    [
        [1, 1, 1, 0, 0, 0],
        [1, 0, 1, 0, 1, 0],
        [1, 1, 1, 1, 0, 1],
        [0, 0, 1, 0, 1, 1],
        [0, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0, 1],
    ],
    dtype=bool,
)
"""The mask of exercise 01.1. Each misconception counts something else in it."""

Counts = list[tuple[float, ...]]


def _count(foreground: int, background: int, outside: int = 1) -> tuple[float, float]:
    """Count parts of `PENCIL_SPACE` with any two connectivities, without so many outsides."""
    world = np.pad(PENCIL_SPACE, 1) if outside else PENCIL_SPACE
    holes = label(~world, connectivity=background).max() - outside
    return float(label(PENCIL_SPACE, connectivity=foreground).max()), float(holes)


@exercise("01.1")
def _count_by_hand(answer: Any) -> str:
    """Check ((b0, b1) with 8 neighbours, (b0, b1) with 4) of `PENCIL_SPACE`."""
    form = "two pairs: (components, holes) with 8 neighbours, then (components, holes) with 4"
    rows_of(answer, 2, form)  # only to refuse what has another form: the order of the two matters
    counts = [tuple(map(float, pair)) for pair in answer]
    if len(counts) != 2:
        raise NotYetError(f"Give {form}.")

    def both(rule: Callable[[int], tuple[float, ...]]) -> Counts:
        return [rule(2), rule(1)]

    right = both(lambda k: _count(k, 3 - k))
    misread = partial(refuse, counts)
    misread(right[::-1], "The two pairs are exchanged: 8 neighbours come first.")
    misread([pair[::-1] for pair in right], "Components come first, holes second.")
    misread(
        both(lambda k: _count(k, k)),
        "You gave the background the same neighbours as the foreground. Where foreground steps "
        "over a corner, background cannot: 8 for the one means 4 for the other.",
    )
    misread(
        both(lambda k: _count(k, 3 - k, outside=0)),
        "A hole is background that cannot reach the outside. You counted parts of the background "
        "at the border, too.",
    )
    misread(
        [right[0], right[0]],
        "With 4 neighbours a step over a corner is no step: the foreground falls into more parts.",
    )
    if counts != right:
        good = sum(map(count_right, counts, right))
        raise NotYetError(
            f"{good} of your four numbers are right. Colour one component after the other: from a "
            "pixel go on to all its neighbours, then to theirs. Do the same with the background, "
            "with the other neighbours, beginning outside."
        )
    return "The corners decide: what 8 neighbours join to one space falls apart with 4."


def _drawn(picture: str) -> np.ndarray:
    """Return the mask that rows of # and . draw."""
    return np.array([[sign == "#" for sign in row] for row in picture.split()])


# The pairs of masks in the chapter that would pass: its opening, and "cut and merged".
_OPENING = _drawn("####.... ...##### ........ #####... ....####")
_SCENE = _drawn(
    "####....### #..#....### #..#....### ####....... ........... "
    "#########.. ........... #########.."
)
_FLIPS = [(_OPENING, [(1, 5), (2, 3)]), (_SCENE, [(5, 4), (6, 2)])]


def _trimmed(*masks: np.ndarray) -> list[np.ndarray]:
    """Return masks without the rows and columns around them that are empty in all of them."""
    rows, columns = np.nonzero(np.logical_or.reduce(masks))
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return [mask[window] for mask in masks]


def _is_of_the_chapter(prediction: np.ndarray, truth: np.ndarray) -> bool:
    """Tell whether two masks are a pair of the chapter, in either order, turned or mirrored."""
    ours = _trimmed(prediction, truth)
    for scene, flips in _FLIPS:
        mask = scene.copy()
        mask[tuple(np.transpose(flips))] ^= True
        for theirs in (_trimmed(mask, scene), _trimmed(scene, mask)):
            for turns, mirror in product(range(4), (1, -1)):
                turned = [np.rot90(each, turns)[:, ::mirror] for each in theirs]
                if all(map(np.array_equal, ours, turned)):
                    return True
    return False


@exercise("01.2")
def _fool_the_count(answer: Any) -> str:
    """Check (prediction, truth): Dice .9, no Betti error, but two features without a partner."""
    form = "two masks of the same shape: (prediction, truth)"
    try:
        first, second = answer
        prediction = check_mask(first, "prediction", ndim=2)
        truth = check_mask(second, "truth", ndim=2)
        check_same_shape(prediction, truth, ("prediction", "truth"))
    except (TypeError, ValueError) as error:
        raise NotYetError(f"Give {form}: {error}.") from None
    ours, theirs = betti_numbers(prediction), betti_numbers(truth)
    if (prediction == truth).all():
        raise NotYetError("Your masks are equal, so every metric is right to praise them.")
    if betti_error(prediction, truth) > 0:
        raise NotYetError(
            f"The prediction has the Betti numbers {ours}, the truth {theirs}: the Betti error "
            "sees that. Make a second mistake that hides the first one from the count."
        )
    unmatched = betti_matching_error(prediction, truth)
    if unmatched < 2:
        raise NotYetError(
            "Every component and hole of the one has its partner in the other: the prediction is "
            "wrong by degree only. Break something, and make up for it elsewhere. (Keep off the "
            "border: what touches it belongs to the frame.)"
        )
    overlap = dice(prediction, truth)
    if overlap < 0.9:
        raise NotYetError(
            f"The count is fooled, but Dice is {overlap:.3f} and should be .9 or more. Let the "
            "mistakes be small, or what is right be large."
        )
    if _is_of_the_chapter(prediction, truth):
        raise NotYetError(
            "Right, but this pair is one of the chapter's. Make one of your own: what else can be "
            "one too many here and one too few there?"
        )
    return (
        f"Both have the Betti numbers {theirs}, and Dice is {overlap:.3f}. Only the matching sees "
        f"{unmatched:g} features without a partner."
    )


Measure = Callable[[np.ndarray, np.ndarray], Any]


def _over_patches(measure: Measure, prediction: np.ndarray, truth: np.ndarray, patch: int,
                  whole: bool = False) -> list[Any]:  # fmt: skip
    """Measure every patch, or only those that are whole."""
    values = []
    for row, column in product(*(range(0, n, patch) for n in truth.shape)):
        window = np.s_[row : row + patch, column : column + patch]
        if not whole or truth[window].shape == (patch, patch):
            values.append(measure(prediction[window], truth[window]))
    return values


def _difference(prediction: np.ndarray, truth: np.ndarray, connectivity: int = 2) -> np.ndarray:
    """Return how many components and holes the prediction has more than the truth."""
    ours, theirs = (betti_numbers(m, connectivity=connectivity) for m in (prediction, truth))
    return np.subtract(ours, theirs)


@exercise("01.3")
def _error_in_patches(answer: Any) -> str:
    """Check a function (prediction, truth, patch) -> the mean Betti error of the patches."""
    generator = np.random.default_rng(1)
    cases = []
    for shape, patch in (((8, 8), 4), ((9, 11), 4), ((12, 7), 5)):
        cases.append((*(generator.random((2, *shape)) < 0.5), patch))
    ring = np.pad(np.pad(np.zeros((1, 2), bool), 1, constant_values=True), ((1, 2), (1, 1)))
    cases.append((ring, np.zeros_like(ring), 3))  # cut into arcs, which have no holes
    cases.append((ring, np.zeros_like(ring), 6))  # whole: a component and a hole too many

    def all_of(measure: Callable[[np.ndarray, np.ndarray, int], Any]) -> list[float]:
        return [round(float(measure(a.copy(), b.copy(), patch)), 6) for a, b, patch in cases]

    def mean_of(measure: Measure, **options: Any) -> list[float]:
        return all_of(lambda a, b, p: np.mean(_over_patches(measure, a, b, p, **options)))

    shortcuts = Shortcuts({"betti_error": (betti_error, lambda given: given["patch"] is not None)})

    def own(prediction: np.ndarray, truth: np.ndarray, patch: int) -> Any:
        value = call(answer, prediction, truth, patch, shortcuts=shortcuts)
        form = f"Return one number; once you returned {value!r}."
        if isinstance(value, bool | str):
            raise NotYetError(form)
        return number_of(value, form)

    def absolute(prediction: np.ndarray, truth: np.ndarray) -> float:
        return float(np.abs(_difference(prediction, truth)).sum())

    right = all_of(lambda a, b, p: betti_error(a, b, patch=p))
    answers = all_of(own)
    misread = partial(refuse, answers)
    misread(
        all_of(lambda a, b, p: absolute(a, b)),
        "This is the error of the whole image. Cut both masks into squares first.",
    )
    misread(
        all_of(lambda a, b, p: np.sum(_over_patches(absolute, a, b, p))),
        "You added the errors of the patches; take their mean, so that large images do not get "
        "large errors.",
    )
    misread(
        mean_of(absolute, whole=True),
        "You left out the narrower patches in the last row and column. Every pixel should count.",
    )
    misread(
        all_of(lambda a, b, p: np.abs(np.mean(_over_patches(_difference, a, b, p), axis=0)).sum()),
        "You took the absolute value of the mean: a component too many here and one too few there "
        "cancel. Take it in each patch.",
    )
    misread(
        mean_of(lambda a, b: abs(np.subtract(*_difference(a, b)))),
        "You compared Euler numbers, components minus holes: a component too many and a hole too "
        "many cancel. Take the absolute value for components and holes each, then add.",
    )
    misread(
        mean_of(lambda a, b: np.abs(_difference(a, b, 1)).sum()),
        "This is the error with 4 neighbours; here 8 are meant.",
    )
    if answers != right:
        k = first_difference(answers, right)
        raise NotYetError(
            f"For two masks of shape {cases[k][0].shape} and patches of {cases[k][2]} the error is "
            f"{right[k]:g}; you found {answers[k]:g}. Cut, count, subtract, take absolute values, "
            "add over components and holes, and take the mean over the patches."
        )
    return shortcuts.remark("The same masks, another patch, another number: always name the patch.")
