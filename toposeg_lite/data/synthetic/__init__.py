"""Images whose topology is known exactly, because it was built in: six generators, one per domain.

Every generator first lays out a *graph* (trees, cells, a street grid), whose Betti numbers follow
from counting its nodes and edges. It then draws the graph as a mask, and the mask as a photograph
would show it: blurred, unevenly lit, noisy, and interrupted where the structure fades. A network
that learns pixels alone breaks its connections at these gaps; that is what the images are for.

Drawing on a grid of pixels can break the design: two branches may touch, a small cell may close.
Such a drawing is thrown away and the next one is drawn from the same stream of random numbers, so
the numbers always hold, with either connectivity, and the result depends on the seed alone.

Images have axes (channels, H, W) or (channels, D, H, W), masks (H, W) or (D, H, W). The border is
"open": structures cut by the edge of the image do not close into loops.

What holds for every generator: `shape` names the spatial sides. `seed`, which is required, is an
integer or a numpy Generator: same seed, same bits. `gaps` is the number of places where the
structure fades, 0 to 1000, and `noise` the standard deviation of the noise, in [0, 1]. Numbers of
the wrong type or out of range raise TypeError or ValueError before anything is drawn, and so do
numbers for which no drawing fits into the shape after 200 attempts.
"""

from __future__ import annotations

from .cells import membranes
from .drawing import Drawing
from .fractures import cracks
from .lines import lanes
from .nets import roads, tubes
from .trees import vessels

__all__ = ["Drawing", "cracks", "lanes", "membranes", "roads", "tubes", "vessels"]
