"""Explore a volume: walk through its slices beside its skeleton in space."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from scipy.special import expit
from skimage.filters import gaussian

from ...checks import check_integer
from ...data import synthetic
from ...topology.morse import MorseComplex, Skeleton, morse_complex
from .. import figures
from ..figures.words import count
from . import views
from .base import LiveFigure
from .features import FeatureExplorer
from .framed import FramedView
from .frames import Film, Reel
from .traits import Fraction, Likelihood, UpTo
from .uploads import bring_volume, parting

__all__ = ["VolumeExplorer", "read_volume"]


def read_volume(content: bytes, *, dark: bool = False, size: int = 64) -> np.ndarray:
    """Turn the bytes of a picture file with many pages, one a slice, into a likelihood.

    The same as `read_image`: a (D, H, W) array of float64 in [0, 1], reduced so that no side has
    more than `size` voxels.

    Raises
    ------
    ValueError
        If the bytes are no picture, or one with NaN or infinite values, if its pages differ in
        size, or all voxels have the same value; if it has more voxels than the environment variable
        ``TOPOSEG_MAX_UPLOAD`` allows (33,554,432 without it).

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
    return bring_volume(content, dark=dark, size=size).values


class VolumeExplorer(FeatureExplorer):
    """A slice of a volume beside its skeleton in space, under two thresholds.

    Everything is computed with 6 neighbours for the foreground, as the Morse complex of a volume
    is; so numbers and skeleton belong together. `position` is the number of the slice, at first the
    one in the middle. `threshold` is also the saddle level of the skeleton, which so lies within
    the superlevel set, and branches and features whose persistence is not above `min_persistence`
    are left out. Marking a feature leads to the slice of its birth voxel.

    `pairs` and `shown` are all pairs and those that are not left out, the most persistent first.
    The `complex_` is computed once for a volume, and `skeleton` is what the two thresholds leave of
    it.

    >>> ring = np.array([[[0.9, 0.8, 0.9], [0.8, 0.1, 0.4], [0.9, 0.8, 0.9]]])
    >>> explorer = VolumeExplorer(ring, threshold=0.5, min_persistence=0.2, selected=2)
    >>> print(explorer.describe())
    Slice 0 of 0 to 0. At threshold 0.50, with 6 neighbours, 77.8 % of the volume is foreground:
    1 component, 0 tunnels and 0 cavities. The skeleton of the branches with persistence above 0.20
    has 1 voxel, 1 of them in this slice, in 1 part with 0 loops. Feature 2 of 2 is a tunnel, born
    at 0.40 in slice 0, row 1, column 2; it dies at 0.10 in slice 0, row 1, column 1.
    """

    chapter, title = "13", "Volumes"

    kinds = ("component", "tunnel", "cavity")
    state = ("image", "threshold", "min_persistence", "selected", "position")

    image = Likelihood(ndim=3)
    min_persistence = Fraction(0.1)
    position = UpTo(lambda model: len(model.image) - 1)

    complex_: MorseComplex
    skeleton: Skeleton

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
        if position is not None:
            check_integer(position, "position", 0, len(self.image) - 1)
        self._measure()
        self.observe(self._measure, ["image"])
        self.observe(self._look, ["threshold", "min_persistence"])
        self.observe(self._visit, ["selected"])
        self.selected = selected
        if position is not None:
            self.position = position

    def _measure(self, change: Any = None) -> None:
        """Compute pairs and complex anew; another volume has other features: none stays marked."""
        self._pair(connectivity=1)
        self.complex_ = morse_complex(self.image)
        with self.hold_trait_notifications():  # whoever looks on sees the volume as a whole
            self._look()
            self.selected, self.position = 0, len(self.image) // 2

    def _look(self, change: Any = None) -> None:
        """Look at the volume at the present thresholds."""
        self.skeleton = self.complex_.skeleton(self.min_persistence, self.threshold)
        self._choose_shown()

    def _visit(self, change: Any) -> None:
        """Go to the slice in which the marked feature is born."""
        if self.selected:
            born = int(self.shown.birth_index[self.selected - 1])
            self.position = int(np.unravel_index(born, self.image.shape)[0])

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

    def brief(self) -> str:
        """Say in one sentence which slice is shown, and what is alive at the threshold."""
        return f"{self._sentence(self.position)}."

    def _sentence(self, position: int) -> str:
        components, tunnels, cavities = map(count, self.betti, self.kinds)
        return (
            f"Slice {position}, threshold {self.threshold:.2f}: {components}, {tunnels} and "
            f"{cavities}{self._mark()}"
        )

    def describe(self) -> str:
        """Say in words what the picture shows."""
        share, skeleton = 100 * (self.image >= self.threshold).mean(), self.skeleton
        components, tunnels, cavities = map(count, self.betti, self.kinds)
        parts = figures.count_parts(skeleton)
        loops = len(skeleton.edges) - len(skeleton.nodes) + parts
        here = int(skeleton.mask[self.position].sum())
        return (
            f"Slice {self.position} of 0 to {len(self.image) - 1}. At threshold "
            f"{self.threshold:.2f}, with 6 neighbours, {share:.1f} % of the volume is foreground: "
            f"{components}, {tunnels} and {cavities}. The skeleton of the branches with "
            f"persistence above {self.min_persistence:.2f} has "
            f"{count(int(skeleton.mask.sum()), 'voxel')}, {here} of them in this slice, in "
            f"{count(parts, 'part')} with {count(loops, 'loop')}.{self._describe_marked()}"
        )

    def picture(self) -> Figure:
        """Draw the explorer's present state with matplotlib."""
        return figures.volume_summary(
            self.image,
            self.complex_,
            self.shown,
            position=self.position,
            threshold=self.threshold,
            min_persistence=self.min_persistence,
            selected=self.marked,
        )

    def view(self) -> widgets.VBox:
        """Return a live view: move a slider, turn the skeleton, click on it for the slice."""
        return _VolumeView(self).box


