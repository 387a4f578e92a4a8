"""Statistics of paired comparisons: against scipy, brute force over all cases, and by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from toposeg_lite.workbook.studies import statistics
from toposeg_lite.workbook.studies.statistics import (
    bootstrap_interval,
    change_interval,
    compare_networks,
    find_groups,
    holm,
    paired_differences,
    rank_biserial,
    sign_flip_test,
)


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(0.3, 1, shape)


def table_of(**networks):
    """Return scores as a study keeps them, from arrays (seeds, images)."""
    rows = [
        {"network": name, "weight": 0.0, "seed": s, "image": f"{k:03}", "error": value, "dice": 0.5}
        for name, array in networks.items()
        for s, line in enumerate(array)
        for k, value in enumerate(line)
    ]
    return pd.DataFrame(rows)


# --- Differences ------------------------------------------------------------------------------


def test_differences_are_taken_image_by_image_within_each_seed():
    control = np.array([[5.0, 2, 9], [7, 3, 8]])
    arm = np.array([[4.0, 2, 5], [9, 1, 8]])
    scores = table_of(control=control, arm=arm).sample(frac=1, random_state=3)
    found = paired_differences(scores, "error", "arm")
    np.testing.assert_array_equal(found.to_numpy(), [[-1, 0, -4], [2, -2, 0]])
    assert found.index.tolist() == [0, 1]
    assert found.columns.tolist() == ["000", "001", "002"]
    other = paired_differences(scores, "error", "control", control="arm")
    np.testing.assert_array_equal(other, -found)


def test_what_only_one_of_them_has_is_left_out():
    scores = table_of(control=np.zeros((3, 4)), arm=np.arange(8.0).reshape(2, 4))
    assert paired_differences(scores, "error", "arm").index.tolist() == [0, 1]
    scores.loc[(scores["network"] == "control") & (scores["image"] == "002"), "error"] = np.nan
    found = paired_differences(scores, "error", "arm")
    np.testing.assert_array_equal(found, [[0, 1, 3], [4, 5, 7]])
    gone = scores[(scores["network"] != "arm") | (scores["seed"] == 0) | (scores["image"] > "000")]
    np.testing.assert_array_equal(paired_differences(gone, "error", "arm"), [[1, 3], [5, 7]])


def test_nothing_in_common_and_rows_that_are_there_twice_are_errors():
    scores = table_of(control=np.zeros((1, 2)), arm=np.zeros((1, 2)))
    apart = scores.assign(image=scores["network"] + scores["image"])
    with pytest.raises(ValueError, match="no image in common"):
        paired_differences(apart, "error", "arm")
    with pytest.raises(ValueError, match="more than one row for a seed and image of 'arm'"):
        paired_differences(pd.concat([scores, scores.tail(1)]), "error", "arm")


# --- Bootstrap --------------------------------------------------------------------------------


def all_means(table, over):
    """Return the means of all equally probable draws."""
    seeds, images = table.shape
    rows = product(range(seeds), repeat=seeds) if over != "images" else [range(seeds)]
    means = []
    for row in rows:
        columns = product(range(images), repeat=images) if over != "seeds" else [range(images)]
        means += [table[np.ix_(row, column)].mean() for column in columns]
    return np.array(means)


@pytest.mark.parametrize("over", ["both", "images", "seeds"])
@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (3, 2)])
def test_intervals_are_quantiles_of_all_draws(over, shape):
    table = drawn(1, *shape)
    for level in (0.5, 0.8):
        low, high = bootstrap_interval(table, over=over, level=level, draws=60_000, seed=2)
        means = np.sort(all_means(table, over))
        # Between neighbouring draws the quantile jumps, so compare how many lie below.
        for value, part in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
            assert (means < value - 1e-9).mean() <= part + 0.01
            assert (means <= value + 1e-9).mean() >= part - 0.01


def test_a_part_of_the_control_is_taken_within_each_draw():
    """Against all draws of images one by one; and no loss mends more than there is."""
    control, loss = np.array([[8.0, 1, 0, 3]]), np.array([[1.0, 1, 0, 0]])
    parts = []
    for places in product(range(4), repeat=4):
        base, left = control[0, list(places)].sum(), loss[0, list(places)].sum()
        parts += [left / base - 1] if base else []
    low, high = bootstrap_interval(loss - control, relative_to=control, draws=60_000, level=0.8)
    for value, part in ((low, 0.1), (high, 0.9)):
        assert (np.array(parts) < value - 1e-9).mean() <= part + 0.01
        assert (np.array(parts) <= value + 1e-9).mean() >= part - 0.01
    assert low >= -1
    apart = bootstrap_interval(loss - control, draws=60_000, level=0.95)[0] / control.mean()
    assert apart < -1  # divided by the control of the images as they are, it would be
    assert bootstrap_interval(-control, relative_to=control) == (-1, -1)
    assert bootstrap_interval(control, relative_to=2 * control) == (0.5, 0.5)
    assert np.isnan(bootstrap_interval([1.0, 2.0], relative_to=[0.0, 0.0])).all()


def test_one_seed_is_the_bootstrap_of_scipy():
    values = drawn(4, 40)
    options = {"n_resamples": 20_000, "method": "percentile", "rng": 5}
    scipys = stats.bootstrap((values,), np.mean, **options).confidence_interval
    assert bootstrap_interval(values, draws=20_000) == pytest.approx(scipys, abs=0.02)
    assert bootstrap_interval(values, over="seeds") == (values.mean(),) * 2


def test_images_and_seeds_are_drawn_apart():
    """A difference that each seed has in all images alike varies with the seeds alone."""
    by_seed = np.repeat(drawn(6, 4, 1), 50, axis=1)
    low, high = bootstrap_interval(by_seed, over="images")
    assert low == pytest.approx(high)
    both, seeds = (bootstrap_interval(by_seed, over=over, seed=1) for over in ("both", "seeds"))
    assert both == pytest.approx(seeds)
    assert np.diff(both) > 0.5
    # Drawn image by image over all seeds, it would look as sure as 200 images.
    assert np.diff(both) > 3 * np.diff(bootstrap_interval(by_seed.reshape(1, -1)))


def test_three_seeds_reach_from_the_smallest_to_the_largest():
    table = np.array([[1.0], [2.0], [4.0]])
    assert bootstrap_interval(table, over="seeds") == (1, 4)


def test_the_same_seed_draws_the_same_and_levels_nest():
    table = drawn(7, 3, 9)
    assert bootstrap_interval(table, seed=8) == bootstrap_interval(table, seed=8)
    assert bootstrap_interval(table, seed=8) != bootstrap_interval(table, seed=9)
    narrow, wide = (bootstrap_interval(table, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < table.mean() < narrow[1] < wide[1]


@pytest.mark.parametrize("over", ["both", "images", "seeds"])
def test_very_many_images_are_drawn_in_parts_which_changes_nothing(over, monkeypatch):
    table = drawn(8, 2, 30)
    whole = bootstrap_interval(table, over=over), sign_flip_test(table)
    sizes = []
    real = statistics._drawn

    def spy(*arguments):
        for seeds, images in real(*arguments):
            sizes.append(images.size)
            yield seeds, images

    monkeypatch.setattr(statistics, "_drawn", spy)
    monkeypatch.setattr(statistics, "AT_ONCE", 1000)
    parts = bootstrap_interval(table, over=over), sign_flip_test(table)
    assert parts == (pytest.approx(whole[0], abs=1e-12), whole[1])
    assert sum(sizes) == 5000 * 30
    assert max(sizes) <= 1000


# --- Tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 5, 9])
def test_signs_are_flipped_in_all_ways(seed, count):
    values = np.random.default_rng(seed).integers(-4, 5, count).astype(float)
    flips = np.array(list(product([-1, 1], repeat=count)))
    means = flips @ values
    extreme = np.abs(means) >= abs(values.sum())
    assert sign_flip_test(values) == pytest.approx(extreme.mean())


def test_many_images_are_flipped_at_random():
    values = drawn(3, 40)
    signs = np.random.default_rng(0).choice([-1, 1], (200_000, 40))
    expected = (np.abs(signs @ values) >= abs(values.sum()) - 1e-9).mean()
    assert sign_flip_test(values) == pytest.approx(expected, abs=0.01)
    assert sign_flip_test(np.ones(40)) == pytest.approx(2e-4)  # the observed one counts, too
    assert sign_flip_test(values, seed=1) == sign_flip_test(values, seed=1)


def test_the_test_is_about_images_so_seeds_are_averaged():
    table = drawn(5, 3, 6)
    assert sign_flip_test(table) == sign_flip_test(table.mean(0))
    assert rank_biserial(table) == rank_biserial(table.mean(0))
    back = np.array([[-0.1, 1, 2], [-0.2, 1, 2], [0.3, 1, 2]])  # the first is 0, but for rounding
    assert back[:, 0].mean() < 0
    assert rank_biserial(back) == 1
    assert sign_flip_test(back) == 0.5


def test_one_image_and_no_difference_say_nothing():
    assert sign_flip_test([3.0]) == sign_flip_test(np.zeros((2, 5))) == 1
    assert rank_biserial(np.zeros(3)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_effect_size_counts_pairs_of_images(seed):
    """Of all means of two images (an image with itself, too): part above 0 minus part below."""
    values = np.random.default_rng(seed).normal(0.2, 1, 12)
    walsh = [values[i] + values[j] for i in range(12) for j in range(i, 12)]
    assert rank_biserial(values) == pytest.approx(np.mean(np.sign(walsh)))
    assert rank_biserial(-values) == pytest.approx(-rank_biserial(values))


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.3], [0.3]),
        ([0.5, 0.5], [1.0, 1.0]),
        ([0.001, 0.02, 0.02, 0.9], [0.004, 0.06, 0.06, 0.9]),
        ([1, 0], [1, 0]),
    ],
)
def test_holm_by_hand(p_values, corrected):
    np.testing.assert_allclose(holm(p_values), corrected)


def test_holm_rejects_as_the_step_down_rule_does():
    """Holm 1979: go up from the smallest; stop at the first one that is above its own level."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        p_values = generator.random(generator.integers(1, 7)) ** 3
        rejected = np.zeros(len(p_values), bool)
        for k, place in enumerate(np.argsort(p_values)):
            if p_values[place] > 0.05 / (len(p_values) - k):
                break
            rejected[place] = True
        np.testing.assert_array_equal(holm(p_values) <= 0.05, rejected)
        assert (holm(p_values) <= np.minimum(p_values * len(p_values), 1)).all()  # Bonferroni


