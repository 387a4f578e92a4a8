"""Explore a volume: walk through its slices beside its skeleton in space."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from PIL import ImageSequence
from plotly.subplots import make_subplots
from scipy.special import expit
from skimage.filters import gaussian
from skimage.transform import resize
from traitlets import Any as AnyTrait
from traitlets import Float, Int, validate

from .. import figures
from ..checks import check_fraction, check_integer
from ..data import synthetic
from ..topology.grid import check_image
from ..topology.morse import MorseComplex, Skeleton, morse_complex
from ..topology.persistence import PersistencePairs, persistence_pairs
from .base import (
    Explorer,
    LiveFigure,
    View,
    _count,
    _grey,
    _marks,
    _opened,
    _painted,
    _pixels,
    _set,
    _slider,
)

__all__ = ["VolumeExplorer", "read_volume"]

COUNTED = ("component", "tunnel", "cavity")


def read_volume(content: bytes, *, dark: bool = False, size: int = 64) -> np.ndarray:
    """Turn the bytes of a picture file with many pages, one a slice, into a likelihood.

    Parameters
    ----------
    content : bytes
        A TIFF, or any other file that Pillow reads.
    dark : bool
        Whether the structures are darker than their surroundings; they are made bright then.
    size : int
        The volume is reduced so that no side has more voxels.

    Returns
    -------
    (D, H, W) array of float64
        Grey values, stretched to [0, 1].

    Raises
    ------
    ValueError
        If the bytes are no picture, or one with NaN or infinite values, if its pages differ in
        size, or all voxels have the same value.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> pages = [Image.fromarray(np.full((2, 2), k, np.uint8)) for k in (0, 51, 255)]
    >>> pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    >>> read_volume(file.getvalue())[:, 0, 0].tolist()
    [0.0, 0.2, 1.0]
    """
    check_integer(size, "size", 1)
    with _opened(content) as file:
        pages = [_grey(_pixels(page)) for page in ImageSequence.Iterator(file)]
    if len({page.shape for page in pages}) > 1:
        raise ValueError("the pages of the picture have different sizes")
    volume = np.stack(pages)
    shape = [min(side, size) for side in volume.shape]
    if volume.shape != tuple(shape):
        volume = resize(volume, shape, anti_aliasing=True)
    low, high = volume.min(), volume.max()
    if not low < high:
        raise ValueError("all voxels have the same value: there is nothing to see")
    volume = (volume - low) / (high - low)
    return 1 - volume if dark else volume


class VolumeExplorer(Explorer):
    """A slice of a volume beside its skeleton in space, under two thresholds.

    Everything is computed with 6 neighbours for the foreground, as the Morse complex of a volume
    is; so numbers and skeleton belong together.

    Parameters
    ----------
    image : (D, H, W) array of float or bool
        A likelihood; a new one can be assigned at any time.
    position : int, optional
        The number of the slice. Default: the one in the middle.
    threshold : float
        Of the superlevel set; also the saddle level of the skeleton, which so lies within the set.
        Default 0.5.
    min_persistence : float
        Branches and features whose persistence is not above it are left out. Default 0.1.
    selected : int
        The number of the feature to mark, 1 being the most persistent; 0 marks none. Marking one
        leads to the slice of its birth voxel.

    Attributes
    ----------
    pairs : PersistencePairs
        All pairs, the most persistent first.
    shown : PersistencePairs
        Those above the threshold of persistence: the first of `pairs`.
    complex_ : MorseComplex
        Computed once for a volume.
    skeleton : Skeleton
        What the two thresholds leave.
    betti : tuple of int
        How many components, tunnels and cavities are alive at the threshold.

    Raises
    ------
    TypeError, ValueError
        For a bad volume or option, when built and when assigned.

    Examples
    --------
    >>> ring = np.array([[[0.9, 0.8, 0.9], [0.8, 0.1, 0.4], [0.9, 0.8, 0.9]]])
    >>> explorer = VolumeExplorer(ring, threshold=0.5, min_persistence=0.2, selected=2)
    >>> print(explorer.describe())
    Slice 0 of 0 to 0. At threshold 0.50, with 6 neighbours, 77.8 % of the volume is foreground:
    1 component, 0 tunnels and 0 cavities. The skeleton of the branches with persistence above 0.20
    has 1 voxel, 1 of them in this slice, in 1 part with 0 loops. Feature 2 of 2 is a tunnel, born
    at 0.40 in slice 0, row 1, column 2; it dies at 0.10 in slice 0, row 1, column 1.
    """

    chapter, title = "13", "Volumes"

    image = AnyTrait()
    position = Int(0)
    threshold = Float(0.5)
    min_persistence = Float(0.1)
    selected = Int(0)

    complex_: MorseComplex
    skeleton: Skeleton
    pairs: PersistencePairs
    shown: PersistencePairs

    def __init__(
        self,
        image: Any,
        *,
        position: int | None = None,
        threshold: float = 0.5,
        min_persistence: float = 0.1,
        selected: int = 0,
    ) -> None:
        super().__init__()
        self.image, self.threshold, self.min_persistence = image, threshold, min_persistence
        self._measure()
        self.observe(self._measure, ["image"])
        self.observe(self._look, ["threshold", "min_persistence"])
        self.observe(self._visit, ["selected"])
        self.selected = selected
        if position is not None:
            self.position = position

    @validate("image")
    def _check_image(self, proposal: Any) -> np.ndarray:
        return check_image(proposal["value"], ndim=3)

    @validate("threshold", "min_persistence")
    def _check_number(self, proposal: Any) -> float:
        return check_fraction(proposal["value"], proposal["trait"].name)

    @validate("position")
    def _check_position(self, proposal: Any) -> int:
        last = len(self.image) - 1
        if not 0 <= proposal["value"] <= last:
            raise ValueError(f"position must be 0 to {last}; got {proposal['value']}")
        return proposal["value"]

    @validate("selected")
    def _check_selected(self, proposal: Any) -> int:
        number = proposal["value"]
        if not 0 <= number <= len(self.shown):
            raise ValueError(f"selected must be 0 (none) to {len(self.shown)}; got {number}")
        return number

    def _measure(self, change: Any = None) -> None:
        """Compute pairs and complex anew; another volume has other features: none stays marked."""
        pairs = persistence_pairs(self.image, connectivity=1)
        self.pairs = pairs[np.argsort(-pairs.persistence, kind="stable")]
        self.complex_ = morse_complex(self.image)
        with self.hold_trait_notifications():  # whoever looks on sees the volume as a whole
            self._look()
            self.selected, self.position = 0, len(self.image) // 2

    def _look(self, change: Any = None) -> None:
        """Look at the volume at the present thresholds."""
        self.skeleton = self.complex_.skeleton(self.min_persistence, self.threshold)
        essential = (self.pairs.dimension == 0) & (self.pairs.death_index < 0)
        self.shown = self.pairs[(self.pairs.persistence > self.min_persistence) | essential]
        self.selected = min(self.selected, len(self.shown))

    def _visit(self, change: Any) -> None:
        """Go to the slice in which the marked feature is born."""
        if self.selected:
            born = int(self.shown.birth_index[self.selected - 1])
            self.position = int(np.unravel_index(born, self.image.shape)[0])

    @property
    def betti(self) -> tuple[int, ...]:
        """The numbers of components, tunnels and cavities that are alive at the threshold."""
        living = self.pairs.dimension[figures.alive(self.pairs, self.threshold)]
        return tuple(np.bincount(living, minlength=3).tolist())

    @classmethod
    def example(cls) -> Self:
        """Return an explorer of a net of tubes, its most persistent tunnel marked."""
        tubes = synthetic.tubes((32, 48, 48), seed=8, spacing=13, gaps=6)
        volume = tubes.image[0].astype(float)
        contrast = gaussian(volume, 1) / gaussian(volume, 12)
        likelihood = expit((contrast - contrast.mean()) / contrast.std() - 2)
        explorer = cls(likelihood, threshold=0.3)
        explorer.selected = 1 + int(np.flatnonzero(explorer.shown.dimension == 1)[0])
        return explorer

    def describe(self) -> str:
        """Say in words what the picture shows."""
        share, skeleton = 100 * (self.image >= self.threshold).mean(), self.skeleton
        counts = [_plural(n, name) for n, name in zip(self.betti, COUNTED, strict=True)]
        parts = figures.count_parts(skeleton)
        loops = len(skeleton.edges) - len(skeleton.nodes) + parts
        here = int(skeleton.mask[self.position].sum())
        text = (
            f"Slice {self.position} of 0 to {len(self.image) - 1}. At threshold "
            f"{self.threshold:.2f}, with 6 neighbours, {share:.1f} % of the volume is foreground: "
            f"{counts[0]}, {counts[1]} and {counts[2]}. The skeleton of the branches with "
            f"persistence above {self.min_persistence:.2f} has "
            f"{_count(int(skeleton.mask.sum()), 'voxel')}, {here} of them in this slice, in "
            f"{_count(parts, 'part')} with {_count(loops, 'loop')}."
        )
        if self.selected:
            text += " " + self._describe_feature(self.selected)
        return text

    def _describe_feature(self, number: int) -> str:
        pairs, k = self.shown, number - 1
        text = (
            f"Feature {number} of {len(pairs)} is a {COUNTED[pairs.dimension[k]]}, born at "
            f"{pairs.birth[k]:.2f} in {self._place(int(pairs.birth_index[k]))}; it "
        )
        dies = int(pairs.death_index[k])
        if dies < 0:
            return text + "is essential: it never dies, and its death is set to 0."
        return text + f"dies at {pairs.death[k]:.2f} in {self._place(dies)}."

    def _place(self, index: int) -> str:
        depth, row, column = np.unravel_index(index, self.image.shape)
        return f"slice {depth}, row {row}, column {column}"

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.volume_summary(
            self.image,
            self.complex_,
            self.shown,
            position=self.position,
            threshold=self.threshold,
            min_persistence=self.min_persistence,
            selected=self.selected - 1 if self.selected else None,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, turn the skeleton, click on it for the slice."""
        return _VolumeView(self).box


