"""The topological loss against its formula on GUDHI's pairs, and what its gradient does."""

from __future__ import annotations

from itertools import product

import gudhi
import numpy as np
import pytest
import torch
from loss_batches import likelihoods, random_batch
from scipy import ndimage
from skimage.measure import euler_number
from torch.nn import functional as F

from toposeg_lite.losses import topological, topological_loss
from toposeg_lite.topology.matching import MATCHINGS, match_to_mask
from toposeg_lite.topology.persistence import persistence_pairs

# --- An independent topological loss ----------------------------------------------------------


def gudhi_points(image, connectivity, closed):
    """Finite points of each dimension, (n, 2) with birth above death; and the essential birth."""
    if closed:
        image = np.pad(image, 1, constant_values=1.0)
    construction = "vertices" if connectivity == 1 else "top_dimensional_cells"
    complex_ = gudhi.CubicalComplex(**{construction: -image})
    complex_.compute_persistence()
    points = [
        -complex_.persistence_intervals_in_dimension(k).reshape(-1, 2) for k in range(image.ndim)
    ]
    essential = np.isinf(points[0][:, 1])
    return [points[0][~essential], *points[1:]], points[0][essential][0, 0]


def scipy_betti(mask, connectivity, closed):
    """Betti numbers: components, those of the background but the outside, and the rest of Euler."""
    mask = np.pad(mask, 1, constant_values=closed)
    if closed:
        mask = np.pad(mask, 1)
    few, many = ndimage.generate_binary_structure(mask.ndim, 1), np.ones((3,) * mask.ndim)
    own, dual = (few, many) if connectivity == 1 else (many, few)
    components, others = ndimage.label(mask, own)[1], ndimage.label(~mask, dual)[1] - 1
    if mask.ndim == 2:
        return components, others
    return components, components + others - euler_number(mask, connectivity), others


def brute_force(image, mask, matching, connectivity, closed):
    """The topological loss of one image, from the formula in the docstring."""
    points, highest = gudhi_points(image, connectivity, closed)
    betti = scipy_betti(mask, connectivity, closed)
    total = (highest - (betti[0] > 0)) ** 2
    for dimension, here in enumerate(points):
        count = betti[dimension] - (dimension == 0 and betti[0] > 0)
        to_corner = (1 - here[:, 0]) ** 2 + here[:, 1] ** 2
        to_diagonal = (here[:, 0] - here[:, 1]) ** 2 / 2
        saved = np.sort(to_diagonal + 0.5 - to_corner)[::-1]
        if matching == "rank":
            best = np.argsort(-to_diagonal)[:count]
            saved = (to_diagonal + 0.5 - to_corner)[best]
        else:
            saved = np.maximum(saved[:count], 0)
        total += to_diagonal.sum() + 0.5 * count - saved.sum()
    return total / (sum(betti) + 1)


@pytest.mark.parametrize("border", ["open", "closed"])
@pytest.mark.parametrize(
    ("spatial", "connectivity"), [((9, 13), 1), ((9, 13), 2), ((6, 7, 8), 1), ((6, 7, 8), 3)]
)
@pytest.mark.parametrize("matching", ["rank", "wasserstein"])
def test_topological_value_equals_the_formula_on_gudhis_pairs(
    matching, spatial, connectivity, border
):
    for seed, channels in ((0, 1), (1, 3), (2, 1)):
        logits, target = random_batch(seed, (3, channels, *spatial), torch.float64)
        target[0] *= seed != 2  # an empty truth too
        images, masks = likelihoods(logits, target)
        expected = [
            np.mean(
                [
                    brute_force(image, mask, matching, connectivity, border == "closed")
                    for image, mask in zip(*of_one, strict=True)
                ]
            )
            for of_one in zip(images, masks, strict=True)
        ]
        options = {"matching": matching, "connectivity": connectivity, "border": border}
        value = topological_loss(logits, target, reduction="none", **options)
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)
        assert topological_loss(logits, target, **options).item() == pytest.approx(
            np.mean(expected)
        )
        assert topological_loss(logits, target, reduction="sum", **options).item() == pytest.approx(
            np.sum(expected)
        )