# --- All together -----------------------------------------------------------------------------


def test_every_network_is_compared_with_the_control():
    control = drawn(0, 3, 12) + 5
    arms = {"worse": control + 1 + 0.1 * drawn(1, 3, 12), "alike": control.copy()}
    arms["better"] = control - np.abs(drawn(2, 3, 12))
    scores = table_of(parent=control * 2, control=control, **arms)
    table = compare_networks(scores, "error", draws=500, seed=4)
    assert table.index.tolist() == list(arms)
    for name, array in arms.items():
        row, difference = table.loc[name], array - control
        assert row["control"] == pytest.approx(control.mean())
        assert row["score"] == pytest.approx(array.mean())
        assert row["difference"] == pytest.approx(difference.mean(), abs=1e-12)
        expected = bootstrap_interval(difference, draws=500, seed=4)
        assert (row["low"], row["high"]) == pytest.approx(expected)
        assert (row["images"], row["seeds"]) == (12, 3)
        assert row["p_sign_flip"] == sign_flip_test(difference, seed=4)
        means = difference.mean(0)
        assert row["p_wilcoxon"] == (stats.wilcoxon(means).pvalue if name != "alike" else 1)
        assert row["rank_biserial"] == rank_biserial(difference)
        assert (row["lower"], row["higher"]) == ((means < 0).sum(), (means > 0).sum())
        assert row["seeds_lower"] == (difference.mean(1) < 0).sum()
    assert (table.loc["better", "lower"], table.loc["better", "seeds_lower"]) == (12, 3)
    assert (table.loc["worse", "higher"], table.loc["worse", "seeds_lower"]) == (12, 0)
    np.testing.assert_array_equal(table["p_holm"], holm(table["p_sign_flip"]))
    against = compare_networks(scores, "error", control="parent", leave_out=())
    assert against.index.tolist() == ["control", *arms]
    assert against.loc["control", "difference"] == pytest.approx(-control.mean())


