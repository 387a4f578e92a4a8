"""The losses against formulas written out again with GUDHI and SciPy, and their gradients."""

from __future__ import annotations

import inspect
from itertools import product

import gudhi
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from toposeg_lite.losses import (
    LOSSES,
    ClDiceLoss,
    DiceBCELoss,
    SumLoss,
    TopologicalLoss,
    cldice,
    cldice_loss,
    dice_bce_loss,
    make_loss,
    topological,
    topological_loss,
)
from toposeg_lite.topology.matching import MATCHINGS
from toposeg_lite.topology.persistence import persistence_pairs

FUNCTIONS = {
    DiceBCELoss: dice_bce_loss,
    TopologicalLoss: topological_loss,
    ClDiceLoss: cldice_loss,
}


def random_batch(seed=0, shape=(2, 1, 9, 13), dtype=torch.float32, scale=2.0):
    """Smooth random logits without ties, and labels of smooth shapes."""
    rng = np.random.default_rng(seed)
    sigma = (0, 0) + (0.8,) * (len(shape) - 2)
    logits = ndimage.gaussian_filter(rng.normal(size=shape), sigma) * 3 * scale
    classes = np.arange(max(shape[1], 2)).reshape(1, -1, *[1] * (len(shape) - 2))
    smooth = ndimage.gaussian_filter(rng.normal(size=(shape[0], classes.size, *shape[2:])), sigma)
    return torch.tensor(logits, dtype=dtype), torch.tensor(smooth.argmax(1))


def likelihoods(logits, target):
    """The images and masks that a loss compares, (B, K, *spatial) each."""
    logits, labels = logits.double().numpy(), target.numpy()
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits)), (labels == 1)[:, None]
    powers = np.exp(logits)
    images = (powers / powers.sum(1, keepdims=True))[:, 1:]
    return images, np.stack([labels == k for k in range(1, logits.shape[1])], axis=1)


# --- An independent topological loss ----------------------------------------------------------


def gudhi_points(image, connectivity, closed):
    """Finite points of each dimension, (n, 2) with birth above death; and the essential birth."""
    if closed:
        image = np.pad(image, 1, constant_values=1.0)
    construction = "top_dimensional_cells" if connectivity == 2 else "vertices"
    complex_ = gudhi.CubicalComplex(**{construction: -image})
    complex_.compute_persistence()
    points = [-complex_.persistence_intervals_in_dimension(k).reshape(-1, 2) for k in (0, 1)]
    essential = np.isinf(points[0][:, 1])
    return [points[0][~essential], points[1]], points[0][essential][0, 0]


def scipy_betti(mask, connectivity, closed):
    """Betti numbers: components, and components of the background but the outside."""
    mask = np.pad(mask, 1, constant_values=closed)
    if closed:
        mask = np.pad(mask, 1)
    few, many = ndimage.generate_binary_structure(2, 1), np.ones((3, 3))
    own, dual = (few, many) if connectivity == 1 else (many, few)
    return ndimage.label(mask, own)[1], ndimage.label(~mask, dual)[1] - 1


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
@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("matching", MATCHINGS)
def test_topological_value_equals_the_formula_on_gudhis_pairs(matching, connectivity, border):
    for seed, channels in ((0, 1), (1, 3), (2, 1)):
        logits, target = random_batch(seed, (3, channels, 9, 13), torch.float64)
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
        value = topological_loss(logits, target, **options).item()
        assert value == pytest.approx((0.5**2 + cost) / (1 + 3 * ("dimensions" not in options)))
    both = topological_loss(logits, target, dimension_weights=(2, 9)).item()
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
    topological_loss(logits, target, min_persistence=0.2).backward()
    pairs = persistence_pairs(logits.sigmoid()[0, 0].detach().numpy(), min_persistence=0.2)
    weak = persistence_pairs(logits.sigmoid()[0, 0].detach().numpy())
    strong_pixels = {*pairs.birth_index, *pairs.death_index} - {-1}
    assert set(logits.grad.flatten().nonzero().flatten().tolist()) == strong_pixels
    assert len(pairs) < len(weak) - 5


# --- Gradients --------------------------------------------------------------------------------

TOPOLOGICAL_OPTIONS = {
    "matching": ["rank", "wasserstein"],
    "connectivity": [None, 1, 2],
    "dimensions": [None, (0,), (1,)],
    "dimension_weights": [None, (0.5, 2.0)],
    "matched_weight": [1.0, 0.3],
    "unmatched_weight": [1.0, 2.0],
    "min_persistence": [0.0, 0.1],
    "border": [None, "open", "closed"],
    "window": [None, 4, (3, 5)],
    "overlap": [0],
    "reduction": ["mean", "sum", "none"],
}
DICE_BCE_OPTIONS = {
    "dice_weight": [1.0, 0.4],
    "bce_weight": [1.0, 0.0],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
}
CLDICE_OPTIONS = {
    "iterations": [10, 0, 2],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
}


