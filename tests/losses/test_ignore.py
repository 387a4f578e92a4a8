"""Ignored pixels: no gradient, no error, no feature of their own, in every loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loss_batches import name_of, random_batch
from torch.nn import functional as F

from toposeg_lite.losses import (
    LOSSES,
    ClDiceLoss,
    DiceBCELoss,
    HomotopyWarpingLoss,
    MorseLoss,
    SCNPLoss,
    SkeletonRecallLoss,
    SumLoss,
    TopographLoss,
    TopologicalLoss,
    make_loss,
)

CASES = [
    (DiceBCELoss, {}),
    (ClDiceLoss, {"iterations": 2}),
    *((TopologicalLoss, {"matching": m}) for m in ("spatial", "rank", "wasserstein", "betti")),
    (TopologicalLoss, {"window": 4, "overlap": 1}),
    (TopologicalLoss, {"floor": 0.3}),
    (TopologicalLoss, {"window": 5, "border": "open", "connectivity": 1}),
    (HomotopyWarpingLoss, {}),
    (HomotopyWarpingLoss, {"pixel_loss": "dice", "connectivity": 1}),
    (MorseLoss, {}),
    (MorseLoss, {"of": "both", "dilation": 1}),
    (MorseLoss, {"of": "both", "structure": "patches", "pixel_loss": "dice"}),
    (ClDiceLoss, {"skeleton": "thin"}),
    (ClDiceLoss, {"measure": "cross_entropy", "iterations": 2}),
    (ClDiceLoss, {"measure": "cross_entropy", "skeleton": "thin"}),
    (SkeletonRecallLoss, {}),
    (SCNPLoss, {}),
    (SCNPLoss, {"neighbourhood": 5}),
    (TopographLoss, {}),
    (TopographLoss, {"aggregation": "sum", "connectivity": 1}),
]
#: With a spacing; the last two measure nothing in 2D.
SPACED = [
    (HomotopyWarpingLoss, {}),
    (MorseLoss, {"of": "both", "structure": "patches"}),
    (ClDiceLoss, {"iterations": 2}),
    (MorseLoss, {"of": "truth"}),
    (ClDiceLoss, {"skeleton": "thin"}),
]
SPACINGS = {2: (2.5, 1.0), 3: (3.0, 1.0, 0.7)}
SHAPES = [(2, 1, 9, 13), (2, 3, 9, 13), (2, 1, 4, 6, 5), (2, 3, 4, 6, 5)]
INDEX = 255


def cases(axes):
    """All losses, with options for so many axes."""
    spaced = SPACED if axes == 3 else SPACED[:-2]
    known = [case for case in CASES if axes == 2 or case[0] is not TopographLoss]
    return known + [(loss, {**options, "spacing": SPACINGS[axes]}) for loss, options in spaced]


OF_SHAPES = [(shape, *case) for shape in SHAPES for case in cases(len(shape) - 2)]


def test_no_loss_is_forgotten():
    assert {loss for loss, _ in CASES} == set(LOSSES.values())


def batch(shape, seed=3, dtype=torch.float64):
    """Logits, labels, and ignored pixels: pieces of some pixels, also at the border."""
    logits, labels = random_batch(seed, shape, dtype)
    smooth, _ = random_batch(seed + 100, (shape[0], 1, *shape[2:]), torch.float64)
    return logits, labels, smooth[:, 0] > smooth.median() + 0.5


def run(module, logits, target):
    """Value and gradient of a loss that is called, which those of one that is started equal."""
    found = []
    for call in (module, lambda *given: module.start(*given).result()):
        leaf = logits.detach().clone().requires_grad_()
        value = call(leaf, target)
        value.sum().backward()
        found.append((value.detach(), leaf.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    return found[0]


@pytest.mark.parametrize(("shape", "loss", "options"), OF_SHAPES, ids=name_of)
def test_nothing_at_ignored_pixels_matters(shape, loss, options):
    logits, labels, ignored = batch(shape)
    module = loss(**options, ignore_index=INDEX, reduction="none")
    target = labels.masked_fill(ignored, INDEX)
    value, slope = run(module, logits, target)
    everywhere = ignored[:, None].expand_as(logits)
    assert ignored.any()
    assert not ignored.all()
    assert (slope[everywhere] == 0).all()
    assert slope.any()
    # What the network says there changes neither value nor gradient, by no bit.
    for seed in range(3):
        noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
        other = torch.where(everywhere, 10 * noise.to(logits), logits)
        again, slope_again = run(module, other, target)
        assert torch.equal(again, value)
        assert torch.equal(slope_again, slope)


@pytest.mark.parametrize(("loss", "options"), cases(2), ids=name_of)
@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_the_gradient_is_that_of_the_value(shape, loss, options):
    logits, labels, ignored = batch((1, shape[1], 5, 6), seed=11)
    module = loss(**options, ignore_index=INDEX)
    target = labels.masked_fill(ignored, INDEX)
    logits = (logits / 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x, target), logits, eps=1e-7, atol=1e-6)


@pytest.mark.parametrize(("shape", "loss", "options"), OF_SHAPES, ids=name_of)
def test_no_ignored_pixel_changes_no_bit(shape, loss, options):
    logits, labels, ignored = batch(shape, dtype=torch.float32)
    plain, option = (
        loss(**options, reduction="none"),
        loss(**options, reduction="none", ignore_index=INDEX),
    )
    value, slope = run(plain, logits, labels)
    again, slope_again = run(option, logits, labels)
    assert torch.equal(again, value)
    assert torch.equal(slope_again, slope)
    # Nor does it change an image that others in the batch ignore some pixels.
    ignored[0] = False
    mixed, slope_mixed = run(option, logits, labels.masked_fill(ignored, INDEX))
    assert torch.equal(mixed[0], value[0])
    assert torch.equal(slope_mixed[0], slope[0])


@pytest.mark.parametrize(("shape", "loss", "options"), OF_SHAPES, ids=name_of)
def test_an_image_that_is_ignored_altogether_costs_nothing(shape, loss, options):
    logits, labels, ignored = batch(shape)
    ignored[0] = True
    module = loss(**options, ignore_index=INDEX, reduction="none")
    value, slope = run(module, logits, labels.masked_fill(ignored, INDEX))
    assert value[0] == 0
    assert (slope[0] == 0).all()
    alone, _ = run(module, logits[1:], labels[1:].masked_fill(ignored[1:], INDEX))
    assert torch.equal(value[1:], alone)
    assert value[1] > 0
    mean = loss(**options, ignore_index=INDEX)
    value, slope = run(mean, logits, torch.full_like(labels, INDEX))
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize(("loss", "options"), cases(2), ids=name_of)
def test_labels_and_channels_say_the_same(loss, options):
    logits, labels, ignored = batch((2, 3, 9, 13))
    module = loss(**options, ignore_index=INDEX)
    channels = F.one_hot(labels, 3).movedim(-1, 1).masked_fill(ignored[:, None], INDEX)
    expected = run(module, logits, labels.masked_fill(ignored, INDEX))
    for target in (channels, channels.float(), channels.to(torch.uint8)):
        value, slope = run(module, logits, target)
        assert torch.equal(value, expected[0])
        assert torch.equal(slope, expected[1])
    logits, labels, ignored = batch((2, 1, 9, 13))
    target = labels.masked_fill(ignored, INDEX)
    expected = run(module, logits, target)
    for other in (target[:, None], target.float(), target[:, None].to(torch.uint8)):
        assert torch.equal(run(module, logits, other)[0], expected[0])


@pytest.mark.parametrize("index", [-1, -100, 2, 255, 70000])
def test_any_label_that_is_none_of_a_class(index):
    logits, labels, ignored = batch((2, 1, 9, 13))
    for name in LOSSES:
        expected = make_loss(name, ignore_index=INDEX)(logits, labels.masked_fill(ignored, INDEX))
        value = make_loss(name, ignore_index=np.int64(index))(
            logits, labels.masked_fill(ignored, index)
        )
        assert torch.equal(value, expected)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.float32])
def test_a_type_that_cannot_hold_the_index_ignores_nothing(dtype):
    logits, labels, _ = batch((2, 1, 9, 13))
    labels = (labels * 1).to(dtype)
    for index in (-1, 257, 2**40):  # 257 is 1, and 2**40 is 0, to a byte
        value = DiceBCELoss(ignore_index=index)(logits, labels)
        assert torch.equal(value, DiceBCELoss()(logits, labels))


# --- Against other tools, and by hand ----------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 1, 9, 13), (2, 4, 9, 13), (2, 3, 4, 5, 6)])
def test_pixel_loss_is_that_of_the_pixels_that_are_left(shape):
    logits, labels, ignored = batch(shape)
    target = labels.masked_fill(ignored, INDEX)
    values = DiceBCELoss(ignore_index=INDEX, reduction="none")(logits, target)
    for b in range(shape[0]):
        kept = ~ignored[b]
        image, truth = logits[b][:, kept][None, :, None], labels[b][kept][None, None]
        expected = DiceBCELoss()(image, truth)  # as an image of one row
        torch.testing.assert_close(values[b], expected, rtol=1e-12, atol=0)
    if shape[1] > 1:
        loss = DiceBCELoss(dice_weight=0, ignore_index=INDEX)
        for b in range(shape[0]):
            expected = F.cross_entropy(logits[b : b + 1], target[b : b + 1], ignore_index=INDEX)
            value = loss(logits[b : b + 1], target[b : b + 1])
            torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


def drawn(text):
    """Labels of a drawing: # foreground, . background, ? ignored; and sure logits of it."""
    signs = np.array([list(line) for line in text.split()])
    labels = np.select([signs == "#", signs == "?"], [1, INDEX], 0)
    return torch.tensor(labels)[None]


