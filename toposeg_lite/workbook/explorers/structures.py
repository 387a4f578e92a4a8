"""Explore a distribution over structures: walk through samples, see which branches are unsure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from ...checks import check_integer, check_number, check_reals
from ...data import photos
from ...topology import betti_numbers
from ...topology.grid import check_image
from .. import figures
from ..figures.words import count
from . import views
from .base import Explorer
from .framed import FramedView
from .frames import Film, Reel
from .likeness import strangeness
from .traits import Checked, OneOf, UpTo
from .uploads import bring_colours

if TYPE_CHECKING:  # torch takes long to load, and other explorers do without
    from ...structures import StructureDistribution, StructureModel, StructureSamples, Uncertainty

__all__ = ["StructureExplorer"]

MOST = 100  # samples
SIDE = 256  # pixels of the reader's own picture that are looked at, in its middle


class StructureExplorer(Explorer):
    """Samples of the structures of an image, and how unsure a model is of each branch.

    Parameters
    ----------
    models : StructureModel, or mapping of str to StructureModel
        One or several trained models, by name, for images in 2D.
    image : (channels, H, W) array of float
        In [0, 1].
    mode : str, optional
        The name of the model to begin with. Default: the first.
    n : int
        How many samples to draw, 1 to 100. Default 20.
    temperature : float
        What the model's log-odds are divided by, from 0.1 to 10: below 1 bolder, above 1 less sure.
        Default 1: as the model was calibrated.
    sample : int
        Which sample to show, from 1.
    shown : {"entropy", "probability"}
        What the maps show.
    seed : int
        Of the samples.

    Attributes
    ----------
    distribution : StructureDistribution
        Of the present model, at the present temperature, with its `uncertainty`.
    samples : StructureSamples
        n of them.
    order : (m,) array of int
        The branches, the most uncertain (of the largest entropy) first, as `selected` counts.

    Examples
    --------
    >>> import torch
    >>> from toposeg_lite.structures import StructureModel
    >>> model = StructureModel(torch.nn.Identity(), mode="branch", walk=False)
    >>> row = torch.tensor([[0.9, 0.9, 0.3, 0.8, 0.8]])
    >>> explorer = StructureExplorer(model, row.logit()[None].sigmoid().numpy(), n=4)
    >>> len(explorer.samples), explorer.sample
    (4, 1)
    """

    chapter, title = "07", "Structures"

    state = ("image", "mode", "n", "temperature", "shown", "sample", "selected")

    distribution: StructureDistribution
    samples: StructureSamples
    uncertainty: Uncertainty
    order: np.ndarray

    image = Checked(lambda model, value, name: _check_channels(value))
    mode = OneOf(lambda model: model.models)
    n = UpTo(lambda model: MOST, low=1)
    temperature = Checked(lambda model, value, name: _check_temperature(value))
    sample = UpTo(lambda model: model.n, low=1)
    shown = OneOf(lambda model: figures.MAPS)
    selected = UpTo(lambda model: len(model.order))

    def __init__(
        self,
        models: StructureModel | Mapping[str, StructureModel],
        image: Any,
        *,
        mode: str | None = None,
        n: int = 20,
        temperature: float = 1.0,
        sample: int = 1,
        shown: str = "entropy",
        selected: int = 0,
        seed: int = 0,
    ) -> None:
        from ...structures import StructureModel

        super().__init__()
        if isinstance(models, StructureModel):
            models = {models.mode: models}
        if not isinstance(models, Mapping) or not models:
            raise TypeError(f"models must map one name at least to a model; got {models!r}")
        for name, model in models.items():
            if not isinstance(model, StructureModel) or model.ndim != 2:
                raise TypeError(f"models must be StructureModels of images; {name!r} is {model!r}")
        check_integer(seed, "seed")
        self.models, self.seed = dict(models), seed
        self._known: dict[str, StructureDistribution] = {}
        self._far: dict[str, float] = {}
        self.image = image
        self.mode = next(iter(self.models)) if mode is None else mode
        self.n, self.temperature, self.shown = n, temperature, shown
        self.sample = sample
        self._look()
        self.selected = selected
        self.observe(self._forget, "image")
        self.observe(self._look, ["mode", "n", "temperature"])

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of the library's trained model on vessels of a retina."""
        from ...structures import load_pretrained

        image = photos.retina().image[:, 800:1056, 240:496]
        return cls({mode: load_pretrained(mode) for mode in ("branch", "threshold")}, image)

    def _forget(self, change: Any) -> None:
        """Let the models look at another image."""
        self._known.clear()
        self._far.clear()
        self._look(change)

    def _look(self, change: Any = None) -> None:
        """Ask the present model; the network runs once for each model and image."""
        import torch

        if self.mode not in self._known:
            batch = torch.from_numpy(self.image)[None]
            (self._known[self.mode],) = self.models[self.mode].distribution(batch)
        plain = self._known[self.mode]
        self.distribution = plain.calibrated(plain.calibration * self.temperature)
        self.samples = self.distribution.sample(self.n, self.seed)
        self.uncertainty = self.distribution.uncertainty()
        self.order = np.argsort(-self.uncertainty.entropy, kind="stable")
        if change is not None:
            self.sample = min(self.sample, self.n)
            self.selected = min(self.selected, len(self.order))

    @property
    def branch(self) -> int | None:
        """The marked branch as its place in the BranchSet, or None."""
        return int(self.order[self.selected - 1]) if self.selected else None

    def branch_at(self, row: int, column: int) -> int:
        """Return the number of the branch that decides about a pixel, as `selected` counts, or 0.

        Of pixels beside a path, as the maps colour them, it is the path's.
        """
        height, width = self.image.shape[-2:]
        row = check_integer(row, "row", 0, height - 1)
        column = check_integer(column, "column", 0, width - 1)
        return int(self._numbered()[row, column])

    def _numbered(self) -> np.ndarray:
        """Return what `branch_at` says of every pixel, an (H, W) array of int."""
        branches = self.distribution.branches
        if not len(branches):
            return np.zeros(self.image.shape[-2:], int)
        away, nearest = branches.nearest
        beside = branches.owner.ravel()[nearest]
        places = np.where((branches.region < 0) & (away <= 1.5), beside, branches.region)
        numbers = np.zeros(len(branches) + 1, int)  # the last one is of no branch
        numbers[self.order] = np.arange(1, len(branches) + 1)
        return numbers[places]

    @property
    def strangeness(self) -> float:
        """How far the image is from those that the library's own models have learned from.

        Above 1 it is strange; 0 for other models, of whose images nothing is known. See the module
        `likeness`.
        """
        from ...structures.pretrained import is_shipped

        if self.mode not in self._far:
            known = is_shipped(self.models[self.mode]) and len(self.image) == 3
            self._far[self.mode] = strangeness(self.image) if known else 0.0
        return self._far[self.mode]

    def _describe_strange(self) -> str:
        """Return a sentence about an image that is strange, and a space, or nothing."""
        far = self.strangeness
        if far <= 1:
            return ""
        return (
            f"This does not look like what the model has learned: in colour and contrast it is "
            f"{far:.1f} times as far from the training images as counts as alike, so that the "
            f"answers may mean nothing. "
        )

    def brief(self) -> str:
        """Say in one sentence what the sample keeps."""
        k = self.sample - 1
        kept, betti = int(self.samples.kept[k].sum()), betti_numbers(self.samples.masks[k])
        return f"{self._sentence(k, kept, betti)}."

    def _sentence(self, k: int, kept: int, betti: tuple[int, ...]) -> str:
        return (
            f"{'Careful, a strange image: ' * (self.strangeness > 1)}"
            f"Sample {k + 1} of {self.n} keeps {kept} of "
            f"{count(len(self.order), 'branch')}: {count(betti[0], 'component')} and "
            f"{count(betti[1], 'loop')}"
        )

    def describe(self) -> str:
        """Say in words what the picture shows."""
        kept = self.samples.kept.sum(1)
        b0, b1 = betti_numbers(self.samples.masks[self.sample - 1])
        unsure = int((self.uncertainty.entropy > 0.5).sum())
        text = (
            f"{self._describe_strange()}"
            f"Model {self.mode!r}, temperature {self.temperature:.2f}. Sample {self.sample} of "
            f"{self.n} keeps {kept[self.sample - 1]} of "
            f"{count(self.samples.kept.shape[1], 'branch')} and has "
            f"{count(b0, 'component')} and {count(b1, 'loop')}; all samples keep "
            f"{kept.min()} to {kept.max()}. Of {unsure} the model is unsure (entropy above half a "
            f"bit). The maps show the {figures.MAPS[self.shown]}."
        )
        return f"{text} {self._describe_branch()}" if self.selected else text

    def _describe_branch(self) -> str:
        k, known = self.branch, self.uncertainty
        branches = known.branches
        row, column = np.unravel_index(branches.saddle[k], branches.shape)
        kind = ("joins two components", "closes a loop", "is a ridge")[branches.kind[k]]
        often = int(self.samples.kept[:, k].sum())
        return (
            f"Branch {self.selected} of {len(self.order)}, the most uncertain first, {kind} in row "
            f"{row}, column {column}: persistence {branches.persistence[k]:.2f}, length "
            f"{branches.length[k]:.0f} pixels, probability {known.probability[k]:.2f}, "
            f"entropy {known.entropy[k]:.2f} bit, kept in {often} of {count(self.n, 'sample')}."
        )

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.structure_summary(
            figures.grey_of(self.image),
            self.distribution,
            self.samples,
            sample=self.sample - 1,
            shown=self.shown,
            selected=self.branch,
            uncertainty=self.uncertainty,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: walk through the samples, click a branch to mark it."""
        return _StructureView(self).box


def _check_channels(image: Any) -> np.ndarray:
    image = check_reals(image, "image")
    if image.ndim != 3 or not len(image):
        raise ValueError(f"image must have the shape (channels, H, W); got {image.shape}")
    channels = [check_image(channel, "image", ndim=2) for channel in image]
    return np.stack(channels).astype(np.float32)


def _check_temperature(value: Any) -> float:
    temperature = check_number(value, "temperature")
    if not 0.1 <= temperature <= 10:
        raise ValueError(f"temperature must be 0.1 to 10; got {value}")
    return temperature


class _StructureView(FramedView):
    """The view of a `StructureExplorer`: a sample, and a map of branches and one of pixels."""

    def build_controls(self) -> list[Any]:
        maps = [(name, key) for key, name in figures.MAPS.items()]
        self.controls |= {
            "n": views.integer_slider("Number of samples", 1, MOST),
            "temperature": views.slider(
                widgets.FloatLogSlider, "Temperature", min=-1, max=1, step=0.05, base=10,
                readout_format=".2f",
            ),
            "mode": views.dropdown("Model", list(self.model.models)),
            "shown": views.dropdown("Maps show", maps),
        }  # fmt: skip
        return [self.row("temperature", "mode", "shown")]

    def build_more(self) -> list[Any]:
        return [*self.fold(self.row("n")), self.bring_own(dark=False)]

    def obey(self, trait: str, value: Any) -> None:
        """Hand a control's value to the model; the ends of its scale are exact."""
        if trait == "temperature":
            value = min(max(round(value, 3), 0.1), 10.0)
        super().obey(trait, value)

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the middle of the reader's own picture."""
        taken = bring_colours(file, len(self.model.image), side=SIDE)
        self.model.image = taken.values
        return taken.notes

    def key(self) -> tuple[Any, ...]:
        return self.model.samples, self.model.uncertainty, self.model.shown

    def places(self) -> dict[str, Any]:
        return {"index": self.model.sample - 1, "marked": self.model.selected}

    def wanted(self) -> dict[str, Any]:
        return {"sample": self.frames.index + 1, "selected": self.frames.marked}

    def film(self) -> Film:
        """Make one frame of each sample."""
        model, grey = self.model, figures.grey_of(self.model.image)
        branches, shape = model.distribution.branches, model.image.shape[-2:]
        shapes = [betti_numbers(mask) for mask in model.samples.masks]
        kept = model.samples.kept.sum(1).tolist()
        sentences = [model._sentence(k, kept[k], shapes[k]) for k in range(model.n)]
        reel = Reel("Sample", [f"{k} of {model.n}" for k in range(1, model.n + 1)], sentences)
        picks = reel.pack(model._numbered(), "uint16")
        paths = reel.paths([branches.paths[k] for k in model.order])
        pointed: dict[str, Any] = {"picks": picks, "paths": paths, "click": "mark"}
        masks = reel.masks(model.samples.masks, figures.SUPERLEVEL)
        reel.image("sample: point at a branch", shape, [reel.grey(grey), masks], **pointed)
        values = getattr(model.uncertainty, model.shown)
        colours = figures.branch_colours(grey, branches, values)
        reel.image("each branch: point at it", shape, [reel.colours(colours)], **pointed)
        by_pixel = figures.pixel_values_of(branches.likelihood, model.shown)
        colours = figures.pixel_colours(by_pixel)
        reel.image("each pixel", shape, [reel.colours(colours)])
        known = model.uncertainty
        reel.more |= {
            "numbers": [
                {"name": "branches kept", "one": "branch kept", "values": list(map(str, kept))},
                {"name": "loops", "one": "loop", "values": [str(b1) for _, b1 in shapes]},
            ],
            "marking": {
                "label": "Marked branch",
                "names": [
                    f"branch {number}, probability {known.probability[k]:.2f}"
                    for number, k in enumerate(model.order, 1)
                ],
            },
            "play": {"kind": "steps", "label": "Play the samples", "interval": 400},
        }
        ends = figures.pixel_colours(np.array([[0.0, 0.5, 1.0]]))[0]
        reel.legend.append(("■", figures.SUPERLEVEL, "kept in this sample"))
        reel.legend += [
            ("■", "#{:02x}{:02x}{:02x}".format(*colour), f"{model.shown} {share:g}")
            for colour, share in zip(ends, (0, 0.5, 1), strict=True)
        ]
        return reel.film()
