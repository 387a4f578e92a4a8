"""Explorers: interactive pictures for notebooks, each made of a model and a thin view.

A **model** is a class with traits. It holds the state, computes, says in words what there is to see
(`describe`) and draws it without a screen (`picture`, by `toposeg_lite.figures`). It knows no
widget, so all that it does can be tested without a browser. Its `view` is ipywidgets around one
plotly `FigureWidget`, whose traces are updated in place.

`show` displays an explorer so that the stored notebook is small and readable everywhere: live with
a kernel, a picture and a sentence without.

>>> import numpy as np
>>> explorer = PersistenceExplorer(np.array([[0.9, 0.1, 0.6]]), threshold=0.5)
>>> explorer.betti
(2, 0)
>>> explorer.threshold = 0.05
>>> explorer.betti
(1, 0)
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError
from plotly.subplots import make_subplots
from skimage.color import rgb2gray
from skimage.transform import resize
from skimage.util import img_as_float
from traitlets import Any as AnyTrait
from traitlets import Float, HasTraits, Int, Unicode, validate

from . import figures
from .topology.grid import (
    check_choice,
    check_connectivity,
    check_image,
    check_integer,
    check_mask,
    check_same_shape,
)
from .topology.persistence import persistence_pairs

__all__ = ["GradientExplorer", "PersistenceExplorer", "read_image", "show"]

BARS = 40  # as many as can be told apart


def read_image(content: bytes, *, dark: bool = False, size: int = 256) -> np.ndarray:
    """Turn the bytes of a picture file into a likelihood for the explorers.

    Parameters
    ----------
    content : bytes
        A PNG, JPEG, TIFF or any other file that Pillow reads.
    dark : bool
        Whether the structures are darker than their surroundings; they are made bright then.
    size : int
        The longer side is reduced to this many pixels if it has more.

    Returns
    -------
    (H, W) array of float64
        Grey values, stretched to [0, 1].

    Raises
    ------
    ValueError
        If the bytes are no picture, or all pixels have the same value.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 51], [102, 255]], np.uint8)).save(file, "PNG")
    >>> read_image(file.getvalue(), dark=True)
    array([[1. , 0.8],
           [0.6, 0. ]])
    """
    check_integer(size, "size", 1)
    try:
        picture = Image.open(io.BytesIO(content))
        grey_modes = ("1", "L", "I;16", "I", "F")
        pixels = np.asarray(picture if picture.mode in grey_modes else picture.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"the file is no picture that Pillow can read: {error}") from error
    grey = pixels.astype(float) if pixels.ndim == 2 else rgb2gray(img_as_float(pixels))
    shrink = size / max(grey.shape)
    if shrink < 1:
        shape = [max(1, round(side * shrink)) for side in grey.shape]
        grey = resize(grey, shape, anti_aliasing=True)
    low, high = grey.min(), grey.max()
    if not low < high:
        raise ValueError("all pixels of the picture have the same value: there is nothing to see")
    grey = (grey - low) / (high - low)
    return 1 - grey if dark else grey


def show(explorer: PersistenceExplorer) -> None:
    """Display an explorer: live with a kernel, as a picture and a sentence without one.

    One output holds three formats: the widget, its static twin as PNG, and `explorer.describe()`.
    The command that builds the workbook drops the first from the stored file.

    Parameters
    ----------
    explorer : PersistenceExplorer or GradientExplorer
        What to show.

    Raises
    ------
    TypeError
        If it is no explorer.
    """
    from IPython.display import display

    if not isinstance(explorer, PersistenceExplorer):
        raise TypeError(f"explorer must be one of this module's; got {type(explorer).__name__}")
    text = explorer.describe()
    bundle = dict(explorer.view()._repr_mimebundle_())
    bundle["image/png"] = base64.b64encode(figures.png(explorer.picture())).decode()
    bundle["text/plain"] = text
    display(figures.Bundle(bundle, {"image/png": {"alt": text}}))


class PersistenceExplorer(HasTraits):
    """An image beside its persistence diagram and barcode, under one falling threshold.

    Parameters
    ----------
    image : (H, W) array of float or bool
        A likelihood; a new one can be assigned at any time.
    threshold : float
        The superlevel set to show. Default 0.5.
    connectivity : int
        Of the foreground: 1 for 4 neighbours, 2 for 8 (default).
    min_persistence : float
        Features whose persistence is not above it are not drawn; they still count in `betti`.
    selected : int
        The number of the feature to mark, 1 being the most persistent; 0 marks none.

    Attributes
    ----------
    pairs : PersistencePairs
        All pairs, the most persistent first.
    shown : PersistencePairs
        Those that are drawn: the first of `pairs`.
    mask : (H, W) array of bool
        The superlevel set, ``image >= threshold``.
    betti : tuple of int
        Its Betti numbers: how many components and holes are alive.

    Raises
    ------
    TypeError, ValueError
        For a bad image or option, when built and when assigned.

    Examples
    --------
    >>> explorer = PersistenceExplorer(np.array([[0.9, 0.1, 0.6]]), threshold=0.5, selected=2)
    >>> print(explorer.describe())
    At threshold 0.50, with 8 neighbours, 66.7 % of the image is foreground: 2 components and 0
    holes. The diagram shows the 2 of 2 features with persistence above 0.00. Feature 2 of 2 is a
    component, born at 0.60 in row 0, column 2; it dies at 0.10 in row 0, column 1.
    """

    image = AnyTrait()
    threshold = Float(0.5)
    connectivity = Int(2)
    min_persistence = Float(0.0)
    selected = Int(0)

    def __init__(
        self,
        image: Any,
        *,
        threshold: float = 0.5,
        connectivity: int = 2,
        min_persistence: float = 0.0,
        selected: int = 0,
    ) -> None:
        super().__init__()
        self.connectivity, self.min_persistence = connectivity, min_persistence
        self.image, self.threshold = image, threshold
        self._measure()
        self.observe(self._measure, ["image", "connectivity", "min_persistence"])
        self.selected = selected

    @validate("image")
    def _check_image(self, proposal: Any) -> np.ndarray:
        return check_image(proposal["value"], ndim=2)

    @validate("connectivity")
    def _check_connectivity(self, proposal: Any) -> int:
        return check_connectivity(proposal["value"], 2)

    @validate("threshold", "min_persistence")
    def _check_number(self, proposal: Any) -> float:
        return figures.check_threshold(proposal["value"], proposal["trait"].name)

    @validate("selected")
    def _check_selected(self, proposal: Any) -> int:
        number = proposal["value"]
        if not 0 <= number <= len(self.shown):
            raise ValueError(f"selected must be 0 (none) to {len(self.shown)}; got {number}")
        return number

    def _measure(self, change: Any = None) -> None:
        """Compute the pairs anew where they may have changed, and choose the ones to draw."""
        if change is None or change["name"] != "min_persistence":
            pairs = persistence_pairs(self.image, connectivity=self.connectivity)
            self.pairs = pairs[np.argsort(-pairs.persistence, kind="stable")]
        essential = (self.pairs.dimension == 0) & (self.pairs.death_index < 0)
        self.shown = self.pairs[(self.pairs.persistence > self.min_persistence) | essential]
        self.selected = min(self.selected, len(self.shown))

    @property
    def mask(self) -> np.ndarray:
        """The superlevel set of the image at the threshold."""
        return self.image >= self.threshold

    @property
    def betti(self) -> tuple[int, ...]:
        """The numbers of components and of holes that are alive at the threshold."""
        counts = np.bincount(self.pairs.dimension[figures.alive(self.pairs, self.threshold)])
        return tuple(np.pad(counts, (0, 2 - len(counts))).tolist())

    def describe(self) -> str:
        """Say in words what the picture shows."""
        (components, holes), share = self.betti, 100 * self.mask.mean()
        neighbours = 4 if self.connectivity == 1 else 8
        text = (
            f"At threshold {self.threshold:.2f}, with {neighbours} neighbours, {share:.1f} % of "
            f"the image is foreground: {_count(components, 'component')} and "
            f"{_count(holes, 'hole')}. The diagram shows the {len(self.shown)} of "
            f"{_count(len(self.pairs), 'feature')} with persistence above "
            f"{self.min_persistence:.2f}."
        )
        if self.selected:
            text += " " + self._describe_feature(self.selected)
        return text

    def _describe_feature(self, number: int) -> str:
        pairs, k = self.shown, number - 1
        name = figures.KINDS[pairs.dimension[k]][1]
        born, dies = int(pairs.birth_index[k]), int(pairs.death_index[k])
        text = (
            f"Feature {number} of {len(pairs)} is a {name}, born at {pairs.birth[k]:.2f} in "
            f"{self._place(born)}; it "
        )
        if dies < 0:
            return text + "is essential: it never dies, and its death is set to 0."
        return text + f"dies at {pairs.death[k]:.2f} in {self._place(dies)}."

    def _place(self, index: int) -> str:
        row, column = np.unravel_index(index, self.image.shape)
        return f"row {row}, column {column}"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.persistence_summary(
            self.image,
            self.shown,
            threshold=self.threshold,
            selected=self.selected - 1 if self.selected else None,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, and hover over or click a dot to mark its pixels."""
        return _PersistenceView(self).box


