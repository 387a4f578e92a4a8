"""Explore a volume: walk through its slices beside its skeleton in space."""

from __future__ import annotations

from typing import Any, Self

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit
from skimage.filters import gaussian

from ...checks import check_integer
from ...data import synthetic
from ...topology.morse import MorseComplex, Skeleton, morse_complex
from .. import figures
from ..figures.words import count
from .features import FeatureExplorer
from .traits import Fraction, Likelihood, UpTo
from .uploads import bring_volume

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
        from .space import _VolumeView  # which loads plotly

        return _VolumeView(self).box
