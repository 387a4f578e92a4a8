"""The metrics as `CumulativeIterationMetric` of MONAI: one value for each image and class."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.utils import do_metric_reduction
from monai.utils import MetricReduction
from torch import Tensor

from .. import further_metrics, metrics
from ..checks import check_choice, check_flag
from ..losses.common import in_threads
from ..losses.options import Options

__all__ = [
    "AdjustedRandIndexMetric",
    "BettiErrorMetric",
    "BettiMatchingErrorMetric",
    "ClDiceMetric",
    "IntersectionUnionDiscrepancyMetric",
    "TopologyPrecisionMetric",
    "TopologySensitivityMetric",
    "VariationOfInformationMetric",
    "WarpingErrorMetric",
]

_REDUCTIONS = tuple(reduction.value for reduction in MetricReduction)
_NO_OPTIONS = ("prediction", "truth", "ignored")  # of a metric: given at each call


class MaskMetric(CumulativeIterationMetric):
    """The base of the metrics with MONAI's signature; `of` is the function of the library."""

    of: ClassVar[Callable[..., float]]

    def __init_subclass__(cls, of: Callable[..., float]) -> None:
        cls.of = staticmethod(of)
        ours = inspect.signature(MaskMetric).parameters.values()
        known = [p for p in ours if p.kind is not p.VAR_KEYWORD]
        theirs = inspect.signature(of).parameters.values()
        options = [parameter for parameter in theirs if parameter.name not in _NO_OPTIONS]
        # For help and completion: the options of the metric in place of ``**options``.
        cls.__signature__ = inspect.Signature([*known, *options])  # type: ignore[attr-defined]

    def __init__(
        self,
        include_background: bool = True,
        reduction: MetricReduction | str = MetricReduction.MEAN,
        get_not_nans: bool = False,
        ignore_index: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.include_background = check_flag(include_background, "include_background")
        self.reduction = check_choice(reduction, _REDUCTIONS, "reduction")
        self.get_not_nans = check_flag(get_not_nans, "get_not_nans")
        self.ignore_index = Options(ignore_index=ignore_index).ignore_index
        self.options = self._checked(options)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options that the metric takes, of an image or of a volume."""
        known = inspect.signature(self.of).parameters
        for name in options:
            if name not in known or name in _NO_OPTIONS:
                raise TypeError(f"{type(self).__name__} has no option {name!r}")
        try:
            self.of(np.ones((1, 1), bool), np.ones((1, 1), bool), **options)
        except (TypeError, ValueError) as error:
            try:
                self.of(np.ones((1, 1, 1), bool), np.ones((1, 1, 1), bool), **options)
            except (TypeError, ValueError):
                raise error from None
        return options

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Return the values, (B, C), or (B, C - 1) without the background."""
        if kwargs:
            raise TypeError(f"options are given when the metric is made; got {', '.join(kwargs)}")
        if y is None:
            raise TypeError("y must be the true masks; got None")
        if y_pred.ndim not in (4, 5) or y_pred.shape != y.shape:
            raise ValueError(
                f"y_pred and y must have one shape, (B, C, H, W) or (B, C, D, H, W), with a "
                f"channel for each class; got {tuple(y_pred.shape)} and {tuple(y.shape)}"
            )
        first = 0 if self.include_background else 1
        count = y.shape[1] - first
        if count == 0:
            raise ValueError("y_pred has one channel, with which include_background must be True")
        prediction, truth = (m.as_subclass(Tensor).cpu().numpy() for m in (y_pred, y))
        ignored: list[Any] = [None] * len(truth)
        if self.ignore_index is not None:
            unknown = (truth == self.ignore_index).all(axis=1, keepdims=True)
            truth = np.where(unknown, truth.dtype.type(0), truth)
            ignored = list(unknown[:, 0])
        pairs = [
            (prediction[b, c], truth[b, c], ignored[b])
            for b in range(len(truth))
            for c in range(first, truth.shape[1])
        ]
        values = in_threads(lambda pair: self.of(*pair[:2], ignored=pair[2], **self.options), pairs)
        return torch.tensor(values, dtype=torch.float32, device=y_pred.device).view(-1, count)

    def aggregate(
        self, reduction: MetricReduction | str | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the values of all images so far, reduced; see `toposeg_lite.monai`.

        Parameters
        ----------
        reduction : str, optional
            Another one than the metric was made with: one of MONAI's `MetricReduction`.

        Returns
        -------
        tensor
            With `get_not_nans` a pair: also how many values went into each number.
        """
        if reduction is not None:
            check_choice(reduction, _REDUCTIONS, "reduction")
        data = self.get_buffer()
        if data is None:
            raise ValueError("there is nothing to aggregate: the metric was not called yet")
        values, known = do_metric_reduction(data, reduction or self.reduction)
        return (values, known) if self.get_not_nans else values


class BettiErrorMetric(MaskMetric, of=metrics.betti_error):
    """Differences of Betti numbers: `toposeg_lite.metrics.betti_error` as a metric of MONAI.

    Examples
    --------
    >>> ring, cut = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)
    >>> ring[..., 1, 1] = cut[..., 1, 1:] = 0
    >>> metric = BettiErrorMetric(dimension=1)
    >>> metric(cut, ring), metric.aggregate()
    (tensor([[1.]]), tensor([1.]))
    """


class BettiMatchingErrorMetric(MaskMetric, of=metrics.betti_matching_error):
    """Features without a partner: `toposeg_lite.metrics.betti_matching_error` for MONAI.

    Examples
    --------
    >>> here, there = torch.zeros(2, 1, 5, 9)
    >>> here[0, 1:3, 1:4] = there[0, 2:4, 6:8] = 1
    >>> metric = BettiMatchingErrorMetric()
    >>> metric([there, here], [here, here]), metric.aggregate()
    (tensor([[2.],
            [0.]]), tensor([1.]))
    """


class ClDiceMetric(MaskMetric, of=metrics.cldice):
    """Centreline Dice: `toposeg_lite.metrics.cldice` as a metric of MONAI.

    Examples
    --------
    >>> line = torch.ones(1, 1, 1, 4)
    >>> ClDiceMetric()(line, line)
    tensor([[1.]])
    """


class WarpingErrorMetric(MaskMetric, of=metrics.warping_error):
    """Pixels that no warping mends: `toposeg_lite.metrics.warping_error` for MONAI.

    Examples
    --------
    >>> WarpingErrorMetric()(torch.tensor([[[[1, 0, 1, 1]]]]), torch.ones(1, 1, 1, 4))
    tensor([[0.2500]])
    """


class AdjustedRandIndexMetric(MaskMetric, of=metrics.adjusted_rand_index):
    """Pairs of pixels: `toposeg_lite.metrics.adjusted_rand_index` as a metric of MONAI.

    Examples
    --------
    >>> cut = torch.tensor([[[[1, 1, 0, 1, 1]]]])
    >>> AdjustedRandIndexMetric()(torch.ones_like(cut), cut)
    tensor([[0.]])
    """


class VariationOfInformationMetric(MaskMetric, of=metrics.variation_of_information):
    """Splits and merges: `toposeg_lite.metrics.variation_of_information` for MONAI.

    Examples
    --------
    >>> half = torch.tensor([[[[1, 1, 0, 0]]]])
    >>> VariationOfInformationMetric()(torch.ones_like(half), half)
    tensor([[1.]])
    """


class TopologyPrecisionMetric(MaskMetric, of=further_metrics.topology_precision):
    """How much is true: `toposeg_lite.further_metrics.topology_precision` for MONAI.

    Examples
    --------
    >>> TopologyPrecisionMetric()(torch.ones(1, 1, 1, 4), torch.tensor([[[[1, 1, 0, 0]]]]))
    tensor([[0.5000]])
    """


class TopologySensitivityMetric(MaskMetric, of=further_metrics.topology_sensitivity):
    """How much is found: `toposeg_lite.further_metrics.topology_sensitivity` for MONAI.

    Examples
    --------
    >>> TopologySensitivityMetric()(torch.ones(1, 1, 1, 4), torch.tensor([[[[1, 1, 0, 0]]]]))
    tensor([[1.]])
    """


class IntersectionUnionDiscrepancyMetric(
    MaskMetric, of=further_metrics.intersection_union_discrepancy
):
    """DIU: `toposeg_lite.further_metrics.intersection_union_discrepancy` for MONAI, in 2D.

    Examples
    --------
    >>> cut = torch.tensor([[[[1, 1, 0, 1, 1]]]])
    >>> IntersectionUnionDiscrepancyMetric()(cut, torch.ones_like(cut))
    tensor([[1.]])
    """
