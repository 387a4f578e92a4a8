"""What holds for every loss: gradients, functions and modules, tensors of all kinds."""

from __future__ import annotations

import inspect
import threading

import pytest
import torch
from benchmarks.losses import ADDED
from loss_batches import name_of, random_batch

from toposeg_lite import losses, topology
from toposeg_lite.losses import (
    LOSSES,
    ClDiceLoss,
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SCNPLoss,
    SkeletonRecallLoss,
    TopographLoss,
    TopologicalLoss,
    cldice_loss,
    common,
    dice_bce_loss,
    homotopy_warping_loss,
    morse_loss,
    scnp_loss,
    skeleton_recall_loss,
    topograph_loss,
    topological_loss,
)
from toposeg_lite.topology.matching import MATCHINGS
from toposeg_lite.workbook.studies.study import ARMS, FURTHER_ARMS

FUNCTIONS = {
    DiceBCELoss: dice_bce_loss,
    TopologicalLoss: topological_loss,
    HomotopyWarpingLoss: homotopy_warping_loss,
    MorseLoss: morse_loss,
    ClDiceLoss: cldice_loss,
    SkeletonRecallLoss: skeleton_recall_loss,
    SCNPLoss: scnp_loss,
    TopographLoss: topograph_loss,
}

# --- Gradients --------------------------------------------------------------------------------

