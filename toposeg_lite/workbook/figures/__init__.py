"""Matplotlib figures of images, pairs and diagrams: the static twin of every explorer.

What holds for all of them is said here, and in each function only what is its own:

- An **image** is an (H, W) array of float in [0, 1], or bool: a likelihood. A **mask** is an (H, W)
  array of bool, or of 0 and 1. `pairs` are what `persistence_pairs` returned, `truth` is a mask to
  compare with. A `pixel` is a (row, column). A **volume** is the same with three axes, (D, H, W);
  `position` is the number of a slice, from 0.
- `complex_` is what `morse_complex` made of the image; `min_persistence` and `saddle_level`, in
  [0, 1], are the thresholds of its skeleton. `paths` are int arrays of flat indices, one array for
  each branch.
- `connectivity` is that of the foreground: 1 for 4 neighbours, 2 for 8 (the default). The
  background has the dual one.
- A function that draws one panel takes `title`, written above it, and `ax`, the Axes to draw on (by
  default the only ones of a new figure), and returns the Axes. One that puts panels together (a
  `..._summary` or `..._step`) returns a new Figure. No window is opened: `show` displays a figure
  in a notebook, and `png` writes it.
- `threshold`, in [0, 1], is that of the superlevel set, which is painted, and of the features that
  are alive. `selected` is the position, from 0, of what is to be marked; by default nothing is.
  `legend` says whether the signs are explained below the axes.
- Bad arguments raise TypeError or ValueError before anything is drawn.

The signs are the same in all of them, so that a picture is read once and understood everywhere:

- a **component** (dimension 0) is a blue circle, a **hole** or **tunnel** (dimension 1) a vermilion
  triangle, a **cavity** (dimension 2) a green square;
- a filled sign is alive at the drawn threshold, a hollow one is not;
- a **birth pixel** is a green diamond, a **death pixel** a purple cross; a line joins the two;
- the **superlevel set** lies over the grey image in yellow, the **truth** has a sky-blue outline;
- pixels that a gradient **raises** are green triangles that point up, those that it **lowers** are
  purple triangles that point down;
- of two masks, pixels of both are yellow, those that only the target has are green (to be added, so
  they lie inside its outline), those that it has not are purple (to be removed, outside of it);
  **critical** pixels carry a vermilion cross (in large masks one for each group);
- where parts of a mask are named, components have blue letters and holes vermilion numbers;
- of the branches that a person decides about, accepted ones are wide green lines, rejected ones
  dotted purple lines with a cross, open ones dashed white lines.

The colours are those of Okabe and Ito [1]_, which readers with any colour vision tell apart; and no
meaning hangs on colour alone.

References
----------
.. [1] M. Okabe and K. Ito, "Color Universal Design", 2008. https://jfly.uni-koeln.de/color/
"""

from .ablation import ablation_forest
from .annotation import BRANCH_KINDS, annotated_image, annotation_summary, picture_colours
from .base import (
    BIRTH,
    COMPONENT,
    DEATH,
    HOLE,
    KINDS,
    LOWERED,
    RAISED,
    SUPERLEVEL,
    TRUTH,
    Bundle,
    image_row,
    outline,
    parts,
    pixel_values,
    png,
    show,
)
from .comparison import (
    NETWORKS,
    comparison_summary,
    difference_forest,
    higher_is_better,
    paired_scores,
    sorted_by_outcome,
    weight_curves,
    weight_panels,
)
from .faults import fault_map
from .gradient import gradient_step, image_with_pull, strongest
from .morse import (
    CUT,
    SKELETON,
    MorseView,
    count_parts,
    gradient_field,
    image_with_patches,
    lonely_peaks,
    morse_summary,
    morse_view,
    path_lines,
)
from .orders import ORDER_STYLES, branches_by_value, order_areas, order_curves
from .painting import mask_parts, metric_rows, numbered_parts, painting_summary, part_name
from .persistence import alive, barcode, image_with_pairs, persistence_diagram, persistence_summary
from .ranks import rank_lines
from .settings import setting_dots
from .structures import (
    MAPS,
    branch_colours,
    grey_of,
    image_with_walks,
    pixel_colours,
    pixel_values_of,
    reliability_plot,
    structure_summary,
)
from .volumes import (
    box_lines,
    slice_frame,
    slice_values,
    volume_diagram,
    volume_summary,
    voxel_block,
)
from .warping import (
    CRITICAL,
    cells_around,
    components_around,
    links_around,
    mask_colours,
    mask_legend,
    neighbourhood,
    verdict,
    warp_masks,
    warp_step,
)

__all__ = [
    "BIRTH",
    "BRANCH_KINDS",
    "COMPONENT",
    "CRITICAL",
    "CUT",
    "DEATH",
    "HOLE",
    "KINDS",
    "LOWERED",
    "MAPS",
    "NETWORKS",
    "ORDER_STYLES",
    "RAISED",
    "SKELETON",
    "SUPERLEVEL",
    "TRUTH",
    "Bundle",
    "MorseView",
    "ablation_forest",
    "alive",
    "annotated_image",
    "annotation_summary",
    "barcode",
    "box_lines",
    "branch_colours",
    "branches_by_value",
    "cells_around",
    "comparison_summary",
    "components_around",
    "count_parts",
    "difference_forest",
    "fault_map",
    "gradient_field",
    "gradient_step",
    "grey_of",
    "higher_is_better",
    "image_row",
    "image_with_pairs",
    "image_with_patches",
    "image_with_pull",
    "image_with_walks",
    "links_around",
    "lonely_peaks",
    "mask_colours",
    "mask_legend",
    "mask_parts",
    "metric_rows",
    "morse_summary",
    "morse_view",
    "neighbourhood",
    "numbered_parts",
    "order_areas",
    "order_curves",
    "outline",
    "painting_summary",
    "paired_scores",
    "part_name",
    "parts",
    "path_lines",
    "persistence_diagram",
    "persistence_summary",
    "picture_colours",
    "pixel_colours",
    "pixel_values",
    "pixel_values_of",
    "png",
    "rank_lines",
    "reliability_plot",
    "setting_dots",
    "show",
    "slice_frame",
    "slice_values",
    "sorted_by_outcome",
    "strongest",
    "structure_summary",
    "verdict",
    "volume_diagram",
    "volume_summary",
    "voxel_block",
    "warp_masks",
    "warp_step",
    "weight_curves",
    "weight_panels",
]