def test_weights_of_dimensions_and_sums_multiply_their_parts():
    logits, target = random_batch(4, dtype=torch.float64)

    def value(**options):
        return topological_loss(logits, target, **options).item()

    components, holes = value(dimension_weights=(1, 0)), value(dimension_weights=(0, 1))
    assert components > 0
    assert holes > 0
    assert value() == pytest.approx(components + holes)
    assert value(dimension_weights=[0.5, 3]) == pytest.approx(0.5 * components + 3 * holes)
    matched, others = value(unmatched_weight=0), value(matched_weight=0)
    assert min(matched, others) > 0
    assert value(matched_weight=2, unmatched_weight=0.3) == pytest.approx(
        2 * matched + 0.3 * others
    )


def test_features_without_a_partner_cost_what_the_diagonal_does():
    logits = torch.zeros(1, 1, 1, 5)
    target = torch.tensor([[[1, 0, 1, 0, 1]]])
    for options, cost in (
        ({}, 2 / 2),
        ({"unmatched_weight": 3}, 3 * 2 / 2),
        ({"unmatched_weight": 0}, 0),
        ({"dimensions": [1]}, -0.25),
    ):
        value = topological_loss(logits, target, matching="rank", **options).item()
        assert value == pytest.approx((0.5**2 + cost) / (1 + 3 * ("dimensions" not in options)))
    both = topological_loss(logits, target, matching="rank", dimension_weights=(2, 9)).item()
    assert both == pytest.approx(2 * (0.5**2 + 1) / 4)


def test_dimensions_left_out_count_nowhere():
    logits, target = random_batch(5, (1, 1, 19, 23), torch.float64)
    betti = scipy_betti(target[0].numpy() == 1, 2, False)
    assert min(betti) > 0
    together = 1 + sum(betti)
    for k in (0, 1):
        alone = topological_loss(logits, target, dimensions=[k]).item()
        weights = [float(k == 0), float(k == 1)]
        within = topological_loss(logits, target, dimension_weights=weights).item()
        assert alone == pytest.approx(within * together / (1 + betti[k]))


def test_min_persistence_leaves_weak_pairs_alone():
    logits, target = random_batch(6, (1, 1, 16, 11), torch.float64)
    logits.requires_grad_()
    topological_loss(logits, target, matching="rank", min_persistence=0.2).backward()
    pairs = persistence_pairs(logits.sigmoid()[0, 0].detach().numpy(), min_persistence=0.2)
    weak = persistence_pairs(logits.sigmoid()[0, 0].detach().numpy())
    strong_pixels = {*pairs.birth_index, *pairs.death_index} - {-1}
    assert set(logits.grad.flatten().nonzero().flatten().tolist()) == strong_pixels
    assert len(pairs) < len(weak) - 5


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("border", ["open", "closed"])
def test_the_gradient_is_zero_outside_the_critical_pixels(border, matching):
    logits, target = random_batch(9, (2, 1, 16, 11), torch.float64)
    logits.requires_grad_()
    topological_loss(logits, target, border=border, matching=matching).backward()
    assert logits.grad.any()
    likelihood = logits.sigmoid().detach()
    for image, labels, slope in zip(likelihood, target, logits.grad, strict=True):
        pairs = persistence_pairs(image[0].numpy(), border=border)
        missing = match_to_mask(
            pairs, image[0].numpy(), labels.numpy() == 1, matching, connectivity=2, border=border
        ).missing_pixel
        assert (missing >= 0).any() == (matching == "spatial")
        critical = {*pairs.birth_index, *pairs.death_index, *missing} - {-1}
        assert set(slope[0].flatten().nonzero().flatten().tolist()) == critical
        assert len(critical) < image.numel() / 2


# --- What each matching does ------------------------------------------------------------------

TWO_BLOBS = torch.tensor([[0.1, 0.1, 0.1, 0.1], [0.1, 0.8, 0.1, 0.55], [0.1, 0.1, 0.1, 0.1]])
RING = torch.tensor(
    [[0.1, 0.1, 0.1, 0.1, 0.1]] + [[0.1, 0.9, 0.9, 0.9, 0.1]] * 3 + [[0.1, 0.1, 0.1, 0.1, 0.1]] * 2
)
FILLED_HOLE = RING.clone()
FILLED_HOLE[2, 2] = 0.8


