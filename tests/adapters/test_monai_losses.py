"""The losses with MONAI's signature say what the library's losses say, channel by channel."""

from __future__ import annotations

import inspect

import pytest
import torch
from loss_batches import name_of

from toposeg_lite import losses

monai = pytest.importorskip("monai")
adapted = pytest.importorskip("toposeg_lite.monai")

NAMES = [name for name in adapted.__all__ if name.endswith("Loss")]
#: Whose skeleton is that of all classes together.
WITHOUT_BACKGROUND = {"SkeletonRecallLoss"}
SHAPES = [(9, 12), (4, 5, 6)]


def pair(name):
    return getattr(adapted, name), getattr(losses, name)


def batch(shape, classes, seed=0):
    """Smooth logits of three images, and labels that are not far from them."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn((3, classes, *shape), generator=generator)
    nearly = logits + 2 * torch.randn(logits.shape, generator=generator)
    return logits, nearly.argmax(1) if classes > 1 else (nearly[:, 0] > 0).long()


def graded(loss, logits, target):
    """Return the value of a loss and its gradient."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, target)
    value.sum().backward()
    return value.detach(), logits.grad


def equal(first, second, **tolerance):
    for ours, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(ours, theirs, **({"rtol": 0, "atol": 0} | tolerance))


def only_images(name, shape):
    if name == "TopographLoss" and len(shape) == 3:
        pytest.skip("it is a loss of images alone")