def one_changed_at_a_time(table):
    """The defaults, then every other value of every option alone."""
    yield {}
    for name, values in table.items():
        for value in values[1:]:
            yield {name: value}


OPTIONS = [
    *((TopologicalLoss, options) for options in one_changed_at_a_time(TOPOLOGICAL_OPTIONS)),
    (TopologicalLoss, {"window": 4, "overlap": 2}),
    (TopologicalLoss, {"window": (3, 5), "overlap": (2, 0), "border": "open"}),
    *((DiceBCELoss, options) for options in one_changed_at_a_time(DICE_BCE_OPTIONS)),
    *((ClDiceLoss, options) for options in one_changed_at_a_time(CLDICE_OPTIONS)),
]


def name_of(value):
    return value.__name__ if isinstance(value, type) else str(value)


@pytest.mark.parametrize(("loss", "options"), OPTIONS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_equal_finite_differences(channels, loss, options):
    logits, target = random_batch(7, (1, channels, 5, 6), torch.float64, scale=1.0)
    logits.requires_grad_()
    module = loss(**options)
    assert torch.autograd.gradcheck(lambda x: module(x, target), logits, eps=1e-7, atol=1e-6)


@pytest.mark.parametrize(("loss", "options"), OPTIONS, ids=name_of)
def test_function_and_module_agree_for_every_option(loss, options):
    logits, target = random_batch(8, (2, 3, 9, 13))
    one, two = (logits.clone().requires_grad_() for _ in range(2))
    first, second = loss(**options)(one, target), FUNCTIONS[loss](two, target, **options)
    first.sum().backward()
    second.sum().backward()
    assert torch.equal(first, second)
    assert torch.equal(one.grad, two.grad)
    if options and options not in ({"connectivity": 2}, {"border": "open"}):
        assert not torch.equal(first, loss()(logits, target))  # no option is ignored


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_function_and_module_have_the_same_options_and_all_are_tested(loss):
    module = list(inspect.signature(loss).parameters.values())
    function = list(inspect.signature(FUNCTIONS[loss]).parameters.values())
    assert [p.name for p in function[:2]] == ["logits", "target"]
    assert module == function[2:]
    assert all(p.kind is p.KEYWORD_ONLY for p in module)
    tested = {name for of, options in OPTIONS if of is loss for name in options}
    assert tested == {p.name for p in module}
    assert all(f"{p.name}={p.default!r}" in repr(loss()) for p in module)


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_every_image_has_its_own_gradient(loss):
    logits, target = random_batch(23, (3, 2, 9, 13), torch.float64)
    together, alone = (logits.clone().requires_grad_() for _ in range(2))
    factors = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    (loss(reduction="none")(together, target) * factors).sum().backward()
    for i, factor in enumerate(factors):
        (loss()(alone[i : i + 1], target[i : i + 1]) * factor).backward()
    torch.testing.assert_close(together.grad, alone.grad)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("border", ["open", "closed"])
def test_the_gradient_is_zero_outside_the_critical_pixels(border, matching):
    logits, target = random_batch(9, (2, 1, 16, 11), torch.float64)
    logits.requires_grad_()
    topological_loss(logits, target, border=border, matching=matching).backward()
    assert logits.grad.any()
    for image, slope in zip(logits.sigmoid().detach(), logits.grad, strict=True):
        pairs = persistence_pairs(image[0].numpy(), border=border)
        critical = {*pairs.birth_index, *pairs.death_index} - {-1}
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


@pytest.mark.parametrize("matching", MATCHINGS)
def test_a_false_blob_is_kept_and_the_fainter_true_one_removed(matching):
    mask = TWO_BLOBS == 0.55
    value = topological_loss(TWO_BLOBS[None, None].logit(), mask[None], matching=matching)
    assert value.item() == pytest.approx((0.2**2 + 0.45**2 / 2) / 2)
    after = descend(TWO_BLOBS, mask, matching=matching)
    assert after[1, 1] > 0.95
    assert after[1, 3] < 0.4
    assert len(persistence_pairs(after.numpy(), min_persistence=0.01)) == 1


@pytest.mark.parametrize("matching", MATCHINGS)
def test_where_the_true_blob_is_the_brighter_one_the_false_one_is_removed(matching):
    after = descend(TWO_BLOBS, TWO_BLOBS == 0.8, matching=matching)
    assert after[1, 1] > 0.95
    assert after[1, 3] < 0.4
    assert len(persistence_pairs(after.numpy(), min_persistence=0.01)) == 1


def test_a_mostly_filled_hole_is_opened_by_rank_and_filled_by_wasserstein():
    mask = FILLED_HOLE == 0.9
    logits = FILLED_HOLE[None, None].double().logit()
    values = {m: topological_loss(logits, mask[None], matching=m).item() for m in MATCHINGS}
    assert values["rank"] == pytest.approx((0.1**2 + 0.1**2 + 0.8**2) / 3)
    assert values["wasserstein"] == pytest.approx((0.1**2 + 0.1**2 / 2 + 1 / 2) / 3)
    opened = descend(FILLED_HOLE, mask, matching="rank")
    assert opened[2, 2] < 0.1
    filled = descend(FILLED_HOLE, mask, matching="wasserstein")
    assert filled[2, 2] > 0.8
    assert len(persistence_pairs(filled.numpy(), min_persistence=0.05).of_dimension(1)) == 0


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
def test_false_positives_in_an_empty_truth_are_punished(matching):
    empty = torch.zeros(3, 4, dtype=torch.bool)
    value = topological_loss(TWO_BLOBS[None, None].logit(), empty[None], matching=matching)
    assert value.item() == pytest.approx(0.8**2 + 0.45**2 / 2)
    assert descend(TWO_BLOBS, empty, matching=matching).max() < 0.3


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
    one, two = (logits.clone().requires_grad_() for _ in range(2))
    crops = topological._windows((9, 13), options["window"], options.get("overlap", 0))
    assert len(crops) > 5
    parts = [
        topological_loss(one[(..., *crop)], target[(..., *crop)], border="closed") for crop in crops
    ]
    torch.stack(parts).mean().backward()
    value = topological_loss(two, target, **options)
    value.backward()
    assert value.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-12)
    torch.testing.assert_close(one.grad, two.grad, rtol=1e-9, atol=1e-15)