class _VolumeView(FramedView):
    """The view of a `VolumeExplorer`: the slice, and the skeleton in space."""

    def build_controls(self) -> list[Any]:
        self.controls |= {
            "selected": views.integer_slider("Marked feature"),
            "threshold": views.fraction_slider("Threshold"),
            "min_persistence": views.fraction_slider("Persistence above"),
        }
        return [self.row("threshold", "selected")]

    def build_more(self) -> list[Any]:
        return [*self.fold(self.row("min_persistence")), self.bring_own("volume", ".tif,.tiff")]

    def show_frames(self) -> widgets.HBox:
        """Put the slice beside the skeleton in space."""
        hint = {"text": "skeleton and its shadow: click for the slice", "x": 0.5, "y": 1}
        hint |= {"xref": "paper", "yref": "paper", "showarrow": False, "yanchor": "bottom"}
        # Turning the skeleton outlives a move of a slider.
        figure = go.Figure(layout={"uirevision": "keep", "annotations": [hint]})
        views.laid_out(figure, width=600, height=520, left=0, top=30, legend=None, showlegend=False)
        self.figure = LiveFigure(figure)
        with self.figure.batch_update():
            self.build_space()
        self.words.label = f"{self.model.title}: {hint['text']}"
        self.words.observe(self.fit, "room")
        self.words.on_msg(lambda *message: self.figure.repeat())
        self.frames.layout = {"flex": "1 1 380px", "width": "auto"}
        return widgets.HBox([self.frames, self.figure])

    def fit(self, change: Any) -> None:
        """Give the figure half of the room, or all of it where that is small."""
        width = min(max(change.new - views.SCROLL_BAR, views.NARROWEST), views.WIDEST)
        if width >= views.ONE_ROW:
            width = round(0.52 * width)
        self.figure.layout.update(width=width, height=min(round(0.9 * width), 600))

    def add(self, *traces: Any) -> list[Any]:
        """Add traces to the figure and return them as it holds them."""
        first = len(self.figure.data)
        self.figure.add_traces(traces)
        return list(self.figure.data[first:])

    def build_space(self) -> None:
        """Make the skeleton, the box of the volume, the frame of the slice, and the marked pair."""
        self.outline, self.shadow, self.rim, self.lines, self.peaks, self.born, self.dead = (
            self.add(
                _space_line(color="lightgray", width=2),
                _space_line(color="silver", width=2),
                _space_line(color="#808080", width=3),
                _space_line(color=figures.SKELETON, width=5),
                _space_marks("circle", figures.SKELETON, 3),
                _space_marks("diamond", figures.BIRTH, 6, "birth voxel"),
                _space_marks("x", figures.DEATH, 5, "death voxel"),
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

    def go_to_slice(self, trace: Any, points: Any, state: Any) -> None:
        """Show the slice of the skeleton's voxel that was clicked."""
        if points.point_inds:
            self.model.position = int(trace.z[points.point_inds[0]])

    def take(self, file: bytes) -> tuple[str, ...]:
        """Look at the reader's own volume, at a threshold that parts bright from dark."""
        taken = bring_volume(file, dark=self.dark.value)
        self.model.threshold = parting(taken.values)
        self.model.image = taken.values
        return (*taken.notes, f"threshold {self.model.threshold:.2f} by Otsu's method")

    def last_values(self) -> dict[str, int]:
        return {"selected": len(self.model.shown)}

    def key(self) -> tuple[Any, ...]:
        model = self.model
        return model.image, model.skeleton, model.shown, model.threshold, model.selected

    def places(self) -> dict[str, Any]:
        return {"index": self.model.position}

    def wanted(self) -> dict[str, Any]:
        return {"position": self.frames.index}

    def film(self) -> Film:
        """Make one frame of each slice."""
        model = self.model
        depth, *shape = model.image.shape
        sentences = [model._sentence(k) for k in range(depth)]
        reel = Reel("Slice", [f"{k} of 0 to {depth - 1}" for k in range(depth)], sentences)
        mask = model.image >= model.threshold
        layers = [reel.grey(model.image), reel.masks(mask, figures.SUPERLEVEL)]
        skeleton = [np.flatnonzero(here) for here in model.skeleton.mask]
        signs = [reel.signs("dot", figures.SKELETON, skeleton, least=6)]
        for kind, colour, index in (
            ("diamond", figures.BIRTH, model.marked_pair.birth_index),
            ("aim", figures.DEATH, model.marked_pair.death_index),
        ):
            where = [np.zeros(0, int) for _ in range(depth)]
            for voxel in index[index >= 0].tolist():
                k, place = divmod(voxel, mask[0].size)
                where[k] = np.array([place])
            signs.append(reel.signs(kind, colour, where, least=13))
        reel.image("slice", shape, layers, signs=signs)
        counts = mask.reshape(depth, -1).sum(axis=1)
        reel.more |= {
            "numbers": [
                {"name": "voxels above", "one": "voxel above", "values": list(map(str, counts))},
                {"name": "of the skeleton", "values": [str(len(here)) for here in skeleton]},
            ],
            "play": {"kind": "steps", "label": "Play the slices", "interval": 120},
        }
        reel.legend += [
            ("■", figures.SUPERLEVEL, "superlevel set"),
            ("●", figures.SKELETON, "skeleton"),
            ("◇", figures.BIRTH, "birth voxel"),
            ("✕", figures.DEATH, "death voxel"),
        ]
        return reel.film()

    def draw_beside(self) -> None:
        """Draw the skeleton and its shadow, the rim of the slice and the marked pair in space."""
        model = self.model
        with self.figure.batch_update():
            if model.skeleton is not self.drawn:
                self.drawn = model.skeleton
                _place(self.outline, *figures.box_lines(model.image.shape))
                x, y, z = figures.path_lines(model.skeleton.paths, model.image.shape)
                _place(self.lines, x, y, z)
                _place(self.shadow, x, y, np.where(np.isnan(z), z, -0.5))
                _place(self.peaks, *figures.lonely_peaks(model.skeleton))
            _place(self.rim, *figures.slice_frame(model.image.shape, model.position))
            chosen = model.marked_pair
            for index, solid in ((chosen.birth_index, self.born), (chosen.death_index, self.dead)):
                z, y, x = np.unravel_index(index[index >= 0], model.image.shape)
                _place(solid, x, y, z)

    drawn: Skeleton | None = None  # the skeleton that the figure shows


def _space_line(**line: Any) -> go.Scatter3d:
    """Return a trace of lines in space that nobody points at."""
    return go.Scatter3d(mode="lines", hoverinfo="skip", showlegend=False, line=line)


def _space_marks(symbol: str, colour: str, size: int, name: str = "") -> go.Scatter3d:
    """Return a trace of signs in space, with an entry in the legend if it has a name."""
    marker = {"symbol": symbol, "size": size, "color": colour}
    return go.Scatter3d(
        mode="markers", marker=marker, hoverinfo="x+y+z", name=name, showlegend=bool(name)
    )


def _place(trace: Any, x: Any, y: Any, z: Any) -> None:
    """Move a trace in space."""
    views.move(trace, x, y)
    trace.z = np.asarray(z, np.float32)