TOPOLOGICAL_OPTIONS = {
    "matching": ["spatial", "rank", "wasserstein", "betti"],
    "connectivity": [None, 1, 2],
    "dimensions": [None, (0,), (1,)],
    "dimension_weights": [None, (0.5, 2.0)],
    "matched_weight": [1.0, 0.3],
    "unmatched_weight": [1.0, 2.0],
    "min_persistence": [0.0, 0.1],
    "floor": [None, 0.0, 0.2],
    "border": [None, "open", "closed"],
    "window": [None, 4, (3, 5)],
    "overlap": [0],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
DICE_BCE_OPTIONS = {
    "dice_weight": [1.0, 0.4],
    "bce_weight": [1.0, 0.0],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
WARPING_OPTIONS = {
    "pixel_loss": ["cross_entropy", "dice"],
    "connectivity": [None, 1, 2],
    "spacing": [None, (1.0, 3.0)],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
MORSE_OPTIONS = {
    "structure": ["skeleton", "patches"],
    "of": ["prediction", "truth", "both"],
    "min_persistence": [0.1, 0.3],
    "saddle_level": [0.0, 0.4],
    "dilation": [0, 1],
    "pixel_loss": ["cross_entropy", "dice"],
    "connectivity": [None, 1, 2],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
CLDICE_OPTIONS = {
    "skeleton": ["soft", "thin"],
    "measure": ["dice", "cross_entropy"],
    "iterations": [10, 0, 2],
    "spacing": [None, (1.0, 2.0)],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
SKELETON_RECALL_OPTIONS = {
    "tube": [2, 0],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}
SCNP_OPTIONS = {
    "neighbourhood": [3, 1, 5],
    "dice_weight": [1.0, 0.4],
    "bce_weight": [1.0, 0.0],
    "smooth": [1.0, 1e-3],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
    "activation": [None, "sigmoid"],
}

TOPOGRAPH_OPTIONS = {
    "activation": [None, "sigmoid"],
    "aggregation": ["mean", "sum"],
    "connectivity": [None, 1],
    "reduction": ["mean", "sum", "none"],
    "ignore_index": [None, 255],
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
    *((HomotopyWarpingLoss, options) for options in one_changed_at_a_time(WARPING_OPTIONS)),
    *((MorseLoss, options) for options in one_changed_at_a_time(MORSE_OPTIONS)),
    (MorseLoss, {"structure": "patches", "of": "both", "saddle_level": 0.3, "dilation": 1}),
    (MorseLoss, {"structure": "patches", "of": "truth", "spacing": (1.0, 4.0)}),
    *((ClDiceLoss, options) for options in one_changed_at_a_time(CLDICE_OPTIONS)),
    (ClDiceLoss, {"skeleton": "thin", "measure": "cross_entropy"}),
    *((SkeletonRecallLoss, o) for o in one_changed_at_a_time(SKELETON_RECALL_OPTIONS)),
    *((SCNPLoss, options) for options in one_changed_at_a_time(SCNP_OPTIONS)),
    *((TopographLoss, options) for options in one_changed_at_a_time(TOPOGRAPH_OPTIONS)),
]


def fitting(labels, channels, options):
    """Labels, or where every channel has a sigmoid the masks of all labels from each on."""
    if options.get("activation") != "sigmoid":
        return labels
    return torch.stack([labels > 0, *(labels == k for k in range(1, channels))], 1).long()


@pytest.mark.parametrize(("loss", "options"), OPTIONS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_equal_finite_differences(channels, loss, options):
    logits, target = random_batch(7, (1, channels, 5, 6), torch.float64, scale=1.0)
    logits.requires_grad_()
    target = fitting(target, channels, options)
    module = loss(**options)
    assert torch.autograd.gradcheck(lambda x: module(x, target), logits, eps=1e-7, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        *((loss, {}) for loss in FUNCTIONS if loss is not TopographLoss),  # of images alone
        (TopologicalLoss, {"connectivity": 1, "border": "closed"}),
        (TopologicalLoss, {"matching": "spatial"}),
        (TopologicalLoss, {"matching": "betti", "border": "closed"}),
        (TopologicalLoss, {"connectivity": 3, "dimensions": (2,), "matching": "wasserstein"}),
        (TopologicalLoss, {"dimension_weights": (1, 2, 3), "window": (2, 4, 3), "overlap": 1}),
        (HomotopyWarpingLoss, {"connectivity": 1, "pixel_loss": "dice"}),
        (MorseLoss, {"structure": "patches", "of": "both", "pixel_loss": "dice"}),
        (MorseLoss, {"of": "both", "saddle_level": 0.4, "min_persistence": 0.2}),
        (MorseLoss, {"of": "truth", "spacing": (3.0, 1.0, 1.0)}),
        (HomotopyWarpingLoss, {"spacing": (3.0, 1.0, 1.0)}),
        (ClDiceLoss, {"skeleton": "thin", "spacing": (3.0, 1.0, 1.0)}),
        (ClDiceLoss, {"spacing": (3.0, 1.0, 1.5), "iterations": 4}),
        (ClDiceLoss, {"measure": "cross_entropy", "iterations": 2}),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_equal_finite_differences_in_volumes(channels, loss, options):
    logits, target = random_batch(31, (1, channels, 4, 4, 5), torch.float64, scale=1.0)
    logits.requires_grad_()
    module = loss(**options)
    assert torch.autograd.gradcheck(  # along random directions, for the voxels are many
        lambda x: module(x, target), logits, eps=1e-7, atol=1e-6, fast_mode=True
    )
    (slope,) = torch.autograd.grad(module(logits, target), logits)
    assert slope.any()


@pytest.mark.parametrize(("loss", "options"), OPTIONS, ids=name_of)
def test_function_and_module_agree_for_every_option(loss, options):
    logits, labels = random_batch(8, (2, 3, 9, 13))
    target = labels.clone()
    if "ignore_index" in options:
        target[:, 2:7, 3:9] = options["ignore_index"]
    target = fitting(target, 3, options)
    leaf, twin = (logits.clone().requires_grad_() for _ in range(2))
    first, second = loss(**options)(leaf, target), FUNCTIONS[loss](twin, target, **options)
    first.sum().backward()
    second.sum().backward()
    assert torch.equal(first, second)
    assert torch.equal(leaf.grad, twin.grad)
    defaults = ({"connectivity": 2}, {"border": "open"}, {"floor": 0.0})  # of an image
    if options and options not in defaults:
        assert not torch.equal(first, loss()(logits, labels))  # no option is ignored


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
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing_but_the_network(dtype, loss):
    logits, target = random_batch(12, (2, 3, 9, 13))
    logits = logits.to(dtype)
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
        kinds = (torch.float32, torch.bool, torch.uint8, torch.uint16, torch.float64)
        forms = [labels.to(kind) for kind in kinds]
    else:
        forms = [labels.to(torch.uint8), labels.to(torch.int32), labels.to(torch.uint16)]
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


# Which of equally near pixels a warp leaves over is decided by their indices, and Zhang's thinning
# takes the sides of a structure in turn.
@pytest.mark.parametrize(
    "loss",
    [f for f in FUNCTIONS if f not in (HomotopyWarpingLoss, SkeletonRecallLoss)],
    ids=name_of,
)
def test_flips_and_transposes_change_nothing(loss):
    logits, target = random_batch(15, (2, 3, 9, 13), torch.float64)
    expected = loss()(logits, target).item()
    assert loss()(logits.flip(-1), target.flip(-1)).item() == pytest.approx(expected)
    assert loss()(logits.mT, target.mT).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (TopologicalLoss, {}),
        (TopologicalLoss, {"window": 40, "overlap": 3}),
        (TopologicalLoss, {"matching": "spatial"}),
        (TopologicalLoss, {"matching": "betti"}),
        (HomotopyWarpingLoss, {}),
        (MorseLoss, {"of": "both"}),
        (MorseLoss, {"structure": "patches", "of": "both", "pixel_loss": "dice"}),
    ],
    ids=name_of,
)
@pytest.mark.parametrize(
    ("channels", "spatial"), [(1, (72, 101)), (3, (72, 101)), (1, (14, 15, 17))]
)
def test_the_number_of_threads_changes_no_bit(channels, spatial, loss, options):
    logits, target = random_batch(16, (5, channels, *spatial))
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            leaf = logits.clone().requires_grad_()
            value = loss(**options)(leaf, target)
            value.backward()
            results.append((value.detach(), leaf.grad))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for r in results[1:] for a, b in zip(r, results[0], strict=True))


@pytest.mark.parametrize(
    ("loss", "module", "kernel"),
    [
        (TopologicalLoss, losses.topological, "_window_cost"),
        (HomotopyWarpingLoss, topology.warping, "_warp"),
        (MorseLoss, losses.morse, "_of_prediction"),
    ],
    ids=name_of,
)
def test_as_many_images_as_torch_has_threads_are_worked_on_at_once(
    loss, module, kernel, monkeypatch
):
    everyone, work = threading.Barrier(3), getattr(module, kernel)
    threads = []

    def work_together(*arguments):
        everyone.wait(timeout=20)  # raises an error if nobody else is at work
        threads.append(threading.get_ident())
        return work(*arguments)

    monkeypatch.setattr(module, kernel, work_together)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        loss()(*random_batch(32, (3, 1, 9, 13)))
    finally:
        torch.set_num_threads(before)
    assert len(set(threads)) == 3


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
        (HomotopyWarpingLoss, {}),
        (HomotopyWarpingLoss, {"pixel_loss": "dice", "connectivity": 1}),
        (MorseLoss, {"of": "both"}),
        (MorseLoss, {"structure": "patches", "of": "both", "saddle_level": 0.7, "dilation": 1}),
        (ClDiceLoss, {}),
        (ClDiceLoss, {"measure": "cross_entropy"}),
        (SkeletonRecallLoss, {}),
        (SCNPLoss, {}),
        (TopographLoss, {}),
    ],
    ids=name_of,
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 4), (1, 1, 1), (1, 1, 5), (3, 2, 4)])
@pytest.mark.parametrize("truth", ["empty", "full", "mixed"])
def test_degenerate_images_are_finite(truth, shape, loss, options):
    if loss is TopographLoss and len(shape) == 3:
        pytest.skip("it is a loss of images alone")
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


