"""The view of a volume: its slices in the page, and beside them its skeleton in space."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from ...topology.morse import Skeleton
from .. import figures
from . import views
from .framed import FramedView
from .frames import Film, Reel
from .live import LiveFigure, laid_out
from .uploads import bring_volume, parting

NARROWEST, WIDEST = 480, 1500  # pixels of both parts
SCROLL_BAR = 24  # pixels that are left free: it comes and goes
ONE_ROW = 876  # from this width on they stand side by side


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
        laid_out(figure, width=600, height=520, top=30, showlegend=False)
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
        width = min(max(change.new - SCROLL_BAR, NARROWEST), WIDEST)
        if width >= ONE_ROW:
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
                # Not plotly's own cross, a letter that few fonts have.
                _space_line(color=figures.DEATH, width=7).update(
                    hoverinfo="name", name="death voxel"
                ),
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
        self.add_space(reel)
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

    def add_space(self, reel: Reel) -> None:
        """Add the skeleton in space for a page without a kernel, which has no plotly either."""
        model = self.model
        chosen = model.marked_pair
        reel.panel(
            "space", "skeleton and its shadow: drag to turn, click for the slice", alone=True,
            shape=list(model.image.shape), positions=list(range(len(model.image))),
            path=_places(reel, *figures.path_lines(model.skeleton.paths, model.image.shape)),
            peaks=_places(reel, *figures.lonely_peaks(model.skeleton)),
            pair=[
                [int(place) for place in np.unravel_index(index[0], model.image.shape)[::-1]]
                if len(index) and index[0] >= 0 else None
                for index in (chosen.birth_index, chosen.death_index)
            ],
            colours=[figures.SKELETON, figures.BIRTH, figures.DEATH],
        )  # fmt: skip

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
            born, died = (
                np.unravel_index(index[index >= 0], model.image.shape)[::-1]
                for index in (chosen.birth_index, chosen.death_index)
            )
            _place(self.born, *born)
            _place(self.dead, *_cross(*died))

    drawn: Skeleton | None = None  # the skeleton that the figure shows


def _cross(*voxels: np.ndarray) -> list[np.ndarray]:
    """Return four strokes through each voxel, along the diagonals: an x from everywhere."""
    ways = np.full((3, 4, 3), np.nan)  # of an axis, in each stroke: to its two ends, and a gap
    ways[..., 1] = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1]]
    ways[..., 0] = -ways[..., 1]
    return [
        (places[:, None] + way.ravel()).ravel() for places, way in zip(voxels, ways, strict=True)
    ]


def _places(reel: Reel, x: Any, y: Any, z: Any) -> dict[str, Any]:
    """Pack places in space: column, row and slice in turn."""
    return reel.pack(np.stack([x, y, z], axis=-1), "float32")


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
    trace.x, trace.y, trace.z = (np.asarray(one, np.float32) for one in (x, y, z))
