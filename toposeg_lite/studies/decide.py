"""What is decided from scores, by rules that are fixed beforehand: a weight, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..training.checkpoint import DICE_MARGIN

__all__ = ["choose_weight", "judge"]


def choose_weight(scores: pd.DataFrame) -> float:
    """Choose the weight with the smallest topological error among those that keep the overlap.

    `scores` are means over the validation images: a row for each weight (the index) and one for the
    control, weight 0, and the columns "dice" and "betti_matching_error", or in its place (of
    volumes it is not measured) "betti_error". Chosen is, of the weights whose Dice is at most 0.01
    below the control's, that with the smallest error; among equals the smallest weight. Where all
    cost more Dice than that, it is the one that costs least.

    Examples
    --------
    A weight of 10 has the best topology but spoils the overlap:

    >>> choose_weight(
    ...     pd.DataFrame(
    ...         {"dice": [0.80, 0.80, 0.795, 0.70], "betti_matching_error": [5.0, 3.0, 2.0, 1.0]},
    ...         index=[0, 0.1, 1, 10],
    ...     )
    ... )
    1.0
    """
    if not len(scores):
        raise ValueError("scores are empty: there is no weight to choose from")
    if 0 not in scores.index or len(scores) == 1:
        raise ValueError(
            f"scores must have a row for the control, weight 0, and one for each weight to choose "
            f"from; got the rows {scores.index.tolist()}"
        )
    arms = scores.drop(index=0)
    least = float(scores["dice"][0]) - DICE_MARGIN
    kept = arms[arms["dice"] >= least]
    if kept.empty:
        kept = arms[arms["dice"] == arms["dice"].max()]
    measured = "betti_matching_error" in kept
    error = kept["betti_matching_error" if measured else "betti_error"]
    return float(kept[error == error.min()].index.min())


def judge(arm: Sequence[float], control: Sequence[float]) -> str:
    """Say whether an error is better or worse than the control's, image by image and on average.

    Both are errors (smaller is better) on the same images. The arm is "better" if its mean is
    smaller by more than 1 % of the control's and more images have a smaller error than a larger
    one, "worse" if both hold the other way round; else there is "no clear difference".

    Examples
    --------
    >>> judge([1.0, 2.0, 3.0], [2.0, 2.0, 5.0])
    'better'
    >>> judge([1.0, 3.0], [2.0, 2.5])
    'no clear difference'
    """
    if not len(arm) or len(arm) != len(control):
        raise ValueError(
            f"arm and control must name the errors of the same images; "
            f"got {len(arm)} and {len(control)}"
        )
    difference = np.subtract(arm, control)
    margin = 0.01 * float(np.mean(control))
    images = int((difference < 0).sum() - (difference > 0).sum())
    if difference.mean() < -margin and images > 0:
        return "better"
    if difference.mean() > margin and images < 0:
        return "worse"
    return "no clear difference"
