"""Losses for segmentation, each a function and a module: logits and target in, a scalar out.

The function builds the module and calls it: ``topological_loss(logits, target, window=64)`` is
``TopologicalLoss(window=64)(logits, target)``. Both take the options of one dataclass, which checks
them when it is made (`options.py`); the module keeps it as its `options`.

=====================  ===========================================================================
`DiceBCELoss`          every pixel: the start, to which the others are added
`TopologicalLoss`      births and deaths of components, holes and cavities (Hu 2019)
`HomotopyWarpingLoss`  pixels where no deformation makes prediction and truth agree (Hu 2022)
`MorseLoss`            ridges of the likelihood, or walls between its basins (Hu 2021)
`ClDiceLoss`           soft skeletons: what each misses of the other mask (Shit 2021)
`SkeletonRecallLoss`   what the prediction misses of the truth's skeleton (Kirchhoff 2024)
`SCNPLoss`             every pixel answers for its worst neighbour (Valverde 2026)
`TopographLoss`        regions that make the topology wrong, in images (Lux 2025)
`SumLoss`              a weighted sum of these or any others, each from its own step on
=====================  ===========================================================================

What holds for every loss of this folder:

logits : (B, C, H, W) or (B, C, D, H, W) tensor of float16, bfloat16, float32 or float64
    What the network returns, without a sigmoid or softmax.
target : tensor on the same device
    (B, H, W) or (B, 1, H, W) labels: integers below C, or 0 and 1 in any type where C = 1; or
    (B, C, H, W) with 0 and 1: binary under a sigmoid, one-hot under a softmax; in 3D with D
    before H.
activation : {"sigmoid", "softmax"}, optional
    "softmax": the channels are C classes, of which the first is the background; each other one is
    judged as foreground against the rest. "sigmoid": each channel is a class of foreground by
    itself, and they may overlap, so labels are no target. An option of every loss; by default a
    sigmoid where C = 1 and a softmax where C > 1.
reduction : {"mean", "sum", "none"}
    Over the B images of the batch; "none" returns a value for each, shape (B,). An option of every
    loss, by default "mean". The foreground classes of an image are always averaged.
ignore_index : int, optional
    A label that stands for no class, such as 255 or -100: pixels at which the target holds it (of
    several channels, all of them; under a sigmoid, each for itself) are *ignored*. An option of
    every loss, as of torch's cross-entropy; by default there is none, and such a target is refused.

Ignored pixels have a gradient of exactly 0, and no value depends on what logits or target say
there. What is summed or averaged over pixels (Dice, cross-entropy, the parts of a skeleton or
ridge) leaves them out. Where an image is looked at as a whole, for its features, ridges or
skeletons, a connected piece of ignored pixels takes the lowest value of the pixels around it, in
likelihood and truth alike, and a gradient there goes to the pixel of that value. So no feature
lies in ignored pixels alone, and a break inside them is no error; why it is this rule is told in
`toposeg_lite.topology.ignored`. An image that is ignored altogether has a loss of 0, and counts in
the mean over the batch; a window of `TopologicalLoss` that is does not count.

A bad option raises TypeError or ValueError when the module is built; bad logits (NaN, infinite or
beyond 2^100), a bad target, and options that do not fit the number of axes do so when it is called.

Half precision is computed in float32, also under autocast, and the value is float32; float64 stays
float64. The losses with kernels on the CPU (topological, warping, Morse) copy logits and target
from a GPU once and spread the images over as many threads as torch uses; no bit depends on that
number. Ctrl-C ends a batch within one image.

*Beside the network.* ``pending = loss.start(logits, target)`` returns at once, ``pending.result()``
is what ``loss(logits, target)`` returns, bit by bit, with its gradient. In between the kernels run
in threads of their own, while the caller does something else: the pixel loss, the next batch; from
a GPU the tensors are under way meanwhile. Of a `SumLoss` all parts start at once. Until the result
is there, neither tensor may be changed in place (it is noticed, and refused). Wrong shapes and
types are raised by `start`, wrong values by `result`; Ctrl-C there, or dropping the handle, ends
the threads within one image. Losses that are plain torch are computed in `result`.

>>> import torch
>>> logits, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[0, 1], [1, 0]]])
>>> pending = TopologicalLoss().start(logits, target)
>>> pixels = dice_bce_loss(logits, target)  # while the kernels run
>>> pixels + pending.result()
tensor(1.5306)

Second derivatives (``create_graph=True``, Hessians) are right for the losses that are plain torch;
those with kernels on the CPU have first derivatives only and raise RuntimeError. `torch.compile`
leaves every loss as it is and compiles what is around it, so ``fullgraph=True`` is refused; so are
the transforms of `torch.func`, as the values are looked at.

Threads that wait for each other spin by default, and on a machine with other work a step may take
ten to eighty times as long. Importing this package before torch sets ``OMP_WAIT_POLICY=passive``
unless you have set it; where torch comes first, set it yourself before Python starts.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..checks import check_choice
from .base import Loss
from .baselines import (
    ClDiceLoss,
    SCNPLoss,
    SkeletonRecallLoss,
    TopographLoss,
    cldice_loss,
    scnp_loss,
    skeleton_recall_loss,
    topograph_loss,
)
from .morse import MorseLoss, morse_loss
from .pixels import DiceBCELoss, dice_bce_loss
from .sums import SumLoss
from .topological import TopologicalLoss, topological_loss
from .warping import HomotopyWarpingLoss, homotopy_warping_loss

__all__ = [
    "LOSSES",
    "ClDiceLoss",
    "DiceBCELoss",
    "HomotopyWarpingLoss",
    "MorseLoss",
    "SCNPLoss",
    "SkeletonRecallLoss",
    "SumLoss",
    "TopographLoss",
    "TopologicalLoss",
    "cldice_loss",
    "dice_bce_loss",
    "homotopy_warping_loss",
    "make_loss",
    "morse_loss",
    "scnp_loss",
    "skeleton_recall_loss",
    "topograph_loss",
    "topological_loss",
]

LOSSES: dict[str, type[Loss]] = {
    "dice_bce": DiceBCELoss,
    "topological": TopologicalLoss,
    "warping": HomotopyWarpingLoss,
    "morse": MorseLoss,
    "cldice": ClDiceLoss,
    "skeleton_recall": SkeletonRecallLoss,
    "scnp": SCNPLoss,
    "topograph": TopographLoss,
}


def make_loss(name: str, **options: Any) -> Loss | SumLoss:
    """Build a loss by its name in `LOSSES`, with the options that its class takes.

    The name "sum" builds a `SumLoss`. Its `parts` then map names of losses to their options; a part
    of another name says its loss as the option "loss". An `ignore_index` is that of all parts.

    Examples
    --------
    >>> make_loss("dice_bce", smooth=0.1)
    DiceBCELoss(dice_weight=1.0, bce_weight=1.0, smooth=0.1, reduction='mean', ignore_index=None,
                activation=None)
    >>> make_loss("sum", parts={"cldice": {}, "other": {"loss": "morse", "dilation": 1}}).factors()
    {'cldice': 1.0, 'other': 1.0}
    """
    loss = LOSSES.get(check_choice(name, (*LOSSES, "sum"), "name"), _sum_of)
    known = inspect.signature(loss).parameters
    for option in options:
        if option not in known:
            raise TypeError(f"{name} has no option {option!r}; it takes {', '.join(known)}")
    return loss(**options)


def _sum_of(parts: Any, weights: Any = None, starts: Any = None, warm_up: Any = None,
            ignore_index: int | None = None) -> SumLoss:  # fmt: skip
    """Build a sum whose parts are losses by name."""
    made = dict(parts) if isinstance(parts, Mapping) else parts  # which the sum refuses
    for part in made if isinstance(made, dict) else ():
        try:
            options = {"loss": part, "ignore_index": ignore_index, **made[part]}
            loss = check_choice(options.pop("loss"), tuple(LOSSES), "loss")
            made[part] = make_loss(loss, **options)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parts[{part!r}]: {error}") from error
    return SumLoss(made, weights=weights, starts=starts, warm_up=warm_up)
