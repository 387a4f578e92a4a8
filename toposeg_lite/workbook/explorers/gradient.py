"""Explore the descent of a likelihood under a loss, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from ...checks import check_choice, check_integer, check_number, check_same_shape
from ...topology.components import betti_numbers
from ...topology.grid import check_image, check_mask
from .. import figures
from ..figures.words import count, count_shape
from . import examples, views
from .framed import FramedView
from .frames import Film, Reel
from .persistence import SIGNS, PersistenceExplorer
from .traits import OneOf, UpTo
from .uploads import bring_image, parting, unsure_copy

__all__ = ["GradientExplorer"]

UPLOADED = 128  # pixels of the longer side that are kept of the reader's own picture


class GradientExplorer(PersistenceExplorer):
    """Gradient descent of a loss on the pixels of one likelihood, to be played step by step.

    No network stands between the loss and the image: the logits themselves are changed, so one sees
    where a loss acts, and what it leaves alone. `image` is the likelihood at the present step;
    everything else, and the options, are as in `PersistenceExplorer`.

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

    chapter, title = "03", "Descent"

    step = UpTo(lambda model: model.steps)
    loss = OneOf(lambda model: model.losses)

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
        self.start, self.truth = self._checked(likelihood, truth)
        if not isinstance(losses, Mapping) or not losses:
            raise TypeError(f"losses must map one name at least to a loss; got {losses!r}")
        self.losses, self.rate = dict(losses), check_number(rate, "rate", positive=True)
        self.steps = check_integer(steps, "steps", 1)
        check_integer(step, "step", 0, self.steps)
        if loss is not None:
            check_choice(loss, list(self.losses), "loss")
        self._runs: dict[str, tuple[np.ndarray, np.ndarray, list[float]]] = {}
        super().__init__(self.start, **options)
        self.loss = next(iter(self.losses)) if loss is None else loss
        self.step = step
        self._play()
        self.observe(self._play, ["step", "loss"])

    @staticmethod
    def _checked(likelihood: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
        start = check_image(likelihood, "likelihood", ndim=2).astype(np.float32)
        truth = check_mask(truth, "truth", ndim=2)
        check_same_shape(start, truth, ("likelihood", "truth"))
        return start, truth

    def take(self, likelihood: Any, truth: Any = None) -> None:
        """Take another likelihood, which may have another size, and go back to step 0.

        The new truth is by default what of the likelihood is at or above the present threshold.
        """
        if truth is None:
            truth = check_image(likelihood, "likelihood", ndim=2) >= self.threshold
        self.start, self.truth = self._checked(likelihood, truth)
        self._runs.clear()
        self.step = 0
        self._play()

    def _play(self, change: Any = None) -> None:
        self.image = self._run()[0][self.step]

    def _run(self) -> tuple[np.ndarray, np.ndarray, list[float]]:
        """Return likelihoods, negative gradients and values of all steps; computed once a loss."""
        if self.loss not in self._runs:
            import torch

            start = torch.tensor(self.start).clamp(1e-4, 1 - 1e-4)
            logits = start.logit()[None, None].requires_grad_()
            target = torch.tensor(self.truth)[None, None].to(logits.dtype)
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
        """The negative gradient of the present step by logit: positive where a pixel is raised."""
        return self._run()[1][self.step]

    @property
    def values(self) -> list[float]:
        """The loss at every step."""
        return self._run()[2]

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of five losses on a broken vessel, a few steps on the way.

        The weights of the cross-entropy and of the Morse losses let each step be seen.
        """
        import torch

        from ...losses import MorseLoss, TopologicalLoss

        cross_entropy = torch.nn.BCEWithLogitsLoss(reduction="sum")
        ridges, both = MorseLoss(min_persistence=0.1), MorseLoss(of="both", min_persistence=0.1)
        losses: dict[str, Callable[..., Any]] = {
            "rank": TopologicalLoss(matching="rank", min_persistence=0.1),
            "wasserstein": TopologicalLoss(matching="wasserstein", min_persistence=0.1),
            "cross-entropy": lambda logits, y: cross_entropy(logits, y) / 10,
            "morse": lambda logits, y: 10 * ridges(logits, y),
            "morse, of both": lambda logits, y: 10 * both(logits, y),
        }
        return cls(*examples.gap(), losses, step=3, min_persistence=0.1, selected=2)

    def brief(self) -> str:
        """Say in one sentence how far the descent has come."""
        return self._sentence(self.step, self.betti) + "."

    def _sentence(self, step: int, betti: tuple[int, ...]) -> str:
        return (
            f"Step {step} of {self.steps}: loss {self.values[step]:.3f}; {count_shape(betti)} "
            f"at threshold {self.threshold:.2f}"
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the present state, for `restore`."""
        names = ("start", "truth", *self._set_back)
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a state that `snapshot` returned."""
        self._check_snapshot(snapshot)
        self.take(snapshot["start"], snapshot["truth"])
        for name in self._set_back:
            setattr(self, name, snapshot[name])

    _set_back = ("connectivity", "loss", "step", "min_persistence", "threshold", "selected")

    def describe(self) -> str:
        """Say in words what the picture shows."""
        raised, lowered = int((self.pull > 0).sum()), int((self.pull < 0).sum())
        return (
            f"Step {self.step} of {self.steps} down the loss {self.loss!r}, whose value is "
            f"{self.values[self.step]:.3f}; its gradient raises {count(raised, 'pixel')} and "
            f"lowers {lowered} of {self.image.size}. The truth has "
            f"{count_shape(betti_numbers(self.truth))}. {super().describe()}"
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
            selected=self.marked,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: play the descent or move its slider; the rest as in the base."""
        return _GradientView(self).box


class _GradientView(FramedView):
    """The view of a `GradientExplorer`: image and pull, persistence diagram, loss."""

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "loss": views.dropdown("Loss", list(self.model.losses), 18),
            "threshold": views.fraction_slider("Threshold"),
            "min_persistence": views.fraction_slider("Persistence above"),
            "connectivity": views.neighbour_choice(),
        }
        return [self.row("loss", "threshold")]

    def build_more(self) -> list[Any]:
        return [*self.fold(self.row("min_persistence", "connectivity")), self.bring_own()]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Descend from a copy of the reader's own picture that is not quite right."""
        taken = bring_image(file, dark=self.dark.value, size=UPLOADED)
        start = unsure_copy(taken.values)
        threshold = parting(taken.values)
        self.model.threshold = parting(start)
        self.model.take(start, taken.values >= threshold)
        made = (
            f"the truth is what is bright, from {threshold:.2f} on (Otsu's method); the descent "
            f"starts from a copy that is blurred and shifted"
        )
        return (*taken.notes, made)

    def key(self) -> tuple[Any, ...]:
        model = self.model
        return model.values, model.threshold, model.min_persistence, model.connectivity

    def places(self) -> dict[str, Any]:
        return {"index": self.model.step, "marked": self.model.selected}

    def wanted(self) -> dict[str, Any]:
        return {"step": self.frames.index, "selected": self.frames.marked}

    def film(self) -> Film:
        """Make one frame of each step of the descent."""
        model = self.model
        images, pulls, values = model._run()
        steps = [model._pairs_of(image, model.connectivity) for image in images]
        shapes = [model._betti_of(pairs) for pairs in steps]
        sentences = [model._sentence(step, shape) for step, shape in enumerate(shapes)]
        reel = Reel("Step", [str(step) for step in range(len(images))], sentences)
        layers = [reel.grey(images), reel.masks(images >= model.threshold, figures.SUPERLEVEL)]
        places = [[_flat(sign * pull) for pull in pulls] for sign in (1, -1)]
        reel.image(
            "likelihood and pull", model.truth.shape, layers, lights=True, click="mark",
            lines=[reel.line(*figures.outline(model.truth), figures.TRUTH, 2)],
            signs=[
                reel.signs("up", figures.RAISED, places[0], least=9),
                reel.signs("down", figures.LOWERED, places[1], least=9),
            ],
        )  # fmt: skip
        reel.panel("diagram", "persistence diagram: point at a dot")
        reel.panel(
            "curve", "loss: click a step", x="step", y="value of the loss",
            values=reel.pack(values, "float32"), positions=list(range(len(values))),
        )  # fmt: skip
        shown = [model._shown_of(pairs) for pairs in steps]
        living = np.concatenate([figures.alive(pairs, model.threshold) for pairs in shown])
        reel.features(shown, model.kinds, living=living)
        reel.more |= {
            "thresholds": [model.threshold] * len(images),
            "connectivity": model.connectivity,
            "numbers": [
                {"name": f"{kind}s", "one": kind, "values": [str(shape[k]) for shape in shapes]}
                for k, kind in enumerate(model.kinds)
            ],
            "marking": {"label": "Marked feature"},
            "play": {"kind": "steps", "label": "Play the descent", "interval": 200},
        }
        reel.legend += [
            *SIGNS,
            ("▢", figures.TRUTH, "outline of the truth"),
            ("▲", figures.RAISED, "raised"),
            ("▼", figures.LOWERED, "lowered"),
        ]
        return reel.film()


def _flat(pull: np.ndarray) -> np.ndarray:
    """Return the pixels on which a pull is strongest, as flat indices."""
    return np.ravel_multi_index(figures.strongest(pull), pull.shape)