def descend(image, mask, steps=200, rate=4.0, also=None, **options):
    """The likelihood after gradient descent on its logits."""
    logits = image[None, None].double().logit().requires_grad_()
    optimiser = torch.optim.SGD([logits], rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = topological_loss(logits, mask[None], **options)
        if also is not None:
            loss = also * loss + F.binary_cross_entropy_with_logits(logits, mask[None, None] * 1.0)
        loss.backward()
        optimiser.step()
    return logits.sigmoid().detach()[0, 0]


BLIND = [name for name in MATCHINGS if name != "spatial"]


@pytest.mark.parametrize("matching", BLIND)
def test_a_false_blob_is_kept_and_the_fainter_true_one_removed(matching):
    mask = TWO_BLOBS == 0.55
    value = topological_loss(TWO_BLOBS[None, None].logit(), mask[None], matching=matching)
    assert value.item() == pytest.approx((0.2**2 + 0.45**2 / 2) / 2)
    after = descend(TWO_BLOBS, mask, matching=matching)
    assert after[1, 1] > 0.95
    assert after[1, 3] < 0.4
    assert len(persistence_pairs(after.numpy(), min_persistence=0.01)) == 1


def test_spatial_raises_the_true_blob_and_lowers_the_brighter_false_one():
    mask = TWO_BLOBS == 0.55
    logits = TWO_BLOBS[None, None].logit().requires_grad_()
    value = topological_loss(logits, mask[None], matching="spatial")
    # The true one is drawn to (1, 0); the false one, which never dies, to the diagonal.
    assert value.item() == pytest.approx((0.45**2 + 0.1**2 + 0.8**2 / 2) / 2)
    value.backward()
    assert logits.grad[0, 0, 1, 3] < 0 < logits.grad[0, 0, 1, 1]
    after = descend(TWO_BLOBS, mask, matching="spatial")
    assert after[1, 3] > 0.95
    assert after[1, 1] < 0.4
    assert len(persistence_pairs(after.numpy(), min_persistence=0.01)) == 1


@pytest.mark.parametrize("matching", MATCHINGS)
def test_where_the_true_blob_is_the_brighter_one_the_false_one_is_removed(matching):
    after = descend(TWO_BLOBS, TWO_BLOBS == 0.8, matching=matching)
    assert after[1, 1] > 0.95
    assert after[1, 3] < 0.4
    assert len(persistence_pairs(after.numpy(), min_persistence=0.01)) == 1


@pytest.mark.parametrize("matching", MATCHINGS)
def test_a_mostly_filled_hole_is_filled_by_wasserstein_and_opened_by_the_others(matching):
    mask = FILLED_HOLE == 0.9
    logits = FILLED_HOLE[None, None].double().logit()
    value = topological_loss(logits, mask[None], matching=matching).item()
    after = descend(FILLED_HOLE, mask, matching=matching)
    if matching == "wasserstein":
        assert value == pytest.approx((0.1**2 + 0.1**2 / 2 + 1 / 2) / 3)
        assert after[2, 2] > 0.8
        assert len(persistence_pairs(after.numpy(), min_persistence=0.05).of_dimension(1)) == 0
    else:
        assert value == pytest.approx((0.1**2 + 0.1**2 + 0.8**2) / 3)
        assert after[2, 2] < 0.1


def test_spatial_acts_on_the_highest_pixel_of_a_missing_component():
    logits = torch.tensor([[[[0.9, 0.3, 0.5, 0.4]]]]).logit().requires_grad_()
    truth = torch.tensor([[[0, 1, 0, 1]]])  # the pairs are born at .9 and at .5, outside of both
    value = topological_loss(logits, truth, matching="spatial")
    unmatched = 0.9**2 / 2 + 0.2**2 / 2
    missing = 0.5 + 0.7**2 + 0.5 + 0.6**2
    assert value.item() == pytest.approx((unmatched + missing) / 3)
    value.backward()
    assert logits.grad[0, 0, 0, 3] < 0
    weighed = topological_loss(
        logits, truth, matching="spatial", matched_weight=3, unmatched_weight=2,
        dimension_weights=(7, 1),
    )  # fmt: skip
    expected = 7 * (2 * (unmatched + 1) + 3 * (0.7**2 + 0.6**2)) / 3
    assert weighed.item() == pytest.approx(expected)
    after = descend(logits.detach().sigmoid()[0, 0], truth[0], matching="spatial")[0]
    assert after[2] < 0.5 < min(after[1], after[3])


@pytest.mark.parametrize("place", [0, 3])
def test_spatial_acts_at_the_very_corners_of_an_image_too(place):
    logits = torch.tensor([[[[0.3, 0.2], [0.9, 0.4]]]]).logit().requires_grad_()
    truth = (torch.arange(4) == place).reshape(1, 2, 2)
    topological_loss(logits, truth).backward()
    assert logits.grad.flatten()[place] < 0 < logits.grad[0, 0, 1, 0]


def test_spatial_acts_on_the_lowest_pixel_of_a_missing_hole():
    disc = torch.where(RING > 0.5, 0.9, 0.1)
    disc[2, 2] = 0.95
    truth = (FILLED_HOLE == 0.9)[None]
    logits = disc[None, None].logit().requires_grad_()
    value = topological_loss(logits, truth, matching="spatial", dimensions=[1])
    assert value.item() == pytest.approx((0.5 + 0.95**2) / 2)
    value.backward()
    assert logits.grad[0, 0].nonzero().tolist() == [[2, 2]]
    assert logits.grad[0, 0, 2, 2] > 0
    after = descend(disc, truth[0], matching="spatial")
    assert after[2, 2] < 0.2
    for matching in ("rank", "wasserstein", "betti"):
        value = topological_loss(logits, truth, matching=matching, dimensions=[1])
        assert value.item() == pytest.approx(0.5 / 2)
        assert not torch.autograd.grad(value, logits)[0].any()


@pytest.mark.parametrize("matching", MATCHINGS)
def test_only_the_truth_itself_costs_nothing(matching):
    truth = torch.zeros(1, 6, 11, dtype=torch.int64)
    truth[:, 1:5, 1:5] = 1
    truth[:, 2:4, 2:4] = 0
    truth[:, 1:5, 8] = 1
    for likelihood, perfect in (
        (truth.float(), True),
        (torch.ones(1, 6, 11), False),
        (torch.zeros(1, 6, 11), False),
        (1 - truth.float(), False),
    ):
        logits = (likelihood[:, None] * 2 - 1) * 1000
        value = topological_loss(logits, truth, matching=matching).item()
        assert (value == 0) == perfect


@pytest.mark.parametrize("matching", MATCHINGS)
def test_a_broken_line_is_mended_and_a_false_hole_filled(matching):
    line = torch.full((3, 9), 0.05)
    line[1] = 0.9
    line[1, 4] = 0.3
    after = descend(line, (torch.arange(3) == 1)[:, None].expand(3, 9), matching=matching)
    assert after[1].min() > 0.5
    hole = torch.where(FILLED_HOLE == 0.8, 0.3, FILLED_HOLE)
    after = descend(hole, hole != 0.1, matching=matching)
    assert after[2, 2] > 0.5


@pytest.mark.parametrize("matching", MATCHINGS)
def test_in_volumes_a_tube_is_mended_a_false_cavity_filled_and_a_true_one_opened(matching):
    tube = torch.full((3, 3, 7), 0.05)
    tube[1, 1] = 0.9
    tube[1, 1, 3] = 0.3
    after = descend(tube, tube > 0.2, steps=60, matching=matching)
    assert after[1, 1].min() > 0.5
    block = torch.full((5, 5, 5), 0.05)
    block[1:4, 1:4, 1:4] = 0.9
    block[2, 2, 2] = 0.3
    assert descend(block, block > 0.1, steps=60, matching=matching)[2, 2, 2] > 0.5
    block[2, 2, 2] = 0.4
    assert descend(block, block > 0.5, steps=60, matching=matching)[2, 2, 2] < 0.1


@pytest.mark.parametrize("matching", MATCHINGS)
def test_false_positives_in_an_empty_truth_are_punished(matching):
    empty = torch.zeros(3, 4, dtype=torch.bool)
    value = topological_loss(TWO_BLOBS[None, None].logit(), empty[None], matching=matching)
    assert value.item() == pytest.approx(0.8**2 + 0.45**2 / 2)
    assert descend(TWO_BLOBS, empty, matching=matching).max() < 0.3


def test_the_topological_term_mends_what_the_pixels_leave_broken():
    """A gap that the cross-entropy of the whole image hardly feels is closed sooner."""
    line = torch.full((9, 31), 0.05)
    line[4] = 0.95
    line[4, 15] = 0.2
    mask = (torch.arange(9) == 4)[:, None].expand(9, 31)
    without = descend(line, mask, steps=60, rate=1.0, also=0.0)
    with_it = descend(line, mask, steps=60, rate=1.0, also=1.0)
    assert without[4, 15] < 0.5 < with_it[4, 15]


# --- Windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "window", "overlap", "rows", "columns"),
    [
        ((10, 3), 4, 1, [0, 3, 6], [0]),
        ((9, 13), (4, 6), (3, 0), [0, 1, 2, 3, 4, 5], [0, 6, 7]),
        ((8, 8), 4, 0, [0, 4], [0, 4]),
        ((8, 9), (8, 3), (0, 1), [0], [0, 2, 4, 6]),
        ((1, 1), 64, 32, [0], [0]),
        ((5, 2), (1, 9), (0, 8), [0, 1, 2, 3, 4], [0]),
        ((5, 2), (3, 9), (1, 2), [0, 2], [0]),  # an axis no longer than the overlap
    ],
)
def test_windows_start_where_they_should(shape, window, overlap, rows, columns):
    windows = topological._windows(shape, window, overlap)
    assert [tuple(axis.start for axis in w) for w in windows] == list(product(rows, columns))
    sizes = np.minimum(np.broadcast_to(window, 2), shape)
    assert all(tuple(a.stop - a.start for a in w) == tuple(sizes) for w in windows)
    covered = np.zeros(shape, bool)
    for w in windows:
        covered[w] = True
    assert covered.all()