def _plural(number: int, noun: str) -> str:
    """Count a noun; that of cavity is irregular."""
    return _count(number, noun).replace("cavitys", "cavities")


class _VolumeView(View):
    """The widgets of a `VolumeExplorer`: controls, slice, skeleton in space, line of text."""

    def __init__(self, model: VolumeExplorer) -> None:
        self.model = model
        figure = make_subplots(
            1, 2, specs=[[{}, {"type": "scene"}]], column_widths=[0.45, 0.55],
            subplot_titles=("slice", "skeleton and its shadow"), horizontal_spacing=0.05,
        )  # fmt: skip
        figure.update_layout(
            template="plotly_white",
            width=1010,
            height=560,
            margin={"l": 50, "r": 10, "t": 50, "b": 40},
            legend={"orientation": "h", "y": -0.12},
            hovermode="closest",
            uirevision="keep",  # so that turning the skeleton outlives a move of a slider
        )
        self.figure = LiveFigure(figure)
        self.text = widgets.HTML()
        with self.figure.batch_update():
            self.build_slice()
            self.build_space()
        self.controls: dict[str, Any] = {}
        self.box = widgets.VBox([*self.build_controls(), self.figure, self.text])
        self.link()

    def build_slice(self) -> None:
        """Make the slice: grey, superlevel set, skeleton voxels, and those of the marked pair."""
        self.image, self.here, self.birth, self.death = self.add(
            1,
            go.Image(hovertemplate="row %{y}, column %{x}<extra></extra>"),
            _marks("skeleton", "circle", figures.SKELETON),
            _marks("birth voxel", "diamond", figures.BIRTH),
            _marks("death voxel", "x", figures.DEATH),
        )
        self.here.marker.size = 8
        square = {"scaleanchor": "x", "constrain": "domain", "autorange": "reversed"}
        self.figure.update_yaxes(title="row", row=1, col=1, **square)
        self.figure.update_xaxes(title="column", constrain="domain", row=1, col=1)

    def build_space(self) -> None:
        """Make the skeleton, the box of the volume, the frame of the slice, and the marked pair."""
        self.outline, self.shadow, self.rim, self.lines, self.peaks, self.born, self.dead = (
            self.add(
                2,
                _space_line(color="lightgray", width=2),
                _space_line(color="silver", width=2),
                _space_line(color="black", width=3),
                _space_line(color=figures.SKELETON, width=5),
                _space_marks("circle", figures.SKELETON, 3),
                _space_marks("diamond", figures.BIRTH, 6),
                _space_marks("x", figures.DEATH, 5),
            )
        )
        self.lines.update(hoverinfo="x+y+z")
        self.lines.on_click(self.go_to_slice)
        middle = {"x": 0, "y": 0, "z": -0.2}  # a little lower, so that the floor is in the picture
        self.figure.update_scenes(
            xaxis_title="column", yaxis_title="row", zaxis_title="slice", aspectmode="data",
            yaxis_autorange="reversed",
            camera={"eye": {"x": 1.1, "y": -1.75, "z": 0.9}, "center": middle},
        )  # fmt: skip

    def build_controls(self) -> list[Any]:
        """Make the controls, and return them in rows."""
        unit = {"min": 0.0, "max": 1.0, "step": 0.01, "readout_format": ".2f"}
        self.controls |= {
            "position": _slider(widgets.IntSlider, "Slice", min=0, max=0),
            "selected": _slider(widgets.IntSlider, "Marked feature", min=0, max=0),
            "threshold": _slider(widgets.FloatSlider, "Threshold", **unit),
            "min_persistence": _slider(widgets.FloatSlider, "Persistence above", **unit),
        }
        position, number, threshold, smallest = self.controls.values()
        return [
            widgets.HBox([position, number]),
            widgets.HBox([threshold, smallest]),
            self.bring_own("volume", ".tif,.tiff"),
        ]

    def go_to_slice(self, trace: Any, points: Any, state: Any) -> None:
        """Show the slice of the skeleton's voxel that was clicked."""
        if points.point_inds:
            self.model.position = int(trace.z[points.point_inds[0]])

    def take(self, file: bytes) -> None:
        """Look at the reader's own volume."""
        self.model.image = read_volume(file, dark=self.dark.value)

    def redraw(self, change: Any = None) -> None:
        """Bring figure, controls and text into line with the model."""
        model, name = self.model, change.name if change else "image"
        for trait, last in (("position", len(model.image) - 1), ("selected", len(model.shown))):
            # A maximum below the value would change the value, and with it the model.
            self.controls[trait].max = max(last, getattr(model, trait))
        for trait, control in self.controls.items():
            control.value = getattr(model, trait)
        with self.figure.batch_update():
            self.draw_slice()
            if name in ("image", "threshold", "min_persistence"):
                _place(self.outline, *figures.box_lines(model.image.shape))
                x, y, z = figures.skeleton_lines(model.skeleton)
                _place(self.lines, x, y, z)
                _place(self.shadow, x, y, np.where(np.isnan(z), z, -0.5))
                _place(self.peaks, *figures.skeleton_points(model.skeleton))
            _place(self.rim, *figures.slice_frame(model.image.shape, model.position))
            self.draw_marks()
        self.say(model.describe())

    def draw_slice(self) -> None:
        """Paint the slice and its superlevel set, and put dots where the skeleton passes."""
        model, position = self.model, self.model.position
        here = model.image[position]
        self.image.source = _painted(here, here >= model.threshold)
        rows, columns = np.nonzero(model.skeleton.mask[position])
        _set(self.here, columns, rows)
        self.figure.layout.annotations[0].text = f"slice {position}"

    def draw_marks(self) -> None:
        """Mark both voxels of the chosen feature in space, and in the slice if they lie in it."""
        model = self.model
        chosen = model.shown[model.selected - 1 :][: model.selected and 1]
        for index, flat, solid in (
            (chosen.birth_index, self.birth, self.born),
            (chosen.death_index, self.death, self.dead),
        ):
            z, y, x = np.unravel_index(index[index >= 0], model.image.shape)
            _place(solid, x, y, z)
            _set(flat, x[z == model.position], y[z == model.position])


def _space_line(**line: Any) -> go.Scatter3d:
    """Return a trace of lines in space that nobody points at."""
    return go.Scatter3d(mode="lines", hoverinfo="skip", showlegend=False, line=line)


def _space_marks(symbol: str, colour: str, size: int) -> go.Scatter3d:
    """Return a trace of signs in space; those in the slice have the entry in the legend."""
    marker = {"symbol": symbol, "size": size, "color": colour}
    return go.Scatter3d(mode="markers", marker=marker, hoverinfo="x+y+z", showlegend=False)


def _place(trace: Any, x: Any, y: Any, z: Any) -> None:
    """Move a trace in space."""
    _set(trace, x, y)
    trace.z = np.asarray(z, np.float32)