def test_every_loss_of_the_library_is_there():
    assert sorted(NAMES) == sorted(name_of(loss) for loss in losses.LOSSES.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_one_channel_by_sigmoid_is_the_librarys_loss(name, shape, reduction):
    only_images(name, shape)
    ours, theirs = pair(name)
    logits, labels = batch(shape, 1)
    expected = graded(theirs(reduction=reduction), logits, labels)
    loss = ours(sigmoid=True, reduction=reduction)
    equal(graded(loss, logits, labels[:, None].float()), expected)
    assert expected[1].any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
@pytest.mark.parametrize("onehot", [False, True])
def test_foreground_classes_by_softmax_are_the_librarys_loss(name, shape, onehot):
    only_images(name, shape)
    ours, theirs = pair(name)
    logits, labels = batch(shape, 3)
    expected = graded(theirs(), logits, labels)
    loss = ours(include_background=False, to_onehot_y=not onehot, softmax=True)
    target = labels[:, None].float()  # MONAI's readers give labels as floats
    if onehot:
        target = monai.networks.one_hot(target, 3)
    equal(graded(loss, logits, target), expected)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in WITHOUT_BACKGROUND])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_background_is_judged_as_any_other_class(name, classes):
    """Turned round, each class stands once for the background of the library: none is judged."""
    ours, theirs = pair(name)
    logits, labels = batch((9, 12), classes)
    loss = ours(to_onehot_y=True, softmax=True)
    value, gradient = graded(loss, logits, labels[:, None])
    turned = [
        graded(theirs(), logits.roll(k, 1), (labels + k) % classes) for k in range(classes)
    ]  # fmt: skip
    expected = torch.stack([part[0] for part in turned]).mean()
    torch.testing.assert_close(value, expected)
    back = [part[1].roll(-k, 1) for k, part in enumerate(turned)]
    torch.testing.assert_close(gradient, torch.stack(back).mean(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("background", [False, True])
def test_overlapping_classes_are_judged_one_by_one(name, background):
    ours, theirs = pair(name)
    logits, _ = batch((9, 12), 3)
    other, _ = batch((9, 12), 3, seed=1)
    target = (logits + other > 0.5).float()
    assert (target.sum(1) > 1).any()
    first = 0 if background else 1
    parts = [theirs(reduction="none")(logits[:, c : c + 1], target[:, c]) for c in range(first, 3)]
    loss = ours(include_background=background, sigmoid=True, reduction="none")
    torch.testing.assert_close(loss(logits, target), torch.stack(parts).mean(0))


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_are_as_good_as_their_logits(name):
    ours, _ = pair(name)
    logits, labels = batch((9, 12), 2)
    target = monai.networks.one_hot(labels[:, None], 2)
    by_logits = graded(ours(sigmoid=True), logits.double(), target)
    chances = logits.double().sigmoid()
    value, slope = graded(ours(), chances, target)
    torch.testing.assert_close(value, by_logits[0])
    torch.testing.assert_close(slope * chances * (1 - chances), by_logits[1])


@pytest.mark.parametrize("name", NAMES)
def test_sure_probabilities_have_finite_slopes(name):
    ours, _ = pair(name)
    chances = torch.tensor([[[[0.0, 1.0, 1.0, 0.0, 0.5]]]])
    value, slope = graded(ours(), chances, torch.tensor([[[[0.0, 1.0, 0.0, 1.0, 1.0]]]]))
    assert torch.isfinite(value)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", NAMES)
def test_softmax_probabilities_have_the_value_of_each_channel(name):
    """Without a flag each channel is judged by itself, as by MONAI after a softmax."""
    ours, theirs = pair(name)
    logits, labels = batch((9, 12), 3)
    chances = logits.double().softmax(1)
    loss = ours(include_background=False, to_onehot_y=True)
    parts = [theirs()(chances[:, c : c + 1].logit(), (labels == c).long()) for c in (1, 2)]
    torch.testing.assert_close(loss(chances, labels[:, None]), torch.stack(parts).mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ignore", [255, -100, 3])
def test_ignored_pixels_by_softmax(name, ignore):
    ours, theirs = pair(name)
    logits, labels = batch((9, 12), 3)
    labels[:, 2:4, 3:9] = ignore
    expected = graded(theirs(ignore_index=ignore), logits, labels)
    options = {"to_onehot_y": True, "softmax": True, "ignore_index": ignore}
    loss = ours(include_background=False, **options)
    given = graded(loss, logits, labels[:, None])
    equal(given, expected)
    # Nothing that stands at these pixels says anything, with the background or without it.
    options["include_background"] = name not in WITHOUT_BACKGROUND
    value, gradient = graded(ours(**options), logits, labels[:, None].float())
    assert not gradient[:, :, 2:4, 3:9].any()
    assert gradient.any()
    logits[:, :, 2:4, 3:9] = 7
    assert ours(**options)(logits, labels[:, None]) == value


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_by_sigmoid(name):
    ours, theirs = pair(name)
    logits, labels = batch((9, 12), 1)
    labels[:, 2:4, 3:9] = 255
    expected = graded(theirs(ignore_index=255), logits, labels)
    equal(graded(ours(sigmoid=True, ignore_index=255), logits, labels[:, None]), expected)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_with_metadata_and_half_precision(name):
    from monai.data import MetaTensor

    ours, _ = pair(name)
    logits, labels = batch((9, 12), 2)
    loss = ours(include_background=False, to_onehot_y=True, softmax=True)
    expected = graded(loss, logits, labels[:, None])
    meta = MetaTensor(logits, meta={"file": "a.nii"}).requires_grad_()
    value = loss(meta, MetaTensor(labels[:, None].float()))
    assert type(value) is torch.Tensor
    value.backward()
    torch.testing.assert_close(value.detach(), expected[0], rtol=0, atol=0)
    torch.testing.assert_close(meta.grad.as_subclass(torch.Tensor), expected[1], rtol=0, atol=0)
    half = logits.half()
    torch.testing.assert_close(loss(half, labels[:, None]), loss(half.float(), labels[:, None]))


def test_a_sum_takes_them_and_monais_own():
    logits, labels = batch((9, 12), 2)
    common = {"include_background": False, "to_onehot_y": True, "softmax": True}
    dice, topology = monai.losses.DiceLoss(**common), adapted.TopologicalLoss(**common, window=5)
    total = losses.SumLoss({"dice": dice, "topology": topology}, weights={"topology": 0.5})
    target = labels[:, None]
    expected = dice(logits, target) + 0.5 * topology(logits, target)
    torch.testing.assert_close(total(logits, target), expected)


def test_the_shown_options_are_monais_and_the_losss():
    shown = list(inspect.signature(adapted.TopologicalLoss).parameters)
    own = ["include_background", "to_onehot_y", "sigmoid", "softmax", "reduction"]
    assert shown[:5] == own
    assert shown[5] == "ignore_index"
    theirs = inspect.signature(losses.TopologicalLoss).parameters
    assert set(shown[5:]) == set(theirs) - {"reduction", "activation"}
    named = set(inspect.signature(monai.losses.DiceLoss).parameters)
    assert set(own) <= named
    with pytest.raises(TypeError, match="windows"):
        adapted.TopologicalLoss(windows=3)
    assert "window=5" in repr(adapted.TopologicalLoss(sigmoid=True, window=5))
    assert "sigmoid=True" in repr(adapted.TopologicalLoss(sigmoid=True))
