"""Explore the results of studies: every loss against the control, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from traitlets import default, observe

from .. import figures
from ..figures.words import count
from . import views
from .base import Explorer
from .framed import FramedView
from .frames import Film, Reel, Shelf
from .traits import OneOf, UpTo

if TYPE_CHECKING:  # the studies load torch, which a page of other explorers should not wait for
    import pandas as pd

    from ..studies import Run

__all__ = ["ComparisonExplorer"]

FIRST = ("betti_matching_error", "betti_0_error")  # what is looked at first, if it is there
DRAWS, FLIPS = 2000, 1999  # fewer than by default, so that a slider follows the hand


class ComparisonExplorer(Explorer):
    """The networks of a study against their control, in any score, for as many seeds as wanted.

    Parameters
    ----------
    runs : dict of str to Run
        What `toposeg_lite.workbook.studies.read_runs` returned.
    run, network : str, optional
        Which run and which loss to look at first. Default: the first.
    metric : str, optional
        Which score. Default: the Betti-matching error if there is one, else the Betti-0 error.
    seeds : int, optional
        How many of the seeds count, from the first one on. Default: all.
    image : int
        The number of the test image to mark, 1 being the one that the loss changes most for the
        better; 0 marks none.

    Examples
    --------
    >>> import pandas as pd
    >>> from toposeg_lite.workbook.studies import Run
    >>> scores = pd.DataFrame({
    ...     "network": ["control"] * 4 + ["arm"] * 4, "weight": [0] * 4 + [0.5] * 4,
    ...     "seed": [0, 0, 1, 1] * 2, "image": ["a", "b"] * 4,
    ...     "betti_0_error": [5, 2, 4, 3, 3, 2, 3, 3],
    ... })
    >>> validation = pd.DataFrame({
    ...     "network": ["control", "control", "arm", "arm"], "seed": [0, 1] * 2,
    ...     "weight": [0, 0, 0.5, 0.5], "betti_0_error": [4, 4, 3, 3],
    ... })
    >>> cost = pd.DataFrame({"network": ["arm"], "seed": [0], "share_of_loss": [0.25]})
    >>> run = Run("small", "walls", scores, validation, cost, {}, {})
    >>> print(ComparisonExplorer({"small": run}, image=1).describe())
    small: arm (weight 0.5) against the control on walls, 2 of 2 seeds, 2 test images. Betti-0 error
    (lower is better): control 3.50, arm 2.75, a difference of -0.75 (-21 %), 95 % interval -2.00 to
    0.00 over images and seeds, which holds 0. Better in 1, worse in 0, equal in 1 of the images;
    better with 2 of 2 seeds. Sign-flip test over images: p 1.000, with Holm's correction for 1 loss
    1.000. The loss takes 25 % of the time. Image 1 of 2 is a: control 4.50, arm 3.00.
    """

    chapter, title = "10", "Comparison"

    run = OneOf(lambda model: model.runs)
    metric = OneOf(lambda model: model.now.metrics)
    network = OneOf(lambda model: model.now.arms)
    seeds = UpTo(lambda model: len(model.now.seeds), low=1)
    image = UpTo(lambda model: model.now.images)

    state = ("run", "metric", "network", "seeds", "image")

    def __init__(
        self,
        runs: Mapping[str, Run],
        *,
        run: str | None = None,
        metric: str | None = None,
        network: str | None = None,
        seeds: int | None = None,
        image: int = 0,
    ) -> None:
        from ..studies import Run

        if not isinstance(runs, Mapping) or not runs:
            raise TypeError(f"runs must map one name at least to a Run; got {runs!r}")
        for name, member in runs.items():
            if not isinstance(member, Run):
                raise TypeError(f"runs must hold instances of Run; {name!r} is a {type(member)}")
        self.runs = dict(runs)
        self._look = lru_cache(maxsize=64)(self._compare)
        self._pair = lru_cache(maxsize=64)(self._pairs)
        super().__init__()
        self.run = next(iter(self.runs)) if run is None else run
        for trait, value in (("metric", metric), ("network", network), ("seeds", seeds)):
            if value is not None:
                setattr(self, trait, value)
        self.image = image

    @default("metric")
    def _first_metric(self) -> str:
        metrics = self.now.metrics
        return next(name for name in (*FIRST, *metrics) if name in metrics)

    @default("network")
    def _first_network(self) -> str:
        return self.now.arms[0]

    @observe("run")
    def _turn(self, change: Any) -> None:
        """Keep score and loss if the other run has them; all of its seeds count, no mark is set."""
        with self.hold_trait_notifications():
            if self.metric not in self.now.metrics:
                self.metric = self._first_metric()
            if self.network not in self.now.arms:
                self.network = self._first_network()
            self.seeds, self.image = len(self.now.seeds), 0

    @property
    def now(self) -> Run:
        """The run that is looked at."""
        return self.runs[self.run]

    def _compare(self, run: str, metric: str, seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the table of a run with its first seeds, and each seed's differences."""
        import pandas as pd

        from ..studies.statistics import compare_networks, paired_differences

        scores = self._scores(run, seeds)
        table = compare_networks(scores, metric, draws=DRAWS, flips=FLIPS)
        means = {
            name: paired_differences(scores, metric, str(name)).mean(axis=1) for name in table.index
        }
        return table, pd.DataFrame(means).T

    def _scores(self, run: str, seeds: int) -> pd.DataFrame:
        scores = self.runs[run].scores
        return scores[scores["seed"].isin(self.runs[run].seeds[:seeds])]

    @property
    def table(self) -> pd.DataFrame:
        """What `compare_networks` says of these seeds: all networks against the control."""
        return self._look(self.run, self.metric, self.seeds)[0]

    @property
    def by_seed(self) -> pd.DataFrame:
        """The mean difference of each network (row) with each seed (column)."""
        return self._look(self.run, self.metric, self.seeds)[1]

    def _weights_of(self, network: str) -> list[dict[str, Any]]:
        """Return what the weights of a loss change on the validation images, seed by seed.

        Each seed is compared with its own control; `picked` is the place of the chosen weight, or
        None.
        """
        run = self.now
        rows = run.validation
        control = rows[rows["network"] == "control"].set_index("seed")[self.metric]
        rows = rows[rows["network"] == network].sort_values(["seed", "weight"])
        seeds = []
        for seed in rows["seed"].unique().tolist():
            own = rows[rows["seed"] == seed]
            weights = own["weight"].tolist()
            changes = (own[self.metric] - control[seed]).tolist()
            best = run.chosen.get((network, seed))
            picked = weights.index(best) if best in weights else None
            seeds.append({"seed": seed, "x": weights, "y": changes, "picked": picked})
        return seeds

    def _pairs(self, run: str, metric: str, seeds: int, network: str) -> pd.DataFrame:
        """Return the scores of control and network for each image."""
        import pandas as pd

        from ..studies.statistics import paired_differences

        scores = self._scores(run, seeds)
        change = paired_differences(scores, metric, network)
        control = scores[scores["network"] == "control"]
        control = control.pivot(index="seed", columns="image", values=metric)
        base = control.loc[change.index, change.columns].mean()
        pairs = pd.DataFrame({"control": base, "score": base + change.mean()})
        sign = -1 if figures.higher_is_better(metric) else 1
        order = np.argsort((sign * change.mean()).round(12).to_numpy(), kind="stable")
        return pairs.iloc[order]

    @property
    def pairs(self) -> pd.DataFrame:
        """Control and score of the chosen network for each image, the mean over the seeds.

        The image that is changed most for the better comes first.
        """
        return self._pair(self.run, self.metric, self.seeds, self.network)

    @property
    def marked(self) -> str | None:
        """The name of the marked image."""
        pairs = self.pairs
        return str(pairs.index[self.image - 1]) if 0 < self.image <= len(pairs) else None

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of the reference runs; of invented scores where these are missing."""
        from ..studies import read_runs

        try:
            return cls(read_runs())
        except FileNotFoundError:  # an installed package comes without the workbook
            return cls({"invented": _invented()})

    def brief(self) -> str:
        """Say in one sentence how much the loss changes the score."""
        return f"{self._sentence(self.network)}."

    def _sentence(self, network: str) -> str:
        row: dict[Any, Any] = self.table.loc[network].to_dict()
        digits = _digits(row)
        return (
            f"{network} against the control: {self.now.metrics[self.metric]} "
            f"{row['difference']:+.{digits}f}, 95 % interval {row['low']:.{digits}f} to "
            f"{row['high']:.{digits}f}"
        )

    def describe(self) -> str:
        """Say in words what the picture shows."""
        run, table = self.now, self.table
        row: dict[Any, Any] = table.loc[self.network].to_dict()
        digits = _digits(row)
        fine = 4 if digits == 3 else 2
        upwards = figures.higher_is_better(self.metric)
        better, worse = ("higher", "lower") if upwards else ("lower", "higher")
        equal = int(row["images"] - row["lower"] - row["higher"])
        changes = self.by_seed.loc[self.network].dropna().to_numpy()
        gained = int((changes > 0).sum() if upwards else (changes < 0).sum())
        percent = ""
        if row["control"]:
            part = row["difference"] / row["control"]
            percent = f" ({100 * part:+.{int(abs(part) < 0.01)}f} %)"
        inside = row["low"] <= 0 <= row["high"]
        # Both eyes of a person are drawn, and change their sign, together.
        grouped = row["groups"] < row["images"]
        units = f"{int(row['groups'])} persons" if grouped else "images"
        share = run.cost.loc[run.cost["network"] == self.network, "share_of_loss"].mean()
        text = (
            f"{run.name}: {self.network} ({self._weights()}) against the control on {run.dataset}, "
            f"{self.seeds} of {count(len(run.seeds), 'seed')}, "
            f"{count(int(row['images']), 'test image')}. {run.metrics[self.metric]} "
            f"({better} is better): control {row['control']:.{digits}f}, {self.network} "
            f"{row['score']:.{digits}f}, a difference of {row['difference']:+.{fine}f}"
            f"{percent}, 95 % interval {row['low']:.{fine}f} to "
            f"{row['high']:.{fine}f} over {units} and seeds, which "
            f"{'holds' if inside else 'leaves out'} 0. Better in {int(row[better])}, worse in "
            f"{int(row[worse])}, equal in {equal} of the images; better with {gained} of "
            f"{count(len(changes), 'seed')}. Sign-flip test over {units}: p "
            f"{_p(row['p_sign_flip'])}, with Holm's correction for "
            f"{count(len(table), 'loss')} {_p(row['p_holm'])}. "
            f"The loss takes {100 * share:.0f} % of the time."
        )
        if self.marked is not None:
            pair = self.pairs.loc[self.marked]
            text += (
                f" Image {self.image} of {int(row['images'])} is {self.marked}: control "
                f"{pair['control']:.{digits}f}, {self.network} {pair['score']:.{digits}f}."
            )
        return text

    def _weights(self) -> str:
        seeds = self.now.seeds[: self.seeds]
        chosen = self.now.chosen
        weights = sorted({chosen[self.network, s] for s in seeds if (self.network, s) in chosen})
        return f"weight{'s' * (len(weights) > 1)} {', '.join(f'{weight:g}' for weight in weights)}"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.comparison_summary(
            self.table,
            self.pairs,
            self.now.validation,
            metric=self.metric,
            title=self.now.metrics[self.metric],
            network=self.network,
            seeds=self.by_seed,
            chosen=self.now.chosen,
            image=self.marked,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: choose run, score and loss, or point at a square or a dot."""
        return _ComparisonView(self).box