def sure(text, height=30.0):
    return torch.where(drawn(text) == 1, height, -height)[:, None].double()


TOPOLOGY = [
    (TopologicalLoss, {}),
    (TopologicalLoss, {"matching": "betti"}),
    (TopologicalLoss, {"matching": "rank"}),
    (TopologicalLoss, {"matching": "wasserstein"}),
    (TopologicalLoss, {"window": 7}),
    (HomotopyWarpingLoss, {}),
    (MorseLoss, {}),
    (MorseLoss, {"of": "both"}),
    (ClDiceLoss, {"skeleton": "thin"}),
]
HIDDEN = {
    "break": (
        ".........  ###???###  .........",
        [".........  ####.####  .........", ".........  ###...###  ........."],
    ),
    "spurious component": (
        "......???  ###...???  ......???",
        [".........  ###....#.  .........", "......#.#  ###...#.#  ......###"],
    ),
    "false hole": (
        "#######..  ##???##..  ##???##..  #######..",
        [
            "#######..  ##.####..  #######..  #######..",
            "#######..  ##...##..  ##...##..  #######..",
        ],
    ),
    "false bridge": (
        "###.#####  ###???###  ###.#####",
        ["###.#####  #########  ###.#####", "###.#####  ###.#.###  ###.#####"],
    ),
}