# --- Tensors of all kinds ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_precisions(channels, dtype, loss):
    logits, target = random_batch(11, (2, channels, 9, 13))
    logits = logits.to(dtype)
    exact = logits.double().requires_grad_()
    loss()(exact, target).backward()
    logits.requires_grad_()
    value = loss()(logits, target)
    value.backward()
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert value.item() == pytest.approx(loss()(exact, target).item(), rel=1e-4)
    assert logits.grad.dtype == dtype
    # Half of the last digit of the largest slope, and the smallest steps of float16.
    atol = exact.grad.abs().max().item() * max(torch.finfo(dtype).eps, 1e-4)
    torch.testing.assert_close(logits.grad.double(), exact.grad, rtol=1e-2, atol=atol)


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_autocast_changes_nothing_but_the_network(loss):
    logits, target = random_batch(12, (2, 3, 9, 13))
    logits = logits.to(torch.bfloat16)
    outside = loss()(logits, target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss()(logits, target)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_forms_of_a_target_mean_the_same(channels, loss):
    logits, labels = random_batch(13, (2, channels, 9, 13))
    expected = loss()(logits, labels)
    full = labels[:, None] == torch.arange(channels)[:, None, None]
    if channels == 1:
        full = labels[:, None] == 1
        forms = [labels.float(), labels.bool(), labels.to(torch.uint8), labels.double()]
    else:
        forms = [labels.to(torch.uint8), labels.to(torch.int32)]
    forms += [full, full.float(), full.long(), full.half()]
    for form in forms:
        assert torch.equal(loss()(logits, form), expected)


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_memory_orders_do_not_matter(loss):
    logits, target = random_batch(14, (2, 3, 9, 13))
    leaf = logits.clone().requires_grad_()
    loss()(leaf, target).backward()
    for other in (
        logits.to(memory_format=torch.channels_last),
        logits.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
    ):
        other = other.detach().requires_grad_()
        value = loss()(other, target.mT.contiguous().mT)
        value.backward()
        torch.testing.assert_close(value, loss()(logits, target))
        torch.testing.assert_close(other.grad, leaf.grad)


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_flips_and_transposes_change_nothing(loss):
    logits, target = random_batch(15, (2, 3, 9, 13), torch.float64)
    expected = loss()(logits, target).item()
    assert loss()(logits.flip(-1), target.flip(-1)).item() == pytest.approx(expected)
    assert loss()(logits.mT, target.mT).item() == pytest.approx(expected)


@pytest.mark.parametrize("options", [{}, {"window": 40, "overlap": 3}])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_number_of_threads_changes_no_bit(channels, options):
    logits, target = random_batch(16, (5, channels, 72, 101))
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            leaf = logits.clone().requires_grad_()
            value = topological_loss(leaf, target, **options)
            value.backward()
            results.append((value.detach(), leaf.grad))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for r in results[1:] for a, b in zip(r, results[0], strict=True))


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


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (DiceBCELoss, {}),
        *(
            (TopologicalLoss, {"matching": m, "border": b})
            for m in MATCHINGS
            for b in (None, "closed")
        ),
        (TopologicalLoss, {"window": 2}),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 4)])