def _digits(row: Mapping[Any, Any]) -> int:
    """Return how many digits after the point scores of this size deserve."""
    return 3 if max(row["control"], row["score"]) < 1.5 else 2


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _invented() -> Run:
    """Return a run that never was: two losses, two seeds, twelve images."""
    import pandas as pd

    from ..studies import Run

    generator = np.random.default_rng(0)
    hard = generator.gamma(3, 2, 12)
    effects = {"parent": (0.0, 1.2), "control": (0.0, 1.0), "a": (0.5, 0.6), "b": (1.0, 0.9)}
    rows, tried = [], []
    for name, (weight, effect) in effects.items():
        for seed in (0, 1):
            row = {"network": name, "weight": weight, "seed": seed}
            tried += [row | {"weight": weight * k, "betti_0_error": 6 * effect} for k in (1, 2)]
            errors = generator.poisson(hard * effect)
            rows += [row | {"image": f"{k:02}", "betti_0_error": float(error)}
                     for k, error in enumerate(errors)]  # fmt: skip
    validation = pd.DataFrame(tried).drop_duplicates(["network", "seed", "weight"])
    cost = pd.DataFrame({"network": list(effects), "seed": 0, "share_of_loss": 0.0})
    return Run("invented", "no data", pd.DataFrame(rows), validation, cost, {}, {})


