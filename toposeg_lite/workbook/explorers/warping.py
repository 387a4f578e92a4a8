"""Explore homotopy warping: play a warp flip by flip, and ask any pixel whether it is simple."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from traitlets import validate

from ...checks import check_same_shape
from ...topology.components import betti_numbers
from ...topology.grid import check_image, check_mask
from ...topology.warping import flip_order
from .. import figures
from ..figures.warping import OUTSIDE
from ..figures.words import count, count_neighbours, count_shape
from . import examples, views
from .base import Explorer
from .framed import FramedView
from .frames import Film, Reel
from .traits import Checked, Connectivity, Fraction, Likelihood, OneOf, UpTo, check_pair
from .uploads import bring_image, parting, unsure_copy

__all__ = ["WarpExplorer"]

DIRECTIONS = ("mask to target", "target to mask")


class WarpExplorer(Explorer):
    """A mask on its way to a target, flip by flip, beside the neighbourhood of a chosen pixel.

    The mask is a superlevel set of the image, so that a threshold can be moved, too. `direction`,
    "mask to target" or "target to mask", says which of the two is deformed, and `step` how many
    pixels have flipped. The chosen pixel is at first the first critical one, or the one in the
    corner.

    Attributes
    ----------
    start, goal : (H, W) arrays of bool
        The mask that is deformed, and the one that it approaches.
    order : (n,) array of int64
        The pixels that flip, in order; a new threshold brings a new order.
    critical : (H, W) array of bool
        Where the deformed mask differs from the goal after all flips.

    Examples
    --------
    A bar with a gap cannot become one whole bar:

    >>> explorer = WarpExplorer(np.array([[1.0, 1.0, 0.0, 0.0, 1.0]]), np.ones((1, 5), bool))
    >>> explorer.step = len(explorer.order)
    >>> print(explorer.describe())
    The warp from mask to target after 1 of 1 flip, with 8 neighbours: 1 pixel still differs, and 1
    is critical. The mask at or above 0.50 has 2 components and 0 holes, the target has 1 component
    and 0 holes; warped so far: 2 components and 0 holes. Row 0, column 3 is background. Not simple:
    2 foreground and 2 background components touch it; adding it joins parts.
    """

    chapter, title = "04", "Warping"

    image = Likelihood(ndim=2)
    target = Checked(lambda model, value, name: check_mask(value, name, ndim=2))
    threshold = Fraction(0.5)
    connectivity = Connectivity()
    direction = OneOf(lambda model: DIRECTIONS)
    step = UpTo(lambda model: len(model.order))
    row = UpTo(lambda model: model.image.shape[0] - 1)
    column = UpTo(lambda model: model.image.shape[1] - 1)

    def __init__(
        self,
        image: Any,
        target: Any,
        *,
        threshold: float = 0.5,
        connectivity: int = 2,
        direction: str = DIRECTIONS[0],
        step: int = 0,
        row: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__()
        self.order = np.zeros(0, np.int64)
        self.threshold, self.connectivity, self.direction = threshold, connectivity, direction
        self.take(image, check_mask(target, "target", ndim=2))
        for name, place in (("row", row), ("column", column)):
            if place is not None:
                setattr(self, name, place)
        self._measure()
        self.observe(self._measure, ["image", "target", "threshold", "connectivity", "direction"])
        first = np.argwhere(self.critical)[:1].ravel().tolist() or [0, 0]
        if row is None:
            self.row = first[0]
        if column is None:
            self.column = first[1]
        self.step = step

    def take(self, image: Any, target: Any = None) -> None:
        """Take another image, which may have another size, and go back to step 0.

        The new target is by default what of the image is at or above the present threshold; move
        the threshold, and see which pixels are critical on the way.
        """
        image = check_image(image, ndim=2)
        target = image >= self.threshold if target is None else check_mask(target, "target", ndim=2)
        check_same_shape(image, target, ("image", "target"))
        with self.hold_trait_notifications():
            self.step = 0
            self.image, self.target = image, target
            self.row = min(self.row, image.shape[0] - 1)
            self.column = min(self.column, image.shape[1] - 1)

    @validate("image", "target")
    def _check_shapes(self, proposal: Any) -> np.ndarray:
        return check_pair(self, proposal, ("image", "target"))

    def _measure(self, change: Any = None) -> None:
        """Compute the order of the flips anew; the step stays where it is if it can."""
        mask = self.image >= self.threshold
        forth = self.direction == DIRECTIONS[0]
        self.start, self.goal = (mask, self.target) if forth else (self.target, mask)
        self.order = flip_order(self.start, self.goal, connectivity=self.connectivity)
        self.critical = self._after(len(self.order)) != self.goal
        self.step = min(self.step, len(self.order))

    def _after(self, step: int) -> np.ndarray:
        flipped = self.start.copy()
        flipped.flat[self.order[:step]] ^= True
        return flipped

    @property
    def now(self) -> np.ndarray:
        """The deformed mask after the present number of flips."""
        return self._after(self.step)

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column of the chosen pixel."""
        return self.row, self.column

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of a broken vessel and its reference mask, the warp half way."""
        explorer = cls(*examples.gap())
        explorer.step = len(explorer.order) // 2
        return explorer

    def brief(self) -> str:
        """Say in one sentence how far the warp has come, and whether the pixel may flip."""
        now = self.now
        different = int((now != self.goal).sum())
        verdict = figures.verdict(now, self.pixel, connectivity=self.connectivity)
        return (
            f"{self._sentence(self.step, different)}; row {self.row}, column {self.column} is "
            f"{verdict.split(':')[0].split('.')[0].lower()}."
        )

    def _sentence(self, step: int, different: int) -> str:
        return (
            f"After {step} of {count(len(self.order), 'flip')} {count(different, 'pixel')} "
            f"differ{'s' * (different == 1)}"
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the present state, for `restore`."""
        names = ("image", "target", *self._set_back)
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a state that `snapshot` returned."""
        self._check_snapshot(snapshot)
        self.take(snapshot["image"], snapshot["target"])
        for name in self._set_back:
            setattr(self, name, snapshot[name])

    _set_back = ("threshold", "connectivity", "direction", "step", "row", "column")

    def describe(self) -> str:
        """Say in words what the picture shows."""
        now = self.now
        different, critical = int((now != self.goal).sum()), int(self.critical.sum())
        names = self.direction.split(" to ")
        holds = [f"The {names[0]}", f"the {names[1]}"]
        place = names.index("mask")
        holds[place] += f" at or above {self.threshold:.2f}"
        side = "foreground" if now[self.pixel] else "background"
        verdict = figures.verdict(now, self.pixel, connectivity=self.connectivity)
        return (
            f"The warp from {self.direction} after {self.step} of "
            f"{count(len(self.order), 'flip')}, with {count_neighbours(self.connectivity)}: "
            f"{count(different, 'pixel')} still differ{'s' * (different == 1)}, and {critical} "
            f"{'is' if critical == 1 else 'are'} critical. {holds[0]} has "
            f"{self._shape(self.start)}, {holds[1]} has {self._shape(self.goal)}; warped so far: "
            f"{self._shape(now)}. Row {self.row}, column {self.column} is {side}. {verdict}"
        )

    def _shape(self, mask: np.ndarray) -> str:
        return count_shape(betti_numbers(mask, connectivity=self.connectivity))

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.warp_step(
            self.now,
            self.goal,
            self.pixel,
            critical=self.critical,
            connectivity=self.connectivity,
            title=f"{self.direction}: {self.step} of {count(len(self.order), 'flip')}",
        )

    def view(self) -> widgets.VBox:
        """Return a live view: play the flips or move their slider; click a pixel to choose it."""
        return _WarpView(self).box


class _WarpView(FramedView):
    """The view of a `WarpExplorer`: both masks, and the neighbourhood of the chosen pixel."""

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "direction": views.dropdown("Warp", list(DIRECTIONS), 21),
            "threshold": views.fraction_slider("Threshold"),
            "connectivity": views.neighbour_choice(21),
            "row": views.integer_slider("Row"),
            "column": views.integer_slider("Column"),
        }
        return [self.row("direction")]

    def build_more(self) -> list[Any]:
        rows = self.row("row", "column"), self.row("threshold", "connectivity")
        return [*self.fold(*rows), self.bring_own()]

    def take(self, file: bytes) -> tuple[str, ...]:
        """Warp a copy of the reader's own picture, which is not quite right, towards it."""
        taken = bring_image(file, dark=self.dark.value)
        copy, threshold = unsure_copy(taken.values), parting(taken.values)
        self.model.threshold = parting(copy)
        self.model.take(copy, taken.values >= threshold)
        critical = np.argwhere(self.model.critical)[:1].ravel().tolist()
        if critical:
            self.model.row, self.model.column = critical
        made = (
            f"the target is what is bright, from {threshold:.2f} on (Otsu's method); the mask that "
            f"is warped is of a copy that is blurred and shifted"
        )
        return (*taken.notes, made)

    def last_values(self) -> dict[str, int]:
        height, width = self.model.image.shape
        return {"row": height - 1, "column": width - 1}

    def key(self) -> tuple[Any, ...]:
        model = self.model
        return model.order, model.goal, model.critical, model.connectivity

    def places(self) -> dict[str, Any]:
        return {"index": self.model.step, "pixel": list(self.model.pixel)}

    def wanted(self) -> dict[str, Any]:
        row, column = self.frames.pixel
        return {"step": self.frames.index, "row": row, "column": column}

    def film(self) -> Film:
        """Make one frame of each number of flips."""
        model = self.model
        flips = len(model.order)
        differ = int((model.start != model.goal).sum()) - np.arange(flips + 1)
        sentences = [model._sentence(step, int(left)) for step, left in enumerate(differ)]
        reel = Reel("Flips", [f"{step} of {flips}" for step in range(flips + 1)], sentences)
        turns = np.full(model.start.size, flips + 1)  # a pixel that never flips
        turns[model.order] = np.arange(1, flips + 1)
        before, after = 2 * model.start + model.goal, 3 * model.goal
        palette = ("#FFFFFF", figures.RAISED, figures.LOWERED, figures.SUPERLEVEL)
        layer = reel.turning(before, after, turns, palette) | {"mask": [2, 3], "blank": 0}
        critical = reel.signs("cross", figures.CRITICAL, np.flatnonzero(model.critical), least=7)
        edge = reel.line(*figures.outline(model.goal), figures.TRUTH, 2)
        reel.image(
            "the mask on its way: click a pixel", model.start.shape, [layer], lines=[edge],
            signs=[critical], click="pixel",
        )  # fmt: skip
        colours = (figures.SUPERLEVEL, OUTSIDE, figures.COMPONENT, figures.HOLE)
        reel.panel("cells", "neighbourhood of the chosen pixel", colours=colours)
        few = [str(int(model.critical.sum()))] * (flips + 1)
        reel.more |= {
            "connectivity": model.connectivity,
            "tail": "pixel",
            "numbers": [
                {"name": "pixels differ", "one": "pixel differs", "values": list(map(str, differ))},
                {"name": "critical", "values": few},
            ],
            "play": {
                "kind": "steps", "label": "Play the warp", "interval": 40,
                "stride": 1 + flips // 250,
            },
        }  # fmt: skip
        reel.legend += [
            ("■", figures.SUPERLEVEL, "in both"),
            ("■", figures.LOWERED, "to remove"),
            ("■", figures.RAISED, "to add"),
            ("▢", figures.TRUTH, "outline of the goal"),
            ("✕", figures.CRITICAL, "critical"),
            ("□", "currentColor", "chosen pixel"),
            ("●", figures.COMPONENT, "foreground component"),
            ("▲", figures.HOLE, "background component"),
        ]
        return reel.film()