@pytest.mark.parametrize("truth", ["empty", "full", "mixed"])
def test_degenerate_images_are_finite(truth, shape, loss, options):
    target = torch.zeros((2, *shape), dtype=torch.int64)
    if truth == "full":
        target += 1
    elif truth == "mixed":
        target[0] = 1
    for logits in (
        torch.zeros(2, 1, *shape),
        torch.full((2, 1, *shape), 200.0),
        torch.full((2, 1, *shape), -200.0),
        random_batch(18, (2, 2, *shape))[0],
    ):
        leaf = logits.clone().requires_grad_()
        value = loss(**options)(leaf, target)
        value.backward()
        assert torch.isfinite(value)
        assert value >= 0
        assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_a_perfect_prediction_costs_nothing(loss):
    target = torch.zeros(3, 6, 7, dtype=torch.int64)
    target[0, 1:5, 1:4] = 1
    target[0, 2:4, 2] = 0
    target[1] = 1
    logits = (target[:, None] * 2.0 - 1) * 100
    leaf = logits.requires_grad_()
    value = loss()(leaf, target)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert leaf.grad.abs().max() < 1e-6


def test_nothing_is_differentiated_where_nothing_is_wanted():
    logits, target = random_batch(19)
    assert not topological_loss(logits, target).requires_grad
    with torch.no_grad():
        assert not topological_loss(logits.requires_grad_(), target).requires_grad


# --- Dice + cross-entropy ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 1, 9, 13), (2, 4, 9, 13), (2, 1, 4, 5, 6), (2, 3, 4, 5, 6)])
def test_dice_bce_equals_its_formula(shape):
    logits, target = random_batch(20, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    axes = tuple(range(2, len(shape)))
    both = (images * masks).sum(axes)
    dice = (2 * both + 0.7) / (images.sum(axes) + masks.sum(axes) + 0.7)
    if shape[1] == 1:
        entropy = F.binary_cross_entropy_with_logits(
            logits[:, 0], target.double(), reduction="none"
        )
    else:
        entropy = F.cross_entropy(logits, target, reduction="none")
    expected = 0.3 * (1 - dice.mean(1)) + 2 * entropy.numpy().reshape(shape[0], -1).mean(1)
    options = {"dice_weight": 0.3, "bce_weight": 2, "smooth": 0.7}
    value = dice_bce_loss(logits, target, reduction="none", **options)
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)
    assert dice_bce_loss(logits, target, **options).item() == pytest.approx(expected.mean())
    total = dice_bce_loss(logits, target, reduction="sum", **options).item()
    assert total == pytest.approx(expected.sum())


def test_the_topological_term_mends_what_the_pixels_leave_broken():
    """A gap that the cross-entropy of the whole image hardly feels is closed sooner."""
    line = torch.full((9, 31), 0.05)
    line[4] = 0.95
    line[4, 15] = 0.2
    mask = (torch.arange(9) == 4)[:, None].expand(9, 31)
    without = descend(line, mask, steps=60, rate=1.0, also=0.0)
    with_it = descend(line, mask, steps=60, rate=1.0, also=1.0)
    assert without[4, 15] < 0.5 < with_it[4, 15]


# --- clDice -----------------------------------------------------------------------------------


def soft_skeleton(image, iterations):
    """The soft skeleton by SciPy's grey morphology, with neutral values outside the image."""
    cross = ndimage.generate_binary_structure(image.ndim, 1)
    block = np.ones((3,) * image.ndim)
    skeleton = np.zeros_like(image)
    for _ in range(iterations + 1):
        eroded = ndimage.grey_erosion(image, footprint=cross, mode="constant", cval=np.inf)
        opened = ndimage.grey_dilation(eroded, footprint=block, mode="constant", cval=-np.inf)
        skeleton = 1 - (1 - skeleton) * (1 - np.maximum(image - opened, 0))
        image = eroded
    return skeleton


