"""Is a difference more than luck? Networks compared image by image and seed by seed.

Two networks that are scored on the same images are compared by their *differences*: an image that
is hard for one is hard for the other, and what they have in common cancels. Two kinds of luck are
in them, that of the seed (first weights, crops) and that of the images, and each function says
which of them it measures.

What holds for all functions: `scores` is a DataFrame with a row for each network, seed and image,
and the columns "network", "seed", "image" and one for each metric. `differences` are a (seeds,
images) array of float, network minus control, as `paired_differences` returns it; one axis stands
for a single seed. Tests over images take each image's mean over the seeds. Where anything is drawn,
`draws` says how often and `seed` decides what.

Images that belong together, as the two eyes of a person do, are not independent: what is hard in
one is often hard in the other. `groups`, one label for each image, says which do. Then whole groups
are drawn and whole groups change their sign; the mean stays that over images. Without it each image
stands for itself. `find_groups` knows the persons of chase_db1.

References
----------
.. [1] B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.
       doi:10.1214/aos/1176344552
.. [2] A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007.
       doi:10.1214/07-AOAS122
.. [3] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
       Statistics 6, 1979. https://www.jstor.org/stable/4615733
.. [4] F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945.
       doi:10.2307/3001968
.. [5] D. S. Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014.
       doi:10.2466/11.IT.3.1
.. [6] M. G. Kendall, "A new measure of rank correlation", Biometrika 30, 1938.
       doi:10.1093/biomet/30.1-2.81
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ...checks import check_choice, check_integer, check_number, check_reals

__all__ = [
    "COLUMNS",
    "FURTHER_COLUMNS",
    "bootstrap_interval",
    "change_interval",
    "compare_networks",
    "find_groups",
    "holm",
    "kendall_tau",
    "paired_differences",
    "rank_biserial",
    "rank_correlation",
    "sign_flip_test",
]

#: How many numbers are in memory at once: of very many images the draws are taken in parts, which
#: changes no draw.
AT_ONCE = 10**7

#: What tables show of `metrics.report`, and how they call it.
COLUMNS = {
    "dice": "Dice",
    "cldice": "clDice",
    "betti_0_error": "Betti-0 error",
    "betti_1_error": "Betti-1 error",
    "betti_2_error": "Betti-2 error",
    "betti_matching_error": "Betti matching error",
    "adjusted_rand_index": "ARI",
    "variation_of_information": "VOI (bits)",
}

#: What is shown of `further_metrics.further_report`, and what tables call it.
FURTHER_COLUMNS = {
    "hausdorff_distance": "HD95 (pixels)",
    "surface_dice": "surface Dice at 1 pixel",
    "topology_precision": "topology precision",
    "topology_sensitivity": "topology sensitivity",
    "betti_0_matching_error": "Betti matching error, components",
    "betti_1_matching_error": "Betti matching error, holes",
    "intersection_union_discrepancy": "DIU",
}

#: The columns that say of what a row of scores is.
KEYS = ("network", "weight", "seed", "image")

#: An eye of chase_db1: its person, and the left or the right one.
EYE = re.compile(r"(\d\d)[LR]")


def find_groups(
    images: Iterable[str], groups: str | Mapping[str, Hashable] = "persons"
) -> list[Hashable]:
    """Return for each image the group that it belongs to.

    Parameters
    ----------
    images : iterable of str
        Their names.
    groups : {"persons", "images"} or dict
        "persons": if all are named as the eyes of chase_db1, "11L" to "14R", the groups are the
        persons; else each image is one. "images": each image is one, always. A dict names the group
        of each image.

    Notes
    -----
    Some test sets are a single group, such as the slices of one stack (isbi2012_membranes) and the
    volumes of one acquisition (vesselnn_3d). Of one group nothing can be drawn. So there each image
    stands for itself, and intervals and p-values speak of this stack, not of another one.

    Examples
    --------
    >>> find_groups(["11L", "11R", "12L"])
    ['11', '11', '12']
    >>> find_groups(["071", "072"])
    ['071', '072']
    """
    names = list(images)
    if isinstance(groups, Mapping):
        missing = [name for name in names if name not in groups]
        if missing:
            raise ValueError(f"groups must name the group of each image; {missing[0]!r} is missing")
        return [groups[name] for name in names]
    eyes = [EYE.fullmatch(str(name)) for name in names]
    if check_choice(groups, ("persons", "images"), "groups") == "persons" and all(eyes):
        return [eye[1] for eye in eyes if eye]
    return list(names)


def paired_differences(
    scores: pd.DataFrame, metric: str, network: str, *, control: str = "control"
) -> pd.DataFrame:
    """Return the scores of a network minus those of the control, image by image within each seed.

    There is a row for each seed and a column for each image that both networks have. An image
    without a score in any of these seeds (NaN, or no row) is left out.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "network": ["control", "control", "arm", "arm"],
    ...     "seed": 0,
    ...     "image": ["a", "b", "a", "b"],
    ...     "betti_error": [5.0, 2.0, 3.0, 2.0],
    ... })
    >>> paired_differences(scores, "betti_error", "arm").loc[0].to_dict()
    {'a': -2.0, 'b': 0.0}
    """
    arm, base = (_by_seed(scores, metric, name) for name in (network, control))
    kept = (arm - base).dropna(how="all").dropna(axis=1)  # seeds that one lacks, then images
    if kept.empty:
        raise ValueError(
            f"{metric} of {network!r} and {control!r} have no image in common that is scored with "
            f"every seed"
        )
    return kept


def _by_seed(scores: pd.DataFrame, metric: str, network: str) -> pd.DataFrame:
    """Return the scores of one network, seeds down and images across."""
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(f"scores must be a DataFrame; got {type(scores).__name__}")
    missing = {"network", "seed", "image"} - set(scores.columns)
    if missing:
        raise ValueError(f"scores must have the columns network, seed and image; {missing} missing")
    check_choice(metric, [str(name) for name in scores.columns if name not in KEYS], "metric")
    check_choice(network, scores["network"].unique().tolist(), "network")
    rows = scores[scores["network"] == network]
    if rows.duplicated(["seed", "image"]).any():
        raise ValueError(f"scores hold more than one row for a seed and image of {network!r}")
    return rows.pivot(index="seed", columns="image", values=metric).astype(float)


def _check_differences(differences: Any) -> np.ndarray:
    """Return a (seeds, images) array of float; a single row for one seed may have one axis."""
    table = np.asarray(differences)
    if table.dtype.kind not in "biuf":
        raise TypeError(f"differences must hold numbers; got dtype {table.dtype}")
    if table.ndim not in (1, 2) or not table.size:
        raise ValueError(
            f"differences must have the axes (seeds, images), or (images); got shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ValueError("differences hold values that are NaN or infinite")
    return np.atleast_2d(table).astype(float)


def _sum_groups(table: np.ndarray, groups: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of each group's images, seeds by groups, and how many images each has."""
    count = table.shape[1]
    if groups is None:
        return table, np.ones(count)
    if isinstance(groups, str | Mapping) or not isinstance(groups, Iterable):
        raise TypeError(f"groups must be a label for each image, in a row; got {groups!r}")
    labels = list(groups)
    if len(labels) != count:
        raise ValueError(f"groups must have a label for each of {count} images; got {len(labels)}")
    numbers = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    member = np.zeros((count, len(numbers)))
    member[np.arange(count), [numbers[label] for label in labels]] = 1
    return table @ member, member.sum(axis=0)