def test_means_are_over_what_both_have():
    scores = table_of(control=[[1.0, 2], [3, 100]], arm=[[0.0, 0]])
    row = compare_networks(scores, "error").loc["arm"]
    assert (row["control"], row["score"], row["difference"]) == (1.5, 0, -1.5)
    assert (row["seeds"], row["images"]) == (1, 2)


# --- Images that belong together --------------------------------------------------------------


def test_the_persons_of_chase_db1_are_known_by_the_names_of_their_eyes():
    assert find_groups(["11L", "11R", "14L"]) == ["11", "11", "14"]
    assert find_groups(["11L", "11R", "14L"], "images") == ["11L", "11R", "14L"]
    assert find_groups(["11L", "retina"]) == ["11L", "retina"]  # not a set of eyes
    assert find_groups(["011L", "slice-25"], {"011L": 3, "slice-25": 3, "x": 4}) == [3, 3]


def test_groups_of_one_image_each_are_no_groups():
    table, base = drawn(9, 3, 7), np.abs(drawn(10, 3, 7)) + 1
    labels = list("gfedcba")
    for options in ({}, {"over": "images"}, {"over": "seeds"}, {"relative_to": base}):
        alone = bootstrap_interval(table, groups=labels, **options)
        assert alone == bootstrap_interval(table, **options)
    assert sign_flip_test(table, groups=labels) == sign_flip_test(table)
    assert rank_biserial(table, groups=labels) == rank_biserial(table)


