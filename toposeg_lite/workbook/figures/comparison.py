"""Figures of comparisons: differences and their intervals, images in pairs, what weights change.

In all of them `metric` is the score as `toposeg_lite.metrics.report` calls it, which decides which
side is the better one, and `title` is how it is called in words. `pairs` has a row for each test
image: the "control" and the "score" of one `network`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ...checks import check_choice, check_flag, check_real
from .base import COMPONENT, DEATH, HOLE, RAISED, TRUTH, _axes, _check_axes
from .painting import METRICS

if TYPE_CHECKING:  # a page of other explorers should not wait for it
    import pandas as pd

__all__ = [
    "NETWORKS",
    "comparison_summary",
    "difference_forest",
    "higher_is_better",
    "paired_scores",
    "sorted_by_outcome",
    "weight_curves",
    "weight_panels",
]

BETTER, WORSE = COMPONENT, HOLE

_COLOURS = (COMPONENT, HOLE, RAISED, DEATH, TRUTH, "#E69F00", "black")
#: Colour and marker of the first networks, the second and so on; they begin anew after the last.
NETWORKS = tuple(zip(_COLOURS, "o^sDvPX", strict=True))


def higher_is_better(metric: str) -> bool:
    """Whether a larger score is a better one: so it is for overlaps, but not for errors.

    Examples
    --------
    >>> higher_is_better("dice"), higher_is_better("betti_1_error")
    (True, False)
    """
    perfect = {key: value for _, key, value in METRICS}
    perfect |= dict.fromkeys(("betti_0_error", "betti_1_error", "betti_2_error"), 0)
    return perfect[check_choice(metric, tuple(perfect), "metric")] == 1


def sorted_by_outcome(pairs: pd.DataFrame, metric: str) -> tuple[np.ndarray, ...]:
    """Return which images are better, which are worse and which are equal, as boolean arrays.

    Examples
    --------
    >>> import pandas as pd
    >>> pairs = pd.DataFrame({"control": [3.0, 2.0], "score": [1.0, 2.0]})
    >>> [kind.tolist() for kind in sorted_by_outcome(pairs, "betti_error")]
    [[True, False], [False, False], [False, True]]
    """
    pairs = _table(pairs, ("control", "score"), "pairs")
    gain = (pairs["score"] - pairs["control"]).to_numpy().round(12)
    gain = gain if higher_is_better(metric) else -gain
    return gain > 0, gain < 0, gain == 0


def _table(table: Any, columns: Sequence[str], name: str) -> pd.DataFrame:
    """Return a table that has these columns and is not empty, else raise."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a DataFrame; got {type(table).__name__}")
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        raise ValueError(
            f"{name} must have rows and the columns {', '.join(columns)}; got {len(table)} rows "
            f"and the columns {', '.join(map(str, table.columns))}"
        )
    return table


