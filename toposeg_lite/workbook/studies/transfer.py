"""Does the order of the losses hold elsewhere? The files of the command ``across``.

``python -m toposeg_lite.training across`` leaves a file ``across-HOME-AWAY.csv`` for each pair of
data sets. It holds the scores of the networks of one study twice: on the test images of the data
set that they were trained on, at home, and on those of another, away. The losses, the control among
them, are put in order by their mean score at each place, and Kendall's tau says how far the two
orders agree.

Scores of two places must not be compared with each other: images differ in size, and in how much
there is to mistake. Orders may be.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...checks import check_choice, check_integer, check_number, check_path
from ...files import reading
from ..figures import higher_is_better
from .scores import COLUMNS, markdown, read_scores
from .statistics import KEYS, find_groups, holm, kendall_tau, rank_correlation
from .study import REFERENCE_RUNS

__all__ = [
    "METRICS", "PLACES", "Transfer", "compare_orders", "order_interval", "read_transfers",
    "transfer_tables",
]  # fmt: skip

#: Where the networks are scored: on the data set that they were trained on, and on another.
PLACES = ("home", "away")
#: The scores whose orders are compared.
METRICS = ("betti_matching_error", "dice", "cldice")
#: Columns that are the same in all rows of a file: what was done, and how.
SETTINGS = (
    "home", "away", "contrast", "channels", "scale", "pretrain_steps", "finetune_steps",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Transfer:
    """The networks of a study at home and away.

    Attributes
    ----------
    home, away : str
        The two data sets; one with options is written ``NAME:OPTION=VALUE``.
    scores : DataFrame
        "place", which is "home" or "away", "network", "weight", "seed", "image", and a column for
        each metric.
    settings : dict
        How the networks were made to see the other images (see `toposeg_lite.workbook.studies.
        across`), and for how many steps they were trained: "contrast", "channels", "scale",
        "pretrain_steps", "finetune_steps".
    """

    home: str
    away: str
    scores: pd.DataFrame
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """Both data sets in a row, and the scale if it is not 1."""
        scale = self.settings.get("scale", 1)
        return f"{self.home} -> {self.away}{'' if scale == 1 else f', scale {scale:g}'}"

    @property
    def networks(self) -> list[str]:
        """The networks that are put in order: the control and the losses, without the parent."""
        names = self.scores["network"].unique()
        return [str(name) for name in names if name != "parent"]

    @property
    def metrics(self) -> dict[str, str]:
        """The scores whose orders are compared, and what tables call them."""
        return {key: COLUMNS[key] for key in METRICS if key in self.scores}

    def images(self, place: str) -> int:
        """Return how many images are scored at a place."""
        return int(self.at(place)["image"].nunique())

    def seeds(self) -> int:
        """Return how many seeds there are."""
        return int(self.scores["seed"].nunique())

    def means(self, metric: str) -> pd.DataFrame:
        """Return the mean score of each network (row) at home and away, over seeds and images."""
        table = self._by_network(metric)
        return pd.DataFrame(
            {place: values.mean(axis=(1, 2)) for place, (values, _) in table.items()},
            index=pd.Index(self.networks, name="network"),
        )

    def ranks(self, metric: str) -> pd.DataFrame:
        """Return the rank of each network (row) at home and away: 1 is the best; ties share."""
        means = self.means(metric).round(12)
        return means.rank(ascending=not higher_is_better(metric))

    def at(self, place: str) -> pd.DataFrame:
        """Return the scores of one place, as statistics take them."""
        check_choice(place, PLACES, "place")
        return self.scores[self.scores["place"] == place].drop(columns="place")

    def _by_network(self, metric: str) -> dict[str, tuple[np.ndarray, pd.Index]]:
        """Return, for each place, scores as an array (networks, seeds, images), and the images."""
        check_choice(metric, tuple(self.metrics), "metric")
        found = {}
        for place in PLACES:
            rows = self.at(place)
            table = rows.pivot(index=["network", "seed"], columns="image", values=metric)
            table = table.loc[self.networks].dropna(axis=1)
            values = table.to_numpy(float).reshape(len(self.networks), -1, table.shape[1])
            found[place] = values, table.columns
        return found


def read_transfer(path: Path) -> Transfer:
    """Read a file that the command ``across`` has written; a damaged one raises a ValueError."""
    what = "table of networks on another data set"
    table = read_scores(path, ("place", *SETTINGS, *KEYS), what=what)
    with reading(path, what):
        settings = table[list(SETTINGS)].drop_duplicates()
        if len(settings) != 1:
            raise ValueError("its rows must be of one pair of data sets, seen in one way")
        values = {key: settings[key].iloc[0] for key in SETTINGS}
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
        scores = table.drop(columns=list(SETTINGS))
        found = Transfer(values.pop("home"), values.pop("away"), scores, values)
        _check_whole(found)
    return found


def _check_whole(transfer: Transfer) -> None:
    """Raise a ValueError unless all networks are scored with all seeds on all images, twice."""
    if set(transfer.scores["place"]) != set(PLACES) or "control" not in transfer.networks:
        raise ValueError("it must hold the control, at home and away")
    if len(transfer.networks) < 2:
        raise ValueError("it must hold another network than the control")
    for place in PLACES:
        rows = transfer.scores[transfer.scores["place"] == place]
        keys = [rows[key].unique() for key in ("network", "seed", "image")]
        twice = rows.duplicated(["network", "seed", "image"]).any()
        if twice or len(rows) != np.prod([len(key) for key in keys]):
            raise ValueError("each network must be scored once with each seed on each image")
    pairs = [
        set(rows[["network", "seed"]].drop_duplicates().itertuples(index=False, name=None))
        for _, rows in transfer.scores.groupby("place")
    ]
    if pairs[0] != pairs[1]:
        raise ValueError("it must hold the same networks at home and away")


def read_transfers(folder: str | os.PathLike[str] | None = None) -> dict[str, Transfer]:
    """Read all files ``across-*.csv`` of a folder, by the names of their pairs.

    The default are the reference runs of the workbook, which are not part of an installed package.
    A folder that is missing, or has no such file, raises a FileNotFoundError.

    Examples
    --------
    >>> pairs = read_transfers()
    >>> all(name.startswith(f"{one.home} -> {one.away}") for name, one in pairs.items())
    True
    """
    place = REFERENCE_RUNS if folder is None else check_path(folder, "folder")
    found = [read_transfer(path) for path in sorted(place.glob("across-*.csv"))]
    if not found:
        raise FileNotFoundError(f"there is no file across-*.csv in {place}")
    pairs = {transfer.name: transfer for transfer in found}
    if len(pairs) < len(found):
        raise ValueError(f"{place} holds several files of one pair of data sets")
    return pairs


def order_interval(
    transfer: Transfer, metric: str, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return a bootstrap interval of Kendall's tau, by drawing seeds and images again.

    In each draw the seeds are the same at both places, since the networks are, and the images are
    drawn at each, both eyes of a person together (`statistics.find_groups`). Scores that are drawn
    again are noisier than those that there are, and noise makes orders less alike, so the interval
    lies rather too low than too high. Of few images, and of parts of one photograph, it tells
    little.

    Examples
    --------
    >>> pairs = read_transfers()
    >>> low, high = order_interval(next(iter(pairs.values())), "dice", draws=200)
    >>> -1 <= low <= high <= 1
    True
    """
    if not isinstance(transfer, Transfer):
        raise TypeError(f"transfer must be a Transfer; got {type(transfer).__name__}")
    if not 0 < check_number(level, "level") < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    generator = np.random.default_rng(check_integer(seed, "seed"))
    check_integer(draws, "draws", 1)
    tables = transfer._by_network(metric)

    def weights(labels: Sequence[Hashable]) -> np.ndarray:
        """Return what each of these weighs in each draw, drawn by their labels."""
        names, group = np.unique(np.asarray(labels), return_inverse=True)
        count = len(names)
        drawn = generator.multinomial(count, np.full(count, 1 / count), draws)[:, group]
        return drawn / drawn.sum(axis=1, keepdims=True)

    seeds = weights(range(tables["home"][0].shape[1]))
    means = [
        np.einsum("ds,nsi,di->dn", seeds, values, weights(find_groups(images)))
        for values, images in (tables[place] for place in PLACES)
    ]
    low, high = np.quantile(kendall_tau(*means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare_orders(
    transfers: Mapping[str, Transfer], *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Compare the order of the losses at home and away, for each pair and each score.

    There is a row for each pair and metric (the index): "networks", how many are put in order;
    "tau" and "p", see `rank_correlation`; "low" and "high", the 95 % interval of `order_interval`;
    and "p_holm", corrected for the number of all rows.

    Examples
    --------
    >>> table = compare_orders(read_transfers(), draws=100)
    >>> bool((table["p"] <= table["p_holm"]).all())
    True
    """
    if not isinstance(transfers, Mapping) or not transfers:
        raise TypeError(f"transfers must map one name at least to a Transfer; got {transfers!r}")
    rows = {}
    for name, transfer in transfers.items():
        if not isinstance(transfer, Transfer):
            raise TypeError(f"transfers must hold instances of Transfer; {name!r} is none")
        for metric in transfer.metrics:
            means = transfer.means(metric)
            tau, p = rank_correlation(means["home"], means["away"], seed=seed)
            low, high = order_interval(transfer, metric, draws=draws, seed=seed)
            rows[name, metric] = {"networks": len(means), "tau": tau, "low": low, "high": high,
                                  "p": p}  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["pair", "metric"])
    return table.assign(p_holm=holm(table["p"]))


def transfer_tables(transfers: Mapping[str, Transfer], *, draws: int = 2000) -> str:
    """Return as Markdown the means and ranks of each pair, and how far the orders agree."""
    orders = compare_orders(transfers, draws=draws)
    texts = [_means_table(transfer) for transfer in transfers.values()]
    lines = [
        [
            pair,
            COLUMNS[metric],
            f"{row['networks']:.0f}",
            f"{row['tau']:+.2f}",
            f"{row['low']:+.2f} to {row['high']:+.2f}",
            f"{row['p']:.3f}",
            f"{row['p_holm']:.3f}",
        ]
        for (pair, metric), row in zip(
            orders.index.tolist(), orders.to_dict("records"), strict=True
        )
    ]
    header = ["pair", "score", "networks", "tau", "95 % interval", "p", "p, Holm"]
    return "\n\n".join([*texts, markdown(header, lines)])


def _means_table(transfer: Transfer) -> str:
    """Return the means of one pair, each with its rank."""
    facts = ", ".join(f"{key} {value}" for key, value in transfer.settings.items())
    header, columns = ["network"], []
    for metric, title in transfer.metrics.items():
        means, ranks = transfer.means(metric), transfer.ranks(metric)
        digits = 3 if means.abs().to_numpy().max() < 1.5 else 2
        for place in PLACES:
            header.append(f"{title}, {place}")
            columns.append(
                [
                    f"{mean:.{digits}f} ({rank:g})"
                    for mean, rank in zip(means[place], ranks[place], strict=True)
                ]
            )
    lines = [list(cells) for cells in zip(transfer.networks, *columns, strict=True)]
    return f"{transfer.name}: {facts}\n\n{markdown(header, lines)}"