@pytest.mark.parametrize("copies", [2, 3])
def test_images_that_are_there_again_say_nothing_new(copies):
    """Each image comes several times: grouped, everything is as if it came once."""
    table, base = drawn(11, 3, 6), np.abs(drawn(12, 3, 6)) + 1
    again, bases = (np.tile(values, copies) for values in (table, base))
    labels = list(range(6)) * copies
    assert sign_flip_test(again, groups=labels) == sign_flip_test(table)
    assert rank_biserial(again, groups=labels) == pytest.approx(rank_biserial(table))
    grouped = bootstrap_interval(again, groups=labels)
    assert grouped == pytest.approx(bootstrap_interval(table))
    assert np.diff(bootstrap_interval(again)) < np.diff(grouped)
    part = bootstrap_interval(again, groups=labels, relative_to=bases)
    assert part == pytest.approx(bootstrap_interval(table, relative_to=base))
    assert sign_flip_test(again) < sign_flip_test(table)


@pytest.mark.parametrize("seed", range(5))
def test_groups_flip_together_in_all_ways(seed):
    """Four groups of one to three images: 16 ways, and the mean is that over the images."""
    values = np.random.default_rng(seed).integers(-4, 6, 8).astype(float)
    labels = ["a", "b", "b", "c", "d", "c", "d", "d"]
    count = 0
    for signs in product([-1, 1], repeat=4):
        sign = dict(zip("abcd", signs, strict=True))
        flipped = sum(sign[label] * value for label, value in zip(labels, values, strict=True))
        count += abs(flipped) >= abs(values.sum())
    assert sign_flip_test(values, groups=labels) == count / 16