@pytest.mark.parametrize("options", [{"window": (4, 6), "overlap": (3, 0)}, {"window": 5}])
def test_windows_are_closed_crops(options):
    logits, target = random_batch(10, (1, 3, 9, 13), torch.float64)
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    crops = topological._windows((9, 13), options["window"], options.get("overlap", 0))
    assert len(crops) > 5
    parts = [
        topological_loss(leaf[(..., *crop)], target[(..., *crop)], border="closed")
        for crop in crops
    ]
    torch.stack(parts).mean().backward()
    value = topological_loss(twin, target, **options)
    value.backward()
    assert value.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-12)
    torch.testing.assert_close(leaf.grad, twin.grad, rtol=1e-9, atol=1e-15)


def test_an_error_in_a_thread_is_raised_to_the_caller():
    logits, target = random_batch(17, (2, 1, 4, 4))
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with pytest.raises(ValueError, match="dimension_weights must have 2 entries"):
                topological_loss(logits, target, dimension_weights=(1, 1, 1))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("matching", ["spatial", "betti", "rank"])
def test_the_floor_of_volumes_is_a_thousandth_and_changes_less_than_that(matching):
    """Among others tunnels and components that would die below it, and grains born there."""
    rng = np.random.default_rng(21)
    logits = torch.tensor(rng.normal(-6, 4, (1, 1, 9, 10, 11)))
    target = torch.tensor(rng.random((1, 9, 10, 11)) < 0.2)
    found = {}
    for floor in (None, 0.001, 0.0):
        leaf = logits.clone().requires_grad_()
        value = topological_loss(leaf, target, matching=matching, floor=floor)
        value.backward()
        found[floor] = value.item(), leaf.grad
    assert found[None][0] == found[0.001][0] != found[0.0][0]
    assert torch.equal(found[None][1], found[0.001][1])
    assert found[None][0] == pytest.approx(found[0.0][0], rel=1e-3)
    assert not torch.equal(found[None][1], found[0.0][1])
    assert (found[None][1] - found[0.0][1]).norm() < 1e-3 * found[0.0][1].norm()