EXTREMES = {
    torch.float16: [65504.0, 6e-8],
    torch.bfloat16: [2.0**100, 1e-40],
    torch.float32: [2.0**100, 104.0, 1e-45],
    torch.float64: [2.0**100, 800.0, 5e-324],
}


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("dtype", "size"), [(dtype, size) for dtype, sizes in EXTREMES.items() for size in sizes]
)
def test_logits_of_any_size_have_finite_losses_and_gradients(dtype, size, channels, loss):
    logits, target = random_batch(33, (2, channels, 9, 13), torch.float64)
    logits = (logits.sign() * size).to(dtype)
    logits[:, :, :3] = -size  # all classes alike, and low
    logits[:, :, 3:5] = size
    leaf = logits.clone().requires_grad_()
    values = loss(reduction="none")(leaf, target)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(loss(reduction="sum")(logits, target))
    assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        *((dtype, size) for dtype in (torch.bfloat16, torch.float32) for size in (3e38, -3e38)),
        (torch.float32, 2e30),
        *((torch.float64, size) for size in (3e38, 1e300, -1e300)),
    ],
)
def test_logits_beyond_all_sense_have_diverged(dtype, size, channels, loss):
    logits, target = random_batch(34, (2, channels, 9, 13), dtype)
    logits[0, 0, 2, 3] = size
    message = r"logits hold 1 values that are beyond 2\^100. The training has diverged"
    with pytest.raises(ValueError, match=message):
        loss()(logits, target)


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


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_nothing_is_differentiated_where_nothing_is_wanted(loss):
    logits, target = random_batch(19)
    assert not loss()(logits, target).requires_grad
    with torch.no_grad():
        assert not loss()(logits.requires_grad_(), target).requires_grad
    with torch.inference_mode():
        assert torch.equal(loss()(logits * 1, target), loss()(logits, target))