class GradientExplorer(PersistenceExplorer):
    """Gradient descent of a loss on the pixels of one likelihood, to be played step by step.

    No network stands between the loss and the image: the logits themselves are changed, so one sees
    where a loss acts, and what it leaves alone. Everything else is as in `PersistenceExplorer`.

    Parameters
    ----------
    likelihood : (H, W) array of float
        Where the descent starts. Values are kept 1e-4 away from 0 and 1, where logits end.
    truth : (H, W) array of bool, or of 0 and 1
        The target.
    losses : mapping of str to callable
        One or more losses by name: ``loss(logits, target)`` with two (1, 1, H, W) tensors, logits
        and 0 or 1, as the modules of `toposeg_lite.losses` take them.
    loss : str, optional
        Which to play first. Default: the first.
    steps : int
        How many steps to take. Default 40.
    rate : float
        The step length: each step moves the logits by `rate` times the negative gradient, so its
        size is the reader's choice and depends on the loss. Default 10.
    step : int
        The step to show. Default 0.
    **options
        ``threshold, connectivity, min_persistence, selected`` of `PersistenceExplorer`.

    Attributes
    ----------
    image : (H, W) array of float32
        The likelihood at the present step.
    values : list of float
        The loss at every step.
    pull : (H, W) array of float32
        The negative gradient of the present step by logit: positive where a pixel is raised.

    Raises
    ------
    TypeError, ValueError
        For bad input, when built and when assigned.

    Examples
    --------
    >>> import torch
    >>> losses = {"cross-entropy": torch.nn.BCEWithLogitsLoss()}
    >>> start, truth = np.array([[0.9, 0.3, 0.9]]), np.ones((1, 3), bool)
    >>> explorer = GradientExplorer(start, truth, losses, steps=2, rate=6.0)
    >>> explorer.betti
    (2, 0)
    >>> explorer.step = 2
    >>> explorer.betti
    (1, 0)
    """

    step = Int(0)
    loss = Unicode()

    def __init__(
        self,
        likelihood: Any,
        truth: Any,
        losses: Mapping[str, Callable[..., Any]],
        *,
        loss: str | None = None,
        steps: int = 40,
        rate: float = 10.0,
        step: int = 0,
        **options: Any,
    ) -> None:
        self.start = check_image(likelihood, "likelihood", ndim=2).astype(np.float32)
        self.truth = check_mask(truth, "truth", ndim=2)
        check_same_shape(self.start, self.truth, ("likelihood", "truth"))
        if not isinstance(losses, Mapping) or not losses:
            raise TypeError(f"losses must map one name at least to a loss; got {losses!r}")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < np.inf:
            raise ValueError(f"rate must be a positive number; got {rate!r}")
        self.losses, self.rate = dict(losses), float(rate)
        self.steps = check_integer(steps, "steps", 1)
        self._runs: dict[str, tuple[np.ndarray, np.ndarray, list[float]]] = {}
        super().__init__(self.start, **options)
        self.loss = next(iter(self.losses)) if loss is None else loss
        self.step = step
        self._play()
        self.observe(self._play, ["step", "loss"])

    @validate("loss")
    def _check_loss(self, proposal: Any) -> str:
        return check_choice(proposal["value"], list(self.losses), "loss")

    @validate("step")
    def _check_step(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] <= self.steps:
            raise ValueError(f"step must be 0 to {self.steps}; got {proposal['value']}")
        return proposal["value"]

    def _play(self, change: Any = None) -> None:
        self.image = self._run()[0][self.step]

    def _run(self) -> tuple[np.ndarray, np.ndarray, list[float]]:
        """Return likelihoods, negative gradients and values of all steps; computed once a loss."""
        if self.loss not in self._runs:
            import torch

            start = torch.from_numpy(self.start).clamp(1e-4, 1 - 1e-4)
            logits = start.logit()[None, None].requires_grad_()
            target = torch.from_numpy(self.truth)[None, None].to(logits.dtype)
            images, pulls, values = [], [], []
            for _ in range(self.steps + 1):
                value = self.losses[self.loss](logits, target)
                (gradient,) = torch.autograd.grad(value, logits)
                images.append(logits.detach().sigmoid()[0, 0].numpy())
                pulls.append(-gradient[0, 0].numpy())
                values.append(value.item())
                logits = (logits.detach() - self.rate * gradient).requires_grad_()
            self._runs[self.loss] = np.stack(images), np.stack(pulls), values
        return self._runs[self.loss]

    @property
    def pull(self) -> np.ndarray:
        """The negative gradient at the present step."""
        return self._run()[1][self.step]

    @property
    def values(self) -> list[float]:
        """The loss at every step."""
        return self._run()[2]

    def describe(self) -> str:
        """Say in words what the picture shows."""
        raised, lowered = int((self.pull > 0).sum()), int((self.pull < 0).sum())
        truth = np.bincount(persistence_pairs(self.truth).dimension, minlength=2).tolist()
        return (
            f"Step {self.step} of {self.steps} down the loss {self.loss!r}, whose value is "
            f"{self.values[self.step]:.3f}; its gradient raises {_count(raised, 'pixel')} and "
            f"lowers {lowered} of {self.image.size}. The truth has {_count(truth[0], 'component')} "
            f"and {_count(truth[1], 'hole')}. {super().describe()}"
        )

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.gradient_step(
            self.image,
            self.shown,
            self.pull,
            self.values,
            step=self.step,
            truth=self.truth,
            threshold=self.threshold,
            selected=self.selected - 1 if self.selected else None,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: play the descent or move its slider; the rest as in the base."""
        return _GradientView(self).box


# --- Views ------------------------------------------------------------------------------------

DASHED = {"color": "black", "dash": "dash", "width": 1.5}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _slider(kind: Any, label: str, **options: Any) -> Any:
    """Return a slider with room for its label."""
    style, layout = {"description_width": "9.5em"}, {"width": "30em"}
    return kind(description=label, style=style, layout=layout, **options)


def _marks(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of signs that stand on single pixels of the image."""
    edge = {"color": "black", "width": 1}
    marker = {"symbol": symbol, "size": 11, "color": colour, "line": edge}
    return go.Scatter(mode="markers", marker=marker, name=name, hoverinfo="name")


def _line(**line: Any) -> go.Scatter:
    """Return a trace of lines that nobody points at."""
    return go.Scatter(mode="lines", hoverinfo="skip", showlegend=False, line=line)


def _dots(name: str, symbol: str, colour: str) -> go.Scatter:
    """Return a trace of dots in the diagram."""
    marker = {"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1.5}}
    text = "birth %{x:.3f}<br>death %{y:.3f}<extra>" + name + "</extra>"
    return go.Scatter(mode="markers", marker=marker, name=name, hovertemplate=text)


def _painted(image: np.ndarray, mask: np.ndarray) -> str:
    """Return a likelihood in grey, with a mask laid over it in yellow, as the address of a PNG.

    A picture is several times quicker than numbers: plotly sends a matrix as nested lists.
    """
    grey = np.repeat(image[..., None] * 255, 3, axis=2)
    yellow = np.array([int(figures.SUPERLEVEL[k : k + 2], 16) for k in (1, 3, 5)])
    grey[mask] += 0.55 * (yellow - grey[mask])
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _set(trace: Any, x: Any, y: Any) -> None:
    """Move a trace."""
    trace.x, trace.y = np.asarray(x, np.float32), np.asarray(y, np.float32)


class _PersistenceView:
    """The widgets of a `PersistenceExplorer`: controls, one figure of three parts, a line of text.

    The third part and some controls are for a subclass to exchange.
    """

    titles = ("likelihood", "persistence diagram", "barcode")

    def __init__(self, model: Any) -> None:
        self.model = model
        figure = make_subplots(1, 3, subplot_titles=self.titles, horizontal_spacing=0.07)
        figure.update_layout(
            template="plotly_white",
            width=1010,
            height=480,
            margin={"l": 50, "r": 10, "t": 60, "b": 40},
            legend={"orientation": "h", "y": -0.16},
            hovermode="closest",
        )
        self.figure = go.FigureWidget(figure)
        self.text = widgets.HTML()
        with self.figure.batch_update():
            self.build_image()
            self.build_diagram()
            self.build_third()
        self.controls: dict[str, Any] = {}
        self.box = widgets.VBox([*self.build_controls(), self.figure, self.text])
        for trait, control in self.controls.items():
            control.observe(lambda change, trait=trait: setattr(model, trait, change.new), "value")
        self.redraw()
        model.observe(self.redraw)

    def add(self, column: int, *traces: Any) -> list[Any]:
        """Add traces to a part and return them as the figure holds them."""
        first = len(self.figure.data)
        self.figure.add_traces(traces, rows=[1] * len(traces), cols=[column] * len(traces))
        return list(self.figure.data[first:])

    def build_image(self) -> None:
        """Make the part on the left: grey image, superlevel set, marked pixels."""
        self.image, self.path, self.birth, self.death = self.add(
            1,
            go.Image(hovertemplate="row %{y}, column %{x}<extra></extra>"),
            _line(color="white", width=2),
            _marks("birth pixel", "diamond", figures.BIRTH),
            _marks("death pixel", "x", figures.DEATH),
        )
        square = {"scaleanchor": "x", "constrain": "domain", "autorange": "reversed"}
        self.figure.update_yaxes(title="row", row=1, col=1, **square)
        self.figure.update_xaxes(title="column", constrain="domain", row=1, col=1)

    def build_diagram(self) -> None:
        """Make the part in the middle: diagonal, threshold, dots, and a ring for the marked one."""
        self.where = [np.zeros(0, np.intp)] * 4  # positions of the pairs in each trace of dots
        diagonal, self.cross, *self.dots, self.ring = self.add(
            2,
            _line(color="gray", width=1),
            _line(**DASHED),
            _dots("component, alive", "circle", figures.COMPONENT),
            _dots("component, not alive", "circle-open", figures.COMPONENT),
            _dots("hole, alive", "triangle-up", figures.HOLE),
            _dots("hole, not alive", "triangle-up-open", figures.HOLE),
            _dots("marked", "circle-open", "black"),
        )
        self.ring.update(marker={"size": 18}, hoverinfo="skip", hovertemplate=None)
        _set(diagonal, [0, 1], [0, 1])
        self.figure.update_xaxes(title="birth", range=[-0.03, 1.03], row=1, col=2)
        self.figure.update_yaxes(title="death", range=[-0.03, 1.03], row=1, col=2)
        for number, trace in enumerate(self.dots):
            trace.on_click(self.picker(number))
            trace.on_hover(self.picker(number))

    def build_third(self) -> None:
        """Make the part on the right: the barcode."""
        *self.bars, self.line, self.bar = self.add(
            3,
            _line(color=figures.COMPONENT, width=3),
            _line(color=figures.HOLE, width=3, dash="4px,2px"),
            _line(**DASHED),
            _line(color="black", width=6),
        )
        self.figure.update_xaxes(title="threshold, falling", range=[1.03, -0.03], row=1, col=3)
        self.figure.update_yaxes(title="feature, longest first", row=1, col=3)

    def build_controls(self) -> list[Any]:
        """Make the controls, and return them in rows."""
        unit = {"min": 0.0, "max": 1.0, "step": 0.01, "readout_format": ".2f"}
        self.controls |= {
            "threshold": _slider(widgets.FloatSlider, "Threshold", **unit),
            "min_persistence": _slider(widgets.FloatSlider, "Persistence above", **unit),
            "selected": _slider(widgets.IntSlider, "Marked feature", min=0, max=0),
            "connectivity": widgets.Dropdown(
                description="Foreground",
                options=[("8 neighbours", 2), ("4 neighbours", 1)],
                value=2,
                layout={"width": "18em"},
            ),
        }
        self.upload = widgets.FileUpload(
            description="Your own image", accept="image/*", layout={"width": "12em"}
        )
        self.dark = widgets.Checkbox(description="its structures are dark", indent=False)
        self.upload.observe(self.take_upload, "value")
        threshold, smallest, number, neighbours = self.controls.values()
        return [
            widgets.HBox([threshold, smallest]),
            widgets.HBox([number, neighbours]),
            widgets.HBox([self.upload, self.dark]),
        ]

    def picker(self, number: int) -> Callable[[Any, Any, Any], None]:
        """Return what pointing at a dot of trace `number` does: it marks the dot's feature."""

        def pick(trace: Any, points: Any, state: Any) -> None:
            if points.point_inds:
                self.model.selected = int(self.where[number][points.point_inds[0]]) + 1

        return pick

    def take_upload(self, change: Any) -> None:
        """Take the reader's own picture, or say why it cannot be taken."""
        if change.new:
            file = change.new[0]
            try:
                self.model.image = read_image(bytes(file["content"]), dark=self.dark.value)
            except ValueError as error:
                self.say(f"{file['name']} was not taken: {error}.")

    def say(self, sentence: str) -> None:
        """Write the line of text, which a screen reader is told of."""
        self.text.value = f'<p role="status" aria-live="polite">{html.escape(sentence)}</p>'

    def redraw(self, change: Any = None) -> None:
        """Bring figure, controls and text into line with the model."""
        model, name = self.model, change.name if change else "image"
        whole = name in ("image", "connectivity", "min_persistence")
        self.controls["selected"].max = len(model.shown)
        for trait, control in self.controls.items():
            control.value = getattr(model, trait)
        with self.figure.batch_update():
            if whole or name == "threshold":
                self.draw_threshold()
            if whole or name in ("threshold", "selected"):
                self.draw_marks()
            self.draw_third(name, whole)
        self.say(model.describe())

    def draw_threshold(self) -> None:
        """Paint the superlevel set and sort the dots into those that are alive and those not."""
        threshold, pairs = self.model.threshold, self.model.shown
        self.image.source = _painted(self.model.image, self.model.mask)
        living = figures.alive(pairs, threshold)
        kinds = [pairs.dimension == 0, pairs.dimension == 1]
        self.where = [np.flatnonzero(kind & some) for kind in kinds for some in (living, ~living)]
        for trace, some in zip(self.dots, self.where, strict=True):
            _set(trace, pairs.birth[some], pairs.death[some])
        _set(self.cross, [threshold, threshold, 1.03], [-0.03, threshold, threshold])

    def draw_marks(self) -> None:
        """Mark the pixels and the dot of the chosen feature."""
        chosen = self.model.shown[self.model.selected - 1 :][: self.model.selected and 1]
        pixels = np.stack([chosen.birth_index, chosen.death_index])
        rows, columns = np.unravel_index(np.maximum(pixels, 0), self.model.image.shape)
        real = pixels >= 0
        _set(self.birth, columns[0][real[0]], rows[0][real[0]])
        _set(self.death, columns[1][real[1]], rows[1][real[1]])
        _set(self.path, columns[real], rows[real])
        _set(self.ring, chosen.birth, chosen.death)

    def draw_third(self, name: str, whole: bool) -> None:
        """Draw the bars, the threshold across them, and the chosen one thick."""
        pairs, number = self.model.shown[:BARS], self.model.selected
        heights = np.arange(1, len(pairs) + 1)
        if whole:
            gap = np.full(len(pairs), np.nan)
            ends = np.stack([pairs.birth, pairs.death, gap], 1)
            levels = np.stack([heights, heights, gap], 1)
            for dimension, trace in enumerate(self.bars):
                some = pairs.dimension == dimension
                _set(trace, ends[some].ravel(), levels[some].ravel())
            self.figure.layout.yaxis3.range = [max(len(pairs), 4) + 0.7, 0.3]
        _set(self.line, [self.model.threshold] * 2, [0.3, max(len(pairs), 4) + 0.7])
        drawn = heights == number
        ends = np.concatenate([pairs.birth[drawn], pairs.death[drawn]])
        _set(self.bar, ends, [number] * len(ends))


class _GradientView(_PersistenceView):
    """The widgets of a `GradientExplorer`: the same, with a player and the loss on the right."""

    titles = ("likelihood and pull", "persistence diagram", "loss")

    def build_image(self) -> None:
        super().build_image()
        # Named before it is added: a change of one trace's name in a batch clears the others'.
        edge = _line(color=figures.TRUTH, width=1.5)
        edge.update(name="outline of the truth", showlegend=True)
        self.edge, self.raised, self.lowered = self.add(
            1,
            edge,
            _marks("raised", "triangle-up", figures.RAISED),
            _marks("lowered", "triangle-down", figures.LOWERED),
        )
        _set(self.edge, *figures.outline(self.model.truth))

    def build_third(self) -> None:
        self.curve, self.now = self.add(
            3, _line(color="black", width=2), _marks("this step", "square", "black")
        )
        self.figure.update_xaxes(title="step", row=1, col=3)
        self.figure.update_yaxes(title="value of the loss", rangemode="tozero", row=1, col=3)

    def build_controls(self) -> list[Any]:
        rows = super().build_controls()[:2]
        model = self.model
        self.controls |= {
            "step": _slider(widgets.IntSlider, "Step", min=0, max=model.steps),
            "loss": widgets.Dropdown(
                description="Loss", options=list(model.losses), layout={"width": "18em"}
            ),
        }
        self.player = widgets.Play(min=0, max=model.steps, interval=300)
        widgets.jslink((self.player, "value"), (self.controls["step"], "value"))
        first = widgets.HBox([self.controls["step"], self.player, self.controls["loss"]])
        return [first, *rows]

    def draw_third(self, name: str, whole: bool) -> None:
        """Draw the loss, and the pixels on which its gradient acts."""
        model = self.model
        if name != "image":  # every step brings a new one
            return
        for trace, sign in ((self.raised, 1), (self.lowered, -1)):
            rows, columns = figures.strongest(sign * model.pull)
            _set(trace, columns, rows)
        _set(self.curve, np.arange(model.steps + 1), model.values)
        _set(self.now, [model.step], [model.values[model.step]])