@pytest.mark.parametrize(("loss", "options"), TOPOLOGY, ids=name_of)
@pytest.mark.parametrize("name", HIDDEN)
def test_what_happens_inside_costs_nothing(name, loss, options):
    truth, predictions = HIDDEN[name]
    module = loss(**options, ignore_index=INDEX)
    for text in predictions:
        value, slope = run(module, sure(text), drawn(truth))
        assert value < 1e-9
        assert slope.abs().max() < 1e-9


SEEN = {
    # The same mistakes where there are labels cost as much as if no pixel were ignored elsewhere.
    "break": ("...........  ######..??#  ...........", "...........  ##.###....#  ..........."),
    # A piece of the truth is gone, though the network drew the part of it that is ignored.
    "missing": (".......  .#??...  .......", ".......  ..##...  ......."),
    # The hole is partly ignored, and filled in where it is not.
    "filled hole": ("######  #...?#  ######", "######  ######  ######"),
    # The prediction breaks beside the ignored pixels.
    "break beside": (".........  ####?###.  .........", ".........  #.##.###.  ........."),
}


@pytest.mark.parametrize(
    ("loss", "options", "name"),
    [
        (loss, options, name)
        for loss, options in TOPOLOGY[:4] + TOPOLOGY[5:6] + TOPOLOGY[-1:]
        for name in SEEN
        # An empty prediction has a component, however low, that rank takes for the true one.
        if (options, name) != ({"matching": "rank"}, "missing")
    ],
    ids=name_of,
)
def test_what_happens_beside_does_cost(loss, options, name):
    truth, prediction = SEEN[name]
    module = loss(**options, ignore_index=INDEX)
    logits = sure(prediction, 2.0)
    value, slope = run(module, logits, drawn(truth))
    perfect = drawn(truth).where(drawn(truth) == 1, 0)
    right, _ = run(module, torch.where(perfect == 1, 2.0, -2.0)[:, None].double(), drawn(truth))
    assert value > right + 0.05
    ignored = drawn(truth)[:, None] == INDEX
    assert (slope[ignored] == 0).all()
    # A step against the gradient makes it smaller.
    mended, _ = run(module, logits - 0.1 * slope / slope.abs().max(), drawn(truth))
    assert mended < value


def test_no_feature_of_ignored_pixels_divides_the_loss():
    truth = drawn("###....  ###.???  ###....")
    image = torch.full((1, 1, 3, 7), -2.0, dtype=torch.float64)
    image[..., :3] = 1.0
    few = image.clone()
    few[0, 0, 1, 4:] = torch.tensor([-9.0, -9.0, -9.0])
    many = image.clone()
    many[0, 0, 1, 4:] = torch.tensor([9.0, -9.0, 9.0])  # two components, had they a label
    for matching in ("spatial", "rank", "betti", "wasserstein"):
        module = TopologicalLoss(matching=matching, ignore_index=INDEX)
        assert module(few, truth) == module(many, truth) > 0