def _few_ticks(*axes: Axis) -> None:
    """Leave numbers room, and write them as short as they are."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, place: Any = None) -> str:
    return f"{round(value, 9):g}"


def _legend_below(ax: Axes, y: float, *, x: float = 0.5, **options: Any) -> None:
    """Put the legend in one row below the axes."""
    ax.legend(loc="upper center", bbox_to_anchor=(x, y), fontsize="small", frameon=False,
              columnspacing=1, **options)  # fmt: skip


def difference_forest(
    table: pd.DataFrame,
    *,
    metric: str,
    title: str,
    seeds: pd.DataFrame | None = None,
    students_t: bool = False,
    selected: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the difference of each network to the control, with its interval, below one another.

    A square is filled where the interval leaves out zero, and hollow where it does not. `table` is
    what `compare_networks` of the studies' statistics returned, a row for each network.
    `seeds` has a column for each seed: the mean difference of this seed alone, drawn as a small
    ring; with `students_t` a thin line with ends is their 95 % interval by Student's t, for every
    network with two seeds or more, since the bootstrap is too bold about so few. The network
    `selected` is marked.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"arm": {"difference": -2.0, "low": -3.0, "high": -0.5}}
    >>> table = pd.DataFrame.from_dict(rows, orient="index")
    >>> ax = difference_forest(table, metric="betti_error", title="Betti error")
    >>> ax.get_xlabel()
    'difference in Betti error to the control'
    """
    table = _table(table, ("difference", "low", "high"), "table")
    upwards = higher_is_better(metric)
    if selected is not None:
        check_choice(selected, table.index.tolist(), "selected")
    import pandas as pd

    if seeds is not None and not isinstance(seeds, pd.DataFrame):
        raise TypeError(f"seeds must be a DataFrame; got {type(seeds).__name__}")
    if check_flag(students_t, "students_t") and seeds is None:
        raise ValueError("students_t needs seeds: the interval is over them; pass seeds as well")
    _check_axes(ax)
    if ax is None:
        height = 1.5 + 0.42 * len(table)
        ax = Figure(figsize=(7.2, height)).add_axes((0.26, 0.9 / height, 0.71, 1 - 1.25 / height))
    ax.axvline(0, color="black", ls="--", lw=1)
    for place, network in enumerate(table.index):
        row = table.loc[network]
        style: dict[str, Any] = {"color": COMPONENT if network == selected else "black"}
        ax.plot([row["low"], row["high"]], [place, place], lw=2.5, solid_capstyle="butt", **style)
        outside = row["low"] > 0 or row["high"] < 0
        face = style["color"] if outside else "white"
        ax.plot(row["difference"], place, "s", ms=8, mew=1.5, mfc=face, zorder=3, **style)
        if seeds is not None and network in seeds.index:
            values = seeds.loc[network].dropna()
            ax.plot(values, np.full(len(values), place + 0.28), "o", ms=4, mfc="none", **style)
            if students_t and len(values) > 1:
                ends = students_interval(values.to_numpy(float))
                ax.plot(ends, [place, place], marker="|", ms=9, lw=1, zorder=1, **style)
    ax.set_yticks(range(len(table)), [str(name) for name in table.index])
    for label in ax.get_yticklabels():
        if label.get_text() == selected:
            label.set(color=COMPONENT, weight="bold")
    ax.set_ylim(len(table) - 0.4, -0.6)
    low, high = ax.get_xlim()
    ax.axvspan(0 if upwards else low, high if upwards else 0, color=RAISED, alpha=0.1, lw=0)
    ax.set_xlim(low, high)
    ax.set(xlabel=f"difference in {title} to the control")
    _few_ticks(ax.xaxis)
    side: dict[str, Any] = {"x": 1.0, "ha": "right"} if upwards else {"x": 0.0, "ha": "left"}
    text = "better →" if upwards else "← better"
    ax.text(y=1.01, s=text, transform=ax.transAxes, va="bottom", color=RAISED, **side)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    line: dict[str, Any] = {"marker": "s", "lw": 2.5, "color": "black"}
    signs = [
        Line2D([], [], label="interval without 0", **line),
        Line2D([], [], label="with 0", mfc="white", **line),
    ]
    if seeds is not None:
        signs.append(Line2D([], [], ls="", marker="o", ms=4, mfc="none", mec="black",
                            label="one seed"))  # fmt: skip
    if students_t:
        signs.append(Line2D([], [], marker="|", ms=9, lw=1, color="black",
                            label="Student's t over the seeds"))  # fmt: skip
    inches = ax.get_window_extent().height / 100  # at the dots an inch of a new figure
    _legend_below(ax, -0.48 / inches, x=0.35, handles=signs, ncols=len(signs), handletextpad=0.4)
    return ax