def _of_groups(differences: Any, groups: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of each group's images, each its mean over the seeds, and the groups' sizes.

    They are without the noise of rounding, so that 0 is 0.
    """
    images = _check_differences(differences).mean(axis=0, keepdims=True).round(12)
    sums, sizes = _sum_groups(images, groups)
    return sums[0].round(12), sizes


def bootstrap_interval(
    differences: Any,
    *,
    over: str = "both",
    level: float = 0.95,
    draws: int = 5000,
    seed: int = 0,
    relative_to: Any = None,
    groups: Any = None,
) -> tuple[float, float]:
    """Return a confidence interval of the mean difference, by drawing again from what there is.

    Had we other images, or other seeds, the mean would be another. The bootstrap imitates that: it
    draws as many images (or seeds, or both, as `over` says; the other is kept as it is) as there
    are, with replacement, and takes the mean of what it drew; the interval holds the middle part,
    `level`, of many such means [1]_. All seeds are scored on the same images, so images and seeds
    are drawn independently of each other [2]_.

    With `relative_to`, the control's scores in an array of the same shape, none below 0, the
    interval is that of the difference as a part of the control: in each draw, both means are taken
    of what was drawn. So -1, nothing is left, is the least that scores of at least 0 can give. A
    draw in which the control has 0 tells no part, and is left out; if all do, both ends are NaN.

    With `groups`, as many groups as there are are drawn, each with all its images, and the mean is
    that over the images drawn.

    With few seeds the interval over them is too narrow: of three it is hardly ever wider than from
    the smallest to the largest, which holds the true median of all seeds in only three of four
    studies.

    Examples
    --------
    >>> low, high = bootstrap_interval([[-2.0, -1.0, 0.0, -1.0], [-1.0, -1.0, 0.0, -2.0]])
    >>> low, high
    (-1.5, -0.25)
    """
    table = _check_differences(differences)
    check_choice(over, ("both", "images", "seeds"), "over")
    if not 0 < check_number(level, "level") < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    draws, seed = check_integer(draws, "draws", 1), check_integer(seed, "seed")
    base = None if relative_to is None else _check_base(relative_to, table.shape)
    sums, sizes = _sum_groups(table, groups)
    if base is not None:
        base, _ = _sum_groups(base, groups)
    asked = sums.shape, over, draws, seed
    parts = _drawn(*asked) if draws * sums.shape[1] > AT_ONCE else _kept(*asked)
    means = []
    for seeds, drawn in parts:
        found = ((seeds @ sums) * drawn).sum(1)
        if base is not None:
            control = ((seeds @ base) * drawn).sum(1)
            found = found[control > 0] / control[control > 0]
        else:  # a draw of large groups holds more images
            found = found / ((drawn * sizes).sum(1) if np.ptp(sizes) else sizes[0])
        means.append(found)
    together = np.concatenate(means)
    if not together.size:
        return float("nan"), float("nan")
    low, high = np.quantile(together, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def change_interval(
    scores: pd.DataFrame,
    metric: str,
    network: str,
    *,
    seed: int = 0,
    groups: str | Mapping[str, Hashable] = "persons",
) -> tuple[float, float]:
    """Return the interval of a network's change in one score, as a part of the control's.

    It is the `bootstrap_interval` over images and seeds; `groups` are those of `find_groups`.

    Examples
    --------
    Half of the errors of each image are gone, whichever are drawn:

    >>> rows = [("control", 0, "a", 4.0), ("control", 0, "b", 6.0), ("arm", 0, "a", 2.0),
    ...         ("arm", 0, "b", 3.0)]
    >>> scores = pd.DataFrame(rows, columns=["network", "seed", "image", "betti_error"])
    >>> change_interval(scores, "betti_error", "arm")
    (-0.5, -0.5)
    """
    changes = paired_differences(scores, metric, network)
    base = _by_seed(scores, metric, "control").loc[changes.index, changes.columns]
    labels = find_groups(changes.columns, groups)
    return bootstrap_interval(changes, seed=seed, relative_to=base, groups=labels)


def _check_base(relative_to: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the control's scores, which belong to an array of differences."""
    base = check_reals(relative_to, "relative_to").astype(float)
    base = np.atleast_2d(base)
    if base.shape != shape:
        raise ValueError(
            f"relative_to must have the shape of differences, {shape}; got {base.shape}"
        )
    if not np.isfinite(base).all() or (base < 0).any():
        raise ValueError("relative_to must hold finite numbers of at least 0")
    return base


def _drawn(
    shape: tuple[int, ...], over: str, draws: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield how often each seed and each image is drawn, as parts: arrays (some draws, count)."""
    generator = np.random.default_rng(seed)

    def parts(kind: str, count: int, some: int) -> np.ndarray:
        drawn = np.ones((some, count))
        if over in ("both", kind):
            drawn = generator.multinomial(count, np.full(count, 1 / count), some).astype(float)
        return drawn / count

    seeds = parts("seeds", shape[0], draws)
    most = max(AT_ONCE // shape[1], 1)
    for first in range(0, draws, most):
        some = seeds[first : first + most]
        yield some, parts("images", shape[1], len(some))


@lru_cache(maxsize=4)  # networks of one study are compared with the same draws
def _kept(*arguments: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what `_drawn` yields, for few images."""
    return list(_drawn(*arguments))


def sign_flip_test(
    differences: Any, *, draws: int = 9999, seed: int = 0, groups: Any = None
) -> float:
    """Return how often chance alone gives a mean difference as far from zero as this one.

    Were the networks alike, each difference could as well have had the other sign. So all signs are
    flipped in all ways, and the p-value is the part of the flips whose mean is as far from zero,
    on its side, as the observed one, times two for the two sides: in (0, 1], and with n images
    never below ``2 / 2**n``. This is scipy's `permutation_test` of one paired sample. If there are
    more ways than `draws`, so many are drawn at random.

    With `groups` all images of a group flip together, and n is the number of groups.

    Examples
    --------
    Three differences of the same sign: of 8 ways to flip them, 2 are as extreme.

    >>> sign_flip_test([-3.0, -1.0, -2.0])
    0.25
    >>> sign_flip_test([-3.0, -1.0, -2.0], groups=["a", "a", "b"])
    0.5
    """
    values, _ = _of_groups(differences, groups)
    check_integer(draws, "draws", 1)
    check_integer(seed, "seed")
    if len(values) < 2 or not values.any():
        return 1.0
    test = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        n_resamples=draws,
        vectorized=True,
        batch=max(AT_ONCE // len(values), 1),
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def rank_biserial(differences: Any, *, groups: Any = None) -> float:
    """Return the effect size that belongs to the signed-rank test: how one-sided images are [5]_.

    The images are ranked by the size of their difference, zeros left out. The value is the sum of
    the ranks of the positive ones minus that of the negative ones, divided by the sum of all: from
    -1 (every image lower) to 1 (every image higher), and 0 where there is no difference. With
    `groups` their means are ranked.

    Examples
    --------
    Ranks 3, 2 and 1, of which the last belongs to a positive difference:

    >>> round(rank_biserial([-4.0, -2.0, 1.0]), 3)
    -0.667
    """
    sums, sizes = _of_groups(differences, groups)
    values = (sums / sizes).round(12)
    values = values[values != 0]
    if not values.size:
        return 0.0
    ranks = stats.rankdata(np.abs(values))
    return float((np.sign(values) * ranks).sum() / ranks.sum())


def holm(p_values: Any) -> np.ndarray:
    """Correct the p-values of several tests, so that one false alarm among all stays improbable.

    The smallest of m p-values is multiplied by m, the next by m - 1, and so on; none may become
    smaller than one before it, or larger than 1 [3]_. Takes and returns arrays (m,) of float in
    [0, 1], in the same order; those below a level are significant at this level, together.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03])
    array([0.06, 0.03, 0.06])
    """
    values = np.asarray(p_values)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"p_values must hold numbers; got dtype {values.dtype}")
    if values.ndim != 1 or not values.size:
        raise ValueError(f"p_values must have one axis and not be empty; got shape {values.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p_values must lie in [0, 1]")
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return corrected


def kendall_tau(first: Any, second: Any) -> np.ndarray:
    """Return how far two scores put the same networks in the same order: Kendall's tau-b [6]_.

    Of each pair of networks both scores say which is ahead. The value is the number of pairs on
    which they agree minus that on which they contradict each other, divided by the geometric mean
    of the numbers of pairs that each of them decides: 1 for the same order, -1 for the reverse. A
    score in which all are equal has no order; then it is 0.

    Both are (..., networks) arrays of float; what is returned has their shape without the last
    axis.

    Examples
    --------
    Three pairs; only the last two networks have changed places:

    >>> float(kendall_tau([1.0, 2.0, 3.0], [10.0, 30.0, 20.0]).round(3))
    0.333
    """
    tables = [check_reals(first, "first").astype(float), check_reals(second, "second")]
    if tables[0].shape != tables[1].shape or tables[0].ndim == 0 or tables[0].shape[-1] < 2:
        raise ValueError(
            f"first and second must score the same networks, two at least; got the shapes "
            f"{tables[0].shape} and {tables[1].shape}"
        )
    if not all(np.isfinite(table).all() for table in tables):
        raise ValueError("first and second must hold finite numbers")
    one, two = np.triu_indices(tables[0].shape[-1], 1)
    signs = [np.sign((table[..., one] - table[..., two]).round(12)) for table in tables]
    decided = [np.abs(sign).sum(-1) for sign in signs]
    pairs = np.sqrt(decided[0] * decided[1])
    agreed = (signs[0] * signs[1]).sum(-1)
    return np.asarray(agreed / np.where(pairs, pairs, 1.0))


def rank_correlation(
    first: Any, second: Any, *, draws: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """Return Kendall's tau of two scores of the same networks, and its two-sided p-value.

    Were the second order made by chance, all orders would be equally probable. The p-value is the
    part of them whose tau is as far from 0 as the observed one: exact where no two networks have
    the same score, which is scipy's `kendalltau`; else from all orders, or from `draws` of them
    where there are more, by `permutation_test`. Both are (networks,) arrays of float.

    Examples
    --------
    Of the 24 orders of four networks one alone agrees on all pairs, and one on none.

    >>> tau, p = rank_correlation([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 5.0, 7.0])
    >>> tau, round(p, 3)
    (1.0, 0.083)
    """
    check_integer(draws, "draws", 1)
    check_integer(seed, "seed")
    tau = kendall_tau(first, second)
    if tau.ndim:
        raise ValueError(f"first and second must have one axis; got {tau.ndim + 1}")
    one, two = (np.asarray(scores, float).round(12) for scores in (first, second))
    if all(len(np.unique(scores)) == len(scores) for scores in (one, two)):
        return float(tau), float(stats.kendalltau(one, two, method="exact").pvalue)
    test = stats.permutation_test(
        (one,),
        lambda permuted: kendall_tau(permuted, np.broadcast_to(two, permuted.shape)),
        permutation_type="pairings",
        n_resamples=draws,
        rng=np.random.default_rng(seed),
    )
    return float(tau), float(test.pvalue)


def compare_networks(
    scores: pd.DataFrame,
    metric: str,
    *,
    control: str = "control",
    leave_out: tuple[str, ...] = ("parent",),
    level: float = 0.95,
    draws: int = 5000,
    flips: int = 9999,
    seed: int = 0,
    groups: str | Mapping[str, Hashable] = "persons",
) -> pd.DataFrame:
    """Compare every network with the control in one score: how much, how sure, how often.

    `level` and `draws` are those of `bootstrap_interval`, `flips` the draws of `sign_flip_test`,
    and `groups` those of `find_groups`: what is said over images holds over their groups. There is
    a row for each network but the control and those of `leave_out`, in their order:

    - "control", "score", "difference": means over the images and seeds that both have;
    - "low", "high": the bootstrap interval of the difference, over images and seeds;
    - "images", "lower", "higher": how many images there are, and with how many of them the mean
      over the seeds is lower or higher than the control's; "groups": how many groups they form;
    - "seeds", "seeds_lower": how many seeds, and with how many the mean over images is lower;
    - "rank_biserial", "p_sign_flip", "p_wilcoxon" [4]_: effect size and tests over the groups, of
      which the ranks take the means;
    - "p_holm": the sign-flip p-values, corrected for the number of networks.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "network": ["control"] * 3 + ["arm"] * 3,
    ...     "seed": 0,
    ...     "image": ["a", "b", "c"] * 2,
    ...     "betti_error": [5.0, 2.0, 4.0, 3.0, 1.0, 3.0],
    ... })
    >>> row = compare_networks(scores, "betti_error").loc["arm"]
    >>> print(f"{row['difference']:.3f}, lower in {row['lower']:.0f}, p {row['p_sign_flip']:.2f}")
    -1.333, lower in 3, p 0.25
    """
    theirs = _by_seed(scores, metric, control)
    names = [name for name in scores["network"].unique() if name not in (control, *leave_out)]
    if not names:
        raise ValueError(f"scores hold no network to compare with {control!r}")
    rows = {}
    for name in names:
        table = paired_differences(scores, metric, name, control=control)
        base = float(theirs.loc[table.index, table.columns].to_numpy().mean())
        mean = float(table.to_numpy().mean())
        labels = find_groups(table.columns, groups)
        low, high = bootstrap_interval(table, level=level, draws=draws, seed=seed, groups=labels)
        (images, _), seeds = _of_groups(table, None), table.mean(axis=1).to_numpy()
        sums, sizes = _of_groups(table, labels)
        rows[name] = {
            "control": base,
            "score": base + mean,
            "difference": mean,
            "low": low,
            "high": high,
            "images": len(images),
            "lower": int((images < 0).sum()),
            "higher": int((images > 0).sum()),
            "groups": len(sizes),
            "seeds": len(seeds),
            "seeds_lower": int((seeds < 0).sum()),
            "rank_biserial": rank_biserial(images, groups=labels),
            "p_sign_flip": sign_flip_test(images, draws=flips, seed=seed, groups=labels),
            "p_wilcoxon": float(stats.wilcoxon(sums / sizes).pvalue) if sums.any() else 1.0,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")
    return table.assign(p_holm=holm(table["p_sign_flip"]))