def test_a_thin_skeleton_is_that_of_the_filled_masks_without_what_is_ignored():
    loss = ClDiceLoss(skeleton="thin", ignore_index=INDEX)
    # The last of the ignored pixels touches the background, so all are, and two lines are left.
    text = ".......  .#####.  .??????  .#####.  ......."
    value, slope = run(loss, sure(text, 2.0), drawn(text))
    sensitivity = (10 / (1 + np.exp(-2.0)) + 1) / 11  # all of the prediction's skeleton is right
    assert value.item() == pytest.approx(1 - 2 * sensitivity / (1 + sensitivity), abs=1e-12)
    assert torch.equal(slope[:, 0] != 0, drawn(text) == 1)
    # Now all around is foreground. The skeleton of the block is its middle, of which nobody knows.
    text = "#######  #?????#  #?????#  #?????#  #######"
    value, slope = run(loss, sure(text, 2.0), drawn(text))
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize(("loss", "options"), SPACED, ids=name_of)
def test_a_spacing_counts_beside_ignored_pixels(loss, options):
    logits, labels, ignored = batch((2, 1, 8, 12, 13))
    labels[0] = 1  # two cells, and a wall between them, whose middle leans by the spacing
    labels[0, :2, :3, :3] = labels[0, 6:, 9:, 10:] = 0
    ignored[0] = False
    ignored[0, 3:5, 4:8, 4:8] = True
    target = labels.masked_fill(ignored, INDEX)
    values = [
        run(loss(**options, spacing=spacing, ignore_index=INDEX), logits, target)[1]
        for spacing in (None, (0.3, 0.3, 0.3), (4.0, 1.0, 1.0), (12.0, 3.0, 3.0))
    ]
    assert torch.equal(values[0], values[1])  # only ratios count
    assert torch.equal(values[2], values[3])
    assert not torch.equal(values[0], values[2])


@pytest.mark.parametrize(("loss", "options"), cases(2), ids=name_of)
def test_a_started_loss_refuses_what_a_called_one_does(loss, options):
    logits, labels, ignored = batch((2, 3, 9, 13))
    module = loss(**options, ignore_index=2)
    for call in (module, lambda *given: module.start(*given).result()):
        with pytest.raises(ValueError, match="ignore_index must be none of the labels of 3"):
            call(logits, labels)
    if module.uses_threads:  # it needs no values, so it is said at once
        with pytest.raises(ValueError, match="ignore_index must be none of the labels of 3"):
            module.start(logits, labels)
    pending = loss(**options, ignore_index=-1).start(logits, labels.masked_fill(ignored, INDEX))
    with pytest.raises(ValueError, match=r"labels from 0 to 2.*to 255"):
        pending.result()


def test_windows_without_a_label_do_not_count():
    logits, labels, _ = batch((1, 1, 8, 12))
    target = labels.clone()
    target[..., 4:] = INDEX
    loss = TopologicalLoss(window=4, ignore_index=INDEX)
    value, slope = run(loss, logits, target)
    left, slope_left = run(loss, logits[..., :4], labels[..., :4])
    assert torch.equal(value, left)
    assert torch.equal(slope[..., :4], slope_left)
    assert not slope[..., 4:].any()


def test_sums_ignore_what_their_parts_do():
    logits, labels, ignored = batch((2, 1, 9, 13))
    target = labels.masked_fill(ignored, INDEX)
    parts = {name: make_loss(name, ignore_index=INDEX) for name in LOSSES}
    value, slope = run(SumLoss(parts), logits, target)
    total = sum(part(logits, target) for part in parts.values())
    torch.testing.assert_close(value, total)
    assert (slope[ignored[:, None]] == 0).all()
    with pytest.raises(ValueError, match=r"only 0 and 1.*also holds 255"):
        SumLoss({**parts, "plain": DiceBCELoss()})(logits, target)


def test_second_derivatives_of_plain_torch_are_right():
    logits, labels, ignored = batch((2, 1, 5, 6))
    target = labels.masked_fill(ignored, INDEX)
    for loss in (
        DiceBCELoss(ignore_index=INDEX),
        ClDiceLoss(iterations=1, ignore_index=INDEX),
        ClDiceLoss(iterations=2, spacing=(2.0, 1.0), ignore_index=INDEX),
        ClDiceLoss(skeleton="thin", ignore_index=INDEX),
    ):
        point = (logits / 2).requires_grad_()
        assert torch.autograd.gradgradcheck(lambda x, f=loss: f(x, target), point, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    logits, labels, ignored = batch((2, 1, 9, 13), dtype=dtype)
    target = labels.masked_fill(ignored, INDEX)
    for name in LOSSES:
        value, slope = run(make_loss(name, ignore_index=INDEX), logits, target)
        assert value.dtype == torch.float32
        assert torch.equal(value, make_loss(name, ignore_index=INDEX)(logits.float(), target))
        assert (slope[ignored[:, None]] == 0).all()
