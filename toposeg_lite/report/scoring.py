"""What is done with a few pairs in a process of its own: they are checked, or scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..differences import KINDS, topology_differences
from ..further_metrics import further_report
from ..metrics import report
from .options import ReportOptions
from .pairs import Pair, read_pair

__all__ = ["KIND_COLUMNS", "check_pairs", "score_pairs"]

#: The columns of the table that count the differences of each kind.
KIND_COLUMNS = {kind: f"{kind.replace(' ', '_')}_count" for kind in KINDS}


def check_pairs(pairs: Sequence[Pair], options: ReportOptions) -> list[str]:
    """Return what is wrong with some pairs."""
    problems = []
    for pair in pairs:
        try:
            read_pair(pair, options)
        except ValueError as error:
            problems += str(error).split("\n")
    return problems


def score_pairs(pairs: Sequence[Pair], options: ReportOptions) -> list[dict[str, Any]]:
    """Return a row of the table for each of some pairs."""
    rows = []
    for pair in pairs:
        state = pair.state()  # before it is read: what changes meanwhile is scored anew next time
        prediction, truth, ignored = read_pair(pair, options)
        common: dict[str, Any] = {
            "connectivity": options.connectivity,
            "border": options.border,
            "ignored": ignored,
        }
        scores = report(prediction, truth, patch=options.patch, labels=options.labels, **common)
        found = Counter(d.kind for d in topology_differences(prediction, truth, **common))
        rows.append(
            {
                "method": pair.method,
                "image": pair.name,
                "shape": list(truth.shape),
                **scores,
                **further_report(prediction, truth, **common),
                **{column: found[kind] for kind, column in KIND_COLUMNS.items()},
                "files": state,
            }
        )
    return rows
