"""The checkers of chapter 06."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .checking import (
    NotYetError,
    alike,
    call,
    count_right,
    exercise,
    first_difference,
    number_of,
    numbers_of,
    refuse,
)

__all__ = ["DOUBTFUL_WALL", "DOUBTFUL_WALL_TRUTH", "PENCIL_PASS", "PENCIL_PASS_TRUTH"]

PENCIL_PASS = np.array([[0.1, 0.8, 0.3, 0.9, 0.2, 0.6]])
"""The likelihood of exercise 06.1: a structure with a weak spot, and a false piece behind it."""

PENCIL_PASS_TRUTH = np.array([[False, True, True, True, False, False]])
"""The truth of exercise 06.1."""

DOUBTFUL_WALL = (
    np.array(
        [
            [20, 10, 20, 80, 20, 10],
            [10, 20, 10, 90, 10, 20],
            [10, 10, 20, 15, 10, 10],
            [20, 65, 15, 10, 20, 10],
            [10, 10, 20, 10, 10, 20],
        ]
    )
    / 100
)
"""The likelihood of exercise 06.2: of a wall the upper end alone is seen, and a speck is false."""

DOUBTFUL_WALL_TRUTH = np.zeros((5, 6), bool)
DOUBTFUL_WALL_TRUTH[:, 3] = True
"""The truth of exercise 06.2: the wall, from border to border."""

SPECK = (3, 1)

_THREE_DIGITS = 0.001  # who writes two thirds as .667, or as .6667, is right
_FLOAT32 = 1e-4  # what is computed in float32 is right, too


@exercise("06.1")
def _gradient_by_hand(answer: Any) -> str:
    """Check the gradient of the loss by each logit of `PENCIL_PASS`, a list of six numbers."""
    slopes = numbers_of(answer, 6, "a list of six numbers, one for each pixel").tolist()
    likelihood, truth = PENCIL_PASS[0], PENCIL_PASS_TRUTH[0]
    error = likelihood - truth
    on = np.array([False, True, True, True, True, True])
    right = on * error / 5

    def misread(wrong: Any, hint: str) -> None:
        refuse(slopes, np.asarray(wrong).tolist(), hint, _THREE_DIGITS)

    misread(-right, "That is the step, which goes against the gradient: the signs are exchanged.")
    misread(5 * right, "Nearly: the loss is the mean over the pixels of M, not their sum.")
    misread(on * error / 6, "Nearly: the mean is over the pixels of M, not over all of the image.")
    misread(
        error / 6,
        "You took all six pixels. The first one lies on a slope: no way up from a pass leads "
        "through it, so it is not on the skeleton.",
    )
    misread(
        np.where(truth, -1 / likelihood, 1 / (1 - likelihood)) * on / 5,
        "That is the gradient by likelihood. By logit it has one more factor, f (1 - f), and "
        "becomes very simple.",
    )
    misread(
        np.array([0, 1, 1, 1, 0, 0]) * error / 3,
        "These are the pixels of the truth. M is the skeleton of the likelihood: it also goes "
        "where the truth is background, and there the loss lowers.",
    )
    if not alike(slopes, right.tolist(), _THREE_DIGITS):
        raise NotYetError(
            f"{count_right(slopes, right, _THREE_DIGITS)} of your 6 numbers are right. "
            "M leads from peak to peak by way of the passes; on it the gradient by logit is "
            "(f - y) / |M|, elsewhere 0."
        )
    return "The weak spot is raised most, and the false piece lowered along with the way to it."


@exercise("06.2")
def _choose_options(answer: Any) -> str:
    """Check options of `MorseLoss` with which M is the true wall and the false speck alone."""
    import torch  # only here: chapters without a network come without it

    from ...losses import MorseLoss

    if not isinstance(answer, Mapping):
        raise NotYetError("Give a dict of options, for instance {'structure': 'skeleton'}.")
    try:
        loss = MorseLoss(**answer)
    except (TypeError, ValueError) as error:
        raise NotYetError(f"MorseLoss does not take these options: {error}.") from error
    logits = torch.tensor(DOUBTFUL_WALL).logit()[None, None].requires_grad_()
    (slopes,) = torch.autograd.grad(loss(logits, torch.tensor(DOUBTFUL_WALL_TRUTH)[None]), logits)
    in_loss = slopes[0, 0].numpy() != 0
    wanted = DOUBTFUL_WALL_TRUTH.copy()
    wanted[SPECK] = True
    if (in_loss == wanted).all():
        return (
            "The truth shows what the network has overlooked, the prediction shows what it has "
            "made up, and the saddle level keeps the way between them out."
        )
    if answer.get("dilation"):
        raise NotYetError("Widening adds the sides of the wall, where nothing is wrong.")
    if not in_loss[DOUBTFUL_WALL_TRUTH].all():
        raise NotYetError(
            f"Only {in_loss[DOUBTFUL_WALL_TRUTH].sum()} of the wall's 5 pixels are in M. The "
            "likelihood shows no ridge there, whatever the thresholds: whose structures do?"
        )
    if not in_loss[SPECK]:
        raise NotYetError(
            "The wall is in M, but not the speck, so nothing lowers it. "
            + (
                "Only the prediction knows of it."
                if answer.get("of") == "truth"
                else "A speck divides nothing, so it is no border between patches."
                if answer.get("structure") == "patches"
                else "A threshold takes it away: it is .65 high, and worth less than that."
            )
        )
    extra = int((in_loss & ~wanted).sum())
    raise NotYetError(
        f"Wall and speck are in M, and {extra} more: ways through the dark, over passes of .2 and "
        "less, which are right as they are. Which of the two thresholds cuts them?"
    )


@exercise("06.3")
def _weigh_by_persistence(answer: Any) -> str:
    """Check a function (paths, persistence, cost) -> mean cost, weighted by persistence."""
    rng = np.random.default_rng(6)
    random = [rng.permutation(9)[: rng.integers(2, 6)] for _ in range(5)]
    cases = [
        ([np.array([0, 1, 2])], np.array([0.4]), np.array([1.0, 2.0, 6.0, 9.0])),
        ([np.array([3, 2, 3]), np.array([1])], np.array([0.5, 0.5]), np.arange(4.0)),
        ([np.array([0, 1, 2, 3]), np.array([3, 4])], np.array([0.6, 0.2]), np.arange(6.0) ** 2),
        (random, np.sort(rng.random(5))[::-1], rng.random(9)),
        (random, np.sort(rng.random(5)), rng.random(9)),
    ]
    answers = []
    for paths, persistence, cost in cases:
        result = call(answer, [path.copy() for path in paths], persistence.copy(), cost.copy())
        answers.append(number_of(result, f"Return one number; you returned {result!r}."))

    def costs(rule: Callable[..., float]) -> list[float]:
        return [float(rule(*case)) for case in cases]

    def weights(paths: list, persistence: np.ndarray, cost: np.ndarray, how: Any) -> np.ndarray:
        weight = np.zeros(len(cost))
        for path, worth in zip(paths, persistence, strict=True):
            how(weight, path, worth)
        return weight

    def highest(weight: np.ndarray, path: np.ndarray, worth: float) -> None:
        weight[path] = np.maximum(weight[path], worth)

    def last(weight: np.ndarray, path: np.ndarray, worth: float) -> None:
        weight[path] = worth

    def mean(weight: np.ndarray, cost: np.ndarray) -> float:
        return (weight * cost).sum() / weight.sum()

    right = costs(lambda p, w, c: mean(weights(p, w, c, highest), c))
    misread = partial(refuse, answers, within=_FLOAT32)
    misread(
        costs(lambda p, w, c: mean(weights(p, w, c, highest) > 0, c)),
        "That is the mean as before: every pixel of M has the same weight.",
    )
    misread(
        costs(lambda p, w, c: mean(weights(p, w, c, np.add.at), c)),
        "You count a pixel once for each branch, or half of a branch, that runs through it. "
        "Many branches share the way to a high peak: give each pixel the largest of their worths.",
    )
    misread(
        costs(lambda p, w, c: mean(weights(p, w, c, last), c)),
        "Where branches share a pixel, the last one overwrites the others. Keep the largest.",
    )
    misread(
        costs(lambda p, w, c: (weights(p, w, c, highest) * c).sum()),
        "That is the weighted sum. Divide it by the sum of the weights, or images with more "
        "branches cost more.",
    )
    misread(
        costs(lambda p, w, c: mean(weights(p, w, c, highest), c * weights(p, w, c, highest))),
        "The weights are in it twice.",
    )
    misread(
        costs(lambda p, w, c: float(np.average([c[path].mean() for path in p], weights=w))),
        "You averaged over branches: then a pixel of a long branch hardly counts. Give weights to "
        "pixels.",
    )
    if not alike(answers, right, _FLOAT32):
        k = first_difference(answers, right, _FLOAT32)
        raise NotYetError(
            f"For a test with {len(cases[k][0])} branch(es) and {len(cases[k][2])} pixels the "
            f"value is {right[k]:.4f}, yours {answers[k]:.4f}. Weight of a pixel: the largest "
            "persistence of the branches through it, 0 off them. Value: the weighted mean of cost."
        )
    return (
        "No threshold of persistence is left to choose: noise whispers, strong branches speak up."
    )
