"""What the labels of a data set hang on: neighbours across corners, and specks.

``python -m toposeg_lite.training audit --datasets topomortar chase_db1`` prints a table of the
masks themselves, before any network: how many components and holes they have with each
connectivity, and how many are so small that a slip of the pen makes or unmakes them. Where these
numbers are not far below the errors of networks, the choice of connectivity and the specks decide
which loss looks better [1]_. A data set with options is written as ``across`` takes it,
``betti_matching_examples:kind=roads``.

References
----------
.. [1] A. H. Berger et al., "Pitfalls of topology-aware image segmentation". arXiv:2412.14619
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...checks import check_integer
from ...data import Dataset, Sample, load_dataset
from ...topology.components import betti_numbers, label_components
from ...topology.grid import dual_connectivity
from ...topology.ignored import fill_ignored
from .across import read_name
from .options import option
from .scores import markdown

__all__ = ["AuditCommand", "audit_labels"]

#: Which masks of every image: those that a network meets, in any split.
SPLITS = ("train", "validation", "test")


def audit_labels(data: Dataset, *, small: int = 5) -> pd.DataFrame:
    """Count the components and holes of all masks of a data set, with both connectivities.

    A hole is a piece of background that does not reach the border of the image; in a volume it is a
    cavity, and there are tunnels besides, which have no size. What is ignored counts as
    `toposeg_lite.topology.ignored` says.

    Parameters
    ----------
    data : Dataset
        Masks of booleans; labels of several classes are refused.
    small : int
        A feature of fewer pixels is small.

    Returns
    -------
    DataFrame
        A row for each mask, by its split and name. For "components" and "holes": their number with
        the orthogonal neighbours alone ("_1") and with all ("_full"), the difference ("_changed"),
        and how many with all neighbours are "_small"; for "tunnels", of volumes alone, all but the
        last.

    Examples
    --------
    >>> from toposeg_lite.data import Dataset, Sample
    >>> mask = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1]], bool)
    >>> sample = Sample("corner", np.zeros((1, 3, 4), np.float32), mask)
    >>> data = Dataset("one", (sample,), (), (), "foreground", "exact", 4, "none")
    >>> audit_labels(data).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'components_1': 2, 'components_full': 1, 'components_changed': 1, 'components_small': 0,
     'holes_1': 0, 'holes_full': 1, 'holes_changed': 1, 'holes_small': 1}
    """
    if not isinstance(data, Dataset):
        raise TypeError(f"data must be a Dataset; got {type(data).__name__}")
    small = check_integer(small, "small", 1)
    rows = {
        (split, sample.name): _count(sample, small)
        for split in SPLITS
        for sample in getattr(data, split)
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["split", "image"])
    return table


def _count(sample: Sample, small: int) -> dict[str, int]:
    """Count the features of one mask."""
    if sample.mask.dtype != np.bool_:
        raise ValueError(
            f"the mask of {sample.name!r} holds labels of classes: audit them one at a time, as "
            f"masks of booleans"
        )
    mask = sample.mask if sample.ignored is None else fill_ignored(sample.mask, sample.ignored)[0]
    sizes = {
        (kind, connectivity): _sizes(mask, kind, connectivity)
        for kind in ("components", "holes")
        for connectivity in (1, mask.ndim)
    }
    counts = {}
    for kind in ("components", "holes"):
        one, full = (sizes[kind, connectivity] for connectivity in (1, mask.ndim))
        counts[f"{kind}_1"], counts[f"{kind}_full"] = len(one), len(full)
        counts[f"{kind}_changed"] = abs(len(one) - len(full))
        counts[f"{kind}_small"] = int((full < small).sum())
    if mask.ndim == 3:
        few, more = (betti_numbers(mask, connectivity=connectivity)[1] for connectivity in (1, 3))
        counts |= {"tunnels_1": few, "tunnels_full": more, "tunnels_changed": abs(few - more)}
    return counts


def _sizes(mask: np.ndarray, kind: str, connectivity: int) -> np.ndarray:
    """Return the numbers of pixels of the components, or of the holes, of a mask."""
    if kind == "components":
        labels, _ = label_components(mask, connectivity=connectivity)
        return np.bincount(labels.ravel())[1:]
    framed = np.pad(~mask, 1, constant_values=True)  # what reaches the border is one piece, the 1st
    labels, _ = label_components(framed, connectivity=dual_connectivity(connectivity, mask.ndim))
    return np.bincount(labels.ravel())[2:]


@dataclass(frozen=True)
class AuditCommand:
    """Count what the labels of data sets hang on: connectivity and specks."""

    datasets: Sequence[str] = option(
        (
            "topomortar",
            "chase_db1",
            "isbi2012_membranes",
            "crackforest",
            "epfl_roads",
            "vesselnn_3d",
            "betti_matching_examples:kind=cremi",
            "betti_matching_examples:kind=roads",
        ),
        "names of data sets, NAME or NAME:OPTION=VALUE",
    )
    root: str | None = option(None, "the folder of downloaded data sets")
    small: int = option(5, "a feature of fewer pixels is small")

    def run(self) -> pd.DataFrame:
        """Count, print the table, and return it: a row for each data set, sums over its masks."""
        check_integer(self.small, "small", 1)
        if isinstance(self.datasets, str) or not self.datasets:
            raise ValueError(f"datasets must name one at least; got {self.datasets!r}")
        named = {text: read_name(text, "datasets") for text in self.datasets}
        rows: dict[str, Any] = {}
        for text, (name, options) in named.items():
            counts = audit_labels(load_dataset(name, root=self.root, **options), small=self.small)
            rows[text] = {"masks": len(counts)} | counts.sum().to_dict()
        table = pd.DataFrame.from_dict(rows, orient="index").astype("Int64")
        titles = [str(column).replace("_", " ") for column in table]
        lines = [
            [text, *("" if cell is pd.NA else str(cell) for cell in row)]
            for text, row in zip(rows, table.astype(object).to_numpy(), strict=True)
        ]
        print(markdown(["data set", *titles], lines))
        return table