@pytest.mark.parametrize("iterations", [0, 3, 10])
@pytest.mark.parametrize("shape", [(3, 1, 9, 13), (2, 4, 9, 13), (2, 1, 4, 5, 6), (2, 3, 4, 5, 6)])
def test_cldice_equals_its_formula(shape, iterations):
    logits, target = random_batch(21, shape, torch.float64)
    images, masks = likelihoods(logits, target)
    expected = np.zeros(images.shape[:2])
    for at in np.ndindex(expected.shape):
        image, mask = images[at], masks[at].astype(float)
        lines, true_lines = soft_skeleton(image, iterations), soft_skeleton(mask, iterations)
        precision = ((lines * mask).sum() + 0.7) / (lines.sum() + 0.7)
        sensitivity = ((true_lines * image).sum() + 0.7) / (true_lines.sum() + 0.7)
        expected[at] = 1 - 2 / (1 / precision + 1 / sensitivity)
    value = cldice_loss(logits, target, iterations=iterations, smooth=0.7, reduction="none")
    np.testing.assert_allclose(value.numpy(), expected.mean(1), rtol=1e-10)


def test_the_soft_skeleton_of_a_bar_is_its_middle_line():
    bar = torch.zeros(1, 1, 9, 16)
    bar[..., 2:7, 2:14] = 1
    skeleton = cldice._soft_skeleton(bar, 5)[0, 0]
    assert set(skeleton.unique().tolist()) == {0, 1}
    assert skeleton[4, 4:12].all()
    assert not skeleton[[0, 1, 7, 8]].any()
    assert not skeleton[[2, 3, 5, 6], 5:11].any()


# --- Sums -------------------------------------------------------------------------------------


class Constant(torch.nn.Module):
    """A part whose value is known, and which counts its calls."""

    def __init__(self, value):
        super().__init__()
        self.value, self.calls = value, 0

    def forward(self, logits, target):
        self.calls += 1
        return self.value * logits.mean()


def test_a_sum_weighs_its_parts_and_warms_them_up():
    parts = {"one": Constant(1.0), "two": Constant(10.0), "three": Constant(100.0)}
    loss = SumLoss(
        parts,
        weights={"two": 0.5, "three": 2},
        starts={"two": 2, "three": 1},
        warm_up={"three": 4},
    )
    logits = torch.ones(1, requires_grad=True)
    expected = [1, 1 + 50, 1 + 5 + 100, 1 + 5 + 150, 1 + 5 + 200, 1 + 5 + 200]
    for step, total in enumerate(expected):
        assert loss.step == step
        value = loss(logits, None)
        assert value.item() == pytest.approx(total)
        (slope,) = torch.autograd.grad(value, logits)
        assert slope.item() == pytest.approx(total)
    assert {name: v.item() for name, v in loss.values.items()} == {
        "one": 1,
        "two": 10,
        "three": 100,
    }
    assert not any(v.requires_grad for v in loss.values.values())
    assert [part.calls for part in parts.values()] == [6, 4, 5]


def test_a_sum_counts_steps_of_training_only_and_remembers_them():
    loss = SumLoss({"a": Constant(1.0), "b": Constant(1.0)}, starts={"b": 2})
    logits = torch.ones(1)
    for _ in range(2):
        loss(logits, None)
    loss.eval()(logits, None)
    with torch.no_grad():
        loss.train()(logits, None)
    assert loss.step == 2
    other = SumLoss({"a": Constant(1.0), "b": Constant(1.0)}, starts={"b": 2})
    assert other(logits, None) == 1
    other.load_state_dict(loss.state_dict())
    assert other.step == 2
    assert other(logits, None) == 2
    assert all(isinstance(value, torch.Tensor) for value in loss.state_dict().values())


def test_a_sum_of_real_losses_is_the_sum_of_their_gradients():
    logits, target = random_batch(22, (2, 3, 9, 13), torch.float64)
    parts = {name: make_loss(name) for name in LOSSES}
    weights = {"topological": 0.5, "cldice": 0.25}
    one, two = (logits.clone().requires_grad_() for _ in range(2))
    SumLoss(parts, weights=weights)(one, target).backward()
    for name, part in parts.items():
        (weights.get(name, 1) * part(two, target)).backward()
    torch.testing.assert_close(one.grad, two.grad)


# --- By name ----------------------------------------------------------------------------------


def test_losses_are_made_by_name():
    assert {type(make_loss(name)) for name in LOSSES} == set(FUNCTIONS)
    made = make_loss("topological", window=32, matching="wasserstein")
    assert isinstance(made, TopologicalLoss)
    assert made.options["window"] == 32
    assert made.options["matching"] == "wasserstein"
