"""Explorers: interactive pictures for notebooks, each made of a model and a thin view.

A **model** is a class with traits. It holds the state, computes, says in words what there is to see
(`describe`) and draws it without a screen (`picture`, by the figures of the workbook). It knows no
widget, so all that it does can be tested without a browser. Its `view` is ipywidgets around a film
of frames, which moves in the page without a kernel (`frames`, `framed`), or around a plotly
`FigureWidget`, whose traces are updated in place.

What holds for all of them is said here, and in each class only what is its own:

- What a model is given can be changed at any time: nearly all of it are traits. Bad values raise
  TypeError or ValueError, whether they are given at first, assigned to a trait, or handed to
  `take`; the explorer then stays as it was.
- An **image** is an (H, W) array of float in [0, 1], or bool: a likelihood. A **mask**, a target or
  a truth is an (H, W) array of bool, or of 0 and 1. `row` and `column` are those of a chosen pixel.
- `connectivity` is that of the foreground: 1 for 4 neighbours, 2 for 8 (the default).
- `threshold` is that of the superlevel set, by default 0.5. What has a persistence not above
  `min_persistence` is left out.
- `selected` is the number of what is marked, 1 being the most persistent (of a model's branches the
  most uncertain); 0 marks none. `betti` counts what is alive in each dimension.

`show` displays an explorer so that the stored notebook is small and readable everywhere: live with
a kernel, a picture and a sentence without. `Dashboard` holds all of them in tabs.

>>> import numpy as np
>>> explorer = PersistenceExplorer(np.array([[0.9, 0.1, 0.6]]), threshold=0.5)
>>> explorer.betti
(2, 0)
>>> explorer.threshold = 0.05
>>> explorer.betti
(1, 0)
"""

from .annotating import AnnotationExplorer
from .base import Explorer, show
from .comparison import ComparisonExplorer
from .dashboard import Dashboard
from .gradient import GradientExplorer
from .morse import MorseExplorer
from .painting import PaintExplorer
from .persistence import PersistenceExplorer
from .structures import StructureExplorer
from .uploads import read_image
from .volumes import VolumeExplorer, read_volume
from .warping import WarpExplorer

__all__ = [
    "AnnotationExplorer",
    "ComparisonExplorer",
    "Dashboard",
    "Explorer",
    "GradientExplorer",
    "MorseExplorer",
    "PaintExplorer",
    "PersistenceExplorer",
    "StructureExplorer",
    "VolumeExplorer",
    "WarpExplorer",
    "read_image",
    "read_volume",
    "show",
]