def students_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a few seeds, by Student's t."""
    from scipy import stats

    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def paired_scores(
    pairs: pd.DataFrame,
    *,
    metric: str,
    title: str,
    network: str,
    selected: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each test image as a dot: the control's score to the right, the network's upwards.

    The image `selected`, one of the index of `pairs`, is marked.

    Examples
    --------
    >>> import pandas as pd
    >>> pairs = pd.DataFrame({"control": [3.0, 2.0], "score": [1.0, 2.0]}, index=["a", "b"])
    >>> ax = paired_scores(pairs, metric="betti_error", title="Betti error", network="arm")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['better: 1', 'worse: 0', 'equal: 1']
    """
    pairs = _table(pairs, ("control", "score"), "pairs")
    kinds = sorted_by_outcome(pairs, metric)
    if selected is not None:
        check_choice(selected, pairs.index.tolist(), "selected")
    ax = _axes(ax, (4.2, 4.2))
    values = pairs[["control", "score"]].to_numpy()
    room = 0.06 * max(float(np.ptp(values)), 1e-3)
    ends = [values.min() - room, values.max() + room]
    ax.plot(ends, ends, color="gray", lw=1)
    signs = (("better", "o", BETTER), ("worse", "^", WORSE), ("equal", "D", "0.5"))
    for (name, marker, colour), some in zip(signs, kinds, strict=True):
        style: dict[str, Any] = {"marker": marker, "ls": "", "ms": 6, "alpha": 0.6, "mew": 0}
        label = f"{name}: {int(some.sum())}"
        ax.plot(values[some, 0], values[some, 1], color=colour, label=label, **style)
    if selected is not None:
        x, y = pairs.loc[selected, ["control", "score"]]
        ax.plot(x, y, "o", ms=13, mew=2, mfc="none", color="black")
    ax.set(xlim=ends, ylim=ends, xlabel=f"{title}, control", ylabel=f"{title}, {network}")
    ax.set_aspect("equal", adjustable="box")
    _few_ticks(ax.xaxis, ax.yaxis)
    _legend_below(ax, -0.15, ncols=3, handletextpad=0.1)
    return ax


def weight_curves(
    validation: pd.DataFrame,
    *,
    metric: str,
    title: str,
    networks: Sequence[str] | None = None,
    chosen: Mapping[tuple[str, int], float] | None = None,
    margin: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the weight of a loss changes on the validation images, against the control.

    A network and seed with several weights is a line, others are dots. Each seed is compared with
    its own control.

    Parameters
    ----------
    validation : DataFrame
        "network", "seed", "weight" and the metric; the network "control" has weight 0.
    networks : sequence of str, optional
        Which to draw. Default: all but the control and the parent. Each has its sign and colour by
        its place among all of these.
    chosen : mapping, optional
        The weight that was chosen, by network and seed; it is drawn in a ring.
    margin : float, optional
        Draw a dotted line at this difference.

    Examples
    --------
    >>> import pandas as pd
    >>> validation = pd.DataFrame({
    ...     "network": ["control", "arm", "arm"], "seed": 0, "weight": [0, 0.1, 1],
    ...     "dice": [5, 4, 3],
    ... })
    >>> ax = weight_curves(validation, metric="dice", title="Dice")
    >>> ax.lines[1].get_ydata().tolist()
    [-1, -2]
    """
    higher_is_better(metric)
    validation = _table(validation, ("network", "seed", "weight", metric), "validation")
    control = validation[validation["network"] == "control"].set_index("seed")[metric]
    arms = [name for name in validation["network"].unique() if name not in ("control", "parent")]
    if not isinstance(networks, Sequence | None):
        raise TypeError(f"networks must be a sequence of names; got {networks!r}")
    names = arms if networks is None else [check_choice(n, arms, "networks") for n in networks]
    if not names:
        raise ValueError("networks must be one or more; got none")
    if not isinstance(chosen, Mapping | None):
        raise TypeError(f"chosen must map networks and seeds to weights; got {chosen!r}")
    if margin is not None:
        margin = check_real(margin, "margin")
    ax = _axes(ax, (5.2, 4.2))
    ax.axhline(0, color="black", ls="--", lw=1)
    if margin is not None:
        ax.axhline(margin, color="black", ls=":", lw=1)
    for name in names:
        colour, marker = NETWORKS[arms.index(name) % len(NETWORKS)]
        rows = validation[validation["network"] == name]
        for number, seed in enumerate(rows["seed"].unique().tolist()):
            some = rows[rows["seed"] == seed].sort_values("weight")
            change = some[metric] - control.loc[seed]
            style: dict[str, Any] = {"color": colour, "marker": marker, "ms": 6, "lw": 1.6}
            if len(some) == 1:
                style |= {"ls": "", "alpha": 0.6}
            ax.plot(some["weight"], change, label=name if not number else None, **style)
            picked = some["weight"] == (chosen or {}).get((name, seed))
            ax.plot(some["weight"][picked], change[picked], "o", ms=13, mew=1.5, mfc="none",
                    color="black")  # fmt: skip
    ax.set_xscale("log")
    ticks = sorted(validation.loc[validation["network"].isin(names), "weight"].unique())
    if len(names) == 1:
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(ticks)
        ax.set_xlim(ticks[0] / 1.6, ticks[-1] * 1.6)
    else:
        ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(_short))
    ax.set(xlabel="weight of the loss", ylabel=f"change of {title}")
    _few_ticks(ax.yaxis)
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    return ax