def test_four_persons_by_hand():
    eyes, persons = [-2.0, -3, 1, -2, 1, 1, -4, -4], [1, 1, 2, 2, 3, 3, 4, 4]
    # The persons have -5, -1, 2 and -8, with the sum -12. As far are: all minus, -16; the 1 plus,
    # -14; the 2 plus, -12. The 5 plus would be -6. Mirrored these are three more of 16.
    assert sign_flip_test(eyes, groups=persons) == 6 / 16
    worst = [-1.0, -2, -3, -4, -5, -6, -7, -8]  # no four persons can have less
    assert sign_flip_test(worst, groups=persons) == 2 / 16
    assert sign_flip_test(worst) == 2 / 256
    # Means -2.5, -.5, 1, -4: ranks 3, 1, 2, 4, of which the third is positive.
    assert rank_biserial(eyes, groups=persons) == pytest.approx((2 - 3 - 1 - 4) / 10)
    assert sign_flip_test(worst, groups=[1] * 8) == 1  # one group says nothing


def test_a_draw_takes_all_images_of_a_group():
    """Against all 27 draws of three groups of unlike sizes."""
    values, labels = np.array([4.0, 0, 1, 7, 3, 3]), ["a", "a", "a", "b", "c", "c"]
    control = np.array([8.0, 1, 1, 9, 4, 5])
    members = [np.array(labels) == name for name in "abc"]
    means, parts = [], []
    for draw in product(members, repeat=3):
        means.append(np.concatenate([values[member] for member in draw]).mean())
        parts.append(means[-1] / np.concatenate([control[member] for member in draw]).mean())
    for level in (0.5, 0.8):
        for found, options in ((means, {}), (parts, {"relative_to": control})):
            ends = bootstrap_interval(values, groups=labels, draws=60_000, level=level, **options)
            for value, part in zip(ends, ((1 - level) / 2, (1 + level) / 2), strict=True):
                assert (np.array(found) < value - 1e-9).mean() <= part + 0.01
                assert (np.array(found) <= value + 1e-9).mean() >= part - 0.01


def test_eyes_are_compared_by_their_persons():
    control = drawn(0, 3, 8) + 5
    arm = control - np.abs(drawn(2, 3, 8))
    scores = table_of(control=control, arm=arm)
    eyes = [f"{person}{side}" for person in range(11, 15) for side in "LR"]
    named = scores.assign(image=[eyes[int(image)] for image in scores["image"]])
    plain, row = (compare_networks(s, "error").loc["arm"] for s in (scores, named))
    assert (plain["images"], plain["groups"], plain["p_sign_flip"]) == (8, 8, 2 / 256)
    assert (row["images"], row["groups"], row["lower"]) == (8, 4, 8)
    assert row["p_sign_flip"] == row["p_wilcoxon"] == 2 / 16
    assert row["difference"] == plain["difference"]
    persons = [eye[:2] for eye in eyes]
    assert (row["low"], row["high"]) == bootstrap_interval(arm - control, groups=persons)
    pd.testing.assert_series_equal(
        compare_networks(named, "error", groups="images").loc["arm"], plain
    )
    given = compare_networks(scores, "error", groups={f"{k:03}": k // 2 for k in range(8)})
    pd.testing.assert_series_equal(given.loc["arm"], row)


def test_a_change_is_a_part_of_the_control_of_the_same_persons():
    control = np.abs(drawn(0, 2, 6)) + 5
    arm = control - np.abs(drawn(2, 2, 6))
    scores = table_of(control=control, arm=arm).sample(frac=1, random_state=0)
    names = {f"{k:03}": f"{k // 2:02}{'LR'[k % 2]}" for k in range(6)}
    named = scores.assign(image=scores["image"].map(names))
    whole = bootstrap_interval(arm - control, relative_to=control)
    persons = bootstrap_interval(arm - control, relative_to=control, groups=[0, 0, 1, 1, 2, 2])
    assert whole != persons
    assert change_interval(scores, "error", "arm") == pytest.approx(whole)
    assert change_interval(named, "error", "arm") == pytest.approx(persons)
    assert change_interval(named, "error", "arm", groups="images") == pytest.approx(whole)
