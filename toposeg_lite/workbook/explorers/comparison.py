"""Explore the results of studies: every loss against the control, image by image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from plotly.subplots import make_subplots
from traitlets import default, observe

from .. import figures
from ..figures.words import count
from . import views
from .base import Explorer
from .traits import OneOf, UpTo

if TYPE_CHECKING:  # the studies load torch, which a page of other explorers should not wait for
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

    def _pairs(self, run: str, metric: str, seeds: int, network: str) -> pd.DataFrame:
        """Return the scores of control and network for each image."""
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
        row: dict[Any, Any] = self.table.loc[self.network].to_dict()
        digits = 3 if max(row["control"], row["score"]) < 1.5 else 2
        return (
            f"{self.network} against the control: {self.now.metrics[self.metric]} "
            f"{row['difference']:+.{digits}f}, 95 % interval {row['low']:.{digits}f} to "
            f"{row['high']:.{digits}f}."
        )

    def describe(self) -> str:
        """Say in words what the picture shows."""
        run, table = self.now, self.table
        row: dict[Any, Any] = table.loc[self.network].to_dict()
        digits, fine = (3, 4) if max(row["control"], row["score"]) < 1.5 else (2, 2)
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
        share = run.cost.loc[run.cost["network"] == self.network, "share_of_loss"].mean()
        text = (
            f"{run.name}: {self.network} ({self._weights()}) against the control on {run.dataset}, "
            f"{self.seeds} of {count(len(run.seeds), 'seed')}, "
            f"{count(int(row['images']), 'test image')}. {run.metrics[self.metric]} "
            f"({better} is better): control {row['control']:.{digits}f}, {self.network} "
            f"{row['score']:.{digits}f}, a difference of {row['difference']:+.{fine}f}"
            f"{percent}, 95 % interval {row['low']:.{fine}f} to "
            f"{row['high']:.{fine}f} over images and seeds, which "
            f"{'holds' if inside else 'leaves out'} 0. Better in {int(row[better])}, worse in "
            f"{int(row[worse])}, equal in {equal} of the images; better with {gained} of "
            f"{count(len(changes), 'seed')}. Sign-flip test over images: p "
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


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _invented() -> Run:
    """Return a run that never was: two losses, two seeds, twelve images."""
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


class _ComparisonView(views.FigureView):
    """The view of a `ComparisonExplorer`: all networks, the images of one, and its weights."""

    first = "run"
    drawing = False  # whether controls are brought into line, and lead nothing

    clickable = ("xy", "x2y2")

    def arrange(self, width: int) -> None:
        wide, gap = views.room(self.figure, width), 110
        if width >= 950:
            across = (wide - 2 * gap) / 3
            cells = [(k * (across + gap), 0, across, 300) for k in range(3)]
        else:
            across = (wide - gap) / 2
            cells = [(0, 0, across, 260), (across + gap, 0, across, 260), (0, 360, wide, 200)]
        views.place(self.figure, width, cells)

    def lay_out(self) -> go.Figure:
        titles = (
            "difference to the control: click a loss", "test images: click a dot",
            "on the validation images",
        )  # fmt: skip
        figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.1)
        better_side = {
            "type": "rect", "yref": "y domain", "xref": "x", "y0": 0, "y1": 1, "line": {"width": 0},
            "fillcolor": figures.RAISED, "opacity": 0.1, "layer": "below",
        }  # fmt: skip
        return views.laid_out(
            figure, width=1060, height=470, left=140, legend=-0.18, shapes=[better_side]
        )

    def build_traces(self) -> None:
        self.build_forest()
        self.build_pairs()
        self.build_curve()

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model."""
        if not self.drawing:
            super().obey(trait, value)

    def build_forest(self) -> None:
        """Make the part on the left: a line and a square for each network, a ring for each seed."""
        text = "%{text}<br>difference %{x:.3f}<extra></extra>"
        self.zero, self.spans, self.chosen_span, *squares, self.seeds = self.add(
            1,
            views.line(**views.DASHED),
            views.line(color="black", width=3),
            views.line(color=figures.COMPONENT, width=5),
            views.dots("interval without 0", "square", "black").update(hovertemplate=text),
            views.dots("interval with 0", "square-open", "black").update(hovertemplate=text),
            views.dots("one seed", "circle-open", "black").update(
                hovertemplate=text, marker={"size": 6}
            ),
        )
        self.squares = squares
        for trace in (*squares, self.seeds):
            trace.on_click(self.choose_network)

    def build_pairs(self) -> None:
        """Make the part in the middle: a dot for each image, and the diagonal."""
        text = "image %{text}<br>control %{x:.3f}<br>loss %{y:.3f}<extra></extra>"
        kinds = (
            views.dots("better", "circle", figures.COMPONENT),
            views.dots("worse", "triangle-up", figures.HOLE),
            views.dots("equal", "diamond", "gray"),
        )
        for trace in kinds:
            trace.update(hovertemplate=text, opacity=0.7)
        ring = views.ring().update(showlegend=False)
        self.diagonal, *self.kinds, self.ring = self.add(
            2, views.line(color="gray", width=1), *kinds, ring
        )
        for trace in self.kinds:
            trace.on_click(self.mark_image)
            trace.on_hover(self.mark_image)

    def build_curve(self) -> None:
        """Make the part on the right: what the weight of the loss changes."""
        text = "weight %{x:.3g}<br>change %{y:.3f}<extra></extra>"
        curve = views.dots("weights", "circle", "black")
        self.level, self.curve, self.picked = self.add(
            3,
            views.line(**views.DASHED).update(name="control", showlegend=True),
            curve.update(mode="lines+markers", hovertemplate=text, showlegend=False),
            views.ring("chosen weight", 16),
        )
        self.figure.update_xaxes(title="weight of the loss", type="log", row=1, col=3)
        for column in (1, 3):  # .0003, not 300µ
            self.figure.update_xaxes(exponentformat="none", row=1, col=column)
            self.figure.update_yaxes(exponentformat="none", row=1, col=column)

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "run": views.dropdown("Run", []),
            "metric": views.dropdown("Score", []),
            "network": views.dropdown("Loss", []),
            "seeds": views.integer_slider("Seeds that count", 1),
            "image": views.integer_slider("Marked image"),
        }
        return [
            self.row("run", "metric", "network"),
            self.row("seeds", "image", self.way_back()),
        ]

    def choose_network(self, trace: Any, points: Any, state: Any) -> None:
        """Look at the network whose square or ring was clicked."""
        if points.point_inds:
            place = round(float(trace.y[points.point_inds[0]]) - 0.1)
            self.model.network = str(self.model.table.index[place])

    def mark_image(self, trace: Any, points: Any, state: Any) -> None:
        """Mark the image whose dot was pointed at."""
        if points.point_inds:
            name = trace.text[points.point_inds[0]]
            self.model.image = self.model.pairs.index.tolist().index(name) + 1

    def draw(self, name: str) -> None:
        if name != "image":
            self.draw_forest()
            self.draw_pairs()
            self.draw_curve()
        self.draw_mark()

    def last_values(self) -> dict[str, int]:
        return {"seeds": len(self.model.now.seeds), "image": len(self.model.pairs)}

    def lead_controls(self) -> None:
        """Offer what the run has, and show what the model holds."""
        run = self.model.now
        offers = {
            "run": list(self.model.runs),
            "metric": [(title, key) for key, title in run.metrics.items()],
            "network": run.arms,
        }
        self.drawing = True
        try:
            for trait, options in offers.items():
                if list(self.controls[trait].options) != options:
                    self.controls[trait].options = options
            super().lead_controls()
        finally:
            self.drawing = False

    def draw_forest(self) -> None:
        """Draw differences, intervals and seeds of all networks, from top to bottom."""
        model = self.model
        table, by_seed = model.table, model.by_seed
        places, gap = np.arange(len(table)), np.full(len(table), np.nan)
        low, high = table["low"].to_numpy(), table["high"].to_numpy()
        middle = table["difference"].to_numpy()
        spans = np.stack([low, high, gap], 1), np.stack([places, places, gap], 1)
        views.move(self.spans, *(part.ravel() for part in spans))
        chosen = table.index.get_loc(model.network)
        views.move(self.chosen_span, *(part[chosen] for part in spans))
        inside = (low <= 0) & (high >= 0)
        names = np.array([str(name) for name in table.index])
        for trace, kind in zip(self.squares, (~inside, inside), strict=True):
            views.move(trace, middle[kind], places[kind])
            trace.text = names[kind].tolist()
        rings = by_seed.loc[table.index].to_numpy()
        views.move(self.seeds, rings.ravel(), np.repeat(places + 0.28, rings.shape[1]))
        self.seeds.text = [f"{n}, seed {s}" for n in names for s in by_seed.columns]
        ends = [min(low.min(), np.nanmin(rings), 0), max(high.max(), np.nanmax(rings), 0)]
        room = 0.06 * max(ends[1] - ends[0], 1e-6)
        ends = [float(ends[0] - room), float(ends[1] + room)]
        views.move(self.zero, [0, 0], [-0.6, len(table) - 0.4])
        upwards = figures.higher_is_better(model.metric)
        self.figure.layout.shapes[0].update(x0=0, x1=ends[1] if upwards else ends[0])
        labels = [f"<b>{n}</b>" if n == model.network else n for n in names.tolist()]
        side = "better →" if upwards else "← better"
        title = f"{model.now.metrics[model.metric]} ({side})"
        self.figure.layout.xaxis.update(range=ends, title=title)
        self.figure.layout.yaxis.update(
            tickvals=places.tolist(), ticktext=labels, range=[len(table) - 0.4, -0.6]
        )

    def draw_pairs(self) -> None:
        """Draw the images of the chosen network."""
        model, pairs = self.model, self.model.pairs
        kinds = figures.sorted_by_outcome(pairs, model.metric)
        for trace, kind in zip(self.kinds, kinds, strict=True):
            views.move(trace, pairs["control"][kind], pairs["score"][kind])
            trace.text = pairs.index[kind].tolist()
        values = pairs.to_numpy()
        room = 0.06 * max(float(np.ptp(values)), 1e-6)
        ends = [values.min() - room, values.max() + room]
        views.move(self.diagonal, ends, ends)
        title = model.now.metrics[model.metric]
        self.figure.layout.xaxis2.update(range=ends, title=f"{title}, control")
        self.figure.layout.yaxis2.update(range=ends, title=f"{title}, {model.network}")

    def draw_curve(self) -> None:
        """Draw what the weights change, each seed against its own control."""
        model, run = self.model, self.model.now
        rows = run.validation
        control = rows[rows["network"] == "control"].set_index("seed")[model.metric]
        rows = rows[rows["network"] == model.network].sort_values(["seed", "weight"])
        x: list[float] = []
        y: list[float] = []
        picked: list[tuple[float, float]] = []
        for seed in rows["seed"].unique().tolist():
            own = rows[rows["seed"] == seed]
            weights, changes = own["weight"].tolist(), (own[model.metric] - control[seed]).tolist()
            for weight, change in zip(weights, changes, strict=True):
                if run.chosen.get((model.network, seed)) == weight:
                    picked.append((weight, change))
            x += [*weights, np.nan]
            y += [*changes, np.nan]
        views.move(self.curve, x, y)
        views.move(self.picked, *np.reshape(picked, (-1, 2)).T)
        tried = np.unique(rows["weight"])
        ends = np.log10([tried[0] / 1.6, tried[-1] * 1.6])
        views.move(self.level, 10**ends, [0, 0])
        self.figure.layout.xaxis3.update(
            range=ends.tolist(), tickvals=tried.tolist(), ticktext=[f"{w:g}" for w in tried]
        )
        self.figure.layout.yaxis3.update(title=f"change of {run.metrics[model.metric]}")

    def draw_mark(self) -> None:
        """Draw a ring around the marked image."""
        marked = self.model.marked
        pair = self.model.pairs.loc[[marked]] if marked is not None else self.model.pairs[:0]
        views.move(self.ring, pair["control"], pair["score"])