@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
def test_what_is_given_is_never_written_to(loss):
    logits, target = random_batch(24, (2, 3, 9, 13))
    before = logits.clone(), target.clone()
    loss()(logits.requires_grad_(), target).backward()
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("loss", FUNCTIONS, ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_gpu_says_what_the_cpu_says(dtype, loss):
    logits, target = random_batch(25, (2, 3, 19, 23), dtype)
    here, there = logits.clone().requires_grad_(), logits.cuda().requires_grad_()
    value, other = loss()(here, target), loss()(there, target.cuda())
    assert other.is_cuda
    assert other.dtype == value.dtype
    value.backward()
    other.backward()
    torch.testing.assert_close(other.cpu(), value)
    torch.testing.assert_close(there.grad.cpu(), here.grad)


class Elsewhere(torch.Tensor):
    """A tensor that says it lies on another device, and counts how often it is fetched."""

    fetched = 0

    @property
    def device(self):
        return torch.device("meta")

    def to(self, *args, **kwargs):
        Elsewhere.fetched += 1
        return self.as_subclass(torch.Tensor).clone()


def to_host(*tensors):
    return [copy.wait() for copy in common._send_to_host(*tensors)]


def test_a_tensor_on_another_device_is_copied_once_for_all_that_share():
    tensor = torch.arange(3.0).as_subclass(Elsewhere)
    (copy,) = to_host(tensor)
    assert copy.tolist() == [0, 1, 2]
    to_host(tensor)
    assert Elsewhere.fetched == 2  # nothing is kept without need
    with common.shared_copies():
        shared = to_host(tensor, tensor)
        again = to_host(tensor)
        assert Elsewhere.fetched == 3
        assert shared[0] is shared[1] is again[0]
        tensor += 1
        assert to_host(tensor)[0].tolist() == [1, 2, 3]
        assert Elsewhere.fetched == 4
        for value in range(20):  # the place of one that is gone may be another's: no copy is its
            passing = torch.full((1,), value).as_subclass(Elsewhere)
            assert to_host(passing)[0].item() == value
            del passing
        assert Elsewhere.fetched == 24
    to_host(tensor)
    assert Elsewhere.fetched == 25
    here = torch.zeros(2)
    assert to_host(here)[0].data_ptr() == here.data_ptr()


def test_no_loss_is_forgotten():
    """Who adds a loss hears here where else it belongs."""
    assert set(FUNCTIONS) == {kind for kind, _ in OPTIONS} == set(LOSSES.values())
    added = set(LOSSES) - {"dice_bce"}
    assert {arm.loss for arm in (*ARMS, *FURTHER_ARMS)} == {*added, "sum"}
    assert {arm.loss for arm in ARMS} == added - {"topograph"}  # which volumes would refuse
    assert {name for name, _, _ in ADDED.values()} == added