def weight_panels(
    validation: pd.DataFrame,
    *,
    metrics: Mapping[str, str],
    margins: Mapping[str, float] | None = None,
    chosen: Mapping[tuple[str, int], float] | None = None,
) -> Figure:
    """Draw `weight_curves` of each network in a panel of its own, with those of the others in grey.

    So many lines in one panel would hide each other.

    Parameters
    ----------
    validation, chosen
        As for `weight_curves`.
    metrics : mapping
        From each score, a row of panels, to what it is called.
    margins : mapping, optional
        From a score to the difference at which a dotted line is drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> validation = pd.DataFrame({
    ...     "network": ["control", "one", "one", "two"], "seed": 0, "weight": [0, 0.1, 1, 1],
    ...     "dice": [0.9, 0.8, 0.7, 0.8],
    ... })
    >>> figure = weight_panels(validation, metrics={"dice": "Dice"})
    >>> [ax.get_title() for ax in figure.axes]
    ['one', 'two']
    """
    if not isinstance(metrics, Mapping) or not metrics:
        raise TypeError(f"metrics must map scores to what they are called; got {metrics!r}")
    if not isinstance(margins, Mapping | None):
        raise TypeError(f"margins must map scores to numbers; got {margins!r}")
    table = _table(validation, ("network", "seed", "weight", *metrics), "validation")
    names = [n for n in table["network"].unique().tolist() if n not in ("control", "parent")]
    if not names:
        raise ValueError("validation must hold a network besides the control; it holds none")
    weights = table.loc[table["network"].isin(names), "weight"]
    columns = min(len(names), 4)
    lines = -(-len(names) // columns)
    size = 2.9 * columns + 0.6, 2.3 * lines * len(metrics) + 0.5
    figure = Figure(figsize=size, layout="constrained")
    blocks = figure.subfigures(len(metrics), 1, squeeze=False).ravel()
    for block, (metric, title) in zip(blocks, metrics.items(), strict=True):
        block.supylabel(f"change of {title}", fontsize="small")
        panels = block.subplots(lines, columns, sharex=True, squeeze=False).ravel()
        for number, ax in enumerate(panels):
            if number >= len(names):
                ax.remove()
                continue
            ax.sharey(panels[0])
            options: dict[str, Any] = {"metric": metric, "title": title, "chosen": chosen}
            options["margin"] = (margins or {}).get(metric)
            weight_curves(table, networks=names, ax=ax, **options | {"chosen": None})
            for line in ax.lines:
                line.set(color="0.8", marker="", lw=1.2)
            weight_curves(table, networks=[names[number]], ax=ax, **options)
            ax.xaxis.set_major_locator(LogLocator(10))
            ax.set_xlim(weights.min() / 1.6, weights.max() * 1.6)
            last = number + columns >= len(names)
            ax.set(title=names[number], xlabel="weight" if last else "", ylabel="")
            ax.tick_params(labelbottom=last)
    return figure


def comparison_summary(
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    validation: pd.DataFrame,
    *,
    metric: str,
    title: str,
    network: str,
    seeds: pd.DataFrame | None = None,
    chosen: Mapping[tuple[str, int], float] | None = None,
    image: Any = None,
) -> Figure:
    """Show all differences, the images of one network in pairs, and what its weight changes.

    `table` and `seeds` are those of `difference_forest`, `validation` and `chosen` those of
    `weight_curves`; `network` is one of `table`, and the `image` to mark one of `pairs`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"difference": [-2.0], "low": [-3.0], "high": [-0.5]}, index=["arm"])
    >>> pairs = pd.DataFrame({"control": [3.0, 2.0], "score": [1.0, 2.0]}, index=["a", "b"])
    >>> validation = pd.DataFrame({"network": ["control", "arm"], "seed": 0, "weight": [0, 0.1],
    ...                            "dice": [0.8, 0.9]})
    >>> options = {"metric": "dice", "title": "Dice", "network": "arm"}
    >>> len(comparison_summary(table, pairs, validation, **options).axes)
    3
    """
    check_choice(network, _table(table, ("difference",), "table").index.tolist(), "network")
    if image is not None:
        check_choice(image, _table(pairs, ("control", "score"), "pairs").index.tolist(), "image")
    figure = Figure(figsize=(12, 4.4))
    left = figure.add_axes((0.15, 0.22, 0.24, 0.67))
    middle = figure.add_axes((0.455, 0.22, 0.25, 0.67))
    right = figure.add_axes((0.785, 0.22, 0.205, 0.67))
    options: dict[str, Any] = {"metric": metric, "title": title}
    difference_forest(table, seeds=seeds, selected=network, ax=left, **options)
    paired_scores(pairs, network=network, selected=image, ax=middle, **options)
    weight_curves(validation, networks=[network], chosen=chosen, ax=right, **options)
    right.set_title("on the validation images", fontsize="medium")
    middle.set_title("test images", fontsize="medium")
    control = [Line2D([], [], color="black", ls="--", lw=1, label="control"),
               Line2D([], [], ls="", marker="o", ms=11, mfc="none", color="black",
                      label="chosen")]  # fmt: skip
    _legend_below(right, -0.15, handles=control, ncols=2)
    return figure