class _ComparisonView(FramedView):
    """The view of a `ComparisonExplorer`: all networks, the images of one, and its weights."""

    drawing = False  # whether controls are brought into line, and lead nothing
    twin: _ComparisonView | None = None  # that goes through all runs and scores

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.frames.shelf = self.shelf

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "run": views.dropdown("Run", []),
            "metric": views.dropdown("Score", []),
            "seeds": views.integer_slider("Seeds that count", 1),
        }
        return [self.row("run", "metric", "seeds")]

    def build_more(self) -> list[Any]:
        return [self.way_back()]

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model."""
        if not self.drawing:
            super().obey(trait, value)

    def last_values(self) -> dict[str, int]:
        return {"seeds": len(self.model.now.seeds)}

    def lead_controls(self) -> None:
        """Offer what the run has, and show what the model holds."""
        run = self.model.now
        offers = {
            "run": list(self.model.runs),
            "metric": [(title, key) for key, title in run.metrics.items()],
        }
        self.drawing = True
        try:
            for trait, options in offers.items():
                if list(self.controls[trait].options) != options:
                    self.controls[trait].options = options
            super().lead_controls()
        finally:
            self.drawing = False

    def key(self) -> tuple[Any, ...]:
        return self.model.run, self.model.metric, self.model.seeds

    def places(self) -> dict[str, Any]:
        return {
            "index": self.model.now.arms.index(self.model.network),
            "marked": self.model.image,
        }

    def wanted(self) -> dict[str, Any]:
        return {"network": self.model.now.arms[self.frames.index], "image": self.frames.marked}

    def film(self) -> Film:
        """Make one frame of each loss."""
        model = self.model
        arms, title = model.now.arms, model.now.metrics[model.metric]
        rows = model.table.loc[arms]
        digits = _digits(rows.max())
        numbers = {name: [f"{x:.{digits}f}" for x in rows[name]] for name in ("control", "score")}
        reel = Reel("Loss", arms, [model._sentence(network) for network in arms])
        pairs = [model._pair(model.run, model.metric, model.seeds, name) for name in arms]
        self.add_forest(reel, rows, title)
        self.add_pairs(reel, pairs, title)
        reel.panel(
            "weights", "on the validation images", x="weight of the loss", y=f"change of {title}",
            states=[model._weights_of(network) for network in arms],
        )  # fmt: skip
        reel.more |= {
            "numbers": [
                {"name": "control", "values": numbers["control"]},
                {"name": "with this loss", "values": numbers["score"]},
            ],
            "marking": {
                "label": "Marked image",
                "states": [_names(pair, digits) for pair in pairs],
            },
        }
        reel.legend += [
            ("■", "currentColor", "interval without 0"),
            ("□", "currentColor", "interval with 0"),
            ("○", "currentColor", "one seed"),
            ("●", figures.COMPONENT, "better"),
            ("▲", figures.HOLE, "worse"),
            ("◇", GREY, "equal"),
            ("┅", "currentColor", "control"),
            ("◯", "currentColor", "chosen weight"),
        ]
        return reel.film()

    def shelf(self) -> Shelf:
        """Make the films of every score of every run, of all seeds."""
        names = [self.model.run, self.model.now.metrics[self.model.metric]]
        if self.twin is None:
            self.twin = _ComparisonView(ComparisonExplorer(self.model.runs))
        other, films = self.twin.model, []
        for run in other.runs:
            other.run = run
            for metric, title in other.now.metrics.items():
                other.metric = metric
                shown = self.twin.frames
                films.append(([run, title], Film(shown.about, shown.data)))
        return Shelf(["Run", "Score"], names, films)

    def add_forest(self, reel: Reel, rows: pd.DataFrame, title: str) -> None:
        """Add the part on the left: a line and a square for each network, a ring for each seed."""
        by_seed = self.model.by_seed.loc[rows.index]
        upwards = figures.higher_is_better(self.model.metric)
        reel.panel(
            "forest", "difference to the control: click a loss",
            x=f"{title} ({'better →' if upwards else '← better'})",
            better=1 if upwards else -1,
            colours=(figures.COMPONENT, figures.RAISED),
            names=[str(name) for name in rows.index],
            seeds=[int(seed) for seed in by_seed.columns],
            rings=[[None if np.isnan(x) else float(x) for x in row] for row in by_seed.to_numpy()],
            positions=list(range(len(rows))),
            **{name: rows[name].tolist() for name in ("low", "difference", "high")},
        )  # fmt: skip

    def add_pairs(self, reel: Reel, pairs: list[pd.DataFrame], title: str) -> None:
        """Add the part in the middle: a dot for each image, and the diagonal."""
        states = []
        for pair in pairs:
            better, _, equal = figures.sorted_by_outcome(pair, self.model.metric)
            kinds = np.select([better, equal], [0, 2], 1)
            states.append(
                {
                    "x": pair["control"].tolist(),
                    "y": pair["score"].tolist(),
                    "kinds": kinds.tolist(),
                }
            )
        reel.panel(
            "pairs", "test images: point at a dot", x=f"{title}, control", y=title, states=states,
            colours=(figures.COMPONENT, figures.HOLE, GREY),
        )  # fmt: skip


GREY = "#808080"


def _names(pairs: pd.DataFrame, digits: int) -> list[str]:
    """Return what is said of each image when it is pointed at, or marked."""
    return [
        f"{name}: control {row['control']:.{digits}f}, this loss {row['score']:.{digits}f}"
        for name, row in pairs.iterrows()
    ]
